//! The views in parts of whole accounts, column by column: nothing is read or computed before somebody asks for it.
//!
//! A cut is a range of accounts of one system with all that they hold, or the tail of a system: what no account holds. Text that many rows
//! share (targets, people, words) comes as dictionaries over the dimension, so that no string is copied.

mod access;
mod accounts;
mod approvals;
mod candidates;
mod columns;
mod fit;
mod held;
mod targets;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};

use self::columns::{Source, constant, engine, instant, number};
use self::held::Credentials;
use self::targets::{People, Targets};
use super::load::System;
use super::views::*;
use super::{Run, build};
use crate::model::*;
use crate::sql::SqlError;
use crate::sql::local::Part;

/// Whole accounts of one system, or what no account of it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    pub system_ix: u32,
    /// First account.
    pub from: u32,
    /// The account behind the last; equal to `from` for the tail.
    pub to: u32,
}

/// The cuts of a run, with what their columns have in common.
pub struct Parts<'r> {
    run: &'r Run,
    people: OnceLock<People>,
    requests: OnceLock<approvals::Requests>,
    systems: Vec<Shared>,
    pub cuts: Vec<Cut>,
}

/// What the cuts of one system have in common.
#[derive(Default)]
struct Shared {
    targets: OnceLock<Targets>,
    credentials: OnceLock<Result<Credentials, String>>,
    entitlement_kinds: OnceLock<held::Kinds>,
}

impl<'r> Parts<'r> {
    /// Cuts the systems of a run into parts of `accounts` accounts.
    pub fn new(run: &'r Run, accounts: u32) -> Self {
        let mut cuts = Vec::new();
        for s in &run.systems {
            let count = u32::try_from(s.accounts.len()).unwrap_or(u32::MAX);
            for from in (0..count).step_by(accounts.max(1) as usize) {
                cuts.push(Cut { system_ix: s.ix, from, to: from.saturating_add(accounts.max(1)).min(count) });
            }
            if has_tail(s) {
                cuts.push(Cut { system_ix: s.ix, from: count, to: count });
            }
        }
        Self {
            run,
            people: OnceLock::new(),
            requests: OnceLock::new(),
            systems: run.systems.iter().map(|_| Shared::default()).collect(),
            cuts,
        }
    }

    /// The columns of a cut. `None`: it is of no system of the run.
    pub fn part(&self, cut: Cut) -> Option<Columns<'_>> {
        let system = self.run.system(Some(cut.system_ix))?;
        let context = self.run.context(system)?;
        let tail = cut.from == cut.to;
        let span = |of: fn(&System, u32, u32) -> Range<usize>, len: usize| {
            if tail { of(system, 0, u32::MAX).end..len } else { of(system, cut.from, cut.to) }
        };
        Some(Columns {
            parts: self,
            shared: self.systems.get(cut.system_ix as usize)?,
            context,
            cut,
            accounts: Source::new(&system.accounts, cut.from as usize..cut.to as usize),
            memberships: Source::new(&system.memberships, span(System::memberships_of, system.memberships.len())),
            grants: Source::new(&system.grants, span(System::grants_of, system.grants.len())),
            order: OnceLock::new(),
            kept_grants: OnceLock::new(),
            kept_memberships: OnceLock::new(),
            judged: OnceLock::new(),
            fits: OnceLock::new(),
            built: Mutex::new(BTreeMap::new()),
        })
    }

    fn people(&self) -> &People {
        self.people.get_or_init(|| People::new(&self.run.identities))
    }
}

/// Whether something is held by no account. The credentials are not looked through: a tail without a row costs next to nothing.
fn has_tail(s: &System) -> bool {
    s.memberships_of(0, u32::MAX).end < s.memberships.len() || s.grants_of(0, u32::MAX).end < s.grants.len() || !s.credentials.is_empty()
}

/// The views of one cut.
pub struct Columns<'p> {
    parts: &'p Parts<'p>,
    shared: &'p Shared,
    context: build::Context<'p>,
    cut: Cut,
    accounts: Source<'p, AccountRow>,
    memberships: Source<'p, MembershipRow>,
    grants: Source<'p, GrantRow>,
    /// Rows of `access`.
    order: OnceLock<Result<access::Order, SqlError>>,
    kept_grants: OnceLock<Result<held::Kept, SqlError>>,
    kept_memberships: OnceLock<Result<held::Kept, SqlError>>,
    /// Rows of `approvals`.
    judged: OnceLock<Result<approvals::Judged, SqlError>>,
    fits: OnceLock<Result<fit::Fits<'p>, SqlError>>,
    /// Views that are built row by row.
    built: Mutex<BTreeMap<&'static str, RecordBatch>>,
}

impl Columns<'_> {
    fn len(&self) -> usize {
        (self.cut.to - self.cut.from) as usize
    }

    /// The account of a row as its place in the cut.
    fn place(&self, account_ix: &UInt32Array) -> UInt32Array {
        account_ix.iter().map(|a| a.and_then(|a| a.checked_sub(self.cut.from))).collect()
    }

    fn targets(&self) -> &Targets {
        self.shared.targets.get_or_init(|| Targets::new(self.context.system, self.context.reach))
    }

    fn credentials(&self) -> Result<&Credentials, SqlError> {
        let all = self.shared.credentials.get_or_init(|| Credentials::new(&self.context.system.credentials).map_err(|e| e.to_string()));
        all.as_ref().map_err(|e| SqlError::Engine(e.clone()))
    }

    /// A view that is built from rows, once.
    fn of_rows(&self, view: &str) -> Result<RecordBatch, SqlError> {
        let (from, to) = (self.cut.from, self.cut.to);
        let c = &self.context;
        macro_rules! rows {
            ($name:expr, $rows:expr) => {{
                if let Some(batch) = self.built.lock().unwrap_or_else(PoisonError::into_inner).get($name) {
                    return Ok(batch.clone());
                }
                let batch = to_batch(&$rows).map_err(engine)?;
                self.built.lock().unwrap_or_else(PoisonError::into_inner).insert($name, batch.clone());
                Ok(batch)
            }};
        }
        match view {
            "escalations" => rows!(V_ESCALATIONS.name, build::escalations(c, from, to)),
            other => Err(SqlError::MissingTable(other.to_owned())),
        }
    }
}

impl Part for Columns<'_> {
    fn rows(&self, view: &str) -> Result<usize, SqlError> {
        match view {
            "accounts" => Ok(self.len()),
            "candidates" => Ok(self.candidates().len()),
            "access" => Ok(self.order()?.len()),
            "grants" => Ok(self.grants()?.len()),
            "memberships" => Ok(self.memberships()?.len()),
            "credentials" => Ok(self.credentials()?.of(self.cut).len()),
            "approvals" => Ok(self.judged()?.len()),
            "access_fit" => Ok(self.fits()?.len()),
            other => Ok(self.of_rows(other)?.num_rows()),
        }
    }

    fn constant(&self, view: &str, column: &str) -> Result<Option<ArrayRef>, SqlError> {
        let is_of_system = matches!(column, "system_ix" | "system" | "team" | "observed_at");
        let table = PARTITIONED.iter().find(|t| t.name == view).filter(|_| is_of_system && !matches!(view, "escalations"));
        if table.is_none_or(|t| t.columns.iter().all(|c| c.name != column)) {
            return Ok(None);
        }
        Ok(match column {
            "system_ix" => Some(number(self.cut.system_ix, 1)),
            "system" => Some(constant(Some(&self.context.system.name), 1)),
            "team" => Some(constant(self.context.seen.team.as_deref(), 1)),
            _ => Some(instant(self.context.seen.observed_at, 1)),
        })
    }

    fn column(&self, view: &str, column: &str) -> Result<ArrayRef, SqlError> {
        match view {
            "accounts" => self.account(column),
            "candidates" => self.candidate(column),
            "access" => self.access(column),
            "grants" => self.grant(column),
            "memberships" => self.membership(column),
            "credentials" => self.credential(column),
            "approvals" => self.approval(column),
            "access_fit" => self.fit(column),
            other => {
                let batch = self.of_rows(other)?;
                batch.column_by_name(column).cloned().ok_or_else(|| columns::unknown(other, column))
            }
        }
    }
}
