//! Random tables: NULL in every nullable column, duplicates, empty tables, texts that break careless code.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema};
use polars::prelude::{DataFrame, IntoLazy, col, lit};

use super::Part;
use super::dice::Dice;
use crate::sql::types::{ACCOUNT_KEY, Catalog, Type, View, ViewColumn};

/// Texts of every text column.
pub(super) const TEXTS: &[&str] = &[
    "a", "b", "ab", "A", "", "active", "disabled", "admin", "read", "a b", " a", "a ", "it's", "\"q\"", "a\\b", "\\", "a\nb", "\t", "%",
    "100%", "a_b", "_", "İ", "i", "Σ", "ς", "ß", "É", "é", "e\u{301}", "😀", "a😀b", "null", "NULL", "0", "001", "1", "-- x", "; drop",
    "/*", "ab\r\n", "zz",
];

/// Instants in microseconds: around one day, before the epoch, part seconds, far away.
pub(super) const TIMES: &[&str] = &[
    "2026-01-01 00:00:00",
    "2026-01-01 00:00:00.000001",
    "2025-12-31 23:59:59.999999",
    "2026-01-02 00:00:00",
    "2025-10-03 00:00:00",
    "2026-04-01 12:30:00",
    "1969-12-31 23:59:59.5",
    "1970-01-01 00:00:00",
    "1600-02-29 00:00:00",
    "2999-12-31 00:00:00",
    "2026-01-01 01:00:00",
];

const INTEGERS: &[i64] = &[-3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 10, 90, 1000, -1000];
/// Where sums and products leave 64 bits; only in the table `big`.
const EXTREMES: &[i64] = &[i64::MAX, i64::MIN, i64::MAX - 1, 1 << 62, -(1 << 62), 3_037_000_500, 1 << 32, -1, 0, 1, 2];
const DOUBLES: &[f64] = &[-2.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 100.0, 1e6];
const ORDINALS: &[u32] = &[0, 1, 2, 3, 4, 5, u32::MAX];
const LINES: &[u64] = &[0, 1, 2, 3, 7, 10_000_000_000];

/// The views, the same in every world.
pub(super) fn catalog() -> Catalog {
    use Type::{Bigint, Boolean, Double, Text, Timestamp, U32, U64};
    let account = [("system_ix", U32, false), ("account_ix", U32, false)];
    let with = |more: &[(&str, Type, bool)]| View::new(&[&account, more].concat());
    let views = [
        (
            "accounts",
            with(&[
                ("login", Text, true),
                ("kind", Text, false),
                ("status", Text, true),
                ("created", Timestamp, true),
                ("used", Timestamp, true),
                ("observed_at", Timestamp, false),
                ("enabled", Boolean, true),
                ("score", Double, true),
                ("logins", Bigint, true),
                ("line", U64, true),
            ])
            .keyed(&ACCOUNT_KEY)
            .partitioned(),
        ),
        (
            "access",
            with(&[
                ("grant_ix", U32, false),
                ("entitlement", Text, true),
                ("level", Text, true),
                ("granted", Timestamp, true),
                ("expires", Timestamp, true),
                ("admin", Boolean, true),
                ("weight", Double, true),
                ("uses", Bigint, true),
            ])
            .keyed(&["system_ix", "account_ix", "grant_ix"])
            .partitioned(),
        ),
        (
            "people",
            View::new(&[
                ("person_ix", U32, false),
                ("name", Text, true),
                ("email", Text, true),
                ("left_at", Timestamp, true),
                ("active", Boolean, true),
                ("rank", Bigint, true),
                ("share", Double, true),
            ])
            .keyed(&["person_ix"]),
        ),
        (
            "links",
            View::new(&[
                ("account_ix", U32, true),
                ("person_ix", U32, true),
                ("note", Text, true),
                ("at", Timestamp, true),
                ("n", Bigint, true),
            ]),
        ),
        ("big", View::new(&[("k", Bigint, false), ("a", Bigint, true), ("b", Bigint, true)]).keyed(&["k"])),
    ];
    Catalog { views: views.into_iter().map(|(name, view)| (name.to_owned(), view)).collect() }
}

pub(super) struct World {
    pub tables: BTreeMap<String, RecordBatch>,
}

impl World {
    pub fn new(dice: &mut Dice) -> Self {
        let mut tables = BTreeMap::new();
        for (name, view) in &catalog().views {
            if let Some(batch) = table(dice, name, view) {
                tables.insert(name.clone(), batch);
            }
        }
        Self { tables }
    }

    pub fn frames(&self) -> BTreeMap<String, DataFrame> {
        super::frames(&self.tables)
    }

    /// The tables account by account; views that are not partitioned are whole in each.
    pub fn partitions(&self, frames: &BTreeMap<String, DataFrame>) -> Vec<Part> {
        let views = catalog().views;
        let mut accounts = BTreeSet::new();
        for (name, frame) in frames.iter().filter(|(name, _)| views.get(*name).is_some_and(|v| v.partitioned)) {
            let _ = name;
            let [systems, ixs] = ACCOUNT_KEY.map(|key| frame.column(key).and_then(|c| c.u32().cloned()));
            if let (Ok(systems), Ok(ixs)) = (systems, ixs) {
                accounts.extend(systems.iter().zip(ixs.iter()).filter_map(|(s, a)| s.zip(a)));
            }
        }
        // Two accounts in a partition, so that joins between them would show.
        let accounts: Vec<(u32, u32)> = accounts.into_iter().collect();
        accounts.chunks(2).map(|chunk| part(frames, &views, chunk)).collect()
    }
}

fn part(frames: &BTreeMap<String, DataFrame>, views: &BTreeMap<String, View>, accounts: &[(u32, u32)]) -> Part {
    let mut tables = Part::new();
    for (name, frame) in frames {
        let mut lazy = frame.clone().lazy();
        if views.get(name).is_some_and(|v| v.partitioned) {
            let mine = accounts.iter().map(|(s, a)| col("system_ix").eq(lit(*s)).and(col("account_ix").eq(lit(*a))));
            lazy = lazy.filter(mine.reduce(polars::prelude::Expr::or).unwrap_or_else(|| lit(false)));
        }
        tables.insert(name.clone(), lazy);
    }
    tables
}

fn table(dice: &mut Dice, name: &str, view: &View) -> Option<RecordBatch> {
    let rows = if dice.chance(8) { 0 } else { 1 + dice.below(30) };
    let keys = keys(dice, view, rows);
    let rows = keys.as_ref().map_or(rows, Vec::len);
    let null_share = dice.word(&["0", "20", "20", "60"]).parse().unwrap_or(20);
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for column in &view.columns {
        let place = view.key.iter().position(|k| *k == column.name);
        let array = match (place, &keys) {
            (Some(place), Some(keys)) => ordinals(column, keys.iter().map(|key| key.get(place).copied().unwrap_or_default())),
            _ => values(dice, column, rows, null_share, name == "big"),
        };
        fields.push(Field::new(column.name.clone(), array.data_type().clone(), true));
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).ok()
}

/// Distinct keys, in order; `None` where rows have no key.
fn keys(dice: &mut Dice, view: &View, rows: usize) -> Option<Vec<Vec<u32>>> {
    if view.key.is_empty() {
        return None;
    }
    let mut keys = BTreeSet::new();
    for _ in 0..rows {
        let key: Vec<u32> = view.key.iter().map(|name| if name == "system_ix" { dice.below(2) as u32 } else { ordinal(dice) }).collect();
        keys.insert(key);
    }
    Some(keys.into_iter().collect())
}

fn ordinal(dice: &mut Dice) -> u32 {
    if dice.chance(60) { dice.below(12) as u32 } else { dice.pick(ORDINALS).copied().unwrap_or_default() }
}

fn ordinals(column: &ViewColumn, values: impl Iterator<Item = u32>) -> ArrayRef {
    match column.ty {
        Type::Bigint => Arc::new(arrow::array::Int64Array::from_iter_values(values.map(i64::from))),
        _ => Arc::new(arrow::array::UInt32Array::from_iter_values(values)),
    }
}

fn values(dice: &mut Dice, column: &ViewColumn, rows: usize, null_share: usize, extreme: bool) -> ArrayRef {
    // Some columns are NULL throughout.
    let share = if !column.nullable {
        0
    } else if dice.chance(4) {
        100
    } else {
        null_share
    };
    let mut some = |pick: &mut dyn FnMut(&mut Dice) -> usize| -> Vec<Option<usize>> {
        (0..rows).map(|_| if dice.chance(share) { None } else { Some(pick(dice)) }).collect()
    };
    macro_rules! of {
        ($array:ty, $pool:expr) => {{
            let pool = $pool;
            let picks = some(&mut |d| d.below(pool.len()));
            Arc::new(picks.into_iter().map(|p| p.and_then(|p| pool.get(p).copied())).collect::<$array>())
        }};
    }
    match column.ty {
        Type::Bigint if extreme => of!(arrow::array::Int64Array, EXTREMES),
        Type::Bigint => of!(arrow::array::Int64Array, INTEGERS),
        Type::U32 => of!(arrow::array::UInt32Array, ORDINALS),
        Type::U64 => of!(arrow::array::UInt64Array, LINES),
        Type::Double => of!(arrow::array::Float64Array, DOUBLES),
        Type::Boolean => of!(arrow::array::BooleanArray, [true, false]),
        Type::Text => of!(arrow::array::StringArray, TEXTS),
        Type::Timestamp => {
            let times: Vec<i64> = TIMES.iter().filter_map(|t| crate::sql::literal::parse_timestamp(t)).collect();
            of!(arrow::array::TimestampMicrosecondArray, times)
        }
    }
}
