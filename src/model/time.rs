//! Instants and their spellings. Everything stored is microseconds since 1970-01-01T00:00:00, UTC, without a zone.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// Microseconds in one second, hour and day: the unit of every stored instant and difference.
pub const SECOND: i64 = 1_000_000;
pub const HOUR: i64 = 3_600 * SECOND;
pub const DAY: i64 = 24 * HOUR;

/// An instant: microseconds since the Unix epoch, UTC, between the years 1 and 9999. The default is the epoch itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

/// Why a text or number is not an instant that holdover stores.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    #[error("`{0}` is not a date or time in a known form")]
    Form(String),
    #[error("`{0}` lies outside the years 1 to 9999")]
    Range(String),
    #[error("`{0}` has no time zone, and the source states none")]
    NoZone(String),
}

impl Time {
    /// From microseconds since the epoch; `None` outside the years 1 to 9999.
    pub fn from_micros(us: i64) -> Option<Self> {
        // 0001-01-01 and 9999-12-31T23:59:59.999999: what DuckDB, Spark and jiff all hold and print with four digits.
        (-62_135_596_800_000_000..=253_402_300_799_999_999).contains(&us).then_some(Self(us))
    }

    /// From seconds since the epoch.
    pub fn from_seconds(s: i64) -> Option<Self> {
        s.checked_mul(SECOND).and_then(Self::from_micros)
    }

    /// From milliseconds since the epoch.
    pub fn from_millis(ms: i64) -> Option<Self> {
        ms.checked_mul(1_000).and_then(Self::from_micros)
    }

    /// From a Windows FILETIME: 100 ns ticks since 1601-01-01. Sentinels (`0`, the maximum) are the caller's to read.
    pub fn from_filetime(ticks: i64) -> Option<Self> {
        (ticks / 10).checked_sub(11_644_473_600 * SECOND).and_then(Self::from_micros)
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This instant moved by `us` microseconds, held at the ends of the range.
    pub fn plus(self, us: i64) -> Self {
        Self(self.0.saturating_add(us).clamp(-62_135_596_800_000_000, 253_402_300_799_999_999))
    }

    /// A date-time of a civil calendar in `zone`. In a gap or fold of the zone the earlier offset is taken.
    pub fn from_civil(at: DateTime, zone: &TimeZone) -> Option<Self> {
        let zoned = zone.to_ambiguous_zoned_datetime(at).compatible().ok()?;
        Self::from_micros(zoned.timestamp().as_microsecond())
    }

    /// Midnight at the start of a civil day in `zone`.
    pub fn from_date(day: Date, zone: &TimeZone) -> Option<Self> {
        Self::from_civil(day.at(0, 0, 0, 0), zone)
    }

    /// RFC 3339 / ISO 8601 with an offset or `Z` (also `+0000`, a space for the `T`, up to nine decimals).
    ///
    /// # Errors
    /// Names the text and whether its form, its range or its missing offset is at fault.
    pub fn parse_iso(text: &str) -> Result<Self, TimeError> {
        let text = text.trim();
        if let Ok(ts) = text.parse::<Timestamp>() {
            return Self::from_micros(ts.as_microsecond()).ok_or_else(|| TimeError::Range(text.to_owned()));
        }
        if text.parse::<DateTime>().is_ok() {
            return Err(TimeError::NoZone(text.to_owned()));
        }
        let long_year = text.split('-').next().is_some_and(|y| y.len() > 4 && y.bytes().all(|b| b.is_ascii_digit()));
        Err(if long_year { TimeError::Range(text.to_owned()) } else { TimeError::Form(text.to_owned()) })
    }

    /// As [`Time::parse_iso`]; a text without an offset is civil time in `zone` (a bare date: its first instant).
    ///
    /// # Errors
    /// As [`Time::parse_iso`].
    pub fn parse_iso_in(text: &str, zone: &TimeZone) -> Result<Self, TimeError> {
        match Self::parse_iso(text) {
            Err(TimeError::NoZone(_)) => text
                .trim()
                .parse::<DateTime>()
                .ok()
                .and_then(|at| Self::from_civil(at, zone))
                .ok_or_else(|| TimeError::Form(text.to_owned())),
            other => other,
        }
    }

    /// The name of a snapshot directory: `20261122T000000Z`. Part seconds are cut off.
    pub fn compact(self) -> String {
        self.stamp().map_or_else(String::new, |ts| ts.strftime("%Y%m%dT%H%M%SZ").to_string())
    }

    /// The civil date in UTC, `2026-11-22`.
    pub fn date(self) -> String {
        self.stamp().map_or_else(String::new, |ts| ts.strftime("%Y-%m-%d").to_string())
    }

    fn stamp(self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.0).ok()
    }
}

impl fmt::Display for Time {
    /// RFC 3339 in UTC; decimals only where there are any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stamp() {
            Some(ts) => write!(f, "{ts}"),
            None => write!(f, "{}us", self.0),
        }
    }
}

impl serde::Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse_iso(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_forms_name_one_instant() {
        let want = Time::from_seconds(1_795_341_600).unwrap();
        for text in [
            "2026-11-22T10:00:00Z",
            "2026-11-22T10:00:00+00:00",
            "2026-11-22T04:00:00-06:00",
            "2026-11-22 10:00:00Z",
            "2026-11-22T10:00:00+0000",
        ] {
            assert_eq!(Time::parse_iso(text), Ok(want), "{text}");
        }
        assert_eq!(want.to_string(), "2026-11-22T10:00:00Z");
        assert_eq!(want.compact(), "20261122T100000Z");
    }

    #[test]
    fn a_year_of_five_digits_is_out_of_range() {
        assert_eq!(Time::parse_iso("20260-01-01T00:00:00Z"), Err(TimeError::Range("20260-01-01T00:00:00Z".into())));
        assert_eq!(Time::from_micros(i64::MAX), None);
    }

    #[test]
    fn a_bare_date_is_local_to_the_zone_that_the_source_states() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(Time::parse_iso_in("2026-07-01", &berlin).unwrap().to_string(), "2026-06-30T22:00:00Z");
        assert_eq!(Time::parse_iso("2026-07-01"), Err(TimeError::NoZone("2026-07-01".into())));
    }

    #[test]
    fn filetime_counts_from_1601() {
        assert_eq!(Time::from_filetime(133_484_544_000_000_000).unwrap().to_string(), "2023-12-31T00:00:00Z");
    }
}
