//! One file of an export: digest as received, capped decompression, bounded lines.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

/// How much of a hostile file holdover will hold or follow.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes after decompression.
    pub bytes: u64,
    /// Decompressed bytes for each received byte, once past 64 MiB.
    pub ratio: u64,
    /// Bytes of one line or of one record.
    pub line: usize,
    /// Nesting of a JSON document.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 64 << 30, ratio: 200, line: 16 << 20, depth: 96 }
    }
}

/// A fault of one whole file. The import names it and seals nothing of that file.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct InputError {
    /// Stable code, `input/<fault>` or `<connector>/<fault>`.
    pub code: &'static str,
    /// What is wrong, lower case, without the file's name.
    pub message: String,
    /// How to mend it.
    pub help: String,
    /// Line or record from 1, where known.
    pub at: Option<u64>,
}

impl InputError {
    pub fn new(code: &'static str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: help.into(), at: None }
    }

    #[must_use]
    pub fn at(mut self, line_or_record: u64) -> Self {
        self.at = Some(line_or_record);
        self
    }

    /// Wraps an I/O error; a breach of a cap carries its own code.
    pub fn io(e: &io::Error) -> Self {
        match e.get_ref().and_then(|inner| inner.downcast_ref::<Cap>()) {
            Some(cap) => Self::new(cap.code, cap.message.clone(), "check the file; a file this large or this dense is not an export"),
            None => {
                Self::new("input/unreadable", format!("cannot be read: {e}"), "check that the file exists, is complete and may be read")
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Cap {
    code: &'static str,
    message: String,
}

fn cap(code: &'static str, message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, Cap { code, message })
}

/// One input file. `name` is what every report shows; the path never leaves this type.
#[derive(Clone, Debug)]
pub struct Input {
    /// Path relative to the configuration or the common root, `/`-separated; bytes that are no UTF-8 shown as `\xNN`,
    /// and what is marked as a secret already masked: it may be stored and printed.
    pub name: String,
    pub path: PathBuf,
    /// Size in bytes, as received.
    pub size: u64,
    /// SHA-256 of the bytes as received.
    pub sha256: [u8; 32],
    pub limits: Limits,
}

impl Input {
    /// Measures the file: size and digest.
    ///
    /// # Errors
    /// The file cannot be read, or is no regular file.
    pub fn measure(name: String, path: PathBuf, limits: Limits) -> Result<Self, InputError> {
        Self::found(name, path, limits)?.measured()
    }

    /// The file with the size that its folder states, and no digest yet.
    ///
    /// # Errors
    /// As [`Input::measure`].
    pub fn found(name: String, path: PathBuf, limits: Limits) -> Result<Self, InputError> {
        let meta = std::fs::metadata(&path).map_err(|e| InputError::io(&e))?;
        if !meta.is_file() {
            return Err(InputError::new("input/not-a-file", "is not a regular file", "name the export file itself"));
        }
        Ok(Self { name, path, size: meta.len(), sha256: [0; 32], limits })
    }

    /// The same file with size and digest of what is in it now.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn measured(&self) -> Result<Self, InputError> {
        let mut file = File::open(&self.path).map_err(|e| InputError::io(&e))?;
        let mut hash = Sha256::new();
        let mut size = 0u64;
        let mut buffer = vec![0u8; 1 << 18];
        loop {
            let n = file.read(&mut buffer).map_err(|e| InputError::io(&e))?;
            let Some(part) = buffer.get(..n).filter(|p| !p.is_empty()) else { break };
            hash.update(part);
            size += n as u64;
        }
        Ok(Self { size, sha256: hash.finalize().into(), ..self.clone() })
    }

    /// The decompressed bytes, as a stream that fails by name when a cap is passed. gzip is recognised by its magic.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(&self) -> Result<Box<dyn BufRead>, InputError> {
        let mut raw = BufReader::with_capacity(1 << 16, File::open(&self.path).map_err(|e| InputError::io(&e))?);
        let head = raw.fill_buf().map_err(|e| InputError::io(&e))?;
        if head.starts_with(&[0x1f, 0x8b]) {
            let floor = 64 << 20;
            let most = self.limits.bytes.min(floor.max(self.size.saturating_mul(self.limits.ratio)));
            let inner = BufReader::with_capacity(1 << 16, MultiGzDecoder::new(raw));
            return Ok(Box::new(Capped { inner, left: most, most, packed: true }));
        }
        Ok(Box::new(Capped { inner: raw, left: self.limits.bytes, most: self.limits.bytes, packed: false }))
    }

    /// The first 4,096 decompressed bytes, for sniffing.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn head(&self) -> Result<Vec<u8>, InputError> {
        let mut head = Vec::new();
        self.open()?.take(4096).read_to_end(&mut head).map_err(|e| InputError::io(&e))?;
        Ok(head)
    }
}

struct Capped<R> {
    inner: R,
    left: u64,
    most: u64,
    packed: bool,
}

impl<R> Capped<R> {
    fn breach(&self) -> io::Error {
        if self.packed {
            cap("input/gzip-bomb", format!("decompresses to more than {} bytes, the cap for its size", self.most))
        } else {
            cap("input/too-large", format!("is larger than {} bytes", self.most))
        }
    }
}

impl<R: BufRead> Read for Capped<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(out)?;
        self.left = self.left.checked_sub(n as u64).ok_or_else(|| self.breach())?;
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Capped<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 && !self.inner.fill_buf()?.is_empty() {
            return Err(self.breach());
        }
        self.inner.fill_buf()
    }
    fn consume(&mut self, n: usize) {
        self.inner.consume(n);
        self.left = self.left.saturating_sub(n as u64);
    }
}

/// Lines of a stream, each bounded, with number and byte offset.
pub struct Lines<R> {
    reader: R,
    /// Number of the line last read, from 1.
    pub number: u64,
    /// Byte offset at which the line last read starts.
    pub offset: u64,
    next_offset: u64,
    most: usize,
}

impl<R: BufRead> Lines<R> {
    pub fn new(reader: R, most: usize) -> Self {
        Self::from(reader, most, 0, 0)
    }

    /// The lines of a part of a file: those before it are `number`, and it starts at byte `offset`.
    pub fn from(reader: R, most: usize, number: u64, offset: u64) -> Self {
        Self { reader, number, offset, next_offset: offset, most }
    }

    /// Reads the next line into `line`, without its `\n` or `\r\n`. `false` at the end.
    ///
    /// # Errors
    /// The stream fails, or the line is longer than the cap (nothing past the cap is held).
    pub fn read(&mut self, line: &mut Vec<u8>) -> Result<bool, InputError> {
        line.clear();
        self.offset = self.next_offset;
        loop {
            let part = self.reader.fill_buf().map_err(|e| InputError::io(&e).at(self.number + 1))?;
            if part.is_empty() {
                break;
            }
            let end = memchr::memchr(b'\n', part);
            let taken = end.map_or(part.len(), |i| i + 1);
            line.extend_from_slice(part.get(..end.unwrap_or(taken)).unwrap_or_default());
            self.reader.consume(taken);
            self.next_offset += taken as u64;
            if line.len() > self.most {
                let message = format!("line is longer than {} bytes", self.most);
                return Err(InputError::new("input/line-too-long", message, "export with line breaks between records").at(self.number + 1));
            }
            if end.is_some() {
                break;
            }
        }
        if self.next_offset == self.offset {
            return Ok(false);
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        self.number += 1;
        Ok(true)
    }
}
