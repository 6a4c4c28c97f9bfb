//! What is wrong with a configuration, where, and how to mend it. Mistakes are collected, never thrown one by one.

use std::fmt;
use std::path::Path;

use crate::model::mask;

/// A place in a text: line and column from 1, columns counted in characters. Line 0: the file as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Stable code below `config/`, such as `unknown-key`.
    pub code: &'static str,
    /// The sidecar in which it stands; `None`: the configuration itself.
    pub file: Option<String>,
    /// Line from 1; 0: the file as a whole.
    pub line: usize,
    /// Column from 1, in characters; 0 where `line` is.
    pub column: usize,
    /// What is wrong: lower case, input in backticks.
    pub message: String,
    /// How to mend it.
    pub help: String,
}

impl Mistake {
    /// A mistake at a place of the configuration.
    pub fn new(code: &'static str, at: Position, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { code, file: None, line: at.line, column: at.column, message: message.into(), help: help.into() }
    }
}

/// Everything that is wrong with a configuration (and its sidecars): exit code 2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// Name of the configuration file, without its folder.
    pub file: String,
    /// In the order of file, line and column; never empty.
    pub mistakes: Vec<Mistake>,
}

impl ConfigError {
    /// Sorts the mistakes and drops repetitions.
    pub fn new(file: &str, mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by(|a, b| (&a.file, a.line, a.column, a.code, &a.message).cmp(&(&b.file, b.line, b.column, b.code, &b.message)));
        mistakes.dedup();
        Self { file: file.to_owned(), mistakes }
    }
}

impl fmt::Display for ConfigError {
    /// One paragraph for each mistake, parted by an empty line, without a final line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, mistake) in self.mistakes.iter().enumerate() {
            if i > 0 {
                f.write_str("\n\n")?;
            }
            let file = mistake.file.as_deref().unwrap_or(&self.file);
            write!(f, "error[config/{}]: {}\n  --> {file}", mistake.code, mistake.message)?;
            if mistake.line > 0 {
                write!(f, ":{}:{}", mistake.line, mistake.column)?;
            }
            write!(f, "\n  help: {}", mistake.help)?;
        }
        Ok(())
    }
}

/// Collects the mistakes of one text, and knows where its lines begin.
#[derive(Debug)]
pub(super) struct Mistakes<'t> {
    text: &'t str,
    /// Byte offsets at which lines start, ascending.
    starts: Vec<usize>,
    file: Option<String>,
    pub list: Vec<Mistake>,
}

impl<'t> Mistakes<'t> {
    /// For a text; `file` names a sidecar.
    pub fn new(text: &'t str, file: Option<String>) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
        Self { text, starts, file, list: Vec::new() }
    }

    /// The place of a byte offset.
    pub fn position(&self, offset: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let column = self.text.get(start..offset).map_or(1, |before| before.trim_start_matches('\u{feff}').chars().count() + 1);
        Position { line, column }
    }

    /// Adds a mistake at a byte offset.
    pub fn add(&mut self, code: &'static str, offset: usize, message: impl Into<String>, help: impl Into<String>) {
        let at = self.position(offset);
        self.list.push(Mistake { file: self.file.clone(), ..Mistake::new(code, at, message, help) });
    }
}

/// Input as a message shows it: without what is marked as a secret, controls and direction marks made visible, at most 80
/// characters.
pub(super) fn show(text: &str) -> String {
    let mut shown = String::new();
    for (i, c) in mask::name(text).chars().enumerate() {
        if i == 80 {
            shown.push('…');
            break;
        }
        let hidden =
            c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if hidden { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}

/// A path as somebody named it, controls and bytes that are no UTF-8 made visible, secrets masked. Places of mistakes are never cut short.
pub(super) fn show_path(path: &Path) -> String {
    let plain = crate::model::text::path(path);
    let odd = path.to_str().is_none() || plain.contains(char::is_control);
    mask::path(&if odd { super::pattern::visible(path.as_os_str().as_encoded_bytes()) } else { plain })
}

/// The known word closest to `word`: at most one edit in three characters (a swap of neighbours is one edit).
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = (word.chars().count() / 3).max(1);
    let folded = |text: &str| text.to_lowercase().replace(['_', ' '], "-");
    let wanted = folded(word);
    let near = known.into_iter().map(|k| (edits(&wanted, &folded(k)), k)).filter(|(d, _)| *d <= most);
    near.min().map(|(_, k)| k)
}

/// Edit distance (optimal string alignment), over characters.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
            let mut best = (cell(&last, j) + usize::from(x != y)).min(cell(&last, j + 1) + 1).min(cell(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(cell(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

/// The help for a word that is not in a set: the nearest member, else all of them.
pub(super) fn help_words<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let all: Vec<String> = known.into_iter().map(|k| format!("`{k}`")).collect();
            if all.is_empty() { "none is known here".to_owned() } else { format!("use one of {}", all.join(", ")) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_characters_and_lines_start_at_one() {
        let m = Mistakes::new("ä = 1\nbb = \"ö\" # x\n", None);
        assert_eq!(m.position(0), Position { line: 1, column: 1 });
        assert_eq!(m.position(5), Position { line: 1, column: 5 });
        assert_eq!(m.position(7), Position { line: 2, column: 1 });
        assert_eq!(m.position(15), Position { line: 2, column: 8 });
        assert_eq!(m.position(10_000), Position { line: 3, column: 1 });
    }

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        assert_eq!(nearest("max_agee", ["max_skew", "max_age"]), Some("max_age"));
        assert_eq!(nearest("ymstem", ["system", "files"]), Some("system"));
        assert_eq!(nearest("Active_Only", ["all", "active-only"]), Some("active-only"));
        assert_eq!(nearest("colour", ["system", "files"]), None);
        assert_eq!(edits("abcd", "acbd"), 1);
        assert_eq!(edits("", "abc"), 3);
    }

    #[test]
    fn shown_input_is_short_and_visible() {
        assert_eq!(show("a\u{202e}b\n"), "a\\u{202e}b\\u{a}");
        assert_eq!(show(&"x".repeat(200)).chars().count(), 81);
        assert_eq!(show("password=Hunter2"), "password=[masked]");
    }
}
