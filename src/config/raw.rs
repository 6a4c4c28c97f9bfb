//! The file as it is written: which keys there are, of which types, and where. What they mean is judged in `valid`.
//!
//! serde's derive would stop at the first mistake; this reads the parser's own tree of spanned values, so that every one
//! is found.

use jiff::tz::TimeZone;
use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::keys::{self, TOP};
use super::mistake::{Mistakes, nearest, show};
use super::values::{self, ValueError};
use crate::model::facts::Word;

/// Parses a text, adding every fault of its syntax. What is left of it can still be read.
pub(super) fn parse<'t>(text: &'t str, out: &mut Mistakes<'_>) -> DeTable<'t> {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let at = error.span().map_or(0, |s| s.start);
        out.add("syntax", at, show(error.message()), syntax_help(error.message(), text, at));
    }
    table.into_inner()
}

/// The fix of a fault of syntax: mostly a value without quotes.
fn syntax_help(message: &str, text: &str, at: usize) -> &'static str {
    let line_start = text.get(..at).and_then(|t| t.rfind('\n')).map_or(0, |i| i + 1);
    let after_equals = text.get(line_start..at).is_some_and(|t| t.contains('='));
    match message {
        m if m.starts_with("duplicate key") => "keep one of them",
        _ if after_equals => "text, durations and patterns stand in quotes: `max_age = \"8d\"`",
        _ => "write `key = value` below a section, as TOML 1.0 has it",
    }
}

/// One table of the file, with the section whose keys it has.
#[derive(Clone, Copy)]
pub(super) struct Section<'a, 't> {
    name: &'static str,
    /// As messages show it.
    header: &'a str,
    table: &'a DeTable<'t>,
    /// Where it starts, in bytes.
    pub at: usize,
}

impl<'a, 't> Section<'a, 't> {
    /// Opens a table as the section `name` and adds its unknown keys.
    pub fn open(name: &'static str, header: &'a str, table: &'a DeTable<'t>, at: usize, out: &mut Mistakes<'_>) -> Self {
        for (key, _) in table.iter() {
            let text: &str = key.get_ref();
            if keys::find(name, text).is_none() {
                let message = format!("`{}` is not a key of `{header}`", show(text));
                out.add("unknown-key", key.span().start, message, keys::help_for_unknown(name, text));
            }
        }
        Self { name, header, table, at }
    }

    fn value(&self, key: &str) -> Option<&'a Spanned<DeValue<'t>>> {
        self.table.get(key)
    }

    /// Whether the key is there, whatever its value.
    pub fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// Where the key's value stands; without the key: where the section starts.
    pub fn place(&self, key: &str) -> usize {
        self.value(key).map_or(self.at, |v| v.span().start)
    }

    /// Adds a mistake at the key's value.
    pub fn fault(&self, key: &str, code: &'static str, error: ValueError, out: &mut Mistakes<'_>) {
        out.add(code, self.place(key), error.message, error.help);
    }

    /// Adds a mistake where a key that must be there is not.
    pub fn require(&self, key: &'static str, out: &mut Mistakes<'_>) {
        if !self.has(key) {
            let doc = keys::find(self.name, key).map_or("", |k| k.doc);
            out.add("missing-key", self.at, format!("`{}` has no `{key}`", self.header), format!("add `{key} = …`: {doc}"));
        }
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'t>>, out: &mut Mistakes<'_>) {
        out.add("wrong-type", value.span().start, format!("`{key}` is {}", described(value.get_ref())), self.takes(key));
    }

    /// The help that says what a key takes.
    fn takes(&self, key: &str) -> String {
        format!("`{key}` takes: {}", keys::find(self.name, key).map_or("", |k| k.kind))
    }

    /// A text with something in it.
    pub fn text(&self, key: &str, out: &mut Mistakes<'_>) -> Option<Spanned<&'a str>> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::String(text) => self.filled(key, text, value, out),
            _ => {
                self.wrong_type(key, value, out);
                None
            }
        }
    }

    fn filled(&self, key: &str, text: &'a str, value: &Spanned<DeValue<'t>>, out: &mut Mistakes<'_>) -> Option<Spanned<&'a str>> {
        if text.trim().is_empty() {
            out.add("blank", value.span().start, format!("`{key}` is blank"), self.fill_in(key));
            return None;
        }
        Some(Spanned::new(value.span(), text))
    }

    /// The help for a value with nothing in it.
    fn fill_in(&self, key: &str) -> &'static str {
        let required = keys::find(self.name, key).is_some_and(|k| k.default == "required");
        if required { "state it" } else { "state it, or leave the key out" }
    }

    /// A text, owned.
    pub fn string(&self, key: &str, out: &mut Mistakes<'_>) -> Option<String> {
        self.text(key, out).map(|t| (*t.get_ref()).to_owned())
    }

    /// A text, or a date or time that stands without quotes, as text.
    pub fn moment(&self, key: &str, out: &mut Mistakes<'_>) -> Option<String> {
        match self.value(key)?.get_ref() {
            DeValue::Datetime(at) => Some(at.to_string()),
            _ => self.string(key, out),
        }
    }

    /// A list of texts; one text where `single` allows it.
    pub fn texts(&self, key: &str, single: bool, out: &mut Mistakes<'_>) -> Option<Vec<Spanned<&'a str>>> {
        let value = self.value(key)?;
        let list = match value.get_ref() {
            DeValue::Array(list) => list,
            DeValue::String(_) if single => return self.text(key, out).map(|t| vec![t]),
            _ => {
                self.wrong_type(key, value, out);
                return None;
            }
        };
        if list.is_empty() {
            out.add("blank", value.span().start, format!("`{key}` is an empty list"), self.fill_in(key));
            return None;
        }
        let mut texts = Vec::new();
        for item in list.iter() {
            match item.get_ref() {
                DeValue::String(text) => texts.extend(self.filled(key, text, item, out)),
                _ => self.wrong_type(key, item, out),
            }
        }
        Some(texts)
    }

    pub fn boolean(&self, key: &str, out: &mut Mistakes<'_>) -> Option<bool> {
        let value = self.value(key)?;
        if value.get_ref().as_bool().is_none() {
            self.wrong_type(key, value, out);
        }
        value.get_ref().as_bool()
    }

    /// A whole number, 0 or more.
    pub fn count(&self, key: &str, out: &mut Mistakes<'_>) -> Option<u64> {
        let value = self.value(key)?;
        let DeValue::Integer(number) = value.get_ref() else {
            self.wrong_type(key, value, out);
            return None;
        };
        let parsed = u64::from_str_radix(number.as_str(), number.radix()).ok();
        if parsed.is_none() {
            out.add("bad-number", value.span().start, format!("`{key}` is `{number}`"), "write a whole number, 0 or more");
        }
        parsed
    }

    /// A number from 0 to 1; 0 itself only where `zero` allows it.
    pub fn share(&self, key: &str, zero: bool, out: &mut Mistakes<'_>) -> Option<f64> {
        let value = self.value(key)?;
        let number = match value.get_ref() {
            DeValue::Float(f) => f.as_str().parse::<f64>().ok(),
            DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix()).ok().map(|i| i as f64),
            _ => {
                self.wrong_type(key, value, out);
                return None;
            }
        };
        let inside = number.filter(|n| (0.0..=1.0).contains(n) && (zero || *n > 0.0));
        if inside.is_none() {
            let help =
                if zero { "write a number from 0 to 1, such as `0.10`" } else { "write a number above 0 and at most 1, such as `0.9`" };
            let shown = number.map_or_else(|| "no number".to_owned(), |n| format!("`{n}`"));
            out.add("bad-number", value.span().start, format!("`{key}` is {shown}"), help);
        }
        inside
    }

    /// A duration, in microseconds.
    pub fn duration(&self, key: &str, out: &mut Mistakes<'_>) -> Option<i64> {
        let text = self.text(key, out)?;
        values::duration(text.get_ref()).map_err(|e| self.fault(key, "bad-duration", e, out)).ok()
    }

    /// A time zone of the bundled database.
    pub fn zone(&self, key: &str, out: &mut Mistakes<'_>) -> Option<TimeZone> {
        let text = *self.text(key, out)?.get_ref();
        let zone = TimeZone::get(text).ok();
        if zone.is_none() {
            let names: Vec<String> = jiff::tz::db().available().map(|n| n.to_string()).collect();
            let near = nearest(text, names.iter().map(String::as_str));
            let help = near.map_or_else(
                || "name a zone of the IANA database, such as `Europe/Berlin` or `UTC`".to_owned(),
                |n| format!("did you mean `{n}`?"),
            );
            out.add("unknown-timezone", self.place(key), format!("`{}` is not a time zone", show(text)), help);
        }
        zone
    }

    /// A word of a closed set.
    pub fn word<W: Word>(&self, key: &str, out: &mut Mistakes<'_>) -> Option<W> {
        let text = self.text(key, out)?;
        self.word_of(key, &text, out)
    }

    /// Words of a closed set.
    pub fn words<W: Word>(&self, key: &str, out: &mut Mistakes<'_>) -> Option<Vec<W>> {
        let texts = self.texts(key, false, out)?;
        Some(texts.iter().filter_map(|t| self.word_of(key, t, out)).collect())
    }

    fn word_of<W: Word>(&self, key: &str, text: &Spanned<&str>, out: &mut Mistakes<'_>) -> Option<W> {
        let found = W::parse(text.get_ref());
        if found.is_none() {
            let near = nearest(text.get_ref(), W::ALL.iter().map(|w| w.as_str()));
            let help = near.map_or_else(|| self.takes(key), |n| format!("did you mean `{n}`?"));
            out.add("unknown-word", text.span().start, format!("`{}` is not a value of `{key}`", show(text.get_ref())), help);
        }
        found
    }

    /// A table, with its place.
    pub fn table(&self, key: &str, out: &mut Mistakes<'_>) -> Option<(&'a DeTable<'t>, usize)> {
        let value = self.value(key)?;
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(key, value, out);
        }
        table.map(|t| (t, value.span().start))
    }

    /// A list of tables, with their places.
    pub fn tables(&self, key: &str, out: &mut Mistakes<'_>) -> Vec<(&'a DeTable<'t>, usize)> {
        self.value(key).map_or_else(Vec::new, |value| list_of_tables(key, value, &format!("[[{}.{key}]]", self.name), out))
    }
}

fn list_of_tables<'a, 't>(
    key: &str,
    value: &'a Spanned<DeValue<'t>>,
    header: &str,
    out: &mut Mistakes<'_>,
) -> Vec<(&'a DeTable<'t>, usize)> {
    let help = format!("write `{header}`");
    let Some(list) = value.get_ref().as_array() else {
        out.add("wrong-type", value.span().start, format!("`{key}` is {}", described(value.get_ref())), help);
        return Vec::new();
    };
    let mut tables = Vec::new();
    for item in list.iter() {
        match item.get_ref() {
            DeValue::Table(table) => tables.push((table, item.span().start)),
            other => out.add("wrong-type", item.span().start, format!("`{key}` holds {}", described(other)), help.clone()),
        }
    }
    tables
}

/// The sections at the top of the file. Adds what is none.
pub(super) struct Top<'a, 't> {
    table: &'a DeTable<'t>,
}

impl<'a, 't> Top<'a, 't> {
    pub fn open(table: &'a DeTable<'t>, out: &mut Mistakes<'_>) -> Self {
        for (key, value) in table.iter() {
            let text: &str = key.get_ref();
            match TOP.iter().find(|(top, _)| *top == text) {
                None => {
                    let message = format!("`{}` is not a section of the configuration", show(text));
                    out.add("unknown-key", key.span().start, message, keys::help_for_unknown_section(text));
                }
                Some((_, false)) if !value.get_ref().is_table() => {
                    let message = format!("`{text}` is {}", described(value.get_ref()));
                    out.add("wrong-type", value.span().start, message, format!("write `[{text}]`"));
                }
                Some(_) => {}
            }
        }
        Self { table }
    }

    /// A section that is one table.
    pub fn one(&self, name: &'static str, header: &'a str, out: &mut Mistakes<'_>) -> Option<Section<'a, 't>> {
        let (table, at) = self.any(name)?;
        Some(Section::open(name, header, table, at, out))
    }

    /// The table of that name, its keys not looked at.
    pub fn any(&self, name: &str) -> Option<(&'a DeTable<'t>, usize)> {
        let value = self.table.get(name)?;
        value.get_ref().as_table().map(|t| (t, value.span().start))
    }

    /// A section that is a list of tables.
    pub fn many(&self, name: &'static str, header: &'a str, out: &mut Mistakes<'_>) -> Vec<Section<'a, 't>> {
        let Some(value) = self.table.get(name) else { return Vec::new() };
        let tables = list_of_tables(name, value, header, out);
        tables.into_iter().map(|(table, at)| Section::open(name, header, table, at, out)).collect()
    }
}

/// A value of the parser's tree as an ordinary one.
pub(super) fn plain(value: &Spanned<DeValue<'_>>) -> Option<toml::Value> {
    toml::Value::deserialize(ValueDeserializer::from(value.clone())).ok()
}

/// What a value is, with its article.
fn described(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
