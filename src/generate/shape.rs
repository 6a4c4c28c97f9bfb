//! How large each part of an estate is. Everything follows from the numbers asked for, so that every table can be written alone.

use super::dice::{Key, Shuffle};
use super::faults::{self, KINDS};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Accounts of all systems together, in their last snapshots.
    pub accounts: u64,
    /// Grants and memberships of all systems together, in their last snapshots.
    pub access: u64,
    /// People and registered workloads.
    pub identities: u64,
    /// Systems that hold accounts.
    pub systems: u32,
    /// Weekly snapshots of each.
    pub snapshots: u32,
    pub seed: u64,
    /// With requests, a role catalogue, exceptions and a register of systems.
    pub records: bool,
}

/// Why no estate has these numbers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Impossible {
    pub message: String,
    pub help: String,
}

fn impossible<T>(message: String, help: &str) -> Result<T, Impossible> {
    Err(Impossible { message, help: help.to_owned() })
}

/// Rows that an ordinal can count.
const MOST: u64 = u32::MAX as u64;
/// Edges of one account at most.
const MOST_EDGES: u64 = 50_000;
/// Systems at most: their names have four digits.
const MOST_SYSTEMS: u32 = 9_999;
/// Of twenty accounts, the places of those that are no person's.
pub const SERVICE: u64 = 7;
pub const WORKLOAD: u64 = 13;

/// The people and workloads of an estate. Numbers of people: first those who work, then those of planted accounts, then those who have left
/// long ago. Numbers of workloads: first those in order, then two for each cycle of faults.
#[derive(Clone, Copy, Debug)]
pub struct People {
    pub persons: u64,
    /// People with at least one account each.
    pub working: u64,
    pub workloads: u64,
    /// Workloads of which nothing is planted.
    pub working_workloads: u64,
    /// Planted accounts of all systems.
    pub slots: u64,
    pub person_of: Shuffle,
    pub workload_of: Shuffle,
}

/// One system with accounts.
#[derive(Clone, Debug)]
pub struct System {
    /// Its place among them, from 0.
    pub at: u32,
    pub name: String,
    /// In the last snapshot.
    pub accounts: u64,
    /// Numbers of accounts, those that are gone by then included.
    pub numbers: u64,
    /// Cycles of planted faults.
    pub cycles: u64,
    /// Planted accounts in the systems before it.
    pub slots_before: u64,
    /// Digits of the numbers in native ids.
    pub width: usize,
    /// Accounts of people, and of workloads, in the systems before it.
    pub people_before: u64,
    pub workloads_before: u64,
    pub groups: u32,
    pub entitlements: u32,
    pub resources: u32,
    /// Grants and memberships of accounts in the last snapshot.
    pub edges: u64,
    /// The most that one account holds.
    pub most_edges: u64,
    /// Groups have members and rights of their own.
    pub nested: bool,
}

/// Everything about an estate that is not drawn row by row.
#[derive(Clone, Debug)]
pub struct Estate {
    pub size: Size,
    pub people: People,
    pub systems: Vec<System>,
}

/// An equal share of a whole; the first parts take what is left over.
fn share(whole: u64, parts: u32, at: u32) -> u64 {
    whole / u64::from(parts.max(1)) + u64::from(u64::from(at) < whole % u64::from(parts.max(1)))
}

/// Digits of the largest number below `count`, six at least.
fn width(count: u64) -> usize {
    count.saturating_sub(1).to_string().len().max(6)
}

impl Estate {
    /// # Errors
    /// Numbers that no estate can have.
    pub fn new(size: Size) -> Result<Self, Impossible> {
        possible(&size)?;
        let registered = if size.identities == 0 { 0 } else { (size.identities / 20).max(1) };
        let persons = size.identities - registered;
        let cycles = (0..size.systems).map(|at| cycles(&size, at)).min().unwrap_or(0);
        let mut systems: Vec<System> = Vec::new();
        let (mut people, mut workloads) = (0, 0);
        for at in 0..size.systems {
            let system = System::new(&size, at, cycles, (people, workloads));
            let sound = system.numbers - system.slots();
            people += system.of_people(sound);
            workloads += sound - system.of_people(sound);
            if system.edges > sound.saturating_mul(system.most_edges) / 2 {
                return impossible(
                    format!("{} grants and memberships are too many for {} accounts", size.access, size.accounts),
                    "ask for more accounts, or for less access",
                );
            }
            systems.push(system);
        }
        let mut dice = Key::new(size.seed, "people", 0).dice(0);
        let slots: u64 = systems.iter().map(System::slots).sum();
        let working = (persons - slots).min(people);
        let working_workloads = registered - slots / KINDS * 2;
        let people = People {
            persons,
            working,
            workloads: registered,
            working_workloads,
            slots,
            person_of: Shuffle::new(working, &mut dice),
            workload_of: Shuffle::new(working_workloads, &mut dice),
        };
        Ok(Self { size, people, systems })
    }

    /// Days between the first snapshots and the last: what was there all the time is older.
    pub fn history(&self) -> i64 {
        7 * i64::from(self.size.snapshots - 1)
    }

    /// The native id of a person.
    pub fn person_id(&self, person: u64) -> String {
        super::people::text(|to| super::people::person_id(person, self.person_width(), to))
    }

    /// Digits of the numbers in the native ids of people.
    pub fn person_width(&self) -> usize {
        width(self.people.persons)
    }
}

/// Cycles of faults that a system bears: about two findings for a thousand edges, and never more than are held with ease.
fn cycles(size: &Size, at: u32) -> u64 {
    let (accounts, access, systems) =
        (share(size.accounts, size.systems, at), share(size.access, size.systems, at), u64::from(size.systems));
    if accounts < 20 * KINDS || access < 40 * KINDS {
        return 0;
    }
    let people = size.identities / (4 * KINDS * systems);
    let workloads = size.identities / (20 * 4 * systems);
    (access / 400 / KINDS).clamp(1, (180_000 / KINDS / systems).max(1)).min(people).min(workloads)
}

fn possible(size: &Size) -> Result<(), Impossible> {
    if size.snapshots == 0 {
        return impossible("`--snapshots` is 0, and a store without a snapshot holds nothing".to_owned(), "ask for one at least");
    }
    if size.access > 0 && size.accounts == 0 {
        return impossible(format!("{} grants and memberships, and no account to hold them", size.access), "ask for accounts, too");
    }
    if size.accounts > 0 && size.systems == 0 {
        return impossible(format!("{} accounts, and no system to hold them", size.accounts), "ask for a system at least");
    }
    if size.systems > MOST_SYSTEMS {
        return impossible(format!("{} systems are more than {MOST_SYSTEMS}", size.systems), "ask for fewer systems");
    }
    if size.accounts > 0 && size.identities < 2 {
        let help = "ask for two identities at least: a person and a workload";
        return impossible(format!("{} identities are too few to answer for accounts", size.identities), help);
    }
    if size.snapshots > 520 {
        return impossible(format!("{} weekly snapshots reach back more than ten years", size.snapshots), "ask for 520 at most");
    }
    let of_one = |whole: u64| share(whole, size.systems, 0);
    for (what, rows) in [("identities", size.identities), ("accounts of a system", of_one(size.accounts))] {
        if rows > MOST {
            return impossible(format!("{rows} {what} are more than an ordinal counts, {MOST}"), "ask for fewer, or for more systems");
        }
    }
    // Each of the two tables of edges holds about half; the origins of all rows of a snapshot are one table.
    if of_one(size.access) > MOST {
        let rows = of_one(size.access);
        return impossible(
            format!("{rows} grants and memberships of a system are more than an ordinal counts, {MOST}"),
            "ask for more systems",
        );
    }
    Ok(())
}

impl System {
    fn new(size: &Size, at: u32, cycles: u64, before: (u64, u64)) -> Self {
        let (accounts, access) = (share(size.accounts, size.systems, at), share(size.access, size.systems, at));
        let nested = access >= 400;
        let groups = u32::try_from((accounts / 40).min(access / 20).clamp(4, 250_000)).unwrap_or(4);
        let entitlements = u32::try_from((accounts.isqrt() * 4).clamp(40, 20_000)).unwrap_or(40);
        let resources = u32::try_from((accounts / 100).clamp(10, 50_000)).unwrap_or(10);
        let mut system = Self {
            at,
            name: format!("system-{:04}", at + 1),
            accounts,
            numbers: accounts + cycles,
            cycles,
            slots_before: u64::from(at) * cycles * KINDS,
            width: width(accounts + cycles),
            people_before: before.0,
            workloads_before: before.1,
            groups,
            entitlements,
            resources,
            edges: 0,
            most_edges: (access / 20).clamp(8, MOST_EDGES).min(u64::from(entitlements) * u64::from(resources) / 2),
            nested,
        };
        system.edges = access - system.edges_of_groups(size.seed) - cycles * faults::edges_of_cycle(&system);
        system
    }

    /// How many of the first `accounts` are people's.
    pub fn of_people(&self, accounts: u64) -> u64 {
        let rest = accounts % 20;
        accounts / 20 * 18 + rest - u64::from(rest > SERVICE) - u64::from(rest > WORKLOAD)
    }
}
