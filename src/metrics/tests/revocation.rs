//! Cases by hand: one sighting moved, one answer changed.

use crate::metrics::leavers::{Access, Case, Fate, Sighting, Start, fate};
use crate::metrics::survival::Interval;
use crate::model::Time;
use crate::model::time::{DAY, HOUR};

pub fn day(n: i64) -> Time {
    Time::from_seconds(1_790_000_000).unwrap().plus(n * DAY)
}

pub fn at(n: i64) -> Start {
    Start { after: None, by: day(n), exact: true }
}

fn look(n: i64, access: Access, sure: bool) -> Sighting {
    let live = if access > Access::None { vec!["a".to_owned()] } else { Vec::new() };
    Sighting { at: day(n), access, sure, live }
}

const LIVE: Access = Access::Certain;
const NONE: Access = Access::None;

/// The fate for an end on day 3.
fn of(sightings: &[Sighting], events: &[(Time, &str)]) -> (Fate, Option<Access>) {
    fate(sightings, |t| t > day(3), events)
}

pub fn case(end: Start, known: Start, fate: Fate) -> Case {
    Case { leaver: "p1".into(), name: None, system: "ad".into(), linked: true, certain: true, end, known, fate, now: None, followed: true }
}

#[test]
fn a_case_closes_at_the_first_complete_look_without_access_after_the_last_with() {
    let seen = [look(0, LIVE, true), look(7, LIVE, true), look(14, NONE, false), look(21, NONE, true), look(28, NONE, true)];
    assert_eq!(of(&seen, &[]), (Fate::Closed { after: Some(day(7)), by: day(21) }, Some(NONE)));
    assert_eq!(of(&seen[..3], &[]), (Fate::Open { last: day(7) }, Some(LIVE)));
    assert_eq!(of(&seen[..2], &[]), (Fate::Open { last: day(7) }, Some(LIVE)));
}

#[test]
fn access_that_comes_back_was_never_removed() {
    let seen = [look(0, LIVE, true), look(7, NONE, true), look(14, LIVE, true), look(21, NONE, true)];
    assert_eq!(of(&seen, &[]).0, Fate::Closed { after: Some(day(14)), by: day(21) });
    assert_eq!(of(&seen[..3], &[]).0, Fate::Open { last: day(14) });
}

#[test]
fn what_is_gone_by_the_first_look_after_the_end_took_no_time_or_any_up_to_there() {
    let seen = [look(0, LIVE, true), look(7, NONE, true)];
    let (fate, now) = of(&seen, &[]);
    assert_eq!((fate, now), (Fate::Closed { after: None, by: day(7) }, Some(NONE)));
    assert_eq!(case(at(3), at(3), fate).duration(at(3)), Some(Interval { after: -1, by: Some(4 * DAY) }));
}

#[test]
fn access_that_ended_before_is_no_case_and_without_a_look_after_the_end_nothing_is_known() {
    assert_eq!(of(&[look(0, LIVE, true), look(2, NONE, true), look(7, NONE, true)], &[]).0, Fate::NoCase);
    // An incomplete look that shows nothing does not say that the access had ended.
    assert_eq!(of(&[look(0, LIVE, true), look(2, NONE, false), look(7, NONE, true)], &[]).0, Fate::Closed { after: None, by: day(7) });
    assert_eq!(of(&[look(0, LIVE, true), look(3, LIVE, true)], &[]), (Fate::NotYetObservable, None));
    assert_eq!(of(&[look(0, LIVE, true), look(7, NONE, false)], &[]), (Fate::NotYetObservable, None));
    assert_eq!(of(&[look(0, NONE, true)], &[]), (Fate::NoCase, None), "what had ended before needs no further look");
}

#[test]
fn the_log_narrows_a_case_only_where_it_tells_of_every_account() {
    let mut seen = [look(0, LIVE, true), look(7, LIVE, true), look(14, NONE, true)];
    let cut = day(9).plus(5 * HOUR);
    assert_eq!(of(&seen, &[(cut, "a")]).0, Fate::ClosedAt(cut));
    assert_eq!(of(&seen, &[(day(7), "a")]).0, Fate::Closed { after: Some(day(7)), by: day(14) }, "before the last sighting");
    seen[1].live.push("b".into());
    assert_eq!(of(&seen, &[(cut, "a")]).0, Fate::Closed { after: Some(day(7)), by: day(14) });
    assert_eq!(of(&seen, &[(cut, "a"), (day(10), "b")]).0, Fate::ClosedAt(day(10)));
}

#[test]
fn durations_are_as_wide_as_both_ends_allow() {
    let closed = Fate::Closed { after: Some(day(7)), by: day(14) };
    let undated = Start { after: Some(day(1)), by: day(4), exact: false };
    let unknown = Start { after: None, by: day(4), exact: false };
    let of = |start, fate| case(start, start, fate).duration(start);
    assert_eq!(of(at(3), closed), Some(Interval { after: 4 * DAY, by: Some(11 * DAY) }));
    assert_eq!(of(undated, closed), Some(Interval { after: 3 * DAY, by: Some(13 * DAY - 1) }));
    assert_eq!(of(unknown, closed), None, "left-censored");
    assert_eq!(of(at(3), Fate::ClosedAt(day(5))), Some(Interval::exact(2 * DAY)));
    assert_eq!(of(at(3), Fate::ClosedAt(day(2))), Some(Interval::exact(0)), "cut off before the end");
    assert_eq!(of(undated, Fate::ClosedAt(day(5))), Some(Interval { after: DAY - 1, by: Some(4 * DAY - 1) }));
    assert_eq!(of(at(3), Fate::Open { last: day(7) }), Some(Interval { after: 4 * DAY, by: None }));
    assert_eq!(of(undated, Fate::Open { last: day(7) }), Some(Interval { after: 3 * DAY, by: None }));
}

#[test]
fn the_known_clock_starts_at_the_later_of_end_and_entry() {
    assert_eq!(at(3).later(at(1)), at(3), "entered in advance");
    assert_eq!(at(3).later(at(9)), at(9), "entered late");
    let between = Start { after: Some(day(0)), by: day(7), exact: false };
    assert_eq!(at(3).later(between), Start { after: Some(day(3).plus(-1)), by: day(7), exact: false });
    assert_eq!(at(9).later(between), at(9));
    let after = Start { after: Some(day(5)), by: day(7), exact: false };
    assert_eq!(at(3).later(after), after);
    let unknown = Start { after: None, by: day(7), exact: false };
    assert_eq!(unknown.later(unknown).after, None);
}
