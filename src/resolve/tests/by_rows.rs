//! What changed and since when edges are there, by looking at every row of whole snapshots: the reference for what merged columns tell.

use crate::model::*;
use crate::resolve::changes::{Comparison, finish, mark_regrants, sort_key, uncovered, withhold_both};
use crate::resolve::edges::{Common, Edge, Picture, by_key};
use crate::resolve::history::Life;
use crate::resolve::merge::Side;

/// As [`crate::resolve::changes()`]; each snapshot with its instant and whether it is short.
pub fn changes_by_rows(
    system_ix: u32,
    (before, then, short_before): (&Picture<'_>, Time, bool),
    (now, taken_at, short): (&Picture<'_>, Time, bool),
    history: &[EdgeHistoryRow],
) -> Vec<ChangeRow> {
    let mut told = EdgeHistory::default();
    history.iter().for_each(|row| told.push(row).unwrap());
    let common = &Common::of(before, now);
    let mut out = Vec::new();
    for (object, table) in ChangeObject::ALL.iter().zip([&ACCOUNTS, &CREDENTIALS, &MEMBERSHIPS, &GRANTS]) {
        let mut found = match (before.speaks_of(table), now.speaks_of(table)) {
            (false, false) => continue,
            (true, true) => Comparison { before, now, common, object: *object }.rows(),
            (true, false) => vec![uncovered(*object, table, taken_at)],
            (false, true) => vec![uncovered(*object, table, then)],
        };
        mark_regrants(*object, &mut found, &told, system_ix, then);
        withhold_both(*object, &mut found, (then, short_before), (taken_at, short));
        found.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
        out.extend(found);
    }
    finish(&mut out, system_ix, Some(then), taken_at);
    out
}

/// As [`crate::resolve::Histories`], one life for each edge.
pub struct HistoriesByRows<'a> {
    now: Picture<'a>,
    taken_at: Time,
    memberships: Vec<Life>,
    grants: Vec<Life>,
}

impl<'a> HistoriesByRows<'a> {
    pub fn new(now: Picture<'a>, taken_at: Time) -> Self {
        Self { memberships: vec![Life::default(); now.memberships.len()], grants: vec![Life::default(); now.grants.len()], now, taken_at }
    }

    pub fn show(&mut self, earlier: &Picture<'_>, at: Time, short: bool) {
        let common = Common::of(earlier, &self.now);
        let now = self.now;
        let both = |table: &Table| earlier.speaks_of(table) && now.speaks_of(table);
        let renewed = |account, groups: &[Option<u32>]| {
            common.account_renewed(Side::Now, account) || groups.iter().any(|g| common.group_renewed(Side::Now, *g))
        };
        if both(&MEMBERSHIPS) {
            let edges = (common.memberships(Side::Before, earlier), common.memberships(Side::Now, &now));
            let of = |at: usize| {
                let m = &now.memberships[at];
                renewed(m.account_ix, &[m.member_group_ix, Some(m.group_ix)])
            };
            note(&mut self.memberships, edges, at, short, of);
        }
        if both(&GRANTS) {
            let edges = (common.grants(Side::Before, earlier), common.grants(Side::Now, &now));
            note(&mut self.grants, edges, at, short, |at| renewed(now.grants[at].account_ix, &[now.grants[at].group_ix]));
        }
    }

    pub fn finish(mut self, system_ix: u32) -> Vec<EdgeHistoryRow> {
        let at = self.taken_at;
        self.memberships.iter_mut().chain(&mut self.grants).for_each(|life| life.hold(at));
        let grants = self.now.grants.iter().map(|g| ("grant", g.grant_ix)).zip(&self.grants);
        let memberships = self.now.memberships.iter().map(|m| ("membership", m.membership_ix)).zip(&self.memberships);
        let row = |((edge, edge_ix), life): ((&str, u32), &Life)| {
            let p = life.presence();
            EdgeHistoryRow {
                system_ix,
                edge: edge.to_owned(),
                edge_ix,
                first_seen_after: p.first_seen_after,
                first_seen_by: p.first_seen_by,
                last_absent: p.last_absent,
                since_by: p.since_by,
                held_until: p.held_until,
                regranted: p.regranted,
                revoked_at: None,
                revoked_by: None,
            }
        };
        let mut rows: Vec<EdgeHistoryRow> = grants.chain(memberships).map(row).collect();
        rows.sort_by(|a, b| (&a.edge, a.edge_ix).cmp(&(&b.edge, b.edge_ix)));
        rows
    }
}

fn note(lives: &mut [Life], edges: (Vec<Edge<'_>>, Vec<Edge<'_>>), at: Time, short: bool, renewed: impl Fn(usize) -> bool) {
    for (then, current) in by_key(&edges.0, &edges.1) {
        for edge in current {
            if !then.is_empty() && !renewed(edge.at) {
                lives[edge.at].hold(at);
            } else if !short {
                lives[edge.at].lack(at);
            }
        }
    }
}
