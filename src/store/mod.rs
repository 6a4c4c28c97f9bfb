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
pub mod prune;
mod scratch;
pub mod seal;
mod sorter;
pub mod table_file;
mod table_writer;
pub mod verify;

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use manifest::{FileEntry, Manifest, Provenance};
pub use seal::{Sealed, Sealing};

use crate::model::Time;

/// What can go wrong with a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("`{path}`: {error}")]
    Io { path: String, error: io::Error },
    #[error("the store is locked by another writer")]
    Locked,
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
        Self::Io { path: shown(path), error }
    }
    pub fn damaged(path: &Path, what: String) -> Self {
        Self::Damaged { path: shown(path), what }
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
    /// How to mend it.
    pub fn help(&self) -> &str {
        match self {
            Self::Io { .. } => "check the disk, its free space and the store's permissions",
            Self::Locked => "wait for the other holdover process to end, then try again",
            Self::Damaged { .. } => "run `holdover store verify`, then restore the file from a copy or import the export again",
            Self::Newer { .. } => "use the holdover version that wrote it, or a newer one",
            Self::Refused { help, .. } => help,
            Self::Internal { .. } => "this is a fault of holdover; please report it with the message",
        }
    }
}

/// The last parts of a path: enough to find it, nothing of the machine.
fn shown(path: &Path) -> String {
    let parts: Vec<String> = path.components().map(|c| c.as_os_str().to_string_lossy().into_owned()).collect();
    parts.get(parts.len().saturating_sub(4)..).unwrap_or_default().join("/")
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
    _lock: File,
}

/// A snapshot on disk.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub dir: PathBuf,
    /// Directory name below the system.
    pub name: String,
    pub manifest: Manifest,
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
            message: format!("`{}` is not a holdover store", shown(root)),
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
        let path = self.root.join("lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(|e| StoreError::io(&path, e))?;
        table_file::restrict(&file, &path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked),
            Err(TryLockError::Error(e)) => return Err(StoreError::io(&path, e)),
        }
        let tmp = self.root.join("tmp");
        if tmp.exists() {
            fs::remove_dir_all(&tmp).map_err(|e| StoreError::io(&tmp, e))?;
        }
        make_private(&tmp)?;
        Ok(Writer { _lock: file })
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
    let path = dir.join("manifest.json");
    let text = fs::read(&path).map_err(|e| StoreError::io(&path, e))?;
    #[derive(serde::Deserialize)]
    struct Version {
        format: u32,
    }
    let version: Version = serde_json::from_slice(&text).map_err(|e| StoreError::damaged(&path, e.to_string()))?;
    if version.format > manifest::FORMAT {
        return Err(StoreError::Newer { path: shown(&path), found: version.format });
    }
    serde_json::from_slice(&text).map_err(|e| StoreError::damaged(&path, e.to_string()))
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
