//! The store: sealed snapshots and runs, committed by rename.
//!
//! ```text
//! STORE/lock
//! STORE/tmp/…                                  what a killed process left; emptied by the next writer
//! STORE/snapshots/<system>/20261122T000000Z/   a later generation: 20261122T000000Z.2
//! STORE/runs/<run id>/
//! ```

#[cfg(test)]
pub mod assemble;
mod assembly;
pub mod columns;
pub mod facts;
mod ids;
pub mod invariants;
pub mod manifest;
pub mod part;
pub mod prune;
mod scratch;
pub mod seal;
mod sorter;
pub mod table_file;
mod table_writer;
pub mod verify;
pub mod work;

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

pub use manifest::{FileEntry, Manifest, Provenance};
pub use seal::{Sealed, Sealing};

use crate::model::Time;
use crate::model::text::path as shown_path;

/// What can go wrong with a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("`{path}`: {error}")]
    Io { path: String, error: io::Error },
    #[error("the store is locked by another writer")]
    Locked,
    #[error("`{path}` is in use by another holdover process, or by the Spark that one started")]
    Busy { path: String },
    #[error("`{path}` is damaged: {what}")]
    Damaged { path: String, what: String },
    #[error("`{path}` has format {found}; this version reads up to {}", manifest::FORMAT)]
    Newer { path: String, found: u32 },
    #[error("{message}")]
    Refused { message: String, help: String },
    #[error("{message}")]
    Internal { message: String },
}

impl StoreError {
    pub fn io(path: &Path, error: io::Error) -> Self {
        Self::Io { path: shown_path(path), error }
    }
    pub fn damaged(path: &Path, what: String) -> Self {
        Self::Damaged { path: shown_path(path), what }
    }
    fn busy(path: &Path) -> Self {
        Self::Busy { path: shown_path(path) }
    }
    pub fn parquet(path: &Path, error: parquet::errors::ParquetError) -> Self {
        match error {
            parquet::errors::ParquetError::External(e) => match e.downcast::<io::Error>() {
                Ok(e) => Self::io(path, *e),
                Err(e) => Self::damaged(path, e.to_string()),
            },
            other => Self::damaged(path, other.to_string()),
        }
    }
    pub fn internal(what: &str, error: impl std::fmt::Display) -> Self {
        Self::Internal { message: format!("`{what}`: {error}") }
    }
    /// The same error once more: for a fault that was kept, and is told by whoever asks.
    #[must_use]
    pub fn again(&self) -> Self {
        match self {
            Self::Busy { path } => Self::Busy { path: path.clone() },
            Self::Io { path, error } => Self::Io { path: path.clone(), error: io::Error::new(error.kind(), error.to_string()) },
            Self::Locked => Self::Locked,
            Self::Damaged { path, what } => Self::Damaged { path: path.clone(), what: what.clone() },
            Self::Newer { path, found } => Self::Newer { path: path.clone(), found: *found },
            Self::Refused { message, help } => Self::Refused { message: message.clone(), help: help.clone() },
            Self::Internal { message } => Self::Internal { message: message.clone() },
        }
    }

    /// How to mend it.
    pub fn help(&self) -> &str {
        match self {
            Self::Io { .. } => "check the disk, its free space and the store's permissions",
            Self::Locked | Self::Busy { .. } => {
                "wait for the other holdover process, and for the Spark that it started, to end; then try again"
            }
            Self::Damaged { .. } => "run `holdover store verify`, then restore the file from a copy or import the export again",
            Self::Newer { .. } => "use the holdover version that wrote it, or a newer one",
            Self::Refused { help, .. } => help,
            Self::Internal { .. } => "this is a fault of holdover; please report it with the message",
        }
    }
}

/// A store on disk.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    /// Commits wait until the disk has everything.
    durable: bool,
}

/// One writer's hold on a store. Dropped, or the process killed, it is free again.
#[derive(Debug)]
pub struct Writer {
    lock: File,
}

/// A snapshot on disk.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub dir: PathBuf,
    /// Directory name below the system.
    pub name: String,
    pub manifest: Manifest,
}

impl Snapshot {
    /// Whether every table is, byte for byte, what was sealed. Parquet alone does not tell: a changed byte mostly reads as another value.
    ///
    /// # Errors
    /// The first table that is not, or cannot be read.
    pub fn unaltered(&self) -> Result<(), StoreError> {
        self.manifest.tables.par_iter().try_for_each(|table| {
            let path = self.dir.join(format!("{}.parquet", table.name));
            match table_file::digest(&path)? {
                (_, sha256) if sha256 == table.sha256 => Ok(()),
                (_, sha256) => Err(StoreError::damaged(&path, format!("its digest is {sha256}, the manifest says {}", table.sha256))),
            }
        })
    }
}

impl Store {
    /// Opens a store, or makes an empty one.
    ///
    /// # Errors
    /// The folder cannot be made or is no folder.
    pub fn open_or_create(root: &Path) -> Result<Self, StoreError> {
        for dir in [root.to_path_buf(), root.join("snapshots"), root.join("runs"), root.join("tmp")] {
            make_private(&dir)?;
        }
        Ok(Self { root: root.to_path_buf(), durable: true })
    }

    /// A store whose commits are atomic as ever and do not wait for the disk: for what can be made again, such as the demo.
    #[must_use]
    pub fn not_waiting(self) -> Self {
        Self { durable: false, ..self }
    }

    /// Opens a store that exists.
    ///
    /// # Errors
    /// There is none.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        if root.join("snapshots").is_dir() {
            return Ok(Self { root: root.to_path_buf(), durable: true });
        }
        Err(StoreError::Refused {
            message: format!("`{}` is not a holdover store", shown_path(root)),
            help: "import an export first: `holdover import --store DIR --connector ID --system NAME FILES…`".to_owned(),
        })
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Takes the one writer's lock and clears what a killed writer left.
    ///
    /// # Errors
    /// Another process writes.
    pub fn writer(&self) -> Result<Writer, StoreError> {
        let lock = lock(&self.root.join("lock"))?.ok_or(StoreError::Locked)?;
        let tmp = self.root.join("tmp");
        if tmp.exists() {
            fs::remove_dir_all(&tmp).map_err(|e| StoreError::io(&tmp, e))?;
        }
        make_private(&tmp)?;
        Ok(Writer { lock })
    }

    /// An empty folder that becomes visible only by [`Store::commit`].
    ///
    /// # Errors
    /// The disk refuses.
    pub fn stage(&self, _writer: &Writer, name: &str) -> Result<PathBuf, StoreError> {
        let dir = self.root.join("tmp").join(name);
        make_private(&dir)?;
        Ok(dir)
    }

    /// Makes a staged folder visible under `to`, all at once.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn commit(&self, _writer: &Writer, staged: &Path, to: &Path) -> Result<(), StoreError> {
        if let Some(parent) = to.parent() {
            make_private(parent)?;
        }
        if self.durable {
            for file in fs::read_dir(staged).map_err(|e| StoreError::io(staged, e))? {
                sync(&file.map_err(|e| StoreError::io(staged, e))?.path())?;
            }
            sync(staged)?;
        }
        fs::rename(staged, to).map_err(|e| StoreError::io(to, e))?;
        to.parent().filter(|_| self.durable).map_or(Ok(()), sync)
    }

    /// Names of all systems, sorted.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn systems(&self) -> Result<Vec<String>, StoreError> {
        names(&self.root.join("snapshots"))
    }

    /// Snapshots of one system, oldest first, generations in order.
    ///
    /// # Errors
    /// A manifest is missing, damaged or of a newer format.
    pub fn snapshots(&self, system: &str) -> Result<Vec<Snapshot>, StoreError> {
        let dir = self.root.join("snapshots").join(system);
        if !dir.is_dir() {
            return Ok(Vec::new());
        }
        let mut out = Vec::new();
        for name in names(&dir)? {
            let dir = dir.join(&name);
            out.push(Snapshot { manifest: read_manifest(&dir)?, dir, name });
        }
        out.sort_by_key(|s| (s.manifest.taken_at, s.manifest.generation));
        Ok(out)
    }

    /// The current snapshot at `as_of`, the ones before it (newest generation of each time, oldest first), and how many are later.
    ///
    /// # Errors
    /// As [`Store::snapshots`].
    pub fn current(&self, system: &str, as_of: Time) -> Result<Current, StoreError> {
        let mut out = Current::default();
        for snapshot in self.snapshots(system)? {
            if snapshot.manifest.taken_at > as_of {
                out.later += 1;
                continue;
            }
            if let Some(last) = out.now.replace(snapshot)
                && out.now.as_ref().is_some_and(|now| now.manifest.taken_at != last.manifest.taken_at)
            {
                out.before.push(last);
            }
        }
        Ok(out)
    }

    /// Folders of the committed runs, sorted by name.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn runs(&self) -> Result<Vec<String>, StoreError> {
        names(&self.root.join("runs"))
    }

    /// The folder of one run.
    pub fn run_dir(&self, run: &str) -> PathBuf {
        self.root.join("runs").join(run)
    }
}

/// The snapshots of a system as one `as_of` sees them.
#[derive(Clone, Debug, Default)]
pub struct Current {
    pub now: Option<Snapshot>,
    pub before: Vec<Snapshot>,
    pub later: u32,
}

/// Reads and checks `manifest.json` of a snapshot folder.
///
/// # Errors
/// It is missing, damaged, or of a newer format.
pub fn read_manifest(dir: &Path) -> Result<Manifest, StoreError> {
    versioned(&dir.join("manifest.json"))
}

/// Reads a JSON file of the store whose `format` says by which version it can be read.
///
/// # Errors
/// It is missing, damaged, or of a newer format.
pub fn versioned<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, StoreError> {
    #[derive(serde::Deserialize)]
    struct Version {
        format: u32,
    }
    let text = fs::read(path).map_err(|e| StoreError::io(path, e))?;
    let damaged = |e: serde_json::Error| StoreError::damaged(path, e.to_string());
    let version: Version = serde_json::from_slice(&text).map_err(damaged)?;
    if version.format > manifest::FORMAT {
        return Err(StoreError::Newer { path: shown_path(path), found: version.format });
    }
    serde_json::from_slice(&text).map_err(damaged)
}

/// Locks a file, which is made where it is missing; `None`: another process has it.
fn lock(path: &Path) -> Result<Option<File>, StoreError> {
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(|e| StoreError::io(path, e))?;
    table_file::restrict(&file, path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(StoreError::io(path, e)),
    }
}

/// Writes a private file. It is on disk once the folder is committed.
///
/// # Errors
/// The disk refuses.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut file = File::create(path).map_err(|e| StoreError::io(path, e))?;
    table_file::restrict(&file, path)?;
    file.write_all(bytes).map_err(|e| StoreError::io(path, e))
}

fn names(dir: &Path) -> Result<Vec<String>, StoreError> {
    let mut out = Vec::new();
    for entry in fs::read_dir(dir).map_err(|e| StoreError::io(dir, e))? {
        let entry = entry.map_err(|e| StoreError::io(dir, e))?;
        if entry.path().is_dir() {
            out.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    out.sort();
    Ok(out)
}

fn make_private(dir: &Path) -> Result<(), StoreError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(dir).map_err(|e| StoreError::io(dir, e))
}

/// Waits until the disk has a file or folder.
fn sync(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|f| f.sync_all()).map_err(|e| StoreError::io(path, e))
}
