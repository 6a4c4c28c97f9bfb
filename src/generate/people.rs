//! People and registered workloads: what their authorities say of them, and how systems may spell them.

use std::fmt::Write;

use super::clock;
use super::columns::{Batches, of_rows};
use super::dice::Key;
use super::faults::{self, Fault, KINDS, Slot};
use super::names::{self, GIVEN_NAMES, Shown};
use super::shape::{Estate, System};
use crate::model::text::norm;
use crate::model::{EmploymentRow, IdentityKind, IdentityRow, IdentityStatus, LifecycleRow};
use crate::store::table_file::GROUP_ROWS;

/// Writes the native id in the people list.
pub fn person_id(person: u64, width: usize, to: &mut String) {
    let _ = write!(to, "p{person:0width$}");
}

/// Writes the employee number: text, with leading zeros.
pub fn employee_number(person: u64, to: &mut String) {
    let _ = write!(to, "{:08}", person + 10_000);
}

/// Writes the mail address.
pub fn email(person: u64, to: &mut String) {
    names::dotted(person, to);
    to.push_str("@corp.example");
}

/// Writes the mail address as a careless form has it.
pub fn email_capitals(person: u64, to: &mut String) {
    to.push_str(names::given(person));
    to.push('.');
    names::family(person, false, to);
    to.push_str("@Corp.Example");
}

/// Writes the address of before the company changed its name.
pub fn old_email(person: u64, to: &mut String) {
    names::dotted(person, to);
    to.push_str("@old.example");
}

/// Writes the login: initial, family name, and two digits that tell apart whoever shares those.
pub fn login(person: u64, to: &mut String) {
    to.extend(names::given(person).chars().next().map(|c| c.to_ascii_lowercase()));
    names::family(person, true, to);
    let _ = write!(to, "{:02}", person % GIVEN_NAMES);
}

/// Writes the login of an older system.
pub fn short_alias(person: u64, to: &mut String) {
    let _ = write!(to, "u{person:07}");
}

/// Writes the native id in the register of workloads.
pub fn workload_id(workload: u64, to: &mut String) {
    let _ = write!(to, "w{workload:07}");
}

/// Writes the login that the register states.
pub fn workload_login(workload: u64, to: &mut String) {
    let _ = write!(to, "svc-{workload:07}");
}

/// A line of the people list: number, names, address, login, standing, start.
pub fn listed(estate: &Estate, person: u64) -> [String; 8] {
    let persons = Persons::new(estate);
    let i = persons.identity(person);
    let status = if i.status == IdentityStatus::Left { "Terminated" } else { "Active" };
    let started = clock::days_before(persons.belonging(person).started).date();
    let family = text(|to| names::family(person, false, to));
    let of = |text: Option<String>| text.unwrap_or_default();
    [
        of(i.employee_number),
        names::given(person).to_owned(),
        family,
        of(i.display_name),
        of(i.email),
        of(i.login),
        status.to_owned(),
        started,
    ]
}

/// What a writer writes.
pub fn text(write: impl FnOnce(&mut String)) -> String {
    let mut to = String::new();
    write(&mut to);
    to
}

const TITLES: [&str; 12] = [
    "Account Manager",
    "Analyst",
    "Architect",
    "Buyer",
    "Clerk",
    "Consultant",
    "Controller",
    "Developer",
    "Engineer",
    "Planner",
    "Specialist",
    "Technician",
];
/// Title of those to whom the one role of the catalogue is due.
pub const ARCHIVIST: &str = "Archivist";
const UNITS: [&str; 10] =
    ["Accounting", "Customer Care", "Development", "Human Resources", "Legal", "Logistics", "Marketing", "Operations", "Sales", "Security"];

/// Days before the last exports on which a person started, and on which they left; negative: after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Belonging {
    started: i64,
    left: Option<i64>,
}

/// The people of an estate.
#[derive(Clone, Copy, Debug)]
pub struct Persons<'e> {
    estate: &'e Estate,
    key: Key,
}

impl<'e> Persons<'e> {
    pub fn new(estate: &'e Estate) -> Self {
        Self { estate, key: Key::new(estate.size.seed, "persons", 0) }
    }

    /// The planted account that a person is there for.
    fn slot(&self, person: u64) -> Option<(&'e System, Slot)> {
        let at = person.checked_sub(self.estate.people.working).filter(|at| *at < self.estate.people.slots)?;
        let system = self.estate.systems.iter().rev().find(|s| s.slots_before <= at)?;
        let within = at - system.slots_before;
        let fault = faults::ALL.get((within % KINDS) as usize)?;
        Some((system, system.slot(self.estate, within / KINDS, *fault)))
    }

    fn belonging(&self, person: u64) -> Belonging {
        let mut dice = self.key.dice(person);
        let started = self.estate.history() + dice.between(1_000, 6_000);
        let left = match self.slot(person).map(|(_, slot)| slot) {
            Some(Slot { fault: Fault::LeavesLater, .. }) => Some(-20),
            Some(slot) if slot.fault == Fault::Revoked => Some(self.left_before(&slot, dice.between(1, 6))),
            Some(slot) => slot.fault.left().map(|(from, to)| dice.between(from, to)),
            None if person < self.estate.people.working => None,
            None => Some(self.estate.history() + dice.between(120, 900)),
        };
        Belonging { started, left }
    }

    /// So many days before the snapshot in which their account is gone.
    fn left_before(&self, slot: &Slot, days: i64) -> i64 {
        let weeks = self.estate.size.snapshots;
        days + 7 * i64::from(weeks - 1 - faults::gone_in(slot, weeks).min(weeks - 1))
    }

    fn identity(&self, person: u64) -> IdentityRow {
        let mut dice = Key::new(self.estate.size.seed, "posts", 0).dice(person);
        let slot = self.slot(person);
        let fault = slot.map(|(_, slot)| slot.fault);
        let status = match self.belonging(person).left {
            _ if fault == Some(Fault::OnLeave) => IdentityStatus::Suspended,
            Some(days) if days > 0 => IdentityStatus::Left,
            _ => IdentityStatus::Active,
        };
        let word = match status {
            IdentityStatus::Suspended => "On leave",
            IdentityStatus::Left => "Former employee",
            _ => "In service",
        };
        let named = if fault == Some(Fault::Namesake) { faults::namesake_of(person) } else { person };
        let name = text(|to| names::shown(named, Shown::Spoken, to));
        let (login, email) = (text(|to| login(person, to)), text(|to| email(person, to)));
        let pick = |words: &[&str], at: u64| words.get(at as usize).map(|w| (*w).to_owned());
        let manager = dice.below(self.estate.people.working.max(1));
        let title = pick(&TITLES, dice.below(TITLES.len() as u64));
        let archivist = fault == Some(Fault::OutsideRole) && slot.is_some_and(|(system, _)| system.at == 0);
        IdentityRow {
            identity_ix: person as u32,
            native_id: self.estate.person_id(person),
            kind: IdentityKind::Person,
            employee_number: Some(text(|to| employee_number(person, to))),
            display_name_norm: norm(&name),
            display_name: Some(name),
            given_name_norm: norm(names::given(named)),
            family_name_norm: Some(text(|to| names::family(named, true, to))),
            login_norm: Some(login.clone()),
            login: Some(login),
            email_norm: Some(email.clone()),
            email: Some(email),
            aliases: Some(format!("[\"{}\",\"{}\"]", text(|to| old_email(person, to)), text(|to| short_alias(person, to)))),
            status,
            status_text: Some(word.to_owned()),
            manager_ref: Some(text(|to| employee_number(manager, to))),
            title: if archivist { Some(ARCHIVIST.to_owned()) } else { title },
            org_unit: pick(&UNITS, dice.below(UNITS.len() as u64)),
            ..IdentityRow::default()
        }
    }

    /// Table `identities` of the people list.
    pub fn identities(self) -> Batches<'e> {
        of_rows((0..self.estate.people.persons).map(move |person| self.identity(person)), GROUP_ROWS)
    }

    /// Table `employments`: one span each.
    pub fn employments(self) -> Batches<'e> {
        let rows = (0..self.estate.people.persons).map(move |person| {
            let Belonging { started, left } = self.belonging(person);
            EmploymentRow {
                identity_ix: person as u32,
                employment: "1".to_owned(),
                starts_at: Some(clock::days_before(started)),
                ends_at: left.map(clock::days_before),
                start_known_at: None,
                end_known_at: left.map(|days| clock::days_before((days + 10).max(1))),
                ended_undated: false,
            }
        });
        of_rows(rows, GROUP_ROWS)
    }

    /// Table `lifecycle_events`: who joined and left within the last year.
    pub fn lifecycle(self) -> Batches<'e> {
        let rows = (0..self.estate.people.persons).filter_map(move |person| {
            let Belonging { started, left } = self.belonging(person);
            let (kind, days) = match left {
                Some(days) => ("leaver", days),
                None => ("joiner", started),
            };
            (0..=365).contains(&days).then(|| LifecycleRow {
                identity_ix: person as u32,
                kind: kind.to_owned(),
                effective_at: clock::days_before(days),
                known_at: Some(clock::days_before(days + 10)),
            })
        });
        of_rows(rows, GROUP_ROWS)
    }
}

/// The registered workloads of an estate.
#[derive(Clone, Copy, Debug)]
pub struct Workloads<'e> {
    estate: &'e Estate,
    key: Key,
}

impl<'e> Workloads<'e> {
    pub fn new(estate: &'e Estate) -> Self {
        Self { estate, key: Key::new(estate.size.seed, "workloads", 0) }
    }

    fn identity(&self, workload: u64) -> IdentityRow {
        let mut dice = self.key.dice(workload);
        let kind = if dice.chance(10) { IdentityKind::Agent } else { IdentityKind::Workload };
        let owner = dice.below(self.estate.people.working.max(1));
        let planted = self.planted(workload);
        // Whoever answered for an unowned workload has left.
        let owner = planted.filter(|slot| slot.fault == Fault::Unowned).map_or(owner, |slot| slot.person);
        let retired = planted.is_some_and(|slot| slot.fault == Fault::Retired);
        let name = format!("Workload {workload}");
        let login = text(|to| workload_login(workload, to));
        IdentityRow {
            identity_ix: workload as u32,
            native_id: text(|to| workload_id(workload, to)),
            kind,
            display_name_norm: norm(&name),
            display_name: Some(name),
            login_norm: Some(login.clone()),
            login: Some(login),
            status: if retired { IdentityStatus::Left } else { IdentityStatus::Active },
            status_text: Some(if retired { "retired" } else { "in operation" }.to_owned()),
            owner_ref: Some(text(|to| employee_number(owner, to))),
            ..IdentityRow::default()
        }
    }

    /// The planted account that a workload is there for.
    fn planted(&self, workload: u64) -> Option<Slot> {
        let at = workload.checked_sub(self.estate.people.working_workloads)?;
        let system = self.estate.systems.iter().rev().find(|s| s.slots_before / KINDS <= at / 2)?;
        let fault = if at % 2 == 1 { Fault::Retired } else { Fault::Unowned };
        Some(system.slot(self.estate, at / 2 - system.slots_before / KINDS, fault))
    }

    /// Table `identities` of the register.
    pub fn identities(self) -> Batches<'e> {
        of_rows((0..self.estate.people.workloads).map(move |workload| self.identity(workload)), GROUP_ROWS)
    }

    /// Table `employments`: since when each is in operation.
    pub fn employments(self) -> Batches<'e> {
        let rows = (0..self.estate.people.workloads).map(move |workload| EmploymentRow {
            identity_ix: workload as u32,
            employment: "1".to_owned(),
            starts_at: Some(clock::days_before(self.estate.history() + 200 + (workload % 1_700) as i64)),
            ends_at: self.planted(workload).filter(|slot| slot.fault == Fault::Retired).map(|_| clock::days_before(40)),
            ..EmploymentRow::default()
        });
        of_rows(rows, GROUP_ROWS)
    }
}
