//! What those who have left could read, as their systems stood before they left (11.8).

use std::collections::{BTreeMap, BTreeSet};

use super::completeness::State;
use super::{AuditError, Settings, system_input, unusable};
use crate::engine::{Run, System};
use crate::model::*;
use crate::resolve::{AuthorityInput, Language, Left, Resolved, Scene, Secret, Seen, SystemInput, leaver_reach};
use crate::store::{Current, Snapshot};

/// What the store holds, and how complete it is.
#[derive(Clone, Copy)]
pub(super) struct Stored<'a> {
    pub current: &'a BTreeMap<String, Current>,
    pub states: &'a BTreeMap<String, State>,
}

/// Fills `leaver_reach`, and keeps the earlier snapshots on which it stands.
pub(super) fn judge(
    run: &mut Run,
    authorities: &[AuthorityInput],
    resolved: &Resolved,
    stored: &Stored<'_>,
    settings: &Settings,
) -> Result<(), AuditError> {
    let secrets = secrets(&run.systems);
    let tellers: Vec<(u32, Language)> = run.systems.iter().filter_map(|s| Some((s.ix, language(s, &secrets)?))).collect();
    run.readable_secrets = readable(&tellers, &secrets);
    let mut rows = Vec::new();
    let mut past = Vec::new();
    for (ix, language) in tellers {
        let Some(system) = run.systems.iter().find(|s| s.ix == ix) else { continue };
        for (at, left) in by_snapshot(system, language, resolved, stored) {
            let Some(at) = at else {
                let input = system_input(system);
                let scene = Scene {
                    system: &input,
                    statements: &system.statements,
                    language,
                    snapshot: &system.snapshot,
                    late: true,
                    states: of_system(&resolved.account_state, |s| s.system_ix, ix),
                    candidates: of_system(&resolved.account_identity, |c| c.system_ix, ix),
                };
                rows.extend(leaver_reach(&scene, &secrets, &left));
                continue;
            };
            let old = System::load(ix, at, settings.sizes.held_rows)?;
            rows.extend(earlier(&old, language, &secrets, &left, authorities, settings)?);
            past.push(old);
        }
    }
    rows.sort_by(|a, b| key(a).cmp(&key(b)));
    for (i, row) in rows.iter().enumerate().filter(|(_, r)| r.excluded.is_none()) {
        run.reach_by_secret.entry((row.secret_system_ix, row.secret.clone())).or_default().push(i);
    }
    (run.leaver_reach, run.past) = (rows, past);
    Ok(())
}

fn key(r: &LeaverReachRow) -> (u32, &str, u32, u32, &str, &str) {
    (r.system_ix, &r.account, r.identity_ix, r.secret_system_ix, &r.secret, &r.via)
}

fn of_system<T>(rows: &[T], of: impl Fn(&T) -> u32, ix: u32) -> &[T] {
    let (from, to) = (rows.partition_point(|r| of(r) < ix), rows.partition_point(|r| of(r) <= ix));
    rows.get(from..to).unwrap_or_default()
}

/// What an earlier snapshot says; who stood behind its accounts is found as for a current one.
fn earlier(
    old: &System,
    language: Language,
    secrets: &[Secret],
    left: &BTreeMap<u32, Left>,
    authorities: &[AuthorityInput],
    settings: &Settings,
) -> Result<Vec<LeaverReachRow>, AuditError> {
    let input: SystemInput = system_input(old);
    let then = crate::resolve::resolve(std::slice::from_ref(&input), authorities, &settings.resolve).map_err(|f| unusable(&f))?;
    let all: Vec<Secret> = secrets.iter().cloned().chain(of(old)).collect::<BTreeSet<_>>().into_iter().collect();
    let scene = Scene {
        system: &input,
        statements: &old.statements,
        language,
        snapshot: &old.snapshot,
        late: false,
        states: &then.account_state,
        candidates: &then.account_identity,
    };
    Ok(leaver_reach(&scene, &all, left))
}

/// The secrets of all current snapshots. Those that came since are covered by the patterns of before, too: what was made before the end
/// could be read.
fn secrets(systems: &[System]) -> Vec<Secret> {
    systems.iter().flat_map(of).collect::<BTreeSet<_>>().into_iter().collect()
}

fn of(s: &System) -> Vec<Secret> {
    let mounts: BTreeMap<&str, String> = s
        .resources
        .iter()
        .filter_map(|r| {
            let attributes: serde_json::Value = serde_json::from_str(r.attributes.as_deref()?).ok()?;
            Some((r.native_id.as_str(), attributes.get("mount")?.as_str()?.to_owned()))
        })
        .collect();
    let held = s.credentials.brief(&["native_id", "kind"]).filter(|c| c.kind == CredentialKind::VaultSecret);
    held.map(|c| Secret { system_ix: s.ix, native_id: c.native_id.clone(), mount: mounts.get(c.native_id.as_str()).cloned() }).collect()
}

/// How a system says who may read secrets; `None`: it says nothing of it.
fn language(s: &System, secrets: &[Secret]) -> Option<Language> {
    let covers = |tables: &[&str]| tables.iter().all(|t| s.covers.contains(*t));
    let own = secrets.iter().any(|x| x.system_ix == s.ix);
    let language = match s.manifest.connector.as_str() {
        "vault" => Language::Vault,
        "aws-iam" => Language::Aws,
        _ => Language::Grants,
    };
    let tells = match language {
        Language::Vault => own && covers(needed(language)),
        Language::Aws => covers(needed(language)) && secrets.iter().any(|x| arn(&x.native_id)),
        // Rights that never name a secret say nothing of who may read one.
        Language::Grants => covers(needed(language)) && secrets.iter().any(|x| x.system_ix == s.ix && is_resource(s, &x.native_id)),
    };
    tells.then_some(language)
}

fn is_resource(s: &System, native_id: &str) -> bool {
    s.resources.binary_search_by(|r| r.native_id.as_str().cmp(native_id)).is_ok()
}

/// Tables without which nothing can be said.
fn needed(language: Language) -> &'static [&'static str] {
    match language {
        Language::Vault | Language::Aws => &["accounts", "grants", "statements"],
        Language::Grants => &["accounts", "grants"],
    }
}

fn arn(native_id: &str) -> bool {
    native_id.starts_with("arn:aws") && native_id.contains(":secretsmanager:")
}

fn readable(tellers: &[(u32, Language)], secrets: &[Secret]) -> BTreeSet<u32> {
    let aws = tellers.iter().any(|(_, l)| *l == Language::Aws);
    let own: BTreeSet<u32> = tellers.iter().filter(|(_, l)| *l != Language::Aws).map(|(ix, _)| *ix).collect();
    secrets.iter().filter(|s| own.contains(&s.system_ix) || aws && arn(&s.native_id)).map(|s| s.system_ix).collect()
}

/// Those who had left when a system was observed, by the last sound snapshot of before they left; `None`: there is none.
fn by_snapshot<'a>(
    system: &System,
    language: Language,
    resolved: &Resolved,
    stored: &Stored<'a>,
) -> Vec<(Option<&'a Snapshot>, BTreeMap<u32, Left>)> {
    let sound = stored.states.get(&system.name).map(|s| &s.complete_before);
    let before: &[Snapshot] = stored.current.get(&system.name).map(|c| c.before.as_slice()).unwrap_or_default();
    let usable = |s: &Snapshot| {
        sound.is_some_and(|names| names.contains(&s.name)) && needed(language).iter().all(|t| s.manifest.covers.iter().any(|c| c == t))
    };
    let mut found: BTreeMap<Option<usize>, BTreeMap<u32, Left>> = BTreeMap::new();
    for person in resolved.people.rows().iter().filter(|i| matches!(i.kind, IdentityKind::Person | IdentityKind::External)) {
        let view = resolved.people.standing(person.identity_ix, system.observed_at(), Seen::BySystem);
        let Some(leave) = view.filter(|v| v.standing == Standing::Left).and_then(|v| v.leave) else { continue };
        // Whoever left between two instants was certainly there at the first of them, and on a stated day until just before it.
        let there = leave.after.filter(|_| !leave.exact).unwrap_or_else(|| leave.by.plus(-1));
        let last = before.iter().enumerate().filter(|(_, s)| usable(s) && s.manifest.taken_at <= there);
        let at = last.max_by_key(|(_, s)| s.manifest.taken_at).map(|(i, _)| i);
        let left = Left { after: leave.after, by: leave.by, exact: leave.exact };
        found.entry(at).or_default().insert(person.identity_ix, left);
    }
    found.into_iter().map(|(at, left)| (at.and_then(|i| before.get(i)), left)).collect()
}
