//! Earlier snapshots beside the current ones: what changed since, and since when each edge is there.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::completeness::State;
use crate::engine::{Run, System};
use crate::model::*;
use crate::resolve::{self, Histories, Picture};
use crate::store::table_file::read;
use crate::store::{Current, Manifest, Snapshot, StoreError};

/// The tables of one snapshot that speak of access.
#[derive(Debug)]
pub struct Access {
    covers: BTreeSet<String>,
    taken_at: Time,
    accounts: Vec<AccountRow>,
    groups: Vec<GroupRow>,
    memberships: Vec<MembershipRow>,
    entitlements: Vec<EntitlementRow>,
    statements: Vec<StatementRow>,
    resources: Vec<ResourceRow>,
    grants: Vec<GrantRow>,
    credentials: Vec<CredentialRow>,
}

impl Access {
    /// Reads a sealed snapshot.
    ///
    /// # Errors
    /// A table is missing or damaged.
    pub fn load(snapshot: &Snapshot) -> Result<Self, StoreError> {
        let dir = &snapshot.dir;
        Ok(Self {
            covers: snapshot.manifest.covers.iter().cloned().collect(),
            taken_at: snapshot.manifest.taken_at,
            accounts: read(dir)?,
            groups: read(dir)?,
            memberships: read(dir)?,
            entitlements: read(dir)?,
            statements: read(dir)?,
            resources: read(dir)?,
            grants: read(dir)?,
            credentials: read(dir)?,
        })
    }

    /// Its rows; `short`: it lacks records.
    pub fn picture(&self, short: bool) -> Picture<'_> {
        Picture {
            taken_at: self.taken_at,
            covers: &self.covers,
            short,
            accounts: &self.accounts,
            groups: &self.groups,
            memberships: &self.memberships,
            entitlements: &self.entitlements,
            statements: &self.statements,
            resources: &self.resources,
            grants: &self.grants,
            credentials: &self.credentials,
        }
    }
}

/// The tables of the current snapshot that are read as they are needed, in memory.
struct Rows<'a> {
    accounts: Cow<'a, [AccountRow]>,
    memberships: Cow<'a, [MembershipRow]>,
    grants: Cow<'a, [GrantRow]>,
    credentials: Cow<'a, [CredentialRow]>,
}

fn picture<'a>(s: &'a System, rows: &'a Rows<'_>, statements: &'a [StatementRow], short: bool) -> Picture<'a> {
    Picture {
        taken_at: s.observed_at(),
        covers: &s.covers,
        short,
        accounts: &rows.accounts,
        groups: &s.groups,
        memberships: &rows.memberships,
        entitlements: &s.entitlements,
        statements,
        resources: &s.resources,
        grants: &rows.grants,
        credentials: &rows.credentials,
    }
}

/// Tables `changes` and `edge_history` of a run.
#[derive(Debug, Default)]
pub struct Drift {
    pub changes: Vec<ChangeRow>,
    pub edge_history: Vec<EdgeHistoryRow>,
}

/// Looks at every stored snapshot up to the current one of each system.
///
/// # Errors
/// A snapshot cannot be read.
pub fn drift(run: &Run, current: &BTreeMap<String, Current>, states: &BTreeMap<String, State>) -> Result<Drift, StoreError> {
    let of_systems: Vec<Drift> = run
        .systems
        .par_iter()
        .filter(|s| super::ACCESS_TABLES.iter().any(|t| s.covers.contains(*t)))
        .map(|s| one(s, current.get(&s.name), states.get(&s.name)))
        .collect::<Result<_, StoreError>>()?;
    let mut out = Drift::default();
    for system in of_systems {
        out.changes.extend(system.changes);
        out.edge_history.extend(system.edge_history);
    }
    resolve::number(&mut out.changes);
    Ok(out)
}

fn one(s: &System, current: Option<&Current>, state: Option<&State>) -> Result<Drift, StoreError> {
    let (Some(Current { now: Some(snapshot), before, .. }), Some(state)) = (current, state) else { return Ok(Drift::default()) };
    let statements = read(&snapshot.dir)?;
    let rows =
        Rows { accounts: s.accounts.all(), memberships: s.memberships.all(), grants: s.grants.all(), credentials: s.credentials.all() };
    let now = picture(s, &rows, &statements, state.lacks_records());
    let mut last: Option<Access> = None;
    let mut histories = Histories::new(now);
    for old in before.iter().filter(|old| same_ids(&old.manifest, &s.manifest)) {
        let access = Access::load(old)?;
        let complete = state.complete_before.contains(&old.name);
        histories.show(&access.picture(!complete));
        if complete {
            last = Some(access);
        }
    }
    let edge_history = histories.finish(s.ix);
    let reference = before.iter().rev().find(|old| state.complete_before.contains(&old.name));
    let changes = match (reference, &last) {
        (None, _) => resolve::incomparable(s.ix, &now, None, "no complete snapshot before it is stored"),
        (Some(old), Some(last)) if same_ids(&old.manifest, &s.manifest) => {
            resolve::changes(s.ix, &last.picture(false), &now, &edge_history)
        }
        (Some(old), _) => resolve::incomparable(s.ix, &now, Some(old.manifest.taken_at), &other_ids(&old.manifest)),
    };
    Ok(Drift { changes, edge_history })
}

/// Whether native ids mean the same in two snapshots: each connector has its own.
pub fn same_ids(a: &Manifest, b: &Manifest) -> bool {
    a.connector == b.connector
}

/// Why snapshots of two connectors are not compared.
pub fn other_ids(old: &Manifest) -> String {
    format!("the snapshot of {} was read by connector `{}`, which names things otherwise", old.taken_at, old.connector)
}

/// A review's decision to take access away, in the words of a request for its end: both name access alike.
pub fn as_request(review: &ReviewRow) -> Option<RequestRow> {
    let revokes = review.decision == ReviewDecision::Revoke && review.entitlement_ref.is_some();
    revokes.then(|| RequestRow {
        request: review.review.clone(),
        action: RequestAction::Revoke,
        beneficiary_ref: review.subject_ref.clone(),
        system: review.system.clone(),
        entitlement_ref: review.entitlement_ref.clone(),
        state: TicketState::Closed,
        decision: Decision::Approved,
        decided_at: review.decided_at,
        closed_at: review.decided_at,
        ..RequestRow::default()
    })
}

/// Notes for each edge the newest review that took it away before what is there now began.
pub fn note_reviews(history: &mut [EdgeHistoryRow], ended: &[RevocationRow]) {
    for r in ended.iter().filter(|r| r.regranted) {
        let (Some(edge), Some(edge_ix)) = (&r.edge, r.edge_ix) else { continue };
        let at = history.binary_search_by(|h| (h.system_ix, &h.edge, h.edge_ix).cmp(&(r.system_ix, edge, edge_ix)));
        if let Some(row) = at.ok().and_then(|at| history.get_mut(at))
            && row.revoked_at < r.closed_at
        {
            (row.revoked_at, row.revoked_by) = (r.closed_at, Some(r.request.clone()));
        }
    }
}
