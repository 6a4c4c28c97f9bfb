//! One directory entry: the attributes that the readers use, and typed access to them.

use std::collections::{BTreeMap, BTreeSet};

use super::values::{self, FileTime};
use super::{attributes, dn};
pub use crate::connectors::Fault;
use crate::model::Time;
use crate::model::mask;

/// A value that is not what its attribute holds. The value itself is not shown.
fn bad_value(name: &str, want: &str) -> Fault {
    let name = attributes::shown(name);
    Fault::new("ldif/bad-value", format!("value of `{name}` is not {want}"), "export the entry again, or correct the value")
}

/// A DN as messages show it: control characters replaced, at most 160 characters.
pub fn shown(dn: &str) -> String {
    dn.chars().map(|c| if c.is_control() { '·' } else { c }).take(160).collect()
}

/// The piece `low..=high` of a ranged attribute; `None`: to the end.
pub type Range = (u64, Option<u64>);

/// What an entry is about, as far as it was kept.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// Line of its `dn:`, from 1.
    pub line: u64,
    /// Byte offset of that line; `None` where the file was transcoded.
    pub offset: Option<u64>,
    pub dn: String,
    /// Values by kept attribute; those with a language or other tag stand after the plain ones.
    pub attributes: BTreeMap<&'static str, Vec<Vec<u8>>>,
    /// Ranges met, by attribute.
    pub ranges: BTreeMap<&'static str, Vec<Range>>,
    /// The same for two records with the same lines in any order.
    pub digest: u64,
}

impl Entry {
    /// All values of an attribute (lower-case name).
    pub fn raw(&self, name: &str) -> &[Vec<u8>] {
        self.attributes.get(name).map_or(&[], Vec::as_slice)
    }

    pub fn has(&self, name: &str) -> bool {
        self.attributes.contains_key(name)
    }

    /// All values as text, outer white space removed, empty ones left out.
    ///
    /// # Errors
    /// A value that is no UTF-8 or holds a NUL.
    pub fn texts(&self, name: &str) -> Result<Vec<String>, Fault> {
        self.each(name).map(|text| text.map(str::to_owned)).collect()
    }

    /// [`Entry::texts`], one by one.
    fn each<'e>(&'e self, name: &'e str) -> impl Iterator<Item = Result<&'e str, Fault>> {
        let text = move |value: &'e [u8]| match std::str::from_utf8(value) {
            Err(_) => Err(bad_value(name, "UTF-8 text")),
            Ok(_) if memchr::memchr(0, value).is_some() => Err(bad_value(name, "text: it holds a NUL")),
            Ok(text) => Ok(text.trim()),
        };
        self.raw(name).iter().map(move |value| text(value)).filter(|text| !matches!(text, Ok("")))
    }

    /// The first value as text, borrowed.
    ///
    /// # Errors
    /// As [`Entry::texts`].
    fn first<'e>(&'e self, name: &'e str) -> Result<Option<&'e str>, Fault> {
        let mut first = None;
        for text in self.each(name) {
            first = first.or(Some(text?));
        }
        Ok(first)
    }

    /// The first value as text.
    ///
    /// # Errors
    /// As [`Entry::texts`].
    pub fn text(&self, name: &str) -> Result<Option<String>, Fault> {
        Ok(self.first(name)?.map(str::to_owned))
    }

    /// The first of these attributes that has a value.
    ///
    /// # Errors
    /// As [`Entry::texts`].
    pub fn first_text(&self, names: &[&str]) -> Result<Option<String>, Fault> {
        for name in names {
            if let Some(text) = self.text(name)? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    /// The values of `objectClass`, lower case.
    ///
    /// # Errors
    /// As [`Entry::texts`].
    pub fn classes(&self) -> Result<BTreeSet<String>, Fault> {
        Ok(self.texts("objectclass")?.iter().map(|c| c.to_ascii_lowercase()).collect())
    }

    /// A whole number.
    ///
    /// # Errors
    /// A value that is none.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, Fault> {
        self.first(name)?.map(|t| t.parse().map_err(|_| bad_value(name, "a whole number"))).transpose()
    }

    /// `TRUE` or `FALSE`; absent is `false`.
    ///
    /// # Errors
    /// A value that is neither.
    pub fn flag(&self, name: &str) -> Result<bool, Fault> {
        match self.first(name)?.map(|t| t.to_ascii_uppercase()).as_deref() {
            None | Some("FALSE") => Ok(false),
            Some("TRUE") => Ok(true),
            Some(_) => Err(bad_value(name, "TRUE or FALSE")),
        }
    }

    /// A FILETIME.
    ///
    /// # Errors
    /// A value that is none.
    pub fn filetime(&self, name: &str) -> Result<Option<FileTime>, Fault> {
        self.first(name)?.map(|t| values::filetime(t).ok_or_else(|| bad_value(name, "a FILETIME"))).transpose()
    }

    /// The instant of a FILETIME whose `0` and maximum both mean that there is none.
    ///
    /// # Errors
    /// A value that is no FILETIME, or one after the year 9999.
    pub fn instant(&self, name: &str) -> Result<Option<Time>, Fault> {
        match self.filetime(name)? {
            Some(FileTime::At(time)) => Ok(Some(time)),
            Some(FileTime::Zero | FileTime::Never) | None => Ok(None),
            Some(FileTime::Beyond) => Err(bad_value(name, "a FILETIME up to the year 9999")),
        }
    }

    /// A generalizedTime.
    ///
    /// # Errors
    /// A value that is none.
    pub fn time(&self, name: &str) -> Result<Option<Time>, Fault> {
        self.first(name)?.map(|t| values::generalized_time(t).ok_or_else(|| bad_value(name, "a generalizedTime"))).transpose()
    }

    /// A GUID, from bytes or text.
    ///
    /// # Errors
    /// A value that is none.
    pub fn guid(&self, name: &str) -> Result<Option<String>, Fault> {
        self.raw(name).first().map(|v| values::guid(v).ok_or_else(|| bad_value(name, "a GUID"))).transpose()
    }

    /// All SIDs of an attribute, from bytes or text.
    ///
    /// # Errors
    /// A value that is none.
    pub fn sids(&self, name: &str) -> Result<Vec<String>, Fault> {
        self.raw(name).iter().map(|v| values::sid(v).ok_or_else(|| bad_value(name, "a SID"))).collect()
    }

    /// A DN without the parts of an extended form.
    ///
    /// # Errors
    /// As [`Entry::texts`].
    pub fn plain_dn(&self, names: &[&str]) -> Result<Option<String>, Fault> {
        Ok(self.first_text(names)?.map(|text| dn::reference(&text).dn.to_owned()))
    }
}

/// The JSON object of the `attributes` column, keys sorted.
#[derive(Debug, Default)]
pub struct Attributes(BTreeMap<&'static str, serde_json::Value>);

impl Attributes {
    pub fn put(&mut self, name: &'static str, value: impl Into<serde_json::Value>) {
        self.0.insert(name, value.into());
    }

    /// Puts the first value of each attribute, named `(lower-case name, shown name)`, without what is marked as a secret.
    ///
    /// # Errors
    /// A value that is no text.
    pub fn copy(&mut self, entry: &Entry, names: &[(&str, &'static str)]) -> Result<(), Fault> {
        for (name, shown) in names {
            if let Some(text) = entry.first(name)? {
                self.put(shown, mask::name(text));
            }
        }
        Ok(())
    }

    /// Puts free text, with what looks like a secret masked.
    ///
    /// # Errors
    /// A value that is no text.
    pub fn copy_masked(&mut self, entry: &Entry, names: &[&'static str]) -> Result<(), Fault> {
        for name in names {
            let texts = entry.texts(name)?;
            if !texts.is_empty() {
                self.put(name, mask::free_text(&texts.join("\n")));
            }
        }
        Ok(())
    }

    /// The stored text; `None` for an empty object.
    pub fn json(self) -> Option<String> {
        let object: serde_json::Map<String, serde_json::Value> = self.0.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        (!object.is_empty()).then(|| serde_json::Value::Object(object).to_string())
    }
}
