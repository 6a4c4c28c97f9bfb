//! Scalars to polars expressions.
//!
//! Integers are 64-bit signed throughout (views are converted when read), so no comparison or join meets two widths.
//! Operations that can fail compute only the rows that their CASE or COALESCE selects, as other engines do.

use polars::prelude::{DataType, Expr, LiteralValue, coalesce, concat_str, lit, when};

use super::ast::{ArithOp, CompareOp};
use super::kernels::{self, Members, instant};
use super::plan::{ColId, Op, Scalar, Ty};

/// The internal name of a column.
pub(super) fn name(id: ColId) -> String {
    format!("c{id}")
}

pub(super) fn col(id: ColId) -> Expr {
    polars::prelude::col(name(id))
}

/// The internal type of an expression.
pub(super) fn dtype(ty: Ty) -> DataType {
    match ty {
        Ty::Bigint | Ty::Small | Ty::U32 | Ty::U64 | Ty::Interval | Ty::Null => DataType::Int64,
        Ty::Double | Ty::Decimal => DataType::Float64,
        Ty::Boolean => DataType::Boolean,
        Ty::Text => DataType::String,
        Ty::Timestamp => instant(),
    }
}

pub(super) fn null(ty: Ty) -> Expr {
    Expr::Literal(LiteralValue::untyped_null()).cast(dtype(ty))
}

/// A number of this very type: `lit` would let polars choose a narrower one.
fn typed<T: Into<polars::prelude::Scalar>>(value: T) -> Expr {
    Expr::Literal(LiteralValue::Scalar(value.into()))
}

/// The expression over a frame of which `anchor` is a column: one value per row, also where polars finds one value for all of them.
pub(super) fn lower(scalar: &Scalar, anchor: &str) -> Expr {
    let expr = Lowerer { anchor }.scalar(scalar, None);
    match scalar.op {
        Op::Column(_) => expr,
        _ => kernels::spread(polars::prelude::col(anchor), expr, dtype(scalar.ty)),
    }
}

/// The conditions of a filter, each for itself, so that polars can move them apart.
pub(super) fn predicate(terms: &[Scalar], anchor: &str) -> Expr {
    balanced(terms.iter().map(|term| lower(term, anchor)).collect(), true)
}

struct Lowerer<'a> {
    anchor: &'a str,
}

impl Lowerer<'_> {
    fn anchor(&self) -> Expr {
        polars::prelude::col(self.anchor)
    }

    /// `guard`: the rows for which the result counts; `None` is all.
    fn scalar(&self, scalar: &Scalar, guard: Option<&Expr>) -> Expr {
        match &scalar.op {
            Op::Column(id) => col(*id),
            Op::Int(n) => typed(*n),
            Op::Double(n) => typed(*n),
            Op::Text(text) => lit(text.clone()),
            Op::Bool(value) => lit(*value),
            Op::Micros(us) if scalar.ty == Ty::Timestamp => typed(*us).cast(instant()),
            Op::Micros(us) => typed(*us),
            Op::Null => null(scalar.ty),
            Op::And(parts) => balanced(parts.iter().map(|p| self.scalar(p, guard)).collect(), true),
            Op::Or(parts) => balanced(parts.iter().map(|p| self.scalar(p, guard)).collect(), false),
            Op::Not(inner) => self.scalar(inner, guard).not(),
            Op::Compare(op, a, b) => compare(*op, self.scalar(a, guard), self.scalar(b, guard)),
            Op::Arith(op, a, b) => self.arith(scalar.ty, *op, a, b, guard),
            Op::Negate(inner) => {
                let zero = if scalar.ty == Ty::Double { typed(-0.0_f64) } else { typed(0_i64) };
                self.number(scalar.ty, ArithOp::Sub, zero, self.guarded(inner, guard))
            }
            Op::Concat(parts) => concat_str(parts.iter().map(|p| self.scalar(p, guard)).collect::<Vec<_>>(), "", false),
            Op::IsNull(inner) => self.scalar(inner, guard).is_null(),
            Op::IsTrue(inner) => self.scalar(inner, guard).fill_null(lit(false)),
            Op::IsFalse(inner) => self.scalar(inner, guard).not().fill_null(lit(false)),
            Op::In(value, members, null) => kernels::is_in(self.anchor(), self.scalar(value, guard), set(members), *null),
            Op::Like(text, pattern) => kernels::like(self.anchor(), self.scalar(text, guard), pattern.clone()),
            Op::Case(arms, otherwise) => self.case(scalar.ty, arms, otherwise, guard),
            Op::Coalesce(args) => self.coalesce(args, guard),
            Op::Nullif(a, b) => {
                let (a, b) = (self.scalar(a, guard), self.scalar(b, guard));
                when(a.clone().eq(b)).then(null(scalar.ty)).otherwise(a)
            }
            Op::Cast(inner) => self.cast(inner, scalar.ty, guard),
        }
    }

    /// The operand of something that can fail: NULL where the result does not count.
    fn guarded(&self, scalar: &Scalar, guard: Option<&Expr>) -> Expr {
        let expr = self.scalar(scalar, guard);
        match guard {
            Some(guard) => when(guard.clone()).then(expr).otherwise(null(scalar.ty)),
            None => expr,
        }
    }

    fn arith(&self, ty: Ty, op: ArithOp, a: &Scalar, b: &Scalar, guard: Option<&Expr>) -> Expr {
        match (ty, &b.op) {
            (Ty::Timestamp, Op::Micros(us)) => kernels::shift(self.anchor(), op, self.guarded(a, guard), *us),
            (Ty::Interval, _) => kernels::difference(self.anchor(), self.guarded(a, guard), self.guarded(b, guard)),
            _ => self.number(ty, op, self.guarded(a, guard), self.guarded(b, guard)),
        }
    }

    fn number(&self, ty: Ty, op: ArithOp, a: Expr, b: Expr) -> Expr {
        match ty {
            Ty::Double => kernels::double_arith(self.anchor(), op, a, b),
            _ => kernels::integer_arith(self.anchor(), op, a, b),
        }
    }

    fn case(&self, ty: Ty, arms: &[(Scalar, Scalar)], otherwise: &Scalar, guard: Option<&Expr>) -> Expr {
        let guards = arms.iter().any(|(c, r)| fallible(c) || fallible(r)) || fallible(otherwise);
        let mut open = guard.cloned();
        let mut lowered = Vec::new();
        for (condition, result) in arms {
            let condition = self.scalar(condition, open.as_ref());
            if !guards {
                lowered.push((condition, self.scalar(result, None)));
                continue;
            }
            let taken = condition.clone().fill_null(lit(false));
            let here = both(open.clone(), taken.clone());
            lowered.push((condition, self.scalar(result, Some(&here))));
            open = Some(both(open, taken.not()));
        }
        let last = self.scalar(otherwise, open.as_ref());
        // Built from the last arm backwards; a cast keeps branches of literals alone at the type of the CASE.
        lowered.into_iter().rev().fold(last, |rest, (condition, result)| when(condition).then(result).otherwise(rest)).cast(dtype(ty))
    }

    fn coalesce(&self, args: &[Scalar], guard: Option<&Expr>) -> Expr {
        let guards = args.iter().any(fallible);
        let mut open = guard.cloned();
        let mut lowered: Vec<Expr> = Vec::new();
        for arg in args {
            let expr = self.scalar(arg, open.as_ref());
            if guards {
                open = Some(both(open, expr.clone().is_null()));
            }
            lowered.push(expr);
        }
        coalesce(&lowered)
    }

    fn cast(&self, inner: &Scalar, to: Ty, guard: Option<&Expr>) -> Expr {
        let expr = self.scalar(inner, guard);
        match (inner.ty, to) {
            (Ty::Boolean, Ty::Text) => when(expr.clone()).then(lit("true")).when(expr.not()).then(lit("false")).otherwise(null(Ty::Text)),
            _ => expr.cast(dtype(to)),
        }
    }
}

fn both(a: Option<Expr>, b: Expr) -> Expr {
    match a {
        Some(a) => a.and(b),
        None => b,
    }
}

/// Whether a row can make it fail.
fn fallible(scalar: &Scalar) -> bool {
    match &scalar.op {
        Op::Arith(..) | Op::Negate(_) => true,
        Op::Column(_) | Op::Int(_) | Op::Double(_) | Op::Text(_) | Op::Bool(_) | Op::Micros(_) | Op::Null => false,
        Op::And(parts) | Op::Or(parts) | Op::Concat(parts) | Op::Coalesce(parts) => parts.iter().any(fallible),
        Op::Not(a) | Op::IsNull(a) | Op::IsTrue(a) | Op::IsFalse(a) | Op::Cast(a) | Op::In(a, ..) | Op::Like(a, _) => fallible(a),
        Op::Compare(_, a, b) | Op::Nullif(a, b) => fallible(a) || fallible(b),
        Op::Case(arms, otherwise) => arms.iter().any(|(c, r)| fallible(c) || fallible(r)) || fallible(otherwise),
    }
}

fn compare(op: CompareOp, a: Expr, b: Expr) -> Expr {
    match op {
        CompareOp::Eq => a.eq(b),
        CompareOp::Ne => a.neq(b),
        CompareOp::Lt => a.lt(b),
        CompareOp::Le => a.lt_eq(b),
        CompareOp::Gt => a.gt(b),
        CompareOp::Ge => a.gt_eq(b),
    }
}

/// A tree of AND or OR as flat as can be: chains may be long.
fn balanced(mut terms: Vec<Expr>, and: bool) -> Expr {
    while terms.len() > 1 {
        let mut next = Vec::with_capacity(terms.len().div_ceil(2));
        let mut rest = terms.into_iter();
        while let Some(a) = rest.next() {
            next.push(match rest.next() {
                Some(b) if and => a.and(b),
                Some(b) => a.or(b),
                None => a,
            });
        }
        terms = next;
    }
    terms.pop().unwrap_or_else(|| lit(and))
}

fn set(members: &[Scalar]) -> Members {
    let integers: Option<_> = members.iter().map(|m| if let Op::Int(n) | Op::Micros(n) = m.op { Some(n) } else { None }).collect();
    if let Some(integers) = integers {
        return Members::Integers(integers);
    }
    let texts: Option<_> = members.iter().map(|m| if let Op::Text(text) = &m.op { Some(text.clone()) } else { None }).collect();
    match texts {
        Some(texts) => Members::Texts(texts),
        None => Members::Doubles(members.iter().filter_map(|m| if let Op::Double(n) = m.op { Some(n) } else { None }).collect()),
    }
}
