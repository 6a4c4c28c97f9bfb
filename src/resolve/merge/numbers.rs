//! Common numbers of the dimensions of two snapshots, from their native ids as two sorted streams.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use rayon::prelude::*;

use super::column::same_texts;
use super::pair::{Pair, Part, width};
use super::{Both, Shot, Side, Source, all};
use crate::model::{ACCOUNTS, CREDENTIALS, ENTITLEMENTS, GROUPS, RESOURCES, Table};

/// Ids that are compared at once before they are looked at one by one.
const BLOCK: usize = 256;

/// A set of numbers that mostly is empty.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Marks(Vec<bool>);

impl Marks {
    pub fn set(&mut self, number: u32) {
        let at = number as usize;
        if self.0.len() <= at {
            self.0.resize(at + 1, false);
        }
        if let Some(mark) = self.0.get_mut(at) {
            *mark = true;
        }
    }

    pub fn has(&self, number: u32) -> bool {
        self.0.get(number as usize).copied().unwrap_or(false)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The numbers of one dimension: they rise with the ordinals of either snapshot.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Numbers {
    /// The number of each ordinal.
    ordinals: Both<Vec<u32>>,
    /// Numbers of things that are another one in the newer snapshot: both generations are known and differ.
    pub renewed: Marks,
}

impl Numbers {
    /// The number of each ordinal of one side.
    pub fn of(&self, side: Side) -> &[u32] {
        self.ordinals.of(side)
    }

    fn merge<S: Source>(shots: &Both<Shot<'_, S>>, table: &'static Table) -> Result<Self, S::Error> {
        let generation = table.columns.iter().any(|c| c.name == "generation");
        let columns = if generation { &["native_id", "generation"][..] } else { &["native_id"] };
        let mut pair = Pair::open(shots, table, columns)?;
        let mut ids = Both::<Ids>::default();
        let mut out = Self::default();
        let mut number: u32 = 0;
        loop {
            let more = pair.more(ids.map(|i| width().saturating_sub(i.lots.len())))?;
            let damaged = |shot: &Shot<'_, S>, what| shot.source.damaged(table, what);
            ids.before.extend(more.before).map_err(|what| damaged(&shots.before, what))?;
            ids.now.extend(more.now).map_err(|what| damaged(&shots.now, what))?;
            let ended = pair.ended();
            let Both { before: old, now: new } = &mut ids;
            loop {
                let n = match (old.left(), new.left()) {
                    (0, 0) => break,
                    (0, n) if ended.before => (0, n),
                    (n, 0) if ended.now => (n, 0),
                    (0, _) | (_, 0) => break,
                    _ => match old.same_as(new) {
                        0 if old.id() < new.id() => (1, 0),
                        0 => (0, 1),
                        n => (n, n),
                    },
                };
                let pushed = out.push(&mut number, (&mut *old, n.0), (&mut *new, n.1));
                pushed.ok_or_else(|| damaged(&shots.now, "two snapshots have more rows than ordinals count".to_owned()))?;
            }
            if ended.before && ended.now {
                return Ok(out);
            }
        }
    }

    /// Numbers so many of the next ids of either side; where there are some of both, they are the same. `None`: there are too many.
    fn push(&mut self, number: &mut u32, (old, n): (&mut Ids, usize), (new, m): (&mut Ids, usize)) -> Option<()> {
        // The largest is what stands for null in a key.
        let end = u32::try_from(n.max(m)).ok().and_then(|n| number.checked_add(n)).filter(|end| *end < u32::MAX)?;
        if n == m {
            old.renewed(new, n).for_each(|k| self.renewed.set(*number + k));
        }
        for (ids, n, ordinals) in [(old, n, &mut self.ordinals.before), (new, m, &mut self.ordinals.now)] {
            if n > 0 {
                ordinals.extend(*number..end);
                ids.advance(n);
            }
        }
        *number = end;
        Some(())
    }
}

/// Some ids of one side.
struct Lot {
    /// As they were read: the same array on both sides holds the same ids.
    read: ArrayRef,
    ids: StringArray,
    generations: Option<StringArray>,
}

impl Lot {
    fn of(part: &Part) -> Result<Self, String> {
        let text = |at: usize| part.columns.get(at).and_then(|c| c.as_string_opt::<i32>().cloned());
        let ids = text(0).filter(|ids| ids.null_count() == 0);
        let (Some(ids), Some(read)) = (ids, part.columns.first().cloned()) else {
            return Err("`native_id` is not text in every row".to_owned());
        };
        let rises = (1..ids.len()).all(|i| ids.value(i - 1) < ids.value(i));
        rises.then(|| Self { read, ids, generations: text(1).filter(|g| g.null_count() < g.len()) }).ok_or_else(unordered)
    }
}

fn unordered() -> String {
    "`native_id` does not rise from row to row".to_owned()
}

/// The native ids of one table of one snapshot that are at hand.
#[derive(Default)]
struct Ids {
    lots: VecDeque<Lot>,
    /// The next one in the first lot.
    at: usize,
    last: Option<String>,
}

impl Ids {
    fn extend(&mut self, parts: Vec<Part>) -> Result<(), String> {
        for lot in all(parts.par_iter().map(Lot::of).collect())? {
            if self.last.as_deref().is_some_and(|last| last >= lot.ids.value(0)) {
                return Err(unordered());
            }
            self.last = Some(lot.ids.value(lot.ids.len() - 1).to_owned());
            self.lots.push_back(lot);
        }
        Ok(())
    }

    /// How many there are in the first lot.
    fn left(&self) -> usize {
        self.lots.front().map_or(0, |lot| lot.ids.len() - self.at)
    }

    fn id(&self) -> &str {
        self.lots.front().map_or("", |lot| lot.ids.value(self.at))
    }

    fn advance(&mut self, n: usize) {
        self.at += n;
        if self.left() == 0 {
            self.lots.pop_front();
            self.at = 0;
        }
    }

    /// How many of the next ids are those of the other side, as far as a block shows.
    fn same_as(&self, other: &Self) -> usize {
        let (Some(a), Some(b)) = (self.lots.front(), other.lots.front()) else { return 0 };
        if self.at == other.at && Arc::ptr_eq(&a.read, &b.read) {
            return self.left();
        }
        let n = BLOCK.min(self.left()).min(other.left());
        if same_texts(&a.ids, self.at, &b.ids, other.at, n) {
            return n;
        }
        (0..n).find(|k| a.ids.value(self.at + k) != b.ids.value(other.at + k)).unwrap_or(n)
    }

    /// Which of the next `n` ids, the same on both sides, are of another generation there.
    fn renewed(&self, other: &Self, n: usize) -> impl Iterator<Item = u32> {
        let of = |ids: &Self| ids.lots.front().and_then(|lot| lot.generations.clone());
        let (i, j) = (self.at, other.at);
        let differs = move |k: &u32, a: &StringArray, b: &StringArray| {
            let (i, j) = (i + *k as usize, j + *k as usize);
            a.is_valid(i) && b.is_valid(j) && a.value(i) != b.value(j)
        };
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        of(self).zip(of(other)).into_iter().flat_map(move |(a, b)| (0..n).filter(move |k| differs(k, &a, &b)))
    }
}

/// The numbers of everything that two snapshots name. A dimension that is not asked for is empty.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Numbering {
    pub accounts: Numbers,
    pub groups: Numbers,
    pub entitlements: Numbers,
    pub resources: Numbers,
    pub credentials: Numbers,
}

impl Numbering {
    /// Merges the dimensions that comparing some tables takes.
    ///
    /// # Errors
    /// A dimension cannot be read, or its ids are not in order.
    pub fn of<S: Source>(shots: &Both<Shot<'_, S>>, tables: &[&'static Table]) -> Result<Self, S::Error> {
        let mut out = Self::default();
        let asked = |any: &[&str]| tables.iter().any(|t| any.contains(&t.name));
        let dimensions: [(&'static Table, bool, &mut Numbers); 5] = [
            (&ACCOUNTS, !tables.is_empty(), &mut out.accounts),
            (&GROUPS, asked(&["memberships", "grants"]), &mut out.groups),
            (&ENTITLEMENTS, asked(&["grants"]), &mut out.entitlements),
            (&RESOURCES, asked(&["grants"]), &mut out.resources),
            (&CREDENTIALS, asked(&["credentials"]), &mut out.credentials),
        ];
        let merge = |(table, asked, numbers): (&'static Table, bool, &mut Numbers)| {
            if asked {
                *numbers = Numbers::merge(shots, table)?;
            }
            Ok(())
        };
        all(dimensions.into_par_iter().with_max_len(1).map(merge).collect())?;
        Ok(out)
    }
}
