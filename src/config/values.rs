//! The small languages of the configuration: durations, times of a snapshot, system names, templates, name patterns.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use regex::Regex;

use super::pattern::is_capture_name;
use crate::model::Time;
use crate::model::time::{DAY, HOUR, SECOND, TimeError};

/// The longest duration: as long as the calendar of [`Time`].
const LONGEST: i64 = 3_652_059 * DAY;

/// A value that is not in its form: what is wrong, and how to write it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ValueError {
    pub message: String,
    pub help: String,
}

impl ValueError {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

/// A duration `<n>d`, `<n>h` or `<n>m` (days of 24 hours, hours, minutes) in microseconds.
///
/// # Errors
/// The text is in another form, or longer than the calendar.
pub fn duration(text: &str) -> Result<i64, ValueError> {
    let form = || {
        let help = "write a whole number and `d`, `h` or `m`, such as `7d`, `36h` or `90m`";
        ValueError::new(format!("`{}` is not a duration", super::mistake::show(text)), help)
    };
    let unit = match text.chars().last() {
        Some('d') => DAY,
        Some('h') => HOUR,
        Some('m') => 60 * SECOND,
        _ => return Err(form()),
    };
    let digits = text.get(..text.len().saturating_sub(1)).unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(form());
    }
    let micros = digits.parse::<i64>().ok().and_then(|n| n.checked_mul(unit)).filter(|us| *us <= LONGEST);
    micros
        .ok_or_else(|| ValueError::new(format!("`{}` is longer than the calendar", super::mistake::show(text)), "write a shorter duration"))
}

/// The instant at which a snapshot was taken, as a configuration or a file name spells it: `2026-11-22`, `20261122`
/// (the first instant of that day in `zone`, else in UTC), `20261122T000000Z`, RFC 3339, and RFC 3339 with `-` for `:`
/// (file systems that forbid colons). A time of day without an offset is local to `zone`.
///
/// # Errors
/// The text is in another form, out of range, or has a time of day and neither offset nor `zone`.
pub fn taken_at(text: &str, zone: Option<&TimeZone>) -> Result<Time, ValueError> {
    let shown = super::mistake::show(text);
    let help = "write a date `2026-11-22`, or an instant `2026-11-22T00:00:00Z` or `20261122T000000Z`";
    if let Some(day) = bare_date(text) {
        let at = Time::from_date(day, zone.unwrap_or(&TimeZone::UTC));
        return at.ok_or_else(|| ValueError::new(format!("`{shown}` lies outside the calendar"), help));
    }
    let text = colons(text);
    let parsed = match zone {
        Some(zone) => Time::parse_iso_in(&text, zone),
        None => Time::parse_iso(&text),
    };
    parsed.map_err(|error| match error {
        TimeError::NoZone(_) => ValueError::new(
            format!("`{shown}` has a time of day and no offset"),
            "end it with `Z` or an offset, or give the source a `timezone`",
        ),
        TimeError::Range(_) => ValueError::new(format!("`{shown}` lies outside the years 1 to 9999"), help),
        TimeError::Form(_) => ValueError::new(format!("`{shown}` is not a date or an instant"), help),
    })
}

/// `YYYY-MM-DD` or `YYYYMMDD`, nothing else.
fn bare_date(text: &str) -> Option<Date> {
    let shaped = |c: char| c.is_ascii_digit() || c == '-';
    (text.chars().all(shaped) && matches!(text.len(), 8 | 10)).then(|| text.parse().ok()).flatten()
}

/// `2026-11-22T10-00-00+01-00` with its colons back; any other text as it is.
fn colons(text: &str) -> String {
    let Some(t) = text.find(['T', 't']) else { return text.to_owned() };
    let mut chars: Vec<char> = text.chars().collect();
    let end = chars.len();
    // Only where two digits stand on both sides of a `-` at the places of RFC 3339.
    let mut places = vec![t + 3, t + 6];
    let signed = |c: Option<&char>| matches!(c, Some('+' | '-'));
    if end >= t + 15 && signed(chars.get(end - 6)) {
        places.push(end - 3);
    }
    for at in places {
        let digit = |i: usize| chars.get(i).is_some_and(char::is_ascii_digit);
        let parted = digit(at - 1) && digit(at + 1) && digit(at + 2);
        if let Some(c) = chars.get_mut(at).filter(|c| parted && **c == '-') {
            *c = ':';
        }
    }
    chars.into_iter().collect()
}

/// Checks a system's name: it is a folder of the store and a word of every report.
///
/// # Errors
/// The name is not of `a-z`, `0-9`, `.` and `-`, does not start and end with a letter or digit, or is longer than 100.
pub fn system_name(name: &str) -> Result<(), ValueError> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let inside = name.bytes().all(|b| plain(b) || matches!(b, b'.' | b'-'));
    let ends = name.bytes().next().is_some_and(plain) && name.bytes().last().is_some_and(plain);
    if inside && ends && name.len() <= 100 {
        return Ok(());
    }
    let message = format!("`{}` is not a system name", super::mistake::show(name));
    let rule = "use `a-z`, `0-9`, `.` and `-`, at most 100, with a letter or digit at both ends";
    let help = tidy(name).map_or_else(|| rule.to_owned(), |better| format!("{rule}, such as `{better}`"));
    Err(ValueError::new(message, help))
}

/// The nearest name that [`system_name`] accepts.
fn tidy(name: &str) -> Option<String> {
    let lower = crate::model::text::norm(name)?;
    let mut out = String::new();
    for c in lower.chars() {
        let c = if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' { c } else { '-' };
        if !(c == '-' && out.ends_with('-')) {
            out.push(c);
        }
    }
    let out = out.trim_matches(['-', '.']);
    (!out.is_empty() && out.len() <= 100).then(|| out.to_owned())
}

/// A text with `{captures}` of the file pattern in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Capture(String),
}

impl Template {
    /// Parses `aws-{account}`.
    ///
    /// # Errors
    /// A brace stands alone, or the name between braces is none.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (literal, tail) = rest.split_at(at);
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            }
            let name = tail.strip_prefix('{').and_then(|t| t.split_once('}')).filter(|(name, _)| is_capture_name(name));
            let Some((name, after)) = name else {
                let message = format!("`{}` has a brace that is no capture", super::mistake::show(text));
                return Err(ValueError::new(message, "write a capture as `{name}`, of `a-z`, `0-9` and `_`"));
            };
            parts.push(Part::Capture(name.to_owned()));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Ok(Self { text: text.to_owned(), parts })
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Names of the captures that it needs, in order.
    pub fn captures(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|p| match p {
            Part::Capture(name) => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// Whether it has no captures.
    pub fn is_literal(&self) -> bool {
        self.captures().next().is_none()
    }

    /// With every capture replaced by its value; a capture without value becomes nothing (validation rules it out).
    pub fn fill(&self, values: &BTreeMap<String, String>) -> String {
        let part = |p: &Part| match p {
            Part::Literal(text) => text.clone(),
            Part::Capture(name) => values.get(name).cloned().unwrap_or_default(),
        };
        self.parts.iter().map(part).collect()
    }

    /// Whether some value of its captures (each of one character or more) gives `name`.
    pub fn could_be(&self, name: &str) -> bool {
        let part = |p: &Part| match p {
            Part::Literal(text) => regex::escape(text),
            Part::Capture(_) => ".+".to_owned(),
        };
        let pattern: String = self.parts.iter().map(part).collect();
        Regex::new(&format!("^(?s:{pattern})$")).is_ok_and(|r| r.is_match(name))
    }
}

/// A pattern over names, in the form of the crate `globset`: `*` any text, `?` one character, `[…]` a class, `{a,b}` one of
/// several. What it is matched with is the affair of the stage that matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern(String);

impl NamePattern {
    /// Checks a pattern.
    ///
    /// # Errors
    /// A class or a list is left open, or a range runs backwards.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        match globset::Glob::new(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => {
                let message = format!("`{}` is not a pattern: {}", super::mistake::show(text), error.kind());
                Err(ValueError::new(message, "`*` is any text, `?` one character; `[[]` and `[{]` are brackets that mean themselves"))
            }
        }
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names one thing only.
    pub fn is_literal(&self) -> bool {
        !self.0.contains(['*', '?', '[', '{', '\\'])
    }
}

/// The systems that an entry applies to; empty: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Systems(pub Vec<NamePattern>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_microseconds() {
        assert_eq!(duration("7d"), Ok(7 * DAY));
        assert_eq!(duration("36h"), Ok(36 * HOUR));
        assert_eq!(duration("90m"), Ok(5_400 * SECOND));
        assert_eq!(duration("0d"), Ok(0));
        for bad in ["", "d", "7", "7 d", "-1d", "1.5d", "7w", "1d2h", "７d", "+7d"] {
            assert_eq!(duration(bad).unwrap_err().message, format!("`{bad}` is not a duration"));
        }
        assert_eq!(duration("9999999d").unwrap_err().message, "`9999999d` is longer than the calendar");
        assert_eq!(duration("99999999999999999999d").unwrap_err().help, "write a shorter duration");
    }

    #[test]
    fn every_spelling_of_taken_at_names_one_instant() {
        let at = |text| taken_at(text, None).map(|t| t.to_string());
        for text in
            ["2026-11-22", "20261122", "20261122T000000Z", "2026-11-22T00:00:00Z", "2026-11-22T00-00-00Z", "2026-11-22T01-00-00+01-00"]
        {
            assert_eq!(at(text), Ok("2026-11-22T00:00:00Z".into()), "{text}");
        }
        assert_eq!(at("2026-11-22T10-00-00.250Z"), Ok("2026-11-22T10:00:00.25Z".into()));
        assert_eq!(at("2026-11-22T10-00-00-05:30"), Ok("2026-11-22T15:30:00Z".into()));
    }

    /// 11.2, 11.5: a date without a time is local to the source's zone, and only without one UTC.
    #[test]
    fn a_bare_date_starts_in_the_zone_of_the_source() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(taken_at("2026-07-01", Some(&berlin)).unwrap().to_string(), "2026-06-30T22:00:00Z");
        assert_eq!(taken_at("20260701", Some(&berlin)).unwrap().to_string(), "2026-06-30T22:00:00Z");
        assert_eq!(taken_at("2026-07-01T10-00-00", Some(&berlin)).unwrap().to_string(), "2026-07-01T08:00:00Z");
        assert_eq!(taken_at("2026-07-01T10-00-00Z", Some(&berlin)).unwrap().to_string(), "2026-07-01T10:00:00Z");
        assert_eq!(taken_at("2026-07-01T10:00:00", None).unwrap_err().message, "`2026-07-01T10:00:00` has a time of day and no offset");
    }

    #[test]
    fn a_year_of_five_digits_is_out_of_range() {
        assert_eq!(
            taken_at("20260-01-01T00:00:00Z", None).unwrap_err().message,
            "`20260-01-01T00:00:00Z` lies outside the years 1 to 9999"
        );
    }

    #[test]
    fn a_week_number_is_no_time() {
        for bad in ["week-47", "2026-W47", "2026-13-01", "2026", "", "latest", "2026-11-22T25-00-00Z", "Tä-1"] {
            assert_eq!(taken_at(bad, None).unwrap_err().message, format!("`{bad}` is not a date or an instant"));
        }
    }

    #[test]
    fn system_names_are_refused_with_a_better_one() {
        for good in ["hr", "aws-prod", "10.0.0.1", "a"] {
            assert_eq!(system_name(good), Ok(()));
        }
        let better = |name: &str| system_name(name).unwrap_err().help;
        assert!(better("AWS Prod").ends_with(", such as `aws-prod`"));
        assert!(better("corp_ad").ends_with(", such as `corp-ad`"));
        assert!(better("..").ends_with("both ends"));
        assert!(better("").ends_with("both ends"));
        assert!(better("-x").ends_with(", such as `x`"));
        assert_eq!(system_name("größe").unwrap_err().message, "`größe` is not a system name");
        assert!(system_name(&"a".repeat(101)).is_err());
    }

    #[test]
    fn templates_fill_and_recognise() {
        let t = Template::parse("aws-{account}-{week}").unwrap();
        assert_eq!(t.captures().collect::<Vec<_>>(), ["account", "week"]);
        let values = BTreeMap::from([("account".to_owned(), "prod".to_owned()), ("week".to_owned(), "1".to_owned())]);
        assert_eq!(t.fill(&values), "aws-prod-1");
        assert!(t.could_be("aws-x-y") && !t.could_be("aws--y") && !t.could_be("gcp-x-y"));
        assert!(Template::parse("hr").unwrap().is_literal());
        for bad in ["a{", "a}", "{}", "{A b}", "{a{b}"] {
            assert_eq!(Template::parse(bad).unwrap_err().message, format!("`{bad}` has a brace that is no capture"));
        }
    }

    #[test]
    fn name_patterns_are_checked_and_told_from_names() {
        let literal = |pattern: &str| NamePattern::parse(pattern).map(|p| p.is_literal());
        assert_eq!(
            (literal("vault operators"), literal("vault *"), literal("{a,b}"), literal("[!a]x")),
            (Ok(true), Ok(false), Ok(false), Ok(false))
        );
        assert_eq!(NamePattern::parse("[ab").unwrap_err().message, "`[ab` is not a pattern: unclosed character class; missing ']'");
        assert!(NamePattern::parse("{a").is_err() && NamePattern::parse("[z-a]").is_err());
    }
}
