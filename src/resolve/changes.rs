//! What differs between two snapshots of one system: accounts, credentials, memberships and grants by native id (11.7).
//!
//! Only tables that both snapshots cover are compared. What a short snapshot leaves out is said to be not comparable, not removed.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::attributes::Differences;
use super::candidates::Candidates;
use super::edges::{Common, Edge, Named, Pair, Picture, by_key, pairs};
use super::history::{Held, Sights};
use super::merge::{Both, Job, Numbering, Sampled, Shot, Side, Source, What, all, walk};
use crate::model::{
    ACCOUNTS, AccountRow, CREDENTIALS, Change, ChangeObject, ChangeRow, CredentialRow, EdgeHistory, GRANTS, GrantRow, MEMBERSHIPS,
    MembershipRow, PrincipalKind, Table, Time, Word,
};

/// The kinds of object and the table that each is a row of.
const OBJECTS: [(ChangeObject, What, &Table); 4] = [
    (ChangeObject::Account, What::Accounts, &ACCOUNTS),
    (ChangeObject::Credential, What::Credentials, &CREDENTIALS),
    (ChangeObject::Membership, What::Memberships, &MEMBERSHIPS),
    (ChangeObject::Grant, What::Grants, &GRANTS),
];

/// What differs between two snapshots of one system.
#[derive(Debug)]
pub struct Compared {
    before: (Time, bool),
    now: (Time, bool),
    /// By object; what is back is still said to be added.
    found: Vec<(ChangeObject, Vec<ChangeRow>)>,
}

impl Compared {
    /// The rows of table `changes`. `history`: of the newer snapshot's edges. `change_ix` is the position among these rows.
    pub fn rows(self, system_ix: u32, history: &EdgeHistory) -> Vec<ChangeRow> {
        let mut out = Vec::new();
        for (object, mut found) in self.found {
            mark_regrants(object, &mut found, history, system_ix, self.before.0);
            withhold_both(object, &mut found, self.before, self.now);
            found.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
            out.extend(found);
        }
        finish(&mut out, system_ix, Some(self.before.0), self.now.0);
        out
    }
}

/// Compares the older snapshot with the newer.
///
/// Both are merged as columns; only what may differ becomes rows.
///
/// # Errors
/// A table cannot be read, or is not in the order of its key.
pub fn changes<S: Source>(before: &Shot<'_, S>, now: &Shot<'_, S>) -> Result<Compared, S::Error> {
    Ok(compared(before, now)?.0)
}

/// Edges of the newer snapshot that the older one holds, of one table.
type HeldBefore = (What, Held);

/// As [`changes`], and which edges of the newer snapshot the older one holds, by table.
pub(super) fn compared<S: Source>(before: &Shot<'_, S>, now: &Shot<'_, S>) -> Result<(Compared, Vec<HeldBefore>), S::Error> {
    let shots = &Both { before: *before, now: *now };
    let objects: Vec<(ChangeObject, What)> =
        OBJECTS.iter().filter(|o| before.speaks_of(o.2) && now.speaks_of(o.2)).map(|o| (o.0, o.1)).collect();
    let tables: Vec<&'static Table> = objects.iter().map(|o| o.1.table()).collect();
    let numbers = &Numbering::of(shots, &tables)?;
    let walked = objects.par_iter().with_max_len(1).map(|(object, what)| walked(shots, numbers, *object, *what));
    let (mut rest, mut rows, mut seen) = (Both::<Sampled>::default(), BTreeMap::<ChangeObject, Vec<ChangeRow>>::new(), Vec::new());
    for ((object, what), walked) in objects.iter().zip(all(walked.collect())?) {
        rows.insert(*object, walked.rows);
        rest.before.append(walked.rest.before);
        rest.now.append(walked.rest.now);
        seen.extend(walked.held.map(|held| (*what, held)));
    }
    for (object, found) in looked_at(shots, rest, &objects)? {
        rows.entry(object).or_default().extend(found);
    }
    let found = OBJECTS.iter().filter_map(|(object, _, table)| match (before.speaks_of(table), now.speaks_of(table)) {
        (false, false) => None,
        (true, true) => Some((*object, rows.remove(object).unwrap_or_default())),
        (covered, _) => Some((*object, vec![uncovered(*object, table, if covered { now.taken_at } else { before.taken_at })])),
    });
    let compared = Compared { before: (before.taken_at, before.short), now: (now.taken_at, now.short), found: found.collect() };
    Ok((compared, seen))
}

/// What was found in one table.
struct Walked {
    rows: Vec<ChangeRow>,
    /// Not looked at yet.
    rest: Both<Sampled>,
    /// Edges: which of them the older snapshot holds.
    held: Option<Held>,
}

fn walked<S: Source>(shots: &Both<Shot<'_, S>>, numbers: &Numbering, object: ChangeObject, what: What) -> Result<Walked, S::Error> {
    let mut rows = Vec::new();
    let look = |found: Both<Sampled>| {
        rows.extend(looked_at(shots, found, &[(object, what)])?.into_iter().flat_map(|(_, rows)| rows));
        Ok(())
    };
    let candidates = Candidates::new(what, numbers, shots, look)?;
    let sights = matches!(what, What::Memberships | What::Grants).then(|| Sights::new(what, numbers));
    let mut visit = (candidates, sights);
    walk(&Job { what, attributes: true, shots: *shots, numbers }, &mut visit)?;
    let (rest, held) = (visit.0.rest(), visit.1.map(Sights::runs));
    Ok(Walked { rows, rest, held })
}

/// Looks at rows one by one: what became of them, by object.
fn looked_at<S: Source>(
    shots: &Both<Shot<'_, S>>,
    mut found: Both<Sampled>,
    objects: &[(ChangeObject, What)],
) -> Result<Vec<(ChangeObject, Vec<ChangeRow>)>, S::Error> {
    let (before, now) = rayon::join(|| found.before.name(&shots.before), || found.now.name(&shots.now));
    before.and(now)?;
    let rows = |(object, what): &(ChangeObject, What)| {
        let (before, now) = (&found.before.picture(&shots.before, *what), &found.now.picture(&shots.now, *what));
        let common = &Common::of(before, now);
        (*object, Comparison { before, now, common, object: *object }.rows())
    };
    Ok(objects.par_iter().with_max_len(1).map(rows).collect())
}

/// Edges of the newer snapshot that were there earlier than in the older one, of that instant, are back and not new.
pub(super) fn mark_regrants(object: ChangeObject, rows: &mut [ChangeRow], history: &EdgeHistory, system_ix: u32, before: Time) {
    if !matches!(object, ChangeObject::Membership | ChangeObject::Grant) {
        return;
    }
    for row in rows.iter_mut().filter(|r| r.change == Change::Added) {
        let presence = row.edge_ix.and_then(|edge_ix| history.presence(system_ix, object == ChangeObject::Grant, edge_ix));
        if presence.is_some_and(|p| p.regranted && p.last_absent >= Some(before)) {
            row.change = Change::Regranted;
        }
    }
}

pub(super) fn uncovered(object: ChangeObject, table: &Table, lacking: Time) -> ChangeRow {
    silent(object, format!("the snapshot of {lacking} does not cover {}", table.name))
}

pub(super) fn finish(rows: &mut [ChangeRow], system_ix: u32, after_at: Option<Time>, by_at: Time) {
    for row in rows.iter_mut() {
        (row.system_ix, row.after_at, row.by_at) = (system_ix, after_at, by_at);
    }
    number(rows);
}

/// Keys of edges that are looked at one after another, at least.
const KEYS: usize = 256;

/// The rows of a system whose current snapshot has nothing to stand beside: why not, for each table that it covers.
pub fn incomparable<S>(system_ix: u32, now: &Shot<'_, S>, after_at: Option<Time>, why: &str) -> Vec<ChangeRow> {
    let covered = OBJECTS.iter().filter(|(_, _, table)| now.speaks_of(table));
    let mut out: Vec<ChangeRow> = covered.map(|(object, _, _)| silent(*object, why.to_owned())).collect();
    finish(&mut out, system_ix, after_at, now.taken_at);
    out
}

/// Gives rows their ordinals.
pub fn number(rows: &mut [ChangeRow]) {
    (0u32..).zip(rows).for_each(|(i, row)| row.change_ix = i);
}

fn silent(object: ChangeObject, why: String) -> ChangeRow {
    ChangeRow { object, change: Change::NotComparable, note: Some(why), ..ChangeRow::default() }
}

pub(super) fn sort_key(r: &ChangeRow) -> impl Ord + '_ {
    let ids = (&r.principal, &r.target, &r.resource, &r.way);
    (ids, r.principal_kind, r.change, r.edge_ix, &r.details)
}

/// Takes out what only the shortness of a snapshot may have made, and says how much that is. Each snapshot: when it was taken, and
/// whether it is short.
pub(super) fn withhold_both(object: ChangeObject, rows: &mut Vec<ChangeRow>, before: (Time, bool), now: (Time, bool)) {
    withhold(object, rows, now, &[Change::Removed], "of the older one are not in it, and may be there all the same");
    let added = [Change::Added, Change::Regranted];
    withhold(object, rows, before, &added, "of the newer one are not in it, and may have been there before");
}

fn withhold(object: ChangeObject, rows: &mut Vec<ChangeRow>, (taken_at, short): (Time, bool), changes: &[Change], say: &str) {
    if !short {
        return;
    }
    let all = rows.len();
    rows.retain(|r| !changes.contains(&r.change));
    let n = all - rows.len();
    if n > 0 {
        rows.push(silent(object, format!("the snapshot of {taken_at} is short: {n} {say}")));
    }
}

/// Rows of two snapshots that are looked at one by one. Where a row of one side stands for one of the other, both are among them.
pub(super) struct Comparison<'a> {
    pub before: &'a Picture<'a>,
    pub now: &'a Picture<'a>,
    pub common: &'a Common,
    pub object: ChangeObject,
}

impl<'a> Comparison<'a> {
    /// What became of them, in no order. An edge that is back is said to be added.
    pub fn rows(&self) -> Vec<ChangeRow> {
        match self.object {
            ChangeObject::Account => self.accounts(),
            ChangeObject::Credential => self.credentials(),
            ChangeObject::Membership => {
                let edges = |side, picture| self.common.memberships(side, picture);
                self.edges(&edges(Side::Before, self.before), &edges(Side::Now, self.now))
            }
            ChangeObject::Grant => {
                let edges = |side, picture| self.common.grants(side, picture);
                self.edges(&edges(Side::Before, self.before), &edges(Side::Now, self.now))
            }
        }
    }

    fn accounts(&self) -> Vec<ChangeRow> {
        let row = |p: Pair| {
            let (old, new) = both(self.before.accounts, self.now.accounts, p);
            let mut differences = Differences::default();
            if let (Some(a), Some(b)) = (old, new) {
                differences.accounts(a, b);
            }
            let change = verdict(old.is_some(), new.is_some(), p.renewed, &differences)?;
            let shown = new.or(old)?;
            Some(ChangeRow {
                account_ix: new.map(|a| a.account_ix),
                principal: Some(shown.native_id.clone()),
                principal_name: name(shown),
                ..self.row(change, differences)
            })
        };
        pairs(self.before.accounts, self.now.accounts).into_iter().filter_map(row).collect()
    }

    fn credentials(&self) -> Vec<ChangeRow> {
        let row = |p: Pair| {
            let (old, new) = both(self.before.credentials, self.now.credentials, p);
            let holder = |picture: &Picture<'_>, c: &CredentialRow| {
                picture.account(c.account_ix).map(|a| a.native_id.clone()).or_else(|| c.holder_ref.clone())
            };
            let mut differences = Differences::default();
            let mut renewed = false;
            if let (Some(a), Some(b)) = (old, new) {
                let (from, to) = (holder(self.before, a), holder(self.now, b));
                // A credential has no generation of its own: its birth, or its holder's, tells it from one of the same name.
                renewed = a.created_at.zip(b.created_at).is_some_and(|(a, b)| a != b)
                    || (from == to && self.common.account_renewed(Side::Now, b.account_ix));
                differences.credentials(a, b);
                differences.add("holder", from, to);
            }
            let change = verdict(old.is_some(), new.is_some(), renewed, &differences)?;
            let (picture, shown) = match (new, old) {
                (Some(c), _) => (self.now, c),
                (None, Some(c)) => (self.before, c),
                (None, None) => return None,
            };
            Some(ChangeRow {
                account_ix: new.and_then(|c| c.account_ix),
                credential_ix: new.map(|c| c.credential_ix),
                principal: holder(picture, shown),
                principal_name: picture.account(shown.account_ix).and_then(name),
                target: Some(shown.native_id.clone()),
                target_name: shown.name.clone().or_else(|| Some(shown.kind.as_str().to_owned())),
                ..self.row(change, differences)
            })
        };
        pairs(self.before.credentials, self.now.credentials).into_iter().filter_map(row).collect()
    }

    fn edges(&self, before: &[Edge<'_>], now: &[Edge<'_>]) -> Vec<ChangeRow> {
        let keys: Vec<_> = by_key(before, now).collect();
        let rows = |(old, new): &(&[Edge<'_>], &[Edge<'_>])| -> Vec<ChangeRow> {
            self.matched(old, new).into_iter().filter_map(|(old, new)| self.edge(old, new)).collect()
        };
        keys.par_iter().with_min_len(KEYS).flat_map_iter(rows).collect()
    }

    /// Which rows of one edge stand for each other. An edge has several rows where it is held under several conditions: those that are
    /// equal in all belong together, then those of one condition, then the rest in their order.
    fn matched(&self, old: &[Edge<'_>], new: &[Edge<'_>]) -> Vec<(Option<usize>, Option<usize>)> {
        if let ([a], [b]) = (old, new) {
            return vec![(Some(a.at), Some(b.at))];
        }
        let mut old: Vec<usize> = old.iter().map(|e| e.at).collect();
        let mut new: Vec<usize> = new.iter().map(|e| e.at).collect();
        let mut out = Vec::new();
        let equal = |a: usize, b: usize| self.edge_differences(a, b).is_empty();
        let one_condition = |a: usize, b: usize| self.condition(self.before, a) == self.condition(self.now, b);
        let fits: [&dyn Fn(usize, usize) -> bool; 3] = [&equal, &one_condition, &|_, _| true];
        for fit in fits {
            new.retain(|b| match old.iter().position(|a| fit(*a, *b)) {
                Some(i) => {
                    out.push((Some(old.remove(i)), Some(*b)));
                    false
                }
                None => true,
            });
        }
        out.extend(new.into_iter().map(|b| (None, Some(b))));
        out.extend(old.into_iter().map(|a| (Some(a), None)));
        out
    }

    fn condition<'p>(&self, picture: &Picture<'p>, at: usize) -> Option<&'p String> {
        match self.object {
            ChangeObject::Membership => picture.memberships.get(at).and_then(|m| m.condition.as_ref()),
            _ => picture.grants.get(at).and_then(|g| g.condition.as_ref()),
        }
    }

    fn edge_differences(&self, old: usize, new: usize) -> Differences {
        let mut out = Differences::default();
        if self.object == ChangeObject::Membership {
            if let (Some(a), Some(b)) = (self.before.memberships.get(old), self.now.memberships.get(new)) {
                out.memberships(a, b);
                let level = |p: &Picture<'_>, m: &MembershipRow| p.group(Some(m.group_ix)).map_or("unknown", |g| g.level.as_str());
                out.word("level", level(self.before, a), level(self.now, b));
            }
        } else if let (Some(a), Some(b)) = (self.before.grants.get(old), self.now.grants.get(new)) {
            out.grants(a, b);
            out.entitlements((self.before, a.entitlement_ix), (self.now, b.entitlement_ix));
        }
        out
    }

    fn edge(&self, old: Option<usize>, new: Option<usize>) -> Option<ChangeRow> {
        let differences = old.zip(new).map(|(a, b)| self.edge_differences(a, b)).unwrap_or_default();
        let (picture, side, at) = match (new, old) {
            (Some(at), _) => (self.now, Side::Now, at),
            (None, Some(at)) => (self.before, Side::Before, at),
            (None, None) => return None,
        };
        let shown = if self.object == ChangeObject::Membership {
            Shown::membership(picture, picture.memberships.get(at)?)?
        } else {
            Shown::grant(picture, picture.grants.get(at)?)?
        };
        let renewed =
            shown.groups.iter().any(|g| self.common.group_renewed(side, *g)) || self.common.account_renewed(side, shown.account_ix);
        let change = verdict(old.is_some(), new.is_some(), renewed, &differences)?;
        let current = new.map(|_| shown.edge_ix);
        Some(ChangeRow {
            account_ix: shown.account_ix.filter(|_| current.is_some()),
            edge_ix: current,
            principal_kind: Some(shown.principal_kind),
            principal: Some(shown.principal),
            principal_name: shown.principal_name,
            target: Some(shown.target),
            target_name: shown.target_name,
            resource: shown.resource,
            way: Some(shown.way.to_owned()),
            granted_at: shown.granted_at,
            ..self.row(change, differences)
        })
    }

    fn row(&self, change: Change, differences: Differences) -> ChangeRow {
        ChangeRow { object: self.object, change, attributes: differences.names(), details: differences.details(), ..ChangeRow::default() }
    }
}

/// What became of one thing; `None`: nothing.
fn verdict(before: bool, now: bool, renewed: bool, differences: &Differences) -> Option<Change> {
    match (before, now) {
        (false, true) => Some(Change::Added),
        (true, false) => Some(Change::Removed),
        (true, true) if renewed => Some(Change::Recreated),
        (true, true) if !differences.is_empty() => Some(Change::Changed),
        _ => None,
    }
}

fn both<'a, T: Named>(before: &'a [T], now: &'a [T], p: Pair) -> (Option<&'a T>, Option<&'a T>) {
    (p.before.and_then(|i| before.get(i)), p.now.and_then(|i| now.get(i)))
}

fn name(account: &AccountRow) -> Option<String> {
    account.login.clone().or_else(|| account.display_name.clone())
}

/// An edge in the words of its own snapshot.
struct Shown {
    account_ix: Option<u32>,
    /// The groups that it names: as the principal, as the target.
    groups: [Option<u32>; 2],
    edge_ix: u32,
    principal_kind: PrincipalKind,
    principal: String,
    principal_name: Option<String>,
    target: String,
    target_name: Option<String>,
    resource: Option<String>,
    way: &'static str,
    granted_at: Option<Time>,
}

impl Shown {
    fn membership(picture: &Picture<'_>, m: &MembershipRow) -> Option<Self> {
        let (principal, principal_name) = principal(picture, m.account_ix, m.member_group_ix, m.principal_ref.as_ref())?;
        let group = picture.group(Some(m.group_ix))?;
        Some(Self {
            account_ix: m.account_ix,
            groups: [m.member_group_ix, Some(m.group_ix)],
            edge_ix: m.membership_ix,
            principal_kind: m.principal_kind,
            principal,
            principal_name,
            target: group.native_id.clone(),
            target_name: group.name.clone(),
            resource: None,
            way: m.kind.as_str(),
            granted_at: m.granted_at,
        })
    }

    fn grant(picture: &Picture<'_>, g: &GrantRow) -> Option<Self> {
        let (principal, principal_name) = principal(picture, g.account_ix, g.group_ix, g.principal_ref.as_ref())?;
        let entitlement = picture.entitlement(g.entitlement_ix)?;
        Some(Self {
            account_ix: g.account_ix,
            groups: [g.group_ix, None],
            edge_ix: g.grant_ix,
            principal_kind: g.principal_kind,
            principal,
            principal_name,
            target: entitlement.native_id.clone(),
            target_name: entitlement.name.clone(),
            resource: picture.resource(g.resource_ix).map(|r| r.native_id.clone()),
            way: g.effect.as_str(),
            granted_at: g.granted_at,
        })
    }
}

/// Native id and name of an edge's principal; its own text where it is neither account nor group.
fn principal(
    picture: &Picture<'_>,
    account: Option<u32>,
    group: Option<u32>,
    outside: Option<&String>,
) -> Option<(String, Option<String>)> {
    if let Some(account) = picture.account(account) {
        return Some((account.native_id.clone(), name(account)));
    }
    if let Some(group) = picture.group(group) {
        return Some((group.native_id.clone(), group.name.clone()));
    }
    outside.map(|text| (text.clone(), None))
}
