//! What every format comes down to: a header where there is one, and records whose cells are found by name.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::lot::Lot;
use super::names::fold;
pub use crate::connectors::Fault;
use crate::connectors::{ConnectorError, InputError};
use crate::model::RecordUnit;

/// What ends the reading of a file.
#[derive(Debug)]
pub enum Halt {
    /// Nothing of the file can be trusted.
    File(InputError),
    /// The source's options do not fit the file.
    Options { message: String, help: String },
}

impl From<InputError> for Halt {
    fn from(e: InputError) -> Self {
        Self::File(e)
    }
}

impl Halt {
    /// The same, naming the file.
    pub fn of(self, file: &str) -> ConnectorError {
        match self {
            Self::File(error) => ConnectorError::File { file: file.to_owned(), error },
            Self::Options { message, help } => ConnectorError::Options { message: format!("`{file}`: {message}"), help },
        }
    }
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub unit: RecordUnit,
    /// Line or record, from 1.
    pub number: u64,
    /// Byte offset in the decompressed file, where the file is UTF-8.
    pub offset: Option<u64>,
}

/// One cell of a row whose columns have types.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Null,
    Text(String),
    List(Vec<String>),
    /// A type that no field takes.
    Other(&'static str),
}

/// The cells of one record of text, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    text: String,
    ends: Vec<usize>,
}

impl Texts {
    /// Cells of `bytes` that end at `ends`; both are left empty. `None` where a cell is no UTF-8.
    pub fn of(bytes: &mut Vec<u8>, ends: &mut Vec<usize>) -> Option<Self> {
        let text = String::from_utf8(std::mem::take(bytes)).ok()?;
        ends.iter().all(|end| text.is_char_boundary(*end)).then(|| Self { text, ends: std::mem::take(ends) })
    }

    /// Gives its memory back to be filled again.
    pub fn reuse(self, bytes: &mut Vec<u8>, ends: &mut Vec<usize>) {
        (*bytes, *ends) = (self.text.into_bytes(), self.ends);
        bytes.clear();
        ends.clear();
    }

    /// One cell.
    pub fn get(&self, at: usize) -> Option<&str> {
        let from = if at == 0 { 0 } else { *self.ends.get(at - 1)? };
        self.text.get(from..*self.ends.get(at)?)
    }

    /// All cells.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).filter_map(|at| self.get(at))
    }
}

/// The cells of one record.
#[derive(Clone, Copy, Debug)]
pub enum Cells<'a> {
    Text(&'a Texts),
    Typed(&'a [Cell]),
    Tree(&'a Value),
}

/// Takes what a reader finds. One file makes at most one call of `header`, before its records.
pub trait Sink {
    /// The columns of the file.
    ///
    /// # Errors
    /// The mapping names a column that is not there.
    fn header(&mut self, names: &[String]) -> Result<(), Halt>;
    /// One record.
    ///
    /// # Errors
    /// The source's options do not fit it.
    fn record(&mut self, place: Place, cells: Cells<'_>) -> Result<(), Halt>;
    /// A record that could not be split into cells. `text` is its raw text, for the excerpt.
    fn bad(&mut self, place: Place, fault: Fault, text: Option<&str>);
    /// The file is incomplete.
    fn short(&mut self, why: String);
    /// What makes of records whatever needs no other record, once the header is known; `None` where that is not worth while.
    fn maker(&self) -> Option<Arc<dyn Maker>> {
        None
    }
    /// What a maker made of some records.
    fn made(&mut self, lot: Lot) {
        let _ = lot;
    }
}

/// Reads records on any thread.
pub trait Maker: Send + Sync {
    /// Adds one record to a lot.
    ///
    /// # Errors
    /// The source's options do not fit it.
    fn make(&self, place: Place, cells: &Texts, lot: &mut Lot) -> Result<(), Halt>;
}

/// The value of one cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Raw<'a> {
    Null,
    Text(Cow<'a, str>),
    List(Vec<String>),
    /// Why it cannot be read as text.
    Unreadable(&'static str),
}

/// One step of a path into a JSON record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Key(String),
    At(usize),
    /// `[]`: every element.
    All,
}

/// Reads a path: `a.b[0].c`, or `a[].b` for the `b` of every `a`. Text that is no path is one key.
pub fn path(text: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for part in text.split('.') {
        let (key, indexes) = part.split_once('[').unwrap_or((part, ""));
        let step = |n: &str| if n.is_empty() { Some(Step::All) } else { n.parse().ok().map(Step::At) };
        let inner: Option<Vec<Step>> = match indexes.strip_suffix(']') {
            Some(inner) => inner.split("][").map(step).collect(),
            None => indexes.is_empty().then(Vec::new),
        };
        let Some(inner) = inner.filter(|_| !key.is_empty()) else { return vec![Step::Key(text.to_owned())] };
        steps.push(Step::Key(key.to_owned()));
        steps.extend(inner);
    }
    steps
}

/// Follows a path. A list of one that was written without its brackets counts as a list.
fn follow<'a>(value: &'a Value, steps: &[Step]) -> Option<&'a Value> {
    let mut at = value;
    for step in steps {
        at = match (step, at) {
            (Step::Key(key), Value::Object(map)) => map.get(key)?,
            (Step::Key(key), Value::Array(one)) if one.len() == 1 => one.first()?.get(key)?,
            (Step::At(i), Value::Array(list)) => list.get(*i)?,
            (Step::At(0), other) => other,
            _ => return None,
        };
    }
    Some(at)
}

/// What a path with `[]` leads to, in order; an element that lacks the rest of the path gives nothing.
fn follow_all<'a>(value: &'a Value, steps: &[Step]) -> Vec<&'a Value> {
    let Some(at) = steps.iter().position(|s| *s == Step::All) else { return follow(value, steps).into_iter().collect() };
    let (before, after) = (steps.get(..at).unwrap_or_default(), steps.get(at + 1..).unwrap_or_default());
    let elements: Vec<&Value> = match follow(value, before) {
        None => Vec::new(),
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
    };
    elements.into_iter().flat_map(|e| follow_all(e, after)).collect()
}

/// The texts at the end of a path with `[]`, as one cell.
fn every(value: &Value, steps: &[Step]) -> Raw<'static> {
    let mut texts = Vec::new();
    for found in follow_all(value, steps) {
        match cell(found) {
            Raw::Null => {}
            Raw::Text(text) => texts.push(text.into_owned()),
            Raw::List(list) => texts.extend(list),
            Raw::Unreadable(what) => return Raw::Unreadable(what),
        }
    }
    Raw::List(texts)
}

/// The keys that ServiceNow wraps a value in.
const WRAPPERS: &[&str] = &["value", "display_value", "link"];

/// A JSON value as a cell.
fn cell(value: &Value) -> Raw<'_> {
    match value {
        Value::Null => Raw::Null,
        Value::String(text) => Raw::Text(Cow::Borrowed(text)),
        Value::Bool(b) => Raw::Text(Cow::Borrowed(if *b { "true" } else { "false" })),
        Value::Number(n) if n.as_f64().is_some_and(|f| n.is_f64() && f.fract() == 0.0 && f.abs() >= 9_007_199_254_740_992.0) => {
            Raw::Unreadable("a number too long to be read exactly")
        }
        Value::Number(n) => Raw::Text(Cow::Owned(n.to_string())),
        Value::Object(map) if map.contains_key("value") && map.keys().all(|k| WRAPPERS.contains(&k.as_str())) => {
            map.get("value").filter(|v| !v.is_object()).map_or(Raw::Unreadable("an object"), cell)
        }
        Value::Object(_) => Raw::Unreadable("an object"),
        Value::Array(list) => {
            let mut texts = Vec::with_capacity(list.len());
            for item in list {
                match cell(item) {
                    Raw::Null => {}
                    Raw::Text(text) => texts.push(text.into_owned()),
                    Raw::List(_) => return Raw::Unreadable("a list of lists"),
                    Raw::Unreadable(what) => return Raw::Unreadable(if what == "an object" { "a list of objects" } else { what }),
                }
            }
            Raw::List(texts)
        }
    }
}

/// A column that the mapping names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnRef {
    pub name: String,
    /// Compared by [`fold`] instead of letter by letter.
    pub loose: bool,
}

/// Where the columns of a mapping stand in one file.
#[derive(Debug)]
pub struct Binding {
    /// One for each column of the mapping.
    spots: Vec<Spot>,
    /// Columns of the file, as far as they are known.
    seen: BTreeSet<String>,
}

/// Where one column of the mapping stands.
#[derive(Debug, Default)]
struct Spot {
    /// Positions in a row.
    positions: Vec<usize>,
    /// Top-level keys of a JSON record that the name matches.
    keys: Vec<String>,
    path: Vec<Step>,
    found: bool,
}

/// Most distinct keys of a JSON file that are remembered for messages.
const MOST_KEYS: usize = 4_096;

impl Binding {
    /// For a file with a header.
    pub fn row(columns: &[ColumnRef], header: &[String]) -> Self {
        let spots = columns.iter().map(|c| {
            let positions: Vec<usize> = header.iter().enumerate().filter(|(_, h)| c.is(h)).map(|(i, _)| i).collect();
            Spot { found: !positions.is_empty(), positions, ..Spot::default() }
        });
        Self { spots: spots.collect(), seen: header.iter().cloned().collect() }
    }

    /// For a file whose records name their own columns.
    pub fn tree(columns: &[ColumnRef]) -> Self {
        let spots = columns.iter().map(|c| Spot { path: path(&c.name), ..Spot::default() });
        Self { spots: spots.collect(), seen: BTreeSet::new() }
    }

    /// Learns the keys of a JSON record; gives back those that no earlier record has.
    pub fn learn<'a>(&mut self, columns: &[ColumnRef], record: &'a Value) -> Vec<&'a str> {
        let mut new = Vec::new();
        let Value::Object(map) = record else { return new };
        for key in map.keys() {
            if self.seen.contains(key) || self.seen.len() >= MOST_KEYS {
                continue;
            }
            self.seen.insert(key.clone());
            new.push(key.as_str());
            for (column, spot) in columns.iter().zip(&mut self.spots) {
                if column.is(key) {
                    spot.keys.push(key.clone());
                    spot.found = true;
                }
            }
        }
        for spot in &mut self.spots {
            spot.found = spot.found || (spot.path.len() > 1 && !follow_all(record, &spot.path).is_empty());
        }
        new
    }

    /// Whether the column occurs.
    pub fn found(&self, column: usize) -> bool {
        self.spots.get(column).is_some_and(|s| s.found)
    }

    /// How many columns of the file the name matches.
    pub fn matches(&self, column: usize) -> usize {
        self.spots.get(column).map_or(0, |s| s.positions.len().max(s.keys.len()))
    }

    /// Columns of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.seen.iter().map(String::as_str)
    }

    /// The cell of a column in one record.
    pub fn get<'a>(&self, cells: &Cells<'a>, column: usize) -> Raw<'a> {
        let Some(spot) = self.spots.get(column) else { return Raw::Null };
        match cells {
            Cells::Text(row) => spot.positions.first().and_then(|i| row.get(*i)).map_or(Raw::Null, |t| Raw::Text(Cow::Borrowed(t))),
            Cells::Typed(row) => match spot.positions.first().and_then(|i| row.get(*i)) {
                None | Some(Cell::Null) => Raw::Null,
                Some(Cell::Text(text)) => Raw::Text(Cow::Borrowed(text)),
                Some(Cell::List(list)) => Raw::List(list.clone()),
                Some(Cell::Other(what)) => Raw::Unreadable(what),
            },
            Cells::Tree(value) => {
                let whole = spot.keys.iter().find_map(|k| value.get(k));
                if whole.is_none() && spot.path.contains(&Step::All) {
                    return every(value, &spot.path);
                }
                whole.or_else(|| if spot.path.len() > 1 { follow(value, &spot.path) } else { None }).map_or(Raw::Null, cell)
            }
        }
    }
}

impl ColumnRef {
    fn is(&self, header: &str) -> bool {
        if self.loose { fold(&self.name) == fold(header) } else { self.name == header }
    }
}

/// Names that a header holds more than once, with how often.
pub fn repeated(header: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for name in header {
        *counts.entry(name.as_str()).or_insert(0) += 1;
    }
    counts.retain(|_, n| *n > 1);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn get(record: &Value, name: &str) -> Option<String> {
        let columns = [ColumnRef { name: name.into(), loose: false }];
        let mut binding = Binding::tree(&columns);
        binding.learn(&columns, record);
        match binding.get(&Cells::Tree(record), 0) {
            Raw::Null => None,
            Raw::Text(t) => Some(t.into_owned()),
            Raw::List(l) => Some(l.join("|")),
            Raw::Unreadable(what) => Some(format!("<{what}>")),
        }
    }

    #[test]
    fn a_path_reaches_into_objects_and_lists() {
        let r = json!({"a": {"b": [{"c": 7}, {"c": 8}]}, "x.y": "dotted key", "n": [1, 2]});
        assert_eq!(get(&r, "a.b[1].c").as_deref(), Some("8"));
        assert_eq!(get(&r, "x.y").as_deref(), Some("dotted key"));
        assert_eq!(get(&r, "n[0]").as_deref(), Some("1"));
        assert_eq!(get(&r, "n").as_deref(), Some("1|2"));
        assert_eq!(get(&r, "a.b").as_deref(), Some("<a list of objects>"));
        assert_eq!(get(&r, "a.z"), None);
        assert_eq!(get(&r, "a.b[].c").as_deref(), Some("7|8"));
        assert_eq!(get(&r, "n[]").as_deref(), Some("1|2"));
        assert_eq!(get(&r, "a[].b[].z").as_deref(), Some(""));
        assert_eq!(get(&json!({"a": {"b": {"c": 7}}}), "a.b[].c").as_deref(), Some("7"), "a list of one without its brackets");
    }

    #[test]
    fn a_list_of_one_may_have_lost_its_brackets() {
        assert_eq!(get(&json!({"keys": {"id": "k1"}}), "keys[0].id").as_deref(), Some("k1"));
        assert_eq!(get(&json!({"keys": [{"id": "k1"}]}), "keys.id").as_deref(), Some("k1"));
    }

    #[test]
    fn a_servicenow_reference_yields_its_value() {
        assert_eq!(get(&json!({"u": {"display_value": "Abel Tuter", "value": "62826bf0"}}), "u").as_deref(), Some("62826bf0"));
        assert_eq!(get(&json!({"u": {"link": "https://x/y", "value": "62826bf0"}}), "u").as_deref(), Some("62826bf0"));
        assert_eq!(get(&json!({"u": "62826bf0"}), "u").as_deref(), Some("62826bf0"));
        assert_eq!(get(&json!({"u": {"display_value": "Abel", "value": "1"}}), "u.display_value").as_deref(), Some("Abel"));
    }

    #[test]
    fn a_number_is_never_rounded_in_silence() {
        assert_eq!(get(&json!({"n": u64::MAX}), "n").as_deref(), Some("18446744073709551615"));
        let long: Value = serde_json::from_str(r#"{"n": 123456789012345678901234}"#).unwrap();
        assert_eq!(get(&long, "n").as_deref(), Some("<a number too long to be read exactly>"));
    }

    #[test]
    fn what_is_no_path_is_a_key() {
        assert_eq!(path("a..b"), vec![Step::Key("a..b".into())]);
        assert_eq!(path("a[x]"), vec![Step::Key("a[x]".into())]);
        assert_eq!(path("a[0][1]"), vec![Step::Key("a".into()), Step::At(0), Step::At(1)]);
    }
}
