//! Entries of OpenLDAP and its kin: people, POSIX accounts, and the several kinds of group.

use std::collections::BTreeSet;

use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER};
use sha2::{Digest, Sha256};

use super::dn;
use super::entry::{Attributes, Entry, Fault};
use super::object::{Account, Object, Primary, Probe, in_doubt};
use super::values;
use crate::connectors::{Origin, fingerprint};
use crate::model::mask;
use crate::model::text::norm_opt;
use crate::model::time::DAY;
use crate::model::{
    AccountKind, AccountRow, AccountStatus, CredentialKind, CredentialRow, CredentialStatus, GroupRow, Level, MfaState, Time, UseState,
};

const GROUPS: &[&str] =
    &["posixgroup", "groupofnames", "groupofuniquenames", "groupofmembers", "groupofentries", "groupofurls", "organizationalrole"];
const ACCOUNTS: &[&str] =
    &["inetorgperson", "organizationalperson", "person", "account", "posixaccount", "shadowaccount", "simplesecurityobject"];
/// Attributes by which an entry shows that operational ones were exported. Without them, no lock would show either.
const OPERATIONAL: &[&str] = &["entryuuid", "createtimestamp", "modifytimestamp", "pwdchangedtime", "pwdlastsuccess", "authtimestamp"];
/// Account classes whose schema demands `uid`.
const WITH_UID: &[(&str, &str)] = &[("account", "account"), ("posixaccount", "posixAccount"), ("shadowaccount", "shadowAccount")];

/// Reads an entry.
///
/// # Errors
/// An account without the login that its class demands, an entry whose sort cannot be told, a bad value.
pub fn read(entry: &Entry, origin: Origin, key: &str, secret: Option<&[u8]>) -> Result<Object, Fault> {
    let classes = entry.classes()?;
    let (is_account, is_group) = sort(entry, &classes, key)?;
    if key.is_empty() && (is_account || is_group) {
        return Err(Fault::new("ldif/no-dn", "record has an empty `dn:`", "export again; an account or group has a DN"));
    }
    let unique = entry.text("entryuuid")?.map(|t| t.to_ascii_lowercase());
    let native_id = unique.clone().unwrap_or_else(|| key.to_owned());
    let mut object = Object {
        origin,
        dn: entry.dn.trim().to_owned(),
        native_id,
        guid: unique,
        sid: None,
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
    if is_account {
        object.account = Some(account(entry, &mut object, &classes, secret)?);
        object.primary = entry.text("gidnumber")?.map(Primary::Gid);
    }
    if is_group {
        object.group = Some(group(entry, &object, &classes)?);
        object.gid = if classes.contains("posixgroup") { entry.text("gidnumber")? } else { None };
        object.members = members(entry, &mut object.notes)?;
        object.member_uids = entry.texts("memberuid")?;
        if entry.has("memberurl") {
            object.notes.push("dynamic group, whose members by `memberURL` are not in the export");
        }
    }
    Ok(object)
}

/// Whether an entry is an account, and whether it is a group: it may be both.
fn sort(entry: &Entry, classes: &BTreeSet<String>, key: &str) -> Result<(bool, bool), Fault> {
    let any = |names: &[&str]| names.iter().any(|n| classes.contains(*n));
    let has = |names: &[&str]| names.iter().any(|n| entry.has(n));
    if classes.is_empty() {
        let group = has(&["member", "uniquemember", "memberuid", "roleoccupant"]);
        let account = !group && has(&["uid", "uidnumber", "userpassword"]);
        if !group && !account && !key.is_empty() {
            return Err(Fault::new(
                "ldif/no-type",
                "entry has no `objectClass`, and nothing else that tells an account from a group",
                "export all attributes and the operational ones (`ldapsearch … '*' '+'`)",
            ));
        }
        return Ok((account, group));
    }
    // `cn=admin` of many installations is an organizationalRole only because simpleSecurityObject needs a structural class.
    let bind_only = classes.contains("simplesecurityobject") && !entry.has("roleoccupant");
    let group = any(GROUPS) && !(bind_only && classes.contains("organizationalrole"));
    Ok((any(ACCOUNTS), group))
}

fn account(entry: &Entry, object: &mut Object, classes: &BTreeSet<String>, secret: Option<&[u8]>) -> Result<Account, Fault> {
    let uids = entry.texts("uid")?;
    if let Some((_, class)) = WITH_UID.iter().find(|(lower, _)| uids.is_empty() && classes.contains(*lower)) {
        return Err(Fault::new(
            "ldif/no-login",
            format!("`{class}` entry has no `uid`"),
            "export `uid` with the other attributes, by an account that may read it",
        ));
    }
    let login = login(&uids, object, classes);
    let lock = lock(entry)?;
    let last = last_use(entry)?;
    let display_name = entry.first_text(&["displayname", "cn"])?.map(|name| mask::name(&name));
    let email = entry.text("mail")?;
    let created_at = entry.time("createtimestamp")?;
    let (expires_at, can_tell) = expiry(entry)?;
    if !can_tell {
        let note = "`shadowExpire` of 0, below -1 or after the year 9999: whether the account has expired is unknown";
        object.notes.push(note);
    }
    let status = match lock {
        Lock::None if OPERATIONAL.iter().any(|n| entry.has(n)) => AccountStatus::Active,
        Lock::None => AccountStatus::Unknown,
        Lock::Since(_) => AccountStatus::Locked,
        Lock::Disabled => AccountStatus::Disabled,
    };
    let row = AccountRow {
        native_id: object.native_id.clone(),
        generation: created_at.map(|t| t.to_string()),
        kind: if login.as_deref().is_some_and(|l| l.ends_with('$')) { AccountKind::Device } else { AccountKind::Unknown },
        login_norm: norm_opt(login.as_deref()),
        login,
        display_name_norm: norm_opt(display_name.as_deref()),
        display_name,
        email_norm: norm_opt(email.as_deref()),
        email,
        employee_ref: entry.text("employeenumber")?,
        owner_ref: entry.plain_dn(&["manager", "owner"])?,
        status: if can_tell { status } else { in_doubt(status) },
        created_at,
        changed_at: entry.time("modifytimestamp")?,
        last_used_at: last,
        use_state: if last.is_some() { UseState::Used } else { UseState::Unknown },
        mfa_state: MfaState::Unknown,
        expires_at,
        locked_at: if let Lock::Since(at) = lock { Some(at) } else { None },
        attributes: attributes(entry, object)?,
        ..AccountRow::default()
    };
    let mut credentials = Vec::new();
    credentials.extend(password(entry, &row, secret, &mut object.notes)?);
    ssh_keys(entry, &row, secret, object, &mut credentials)?;
    if ["pwdlastsuccess", "authtimestamp"].iter().any(|n| entry.has(n)) {
        object.probes.push(Probe::LastSuccess);
    }
    Ok(Account { row, credentials, never_if: last.is_none().then_some(Probe::LastSuccess), uids })
}

/// The `uid` that the DN begins with, else the first; for a bind-only entry without one, the name in its DN.
fn login(uids: &[String], object: &Object, classes: &BTreeSet<String>) -> Option<String> {
    let leaf = dn::leaf(&object.dn);
    let named = leaf.as_ref().filter(|(name, _)| name == "uid").map(|(_, value)| value);
    uids.iter().find(|u| Some(*u) == named).or(uids.first()).cloned().or_else(|| {
        let (_, value) = leaf.filter(|_| classes.contains("simplesecurityobject"))?;
        Some(value)
    })
}

/// What keeps an account out.
enum Lock {
    None,
    /// Lapses after the policy's lockout time.
    Since(Time),
    /// Only an administrator can undo it.
    Disabled,
}

fn lock(entry: &Entry) -> Result<Lock, Fault> {
    if entry.flag("nsaccountlock")? {
        return Ok(Lock::Disabled);
    }
    // The year 0 is the policy overlay's way to say "for good".
    if entry.text("pwdaccountlockedtime")?.is_some_and(|t| t.starts_with("00000101")) {
        return Ok(Lock::Disabled);
    }
    Ok(entry.time("pwdaccountlockedtime")?.map_or(Lock::None, Lock::Since))
}

fn last_use(entry: &Entry) -> Result<Option<Time>, Fault> {
    Ok(entry.time("pwdlastsuccess")?.max(entry.time("authtimestamp")?))
}

/// What `shadowExpire` says.
enum ShadowExpire {
    /// Absent, or -1.
    Never,
    At(Time),
    /// 0 and what lies below -1: hosts read it as never, or as long ago. After the year 9999: no column holds it.
    Doubtful,
}

fn shadow_expire(entry: &Entry) -> Result<ShadowExpire, Fault> {
    Ok(match entry.integer("shadowexpire")? {
        None | Some(-1) => ShadowExpire::Never,
        Some(day) if day > 0 => values::days(day).map_or(ShadowExpire::Doubtful, ShadowExpire::At),
        Some(_) => ShadowExpire::Doubtful,
    })
}

/// The earlier of `pwdEndTime` and `shadowExpire`, and whether both can be told.
fn expiry(entry: &Entry) -> Result<(Option<Time>, bool), Fault> {
    // The last day of 9999 is "never", and beyond what an instant holds.
    let ends = if entry.text("pwdendtime")?.is_some_and(|t| t.starts_with("99991231")) { None } else { entry.time("pwdendtime")? };
    Ok(match shadow_expire(entry)? {
        ShadowExpire::Never => (ends, true),
        ShadowExpire::At(shadow) => (Some(ends.map_or(shadow, |t| t.min(shadow))), true),
        ShadowExpire::Doubtful => (ends, false),
    })
}

/// The password, where the export shows that there is one. Of its value only a keyed fingerprint is kept.
fn password(
    entry: &Entry,
    account: &AccountRow,
    secret: Option<&[u8]>,
    notes: &mut Vec<&'static str>,
) -> Result<Option<CredentialRow>, Fault> {
    let values = entry.raw("userpassword");
    let changed = entry.time("pwdchangedtime")?;
    let since = entry.integer("shadowlastchange")?.filter(|n| *n > 0);
    let shadow = since.and_then(values::days);
    if values.is_empty() && changed.is_none() {
        return Ok(None);
    }
    let usable = values.is_empty() || values.iter().any(|v| !blocked(v));
    // After `shadowMax` days the host asks for another password and lets its user in; only `shadowInactive` days later it refuses.
    // 99999 days is the usual spelling of never.
    let counts = |days: &i64| (0..99_999).contains(days);
    let most = entry.integer("shadowmax")?.filter(counts).zip(entry.integer("shadowinactive")?.filter(counts));
    let expires_at = shadow.zip(most).map(|(at, (most, idle))| at.plus((most + idle).saturating_mul(DAY)));
    let doubtful = since.is_some() && shadow.is_none() && most.is_some();
    if doubtful {
        notes.push("`shadowLastChange` after the year 9999: whether the password has expired is unknown");
    }
    let status = match usable && account.status != AccountStatus::Disabled {
        true if doubtful => CredentialStatus::Unknown,
        true => CredentialStatus::Active,
        false => CredentialStatus::Inactive,
    };
    Ok(Some(CredentialRow {
        native_id: format!("{}#password", account.native_id),
        kind: CredentialKind::Password,
        status,
        created_at: None,
        rotated_at: changed.or(shadow),
        last_used_at: account.last_used_at,
        use_state: account.use_state,
        expires_at,
        fingerprint: if let [one] = values { fingerprint(secret, one) } else { None },
        ..CredentialRow::default()
    }))
}

/// Whether no password can match a stored value: `{CRYPT}!…`, `{CRYPT}*`, and the same without a scheme.
fn blocked(value: &[u8]) -> bool {
    let crypt = value.get(..7).is_some_and(|head| head.eq_ignore_ascii_case(b"{crypt}"));
    let hash = if crypt { value.get(7..).unwrap_or_default() } else { value };
    hash.starts_with(b"!") || hash.starts_with(b"*") || (crypt && hash.eq_ignore_ascii_case(b"x"))
}

/// One credential for each public key. A value that is none (a private key, say) is let go.
fn ssh_keys(
    entry: &Entry,
    account: &AccountRow,
    secret: Option<&[u8]>,
    object: &mut Object,
    out: &mut Vec<CredentialRow>,
) -> Result<(), Fault> {
    for line in entry.texts("sshpublickey")? {
        let Some((kind, blob)) = public_key(&line) else {
            object.notes.push("value of `sshPublicKey` that is no public key let go");
            continue;
        };
        let digest = Sha256::digest(&blob);
        let native_id = format!("{}#ssh/{}", account.native_id, HEXLOWER.encode(digest.get(..16).unwrap_or_default()));
        if out.iter().any(|c| c.native_id == native_id) {
            continue;
        }
        out.push(CredentialRow {
            native_id,
            kind: CredentialKind::SshKey,
            name: Some(format!("{kind} SHA256:{}", BASE64_NOPAD.encode(&digest))),
            // A lock in the directory stops a bind. Hosts that take keys from the entry do not look at it.
            status: CredentialStatus::Active,
            fingerprint: fingerprint(secret, &blob),
            ..CredentialRow::default()
        });
    }
    Ok(())
}

/// Type and blob of an `authorized_keys` line, which may begin with options. The blob names its own type.
fn public_key(line: &str) -> Option<(String, Vec<u8>)> {
    line.split_whitespace().find_map(|word| {
        let blob = BASE64.decode(word.as_bytes()).ok()?;
        let (length, rest) = blob.split_first_chunk::<4>()?;
        let kind = std::str::from_utf8(rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?).ok()?;
        let plausible = (4..=64).contains(&kind.len()) && kind.bytes().all(|b| b.is_ascii_graphic()) && line.contains(kind);
        plausible.then(|| (kind.to_owned(), blob.clone()))
    })
}

fn attributes(entry: &Entry, object: &Object) -> Result<Option<String>, Fault> {
    let mut out = Attributes::default();
    out.put("dn", object.dn.as_str());
    out.copy(
        entry,
        &[
            ("departmentnumber", "departmentNumber"),
            ("employeetype", "employeeType"),
            ("gidnumber", "gidNumber"),
            ("homedirectory", "homeDirectory"),
            ("loginshell", "loginShell"),
            ("ou", "ou"),
            ("pwdpolicysubentry", "pwdPolicySubentry"),
            ("shadowexpire", "shadowExpire"),
            ("shadowinactive", "shadowInactive"),
            ("shadowmax", "shadowMax"),
            ("title", "title"),
            ("uidnumber", "uidNumber"),
        ],
    )?;
    if entry.text("loginshell")?.is_some_and(|s| ["nologin", "false"].contains(&s.rsplit('/').next().unwrap_or_default())) {
        out.put("no_login_shell", true);
    }
    if entry.integer("uidnumber")? == Some(0) || entry.integer("gidnumber")? == Some(0) {
        out.put("root_id", true);
    }
    if entry.flag("pwdreset")? || entry.integer("shadowlastchange")? == Some(0) {
        out.put("password_must_change", true);
    }
    let uids = entry.texts("uid")?;
    if uids.len() > 1 {
        out.put("uid", uids);
    }
    out.copy_masked(entry, &["description"])?;
    Ok(out.json())
}

fn group(entry: &Entry, object: &Object, classes: &BTreeSet<String>) -> Result<GroupRow, Fault> {
    let name = entry.text("cn")?.or_else(|| dn::leaf(&object.dn).map(|(_, value)| value));
    let mut out = Attributes::default();
    out.put("dn", object.dn.as_str());
    out.copy(entry, &[("gidnumber", "gidNumber"), ("memberurl", "memberURL")])?;
    if entry.integer("gidnumber")? == Some(0) {
        out.put("root_id", true);
    }
    out.copy_masked(entry, &["description"])?;
    Ok(GroupRow {
        native_id: object.native_id.clone(),
        generation: entry.time("createtimestamp")?.map(|t| t.to_string()),
        name_norm: norm_opt(name.as_deref()),
        name,
        kind: if classes.contains("organizationalrole") { "role" } else { "group" }.to_owned(),
        level: Level::Unknown,
        vendor_managed: false,
        owner_ref: entry.plain_dn(&["owner"])?,
        attributes: out.json(),
        ..GroupRow::default()
    })
}

/// Members by DN. A unique member may carry a bit string (`#'0101'B`), which is no part of its DN.
fn members(entry: &Entry, notes: &mut Vec<&'static str>) -> Result<Vec<String>, Fault> {
    let mut out = Vec::new();
    if entry.raw("member").iter().chain(entry.raw("uniquemember")).any(|v| v.trim_ascii().is_empty()) {
        notes.push("empty member, the usual placeholder of an empty group, let go");
    }
    out.extend(entry.texts("member")?);
    out.extend(entry.texts("roleoccupant")?);
    for text in entry.texts("uniquemember")? {
        let plain =
            text.strip_suffix("'B").and_then(|t| t.rsplit_once("#'")).filter(|(_, bits)| bits.bytes().all(|b| b == b'0' || b == b'1'));
        out.push(plain.map_or_else(|| text.clone(), |(dn, _)| dn.to_owned()));
    }
    Ok(out)
}
