//! XML: elements of one name, at the root or below it, become the trees that a JSON object would be. `<a x="1">t<b/></a>` is
//! `{"@x": "1", "#text": "t", "b": ""}`; an element with text alone is that text, one that repeats is a list. Namespaces are left
//! out, declared entities are refused.

use std::cell::Cell as StdCell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use serde_json::{Map, Value};

use super::records::{Cells, Fault, Halt, Place, Sink};
use crate::connectors::{InputError, Limits};
use crate::model::RecordUnit;

/// A stream that gives no more than so many bytes until it is told to go on: no record is larger.
struct Fence {
    inner: Box<dyn BufRead>,
    left: Rc<StdCell<usize>>,
}

impl Read for Fence {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let from = self.fill_buf()?;
        let n = from.len().min(to.len());
        if let (Some(to), Some(from)) = (to.get_mut(..n), from.get(..n)) {
            to.copy_from_slice(from);
        }
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Fence {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left.get() == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a record is larger than the limit"));
        }
        let left = self.left.get();
        let buffer = self.inner.fill_buf()?;
        Ok(buffer.get(..buffer.len().min(left)).unwrap_or_default())
    }
    fn consume(&mut self, n: usize) {
        self.left.set(self.left.get().saturating_sub(n));
        self.inner.consume(n);
    }
}

/// One element being read.
struct Open {
    name: String,
    members: Map<String, Value>,
    text: String,
}

impl Open {
    fn value(mut self) -> Value {
        let text = self.text.trim();
        if self.members.is_empty() {
            return Value::String(text.to_owned());
        }
        if !text.is_empty() {
            self.members.insert("#text".to_owned(), Value::String(text.to_owned()));
        }
        Value::Object(self.members)
    }

    fn add(&mut self, name: String, value: Value) {
        match self.members.get_mut(&name) {
            None => {
                self.members.insert(name, value);
            }
            Some(Value::Array(list)) => list.push(value),
            Some(one) => {
                let first = one.take();
                *one = Value::Array(vec![first, value]);
            }
        }
    }
}

/// Streams the elements called `record` into `sink`: the root itself, or its children.
///
/// # Errors
/// The file is no XML, a record is too large or too deep, or the sink halts.
pub fn read(reader: Box<dyn BufRead>, record: &str, limits: &Limits, sink: &mut dyn Sink) -> Result<(), Halt> {
    let left = Rc::new(StdCell::new(limits.line));
    let mut xml = Reader::from_reader(Fence { inner: reader, left: Rc::clone(&left) });
    xml.config_mut().expand_empty_elements = true;
    let (mut depth, mut number, mut rooted) = (0usize, 0u64, false);
    let mut stack: Vec<Open> = Vec::new();
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        let event = xml.read_event_into(&mut buffer).map_err(|e| match e {
            // The stream's own fault, which has a name, and not the fence's.
            quick_xml::Error::Io(e) if left.get() > 0 => InputError::io(&e).into(),
            e => broken(&e.to_string(), number),
        })?;
        match event {
            Event::Start(start) => {
                depth += 1;
                rooted = true;
                if depth > limits.depth {
                    return Err(broken("it nests too deep", number));
                }
                if !stack.is_empty() || (depth <= 2 && start.local_name().as_ref() == record) {
                    stack.push(open(&start, number)?);
                }
            }
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                let Some(done) = stack.pop() else { continue };
                if let Some(parent) = stack.last_mut() {
                    let name = done.name.clone();
                    parent.add(name, done.value());
                    continue;
                }
                number += 1;
                left.set(limits.line);
                take(&done.value(), number, sink)?;
            }
            Event::Text(text) => {
                if let Some(at) = stack.last_mut() {
                    at.text.push_str(&text.xml10_content());
                }
            }
            Event::CData(text) => {
                if let Some(at) = stack.last_mut() {
                    at.text.push_str(&text.xml10_content());
                }
            }
            Event::GeneralRef(name) => {
                let Some(at) = stack.last_mut() else { continue };
                let plain = match &*name.xml10_content() {
                    "lt" => Some('<'),
                    "gt" => Some('>'),
                    "amp" => Some('&'),
                    "quot" => Some('"'),
                    "apos" => Some('\''),
                    _ => name.resolve_char_ref().map_err(|e| broken(&e.to_string(), number))?,
                };
                at.text.push(plain.ok_or_else(|| broken("it uses an entity that it declares itself", number))?);
            }
            // `Empty` does not come: such elements are expanded.
            Event::Empty(_) | Event::Comment(_) | Event::PI(_) | Event::Decl(_) | Event::DocType(_) => {}
            Event::Eof => break,
        }
        // What stands between records does not use up the fence.
        if stack.is_empty() {
            left.set(limits.line);
        }
    }
    if depth > 0 {
        sink.short(format!("ends inside an element, after record {number}"));
    }
    if !rooted {
        return Err(broken("it has no root element", number));
    }
    Ok(())
}

fn open(start: &BytesStart<'_>, number: u64) -> Result<Open, Halt> {
    let mut members = Map::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|e| broken(&e.to_string(), number))?;
        // `xmlns` and `xmlns:x` declare names and say nothing of the record.
        if attribute.key.as_namespace_binding().is_some() {
            continue;
        }
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|e| broken(&e.to_string(), number))?;
        members.insert(format!("@{}", attribute.key.local_name().as_ref()), Value::String(value.into_owned()));
    }
    Ok(Open { name: start.local_name().as_ref().to_owned(), members, text: String::new() })
}

fn take(value: &Value, number: u64, sink: &mut dyn Sink) -> Result<(), Halt> {
    let place = Place { unit: RecordUnit::Record, number, offset: None };
    if value.is_object() {
        return sink.record(place, Cells::Tree(value));
    }
    let fault = Fault::new("tabular/not-an-object", "holds neither attributes nor elements", "each record must have named values");
    sink.bad(place, fault, value.as_str());
    Ok(())
}

fn broken(what: &str, number: u64) -> Halt {
    let message = format!("is no XML that can be read, after record {number}: {what}");
    InputError::new("tabular/xml", message, "export it again; a file may not declare entities of its own").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Kept {
        records: Vec<String>,
        short: Vec<String>,
        bad: usize,
    }

    impl Sink for Kept {
        fn header(&mut self, _: &[String]) -> Result<(), Halt> {
            Ok(())
        }
        fn record(&mut self, _: Place, cells: Cells<'_>) -> Result<(), Halt> {
            if let Cells::Tree(value) = cells {
                self.records.push(value.to_string());
            }
            Ok(())
        }
        fn bad(&mut self, _: Place, _: Fault, _: Option<&str>) {
            self.bad += 1;
        }
        fn short(&mut self, why: String) {
            self.short.push(why);
        }
    }

    fn kept(text: &str, limits: Limits) -> Result<Kept, Halt> {
        let mut kept = Kept::default();
        let bytes: Vec<u8> = text.as_bytes().to_vec();
        read(Box::new(io::BufReader::new(io::Cursor::new(bytes))), "role", &limits, &mut kept).map(|()| kept)
    }

    #[test]
    fn an_element_is_the_tree_that_an_object_would_be() {
        let one = r#"<?xml version="1.0"?><!-- c --><role oid="r1" xmlns="urn:x" xmlns:e="urn:e"><name>A &amp; B &#x263A;</name>
            <e:extension><e:code>S1</e:code></e:extension><inducement><targetRef oid="t1"/></inducement>
            <inducement><targetRef oid="t2" type="RoleType">x</targetRef></inducement><empty/></role>"#;
        let got = kept(one, Limits::default()).unwrap();
        let want = r##"{"@oid":"r1","name":"A & B ☺","extension":{"code":"S1"},"inducement":[{"targetRef":{"@oid":"t1"}},{"targetRef":{"@oid":"t2","@type":"RoleType","#text":"x"}}],"empty":""}"##;
        assert_eq!(got.records, [want]);
    }

    #[test]
    fn records_stand_at_the_root_or_below_it() {
        let many = "<objects><role oid='a'/><user oid='u'><role oid='not one'/></user><role oid='b'/><role>text</role></objects>";
        let got = kept(many, Limits::default()).unwrap();
        assert_eq!((got.records, got.bad), (vec![r#"{"@oid":"a"}"#.to_owned(), r#"{"@oid":"b"}"#.to_owned()], 1));
    }

    #[test]
    fn hostile_documents_end_in_an_error_that_names_the_record() {
        let small = Limits { line: 4_096, depth: 8, ..Limits::default() };
        let bomb = r#"<!DOCTYPE x [<!ENTITY a "aaaa">]><objects><role oid="1"/><role><name>&a;</name></role></objects>"#;
        let deep = format!("<role>{}", "<a>".repeat(9));
        let large = format!("<role><name>{}</name></role>", "x".repeat(5_000));
        for (text, what) in [
            (bomb, "entity"),
            (deep.as_str(), "too deep"),
            (large.as_str(), "larger than the limit"),
            ("", "no root element"),
            ("name;x\n1;2", "no root element"),
            ("<role><a></b></role>", "no XML"),
        ] {
            let Err(Halt::File(e)) = kept(text, small) else { panic!("{text}") };
            assert!(e.message.contains(what), "{}", e.message);
        }
        // Many records may be larger together.
        let many = format!("<objects>{}</objects>", "<role oid='1'/>".repeat(1_000));
        assert_eq!(kept(&many, small).unwrap().records.len(), 1_000);
    }

    #[test]
    fn a_document_that_ends_too_early_is_short() {
        let got = kept("<objects><role oid='a'/><role oid='b'><na", Limits::default());
        match got {
            Ok(kept) => assert_eq!((kept.records.len(), kept.short.len()), (1, 1)),
            Err(Halt::File(e)) => assert!(e.message.contains("after record 1"), "{}", e.message),
            Err(other) => panic!("{other:?}"),
        }
    }
}
