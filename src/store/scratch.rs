//! Files for what an import cannot hold in memory: private, in the store's own `tmp/`, gone with their handles.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::table_file::restrict;
use super::{Store, make_private};
use crate::connectors::Scratch;

impl Store {
    /// Where an import puts what does not fit into memory. The folder belongs to whoever holds the writer's lock.
    pub fn scratch(&self) -> Scratch {
        let folder = self.root().join("tmp");
        let count = Arc::new(AtomicU64::new(0));
        Scratch::new(move || open(&folder, count.fetch_add(1, Ordering::Relaxed)))
    }
}

fn open(folder: &std::path::Path, count: u64) -> std::io::Result<File> {
    let path: PathBuf = folder.join(format!("scratch-{}-{count}", std::process::id()));
    make_private(folder).map_err(std::io::Error::other)?;
    let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
    restrict(&file, &path).map_err(std::io::Error::other)?;
    // Without a name nothing of it outlives the process. Where an open file cannot lose its name, the next writer empties the folder.
    #[cfg(unix)]
    std::fs::remove_file(&path)?;
    Ok(file)
}
