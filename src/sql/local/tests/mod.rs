//! The fused executor against asserted values, and against polars over random worlds.

mod operators;
mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, RecordBatch, StringArray, UInt8Array, UInt16Array, UInt32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Schema};
use arrow::util::display::array_value_to_string;
use polars::prelude::IntoLazy;

use super::{Fused, Part};
use crate::sql::{Catalog, Mode, Query, SqlError, compile_as, frame};

/// Tables, and which of their columns were asked for.
#[derive(Default)]
pub(super) struct Held {
    tables: BTreeMap<String, RecordBatch>,
    asked: Mutex<Vec<String>>,
    /// Columns that hold one value in all rows are said to do so.
    constants: bool,
}

impl Held {
    pub fn new(tables: BTreeMap<String, RecordBatch>) -> Self {
        Self { tables, ..Self::default() }
    }

    pub fn with_constants(self, constants: bool) -> Self {
        Self { constants, ..self }
    }

    fn table(&self, view: &str) -> Result<&RecordBatch, SqlError> {
        self.tables.get(view).ok_or_else(|| SqlError::MissingTable(view.to_owned()))
    }

    /// `view.column`, in their order, since the last call.
    pub fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.sort();
        asked
    }
}

impl Part for Held {
    fn rows(&self, view: &str) -> Result<usize, SqlError> {
        Ok(self.table(view)?.num_rows())
    }

    fn column(&self, view: &str, column: &str) -> Result<ArrayRef, SqlError> {
        self.asked.lock().unwrap().push(format!("{view}.{column}"));
        let found = self.table(view)?.column_by_name(column).cloned();
        found.ok_or_else(|| SqlError::Engine(format!("no column {view}.{column}")))
    }

    fn constant(&self, view: &str, column: &str) -> Result<Option<ArrayRef>, SqlError> {
        let column = self.table(view)?.column_by_name(column).filter(|c| self.constants && !c.is_empty());
        let same = |c: &&ArrayRef| (1..c.len()).all(|row| c.slice(row, 1).to_data() == c.slice(0, 1).to_data());
        Ok(column.filter(same).map(|c| c.slice(0, 1)))
    }
}

/// Texts as a dictionary with keys of some width, its entries repeating.
pub(super) fn coded(array: &ArrayRef, bits: usize) -> ArrayRef {
    let texts = array.as_string::<i32>();
    let mut entries: Vec<Option<&str>> = vec![Some("never"), None];
    let mut keys: Vec<Option<usize>> = Vec::new();
    for (row, text) in texts.iter().enumerate() {
        match text {
            None if row % 2 == 0 => keys.push(Some(1)),
            None => keys.push(None),
            Some(text) => {
                let known = entries.iter().rposition(|e| *e == Some(text)).filter(|_| row % 3 > 0);
                keys.push(Some(known.unwrap_or(entries.len())));
                if known.is_none() {
                    entries.push(Some(text));
                }
            }
        }
    }
    let values: ArrayRef = Arc::new(StringArray::from(entries));
    let key = |k: &Option<usize>| k.map(|k| u32::try_from(k).unwrap());
    match bits {
        8 => Arc::new(DictionaryArray::new(keys.iter().map(|k| key(k).map(|k| u8::try_from(k).unwrap())).collect::<UInt8Array>(), values)),
        16 => {
            Arc::new(DictionaryArray::new(keys.iter().map(|k| key(k).map(|k| u16::try_from(k).unwrap())).collect::<UInt16Array>(), values))
        }
        _ => Arc::new(DictionaryArray::new(keys.iter().map(key).collect::<UInt32Array>(), values)),
    }
}

/// A table with some of its texts as dictionaries.
pub(super) fn dictionaries(batch: &RecordBatch, seed: usize) -> RecordBatch {
    let mut columns = Vec::new();
    let mut fields = Vec::new();
    for (at, (field, array)) in batch.schema().fields().iter().zip(batch.columns()).enumerate() {
        let text = array.as_string_opt::<i32>().is_some();
        let array = match (at + seed) % 4 {
            bits @ 1..=3 if text => coded(array, [8, 16, 32][bits - 1]),
            _ => Arc::clone(array),
        };
        fields.push(Field::new(field.name(), array.data_type().clone(), true));
        columns.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

/// The rows of a batch as texts, sorted.
pub(super) fn lines(batch: &RecordBatch) -> Vec<String> {
    let cell = |array: &ArrayRef, row: usize| {
        if array.is_null(row) {
            return "∅".to_owned();
        }
        match array.as_primitive_opt::<Float64Type>() {
            // Zero and minus zero are one value.
            Some(doubles) => format!("{:?}", doubles.value(row) + 0.0),
            None => array_value_to_string(array, row).unwrap(),
        }
    };
    let line = |row: usize| batch.columns().iter().map(|c| cell(c, row)).collect::<Vec<_>>().join("|");
    let mut lines: Vec<String> = (0..batch.num_rows()).map(line).collect();
    lines.sort();
    lines
}

pub(super) fn compiled(sql: &str, catalog: &Catalog) -> Query {
    compile_as(Mode::Check, sql, &BTreeMap::new(), catalog).unwrap_or_else(|d| panic!("{d}; {}\n{sql}", d.help))
}

/// A table without dictionaries.
fn plain(batch: &RecordBatch) -> RecordBatch {
    let plain = |array: &ArrayRef| match array.data_type() {
        DataType::Dictionary(..) => cast(array, &DataType::Utf8).unwrap(),
        _ => Arc::clone(array),
    };
    let columns = batch.schema().fields().iter().zip(batch.columns()).map(|(f, c)| (f.name().clone(), plain(c), true)).collect::<Vec<_>>();
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// What polars gives over tables.
pub(super) fn by_polars(
    query: &Query,
    part: &BTreeMap<String, RecordBatch>,
    whole: &BTreeMap<String, RecordBatch>,
) -> Result<RecordBatch, SqlError> {
    let frame = |name: &str| {
        let batch = plain(part.get(name).or_else(|| whole.get(name))?);
        frame::from_batches(&batch.schema(), std::slice::from_ref(&batch)).ok().map(IntoLazy::lazy)
    };
    frame::to_batch(&query.run(&frame)?)
}

pub(super) fn fused(queries: &[Query], chunked: &BTreeSet<&str>) -> Fused {
    Fused::new(&queries.iter().collect::<Vec<_>>(), chunked)
}
