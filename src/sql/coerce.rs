//! Which types meet in a comparison, a CASE or an arithmetic term: only pairs that every engine converts alike.

use super::ast::CompareOp;
use super::diagnostic::Pos;
use super::parse::{Parsed, refuse};
use super::plan::{Op, Scalar, Ty};

/// Types that only literals have.
pub(super) fn untyped(ty: Ty) -> bool {
    matches!(ty, Ty::Null | Ty::Decimal | Ty::Interval)
}

/// The scalar as `to`, where `to` is the same type or a wider one of the same kind.
pub(super) fn convert(scalar: Scalar, to: Ty) -> Scalar {
    let nullable = scalar.nullable;
    match (scalar.op, scalar.ty, to) {
        (Op::Null, _, _) => Scalar::null(to),
        (op, from, to) if from == to => Scalar { op, ty: to, nullable },
        #[expect(clippy::cast_precision_loss, reason = "integer literals of 32 bits are exact in a double")]
        (Op::Int(n), Ty::Small, Ty::Double) => Scalar { op: Op::Double(n as f64), ty: to, nullable },
        (op, Ty::Decimal, Ty::Double) => Scalar { op, ty: to, nullable },
        (op, Ty::Small, Ty::Bigint) => Scalar { op, ty: to, nullable },
        (op, ty, to) => Scalar { op: Op::Cast(Box::new(Scalar { op, ty, nullable })), ty: to, nullable },
    }
}

/// Gives both sides one type.
///
/// # Errors
/// Pairs that engines refuse or convert differently.
pub(super) fn comparable(pos: Pos, op: CompareOp, a: &mut Scalar, b: &mut Scalar) -> Parsed<()> {
    let ordered = !matches!(op, CompareOp::Eq | CompareOp::Ne);
    match (a.ty, b.ty) {
        (Ty::Null, _) | (_, Ty::Null) => refuse(pos, "a comparison with NULL, which is never true", "write IS NULL or IS NOT NULL"),
        (x, y) if x.is_integer() && y.is_integer() => Ok(()),
        (Ty::Boolean, Ty::Boolean) if ordered => refuse(pos, "an order of booleans", "write AND, OR, NOT"),
        (x, y) if x == y && x != Ty::Decimal => Ok(()),
        (Ty::Double, Ty::Small | Ty::Decimal) => {
            *b = convert(b.clone(), Ty::Double);
            Ok(())
        }
        (Ty::Small | Ty::Decimal, Ty::Double) => {
            *a = convert(a.clone(), Ty::Double);
            Ok(())
        }
        (x, y) => refuse(pos, format!("{} compared with {}", x.name(), y.name()), compare_help(x, y)),
    }
}

fn compare_help(a: Ty, b: Ty) -> &'static str {
    let pair = |x: Ty, y: Ty| (a == x && b == y) || (a == y && b == x);
    if pair(Ty::Text, Ty::Timestamp) {
        "write TIMESTAMP 'YYYY-MM-DD HH:MM:SS'"
    } else if a == Ty::Boolean || b == Ty::Boolean {
        "a boolean is a condition of its own: write `x` or `NOT x`"
    } else if a == Ty::Text || b == Ty::Text {
        "write CAST(x AS STRING) around the integer, or read the column as a number at import"
    } else if a == Ty::Interval || b == Ty::Interval {
        "compare the difference of two instants with an interval: t1 - t2 > INTERVAL 'n days'"
    } else {
        "write CAST(x AS DOUBLE) around the integer"
    }
}

/// The one type of the branches of CASE or COALESCE; every branch is converted to it.
///
/// # Errors
/// Branches that engines give different types.
pub(super) fn common_type(pos: Pos, what: &str, branches: &mut [Scalar]) -> Parsed<Ty> {
    let types: Vec<Ty> = branches.iter().map(|b| b.ty).filter(|ty| *ty != Ty::Null).collect();
    let Some(first) = types.first().copied() else {
        return refuse(pos, format!("{what} of NULL alone"), "write CAST(NULL AS STRING), or another type");
    };
    let all = |allowed: &[Ty]| types.iter().all(|ty| allowed.contains(ty));
    let ty = if all(&[first]) && !untyped(first) {
        first
    } else if all(&[Ty::Bigint, Ty::Small]) {
        Ty::Bigint
    } else if all(&[Ty::Double, Ty::Small, Ty::Decimal]) && types.contains(&Ty::Double) {
        Ty::Double
    } else {
        let help = match (types.iter().any(|t| t.is_unsigned()), types.contains(&Ty::Decimal), types.contains(&Ty::Interval)) {
            (true, ..) => "write CAST(x AS BIGINT) around the unsigned branch",
            (_, true, _) => "write the literal with an exponent, `5e-1`: then it is a DOUBLE everywhere",
            (_, _, true) => "compare with the interval inside the branches",
            _ => "cast the branches to one type",
        };
        let other = types.iter().find(|ty| **ty != first).copied().unwrap_or(first);
        return refuse(pos, format!("{what} of {} and {}", first.name(), other.name()), help);
    };
    for branch in branches.iter_mut() {
        *branch = convert(branch.clone(), ty);
    }
    Ok(ty)
}
