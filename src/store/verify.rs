//! `store verify`: every byte against its manifest.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::table_file::{TableEntry, digest, promised, read_batches};
use super::{Store, StoreError, read_manifest, versioned};

/// One fault of a store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Fault {
    /// `snapshots/<system>/<time>/<file>` or `runs/<run>/<file>`.
    pub place: String,
    pub what: String,
}

/// What was looked at, and what is wrong.
#[derive(Debug, Default, serde::Serialize)]
pub struct Verified {
    pub snapshots: u64,
    pub runs: u64,
    pub files: u64,
    pub faults: Vec<Fault>,
}

/// The part of a run's manifest that verification needs; the run's own stage writes it.
#[derive(Debug, serde::Deserialize)]
struct RunFiles {
    files: Vec<TableEntry>,
}

impl Store {
    /// Reads everything and compares digests, rows and row groups.
    ///
    /// # Errors
    /// Only when a folder cannot be listed; a damaged file is a fault, not an error.
    pub fn verify(&self) -> Result<Verified, StoreError> {
        let mut out = Verified::default();
        for system in self.systems()? {
            for name in super::names(&self.root().join("snapshots").join(&system))? {
                let dir = self.root().join("snapshots").join(&system).join(&name);
                out.snapshots += 1;
                let place = format!("snapshots/{system}/{name}");
                match read_manifest(&dir) {
                    Ok(manifest) => folder(&dir, &place, &manifest.tables, "manifest.json", &mut out)?,
                    Err(e) => out.faults.push(Fault { place: format!("{place}/manifest.json"), what: e.to_string() }),
                }
            }
        }
        for run in self.runs()? {
            let dir = self.run_dir(&run);
            out.runs += 1;
            let place = format!("runs/{run}");
            match versioned::<RunFiles>(&dir.join("run.json")) {
                Ok(listed) => folder(&dir, &place, &listed.files, "run.json", &mut out)?,
                Err(e) => out.faults.push(Fault { place: format!("{place}/run.json"), what: e.to_string() }),
            }
        }
        out.faults.sort();
        Ok(out)
    }
}

fn folder(dir: &Path, place: &str, entries: &[TableEntry], manifest: &str, out: &mut Verified) -> Result<(), StoreError> {
    let mut expected: BTreeSet<String> = BTreeSet::from([manifest.to_owned()]);
    for entry in entries {
        let file = if entry.name.contains('.') { entry.name.clone() } else { format!("{}.parquet", entry.name) };
        out.files += 1;
        if let Some(what) = file_fault(&dir.join(&file), entry) {
            out.faults.push(Fault { place: format!("{place}/{file}"), what });
        }
        expected.insert(file);
    }
    for found in fs::read_dir(dir).map_err(|e| StoreError::io(dir, e))? {
        let name = found.map_err(|e| StoreError::io(dir, e))?.file_name().to_string_lossy().into_owned();
        if !expected.contains(&name) {
            out.faults.push(Fault { place: format!("{place}/{name}"), what: "is not in the manifest".to_owned() });
        }
    }
    Ok(())
}

fn file_fault(path: &Path, entry: &TableEntry) -> Option<String> {
    if !path.exists() {
        return Some("is missing".to_owned());
    }
    let (bytes, sha256) = match digest(path) {
        Ok(found) => found,
        Err(e) => return Some(e.to_string()),
    };
    if entry.row_groups > 0 || entry.rows > 0 {
        match promised(path) {
            Ok((groups, rows)) if (groups, rows) != (entry.row_groups, entry.rows) => {
                return Some(format!(
                    "holds {groups} row groups and {rows} rows, the manifest says {} and {}",
                    entry.row_groups, entry.rows
                ));
            }
            Ok(_) => {}
            Err(e) => return Some(e.to_string()),
        }
    }
    if sha256 != entry.sha256 {
        let readable = if read_batches(path).is_ok() { "still readable" } else { "not readable" };
        return Some(format!("digest is {sha256} over {bytes} bytes, the manifest says {} ({readable})", entry.sha256));
    }
    None
}
