//! The fields of one record, read one by one so that a fault names its field and shows no value.

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

pub(super) use crate::connectors::Fault;
use crate::connectors::aws_iam::stream::NOT_TEXT;
use crate::model::Time;
use crate::model::mask::free_text;

/// The fault of a record that is not of the form that it should have.
fn shape(message: String) -> Fault {
    Fault::new("okta/bad-record", message, "save it again with the command on this connector's page, unedited")
}

/// An instant that a record may hold. That Okta writes `null` and that a field is not there are two things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Absent,
    Null,
    At(Time),
}

impl Moment {
    pub(super) fn at(self) -> Option<Time> {
        match self {
            Self::At(time) => Some(time),
            Self::Absent | Self::Null => None,
        }
    }
}

/// One JSON object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'v> {
    object: &'v Map<String, Value>,
    zone: Option<&'v TimeZone>,
}

/// Reads one record's text.
///
/// # Errors
/// It holds bytes that were no text, is no JSON, or is no object.
pub(super) fn object(raw: &[u8]) -> Result<Value, Fault> {
    let text = std::str::from_utf8(raw).ok().filter(|t| !t.contains(NOT_TEXT));
    let text = text.ok_or_else(|| Fault::new("okta/not-text", "record holds bytes that are not UTF-8", "save it again as UTF-8"))?;
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(shape("record is not an object".to_owned())),
        Err(_) => {
            Err(Fault::new("okta/broken-json", "record is not valid JSON", "save it again with the command on this connector's page"))
        }
    }
}

impl<'v> Fields<'v> {
    pub(super) fn new(object: &'v Map<String, Value>, zone: Option<&'v TimeZone>) -> Self {
        Self { object, zone }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    /// A text, whatever else is wrong with the record; for telling records apart.
    pub(super) fn peek(&self, name: &str) -> Option<&'v str> {
        self.object.get(name).and_then(Value::as_str).filter(|t| !t.is_empty())
    }

    /// An object within; `None` where it is absent or something else.
    pub(super) fn within(&self, name: &str) -> Option<Self> {
        self.object.get(name).and_then(Value::as_object).map(|object| Self { object, ..*self })
    }

    /// The last part of the address under `_links.<name>.href`.
    pub(super) fn link(&self, name: &str) -> Option<&'v str> {
        let href = self.within("_links")?.within(name)?.peek("href")?;
        href.trim_end_matches('/').rsplit('/').next().filter(|id| !id.is_empty())
    }

    /// A text; `None` where it is absent, `null` or empty. Whole numbers are taken as they are written.
    ///
    /// # Errors
    /// The field is neither.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Fault> {
        match self.object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|t| !t.trim().is_empty())),
            Some(Value::Number(number)) if number.is_i64() || number.is_u64() => Ok(Some(number.to_string())),
            Some(_) => Err(shape(format!("`{name}` is not text"))),
        }
    }

    /// A text that people write freely, with what looks like a secret in it masked.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub(super) fn free(&self, name: &str) -> Result<Option<String>, Fault> {
        Ok(self.text(name)?.map(|t| free_text(&t)))
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// The field is absent or not text.
    pub(super) fn required(&self, name: &str) -> Result<String, Fault> {
        self.text(name)?
            .ok_or_else(|| Fault::new("okta/missing-field", format!("`{name}` is missing"), "save it again: Okta always writes this field"))
    }

    /// The texts of a list; none where it is absent.
    ///
    /// # Errors
    /// The field is not a list of texts.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, Fault> {
        let fault = || shape(format!("`{name}` is not a list of texts"));
        match self.object.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => items.iter().map(|i| i.as_str().map(str::to_owned).ok_or_else(fault)).collect(),
            Some(_) => Err(fault()),
        }
    }

    /// An instant in ISO 8601; without an offset only where the source states its zone.
    ///
    /// # Errors
    /// The field is something else, or out of range.
    pub(super) fn moment(&self, name: &str) -> Result<Moment, Fault> {
        let text = match self.object.get(name) {
            None => return Ok(Moment::Absent),
            Some(Value::Null) => return Ok(Moment::Null),
            Some(value) => value.as_str(),
        };
        let parsed = text.and_then(|t| match self.zone {
            Some(zone) => Time::parse_iso_in(t, zone).ok(),
            None => Time::parse_iso(t).ok(),
        });
        parsed.map(Moment::At).ok_or_else(|| {
            Fault::new(
                "okta/bad-time",
                format!("`{name}` is not an instant between the years 1 and 9999"),
                "save it again: Okta writes ISO 8601 in UTC",
            )
        })
    }

    /// An instant, `null` and absence being the same.
    ///
    /// # Errors
    /// As [`Self::moment`].
    pub(super) fn time(&self, name: &str) -> Result<Option<Time>, Fault> {
        self.moment(name).map(Moment::at)
    }
}
