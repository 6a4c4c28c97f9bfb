//! Two snapshots of one system as sorted streams of columns.
//!
//! Ordinals are dense in the byte order of the native ids and rows stand in the order of their keys (the store's invariants). So the ids
//! of each dimension merge to common numbers that rise with the ordinals of either side ([`numbers`]), keys put into those numbers still
//! rise ([`stretch`]), and two tables merge as they are read ([`walk`]): nothing is sorted, hashed or held but the numbers and the rows in
//! flight.

mod column;
mod numbers;
mod sample;
mod stretch;
mod walk;

use std::collections::BTreeSet;

use arrow::array::RecordBatch;

pub(super) use numbers::{Marks, Numbering};
pub(super) use sample::sample;
pub(super) use stretch::{Stretch, What};
pub(super) use walk::{Job, Visit, walk};

use crate::model::{Row, Table, Time};

/// Batches of a table, in the order of its rows.
pub type Batches<'a, E> = Box<dyn Iterator<Item = Result<RecordBatch, E>> + 'a>;

/// Where the rows of one snapshot lie. Rows of a table stand in the order of its key.
pub trait Source: Sync {
    type Error: Send;

    /// How many rows a table has.
    ///
    /// # Errors
    /// It cannot be read, or has more rows than an ordinal counts.
    fn count(&self, table: &'static Table) -> Result<u32, Self::Error>;

    /// Some columns of a table, in this order. A word may come as a dictionary (`Int32` keys) or as text.
    ///
    /// # Errors
    /// It cannot be read.
    fn batches(&self, table: &'static Table, columns: &[&'static str]) -> Result<Batches<'_, Self::Error>, Self::Error>;

    /// The rows at some positions: ascending, each once.
    ///
    /// # Errors
    /// They cannot be read.
    fn rows<R: Row>(&self, positions: &[u32]) -> Result<Vec<R>, Self::Error>;

    /// That a table is not what a sealed table is.
    fn damaged(&self, table: &'static Table, what: String) -> Self::Error;
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
