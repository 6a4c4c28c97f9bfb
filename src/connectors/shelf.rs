//! Packed values by key, the newest of each: a few dozen bytes in memory for each key, the values on disk once they are many.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;

use super::draft::Drafted;
use super::pile::{Pile, Scratch, torn};
use crate::model::Row;
use crate::model::pack::Pack;

/// Bytes that are written at a time.
const TAIL: usize = 4 << 20;

/// Values by key.
///
/// A key is held as 128 bits of two keyed hashes: that two of them meet by chance, even among as many keys as can be numbered, is less likely
/// than that memory fails.
#[derive(Debug, Default)]
pub struct Shelf {
    scratch: Scratch,
    hashes: [RandomState; 2],
    places: HashMap<[u64; 2], Place>,
    /// What is not on disk yet, and where on disk it will start.
    tail: Vec<u8>,
    start: u64,
    file: Option<File>,
    failed: Option<io::Error>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    at: u64,
    len: u32,
    /// Whatever tells the value from others.
    tag: u64,
}

impl Shelf {
    pub fn new(scratch: &Scratch) -> Self {
        Self { scratch: scratch.clone(), ..Self::default() }
    }

    fn key(&self, key: &str) -> [u64; 2] {
        self.hashes.each_ref().map(|h| h.hash_one(key))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// A number that tells bytes from others as surely as half a key.
    pub fn tag_of(&self, bytes: &[u8]) -> u64 {
        let [hash, _] = &self.hashes;
        hash.hash_one(bytes)
    }

    /// The tag of a key's value.
    pub fn tag(&self, key: &str) -> Option<u64> {
        self.places.get(&self.key(key)).map(|p| p.tag)
    }

    /// Puts a value in the place of its key.
    pub fn put(&mut self, key: &str, tag: u64, value: &[u8]) {
        let at = self.start + self.tail.len() as u64;
        self.tail.extend_from_slice(value);
        self.places.insert(self.key(key), Place { at, len: u32::try_from(value.len()).unwrap_or(u32::MAX), tag });
        if self.tail.len() >= TAIL
            && let Err(e) = self.write()
        {
            self.failed.get_or_insert(e);
        }
    }

    fn write(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            self.file = self.scratch.file()?;
        }
        if let Some(file) = &mut self.file {
            file.write_all(&self.tail)?;
            self.start += self.tail.len() as u64;
            self.tail.clear();
        }
        Ok(())
    }

    /// The value of a key, into `to`; `false` where there is none.
    pub fn get(&mut self, key: &str, to: &mut Vec<u8>) -> bool {
        let Some(place) = self.places.get(&self.key(key)).copied() else { return false };
        if let Err(e) = self.read(place, to) {
            self.failed.get_or_insert(e);
            return false;
        }
        true
    }

    fn read(&mut self, place: Place, to: &mut Vec<u8>) -> io::Result<()> {
        to.clear();
        let len = place.len as usize;
        if let Some(from) = place.at.checked_sub(self.start).and_then(|at| usize::try_from(at).ok()) {
            to.extend_from_slice(self.tail.get(from..from + len).ok_or_else(torn)?);
            return Ok(());
        }
        let file = self.file.as_mut().ok_or_else(torn)?;
        to.resize(len, 0);
        file.seek(SeekFrom::Start(place.at))?;
        file.read_exact(to)?;
        file.seek(SeekFrom::End(0)).map(|_| ())
    }

    /// Takes all values out, each key's newest, in the order in which they were put.
    ///
    /// # Errors
    /// The disk failed at some time.
    pub fn take(mut self, each: impl FnMut(&[u8])) -> io::Result<()> {
        self.walk(each)
    }

    /// Shows all values, each key's newest, in the order in which they were put.
    ///
    /// # Errors
    /// The disk failed at some time.
    pub fn walk(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        if let Some(e) = self.failed.take() {
            return Err(e);
        }
        let mut places: Vec<Place> = self.places.values().copied().collect();
        places.sort_unstable_by_key(|p| p.at);
        if let Some(file) = &mut self.file {
            file.seek(SeekFrom::Start(0))?;
        }
        let mut stored = self.file.as_mut().map(|file| io::BufReader::with_capacity(1 << 18, file));
        let (mut at, mut value) = (0, Vec::new());
        for place in places {
            let len = place.len as usize;
            match (&mut stored, place.at.checked_sub(self.start)) {
                (_, Some(from)) => {
                    let from = usize::try_from(from).unwrap_or(usize::MAX);
                    each(self.tail.get(from..from.saturating_add(len)).ok_or_else(torn)?);
                }
                (Some(stored), None) => {
                    stored.seek_relative(i64::try_from(place.at - at).unwrap_or(0))?;
                    value.resize(len, 0);
                    stored.read_exact(&mut value)?;
                    at = place.at + len as u64;
                    each(&value);
                }
                (None, None) => return Err(torn()),
            }
        }
        drop(stored);
        self.file.as_mut().map_or(Ok(()), |file| file.seek(SeekFrom::End(0)).map(|_| ()))
    }
}

/// Values that are put into a draft in the order of their keys; more of them go packed, in any order.
const FEW: usize = 16_384;

/// Rows by native id, each of which may change until all are known.
#[derive(Debug)]
pub struct Kept<R> {
    shelf: Shelf,
    rows: PhantomData<fn() -> R>,
}

impl<R: Row> Kept<R> {
    pub fn new(scratch: &Scratch) -> Self {
        Self { shelf: Shelf::new(scratch), rows: PhantomData }
    }

    pub fn contains(&self, native_id: &str) -> bool {
        self.shelf.tag(native_id).is_some()
    }

    /// Puts a row in the place of the one that has its native id.
    pub fn insert(&mut self, native_id: &str, row: &Drafted<R>) {
        let mut packed = Vec::new();
        row.pack(&mut packed);
        self.shelf.put(native_id, 0, &packed);
    }

    /// Changes a row; `None` where there is none.
    pub fn change<T>(&mut self, native_id: &str, change: impl FnOnce(&mut R) -> T) -> Option<T> {
        let mut packed = Vec::new();
        if !self.shelf.get(native_id, &mut packed) {
            return None;
        }
        let mut drafted: Drafted<R> = Drafted::unpack(&mut packed.as_slice())?;
        let said = change(&mut drafted.row);
        self.insert(native_id, &drafted);
        Some(said)
    }

    /// Shows every row.
    pub fn each(&mut self, mut show: impl FnMut(&R)) -> io::Result<()> {
        self.shelf.walk(|packed| {
            if let Some(drafted) = Drafted::<R>::unpack(&mut { packed }) {
                show(&drafted.row);
            }
        })
    }

    /// Moves all rows into a draft's pile.
    ///
    /// # Errors
    /// The disk failed at some time.
    pub fn finish(self, key: impl Fn(&R) -> &str, into: &mut Pile<Drafted<R>>) -> io::Result<()> {
        finish(self.shelf, key, into)
    }
}

/// Moves packed rows with their origins into a draft's pile.
///
/// # Errors
/// The disk failed at some time.
pub fn finish<R: Row>(shelf: Shelf, key: impl Fn(&R) -> &str, into: &mut Pile<Drafted<R>>) -> io::Result<()> {
    let few = shelf.len() < FEW;
    let mut rows: Vec<Drafted<R>> = Vec::new();
    let taken = shelf.take(|packed| if few { rows.extend(Drafted::unpack(&mut { packed })) } else { into.push_row(packed) });
    rows.sort_by(|a, b| key(&a.row).cmp(key(&b.row)));
    into.extend(rows);
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_value_of_each_key_is_there_in_memory_and_on_disk() {
        for scratch in [Scratch::default(), Scratch::new(tempfile::tempfile)] {
            let mut shelf = Shelf::new(&scratch);
            let value = |n: u32, round: u32| format!("{n}/{round}/{}", "x".repeat(100)).into_bytes();
            for n in 0..100_000u32 {
                shelf.put(&n.to_string(), u64::from(n), &value(n, 0));
            }
            let mut found = Vec::new();
            for n in (0..100_000u32).step_by(1_000) {
                assert!(shelf.get(&n.to_string(), &mut found));
                assert_eq!(found, value(n, 0));
                shelf.put(&n.to_string(), 1, &value(n, 1));
            }
            assert!(!shelf.get("none", &mut found));
            assert_eq!((shelf.tag("7"), shelf.tag("0"), shelf.tag("none"), shelf.len()), (Some(7), Some(1), None, 100_000));
            let mut taken = Vec::new();
            shelf.take(|v| taken.push(v.to_vec())).unwrap();
            let mut want: Vec<Vec<u8>> = (0..100_000).filter(|n| n % 1_000 != 0).map(|n| value(n, 0)).collect();
            want.extend((0..100_000).step_by(1_000).map(|n| value(n, 1)));
            assert_eq!(taken, want);
        }
    }
}
