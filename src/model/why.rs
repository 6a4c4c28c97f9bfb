//! Why an account can or cannot be used to get in: a closed set of texts, held as what they say.

use std::fmt;

use arrow::array::Array;
use jiff::tz::TimeZone;

use super::cell::{Builder, Cell, ColType};
use super::facts::{AccountStatus, CredentialKind, Word};
use super::label::text_at;
use super::pack;
use super::time::{DAY, Time};

/// The reason for an answer to "can it authenticate"; eight bytes, shown and stored as a few words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Why {
    /// `status unknown`
    #[default]
    StatusUnknown,
    /// `disabled`: the status alone decides.
    Status(AccountStatus),
    /// `expired 2026-11-22`: days since the epoch.
    Expired(i32),
    /// `active, assumable`
    Assumable(AccountStatus),
    /// `active, credentials not covered`
    NotCovered(AccountStatus),
    /// `active, password live`
    Live(AccountStatus, CredentialKind),
    /// `active, password of unknown status`
    Open(AccountStatus, CredentialKind),
    /// `no live credential`
    NothingLive,
}

impl Why {
    /// Past its own end.
    pub fn expired(at: Time) -> Self {
        Self::Expired(i32::try_from(at.micros().div_euclid(DAY)).unwrap_or(i32::MAX))
    }

    /// The reason that reads `text`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(day) = text.strip_prefix("expired ") {
            return Time::parse_iso_in(day, &TimeZone::UTC).ok().map(Self::expired);
        }
        match text {
            "status unknown" => return Some(Self::StatusUnknown),
            "no live credential" => return Some(Self::NothingLive),
            _ => {}
        }
        let Some((status, rest)) = text.split_once(", ") else { return AccountStatus::parse(text).map(Self::Status) };
        let status = AccountStatus::parse(status)?;
        match rest {
            "assumable" => return Some(Self::Assumable(status)),
            "credentials not covered" => return Some(Self::NotCovered(status)),
            _ => {}
        }
        match rest.strip_suffix(" live") {
            Some(kind) => CredentialKind::parse(kind).map(|kind| Self::Live(status, kind)),
            None => CredentialKind::parse(rest.strip_suffix(" of unknown status")?).map(|kind| Self::Open(status, kind)),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StatusUnknown => f.write_str("status unknown"),
            Self::Status(status) => f.write_str(status.as_str()),
            Self::Expired(day) => write!(f, "expired {}", Time::default().plus(i64::from(*day) * DAY).date()),
            Self::Assumable(status) => write!(f, "{status}, assumable"),
            Self::NotCovered(status) => write!(f, "{status}, credentials not covered"),
            Self::Live(status, kind) => write!(f, "{status}, {kind} live"),
            Self::Open(status, kind) => write!(f, "{status}, {kind} of unknown status"),
            Self::NothingLive => f.write_str("no live credential"),
        }
    }
}

impl serde::Serialize for Why {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl Cell for Why {
    const TYPE: ColType = ColType::Text;
    fn push(&self, to: &mut Builder) {
        if let Builder::Text(b) = to {
            // The builder takes the text piece by piece, so that none is made for each row.
            let _ = fmt::Write::write_fmt(b, format_args!("{self}"));
            b.append_value("");
        }
    }
    fn read(from: &dyn Array, row: usize) -> Result<Self, String> {
        let text = text_at(from, row)?;
        Self::parse(text).ok_or_else(|| format!("`{text}` is no reason that an account can or cannot be used"))
    }
    fn pack(&self, to: &mut Vec<u8>) {
        pack::bytes(self.to_string().as_bytes(), to);
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Self::parse(pack::take_text(from)?)
    }
    fn carry(from: &mut &[u8], to: &mut Builder) -> Option<()> {
        String::carry(from, to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_read_back_from_its_text() {
        let mut all = vec![Why::StatusUnknown, Why::NothingLive];
        all.extend(["0001-01-01", "1969-12-31", "2026-11-22", "9999-12-29"].map(|d| Why::parse(&format!("expired {d}")).unwrap()));
        for status in AccountStatus::ALL.iter().copied() {
            all.extend([Why::Status(status), Why::Assumable(status), Why::NotCovered(status)]);
            all.extend(CredentialKind::ALL.iter().flat_map(|k| [Why::Live(status, *k), Why::Open(status, *k)]));
        }
        let mut builder = Builder::new(Why::TYPE);
        all.iter().for_each(|why| Cell::push(why, &mut builder));
        let array = builder.finish();
        for (row, why) in all.iter().enumerate() {
            assert_eq!(Why::parse(&why.to_string()), Some(*why), "{why}");
            assert_eq!(Why::read(array.as_ref(), row), Ok(*why), "{why}");
            assert_eq!(String::read(array.as_ref(), row), Ok(why.to_string()));
        }
        assert_eq!(Why::Live(AccountStatus::Active, CredentialKind::Password).to_string(), "active, password live");
        assert_eq!(Why::parse("expired 2026-11-22").unwrap().to_string(), "expired 2026-11-22");
        assert_eq!(size_of::<Why>(), 8);
        for wrong in ["", "active, ", "active, password", "gone, password live", "expired soon"] {
            assert_eq!(Why::parse(wrong), None, "{wrong}");
        }
    }
}
