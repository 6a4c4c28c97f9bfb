//! Accounts and what they hold. Rows of one account fold into one; what rows only name comes into being as a bare row.

use std::collections::{BTreeMap, BTreeSet};

use super::lists::Keys;
use super::records::Fault;
use super::row::{Got, Row, Use};
use crate::connectors::{Draft, DraftCredential, DraftGrant, DraftMembership, Drafted, Origin, Principal, fingerprint};
use crate::model::text::norm_opt;
use crate::model::{
    ACCOUNTS, AccountRow, CREDENTIALS, CredentialKind, CredentialRow, CredentialStatus, ENTITLEMENTS, Effect, EntitlementRow, GRANTS,
    GROUPS, GrantRow, GroupRow, Level, MEMBERSHIPS, MembershipKind, MembershipRow, RESOURCES, ResourceRow, Table, Time, UseState,
};

/// The rows of one kind, by native id, and whether a record of their own gave them.
#[derive(Debug)]
struct Named<T> {
    rows: BTreeMap<String, (T, Origin, bool)>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { rows: BTreeMap::new() }
    }
}

impl<T> Named<T> {
    /// A row that something names.
    fn mention(&mut self, id: &str, origin: Origin, make: impl FnOnce() -> T) -> &mut T {
        &mut self.rows.entry(id.to_owned()).or_insert_with(|| (make(), origin, false)).0
    }

    /// A row that has its own record, which replaces what was only named.
    fn state(&mut self, what: &str, id: String, row: T, origin: Origin) -> Got<()> {
        if let Some((_, other, true)) = self.rows.get(&id) {
            let message = format!("a second record of one {what}; the first is {} {}", other.unit, other.number);
            return Err(Fault::new("tabular/duplicate", message, "give each its own key, or remove one").into());
        }
        self.rows.insert(id, (row, origin, true));
        Ok(())
    }

    fn finish(self) -> Vec<Drafted<T>> {
        self.rows.into_values().map(|(row, origin, _)| Drafted { row, origin }).collect()
    }
}

/// Everything of access met so far.
#[derive(Debug, Default)]
pub struct Access {
    accounts: BTreeMap<String, (AccountRow, Origin)>,
    groups: Named<GroupRow>,
    entitlements: Named<EntitlementRow>,
    resources: Named<ResourceRow>,
    members: BTreeSet<(Principal, String)>,
    holders: BTreeSet<(Principal, String, Option<String>, Effect)>,
    credentials: Keys,
}

/// A right that one record gives.
struct Right {
    entitlement: String,
    kind: Option<String>,
    level: Level,
}

impl Access {
    /// One row of an account list: the account, and the groups and entitlements that the row gives it.
    ///
    /// # Errors
    /// A field is at fault, or the row contradicts an earlier one of the same account.
    pub fn account(&mut self, row: &Row<'_>, origin: Origin, draft: &mut Draft, key: Option<&[u8]>) -> Got<()> {
        let found = account(row)?;
        let id = found.native_id.clone();
        let groups = row.list("groups")?;
        let rights = rights(row)?;
        let resource = row.text("resource")?;
        let used = row.used("grant_last_used_at")?;
        let grant = GrantRow {
            effect: Effect::Allow,
            granted_at: row.time("granted_at")?,
            expires_at: row.end("grant_expires_at")?,
            granted_by: row.text("granted_by")?,
            request_ref: row.text("request")?,
            last_used_at: used.at,
            use_state: used.state,
            ..GrantRow::default()
        };
        let secret = secret(row, key)?;
        self.fold(found, origin, draft)?;
        for group in groups {
            self.groups.mention(&group, origin, || named_group(&group));
            let row = MembershipRow {
                kind: MembershipKind::Direct,
                granted_at: grant.granted_at,
                expires_at: grant.expires_at,
                granted_by: grant.granted_by.clone(),
                request_ref: grant.request_ref.clone(),
                ..MembershipRow::default()
            };
            self.member(Principal::Account(id.clone()), group, row, origin, draft);
        }
        for right in rights {
            self.right(&right, origin);
            if let Some(resource) = &resource {
                self.resources.mention(resource, origin, || named_resource(resource));
            }
            self.grant(Principal::Account(id.clone()), right.entitlement, resource.clone(), grant.clone(), origin, draft);
        }
        if let Some(secret) = secret {
            let native_id = format!("{id}#password");
            if self.credentials.claim("credential", &native_id, origin).is_ok() {
                note_secret(draft, origin, secret.as_ref());
                let row = CredentialRow { native_id, kind: CredentialKind::Password, fingerprint: secret, ..CredentialRow::default() };
                draft.credentials.push(DraftCredential { row, holder: id, origin });
            }
        }
        Ok(())
    }

    /// Joins a row to what is known of its account.
    fn fold(&mut self, found: AccountRow, origin: Origin, draft: &mut Draft) -> Got<()> {
        let Some((known, first)) = self.accounts.get_mut(&found.native_id) else {
            self.accounts.insert(found.native_id.clone(), (found, origin));
            return Ok(());
        };
        let merged = merge(known, &found).map_err(|field| {
            let message = format!("`{field}` differs from that of {} {}, a row of the same account", first.unit, first.number);
            Fault::new("tabular/conflicting-rows", message, "map a key that tells the accounts apart, or correct the rows at the source")
        })?;
        for field in merged.filled {
            draft.facts.push((&ACCOUNTS, found.native_id.clone(), field, origin));
        }
        *known = merged.row;
        Ok(())
    }

    fn right(&mut self, right: &Right, origin: Origin) {
        let row = self.entitlements.mention(&right.entitlement, origin, || named_entitlement(&right.entitlement));
        // Several rows may speak of one right: the highest level that any of them states is the one to reckon with.
        row.level = row.level.max(right.level);
        if let Some(kind) = &right.kind {
            row.kind.clone_from(kind);
        }
    }

    fn member(&mut self, member: Principal, group: String, row: MembershipRow, origin: Origin, draft: &mut Draft) {
        if self.members.insert((member.clone(), group.clone())) {
            draft.memberships.push(DraftMembership { row, member, group, origin });
        } else {
            draft.note(origin.file, "membership given more than once");
        }
    }

    fn grant(
        &mut self,
        holder: Principal,
        entitlement: String,
        resource: Option<String>,
        row: GrantRow,
        origin: Origin,
        draft: &mut Draft,
    ) {
        if self.holders.insert((holder.clone(), entitlement.clone(), resource.clone(), row.effect)) {
            draft.grants.push(DraftGrant { row, holder, entitlement, resource, origin });
        } else {
            draft.note(origin.file, "grant given more than once");
        }
    }

    /// One row of a group list.
    pub fn group(&mut self, row: &Row<'_>, origin: Origin) -> Got<()> {
        let id = row.id()?;
        let name = row.named("name")?.or_else(|| Some(id.clone()));
        let found = GroupRow {
            level: row.word("level")?.unwrap_or_default(),
            vendor_managed: row.flag("vendor_managed")?.unwrap_or(false),
            owner_ref: row.free("owner")?,
            attributes: row.attributes()?,
            name_norm: norm_opt(name.as_deref()),
            name,
            ..named_group(&id)
        };
        self.groups.state("group", id, found, origin)
    }

    /// One row of a membership list.
    pub fn membership(&mut self, row: &Row<'_>, origin: Origin, draft: &mut Draft) -> Got<()> {
        let group = row.need("group")?;
        let member = holder(row, "member_group")?;
        let found = MembershipRow {
            kind: row.word("kind")?.unwrap_or(MembershipKind::Direct),
            granted_at: row.time("granted_at")?,
            expires_at: row.end("expires_at")?,
            granted_by: row.text("granted_by")?,
            request_ref: row.text("request")?,
            ..MembershipRow::default()
        };
        self.groups.mention(&group, origin, || named_group(&group));
        self.member(member, group, found, origin, draft);
        Ok(())
    }

    /// One row of an entitlement list.
    pub fn entitlement(&mut self, row: &Row<'_>, origin: Origin) -> Got<()> {
        let id = row.id()?;
        let name = row.named("name")?.or_else(|| Some(id.clone()));
        let mut risks: Vec<String> = row.list("risks")?.iter().filter_map(|r| crate::model::text::norm(r)).collect();
        risks.sort();
        risks.dedup();
        let found = EntitlementRow {
            kind: row.named("kind")?.unwrap_or_else(|| "permission".to_owned()),
            level: row.word("level")?.unwrap_or_default(),
            risks: (!risks.is_empty()).then(|| risks.join(",")),
            vendor_managed: row.flag("vendor_managed")?.unwrap_or(false),
            attributes: row.attributes()?,
            name_norm: norm_opt(name.as_deref()),
            name,
            ..named_entitlement(&id)
        };
        self.entitlements.state("entitlement", id, found, origin)
    }

    /// One row of a resource list.
    pub fn resource(&mut self, row: &Row<'_>, origin: Origin) -> Got<()> {
        let id = row.id()?;
        let found = ResourceRow {
            kind: row.named("kind")?.unwrap_or_else(|| "resource".to_owned()),
            name: row.named("name")?.or_else(|| Some(id.clone())),
            environment: row.named("environment")?,
            sensitivity: row.named("sensitivity")?,
            owner_ref: row.free("owner")?,
            attributes: row.attributes()?,
            ..named_resource(&id)
        };
        self.resources.state("resource", id, found, origin)
    }

    /// One row of a list of grants.
    pub fn granted(&mut self, row: &Row<'_>, origin: Origin, draft: &mut Draft) -> Got<()> {
        let entitlement = row.need("entitlement")?;
        let holder = holder(row, "group")?;
        let resource = row.text("resource")?;
        let used = row.used("last_used_at")?;
        let found = GrantRow {
            effect: row.word("effect")?.unwrap_or(Effect::Allow),
            granted_at: row.time("granted_at")?,
            expires_at: row.end("expires_at")?,
            granted_by: row.text("granted_by")?,
            request_ref: row.text("request")?,
            last_used_at: used.at,
            use_state: used.state,
            ..GrantRow::default()
        };
        let right = Right { kind: row.text("entitlement_kind")?, level: row.word("entitlement_level")?.unwrap_or_default(), entitlement };
        self.right(&right, origin);
        if let Some(resource) = &resource {
            self.resources.mention(resource, origin, || named_resource(resource));
        }
        self.grant(holder, right.entitlement, resource, found, origin, draft);
        Ok(())
    }

    /// One row of a list of credentials.
    pub fn credential(&mut self, row: &Row<'_>, origin: Origin, draft: &mut Draft, key: Option<&[u8]>) -> Got<()> {
        let holder = row.need("account")?;
        let kind = row.word("kind")?.unwrap_or(CredentialKind::Password);
        let name = row.named("name")?;
        let native_id = if row.has("native_id") {
            row.need("native_id")?
        } else {
            name.as_ref().map_or_else(|| format!("{holder}#{kind}"), |n| format!("{holder}#{kind}/{n}"))
        };
        let used = row.used("last_used_at")?;
        let fingerprint = secret(row, key)?;
        let found = CredentialRow {
            kind,
            name,
            status: row.word("status")?.unwrap_or(CredentialStatus::Unknown),
            created_at: row.time("created_at")?,
            rotated_at: row.time("rotated_at")?,
            last_used_at: used.at,
            use_state: used.state,
            expires_at: row.end("expires_at")?,
            fingerprint: fingerprint.clone().flatten(),
            native_id,
            ..CredentialRow::default()
        };
        self.credentials.claim("credential", &found.native_id, origin)?;
        if let Some(fingerprint) = &fingerprint {
            note_secret(draft, origin, fingerprint.as_ref());
        }
        draft.credentials.push(DraftCredential { row: found, holder, origin });
        Ok(())
    }

    /// Writes everything into the draft.
    pub fn finish(self, draft: &mut Draft) {
        draft.accounts = self.accounts.into_values().map(|(row, origin)| Drafted { row, origin }).collect();
        draft.groups = self.groups.finish();
        draft.entitlements = self.entitlements.finish();
        draft.resources = self.resources.finish();
    }
}

/// The tables that a list of accounts speaks about, by what it maps.
pub fn covered(has: impl Fn(&str) -> bool) -> Vec<&'static Table> {
    let mut covered: Vec<&'static Table> = vec![&ACCOUNTS];
    if has("groups") {
        covered.extend([&GROUPS, &MEMBERSHIPS]);
    }
    if has("entitlement") {
        covered.extend([&ENTITLEMENTS, &GRANTS]);
        if has("resource") {
            covered.push(&RESOURCES);
        }
    }
    if has("secret") {
        covered.push(&CREDENTIALS);
    }
    covered
}

fn named_group(id: &str) -> GroupRow {
    GroupRow {
        native_id: id.to_owned(),
        name: Some(id.to_owned()),
        name_norm: norm_opt(Some(id)),
        kind: "group".to_owned(),
        ..GroupRow::default()
    }
}

fn named_entitlement(id: &str) -> EntitlementRow {
    EntitlementRow {
        native_id: id.to_owned(),
        name: Some(id.to_owned()),
        name_norm: norm_opt(Some(id)),
        kind: "permission".to_owned(),
        ..EntitlementRow::default()
    }
}

fn named_resource(id: &str) -> ResourceRow {
    ResourceRow { native_id: id.to_owned(), kind: "resource".to_owned(), name: Some(id.to_owned()), ..ResourceRow::default() }
}

/// Account or group that holds something: exactly one of them.
fn holder(row: &Row<'_>, group: &str) -> Got<Principal> {
    match (row.text("account")?, row.text(group)?) {
        (Some(account), None) => Ok(Principal::Account(account)),
        (None, Some(group)) => Ok(Principal::Group(group)),
        (None, None) => Err(Fault::new("tabular/missing-value", "names no holder", "every record needs an account or a group").into()),
        (Some(_), Some(_)) => {
            Err(Fault::new("tabular/two-holders", "names an account and a group as holder", "give each its own record").into())
        }
    }
}

/// Entitlements of one row with their levels: one level for all, or one for each.
fn rights(row: &Row<'_>) -> Got<Vec<Right>> {
    let names = row.list("entitlement")?;
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let kind = row.text("entitlement_kind")?;
    let levels = row.list("entitlement_level")?.iter().map(|t| row.word_of("entitlement_level", t)).collect::<Got<Vec<Level>>>()?;
    if levels.len() > 1 && levels.len() != names.len() {
        let message = format!("has {} entitlements and {} levels", names.len(), levels.len());
        return Err(Fault::new("tabular/levels", message, "give one level for all, or one for each, split alike").into());
    }
    let level = |i: usize| levels.get(i).or(levels.first()).copied().unwrap_or_default();
    Ok(names.into_iter().enumerate().map(|(i, entitlement)| Right { level: level(i), kind: kind.clone(), entitlement }).collect())
}

/// The fingerprint of a secret: `None` where no value is met, `Some(None)` where one is met and no key is there.
fn secret(row: &Row<'_>, key: Option<&[u8]>) -> Got<Option<Option<String>>> {
    let Some(value) = row.verbatim("secret")? else { return Ok(None) };
    Ok(Some(fingerprint(key, value.as_bytes())))
}

fn note_secret(draft: &mut Draft, origin: Origin, fingerprint: Option<&String>) {
    let what = if fingerprint.is_some() {
        "secret value met: only its fingerprint kept"
    } else {
        "secret value met and dropped: no fingerprint key"
    };
    draft.note(origin.file, what);
}

fn account(row: &Row<'_>) -> Got<AccountRow> {
    let Use { at: last_used_at, state: use_state } = row.used("last_used_at")?;
    let (login, display_name) = (row.text("login")?, row.named("display_name")?);
    let (email, upn) = (row.text("email")?, row.text("upn")?);
    Ok(AccountRow {
        native_id: row.id()?,
        generation: row.text("generation")?,
        kind: row.word("kind")?.unwrap_or_default(),
        login_norm: norm_opt(login.as_deref()),
        login,
        display_name_norm: norm_opt(display_name.as_deref()),
        display_name,
        email_norm: norm_opt(email.as_deref()),
        email,
        upn_norm: norm_opt(upn.as_deref()),
        upn,
        employee_ref: row.text("employee_ref")?,
        owner_ref: row.free("owner")?,
        status: row.word("status")?.unwrap_or_default(),
        created_at: row.time("created_at")?,
        changed_at: row.time("changed_at")?,
        last_used_at,
        use_state,
        mfa_state: row.word("mfa")?.unwrap_or_default(),
        expires_at: row.end("expires_at")?,
        locked_at: row.time("locked_at")?,
        environment: row.named("environment")?,
        attributes: row.attributes()?,
        ..AccountRow::default()
    })
}

/// Two rows of one account as one.
struct Merged {
    row: AccountRow,
    /// Columns that only the second row has.
    filled: Vec<&'static str>,
}

/// Joins a second row to an account. Where both state a fact it must be the same; of uses and changes the newest counts.
fn merge(known: &AccountRow, more: &AccountRow) -> Result<Merged, &'static str> {
    let mut row = known.clone();
    let mut filled = Vec::new();
    macro_rules! join {
        ($none:expr; $($field:ident),*) => { $(
            if more.$field != $none && row.$field != more.$field {
                if row.$field != $none {
                    return Err(stringify!($field));
                }
                row.$field = more.$field.clone();
                filled.push(stringify!($field));
            }
        )* };
    }
    join!(None; generation, login, display_name, email, upn, employee_ref, owner_ref, created_at, expires_at, locked_at, environment, attributes);
    join!(Default::default(); kind, status, mfa_state);
    row.login_norm = norm_opt(row.login.as_deref());
    row.display_name_norm = norm_opt(row.display_name.as_deref());
    row.email_norm = norm_opt(row.email.as_deref());
    row.upn_norm = norm_opt(row.upn.as_deref());
    if newer(&mut row.changed_at, more.changed_at) {
        filled.push("changed_at");
    }
    if newer(&mut row.last_used_at, more.last_used_at) {
        row.use_state = UseState::Used;
        filled.push("last_used_at");
    } else if row.use_state == UseState::Unknown && more.use_state != UseState::Unknown {
        row.use_state = more.use_state;
        filled.push("use_state");
    }
    Ok(Merged { row, filled })
}

fn newer(known: &mut Option<Time>, more: Option<Time>) -> bool {
    let is = more > *known;
    if is {
        *known = more;
    }
    is
}
