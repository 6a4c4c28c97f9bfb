//! From records to the normal form: who exists, who belongs where, what is held.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde_json::Value;

use super::Export;
use super::accessed;
use super::arn::Arn;
use super::gaad::{Attached, Gaad, Holder, Judged, Role, RoleUse, Tags, User, inline_id};
use super::keys::Credentials;
use super::policy::{self, Judgement};
use super::reach::Reach;
use super::report::Row;
use super::trust;
use super::uses::Use;
use crate::connectors::pile::torn;
use crate::connectors::shelf::Kept;
use crate::connectors::{Draft, DraftCredential, DraftGrant, DraftMembership, Drafted, Origin, Principal};
use crate::model::pack::Pack;
use crate::model::text::{norm, norm_opt};
use crate::model::{
    ACCOUNTS, AccountKind, AccountRow, AccountStatus, CREDENTIALS, CredentialKind, CredentialRow, CredentialStatus, ENTITLEMENTS, Effect,
    EntitlementRow, GRANTS, GROUPS, GrantRow, GroupRow, Level, MEMBERSHIPS, MembershipKind, MembershipRow, MfaState, STATEMENTS, UseState,
};

/// The days that AWS looks back for `RoleLastUsed`.
const ROLE_WINDOW_DAYS: u32 = 400;

/// Drafts the rows of everything that was read.
pub(super) fn draft(export: &mut Export, draft: &mut Draft) {
    let outcome = draft_all(export, draft);
    if let Err(e) = outcome {
        draft.failed.get_or_insert(e);
    }
}

fn draft_all(export: &mut Export, draft: &mut Draft) -> io::Result<()> {
    draft.statements = std::mem::take(&mut export.gaad.statements);
    let scratch = draft.scratch.clone();
    let (accounts, groups, entitlements) = (Kept::new(&scratch), Kept::new(&scratch), Kept::new(&scratch));
    let mut rows = Rows { draft, accounts, groups, entitlements, edges: BTreeSet::new() };
    if !export.pages.is_empty() {
        for table in [&ACCOUNTS, &GROUPS, &MEMBERSHIPS, &ENTITLEMENTS, &STATEMENTS, &GRANTS] {
            rows.draft.cover(table);
        }
    }
    if !export.gaad.policies.is_empty() {
        rows.draft.cover(&ENTITLEMENTS);
        rows.draft.cover(&STATEMENTS);
    }
    rows.policies(export);
    let controls = export.organization.draft(export.account().as_deref(), rows.draft);
    for control in controls {
        rows.entitlements.insert(&control.row.native_id, &control);
    }
    let arns = export.names();
    rows.holders(export)?;
    rows.report(export);
    let listed = export.lists_credentials();
    let uses = Credentials { keys: &export.keys, rows: &export.rows, arns: &arns, listed }.draft(rows.draft);
    rows.uses(export, &uses);
    rows.devices(export);
    rows.accessed(export)?;
    let users = !export.pages.is_empty() || !export.rows.is_empty();
    export.secrets.draft(listed || !users, rows.draft);
    rows.finish()
}

/// Rows under construction, by native id.
struct Rows<'d> {
    draft: &'d mut Draft,
    accounts: Kept<AccountRow>,
    groups: Kept<GroupRow>,
    entitlements: Kept<EntitlementRow>,
    /// Grants and memberships that one holder has already.
    edges: BTreeSet<(String, Effect)>,
}

/// Attributes of the allow-list, under construction.
#[derive(Default)]
pub(super) struct Attributes(BTreeMap<&'static str, Value>);

impl Attributes {
    pub(super) fn with(mut self, name: &'static str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.0.insert(name, value.into());
        }
        self
    }

    pub(super) fn tags(mut self, tags: &Tags) -> Self {
        self.0.extend(tags.others.iter().map(|(name, value)| (*name, Value::from(value.clone()))));
        self
    }

    pub(super) fn json(self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Value>().to_string())
    }
}

/// Roles that AWS itself makes and mends: service-linked ones and those of Identity Center.
fn is_vendor_role(role: &Holder) -> bool {
    let path = role.path.as_deref().unwrap_or_default();
    path.starts_with("/aws-service-role/") || path.starts_with("/aws-reserved/")
}

fn is_vendor_policy(arn: &str) -> bool {
    Arn::of(arn).is_some_and(|a| a.account == "aws")
}

fn account(holder: &Holder, kind: AccountKind, attributes: Attributes) -> AccountRow {
    AccountRow {
        native_id: holder.arn.clone(),
        generation: holder.id.clone(),
        kind,
        login: Some(holder.name.clone()),
        login_norm: norm(&holder.name),
        email: holder.tags.email.clone(),
        email_norm: norm_opt(holder.tags.email.as_deref()),
        employee_ref: holder.tags.employee.clone(),
        owner_ref: holder.tags.owner.clone(),
        // IAM cannot disable a principal; only its credentials.
        status: AccountStatus::Active,
        created_at: holder.created,
        environment: holder.tags.environment.clone(),
        attributes: attributes.with("path", holder.path.clone()).tags(&holder.tags).json(),
        ..AccountRow::default()
    }
}

fn group(holder: &Holder, kind: &str, vendor_managed: bool, attributes: Attributes) -> GroupRow {
    GroupRow {
        native_id: holder.arn.clone(),
        generation: holder.id.clone(),
        name: Some(holder.name.clone()),
        name_norm: norm(&holder.name),
        kind: kind.to_owned(),
        // Membership gives what the group's policies give, and those are in the export.
        level: Level::None,
        vendor_managed,
        owner_ref: holder.tags.owner.clone(),
        attributes: attributes.with("path", holder.path.clone()).json(),
        ..GroupRow::default()
    }
}

impl Rows<'_> {
    /// Managed policies and their statements.
    fn policies(&mut self, export: &Export) {
        for policy in &export.gaad.policies {
            let name = policy.name.clone().or_else(|| policy.arn.rsplit('/').next().map(str::to_owned));
            let attributes = Attributes::default()
                .with("path", policy.path.clone())
                .with("default_version", policy.version.clone())
                .with("versions", Some(policy.versions))
                .with("attachment_count", policy.attachments)
                .with("description", policy.description.clone())
                .with("update_date", policy.updated.map(|t| t.to_string()));
            let row = EntitlementRow {
                native_id: policy.arn.clone(),
                name_norm: norm_opt(name.as_deref()),
                name,
                kind: "managed-policy".to_owned(),
                vendor_managed: is_vendor_policy(&policy.arn),
                ..EntitlementRow::default()
            };
            self.entitlement(row, &policy.judged, attributes.with("policy_id", policy.id.clone()), policy.origin);
        }
    }

    /// Drafts the entitlement that a policy is.
    fn entitlement(&mut self, mut row: EntitlementRow, judged: &Judged, attributes: Attributes, origin: Origin) {
        if self.entitlements.contains(&row.native_id) {
            self.draft.note(origin.file, "two policies of one name: the first counts");
            return;
        }
        if let Some(trouble) = judged.trouble {
            self.draft.note(origin.file, format!("policy document is {trouble}"));
        }
        let known = known(&row);
        let declared = known.map_or(judged.judgement.level, |k| k.level);
        judge_into(&mut row, &Judgement { level: declared, ..judged.judgement.clone().of_a_reader(declared) });
        row.attributes = attributes.with("document", judged.trouble).json();
        let native_id = row.native_id.clone();
        self.entitlements.insert(&native_id, &Drafted { row, origin });
    }

    /// Users, groups and roles with what they hold.
    fn holders(&mut self, export: &mut Export) -> io::Result<()> {
        let mut names: BTreeMap<&str, &str> = BTreeMap::new();
        for one in &export.gaad.groups {
            let row = group(one, "group", false, Attributes::default());
            self.groups.insert(&one.arn, &Drafted { row, origin: one.origin });
            if names.insert(&one.name, &one.arn).is_some() {
                self.draft.note(one.origin.file, "two groups of one name: members are counted to the later one");
            }
            self.edges.clear();
            self.held(one, &Principal::Group(one.arn.clone()));
        }
        let ids = &export.gaad.ids;
        export.gaad.roles.walk(|packed| {
            self.role(&Role::unpack(&mut { packed }).ok_or_else(torn)?, ids);
            Ok(())
        })?;
        export.gaad.users.walk(|packed| {
            self.user(&User::unpack(&mut { packed }).ok_or_else(torn)?, &names);
            Ok(())
        })
    }

    fn user(&mut self, user: &User, groups: &BTreeMap<&str, &str>) {
        let holder = &user.holder;
        let attributes = Attributes::default().with("permissions_boundary", holder.boundary.clone());
        let row = account(holder, AccountKind::Unknown, attributes);
        self.accounts.insert(&holder.arn, &Drafted { row, origin: holder.origin });
        self.edges.clear();
        let member = Principal::Account(holder.arn.clone());
        for name in &user.groups {
            let group = match groups.get(name.as_str()) {
                Some(arn) => (*arn).to_owned(),
                None => self.missing_group(holder, name),
            };
            if self.is_new(&group, Effect::Allow, holder.origin) {
                let row = MembershipRow { kind: MembershipKind::Direct, ..MembershipRow::default() };
                self.draft.memberships.push(DraftMembership { row, member: member.clone(), group, origin: holder.origin });
            }
        }
        self.held(holder, &member);
    }

    /// A group that a user names and the export does not hold: it is kept, and what it confers is unknown.
    fn missing_group(&mut self, user: &Holder, name: &str) -> String {
        let arn = Arn::of(&user.arn).map_or_else(|| name.to_owned(), |a| format!("arn:{}:iam::{}:group/{name}", a.partition, a.account));
        self.draft.note(user.origin.file, "group of a user that the export does not hold");
        let row = GroupRow {
            native_id: arn.clone(),
            name: Some(name.to_owned()),
            name_norm: norm(name),
            kind: "group".to_owned(),
            attributes: Attributes::default().with("not_in_export", Some(true)).json(),
            ..GroupRow::default()
        };
        if !self.groups.contains(&arn) {
            self.groups.insert(&arn, &Drafted { row, origin: user.origin });
        }
        arn
    }

    /// 11.7: a role is an account and a group under one native id; grants hang on the group.
    fn role(&mut self, role: &Role, ids: &BTreeMap<String, String>) {
        let holder = &role.holder;
        let vendor = is_vendor_role(holder);
        let used = match role.last_used {
            RoleUse::At(at) => Use::used(at),
            RoleUse::NotTracked => Use { state: UseState::NotInWindow, ..Use::default() },
            RoleUse::Unknown => Use::default(),
        };
        let attributes = Attributes::default()
            .with("instance_profiles", Some(role.profiles.clone()).filter(|p| !p.is_empty()))
            .with("max_session_duration", role.max_session)
            .with("permissions_boundary", holder.boundary.clone())
            .with("use_window_days", (role.last_used == RoleUse::NotTracked).then_some(ROLE_WINDOW_DAYS));
        let mut row = account(holder, if vendor { AccountKind::System } else { AccountKind::Role }, attributes);
        row.mfa_state = MfaState::NotApplicable;
        set_use(&mut row, used);
        self.accounts.insert(&holder.arn, &Drafted { row, origin: holder.origin });
        let denies = self.trust(role, ids);
        let attributes = Attributes::default().with("trust_deny", Some(denies).filter(|d| !d.is_empty()));
        let row = group(holder, "role", vendor, attributes);
        self.groups.insert(&holder.arn, &Drafted { row, origin: holder.origin });
        self.edges.clear();
        self.held(holder, &Principal::Group(holder.arn.clone()));
    }

    /// Who may assume a role. Gives the Deny statements, which are recorded and not decided.
    fn trust(&mut self, role: &Role, ids: &BTreeMap<String, String>) -> Vec<String> {
        let origin = role.holder.origin;
        let (Some(arn), Some(document)) = (Arn::of(&role.holder.arn), &role.trust) else {
            self.draft.note(origin.file, "role without a trust policy: who may assume it is not known");
            return Vec::new();
        };
        let trust = trust::read(document, &arn, ids);
        for _ in 0..trust.unreadable {
            self.draft.note(origin.file, "part of a trust policy cannot be read: who may assume the role is not fully known");
        }
        for _ in &trust.denies {
            self.draft.note(origin.file, "Deny in a trust policy: recorded with the role, not decided");
        }
        for (member, condition) in trust.edges {
            let row = MembershipRow { kind: MembershipKind::Assume, condition, ..MembershipRow::default() };
            self.draft.memberships.push(DraftMembership { row, member, group: role.holder.arn.clone(), origin });
        }
        trust.denies
    }

    /// The policies of one holder: attached, inline, and its boundary.
    fn held(&mut self, holder: &Holder, principal: &Principal) {
        let origin = holder.origin;
        for _ in 0..holder.tags.dropped {
            self.draft.note(origin.file, "tag that is not on the allow-list, dropped");
        }
        for attached in &holder.attached {
            self.attach(attached, principal, Effect::Allow, origin);
        }
        for inline in &holder.inline {
            let native_id = inline_id(&holder.arn, &inline.name);
            if !self.is_new(&native_id, Effect::Allow, origin) {
                continue;
            }
            let row = EntitlementRow {
                native_id: native_id.clone(),
                name: Some(inline.name.clone()),
                name_norm: norm(&inline.name),
                kind: "inline-policy".to_owned(),
                ..EntitlementRow::default()
            };
            self.entitlement(row, &inline.judged, Attributes::default(), origin);
            self.grant(principal, native_id, Effect::Allow, origin);
        }
        if let Some(arn) = &holder.boundary {
            self.attach(&Attached { arn: arn.clone(), name: None }, principal, Effect::Boundary, origin);
        }
    }

    /// A managed policy on a holder. One that the export does not hold gets its entitlement here, judged by name or not at all.
    fn attach(&mut self, attached: &Attached, principal: &Principal, effect: Effect, origin: Origin) {
        if !self.is_new(&attached.arn, effect, origin) {
            return;
        }
        if !self.entitlements.contains(&attached.arn) {
            self.draft.note(origin.file, "attached policy whose document is not in the export");
            let name = attached.name.clone().or_else(|| attached.arn.rsplit('/').next().map(str::to_owned));
            let vendor_managed = is_vendor_policy(&attached.arn);
            let mut row = EntitlementRow {
                native_id: attached.arn.clone(),
                name_norm: norm_opt(name.as_deref()),
                name,
                kind: "managed-policy".to_owned(),
                vendor_managed,
                attributes: Attributes::default().with("document", Some("not in the export")).json(),
                ..EntitlementRow::default()
            };
            let judged = known(&row).unwrap_or_else(policy::unseen);
            judge_into(&mut row, &judged);
            self.entitlements.insert(&attached.arn, &Drafted { row, origin });
        }
        self.grant(principal, attached.arn.clone(), effect, origin);
    }

    fn grant(&mut self, principal: &Principal, entitlement: String, effect: Effect, origin: Origin) {
        let row = GrantRow { effect, ..GrantRow::default() };
        self.draft.grants.push(DraftGrant { row, holder: principal.clone(), entitlement, resource: None, origin });
    }

    /// Whether an edge is met for the first time; a repeated one is noted.
    fn is_new(&mut self, target: &str, effect: Effect, origin: Origin) -> bool {
        let new = self.edges.insert((target.to_owned(), effect));
        if !new {
            self.draft.note(origin.file, "group, policy or inline policy named twice by one holder: the first counts");
        }
        new
    }

    /// Accounts as the credential report has them: the root user, users that the other files lack, and everybody's second factor.
    fn report(&mut self, export: &Export) {
        if !export.rows.is_empty() {
            self.draft.cover(&ACCOUNTS);
        }
        for row in &export.rows {
            let known = self.accounts.contains(&row.arn);
            if !known && !row.is_root() && !export.pages.is_empty() {
                self.draft.note(row.origin.file, "user of the credential report that the authorization details do not hold");
            }
            if !known {
                self.accounts.insert(&row.arn, &Drafted { row: reported(row), origin: row.origin });
            }
            let mfa = match row.mfa {
                Some(true) => MfaState::Yes,
                Some(false) => MfaState::No,
                None => MfaState::Unknown,
            };
            self.accounts.change(&row.arn, |account| account.mfa_state = mfa);
            if known {
                self.draft.facts.push((&ACCOUNTS, row.arn.clone(), "credential report", row.origin));
            }
        }
    }

    /// Last use of accounts, from their credentials.
    fn uses(&mut self, export: &mut Export, uses: &BTreeMap<String, Vec<Use>>) {
        let lists = export.lists_credentials();
        let reported: BTreeSet<&str> = export.rows.iter().map(|r| r.arn.as_str()).collect();
        if lists {
            self.draft.cover(&CREDENTIALS);
            self.untold_passwords(&mut export.gaad, &reported);
        }
        for (arn, credentials) in uses {
            let used = Use::of_account(credentials);
            // Keys alone tell of use; only the report also knows that there was none.
            if reported.contains(arn.as_str()) || used.at.is_some() {
                self.accounts.change(arn, |account| set_use(account, used));
            }
        }
    }

    /// Key listings tell nothing of passwords: a user that no credential report holds may have one, which is *unknown* and not absent.
    fn untold_passwords(&mut self, gaad: &mut Gaad, reported: &BTreeSet<&str>) {
        let outcome = gaad.users.walk(|packed| {
            let user = User::unpack(&mut { packed }).ok_or_else(torn)?.holder;
            if reported.contains(user.arn.as_str()) {
                return Ok(());
            }
            self.draft.note(user.origin.file, "user of whom no credential report speaks: whether it has a password is unknown");
            let row = CredentialRow {
                native_id: format!("{}#password", user.arn),
                kind: CredentialKind::Password,
                status: CredentialStatus::Unknown,
                ..CredentialRow::default()
            };
            self.draft.credentials.push(DraftCredential { row, holder: user.arn.clone(), origin: user.origin });
            Ok(())
        });
        if let Err(e) = outcome {
            self.draft.failed.get_or_insert(e);
        }
    }

    /// Virtual MFA devices: an assigned one is a second factor; none listed says nothing, for there are other kinds.
    fn devices(&mut self, export: &Export) {
        for (arn, origin) in &export.devices {
            let before = self.accounts.change(arn, |account| std::mem::replace(&mut account.mfa_state, MfaState::Yes));
            let Some(before) = before else {
                self.draft.note(origin.file, "MFA device of a user that no other file holds");
                continue;
            };
            if before == MfaState::No {
                self.draft.note(origin.file, "MFA device of a user without one in the credential report: the device counts");
            }
            self.draft.facts.push((&ACCOUNTS, arn.clone(), "mfa_state", *origin));
        }
    }

    /// What service last accessed details say of accounts, groups, policies and grants.
    fn accessed(&mut self, export: &Export) -> io::Result<()> {
        if export.accessed.is_empty() {
            return Ok(());
        }
        let mut ids = export.gaad.ids.clone();
        let groups = export.gaad.groups.iter().filter_map(|g| Some((g.id.clone()?, g.arn.clone())));
        ids.extend(groups.chain(export.gaad.policies.iter().filter_map(|p| Some((p.id.clone()?, p.arn.clone())))));
        let known = |arn: &str| self.accounts.contains(arn) || self.groups.contains(arn) || self.entitlements.contains(arn);
        let subjects = export.accessed.settle(&ids, known, self.draft);
        for (arn, subject) in &subjects {
            for (who, at) in subject.seen(arn) {
                // An attempt shows that somebody signed in. That there was none shows nothing: only services that a policy of
                // today permits are listed.
                let seen = self.accounts.change(who, |account| {
                    if account.last_used_at < Some(at) {
                        set_use(account, Use::used(at));
                    }
                });
                if seen.is_some() && who != arn {
                    self.draft.facts.extend(subject.origins.last().map(|o| (&ACCOUNTS, who.to_owned(), "last used", *o)));
                }
            }
            let more = || subject.attributes();
            let table = if self.accounts.change(arn, |account| add(&mut account.attributes, more())).is_some() {
                &ACCOUNTS
            } else if self.groups.change(arn, |group| add(&mut group.attributes, more())).is_some() {
                &GROUPS
            } else if self.entitlements.change(arn, |entitlement| add(&mut entitlement.attributes, more())).is_some() {
                &ENTITLEMENTS
            } else {
                continue;
            };
            self.draft.facts.extend(subject.origins.iter().map(|o| (table, arn.clone(), "service last accessed", *o)));
        }
        if subjects.is_empty() {
            return Ok(());
        }
        // What others hold decides what an attempt says of one grant: all edges must be seen at once.
        self.draft.statements.open()?;
        self.draft.grants.open()?;
        self.draft.memberships.open()?;
        let mut policies = Vec::new();
        self.entitlements.each(|row| policies.push(row.clone()))?;
        let reaches = Reach::of(policies.iter(), &self.draft.statements);
        accessed::grants(&subjects, &reaches, self.draft);
        Ok(())
    }

    fn finish(self) -> io::Result<()> {
        self.accounts.finish(|row| &row.native_id, &mut self.draft.accounts)?;
        self.groups.finish(|row| &row.native_id, &mut self.draft.groups)?;
        self.entitlements.finish(|row| &row.native_id, &mut self.draft.entitlements)
    }
}

/// An account that only the credential report shows.
fn reported(row: &Row) -> AccountRow {
    AccountRow {
        native_id: row.arn.clone(),
        kind: if row.is_root() { AccountKind::System } else { AccountKind::Unknown },
        login: Some(row.user.clone()),
        login_norm: norm(&row.user),
        status: AccountStatus::Active,
        created_at: row.created,
        ..AccountRow::default()
    }
}

/// Adds to the attributes of a row.
fn add(attributes: &mut Option<String>, more: Vec<(&'static str, Value)>) {
    let mut all: BTreeMap<String, Value> = attributes.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    all.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
    *attributes = serde_json::to_string(&all).ok().filter(|_| !all.is_empty());
}

fn set_use(row: &mut AccountRow, used: Use) {
    row.use_state = used.state;
    row.last_used_at = used.at;
    row.use_window_from = used.from;
}

/// What is known by name of one of AWS's own policies.
fn known(row: &EntitlementRow) -> Option<Judgement> {
    row.name.as_deref().filter(|_| row.vendor_managed).and_then(policy::known)
}

fn judge_into(row: &mut EntitlementRow, judged: &Judgement) {
    row.level = judged.level;
    row.risks = judged.risks_text();
    row.conditional = judged.conditional;
}
