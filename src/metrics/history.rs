//! What earlier snapshots show of people who left or joined: only their accounts, look by look.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::Run;
use crate::model::time::DAY;
use crate::model::{Answer, IdentityKind, RunIdentityRow, Standing, Time};

/// Looks and links of every system that shows access.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// By `system_ix`.
    pub systems: BTreeMap<u32, SystemHistory>,
    /// Who may be behind an account, by system and native id; accounts that are gone since included.
    pub links: BTreeMap<(u32, String), Vec<Link>>,
}

/// One candidate of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    pub identity_ix: u32,
    /// It is the only one and certain.
    pub linked: bool,
}

/// The snapshots of one system.
#[derive(Clone, Debug, Default)]
pub struct SystemHistory {
    /// Ascending; the current one is the last.
    pub looks: Vec<Look>,
    /// When accounts of people who joined were created, by native id: those of the current snapshot for which it tells.
    pub created: BTreeMap<String, Time>,
    /// When the system's own log says that an account was disabled or deleted, or lost all it had: by native id, ascending.
    pub cut_off: BTreeMap<String, BTreeSet<Time>>,
}

/// One snapshot.
#[derive(Clone, Debug, Default)]
pub struct Look {
    pub at: Time,
    /// What it does not show is not there.
    pub complete: bool,
    /// Accounts that matter, by native id.
    pub accounts: BTreeMap<String, AccountLook>,
}

/// One account in one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountLook {
    /// Whether it lets anybody in (11.9).
    pub live: Answer,
}

/// How long before the run's instant a start of employment still makes a joiner.
pub const JOINED_WITHIN: i64 = 365 * DAY;

fn is_person(i: &RunIdentityRow) -> bool {
    matches!(i.kind, IdentityKind::Person | IdentityKind::External)
}

/// People who have left, by ordinal.
pub fn leavers(run: &Run) -> BTreeSet<u32> {
    let left = run.identities.iter().filter(|i| is_person(i) && i.standing == Standing::Left && i.left_by.is_some());
    left.map(|i| i.identity_ix).collect()
}

/// People whose present employment began within [`JOINED_WITHIN`], by ordinal.
pub fn joiners(run: &Run) -> BTreeSet<u32> {
    let since = run.as_of.plus(-JOINED_WITHIN);
    let new = |i: &&RunIdentityRow| is_person(i) && i.active_since.is_some_and(|at| at > since && at <= run.as_of);
    run.identities.iter().filter(new).map(|i| i.identity_ix).collect()
}
