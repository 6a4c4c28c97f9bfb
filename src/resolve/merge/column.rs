//! One column of attributes, in a form that compares fast.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray, TimestampMicrosecondArray};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Int32Type};

use crate::model::cell::ColType;

/// Rows that are compared at once before they are looked at one by one.
const BLOCK: usize = 256;

/// The values of a stretch of rows.
#[derive(Clone, Debug)]
pub(super) enum Column {
    /// Null in every row.
    Nothing,
    /// Microseconds; null as the least number, which is no instant.
    Times(ScalarBuffer<i64>),
    Texts(StringArray),
    /// Position in the set of words; booleans as 0 and 1, null as [`NULL`].
    Words(Vec<u8>),
}

/// A null among small numbers.
const NULL: u8 = u8::MAX;

impl Column {
    /// # Errors
    /// What the array holds instead.
    pub fn of(ty: ColType, array: &ArrayRef) -> Result<Self, String> {
        let other = || format!("type is {}", array.data_type());
        match ty {
            ColType::Word(words) => words_of(&words(), array).map(Self::Words),
            _ if array.null_count() == array.len() => Ok(Self::Nothing),
            ColType::Text => Ok(Self::Texts(array.as_any().downcast_ref::<StringArray>().ok_or_else(other)?.clone())),
            ColType::Time => Ok(Self::Times(times_of(array.as_any().downcast_ref().ok_or_else(other)?))),
            ColType::Bool => {
                let array = array.as_any().downcast_ref::<BooleanArray>().ok_or_else(other)?;
                Ok(Self::Words(array.iter().map(|v| v.map_or(NULL, u8::from)).collect()))
            }
            ColType::U32 | ColType::U64 | ColType::I64 | ColType::F64 => Err(other()),
        }
    }

    /// Calls `each` with every `k` below `n` whose row `i + k` here and row `j + k` there differ, ascending.
    pub fn unlike(&self, i: usize, other: &Self, j: usize, n: usize, each: &mut impl FnMut(usize)) {
        match (self, other) {
            (Self::Nothing, Self::Nothing) => {}
            (Self::Times(a), Self::Times(b)) => unlike_values(a.get(i..i + n), b.get(j..j + n), each),
            (Self::Words(a), Self::Words(b)) => unlike_values(a.get(i..i + n), b.get(j..j + n), each),
            (Self::Texts(a), Self::Texts(b)) => {
                for from in (0..n).step_by(BLOCK) {
                    let len = BLOCK.min(n - from);
                    if !same_texts(a, i + from, b, j + from, len) {
                        (from..from + len).filter(|k| text(a, i + k) != text(b, j + k)).for_each(&mut *each);
                    }
                }
            }
            _ => (0..n).filter(|k| self.is_null(i + k) != other.is_null(j + k) || !self.is_null(i + k)).for_each(each),
        }
    }

    fn is_null(&self, i: usize) -> bool {
        match self {
            Self::Nothing => true,
            Self::Times(t) => t.get(i).is_none_or(|t| *t == i64::MIN),
            Self::Texts(t) => t.is_null(i),
            Self::Words(w) => w.get(i).is_none_or(|w| *w == NULL),
        }
    }

    /// Some rows, and below them some of `next`.
    pub fn joined(&self, mine: &Range<usize>, next: &Self, theirs: &Range<usize>) -> Self {
        match (self, next) {
            (Self::Nothing, Self::Nothing) => Self::Nothing,
            (Self::Words(a), Self::Words(b)) => Self::Words(below(a, mine, b, theirs)),
            (Self::Texts(_) | Self::Nothing, Self::Texts(_) | Self::Nothing) => {
                Self::Texts(joined_texts(self.texts(), mine, next.texts(), theirs))
            }
            _ => {
                let some = |c: &Self, rows: &Range<usize>| match c {
                    Self::Times(t) => t.get(rows.clone()).unwrap_or_default().to_vec(),
                    _ => vec![i64::MIN; rows.len()],
                };
                Self::Times([some(self, mine), some(next, theirs)].concat().into())
            }
        }
    }

    fn texts(&self) -> Option<&StringArray> {
        match self {
            Self::Texts(t) => Some(t),
            _ => None,
        }
    }
}

/// Some of `a`, and below it some of `b`.
pub(super) fn below<T: Clone>(a: &[T], mine: &Range<usize>, b: &[T], theirs: &Range<usize>) -> Vec<T> {
    [a.get(mine.clone()).unwrap_or_default(), b.get(theirs.clone()).unwrap_or_default()].concat()
}

/// The same of texts; `None`: null in every row.
pub(super) fn joined_texts(a: Option<&StringArray>, mine: &Range<usize>, b: Option<&StringArray>, theirs: &Range<usize>) -> StringArray {
    let some = |t: Option<&StringArray>, rows: &Range<usize>| {
        t.map_or_else(|| StringArray::new_null(rows.len()), |t| t.slice(rows.start, rows.len()))
    };
    let (a, b) = (some(a, mine), some(b, theirs));
    match concat(&[&a, &b]) {
        Ok(all) => all.as_string::<i32>().clone(),
        // Two texts are of one type, and too long for its offsets only beyond any batch that a reader gives.
        Err(_) => a.iter().chain(b.iter()).collect(),
    }
}

fn times_of(array: &TimestampMicrosecondArray) -> ScalarBuffer<i64> {
    if array.null_count() == 0 {
        return array.values().clone();
    }
    let mut out = array.values().to_vec();
    set_nulls(&mut out, array.nulls(), i64::MIN);
    out.into()
}

/// Puts a value where there is none.
pub(super) fn set_nulls<T: Copy>(values: &mut [T], nulls: Option<&NullBuffer>, null: T) {
    if let Some(nulls) = nulls.filter(|n| n.null_count() > 0) {
        values.iter_mut().zip(nulls).for_each(|(value, valid)| *value = if valid { *value } else { null });
    }
}

/// Positions of words in their set.
///
/// # Errors
/// A null, or a text that is no such word.
pub(super) fn words_of(set: &[&str], array: &ArrayRef) -> Result<Vec<u8>, String> {
    let code = |text: &str| {
        let at = set.iter().position(|w| *w == text).and_then(|at| u8::try_from(at).ok());
        at.ok_or_else(|| format!("`{text}` is not a word of its set"))
    };
    let null = || "null where a value is due".to_owned();
    if array.null_count() > 0 {
        return Err(null());
    }
    match array.data_type() {
        DataType::Dictionary(_, _) => {
            let array = array.as_dictionary_opt::<Int32Type>().ok_or_else(|| format!("type is {}", array.data_type()))?;
            let texts = array.values().as_string_opt::<i32>().ok_or_else(|| format!("type is {}", array.data_type()))?;
            // A word of the dictionary that no row uses is nobody's fault.
            let codes: Vec<Result<u8, String>> = texts.iter().map(|t| t.ok_or_else(null).and_then(code)).collect();
            if let ([Ok(only)], false) = (codes.as_slice(), array.is_empty()) {
                return Ok(vec![*only; array.len()]);
            }
            let place = |key: &i32| usize::try_from(*key).unwrap_or(usize::MAX);
            let known: Vec<u8> = codes.iter().map(|c| c.as_ref().map_or(NULL, |code| *code)).collect();
            let keys = array.keys().values();
            let out: Vec<u8> = keys.iter().map(|key| known.get(place(key)).copied().unwrap_or(NULL)).collect();
            match out.iter().position(|code| *code == NULL).and_then(|at| keys.get(at)) {
                Some(key) => Err(codes.get(place(key)).and_then(|c| c.clone().err()).unwrap_or_else(null)),
                None => Ok(out),
            }
        }
        _ => {
            let texts = array.as_string_opt::<i32>().ok_or_else(|| format!("type is {}", array.data_type()))?;
            let mut last: Option<(&str, u8)> = None;
            let mut out = Vec::with_capacity(texts.len());
            for text in texts.iter().flatten() {
                let code = match last {
                    Some((same, code)) if same == text => code,
                    _ => code(text)?,
                };
                last = Some((text, code));
                out.push(code);
            }
            Ok(out)
        }
    }
}

fn text(a: &StringArray, i: usize) -> Option<&str> {
    a.is_valid(i).then(|| a.value(i))
}

/// Whether `n` texts are the same, nulls and all. May say no of texts that are; never yes of others.
pub(super) fn same_texts(a: &StringArray, i: usize, b: &StringArray, j: usize, n: usize) -> bool {
    let nulls = match (a.nulls(), b.nulls()) {
        (None, None) => true,
        (Some(a), Some(b)) => a.slice(i, n) == b.slice(j, n),
        _ => false,
    };
    let (Some(x), Some(y)) = (a.value_offsets().get(i..=i + n), b.value_offsets().get(j..=j + n)) else { return false };
    let (Some((x0, y0)), Some((x1, y1))) = (x.first().zip(y.first()), x.last().zip(y.last())) else { return false };
    nulls
        && x1 - x0 == y1 - y0
        && x.iter().zip(y).all(|(x, y)| x - x0 == y - y0)
        && a.value_data().get(*x0 as usize..*x1 as usize) == b.value_data().get(*y0 as usize..*y1 as usize)
}

fn unlike_values<T: PartialEq>(a: Option<&[T]>, b: Option<&[T]>, each: &mut impl FnMut(usize)) {
    let (Some(a), Some(b)) = (a, b) else { return };
    if a == b {
        return;
    }
    for (block, (a, b)) in a.chunks(BLOCK).zip(b.chunks(BLOCK)).enumerate() {
        if a != b {
            a.iter().zip(b).enumerate().filter(|(_, (a, b))| a != b).for_each(|(k, _)| each(block * BLOCK + k));
        }
    }
}
