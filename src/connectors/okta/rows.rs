//! From records to the normal form: who exists, who belongs where, what is held.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Export;
use super::parse::{App, Assignment, Attributes, Group, Kind, Role, Rule, bare_app};
use crate::connectors::{Draft, DraftCredential, DraftGrant, DraftMembership, Drafted, Origin, Principal};
use crate::model::{
    ACCOUNTS, AccountStatus, CREDENTIALS, CredentialStatus, ENTITLEMENTS, GRANTS, GROUPS, GrantRow, GroupRow, MEMBERSHIPS, MembershipKind,
    MembershipRow, RESOURCES, Table,
};

/// The tables that each answer speaks of.
const COVERS: &[(Kind, &[&Table])] = &[
    (Kind::Users, &[&ACCOUNTS, &CREDENTIALS]),
    (Kind::Groups, &[&GROUPS]),
    (Kind::Members, &[&GROUPS, &MEMBERSHIPS]),
    (Kind::Apps, &[&RESOURCES, &ENTITLEMENTS]),
    (Kind::AppUsers, &[&RESOURCES, &ENTITLEMENTS, &GRANTS]),
    (Kind::AppGroups, &[&RESOURCES, &ENTITLEMENTS, &GRANTS]),
    (Kind::Tokens, &[&CREDENTIALS]),
    (Kind::Roles, &[&ENTITLEMENTS, &GRANTS]),
];

/// Drafts the rows of everything that was read.
pub(super) fn draft(export: &Export, draft: &mut Draft) {
    for table in COVERS.iter().filter(|(kind, _)| export.kinds.contains(kind)).flat_map(|(_, tables)| *tables) {
        draft.cover(table);
    }
    users(export, draft);
    groups(export, draft);
    members(export, draft);
    apps(export, draft);
    assignments(export, draft);
    tokens(export, draft);
    roles(export, draft);
}

fn users(export: &Export, draft: &mut Draft) {
    for (id, user) in &export.users {
        draft.accounts.push(Drafted { row: user.value.row.clone(), origin: user.origin });
        if let Some(row) = user.value.password.clone() {
            draft.credentials.push(DraftCredential { row, holder: id.clone(), origin: user.origin });
        }
    }
}

/// The active rules that feed each group.
fn feeding(export: &Export) -> BTreeMap<&str, Vec<&Rule>> {
    let mut feeding: BTreeMap<&str, Vec<&Rule>> = BTreeMap::new();
    for rule in export.rules.values().map(|r| &r.value).filter(|r| r.active) {
        for group in &rule.groups {
            feeding.entry(group).or_default().push(rule);
        }
    }
    feeding
}

fn groups(export: &Export, draft: &mut Draft) {
    let feeding = feeding(export);
    for (id, group) in &export.groups {
        let Group { row, kind, description, source } = &group.value;
        let rules: Option<Value> = feeding
            .get(id.as_str())
            .map(|rules| rules.iter().map(|r| json!({"id": r.id, "name": r.name, "expression": r.expression})).collect());
        let attributes = Attributes::default()
            .with("type", kind.clone())
            .with("description", description.clone())
            .with("source_app", source.clone())
            .with("rules", rules);
        draft.groups.push(Drafted { row: GroupRow { attributes: attributes.json(), ..row.clone() }, origin: group.origin });
    }
}

/// Members, and the groups that only a member list names.
fn members(export: &Export, draft: &mut Draft) {
    let feeding = feeding(export);
    let mut unlisted: BTreeSet<&str> = BTreeSet::new();
    for ((user, group), origin) in &export.members {
        // Okta itself says who is in its built-in groups.
        let automatic = export.groups.get(group).is_some_and(|g| g.value.row.vendor_managed);
        let dynamic = automatic || feeding.get(group.as_str()).is_some_and(|rules| rules.iter().any(|r| !r.excluded.contains(user)));
        let kind = if dynamic { MembershipKind::Dynamic } else { MembershipKind::Direct };
        if !export.groups.contains_key(group) && unlisted.insert(group) {
            draft.note(origin.file, "members of a group that is in no list of groups: only its id is known");
            let row = GroupRow { native_id: group.clone(), kind: "group".to_owned(), ..GroupRow::default() };
            draft.groups.push(Drafted { row, origin: *origin });
        }
        draft.memberships.push(DraftMembership {
            row: MembershipRow { kind, ..MembershipRow::default() },
            member: Principal::Account(user.clone()),
            group: group.clone(),
            origin: *origin,
        });
    }
}

fn app(draft: &mut Draft, app: &App, origin: Origin) {
    draft.resources.push(Drafted { row: app.resource.clone(), origin });
    draft.entitlements.push(Drafted { row: app.entitlement.clone(), origin });
}

/// Apps, and those that only an assignment names.
fn apps(export: &Export, draft: &mut Draft) {
    for listed in export.apps.values() {
        app(draft, &listed.value, listed.origin);
    }
    let mut unlisted: BTreeMap<&str, Origin> = BTreeMap::new();
    for held in export.app_users.values().chain(export.app_groups.values()) {
        if !export.apps.contains_key(&held.value.app) {
            unlisted.entry(&held.value.app).or_insert(held.origin);
        }
    }
    for (id, origin) in unlisted {
        draft.note(origin.file, "assignments to an app that is in no list of apps: only its id is known");
        app(draft, &bare_app(id.to_owned(), None, Attributes::default()), origin);
    }
}

/// Whether the export shows the group through which a user has an app.
fn shown_by_group(export: &Export, held: &Assignment) -> bool {
    let groups = export.app_groups.range((held.app.clone(), String::new())..).take_while(|((app, _), _)| *app == held.app);
    groups.into_iter().any(|((_, group), _)| export.members.contains_key(&(held.holder.clone(), group.clone())))
}

/// What is recorded of an assignment that is not plainly in force; `None` for one that is over.
fn standing(held: &Assignment) -> Option<Option<String>> {
    let status = held.status.as_deref().unwrap_or("ACTIVE");
    let over = matches!(status, "UNASSIGNED" | "DEPROVISIONED" | "REVOKED");
    let plain = matches!(status, "ACTIVE" | "PROVISIONED" | "APPROVED" | "IMPLICIT");
    let condition = match (held.inherited, plain) {
        (false, true) => None,
        (true, true) => Some(json!({"scope": "GROUP"})),
        (false, false) => Some(json!({"status": status})),
        (true, false) => Some(json!({"scope": "GROUP", "status": status})),
    };
    (!over).then(|| condition.map(|c| c.to_string()))
}

fn assignments(export: &Export, draft: &mut Draft) {
    for held in export.app_users.values() {
        if held.value.inherited && shown_by_group(export, &held.value) {
            draft.note(held.origin.file, "assignment through a group: its edges are the membership and the group's assignment");
        } else if let Some(condition) = standing(&held.value) {
            grant(draft, &held.value, Principal::Account(held.value.holder.clone()), condition, held.origin);
        } else {
            draft.note(held.origin.file, "assignment that is over (unassigned, deprovisioned or revoked): no edge");
        }
    }
    for held in export.app_groups.values() {
        grant(draft, &held.value, Principal::Group(held.value.holder.clone()), None, held.origin);
    }
}

fn grant(draft: &mut Draft, held: &Assignment, holder: Principal, condition: Option<String>, origin: Origin) {
    draft.grants.push(DraftGrant {
        row: GrantRow { granted_at: held.granted_at, condition, ..GrantRow::default() },
        holder,
        entitlement: held.app.clone(),
        resource: Some(held.app.clone()),
        origin,
    });
}

fn tokens(export: &Export, draft: &mut Draft) {
    for token in export.tokens.values() {
        let (mut row, holder) = token.value.clone();
        // Okta refuses the tokens of a user who is suspended or deactivated.
        if export.users.get(&holder).is_some_and(|u| u.value.row.status == AccountStatus::Disabled) {
            row.status = CredentialStatus::Inactive;
        }
        draft.credentials.push(DraftCredential { row, holder, origin: token.origin });
    }
}

fn roles(export: &Export, draft: &mut Draft) {
    let mut met: BTreeSet<&str> = BTreeSet::new();
    for role in export.roles.values() {
        let Role { row, holder, to_group, granted_at, status } = &role.value;
        if met.insert(&row.native_id) {
            draft.entitlements.push(Drafted { row: row.clone(), origin: role.origin });
        }
        let condition = status.as_deref().filter(|s| *s != "ACTIVE").map(|s| json!({"status": s}).to_string());
        draft.grants.push(DraftGrant {
            row: GrantRow { granted_at: *granted_at, condition, ..GrantRow::default() },
            holder: if *to_group { Principal::Group(holder.clone()) } else { Principal::Account(holder.clone()) },
            entitlement: row.native_id.clone(),
            resource: None,
            origin: role.origin,
        });
    }
}
