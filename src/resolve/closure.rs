//! What membership of a group leads to, computed on the group graph alone (11.7).
//!
//! A member of a group holds the group's grants and those of every group of which that group is a member, to any depth.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rayon::prelude::*;

use super::graph::{Components, Graph, UNREACHED};
use super::groups::{GroupGrant, Link, PATH_NAMES, Twins, elided, name};
use super::settings::GroupLevels;
use super::skeleton::{Skeleton, Tally};
use crate::model::{EntitlementRow, GroupReachRow, GroupRow, Level};

/// A group with more ancestors than this has the text `>1000` in `group_reach.ancestors`; [`super::Groups::ancestors`] gives them all.
pub const ANCESTORS_LISTED: usize = 1_000;

/// Groups that one thread looks at in one go.
const CHUNK: usize = 4_096;

/// Levels from the one that matters most. Rights that are not in the export outweigh the certainty that there are none.
const BY_WEIGHT: [Level; 5] = [Level::Admin, Level::Write, Level::Read, Level::Unknown, Level::None];

/// The group graph of one system. Accounts stand outside of it: their memberships come by in [`Members::add`].
pub struct Closure<'a> {
    groups: &'a [GroupRow],
    twins: &'a Twins,
    /// From a group to the groups of which it is a member.
    up: Graph,
    /// The same, memberships under a condition left out.
    up_unconditional: Graph,
    /// From a group to the groups that are its members.
    down: Graph,
    down_unconditional: Graph,
    components: Components,
    trees: Skeleton,
}

/// Counts the distinct accounts in every group and below it, from memberships that come by in parts, on any number of threads.
pub struct Members<'a>(Tally<'a>);

impl Members<'_> {
    /// Adds the memberships (`account_ix`, `group_ix`) of some accounts: all of each one after the other, kind `primary` left out.
    pub fn add(&self, memberships: impl IntoIterator<Item = (u32, u32)>) {
        self.0.add(memberships);
    }

    /// The count of every group, once all accounts have been added.
    pub fn finish(self) -> Vec<u32> {
        self.0.finish()
    }
}

impl<'a> Closure<'a> {
    /// `groups`: one per `group_ix`. `links`: memberships of groups, and those of accounts that are groups, too; others are passed over.
    pub fn new(groups: &'a [GroupRow], twins: &'a Twins, links: impl IntoIterator<Item = Link>) -> Self {
        let n = groups.len();
        let edges: Vec<(u32, u32, bool)> =
            links.into_iter().filter_map(|link| Some((twins.member(&link)?, link.group_ix, link.conditional))).collect();
        let up = Graph::new(n, n, edges.iter().map(|(a, b, _)| (*a, *b)));
        let up_unconditional = Graph::new(n, n, edges.iter().filter(|(.., conditional)| !conditional).map(|(a, b, _)| (*a, *b)));
        drop(edges);
        let components = up.components();
        Self {
            groups,
            twins,
            down: up.reversed(),
            down_unconditional: up_unconditional.reversed(),
            trees: Skeleton::new(&components),
            up,
            up_unconditional,
            components,
        }
    }

    /// Counts members.
    pub fn members(&self) -> Members<'_> {
        Members(Tally::new(&self.trees, &self.components.of))
    }

    /// Table `group_reach` of the system. `members`: of every group, as counted. Grants to others than groups are passed over.
    pub(super) fn reach(
        &self,
        system_ix: u32,
        levels: &GroupLevels<'_>,
        entitlements: &[EntitlementRow],
        grants: impl IntoIterator<Item = GroupGrant>,
        members: Vec<u32>,
    ) -> Vec<GroupReachRow> {
        let rights = Rights::new(self, levels, entitlements, grants);
        let conferred = self.conferred(&rights);
        let (risks, risk_conditional) = self.risks(&rights);
        let held = rights.of.iter().map(|r| (r.entitlement_ix, self.component(r.group_ix))).collect();
        let totals = self.trees.totals_above(held);
        let ancestors = self.ancestor_texts();
        let columns = conferred.into_iter().zip(risks).zip(risk_conditional.into_iter().zip(members).zip(ancestors));
        let row = |group_ix: u32, conferred: Conferred, risks, by_risk: bool, members, ancestors| {
            let component = self.component(group_ix);
            GroupReachRow {
                system_ix,
                group_ix,
                level: conferred.level,
                risks,
                conditional: conferred.conditional || by_risk,
                entitlements: totals.get(component as usize).copied().unwrap_or_default(),
                ancestors,
                level_group_ix: conferred.group_ix,
                level_entitlement_ix: conferred.entitlement_ix,
                path: conferred.path,
                members,
                cycle: self.components.members.of(component).len() > 1 || self.up.of(group_ix).binary_search(&group_ix).is_ok(),
            }
        };
        (0_u32..)
            .zip(columns)
            .map(|(ix, ((conferred, risks), ((by, members), above)))| row(ix, conferred, risks, by, members, above))
            .collect()
    }

    fn component(&self, group_ix: u32) -> u32 {
        self.components.of.get(group_ix as usize).copied().unwrap_or_default()
    }

    fn name(&self, group_ix: u32) -> &str {
        self.groups.get(group_ix as usize).map_or("", name)
    }

    /// The highest level of every group, and the nearest group that confers it; an unconditional way is preferred.
    fn conferred(&self, rights: &Rights) -> Vec<Conferred> {
        let mut found: Vec<Option<Conferred>> = vec![None; self.groups.len()];
        for level in BY_WEIGHT {
            if found.iter().all(Option::is_some) {
                break;
            }
            let (sure, any) = rayon::join(
                || Way::new(&self.up_unconditional, &self.down_unconditional, rights.conferring(level, true)),
                || Way::new(&self.up, &self.down, rights.conferring(level, false)),
            );
            found.par_chunks_mut(CHUNK).enumerate().for_each(|(part, some)| {
                for (group_ix, slot) in ((part * CHUNK) as u32..).zip(some).filter(|(_, slot)| slot.is_none()) {
                    let conditional = !sure.reaches(group_ix);
                    let way = if conditional { &any } else { &sure };
                    *slot = way.end(group_ix).map(|end| Conferred {
                        level,
                        conditional,
                        group_ix: end,
                        entitlement_ix: rights.conferred_by(end, level, !conditional),
                        path: self.way_text(way, group_ix, end),
                    });
                }
            });
        }
        // Every group has a level of its own, so nothing is left without one.
        found.into_iter().flatten().collect()
    }

    fn way_text(&self, way: &Way, from: u32, end: u32) -> String {
        let mut names = Vec::new();
        let mut at = Some(from);
        while let Some(group) = at.filter(|_| names.len() < PATH_NAMES) {
            names.push(self.name(group));
            at = way.next(group);
        }
        match way.length(from) {
            length if length > PATH_NAMES => elided(&names, length, self.name(end)),
            _ => names.join(" > "),
        }
    }

    /// The risks of every group, and whether one of them is reached only under a condition.
    fn risks(&self, rights: &Rights) -> (Vec<Option<String>>, Vec<bool>) {
        let mut texts: Vec<Option<String>> = vec![None; self.groups.len()];
        let mut conditional = vec![false; self.groups.len()];
        // In the order of their names, so that the joined text is sorted.
        for (risk, holders) in &rights.risks {
            let ((any, _), (sure, _)) = rayon::join(
                || self.down.distances(holders.iter().map(|(g, _)| *g)),
                || self.down_unconditional.distances(holders.iter().filter(|(_, c)| !c).map(|(g, _)| *g)),
            );
            for (((text, flag), any), sure) in texts.iter_mut().zip(&mut conditional).zip(any).zip(sure) {
                if any != UNREACHED {
                    *text = Some(text.take().map_or_else(|| risk.clone(), |before| format!("{before},{risk}")));
                    *flag |= sure == UNREACHED;
                }
            }
        }
        (texts, conditional)
    }

    /// `group_reach.ancestors` of every group.
    fn ancestor_texts(&self) -> Vec<Option<String>> {
        let least = self.least_ancestors();
        let parts: Vec<Vec<Option<String>>> = self
            .components
            .of
            .par_chunks(CHUNK)
            .enumerate()
            .map_init(
                || Above::new(&self.components),
                |above, (part, some)| {
                    let text = |(group_ix, component): (u32, &u32)| {
                        let many = least.get(*component as usize).is_none_or(|least| *least as usize > ANCESTORS_LISTED);
                        if many { Some(format!(">{ANCESTORS_LISTED}")) } else { above.text(group_ix, *component) }
                    };
                    ((part * CHUNK) as u32..).zip(some).map(text).collect()
                },
            )
            .collect();
        parts.into_iter().flatten().collect()
    }

    /// Per component, a number of ancestors that each of its groups has at least: those on the longest way up. It spares the walk along
    /// long chains.
    fn least_ancestors(&self) -> Vec<u32> {
        let mut least: Vec<u32> = Vec::with_capacity(self.components.len());
        // Components above have lower numbers.
        for component in 0..self.components.len() as u32 {
            let peers = |c: u32| self.components.members.of(c).len() as u32;
            let beyond = |c: &u32| least.get(*c as usize).copied().unwrap_or_default() + 1;
            let above = self.components.graph.of(component).iter().map(beyond).max().unwrap_or_default();
            least.push((above + peers(component)).saturating_sub(1));
        }
        least
    }
}

/// Lists what lies above one group after the other.
struct Above<'a> {
    components: &'a Components,
    /// The round in which a component was last reached.
    seen: Vec<u32>,
    round: u32,
    reached: Vec<u32>,
    groups: Vec<u32>,
}

impl<'a> Above<'a> {
    fn new(components: &'a Components) -> Self {
        Self { components, seen: vec![0; components.len()], round: 0, reached: Vec::new(), groups: Vec::new() }
    }

    /// `group_reach.ancestors` of a group.
    fn text(&mut self, group_ix: u32, component: u32) -> Option<String> {
        self.round += 1;
        self.reached.clear();
        self.groups.clear();
        self.reach(component);
        let mut at = 0;
        while let Some(component) = self.reached.get(at).copied() {
            at += 1;
            for up in self.components.graph.of(component) {
                self.reach(*up);
            }
            // The group itself is among them.
            if self.groups.len() > ANCESTORS_LISTED + 1 {
                return Some(format!(">{ANCESTORS_LISTED}"));
            }
        }
        self.groups.sort_unstable();
        let mut text = String::new();
        for ancestor in self.groups.iter().filter(|g| **g != group_ix) {
            let comma = if text.is_empty() { "" } else { "," };
            let _ = write!(text, "{comma}{ancestor}");
        }
        (!text.is_empty()).then_some(text)
    }

    fn reach(&mut self, component: u32) {
        if let Some(seen) = self.seen.get_mut(component as usize).filter(|seen| **seen != self.round) {
            *seen = self.round;
            self.reached.push(component);
            // Of many, so many tell that they are too many.
            self.groups.extend(self.components.members.of(component).iter().take(ANCESTORS_LISTED + 2));
        }
    }
}

/// What confers a group's level.
#[derive(Clone, Debug)]
struct Conferred {
    level: Level,
    conditional: bool,
    group_ix: u32,
    entitlement_ix: Option<u32>,
    path: String,
}

/// One right that a group is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    group_ix: u32,
    entitlement_ix: u32,
    conditional: bool,
    level: Level,
}

impl Right {
    fn confers(&self, level: Level, unconditional: bool) -> bool {
        self.level == level && !(unconditional && self.conditional)
    }
}

/// What the groups of a system confer by themselves and by their own grants.
struct Rights {
    /// The level of every group by itself.
    own: Vec<Level>,
    /// By group, then by entitlement.
    of: Vec<Right>,
    /// Per risk, the groups that are granted it, and whether under a condition; ascending.
    risks: BTreeMap<String, Vec<(u32, bool)>>,
}

impl Rights {
    fn new(
        closure: &Closure<'_>,
        levels: &GroupLevels<'_>,
        entitlements: &[EntitlementRow],
        grants: impl IntoIterator<Item = GroupGrant>,
    ) -> Self {
        let own = closure.groups.iter().map(|g| own_level(g, levels)).collect();
        let mut of: Vec<Right> = Vec::new();
        for grant in grants.into_iter().filter(|g| g.allows) {
            let Some(group_ix) = closure.twins.holder(&grant).filter(|g| (*g as usize) < closure.groups.len()) else { continue };
            let Some(entitlement) = entitlements.get(grant.entitlement_ix as usize) else { continue };
            let conditional = grant.conditional || entitlement.conditional;
            of.push(Right { group_ix, entitlement_ix: grant.entitlement_ix, conditional, level: entitlement.level });
        }
        of.sort_unstable();
        of.dedup();
        let mut risks: BTreeMap<String, Vec<(u32, bool)>> = BTreeMap::new();
        for right in &of {
            let text = entitlements.get(right.entitlement_ix as usize).and_then(|e| e.risks.as_deref()).unwrap_or_default();
            for risk in text.split(',').map(str::trim).filter(|r| !r.is_empty()) {
                match risks.get_mut(risk) {
                    Some(holders) => holders.push((right.group_ix, right.conditional)),
                    None => drop(risks.insert(risk.to_owned(), vec![(right.group_ix, right.conditional)])),
                }
            }
        }
        for holders in risks.values_mut() {
            holders.sort_unstable();
            holders.dedup();
        }
        Self { own, of, risks }
    }

    /// Groups that confer a level by themselves, ascending.
    fn conferring(&self, level: Level, unconditional: bool) -> Vec<u32> {
        let own = (0_u32..).zip(&self.own).filter(|(_, own)| **own == level).map(|(group_ix, _)| group_ix);
        let granted = self.of.iter().filter(|r| r.confers(level, unconditional)).map(|r| r.group_ix);
        let mut all: Vec<u32> = own.chain(granted).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// By what a group confers a level: by itself (`None`), else by the first of its entitlements that does.
    fn conferred_by(&self, group_ix: u32, level: Level, unconditional: bool) -> Option<u32> {
        if self.own.get(group_ix as usize) == Some(&level) {
            return None;
        }
        let first = self.of.partition_point(|r| r.group_ix < group_ix);
        let mut of = self.of.iter().skip(first).take_while(|r| r.group_ix == group_ix);
        of.find(|r| r.confers(level, unconditional)).map(|r| r.entitlement_ix)
    }
}

/// A configured level fills in one that the export does not show, and raises a lower one.
pub(super) fn own_level(group: &GroupRow, levels: &GroupLevels<'_>) -> Level {
    match levels.of(group) {
        Some(configured) if group.level == Level::Unknown || configured > group.level => configured,
        _ => group.level,
    }
}

/// The shortest ways from every group up to the nearest of some groups.
struct Way {
    distance: Vec<u32>,
    ends: Vec<u32>,
    /// The next group up; of several, the lowest ordinal.
    next: Vec<u32>,
}

impl Way {
    fn new(up: &Graph, down: &Graph, ends: Vec<u32>) -> Self {
        let n = up.len();
        if ends.is_empty() {
            return Self { distance: Vec::new(), ends: Vec::new(), next: Vec::new() };
        }
        let (distance, order) = down.distances(ends);
        let mut way = Self { distance, ends: vec![UNREACHED; n], next: vec![UNREACHED; n] };
        for group in order {
            // Nearest first, so the next group on the way has its end already.
            let nearer = way.distance(group).checked_sub(1);
            let next = nearer.and_then(|nearer| up.of(group).iter().copied().find(|next| way.distance(*next) == nearer));
            let end = next.and_then(|next| way.end(next)).unwrap_or(group);
            if let (Some(slot), Some(of)) = (way.ends.get_mut(group as usize), way.next.get_mut(group as usize)) {
                (*slot, *of) = (end, next.unwrap_or(UNREACHED));
            }
        }
        way
    }

    fn distance(&self, group: u32) -> u32 {
        self.distance.get(group as usize).copied().unwrap_or(UNREACHED)
    }

    fn reaches(&self, group: u32) -> bool {
        self.distance(group) != UNREACHED
    }

    /// How many groups the way has, both ends counted.
    fn length(&self, group: u32) -> usize {
        self.distance(group) as usize + 1
    }

    fn end(&self, group: u32) -> Option<u32> {
        self.ends.get(group as usize).copied().filter(|end| *end != UNREACHED)
    }

    /// The next group up; `None` at the end of the way.
    fn next(&self, group: u32) -> Option<u32> {
        self.next.get(group as usize).copied().filter(|next| *next != UNREACHED)
    }
}
