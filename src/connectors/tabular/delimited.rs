//! CSV and its relatives.
//!
//! [`Splitter`] finds where records start and end before the `csv` crate sees them, because that crate neither bounds a
//! record nor says when a file ends inside quotes. It evens out line ends, leaves blank lines out, and remembers for each
//! record its line and byte.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use super::decode::Decoded;
use super::names::list;
use super::records::{Cells, Fault, Halt, Place, Sink};
use crate::connectors::InputError;
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
    let (mut reader, skipped) = (decoded.reader, decoded.skipped);
    let opening = opening(&mut *reader, shape)?;
    let starts = Rc::new(RefCell::new(Starts::default()));
    let splitter = Splitter::new(reader, &opening, shape.most, Rc::clone(&starts));
    let mut csv = csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(opening.delimiter).from_reader(splitter);
    let mut raw = csv::ByteRecord::new();
    let mut next = |raw: &mut csv::ByteRecord| -> Result<Option<Start>, Halt> {
        let more = csv.read_byte_record(raw).map_err(|e| halt(&starts, e))?;
        if !more {
            return Ok(None);
        }
        // The splitter and the crate walk the same states, so a record without a start means that one of them changed.
        let lost = || InputError::new("tabular/csv", "cannot be split into records", "export the file again with plain quoting");
        starts.borrow_mut().found.pop_front().map(Some).ok_or_else(|| lost().into())
    };
    let header = match &shape.header {
        Some(names) => names.clone(),
        None => {
            let Some(start) = next(&mut raw)? else {
                return Err(InputError::new("tabular/empty", "is empty", "export it again: even a list of nobody has a header line").into());
            };
            if starts.borrow().unclosed == Some(start.line) {
                let message = "a quoted name in the header is never closed; all lines after it are part of it";
                let help = "close the quote, or export the file again";
                return Err(InputError::new("tabular/unclosed-quote", message, help).at(start.line).into());
            }
            header_of(&raw, start.line)?
        }
    };
    sink.header(&header)?;
    while let Some(start) = next(&mut raw)? {
        let offset = skipped.map(|s| s + start.byte);
        let place = Place { unit: RecordUnit::Line, number: start.line, offset };
        let unclosed = starts.borrow().unclosed == Some(start.line);
        match check(&raw, header.len(), unclosed) {
            Ok(text) => sink.record(place, Cells::Text(&text))?,
            Err(fault) => sink.bad(place, fault, Some(&shown(&raw, opening.delimiter))),
        }
        if unclosed {
            sink.short(format!("ends inside a quoted field of the record at line {}", start.line));
        }
    }
    Ok(())
}

/// The record as text, if it is one.
fn check(raw: &csv::ByteRecord, columns: usize, unclosed: bool) -> Result<csv::StringRecord, Fault> {
    if unclosed {
        let message = "a quoted field is never closed; all lines after it are part of it";
        return Err(Fault::new("tabular/unclosed-quote", message, "close the quote, or export the file again"));
    }
    if raw.iter().any(|cell| cell.contains(&0)) {
        return Err(Fault::new("tabular/nul-byte", "holds a NUL byte", "export the file again as text; say `encoding` if it is UTF-16"));
    }
    if raw.len() != columns {
        let message = format!("has {} fields, and the header has {columns}", raw.len());
        return Err(Fault::new("tabular/ragged", message, "quote values that hold the delimiter or a line break"));
    }
    csv::StringRecord::from_byte_record(raw.clone()).map_err(|_| {
        let help = "export as UTF-8, or say `encoding = \"windows-1252\"` in the source's options";
        Fault::new("tabular/not-text", "holds bytes that are not text in the file's encoding", help)
    })
}

fn header_of(raw: &csv::ByteRecord, line: u64) -> Result<Vec<String>, InputError> {
    let help = "say `encoding` in the source's options, or export as UTF-8";
    raw.iter()
        .map(|cell| match std::str::from_utf8(cell) {
            Ok(text) if !text.contains('\0') => Ok(text.trim().to_owned()),
            _ => Err(InputError::new("tabular/header", "the header is not text in the file's encoding", help).at(line)),
        })
        .collect()
}

fn shown(raw: &csv::ByteRecord, delimiter: u8) -> String {
    let cells: Vec<String> = raw.iter().take(40).map(|c| String::from_utf8_lossy(c.get(..200).unwrap_or(c)).into_owned()).collect();
    cells.join(&char::from(delimiter).to_string())
}

fn halt(starts: &Rc<RefCell<Starts>>, e: csv::Error) -> Halt {
    if let Some(breach) = starts.borrow_mut().breach.take() {
        return breach.into();
    }
    match e.into_kind() {
        csv::ErrorKind::Io(e) => InputError::io(&e).into(),
        // Byte records of any length are asked for, so no other kind can occur.
        other => InputError::new("tabular/csv", format!("cannot be split into records: {other:?}"), "export the file again").into(),
    }
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

/// What the splitter tells the reader behind the `csv` crate's back.
#[derive(Debug, Default)]
struct Starts {
    found: VecDeque<Start>,
    /// Line of the record whose quote is open at the end of the file.
    unclosed: Option<u64>,
    breach: Option<InputError>,
}

/// Where in a record the splitter stands; the same four states as in the `csv` crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    RecordStart,
    FieldStart,
    Field,
    Quoted,
    QuoteInQuoted,
}

/// A stream of records with even line ends.
struct Splitter {
    inner: Box<dyn BufRead>,
    delimiter: u8,
    most: usize,
    at: At,
    /// The last byte was `\r`: a `\n` now belongs to it.
    after_return: bool,
    line: u64,
    byte: u64,
    length: usize,
    ready: Vec<u8>,
    given: usize,
    done: bool,
    starts: Rc<RefCell<Starts>>,
    current: u64,
}

impl Splitter {
    fn new(inner: Box<dyn BufRead>, opening: &Opening, most: usize, starts: Rc<RefCell<Starts>>) -> Self {
        Self {
            inner,
            delimiter: opening.delimiter,
            most,
            at: At::RecordStart,
            after_return: false,
            line: opening.lines + 1,
            byte: opening.bytes,
            length: 0,
            ready: Vec::new(),
            given: 0,
            done: false,
            starts,
            current: 0,
        }
    }

    fn refill(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.given = 0;
        while self.ready.is_empty() && !self.done {
            // At most this much, so that few starts are remembered.
            let part: Vec<u8> = self.inner.fill_buf()?.iter().take(1 << 13).copied().collect();
            self.inner.consume(part.len());
            self.done = part.is_empty();
            for byte in &part {
                self.step(*byte);
            }
            if self.length > self.most {
                return Err(self.too_long());
            }
        }
        if self.done && self.at == At::Quoted {
            self.starts.borrow_mut().unclosed = Some(self.current);
        }
        Ok(())
    }

    fn too_long(&self) -> io::Error {
        let message = format!("record is longer than {} bytes", self.most);
        let help = "close the quote that opens in this record, or export with line breaks between records";
        self.starts.borrow_mut().breach = Some(InputError::new("input/line-too-long", message, help).at(self.current));
        io::Error::other("record too long")
    }

    fn step(&mut self, byte: u8) {
        let folded = byte == b'\n' && self.after_return;
        self.after_return = byte == b'\r';
        let ends = matches!(byte, b'\n' | b'\r') && self.at != At::Quoted;
        match (ends, self.at) {
            (true, At::RecordStart) => {}
            (true, _) => {
                self.ready.push(b'\n');
                self.at = At::RecordStart;
                self.length = 0;
            }
            (false, At::RecordStart) => {
                self.starts.borrow_mut().found.push_back(Start { line: self.line, byte: self.byte });
                self.current = self.line;
                self.keep(byte, At::FieldStart);
            }
            (false, at) => self.keep(byte, at),
        }
        self.byte += 1;
        // `\r\n` is one line end, counted at the `\r`.
        self.line += u64::from(matches!(byte, b'\n' | b'\r') && !folded);
    }

    fn keep(&mut self, byte: u8, at: At) {
        self.at = match (at, byte) {
            (At::FieldStart | At::QuoteInQuoted, b'"') => At::Quoted,
            (At::Quoted, b'"') => At::QuoteInQuoted,
            (At::Quoted, _) => At::Quoted,
            (_, b) if b == self.delimiter => At::FieldStart,
            _ => At::Field,
        };
        self.length += 1;
        self.ready.push(byte);
    }
}

impl Read for Splitter {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.given >= self.ready.len() {
            self.refill()?;
        }
        let mut rest = self.ready.get(self.given..).unwrap_or_default();
        let n = rest.read(to)?;
        self.given += n;
        Ok(n)
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
