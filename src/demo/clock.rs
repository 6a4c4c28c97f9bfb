//! The demo's calendar. Everything is dated in days before the last export, so that no table holds a literal date.

use crate::model::Time;
use crate::model::time::{DAY, HOUR, SECOND};

/// How many weekly exports there are.
pub const WEEKS: i64 = 8;

/// The instant of the last export: Sunday 2026-11-22, 00:00 UTC.
pub fn end() -> Time {
    Time::default().plus(1_795_305_600 * SECOND)
}

/// The instant at which the demo is judged: six hours after the last export.
pub fn as_of() -> Time {
    end().plus(6 * HOUR)
}

/// The instants of the exports, oldest first.
pub fn weeks() -> Vec<Time> {
    (0..WEEKS).rev().map(|back| days_before(back * 7)).collect()
}

/// Midnight UTC, `days` before the last export; negative: after it.
pub fn days_before(days: i64) -> Time {
    end().plus(-days * DAY)
}

/// Midday of the civil day `days` before the last export.
pub fn noon(days: i64) -> Time {
    days_before(days).plus(12 * HOUR)
}

/// Whether that civil day is a Saturday or a Sunday. The last export is a Sunday.
pub fn is_weekend(days: i64) -> bool {
    matches!(days.rem_euclid(7), 0 | 1)
}

/// LDAP generalizedTime as OpenLDAP writes it: `20261122000000Z`.
pub fn generalized(at: Time) -> String {
    at.compact().replace('T', "")
}

/// generalizedTime as Active Directory writes it: `20261122000000.0Z`.
pub fn generalized_ad(at: Time) -> String {
    generalized(at).replace('Z', ".0Z")
}

/// FILETIME: 100 ns ticks since 1601.
pub fn filetime(at: Time) -> i64 {
    at.micros() * 10 + 116_444_736_000_000_000
}

/// RFC 3339 with `+00:00`, as the AWS CLI prints it.
pub fn offset_iso(at: Time) -> String {
    at.to_string().replace('Z', "+00:00")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_export_is_a_sunday_in_november() {
        assert_eq!(end().to_string(), "2026-11-22T00:00:00Z");
        assert_eq!(weeks().first().unwrap().date(), "2026-10-04");
        assert!(is_weekend(0) && is_weekend(1) && !is_weekend(2) && !is_weekend(6));
    }

    #[test]
    fn vendors_spell_instants_in_their_own_ways() {
        assert_eq!(generalized_ad(end()), "20261122000000.0Z");
        assert_eq!(offset_iso(as_of()), "2026-11-22T06:00:00+00:00");
        assert_eq!(Time::from_filetime(filetime(end())), Some(end()));
    }
}
