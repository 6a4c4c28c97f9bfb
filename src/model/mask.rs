//! Masking: what keeps secret values out of the store, the logs and the reports.

use std::sync::LazyLock;

use regex::Regex;

/// The longest reject excerpt, in characters.
pub const EXCERPT: usize = 120;

/// What stands where something was taken out.
pub const MASK: &str = "[masked]";

#[expect(clippy::expect_used, reason = "a literal pattern, compiled by a test")]
static SECRET: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        // word for a secret, a joiner, the value
        r#"(?i)(\b(?:pass(?:word|wort|wd|phrase|code)?|pwd|pw|secret|token|api[ _-]?key|access[ _-]?key|private[ _-]?key|credential|kennwort|mot de passe|contraseña)\b[^\S\r\n]*(?:\b(?:is|was|ist)\b|[:=]|->|=>)[^\S\r\n]*)("[^"]*"|'[^']*'|\S+)"#,
        // shapes that are secrets by themselves
        r"|(?-i)(\{(?:S?SHA|S?MD5|CRYPT|PBKDF2|ARGON2|SSHA\d+|SHA\d+)[^}]*\}\S+",
        r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}:[A-Za-z0-9/+=]{40}",
        r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*",
        r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bxox[abprs]-[A-Za-z0-9-]{10,}|\bhv[sbr]\.[A-Za-z0-9_-]{20,}|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*",
        r"|\$(?:1|2[aby]|5|6|y|argon2id?)\$\S+)",
    ))
    .expect("the pattern is a literal")
});

/// Free text (`description`, `info`, `comment`) with whatever looks like a secret replaced by `[masked]`.
pub fn free_text(text: &str) -> String {
    SECRET
        .replace_all(text, |c: &regex::Captures<'_>| match c.get(1) {
            Some(word) => format!("{}{MASK}", word.as_str()),
            None => MASK.to_owned(),
        })
        .into_owned()
}

/// The excerpt of a rejected record: its shape without its values, at most [`EXCERPT`] characters.
///
/// Letters become `x`, digits `9`; punctuation and blanks stay, so that a person can find the place.
pub fn excerpt(text: &str) -> String {
    let masked = text.chars().map(|c| match c {
        c if c.is_ascii_digit() || c.is_numeric() => '9',
        c if c.is_alphabetic() => 'x',
        c if c.is_control() => '·',
        c => c,
    });
    masked.take(EXCERPT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_11_13_a_password_in_a_description_is_taken_out() {
        assert_eq!(free_text("svc account, password: Hunter2! rotate"), "svc account, password: [masked] rotate");
        assert_eq!(free_text("{SSHA}abcdef=="), MASK);
        assert_eq!(free_text("nothing to see"), "nothing to see");
    }

    #[test]
    fn rule_11_13_an_excerpt_keeps_shape_and_no_value() {
        assert_eq!(excerpt("uid=bob, pw=Hunter2"), "xxx=xxx, xx=xxxxxx9");
        assert_eq!(excerpt(&"a".repeat(500)).chars().count(), EXCERPT);
    }
}
