//! Since when each edge is there, as far as the stored snapshots show it.

use std::collections::BTreeMap;
use std::ops::Range;

use rayon::prelude::*;

use super::changes::{Compared, compared};
use super::merge::{Both, Job, Line, Marks, Numbering, Shot, Source, Stretch, Visit, What, all, walk};
use crate::model::{EdgeHistory, GRANTS, MEMBERSHIPS, Presence, Runs, Table, Time};

/// What the snapshots showed of one edge, oldest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Life {
    first_after: Option<Time>,
    first_by: Option<Time>,
    last_absent: Option<Time>,
    /// Start and newest sight of the stretch in which it is, or last was, held.
    since_by: Option<Time>,
    last_held: Option<Time>,
    held_until: Option<Time>,
    held: bool,
}

impl Life {
    pub fn hold(&mut self, at: Time) {
        if self.first_by.is_none() {
            (self.first_after, self.first_by) = (self.last_absent, Some(at));
        }
        if !self.held {
            self.since_by = Some(at);
        }
        (self.held, self.last_held) = (true, Some(at));
    }

    /// Absent from a snapshot that would hold it.
    pub fn lack(&mut self, at: Time) {
        if self.held {
            self.held_until = self.last_held;
        }
        (self.held, self.last_absent) = (false, Some(at));
    }

    /// Once it is held: since when.
    pub fn presence(&self) -> Presence {
        let regranted = self.since_by != self.first_by;
        Presence {
            first_seen_after: self.first_after,
            first_seen_by: self.first_by.unwrap_or_default(),
            last_absent: self.last_absent,
            since_by: self.since_by.unwrap_or_default(),
            held_until: self.held_until.filter(|_| regranted),
            regranted,
        }
    }
}

/// The history of every edge of the current snapshot. Earlier snapshots are shown to it one by one, the oldest first; of each only the
/// rows in flight are in memory.
///
/// Edges that lived alike share one [`Life`], and neighbours that share it are one run: a store in which little changes takes little room.
#[derive(Debug)]
pub struct Histories<'a, S> {
    now: Shot<'a, S>,
    memberships: Track,
    grants: Track,
}

#[derive(Debug, Default)]
struct Track {
    rows: u32,
    lives: Vec<Life>,
    runs: Runs,
}

impl<'a, S: Source> Histories<'a, S> {
    /// Nothing but the current snapshot is known yet.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn new(now: Shot<'a, S>) -> Result<Self, S::Error> {
        let track = |table| Ok(Track::new(now.source.count(table)?));
        Ok(Self { memberships: track(&MEMBERSHIPS)?, grants: track(&GRANTS)?, now })
    }

    /// An earlier snapshot, later than those shown before. A short one shows what it holds; what it leaves out may be there.
    ///
    /// # Errors
    /// A table cannot be read, or is not in the order of its key.
    pub fn show(&mut self, earlier: &Shot<'_, S>) -> Result<(), S::Error> {
        let edges = [What::Memberships, What::Grants];
        let both: Vec<What> = edges.into_iter().filter(|w| earlier.speaks_of(w.table()) && self.now.speaks_of(w.table())).collect();
        if both.is_empty() {
            return Ok(());
        }
        let shots = Both { before: *earlier, now: self.now };
        let tables: Vec<&'static Table> = both.iter().map(|w| w.table()).collect();
        let numbers = &Numbering::of(&shots, &tables)?;
        let sights = |what: &What| {
            let mut sights = Sights::new(*what, numbers);
            walk(&Job { what: *what, attributes: false, shots, numbers }, &mut sights)?;
            Ok((*what, sights.runs()))
        };
        let seen = all(both.par_iter().with_max_len(1).map(sights).collect())?;
        self.advance(earlier, &seen);
        Ok(())
    }

    /// As [`Self::show`], and what differs between that snapshot and the current one, read in one go.
    ///
    /// # Errors
    /// As [`Self::show`].
    pub fn compare(&mut self, earlier: &Shot<'_, S>) -> Result<Compared, S::Error> {
        let (compared, seen) = compared(earlier, &self.now)?;
        self.advance(earlier, &seen);
        Ok(compared)
    }

    fn advance(&mut self, earlier: &Shot<'_, S>, seen: &[(What, Held)]) {
        for (what, held) in seen {
            let track = if *what == What::Grants { &mut self.grants } else { &mut self.memberships };
            track.advance(held, earlier.taken_at, earlier.short);
        }
    }

    /// Table `edge_history` of the system.
    pub fn finish(mut self, system_ix: u32) -> EdgeHistory {
        let mut out = EdgeHistory::default();
        for (grants, track) in [(true, &mut self.grants), (false, &mut self.memberships)] {
            track.lives.iter_mut().for_each(|life| life.hold(self.now.taken_at));
            let known: Vec<Presence> = track.lives.iter().map(Life::presence).collect();
            out.put(system_ix, grants, track.rows, &track.runs, &known);
        }
        out
    }
}

impl Track {
    fn new(rows: u32) -> Self {
        let runs = if rows > 0 { vec![(0, 0)] } else { Vec::new() };
        Self { rows, lives: vec![Life::default()], runs }
    }

    /// Lets every edge live through one more snapshot. `held`: runs of whether it holds the edge.
    fn advance(&mut self, held: &Held, at: Time, short: bool) {
        let mut lives: BTreeMap<Life, u32> = BTreeMap::new();
        let mut out = Vec::new();
        let mut turned: BTreeMap<(u32, bool), u32> = BTreeMap::new();
        let mut runs: Runs = Vec::new();
        let (mut old, mut seen) = (self.runs.iter().peekable(), held.iter().peekable());
        let (mut code, mut is_held, mut from) = (0, false, 0);
        while from < self.rows {
            if let Some((_, c)) = old.next_if(|(start, _)| *start <= from) {
                code = *c;
            }
            if let Some((_, h)) = seen.next_if(|(start, _)| *start <= from) {
                is_held = *h;
            }
            let next = *turned.entry((code, is_held)).or_insert_with(|| {
                let mut life = self.lives.get(code as usize).copied().unwrap_or_default();
                if is_held {
                    life.hold(at);
                } else if !short {
                    life.lack(at);
                }
                *lives.entry(life).or_insert_with(|| {
                    out.push(life);
                    u32::try_from(out.len() - 1).unwrap_or(u32::MAX)
                })
            });
            if runs.last().is_none_or(|(_, last)| *last != next) {
                runs.push((from, next));
            }
            let ends = [old.peek().map(|r| r.0), seen.peek().map(|r| r.0), Some(self.rows)];
            from = ends.into_iter().flatten().min().unwrap_or(self.rows).max(from + 1);
        }
        if !out.is_empty() {
            (self.lives, self.runs) = (out, runs);
        }
    }
}

/// Which edges of a table an older snapshot holds: the first row of each run, ascending from 0, and whether it is held.
pub(super) type Held = Vec<(u32, bool)>;

/// Which edges of the newer table the older one holds.
pub(super) struct Sights<'a> {
    what: What,
    numbers: &'a Numbering,
    seen: Seen,
}

/// As far as it is told.
#[derive(Debug, Default)]
pub(super) struct Seen {
    rows: u32,
    runs: Held,
}

impl<'a> Sights<'a> {
    pub fn new(what: What, numbers: &'a Numbering) -> Self {
        Self { what, numbers, seen: Seen::default() }
    }

    /// Over all rows of the newer table.
    pub fn runs(self) -> Held {
        self.seen.runs
    }
}

impl Seen {
    fn push(&mut self, rows: usize, held: bool) {
        if rows > 0 && self.runs.last().is_none_or(|(_, last)| *last != held) {
            self.runs.push((self.rows, held));
        }
        self.rows = self.rows.saturating_add(u32::try_from(rows).unwrap_or(u32::MAX));
    }
}

impl<E> Visit<E> for Sights<'_> {
    type Part = Seen;

    fn same(&self, part: &mut Seen, _: &Stretch, _: usize, now: &Stretch, j: usize, n: usize) {
        if renewed_by(self.numbers, self.what).is_empty() {
            return part.push(n, true);
        }
        // Under another generation it was another account's, or another group's.
        (j..j + n).for_each(|j| part.push(1, !is_renewed(self.numbers, self.what, now, j)));
    }

    fn gone(&self, _: &mut Seen, _: &Stretch, _: Range<usize>) {}

    fn come(&self, part: &mut Seen, _: &Stretch, rows: Range<usize>) {
        part.push(rows.len(), false);
    }

    fn clash(&self, part: &mut Seen, before: &Stretch, old: Range<usize>, now: &Stretch, new: Range<usize>) {
        for j in new {
            let there = old.clone().any(|i| before.kind(i) == now.kind(j));
            part.push(1, there && !is_renewed(self.numbers, self.what, now, j));
        }
    }

    fn take(&mut self, part: Seen, _: &Line, _: &Line) -> Result<(), E> {
        let ends = part.runs.iter().skip(1).map(|(from, _)| *from).chain([part.rows]);
        for ((from, held), end) in part.runs.iter().zip(ends) {
            self.seen.push(end.saturating_sub(*from) as usize, *held);
        }
        Ok(())
    }
}

/// The marks of renewed things that an edge hangs on, none of which may be set.
fn renewed_by(numbers: &Numbering, what: What) -> Vec<&Marks> {
    let edges = matches!(what, What::Memberships | What::Grants);
    [&numbers.accounts.renewed, &numbers.groups.renewed].into_iter().filter(|m| edges && !m.is_empty()).collect()
}

/// Whether the principal of an edge, or the group of a membership, is another thing than in the other snapshot.
pub(super) fn is_renewed(numbers: &Numbering, what: What, rows: &Stretch, i: usize) -> bool {
    let groups = &numbers.groups.renewed;
    numbers.accounts.renewed.has(rows.account(i)) || groups.has(rows.group(i)) || what == What::Memberships && groups.has(rows.member_of(i))
}
