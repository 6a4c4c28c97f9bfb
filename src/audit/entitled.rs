//! What the run knows of why access is there: roles, and moves from one to another.

use std::collections::{BTreeMap, BTreeSet};

use super::{AuditError, Settings, system_input, unusable};
use serde_json::Value;

use crate::engine::findings::earlier_origin;
use crate::engine::{Run, System};
use crate::model::*;
use crate::resolve::{
    AuthorityInput, CatalogueInput, Moved, PastAccess, Resolved, StatedMove, SystemInput, before_move, fits, mover_access, movers,
    past_access,
};
use crate::store::{Current, Snapshot};

/// How a catalogue writes whatever system.
const ANY_SYSTEM: &str = "*";

/// The moves that the snapshots of one people list state, each once.
#[derive(Debug, Default)]
pub(super) struct MoveLog {
    /// By whom and when it took effect: when it was entered, as stated, and the first snapshot with it.
    stated: BTreeMap<(String, Time), (Option<Time>, Time)>,
}

impl MoveLog {
    /// Adds a snapshot; earlier ones first.
    pub fn add(&mut self, taken_at: Time, identities: &[IdentityRow], log: &[LifecycleRow]) {
        for event in log.iter().filter(|e| e.kind == "mover") {
            let Some(who) = identities.get(event.identity_ix as usize) else { continue };
            let entry = self.stated.entry((who.native_id.clone(), event.effective_at)).or_insert((None, taken_at));
            entry.0 = entry.0.or(event.known_at);
        }
    }

    pub fn moves(self) -> Vec<StatedMove> {
        let stated = self.stated.into_iter();
        stated
            .map(|((identity, effective_at), (known, listed))| StatedMove { identity, effective_at, known_by: known.unwrap_or(listed) })
            .collect()
    }
}

/// Judges access by the role catalogues, now and before the moves of those who hold it.
pub(super) fn judge(
    run: &mut Run,
    authorities: &[AuthorityInput],
    resolved: &Resolved,
    current: &BTreeMap<String, Current>,
    settings: &Settings,
) -> Result<(), AuditError> {
    let logged = run.systems.iter().any(|s| s.covers.contains(LIFECYCLE.name));
    run.sees_moves = logged || authorities.iter().any(|a| !a.history.is_empty());
    run.movers = movers(authorities, &resolved.people);
    let catalogues: Vec<CatalogueInput> = run
        .systems
        .iter()
        .filter(|s| !s.role_model.is_empty())
        .map(|s| CatalogueInput { system_ix: s.ix, rows: s.role_model.clone() })
        .collect();
    if catalogues.is_empty() {
        return Ok(());
    }
    let (people, candidates) = (&resolved.people, resolved.account_identity.as_slice());
    // A right in whatever system lies in all of them.
    let everywhere = catalogues.iter().flat_map(|c| &c.rows).any(|r| r.gives_in(ANY_SYSTEM));
    let judged = run.systems.iter().filter(|s| everywhere || run.catalogue_names(s));
    let systems: Vec<SystemInput> = judged.map(system_input).collect();
    let found = fits(&systems, people, candidates, &catalogues, &run.movers, &settings.resolve).map_err(|f| unusable(&f))?;
    (run.roles_seen, run.role_fit) = (found.roles, found.rows);
    let past = past(run, candidates, current, settings.sizes.held_rows)?;
    let moved = Moved { systems: &systems, people, candidates, catalogues: &catalogues, movers: &run.movers, past: &past };
    run.mover_access = mover_access(&moved, &settings.resolve).map_err(|f| unusable(&f))?;
    run.former_posts = former_posts(run, resolved, current, settings.sizes.held_rows)?;
    Ok(())
}

/// Where the people lists of before a move state the post, for moves after which access may be left over. One list is held at a time.
fn former_posts(
    run: &Run,
    resolved: &Resolved,
    current: &BTreeMap<String, Current>,
    held: usize,
) -> Result<BTreeMap<u32, Vec<Value>>, AuditError> {
    let left_over = |r: &&MoverAccessRow| {
        r.began == Began::Before && r.fit_now != Fit::Inside && matches!(r.fit_before, Some(Fit::Inside | Fit::Partly))
    };
    let mut wanted: BTreeMap<(u32, Time), BTreeSet<u32>> = BTreeMap::new();
    for r in run.mover_access.iter().filter(left_over) {
        if let Some((person, at)) = resolved.people.row(r.identity_ix).zip(r.moved_after) {
            wanted.entry((person.system_ix, at)).or_default().insert(r.identity_ix);
        }
    }
    let mut out: BTreeMap<u32, Vec<Value>> = BTreeMap::new();
    for ((system_ix, at), people) in wanted {
        let stored = run.system(Some(system_ix)).and_then(|s| current.get(&s.name)).map(|c| c.before.as_slice()).unwrap_or_default();
        let Some(snapshot) = stored.iter().find(|s| s.manifest.taken_at == at) else { continue };
        let list = System::load(system_ix, snapshot, held)?;
        for person in people.into_iter().filter_map(|ix| resolved.people.row(ix)) {
            if let Ok(row) = list.identities.binary_search_by(|i| i.native_id.cmp(&person.identity)) {
                let row = u32::try_from(row).unwrap_or(u32::MAX);
                let stated = list.origins(IDENTITIES.name, row).map(|o| earlier_origin(&list, &o));
                out.entry(person.identity_ix).or_default().extend(stated);
            }
        }
        list.fault().map_or(Ok(()), |f| Err(f.again()))?;
    }
    Ok(out)
}

/// What the accounts of people who moved held in the last snapshot from before each of their moves.
fn past(
    run: &Run,
    candidates: &[AccountIdentityRow],
    current: &BTreeMap<String, Current>,
    held: usize,
) -> Result<Vec<PastAccess>, AuditError> {
    let mut out = Vec::new();
    for system in run.systems.iter().filter(|s| run.catalogue_names(s)) {
        let Some(stored) = current.get(&system.name) else { continue };
        let mut wanted: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
        for c in candidates.iter().filter(|c| c.system_ix == system.ix) {
            let Some(account) = system.accounts.get(c.account_ix as usize) else { continue };
            for m in run.movers_of(c.identity_ix) {
                if let Some(at) = last_at(&stored.before, before_move(m)) {
                    wanted.entry(at).or_default().insert(account.native_id.clone());
                }
            }
        }
        for (at, accounts) in wanted {
            if let Some(snapshot) = stored.before.get(at) {
                let old = System::load(system.ix, snapshot, held)?;
                let input = system_input(&old);
                old.fault().map_or(Ok(()), |f| Err(f.again()))?;
                out.push(past_access(&input, &accounts));
            }
        }
    }
    Ok(out)
}

/// The last of some snapshots that was taken at or before an instant.
fn last_at(snapshots: &[Snapshot], at: Time) -> Option<usize> {
    let earlier = snapshots.iter().enumerate().filter(|(_, s)| s.manifest.taken_at <= at);
    earlier.max_by_key(|(_, s)| s.manifest.taken_at).map(|(i, _)| i)
}
