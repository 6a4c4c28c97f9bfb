//! Names of columns: how they are compared, what the operator may have meant, and which of them announce a secret.

/// A name without case, blanks and punctuation: `Emp_ID`, `emp id` and `EmpId` are one.
pub fn fold(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The one of `known` that `name` was probably meant to be.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let want = fold(name);
    let most = (want.chars().count() / 2).clamp(1, 3);
    known.into_iter().map(|k| (distance(&want, &fold(k)), k)).filter(|(d, _)| *d <= most).min_by_key(|(d, _)| *d).map(|(_, k)| k)
}

/// Whether a text is what PowerShell writes for a list that it did not spell out: the name of the list's type.
pub fn is_type_name(text: &str) -> bool {
    const LISTS: [&str; 4] =
        ["Microsoft.ActiveDirectory.Management.ADPropertyValueCollection", "System.Object[]", "System.String[]", "System.Byte[]"];
    LISTS.contains(&text) || text.starts_with("System.Collections.")
}

/// Levenshtein distance in characters. Names are short; the caller caps them.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(80).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(80).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (cb, above) in b.iter().zip(row.iter().skip(1)) {
            let cost = (diagonal + usize::from(ca != *cb)).min(left + 1).min(above + 1);
            diagonal = *above;
            left = cost;
            next.push(cost);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// Words that announce a secret value.
const SECRET: &[&str] = &[
    "password",
    "passwd",
    "passwort",
    "passcode",
    "passphrase",
    "pwd",
    "pw",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "kennwort",
    "contraseña",
    "otp",
    "pin",
];
/// Pairs of words that do so together.
const PAIRS: &[(&str, &str)] =
    &[("api", "key"), ("private", "key"), ("access", "key"), ("secret", "key"), ("signing", "key"), ("pass", "word"), ("pass", "phrase")];
/// A last word that speaks of the secret instead of holding it: `password_last_set`, `AccessKeyId`.
const ABOUT: &[&str] = &[
    "id",
    "ids",
    "name",
    "accessor",
    "status",
    "state",
    "type",
    "kind",
    "at",
    "on",
    "date",
    "time",
    "set",
    "changed",
    "expires",
    "expired",
    "expiry",
    "expiration",
    "used",
    "use",
    "age",
    "enabled",
    "active",
    "required",
    "count",
    "policy",
    "rotated",
    "rotation",
    "created",
    "modified",
    "updated",
    "owner",
    "label",
    "days",
    "changeable",
    "stamp",
];

/// Whether a column of this name is likely to hold secret values.
pub fn looks_secret(name: &str) -> bool {
    let words = words(name);
    let announces = words.iter().any(|w| SECRET.contains(&w.as_str()))
        || words.iter().zip(words.iter().skip(1)).any(|(a, b)| PAIRS.contains(&(a.as_str(), b.as_str())));
    announces && !words.last().is_some_and(|w| ABOUT.contains(&w.as_str()))
}

/// The words of a name, lower case: split at punctuation and where a capital follows a small letter.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small = false;
    for c in name.chars() {
        let starts = c.is_uppercase() && small;
        if !c.is_alphanumeric() || starts {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_alphanumeric(), words.last_mut()) {
            word.extend(c.to_lowercase());
        }
        small = c.is_lowercase();
    }
    words.retain(|w| !w.is_empty());
    words
}

/// Names as a message lists them: in backticks, cut to a readable number.
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const MOST: usize = 40;
    let all: Vec<&str> = names.into_iter().collect();
    let shown: Vec<String> = all.iter().take(MOST).map(|n| format!("`{}`", shown(n))).collect();
    match all.len().saturating_sub(MOST) {
        0 if shown.is_empty() => "none".to_owned(),
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Text of the input as a message may show it: masked, on one line, at most 60 characters.
pub fn shown(text: &str) -> String {
    let masked = crate::model::mask::name(text);
    let mut line: String = masked.chars().take(60).map(|c| if c.is_control() { '·' } else { c }).collect();
    if masked.chars().count() > 60 {
        line.push('…');
    }
    line
}

/// Words that dates are written with.
const CALENDAR: &[&str] = &[
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
    "january",
    "february",
    "march",
    "april",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "mon",
    "tue",
    "wed",
    "thu",
    "fri",
    "sat",
    "sun",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "am",
    "pm",
    "t",
    "z",
    "utc",
    "gmt",
    "date",
];

/// What stands where a date should, as a message may show it: as [`shown`] where it is written as dates are, else only its shape, for
/// anything may have slipped into a column of dates.
pub fn shown_date(text: &str) -> String {
    let calendar = text
        .split(|c: char| !c.is_alphabetic())
        .filter(|word| !word.is_empty())
        .all(|word| CALENDAR.contains(&word.to_lowercase().as_str()));
    if calendar { shown(text) } else { crate::model::mask::excerpt(&text.chars().take(60).collect::<String>()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_column_that_was_meant() {
        let known = ["Emp_ID", "Hire Date", "Status"];
        assert_eq!(nearest("emp id", known), Some("Emp_ID"));
        assert_eq!(nearest("HireDat", known), Some("Hire Date"));
        assert_eq!(nearest("manager", known), None);
    }

    #[test]
    fn rule_11_13_what_is_no_date_shows_its_shape() {
        for date in ["20260-01-01T00:00:00Z", "31.02.2026", "3 March 2026 10:00 PM", "/Date(1777406310050)/", "2026-11-22 00:00"] {
            assert_eq!(shown_date(date), date);
        }
        assert_eq!(shown_date("Hunter2 is it"), "xxxxxx9 xx xx");
        assert_eq!(shown_date("aGVsbG8="), "xxxxxx9=");
    }

    #[test]
    fn distance_is_levenshtein() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn a_column_about_a_secret_is_not_a_secret() {
        for name in ["password", "userPassword", "API_KEY", "apiKey", "client secret", "Access Token", "passwordHash", "secret.value"] {
            assert!(looks_secret(name), "{name}");
        }
        for name in ["pwdLastSet", "password_last_changed", "AccessKeyId", "token_accessor", "Passport", "Secretary", "compass", "Key"] {
            assert!(!looks_secret(name), "{name}");
        }
    }
}
