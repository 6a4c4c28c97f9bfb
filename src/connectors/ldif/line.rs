//! One logical line: `attribute: value`, `attribute:: base64`, `attribute:< url`.

use data_encoding::BASE64;

use super::entry::Fault;

/// A line with its continuations joined.
#[derive(Debug, Default)]
pub struct Logical {
    pub bytes: Vec<u8>,
    pub line: u64,
    pub offset: u64,
    /// Longer than the cap; what lies past it was let go.
    pub cut: bool,
}

/// A value as it stands in a line.
#[derive(Debug)]
pub enum Value<'a> {
    Text(&'a [u8]),
    Base64(Vec<u8>),
}

/// Whether a line opens a record. `dn` is no attribute, so such a line inside a record opens the next one.
pub fn is_dn(line: &[u8]) -> bool {
    line.get(..3).is_some_and(|head| head.eq_ignore_ascii_case(b"dn:"))
}

/// Options (`;`-separated, as they stand) and value of a line; the attribute's name goes into `lower`, in lower case.
///
/// # Errors
/// What keeps the line from being `attribute: value`.
pub fn split<'a>(line: &'a Logical, lower: &mut String) -> Result<(&'a str, Value<'a>), Fault> {
    let bytes = &line.bytes;
    if bytes.first() == Some(&b' ') {
        return Err(Fault::new(
            "ldif/stray-continuation",
            "continues a line that is not there",
            "export again; a line went missing before it",
        ));
    }
    if memchr::memchr(0, bytes).is_some() {
        return Err(nul());
    }
    let text = std::str::from_utf8(bytes);
    let colon = memchr::memchr(b':', bytes);
    let description = text.ok().or_else(|| std::str::from_utf8(bytes.get(..colon?)?).ok()).and_then(|t| t.get(..colon?));
    let Some(description) = description else {
        return Err(Fault::new("ldif/no-colon", "line is no `attribute: value`", "export again; the record is damaged"));
    };
    let (name, options) = description.split_once(';').unwrap_or((description, ""));
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if name.is_empty() || name.len() > 256 || !name.bytes().all(word) {
        return Err(Fault::new(
            "ldif/bad-name",
            "line does not begin with the name of an attribute",
            "export again; the record is damaged",
        ));
    }
    if line.cut {
        let message = format!("value of `{name}` is longer than the cap for one line");
        return Err(Fault::new("ldif/value-too-long", message, "leave the attribute out of the export"));
    }
    let rest = bytes.get(description.len() + 1..).unwrap_or_default();
    let value = match rest.split_first() {
        Some((b':', coded)) => Value::Base64(BASE64.decode(coded.trim_ascii()).map_err(|_| bad_base64(name))?),
        Some((b'<', _)) => {
            let message = format!("value of `{name}` is a URL (`:<`), which is never followed");
            return Err(Fault::new("ldif/url", message, "export the value itself"));
        }
        _ => {
            if text.is_err() {
                return Err(not_utf8(name));
            }
            Value::Text(rest.trim_ascii_start())
        }
    };
    lower.clear();
    lower.extend(name.chars().map(|c| c.to_ascii_lowercase()));
    Ok((options, value))
}

pub fn nul() -> Fault {
    Fault::new("ldif/nul", "line holds a NUL byte", "save the export as UTF-8, or with a byte order mark if it is UTF-16")
}

pub fn not_utf8(name: &str) -> Fault {
    Fault::new("ldif/not-utf8", format!("value of `{name}` is not UTF-8"), "export again without converting the file's encoding")
}

fn bad_base64(name: &str) -> Fault {
    Fault::new("ldif/bad-base64", format!("value of `{name}` is broken base64"), "export again; the file was cut off or changed")
}
