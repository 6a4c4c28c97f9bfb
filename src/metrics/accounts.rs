//! Accounts that belong to nobody, to nobody for certain, or to somebody who has left.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::metric::{Metric, Quantity, Tally};
use super::rows::States;
use crate::engine::{Run, System};
use crate::model::{AccountKind, AccountStateRow, AccountStatus, Answer, MatchState, Time};

/// What the rates ask of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountFact {
    pub system: String,
    pub told: Told,
}

/// The same without the system: many accounts are told alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Told {
    /// Of a kind that a person answers for: human, shared, external, unknown.
    pub personal: bool,
    /// Its system has not put it away: active, locked, pending or of unknown status, and unexpired.
    pub standing: bool,
    /// Of status `pending`: nobody got in yet, and its credential is still to come.
    pub pending: bool,
    pub live: Answer,
    pub state: MatchState,
    pub candidates: u32,
    /// Candidates that had left when it was observed.
    pub left: u32,
}

impl Told {
    fn of(status: AccountStatus, expires_at: Option<Time>, observed_at: Time, state: &AccountStateRow) -> Self {
        let shown = [AccountStatus::Active, AccountStatus::Locked, AccountStatus::Pending, AccountStatus::Unknown];
        Self {
            personal: matches!(state.kind, AccountKind::Human | AccountKind::Shared | AccountKind::External | AccountKind::Unknown),
            standing: shown.contains(&status) && expires_at.is_none_or(|at| at > observed_at),
            pending: status == AccountStatus::Pending,
            live: state.can_authenticate,
            state: state.match_state,
            candidates: state.candidates,
            left: state.candidates_left,
        }
    }
}

/// The accounts of a run that can belong to somebody: so many of each sort.
pub fn facts(run: &Run) -> Vec<(AccountFact, u64)> {
    let of = |system: &System| {
        let fact = |(told, n)| (AccountFact { system: system.name.clone(), told }, n);
        of_system(run, system).into_iter().map(fact).collect::<Vec<_>>()
    };
    run.systems.par_iter().map(of).collect::<Vec<_>>().concat()
}

fn of_system(run: &Run, system: &System) -> BTreeMap<Told, u64> {
    let observed_at = system.observed_at();
    let parts = system.accounts.parts(&system.accounts.groups(), &["status", "expires_at"], |part| {
        let mut states = States::new(run, system.ix, &part.rows);
        let mut counts: BTreeMap<Told, u64> = BTreeMap::new();
        let rows = part.words::<AccountStatus>("status")?.into_iter().zip(part.times("expires_at")?);
        for ((status, expires_at), at) in rows.zip(part.rows.clone()) {
            let Some(state) = states.of(at) else { continue };
            if status == AccountStatus::Deleted || matches!(state.kind, AccountKind::System | AccountKind::Device) {
                continue;
            }
            *counts.entry(Told::of(status, expires_at, observed_at, state)).or_default() += 1;
        }
        Ok(counts)
    });
    let mut sum: BTreeMap<Told, u64> = BTreeMap::new();
    parts.into_iter().flatten().for_each(|(told, n)| *sum.entry(told).or_default() += n);
    sum
}

/// Orphan rate, disputed rate, ghosts. `people`: some source lists people.
pub fn measure(accounts: &[(AccountFact, u64)], people: bool) -> Vec<Metric> {
    let judged = |(a, _): &&(AccountFact, u64)| {
        let apart = matches!(a.told.state, MatchState::TooNew | MatchState::NotEvaluated | MatchState::NotApplicable);
        a.told.personal && a.told.standing && !apart
    };
    let population: Vec<&(AccountFact, u64)> = accounts.iter().filter(judged).collect();
    let metrics = [(orphans(), Count::Orphan), (disputed(), Count::Disputed)].map(|(m, what)| rate(m, what, &population, accounts));
    let owned: Vec<&(AccountFact, u64)> = accounts.iter().filter(|(a, _)| a.told.candidates > 0).collect();
    let metrics = metrics.into_iter().chain([rate(ghosts(), Count::Ghost, &owned, accounts)]);
    metrics.map(|m| if people { m } else { blank(m) }).collect()
}

fn blank(mut m: Metric) -> Metric {
    (m.values, m.breakdowns, m.notes) = Default::default();
    m.without("no people list is among the sources")
}

const JUDGED: &str = "Accounts of kind human, shared, external or unknown that their system has not disabled, deleted or let expire, and that \
                      could be judged. Accounts younger than the people list, and those whose kind no list speaks for, are left out and \
                      counted beside it.";

fn orphans() -> Metric {
    Metric::new(
        "orphan-rate",
        "Accounts that belong to nobody",
        "accounts",
        "The share of accounts for which no identity fits.",
        JUDGED,
        "Certain: no candidate at all, and the account lets somebody in or is about to. Possible: no candidate and no live credential; or \
         disputed, because a candidate who is not certain may be the wrong one. Non-humans without a registry entry are another matter \
         and not counted here.",
    )
}

fn disputed() -> Metric {
    Metric::new(
        "disputed-rate",
        "Accounts whose owner is not certain",
        "accounts",
        "The share of accounts with several candidates, or with one who is possible and not certain. While this is high, every other number \
         about people has wide bounds.",
        JUDGED,
        "An account is disputed or it is not: there is no possible part.",
    )
}

fn ghosts() -> Metric {
    Metric::new(
        "ghost-accounts",
        "Leavers' accounts that still work",
        "accounts",
        "Accounts of people who had left when the account was observed, and that still let somebody in.",
        "Accounts with at least one candidate; deleted accounts, devices and the vendor's own left out.",
        "Certain: every candidate had left, and the account can authenticate. Possible: only some candidates had left, or the export does \
         not cover credentials.",
    )
}

#[derive(Clone, Copy)]
enum Count {
    Orphan,
    Disputed,
    Ghost,
}

impl Count {
    fn word(self) -> &'static str {
        match self {
            Self::Orphan => "orphans",
            Self::Disputed => "disputed",
            Self::Ghost => "ghosts",
        }
    }

    /// `None`: it is none; else whether for certain.
    fn holds(self, a: &Told) -> Option<bool> {
        match self {
            Self::Orphan if a.state == MatchState::Orphan => Some(a.live != Answer::No || a.pending),
            Self::Orphan => (a.state == MatchState::Disputed).then_some(false),
            Self::Disputed => (a.state == MatchState::Disputed).then_some(true),
            Self::Ghost if a.left == 0 || a.live == Answer::No => None,
            Self::Ghost => Some(a.left == a.candidates && a.live == Answer::Yes),
        }
    }
}

fn rate(mut m: Metric, what: Count, population: &[&(AccountFact, u64)], all: &[(AccountFact, u64)]) -> Metric {
    if population.is_empty() {
        return m.without("no account could be judged");
    }
    let (mut certain, mut possible) = (0, 0);
    let mut systems = Tally::default();
    for (a, n) in population {
        systems.add_many(&a.system, 1, 2, true, *n);
        if let Some(sure) = what.holds(&a.told) {
            *(if sure { &mut certain } else { &mut possible }) += n;
            systems.add_many(&a.system, 0, 2, sure, *n);
        }
    }
    let judged = population.iter().map(|(_, n)| n).sum();
    m.put(what.word(), Quantity::Count { certain, possible });
    m.put_some("share", Quantity::share(certain, possible, judged));
    m.put("accounts judged", Quantity::count(judged));
    if !matches!(what, Count::Ghost) {
        let apart = |state| {
            let own = all.iter().filter(|(a, _)| a.told.personal && a.told.standing && a.told.state == state);
            own.map(|(_, n)| n).sum::<u64>()
        };
        m.put("too new, apart", Quantity::count(apart(MatchState::TooNew)));
        m.put("not evaluated, apart", Quantity::count(apart(MatchState::NotEvaluated)));
    }
    m.by("system", &["share", "accounts judged"], systems.shares());
    m
}
