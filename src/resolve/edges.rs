//! The access of two snapshots under common numbers, so that they merge as numbers: ordinals hold inside one snapshot only.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::model::{
    AccountRow, CredentialRow, EntitlementRow, GrantRow, GroupRow, MembershipRow, PrincipalKind, ResourceRow, StatementRow, Table, Time,
    Word,
};

/// What one snapshot says of access. Ordinals are positions in the rows of their table.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    /// The snapshot's `taken_at`.
    pub taken_at: Time,
    /// Tables that it covers.
    pub covers: &'a BTreeSet<String>,
    /// It lacks records: what it leaves out may be there all the same.
    pub short: bool,
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
    /// Whether it speaks of a table.
    pub fn speaks_of(&self, table: &Table) -> bool {
        self.covers.contains(table.name)
    }

    pub(super) fn account(&self, ix: Option<u32>) -> Option<&'a AccountRow> {
        self.accounts.get(ix? as usize)
    }

    pub(super) fn group(&self, ix: Option<u32>) -> Option<&'a GroupRow> {
        self.groups.get(ix? as usize)
    }

    pub(super) fn resource(&self, ix: Option<u32>) -> Option<&'a ResourceRow> {
        self.resources.get(ix? as usize)
    }
}

/// Something with a native id, which may come back as another thing under the same one.
pub(super) trait Named {
    fn native_id(&self) -> &str;
    fn generation(&self) -> Option<&str> {
        None
    }
}

macro_rules! named {
    ($row:ty $(, $generation:ident)?) => {
        impl Named for $row {
            fn native_id(&self) -> &str {
                &self.native_id
            }
            $(fn generation(&self) -> Option<&str> {
                self.$generation.as_deref()
            })?
        }
    };
}
named!(AccountRow, generation);
named!(GroupRow, generation);
named!(EntitlementRow);
named!(ResourceRow);
named!(CredentialRow);

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

/// Common numbers of one dimension.
struct Numbers {
    before: Vec<u32>,
    now: Vec<u32>,
    renewed: Vec<bool>,
}

impl Numbers {
    fn of<T: Named>(before: &[T], now: &[T]) -> Self {
        let paired = pairs(before, now);
        let mut out = Self { before: vec![u32::MAX; before.len()], now: vec![u32::MAX; now.len()], renewed: Vec::new() };
        for (number, pair) in (0u32..).zip(&paired) {
            for (at, side) in [(pair.before, &mut out.before), (pair.now, &mut out.now)] {
                if let Some(place) = at.and_then(|at| side.get_mut(at)) {
                    *place = number;
                }
            }
            out.renewed.push(pair.renewed);
        }
        out
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
    /// Its principal or its group is another thing than in the other snapshot.
    pub renewed: bool,
}

/// Which of the two snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    Now,
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
            let (key, renewed) = self.key(side, principal, target, None, m.kind.as_str())?;
            Some(Edge { key, at, ix: m.membership_ix, renewed: renewed || self.groups.is_renewed(Some(target)) })
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
            let (key, renewed) = self.key(side, principal, target, resource, g.effect.as_str())?;
            Some(Edge { key, at, ix: g.grant_ix, renewed })
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
    ) -> Option<(Key<'a>, bool)> {
        let known = |numbers: &Numbers, ix: Option<u32>| match ix {
            Some(ix) => number(numbers, side, Some(ix)).map(Some),
            None => Some(None),
        };
        let (account, group) = (known(&self.accounts, account)?, known(&self.groups, group)?);
        let renewed = self.accounts.is_renewed(account) || self.groups.is_renewed(group);
        Some((Key { account, group, outside, principal_kind, target, resource, way }, renewed))
    }
}

fn number(numbers: &Numbers, side: Side, ix: Option<u32>) -> Option<u32> {
    let of = if side == Side::Before { &numbers.before } else { &numbers.now };
    of.get(ix? as usize).copied()
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
            let (these, rest) = list.split_at(list.partition_point(|e| e.key == next));
            *list = rest;
            these
        };
        Some((take(&mut before), take(&mut now)))
    })
}
