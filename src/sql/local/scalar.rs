//! Scalars of a plan into the graph.

use super::Refusal;
use super::build::{Builder, Built, Columns, node};
use super::column::{Kind, Lit};
use super::node::{NodeId, Scalar, SpaceId};
use crate::sql::ast::ArithOp;
use crate::sql::plan::{Op, Scalar as Expr, Ty};

pub(super) fn kind(ty: Ty) -> Kind {
    match ty {
        Ty::Bigint | Ty::Small | Ty::U32 | Ty::U64 | Ty::Timestamp | Ty::Interval | Ty::Null => Kind::Int,
        Ty::Double | Ty::Decimal => Kind::Double,
        Ty::Boolean => Kind::Bool,
        Ty::Text => Kind::Text,
    }
}

/// A literal; `None`: the scalar is none.
fn literal(scalar: &Expr) -> Option<Lit> {
    Some(match &scalar.op {
        Op::Int(n) | Op::Micros(n) => Lit::Int(*n),
        Op::Double(n) => Lit::Double(n.to_bits()),
        Op::Text(text) => Lit::Text(text.as_str().into()),
        Op::Bool(value) => Lit::Bool(*value),
        Op::Null => Lit::Null,
        _ => return None,
    })
}

impl Builder<'_> {
    /// The column that an expression makes over the columns of a space.
    pub fn scalar(&mut self, scalar: &Expr, columns: &Columns, space: SpaceId) -> Built<NodeId> {
        let kind = kind(scalar.ty);
        if let Some(lit) = literal(scalar) {
            return Ok(self.graph.constant(lit, kind));
        }
        let (op, operands) = match &scalar.op {
            Op::Column(id) => return node(*id, columns),
            Op::Int(_) | Op::Double(_) | Op::Text(_) | Op::Bool(_) | Op::Micros(_) | Op::Null => {
                return Err(Refusal("a literal of its own"));
            }
            Op::And(parts) => (Scalar::And, parts.iter().collect::<Vec<_>>()),
            Op::Or(parts) => (Scalar::Or, parts.iter().collect()),
            Op::Not(a) => (Scalar::Not, vec![&**a]),
            Op::Compare(op, a, b) => (Scalar::Compare(*op), vec![&**a, &**b]),
            Op::Arith(op, a, b) => match (scalar.ty, &b.op) {
                (Ty::Timestamp, Op::Micros(us)) => (Scalar::Shift(if *op == ArithOp::Sub { -us } else { *us }), vec![&**a]),
                (Ty::Interval, _) => (Scalar::Integer(ArithOp::Sub), vec![&**a, &**b]),
                (Ty::Double, _) => (Scalar::Double(*op), vec![&**a, &**b]),
                _ => (Scalar::Integer(*op), vec![&**a, &**b]),
            },
            Op::Negate(a) if kind == Kind::Double => (Scalar::NegateDouble, vec![&**a]),
            Op::Negate(a) => (Scalar::NegateInteger, vec![&**a]),
            Op::Concat(parts) => (Scalar::Concat, parts.iter().collect()),
            Op::IsNull(a) => (Scalar::IsNull, vec![&**a]),
            Op::IsTrue(a) => (Scalar::IsTrue, vec![&**a]),
            Op::IsFalse(a) => (Scalar::IsFalse, vec![&**a]),
            Op::In(a, members, null) => (self::members(a, members, *null)?, vec![&**a]),
            Op::Like(a, pattern) => (Scalar::Like(pattern.clone()), vec![&**a]),
            Op::Case(arms, otherwise) => {
                let arms = arms.iter().flat_map(|(condition, result)| [condition, result]);
                (Scalar::Case, arms.chain([&**otherwise]).collect())
            }
            Op::Coalesce(args) => (Scalar::Coalesce, args.iter().collect()),
            Op::Nullif(a, b) => (Scalar::Nullif, vec![&**a, &**b]),
            Op::Cast(a) => match (self::kind(a.ty), kind) {
                (from, to) if from == to => return self.scalar(a, columns, space),
                (Kind::Int | Kind::Bool, Kind::Text) => (Scalar::ToText, vec![&**a]),
                (Kind::Int, Kind::Double) => (Scalar::ToDouble, vec![&**a]),
                (Kind::Bool, Kind::Int) => (Scalar::ToInteger, vec![&**a]),
                _ => return Err(Refusal("a CAST of other types")),
            },
        };
        let args = operands.into_iter().map(|a| self.scalar(a, columns, space)).collect::<Built<Vec<_>>>()?;
        Ok(self.graph.scalar(op, args, space, kind))
    }
}

/// The members of IN, of the kind of its operand.
fn members(value: &Expr, members: &[Expr], null: bool) -> Built<Scalar> {
    let wanted = kind(value.ty);
    let mut list = Vec::new();
    for member in members {
        let fits = matches!(
            (wanted, &member.op),
            (Kind::Int, Op::Int(_) | Op::Micros(_)) | (Kind::Double, Op::Double(_)) | (Kind::Text, Op::Text(_))
        );
        match literal(member) {
            Some(lit) if fits => list.push(lit),
            _ => return Err(Refusal("IN over members of another type")),
        }
    }
    list.sort();
    list.dedup();
    Ok(Scalar::In(list, null))
}
