//! Memberships and grants: heavy tails on both sides, and what became of them from week to week.

use arrow::array::{Array, ArrayRef, DictionaryArray, Int16Array, RecordBatch, StringArray};
use arrow::datatypes::Int16Type;
use arrow::error::ArrowError;
use std::sync::Arc;

use super::clock;
use super::columns::{Batches, Ordinals, Texts, Times, Words, batch, constant, nulls, ordinals};
use super::dice::{Dice, Key, Zipf};
use super::faults::{self, Planted, Slot};
use super::shape::{Estate, System};
use crate::model::time::{DAY, HOUR};
use crate::model::{Effect, GRANTS, MEMBERSHIPS, MembershipKind, PrincipalKind, Time, UseState, Word};
use crate::store::table_file::GROUP_ROWS;

/// Of a million edges, how many come, go and change from one week to the next: together about one of a hundred.
const COME: u64 = 3_000;
const GO: u64 = 3_000;
const CHANGE: u64 = 4_000;

/// Least weight of an account that holds anything, and by how many thousandths the weight grows each time that half as many accounts have it:
/// a Pareto tail with an exponent of four thirds.
const LEAST: u64 = 100;
const GROWTH: u64 = 1_682;
/// The average weight of an account, a twentieth of which hold nothing.
const AVERAGE: u64 = 400;

/// Administrators by whom access was given.
const GIVERS: i16 = 200;

/// How many edges each account of a system holds. Sums up exactly.
#[derive(Clone, Debug)]
pub struct Degrees<'e> {
    estate: &'e Estate,
    system: &'e System,
    key: Key,
    steps: u32,
    total: u64,
    /// Weight of the accounts before, and edges that those could not take.
    before: u64,
    left_over: u64,
}

impl<'e> Degrees<'e> {
    pub fn new(estate: &'e Estate, system: &'e System) -> Self {
        let key = Key::new(estate.size.seed, "degrees", u64::from(system.at));
        let most = u128::from(system.most_edges) * u128::from(system.accounts) * u128::from(AVERAGE);
        let fits = |weight: u64| u128::from(weight) * u128::from(system.edges) <= most;
        let steps = std::iter::successors(Some(LEAST), |w| Some(w * GROWTH / 1_000)).take(40).take_while(|w| fits(*w)).count();
        let mut degrees = Self { estate, system, key, steps: steps.max(1) as u32, total: 0, before: 0, left_over: 0 };
        degrees.total = (0..system.numbers).map(|number| degrees.weight(number)).sum();
        degrees
    }

    fn weight(&self, number: u64) -> u64 {
        if self.system.slot_of(self.estate, number).is_some() {
            return 0;
        }
        let mut dice = self.key.dice(number);
        let drawn = dice.draw();
        if drawn >> 32 < (1 << 32) / 20 {
            return 0;
        }
        let step = (drawn as u32).trailing_zeros().min(self.steps - 1);
        let low = (0..step).fold(LEAST, |w, _| w * GROWTH / 1_000);
        low + dice.below(low * (GROWTH - 1_000) / 1_000)
    }

    /// How many the next account holds; `number` counts up from 0.
    pub fn next(&mut self, number: u64) -> u64 {
        if self.total == 0 {
            // Nobody drew anything: the last account takes it.
            return if number + 1 == self.system.numbers { self.system.edges.min(self.system.most_edges) } else { 0 };
        }
        let part = |weight: u64| (u128::from(weight) * u128::from(self.system.edges) / u128::from(self.total)) as u64;
        let (from, to) = (self.before, self.before + self.weight(number));
        self.before = to;
        let wanted = part(to) - part(from) + self.left_over;
        let takes = wanted.min(self.system.most_edges);
        self.left_over = wanted - takes;
        takes
    }
}

/// The group that the account of a slot is in.
pub fn planted_group(estate: &Estate, system: &System, slot: &Slot, ranks: &Zipf) -> u32 {
    system.group(ranks, &mut Key::new(estate.size.seed, MEMBERSHIPS.name, u64::from(system.at)).dice(slot.number))
}

/// Which of the two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    Memberships,
    Grants,
}

/// What became of an edge of the last snapshot, or of one that was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Always,
    /// It is there from this week on.
    Came(u32),
    /// Its end was moved in this week.
    Changed(u32),
    /// It was there until the week before this one.
    Went(u32),
    /// It was there until the second last week, and is again.
    Back,
}

impl Life {
    fn holds(self, week: u32, weeks: u32) -> bool {
        match self {
            Self::Back => weeks < 3 || week + 2 != weeks,
            Self::Always | Self::Changed(_) => true,
            Self::Came(from) => week >= from,
            Self::Went(at) => week < at,
        }
    }
}

/// The edges of one system in one week.
pub struct Edges<'e> {
    estate: &'e Estate,
    system: &'e System,
    table: Table,
    week: u32,
    key: Key,
    ranks: Zipf,
    resource_ranks: Zipf,
}

impl<'e> Edges<'e> {
    pub fn new(estate: &'e Estate, system: &'e System, table: Table, week: u32) -> Self {
        let part = match table {
            Table::Memberships => "memberships",
            Table::Grants => "grants",
        };
        let targets = if table == Table::Memberships { system.groups } else { system.entitlements };
        Self {
            estate,
            system,
            table,
            week,
            key: Key::new(estate.size.seed, part, u64::from(system.at)),
            ranks: Zipf::new(targets),
            resource_ranks: Zipf::new(system.resources),
        }
    }

    fn schema(&self) -> &'static crate::model::Table {
        if self.table == Table::Memberships { &MEMBERSHIPS } else { &GRANTS }
    }

    /// How many of an account's edges are of this table.
    fn of(&self, number: u64, edges: u64) -> u64 {
        let members = ((edges + (number & 1)) / 2).min(u64::from(self.system.groups / 2));
        if self.table == Table::Memberships { members } else { edges - members }
    }

    /// What can be held: a group; or an entitlement on a resource, the last of which stands for none.
    fn space(&self) -> u64 {
        match self.table {
            Table::Memberships => u64::from(self.system.groups),
            Table::Grants => u64::from(self.system.entitlements) * (u64::from(self.system.resources) + 1),
        }
    }

    fn target(&self, dice: &mut Dice) -> u64 {
        match self.table {
            Table::Memberships => u64::from(self.system.group(&self.ranks, dice)),
            Table::Grants => {
                let all = u64::from(self.system.resources);
                let resource = if dice.chance(40) { all } else { u64::from(self.resource_ranks.rank(dice)) };
                u64::from(self.system.entitlement(&self.ranks, dice)) * (all + 1) + resource
            }
        }
    }

    /// So many different targets, ascending.
    fn targets(&self, count: usize, dice: &mut Dice, into: &mut Vec<u64>) {
        into.clear();
        for _ in 0..6 {
            while into.len() < count {
                into.push(self.target(dice));
            }
            into.sort_unstable();
            into.dedup();
            if into.len() >= count {
                return;
            }
        }
        // Popular targets are used up: the rest is taken one after the other.
        let (space, drawn) = (self.space(), into.len());
        let mut next = dice.below(space);
        for _ in 0..space {
            if into.len() >= count {
                break;
            }
            if into.get(..drawn).unwrap_or_default().binary_search(&next).is_err() {
                into.push(next);
            }
            next = (next + 1) % space;
        }
        into.sort_unstable();
    }

    /// The table.
    pub fn rows(self) -> Batches<'e> {
        let mut degrees = Degrees::new(self.estate, self.system);
        let mut to = Columns::default();
        let mut targets = Vec::new();
        let (mut next, mut account_ix, mut groups, mut gone, mut written) = (0, 0u32, 0, 0, 0);
        Box::new(std::iter::from_fn(move || {
            // A row group holds whole accounts, or groups, or principals that are gone.
            while next < self.system.numbers && to.len() < GROUP_ROWS {
                let edges = degrees.next(next);
                match self.system.slot_of(self.estate, next) {
                    Some(slot) if self.system.holds(self.estate, &slot, self.week) => self.planted(&slot, account_ix, &mut to),
                    // It is not there: the next one takes its ordinal.
                    Some(_) => account_ix = account_ix.wrapping_sub(1),
                    None => self.account(next, account_ix, edges, &mut targets, &mut to),
                }
                account_ix = account_ix.wrapping_add(1);
                next += 1;
            }
            if to.len() == 0 {
                to.of = PrincipalKind::Group;
                while groups < self.system.groups && to.len() < GROUP_ROWS {
                    self.group(groups, &mut to);
                    groups += 1;
                }
            }
            if to.len() == 0 {
                to.of = PrincipalKind::Deleted;
                while gone < self.system.cycles && to.len() < GROUP_ROWS {
                    self.deleted(gone, &mut to);
                    gone += 1;
                }
            }
            let (rows, first) = (to.len(), written);
            written += rows as u64;
            (rows > 0).then(|| to.finish(&self, first))
        }))
    }

    /// Targets that an account holds, ascending, of an estate with one snapshot: groups, or entitlements with their resource.
    pub fn held(&self, number: u64, edges: u64, into: &mut Vec<u64>) {
        let mut dice = self.key.dice(number);
        let Some(slot) = self.system.slot_of(self.estate, number) else {
            return self.targets(self.of(number, edges) as usize, &mut dice, into);
        };
        into.clear();
        let group = self.system.group(&self.ranks, &mut dice);
        into.extend(faults::edges(self.system, &slot, self.table).iter().map(|(target, _)| self.planted_target(*target, group)));
    }

    /// Entitlement and resource of a grant's target.
    pub fn right(&self, target: u64) -> (u32, Option<u32>) {
        let all = u64::from(self.system.resources);
        let resource = target % (all + 1);
        ((target / (all + 1)) as u32, (resource < all).then_some(resource as u32))
    }

    fn planted_target(&self, target: Option<u32>, group: u32) -> u64 {
        let space = u64::from(self.system.resources) + 1;
        match self.table {
            Table::Memberships => u64::from(target.unwrap_or(group)),
            Table::Grants => u64::from(target.unwrap_or(self.system.plain_right())) * space + space - 1,
        }
    }

    /// The edges of one account.
    fn account(&self, number: u64, account_ix: u32, edges: u64, targets: &mut Vec<u64>, to: &mut Columns) {
        let now = self.of(number, edges) as usize;
        if now == 0 {
            return;
        }
        let mut dice = self.key.dice(number);
        let weeks = u64::from(self.estate.size.snapshots - 1);
        // Those that went stand among those that stay.
        let went = if weeks == 0 { 0 } else { (0..now).filter(|_| dice.in_million(GO * weeks)).count() };
        self.targets(now + went, &mut dice, targets);
        let mut going: Vec<usize> = (0..went).map(|_| dice.below(targets.len() as u64) as usize).collect();
        going.sort_unstable();
        going.dedup();
        // Two that fell on one place: the first ones that stay go, too.
        let missing = went - going.len();
        let spare: Vec<usize> = (0..targets.len()).filter(|i| going.binary_search(i).is_err()).take(missing).collect();
        going.extend(spare);
        going.sort_unstable();
        for (place, target) in targets.iter().enumerate() {
            let life = if going.binary_search(&place).is_ok() { Life::Went(1 + dice.below(weeks) as u32) } else { self.life(&mut dice) };
            let edge = self.drawn(Some(account_ix), *target, life, &mut dice);
            if life.holds(self.week, self.estate.size.snapshots) {
                to.put(self, &edge);
            }
        }
    }

    fn life(&self, dice: &mut Dice) -> Life {
        let weeks = u64::from(self.estate.size.snapshots - 1);
        if weeks == 0 {
            return Life::Always;
        }
        let drawn = dice.below(1_000_000);
        let week = 1 + (drawn % weeks) as u32;
        if drawn < COME * weeks {
            Life::Came(week)
        } else if drawn < (COME + CHANGE) * weeks {
            Life::Changed(week)
        } else {
            Life::Always
        }
    }

    /// The dates of an edge and who gave it.
    fn drawn(&self, account: Option<u32>, target: u64, life: Life, dice: &mut Dice) -> Edge {
        let granted = match life {
            // Before the days that the list of requests covers.
            Life::Came(week) => {
                let before = clock::taken_at(week - 1, self.estate.size.snapshots);
                Some(before.plus(dice.between(1, 4 * 24 - 1) * HOUR))
            }
            _ => {
                let days = self.estate.history() + dice.between(120, 2_500);
                dice.chance(70).then(|| clock::days_before(days))
            }
        };
        let ends = clock::end().plus(dice.between(30, 400) * DAY);
        let ending = dice.chance(2);
        let expires = match life {
            Life::Changed(week) => (self.week >= week).then_some(ends),
            _ => ending.then_some(ends),
        };
        let used = dice.between(1, 80);
        let giver = dice.between(0, 2 * i64::from(GIVERS));
        Edge {
            account,
            target,
            granted,
            expires,
            giver: i16::try_from(giver).ok().filter(|g| *g < GIVERS),
            used: dice.chance(60).then_some(used),
        }
    }

    /// The edges of a planted account.
    fn planted(&self, slot: &Slot, account_ix: u32, to: &mut Columns) {
        let weeks = self.estate.size.snapshots;
        let mut dice = self.key.dice(slot.number);
        let group = self.system.group(&self.ranks, &mut dice);
        for (target, planted) in faults::edges(self.system, slot, self.table) {
            let life = match planted {
                Planted::Quiet | Planted::Ended => Life::Always,
                Planted::Fresh if weeks > 1 => Life::Came(weeks - 1),
                Planted::Fresh => Life::Always,
                Planted::Back => Life::Back,
            };
            let long_ago = clock::days_before(self.estate.history() + 130);
            let granted = match planted {
                Planted::Fresh => clock::days_before(2),
                Planted::Back if weeks > 2 && self.week + 1 == weeks => clock::days_before(5),
                _ => long_ago,
            };
            let edge = Edge {
                account: Some(account_ix),
                target: self.planted_target(target, group),
                granted: Some(granted),
                expires: (planted == Planted::Ended).then(|| clock::days_before(10)),
                giver: Some(0),
                used: None,
            };
            if life.holds(self.week, weeks) {
                to.put(self, &edge);
            }
        }
    }

    /// What a principal that is gone is still named for.
    fn deleted(&self, cycle: u64, to: &mut Columns) {
        let target = match self.table {
            Table::Memberships => 0,
            Table::Grants => (u64::from(self.system.plain_right()) + 1) * (u64::from(self.system.resources) + 1) - 1,
        };
        to.principal.put(Some(&self.system.deleted_principal(cycle)));
        to.put(self, &Edge { account: None, target, granted: None, expires: None, giver: None, used: None });
    }

    /// What a group is in or holds.
    fn group(&self, group: u32, to: &mut Columns) {
        let edge = |target| Edge { account: None, target, granted: None, expires: None, giver: None, used: None };
        let seed = self.estate.size.seed;
        let targets: Vec<u64> = match self.table {
            Table::Memberships => self.system.above_all(seed, group).into_iter().map(u64::from).collect(),
            Table::Grants => {
                let all = self.system.resources;
                let of = |(e, r): (u32, Option<u32>)| u64::from(e) * (u64::from(all) + 1) + u64::from(r.unwrap_or(all));
                self.system.rights_of(seed, group, &self.ranks).into_iter().map(of).collect()
            }
        };
        for target in targets {
            to.group.put(Some(group));
            to.put(self, &edge(target));
        }
    }
}

/// One row.
struct Edge {
    account: Option<u32>,
    target: u64,
    granted: Option<Time>,
    expires: Option<Time>,
    giver: Option<i16>,
    /// Days before the snapshot.
    used: Option<i64>,
}

/// The columns that differ from row to row, of either table.
#[derive(Default)]
struct Columns {
    /// Whose all rows are.
    of: PrincipalKind,
    principal: Texts,
    account: Ordinals,
    group: Ordinals,
    target: Ordinals,
    resource: Ordinals,
    granted_at: Times,
    expires_at: Times,
    givers: Vec<Option<i16>>,
    last_used_at: Times,
    use_state: Words<UseState>,
}

impl Columns {
    fn len(&self) -> usize {
        self.target.len()
    }

    fn put(&mut self, edges: &Edges<'_>, edge: &Edge) {
        if edge.account.is_some() {
            self.account.put(edge.account);
        }
        self.granted_at.put(edge.granted);
        self.expires_at.put(edge.expires);
        self.givers.push(edge.giver);
        match edges.table {
            Table::Memberships => self.target.put(Some(edge.target as u32)),
            Table::Grants => {
                let (entitlement, resource) = edges.right(edge.target);
                self.target.put(Some(entitlement));
                self.resource.put(resource);
                let taken_at = clock::taken_at(edges.week, edges.estate.size.snapshots);
                self.last_used_at.put(edge.used.map(|days| taken_at.plus(-days * DAY)));
                self.use_state.put(if edge.used.is_some() { UseState::Used } else { UseState::Unknown });
            }
        }
    }

    fn givers(&mut self) -> Result<ArrayRef, ArrowError> {
        let names: Vec<String> = (0..GIVERS).map(|g| format!("admin-{g:03}@corp.example")).collect();
        let codes = Int16Array::from(std::mem::take(&mut self.givers));
        let array = DictionaryArray::<Int16Type>::try_new(codes, Arc::new(StringArray::from(names)))?;
        Ok(Arc::new(array))
    }

    /// All rows as a batch, `first` being the ordinal of the first of them.
    fn finish(&mut self, edges: &Edges<'_>, first: u64) -> Result<RecordBatch, ArrowError> {
        let (schema, rows) = (edges.schema(), self.len());
        let null = |column| nulls(schema, column, rows);
        let group = if edges.table == Table::Memberships { "member_group_ix" } else { "group_ix" };
        let of = self.of;
        let (account, group, principal) = match of {
            PrincipalKind::Group => (null("account_ix"), self.group.finish(), null("principal_ref")),
            PrincipalKind::Deleted => (null("account_ix"), null(group), self.principal.finish()),
            _ => (self.account.finish(), null(group), null("principal_ref")),
        };
        let (kind, target, granted_at, expires_at, givers) =
            (constant(of.as_str(), rows), self.target.finish(), self.granted_at.finish(), self.expires_at.finish(), self.givers()?);
        let ix = ordinals(first, rows);
        let columns = match edges.table {
            Table::Memberships => vec![
                ix,
                account,
                group,
                kind,
                principal,
                target,
                constant(MembershipKind::Direct.as_str(), rows),
                granted_at,
                expires_at,
                givers,
                null("request_ref"),
                null("condition"),
            ],
            Table::Grants => vec![
                ix,
                account,
                group,
                kind,
                principal,
                target,
                self.resource.finish(),
                constant(Effect::Allow.as_str(), rows),
                granted_at,
                expires_at,
                givers,
                null("request_ref"),
                self.last_used_at.finish(),
                self.use_state.finish(),
                null("condition"),
            ],
        };
        debug_assert!(columns.iter().all(|c| c.len() == rows));
        batch(schema, columns)
    }
}
