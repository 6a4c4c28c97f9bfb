//! The syntax of the check language, after everything else was refused.

use super::diagnostic::Pos;
use super::types::{Literal, Type};

/// A name in the text.
#[derive(Clone, Debug)]
pub struct Name {
    pub pos: Pos,
    pub text: String,
}

/// A whole query.
#[derive(Debug)]
pub struct Statement {
    pub ctes: Vec<Cte>,
    pub body: Body,
    pub order: Vec<OrderItem>,
    pub limit: Option<u32>,
}

/// One `name AS (...)` of `WITH`.
#[derive(Debug)]
pub struct Cte {
    pub name: Name,
    pub body: Body,
}

/// SELECTs joined by UNION ALL; at least one.
#[derive(Debug)]
pub struct Body {
    pub arms: Vec<Select>,
}

#[derive(Debug)]
pub struct Select {
    pub pos: Pos,
    pub distinct: bool,
    pub items: Vec<Item>,
    pub from: Source,
    pub joins: Vec<Join>,
    pub filter: Option<Expr>,
    pub group: Vec<ColumnName>,
    pub having: Option<Expr>,
}

/// One output of a SELECT.
#[derive(Debug)]
pub enum Item {
    Expr {
        expr: Expr,
        alias: Option<Name>,
    },
    /// `*`, or `alias.*`; only where a person asks.
    All {
        pos: Pos,
        of: Option<String>,
    },
}

/// A view, a CTE or a derived table under its alias.
#[derive(Debug)]
pub struct Source {
    pub alias: Name,
    pub kind: SourceKind,
}

#[derive(Debug)]
pub enum SourceKind {
    Named(Name),
    Derived(Box<Body>),
}

#[derive(Debug)]
pub struct Join {
    pub pos: Pos,
    pub left: bool,
    pub source: Source,
    pub on: Expr,
}

/// `name` or `table.name`.
#[derive(Clone, Debug)]
pub struct ColumnName {
    pub pos: Pos,
    pub table: Option<String>,
    pub name: String,
}

/// `ORDER BY` of a window.
#[derive(Clone, Debug)]
pub struct OrderItem {
    pub column: ColumnName,
    pub descending: bool,
    /// `None`: not said.
    pub nulls_first: Option<bool>,
}

#[derive(Debug)]
pub struct Expr {
    pub pos: Pos,
    pub kind: ExprKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompareOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArithOp {
    Add,
    Sub,
    Mul,
    Div,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateFunc {
    Count,
    Sum,
    Min,
    Max,
}

/// A function over a window; `RowNumber` alone is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowFunc {
    RowNumber,
    Count,
    Min,
    Max,
}

#[derive(Debug)]
pub enum ExprKind {
    Column(ColumnName),
    Literal(Literal),
    /// A literal with a decimal point and no exponent: other engines read it as DECIMAL.
    Decimal(f64),
    Null,
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Compare(CompareOp, Box<Expr>, Box<Expr>),
    Arith(ArithOp, Box<Expr>, Box<Expr>),
    Negate(Box<Expr>),
    Concat(Vec<Expr>),
    IsNull(Box<Expr>, /* negated */ bool),
    /// `IS [NOT] TRUE|FALSE`.
    IsBoolean {
        expr: Box<Expr>,
        value: bool,
        negated: bool,
    },
    In {
        expr: Box<Expr>,
        list: Vec<Expr>,
        negated: bool,
    },
    Between {
        expr: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
        negated: bool,
    },
    Like {
        expr: Box<Expr>,
        pattern: String,
        negated: bool,
    },
    /// `arms` are (condition or value to compare with `operand`, result).
    Case {
        operand: Option<Box<Expr>>,
        arms: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Coalesce(Vec<Expr>),
    Nullif(Box<Expr>, Box<Expr>),
    Cast(Box<Expr>, Type),
    /// `arg` is `None` for `COUNT(*)`.
    Aggregate {
        func: AggregateFunc,
        arg: Option<Box<Expr>>,
        distinct: bool,
        filter: Option<Box<Expr>>,
    },
    Window {
        func: WindowFunc,
        arg: Option<Box<Expr>>,
        partition: Vec<ColumnName>,
        order: Vec<OrderItem>,
    },
    Exists {
        select: Box<Select>,
        negated: bool,
    },
}
