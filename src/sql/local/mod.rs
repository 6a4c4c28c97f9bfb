//! Account-grain and row-local queries over Arrow columns, several at once.
//!
//! [`Fused::new`] takes queries that share partitions. What they have in common (views, joins, groups, conditions) is found by structure and computed once
//! per partition; a condition on one view is computed over the rows of that view and reaches the rows of a join as bits. Columns are asked of a [`Part`]
//! only when something is computed from them, and the display columns of a check only where some row says `finding`.
//!
//! The meaning is that of the polars path (`lower.rs`), which stays: it answers what this one refuses, and it decides where values fail. See
//! [`Over::run`] for errors.

mod bits;
mod build;
mod choose;
mod column;
mod eval;
mod group;
mod keys;
mod make;
mod node;
mod ops;
mod rows;
mod scalar;
mod table;
mod tally;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::datatypes::Schema;

use self::build::{Builder, Built};
use self::eval::{Eval, Memo};
use self::node::Graph;
use self::tally::{Ready, field};
use super::types::Type;
use super::{Query, SqlError};

/// Makes the columns of a key.
pub type Keys<'a> = &'a dyn Fn() -> Result<Vec<ArrayRef>, SqlError>;

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

    /// A column of one row, if every row of the part has the same value in it; `None`: [`Part::column`] has the column.
    ///
    /// # Errors
    /// As [`Part::column`].
    fn constant(&self, view: &str, column: &str) -> Result<Option<ArrayRef>, SqlError> {
        let _ = (view, column);
        Ok(None)
    }

    /// For rows that are looked up: a number for the row with each key, by which [`Part::seek`] finds it again, NULL where there is none.
    /// `keys`: the columns of the view's key, numbers as `UInt32` or `Int64`, text as [`Part::column`] has it.
    ///
    /// # Errors
    /// The view is not one in which rows are looked up.
    fn places(&self, view: &str, keys: &[ArrayRef]) -> Result<UInt32Array, SqlError> {
        let _ = keys;
        Err(SqlError::MissingTable(view.to_owned()))
    }

    /// A column of the rows with those numbers, NULL where there is none. `keys`: as for [`Part::places`].
    ///
    /// # Errors
    /// The view is not one in which rows are looked up, or it has no such column.
    fn seek(&self, view: &str, column: &str, keys: Keys<'_>, places: &UInt32Array) -> Result<ArrayRef, SqlError> {
        let _ = (column, keys, places);
        Err(SqlError::MissingTable(view.to_owned()))
    }
}

/// Queries made ready to run together.
#[derive(Debug)]
pub struct Fused {
    graph: Graph,
    queries: Vec<Built<Ready>>,
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
        Self::seeking(queries, chunked, &BTreeMap::new())
    }

    /// As [`Fused::new`]. `sought`: whole views that are too long for an index, with their keys: where a join is on all of a key, the rows
    /// are looked up by [`Part::seek`] and the view is not read.
    pub fn seeking(queries: &[&Query], chunked: &BTreeSet<&str>, sought: &BTreeMap<&str, &[&str]>) -> Self {
        let mut graph = Graph::default();
        let queries = queries.iter().map(|query| ready(&mut graph, query, chunked, sought)).collect();
        Self { graph, queries }
    }

    /// Why the query of that place in [`Fused::new`] has to run on polars; `None`: it runs here.
    pub fn refused(&self, query: usize) -> Option<&Refusal> {
        self.queries.get(query).and_then(|q| q.as_ref().err())
    }

    /// The queries over these whole views. What depends on them alone is computed once, when first needed.
    pub fn over<'a>(&'a self, whole: &'a dyn Part) -> Over<'a> {
        Over { fused: self, whole, of_whole: Memo::new(&self.graph) }
    }
}

fn ready(graph: &mut Graph, query: &Query, chunked: &BTreeSet<&str>, sought: &BTreeMap<&str, &[&str]>) -> Built<Ready> {
    let (by_account, by_row) = (query.prove_account_grain().is_ok(), query.prove_row_local(chunked).is_ok());
    let mut builder = Builder::new(graph, &query.plan, chunked, sought);
    let relation = builder.query()?;
    let in_parts = by_account && !builder.reads_chunks || by_row && !builder.reads_accounts;
    if !in_parts {
        return Err(Refusal("rows of several parts together"));
    }
    let mut outputs = Vec::new();
    let mut fields = Vec::new();
    let (mut outcome, mut system) = (None, None);
    for column in &query.plan.outputs {
        let ty = column.ty.column().ok_or(Refusal("an output without a type"))?;
        let node = build::node(column.id, &relation.columns)?;
        match column.name.as_str() {
            "outcome" if ty != Type::Text => return Err(Refusal("an outcome that is no text")),
            "outcome" => outcome = Some(node),
            "system_ix" if ty == Type::U32 => system = Some(node),
            _ => {}
        }
        outputs.push((ty, node));
        fields.push(field(&column.name, ty));
    }
    let schema = Arc::new(Schema::new(fields));
    graph.need_space(relation.space);
    relation.condition.into_iter().chain(outputs.iter().map(|(_, node)| *node)).for_each(|node| graph.need(node));
    let may_fail = outputs.iter().map(|(_, node)| *node).filter(|node| graph.may_fail(*node)).collect();
    Ok(Ready { space: relation.space, condition: relation.condition, outputs, schema, outcome, system, may_fail })
}

/// Queries with the views that every partition sees whole. Partitions may run on several threads at once.
pub struct Over<'a> {
    fused: &'a Fused,
    whole: &'a dyn Part,
    of_whole: Memo,
}

impl Over<'_> {
    /// Runs the wanted queries over one partition. `None` for those that were not wanted or are refused; a query without an output `outcome` gives no
    /// counts and no hits.
    ///
    /// An error in one query says nothing about the others. `SqlError::Value` means that polars must decide: here everything is computed over the whole
    /// of the views that it is made from, also in rows that a filter or join leaves out later, and outputs that can fail also in rows that are no
    /// finding. So what runs without an error here has none on polars.
    pub fn run(&self, part: &dyn Part, wanted: &dyn Fn(usize) -> bool) -> Vec<Option<Result<Tally, SqlError>>> {
        let memo = Memo::new(&self.fused.graph);
        let eval = self.eval(part, &memo);
        let one = |(i, query): (usize, &Built<Ready>)| query.as_ref().ok().filter(|_| wanted(i)).map(|query| eval.tally(query));
        self.fused.queries.iter().enumerate().map(one).collect()
    }

    /// Every row of one query over one partition, in no particular order.
    ///
    /// # Errors
    /// As [`Over::run`]; a refused query is `SqlError::Engine`.
    pub fn rows(&self, part: &dyn Part, query: usize) -> Result<RecordBatch, SqlError> {
        let memo = Memo::new(&self.fused.graph);
        match self.fused.queries.get(query) {
            Some(Ok(query)) => self.eval(part, &memo).everything(query),
            Some(Err(refusal)) => Err(SqlError::Engine(refusal.to_string())),
            None => Err(SqlError::Engine("no such query".to_owned())),
        }
    }

    fn eval<'e>(&'e self, part: &'e dyn Part, memo: &'e Memo) -> Eval<'e> {
        Eval { graph: &self.fused.graph, part, of_part: memo, whole: self.whole, of_whole: &self.of_whole }
    }
}
