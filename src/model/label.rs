//! Texts of rows of which there are millions: names that come from the configuration, and short values.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Deref;
use std::sync::Mutex;

use arrow::array::{Array, StringArray};
use polars::prelude::PlSmallStr;

use super::cell::{Builder, Cell, ColType};
use super::pack;

/// A name of which there are few and which millions of rows repeat: a rule, a column that it compares. Two words, copied without counting.
///
/// Each distinct name is kept once, for as long as the process lives; so it is for names out of a configuration, never for what exports say.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(&'static str);

/// Every label so far. Its order shows nowhere: labels compare by their text.
static LABELS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

impl From<&str> for Label {
    fn from(text: &str) -> Self {
        // Whoever panicked while holding the lock left a set that is whole.
        let mut labels = LABELS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(known) = labels.get(text) {
            return Self(known);
        }
        let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
        labels.insert(kept);
        Self(kept)
    }
}

impl Label {
    /// The text, for as long as the process lives.
    pub fn text(self) -> &'static str {
        self.0
    }
}

impl Deref for Label {
    type Target = str;
    fn deref(&self) -> &str {
        self.0
    }
}

/// A text of a row that is mostly so short (24 bytes at most) that it stands in the row itself, without memory of its own.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Short(PlSmallStr);

impl From<&str> for Short {
    fn from(text: &str) -> Self {
        Self(PlSmallStr::from_str(text))
    }
}

impl Deref for Short {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

macro_rules! stored_text {
    ($ty:ident) => {
        impl $ty {
            pub fn as_str(&self) -> &str {
                self
            }
        }
        impl fmt::Debug for $ty {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&**self, f)
            }
        }
        impl fmt::Display for $ty {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self)
            }
        }
        impl PartialEq<str> for $ty {
            fn eq(&self, other: &str) -> bool {
                **self == *other
            }
        }
        impl PartialEq<&str> for $ty {
            fn eq(&self, other: &&str) -> bool {
                **self == **other
            }
        }
        impl serde::Serialize for $ty {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self)
            }
        }
        impl Cell for $ty {
            const TYPE: ColType = ColType::Text;
            fn push(&self, to: &mut Builder) {
                if let Builder::Text(b) = to {
                    b.append_value(&**self);
                }
            }
            fn read(from: &dyn Array, row: usize) -> Result<Self, String> {
                text_at(from, row).map(Self::from)
            }
            fn pack(&self, to: &mut Vec<u8>) {
                pack::bytes(self.as_bytes(), to);
            }
            fn unpack(from: &mut &[u8]) -> Option<Self> {
                pack::take_text(from).map(Self::from)
            }
            fn carry(from: &mut &[u8], to: &mut Builder) -> Option<()> {
                String::carry(from, to)
            }
        }
    };
}
stored_text!(Label);
stored_text!(Short);

/// The text in one row of a column that has no nulls.
pub(super) fn text_at(from: &dyn Array, row: usize) -> Result<&str, String> {
    let array = from.as_any().downcast_ref::<StringArray>().ok_or_else(|| format!("type is {}", from.data_type()))?;
    if array.is_null(row) { Err("null where a value is due".to_owned()) } else { Ok(array.value(row)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_kept_once_and_compares_by_its_text() {
        let made = "label-".to_owned() + "test";
        let (one, other) = (Label::from("label-test"), Label::from(made.as_str()));
        assert!(std::ptr::eq(one.0, other.0));
        assert_eq!(one, "label-test");
        assert!(Label::from("label-b") > Label::from("label-a"));
    }

    #[test]
    fn both_are_stored_as_the_text_that_they_show() {
        let mut builder = Builder::new(Label::TYPE);
        Cell::push(&Label::from("email"), &mut builder);
        Cell::push(&Short::from("a value that is longer than the row has room for"), &mut builder);
        let array = builder.finish();
        assert_eq!(String::read(array.as_ref(), 0).unwrap(), "email");
        assert_eq!(Label::read(array.as_ref(), 0).unwrap(), "email");
        assert_eq!(Short::read(array.as_ref(), 1).unwrap(), "a value that is longer than the row has room for");
        assert_eq!(serde_json::to_string(&(Label::from("a\"b"), Short::from("c"))).unwrap(), r#"["a\"b","c"]"#);
        assert!(Label::read(&arrow::array::UInt32Array::from(vec![1]), 0).is_err());
    }
}
