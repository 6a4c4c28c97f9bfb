//! Accounts: what each is, and the columns of their table.

use std::fmt::Write;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::clock;
use super::columns::{Batches, Texts, Times, Words, batch, nulls, ordinals};
use super::dice::{Dice, Key};
use super::faults;
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
    Nobody,
}

/// By what an account is to be matched with whoever it belongs to. All but the last three are certain.
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
    /// By the two names in a login, or by the name that is shown: neither is certain.
    NameLogin,
    NameOnly,
    /// By nothing.
    Nobody,
}

/// What is known of one account.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    /// Its number, by which native ids ascend.
    pub number: u64,
    pub whose: Whose,
    /// The person whose name it shows.
    pub name: u64,
    pub kind: AccountKind,
    pub tie: Tie,
    pub status: AccountStatus,
    /// Before the last exports, the time since the first ones left out.
    pub created_hours: i64,
    /// Before the snapshot.
    pub used_hours: Option<i64>,
    pub mfa: MfaState,
    pub shown: Option<Shown>,
    pub production: bool,
    /// It has a password.
    pub password: bool,
    pub keys: u8,
}

impl Account {
    /// When it was made: what is old was there before the first snapshot.
    pub fn created_at(&self, estate: &Estate) -> Time {
        let history = if self.created_hours > 24 { estate.history() } else { 0 };
        clock::days_before(history).plus(-self.created_hours * HOUR)
    }
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
        if let Some(slot) = self.system.slot_of(self.estate, number) {
            return faults::account(self.estate, self.system, &slot, &mut dice);
        }
        let sound = number - self.system.slots_below(number);
        let people = self.system.of_people(sound);
        match sound % 20 {
            place @ (SERVICE | WORKLOAD) => {
                let rank = self.system.workloads_before + sound - people;
                let whose = Whose::Workload(self.estate.people.workload_of.of(rank));
                of_workload(number, whose, place == SERVICE, &mut dice)
            }
            _ => of_person(number, self.estate.people.person_of.of(self.system.people_before + people), &mut dice),
        }
    }

    /// The accounts that are there in a week, with their ordinals, from a number and an ordinal on.
    pub fn from(&self, number: u64, ordinal: u32, week: u32) -> impl Iterator<Item = (u32, Account)> + '_ {
        let mut ordinal = ordinal;
        (number..self.system.numbers).filter_map(move |number| {
            if !self.there(number, week) {
                return None;
            }
            ordinal += 1;
            Some((ordinal - 1, self.of(number)))
        })
    }

    /// Whether an account is there in a week.
    pub fn there(&self, number: u64, week: u32) -> bool {
        self.system.slot_of(self.estate, number).is_none_or(|slot| self.system.holds(self.estate, &slot, week))
    }

    /// Writes its native id.
    pub fn native_id(&self, number: u64, to: &mut String) {
        let _ = write!(to, "a{number:0width$}", width = self.system.width);
    }

    /// The table, as it was in one week.
    pub fn rows(self, week: u32) -> Batches<'e> {
        let (mut number, mut ordinal) = (0, 0);
        Box::new(std::iter::from_fn(move || {
            let mut to = Columns::default();
            let first = ordinal;
            for (ix, account) in self.from(number, ordinal, week).take(GROUP_ROWS) {
                to.room.clear();
                self.native_id(account.number, &mut to.room);
                to.native_id.put(Some(&to.room));
                to.put(self.estate, &account, clock::taken_at(week, self.estate.size.snapshots));
                (number, ordinal) = (account.number + 1, ix + 1);
            }
            let rows = (ordinal - first) as usize;
            (rows > 0).then(|| to.finish(first, rows))
        }))
    }
}

impl Columns {
    /// All rows as a batch.
    fn finish(&mut self, first: u32, rows: usize) -> Result<RecordBatch, ArrowError> {
        let to = self;
        let null = |column| nulls(&ACCOUNTS, column, rows);
        batch(
            &ACCOUNTS,
            vec![
                ordinals(u64::from(first), rows),
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

fn of_person(number: u64, person: u64, dice: &mut Dice) -> Account {
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
        whose: Whose::Person(person),
        name: person,
        kind: AccountKind::Human,
        tie,
        status: if active { AccountStatus::Active } else { AccountStatus::Disabled },
        created_hours: dice.between(120, 2_900) * 24,
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
        name: 0,
        kind: if service { AccountKind::Service } else { AccountKind::Workload },
        tie: match dice.below(10) {
            0..6 => Tie::WorkloadLogin,
            6..8 => Tie::WorkloadId,
            _ => Tie::WorkloadKey,
        },
        status: AccountStatus::Active,
        created_hours: dice.between(120, 1_500) * 24,
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
    spelt: Spelt,
}

impl Columns {
    fn put(&mut self, estate: &Estate, account: &Account, taken_at: Time) {
        self.kind.put(account.kind);
        self.status.put(account.status);
        self.created_at.put(Some(account.created_at(estate)));
        self.last_used_at.put(account.used_hours.map(|h| taken_at.plus(-h * HOUR)));
        self.use_state.put(if account.used_hours.is_some() { UseState::Used } else { UseState::Never });
        self.mfa.put(account.mfa);
        self.environment.put(Some(if account.production { "production" } else { "test" }));
        let mut spelt = std::mem::take(&mut self.spelt);
        account.spell(estate, &mut spelt);
        self.pair(&spelt.login, |c| (&mut c.login, &mut c.login_norm));
        self.pair(&spelt.shown, |c| (&mut c.display_name, &mut c.display_name_norm));
        self.pair(&spelt.email, |c| (&mut c.email, &mut c.email_norm));
        self.pair(&spelt.upn, |c| (&mut c.upn, &mut c.upn_norm));
        self.employee_ref.put(some(&spelt.employee));
        self.spelt = spelt;
    }

    /// A text and how it is compared.
    fn pair(&mut self, text: &str, of: impl Fn(&mut Self) -> (&mut Texts, &mut Texts)) {
        // Every text of an account is ASCII, with single blanks.
        self.room.clear();
        self.room.extend(text.chars().map(|c| c.to_ascii_lowercase()));
        let folded = std::mem::take(&mut self.room);
        let (column, norm) = of(self);
        column.put(some(text));
        norm.put(some(&folded));
        self.room = folded;
    }
}

/// An empty text is none.
fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// How a system spells whose an account is. What it does not hold is empty.
#[derive(Debug, Default)]
pub struct Spelt {
    pub login: String,
    pub shown: String,
    pub email: String,
    pub upn: String,
    pub employee: String,
}

impl Account {
    /// Writes the spellings of an account.
    pub fn spell(&self, estate: &Estate, to: &mut Spelt) {
        for text in [&mut to.login, &mut to.shown, &mut to.email, &mut to.upn, &mut to.employee] {
            text.clear();
        }
        match self.whose {
            Whose::Person(person) => self.spell_person(estate, person, to),
            Whose::Workload(workload) if self.tie == Tie::WorkloadId => people::workload_id(workload, &mut to.login),
            Whose::Workload(workload) if self.tie == Tie::WorkloadKey => {
                to.login.extend(["robot-", &self.number.to_string()]);
                people::workload_id(workload, &mut to.employee);
            }
            Whose::Workload(workload) => people::workload_login(workload, &mut to.login),
            Whose::Nobody => to.login.extend(["svc-unlisted-", &self.number.to_string()]),
        }
    }

    fn spell_person(&self, estate: &Estate, person: u64, to: &mut Spelt) {
        match self.tie {
            Tie::LoginIsEmail => people::email(person, &mut to.login),
            Tie::DomainLogin => {
                to.login.push_str("CORP\\");
                people::login(person, &mut to.login);
            }
            Tie::LoginAlias => people::short_alias(person, &mut to.login),
            Tie::NameLogin => {
                to.login.extend(names::given(person).chars().map(|c| c.to_ascii_lowercase()));
                to.login.push('_');
                names::family(person, true, &mut to.login);
            }
            Tie::NameOnly | Tie::Nobody => to.login.extend(["visitor-", &self.number.to_string()]),
            _ => people::login(person, &mut to.login),
        }
        if let Some(form) = self.shown {
            names::shown(self.name, form, &mut to.shown);
        }
        match self.tie {
            Tie::EmployeeNumber | Tie::EmployeeKey => people::email(person, &mut to.email),
            Tie::Email => people::email_capitals(person, &mut to.email),
            Tie::EmailAlias => people::old_email(person, &mut to.email),
            Tie::Upn => people::email(person, &mut to.upn),
            _ => {}
        }
        match self.tie {
            Tie::EmployeeNumber => people::employee_number(person, &mut to.employee),
            Tie::EmployeeKey => people::person_id(person, estate.person_width(), &mut to.employee),
            _ => {}
        }
    }
}
