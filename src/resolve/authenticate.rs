//! Whether an account can be used to get in (11.9).

use super::account::Account;
use crate::model::{AccountKind, AccountRow, AccountStatus, Answer, CredentialKind, CredentialRow, CredentialStatus, Time, Why};

/// Answers for one account at `t`, with the reason.
///
/// `credentials`: its own, or `None` where the system's export does not cover credentials. An assumable role has none of its own: it is
/// as live as its status.
pub fn can_authenticate(account: &AccountRow, credentials: Option<&[&CredentialRow]>, t: Time) -> (Answer, Why) {
    let held = credentials.map(|all| {
        let mut held = Keys::default();
        all.iter().for_each(|c| held.add(c.kind, c.status, c.expires_at, t));
        held
    });
    answer(&Account::from(account), held, t)
}

/// As [`can_authenticate`], for credentials of which only what decides is kept.
pub(super) fn answer(account: &Account<'_>, keys: Option<Keys>, t: Time) -> (Answer, Why) {
    let status = account.status;
    match status {
        AccountStatus::Active | AccountStatus::Locked => {}
        AccountStatus::Unknown => return (Answer::Unknown, Why::StatusUnknown),
        AccountStatus::Disabled | AccountStatus::Expired | AccountStatus::Pending | AccountStatus::Deleted => {
            return (Answer::No, Why::Status(status));
        }
    }
    if let Some(expired) = account.expires_at.filter(|at| *at <= t) {
        return (Answer::No, Why::expired(expired));
    }
    if account.kind == AccountKind::Role {
        return (Answer::Yes, Why::Assumable(status));
    }
    match keys {
        None => (Answer::Unknown, Why::NotCovered(status)),
        Some(Keys { live: Some(kind), .. }) => (Answer::Yes, Why::Live(status, kind)),
        Some(Keys { open: Some(kind), .. }) => (Answer::Unknown, Why::Open(status, kind)),
        Some(_) => (Answer::No, Why::NothingLive),
    }
}

/// Those of an account's credentials that decide whether it can be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Keys {
    /// The first one that is active and not expired.
    live: Option<CredentialKind>,
    /// The first one of unknown status that is not expired.
    open: Option<CredentialKind>,
}

impl Keys {
    fn add(&mut self, kind: CredentialKind, status: CredentialStatus, expires_at: Option<Time>, t: Time) {
        if expires_at.is_some_and(|at| at <= t) {
            return;
        }
        match status {
            CredentialStatus::Active => self.live = self.live.or(Some(kind)),
            CredentialStatus::Unknown => self.open = self.open.or(Some(kind)),
            _ => {}
        }
    }
}

/// The credentials of every account of one system, two bytes each: what [`can_authenticate`] needs of them.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// By `account_ix`.
    of: Vec<Keys>,
    observed_at: Time,
}

impl Credentials {
    /// `accounts`: how many the system has.
    pub fn new(accounts: usize, observed_at: Time) -> Self {
        Self { of: vec![Keys::default(); accounts], observed_at }
    }

    /// Adds one row of the table `credentials`. They come in the table's order.
    pub fn add(&mut self, account_ix: Option<u32>, kind: CredentialKind, status: CredentialStatus, expires_at: Option<Time>) {
        if let Some(keys) = account_ix.and_then(|ix| self.of.get_mut(ix as usize)) {
            keys.add(kind, status, expires_at, self.observed_at);
        }
    }

    pub(super) fn of(&self, account_ix: u32) -> Keys {
        self.of.get(account_ix as usize).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(s: i64) -> Time {
        Time::from_seconds(s).unwrap()
    }

    fn with(status: AccountStatus) -> AccountRow {
        AccountRow { status, ..AccountRow::default() }
    }

    fn password(status: CredentialStatus, expires: Option<i64>) -> CredentialRow {
        CredentialRow { kind: CredentialKind::Password, status, expires_at: expires.map(t), ..CredentialRow::default() }
    }

    fn ask(account: &AccountRow, credentials: Option<&[CredentialRow]>) -> (Answer, String) {
        let held: Option<Vec<&CredentialRow>> = credentials.map(|c| c.iter().collect());
        let (can, why) = can_authenticate(account, held.as_deref(), t(1_000));
        let covered = credentials.map(|all| {
            let mut one = Credentials::new(2, t(1_000));
            all.iter().for_each(|c| one.add(Some(1), c.kind, c.status, c.expires_at));
            one.of(1)
        });
        assert_eq!(answer(&Account::from(account), covered, t(1_000)), (can, why));
        (can, why.to_string())
    }

    #[test]
    fn rule_11_9_status_comes_first_and_locks_lapse() {
        let live = [password(CredentialStatus::Active, None)];
        for (status, want, why) in [
            (AccountStatus::Active, Answer::Yes, "active, password live"),
            (AccountStatus::Locked, Answer::Yes, "locked, password live"),
            (AccountStatus::Disabled, Answer::No, "disabled"),
            (AccountStatus::Expired, Answer::No, "expired"),
            (AccountStatus::Pending, Answer::No, "pending"),
            (AccountStatus::Deleted, Answer::No, "deleted"),
            (AccountStatus::Unknown, Answer::Unknown, "status unknown"),
        ] {
            assert_eq!(ask(&with(status), Some(&live)), (want, why.to_owned()));
        }
    }

    #[test]
    fn rule_11_9_expiry_is_judged_at_the_observation_one_minute_either_side() {
        let live = [password(CredentialStatus::Active, None)];
        let until = |s| AccountRow { expires_at: Some(t(s)), ..with(AccountStatus::Active) };
        assert_eq!(ask(&until(940), Some(&live)).0, Answer::No);
        assert_eq!(ask(&until(1_000), Some(&live)).0, Answer::No);
        assert_eq!(ask(&until(1_060), Some(&live)).0, Answer::Yes);
        let credential = |s| ask(&with(AccountStatus::Active), Some(&[password(CredentialStatus::Active, Some(s))])).0;
        assert_eq!((credential(940), credential(1_060)), (Answer::No, Answer::Yes));
    }

    #[test]
    fn rule_11_9_credentials_that_are_not_covered_are_unknown() {
        let active = with(AccountStatus::Active);
        assert_eq!(ask(&active, None), (Answer::Unknown, "active, credentials not covered".into()));
        assert_eq!(ask(&active, Some(&[])), (Answer::No, "no live credential".into()));
        assert_eq!(ask(&active, Some(&[password(CredentialStatus::Unknown, None)])).0, Answer::Unknown);
        assert_eq!(ask(&active, Some(&[password(CredentialStatus::Inactive, None)])).0, Answer::No);
        assert_eq!(ask(&with(AccountStatus::Disabled), None).0, Answer::No);
    }

    #[test]
    fn an_assumable_role_needs_no_credential() {
        let role = AccountRow { kind: AccountKind::Role, ..with(AccountStatus::Active) };
        assert_eq!(ask(&role, Some(&[])), (Answer::Yes, "active, assumable".into()));
    }
}
