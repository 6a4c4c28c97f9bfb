//! Records in the order of their keys, however many: sorted in memory piece by piece, the pieces put aside and merged.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::thread::JoinHandle;

use rayon::slice::ParallelSliceMut;

use crate::connectors::Scratch;
use crate::connectors::pile::torn;

/// Bytes of records that are sorted at a time.
const PIECE: usize = 32 << 20;

/// Sorts records by their keys, compared byte by byte; equal keys keep the order in which they came.
pub struct Sorter {
    scratch: Scratch,
    most: usize,
    piece: Piece,
    runs: Vec<Run>,
    /// The run being written.
    writing: Option<JoinHandle<io::Result<Run>>>,
    failed: Option<io::Error>,
}

/// Records in memory: key length, length of the rest, key, rest.
#[derive(Default)]
pub struct Piece {
    bytes: Vec<u8>,
    /// First eight bytes of the key, and where the record starts.
    index: Vec<(u64, u32)>,
}

/// A sorted piece on disk.
#[derive(Debug)]
pub struct Run {
    file: File,
    /// Its first and last key.
    ends: Option<[Vec<u8>; 2]>,
}

const HEAD: usize = 8;

impl Piece {
    /// Takes a record in.
    pub fn push(&mut self, key: &[u8], rest: &[u8]) {
        let at = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        let mut first = [0u8; 8];
        for (to, from) in first.iter_mut().zip(key) {
            *to = *from;
        }
        self.bytes.extend_from_slice(&u32::try_from(key.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.bytes.extend_from_slice(&u32::try_from(rest.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(rest);
        self.index.push((u64::from_be_bytes(first), at));
    }

    fn record(&self, at: u32) -> (&[u8], &[u8]) {
        let bytes = self.bytes.get(at as usize..).unwrap_or_default();
        parts(bytes).unwrap_or_default()
    }

    fn sort(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let of = |at: u32| parts(bytes.get(at as usize..).unwrap_or_default()).unwrap_or_default().0;
        // Where a record starts tells which of two came first.
        let order = |a: &(u64, u32), b: &(u64, u32)| a.0.cmp(&b.0).then_with(|| of(a.1).cmp(of(b.1))).then(a.1.cmp(&b.1));
        if self.index.is_sorted_by(|a, b| order(a, b) != Ordering::Greater) {
        } else if self.index.len() > 4_096 {
            self.index.par_sort_unstable_by(order);
        } else {
            self.index.sort_unstable_by(order);
        }
        self.bytes = bytes;
    }

    fn write(&self, file: File) -> io::Result<Run> {
        let mut out = BufWriter::with_capacity(1 << 18, file);
        for (_, at) in &self.index {
            let (key, rest) = self.record(*at);
            let from = *at as usize;
            out.write_all(self.bytes.get(from..from + HEAD + key.len() + rest.len()).unwrap_or_default())?;
        }
        let end = |record: Option<&(u64, u32)>| record.map(|(_, at)| self.record(*at).0.to_vec());
        let ends = end(self.index.first()).zip(end(self.index.last())).map(|(first, last)| [first, last]);
        out.into_inner().map_err(io::IntoInnerError::into_error).map(|file| Run { file, ends })
    }

    /// Sorts the records and puts them on disk: a run that another thread may make.
    ///
    /// # Errors
    /// The disk refuses, or there is none.
    pub fn into_run(mut self, scratch: &Scratch) -> io::Result<Run> {
        self.sort();
        self.write(scratch.file()?.ok_or_else(torn)?)
    }
}

/// Key and rest of the record that bytes start with.
fn parts(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, body) = bytes.split_first_chunk::<HEAD>()?;
    let (key, rest) = lengths(*head);
    let (key, body) = body.split_at_checked(key)?;
    Some((key, body.get(..rest)?))
}

fn lengths(head: [u8; HEAD]) -> (usize, usize) {
    let [a, b, c, d, e, f, g, h] = head;
    (u32::from_le_bytes([a, b, c, d]) as usize, u32::from_le_bytes([e, f, g, h]) as usize)
}

impl Sorter {
    pub fn new(scratch: &Scratch) -> Self {
        Self::of(scratch, PIECE)
    }

    fn of(scratch: &Scratch, most: usize) -> Self {
        Self { scratch: scratch.clone(), most, piece: Piece::default(), runs: Vec::new(), writing: None, failed: None }
    }

    /// Takes a record in.
    pub fn push(&mut self, key: &[u8], rest: &[u8]) {
        self.piece.push(key, rest);
        if self.piece.bytes.len() >= self.most && self.failed.is_none() {
            self.failed = self.put_aside().err();
        }
    }

    /// Takes in the records of a run, which come after all those before.
    pub fn add(&mut self, run: Run) {
        self.runs.push(run);
    }

    fn put_aside(&mut self) -> io::Result<()> {
        let Some(file) = self.scratch.file()? else {
            // All in memory: the piece goes on growing as far as its places can be numbered.
            let end = u32::MAX as usize - (64 << 20);
            let more = self.most < end;
            self.most = end;
            return if more { Ok(()) } else { Err(io::Error::other("more rows than memory can number")) };
        };
        self.settle()?;
        let mut piece = std::mem::take(&mut self.piece);
        self.writing = Some(std::thread::spawn(move || {
            piece.sort();
            piece.write(file)
        }));
        Ok(())
    }

    /// Waits for the run being written.
    fn settle(&mut self) -> io::Result<()> {
        if let Some(writing) = self.writing.take() {
            self.runs.push(writing.join().map_err(|_| io::Error::other("a thread that sorted ended early"))??);
        }
        Ok(())
    }

    /// Tells every record in order.
    ///
    /// # Errors
    /// The disk fails, or `tell` does.
    pub fn finish<E: From<io::Error>>(mut self, mut tell: impl FnMut(&[u8], &[u8]) -> Result<(), E>) -> Result<(), E> {
        if let Some(e) = self.failed.take() {
            return Err(e.into());
        }
        self.settle()?;
        self.piece.sort();
        if self.runs.is_empty() {
            for (_, at) in &self.piece.index {
                let (key, rest) = self.piece.record(*at);
                tell(key, rest)?;
            }
            return Ok(());
        }
        if !self.piece.index.is_empty() {
            let file = self.scratch.file()?.ok_or_else(torn)?;
            self.runs.push(self.piece.write(file)?);
        }
        drop(self.piece);
        let follow =
            |pair: &[Run]| matches!(pair, [Run { ends: Some([_, last]), .. }, Run { ends: Some([first, _]), .. }] if last <= first);
        if self.runs.windows(2).all(follow) {
            // As where an export is in the order of its keys.
            for run in self.runs {
                let mut reader = Reader::new(run.file)?;
                while reader.next()? {
                    tell(&reader.key, &reader.rest)?;
                }
            }
            return Ok(());
        }
        let readers = self.runs.into_iter().map(|run| Reader::new(run.file)).collect::<io::Result<Vec<_>>>()?;
        merge(readers, tell)
    }
}

/// A run being read back.
struct Reader {
    from: BufReader<File>,
    key: Vec<u8>,
    rest: Vec<u8>,
}

impl Reader {
    fn new(mut file: File) -> io::Result<Self> {
        file.seek(SeekFrom::Start(0))?;
        Ok(Self { from: BufReader::with_capacity(1 << 18, file), key: Vec::new(), rest: Vec::new() })
    }

    /// Goes on to the next record; `false` at the end.
    fn next(&mut self) -> io::Result<bool> {
        let mut head = [0; HEAD];
        match self.from.read_exact(&mut head) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(e) => return Err(e),
        }
        let (key, rest) = lengths(head);
        self.key.resize(key, 0);
        self.rest.resize(rest, 0);
        self.from.read_exact(&mut self.key)?;
        self.from.read_exact(&mut self.rest)?;
        Ok(true)
    }
}

/// The foremost record of a run. The heap gives the greatest, so the order is turned round.
struct Front {
    reader: Reader,
    run: usize,
}

impl Ord for Front {
    fn cmp(&self, other: &Self) -> Ordering {
        other.reader.key.cmp(&self.reader.key).then(other.run.cmp(&self.run))
    }
}
impl PartialOrd for Front {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Front {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Front {}

fn merge<E: From<io::Error>>(readers: Vec<Reader>, mut tell: impl FnMut(&[u8], &[u8]) -> Result<(), E>) -> Result<(), E> {
    let mut heap = BinaryHeap::new();
    for (run, mut reader) in readers.into_iter().enumerate() {
        if reader.next()? {
            heap.push(Front { reader, run });
        }
    }
    while let Some(mut front) = heap.peek_mut() {
        tell(&front.reader.key, &front.reader.rest)?;
        if !front.reader.next()? {
            std::collections::binary_heap::PeekMut::pop(front);
        }
    }
    Ok(())
}

/// Keys whose bytes compare as what they were made of.
pub mod key {
    /// A text, such that one that continues another comes after it whatever follows in the key.
    pub fn text(text: &str, to: &mut Vec<u8>) {
        for byte in text.bytes() {
            to.push(byte);
            if byte == 0 {
                to.push(1);
            }
        }
        to.extend_from_slice(&[0, 0]);
    }

    /// A text that may be missing; a missing one comes first.
    pub fn optional(value: Option<&str>, to: &mut Vec<u8>) {
        to.push(u8::from(value.is_some()));
        if let Some(value) = value {
            text(value, to);
        }
    }

    /// An ordinal; a missing one comes last.
    pub fn ordinal(ix: Option<u32>, to: &mut Vec<u8>) {
        to.extend_from_slice(&ix.unwrap_or(u32::MAX).to_be_bytes());
    }

    /// An instant, or any signed number.
    pub fn signed(n: i64, to: &mut Vec<u8>) {
        to.extend_from_slice(&(n.cast_unsigned() ^ (1 << 63)).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted(records: &[(Vec<u8>, u32)], most: usize, scratch: &Scratch) -> Vec<(Vec<u8>, u32)> {
        let mut sorter = Sorter::of(scratch, most);
        for (key, n) in records {
            sorter.push(key, &n.to_le_bytes());
        }
        let mut out = Vec::new();
        let tell = |key: &[u8], rest: &[u8]| -> io::Result<()> {
            out.push((key.to_vec(), u32::from_le_bytes(rest.try_into().unwrap())));
            Ok(())
        };
        sorter.finish(tell).unwrap();
        out
    }

    proptest! {
        #[test]
        fn any_piece_size_gives_the_stable_order(
            keys in proptest::collection::vec(proptest::collection::vec(0u8..4, 0..12), 0..200), most in 20usize..4_000,
        ) {
            let records: Vec<(Vec<u8>, u32)> = keys.into_iter().zip(0..).collect();
            let mut want = records.clone();
            want.sort_by(|a, b| a.0.cmp(&b.0));
            prop_assert_eq!(&sorted(&records, most, &Scratch::new(tempfile::tempfile)), &want);
            prop_assert_eq!(&sorted(&records, most, &Scratch::default()), &want);
        }

        #[test]
        fn keys_compare_as_what_they_are_made_of(a: (Option<String>, String, i64), b: (Option<String>, String, i64)) {
            let key = |v: &(Option<String>, String, i64)| {
                let mut to = Vec::new();
                key::optional(v.0.as_deref(), &mut to);
                key::text(&v.1, &mut to);
                key::signed(v.2, &mut to);
                to
            };
            prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
        }
    }

    #[test]
    fn a_missing_ordinal_comes_last() {
        let of = |ix| {
            let mut to = Vec::new();
            key::ordinal(ix, &mut to);
            to
        };
        assert!(of(Some(7)) < of(Some(256)) && of(Some(u32::MAX - 1)) < of(None));
    }
}
