//! Every view of a run, made when somebody reads it: in parts of whole accounts, and as a whole.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, UInt8Type, UInt32Type};
use polars::prelude::DataFrame;
use rayon::prelude::*;

use super::parts::{Columns, Cut, Parts};
use super::{FrameError, Run, System, build, slice, views};
use crate::model::edge_history::Edge;
use crate::model::*;
use crate::sql::local::{Keys, Part};
use crate::sql::{SqlError, frame};

/// Accounts of one part of `approvals` as it is written.
const APPROVALS_PART: u32 = 16_384;

/// The views of one run.
pub struct Tables<'r> {
    run: &'r Run,
    parts: Parts<'r>,
    /// Views and tables as a whole, made or given.
    whole: Mutex<BTreeMap<String, RecordBatch>>,
}

impl<'r> Tables<'r> {
    /// `accounts`: how many stand in one part.
    pub fn new(run: &'r Run, accounts: u32) -> Self {
        Self { run, parts: Parts::new(run, accounts), whole: Mutex::new(BTreeMap::new()) }
    }

    /// The snapshot of a system of the run.
    pub fn system(&self, system_ix: u32) -> Option<&System> {
        self.run.system(Some(system_ix))
    }

    /// The views that are cut, in their parts.
    pub fn parts(&self) -> &Parts<'r> {
        &self.parts
    }

    /// Gives a table that the run itself does not hold.
    ///
    /// # Errors
    /// Arrow refuses the rows.
    pub fn put<R: Row>(&self, rows: &[R]) -> Result<(), FrameError> {
        let batch = to_batch(rows).map_err(|e| fail(R::TABLE.name, e))?;
        self.whole.lock().unwrap_or_else(PoisonError::into_inner).insert(R::TABLE.name.to_owned(), batch);
        Ok(())
    }

    /// A view as a whole, text as plain text. `None`: there is no such view.
    ///
    /// # Errors
    /// A table cannot be read, or Arrow refuses its rows.
    pub fn batch(&self, view: &str) -> Result<Option<RecordBatch>, FrameError> {
        if let Some(batch) = self.whole.lock().unwrap_or_else(PoisonError::into_inner).get(view) {
            return Ok(Some(batch.clone()));
        }
        let Some(batch) = self.made(view)? else { return Ok(None) };
        self.whole.lock().unwrap_or_else(PoisonError::into_inner).insert(view.to_owned(), batch.clone());
        Ok(Some(batch))
    }

    /// A view as a whole, for polars.
    ///
    /// # Errors
    /// As [`Tables::batch`].
    pub fn frame(&self, view: &str) -> Result<Option<DataFrame>, FrameError> {
        self.batch(view)?.map(|b| frame::from_batches(&b.schema(), std::slice::from_ref(&b)).map_err(|e| fail(view, e))).transpose()
    }

    fn made(&self, view: &str) -> Result<Option<RecordBatch>, FrameError> {
        if let Some(table) = views::PARTITIONED.iter().copied().chain([&APPROVALS]).find(|t| t.name == view) {
            return self.joined(table).map(Some);
        }
        let run = self.run;
        macro_rules! tables {
            ($($rows:expr),*) => {
                $(if name_of($rows) == view {
                    return to_batch($rows).map(Some).map_err(|e| fail(view, e));
                })*
            };
        }
        tables!(&run.seen, &run.identities, &run.sources, &run.account_state, &run.account_identity, &run.match_trace);
        tables!(&run.group_reach, &run.changes, &run.log_coverage, &run.revocations, &run.roles_seen);
        tables!(&run.movers, &run.leaver_reach, &run.principal_risk);
        if view == EDGE_HISTORY.name {
            let batches: Vec<_> = run.edge_history.batches().collect::<Result<_, _>>().map_err(|e| fail(view, e))?;
            return concat_batches(&EDGE_HISTORY.arrow(), &batches).map(Some).map_err(|e| fail(view, e));
        }
        let present = run.systems.iter().map(|s| s.name.as_str()).collect();
        let contexts = run.systems.iter().filter_map(|s| run.context(s));
        let moved = |c: &build::Context<'_>| build::moved_access(c, slice(&run.mover_access, |r| r.system_ix, c.system.ix));
        macro_rules! of_systems {
            ($rows:expr) => {
                to_batch(&$rows.collect::<Vec<_>>()).map(Some).map_err(|e| fail(view, e))
            };
        }
        match view {
            "moved_access" => of_systems!(contexts.flat_map(|c| moved(&c))),
            "register" => of_systems!(run.systems.iter().flat_map(|s| build::register(s, &present))),
            "reviews" => of_systems!(run.systems.iter().flat_map(build::reviews)),
            _ => Ok(None),
        }
    }

    /// A view that is cut, its parts one below the other.
    fn joined(&self, table: &'static Table) -> Result<RecordBatch, FrameError> {
        let mut batches = Vec::new();
        for columns in self.parts.cuts.iter().filter_map(|c| self.parts.part(*c)) {
            batches.push(part(&columns, table)?);
        }
        concat_batches(&table.arrow(), &batches).map_err(|e| fail(table.name, e))
    }
}

fn name_of<R: Row>(_: &[R]) -> &'static str {
    R::TABLE.name
}

fn fail(view: &str, error: impl std::fmt::Display) -> FrameError {
    FrameError { view: view.to_owned(), what: error.to_string() }
}

/// The rows of `approvals`, batch after batch in the order of the table. A few parts are in memory at a time.
pub fn approvals(run: &Run) -> impl Iterator<Item = Result<RecordBatch, FrameError>> {
    let parts = Parts::new(run, APPROVALS_PART);
    let cuts: Vec<Cut> = parts.cuts.iter().copied().filter(|c| run.approvals.speaks_of(c.system_ix) && c.from < c.to).collect();
    let some = rayon::current_num_threads().saturating_mul(2).max(1);
    let windows: Vec<Vec<Cut>> = cuts.chunks(some).map(<[Cut]>::to_vec).collect();
    windows.into_iter().flat_map(move |window| {
        let of = |cut: &Cut| parts.part(*cut).map(|columns| part(&columns, &APPROVALS));
        window.par_iter().filter_map(of).collect::<Vec<_>>()
    })
}

/// A view of one part with all its columns, text as plain text.
fn part(columns: &Columns<'_>, table: &'static Table) -> Result<RecordBatch, FrameError> {
    let arrays = table.columns.iter().map(|c| columns.column(table.name, c.name).and_then(|a| plain(&a)));
    let arrays: Vec<ArrayRef> = arrays.collect::<Result<_, _>>().map_err(|e| fail(table.name, e))?;
    RecordBatch::try_new(table.arrow(), arrays).map_err(|e| fail(table.name, e))
}

/// A column with its text as plain text.
pub(super) fn plain(array: &ArrayRef) -> Result<ArrayRef, SqlError> {
    match array.data_type() {
        DataType::Dictionary(..) => cast(array, &DataType::Utf8).map_err(|e| SqlError::Engine(e.to_string())),
        _ => Ok(std::sync::Arc::clone(array)),
    }
}

/// A view of one part, for polars; `None`: it is not cut.
///
/// # Errors
/// A table cannot be read.
pub fn part_frame(columns: &Columns<'_>, view: &str) -> Result<Option<DataFrame>, FrameError> {
    let table = views::PARTITIONED.iter().copied().chain([&APPROVALS]).find(|t| t.name == view);
    let batch = table.map(|table| part(columns, table)).transpose()?;
    batch.map(|b| frame::from_batches(&b.schema(), std::slice::from_ref(&b)).map_err(|e| fail(view, e))).transpose()
}

/// The views that are not cut, as every part sees them.
impl Part for Tables<'_> {
    fn rows(&self, view: &str) -> Result<usize, SqlError> {
        let batch = self.batch(view).map_err(|e| SqlError::Engine(e.to_string()))?;
        batch.map(|b| b.num_rows()).ok_or_else(|| SqlError::MissingTable(view.to_owned()))
    }

    fn column(&self, view: &str, column: &str) -> Result<ArrayRef, SqlError> {
        let batch = self.batch(view).map_err(|e| SqlError::Engine(e.to_string()))?;
        let batch = batch.ok_or_else(|| SqlError::MissingTable(view.to_owned()))?;
        let unknown = || SqlError::Engine(format!("the view `{view}` has no column `{column}`"));
        batch.column_by_name(column).cloned().ok_or_else(unknown)
    }

    fn places(&self, view: &str, keys: &[ArrayRef]) -> Result<UInt32Array, SqlError> {
        Ok(self.run.edge_history.places(Edges::new(view, keys)?.iter()))
    }

    fn seek(&self, view: &str, column: &str, keys: Keys<'_>, places: &UInt32Array) -> Result<ArrayRef, SqlError> {
        let history = &self.run.edge_history;
        if let Some(of_places) = history.shown(column, places).filter(|_| view == EDGE_HISTORY.name) {
            return Ok(of_places);
        }
        let edges: Vec<Option<Edge>> = Edges::new(view, &keys()?)?.iter().collect();
        let of_edges = history.column(column, &edges);
        of_edges.ok_or_else(|| SqlError::Engine(format!("the view `{view}` has no column `{column}`")))
    }
}

/// Edges by keys of `edge_history`.
struct Edges {
    system_ix: UInt32Array,
    /// By the entry of each row, whether it is a grant.
    words: Vec<Option<bool>>,
    codes: ArrayRef,
    edge_ix: UInt32Array,
}

impl Edges {
    fn new(view: &str, keys: &[ArrayRef]) -> Result<Self, SqlError> {
        let (true, [system, edge, ix]) = (view == EDGE_HISTORY.name, keys) else { return Err(SqlError::MissingTable(view.to_owned())) };
        let (system_ix, edge_ix) = (ordinals(system)?, ordinals(ix)?);
        let texts = || SqlError::Engine(format!("`{view}` is looked up by text"));
        let (codes, texts) = match edge.as_any_dictionary_opt() {
            Some(coded) => (coded.keys(), coded.values().as_string_opt::<i32>().ok_or_else(texts)?),
            None => {
                let all = u32::try_from(edge.len()).map_err(|e| SqlError::Engine(e.to_string()))?;
                let same: ArrayRef = std::sync::Arc::new(UInt32Array::new((0..all).collect::<Vec<_>>().into(), edge.nulls().cloned()));
                return Self { system_ix, words: words(edge.as_string_opt::<i32>().ok_or_else(texts)?), codes: same, edge_ix }.checked();
            }
        };
        let codes = match codes.data_type() {
            DataType::UInt8 => codes.slice(0, codes.len()),
            _ => cast(codes, &DataType::UInt32).map_err(|e| SqlError::Engine(e.to_string()))?,
        };
        Self { system_ix, words: words(texts), codes, edge_ix }.checked()
    }

    fn checked(self) -> Result<Self, SqlError> {
        let same = self.codes.len() == self.system_ix.len() && self.codes.len() == self.edge_ix.len();
        if same { Ok(self) } else { Err(SqlError::Engine("columns of a key differ in length".to_owned())) }
    }

    fn iter(&self) -> Box<dyn Iterator<Item = Option<Edge>> + '_> {
        let of = |((system, grant), ix): ((Option<u32>, Option<bool>), Option<u32>)| Some((system?, grant?, ix?));
        let grant = |code: usize| self.words.get(code).copied().flatten();
        match self.codes.as_primitive_opt::<UInt8Type>() {
            Some(codes) => {
                let grants = codes.iter().map(move |code| grant(usize::from(code?)));
                Box::new(self.system_ix.iter().zip(grants).zip(self.edge_ix.iter()).map(of))
            }
            None => {
                let codes = self.codes.as_primitive_opt::<UInt32Type>().into_iter().flatten();
                let grants = codes.map(move |code| grant(code? as usize));
                Box::new(self.system_ix.iter().zip(grants).zip(self.edge_ix.iter()).map(of))
            }
        }
    }
}

/// Which of some texts say that an edge is a grant, and which that it is a membership.
fn words(texts: &StringArray) -> Vec<Option<bool>> {
    let word = |text: Option<&str>| match text? {
        "grant" => Some(true),
        "membership" => Some(false),
        _ => None,
    };
    texts.iter().map(word).collect()
}

/// Numbers as ordinals; what is none is NULL.
fn ordinals(array: &ArrayRef) -> Result<UInt32Array, SqlError> {
    let safe = arrow::compute::CastOptions { safe: true, ..arrow::compute::CastOptions::default() };
    let cast = arrow::compute::cast_with_options(array, &DataType::UInt32, &safe).map_err(|e| SqlError::Engine(e.to_string()))?;
    cast.as_primitive_opt::<UInt32Type>().cloned().ok_or_else(|| SqlError::Engine("an ordinal is due".to_owned()))
}
