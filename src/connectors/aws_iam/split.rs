//! Cuts the JSON of an export into its records, so that they can be read on several threads.
//!
//! It knows just enough of JSON to find where a value ends. Whoever reads the pieces finds what is wrong with them; then [`super::json::read`]
//! reads the file again, for the exact fault and its line.

use std::io::{self, Read};

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::json::{Document, KEPT, Section, Sink, list};
use super::secrets::VALUES;
use crate::connectors::Limits;

/// Bytes of records that are handed out together.
const LOT: usize = 1 << 20;
/// Bytes that are asked for at a time.
const STEP: usize = 1 << 18;

/// The stream is nothing that can be cut, or fails: read it again to learn why.
#[derive(Debug)]
pub(super) struct Odd;

impl From<io::Error> for Odd {
    fn from(_: io::Error) -> Self {
        Self
    }
}

impl From<serde_json::Error> for Odd {
    fn from(_: serde_json::Error) -> Self {
        Self
    }
}

/// Records that stand one after the other, and the document that ends with them.
#[derive(Debug, Default)]
pub(super) struct Lot {
    text: Vec<u8>,
    records: Vec<(Section, usize)>,
    pub(super) document: Option<Document>,
}

impl Lot {
    fn push(&mut self, section: Section, record: &[u8]) {
        self.text.extend_from_slice(record);
        self.records.push((section, self.text.len()));
    }

    /// The records, each as it stands in the file.
    pub(super) fn records(&self) -> impl Iterator<Item = (Section, Option<&str>)> {
        let mut from = 0;
        self.records.iter().map(move |(section, end)| {
            let record = self.text.get(from..*end).and_then(|r| std::str::from_utf8(r).ok());
            from = *end;
            (*section, record)
        })
    }
}

/// What is open around the place that was reached.
#[derive(Debug)]
enum Open {
    /// A list of documents; whether one stands before the next.
    Documents(bool),
    Object {
        document: Document,
        /// A member stands before the next.
        more: bool,
    },
    Records {
        section: Section,
        more: bool,
    },
}

pub(super) struct Cutter<R> {
    reader: R,
    limits: Limits,
    bytes: Vec<u8>,
    at: usize,
    ended: bool,
    open: Vec<Open>,
    /// Some document was met.
    met: bool,
}

impl<R: Read> Cutter<R> {
    pub(super) fn new(reader: R, limits: Limits) -> Self {
        Self { reader, limits, bytes: Vec::new(), at: 0, ended: false, open: Vec::new(), met: false }
    }

    /// The next records; `None` at the end.
    ///
    /// # Errors
    /// See [`Odd`].
    pub(super) fn next(&mut self) -> Result<Option<Lot>, Odd> {
        let mut lot = Lot::default();
        while lot.document.is_none() && lot.text.len() < LOT {
            if !self.step(&mut lot)? {
                return Ok((!lot.records.is_empty()).then_some(lot));
            }
        }
        Ok(Some(lot))
    }

    /// Goes on by one member, record or document; `false` at the end of the stream.
    fn step(&mut self, lot: &mut Lot) -> Result<bool, Odd> {
        self.forget();
        match self.open.last_mut() {
            None => {
                if self.peek()?.is_none() {
                    // A stream of nothing is no JSON.
                    return if self.met { Ok(false) } else { Err(Odd) };
                }
                self.met = true;
                self.document(lot)?;
            }
            Some(Open::Documents(more)) => {
                let more = std::mem::replace(more, true);
                if self.follows(more, b']')? {
                    self.document(lot)?;
                } else {
                    self.open.pop();
                }
            }
            Some(Open::Object { more, .. }) => {
                let more = std::mem::replace(more, true);
                if self.follows(more, b'}')? {
                    self.member(lot)?;
                } else if let Some(Open::Object { document, .. }) = self.open.pop() {
                    lot.document = Some(document);
                }
            }
            Some(Open::Records { section, more }) => {
                let (section, more) = (*section, std::mem::replace(more, true));
                if self.follows(more, b']')? {
                    let (from, to) = self.value()?;
                    lot.push(section, self.bytes.get(from..to).unwrap_or_default());
                } else {
                    self.open.pop();
                }
            }
        }
        Ok(true)
    }

    /// Whether another element follows, past the comma that must stand before it; takes the end where none does.
    fn follows(&mut self, more: bool, end: u8) -> Result<bool, Odd> {
        let next = self.peek()?;
        if next == Some(end) {
            self.at += 1;
            return Ok(false);
        }
        if more {
            if next != Some(b',') {
                return Err(Odd);
            }
            self.at += 1;
            // A comma before the end is no JSON.
            if self.peek()? == Some(end) {
                return Err(Odd);
            }
        }
        Ok(true)
    }

    fn document(&mut self, lot: &mut Lot) -> Result<(), Odd> {
        if self.open.len() + 2 > self.limits.depth {
            return Err(Odd);
        }
        match self.peek()? {
            Some(b'{') => {
                self.at += 1;
                self.open.push(Open::Object { document: Document::default(), more: false });
            }
            Some(b'[') => {
                self.at += 1;
                self.open.push(Open::Documents(false));
            }
            _ => {
                let (from, to) = self.value()?;
                serde_json::from_slice::<IgnoredAny>(self.bytes.get(from..to).unwrap_or_default())?;
                lot.document = Some(Document::default());
            }
        }
        Ok(())
    }

    fn member(&mut self, lot: &mut Lot) -> Result<(), Odd> {
        if self.peek()? != Some(b'"') {
            return Err(Odd);
        }
        let (from, to) = self.value()?;
        let name: String = serde_json::from_slice(self.bytes.get(from..to).unwrap_or_default())?;
        if self.peek()? != Some(b':') {
            return Err(Odd);
        }
        self.at += 1;
        let section = Section::of(&name);
        let first = self.peek()?;
        if let Some(section) = section {
            self.of_document(|d| d.sections.push(section));
            if first == Some(b'[') {
                self.at += 1;
                self.open.push(Open::Records { section, more: false });
                return Ok(());
            }
        }
        let (from, to) = self.value()?;
        let value = self.bytes.get(from..to).unwrap_or_default();
        if let Some(section) = section {
            let mut found = Gathered(Vec::new());
            list(section, &mut serde_json::Deserializer::from_slice(value), &mut found)?;
            found.0.iter().for_each(|(section, raw)| lot.push(*section, raw.as_bytes()));
        } else if KEPT.contains(&name.as_str()) {
            let value: Box<RawValue> = serde_json::from_slice(value)?;
            self.of_document(|d| {
                d.fields.insert(name, value);
            });
        } else {
            serde_json::from_slice::<IgnoredAny>(value)?;
            self.of_document(|d| d.secret |= VALUES.contains(&name.as_str()));
        }
        Ok(())
    }

    fn of_document(&mut self, change: impl FnOnce(&mut Document)) {
        if let Some(Open::Object { document, .. }) = self.open.last_mut() {
            change(document);
        }
    }

    /// Lets go of what was handed out.
    fn forget(&mut self) {
        if self.at > STEP {
            self.bytes.drain(..self.at);
            self.at = 0;
        }
    }

    /// Reads on; `false` at the end of the stream.
    fn fill(&mut self) -> Result<bool, Odd> {
        if self.ended {
            return Ok(false);
        }
        let before = self.bytes.len();
        self.bytes.resize(before + STEP, 0);
        let n = match self.bytes.get_mut(before..) {
            Some(room) => self.reader.read(room)?,
            None => 0,
        };
        self.bytes.truncate(before + n);
        self.ended = n == 0;
        Ok(n > 0)
    }

    /// The next byte that is no white space, which stays.
    fn peek(&mut self) -> Result<Option<u8>, Odd> {
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let blank = rest.iter().take_while(|b| matches!(b, b' ' | b'\n' | b'\r' | b'\t')).count();
            self.at += blank;
            if let Some(byte) = rest.get(blank) {
                return Ok(Some(*byte));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Takes one value, by its brackets and quotes alone; gives where it stands.
    fn value(&mut self) -> Result<(usize, usize), Odd> {
        let from = match self.peek()? {
            Some(_) => self.at,
            None => return Err(Odd),
        };
        let mut scan = Scan { depth: 0, string: false, from, at: from };
        loop {
            let bytes = &self.bytes;
            if let Some(end) = scan.end(bytes, self.limits.depth.saturating_sub(self.open.len())).map_err(|()| Odd)? {
                self.at = end;
                let value = bytes.get(from..end).unwrap_or_default();
                // Only white space can make a record longer than the cap that is none.
                let long = value.len() > self.limits.line;
                if long && value.iter().filter(|b| !b.is_ascii_whitespace()).count() > self.limits.line {
                    return Err(Odd);
                }
                return Ok((from, end));
            }
            let held = bytes.len() - from;
            if held / 16 > self.limits.line || !self.fill()? {
                // A bare value at the end of the stream ends with it.
                let bare = self.ended && scan.depth == 0 && !scan.string && scan.at > from;
                if !bare {
                    return Err(Odd);
                }
                self.at = self.bytes.len();
                return Ok((from, self.at));
            }
        }
    }
}

/// The search for the end of a value.
struct Scan {
    depth: usize,
    string: bool,
    from: usize,
    at: usize,
}

impl Scan {
    /// Where the value ends; `None` where more bytes are needed.
    fn end(&mut self, bytes: &[u8], most: usize) -> Result<Option<usize>, ()> {
        while let Some(rest) = bytes.get(self.at..).filter(|r| !r.is_empty()) {
            if self.string {
                let Some(stop) = memchr::memchr2(b'"', b'\\', rest) else {
                    self.at = bytes.len();
                    return Ok(None);
                };
                if rest.get(stop) == Some(&b'\\') {
                    if rest.len() < stop + 2 {
                        self.at += stop;
                        return Ok(None);
                    }
                    self.at += stop + 2;
                    continue;
                }
                self.at += stop + 1;
                self.string = false;
                if self.depth == 0 {
                    return Ok(Some(self.at));
                }
                continue;
            }
            let structural = |b: &u8| matches!(b, b'"' | b'{' | b'}' | b'[' | b']' | b',' | b' ' | b'\n' | b'\r' | b'\t');
            let within = |b: &u8| matches!(b, b'"' | b'{' | b'}' | b'[' | b']');
            let stop = if self.depth == 0 { rest.iter().position(structural) } else { rest.iter().position(within) };
            let Some((stop, byte)) = stop.and_then(|i| Some((i, *rest.get(i)?))) else {
                self.at = bytes.len();
                return Ok(None);
            };
            match byte {
                b'"' => {
                    self.string = true;
                    self.at += stop + 1;
                }
                b'{' | b'[' => {
                    self.depth += 1;
                    if self.depth > most {
                        return Err(());
                    }
                    self.at += stop + 1;
                }
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    self.at += stop + 1;
                    if self.depth == 0 {
                        return Ok(Some(self.at));
                    }
                }
                // The end of a bare value.
                _ => return if self.at + stop > self.from { Ok(Some(self.at + stop)) } else { Err(()) },
            }
        }
        Ok(None)
    }
}

/// Records of a list that is no list.
struct Gathered(Vec<(Section, String)>);

impl Sink for Gathered {
    fn record(&mut self, section: Section, raw: &str) {
        self.0.push((section, raw.to_owned()));
    }
    fn document(&mut self, _: Document) {}
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Records and documents as they come, or why they do not.
    #[derive(Default)]
    struct Seen(Vec<String>);

    impl Sink for Seen {
        fn record(&mut self, section: Section, raw: &str) {
            self.0.push(format!("{section:?} {raw}"));
        }
        fn document(&mut self, document: Document) {
            self.0.push(format!("{document:?}"));
        }
    }

    fn whole(text: &str) -> Option<Vec<String>> {
        let mut seen = Seen::default();
        super::super::json::read(text.as_bytes(), Limits::default(), &mut seen).ok().map(|()| seen.0)
    }

    fn cut(text: &str) -> Option<Vec<String>> {
        // A reader that gives little at a time, so that values are cut everywhere.
        struct Few<'a>(&'a [u8]);
        impl Read for Few<'_> {
            fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
                let n = self.0.len().min(3).min(to.len());
                to[..n].copy_from_slice(&self.0[..n]);
                self.0 = &self.0[n..];
                Ok(n)
            }
        }
        let mut cutter = Cutter::new(Few(text.as_bytes()), Limits::default());
        let mut seen = Seen::default();
        while let Some(lot) = cutter.next().ok()? {
            for (section, raw) in lot.records() {
                serde_json::from_str::<&RawValue>(raw?).ok()?;
                seen.record(section, raw?);
            }
            if let Some(document) = lot.document {
                seen.document(document);
            }
        }
        Some(seen.0)
    }

    #[test]
    fn documents_of_every_form_are_cut_as_they_are_read() {
        for text in [
            r#"{"UserDetailList": [{"a":1}, {"b": "]}\""}], "Other": [[{}]], "IsTruncated": true}"#,
            "{\"Policies\": {\"a\" : [1, 2]}}{\"Policies\": null}\n[{\"UserDetailList\":[]}, [5, {}], \"x\"]",
            r#"[1, "a", null, true, -2.5e3]"#,
            "  ",
            "7",
            "nul",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "{\"a\":}",
            "[",
            "]",
            "{\"Policies\": 5}",
            r#"{"UserDetailList": [{"a":1} {"b":2}]}"#,
            r#"{"UserDetailList": [1, tru]}"#,
            "{\"a\":\"\u{1}\"}",
            "\"a\"\"b\"",
            "1 2",
            "{}}",
        ] {
            assert_eq!(cut(text), whole(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_cut_is_what_is_read(pieces in proptest::collection::vec(0usize..22, 0..24)) {
            const PIECES: &[&str] = &[
                "{", "}", "[", "]", ",", ":", "\"UserDetailList\"", "\"IsTruncated\"", "\"x\"", "1 ", "true ", "null ", " ", "\n", "{\"a\":1}", "[]",
                "\"\\\"\"", "{\"UserDetailList\":[", "{\"Policies\":[{},{\"b\":[{}]}]}", "]}", "\"", "-",
            ];
            let text: String = pieces.iter().map(|i| PIECES[*i]).collect();
            prop_assert_eq!(cut(&text), whole(&text), "{:?}", text);
        }
    }
}
