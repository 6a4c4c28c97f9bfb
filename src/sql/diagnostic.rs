//! What is wrong with a text of the check language, where, and how to write it instead.

/// A place in a text: both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pos {
    pub line: u32,
    pub column: u32,
}

/// A refusal: the fault, its place, and a rewrite.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct Diagnostic {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// Lower case, no final period, the input in backticks.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl Diagnostic {
    /// A fault at `pos` with its rewrite.
    pub fn new(pos: Pos, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { line: pos.line.max(1), column: pos.column.max(1), message: message.into(), help: help.into() }
    }

    /// The same fault in a file where the text begins `lines` lines further down.
    #[must_use]
    pub fn shifted(mut self, lines: u32) -> Self {
        self.line = self.line.saturating_add(lines);
        self
    }
}

/// The name nearest to `wanted` in `known`, as `; did you mean ...`, if one is near.
pub(super) fn did_you_mean<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = wanted.chars().count() / 3 + 1;
    known.map(|name| (distance(wanted, name), name)).filter(|(d, _)| *d <= limit).min().map(|(_, name)| name)
}

/// Levenshtein's distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, cb) in row.iter_mut().skip(1).zip(&b) {
            let next = (diagonal + usize::from(ca != *cb)).min(left + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = next;
            left = next;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered() {
        assert_eq!(distance("acount_ix", "account_ix"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(did_you_mean("acount_ix", ["login", "account_ix"].into_iter()), Some("account_ix"));
        assert_eq!(did_you_mean("zzz", ["login", "account_ix"].into_iter()), None);
    }
}
