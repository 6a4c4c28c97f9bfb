//! Dates and times as lists spell them, and the words that stand where one is missing.

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime;
use jiff::tz::{Offset, TimeZone};

use crate::model::Time;
use crate::model::text::norm;
use crate::model::time::{DAY, TimeError};

/// One spelling of dates and times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// ISO 8601 and RFC 3339, a date with an offset, `/Date(…)/`. Always tried last.
    Iso,
    EpochSeconds,
    EpochMillis,
    /// 100 ns since 1601.
    Filetime,
    /// `%m/%d/%Y` and the like.
    Pattern(String),
}

impl Form {
    /// Reads a form as the configuration spells it.
    ///
    /// # Errors
    /// A pattern that no date can be written in, or that has no day.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(match text {
            "iso" => Self::Iso,
            "epoch-seconds" => Self::EpochSeconds,
            "epoch-millis" => Self::EpochMillis,
            "filetime" => Self::Filetime,
            pattern if pattern.contains('%') => {
                let form = Self::Pattern(pattern.to_owned());
                let sample = form.write_sample().ok_or_else(|| format!("`{pattern}` is no pattern of a date"))?;
                form.read(&sample).map_err(|_| format!("`{pattern}` does not name a whole day"))?;
                form
            }
            other => return Err(format!("`{other}` is neither a pattern with `%` nor `iso`, `epoch-seconds`, `epoch-millis`, `filetime`")),
        })
    }

    /// Whether a text exists that both read, differently: `%m/%d/%Y` and `%d/%m/%Y`.
    pub fn clashes(&self, other: &Self) -> bool {
        let Some(text) = self.write_sample() else { return false };
        matches!((self.read(&text), other.read(&text)), (Ok(a), Ok(b)) if a != b)
    }

    /// 2003-02-01T04:05:06Z in this form; only patterns can write.
    fn write_sample(&self) -> Option<String> {
        let Self::Pattern(pattern) = self else { return None };
        let at = TimeZone::UTC.to_ambiguous_zoned_datetime(jiff::civil::datetime(2003, 2, 1, 4, 5, 6, 0)).compatible().ok()?;
        strtime::format(pattern, &at).ok()
    }

    fn read(&self, text: &str) -> Result<When, TimeError> {
        let form = || TimeError::Form(text.to_owned());
        let number = || text.parse::<i64>().map_err(|_| form());
        let held = |t: Option<Time>| t.map(When::Instant).ok_or_else(|| TimeError::Range(text.to_owned()));
        match self {
            Self::Iso => iso(text),
            Self::EpochSeconds => match text.split_once('.') {
                Some((whole, part)) if part.bytes().all(|b| b.is_ascii_digit()) => {
                    whole.parse().map_err(|_| form()).and_then(|s| held(Time::from_seconds(s)))
                }
                _ => held(Time::from_seconds(number()?)),
            },
            Self::EpochMillis => held(Time::from_millis(number()?)),
            Self::Filetime => held(Time::from_filetime(number()?)),
            Self::Pattern(pattern) => by_pattern(pattern, text),
        }
    }
}

fn by_pattern(pattern: &str, text: &str) -> Result<When, TimeError> {
    let form = || TimeError::Form(text.to_owned());
    let parts = strtime::parse(pattern, text).map_err(|_| form())?;
    if parts.offset().is_some() || parts.iana_time_zone().is_some() {
        let at = parts.to_zoned_datetime().map_err(|_| form())?.timestamp();
        return Time::from_micros(at.as_microsecond()).map(When::Instant).ok_or_else(|| TimeError::Range(text.to_owned()));
    }
    if parts.hour().is_some() {
        return parts.to_datetime().map(When::Local).map_err(|_| form());
    }
    parts.to_date().map(|day| When::Day(day, None)).map_err(|_| form())
}

/// ISO forms. `2026-06-30-07:00` is a day in an offset of its own; `/Date(1777406310050)/` is what Windows PowerShell writes.
fn iso(text: &str) -> Result<When, TimeError> {
    let form = || TimeError::Form(text.to_owned());
    if let Some(inner) = text.strip_prefix("/Date(").and_then(|t| t.strip_suffix(")/")) {
        // An offset after the number tells how to show the instant; the number is UTC whatever it says.
        let digits = inner.find(['+', '-']).filter(|i| *i > 0).and_then(|i| inner.get(..i)).unwrap_or(inner);
        let millis = digits.parse().map_err(|_| form())?;
        return Time::from_millis(millis).map(When::Instant).ok_or_else(|| TimeError::Range(text.to_owned()));
    }
    if let Some((day, offset)) = text.split_at_checked(10)
        && let (Ok(day), Some(offset)) = (day.parse::<Date>(), offset_of(offset))
    {
        return Ok(When::Day(day, Some(TimeZone::fixed(offset))));
    }
    match Time::parse_iso(text) {
        Ok(at) => Ok(When::Instant(at)),
        // A zone in brackets would be dropped by the civil parser.
        Err(TimeError::NoZone(_)) if text.contains('[') => Err(form()),
        Err(TimeError::NoZone(_)) if text.contains([':', 'T', 't', ' ']) => text.parse().map(When::Local).map_err(|_| form()),
        Err(TimeError::NoZone(_)) => text.parse().map(|day| When::Day(day, None)).map_err(|_| form()),
        Err(e) => Err(e),
    }
}

/// `Z`, `+02:00`, `-0700`.
fn offset_of(text: &str) -> Option<Offset> {
    if text == "Z" {
        return Some(Offset::UTC);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let digits: String = rest.chars().filter(|c| *c != ':').collect();
    if digits.len() != 4 || !matches!(rest.len(), 4 | 5) {
        return None;
    }
    let (hours, minutes) = digits.split_at_checked(2)?;
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (minutes < 60).then(|| Offset::from_seconds(sign * (hours * 3_600 + minutes * 60)).ok()).flatten()
}

/// What a text says, before the source's zone is applied.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    Instant(Time),
    /// A date and time without offset.
    Local(DateTime),
    /// A date, perhaps with an offset of its own.
    Day(Date, Option<TimeZone>),
}

impl When {
    /// The dates that programs write where there is none, in whatever spelling: the first day of the year 1 (Go, .NET), of
    /// 1601 (FILETIME), and the last day of 9999 (databases).
    fn is_sentinel(&self) -> bool {
        let of_day = |day: Date| matches!((day.year(), day.month(), day.day()), (1, 1, 1) | (1600, 12, 31) | (1601, 1, 1) | (9999, 12, 31));
        match self {
            // A zone behind UTC shows the day before.
            Self::Instant(at) => {
                let (at, year_1, year_1601) = (at.micros(), -719_162 * DAY, -134_774 * DAY);
                (year_1..year_1 + DAY).contains(&at) || (year_1601 - DAY..year_1601 + DAY).contains(&at) || at >= 2_932_896 * DAY
            }
            Self::Local(at) => of_day(at.date()),
            Self::Day(day, _) => of_day(*day),
        }
    }
}

/// The last day of 9999 with a time, which lies beyond what the parser of instants holds.
fn is_last_day(text: &str) -> bool {
    text.strip_prefix("9999-12-31").is_some_and(|rest| rest.is_empty() || rest.starts_with(['T', 't', ' ']))
}

/// What stands in a date column.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// Blank, or a word for "not known".
    Missing,
    Never,
    NotApplicable,
    At(When),
}

/// How a bare date becomes an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Its first instant.
    Start,
    /// The first instant after, or the day's first instant where the source says `first-day-out`.
    End,
}

/// Why a date column gives no instant.
#[derive(Clone, Debug, PartialEq)]
pub enum DateFault {
    /// The text is at fault.
    Text(TimeError),
    /// The source states no zone, and the text needs one.
    Zone(String),
}

/// How one source spells its dates.
#[derive(Clone, Debug)]
pub struct Dates {
    pub forms: Vec<Form>,
    pub zone: Option<TimeZone>,
    pub end_is_last_day: bool,
    /// Words, normalised.
    pub never: BTreeSet<String>,
    pub unknown: BTreeSet<String>,
    pub not_applicable: BTreeSet<String>,
}

/// Spellings of "never" met in exports: AD, Go, Google, GCP keys, PostgreSQL, spreadsheets.
pub const NEVER: &[&str] = &[
    "never",
    "none",
    "0",
    "-1",
    "infinity",
    "9223372036854775807",
    "0001-01-01",
    "0001-01-01T00:00:00Z",
    "1970-01-01T00:00:00.000Z",
    "1970-01-01T00:00:00Z",
    "9999-12-31",
    "9999-12-31T23:59:59Z",
    "9999-12-31T00:00:00Z",
    "12/31/9999",
    "31.12.9999",
    "31/12/9999",
];
/// Spellings of "not known".
pub const UNKNOWN: &[&str] = &["unknown", "no_information", "null", "-", "?", "\\N"];
/// Spellings of "there is nothing to know".
pub const NOT_APPLICABLE: &[&str] = &["n/a", "na", "not_supported", "not applicable"];

impl Dates {
    /// What `text` says. Words are compared without case and outer blanks.
    ///
    /// # Errors
    /// The text is no date in any of the forms.
    pub fn read(&self, text: &str) -> Result<Reading, TimeError> {
        let text = text.trim();
        if let Some(at) = self.plain(text) {
            return Ok(Reading::At(When::Instant(at)));
        }
        let Some(word) = norm(text) else { return Ok(Reading::Missing) };
        if self.unknown.contains(&word) {
            return Ok(Reading::Missing);
        }
        if self.never.contains(&word) || is_last_day(text) {
            return Ok(Reading::Never);
        }
        if self.not_applicable.contains(&word) {
            return Ok(Reading::NotApplicable);
        }
        let found = self.forms.iter().find_map(|form| form.read(text).ok());
        let when = found.map_or_else(|| iso(text), Ok)?;
        Ok(if when.is_sentinel() { Reading::Never } else { Reading::At(when) })
    }

    /// The instant of a text in the form that most exports write, `2026-11-22T00:00:00Z`, where no word or other form could mean it
    /// otherwise: what the long way through [`Dates::read`] comes to.
    fn plain(&self, text: &str) -> Option<Time> {
        let [y, e, a, r, b'-', m, o, b'-', d, t, b'T', h, i, b':', n, u, b':', s, c, b'Z'] = text.as_bytes() else { return None };
        let two = |tens: &u8, ones: &u8| {
            let digit = |b: &u8| b.is_ascii_digit().then(|| i64::from(b - b'0'));
            Some(digit(tens)? * 10 + digit(ones)?)
        };
        let (year, month, day) = (two(y, e)? * 100 + two(a, r)?, two(m, o)?, two(d, t)?);
        let (hour, minute, second) = (two(h, i)?, two(n, u)?, two(s, c)?);
        // Words for missing dates are of other years, unless a source lists its own.
        let usual = (1971..=9998).contains(&year) && hour < 24 && minute < 60 && second < 60;
        if !usual || self.forms.iter().any(|form| *form != Form::Iso) {
            return None;
        }
        let date = Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
        if [&self.never, &self.unknown, &self.not_applicable].iter().any(|words| words.iter().any(|w| w.eq_ignore_ascii_case(text))) {
            return None;
        }
        // Days since 1970: whole cycles of 400 years, then what of the last one is over.
        let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let days = y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + i64::from(date.day()) - 1 - 719_468;
        Time::from_seconds(days * 86_400 + hour * 3_600 + minute * 60 + second)
    }

    /// The instant that `when` names.
    ///
    /// # Errors
    /// A zone is needed and none is stated, or the instant lies outside the years that are stored.
    pub fn instant(&self, when: &When, edge: Edge) -> Result<Time, DateFault> {
        let zone = |own: &Option<TimeZone>, shown: String| own.clone().or_else(|| self.zone.clone()).ok_or(DateFault::Zone(shown));
        let range = |shown: String| DateFault::Text(TimeError::Range(shown));
        match when {
            When::Instant(at) => Ok(*at),
            When::Local(at) => Time::from_civil(*at, &zone(&None, at.to_string())?).ok_or_else(|| range(at.to_string())),
            When::Day(day, own) => {
                let zone = zone(own, day.to_string())?;
                let first = if edge == Edge::End && self.end_is_last_day { day.tomorrow().ok() } else { Some(*day) };
                first.and_then(|d| Time::from_date(d, &zone)).ok_or_else(|| range(day.to_string()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_short_way_comes_to_what_the_long_way_does(
            y in 1960i32..10_010, mo in 0u32..14, d in 0u32..33, h in 0u32..26, mi in 0u32..61, s in 0u32..62, own in any::<bool>(),
        ) {
            let text = format!("{y:04}-{mo:02}-{d:02}T{h:02}:{mi:02}:{s:02}Z");
            let words = |list: &[&str]| list.iter().filter_map(|w| norm(w)).collect::<BTreeSet<String>>();
            let mut dates = Dates {
                forms: Vec::new(), zone: None, end_is_last_day: true,
                never: words(NEVER), unknown: words(UNKNOWN), not_applicable: words(NOT_APPLICABLE),
            };
            if own {
                dates.never.extend(norm(&text));
            }
            match dates.plain(&text) {
                Some(at) => {
                    prop_assert!(!own);
                    prop_assert_eq!(iso(&text), Ok(When::Instant(at)));
                    prop_assert_eq!(dates.read(&text), Ok(Reading::At(When::Instant(at))));
                }
                // What is left to the long way is no instant of these years, or a word.
                None => prop_assert!(own || !(1971..9_999).contains(&y) || iso(&text).is_err() || s == 60),
            }
        }
    }

    fn dates(forms: &[&str], zone: Option<&str>) -> Dates {
        let words = |list: &[&str]| list.iter().filter_map(|w| norm(w)).collect();
        Dates {
            forms: forms.iter().map(|f| Form::parse(f).unwrap()).collect(),
            zone: zone.map(|z| TimeZone::get(z).unwrap()),
            end_is_last_day: true,
            never: words(NEVER),
            unknown: words(UNKNOWN),
            not_applicable: words(NOT_APPLICABLE),
        }
    }

    fn at(d: &Dates, text: &str, edge: Edge) -> String {
        match d.read(text).unwrap() {
            Reading::At(when) => d.instant(&when, edge).unwrap().to_string(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn rule_11_5_a_bare_end_date_is_the_last_day_in_local_time() {
        let mut d = dates(&["%m/%d/%Y"], Some("Europe/Berlin"));
        assert_eq!(at(&d, "06/30/2026", Edge::Start), "2026-06-29T22:00:00Z");
        assert_eq!(at(&d, "06/30/2026", Edge::End), "2026-06-30T22:00:00Z");
        d.end_is_last_day = false;
        assert_eq!(at(&d, "06/30/2026", Edge::End), "2026-06-29T22:00:00Z");
    }

    #[test]
    fn rule_11_5_the_day_of_a_clock_change_has_23_or_25_hours() {
        let d = dates(&[], Some("Europe/Berlin"));
        assert_eq!(at(&d, "2026-03-29", Edge::Start), "2026-03-28T23:00:00Z");
        assert_eq!(at(&d, "2026-03-29", Edge::End), "2026-03-29T22:00:00Z");
        assert_eq!(at(&d, "2026-10-25", Edge::End), "2026-10-25T23:00:00Z");
    }

    #[test]
    fn rule_11_5_offsets_in_the_data_win() {
        let d = dates(&["%d.%m.%Y %H:%M %z"], Some("Europe/Berlin"));
        assert_eq!(at(&d, "2026-06-30-07:00", Edge::End), "2026-07-01T07:00:00Z");
        assert_eq!(at(&d, "2026-06-30T12:00:00+0000", Edge::End), "2026-06-30T12:00:00Z");
        assert_eq!(at(&d, "30.06.2026 12:00 -0100", Edge::End), "2026-06-30T13:00:00Z");
    }

    #[test]
    fn rule_11_5_a_bare_date_needs_a_zone() {
        let d = dates(&[], None);
        let Reading::At(when) = d.read("2026-06-30").unwrap() else { panic!() };
        assert_eq!(d.instant(&when, Edge::Start), Err(DateFault::Zone("2026-06-30".into())));
        assert_eq!(at(&d, "2026-06-30T00:00:00Z", Edge::Start), "2026-06-30T00:00:00Z");
    }

    #[test]
    fn every_spelling_of_a_time() {
        let d = dates(&["epoch-seconds"], Some("UTC"));
        for text in ["1777406310", "1777406310.25", "/Date(1777406310050)/", "/Date(1777406310050+0200)/"] {
            assert!(at(&d, text, Edge::Start).starts_with("2026-04-28T19:58:30"), "{text}");
        }
        assert_eq!(at(&d, "2026-04-28 19:58:30", Edge::Start), "2026-04-28T19:58:30Z");
        assert_eq!(at(&dates(&["epoch-millis"], None), "1777406310050", Edge::Start), "2026-04-28T19:58:30.05Z");
        assert_eq!(at(&dates(&["filetime"], None), "133484544000000000", Edge::Start), "2023-12-31T00:00:00Z");
        for text in [
            "2019-10-17T00:00:00Z",
            "2019-10-17T00:00:00+00:00",
            "2019-10-16T18:00:00-06:00",
            "2019-10-17T00:00:00.000+0000",
            "2019-10-17 00:00:00",
            "1571270400",
            "1571270400.0",
            "/Date(1571270400000)/",
            "/Date(1571270400000-0600)/",
        ] {
            assert_eq!(at(&d, text, Edge::Start), "2019-10-17T00:00:00Z", "{text}");
        }
        let us = dates(&["%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y"], Some("America/New_York"));
        assert_eq!(at(&us, "11/22/2026 1:22:50 AM", Edge::Start), "2026-11-22T06:22:50Z");
        assert_eq!(at(&us, "11/22/2026", Edge::Start), "2026-11-22T05:00:00Z");
    }

    #[test]
    fn never_unknown_and_not_applicable_are_three_things() {
        let d = dates(&[], Some("UTC"));
        for text in ["9999-12-31", "Never", "0", "0001-01-01T00:00:00Z", "infinity"] {
            assert_eq!(d.read(text), Ok(Reading::Never), "{text}");
        }
        for text in ["no_information", " ", "", "null", "unknown", "\\N"] {
            assert_eq!(d.read(text), Ok(Reading::Missing), "{text:?}");
        }
        for text in ["N/A", "not_supported", "na"] {
            assert_eq!(d.read(text), Ok(Reading::NotApplicable), "{text}");
        }
    }

    #[test]
    fn never_in_every_spelling_of_the_programs_that_write_it() {
        let d = dates(&["%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y", "epoch-seconds"], Some("America/New_York"));
        for text in [
            "0",
            "-1",
            "0001-01-01",
            "0001-01-01T00:00:00",
            "0001-01-01T00:00:00Z",
            "1/1/0001 12:00:00 AM",
            "/Date(-62135596800000)/",
            "1601-01-01T00:00:00.0000000Z",
            "12/31/1600 7:00:00 PM",
            "/Date(-11644473600000)/",
            "1970-01-01T00:00:00Z",
            "1970-01-01T00:00:00.000Z",
            "9999-12-31",
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59.999Z",
            "9999-12-31T23:59:59.9999999",
            "9999-12-31 00:00:00",
            "12/31/9999",
            "12/31/9999 11:59:59 PM",
            "253402300799",
            "9223372036854775807",
            "infinity",
            "Infinity",
        ] {
            assert_eq!(d.read(text), Ok(Reading::Never), "{text}");
        }
        for text in ["1970-01-01", "1970-01-02T00:00:00Z", "0001-01-02T00:00:00Z", "9999-12-30T00:00:00Z", "1900-01-01"] {
            assert!(matches!(d.read(text), Ok(Reading::At(_))), "{text}: a date like others");
        }
    }

    #[test]
    fn what_is_no_date_is_named() {
        let d = dates(&["%m/%d/%Y"], Some("UTC"));
        assert_eq!(d.read("20260-01-01"), Err(TimeError::Range("20260-01-01".into())));
        for text in ["01/01/20260", "31/31/2026", "soon", "2026-06-30T00:00[Europe/Berlin]"] {
            assert!(matches!(d.read(text), Err(TimeError::Form(_))), "{text}");
        }
    }

    #[test]
    fn forms_that_read_one_text_two_ways_clash() {
        let form = |f: &str| Form::parse(f).unwrap();
        assert!(form("%m/%d/%Y").clashes(&form("%d/%m/%Y")));
        assert!(!form("%m/%d/%Y").clashes(&form("%d.%m.%Y")));
        assert!(Form::parse("%Y").is_err());
        assert!(Form::parse("MM/DD/YYYY").is_err());
    }
}
