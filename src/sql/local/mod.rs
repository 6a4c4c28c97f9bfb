//! Account-grain and row-local queries over Arrow columns, several at once.
//!
//! [`Fused::new`] takes queries that share partitions. What they have in common (views, joins, groups, conditions) is found by structure and computed once
//! per partition; a condition on one view is computed over the rows of that view and reaches the rows of a join as bits. Columns are asked of a [`Part`]
//! only when something is computed from them, and the display columns of a check only where some row says `finding`.
//!
//! The meaning is that of the polars path (`lower.rs`), which stays: it answers what this one refuses, and it decides where values fail. See
//! [`Over::run`] for errors.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{ArrayRef, RecordBatch};

use super::{Query, SqlError};

/// Columns of views, read when asked for: those of a partition, or those of the views that every partition sees whole.
///
/// A partition holds whole accounts of **one** system. Rows of a view with an account are sorted by `account_ix` (null last), and its `system_ix` is the
/// same in all rows. Parts of other views (see [`Fused::new`]) are any rows in any order.
pub trait Part: Sync {
    /// Number of rows of a view.
    ///
    /// # Errors
    /// No such view, or its file cannot be read.
    fn rows(&self, view: &str) -> Result<usize, SqlError>;

    /// A column of a view, as long as [`Part::rows`] says. Its type is that of the view's column: `UInt32`, `UInt64`, `Int64`, `Float64`, `Boolean`,
    /// `Timestamp(Microsecond, None)`; for text `Utf8`, or a dictionary of `Utf8` with keys of 8, 16 or 32 unsigned bits, whose values may repeat. It is
    /// asked for at most once per [`Over::run`]; a column of a whole view once per [`Over`].
    ///
    /// # Errors
    /// No such view or column, or its file cannot be read.
    fn column(&self, view: &str, column: &str) -> Result<ArrayRef, SqlError>;
}

/// Queries made ready to run together.
#[derive(Debug)]
pub struct Fused {
    refused: Vec<Option<Refusal>>,
}

/// Why a query runs on polars.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub &'static str);

/// What a check said about one partition.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Rows by `system_ix` (`None`: null, or no such output) and `outcome`; NULL counts as `unknown`.
    pub counts: BTreeMap<(Option<u32>, String), u64>,
    /// Every output column of the rows whose outcome is `finding`; names, order and types as on the polars path (`frame::to_batch`).
    pub hits: RecordBatch,
}

impl Fused {
    /// Compiles queries together. Views partitioned by account come in parts, and those of `chunked`, of which any rows may be together
    /// ([`Query::prove_row_local`]); others are whole.
    pub fn new(queries: &[&Query], chunked: &BTreeSet<&str>) -> Self {
        let _ = chunked;
        Self { refused: queries.iter().map(|_| Some(Refusal("not yet"))).collect() }
    }

    /// Why the query of that place in [`Fused::new`] has to run on polars; `None`: it runs here.
    pub fn refused(&self, query: usize) -> Option<&Refusal> {
        self.refused.get(query).and_then(Option::as_ref)
    }

    /// The queries over these whole views. What depends on them alone is computed once, when first needed.
    pub fn over<'a>(&'a self, whole: &'a dyn Part) -> Over<'a> {
        Over { fused: self, whole }
    }
}

/// Queries with the views that every partition sees whole. Partitions may run on several threads at once.
pub struct Over<'a> {
    fused: &'a Fused,
    whole: &'a dyn Part,
}

impl Over<'_> {
    /// Runs the wanted queries over one partition. `None` for those that were not wanted or are refused; a query without an output `outcome` gives no
    /// counts and no hits.
    ///
    /// An error in one query says nothing about the others. `SqlError::Value` means that polars must decide: here everything is computed over the whole
    /// of the views that it is made from, also in rows that a filter or join leaves out later, and outputs that can fail also in rows that are no
    /// finding. So what runs without an error here has none on polars.
    pub fn run(&self, part: &dyn Part, wanted: &dyn Fn(usize) -> bool) -> Vec<Option<Result<Tally, SqlError>>> {
        let _ = (part, wanted, self.whole);
        self.fused.refused.iter().map(|_| None).collect()
    }

    /// Every row of one query over one partition, in no particular order.
    ///
    /// # Errors
    /// As [`Over::run`]; a refused query is `SqlError::Engine`.
    pub fn rows(&self, part: &dyn Part, query: usize) -> Result<RecordBatch, SqlError> {
        let _ = (part, query);
        Err(SqlError::Engine("not yet".to_owned()))
    }
}
