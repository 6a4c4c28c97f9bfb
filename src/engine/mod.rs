//! The embedded engine: views by array lookup, checks over partitions of whole accounts.

mod behind;
pub mod build;
pub mod evaluate;
pub mod findings;
pub mod load;
pub mod views;

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;
use polars::prelude::DataFrame;

pub use load::System;

use crate::model::cell::ColType;
use crate::model::*;
use crate::sql::{Catalog, Type, View, frame};

/// The portable definitions of the views, for engines other than this one.
pub const VIEWS_SQL: &str = include_str!("views.sql");

/// Accounts in one partition.
const PARTITION: u32 = 65_536;

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
    pub edge_history: Vec<EdgeHistoryRow>,
    pub log_coverage: Vec<LogCoverageRow>,
    pub approvals: Vec<ApprovalRow>,
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

    /// What the run knows of an account.
    pub fn state(&self, system_ix: u32, account_ix: u32) -> Option<&AccountStateRow> {
        slice(&self.account_state, |r| (r.system_ix, r.account_ix), (system_ix, account_ix)).first()
    }

    /// What a group reaches.
    pub fn reach(&self, system_ix: u32, group_ix: u32) -> Option<&GroupReachRow> {
        slice(&self.group_reach, |r| (r.system_ix, r.group_ix), (system_ix, group_ix)).first()
    }

    /// Since when an edge is there.
    pub fn history(&self, system_ix: u32, grant: bool, edge_ix: u32) -> Option<&EdgeHistoryRow> {
        // `grant` before `membership`, as the table's key has it.
        slice(&self.edge_history, |r| (r.system_ix, r.edge != "grant", r.edge_ix), (system_ix, !grant, edge_ix)).first()
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

/// The approvals of the accounts `from..to` of one system.
fn within(rows: &[ApprovalRow], from: u32, to: u32) -> &[ApprovalRow] {
    rows.get(rows.partition_point(|r| r.account_ix < from)..rows.partition_point(|r| r.account_ix < to)).unwrap_or_default()
}

/// The views of a set of whole accounts of one system.
#[derive(Debug)]
pub struct Partition {
    pub system_ix: u32,
    pub frames: BTreeMap<&'static str, DataFrame>,
}

/// Every view, in partitions and whole.
#[derive(Debug, Default)]
pub struct Frames {
    pub partitions: Vec<Partition>,
    pub whole: BTreeMap<&'static str, DataFrame>,
}

/// Arrow or polars refused rows that this crate itself made.
#[derive(Debug, thiserror::Error)]
#[error("view `{view}`: {what}")]
pub struct FrameError {
    pub view: &'static str,
    pub what: String,
}

/// The frame of rows of one table.
///
/// # Errors
/// Arrow or polars refuses them.
pub fn frame_of<R: Row>(rows: &[R]) -> Result<DataFrame, FrameError> {
    let fail = |what: String| FrameError { view: R::TABLE.name, what };
    let batch = to_batch(rows).map_err(|e| fail(e.to_string()))?;
    frame::from_batches(&R::TABLE.arrow(), &[batch]).map_err(|e| fail(e.to_string()))
}

impl Frames {
    /// Builds every view of a run.
    ///
    /// # Errors
    /// Arrow or polars refuses rows.
    pub fn build(run: &Run) -> Result<Self, FrameError> {
        let mut out = Self::default();
        let (mut accounts, mut candidates, mut access, mut fit) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut grants, mut memberships, mut credentials, mut moved) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut register, mut reviews, mut escalations) = (Vec::new(), Vec::new(), Vec::new());
        let present = run.systems.iter().map(|s| s.name.as_str()).collect();
        for system in &run.systems {
            let Some(context) = run.context(system) else { continue };
            let count = u32::try_from(system.accounts.len()).unwrap_or(u32::MAX);
            let approvals = slice(&run.approvals, |r| r.system_ix, system.ix);
            for from in (0..count).step_by(PARTITION as usize) {
                let to = from.saturating_add(PARTITION).min(count);
                let part = (
                    build::accounts(&context, from, to),
                    build::candidates(&context, from, to),
                    build::access(&context, from, to),
                    build::access_fit(&context, from, to),
                );
                let risks = build::escalations(&context, from, to);
                let frames = BTreeMap::from([
                    (views::V_ACCOUNTS.name, frame_of(&part.0)?),
                    (views::V_CANDIDATES.name, frame_of(&part.1)?),
                    (views::V_ACCESS.name, frame_of(&part.2)?),
                    (APPROVALS.name, frame_of(within(approvals, from, to))?),
                    (views::V_ACCESS_FIT.name, frame_of(&part.3)?),
                    (views::V_ESCALATIONS.name, frame_of(&risks)?),
                ]);
                out.partitions.push(Partition { system_ix: system.ix, frames });
                accounts.extend(part.0);
                candidates.extend(part.1);
                access.extend(part.2);
                fit.extend(part.3);
                escalations.extend(risks);
            }
            grants.extend(build::grants(&context));
            memberships.extend(build::memberships(&context));
            credentials.extend(build::credentials(&context));
            register.extend(build::register(system, &present));
            reviews.extend(build::reviews(system));
            moved.extend(build::moved_access(&context, slice(&run.mover_access, |r| r.system_ix, system.ix)));
        }
        out.whole = BTreeMap::from([
            (views::V_ACCOUNTS.name, frame_of(&accounts)?),
            (views::V_CANDIDATES.name, frame_of(&candidates)?),
            (views::V_ACCESS.name, frame_of(&access)?),
            (views::V_ACCESS_FIT.name, frame_of(&fit)?),
            (views::V_MOVED_ACCESS.name, frame_of(&moved)?),
            (views::V_ESCALATIONS.name, frame_of(&escalations)?),
            (views::V_GRANTS.name, frame_of(&grants)?),
            (views::V_MEMBERSHIPS.name, frame_of(&memberships)?),
            (views::V_CREDENTIALS.name, frame_of(&credentials)?),
            (views::V_REGISTER.name, frame_of(&register)?),
            (views::V_REVIEWS.name, frame_of(&reviews)?),
            (RUN_SYSTEMS.name, frame_of(&run.seen)?),
            (RUN_IDENTITIES.name, frame_of(&run.identities)?),
            (SOURCES.name, frame_of(&run.sources)?),
            (ACCOUNT_STATE.name, frame_of(&run.account_state)?),
            (ACCOUNT_IDENTITY.name, frame_of(&run.account_identity)?),
            (MATCH_TRACE.name, frame_of(&run.match_trace)?),
            (GROUP_REACH.name, frame_of(&run.group_reach)?),
            (CHANGES.name, frame_of(&run.changes)?),
            (EDGE_HISTORY.name, frame_of(&run.edge_history)?),
            (LOG_COVERAGE.name, frame_of(&run.log_coverage)?),
            (APPROVALS.name, frame_of(&run.approvals)?),
            (REVOCATIONS.name, frame_of(&run.revocations)?),
            (ROLES_SEEN.name, frame_of(&run.roles_seen)?),
            (MOVERS.name, frame_of(&run.movers)?),
            (LEAVER_REACH.name, frame_of(&run.leaver_reach)?),
            (PRINCIPAL_RISK.name, frame_of(&run.principal_risk)?),
        ]);
        Ok(out)
    }
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
    frame::to_batch(frame).map_err(|e| FrameError { view: "query", what: e.to_string() })
}
