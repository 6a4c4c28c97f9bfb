//! The options as they are written, each read on its own so that one mistake does not hide the next.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use toml::Table;

use super::Mistake;
use crate::connectors::tabular::names::{list, nearest, shown};

/// The options as written, before they are checked against each other.
#[derive(Debug, Default)]
pub struct Raw {
    pub table: Option<String>,
    pub files: Option<String>,
    pub format: Option<String>,
    pub encoding: Option<String>,
    pub delimiter: Option<String>,
    pub records: Option<String>,
    pub header: Option<Vec<String>>,
    pub loose: Option<bool>,
    pub columns: Table,
    pub values: BTreeMap<String, BTreeMap<String, String>>,
    pub dates: Option<Vec<String>>,
    pub never: Option<Vec<String>>,
    pub unknown: Option<Vec<String>>,
    pub not_applicable: Option<Vec<String>>,
    pub yes: Option<Vec<String>>,
    pub no: Option<Vec<String>>,
    pub skip_where: BTreeMap<String, OneOrMany>,
    pub required: Vec<String>,
    pub key: Option<OneOrMany>,
    pub attributes: Vec<String>,
}

/// One text, or a list of them.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    /// As a list.
    pub fn all(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

/// Every option, for the message about one that does not exist.
const OPTIONS: &[&str] = &[
    "mapping",
    "table",
    "files",
    "format",
    "encoding",
    "delimiter",
    "records",
    "header",
    "loose",
    "columns",
    "values",
    "dates",
    "never",
    "unknown",
    "not_applicable",
    "true",
    "false",
    "skip_where",
    "required",
    "key",
    "attributes",
];

impl Raw {
    /// Reads what is there; what is wrong is named and left out.
    pub fn read(options: &Table, mistakes: &mut Vec<Mistake>) -> Self {
        for key in options.keys().filter(|k| !OPTIONS.contains(&k.as_str())) {
            let meant = nearest(key, OPTIONS.iter().copied()).map_or_else(String::new, |n| format!(", did you mean `{n}`?"));
            mistakes.push(Mistake {
                message: format!("`{}` is no option of this connector{meant}", shown(key)),
                help: format!("the options are {}", list(OPTIONS.iter().copied())),
            });
        }
        Self {
            table: take(options, "table", "a text", mistakes),
            files: take(options, "files", "a text", mistakes),
            format: take(options, "format", "a text", mistakes),
            encoding: take(options, "encoding", "a text", mistakes),
            delimiter: take(options, "delimiter", "a text", mistakes),
            records: take(options, "records", "a text", mistakes),
            header: take(options, "header", "a list of texts", mistakes),
            loose: take(options, "loose", "true or false", mistakes),
            columns: take(options, "columns", "a table", mistakes).unwrap_or_default(),
            values: take(options, "values", "a table of tables of texts", mistakes).unwrap_or_default(),
            dates: take(options, "dates", "a list of texts", mistakes),
            never: take(options, "never", "a list of texts", mistakes),
            unknown: take(options, "unknown", "a list of texts", mistakes),
            not_applicable: take(options, "not_applicable", "a list of texts", mistakes),
            yes: take(options, "true", "a list of texts", mistakes),
            no: take(options, "false", "a list of texts", mistakes),
            skip_where: take(options, "skip_where", "a table of texts or lists of texts", mistakes).unwrap_or_default(),
            required: take(options, "required", "a list of texts", mistakes).unwrap_or_default(),
            key: take(options, "key", "a text or a list of texts", mistakes),
            attributes: take(options, "attributes", "a list of texts", mistakes).unwrap_or_default(),
        }
    }

    /// These options laid over `base`: single settings replace, columns and values are merged by field.
    pub fn over(self, base: Self) -> Self {
        let mut values = base.values;
        for (field, words) in self.values {
            values.entry(field).or_default().extend(words);
        }
        Self {
            table: base.table,
            files: self.files,
            format: self.format.or(base.format),
            encoding: self.encoding.or(base.encoding),
            delimiter: self.delimiter.or(base.delimiter),
            records: self.records.or(base.records),
            header: self.header.or(base.header),
            loose: self.loose,
            columns: self.columns,
            values,
            dates: self.dates.or(base.dates),
            never: self.never.or(base.never),
            unknown: self.unknown.or(base.unknown),
            not_applicable: self.not_applicable.or(base.not_applicable),
            yes: self.yes.or(base.yes),
            no: self.no.or(base.no),
            skip_where: self.skip_where,
            required: [base.required, self.required].concat(),
            key: self.key,
            attributes: self.attributes,
        }
    }
}

fn take<T: DeserializeOwned>(options: &Table, key: &str, what: &str, mistakes: &mut Vec<Mistake>) -> Option<T> {
    let value = options.get(key)?.clone();
    let read = value.try_into().ok();
    if read.is_none() {
        mistakes.push(Mistake { message: format!("`{key}` is not {what}"), help: "see `holdover connectors show tabular`".to_owned() });
    }
    read
}
