//! Normalised text: what the `*_norm` columns hold, so that no query folds case.

use unicode_normalization::UnicodeNormalization;

/// NFKC, lower case, outer white space removed, inner white space one blank. `None` where nothing is left.
///
/// The same function folds both sides of every comparison, so what it does to `İ` or `ß` matters less than that it
/// does so once.
pub fn norm(text: &str) -> Option<String> {
    // NFKC leaves ASCII as it is, and most of what is compared is ASCII.
    let folded: String =
        if text.is_ascii() { text.to_ascii_lowercase() } else { text.nfkc().flat_map(char::to_lowercase).nfkc().collect() };
    let joined = folded.split_whitespace().collect::<Vec<_>>().join(" ");
    (!joined.is_empty()).then_some(joined)
}

/// [`norm`] of a value that may be missing.
pub fn norm_opt(text: Option<&str>) -> Option<String> {
    text.and_then(norm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn width_case_and_blanks_are_folded() {
        assert_eq!(norm("  ＡＬＩＣＥ   Müller\t"), Some("alice müller".into()));
        assert_eq!(norm(" \u{3000} "), None);
    }
}
