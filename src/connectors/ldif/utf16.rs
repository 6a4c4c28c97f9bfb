//! Exports in UTF-16 (`ldifde -u`, PowerShell's `>`), told by their byte order mark and read as UTF-8.

use std::io::{self, BufRead, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_16BE, UTF_16LE};

use crate::connectors::{Input, InputError};

/// The decompressed text of a file as UTF-8, and whether it was transcoded.
///
/// # Errors
/// The file cannot be read.
pub fn open(input: &Input) -> Result<(Box<dyn BufRead>, bool), InputError> {
    let head = input.head()?;
    let inner = input.open()?;
    match Encoding::for_bom(&head) {
        Some((encoding, _)) if encoding == UTF_16LE || encoding == UTF_16BE => {
            let decoder = encoding.new_decoder_with_bom_removal();
            Ok((Box::new(Utf16 { inner, decoder, out: Vec::new(), at: 0, ended: false }), true))
        }
        _ => Ok((inner, false)),
    }
}

struct Utf16<R> {
    inner: R,
    decoder: Decoder,
    out: Vec<u8>,
    at: usize,
    ended: bool,
}

impl<R: BufRead> Utf16<R> {
    /// Decodes until there is something to hand out, or nothing left.
    fn refill(&mut self) -> io::Result<()> {
        while self.at >= self.out.len() && !self.ended {
            let part = self.inner.fill_buf()?;
            self.ended = part.is_empty();
            // Two bytes become at most three; the rest is room for a surrogate that was cut.
            self.out.resize(part.len() * 3 + 16, 0);
            let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(part, &mut self.out, self.ended);
            self.out.truncate(written);
            self.at = 0;
            self.inner.consume(read);
            if let DecoderResult::Malformed(..) = result {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "ill-formed UTF-16"));
            }
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Utf16<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(to)?;
        self.consume(n);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Utf16<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.refill()?;
        Ok(self.out.get(self.at..).unwrap_or_default())
    }
    fn consume(&mut self, n: usize) {
        self.at = self.at.saturating_add(n);
    }
}
