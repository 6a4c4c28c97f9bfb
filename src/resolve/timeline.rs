//! One identity's employments as spans, and its standing at an instant.

use crate::model::{Standing, Time};

/// An end: the instants between which it lies, and those between which the authority entered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leave {
    /// The end lies after it; `None`: exact, or no lower bound is known.
    pub after: Option<Time>,
    /// The end lies at or before it.
    pub by: Time,
    /// `by` is the authority's own date.
    pub exact: bool,
    /// It was entered after this instant; `None`: exact, or no lower bound is known.
    pub known_after: Option<Time>,
    /// It was entered at or before this instant.
    pub known_by: Time,
}

/// One span of belonging, half-open: the instant of its end is the first one outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The start lies after it and at or before `start`; `None`: the start is exact.
    pub start_after: Option<Time>,
    /// First instant inside; `None`: before the list began.
    pub start: Option<Time>,
    /// `None`: open.
    pub end: Option<Leave>,
    /// The record says that the person is on leave, which is not having left.
    pub suspended: bool,
}

/// From where one looks at an end that falls on the very instant asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// From the authority: the end is the first instant outside.
    ByAuthority,
    /// From a system observed at that instant: an end counts if it took effect *before* it. A dated end must therefore lie earlier. An
    /// undated one lies at or before the instant of a file that already told of it, so it counts from that instant on.
    BySystem,
}

/// Every span of one identity, over all records joined into it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    pub spans: Vec<Span>,
}

/// What a timeline says of one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    pub standing: Standing,
    /// Start of the unbroken belonging that covers the instant, renewals without a gap included; `None`: not active, or an open start.
    pub active_since: Option<Time>,
    /// The end that counts: present exactly when `standing` is `left`.
    pub leave: Option<Leave>,
    /// Not left, and an end is on record that lies, or may lie, at or after the instant.
    pub leaves_later: bool,
}

/// One span at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Before,
    Covers,
    /// The bounds of its start or end do not tell.
    Maybe,
    Ended,
}

impl Span {
    fn phase(&self, t: Time, seen: Seen) -> Phase {
        let ended = self.end.map_or(Phase::Covers, |e| e.phase(t, seen));
        if ended == Phase::Ended {
            return Phase::Ended;
        }
        let Some(start) = self.start else { return ended };
        // A span of no length, or one that ends before it starts, holds nobody at any instant.
        let empty = self.end.is_some_and(|e| e.by <= start);
        if t >= start {
            return if empty { Phase::Before } else { ended };
        }
        if self.start_after.is_some_and(|after| t > after) { Phase::Maybe } else { Phase::Before }
    }
}

impl Leave {
    fn phase(&self, t: Time, seen: Seen) -> Phase {
        let over = match (self.exact, seen) {
            (true, Seen::BySystem) => self.by < t,
            _ => self.by <= t,
        };
        match (over, self.exact, self.after) {
            (true, ..) => Phase::Ended,
            (false, true, _) => Phase::Covers,
            (false, false, Some(after)) if t <= after => Phase::Covers,
            (false, false, _) => Phase::Maybe,
        }
    }
}

impl Timeline {
    /// The standing at `t`: left means that no span covers `t` and one has ended (11.5).
    pub fn at(&self, t: Time, seen: Seen) -> View {
        let any = |p: Phase| self.in_phase(p, t, seen).next().is_some();
        let covered = any(Phase::Covers);
        let here = covered || any(Phase::Maybe);
        let standing = if covered {
            if self.in_phase(Phase::Covers, t, seen).all(|s| s.suspended) { Standing::Suspended } else { Standing::Active }
        } else if here {
            Standing::Unknown
        } else if any(Phase::Ended) {
            Standing::Left
        } else if any(Phase::Before) {
            Standing::NotStarted
        } else {
            Standing::Unknown
        };
        let ended = self.in_phase(Phase::Ended, t, seen).filter_map(|s| s.end);
        View {
            standing,
            active_since: if standing == Standing::Active { self.first_start(t, seen) } else { None },
            // Of two ends at one instant the dated one says more.
            leave: if standing == Standing::Left { ended.max_by_key(|e| (e.by, e.exact, e.after)) } else { None },
            leaves_later: here && self.last_end(t, seen).is_some(),
        }
    }

    fn in_phase(&self, phase: Phase, t: Time, seen: Seen) -> impl Iterator<Item = &Span> {
        self.spans.iter().filter(move |s| s.phase(t, seen) == phase)
    }

    /// The start of the unbroken belonging that ends in the spans which cover the instant; `None`: it is open.
    fn first_start(&self, t: Time, seen: Seen) -> Option<Time> {
        let mut first = earliest(self.in_phase(Phase::Covers, t, seen))??;
        // Each round either ends the search or moves `first` to an earlier start.
        loop {
            let before = self.spans.iter().filter(|s| s.end.is_none_or(|e| e.by >= first) && s.start.is_none_or(|start| start < first));
            match earliest(before) {
                Some(earlier) => first = earlier?,
                None => return Some(first),
            }
        }
    }

    /// The end of the unbroken belonging that starts from the spans which cover, or may cover, the instant; `None`: it is open.
    fn last_end(&self, t: Time, seen: Seen) -> Option<Time> {
        let mut last = latest(self.spans.iter().filter(|s| matches!(s.phase(t, seen), Phase::Covers | Phase::Maybe)))??;
        // A renewal that starts by then goes on: each round either ends the search or moves `last` to a later end.
        loop {
            let next = self.spans.iter().filter(|s| s.start.is_none_or(|start| start <= last) && s.end.is_none_or(|e| e.by > last));
            match latest(next) {
                Some(later) => last = later?,
                None => return Some(last),
            }
        }
    }
}

/// The earliest start of some spans: `None`: there is no span; `Some(None)`: one has an open start.
fn earliest<'a>(spans: impl Iterator<Item = &'a Span>) -> Option<Option<Time>> {
    spans.map(|s| s.start).min()
}

/// The latest end of some spans: `None`: there is no span; `Some(None)`: one has no end.
fn latest<'a>(spans: impl Iterator<Item = &'a Span>) -> Option<Option<Time>> {
    let open_last = |end: &Option<Time>| (end.is_none(), *end);
    spans.map(|s| s.end.map(|e| e.by)).max_by_key(open_last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(s: i64) -> Time {
        Time::from_seconds(s).unwrap()
    }

    fn dated(start: Option<i64>, end: Option<i64>) -> Span {
        let end = end.map(|e| Leave { after: None, by: t(e), exact: true, known_after: None, known_by: t(e) });
        Span { start_after: None, start: start.map(t), end, suspended: false }
    }

    fn undated(after: Option<i64>, by: i64) -> Span {
        let end = Leave { after: after.map(t), by: t(by), exact: false, known_after: after.map(t), known_by: t(by) };
        Span { start_after: None, start: None, end: Some(end), suspended: false }
    }

    fn standing(spans: &[Span], at: i64, seen: Seen) -> Standing {
        Timeline { spans: spans.to_vec() }.at(t(at), seen).standing
    }

    #[test]
    fn rule_11_5_a_span_is_half_open() {
        let spans = [dated(Some(10), Some(20))];
        let got: Vec<_> = [9, 10, 19, 20, 21].map(|at| standing(&spans, at, Seen::ByAuthority)).to_vec();
        assert_eq!(got, [Standing::NotStarted, Standing::Active, Standing::Active, Standing::Left, Standing::Left]);
    }

    #[test]
    fn rule_11_3_a_dated_end_counts_only_strictly_before_the_observation() {
        let line = Timeline { spans: vec![dated(None, Some(6_000))] };
        let minute_before = line.at(t(6_060), Seen::BySystem);
        assert_eq!((minute_before.standing, minute_before.leaves_later), (Standing::Left, false));
        for at in [6_000, 5_940] {
            let view = line.at(t(at), Seen::BySystem);
            assert_eq!((view.standing, view.leave, view.leaves_later), (Standing::Active, None, true), "{at}");
        }
    }

    #[test]
    fn rule_11_5_an_undated_end_is_an_interval_and_counts_from_its_file_on() {
        let spans = [undated(Some(10), 20)];
        let got: Vec<_> = [10, 11, 19, 20].map(|at| standing(&spans, at, Seen::BySystem)).to_vec();
        assert_eq!(got, [Standing::Active, Standing::Unknown, Standing::Unknown, Standing::Left]);
        assert_eq!(standing(&[undated(None, 20)], 5, Seen::BySystem), Standing::Unknown);
    }

    #[test]
    fn rule_11_5_a_rehire_covers_and_a_gap_does_not() {
        let spans = [dated(Some(0), Some(10)), dated(Some(20), None)];
        assert_eq!(standing(&spans, 15, Seen::BySystem), Standing::Left);
        assert_eq!(standing(&spans, 25, Seen::BySystem), Standing::Active);
        let gap = Timeline { spans: spans.to_vec() }.at(t(15), Seen::BySystem);
        assert_eq!(gap.leave.map(|l| l.by), Some(t(10)));
    }

    #[test]
    fn a_renewal_without_a_gap_is_no_leaving() {
        let renewed = Timeline { spans: vec![dated(Some(0), Some(10)), dated(Some(10), None)] };
        assert!(!renewed.at(t(5), Seen::BySystem).leaves_later);
        let twice = Timeline { spans: vec![dated(Some(0), Some(10)), dated(Some(10), Some(30))] };
        assert!(twice.at(t(5), Seen::BySystem).leaves_later);
    }

    #[test]
    fn active_since_goes_back_over_renewals_and_not_over_gaps() {
        let since = |spans: &[Span], at| Timeline { spans: spans.to_vec() }.at(t(at), Seen::ByAuthority).active_since;
        assert_eq!(since(&[dated(Some(0), Some(10)), dated(Some(10), None)], 15), Some(t(0)));
        assert_eq!(since(&[dated(Some(0), Some(10)), dated(Some(12), None)], 15), Some(t(12)));
        assert_eq!(since(&[dated(None, Some(10)), dated(Some(10), None)], 15), None);
        assert_eq!(since(&[dated(Some(0), Some(10))], 15), None);
    }

    #[test]
    fn leave_is_suspended_unless_another_span_is_active() {
        let away = Span { suspended: true, ..dated(None, None) };
        assert_eq!(standing(&[away], 5, Seen::BySystem), Standing::Suspended);
        assert_eq!(standing(&[away, dated(None, None)], 5, Seen::BySystem), Standing::Active);
    }

    #[test]
    fn empty_and_reversed_spans_hold_nobody() {
        for span in [dated(Some(10), Some(10)), dated(Some(20), Some(10))] {
            for at in 0..40 {
                for seen in [Seen::ByAuthority, Seen::BySystem] {
                    assert!(matches!(standing(&[span], at, seen), Standing::NotStarted | Standing::Left), "{span:?} at {at}");
                }
            }
        }
    }

    #[test]
    fn no_span_is_unknown() {
        assert_eq!(standing(&[], 5, Seen::ByAuthority), Standing::Unknown);
    }
}
