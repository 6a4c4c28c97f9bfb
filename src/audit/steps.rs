//! How many rows merging snapshots goes through, for whoever listens to the stages.

use std::collections::BTreeMap;

use super::completeness::State;
use super::drift::same_ids;
use crate::engine::Run;
use crate::model::{GRANTS, MEMBERSHIPS, Stage, Table};
use crate::store::{Current, Manifest};

/// Stage of the merging.
const STAGE: &str = "drift";

/// The tables that make nearly all of it. One comparison of two snapshots reads each once on either side.
const COUNTED: [&Table; 2] = [&MEMBERSHIPS, &GRANTS];

/// Says what the comparisons of some snapshots, each an older and a newer one, will go through.
pub fn expect<'a>(comparisons: impl IntoIterator<Item = (&'a Manifest, &'a Manifest)>) {
    Stage::expect(STAGE, comparisons.into_iter().map(|(old, now)| rows(old, now)).sum());
}

/// Says what [`super::drift::drift`] will go through.
pub(super) fn expect_all(run: &Run, current: &BTreeMap<String, Current>, states: &BTreeMap<String, State>) {
    let mut all = Vec::new();
    for s in &run.systems {
        let Some((current, _)) = current.get(&s.name).zip(states.get(&s.name)) else { continue };
        let alike = |manifest: &&Manifest| same_ids(manifest, &s.manifest);
        all.extend(current.before.iter().map(|old| &old.manifest).filter(alike).map(|old| (old, &s.manifest)));
    }
    expect(all);
}

/// Says that rows of a table were read.
pub(super) fn read(table: &Table, rows: usize) {
    if COUNTED.iter().any(|t| t.name == table.name) {
        Stage::advance(STAGE, rows);
    }
}

fn rows(old: &Manifest, now: &Manifest) -> usize {
    let speaks = |m: &Manifest, t: &Table| m.covers.iter().any(|c| c == t.name);
    let rows = |m: &Manifest, t: &Table| m.tables.iter().find(|e| e.name == t.name).map_or(0, |e| e.rows);
    let compared = COUNTED.iter().filter(|t| speaks(old, t) && speaks(now, t));
    compared.map(|t| usize::try_from(rows(old, t) + rows(now, t)).unwrap_or(usize::MAX)).sum()
}
