//! The calendar of an estate. Everything is dated before its last exports, so that no table holds a literal date.

use crate::model::Time;
use crate::model::time::{DAY, HOUR, SECOND};

/// The instant of the last exports: Sunday 2026-11-22, 00:00 UTC.
pub fn end() -> Time {
    Time::default().plus(1_795_305_600 * SECOND)
}

/// The instant for which the estate is to be audited: six hours later.
pub fn as_of() -> Time {
    end().plus(6 * HOUR)
}

/// The instant of one weekly snapshot of `snapshots`, the oldest of which is 0.
pub fn taken_at(week: u32, snapshots: u32) -> Time {
    days_before(7 * i64::from(snapshots.saturating_sub(week + 1)))
}

/// Midnight, so many days before the last exports.
pub fn days_before(days: i64) -> Time {
    end().plus(-days * DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_are_a_week_apart_and_the_last_one_is_the_end() {
        let dates: Vec<String> = (0..3).map(|week| taken_at(week, 3).date()).collect();
        assert_eq!(dates, ["2026-11-08", "2026-11-15", "2026-11-22"]);
        assert_eq!(taken_at(0, 1), end());
    }
}
