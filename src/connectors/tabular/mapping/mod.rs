//! Mappings: the options of a source, checked, with every mistake named at once.

mod build;
mod options;

use std::collections::{BTreeMap, BTreeSet};

use build::Build;
use globset::GlobMatcher;
use toml::{Table, Value};

use super::dates::Dates;
use super::decode::Encoding;
use super::fields::Target;
use super::names::{list, nearest, shown};
use super::records::{Binding, ColumnRef};
use super::sniff::Format;
use crate::connectors::{ConnectorError, Context};
use crate::model::text::norm;

/// A mistake in the options and its fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub message: String,
    pub help: String,
}

/// All mistakes as one error.
pub fn refuse(mistakes: &[Mistake]) -> ConnectorError {
    let (message, help) = joined(mistakes);
    ConnectorError::Options { message, help }
}

/// Messages and fixes, each joined; a fix that repeats is given once.
pub fn joined(mistakes: &[Mistake]) -> (String, String) {
    let mut helps: Vec<&str> = Vec::new();
    for mistake in mistakes {
        if !helps.contains(&mistake.help.as_str()) {
            helps.push(&mistake.help);
        }
    }
    let messages: Vec<&str> = mistakes.iter().map(|m| m.message.as_str()).collect();
    (messages.join("; "), helps.join("; "))
}

/// Where the value of a field comes from. Columns are positions in [`Plan::columns`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// The first of these that is not blank.
    First(Vec<usize>),
    Const(String),
    Template(Vec<Piece>),
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    Column(usize),
}

/// One mapped field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub from: From,
    pub split: Option<String>,
    /// The file may lack the column.
    pub optional: bool,
}

impl Source {
    /// The columns it reads.
    pub fn columns(&self) -> Vec<usize> {
        match &self.from {
            From::First(columns) => columns.clone(),
            From::Const(_) => Vec::new(),
            From::Template(pieces) => pieces.iter().filter_map(|p| if let Piece::Column(c) = p { Some(*c) } else { None }).collect(),
        }
    }

    /// Whether the file has what it needs.
    pub fn found(&self, binding: &Binding) -> bool {
        match &self.from {
            From::First(columns) => columns.iter().any(|c| binding.found(*c)),
            From::Const(_) => true,
            From::Template(_) => self.columns().iter().all(|c| binding.found(*c)),
        }
    }
}

/// A map of values: keys normalised, `*` apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueMap {
    words: BTreeMap<String, String>,
    other: Option<String>,
}

impl ValueMap {
    /// What `text` stands for.
    pub fn get(&self, text: &str) -> Option<&str> {
        let word = norm(text)?;
        self.words.get(&word).or(self.other.as_ref()).map(String::as_str)
    }

    fn add(&mut self, from: &str, to: String) {
        match norm(from) {
            Some(word) if word == "*" => self.other = Some(to),
            Some(word) => {
                self.words.insert(word, to);
            }
            // A blank cell is missing, never a word.
            None => {}
        }
    }
}

/// Something for each of some fields, found faster than by comparing names: every record asks for each of its fields.
#[derive(Debug)]
pub struct ByField<T> {
    slots: Vec<Option<(&'static str, T)>>,
}

impl<T> Default for ByField<T> {
    fn default() -> Self {
        Self { slots: (0..Self::SLOTS).map(|_| None).collect() }
    }
}

impl<T> ByField<T> {
    /// Several times as many as any table has fields.
    const SLOTS: usize = 256;

    fn slot(&self, name: &str) -> usize {
        let bytes = name.as_bytes();
        let sum = |at: Option<&u8>, times: usize| at.map_or(0, |b| usize::from(*b) * times);
        let mut at = (bytes.len() * 7 + sum(bytes.first(), 3) + sum(bytes.last(), 17) + sum(bytes.get(bytes.len() / 2), 29)) % Self::SLOTS;
        while self.slots.get(at).and_then(Option::as_ref).is_some_and(|(known, _)| *known != name) {
            at = (at + 1) % Self::SLOTS;
        }
        at
    }

    pub fn get(&self, name: &str) -> Option<&T> {
        self.slots.get(self.slot(name))?.as_ref().map(|(_, value)| value)
    }

    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.values().next().is_none()
    }

    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub fn insert(&mut self, name: &'static str, value: T) {
        let at = self.slot(name);
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = Some((name, value));
        }
    }

    /// In no order that means anything.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten().map(|(_, value)| value)
    }
}

/// One mapping, ready to read files with.
#[derive(Debug)]
pub struct Plan {
    /// Files that it is for; `None`: all.
    pub files: Option<GlobMatcher>,
    pub target: &'static Target,
    pub format: Option<Format>,
    pub encoding: Option<Encoding>,
    pub delimiter: Option<u8>,
    /// Path to the records of a JSON document; empty: the document itself.
    pub records: Option<Vec<String>>,
    pub header: Option<Vec<String>>,
    pub columns: Vec<ColumnRef>,
    pub fields: ByField<Source>,
    pub attributes: Vec<usize>,
    pub values: ByField<ValueMap>,
    pub skip: Vec<(usize, BTreeSet<String>)>,
    pub required: Vec<&'static str>,
    pub dates: Dates,
    pub yes: BTreeSet<String>,
    pub no: BTreeSet<String>,
}

impl Plan {
    /// The mappings of a source: one, or one for each `part`.
    ///
    /// # Errors
    /// Every mistake in the options.
    pub fn all(context: &Context) -> Result<Vec<Self>, ConnectorError> {
        let mut mistakes = Vec::new();
        let tables: Vec<&Table> = match context.options.get("part") {
            None => vec![&context.options],
            Some(Value::Array(parts)) if parts.iter().all(Value::is_table) && context.options.len() == 1 => {
                parts.iter().filter_map(Value::as_table).collect()
            }
            Some(_) => {
                let help = "give each part its whole mapping: `[[source.options.part]]` with `files` and `mapping` or `table`";
                return Err(refuse(&[Mistake {
                    message: "`part` stands beside other options or is no list of tables".into(),
                    help: help.into(),
                }]));
            }
        };
        let mut plans = Vec::new();
        for table in tables {
            plans.extend(Build::plan(table, context, &mut mistakes));
        }
        if mistakes.is_empty() { Ok(plans) } else { Err(refuse(&mistakes)) }
    }

    /// Whether this mapping is for the file called `name`.
    pub fn takes(&self, name: &str) -> bool {
        self.files.as_ref().is_none_or(|g| g.is_match(name) || name.rsplit('/').next().is_some_and(|last| g.is_match(last)))
    }

    /// What the file lacks that the mapping names.
    pub fn missing(&self, binding: &Binding) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let mut lacking = BTreeSet::new();
        for source in self.fields.values().filter(|s| !s.optional && !s.found(binding)) {
            lacking.extend(source.columns().into_iter().filter(|c| !binding.found(*c)));
        }
        lacking.extend(self.attributes.iter().chain(self.skip.iter().map(|(c, _)| c)).filter(|c| !binding.found(**c)));
        for name in lacking.into_iter().filter_map(|c| self.columns.get(c)).map(|c| c.name.as_str()) {
            let meant = nearest(name, binding.names());
            let hint = meant.map_or_else(String::new, |n| format!(", did you mean `{n}`?"));
            mistakes.push(Mistake {
                message: format!("has no column `{}`{hint}", shown(name)),
                help: format!("its columns are {}", list(binding.names())),
            });
        }
        for set in self.target.must {
            let found = |name: &&'static str| self.fields.get(name).is_some_and(|s| s.found(binding));
            if !set.iter().any(found) && mistakes.is_empty() {
                mistakes.push(Mistake {
                    message: format!("has no column for {}", list(set.iter().copied())),
                    help: format!("name it under `[source.options.columns]`; its columns are {}", list(binding.names())),
                });
            }
        }
        mistakes
    }

    /// Mapped columns whose name the file holds more than once.
    pub fn ambiguous(&self, binding: &Binding) -> Vec<Mistake> {
        let used: BTreeSet<usize> = self
            .fields
            .values()
            .flat_map(Source::columns)
            .chain(self.attributes.iter().copied())
            .chain(self.skip.iter().map(|(c, _)| *c))
            .collect();
        let twice = used.into_iter().filter(|c| binding.matches(*c) > 1).filter_map(|c| self.columns.get(c));
        twice
            .map(|c| Mistake {
                message: format!("has several columns called `{}`", shown(&c.name)),
                help: "rename all but one in the file, or map another column".to_owned(),
            })
            .collect()
    }
}
