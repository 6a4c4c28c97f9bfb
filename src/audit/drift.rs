//! Earlier snapshots beside the current ones: what changed since, and since when each edge is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use arrow::array::RecordBatch;
use rayon::prelude::*;

use super::completeness::State;
use super::steps;
use crate::engine::{Run, System};
use crate::model::*;
use crate::resolve::{self, Batches, Histories, Shot, Source};
use crate::store::columns::Stored;
use crate::store::table_file::{promised, read_some};
use crate::store::{Current, Manifest, Snapshot, StoreError};

/// The tables of one sealed snapshot, read as they are asked for.
#[derive(Debug)]
pub struct Access {
    dir: PathBuf,
    covers: BTreeSet<String>,
    taken_at: Time,
}

impl Access {
    /// Of a sealed snapshot.
    pub fn of(snapshot: &Snapshot) -> Self {
        Self { dir: snapshot.dir.clone(), covers: snapshot.manifest.covers.iter().cloned().collect(), taken_at: snapshot.manifest.taken_at }
    }

    /// The snapshot to be compared; `short`: it lacks records.
    pub fn shot(&self, short: bool) -> Shot<'_, Self> {
        Shot { source: self, taken_at: self.taken_at, covers: &self.covers, short }
    }

    fn path(&self, table: &Table) -> PathBuf {
        self.dir.join(format!("{}.parquet", table.name))
    }
}

impl Source for Access {
    type Error = StoreError;

    fn count(&self, table: &'static Table) -> Result<u32, StoreError> {
        let (_, rows) = promised(&self.path(table))?;
        u32::try_from(rows).map_err(|_| self.damaged(table, "it has more rows than ordinals count".to_owned()))
    }

    fn batches(&self, table: &'static Table, columns: &[&'static str]) -> Result<Batches<'_, StoreError>, StoreError> {
        let told = move |b: &Result<RecordBatch, StoreError>| steps::read(table, b.as_ref().map_or(0, RecordBatch::num_rows));
        Ok(Box::new(Stored::open(&self.dir, table, columns)?.batches().inspect(told)))
    }

    fn rows<R: Row>(&self, positions: &[u32]) -> Result<Vec<R>, StoreError> {
        read_some(&self.dir, positions)
    }

    fn damaged(&self, table: &'static Table, what: String) -> StoreError {
        StoreError::damaged(&self.path(table), what)
    }
}

/// Tables `changes` and `edge_history` of a run.
#[derive(Debug, Default)]
pub struct Drift {
    pub changes: Vec<ChangeRow>,
    pub edge_history: EdgeHistory,
}

/// Looks at every stored snapshot up to the current one of each system.
///
/// # Errors
/// A snapshot cannot be read.
pub fn drift(run: &Run, current: &BTreeMap<String, Current>, states: &BTreeMap<String, State>) -> Result<Drift, StoreError> {
    steps::expect_all(run, current, states);
    let of_systems: Vec<Drift> = run
        .systems
        .par_iter()
        .filter(|s| super::ACCESS_TABLES.iter().any(|t| s.covers.contains(*t)))
        .map(|s| one(s, current.get(&s.name), states.get(&s.name)))
        .collect::<Result<_, StoreError>>()?;
    let mut out = Drift::default();
    for system in of_systems {
        out.changes.extend(system.changes);
        out.edge_history.extend(&system.edge_history);
    }
    resolve::number(&mut out.changes);
    Ok(out)
}

fn one(s: &System, current: Option<&Current>, state: Option<&State>) -> Result<Drift, StoreError> {
    let (Some(Current { now: Some(snapshot), before, .. }), Some(state)) = (current, state) else { return Ok(Drift::default()) };
    let newer = Access::of(snapshot);
    let now = newer.shot(state.lacks_records());
    let mut histories = Histories::new(now)?;
    for old in before.iter().filter(|old| same_ids(&old.manifest, &s.manifest)) {
        histories.show(&Access::of(old).shot(!state.complete_before.contains(&old.name)))?;
    }
    let edge_history = histories.finish(s.ix);
    let changes = match before.iter().rev().find(|old| state.complete_before.contains(&old.name)) {
        None => resolve::incomparable(s.ix, &now, None, "no complete snapshot before it is stored"),
        Some(old) if same_ids(&old.manifest, &s.manifest) => resolve::changes(s.ix, &Access::of(old).shot(false), &now, &edge_history)?,
        Some(old) => resolve::incomparable(s.ix, &now, Some(old.manifest.taken_at), &other_ids(&old.manifest)),
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
pub fn note_reviews(history: &mut EdgeHistory, ended: &[RevocationRow]) {
    for r in ended.iter().filter(|r| r.regranted) {
        if let (Some(edge), Some(edge_ix)) = (&r.edge, r.edge_ix) {
            history.note(r.system_ix, edge == "grant", edge_ix, r.closed_at, &r.request);
        }
    }
}
