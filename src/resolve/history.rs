//! Since when each edge is there, as far as the stored snapshots show it.

use super::edges::{Common, Edge, Picture, Side, by_key};
use crate::model::{EdgeHistoryRow, GRANTS, MEMBERSHIPS, Table, Time};

/// What the snapshots showed of one edge, oldest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Life {
    first_after: Option<Time>,
    first_by: Option<Time>,
    last_absent: Option<Time>,
    /// Start and newest sight of the stretch in which it is, or last was, held.
    since_by: Option<Time>,
    last_held: Option<Time>,
    held_until: Option<Time>,
    held: bool,
}

impl Life {
    fn hold(&mut self, at: Time) {
        if self.first_by.is_none() {
            (self.first_after, self.first_by) = (self.last_absent, Some(at));
        }
        if !self.held {
            self.since_by = Some(at);
        }
        (self.held, self.last_held) = (true, Some(at));
    }

    /// Absent from a snapshot that would hold it.
    fn lack(&mut self, at: Time) {
        if self.held {
            self.held_until = self.last_held;
        }
        (self.held, self.last_absent) = (false, Some(at));
    }

    fn row(&self, system_ix: u32, edge: &str, edge_ix: u32) -> Option<EdgeHistoryRow> {
        let regranted = self.since_by != self.first_by;
        Some(EdgeHistoryRow {
            system_ix,
            edge: edge.to_owned(),
            edge_ix,
            first_seen_after: self.first_after,
            first_seen_by: self.first_by?,
            last_absent: self.last_absent,
            since_by: self.since_by?,
            held_until: self.held_until.filter(|_| regranted),
            regranted,
            revoked_at: None,
            revoked_by: None,
        })
    }
}

/// The history of every edge of the current snapshot. Earlier snapshots are shown to it one by one, the oldest first, so that no two of
/// them are in memory at once.
#[derive(Clone, Debug)]
pub struct Histories<'a> {
    now: Picture<'a>,
    memberships: Vec<Life>,
    grants: Vec<Life>,
}

impl<'a> Histories<'a> {
    /// Nothing but the current snapshot is known yet.
    pub fn new(now: Picture<'a>) -> Self {
        Self { memberships: vec![Life::default(); now.memberships.len()], grants: vec![Life::default(); now.grants.len()], now }
    }

    /// An earlier snapshot, later than those shown before. A short one shows what it holds; what it leaves out may be there.
    pub fn show(&mut self, earlier: &Picture<'_>) {
        let common = Common::of(earlier, &self.now);
        let now = self.now;
        let both = |table: &Table| earlier.speaks_of(table) && now.speaks_of(table);
        if both(&MEMBERSHIPS) {
            let (before, now) = (common.memberships(Side::Before, earlier), common.memberships(Side::Now, &now));
            note(&mut self.memberships, &before, &now, earlier);
        }
        if both(&GRANTS) {
            let (before, now) = (common.grants(Side::Before, earlier), common.grants(Side::Now, &now));
            note(&mut self.grants, &before, &now, earlier);
        }
    }

    /// Table `edge_history` of the system: grants, then memberships, each in the order of its ordinals.
    pub fn finish(mut self, system_ix: u32) -> Vec<EdgeHistoryRow> {
        let at = self.now.taken_at;
        self.memberships.iter_mut().chain(&mut self.grants).for_each(|life| life.hold(at));
        let grants = self.now.grants.iter().zip(&self.grants).filter_map(|(g, life)| life.row(system_ix, "grant", g.grant_ix));
        let memberships =
            self.now.memberships.iter().zip(&self.memberships).filter_map(|(m, life)| life.row(system_ix, "membership", m.membership_ix));
        let mut rows: Vec<EdgeHistoryRow> = grants.chain(memberships).collect();
        rows.sort_by(|a, b| (&a.edge, a.edge_ix).cmp(&(&b.edge, b.edge_ix)));
        rows
    }
}

fn note(lives: &mut [Life], before: &[Edge<'_>], now: &[Edge<'_>], earlier: &Picture<'_>) {
    for (then, current) in by_key(before, now) {
        for edge in current {
            let Some(life) = lives.get_mut(edge.at) else { continue };
            // Under another generation it was another account's, or another group's.
            if !then.is_empty() && !edge.renewed {
                life.hold(earlier.taken_at);
            } else if !earlier.short {
                life.lack(earlier.taken_at);
            }
        }
    }
}
