//! Rows by keys: several columns as one number.

use std::collections::HashMap;

use arrow::array::Array;
use arrow::buffer::BooleanBuffer;

use super::bits::{self, NONE};
use super::column::{Codes, Text, Value};
use super::table::{NO_KEY, Table};
use crate::sql::SqlError;

/// A column whose values spread further is coded by value.
const WIDE: u128 = 1 << 40;

/// How the values of one column become numbers from 0.
#[derive(Debug)]
enum Coder {
    Near { least: i64, span: u64 },
    Far { least: i64, table: Table },
    Texts(HashMap<Box<str>, u32>),
}

impl Coder {
    /// From the rows that count.
    fn new(value: &Value, counts: Option<&BooleanBuffer>) -> Result<(Self, u64), SqlError> {
        let counts = bits::and(counts, value.not_null().as_ref());
        if let Value::Text(text) = value {
            let mut known: HashMap<Box<str>, u32> = HashMap::new();
            let mut names: Vec<Box<str>> = Vec::new();
            let next = |t: &str| {
                if let Some(code) = known.get(t) {
                    return *code;
                }
                let code = u32::try_from(names.len()).unwrap_or(NONE);
                names.push(t.into());
                known.insert(t.into(), code);
                code
            };
            text_codes(text, next, counts.as_ref());
            // Codes in the order of the texts: rows that are sorted have sorted keys.
            names.sort_unstable();
            let known: HashMap<Box<str>, u32> = names.into_iter().zip(0..).collect();
            let span = known.len() as u64;
            return Ok((Self::Texts(known), span));
        }
        let (mut least, mut greatest) = (i64::MAX, i64::MIN);
        let mut meet = |v: i64| (least, greatest) = (least.min(v), greatest.max(v));
        match &counts {
            None => each(value, |_, v| meet(v))?,
            Some(counts) => each(value, |row, v| {
                if bits::bit(counts, row) {
                    meet(v)
                }
            })?,
        }
        if least > greatest {
            return Ok((Self::Near { least: 0, span: 0 }, 0));
        }
        let span = (i128::from(greatest) - i128::from(least) + 1).unsigned_abs();
        if let Some(span) = u64::try_from(span).ok().filter(|s| u128::from(*s) <= WIDE) {
            return Ok((Self::Near { least, span }, span));
        }
        if span > u128::from(u64::MAX - 1) {
            // The greatest would be the number that stands for no key.
            return Err(too_many());
        }
        let mut table = Table::new(u64::MAX, 0);
        let mut codes = 0;
        each(value, |row, v| {
            let counts = counts.as_ref().is_none_or(|c| bits::bit(c, row));
            if counts && table.get_or(v.wrapping_sub(least).cast_unsigned(), codes) == codes {
                codes += 1;
            }
        })?;
        Ok((Self::Far { least, table }, u64::from(codes)))
    }

    /// Adds the column to the keys of all rows. `null`: the number of NULL, else a row with NULL has no key.
    fn add(&self, keys: &mut [u64], value: &Value, stride: u64, null: Option<u64>) -> Result<(), SqlError> {
        match (self, value) {
            (Self::Texts(known), Value::Text(text)) => {
                let codes = text_codes(text, |t| known.get(t).copied().unwrap_or(NONE), text.valid.as_ref());
                let code = |code: u32| (code != NONE).then_some(u64::from(code));
                put(keys, codes.into_iter(), text.valid.as_ref(), stride, null, code);
                Ok(())
            }
            (Self::Texts(_), _) | (_, Value::Text(_)) => Err(SqlError::Engine("keys of two types".to_owned())),
            (Self::Near { least, span }, _) => {
                let within = |v: i64| Some(v.wrapping_sub(*least).cast_unsigned()).filter(|code| code < span);
                put_numbers(keys, value, stride, null, within)
            }
            (Self::Far { least, table }, _) => {
                let known = |v: i64| Some(table.get(v.wrapping_sub(*least).cast_unsigned())).filter(|c| *c != NONE).map(u64::from);
                put_numbers(keys, value, stride, null, known)
            }
        }
    }
}

/// Adds the codes of a column of numbers or truth values to the keys of its rows.
fn put_numbers(keys: &mut [u64], value: &Value, stride: u64, null: Option<u64>, code: impl Fn(i64) -> Option<u64>) -> Result<(), SqlError> {
    match value {
        Value::U32(n) => put(keys, n.values.iter().map(|v| i64::from(*v)), n.valid.as_ref(), stride, null, code),
        Value::I64(n) => put(keys, n.values.iter().copied(), n.valid.as_ref(), stride, null, code),
        Value::F64(n) => put(keys, n.values.iter().map(|v| of_double(*v)), n.valid.as_ref(), stride, null, code),
        Value::Truth(tri) => put(keys, tri.yes.iter().map(i64::from), tri.not_null().as_ref(), stride, null, code),
        Value::Text(_) | Value::Const(_) => return Err(SqlError::Engine("keys are due".to_owned())),
    }
    Ok(())
}

/// Adds the code of each value to the key of its row; a row without a code has no key.
fn put<T>(
    keys: &mut [u64],
    values: impl Iterator<Item = T>,
    valid: Option<&BooleanBuffer>,
    stride: u64,
    null: Option<u64>,
    code: impl Fn(T) -> Option<u64>,
) {
    let add = |key: &mut u64, code: Option<u64>| {
        if *key != NO_KEY {
            *key = code.map_or(NO_KEY, |code| *key + code * stride);
        }
    };
    match valid {
        None => keys.iter_mut().zip(values).for_each(|(key, v)| add(key, code(v))),
        Some(valid) => {
            keys.iter_mut().zip(values).zip(valid.iter()).for_each(|((key, v), valid)| add(key, if valid { code(v) } else { null }))
        }
    }
}

/// Zero and minus zero are one key.
fn of_double(v: f64) -> i64 {
    if v == 0.0 { 0 } else { v.to_bits().cast_signed() }
}

/// Calls for each row of a column of numbers or truth values, also where it is NULL.
fn each(value: &Value, mut f: impl FnMut(usize, i64)) -> Result<(), SqlError> {
    match value {
        Value::U32(n) => n.values.iter().enumerate().for_each(|(row, v)| f(row, i64::from(*v))),
        Value::I64(n) => n.values.iter().enumerate().for_each(|(row, v)| f(row, *v)),
        Value::F64(n) => n.values.iter().enumerate().for_each(|(row, v)| f(row, of_double(*v))),
        Value::Truth(tri) => tri.yes.iter().enumerate().for_each(|(row, v)| f(row, i64::from(v))),
        Value::Text(_) | Value::Const(_) => return Err(SqlError::Engine("keys are due".to_owned())),
    }
    Ok(())
}

/// A number for each row that counts, from its text; asked once per entry where entries are not many more than rows.
fn text_codes(text: &Text, mut of: impl FnMut(&str) -> u32, counts: Option<&BooleanBuffer>) -> Vec<u32> {
    const NOT_ASKED: u32 = NONE - 1;
    let each_once = !matches!(text.codes, Codes::Same) && text.values.len() <= text.len() * 4 + 64;
    let mut known = vec![NOT_ASKED; if each_once { text.values.len() } else { 0 }];
    // Neighbours are often the same.
    let mut last: Option<(usize, u32)> = None;
    let mut one = |entry: usize| match known.get_mut(entry) {
        Some(code) => {
            if *code == NOT_ASKED {
                *code = of(text.entry(entry));
            }
            *code
        }
        None => {
            let code =
                last.filter(|(known, _)| text.entry(*known) == text.entry(entry)).map_or_else(|| of(text.entry(entry)), |(_, code)| code);
            last = Some((entry, code));
            code
        }
    };
    match counts {
        None => text.map(one),
        Some(counts) => {
            let mut counts = counts.iter();
            text.map(|entry| if counts.next() == Some(true) { one(entry) } else { NONE })
        }
    }
}

fn too_many() -> SqlError {
    SqlError::Value("keys spread too far".to_owned())
}

/// Several columns as one number.
#[derive(Debug)]
struct Encoder {
    /// With what each column is multiplied.
    columns: Vec<(Coder, u64)>,
    total: u64,
}

impl Encoder {
    /// From the rows that count, with their keys. `nulls`: NULL is a key like others.
    fn new(values: &[Value], rows: usize, counts: Option<&BooleanBuffer>, nulls: bool) -> Result<(Self, Vec<u64>), SqlError> {
        let mut keys = match counts {
            None => vec![0; rows],
            Some(counts) => (0..rows).map(|row| if bits::bit(counts, row) { 0 } else { NO_KEY }).collect(),
        };
        let coders = values.iter().map(|value| Coder::new(value, counts)).collect::<Result<Vec<_>, _>>()?;
        let mut encoder = Self { columns: Vec::new(), total: 1 };
        // The first column counts most, as in the order of rows.
        for ((coder, span), value) in coders.into_iter().zip(values).rev() {
            coder.add(&mut keys, value, encoder.total, nulls.then_some(span))?;
            let wider = encoder.total.checked_mul(span.saturating_add(u64::from(nulls)).max(1)).filter(|total| *total < NO_KEY);
            encoder.columns.push((coder, encoder.total));
            encoder.total = wider.ok_or_else(too_many)?;
        }
        encoder.columns.reverse();
        Ok((encoder, keys))
    }

    fn keys(&self, values: &[Value], rows: usize) -> Result<Vec<u64>, SqlError> {
        let mut keys = vec![0; rows];
        for ((coder, stride), value) in self.columns.iter().zip(values) {
            coder.add(&mut keys, value, *stride, None)?;
        }
        Ok(keys)
    }
}

/// Rows to be found by their keys. NULL is found by nothing.
#[derive(Debug)]
pub(super) struct Index {
    encoder: Encoder,
    /// The first row of each key.
    first: First,
    /// The next row with the key of a row; empty: there is none.
    next: Vec<u32>,
}

#[derive(Debug)]
enum First {
    Of(Table),
    /// The keys of all rows, each above the one before.
    Sorted(Vec<u64>),
}

impl Index {
    pub fn new(values: &[Value], rows: usize, counts: Option<&BooleanBuffer>) -> Result<Self, SqlError> {
        let count = u32::try_from(rows).map_err(|_| too_many())?;
        let (encoder, keys) = Encoder::new(values, rows, counts, false)?;
        let mut table = Table::new(encoder.total, rows);
        if matches!(table, Table::Hashed { .. }) && keys.is_sorted_by(|a, b| a < b) && keys.last() != Some(&NO_KEY) {
            return Ok(Self { encoder, first: First::Sorted(keys), next: Vec::new() });
        }
        let mut next = Vec::new();
        for (row, key) in (0..count).rev().zip(keys.iter().rev()).filter(|(_, key)| **key != NO_KEY) {
            let after = table.swap(*key, row);
            if after == NONE {
                continue;
            }
            if next.is_empty() {
                next = vec![NONE; rows];
            }
            if let Some(slot) = next.get_mut(row as usize) {
                *slot = after;
            }
        }
        Ok(Self { encoder, first: First::Of(table), next })
    }

    /// The first row for each key.
    pub fn first(&self, values: &[Value], rows: usize) -> Result<Vec<u32>, SqlError> {
        if let ([(Coder::Near { least, .. }, 1)], [Value::U32(n)], First::Of(Table::Dense(slots))) =
            (self.encoder.columns.as_slice(), values, &self.first)
            && let Ok(least) = u32::try_from(*least)
        {
            let slot = |v: &u32| slots.get(v.wrapping_sub(least) as usize).copied().unwrap_or(NONE);
            return Ok(match &n.valid {
                None => n.values.iter().map(slot).collect(),
                Some(valid) => n.values.iter().zip(valid.iter()).map(|(v, valid)| if valid { slot(v) } else { NONE }).collect(),
            });
        }
        let keys = self.encoder.keys(values, rows)?;
        Ok(match &self.first {
            First::Of(table) => keys.into_iter().map(|key| table.get(key)).collect(),
            First::Sorted(sorted) => in_order(sorted, &keys),
        })
    }

    /// The next row with the same key.
    pub fn after(&self, row: u32) -> u32 {
        self.next.get(row as usize).copied().unwrap_or(NONE)
    }

    /// Whether no key has two rows.
    pub fn is_unique(&self) -> bool {
        self.next.is_empty()
    }
}

/// The places of keys among sorted ones. Those that are asked for one after another are mostly near each other.
fn in_order(sorted: &[u64], keys: &[u64]) -> Vec<u32> {
    let mut at = 0_usize;
    let place = |key: &u64| {
        if *key == NO_KEY {
            return NONE;
        }
        if sorted.get(at) != Some(key) {
            at = near(sorted, at, *key);
        }
        if sorted.get(at) != Some(key) {
            return NONE;
        }
        let found = u32::try_from(at).unwrap_or(NONE);
        at += 1;
        found
    };
    keys.iter().map(place).collect()
}

/// The first place whose key is not below `key`, looked for in steps that double from `at`.
fn near(sorted: &[u64], at: usize, key: u64) -> usize {
    let below = |place: usize| sorted.get(place).is_some_and(|k| *k < key);
    let (mut low, mut high, mut step) = (at.min(sorted.len()), at.min(sorted.len()), 1);
    if below(at) {
        while below(high) {
            low = high;
            high = (high + step).min(sorted.len());
            step *= 2;
        }
    } else {
        while low > 0 && !below(low) {
            high = low;
            low = low.saturating_sub(step);
            step *= 2;
        }
    }
    low + sorted.get(low..high).unwrap_or_default().partition_point(|k| *k < key)
}

/// Rows in groups of one key each.
#[derive(Debug)]
pub(super) struct Groups {
    /// The group of each row; [`NONE`]: of none.
    pub of: Vec<u32>,
    /// The first row of each group.
    pub first: Vec<u32>,
}

impl Groups {
    /// Groups in the order of their first rows. NULL is a key like others.
    pub fn new(values: &[Value], rows: usize, counts: Option<&BooleanBuffer>) -> Result<Self, SqlError> {
        u32::try_from(rows).map_err(|_| too_many())?;
        let (encoder, keys) = Encoder::new(values, rows, counts, true)?;
        if let Some(groups) = Self::of_sorted(&keys) {
            return Ok(groups);
        }
        let mut table = Table::new(encoder.total, rows);
        let mut first = Vec::new();
        let (mut last, mut group) = (NO_KEY, NONE);
        let of = (0..).zip(keys).map(|(row, key)| {
            if key == NO_KEY {
                return NONE;
            }
            if key != last {
                #[expect(clippy::cast_possible_truncation, reason = "no more groups than rows")]
                let next = first.len() as u32;
                (last, group) = (key, table.get_or(key, next));
                if group == next {
                    first.push(row);
                }
            }
            group
        });
        let of = of.collect();
        Ok(Self { of, first })
    }

    /// Groups of rows that follow each other; `None`: some rows are not in order.
    fn of_sorted(keys: &[u64]) -> Option<Self> {
        let mut first: Vec<u32> = Vec::new();
        let mut last = None;
        let mut of = Vec::with_capacity(keys.len());
        for (row, key) in (0..).zip(keys) {
            if *key == NO_KEY {
                of.push(NONE);
                continue;
            }
            if last.is_some_and(|last| *key < last) {
                return None;
            }
            if last != Some(*key) {
                first.push(row);
                last = Some(*key);
            }
            of.push(u32::try_from(first.len()).ok()? - 1);
        }
        Some(Self { of, first })
    }

    /// Every row that counts in one group.
    pub fn one(rows: usize, counts: Option<&BooleanBuffer>, also_of_none: bool) -> Self {
        let of: Vec<u32> = (0..rows).map(|row| if counts.is_none_or(|c| bits::bit(c, row)) { 0 } else { NONE }).collect();
        let first = of.iter().position(|g| *g == 0).and_then(|row| u32::try_from(row).ok());
        let first = match first {
            None if also_of_none => vec![NONE],
            first => first.into_iter().collect(),
        };
        Self { of, first }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, StringArray, UInt32Array};
    use std::sync::Arc;

    use super::*;

    fn read(array: impl Array + 'static) -> Value {
        Value::read(&(Arc::new(array) as ArrayRef)).unwrap()
    }

    #[test]
    fn rows_are_found_by_several_keys_and_null_by_none() {
        let numbers = read(UInt32Array::from(vec![Some(5), Some(5), None, Some(u32::MAX), Some(5)]));
        let texts = read(StringArray::from(vec![Some("a"), Some("b"), Some("a"), None, Some("a")]));
        let index = Index::new(&[numbers, texts], 5, None).unwrap();
        assert!(!index.is_unique());
        let asked = [read(Int64Array::from(vec![Some(5), Some(5), Some(-1), None])), read(StringArray::from(vec!["a", "b", "a", "a"]))];
        let first = index.first(&asked, 4).unwrap();
        assert_eq!(first, [0, 1, NONE, NONE]);
        assert_eq!((index.after(0), index.after(4), index.after(1)), (4, NONE, NONE));
        let far = read(Int64Array::from(vec![-1, i64::MAX, 0, -1]));
        let index = Index::new(std::slice::from_ref(&far), 4, Some(&BooleanBuffer::from(vec![true, true, false, true]))).unwrap();
        assert_eq!(index.first(&[far], 4).unwrap(), [0, 1, NONE, 0]);
        assert_eq!((index.after(0), index.is_unique()), (3, false));
        let beyond = read(Int64Array::from(vec![-2, i64::MIN]));
        assert_eq!(index.first(&[beyond], 2).unwrap(), [NONE, NONE]);
        let all = read(Int64Array::from(vec![i64::MIN, i64::MAX]));
        assert!(matches!(Index::new(&[all], 2, None), Err(SqlError::Value(_))));
        let sorted = read(Int64Array::from((0..300).map(|i| i * 1_000_000).collect::<Vec<_>>()));
        let index = Index::new(&[sorted], 300, None).unwrap();
        assert!(matches!(index.first, First::Sorted(_)) && index.is_unique());
        let asked: Vec<i64> =
            [5, 6, 7, 299, 0, 0, 150, 10, 11, 298, 299, 1, 300, -1].iter().map(|i| i * 1_000_000).chain([1, 299_000_001]).collect();
        let found = index.first(&[read(Int64Array::from(asked))], 16).unwrap();
        assert_eq!(found, [5, 6, 7, 299, 0, 0, 150, 10, 11, 298, 299, 1, NONE, NONE, NONE, NONE]);
        let single = Index::new(&[read(UInt32Array::from(vec![7, 9]))], 2, None).unwrap();
        assert_eq!(single.first(&[read(UInt32Array::from(vec![9, 6, 7, 8, 10]))], 5).unwrap(), [1, NONE, 0, NONE, NONE]);
    }

    #[test]
    fn groups_take_null_as_a_key() {
        let keys = read(Int64Array::from(vec![Some(1), None, Some(1), None, Some(i64::MAX)]));
        let groups = Groups::new(&[keys], 5, Some(&BooleanBuffer::from(vec![true, true, true, true, false]))).unwrap();
        assert_eq!((groups.of, groups.first), (vec![0, 1, 0, 1, NONE], vec![0, 1]));
        let none = Groups::one(2, Some(&BooleanBuffer::new_unset(2)), true);
        assert_eq!((none.of, none.first), (vec![NONE, NONE], vec![NONE]));
        assert!(Groups::one(0, None, false).first.is_empty());
    }
}
