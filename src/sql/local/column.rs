//! Columns while they are computed: numbers as they were stored, text as places in a dictionary.

use std::sync::Arc;

use arrow::array::types::ArrowDictionaryKeyType;
use arrow::array::{
    Array, ArrayRef, ArrowNativeTypeOp, AsArray, BooleanArray, DictionaryArray, Float64Array, Int64Array, PrimitiveArray, StringArray,
    StringBuilder, TimestampMicrosecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowNativeType, DataType, Float64Type, Int64Type, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use super::bits::{self, Tri};
use crate::sql::SqlError;
use crate::sql::types::Type;

/// What a column holds, whatever its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Bool,
    /// Integers, instants and intervals.
    Int,
    Double,
    Text,
}

/// A value known before anything runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Lit {
    Null,
    Bool(bool),
    Int(i64),
    /// Its bits.
    Double(u64),
    Text(Arc<str>),
}

/// Numbers; `valid` is `None` where none is NULL.
#[derive(Clone, Debug)]
pub(super) struct Numbers<T: ArrowNativeType> {
    pub values: ScalarBuffer<T>,
    pub valid: Option<BooleanBuffer>,
}

/// Places in a dictionary; `Same`: row 0 is its entry 0, and so on.
#[derive(Clone, Debug)]
pub(super) enum Codes {
    Same,
    U8(ScalarBuffer<u8>),
    U16(ScalarBuffer<u16>),
    U32(ScalarBuffer<u32>),
}

/// Texts. Entries may repeat; those of NULL rows mean nothing.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub codes: Codes,
    pub valid: Option<BooleanBuffer>,
    pub values: StringArray,
}

/// A column, or one value that stands in every row.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Truth(Tri),
    U32(Numbers<u32>),
    I64(Numbers<i64>),
    F64(Numbers<f64>),
    Text(Text),
    Const(Lit),
}

pub(super) fn failed(what: impl std::fmt::Display) -> SqlError {
    SqlError::Engine(what.to_string())
}

impl<T: ArrowNativeTypeOp> Numbers<T> {
    pub fn new(values: Vec<T>, valid: Option<BooleanBuffer>) -> Self {
        Self { values: ScalarBuffer::from(values), valid }
    }

    pub fn get(&self, row: usize) -> Option<T> {
        self.values.get(row).copied().filter(|_| self.valid.as_ref().is_none_or(|v| bits::bit(v, row)))
    }

    fn gather(&self, rows: &[u32], matched: Option<&BooleanBuffer>) -> Self {
        let values = rows.iter().map(|r| self.values.get(*r as usize).copied().unwrap_or_default()).collect();
        Self::new(values, gathered(self.valid.as_ref(), rows, matched))
    }
}

fn gathered(valid: Option<&BooleanBuffer>, rows: &[u32], matched: Option<&BooleanBuffer>) -> Option<BooleanBuffer> {
    match valid {
        Some(valid) => Some(bits::gather(valid, rows)),
        None => matched.cloned(),
    }
}

impl Text {
    pub fn len(&self) -> usize {
        match &self.codes {
            Codes::Same => self.values.len(),
            Codes::U8(codes) => codes.len(),
            Codes::U16(codes) => codes.len(),
            Codes::U32(codes) => codes.len(),
        }
    }

    pub fn is_valid(&self, row: usize) -> bool {
        self.valid.as_ref().is_none_or(|v| bits::bit(v, row))
    }

    /// The entry of a row, also where it is NULL.
    pub fn code(&self, row: usize) -> usize {
        match &self.codes {
            Codes::Same => row,
            Codes::U8(codes) => codes.get(row).copied().unwrap_or_default() as usize,
            Codes::U16(codes) => codes.get(row).copied().unwrap_or_default() as usize,
            Codes::U32(codes) => codes.get(row).copied().unwrap_or_default() as usize,
        }
    }

    pub fn get(&self, row: usize) -> Option<&str> {
        let code = self.code(row);
        (row < self.len() && self.is_valid(row) && code < self.values.len()).then(|| self.values.value(code))
    }

    pub fn entry(&self, code: usize) -> &str {
        if code < self.values.len() { self.values.value(code) } else { "" }
    }

    /// One bit per row, from its entry.
    pub fn pack(&self, f: impl Fn(usize) -> bool) -> BooleanBuffer {
        match &self.codes {
            Codes::Same => BooleanBuffer::collect_bool(self.values.len(), f),
            Codes::U8(codes) => bits::pack(codes, |c| f(c as usize)),
            Codes::U16(codes) => bits::pack(codes, |c| f(c as usize)),
            Codes::U32(codes) => bits::pack(codes, |c| f(c as usize)),
        }
    }

    /// One number per row, from its entry.
    pub fn map<T>(&self, mut f: impl FnMut(usize) -> T) -> Vec<T> {
        match &self.codes {
            Codes::Same => (0..self.values.len()).map(f).collect(),
            Codes::U8(codes) => codes.iter().map(|c| f(*c as usize)).collect(),
            Codes::U16(codes) => codes.iter().map(|c| f(*c as usize)).collect(),
            Codes::U32(codes) => codes.iter().map(|c| f(*c as usize)).collect(),
        }
    }

    /// Whether each text passes; asked of the entries where there are fewer of them than rows.
    pub fn test(&self, f: impl Fn(&str) -> bool) -> Tri {
        let yes = if self.values.len() <= self.len() && !matches!(self.codes, Codes::Same) {
            let passes: Vec<bool> = (0..self.values.len()).map(|i| f(self.values.value(i))).collect();
            match &self.codes {
                // A table of 256 needs no check of its bounds.
                Codes::U8(codes) => {
                    let table: [bool; 256] = std::array::from_fn(|i| passes.get(i).copied().unwrap_or(false));
                    bits::pack(codes, |c| table.get(usize::from(c)).copied().unwrap_or(false))
                }
                _ => self.pack(|c| passes.get(c).copied().unwrap_or(false)),
            }
        } else {
            BooleanBuffer::collect_bool(self.len(), |row| self.get(row).is_some_and(&f))
        };
        Tri::valid(yes, self.valid.as_ref())
    }

    fn gather(&self, rows: &[u32], matched: Option<&BooleanBuffer>) -> Self {
        macro_rules! of {
            ($codes:expr) => {
                rows.iter().map(|r| $codes.get(*r as usize).copied().unwrap_or_default()).collect::<Vec<_>>().into()
            };
        }
        let codes = match &self.codes {
            Codes::Same => Codes::U32(rows.to_vec().into()),
            Codes::U8(codes) => Codes::U8(of!(codes)),
            Codes::U16(codes) => Codes::U16(of!(codes)),
            Codes::U32(codes) => Codes::U32(of!(codes)),
        };
        Self { codes, valid: gathered(self.valid.as_ref(), rows, matched), values: self.values.clone() }
    }

    /// The texts as a dictionary; plain where they are none.
    fn coded(&self) -> Result<ArrayRef, SqlError> {
        let nulls = || self.valid.clone().map(NullBuffer::new);
        let values = || Arc::new(self.values.clone());
        Ok(match &self.codes {
            Codes::Same => Arc::new(self.plain(true)),
            Codes::U8(codes) => Arc::new(DictionaryArray::try_new(UInt8Array::new(codes.clone(), nulls()), values()).map_err(failed)?),
            Codes::U16(codes) => Arc::new(DictionaryArray::try_new(UInt16Array::new(codes.clone(), nulls()), values()).map_err(failed)?),
            Codes::U32(codes) => Arc::new(DictionaryArray::try_new(UInt32Array::new(codes.clone(), nulls()), values()).map_err(failed)?),
        })
    }

    /// The same texts without entries that no row has, where those would be many.
    pub fn compact(&self) -> Self {
        if self.values.len() <= self.len().max(64) {
            return self.clone();
        }
        Self { codes: Codes::Same, valid: self.valid.clone(), values: self.plain(false) }
    }

    fn plain(&self, nulls: bool) -> StringArray {
        if let (Codes::Same, None) = (&self.codes, &self.valid) {
            return self.values.clone();
        }
        let mut out = StringBuilder::with_capacity(self.len(), self.len() * 8);
        for row in 0..self.len() {
            match self.get(row) {
                Some(text) => out.append_value(text),
                None if nulls => out.append_null(),
                None => out.append_value(""),
            }
        }
        out.finish()
    }
}

impl Value {
    /// A column as a part gives it.
    ///
    /// # Errors
    /// A type that no view has; a number that polars has to judge.
    pub fn read(array: &ArrayRef) -> Result<Self, SqlError> {
        let valid = array.nulls().filter(|n| n.null_count() > 0).map(|n| n.inner().clone());
        Ok(match array.data_type() {
            DataType::UInt32 => Self::U32(Numbers { values: array.as_primitive::<UInt32Type>().values().clone(), valid }),
            DataType::Int64 => Self::I64(Numbers { values: array.as_primitive::<Int64Type>().values().clone(), valid }),
            DataType::UInt64 => Self::I64(signed(array.as_primitive::<UInt64Type>(), valid)?),
            DataType::Timestamp(_, None) => {
                let array = array.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(|| failed("instants not in microseconds"))?;
                Self::I64(Numbers { values: array.values().clone(), valid })
            }
            DataType::Float64 => {
                let values = array.as_primitive::<Float64Type>().values().clone();
                if values.iter().any(|v| v.is_nan()) {
                    return Err(SqlError::Value("not a number".to_owned()));
                }
                Self::F64(Numbers { values, valid })
            }
            DataType::Boolean => Self::Truth(Tri::valid(array.as_boolean().values().clone(), valid.as_ref())),
            DataType::Utf8 => {
                let values = array.as_string::<i32>();
                Self::Text(Text { codes: Codes::Same, valid, values: values.clone() })
            }
            DataType::Dictionary(key, _) => Self::Text(match key.as_ref() {
                DataType::UInt8 => coded(array.as_dictionary::<UInt8Type>(), valid, Codes::U8)?,
                DataType::UInt16 => coded(array.as_dictionary::<UInt16Type>(), valid, Codes::U16)?,
                DataType::UInt32 => coded(array.as_dictionary::<UInt32Type>(), valid, Codes::U32)?,
                other => return Err(failed(format!("a dictionary with keys {other}"))),
            }),
            other => return Err(failed(format!("a column of {other}, which no view has"))),
        })
    }

    /// One value in every row.
    pub fn full(lit: &Lit, kind: Kind, rows: usize) -> Self {
        let none = || Some(BooleanBuffer::new_unset(rows));
        match (kind, lit) {
            (Kind::Bool, Lit::Bool(value)) => Self::Truth(Tri::full(Some(*value), rows)),
            (Kind::Bool, _) => Self::Truth(Tri::full(None, rows)),
            (Kind::Int, Lit::Int(value)) => Self::I64(Numbers::new(vec![*value; rows], None)),
            (Kind::Int, _) => Self::I64(Numbers::new(vec![0; rows], none())),
            (Kind::Double, Lit::Double(value)) => Self::F64(Numbers::new(vec![f64::from_bits(*value); rows], None)),
            (Kind::Double, _) => Self::F64(Numbers::new(vec![0.0; rows], none())),
            (Kind::Text, Lit::Text(text)) => {
                let values = StringArray::from_iter_values([text]);
                Self::Text(Text { codes: Codes::U8(vec![0; rows].into()), valid: None, values })
            }
            (Kind::Text, _) => {
                let values = StringArray::from_iter_values([""]);
                Self::Text(Text { codes: Codes::U8(vec![0; rows].into()), valid: none(), values })
            }
        }
    }

    /// The value of the first row.
    ///
    /// # Errors
    /// There is none.
    pub fn literal(&self) -> Result<Lit, SqlError> {
        let null = self.not_null().is_some_and(|valid| !bits::bit(&valid, 0));
        let lit = match self {
            _ if null => Some(Lit::Null),
            Self::Truth(tri) => (tri.len() > 0).then(|| Lit::Bool(bits::bit(&tri.yes, 0))),
            Self::U32(n) => n.get(0).map(|v| Lit::Int(i64::from(v))),
            Self::I64(n) => n.get(0).map(Lit::Int),
            Self::F64(n) => n.get(0).map(|v| Lit::Double(v.to_bits())),
            Self::Text(t) => t.get(0).map(|v| Lit::Text(v.into())),
            Self::Const(lit) => Some(lit.clone()),
        };
        lit.ok_or_else(|| failed("a constant without a value"))
    }

    /// The rows without NULL; `None`: all.
    pub fn not_null(&self) -> Option<BooleanBuffer> {
        match self {
            Self::Truth(tri) => tri.not_null(),
            Self::U32(n) => n.valid.clone(),
            Self::I64(n) => n.valid.clone(),
            Self::F64(n) => n.valid.clone(),
            Self::Text(t) => t.valid.clone(),
            Self::Const(_) => None,
        }
    }

    /// NULL also where `keep` is not set.
    pub fn masked(self, keep: &BooleanBuffer) -> Self {
        let both = |valid: Option<&BooleanBuffer>| bits::and(valid, Some(keep));
        match self {
            Self::Truth(tri) => Self::Truth(Tri { no: Some(&tri.no() & keep), yes: &tri.yes & keep }),
            Self::U32(n) => Self::U32(Numbers { valid: both(n.valid.as_ref()), ..n }),
            Self::I64(n) => Self::I64(Numbers { valid: both(n.valid.as_ref()), ..n }),
            Self::F64(n) => Self::F64(Numbers { valid: both(n.valid.as_ref()), ..n }),
            Self::Text(t) => Self::Text(Text { valid: both(t.valid.as_ref()), ..t }),
            Self::Const(lit) => Self::Const(lit),
        }
    }

    /// The values of some rows; NULL where `matched` is not set, which is where a row is [`bits::NONE`].
    pub fn gather(&self, rows: &[u32], matched: Option<&BooleanBuffer>) -> Self {
        match self {
            Self::Truth(tri) => Self::Truth(tri.gather(rows, matched)),
            Self::U32(n) => Self::U32(n.gather(rows, matched)),
            Self::I64(n) => Self::I64(n.gather(rows, matched)),
            Self::F64(n) => Self::F64(n.gather(rows, matched)),
            Self::Text(t) => Self::Text(t.gather(rows, matched)),
            Self::Const(lit) => Self::Const(lit.clone()),
        }
    }

    /// As signed numbers of 64 bits.
    pub fn wide(&self) -> Result<Numbers<i64>, SqlError> {
        match self {
            Self::I64(n) => Ok(n.clone()),
            Self::U32(n) => Ok(Numbers::new(n.values.iter().map(|v| i64::from(*v)).collect(), n.valid.clone())),
            _ => Err(failed("integers are due")),
        }
    }

    pub fn doubles(&self) -> Result<&Numbers<f64>, SqlError> {
        if let Self::F64(n) = self { Ok(n) } else { Err(failed("doubles are due")) }
    }

    pub fn truth(&self) -> Result<&Tri, SqlError> {
        if let Self::Truth(tri) = self { Ok(tri) } else { Err(failed("truth values are due")) }
    }

    pub fn text(&self) -> Result<&Text, SqlError> {
        if let Self::Text(text) = self { Ok(text) } else { Err(failed("texts are due")) }
    }

    /// A column of a key as an array: numbers of 32 bits as such, others as signed ones of 64 bits, texts as the dictionary that they are.
    ///
    /// # Errors
    /// A column of a kind that no key has.
    pub fn coded(&self) -> Result<ArrayRef, SqlError> {
        match self {
            Self::U32(_) => self.array(Type::U32),
            Self::Text(text) => text.coded(),
            _ => self.array(Type::Bigint),
        }
    }

    /// An array of an output column.
    ///
    /// # Errors
    /// The column is of another kind.
    pub fn array(&self, ty: Type) -> Result<ArrayRef, SqlError> {
        let nulls = self.not_null().map(NullBuffer::new);
        Ok(match (ty, self) {
            (Type::U32, Self::U32(n)) => Arc::new(UInt32Array::new(n.values.clone(), nulls)),
            (Type::U32, _) => {
                let wide = self.wide()?;
                let narrow =
                    |row: usize| wide.get(row).map(u32::try_from).transpose().map_err(|_| SqlError::Value("beyond UINTEGER".to_owned()));
                Arc::new((0..wide.values.len()).map(narrow).collect::<Result<UInt32Array, _>>()?)
            }
            (Type::U64, _) => {
                let wide = self.wide()?;
                let unsigned =
                    |row: usize| wide.get(row).map(u64::try_from).transpose().map_err(|_| SqlError::Value("beyond UBIGINT".to_owned()));
                Arc::new((0..wide.values.len()).map(unsigned).collect::<Result<UInt64Array, _>>()?)
            }
            (Type::Bigint, _) => Arc::new(Int64Array::new(self.wide()?.values, nulls)),
            (Type::Timestamp, _) => Arc::new(TimestampMicrosecondArray::new(self.wide()?.values, nulls)),
            (Type::Double, _) => Arc::new(Float64Array::new(self.doubles()?.values.clone(), nulls)),
            (Type::Boolean, _) => Arc::new(BooleanArray::new(self.truth()?.yes.clone(), nulls)),
            (Type::Text, _) => Arc::new(self.text()?.plain(true)),
        })
    }
}

/// Unsigned numbers as signed ones, without a copy.
fn signed(array: &PrimitiveArray<UInt64Type>, valid: Option<BooleanBuffer>) -> Result<Numbers<i64>, SqlError> {
    let beyond = |(row, v): (usize, &u64)| *v > i64::MAX as u64 && valid.as_ref().is_none_or(|n| n.value(row));
    if array.values().iter().enumerate().any(beyond) {
        return Err(SqlError::Value("an unsigned number is beyond BIGINT".to_owned()));
    }
    let values = array.values();
    Ok(Numbers { values: ScalarBuffer::new(values.inner().clone(), 0, values.len()), valid })
}

/// A dictionary whose missing entries are missing rows.
fn coded<K: ArrowDictionaryKeyType>(
    array: &DictionaryArray<K>,
    valid: Option<BooleanBuffer>,
    of: impl Fn(ScalarBuffer<K::Native>) -> Codes,
) -> Result<Text, SqlError> {
    let values = array.values().as_string_opt::<i32>().ok_or_else(|| failed("a dictionary of no text"))?.clone();
    let codes = array.keys().values().clone();
    let known =
        (values.null_count() > 0).then(|| bits::pack(&codes, |c| c.to_usize().is_some_and(|c| c < values.len() && values.is_valid(c))));
    Ok(Text { codes: of(codes), valid: bits::and(valid.as_ref(), known.as_ref()), values })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::local::bits::NONE;

    fn texts(value: &Value) -> Vec<Option<String>> {
        value.array(Type::Text).unwrap().as_string::<i32>().iter().map(|t| t.map(str::to_owned)).collect()
    }

    #[test]
    fn entries_of_a_dictionary_may_be_missing_or_repeat() {
        let values = StringArray::from(vec![Some("a"), None, Some("a"), Some("b")]);
        let keys = UInt16Array::from(vec![Some(2), Some(1), None, Some(3), Some(0)]);
        let array: ArrayRef = Arc::new(DictionaryArray::try_new(keys, Arc::new(values)).unwrap());
        let value = Value::read(&array).unwrap();
        let some = |t: &str| Some(t.to_owned());
        assert_eq!(texts(&value), [some("a"), None, None, some("b"), some("a")]);
        let is_a = value.text().unwrap().test(|t| t == "a");
        assert_eq!(is_a.yes.iter().collect::<Vec<_>>(), [true, false, false, false, true]);
        assert_eq!(is_a.no().iter().collect::<Vec<_>>(), [false, false, false, true, false]);
        let rows = value.gather(&[3, NONE, 1], Some(&BooleanBuffer::from(vec![true, false, true])));
        assert_eq!(texts(&rows), [some("b"), None, None]);
    }

    #[test]
    fn numbers_beyond_their_type_are_for_polars() {
        let array: ArrayRef = Arc::new(UInt64Array::from(vec![Some(u64::MAX), None]));
        assert!(matches!(Value::read(&array), Err(SqlError::Value(_))));
        let array: ArrayRef = Arc::new(UInt64Array::from(vec![Some(7), None]));
        assert_eq!(&Value::read(&array).unwrap().array(Type::U64).unwrap(), &array);
        let array: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN]));
        assert!(matches!(Value::read(&array), Err(SqlError::Value(_))));
    }
}
