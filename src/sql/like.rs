//! LIKE: `%` stands for any text, `_` for any one character; there is no escape.

/// A pattern cut at its `%`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pattern {
    /// What stands between the `%`; one segment means no `%`.
    segments: Vec<String>,
}

impl Pattern {
    pub fn new(pattern: &str) -> Self {
        Self { segments: pattern.split('%').map(str::to_owned).collect() }
    }

    /// Whether the whole of `text` fits.
    pub fn matches(&self, text: &str) -> bool {
        let (Some((first, rest)), Some(last)) = (self.segments.split_first(), self.segments.last()) else { return false };
        let Some(mut left) = strip_start(text, first) else { return false };
        let Some((_, middle)) = rest.split_last() else { return left.is_empty() };
        for segment in middle {
            match find(left, segment) {
                Some(after) => left = after,
                None => return false,
            }
        }
        ends(left, last)
    }
}

/// What follows `segment` at the start of `text`.
fn strip_start<'a>(text: &'a str, segment: &str) -> Option<&'a str> {
    if !segment.contains('_') {
        return text.strip_prefix(segment);
    }
    let mut chars = text.chars();
    for wanted in segment.chars() {
        let found = chars.next()?;
        if wanted != '_' && wanted != found {
            return None;
        }
    }
    Some(chars.as_str())
}

/// What follows the first place where `segment` fits.
fn find<'a>(text: &'a str, segment: &str) -> Option<&'a str> {
    if !segment.contains('_') {
        return text.split_once(segment).map(|(_, after)| after).or(if segment.is_empty() { Some(text) } else { None });
    }
    let mut rest = text;
    loop {
        if let Some(after) = strip_start(rest, segment) {
            return Some(after);
        }
        let mut chars = rest.chars();
        chars.next()?;
        rest = chars.as_str();
    }
}

/// Whether `segment` fits at the end of `text`.
fn ends(text: &str, segment: &str) -> bool {
    if !segment.contains('_') {
        return text.ends_with(segment);
    }
    let mut chars = text.chars().rev();
    segment.chars().rev().all(|wanted| chars.next().is_some_and(|found| wanted == '_' || wanted == found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_characters() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("", "a", false),
            ("%", "", true),
            ("%%", "a", true),
            ("a%", "abc", true),
            ("%c", "abc", true),
            ("%b%", "abc", true),
            ("a%c", "ac", true),
            ("a%a", "a", false),
            ("ab%bc", "abc", false),
            ("_", "İ", true),
            ("_", "😀", true),
            ("__", "é", false),
            ("%_%", "", false),
            ("%_a%", "aa", true),
            ("%a_", "xab", true),
            ("a_b", "a\nb", true),
            ("a%b", "a\n\nb", true),
            ("%ab%ab%", "aab", false),
            ("%x_y%z", "xxaybz", true),
            ("100%", "100%", true),
            ("a_b", "a\\b", true),
        ] {
            assert_eq!(Pattern::new(pattern).matches(text), fits, "`{text}` LIKE `{pattern}`");
        }
    }
}
