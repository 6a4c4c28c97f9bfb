//! Operations over columns, row by row. What fails in any row fails: polars decides then.

use arrow::array::{StringArray, StringBuilder};
use arrow::buffer::BooleanBuffer;

use super::bits::{self, Tri, pack, pack2};
use super::choose::choose;
use super::column::{Codes, Kind, Lit, Numbers, Text, Value, failed};
use super::node::Scalar;
use crate::sql::SqlError;
use crate::sql::ast::{ArithOp, CompareOp};
use crate::sql::kernels::INSTANTS;

type Computed<T> = Result<T, SqlError>;

/// An operand with its kind.
pub(super) struct Operand {
    pub value: Value,
    pub kind: Kind,
}

impl Operand {
    /// A constant in every row.
    fn spread(&self, rows: usize) -> Value {
        match &self.value {
            Value::Const(lit) => Value::full(lit, self.kind, rows),
            other => other.clone(),
        }
    }

    fn truth(&self, rows: usize) -> Computed<Tri> {
        self.spread(rows).truth().cloned()
    }
}

fn beyond(what: &str) -> SqlError {
    SqlError::Value(what.to_owned())
}

/// The operation over `rows` rows.
///
/// # Errors
/// `SqlError::Value` where a value fails in some row.
pub(super) fn apply(op: &Scalar, args: &[Operand], kind: Kind, rows: usize) -> Computed<Value> {
    match (op, args) {
        (Scalar::And, [first, rest @ ..]) => {
            rest.iter().try_fold(first.truth(rows)?, |all, next| Ok(all.and(&next.truth(rows)?))).map(Value::Truth)
        }
        (Scalar::Or, [first, rest @ ..]) => {
            rest.iter().try_fold(first.truth(rows)?, |any, next| Ok(any.or(&next.truth(rows)?))).map(Value::Truth)
        }
        (Scalar::Not, [a]) => Ok(Value::Truth(a.truth(rows)?.not())),
        (Scalar::IsNull, [a]) => {
            let null = a.spread(rows).not_null().map_or_else(|| BooleanBuffer::new_unset(rows), |valid| !&valid);
            Ok(Value::Truth(Tri::sure(null)))
        }
        (Scalar::IsTrue, [a]) => Ok(Value::Truth(Tri::sure(a.truth(rows)?.yes))),
        (Scalar::IsFalse, [a]) => Ok(Value::Truth(Tri::sure(a.truth(rows)?.no()))),
        (Scalar::Compare(op), [a, b]) => compare(*op, a, b, rows).map(Value::Truth),
        (Scalar::Integer(op), [a, b]) => integers(*op, &a.spread(rows).wide()?, &b.spread(rows).wide()?).map(Value::I64),
        (Scalar::NegateInteger, [a]) => integers(ArithOp::Sub, &Numbers::new(vec![0; rows], None), &a.spread(rows).wide()?).map(Value::I64),
        (Scalar::Double(op), [a, b]) => doubles(*op, a.spread(rows).doubles()?, b.spread(rows).doubles()?).map(Value::F64),
        (Scalar::NegateDouble, [a]) => {
            doubles(ArithOp::Sub, &Numbers::new(vec![-0.0; rows], None), a.spread(rows).doubles()?).map(Value::F64)
        }
        (Scalar::Shift(by), [a]) => shift(&a.spread(rows).wide()?, *by).map(Value::I64),
        (Scalar::Concat, _) => concat(args, rows),
        (Scalar::In(members, null), [a]) => is_in(&a.spread(rows), members, *null).map(Value::Truth),
        (Scalar::Like(pattern), [a]) => Ok(Value::Truth(a.spread(rows).text()?.test(|t| pattern.matches(t)))),
        (Scalar::Case, [arms @ .., otherwise]) => {
            let (mut conditions, mut values) = (Vec::new(), Vec::new());
            for arm in arms.chunks(2) {
                let [condition, result] = arm else { return Err(failed("a CASE without a result")) };
                conditions.push(condition.truth(rows)?.yes);
                values.push(result.value.clone());
            }
            values.push(otherwise.value.clone());
            choose(&conditions, &values, kind, rows)
        }
        (Scalar::Coalesce, _) => {
            let (mut conditions, mut values) = (Vec::new(), Vec::new());
            for arg in args {
                let value = arg.spread(rows);
                let Some(valid) = value.not_null() else {
                    values.push(arg.value.clone());
                    return choose(&conditions, &values, kind, rows);
                };
                conditions.push(valid);
                values.push(value);
            }
            // The last one stands also where it is NULL.
            conditions.pop();
            choose(&conditions, &values, kind, rows)
        }
        (Scalar::Nullif, [a, b]) => {
            let equal = compare(CompareOp::Eq, a, b, rows)?;
            Ok(a.spread(rows).masked(&!&equal.yes))
        }
        (Scalar::ToText, [a]) => to_text(&a.spread(rows)),
        (Scalar::ToDouble, [a]) => {
            let wide = a.spread(rows).wide()?;
            #[expect(clippy::cast_precision_loss, reason = "CAST rounds to the nearest double")]
            let values = wide.values.iter().map(|v| *v as f64).collect();
            Ok(Value::F64(Numbers::new(values, wide.valid)))
        }
        (Scalar::ToInteger, [a]) => {
            let tri = a.truth(rows)?;
            Ok(Value::I64(Numbers::new(tri.yes.iter().map(i64::from).collect(), tri.not_null())))
        }
        _ => Err(failed("an operation with other operands")),
    }
}

fn flipped(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Eq | CompareOp::Ne => op,
        CompareOp::Lt => CompareOp::Gt,
        CompareOp::Le => CompareOp::Ge,
        CompareOp::Gt => CompareOp::Lt,
        CompareOp::Ge => CompareOp::Le,
    }
}

fn holds<T: PartialOrd + ?Sized>(op: CompareOp, a: &T, b: &T) -> bool {
    match op {
        CompareOp::Eq => a == b,
        CompareOp::Ne => a != b,
        CompareOp::Lt => a < b,
        CompareOp::Le => a <= b,
        CompareOp::Gt => a > b,
        CompareOp::Ge => a >= b,
    }
}

fn one<T: PartialOrd + Copy>(op: CompareOp, a: &[T], b: T) -> BooleanBuffer {
    match op {
        CompareOp::Eq => pack(a, |a| a == b),
        CompareOp::Ne => pack(a, |a| a != b),
        CompareOp::Lt => pack(a, |a| a < b),
        CompareOp::Le => pack(a, |a| a <= b),
        CompareOp::Gt => pack(a, |a| a > b),
        CompareOp::Ge => pack(a, |a| a >= b),
    }
}

fn pairs<T: PartialOrd + Copy>(op: CompareOp, a: &[T], b: &[T]) -> BooleanBuffer {
    match op {
        CompareOp::Eq => pack2(a, b, |a, b| a == b),
        CompareOp::Ne => pack2(a, b, |a, b| a != b),
        CompareOp::Lt => pack2(a, b, |a, b| a < b),
        CompareOp::Le => pack2(a, b, |a, b| a <= b),
        CompareOp::Gt => pack2(a, b, |a, b| a > b),
        CompareOp::Ge => pack2(a, b, |a, b| a >= b),
    }
}

fn compare(op: CompareOp, a: &Operand, b: &Operand, rows: usize) -> Computed<Tri> {
    match (&a.value, &b.value) {
        (Value::Const(_), Value::Const(_)) => with_literal(op, &a.spread(rows), &b.value, rows),
        (value, literal @ Value::Const(_)) => with_literal(op, value, literal, rows),
        (literal @ Value::Const(_), value) => with_literal(flipped(op), value, literal, rows),
        (a, b) => of_columns(op, a, b),
    }
}

fn with_literal(op: CompareOp, value: &Value, literal: &Value, rows: usize) -> Computed<Tri> {
    let Value::Const(lit) = literal else { return Err(failed("a literal is due")) };
    Ok(match (value, lit) {
        (_, Lit::Null) => Tri::full(None, rows),
        (Value::Text(text), Lit::Text(other)) => text.test(|t| holds(op, t, other.as_ref())),
        (Value::I64(n), Lit::Int(other)) => Tri::valid(one(op, &n.values, *other), n.valid.as_ref()),
        (Value::U32(n), Lit::Int(other)) => {
            let yes = match u32::try_from(*other) {
                Ok(other) => one(op, &n.values, other),
                // Every value is on the same side of it.
                Err(_) if holds(op, &0, other) => BooleanBuffer::new_set(n.values.len()),
                Err(_) => BooleanBuffer::new_unset(n.values.len()),
            };
            Tri::valid(yes, n.valid.as_ref())
        }
        (Value::F64(n), Lit::Double(other)) => Tri::valid(one(op, &n.values, f64::from_bits(*other)), n.valid.as_ref()),
        (Value::Truth(tri), Lit::Bool(other)) => match (op, other) {
            (CompareOp::Eq, true) | (CompareOp::Ne, false) => tri.clone(),
            (CompareOp::Eq, false) | (CompareOp::Ne, true) => tri.not(),
            _ => return Err(failed("an order of booleans")),
        },
        _ => return Err(failed("a comparison of two types")),
    })
}

fn of_columns(op: CompareOp, a: &Value, b: &Value) -> Computed<Tri> {
    let valid = bits::and(a.not_null().as_ref(), b.not_null().as_ref());
    let yes = match (a, b) {
        (Value::U32(a), Value::U32(b)) => pairs(op, &a.values, &b.values),
        (Value::I64(a), Value::I64(b)) => pairs(op, &a.values, &b.values),
        (Value::F64(a), Value::F64(b)) => pairs(op, &a.values, &b.values),
        (Value::U32(_) | Value::I64(_), Value::U32(_) | Value::I64(_)) => pairs(op, &a.wide()?.values, &b.wide()?.values),
        (Value::Text(a), Value::Text(b)) => BooleanBuffer::collect_bool(a.len(), |row| match (a.get(row), b.get(row)) {
            (Some(a), Some(b)) => holds(op, a, b),
            _ => false,
        }),
        (Value::Truth(a), Value::Truth(b)) => {
            let equal = &(&a.yes & &b.yes) | &(&a.no() & &b.no());
            match op {
                CompareOp::Eq => equal,
                CompareOp::Ne => !&equal,
                _ => return Err(failed("an order of booleans")),
            }
        }
        _ => return Err(failed("a comparison of two types")),
    };
    Ok(Tri::valid(yes, valid.as_ref()))
}

/// Whether some row that counts does something.
fn some_row(rows: usize, valid: Option<&BooleanBuffer>, does: impl Fn(usize) -> bool) -> bool {
    (0..rows).any(|row| does(row) && valid.is_none_or(|v| bits::bit(v, row)))
}

fn integers(op: ArithOp, a: &Numbers<i64>, b: &Numbers<i64>) -> Computed<Numbers<i64>> {
    match op {
        ArithOp::Add => checked(a, b, i64::overflowing_add),
        ArithOp::Sub => checked(a, b, i64::overflowing_sub),
        ArithOp::Mul => checked(a, b, i64::overflowing_mul),
        ArithOp::Div => Err(failed("a division of integers")),
    }
}

/// Generic, so that each operation is a loop of its own.
fn checked(a: &Numbers<i64>, b: &Numbers<i64>, f: impl Fn(i64, i64) -> (i64, bool)) -> Computed<Numbers<i64>> {
    let valid = bits::and(a.valid.as_ref(), b.valid.as_ref());
    let mut overflows = false;
    let row = |(a, b): (&i64, &i64)| {
        let (value, over) = f(*a, *b);
        overflows |= over;
        value
    };
    let values: Vec<i64> = a.values.iter().zip(b.values.iter()).map(row).collect();
    let over = |row: usize| a.values.get(row).zip(b.values.get(row)).is_some_and(|(a, b)| f(*a, *b).1);
    if overflows && some_row(values.len(), valid.as_ref(), over) {
        return Err(beyond("beyond BIGINT"));
    }
    Ok(Numbers::new(values, valid))
}

fn doubles(op: ArithOp, a: &Numbers<f64>, b: &Numbers<f64>) -> Computed<Numbers<f64>> {
    let f: fn(f64, f64) -> f64 = match op {
        ArithOp::Add => |a, b| a + b,
        ArithOp::Sub => |a, b| a - b,
        ArithOp::Mul => |a, b| a * b,
        ArithOp::Div => |a, b| a / b,
    };
    let valid = bits::and(a.valid.as_ref(), b.valid.as_ref());
    let mut values: Vec<f64> = a.values.iter().zip(b.values.iter()).map(|(a, b)| f(*a, *b)).collect();
    if some_row(values.len(), valid.as_ref(), |row| values.get(row).is_some_and(|v| !v.is_finite())) {
        return Err(beyond("not a finite number"));
    }
    // Rows that are NULL may hold anything, but no NaN.
    values.iter_mut().filter(|v| v.is_nan()).for_each(|v| *v = 0.0);
    Ok(Numbers::new(values, valid))
}

fn shift(a: &Numbers<i64>, by: i64) -> Computed<Numbers<i64>> {
    let values: Vec<i64> = a.values.iter().map(|v| v.saturating_add(by)).collect();
    if some_row(values.len(), a.valid.as_ref(), |row| values.get(row).is_some_and(|v| !INSTANTS.contains(v))) {
        return Err(beyond("an instant outside the years 1 to 9999"));
    }
    Ok(Numbers::new(values, a.valid.clone()))
}

fn is_in(value: &Value, members: &[Lit], null: bool) -> Computed<Tri> {
    let integers: Vec<i64> = members.iter().filter_map(|m| if let Lit::Int(n) = m { Some(*n) } else { None }).collect();
    let found = match value {
        Value::I64(n) => Tri::valid(pack(&n.values, |v| integers.contains(&v)), n.valid.as_ref()),
        Value::U32(n) => {
            let narrow: Vec<u32> = integers.iter().filter_map(|m| u32::try_from(*m).ok()).collect();
            Tri::valid(pack(&n.values, |v| narrow.contains(&v)), n.valid.as_ref())
        }
        Value::F64(n) => {
            let doubles: Vec<f64> =
                members.iter().filter_map(|m| if let Lit::Double(d) = m { Some(f64::from_bits(*d)) } else { None }).collect();
            Tri::valid(pack(&n.values, |v| doubles.contains(&v)), n.valid.as_ref())
        }
        Value::Text(text) => {
            let texts: Vec<&str> = members.iter().filter_map(|m| if let Lit::Text(t) = m { Some(t.as_ref()) } else { None }).collect();
            text.test(|t| texts.contains(&t))
        }
        _ => return Err(failed("IN over truth values")),
    };
    // With NULL among the members nothing is surely absent.
    Ok(if null { Tri { no: Some(BooleanBuffer::new_unset(found.len())), yes: found.yes } } else { found })
}

fn concat(args: &[Operand], rows: usize) -> Computed<Value> {
    let parts = args.iter().map(|a| a.spread(rows).text().cloned()).collect::<Computed<Vec<Text>>>()?;
    let valid = parts.iter().fold(None, |valid, part| bits::and(valid.as_ref(), part.valid.as_ref()));
    let mut out = StringBuilder::with_capacity(rows, rows * 16);
    let mut joined = String::new();
    for row in 0..rows {
        joined.clear();
        for part in &parts {
            joined.push_str(part.get(row).unwrap_or_default());
        }
        out.append_value(&joined);
    }
    Ok(Value::Text(Text { codes: Codes::Same, valid, values: out.finish() }))
}

fn to_text(value: &Value) -> Computed<Value> {
    if let Value::Truth(tri) = value {
        let codes: Vec<u8> = tri.yes.iter().map(u8::from).collect();
        let values = StringArray::from_iter_values(["false", "true"]);
        return Ok(Value::Text(Text { codes: Codes::U8(codes.into()), valid: tri.not_null(), values }));
    }
    let wide = value.wide()?;
    let values = StringArray::from_iter_values(wide.values.iter().map(i64::to_string));
    Ok(Value::Text(Text { codes: Codes::Same, valid: wide.valid, values }))
}
