//! Columns of a batch, filled value by value. Words stand as dictionaries, which the writer takes for texts.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Int8Array, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondBuilder, UInt32Array, UInt32Builder,
    new_null_array,
};
use arrow::datatypes::{Field, Int8Type, Schema};
use arrow::error::ArrowError;

use crate::model::{Row, Table, Time, Word, to_batch};

/// The batches of one table, made as they are written.
pub type Batches<'a> = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send + 'a>;

/// A batch of `table` from all of its columns in their order.
pub fn batch(table: &Table, columns: Vec<ArrayRef>) -> Result<RecordBatch, ArrowError> {
    let fields = table.columns.iter().zip(&columns).map(|(c, a)| Field::new(c.name, a.data_type().clone(), c.nullable));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns)
}

/// Some rows as batches of at most `rows`.
pub fn of_rows<'a, R: Row + Send + 'a>(rows: impl Iterator<Item = R> + Send + 'a, at_once: usize) -> Batches<'a> {
    let mut rows = rows;
    Box::new(std::iter::from_fn(move || {
        let part: Vec<R> = rows.by_ref().take(at_once).collect();
        (!part.is_empty()).then(|| to_batch(&part))
    }))
}

/// A column without a value.
pub fn nulls(table: &Table, column: &str, rows: usize) -> ArrayRef {
    let ty = table.columns.iter().find(|c| c.name == column).map_or(arrow::datatypes::DataType::Null, |c| c.ty.arrow());
    new_null_array(&ty, rows)
}

/// A column of one word.
pub fn constant(word: &str, rows: usize) -> ArrayRef {
    coded(Int8Array::from(vec![0; rows]), &[word])
}

fn coded(codes: Int8Array, words: &[&str]) -> ArrayRef {
    // The codes are places in the list.
    let values: ArrayRef = Arc::new(StringArray::from(words.to_vec()));
    match DictionaryArray::<Int8Type>::try_new(codes, values) {
        Ok(array) => Arc::new(array),
        Err(_) => Arc::new(StringArray::new_null(0)),
    }
}

/// Consecutive ordinals.
pub fn ordinals(first: u64, rows: usize) -> ArrayRef {
    let first = first as u32;
    Arc::new(UInt32Array::from_iter_values((0..rows as u32).map(|i| first.wrapping_add(i))))
}

/// A column of words of a closed set.
pub struct Words<W> {
    codes: Vec<i8>,
    set: std::marker::PhantomData<W>,
}

impl<W> Default for Words<W> {
    fn default() -> Self {
        Self { codes: Vec::new(), set: std::marker::PhantomData }
    }
}

impl<W: Word> Words<W> {
    pub fn put(&mut self, word: W) {
        self.codes.push(i8::try_from(word.code()).unwrap_or(0));
    }

    pub fn finish(&mut self) -> ArrayRef {
        let words: Vec<&str> = W::ALL.iter().map(|w| w.as_str()).collect();
        coded(Int8Array::from(std::mem::take(&mut self.codes)), &words)
    }
}

/// A column of texts, each written into one room before it is kept.
#[derive(Default)]
pub struct Texts {
    builder: StringBuilder,
}

impl Texts {
    pub fn put(&mut self, text: Option<&str>) {
        self.builder.append_option(text);
    }

    pub fn finish(&mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

/// A column of instants.
#[derive(Default)]
pub struct Times {
    builder: TimestampMicrosecondBuilder,
}

impl Times {
    pub fn put(&mut self, at: Option<Time>) {
        self.builder.append_option(at.map(Time::micros));
    }

    pub fn finish(&mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

/// A column of ordinals.
#[derive(Default)]
pub struct Ordinals {
    builder: UInt32Builder,
}

impl Ordinals {
    pub fn put(&mut self, ordinal: Option<u32>) {
        self.builder.append_option(ordinal);
    }

    pub fn len(&self) -> usize {
        arrow::array::ArrayBuilder::len(&self.builder)
    }

    pub fn finish(&mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}
