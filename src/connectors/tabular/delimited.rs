//! CSV and its relatives.
//!
//! [`Chunks`] cuts the stream where records end, [`Walk`] splits each chunk on a thread of its own. They bound every record, know when a file
//! ends inside quotes, leave blank lines out, and tell for each record its line and byte.

use std::io::{self, BufRead};

use super::decode::Decoded;
use super::lot::Lot;
use super::names::list;
use super::records::{Cells, Fault, Halt, Maker, Place, Sink, Texts};
use crate::connectors::InputError;
use crate::connectors::parallel::in_order;
use crate::model::RecordUnit;

/// The delimiters that are looked for.
pub const DELIMITERS: &[u8] = b",;\t|";

/// How one delimited file is read.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// Given, or found in the first line.
    pub delimiter: Option<u8>,
    /// Names of the columns of a file without a header line.
    pub header: Option<Vec<String>>,
    /// Bytes of one record.
    pub most: usize,
}

/// Reads a delimited file into `sink`.
///
/// # Errors
/// The file is empty, its header is unreadable or never ends, a record is too long, or the sink halts.
pub fn read(decoded: Decoded, shape: &Shape, sink: &mut dyn Sink) -> Result<(), Halt> {
    read_by(decoded, shape, sink, CHUNK)
}

/// [`read`] in chunks of about `size` bytes, which shows in nothing.
fn read_by(decoded: Decoded, shape: &Shape, sink: &mut dyn Sink, size: usize) -> Result<(), Halt> {
    let (mut reader, skipped) = (decoded.reader, decoded.skipped);
    let opening = opening(&mut *reader, shape)?;
    let rules = Rules { delimiter: opening.delimiter, most: shape.most, skipped };
    let mut chunks = Chunks::new(reader, &opening, rules, size);
    let mut first = chunks.next()?;
    let header = match &shape.header {
        Some(names) => names.clone(),
        None => loop {
            let Some(chunk) = &mut first else {
                return Err(InputError::new("tabular/empty", "is empty", "export it again: even a list of nobody has a header line").into());
            };
            if let Some(names) = header(chunk, rules)? {
                break names;
            }
            first = chunks.next()?;
        },
    };
    sink.header(&header)?;
    let columns = header.len();
    let second = if first.is_some() { chunks.next()? } else { None };
    // A file of one chunk is read as it always was; a larger one by whatever makes several records at once.
    let maker = if second.is_some() { sink.maker() } else { None };
    let mut ready = [first, second].into_iter().flatten();
    let next = || ready.next().map_or_else(|| chunks.next(), |chunk| Ok(Some(chunk))).map_err(Halt::from);
    let work = |chunk: Chunk| chunk.records(rules, columns, maker.as_deref());
    in_order(next, work, |found| found.tell(sink))
}

/// Bytes of a chunk, unless one record is longer.
const CHUNK: usize = 1 << 20;

/// What holds for every record of a file.
#[derive(Clone, Copy)]
struct Rules {
    delimiter: u8,
    most: usize,
    skipped: Option<u64>,
}

/// The names in the first record of a chunk, which is taken off; `None` where it holds none.
fn header(chunk: &mut Chunk, rules: Rules) -> Result<Option<Vec<String>>, InputError> {
    let mut walk = Walk::new(chunk, rules);
    let Some(start) = walk.next() else { return Ok(None) };
    if walk.length > rules.most {
        return Err(too_long(rules.most, start.line));
    }
    if walk.unclosed {
        let message = "a quoted name in the header is never closed; all lines after it are part of it";
        return Err(InputError::new("tabular/unclosed-quote", message, "close the quote, or export the file again").at(start.line));
    }
    let names = header_of(walk.cells(), start.line)?;
    (chunk.from, chunk.line) = (walk.at, walk.line);
    Ok(Some(names))
}

fn too_long(most: usize, line: u64) -> InputError {
    let help = "close the quote that opens in this record, or export with line breaks between records";
    InputError::new("input/line-too-long", format!("record is longer than {most} bytes"), help).at(line)
}

/// What the records of one chunk are, in order.
#[derive(Default)]
struct Found {
    held: Vec<Held>,
    lot: Lot,
    end: Option<Halt>,
}

enum Held {
    Record(Place, Texts),
    Bad(Place, Fault, String),
    Unclosed(u64),
}

impl Found {
    fn tell(self, sink: &mut dyn Sink) -> Result<(), Halt> {
        for held in self.held {
            match held {
                Held::Record(place, texts) => sink.record(place, Cells::Text(&texts))?,
                Held::Bad(place, fault, text) => sink.bad(place, fault, Some(&text)),
                Held::Unclosed(line) => sink.short(format!("ends inside a quoted field of the record at line {line}")),
            }
        }
        sink.made(self.lot);
        self.end.map_or(Ok(()), Err)
    }
}

/// Whole records, one after the other.
#[derive(Debug, Default)]
struct Chunk {
    bytes: Vec<u8>,
    /// Where the first record not taken yet may start, and its line.
    from: usize,
    line: u64,
    /// Byte of the stream at which the chunk starts.
    byte: u64,
}

impl Chunk {
    fn records(self, rules: Rules, columns: usize, maker: Option<&dyn Maker>) -> Found {
        let mut found = Found::default();
        let mut walk = Walk::new(&self, rules);
        while let Some(start) = walk.next() {
            if walk.length > rules.most {
                found.end = Some(too_long(rules.most, start.line).into());
                break;
            }
            let place = Place { unit: RecordUnit::Line, number: start.line, offset: rules.skipped.map(|s| s + start.byte) };
            if let Some(fault) = walk.fault(columns) {
                found.held.push(Held::Bad(place, fault, walk.shown()));
            } else if let Some(texts) = Texts::of(&mut walk.text, &mut walk.ends) {
                match maker {
                    None => found.held.push(Held::Record(place, texts)),
                    Some(maker) => {
                        let made = maker.make(place, &texts, &mut found.lot);
                        texts.reuse(&mut walk.text, &mut walk.ends);
                        if let Err(halt) = made {
                            found.end = Some(halt);
                            break;
                        }
                    }
                }
            }
            if walk.unclosed {
                found.held.push(Held::Unclosed(start.line));
            }
        }
        found
    }
}

/// Splits a chunk into records and cells, by the four states of the `csv` crate: a quote opens a cell only at its start, two inside are one,
/// and what follows the closing one belongs to the cell.
struct Walk<'a> {
    chunk: &'a Chunk,
    rules: Rules,
    at: usize,
    line: u64,
    /// The cells of the record last met, one after the other, and where each ends.
    text: Vec<u8>,
    ends: Vec<usize>,
    /// Bytes of that record.
    length: usize,
    /// Its last quote is open.
    unclosed: bool,
}

impl<'a> Walk<'a> {
    fn new(chunk: &'a Chunk, rules: Rules) -> Self {
        let (at, line) = (chunk.from, chunk.line);
        Self { chunk, rules, at, line, text: Vec::new(), ends: Vec::new(), length: 0, unclosed: false }
    }

    fn rest(&self) -> &'a [u8] {
        self.chunk.bytes.get(self.at..).unwrap_or_default()
    }

    /// Takes `n` bytes, counting the lines that end in them. `\r\n` is one line end.
    fn pass(&mut self, n: usize) -> &'a [u8] {
        let part = self.rest().get(..n).unwrap_or_default();
        let before = self.at.checked_sub(1).and_then(|i| self.chunk.bytes.get(i)).copied();
        self.line += line_ends(part, before);
        self.at += part.len();
        part
    }

    fn next(&mut self) -> Option<Start> {
        let blank = self.rest().iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
        self.pass(blank);
        let start = Start { line: self.line, byte: self.chunk.byte + self.at as u64 };
        let from = self.at;
        self.text.clear();
        self.ends.clear();
        self.unclosed = false;
        self.rest().first()?;
        loop {
            let end = self.cell();
            self.ends.push(self.text.len());
            self.length = self.at - from;
            match end {
                Some(b) if b == self.rules.delimiter => self.at += 1,
                Some(_) => {
                    self.pass(1);
                    return Some(start);
                }
                None => return Some(start),
            }
        }
    }

    /// Takes one cell; gives the byte that ends it, which stays.
    fn cell(&mut self) -> Option<u8> {
        if self.rest().first() == Some(&b'"') {
            self.at += 1;
            loop {
                let Some(quote) = memchr::memchr(b'"', self.rest()) else {
                    let all = self.pass(self.rest().len());
                    self.text.extend_from_slice(all);
                    self.unclosed = true;
                    return None;
                };
                let part = self.pass(quote);
                self.text.extend_from_slice(part);
                self.at += 1;
                if self.rest().first() != Some(&b'"') {
                    break;
                }
                self.text.push(b'"');
                self.at += 1;
            }
        }
        let rest = self.rest();
        let end = memchr::memchr3(self.rules.delimiter, b'\n', b'\r', rest);
        let len = end.unwrap_or(rest.len());
        self.text.extend_from_slice(rest.get(..len).unwrap_or_default());
        self.at += len;
        end.and_then(|i| rest.get(i)).copied()
    }

    fn cells(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).filter_map(|(from, to)| self.text.get(from..*to))
    }

    /// Why the record is none.
    fn fault(&self, columns: usize) -> Option<Fault> {
        if self.unclosed {
            let message = "a quoted field is never closed; all lines after it are part of it";
            return Some(Fault::new("tabular/unclosed-quote", message, "close the quote, or export the file again"));
        }
        if memchr::memchr(0, &self.text).is_some() {
            let help = "export the file again as text; say `encoding` if it is UTF-16";
            return Some(Fault::new("tabular/nul-byte", "holds a NUL byte", help));
        }
        if self.ends.len() != columns {
            let message = format!("has {} fields, and the header has {columns}", self.ends.len());
            return Some(Fault::new("tabular/ragged", message, "quote values that hold the delimiter or a line break"));
        }
        if self.text.is_ascii() || self.cells().all(|cell| std::str::from_utf8(cell).is_ok()) {
            return None;
        }
        let help = "export as UTF-8, or say `encoding = \"windows-1252\"` in the source's options";
        Some(Fault::new("tabular/not-text", "holds bytes that are not text in the file's encoding", help))
    }

    /// The start of the record, for an excerpt.
    fn shown(&self) -> String {
        let cells: Vec<String> = self.cells().take(40).map(|c| String::from_utf8_lossy(c.get(..200).unwrap_or(c)).into_owned()).collect();
        cells.join(&char::from(self.rules.delimiter).to_string())
    }
}

/// Line ends in `part`, which follows the byte `before`.
fn line_ends(part: &[u8], before: Option<u8>) -> u64 {
    let returns = memchr::memchr_iter(b'\r', part).count() as u64;
    let feeds = memchr::memchr_iter(b'\n', part).count() as u64;
    if returns == 0 && before != Some(b'\r') {
        return feeds;
    }
    let mut before = before;
    let mut joined = 0;
    for byte in part {
        joined += u64::from(*byte == b'\n' && before == Some(b'\r'));
        before = Some(*byte);
    }
    returns + feeds - joined
}

fn header_of<'a>(cells: impl Iterator<Item = &'a [u8]>, line: u64) -> Result<Vec<String>, InputError> {
    let help = "say `encoding` in the source's options, or export as UTF-8";
    cells
        .map(|cell| match std::str::from_utf8(cell) {
            Ok(text) if !text.contains('\0') => Ok(text.trim().to_owned()),
            _ => Err(InputError::new("tabular/header", "the header is not text in the file's encoding", help).at(line)),
        })
        .collect()
}

/// What stands before the header.
#[derive(Debug, PartialEq, Eq)]
struct Opening {
    delimiter: u8,
    /// Lines and bytes already taken: `#TYPE …` of Windows PowerShell, `sep=;` of Excel.
    lines: u64,
    bytes: u64,
}

/// Takes the lines before the header and finds the delimiter in what follows.
fn opening(reader: &mut dyn BufRead, shape: &Shape) -> Result<Opening, InputError> {
    let io = |e: io::Error| InputError::io(&e);
    let mut found = Opening { delimiter: shape.delimiter.unwrap_or(b','), lines: 0, bytes: 0 };
    let mut told = None;
    loop {
        let head = reader.fill_buf().map_err(io)?;
        let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
        let text = line.strip_suffix(b"\r").unwrap_or(line);
        let separator = text.strip_prefix(b"sep=").filter(|rest| rest.len() == 1).and_then(|rest| rest.first().copied());
        if !text.starts_with(b"#TYPE ") && separator.is_none() || line.len() == head.len() {
            if shape.delimiter.is_none() {
                found.delimiter = told.unwrap_or_else(|| likely(head));
            }
            return Ok(found);
        }
        told = told.or(separator);
        let taken = line.len() + 1;
        reader.consume(taken);
        found.lines += 1;
        found.bytes += taken as u64;
    }
}

/// The delimiter that the first line holds most often outside quotes; a comma where it holds none.
fn likely(head: &[u8]) -> u8 {
    let mut counts = [0usize; 4];
    let mut quoted = false;
    for byte in head.iter().skip_while(|b| matches!(b, b'\r' | b'\n')) {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            b if !quoted => {
                for (count, delimiter) in counts.iter_mut().zip(DELIMITERS) {
                    *count += usize::from(b == delimiter);
                }
            }
            _ => {}
        }
    }
    // The first of equals wins, so the comma does.
    let best = counts.iter().zip(DELIMITERS).rev().max_by_key(|(n, _)| **n);
    best.map_or(b',', |(_, d)| *d)
}

/// Where a record starts: line from 1, and byte of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Start {
    line: u64,
    byte: u64,
}

/// Where between quotes the search for the end of a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Plain,
    Quoted,
    /// Right after a quote inside quotes: it closed them, unless another follows.
    Closed,
}

/// Cuts a stream into chunks of whole records.
struct Chunks {
    reader: Box<dyn BufRead>,
    rules: Rules,
    size: usize,
    /// Bytes read and not handed out; they start a record, or line ends before one.
    bytes: Vec<u8>,
    /// Where the search stands, and the end of the last whole record before it.
    seen: usize,
    within: Within,
    whole: usize,
    line: u64,
    byte: u64,
    done: bool,
}

impl Chunks {
    fn new(reader: Box<dyn BufRead>, opening: &Opening, rules: Rules, size: usize) -> Self {
        Self {
            reader,
            rules,
            size,
            bytes: Vec::new(),
            seen: 0,
            within: Within::Plain,
            whole: 0,
            line: opening.lines + 1,
            byte: opening.bytes,
            done: false,
        }
    }

    /// The next chunk. A record past the cap ends it, and the stream.
    fn next(&mut self) -> Result<Option<Chunk>, InputError> {
        while !self.done && (self.bytes.len() < self.size || self.whole == 0) {
            if self.bytes.len() > self.rules.most.saturating_add(self.size) {
                // No end in sight: what is here shows where the record starts, and that is all that is told of it.
                self.done = true;
                break;
            }
            let part = self.reader.fill_buf().map_err(|e| InputError::io(&e))?;
            let n = part.len();
            self.bytes.extend_from_slice(part);
            self.reader.consume(n);
            self.done = n == 0;
            self.search();
        }
        if self.done {
            self.whole = self.bytes.len();
        }
        if self.whole == 0 {
            return Ok(None);
        }
        let rest = self.bytes.get(self.whole..).unwrap_or_default();
        let mut next = Vec::with_capacity(rest.len() + self.size + (1 << 16));
        next.extend_from_slice(rest);
        let mut bytes = std::mem::replace(&mut self.bytes, next);
        bytes.truncate(self.whole);
        let chunk = Chunk { from: 0, line: self.line, byte: self.byte, bytes };
        self.line += line_ends(&chunk.bytes, None);
        self.byte += chunk.bytes.len() as u64;
        self.seen = self.seen.saturating_sub(self.whole);
        self.whole = 0;
        Ok(Some(chunk))
    }

    /// Looks through the bytes that were added. Two bytes that end one line stay together.
    fn search(&mut self) {
        loop {
            let rest = self.bytes.get(self.seen..).unwrap_or_default();
            match self.within {
                Within::Closed => match rest.first() {
                    None => return,
                    Some(b'"') => (self.within, self.seen) = (Within::Quoted, self.seen + 1),
                    Some(_) => self.within = Within::Plain,
                },
                Within::Quoted => match memchr::memchr(b'"', rest) {
                    None => {
                        self.seen = self.bytes.len();
                        return;
                    }
                    Some(quote) => (self.within, self.seen) = (Within::Closed, self.seen + quote + 1),
                },
                Within::Plain => {
                    let quote = memchr::memchr(b'"', rest);
                    let plain = rest.get(..quote.unwrap_or(rest.len())).unwrap_or_default();
                    if let Some(end) = memchr::memrchr2(b'\n', b'\r', plain) {
                        let end = self.seen + end + 1;
                        // What follows a `\r` that ends the buffer is not known yet.
                        if end < self.bytes.len() || self.bytes.last() == Some(&b'\n') {
                            self.whole = end;
                        }
                    }
                    let Some(quote) = quote else {
                        // A `\r` at the end is looked at again, with what follows it.
                        self.seen = self.bytes.len() - usize::from(self.bytes.last() == Some(&b'\r'));
                        return;
                    };
                    let at = self.seen + quote;
                    let before = at.checked_sub(1).and_then(|i| self.bytes.get(i)).copied();
                    let opens = before.is_none_or(|b| b == self.rules.delimiter || matches!(b, b'\n' | b'\r'));
                    (self.within, self.seen) = (if opens { Within::Quoted } else { Within::Plain }, at + 1);
                }
            }
        }
    }
}

/// A delimiter as the configuration spells it.
///
/// # Errors
/// What is wrong with it.
pub fn delimiter(text: &str) -> Result<u8, String> {
    let byte = match text {
        "tab" | "\\t" => b'\t',
        other => match other.as_bytes() {
            [b] if b.is_ascii() && !matches!(b, b'"' | b'\n' | b'\r') => *b,
            _ => return Err(format!("is no delimiter: one character, such as {}, or `tab`", list([",", ";", "|"]))),
        },
    };
    Ok(byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Seen {
        header: Vec<String>,
        rows: Vec<(u64, Option<u64>, Vec<String>)>,
        bad: Vec<(u64, &'static str)>,
        short: Vec<String>,
    }
    impl Sink for Seen {
        fn header(&mut self, names: &[String]) -> Result<(), Halt> {
            self.header = names.to_vec();
            Ok(())
        }
        fn record(&mut self, place: Place, cells: Cells<'_>) -> Result<(), Halt> {
            let Cells::Text(row) = cells else { panic!() };
            self.rows.push((place.number, place.offset, row.iter().map(str::to_owned).collect()));
            Ok(())
        }
        fn bad(&mut self, place: Place, fault: Fault, _: Option<&str>) {
            self.bad.push((place.number, fault.code));
        }
        fn short(&mut self, why: String) {
            self.short.push(why);
        }
    }

    /// Header, rows, faults and error of a file read in chunks of some size.
    fn chunked(text: &[u8], size: usize) -> String {
        let decoded = Decoded {
            reader: Box::new(io::BufReader::with_capacity(7, io::Cursor::new(text.to_vec()))),
            skipped: Some(0),
            overridden: false,
        };
        let mut seen = Seen::default();
        let end = read_by(decoded, &Shape { most: 60, ..Shape::default() }, &mut seen, size);
        let end = end.map_err(|h| if let Halt::File(e) = h { (e.code, e.at) } else { ("options", None) });
        format!("{:?} {:?} {:?} {:?} {end:?}", seen.header, seen.rows, seen.bad, seen.short)
    }

    proptest! {
        #[test]
        fn the_size_of_chunks_shows_in_nothing(
            pieces in proptest::collection::vec(0usize..12, 0..120), size in 1usize..90,
        ) {
            const PIECES: &[&str] = &["a", "\"", "\"", ",", ",", "\n", "\r\n", "\r", "\"\"", "1,2\n", "\0", "ü"];
            let text: String = std::iter::once("x,y\n").chain(pieces.iter().map(|i| PIECES[*i])).collect();
            prop_assert_eq!(chunked(text.as_bytes(), size), chunked(text.as_bytes(), 1 << 20), "{:?}", text);
        }

        #[test]
        fn cells_are_those_of_the_csv_crate(pieces in proptest::collection::vec(0usize..8, 0..60)) {
            const PIECES: &[&str] = &["a", "\"", "\"", ",", "\n", "\r\n", "\"\"", "b,c\n"];
            let text: String = std::iter::once("x,y\n").chain(pieces.iter().map(|i| PIECES[*i])).collect();
            let plain = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes()).into_records();
            let plain: Vec<Vec<String>> = plain.map(|r| r.unwrap().iter().map(str::to_owned).collect()).filter(|r: &Vec<String>| r.len() == 2).collect();
            let Ok(seen) = run(text.as_bytes()) else { return Ok(()) };
            let mut rows: Vec<Vec<String>> = seen.rows.into_iter().map(|r| r.2).collect();
            rows.insert(0, seen.header);
            if seen.short.is_empty() {
                prop_assert_eq!(rows, plain, "{:?}", text);
            }
        }
    }

    fn run(text: &[u8]) -> Result<Seen, Halt> {
        let decoded = Decoded { reader: Box::new(io::Cursor::new(text.to_vec())), skipped: Some(0), overridden: false };
        let mut seen = Seen::default();
        read(decoded, &Shape { most: 100, ..Shape::default() }, &mut seen)?;
        Ok(seen)
    }

    #[test]
    fn lines_and_bytes_are_those_of_the_file_whatever_ends_a_line() {
        let seen = run(b"a,b\r\n1,\"x\r\ny\"\r\n\r\n2,z\r\n").unwrap();
        assert_eq!(seen.rows, [(2, Some(5), vec!["1".into(), "x\r\ny".into()]), (5, Some(17), vec!["2".into(), "z".into()])]);
        let seen = run(b"a\r1\r2").unwrap();
        assert_eq!(seen.rows.iter().map(|r| r.0).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn the_delimiter_is_found_outside_quotes() {
        for (text, want) in [("\"a,b,c\";d\n", b';'), ("a\tb\n", b'\t'), ("a|b,c|d\n", b'|'), ("a\n", b','), ("a,b;c\n", b',')] {
            assert_eq!(char::from(likely(text.as_bytes())), char::from(want), "{text}");
        }
    }

    #[test]
    fn lines_before_the_header_are_passed_over() {
        let seen = run(b"#TYPE Microsoft.ActiveDirectory.Management.ADUser\r\n\"a\",\"b\"\r\n1,2\r\n").unwrap();
        assert_eq!((seen.header, seen.rows.first().map(|r| (r.0, r.1))), (vec!["a".into(), "b".into()], Some((3, Some(60)))));
        assert_eq!(run(b"sep=|\na|b,c\n1|2\n").unwrap().header, ["a", "b,c"]);
    }

    #[test]
    fn a_quote_that_is_never_closed_is_one_reject_and_a_short_file() {
        let seen = run(b"a,b\n1,2\n3,\"x\n4,5\n").unwrap();
        assert_eq!(seen.bad, [(3, "tabular/unclosed-quote")]);
        assert_eq!(seen.short, ["ends inside a quoted field of the record at line 3"]);
        assert_eq!(seen.rows.len(), 1);
        // In the header it would swallow every record, and the list would be one of nobody.
        let Err(Halt::File(e)) = run(b"a,\"b\n1,2\n3,4\n") else { panic!() };
        assert_eq!((e.code, e.at), ("tabular/unclosed-quote", Some(1)));
    }

    #[test]
    fn a_record_past_the_cap_is_named_with_its_line() {
        let text = [b"a,b\n1,2\n3,\"".to_vec(), vec![b'x'; 20_000]].concat();
        let Err(Halt::File(e)) = run(&text) else { panic!() };
        assert_eq!((e.code, e.at), ("input/line-too-long", Some(3)));
    }

    #[test]
    fn quotes_split_as_in_the_csv_crate() {
        for text in ["a,b\n\"x\"\"y\",2\nx\"y,3\n\"x\"y,4\n\"\"\"\",5\n", "a,b\n\"\",\"\n\"\n", "a\n\"x\" \n\"y\"\n"] {
            let plain = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes()).into_byte_records().count();
            let seen = run(text.as_bytes()).unwrap();
            assert_eq!(seen.rows.len() + seen.bad.len(), plain, "{text}");
        }
    }

    #[test]
    fn an_empty_file_is_named_and_a_header_alone_is_nobody() {
        let Err(Halt::File(e)) = run(b"\r\n") else { panic!() };
        assert_eq!(e.code, "tabular/empty");
        assert_eq!(run(b"a,b\n").unwrap().rows.len(), 0);
    }
}
