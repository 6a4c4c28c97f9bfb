//! Sealing: a draft becomes an immutable snapshot, or nothing at all.

use std::path::Path;

use sha2::{Digest, Sha256};

#[cfg(test)]
use super::assemble::Tables;
use super::assembly::assemble;
use super::manifest::{FORMAT, FileEntry, Manifest, Provenance};
#[cfg(test)]
use super::table_file::{TableEntry, write};
use super::{Snapshot, Store, StoreError, Writer, invariants, write_file};
use crate::connectors::{Draft, Input};
use crate::model::{Population, Time};

/// What is to be sealed, beside the draft.
#[derive(Debug)]
pub struct Sealing<'a> {
    pub system: &'a str,
    pub connector: &'a str,
    /// Given by flag or configuration, with that word.
    pub taken_at: Option<(Time, &'static str)>,
    pub population: Option<Population>,
    /// Records that all files together must have.
    pub control_total: Option<u64>,
    pub files: &'a [Input],
    /// One for each file, in the same order.
    pub provenance: &'a [Provenance],
    /// The source's options as text: they decide what the bytes mean.
    pub options: &'a str,
    pub supersede: bool,
}

/// How a seal ended.
#[derive(Debug)]
pub enum Sealed {
    New(Box<Snapshot>),
    /// The same inputs are sealed under this system and time.
    Already(Box<Snapshot>),
}

impl Sealing<'_> {
    /// Digest of everything that decides the content and what is said of it: files (order-free) with what is stated of their
    /// extraction, connector, options, control total.
    pub fn input_digest(&self) -> String {
        let stated = |i: usize| self.provenance.get(i).and_then(|p| serde_json::to_string(p).ok()).unwrap_or_default();
        let mut files: Vec<(&[u8; 32], String)> = self.files.iter().enumerate().map(|(i, f)| (&f.sha256, stated(i))).collect();
        files.sort();
        let mut hash = Sha256::new();
        let total = self.control_total.map(|n| n.to_string()).unwrap_or_default();
        for part in [self.connector, self.options, &total] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        for (digest, stated) in files {
            hash.update(digest);
            hash.update((stated.len() as u64).to_le_bytes());
            hash.update(stated.as_bytes());
        }
        data_encoding::HEXLOWER.encode(&hash.finalize())
    }

    /// Whether a snapshot was sealed from exactly these bytes, whatever else differs.
    fn same_bytes(&self, sealed: &Manifest) -> bool {
        let mut mine: Vec<String> = self.files.iter().map(|f| data_encoding::HEXLOWER.encode(&f.sha256)).collect();
        let mut theirs: Vec<String> = sealed.files.iter().map(|f| f.sha256.clone()).collect();
        mine.sort();
        theirs.sort();
        mine == theirs
    }
}

impl Store {
    /// Whether some snapshot of a system was sealed from files of just these sizes.
    ///
    /// # Errors
    /// The system's snapshots cannot be listed.
    pub fn has_sizes(&self, system: &str, files: &[Input]) -> Result<bool, StoreError> {
        let sorted = |mut sizes: Vec<u64>| {
            sizes.sort_unstable();
            sizes
        };
        let mine = sorted(files.iter().map(|f| f.size).collect());
        let same = |s: &Snapshot| sorted(s.manifest.files.iter().map(|f| f.size).collect()) == mine;
        Ok(self.snapshots(system)?.iter().any(same))
    }

    /// The snapshot that already holds exactly these inputs, if its time is known before reading.
    ///
    /// # Errors
    /// The system's snapshots cannot be listed.
    pub fn already(&self, sealing: &Sealing<'_>) -> Result<Option<Snapshot>, StoreError> {
        let digest = sealing.input_digest();
        let same = |s: &Snapshot| s.manifest.input_digest == digest && sealing.taken_at.is_none_or(|(t, _)| t == s.manifest.taken_at);
        Ok(self.snapshots(sealing.system)?.into_iter().find(same))
    }

    /// Seals a draft.
    ///
    /// # Errors
    /// No instant to date it by, other bytes under the same system and time, a broken invariant, or the disk.
    pub fn seal(&self, writer: &Writer, sealing: &Sealing<'_>, mut draft: Draft) -> Result<Sealed, StoreError> {
        // Where the time is known there is nothing to write for what is sealed already, or never will be.
        if let Some((taken_at, _)) = stated(sealing, &draft)
            && let Place::Taken(sealed) = self.place(sealing, taken_at)?
        {
            return Ok(Sealed::Already(sealed));
        }
        let staged = self.stage(writer, &format!("snapshot-{}", sealing.system))?;
        let sealed = self.seal_in(&staged, writer, sealing, &mut draft);
        if !matches!(sealed, Ok(Sealed::New(_))) {
            // What stays behind is emptied by the next writer.
            let _ = std::fs::remove_dir_all(&staged);
        }
        sealed
    }

    /// The name that a snapshot of this time gets, or the one that holds these inputs already.
    fn place(&self, sealing: &Sealing<'_>, taken_at: Time) -> Result<Place, StoreError> {
        let input_digest = sealing.input_digest();
        let sealed = self.snapshots(sealing.system)?;
        let same_time: Vec<&Snapshot> = sealed.iter().filter(|s| s.manifest.taken_at.compact() == taken_at.compact()).collect();
        if let Some(same) = same_time.iter().find(|s| s.manifest.input_digest == input_digest) {
            return Ok(Place::Taken(Box::new((*same).clone())));
        }
        if let Some(other) = same_time.last().filter(|_| !sealing.supersede) {
            return Err(conflict(sealing, taken_at, &other.manifest, &input_digest));
        }
        let generation = same_time.last().map_or(1, |s| s.manifest.generation + 1);
        let name = if generation == 1 { taken_at.compact() } else { format!("{}.{generation}", taken_at.compact()) };
        Ok(Place::Free { name, generation, input_digest })
    }

    fn seal_in(&self, staged: &Path, writer: &Writer, sealing: &Sealing<'_>, draft: &mut Draft) -> Result<Sealed, StoreError> {
        let tables = assemble(draft, staged)?;
        let (taken_at, taken_at_from) = dated(sealing, draft, tables.newest)?;
        let (name, generation, input_digest) = match self.place(sealing, taken_at)? {
            Place::Taken(sealed) => return Ok(Sealed::Already(sealed)),
            Place::Free { name, generation, input_digest } => (name, generation, input_digest),
        };
        let broken = invariants::check(staged, &draft.files, &draft.covers)?;
        if let Some(bad) = broken.iter().find(|i| i.broken > 0) {
            return Err(StoreError::Internal {
                message: format!("invariant `{}` of `{}` is broken by {} rows; nothing was sealed", bad.name, bad.table, bad.broken),
            });
        }
        let files = sealing.files.iter().zip(&draft.files).enumerate().map(|(i, (file, ledger))| {
            let provenance = sealing.provenance.get(i).cloned().unwrap_or_default();
            FileEntry::new(&file.name, file.size, &file.sha256, ledger, provenance)
        });
        let manifest = Manifest {
            format: FORMAT,
            tool: "holdover".to_owned(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            system: sealing.system.to_owned(),
            connector: sealing.connector.to_owned(),
            taken_at,
            taken_at_from: taken_at_from.to_owned(),
            generation,
            input_digest,
            population: sealing.population,
            control_total: sealing.control_total,
            covers: draft.covers.iter().map(|t| (*t).to_owned()).collect(),
            files: files.collect(),
            tables: tables.entries,
            invariants: broken,
        };
        let text = serde_json::to_string_pretty(&manifest).map_err(|e| StoreError::internal("manifest.json", e))?;
        write_file(&staged.join("manifest.json"), format!("{text}\n").as_bytes())?;
        let dir = self.root().join("snapshots").join(sealing.system).join(&name);
        self.commit(writer, staged, &dir)?;
        Ok(Sealed::New(Box::new(Snapshot { dir, name, manifest })))
    }
}

/// Where a snapshot goes.
enum Place {
    Free {
        name: String,
        generation: u32,
        input_digest: String,
    },
    /// The same inputs are there already.
    Taken(Box<Snapshot>),
}

/// The snapshot's instant as it is known before any row is looked at: given, else stated by the export.
fn stated(sealing: &Sealing<'_>, draft: &Draft) -> Option<(Time, &'static str)> {
    sealing.taken_at.or_else(|| draft.files.iter().filter_map(|f| f.stated_at).max().map(|t| (t, "export")))
}

/// The snapshot's instant: as stated, else the newest instant inside it.
fn dated(sealing: &Sealing<'_>, draft: &Draft, newest: Option<Time>) -> Result<(Time, &'static str), StoreError> {
    stated(sealing, draft).or(newest.map(|t| (t, "inferred"))).ok_or_else(|| StoreError::Refused {
        message: format!("no instant inside the export of `{}` says when it was taken", sealing.system),
        help: "say it: `--taken-at 2026-11-22T00:00:00Z`, or `taken_at` in the source's configuration".to_owned(),
    })
}

fn conflict(sealing: &Sealing<'_>, at: Time, sealed: &Manifest, offered: &str) -> StoreError {
    let what = if sealing.same_bytes(sealed) {
        "the same files under other settings (connector, options, control total, or what is stated of their extraction)"
    } else {
        "other bytes"
    };
    StoreError::Refused {
        message: format!("`{}` at {at} is sealed from {what}: sealed {}, offered {offered}", sealing.system, sealed.input_digest),
        help: "give the right `--taken-at`, or seal a second generation beside the first with `--supersede`".to_owned(),
    }
}

#[cfg(test)]
pub(super) fn write_tables(dir: &Path, t: &Tables) -> Result<Vec<TableEntry>, StoreError> {
    Ok(vec![
        write(dir, &t.accounts)?,
        write(dir, &t.groups)?,
        write(dir, &t.memberships)?,
        write(dir, &t.entitlements)?,
        write(dir, &t.statements)?,
        write(dir, &t.resources)?,
        write(dir, &t.grants)?,
        write(dir, &t.credentials)?,
        write(dir, &t.events)?,
        write(dir, &t.identities)?,
        write(dir, &t.employments)?,
        write(dir, &t.lifecycle)?,
        write(dir, &t.requests)?,
        write(dir, &t.role_model)?,
        write(dir, &t.reviews)?,
        write(dir, &t.separation_rules)?,
        write(dir, &t.workflow_log)?,
        write(dir, &t.exceptions)?,
        write(dir, &t.systems)?,
        write(dir, &t.rejects)?,
        write(dir, &t.origins)?,
    ])
}
