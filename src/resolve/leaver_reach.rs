//! Which secrets somebody could read before they left (11.8).
//!
//! Three kinds of systems tell: Vault by the paths of its policies, AWS by the statements of its policies, any other by grants on the
//! secret itself. What a right allows on paper is what counts: whether somebody did read is not asked.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::forms::attribute;
use super::groups::Groups;
use super::vault_paths::{Acl, may_match};
use super::{SystemInput, aws_reads};
use crate::model::{
    AccountIdentityRow, AccountKind, AccountRow, AccountStateRow, Answer, Effect, EntitlementRow, GrantRow, LeaverReachRow, Level,
    StatementRow, Time,
};

/// How a system says who may read what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Vault,
    Aws,
    Grants,
}

/// One secret of one system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Secret {
    pub system_ix: u32,
    pub native_id: String,
    /// Path of its mount, for Vault.
    pub mount: Option<String>,
}

/// Somebody who left, and when.
#[derive(Clone, Copy, Debug)]
pub struct Left {
    pub after: Option<Time>,
    pub by: Time,
    pub exact: bool,
}

/// One snapshot of a system, with who stood behind its accounts then.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    pub system: &'a SystemInput,
    pub statements: &'a [StatementRow],
    pub language: Language,
    /// Name of the snapshot.
    pub snapshot: &'a str,
    /// Taken after the end, for want of an earlier one.
    pub late: bool,
    /// Of this snapshot's accounts, in the order of `account_ix`.
    pub states: &'a [AccountStateRow],
    /// Of this snapshot's accounts, by (`account_ix`, `rank`).
    pub candidates: &'a [AccountIdentityRow],
}

/// Rows of `leaver_reach` that one snapshot gives, for those who left after it.
pub fn leaver_reach(scene: &Scene<'_>, secrets: &[Secret], left: &BTreeMap<u32, Left>) -> Vec<LeaverReachRow> {
    let holdings = Holdings::new(scene);
    let mut out = Vec::new();
    for of_account in scene.candidates.chunk_by(|a, b| a.account_ix == b.account_ix) {
        let gone: Vec<(u32, Left)> = of_account.iter().filter_map(|c| Some((c.identity_ix, *left.get(&c.identity_ix)?))).collect();
        let Some(account) = of_account.first().and_then(|c| scene.system.accounts.get(c.account_ix as usize)) else { continue };
        if gone.is_empty() {
            continue;
        }
        let reads = match excluded(scene, account) {
            Some(reason) => vec![Read::none("", reason)],
            None => holdings.reads(account, secrets),
        };
        for read in reads {
            for (identity_ix, end) in &gone {
                out.push(LeaverReachRow {
                    system_ix: scene.system.system_ix,
                    account: account.native_id.clone(),
                    identity_ix: *identity_ix,
                    secret_system_ix: read.secret.as_ref().map_or(scene.system.system_ix, |s| s.system_ix),
                    secret: read.secret.as_ref().map_or_else(|| "*".to_owned(), |s| s.native_id.clone()),
                    via: read.via.clone(),
                    path: read.path.clone(),
                    capability: read.capability.map(str::to_owned),
                    readable: read.readable,
                    why: read.why.clone(),
                    conditional: read.conditional,
                    excluded: read.excluded.clone(),
                    snapshot: scene.snapshot.to_owned(),
                    read_at: scene.system.observed_at,
                    late: scene.late,
                    candidates: u32::try_from(of_account.len()).unwrap_or(u32::MAX),
                    left_after: end.after,
                    left_by: end.by,
                    left_exact: end.exact,
                });
            }
        }
    }
    out
}

/// Why an account's secrets are not taken for those of one person.
fn excluded(scene: &Scene<'_>, account: &AccountRow) -> Option<&'static str> {
    match scene.states.get(account.account_ix as usize).map(|s| s.kind) {
        Some(AccountKind::Shared) => Some("a shared account: more people than the leaver know what it reads"),
        Some(AccountKind::System | AccountKind::Device) => Some("an account of the vendor or a device"),
        _ => None,
    }
}

/// One way to read one secret, or why none is listed.
#[derive(Clone, Debug)]
struct Read {
    secret: Option<Secret>,
    via: String,
    path: Option<String>,
    capability: Option<&'static str>,
    readable: Answer,
    why: Option<String>,
    conditional: bool,
    excluded: Option<String>,
}

impl Read {
    fn none(via: &str, reason: &str) -> Self {
        Self {
            secret: None,
            via: via.to_owned(),
            path: None,
            capability: None,
            readable: Answer::Unknown,
            why: None,
            conditional: false,
            excluded: Some(reason.to_owned()),
        }
    }

    fn of(secret: &Secret, via: &BTreeSet<String>, capability: &'static str) -> Self {
        Self {
            secret: Some(secret.clone()),
            via: via.iter().map(String::as_str).collect::<Vec<_>>().join("; "),
            path: None,
            capability: Some(capability),
            readable: Answer::Yes,
            why: None,
            conditional: false,
            excluded: None,
        }
    }

    fn unknown(self, why: &str) -> Self {
        Self { readable: Answer::Unknown, why: Some(why.to_owned()), ..self }
    }
}

/// What the accounts of a snapshot hold.
struct Holdings<'a> {
    scene: &'a Scene<'a>,
    groups: Groups,
    by_account: BTreeMap<u32, Vec<&'a GrantRow>>,
    by_group: BTreeMap<u32, Vec<&'a GrantRow>>,
    memberships: BTreeMap<u32, BTreeSet<u32>>,
    statements: BTreeMap<u32, Vec<&'a StatementRow>>,
}

impl<'a> Holdings<'a> {
    fn new(scene: &'a Scene<'a>) -> Self {
        let mut out = Self {
            scene,
            groups: Groups::new(scene.system),
            by_account: BTreeMap::new(),
            by_group: BTreeMap::new(),
            memberships: BTreeMap::new(),
            statements: BTreeMap::new(),
        };
        for grant in &scene.system.grants {
            match (grant.account_ix, grant.group_ix) {
                (Some(account), _) => out.by_account.entry(account).or_default().push(grant),
                (None, Some(group)) => out.by_group.entry(group).or_default().push(grant),
                (None, None) => {}
            }
        }
        for m in &scene.system.memberships {
            if let Some(account) = m.account_ix {
                out.memberships.entry(account).or_default().insert(m.group_ix);
            }
        }
        for statement in scene.statements {
            out.statements.entry(statement.entitlement_ix).or_default().push(statement);
        }
        out
    }

    /// Every group of an account, nested ones included.
    fn groups_of(&self, account_ix: u32) -> BTreeSet<u32> {
        let own = self.memberships.get(&account_ix).into_iter().flatten().copied();
        own.flat_map(|g| std::iter::once(g).chain(self.groups.ancestors(g))).collect()
    }

    /// Every grant of an account, its own and its groups'.
    fn grants_of(&self, account_ix: u32, groups: &BTreeSet<u32>) -> Vec<&'a GrantRow> {
        let own = self.by_account.get(&account_ix).into_iter().flatten();
        own.chain(groups.iter().filter_map(|g| self.by_group.get(g)).flatten()).copied().collect()
    }

    fn entitlement(&self, grant: &GrantRow) -> Option<&'a EntitlementRow> {
        self.scene.system.entitlements.get(grant.entitlement_ix as usize)
    }

    fn statements_of(&self, grant: &GrantRow) -> &[&'a StatementRow] {
        self.statements.get(&grant.entitlement_ix).map(Vec::as_slice).unwrap_or_default()
    }

    fn reads(&self, account: &AccountRow, secrets: &[Secret]) -> Vec<Read> {
        let groups = self.groups_of(account.account_ix);
        let grants = self.grants_of(account.account_ix, &groups);
        match self.scene.language {
            Language::Vault => self.vault(account, &groups, &grants, secrets),
            Language::Aws => self.aws(&grants, secrets),
            Language::Grants => self.granted(&grants, secrets),
        }
    }

    fn vault(&self, account: &AccountRow, groups: &BTreeSet<u32>, grants: &[&'a GrantRow], secrets: &[Secret]) -> Vec<Read> {
        let mut out = Vec::new();
        let (mut acl, mut open) = (Acl::default(), Vec::new());
        let policies: BTreeMap<&str, &GrantRow> = grants
            .iter()
            .filter(|g| g.effect == Effect::Allow)
            .filter_map(|g| Some((self.entitlement(g)?.native_id.as_str(), *g)))
            .collect();
        if policies.contains_key("root") {
            return vec![Read::none("root", "holds the policy `root`, which reads everything")];
        }
        for (policy, grant) in policies {
            let statements = self.statements_of(grant);
            if statements.is_empty() && self.entitlement(grant).is_some_and(|e| e.level == Level::Unknown) {
                out.push(Read::none(policy, "the policy is not in the export, or cannot be read"));
            }
            for s in statements {
                for pattern in list(s.resources.as_deref()) {
                    let capabilities = list(s.actions.as_deref());
                    match self.filled(&pattern, account, groups) {
                        Filled::Text(pattern) => acl.add(&pattern, policy, &capabilities, s.condition.is_some()),
                        Filled::Unknown => open.push((pattern, policy, capabilities)),
                        // The server leaves out a rule whose template names what the entity lacks.
                        Filled::Nothing => {}
                    }
                }
            }
        }
        for secret in secrets.iter().filter(|s| s.system_ix == self.scene.system.system_ix) {
            let Some((mount, path)) = place(secret) else { continue };
            let path = format!("{mount}/data/{path}");
            let decided = acl.decide(&path);
            let gives = decided.and_then(|(pattern, said)| Some((pattern, said, said.gives("read")?)));
            let unsure: Vec<_> = open.iter().filter(|(pattern, ..)| may_match(pattern, &path)).collect();
            let read = |c: &Vec<String>| c.iter().any(|c| c == "read") && !c.iter().any(|c| c == "deny");
            match gives {
                Some((pattern, said, by)) => {
                    let sure = unsure.iter().all(|(.., c)| read(c));
                    let found = Read { path: Some(pattern.to_owned()), conditional: said.narrowed, ..Read::of(secret, by, "read") };
                    out.push(if sure {
                        found
                    } else {
                        found.unknown("a rule with a template that the export does not resolve may take it away")
                    });
                }
                None => {
                    if let Some((pattern, policy, _)) = unsure.iter().find(|(.., c)| read(c)) {
                        let found =
                            Read { path: Some(pattern.clone()), ..Read::of(secret, &BTreeSet::from([(*policy).to_owned()]), "read") };
                        out.push(found.unknown("the rule has a template that the export does not resolve"));
                    }
                }
            }
        }
        out
    }

    /// A pattern with its `{{…}}` filled in for one entity.
    fn filled(&self, pattern: &str, account: &AccountRow, groups: &BTreeSet<u32>) -> Filled {
        let mut text = String::new();
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, tail)) = after.split_once("}}") else { return Filled::Unknown };
            match self.parameter(name.trim(), account, groups) {
                // Servers differ in what they do with a value that would be a pattern itself.
                Filled::Text(value) if value.contains(['*', '/']) || value.starts_with('+') => return Filled::Unknown,
                Filled::Text(value) => text.push_str(&format!("{before}{value}")),
                other => return other,
            }
            rest = tail;
        }
        Filled::Text(text + rest)
    }

    fn parameter(&self, name: &str, account: &AccountRow, groups: &BTreeSet<u32>) -> Filled {
        let attributes: Option<Value> = account.attributes.as_deref().and_then(|json| serde_json::from_str(json).ok());
        let one = |key: &str| attributes.as_ref().and_then(|a| a.get(key)).and_then(Value::as_str).map(str::to_owned);
        let entity = attributes.as_ref().is_some_and(|a| a.get("entity_name").is_some());
        let parts: Vec<&str> = name.split('.').collect();
        match parts.as_slice() {
            // A token without an entity has nothing to fill in; a user who never signed in will have.
            _ if !entity => {
                if account.native_id.starts_with("auth/") {
                    Filled::Unknown
                } else {
                    Filled::Nothing
                }
            }
            ["identity", "entity", "id"] => Filled::Text(account.native_id.clone()),
            ["identity", "entity", "name"] => one("entity_name").map_or(Filled::Unknown, Filled::Text),
            ["identity", "entity", "aliases", accessor, "name"] => {
                let aliases = attribute_pairs(attributes.as_ref(), "alias_accessors");
                match aliases.iter().find(|(a, _)| a == accessor) {
                    Some((_, name)) => Filled::Text(name.clone()),
                    None if aliases.is_empty() && !attribute(account.attributes.as_deref(), "aliases").is_empty() => Filled::Unknown,
                    None => Filled::Nothing,
                }
            }
            ["identity", "groups", "ids", id, "name"] => {
                let found = self.group(groups, |g| g.native_id == *id);
                found.map_or(Filled::Nothing, |g| g.name.clone().map_or(Filled::Unknown, Filled::Text))
            }
            ["identity", "groups", "names", name, "id"] => {
                let found = self.group(groups, |g| g.name.as_deref() == Some(*name));
                found.map_or(Filled::Nothing, |g| Filled::Text(g.native_id.clone()))
            }
            _ => Filled::Unknown,
        }
    }

    fn group(&self, of: &BTreeSet<u32>, which: impl Fn(&crate::model::GroupRow) -> bool) -> Option<&'a crate::model::GroupRow> {
        of.iter().filter_map(|g| self.scene.system.groups.get(*g as usize)).find(|g| which(g))
    }

    fn aws(&self, grants: &[&'a GrantRow], secrets: &[Secret]) -> Vec<Read> {
        let policies = |effect: Effect| -> Vec<aws_reads::Policy<'_>> {
            let held = grants.iter().filter(|g| g.effect == effect);
            held.filter_map(|g| {
                let entitlement = self.entitlement(g)?;
                let conditional = g.condition.is_some();
                Some(aws_reads::Policy { id: &entitlement.native_id, statements: self.statements_of(g), conditional })
            })
            .collect()
        };
        let (allow, boundary) = (policies(Effect::Allow), policies(Effect::Boundary));
        let mut out = Vec::new();
        for secret in secrets {
            let judged = aws_reads::judge(&allow, &boundary, &secret.native_id);
            if judged.by.is_empty() {
                continue;
            }
            let found = Read { conditional: judged.conditional, path: judged.pattern, ..Read::of(secret, &judged.by, aws_reads::ACTION) };
            out.push(match judged.unknown {
                Some(why) => found.unknown(why),
                None => found,
            });
        }
        out
    }

    fn granted(&self, grants: &[&'a GrantRow], secrets: &[Secret]) -> Vec<Read> {
        let resource = |g: &GrantRow| g.resource_ix.and_then(|r| self.scene.system.resources.get(r as usize)).map(|r| r.native_id.as_str());
        let mut out = Vec::new();
        for secret in secrets.iter().filter(|s| s.system_ix == self.scene.system.system_ix) {
            let on: Vec<(&&GrantRow, &EntitlementRow)> = grants
                .iter()
                .filter(|g| resource(g) == Some(secret.native_id.as_str()))
                .filter_map(|g| Some((g, self.entitlement(g)?)))
                .collect();
            let reads = |e: &EntitlementRow| !matches!(e.level, Level::None | Level::Unknown);
            if on.iter().any(|(g, e)| g.effect == Effect::Deny && e.level != Level::None) {
                continue;
            }
            let allow = || on.iter().filter(|(g, _)| g.effect == Effect::Allow);
            let named = |which: &dyn Fn(&EntitlementRow) -> bool| -> BTreeSet<String> {
                allow().filter(|(_, e)| which(e)).map(|(_, e)| e.native_id.clone()).collect()
            };
            let (sure, unsure) = (named(&reads), named(&|e| e.level == Level::Unknown));
            if !sure.is_empty() {
                let conditional = allow().filter(|(_, e)| reads(e)).all(|(g, e)| g.condition.is_some() || e.conditional);
                out.push(Read { conditional, ..Read::of(secret, &sure, "read") });
            } else if !unsure.is_empty() {
                out.push(Read::of(secret, &unsure, "read").unknown("what the right allows is not in the export"));
            }
        }
        out
    }
}

/// What a template comes to.
enum Filled {
    Text(String),
    /// The entity lacks what it names.
    Nothing,
    /// The export does not show it.
    Unknown,
}

/// Mount and path of a secret of Vault.
fn place(secret: &Secret) -> Option<(&str, &str)> {
    match secret.mount.as_deref() {
        Some(mount) => Some((mount, secret.native_id.strip_prefix(mount)?.strip_prefix('/')?)),
        None => secret.native_id.split_once('/'),
    }
}

/// The texts of a JSON array.
pub(super) fn list(json: Option<&str>) -> Vec<String> {
    json.and_then(|j| serde_json::from_str(j).ok()).unwrap_or_default()
}

/// `key=value` texts under one key of an attributes object.
fn attribute_pairs(attributes: Option<&Value>, key: &str) -> Vec<(String, String)> {
    let texts = attributes.and_then(|a| a.get(key)).and_then(Value::as_array);
    let pair = |v: &Value| v.as_str().and_then(|t| t.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned()));
    texts.into_iter().flatten().filter_map(pair).collect()
}
