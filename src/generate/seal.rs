//! From batches to a sealed snapshot, without ever holding one: tables are written side by side, then where each row is from.

use std::path::Path;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::columns::{Batches, batch, constant, ordinals};
use super::shape::Size;
use crate::connectors::FileLedger;
use crate::model::{ORIGINS, Population, REJECTS, RecordUnit, SNAPSHOT_TABLES, Table, Time, Word};
use crate::store::manifest::{FORMAT, Invariant, Manifest};
use crate::store::table_file::{GROUP_ROWS, TableEntry, write_batches};
use crate::store::{FileEntry, Provenance, Store, StoreError, Writer, invariants, write_file};

/// One snapshot that is to be.
pub struct Draft<'a> {
    pub system: String,
    pub taken_at: Time,
    pub covers: Vec<&'static Table>,
    pub population: Option<Population>,
    /// From when to when its logs speak.
    pub covers_time: Option<(Time, Time)>,
    /// Those that hold rows.
    pub tables: Vec<(&'static Table, Batches<'a>)>,
}

/// Told how many rows were written.
pub type Told<'t> = &'t (dyn Fn(u64) + Sync);

/// Writes and seals one snapshot.
///
/// # Errors
/// The disk refuses.
pub fn seal(store: &Store, writer: &Writer, size: &Size, draft: Draft<'_>, told: Told<'_>) -> Result<Manifest, StoreError> {
    let name = draft.taken_at.compact();
    let staged = store.stage(writer, &format!("snapshot-{}-{name}", draft.system))?;
    let mut entries = write_tables(&staged, draft.tables, told)?;
    let files = files(size, &entries, draft.covers_time);
    entries.push(write_batches(&staged, &ORIGINS, origins(&entries, told))?);
    let invariants = checked(&staged, &files, &draft.covers)?;
    let manifest = Manifest {
        format: FORMAT,
        tool: "holdover".to_owned(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        system: draft.system,
        connector: "generate".to_owned(),
        taken_at: draft.taken_at,
        taken_at_from: "export".to_owned(),
        generation: 1,
        input_digest: digest(&files),
        population: draft.population,
        control_total: None,
        covers: SNAPSHOT_TABLES.iter().filter(|t| draft.covers.iter().any(|c| c.name == t.name)).map(|t| t.name.to_owned()).collect(),
        files: files.into_iter().map(|(entry, _)| entry).collect(),
        tables: entries,
        invariants,
    };
    let text = serde_json::to_string_pretty(&manifest).map_err(|e| StoreError::internal("manifest.json", e))?;
    write_file(&staged.join("manifest.json"), format!("{text}\n").as_bytes())?;
    store.commit(writer, &staged, &store.root().join("snapshots").join(&manifest.system).join(&name))?;
    Ok(manifest)
}

/// Every table but the origins, in the order of the documentation; those without rows are empty files.
fn write_tables(dir: &Path, mut tables: Vec<(&'static Table, Batches<'_>)>, told: Told<'_>) -> Result<Vec<TableEntry>, StoreError> {
    for table in SNAPSHOT_TABLES.iter().filter(|t| t.name != ORIGINS.name) {
        if !tables.iter().any(|(t, _)| t.name == table.name) {
            tables.push((table, Box::new(std::iter::empty())));
        }
    }
    let place = |name: &str| SNAPSHOT_TABLES.iter().position(|t| t.name == name);
    let count = |b: &Result<arrow::array::RecordBatch, _>| {
        if let Ok(batch) = b {
            told(batch.num_rows() as u64);
        }
    };
    // One table is written by one thread, so that its bytes are the same for any number of them.
    let written = tables.into_par_iter().map(|(table, batches)| write_batches(dir, table, batches.inspect(count)));
    let mut entries: Vec<TableEntry> = written.collect::<Result<_, _>>()?;
    entries.sort_by_key(|e| place(&e.name));
    Ok(entries)
}

/// A file for each table with rows: nothing was read, so its bytes are those of the table.
fn files(size: &Size, entries: &[TableEntry], covers: Option<(Time, Time)>) -> Vec<(FileEntry, FileLedger)> {
    let one = |entry: &TableEntry| {
        let ledger = FileLedger { read: entry.rows, accepted: entry.rows, shape: Some("generated table"), ..FileLedger::default() };
        let provenance = Provenance {
            command: Some(command(size)),
            covers_from: covers.map(|c| c.0),
            covers_to: covers.map(|c| c.1),
            ..Provenance::default()
        };
        let file = FileEntry { sha256: entry.sha256.clone(), ..FileEntry::new(&entry.name, entry.bytes, &[0; 32], &ledger, provenance) };
        (file, ledger)
    };
    let listed = |e: &&TableEntry| e.rows > 0 && e.name != REJECTS.name;
    let mut all: Vec<_> = entries.iter().filter(listed).map(one).collect();
    all.sort_by(|a, b| a.0.name.cmp(&b.0.name));
    all
}

/// The command that makes the same estate.
pub fn command(size: &Size) -> String {
    let records = if size.records { "" } else { " --without-records" };
    format!(
        "holdover generate --accounts {} --access {} --identities {} --systems {} --snapshots {} --seed {}{records}",
        size.accounts, size.access, size.identities, size.systems, size.snapshots, size.seed
    )
}

fn digest(files: &[(FileEntry, FileLedger)]) -> String {
    let mut hash = Sha256::new();
    for (file, _) in files {
        for part in [&file.name, &file.sha256] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

/// Row after row of each table, in the order of the tables' names: each is a record of the table's own file.
fn origins<'a>(entries: &[TableEntry], told: Told<'a>) -> Batches<'a> {
    let mut tables: Vec<(String, u64)> = entries.iter().filter(|e| e.rows > 0).map(|e| (e.name.clone(), e.rows)).collect();
    tables.sort();
    let parts = (0u32..).zip(tables).flat_map(|(file, (table, rows))| {
        let cuts = (0..rows).step_by(GROUP_ROWS);
        cuts.map(move |first| (file, table.clone(), first, (rows - first).min(GROUP_ROWS as u64) as usize))
    });
    Box::new(parts.collect::<Vec<_>>().into_iter().map(move |(file, table, first, rows)| {
        told(rows as u64);
        let files = arrow::array::UInt32Array::from_value(file, rows);
        let numbers = arrow::array::UInt64Array::from_iter_values(first + 1..first + 1 + rows as u64);
        batch(
            &ORIGINS,
            vec![
                constant(&table, rows),
                ordinals(first, rows),
                constant("row", rows),
                std::sync::Arc::new(files),
                constant(RecordUnit::Record.as_str(), rows),
                std::sync::Arc::new(numbers),
            ],
        )
    }))
}

fn checked(dir: &Path, files: &[(FileEntry, FileLedger)], covers: &[&'static Table]) -> Result<Vec<Invariant>, StoreError> {
    let ledgers: Vec<FileLedger> = files.iter().map(|(_, ledger)| ledger.clone()).collect();
    let all = invariants::check(dir, &ledgers, &covers.iter().map(|t| t.name).collect())?;
    match all.iter().find(|i| i.broken > 0) {
        Some(bad) => Err(StoreError::internal(
            "generate",
            format!("invariant `{}` of `{}` is broken by {} rows; nothing was sealed", bad.name, bad.table, bad.broken),
        )),
        None => Ok(all),
    }
}
