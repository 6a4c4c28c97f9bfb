//! Runs one check over its partitions and sorts what comes back into counts and hits.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType, UInt32Type, UInt64Type};
use polars::prelude::IntoLazy;
use rayon::prelude::*;
use serde_json::{Map, Value};

use super::Frames;
use crate::checks::{Check, Grain};
use crate::model::{Certainty, Time, Word};
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
    fn add(&mut self, outcome: &str) -> Result<(), String> {
        self.population += 1;
        *match outcome {
            "finding" | "ok" => &mut self.evaluated,
            "unknown" => &mut self.unknown,
            "too_new" => &mut self.too_new,
            "not_yet_observable" => &mut self.not_yet_observable,
            "before_coverage" => &mut self.before_coverage,
            other => {
                return Err(format!("outcome `{other}` is not one of finding, ok, unknown, too_new, not_yet_observable, before_coverage"));
            }
        } += 1;
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
    pub hits: Vec<Hit>,
}

impl Answers {
    fn merge(&mut self, other: Self) {
        for (system, counts) in other.counts {
            self.counts.entry(system).or_default().add_all(counts);
        }
        self.hits.extend(other.hits);
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
}

impl EvaluateError {
    /// Whether the query and the data it met are at fault, and not the engine.
    pub fn of_the_check(&self) -> bool {
        matches!(self, Self::Sql(SqlError::Value(_)) | Self::Form(_))
    }
}

/// Runs `query` over the systems in `systems`; rows of others are passed over.
///
/// # Errors
/// The query fails, or its rows are not of the form that checks must have.
pub fn evaluate(check: &Check, query: &Query, frames: &Frames, systems: &BTreeSet<u32>) -> Result<Answers, EvaluateError> {
    let parts: Vec<Answers> = match check.grain {
        Grain::Account => frames
            .partitions
            .par_iter()
            .filter(|p| systems.contains(&p.system_ix))
            .map(|p| {
                let table = |name: &str| p.frames.get(name).or_else(|| frames.whole.get(name)).map(|f| f.clone().lazy());
                read(&crate::sql::frame::to_batch(&query.run(&table)?).map_err(|e| EvaluateError::Rows(e.to_string()))?, systems)
            })
            .collect::<Result<_, EvaluateError>>()?,
        Grain::Run => {
            let table = |name: &str| frames.whole.get(name).map(|f| f.clone().lazy());
            vec![read(&crate::sql::frame::to_batch(&query.run(&table)?).map_err(|e| EvaluateError::Rows(e.to_string()))?, systems)?]
        }
    };
    let mut out = Answers::default();
    for part in parts {
        out.merge(part);
    }
    Ok(out)
}

fn read(batch: &RecordBatch, systems: &BTreeSet<u32>) -> Result<Answers, EvaluateError> {
    let text = |name: &str| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
    let outcomes = text("outcome").ok_or_else(|| EvaluateError::Form("there is no text column `outcome`".to_owned()))?;
    let certainty = text("certainty");
    let system_ix = batch.column_by_name("system_ix").and_then(|c| c.as_primitive_opt::<UInt32Type>());
    let since = batch.column_by_name("since").and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
    let mut out = Answers::default();
    for i in 0..batch.num_rows() {
        let system = system_ix.filter(|c| c.is_valid(i)).map(|c| c.value(i));
        if system.is_some_and(|s| !systems.contains(&s)) {
            continue;
        }
        let outcome = if outcomes.is_valid(i) { outcomes.value(i) } else { "unknown" };
        out.counts.entry(system).or_default().add(outcome).map_err(EvaluateError::Form)?;
        if outcome != "finding" {
            continue;
        }
        let certain = certainty.filter(|c| c.is_valid(i)).map_or(Some(Certainty::Certain), |c| Certainty::parse(c.value(i)));
        let certainty = certain.ok_or_else(|| EvaluateError::Form("`certainty` is neither `certain` nor `possible`".to_owned()))?;
        let since = since.filter(|c| c.is_valid(i)).and_then(|c| Time::from_micros(c.value(i)));
        out.hits.push(Hit { certainty, system_ix: system, since, columns: row(batch, i) });
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
