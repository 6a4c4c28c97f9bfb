//! The files that checks are: TOML in comments, then one query.

use super::diagnostic::{Diagnostic, Pos};
use super::parse::{self, Parsed, refuse};
use sqlparser::tokenizer::Token;

const FENCE: &str = "-- ---";

/// The parts of a check's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckSource {
    /// The TOML between the fences, its `-- ` removed.
    pub front_matter: String,
    /// The line of the file on which the TOML begins.
    pub front_matter_line: u32,
    /// The query, as other engines run it.
    pub query: String,
    /// Lines of the file before the query: what [`Diagnostic::shifted`] takes.
    pub query_offset: u32,
    /// Where the query's first WITH is `mapped AS (...)`: its two parts.
    pub map: Option<MapReduce>,
}

/// A query in two steps: `map` per partition, `reduce` once over all that it gave, as the view `mapped`.
/// Lines and columns are those of the whole query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapReduce {
    pub map: String,
    pub reduce: String,
}

/// Cuts a check's file into its parts. The query is not yet compiled.
///
/// # Errors
/// Missing fences, a line between them that is no comment, an empty query.
pub fn parse_check(text: &str) -> Result<CheckSource, Diagnostic> {
    let help = "begin the file with `-- ---`, TOML in lines that begin with `-- `, and `-- ---`";
    let mut front_matter = String::new();
    let mut lines = text.split_inclusive('\n');
    let mut read = 0_usize;
    let mut number = 1_u32;
    match lines.next() {
        Some(first) if first.trim_end() == FENCE => read += first.len(),
        _ => return refuse(Pos { line: 1, column: 1 }, "no front matter", help),
    }
    loop {
        number += 1;
        let at = Pos { line: number, column: 1 };
        let Some(line) = lines.next() else { return refuse(at, "front matter without an end", help) };
        read += line.len();
        let line = line.trim_end();
        if line == FENCE {
            break;
        }
        let Some(toml) = line.strip_prefix("--") else { return refuse(at, "a line of the front matter that is no comment", help) };
        front_matter.push_str(toml.strip_prefix(' ').unwrap_or(toml));
        front_matter.push('\n');
    }
    let query = text.get(read..).unwrap_or_default().to_owned();
    let map = map_reduce(&query).map_err(|d| d.shifted(number))?;
    Ok(CheckSource { front_matter, front_matter_line: 2, query, query_offset: number, map })
}

/// Finds `WITH mapped AS ( ... )` at the start of the query.
fn map_reduce(query: &str) -> Parsed<Option<MapReduce>> {
    let tokens = parse::tokens(query)?;
    let tokens: Vec<_> = tokens.iter().filter(|t| !matches!(t.token, Token::Whitespace(_) | Token::EOF)).collect();
    let Some(first) = tokens.first() else {
        return refuse(Pos { line: 1, column: 1 }, "no query after the front matter", "write SELECT or WITH ... SELECT");
    };
    let word =
        |i: usize, wanted: &str| tokens.get(i).is_some_and(|t| matches!(&t.token, Token::Word(w) if w.value.eq_ignore_ascii_case(wanted)));
    if !(word(0, "with") && word(1, "mapped") && word(2, "as") && matches!(tokens.get(3).map(|t| &t.token), Some(Token::LParen))) {
        return Ok(None);
    }
    let mut depth = 0_usize;
    for (i, token) in tokens.iter().enumerate().skip(3) {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > 0 {
            continue;
        }
        let open = tokens.get(3).map(|t| parse::pos(t.span.start)).unwrap_or_default();
        let close = parse::pos(token.span.start);
        // Another WITH follows: `WITH` stays, the comma goes.
        let comma = tokens.get(i + 1).filter(|t| t.token == Token::Comma).map(|t| parse::pos(t.span.start));
        let with = parse::pos(first.span.start);
        let map = keep(query, |at| open < at && at < close);
        let reduce = keep(query, |at| match comma {
            Some(comma) => at > comma || (at.line == with.line && at.column < with.column + 4 && at >= with),
            None => at > close,
        });
        return Ok(Some(MapReduce { map, reduce }));
    }
    refuse(Pos { line: 1, column: 1 }, "`mapped AS (` without its `)`", "close the bracket")
}

/// The text with everything else blanked: places stay.
fn keep(text: &str, wanted: impl Fn(Pos) -> bool) -> String {
    let mut at = Pos { line: 1, column: 1 };
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        out.push(if c == '\n' || wanted(at) { c } else { ' ' });
        at = if c == '\n' { Pos { line: at.line + 1, column: 1 } } else { Pos { line: at.line, column: at.column + 1 } };
    }
    out
}
