//! Common numbers of the dimensions of two snapshots, from their native ids as two sorted streams.

use std::cmp::Ordering;

use arrow::array::{Array, AsArray, StringArray};

use super::column::same_texts;
use super::{Batches, Shot, Side, Source};
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
    before: Vec<u32>,
    now: Vec<u32>,
    /// Numbers of things that are another one in the newer snapshot: both generations are known and differ.
    pub renewed: Marks,
}

impl Numbers {
    /// The number of each ordinal of one side.
    pub fn of(&self, side: Side) -> &[u32] {
        match side {
            Side::Before => &self.before,
            Side::Now => &self.now,
        }
    }

    fn merge<S: Source>(before: &Shot<'_, S>, now: &Shot<'_, S>, table: &'static Table) -> Result<Self, S::Error> {
        let (mut old, mut new) = (Ids::open(before.source, table)?, Ids::open(now.source, table)?);
        let mut out = Self::default();
        let mut number: u32 = 0;
        while let (more_old, more_new) = (old.fill()?, new.fill()?)
            && (more_old || more_new)
        {
            let n = old.same_as(&new, more_old && more_new);
            let side = match (more_old, more_new) {
                (true, true) if n > 0 => Ordering::Equal,
                (true, true) => old.id().cmp(new.id()),
                (true, false) => Ordering::Less,
                _ => Ordering::Greater,
            };
            let n = u32::try_from(n.max(1)).unwrap_or(1);
            // One less than the largest is what stands for null in a key.
            let end = number.checked_add(n).filter(|end| *end < u32::MAX);
            let end = end.ok_or_else(|| now.source.damaged(table, "two snapshots have more rows than ordinals count".to_owned()))?;
            if side == Ordering::Equal {
                (0..n).filter(|k| old.renewed(&new, *k as usize)).for_each(|k| out.renewed.set(number + k));
            }
            if side != Ordering::Greater {
                out.before.extend(number..end);
                old.at += n as usize;
            }
            if side != Ordering::Less {
                out.now.extend(number..end);
                new.at += n as usize;
            }
            number = end;
        }
        Ok(out)
    }
}

/// The native ids of one table of one snapshot, batch by batch.
struct Ids<'a, S: Source> {
    source: &'a S,
    table: &'static Table,
    batches: Batches<'a, S::Error>,
    ids: StringArray,
    generations: Option<StringArray>,
    at: usize,
}

impl<'a, S: Source> Ids<'a, S> {
    fn open(source: &'a S, table: &'static Table) -> Result<Self, S::Error> {
        let generation = table.columns.iter().any(|c| c.name == "generation");
        let columns = if generation { &["native_id", "generation"][..] } else { &["native_id"] };
        let none = StringArray::new_null(0);
        Ok(Self { source, table, batches: source.batches(table, columns)?, ids: none, generations: None, at: 0 })
    }

    /// Whether there is one more; the next batch is read if need be.
    fn fill(&mut self) -> Result<bool, S::Error> {
        while self.at >= self.ids.len() {
            let Some(batch) = self.batches.next().transpose()? else { return Ok(false) };
            let text = |at: usize| batch.columns().get(at).and_then(|c| c.as_string_opt::<i32>().cloned());
            let ids = text(0).filter(|ids| ids.null_count() == 0);
            let ids = ids.ok_or_else(|| self.source.damaged(self.table, "`native_id` is not text in every row".to_owned()))?;
            let last = self.ids.len().checked_sub(1).map(|at| self.ids.value(at));
            let before = last.into_iter().chain(ids.iter().flatten());
            if before.zip(ids.iter().flatten().skip(usize::from(last.is_none()))).any(|(a, b)| a >= b) {
                return Err(self.source.damaged(self.table, "`native_id` does not rise from row to row".to_owned()));
            }
            (self.ids, self.generations, self.at) = (ids, text(1).filter(|g| g.null_count() < g.len()), 0);
        }
        Ok(true)
    }

    fn id(&self) -> &str {
        if self.at < self.ids.len() { self.ids.value(self.at) } else { "" }
    }

    /// How many of the next ids are those of the other side, as far as a block shows.
    fn same_as(&self, other: &Self, both: bool) -> usize {
        let n = BLOCK.min(self.ids.len() - self.at).min(other.ids.len().saturating_sub(other.at));
        if both && same_texts(&self.ids, self.at, &other.ids, other.at, n) {
            return n;
        }
        0
    }

    fn renewed(&self, other: &Self, k: usize) -> bool {
        let (Some(a), Some(b)) = (&self.generations, &other.generations) else { return false };
        let (i, j) = (self.at + k, other.at + k);
        a.is_valid(i) && b.is_valid(j) && a.value(i) != b.value(j)
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
    pub fn of<S: Source>(before: &Shot<'_, S>, now: &Shot<'_, S>, tables: &[&'static Table]) -> Result<Self, S::Error> {
        let mut out = Self::default();
        let asked = |any: &[&str]| tables.iter().any(|t| any.contains(&t.name));
        let merge = |table| Numbers::merge(before, now, table);
        out.accounts = merge(&ACCOUNTS)?;
        if asked(&["memberships", "grants"]) {
            out.groups = merge(&GROUPS)?;
        }
        if asked(&["grants"]) {
            (out.entitlements, out.resources) = (merge(&ENTITLEMENTS)?, merge(&RESOURCES)?);
        }
        if asked(&["credentials"]) {
            out.credentials = merge(&CREDENTIALS)?;
        }
        Ok(out)
    }
}
