//! What membership of a group leads to, computed on the group graph alone (11.7).
//!
//! A member of a group holds the group's grants and those of every group of which that group is a member, to any depth. An assumable role
//! is one node, though it stands in `accounts` and in `groups` under one native id: what its account side may assume or belongs to, its
//! group side leads to. Edges count as long as the system lists them, past their own expiry, too: access that should have ended and is
//! still there is what an audit looks for.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::SystemInput;
use super::graph::{Components, Graph, UNREACHED};
use super::settings::GroupLevels;
use super::tally::Tally;
use crate::model::{Effect, GrantRow, GroupReachRow, GroupRow, Level, MembershipKind};

/// A group with more ancestors than this has the text `>1000` in `group_reach.ancestors`; [`Groups::ancestors`] gives them all.
pub const ANCESTORS_LISTED: usize = 1_000;
/// A path of more names than this is shown by its first ones and its last.
pub const PATH_NAMES: usize = 16;

/// Levels from the one that matters most. Rights that are not in the export outweigh the certainty that there are none.
const BY_WEIGHT: [Level; 5] = [Level::Admin, Level::Write, Level::Read, Level::Unknown, Level::None];

/// Whether memberships of kind `primary` count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Primary {
    /// They do: everybody who holds what the group leads to.
    Counted,
    /// They do not: everybody who is in it by something that can be removed.
    LeftOut,
}

/// The groups of one system and what joins them.
#[derive(Clone, Debug)]
pub struct Groups {
    /// From a group to the groups of which it is a member.
    up: Graph,
    /// The same, memberships under a condition left out.
    up_unconditional: Graph,
    /// From a group to the groups that are its members.
    down: Graph,
    /// From a group to the accounts that are its direct members, kind `primary` left out.
    members: Graph,
    /// The same for kind `primary`.
    primary_members: Graph,
    /// From an account to the groups of which it is a direct member, and to the group side of a role.
    groups_of: Graph,
    /// The group side of an account that is a role.
    twins: HashMap<u32, u32>,
    names: Vec<String>,
    accounts: usize,
}

impl Groups {
    /// Reads groups and memberships.
    pub fn new(system: &SystemInput) -> Self {
        let (groups, accounts) = (system.groups.len(), system.accounts.len());
        let twins = twins(system);
        let mut edges: Vec<(u32, u32, bool)> = Vec::new();
        let (mut members, mut primary, mut of) = (Vec::new(), Vec::new(), Vec::new());
        for m in &system.memberships {
            let twin = m.account_ix.and_then(|a| twins.get(&a).copied());
            edges.extend([m.member_group_ix, twin].into_iter().flatten().map(|g| (g, m.group_ix, m.condition.is_some())));
            if let Some(account) = m.account_ix {
                if m.kind == MembershipKind::Primary {
                    primary.push((m.group_ix, account))
                } else {
                    members.push((m.group_ix, account))
                }
                of.push((account, m.group_ix));
            }
        }
        of.extend(system.accounts.iter().filter_map(|a| Some((a.account_ix, *twins.get(&a.account_ix)?))));
        let up = Graph::new(groups, groups, edges.iter().map(|(a, b, _)| (*a, *b)));
        Self {
            up_unconditional: Graph::new(groups, groups, edges.iter().filter(|(.., conditional)| !conditional).map(|(a, b, _)| (*a, *b))),
            down: up.reversed(),
            up,
            members: Graph::new(groups, accounts, members),
            primary_members: Graph::new(groups, accounts, primary),
            groups_of: Graph::new(accounts, groups, of),
            twins,
            names: system.groups.iter().map(|g| g.name.clone().unwrap_or_else(|| g.native_id.clone())).collect(),
            accounts,
        }
    }

    /// The name of a group, else its native id.
    pub fn name(&self, group_ix: u32) -> &str {
        self.names.get(group_ix as usize).map_or("", String::as_str)
    }

    /// Every account that is a member of the group, directly or through groups; ascending.
    pub fn transitive_members(&self, group_ix: u32, primary: Primary) -> Vec<u32> {
        let mut found = BTreeSet::new();
        for below in reach_of(&self.down, [group_ix]).keys() {
            found.extend(self.members.of(*below));
            if primary == Primary::Counted {
                found.extend(self.primary_members.of(*below));
            }
        }
        found.into_iter().collect()
    }

    /// Every group above the group, itself left out; ascending.
    pub fn ancestors(&self, group_ix: u32) -> Vec<u32> {
        reach_of(&self.up, [group_ix]).into_keys().filter(|g| *g != group_ix).collect()
    }

    /// The shortest way by which an account is in a group: groups from its own membership to the group asked for. Of equally short ways the
    /// one with the lower ordinals. `None`: it is not in it.
    pub fn path(&self, account_ix: u32, group_ix: u32) -> Option<Vec<u32>> {
        let before = reach_of(&self.up, self.groups_of.of(account_ix).iter().copied());
        let mut path = vec![group_ix];
        let mut step = *before.get(&group_ix)?;
        while let Some(group) = step {
            path.push(group);
            step = *before.get(&group)?;
        }
        path.reverse();
        Some(path)
    }

    /// The names of a path, joined by ` > `; of a long one the first and the last.
    pub fn path_text(&self, path: &[u32]) -> String {
        let names: Vec<&str> = path.iter().take(PATH_NAMES).map(|g| self.name(*g)).collect();
        match path.last() {
            Some(last) if path.len() > PATH_NAMES => elided(&names, path.len(), self.name(*last)),
            _ => names.join(" > "),
        }
    }

    /// Table `group_reach` of the system.
    pub(super) fn reach(&self, system: &SystemInput, levels: &GroupLevels<'_>) -> Vec<GroupReachRow> {
        let rights = Rights::new(self, system, levels);
        let components = self.up.components();
        let conferred = self.conferred(&rights);
        let (risks, risk_conditional) = self.risks(&rights);
        let entitlements = totals(&components, Direction::Up, system.entitlements.len(), |g| rights.entitlements.of(g));
        let members = totals(&components, Direction::Down, self.accounts, |g| self.members.of(g));
        let ancestors = self.ancestor_texts(&components);
        let mut rows = Vec::with_capacity(self.up.len());
        let columns = conferred.into_iter().zip(risks).zip(risk_conditional).zip(entitlements).zip(members).zip(ancestors);
        for (group_ix, (((((conferred, risks), by_risk), entitlements), members), ancestors)) in (0_u32..).zip(columns) {
            let component = components.of.get(group_ix as usize).copied().unwrap_or_default();
            rows.push(GroupReachRow {
                system_ix: system.system_ix,
                group_ix,
                level: conferred.level,
                risks,
                conditional: conferred.conditional || by_risk,
                entitlements,
                ancestors,
                level_group_ix: conferred.group_ix,
                level_entitlement_ix: conferred.entitlement_ix,
                path: conferred.path,
                members,
                cycle: components.members.of(component).len() > 1 || self.up.of(group_ix).contains(&group_ix),
            });
        }
        rows
    }

    /// The highest level of every group, and the nearest group that confers it; an unconditional way is preferred.
    fn conferred(&self, rights: &Rights) -> Vec<Conferred> {
        let unconditional_down = self.up_unconditional.reversed();
        let mut found: Vec<Option<Conferred>> = vec![None; self.up.len()];
        for level in BY_WEIGHT {
            let sure = Way::new(&self.up_unconditional, &unconditional_down, rights.conferring(level, true));
            let any = Way::new(&self.up, &self.down, rights.conferring(level, false));
            for (group_ix, slot) in (0_u32..).zip(&mut found).filter(|(_, slot)| slot.is_none()) {
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
        let unconditional_down = self.up_unconditional.reversed();
        let mut texts: Vec<Option<String>> = vec![None; self.up.len()];
        let mut conditional = vec![false; self.up.len()];
        // In the order of their names, so that the joined text is sorted.
        for (risk, holders) in &rights.risks {
            let (any, _) = self.down.distances(holders.iter().map(|(g, _)| *g));
            let (sure, _) = unconditional_down.distances(holders.iter().filter(|(_, c)| !c).map(|(g, _)| *g));
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
    fn ancestor_texts(&self, components: &Components) -> Vec<Option<String>> {
        // `None`: too many to list. Components above have lower numbers.
        let mut above: Vec<Option<BTreeSet<u32>>> = Vec::with_capacity(components.len());
        for component in 0..components.len() as u32 {
            let mut groups = Some(BTreeSet::new());
            for up in components.graph.of(component) {
                let direct = components.members.of(*up);
                let further = above.get(*up as usize).and_then(Option::as_ref);
                groups = groups.zip(further).filter(|_| direct.len() <= ANCESTORS_LISTED).and_then(|(mut mine, theirs)| {
                    mine.extend(direct);
                    mine.extend(theirs);
                    (mine.len() <= ANCESTORS_LISTED).then_some(mine)
                });
            }
            above.push(groups);
        }
        let text = |group_ix: u32, component: u32| {
            let peers = components.members.of(component);
            let listed = above.get(component as usize).and_then(Option::as_ref);
            match listed.filter(|l| l.len() + peers.len() - 1 <= ANCESTORS_LISTED) {
                None => Some(format!(">{ANCESTORS_LISTED}")),
                Some(listed) => {
                    let all: BTreeSet<u32> = listed.iter().chain(peers).copied().filter(|g| *g != group_ix).collect();
                    let joined = all.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
                    (!joined.is_empty()).then_some(joined)
                }
            }
        };
        (0_u32..).zip(&components.of).map(|(group_ix, component)| text(group_ix, *component)).collect()
    }
}

fn elided(first: &[&str], length: usize, last: &str) -> String {
    let shown = first.get(..PATH_NAMES - 1).unwrap_or(first);
    format!("{} > ({} more) > {last}", shown.join(" > "), length - shown.len() - 1)
}

/// Account side to group side of everything that stands in both tables under one native id.
fn twins(system: &SystemInput) -> HashMap<u32, u32> {
    let groups: HashMap<&str, u32> = system.groups.iter().map(|g| (g.native_id.as_str(), g.group_ix)).collect();
    system.accounts.iter().filter_map(|a| Some((a.account_ix, *groups.get(a.native_id.as_str())?))).collect()
}

/// Every node reached from `starts`, with the node before it; starts have none. First come, first kept: with ascending starts and
/// successors that is the lowest of the shortest ways.
fn reach_of(graph: &Graph, starts: impl IntoIterator<Item = u32>) -> BTreeMap<u32, Option<u32>> {
    let mut before: BTreeMap<u32, Option<u32>> = BTreeMap::new();
    let mut queue = VecDeque::new();
    for start in starts.into_iter().filter(|s| (*s as usize) < graph.len()) {
        if before.insert(start, None).is_none() {
            queue.push_back(start);
        }
    }
    while let Some(node) = queue.pop_front() {
        for next in graph.of(node) {
            if !before.contains_key(next) {
                before.insert(*next, Some(node));
                queue.push_back(*next);
            }
        }
    }
    before
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

/// One right that a group itself confers.
struct Right {
    level: Level,
    conditional: bool,
    /// `None`: the group by itself.
    entitlement_ix: Option<u32>,
}

/// What the groups of a system confer by themselves and by their own grants.
struct Rights {
    /// Per group, its own level first, then its entitlements, ascending.
    of: Vec<Vec<Right>>,
    /// From a group to the entitlements that it is granted.
    entitlements: Graph,
    /// Per risk, the groups that are granted it, and whether under a condition.
    risks: BTreeMap<String, BTreeSet<(u32, bool)>>,
}

impl Rights {
    fn new(groups: &Groups, system: &SystemInput, levels: &GroupLevels<'_>) -> Self {
        let own = |g: &GroupRow| Right { level: own_level(g, levels), conditional: false, entitlement_ix: None };
        let mut of: Vec<Vec<Right>> = system.groups.iter().map(|g| vec![own(g)]).collect();
        let mut risks: BTreeMap<String, BTreeSet<(u32, bool)>> = BTreeMap::new();
        let mut edges = Vec::new();
        // A denial or a boundary takes away and gives nothing.
        for grant in system.grants.iter().filter(|g| g.effect == Effect::Allow) {
            let Some(group_ix) = holder(groups, grant) else { continue };
            let Some(entitlement) = system.entitlements.get(grant.entitlement_ix as usize) else { continue };
            let conditional = grant.condition.is_some() || entitlement.conditional;
            let Some(rights) = of.get_mut(group_ix as usize) else { continue };
            rights.push(Right { level: entitlement.level, conditional, entitlement_ix: Some(grant.entitlement_ix) });
            edges.push((group_ix, grant.entitlement_ix));
            for risk in entitlement.risks.iter().flat_map(|r| r.split(',')).map(str::trim).filter(|r| !r.is_empty()) {
                risks.entry(risk.to_owned()).or_default().insert((group_ix, conditional));
            }
        }
        of.iter_mut().for_each(|rights| rights.sort_by_key(|r| r.entitlement_ix));
        Self { entitlements: Graph::new(of.len(), system.entitlements.len(), edges), of, risks }
    }

    fn confers(right: &Right, level: Level, unconditional: bool) -> bool {
        right.level == level && !(unconditional && right.conditional)
    }

    /// Groups that confer a level by themselves.
    fn conferring(&self, level: Level, unconditional: bool) -> impl Iterator<Item = u32> {
        let confers = move |rights: &Vec<Right>| rights.iter().any(|r| Self::confers(r, level, unconditional));
        (0_u32..).zip(&self.of).filter(move |(_, rights)| confers(rights)).map(|(group_ix, _)| group_ix)
    }

    /// By what a group confers a level; `None`: by itself.
    fn conferred_by(&self, group_ix: u32, level: Level, unconditional: bool) -> Option<u32> {
        self.of.get(group_ix as usize)?.iter().find(|r| Self::confers(r, level, unconditional))?.entitlement_ix
    }
}

/// The group to which a grant gives, be it named by its account side.
pub(super) fn holder(groups: &Groups, grant: &GrantRow) -> Option<u32> {
    grant.group_ix.or_else(|| groups.twins.get(&grant.account_ix?).copied())
}

/// A configured level fills in one that the export does not show, and raises a lower one.
pub(super) fn own_level(group: &GroupRow, levels: &GroupLevels<'_>) -> Level {
    match levels.of(group) {
        Some(configured) if group.level == Level::Unknown || configured > group.level => configured,
        _ => group.level,
    }
}

/// The shortest ways from every group up to the nearest of some groups.
struct Way<'a> {
    up: &'a Graph,
    distance: Vec<u32>,
    ends: Vec<u32>,
}

impl<'a> Way<'a> {
    fn new(up: &'a Graph, down: &Graph, ends: impl Iterator<Item = u32>) -> Self {
        let (distance, order) = down.distances(ends);
        let mut way = Self { up, distance, ends: vec![UNREACHED; up.len()] };
        for group in order {
            // Nearest first, so the next group on the way has its end already.
            let end = way.next(group).and_then(|next| way.ends.get(next as usize).copied()).unwrap_or(group);
            if let Some(slot) = way.ends.get_mut(group as usize) {
                *slot = end;
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

    /// The next group up; `None` at the end of the way. Of several, the lowest ordinal.
    fn next(&self, group: u32) -> Option<u32> {
        let nearer = self.distance(group).checked_sub(1).filter(|_| self.reaches(group))?;
        self.up.of(group).iter().copied().find(|next| self.distance(*next) == nearer)
    }
}

/// Which way a total gathers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// Per group, how many distinct ordinals below `universe` it and everything in one direction of it have; `own` gives a group's, ascending. A set that only one more
/// component needs is moved, not copied, which makes chains and trees cheap.
fn totals<'a>(components: &Components, direction: Direction, universe: usize, own: impl Fn(u32) -> &'a [u32]) -> Vec<u32> {
    let n = components.len() as u32;
    let reversed = components.graph.reversed();
    // Components above have lower numbers: whatever a component needs is there when its turn comes.
    let (needs, needed_by, order): (_, _, Box<dyn Iterator<Item = u32>>) = match direction {
        Direction::Up => (&components.graph, &reversed, Box::new(0..n)),
        Direction::Down => (&reversed, &components.graph, Box::new((0..n).rev())),
    };
    let mut waiting: Vec<usize> = (0..n).map(|c| needed_by.of(c).len()).collect();
    let mut sets: Vec<Tally> = vec![Tally::default(); n as usize];
    let mut counts = vec![0; n as usize];
    for component in order {
        let mut set = Tally::default();
        for need in needs.of(component).iter().map(|c| *c as usize) {
            let (Some(left), Some(held)) = (waiting.get_mut(need), sets.get_mut(need)) else { continue };
            *left -= 1;
            if *left == 0 { set.absorb(std::mem::take(held), universe) } else { set.unite(held, universe) }
        }
        for group in components.members.of(component) {
            set.extend(own(*group), universe);
        }
        if let (Some(count), Some(held)) = (counts.get_mut(component as usize), sets.get_mut(component as usize)) {
            *count = set.count();
            if !needed_by.of(component).is_empty() {
                *held = set;
            }
        }
    }
    components.of.iter().map(|c| counts.get(*c as usize).copied().unwrap_or_default()).collect()
}
