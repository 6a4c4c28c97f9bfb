//! The values of directory attributes: instants, ids, fingerprints.

use data_encoding::HEXLOWER;
use jiff::civil::{Date, Time as CivilTime};
use jiff::tz::TimeZone;

use crate::model::Time;
use crate::model::time::{DAY, SECOND};

/// A FILETIME as Active Directory uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileTime {
    /// `0`: never, or not yet; what that means is the attribute's.
    Zero,
    /// `0x7FFFFFFFFFFFFFFF`.
    Never,
    /// An instant after the year 9999, which no column holds.
    Beyond,
    At(Time),
}

/// Reads a FILETIME: 100 ns ticks since 1601-01-01, as a decimal number. `None` where it is no such number, or negative.
pub fn filetime(text: &str) -> Option<FileTime> {
    match text.trim().parse::<i64>().ok()? {
        0 => Some(FileTime::Zero),
        ticks if ticks < 0 => None,
        i64::MAX => Some(FileTime::Never),
        ticks => Some(Time::from_filetime(ticks).map_or(FileTime::Beyond, FileTime::At)),
    }
}

/// Reads a generalizedTime of RFC 4517: `YYYYMMDDHH[MM[SS]][.fraction](Z|±HH[MM])`, where the fraction is one of the
/// smallest unit given. A leap second counts as the second before it.
pub fn generalized_time(text: &str) -> Option<Time> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (clock, rest) = text.split_at_checked(digits)?;
    let two = |from: usize| clock.get(from..from + 2)?.parse::<i8>().ok();
    let (minute, second, unit) = match digits {
        10 => (0, 0, 3_600 * SECOND),
        12 => (two(10)?, 0, 60 * SECOND),
        14 => (two(10)?, two(12)?, SECOND),
        _ => return None,
    };
    let day = Date::new(clock.get(..4)?.parse().ok()?, two(4)?, two(6)?).ok()?;
    let at = CivilTime::new(two(8)?, minute, if second == 60 { 59 } else { second }, 0).ok()?;
    let (fraction, zone) = fraction(rest, unit)?;
    let base = Time::from_civil(day.to_datetime(at), &TimeZone::UTC)?;
    Time::from_micros(base.micros().checked_add(fraction)?.checked_sub(offset(zone)?)?)
}

/// The fraction of `unit` (in microseconds) that opens `rest`, and what stands after it.
fn fraction(rest: &str, unit: i64) -> Option<(i64, &str)> {
    let Some(decimals) = rest.strip_prefix(['.', ',']) else { return Some((0, rest)) };
    let count = decimals.bytes().take_while(u8::is_ascii_digit).count();
    let (figures, zone) = decimals.split_at_checked(count)?;
    // Nine decimals of an hour are finer than a microsecond; further ones are cut off.
    let figures = figures.get(..9).unwrap_or(figures);
    let scale = 10i64.checked_pow(u32::try_from(figures.len()).ok()?)?;
    Some((figures.parse::<i64>().ok()?.checked_mul(unit)? / scale, zone))
}

/// The offset `Z`, `±HH` or `±HHMM` in microseconds; a time without one is refused.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" || zone == "z" {
        return Some(0);
    }
    let (sign, figures) = match zone.split_at_checked(1)? {
        ("+", figures) => (1, figures),
        ("-", figures) => (-1, figures),
        _ => return None,
    };
    if !(figures.len() == 2 || figures.len() == 4) || !figures.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let hours: i64 = figures.get(..2)?.parse().ok()?;
    let minutes: i64 = figures.get(2..).filter(|m| !m.is_empty()).map_or(Ok(0), str::parse).ok()?;
    Some(sign * (hours * 3_600 + minutes * 60) * SECOND)
}

/// Days since 1970-01-01, the unit of the `shadow*` attributes.
pub fn days(count: i64) -> Option<Time> {
    count.checked_mul(DAY).and_then(Time::from_micros)
}

/// A GUID in its canonical lower-case text: from the 16 bytes that LDAP carries (the first three fields little-endian),
/// or from text, with or without braces.
pub fn guid(value: &[u8]) -> Option<String> {
    if let Ok(bytes) = <[u8; 16]>::try_from(value) {
        let [a, b, c, d, e, f, g, h, node @ ..] = bytes;
        let hex = HEXLOWER.encode(&[&[d, c, b, a, f, e, h, g], node.as_slice()].concat());
        return dashed(&hex);
    }
    let text = std::str::from_utf8(value).ok()?.trim().trim_start_matches('{').trim_end_matches('}').to_ascii_lowercase();
    let plain = text.replace('-', "");
    let canonical = dashed(&plain).filter(|_| plain.bytes().all(|b| b.is_ascii_hexdigit()))?;
    (canonical == text).then_some(canonical)
}

/// 32 hex digits in groups of 8, 4, 4, 4 and 12.
fn dashed(hex: &str) -> Option<String> {
    let part = |from: usize, to: usize| hex.get(from..to);
    (hex.len() == 32).then_some(())?;
    Some([part(0, 8)?, part(8, 12)?, part(12, 16)?, part(16, 20)?, part(20, 32)?].join("-"))
}

/// A SID in its text form, `S-1-…`: from the bytes that LDAP carries, or from text.
pub fn sid(value: &[u8]) -> Option<String> {
    if let Some(text) = std::str::from_utf8(value).ok().map(str::trim).filter(|t| t.starts_with("S-1-") || t.starts_with("s-1-")) {
        let figures = text.get(2..)?;
        let numbers = figures.split('-').all(|n| !n.is_empty() && n.len() <= 15 && n.bytes().all(|b| b.is_ascii_digit()));
        return numbers.then(|| format!("S-{figures}"));
    }
    let (head, tail) = value.split_first_chunk::<8>()?;
    let [1, count, authority @ ..] = *head else { return None };
    if tail.len() != usize::from(count) * 4 || count > 15 {
        return None;
    }
    let authority = authority.iter().fold(0u64, |sum, b| (sum << 8) | u64::from(*b));
    let parts = tail.chunks_exact(4).filter_map(|part| <[u8; 4]>::try_from(part).ok()).map(|part| u32::from_le_bytes(part).to_string());
    Some(std::iter::once(format!("S-1-{authority}")).chain(parts).collect::<Vec<_>>().join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filetime_has_two_ways_to_say_never() {
        assert_eq!(filetime("0"), Some(FileTime::Zero));
        assert_eq!(filetime("9223372036854775807"), Some(FileTime::Never));
        assert_eq!(filetime("9223372036854775806"), Some(FileTime::Beyond));
        assert_eq!(filetime("9223372036854775808"), None);
        assert_eq!(filetime("133484544000000000"), Some(FileTime::At(Time::parse_iso("2023-12-31T00:00:00Z").unwrap())));
        assert_eq!(filetime("-1"), None);
        assert_eq!(filetime("soon"), None);
    }

    #[test]
    fn generalized_time_has_fractions_and_offsets() {
        for (text, want) in [
            ("20261122012250.0Z", "2026-11-22T01:22:50Z"),
            ("20261122012250Z", "2026-11-22T01:22:50Z"),
            ("20261122012250.123456Z", "2026-11-22T01:22:50.123456Z"),
            ("202611220122Z", "2026-11-22T01:22:00Z"),
            ("2026112201,5Z", "2026-11-22T01:30:00Z"),
            ("20261122012250+0130", "2026-11-21T23:52:50Z"),
            ("20261122012250-05", "2026-11-22T06:22:50Z"),
            ("20161231235960Z", "2016-12-31T23:59:59Z"),
            ("19700101000000Z", "1970-01-01T00:00:00Z"),
            ("16010101000000.0Z", "1601-01-01T00:00:00Z"),
        ] {
            assert_eq!(generalized_time(text).map(|t| t.to_string()).as_deref(), Some(want), "{text}");
        }
        for text in ["20261122012250", "20261322012250Z", "2026", "", "20260-01-01", "20261122012250.Z", "20261122012250+1", "20261122ü"] {
            assert_eq!(generalized_time(text), None, "{text}");
        }
    }

    #[test]
    fn guid_bytes_and_text_are_one_id() {
        let bytes = data_encoding::BASE64.decode(b"Cy2/0/xpy0C8HlidQFIMsw==").unwrap();
        assert_eq!(guid(&bytes).as_deref(), Some("d3bf2d0b-69fc-40cb-bc1e-589d40520cb3"));
        assert_eq!(guid(b"{D3BF2D0B-69FC-40CB-BC1E-589D40520CB3}"), guid(&bytes));
        assert_eq!(guid(b"d3bf2d0b69fc40cbbc1e589d40520cb3"), None);
        assert_eq!(guid("d3bf2d0bä69fc-40cb-bc1e-589d40520cb".as_bytes()), None);
    }

    #[test]
    fn sid_bytes_and_text_are_one_id() {
        let bytes = data_encoding::BASE64.decode(b"AQUAAAAAAAUVAAAAcT8wdmnXFCRcWOsHcAQAAA==").unwrap();
        assert_eq!(sid(&bytes).as_deref(), Some("S-1-5-21-1982873457-605345641-132864092-1136"));
        assert_eq!(sid(b"S-1-5-32-544").as_deref(), Some("S-1-5-32-544"));
        assert_eq!(sid(&bytes[..20]), None);
        assert_eq!(sid(b"S-1-"), None);
    }
}
