//! The fields of one JSON record, read one by one so that a fault names its field and shows no value.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::stream::NOT_TEXT;
pub(super) use crate::connectors::Fault;
use crate::model::Time;

/// The fault of a record that is not of the form that it should have.
fn shape(message: String) -> Fault {
    Fault::new("aws-iam/bad-record", message, "export it again with the command on this connector's page, unedited")
}

/// An object's fields, each still as it stands in the file.
#[derive(Debug)]
pub(super) struct Fields<'a>(BTreeMap<String, &'a RawValue>);

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            let value: &'de RawValue = map.next_value()?;
            if fields.insert(key, value).is_some() {
                return Err(A::Error::custom("duplicate field"));
            }
        }
        Ok(Fields(fields))
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

impl<'a> Fields<'a> {
    /// Reads one record's text.
    ///
    /// # Errors
    /// It is no object, names a field twice, or holds bytes that were no text.
    pub(super) fn of(raw: &'a str) -> Result<Self, Fault> {
        if raw.contains(NOT_TEXT) {
            return Err(Fault::new("aws-iam/not-text", "record holds bytes that are not UTF-8", "export it again as UTF-8"));
        }
        serde_json::from_str(raw).map_err(|_| shape("record is not an object with distinct fields".to_owned()))
    }

    /// The same fields with lower-case names; policy elements are written in any case.
    ///
    /// # Errors
    /// Two names differ only by case.
    pub(super) fn folded(self) -> Result<Self, Fault> {
        let mut folded = BTreeMap::new();
        for (name, value) in self.0 {
            if folded.insert(name.to_ascii_lowercase(), value).is_some() {
                return Err(shape("record names a field twice".to_owned()));
            }
        }
        Ok(Self(folded))
    }

    /// The text of a field as it stands; `None` where it is absent or `null`.
    pub(super) fn raw(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(|v| v.get()).filter(|v| *v != "null")
    }

    /// A text; `None` where it is absent, `null` or empty.
    ///
    /// # Errors
    /// The field is not text.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Fault> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let text: String = serde_json::from_str(raw).map_err(|_| shape(format!("`{name}` is not text")))?;
        Ok(Some(text).filter(|t| !t.is_empty()))
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// The field is absent or not text.
    pub(super) fn required(&self, name: &str) -> Result<String, Fault> {
        self.text(name)?.ok_or_else(|| {
            Fault::new("aws-iam/missing-field", format!("`{name}` is missing"), "export it again: AWS always writes this field")
        })
    }

    /// A truth value; `None` where it is absent.
    ///
    /// # Errors
    /// The field is neither `true` nor `false`.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Fault> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        serde_json::from_str(raw).map(Some).map_err(|_| shape(format!("`{name}` is not `true` or `false`")))
    }

    /// A count; `None` where it is absent.
    ///
    /// # Errors
    /// The field is not a whole number below 2⁶⁴.
    pub(super) fn count(&self, name: &str) -> Result<Option<u64>, Fault> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        serde_json::from_str(raw).map(Some).map_err(|_| shape(format!("`{name}` is not a count")))
    }

    /// The items of a list; none where it is absent. One bare object is a list of one, as PowerShell writes it.
    ///
    /// # Errors
    /// The field is neither.
    pub(super) fn list(&self, name: &str) -> Result<Vec<&'a str>, Fault> {
        match self.raw(name) {
            None => Ok(Vec::new()),
            Some(raw) if raw.starts_with('{') => Ok(vec![raw]),
            Some(raw) => serde_json::from_str::<Vec<&'a RawValue>>(raw)
                .map(|items| items.into_iter().map(RawValue::get).collect())
                .map_err(|_| shape(format!("`{name}` is not a list"))),
        }
    }

    /// The texts of a list; none where it is absent. One bare text is a list of one, as PowerShell writes it.
    ///
    /// # Errors
    /// The field is not a list of texts.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, Fault> {
        let Some(raw) = self.raw(name) else { return Ok(Vec::new()) };
        if raw.starts_with('"') {
            return Ok(self.text(name)?.into_iter().collect());
        }
        serde_json::from_str(raw).map_err(|_| shape(format!("`{name}` is not a list of texts")))
    }

    /// An instant: ISO 8601 with an offset, or seconds since the epoch as a number. `None` where it is absent, empty or `N/A`.
    ///
    /// # Errors
    /// The field is something else, or out of range.
    pub(super) fn time(&self, name: &str, zone: Option<&TimeZone>) -> Result<Option<Time>, Fault> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        if raw.starts_with('"') {
            let text = self.text(name)?.filter(|t| t != "N/A");
            return text.map(|t| iso(&t, zone).ok_or_else(|| bad_time(name))).transpose();
        }
        epoch(raw).map(Some).ok_or_else(|| bad_time(name))
    }
}

/// The fault of a field that should hold an instant.
pub(super) fn bad_time(name: &str) -> Fault {
    Fault::new(
        "aws-iam/bad-time",
        format!("`{name}` is not an instant between the years 1 and 9999"),
        "export it again: AWS writes ISO 8601 with an offset, or seconds since 1970",
    )
}

/// ISO 8601; without an offset only where the source states its zone.
pub(super) fn iso(text: &str, zone: Option<&TimeZone>) -> Option<Time> {
    match zone {
        Some(zone) => Time::parse_iso_in(text, zone).ok(),
        None => Time::parse_iso(text).ok(),
    }
}

/// Seconds since the epoch, as CLI version 1 prints some services' wire times (`1700000000.123`).
fn epoch(number: &str) -> Option<Time> {
    let seconds: f64 = number.parse().ok()?;
    // Beyond 2⁵³ µs (the year 2255) a double no longer holds every microsecond; the range check comes first.
    if !(-62_135_596_800.0..=253_402_300_799.0).contains(&seconds) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "within range by the check above")]
    Time::from_micros((seconds * 1e6).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(raw: &str) -> Result<Option<String>, &'static str> {
        let text = format!("{{\"T\": {raw}}}");
        Fields::of(&text).unwrap().time("T", None).map(|t| t.map(|t| t.to_string())).map_err(|f| f.code)
    }

    #[test]
    fn the_spellings_of_one_instant() {
        let want = Ok(Some("2019-10-17T00:00:00Z".to_owned()));
        for raw in [
            "\"2019-10-17T00:00:00Z\"",
            "\"2019-10-17T00:00:00+00:00\"",
            "\"2019-10-17 00:00:00+00:00\"",
            "\"2019-10-16T18:00:00-06:00\"",
            "1571270400",
            "1571270400.0",
            "1.5712704e9",
        ] {
            assert_eq!(time(raw), want, "{raw}");
        }
        assert_eq!(time("1571270400.123"), Ok(Some("2019-10-17T00:00:00.123Z".to_owned())));
        for raw in ["null", "\"\"", "\"N/A\""] {
            assert_eq!(time(raw), Ok(None), "{raw}");
        }
        for raw in ["\"20260-01-01T00:00:00Z\"", "\"2019-10-17\"", "1e400", "99999999999999999999999999", "true", "[]"] {
            assert_eq!(time(raw), Err("aws-iam/bad-time"), "{raw}");
        }
    }

    #[test]
    fn faults_name_the_field_and_no_value() {
        let fields = Fields::of(r#"{"UserName": 5, "Tags": {"Key": "a"}, "GroupList": [1]}"#).unwrap();
        assert_eq!(fields.text("UserName").unwrap_err().message, "`UserName` is not text");
        assert_eq!(fields.list("Tags").unwrap(), [r#"{"Key": "a"}"#]);
        let unrolled = Fields::of(r#"{"GroupList": "readers", "None": ""}"#).unwrap();
        assert_eq!((unrolled.texts("GroupList").unwrap(), unrolled.texts("None").unwrap()), (vec!["readers".to_owned()], Vec::new()));
        assert_eq!(fields.texts("GroupList").unwrap_err().message, "`GroupList` is not a list of texts");
        assert_eq!(fields.required("Arn").unwrap_err().code, "aws-iam/missing-field");
        assert_eq!(Fields::of(r#"{"a": 1, "a": 2}"#).unwrap_err().code, "aws-iam/bad-record");
        assert_eq!(Fields::of("{\"a\": \"\u{FDD0}\"}").unwrap_err().code, "aws-iam/not-text");
        assert!(Fields::of(r#"{"Action": 1, "action": 2}"#).unwrap().folded().is_err());
    }
}
