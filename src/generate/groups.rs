//! Groups, what they are members of, and what can be held: the dimensions of a system, and the edges between them.

use super::columns::{Batches, of_rows};
use super::dice::{Dice, Key, Zipf};
use super::shape::System;
use crate::model::{EntitlementRow, GroupRow, Level, ResourceRow, text};
use crate::store::table_file::GROUP_ROWS;

/// Groups in one chain, each a member of the one before: what the first leads to is twelve steps away from the last.
const CHAIN: u32 = 13;
/// Of so many groups, one has the group above it as a member: a cycle.
const CYCLE_EVERY: u32 = 512;
const CYCLE_AT: u32 = 15;

/// Words of which the names of groups, rights and resources are made.
const AREAS: [&str; 16] = [
    "billing",
    "claims",
    "data",
    "finance",
    "fleet",
    "hr",
    "identity",
    "legal",
    "logistics",
    "market",
    "network",
    "orders",
    "payments",
    "plant",
    "sales",
    "support",
];
const VERBS: [&str; 8] = ["approve", "audit", "deploy", "edit", "export", "operate", "read", "review"];

/// Draws from a list that is not empty.
fn word<const N: usize>(words: [&'static str; N], dice: &mut Dice) -> &'static str {
    words.get(dice.below(N as u64) as usize).copied().unwrap_or_default()
}

impl System {
    pub fn group_id(&self, group: u32) -> String {
        format!("g{group:06}")
    }

    pub fn entitlement_id(&self, entitlement: u32) -> String {
        format!("e{entitlement:06}")
    }

    pub fn resource_id(&self, resource: u32) -> String {
        format!("r{resource:06}")
    }

    pub fn account_id(&self, number: u64) -> String {
        format!("a{number:0width$}", width = self.width)
    }

    /// A right to read.
    pub fn plain_right(&self) -> u32 {
        5
    }

    /// A right to administer.
    pub fn admin_right(&self) -> u32 {
        11
    }

    /// The policy, the last of the entitlements, that allows everything: nothing of the quiet part holds it.
    pub fn policy_right(&self) -> u32 {
        self.entitlements
    }

    /// A principal that the system shows by the id of somebody deleted.
    pub fn deleted_principal(&self, cycle: u64) -> String {
        format!("deleted-{cycle:08}")
    }

    fn key(&self, seed: u64, part: &str) -> Key {
        Key::new(seed, part, u64::from(self.at))
    }

    /// The group above, of which a group is a member.
    fn above(&self, seed: u64, group: u32) -> Option<u32> {
        if !self.nested || group == 0 || group == CHAIN || group >= self.groups {
            return None;
        }
        if group < CHAIN {
            return Some(group - 1);
        }
        let nests = group % CYCLE_EVERY == CYCLE_AT || self.key(seed, "nesting").dice(u64::from(group)).chance(60);
        nests.then_some(CHAIN + (group - CHAIN - 1) / 4)
    }

    /// The groups of which a group is a member, ascending.
    pub fn above_all(&self, seed: u64, group: u32) -> Vec<u32> {
        let mut all: Vec<u32> = self.above(seed, group).into_iter().collect();
        if group >= CHAIN {
            let first = CHAIN + 1 + (group - CHAIN) * 4;
            let below = (first..first.saturating_add(4)).filter(|g| *g < self.groups && g % CYCLE_EVERY == CYCLE_AT);
            all.extend(below.filter(|g| self.above(seed, *g) == Some(group)));
        }
        all
    }

    /// What a group itself holds: entitlements, ascending, each with a resource; `None`: whatever it is about.
    pub fn rights_of(&self, seed: u64, group: u32, ranks: &Zipf) -> Vec<(u32, Option<u32>)> {
        let mut dice = self.key(seed, "rights-of-groups").dice(u64::from(group));
        if !self.nested || group % 2 == 1 {
            return Vec::new();
        }
        let count = 1 + dice.below(3);
        let draw = |dice: &mut Dice| (self.entitlement(ranks, dice), dice.chance(50).then(|| dice.below(self.resources.into()) as u32));
        let mut held: Vec<(u32, Option<u32>)> = (0..count).map(|_| draw(&mut dice)).collect();
        held.sort_by_key(|(e, r)| (*e, r.map_or(u32::MAX, |r| r)));
        held.dedup();
        held
    }

    /// Edges between groups, and of groups to rights.
    pub fn edges_of_groups(&self, seed: u64) -> u64 {
        if !self.nested {
            return 0;
        }
        let ranks = Zipf::new(self.entitlements);
        (0..self.groups).map(|g| (self.above_all(seed, g).len() + self.rights_of(seed, g, &ranks).len()) as u64).sum()
    }

    /// An entitlement, the popular ones scattered over the list.
    pub fn entitlement(&self, ranks: &Zipf, dice: &mut Dice) -> u32 {
        scattered(ranks.rank(dice), self.entitlements)
    }

    /// A group, the popular ones scattered over the list.
    pub fn group(&self, ranks: &Zipf, dice: &mut Dice) -> u32 {
        scattered(ranks.rank(dice), self.groups)
    }

    /// How much an entitlement lets its holder do.
    fn level(&self, entitlement: u32) -> Level {
        match entitlement % 10 {
            _ if entitlement % 97 == 11 || entitlement == self.policy_right() => Level::Admin,
            0..=2 => Level::Write,
            3 => Level::None,
            _ => Level::Read,
        }
    }

    pub fn group_rows(&self, seed: u64) -> Batches<'_> {
        let key = self.key(seed, "groups");
        let rows = (0..self.groups).map(move |group| {
            let mut dice = key.dice(u64::from(group));
            let name = format!("{} {} {group}", word(AREAS, &mut dice), word(VERBS, &mut dice));
            GroupRow {
                group_ix: group,
                native_id: self.group_id(group),
                name_norm: text::norm(&name),
                name: Some(name),
                kind: "group".to_owned(),
                level: Level::None,
                ..GroupRow::default()
            }
        });
        of_rows(rows, GROUP_ROWS)
    }

    pub fn entitlement_rows(&self, seed: u64) -> Batches<'_> {
        let key = self.key(seed, "entitlements");
        let policies = u32::from(self.cycles > 0);
        let rows = (0..self.entitlements + policies).map(move |entitlement| {
            let mut dice = key.dice(u64::from(entitlement));
            let level = self.level(entitlement);
            let name = format!("{}:{}-{entitlement}", word(AREAS, &mut dice), word(VERBS, &mut dice));
            // A policy of the organisation's own that amounts to administration is a fault; the quiet part of the estate has none.
            let policy = entitlement == self.policy_right() || level != Level::Admin && entitlement % 3 == 0;
            let kind = if policy { "managed-policy" } else { "permission" };
            EntitlementRow {
                entitlement_ix: entitlement,
                native_id: self.entitlement_id(entitlement),
                name_norm: text::norm(&name),
                name: Some(name),
                kind: kind.to_owned(),
                level,
                risks: (level == Level::Write && entitlement % 7 == 0).then(|| "data-exfiltration".to_owned()),
                ..EntitlementRow::default()
            }
        });
        of_rows(rows, GROUP_ROWS)
    }

    pub fn resource_rows(&self, seed: u64) -> Batches<'_> {
        let key = self.key(seed, "resources");
        let rows = (0..self.resources).map(move |resource| {
            let mut dice = key.dice(u64::from(resource));
            let name = format!("{}-{resource}", word(AREAS, &mut dice));
            ResourceRow {
                resource_ix: resource,
                native_id: self.resource_id(resource),
                kind: if resource % 5 == 0 { "application" } else { "bucket" }.to_owned(),
                name: Some(name),
                environment: Some(if dice.chance(70) { "production" } else { "test" }.to_owned()),
                sensitivity: dice.chance(10).then(|| "confidential".to_owned()),
                ..ResourceRow::default()
            }
        });
        of_rows(rows, GROUP_ROWS)
    }
}

/// Spreads ranks over `n` places, each place once.
fn scattered(rank: u32, n: u32) -> u32 {
    // A prime above any number of places, so that it shares no factor with one that is not its multiple.
    let moved = (u64::from(rank) * 2_654_435_761 + 7) % u64::from(n.max(1));
    moved as u32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::shape::{Estate, Size};
    use super::*;

    fn system() -> System {
        let size = Size { accounts: 100_000, access: 1_000_000, identities: 1_000, systems: 1, snapshots: 1, seed: 1, records: true };
        Estate::new(size).unwrap().systems.remove(0)
    }

    #[test]
    fn groups_nest_twelve_deep_and_some_stand_in_cycles() {
        let system = system();
        let depth = |group: u32| std::iter::successors(system.above(1, group), |g| system.above(1, *g)).take(50).count();
        assert_eq!((0..system.groups).map(depth).max(), Some(12));
        let cycles = (0..system.groups).filter(|g| system.above_all(1, *g).iter().any(|up| system.above_all(1, *up).contains(g)));
        assert!(cycles.count() >= 8);
        assert!((0..system.groups).all(|g| system.above_all(1, g).is_sorted()));
    }

    #[test]
    fn the_scatter_meets_every_place_once() {
        for n in [4, 40, 97, 1_265, 250_000] {
            assert_eq!((0..n).map(|r| scattered(r, n)).collect::<BTreeSet<_>>().len(), n as usize);
        }
    }

    #[test]
    fn no_policy_of_the_quiet_part_is_administration() {
        let system = system();
        let batches: Vec<_> = system.entitlement_rows(1).collect::<Result<_, _>>().unwrap();
        let rows: Vec<EntitlementRow> = batches.iter().flat_map(|b| crate::model::from_batch(b).unwrap()).collect();
        assert!(rows.iter().any(|e| e.level == Level::Admin));
        assert!(
            rows.iter()
                .filter(|e| e.level == Level::Admin && e.kind == "managed-policy")
                .all(|e| e.entitlement_ix == system.policy_right())
        );
    }
}
