//! Literals as text: read from a query, and written into one.

use super::types::Literal;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// Largest number in an interval: keeps every sum of an instant and an interval inside 64 bits.
const MAX_INTERVAL: u32 = 999_999;

/// Microseconds since the epoch of `YYYY-MM-DD HH:MM:SS[.ffffff]`; `None`: another form, or no such day.
pub(super) fn parse_timestamp(text: &str) -> Option<i64> {
    let (day, time) = text.split_once(' ')?;
    let digits = |s: &str, n: usize| if s.len() == n && s.bytes().all(|b| b.is_ascii_digit()) { s.parse::<i64>().ok() } else { None };
    let mut day = day.split('-');
    let (year, month, date) = (digits(day.next()?, 4)?, digits(day.next()?, 2)?, digits(day.next()?, 2)?);
    let (clock, part) = time.split_once('.').unwrap_or((time, "0"));
    let mut clock = clock.split(':');
    let (hour, minute, second) = (digits(clock.next()?, 2)?, digits(clock.next()?, 2)?, digits(clock.next()?, 2)?);
    if day.next().is_some() || clock.next().is_some() || part.is_empty() || part.len() > 6 {
        return None;
    }
    let micros = digits(part, part.len())? * 10_i64.pow(6 - u32::try_from(part.len()).ok()?);
    if year < 1 || hour > 23 || minute > 59 || second > 59 || !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&date) {
        return None;
    }
    Some(days_from_civil(year, month, date) * DAY + ((hour * 60 + minute) * 60 + second) * SECOND + micros)
}

/// `n days` or `n hours`, also in the singular.
pub(super) fn parse_interval(text: &str) -> Option<Literal> {
    let (number, unit) = text.split_once(' ')?;
    let plain = !number.is_empty() && number.len() <= 6 && number.bytes().all(|b| b.is_ascii_digit());
    let number: u32 = if plain { number.parse().ok()? } else { return None };
    match unit {
        "day" | "days" => Some(Literal::Days(number)),
        "hour" | "hours" => Some(Literal::Hours(number)),
        _ => None,
    }
}

/// The literal as every engine reads it; `None`: a value that no literal can say (`\`, NUL, not finite, out of range).
pub(super) fn render(literal: &Literal) -> Option<String> {
    Some(match literal {
        // The smallest has no literal: its digits without the sign are beyond BIGINT.
        Literal::Integer(i64::MIN) => return None,
        Literal::Integer(n) if *n < 0 => format!("({n})"),
        Literal::Integer(n) => n.to_string(),
        Literal::Double(n) if !n.is_finite() => return None,
        // With an exponent it is a DOUBLE everywhere; without, a DECIMAL.
        Literal::Double(n) if *n < 0.0 => format!("({n:e})"),
        Literal::Double(n) => format!("{n:e}"),
        Literal::Text(text) if text.contains(['\\', '\0']) => return None,
        Literal::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Literal::Boolean(true) => "TRUE".to_owned(),
        Literal::Boolean(false) => "FALSE".to_owned(),
        Literal::Timestamp(us) => format!("TIMESTAMP '{}'", timestamp_text(*us)?),
        Literal::Days(n) if *n <= MAX_INTERVAL => format!("INTERVAL '{n} days'"),
        Literal::Hours(n) if *n <= MAX_INTERVAL => format!("INTERVAL '{n} hours'"),
        Literal::Days(_) | Literal::Hours(_) => return None,
    })
}

/// `YYYY-MM-DD HH:MM:SS`, with six decimals where there are any; `None` outside the years 1 to 9999.
pub(super) fn timestamp_text(us: i64) -> Option<String> {
    let (days, rest) = (us.div_euclid(DAY), us.rem_euclid(DAY));
    let (year, month, day) = civil_from_days(days);
    if !(1..=9999).contains(&year) {
        return None;
    }
    let (seconds, micros) = (rest / SECOND, rest % SECOND);
    let part = if micros == 0 { String::new() } else { format!(".{micros:06}") };
    Some(format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}{part}", seconds / 3600, seconds / 60 % 60, seconds % 60))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a day of the proleptic Gregorian calendar (years counted from March, eras of 400 years).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_read_and_write_the_same() {
        for (text, us) in [
            ("1970-01-01 00:00:00", 0),
            ("1969-12-31 23:59:59.500000", -500_000),
            ("2026-11-22 10:00:00", 1_795_341_600_000_000),
            ("2024-02-29 00:00:00", 1_709_164_800_000_000),
            ("0001-01-01 00:00:00", -62_135_596_800_000_000),
            ("9999-12-31 23:59:59.999999", 253_402_300_799_999_999),
        ] {
            assert_eq!(parse_timestamp(text), Some(us), "{text}");
            assert_eq!(timestamp_text(us).as_deref(), Some(text));
        }
        assert_eq!(parse_timestamp("2026-01-01 00:00:00.5"), Some(1_767_225_600_500_000));
    }

    #[test]
    fn other_forms_are_no_instants() {
        for text in [
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-02-29 00:00:00",
            "2026-01-01 24:00:00",
            "2026-01-01 00:00:00+02:00",
            "2026-1-1 00:00:00",
            "2026-01-01 00:00:00.",
        ] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
        assert_eq!(timestamp_text(i64::MAX), None);
    }

    #[test]
    fn intervals_are_days_or_hours() {
        assert_eq!(parse_interval("90 days"), Some(Literal::Days(90)));
        assert_eq!(parse_interval("1 hour"), Some(Literal::Hours(1)));
        for text in ["90", "-1 days", "1 month", "1  day", "1000000 days", "1.5 days", "1 month 1 day"] {
            assert_eq!(parse_interval(text), None, "{text}");
        }
    }

    #[test]
    fn parameters_become_typed_literals() {
        for (literal, text) in [
            (Literal::Timestamp(1_795_341_600_000_000), "TIMESTAMP '2026-11-22 10:00:00'"),
            (Literal::Days(90), "INTERVAL '90 days'"),
            (Literal::Hours(36), "INTERVAL '36 hours'"),
            (Literal::Integer(5), "5"),
            (Literal::Integer(-5), "(-5)"),
            (Literal::Double(0.75), "7.5e-1"),
            (Literal::Double(-20.0), "(-2e1)"),
            (Literal::Text("it's".into()), "'it''s'"),
            (Literal::Boolean(false), "FALSE"),
        ] {
            assert_eq!(render(&literal).as_deref(), Some(text));
        }
        for literal in [
            Literal::Text("a\\b".into()),
            Literal::Double(f64::NAN),
            Literal::Days(1_000_000),
            Literal::Timestamp(i64::MAX),
            Literal::Integer(i64::MIN),
        ] {
            assert_eq!(render(&literal), None, "{literal:?}");
        }
    }
}
