//! One record as a tree, bounded in depth and size.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A value whose depth and size are bounded.
pub struct Node<'a> {
    /// Levels that may still be opened.
    pub depth: usize,
    /// Bytes held by the record so far, roughly.
    pub held: &'a mut usize,
    /// Bytes that it may hold.
    pub most: usize,
}

impl Node<'_> {
    fn hold<E: serde::de::Error>(&mut self, bytes: usize) -> Result<(), E> {
        *self.held += bytes + 32;
        if *self.held > self.most { Err(E::custom(format!("record is larger than {} bytes", self.most))) } else { Ok(()) }
    }
}

/// The rest of an object.
///
/// # Errors
/// The parser's, or the record is too deep or too large.
pub fn object<'de, A: MapAccess<'de>>(mut map: A, depth: usize, held: &mut usize, most: usize) -> Result<Value, A::Error> {
    let Some(depth) = depth.checked_sub(1) else { return Err(A::Error::custom("nests too deep")) };
    let mut members = Map::new();
    while let Some(key) = map.next_key::<String>()? {
        Node { depth, held, most }.hold(key.len())?;
        let value = map.next_value_seed(Node { depth, held, most })?;
        members.insert(key, value);
    }
    Ok(Value::Object(members))
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }
    fn visit_i64<E: serde::de::Error>(mut self, v: i64) -> Result<Value, E> {
        self.hold(8).map(|()| v.into())
    }
    fn visit_u64<E: serde::de::Error>(mut self, v: u64) -> Result<Value, E> {
        self.hold(8).map(|()| v.into())
    }
    fn visit_f64<E: serde::de::Error>(mut self, v: f64) -> Result<Value, E> {
        self.hold(8).map(|()| v.into())
    }
    fn visit_str<E: serde::de::Error>(mut self, v: &str) -> Result<Value, E> {
        self.hold(v.len()).map(|()| v.into())
    }
    fn visit_string<E: serde::de::Error>(mut self, v: String) -> Result<Value, E> {
        self.hold(v.len()).map(|()| v.into())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let Some(depth) = self.depth.checked_sub(1) else { return Err(A::Error::custom("nests too deep")) };
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Node { depth, held: self.held, most: self.most })? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        object(map, self.depth, self.held, self.most)
    }
}
