//! What Spark left behind, read back as what the embedded engine gives.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, UInt64Array};
use arrow::compute::{CastOptions, SortColumn, cast_with_options, concat_batches, lexsort_to_indices, take_record_batch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, UInt32Type};

use super::script::ROWS;
use crate::engine::findings::KEYS;
use crate::sql::local::Tally;
use crate::sql::{OutputColumn, Type};
use crate::store::table_file::read_batches;

/// The rows of one check. Those of other systems are left out.
///
/// # Errors
/// The result is not whole, or has other columns than the check: what, in a few words.
pub(super) fn read(dir: &Path, outputs: &[OutputColumn], systems: &BTreeSet<u32>) -> Result<Tally, String> {
    let schema = schema(outputs);
    let mut counts = BTreeMap::new();
    let mut hits = Vec::new();
    for file in parts(dir)? {
        for batch in read_batches(&file).map_err(|e| e.to_string())? {
            let rows = converted(&batch, outputs, &schema)?;
            let times = batch.column_by_name(ROWS).and_then(|c| c.as_primitive_opt::<Int64Type>());
            let times = times.filter(|t| t.null_count() == 0).ok_or_else(|| format!("the column `{ROWS}` holds no numbers"))?;
            hits.push(tallied(&rows, times, systems, &mut counts)?);
        }
    }
    let hits = concat_batches(&schema, &hits).and_then(|rows| sorted(&rows)).map_err(|e| e.to_string())?;
    Ok(Tally { counts, hits })
}

/// The files of a result that was written to its end.
fn parts(dir: &Path) -> Result<Vec<PathBuf>, String> {
    if !dir.join("_SUCCESS").is_file() {
        return Err("it was not written to its end: there is no `_SUCCESS`".to_owned());
    }
    let listed = fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(|e| e.to_string())?;
    let mut parts: Vec<PathBuf> = listed.iter().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "parquet")).collect();
    parts.sort();
    if parts.is_empty() {
        return Err("it holds no file: do Spark's executors see this folder under the same path?".to_owned());
    }
    Ok(parts)
}

fn schema(outputs: &[OutputColumn]) -> SchemaRef {
    Arc::new(Schema::new(outputs.iter().map(|c| Field::new(&c.name, c.ty.arrow(), true)).collect::<Vec<_>>()))
}

/// The type in which Spark writes it.
fn written(ty: Type) -> DataType {
    match ty {
        Type::U32 => DataType::Int64,
        Type::U64 => DataType::Decimal128(20, 0),
        other => other.arrow(),
    }
}

fn converted(batch: &RecordBatch, outputs: &[OutputColumn], schema: &SchemaRef) -> Result<RecordBatch, String> {
    let stated = batch.schema();
    let names: Vec<&str> = stated.fields().iter().map(|f| f.name().as_str()).collect();
    let expected: Vec<&str> = outputs.iter().map(|c| c.name.as_str()).chain([ROWS]).collect();
    if names != expected {
        return Err(format!("its columns are {}, not {}", names.join(", "), expected.join(", ")));
    }
    let of_one = |(column, array): (&OutputColumn, &ArrayRef)| {
        if *array.data_type() != written(column.ty) {
            return Err(format!("the column `{}` has the type {}, not {}", column.name, array.data_type(), written(column.ty)));
        }
        let strictly = CastOptions { safe: false, ..CastOptions::default() };
        cast_with_options(array, &column.ty.arrow(), &strictly).map_err(|e| format!("the column `{}`: {e}", column.name))
    };
    let arrays = outputs.iter().zip(batch.columns()).map(of_one).collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(Arc::clone(schema), arrays).map_err(|e| e.to_string())
}

/// Counts rows by system and answer; gives those that say `finding`, each as often as it stands for.
fn tallied(
    rows: &RecordBatch,
    times: &Int64Array,
    systems: &BTreeSet<u32>,
    counts: &mut BTreeMap<(Option<u32>, String), u64>,
) -> Result<RecordBatch, String> {
    let outcomes = rows.column_by_name("outcome").and_then(|c| c.as_string_opt::<i32>());
    let outcomes = outcomes.ok_or("there is no text column `outcome`")?;
    let system_ix = rows.column_by_name("system_ix").and_then(|c| c.as_primitive_opt::<UInt32Type>());
    let mut found: Vec<u64> = Vec::new();
    for (i, n) in times.values().iter().enumerate() {
        let n = usize::try_from(*n).map_err(|_| format!("{n} is no number of rows"))?;
        let system = system_ix.filter(|c| c.is_valid(i)).map(|c| c.value(i));
        if system.is_some_and(|s| !systems.contains(&s)) {
            continue;
        }
        let outcome = if outcomes.is_valid(i) { outcomes.value(i) } else { "unknown" };
        *counts.entry((system, outcome.to_owned())).or_default() += n as u64;
        if outcome == "finding" {
            found.extend(std::iter::repeat_n(i as u64, n));
        }
    }
    take_record_batch(rows, &UInt64Array::from(found)).map_err(|e| e.to_string())
}

/// In an order that nothing but the rows decides: by subject, so that what is looked up for one lies beside what is for the next.
fn sorted(rows: &RecordBatch) -> Result<RecordBatch, arrow::error::ArrowError> {
    if rows.num_rows() < 2 {
        return Ok(rows.clone());
    }
    let keys = KEYS.iter().filter_map(|k| rows.column_by_name(k));
    let columns: Vec<SortColumn> = keys.chain(rows.columns()).map(|c| SortColumn { values: Arc::clone(c), options: None }).collect();
    take_record_batch(rows, &lexsort_to_indices(&columns, None)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Pos;
    use crate::store::table_file::write_batch;
    use arrow::array::{BooleanArray, Decimal128Array, Float64Array, StringArray, TimestampMicrosecondArray};

    fn outputs() -> Vec<OutputColumn> {
        let of = [
            ("system_ix", Type::U32),
            ("outcome", Type::Text),
            ("n", Type::Bigint),
            ("lines", Type::U64),
            ("score", Type::Double),
            ("own", Type::Boolean),
            ("since", Type::Timestamp),
        ];
        of.map(|(name, ty)| OutputColumn { name: name.into(), ty, nullable: true, at: Pos::default() }).to_vec()
    }

    /// Rows as Spark writes them: (system, outcome, n, how many).
    fn batch(rows: &[(Option<i64>, Option<&str>, i64, i64)]) -> RecordBatch {
        let n = rows.len();
        let lines = Decimal128Array::from(vec![Some(i128::from(u64::MAX)); n]).with_precision_and_scale(20, 0).unwrap();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("system_ix", Arc::new(rows.iter().map(|r| r.0).collect::<Int64Array>())),
            ("outcome", Arc::new(rows.iter().map(|r| r.1).collect::<StringArray>())),
            ("n", Arc::new(rows.iter().map(|r| Some(r.2)).collect::<Int64Array>())),
            ("lines", Arc::new(lines)),
            ("score", Arc::new(Float64Array::from(vec![0.5; n]))),
            ("own", Arc::new(BooleanArray::from(vec![true; n]))),
            ("since", Arc::new(TimestampMicrosecondArray::from(vec![7; n]))),
            (ROWS, Arc::new(rows.iter().map(|r| Some(r.3)).collect::<Int64Array>())),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, a)| (name, a, true))).unwrap()
    }

    fn written(parts: &[RecordBatch]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (i, part) in parts.iter().enumerate() {
            write_batch(dir.path(), &format!("part-{i}"), part).unwrap();
        }
        fs::write(dir.path().join("_SUCCESS"), "").unwrap();
        dir
    }

    fn fault(dir: &Path) -> String {
        read(dir, &outputs(), &BTreeSet::from([0])).unwrap_err()
    }

    #[test]
    fn rows_count_as_often_as_they_stand_for_and_come_in_their_own_order() {
        let finding = Some("finding");
        let parts = [
            batch(&[(Some(1), finding, 9, 1), (Some(0), finding, 5, 2), (Some(0), Some("ok"), 0, 40)]),
            batch(&[(Some(0), Some("ok"), 0, 2), (None, None, 0, 3), (Some(0), finding, 4, 1), (Some(7), finding, 1, 1)]),
            batch(&[]),
        ];
        for parts in [parts.clone(), [parts[2].clone(), parts[1].clone(), parts[0].clone()]] {
            let dir = written(&parts);
            let tally = read(dir.path(), &outputs(), &BTreeSet::from([0, 1])).unwrap();
            let counts: Vec<_> = tally.counts.iter().map(|((s, o), n)| (*s, o.as_str(), *n)).collect();
            assert_eq!(counts, [(None, "unknown", 3), (Some(0), "finding", 3), (Some(0), "ok", 42), (Some(1), "finding", 1)]);
            let n = tally.hits.column_by_name("n").unwrap().as_primitive::<Int64Type>().values().to_vec();
            assert_eq!(n, [4, 5, 5, 9]);
            let lines = tally.hits.column_by_name("lines").unwrap().as_primitive::<arrow::datatypes::UInt64Type>().value(0);
            assert_eq!(lines, u64::MAX);
            assert_eq!(*tally.hits.schema(), *schema(&outputs()));
        }
    }

    #[test]
    fn what_is_not_whole_is_an_error() {
        let whole = batch(&[(Some(0), Some("ok"), 0, 1)]);
        let dir = written(std::slice::from_ref(&whole));
        assert!(read(dir.path(), &outputs(), &BTreeSet::from([0])).is_ok());
        fs::remove_file(dir.path().join("_SUCCESS")).unwrap();
        assert_eq!(fault(dir.path()), "it was not written to its end: there is no `_SUCCESS`");
        assert!(fault(written(&[]).path()).starts_with("it holds no file: do Spark's executors see"));
        let narrow = whole.project(&[0, 1, 7]).unwrap();
        assert!(fault(written(&[whole.clone(), narrow]).path()).starts_with("its columns are system_ix, outcome, holdover_rows, not "));
        let beyond = batch(&[(Some(1 << 40), Some("ok"), 0, 1)]);
        assert!(fault(written(&[beyond]).path()).starts_with("the column `system_ix`: "));
        let dir = written(std::slice::from_ref(&whole));
        let part = dir.path().join("part-0.parquet");
        let bytes = fs::read(&part).unwrap();
        fs::write(&part, &bytes[..bytes.len() / 2]).unwrap();
        assert!(fault(dir.path()).contains("is damaged"), "{}", fault(dir.path()));
        let other = RecordBatch::try_from_iter(whole.schema().fields().iter().zip(whole.columns()).map(|(f, c)| {
            let text: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
            (f.name().clone(), if f.name() == "n" { text } else { Arc::clone(c) })
        }));
        assert_eq!(fault(written(&[other.unwrap()]).path()), "the column `n` has the type Utf8, not Int64");
    }
}
