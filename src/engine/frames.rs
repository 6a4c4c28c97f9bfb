//! The views of a run as frames: in parts of whole accounts, and as a whole. Only what somebody reads is built.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::DataFrame;

use super::{FrameError, Frames, PARTITION, Partition, Run, build, frame_of, slice, views};
use crate::model::*;
use crate::sql::frame;

/// Names of the views that will be read.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// In parts; `None`: all.
    pub parts: Option<BTreeSet<String>>,
    /// As a whole; `None`: all.
    pub whole: Option<BTreeSet<String>>,
}

impl Wanted {
    fn part(&self, table: &Table) -> bool {
        self.parts.as_ref().is_none_or(|names| names.contains(table.name))
    }

    fn whole(&self, table: &Table) -> bool {
        self.whole.as_ref().is_none_or(|names| names.contains(table.name))
    }
}

/// Frames under construction. The whole of a view is its parts, one below the other: they share their memory.
struct Build<'w> {
    wanted: &'w Wanted,
    whole: BTreeMap<&'static str, DataFrame>,
}

impl Build<'_> {
    /// Adds rows of a view, and gives them back as a part if parts of it are wanted.
    fn add<R: Row>(&mut self, rows: impl FnOnce() -> Vec<R>, in_parts: bool) -> Result<Option<DataFrame>, FrameError> {
        let (part, whole) = (in_parts && self.wanted.part(R::TABLE), self.wanted.whole(R::TABLE));
        if !part && !whole {
            return Ok(None);
        }
        let frame = frame_of(&rows())?;
        if whole {
            self.below(R::TABLE.name, &frame)?;
        }
        Ok(part.then_some(frame))
    }

    fn below(&mut self, view: &'static str, frame: &DataFrame) -> Result<(), FrameError> {
        match self.whole.get_mut(view) {
            None => {
                self.whole.insert(view, frame.clone());
            }
            Some(above) => {
                above.vstack_mut(frame).map_err(|e| FrameError { view, what: e.to_string() })?;
            }
        }
        Ok(())
    }

    /// A table of the run.
    fn table<R: Row>(&mut self, rows: &[R]) -> Result<(), FrameError> {
        if self.wanted.whole(R::TABLE) {
            self.below(R::TABLE.name, &frame_of(rows)?)?;
        }
        Ok(())
    }
}

impl Build<'_> {
    /// As [`Build::table`]; its rows are written out only here.
    fn edge_history(&mut self, run: &Run) -> Result<(), FrameError> {
        if !self.wanted.whole(&EDGE_HISTORY) {
            return Ok(());
        }
        let fail = |what: String| FrameError { view: EDGE_HISTORY.name, what };
        let batches: Vec<_> = run.edge_history.batches().collect::<Result<_, _>>().map_err(|e| fail(e.to_string()))?;
        let rows = frame::from_batches(&EDGE_HISTORY.arrow(), &batches).map_err(|e| fail(e.to_string()))?;
        self.below(EDGE_HISTORY.name, &rows)
    }
}

impl Frames {
    /// Builds every view of a run.
    ///
    /// # Errors
    /// Arrow or polars refuses rows.
    pub fn build(run: &Run) -> Result<Self, FrameError> {
        Self::of(run, &Wanted::default())
    }

    /// Builds the views of a run that are wanted.
    ///
    /// # Errors
    /// Arrow or polars refuses rows.
    pub fn of(run: &Run, wanted: &Wanted) -> Result<Self, FrameError> {
        let mut build = Build { wanted, whole: BTreeMap::new() };
        let mut partitions = Vec::new();
        empty(&mut build)?;
        let present = run.systems.iter().map(|s| s.name.as_str()).collect();
        for system in &run.systems {
            let Some(context) = run.context(system) else { continue };
            let count = u32::try_from(system.accounts.len()).unwrap_or(u32::MAX);
            for from in (0..count).step_by(PARTITION as usize) {
                let to = from.saturating_add(PARTITION).min(count);
                partitions.push(Partition { system_ix: system.ix, frames: part(&mut build, run, &context, from, to)? });
            }
            build.add(|| build::grants(&context), false)?;
            build.add(|| build::memberships(&context), false)?;
            build.add(|| build::credentials(&context), false)?;
            build.add(|| build::moved_access(&context, slice(&run.mover_access, |r| r.system_ix, system.ix)), false)?;
            build.add(|| build::register(system, &present), false)?;
            build.add(|| build::reviews(system), false)?;
        }
        tables(&mut build, run)?;
        Ok(Self { partitions, whole: build.whole })
    }
}

/// The views of the accounts `from..to` of one system.
fn part(
    build: &mut Build<'_>,
    run: &Run,
    context: &build::Context<'_>,
    from: u32,
    to: u32,
) -> Result<BTreeMap<&'static str, DataFrame>, FrameError> {
    let approvals = slice(&run.approvals, |r| r.system_ix, context.system.ix);
    let parts = [
        (views::V_ACCOUNTS.name, build.add(|| build::accounts(context, from, to), true)?),
        (views::V_CANDIDATES.name, build.add(|| build::candidates(context, from, to), true)?),
        (views::V_ACCESS.name, build.add(|| build::access(context, from, to), true)?),
        (views::V_ACCESS_FIT.name, build.add(|| build::access_fit(context, from, to), true)?),
        (views::V_ESCALATIONS.name, build.add(|| build::escalations(context, from, to), true)?),
        (APPROVALS.name, build.add(|| within(approvals, from, to).to_vec(), true)?),
    ];
    Ok(parts.into_iter().filter_map(|(name, frame)| frame.map(|f| (name, f))).collect())
}

/// Views without a row are there all the same.
fn empty(build: &mut Build<'_>) -> Result<(), FrameError> {
    macro_rules! none {
        ($($view:ident),*) => { $(build.add(Vec::<views::$view>::new, false)?;)* };
    }
    none!(AccountView, CandidateView, AccessView, AccessFitView, EscalationView, MovedAccessView);
    none!(GrantView, MembershipView, CredentialView, RegisterView, ReviewView);
    build.add(Vec::<ApprovalRow>::new, false)?;
    Ok(())
}

/// The tables of the run that are views as they stand.
fn tables(build: &mut Build<'_>, run: &Run) -> Result<(), FrameError> {
    build.table(&run.seen)?;
    build.table(&run.identities)?;
    build.table(&run.sources)?;
    build.table(&run.account_state)?;
    build.table(&run.account_identity)?;
    build.table(&run.match_trace)?;
    build.table(&run.group_reach)?;
    build.table(&run.changes)?;
    build.edge_history(run)?;
    build.table(&run.log_coverage)?;
    build.table(&run.revocations)?;
    build.table(&run.roles_seen)?;
    build.table(&run.movers)?;
    build.table(&run.leaver_reach)?;
    build.table(&run.principal_risk)
}

/// The approvals of the accounts `from..to` of one system.
fn within(rows: &[ApprovalRow], from: u32, to: u32) -> &[ApprovalRow] {
    rows.get(rows.partition_point(|r| r.account_ix < from)..rows.partition_point(|r| r.account_ix < to)).unwrap_or_default()
}
