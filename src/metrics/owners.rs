//! Whether somebody answers for what is not a person.

use super::Input;
use super::metric::{Line, Metric, Quantity, Tally};
use crate::model::{AccountKind, AccountStatus, Standing, Time};
use crate::resolve::{Reference, Seen};

/// Who answers for a non-human account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A person who is employed.
    Living,
    /// Somebody who may be employed: one of several, or of unknown standing.
    Possible,
    /// Only people who have left.
    Gone,
    /// An owner is stated, and names nobody.
    Nobody,
    NotStated,
}

/// One non-human account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NonHuman {
    pub system: String,
    pub kind: AccountKind,
    pub owner: Owner,
}

/// The non-human accounts of a run.
#[derive(Clone, Debug, Default)]
pub struct Workforce {
    /// Some source lists people.
    pub people: bool,
    pub accounts: Vec<NonHuman>,
}

/// Every account of kind service, workload, agent or role, and who answers for it.
pub fn facts(input: &Input<'_>) -> Workforce {
    let run = input.run;
    let mut out = Workforce { people: run.seen.iter().any(|s| s.authority), accounts: Vec::new() };
    for system in &run.systems {
        for account in system.accounts.brief(&["account_ix", "status", "owner_ref"]).filter(|a| a.status != AccountStatus::Deleted) {
            let Some(state) = run.state(system.ix, account.account_ix) else { continue };
            if !matches!(state.kind, AccountKind::Service | AccountKind::Workload | AccountKind::Agent | AccountKind::Role) {
                continue;
            }
            let entry = match run.candidates(system.ix, account.account_ix) {
                [only] => input.people.row(only.identity_ix).and_then(|i| i.owner_ref.as_deref()),
                _ => None,
            };
            let stated: Vec<&str> = [entry, account.owner_ref.as_deref()].into_iter().flatten().collect();
            let named = match state.owner_identity_ix {
                Some(ix) => Reference::One(ix),
                None => stated.iter().map(|t| input.people.find(t)).find(|r| *r != Reference::Nobody).unwrap_or(Reference::Nobody),
            };
            let owner = owner(input, &named, !stated.is_empty(), system.observed_at());
            out.accounts.push(NonHuman { system: system.name.clone(), kind: state.kind, owner });
        }
    }
    out
}

fn owner(input: &Input<'_>, named: &Reference, stated: bool, at: Time) -> Owner {
    let standings: Vec<Standing> =
        named.all().iter().filter_map(|ix| input.people.standing(*ix, at, Seen::BySystem)).map(|v| v.standing).collect();
    let here = |s: &Standing| matches!(s, Standing::Active | Standing::Suspended);
    match (named, stated) {
        (Reference::Nobody, false) => Owner::NotStated,
        (Reference::Nobody, true) => Owner::Nobody,
        _ if !standings.is_empty() && standings.iter().all(here) => Owner::Living,
        _ if standings.iter().any(|s| here(s) || *s == Standing::Unknown) => Owner::Possible,
        _ => Owner::Gone,
    }
}

/// Non-humans with a living owner.
pub fn measure(workforce: &Workforce) -> Metric {
    let mut m = Metric::new(
        "non-human-owners",
        "Non-humans with a living owner",
        "accounts",
        "The share of non-human accounts for which somebody answers who is employed.",
        "Every account of kind service, workload, agent or role that is not deleted. There is no agreed rule for counting non-humans: this \
         is ours, and ratios of non-humans to people from elsewhere do not compare with it.",
        "The registry's word for the owner comes first, then the account's own. Certain: it names people who are all employed at the \
         system's observation (leave counts as employed). Possible: it names several of whom some are, or somebody of unknown standing.",
    );
    if !workforce.people {
        return m.without("no people list is among the sources: nobody can tell whether an owner is employed");
    }
    let all = &workforce.accounts;
    if all.is_empty() {
        return m.without("no source shows a non-human account");
    }
    let count = |owner| all.iter().filter(|a| a.owner == owner).count() as u64;
    m.put("non-human accounts", Quantity::count(all.len() as u64));
    m.put_some("with a living owner", Quantity::share(count(Owner::Living), count(Owner::Possible), all.len() as u64));
    m.put("owner has left", Quantity::count(count(Owner::Gone)));
    m.put("owner names nobody", Quantity::count(count(Owner::Nobody)));
    m.put("no owner stated", Quantity::count(count(Owner::NotStated)));
    m.by("system", &["with a living owner", "accounts"], grouped(all, |a| a.system.clone()));
    m.by("kind", &["with a living owner", "accounts"], grouped(all, |a| a.kind.to_string()));
    m
}

fn grouped(all: &[NonHuman], key: impl Fn(&NonHuman) -> String) -> Vec<Line> {
    let mut tally = Tally::default();
    for a in all {
        tally.add(&key(a), 1, 2, true);
        if matches!(a.owner, Owner::Living | Owner::Possible) {
            tally.add(&key(a), 0, 2, a.owner == Owner::Living);
        }
    }
    tally.shares()
}
