//! Whether an account can be used to get in (11.9).

use crate::model::{AccountKind, AccountRow, AccountStatus, Answer, CredentialRow, CredentialStatus, Time};

/// Answers for one account at `t`, with the reason in a few words.
///
/// `credentials`: its own, or `None` where the system's export does not cover credentials. An assumable role has none of its own: it is
/// as live as its status.
pub fn can_authenticate(account: &AccountRow, credentials: Option<&[&CredentialRow]>, t: Time) -> (Answer, String) {
    let status = account.status;
    let answer = |a: Answer, why: &str| (a, why.to_owned());
    match status {
        AccountStatus::Active | AccountStatus::Locked => {}
        AccountStatus::Unknown => return answer(Answer::Unknown, "status unknown"),
        AccountStatus::Disabled | AccountStatus::Expired | AccountStatus::Pending | AccountStatus::Deleted => {
            return answer(Answer::No, status.to_string().as_str());
        }
    }
    if let Some(expired) = account.expires_at.filter(|at| *at <= t) {
        return (Answer::No, format!("expired {}", expired.date()));
    }
    if account.kind == AccountKind::Role {
        return (Answer::Yes, format!("{status}, assumable"));
    }
    let Some(credentials) = credentials else { return (Answer::Unknown, format!("{status}, credentials not covered")) };
    let unexpired = || credentials.iter().filter(|c| c.expires_at.is_none_or(|at| at > t));
    if let Some(live) = unexpired().find(|c| c.status == CredentialStatus::Active) {
        return (Answer::Yes, format!("{status}, {} live", live.kind));
    }
    match unexpired().find(|c| c.status == CredentialStatus::Unknown) {
        Some(open) => (Answer::Unknown, format!("{status}, {} of unknown status", open.kind)),
        None => answer(Answer::No, "no live credential"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CredentialKind;

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
        can_authenticate(account, held.as_deref(), t(1_000))
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
