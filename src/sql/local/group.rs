//! What is measured over groups, and numbers of rows in their groups.

use std::cmp::Ordering;

use arrow::buffer::BooleanBuffer;

use super::bits::{self, NONE, Tri};
use super::column::{Kind, Numbers, Value, failed};
use super::keys::Groups;
use super::node::Measured;
use crate::sql::SqlError;

type Computed<T> = Result<T, SqlError>;

/// Calls for each row that is kept and in a group.
fn each(groups: &Groups, keep: Option<&BooleanBuffer>, mut f: impl FnMut(usize, usize)) {
    let mut one = |row: usize| match groups.of.get(row) {
        Some(group) if *group != NONE => f(row, *group as usize),
        _ => {}
    };
    match keep {
        Some(keep) => keep.set_indices().for_each(one),
        None => (0..groups.of.len()).for_each(&mut one),
    }
}

/// One value per group. `of` is a column, not a literal.
pub(super) fn measure(what: Measured, of: Option<&Value>, kind: Kind, filter: Option<&Tri>, groups: &Groups) -> Computed<Value> {
    let valid = of.and_then(Value::not_null);
    let keep = bits::and(filter.map(|f| &f.yes), valid.as_ref());
    let keep = keep.as_ref();
    let count = groups.first.len();
    match (what, of) {
        (Measured::Rows, _) | (Measured::Count, Some(_)) => {
            let mut out = vec![0_i64; count];
            each(groups, keep, |_, group| add(&mut out, group));
            Ok(Value::I64(Numbers::new(out, None)))
        }
        (Measured::CountDistinct, Some(of)) => distinct(of, keep, groups),
        (Measured::Sum, Some(of)) => sum(&of.wide()?, keep, groups),
        (Measured::Min | Measured::Max, Some(of)) => extreme(of, kind, what == Measured::Max, keep, groups),
        _ => Err(failed("an aggregate without an argument")),
    }
}

fn add(counts: &mut [i64], group: usize) {
    if let Some(count) = counts.get_mut(group) {
        *count += 1;
    }
}

fn distinct(of: &Value, keep: Option<&BooleanBuffer>, groups: &Groups) -> Computed<Value> {
    let group_of = Value::U32(Numbers::new(groups.of.clone(), None));
    let in_group = bits::pack(&groups.of, |g| g != NONE);
    let counts = bits::and(Some(&in_group), keep);
    let pairs = Groups::new(&[group_of, of.clone()], groups.of.len(), counts.as_ref())?;
    let mut out = vec![0_i64; groups.first.len()];
    for row in pairs.first {
        if let Some(group) = groups.of.get(row as usize) {
            add(&mut out, *group as usize);
        }
    }
    Ok(Value::I64(Numbers::new(out, None)))
}

fn sum(of: &Numbers<i64>, keep: Option<&BooleanBuffer>, groups: &Groups) -> Computed<Value> {
    let mut sums: Vec<Option<i128>> = vec![None; groups.first.len()];
    each(groups, keep, |row, group| {
        if let (Some(sum), Some(value)) = (sums.get_mut(group), of.values.get(row)) {
            *sum = Some(sum.unwrap_or_default() + i128::from(*value));
        }
    });
    let narrow =
        |sum: &Option<i128>| i64::try_from(sum.unwrap_or_default()).map_err(|_| SqlError::Value("SUM is beyond BIGINT".to_owned()));
    let values = sums.iter().map(narrow).collect::<Computed<Vec<i64>>>()?;
    let valid = BooleanBuffer::collect_bool(sums.len(), |at| sums.get(at).is_some_and(Option::is_some));
    Ok(Value::I64(Numbers::new(values, Some(valid))))
}

/// The row of each group with the least or greatest value.
fn extreme(of: &Value, kind: Kind, greatest: bool, keep: Option<&BooleanBuffer>, groups: &Groups) -> Computed<Value> {
    let wanted = if greatest { Ordering::Greater } else { Ordering::Less };
    let mut best = vec![NONE; groups.first.len()];
    let mut by = |compare: &dyn Fn(usize, usize) -> Ordering| {
        each(groups, keep, |row, group| {
            if let (Some(best), Ok(at)) = (best.get_mut(group), u32::try_from(row))
                && (*best == NONE || compare(row, *best as usize) == wanted)
            {
                *best = at;
            }
        });
    };
    match (of, kind) {
        (Value::U32(n), _) => by(&|a, b| n.values.get(a).cmp(&n.values.get(b))),
        (Value::I64(n), _) => by(&|a, b| n.values.get(a).cmp(&n.values.get(b))),
        (Value::F64(n), _) => by(&|a, b| n.values.get(a).partial_cmp(&n.values.get(b)).unwrap_or(Ordering::Equal)),
        (Value::Text(t), _) => by(&|a, b| t.get(a).cmp(&t.get(b))),
        _ => return Err(failed("the least of truth values")),
    }
    let found = bits::pack(&best, |row| row != NONE);
    let found = Some(found).filter(|f| f.count_set_bits() < best.len());
    Ok(of.gather(&best, found.as_ref()))
}

/// A column to sort by.
pub(super) struct SortColumn {
    pub value: Value,
    pub descending: bool,
    pub nulls_first: bool,
}

impl SortColumn {
    fn compare(&self, a: usize, b: usize) -> Ordering {
        macro_rules! order {
            ($of:expr, $compare:expr) => {{
                match ($of(a), $of(b)) {
                    (None, None) => return Ordering::Equal,
                    (None, Some(_)) => return if self.nulls_first { Ordering::Less } else { Ordering::Greater },
                    (Some(_), None) => return if self.nulls_first { Ordering::Greater } else { Ordering::Less },
                    (Some(a), Some(b)) => $compare(&a, &b),
                }
            }};
        }
        let order = match &self.value {
            Value::U32(n) => order!(|row| n.get(row), Ord::cmp),
            Value::I64(n) => order!(|row| n.get(row), Ord::cmp),
            Value::F64(n) => order!(|row| n.get(row), |a: &f64, b: &f64| a.partial_cmp(b).unwrap_or(Ordering::Equal)),
            Value::Text(t) => order!(|row| t.get(row), Ord::cmp),
            Value::Truth(tri) => {
                let no = tri.no();
                let get = |row: usize| (bits::bit(&tri.yes, row) || bits::bit(&no, row)).then(|| bits::bit(&tri.yes, row));
                order!(get, Ord::cmp)
            }
            Value::Const(_) => Ordering::Equal,
        };
        if self.descending { order.reverse() } else { order }
    }
}

/// The number of each row in its group, from 1; 0 where it is in none.
pub(super) fn row_numbers(groups: &Groups, order: &[SortColumn]) -> Value {
    let mut rows: Vec<u32> = (0..).zip(&groups.of).filter(|(_, group)| **group != NONE).map(|(row, _): (u32, _)| row).collect();
    let group = |row: &u32| groups.of.get(*row as usize).copied().unwrap_or(NONE);
    let by_columns = |a: &u32, b: &u32| {
        order.iter().map(|column| column.compare(*a as usize, *b as usize)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    };
    rows.sort_by(|a, b| group(a).cmp(&group(b)).then_with(|| by_columns(a, b)));
    let mut out = vec![0_i64; groups.of.len()];
    let (mut last, mut number) = (NONE, 0);
    for row in rows {
        let of = group(&row);
        number = if of == last { number + 1 } else { 1 };
        last = of;
        if let Some(slot) = out.get_mut(row as usize) {
            *slot = number;
        }
    }
    Value::I64(Numbers::new(out, None))
}
