//! Numbers, spans of time and paragraphs as every renderer prints them.

use super::escape;
use crate::model::time::{DAY, HOUR, SECOND};

/// What stands where nobody stated anything.
pub const NOT_STATED: &str = "not stated";

/// `12`, or `12 (up to 14)` where two more are possible (11.6).
pub fn up_to(certain: u64, possible: u64) -> String {
    if possible == 0 { certain.to_string() } else { format!("{certain} (up to {})", certain + possible) }
}

/// `1 finding`, `2 findings`.
pub fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Digits in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Days without decimals where there are none, else with one.
pub fn days(days: f64) -> String {
    if days.fract() == 0.0 { format!("{days:.0}") } else { format!("{days:.1}") }
}

/// A difference of instants, exact to the microsecond: `203 days`, `1 day 4 h`, `59 s`, `-3 min`.
pub fn span(micros: i64) -> String {
    let left = micros.unsigned_abs();
    let mut parts = Vec::new();
    let (day, hour, minute, second) = (DAY.unsigned_abs(), HOUR.unsigned_abs(), 60 * SECOND.unsigned_abs(), SECOND.unsigned_abs());
    if left >= day {
        parts.push(plural(left / day, "day", "days"));
    }
    for (count, unit) in [(left % day / hour, "h"), (left % hour / minute, "min"), (left % minute / second, "s"), (left % second, "µs")] {
        if count > 0 {
            parts.push(format!("{count} {unit}"));
        }
    }
    let text = if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") };
    if micros < 0 { format!("-{text}") } else { text }
}

/// Bytes in the largest unit that leaves three digits.
pub fn bytes(count: u64) -> String {
    let mut rest = count;
    let mut tenth = 0;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if rest < 1_000 {
            return if unit == "B" || rest >= 100 { format!("{rest} {unit}") } else { format!("{rest}.{tenth} {unit}") };
        }
        tenth = rest % 1_024 * 10 / 1_024;
        rest /= 1_024;
    }
    format!("{rest} TiB")
}

/// A paragraph in lines of at most `width` columns, broken at blanks; a longer word is cut.
///
/// The first line starts with `first`, the others with `rest`. Hidden characters are spelt out.
pub fn wrap(text: &str, width: usize, first: &str, rest: &str) -> Vec<String> {
    let text = escape::visible(text);
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split(' ').filter(|w| !w.is_empty()) {
        if !empty && escape::width(&line) + 1 + escape::width(word) > width {
            lines.push(std::mem::replace(&mut line, rest.to_owned()));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        let mut word = word;
        // At least eight columns per line, however deep the indentation.
        while escape::width(&line) + escape::width(word) > width.max(escape::width(rest) + 8) {
            let room = width.max(escape::width(rest) + 8).saturating_sub(escape::width(&line)).max(2);
            let head: String = escape::fitting(word.chars(), room).into_iter().collect();
            word = word.strip_prefix(head.as_str()).unwrap_or_default();
            line.push_str(&head);
            lines.push(std::mem::replace(&mut line, rest.to_owned()));
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_print_as_certain_up_to_possible_11_6() {
        assert_eq!(up_to(12, 0), "12");
        assert_eq!(up_to(12, 2), "12 (up to 14)");
    }

    #[test]
    fn spans_are_exact() {
        assert_eq!(span(203 * DAY), "203 days");
        assert_eq!(span(DAY + HOUR + 61 * SECOND), "1 day 1 h 1 min 1 s");
        assert_eq!(span(-60 * SECOND), "-1 min");
        assert_eq!(span(0), "0 s");
        assert_eq!(span(i64::MIN), "-106751991 days 4 h 54 s 775808 µs");
    }

    #[test]
    fn numbers_are_grouped_and_sizes_scaled() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(12), "12");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(2_048), "2.0 KiB");
        assert_eq!(bytes(5_000_000), "4.7 MiB");
        assert_eq!(bytes(u64::MAX), "16777215 TiB");
    }

    #[test]
    fn paragraphs_break_at_blanks_and_words_only_when_they_must() {
        assert_eq!(wrap("one two three", 9, "- ", "  "), ["- one two", "  three"]);
        assert_eq!(wrap(&"x".repeat(25), 12, "  ", "  "), ["  xxxxxxxxxx", "  xxxxxxxxxx", "  xxxxx"]);
        assert_eq!(wrap("", 9, "- ", "  "), ["- "]);
    }
}
