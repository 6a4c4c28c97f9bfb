//! How long people wait for what they need.

use std::collections::{BTreeMap, BTreeSet};

use super::metric::{Metric, Quantity};
use super::survival::{Interval, turnbull};
use super::{Input, joiners};
use crate::engine::System;
use crate::model::text::norm;
use crate::model::time::DAY;
use crate::model::{ACCOUNTS, Decision, MatchState, REQUESTS, RequestAction, RequestRow, TicketState, Time};

/// What is known of one wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// In microseconds from the start.
    Lasted(Interval),
    /// There already at the start, or before it.
    Ready,
    /// Not said when it began.
    Undated,
    /// No system was looked at since.
    NotYetObservable,
    /// Only accounts that may be somebody else's.
    Disputed,
    /// The record does not say for whom, in which system, or which right, in words that the run knows.
    NotMatched,
}

/// Waits of one kind, or why there are none.
#[derive(Clone, Debug)]
pub struct Waits {
    pub without: Option<String>,
    pub waits: Vec<Wait>,
}

/// From `start` to something that lies after `after` (`None`: nobody knows) and at or before `by` (`None`: it had not come by `after`).
pub fn wait(start: Time, after: Option<Time>, by: Option<Time>) -> Wait {
    let from = |t: Time| t.micros() - start.micros();
    match (after, by) {
        (_, Some(by)) if by <= start => Wait::Ready,
        (Some(after), None) if after < start => Wait::NotYetObservable,
        (None, None) => Wait::NotYetObservable,
        (after, by) => Wait::Lasted(Interval { after: after.map_or(-1, |a| from(a).max(-1)), by: by.map(from) }),
    }
}

/// Systems that show accounts.
fn access<'a>(input: &Input<'a>) -> Vec<&'a System> {
    input.run.systems.iter().filter(|s| s.covers.contains(ACCOUNTS.name)).collect()
}

/// From the start of employment to the first account anywhere.
pub fn joiner_facts(input: &Input<'_>) -> Waits {
    let run = input.run;
    let systems = access(input);
    let without = match (run.seen.iter().any(|s| s.authority), systems.is_empty()) {
        (false, _) => Some("no people list is among the sources".to_owned()),
        (_, true) => Some("no source covers accounts".to_owned()),
        _ => None,
    };
    let looked = systems.iter().map(|s| s.observed_at()).min();
    let joined = joiners(run);
    let mut first: BTreeMap<u32, (Option<Time>, Time)> = BTreeMap::new();
    let mut disputed = BTreeSet::new();
    for ((system_ix, account), links) in &input.history.links {
        for link in links.iter().filter(|l| joined.contains(&l.identity_ix)) {
            if !link.linked {
                disputed.insert(link.identity_ix);
                continue;
            }
            if let Some(seen) = appeared(input, *system_ix, account) {
                let held = first.entry(link.identity_ix).or_insert(seen);
                // The first of several: it came no later than any of them, and after the earliest instant that one may have come.
                *held = (held.0.min(seen.0), held.1.min(seen.1));
            }
        }
    }
    let one = |ix: &u32| {
        let person = input.people.row(*ix)?;
        let start = person.active_since?;
        let spans = run.system(Some(person.system_ix)).map(|s| s.employments.as_slice()).unwrap_or_default();
        if !spans.iter().any(|e| e.identity_ix == person.source_ix && e.starts_at == Some(start)) {
            return Some(Wait::Undated);
        }
        Some(match first.get(ix) {
            Some((after, by)) => wait(start, *after, Some(*by)),
            None if disputed.contains(ix) => Wait::Disputed,
            None => wait(start, looked, None),
        })
    };
    Waits { without, waits: joined.iter().filter_map(one).collect() }
}

/// When an account came: at its creation where the export tells, else between two looks.
fn appeared(input: &Input<'_>, system_ix: u32, account: &str) -> Option<(Option<Time>, Time)> {
    let system = input.run.system(Some(system_ix))?;
    let now = system.account(account).and_then(|ix| system.accounts.get(ix as usize));
    if let Some(created) = now.and_then(|a| a.created_at) {
        return Some((Some(created.plus(-1)), created));
    }
    let looks = &input.history.systems.get(&system_ix)?.looks;
    let first = looks.iter().position(|l| l.accounts.contains_key(account))?;
    let before = looks.iter().take(first).rev().find(|l| l.complete).map(|l| l.at);
    looks.get(first).map(|l| (before, l.at))
}

/// From the decision on a request to the access that it asked for.
pub fn request_facts(input: &Input<'_>) -> Waits {
    let run = input.run;
    let covered = run.systems.iter().any(|s| s.covers.contains(REQUESTS.name));
    let requests = run.systems.iter().flat_map(|s| &s.requests);
    // 11.10: an unknown action counts as a request for access.
    let for_access = |r: &&RequestRow| matches!(r.action, RequestAction::Grant | RequestAction::Unknown);
    let approved = |r: &&RequestRow| r.decision == Decision::Approved && r.state != TicketState::Cancelled;
    let asked: Vec<&RequestRow> = requests.filter(for_access).filter(approved).collect();
    let known = Known::of(input, &asked);
    let waits = asked.iter().map(|r| granted(input, &known, r)).collect();
    Waits { without: (!covered).then(|| "no source covers requests".to_owned()), waits }
}

/// An account, and when it was created.
type Owned = (u32, Option<Time>);

/// What requests are held against, by system.
#[derive(Default)]
struct Known {
    /// Accounts of the one person to whom they are linked, with their creation.
    accounts: BTreeMap<(u32, u32), Vec<Owned>>,
    /// Rights that an export shows, by id and by name, whoever holds them.
    rights: BTreeMap<u32, BTreeSet<String>>,
}

impl Known {
    /// Of those for whom something was asked.
    fn of(input: &Input<'_>, asked: &[&RequestRow]) -> Self {
        let mut known = Self::default();
        if asked.is_empty() {
            return known;
        }
        let people: BTreeSet<u32> = asked.iter().filter_map(|r| input.people.find(r.beneficiary_ref.as_deref()?).one()).collect();
        let linked = input.run.account_identity.iter().filter(|c| c.state == MatchState::Linked && people.contains(&c.identity_ix));
        for c in linked {
            let account = input.run.system(Some(c.system_ix)).and_then(|s| s.accounts.get(c.account_ix as usize));
            known.accounts.entry((c.system_ix, c.identity_ix)).or_default().extend(account.map(|a| (a.account_ix, a.created_at)));
        }
        for system in access(input) {
            let rights = known.rights.entry(system.ix).or_default();
            for g in &system.groups {
                rights.extend(norm(&g.native_id).into_iter().chain(g.name_norm.clone()));
            }
            for e in &system.entitlements {
                rights.extend(norm(&e.native_id).into_iter().chain(e.name_norm.clone()));
            }
        }
        known
    }
}

fn granted(input: &Input<'_>, known: &Known, request: &RequestRow) -> Wait {
    let Some(start) = request.decided_at.map(|t| request.valid_from.map_or(t, |from| from.max(t))) else { return Wait::Undated };
    let named = request.system.as_deref().and_then(norm);
    let system = access(input).into_iter().find(|s| norm(&s.name) == named && named.is_some());
    let person = request.beneficiary_ref.as_deref().and_then(|text| input.people.find(text).one());
    let (Some(system), Some(person)) = (system, person) else { return Wait::NotMatched };
    let observed = system.observed_at();
    if observed < start {
        return Wait::NotYetObservable;
    }
    let own = known.accounts.get(&(system.ix, person)).map(Vec::as_slice).unwrap_or_default();
    let came: Vec<Option<Time>> = match request.entitlement_ref.as_deref().and_then(norm) {
        Some(right) if known.rights.get(&system.ix).is_some_and(|all| all.contains(&right)) => edges(system, own, &right),
        // Nobody can tell whether it is there: the export does not show rights, or calls this one otherwise.
        Some(_) => return Wait::NotMatched,
        None => own.iter().map(|(_, created)| *created).collect(),
    };
    if came.is_empty() {
        // What was approved for a time that is over may have come and gone.
        return if request.valid_to.is_some_and(|to| to <= observed) { Wait::NotYetObservable } else { wait(start, Some(observed), None) };
    }
    match came.iter().flatten().min() {
        Some(at) => wait(start, Some(at.plus(-1)), Some(*at)),
        None => wait(start, None, Some(observed)),
    }
}

fn is(right: &str, id: &str, name: Option<&String>) -> bool {
    norm(id).as_deref() == Some(right) || name.is_some_and(|n| n == right)
}

/// When the accounts got a right, by its id or name; `None` for one without a date.
fn edges(system: &System, own: &[(u32, Option<Time>)], right: &str) -> Vec<Option<Time>> {
    let group = |ix: u32| system.groups.get(ix as usize).is_some_and(|g| is(right, &g.native_id, g.name_norm.as_ref()));
    let entitlement = |ix: u32| system.entitlements.get(ix as usize).is_some_and(|e| is(right, &e.native_id, e.name_norm.as_ref()));
    let mut out = Vec::new();
    for (ix, _) in own {
        let of_account = system.memberships_of(*ix, ix.saturating_add(1));
        let memberships = system.memberships.range(of_account).filter(|m| group(m.group_ix));
        out.extend(memberships.map(|m| m.granted_at));
        let grants = system.grants.range(system.grants_of(*ix, ix.saturating_add(1))).filter(|g| entitlement(g.entitlement_ix));
        out.extend(grants.map(|g| g.granted_at));
    }
    out
}

/// Both ways to wait.
pub fn measure(joiners: &Waits, requests: &Waits) -> Vec<Metric> {
    let joined = Metric::new(
        "time-to-provision",
        "Time to provision, from the first day",
        "days",
        "How long people who joined waited for their first account in any system: the time by which half had one.",
        "People whose present employment began in the 365 days up to the run's instant.",
        "An account's own creation date is exact; without one it came between the last complete look without it and the first with it. \
         Accounts that were there on the first day are a wait of nothing. Whoever has none yet has waited at least until the oldest current \
         look. Only accounts linked to one person count; whoever has disputed ones alone is counted apart.",
    );
    let asked = Metric::new(
        "time-to-provision-request",
        "Time to provision, from the decision",
        "days",
        "How long approved requests waited for the access that they asked for: the time by which half had it.",
        "Approved requests for access, not cancelled. In the estimate: those whose beneficiary, system and right the run knows.",
        "From the decision, or the first valid instant if that is later, to the date of the grant, membership or account; without a date it \
         came somewhere between the decision and the look. Access that was there before the decision did not come of it and is counted \
         apart. What is not there yet has waited at least until the look.",
    );
    vec![waited(joined, joiners, "nobody joined in that time", true), waited(asked, requests, "no request for access was approved", false)]
}

fn waited(mut m: Metric, waits: &Waits, nobody: &str, ready_counts: bool) -> Metric {
    if let Some(reason) = &waits.without {
        return m.without(reason);
    }
    if waits.waits.is_empty() {
        return m.without(nobody);
    }
    let count = |wait: Wait| waits.waits.iter().filter(|w| **w == wait).count() as u64;
    let mut lasted: Vec<Interval> = waits.waits.iter().filter_map(|w| if let Wait::Lasted(i) = w { Some(*i) } else { None }).collect();
    let waiting = lasted.iter().filter(|i| i.by.is_none()).count() as u64;
    m.put("cases", Quantity::count(waits.waits.len() as u64));
    if ready_counts {
        m.put("ready on the first day", Quantity::count(count(Wait::Ready)));
        m.put("only disputed accounts, apart", Quantity::count(count(Wait::Disputed)));
        lasted.extend((0..count(Wait::Ready)).map(|_| Interval::exact(0)));
    } else {
        m.put("there before the decision, apart", Quantity::count(count(Wait::Ready)));
    }
    m.put("still waiting", Quantity::count(waiting));
    m.put("not dated, apart", Quantity::count(count(Wait::Undated)));
    m.put("not yet observable, apart", Quantity::count(count(Wait::NotYetObservable)));
    if !ready_counts {
        m.put("not matched, apart", Quantity::count(count(Wait::NotMatched)));
    }
    m.put("in the estimate", Quantity::count(lasted.len() as u64));
    if lasted.is_empty() {
        return m;
    }
    match turnbull(&lasted).quantile(0.5) {
        Some((low, high)) => {
            m.put("estimated median", Quantity::Days { low: low as f64 / DAY as f64, high: high.map(|h| h as f64 / DAY as f64) })
        }
        None => m.notes.push("the median is not reached: fewer than half have ended".to_owned()),
    }
    m
}
