//! `store prune`: drops old runs and snapshots, never one that a kept run cites.

use std::collections::BTreeSet;
use std::fs;

use super::{Store, StoreError, Writer};

/// What pruning would drop or has dropped.
#[derive(Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Pruned {
    /// `runs/<run>` and `snapshots/<system>/<time>`, sorted.
    pub dropped: Vec<String>,
    /// Snapshots that would go by count and stay because a kept run cites them.
    pub cited: Vec<String>,
}

/// The part of a run's manifest that pruning needs.
#[derive(serde::Deserialize)]
struct Cites {
    as_of: crate::model::Time,
    snapshots: Vec<Cited>,
}

#[derive(serde::Deserialize)]
struct Cited {
    system: String,
    snapshot: String,
}

impl Store {
    /// Keeps the newest `runs` runs, the newest `snapshots` snapshots of each system, and all that kept runs cite.
    ///
    /// # Errors
    /// A run cannot be read (then nothing is dropped), or the disk refuses.
    pub fn prune(&self, _writer: &Writer, runs: usize, snapshots: usize, dry: bool) -> Result<Pruned, StoreError> {
        let mut known = Vec::new();
        for run in self.runs()? {
            let path = self.run_dir(&run).join("run.json");
            let bytes = fs::read(&path).map_err(|e| StoreError::io(&path, e))?;
            let cites: Cites = serde_json::from_slice(&bytes).map_err(|e| StoreError::damaged(&path, e.to_string()))?;
            known.push((cites.as_of, run, cites.snapshots));
        }
        known.sort_by(|a, b| (b.0, &b.1).cmp(&(a.0, &a.1)));
        let mut out = Pruned::default();
        let mut cited = BTreeSet::new();
        for (i, (_, run, snapshots)) in known.into_iter().enumerate() {
            if i < runs {
                cited.extend(snapshots.into_iter().map(|c| (c.system, c.snapshot)));
            } else {
                out.dropped.push(format!("runs/{run}"));
            }
        }
        for system in self.systems()? {
            let all = self.snapshots(&system)?;
            for old in all.iter().rev().skip(snapshots) {
                let place = format!("snapshots/{system}/{}", old.name);
                if cited.contains(&(system.clone(), old.name.clone())) {
                    out.cited.push(place);
                } else {
                    out.dropped.push(place);
                }
            }
        }
        out.dropped.sort();
        out.cited.sort();
        if !dry {
            for place in &out.dropped {
                let dir = self.root().join(place);
                fs::remove_dir_all(&dir).map_err(|e| StoreError::io(&dir, e))?;
            }
        }
        Ok(out)
    }
}
