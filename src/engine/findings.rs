//! From a check's row to a finding: who, what to remove, and every source line behind it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Run;
use super::behind;
use super::evaluate::Hit;
use super::load::System;
use super::near::Near;
use crate::checks::Check;
use crate::model::time::DAY;
use crate::model::*;

/// A hit of which no finding can be made.
#[derive(Debug, thiserror::Error)]
#[error("check `{check}`: {what}")]
pub struct HalfMade {
    pub check: String,
    pub what: String,
    /// Whether the check's row lacks something; else the snapshot does.
    pub of_the_check: bool,
}

/// The subject of a hit, resolved to native ids.
#[derive(Clone, Debug, Default)]
struct Subject<'a> {
    kind: SubjectKind,
    system: String,
    id: String,
    name: Option<String>,
    account_ix: Option<u32>,
    principal: Option<String>,
    target: Option<String>,
    target_name: Option<String>,
    resource: Option<String>,
    /// What the fingerprint is over, beside the check.
    key: Vec<String>,
    /// System whose snapshot holds `rows`.
    system_ix: Option<u32>,
    /// Rows of that snapshot that it stands on.
    rows: Vec<(&'static str, u32)>,
    /// Further rows that it stands on: snapshot, table, row.
    further: Vec<behind::Row<'a>>,
    /// Origins of what earlier people lists said of them.
    former: Vec<Value>,
    /// Identities that it is about, by run-wide ordinal.
    identities: Vec<u32>,
    observed_at: Option<Time>,
}

/// Columns that carry the engine's own keys and are no evidence.
pub const KEYS: [&str; 10] = [
    "system_ix",
    "account_ix",
    "credential_ix",
    "identity_ix",
    "edge_ix",
    "request_system_ix",
    "revoke_request_system_ix",
    "outcome",
    "certainty",
    "since",
];

/// Builds the finding of one hit. Its state is set in triage. `near`: rows that are at hand already.
///
/// # Errors
/// The row lacks its subject's keys, or the finding would lack evidence or a remedy.
pub fn build(run: &Run, near: &Near, check: &Check, severity: Severity, hit: &Hit) -> Result<FindingRow, HalfMade> {
    let half = |what: &str| HalfMade { check: check.id.clone(), what: what.to_owned(), of_the_check: true };
    let mut subject = subject(run, near, check, hit).ok_or_else(|| half("a row does not name its subject"))?;
    if let (Some(system_ix), Some(account_ix)) = (hit.system_ix, subject.account_ix) {
        subject.identities = run.candidates(system_ix, account_ix).iter().map(|c| c.identity_ix).collect();
    }
    let people: Vec<&RunIdentityRow> = subject.identities.iter().filter_map(|i| run.identities.get(*i as usize)).collect();
    let joined = |f: &dyn Fn(&RunIdentityRow) -> Option<String>| {
        let parts: Vec<String> = people.iter().filter_map(|p| f(p)).collect();
        (!parts.is_empty()).then(|| parts.join(" | "))
    };
    let identity = joined(&|p| Some(p.identity.clone()));
    let identity_name = joined(&|p| p.display_name.clone());
    let account = subject.account_ix.zip(run.system(hit.system_ix)).and_then(|(a, s)| Some(near.account(s, a)?.native_id.clone()));
    let evidence: Map<String, Value> =
        hit.columns.iter().filter(|(k, _)| !KEYS.contains(&k.as_str())).map(|(k, v)| (k.clone(), v.clone())).collect();
    if evidence.is_empty() {
        return Err(half("a row carries no evidence"));
    }
    if check.remedy.is_empty() {
        return Err(half("the check names no remedy"));
    }
    let origins = origins(run, near, &subject);
    if origins.is_empty()
        && matches!(subject.kind, SubjectKind::Account | SubjectKind::Credential | SubjectKind::Edge | SubjectKind::Request)
    {
        return Err(HalfMade { of_the_check: false, ..half("a finding about a snapshot row has no origin") });
    }
    let age_days = hit.since.zip(subject.observed_at).map(|(s, o)| (o.micros() - s.micros()) as f64 / DAY as f64);
    let person = identity.clone().or_else(|| account.clone()).unwrap_or_else(|| subject.id.clone());
    Ok(FindingRow {
        fingerprint: fingerprint(&check.id, &subject),
        check_id: check.id.clone(),
        severity,
        certainty: hit.certainty,
        state: FindingState::New,
        also: false,
        case_key: format!("{person} @ {}", subject.system),
        title: message(&check.message, &hit.columns, account.as_deref().unwrap_or(&subject.id)),
        remedy: remedy(check, &subject),
        evidence: Value::Object(evidence).to_string(),
        origins: (!origins.is_empty()).then(|| Value::Array(origins).to_string()),
        observed_at: subject.observed_at,
        since: hit.since,
        age_days,
        system: subject.system,
        subject_kind: subject.kind,
        subject: subject.id,
        subject_name: subject.name,
        account,
        identity,
        identity_name,
        principal: subject.principal,
        target: subject.target,
        target_name: subject.target_name,
        resource: subject.resource,
        exception: None,
        first_seen: run.as_of,
        last_seen: run.as_of,
    })
}

/// The check's remedy, with the very thing to take away in front.
fn remedy(check: &Check, s: &Subject<'_>) -> String {
    match s.kind {
        SubjectKind::Edge | SubjectKind::Request if s.target.is_some() => {
            let target = s.target_name.as_deref().or(s.target.as_deref()).unwrap_or("?");
            let holder = s.name.as_deref().or(s.principal.as_deref()).unwrap_or("?");
            format!("Take `{target}` away from `{holder}` in `{}`. {}", s.system, check.remedy)
        }
        SubjectKind::Account | SubjectKind::Credential | SubjectKind::Request => {
            format!("`{}` in `{}`: {}", s.name.as_deref().unwrap_or(&s.id), s.system, check.remedy)
        }
        _ => check.remedy.clone(),
    }
}

fn subject<'a>(run: &'a Run, near: &Near, check: &Check, hit: &Hit) -> Option<Subject<'a>> {
    let number = |name: &str| hit.columns.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let text = |name: &str| hit.columns.get(name).and_then(Value::as_str).map(str::to_owned);
    let system = run.system(hit.system_ix);
    let mut s = Subject { kind: check.subject, system_ix: hit.system_ix, account_ix: number("account_ix"), ..Subject::default() };
    if let Some(system) = system {
        s.system.clone_from(&system.name);
        s.observed_at = Some(system.observed_at());
    }
    match check.subject {
        SubjectKind::Account => {
            let account = near.account(system?, s.account_ix?)?;
            s.id.clone_from(&account.native_id);
            s.name = account.login.clone().or_else(|| account.display_name.clone());
            s.key = vec![s.system.clone(), account.native_id.clone()];
            s.rows = vec![("accounts", account.account_ix)];
        }
        SubjectKind::Credential => {
            let row = near.credential(system?, number("credential_ix")?)?;
            let account = row.account_ix.and_then(|a| near.account(system?, a));
            s.account_ix = row.account_ix;
            s.id.clone_from(&row.native_id);
            let login = account.and_then(|a| a.login.clone()).unwrap_or_else(|| row.native_id.clone());
            s.name = Some(format!("{} of {login}", row.kind));
            s.key = vec![s.system.clone(), row.native_id.clone()];
            s.rows = vec![("credentials", row.credential_ix)];
            s.rows.extend(row.account_ix.map(|a| ("accounts", a)));
            let same = |r: &ResourceRow| r.native_id.as_str().cmp(&row.native_id);
            let metadata = system?.resources.binary_search_by(same).ok().and_then(|at| u32::try_from(at).ok());
            s.rows.extend(metadata.map(|at| ("resources", at)));
            if check.needs.iter().any(|n| n == LEAVER_REACH.name) {
                let known = behind::secret(run, hit.system_ix?, &row);
                (s.identities, s.further) = (known.identities, known.rows);
            }
        }
        SubjectKind::Edge => {
            edge(system?, near, &text("edge")?, number("edge_ix")?, &mut s)?;
            let named = [text("roles"), text("roles_before")];
            s.further = behind::roles(run, &s.system, named.iter().flatten().flat_map(|t| t.split("; ")));
            if check.needs.iter().any(|n| n == MOVERS.name) {
                s.further.extend(behind::moves(run, hit.system_ix?, s.account_ix?));
                let people = run.candidates(hit.system_ix?, s.account_ix?).iter();
                s.former = people.filter_map(|c| run.former_posts.get(&c.identity_ix)).flatten().cloned().collect();
            }
        }
        SubjectKind::Identity => {
            let ix = number("identity_ix")?;
            let identity = run.identities.get(ix as usize)?;
            let authority = run.system(Some(identity.system_ix))?;
            s.system.clone_from(&authority.name);
            s.observed_at = Some(identity.observed_at);
            s.id.clone_from(&identity.identity);
            s.name.clone_from(&identity.display_name);
            s.key = vec![authority.name.clone(), identity.identity.clone()];
            s.identities = vec![ix];
        }
        SubjectKind::Source => {
            s.system = text("system")?;
            s.id.clone_from(&s.system);
            s.observed_at = run.sources.iter().find(|r| r.system == s.id).and_then(|r| r.observed_at);
            s.key = vec![s.system.clone()];
        }
        SubjectKind::Exception => {
            s.id = text("exception")?;
            s.system = "*".to_owned();
            s.observed_at = Some(run.as_of);
            s.key = vec![s.id.clone()];
            let recorded = run.systems.iter().find_map(|y| y.exceptions.iter().position(|e| e.exception == s.id).map(|row| (y.ix, row)));
            if let Some((ix, row)) = recorded {
                s.system_ix = Some(ix);
                s.rows = vec![("exceptions", u32::try_from(row).ok()?)];
            }
        }
        SubjectKind::Request => request(run, near, system?, &hit.columns, &mut s)?,
        SubjectKind::Rule => {
            s.id = text("subject")?;
            s.system = text("system").unwrap_or_else(|| "*".to_owned());
            s.key = vec![s.system.clone(), s.id.clone()];
        }
    }
    s.further.extend(asked(run, number("request_system_ix"), text("request")));
    s.further.extend(asked(run, number("revoke_request_system_ix"), text("revoke_request")));
    Some(s)
}

/// The record of the request that a row names.
fn asked(run: &Run, system_ix: Option<u32>, request: Option<String>) -> Option<behind::Row<'_>> {
    let (source, request) = (run.system(system_ix)?, request?);
    let at = source.requests.binary_search_by(|r| r.request.cmp(&request)).ok()?;
    Some((source, REQUESTS.name, u32::try_from(at).ok()?))
}

/// What a request left behind: an edge, or an account. Its key names the request and what it is about.
fn request(run: &Run, near: &Near, system: &System, columns: &Map<String, Value>, s: &mut Subject<'_>) -> Option<()> {
    let text = |name: &str| columns.get(name).and_then(Value::as_str);
    let number = |name: &str| columns.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let request = text("request")?;
    match (text("edge"), number("edge_ix")) {
        (Some(word), Some(ix)) => edge(system, near, word, ix, s)?,
        _ => {
            let account = near.account(system, s.account_ix?)?;
            s.id.clone_from(&account.native_id);
            s.name = account.login.clone().or_else(|| account.display_name.clone());
            s.key = vec![s.system.clone(), account.native_id.clone()];
            s.rows = vec![("accounts", account.account_ix)];
        }
    }
    s.id = format!("{request}: {}", s.id);
    let source = run.system(number("request_system_ix"))?;
    s.key.splice(0..0, [source.name.clone(), request.to_owned()]);
    Some(())
}

fn edge(system: &System, near: &Near, edge: &str, ix: u32, s: &mut Subject<'_>) -> Option<()> {
    let group = |g: Option<u32>| g.and_then(|g| system.groups.get(g as usize));
    let (account_ix, holder_group, verbatim);
    match edge {
        "membership" => {
            let row = near.membership(system, ix)?;
            let target = system.groups.get(row.group_ix as usize)?;
            (account_ix, holder_group, verbatim) = (row.account_ix, row.member_group_ix, row.principal_ref.clone());
            s.target = Some(target.native_id.clone());
            s.target_name.clone_from(&target.name);
            s.rows = vec![("memberships", ix)];
        }
        "grant" => {
            let row = near.grant(system, ix)?;
            let target = system.entitlements.get(row.entitlement_ix as usize)?;
            (account_ix, holder_group, verbatim) = (row.account_ix, row.group_ix, row.principal_ref.clone());
            s.target = Some(target.native_id.clone());
            s.target_name.clone_from(&target.name);
            s.resource = row.resource_ix.and_then(|r| system.resources.get(r as usize)).map(|r| r.native_id.clone());
            s.rows = vec![("grants", ix)];
        }
        _ => return None,
    }
    s.account_ix = account_ix;
    s.rows.extend(account_ix.map(|a| ("accounts", a)));
    let account = account_ix.and_then(|a| near.account(system, a));
    let own = account.as_ref().map(|a| &a.native_id);
    let holder = own.or(group(holder_group).map(|g| &g.native_id)).or(verbatim.as_ref())?.clone();
    s.principal = Some(holder.clone());
    let name = account
        .as_ref()
        .and_then(|a| a.login.clone().or_else(|| a.display_name.clone()))
        .or_else(|| group(holder_group).and_then(|g| g.name.clone()));
    s.name = Some(name.unwrap_or_else(|| holder.clone()));
    let target = s.target.clone()?;
    s.id = format!("{holder} -> {target}");
    s.key = vec![s.system.clone(), edge.to_owned(), holder.clone(), target, s.resource.clone().unwrap_or_default()];
    Some(())
}

/// 128 bits of SHA-256 over (check, subject kind, native ids), hex: never names, lines, ordinals, severity or time.
fn fingerprint(check: &str, s: &Subject<'_>) -> String {
    let mut hash = Sha256::new();
    for part in [check, s.kind.as_str()].into_iter().chain(s.key.iter().map(String::as_str)) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    data_encoding::HEXLOWER.encode(hash.finalize().get(..16).unwrap_or_default())
}

/// The check's one line, its `{column}` places filled in. A null becomes `fallback` for `{login}`, else `not known`.
fn message(template: &str, columns: &Map<String, Value>, fallback: &str) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        match columns.get(name) {
            Some(Value::String(s)) => out.push_str(s),
            Some(Value::Null) | None if name == "login" => out.push_str(fallback),
            Some(Value::Null) | None => out.push_str("not known"),
            Some(v) => out.push_str(&v.to_string()),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// Where every fact behind the finding was read: its own rows, then the records of the people it is about.
fn origins(run: &Run, near: &Near, s: &Subject<'_>) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    if let Some(system) = run.system(s.system_ix) {
        for (table, row) in &s.rows {
            out.extend(near.origins(system, table, *row).map(|o| origin(system, &o)));
        }
    }
    for (then, table, row) in &s.further {
        let current = run.systems.iter().any(|now| (now.ix, &now.snapshot) == (then.ix, &then.snapshot));
        out.extend(then.origins(table, *row).map(|o| if current { origin(then, &o) } else { earlier_origin(then, &o) }));
    }
    out.extend(s.former.iter().cloned());
    for identity in s.identities.iter().filter_map(|i| run.identities.get(*i as usize)) {
        let Some(authority) = run.system(Some(identity.system_ix)) else { continue };
        let Ok(at) = authority.identities.binary_search_by(|r| r.native_id.as_str().cmp(&identity.identity)) else {
            let file = format!("an earlier snapshot of {}", authority.name);
            out.push(json!({ "table": "identities", "fact": "row", "file": file, "unit": "record", "number": 0 }));
            continue;
        };
        let Some(here) = authority.identities.get(at) else { continue };
        out.extend(authority.origins("identities", here.identity_ix).map(|o| origin(authority, &o)));
        let first = authority.employments.partition_point(|e| e.identity_ix < here.identity_ix);
        for (row, _) in authority.employments.iter().enumerate().skip(first).take_while(|(_, e)| e.identity_ix == here.identity_ix) {
            if let Ok(row) = u32::try_from(row) {
                out.extend(authority.origins("employments", row).map(|o| origin(authority, &o)));
            }
        }
    }
    let mut seen = BTreeMap::new();
    out.retain(|v| seen.insert(v.to_string(), ()).is_none());
    out
}

/// Where a row of an earlier snapshot was read.
pub fn earlier_origin(system: &System, o: &OriginRow) -> Value {
    let mut found = origin(system, o);
    if let Some(file) = found.get_mut("file") {
        *file = json!(format!("{} (snapshot {})", system.file_label(o.file_ix), system.snapshot));
    }
    found
}

fn origin(system: &System, o: &OriginRow) -> Value {
    json!({
        "table": o.table, "fact": o.fact, "file": system.file_label(o.file_ix), "unit": o.unit.as_str(), "number": o.number,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_11_7_a_fingerprint_is_over_check_kind_and_native_ids_only() {
        let mut s = Subject {
            kind: SubjectKind::Account,
            key: vec!["ad".into(), "guid-1".into()],
            name: Some("alice".into()),
            ..Subject::default()
        };
        let first = fingerprint("ghost-account", &s);
        s.name = Some("renamed".into());
        s.observed_at = Some(Time::default());
        assert_eq!(fingerprint("ghost-account", &s), first);
        assert_eq!(first.len(), 32);
        assert_ne!(fingerprint("orphan-account", &s), first);
        s.key = vec!["adguid".into(), "-1".into()];
        assert_ne!(fingerprint("ghost-account", &s), first, "parts do not run into each other");
    }

    #[test]
    fn a_message_fills_its_places_from_the_row() {
        let mut row = Map::new();
        row.insert("login".into(), Value::Null);
        row.insert("left_by".into(), Value::from("2026-11-01T00:00:00Z"));
        row.insert("n".into(), Value::from(3));
        assert_eq!(message("`{login}` left {left_by}, {n} of {m} {", &row, "arn:x"), "`arn:x` left 2026-11-01T00:00:00Z, 3 of not known {");
    }

    /// A run over one system with one account, with or without the record that it was read from.
    fn run_of_one(origins: &[OriginRow]) -> Run {
        use crate::store::table_file::write;
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &[AccountRow { native_id: "guid-1".into(), login: Some("ann".into()), ..AccountRow::default() }]).unwrap();
        write(dir.path(), origins).unwrap();
        macro_rules! empty { ($($row:ty),*) => { $(write::<$row>(dir.path(), &[]).unwrap();)* } }
        empty!(
            GroupRow,
            MembershipRow,
            EntitlementRow,
            StatementRow,
            ResourceRow,
            GrantRow,
            CredentialRow,
            IdentityRow,
            EmploymentRow,
            ExceptionRow
        );
        empty!(SystemRow, RejectRow, LifecycleRow, EventRow, RequestRow, RoleModelRow, ReviewRow, WorkflowRow);
        let ledger = crate::connectors::FileLedger::default();
        let file = crate::store::FileEntry::new("ad/users.ldif", 1, &[0xAB; 32], &ledger, crate::store::Provenance::default());
        let manifest = crate::store::Manifest {
            format: 1,
            tool: "holdover".into(),
            tool_version: "0".into(),
            system: "ad".into(),
            connector: "ldif".into(),
            taken_at: Time::default(),
            taken_at_from: "flag".into(),
            generation: 1,
            input_digest: String::new(),
            population: None,
            control_total: None,
            covers: vec!["accounts".into()],
            files: vec![file],
            tables: Vec::new(),
            invariants: Vec::new(),
        };
        let snapshot = crate::store::Snapshot { dir: dir.path().to_owned(), name: "20261122T000000Z".into(), manifest };
        Run { systems: vec![System::load(0, &snapshot, crate::store::facts::HELD_ROWS).unwrap()], ..Run::default() }
    }

    #[test]
    fn rule_11_15_a_finding_about_a_row_without_an_origin_is_refused() {
        let check = Check::parse("dormant_account.sql", include_str!("../checks/dormant_account.sql")).unwrap();
        let columns = Map::from_iter([("account_ix".to_owned(), Value::from(0)), ("login".to_owned(), Value::from("ann"))]);
        let hit = Hit { certainty: Certainty::Certain, system_ix: Some(0), since: None, columns };
        let refused = build(&run_of_one(&[]), &Near::default(), &check, Severity::Low, &hit).unwrap_err();
        assert_eq!(refused.what, "a finding about a snapshot row has no origin");
        let row = OriginRow { table: "accounts".into(), fact: "row".into(), number: 7, ..OriginRow::default() };
        let made = build(&run_of_one(&[row]), &Near::default(), &check, Severity::Low, &hit).unwrap();
        let origins: Value = serde_json::from_str(made.origins.as_deref().unwrap()).unwrap();
        assert_eq!((&origins[0]["file"], &origins[0]["number"]), (&Value::from("ad/users.ldif#abababab"), &Value::from(7)));
        // Nor is one made without evidence.
        let bare = Hit { columns: Map::from_iter([("account_ix".to_owned(), Value::from(0))]), ..hit };
        assert_eq!(build(&run_of_one(&[]), &Near::default(), &check, Severity::Low, &bare).unwrap_err().what, "a row carries no evidence");
    }
}
