//! The rows of two snapshots that may differ, found in their columns, so that only they are looked at one by one.

use std::collections::BTreeSet;
use std::ops::Range;

use super::attributes::Differences;
use super::edges::Picture;
use super::history::is_renewed;
use super::merge::{
    Both, Job, Line, Marks, Numbering, Sampled, Shot, Side, Source, Stretch, Visit, What, entitlements_at, levels_at, walk,
};
use crate::model::{EntitlementRow, Level, STATEMENTS, StatementRow};

/// Rows of one side that are looked at together.
const TOGETHER: usize = 32_768;

/// Collects the rows that may differ and hands them on in parts. All rows of one key are handed on together, from both sides.
pub(super) struct Candidates<'a, S: Source, F> {
    what: What,
    numbers: &'a Numbering,
    shots: Both<Shot<'a, S>>,
    /// Memberships: groups whose level differs; grants: entitlements that differ.
    targets: Marks,
    found: Both<Sampled>,
    look: F,
}

/// Positions of rows that may differ, ascending.
type Positions = Both<Vec<u32>>;

impl<'a, S: Source, F> Candidates<'a, S, F> {
    /// # Errors
    /// The groups or entitlements cannot be read.
    pub fn new(what: What, numbers: &'a Numbering, shots: &Both<Shot<'a, S>>, look: F) -> Result<Self, S::Error> {
        let targets = match what {
            What::Memberships => groups(numbers, shots)?,
            What::Grants => entitlements(numbers, shots)?,
            _ => Marks::default(),
        };
        Ok(Self { what, numbers, shots: *shots, targets, found: Both::default(), look })
    }

    /// What is left to be looked at.
    pub fn rest(self) -> Both<Sampled> {
        self.found
    }

    fn note(&self, to: &mut Positions, before: Option<(&Stretch, Range<usize>)>, now: Option<(&Stretch, Range<usize>)>) {
        for (rows, to) in [(before, &mut to.before), (now, &mut to.now)] {
            if let Some((stretch, range)) = rows {
                to.extend(range.map(|i| stretch.position(i)));
            }
        }
    }

    /// Whether a thing that a matched row names is not what it was.
    fn names_another(&self, now: &Stretch, j: usize) -> bool {
        match self.what {
            What::Memberships => is_renewed(self.numbers, self.what, now, j) || self.targets.has(now.member_of(j)),
            What::Grants => is_renewed(self.numbers, self.what, now, j) || self.targets.has(now.entitlement(j)),
            What::Credentials => self.numbers.accounts.renewed.has(now.holder(j)),
            What::Accounts | What::Groups | What::Entitlements | What::Statements => false,
        }
    }

    fn all_name_the_same(&self) -> bool {
        let edges = matches!(self.what, What::Memberships | What::Grants);
        self.targets.is_empty() && self.numbers.accounts.renewed.is_empty() && (!edges || self.numbers.groups.renewed.is_empty())
    }

    /// Adds the rows at some positions to those that are to be looked at.
    fn find(&mut self, side: Side, positions: &[u32], line: &Line) -> Result<(), S::Error> {
        let what = self.what;
        let found = match side {
            Side::Before => &mut self.found.before,
            Side::Now => &mut self.found.now,
        };
        let taken = line.take(positions).and_then(|all| all.iter().try_for_each(|(at, columns)| found.find(what, at, columns)));
        taken.map_err(|why| self.shots.of(side).source.damaged(what.table(), why))
    }
}

impl<S, F> Visit<S::Error> for Candidates<'_, S, F>
where
    S: Source,
    F: FnMut(Both<Sampled>) -> Result<(), S::Error> + Sync,
{
    type Part = Positions;

    fn same(&self, part: &mut Positions, before: &Stretch, i: usize, now: &Stretch, j: usize, n: usize) {
        let mut unlike = Vec::new();
        before.unlike(i, now, j, n, |k| unlike.push(k));
        if !self.all_name_the_same() {
            unlike.extend((0..n).filter(|k| self.names_another(now, j + k)));
        }
        unlike.sort_unstable();
        let mut told = 0;
        for k in unlike {
            if k < told {
                continue;
            }
            let (from, to) = (before.bundle_start(i + k).max(i) - i, before.bundle_end(i + k).min(i + n) - i);
            self.note(part, Some((before, i + from..i + to)), Some((now, j + from..j + to)));
            told = to;
        }
    }

    fn gone(&self, part: &mut Positions, before: &Stretch, rows: Range<usize>) {
        self.note(part, Some((before, rows)), None);
    }

    fn come(&self, part: &mut Positions, now: &Stretch, rows: Range<usize>) {
        self.note(part, None, Some((now, rows)));
    }

    fn clash(&self, part: &mut Positions, before: &Stretch, old: Range<usize>, now: &Stretch, new: Range<usize>) {
        self.note(part, Some((before, old)), Some((now, new)));
    }

    fn take(&mut self, part: Positions, before: &Line, now: &Line) -> Result<(), S::Error> {
        self.find(Side::Before, &part.before, before)?;
        self.find(Side::Now, &part.now, now)?;
        if self.found.before.len().max(self.found.now.len()) >= TOGETHER {
            (self.look)(std::mem::take(&mut self.found))?;
        }
        Ok(())
    }
}

/// Groups of both snapshots whose level differs, `unknown` differing from nothing.
fn groups<S: Source>(numbers: &Numbering, shots: &Both<Shot<'_, S>>) -> Result<Marks, S::Error> {
    let mut suspects = Suspects::default();
    walk(&Job { what: What::Groups, attributes: true, shots: *shots, numbers }, &mut suspects)?;
    let mut marks = Marks::default();
    let pairs = suspects.pairs(numbers.groups.of(Side::Before), numbers.groups.of(Side::Now));
    let (old, new) = (levels_at(&shots.before, &pairs.before)?, levels_at(&shots.now, &pairs.now)?);
    for ((number, a), b) in pairs.numbers.iter().zip(&old).zip(&new) {
        if ![a.level, b.level].contains(&Level::Unknown) && a.level != b.level {
            marks.set(*number);
        }
    }
    Ok(marks)
}

/// Entitlements of both snapshots that give something else.
fn entitlements<S: Source>(numbers: &Numbering, shots: &Both<Shot<'_, S>>) -> Result<Marks, S::Error> {
    let mut suspects = Suspects::default();
    walk(&Job { what: What::Entitlements, attributes: true, shots: *shots, numbers }, &mut suspects)?;
    if shots.before.speaks_of(&STATEMENTS) && shots.now.speaks_of(&STATEMENTS) {
        suspects.of_statements = true;
        walk(&Job { what: What::Statements, attributes: true, shots: *shots, numbers }, &mut suspects)?;
    }
    let mut marks = Marks::default();
    let pairs = suspects.pairs(numbers.entitlements.of(Side::Before), numbers.entitlements.of(Side::Now));
    let (old, new) = (entitlements_at(&shots.before, &pairs.before)?, entitlements_at(&shots.now, &pairs.now)?);
    let (old, new) = (giving(&shots.before, &old), giving(&shots.now, &new));
    for (number, a, b) in pairs.all() {
        let mut differences = Differences::default();
        differences.entitlements((&old, a), (&new, b));
        if !differences.is_empty() {
            marks.set(number);
        }
    }
    Ok(marks)
}

/// A picture of entitlements alone.
fn giving<'a, S>(shot: &Shot<'a, S>, (entitlements, statements): &'a (Vec<EntitlementRow>, Vec<StatementRow>)) -> Picture<'a> {
    Picture { entitlements, statements, ..Picture::nothing(shot.covers) }
}

/// Numbers of rows of a dimension that may differ.
#[derive(Default)]
struct Suspects {
    numbers: BTreeSet<u32>,
    /// Told of statements, whose entitlement is the suspect.
    of_statements: bool,
}

/// Ordinals of the same things in two snapshots.
struct Pairs {
    numbers: Vec<u32>,
    before: Vec<u32>,
    now: Vec<u32>,
}

impl Pairs {
    /// Number, ordinal in the older snapshot, ordinal in the newer one.
    fn all(&self) -> impl Iterator<Item = (u32, u32, u32)> + '_ {
        self.numbers.iter().zip(&self.before).zip(&self.now).map(|((n, a), b)| (*n, *a, *b))
    }
}

impl Suspects {
    fn number(&self, rows: &Stretch, i: usize) -> u32 {
        if self.of_statements { rows.account(i) } else { rows.number(i) }
    }

    /// Those that both snapshots have. Numbers rise with the ordinals.
    fn pairs(&self, before: &[u32], now: &[u32]) -> Pairs {
        let ordinal = |numbers: &[u32], n: &u32| numbers.binary_search(n).ok().and_then(|at| u32::try_from(at).ok());
        let mut out = Pairs { numbers: Vec::new(), before: Vec::new(), now: Vec::new() };
        for n in &self.numbers {
            if let Some((a, b)) = ordinal(before, n).zip(ordinal(now, n)) {
                out.numbers.push(*n);
                out.before.push(a);
                out.now.push(b);
            }
        }
        out
    }
}

impl<E> Visit<E> for Suspects {
    type Part = Vec<u32>;

    fn same(&self, part: &mut Vec<u32>, before: &Stretch, i: usize, now: &Stretch, j: usize, n: usize) {
        before.unlike(i, now, j, n, |k| part.push(self.number(now, j + k)));
    }

    fn gone(&self, part: &mut Vec<u32>, before: &Stretch, rows: Range<usize>) {
        part.extend(rows.map(|i| self.number(before, i)));
    }

    fn come(&self, part: &mut Vec<u32>, now: &Stretch, rows: Range<usize>) {
        part.extend(rows.map(|j| self.number(now, j)));
    }

    fn clash(&self, part: &mut Vec<u32>, before: &Stretch, old: Range<usize>, now: &Stretch, new: Range<usize>) {
        part.extend(old.map(|i| self.number(before, i)).chain(new.map(|j| self.number(now, j))));
    }

    fn take(&mut self, part: Vec<u32>, _: &Line, _: &Line) -> Result<(), E> {
        self.numbers.extend(part);
        Ok(())
    }
}
