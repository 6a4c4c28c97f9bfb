//! Columns of Arrow from what a run holds.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, RecordBatch, StringArray, TimestampMicrosecondArray, UInt8Array, UInt32Array,
    new_null_array,
};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, UInt32Type};

use crate::model::cell::ColType;
use crate::model::{Row, Time, Word, to_batch};
use crate::sql::SqlError;
use crate::store::facts::{Facts, Words};

pub(super) fn engine(error: impl std::fmt::Display) -> SqlError {
    SqlError::Engine(error.to_string())
}

pub(super) fn unknown(view: &str, column: &str) -> SqlError {
    SqlError::Engine(format!("the view `{view}` has no column `{column}`"))
}

/// Rows of a stored table, column by column.
pub(super) struct Source<'a, R> {
    facts: &'a Facts<R>,
    range: Range<usize>,
    /// The rows of a table that is held.
    held: OnceLock<Result<RecordBatch, String>>,
    /// Columns that were read: several views ask for the same.
    read: Mutex<BTreeMap<String, ArrayRef>>,
}

impl<'a, R: Row> Source<'a, R> {
    pub fn new(facts: &'a Facts<R>, range: Range<usize>) -> Self {
        Self { facts, range, held: OnceLock::new(), read: Mutex::default() }
    }

    /// Where the row at a position of the table stands among these rows; `None`: it is not among them.
    pub fn place(&self, position: usize) -> Option<usize> {
        position.checked_sub(self.range.start).filter(|at| *at < self.range.len())
    }

    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// A column as it is stored; words may be dictionaries.
    pub fn column(&self, name: &str) -> Result<ArrayRef, SqlError> {
        if self.facts.is_held() {
            let rows = || to_batch(&self.facts.part(self.range.clone())).map_err(|e| e.to_string());
            let batch = self.held.get_or_init(rows).as_ref().map_err(engine)?;
            return batch.column_by_name(name).cloned().ok_or_else(|| unknown(R::TABLE.name, name));
        }
        let read = || self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(column) = read().get(name) {
            return Ok(Arc::clone(column));
        }
        let column = self.stored(name)?;
        read().insert(name.to_owned(), Arc::clone(&column));
        Ok(column)
    }

    fn stored(&self, name: &str) -> Result<ArrayRef, SqlError> {
        if R::TABLE.key == [name] && R::TABLE.columns.iter().any(|c| c.name == name && matches!(c.ty, ColType::U32)) {
            // An ordinal is the position of its row.
            let position = |at: usize| u32::try_from(at).map_err(engine);
            let (from, to) = (position(self.range.start)?, position(self.range.end)?);
            return Ok(Arc::new(UInt32Array::from_iter_values(from..to)));
        }
        let batches = self.facts.columns(self.range.clone(), &[name], Words::Coded).map_err(engine)?;
        let parts: Vec<&dyn Array> = batches.iter().filter_map(|b| b.columns().first()).map(AsRef::as_ref).collect();
        match parts.as_slice() {
            [] => {
                let ty = R::TABLE.columns.iter().find(|c| c.name == name).map(|c| c.ty.arrow());
                ty.map(|ty| new_null_array(&ty, 0)).ok_or_else(|| unknown(R::TABLE.name, name))
            }
            [_] => Ok(Arc::clone(batches.first().and_then(|b| b.columns().first()).ok_or_else(|| unknown(R::TABLE.name, name))?)),
            // The parts of a dictionary may have grown beyond its keys, were they joined as such.
            _ => concat(&parts).map_err(engine),
        }
    }

    /// A column of ordinals.
    pub fn ordinals(&self, name: &str) -> Result<UInt32Array, SqlError> {
        self.column(name)?.as_primitive_opt::<UInt32Type>().cloned().ok_or_else(|| unknown(R::TABLE.name, name))
    }
}

/// The same text in every row.
pub(super) fn constant(text: Option<&str>, rows: usize) -> ArrayRef {
    let keys = match text {
        Some(_) => UInt8Array::from_value(0, rows),
        None => UInt8Array::new_null(rows),
    };
    coded(keys, &[text.unwrap_or_default()])
}

/// The same instant in every row.
pub(super) fn instant(at: Time, rows: usize) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_value(at.micros(), rows))
}

/// The same number in every row.
pub(super) fn number(value: u32, rows: usize) -> ArrayRef {
    Arc::new(UInt32Array::from_value(value, rows))
}

/// Codes with what they stand for.
pub(super) fn coded(keys: UInt8Array, words: &[&str]) -> ArrayRef {
    let values: ArrayRef = Arc::new(StringArray::from_iter_values(words));
    // Every key is a place among the words: the rows were read as such.
    match DictionaryArray::try_new(keys.clone(), Arc::clone(&values)) {
        Ok(array) => Arc::new(array),
        Err(_) => Arc::new(keys.iter().map(|k| k.and_then(|k| words.get(k as usize).copied())).collect::<StringArray>()),
    }
}

/// Words of a closed set.
pub(super) fn words<W: Word>(words: impl Iterator<Item = W>) -> ArrayRef {
    coded(UInt8Array::from_iter_values(words.map(Word::code)), &spellings::<W>())
}

/// The same for a column in which some are missing.
pub(super) fn optional_words<W: Word>(words: impl Iterator<Item = Option<W>>) -> ArrayRef {
    coded(words.map(|w| w.map(Word::code)).collect(), &spellings::<W>())
}

pub(super) fn spellings<W: Word>() -> Vec<&'static str> {
    W::ALL.iter().map(|w| w.as_str()).collect()
}

pub(super) fn times(times: impl Iterator<Item = Option<Time>>) -> ArrayRef {
    Arc::new(times.map(|t| t.map(Time::micros)).collect::<TimestampMicrosecondArray>())
}

pub(super) fn flags(flags: impl Iterator<Item = bool>) -> ArrayRef {
    Arc::new(BooleanArray::new(flags.collect(), None))
}

/// Few different values in many rows, as their texts.
pub(super) fn labels<T: Copy + PartialEq + std::fmt::Display>(values: impl Iterator<Item = T>) -> ArrayRef {
    let mut seen: Vec<T> = Vec::new();
    let keys: Vec<u32> = values
        .map(|value| {
            let at = seen.iter().rposition(|s| *s == value).unwrap_or_else(|| {
                seen.push(value);
                seen.len() - 1
            });
            u32::try_from(at).unwrap_or(u32::MAX)
        })
        .collect();
    over(UInt32Array::from(keys), &StringArray::from_iter_values(seen.iter().map(ToString::to_string)))
}

/// Texts of which neighbours are often the same.
pub(super) fn runs<'t>(texts: impl Iterator<Item = Option<&'t str>>) -> ArrayRef {
    let mut entries: Vec<&str> = Vec::new();
    let mut key = |text: &'t str| {
        if entries.last() != Some(&text) {
            entries.push(text);
        }
        u32::try_from(entries.len() - 1).unwrap_or(u32::MAX)
    };
    let keys: UInt32Array = texts.map(|text| text.map(&mut key)).collect();
    over(keys, &StringArray::from_iter_values(entries))
}

/// Texts of a dimension by their places in it; no place and no text are both null.
pub(super) fn over(places: UInt32Array, texts: &StringArray) -> ArrayRef {
    let known = |p: u32| (p as usize) < texts.len();
    let whole = places.null_count() == 0 && places.values().iter().all(|p| known(*p));
    let keys = if whole { places } else { places.iter().map(|p| p.filter(|p| known(*p))).collect() };
    if texts.is_empty() {
        return new_null_array(&DataType::Utf8, keys.len());
    }
    match DictionaryArray::try_new(keys.clone(), Arc::new(texts.clone())) {
        Ok(array) => Arc::new(array),
        Err(_) => Arc::new(
            keys.iter().map(|k| k.map(|k| k as usize).filter(|k| texts.is_valid(*k)).map(|k| texts.value(k))).collect::<StringArray>(),
        ),
    }
}

/// Words of a dimension by their places in it, each a code; no place is null.
pub(super) fn codes(places: &UInt32Array, dimension: &[u8], words: &[&str]) -> ArrayRef {
    let code = |p: u32| dimension.get(p as usize).copied();
    if places.null_count() == 0 && places.values().iter().all(|p| (*p as usize) < dimension.len()) {
        return coded(UInt8Array::from_iter_values(places.values().iter().filter_map(|p| code(*p))), words);
    }
    coded(places.iter().map(|p| p.and_then(code)).collect(), words)
}

/// Values of one array by their places in it.
pub(super) fn gather(values: &ArrayRef, places: &UInt32Array) -> Result<ArrayRef, SqlError> {
    arrow::compute::take(values, places, None).map_err(engine)
}

/// One array below the other, of one type: a dictionary becomes plain text where only one of them is.
pub(super) fn below(above: &ArrayRef, under: &ArrayRef) -> Result<ArrayRef, SqlError> {
    if above.data_type() == under.data_type() {
        return concat(&[above.as_ref(), under.as_ref()]).map_err(engine);
    }
    let plain = |a: &ArrayRef| match a.data_type() {
        DataType::Dictionary(..) => cast(a, &DataType::Utf8).map_err(engine),
        _ => Ok(Arc::clone(a)),
    };
    concat(&[plain(above)?.as_ref(), plain(under)?.as_ref()]).map_err(engine)
}
