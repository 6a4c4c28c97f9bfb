//! Rows behind a finding beyond those of its subject: of earlier snapshots, and of the role catalogue.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::Run;
use super::load::System;
use crate::model::*;

/// A row of a snapshot: the snapshot, its table, its position.
pub(super) type Row<'a> = (&'a System, &'static str, u32);

/// Records of the role catalogue that one finding names.
const ROLE_RECORDS: usize = 20;

/// Who could read a secret and had left before it was last changed, and what let them.
#[derive(Debug, Default)]
pub(super) struct Known<'a> {
    /// Run-wide ordinals, ascending.
    pub identities: Vec<u32>,
    pub rows: Vec<Row<'a>>,
}

/// The leavers behind a secret that was not changed since they left, with account, memberships, grants and policies as their snapshot
/// has them.
pub(super) fn secret<'a>(run: &'a Run, system_ix: u32, secret: &CredentialRow) -> Known<'a> {
    let changed = secret.rotated_at.or(secret.created_at);
    let mut out = Known::default();
    let mut identities = BTreeSet::new();
    for reach in run.reach_of(system_ix, &secret.native_id).filter(|r| changed.is_none_or(|at| at < r.left_by)) {
        identities.insert(reach.identity_ix);
        let Some(then) = run.snapshot(reach.system_ix, &reach.snapshot) else { continue };
        let Some(account_ix) = then.account(&reach.account) else { continue };
        out.rows.push((then, "accounts", account_ix));
        let policies: BTreeSet<u32> = reach
            .via
            .split("; ")
            .filter_map(|id| then.entitlements.binary_search_by(|e| e.native_id.as_str().cmp(id)).ok())
            .filter_map(|at| u32::try_from(at).ok())
            .collect();
        let held = |g: &Cow<'_, GrantRow>| policies.contains(&g.entitlement_ix);
        let own = then.grants.range(then.grants_of(account_ix, account_ix.saturating_add(1))).filter(held);
        out.rows.extend(own.map(|g| (then, "grants", g.grant_ix)));
        let of_groups = then.grants.range(then.grants_of(0, u32::MAX).end..then.grants.len()).filter(held);
        let holders: BTreeSet<u32> = of_groups.filter_map(|g| g.group_ix).collect();
        let (groups, memberships) = way_in(then, account_ix, holders);
        out.rows.extend(memberships.into_iter().map(|m| (then, "memberships", m)));
        out.rows.extend(groups.into_iter().map(|g| (then, "groups", g)));
        out.rows.extend(policies.into_iter().map(|p| (then, "entitlements", p)));
    }
    out.identities = identities.into_iter().collect();
    out
}

/// The groups through which an account is in some groups, those themselves included, and the memberships on the way; ascending.
fn way_in(system: &System, account_ix: u32, mut groups: BTreeSet<u32>) -> (BTreeSet<u32>, BTreeSet<u32>) {
    let nested = || {
        system
            .memberships
            .range(system.memberships_of(0, u32::MAX).end..system.memberships.len())
            .filter_map(|m| Some((m.membership_ix, m.member_group_ix?, m.group_ix)))
    };
    let mut before = 0;
    while groups.len() > before {
        before = groups.len();
        let below: Vec<u32> = nested().filter(|(.., g)| groups.contains(g)).map(|(_, member, _)| member).collect();
        groups.extend(below);
    }
    // Of the groups below, those that the account's own memberships lead through.
    let of_account = system.memberships.range(system.memberships_of(account_ix, account_ix.saturating_add(1)));
    let own = of_account.filter(|m| groups.contains(&m.group_ix));
    let (mut edges, mut reached): (BTreeSet<u32>, BTreeSet<u32>) = own.map(|m| (m.membership_ix, m.group_ix)).unzip();
    before = 0;
    while reached.len() > before {
        before = reached.len();
        let up: Vec<(u32, u32)> =
            nested().filter(|(_, member, g)| reached.contains(member) && groups.contains(g)).map(|(m, _, g)| (m, g)).collect();
        edges.extend(up.iter().map(|(m, _)| *m));
        reached.extend(up.iter().map(|(_, g)| *g));
    }
    (reached, edges)
}

/// Records of some roles that give a right in a system, the first of them.
pub(super) fn roles<'a, 'i>(run: &'a Run, system: &str, ids: impl Iterator<Item = &'i str>) -> Vec<Row<'a>> {
    let ids: BTreeSet<&str> = ids.collect();
    if ids.is_empty() {
        return Vec::new();
    }
    let of = |s: &'a System| {
        let rows = (0_u32..).zip(&s.role_model).filter(|(_, r)| ids.contains(r.role.as_str()) && r.gives_in(system));
        rows.map(move |(ix, _)| (s, ROLE_MODEL.name, ix)).collect::<Vec<_>>()
    };
    run.systems.iter().flat_map(of).take(ROLE_RECORDS).collect()
}

/// What the logs of the people lists say of moves of those who may be behind an account.
pub(super) fn moves(run: &Run, system_ix: u32, account_ix: u32) -> Vec<Row<'_>> {
    let mut out = Vec::new();
    for person in run.candidates(system_ix, account_ix).iter().filter_map(|c| run.identities.get(c.identity_ix as usize)) {
        let Some(authority) = run.system(Some(person.system_ix)) else { continue };
        let own = (0_u32..).zip(&authority.lifecycle).filter(|(_, e)| e.identity_ix == person.source_ix && e.kind == "mover");
        out.extend(own.map(|(ix, _)| (authority, LIFECYCLE.name, ix)));
    }
    out
}
