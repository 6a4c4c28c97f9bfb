//! What is wrong in an estate, on purpose, and what only looks so. Everything else is in order.
//!
//! Faults come in cycles: one account for each kind, spread evenly over the accounts of a system, with a person of its own. Which account
//! of which kind has which number follows from the numbers alone, so that no table needs to know another.

use super::accounts::{Account, Tie, Whose};
use super::dice::Dice;
use super::edges::Table;
use super::names::Shown;
use super::shape::{Estate, System};
use crate::model::{AccountKind, AccountStatus, MfaState};

/// One kind of fault, or of near miss. One account of each makes a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    Ghost,
    LeaverAccess,
    LeaverCredential,
    UseAfterEnd,
    Orphan,
    Unregistered,
    Unowned,
    Retired,
    Dormant,
    OnLeave,
    Disputed,
    Namesake,
    WithoutAccount,
    StaleKey,
    UnusedKey,
    ExpiredCredential,
    DisabledCredential,
    ExpiredAccess,
    AdminPolicy,
    OutOfBand,
    Privileged,
    Regranted,
    RevokeTicket,
    Dangling,
    OutsideRole,
    /// Near misses from here on.
    Approved,
    LeaverCleared,
    LeavesLater,
    TooNew,
    /// It was there once; its owner left, and it was taken away.
    Revoked,
}

use Fault::*;

/// Every kind, in the order of their accounts within a cycle.
pub const ALL: [Fault; 30] = [
    Ghost,
    LeaverAccess,
    LeaverCredential,
    UseAfterEnd,
    Orphan,
    Unregistered,
    Unowned,
    Retired,
    Dormant,
    OnLeave,
    Disputed,
    Namesake,
    WithoutAccount,
    StaleKey,
    UnusedKey,
    ExpiredCredential,
    DisabledCredential,
    ExpiredAccess,
    AdminPolicy,
    OutOfBand,
    Privileged,
    Regranted,
    RevokeTicket,
    Dangling,
    OutsideRole,
    Approved,
    LeaverCleared,
    LeavesLater,
    TooNew,
    Revoked,
];

/// Kinds in a cycle.
pub const KINDS: u64 = ALL.len() as u64;

impl Fault {
    /// Its name in the answers.
    pub fn name(self) -> &'static str {
        match self {
            Ghost => "ghost",
            LeaverAccess => "leaver-access",
            LeaverCredential => "leaver-credential",
            UseAfterEnd => "use-after-end",
            Orphan => "orphan",
            Unregistered => "unregistered",
            Unowned => "unowned",
            Retired => "retired",
            Dormant => "dormant",
            OnLeave => "on-leave",
            Disputed => "disputed",
            Namesake => "namesake",
            WithoutAccount => "without-account",
            StaleKey => "stale-key",
            UnusedKey => "unused-key",
            ExpiredCredential => "expired-credential",
            DisabledCredential => "disabled-credential",
            ExpiredAccess => "expired-access",
            AdminPolicy => "admin-policy",
            OutOfBand => "out-of-band",
            Privileged => "privileged",
            Regranted => "regranted",
            RevokeTicket => "revoke-ticket",
            Dangling => "dangling",
            OutsideRole => "outside-role",
            Approved => "approved",
            LeaverCleared => "leaver-cleared",
            LeavesLater => "leaves-later",
            TooNew => "too-new",
            Revoked => "revoked",
        }
    }

    /// Where in a cycle its account stands.
    pub fn place(self) -> u64 {
        ALL.iter().position(|f| *f == self).unwrap_or(0) as u64
    }

    /// Whether its person has left, `Some(from, to)`: so many days before the last exports.
    pub fn left(self) -> Option<(i64, i64)> {
        match self {
            Ghost | LeaverAccess | UseAfterEnd | Unowned | LeaverCleared => Some((30, 55)),
            LeaverCredential => Some((20, 28)),
            // Nobody has an account of theirs: they left long ago.
            Orphan | Unregistered | Retired | TooNew => Some((400, 900)),
            _ => None,
        }
    }
}

/// The place of one planted account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub fault: Fault,
    /// In its system.
    pub cycle: u64,
    /// Number of its account.
    pub number: u64,
    /// Number of its person.
    pub person: u64,
}

impl System {
    /// Planted accounts.
    pub fn slots(&self) -> u64 {
        self.cycles * KINDS
    }

    fn stride(&self) -> u64 {
        self.numbers.checked_div(self.slots()).unwrap_or(u64::MAX)
    }

    /// Planted accounts with lower numbers.
    pub fn slots_below(&self, number: u64) -> u64 {
        let (stride, half) = (self.stride(), self.stride() / 2);
        if number <= half { 0 } else { (number - half).div_ceil(stride).min(self.slots()) }
    }

    /// The slot of an account, if it is planted.
    pub fn slot_of(&self, estate: &Estate, number: u64) -> Option<Slot> {
        let (stride, half) = (self.stride(), self.stride() / 2);
        let at = number / stride.max(1);
        (at < self.slots() && number % stride == half)
            .then(|| self.slot(estate, at / KINDS, ALL.get((at % KINDS) as usize).copied().unwrap_or(Ghost)))
    }

    /// The slot of a kind in a cycle.
    pub fn slot(&self, estate: &Estate, cycle: u64, fault: Fault) -> Slot {
        let at = cycle * KINDS + fault.place();
        Slot { fault, cycle, number: at * self.stride() + self.stride() / 2, person: estate.people.working + self.slots_before + at }
    }

    /// The workload of a slot.
    pub fn workload_of_slot(&self, estate: &Estate, slot: &Slot) -> u64 {
        let of_cycle = (self.slots_before / KINDS + slot.cycle) * 2;
        estate.people.working_workloads + of_cycle + u64::from(slot.fault == Retired)
    }

    /// Whether an account is there in a week.
    pub fn holds(&self, estate: &Estate, slot: &Slot, week: u32) -> bool {
        let weeks = estate.size.snapshots;
        match slot.fault {
            TooNew => week + 1 == weeks,
            Revoked => week < gone_in(slot, weeks),
            _ => true,
        }
    }
}

/// The week in which a revoked account is gone; of an estate with one snapshot, the first.
pub fn gone_in(slot: &Slot, weeks: u32) -> u32 {
    if weeks < 2 { 0 } else { 1 + (slot.cycle % u64::from(weeks - 1)) as u32 }
}

/// The planted account of a slot.
pub fn account(estate: &Estate, system: &System, slot: &Slot, dice: &mut Dice) -> Account {
    let (fault, days) = (slot.fault, 24);
    let sound = Account {
        number: slot.number,
        whose: Whose::Person(slot.person),
        name: slot.person,
        kind: AccountKind::Human,
        tie: Tie::EmployeeNumber,
        status: AccountStatus::Active,
        created_hours: (120 + dice.between(0, 900)) * days,
        used_hours: Some(dice.between(1, 20 * days)),
        mfa: MfaState::Yes,
        shown: Some(Shown::Spoken),
        production: true,
        password: true,
        keys: 0,
    };
    // Longer ago than anybody with a slot has left, more lately than what is dormant.
    let before_leaving = Some(dice.between(60 * days, 80 * days));
    let disabled = Account { status: AccountStatus::Disabled, password: false, used_hours: before_leaving, ..sound };
    let service = |whose, tie| Account {
        whose,
        tie,
        kind: AccountKind::Service,
        password: false,
        keys: 1,
        mfa: MfaState::NotApplicable,
        shown: None,
        ..sound
    };
    match fault {
        Ghost => Account { used_hours: before_leaving, ..sound },
        LeaverAccess | LeaverCleared => disabled,
        LeaverCredential => Account { keys: 1, ..disabled },
        UseAfterEnd => Account { used_hours: Some(5 * days), ..disabled },
        Orphan => Account { tie: Tie::Nobody, shown: None, ..sound },
        TooNew => Account { tie: Tie::Nobody, shown: None, created_hours: 12, used_hours: Some(1), ..sound },
        Unregistered => service(Whose::Nobody, Tie::Nobody),
        Unowned | Retired => service(Whose::Workload(system.workload_of_slot(estate, slot)), Tie::WorkloadLogin),
        Dormant => Account { used_hours: Some(dice.between(100 * days, 115 * days)), ..sound },
        Disputed => Account { tie: Tie::NameLogin, shown: None, ..sound },
        // The person of the dormant account of the same cycle has the same name.
        Namesake => Account { tie: Tie::NameOnly, name: namesake_of(slot.person), ..sound },
        // Its person has none: this one is somebody else's.
        WithoutAccount => {
            let other = slot.number % estate.people.working.max(1);
            Account { whose: Whose::Person(other), name: other, ..sound }
        }
        StaleKey | UnusedKey | ExpiredCredential => Account { keys: 1, ..sound },
        DisabledCredential => Account { keys: 1, used_hours: Some(10 * days), ..disabled },
        Revoked => Account { used_hours: before_leaving, ..sound },
        _ => sound,
    }
}

/// The person whose name somebody shares.
pub fn namesake_of(person: u64) -> u64 {
    person - (Namesake.place() - Dormant.place())
}

/// An edge of a planted account beside or in place of the ones that are in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// Long granted, of no note.
    Quiet,
    /// Ended ten days ago.
    Ended,
    /// Given two days ago, inside the time that the requests cover.
    Fresh,
    /// There, then not, then there again.
    Back,
}

/// What a planted account holds in one of the two tables: entitlement or group, and what is special about it. `None`: any group.
pub fn edges(system: &System, slot: &Slot, table: Table) -> Vec<(Option<u32>, Planted)> {
    use Planted::{Back, Ended, Fresh, Quiet};
    let (plain, admin) = (system.plain_right(), system.admin_right());
    match (slot.fault, table) {
        (LeaverCredential | UseAfterEnd | LeaverCleared | OutsideRole, Table::Memberships) => Vec::new(),
        (LeaverCredential | UseAfterEnd | LeaverCleared, Table::Grants) => Vec::new(),
        (_, Table::Memberships) => vec![(None, Quiet)],
        (ExpiredAccess, Table::Grants) => vec![(Some(plain), Ended)],
        (OutOfBand, Table::Grants) => vec![(Some(plain), Fresh)],
        (Privileged | Approved, Table::Grants) => vec![(Some(admin), Fresh)],
        (AdminPolicy, Table::Grants) => vec![(Some(system.policy_right()), Quiet)],
        (Regranted, Table::Grants) => vec![(Some(plain), Back)],
        (OutsideRole, Table::Grants) => vec![(Some(plain), Quiet), (Some(plain + 10), Quiet)],
        (_, Table::Grants) => vec![(Some(plain), Quiet)],
    }
}

/// Grants and memberships of one cycle in the last snapshot, those of deleted principals included.
pub fn edges_of_cycle(system: &System) -> u64 {
    let of = |fault: &Fault| {
        let slot = Slot { fault: *fault, cycle: 0, number: 0, person: 0 };
        let both = [Table::Memberships, Table::Grants].map(|table| edges(system, &slot, table).len() as u64);
        if *fault == Revoked { 0 } else { both.iter().sum() }
    };
    ALL.iter().map(of).sum::<u64>() + 2
}

/// A finding that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub check: &'static str,
    pub certain: bool,
    /// `None`: the people list.
    pub system: Option<String>,
    pub subject: String,
}

/// What an audit finds because of a slot. `membership`: the group that the account is in.
pub fn due(estate: &Estate, system: &System, slot: &Slot, group: Option<u32>) -> Vec<Due> {
    let account = system.account_id(slot.number);
    let here = |check, subject: String| Due { check, certain: true, system: Some(system.name.clone()), subject };
    let possible = |due: Due| Due { certain: false, ..due };
    let grant = |right: u32| format!("{account} -> {}", system.entitlement_id(right));
    let (plain, admin) = (system.plain_right(), system.admin_right());
    let person = || Due { check: "identity-without-account", certain: true, system: None, subject: estate.person_id(slot.person) };
    let (key, password) = (format!("{account}#key-1"), format!("{account}#password"));
    let records = estate.size.records;
    let membership = || group.map(|g| here("leaver-access-unremoved", format!("{account} -> {}", system.group_id(g))));
    match slot.fault {
        Ghost => {
            let of_access = membership().into_iter().chain([here("leaver-access-unremoved", grant(plain))]);
            [here("ghost-account", account.clone()), here("leaver-live-credential", password)].into_iter().chain(of_access).collect()
        }
        LeaverAccess => membership().into_iter().chain([here("leaver-access-unremoved", grant(plain))]).collect(),
        LeaverCredential => vec![here("leaver-live-credential", key.clone()), here("disabled-account-live-credential", key)],
        UseAfterEnd => vec![here("use-after-termination", account)],
        Orphan => vec![here("orphan-account", account)],
        Unregistered => vec![here("unregistered-nonhuman", account)],
        Unowned => vec![here("unowned-nonhuman", account)],
        Retired => vec![here("retired-workload-live", account)],
        Dormant => vec![here("dormant-account", account)],
        OnLeave => vec![here("leave-live-access", account)],
        Disputed | Namesake => vec![here("disputed-correlation", account), possible(person())],
        WithoutAccount => vec![person()],
        StaleKey => vec![here("stale-key", key)],
        UnusedKey => vec![here("unused-key", key)],
        ExpiredCredential => vec![here("expired-credential-enabled", key)],
        DisabledCredential => vec![here("disabled-account-live-credential", key)],
        ExpiredAccess => vec![possible(here("expired-temporary-access", grant(plain)))],
        AdminPolicy => vec![here("admin-wildcard", grant(system.policy_right()))],
        OutOfBand if records => vec![here("out-of-band-grant", grant(plain))],
        Privileged if records => vec![here("privileged-unapproved", grant(admin)), here("out-of-band-grant", grant(admin))],
        Regranted if estate.size.snapshots > 2 => vec![here("regrant", grant(plain))],
        RevokeTicket if records => {
            vec![here("revoke-ticket-closed-access-live", format!("{}: {}", system.revoke_request(slot.cycle), grant(plain)))]
        }
        Dangling => {
            let principal = system.deleted_principal(slot.cycle);
            vec![
                here("dangling-grant", format!("{principal} -> {}", system.group_id(0))),
                here("dangling-grant", format!("{principal} -> {}", system.entitlement_id(plain))),
            ]
        }
        OutsideRole if records && system.at == 0 => vec![here("outside-role-model", grant(plain + 10))],
        _ => Vec::new(),
    }
}
