//! Types, views and parameters of the check language.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, TimeUnit};

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    /// Signed, 64 bits.
    Bigint,
    /// Unsigned, 32 bits: ordinals. Enters arithmetic through `CAST(x AS BIGINT)` only.
    U32,
    /// Unsigned, 64 bits: counts, lines. Values above the range of `Bigint` are an error when read.
    U64,
    /// Floating, 64 bits.
    Double,
    Boolean,
    /// UTF-8, compared by bytes.
    Text,
    /// Microseconds since the epoch, UTC, no zone.
    Timestamp,
}

impl Type {
    /// The type in which the embedded engine holds a column.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Bigint => DataType::Int64,
            Self::U32 => DataType::UInt32,
            Self::U64 => DataType::UInt64,
            Self::Double => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Text => DataType::Utf8,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        }
    }
}

impl Type {
    /// Its name in messages and in `CAST`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bigint => "BIGINT",
            Self::U32 => "UINTEGER",
            Self::U64 => "UBIGINT",
            Self::Double => "DOUBLE",
            Self::Boolean => "BOOLEAN",
            Self::Text => "STRING",
            Self::Timestamp => "TIMESTAMP",
        }
    }
}

/// One column of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewColumn {
    pub name: String,
    pub ty: Type,
    pub nullable: bool,
}

/// A table that queries may read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    pub columns: Vec<ViewColumn>,
    /// Columns that together name a row; empty: rows have no name.
    pub key: Vec<String>,
    /// Rows are spread over partitions of whole accounts, keyed by [`ACCOUNT_KEY`].
    pub partitioned: bool,
}

/// The columns that name an account in every partitioned view.
pub const ACCOUNT_KEY: [&str; 2] = ["system_ix", "account_ix"];

impl View {
    /// A view with columns `(name, type, nullable)`.
    pub fn new(columns: &[(&str, Type, bool)]) -> Self {
        let columns = columns.iter().map(|(name, ty, nullable)| ViewColumn { name: (*name).to_owned(), ty: *ty, nullable: *nullable });
        Self { columns: columns.collect(), key: Vec::new(), partitioned: false }
    }

    /// With these columns as its key.
    #[must_use]
    pub fn keyed(mut self, key: &[&str]) -> Self {
        self.key = key.iter().map(|k| (*k).to_owned()).collect();
        self
    }

    /// Spread over partitions of whole accounts.
    #[must_use]
    pub fn partitioned(mut self) -> Self {
        self.partitioned = true;
        self
    }
}

/// Every view that a query may name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    pub views: BTreeMap<String, View>,
}

/// The value of a parameter `:name`, and of a literal in the text.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    Integer(i64),
    Double(f64),
    Text(String),
    Boolean(bool),
    /// Microseconds since the epoch.
    Timestamp(i64),
    /// An interval of whole days.
    Days(u32),
    /// An interval of whole hours.
    Hours(u32),
}
