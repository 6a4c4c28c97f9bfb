//! The first reading of a document: which members are lists, and the scalars beside them.

use std::collections::BTreeMap;
use std::fmt;
use std::io::BufRead;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::fail;
use super::guard::open;
use crate::connectors::tabular::names::list;
use crate::connectors::tabular::records::Halt;
use crate::connectors::{InputError, Limits};

/// What the first reading of a document found.
#[derive(Debug, Default)]
pub struct Survey {
    /// The members that are lists.
    lists: Vec<(String, Kind)>,
    /// Scalars beside the records, for paging: path (two levels at most) and value.
    pub scalars: BTreeMap<String, Value>,
}

/// What a member of the document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Objects,
    Empty,
    Other,
}

/// Looks at a document.
///
/// # Errors
/// The file is no JSON.
pub fn survey(mut reader: Box<dyn BufRead>, limits: &Limits) -> Result<Survey, Halt> {
    let mut found = Survey::default();
    let head = reader.fill_buf().map_err(|e| InputError::io(&e))?;
    if head.trim_ascii_start().starts_with(b"[") {
        // A list has no members: its records are itself.
        return Ok(found);
    }
    let (mut json, stop) = open(reader, limits);
    Top { survey: &mut found }.deserialize(&mut json).map_err(|e| fail(&stop, e, None))?;
    Ok(found)
}

/// The path of the records, from a survey.
///
/// # Errors
/// Several lists could be meant.
pub fn find_records(survey: &Survey) -> Result<Vec<String>, Halt> {
    let of = |kind: Kind| survey.lists.iter().filter(move |(_, k)| *k == kind).map(|(n, _)| n.as_str()).collect::<Vec<_>>();
    let lists = [of(Kind::Objects), of(Kind::Empty)].into_iter().find(|l| !l.is_empty()).unwrap_or_default();
    match lists.as_slice() {
        // No list: the document is one record that was written without its brackets.
        [] => Ok(Vec::new()),
        [one] => Ok(vec![(*one).to_owned()]),
        several => Err(Halt::Options {
            message: format!("the records may stand under any of {}", list(several.iter().copied())),
            help: format!("say which: `records = \"{}\"`", several.first().unwrap_or(&"value")),
        }),
    }
}

/// The first reading: members of the document and what they are.
struct Top<'a> {
    survey: &'a mut Survey,
}

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list of objects")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let shape = map.next_value_seed(Look { name: &key, survey: self.survey, below: false })?;
            if let Shape::List(kind) = shape {
                self.survey.lists.push((key, kind));
            }
        }
        Ok(())
    }
}

/// What a member turned out to be.
enum Shape {
    List(Kind),
    Object,
    Scalar,
}

/// Looks at one member, keeping small scalars.
struct Look<'a> {
    name: &'a str,
    survey: &'a mut Survey,
    /// One level down already.
    below: bool,
}

/// Longest text and largest number of scalars that are kept for the paging marks.
const MOST_MARK: usize = 4_096;
const MOST_SCALARS: usize = 256;

impl Look<'_> {
    fn keep(self, value: Value) -> Shape {
        if self.survey.scalars.len() < MOST_SCALARS {
            self.survey.scalars.insert(self.name.to_owned(), value);
        }
        Shape::Scalar
    }
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = Shape;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Shape, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = Shape;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }
    fn visit_bool<E>(self, v: bool) -> Result<Shape, E> {
        Ok(self.keep(v.into()))
    }
    fn visit_i64<E>(self, v: i64) -> Result<Shape, E> {
        Ok(self.keep(v.into()))
    }
    fn visit_u64<E>(self, v: u64) -> Result<Shape, E> {
        Ok(self.keep(v.into()))
    }
    fn visit_f64<E>(self, v: f64) -> Result<Shape, E> {
        Ok(self.keep(v.into()))
    }
    fn visit_str<E>(self, v: &str) -> Result<Shape, E> {
        Ok(if v.len() <= MOST_MARK { self.keep(v.into()) } else { Shape::Scalar })
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
        let mut kind = Kind::Empty;
        while let Some(is) = seq.next_element_seed(IsObject)? {
            kind = if is && kind != Kind::Other { Kind::Objects } else { Kind::Other };
        }
        Ok(Shape::List(kind))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if self.below {
                map.next_value::<IgnoredAny>()?;
            } else {
                let name = format!("{}.{key}", self.name);
                map.next_value_seed(Look { name: &name, survey: self.survey, below: true })?;
            }
        }
        Ok(Shape::Object)
    }
}

/// Whether an element is an object, without holding it.
struct IsObject;

impl<'de> DeserializeSeed<'de> for IsObject {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<bool, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for IsObject {
    type Value = bool;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }
    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }
    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }
    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }
    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }
    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(false)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(true)
    }
}
