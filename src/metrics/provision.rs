//! How long people wait for what they need.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::metric::{Metric, Quantity};
use super::survival::{Interval, turnbull};
use super::{Input, joiners, rows};
use crate::engine::System;
use crate::model::text::{folded, norm};
use crate::model::time::DAY;
use crate::model::{ACCOUNTS, AccountIdentityRow, Decision, MatchState, REQUESTS, RequestAction, RequestRow, TicketState, Time};

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
        if !rows::spans(spans, person.source_ix).iter().any(|e| e.starts_at == Some(start)) {
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
    let history = input.history.systems.get(&system_ix)?;
    if let Some(created) = history.created.get(account) {
        return Some((Some(created.plus(-1)), *created));
    }
    let looks = &history.looks;
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
    let waits = waits(input, asked);
    Waits { without: (!covered).then(|| "no source covers requests".to_owned()), waits }
}

/// A request in words that the run may know.
struct Ask<'a> {
    request: &'a RequestRow,
    /// From when on it is waited for; `None`: not said.
    start: Option<Time>,
    system: Option<&'a System>,
    person: Option<u32>,
    /// Normalised; `None`: an account is asked for.
    right: Option<String>,
}

impl<'a> Ask<'a> {
    /// What came of it can be looked up: by system, person and start.
    fn observable(&self) -> Option<(&'a System, u32, Time)> {
        let (system, person, start) = (self.system?, self.person?, self.start?);
        (start <= system.observed_at()).then_some((system, person, start))
    }
}

/// How long each request waited. What is asked of one system is looked up together.
fn waits(input: &Input<'_>, asked: Vec<&RequestRow>) -> Vec<Wait> {
    if asked.is_empty() {
        return Vec::new();
    }
    let mut named: BTreeMap<String, &System> = BTreeMap::new();
    for system in access(input) {
        if let Some(name) = norm(&system.name) {
            named.entry(name).or_insert(system);
        }
    }
    let ask = |request: &'_ RequestRow| {
        let system = request.system.as_deref().and_then(norm).and_then(|name| named.get(&name).copied());
        let person = request.beneficiary_ref.as_deref().and_then(|text| input.people.find(text).one());
        (request.decided_at.map(|t| request.valid_from.map_or(t, |from| from.max(t))), system, person)
    };
    let asks: Vec<Ask<'_>> = asked
        .into_par_iter()
        .map(|request| {
            let (start, system, person) = ask(request);
            Ask { request, start, system, person, right: request.entitlement_ref.as_deref().and_then(norm) }
        })
        .collect();
    let accounts = accounts(input, &asks);
    let mut of_system: BTreeMap<u32, Vec<&Ask<'_>>> = BTreeMap::new();
    for ask in &asks {
        if let Some((system, ..)) = ask.observable() {
            of_system.entry(system.ix).or_default().push(ask);
        }
    }
    let shown: BTreeMap<u32, Shown> =
        of_system.into_iter().filter_map(|(ix, asks)| Some((ix, Shown::of(input.run.system(Some(ix))?, &asks, &accounts)))).collect();
    asks.iter().map(|ask| waited_for(ask, &accounts, &shown)).collect()
}

/// Accounts of the one person to whom they are linked, by system and person: of those for whom something was asked.
type Accounts = BTreeMap<(u32, u32), Vec<u32>>;

fn accounts(input: &Input<'_>, asks: &[Ask<'_>]) -> Accounts {
    let mut wanted = vec![false; input.people.rows().len()];
    for person in asks.iter().filter_map(|a| a.person) {
        if let Some(wanted) = wanted.get_mut(person as usize) {
            *wanted = true;
        }
    }
    let is_wanted = |c: &&AccountIdentityRow| c.state == MatchState::Linked && wanted.get(c.identity_ix as usize).is_some_and(|w| *w);
    let mut out = Accounts::new();
    for c in input.run.account_identity.iter().filter(is_wanted) {
        out.entry((c.system_ix, c.identity_ix)).or_default().push(c.account_ix);
    }
    out
}

/// What one system shows of what was asked of it.
#[derive(Default)]
struct Shown {
    /// Rights asked for that the export shows, whoever holds them.
    rights: BTreeMap<String, u32>,
    /// By account and right: the earliest date of it; `None`: it is there and not dated.
    came: BTreeMap<(u32, u32), Option<Time>>,
    /// By account, where accounts were asked for.
    created: BTreeMap<u32, Option<Time>>,
}

/// The rights that a group or an entitlement is, by its id or its name.
type Means = BTreeMap<u32, Vec<u32>>;

impl Shown {
    fn of(system: &System, asks: &[&Ask<'_>], accounts: &Accounts) -> Self {
        let mut shown = Self::default();
        let rights: BTreeMap<&str, u32> =
            asks.iter().filter_map(|a| a.right.as_deref()).collect::<BTreeSet<_>>().into_iter().zip(0..).collect();
        let groups = shown.means(&rights, system.groups.iter().map(|g| (g.group_ix, g.native_id.as_str(), g.name_norm.as_deref())));
        let named = system.entitlements.iter().map(|e| (e.entitlement_ix, e.native_id.as_str(), e.name_norm.as_deref()));
        let entitlements = shown.means(&rights, named);
        let mut of_rights: BTreeSet<u32> = BTreeSet::new();
        let mut whole: BTreeSet<u32> = BTreeSet::new();
        for ask in asks {
            let own = ask.person.and_then(|person| accounts.get(&(system.ix, person))).map(Vec::as_slice).unwrap_or_default();
            match &ask.right {
                Some(right) if shown.rights.contains_key(right) => of_rights.extend(own),
                Some(_) => {}
                None => whole.extend(own),
            }
        }
        shown.read_edges(system, &of_rights.into_iter().collect::<Vec<_>>(), &groups, &entitlements);
        let positions: Vec<usize> = whole.into_iter().map(|ix| ix as usize).collect();
        // A fault is kept, and told before anything is written.
        let rows = system.accounts.gather(&positions, &["account_ix", "created_at"]).unwrap_or_default();
        shown.created = rows.into_iter().map(|a| (a.account_ix, a.created_at)).collect();
        shown
    }

    /// Which of the asked rights some groups or entitlements are: each is read once.
    fn means<'n>(&mut self, asked: &BTreeMap<&str, u32>, named: impl Iterator<Item = (u32, &'n str, Option<&'n str>)>) -> Means {
        let mut means = Means::new();
        for (ix, id, name) in named {
            for right in [folded(id).as_deref(), name].into_iter().flatten() {
                if let Some(number) = asked.get(right) {
                    self.rights.insert(right.to_owned(), *number);
                    means.entry(ix).or_default().push(*number);
                }
            }
        }
        means
    }

    fn read_edges(&mut self, system: &System, accounts: &[u32], groups: &Means, entitlements: &Means) {
        if !groups.is_empty() {
            let places = system.memberships.places("account_ix", accounts);
            let rows = system.memberships.gather(&places, &["account_ix", "group_ix", "granted_at"]).unwrap_or_default();
            rows.iter().for_each(|m| self.came(m.account_ix, groups.get(&m.group_ix), m.granted_at));
        }
        if !entitlements.is_empty() {
            let places = system.grants.places("account_ix", accounts);
            let rows = system.grants.gather(&places, &["account_ix", "entitlement_ix", "granted_at"]).unwrap_or_default();
            rows.iter().for_each(|g| self.came(g.account_ix, entitlements.get(&g.entitlement_ix), g.granted_at));
        }
    }

    fn came(&mut self, account_ix: Option<u32>, rights: Option<&Vec<u32>>, at: Option<Time>) {
        let Some(account_ix) = account_ix else { return };
        for right in rights.into_iter().flatten() {
            let earliest = self.came.entry((account_ix, *right)).or_default();
            *earliest = [*earliest, at].into_iter().flatten().min();
        }
    }
}

fn waited_for(ask: &Ask<'_>, accounts: &Accounts, shown: &BTreeMap<u32, Shown>) -> Wait {
    if ask.start.is_none() {
        return Wait::Undated;
    }
    if ask.system.is_none() || ask.person.is_none() {
        return Wait::NotMatched;
    }
    let Some((system, person, start)) = ask.observable() else { return Wait::NotYetObservable };
    let observed = system.observed_at();
    let Some(shown) = shown.get(&system.ix) else { return Wait::NotMatched };
    let own = accounts.get(&(system.ix, person)).map(Vec::as_slice).unwrap_or_default();
    let came: Vec<Option<Time>> = match ask.right.as_ref().map(|right| shown.rights.get(right)) {
        Some(Some(right)) => own.iter().filter_map(|ix| shown.came.get(&(*ix, *right)).copied()).collect(),
        // Nobody can tell whether it is there: the export does not show rights, or calls this one otherwise.
        Some(None) => return Wait::NotMatched,
        None => own.iter().filter_map(|ix| shown.created.get(ix).copied()).collect(),
    };
    if came.is_empty() {
        // What was approved for a time that is over may have come and gone.
        return if ask.request.valid_to.is_some_and(|to| to <= observed) {
            Wait::NotYetObservable
        } else {
            wait(start, Some(observed), None)
        };
    }
    match came.iter().flatten().min() {
        Some(at) => wait(start, Some(at.plus(-1)), Some(*at)),
        None => wait(start, None, Some(observed)),
    }
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
    let (joined, asked) = rayon::join(
        || waited(joined, joiners, "nobody joined in that time", true),
        || waited(asked, requests, "no request for access was approved", false),
    );
    vec![joined, asked]
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
