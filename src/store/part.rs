//! Some columns of consecutive rows of a stored table, each told as what its table says that it is.

use std::ops::Range;

use arrow::array::{Array, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array};
use arrow::datatypes::UInt16Type;

use crate::model::cell::CellError;
use crate::model::{Time, Word};

/// The rows and what was read of them.
#[derive(Debug)]
pub struct Part {
    /// Their positions in the table.
    pub rows: Range<usize>,
    batch: RecordBatch,
}

impl Part {
    /// `batch` has a row for each position of `rows`.
    pub(super) fn new(rows: Range<usize>, batch: RecordBatch) -> Self {
        Self { rows, batch }
    }

    fn column<A: Array + 'static>(&self, name: &'static str) -> Result<&A, CellError> {
        let fault = |what: String| CellError { column: name, row: self.rows.start, what };
        let found = self.batch.column_by_name(name).ok_or_else(|| fault("missing from the stored table".to_owned()))?;
        found.as_any().downcast_ref().ok_or_else(|| fault(format!("type is {}", found.data_type())))
    }

    /// A column of text that may be null.
    ///
    /// # Errors
    /// It is not there, or no text.
    pub fn texts(&self, name: &'static str) -> Result<&StringArray, CellError> {
        self.column(name)
    }

    /// A column of ordinals that may be null.
    ///
    /// # Errors
    /// It is not there, or holds none.
    pub fn ordinals(&self, name: &'static str) -> Result<&UInt32Array, CellError> {
        self.column(name)
    }

    /// A column of instants that may be null.
    ///
    /// # Errors
    /// It is not there, or one of them is none.
    pub fn times(&self, name: &'static str) -> Result<Vec<Option<Time>>, CellError> {
        let range = |row: usize| CellError { column: name, row: self.rows.start + row, what: "instant out of range".to_owned() };
        let stored: &TimestampMicrosecondArray = self.column(name)?;
        let read = |(row, us): (usize, Option<i64>)| us.map(|us| Time::from_micros(us).ok_or_else(|| range(row))).transpose();
        stored.iter().enumerate().map(read).collect()
    }

    /// A column of words, none of them null.
    ///
    /// # Errors
    /// It is not there, or one of them is not of its set.
    pub fn words<W: Word>(&self, name: &'static str) -> Result<Vec<W>, CellError> {
        let fault = |row: usize, what: String| CellError { column: name, row: self.rows.start + row, what };
        let word = |row: usize, text: Option<&str>| {
            let text = text.ok_or_else(|| fault(row, "null where a value is due".to_owned()))?;
            W::parse(text).ok_or_else(|| fault(row, format!("`{text}` is not a word of its set")))
        };
        let Some(coded) = self.batch.column_by_name(name).and_then(|c| c.as_dictionary_opt::<UInt16Type>()) else {
            return self.texts(name)?.iter().enumerate().map(|(row, text)| word(row, text)).collect();
        };
        let texts = coded.values().as_string_opt::<i32>().ok_or_else(|| fault(0, "no dictionary of words".to_owned()))?;
        // Words are read once each; one that is none counts only where a row has it.
        let known: Vec<Option<W>> = texts.iter().map(|text| text.and_then(W::parse)).collect();
        let of = |(row, key): (usize, Option<u16>)| match key.and_then(|k| known.get(usize::from(k)).copied().flatten()) {
            Some(word) => Ok(word),
            None => word(row, key.map(usize::from).filter(|k| *k < texts.len() && texts.is_valid(*k)).map(|k| texts.value(k))),
        };
        coded.keys().iter().enumerate().map(of).collect()
    }
}
