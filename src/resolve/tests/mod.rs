//! One small estate per rule of docs/architecture.md.

mod accounts;
mod by_rows;
mod changes;
mod escalation;
mod groups;
mod leavers;
mod memory;
mod movers;
mod people;

use super::*;
use crate::model::time::{DAY, SECOND};
use crate::model::{
    AccountKind, AccountStatus, Answer, CredentialKind, CredentialStatus, Effect, IdentityStatus, Level, MatchState, MembershipKind,
    PrincipalKind, Standing,
};

const MINUTE: i64 = 60 * SECOND;

/// Noon of day `n`.
fn day(n: i64) -> Time {
    Time::from_micros(n * DAY + DAY / 2).unwrap()
}

fn text(t: &str) -> Option<String> {
    Some(t.to_owned())
}

fn person(id: &str) -> IdentityRow {
    IdentityRow { native_id: id.into(), status: IdentityStatus::Active, ..IdentityRow::default() }
}

fn mail(id: &str, email: &str) -> IdentityRow {
    IdentityRow { email: text(email), ..person(id) }
}

fn account(native_id: &str, login: &str) -> AccountRow {
    AccountRow { native_id: native_id.into(), login: text(login), status: AccountStatus::Active, ..AccountRow::default() }
}

fn employed(identity_ix: u32, starts: Option<Time>, ends: Option<Time>) -> EmploymentRow {
    EmploymentRow { identity_ix, employment: "1".into(), starts_at: starts, ends_at: ends, ..EmploymentRow::default() }
}

fn numbered(mut identities: Vec<IdentityRow>) -> Vec<IdentityRow> {
    (0..).zip(&mut identities).for_each(|(i, row)| row.identity_ix = i);
    identities
}

/// People as of day 100.
fn hr(identities: Vec<IdentityRow>, employments: Vec<EmploymentRow>) -> AuthorityInput {
    AuthorityInput {
        system_ix: 0,
        system: "hr".into(),
        observed_at: day(100),
        kinds: vec![IdentityKind::Person],
        identities: numbered(identities),
        employments,
        ..AuthorityInput::default()
    }
}

fn past(n: i64, identities: Vec<IdentityRow>, employments: Vec<EmploymentRow>) -> PastPeople {
    PastPeople { observed_at: day(n), identities: numbered(identities), employments }
}

fn registry(identities: Vec<IdentityRow>) -> AuthorityInput {
    AuthorityInput {
        system_ix: 1,
        system: "registry".into(),
        observed_at: day(100),
        kinds: vec![IdentityKind::Workload, IdentityKind::Agent],
        identities: numbered(identities),
        ..AuthorityInput::default()
    }
}

/// A directory observed on day 100.
fn directory(mut accounts: Vec<AccountRow>) -> SystemInput {
    (0..).zip(&mut accounts).for_each(|(i, row)| row.account_ix = i);
    SystemInput { system_ix: 5, system: "ad".into(), observed_at: day(100), accounts, ..SystemInput::default() }
}

fn run(systems: &[SystemInput], authorities: &[AuthorityInput]) -> Resolved {
    resolve(systems, authorities, &Settings::default()).unwrap()
}

fn states(resolved: &Resolved) -> Vec<MatchState> {
    resolved.account_state.iter().map(|s| s.match_state).collect()
}

fn only_person(authority: AuthorityInput) -> crate::model::RunIdentityRow {
    let resolved = run(&[], &[authority]);
    assert_eq!(resolved.people.rows().len(), 1);
    resolved.people.rows()[0].clone()
}

#[test]
fn the_same_inputs_in_another_order_give_the_same_rows() {
    let people = || hr(vec![mail("p", "a@example.com"), mail("q", "b@example.com")], vec![]);
    let second = || SystemInput { system_ix: 3, system: "okta".into(), ..directory(vec![account("z", "b@example.com")]) };
    let first = || directory(vec![account("a", "a@example.com"), account("b", "b")]);
    let registered = || registry(vec![IdentityRow { kind: IdentityKind::Workload, ..person("w") }]);
    let one = run(&[first(), second()], &[people(), registered()]);
    let other = run(&[second(), first()], &[registered(), people()]);
    assert_eq!(
        (one.account_state, one.account_identity, one.match_trace),
        (other.account_state, other.account_identity, other.match_trace)
    );
    assert_eq!(one.people.rows(), other.people.rows());
}
