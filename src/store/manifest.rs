//! `manifest.json`: what a sealed snapshot is, where it came from, and what it does not hold.

use super::table_file::TableEntry;
use crate::connectors::FileLedger;
use crate::model::{Population, Time};

/// Version of the store's own layout. A store of a newer one is refused by name.
pub const FORMAT: u32 = 1;

/// Who extracted a source and how. What nobody stated is absent and printed as *not stated*.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    pub extracted_by: Option<String>,
    pub extracted_role: Option<String>,
    pub command: Option<String>,
    pub filters: Option<String>,
    pub extracted_at: Option<String>,
    /// Records that the source's own screen or API shows.
    pub control_total: Option<u64>,
    /// First instant of which a log speaks.
    pub covers_from: Option<Time>,
    /// First instant after the last of which it speaks.
    pub covers_to: Option<Time>,
}

/// One input file, as received.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Path relative to the configuration or the common root.
    pub name: String,
    /// Bytes as received.
    pub size: u64,
    /// SHA-256 of the bytes as received, hex.
    pub sha256: String,
    pub shape: Option<String>,
    pub read: u64,
    pub accepted: u64,
    pub rejected: u64,
    pub control_total: Option<u64>,
    pub stated_at: Option<Time>,
    pub covers_from: Option<Time>,
    pub covers_to: Option<Time>,
    /// Why the file is known to be incomplete; empty: nothing says so.
    pub short: Vec<String>,
    pub notes: Vec<(String, u64)>,
    pub provenance: Provenance,
}

impl FileEntry {
    /// The ledger of a read file, with its name, size and digest.
    pub fn new(name: &str, size: u64, sha256: &[u8; 32], ledger: &FileLedger, provenance: Provenance) -> Self {
        Self {
            name: name.to_owned(),
            size,
            sha256: data_encoding::HEXLOWER.encode(sha256),
            shape: ledger.shape.map(str::to_owned),
            read: ledger.read,
            accepted: ledger.accepted,
            rejected: ledger.rejected,
            control_total: ledger.control_total.or(provenance.control_total),
            stated_at: ledger.stated_at,
            covers_from: provenance.covers_from.or(ledger.covers.map(|c| c.0)),
            covers_to: provenance.covers_to.or(ledger.covers.map(|c| c.1)),
            short: ledger.short.clone(),
            notes: ledger.notes.iter().map(|(k, v)| (k.clone(), *v)).collect(),
            provenance,
        }
    }

    /// How reports name it: the path, and eight digits of its digest.
    pub fn label(&self) -> String {
        format!("{}#{}", self.name, self.sha256.get(..8).unwrap_or(&self.sha256))
    }
}

/// One invariant, computed from the written Parquet.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invariant {
    pub name: String,
    pub table: String,
    /// Rows that break it; a sealed snapshot has none.
    pub broken: u64,
}

/// The whole manifest. Field order is the order in the file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: u32,
    pub tool: String,
    pub tool_version: String,
    pub system: String,
    pub connector: String,
    pub taken_at: Time,
    /// `flag`, `config`, `export` or `inferred`.
    pub taken_at_from: String,
    /// 1 for the first seal of this system and time; more where it was superseded.
    pub generation: u32,
    /// Digest of the input files, the connector and its options: equal inputs are never sealed twice.
    pub input_digest: String,
    pub population: Option<Population>,
    /// Records that all files together must have, where the source states one total for them.
    pub control_total: Option<u64>,
    /// Tables that this snapshot speaks about. A table that is not here is *not evaluated*, never empty.
    pub covers: Vec<String>,
    pub files: Vec<FileEntry>,
    pub tables: Vec<TableEntry>,
    pub invariants: Vec<Invariant>,
}

impl Manifest {
    /// Why this snapshot is short: truncation markers, and fewer rows than a control total.
    pub fn short(&self) -> Vec<String> {
        let mut why = Vec::new();
        for file in &self.files {
            why.extend(file.short.iter().map(|s| format!("{}: {s}", file.name)));
            if let Some(total) = file.control_total.filter(|t| file.accepted < *t) {
                why.push(format!("{}: {} records accepted, control total is {total}", file.name, file.accepted));
            }
        }
        let accepted: u64 = self.files.iter().map(|f| f.accepted).sum();
        if let Some(total) = self.control_total.filter(|t| accepted < *t) {
            why.push(format!("{accepted} records accepted in {} files, control total is {total}", self.files.len()));
        }
        why
    }

    /// From when to when the logs of this snapshot speak, as far as files or their extractors say it.
    pub fn covered_time(&self) -> (Option<Time>, Option<Time>) {
        (self.files.iter().filter_map(|f| f.covers_from).min(), self.files.iter().filter_map(|f| f.covers_to).max())
    }

    /// Records rejected over all files.
    pub fn rejected(&self) -> u64 {
        self.files.iter().map(|f| f.rejected).sum()
    }

    /// Rows of `table`; `None` where this snapshot does not cover it.
    pub fn rows(&self, table: &str) -> Option<u64> {
        self.covers.iter().any(|c| c == table).then(|| self.tables.iter().find(|t| t.name == table).map_or(0, |t| t.rows))
    }
}
