//! What an entry turns out to be, before names are resolved.

use std::collections::BTreeMap;

use super::entry::Range;
use crate::connectors::Origin;
use crate::model::{AccountRow, AccountStatus, CredentialRow, GroupRow};

/// Attributes that only some exports carry, whose absence means something once the export is seen to carry them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Probe {
    /// Active Directory's `lastLogonTimestamp`.
    LastLogonTimestamp,
    /// OpenLDAP's `pwdLastSuccess` or `authTimestamp`.
    LastSuccess,
}

/// An account and its credentials, without ordinals.
#[derive(Clone, Debug, Default)]
pub struct Account {
    pub row: AccountRow,
    pub credentials: Vec<CredentialRow>,
    /// No sign of use: `never` if the file carries this attribute for anybody, else `unknown`.
    pub never_if: Option<Probe>,
    /// Logins under which `memberUid` names it.
    pub uids: Vec<String>,
}

/// The status of an account of which it cannot be told whether it has expired: what would let its user in is unknown (11.9, 11.12).
pub fn in_doubt(status: AccountStatus) -> AccountStatus {
    match status {
        AccountStatus::Active | AccountStatus::Locked => AccountStatus::Unknown,
        other => other,
    }
}

/// The group that an account has as its primary one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Primary {
    /// By SID (Active Directory).
    Sid(String),
    /// By `gidNumber` (POSIX).
    Gid(String),
}

/// One accepted entry.
#[derive(Clone, Debug)]
pub struct Object {
    pub origin: Origin,
    /// Verbatim, without the parts of an extended form.
    pub dn: String,
    pub native_id: String,
    pub guid: Option<String>,
    pub sid: Option<String>,
    pub account: Option<Account>,
    pub group: Option<GroupRow>,
    /// `gidNumber` of a POSIX group.
    pub gid: Option<String>,
    /// Members by DN, verbatim.
    pub members: Vec<String>,
    /// Members by login.
    pub member_uids: Vec<String>,
    /// Groups by DN, verbatim.
    pub member_of: Vec<String>,
    pub primary: Option<Primary>,
    /// What this entry shows the export to carry.
    pub probes: Vec<Probe>,
    /// Things an operator should know.
    pub notes: Vec<&'static str>,
    pub digest: u64,
    pub partial: Option<Box<Partial>>,
}

/// An entry of which some attribute came in ranges.
#[derive(Clone, Debug, Default)]
pub struct Partial {
    pub ranges: BTreeMap<&'static str, Vec<Range>>,
    /// The other attributes, to tell a further range of the same entry from another state of it.
    pub others: BTreeMap<&'static str, Vec<Vec<u8>>>,
}

impl Partial {
    /// Where the ranges of an attribute leave off: `None` when they run from 0 to the end.
    pub fn gap(&self, name: &str) -> Option<u64> {
        let mut ranges = self.ranges.get(name)?.clone();
        ranges.sort_unstable();
        let mut next = 0;
        for (low, high) in ranges {
            if low > next {
                break;
            }
            match high {
                None => return None,
                Some(high) => next = next.max(high.saturating_add(1)),
            }
        }
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(ranges: &[Range]) -> Option<u64> {
        Partial { ranges: BTreeMap::from([("member", ranges.to_vec())]), ..Partial::default() }.gap("member")
    }

    #[test]
    fn ranges_are_whole_only_from_zero_to_the_end() {
        assert_eq!(gap(&[(0, Some(1499)), (1500, None)]), None);
        assert_eq!(gap(&[(1500, None), (0, Some(1499))]), None);
        assert_eq!(gap(&[(0, Some(1499))]), Some(1500));
        assert_eq!(gap(&[(0, Some(1499)), (3000, None)]), Some(1500));
        assert_eq!(gap(&[(1500, None)]), Some(0));
    }
}
