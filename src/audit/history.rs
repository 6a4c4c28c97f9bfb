//! What earlier snapshots show of people who left or joined: their accounts only, found by native id, read by position.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::{AuditError, Settings, completeness, unusable};
use crate::engine::{Run, System};
use crate::metrics::{AccountLook, History, Link, Look, SystemHistory, joiners, leavers};
use crate::model::*;
use crate::resolve::{AccountColumns, AuthorityInput, People, SystemInput, can_authenticate, candidates};
use crate::store::columns::NativeIds;
use crate::store::facts::Facts;
use crate::store::table_file::read;
use crate::store::{Current, Snapshot, StoreError};

/// Words of `events.action` after which an account lets nobody in.
const CUT_OFF: [&str; 3] = ["disabled", "deleted", "revoked"];

/// Looks, links and events of every system that shows accounts.
pub fn gather(
    run: &Run,
    current: &BTreeMap<String, Current>,
    states: &BTreeMap<String, completeness::State>,
    people: &People,
    authorities: &[AuthorityInput],
    settings: &Settings,
) -> Result<History, AuditError> {
    let joined = joiners(run);
    let wanted = Wanted::of(leavers(run).iter().chain(&joined));
    let mut history = History::default();
    if wanted.0.is_empty() {
        return Ok(history);
    }
    let mut past = BTreeMap::new();
    for system in run.systems.iter().filter(|s| s.covers.contains(ACCOUNTS.name)) {
        let Some(stored) = current.get(&system.name) else { continue };
        let Some(now) = &stored.now else { continue };
        past.insert(system.ix, Shown { now, past: covering(stored) });
    }
    history.links = links(run, &wanted)?;
    history.links.extend(links_of_gone(run, &past, &wanted, people, authorities, settings)?);
    let links = &history.links;
    let looked = |(ix, shown): (&u32, &Shown<'_>)| {
        let Some((system, state)) = run.system(Some(*ix)).and_then(|s| Some((s, states.get(&s.name)?))) else { return Ok(None) };
        let own = links.range((*ix, String::new())..(ix.saturating_add(1), String::new()));
        let sought = own.map(|((_, account), of)| Sought { account, joined: of.iter().any(|l| joined.contains(&l.identity_ix)) }).collect();
        one(run, system, shown, state, sought).map(|found| Some((*ix, found)))
    };
    let systems: Vec<Result<Option<(u32, SystemHistory)>, StoreError>> = past.par_iter().map(looked).collect();
    for system in systems {
        history.systems.extend(system?);
    }
    Ok(history)
}

/// Identities whose accounts matter, by ordinal.
struct Wanted(Vec<bool>);

impl Wanted {
    fn of<'a>(ordinals: impl Iterator<Item = &'a u32>) -> Self {
        let mut flags = Vec::new();
        for at in ordinals.map(|ix| *ix as usize) {
            if flags.len() <= at {
                flags.resize(at + 1, false);
            }
            flags.iter_mut().skip(at).take(1).for_each(|f| *f = true);
        }
        Self(flags)
    }

    fn holds(&self, identity_ix: u32) -> bool {
        self.0.get(identity_ix as usize).is_some_and(|wanted| *wanted)
    }
}

/// An account that matters.
struct Sought<'a> {
    account: &'a str,
    /// Of somebody who joined: when it was created matters, too.
    joined: bool,
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

/// The newest row of every account that the current snapshot no longer has, with what correlation reads of it, numbered anew in the order
/// of the native ids.
fn gone(shown: &Shown<'_>) -> Result<Vec<AccountRow>, StoreError> {
    let mut gone: BTreeMap<String, AccountRow> = BTreeMap::new();
    for snapshot in shown.past.iter().rev() {
        let mut positions: Vec<usize> = Vec::new();
        native_ids(snapshot)?.without(&mut native_ids(shown.now)?, |ix, id| {
            if !gone.contains_key(id) {
                positions.push(ix as usize);
            }
        })?;
        if !positions.is_empty() {
            let rows = Facts::<AccountRow>::open(&snapshot.dir, 0)?.gather(&positions, &AccountColumns::NAMES)?;
            gone.extend(rows.into_iter().map(|a| (a.native_id.clone(), a)));
        }
    }
    Ok((0_u32..).zip(gone.into_values()).map(|(account_ix, a)| AccountRow { account_ix, ..a }).collect())
}

type Links = BTreeMap<(u32, String), Vec<Link>>;

/// Candidates among the wanted people, of the accounts that there are.
fn links(run: &Run, wanted: &Wanted) -> Result<Links, StoreError> {
    let among = |c: &&AccountIdentityRow| wanted.holds(c.identity_ix) && personal(run, c);
    let of_system = |system: &System| -> Result<Links, StoreError> {
        let all = &run.account_identity;
        let own = all.partition_point(|c| c.system_ix < system.ix)..all.partition_point(|c| c.system_ix <= system.ix);
        let found: Vec<&AccountIdentityRow> = all.get(own).unwrap_or_default().iter().filter(among).collect();
        let accounts: Vec<&[&AccountIdentityRow]> = found.chunk_by(|a, b| a.account_ix == b.account_ix).collect();
        let positions: Vec<usize> = accounts.iter().filter_map(|of| of.first()).map(|c| c.account_ix as usize).collect();
        let rows = system.accounts.gather(&positions, &["native_id"])?;
        let linked = |(row, of): (AccountRow, &[&AccountIdentityRow])| ((system.ix, row.native_id), of.iter().map(|c| link(c)).collect());
        Ok(rows.into_iter().zip(accounts).map(linked).collect())
    };
    let systems: Vec<Result<Links, StoreError>> = run.systems.par_iter().map(of_system).collect();
    let mut out = Links::new();
    for system in systems {
        out.append(&mut system?);
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
    wanted: &Wanted,
    people: &People,
    authorities: &[AuthorityInput],
    settings: &Settings,
) -> Result<Links, AuditError> {
    let as_last_seen = |(ix, shown): (&u32, &Shown<'_>)| -> Result<Option<SystemInput>, StoreError> {
        let Some(system) = run.system(Some(*ix)) else { return Ok(None) };
        let accounts = gone(shown)?;
        let covers = BTreeSet::from([ACCOUNTS.name.to_owned()]);
        let (system, observed_at) = (system.name.clone(), system.observed_at());
        let input = SystemInput { system_ix: *ix, system, observed_at, covers, accounts, ..SystemInput::default() };
        Ok((!input.accounts.is_empty()).then_some(input))
    };
    let found: Vec<Result<Option<SystemInput>, StoreError>> = past.par_iter().map(as_last_seen).collect();
    let mut inputs = Vec::new();
    for input in found {
        inputs.extend(input?);
    }
    let mut out = Links::new();
    if inputs.is_empty() {
        return Ok(out);
    }
    let found = candidates(&inputs, people, authorities, &settings.resolve).map_err(|f| unusable(&f))?;
    for c in found.iter().filter(|c| wanted.holds(c.identity_ix)) {
        let input = inputs.iter().find(|i| i.system_ix == c.system_ix);
        if let Some(account) = input.and_then(|i| i.accounts.get(c.account_ix as usize)) {
            out.entry((c.system_ix, account.native_id.clone())).or_default().push(link(c));
        }
    }
    Ok(out)
}

/// The looks at the accounts of one system that matter, ascending, and what its log says of them.
fn one(
    run: &Run,
    system: &System,
    shown: &Shown<'_>,
    state: &completeness::State,
    wanted: Vec<Sought<'_>>,
) -> Result<SystemHistory, StoreError> {
    let mut out = SystemHistory::default();
    let mut events: BTreeSet<(String, Time)> = BTreeSet::new();
    let sought: Vec<&str> = wanted.iter().map(|w| w.account).collect();
    for snapshot in &shown.past {
        let mut ids = native_ids(snapshot)?;
        let found = ids.find(&sought)?;
        out.looks.push(Look {
            at: snapshot.manifest.taken_at,
            complete: state.complete_before.contains(&snapshot.name),
            accounts: looks(snapshot, &found)?,
        });
        if snapshot.manifest.rows(EVENTS.name).is_some_and(|n| n > 0) {
            let rows: Vec<EventRow> = read(&snapshot.dir)?;
            let named: BTreeSet<u32> = rows.iter().filter_map(|e| e.account_ix).collect();
            let named: BTreeMap<u32, String> = ids.at(&named.into_iter().collect::<Vec<_>>())?.into_iter().collect();
            events.extend(rows.iter().filter_map(|e| cut_off(e, &sought, |ix| named.get(&ix).cloned())));
        }
    }
    let mut accounts = BTreeMap::new();
    let mut of_joiners = Vec::new();
    for (ix, id) in native_ids(shown.now)?.find(&sought)? {
        if let Some(state) = run.state(system.ix, ix) {
            accounts.insert(id.to_owned(), AccountLook { live: state.can_authenticate });
        }
        if wanted.binary_search_by(|w| w.account.cmp(id)).is_ok_and(|at| wanted.get(at).is_some_and(|w| w.joined)) {
            of_joiners.push((ix as usize, id));
        }
    }
    out.looks.push(Look { at: system.observed_at(), complete: !state.lacks_records(), accounts });
    let (positions, ids): (Vec<usize>, Vec<&str>) = of_joiners.into_iter().unzip();
    let created = system.accounts.gather(&positions, &["created_at"])?.into_iter().map(|a| a.created_at);
    out.created = ids.into_iter().zip(created).filter_map(|(id, at)| Some((id.to_owned(), at?))).collect();
    let id = |ix: u32| system.accounts.get(ix as usize).map(|a| a.native_id.clone());
    events.extend(system.events.iter().filter_map(|e| cut_off(e, &sought, id)));
    for (account, at) in events {
        out.cut_off.entry(account).or_default().insert(at);
    }
    Ok(out)
}

/// Whether some accounts, with their positions, let anybody in at the snapshot's own instant.
fn looks(snapshot: &Snapshot, found: &[(u32, &str)]) -> Result<BTreeMap<String, AccountLook>, StoreError> {
    if found.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ordinals: Vec<u32> = found.iter().map(|(ix, _)| *ix).collect();
    let positions: Vec<usize> = ordinals.iter().map(|ix| *ix as usize).collect();
    let accounts = Facts::<AccountRow>::open(&snapshot.dir, 0)?.gather(&positions, &["kind", "status", "expires_at"])?;
    let covered = snapshot.manifest.covers.iter().any(|t| t == CREDENTIALS.name);
    let held = if covered { credentials(snapshot, &ordinals)? } else { BTreeMap::new() };
    let look = |((ix, id), account): (&(u32, &str), AccountRow)| {
        let own: Vec<&CredentialRow> = held.get(ix).into_iter().flatten().collect();
        let (live, _) = can_authenticate(&account, covered.then_some(own.as_slice()), snapshot.manifest.taken_at);
        ((*id).to_owned(), AccountLook { live })
    };
    Ok(found.iter().zip(accounts).map(look).collect())
}

/// What decides of the credentials of some accounts, ascending, in the order of their table, which is not that of the accounts.
fn credentials(snapshot: &Snapshot, accounts: &[u32]) -> Result<BTreeMap<u32, Vec<CredentialRow>>, StoreError> {
    let all = Facts::<CredentialRow>::open(&snapshot.dir, 0)?;
    let places = all.parts(&all.groups_with("account_ix", accounts), &["account_ix"], |part| {
        let owners = part.ordinals("account_ix")?.iter().zip(part.rows.clone());
        let own = owners.filter(|(owner, _)| owner.is_some_and(|ix| accounts.binary_search(&ix).is_ok()));
        Ok(own.map(|(_, at)| at).collect::<Vec<_>>())
    });
    all.fault().map_or(Ok(()), |fault| Err(fault.again()))?;
    let mut held: BTreeMap<u32, Vec<CredentialRow>> = BTreeMap::new();
    for credential in all.gather(&places.concat(), &["account_ix", "kind", "status", "expires_at"])? {
        if let Some(ix) = credential.account_ix {
            held.entry(ix).or_default().push(credential);
        }
    }
    Ok(held)
}

/// An event after which one of the wanted accounts lets nobody in.
fn cut_off(event: &EventRow, wanted: &[&str], account: impl Fn(u32) -> Option<String>) -> Option<(String, Time)> {
    let whole = event.entitlement_ref.is_none() && CUT_OFF.contains(&event.action.as_str());
    if !whole || event.outcome.as_deref() == Some("failure") {
        return None;
    }
    let named = event.account_ix.and_then(account).or_else(|| event.principal_ref.clone())?;
    wanted.binary_search(&named.as_str()).is_ok().then_some((named, event.at))
}
