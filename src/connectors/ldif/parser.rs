//! RFC 2849, as servers and tools write it: physical lines → logical lines → records.
//!
//! A record that is broken is handed out as [`Item::Bad`] and the reader goes on with the next one; only a line past the
//! cap, an unreadable stream or a foreign version ends the file.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::io::BufRead;

use super::attributes;
use super::entry::{Entry, Fault};
use super::line::{Logical, Value, is_dn, not_utf8, nul, split};
use super::trailer::Trailer;
use crate::connectors::{InputError, Lines};
use crate::model::mask;

/// How many times the cap of one line a whole record may hold: a group has a line for each member.
const RECORD: usize = 16;

const BOM: &[u8] = &[0xef, 0xbb, 0xbf];

/// One record of the file.
#[derive(Clone, Debug)]
pub enum Item {
    Entry(Entry),
    Bad(Bad),
}

/// A record that cannot be an entry.
#[derive(Clone, Debug)]
pub struct Bad {
    pub line: u64,
    pub offset: Option<u64>,
    pub fault: Fault,
    /// The faulty line, masked.
    pub excerpt: Option<String>,
}

/// Where a part of a file starts, and how it ends.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start {
    /// No line of a record stands before it.
    pub first: bool,
    /// Lines and bytes before it.
    pub lines: u64,
    pub bytes: u64,
    /// It ends before a `dn:` line, not after a blank one.
    pub followed: bool,
}

/// The records of one file.
pub struct Records<R> {
    lines: Lines<R>,
    most: usize,
    transcoded: bool,
    ahead: Vec<u8>,
    has_ahead: bool,
    /// A line that was read, to be filled again, and the name that was last met.
    spare: Vec<u8>,
    name: String,
    /// A `dn:` line that ended the record before it.
    pushed: Option<Logical>,
    any: bool,
    /// Another record follows the last one without a blank line.
    followed: bool,
    /// What the file says of itself.
    pub trailer: Trailer,
}

impl<R: BufRead> Records<R> {
    /// `most`: bytes of one logical line. `transcoded`: byte offsets are not those of the file.
    ///
    /// # Errors
    /// The first line cannot be read.
    #[cfg(test)]
    pub fn new(reader: R, most: usize, transcoded: bool) -> Result<Self, InputError> {
        Self::of(Lines::new(reader, most), most, transcoded, Start { first: true, ..Start::default() })
    }

    /// The records of a part of a file that starts where a record may.
    ///
    /// # Errors
    /// As [`Records::new`].
    pub fn part(reader: R, most: usize, transcoded: bool, start: Start) -> Result<Self, InputError> {
        Self::of(Lines::from(reader, most, start.lines, start.bytes), most, transcoded, start)
    }

    fn of(lines: Lines<R>, most: usize, transcoded: bool, start: Start) -> Result<Self, InputError> {
        let mut records = Self {
            lines,
            most,
            transcoded,
            ahead: Vec::new(),
            has_ahead: false,
            spare: Vec::new(),
            name: String::new(),
            pushed: None,
            any: !start.first,
            followed: start.followed,
            trailer: Trailer::default(),
        };
        records.has_ahead = records.lines.read(&mut records.ahead)?;
        Ok(records)
    }

    /// The next record, `None` at the end.
    ///
    /// # Errors
    /// The stream fails, a line is longer than the cap, or the file opens with a version other than 1.
    pub fn next(&mut self) -> Result<Option<Item>, InputError> {
        let mut open: Option<Open> = None;
        loop {
            let line = match self.pushed.take() {
                Some(line) => Some(line),
                None => self.logical()?,
            };
            let Some(mut line) = line else {
                if self.followed
                    && let Some(record) = &open
                {
                    self.run_on(record);
                }
                self.followed = false;
                return Ok(self.close(open));
            };
            if open.is_none() && line.bytes.starts_with(BOM) {
                line.bytes.drain(..BOM.len());
            }
            if line.bytes.is_empty() {
                if let Some(item) = self.close(open.take()) {
                    return Ok(Some(item));
                }
            } else if line.bytes.starts_with(b"#") {
                self.trailer.comment(&line.bytes);
            } else if let Some(mut record) = open.take() {
                if is_dn(&line.bytes) {
                    self.run_on(&record);
                    self.pushed = Some(line);
                    if let Some(item) = self.close(Some(record)) {
                        return Ok(Some(item));
                    }
                } else {
                    record.add(&line, &mut self.name, self.most, &mut self.trailer);
                    open = Some(record);
                    self.spare = line.bytes;
                }
            } else {
                open = self.start(&line)?;
            }
        }
    }

    /// Counts a record that another follows without a blank line.
    fn run_on(&mut self, record: &Open) {
        if record.fault.is_none() && matches!(record.block, Block::Entry) {
            self.trailer.unseparated += 1;
        }
    }

    /// Opens a record with its first line; `None` for a version line.
    fn start(&mut self, line: &Logical) -> Result<Option<Open>, InputError> {
        let first = !std::mem::replace(&mut self.any, true);
        let mut record = Open::at(line, self.transcoded);
        let found = split(line, &mut self.name);
        match (found, self.name.as_str()) {
            (Ok((_, Value::Text(value))), "version") => {
                if value == b"1" {
                    return Ok(None);
                }
                if first {
                    let help = "holdover reads LDIF version 1; export again with ldapsearch, ldbsearch, ldifde or slapcat";
                    return Err(InputError::new("ldif/version", "is LDIF of a version other than 1", help).at(line.line));
                }
                record.fail(no_dn(), line);
            }
            (Ok((_, value)), "dn") => record.dn(value, line),
            (Ok(_), "ref") => record.block = Block::Referral,
            (Ok(_), "search") => record.block = Block::Result,
            (Ok(_), _) => record.fail(no_dn(), line),
            (Err(fault), _) => record.fail(fault, line),
        }
        Ok(Some(record))
    }

    /// Ends a record: an item, or `None` for what is none (a referral, a search result).
    fn close(&mut self, open: Option<Open>) -> Option<Item> {
        let Open { entry, block, fault, .. } = open?;
        if let Some((fault, excerpt)) = fault {
            return Some(Item::Bad(Bad { line: entry.line, offset: entry.offset, fault, excerpt }));
        }
        match block {
            Block::Entry => Some(Item::Entry(entry.done())),
            Block::Referral => {
                self.trailer.referrals += 1;
                None
            }
            Block::Result => None,
        }
    }

    /// The next logical line: a line and its continuations, which begin with one space. A blank line has none.
    fn logical(&mut self) -> Result<Option<Logical>, InputError> {
        if !self.has_ahead {
            return Ok(None);
        }
        let bytes = std::mem::take(&mut self.spare);
        let mut line = Logical { line: self.lines.number, offset: self.lines.offset, bytes, cut: false };
        line.bytes.clear();
        std::mem::swap(&mut line.bytes, &mut self.ahead);
        self.has_ahead = self.lines.read(&mut self.ahead)?;
        while !line.bytes.is_empty() && self.has_ahead && self.ahead.first() == Some(&b' ') {
            if line.bytes.len() + self.ahead.len() > self.most {
                line.cut = true;
            } else {
                line.bytes.extend(self.ahead.iter().skip(1));
            }
            self.has_ahead = self.lines.read(&mut self.ahead)?;
        }
        Ok(Some(line))
    }
}

/// What a block of lines is, by its first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    Entry,
    /// `ref:`: another server holds more; never followed.
    Referral,
    /// `search:`, `result:`: what `ldapsearch` says at the end.
    Result,
}

/// A record being read.
struct Open {
    entry: Gather,
    block: Block,
    fault: Option<(Fault, Option<String>)>,
    bytes: usize,
}

impl Open {
    fn at(line: &Logical, transcoded: bool) -> Self {
        let entry = Gather { line: line.line, offset: (!transcoded).then_some(line.offset), ..Gather::default() };
        Self { entry, block: Block::Entry, fault: None, bytes: 0 }
    }

    /// Keeps the first fault of a record.
    fn fail(&mut self, fault: Fault, line: &Logical) {
        let excerpt = || mask::excerpt(&String::from_utf8_lossy(line.bytes.get(..480).unwrap_or(&line.bytes)));
        self.fault.get_or_insert_with(|| (fault, Some(excerpt())));
    }

    fn dn(&mut self, value: Value<'_>, line: &Logical) {
        let text = match value {
            Value::Text(text) => String::from_utf8(text.to_vec()),
            Value::Base64(bytes) => String::from_utf8(bytes),
        };
        match text {
            Ok(dn) if dn.contains('\0') => self.fail(nul(), line),
            Ok(dn) => self.entry.dn = dn,
            Err(_) => self.fail(not_utf8("dn"), line),
        }
        self.entry.hash(&line.bytes);
    }

    /// Adds one line after the first.
    fn add(&mut self, line: &Logical, name: &mut String, most: usize, trailer: &mut Trailer) {
        if self.fault.is_some() {
            return;
        }
        self.bytes = self.bytes.saturating_add(line.bytes.len());
        if self.bytes > most.saturating_mul(RECORD) {
            let message = format!("record is longer than {} bytes", most.saturating_mul(RECORD));
            return self.fail(Fault::new("ldif/record-too-long", message, "export large groups in ranges"), line);
        }
        match split(line, name) {
            Err(fault) => self.fail(fault, line),
            Ok((options, value)) => match self.block {
                Block::Entry => {
                    if let Err(fault) = self.entry.attribute(name, options, value, &line.bytes, trailer) {
                        self.fail(fault, line);
                    }
                }
                Block::Referral if name == "ref" => {}
                Block::Result if matches!(name.as_str(), "result" | "text" | "matcheddn" | "control" | "pagedresults" | "ref") => {
                    trailer.result(name, &value);
                }
                Block::Referral | Block::Result => self.fail(no_dn(), line),
            },
        }
    }
}

/// An entry whose attributes are still arriving.
#[derive(Default)]
struct Gather {
    line: u64,
    offset: Option<u64>,
    dn: String,
    plain: BTreeMap<&'static str, Vec<Vec<u8>>>,
    tagged: BTreeMap<&'static str, Vec<Vec<u8>>>,
    ranges: BTreeMap<&'static str, Vec<(u64, Option<u64>)>>,
    digest: u64,
}

impl Gather {
    /// A sum, so that the order of lines does not show. Never stored: it only tells two records of one import apart.
    fn hash(&mut self, line: &[u8]) {
        let mut hasher = DefaultHasher::new();
        hasher.write(line);
        self.digest = self.digest.wrapping_add(hasher.finish());
    }

    fn attribute(&mut self, name: &str, options: &str, value: Value<'_>, line: &[u8], trailer: &mut Trailer) -> Result<(), Fault> {
        self.hash(line);
        if name == "changetype" {
            return change(&value);
        }
        if let Some(shown) = attributes::secret(name) {
            trailer.secret(shown);
        }
        let Some(name) = attributes::kept(name) else { return Ok(()) };
        let mut tagged = false;
        for option in options.split(';').filter(|o| !o.is_empty()) {
            match option.split_once('=') {
                Some((word, range)) if word.eq_ignore_ascii_case("range") => self.range(name, range)?,
                _ => tagged |= !option.eq_ignore_ascii_case("binary"),
            }
        }
        let value = match value {
            Value::Text(text) => text.to_vec(),
            Value::Base64(bytes) => bytes,
        };
        let place = if tagged { &mut self.tagged } else { &mut self.plain };
        place.entry(name).or_default().push(value);
        Ok(())
    }

    /// Notes a range `0-1499` or `1500-*`, once.
    fn range(&mut self, name: &'static str, text: &str) -> Result<(), Fault> {
        let bad = || Fault::new("ldif/bad-range", format!("range of `{name}` is not `low-high` or `low-*`"), "export the group again");
        let (low, high) = text.split_once('-').ok_or_else(bad)?;
        let low: u64 = low.parse().map_err(|_| bad())?;
        let high = if high == "*" { None } else { Some(high.parse::<u64>().map_err(|_| bad())?) };
        let ranges = self.ranges.entry(name).or_default();
        if ranges.last() != Some(&(low, high)) {
            ranges.push((low, high));
        }
        Ok(())
    }

    fn done(self) -> Entry {
        let mut attributes = self.plain;
        for (name, mut values) in self.tagged {
            attributes.entry(name).or_default().append(&mut values);
        }
        Entry { line: self.line, offset: self.offset, dn: self.dn, attributes, ranges: self.ranges, digest: self.digest }
    }
}

/// `add` is an entry; whatever else is said of a change is refused by its name.
fn change(value: &Value<'_>) -> Result<(), Fault> {
    let text = match value {
        Value::Text(text) => text,
        Value::Base64(bytes) => bytes.as_slice(),
    };
    let kinds = ["add", "modify", "delete", "modrdn", "moddn"];
    let kind = kinds.into_iter().find(|k| text.trim_ascii().eq_ignore_ascii_case(k.as_bytes()));
    if kind == Some("add") {
        return Ok(());
    }
    let message = format!("record is a change (`{}`), not an entry", kind.unwrap_or("of no known type"));
    Err(Fault::new(
        "ldif/change-record",
        message,
        "export the entries themselves (ldapsearch, ldbsearch, slapcat, `ldifde -f`), not a log of changes",
    ))
}

fn no_dn() -> Fault {
    Fault::new(
        "ldif/no-dn",
        "record does not begin with `dn:`",
        "export again; a record is one `dn:` line and its attributes, with a blank line after it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn items(bytes: &[u8]) -> Vec<Item> {
        let mut records = Records::new(bytes, 1 << 16, false).unwrap();
        std::iter::from_fn(|| records.next().unwrap()).collect()
    }

    fn fault(bytes: &[u8]) -> &'static str {
        match items(bytes).into_iter().next() {
            Some(Item::Bad(bad)) => bad.fault.code,
            other => panic!("{other:?}"),
        }
    }

    fn entry(bytes: &[u8]) -> Entry {
        match items(bytes).into_iter().next() {
            Some(Item::Entry(entry)) => entry,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn folds_are_joined_in_names_base64_and_comments() {
        let found = entry(b"# a comment\n that goes: on\ndn: CN=a\n bc,DC=x\ncn:: Sm9l\n IFg=\nDeScRiPtIoN: one\n  two\n");
        assert_eq!(found.dn, "CN=abc,DC=x");
        assert_eq!(found.text("cn").unwrap().as_deref(), Some("Joe X"));
        assert_eq!(found.text("description").unwrap().as_deref(), Some("one two"));
        assert_eq!(found.line, 3);
    }

    #[test]
    fn options_do_not_hide_an_attribute() {
        let found =
            entry(b"dn: CN=a\ncn;lang-de: Zwei\ncn: Eins\nuserPassword;binary:: eA==\nmember;range=0-1: CN=m\nmember;Range=0-1: CN=n\n");
        assert_eq!(found.texts("cn").unwrap(), ["Eins", "Zwei"]);
        assert_eq!(found.raw("userpassword"), [b"x"]);
        assert_eq!(found.ranges.get("member").unwrap(), &[(0, Some(1))]);
        assert_eq!(found.texts("member").unwrap(), ["CN=m", "CN=n"]);
    }

    #[test]
    fn faults_have_their_own_codes() {
        for (text, code) in [
            (&b"dn: CN=a\nphoto:< file:///etc/passwd\n"[..], "ldif/url"),
            (b"dn:< file:///x\n", "ldif/url"),
            (b"dn: CN=a\ncn:: Sm9\n", "ldif/bad-base64"),
            (b"dn:: *\n", "ldif/bad-base64"),
            (b"cn: a\n", "ldif/no-dn"),
            (b"dn: CN=a\nnonsense\n", "ldif/no-colon"),
            (b"dn: CN=a\nc n: x\n", "ldif/bad-name"),
            (b"dn: CN=a\ncn: \xff\n", "ldif/not-utf8"),
            (b"dn:: /w==\n", "ldif/not-utf8"),
            (b"dn: CN=a\ncn: a\0b\n", "ldif/nul"),
            (b"dn:: AA==\n", "ldif/nul"),
            (b" CN=a\n", "ldif/stray-continuation"),
            (b"dn: CN=a\nmember;range=x-2: CN=b\n", "ldif/bad-range"),
            (b"dn: CN=a\nchangetype: modify\nadd: x\nx: y\n-\n", "ldif/change-record"),
            (b"dn: CN=a\nchangetype: delete\n", "ldif/change-record"),
            (b"ref: ldap://x\nuid: hidden\n", "ldif/no-dn"),
            (b"search: 2\nuid: hidden\n", "ldif/no-dn"),
        ] {
            assert_eq!(fault(text), code, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_fault_does_not_reach_the_next_record() {
        let found = items(b"dn: CN=a\nnonsense\nmore\n\ndn: CN=b\ncn: b\ndn: CN=c\r\ncn: c\r\n");
        assert_eq!(found.len(), 3);
        assert!(matches!(&found[1], Item::Entry(e) if e.dn == "CN=b") && matches!(&found[2], Item::Entry(e) if e.dn == "CN=c"));
    }

    #[test]
    fn a_bom_and_a_version_are_no_records() {
        assert_eq!(entry(b"\xef\xbb\xbfversion: 1\n\ndn: CN=a\n").dn, "CN=a");
        assert_eq!(entry(b"\xef\xbb\xbfdn: CN=a\n").dn, "CN=a");
        assert_eq!(Records::new(&b"version: 2\n"[..], 99, false).unwrap().next().unwrap_err().code, "ldif/version");
    }

    #[test]
    fn lines_and_values_are_capped() {
        let mut long = b"dn: CN=a\ncn: x\n".to_vec();
        long.extend(b" yyyyyyyyy\n".repeat(50));
        let mut records = Records::new(&long[..], 100, false).unwrap();
        assert!(matches!(records.next().unwrap(), Some(Item::Bad(b)) if b.fault.code == "ldif/value-too-long"));
        let mut records = Records::new(&b"dn: CN=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"[..], 10, false);
        assert_eq!(records.as_mut().err().map(|e| e.code), Some("input/line-too-long"));
        let mut many = b"dn: CN=a\n".to_vec();
        many.extend(b"member: CN=b\n".repeat(200));
        let mut records = Records::new(&many[..], 100, false).unwrap();
        assert!(matches!(records.next().unwrap(), Some(Item::Bad(b)) if b.fault.code == "ldif/record-too-long"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            if let Ok(mut records) = Records::new(&bytes[..], 128, false) {
                while let Ok(Some(_)) = records.next() {}
            }
        }

        #[test]
        fn what_looks_like_ldif_never_panics(text in "((dn|cn|member;range|version|ref|search|changetype|uid|#)(:|::|:<|;)[ a-z0-9=,+/*\\\\-]{0,12}(\n|\r\n|\n |\n\n)){0,20}") {
            if let Ok(mut records) = Records::new(text.as_bytes(), 64, false) {
                while let Ok(Some(_)) = records.next() {}
            }
        }
    }
}
