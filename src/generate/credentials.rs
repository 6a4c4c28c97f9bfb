//! Credentials: the passwords and keys of accounts.

use std::fmt::Write;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::accounts::{Account, Accounts};
use super::clock;
use super::columns::{Batches, Ordinals, Texts, Times, Words, batch, nulls, ordinals};
use super::dice::{Dice, Key};
use super::faults::Fault;
use crate::model::time::{DAY, HOUR};
use crate::model::{CREDENTIALS, CredentialKind, CredentialStatus, Time, UseState};
use crate::store::table_file::GROUP_ROWS;

/// Days after which a key, or a password, is renewed.
const KEY_DAYS: i64 = 84;
const PASSWORD_DAYS: i64 = 364;

/// One credential. Times count back from the last exports, hours of use from the snapshot.
struct Credential {
    name: &'static str,
    kind: CredentialKind,
    status: CredentialStatus,
    created_hours: i64,
    rotated_days: Option<i64>,
    used_hours: Option<i64>,
    /// Days since it ended.
    ended_days: Option<i64>,
}

/// The credentials of one system.
pub struct Credentials<'e> {
    accounts: Accounts<'e>,
    key: Key,
    week: u32,
    taken_at: Time,
}

impl<'e> Credentials<'e> {
    pub fn new(accounts: Accounts<'e>, week: u32) -> Self {
        let size = &accounts.estate.size;
        let (key, taken_at) = (Key::new(size.seed, "credentials", u64::from(accounts.system.at)), clock::taken_at(week, size.snapshots));
        Self { accounts, key, week, taken_at }
    }

    /// Those of one account, in the order of their native ids.
    fn of(&self, account: &Account) -> Vec<Credential> {
        let mut dice = self.key.dice(account.number);
        let mut all = Vec::new();
        for name in ["#key-1", "#key-2"].into_iter().take(usize::from(account.keys)) {
            all.push(Credential {
                name,
                kind: if dice.chance(70) { CredentialKind::AccessKey } else { CredentialKind::ApiToken },
                status: CredentialStatus::Active,
                created_hours: (KEY_DAYS + dice.between(1, 500)) * 24,
                rotated_days: Some(dice.between(1, KEY_DAYS - 1)),
                used_hours: Some(dice.between(1, 30 * 24)),
                ended_days: None,
            });
        }
        if account.password {
            all.push(Credential {
                name: "#password",
                kind: CredentialKind::Password,
                status: CredentialStatus::Active,
                created_hours: account.created_hours,
                rotated_days: dice.chance(80).then(|| dice.between(1, PASSWORD_DAYS - 1)).filter(|days| days * 24 < account.created_hours),
                used_hours: account.used_hours,
                ended_days: None,
            });
        }
        if let (Some(slot), Some(key)) = (self.accounts.system.slot_of(self.accounts.estate, account.number), all.first_mut()) {
            plant(slot.fault, key, &mut dice);
        }
        all
    }

    /// The last renewal before the snapshot of what was last renewed so many days before the last exports.
    fn rotated(&self, days: i64, kind: CredentialKind) -> Time {
        let every = if kind == CredentialKind::Password { PASSWORD_DAYS } else { KEY_DAYS };
        let last = clock::days_before(days);
        let ahead = last.micros() - self.taken_at.micros();
        let periods = if ahead > 0 { 1 + (ahead - 1) / (every * DAY) } else { 0 };
        last.plus(-periods * every * DAY)
    }

    /// The table.
    pub fn rows(self) -> Batches<'e> {
        let (mut next, mut ordinal, mut written) = (0, 0, 0);
        let mut to = Columns::default();
        Box::new(std::iter::from_fn(move || {
            for (ix, account) in self.accounts.from(next, ordinal, self.week) {
                (next, ordinal) = (account.number + 1, ix + 1);
                for credential in self.of(&account) {
                    to.put(&self, &account, ix, &credential);
                }
                if to.account.len() >= GROUP_ROWS {
                    break;
                }
            }
            let (rows, first) = (to.account.len(), written);
            written += rows as u64;
            (rows > 0).then(|| to.finish(first))
        }))
    }
}

/// What is wrong with the key of a planted account.
fn plant(fault: Fault, key: &mut Credential, dice: &mut Dice) {
    match fault {
        Fault::StaleKey => (key.created_hours, key.rotated_days) = (400 * 24, Some(dice.between(100, 200))),
        Fault::UnusedKey => (key.rotated_days, key.used_hours) = (Some(dice.between(60, 80)), Some(dice.between(50, 58) * 24)),
        Fault::ExpiredCredential => key.ended_days = Some(20),
        // Used before its holder left.
        Fault::LeaverCredential => key.used_hours = Some(dice.between(30, 40) * 24),
        _ => {}
    }
}

#[derive(Default)]
struct Columns {
    native_id: Texts,
    account: Ordinals,
    kind: Words<CredentialKind>,
    status: Words<CredentialStatus>,
    created_at: Times,
    rotated_at: Times,
    last_used_at: Times,
    expires_at: Times,
    use_state: Words<UseState>,
    room: String,
}

impl Columns {
    fn put(&mut self, of: &Credentials<'_>, account: &Account, account_ix: u32, credential: &Credential) {
        self.room.clear();
        of.accounts.native_id(account.number, &mut self.room);
        let _ = self.room.write_str(credential.name);
        self.native_id.put(Some(&self.room));
        self.account.put(Some(account_ix));
        self.kind.put(credential.kind);
        self.status.put(credential.status);
        let history = of.accounts.estate.history();
        let created = if credential.kind == CredentialKind::Password {
            account.created_at(of.accounts.estate)
        } else {
            clock::days_before(history).plus(-credential.created_hours * HOUR)
        };
        self.created_at.put(Some(created));
        self.expires_at.put(credential.ended_days.map(clock::days_before));
        self.rotated_at.put(credential.rotated_days.map(|days| of.rotated(days, credential.kind)));
        self.last_used_at.put(credential.used_hours.map(|h| of.taken_at.plus(-h * HOUR)));
        self.use_state.put(if credential.used_hours.is_some() { UseState::Used } else { UseState::Never });
    }

    fn finish(&mut self, first: u64) -> Result<RecordBatch, ArrowError> {
        let rows = self.account.len();
        let null = |column| nulls(&CREDENTIALS, column, rows);
        batch(
            &CREDENTIALS,
            vec![
                ordinals(first, rows),
                self.native_id.finish(),
                self.account.finish(),
                null("holder_ref"),
                self.kind.finish(),
                null("name"),
                self.status.finish(),
                self.created_at.finish(),
                self.rotated_at.finish(),
                self.last_used_at.finish(),
                self.use_state.finish(),
                null("use_window_from"),
                self.expires_at.finish(),
                null("fingerprint"),
            ],
        )
    }
}
