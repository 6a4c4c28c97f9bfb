//! One case for each leaver and system: when the right ended, and when the access was last and no longer seen.

use std::collections::BTreeMap;

use super::history::SystemHistory;
use super::survival::Interval;
use super::{Input, leavers, rows};
use crate::model::{Answer, RunIdentityRow, Time};

/// The instants between which something began: after `after`, at or before `by`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// `None`: exact, or nobody knows how much earlier.
    pub after: Option<Time>,
    pub by: Time,
    pub exact: bool,
}

impl Start {
    /// The instant that it lies after; `None`: not known.
    fn low(&self) -> Option<Time> {
        if self.exact { Some(self.by.plus(-1)) } else { self.after }
    }

    /// The later of two.
    pub fn later(self, other: Self) -> Self {
        if let (Some(low), true) = (self.low(), self.by >= other.by)
            && low >= other.by.plus(-1)
        {
            return self;
        }
        if let (Some(low), true) = (other.low(), other.by >= self.by)
            && low >= self.by.plus(-1)
        {
            return other;
        }
        Self { after: self.low().max(other.low()), by: self.by.max(other.by), exact: false }
    }
}

/// How sure it is that a leaver could still get in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    #[default]
    None,
    /// By a disputed account, or one of which the export does not say whether it lets anybody in.
    Possible,
    Certain,
}

impl Access {
    /// By one account.
    pub fn of(live: Answer, linked: bool) -> Self {
        match (live, linked) {
            (Answer::No, _) => Self::None,
            (Answer::Yes, true) => Self::Certain,
            _ => Self::Possible,
        }
    }
}

/// What one snapshot shows of one leaver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    pub at: Time,
    pub access: Access,
    /// No access means that there is none: the snapshot is complete, or shows every account of the leaver.
    pub sure: bool,
    /// Native ids of the accounts that let somebody in.
    pub live: Vec<String>,
}

/// What became of the access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Still there at the last look.
    Open { last: Time },
    /// Gone after `after` and at or before `by`; `after` `None`: by the first look after the end.
    Closed { after: Option<Time>, by: Time },
    /// The log tells when.
    ClosedAt(Time),
    /// No look after the end says anything.
    NotYetObservable,
    /// It had ended before the person left, or there never was any.
    NoCase,
}

/// One leaver in one system.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Native id in the authority.
    pub leaver: String,
    pub name: Option<String>,
    pub system: String,
    /// Every account is linked to the leaver and to nobody else.
    pub linked: bool,
    /// It was seen for certain that the leaver could get in; open cases: at the last look.
    pub certain: bool,
    pub end: Start,
    pub known: Start,
    pub fate: Fate,
    /// What the last look shows; `None`: no look after the end.
    pub now: Option<Access>,
    /// The system was looked at before the end: what was revoked at once was seen, too.
    pub followed: bool,
}

impl Case {
    /// Whether there was anything to revoke.
    pub fn counts(&self) -> bool {
        !matches!(self.fate, Fate::NoCase | Fate::NotYetObservable)
    }

    /// The duration from a start; `None`: nobody knows when it began.
    pub fn duration(&self, start: Start) -> Option<Interval> {
        let low = start.low()?;
        let from = |t: Time, s: Time| t.micros() - s.micros();
        Some(match self.fate {
            Fate::Open { last } => Interval { after: from(last, start.by).max(-1), by: None },
            Fate::ClosedAt(at) if start.exact => Interval::exact(from(at, start.by).max(0)),
            // It ended at `at`, and began after `low`: less than the difference.
            Fate::ClosedAt(at) => bounded(from(at, start.by) - 1, from(at, low) - 1),
            Fate::Closed { after, by } => bounded(after.map_or(-1, |a| from(a, start.by)), from(by, low) - 1),
            Fate::NotYetObservable | Fate::NoCase => return None,
        })
    }
}

/// An interval whose ends are no less than nothing.
fn bounded(after: i64, by: i64) -> Interval {
    let after = after.max(-1);
    Interval { after, by: Some(by.max(after + 1).max(0)) }
}

/// What became of a leaver's access in a system, and what its last look shows.
///
/// `sightings` ascending; `ended` tells of a look whether it lies after the end; `events`: instants at which accounts were cut off.
pub fn fate(sightings: &[Sighting], ended: impl Fn(Time) -> bool, events: &[(Time, &str)]) -> (Fate, Option<Access>) {
    let split = sightings.partition_point(|s| !ended(s.at));
    let (before, after) = (sightings.get(..split).unwrap_or_default(), sightings.get(split..).unwrap_or_default());
    let Some(newest) = after.iter().rev().find(|s| telling(s)) else {
        let had = before.iter().rev().find(|s| telling(s)).is_none_or(|s| s.access > Access::None);
        return (if had { Fate::NotYetObservable } else { Fate::NoCase }, None);
    };
    let now = Some(newest.access);
    // The last look with access counts: one that came back was not removed before.
    let last = after.iter().rposition(|s| s.access > Access::None);
    let (from, rest) = match last {
        Some(i) => (after.get(i), after.get(i + 1..).unwrap_or_default()),
        None => (before.iter().rev().find(|s| telling(s)).filter(|s| s.access > Access::None), after),
    };
    let Some(from) = from else { return (Fate::NoCase, now) };
    let Some(gone) = rest.iter().find(|s| s.access == Access::None && s.sure) else {
        return (Fate::Open { last: from.at }, now);
    };
    if let Some(at) = cut_off(from, gone.at, events) {
        return (Fate::ClosedAt(at), now);
    }
    (Fate::Closed { after: last.map(|_| from.at), by: gone.at }, now)
}

/// Whether a look says anything: it shows access, or that there is none.
fn telling(s: &Sighting) -> bool {
    s.access > Access::None || s.sure
}

/// When the last of the accounts that were live at `from` was cut off, where the log has all of them.
fn cut_off(from: &Sighting, by: Time, events: &[(Time, &str)]) -> Option<Time> {
    let of = |account: &str| events.iter().filter(|(at, a)| *a == account && *at > from.at && *at <= by).map(|e| e.0).max();
    from.live.iter().map(|account| of(account)).collect::<Option<Vec<_>>>()?.into_iter().max()
}

/// Every case of a run, by leaver and system.
pub fn cases(input: &Input<'_>) -> Vec<Case> {
    let left = leavers(input.run);
    let mut held: BTreeMap<(u32, u32), Vec<(&str, bool)>> = BTreeMap::new();
    for ((system_ix, account), links) in &input.history.links {
        for link in links.iter().filter(|l| left.contains(&l.identity_ix)) {
            held.entry((link.identity_ix, *system_ix)).or_default().push((account, link.linked));
        }
    }
    held.iter().filter_map(|((identity_ix, system_ix), accounts)| case(input, *identity_ix, *system_ix, accounts)).collect()
}

fn case(input: &Input<'_>, identity_ix: u32, system_ix: u32, accounts: &[(&str, bool)]) -> Option<Case> {
    let person = input.people.row(identity_ix)?;
    let history = input.history.systems.get(&system_ix)?;
    let (end, known) = starts(input, person)?;
    // 11.3: a dated end counts from the next instant on, an undated one from its file on.
    let ended = |t: Time| if end.exact { t > end.by } else { t >= end.by };
    let sightings = sightings(history, accounts);
    let of = |account: &'_ str| history.cut_off.get(account).into_iter().flatten().copied();
    let events: Vec<(Time, &str)> = accounts.iter().flat_map(|(account, _)| of(account).map(|at| (at, *account))).collect();
    let (fate, now) = fate(&sightings, ended, &events);
    Some(Case {
        leaver: person.identity.clone(),
        name: person.display_name.clone(),
        system: input.run.system(Some(system_ix))?.name.clone(),
        linked: accounts.iter().all(|a| a.1),
        certain: match fate {
            Fate::Open { .. } => now == Some(Access::Certain),
            _ => sightings.iter().any(|s| s.access == Access::Certain),
        },
        end,
        known: end.later(known),
        fate,
        now,
        followed: history.looks.first().is_some_and(|l| !ended(l.at)),
    })
}

/// When the right ended, and when the authority had entered that.
fn starts(input: &Input<'_>, person: &RunIdentityRow) -> Option<(Start, Start)> {
    let end = Start { after: person.left_after, by: person.left_by?, exact: person.left_exact };
    let known_by = person.known_by?;
    // An entry time that the authority states is exact; one that only its files show is not.
    let spans = input.run.system(Some(person.system_ix)).map(|s| s.employments.as_slice()).unwrap_or_default();
    let stated = rows::spans(spans, person.source_ix).iter().any(|e| e.end_known_at == Some(known_by));
    Some((end, Start { after: person.known_after, by: known_by, exact: stated }))
}

fn sightings(history: &SystemHistory, accounts: &[(&str, bool)]) -> Vec<Sighting> {
    let one = |look: &super::Look| {
        let shown: Vec<(&str, Access)> =
            accounts.iter().filter_map(|(id, linked)| look.accounts.get(*id).map(|a| (*id, Access::of(a.live, *linked)))).collect();
        let live = shown.iter().filter(|(_, a)| *a > Access::None).map(|(id, _)| (*id).to_owned()).collect();
        Sighting {
            at: look.at,
            access: shown.iter().map(|(_, a)| *a).max().unwrap_or_default(),
            sure: look.complete || shown.len() == accounts.len(),
            live,
        }
    };
    history.looks.iter().map(one).collect()
}
