//! How one Rust type stands in one Arrow column.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, BooleanBuilder, Float64Array, Float64Builder, Int64Array, Int64Builder, StringArray, StringBuilder,
    TimestampMicrosecondArray, TimestampMicrosecondBuilder, UInt32Array, UInt32Builder, UInt64Array, UInt64Builder,
};
use arrow::datatypes::{DataType, TimeUnit};

use super::facts::Word;
use super::pack;
use super::time::Time;

/// The column types of the normal form.
#[derive(Clone, Copy, Debug)]
pub enum ColType {
    U32,
    U64,
    I64,
    F64,
    Bool,
    Text,
    /// Text from a closed set.
    Word(fn() -> Vec<&'static str>),
    /// Microseconds since the epoch, UTC, no zone.
    Time,
}

impl ColType {
    /// The Arrow type that holds it.
    pub fn arrow(self) -> DataType {
        match self {
            Self::U32 => DataType::UInt32,
            Self::U64 => DataType::UInt64,
            Self::I64 => DataType::Int64,
            Self::F64 => DataType::Float64,
            Self::Bool => DataType::Boolean,
            Self::Text | Self::Word(_) => DataType::Utf8,
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, None),
        }
    }

    /// Its name in the printed schema.
    pub fn name(self) -> &'static str {
        match self {
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::I64 => "i64",
            Self::F64 => "f64",
            Self::Bool => "boolean",
            Self::Text => "text",
            Self::Word(_) => "word",
            Self::Time => "timestamp[us]",
        }
    }
}

/// A column under construction.
pub enum Builder {
    U32(UInt32Builder),
    U64(UInt64Builder),
    I64(Int64Builder),
    F64(Float64Builder),
    Bool(BooleanBuilder),
    Text(StringBuilder),
    Time(TimestampMicrosecondBuilder),
}

impl Builder {
    pub fn new(ty: ColType) -> Self {
        match ty {
            ColType::U32 => Self::U32(UInt32Builder::new()),
            ColType::U64 => Self::U64(UInt64Builder::new()),
            ColType::I64 => Self::I64(Int64Builder::new()),
            ColType::F64 => Self::F64(Float64Builder::new()),
            ColType::Bool => Self::Bool(BooleanBuilder::new()),
            ColType::Text | ColType::Word(_) => Self::Text(StringBuilder::new()),
            ColType::Time => Self::Time(TimestampMicrosecondBuilder::new()),
        }
    }

    pub fn null(&mut self) {
        match self {
            Self::U32(b) => b.append_null(),
            Self::U64(b) => b.append_null(),
            Self::I64(b) => b.append_null(),
            Self::F64(b) => b.append_null(),
            Self::Bool(b) => b.append_null(),
            Self::Text(b) => b.append_null(),
            Self::Time(b) => b.append_null(),
        }
    }

    pub fn finish(&mut self) -> ArrayRef {
        match self {
            Self::U32(b) => Arc::new(b.finish()),
            Self::U64(b) => Arc::new(b.finish()),
            Self::I64(b) => Arc::new(b.finish()),
            Self::F64(b) => Arc::new(b.finish()),
            Self::Bool(b) => Arc::new(b.finish()),
            Self::Text(b) => Arc::new(b.finish()),
            Self::Time(b) => Arc::new(b.finish()),
        }
    }
}

/// A value that a stored table did not hold as its schema says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column `{column}`, row {row}: {what}")]
pub struct CellError {
    pub column: &'static str,
    pub row: usize,
    pub what: String,
}

/// One value of a column.
pub trait Cell: Sized {
    const TYPE: ColType;
    const NULLABLE: bool = false;
    fn push(&self, to: &mut Builder);
    /// The value at `row`.
    ///
    /// # Errors
    /// What the array holds instead.
    fn read(from: &dyn Array, row: usize) -> Result<Self, String>;
    /// Appends its packed form (see [`super::pack`]).
    fn pack(&self, to: &mut Vec<u8>);
    /// Takes a packed value; `None` where the bytes hold none.
    fn unpack(from: &mut &[u8]) -> Option<Self>;
    /// Moves a packed value into a column.
    fn carry(from: &mut &[u8], to: &mut Builder) -> Option<()>;
    /// Passes over a packed value.
    fn skip(from: &mut &[u8]) -> Option<()> {
        Self::unpack(from).map(|_| ())
    }
}

macro_rules! packed {
    ($ty:ty, $col:ident, |$value:ident, $to:ident| $pack:expr, |$from:ident| $take:expr) => {
        fn pack(&self, $to: &mut Vec<u8>) {
            let $value = self;
            $pack;
        }
        fn unpack($from: &mut &[u8]) -> Option<Self> {
            $take.map(Into::into)
        }
        fn carry($from: &mut &[u8], to: &mut Builder) -> Option<()> {
            let value = $take?;
            if let Builder::$col(b) = to {
                b.append_value(value);
            }
            Some(())
        }
        fn skip($from: &mut &[u8]) -> Option<()> {
            $take.map(|_| ())
        }
    };
}

macro_rules! plain {
    ($ty:ty, $col:ident, $array:ty, |$value:ident, $to:ident| $pack:expr, |$from:ident| $take:expr) => {
        impl Cell for $ty {
            const TYPE: ColType = ColType::$col;
            fn push(&self, to: &mut Builder) {
                if let Builder::$col(b) = to {
                    b.append_value(self.clone());
                }
            }
            fn read(from: &dyn Array, row: usize) -> Result<Self, String> {
                let array = from.as_any().downcast_ref::<$array>().ok_or_else(|| format!("type is {}", from.data_type()))?;
                if array.is_null(row) { Err("null where a value is due".to_owned()) } else { Ok(array.value(row).into()) }
            }
            packed!($ty, $col, |$value, $to| $pack, |$from| $take);
        }
    };
}
plain!(u32, U32, UInt32Array, |v, to| pack::number(u64::from(*v), to), |from| pack::take_number(from).and_then(|n| u32::try_from(n).ok()));
plain!(u64, U64, UInt64Array, |v, to| pack::number(*v, to), |from| pack::take_number(from));
plain!(i64, I64, Int64Array, |v, to| to.extend_from_slice(&v.to_le_bytes()), |from| pack::take_eight(from).map(i64::from_le_bytes));
plain!(f64, F64, Float64Array, |v, to| to.extend_from_slice(&v.to_le_bytes()), |from| pack::take_eight(from).map(f64::from_le_bytes));
plain!(bool, Bool, BooleanArray, |v, to| to.push(u8::from(*v)), |from| pack::take_byte(from).map(|b| b != 0));
plain!(String, Text, StringArray, |v, to| pack::bytes(v.as_bytes(), to), |from| pack::take_text(from));

impl Cell for Time {
    const TYPE: ColType = ColType::Time;
    fn push(&self, to: &mut Builder) {
        if let Builder::Time(b) = to {
            b.append_value(self.micros());
        }
    }
    fn read(from: &dyn Array, row: usize) -> Result<Self, String> {
        let array = from.as_any().downcast_ref::<TimestampMicrosecondArray>().ok_or_else(|| format!("type is {}", from.data_type()))?;
        if array.is_null(row) {
            return Err("null where a value is due".to_owned());
        }
        Self::from_micros(array.value(row)).ok_or_else(|| "instant out of range".to_owned())
    }
    fn pack(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.micros().to_le_bytes());
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Self::from_micros(i64::from_le_bytes(pack::take_eight(from)?))
    }
    fn carry(from: &mut &[u8], to: &mut Builder) -> Option<()> {
        let micros = i64::from_le_bytes(pack::take_eight(from)?);
        if let Builder::Time(b) = to {
            b.append_value(micros);
        }
        Some(())
    }
}

impl<W: Word> Cell for W {
    const TYPE: ColType = ColType::Word(|| W::ALL.iter().map(|w| w.as_str()).collect());
    fn push(&self, to: &mut Builder) {
        if let Builder::Text(b) = to {
            b.append_value(self.as_str());
        }
    }
    fn read(from: &dyn Array, row: usize) -> Result<Self, String> {
        let text = String::read(from, row)?;
        W::parse(&text).ok_or_else(|| format!("`{text}` is not a word of its set"))
    }
    fn pack(&self, to: &mut Vec<u8>) {
        to.push(self.code());
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        W::ALL.get(usize::from(pack::take_byte(from)?)).copied()
    }
    fn carry(from: &mut &[u8], to: &mut Builder) -> Option<()> {
        let word = <W as Cell>::unpack(from)?;
        word.push(to);
        Some(())
    }
}

impl<T: Cell> Cell for Option<T> {
    const TYPE: ColType = T::TYPE;
    const NULLABLE: bool = true;
    fn push(&self, to: &mut Builder) {
        match self {
            Some(v) => v.push(to),
            None => to.null(),
        }
    }
    fn read(from: &dyn Array, row: usize) -> Result<Self, String> {
        if from.is_null(row) { Ok(None) } else { T::read(from, row).map(Some) }
    }
    fn pack(&self, to: &mut Vec<u8>) {
        to.push(u8::from(self.is_some()));
        if let Some(value) = self {
            value.pack(to);
        }
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        if pack::take_byte(from)? == 0 { Some(None) } else { T::unpack(from).map(Some) }
    }
    fn carry(from: &mut &[u8], to: &mut Builder) -> Option<()> {
        if pack::take_byte(from)? == 0 {
            to.null();
            return Some(());
        }
        T::carry(from, to)
    }
    fn skip(from: &mut &[u8]) -> Option<()> {
        if pack::take_byte(from)? == 0 { Some(()) } else { T::skip(from) }
    }
}
