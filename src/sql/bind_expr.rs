//! Expressions: names resolved, types checked, literals given the type of their neighbours.

use std::collections::BTreeSet;

use super::ast::{AggregateFunc, ArithOp, ColumnName, CompareOp, Expr, ExprKind, OrderItem, WindowFunc};
use super::bind::{Binder, Found, Scope, window_order};
use super::coerce::{common_type, comparable, convert, untyped};
use super::diagnostic::Pos;
use super::keys::Keys;
use super::like::Pattern;
use super::parse::{Parsed, refuse};
use super::plan::{Aggregate, Col, ColId, Measure, Op, Scalar, Ty, Window};
use super::types::{Literal, Type};

const HOUR: i64 = 3_600_000_000;

/// Where an expression stands: which calls it may make beyond scalar ones.
pub(super) enum Calls<'c> {
    /// WHERE, ON, arguments.
    None,
    /// Outputs of a SELECT without GROUP BY; the rows' keys.
    Windows(&'c mut Vec<Window>, &'c Keys),
    /// Outputs and HAVING of a SELECT with GROUP BY or aggregates.
    Groups(&'c mut Groups),
}

/// The columns that a GROUP BY gives: its keys, and the aggregates met so far.
#[derive(Default)]
pub(super) struct Groups {
    /// (column above, column below).
    pub keys: Vec<(ColId, ColId)>,
    pub aggregates: Vec<Aggregate>,
    key_columns: Vec<Col>,
    aggregate_columns: Vec<Col>,
}

impl Groups {
    /// A grouped column; twice the same counts once.
    pub fn add_key(&mut self, id: ColId, below: &Col) {
        if self.keys.iter().all(|(_, old)| *old != below.id) {
            self.keys.push((id, below.id));
            self.key_columns.push(Col { id, ..below.clone() });
        }
    }

    fn key(&self, below: ColId) -> Option<&Col> {
        self.keys.iter().zip(&self.key_columns).find(|((_, old), _)| *old == below).map(|(_, col)| col)
    }

    pub fn columns(&self) -> Vec<Col> {
        self.key_columns.iter().chain(&self.aggregate_columns).cloned().collect()
    }

    /// The grouped columns name a row; without any there is one row.
    pub fn row_key(&self) -> Keys {
        Keys::of(Some(self.keys.iter().map(|(new, _)| *new).collect()))
    }
}

pub(super) struct ExprBinder<'b, 'a, 's, 'c> {
    binder: &'b mut Binder<'a>,
    scope: &'s Scope<'s>,
    calls: Calls<'c>,
}

impl<'b, 'a, 's, 'c> ExprBinder<'b, 'a, 's, 'c> {
    pub fn new(binder: &'b mut Binder<'a>, scope: &'s Scope<'s>, calls: Calls<'c>) -> Self {
        Self { binder, scope, calls }
    }

    /// For expressions over one row.
    pub fn row(binder: &'b mut Binder<'a>, scope: &'s Scope<'s>) -> Self {
        Self { binder, scope, calls: Calls::None }
    }

    /// An expression that is true, false or NULL.
    pub fn condition(&mut self, expr: &Expr) -> Parsed<Scalar> {
        let scalar = self.scalar(expr)?;
        match scalar.ty {
            Ty::Boolean => Ok(scalar),
            other => refuse(expr.pos, format!("a condition is due, and this is {}", other.name()), "compare it: `x = 1`, `x IS NOT NULL`"),
        }
    }

    pub fn scalar(&mut self, expr: &Expr) -> Parsed<Scalar> {
        let pos = expr.pos;
        match &expr.kind {
            ExprKind::Column(name) => self.column(name),
            ExprKind::Literal(value) => Ok(literal(value)),
            ExprKind::Decimal(value) => Ok(Scalar { op: Op::Double(*value), ty: Ty::Decimal, nullable: false }),
            ExprKind::Null => Ok(Scalar::null(Ty::Null)),
            ExprKind::And(parts) => {
                let parts = self.conditions(parts)?;
                let nullable = parts.iter().any(|p| p.nullable);
                Ok(Scalar::boolean(Op::And(parts), nullable))
            }
            ExprKind::Or(parts) => {
                let parts = self.conditions(parts)?;
                let nullable = parts.iter().any(|p| p.nullable);
                Ok(Scalar::boolean(Op::Or(parts), nullable))
            }
            ExprKind::Not(inner) => Ok(not(self.condition(inner)?)),
            ExprKind::Compare(op, a, b) => {
                let (a, b) = (self.scalar(a)?, self.scalar(b)?);
                compare(pos, *op, a, b)
            }
            ExprKind::Arith(op, a, b) => {
                let (a, b) = (self.scalar(a)?, self.scalar(b)?);
                arith(pos, *op, a, b)
            }
            ExprKind::Negate(inner) => negate(pos, self.scalar(inner)?),
            ExprKind::Concat(parts) => self.concat(parts),
            ExprKind::IsNull(inner, negated) => {
                let test = Scalar::boolean(Op::IsNull(Box::new(self.scalar(inner)?)), false);
                Ok(if *negated { not(test) } else { test })
            }
            ExprKind::IsBoolean { expr, value, negated } => {
                let inner = Box::new(self.condition(expr)?);
                let test = Scalar::boolean(if *value { Op::IsTrue(inner) } else { Op::IsFalse(inner) }, false);
                Ok(if *negated { not(test) } else { test })
            }
            ExprKind::In { expr, list, negated } => {
                let test = self.in_list(expr, list)?;
                Ok(if *negated { not(test) } else { test })
            }
            ExprKind::Between { expr, low, high, negated } => {
                let value = self.scalar(expr)?;
                let low = compare(low.pos, CompareOp::Ge, value.clone(), self.scalar(low)?)?;
                let high = compare(high.pos, CompareOp::Le, value, self.scalar(high)?)?;
                let nullable = low.nullable || high.nullable;
                let test = Scalar::boolean(Op::And(vec![low, high]), nullable);
                Ok(if *negated { not(test) } else { test })
            }
            ExprKind::Like { expr, pattern, negated } => {
                let value = self.scalar(expr)?;
                if value.ty != Ty::Text {
                    return refuse(
                        pos,
                        format!("LIKE on {}", value.ty.name()),
                        "LIKE compares STRING: write CAST(x AS STRING), or compare with =",
                    );
                }
                let nullable = value.nullable;
                let test = Scalar::boolean(Op::Like(Box::new(value), Pattern::new(pattern)), nullable);
                Ok(if *negated { not(test) } else { test })
            }
            ExprKind::Case { operand, arms, otherwise } => self.case(pos, operand.as_deref(), arms, otherwise.as_deref()),
            ExprKind::Coalesce(args) => self.coalesce(pos, args),
            ExprKind::Nullif(a, b) => self.nullif(pos, a, b),
            ExprKind::Cast(inner, to) => cast(pos, self.scalar(inner)?, *to),
            ExprKind::Aggregate { func, arg, distinct, filter } => self.aggregate(pos, *func, arg.as_deref(), *distinct, filter.as_deref()),
            ExprKind::Window { func, arg, partition, order } => self.window(pos, *func, arg.as_deref(), partition, order),
            ExprKind::Exists { .. } => {
                refuse(pos, "EXISTS inside an expression", "put it into WHERE as a term of its own, joined to the others with AND")
            }
        }
    }

    fn conditions(&mut self, parts: &[Expr]) -> Parsed<Vec<Scalar>> {
        parts.iter().map(|part| self.condition(part)).collect()
    }

    fn column(&mut self, name: &ColumnName) -> Parsed<Scalar> {
        let col = match self.scope.find(name)? {
            Found::Here(col) => col,
            Found::Outer(_) => {
                return refuse(
                    name.pos,
                    format!("`{}` of the query around EXISTS stands in something other than an equality of two columns", name.name),
                    "join the two tables in a WITH, filter there, and write EXISTS over its rows",
                );
            }
        };
        self.binder.used(col.id);
        if let Calls::Groups(groups) = &self.calls {
            return match groups.key(col.id) {
                Some(key) => Ok(Scalar::column(key)),
                None => refuse(
                    name.pos,
                    format!("`{}` is neither grouped nor aggregated", name.name),
                    format!("add it to GROUP BY, or write MIN({0}) or MAX({0})", name.name),
                ),
            };
        }
        Ok(Scalar::column(col))
    }

    fn concat(&mut self, parts: &[Expr]) -> Parsed<Scalar> {
        let mut list = Vec::new();
        for part in parts {
            let scalar = self.scalar(part)?;
            if scalar.ty != Ty::Text {
                return refuse(part.pos, format!("`||` with {}", scalar.ty.name()), "write CAST(x AS STRING) around integers and booleans");
            }
            list.push(scalar);
        }
        let nullable = list.iter().any(|p| p.nullable);
        Ok(Scalar { op: Op::Concat(list), ty: Ty::Text, nullable })
    }

    fn in_list(&mut self, expr: &Expr, list: &[Expr]) -> Parsed<Scalar> {
        let mut value = self.scalar(expr)?;
        let mut members = Vec::new();
        let mut null = false;
        for item in list {
            let mut member = self.scalar(item)?;
            if member.ty == Ty::Null {
                null = true;
                continue;
            }
            comparable(item.pos, CompareOp::Eq, &mut value, &mut member)?;
            members.push(member);
        }
        if members.is_empty() {
            return refuse(expr.pos, "IN without a value", "write IS NULL, or name the values");
        }
        let nullable = null || value.nullable;
        Ok(Scalar::boolean(Op::In(Box::new(value), members, null), nullable))
    }

    fn case(&mut self, pos: Pos, operand: Option<&Expr>, arms: &[(Expr, Expr)], otherwise: Option<&Expr>) -> Parsed<Scalar> {
        let operand = operand.map(|e| self.scalar(e)).transpose()?;
        let mut conditions = Vec::new();
        let mut results = Vec::new();
        for (when, then) in arms {
            conditions.push(match &operand {
                None => self.condition(when)?,
                Some(value) => compare(when.pos, CompareOp::Eq, value.clone(), self.scalar(when)?)?,
            });
            results.push(self.scalar(then)?);
        }
        results.push(otherwise.map_or(Ok(Scalar::null(Ty::Null)), |e| self.scalar(e))?);
        let ty = common_type(pos, "CASE", &mut results)?;
        let nullable = results.iter().any(|r| r.nullable);
        let last = results.pop().unwrap_or_else(|| Scalar::null(ty));
        Ok(Scalar { op: Op::Case(conditions.into_iter().zip(results).collect(), Box::new(last)), ty, nullable })
    }

    fn coalesce(&mut self, pos: Pos, args: &[Expr]) -> Parsed<Scalar> {
        let mut args = args.iter().map(|a| self.scalar(a)).collect::<Parsed<Vec<_>>>()?;
        let ty = common_type(pos, "COALESCE", &mut args)?;
        let nullable = args.iter().all(|a| a.nullable);
        Ok(Scalar { op: Op::Coalesce(args), ty, nullable })
    }

    fn nullif(&mut self, pos: Pos, a: &Expr, b: &Expr) -> Parsed<Scalar> {
        let (mut a, mut b) = (self.scalar(a)?, self.scalar(b)?);
        comparable(pos, CompareOp::Eq, &mut a, &mut b)?;
        if untyped(a.ty) {
            return refuse(pos, format!("NULLIF of {}", a.ty.name()), "write NULLIF of a column");
        }
        let ty = a.ty;
        Ok(Scalar { op: Op::Nullif(Box::new(a), Box::new(b)), ty, nullable: true })
    }

    /// An argument of an aggregate or a window: a scalar over one row.
    fn argument(&mut self, expr: &Expr) -> Parsed<Scalar> {
        ExprBinder::row(self.binder, self.scope).scalar(expr)
    }

    fn aggregate(&mut self, pos: Pos, func: AggregateFunc, arg: Option<&Expr>, distinct: bool, filter: Option<&Expr>) -> Parsed<Scalar> {
        if !matches!(self.calls, Calls::Groups(_)) {
            return refuse(
                pos,
                "an aggregate in WHERE, ON or inside another call",
                "aggregate in a derived table or WITH, or move the condition to HAVING",
            );
        }
        let arg = arg.map(|e| Ok((e.pos, self.argument(e)?))).transpose()?;
        let filter = filter.map(|e| ExprBinder::row(self.binder, self.scope).condition(e)).transpose()?;
        let (measure, ty, nullable) = match (func, arg) {
            (AggregateFunc::Count, None) => (Measure::CountRows, Ty::Bigint, false),
            (AggregateFunc::Count, Some((at, arg))) => {
                countable(at, &arg)?;
                (if distinct { Measure::CountDistinct(arg) } else { Measure::Count(arg) }, Ty::Bigint, false)
            }
            (AggregateFunc::Sum, Some((at, arg))) => summable(at, arg)?,
            (AggregateFunc::Min, Some((at, arg))) => {
                let ty = ordered(at, &arg)?;
                (Measure::Min(arg), ty, true)
            }
            (AggregateFunc::Max, Some((at, arg))) => {
                let ty = ordered(at, &arg)?;
                (Measure::Max(arg), ty, true)
            }
            (_, None) => return refuse(pos, "an aggregate without an argument", "write SUM(x), MIN(x) or MAX(x)"),
        };
        let id = self.binder.fresh();
        let col = Col { id, name: String::new(), ty, nullable };
        let scalar = Scalar::column(&col);
        if let Calls::Groups(groups) = &mut self.calls {
            groups.aggregates.push(Aggregate { id, measure, filter });
            groups.aggregate_columns.push(col);
        }
        Ok(scalar)
    }

    fn window(&mut self, pos: Pos, func: WindowFunc, arg: Option<&Expr>, partition: &[ColumnName], order: &[OrderItem]) -> Parsed<Scalar> {
        if !matches!(self.calls, Calls::Windows(..)) {
            return refuse(
                pos,
                "a window in WHERE, ON, or beside aggregates",
                "compute it in a derived table or WITH, and filter its column outside",
            );
        }
        let arg = arg.map(|e| Ok((e.pos, self.argument(e)?))).transpose()?;
        let (ty, nullable) = match (func, &arg) {
            (WindowFunc::Count, Some((at, arg))) => countable(*at, arg).map(|()| (Ty::Bigint, false))?,
            (WindowFunc::Min | WindowFunc::Max, Some((at, arg))) => (ordered(*at, arg)?, true),
            _ => (Ty::Bigint, false),
        };
        let mut parts = Vec::new();
        for name in partition {
            let Op::Column(id) = ExprBinder::row(self.binder, self.scope).column(name)?.op else { continue };
            parts.push(id);
        }
        let order = window_order(order, self.scope)?;
        order.iter().for_each(|key| self.binder.used(key.id));
        let id = self.binder.fresh();
        if let Calls::Windows(windows, keys) = &mut self.calls {
            let named: BTreeSet<ColId> = parts.iter().copied().chain(order.iter().map(|k| k.id)).collect();
            if func == WindowFunc::RowNumber && !keys.named_by(&named) {
                return refuse(
                    pos,
                    "ROW_NUMBER over an order with ties: engines number them differently",
                    "end ORDER BY with the key of the rows, such as `account_ix, grant_ix`",
                );
            }
            windows.push(Window { id, func, arg: arg.map(|(_, a)| a), partition: parts, order, pos });
        }
        Ok(Scalar { op: Op::Column(id), ty, nullable })
    }
}

fn literal(value: &Literal) -> Scalar {
    let (op, ty) = match value {
        Literal::Integer(n) if i32::try_from(*n).is_ok() => (Op::Int(*n), Ty::Small),
        Literal::Integer(n) => (Op::Int(*n), Ty::Bigint),
        Literal::Double(n) => (Op::Double(*n), Ty::Double),
        Literal::Text(text) => (Op::Text(text.clone()), Ty::Text),
        Literal::Boolean(value) => (Op::Bool(*value), Ty::Boolean),
        Literal::Timestamp(us) => (Op::Micros(*us), Ty::Timestamp),
        Literal::Days(n) => (Op::Micros(i64::from(*n) * 24 * HOUR), Ty::Interval),
        Literal::Hours(n) => (Op::Micros(i64::from(*n) * HOUR), Ty::Interval),
    };
    Scalar { op, ty, nullable: false }
}

fn not(scalar: Scalar) -> Scalar {
    let nullable = scalar.nullable;
    Scalar::boolean(Op::Not(Box::new(scalar)), nullable)
}

fn compare(pos: Pos, op: CompareOp, mut a: Scalar, mut b: Scalar) -> Parsed<Scalar> {
    comparable(pos, op, &mut a, &mut b)?;
    let nullable = a.nullable || b.nullable;
    Ok(Scalar::boolean(Op::Compare(op, Box::new(a), Box::new(b)), nullable))
}

fn countable(pos: Pos, arg: &Scalar) -> Parsed<()> {
    match arg.ty {
        Ty::Null | Ty::Interval | Ty::Decimal => refuse(pos, format!("COUNT of {}", arg.ty.name()), "write COUNT(*), or COUNT of a column"),
        _ => Ok(()),
    }
}

fn ordered(pos: Pos, arg: &Scalar) -> Parsed<Ty> {
    match arg.ty {
        Ty::Boolean => refuse(pos, "MIN or MAX of BOOLEAN", "write COUNT(*) FILTER (WHERE x) > 0"),
        Ty::Null | Ty::Interval | Ty::Decimal => refuse(pos, format!("MIN or MAX of {}", arg.ty.name()), "write MIN or MAX of a column"),
        ty => Ok(ty),
    }
}

fn summable(pos: Pos, arg: Scalar) -> Parsed<(Measure, Ty, bool)> {
    match arg.ty {
        Ty::Bigint | Ty::Small => Ok((Measure::Sum(arg), Ty::Bigint, true)),
        Ty::Double => Ok((Measure::Sum(arg), Ty::Double, true)),
        Ty::U32 | Ty::U64 => refuse(pos, format!("SUM of {}", arg.ty.name()), "write SUM(CAST(x AS BIGINT))"),
        Ty::Boolean => refuse(pos, "SUM of BOOLEAN", "write COUNT(*) FILTER (WHERE x)"),
        Ty::Decimal => refuse(pos, "SUM of a decimal literal", "write SUM(CAST(x AS DOUBLE))"),
        other => refuse(pos, format!("SUM of {}", other.name()), "sum BIGINT or DOUBLE"),
    }
}

fn negate(pos: Pos, inner: Scalar) -> Parsed<Scalar> {
    match inner.ty {
        Ty::Bigint | Ty::Double => {
            let (ty, nullable) = (inner.ty, inner.nullable);
            Ok(Scalar { op: Op::Negate(Box::new(inner)), ty, nullable })
        }
        Ty::U32 | Ty::U64 | Ty::Small => refuse(pos, format!("`-` before {}", inner.ty.name()), "write - CAST(x AS BIGINT)"),
        other => refuse(pos, format!("`-` before {}", other.name()), "negate BIGINT or DOUBLE"),
    }
}

fn arith(pos: Pos, op: ArithOp, a: Scalar, b: Scalar) -> Parsed<Scalar> {
    if a.ty == Ty::Timestamp || b.ty == Ty::Timestamp || a.ty == Ty::Interval || b.ty == Ty::Interval {
        return time_arith(pos, op, a, b);
    }
    if a.ty.is_unsigned() || b.ty.is_unsigned() {
        let name = if a.ty.is_unsigned() { a.ty.name() } else { b.ty.name() };
        return refuse(
            pos,
            format!("arithmetic on {name}: engines wrap, fail or widen"),
            "write CAST(x AS BIGINT) around the unsigned operand",
        );
    }
    let ty = match (a.ty, b.ty) {
        (Ty::Bigint, Ty::Bigint | Ty::Small) | (Ty::Small, Ty::Bigint) => Ty::Bigint,
        (Ty::Double, Ty::Double | Ty::Small | Ty::Decimal) | (Ty::Small | Ty::Decimal, Ty::Double) => Ty::Double,
        (Ty::Small, Ty::Small) => {
            return refuse(
                pos,
                "arithmetic on integer literals alone: 32 bits in some engines",
                "write the result, or CAST one side AS BIGINT",
            );
        }
        (Ty::Bigint | Ty::Small | Ty::Decimal, Ty::Double | Ty::Decimal | Ty::Bigint | Ty::Small) | (Ty::Double, Ty::Bigint) => {
            return refuse(pos, format!("arithmetic on {} and {}", a.ty.name(), b.ty.name()), "write CAST(x AS DOUBLE) around both");
        }
        _ => return refuse(pos, format!("arithmetic on {} and {}", a.ty.name(), b.ty.name()), "calculate with BIGINT or DOUBLE"),
    };
    let nullable = a.nullable || b.nullable || op == ArithOp::Div;
    let (a, b) = (convert(a, ty), convert(b, ty));
    if op == ArithOp::Div {
        if ty != Ty::Double {
            return refuse(pos, "`/` on integers: engines differ on the result", "write CAST(a AS DOUBLE) / NULLIF(CAST(b AS DOUBLE), 0)");
        }
        if !never_zero(&b) {
            return refuse(pos, "`/` by something that may be 0", "write a / NULLIF(b, 0)");
        }
    }
    Ok(Scalar { op: Op::Arith(op, Box::new(a), Box::new(b)), ty, nullable })
}

/// A number other than 0, or `NULLIF(x, 0)`.
fn never_zero(scalar: &Scalar) -> bool {
    match &scalar.op {
        Op::Double(n) => *n != 0.0,
        Op::Nullif(_, zero) => matches!(zero.op, Op::Double(n) if n == 0.0),
        _ => false,
    }
}

fn time_arith(pos: Pos, op: ArithOp, a: Scalar, b: Scalar) -> Parsed<Scalar> {
    let nullable = a.nullable || b.nullable;
    let ty = match (op, a.ty, b.ty) {
        (ArithOp::Sub, Ty::Timestamp, Ty::Timestamp) => Ty::Interval,
        (ArithOp::Add | ArithOp::Sub, Ty::Timestamp, Ty::Interval) if matches!(b.op, Op::Micros(_)) => Ty::Timestamp,
        (ArithOp::Add, Ty::Interval, Ty::Timestamp) => {
            return refuse(pos, "an interval before an instant", "write the instant first: t + INTERVAL 'n days'");
        }
        _ => {
            return refuse(
                pos,
                format!("arithmetic on {} and {}", a.ty.name(), b.ty.name()),
                "write t + INTERVAL 'n days', t - INTERVAL 'n hours', or t1 - t2 > INTERVAL 'n days'",
            );
        }
    };
    Ok(Scalar { op: Op::Arith(op, Box::new(a), Box::new(b)), ty, nullable })
}

fn cast(pos: Pos, inner: Scalar, to: Type) -> Parsed<Scalar> {
    let target = Ty::from(to);
    let help = match (inner.ty, to) {
        (Ty::Null, _) => return Ok(Scalar::null(target)),
        (from, _) if from == target => return Ok(inner),
        (Ty::Small, Type::Bigint) => return Ok(Scalar { ty: target, ..inner }),
        (Ty::Small | Ty::Decimal, Type::Double) => return Ok(convert(inner, target)),
        (Ty::Bigint | Ty::U32 | Ty::U64, Type::Bigint | Type::Double | Type::Text)
        | (Ty::Small, Type::Text)
        | (Ty::Boolean, Type::Bigint | Type::Text) => {
            let nullable = inner.nullable;
            return Ok(Scalar { op: Op::Cast(Box::new(inner)), ty: target, nullable });
        }
        (Ty::Double | Ty::Decimal, Type::Bigint) => "engines round differently: calculate in DOUBLE",
        (Ty::Double | Ty::Decimal | Ty::Timestamp, Type::Text) => "engines write it differently: output it as it is",
        (Ty::Text, Type::Timestamp) => "write TIMESTAMP '...', or read the column as an instant at import",
        (Ty::Text, _) => "engines read texts differently: read the column as a number at import",
        (_, Type::Boolean) => "compare instead: x = 1",
        _ => "the language casts integers and booleans to BIGINT and STRING, and integers to DOUBLE",
    };
    refuse(pos, format!("CAST of {} to {}", inner.ty.name(), to.name()), help)
}
