//! Normalised text: what the `*_norm` columns hold, so that no query folds case.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization;

/// NFKC, lower case, outer white space removed, inner white space one blank. `None` where nothing is left.
///
/// The same function folds both sides of every comparison, so what it does to `İ` or `ß` matters less than that it
/// does so once.
pub fn norm(text: &str) -> Option<String> {
    // NFKC leaves ASCII as it is, and most of what is compared is ASCII.
    let joined = if text.is_ascii() {
        let mut joined = String::with_capacity(text.len());
        push_norm(text, &mut joined);
        joined
    } else {
        let folded: String = text.nfkc().flat_map(char::to_lowercase).nfkc().collect();
        folded.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    (!joined.is_empty()).then_some(joined)
}

/// Appends what [`norm`] makes of an ASCII text, in one pass; nothing where it makes nothing.
pub fn push_norm(text: &str, to: &mut String) {
    let mut blank = false;
    let from = to.len();
    for byte in text.bytes() {
        if byte == b' ' || (9..=13).contains(&byte) {
            blank = true;
            continue;
        }
        if std::mem::take(&mut blank) && to.len() > from {
            to.push(' ');
        }
        to.push(char::from(byte.to_ascii_lowercase()));
    }
}

/// A path as somebody named it, without what says nothing: doubled slashes, a slash at the end, `./` at the start. Bytes that are no UTF-8
/// are replaced. It is never looked up: no link is followed, and nothing of the machine is added.
pub fn path(path: &Path) -> String {
    let plain: PathBuf = path.components().collect();
    let below = plain.strip_prefix(".").ok().filter(|rest| !rest.as_os_str().is_empty());
    below.unwrap_or(&plain).display().to_string()
}

/// [`norm`] that copies nothing where the text is folded already, as most texts are.
pub fn folded(text: &str) -> Option<Cow<'_, str>> {
    if is_folded(text) { Some(Cow::Borrowed(text)) } else { norm(text).map(Cow::Owned) }
}

/// Whether [`norm`] would certainly leave a text as it is.
fn is_folded(text: &str) -> bool {
    let mut before = b' ';
    for byte in text.bytes() {
        let white = byte == b' ' && before == b' ';
        if white || !byte.is_ascii() || byte.is_ascii_uppercase() || (9..=13).contains(&byte) {
            return false;
        }
        before = byte;
    }
    before != b' '
}

/// [`norm`] of a value that may be missing.
pub fn norm_opt(text: Option<&str>) -> Option<String> {
    text.and_then(norm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_as_it_was_named_without_doubled_slashes() {
        for (named, shown) in [
            ("//nonexist", "/nonexist"),
            ("/nonexist/", "/nonexist"),
            ("/a//b/./c/d/e/f/g", "/a/b/c/d/e/f/g"),
            ("./store", "store"),
            ("../x/../store", "../x/../store"),
            (".", "."),
            ("/", "/"),
            ("store", "store"),
        ] {
            assert_eq!(path(Path::new(named)), shown, "{named}");
        }
    }

    #[test]
    fn width_case_and_blanks_are_folded() {
        assert_eq!(norm("  ＡＬＩＣＥ   Müller\t"), Some("alice müller".into()));
        assert_eq!(norm(" \u{3000} "), None);
    }

    #[test]
    fn ascii_in_one_pass_is_what_words_in_lower_case_are() {
        for text in ["Alice  SMITH", "\x0b a\x0c\tB\r\n", "", " \t", "x", "\x1c a", "A\x1f B", "o'Neil-1@X.y "] {
            let words = text.to_ascii_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(norm(text), (!words.is_empty()).then_some(words), "{text:?}");
        }
    }

    #[test]
    fn folded_says_what_norm_says() {
        for text in ["alice", "alice smith", "Alice", " alice", "alice ", "a  b", "a\tb", "", " ", "ä", "a\u{b}", "\u{1c}", "o'neil-1@x.y"]
        {
            assert_eq!(folded(text).map(Cow::into_owned), norm(text), "{text:?}");
        }
        assert!(matches!(folded("alice smith"), Some(Cow::Borrowed(_))));
    }
}
