//! File patterns: `*`, `?`, `[…]`, `**` and `{captures}`, over the bytes of a path (file names need not be UTF-8).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::Chars;

use regex::bytes::Regex;

use super::mistake::show;
use super::values::ValueError;
use crate::model::mask;

/// A file pattern of the configuration.
///
/// `*` stands for any text inside one path segment, `?` for one character, `[…]` for a class (`[!…]` negated), `**` for any
/// number of whole segments, `{name}` for one or more characters of a segment, which it captures (as many as it can).
/// Files and folders whose name starts with `.` are met only by a pattern that spells the dot.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    base: Base,
    /// Over the path below the base.
    full: Regex,
    /// Over the path of a folder below the base that may hold a match.
    folder: Regex,
    /// Names of the capture groups `c0`, `c1`, …
    captures: Vec<String>,
    /// Most segments below the base; `None`: any number.
    depth: Option<usize>,
    hidden: bool,
}

/// The fixed folder at which a pattern starts.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Base {
    absolute: bool,
    /// Without `.`; `..` only at the front.
    segments: Vec<String>,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Pattern {
    /// Parses `exports/{week}/aws/{account}/*.json`.
    ///
    /// # Errors
    /// An open class, a brace that is no capture, `**` beside other text, `..` after a wildcard, or no file name.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let absolute = text.starts_with('/');
        let segments: Vec<&str> = text.split('/').filter(|s| !s.is_empty() && *s != ".").collect();
        if text.ends_with('/') || segments.last().is_none_or(|s| *s == "..") {
            let help = "name the files, such as `exports/*.csv`";
            return Err(ValueError::new(format!("`{}` names a folder", show(text)), help));
        }
        let fixed = segments.iter().take(segments.len() - 1).take_while(|s| !is_wild(s)).count();
        let (base, rest) = segments.split_at(fixed);
        if rest.contains(&"..") {
            let help = "write `..` before the first wildcard only";
            return Err(ValueError::new(format!("`{}` has `..` after a wildcard", show(text)), help));
        }
        let mut captures = Vec::new();
        let parts = rest.iter().map(|s| segment(s, text, &mut captures)).collect::<Result<Vec<_>, _>>()?;
        let compile = |regex: &str| {
            Regex::new(regex).map_err(|_| ValueError::new(format!("`{}` is too large for a file pattern", show(text)), "shorten it"))
        };
        Ok(Self {
            text: text.to_owned(),
            base: Base { absolute, segments: lexical(base, absolute) },
            full: compile(&full(&parts))?,
            folder: compile(&folder(&parts))?,
            captures,
            depth: (!parts.iter().any(Option::is_none)).then_some(parts.len()),
            hidden: rest.iter().any(|s| s.starts_with('.')),
        })
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it captures `name`.
    pub fn has_capture(&self, name: &str) -> bool {
        self.captures.iter().any(|c| c == name)
    }

    /// Names of its captures, in order; a name that stands twice comes twice.
    pub fn captures(&self) -> impl Iterator<Item = &str> {
        self.captures.iter().map(String::as_str)
    }

    /// The folder to walk. `root`: folder of the configuration.
    pub(super) fn base(&self, root: &Path) -> PathBuf {
        let start = if self.base.absolute { PathBuf::from("/") } else { root.to_owned() };
        let base = self.base.segments.iter().fold(start, |at, s| at.join(s));
        // The empty path is no folder to any system call.
        if base.as_os_str().is_empty() { PathBuf::from(".") } else { base }
    }

    /// How deep a walk from the base need go.
    pub(super) fn depth(&self) -> Option<usize> {
        self.depth
    }

    /// Whether it can match names that start with `.`.
    pub(super) fn sees_hidden(&self) -> bool {
        self.hidden
    }

    /// How a file below the base is shown: from the folder of the configuration where it lies in there, else from the base,
    /// so that nothing outside is named. What is marked as a secret in it is masked.
    pub(super) fn shown(&self, below: &[u8]) -> String {
        let base: String = if self.is_outside() { String::new() } else { self.base.segments.iter().map(|s| format!("{s}/")).collect() };
        mask::path(&(visible(base.as_bytes()) + &visible(below)))
    }

    /// As written, but without the fixed folder where that lies outside the folder of the configuration.
    pub fn without_folder(&self) -> String {
        if !self.is_outside() {
            return self.text.clone();
        }
        let segments: Vec<&str> = self.text.split('/').filter(|s| !s.is_empty() && *s != ".").collect();
        let fixed = segments.iter().take(segments.len().saturating_sub(1)).take_while(|s| !is_wild(s)).count();
        segments.into_iter().skip(fixed).collect::<Vec<_>>().join("/")
    }

    fn is_outside(&self) -> bool {
        self.base.absolute || self.base.segments.first().is_some_and(|s| s == "..")
    }

    /// Whether the folder `below` the base may hold a match.
    pub(super) fn leads_to(&self, below: &[u8]) -> bool {
        self.folder.is_match(below)
    }

    /// The captured values of a path below the base; `None`: no match.
    pub(super) fn matches(&self, below: &[u8]) -> Option<Result<BTreeMap<String, Vec<u8>>, Disagree>> {
        let found = self.full.captures(below)?;
        let mut values: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for (i, name) in self.captures.iter().enumerate() {
            let value = found.name(&format!("c{i}")).map(|m| m.as_bytes().to_vec()).unwrap_or_default();
            match values.get(name) {
                Some(first) if *first != value => {
                    return Some(Err(Disagree { name: name.clone(), first: visible(first), second: visible(&value) }));
                }
                _ => {
                    values.insert(name.clone(), value);
                }
            }
        }
        Some(Ok(values))
    }
}

/// A capture that stands twice in a pattern and met two values in one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Disagree {
    pub name: String,
    pub first: String,
    pub second: String,
}

/// Bytes of a file name as reports show them: what is no UTF-8, and controls, as `\xNN`.
pub(super) fn visible(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() {
                let mut buffer = [0; 4];
                out.extend(c.encode_utf8(&mut buffer).bytes().map(|b| format!("\\x{b:02x}")));
            } else {
                out.push(c);
            }
        }
        out.extend(chunk.invalid().iter().map(|b| format!("\\x{b:02x}")));
    }
    out
}

fn is_wild(segment: &str) -> bool {
    segment.contains(['*', '?', '[', ']', '{', '}', '\\'])
}

/// `..` taken back against the segment before it; kept at the front of a relative path.
fn lexical(segments: &[&str], absolute: bool) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for s in segments {
        let back = *s == ".." && out.last().is_some_and(|last| last != "..");
        if back {
            out.pop();
        } else if !(*s == ".." && absolute) {
            out.push((*s).to_owned());
        }
    }
    out
}

pub(super) fn is_capture_name(name: &str) -> bool {
    name.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// One byte or character of a segment: valid UTF-8 first, so that `?` takes a whole character where there is one.
const ONE: &str = r"(?:[^/]|(?-u:[^/]))";

/// The regex of one segment; `None` for `**`.
fn segment(segment: &str, whole: &str, captures: &mut Vec<String>) -> Result<Option<String>, ValueError> {
    if segment == "**" {
        return Ok(None);
    }
    if segment.contains("**") {
        let help = "`**` stands alone between two `/`: `exports/**/*.csv`";
        return Err(ValueError::new(format!("`{}` has `**` beside other text", show(whole)), help));
    }
    let mut out = String::new();
    let mut chars = segment.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => out.push_str(r"(?-u:[^/])*"),
            '?' => out.push_str(ONE),
            '[' => out.push_str(&class(&mut chars, whole)?),
            '{' => {
                let name: String = chars.by_ref().take_while(|c| *c != '}').collect();
                // Everything up to the end was taken if no brace closed it: then the length tells.
                if !is_capture_name(&name) || !segment.contains(&format!("{{{name}}}")) {
                    let help = "write a capture as `{name}`, of `a-z`, `0-9` and `_`; several patterns go into a list";
                    return Err(ValueError::new(format!("`{}` has a brace that is no capture", show(whole)), help));
                }
                out.push_str(&format!(r"(?P<c{}>(?-u:[^/])+)", captures.len()));
                captures.push(name);
            }
            '}' => {
                let help = "write `[}]` for a brace that means itself";
                return Err(ValueError::new(format!("`{}` has a brace that is no capture", show(whole)), help));
            }
            '\\' => match chars.next() {
                Some(c) => out.push_str(&regex::escape(&c.to_string())),
                None => {
                    let help = "separate folders with `/`; `\\` only takes a wildcard's meaning away";
                    return Err(ValueError::new(format!("`{}` has a `\\` at the end of a segment", show(whole)), help));
                }
            },
            c => out.push_str(&regex::escape(&c.to_string())),
        }
    }
    Ok(Some(out))
}

/// The rest of a class whose `[` is read, as a regex class that never takes a `/`.
fn class(chars: &mut Chars<'_>, whole: &str) -> Result<String, ValueError> {
    let open = || {
        ValueError::new(format!("`{}` has an open `[`", show(whole)), "close it with `]`, or write `[[]` for a bracket that means itself")
    };
    let mut inner = String::new();
    let mut first = true;
    let mut negated = false;
    loop {
        match chars.next().ok_or_else(open)? {
            '!' | '^' if first && !negated => {
                negated = true;
                continue;
            }
            ']' if !first => break,
            '-' if !first => inner.push('-'),
            c => inner.push_str(&escape_in_class(c)),
        }
        first = false;
    }
    // A `-` at the end means itself.
    if inner.ends_with('-') {
        inner.pop();
        inner.push_str(r"\-");
    }
    let regex = format!("[[{}{inner}]&&[^/]]", if negated { "^" } else { "" });
    match regex::Regex::new(&regex) {
        Ok(_) => Ok(regex),
        Err(_) => {
            Err(ValueError::new(format!("`{}` has a class that is none", show(whole)), "write a range from low to high, such as `[0-9]`"))
        }
    }
}

fn escape_in_class(c: char) -> String {
    if c.is_alphanumeric() { c.to_string() } else { format!(r"\x{{{:x}}}", c as u32) }
}

fn full(parts: &[Option<String>]) -> String {
    let mut out = String::from(r"^(?s:");
    for (i, part) in parts.iter().enumerate() {
        let last = i + 1 == parts.len();
        match part {
            Some(regex) => out.push_str(regex),
            None if last => out.push_str(r"(?-u:.)+"),
            None => {
                out.push_str(r"(?:(?-u:[^/])+/)*");
                continue;
            }
        }
        if !last {
            out.push('/');
        }
    }
    out.push_str(")$");
    out
}

/// `a`, or `a/b`, or … down to the last folder; below `**` everything.
fn folder(parts: &[Option<String>]) -> String {
    let mut out = String::from(r"^(?s:");
    let mut open = 0;
    for (i, part) in parts.iter().take(parts.len().saturating_sub(usize::from(parts.last().is_some_and(Option::is_some)))).enumerate() {
        let Some(regex) = part else {
            out.push_str(if i == 0 { r"(?-u:.)*" } else { r"(?:/(?-u:.)*)?" });
            break;
        };
        if i > 0 {
            out.push_str("(?:/");
            open += 1;
        }
        // Groups need no name here.
        out.push_str(&unnamed(regex));
    }
    if parts.len() == 1 && parts.first().is_some_and(Option::is_some) {
        // No folder below the base leads anywhere.
        out.push_str(r"[^\s\S]");
    }
    out.push_str(&")?".repeat(open));
    out.push_str(")$");
    out
}

/// A segment's regex without capture names.
fn unnamed(regex: &str) -> String {
    let mut out = String::new();
    let mut rest = regex;
    while let Some((before, after)) = rest.split_once("(?P<") {
        out.push_str(before);
        out.push_str("(?:");
        rest = after.split_once('>').map_or("", |(_, tail)| tail);
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    fn fault(text: &str) -> String {
        Pattern::parse(text).unwrap_err().message
    }

    fn values(text: &str, path: &str) -> Option<Vec<(String, String)>> {
        let found = pattern(text).matches(path.as_bytes())?.unwrap();
        Some(found.into_iter().map(|(k, v)| (k, String::from_utf8(v).unwrap())).collect())
    }

    fn is_match(text: &str, path: &str) -> bool {
        pattern(text).matches(path.as_bytes()).is_some()
    }

    #[test]
    fn wildcards_stay_inside_a_segment() {
        assert!(is_match("*.csv", "a.csv") && is_match("*.csv", ".csv") && !is_match("*.csv", "b/a.csv") && !is_match("*.csv", "a.csv.gz"));
        assert!(is_match("?.csv", "ü.csv") && !is_match("?.csv", "ab.csv"));
        assert!(is_match("[a-c]?.csv", "bx.csv") && !is_match("[!a-c]?.csv", "bx.csv") && !is_match("x[!a]y", "x/y"));
        assert!(is_match("a[]]b", "a]b") && is_match("a[-x]b", "a-b") && is_match("a[x-]b", "a-b") && is_match("a[[]b", "a[b"));
        assert!(is_match("\\*.csv", "*.csv") && !is_match("\\*.csv", "a.csv"));
        assert!(pattern("?.csv").matches(b"\xff.csv").is_some() && pattern("*.csv").matches(b"a\xff.csv").is_some());
    }

    #[test]
    fn two_stars_are_any_number_of_segments() {
        for path in ["x.csv", "a/x.csv", "a/b/x.csv"] {
            assert!(is_match("**/x.csv", path), "{path}");
        }
        assert!(!is_match("**/x.csv", "ax.csv") && !is_match("**/x.csv", "a/yx.csv"));
        assert!(is_match("e*/**", "e/a/b") && !is_match("e*/**", "e"));
        assert_eq!(fault("a**/b"), "`a**/b` has `**` beside other text");
    }

    #[test]
    fn a_capture_takes_one_or_more_characters_of_a_segment() {
        let both = |w: &str, a: &str| Some(vec![("account".to_owned(), a.to_owned()), ("week".to_owned(), w.to_owned())]);
        assert_eq!(values("{week}/aws/{account}/*.json", "w1/aws/prod/x.json"), both("w1", "prod"));
        assert_eq!(values("{account}-{week}.json", "a-b-c.json"), both("c", "a-b"));
        assert_eq!(values("{week}-x.csv", "-x.csv"), None);
        assert_eq!(values("aws-{account}.json", "aws-a/b.json"), None);
    }

    #[test]
    fn a_capture_that_stands_twice_must_agree() {
        assert_eq!(values("{w}/hr-{w}.csv", "1/hr-1.csv"), Some(vec![("w".to_owned(), "1".to_owned())]));
        let two = pattern("{w}/hr-{w}.csv").matches(b"1/hr-2.csv").unwrap();
        assert_eq!(two, Err(Disagree { name: "w".into(), first: "1".into(), second: "2".into() }));
    }

    #[test]
    fn the_base_is_the_fixed_front() {
        let root = Path::new("root");
        assert_eq!(pattern("exports/hr/*.csv").base(root), Path::new("root/exports/hr"));
        assert_eq!(pattern("./exports//hr.csv").base(root), Path::new("root/exports"));
        assert_eq!(pattern("a/../b/x.csv").base(root), Path::new("root/b"));
        assert_eq!(pattern("../up/*.csv").base(root), Path::new("root/../up"));
        assert_eq!(pattern("/srv/*.csv").base(root), Path::new("/srv"));
        assert_eq!(pattern("*.csv").base(Path::new("")), Path::new("."));
    }

    #[test]
    fn what_lies_outside_is_shown_without_its_folder() {
        assert_eq!(pattern("exports/*/hr.csv").shown(b"w1/hr.csv"), "exports/w1/hr.csv");
        assert_eq!(pattern("/srv/secret/*/hr.csv").shown(b"w1/hr.csv"), "w1/hr.csv");
        assert_eq!(pattern("../../x/hr.csv").shown(b"hr.csv"), "hr.csv");
        assert_eq!(pattern("/srv/secret/*/hr.csv").without_folder(), "*/hr.csv");
        assert_eq!(pattern("exports/*/hr.csv").without_folder(), "exports/*/hr.csv");
        assert_eq!(pattern("*.csv").shown(b"a\xffb c\n.csv"), "a\\xffb c\\x0a.csv");
    }

    #[test]
    fn folders_that_lead_nowhere_are_known() {
        let p = pattern("exports/{week}/aws/{account}/*.json");
        assert!(p.leads_to(b"w1") && p.leads_to(b"w1/aws") && p.leads_to(b"w1/aws/prod"));
        assert!(!p.leads_to(b"w1/hr") && !p.leads_to(b"w1/aws/prod/more"));
        assert_eq!(p.depth(), Some(4));
        let deep = pattern("exports/*/**/x.json");
        assert!(deep.leads_to(b"a") && deep.leads_to(b"a/b/c") && deep.depth().is_none());
        assert!(!pattern("exports/*.csv").leads_to(b"sub") && pattern("**/a.csv").leads_to(b"any/where"));
        assert!(pattern("x*/**").leads_to(b"xa") && !pattern("x*/**").leads_to(b"y"));
    }

    #[test]
    fn faults_of_a_pattern_are_named() {
        assert_eq!(fault("exports/"), "`exports/` names a folder");
        assert_eq!(fault(".."), "`..` names a folder");
        assert_eq!(fault("*/../x.csv"), "`*/../x.csv` has `..` after a wildcard");
        assert_eq!(fault("[ab.csv"), "`[ab.csv` has an open `[`");
        assert_eq!(fault("[z-a].csv"), "`[z-a].csv` has a class that is none");
        for bad in ["{a,b}.csv", "{}.csv", "{a.csv", "a}.csv", "{A}.csv", "{a{b}}.csv"] {
            assert_eq!(fault(bad), format!("`{bad}` has a brace that is no capture"));
        }
        assert_eq!(fault("dir\\"), "`dir\\` has a `\\` at the end of a segment");
    }
}
