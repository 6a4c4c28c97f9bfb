//! The check language: a small, closed subset of SQL that polars, DuckDB and Spark answer alike (`docs/architecture.md`).
//!
//! `text -> parse (syntax, closed) -> bind (names, types) -> plan -> lower (polars) -> rows`. polars' own SQL is not used. What the language lacks is
//! refused with its place and a rewrite; the same text, its parameters rendered, runs unchanged on the other engines.

mod ast;
mod bind;
mod bind_expr;
mod check;
mod coerce;
mod diagnostic;
pub mod frame;
mod grain;
mod kernels;
mod keys;
mod like;
mod literal;
pub mod local;
mod lower;
mod lower_expr;
mod parse;
mod parse_expr;
mod plan;
pub mod random;
mod render;
mod types;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use polars::prelude::{DataFrame, LazyFrame, PolarsError};

pub use check::{CheckSource, MapReduce, parse_check};
pub use diagnostic::{Diagnostic, Pos};
pub use parse::Mode;
pub use types::{ACCOUNT_KEY, Catalog, Literal, Type, View, ViewColumn};

/// Gives the table behind a view, or `None`. Columns: `u32`, `u64`, `i64`, `f64`, boolean, text (or categorical), `timestamp[us]` without zone.
pub type Tables<'a> = &'a dyn Fn(&str) -> Option<LazyFrame>;

/// An output column of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputColumn {
    pub name: String,
    pub ty: Type,
    /// May hold NULL; `false` is sure.
    pub nullable: bool,
    /// Where the (first) SELECT gives it.
    pub at: Pos,
}

/// A query that was checked and can run any number of times.
#[derive(Debug)]
pub struct Query {
    text: String,
    at: Pos,
    outputs: Vec<OutputColumn>,
    reads: BTreeMap<String, BTreeSet<String>>,
    plan: plan::Plan,
}

/// Why a checked query gave no rows.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SqlError {
    #[error("the view `{0}` has no table")]
    MissingTable(String),
    /// The data: an overflow, an instant out of range, an unsigned number beyond BIGINT.
    #[error("{0}")]
    Value(String),
    #[error("the query engine failed: {0}")]
    Engine(String),
}

impl From<PolarsError> for SqlError {
    fn from(error: PolarsError) -> Self {
        let text = error.to_string();
        match text.split_once(kernels::VALUE) {
            Some((_, value)) => Self::Value(value.lines().next().unwrap_or_default().to_owned()),
            None if text.contains("conversion from `u64` to `i64` failed") => Self::Value("an unsigned number is beyond BIGINT".to_owned()),
            None => Self::Engine(text),
        }
    }
}

/// Compiles a check's query.
///
/// # Errors
/// The first fault, with its place in `text` and a rewrite.
pub fn compile(text: &str, params: &BTreeMap<String, Literal>, catalog: &Catalog) -> Result<Query, Diagnostic> {
    compile_as(Mode::Check, text, params, catalog)
}

/// Compiles a query for a check or for a person.
///
/// # Errors
/// As [`compile`].
pub fn compile_as(mode: Mode, text: &str, params: &BTreeMap<String, Literal>, catalog: &Catalog) -> Result<Query, Diagnostic> {
    let statement = parse::parse(text, params, mode)?;
    let (plan, reads) = bind::bind(&statement, catalog)?;
    let text = render::render(text, params)?;
    let select = statement.body.arms.first();
    let at = select.map(|s| s.pos).unwrap_or_default();
    let outputs = plan.outputs.iter().filter_map(|c| {
        let at = select.and_then(|s| given(s, &c.name)).unwrap_or(at);
        Some(OutputColumn { name: c.name.clone(), ty: c.ty.column()?, nullable: c.nullable, at })
    });
    let outputs = outputs.collect();
    Ok(Query { text, at, outputs, reads, plan })
}

/// Where a SELECT names an output; `None` where only `*` gives it.
fn given(select: &ast::Select, output: &str) -> Option<Pos> {
    select.items.iter().find_map(|item| match item {
        ast::Item::Expr { alias: Some(alias), .. } => Some(alias.pos).filter(|_| alias.text == output),
        ast::Item::Expr { expr, alias: None } => {
            Some(expr.pos).filter(|_| matches!(&expr.kind, ast::ExprKind::Column(column) if column.name == output))
        }
        ast::Item::All { .. } => None,
    })
}

impl Query {
    /// The text with its parameters as typed literals: what a run records, and other engines run.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where the SELECT stands that gives its rows; the first one of a UNION ALL.
    pub fn at(&self) -> Pos {
        self.at
    }

    pub fn outputs(&self) -> &[OutputColumn] {
        &self.outputs
    }

    /// The views that it reads, each with the columns that it names.
    pub fn reads(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.reads
    }

    /// Runs it. The rows come in no particular order; columns as in [`Query::outputs`].
    ///
    /// # Errors
    /// A missing table, an overflow or a like fault of the data, or a failure of the engine (a panic inside it too).
    pub fn run(&self, tables: Tables) -> Result<DataFrame, SqlError> {
        catch_unwind(AssertUnwindSafe(|| lower::run(&self.plan, tables))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            Err(SqlError::Engine(text.unwrap_or_else(|| "panicked".to_owned())))
        })
    }

    /// Proves that running it over partitions of whole accounts, one after another, gives the rows of one run over everything.
    ///
    /// # Errors
    /// The first join, EXISTS, GROUP BY, DISTINCT or window that is not keyed by account, with the fix.
    pub fn prove_account_grain(&self) -> Result<(), Diagnostic> {
        grain::prove(&self.plan)
    }

    /// Proves that running it over any cut of the rows of `chunked` views, one piece after another, gives the rows of one run over everything: each row
    /// meets only rows of other views, which are whole.
    ///
    /// # Errors
    /// The first join, EXISTS, GROUP BY, DISTINCT or window over the rows of a cut view.
    pub fn prove_row_local(&self, chunked: &BTreeSet<&str>) -> Result<(), Diagnostic> {
        grain::prove_row_local(&self.plan, chunked)
    }

    /// The view that its rows make for a query over them.
    pub fn as_view(&self) -> View {
        let columns = self.outputs.iter().map(|c| ViewColumn { name: c.name.clone(), ty: c.ty, nullable: c.nullable });
        View { columns: columns.collect(), key: Vec::new(), partitioned: false }
    }
}
