//! Accounts and what they hold. Rows of one account fold into one; what rows only name comes into being as a bare row.

use std::collections::{BTreeMap, BTreeSet};

use super::lists::Keys;
use super::lot::{Lined, Lot, Said, mention, say};
use super::records::Fault;
use super::row::{Got, Row, Stop, Use};
use crate::connectors::draft::pack_ends;
use crate::connectors::keys::{Hashes, Key};
use crate::connectors::shelf::{self, Shelf};
use crate::connectors::{Draft, DraftCredential, DraftGrant, DraftMembership, Drafted, Origin, Principal, Scratch, fingerprint};
use crate::model::pack::Pack;
use crate::model::text::norm_opt;
use crate::model::{
    ACCOUNTS, AccountRow, CREDENTIALS, CredentialKind, CredentialRow, CredentialStatus, ENTITLEMENTS, Effect, EntitlementRow, GRANTS,
    GROUPS, GrantRow, GroupRow, Level, MEMBERSHIPS, MembershipKind, MembershipRow, RESOURCES, ResourceRow, Row as _, Table, Time, UseState,
};

/// The rows of one kind, by native id, and whether a record of their own gave them.
#[derive(Debug)]
struct Named<T> {
    rows: BTreeMap<String, Box<(T, Origin, bool)>>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { rows: BTreeMap::new() }
    }
}

impl<T> Named<T> {
    /// A row that something names.
    fn mention(&mut self, id: &str, origin: Origin, make: impl FnOnce() -> T) -> Option<&mut T> {
        if !self.rows.contains_key(id) {
            self.rows.insert(id.to_owned(), Box::new((make(), origin, false)));
        }
        self.rows.get_mut(id).map(|known| &mut known.0)
    }

    /// A row that has its own record, which replaces what was only named.
    fn state(&mut self, what: &str, id: String, row: T, origin: Origin) -> Got<()> {
        if let Some((_, other, true)) = self.rows.get(&id).map(Box::as_ref) {
            let message = format!("a second record of one {what}; the first is {} {}", other.unit, other.number);
            return Err(Fault::new("tabular/duplicate", message, "give each its own key, or remove one").into());
        }
        self.rows.insert(id, Box::new((row, origin, true)));
        Ok(())
    }

    fn finish(self) -> Vec<Drafted<T>> {
        self.rows
            .into_values()
            .map(|known| {
                let (row, origin, _) = *known;
                Drafted { row, origin }
            })
            .collect()
    }
}

/// Everything of access met so far.
#[derive(Debug, Default)]
pub struct Access {
    accounts: Shelf,
    groups: Named<GroupRow>,
    entitlements: Named<EntitlementRow>,
    resources: Named<ResourceRow>,
    members: Once<(Principal, String)>,
    holders: Once<(Principal, String, Option<String>, Effect)>,
    credentials: Keys,
}

/// Notes of edges that are given again; the first counts.
pub const AGAIN: (&str, &str) = ("membership given more than once", "grant given more than once");

/// Tells repeated edges apart while they are few. The store does it for all of them, and by then more costs memory than it saves.
#[derive(Debug)]
struct Once<K> {
    met: BTreeSet<K>,
    open: bool,
}

impl<K> Default for Once<K> {
    fn default() -> Self {
        Self { met: BTreeSet::new(), open: true }
    }
}

impl<K: Ord> Once<K> {
    const MOST: usize = 65_536;

    /// Whether an edge is one that was met.
    fn again(&mut self, edge: impl FnOnce() -> K) -> bool {
        if !self.open {
            return false;
        }
        if self.met.len() >= Self::MOST {
            self.close();
            return false;
        }
        !self.met.insert(edge())
    }

    fn close(&mut self) {
        *self = Self { met: BTreeSet::new(), open: false };
    }
}

/// A right that one record gives.
#[derive(Debug)]
pub struct Right {
    pub entitlement: String,
    pub kind: Option<String>,
    pub level: Level,
}

/// An edge that one record gives.
pub struct Edge<To, R> {
    pub holder: Principal,
    pub to: To,
    pub row: R,
}

/// What one row of an account list says.
#[derive(Debug)]
pub struct Listed {
    pub account: AccountRow,
    groups: Vec<String>,
    rights: Vec<Right>,
    resource: Option<String>,
    grant: GrantRow,
    /// A secret was met, and its fingerprint where there is a key.
    pub secret: Option<Option<String>>,
}

impl Listed {
    /// Puts what the row gives its account into a lot.
    pub fn line(&self, origin: Origin, lot: &mut Lot) {
        let holder = (Principal::ACCOUNT, self.account.native_id.as_str());
        let mut row = Vec::new();
        if !self.groups.is_empty() {
            direct(&self.grant).pack(&mut row);
        }
        for group in &self.groups {
            mention(&mut lot.groups, group, origin);
            lot.memberships.row(|to| {
                pack_ends(holder, group, None, origin, to);
                to.extend_from_slice(&row);
            });
        }
        row.clear();
        if !self.rights.is_empty() {
            self.grant.pack(&mut row);
        }
        for right in &self.rights {
            say(&mut lot.entitlements, right, origin);
            if let Some(resource) = &self.resource {
                mention(&mut lot.resources, resource, origin);
            }
            lot.grants.row(|to| {
                pack_ends(holder, &right.entitlement, Some(self.resource.as_deref()), origin, to);
                to.extend_from_slice(&row);
            });
        }
    }
}

impl Access {
    /// Accounts that go to `scratch` once they are many.
    pub fn new(scratch: &Scratch) -> Self {
        Self { accounts: Shelf::new(scratch), ..Self::default() }
    }

    /// How accounts are told apart.
    pub fn hashes(&self) -> &Hashes {
        self.accounts.hashes()
    }

    /// One row of an account list: the account, and the groups and entitlements that the row gives it.
    ///
    /// # Errors
    /// The row contradicts an earlier one of the same account.
    pub fn account(&mut self, found: Listed, origin: Origin, draft: &mut Draft) -> Got<()> {
        let mut packed = Vec::new();
        let (key, tag) = packed_account(&found.account, origin, self.hashes(), &mut packed);
        self.fold(key, tag, &packed, draft)?;
        self.held(found, origin, draft);
        Ok(())
    }

    /// What a row gives its account.
    pub fn held(&mut self, found: Listed, origin: Origin, draft: &mut Draft) {
        let Listed { account, groups, rights, resource, grant, secret } = found;
        let id = account.native_id;
        for group in groups {
            self.groups.mention(&group, origin, || named_group(&group));
            self.member(Principal::Account(id.clone()), group, direct(&grant), origin, draft);
        }
        for right in rights {
            self.right(&right, origin);
            if let Some(resource) = &resource {
                self.resources.mention(resource, origin, || named_resource(resource));
            }
            self.grant(Principal::Account(id.clone()), right.entitlement, resource.clone(), grant.clone(), origin, draft);
        }
        if let Some(secret) = secret {
            self.password(id, secret, origin, draft);
        }
    }

    /// The password of an account, its fingerprint where there is a key.
    fn password(&mut self, holder: String, fingerprint: Option<String>, origin: Origin, draft: &mut Draft) {
        let native_id = format!("{holder}#password");
        if self.credentials.claim("credential", &native_id, origin).is_ok() {
            note_secret(draft, origin, fingerprint.as_ref());
            let row = CredentialRow { native_id, kind: CredentialKind::Password, fingerprint, ..CredentialRow::default() };
            draft.credentials.push(DraftCredential { row, holder, origin });
        }
    }

    /// Joins rows of an account list that were made together to what is known of their accounts; gives the place of each that contradicts an
    /// earlier one. Where none does, what the rows give counts as well; otherwise that is left to be done row by row.
    pub fn lined(&mut self, lot: &mut Lot, draft: &mut Draft) -> Vec<(usize, Stop)> {
        let mut refused = Vec::new();
        for (place, found) in lot.accounts.iter().enumerate() {
            let packed = lot.packed.get(found.row.clone()).unwrap_or_default();
            if let Err(stop) = self.fold(found.key, found.tag, packed, draft) {
                refused.push((place, stop));
            }
        }
        if refused.is_empty() {
            for Lined { secret, origin, .. } in &mut lot.accounts {
                if let Some((holder, fingerprint)) = secret.take() {
                    self.password(holder, fingerprint, *origin, draft);
                }
            }
            self.absorb(lot, draft);
        }
        refused
    }

    /// Joins a row, packed with its origin, to what is known of its account.
    fn fold(&mut self, key: Key, tag: u64, packed: &[u8], draft: &mut Draft) -> Got<()> {
        match self.accounts.tag(&key) {
            // The same once more, as in a list with a row for each group of an account.
            Some(known) if known == tag => return Ok(()),
            Some(_) => {}
            None => {
                self.accounts.put(key, tag, packed);
                return Ok(());
            }
        }
        let mut held = Vec::new();
        self.accounts.get(&key, &mut held);
        let unpacked = |bytes: &[u8]| Drafted::<AccountRow>::unpack(&mut { bytes });
        // A disk that gives nothing back is told at the end.
        let (Some(known), Some(found)) = (unpacked(&held), unpacked(packed)) else { return Ok(()) };
        let first = known.origin;
        let merged = merge(&known.row, &found.row).map_err(|field| {
            let message = format!("`{field}` differs from that of {} {}, a row of the same account", first.unit, first.number);
            Fault::new("tabular/conflicting-rows", message, "map a key that tells the accounts apart, or correct the rows at the source")
        })?;
        for field in merged.filled {
            draft.facts.push((&ACCOUNTS, found.row.native_id.clone(), field, found.origin));
        }
        held.clear();
        let (key, tag) = packed_account(&merged.row, first, self.hashes(), &mut held);
        self.accounts.put(key, tag, &held);
        Ok(())
    }

    /// Joins the edges that were made of some records, and what they name.
    pub fn absorb(&mut self, lot: &mut Lot, draft: &mut Draft) {
        if lot.memberships.rows > 0 {
            self.members.close();
            draft.memberships.push_packed(std::mem::take(&mut lot.memberships.bytes), lot.memberships.rows);
        }
        if lot.grants.rows > 0 {
            self.holders.close();
            draft.grants.push_packed(std::mem::take(&mut lot.grants.bytes), lot.grants.rows);
        }
        std::mem::take(&mut lot.groups).into_iter().for_each(|(id, origin)| {
            self.groups.mention(&id, origin, || named_group(&id));
        });
        std::mem::take(&mut lot.resources).into_iter().for_each(|(id, origin)| {
            self.resources.mention(&id, origin, || named_resource(&id));
        });
        std::mem::take(&mut lot.entitlements).into_iter().for_each(|(id, Said { first, level, kind })| {
            self.right(&Right { entitlement: id, kind, level }, first);
        });
    }

    fn right(&mut self, right: &Right, origin: Origin) {
        let Some(row) = self.entitlements.mention(&right.entitlement, origin, || named_entitlement(&right.entitlement)) else { return };
        // Several rows may speak of one right: the highest level that any of them states is the one to reckon with.
        row.level = row.level.max(right.level);
        if let Some(kind) = &right.kind {
            row.kind.clone_from(kind);
        }
    }

    fn member(&mut self, member: Principal, group: String, row: MembershipRow, origin: Origin, draft: &mut Draft) {
        if self.members.again(|| (member.clone(), group.clone())) {
            draft.note(origin.file, AGAIN.0);
        } else {
            draft.memberships.push(DraftMembership { row, member, group, origin });
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
        if self.holders.again(|| (holder.clone(), entitlement.clone(), resource.clone(), row.effect)) {
            draft.note(origin.file, AGAIN.1);
        } else {
            draft.grants.push(DraftGrant { row, holder, entitlement, resource, origin });
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
        let Edge { holder, to, row } = membership(row)?;
        self.groups.mention(&to, origin, || named_group(&to));
        self.member(holder, to, row, origin, draft);
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
        let (Edge { holder, to: right, row }, resource) = granted(row)?;
        self.right(&right, origin);
        if let Some(resource) = &resource {
            self.resources.mention(resource, origin, || named_resource(resource));
        }
        self.grant(holder, right.entitlement, resource, row, origin, draft);
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
        if let Err(e) = shelf::finish(self.accounts, |row: &AccountRow| &row.native_id, &mut draft.accounts) {
            draft.failed.get_or_insert(e);
        }
        draft.groups.extend(self.groups.finish());
        draft.entitlements.extend(self.entitlements.finish());
        draft.resources.extend(self.resources.finish());
    }
}

/// Packs an account with its origin before it; gives its key, and what tells the row from others.
pub fn packed_account(row: &AccountRow, origin: Origin, hashes: &Hashes, to: &mut Vec<u8>) -> (Key, u64) {
    origin.pack(to);
    let from = to.len();
    row.pack(to);
    (hashes.key(&row.native_id), hashes.tag(to.get(from..).unwrap_or_default()))
}

/// The membership that a row of an account list gives beside a grant.
fn direct(grant: &GrantRow) -> MembershipRow {
    MembershipRow {
        kind: MembershipKind::Direct,
        granted_at: grant.granted_at,
        expires_at: grant.expires_at,
        granted_by: grant.granted_by.clone(),
        request_ref: grant.request_ref.clone(),
        ..MembershipRow::default()
    }
}

/// Reads a row of an account list.
///
/// # Errors
/// A field is at fault.
pub fn listed(row: &Row<'_>, key: Option<&[u8]>) -> Got<Listed> {
    let account = account(row)?;
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
    Ok(Listed { account, groups, rights, resource, grant, secret: secret(row, key)? })
}

/// Reads a row of a membership list.
///
/// # Errors
/// A field is at fault.
pub fn membership(row: &Row<'_>) -> Got<Edge<String, MembershipRow>> {
    let group = row.need("group")?;
    let holder = holder(row, "member_group")?;
    let found = MembershipRow {
        kind: row.word("kind")?.unwrap_or(MembershipKind::Direct),
        granted_at: row.time("granted_at")?,
        expires_at: row.end("expires_at")?,
        granted_by: row.text("granted_by")?,
        request_ref: row.text("request")?,
        ..MembershipRow::default()
    };
    Ok(Edge { holder, to: group, row: found })
}

/// Reads a row of a list of grants: the edge, and the resource where it names one.
///
/// # Errors
/// A field is at fault.
pub fn granted(row: &Row<'_>) -> Got<(Edge<Right, GrantRow>, Option<String>)> {
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
    Ok((Edge { holder, to: right, row: found }, resource))
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
