//! What earlier snapshots show of people who left or joined: their accounts only, found by native id, read by position.

use std::collections::{BTreeMap, BTreeSet};

use super::{AuditError, Settings, completeness, resolve};
use crate::engine::{Run, System};
use crate::metrics::{AccountLook, History, Link, Look, SystemHistory, joiners, leavers};
use crate::model::*;
use crate::resolve::{AuthorityInput, SystemInput, can_authenticate};
use crate::store::columns::NativeIds;
use crate::store::table_file::{read, read_ordinals, read_some};
use crate::store::{Current, Snapshot, StoreError};

/// Words of `events.action` after which an account lets nobody in.
const CUT_OFF: [&str; 3] = ["disabled", "deleted", "revoked"];

/// Looks, links and events of every system that shows accounts.
pub fn gather(
    run: &Run,
    current: &BTreeMap<String, Current>,
    states: &BTreeMap<String, completeness::State>,
    authorities: &[AuthorityInput],
    settings: &Settings,
) -> Result<History, AuditError> {
    let wanted: BTreeSet<u32> = leavers(run).union(&joiners(run)).copied().collect();
    let mut history = History::default();
    if wanted.is_empty() {
        return Ok(history);
    }
    let mut past = BTreeMap::new();
    for system in run.systems.iter().filter(|s| s.covers.contains(ACCOUNTS.name)) {
        let Some(stored) = current.get(&system.name) else { continue };
        let Some(now) = &stored.now else { continue };
        past.insert(system.ix, Shown { now, past: covering(stored) });
    }
    history.links = links(run, &wanted)?;
    history.links.extend(links_of_gone(run, &past, &wanted, authorities, settings)?);
    for (ix, past) in &past {
        if let (Some(system), Some(state)) = (run.system(Some(*ix)), run.system(Some(*ix)).and_then(|s| states.get(&s.name))) {
            let accounts = history.links.keys().filter(|(s, _)| s == ix).map(|(_, a)| a.as_str()).collect();
            history.systems.insert(*ix, one(run, system, past, state, &accounts)?);
        }
    }
    Ok(history)
}

/// The snapshots of a system that show accounts.
struct Shown<'a> {
    now: &'a Snapshot,
    /// Earlier ones, oldest first.
    past: Vec<&'a Snapshot>,
}

/// The earlier snapshots of a system that cover accounts, oldest first.
fn covering(stored: &Current) -> Vec<&Snapshot> {
    stored.before.iter().filter(|s| s.manifest.covers.iter().any(|t| t == ACCOUNTS.name)).collect()
}

/// Whom a snapshot lists. Read anew where it is needed: a year of snapshots would not fit into memory.
fn native_ids(snapshot: &Snapshot) -> Result<NativeIds, StoreError> {
    NativeIds::open(&snapshot.dir, &ACCOUNTS)
}

/// The newest row of every account that the current snapshot no longer has, numbered anew in the order of the native ids.
fn gone(shown: &Shown<'_>) -> Result<Vec<AccountRow>, StoreError> {
    let mut gone: BTreeMap<String, AccountRow> = BTreeMap::new();
    for snapshot in shown.past.iter().rev() {
        let mut positions: Vec<u32> = Vec::new();
        native_ids(snapshot)?.without(&mut native_ids(shown.now)?, |ix, id| {
            if !gone.contains_key(id) {
                positions.push(ix);
            }
        })?;
        gone.extend(read_some::<AccountRow>(&snapshot.dir, &positions)?.into_iter().map(|a| (a.native_id.clone(), a)));
    }
    Ok((0_u32..).zip(gone.into_values()).map(|(account_ix, a)| AccountRow { account_ix, ..a }).collect())
}

/// Candidates among the wanted people, of the accounts that there are.
fn links(run: &Run, wanted: &BTreeSet<u32>) -> Result<BTreeMap<(u32, String), Vec<Link>>, StoreError> {
    let mut out: BTreeMap<(u32, String), Vec<Link>> = BTreeMap::new();
    let among = |c: &&AccountIdentityRow| wanted.contains(&c.identity_ix) && personal(run, c);
    let found: Vec<&AccountIdentityRow> = run.account_identity.iter().filter(among).collect();
    for of_system in found.chunk_by(|a, b| a.system_ix == b.system_ix) {
        let Some(system) = of_system.first().and_then(|c| run.system(Some(c.system_ix))) else { continue };
        let positions: BTreeSet<usize> = of_system.iter().map(|c| c.account_ix as usize).collect();
        let positions: Vec<usize> = positions.into_iter().collect();
        let accounts = system.accounts.pick(&positions, &["native_id"])?;
        let ids: BTreeMap<usize, String> = positions.into_iter().zip(accounts.into_iter().map(|a| a.native_id)).collect();
        for c in of_system {
            if let Some(id) = ids.get(&(c.account_ix as usize)) {
                out.entry((c.system_ix, id.clone())).or_default().push(link(c));
            }
        }
    }
    Ok(out)
}

/// Whether anybody can own it: what the vendor made, and devices, are nobody's.
fn personal(run: &Run, c: &AccountIdentityRow) -> bool {
    run.state(c.system_ix, c.account_ix).is_some_and(|s| !matches!(s.kind, AccountKind::System | AccountKind::Device))
}

fn link(c: &AccountIdentityRow) -> Link {
    Link { identity_ix: c.identity_ix, linked: c.state == MatchState::Linked }
}

/// The same for accounts that only earlier snapshots have: they are matched as they last were, by the rules of today.
fn links_of_gone(
    run: &Run,
    past: &BTreeMap<u32, Shown<'_>>,
    wanted: &BTreeSet<u32>,
    authorities: &[AuthorityInput],
    settings: &Settings,
) -> Result<BTreeMap<(u32, String), Vec<Link>>, AuditError> {
    let mut inputs = Vec::new();
    for (ix, shown) in past {
        let Some(system) = run.system(Some(*ix)) else { continue };
        let accounts = gone(shown)?;
        if !accounts.is_empty() {
            inputs.push(SystemInput {
                system_ix: *ix,
                system: system.name.clone(),
                observed_at: system.observed_at(),
                covers: BTreeSet::from([ACCOUNTS.name.to_owned()]),
                accounts,
                ..SystemInput::default()
            });
        }
    }
    let mut out: BTreeMap<(u32, String), Vec<Link>> = BTreeMap::new();
    if inputs.is_empty() {
        return Ok(out);
    }
    for c in resolve(&inputs, authorities, settings)?.account_identity.iter().filter(|c| wanted.contains(&c.identity_ix)) {
        let input = inputs.iter().find(|i| i.system_ix == c.system_ix);
        if let Some(account) = input.and_then(|i| i.accounts.get(c.account_ix as usize)) {
            out.entry((c.system_ix, account.native_id.clone())).or_default().push(link(c));
        }
    }
    Ok(out)
}

/// The looks at the wanted accounts of one system, and what its log says of them.
fn one(
    run: &Run,
    system: &System,
    shown: &Shown<'_>,
    state: &completeness::State,
    wanted: &BTreeSet<&str>,
) -> Result<SystemHistory, StoreError> {
    let mut out = SystemHistory::default();
    let mut events: BTreeSet<(String, Time)> = BTreeSet::new();
    let sought: Vec<&str> = wanted.iter().copied().collect();
    for snapshot in &shown.past {
        let mut ids = native_ids(snapshot)?;
        let positions: Vec<u32> = ids.find(&sought)?.into_iter().map(|(ix, _)| ix).collect();
        out.looks.push(Look {
            at: snapshot.manifest.taken_at,
            complete: state.complete_before.contains(&snapshot.name),
            accounts: looks(snapshot, &positions)?,
        });
        if snapshot.manifest.rows(EVENTS.name).is_some_and(|n| n > 0) {
            let rows: Vec<EventRow> = read(&snapshot.dir)?;
            let named: BTreeSet<u32> = rows.iter().filter_map(|e| e.account_ix).collect();
            let named: BTreeMap<u32, String> = ids.at(&named.into_iter().collect::<Vec<_>>())?.into_iter().collect();
            events.extend(rows.iter().filter_map(|e| cut_off(e, wanted, |ix| named.get(&ix).cloned())));
        }
    }
    let mut accounts = BTreeMap::new();
    for (ix, id) in native_ids(shown.now)?.find(&sought)? {
        if let Some(state) = run.state(system.ix, ix) {
            accounts.insert(id.to_owned(), AccountLook { live: state.can_authenticate });
        }
    }
    out.looks.push(Look { at: system.observed_at(), complete: !state.lacks_records(), accounts });
    let id = |ix: u32| system.accounts.get(ix as usize).map(|a| a.native_id.clone());
    events.extend(system.events.iter().filter_map(|e| cut_off(e, wanted, id)));
    for (account, at) in events {
        out.cut_off.entry(account).or_default().insert(at);
    }
    Ok(out)
}

/// Whether the accounts at these positions let anybody in, at the snapshot's own instant.
fn looks(snapshot: &Snapshot, positions: &[u32]) -> Result<BTreeMap<String, AccountLook>, StoreError> {
    let accounts: Vec<AccountRow> = read_some(&snapshot.dir, positions)?;
    let covered = snapshot.manifest.covers.iter().any(|t| t == CREDENTIALS.name);
    let mut held: BTreeMap<u32, Vec<CredentialRow>> = BTreeMap::new();
    if covered && !positions.is_empty() {
        let owners = read_ordinals(&snapshot.dir, CREDENTIALS.name, "account_ix")?;
        let own = |ix: &Option<u32>| ix.is_some_and(|ix| positions.binary_search(&ix).is_ok());
        let rows: Vec<u32> = (0_u32..).zip(&owners).filter(|(_, owner)| own(owner)).map(|(row, _)| row).collect();
        for credential in read_some::<CredentialRow>(&snapshot.dir, &rows)? {
            if let Some(ix) = credential.account_ix {
                held.entry(ix).or_default().push(credential);
            }
        }
    }
    let look = |account: AccountRow| {
        let own: Vec<&CredentialRow> = held.get(&account.account_ix).into_iter().flatten().collect();
        let (live, _) = can_authenticate(&account, covered.then_some(own.as_slice()), snapshot.manifest.taken_at);
        (account.native_id, AccountLook { live })
    };
    Ok(accounts.into_iter().map(look).collect())
}

/// An event after which one of the wanted accounts lets nobody in.
fn cut_off(event: &EventRow, wanted: &BTreeSet<&str>, account: impl Fn(u32) -> Option<String>) -> Option<(String, Time)> {
    let whole = event.entitlement_ref.is_none() && CUT_OFF.contains(&event.action.as_str());
    if !whole || event.outcome.as_deref() == Some("failure") {
        return None;
    }
    let named = event.account_ix.and_then(account).or_else(|| event.principal_ref.clone())?;
    wanted.contains(named.as_str()).then_some((named, event.at))
}
