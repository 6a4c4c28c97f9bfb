//! A stretch of rows of one table, its keys under common numbers.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::UInt32Type;

use super::Side;
use super::column::{Column, below, joined_texts, set_nulls, words_of};
use super::numbers::{Numbering, Numbers};
use super::pair::Part;
use crate::model::cell::ColType;
use crate::model::{ACCOUNTS, CREDENTIALS, ENTITLEMENTS, GRANTS, GROUPS, MEMBERSHIPS, STATEMENTS, Table};

/// Rows that are compared at once before they are looked at one by one.
const BLOCK: usize = 256;
/// No ordinal: after every number, as nulls stand last.
const NONE: u32 = u32::MAX;

/// What is merged: a dimension by its native ids, or edges by principal, target, resource and way (11.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum What {
    Accounts,
    Groups,
    Entitlements,
    /// By entitlement and place in the policy.
    Statements,
    Credentials,
    Memberships,
    Grants,
}

impl What {
    pub fn table(self) -> &'static Table {
        match self {
            Self::Accounts => &ACCOUNTS,
            Self::Groups => &GROUPS,
            Self::Entitlements => &ENTITLEMENTS,
            Self::Statements => &STATEMENTS,
            Self::Credentials => &CREDENTIALS,
            Self::Memberships => &MEMBERSHIPS,
            Self::Grants => &GRANTS,
        }
    }

    /// The columns that make the key, without attributes.
    fn keys(self) -> &'static [&'static str] {
        match self {
            // A dimension's key is the position of its rows.
            Self::Accounts | Self::Groups | Self::Entitlements => &[],
            Self::Statements => &["entitlement_ix", "statement"],
            Self::Credentials => &["account_ix"],
            Self::Memberships => &["account_ix", "member_group_ix", "principal_ref", "group_ix", "kind", "principal_kind"],
            Self::Grants => &["account_ix", "group_ix", "principal_ref", "entitlement_ix", "effect", "principal_kind", "resource_ix"],
        }
    }

    /// The columns whose difference may be a change.
    fn attributes(self) -> &'static [&'static str] {
        match self {
            Self::Accounts => &[
                "generation",
                "login",
                "display_name",
                "email",
                "upn",
                "employee_ref",
                "owner_ref",
                "created_at",
                "expires_at",
                "environment",
                "kind",
                "status",
                "mfa_state",
                "attributes",
            ],
            Self::Groups => &["level"],
            Self::Entitlements => &["risks", "conditional", "level"],
            Self::Statements => &["effect", "sid", "actions", "not_actions", "resources", "not_resources", "condition"],
            Self::Credentials => &["holder_ref", "name", "created_at", "rotated_at", "expires_at", "kind", "status", "fingerprint"],
            Self::Memberships | Self::Grants => &["granted_at", "expires_at", "granted_by", "request_ref", "condition"],
        }
    }

    /// Every column that is read.
    pub fn columns(self, attributes: bool) -> Vec<&'static str> {
        let more = if attributes { self.attributes() } else { &[] };
        self.keys().iter().chain(more).copied().collect()
    }
}

/// Rows of one table of one side, in the order of their keys.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Stretch {
    /// Position of the first row in its table.
    pub first: u32,
    pub rows: usize,
    /// Account above group; of a dimension its number; of a statement its entitlement above its place.
    who: Vec<u64>,
    /// The principal's own text; `None`: no row has one.
    outside: Option<StringArray>,
    /// Target above resource. Empty for a dimension, as are the next two.
    what: Vec<u64>,
    way: Vec<u8>,
    kind: Vec<u8>,
    /// Credentials: the number of the account that holds it.
    holder: Vec<u32>,
    columns: Vec<Column>,
    /// What it was made of, [`What::columns`]; empty where it is joined of two.
    read: Vec<ArrayRef>,
}

/// The key of a row, without the principal's kind.
pub(in super::super) type Key<'a> = (u64, Option<&'a str>, u64, u8);

impl Stretch {
    /// Puts [`What::columns`] under common numbers.
    ///
    /// # Errors
    /// What in them is not what a sealed table holds.
    pub(super) fn of(what: What, part: Part, numbers: &Numbering, side: Side) -> Result<Self, String> {
        let Part { first, rows, columns } = part;
        let keys = what.keys();
        let column = |at: usize| {
            let name = || keys.get(at).copied().unwrap_or_default();
            columns.get(at).ok_or_else(|| format!("it has no column `{}`", name()))
        };
        let number = |at: usize, of: &Numbers, null: bool| -> Result<Vec<u32>, String> {
            let name = keys.get(at).copied().unwrap_or_default();
            numbered(column(at)?, of.of(side), null).map_err(|e| format!("column `{name}`: {e}"))
        };
        let itself = |of: &Numbers| {
            let from = first as usize;
            let own = of.of(side).get(from..from + rows).ok_or_else(|| format!("there is no row {}", from + rows))?;
            Ok::<_, String>(own.iter().copied().map(u64::from).collect())
        };
        let mut out = Self { first, rows, ..Self::default() };
        match what {
            What::Accounts => out.who = itself(&numbers.accounts)?,
            What::Groups => out.who = itself(&numbers.groups)?,
            What::Entitlements => out.who = itself(&numbers.entitlements)?,
            What::Statements => out.who = packed(&number(0, &numbers.entitlements, false)?, &numbers_of(column(1)?)?),
            What::Credentials => {
                out.who = itself(&numbers.credentials)?;
                out.holder = number(0, &numbers.accounts, true)?;
            }
            What::Memberships | What::Grants => {
                out.who = packed(&number(0, &numbers.accounts, true)?, &number(1, &numbers.groups, true)?);
                out.outside = column(2)?.as_string_opt::<i32>().filter(|t| t.null_count() < t.len()).cloned();
                let words = |at: usize| {
                    let name = keys.get(at).copied().unwrap_or_default();
                    words_of(&words(what.table(), name), column(at)?).map_err(|e| format!("column `{name}`: {e}"))
                };
                (out.way, out.kind) = (words(4)?, words(5)?);
                out.what = if what == What::Memberships {
                    number(3, &numbers.groups, false)?.into_iter().map(u64::from).collect()
                } else {
                    packed(&number(3, &numbers.entitlements, false)?, &number(6, &numbers.resources, true)?)
                };
            }
        }
        for (array, name) in columns.iter().skip(keys.len()).zip(what.attributes()) {
            let ty = what.table().columns.iter().find(|c| c.name == *name).map_or(ColType::Text, |c| c.ty);
            out.columns.push(Column::of(ty, array).map_err(|e| format!("column `{name}`: {e}"))?);
        }
        out.read = columns;
        match out.unordered() {
            Some(i) => Err(format!("row {} does not stand in the order of its key", u64::from(first) + i as u64)),
            None => Ok(out),
        }
    }

    /// The first row whose key is less than that of the row before it.
    fn unordered(&self) -> Option<usize> {
        let falls = |i: usize| self.key(i - 1) > self.key(i);
        if self.outside.is_none() && self.what.len() == self.rows && self.way.len() == self.rows {
            // All at once, without asking each row what it is.
            let keys = || self.who.iter().zip(&self.what).zip(&self.way);
            if keys().zip(keys().skip(1)).all(|(a, b)| a <= b) {
                return None;
            }
        }
        let mut pairs = self.who.iter().zip(self.who.iter().skip(1)).zip(1..);
        pairs.find(|((a, b), i)| a > b || a == b && falls(*i)).map(|(_, i)| i)
    }

    /// The columns that it was made of, at some rows.
    ///
    /// # Errors
    /// There is no such row.
    pub fn take(&self, rows: &[u32]) -> Result<Vec<ArrayRef>, String> {
        let rows = UInt32Array::from(rows.to_vec());
        self.read.iter().map(|c| take(c, &rows, None).map_err(|e| e.to_string())).collect()
    }

    /// The first row whose key is not less than another.
    pub fn lower_bound(&self, key: &Key<'_>) -> usize {
        let (mut from, mut to) = (0, self.rows);
        while from < to {
            let middle = from + (to - from) / 2;
            if self.key(middle) < *key {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        from
    }

    /// Position of a row in its table.
    pub fn position(&self, i: usize) -> u32 {
        self.first.saturating_add(u32::try_from(i).unwrap_or(u32::MAX))
    }

    pub fn key(&self, i: usize) -> Key<'_> {
        let zero = |v: &[u64]| v.get(i).copied().unwrap_or(0);
        (zero(&self.who), self.outside_of(i), zero(&self.what), self.way.get(i).copied().unwrap_or(0))
    }

    fn outside_of(&self, i: usize) -> Option<&str> {
        self.outside.as_ref().filter(|t| i < t.len() && t.is_valid(i)).map(|t| t.value(i))
    }

    /// What the principal of an edge is: edges of one key and two kinds are two edges.
    pub fn kind(&self, i: usize) -> u8 {
        self.kind.get(i).copied().unwrap_or(0)
    }

    /// Number of the account that an edge is of.
    pub fn account(&self, i: usize) -> u32 {
        upper(&self.who, i)
    }

    /// Number of the group that is the principal of an edge.
    pub fn group(&self, i: usize) -> u32 {
        lower(&self.who, i)
    }

    /// Number of the group of a membership.
    pub fn member_of(&self, i: usize) -> u32 {
        lower(&self.what, i)
    }

    /// Number of the entitlement of a grant.
    pub fn entitlement(&self, i: usize) -> u32 {
        upper(&self.what, i)
    }

    /// Number of the account that holds a credential.
    pub fn holder(&self, i: usize) -> u32 {
        self.holder.get(i).copied().unwrap_or(NONE)
    }

    /// Number of a row of a dimension.
    pub fn number(&self, i: usize) -> u32 {
        lower(&self.who, i)
    }

    /// The end of the rows from `i` on that have the key of row `i`.
    pub fn bundle_end(&self, i: usize) -> usize {
        let key = self.key(i);
        (i + 1..self.rows).find(|k| self.key(*k) != key).unwrap_or(self.rows.max(i))
    }

    /// The start of the rows up to `i` that have the key of row `i`.
    pub fn bundle_start(&self, i: usize) -> usize {
        let key = self.key(i);
        (0..i).rev().find(|k| self.key(*k) != key).map_or(0, |k| k + 1)
    }

    /// How many rows of `mine` are, one by one, those of `theirs` in the other stretch: same key, same kind of principal.
    pub fn aligned(&self, mine: Range<usize>, other: &Self, theirs: Range<usize>) -> usize {
        let most = mine.len().min(theirs.len());
        let (i, j) = (mine.start, theirs.start);
        let mut n = 0;
        while n < most {
            let m = BLOCK.min(most - n);
            let same = self.aligned_block(i + n, other, j + n, m);
            n += same;
            if same < m {
                break;
            }
        }
        n
    }

    fn aligned_block(&self, i: usize, other: &Self, j: usize, m: usize) -> usize {
        let m = prefix(&self.who, i, &other.who, j, m);
        let m = prefix(&self.what, i, &other.what, j, m);
        let m = prefix(&self.way, i, &other.way, j, m);
        let m = prefix(&self.kind, i, &other.kind, j, m);
        if self.outside.is_none() && other.outside.is_none() {
            return m;
        }
        (0..m).find(|k| self.outside_of(i + k) != other.outside_of(j + k)).unwrap_or(m)
    }

    /// Calls `each` with every `k` below `n` whose row `i + k` here and row `j + k` there differ in an attribute.
    pub fn unlike(&self, i: usize, other: &Self, j: usize, n: usize, mut each: impl FnMut(usize)) {
        let keys = self.read.len().saturating_sub(self.columns.len());
        for (at, (a, b)) in (keys..).zip(self.columns.iter().zip(&other.columns)) {
            let read = self.read.get(at).zip(other.read.get(at));
            if i != j || read.is_none_or(|(a, b)| !Arc::ptr_eq(a, b)) {
                a.unlike(i, b, j, n, &mut each);
            }
        }
        if !self.holder.is_empty() {
            (0..n).filter(|k| self.holder(i + k) != other.holder(j + k)).for_each(each);
        }
    }

    /// Some rows, and below them the rows of `next` that follow.
    pub fn joined(&self, mine: &Range<usize>, next: &Self, theirs: &Range<usize>) -> Self {
        let columns = self.columns.iter().zip(&next.columns).map(|(a, b)| a.joined(mine, b, theirs)).collect();
        let outside = match (&self.outside, &next.outside) {
            (None, None) => None,
            (a, b) => Some(joined_texts(a.as_ref(), mine, b.as_ref(), theirs)),
        };
        Self {
            first: self.position(mine.start),
            rows: mine.len() + theirs.len(),
            who: below(&self.who, mine, &next.who, theirs),
            outside,
            what: below(&self.what, mine, &next.what, theirs),
            way: below(&self.way, mine, &next.way, theirs),
            kind: below(&self.kind, mine, &next.kind, theirs),
            holder: below(&self.holder, mine, &next.holder, theirs),
            columns,
            read: Vec::new(),
        }
    }

    /// How the keys of two rows stand to each other.
    pub fn compare(&self, i: usize, other: &Self, j: usize) -> Ordering {
        self.key(i).cmp(&other.key(j))
    }
}

fn upper(packed: &[u64], i: usize) -> u32 {
    packed.get(i).map_or(NONE, |v| u32::try_from(v >> 32).unwrap_or(NONE))
}

fn lower(packed: &[u64], i: usize) -> u32 {
    packed.get(i).map_or(NONE, |v| u32::try_from(v & u64::from(NONE)).unwrap_or(NONE))
}

fn packed(upper: &[u32], lower: &[u32]) -> Vec<u64> {
    upper.iter().zip(lower).map(|(u, l)| u64::from(*u) << 32 | u64::from(*l)).collect()
}

/// How many of `m` values are the same.
fn prefix<T: PartialEq>(a: &[T], i: usize, b: &[T], j: usize, m: usize) -> usize {
    let (Some(a), Some(b)) = (a.get(i..i + m), b.get(j..j + m)) else { return m };
    if a == b { m } else { a.iter().zip(b).position(|(a, b)| a != b).unwrap_or(m) }
}

fn numbers_of(array: &ArrayRef) -> Result<Vec<u32>, String> {
    let array = array.as_primitive_opt::<UInt32Type>().filter(|a| a.null_count() == 0);
    array.map(|a| a.values().to_vec()).ok_or_else(|| "numbers are missing".to_owned())
}

/// Ordinals as common numbers; null as [`NONE`], where it may be.
fn numbered(array: &ArrayRef, numbers: &[u32], may_be_null: bool) -> Result<Vec<u32>, String> {
    let array = array.as_primitive_opt::<UInt32Type>().ok_or_else(|| format!("type is {}", array.data_type()))?;
    if array.null_count() > 0 && !may_be_null {
        return Err("null where a value is due".to_owned());
    }
    if array.null_count() == array.len() {
        return Ok(vec![NONE; array.len()]);
    }
    if array.values().iter().max().is_some_and(|most| *most as usize >= numbers.len())
        && let Some(ix) = array.iter().flatten().find(|ix| *ix as usize >= numbers.len())
    {
        return Err(format!("there is no row {ix}"));
    }
    let mut out: Vec<u32> = array.values().iter().map(|ix| numbers.get(*ix as usize).copied().unwrap_or(NONE)).collect();
    set_nulls(&mut out, array.nulls(), NONE);
    Ok(out)
}

fn words(table: &Table, column: &str) -> Vec<&'static str> {
    match table.columns.iter().find(|c| c.name == column).map(|c| c.ty) {
        Some(ColType::Word(words)) => words(),
        _ => Vec::new(),
    }
}
