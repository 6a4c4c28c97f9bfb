//! Whether somebody answers for what is not a person.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::Input;
use super::metric::{Line, Metric, Quantity, Tally};
use super::rows::{Candidates, States};
use crate::engine::System;
use crate::model::{AccountIdentityRow, AccountKind, AccountStateRow, AccountStatus, Standing, Time};
use crate::resolve::{Reference, Seen};

/// Who answers for a non-human account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// So many of each sort.
    pub accounts: Vec<(NonHuman, u64)>,
}

/// Every account of kind service, workload, agent or role, and who answers for it.
pub fn facts(input: &Input<'_>) -> Workforce {
    let of = |system: &System| {
        let fact = |((kind, owner), n)| (NonHuman { system: system.name.clone(), kind, owner }, n);
        of_system(input, system).into_iter().map(fact).collect::<Vec<_>>()
    };
    let accounts = input.run.systems.par_iter().map(of).collect::<Vec<_>>().concat();
    Workforce { people: input.run.seen.iter().any(|s| s.authority), accounts }
}

fn is_non_human(state: &AccountStateRow) -> bool {
    matches!(state.kind, AccountKind::Service | AccountKind::Workload | AccountKind::Agent | AccountKind::Role)
}

fn of_system(input: &Input<'_>, system: &System) -> BTreeMap<(AccountKind, Owner), u64> {
    let run = input.run;
    let mut groups = system.accounts.groups();
    groups.retain(|rows| States::new(run, system.ix, rows).any(is_non_human));
    let parts = system.accounts.parts(&groups, &["status", "owner_ref"], |part| {
        let (mut states, mut candidates) = (States::new(run, system.ix, &part.rows), Candidates::new(run, system.ix, &part.rows));
        let mut counts: BTreeMap<(AccountKind, Owner), u64> = BTreeMap::new();
        let rows = part.words::<AccountStatus>("status")?.into_iter().zip(part.texts("owner_ref")?);
        for ((status, owner_ref), at) in rows.zip(part.rows.clone()) {
            let Some(state) = states.of(at).filter(|s| status != AccountStatus::Deleted && is_non_human(s)) else { continue };
            let owner = answering(input, system, state, candidates.of(at), owner_ref);
            *counts.entry((state.kind, owner)).or_default() += 1;
        }
        Ok(counts)
    });
    let mut sum: BTreeMap<(AccountKind, Owner), u64> = BTreeMap::new();
    parts.into_iter().flatten().for_each(|(sort, n)| *sum.entry(sort).or_default() += n);
    sum
}

/// Who answers for one account, whose own word is `owner_ref`.
fn answering(input: &Input<'_>, system: &System, state: &AccountStateRow, behind: &[AccountIdentityRow], owner_ref: Option<&str>) -> Owner {
    let entry = match behind {
        [only] => input.people.row(only.identity_ix).and_then(|i| i.owner_ref.as_deref()),
        _ => None,
    };
    let stated = [entry, owner_ref].into_iter().flatten();
    let named = match state.owner_identity_ix {
        Some(ix) => Reference::One(ix),
        None => stated.map(|t| input.people.find(t)).find(|r| *r != Reference::Nobody).unwrap_or(Reference::Nobody),
    };
    owner(input, &named, entry.or(owner_ref).is_some(), system.observed_at())
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
    let count = |owner| all.iter().filter(|(a, _)| a.owner == owner).map(|(_, n)| n).sum::<u64>();
    let of = all.iter().map(|(_, n)| n).sum();
    m.put("non-human accounts", Quantity::count(of));
    m.put_some("with a living owner", Quantity::share(count(Owner::Living), count(Owner::Possible), of));
    m.put("owner has left", Quantity::count(count(Owner::Gone)));
    m.put("owner names nobody", Quantity::count(count(Owner::Nobody)));
    m.put("no owner stated", Quantity::count(count(Owner::NotStated)));
    m.by("system", &["with a living owner", "accounts"], grouped(all, |a| a.system.clone()));
    m.by("kind", &["with a living owner", "accounts"], grouped(all, |a| a.kind.to_string()));
    m
}

fn grouped(all: &[(NonHuman, u64)], key: impl Fn(&NonHuman) -> String) -> Vec<Line> {
    let mut tally = Tally::default();
    for (a, n) in all {
        tally.add_many(&key(a), 1, 2, true, *n);
        if matches!(a.owner, Owner::Living | Owner::Possible) {
            tally.add_many(&key(a), 0, 2, a.owner == Owner::Living, *n);
        }
    }
    tally.shares()
}
