//! The JSON documents of an export, streamed: lists element by element, everything else by name.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::secrets::VALUES;
use super::stream::{Guard, Utf8};
use crate::connectors::{InputError, Limits};

/// A list of records, by the field that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    Users,
    Groups,
    Roles,
    Policies,
    Keys,
    MfaDevices,
    Secrets,
}

impl Section {
    pub(super) fn of(field: &str) -> Option<Self> {
        Some(match field {
            "UserDetailList" => Self::Users,
            "GroupDetailList" => Self::Groups,
            "RoleDetailList" => Self::Roles,
            "Policies" => Self::Policies,
            "AccessKeyMetadata" => Self::Keys,
            "VirtualMFADevices" => Self::MfaDevices,
            "SecretList" => Self::Secrets,
            _ => return None,
        })
    }
}

/// One JSON document without its records.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) sections: Vec<Section>,
    /// Single fields by name, each as it stands in the file.
    pub(super) fields: BTreeMap<String, Box<RawValue>>,
    /// The value of a secret stood in it, and was skipped.
    pub(super) secret: bool,
}

impl Document {
    /// Some of its fields as one object.
    pub(super) fn object(&self, names: &[&str]) -> String {
        let fields = names.iter().filter_map(|name| Some(format!("\"{name}\":{}", self.fields.get(*name)?.get())));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    }
}

/// The fields that are kept; anything else is skipped unread.
pub(super) const KEPT: &[&str] = &[
    "IsTruncated",
    "Marker",
    "NextToken",
    "Content",
    "GeneratedTime",
    "State",
    "Error",
    "SummaryMap",
    "AccessKeyLastUsed",
    "UserName",
    "AccessKeyId",
    "Arn",
    "JobStatus",
    "JobCreationDate",
    "JobCompletionDate",
    "ServicesLastAccessed",
    "TargetId",
    "ChildId",
    "Parents",
    "Policy",
    "PolicySummary",
    "Organization",
];

/// What receives a file's records and documents, in the order in which they stand.
pub(super) trait Sink {
    /// One record of a list.
    fn record(&mut self, section: Section, raw: &str);
    /// A document has ended.
    fn document(&mut self, document: Document);
}

/// Reads every document of a stream: one, several after another, or a list of them.
///
/// # Errors
/// JSON that is cut off or broken (with its line), or a breach of a limit.
pub(super) fn read(stream: impl BufRead, limits: Limits, sink: &mut dyn Sink) -> Result<(), InputError> {
    let mut guard = Guard::new(Utf8::new(stream), limits);
    let outcome = {
        let mut parser = serde_json::Deserializer::from_reader(BufReader::new(&mut guard));
        let sink = RefCell::new(sink);
        loop {
            if let Err(error) = (One { sink: &sink }).deserialize(&mut parser) {
                break Err(error);
            }
            match parser.end() {
                Ok(()) => break Ok(()),
                Err(error) if error.is_io() => break Err(error),
                // Another document follows.
                Err(_) => {}
            }
        }
    };
    let Err(error) = outcome else { return Ok(()) };
    if let Some(fault) = guard.fault.take() {
        return Err(fault);
    }
    let line = u64::try_from(error.line()).unwrap_or(u64::MAX);
    if error.is_io() {
        return Err(InputError::io(&error.into()));
    }
    Err(if error.is_eof() {
        InputError::new("aws-iam/truncated-json", "JSON ends too early", "export it again: the file was cut off").at(line)
    } else {
        InputError::new("aws-iam/broken-json", "is not valid JSON", "export it again with `--output json`, and do not edit it").at(line)
    })
}

type Shared<'a, 's> = &'a RefCell<&'s mut dyn Sink>;

/// One document, or a list of them.
struct One<'a, 's> {
    sink: Shared<'a, 's>,
}

impl<'de> DeserializeSeed<'de> for One<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// A document that is a bare value: nothing that this connector reads.
macro_rules! bare {
    ($($visit:ident: $ty:ty),*) => {
        $(fn $visit<E>(self, _: $ty) -> Result<(), E> {
            self.sink.borrow_mut().document(Document::default());
            Ok(())
        })*
    };
}

impl<'de> Visitor<'de> for One<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer of the AWS command line")
    }

    bare!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E>(self) -> Result<(), E> {
        self.sink.borrow_mut().document(Document::default());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(One { sink: self.sink })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut document = Document::default();
        while let Some(name) = map.next_key::<String>()? {
            if let Some(section) = Section::of(&name) {
                map.next_value_seed(List { section, sink: self.sink })?;
                document.sections.push(section);
            } else if KEPT.contains(&name.as_str()) {
                document.fields.insert(name, map.next_value()?);
            } else {
                document.secret |= VALUES.contains(&name.as_str());
                map.next_value::<IgnoredAny>()?;
            }
        }
        self.sink.borrow_mut().document(document);
        Ok(())
    }
}

/// The records of a section that stands by itself.
///
/// # Errors
/// It is broken, or neither a list nor an object.
pub(super) fn list<'de, D: Deserializer<'de>>(section: Section, deserializer: D, sink: &mut dyn Sink) -> Result<(), D::Error> {
    let sink = RefCell::new(sink);
    List { section, sink: &sink }.deserialize(deserializer)
}

/// The records of one section.
struct List<'a, 's> {
    section: Section,
    sink: Shared<'a, 's>,
}

impl<'de> DeserializeSeed<'de> for List<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for List<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(raw) = list.next_element::<Box<RawValue>>()? {
            self.sink.borrow_mut().record(self.section, raw.get());
        }
        Ok(())
    }

    /// PowerShell writes a list of one as its bare object.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut fields: Vec<String> = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
            fields.push(format!("{}:{}", serde_json::Value::from(name), value.get()));
        }
        self.sink.borrow_mut().record(self.section, &format!("{{{}}}", fields.join(",")));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Seen(Vec<String>);

    impl Sink for Seen {
        fn record(&mut self, section: Section, raw: &str) {
            self.0.push(format!("{section:?} {raw}"));
        }
        fn document(&mut self, document: Document) {
            self.0.push(format!("document of {} lists and {:?}", document.sections.len(), document.fields.keys().collect::<Vec<_>>()));
        }
    }

    fn seen(text: &[u8]) -> Result<Vec<String>, (&'static str, Option<u64>)> {
        let mut seen = Seen::default();
        read(text, Limits::default(), &mut seen).map(|()| seen.0).map_err(|e| (e.code, e.at))
    }

    #[test]
    fn documents_stand_alone_in_a_row_or_in_a_list() {
        let want = ["Users {\"a\":1}", "document of 1 lists and [\"IsTruncated\"]", "Keys 5", "document of 1 lists and []"];
        let (one, two) = (r#"{"UserDetailList": [{"a":1}], "Other": [[{}]], "IsTruncated": true}"#, r#"{"AccessKeyMetadata": [5]}"#);
        for text in [format!("{one}\n{two}\n"), format!("{one}{two}"), format!(" [{one}, {two}]")] {
            assert_eq!(seen(text.as_bytes()).unwrap(), want, "{text}");
        }
        assert_eq!(seen(b"{\"Policies\": {\"a\" : [1, 2]}}").unwrap()[0], "Policies {\"a\":[1, 2]}");
        assert_eq!(seen(b"{\"Policies\": null}").unwrap(), ["document of 1 lists and []"]);
        assert_eq!(seen(b"[1, \"a\", null, true]").unwrap().len(), 4);
    }

    #[test]
    fn faults_of_a_file_have_a_code_and_a_line() {
        assert_eq!(seen(b"{\"UserDetailList\": [\n{\"a\": "), Err(("aws-iam/truncated-json", Some(2))));
        assert_eq!(seen(b"{\"UserDetailList\": [\n{\"a\": \0}]}"), Err(("aws-iam/broken-json", Some(2))));
        assert_eq!(seen(b"{\"Policies\": 5}"), Err(("aws-iam/broken-json", Some(1))));
        let deep = [b"{\"Other\": ".to_vec(), vec![b'['; 100_000], vec![b']'; 100_000], b"}".to_vec()].concat();
        assert_eq!(seen(&deep), Err(("aws-iam/too-deep", Some(1))));
    }
}
