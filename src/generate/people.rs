//! People and registered workloads: what their authorities say of them, and how systems may spell them.

use std::fmt::Write;

use super::clock;
use super::columns::{Batches, of_rows};
use super::dice::Key;
use super::names::{self, GIVEN_NAMES, Shown};
use super::shape::Estate;
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
const UNITS: [&str; 10] =
    ["Accounting", "Customer Care", "Development", "Human Resources", "Legal", "Logistics", "Marketing", "Operations", "Sales", "Security"];

/// Days before the last exports on which a person started, and on which they left.
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

    fn belonging(&self, person: u64) -> Belonging {
        let mut dice = self.key.dice(person);
        if person < self.estate.people.working {
            return Belonging { started: self.estate.history() + dice.between(150, 6_000), left: None };
        }
        let left = self.estate.history() + dice.between(120, 2_500);
        Belonging { started: left + dice.between(100, 3_000), left: Some(left) }
    }

    fn identity(&self, person: u64) -> IdentityRow {
        let mut dice = Key::new(self.estate.size.seed, "posts", 0).dice(person);
        let left = self.belonging(person).left.is_some();
        let name = text(|to| names::shown(person, Shown::Spoken, to));
        let (login, email) = (text(|to| login(person, to)), text(|to| email(person, to)));
        let pick = |words: &[&str], at: u64| words.get(at as usize).map(|w| (*w).to_owned());
        let manager = dice.below(self.estate.people.working.max(1));
        IdentityRow {
            identity_ix: person as u32,
            native_id: text(|to| person_id(person, self.estate.person_width(), to)),
            kind: IdentityKind::Person,
            employee_number: Some(text(|to| employee_number(person, to))),
            display_name_norm: norm(&name),
            display_name: Some(name),
            given_name_norm: norm(names::given(person)),
            family_name_norm: Some(text(|to| names::family(person, true, to))),
            login_norm: Some(login.clone()),
            login: Some(login),
            email_norm: Some(email.clone()),
            email: Some(email),
            aliases: Some(format!("[\"{}\",\"{}\"]", text(|to| old_email(person, to)), text(|to| short_alias(person, to)))),
            status: if left { IdentityStatus::Left } else { IdentityStatus::Active },
            status_text: Some(if left { "Former employee" } else { "In service" }.to_owned()),
            manager_ref: Some(text(|to| employee_number(manager, to))),
            title: pick(&TITLES, dice.below(TITLES.len() as u64)),
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
                end_known_at: left.map(|days| clock::days_before(days + 10)),
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
            (days <= 365).then(|| LifecycleRow {
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
            status: IdentityStatus::Active,
            status_text: Some("in operation".to_owned()),
            owner_ref: Some(text(|to| employee_number(owner, to))),
            ..IdentityRow::default()
        }
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
            starts_at: Some(clock::days_before(200 + (workload % 1_700) as i64)),
            ..EmploymentRow::default()
        });
        of_rows(rows, GROUP_ROWS)
    }
}
