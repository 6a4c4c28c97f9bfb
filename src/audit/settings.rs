//! What an audit is told: everything beside the store that its result depends on.

use std::collections::BTreeMap;

use crate::checks::Check;
use crate::model::time::DAY;
use crate::model::{IdentityKind, Severity, Time};
use crate::sql::Literal;

/// What the configuration says of one source.
#[derive(Clone, Debug, Default)]
pub struct SourcePolicy {
    pub expected: bool,
    /// Microseconds; `None`: freshness is not judged.
    pub max_age: Option<i64>,
    pub max_rejects: u64,
    pub team: Option<String>,
    pub owner: Option<String>,
    pub environment: Option<String>,
    /// Further names by which tickets, roles and reviews call the system.
    pub aliases: Vec<String>,
}

/// What the configuration changes about one check.
#[derive(Clone, Debug, Default)]
pub struct CheckOverride {
    pub enabled: Option<bool>,
    pub severity: Option<Severity>,
    pub parameters: BTreeMap<String, toml::Value>,
    pub reason: Option<String>,
}

/// What one authority speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Empty: the kinds that it lists.
    pub kinds: Vec<IdentityKind>,
    /// Its starts count.
    pub joiners: bool,
    /// Its ends count.
    pub leavers: bool,
}

/// Which findings make the exit code 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Findings at or over it; `None`: none do.
    pub fail_on: Option<Severity>,
    /// New and reopened ones at or over it.
    pub fail_on_new: Option<Severity>,
    /// Possible findings count, too.
    pub possible: bool,
}

impl Default for Gate {
    fn default() -> Self {
        Self { fail_on: Some(Severity::Low), fail_on_new: None, possible: false }
    }
}

/// How much is worked on at once: decides memory and time, never the result.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Rows up to which a table is held in memory.
    pub held_rows: usize,
    /// Accounts of one partition.
    pub partition: u32,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { held_rows: crate::store::facts::HELD_ROWS, partition: 65_536 }
    }
}

/// Everything that an audit depends on, beside the store.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Given by flag or configuration; `None`: that of the newest snapshot.
    pub as_of: Option<Time>,
    pub checks: Vec<Check>,
    pub overrides: BTreeMap<String, CheckOverride>,
    pub sources: BTreeMap<String, SourcePolicy>,
    /// Systems that `sources` does not name are expected all the same: a store that is audited by hand.
    pub expect_all: bool,
    /// Expected or optional sources of which no file was found, by name or pattern.
    pub missing: BTreeMap<String, bool>,
    /// Systems of which a file could not be read in this import, and why: what is current of them is older than it should be.
    pub unreadable: BTreeMap<String, String>,
    /// By system; `None`: every system that lists identities, for the kinds it lists and for all events.
    pub authorities: Option<BTreeMap<String, Authority>>,
    /// Current snapshots further apart are input-incomplete; microseconds.
    pub max_skew: i64,
    /// Share of rows that a table may lose between complete snapshots.
    pub max_drop: f64,
    /// Microseconds within which access should end once the right to it has: what the metrics measure against.
    pub revoke_sla: i64,
    pub resolve: crate::resolve::Settings,
    pub gate: Gate,
    pub sizes: Sizes,
}

impl Settings {
    /// The defaults for a store that is audited by hand.
    pub fn by_hand(checks: Vec<Check>) -> Self {
        Self {
            as_of: None,
            checks,
            overrides: BTreeMap::new(),
            sources: BTreeMap::new(),
            expect_all: true,
            missing: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            authorities: None,
            max_skew: 7 * DAY,
            max_drop: 0.10,
            revoke_sla: DAY,
            resolve: crate::resolve::Settings::default(),
            gate: Gate::default(),
            sizes: Sizes::default(),
        }
    }

    /// The policy of a source.
    pub fn policy(&self, system: &str) -> SourcePolicy {
        let unnamed = SourcePolicy { expected: self.expect_all, ..SourcePolicy::default() };
        self.sources.get(system).cloned().unwrap_or(unnamed)
    }

    /// A text that differs wherever the result could. The checks themselves are hashed apart.
    pub fn digest_text(&self) -> String {
        format!(
            "{:?}|{:?}|{:?}|{}|{:?}|{:?}|{:?}|{}|{}|{}|{:?}|{:?}",
            self.as_of.is_some(),
            self.overrides,
            self.sources,
            self.expect_all,
            self.missing,
            self.unreadable,
            self.authorities,
            self.max_skew,
            self.max_drop,
            self.revoke_sla,
            self.resolve,
            self.gate
        )
    }
}

/// A parameter's value as a person writes it.
pub fn shown(value: &Literal) -> String {
    match value {
        Literal::Integer(i) => i.to_string(),
        Literal::Double(d) => d.to_string(),
        Literal::Text(t) => t.clone(),
        Literal::Boolean(b) => b.to_string(),
        Literal::Timestamp(us) => Time::from_micros(*us).map_or_else(|| us.to_string(), |t| t.to_string()),
        Literal::Days(n) => format!("{n}d"),
        Literal::Hours(n) => format!("{n}h"),
    }
}
