//! The groups of one system and what joins them: the questions that later stages ask of single groups and accounts (11.7).
//!
//! An assumable role is one node, though it stands in `accounts` and in `groups` under one native id: what its account side may assume or
//! belongs to, its group side leads to. Edges count as long as the system lists them, past their own expiry, too: access that should have
//! ended and is still there is what an audit looks for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::SystemInput;
use super::graph::Graph;
use crate::model::{Effect, GrantRow, GroupRow, MembershipKind, MembershipRow};

/// A path of more names than this is shown by its first ones and its last.
pub const PATH_NAMES: usize = 16;

/// Whether memberships of kind `primary` count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Primary {
    /// They do: everybody who holds what the group leads to.
    Counted,
    /// They do not: everybody who is in it by something that can be removed.
    LeftOut,
}

/// What closure reads of a row of `memberships`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    pub account_ix: Option<u32>,
    pub member_group_ix: Option<u32>,
    pub group_ix: u32,
    /// Its kind is `primary`.
    pub primary: bool,
    /// It has a condition.
    pub conditional: bool,
}

impl From<&MembershipRow> for Link {
    fn from(row: &MembershipRow) -> Self {
        Self {
            account_ix: row.account_ix,
            member_group_ix: row.member_group_ix,
            group_ix: row.group_ix,
            primary: row.kind == MembershipKind::Primary,
            conditional: row.condition.is_some(),
        }
    }
}

/// What closure reads of a row of `grants`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupGrant {
    pub account_ix: Option<u32>,
    pub group_ix: Option<u32>,
    pub entitlement_ix: u32,
    /// Its effect is `allow`: a denial or a boundary takes away and gives nothing.
    pub allows: bool,
    /// It has a condition.
    pub conditional: bool,
}

impl From<&GrantRow> for GroupGrant {
    fn from(row: &GrantRow) -> Self {
        Self {
            account_ix: row.account_ix,
            group_ix: row.group_ix,
            entitlement_ix: row.entitlement_ix,
            allows: row.effect == Effect::Allow,
            conditional: row.condition.is_some(),
        }
    }
}

/// The account side and the group side of everything that stands in both tables under one native id.
#[derive(Clone, Debug, Default)]
pub struct Twins {
    /// (`account_ix`, `group_ix`), ascending.
    pairs: Vec<(u32, u32)>,
}

impl Twins {
    /// From what [`TwinSeeker::seek`] found.
    pub fn new(parts: impl IntoIterator<Item = Vec<(u32, u32)>>) -> Self {
        let mut pairs: Vec<(u32, u32)> = parts.into_iter().flatten().collect();
        pairs.sort_unstable();
        Self { pairs }
    }

    /// The twins of a system that is held in memory.
    pub fn of(system: &SystemInput) -> Self {
        let accounts = system.accounts.iter().map(|a| (a.account_ix, a.native_id.as_str()));
        Self::new([TwinSeeker::new(&system.groups).seek(accounts)])
    }

    /// The account sides, ascending.
    pub fn accounts(&self) -> impl Iterator<Item = u32> + '_ {
        self.pairs.iter().map(|(account, _)| *account)
    }

    /// The group side of an account.
    pub fn group(&self, account_ix: u32) -> Option<u32> {
        let at = self.pairs.binary_search_by_key(&account_ix, |(account, _)| *account).ok()?;
        self.pairs.get(at).map(|(_, group)| *group)
    }

    /// The member of a membership, as a group.
    pub fn member(&self, link: &Link) -> Option<u32> {
        link.member_group_ix.or_else(|| self.group(link.account_ix?))
    }

    /// The group to which a grant gives, be it named by its account side.
    pub fn holder(&self, grant: &GroupGrant) -> Option<u32> {
        grant.group_ix.or_else(|| self.group(grant.account_ix?))
    }
}

/// Looks for accounts that are groups, too.
#[derive(Clone, Debug)]
pub struct TwinSeeker<'a> {
    /// In the order of their native ids.
    groups: Vec<&'a GroupRow>,
}

impl<'a> TwinSeeker<'a> {
    pub fn new(groups: &'a [GroupRow]) -> Self {
        let mut groups: Vec<&GroupRow> = groups.iter().collect();
        if !groups.is_sorted_by(|a, b| a.native_id <= b.native_id) {
            groups.sort_by(|a, b| a.native_id.cmp(&b.native_id));
        }
        Self { groups }
    }

    /// (`account_ix`, `group_ix`) of those of some accounts, given as (`account_ix`, native id), that are groups. Quick where the native
    /// ids ascend.
    pub fn seek<'r>(&self, accounts: impl IntoIterator<Item = (u32, &'r str)>) -> Vec<(u32, u32)> {
        let mut found = Vec::new();
        // Groups before it have lower native ids than the last account.
        let mut at = 0;
        for (account_ix, id) in accounts {
            let lower = |i: usize| self.groups.get(i).is_some_and(|g| g.native_id.as_str() < id);
            if at > 0 && !lower(at - 1) {
                at = 0;
            }
            if lower(at) {
                let mut step = 1;
                while lower(at + step) {
                    at += step;
                    step *= 2;
                }
                let beyond = self.groups.get(at..(at + step).min(self.groups.len())).unwrap_or_default();
                at += beyond.partition_point(|g| g.native_id.as_str() < id);
            }
            found.extend(self.groups.get(at).filter(|g| g.native_id == id).map(|g| (account_ix, g.group_ix)));
        }
        found
    }
}

/// The groups of one system and what joins them.
#[derive(Clone, Debug)]
pub struct Groups {
    /// From a group to the groups of which it is a member.
    up: Graph,
    /// From a group to the groups that are its members.
    down: Graph,
    /// From a group to the accounts that are its direct members, kind `primary` left out.
    members: Graph,
    /// The same for kind `primary`.
    primary_members: Graph,
    /// From an account to the groups of which it is a direct member, and to the group side of a role.
    groups_of: Graph,
    twins: Twins,
    names: Vec<String>,
}

impl Groups {
    /// Reads groups and memberships.
    pub fn new(system: &SystemInput) -> Self {
        let (groups, accounts) = (system.groups.len(), system.accounts.len());
        let twins = Twins::of(system);
        let mut edges: Vec<(u32, u32)> = Vec::new();
        let (mut members, mut primary, mut of) = (Vec::new(), Vec::new(), Vec::new());
        for link in system.memberships.iter().map(Link::from) {
            edges.extend(twins.member(&link).map(|g| (g, link.group_ix)));
            if let Some(account) = link.account_ix {
                if link.primary {
                    primary.push((link.group_ix, account))
                } else {
                    members.push((link.group_ix, account))
                }
                of.push((account, link.group_ix));
            }
        }
        of.extend(&twins.pairs);
        let up = Graph::new(groups, groups, edges);
        Self {
            down: up.reversed(),
            up,
            members: Graph::new(groups, accounts, members),
            primary_members: Graph::new(groups, accounts, primary),
            groups_of: Graph::new(accounts, groups, of),
            twins,
            names: system.groups.iter().map(|g| name(g).to_owned()).collect(),
        }
    }

    /// The name of a group, else its native id.
    pub fn name(&self, group_ix: u32) -> &str {
        self.names.get(group_ix as usize).map_or("", String::as_str)
    }

    /// The group to which a grant gives, be it named by its account side.
    pub(super) fn holder(&self, grant: &GrantRow) -> Option<u32> {
        self.twins.holder(&GroupGrant::from(grant))
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
}

/// The name of a group, else its native id.
pub(super) fn name(group: &GroupRow) -> &str {
    group.name.as_deref().unwrap_or(&group.native_id)
}

/// A long path by its first names, how many are left out, and its last.
pub(super) fn elided(first: &[&str], length: usize, last: &str) -> String {
    let shown = first.get(..PATH_NAMES - 1).unwrap_or(first);
    format!("{} > ({} more) > {last}", shown.join(" > "), length - shown.len() - 1)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twins_are_found_in_any_order() {
        let group = |ix: u32, id: String| GroupRow { group_ix: ix, native_id: id, ..GroupRow::default() };
        let sorted: Vec<GroupRow> = (0..100).map(|i| group(i, format!("{:03}", i * 7))).collect();
        let mut shuffled = sorted.clone();
        shuffled.sort_by_key(|g| (g.group_ix * 37) % 101);
        let ids: Vec<String> = (0..800).map(|i| format!("{i:03}")).collect();
        let ascending: Vec<(u32, &str)> = (0..).zip(ids.iter().map(String::as_str)).collect();
        let mut other = ascending.clone();
        other.sort_by_key(|(i, _)| (i * 271) % 797);
        let want: Vec<(u32, u32)> = (0..100).map(|i| (i * 7, i)).collect();
        for groups in [&sorted, &shuffled] {
            for accounts in [&ascending, &other] {
                assert_eq!(Twins::new([TwinSeeker::new(groups).seek(accounts.iter().copied())]).pairs, want);
            }
        }
        assert_eq!(TwinSeeker::new(&[]).seek(ascending), []);
    }
}
