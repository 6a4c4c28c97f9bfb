//! How one Rust type stands in one Arrow column.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, BooleanBuilder, Float64Array, Float64Builder, Int64Array, Int64Builder, StringArray, StringBuilder,
    TimestampMicrosecondArray, TimestampMicrosecondBuilder, UInt32Array, UInt32Builder, UInt64Array, UInt64Builder,
};
use arrow::datatypes::{DataType, TimeUnit};

use super::facts::Word;
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
}

macro_rules! plain {
    ($ty:ty, $col:ident, $array:ty) => {
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
        }
    };
}
plain!(u32, U32, UInt32Array);
plain!(u64, U64, UInt64Array);
plain!(i64, I64, Int64Array);
plain!(f64, F64, Float64Array);
plain!(bool, Bool, BooleanArray);
plain!(String, Text, StringArray);

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
}
