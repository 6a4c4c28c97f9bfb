//! Masking: what keeps secret values out of the store, the logs and the reports.

use std::sync::LazyLock;

use regex::bytes::{Captures, Regex, RegexBuilder};

/// The longest reject excerpt, in characters.
pub const EXCERPT: usize = 120;

/// What stands where something was taken out.
pub const MASK: &str = "[masked]";

/// A word for a secret, whatever is joined to its front (`DB_PASSWORD`, `adminPassword`), with a plural or a number.
const LABEL: &str = concat!(
    r"(?:(?:\b|_)(?:pass|pw|pin|otp|psk)|mot de passe",
    r"|\w*(?:password|passwort|passwd|passphrase|passcode|pwd|kennwort|contraseña|secret|token|credential",
    r"|(?:api|access|private|secret|shared|signing|encryption|master|account|storage)[ _-]?key))s?\d*",
);

/// What stands between such a word and the secret: closing quotes, a remark in brackets, then a sign or a verb.
const JOINER: &str = concat!(
    r#"\b(?:\\?["'])?(?:[^\S\r\n]*\([^()\r\n]{0,40}\))?[^\S\r\n]*"#,
    r"(?:(?:is|was|ist|lautet)\b[^\S\r\n]*[:=]?[^\S\r\n]*|(?::=|[:=]>?|->|>)[^\S\r\n]*(?:\r?\n)?[^\S\r\n]*)",
);

/// Heads that stay, each with a secret after it.
const HEADED: &[&str] = &[
    r"\bauthorization[^\S\r\n]*[:=][^\S\r\n]*(?:bearer|basic|digest|token|negotiate)[^\S\r\n]+",
    r"[?&](?:sig|signature|x-amz-signature)=",
];

/// Shapes that are secrets by themselves.
const SHAPES: &[&str] = &[
    r"\{(?:S?SHA|S?MD5|CRYPT|PBKDF2|ARGON2|SSHA\d+|SHA\d+)[^}]*\}\S+",
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}:[A-Za-z0-9/+=]{40}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*",
    r"\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{20,}|\bxox[abprs]-[A-Za-z0-9-]{10,}|\bnpm_[A-Za-z0-9]{30,}",
    r"\bsk_(?:live|test)_[A-Za-z0-9]{16,}|\bAIza[\w-]{35}|\bhv[sbr]\.[A-Za-z0-9_-]{20,}",
    r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*",
    r"\$(?:1|2[aby]|5|6|y|argon2id?)\$\S+",
    r"\b[0-9A-Fa-f]{32}:[0-9A-Fa-f]{32}\b",
];

/// One of these stands in every text that [`SECRET`] or [`BESIDE`] finds something in: most texts are done after this search.
const SIGNS: &str = concat!(
    r"pass|pwd?|pin|otp|psk|kennwort|secret|token|credential|key|contrase|authorization|bearer|basic|://|sig|akia|asia",
    r"|gh[pousr]_|github_|glpat-|xox|npm_|sk_|aiza|hv[sbr]\.|eyj|\$|\{|[0-9a-f]{32}:|mot de",
);

/// Over bytes and ASCII: some ten times as fast as over characters, and a match begins and ends at ASCII all the same.
#[expect(clippy::expect_used, reason = "built of literals, compiled by a test")]
fn compiled(pattern: &str) -> Regex {
    RegexBuilder::new(pattern).unicode(false).build().expect("the pattern is built of literals")
}

static SIGN: LazyLock<Regex> = LazyLock::new(|| compiled(&format!("(?i){SIGNS}")));

static SECRET: LazyLock<Regex> = LazyLock::new(|| {
    let (headed, shapes) = (HEADED.join("|"), SHAPES.join("|"));
    let value = r#"(?:"[^"]*"?|'[^']*'?|\S+)"#;
    let url = r"(?<url>\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+@";
    compiled(&format!(r#"(?i:{url})|(?i:(?<kept>{headed}))[^\s"']+|(?i:(?<head>{LABEL}{JOINER}))(?:{value})|(?-i:{shapes})"#))
});

/// A word for a secret with a word right after it.
static BESIDE: LazyLock<Regex> = LazyLock::new(|| compiled(&format!(r"(?i)((?:{LABEL}|\bbearer|\bbasic)\b[^\S\r\n]+)(\S+)")));

/// Names and other short texts with whatever is marked or shaped as a secret replaced by `[masked]`.
pub fn name(text: &str) -> String {
    if !SIGN.is_match(text.as_bytes()) {
        return text.to_owned();
    }
    let marked = SECRET.replace_all(text.as_bytes(), |c: &Captures<'_>| {
        let part = |name: &str| c.name(name).map_or(&b""[..], |m| m.as_bytes());
        let at: &[u8] = if c.name("url").is_some() { b"@" } else { b"" };
        [part("url"), part("kept"), part("head"), MASK.as_bytes(), at].concat()
    });
    String::from_utf8_lossy(&marked).into_owned()
}

/// Free text (`description`, `info`, `comment`): as [`name`], and also without what looks like a password right after a word
/// for one (`initial password Hunter2`). In names that would hit `Password Server01`.
pub fn free_text(text: &str) -> String {
    let marked = name(text);
    if !SIGN.is_match(marked.as_bytes()) {
        return marked;
    }
    let found = BESIDE.replace_all(marked.as_bytes(), |c: &Captures<'_>| {
        let part = |at: usize| c.get(at).map_or(&b""[..], |m| m.as_bytes());
        let word = String::from_utf8_lossy(part(2));
        let mixed = word.chars().any(char::is_alphabetic) && word.chars().any(|c| c.is_ascii_digit());
        [part(1), if mixed && word.chars().count() >= 6 { MASK.as_bytes() } else { part(2) }].concat()
    });
    String::from_utf8_lossy(&found).into_owned()
}

/// The path of a file as it is shown: each part as [`name`].
pub fn path(text: &str) -> String {
    text.split('/').map(name).collect::<Vec<_>>().join("/")
}

/// JSON with each of its texts as [`free_text`]; everything else stays as it stands.
pub fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut literal, mut open, mut escaped) = (String::new(), false, false);
    for c in text.chars() {
        if !open && c != '"' {
            out.push(c);
            continue;
        }
        literal.push(c);
        if open && c == '"' && !escaped {
            let masked = serde_json::from_str::<String>(&literal).ok().map(|t| (free_text(&t), t)).filter(|(m, t)| m != t);
            match masked {
                Some((masked, _)) => out.push_str(&serde_json::Value::String(masked).to_string()),
                None => out.push_str(&literal),
            }
            literal.clear();
            open = false;
            continue;
        }
        escaped = open && !escaped && c == '\\';
        open = true;
    }
    out + &literal
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
    fn rule_11_13_the_ways_in_which_people_write_secrets_down() {
        for (text, want) in [
            ("(Password : Hunter2)", "(Password : [masked]"),
            ("Password is: Hunter2", "Password is: [masked]"),
            ("Password:\nHunter2", "Password:\n[masked]"),
            ("pw: \"a b\" c", "pw: [masked] c"),
            ("pw: \"a b", "pw: [masked]"),
            (r#"{"user": "a", "password": "x y"}"#, r#"{"user": "a", "password": [masked]}"#),
            ("<password>x</password>", "<password>[masked]"),
            ("DB_PASSWORD=x", "DB_PASSWORD=[masked]"),
            ("db_pass = x", "db_pass = [masked]"),
            ("aws_secret_access_key = x/y", "aws_secret_access_key = [masked]"),
            ("adminPassword=x", "adminPassword=[masked]"),
            ("passwords: x", "passwords: [masked]"),
            ("password2: x", "password2: [masked]"),
            ("password (old): x", "password (old): [masked]"),
            ("Kennwort lautet x", "Kennwort lautet [masked]"),
            ("API-Key -> x", "API-Key -> [masked]"),
            ("https://bob:x@db.example/y", "https://bob:[masked]@db.example/y"),
            ("https://x.example:8080/y", "https://x.example:8080/y"),
            ("/y?a=1&sig=x%3D", "/y?a=1&sig=[masked]"),
            ("-H 'Authorization: Bearer x'", "-H 'Authorization: Bearer [masked]'"),
            ("a\n-----BEGIN PGP PRIVATE KEY BLOCK-----\nx\n", "a\n[masked]"),
            ("github_pat_0123456789abcdefghij", "[masked]"),
            ("aad3b435b51404eeaad3b435b51404ee:31d6cfe0d16ae931b73c59d7e0c089c0", "[masked]"),
            ("initial password Hunter2 please change", "initial password [masked] please change"),
            ("password [masked] x", "password [masked] x"),
            ("naïve Paßwort, password:\u{a0}x", "naïve Paßwort, password:[masked]"),
            ("Contraseña: ñandú, fin", "Contraseña: [masked] fin"),
        ] {
            assert_eq!(free_text(text), want, "{text}");
        }
        for text in [
            "Members in this group cannot have their passwords replicated",
            "password never expires",
            "password policy of 2024",
            "compass: north, bypass: yes, passport: A1234567",
            "Secretary: Ada",
            "basic authentication",
            "spinning: 3",
            "keyboard: x",
        ] {
            assert_eq!(free_text(text), text);
        }
        assert_eq!(name("Password Server01"), "Password Server01");
        assert_eq!(name("Ada pw=x"), "Ada pw=[masked]");
        assert_eq!(path("in/dump password=x y.csv/a.csv"), "in/dump password=[masked] y.csv/a.csv");
    }

    #[test]
    fn only_the_texts_of_json_are_masked() {
        let given = r#"{"a":{"b\"c":["password=x","y \" pw: z",1e999,"sts.example"]},"n":null}"#;
        assert_eq!(json(given), r#"{"a":{"b\"c":["password=[masked]","y \" pw: [masked]",1e999,"sts.example"]},"n":null}"#);
        assert_eq!(json(r#"{"cut":"password=x"#), r#"{"cut":"password=x"#);
    }

    #[test]
    fn rule_11_13_an_excerpt_keeps_shape_and_no_value() {
        assert_eq!(excerpt("uid=bob, pw=Hunter2"), "xxx=xxx, xx=xxxxxx9");
        assert_eq!(excerpt(&"a".repeat(500)).chars().count(), EXCERPT);
    }
}
