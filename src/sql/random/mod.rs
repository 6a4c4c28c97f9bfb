//! Random queries of the language over random worlds: the proof that the embedded engine answers as DuckDB does.
//!
//! [`export`] writes worlds as Parquet and every query with this engine's rows; `tests/sql/random_queries.py` runs the same texts on DuckDB and compares.

mod dice;
mod query;
mod world;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;
use polars::prelude::{AnyValue, DataFrame, IntoLazy, LazyFrame};
use serde_json::{Value, json};

use super::{Catalog, Query, SqlError, compile, frame, literal};
use dice::Dice;
use world::World;

/// Queries asked of one world.
const PER_WORLD: u64 = 40;

/// What an export did.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Summary {
    /// Queries written.
    pub queries: u64,
    /// Of them, those that gave at least one row.
    pub with_rows: u64,
    /// Of them, those that ended in an error of the data.
    pub with_error: u64,
    /// Generated texts that the compiler refused, by message; not written.
    pub refused: BTreeMap<String, u64>,
    /// Queries proven to be of account grain, and run per account too.
    pub account_grain: u64,
    /// Of them, those whose rows per account differ from their rows over everything; each is a fault of the proof.
    pub account_grain_differs: Vec<String>,
    /// How often each form of the language occurs in the queries written.
    pub forms: BTreeMap<String, u64>,
}

/// Why an export stopped.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Parquet(#[from] parquet::errors::ParquetError),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("query {id}: {error}\n{sql}")]
    Engine { id: u64, error: SqlError, sql: String },
}

/// Writes `queries` random queries under `dir`: per world a folder with `<table>.parquet` and `queries.jsonl`
/// (`{"id", "sql", "rows": [[..]]}` or `{"id", "sql", "error"}`), and `summary.json` beside them. The same seed writes the same bytes.
///
/// # Errors
/// A failing disk, or a failure inside the engine, with the query that met it.
pub fn export(dir: &Path, seed: u64, queries: u64) -> Result<Summary, ExportError> {
    let mut summary = Summary::default();
    let mut number = 0;
    while summary.queries < queries {
        let mut dice = Dice::new(seed, number);
        let world = World::new(&mut dice);
        let folder = dir.join(format!("world-{number:05}"));
        fs::create_dir_all(&folder)?;
        for (name, batch) in &world.tables {
            write_table(&folder.join(format!("{name}.parquet")), batch)?;
        }
        let mut out = BufWriter::new(File::create(folder.join("queries.jsonl"))?);
        let most = PER_WORLD.min(queries - summary.queries);
        for line in ask(&world, &mut dice, most, &mut summary)? {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
        number += 1;
    }
    fs::write(dir.join("summary.json"), serde_json::to_string_pretty(&summary)?)?;
    Ok(summary)
}

fn write_table(path: &Path, batch: &RecordBatch) -> Result<(), ExportError> {
    let mut writer = ArrowWriter::try_new(File::create(path)?, batch.schema(), None)?;
    writer.write(batch)?;
    writer.close()?;
    Ok(())
}

/// The lines of one world's queries.
fn ask(world: &World, dice: &mut Dice, most: u64, summary: &mut Summary) -> Result<Vec<Value>, ExportError> {
    let catalog = world::catalog();
    let frames = world.frames();
    let mut lines = Vec::new();
    let mut tries = 0;
    while (lines.len() as u64) < most && tries < 4 * most {
        tries += 1;
        let (sql, forms) = query::generate(dice, &catalog);
        let query = match compile(&sql, &BTreeMap::new(), &catalog) {
            Ok(query) => query,
            Err(refusal) => {
                *summary.refused.entry(general(&refusal.message)).or_default() += 1;
                continue;
            }
        };
        let id = summary.queries;
        lines.push(answer(id, &sql, &query, &frames, summary)?);
        if query.prove_account_grain().is_ok() {
            check_grain(id, &sql, &query, world, &frames, summary);
        }
        summary.queries += 1;
        for form in forms {
            *summary.forms.entry(form.to_owned()).or_default() += 1;
        }
    }
    Ok(lines)
}

/// A refusal without the names of its query.
fn general(message: &str) -> String {
    message.split('`').enumerate().map(|(i, part)| if i % 2 == 1 { "`..`" } else { part }).collect()
}

fn answer(id: u64, sql: &str, query: &Query, frames: &BTreeMap<String, DataFrame>, summary: &mut Summary) -> Result<Value, ExportError> {
    match query.run(&|name| frames.get(name).map(|f| f.clone().lazy())) {
        Ok(rows) => {
            summary.with_rows += u64::from(rows.height() > 0);
            Ok(json!({"id": id, "sql": sql, "rows": rows_of(&rows)}))
        }
        Err(SqlError::Value(error)) => {
            summary.with_error += 1;
            Ok(json!({"id": id, "sql": sql, "error": error}))
        }
        Err(error) => Err(ExportError::Engine { id, error, sql: sql.to_owned() }),
    }
}

/// Rows in the frame's order: integers and doubles as numbers, instants as `YYYY-MM-DD HH:MM:SS[.ffffff]`.
fn rows_of(frame: &DataFrame) -> Vec<Value> {
    (0..frame.height()).map(|i| frame.columns().iter().map(|c| c.get(i).map_or(Value::Null, |v| cell(&v))).collect()).collect()
}

fn cell(value: &AnyValue) -> Value {
    match value {
        AnyValue::Boolean(v) => json!(v),
        AnyValue::UInt32(v) => json!(v),
        AnyValue::UInt64(v) => json!(v),
        AnyValue::Int64(v) => json!(v),
        AnyValue::Float64(v) => json!(v),
        AnyValue::String(v) => json!(v),
        AnyValue::StringOwned(v) => json!(v.as_str()),
        AnyValue::Datetime(us, ..) | AnyValue::DatetimeOwned(us, ..) => json!(literal::timestamp_text(*us)),
        _ => Value::Null,
    }
}

/// DESIGN 11.8: the rows account by account are the rows over everything.
fn check_grain(id: u64, sql: &str, query: &Query, world: &World, frames: &BTreeMap<String, DataFrame>, summary: &mut Summary) {
    let all = query.run(&|name| frames.get(name).map(|f| f.clone().lazy()));
    let Ok(all) = all else { return };
    summary.account_grain += 1;
    let mut parts = Vec::new();
    for part in world.partitions(frames) {
        match query.run(&|name| part.get(name).cloned()) {
            Ok(rows) => parts.extend(rows_of(&rows)),
            Err(error) => parts.push(json!(error.to_string())),
        }
    }
    let sorted = |rows: Vec<Value>| {
        let mut rows: Vec<String> = rows.iter().map(Value::to_string).collect();
        rows.sort();
        rows
    };
    if sorted(parts) != sorted(rows_of(&all)) {
        summary.account_grain_differs.push(format!("{id}: {sql}"));
    }
}

/// The tables of one partition.
type Part = BTreeMap<String, LazyFrame>;

/// The views of every random world.
pub fn catalog() -> Catalog {
    world::catalog()
}

/// The tables of one world of a seed, and texts of queries over them that compile.
#[cfg(test)]
pub(super) fn asked(seed: u64, number: u64, queries: usize) -> (BTreeMap<String, RecordBatch>, Vec<String>) {
    let mut dice = Dice::new(seed, number);
    let world = World::new(&mut dice);
    let catalog = world::catalog();
    let texts = std::iter::repeat_with(|| query::generate(&mut dice, &catalog).0).take(queries);
    let texts = texts.filter(|sql| compile(sql, &BTreeMap::new(), &catalog).is_ok()).collect();
    (world.tables, texts)
}

/// A world's tables as frames.
fn frames(tables: &BTreeMap<String, RecordBatch>) -> BTreeMap<String, DataFrame> {
    let convert = |(name, batch): (&String, &RecordBatch)| {
        let frame = frame::from_batches(&batch.schema(), std::slice::from_ref(batch)).ok()?;
        Some((name.clone(), frame))
    };
    tables.iter().filter_map(convert).collect()
}
