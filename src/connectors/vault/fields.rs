//! The fields of one answer, read one by one so that a fault names its field and shows no value.

use serde_json::{Map, Value};

pub(super) use crate::connectors::Fault;
use crate::model::{Time, mask};

/// The fault of a record that is not of the form that it should have.
pub(super) fn shape(message: String) -> Fault {
    Fault::new("vault/bad-record", message, "export it again with `-format=json`, unedited")
}

/// The fields of an object.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a Map<String, Value>);

impl<'a> Fields<'a> {
    pub(super) fn has(self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A field that is there and not `null`.
    pub(super) fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|v| !v.is_null())
    }

    /// A text; `None` where it is absent, `null` or empty.
    ///
    /// # Errors
    /// The field is not text.
    pub(super) fn text(self, name: &str) -> Result<Option<String>, Fault> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|t| !t.is_empty())),
            Some(_) => Err(shape(format!("`{name}` is not text"))),
        }
    }

    /// A name that people gave, or a path of such names: what is marked as a secret in it is masked.
    ///
    /// # Errors
    /// The field is not text.
    pub(super) fn name(self, name: &str) -> Result<Option<String>, Fault> {
        Ok(self.text(name)?.map(|t| mask::path(&t)))
    }

    /// # Errors
    /// The field is absent, empty or not text.
    pub(super) fn required(self, name: &str) -> Result<String, Fault> {
        self.text(name)?.ok_or_else(|| shape(format!("`{name}` is missing")))
    }

    /// The texts of a list; none where it is absent or `null`.
    ///
    /// # Errors
    /// The field is not a list of texts.
    pub(super) fn texts(self, name: &str) -> Result<Vec<String>, Fault> {
        let Some(value) = self.get(name) else { return Ok(Vec::new()) };
        let list = value.as_array().and_then(|list| list.iter().map(|v| v.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>());
        list.ok_or_else(|| shape(format!("`{name}` is not a list of texts")))
    }

    /// A count; `None` where it is absent.
    ///
    /// # Errors
    /// The field is not a whole number.
    pub(super) fn count(self, name: &str) -> Result<Option<u64>, Fault> {
        let count = |v: &Value| v.as_u64().ok_or_else(|| shape(format!("`{name}` is not a count")));
        self.get(name).map(count).transpose()
    }

    /// A truth value; `None` where it is absent.
    ///
    /// # Errors
    /// The field is neither `true` nor `false`.
    pub(super) fn flag(self, name: &str) -> Result<Option<bool>, Fault> {
        let flag = |v: &Value| v.as_bool().ok_or_else(|| shape(format!("`{name}` is not `true` or `false`")));
        self.get(name).map(flag).transpose()
    }

    /// An instant: RFC 3339, or seconds since 1970. `None` where it is absent, empty, `0` or Go's zero time: Vault's ways to say never.
    ///
    /// # Errors
    /// The field is something else, or out of range.
    pub(super) fn time(self, name: &str) -> Result<Option<Time>, Fault> {
        let bad = || Fault::new("vault/bad-time", format!("`{name}` is not an instant between the years 1 and 9999"), "export it again");
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.is_empty() || text.starts_with("0001-01-01T00:00:00") => Ok(None),
            Some(Value::String(text)) => Time::parse_iso(text).map(Some).map_err(|_| bad()),
            Some(value) => match value.as_i64() {
                Some(0) => Ok(None),
                Some(seconds) => Time::from_seconds(seconds).map(Some).ok_or_else(bad),
                None => Err(bad()),
            },
        }
    }

    /// An object inside; `None` where it is absent, `null` or empty.
    ///
    /// # Errors
    /// The field is not an object.
    pub(super) fn object(self, name: &str) -> Result<Option<Self>, Fault> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Fields(map)).filter(|f| !f.0.is_empty())),
            Some(_) => Err(shape(format!("`{name}` is not an object"))),
        }
    }
}

/// Metadata that people put on entities, groups, tokens and secrets: what of it is kept, under the allow-list of the page.
#[derive(Clone, Debug, Default)]
pub(super) struct Metadata {
    pub(super) owner: Option<String>,
    pub(super) email: Option<String>,
    pub(super) employee: Option<String>,
    pub(super) environment: Option<String>,
    pub(super) others: Vec<(&'static str, String)>,
    pub(super) dropped: u64,
}

impl Metadata {
    pub(super) fn read(fields: Option<Fields<'_>>) -> Self {
        let mut read = Self::default();
        for (name, value) in fields.iter().flat_map(|f| f.0) {
            let folded: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
            let Some(value) = value.as_str().filter(|v| !v.is_empty()).map(mask::free_text) else {
                read.dropped += 1;
                continue;
            };
            let place = match folded.as_str() {
                "owner" | "owneremail" | "contact" | "responsible" => &mut read.owner,
                "email" | "mail" => &mut read.email,
                "employeeid" | "employeenumber" | "personnelnumber" => &mut read.employee,
                "environment" | "env" => &mut read.environment,
                "team" => {
                    read.others.push(("team", value));
                    continue;
                }
                "department" => {
                    read.others.push(("department", value));
                    continue;
                }
                "application" | "app" | "service" => {
                    read.others.push(("application", value));
                    continue;
                }
                "ticket" => {
                    read.others.push(("ticket", value));
                    continue;
                }
                "rotationdays" => {
                    read.others.push(("rotation_days", value));
                    continue;
                }
                _ => {
                    read.dropped += 1;
                    continue;
                }
            };
            place.get_or_insert(value);
        }
        read
    }
}
