//! How what accounts hold lies to the roles that are due to the people behind them (11.8).
//!
//! A membership is inside if a role names the group, or everything to which the group leads; what it leads to is closed as in
//! `group_reach`. A group that confers something by itself, or whose rights are not in the export, counts as a right of its own. Only
//! systems in which a catalogue gives some right are judged.

use std::collections::{BTreeSet, HashMap};

use rayon::prelude::*;

use super::closure::own_level;
use super::groups::Groups;
use super::movers::post_at;
use super::roles::{Catalogue, CatalogueInput, Rights};
use super::settings::{self, Compiled};
use super::{People, Settings, SettingsError, SystemInput};
use crate::model::{
    AccountIdentityRow, Effect, Fit, GrantRow, IdentityKind, Level, MembershipKind, MembershipRow, MoverRow, RoleFitRow, RoleSeenRow,
};

/// Candidates that one thread takes at a time.
const CHUNK: usize = 8_192;

/// Names of excess rights that a row lists.
pub(super) const EXCESS_LISTED: usize = 20;

/// What the role catalogues say of a run.
#[derive(Clone, Debug, Default)]
pub struct Fits {
    /// Table `roles_seen`.
    pub roles: Vec<RoleSeenRow>,
    /// Table `role_fit`.
    pub rows: Vec<RoleFitRow>,
}

/// Judges every edge of every account with a person behind it. `movers`: sorted by (`identity_ix`, `move_ix`).
///
/// # Errors
/// Every setting that cannot be used, all at once.
pub fn fits(
    systems: &[SystemInput],
    people: &People,
    candidates: &[AccountIdentityRow],
    sources: &[CatalogueInput],
    movers: &[MoverRow],
    settings: &Settings,
) -> Result<Fits, Vec<SettingsError>> {
    let compiled = settings::compile(settings)?;
    let catalogue = Catalogue::new(sources, people);
    let mut ordered: Vec<&SystemInput> = systems.iter().collect();
    ordered.sort_by_key(|s| s.system_ix);
    let rights: Vec<(&SystemInput, Rights)> = ordered.iter().map(|s| (*s, Rights::new(&catalogue, s))).collect();
    let mut out = Fits { roles: catalogue.rows(people, &rights), rows: Vec::new() };
    for (system, rights) in rights.iter().filter(|(s, _)| catalogue.names(&s.system)) {
        let judge = Judge::new(system, &catalogue, rights, &compiled);
        let edges = Edges::of(system);
        let whole = whole_accounts(of_system(candidates, system.system_ix));
        let some: Vec<Vec<RoleFitRow>> = whole.par_iter().map(|own| rows(system, people, own, movers, &judge, &edges)).collect();
        out.rows.extend(some.into_iter().flatten());
    }
    Ok(out)
}

/// The candidates of one system, which stand together.
pub(super) fn of_system(candidates: &[AccountIdentityRow], system_ix: u32) -> &[AccountIdentityRow] {
    let from = candidates.partition_point(|c| c.system_ix < system_ix);
    let to = candidates.partition_point(|c| c.system_ix <= system_ix);
    candidates.get(from..to).unwrap_or_default()
}

/// The candidates of some accounts at a time, all of each.
fn whole_accounts(mut candidates: &[AccountIdentityRow]) -> Vec<&[AccountIdentityRow]> {
    let mut out = Vec::new();
    while let Some(last) = candidates.get(CHUNK.min(candidates.len()).wrapping_sub(1)) {
        let end = candidates.partition_point(|c| c.account_ix <= last.account_ix);
        let (some, rest) = candidates.split_at(end);
        out.push(some);
        candidates = rest;
    }
    out
}

/// One removable edge of an account.
#[derive(Clone, Copy, Debug)]
pub(super) enum Edge<'a> {
    Grant(&'a GrantRow),
    Membership(&'a MembershipRow),
}

impl Edge<'_> {
    pub fn word(self) -> &'static str {
        match self {
            Self::Grant(_) => "grant",
            Self::Membership(_) => "membership",
        }
    }

    pub fn ix(self) -> u32 {
        match self {
            Self::Grant(g) => g.grant_ix,
            Self::Membership(m) => m.membership_ix,
        }
    }
}

/// What each account itself holds and somebody can take away: as the view `access`. Grants first, each by its ordinal.
pub(super) struct Edges<'a> {
    by_account: Vec<(u32, Edge<'a>)>,
}

impl<'a> Edges<'a> {
    pub fn of(system: &'a SystemInput) -> Self {
        let allowed = |g: &&GrantRow| g.effect == Effect::Allow && (g.entitlement_ix as usize) < system.entitlements.len();
        let grants = system.grants.iter().filter(allowed).filter_map(|g| Some((g.account_ix?, Edge::Grant(g))));
        let removable = |m: &&MembershipRow| matches!(m.kind, MembershipKind::Direct | MembershipKind::Assume);
        let memberships = system.memberships.iter().filter(removable).filter(|m| (m.group_ix as usize) < system.groups.len());
        let mut by_account: Vec<(u32, Edge<'a>)> =
            grants.chain(memberships.filter_map(|m| Some((m.account_ix?, Edge::Membership(m))))).collect();
        by_account.sort_by_key(|(account, _)| *account);
        Self { by_account }
    }

    /// Those of one account.
    pub fn held_by(&self, account_ix: u32) -> impl Iterator<Item = Edge<'a>> {
        let from = self.by_account.partition_point(|(account, _)| *account < account_ix);
        self.by_account.iter().skip(from).take_while(move |(account, _)| *account == account_ix).map(|(_, edge)| *edge)
    }

    /// All of them, with their accounts.
    pub fn all(&self) -> impl Iterator<Item = (u32, Edge<'a>)> {
        self.by_account.iter().copied()
    }
}

/// Whether an identity may hold roles: people do, programs do not.
pub(super) fn is_person(people: &People, identity_ix: u32) -> bool {
    people.row(identity_ix).is_some_and(|i| matches!(i.kind, IdentityKind::Person | IdentityKind::External))
}

fn rows(
    system: &SystemInput,
    people: &People,
    candidates: &[AccountIdentityRow],
    movers: &[MoverRow],
    judge: &Judge<'_>,
    edges: &Edges<'_>,
) -> Vec<RoleFitRow> {
    let (mut out, mut known) = (Vec::new(), Known::default());
    for account in candidates.chunk_by(|a, b| a.account_ix == b.account_ix) {
        let Some(account_ix) = account.first().map(|c| c.account_ix) else { continue };
        let persons: Vec<(&AccountIdentityRow, Vec<usize>)> = account
            .iter()
            .filter(|c| is_person(people, c.identity_ix))
            .filter_map(|c| {
                let person = people.row(c.identity_ix)?;
                let (title, unit) = post_at(movers, person, system.observed_at);
                Some((c, judge.catalogue.due(c.identity_ix, title.as_deref(), unit.as_deref())))
            })
            .collect();
        for edge in edges.held_by(account_ix) {
            for (candidate, due) in &persons {
                let fitting = judge.edge(due, edge, &mut known);
                out.push(RoleFitRow {
                    system_ix: system.system_ix,
                    account_ix: candidate.account_ix,
                    edge: edge.word().to_owned(),
                    edge_ix: edge.ix(),
                    rank: candidate.rank,
                    identity_ix: candidate.identity_ix,
                    fit: fitting.fit,
                    roles_due: u32::try_from(due.len()).unwrap_or(u32::MAX),
                    roles: judge.ids(&fitting.roles),
                    excess: listed(&fitting.excess),
                    excess_count: u32::try_from(fitting.excess.len()).unwrap_or(u32::MAX),
                    catch_all: fitting.catch_all,
                });
            }
        }
    }
    out
}

fn listed(names: &[String]) -> Option<String> {
    let shown: Vec<&str> = names.iter().take(EXCESS_LISTED).map(String::as_str).collect();
    (!shown.is_empty()).then(|| shown.join("; "))
}

/// How one edge lies to some roles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fitting {
    pub fit: Fit,
    /// Roles that speak for it, ascending.
    pub roles: Vec<usize>,
    /// What none of them gives, by name, ascending.
    pub excess: Vec<String>,
    pub catch_all: bool,
}

/// Something to which a membership leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Group(u32),
    Right(u32, Option<u32>),
}

/// Judges the edges of one system.
pub(super) struct Judge<'a> {
    system: &'a SystemInput,
    pub catalogue: &'a Catalogue,
    rights: &'a Rights,
    groups: Groups,
    /// What each group is and gives by itself.
    own: Vec<BTreeSet<Item>>,
}

/// Sets of roles met, and what each made of a group.
#[derive(Default)]
pub(super) struct Known {
    sets: HashMap<Vec<usize>, u32>,
    groups: HashMap<(u32, u32), Fitting>,
}

impl<'a> Judge<'a> {
    pub fn new(system: &'a SystemInput, catalogue: &'a Catalogue, rights: &'a Rights, compiled: &Compiled) -> Self {
        let groups = Groups::new(system);
        let mut own: Vec<BTreeSet<Item>> = vec![BTreeSet::new(); system.groups.len()];
        for grant in system.grants.iter().filter(|g| g.effect == Effect::Allow && (g.entitlement_ix as usize) < system.entitlements.len()) {
            if let Some(items) = groups.holder(grant).and_then(|g| own.get_mut(g as usize)) {
                items.insert(Item::Right(grant.entitlement_ix, grant.resource_ix));
            }
        }
        let levels = compiled.group_levels(&system.system);
        for (group, items) in system.groups.iter().zip(&mut own) {
            let by_itself = match own_level(group, &levels) {
                Level::None => false,
                Level::Unknown => items.is_empty(),
                _ => true,
            };
            if by_itself {
                items.insert(Item::Group(group.group_ix));
            }
        }
        Self { system, catalogue, rights, groups, own }
    }

    /// How an edge lies to the roles `due`, which stand ascending.
    pub fn edge(&self, due: &[usize], edge: Edge<'_>, known: &mut Known) -> Fitting {
        match edge {
            Edge::Grant(g) => self.grant(due, g),
            Edge::Membership(m) => {
                let next = u32::try_from(known.sets.len()).unwrap_or(u32::MAX);
                let set = *known.sets.entry(due.to_vec()).or_insert(next);
                if let Some(fitting) = known.groups.get(&(set, m.group_ix)) {
                    return fitting.clone();
                }
                let fitting = self.group(due, m.group_ix);
                known.groups.insert((set, m.group_ix), fitting.clone());
                fitting
            }
        }
    }

    fn grant(&self, due: &[usize], g: &GrantRow) -> Fitting {
        let roles: Vec<usize> = due.iter().copied().filter(|r| self.rights.gives(*r, g.entitlement_ix, g.resource_ix)).collect();
        let item = Item::Right(g.entitlement_ix, g.resource_ix);
        let catch_all = !roles.is_empty() && roles.iter().all(|r| self.rights.is_catch_all(*r));
        match (due.is_empty(), roles.is_empty()) {
            (true, _) => Fitting { excess: vec![self.label(item)], ..Fitting::default() },
            (false, true) => Fitting { fit: Fit::Outside, excess: vec![self.label(item)], ..Fitting::default() },
            (false, false) => Fitting { fit: Fit::Inside, roles, excess: Vec::new(), catch_all },
        }
    }

    fn group(&self, due: &[usize], group_ix: u32) -> Fitting {
        let (fit, roles, excess) = self.covered(due, group_ix);
        let narrow: Vec<usize> = due.iter().copied().filter(|r| !self.rights.is_catch_all(*r)).collect();
        let catch_all = fit == Fit::Inside && narrow.len() < due.len() && self.covered(&narrow, group_ix).0 != Fit::Inside;
        let mut excess: Vec<String> = excess.into_iter().map(|i| self.label(i)).collect();
        if excess.is_empty() && matches!(fit, Fit::Outside | Fit::NoRole) {
            excess.push(self.label(Item::Group(group_ix)));
        }
        excess.sort();
        Fitting { fit, roles, excess, catch_all }
    }

    /// The fit, the roles that speak for it, and what none of them gives.
    fn covered(&self, due: &[usize], group_ix: u32) -> (Fit, Vec<usize>, BTreeSet<Item>) {
        let above: Vec<u32> = std::iter::once(group_ix).chain(self.groups.ancestors(group_ix)).collect();
        let items = self.reach(&above);
        if due.is_empty() {
            return (Fit::NoRole, Vec::new(), items);
        }
        let (mut covered, mut roles, mut whole) = (BTreeSet::new(), Vec::new(), false);
        for role in due {
            let mut gives: BTreeSet<Item> = items
                .iter()
                .filter(|i| if let Item::Right(e, r) = i { self.rights.gives(*role, *e, *r) } else { false })
                .copied()
                .collect();
            // To name a group is to name everything to which it leads.
            let named: Vec<u32> = above.iter().copied().filter(|g| self.rights.names_group(*role, *g)).collect();
            for group in &named {
                let higher: Vec<u32> = std::iter::once(*group).chain(self.groups.ancestors(*group)).collect();
                gives.extend(self.reach(&higher));
            }
            whole |= named.contains(&group_ix);
            if !(gives.is_empty() && named.is_empty()) {
                roles.push(*role);
            }
            covered.extend(gives);
        }
        let excess: BTreeSet<Item> = items.difference(&covered).copied().collect();
        let fit = if whole || excess.is_empty() {
            Fit::Inside
        } else if excess.len() < items.len() {
            Fit::Partly
        } else {
            Fit::Outside
        };
        (fit, roles, if fit == Fit::Inside { BTreeSet::new() } else { excess })
    }

    fn reach(&self, groups: &[u32]) -> BTreeSet<Item> {
        groups.iter().filter_map(|g| self.own.get(*g as usize)).flatten().copied().collect()
    }

    fn label(&self, item: Item) -> String {
        match item {
            Item::Group(g) => format!("member of {}", self.groups.name(g)),
            Item::Right(e, resource) => {
                let right = self.system.entitlements.get(e as usize);
                let right = right.map_or("?", |e| e.name.as_deref().unwrap_or(&e.native_id));
                match resource.and_then(|r| self.system.resources.get(r as usize)) {
                    None => right.to_owned(),
                    Some(on) => format!("{right} on {}", on.name.as_deref().unwrap_or(&on.native_id)),
                }
            }
        }
    }

    /// The ids of roles, joined; `None`: there are none.
    pub fn ids(&self, roles: &[usize]) -> Option<String> {
        let ids: Vec<&str> = roles.iter().map(|r| self.catalogue.id(*r)).collect();
        (!ids.is_empty()).then(|| ids.join("; "))
    }
}
