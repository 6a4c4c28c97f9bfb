//! What the run knows of each account: its kind, its candidates, its owner, whether it is live (11.3, 11.6, 11.9).

use std::collections::{BTreeMap, BTreeSet};

use super::authenticate::can_authenticate;
use super::correlate::{Candidates, Crowded, Matchers, SystemMatcher};
use super::owners::{Owners, is_gone};
use super::settings::Compiled;
use super::{AuthorityInput, People, Reference, Seen, SystemInput};
use crate::model::{
    AccountIdentityRow, AccountKind, AccountRow, AccountStateRow, CredentialRow, IdentityKind, MatchState, MatchTraceRow, Standing, Time,
};

/// Which kinds of principals the authorities speak for, and until when.
pub(super) struct Coverage {
    /// `taken_at` of the oldest authority for people; `None`: there is none.
    people: Option<Time>,
    /// The same for registered non-humans.
    registry: Option<Time>,
    /// Authorities that state the owner of at least one non-human: only there is a missing owner a fault of the entry.
    states_owners: BTreeSet<u32>,
    lag_us: i64,
}

impl Coverage {
    pub fn new(authorities: &[AuthorityInput], people: &People, lag_us: i64) -> Self {
        let speaks = |a: &AuthorityInput, human: bool| {
            let listed = || a.identities.iter().any(|i| is_person(i.kind) == human);
            if a.kinds.is_empty() { listed() } else { a.kinds.iter().any(|k| is_person(*k) == human) }
        };
        let oldest = |human| authorities.iter().filter(|a| speaks(a, human)).map(|a| a.observed_at).min();
        let stated = people.rows().iter().filter(|i| !is_person(i.kind) && i.owner_ref.is_some());
        Self { people: oldest(true), registry: oldest(false), states_owners: stated.map(|i| i.system_ix).collect(), lag_us }
    }

    /// The state of an account that no identity fits.
    fn unmatched(&self, class: Class, created: Option<Time>) -> MatchState {
        let (authority, state) = match class {
            Class::Human => (self.people, MatchState::Orphan),
            Class::NonHuman => (self.registry, MatchState::Unregistered),
            Class::Outside => return MatchState::NotApplicable,
        };
        let Some(taken) = authority else { return MatchState::NotEvaluated };
        if created.is_some_and(|at| at >= taken.plus(-self.lag_us)) { MatchState::TooNew } else { state }
    }
}

pub(super) fn is_person(kind: IdentityKind) -> bool {
    matches!(kind, IdentityKind::Person | IdentityKind::External)
}

/// By whom an account is answered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// A person's, or for all one knows: without an identity it is an orphan.
    Human,
    /// Without a registry entry it is unregistered.
    NonHuman,
    /// Made by the vendor, or a device: counted, never reconciled.
    Outside,
}

impl Class {
    fn of(kind: AccountKind) -> Self {
        match kind {
            AccountKind::Human | AccountKind::Shared | AccountKind::External | AccountKind::Unknown => Self::Human,
            AccountKind::Service | AccountKind::Workload | AccountKind::Agent | AccountKind::Role => Self::NonHuman,
            AccountKind::System | AccountKind::Device => Self::Outside,
        }
    }
}

/// The rows of one system.
#[derive(Default)]
pub(super) struct SystemRows {
    pub states: Vec<AccountStateRow>,
    pub candidates: Vec<AccountIdentityRow>,
    pub trace: Vec<MatchTraceRow>,
    pub crowded: BTreeSet<Crowded>,
}

/// An account's kind, where it comes from, and who may be behind it.
struct Matched<'a> {
    kind: AccountKind,
    kind_from: &'static str,
    candidates: Candidates<'a>,
}

/// Resolves the accounts of one system.
pub(super) fn resolve_system(
    system: &SystemInput,
    people: &People,
    matchers: &Matchers,
    coverage: &Coverage,
    compiled: &Compiled,
) -> SystemRows {
    let person_rules = matchers.people.for_system(system.system_ix, &system.system);
    let registry_rules = matchers.registry.for_system(system.system_ix, &system.system);
    let mut accounts: Vec<&AccountRow> = system.accounts.iter().collect();
    accounts.sort_by_key(|a| a.account_ix);
    let mut rows = SystemRows::default();
    let mut kinds = Vec::with_capacity(accounts.len());
    for account in &accounts {
        let matched = match_account(account, &registry_rules, &person_rules, people, compiled, &system.system, &mut rows.crowded);
        candidate_rows(system, account, &matched.candidates, people, &mut rows);
        kinds.push((matched.kind, matched.kind_from));
    }
    let at_end = rows.candidates.len();
    let owners = owners_of(&accounts, &rows.candidates, people);
    let credentials = credentials_of(system);
    let none: Vec<&CredentialRow> = Vec::new();
    let mut start = 0;
    for (account, (kind, kind_from)) in accounts.iter().zip(kinds) {
        let rest = rows.candidates.get(start..at_end).unwrap_or_default();
        let own = rest.partition_point(|c| c.account_ix <= account.account_ix);
        let candidates = rest.get(..own).unwrap_or_default();
        start += own;
        let owner = Owner::of(account, candidates, people, &owners);
        let held = credentials.as_ref().map(|held| held.get(&account.account_ix).unwrap_or(&none).as_slice());
        let (can, why) = can_authenticate(account, held, system.observed_at);
        let count = |standing| candidates.iter().filter(|c| c.standing == standing).count() as u32;
        rows.states.push(AccountStateRow {
            system_ix: system.system_ix,
            account_ix: account.account_ix,
            kind,
            kind_from: kind_from.to_owned(),
            match_state: state(account, Class::of(kind), candidates, &owner, people, coverage, system.observed_at),
            candidates: candidates.len() as u32,
            candidates_left: count(Standing::Left),
            candidates_suspended: count(Standing::Suspended),
            owner_identity_ix: owner.named.one(),
            can_authenticate: can,
            can_authenticate_why: why,
        });
    }
    rows
}

/// Finds the kind and the candidates: a registry link tells the kind, then the connector, then the configured patterns (11.9).
fn match_account<'a>(
    account: &AccountRow,
    registry: &SystemMatcher<'a>,
    persons: &SystemMatcher<'a>,
    people: &People,
    compiled: &Compiled,
    system: &str,
    crowded: &mut BTreeSet<Crowded>,
) -> Matched<'a> {
    let registered = registry.candidates(account, crowded);
    if let Some(first) = registered.all.first() {
        let agent = people.row(first.identity_ix).is_some_and(|i| i.kind == IdentityKind::Agent);
        let kind = if agent { AccountKind::Agent } else { AccountKind::Workload };
        return Matched { kind, kind_from: "registry", candidates: registered };
    }
    let (kind, kind_from) = match (account.kind, compiled.kind_of(system, account)) {
        (AccountKind::Unknown, Some(kind)) => (kind, "pattern"),
        (AccountKind::Unknown, None) => (AccountKind::Unknown, "none"),
        (certain, _) => (certain, "connector"),
    };
    let candidates = match Class::of(kind) {
        Class::Human => persons.candidates(account, crowded),
        Class::NonHuman | Class::Outside => Candidates::default(),
    };
    Matched { kind, kind_from, candidates }
}

fn candidate_rows(system: &SystemInput, account: &AccountRow, candidates: &Candidates<'_>, people: &People, rows: &mut SystemRows) {
    let (system_ix, account_ix) = (system.system_ix, account.account_ix);
    let state = if candidates.linked { MatchState::Linked } else { MatchState::Disputed };
    let mut traces = Vec::new();
    for (rank, candidate) in (0_u32..).zip(&candidates.all) {
        let identity_ix = candidate.identity_ix;
        let view = people.standing(identity_ix, system.observed_at, Seen::BySystem);
        let leave = view.and_then(|v| v.leave);
        rows.candidates.push(AccountIdentityRow {
            system_ix,
            account_ix,
            rank,
            identity_ix,
            score: candidate.score,
            rule: candidate.strongest().to_owned(),
            state,
            standing: view.map_or(Standing::Unknown, |v| v.standing),
            left_after: leave.and_then(|l| l.after),
            left_by: leave.map(|l| l.by),
            left_exact: leave.is_some_and(|l| l.exact),
            known_after: leave.and_then(|l| l.known_after),
            known_by: leave.map(|l| l.known_by),
            leaves_later: view.is_some_and(|v| v.leaves_later),
        });
        traces.extend(candidate.trace.iter().map(|t| MatchTraceRow {
            system_ix,
            account_ix,
            identity_ix,
            tier: t.rule.tier,
            rule: t.rule.id.clone(),
            weight: t.rule.weight,
            account_column: t.rule.account.clone(),
            identity_column: t.rule.identity.clone(),
            value: t.value.clone(),
        }));
    }
    traces.sort_by(|a, b| (a.identity_ix, &a.rule).cmp(&(b.identity_ix, &b.rule)));
    rows.trace.append(&mut traces);
}

/// Credentials by account; `None`: the snapshot does not cover them.
fn credentials_of(system: &SystemInput) -> Option<BTreeMap<u32, Vec<&CredentialRow>>> {
    if !system.covers.contains("credentials") {
        return None;
    }
    let mut held: BTreeMap<u32, Vec<&CredentialRow>> = BTreeMap::new();
    for credential in &system.credentials {
        if let Some(account_ix) = credential.account_ix {
            held.entry(account_ix).or_default().push(credential);
        }
    }
    Some(held)
}

fn owners_of(accounts: &[&AccountRow], candidates: &[AccountIdentityRow], people: &People) -> Owners {
    let registered = candidates.iter().filter_map(|c| people.row(c.identity_ix)).filter(|i| !is_person(i.kind));
    let references = accounts.iter().filter_map(|a| a.owner_ref.as_deref()).chain(registered.filter_map(|i| i.owner_ref.as_deref()));
    Owners::new(references, accounts, candidates, people)
}

/// Who answers for an account.
struct Owner<'a> {
    stated: bool,
    named: &'a Reference,
}

impl<'a> Owner<'a> {
    /// The registry's word first, then the account's own; the first that names anybody counts.
    fn of(account: &AccountRow, candidates: &[AccountIdentityRow], people: &People, owners: &'a Owners) -> Self {
        let entry = match candidates {
            [only] => people.row(only.identity_ix).filter(|i| !is_person(i.kind)).and_then(|i| i.owner_ref.as_deref()),
            _ => None,
        };
        let stated: Vec<&Reference> = [entry, account.owner_ref.as_deref()].into_iter().flatten().map(|text| owners.get(text)).collect();
        let named = stated.iter().find(|r| ***r != Reference::Nobody).copied();
        Self { stated: !stated.is_empty(), named: named.unwrap_or(&Reference::Nobody) }
    }
}

/// The state of an account (docs/architecture.md, correlation). `ghost` only where every candidate has left.
fn state(
    account: &AccountRow,
    class: Class,
    candidates: &[AccountIdentityRow],
    owner: &Owner<'_>,
    people: &People,
    coverage: &Coverage,
    t: Time,
) -> MatchState {
    let Some(first) = candidates.first() else { return coverage.unmatched(class, account.created_at) };
    if candidates.iter().all(|c| c.standing == Standing::Left) {
        return MatchState::Ghost;
    }
    if first.state == MatchState::Disputed || class != Class::NonHuman {
        return first.state;
    }
    // Owners are people: without an authority for people nobody can tell. An authority that never states an owner is not asked for one.
    let asked = coverage.people.is_some()
        && (owner.stated || people.row(first.identity_ix).is_some_and(|i| coverage.states_owners.contains(&i.system_ix)));
    if asked && is_gone(owner.named, people, t) { MatchState::Unowned } else { MatchState::Linked }
}
