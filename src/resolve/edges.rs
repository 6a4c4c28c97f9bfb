//! Rows of two snapshots under common numbers, looked at one by one: ordinals hold inside one snapshot only.
//!
//! Whole snapshots are merged as columns ([`super::merge`]). What is here is for the few rows that differ, with what they name.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::merge::Side;
use crate::model::{
    AccountRow, CredentialRow, EntitlementRow, GrantRow, GroupRow, MembershipRow, PrincipalKind, ResourceRow, StatementRow, Table, Word,
};

/// Some of what one snapshot says of access: rows, and the rows of everything that they name, each table sorted by its ordinal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Picture<'a> {
    /// Tables that the snapshot covers.
    pub covers: &'a BTreeSet<String>,
    pub accounts: &'a [AccountRow],
    pub groups: &'a [GroupRow],
    pub memberships: &'a [MembershipRow],
    pub entitlements: &'a [EntitlementRow],
    /// Sorted by entitlement.
    pub statements: &'a [StatementRow],
    pub resources: &'a [ResourceRow],
    pub grants: &'a [GrantRow],
    pub credentials: &'a [CredentialRow],
}

impl<'a> Picture<'a> {
    /// A picture without rows.
    pub fn nothing(covers: &'a BTreeSet<String>) -> Self {
        Self {
            covers,
            accounts: &[],
            groups: &[],
            memberships: &[],
            entitlements: &[],
            statements: &[],
            resources: &[],
            grants: &[],
            credentials: &[],
        }
    }

    /// Whether it speaks of a table.
    pub fn speaks_of(&self, table: &Table) -> bool {
        self.covers.contains(table.name)
    }

    pub fn account(&self, ix: Option<u32>) -> Option<&'a AccountRow> {
        of(self.accounts, ix)
    }

    pub fn group(&self, ix: Option<u32>) -> Option<&'a GroupRow> {
        of(self.groups, ix)
    }

    pub fn entitlement(&self, ix: u32) -> Option<&'a EntitlementRow> {
        of(self.entitlements, Some(ix))
    }

    pub fn resource(&self, ix: Option<u32>) -> Option<&'a ResourceRow> {
        of(self.resources, ix)
    }
}

/// The row of an ordinal.
fn of<T: Named>(rows: &[T], ix: Option<u32>) -> Option<&T> {
    let ix = ix?;
    rows.get(rows.binary_search_by_key(&ix, Named::ix).ok()?)
}

/// Something with a native id, which may come back as another thing under the same one.
pub(super) trait Named {
    /// Its ordinal.
    fn ix(&self) -> u32;
    fn native_id(&self) -> &str;
    fn generation(&self) -> Option<&str> {
        None
    }
}

macro_rules! named {
    ($row:ty, $ix:ident $(, $generation:ident)?) => {
        impl Named for $row {
            fn ix(&self) -> u32 {
                self.$ix
            }
            fn native_id(&self) -> &str {
                &self.native_id
            }
            $(fn generation(&self) -> Option<&str> {
                self.$generation.as_deref()
            })?
        }
    };
}
named!(AccountRow, account_ix, generation);
named!(GroupRow, group_ix, generation);
named!(EntitlementRow, entitlement_ix);
named!(ResourceRow, resource_ix);
named!(CredentialRow, credential_ix);

/// Positions of the rows of two snapshots that stand for one thing, in the byte order of the native ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub before: Option<usize>,
    pub now: Option<usize>,
    /// Both generations are known and differ.
    pub renewed: bool,
}

/// Pairs the rows of two snapshots by native id.
pub(super) fn pairs<T: Named>(before: &[T], now: &[T]) -> Vec<Pair> {
    let (old, new) = (in_order(before), in_order(now));
    let (mut old, mut new) = (old.iter().copied().peekable(), new.iter().copied().peekable());
    let mut out = Vec::with_capacity(before.len().max(now.len()));
    loop {
        let side = match (old.peek(), new.peek()) {
            (None, None) => return out,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((a, _)), Some((b, _))) => a.cmp(b),
        };
        let b = if side == Ordering::Greater { None } else { old.next().map(|(_, i)| i) };
        let n = if side == Ordering::Less { None } else { new.next().map(|(_, i)| i) };
        let renewed = generation(before, b).zip(generation(now, n)).is_some_and(|(before, now)| before != now);
        out.push(Pair { before: b, now: n, renewed });
    }
}

fn generation<T: Named>(rows: &[T], at: Option<usize>) -> Option<&str> {
    at.and_then(|at| rows.get(at)).and_then(Named::generation)
}

fn in_order<T: Named>(rows: &[T]) -> Vec<(&str, usize)> {
    let mut order: Vec<(&str, usize)> = rows.iter().enumerate().map(|(i, r)| (r.native_id(), i)).collect();
    order.sort_unstable();
    order
}

/// Common numbers of one dimension: of each ordinal, sorted by it.
struct Numbers {
    before: Vec<(u32, u32)>,
    now: Vec<(u32, u32)>,
    renewed: Vec<bool>,
}

impl Numbers {
    fn of<T: Named>(before: &[T], now: &[T]) -> Self {
        let paired = pairs(before, now);
        let side = |rows: &[T], at: &dyn Fn(&Pair) -> Option<usize>| {
            let number = |(number, pair): (u32, &Pair)| Some((rows.get(at(pair)?)?.ix(), number));
            let mut out: Vec<(u32, u32)> = (0u32..).zip(&paired).filter_map(number).collect();
            out.sort_unstable();
            out
        };
        Self { before: side(before, &|p| p.before), now: side(now, &|p| p.now), renewed: paired.iter().map(|p| p.renewed).collect() }
    }

    fn is_renewed(&self, number: Option<u32>) -> bool {
        number.and_then(|n| self.renewed.get(n as usize)).copied().unwrap_or(false)
    }
}

/// What makes an edge the same edge in two snapshots (11.7): principal, target, resource and the way it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key<'a> {
    account: Option<u32>,
    group: Option<u32>,
    outside: Option<&'a str>,
    principal_kind: PrincipalKind,
    target: u32,
    resource: Option<u32>,
    way: &'static str,
}

/// One edge of one of the two snapshots.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge<'a> {
    pub key: Key<'a>,
    /// Position of its row.
    pub at: usize,
    /// Ordinal of its row, which orders the rows of one key.
    ix: u32,
}

/// The numbers of everything that edges name.
pub(super) struct Common {
    accounts: Numbers,
    groups: Numbers,
    entitlements: Numbers,
    resources: Numbers,
}

impl Common {
    pub fn of(before: &Picture<'_>, now: &Picture<'_>) -> Self {
        Self {
            accounts: Numbers::of(before.accounts, now.accounts),
            groups: Numbers::of(before.groups, now.groups),
            entitlements: Numbers::of(before.entitlements, now.entitlements),
            resources: Numbers::of(before.resources, now.resources),
        }
    }

    /// Whether the account behind an ordinal is another one than in the other snapshot.
    pub fn account_renewed(&self, side: Side, ix: Option<u32>) -> bool {
        self.accounts.is_renewed(number(&self.accounts, side, ix))
    }

    /// As [`Common::account_renewed`], of a group.
    pub fn group_renewed(&self, side: Side, ix: Option<u32>) -> bool {
        self.groups.is_renewed(number(&self.groups, side, ix))
    }

    /// Memberships in the order of their keys. One that names an ordinal that does not exist is passed over.
    pub fn memberships<'a>(&self, side: Side, picture: &Picture<'a>) -> Vec<Edge<'a>> {
        let edge = |(at, m): (usize, &'a MembershipRow)| {
            let target = number(&self.groups, side, Some(m.group_ix))?;
            let principal = (m.account_ix, m.member_group_ix, m.principal_ref.as_deref(), m.principal_kind);
            let key = self.key(side, principal, target, None, m.kind.as_str())?;
            Some(Edge { key, at, ix: m.membership_ix })
        };
        sorted(picture.memberships.iter().enumerate().filter_map(edge).collect())
    }

    /// Grants in the order of their keys, as [`Common::memberships`].
    pub fn grants<'a>(&self, side: Side, picture: &Picture<'a>) -> Vec<Edge<'a>> {
        let edge = |(at, g): (usize, &'a GrantRow)| {
            let target = number(&self.entitlements, side, Some(g.entitlement_ix))?;
            let resource = match g.resource_ix {
                Some(ix) => Some(number(&self.resources, side, Some(ix))?),
                None => None,
            };
            let principal = (g.account_ix, g.group_ix, g.principal_ref.as_deref(), g.principal_kind);
            let key = self.key(side, principal, target, resource, g.effect.as_str())?;
            Some(Edge { key, at, ix: g.grant_ix })
        };
        sorted(picture.grants.iter().enumerate().filter_map(edge).collect())
    }

    fn key<'a>(
        &self,
        side: Side,
        (account, group, outside, principal_kind): (Option<u32>, Option<u32>, Option<&'a str>, PrincipalKind),
        target: u32,
        resource: Option<u32>,
        way: &'static str,
    ) -> Option<Key<'a>> {
        let known = |numbers: &Numbers, ix: Option<u32>| match ix {
            Some(ix) => number(numbers, side, Some(ix)).map(Some),
            None => Some(None),
        };
        let (account, group) = (known(&self.accounts, account)?, known(&self.groups, group)?);
        Some(Key { account, group, outside, principal_kind, target, resource, way })
    }
}

fn number(numbers: &Numbers, side: Side, ix: Option<u32>) -> Option<u32> {
    let of = if side == Side::Before { &numbers.before } else { &numbers.now };
    let ix = ix?;
    of.get(of.binary_search_by_key(&ix, |n| n.0).ok()?).map(|n| n.1)
}

fn sorted(mut edges: Vec<Edge<'_>>) -> Vec<Edge<'_>> {
    edges.sort_by(|a, b| a.key.cmp(&b.key).then(a.ix.cmp(&b.ix)));
    edges
}

/// Walks two sorted lists of edges key by key: the edges of each key on either side, at least one of them.
pub(super) fn by_key<'a, 'b>(before: &'b [Edge<'a>], now: &'b [Edge<'a>]) -> impl Iterator<Item = (&'b [Edge<'a>], &'b [Edge<'a>])> {
    let (mut before, mut now) = (before, now);
    std::iter::from_fn(move || {
        let next = match (before.first(), now.first()) {
            (None, None) => return None,
            (Some(e), None) | (None, Some(e)) => e.key,
            (Some(a), Some(b)) => a.key.min(b.key),
        };
        let take = |list: &mut &'b [Edge<'a>]| {
            let (these, rest) = list.split_at(list.iter().take_while(|e| e.key == next).count());
            *list = rest;
            these
        };
        Some((take(&mut before), take(&mut now)))
    })
}
