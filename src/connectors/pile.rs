//! Rows of one kind, in the order in which they came: the last ones as they are, those before them packed, and on disk once they
//! are many. What an import holds in memory does not grow with the number of its rows.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::model::pack::Pack;

/// Rows that are kept as they are before they are packed.
const LOOSE: usize = 16_384;
/// Bytes of a block.
const BLOCK: usize = 1 << 20;
/// Packed bytes that a log keeps in memory.
const HELD: usize = 2 << 20;

type Open = dyn Fn() -> io::Result<File> + Send + Sync;

/// Where to put what does not fit into memory: gives empty private files that vanish with their handles. The default keeps all in
/// memory.
#[derive(Clone, Default)]
pub struct Scratch(Option<Arc<Open>>);

impl Scratch {
    /// Files that `open` makes.
    pub fn new(open: impl Fn() -> io::Result<File> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(open)))
    }

    /// A new file; `None` where everything stays in memory.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn file(&self) -> io::Result<Option<File>> {
        self.0.as_ref().map(|open| open()).transpose()
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Scratch(disk)" } else { "Scratch(memory)" })
    }
}

/// Blocks of bytes, written once, read in their order.
#[derive(Debug, Default)]
pub struct Log {
    scratch: Scratch,
    held: Vec<Vec<u8>>,
    held_bytes: usize,
    file: Option<File>,
    /// Lengths of the blocks on disk.
    stored: Vec<usize>,
    /// Framed rows that make no block yet.
    tail: Vec<u8>,
    /// What the disk said when it refused; told by [`Log::blocks`].
    failed: Option<io::Error>,
}

impl Log {
    pub fn new(scratch: Scratch) -> Self {
        Self { scratch, ..Self::default() }
    }

    /// A log of blocks that were written already: those in `file`, one after the other, by their lengths, and `tail`.
    pub fn written(scratch: Scratch, file: Option<File>, stored: Vec<usize>, tail: Vec<u8>) -> Self {
        Self { scratch, file, stored, tail, ..Self::default() }
    }

    /// Appends one row, with its length before it.
    pub fn row(&mut self, pack: impl FnOnce(&mut Vec<u8>)) {
        frame(&mut self.tail, pack);
        if self.tail.len() >= BLOCK {
            self.settle();
        }
    }

    /// Makes a block of the rows that make none yet.
    fn settle(&mut self) {
        if !self.tail.is_empty() {
            let tail = std::mem::take(&mut self.tail);
            self.store(tail);
        }
    }

    /// Appends a block of rows.
    pub fn push(&mut self, block: Vec<u8>) {
        self.settle();
        self.store(block);
    }

    fn store(&mut self, block: Vec<u8>) {
        if self.failed.is_none()
            && let Err(e) = self.put(block)
        {
            self.failed = Some(e);
        }
    }

    fn put(&mut self, block: Vec<u8>) -> io::Result<()> {
        if self.file.is_none() && self.held_bytes.saturating_add(block.len()) > HELD {
            self.file = self.scratch.file()?;
        }
        match &mut self.file {
            None => {
                self.held_bytes = self.held_bytes.saturating_add(block.len());
                self.held.push(block);
            }
            Some(file) => {
                file.write_all(&block)?;
                self.stored.push(block.len());
            }
        }
        Ok(())
    }

    /// Every block, in order.
    ///
    /// # Errors
    /// The disk refused a block, or does not give one back.
    pub fn blocks(mut self) -> io::Result<impl Iterator<Item = io::Result<Vec<u8>>>> {
        self.settle();
        if let Some(e) = self.failed.take() {
            return Err(e);
        }
        if let Some(file) = &mut self.file {
            file.seek(SeekFrom::Start(0))?;
        }
        let (file, stored) = (self.file.take(), std::mem::take(&mut self.stored));
        let from_disk = file.into_iter().flat_map(move |mut file| {
            stored.clone().into_iter().map(move |len| {
                let mut block = vec![0; len];
                file.read_exact(&mut block).map(|()| block)
            })
        });
        Ok(std::mem::take(&mut self.held).into_iter().map(Ok).chain(from_disk))
    }

    /// Walks every block and leaves the log as it is.
    ///
    /// # Errors
    /// As [`Log::blocks`].
    pub fn walk(&mut self, mut tell: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        self.settle();
        if let Some(e) = &self.failed {
            return Err(io::Error::new(e.kind(), e.to_string()));
        }
        for block in &self.held {
            tell(block)?;
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        file.seek(SeekFrom::Start(0))?;
        let mut block = Vec::new();
        for len in &self.stored {
            block.resize(*len, 0);
            file.read_exact(&mut block)?;
            tell(&block)?;
        }
        file.seek(SeekFrom::End(0)).map(|_| ())
    }
}

/// Appends what `pack` writes, with its length before it.
pub fn frame(block: &mut Vec<u8>, pack: impl FnOnce(&mut Vec<u8>)) {
    let at = block.len();
    block.extend_from_slice(&[0; 4]);
    pack(block);
    let len = u32::try_from(block.len() - at - 4).unwrap_or(u32::MAX);
    if let Some(head) = block.get_mut(at..at + 4) {
        head.copy_from_slice(&len.to_le_bytes());
    }
}

/// Takes what [`frame`] wrote off the front.
pub fn framed<'a>(left: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, rest) = left.split_first_chunk::<4>()?;
    let (row, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    *left = rest;
    Some(row)
}

/// Tells the packed rows of a block, in order.
///
/// # Errors
/// The block is not what was written, or what `tell` says.
pub fn rows_of(block: &[u8], mut tell: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut left = block;
    while !left.is_empty() {
        tell(framed(&mut left).ok_or_else(torn)?)?;
    }
    Ok(())
}

/// A value that packed bytes should hold and do not: the disk gave back something else.
pub fn torn() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "what was put aside came back changed")
}

/// Rows in the order in which they came. It shows those that are not packed yet as a `Vec`: all of them, in an import of ordinary size.
pub struct Pile<T> {
    loose: Vec<T>,
    packed: Log,
    rows: u64,
}

impl<T> Pile<T> {
    pub fn new(scratch: &Scratch) -> Self {
        Self { loose: Vec::new(), packed: Log::new(scratch.clone()), rows: 0 }
    }

    /// All rows.
    pub fn total(&self) -> u64 {
        self.rows.saturating_add(self.loose.len() as u64)
    }
}

impl<T: Pack> Pile<T> {
    /// Puts a row on top.
    pub fn push(&mut self, row: T) {
        self.loose.push(row);
        if self.loose.len() >= LOOSE {
            self.pack();
        }
    }

    /// Puts rows on top that [`frame`] packed.
    pub fn push_packed(&mut self, block: Vec<u8>, rows: u64) {
        if rows > 0 {
            self.pack();
            self.rows = self.rows.saturating_add(rows);
            self.packed.push(block);
        }
    }

    pub fn extend(&mut self, rows: impl IntoIterator<Item = T>) {
        rows.into_iter().for_each(|row| self.push(row));
    }

    /// Puts one row on top that is packed already.
    pub fn push_row(&mut self, packed: &[u8]) {
        self.pack();
        self.rows = self.rows.saturating_add(1);
        self.packed.row(|to| to.extend_from_slice(packed));
    }

    /// Lays `rows` packed rows into an empty pile.
    pub fn fill(&mut self, packed: Log, rows: u64) {
        self.packed = packed;
        self.rows = rows;
    }

    fn pack(&mut self) {
        self.rows = self.rows.saturating_add(self.loose.len() as u64);
        for row in self.loose.drain(..) {
            self.packed.row(|to| row.pack(to));
        }
    }

    /// Walks the packed form of every row, in order, and leaves the pile as it is.
    ///
    /// # Errors
    /// The disk fails, or `tell` does.
    pub fn walk(&mut self, mut tell: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        self.packed.walk(|block| rows_of(block, &mut tell))?;
        let mut packed = Vec::new();
        for row in &self.loose {
            packed.clear();
            row.pack(&mut packed);
            tell(&packed)?;
        }
        Ok(())
    }

    /// Whether rows were put on disk.
    pub fn is_stored(&self) -> bool {
        self.packed.file.is_some()
    }

    /// Bytes of the packed rows.
    pub fn packed_bytes(&self) -> u64 {
        let held: usize = self.packed.held_bytes.saturating_add(self.packed.tail.len());
        self.packed.stored.iter().map(|len| *len as u64).sum::<u64>().saturating_add(held as u64)
    }

    /// The packed rows in blocks, in order; [`rows_of`] takes a block apart.
    ///
    /// # Errors
    /// The disk fails.
    pub fn into_blocks(mut self) -> io::Result<impl Iterator<Item = io::Result<Vec<u8>>>> {
        self.pack();
        self.packed.blocks()
    }

    /// Unpacks everything, for whoever must see and change all rows at once.
    ///
    /// # Errors
    /// The disk fails.
    pub fn open(&mut self) -> io::Result<()> {
        let mut all = Vec::new();
        self.take(|row| {
            all.push(row);
            Ok(())
        })?;
        self.loose = all;
        Ok(())
    }

    /// Takes all rows out, in order.
    ///
    /// # Errors
    /// The disk fails.
    pub fn take(&mut self, mut each: impl FnMut(T) -> io::Result<()>) -> io::Result<()> {
        let empty = Log::new(self.packed.scratch.clone());
        let packed = std::mem::replace(&mut self.packed, empty);
        self.rows = 0;
        for block in packed.blocks()? {
            let block = block?;
            let mut left = block.as_slice();
            while !left.is_empty() {
                let mut row = framed(&mut left).ok_or_else(torn)?;
                each(T::unpack(&mut row).ok_or_else(torn)?)?;
            }
        }
        std::mem::take(&mut self.loose).into_iter().try_for_each(each)
    }
}

impl<T> Default for Pile<T> {
    fn default() -> Self {
        Self::new(&Scratch::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for Pile<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} packed and ", self.rows)?;
        self.loose.fmt(f)
    }
}

impl<T> Deref for Pile<T> {
    type Target = Vec<T>;
    fn deref(&self) -> &Vec<T> {
        &self.loose
    }
}

impl<T> DerefMut for Pile<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.loose
    }
}

impl<T> From<Vec<T>> for Pile<T> {
    fn from(loose: Vec<T>) -> Self {
        Self { loose, ..Self::default() }
    }
}

impl<T> IntoIterator for Pile<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;
    /// The rows that are not packed.
    fn into_iter(self) -> Self::IntoIter {
        self.loose.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Pile<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.loose.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch() -> Scratch {
        Scratch::new(tempfile::tempfile)
    }

    #[test]
    fn rows_come_back_in_their_order_whether_packed_or_not_in_memory_or_on_disk() {
        for (count, scratch) in [(10u64, scratch()), (100_000, Scratch::default()), (1_500_000, scratch())] {
            let mut pile = Pile::new(&scratch);
            pile.extend((0..count).map(|n| (n, n.is_multiple_of(3).then(|| n.to_string()))));
            let mut block = Vec::new();
            frame(&mut block, |to| (count, Some("last".to_owned())).pack(to));
            pile.push_packed(block, 1);
            assert_eq!((pile.total(), pile.is_stored()), (count + 1, count > 1_000_000));
            assert!(pile.packed_bytes() > 6 * (count - pile.len() as u64));
            let mut walked = Vec::new();
            pile.walk(|mut row| {
                let row: (u64, Option<String>) = Pack::unpack(&mut row).unwrap();
                walked.push(row);
                Ok(())
            })
            .unwrap();
            assert!(walked.iter().enumerate().all(|(i, (n, _))| i as u64 == *n));
            let mut taken = Vec::new();
            pile.take(|row| {
                taken.push(row);
                Ok(())
            })
            .unwrap();
            assert_eq!((taken, pile.total()), (walked, 0));
        }
    }

    #[test]
    fn a_disk_that_refuses_is_told_when_the_rows_are_asked_for() {
        let mut pile = Pile::new(&Scratch::new(|| Err(io::Error::other("no space"))));
        pile.extend(0..3_000_000u64);
        assert_eq!(pile.walk(|_| Ok(())).unwrap_err().to_string(), "no space");
        assert_eq!(pile.take(|_| Ok(())).unwrap_err().to_string(), "no space");
    }
}
