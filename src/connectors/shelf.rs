//! Packed values by key, the newest of each: a few dozen bytes in memory for each key, the values on disk once they are many.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;

use super::draft::Drafted;
use super::keys::{Hashes, Key};
use super::pile::{Log, Pile, Scratch, frame, framed, torn};
use crate::model::Row;
use crate::model::pack::Pack;

/// Bytes that are written at a time.
const TAIL: usize = 4 << 20;

/// Values by key.
#[derive(Debug, Default)]
pub struct Shelf {
    scratch: Scratch,
    hashes: Hashes,
    places: Places,
    /// Framed values that are not on disk yet, and where on disk they will start.
    tail: Vec<u8>,
    start: u64,
    file: Option<File>,
    /// Lengths of what was written at a time.
    blocks: Vec<usize>,
    /// Some value stands in the place of an older one, which is still there.
    replaced: bool,
    failed: Option<io::Error>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    key: Key,
    at: u64,
    /// Whatever tells the value from others.
    tag: u64,
}

/// Places in the order in which their keys were first met, found again by key. A key is hashed already: its bits say where to look.
/// A `KeyMap` would keep its free slots as large as places: 33 bytes for each of 16 M slots at 8 M keys, against 32 for each key and 4 for each slot.
#[derive(Debug, Default)]
struct Places {
    places: Vec<Place>,
    /// Number of a place plus one; 0 is free.
    slots: Vec<u32>,
}

impl Places {
    /// Where a key is, or is to be.
    fn slot(&self, key: &Key) -> usize {
        let mask = self.slots.len().saturating_sub(1);
        let [bits, _] = key;
        #[expect(clippy::cast_possible_truncation, reason = "only the bits below the mask are wanted")]
        let mut at = *bits as usize & mask;
        while let Some(number) = self.slots.get(at).and_then(|n| n.checked_sub(1)) {
            if self.places.get(number as usize).is_some_and(|p| p.key == *key) {
                break;
            }
            at = (at + 1) & mask;
        }
        at
    }

    fn get(&self, key: &Key) -> Option<&Place> {
        let number = self.slots.get(self.slot(key))?.checked_sub(1)?;
        self.places.get(number as usize)
    }

    /// Notes where a key's value is now; whether it was anywhere before.
    fn put(&mut self, place: Place) -> bool {
        if (self.places.len() + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        let at = self.slot(&place.key);
        let Some(slot) = self.slots.get_mut(at) else { return false };
        if let Some(known) = slot.checked_sub(1).and_then(|number| self.places.get_mut(number as usize)) {
            *known = place;
            return true;
        }
        self.places.push(place);
        // More keys than an ordinal counts are refused where they are numbered.
        *slot = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        false
    }

    fn grow(&mut self) {
        self.slots = vec![0; (self.slots.len() * 2).max(16)];
        for (number, place) in (1..).zip(&self.places) {
            let at = self.slot(&place.key);
            if let Some(slot) = self.slots.get_mut(at) {
                *slot = number;
            }
        }
    }
}

impl Shelf {
    pub fn new(scratch: &Scratch) -> Self {
        Self { scratch: scratch.clone(), ..Self::default() }
    }

    pub fn hashes(&self) -> &Hashes {
        &self.hashes
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.places.places.len()
    }

    /// The tag of a key's value.
    pub fn tag(&self, key: &Key) -> Option<u64> {
        self.places.get(key).map(|p| p.tag)
    }

    /// Puts a value in the place of its key.
    pub fn put(&mut self, key: Key, tag: u64, value: &[u8]) {
        let at = self.start + self.tail.len() as u64;
        frame(&mut self.tail, |to| to.extend_from_slice(value));
        self.replaced |= self.places.put(Place { key, at, tag });
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
            self.blocks.push(self.tail.len());
            self.tail.clear();
        }
        Ok(())
    }

    /// The value of a key, into `to`; `false` where there is none.
    pub fn get(&mut self, key: &Key, to: &mut Vec<u8>) -> bool {
        let Some(at) = self.places.get(key).map(|p| p.at) else { return false };
        if let Err(e) = self.read(at, to) {
            self.failed.get_or_insert(e);
            return false;
        }
        true
    }

    fn read(&mut self, at: u64, to: &mut Vec<u8>) -> io::Result<()> {
        to.clear();
        if let Some(from) = at.checked_sub(self.start) {
            to.extend_from_slice(self.held(from).ok_or_else(torn)?);
            return Ok(());
        }
        let file = self.file.as_mut().ok_or_else(torn)?;
        file.seek(SeekFrom::Start(at))?;
        value(file, to)?;
        file.seek(SeekFrom::End(0)).map(|_| ())
    }

    /// The value at a place in the tail.
    fn held(&self, from: u64) -> Option<&[u8]> {
        framed(&mut self.tail.get(usize::try_from(from).ok()?..)?)
    }

    /// Shows all values, each key's newest, in the order in which they were put.
    ///
    /// # Errors
    /// The disk failed at some time.
    pub fn walk(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        if let Some(e) = self.failed.take() {
            return Err(e);
        }
        let mut places: Vec<u64> = self.places.places.iter().map(|p| p.at).collect();
        if self.replaced {
            places.sort_unstable();
        }
        if let Some(file) = &mut self.file {
            file.seek(SeekFrom::Start(0))?;
        }
        let mut stored = self.file.as_mut().map(|file| io::BufReader::with_capacity(1 << 18, file));
        let (mut at, mut found) = (0, Vec::new());
        for place in places {
            if let Some(from) = place.checked_sub(self.start) {
                let from = usize::try_from(from).unwrap_or(usize::MAX);
                each(framed(&mut self.tail.get(from..).unwrap_or_default()).ok_or_else(torn)?);
                continue;
            }
            let stored = stored.as_mut().ok_or_else(torn)?;
            stored.seek_relative(i64::try_from(place - at).unwrap_or(0))?;
            value(stored, &mut found)?;
            at = place + HEAD + found.len() as u64;
            each(&found);
        }
        drop(stored);
        self.file.as_mut().map_or(Ok(()), |file| file.seek(SeekFrom::End(0)).map(|_| ()))
    }

    /// Takes out the framed values as they lie, where each is its key's only one.
    fn log(&mut self) -> Option<Log> {
        if self.replaced || self.failed.is_some() {
            return None;
        }
        let (file, blocks, tail) = (self.file.take(), std::mem::take(&mut self.blocks), std::mem::take(&mut self.tail));
        Some(Log::written(self.scratch.clone(), file, blocks, tail))
    }
}

/// Bytes that [`frame`] puts before a value.
const HEAD: u64 = 4;

/// Reads a framed value.
fn value(from: &mut impl Read, to: &mut Vec<u8>) -> io::Result<()> {
    let mut head = [0; HEAD as usize];
    from.read_exact(&mut head)?;
    to.resize(u32::from_le_bytes(head) as usize, 0);
    from.read_exact(to)
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
        self.shelf.tag(&self.shelf.hashes.key(native_id)).is_some()
    }

    /// Puts a row in the place of the one that has its native id.
    pub fn insert(&mut self, native_id: &str, row: &Drafted<R>) {
        let mut packed = Vec::new();
        row.pack(&mut packed);
        self.shelf.put(self.shelf.hashes.key(native_id), 0, &packed);
    }

    /// Changes a row; `None` where there is none.
    pub fn change<T>(&mut self, native_id: &str, change: impl FnOnce(&mut R) -> T) -> Option<T> {
        let mut packed = Vec::new();
        if !self.shelf.get(&self.shelf.hashes.key(native_id), &mut packed) {
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
pub fn finish<R: Row>(mut shelf: Shelf, key: impl Fn(&R) -> &str, into: &mut Pile<Drafted<R>>) -> io::Result<()> {
    let (few, count) = (shelf.len() < FEW, shelf.len() as u64);
    if !few
        && into.total() == 0
        && let Some(log) = shelf.log()
    {
        into.fill(log, count);
        return Ok(());
    }
    let mut rows: Vec<Drafted<R>> = Vec::new();
    let taken = shelf.walk(|packed| if few { rows.extend(Drafted::unpack(&mut { packed })) } else { into.push_row(packed) });
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
            let hashes = shelf.hashes().clone();
            let key = |n: u32| hashes.key(&n.to_string());
            let value = |n: u32, round: u32| format!("{n}/{round}/{}", "x".repeat(100)).into_bytes();
            for n in 0..100_000u32 {
                shelf.put(key(n), u64::from(n), &value(n, 0));
            }
            let mut found = Vec::new();
            for n in (0..100_000u32).step_by(1_000) {
                assert!(shelf.get(&key(n), &mut found));
                assert_eq!(found, value(n, 0));
                shelf.put(key(n), 1, &value(n, 1));
            }
            assert!(!shelf.get(&hashes.key("none"), &mut found));
            assert_eq!(
                (shelf.tag(&key(7)), shelf.tag(&key(0)), shelf.tag(&hashes.key("none")), shelf.len()),
                (Some(7), Some(1), None, 100_000)
            );
            let mut taken = Vec::new();
            shelf.walk(|v| taken.push(v.to_vec())).unwrap();
            let mut want: Vec<Vec<u8>> = (0..100_000).filter(|n| n % 1_000 != 0).map(|n| value(n, 0)).collect();
            want.extend((0..100_000).step_by(1_000).map(|n| value(n, 1)));
            assert_eq!(taken, want);
        }
    }

    #[test]
    fn rows_reach_the_draft_whether_one_was_replaced_or_none() {
        use crate::connectors::Origin;
        use crate::model::GroupRow;
        let row = |n: u64, kind: &str| {
            let row = GroupRow { native_id: format!("g{n:06}"), kind: kind.to_owned(), ..GroupRow::default() };
            Drafted { row, origin: Origin::line(0, n) }
        };
        for (count, replace, scratch) in [
            (100_000, false, Scratch::new(tempfile::tempfile)),
            (100_000, true, Scratch::new(tempfile::tempfile)),
            (20_000, false, Scratch::default()),
            (100, true, Scratch::default()),
        ] {
            let mut kept: Kept<GroupRow> = Kept::new(&scratch);
            (0..count).for_each(|n| kept.insert(&format!("g{n:06}"), &row(n, "old")));
            if replace {
                kept.change("g000007", |row| row.kind = "new".to_owned()).unwrap();
            }
            let mut pile = Pile::new(&scratch);
            kept.finish(|row| &row.native_id, &mut pile).unwrap();
            assert_eq!(pile.total(), count);
            pile.push(row(count, "last"));
            let mut found = Vec::new();
            pile.take(|drafted| {
                found.push((drafted.origin.number, drafted.row.native_id, drafted.row.kind));
                Ok(())
            })
            .unwrap();
            found.sort();
            let kind = |n: u64| {
                if n == count {
                    "last"
                } else if replace && n == 7 {
                    "new"
                } else {
                    "old"
                }
            };
            assert!(found.into_iter().eq((0..=count).map(|n| (n, format!("g{n:06}"), kind(n).to_owned()))), "{count} {replace}");
        }
    }
}
