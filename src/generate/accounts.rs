//! Accounts: what each is, and the columns of their table.

use std::fmt::Write;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::clock;
use super::columns::{Batches, Texts, Times, Words, batch, nulls, ordinals};
use super::dice::{Dice, Key};
use super::names::{self, Shown};
use super::people;
use super::shape::{Estate, SERVICE, System, WORKLOAD};
use crate::model::time::HOUR;
use crate::model::{ACCOUNTS, AccountKind, AccountStatus, MfaState, Time, UseState};
use crate::store::table_file::GROUP_ROWS;

/// Whose an account is, by their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    Person(u64),
    Workload(u64),
}

/// By what an account is to be matched with whoever it belongs to. Each is certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    EmployeeNumber,
    /// The reference holds the native id of the people list.
    EmployeeKey,
    Email,
    Upn,
    LoginIsEmail,
    EmailAlias,
    DomainLogin,
    LoginAlias,
    /// Of workloads: login, native id, reference.
    WorkloadLogin,
    WorkloadId,
    WorkloadKey,
}

/// What is known of one account. Times are hours before the snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    /// Its number, by which native ids ascend.
    pub number: u64,
    pub whose: Whose,
    pub kind: AccountKind,
    pub tie: Tie,
    pub status: AccountStatus,
    /// Before the end.
    pub created_days: i64,
    pub used_hours: Option<i64>,
    pub mfa: MfaState,
    pub shown: Option<Shown>,
    pub production: bool,
    /// It has a password.
    pub password: bool,
    pub keys: u8,
}

/// The accounts of one system.
#[derive(Debug)]
pub struct Accounts<'e> {
    pub estate: &'e Estate,
    pub system: &'e System,
    key: Key,
}

impl<'e> Accounts<'e> {
    pub fn new(estate: &'e Estate, system: &'e System) -> Self {
        Self { estate, system, key: Key::new(estate.size.seed, "accounts", u64::from(system.at)) }
    }

    /// The account of that number.
    pub fn of(&self, number: u64) -> Account {
        let mut dice = self.key.dice(number);
        let people = self.system.of_people(number);
        match number % 20 {
            place @ (SERVICE | WORKLOAD) => {
                let rank = self.system.workloads_before + number - people;
                let whose = Whose::Workload(self.estate.people.workload_of.of(rank));
                of_workload(number, whose, place == SERVICE, &mut dice)
            }
            _ => {
                let rank = self.system.people_before + people;
                of_person(number, Whose::Person(self.estate.people.person_of.of(rank)), &mut dice)
            }
        }
    }

    /// Writes its native id.
    pub fn native_id(&self, number: u64, to: &mut String) {
        let _ = write!(to, "a{number:0width$}", width = self.system.width);
    }

    /// The table, as it was in one week.
    pub fn rows(self, week: u32) -> Batches<'e> {
        let taken_at = clock::taken_at(week, self.estate.size.snapshots);
        let mut next = 0;
        Box::new(std::iter::from_fn(move || {
            let first = next;
            let last = (first + GROUP_ROWS as u64).min(self.system.accounts);
            next = last;
            (first < last).then(|| self.part(first, last, taken_at))
        }))
    }

    fn part(&self, first: u64, last: u64, taken_at: Time) -> Result<RecordBatch, ArrowError> {
        let rows = (last - first) as usize;
        let mut to = Columns::default();
        for number in first..last {
            let account = self.of(number);
            to.room.clear();
            self.native_id(number, &mut to.room);
            to.native_id.put(Some(&to.room));
            to.put(self.estate, &account, taken_at);
        }
        let null = |column| nulls(&ACCOUNTS, column, rows);
        batch(
            &ACCOUNTS,
            vec![
                ordinals(first, rows),
                to.native_id.finish(),
                null("generation"),
                to.kind.finish(),
                to.login.finish(),
                to.login_norm.finish(),
                to.display_name.finish(),
                to.display_name_norm.finish(),
                to.email.finish(),
                to.email_norm.finish(),
                to.upn.finish(),
                to.upn_norm.finish(),
                to.employee_ref.finish(),
                null("owner_ref"),
                to.status.finish(),
                to.created_at.finish(),
                null("changed_at"),
                to.last_used_at.finish(),
                null("last_used_until"),
                to.use_state.finish(),
                null("use_window_from"),
                to.mfa.finish(),
                null("expires_at"),
                null("locked_at"),
                to.environment.finish(),
                null("attributes"),
            ],
        )
    }
}

fn of_person(number: u64, whose: Whose, dice: &mut Dice) -> Account {
    let tie = match dice.below(100) {
        0..55 => Tie::EmployeeNumber,
        55..60 => Tie::EmployeeKey,
        60..78 => Tie::Email,
        78..83 => Tie::Upn,
        83..87 => Tie::LoginIsEmail,
        87..91 => Tie::EmailAlias,
        91..96 => Tie::DomainLogin,
        _ => Tie::LoginAlias,
    };
    let active = !dice.chance(3);
    Account {
        number,
        whose,
        kind: AccountKind::Human,
        tie,
        status: if active { AccountStatus::Active } else { AccountStatus::Disabled },
        created_days: dice.between(120, 2_900),
        used_hours: Some(if active { dice.between(1, 60 * 24) } else { dice.between(30 * 24, 100 * 24) }),
        mfa: if dice.chance(92) { MfaState::Yes } else { MfaState::No },
        shown: match dice.below(10) {
            0..6 => Some(Shown::Spoken),
            6..8 => Some(Shown::FamilyFirst),
            8 => Some(Shown::Capitals),
            _ => None,
        },
        production: dice.chance(80),
        password: active && dice.chance(75),
        keys: u8::from(active && dice.chance(4)),
    }
}

fn of_workload(number: u64, whose: Whose, service: bool, dice: &mut Dice) -> Account {
    Account {
        number,
        whose,
        kind: if service { AccountKind::Service } else { AccountKind::Workload },
        tie: match dice.below(10) {
            0..6 => Tie::WorkloadLogin,
            6..8 => Tie::WorkloadId,
            _ => Tie::WorkloadKey,
        },
        status: AccountStatus::Active,
        created_days: dice.between(120, 1_500),
        used_hours: Some(dice.between(1, 20 * 24)),
        mfa: MfaState::NotApplicable,
        shown: None,
        production: dice.chance(60),
        password: false,
        keys: 1 + u8::from(dice.chance(10)),
    }
}

/// The columns that differ from row to row.
#[derive(Default)]
struct Columns {
    native_id: Texts,
    kind: Words<AccountKind>,
    login: Texts,
    login_norm: Texts,
    display_name: Texts,
    display_name_norm: Texts,
    email: Texts,
    email_norm: Texts,
    upn: Texts,
    upn_norm: Texts,
    employee_ref: Texts,
    status: Words<AccountStatus>,
    created_at: Times,
    last_used_at: Times,
    use_state: Words<UseState>,
    mfa: Words<MfaState>,
    environment: Texts,
    room: String,
    folded: String,
}

impl Columns {
    fn put(&mut self, estate: &Estate, account: &Account, taken_at: Time) {
        self.kind.put(account.kind);
        self.status.put(account.status);
        self.created_at.put(Some(clock::days_before(estate.history() + account.created_days)));
        self.last_used_at.put(account.used_hours.map(|h| taken_at.plus(-h * HOUR)));
        self.use_state.put(if account.used_hours.is_some() { UseState::Used } else { UseState::Never });
        self.mfa.put(account.mfa);
        self.environment.put(Some(if account.production { "production" } else { "test" }));
        match account.whose {
            Whose::Person(person) => self.person(estate, person, account),
            Whose::Workload(workload) => self.workload(workload, account),
        }
    }

    fn person(&mut self, estate: &Estate, person: u64, account: &Account) {
        let tie = account.tie;
        let (room, folded) = (&mut self.room, &mut self.folded);
        let mut put = |column: &mut Texts, norm: &mut Texts, write: Option<&dyn Fn(&mut String)>| {
            let Some(write) = write else {
                column.put(None);
                return norm.put(None);
            };
            room.clear();
            write(room);
            // Every text of an account is ASCII, with single blanks.
            folded.clear();
            folded.extend(room.chars().map(|c| c.to_ascii_lowercase()));
            column.put(Some(room));
            norm.put(Some(folded));
        };
        let login: &dyn Fn(&mut String) = match tie {
            Tie::LoginIsEmail => &|to| people::email(person, to),
            Tie::DomainLogin => &|to| {
                to.push_str("CORP\\");
                people::login(person, to);
            },
            Tie::LoginAlias => &|to| people::short_alias(person, to),
            _ => &|to| people::login(person, to),
        };
        put(&mut self.login, &mut self.login_norm, Some(login));
        let shown: Option<&dyn Fn(&mut String)> = match account.shown {
            Some(Shown::Spoken) => Some(&|to| names::shown(person, Shown::Spoken, to)),
            Some(Shown::FamilyFirst) => Some(&|to| names::shown(person, Shown::FamilyFirst, to)),
            Some(Shown::Capitals) => Some(&|to| names::shown(person, Shown::Capitals, to)),
            None => None,
        };
        put(&mut self.display_name, &mut self.display_name_norm, shown);
        let email: Option<&dyn Fn(&mut String)> = match tie {
            Tie::EmployeeNumber | Tie::EmployeeKey => Some(&|to| people::email(person, to)),
            Tie::Email => Some(&|to| people::email_capitals(person, to)),
            Tie::EmailAlias => Some(&|to| people::old_email(person, to)),
            _ => None,
        };
        put(&mut self.email, &mut self.email_norm, email);
        let upn: Option<&dyn Fn(&mut String)> = if tie == Tie::Upn { Some(&|to| people::email(person, to)) } else { None };
        put(&mut self.upn, &mut self.upn_norm, upn);
        self.room.clear();
        match tie {
            Tie::EmployeeNumber => people::employee_number(person, &mut self.room),
            Tie::EmployeeKey => people::person_id(person, estate.person_width(), &mut self.room),
            _ => return self.employee_ref.put(None),
        }
        self.employee_ref.put(Some(&self.room));
    }

    fn workload(&mut self, workload: u64, account: &Account) {
        for column in [&mut self.display_name, &mut self.display_name_norm, &mut self.email, &mut self.email_norm] {
            column.put(None);
        }
        self.upn.put(None);
        self.upn_norm.put(None);
        self.room.clear();
        match account.tie {
            Tie::WorkloadId => people::workload_id(workload, &mut self.room),
            Tie::WorkloadKey => {
                let _ = write!(self.room, "robot-{}", account.number);
            }
            _ => people::workload_login(workload, &mut self.room),
        }
        self.login.put(Some(&self.room));
        self.login_norm.put(Some(&self.room));
        if account.tie == Tie::WorkloadKey {
            self.room.clear();
            people::workload_id(workload, &mut self.room);
            return self.employee_ref.put(Some(&self.room));
        }
        self.employee_ref.put(None);
    }
}
