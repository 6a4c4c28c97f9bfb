//! The rows of two snapshots that may differ, found in their columns, so that only they are looked at one by one.

use std::collections::BTreeSet;
use std::ops::Range;

use super::attributes::Differences;
use super::history::is_renewed;
use super::merge::{Job, Marks, Numbering, Shot, Side, Source, Stretch, Visit, What, sample, walk};
use crate::model::{Level, STATEMENTS};

/// Rows of one side that are looked at together.
const TOGETHER: usize = 32_768;

/// Collects the positions of rows that may differ and hands them on in parts. All rows of one key are handed on together, from both
/// sides.
pub(super) struct Candidates<'a, F> {
    what: What,
    numbers: &'a Numbering,
    /// Memberships: groups whose level differs; grants: entitlements that differ.
    targets: Marks,
    look: F,
    before: Vec<u32>,
    now: Vec<u32>,
    unlike: Vec<usize>,
}

impl<'a, F> Candidates<'a, F> {
    /// # Errors
    /// The groups or entitlements cannot be read.
    pub fn new<S: Source>(what: What, numbers: &'a Numbering, before: &Shot<'_, S>, now: &Shot<'_, S>, look: F) -> Result<Self, S::Error> {
        let targets = match what {
            What::Memberships => groups(numbers, before, now)?,
            What::Grants => entitlements(numbers, before, now)?,
            _ => Marks::default(),
        };
        Ok(Self { what, numbers, targets, look, before: Vec::new(), now: Vec::new(), unlike: Vec::new() })
    }

    /// Hands on what is left.
    ///
    /// # Errors
    /// Of whoever looks.
    pub fn finish<E>(mut self) -> Result<(), E>
    where
        F: FnMut(&[u32], &[u32]) -> Result<(), E>,
    {
        self.flush()
    }

    fn flush<E>(&mut self) -> Result<(), E>
    where
        F: FnMut(&[u32], &[u32]) -> Result<(), E>,
    {
        if !(self.before.is_empty() && self.now.is_empty()) {
            (self.look)(&self.before, &self.now)?;
        }
        self.before.clear();
        self.now.clear();
        Ok(())
    }

    fn note<E>(&mut self, before: Option<(&Stretch, Range<usize>)>, now: Option<(&Stretch, Range<usize>)>) -> Result<(), E>
    where
        F: FnMut(&[u32], &[u32]) -> Result<(), E>,
    {
        for (rows, to) in [(before, &mut self.before), (now, &mut self.now)] {
            if let Some((stretch, range)) = rows {
                to.extend(range.map(|i| stretch.position(i)));
            }
        }
        if self.before.len().max(self.now.len()) >= TOGETHER { self.flush() } else { Ok(()) }
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
}

impl<E, F: FnMut(&[u32], &[u32]) -> Result<(), E>> Visit<E> for Candidates<'_, F> {
    fn same(&mut self, before: &Stretch, i: usize, now: &Stretch, j: usize, n: usize) -> Result<(), E> {
        let mut unlike = std::mem::take(&mut self.unlike);
        before.unlike(i, now, j, n, |k| unlike.push(k));
        if !self.all_name_the_same() {
            unlike.extend((0..n).filter(|k| self.names_another(now, j + k)));
        }
        unlike.sort_unstable();
        let mut told = 0;
        for k in unlike.drain(..) {
            if k < told {
                continue;
            }
            let (from, to) = (before.bundle_start(i + k).max(i) - i, before.bundle_end(i + k).min(i + n) - i);
            self.note(Some((before, i + from..i + to)), Some((now, j + from..j + to)))?;
            told = to;
        }
        self.unlike = unlike;
        Ok(())
    }

    fn gone(&mut self, before: &Stretch, rows: Range<usize>) -> Result<(), E> {
        in_parts(rows).try_for_each(|rows| self.note(Some((before, rows)), None))
    }

    fn come(&mut self, now: &Stretch, rows: Range<usize>) -> Result<(), E> {
        in_parts(rows).try_for_each(|rows| self.note(None, Some((now, rows))))
    }

    fn clash(&mut self, before: &Stretch, old: Range<usize>, now: &Stretch, new: Range<usize>) -> Result<(), E> {
        self.note(Some((before, old)), Some((now, new)))
    }
}

/// Rows that stand for nothing on the other side may be looked at apart.
fn in_parts(rows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    rows.clone().step_by(TOGETHER).map(move |from| from..(from + TOGETHER).min(rows.end))
}

/// Groups of both snapshots whose level differs, `unknown` differing from nothing.
fn groups<S: Source>(numbers: &Numbering, before: &Shot<'_, S>, now: &Shot<'_, S>) -> Result<Marks, S::Error> {
    let mut suspects = Suspects::default();
    walk(&Job { what: What::Groups, attributes: true, before: *before, now: *now, numbers }, &mut suspects)?;
    let mut marks = Marks::default();
    let pairs = suspects.pairs(numbers.groups.of(Side::Before), numbers.groups.of(Side::Now));
    let (old, new) = (sample(before, What::Groups, &pairs.before)?, sample(now, What::Groups, &pairs.now)?);
    let (old, new) = (old.picture(before), new.picture(now));
    for (number, a, b) in pairs.all() {
        let level = |p: Option<&crate::model::GroupRow>| p.map_or(Level::Unknown, |g| g.level);
        let levels = [level(old.group(Some(a))), level(new.group(Some(b)))];
        if !levels.contains(&Level::Unknown) && levels.first() != levels.last() {
            marks.set(number);
        }
    }
    Ok(marks)
}

/// Entitlements of both snapshots that give something else.
fn entitlements<S: Source>(numbers: &Numbering, before: &Shot<'_, S>, now: &Shot<'_, S>) -> Result<Marks, S::Error> {
    let mut suspects = Suspects::default();
    walk(&Job { what: What::Entitlements, attributes: true, before: *before, now: *now, numbers }, &mut suspects)?;
    if before.speaks_of(&STATEMENTS) && now.speaks_of(&STATEMENTS) {
        suspects.of_statements = true;
        walk(&Job { what: What::Statements, attributes: true, before: *before, now: *now, numbers }, &mut suspects)?;
    }
    let mut marks = Marks::default();
    let pairs = suspects.pairs(numbers.entitlements.of(Side::Before), numbers.entitlements.of(Side::Now));
    let (old, new) = (sample(before, What::Entitlements, &pairs.before)?, sample(now, What::Entitlements, &pairs.now)?);
    let (old, new) = (old.picture(before), new.picture(now));
    for (number, a, b) in pairs.all() {
        let mut differences = Differences::default();
        differences.entitlements((&old, a), (&new, b));
        if !differences.is_empty() {
            marks.set(number);
        }
    }
    Ok(marks)
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
    fn note(&mut self, rows: &Stretch, range: Range<usize>) {
        for i in range {
            self.numbers.insert(if self.of_statements { rows.account(i) } else { rows.number(i) });
        }
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
    fn same(&mut self, before: &Stretch, i: usize, now: &Stretch, j: usize, n: usize) -> Result<(), E> {
        let mut unlike = Vec::new();
        before.unlike(i, now, j, n, |k| unlike.push(k));
        unlike.into_iter().for_each(|k| self.note(now, j + k..j + k + 1));
        Ok(())
    }

    fn gone(&mut self, before: &Stretch, rows: Range<usize>) -> Result<(), E> {
        self.note(before, rows);
        Ok(())
    }

    fn come(&mut self, now: &Stretch, rows: Range<usize>) -> Result<(), E> {
        self.note(now, rows);
        Ok(())
    }

    fn clash(&mut self, before: &Stretch, old: Range<usize>, now: &Stretch, new: Range<usize>) -> Result<(), E> {
        self.note(before, old);
        self.note(now, new);
        Ok(())
    }
}
