//! Tables between Arrow and polars: two memory formats of one layout, copied column by column.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array, UInt64Array,
};
use arrow::datatypes::{DataType as ArrowType, Field, Schema, TimeUnit as ArrowUnit};
use polars::prelude::{
    BooleanChunked, Column, DataFrame, DataType, Float64Chunked, Int64Chunked, IntoColumn, IntoSeries, NewChunkedArray, StringChunked,
    TimeUnit, UInt32Chunked, UInt64Chunked,
};

use super::SqlError;
use super::kernels::instant;

fn unknown(name: &str, ty: impl std::fmt::Display) -> SqlError {
    SqlError::Engine(format!("column `{name}` has the type {ty}, which no view has"))
}

/// The rows of all batches, which share one schema, as one frame.
///
/// # Errors
/// A column whose type is none of u32, u64, i64, f64, boolean, text, `timestamp[us]` without zone.
pub fn from_batches(schema: &Schema, batches: &[RecordBatch]) -> Result<DataFrame, SqlError> {
    let height = batches.iter().map(RecordBatch::num_rows).sum();
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let arrays = batches.iter().map(|b| b.column_by_name(field.name()).ok_or_else(|| unknown(field.name(), "none")));
        columns.push(column(field, &arrays.collect::<Result<Vec<_>, _>>()?)?);
    }
    Ok(DataFrame::new(height, columns)?)
}

fn cast<'a, A: 'static>(field: &Field, array: &'a ArrayRef) -> Result<&'a A, SqlError> {
    array.as_any().downcast_ref::<A>().ok_or_else(|| unknown(field.name(), array.data_type()))
}

macro_rules! copied {
    ($chunked:ty, $array:ty, $field:expr, $arrays:expr) => {{
        let mut parts = Vec::with_capacity($arrays.len());
        for array in $arrays {
            parts.push(cast::<$array>($field, array)?);
        }
        let values = parts.iter().flat_map(|part| part.iter());
        <$chunked>::from_iter_options($field.name().as_str().into(), values).into_series()
    }};
}

fn column(field: &Field, arrays: &[&ArrayRef]) -> Result<Column, SqlError> {
    let series = match field.data_type() {
        ArrowType::UInt32 => copied!(UInt32Chunked, UInt32Array, field, arrays),
        ArrowType::UInt64 => copied!(UInt64Chunked, UInt64Array, field, arrays),
        ArrowType::Int64 => copied!(Int64Chunked, Int64Array, field, arrays),
        ArrowType::Float64 => copied!(Float64Chunked, Float64Array, field, arrays),
        ArrowType::Boolean => copied!(BooleanChunked, BooleanArray, field, arrays),
        ArrowType::Utf8 => copied!(StringChunked, StringArray, field, arrays),
        ArrowType::Timestamp(ArrowUnit::Microsecond, None) => {
            copied!(Int64Chunked, TimestampMicrosecondArray, field, arrays).cast(&instant())?
        }
        other => return Err(unknown(field.name(), other)),
    };
    Ok(series.into_column())
}

/// A frame as one batch; every column nullable.
///
/// # Errors
/// As [`from_batches`].
pub fn to_batch(frame: &DataFrame) -> Result<RecordBatch, SqlError> {
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for column in frame.columns() {
        let (ty, array) = array(column)?;
        fields.push(Field::new(column.name().as_str(), ty, true));
        arrays.push(array);
    }
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(frame.height()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options).map_err(|e| SqlError::Engine(e.to_string()))
}

fn array(column: &Column) -> Result<(ArrowType, ArrayRef), SqlError> {
    let series = column.as_materialized_series();
    Ok(match series.dtype() {
        DataType::UInt32 => (ArrowType::UInt32, Arc::new(series.u32()?.iter().collect::<UInt32Array>())),
        DataType::UInt64 => (ArrowType::UInt64, Arc::new(series.u64()?.iter().collect::<UInt64Array>())),
        DataType::Int64 => (ArrowType::Int64, Arc::new(series.i64()?.iter().collect::<Int64Array>())),
        DataType::Float64 => (ArrowType::Float64, Arc::new(series.f64()?.iter().collect::<Float64Array>())),
        DataType::Boolean => (ArrowType::Boolean, Arc::new(series.bool()?.iter().collect::<BooleanArray>())),
        DataType::String => (ArrowType::Utf8, Arc::new(series.str()?.iter().collect::<StringArray>())),
        DataType::Datetime(TimeUnit::Microseconds, None) => {
            let physical = series.to_physical_repr();
            let values = physical.i64()?.iter().collect::<TimestampMicrosecondArray>();
            (ArrowType::Timestamp(ArrowUnit::Microsecond, None), Arc::new(values))
        }
        other => return Err(unknown(column.name(), other)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_goes_there_and_back() {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("u", Arc::new(UInt32Array::from(vec![Some(u32::MAX), None]))),
            ("l", Arc::new(UInt64Array::from(vec![None, Some(u64::MAX)]))),
            ("i", Arc::new(Int64Array::from(vec![Some(i64::MIN), None]))),
            ("f", Arc::new(Float64Array::from(vec![Some(-0.5), None]))),
            ("b", Arc::new(BooleanArray::from(vec![None, Some(true)]))),
            ("s", Arc::new(StringArray::from(vec![Some("İ\\%"), None]))),
            ("t", Arc::new(TimestampMicrosecondArray::from(vec![Some(-1), None]))),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).unwrap();
        let frame = from_batches(&batch.schema(), &[batch.clone(), batch.slice(1, 1)]).unwrap();
        assert_eq!(frame.height(), 3);
        let back = to_batch(&frame).unwrap();
        assert_eq!(back.slice(0, 2), batch);
        assert_eq!(back.slice(2, 1), batch.slice(1, 1));
    }

    #[test]
    fn a_table_without_rows_keeps_its_columns() {
        let schema = Schema::new(vec![Field::new("s", ArrowType::Utf8, true), Field::new("n", ArrowType::Int64, false)]);
        let batch = to_batch(&from_batches(&schema, &[]).unwrap()).unwrap();
        assert_eq!((batch.num_rows(), batch.num_columns()), (0, 2));
        let other = Schema::new(vec![Field::new("x", ArrowType::Int8, true)]);
        assert!(from_batches(&other, &[]).is_err());
    }
}
