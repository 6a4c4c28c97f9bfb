//! Entries of Active Directory and Samba.

use std::collections::BTreeSet;

use super::dn;
use super::entry::{Attributes, Entry, Fault};
use super::object::{Account, Object, Partial, Primary, Probe, in_doubt};
use super::values::FileTime;
use super::wellknown;
use crate::connectors::Origin;
use crate::model::mask;
use crate::model::text::norm_opt;
use crate::model::time::DAY;
use crate::model::{
    AccountKind, AccountRow, AccountStatus, CredentialKind, CredentialRow, CredentialStatus, GroupRow, Level, MfaState, Time, UseState,
};

const DISABLED: i64 = 0x2;
const LOCKED_OUT: i64 = 0x10;
const TRUST: i64 = 0x800;
const WORKSTATION: i64 = 0x1000;
const SERVER: i64 = 0x2000;
const SMARTCARD: i64 = 0x4_0000;
const PASSWORD_EXPIRED: i64 = 0x80_0000;

/// Bits of `userAccountControl` that are listed by name in `attributes`.
const FLAGS: &[(i64, &str)] = &[
    (DISABLED, "disabled"),
    (0x20, "password_not_required"),
    (0x80, "reversible_encryption"),
    (0x200, "normal_account"),
    (TRUST, "interdomain_trust"),
    (WORKSTATION, "workstation_trust"),
    (SERVER, "server_trust"),
    (0x1_0000, "password_never_expires"),
    (SMARTCARD, "smartcard_required"),
    (0x8_0000, "trusted_for_delegation"),
    (0x10_0000, "not_delegated"),
    (0x20_0000, "des_key_only"),
    (0x40_0000, "no_preauthentication"),
    (PASSWORD_EXPIRED, "password_expired"),
    (0x100_0000, "trusted_to_authenticate_for_delegation"),
    (0x400_0000, "partial_secrets_account"),
];

/// How far `lastLogonTimestamp` may lag behind (`msDS-LogonTimeSyncInterval`, default).
const LAG: i64 = 14 * DAY;

/// Security bit of `groupType`: without it a group is for mail only.
const SECURITY_GROUP: i64 = 0x8000_0000;

/// What sort of object an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Account(AccountKind),
    Group,
    /// A container, policy, contact, foreign principal…: accepted, no account.
    Other,
}

/// Whether an entry is one of Active Directory: by attributes that only it has, else by a class that OpenLDAP does not have, so
/// that an export without those attributes loses no account unsaid.
pub fn is_entry(entry: &Entry) -> bool {
    let by_class = || entry.classes().is_ok_and(|c| ["user", "computer", "group"].iter().any(|n| c.contains(*n)));
    ["objectsid", "samaccountname", "objectguid", "samaccounttype"].iter().any(|n| entry.has(n))
        || entry.dn.starts_with("<GUID=")
        || !entry.has("entryuuid") && by_class()
}

/// Reads an entry.
///
/// # Errors
/// An account without a logon name, an entry whose sort cannot be told, a value that is not what its attribute holds.
pub fn read(entry: &Entry, origin: Origin, key: &str) -> Result<Object, Fault> {
    let name = dn::reference(&entry.dn);
    let sid = entry.sids("objectsid")?.into_iter().next().or(name.sid.clone());
    let guid = entry.guid("objectguid")?.or(name.guid.clone());
    let native_id = guid.clone().or_else(|| sid.clone()).unwrap_or_else(|| key.to_owned());
    let deleted = entry.flag("isdeleted")?;
    let mut object = Object {
        origin,
        dn: name.dn.to_owned(),
        native_id,
        guid,
        sid,
        account: None,
        group: None,
        gid: None,
        members: Vec::new(),
        member_uids: Vec::new(),
        member_of: entry.texts("memberof")?,
        primary: None,
        probes: Vec::new(),
        notes: Vec::new(),
        digest: entry.digest,
        partial: None,
    };
    match sort(entry)? {
        Sort::Account(kind) => {
            object.account = Some(account(entry, &mut object, kind, deleted)?);
            object.primary = primary(entry, object.sid.as_deref())?;
            if entry.has("lastlogontimestamp") {
                object.probes.push(Probe::LastLogonTimestamp);
            }
        }
        Sort::Group if deleted => object.notes.push("deleted group, which has no row"),
        Sort::Group => {
            object.group = Some(group(entry, &object)?);
            object.members = entry.texts("member")?;
        }
        Sort::Other => {}
    }
    if !entry.ranges.is_empty() {
        let others = entry.attributes.iter().filter(|(n, _)| !entry.ranges.contains_key(*n)).map(|(n, v)| (*n, v.clone()));
        object.partial = Some(Box::new(Partial { ranges: entry.ranges.clone(), others: others.collect() }));
    }
    Ok(object)
}

/// By object class, else by `sAMAccountType`, else by what only one sort has.
fn sort(entry: &Entry) -> Result<Sort, Fault> {
    let classes = entry.classes()?;
    let control = entry.integer("useraccountcontrol")?;
    let base = if classes.is_empty() { sort_without_class(entry, control)? } else { sort_of_class(&classes) };
    let Sort::Account(kind) = base else { return Ok(base) };
    let sid = entry.sids("objectsid")?.into_iter().next();
    let bits = control.unwrap_or(0);
    let trust = bits & TRUST != 0 || entry.integer("samaccounttype")? == Some(805_306_370);
    let vendor = sid.is_some_and(|s| wellknown::vendor_made(&s)) || entry.has("msds-secondarykrbtgtnumber");
    Ok(Sort::Account(match kind {
        _ if trust || vendor => AccountKind::System,
        AccountKind::Unknown if bits & (WORKSTATION | SERVER) != 0 => AccountKind::Device,
        kind => kind,
    }))
}

fn sort_of_class(classes: &BTreeSet<String>) -> Sort {
    let any = |names: &[&str]| names.iter().any(|n| classes.contains(*n));
    if any(&["msds-groupmanagedserviceaccount", "msds-managedserviceaccount", "msds-delegatedmanagedserviceaccount"]) {
        Sort::Account(AccountKind::Service)
    } else if any(&["computer"]) {
        Sort::Account(AccountKind::Device)
    } else if any(&["user", "inetorgperson"]) {
        Sort::Account(AccountKind::Unknown)
    } else if any(&["group"]) {
        Sort::Group
    } else {
        Sort::Other
    }
}

fn sort_without_class(entry: &Entry, control: Option<i64>) -> Result<Sort, Fault> {
    match entry.integer("samaccounttype")? {
        Some(805_306_368 | 805_306_370) => return Ok(Sort::Account(AccountKind::Unknown)),
        Some(805_306_369) => return Ok(Sort::Account(AccountKind::Device)),
        // Groups: global, global for mail, local, local for mail, and the two of an application.
        Some(268_435_456 | 268_435_457 | 536_870_912 | 536_870_913 | 1_073_741_824 | 1_073_741_825) => return Ok(Sort::Group),
        _ => {}
    }
    if entry.has("grouptype") || entry.has("member") {
        Ok(Sort::Group)
    } else if control.is_some() || entry.has("primarygroupid") {
        Ok(Sort::Account(AccountKind::Unknown))
    } else {
        Err(Fault::new(
            "ldif/no-type",
            "entry has neither `objectClass` nor `sAMAccountType`, so an account cannot be told from a group",
            "export `objectClass` with the other attributes",
        ))
    }
}

fn account(entry: &Entry, object: &mut Object, kind: AccountKind, deleted: bool) -> Result<Account, Fault> {
    let login = entry.text("samaccountname")?;
    if login.is_none() && !deleted {
        return Err(Fault::new("ldif/no-login", "account has no `sAMAccountName`", "export `sAMAccountName` with the other attributes"));
    }
    let control = entry.integer("useraccountcontrol")?;
    let computed = entry.integer("msds-user-account-control-computed")?;
    let locked_at = locked(entry, computed)?;
    let status = status(control, deleted, locked_at);
    let (expires_at, can_tell) = expiry(entry)?;
    if !can_tell {
        object.notes.push("`accountExpires` after the year 9999, and not the value for never: whether the account has expired is unknown");
    }
    let last = last_use(entry)?;
    if last.one_controller {
        object.notes.push("`lastLogon` without `lastLogonTimestamp`: logons at other controllers are not seen");
    }
    let display_name = entry.first_text(&["displayname", "cn"])?.map(|name| mask::name(&before_deletion(&name, deleted)));
    let email = entry.text("mail")?;
    let upn = entry.text("userprincipalname")?;
    let created_at = entry.time("whencreated")?;
    let row = AccountRow {
        native_id: object.native_id.clone(),
        generation: generation(object, created_at),
        kind,
        login_norm: norm_opt(login.as_deref()),
        login,
        display_name_norm: norm_opt(display_name.as_deref()),
        display_name,
        email_norm: norm_opt(email.as_deref()),
        email,
        upn_norm: norm_opt(upn.as_deref()),
        upn,
        employee_ref: entry.first_text(&["employeeid", "employeenumber"])?,
        owner_ref: entry.plain_dn(&["managedby", "manager"])?,
        status: if can_tell { status } else { in_doubt(status) },
        created_at,
        changed_at: entry.time("whenchanged")?,
        last_used_at: last.at,
        last_used_until: last.until,
        use_state: if last.at.is_some() { UseState::Used } else { UseState::Unknown },
        mfa_state: if control.unwrap_or(0) & SMARTCARD != 0 { MfaState::Yes } else { MfaState::Unknown },
        expires_at,
        locked_at,
        attributes: attributes(entry, object, control, computed, kind)?,
        ..AccountRow::default()
    };
    let credentials = vec![password(entry, &row)?];
    Ok(Account { row, credentials, never_if: last.never_if, uids: Vec::new() })
}

/// A tombstone's name is its former one, a line break and `DEL:` with its GUID.
fn before_deletion(name: &str, deleted: bool) -> String {
    name.split_once("\nDEL:").filter(|_| deleted).map_or(name, |(former, _)| former).to_owned()
}

/// The SID tells a re-created account from the first; where the SID is the native id, the time of creation does.
fn generation(object: &Object, created_at: Option<Time>) -> Option<String> {
    object.sid.clone().filter(|s| *s != object.native_id).or_else(|| created_at.map(|t| t.to_string()))
}

fn status(control: Option<i64>, deleted: bool, locked_at: Option<Time>) -> AccountStatus {
    match control {
        _ if deleted => AccountStatus::Deleted,
        None => AccountStatus::Unknown,
        Some(bits) if bits & DISABLED != 0 => AccountStatus::Disabled,
        Some(_) if locked_at.is_some() => AccountStatus::Locked,
        Some(_) => AccountStatus::Active,
    }
}

/// When the account was locked. `lockoutTime` outlives the lock; where the server also computed the bits, they decide.
fn locked(entry: &Entry, computed: Option<i64>) -> Result<Option<Time>, Fault> {
    let since = entry.instant("lockouttime")?;
    Ok(since.filter(|_| computed.is_none_or(|bits| bits & LOCKED_OUT != 0)))
}

/// When the account ends, and whether that can be told.
fn expiry(entry: &Entry) -> Result<(Option<Time>, bool), Fault> {
    Ok(match entry.filetime("accountexpires")? {
        Some(FileTime::At(time)) => (Some(time), true),
        Some(FileTime::Zero | FileTime::Never) | None => (None, true),
        Some(FileTime::Beyond) => (None, false),
    })
}

/// What an account's two records of logging on say together.
struct LastUse {
    at: Option<Time>,
    until: Option<Time>,
    never_if: Option<Probe>,
    /// Only one controller speaks.
    one_controller: bool,
}

/// `lastLogon` is what one controller saw; `lastLogonTimestamp` is what all of them know, up to 14 days late. Only the
/// absence of the second, in an export that carries it, means that the account was never used.
fn last_use(entry: &Entry) -> Result<LastUse, Fault> {
    let here = entry.instant("lastlogon")?;
    let everywhere = entry.instant("lastlogontimestamp")?;
    let at = here.max(everywhere);
    Ok(LastUse {
        at,
        until: everywhere.map(|t| t.plus(LAG)).max(at).filter(|_| everywhere.is_some()),
        never_if: at.is_none().then_some(Probe::LastLogonTimestamp),
        one_controller: here.is_some() && everywhere.is_none(),
    })
}

fn primary(entry: &Entry, sid: Option<&str>) -> Result<Option<Primary>, Fault> {
    let Some(rid) = entry.integer("primarygroupid")? else { return Ok(None) };
    let domain = sid.and_then(wellknown::domain_and_rid).map(|(domain, _)| domain);
    Ok(domain.map(|domain| Primary::Sid(format!("{domain}-{rid}"))))
}

/// The account's password. One that ran out counts as live: who knows it is let in to choose another.
fn password(entry: &Entry, account: &AccountRow) -> Result<CredentialRow, Fault> {
    let status = match account.status {
        AccountStatus::Deleted => CredentialStatus::Deleted,
        AccountStatus::Disabled => CredentialStatus::Inactive,
        AccountStatus::Unknown => CredentialStatus::Unknown,
        _ => CredentialStatus::Active,
    };
    Ok(CredentialRow {
        native_id: format!("{}#password", account.native_id),
        kind: CredentialKind::Password,
        status,
        created_at: account.created_at,
        rotated_at: entry.instant("pwdlastset")?,
        ..CredentialRow::default()
    })
}

fn attributes(
    entry: &Entry,
    object: &Object,
    control: Option<i64>,
    computed: Option<i64>,
    kind: AccountKind,
) -> Result<Option<String>, Fault> {
    let mut out = Attributes::default();
    out.put("dn", object.dn.as_str());
    if let Some(sid) = &object.sid {
        out.put("objectSid", sid.as_str());
    }
    if let Some(bits) = control {
        out.put("userAccountControl", bits);
        out.put("flags", FLAGS.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect::<Vec<_>>());
    }
    for (name, shown) in [("lastlogon", "lastLogon"), ("lastlogontimestamp", "lastLogonTimestamp")] {
        match entry.filetime(name)? {
            Some(FileTime::At(time)) => out.put(shown, time.to_string()),
            Some(FileTime::Zero | FileTime::Never) => out.put(shown, 0),
            Some(FileTime::Beyond) | None => {}
        }
    }
    // A machine's password is never set by hand.
    let by_hand = !matches!(kind, AccountKind::Device | AccountKind::Service);
    if by_hand && entry.filetime("pwdlastset")? == Some(FileTime::Zero) {
        out.put("password_must_change", true);
    }
    if (control.unwrap_or(0) | computed.unwrap_or(0)) & PASSWORD_EXPIRED != 0 {
        out.put("password_expired", true);
    }
    if entry.integer("admincount")?.is_some_and(|n| n > 0) {
        out.put("adminCount", true);
    }
    let history = entry.sids("sidhistory")?;
    if !history.is_empty() {
        out.put("sIDHistory", history);
    }
    if entry.has("serviceprincipalname") {
        out.put("servicePrincipalName", entry.raw("serviceprincipalname").len());
    }
    if entry.has("msds-allowedtodelegateto") {
        out.put("msDS-AllowedToDelegateTo", entry.raw("msds-allowedtodelegateto").len());
    }
    if entry.flag("iscriticalsystemobject")? {
        out.put("isCriticalSystemObject", true);
    }
    out.copy(
        entry,
        &[
            ("company", "company"),
            ("department", "department"),
            ("dnshostname", "dNSHostName"),
            ("employeetype", "employeeType"),
            ("lastknownparent", "lastKnownParent"),
            ("operatingsystem", "operatingSystem"),
            ("primarygroupid", "primaryGroupID"),
            ("title", "title"),
        ],
    )?;
    out.copy_masked(entry, &["comment", "description", "info"])?;
    Ok(out.json())
}

fn group(entry: &Entry, object: &Object) -> Result<GroupRow, Fault> {
    let leaf = dn::leaf(&object.dn).map(|(_, value)| value);
    let name = entry.first_text(&["samaccountname", "cn"])?.or(leaf);
    let kind = entry.integer("grouptype")?;
    // Printed as a signed 32-bit number; a group for mail only confers nothing.
    let for_mail = kind.is_some_and(|k| k & SECURITY_GROUP == 0);
    let sid = object.sid.as_deref();
    let mut out = Attributes::default();
    out.put("dn", object.dn.as_str());
    if let Some(sid) = sid {
        out.put("objectSid", sid);
    }
    if let Some(kind) = kind {
        out.put("groupType", kind);
        out.put("purpose", if for_mail { "distribution" } else { "security" });
        out.put("scope", scope(kind));
    }
    if entry.integer("admincount")?.is_some_and(|n| n > 0) {
        out.put("adminCount", true);
    }
    let history = entry.sids("sidhistory")?;
    if !history.is_empty() {
        out.put("sIDHistory", history);
    }
    out.copy(entry, &[("mail", "mail")])?;
    out.copy_masked(entry, &["comment", "description", "info"])?;
    Ok(GroupRow {
        native_id: object.native_id.clone(),
        generation: generation(object, entry.time("whencreated")?),
        name_norm: norm_opt(name.as_deref()),
        name,
        kind: "group".to_owned(),
        level: if for_mail { Level::None } else { sid.map_or(Level::Unknown, wellknown::level) },
        vendor_managed: sid.is_some_and(wellknown::vendor_made) || entry.flag("iscriticalsystemobject")?,
        owner_ref: entry.plain_dn(&["managedby"])?,
        attributes: out.json(),
        ..GroupRow::default()
    })
}

fn scope(kind: i64) -> &'static str {
    match kind {
        k if k & 0x2 != 0 => "global",
        k if k & 0x4 != 0 => "domain-local",
        k if k & 0x8 != 0 => "universal",
        _ => "unknown",
    }
}
