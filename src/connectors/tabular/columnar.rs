//! Parquet. Each value becomes the text that the same value would have in a CSV, so that one mapping serves both.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::records::{Cell, Cells, Halt, Place, Sink};
use crate::connectors::{Input, InputError};
use crate::model::RecordUnit;

/// Rows decoded at a time.
const BATCH: usize = 1_024;

/// Reads a Parquet file into `sink`. Records are numbered by row.
///
/// # Errors
/// The file is damaged or written in a way that is not read, or the sink halts.
pub fn read(input: &Input, sink: &mut dyn Sink) -> Result<(), Halt> {
    let file = File::open(&input.path).map_err(|e| InputError::io(&e))?;
    let builder = guarded(|| ParquetRecordBatchReaderBuilder::try_new(file))?.map_err(|e| damaged(&e.to_string()))?;
    let names: Vec<String> = builder.schema().fields().iter().map(|f| f.name().clone()).collect();
    sink.header(&names)?;
    let mut reader = guarded(|| builder.with_batch_size(BATCH).build())?.map_err(|e| damaged(&e.to_string()))?;
    let mut number = 0;
    while let Some(batch) = guarded(|| reader.next())? {
        let batch = batch.map_err(|e| damaged(&e.to_string()).at(number + 1))?;
        let columns = batch.columns().iter().map(Column::of).collect::<Result<Vec<_>, _>>().map_err(|e| damaged(&e).at(number + 1))?;
        for row in 0..batch.num_rows() {
            number += 1;
            let cells = columns.iter().map(|c| c.cell(row)).collect::<Result<Vec<_>, _>>().map_err(|e| damaged(&e).at(number))?;
            sink.record(Place { unit: RecordUnit::Record, number, offset: None }, Cells::Typed(&cells))?;
        }
    }
    Ok(())
}

/// Runs the decoder, which asserts that some numbers of the file are sane: a hostile one must not end the import.
fn guarded<T>(decode: impl FnOnce() -> T) -> Result<T, InputError> {
    quiet::caught(decode).ok_or_else(|| damaged("its numbers contradict each other"))
}

/// Panics that are an answer of the decoder about its file, not a fault to be printed.
mod quiet {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
    use std::sync::Once;

    thread_local! {
        static QUIET: Cell<bool> = const { Cell::new(false) };
    }
    static HOOK: Once = Once::new();

    /// Runs `work`; `None` where it panicked. What other threads panic about is printed as ever.
    pub(super) fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
        HOOK.call_once(|| {
            let before = take_hook();
            set_hook(Box::new(move |panic| {
                if !QUIET.get() {
                    before(panic);
                }
            }));
        });
        QUIET.set(true);
        let out = catch_unwind(AssertUnwindSafe(work)).ok();
        QUIET.set(false);
        out
    }
}

fn damaged(what: &str) -> InputError {
    let line = what.lines().next().unwrap_or_default();
    let message = format!("is no Parquet that can be read: {}", line.chars().take(120).collect::<String>());
    InputError::new("tabular/parquet", message, "write the file again, compressed with zstd or not at all")
}

/// How texts are made: ISO dates, `Z` for instants, no offset for civil times.
const TEXT: FormatOptions<'static> =
    FormatOptions::new().with_display_error(false).with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.6f%:z"));

/// One column of a batch.
enum Column {
    Plain(ArrayRef),
    List(ArrayRef),
    Other(ArrayRef, &'static str),
}

impl Column {
    fn of(array: &ArrayRef) -> Result<Self, String> {
        // A named zone only says how to show the instant.
        let zoneless = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
        let plain =
            |t: &DataType| t.is_primitive() || matches!(t, DataType::Boolean | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        Ok(match array.data_type() {
            DataType::Timestamp(_, Some(_)) => Self::Plain(arrow::compute::cast(array, &zoneless).map_err(|e| e.to_string())?),
            DataType::Dictionary(_, values) if plain(values) => {
                Self::Plain(arrow::compute::cast(array, values).map_err(|e| e.to_string())?)
            }
            t if plain(t) => Self::Plain(Arc::clone(array)),
            DataType::List(item) if plain(item.data_type()) => Self::List(Arc::clone(array)),
            DataType::Null => Self::Other(Arc::clone(array), "nothing"),
            DataType::Struct(_) => Self::Other(Arc::clone(array), "an object"),
            DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) => Self::Other(Arc::clone(array), "bytes"),
            _ => Self::Other(Arc::clone(array), "a type that is not read"),
        })
    }

    fn cell(&self, row: usize) -> Result<Cell, String> {
        match self {
            Self::Plain(a) | Self::List(a) | Self::Other(a, _) if a.is_null(row) => Ok(Cell::Null),
            Self::Plain(array) => text(array.as_ref(), row).map(Cell::Text),
            Self::List(array) => {
                let Some(list) = array.as_list_opt::<i32>() else { return Ok(Cell::Other("a list")) };
                let items = list.value(row);
                let texts = (0..items.len()).filter(|i| !items.is_null(*i)).map(|i| text(items.as_ref(), i));
                texts.collect::<Result<_, _>>().map(Cell::List)
            }
            // An all-null column has no validity bitmap.
            Self::Other(_, "nothing") => Ok(Cell::Null),
            Self::Other(_, what) => Ok(Cell::Other(what)),
        }
    }
}

fn text(array: &dyn Array, row: usize) -> Result<String, String> {
    let formatter = ArrayFormatter::try_new(array, &TEXT).map_err(|e| e.to_string())?;
    formatter.value(row).try_to_string().map_err(|e| e.to_string())
}
