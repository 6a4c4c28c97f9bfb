//! From answers to the normal form.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::fields::{Fault, Metadata};
use super::policy;
use super::records::{Alias, Entity, Export, Group, Login, Policy, Token, Uses};
use crate::connectors::{Draft, DraftChild, DraftCredential, DraftGrant, DraftMembership, Drafted, Origin, Principal, Reject};
use crate::model::text::{norm, norm_opt};
use crate::model::{
    ACCOUNTS, AccountKind, AccountRow, AccountStatus, CREDENTIALS, CredentialKind, CredentialRow, CredentialStatus, ENTITLEMENTS,
    EntitlementRow, GRANTS, GROUPS, GrantRow, GroupRow, Level, MEMBERSHIPS, MembershipRow, MfaState, RESOURCES, STATEMENTS, Time, UseState,
};

/// The policy that may do everything. It has no text and cannot be read.
const ROOT: &str = "root";

/// Methods whose logins are programs, whatever their names.
const PROGRAMS: &[&str] = &["approle", "kubernetes", "aws", "gcp", "azure", "alicloud", "cf", "oci"];

/// Drafts the rows of everything that was read.
pub(super) fn draft(mut export: Export, draft: &mut Draft) {
    place_aliases(&mut export, draft);
    logins_as_use(&mut export);
    let mut rows = Rows { draft, entitlements: BTreeMap::new(), grants: BTreeMap::new(), members: BTreeSet::new() };
    rows.cover(&export);
    for policy in export.policies.values() {
        rows.policy(policy);
    }
    for entity in export.entities.values().chain(export.named.values().filter(|e| !export.entities.contains_key(&e.id))) {
        rows.entity(entity, &export);
    }
    rows.users(&export);
    rows.roles(&export);
    for token in export.tokens.values() {
        rows.token(token, &export);
    }
    for group in export.groups.values().chain(export.named_groups.values().filter(|g| !export.groups.contains_key(&g.id))) {
        rows.group(group);
    }
    rows.secrets(&export);
    rows.finish();
}

/// Hangs the aliases of lists on their entities; one whose entity is not there is rejected.
fn place_aliases(export: &mut Export, draft: &mut Draft) {
    for (origin, entity, alias) in std::mem::take(&mut export.aliases) {
        let named = export.named.get_mut(&entity);
        let Some(known) = export.entities.get_mut(&entity).or(named) else {
            let fault = Fault::new(
                "vault/alias-nowhere",
                "alias belongs to an entity that the export does not hold",
                "export all entities and aliases at one time",
            );
            let Fault { code, message, help } = fault;
            draft.reject(Reject { origin, byte_offset: None, reason: code, message, help, excerpt: None });
            continue;
        };
        draft.accept(origin.file);
        if !known.aliases.iter().any(|a| (&a.mount, &a.name) == (&alias.mount, &alias.name)) {
            known.aliases.push(alias);
            known.aliases.sort();
        }
    }
}

/// A token that a login made shows that its entity signed in then.
fn logins_as_use(export: &mut Export) {
    for token in export.tokens.values() {
        let login = token.path.as_deref().is_some_and(|p| p.starts_with("auth/") && p.contains("/login"));
        if let (true, Some(entity), Some(at)) = (login, &token.entity, token.created) {
            export.uses.saw(entity.clone(), at);
        }
    }
}

pub(super) fn attributes(pairs: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Option<String> {
    let kept: BTreeMap<_, _> = pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    (!kept.is_empty()).then(|| kept.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Value>().to_string())
}

/// An attribute that may be missing.
pub(super) fn some(value: Option<impl Into<Value>>) -> Option<Value> {
    value.map(Into::into)
}

pub(super) fn others(metadata: &Metadata) -> Vec<(&'static str, Option<Value>)> {
    metadata.others.iter().map(|(name, value)| (*name, Some(Value::from(value.clone())))).collect()
}

/// Whether Vault itself made the name (`entity_0a1b2c3d`), on the first login of somebody it did not know.
fn made_up(name: &str) -> bool {
    name.strip_prefix("entity_").and_then(|n| n.get(..8)).is_some_and(|n| n.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Rows under construction.
pub(super) struct Rows<'d> {
    pub(super) draft: &'d mut Draft,
    entitlements: BTreeMap<String, Drafted<EntitlementRow>>,
    /// Until when (`None`: no end) a policy is held, by holder and policy.
    grants: BTreeMap<(Principal, String), (Option<Time>, Origin)>,
    members: BTreeSet<(Principal, String)>,
}

impl Rows<'_> {
    fn cover(&mut self, export: &Export) {
        let principals = !(export.entities.is_empty()
            && export.named.is_empty()
            && export.users.is_empty()
            && export.roles.is_empty()
            && export.tokens.is_empty()
            && export.groups.is_empty()
            && export.named_groups.is_empty());
        if principals {
            for table in [&ACCOUNTS, &GROUPS, &MEMBERSHIPS, &ENTITLEMENTS, &GRANTS] {
                self.draft.cover(table);
            }
        }
        if !export.policies.is_empty() {
            self.draft.cover(&ENTITLEMENTS);
            self.draft.cover(&STATEMENTS);
        }
        if !(export.tokens.is_empty() && export.secret_ids.is_empty() && export.users.is_empty() && export.secrets.is_empty()) {
            self.draft.cover(&CREDENTIALS);
        }
        if !export.secrets.is_empty() {
            self.draft.cover(&RESOURCES);
        }
    }

    pub(super) fn dropped(&mut self, metadata: &Metadata, origin: Origin) {
        for _ in 0..metadata.dropped {
            self.draft.note(origin.file, "metadata that is not on the allow-list, dropped");
        }
    }

    fn policy(&mut self, policy: &Policy) {
        let mut row = EntitlementRow {
            native_id: policy.name.clone(),
            name: Some(policy.name.clone()),
            name_norm: norm(&policy.name),
            kind: "policy".to_owned(),
            vendor_managed: matches!(policy.name.as_str(), "default" | "response-wrapping" | "control-group"),
            ..EntitlementRow::default()
        };
        let mut document = None;
        match policy::judge(&policy.text) {
            Ok(judged) => {
                row.level = judged.level;
                row.conditional = judged.conditional;
                row.risks = judged.escalates.then(|| "privilege-escalation".to_owned());
                if judged.unknown_capability {
                    document = Some("partly unreadable");
                    self.draft.note(policy.origin.file, "policy names a capability that is not known");
                }
                let parent = || policy.name.clone();
                self.draft.statements.extend(judged.statements.into_iter().map(|row| DraftChild {
                    row,
                    parent: parent(),
                    origin: policy.origin,
                }));
            }
            Err(unreadable) => {
                document = Some("unreadable");
                let note =
                    format!("policy cannot be read, its level is unknown: line {} of its text has {}", unreadable.line, unreadable.what);
                self.draft.note(policy.origin.file, note);
            }
        }
        row.attributes = attributes([("document", some(document)), ("modified", some(policy.changed.clone()))]);
        self.entitlements.insert(policy.name.clone(), Drafted { row, origin: policy.origin });
    }

    /// Holds a policy. The longest holding counts: several tokens and logins may give the same one.
    fn grant(&mut self, holder: &Principal, policy: &str, expires: Option<Time>, origin: Origin) {
        let policy = policy.to_lowercase();
        if policy == ROOT {
            self.root(origin);
        }
        let held = self.grants.entry((holder.clone(), policy)).or_insert((expires, origin));
        if held.0.is_some() && (expires.is_none() || expires > held.0) {
            *held = (expires, origin);
        }
    }

    fn root(&mut self, origin: Origin) {
        let row = EntitlementRow {
            native_id: ROOT.to_owned(),
            name: Some(ROOT.to_owned()),
            name_norm: norm(ROOT),
            kind: "policy".to_owned(),
            level: Level::Admin,
            risks: Some("privilege-escalation".to_owned()),
            vendor_managed: true,
            ..EntitlementRow::default()
        };
        self.entitlements.entry(ROOT.to_owned()).or_insert(Drafted { row, origin });
    }

    fn entity(&mut self, entity: &Entity, export: &Export) {
        self.dropped(&entity.metadata, entity.origin);
        let gone = |a: &Alias| !export.auth.is_empty() && a.accessor.as_ref().is_some_and(|m| !export.auth.contains_key(m));
        for _ in entity.aliases.iter().filter(|a| gone(a)) {
            self.draft.note(entity.origin.file, "alias of an entity on a mount that is not in `auth list`");
        }
        let login = login(entity);
        let email = entity.metadata.email.clone().or_else(|| {
            let mail = |a: &&Alias| a.name.split_once('@').is_some_and(|(who, at)| !who.is_empty() && at.contains('.'));
            entity.aliases.iter().find(mail).map(|a| a.name.clone())
        });
        let display = entity.name.clone().filter(|n| !made_up(n));
        let method = |a: &Alias| a.method.clone().or_else(|| export.auth.get(a.accessor.as_ref()?).map(|m| m.method.clone()));
        let program = |a: &Alias| method(a).is_some_and(|m| PROGRAMS.contains(&m.as_str()));
        let aliases: Vec<String> = entity.aliases.iter().map(Alias::shown).collect();
        let mut pairs = others(&entity.metadata);
        pairs.push(("entity_name", some(entity.name.clone())));
        pairs.push(("aliases", some(Some(aliases).filter(|a| !a.is_empty()))));
        // Templates of policies name an alias by the accessor of its mount.
        let by_accessor = entity.aliases.iter().filter_map(|a| Some(format!("{}={}", a.accessor.as_ref()?, a.name)));
        pairs.push(("alias_accessors", some(Some(by_accessor.collect::<Vec<_>>()).filter(|a| !a.is_empty()))));
        pairs.push(("mount_gone", entity.aliases.iter().any(gone).then_some(Value::Bool(true))));
        let mut row = AccountRow {
            native_id: entity.id.clone(),
            kind: if !entity.aliases.is_empty() && entity.aliases.iter().all(program) {
                AccountKind::Workload
            } else {
                AccountKind::Unknown
            },
            login_norm: norm_opt(login.as_deref()),
            login,
            display_name_norm: norm_opt(display.as_deref()),
            display_name: display,
            email_norm: norm_opt(email.as_deref()),
            email,
            employee_ref: entity.metadata.employee.clone(),
            owner_ref: entity.metadata.owner.clone(),
            environment: entity.metadata.environment.clone(),
            status: match entity.disabled {
                Some(true) => AccountStatus::Disabled,
                Some(false) => AccountStatus::Active,
                None => AccountStatus::Unknown,
            },
            created_at: entity.created,
            changed_at: entity.changed,
            attributes: attributes(pairs),
            ..AccountRow::default()
        };
        set_use(&mut row, &export.uses, &[&entity.id]);
        self.draft.accounts.push(Drafted { row, origin: entity.origin });
        let holder = Principal::Account(entity.id.clone());
        for policy in &entity.policies {
            self.grant(&holder, policy, None, entity.origin);
        }
        for group in &entity.groups {
            self.member(holder.clone(), group, entity.origin);
        }
    }

    fn member(&mut self, member: Principal, group: &str, origin: Origin) {
        if self.members.insert((member.clone(), group.to_owned())) {
            self.draft.memberships.push(DraftMembership { row: MembershipRow::default(), member, group: group.to_owned(), origin });
        }
    }

    /// Users of `userpass` and the like. One that has signed in is its entity; another is an account of its own.
    fn users(&mut self, export: &Export) {
        let entities = || export.entities.values().chain(export.named.values());
        let by_alias: BTreeMap<(&str, &str), &Entity> =
            entities().flat_map(|e| e.aliases.iter().map(move |a| ((a.mount.as_str(), a.name.as_str()), e))).collect();
        for (id, user) in &export.users {
            let entity = by_alias.get(&(user.mount.as_str(), user.name.as_str()));
            let account = entity.map_or(id, |e| &e.id);
            if entity.is_none() {
                let mut row = AccountRow {
                    native_id: id.clone(),
                    login: Some(user.name.clone()),
                    login_norm: norm(&user.name),
                    status: AccountStatus::Active,
                    attributes: attributes([("mount", Some(Value::from(user.mount.clone())))]),
                    ..AccountRow::default()
                };
                set_use(&mut row, &export.uses, &[id]);
                self.draft.accounts.push(Drafted { row, origin: user.origin });
            } else {
                self.draft.facts.push((&ACCOUNTS, account.clone(), "user", user.origin));
            }
            for policy in &user.policies {
                self.grant(&Principal::Account(account.clone()), policy, None, user.origin);
            }
            let disabled = entity.is_some_and(|e| e.disabled == Some(true));
            let mut row = CredentialRow {
                native_id: format!("{id}#password"),
                kind: CredentialKind::Password,
                name: Some(format!("{}@{}", user.name, user.mount)),
                status: if disabled { CredentialStatus::Inactive } else { CredentialStatus::Active },
                ..CredentialRow::default()
            };
            (row.use_state, row.last_used_at, row.use_window_from) = used(&export.uses, &[id]);
            self.draft.credentials.push(DraftCredential { row, holder: account.clone(), origin: user.origin });
        }
    }

    fn roles(&mut self, export: &Export) {
        for (id, role) in &export.roles {
            self.role(id, role, export);
        }
        for secret in export.secret_ids.values() {
            if secret.role.is_none() {
                self.draft.note(secret.origin.file, "secret id of a role that the file's name does not tell");
            }
            let row = CredentialRow {
                native_id: secret.accessor.clone(),
                kind: CredentialKind::ClientSecret,
                name: secret.uses.map(|n| format!("{n} uses left")),
                status: CredentialStatus::Active,
                created_at: secret.created,
                expires_at: secret.expires,
                fingerprint: secret.fingerprint.clone(),
                ..CredentialRow::default()
            };
            let holder = secret.role.clone().unwrap_or_else(|| "auth/approle".to_owned());
            self.draft.credentials.push(DraftCredential { row, holder, origin: secret.origin });
        }
    }

    fn role(&mut self, id: &str, role: &Login, export: &Export) {
        let own = |a: &&Alias| a.mount == role.mount && a.role.as_deref() == Some(role.name.as_str());
        let entities = || export.entities.values().chain(export.named.values());
        let entity = entities().find(|e| e.aliases.iter().any(|a| own(&a)));
        let mut row = AccountRow {
            native_id: id.to_owned(),
            kind: AccountKind::Workload,
            login: Some(role.name.clone()),
            login_norm: norm(&role.name),
            status: AccountStatus::Active,
            mfa_state: MfaState::NotApplicable,
            attributes: attributes([
                ("mount", Some(Value::from(role.mount.clone()))),
                ("entity", some(entity.map(|e| e.id.clone()))),
                ("token_period", some(role.period)),
                ("batch_tokens", role.batch.then_some(Value::Bool(true))),
            ]),
            ..AccountRow::default()
        };
        let ids: Vec<&str> = std::iter::once(id).chain(entity.map(|e| e.id.as_str())).collect();
        set_use(&mut row, &export.uses, &ids);
        self.draft.accounts.push(Drafted { row, origin: role.origin });
        for policy in &role.policies {
            self.grant(&Principal::Account(id.to_owned()), policy, None, role.origin);
        }
    }

    /// A token hangs on its entity; one without is an account, for nobody else stands behind it.
    fn token(&mut self, token: &Token, export: &Export) {
        self.dropped(&token.metadata, token.origin);
        let holder = token.entity.clone().unwrap_or_else(|| token.accessor.clone());
        if token.entity.is_none() {
            let mut pairs = others(&token.metadata);
            pairs.push(("path", some(token.path.clone())));
            pairs.push(("orphan", some(token.orphan)));
            pairs.push(("period", some(token.period)));
            pairs.push(("num_uses", some(token.uses)));
            pairs.push(("root", token.policies.iter().any(|p| p == ROOT).then_some(Value::Bool(true))));
            let mut row = AccountRow {
                native_id: token.accessor.clone(),
                login: token.name.clone(),
                login_norm: norm_opt(token.name.as_deref()),
                email_norm: norm_opt(token.metadata.email.as_deref()),
                email: token.metadata.email.clone(),
                employee_ref: token.metadata.employee.clone(),
                owner_ref: token.metadata.owner.clone(),
                environment: token.metadata.environment.clone(),
                status: AccountStatus::Active,
                created_at: token.created,
                expires_at: token.expires,
                mfa_state: MfaState::NotApplicable,
                attributes: attributes(pairs),
                ..AccountRow::default()
            };
            if let Some(at) = export.uses.newest.get(&token.accessor) {
                (row.use_state, row.last_used_at) = (UseState::Used, Some(*at));
            }
            self.draft.accounts.push(Drafted { row, origin: token.origin });
        }
        let entity = export.entities.get(&holder).or_else(|| export.named.get(&holder));
        if token.entity.is_some() && entity.is_none() {
            self.draft.note(token.origin.file, "token of an entity that the export does not hold");
        }
        let used = export.uses.newest.get(&token.accessor).copied();
        let row = CredentialRow {
            native_id: token.accessor.clone(),
            kind: CredentialKind::ApiToken,
            name: token.name.clone(),
            // The tokens of a disabled entity are kept and refused.
            status: if entity.is_some_and(|e| e.disabled == Some(true)) { CredentialStatus::Inactive } else { CredentialStatus::Active },
            created_at: token.created,
            last_used_at: used,
            use_state: if used.is_some() { UseState::Used } else { UseState::Unknown },
            expires_at: token.expires,
            fingerprint: token.fingerprint.clone(),
            ..CredentialRow::default()
        };
        for policy in &token.policies {
            self.grant(&Principal::Account(holder.clone()), policy, token.expires, token.origin);
        }
        self.draft.credentials.push(DraftCredential { row, holder, origin: token.origin });
    }

    fn group(&mut self, group: &Group) {
        self.dropped(&group.metadata, group.origin);
        if group.kind.as_deref() == Some("external") {
            self.draft.note(
                group.origin.file,
                "external group: its members are known to the identity provider, and here only from their last login",
            );
        }
        let mut pairs = others(&group.metadata);
        pairs.push(("type", some(group.kind.clone())));
        pairs.push(("alias", some(group.alias.as_ref().map(Alias::shown))));
        let row = GroupRow {
            native_id: group.id.clone(),
            name: group.name.clone(),
            name_norm: norm_opt(group.name.as_deref()),
            kind: "group".to_owned(),
            // Membership gives what the group's policies give, and those are in the answer.
            level: if group.kind.is_some() { Level::None } else { Level::Unknown },
            owner_ref: group.metadata.owner.clone(),
            attributes: attributes(pairs),
            ..GroupRow::default()
        };
        self.draft.groups.push(Drafted { row, origin: group.origin });
        let own = Principal::Group(group.id.clone());
        for policy in &group.policies {
            self.grant(&own, policy, None, group.origin);
        }
        for entity in &group.entities {
            self.member(Principal::Account(entity.clone()), &group.id, group.origin);
        }
        for inner in &group.groups {
            self.member(Principal::Group(inner.clone()), &group.id, group.origin);
        }
        for parent in &group.parents {
            self.member(own.clone(), parent, group.origin);
        }
    }

    fn finish(self) {
        let Self { draft, entitlements, grants, .. } = self;
        draft.entitlements.extend(entitlements.into_values());
        draft.grants.extend(grants.into_iter().map(|((holder, entitlement), (expires_at, origin))| {
            let row = GrantRow { expires_at, ..GrantRow::default() };
            DraftGrant { row, holder, entitlement, resource: None, origin }
        }));
    }
}

/// What a person types: an alias that is no mail address, else the first; an AppRole's is a random id, so its role stands for it.
fn login(entity: &Entity) -> Option<String> {
    let named = |a: &Alias| a.role.clone().unwrap_or_else(|| a.name.clone());
    let plain = entity.aliases.iter().find(|a| a.role.is_none() && !a.name.contains('@'));
    let first = plain.or_else(|| entity.aliases.iter().find(|a| a.role.is_none())).or(entity.aliases.first());
    first.map(named).or_else(|| entity.name.clone().filter(|n| !made_up(n)))
}

/// Use of whatever goes by one of `ids`. Who is not in the logs was not there, if the logs are whole.
fn used(uses: &Uses, ids: &[&str]) -> (UseState, Option<Time>, Option<Time>) {
    match (ids.iter().filter_map(|id| uses.newest.get(*id)).max(), uses.covers) {
        (Some(at), _) => (UseState::Used, Some(*at), None),
        (None, Some((from, _))) if !uses.gaps => (UseState::NotInWindow, None, Some(from)),
        _ => (UseState::Unknown, None, None),
    }
}

fn set_use(row: &mut AccountRow, uses: &Uses, ids: &[&str]) {
    (row.use_state, row.last_used_at, row.use_window_from) = used(uses, ids);
}
