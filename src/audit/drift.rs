//! Earlier snapshots beside the current ones: what changed since, and since when each edge is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use arrow::array::ArrayRef;
use rayon::prelude::*;

use super::completeness::State;
use super::steps;
use crate::engine::{Run, System};
use crate::model::*;
use crate::resolve::{self, Columns, Histories, Shot, Source};
use crate::store::columns::{Parts, Stored};
use crate::store::table_file::{GROUP_ROWS, promised};
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
    type Columns = Told;

    fn count(&self, table: &'static Table) -> Result<u32, StoreError> {
        let (_, rows) = promised(&self.path(table))?;
        u32::try_from(rows).map_err(|_| self.damaged(table, "it has more rows than ordinals count".to_owned()))
    }

    fn open(&self, table: &'static Table, columns: &[&'static str]) -> Result<Told, StoreError> {
        Ok(Told { table, parts: Stored::open(&self.dir, table, columns)?.cut() })
    }

    fn damaged(&self, table: &'static Table, what: String) -> StoreError {
        StoreError::damaged(&self.path(table), what)
    }
}

/// Columns of a stored table. Whoever listens to the stages is told what is read of it.
#[derive(Debug)]
pub struct Told {
    table: &'static Table,
    parts: Parts,
}

impl Told {
    fn tell(&self, part: usize, column: usize) {
        if column == 0 {
            steps::read(self.table, self.parts.rows().get(part).copied().unwrap_or(0));
        }
    }
}

impl Columns for Told {
    type Error = StoreError;

    fn parts(&self) -> &[usize] {
        self.parts.rows()
    }

    fn read(&self, part: usize, column: usize) -> Result<ArrayRef, StoreError> {
        self.tell(part, column);
        self.parts.read(part, column)
    }

    fn is_same(&self, other: &Self, part: usize, column: usize) -> bool {
        let same = self.parts.is_same(&other.parts, part, column);
        if same {
            // It is read of the other one only.
            self.tell(part, column);
        }
        same
    }
}

/// Tables `changes` and `edge_history` of a run.
#[derive(Debug, Default)]
pub struct Drift {
    pub changes: Vec<ChangeRow>,
    pub edge_history: EdgeHistory,
}

/// Edges of a system up to which it is looked at as a whole beside others. A larger one has the threads to itself, so that no more than
/// one of them is in memory.
const SMALL: u64 = 4 * GROUP_ROWS as u64;

/// Looks at every stored snapshot up to the current one of each system.
///
/// # Errors
/// A snapshot cannot be read.
pub fn drift(run: &Run, current: &BTreeMap<String, Current>, states: &BTreeMap<String, State>) -> Result<Drift, StoreError> {
    steps::expect_all(run, current, states);
    let asked = run.systems.iter().filter(|s| super::ACCESS_TABLES.iter().any(|t| s.covers.contains(*t)));
    let (small, large): (Vec<&System>, Vec<&System>) = asked.partition(|s| edges(&s.manifest) <= SMALL);
    let one = |s: &&System| (s.ix, one(s, current.get(&s.name), states.get(&s.name)));
    let mut told: Vec<(u32, Result<Drift, StoreError>)> = small.par_iter().map(one).collect();
    told.extend(large.iter().map(one));
    told.sort_by_key(|(system_ix, _)| *system_ix);
    let mut out = Drift::default();
    for (_, system) in told {
        let system = system?;
        out.changes.extend(system.changes);
        out.edge_history.extend(&system.edge_history);
    }
    resolve::number(&mut out.changes);
    Ok(out)
}

fn edges(manifest: &Manifest) -> u64 {
    let edges = manifest.tables.iter().filter(|t| [MEMBERSHIPS.name, GRANTS.name].contains(&t.name.as_str()));
    edges.map(|t| t.rows).fold(0, u64::saturating_add)
}

fn one(s: &System, current: Option<&Current>, state: Option<&State>) -> Result<Drift, StoreError> {
    let (Some(Current { now: Some(snapshot), before, .. }), Some(state)) = (current, state) else { return Ok(Drift::default()) };
    let newer = Access::of(snapshot);
    let now = newer.shot(state.lacks_records());
    let last = before.iter().rev().find(|old| state.complete_before.contains(&old.name));
    let mut compared = None;
    let mut histories = Histories::new(now)?;
    for old in before.iter().filter(|old| same_ids(&old.manifest, &s.manifest)) {
        let older = Access::of(old);
        let shot = older.shot(!state.complete_before.contains(&old.name));
        if last.is_some_and(|last| last.name == old.name) {
            compared = Some(histories.compare(&shot)?);
        } else {
            histories.show(&shot)?;
        }
    }
    let edge_history = histories.finish(s.ix);
    let changes = match (last, compared) {
        (_, Some(compared)) => compared.rows(s.ix, &edge_history),
        (Some(old), None) => resolve::incomparable(s.ix, &now, Some(old.manifest.taken_at), &other_ids(&old.manifest)),
        (None, None) => resolve::incomparable(s.ix, &now, None, "no complete snapshot before it is stored"),
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
