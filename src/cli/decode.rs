//! `internal-decode`: columns of Parquet files decoded and dropped, the floor under everything that reads them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use clap::Args;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::json;

use super::{Failure, out};
use crate::model::Stage;

/// Rows of a batch; row groups of the store are hardly longer.
const BATCH: usize = 65_536;

#[derive(Debug, Args)]
pub struct DecodeArgs {
    /// JSON: a list of `{"path": …, "columns": […]}`; without columns all of a file
    list: PathBuf,
    /// Text as dictionaries, where it is stored so, instead of plain text
    #[arg(long)]
    coded: bool,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    path: PathBuf,
    columns: Option<Vec<String>>,
}

/// One row group with what is decoded of it.
struct Task<'a> {
    wanted: &'a Wanted,
    metadata: ArrowReaderMetadata,
    group: usize,
}

/// What was decoded.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    rows: u64,
    values: u64,
    /// Of the Arrow buffers.
    bytes: u64,
}

/// Decodes the columns once, row groups side by side, and tells how much that was.
pub fn run(args: &DecodeArgs) -> Result<u8, Failure> {
    let text = std::fs::read_to_string(&args.list).map_err(|e| fail(&args.list, e))?;
    let wanted: Vec<Wanted> = serde_json::from_str(&text).map_err(|e| fail(&args.list, e))?;
    let stage = Stage::begin("decode");
    let tasks: Vec<Task<'_>> = wanted.iter().map(|w| tasks(w, args.coded)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    let sums: Vec<Sum> = tasks.par_iter().map(decode).collect::<Result<_, _>>()?;
    let add = |a: Sum, b: &Sum| Sum { rows: a.rows + b.rows, values: a.values + b.values, bytes: a.bytes + b.bytes };
    let sum = sums.iter().fold(Sum::default(), add);
    drop(stage);
    let said = json!({
        "files": wanted.len(), "row_groups": tasks.len(), "rows": sum.rows, "values": sum.values, "decoded_bytes": sum.bytes,
    });
    out(&format!("{said}\n"))?;
    Ok(0)
}

fn tasks(wanted: &Wanted, coded: bool) -> Result<Vec<Task<'_>>, Failure> {
    let file = File::open(&wanted.path).map_err(|e| fail(&wanted.path, e))?;
    let mut metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(|e| fail(&wanted.path, e))?;
    if coded {
        let options = ArrowReaderOptions::new().with_schema(Arc::new(dictionaries(metadata.schema())));
        metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options).map_err(|e| fail(&wanted.path, e))?;
    }
    let groups = 0..metadata.metadata().num_row_groups();
    Ok(groups.map(|group| Task { wanted, metadata: metadata.clone(), group }).collect())
}

/// The schema with text as dictionaries.
fn dictionaries(schema: &Schema) -> Schema {
    let one = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8 => {
            let coded = DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8));
            Arc::new(field.as_ref().clone().with_data_type(coded))
        }
        _ => Arc::clone(field),
    };
    Schema::new(schema.fields().iter().map(one).collect::<Vec<_>>())
}

fn decode(task: &Task<'_>) -> Result<Sum, Failure> {
    let path = &task.wanted.path;
    let file = File::open(path).map_err(|e| fail(path, e))?;
    let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, task.metadata.clone());
    if let Some(columns) = &task.wanted.columns {
        let place = |name: &String| task.metadata.schema().index_of(name).map_err(|e| fail(path, e));
        let places = columns.iter().map(place).collect::<Result<Vec<_>, _>>()?;
        let mask = ProjectionMask::roots(builder.parquet_schema(), places);
        builder = builder.with_projection(mask);
    }
    let reader = builder.with_row_groups(vec![task.group]).with_batch_size(BATCH).build().map_err(|e| fail(path, e))?;
    let mut sum = Sum::default();
    for batch in reader {
        let batch = batch.map_err(|e| fail(path, e))?;
        sum.rows += batch.num_rows() as u64;
        sum.values += (batch.num_rows() * batch.num_columns()) as u64;
        sum.bytes += batch.get_array_memory_size() as u64;
    }
    Ok(sum)
}

fn fail(path: &Path, error: impl std::fmt::Display) -> Failure {
    Failure::usage(format!("`{}`: {error}", path.display()), "name Parquet files and their columns")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AccountRow;
    use crate::store::table_file::write;

    #[test]
    fn every_row_of_the_named_columns_is_decoded_once() {
        let dir = tempfile::tempdir().unwrap();
        let count = u32::try_from(BATCH).unwrap() + 3;
        let account = |account_ix: u32| AccountRow { account_ix, native_id: format!("a{account_ix:06}"), ..AccountRow::default() };
        write(dir.path(), &(0..count).map(account).collect::<Vec<_>>()).unwrap();
        let path = dir.path().join("accounts.parquet");
        let of = |columns: Option<&[&str]>, coded: bool| -> (usize, u64, u64) {
            let wanted = Wanted { path: path.clone(), columns: columns.map(|c| c.iter().map(|c| (*c).to_owned()).collect()) };
            let tasks = tasks(&wanted, coded).unwrap();
            let sums: Vec<Sum> = tasks.iter().map(|t| decode(t).unwrap()).collect();
            (tasks.len(), sums.iter().map(|s| s.rows).sum(), sums.iter().map(|s| s.values).sum())
        };
        let rows = u64::from(count);
        assert_eq!(of(Some(&["native_id", "account_ix"]), false), (2, rows, 2 * rows));
        assert_eq!(of(Some(&["kind"]), true), (2, rows, rows));
        let all = crate::model::ACCOUNTS.columns.len() as u64;
        assert_eq!(of(None, false), (2, rows, all * rows));
        let wanted = Wanted { path: path.clone(), columns: Some(vec!["none".to_owned()]) };
        assert!(decode(&tasks(&wanted, false).unwrap()[0]).is_err());
    }
}
