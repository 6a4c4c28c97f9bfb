//! The functions whose meaning polars does not have: checked arithmetic, LIKE, IN with NULL.
//!
//! Every kernel takes a column of the frame first (the *anchor*), so that its result has the frame's height even where all its operands are literals.

use std::collections::BTreeSet;

use polars::prelude::{
    BooleanChunked, ChunkFull, Column, DataType, Expr, Field, Float64Chunked, Int64Chunked, IntoSeries, PolarsError, PolarsResult, Series,
    TimeUnit,
};

use super::ast::ArithOp;
use super::like::Pattern;

/// Begins the message of an error that lies in the data.
pub(super) const VALUE: &str = "value: ";

/// Microseconds of the years 1 to 9999, which every engine holds.
pub(super) const INSTANTS: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

pub(super) fn instant() -> DataType {
    DataType::Datetime(TimeUnit::Microseconds, None)
}

fn value_error(message: &str) -> PolarsError {
    PolarsError::ComputeError(format!("{VALUE}{message}").into())
}

/// A kernel over the operands, one result per row of the frame.
fn kernel<F>(anchor: Expr, operands: &[Expr], to: DataType, function: F) -> Expr
where
    F: Fn(usize, &[Series]) -> PolarsResult<Series> + Send + Sync + 'static,
{
    let dtype = to.clone();
    anchor.map_many(
        move |columns: &mut [Column]| {
            let Some((anchor, operands)) = columns.split_first() else { return Err(value_error("a kernel without operands")) };
            let operands: Vec<Series> = operands.iter().map(|c| c.as_materialized_series().clone()).collect();
            let result = function(anchor.len(), &operands)?;
            Ok(result.cast(&to)?.with_name(anchor.name().clone()).into())
        },
        operands,
        move |_, fields| {
            let name = fields.first().map(|f| f.name().clone()).unwrap_or_default();
            Ok(Field::new(name, dtype.clone()))
        },
    )
}

/// The values of an operand; a literal repeats.
fn repeated<T: Copy>(length: usize, values: Vec<Option<T>>) -> impl Iterator<Item = Option<T>> {
    let single = if values.len() == 1 { values.first().copied() } else { None };
    (0..length).map(move |i| single.unwrap_or_else(|| values.get(i).copied().flatten()))
}

fn integers(length: usize, series: Option<&Series>) -> PolarsResult<impl Iterator<Item = Option<i64>> + use<>> {
    let Some(series) = series else { return Err(value_error("a kernel without operands")) };
    let physical = series.to_physical_repr();
    let values: Vec<Option<i64>> = physical.i64()?.iter().collect();
    Ok(repeated(length, values))
}

fn doubles(length: usize, series: Option<&Series>) -> PolarsResult<impl Iterator<Item = Option<f64>> + use<>> {
    let Some(series) = series else { return Err(value_error("a kernel without operands")) };
    let values: Vec<Option<f64>> = series.f64()?.iter().collect();
    Ok(repeated(length, values))
}

fn both<T, U>(a: Option<T>, b: Option<T>, f: impl Fn(T, T) -> PolarsResult<U>) -> PolarsResult<Option<U>> {
    match (a, b) {
        (Some(a), Some(b)) => f(a, b).map(Some),
        _ => Ok(None),
    }
}

/// `a op b` on 64-bit integers.
pub(super) fn integer_arith(anchor: Expr, op: ArithOp, a: Expr, b: Expr) -> Expr {
    kernel(anchor, &[a, b], DataType::Int64, move |length, operands| {
        let pairs = integers(length, operands.first())?.zip(integers(length, operands.get(1))?);
        let rows = pairs.map(|(a, b)| both(a, b, |a, b| checked(op, a, b)));
        Ok(rows.collect::<PolarsResult<Int64Chunked>>()?.into_series())
    })
}

fn checked(op: ArithOp, a: i64, b: i64) -> PolarsResult<i64> {
    let (result, sign) = match op {
        ArithOp::Add => (a.checked_add(b), '+'),
        ArithOp::Sub => (a.checked_sub(b), '-'),
        ArithOp::Mul => (a.checked_mul(b), '*'),
        ArithOp::Div => (None, '/'),
    };
    result.ok_or_else(|| value_error(&format!("{a} {sign} {b} is beyond BIGINT")))
}

/// `a op b` on doubles.
pub(super) fn double_arith(anchor: Expr, op: ArithOp, a: Expr, b: Expr) -> Expr {
    kernel(anchor, &[a, b], DataType::Float64, move |length, operands| {
        let pairs = doubles(length, operands.first())?.zip(doubles(length, operands.get(1))?);
        let rows = pairs.map(|(a, b)| both(a, b, |a, b| finite(op, a, b)));
        Ok(rows.collect::<PolarsResult<Float64Chunked>>()?.into_series())
    })
}

fn finite(op: ArithOp, a: f64, b: f64) -> PolarsResult<f64> {
    let (result, sign) = match op {
        ArithOp::Add => (a + b, '+'),
        ArithOp::Sub => (a - b, '-'),
        ArithOp::Mul => (a * b, '*'),
        ArithOp::Div => (a / b, '/'),
    };
    if result.is_finite() { Ok(result) } else { Err(value_error(&format!("{a:e} {sign} {b:e} is not a finite number"))) }
}

/// An instant moved by an interval, both in microseconds.
pub(super) fn shift(anchor: Expr, op: ArithOp, instant_: Expr, micros: i64) -> Expr {
    let by = if op == ArithOp::Sub { -micros } else { micros };
    kernel(anchor, &[instant_], instant(), move |length, operands| {
        let rows = integers(length, operands.first())?.map(|at| match at {
            None => Ok(None),
            Some(at) => match at.checked_add(by).filter(|to| INSTANTS.contains(to)) {
                Some(to) => Ok(Some(to)),
                None => Err(value_error("an instant outside the years 1 to 9999")),
            },
        });
        Ok(rows.collect::<PolarsResult<Int64Chunked>>()?.into_series())
    })
}

/// The microseconds from `b` to `a`.
pub(super) fn difference(anchor: Expr, a: Expr, b: Expr) -> Expr {
    integer_arith(anchor, ArithOp::Sub, a, b)
}

/// Whether the whole text fits the pattern.
pub(super) fn like(anchor: Expr, text: Expr, pattern: Pattern) -> Expr {
    kernel(anchor, &[text], DataType::Boolean, move |length, operands| {
        let Some(series) = operands.first() else { return Err(value_error("LIKE without a text")) };
        let values: Vec<Option<bool>> = series.str()?.iter().map(|text| text.map(|t| pattern.matches(t))).collect();
        Ok(repeated(length, values).collect::<BooleanChunked>().into_series())
    })
}

/// The members of an IN list.
pub(super) enum Members {
    /// Integers, instants and intervals.
    Integers(BTreeSet<i64>),
    Doubles(Vec<f64>),
    Texts(BTreeSet<String>),
}

/// `value IN (members)`; with NULL among the members nothing is surely absent.
pub(super) fn is_in(anchor: Expr, value: Expr, members: Members, null: bool) -> Expr {
    kernel(anchor, &[value], DataType::Boolean, move |length, operands| {
        let Some(series) = operands.first() else { return Err(value_error("IN without a value")) };
        let answer = |found: bool| {
            if found {
                Some(true)
            } else if null {
                None
            } else {
                Some(false)
            }
        };
        let values: Vec<Option<bool>> = match &members {
            Members::Integers(set) => series.to_physical_repr().i64()?.iter().map(|v| v.and_then(|v| answer(set.contains(&v)))).collect(),
            Members::Texts(set) => series.str()?.iter().map(|v| v.and_then(|v| answer(set.contains(v)))).collect(),
            Members::Doubles(list) => series.f64()?.iter().map(|v| v.and_then(|v| answer(list.contains(&v)))).collect(),
        };
        Ok(repeated(length, values).collect::<BooleanChunked>().into_series())
    })
}

/// The upper or lower half of an integer, each summed without overflow: value = upper · 2³² + lower.
pub(super) fn half(anchor: Expr, value: Expr, upper: bool) -> Expr {
    kernel(anchor, &[value], DataType::Int64, move |length, operands| {
        let halves = integers(length, operands.first())?.map(|v| v.map(|v| if upper { v >> 32 } else { v & 0xffff_ffff }));
        Ok(halves.collect::<Int64Chunked>().into_series())
    })
}

/// The sum from the sums of its halves; NULL where nothing was summed.
pub(super) fn whole_sum(anchor: Expr, upper: Expr, lower: Expr, count: Expr) -> Expr {
    kernel(anchor, &[upper, lower, count], DataType::Int64, |length, operands| {
        let halves = integers(length, operands.first())?.zip(integers(length, operands.get(1))?);
        let rows = halves.zip(integers(length, operands.get(2))?).map(|((upper, lower), count)| match (upper, lower, count) {
            (Some(upper), Some(lower), Some(1..)) => {
                let sum = i128::from(upper) * (1 << 32) + i128::from(lower);
                i64::try_from(sum).map(Some).map_err(|_| value_error("SUM is beyond BIGINT"))
            }
            _ => Ok(None),
        });
        Ok(rows.collect::<PolarsResult<Int64Chunked>>()?.into_series())
    })
}

/// A sum of doubles; NULL where nothing was summed.
pub(super) fn double_sum(anchor: Expr, sum: Expr, count: Expr) -> Expr {
    kernel(anchor, &[sum, count], DataType::Float64, |length, operands| {
        let rows = doubles(length, operands.first())?.zip(integers(length, operands.get(1))?).map(|(sum, count)| match (sum, count) {
            (Some(sum), Some(1..)) if !sum.is_finite() => Err(value_error("SUM is not a finite number")),
            (Some(sum), Some(1..)) => Ok(Some(sum)),
            _ => Ok(None),
        });
        Ok(rows.collect::<PolarsResult<Float64Chunked>>()?.into_series())
    })
}

/// The value of every row, where polars gives one value for all rows: of literals alone, and of columns that it holds as one value
/// (`'3' = x` over the NULLs of a LEFT JOIN without partners has length 1 in polars 0.55).
pub(super) fn spread(anchor: Expr, value: Expr, to: DataType) -> Expr {
    kernel(anchor, &[value], to, |length, operands| match operands.first() {
        Some(series) if series.len() == length => Ok(series.clone()),
        Some(series) if length == 0 => Ok(series.clear()),
        Some(series) if series.len() == 1 => Ok(series.new_from_index(0, length)),
        _ => Err(PolarsError::ShapeMismatch("an expression has neither one value nor one per row".into())),
    })
}

/// A column of `length` numbers, all 1: what windows without a partition are partitioned by.
pub(super) fn ones(anchor: Expr) -> Expr {
    kernel(anchor, &[], DataType::Int64, |length, _| Ok(Int64Chunked::full("".into(), 1, length).into_series()))
}
