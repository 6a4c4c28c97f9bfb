//! How an account, a credential or an edge lives through the year: what each weekly export shows of it.

use super::clock;
use super::dice::share;
use crate::model::Time;
use crate::model::time::{DAY, HOUR};

/// Stretches of time, each from its first instant up to and without its last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spans(Vec<(Time, Time)>);

impl Spans {
    pub fn never() -> Self {
        Self::default()
    }

    pub fn from(start: Time) -> Self {
        Self(vec![(start, far())])
    }

    #[must_use]
    pub fn and(mut self, start: Time, end: Time) -> Self {
        self.0.push((start, end));
        self
    }

    /// Whether `at` lies in one of them.
    pub fn holds(&self, at: Time) -> bool {
        self.0.iter().any(|(start, end)| *start <= at && at < *end)
    }

    /// The start of the stretch that holds `at`.
    pub fn since(&self, at: Time) -> Option<Time> {
        self.0.iter().filter(|(start, end)| *start <= at && at < *end).map(|(start, _)| *start).min()
    }

    /// The first instant of each.
    pub fn starts(&self) -> impl Iterator<Item = Time> {
        self.0.iter().map(|(start, _)| *start)
    }

    /// The last stretch never ends.
    pub fn stay(&mut self) {
        if let Some((_, end)) = self.0.last_mut() {
            *end = far();
        }
    }

    /// Nothing of them lies at or after `at` any more.
    pub fn cut(&mut self, at: Time) {
        self.0.retain(|(start, _)| *start < at);
        for (_, end) in &mut self.0 {
            *end = (*end).min(at);
        }
    }
}

fn far() -> Time {
    clock::end().plus(3_650 * DAY)
}

/// How something is used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Habit {
    /// Every few days, as long as it can be.
    Regular,
    /// Never after this instant.
    Until(Time),
    /// Not between these two, regularly afterwards.
    Gap(Time, Time),
    Never,
}

impl Habit {
    /// The newest use before `at` of what `name` names and what exists since `born`.
    pub fn last(self, at: Time, born: Time, name: &str) -> Option<Time> {
        let newest = match self {
            Self::Never => return None,
            Self::Regular => recent(at, name),
            Self::Until(stop) => recent(at, name).min(stop),
            Self::Gap(stop, again) if at < again => recent(at, name).min(stop),
            Self::Gap(_, again) => recent(at, name).max(again),
        };
        let first = born.plus(HOUR / 2);
        (first < at).then_some(newest.max(first))
    }
}

/// Two to fifty hours before `at`, another distance each week.
fn recent(at: Time, name: &str) -> Time {
    at.plus(-(2 * HOUR + share("use", &format!("{name}@{}", at.micros()), 48 * 3_600) * 1_000_000))
}

/// The life of an account.
#[derive(Clone, Debug, PartialEq)]
pub struct Life {
    pub created: Time,
    /// From here on no export shows it.
    pub removed: Option<Time>,
    pub disabled: Spans,
    pub habit: Habit,
}

impl Life {
    pub fn new(created: Time) -> Self {
        Self { created, removed: None, disabled: Spans::never(), habit: Habit::Regular }
    }

    pub fn exists(&self, at: Time) -> bool {
        self.created <= at && self.removed.is_none_or(|gone| at < gone)
    }

    pub fn is_disabled(&self, at: Time) -> bool {
        self.disabled.holds(at)
    }

    /// The newest use that an export at `at` can show. Nobody uses what is disabled.
    pub fn last_use(&self, at: Time, name: &str) -> Option<Time> {
        let open = self.disabled.since(at).unwrap_or(at);
        self.habit.last(open, self.created, name)
    }
}

/// A membership or an attached policy: what it points at, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    pub target: String,
    pub spans: Spans,
}

impl Edge {
    pub fn from(target: &str, start: Time) -> Self {
        Self { target: target.to_owned(), spans: Spans::from(start) }
    }

    pub fn during(target: &str, spans: Spans) -> Self {
        Self { target: target.to_owned(), spans }
    }
}

/// What `edges` point at, at one instant, in their own order.
pub fn targets(edges: &[Edge], at: Time) -> impl Iterator<Item = &str> {
    edges.iter().filter(move |edge| edge.spans.holds(at)).map(|edge| edge.target.as_str())
}

/// All edges end at `at`.
pub fn cut_all(edges: &mut [Edge], at: Time) {
    for edge in edges {
        edge.spans.cut(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::clock::{days_before, end};

    #[test]
    fn a_span_ends_before_its_last_instant() {
        let mut spans = Spans::never().and(days_before(10), days_before(5)).and(days_before(3), days_before(1));
        assert!(spans.holds(days_before(10)) && !spans.holds(days_before(5)) && spans.holds(days_before(2)));
        assert_eq!(spans.since(days_before(6)), Some(days_before(10)));
        spans.cut(days_before(7));
        assert!(spans.holds(days_before(8)) && !spans.holds(days_before(6)) && !spans.holds(days_before(2)));
    }

    #[test]
    fn regular_use_is_never_older_than_three_days() {
        let life = Life::new(days_before(300));
        for week in clock::weeks() {
            let used = life.last_use(week, "somebody").unwrap();
            assert!(used < week && week.micros() - used.micros() < 3 * DAY);
        }
    }

    #[test]
    fn what_is_disabled_is_not_used() {
        let mut life = Life::new(days_before(300));
        life.disabled = Spans::from(days_before(40));
        assert!(life.last_use(end(), "somebody").unwrap() < days_before(40));
        life.habit = Habit::Never;
        assert_eq!(life.last_use(end(), "somebody"), None);
    }

    #[test]
    fn a_gap_hides_use_until_it_ends() {
        let habit = Habit::Gap(days_before(130), days_before(4));
        assert_eq!(habit.last(days_before(7), days_before(300), "a"), Some(days_before(130)));
        assert!(habit.last(end(), days_before(300), "a").unwrap() >= days_before(4));
    }
}
