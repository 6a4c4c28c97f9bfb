//! Hostile text on its way to a terminal or a page.
//!
//! Two dangers: text that the reader's program would obey (markup, escape sequences), and text that a person cannot see
//! as it is (bidi overrides, zero-width and control characters). Both are answered here and nowhere else.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_normalization::char::is_combining_mark;

/// Whether a character shows nothing of itself, or changes how its neighbours are shown.
///
/// Controls, bidi marks and overrides, zero-width and other ignorable characters, line and paragraph separators,
/// annotations, tags, private use, noncharacters. Blanks of any width are left alone: names hold them.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c),
            0xAD | 0x34F | 0x61C | 0x115F | 0x1160 | 0x17B4 | 0x17B5
            | 0x180B..=0x180F | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F
            | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB
            | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF
            | 0xE000..=0xF8FF | 0xF0000..=0x10FFFF | 0xFDD0..=0xFDEF)
        || u32::from(c) & 0xFFFE == 0xFFFE
}

/// The visible spelling of a hidden character: `\n`, `\u{202e}`.
fn spelling(c: char) -> String {
    match c {
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        c => format!("\\u{{{:x}}}", u32::from(c)),
    }
}

/// Plain text on one line with every hidden character spelt out.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hidden(c) { out.push_str(&spelling(c)) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// Plain text of several lines: as [`visible`], but lines stay lines.
pub fn visible_lines(text: &str) -> Vec<String> {
    text.lines().map(|line| visible(&line.replace('\t', "    ")).into_owned()).collect()
}

/// HTML text: markup escaped, hidden characters in a marked span.
pub fn html(text: &str) -> String {
    html_with(text, false)
}

/// As [`html`], for preformatted blocks: line feeds and tabs are layout there and stay.
pub fn html_block(text: &str) -> String {
    html_with(text, true)
}

fn html_with(text: &str, layout: bool) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        if layout && matches!(c, '\n' | '\t') {
            out.push(c);
        } else if is_hidden(c) {
            // Writing to a String cannot fail.
            let _ = write!(out, "<span class=\"hid\" title=\"U+{:04X}\">{}</span>", u32::from(c), spelling(c));
        } else {
            push_escaped(&mut out, c);
        }
    }
    out
}

/// HTML of holdover's own sentences: what stands in backticks is an input, set off and kept from turning its neighbours
/// round. An odd backtick, as a name may hold one, leaves the sentence as it is.
pub fn html_prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return html(text);
    }
    let mut out = String::with_capacity(text.len() * 2);
    for (i, part) in parts.into_iter().enumerate() {
        if i % 2 == 0 {
            out.push_str(&html(part));
        } else {
            let _ = write!(out, "<code><bdi>{}</bdi></code>", html(part));
        }
    }
    out
}

/// A value inside a quoted HTML attribute: no span can stand there.
pub fn attribute(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in visible(text).chars() {
        push_escaped(&mut out, c);
    }
    out
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        '`' => out.push_str("&#96;"),
        c => out.push(c),
    }
}

/// A name that may stand in `id` and behind `#`: ASCII letters, digits, `_`, `-`; anything else its code point.
pub fn anchor(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') {
            out.push(c);
        } else {
            let _ = write!(out, ".{:x}.", u32::from(c));
        }
    }
    out
}

/// Columns that a character takes in a terminal: 0, 1 or 2.
fn columns(c: char) -> usize {
    match u32::from(c) {
        _ if is_combining_mark(c) => 0,
        0x1100..=0x115F | 0x2E80..=0x303E | 0x3041..=0xA4CF | 0xA960..=0xA97F | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF => 2,
        0xFE30..=0xFE6F | 0xFF01..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F300..=0x1F64F | 0x1F680..=0x1F6FF | 0x1F900..=0x1FAFF => 2,
        0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}

/// Columns that a text takes in a terminal.
pub fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// The text in at most `limit` columns, the middle left out: ends tell long ids apart. `limit` below 3 counts as 3.
pub fn shorten(text: &str, limit: usize) -> Cow<'_, str> {
    let limit = limit.max(3);
    if width(text) <= limit {
        return Cow::Borrowed(text);
    }
    let tail = (limit - 1) / 2;
    let head = limit - 1 - tail;
    let end: String = fitting(text.chars().rev(), tail).into_iter().rev().collect();
    let start: String = fitting(text.chars(), head).into_iter().collect();
    Cow::Owned(format!("{start}…{end}"))
}

/// The characters from the front that fit into `limit` columns.
pub fn fitting(chars: impl Iterator<Item = char>, limit: usize) -> Vec<char> {
    let mut used = 0;
    chars
        .take_while(|&c| {
            used += columns(c);
            used <= limit
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_spelt_out() {
        assert_eq!(visible("gpj.\u{202e}exe"), r"gpj.\u{202e}exe");
        assert_eq!(visible("a\u{1b}[31mb\r\n\tc\0"), r"a\u{1b}[31mb\r\n\tc\u{0}");
        assert_eq!(visible("zero\u{200b}width\u{feff}"), r"zero\u{200b}width\u{feff}");
        assert!(matches!(visible("Zoë Ōtani 山田\u{3000}太郎"), Cow::Borrowed(_)));
    }

    #[test]
    fn markup_is_escaped_and_hidden_characters_are_marked() {
        assert_eq!(html("<b a='\"'>&`"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;&#96;");
        assert_eq!(html("a\u{202e}b"), r#"a<span class="hid" title="U+202E">\u{202e}</span>b"#);
        assert_eq!(html_block("SELECT\n\t1\u{0}"), "SELECT\n\t1<span class=\"hid\" title=\"U+0000\">\\u{0}</span>");
        assert_eq!(attribute("\" onload=x\u{202e}"), r"&quot; onload=x\u{202e}");
    }

    #[test]
    fn inputs_in_sentences_are_set_off() {
        assert_eq!(html_prose("disable `<b>` now"), "disable <code><bdi>&lt;b&gt;</bdi></code> now");
        assert_eq!(html_prose("odd ` one <"), "odd &#96; one &lt;");
    }

    #[test]
    fn anchors_hold_no_markup_and_stay_apart() {
        assert_eq!(anchor("ghost-account"), "ghost-account");
        assert_eq!(anchor("a\"b"), "a.22.b");
        assert_ne!(anchor("a b"), anchor("a-b"));
    }

    #[test]
    fn long_ids_lose_their_middle() {
        assert_eq!(shorten("arn:aws:iam::123456789012:user/deployer", 20), "arn:aws:ia…/deployer");
        assert_eq!(width(&shorten(&"山".repeat(40), 20)), 19);
        assert_eq!(shorten("short", 20), "short");
    }
}
