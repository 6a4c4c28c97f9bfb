//! A folder for what another program is given to read and write, beside what is sealed. One process works in it at a time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::{Store, StoreError, Writer, lock, make_private, table_file};

/// A folder that this process holds. What lies in it is nobody's result: whoever comes next may empty it.
#[derive(Debug)]
pub struct Work {
    dir: PathBuf,
    lock: File,
}

impl Store {
    /// A folder inside the store, which is emptied with the rest of its `tmp`.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn work(&self, writer: &Writer, name: &str) -> Result<Work, StoreError> {
        let dir = self.stage(writer, name)?;
        let lock = writer.lock.try_clone().map_err(|e| StoreError::io(&dir, e))?;
        Ok(Work { dir, lock })
    }
}

impl Work {
    /// A folder that somebody names. It is made where it is missing.
    ///
    /// # Errors
    /// Another process works in it, or the disk refuses.
    pub fn at(dir: PathBuf) -> Result<Self, StoreError> {
        make_private(&dir)?;
        let lock = lock(&dir.join("lock"))?.ok_or_else(|| StoreError::busy(&dir))?;
        Ok(Self { dir, lock })
    }

    /// The lock once more. A program that has it as an open file holds it until it ends, whatever becomes of this process.
    ///
    /// # Errors
    /// The machine has no further file to open.
    pub fn lock(&self) -> Result<File, StoreError> {
        self.lock.try_clone().map_err(|e| StoreError::io(&self.dir, e))
    }

    /// An empty folder below it, whatever was there before.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn fresh(&self, name: &str) -> Result<PathBuf, StoreError> {
        self.clear(name)?;
        let dir = self.dir.join(name);
        make_private(&dir)?;
        Ok(dir)
    }

    /// Removes a folder below it, if it is there.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn clear(&self, name: &str) -> Result<(), StoreError> {
        let dir = self.dir.join(name);
        if dir.exists() {
            fs::remove_dir_all(&dir).map_err(|e| StoreError::io(&dir, e))?;
        }
        Ok(())
    }

    /// A sealed file under another path, in a folder that is made where it is missing.
    ///
    /// # Errors
    /// The disk refuses, or knows no links.
    pub fn link(&self, sealed: &Path, to: &Path) -> Result<(), StoreError> {
        to.parent().map_or(Ok(()), make_private)?;
        #[cfg(unix)]
        let linked = std::os::unix::fs::symlink(sealed, to);
        #[cfg(not(unix))]
        let linked = fs::hard_link(sealed, to);
        linked.map_err(|e| StoreError::io(to, e))
    }

    /// An empty private file, to be written by another program.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn file(&self, path: &Path) -> Result<File, StoreError> {
        let file = File::create(path).map_err(|e| StoreError::io(path, e))?;
        table_file::restrict(&file, path)?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_works_in_a_folder_and_whoever_has_the_lock_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("work");
        let work = Work::at(at.clone()).unwrap();
        let first = work.fresh("a").unwrap();
        fs::write(first.join("left"), "x").unwrap();
        assert_eq!(fs::read_dir(work.fresh("a").unwrap()).unwrap().count(), 0, "what was left is gone");
        let given_away = work.lock().unwrap();
        drop(work);
        let busy = Work::at(at.clone()).unwrap_err();
        assert!(matches!(busy, StoreError::Busy { .. }), "{busy}");
        drop(given_away);
        Work::at(at).unwrap();
    }

    #[test]
    fn a_folder_inside_the_store_is_under_the_writers_lock() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_or_create(dir.path()).unwrap();
        let writer = store.writer().unwrap();
        let work = store.work(&writer, "spark").unwrap();
        let place = work.fresh("checks").unwrap();
        assert!(place.starts_with(dir.path().join("tmp")));
        let given_away = work.lock().unwrap();
        drop((work, writer));
        assert!(matches!(store.writer().unwrap_err(), StoreError::Locked));
        drop(given_away);
        let _writer = store.writer().unwrap();
        assert!(!place.exists(), "the next writer empties it");
    }
}
