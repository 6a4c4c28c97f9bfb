//! Two snapshots of one system as sorted streams of columns.
//!
//! Ordinals are dense in the byte order of the native ids and rows stand in the order of their keys (the store's invariants). So the ids
//! of each dimension merge to common numbers that rise with the ordinals of either side ([`numbers`]), keys put into those numbers still
//! rise ([`stretch`]), and two tables merge as they are read: nothing is sorted, hashed or held but the numbers and the rows in flight.
//!
//! Tables are read some parts at a time, each column of each part on its own ([`pair`]). What is at hand of both is cut where parts begin,
//! into ranges of keys that are merged side by side ([`range`]) and told in their order ([`walk`]).

mod column;
mod numbers;
mod pair;
mod range;
mod sample;
mod stretch;
mod walk;

use std::collections::BTreeSet;

use arrow::array::ArrayRef;

pub(super) use numbers::{Marks, Numbering};
pub(super) use range::Visit;
pub(super) use sample::{Sampled, entitlements_at, levels_at};
pub(super) use stretch::{Stretch, What};
pub(super) use walk::{Job, Line, walk};

use crate::model::{Table, Time};

/// Where the rows of one snapshot lie. Rows of a table stand in the order of its key.
pub trait Source: Sync {
    type Error: Send;
    type Columns: Columns<Error = Self::Error>;

    /// How many rows a table has.
    ///
    /// # Errors
    /// It cannot be read, or has more rows than an ordinal counts.
    fn count(&self, table: &'static Table) -> Result<u32, Self::Error>;

    /// Some columns of a table, in this order.
    ///
    /// # Errors
    /// It cannot be read, or lacks one of them.
    fn open(&self, table: &'static Table, columns: &[&'static str]) -> Result<Self::Columns, Self::Error>;

    /// That a table is not what a sealed table is.
    fn damaged(&self, table: &'static Table, what: String) -> Self::Error;
}

/// Columns of one table, cut into parts in the order of its rows.
pub trait Columns: Send + Sync {
    type Error: Send;

    /// The rows of each part.
    fn parts(&self) -> &[usize];

    /// One column of one part. A word may come as a dictionary (`Int32` keys) or as text.
    ///
    /// # Errors
    /// It cannot be read.
    fn read(&self, part: usize, column: usize) -> Result<ArrayRef, Self::Error>;

    /// Whether the same part of the same column of another table holds the same values, as far as that shows without reading them.
    fn is_same(&self, other: &Self, part: usize, column: usize) -> bool;
}

/// One snapshot, to be read.
#[derive(Debug)]
pub struct Shot<'a, S> {
    pub source: &'a S,
    /// The snapshot's `taken_at`.
    pub taken_at: Time,
    /// Tables that it covers.
    pub covers: &'a BTreeSet<String>,
    /// It lacks records: what it leaves out may be there all the same.
    pub short: bool,
}

impl<S> Clone for Shot<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<S> Copy for Shot<'_, S> {}

impl<S> Shot<'_, S> {
    /// Whether it speaks of a table.
    pub fn speaks_of(&self, table: &Table) -> bool {
        self.covers.contains(table.name)
    }
}

/// Which of the two snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    Now,
}

/// Something of each of the two snapshots.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Both<T> {
    pub before: T,
    pub now: T,
}

impl<T> Both<T> {
    pub fn of(&self, side: Side) -> &T {
        match side {
            Side::Before => &self.before,
            Side::Now => &self.now,
        }
    }

    pub fn map<U>(&self, mut of: impl FnMut(&T) -> U) -> Both<U> {
        Both { before: of(&self.before), now: of(&self.now) }
    }
}

/// The values, or the first error in their order: which one it is hangs on no thread.
pub(super) fn all<T, E>(results: Vec<Result<T, E>>) -> Result<Vec<T>, E> {
    results.into_iter().collect()
}
