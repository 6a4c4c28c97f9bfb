//! When people moved, and what they kept of the roles that they had before (11.5).
//!
//! A move is a change of title or organisational unit between two snapshots of the people list, dated by the list's own log where that
//! tells of it; what the log alone tells of is a move, too. A title or unit that one of the two snapshots does not state is no change.

use std::collections::{BTreeMap, BTreeSet};

use super::role_fit::{Edge, Edges, Judge, Known, is_person, of_system};
use super::roles::{Catalogue, CatalogueInput, Rights};
use super::settings;
use super::{AuthorityInput, People, Settings, SettingsError, SystemInput};
use crate::model::text::norm;
use crate::model::{AccountIdentityRow, Began, Fit, IdentityRow, MoverAccessRow, MoverRow, RunIdentityRow, Time};

/// A move that the log of a people list states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatedMove {
    /// Native id in the authority.
    pub identity: String,
    pub effective_at: Time,
    /// When the authority entered it, else the first snapshot with it.
    pub known_by: Time,
}

/// What some accounts of a system held in an earlier snapshot.
#[derive(Clone, Debug, Default)]
pub struct PastAccess {
    pub system_ix: u32,
    pub taken_at: Time,
    pub held: BTreeSet<HeldEdge>,
}

/// An edge by native ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeldEdge {
    pub account: String,
    /// `membership` or `grant`.
    pub edge: String,
    pub target: String,
    pub resource: Option<String>,
}

/// Title and unit that one snapshot states of somebody.
#[derive(Clone, Debug, Default)]
struct Post {
    at: Time,
    title: Option<String>,
    unit: Option<String>,
}

impl Post {
    fn of(at: Time, row: &IdentityRow) -> Self {
        Self { at, title: row.title.clone(), unit: row.org_unit.clone() }
    }

    /// Whether both state a title, or both a unit, and not the same.
    fn differs(&self, other: &Self) -> bool {
        let other_than = |a: &Option<String>, b: &Option<String>| {
            let (a, b) = (a.as_deref().and_then(norm), b.as_deref().and_then(norm));
            a.is_some() && b.is_some() && a != b
        };
        other_than(&self.title, &other.title) || other_than(&self.unit, &other.unit)
    }
}

/// Table `movers`.
pub fn movers(authorities: &[AuthorityInput], people: &People) -> Vec<MoverRow> {
    let by_id: BTreeMap<(u32, &str), u32> = people.rows().iter().map(|i| ((i.system_ix, i.identity.as_str()), i.identity_ix)).collect();
    let mut ordered: Vec<&AuthorityInput> = authorities.iter().collect();
    ordered.sort_by_key(|a| a.system_ix);
    let mut found: BTreeMap<u32, Vec<MoverRow>> = BTreeMap::new();
    for authority in ordered {
        let mut stated: BTreeMap<&str, Vec<&StatedMove>> = BTreeMap::new();
        for m in &authority.moves {
            stated.entry(&m.identity).or_default().push(m);
        }
        for (id, posts) in posts(authority) {
            let joined = source_ix(authority, id).and_then(|s| people.identity_of(authority.system_ix, s));
            let Some(identity_ix) = joined.or_else(|| by_id.get(&(authority.system_ix, id)).copied()) else { continue };
            let of_person = stated.get(id).map(Vec::as_slice).unwrap_or_default();
            found.entry(identity_ix).or_default().extend(moves(identity_ix, &posts, of_person));
        }
    }
    let mut out = Vec::new();
    for (_, mut rows) in found {
        rows.sort_by(|a, b| (a.moved_by, !a.exact, &a.from_title, &a.from_unit).cmp(&(b.moved_by, !b.exact, &b.from_title, &b.from_unit)));
        // Two authorities may date one move alike: the one that says more stands first or is as good.
        rows.dedup_by(|b, a| a.exact && b.exact && a.moved_by == b.moved_by);
        for (move_ix, row) in (0_u32..).zip(&mut rows) {
            row.move_ix = move_ix;
        }
        out.extend(rows);
    }
    out
}

fn source_ix(authority: &AuthorityInput, id: &str) -> Option<u32> {
    authority
        .identities
        .binary_search_by(|i| i.native_id.as_str().cmp(id))
        .ok()
        .and_then(|at| authority.identities.get(at))
        .map(|i| i.identity_ix)
}

/// What each snapshot that lists somebody states, ascending.
fn posts(authority: &AuthorityInput) -> BTreeMap<&str, Vec<Post>> {
    let mut snapshots: Vec<(Time, &[IdentityRow])> = authority
        .history
        .iter()
        .filter(|past| past.observed_at < authority.observed_at)
        .map(|past| (past.observed_at, past.identities.as_slice()))
        .collect();
    snapshots.sort_by_key(|(at, _)| *at);
    snapshots.push((authority.observed_at, &authority.identities));
    let mut out: BTreeMap<&str, Vec<Post>> = BTreeMap::new();
    for (at, rows) in snapshots {
        for row in rows {
            out.entry(&row.native_id).or_default().push(Post::of(at, row));
        }
    }
    out
}

/// The moves of one person of one authority.
fn moves(identity_ix: u32, posts: &[Post], stated: &[&StatedMove]) -> Vec<MoverRow> {
    let mut open: Vec<&StatedMove> = stated.to_vec();
    open.sort_by_key(|m| (m.effective_at, m.known_by));
    open.dedup_by_key(|m| m.effective_at);
    let changes: Vec<(&Post, &Post)> = posts.iter().zip(posts.iter().skip(1)).filter(|(a, b)| a.differs(b)).collect();
    let mut out = Vec::new();
    for (before, after) in &changes {
        let inside: Vec<&StatedMove> = open.iter().copied().filter(|m| before.at < m.effective_at && m.effective_at <= after.at).collect();
        // Entered late, or ahead of its day: the list changed when it was entered.
        let entered = || open.iter().copied().rev().find(|m| before.at < m.known_by && m.known_by <= after.at && !lies_in(m, &changes));
        let of_change = if inside.is_empty() { entered().into_iter().collect() } else { inside };
        open.retain(|m| !of_change.contains(m));
        if of_change.is_empty() {
            out.push(MoverRow {
                identity_ix,
                moved_after: Some(before.at),
                moved_by: after.at,
                known_by: Some(after.at),
                from_title: before.title.clone(),
                to_title: after.title.clone(),
                from_unit: before.unit.clone(),
                to_unit: after.unit.clone(),
                ..MoverRow::default()
            });
        }
        // Of several moves between two snapshots only the first one's origin and the last one's goal are seen.
        let last = of_change.len().saturating_sub(1);
        for (i, m) in of_change.iter().enumerate() {
            let (from, to) = ((i == 0).then_some(*before), (i == last).then_some(*after));
            out.push(dated(identity_ix, m, from, to));
        }
    }
    for m in open {
        let from = posts.iter().rev().find(|p| p.at < m.effective_at);
        let to = posts.iter().find(|p| p.at >= m.effective_at);
        out.push(dated(identity_ix, m, from, to));
    }
    out
}

fn lies_in(m: &StatedMove, changes: &[(&Post, &Post)]) -> bool {
    changes.iter().any(|(a, b)| a.at < m.effective_at && m.effective_at <= b.at)
}

fn dated(identity_ix: u32, m: &StatedMove, from: Option<&Post>, to: Option<&Post>) -> MoverRow {
    MoverRow {
        identity_ix,
        moved_by: m.effective_at,
        exact: true,
        known_by: Some(m.known_by),
        from_title: from.and_then(|p| p.title.clone()),
        to_title: to.and_then(|p| p.title.clone()),
        from_unit: from.and_then(|p| p.unit.clone()),
        to_unit: to.and_then(|p| p.unit.clone()),
        ..MoverRow::default()
    }
}

/// The instant at or before which access must have begun to have begun before the move.
pub fn before_move(m: &MoverRow) -> Time {
    m.moved_after.unwrap_or_else(|| m.moved_by.plus(-1))
}

/// Title and unit, normalised, that somebody had when a system was observed: those of the people list, less moves that had yet to take
/// effect. `movers`: sorted by (`identity_ix`, `move_ix`).
pub(super) fn post_at(movers: &[MoverRow], person: &RunIdentityRow, observed_at: Time) -> (Option<String>, Option<String>) {
    let from = movers.partition_point(|m| m.identity_ix < person.identity_ix);
    let later = movers.iter().skip(from).take_while(|m| m.identity_ix == person.identity_ix).find(|m| !took_effect(m, observed_at));
    // What the move changed from is not always known; then the list's word is the best there is.
    let title = later.and_then(|m| m.from_title.as_ref()).or(person.title.as_ref());
    let unit = later.and_then(|m| m.from_unit.as_ref()).or(person.org_unit.as_ref());
    (title.and_then(|t| norm(t)), unit.and_then(|u| norm(u)))
}

/// Whether a move counts at an observation: one on a stated day took effect before it; one between two lists, at or before it.
fn took_effect(m: &MoverRow, observed_at: Time) -> bool {
    if m.exact { m.moved_by < observed_at } else { m.moved_by <= observed_at }
}

/// What is put beside each other to judge movers.
#[derive(Clone, Copy, Debug)]
pub struct Moved<'a> {
    pub systems: &'a [SystemInput],
    pub people: &'a People,
    /// Sorted by (`system_ix`, `account_ix`, `rank`).
    pub candidates: &'a [AccountIdentityRow],
    pub catalogues: &'a [CatalogueInput],
    /// Sorted by (`identity_ix`, `move_ix`).
    pub movers: &'a [MoverRow],
    pub past: &'a [PastAccess],
}

/// Table `mover_access`.
///
/// # Errors
/// Every setting that cannot be used, all at once.
pub fn mover_access(moved: &Moved<'_>, settings: &Settings) -> Result<Vec<MoverAccessRow>, Vec<SettingsError>> {
    let compiled = settings::compile(settings)?;
    let catalogue = Catalogue::new(moved.catalogues, moved.people);
    let mut ordered: Vec<&SystemInput> = moved.systems.iter().filter(|s| catalogue.names(&s.system)).collect();
    ordered.sort_by_key(|s| s.system_ix);
    let mut out = Vec::new();
    for system in ordered {
        let rights = Rights::new(&catalogue, system);
        let judge = Judge::new(system, &catalogue, &rights, &compiled);
        let (edges, mut known) = (Edges::of(system), Known::default());
        let candidates = of_system(moved.candidates, system.system_ix);
        for account in candidates.chunk_by(|a, b| a.account_ix == b.account_ix) {
            // Few people move: of all others nothing is to be said.
            let Some(account_ix) = account.first().map(|c| c.account_ix).filter(|_| account.iter().any(|c| has_moved(moved, c))) else {
                continue;
            };
            for edge in edges.held_by(account_ix) {
                out.extend(account.iter().filter_map(|c| row(moved, system, &judge, &mut known, c, edge)));
            }
        }
    }
    Ok(out)
}

/// The moves of a candidate.
fn moves_of<'a>(moved: &Moved<'a>, c: &AccountIdentityRow) -> &'a [MoverRow] {
    let from = moved.movers.partition_point(|m| m.identity_ix < c.identity_ix);
    let to = moved.movers.partition_point(|m| m.identity_ix <= c.identity_ix);
    moved.movers.get(from..to).unwrap_or_default()
}

fn has_moved(moved: &Moved<'_>, c: &AccountIdentityRow) -> bool {
    !moves_of(moved, c).is_empty()
}

fn row(
    moved: &Moved<'_>,
    system: &SystemInput,
    judge: &Judge<'_>,
    known: &mut Known,
    c: &AccountIdentityRow,
    edge: Edge<'_>,
) -> Option<MoverAccessRow> {
    let moves = Some(moves_of(moved, c)).filter(|m| !m.is_empty() && is_person(moved.people, c.identity_ix))?;
    let person = moved.people.row(c.identity_ix)?;
    let mut fit = |title: &Option<String>, unit: &Option<String>| {
        let (title, unit) = (title.as_deref().and_then(norm), unit.as_deref().and_then(norm));
        let due = judge.catalogue.due(c.identity_ix, title.as_deref(), unit.as_deref());
        let fitting = judge.edge(&due, edge, known);
        (fitting.fit, judge.ids(&fitting.roles))
    };
    let (title, unit) = post_at(moved.movers, person, system.observed_at);
    let (fit_now, _) = fit(&title, &unit);
    let mut chosen: Option<(&MoverRow, Option<Fit>, Option<String>)> = None;
    for m in moves.iter().rev().filter(|m| took_effect(m, system.observed_at)) {
        let unknown = person.title.is_some() && m.from_title.is_none() || person.org_unit.is_some() && m.from_unit.is_none();
        if unknown {
            if chosen.as_ref().is_none_or(|(_, before, _)| before.is_some()) {
                chosen = Some((m, None, None));
            }
            continue;
        }
        let (before, roles) = fit(&m.from_title, &m.from_unit);
        let speaks = matches!(before, Fit::Inside | Fit::Partly);
        if speaks || chosen.is_none() {
            chosen = Some((m, Some(before), roles));
        }
        if speaks {
            break;
        }
    }
    let (m, fit_before, roles_before) = match chosen {
        Some(chosen) => chosen,
        None => (moves.first()?, None, None),
    };
    let (began, began_by) = began(moved, system, c.account_ix, edge, m);
    Some(MoverAccessRow {
        system_ix: system.system_ix,
        account_ix: c.account_ix,
        edge: edge.word().to_owned(),
        edge_ix: edge.ix(),
        rank: c.rank,
        identity_ix: c.identity_ix,
        move_ix: m.move_ix,
        moved_after: m.moved_after,
        moved_by: m.moved_by,
        from_title: m.from_title.clone(),
        to_title: m.to_title.clone(),
        from_unit: m.from_unit.clone(),
        to_unit: m.to_unit.clone(),
        fit_before,
        roles_before,
        fit_now,
        began,
        began_by,
    })
}

/// Whether an edge was there before a move: by its own date, else by the last stored snapshot from before the move.
fn began(moved: &Moved<'_>, system: &SystemInput, account_ix: u32, edge: Edge<'_>, m: &MoverRow) -> (Began, Option<Time>) {
    let granted = match edge {
        Edge::Grant(g) => g.granted_at,
        Edge::Membership(e) => e.granted_at,
    };
    if let Some(at) = granted {
        let began = match at {
            at if at <= before_move(m) => Began::Before,
            at if at >= m.moved_by => Began::After,
            _ => Began::Unknown,
        };
        return (began, Some(at));
    }
    let shows = held(system, account_ix, edge).and_then(|key| {
        let before = moved.past.iter().filter(|p| p.system_ix == system.system_ix && p.taken_at <= before_move(m));
        before.max_by_key(|p| p.taken_at).filter(|p| p.held.contains(&key))
    });
    (if shows.is_some() { Began::Before } else { Began::Unknown }, shows.map(|p| p.taken_at))
}

fn held(system: &SystemInput, account_ix: u32, edge: Edge<'_>) -> Option<HeldEdge> {
    let account = system.accounts.get(account_ix as usize)?.native_id.clone();
    let (target, resource) = match edge {
        Edge::Membership(m) => (system.groups.get(m.group_ix as usize)?.native_id.clone(), None),
        Edge::Grant(g) => {
            let resource = g.resource_ix.and_then(|r| system.resources.get(r as usize)).map(|r| r.native_id.clone());
            (system.entitlements.get(g.entitlement_ix as usize)?.native_id.clone(), resource)
        }
    };
    Some(HeldEdge { account, edge: edge.word().to_owned(), target, resource })
}

/// What the accounts named in `accounts` hold in a snapshot.
pub fn past_access(system: &SystemInput, accounts: &BTreeSet<String>) -> PastAccess {
    let mut out = PastAccess { system_ix: system.system_ix, taken_at: system.observed_at, held: BTreeSet::new() };
    let wanted = |account_ix: u32| system.accounts.get(account_ix as usize).is_some_and(|a| accounts.contains(&a.native_id));
    let edges = Edges::of(system);
    out.held =
        edges.all().filter(|(account_ix, _)| wanted(*account_ix)).filter_map(|(account_ix, e)| held(system, account_ix, e)).collect();
    out
}
