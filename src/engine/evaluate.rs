//! Runs checks over the parts of a run, or over the whole of it, and sorts what comes back into counts and findings.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType, UInt32Type, UInt64Type};
use polars::prelude::{IntoLazy, LazyFrame};
use serde_json::{Map, Value};

use super::findings::HalfMade;
use super::parts::{Columns, Cut};
use super::tables::part_frame;
use super::{FrameError, Near, Tables, cut_into_parts, looked_up, turns};
use crate::checks::{Check, Grain};
use crate::model::{Certainty, FindingRow, Stage, Time, Word};
use crate::sql::local::{Fused, Over, Tally};
use crate::sql::{Query, SqlError};

/// One row of a check's result that says `finding`.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    pub certainty: Certainty,
    pub system_ix: Option<u32>,
    pub since: Option<Time>,
    /// Every column of the row by name, in the order of the query. Instants are RFC 3339.
    pub columns: Map<String, Value>,
}

/// Subjects of one system by answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub population: u64,
    pub evaluated: u64,
    pub unknown: u64,
    pub too_new: u64,
    pub not_yet_observable: u64,
    pub before_coverage: u64,
}

impl Counts {
    fn add(&mut self, outcome: &str, rows: u64) -> Result<(), String> {
        self.population += rows;
        *match outcome {
            "finding" | "ok" => &mut self.evaluated,
            "unknown" => &mut self.unknown,
            "too_new" => &mut self.too_new,
            "not_yet_observable" => &mut self.not_yet_observable,
            "before_coverage" => &mut self.before_coverage,
            other => {
                return Err(format!("outcome `{other}` is not one of finding, ok, unknown, too_new, not_yet_observable, before_coverage"));
            }
        } += rows;
        Ok(())
    }

    /// Adds the counts of another part.
    pub fn add_all(&mut self, other: Self) {
        self.population += other.population;
        self.evaluated += other.evaluated;
        self.unknown += other.unknown;
        self.too_new += other.too_new;
        self.not_yet_observable += other.not_yet_observable;
        self.before_coverage += other.before_coverage;
    }
}

/// Everything that one check said. Counts are by system; rows that name none count under `None`.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    pub counts: BTreeMap<Option<u32>, Counts>,
    pub found: Vec<FindingRow>,
}

impl Answers {
    fn merge(&mut self, other: Self) {
        for (system, counts) in other.counts {
            self.counts.entry(system).or_default().add_all(counts);
        }
        self.found.extend(other.found);
    }
}

/// Why a check could not answer.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    #[error("{0}")]
    Sql(#[from] SqlError),
    #[error("the check's rows cannot be read: {0}")]
    Rows(String),
    #[error("the check's rows are not of the form that checks must have: {0}")]
    Form(String),
    #[error(transparent)]
    Half(#[from] HalfMade),
}

impl From<FrameError> for EvaluateError {
    fn from(error: FrameError) -> Self {
        Self::Rows(error.to_string())
    }
}

impl EvaluateError {
    /// Whether the query and the data it met are at fault, and not the engine.
    pub fn of_the_check(&self) -> bool {
        match self {
            Self::Sql(SqlError::Value(_)) | Self::Form(_) => true,
            Self::Half(half) => half.of_the_check,
            Self::Sql(_) | Self::Rows(_) => false,
        }
    }
}

/// A check that is put to some systems; rows of others are passed over.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    pub check: &'a Check,
    pub query: &'a Query,
    pub systems: BTreeSet<u32>,
}

impl Asked<'_> {
    /// Whether the rows of the parts, taken together, are those of the whole.
    pub fn in_parts(&self) -> bool {
        self.check.grain == Grain::Account || self.query.prove_row_local(&cut_into_parts()).is_ok()
    }
}

/// Makes the finding of a hit of the check at that place.
pub type Make<'a> = &'a (dyn Fn(usize, &Near, &Hit) -> Result<FindingRow, HalfMade> + Sync);

/// What one check said of one part, or why it could not.
type Said = Result<Answers, EvaluateError>;

/// Puts checks to every part of a run. Those that the fused executor takes share what they have in common; polars answers the others, and decides where
/// values fail.
///
/// One result per check, in their order: its query fails, or its rows are not of the form that checks must have.
pub fn over_parts(asked: &[Asked<'_>], tables: &Tables<'_>, make: Make<'_>) -> Vec<Said> {
    let queries: Vec<&Query> = asked.iter().map(|a| a.query).collect();
    let fused = Fused::seeking(&queries, &cut_into_parts(), &looked_up());
    let over = fused.over(tables);
    let cuts = &tables.parts().cuts;
    Stage::expect("checks", cuts.len());
    let one = |i: usize| cuts.get(i).map(|cut| of_part(asked, *cut, tables, &over, make)).unwrap_or_default();
    let mut out: Vec<Said> = asked.iter().map(|_| Ok(Answers::default())).collect();
    for part in turns::in_turn(cuts.len(), one) {
        for (all, said) in out.iter_mut().zip(part) {
            match (all.as_mut(), said) {
                (Ok(all), Ok(said)) => all.merge(said),
                // The first fault in the order of the parts is told.
                (Ok(_), Err(fault)) => *all = Err(fault),
                (Err(_), _) => {}
            }
        }
    }
    out
}

fn of_part(asked: &[Asked<'_>], cut: Cut, tables: &Tables<'_>, over: &Over<'_>, make: Make<'_>) -> Vec<Said> {
    let _step = Stage::step("checks");
    let wanted = |i: usize| asked.get(i).is_some_and(|a| a.systems.contains(&cut.system_ix));
    let Some(columns) = tables.parts().part(cut) else { return Vec::new() };
    let tallies = over.run(&columns, &wanted);
    let hits = tallies.iter().flatten().flatten().map(|t| &t.hits);
    let near = near_to(tables, cut.system_ix, hits);
    let of_one = |i: usize, a: &Asked<'_>, tally: Option<Result<Tally, SqlError>>| {
        if !wanted(i) {
            return Ok(Answers::default());
        }
        match tally {
            Some(Ok(tally)) => counted(&tally, &a.systems, &|hit| make(i, &near, hit)),
            Some(Err(SqlError::Value(_))) | None => {
                let near = |hits: &RecordBatch| near_to(tables, cut.system_ix, std::iter::once(hits));
                by_polars(a, tables, Some(&columns), &near, &|near, hit| make(i, near, hit))
            }
            Some(Err(fault)) => Err(fault.into()),
        }
    };
    asked.iter().zip(tallies).enumerate().map(|(i, (a, tally))| of_one(i, a, tally)).collect()
}

/// The rows behind hits. What cannot be read now is asked for once more, and then told.
fn near_to<'h>(tables: &Tables<'_>, system_ix: u32, hits: impl Iterator<Item = &'h RecordBatch>) -> Near {
    tables.system(system_ix).and_then(|s| Near::new(s, hits).ok()).unwrap_or_default()
}

/// Puts one check to the whole of a run.
///
/// # Errors
/// Its query fails, or its rows are not of the form that checks must have.
pub fn over_whole(asked: &Asked<'_>, tables: &Tables<'_>, make: &dyn Fn(&Hit) -> Result<FindingRow, HalfMade>) -> Said {
    by_polars(asked, tables, None, &|_| Near::default(), &|_, hit| make(hit))
}

fn by_polars(
    asked: &Asked<'_>,
    tables: &Tables<'_>,
    part: Option<&Columns<'_>>,
    near: &dyn Fn(&RecordBatch) -> Near,
    make: &dyn Fn(&Near, &Hit) -> Result<FindingRow, HalfMade>,
) -> Said {
    let mut frames: BTreeMap<&str, LazyFrame> = BTreeMap::new();
    for view in asked.query.reads().keys() {
        let cut = part.map(|columns| part_frame(columns, view)).transpose()?.flatten();
        let frame = match cut {
            Some(frame) => Some(frame),
            None => tables.frame(view)?,
        };
        frames.extend(frame.map(|f| (view.as_str(), f.lazy())));
    }
    let rows = asked.query.run(&|name| frames.get(name).cloned())?;
    read(&crate::sql::frame::to_batch(&rows).map_err(|e| EvaluateError::Rows(e.to_string()))?, &asked.systems, near, make)
}

/// Answers of a tally.
///
/// # Errors
/// Rows that are not of the form that checks must have.
pub(super) fn counted(tally: &Tally, systems: &BTreeSet<u32>, make: &dyn Fn(&Hit) -> Result<FindingRow, HalfMade>) -> Said {
    let mut out = Answers::default();
    for ((system, outcome), rows) in &tally.counts {
        if system.is_none_or(|s| systems.contains(&s)) {
            out.counts.entry(*system).or_default().add(outcome, *rows).map_err(EvaluateError::Form)?;
        }
    }
    out.found = hits(&tally.hits, systems, make)?;
    Ok(out)
}

fn read(
    batch: &RecordBatch,
    systems: &BTreeSet<u32>,
    near: &dyn Fn(&RecordBatch) -> Near,
    make: &dyn Fn(&Near, &Hit) -> Result<FindingRow, HalfMade>,
) -> Said {
    let outcomes = batch.column_by_name("outcome").and_then(|c| c.as_string_opt::<i32>());
    let outcomes = outcomes.ok_or_else(|| EvaluateError::Form("there is no text column `outcome`".to_owned()))?;
    let system_ix = batch.column_by_name("system_ix").and_then(|c| c.as_primitive_opt::<UInt32Type>());
    let mut out = Answers::default();
    let mut found = Vec::new();
    for i in 0..batch.num_rows() {
        let system = system_ix.filter(|c| c.is_valid(i)).map(|c| c.value(i));
        if system.is_some_and(|s| !systems.contains(&s)) {
            continue;
        }
        let outcome = if outcomes.is_valid(i) { outcomes.value(i) } else { "unknown" };
        out.counts.entry(system).or_default().add(outcome, 1).map_err(EvaluateError::Form)?;
        if outcome == "finding" {
            found.push(i);
        }
    }
    let places = arrow::array::UInt64Array::from_iter_values(found.into_iter().map(|i| i as u64));
    let rows = arrow::compute::take_record_batch(batch, &places).map_err(|e| EvaluateError::Rows(e.to_string()))?;
    let near = near(&rows);
    out.found = hits(&rows, systems, &|hit| make(&near, hit))?;
    Ok(out)
}

/// The findings of rows that say `finding`.
fn hits(
    batch: &RecordBatch,
    systems: &BTreeSet<u32>,
    make: &dyn Fn(&Hit) -> Result<FindingRow, HalfMade>,
) -> Result<Vec<FindingRow>, EvaluateError> {
    let certainty = batch.column_by_name("certainty").and_then(|c| c.as_string_opt::<i32>());
    let system_ix = batch.column_by_name("system_ix").and_then(|c| c.as_primitive_opt::<UInt32Type>());
    let since = batch.column_by_name("since").and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
    let mut out = Vec::with_capacity(batch.num_rows());
    for i in 0..batch.num_rows() {
        let system = system_ix.filter(|c| c.is_valid(i)).map(|c| c.value(i));
        if system.is_some_and(|s| !systems.contains(&s)) {
            continue;
        }
        let certain = certainty.filter(|c| c.is_valid(i)).map_or(Some(Certainty::Certain), |c| Certainty::parse(c.value(i)));
        let certainty = certain.ok_or_else(|| EvaluateError::Form("`certainty` is neither `certain` nor `possible`".to_owned()))?;
        let since = since.filter(|c| c.is_valid(i)).and_then(|c| Time::from_micros(c.value(i)));
        out.push(make(&Hit { certainty, system_ix: system, since, columns: row(batch, i) })?);
    }
    Ok(out)
}

/// One row as JSON, in column order.
pub fn row(batch: &RecordBatch, i: usize) -> Map<String, Value> {
    let schema = batch.schema();
    schema.fields().iter().zip(batch.columns()).map(|(f, c)| (f.name().clone(), cell(c.as_ref(), i))).collect()
}

fn cell(column: &dyn Array, i: usize) -> Value {
    if column.is_null(i) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(i).into(),
        DataType::Boolean => column.as_boolean().value(i).into(),
        DataType::UInt32 => column.as_primitive::<UInt32Type>().value(i).into(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(i).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(i).into(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(i).into(),
        DataType::Timestamp(_, _) => {
            let us = column.as_primitive::<TimestampMicrosecondType>().value(i);
            Time::from_micros(us).map_or(Value::Null, |t| t.to_string().into())
        }
        other => format!("unsupported {other}").into(),
    }
}
