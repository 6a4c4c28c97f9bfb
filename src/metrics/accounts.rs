//! Accounts that belong to nobody, to nobody for certain, or to somebody who has left.

use super::metric::{Metric, Quantity, Tally};
use crate::engine::Run;
use crate::model::{AccountKind, AccountStatus, Answer, MatchState};

/// What the rates ask of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountFact {
    pub system: String,
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

/// The accounts of a run that can belong to somebody.
pub fn facts(run: &Run) -> Vec<AccountFact> {
    let mut out = Vec::new();
    for system in &run.systems {
        for account in system.accounts.brief(&["account_ix", "status", "expires_at"]) {
            let Some(state) = run.state(system.ix, account.account_ix) else { continue };
            if account.status == AccountStatus::Deleted || matches!(state.kind, AccountKind::System | AccountKind::Device) {
                continue;
            }
            let shown = [AccountStatus::Active, AccountStatus::Locked, AccountStatus::Pending, AccountStatus::Unknown];
            out.push(AccountFact {
                system: system.name.clone(),
                personal: matches!(state.kind, AccountKind::Human | AccountKind::Shared | AccountKind::External | AccountKind::Unknown),
                standing: shown.contains(&account.status) && account.expires_at.is_none_or(|at| at > system.observed_at()),
                pending: account.status == AccountStatus::Pending,
                live: state.can_authenticate,
                state: state.match_state,
                candidates: state.candidates,
                left: state.candidates_left,
            });
        }
    }
    out
}

/// Orphan rate, disputed rate, ghosts. `people`: some source lists people.
pub fn measure(accounts: &[AccountFact], people: bool) -> Vec<Metric> {
    let judged = |a: &&AccountFact| {
        a.personal && a.standing && !matches!(a.state, MatchState::TooNew | MatchState::NotEvaluated | MatchState::NotApplicable)
    };
    let population: Vec<&AccountFact> = accounts.iter().filter(judged).collect();
    let metrics = [(orphans(), Count::Orphan), (disputed(), Count::Disputed)].map(|(m, what)| rate(m, what, &population, accounts));
    let owned: Vec<&AccountFact> = accounts.iter().filter(|a| a.candidates > 0).collect();
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
    fn holds(self, a: &AccountFact) -> Option<bool> {
        match self {
            Self::Orphan if a.state == MatchState::Orphan => Some(a.live != Answer::No || a.pending),
            Self::Orphan => (a.state == MatchState::Disputed).then_some(false),
            Self::Disputed => (a.state == MatchState::Disputed).then_some(true),
            Self::Ghost if a.left == 0 || a.live == Answer::No => None,
            Self::Ghost => Some(a.left == a.candidates && a.live == Answer::Yes),
        }
    }
}

fn rate(mut m: Metric, what: Count, population: &[&AccountFact], all: &[AccountFact]) -> Metric {
    if population.is_empty() {
        return m.without("no account could be judged");
    }
    let (mut certain, mut possible) = (0, 0);
    let mut systems = Tally::default();
    for a in population {
        systems.add(&a.system, 1, 2, true);
        if let Some(sure) = what.holds(a) {
            *(if sure { &mut certain } else { &mut possible }) += 1;
            systems.add(&a.system, 0, 2, sure);
        }
    }
    m.put(what.word(), Quantity::Count { certain, possible });
    m.put_some("share", Quantity::share(certain, possible, population.len() as u64));
    m.put("accounts judged", Quantity::count(population.len() as u64));
    if !matches!(what, Count::Ghost) {
        let apart = |state| all.iter().filter(|a| a.personal && a.standing && a.state == state).count() as u64;
        m.put("too new, apart", Quantity::count(apart(MatchState::TooNew)));
        m.put("not evaluated, apart", Quantity::count(apart(MatchState::NotEvaluated)));
    }
    m.by("system", &["share", "accounts judged"], systems.shares());
    m
}
