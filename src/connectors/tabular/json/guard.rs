//! What stands before the parser: it bounds what a hostile document can make the parser hold.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

use crate::connectors::{InputError, Limits};

/// Where the guard leaves why it stopped the parser.
pub type Stop = Rc<RefCell<Option<InputError>>>;
/// A parser, and where its guard leaves a breach.
pub type Opened = (serde_json::Deserializer<serde_json::de::IoRead<BufReader<Guard>>>, Stop);

/// A parser over `reader`.
pub fn open(reader: Box<dyn BufRead>, limits: &Limits) -> Opened {
    let stop = Stop::default();
    let guard = Guard { inner: reader, stop: Rc::clone(&stop), text: 0, quoted: false, escaped: false, depth: 0, limits: *limits };
    (serde_json::Deserializer::from_reader(BufReader::new(guard)), stop)
}

/// Bounds what the parser may be given: depth, and the length of one string or number.
pub struct Guard {
    inner: Box<dyn BufRead>,
    stop: Stop,
    /// Bytes of the token so far.
    text: usize,
    quoted: bool,
    escaped: bool,
    depth: usize,
    limits: Limits,
}

impl Guard {
    fn step(&mut self, byte: u8) -> Result<(), InputError> {
        if self.quoted {
            self.text += 1;
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => (self.quoted, self.text) = (false, 0),
                _ => {}
            }
        } else {
            match byte {
                b'"' => (self.quoted, self.text) = (true, 0),
                b'{' | b'[' => (self.depth, self.text) = (self.depth + 1, 0),
                b'}' | b']' => (self.depth, self.text) = (self.depth.saturating_sub(1), 0),
                b' ' | b'\t' | b'\r' | b'\n' | b',' | b':' => self.text = 0,
                _ => self.text += 1,
            }
        }
        if self.depth > self.limits.depth {
            return Err(InputError::new(
                "tabular/too-deep",
                format!("nests deeper than {} levels", self.limits.depth),
                "no export nests so deep: check the file",
            ));
        }
        if self.text > self.limits.line {
            return Err(InputError::new(
                "input/line-too-long",
                format!("holds a value longer than {} bytes", self.limits.line),
                "no export holds such a value: check the file",
            ));
        }
        Ok(())
    }
}

impl Read for Guard {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.stop.borrow().is_some() {
            return Err(io::Error::other("stopped"));
        }
        let n = self.inner.read(to)?;
        for i in 0..n {
            let byte = to.get(i).copied().unwrap_or_default();
            if let Err(breach) = self.step(byte) {
                *self.stop.borrow_mut() = Some(breach);
                return Err(io::Error::other("stopped"));
            }
        }
        Ok(n)
    }
}
