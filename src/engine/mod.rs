//! The embedded engine: views by array lookup, checks over partitions of whole accounts; and Spark in its place.

mod behind;
pub mod build;
pub mod evaluate;
pub mod findings;
pub mod load;
mod near;
pub mod parts;
pub mod spark;
pub mod tables;
pub mod turns;
pub mod views;

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;
use polars::prelude::DataFrame;

pub use load::System;
pub use near::Near;
pub use spark::{Engine, Spark, SparkError};
pub use tables::Tables;

use crate::model::approvals::Approvals;
use crate::model::cell::ColType;
use crate::model::*;
use crate::sql::{Catalog, Type, View, frame};

/// The portable definitions of the views, for engines other than this one.
pub const VIEWS_SQL: &str = include_str!("views.sql");

/// Everything that the checks and the renderers of one run stand on.
#[derive(Debug, Default)]
pub struct Run {
    pub as_of: Time,
    /// Current snapshots in the order of `system_ix`.
    pub systems: Vec<System>,
    pub seen: Vec<RunSystemRow>,
    pub sources: Vec<SourceRow>,
    pub identities: Vec<RunIdentityRow>,
    pub account_state: Vec<AccountStateRow>,
    pub account_identity: Vec<AccountIdentityRow>,
    pub match_trace: Vec<MatchTraceRow>,
    pub group_reach: Vec<GroupReachRow>,
    pub changes: Vec<ChangeRow>,
    pub edge_history: EdgeHistory,
    pub log_coverage: Vec<LogCoverageRow>,
    /// What requests say of the edges; its rows are made part by part.
    pub approvals: Approvals,
    pub revocations: Vec<RevocationRow>,
    pub roles_seen: Vec<RoleSeenRow>,
    pub role_fit: Vec<RoleFitRow>,
    pub movers: Vec<MoverRow>,
    /// Where earlier people lists state the posts from which people moved whose access may be left over, by `identity_ix`.
    pub former_posts: BTreeMap<u32, Vec<serde_json::Value>>,
    /// Some people list has an earlier snapshot or a log, so that nobody moving is a fact.
    pub sees_moves: bool,
    pub mover_access: Vec<MoverAccessRow>,
    pub leaver_reach: Vec<LeaverReachRow>,
    /// Rows of `leaver_reach` by system and native id of the secret.
    pub reach_by_secret: BTreeMap<(u32, String), Vec<usize>>,
    /// Systems of whose secrets some source says who may read them.
    pub readable_secrets: BTreeSet<u32>,
    /// Earlier snapshots on which rows of `leaver_reach` stand.
    pub past: Vec<System>,
    pub principal_risk: Vec<PrincipalRiskRow>,
}

impl Run {
    /// The system of an ordinal.
    pub fn system(&self, system_ix: Option<u32>) -> Option<&System> {
        self.systems.get(system_ix? as usize)
    }

    /// The candidates of an account, best first.
    pub fn candidates(&self, system_ix: u32, account_ix: u32) -> &[AccountIdentityRow] {
        slice(&self.account_identity, |r| (r.system_ix, r.account_ix), (system_ix, account_ix))
    }

    /// The candidates of an account and of all behind it.
    pub fn candidates_from(&self, system_ix: u32, account_ix: u32) -> &[AccountIdentityRow] {
        let from = self.account_identity.partition_point(|r| (r.system_ix, r.account_ix) < (system_ix, account_ix));
        self.account_identity.get(from..).unwrap_or_default()
    }

    /// What the run knows of an account.
    pub fn state(&self, system_ix: u32, account_ix: u32) -> Option<&AccountStateRow> {
        slice(&self.account_state, |r| (r.system_ix, r.account_ix), (system_ix, account_ix)).first()
    }

    /// What a group reaches.
    pub fn reach(&self, system_ix: u32, group_ix: u32) -> Option<&GroupReachRow> {
        slice(&self.group_reach, |r| (r.system_ix, r.group_ix), (system_ix, group_ix)).first()
    }

    /// The moves of a person, in order.
    pub fn movers_of(&self, identity_ix: u32) -> &[MoverRow] {
        slice(&self.movers, |m| m.identity_ix, identity_ix)
    }

    /// Whether a role catalogue gives some right in a system, so that access to it can be judged.
    pub fn catalogue_names(&self, system: &System) -> bool {
        self.systems.iter().flat_map(|s| &s.role_model).any(|r| r.gives_in(&system.name))
    }

    /// Who of those who left could read a secret.
    pub fn reach_of<'a>(&'a self, system_ix: u32, secret: &str) -> impl Iterator<Item = &'a LeaverReachRow> + use<'a> {
        let rows = self.reach_by_secret.get(&(system_ix, secret.to_owned())).map(Vec::as_slice).unwrap_or_default();
        rows.iter().filter_map(|at| self.leaver_reach.get(*at))
    }

    /// The snapshot of a system by its name, current or earlier.
    pub fn snapshot(&self, system_ix: u32, name: &str) -> Option<&System> {
        self.systems.iter().chain(&self.past).find(|s| s.ix == system_ix && s.snapshot == name)
    }

    fn context<'a>(&'a self, system: &'a System) -> Option<build::Context<'a>> {
        Some(build::Context {
            system,
            seen: self.seen.get(system.ix as usize)?,
            states: slice(&self.account_state, |r| r.system_ix, system.ix),
            candidates: slice(&self.account_identity, |r| r.system_ix, system.ix),
            reach: slice(&self.group_reach, |r| r.system_ix, system.ix),
            fit: slice(&self.role_fit, |r| r.system_ix, system.ix),
            risks: slice(&self.principal_risk, |r| r.system_ix, system.ix),
            identities: &self.identities,
        })
    }
}

/// The rows of a sorted slice whose key is `key`.
fn slice<T, K: Ord>(rows: &[T], of: impl Fn(&T) -> K, key: K) -> &[T] {
    let from = rows.partition_point(|r| of(r) < key);
    let to = rows.partition_point(|r| of(r) <= key);
    rows.get(from..to).unwrap_or_default()
}

/// Arrow or polars refused rows that this crate itself made.
#[derive(Debug, thiserror::Error)]
#[error("view `{view}`: {what}")]
pub struct FrameError {
    pub view: String,
    pub what: String,
}

/// Names of the views that are cut into parts of whole accounts.
pub fn cut_into_parts() -> BTreeSet<&'static str> {
    views::PARTITIONED.iter().copied().chain([&APPROVALS]).map(|t| t.name).collect()
}

/// Whole views of which a part looks up the rows of its own edges, with their keys: there is a row for every edge of the run.
pub fn looked_up() -> BTreeMap<&'static str, &'static [&'static str]> {
    BTreeMap::from([(EDGE_HISTORY.name, EDGE_HISTORY.key)])
}

/// Every view that a check may read.
pub fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    for table in views::PARTITIONED.iter().copied().chain([&APPROVALS]) {
        catalog.views.insert(table.name.to_owned(), view(table).partitioned());
    }
    let whole = views::WHOLE.iter().copied();
    for table in whole.chain([
        &RUN_SYSTEMS,
        &RUN_IDENTITIES,
        &SOURCES,
        &ACCOUNT_STATE,
        &ACCOUNT_IDENTITY,
        &MATCH_TRACE,
        &GROUP_REACH,
        &CHANGES,
        &EDGE_HISTORY,
        &LOG_COVERAGE,
        &REVOCATIONS,
        &ROLES_SEEN,
        &MOVERS,
        &LEAVER_REACH,
        &PRINCIPAL_RISK,
        &EXCEPTION_MATCHES,
    ]) {
        catalog.views.insert(table.name.to_owned(), view(table));
    }
    catalog
}

/// A table as the check language sees it.
pub fn view(table: &Table) -> View {
    let columns: Vec<(&str, Type, bool)> = table.columns.iter().map(|c| (c.name, sql_type(c.ty), c.nullable)).collect();
    View::new(&columns).keyed(table.key)
}

fn sql_type(ty: ColType) -> Type {
    match ty {
        ColType::U32 => Type::U32,
        ColType::U64 => Type::U64,
        ColType::I64 => Type::Bigint,
        ColType::F64 => Type::Double,
        ColType::Bool => Type::Boolean,
        ColType::Text | ColType::Word(_) => Type::Text,
        ColType::Time => Type::Timestamp,
    }
}

/// The batch of a frame, for writing.
///
/// # Errors
/// A column type that the store does not hold.
pub fn batch_of(frame: &DataFrame) -> Result<RecordBatch, FrameError> {
    frame::to_batch(frame).map_err(|e| FrameError { view: "query".to_owned(), what: e.to_string() })
}
