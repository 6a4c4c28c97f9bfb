//! An export's bytes as bounded UTF-8: encodings by their byte order mark, nesting and record size under a cap.

use std::io::{self, BufRead, Read};

use encoding_rs::{CoderResult, Decoder, DecoderResult, UTF_8};

use crate::connectors::{InputError, Limits};

/// What stands where bytes were no text of the file's encoding: a noncharacter, which no export holds of its own.
pub(in crate::connectors) const NOT_TEXT: char = '\u{FDD0}';

/// Decodes UTF-8 (with or without a byte order mark) and UTF-16 with one, as PowerShell's `>` writes it.
///
/// Bytes that are no text become [`NOT_TEXT`], so that one bad name costs one record and not the file.
pub(in crate::connectors) struct Utf8<R> {
    inner: R,
    decoder: Decoder,
    ready: Vec<u8>,
    taken: usize,
    done: bool,
}

impl<R: BufRead> Utf8<R> {
    pub(in crate::connectors) fn new(inner: R) -> Self {
        Self { inner, decoder: UTF_8.new_decoder(), ready: Vec::new(), taken: 0, done: false }
    }

    fn refill(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.taken = 0;
        let mut out = vec![0u8; 1 << 16];
        while self.ready.is_empty() && !self.done {
            let source = self.inner.fill_buf()?;
            let last = source.is_empty();
            let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(source, &mut out, last);
            self.inner.consume(read);
            self.ready.extend_from_slice(out.get(..written).unwrap_or_default());
            match result {
                DecoderResult::Malformed(..) => self.ready.extend(NOT_TEXT.to_string().bytes()),
                DecoderResult::InputEmpty => self.done = last,
                DecoderResult::OutputFull => {}
            }
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Utf8<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.ready.len() {
            self.refill()?;
        }
        let mut rest = self.ready.get(self.taken..).unwrap_or_default();
        let n = rest.read(out)?;
        self.taken += n;
        Ok(n)
    }
}

/// The start of a file as text, for sniffing; what is cut off inside a character is left out.
pub(super) fn decode_head(head: &[u8]) -> String {
    let mut decoder = UTF_8.new_decoder();
    let mut text = String::with_capacity(decoder.max_utf8_buffer_length(head.len()).unwrap_or(head.len() * 3 + 16));
    let (result, ..) = decoder.decode_to_string(head, &mut text, false);
    debug_assert_eq!(result, CoderResult::InputEmpty);
    text
}

/// Watches JSON go by: fails by name when it nests deeper, or one record grows larger, than the limits allow.
///
/// It runs in front of the parser, so that neither its stack nor its buffers ever meet such a document.
pub(super) struct Guard<R> {
    inner: R,
    limits: Limits,
    line: u64,
    depth: usize,
    /// Records lie at this depth: lists of an object, or lists of objects of a list.
    floor: usize,
    record: usize,
    in_string: bool,
    escaped: bool,
    /// What was found, for the caller to take once the parser has given up.
    pub(super) fault: Option<InputError>,
}

impl<R: Read> Guard<R> {
    pub(super) fn new(inner: R, limits: Limits) -> Self {
        Self { inner, limits, line: 1, depth: 0, floor: 0, record: 0, in_string: false, escaped: false, fault: None }
    }

    fn watch(&mut self, bytes: &[u8]) -> Result<(), InputError> {
        for b in bytes {
            self.line += u64::from(*b == b'\n');
            if self.in_string {
                self.in_string = self.escaped || *b != b'"';
                self.escaped = !self.escaped && *b == b'\\';
            } else {
                self.structure(*b)?;
            }
            self.record += usize::from(!b.is_ascii_whitespace());
            if self.record > self.limits.line {
                let message = format!("holds a record of more than {} bytes", self.limits.line);
                return Err(
                    InputError::new("aws-iam/record-too-large", message, "no IAM record is that large: check the file").at(self.line)
                );
            }
        }
        Ok(())
    }

    fn structure(&mut self, b: u8) -> Result<(), InputError> {
        match b {
            b'"' => self.in_string = true,
            b'{' | b'[' => {
                if self.floor == 0 {
                    self.floor = if b == b'[' { 3 } else { 2 };
                }
                self.depth += 1;
                if self.depth > self.limits.depth {
                    let message = format!("nests more than {} levels deep", self.limits.depth);
                    return Err(InputError::new("aws-iam/too-deep", message, "no IAM export nests that deep: check the file").at(self.line));
                }
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b',' | b':' => {}
            _ => return Ok(()),
        }
        if self.depth <= self.floor {
            self.record = 0;
        }
        Ok(())
    }
}

impl<R: Read> Read for Guard<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(out)?;
        let seen = out.get(..n).unwrap_or_default();
        match self.watch(seen) {
            Ok(()) => Ok(n),
            Err(fault) => {
                self.fault = Some(fault);
                Err(io::Error::other("over a limit"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn text(bytes: &[u8]) -> String {
        let mut out = String::new();
        Utf8::new(Cursor::new(bytes.to_vec())).read_to_string(&mut out).unwrap();
        out
    }

    #[test]
    fn byte_order_marks_choose_the_encoding() {
        let utf16: Vec<u8> = [0xFEFFu16].into_iter().chain("{\"a\": \"ü\"}".encode_utf16()).flat_map(u16::to_le_bytes).collect();
        assert_eq!(text(&utf16), "{\"a\": \"ü\"}");
        assert_eq!(text(b"\xEF\xBB\xBF{}"), "{}");
        assert_eq!(decode_head(b"\xEF\xBB\xBF{\"\xC3"), "{\"");
    }

    #[test]
    fn bytes_that_are_no_text_are_marked() {
        assert_eq!(text(b"a\xFFb\xC3"), format!("a{NOT_TEXT}b{NOT_TEXT}"));
    }

    fn guarded(text: &str, limits: Limits) -> Option<InputError> {
        let mut guard = Guard::new(text.as_bytes(), limits);
        let _ = io::copy(&mut guard, &mut io::sink());
        guard.fault
    }

    #[test]
    fn nesting_and_size_have_names_and_lines() {
        let limits = Limits { depth: 4, line: 16, ..Limits::default() };
        assert_eq!(guarded("{\"a\":\n[[[[[]]]]]}", limits).map(|f| (f.code, f.at)), Some(("aws-iam/too-deep", Some(2))));
        assert_eq!(guarded("{\"a\": [{\"b\": \"0123456789abcdef\"}]}", limits).map(|f| f.code), Some("aws-iam/record-too-large"));
        assert!(
            guarded("{\"a\": [{\"b\": \"]]]]]\\\"\"}, {\"b\": 1}, {\"b\": 2}]}", limits).is_none(),
            "brackets in strings count for nothing"
        );
    }
}
