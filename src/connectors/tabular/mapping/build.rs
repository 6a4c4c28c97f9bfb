//! A plan out of options: built-in mapping below, the source's own above, everything checked against the table.

use std::collections::{BTreeMap, BTreeSet};

use globset::{GlobBuilder, GlobMatcher};
use toml::{Table, Value};

use super::options::{OneOrMany, Raw};
use super::{ByField, From, Mistake, Piece, Plan, Source, ValueMap};
use crate::connectors::Context;
use crate::connectors::tabular::builtin;
use crate::connectors::tabular::dates::{Dates, Form, NEVER, NOT_APPLICABLE, UNKNOWN};
use crate::connectors::tabular::decode::Encoding;
use crate::connectors::tabular::delimited::delimiter;
use crate::connectors::tabular::fields::{Into, Kind, TARGETS, Target};
use crate::connectors::tabular::names::{list, looks_secret, nearest, shown};
use crate::connectors::tabular::records::ColumnRef;
use crate::connectors::tabular::sniff::Format;
use crate::model::text::norm;

/// A plan under construction.
pub struct Build<'a> {
    target: &'static Target,
    columns: Vec<ColumnRef>,
    fields: ByField<Source>,
    mistakes: &'a mut Vec<Mistake>,
}

impl<'a> Build<'a> {
    /// The plan of one table of options. `None` where it is not even known what is read; mistakes are added either way.
    pub fn plan(options: &Table, context: &Context, mistakes: &'a mut Vec<Mistake>) -> Option<Plan> {
        let mut raw = Raw::read(options, mistakes);
        let base = base(options, mistakes)?;
        let base_columns = base.as_ref().map(|b| b.columns.clone()).unwrap_or_default();
        if let Some(base) = base {
            raw = raw.over(base);
        }
        let target = target(raw.table.as_deref(), mistakes)?;
        let mut build = Self { target, columns: Vec::new(), fields: ByField::default(), mistakes };
        build.map_columns(&base_columns, &raw);
        build.map_key(raw.key.clone());
        build.check_must();
        build.check_context(context);
        let attributes = build.attributes(&raw.attributes);
        let skip = build.skip(raw.skip_where);
        let values = build.values(raw.values);
        let required = build.required(&raw.required);
        let dates = build.dates(context, raw.dates.unwrap_or_default(), [raw.never, raw.unknown, raw.not_applicable]);
        let [yes, no] = build.truths(raw.yes, raw.no);
        Some(Plan {
            files: raw.files.and_then(|g| build.glob(&g)),
            target,
            format: raw.format.and_then(|f| build.one_of("format", &f, Format::NAMES, Format::parse)),
            encoding: raw.encoding.and_then(|e| build.one_of("encoding", &e, Encoding::NAMES, Encoding::parse)),
            delimiter: raw.delimiter.and_then(|d| build.delimiter(&d)),
            records: raw.records.map(|r| if r == "." { Vec::new() } else { r.split('.').map(str::to_owned).collect() }),
            header: raw.header,
            columns: build.columns,
            fields: build.fields,
            attributes,
            values,
            skip,
            required,
            dates,
            yes,
            no,
        })
    }

    fn wrong(&mut self, message: impl std::convert::Into<String>, help: impl std::convert::Into<String>) {
        self.mistakes.push(Mistake { message: message.into(), help: help.into() });
    }

    fn column(&mut self, name: &str, loose: bool) -> usize {
        let wanted = ColumnRef { name: name.trim().to_owned(), loose };
        if let Some(at) = self.columns.iter().position(|c| *c == wanted) {
            return at;
        }
        self.columns.push(wanted);
        self.columns.len() - 1
    }

    /// Maps the built-in columns, then the source's own over them.
    fn map_columns(&mut self, base: &Table, raw: &Raw) {
        for (name, value) in base {
            self.map(name, value, true, true);
        }
        for (name, value) in &raw.columns {
            self.map(name, value, raw.loose.unwrap_or(false), false);
        }
    }

    fn map(&mut self, name: &str, value: &Value, loose: bool, optional: bool) {
        let Some(field) = self.target.field(name) else {
            let names = || self.target.fields.iter().map(|f| f.name);
            let meant = nearest(name, names()).map_or_else(String::new, |n| format!(", did you mean `{n}`?"));
            let (message, help) =
                (format!("`{}` is no field of `{}`{meant}", shown(name), self.target.name), format!("its fields are {}", list(names())));
            return self.wrong(message, help);
        };
        match self.source(value, loose) {
            Ok(mut source) => {
                source.optional = source.optional || optional;
                self.check_secret(field.name, field.kind, &source);
                self.fields.insert(field.name, source);
            }
            Err(why) => self.wrong(
                format!("`columns.{name}` {why}"),
                "write a column name, a list of names (the first that is not blank), or `{ column = \"…\", split = \";\", optional = true }`, \
                 `{ const = \"…\" }`, `{ template = \"{Given} {Family}\" }`",
            ),
        }
    }

    fn source(&mut self, value: &Value, loose: bool) -> Result<Source, String> {
        let plain = |from| Source { from, split: None, optional: false };
        let Value::Table(table) = value else {
            return self.first(value, loose).map(plain);
        };
        if let Some(key) = table.keys().find(|k| !["column", "const", "template", "split", "optional"].contains(&k.as_str())) {
            return Err(format!("has an unknown key `{}`", shown(key)));
        }
        let from = match (table.get("column"), table.get("const"), table.get("template")) {
            (Some(column), None, None) => self.first(column, loose)?,
            (None, Some(Value::String(text)), None) => From::Const(text.clone()),
            (None, None, Some(Value::String(text))) => From::Template(self.template(text, loose)?),
            _ => return Err("needs exactly one of `column`, `const` and `template`, as text".to_owned()),
        };
        let split = match table.get("split") {
            None => None,
            Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
            Some(_) => return Err("has a `split` that is no text".to_owned()),
        };
        let optional = match table.get("optional") {
            None => false,
            Some(Value::Boolean(b)) => *b,
            Some(_) => return Err("has an `optional` that is neither true nor false".to_owned()),
        };
        Ok(Source { from, split, optional })
    }

    fn first(&mut self, value: &Value, loose: bool) -> Result<From, String> {
        let names: Vec<&str> = match value {
            Value::String(one) => vec![one],
            Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let whole = value.as_array().is_none_or(|a| a.len() == names.len());
        if names.is_empty() || !whole || names.iter().any(|n| n.trim().is_empty()) {
            return Err("names no column".to_owned());
        }
        Ok(From::First(names.iter().map(|n| self.column(n, loose)).collect()))
    }

    fn template(&mut self, text: &str, loose: bool) -> Result<Vec<Piece>, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or("has a `{` without its `}`")?;
            if name.trim().is_empty() {
                return Err("has `{}` without a column".to_owned());
            }
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Column(self.column(name, loose)));
            rest = after;
        }
        if pieces.is_empty() {
            return Err("is a template without a column: use `const`".to_owned());
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(pieces)
    }

    /// A column that is named like a secret goes nowhere but into a fingerprint. What a word or a date keeps is no secret,
    /// but a status keeps its own word.
    fn check_secret(&mut self, field: &str, kind: Kind, source: &Source) {
        let keeps = matches!(kind, Kind::Text | Kind::List) || field == "status";
        let secret = source.columns().into_iter().filter_map(|c| self.columns.get(c)).find(|c| keeps && looks_secret(&c.name));
        if let Some(name) = secret.map(|c| c.name.clone()) {
            self.wrong(
                format!("`{}` looks like a column of secrets and is mapped to `{field}`", shown(&name)),
                "leave it out; only `secret` of `credentials` and `accounts` may read it, and keeps a fingerprint",
            );
        }
    }

    fn map_key(&mut self, key: Option<OneOrMany>) {
        let Some(names) = key.map(OneOrMany::all) else { return };
        let Some(field) = self.target.must.first().and_then(|set| set.first()).filter(|f| **f == "native_id") else {
            return self.wrong(format!("`key` has no meaning for `{}`", self.target.name), "map the field that names its rows");
        };
        if names.is_empty() || names.iter().any(|n| n.trim().is_empty()) {
            return self.wrong("`key` names no column", "name the column, or the columns, that tell records apart");
        }
        let mut pieces = Vec::new();
        for (i, name) in names.iter().enumerate() {
            pieces.push(Piece::Text(if i == 0 { "" } else { "/" }.to_owned()));
            pieces.push(Piece::Column(self.column(name, false)));
        }
        let source = Source { from: From::Template(pieces), split: None, optional: false };
        self.check_secret(field, Kind::Text, &source);
        if self.fields.get(field).is_some_and(|s| !s.optional) {
            return self.wrong("`key` and `columns.native_id` both name the rows", "keep one of them");
        }
        self.fields.insert(field, source);
    }

    fn check_must(&mut self) {
        for set in self.target.must {
            if !set.iter().any(|name| self.fields.contains_key(name)) {
                self.wrong(
                    format!("a mapping to `{}` needs a column for {}", self.target.name, list(set.iter().copied())),
                    "name it under `[source.options.columns]`",
                );
            }
        }
    }

    fn check_context(&mut self, context: &Context) {
        if self.target.table == Into::Identities && context.population.is_none() {
            self.wrong(
                "a list of people does not say whom it holds",
                "say `population = \"all\"` or `population = \"active-only\"` in the source",
            );
        }
    }

    fn attributes(&mut self, names: &[String]) -> Vec<usize> {
        let places: BTreeSet<&str> = ["identities", "accounts", "groups", "entitlements", "resources"].into();
        if !names.is_empty() && !places.contains(self.target.name) {
            self.wrong(format!("`{}` keeps no attributes", self.target.name), format!("tables that do: {}", list(places)));
        }
        for name in names.iter().filter(|n| looks_secret(n)) {
            self.wrong(format!("`{}` looks like a column of secrets and is listed in `attributes`", shown(name)), "leave it out");
        }
        names.iter().map(|n| self.column(n, false)).collect()
    }

    fn skip(&mut self, skip: BTreeMap<String, OneOrMany>) -> Vec<(usize, BTreeSet<String>)> {
        let texts = |v: OneOrMany| v.all().iter().map(|t| norm(t).unwrap_or_default()).collect();
        skip.into_iter().map(|(name, values)| (self.column(&name, false), texts(values))).collect()
    }

    fn values(&mut self, raw: BTreeMap<String, BTreeMap<String, String>>) -> ByField<ValueMap> {
        let mut maps = ByField::default();
        for (name, words) in raw {
            let Some(field) = self.target.field(&name) else {
                let names = self.target.fields.iter().map(|f| f.name);
                let help = format!("its fields are {}", list(names));
                self.wrong(format!("`values.{}` names no field of `{}`", shown(&name), self.target.name), help);
                continue;
            };
            let mut map = ValueMap::default();
            for (from, to) in words {
                if let Some(set) = field.kind.words().filter(|set| !set.contains(&to.as_str())) {
                    let meant = nearest(&to, set.iter().copied()).map_or_else(String::new, |n| format!(", did you mean `{n}`?"));
                    self.wrong(format!("`values.{name}` leads to `{}`{meant}", shown(&to)), format!("`{name}` is one of {}", list(set)));
                }
                map.add(&from, to);
            }
            maps.insert(field.name, map);
        }
        maps
    }

    fn required(&mut self, names: &[String]) -> Vec<&'static str> {
        let mut found = Vec::new();
        for name in names {
            match self.target.field(name).filter(|f| self.fields.contains_key(f.name)) {
                Some(field) => found.push(field.name),
                None => {
                    self.wrong(format!("`required` names `{}`, which is not mapped", shown(name)), "`required` lists fields, not columns")
                }
            }
        }
        found
    }

    fn dates(&mut self, context: &Context, texts: Vec<String>, words: [Option<Vec<String>>; 3]) -> Dates {
        let mut forms: Vec<Form> = Vec::new();
        for text in &texts {
            match Form::parse(text) {
                Ok(form) => forms.push(form),
                Err(why) => self.wrong(format!("`dates`: {why}"), "write a pattern such as `%m/%d/%Y` or `%d.%m.%Y`"),
            }
        }
        for (i, form) in forms.iter().enumerate() {
            if let Some(other) = forms.iter().skip(i + 1).find(|o| form.clashes(o)) {
                self.wrong(
                    format!("`dates`: {} and {} read one text as two days", spelt(form), spelt(other)),
                    "keep the one that the export uses",
                );
            }
        }
        let [never, unknown, not_applicable] = words;
        let set = |given: Option<Vec<String>>, own: &[&str]| match given {
            Some(words) => words.iter().filter_map(|w| norm(w)).collect(),
            None => own.iter().filter_map(|w| norm(w)).collect(),
        };
        // A word that the operator lists as never is not at the same time one of the usual words for something else.
        let never_given: BTreeSet<String> = never.iter().flatten().filter_map(|w| norm(w)).collect();
        let without = |set: BTreeSet<String>| set.difference(&never_given).cloned().collect();
        Dates {
            forms,
            zone: context.timezone.clone(),
            end_is_last_day: context.end_is_last_day,
            never: set(never, NEVER),
            unknown: without(set(unknown, UNKNOWN)),
            not_applicable: without(set(not_applicable, NOT_APPLICABLE)),
        }
    }

    fn truths(&mut self, yes: Option<Vec<String>>, no: Option<Vec<String>>) -> [BTreeSet<String>; 2] {
        let set = |given: Option<Vec<String>>, own: &[&str]| -> BTreeSet<String> {
            let own = || own.iter().map(|w| (*w).to_owned()).collect();
            given.unwrap_or_else(own).iter().filter_map(|w| norm(w)).collect()
        };
        let (yes, no) = (set(yes, &["true", "yes", "y", "t", "1", "on", "x"]), set(no, &["false", "no", "n", "f", "0", "off"]));
        if let Some(both) = yes.intersection(&no).next() {
            self.wrong(format!("`{}` is both `true` and `false`", shown(both)), "list it under one of them");
        }
        [yes, no]
    }

    fn glob(&mut self, text: &str) -> Option<GlobMatcher> {
        let glob = GlobBuilder::new(text).literal_separator(true).build().ok();
        if glob.is_none() {
            self.wrong(format!("`files` is no pattern: `{}`", shown(text)), "use `*`, `?`, `[…]` and `**`");
        }
        glob.map(|g| g.compile_matcher())
    }

    fn delimiter(&mut self, text: &str) -> Option<u8> {
        delimiter(text).map_err(|why| self.wrong(format!("`delimiter` {why}"), "leave it out to have it found")).ok()
    }

    fn one_of<T>(&mut self, key: &str, text: &str, all: &[(&'static str, T)], parse: fn(&str) -> Option<T>) -> Option<T> {
        let found = parse(text);
        if found.is_none() {
            self.wrong(format!("`{key}` is `{}`", shown(text)), format!("one of {}", list(all.iter().map(|(n, _)| *n))));
        }
        found
    }
}

fn spelt(form: &Form) -> String {
    match form {
        Form::Pattern(pattern) => format!("`{pattern}`"),
        other => format!("{other:?}"),
    }
}

/// The built-in mapping that the options name, if they name one. A wrong name is a mistake and ends the plan (`None`).
fn base(options: &Table, mistakes: &mut Vec<Mistake>) -> Option<Option<Raw>> {
    let Some(name) = options.get("mapping") else { return Some(None) };
    let names = || builtin::MAPPINGS.iter().map(|(n, _)| *n);
    let Some(text) = name.as_str().and_then(builtin::text) else {
        let shown = name.as_str().map_or_else(|| name.to_string(), shown);
        mistakes.push(Mistake {
            message: format!("`{shown}` is no built-in mapping"),
            help: format!("one of {}, or `table` with `columns`", list(names())),
        });
        return None;
    };
    if options.contains_key("table") {
        mistakes.push(Mistake { message: "`mapping` and `table` both say what is read".into(), help: "keep one of them".into() });
    }
    match text.parse::<Table>() {
        Ok(table) => Some(Some(Raw::read(&table, mistakes))),
        Err(e) => {
            mistakes.push(Mistake { message: format!("the built-in mapping cannot be read: {}", e.message()), help: "report this".into() });
            None
        }
    }
}

fn target(name: Option<&str>, mistakes: &mut Vec<Mistake>) -> Option<&'static Target> {
    let names = || TARGETS.iter().map(|t| t.name);
    let found = name.and_then(Target::named);
    if found.is_none() {
        let message = match name {
            Some(name) => format!(
                "`{}` is no table{}",
                shown(name),
                nearest(name, names()).map_or_else(String::new, |n| format!(", did you mean `{n}`?"))
            ),
            None => "the options name neither a `mapping` nor a `table`".to_owned(),
        };
        let mappings = list(builtin::MAPPINGS.iter().map(|(n, _)| *n));
        mistakes.push(Mistake { message, help: format!("`mapping` is one of {mappings}; `table` is one of {}", list(names())) });
    }
    found
}
