//! The views by array lookup: ordinals index the dimension rows directly, nothing is hashed.

use super::load::System;
use super::views::*;
use crate::model::*;

/// What resolve found for one system, aligned with its accounts and groups.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub system: &'a System,
    pub seen: &'a RunSystemRow,
    /// One per account, in the order of `account_ix`.
    pub states: &'a [AccountStateRow],
    /// Sorted by (`account_ix`, `rank`).
    pub candidates: &'a [AccountIdentityRow],
    /// One per group, in the order of `group_ix`.
    pub reach: &'a [GroupReachRow],
    /// Sorted by (`account_ix`, `edge`, `edge_ix`, `rank`).
    pub fit: &'a [RoleFitRow],
    /// Sorted by (`account_ix`, `method`).
    pub risks: &'a [PrincipalRiskRow],
    /// All identities of the run, in the order of `identity_ix`.
    pub identities: &'a [RunIdentityRow],
}

/// What an edge leads to: native id and name of its target, level, native id of its resource, when it was granted.
type Target = (String, Option<String>, Level, Option<String>, Option<Time>);

fn target(c: &Context<'_>, edge: &str, edge_ix: u32) -> Option<Target> {
    if edge == "membership" {
        let m = c.system.memberships.get(edge_ix as usize)?;
        let group = c.system.groups.get(m.group_ix as usize)?;
        return Some((group.native_id.clone(), group.name.clone(), c.reach.get(m.group_ix as usize)?.level, None, m.granted_at));
    }
    let g = c.system.grants.get(edge_ix as usize)?;
    let e = c.system.entitlements.get(g.entitlement_ix as usize)?;
    Some((e.native_id.clone(), e.name.clone(), e.level, resource(c, &g), g.granted_at))
}

/// `moved_access` of the system; `rows`: its rows of `mover_access`.
pub fn moved_access(c: &Context<'_>, rows: &[MoverAccessRow]) -> Vec<MovedAccessView> {
    let row = |r: &MoverAccessRow| {
        let account = c.system.accounts.get(r.account_ix as usize)?;
        let i = c.identities.get(r.identity_ix as usize)?;
        let (target, target_name, level, resource, granted_at) = target(c, &r.edge, r.edge_ix)?;
        Some(MovedAccessView {
            system_ix: r.system_ix,
            account_ix: r.account_ix,
            edge: r.edge.clone(),
            edge_ix: r.edge_ix,
            rank: r.rank,
            login: account.login.clone(),
            status: account.status,
            candidates: c.states.get(r.account_ix as usize)?.candidates,
            identity_ix: r.identity_ix,
            identity_name: i.display_name.clone(),
            target,
            target_name,
            level,
            resource,
            granted_at,
            moved_after: r.moved_after,
            moved_by: r.moved_by,
            took_effect: r.moved_by < c.seen.observed_at || r.moved_after.is_some() && r.moved_by == c.seen.observed_at,
            from_title: r.from_title.clone(),
            to_title: r.to_title.clone(),
            from_unit: r.from_unit.clone(),
            to_unit: r.to_unit.clone(),
            fit_before: r.fit_before,
            roles_before: r.roles_before.clone(),
            fit_now: r.fit_now,
            began: r.began,
            began_by: r.began_by,
            observed_at: c.seen.observed_at,
        })
    };
    rows.iter().filter_map(row).collect()
}

/// `escalations` of the accounts `from..to`.
pub fn escalations(c: &Context<'_>, from: u32, to: u32) -> Vec<EscalationView> {
    let first = c.risks.partition_point(|r| r.account_ix < from);
    let row = |r: &PrincipalRiskRow| EscalationView {
        system_ix: r.system_ix,
        account_ix: r.account_ix,
        method: r.method.clone(),
        risk: r.risk,
        verdict: r.verdict,
        rank: r.rank,
        actions: r.actions.clone(),
        target: r.target.clone(),
        target_name: r.target_name.clone(),
        path: r.path.clone(),
        limits: r.limits.clone(),
        condition: r.condition.clone(),
        attachments: r.attachments.clone(),
        observed_at: c.seen.observed_at,
    };
    c.risks.iter().skip(first).take_while(|r| r.account_ix < to).map(row).collect()
}

fn resource(c: &Context<'_>, g: &GrantRow) -> Option<String> {
    g.resource_ix.and_then(|r| c.system.resources.get(r as usize)).map(|r| r.native_id.clone())
}

/// `register` of the system, if it holds one. `present`: names of the systems of the run.
pub fn register(system: &System, present: &std::collections::BTreeSet<&str>) -> Vec<RegisterView> {
    let row = |r: &SystemRow| RegisterView {
        register_ix: system.ix,
        system: r.system.clone(),
        owner_ref: r.owner_ref.clone(),
        in_scope: r.in_scope,
        environment: r.environment.clone(),
        present: present.contains(r.system.as_str()),
        observed_at: system.observed_at(),
    };
    system.register.iter().map(row).collect()
}

/// `reviews` of the system, if it holds any.
pub fn reviews(system: &System) -> Vec<ReviewView> {
    let row = |r: &ReviewRow| ReviewView {
        source_ix: system.ix,
        review: r.review.clone(),
        system: r.system.clone(),
        subject_ref: r.subject_ref.clone(),
        entitlement_ref: r.entitlement_ref.clone(),
        exception_ref: r.exception_ref.clone(),
        reviewer_ref: r.reviewer_ref.clone(),
        decision: r.decision,
        decided_at: r.decided_at,
        due_at: r.due_at,
        observed_at: system.observed_at(),
    };
    system.reviews.iter().map(row).collect()
}
