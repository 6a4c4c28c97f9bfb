//! A file of records in parts that can be read on any thread: cut after blank lines, or else before a `dn:` line.

use std::io::{self, BufRead, Cursor};

use super::line::is_dn;
use super::parser::Start;
use crate::connectors::InputError;

/// Bytes of a part, unless one record is longer.
pub const PART: usize = 1 << 20;

/// Whole records.
#[derive(Debug)]
pub struct Part {
    pub bytes: Vec<u8>,
    pub start: Start,
}

/// Cuts a stream into parts.
pub struct Parts {
    reader: Box<dyn BufRead>,
    size: usize,
    /// Bytes that one record may hold before it is read by itself.
    most: usize,
    bytes: Vec<u8>,
    start: Start,
    done: bool,
}

impl Parts {
    pub fn new(reader: Box<dyn BufRead>, size: usize, most: usize) -> Self {
        Self { reader, size, most, bytes: Vec::new(), start: Start { first: true, ..Start::default() }, done: false }
    }

    /// The next part; `None` at the end, or before a record that is too long to be held: see [`Parts::rest`].
    ///
    /// # Errors
    /// The stream fails.
    pub fn next(&mut self) -> Result<Option<Part>, InputError> {
        let mut wanted = self.size;
        loop {
            while !self.done && self.bytes.len() < wanted {
                let part = self.reader.fill_buf().map_err(|e| InputError::io(&e).at(self.start.lines + 1))?;
                let n = part.len();
                self.bytes.extend_from_slice(part);
                self.reader.consume(n);
                self.done = n == 0;
            }
            if self.bytes.is_empty() {
                return Ok(None);
            }
            if self.done {
                return Ok(Some(self.cut(self.bytes.len(), false)));
            }
            // The version may stand in the first line that is none of a comment, and only there.
            if !self.start.first || opens(&self.bytes) {
                if let Some(end) = after_blank(&self.bytes) {
                    return Ok(Some(self.cut(end, false)));
                }
                if let Some(end) = before_dn(&self.bytes) {
                    return Ok(Some(self.cut(end, true)));
                }
            }
            if self.bytes.len() > self.most {
                return Ok(None);
            }
            wanted = self.bytes.len() * 2;
        }
    }

    fn cut(&mut self, end: usize, followed: bool) -> Part {
        let rest = self.bytes.get(end..).unwrap_or_default();
        let mut next = Vec::with_capacity(rest.len().max(self.size) + (1 << 16));
        next.extend_from_slice(rest);
        let mut bytes = std::mem::replace(&mut self.bytes, next);
        bytes.truncate(end);
        let part = Part { start: Start { followed, ..self.start }, bytes };
        self.start.lines += memchr::memchr_iter(b'\n', &part.bytes).count() as u64;
        self.start.bytes += part.bytes.len() as u64;
        self.start.first = false;
        part
    }

    /// What no part was made of, as a stream, and where it starts; `None` where all was.
    pub fn rest(self) -> Option<(Start, impl BufRead)> {
        let start = self.start;
        (!self.bytes.is_empty()).then(|| (start, io::Read::chain(Cursor::new(self.bytes), self.reader)))
    }
}

/// Whether some line is neither blank nor a comment.
fn opens(bytes: &[u8]) -> bool {
    let whole = memchr::memrchr(b'\n', bytes).map_or(0, |end| end + 1);
    let lines = bytes.get(..whole).unwrap_or_default().split(|b| *b == b'\n');
    let mut comment = false;
    for line in lines {
        let line = line.strip_prefix(&[0xef, 0xbb, 0xbf][..]).unwrap_or(line);
        let blank = matches!(line, [] | [b'\r']);
        let goes_on = line.first() == Some(&b' ') && comment;
        comment = line.first() == Some(&b'#') || goes_on;
        if !blank && !comment {
            return true;
        }
    }
    false
}

/// The end of the last blank line, whose own end is there.
fn after_blank(bytes: &[u8]) -> Option<usize> {
    let mut end = bytes.len();
    while let Some(feed) = memchr::memrchr(b'\n', bytes.get(..end)?) {
        let before = bytes.get(..feed)?;
        let before = before.strip_suffix(b"\r").unwrap_or(before);
        if before.last() == Some(&b'\n') {
            return Some(feed + 1);
        }
        end = feed;
    }
    None
}

/// The start of the last `dn:` line that follows another line.
fn before_dn(bytes: &[u8]) -> Option<usize> {
    let mut end = bytes.len();
    while let Some(feed) = memchr::memrchr(b'\n', bytes.get(..end)?) {
        if is_dn(bytes.get(feed + 1..)?) {
            return Some(feed + 1);
        }
        end = feed;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::parser::{Item, Records};
    use super::super::trailer::Trailer;
    use super::*;
    use crate::connectors::FileLedger;

    /// Items, ledger and error (its code, its line) of a file read in parts.
    type Read = (Vec<String>, FileLedger, Option<(&'static str, Option<u64>)>);

    fn read(bytes: &[u8], size: usize, most: usize) -> Read {
        let mut parts = Parts::new(Box::new(Cursor::new(bytes.to_vec())), size, most);
        let (mut items, mut trailer, mut end) = (Vec::new(), Trailer::default(), None);
        let mut all = |start: Start, reader: &mut dyn BufRead| -> Result<(), InputError> {
            let mut records = Records::part(reader, 64, false, start)?;
            while let Some(item) = records.next()? {
                items.push(match item {
                    Item::Entry(entry) => format!("{} {:?} {} {:?}", entry.line, entry.offset, entry.dn, entry.attributes),
                    Item::Bad(bad) => format!("{bad:?}"),
                });
            }
            trailer.absorb(records.trailer);
            Ok(())
        };
        while let Some(part) = parts.next().unwrap() {
            end = all(part.start, &mut part.bytes.as_slice()).err();
            if end.is_some() {
                break;
            }
        }
        if let (None, Some((start, mut rest))) = (&end, parts.rest()) {
            end = all(start, &mut rest).err();
        }
        let mut ledger = FileLedger::default();
        match end {
            None => trailer.close(&mut ledger),
            // Nothing of such a file is kept.
            Some(_) => items.clear(),
        }
        (items, ledger, end.map(|e| (e.code, e.at)))
    }

    const LINES: &[&str] = &[
        "dn: CN=a,DC=x",
        "dn: CN=b,DC=x",
        "DN: cn=c",
        "objectClass: user",
        "member: CN=a,",
        " DC=x",
        " folded",
        "# a comment",
        "# record 1",
        "# returned 3 records",
        "# 2 entries",
        "# refldap://x/",
        "# numEntries: 2",
        "# extended LDIF",
        "version: 1",
        "version: 2",
        "ref: ldap://x/",
        "search: 2",
        "result: 0 Success",
        "result: 4 Size limit exceeded",
        "userPassword:: eA==",
        "cn:: ?",
        "",
        "",
        "",
        "\r",
        " ",
        "# pagedresults: cookie=",
        "# pagedresults: cookie=MQA=",
        "cn: 0123456789012345678901234567890123456789012345678901234567890123456789",
    ];

    proptest! {
        #[test]
        fn the_size_of_parts_shows_in_nothing(
            lines in proptest::collection::vec(0..LINES.len(), 0..40), size in 1usize..200, most in 1usize..400, crlf in any::<bool>(),
        ) {
            let ends = if crlf { "\r\n" } else { "\n" };
            let text: String = lines.iter().map(|i| format!("{}{ends}", LINES[*i])).collect();
            for bytes in [text.as_bytes(), text.trim_end().as_bytes()] {
                prop_assert_eq!(read(bytes, size, most), read(bytes, 1 << 20, 1 << 20), "{:?}", text);
            }
        }
    }
}
