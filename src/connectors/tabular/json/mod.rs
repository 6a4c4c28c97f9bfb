//! JSON documents and JSON lines, one record at a time.
//!
//! A document is read twice where its records have to be found: once to see its shape and its paging marks, once to stream
//! the records.

mod guard;
mod node;
mod survey;

use std::cell::{Cell as StdCell, RefCell};
use std::fmt;
use std::io::{self, BufRead};

use guard::{Stop, open};
use node::{Node, object};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
pub use survey::{find_records, survey};

use super::records::{Cells, Fault, Halt, Place, Sink};
use crate::connectors::{InputError, Limits, Lines};
use crate::model::RecordUnit;

/// Streams the records at `at` into `sink`; several documents in one file follow each other.
///
/// # Errors
/// The file is truncated or no JSON, the path leads nowhere, or the sink halts.
pub fn read(reader: Box<dyn BufRead>, at: &[String], limits: &Limits, sink: &mut dyn Sink) -> Result<(), Halt> {
    let (mut json, stop) = open(reader, limits);
    let state =
        State { sink: RefCell::new(sink), count: StdCell::new(0), halt: RefCell::new(None), limits: *limits, hit: StdCell::new(false) };
    loop {
        state.hit.set(false);
        let done = Walk { path: at, state: &state }.deserialize(&mut json);
        if let Err(e) = done {
            return Err(state.halt.take().unwrap_or_else(|| fail(&stop, e, Some(state.count.get()))));
        }
        if !state.hit.get() {
            return Err(Halt::Options {
                message: format!("has nothing under `{}`", at.join(".")),
                help: "name the member that holds the records: `records = \"…\"`, parts joined by dots".to_owned(),
            });
        }
        match json.end() {
            Ok(()) => return Ok(()),
            // Another document follows.
            Err(e) if e.is_syntax() => {}
            Err(e) => return Err(fail(&stop, e, Some(state.count.get()))),
        }
    }
}

/// Streams JSON lines into `sink`.
///
/// # Errors
/// The file cannot be read, a line is too long, or the sink halts.
pub fn read_lines(reader: Box<dyn BufRead>, skipped: Option<u64>, limits: &Limits, sink: &mut dyn Sink) -> Result<(), Halt> {
    let mut lines = Lines::new(reader, limits.line);
    let mut line = Vec::new();
    let mut torn = None;
    while lines.read(&mut line)? {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let place = Place { unit: RecordUnit::Line, number: lines.number, offset: skipped.map(|s| s + lines.offset) };
        torn = None;
        match one_line(&line, limits) {
            Ok(value @ Value::Object(_)) => sink.record(place, Cells::Tree(&value))?,
            Ok(_) => sink.bad(place, not_an_object(), Some(&String::from_utf8_lossy(&line))),
            Err((fault, eof)) => {
                torn = eof.then_some(lines.number);
                sink.bad(place, fault, Some(&String::from_utf8_lossy(&line)));
            }
        }
    }
    if let Some(number) = torn {
        sink.short(format!("ends inside the record at line {number}"));
    }
    Ok(())
}

fn not_an_object() -> Fault {
    Fault::new("tabular/not-an-object", "is not an object", "each record must be an object of named values")
}

/// The value of a line, or why not and whether it just ends too early.
fn one_line(line: &[u8], limits: &Limits) -> Result<Value, (Fault, bool)> {
    let mut json = serde_json::Deserializer::from_slice(line);
    let mut held = 0;
    let value =
        Node { depth: limits.depth, held: &mut held, most: limits.line }.deserialize(&mut json).and_then(|v| json.end().map(|()| v));
    value.map_err(|e| {
        let help = "each line must be one whole JSON object";
        (Fault::new("tabular/json", format!("is no JSON: {}", reason(&e)), help), e.is_eof())
    })
}

/// The parser's words without the input that it quotes.
fn reason(e: &serde_json::Error) -> String {
    let text = e.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    text.split(['`', '"']).next().unwrap_or_default().trim().trim_end_matches([':', ',']).to_owned()
}

/// The fault of a whole document, after so many whole records where they were counted.
fn fail(stop: &Stop, e: serde_json::Error, records: Option<u64>) -> Halt {
    let place = |error: InputError| -> Halt {
        match records {
            Some(n) => error.at(n + 1).into(),
            None => error.into(),
        }
    };
    if let Some(breach) = stop.borrow_mut().take() {
        return place(breach);
    }
    if e.is_io() {
        return InputError::io(&io::Error::from(e)).into();
    }
    if e.is_eof() && records.unwrap_or(0) == 0 && e.line() <= 1 && e.column() == 0 {
        return InputError::new("tabular/empty", "is empty", "export it again").into();
    }
    if e.is_eof() {
        let place_text = records.map_or_else(String::new, |n| format!(", in or after record {}", n + 1));
        let help = "the export was cut off: export it again";
        return place(InputError::new("tabular/truncated-json", format!("ends too early{place_text}"), help));
    }
    if e.is_data() {
        let help = "a record is an object of a few kilobytes: check the file, and `records` in the source's options";
        return place(InputError::new("tabular/json", reason(&e), help));
    }
    let message = format!("is no JSON at line {}, column {}: {}", e.line(), e.column(), reason(&e));
    place(InputError::new("tabular/json", message, "export it again, or say `format` in the source's options if it is another format"))
}

/// What the second reading carries along.
struct State<'a> {
    sink: RefCell<&'a mut dyn Sink>,
    /// Records met.
    count: StdCell<u64>,
    halt: RefCell<Option<Halt>>,
    limits: Limits,
    /// The path led somewhere.
    hit: StdCell<bool>,
}

impl State<'_> {
    /// Gives one record to the sink.
    fn take<E: serde::de::Error>(&self, value: &Value) -> Result<(), E> {
        let place = Place { unit: RecordUnit::Record, number: self.count.get(), offset: None };
        let mut sink = self.sink.borrow_mut();
        let done = match value {
            Value::Object(_) => sink.record(place, Cells::Tree(value)),
            other => {
                sink.bad(place, not_an_object(), Some(&other.to_string()));
                Ok(())
            }
        };
        done.map_err(|halt| {
            *self.halt.borrow_mut() = Some(halt);
            E::custom("halted")
        })
    }
}

/// Goes down a path, streaming what it finds at its end.
struct Walk<'s, 'a> {
    path: &'s [String],
    state: &'s State<'a>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("records")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if !self.path.is_empty() {
            // Pages that were joined to one list: each has the path.
            while seq.next_element_seed(Walk { path: self.path, state: self.state })?.is_some() {}
            return Ok(());
        }
        self.state.hit.set(true);
        loop {
            // Counted when met, so that a fault inside the record names it.
            let mut held = 0;
            let node = Node { depth: self.state.limits.depth, held: &mut held, most: self.state.limits.line };
            let Some(value) = seq.next_element_seed(node)? else { return Ok(()) };
            self.state.count.set(self.state.count.get() + 1);
            self.state.take(&value)?;
        }
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((first, rest)) = self.path.split_first() else {
            // A list of one that lost its brackets.
            self.state.hit.set(true);
            let mut held = 0;
            let value = object(map, self.state.limits.depth, &mut held, self.state.limits.line)?;
            self.state.count.set(self.state.count.get() + 1);
            return self.state.take(&value);
        };
        while let Some(key) = map.next_key::<String>()? {
            if key == *first {
                map.next_value_seed(Walk { path: rest, state: self.state })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        // `"value": null`: a list of nobody.
        self.state.hit.set(self.state.hit.get() || self.path.is_empty());
        Ok(())
    }
    fn visit_bool<E: serde::de::Error>(self, v: bool) -> Result<(), E> {
        self.scalar(&Value::Bool(v))
    }
    fn visit_i64<E: serde::de::Error>(self, v: i64) -> Result<(), E> {
        self.scalar(&v.into())
    }
    fn visit_u64<E: serde::de::Error>(self, v: u64) -> Result<(), E> {
        self.scalar(&v.into())
    }
    fn visit_f64<E: serde::de::Error>(self, v: f64) -> Result<(), E> {
        self.scalar(&v.into())
    }
    fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<(), E> {
        self.scalar(&v.into())
    }
}

impl Walk<'_, '_> {
    /// A scalar where records are due is one bad record; on the way there it is nothing.
    fn scalar<E: serde::de::Error>(self, value: &Value) -> Result<(), E> {
        if !self.path.is_empty() {
            return Ok(());
        }
        self.state.hit.set(true);
        self.state.count.set(self.state.count.get() + 1);
        self.state.take(value)
    }
}
