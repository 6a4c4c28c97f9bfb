//! Encodings: whatever the file is in becomes a stream of UTF-8.
//!
//! A byte-order mark decides; without one a file is UTF-8 unless the mapping declares otherwise. What cannot be decoded
//! becomes a byte that no UTF-8 holds, so that the record it stands in is rejected and the file goes on.

use std::io::{self, BufRead, BufReader, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding as Code, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::connectors::{Input, InputError};

/// The encodings that an export may be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
    Windows1252,
}

impl Encoding {
    /// Its spellings in the configuration.
    pub const NAMES: &[(&str, Self)] =
        &[("utf-8", Self::Utf8), ("utf-16le", Self::Utf16Le), ("utf-16be", Self::Utf16Be), ("windows-1252", Self::Windows1252)];

    /// The encoding spelt `name`.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        Self::NAMES.iter().find(|(n, _)| *n == name).map(|(_, e)| *e)
    }

    fn code(self) -> Option<&'static Code> {
        match self {
            Self::Utf8 => None,
            Self::Utf16Le => Some(UTF_16LE),
            Self::Utf16Be => Some(UTF_16BE),
            Self::Windows1252 => Some(WINDOWS_1252),
        }
    }
}

/// A decoded stream.
pub struct Decoded {
    /// UTF-8, without byte-order mark.
    pub reader: Box<dyn BufRead>,
    /// Bytes of the file before the stream's first; `None` where offsets of the stream are none of the file.
    pub skipped: Option<u64>,
    /// The mark of the file overrode the declared encoding.
    pub overridden: bool,
}

/// The encoding and length of a byte-order mark.
fn mark(head: &[u8]) -> Option<(Encoding, u64)> {
    match head {
        [0xEF, 0xBB, 0xBF, ..] => Some((Encoding::Utf8, 3)),
        [0xFF, 0xFE, ..] => Some((Encoding::Utf16Le, 2)),
        [0xFE, 0xFF, ..] => Some((Encoding::Utf16Be, 2)),
        _ => None,
    }
}

/// Opens `input` as UTF-8.
///
/// # Errors
/// The file cannot be read, or looks like UTF-16 without saying so.
pub fn open(input: &Input, declared: Option<Encoding>) -> Result<Decoded, InputError> {
    let head = input.head()?;
    let found = mark(&head);
    if found.is_none() && declared.is_none() && bare_utf16(&head) {
        let message = "looks like UTF-16 without a byte-order mark";
        return Err(InputError::new("tabular/encoding", message, "say `encoding = \"utf-16le\"` (or `utf-16be`) in the source's options"));
    }
    let (encoding, skip) = found.unwrap_or((declared.unwrap_or(Encoding::Utf8), 0));
    let mut reader = input.open()?;
    io::copy(&mut reader.by_ref().take(skip), &mut io::sink()).map_err(|e| InputError::io(&e))?;
    let overridden = found.is_some() && declared.is_some_and(|d| d != encoding);
    Ok(match encoding.code() {
        None => Decoded { reader, skipped: Some(skip), overridden },
        Some(code) => Decoded { reader: Box::new(BufReader::new(Transcoder::new(reader, code))), skipped: None, overridden },
    })
}

/// Every second byte of a text in Latin letters is NUL in UTF-16.
fn bare_utf16(head: &[u8]) -> bool {
    let zeros = |from: usize| head.iter().skip(from).step_by(2).filter(|b| **b == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let pairs = head.len() / 2;
    pairs >= 4 && even.max(odd) * 10 >= pairs * 7 && even.min(odd) * 10 <= pairs
}

/// Turns another encoding into UTF-8 as it is read.
struct Transcoder<R> {
    inner: R,
    decoder: Decoder,
    out: Vec<u8>,
    at: usize,
    done: bool,
}

impl<R: BufRead> Transcoder<R> {
    fn new(inner: R, code: &'static Code) -> Self {
        Self { inner, decoder: code.new_decoder_without_bom_handling(), out: Vec::new(), at: 0, done: false }
    }

    fn refill(&mut self) -> io::Result<()> {
        self.at = 0;
        self.out.clear();
        while self.out.is_empty() && !self.done {
            let part = self.inner.fill_buf()?;
            let last = part.is_empty();
            let mut room = vec![0u8; part.len().saturating_mul(3) + 16];
            let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(part, &mut room, last);
            self.inner.consume(read);
            self.out.extend(room.iter().take(written));
            match result {
                DecoderResult::Malformed(..) => self.out.push(0xFF),
                DecoderResult::InputEmpty => self.done = last,
                DecoderResult::OutputFull => {}
            }
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Transcoder<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.out.len() {
            self.refill()?;
        }
        let mut ready = self.out.get(self.at..).unwrap_or_default();
        let n = ready.read(to)?;
        self.at += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8], declared: Option<Encoding>) -> Result<Vec<u8>, InputError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let input = Input::measure("f".into(), file.path().into(), Default::default())?;
        let mut out = Vec::new();
        open(&input, declared)?.reader.read_to_end(&mut out).unwrap();
        Ok(out)
    }

    fn utf16(text: &str, big: bool) -> Vec<u8> {
        text.encode_utf16().flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
    }

    #[test]
    fn a_mark_decides() {
        let want = "a,ü,€,𝄞\r\n".as_bytes();
        assert_eq!(text(&[b"\xEF\xBB\xBF", want].concat(), None).unwrap(), want);
        assert_eq!(text(&[&b"\xFF\xFE"[..], &utf16("a,ü,€,𝄞\r\n", false)].concat(), None).unwrap(), want);
        assert_eq!(text(&[&b"\xFE\xFF"[..], &utf16("a,ü,€,𝄞\r\n", true)].concat(), None).unwrap(), want);
        assert_eq!(text(&[b"\xEF\xBB\xBF", want].concat(), Some(Encoding::Windows1252)).unwrap(), want, "the mark is stronger");
    }

    #[test]
    fn windows_1252_is_read_only_when_declared() {
        assert_eq!(text(b"M\xFCller \x80", Some(Encoding::Windows1252)).unwrap(), "Müller €".as_bytes());
        assert_eq!(text(b"M\xFCller", None).unwrap(), b"M\xFCller", "left for the record to be rejected");
    }

    #[test]
    fn utf_16_without_mark_is_named_unless_declared() {
        let bytes = utf16("id,name\n1,alice\n", false);
        assert_eq!(text(&bytes, None).unwrap_err().code, "tabular/encoding");
        assert_eq!(text(&bytes, Some(Encoding::Utf16Le)).unwrap(), b"id,name\n1,alice\n");
    }

    #[test]
    fn half_a_surrogate_pair_is_no_text() {
        let bytes = [&b"\xFF\xFE"[..], &[0x00, 0xD8, 0x41, 0x00]].concat();
        assert_eq!(text(&bytes, None).unwrap(), b"\xFFA");
    }
}
