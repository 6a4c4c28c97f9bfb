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

/// `accounts` of the accounts `from..to`.
pub fn accounts(c: &Context<'_>, from: u32, to: u32) -> Vec<AccountView> {
    let span = |n: usize| (from as usize).min(n)..(to as usize).min(n);
    let rows = c.system.accounts.get(span(c.system.accounts.len())).unwrap_or_default();
    let states = c.states.get(span(c.states.len())).unwrap_or_default();
    rows.iter()
        .zip(states)
        .map(|(a, s)| AccountView {
            system_ix: c.system.ix,
            account_ix: a.account_ix,
            system: c.system.name.clone(),
            account: a.native_id.clone(),
            login: a.login.clone(),
            login_norm: a.login_norm.clone(),
            display_name: a.display_name.clone(),
            email: a.email.clone(),
            email_norm: a.email_norm.clone(),
            employee_ref: a.employee_ref.clone(),
            owner_ref: a.owner_ref.clone(),
            owner_identity_ix: s.owner_identity_ix,
            kind: s.kind,
            kind_from: s.kind_from.to_string(),
            status: a.status,
            match_state: s.match_state,
            candidates: s.candidates,
            can_authenticate: s.can_authenticate,
            can_authenticate_why: s.can_authenticate_why.to_string(),
            created_at: a.created_at,
            last_used_at: a.last_used_at,
            last_used_until: a.last_used_until,
            use_state: a.use_state,
            use_window_from: a.use_window_from,
            mfa_state: a.mfa_state,
            expires_at: a.expires_at,
            environment: a.environment.clone(),
            team: c.seen.team.clone(),
            observed_at: c.seen.observed_at,
        })
        .collect()
}

/// `candidates` of the accounts `from..to`.
pub fn candidates(c: &Context<'_>, from: u32, to: u32) -> Vec<CandidateView> {
    let first = c.candidates.partition_point(|r| r.account_ix < from);
    c.candidates
        .iter()
        .skip(first)
        .take_while(|r| r.account_ix < to)
        .filter_map(|r| {
            let i = c.identities.get(r.identity_ix as usize)?;
            Some(CandidateView {
                system_ix: r.system_ix,
                account_ix: r.account_ix,
                rank: r.rank,
                identity_ix: r.identity_ix,
                identity: i.identity.clone(),
                identity_name: i.display_name.clone(),
                identity_kind: i.kind,
                score: r.score,
                rule: r.rule.to_string(),
                candidate_state: r.state,
                standing: r.standing,
                left_after: r.left_after,
                left_by: r.left_by,
                left_exact: r.left_exact,
                known_after: r.known_after,
                known_by: r.known_by,
                leaves_later: r.leaves_later && i.left_by.is_some(),
            })
        })
        .collect()
}

/// `access` of the accounts `from..to`: memberships, then grants.
pub fn access(c: &Context<'_>, from: u32, to: u32) -> Vec<AccessView> {
    let within = |ix: Option<u32>| ix.filter(|a| (from..to).contains(a));
    let first = c.system.memberships.partition_point(|m| m.account_ix.is_some_and(|a| a < from));
    let members = c.system.memberships.iter().skip(first).take_while(|m| within(m.account_ix).is_some()).filter_map(|m| {
        if !matches!(m.kind, MembershipKind::Direct | MembershipKind::Assume) {
            return None;
        }
        let group = c.system.groups.get(m.group_ix as usize)?;
        let reach = c.reach.get(m.group_ix as usize)?;
        Some(AccessView {
            system_ix: c.system.ix,
            account_ix: m.account_ix?,
            edge: "membership".to_owned(),
            edge_ix: m.membership_ix,
            target: group.native_id.clone(),
            target_name: group.name.clone(),
            level: reach.level,
            risks: reach.risks.clone(),
            conditional: reach.conditional || m.condition.is_some(),
            path: Some(reach.path.clone()),
            resource: None,
            granted_at: m.granted_at,
            expires_at: m.expires_at,
            request_ref: m.request_ref.clone(),
            observed_at: c.seen.observed_at,
        })
    });
    let first = c.system.grants.partition_point(|g| g.account_ix.is_some_and(|a| a < from));
    let grants = c.system.grants.iter().skip(first).take_while(|g| within(g.account_ix).is_some()).filter_map(|g| {
        if g.effect != Effect::Allow {
            return None;
        }
        let e = c.system.entitlements.get(g.entitlement_ix as usize)?;
        Some(AccessView {
            system_ix: c.system.ix,
            account_ix: g.account_ix?,
            edge: "grant".to_owned(),
            edge_ix: g.grant_ix,
            target: e.native_id.clone(),
            target_name: e.name.clone(),
            level: e.level,
            risks: e.risks.clone(),
            conditional: e.conditional || g.condition.is_some(),
            path: None,
            resource: resource(c, g),
            granted_at: g.granted_at,
            expires_at: g.expires_at,
            request_ref: g.request_ref.clone(),
            observed_at: c.seen.observed_at,
        })
    });
    members.chain(grants).collect()
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
    Some((e.native_id.clone(), e.name.clone(), e.level, resource(c, g), g.granted_at))
}

/// `access_fit` of the accounts `from..to`.
pub fn access_fit(c: &Context<'_>, from: u32, to: u32) -> Vec<AccessFitView> {
    let first = c.fit.partition_point(|r| r.account_ix < from);
    let row = |r: &RoleFitRow| {
        let i = c.identities.get(r.identity_ix as usize)?;
        let (target, target_name, level, resource, granted_at) = target(c, &r.edge, r.edge_ix)?;
        Some(AccessFitView {
            system_ix: r.system_ix,
            account_ix: r.account_ix,
            edge: r.edge.clone(),
            edge_ix: r.edge_ix,
            rank: r.rank,
            identity_ix: r.identity_ix,
            identity_name: i.display_name.clone(),
            title: i.title.clone(),
            org_unit: i.org_unit.clone(),
            target,
            target_name,
            level,
            resource,
            granted_at,
            fit: r.fit,
            roles_due: r.roles_due,
            roles: r.roles.clone(),
            excess: r.excess.clone(),
            excess_count: r.excess_count,
            catch_all: r.catch_all,
            observed_at: c.seen.observed_at,
        })
    };
    c.fit.iter().skip(first).take_while(|r| r.account_ix < to).filter_map(row).collect()
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

/// `grants` of the system.
pub fn grants(c: &Context<'_>) -> Vec<GrantView> {
    let row = |g: &GrantRow| {
        let e = c.system.entitlements.get(g.entitlement_ix as usize)?;
        let account = g.account_ix.and_then(|a| c.system.accounts.get(a as usize));
        let state = g.account_ix.and_then(|a| c.states.get(a as usize));
        let group = g.group_ix.and_then(|x| c.system.groups.get(x as usize));
        let reach = g.group_ix.and_then(|x| c.reach.get(x as usize));
        let principal = account.map(|a| &a.native_id).or(group.map(|x| &x.native_id)).or(g.principal_ref.as_ref())?.clone();
        let name = account.and_then(|a| a.login.clone().or_else(|| a.display_name.clone())).or_else(|| group.and_then(|x| x.name.clone()));
        Some(GrantView {
            system_ix: c.system.ix,
            grant_ix: g.grant_ix,
            system: c.system.name.clone(),
            account_ix: g.account_ix,
            group_ix: g.group_ix,
            principal_kind: g.principal_kind,
            principal,
            principal_name: name,
            principal_vendor: state.is_some_and(|s| s.kind == AccountKind::System) || group.is_some_and(|x| x.vendor_managed),
            entitlement: e.native_id.clone(),
            entitlement_name: e.name.clone(),
            entitlement_kind: e.kind.clone(),
            level: e.level,
            risks: e.risks.clone(),
            conditional: e.conditional || g.condition.is_some(),
            vendor_managed: e.vendor_managed,
            effect: g.effect,
            resource: resource(c, g),
            members: reach.map_or_else(|| u32::from(g.account_ix.is_some()), |r| r.members),
            granted_at: g.granted_at,
            expires_at: g.expires_at,
            observed_at: c.seen.observed_at,
        })
    };
    c.system.grants.iter().filter_map(row).collect()
}

/// `memberships` of the system.
pub fn memberships(c: &Context<'_>) -> Vec<MembershipView> {
    let row = |m: &MembershipRow| {
        let group = c.system.groups.get(m.group_ix as usize)?;
        let account = m.account_ix.and_then(|a| c.system.accounts.get(a as usize)).map(|a| &a.native_id);
        let member = m.member_group_ix.and_then(|x| c.system.groups.get(x as usize)).map(|x| &x.native_id);
        Some(MembershipView {
            system_ix: c.system.ix,
            membership_ix: m.membership_ix,
            system: c.system.name.clone(),
            account_ix: m.account_ix,
            member_group_ix: m.member_group_ix,
            principal_kind: m.principal_kind,
            principal: account.or(member).or(m.principal_ref.as_ref())?.clone(),
            group_ix: m.group_ix,
            group_id: group.native_id.clone(),
            group_name: group.name.clone(),
            group_in_export: group.attributes.as_deref() != Some(r#"{"not_in_export":true}"#),
            kind: m.kind.as_str().to_owned(),
            level: c.reach.get(m.group_ix as usize)?.level,
            conditional: m.condition.is_some(),
            granted_at: m.granted_at,
            expires_at: m.expires_at,
            observed_at: c.seen.observed_at,
        })
    };
    c.system.memberships.iter().filter_map(row).collect()
}

/// `credentials` of the system.
pub fn credentials(c: &Context<'_>) -> Vec<CredentialView> {
    let row = |x: &CredentialRow| {
        let account = x.account_ix.and_then(|a| c.system.accounts.get(a as usize));
        let state = x.account_ix.and_then(|a| c.states.get(a as usize));
        Some(CredentialView {
            system_ix: c.system.ix,
            credential_ix: x.credential_ix,
            system: c.system.name.clone(),
            credential: x.native_id.clone(),
            account_ix: x.account_ix,
            holder: account.map(|a| &a.native_id).or(x.holder_ref.as_ref())?.clone(),
            login: account.and_then(|a| a.login.clone()),
            account_kind: state.map_or(AccountKind::Unknown, |s| s.kind),
            account_status: account.map_or(AccountStatus::Unknown, |a| a.status),
            can_authenticate: state.map_or(Answer::Unknown, |s| s.can_authenticate),
            match_state: state.map_or(MatchState::NotEvaluated, |s| s.match_state),
            kind: x.kind,
            status: x.status,
            created_at: x.created_at,
            rotated_at: x.rotated_at,
            last_used_at: x.last_used_at,
            use_state: x.use_state,
            use_window_from: x.use_window_from,
            expires_at: x.expires_at,
            observed_at: c.seen.observed_at,
        })
    };
    c.system.credentials.iter().filter_map(row).collect()
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
