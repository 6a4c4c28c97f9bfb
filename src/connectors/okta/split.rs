//! A file split into records: the objects of a list, objects one after another, and lists of lists (`jq -s`).
//!
//! Only brackets, strings and commas are followed here, so that a record that is no JSON costs itself and not its file, and
//! no document, however deep or long, meets a parser before it is known to be within the limits.

use std::io::{BufRead, BufReader};

use crate::connectors::aws_iam::stream::Utf8;
use crate::connectors::{InputError, Limits};

/// What a file yields, in the order in which it stands.
pub(super) enum Part<'a> {
    /// The text of one value: an element of a list, or a value that stands alone.
    Record(&'a [u8]),
    /// A list has ended, or the file where values stood alone: so many records.
    Page(u64),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    /// A value, or the end of the list.
    First,
    Value,
    CommaOrEnd,
}

/// Lists may stand in a list; a third `[` begins a record.
const LISTS: usize = 2;

struct Splitter<'a> {
    limits: Limits,
    line: u64,
    want: Want,
    /// Records met so far in each open list.
    lists: Vec<u64>,
    /// Records outside of any list.
    bare: u64,
    /// Brackets still to be closed inside the record.
    open: Vec<u8>,
    record: Vec<u8>,
    in_string: bool,
    escaped: bool,
    each: &'a mut dyn FnMut(Part<'_>),
}

/// Reads a whole stream: UTF-8, or UTF-16 with a byte order mark.
///
/// # Errors
/// The stream ends inside a list or record, brackets or commas do not fit, or a limit is passed.
pub(super) fn split(stream: impl BufRead, limits: Limits, each: &mut dyn FnMut(Part<'_>)) -> Result<(), InputError> {
    let mut text = BufReader::with_capacity(1 << 16, Utf8::new(stream));
    let mut splitter = Splitter {
        limits,
        line: 1,
        want: Want::First,
        lists: Vec::new(),
        bare: 0,
        open: Vec::new(),
        record: Vec::new(),
        in_string: false,
        escaped: false,
        each,
    };
    loop {
        let part = text.fill_buf().map_err(|e| InputError::io(&e))?;
        if part.is_empty() {
            return splitter.end();
        }
        for byte in part {
            splitter.step(*byte)?;
        }
        let n = part.len();
        text.consume(n);
    }
}

impl Splitter<'_> {
    fn step(&mut self, b: u8) -> Result<(), InputError> {
        self.line += u64::from(b == b'\n');
        if self.in_string {
            self.in_string = self.escaped || b != b'"';
            self.escaped = !self.escaped && b == b'\\';
            self.keep(b)?;
            return if self.in_string || !self.open.is_empty() { Ok(()) } else { self.finish() };
        }
        if self.record.is_empty() {
            return self.between(b);
        }
        if self.open.is_empty() {
            // A bare word or number ends at whatever cannot belong to it.
            if b.is_ascii_whitespace() || matches!(b, b',' | b']' | b'[' | b'{' | b'"') {
                self.finish()?;
                return self.between(b);
            }
            return self.keep(b);
        }
        self.inside(b)
    }

    fn between(&mut self, b: u8) -> Result<(), InputError> {
        match b {
            _ if b.is_ascii_whitespace() => Ok(()),
            b',' if self.want == Want::CommaOrEnd && !self.lists.is_empty() => {
                self.want = Want::Value;
                Ok(())
            }
            b']' if self.want != Want::Value && !self.lists.is_empty() => {
                let records = self.lists.pop().unwrap_or_default();
                self.want = Want::CommaOrEnd;
                (self.each)(Part::Page(records));
                Ok(())
            }
            b',' | b']' | b'}' | b':' => Err(self.broken()),
            _ if self.want == Want::CommaOrEnd && !self.lists.is_empty() => Err(self.broken()),
            b'[' if self.lists.len() < LISTS => {
                self.lists.push(0);
                self.want = Want::First;
                Ok(())
            }
            _ => self.inside(b),
        }
    }

    /// A byte of a record.
    fn inside(&mut self, b: u8) -> Result<(), InputError> {
        self.keep(b)?;
        match b {
            b'"' => self.in_string = true,
            b'{' | b'[' => {
                self.open.push(if b == b'{' { b'}' } else { b']' });
                if self.open.len() + self.lists.len() > self.limits.depth {
                    let message = format!("nests more than {} levels deep", self.limits.depth);
                    return Err(
                        InputError::new("okta/too-deep", message, "no answer of Okta nests that deep: check the file").at(self.line)
                    );
                }
            }
            b'}' | b']' => {
                if self.open.pop() != Some(b) {
                    return Err(self.broken());
                }
                if self.open.is_empty() {
                    return self.finish();
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn keep(&mut self, b: u8) -> Result<(), InputError> {
        self.record.push(b);
        if self.record.len() > self.limits.line {
            let message = format!("holds a record of more than {} bytes", self.limits.line);
            return Err(InputError::new("okta/record-too-large", message, "no record of Okta is that large: check the file").at(self.line));
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), InputError> {
        match self.lists.last_mut() {
            Some(records) => *records += 1,
            None => self.bare += 1,
        }
        self.want = Want::CommaOrEnd;
        (self.each)(Part::Record(&self.record));
        self.record.clear();
        Ok(())
    }

    fn broken(&self) -> InputError {
        InputError::new(
            "okta/broken-json",
            "is not valid JSON",
            "save it again with the command on this connector's page, and do not edit it",
        )
        .at(self.line)
    }

    fn end(mut self) -> Result<(), InputError> {
        if !self.record.is_empty() && self.open.is_empty() && !self.in_string {
            self.finish()?;
        }
        if !self.record.is_empty() || !self.lists.is_empty() {
            let help = "save it again: the file was cut off";
            return Err(InputError::new("okta/truncated-json", "JSON ends too early", help).at(self.line));
        }
        if self.bare > 0 {
            (self.each)(Part::Page(self.bare));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &[u8], limits: Limits) -> Result<Vec<String>, (&'static str, Option<u64>)> {
        let mut seen = Vec::new();
        split(text, limits, &mut |part| {
            seen.push(match part {
                Part::Record(raw) => String::from_utf8_lossy(raw).into_owned(),
                Part::Page(n) => format!("page of {n}"),
            });
        })
        .map(|()| seen)
        .map_err(|e| (e.code, e.at))
    }

    fn seen(text: &[u8]) -> Result<Vec<String>, (&'static str, Option<u64>)> {
        parts(text, Limits::default())
    }

    #[test]
    fn lists_lines_and_lists_of_lists() {
        let (a, b) = (r#"{"a":"]\"}"}"#, r#"{"b":[[1]]}"#);
        assert_eq!(seen(format!("[{a} , {b}]").as_bytes()).unwrap(), [a, b, "page of 2"]);
        assert_eq!(seen(format!("{a}\n{b}\n").as_bytes()).unwrap(), [a, b, "page of 2"]);
        assert_eq!(seen(format!("[{a}][{b}]\n[]").as_bytes()).unwrap(), [a, "page of 1", b, "page of 1", "page of 0"]);
        assert_eq!(seen(format!("[[{a}],[{b}]]").as_bytes()).unwrap(), [a, "page of 1", b, "page of 1", "page of 0"]);
        assert_eq!(seen(b"[1, \"a\",null,[[2]]]").unwrap(), ["1", "\"a\"", "null", "[2]", "page of 1", "page of 3"]);
        assert_eq!(seen(b"  \n").unwrap(), [""; 0]);
        assert_eq!(seen(b"\xEF\xBB\xBF[]").unwrap(), ["page of 0"]);
    }

    #[test]
    fn faults_of_a_file_have_a_code_and_a_line() {
        for text in ["[{\"a\": 1},\n", "[{\"a\":\n \"x", "{\n", "[\n[{}],", "[1\n"] {
            assert_eq!(seen(text.as_bytes()), Err(("okta/truncated-json", Some(2))), "{text}");
        }
        for text in ["[,{}]", "[{},]", "[{} {}]", "[{}}]", "[{]}]", "]", "{}]", "{},{}", "[1 2]"] {
            assert_eq!(seen(text.as_bytes()), Err(("okta/broken-json", Some(1))), "{text}");
        }
        let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
        assert_eq!(seen(&deep), Err(("okta/too-deep", Some(1))));
        let small = Limits { line: 8, ..Limits::default() };
        assert_eq!(parts(b"[{\"a\": 1},{\"a\": 22}]", small), Err(("okta/record-too-large", Some(1))));
    }
}
