//! The tables that a mapping may fill, and their fields.

use crate::model::{
    AccountKind, AccountStatus, CredentialKind, CredentialStatus, Decision, Effect, IdentityKind, IdentityStatus, Level, MembershipKind,
    MfaState, RequestAction, ReviewDecision, TicketState, Word, WorkflowAction, WorkflowMode, WorkflowOutcome,
};

/// What a field takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Text,
    /// Several texts: a JSON list, or one cell split at a separator.
    List,
    /// A bare date means its first instant.
    Time,
    /// A bare date means the last day in, unless the source says otherwise.
    End,
    /// One word of a closed set.
    Word(fn() -> Vec<&'static str>),
    /// Several words, one for each element of another field.
    Words(fn() -> Vec<&'static str>),
    Flag,
    /// Only a fingerprint is kept.
    Secret,
}

impl Kind {
    /// The words that a value map may lead to.
    pub fn words(self) -> Option<Vec<&'static str>> {
        match self {
            Self::Word(all) | Self::Words(all) => Some(all()),
            Self::Flag => Some(vec!["true", "false"]),
            _ => None,
        }
    }
}

/// One field of a table.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: &'static str,
    pub kind: Kind,
}

/// One table that a mapping may fill.
#[derive(Debug)]
pub struct Target {
    pub table: Into,
    /// Its name in the configuration.
    pub name: &'static str,
    pub fields: &'static [Field],
    /// Of each set, one field must be mapped; of the first set the first that is found names the row.
    pub must: &'static [&'static [&'static str]],
}

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Into {
    Identities,
    Accounts,
    Groups,
    Memberships,
    Entitlements,
    Resources,
    Grants,
    Credentials,
    Events,
    Lifecycle,
    Requests,
    Approvals,
    Roles,
    Reviews,
    Separation,
    Workflow,
    Exceptions,
    Systems,
}

impl Target {
    /// The field called `name`.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|f| f.name == name)
    }

    /// The table called `name`.
    pub fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|t| t.name == name)
    }
}

fn words<W: Word>() -> Vec<&'static str> {
    W::ALL.iter().map(|w| w.as_str()).collect()
}

macro_rules! fields {
    ($($name:ident: $kind:expr),* $(,)?) => { &[$(Field { name: stringify!($name), kind: $kind }),*] };
}

use Kind::{End, Flag, List, Secret, Text, Time, Words};

const LEVEL: fn() -> Vec<&'static str> = words::<Level>;

/// Every table, in the order of the documentation.
pub static TARGETS: &[Target] = &[
    Target {
        table: Into::Identities,
        name: "identities",
        must: &[&["native_id", "employee_number", "login", "email"]],
        fields: fields! {
            native_id: Text, kind: Kind::Word(words::<IdentityKind>), employee_number: Text, display_name: Text, given_name: Text,
            family_name: Text, login: Text, email: Text, aliases: List, status: Kind::Word(words::<IdentityStatus>), manager: Text,
            owner: Text, org_unit: Text, title: Text, link: Text, employment: Text, start_at: Time, end_at: End, start_known_at: Time,
            end_known_at: Time,
        },
    },
    Target {
        table: Into::Accounts,
        name: "accounts",
        must: &[&["native_id", "login", "email"]],
        fields: fields! {
            native_id: Text, generation: Text, kind: Kind::Word(words::<AccountKind>), login: Text, display_name: Text, email: Text, upn: Text,
            employee_ref: Text, owner: Text, status: Kind::Word(words::<AccountStatus>), created_at: Time, changed_at: Time,
            last_used_at: Time, mfa: Kind::Word(words::<MfaState>), expires_at: End, locked_at: Time, environment: Text, groups: List,
            entitlement: List, entitlement_kind: Text, entitlement_level: Words(LEVEL), resource: Text, granted_at: Time,
            grant_expires_at: End, granted_by: Text, request: Text, grant_last_used_at: Time, secret: Secret,
        },
    },
    Target {
        table: Into::Groups,
        name: "groups",
        must: &[&["native_id", "name"]],
        fields: fields! { native_id: Text, name: Text, level: Kind::Word(LEVEL), vendor_managed: Flag, owner: Text },
    },
    Target {
        table: Into::Memberships,
        name: "memberships",
        must: &[&["account", "member_group"], &["group"]],
        fields: fields! {
            account: Text, member_group: Text, group: Text, kind: Kind::Word(words::<MembershipKind>), granted_at: Time, expires_at: End,
            granted_by: Text, request: Text,
        },
    },
    Target {
        table: Into::Entitlements,
        name: "entitlements",
        must: &[&["native_id", "name"]],
        fields: fields! {
            native_id: Text, name: Text, kind: Text, level: Kind::Word(LEVEL), risks: List, vendor_managed: Flag,
        },
    },
    Target {
        table: Into::Resources,
        name: "resources",
        must: &[&["native_id", "name"]],
        fields: fields! { native_id: Text, kind: Text, name: Text, environment: Text, sensitivity: Text, owner: Text },
    },
    Target {
        table: Into::Grants,
        name: "grants",
        must: &[&["account", "group"], &["entitlement"]],
        fields: fields! {
            account: Text, group: Text, entitlement: Text, entitlement_kind: Text, entitlement_level: Kind::Word(LEVEL), resource: Text,
            effect: Kind::Word(words::<Effect>), granted_at: Time, expires_at: End, granted_by: Text, request: Text, last_used_at: Time,
        },
    },
    Target {
        table: Into::Credentials,
        name: "credentials",
        must: &[&["native_id", "account"], &["account"]],
        fields: fields! {
            native_id: Text, account: Text, kind: Kind::Word(words::<CredentialKind>), name: Text,
            status: Kind::Word(words::<CredentialStatus>), created_at: Time, rotated_at: Time, last_used_at: Time, expires_at: End,
            secret: Secret,
        },
    },
    Target {
        table: Into::Events,
        name: "events",
        must: &[&["account"], &["at"], &["action"]],
        fields: fields! {
            event: Text, at: Time, action: Kind::Word(actions), account: Text, entitlement: Text, actor: Text, outcome: Kind::Word(outcomes),
        },
    },
    Target {
        table: Into::Lifecycle,
        name: "lifecycle_events",
        must: &[&["identity"], &["kind"], &["effective_at"]],
        fields: fields! { identity: Text, kind: Kind::Word(lifecycle), effective_at: Time, known_at: Time },
    },
    Target {
        table: Into::Requests,
        name: "requests",
        must: &[&["request"]],
        fields: fields! {
            request: Text, other_id: Text, action: Kind::Word(words::<RequestAction>), beneficiary: Text, requester: Text, system: Text,
            entitlement: Text, resource: Text, state: Kind::Word(words::<TicketState>), decision: Kind::Word(words::<Decision>),
            approver: Text, requested_at: Time, decided_at: Time, closed_at: Time, valid_from: Time, valid_to: End,
        },
    },
    Target {
        table: Into::Approvals,
        name: "approvals",
        must: &[&["request"]],
        fields: fields! { request: Text, approver: Text, decision: Kind::Word(words::<Decision>), decided_at: Time },
    },
    Target {
        table: Into::Roles,
        name: "role_model",
        must: &[&["role"]],
        fields: fields! {
            role: Text, name: Text, title: Text, org_unit: Text, holder: Text, system: Text, entitlement: List, resource: Text, owner: Text,
        },
    },
    Target {
        table: Into::Reviews,
        name: "reviews",
        must: &[&["review", "subject", "exception"]],
        fields: fields! {
            review: Text, campaign: Text, system: Text, subject: Text, entitlement: Text, exception: Text, reviewer: Text,
            decision: Kind::Word(words::<ReviewDecision>), decided_at: Time, due_at: End,
        },
    },
    Target {
        table: Into::Separation,
        name: "separation_rules",
        must: &[&["rule"], &["left_entitlement"], &["right_entitlement"]],
        fields: fields! {
            rule: Text, name: Text, left_system: Text, left_entitlement: Text, right_system: Text, right_entitlement: Text, owner: Text,
            reason: Text,
        },
    },
    Target {
        table: Into::Workflow,
        name: "workflow_log",
        must: &[&["entry", "event", "identity"]],
        fields: fields! {
            entry: Text, identity: Text, event: Text, event_at: Time, system: Text, entitlement: Text,
            action: Kind::Word(words::<WorkflowAction>), deciding_system: Text, rule: Text, mode: Kind::Word(words::<WorkflowMode>),
            outcome: Kind::Word(words::<WorkflowOutcome>), retries: Text, decided_at: Time, enforced_at: Time, request: Text, message: Text,
        },
    },
    Target {
        table: Into::Exceptions,
        name: "exceptions",
        must: &[&["exception"], &["check_id"], &["system"], &["subject"]],
        fields: fields! {
            exception: Text, check_id: Text, system: Text, subject: Text, entitlement: Text, candidate: Text, owner: Text, approver: Text,
            beneficiary: Text, reason: Text, ticket: Text, valid_from: Time, expires_at: End,
        },
    },
    Target {
        table: Into::Systems,
        name: "systems",
        must: &[&["system"], &["in_scope"]],
        fields: fields! { system: Text, owner: Text, in_scope: Flag, capabilities: List, environment: Text },
    },
];

fn actions() -> Vec<&'static str> {
    vec!["granted", "changed", "used", "revoked", "created", "disabled", "enabled", "deleted"]
}

fn outcomes() -> Vec<&'static str> {
    vec!["success", "failure"]
}

fn lifecycle() -> Vec<&'static str> {
    vec!["joiner", "mover", "leaver", "leave-start", "leave-end"]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_must_is_a_field_and_every_field_is_in_the_page() {
        for target in TARGETS {
            assert!(super::super::PAGE.contains(&format!("| `{}` |", target.name)), "{}", target.name);
            for name in target.must.iter().copied().flatten() {
                assert!(target.field(name).is_some(), "{}.{name}", target.name);
            }
            for field in target.fields {
                assert!(super::super::PAGE.contains(&format!("`{}`", field.name)), "{}.{}", target.name, field.name);
            }
        }
    }
}
