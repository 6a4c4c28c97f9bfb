//! What a query computes: relations over columns with numbers instead of names, and typed scalars.

use std::collections::BTreeSet;

use super::ast::{ArithOp, CompareOp, WindowFunc};
use super::diagnostic::Pos;
use super::like::Pattern;
use super::types::Type;

/// A column of a relation, unique in a plan.
pub(super) type ColId = u32;

/// The type of an expression: those of columns, and those that only a literal or a difference has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ty {
    Bigint,
    /// An integer literal or a CASE of such: 32 bits in other engines.
    Small,
    U32,
    U64,
    Double,
    /// A literal like `0.5`: DECIMAL in other engines.
    Decimal,
    Boolean,
    Text,
    Timestamp,
    /// An INTERVAL literal or the difference of two instants.
    Interval,
    /// A bare NULL.
    Null,
}

impl Ty {
    pub fn is_integer(self) -> bool {
        matches!(self, Self::Bigint | Self::Small | Self::U32 | Self::U64)
    }

    pub fn is_unsigned(self) -> bool {
        matches!(self, Self::U32 | Self::U64)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "an integer literal",
            Self::Decimal => "a decimal literal",
            Self::Interval => "INTERVAL",
            Self::Null => "NULL",
            Self::Bigint => Type::Bigint.name(),
            Self::U32 => Type::U32.name(),
            Self::U64 => Type::U64.name(),
            Self::Double => Type::Double.name(),
            Self::Boolean => Type::Boolean.name(),
            Self::Text => Type::Text.name(),
            Self::Timestamp => Type::Timestamp.name(),
        }
    }

    /// The type of an output column; `None`: no column has it.
    pub fn column(self) -> Option<Type> {
        match self {
            Self::Bigint | Self::Small => Some(Type::Bigint),
            Self::U32 => Some(Type::U32),
            Self::U64 => Some(Type::U64),
            Self::Double => Some(Type::Double),
            Self::Boolean => Some(Type::Boolean),
            Self::Text => Some(Type::Text),
            Self::Timestamp => Some(Type::Timestamp),
            Self::Decimal | Self::Interval | Self::Null => None,
        }
    }
}

impl From<Type> for Ty {
    fn from(ty: Type) -> Self {
        match ty {
            Type::Bigint => Self::Bigint,
            Type::U32 => Self::U32,
            Type::U64 => Self::U64,
            Type::Double => Self::Double,
            Type::Boolean => Self::Boolean,
            Type::Text => Self::Text,
            Type::Timestamp => Self::Timestamp,
        }
    }
}

/// A named column of a relation.
#[derive(Clone, Debug)]
pub(super) struct Col {
    pub id: ColId,
    pub name: String,
    pub ty: Ty,
    pub nullable: bool,
}

/// An expression over the columns of one row.
#[derive(Clone, Debug)]
pub(super) struct Scalar {
    pub op: Op,
    pub ty: Ty,
    pub nullable: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Op {
    Column(ColId),
    Int(i64),
    Double(f64),
    Text(String),
    Bool(bool),
    /// Microseconds since the epoch, or of an interval.
    Micros(i64),
    Null,
    And(Vec<Scalar>),
    Or(Vec<Scalar>),
    Not(Box<Scalar>),
    Compare(CompareOp, Box<Scalar>, Box<Scalar>),
    /// On BIGINT and DOUBLE, by the type of the result; on an instant and an interval; on two instants.
    Arith(ArithOp, Box<Scalar>, Box<Scalar>),
    Negate(Box<Scalar>),
    Concat(Vec<Scalar>),
    IsNull(Box<Scalar>),
    IsTrue(Box<Scalar>),
    IsFalse(Box<Scalar>),
    /// Literals of one type; whether NULL was among them.
    In(Box<Scalar>, Vec<Scalar>, bool),
    Like(Box<Scalar>, Pattern),
    Case(Vec<(Scalar, Scalar)>, Box<Scalar>),
    Coalesce(Vec<Scalar>),
    Nullif(Box<Scalar>, Box<Scalar>),
    /// To the type of the scalar.
    Cast(Box<Scalar>),
}

impl Scalar {
    pub fn column(col: &Col) -> Self {
        Self { op: Op::Column(col.id), ty: col.ty, nullable: col.nullable }
    }

    pub fn boolean(op: Op, nullable: bool) -> Self {
        Self { op, ty: Ty::Boolean, nullable }
    }

    pub fn null(ty: Ty) -> Self {
        Self { op: Op::Null, ty, nullable: true }
    }

    /// Adds the columns that it reads.
    pub fn columns(&self, to: &mut BTreeSet<ColId>) {
        match &self.op {
            Op::Column(id) => {
                to.insert(*id);
            }
            Op::Int(_) | Op::Double(_) | Op::Text(_) | Op::Bool(_) | Op::Micros(_) | Op::Null => {}
            Op::And(parts) | Op::Or(parts) | Op::Concat(parts) | Op::Coalesce(parts) => parts.iter().for_each(|p| p.columns(to)),
            Op::Not(a) | Op::Negate(a) | Op::IsNull(a) | Op::IsTrue(a) | Op::IsFalse(a) | Op::Cast(a) | Op::In(a, ..) | Op::Like(a, _) => {
                a.columns(to)
            }
            Op::Compare(_, a, b) | Op::Arith(_, a, b) | Op::Nullif(a, b) => {
                a.columns(to);
                b.columns(to);
            }
            Op::Case(arms, otherwise) => {
                for (condition, result) in arms {
                    condition.columns(to);
                    result.columns(to);
                }
                otherwise.columns(to);
            }
        }
    }
}

/// What an aggregate or a window counts.
#[derive(Clone, Debug)]
pub(super) enum Measure {
    CountRows,
    Count(Scalar),
    CountDistinct(Scalar),
    Sum(Scalar),
    Min(Scalar),
    Max(Scalar),
}

/// One aggregate of a GROUP BY.
#[derive(Clone, Debug)]
pub(super) struct Aggregate {
    pub id: ColId,
    pub measure: Measure,
    pub filter: Option<Scalar>,
}

/// A sort key.
#[derive(Clone, Copy, Debug)]
pub(super) struct SortKey {
    pub id: ColId,
    pub descending: bool,
    pub nulls_first: bool,
}

/// One window function.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub id: ColId,
    pub func: WindowFunc,
    pub arg: Option<Scalar>,
    pub partition: Vec<ColId>,
    pub order: Vec<SortKey>,
    pub pos: Pos,
}

/// A column read from a view.
#[derive(Clone, Debug)]
pub(super) struct ScanColumn {
    pub id: ColId,
    pub name: String,
    pub ty: Type,
}

/// A relation.
#[derive(Debug)]
pub(super) enum Rel {
    Scan {
        view: String,
        columns: Vec<ScanColumn>,
        /// The columns that name the account, if the view is partitioned by account.
        account: Option<(ColId, ColId)>,
    },
    /// A CTE: its number, and (column here, column there).
    Shared {
        cte: usize,
        columns: Vec<(ColId, ColId)>,
    },
    Join {
        left: Box<Rel>,
        right: Box<Rel>,
        outer: bool,
        keys: Vec<(ColId, ColId)>,
        residual: Vec<Scalar>,
        pos: Pos,
    },
    /// Keeps the rows for which every term is true.
    Filter {
        input: Box<Rel>,
        terms: Vec<Scalar>,
    },
    /// Keeps the rows of `input` that have (or, negated, lack) a partner; keys are (outer, inner).
    Exists {
        input: Box<Rel>,
        inner: Box<Rel>,
        negated: bool,
        keys: Vec<(ColId, ColId)>,
        pos: Pos,
    },
    /// Groups are (column here, column of the input).
    Aggregate {
        input: Box<Rel>,
        groups: Vec<(ColId, ColId)>,
        aggregates: Vec<Aggregate>,
        pos: Pos,
    },
    Window {
        input: Box<Rel>,
        windows: Vec<Window>,
    },
    Project {
        input: Box<Rel>,
        items: Vec<(ColId, Scalar)>,
    },
    Distinct {
        input: Box<Rel>,
        columns: Vec<ColId>,
        pos: Pos,
    },
    /// Every input with its columns in the order of `ids`.
    Union {
        inputs: Vec<(Rel, Vec<ColId>)>,
        ids: Vec<ColId>,
        pos: Pos,
    },
    Sort {
        input: Box<Rel>,
        order: Vec<SortKey>,
        limit: Option<u32>,
        pos: Pos,
    },
}

/// A CTE, computed once if several places read it.
#[derive(Debug)]
pub(super) struct SharedRel {
    pub rel: Rel,
    pub columns: Vec<ColId>,
    pub uses: usize,
}

/// A whole query.
#[derive(Debug)]
pub(super) struct Plan {
    pub ctes: Vec<SharedRel>,
    pub rel: Rel,
    pub outputs: Vec<Col>,
}
