//! Which identities an account may belong to: tiers of weighted rules with two thresholds, and a trace of what agreed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Identity;
use super::forms::{AccountColumn, Form, IdentityColumn};
use super::rules::Rule;
use super::settings::{Compiled, CompiledRule};
use crate::model::{AccountRow, IdentityKind};

/// A value that more identities than this share (`none@example.com`) ties an account to none of them.
pub const MAX_SHARED: usize = 64;

/// A value that an account holds and that more than [`MAX_SHARED`] identities share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crowded {
    pub system_ix: u32,
    pub rule: String,
    pub value: String,
    pub identities: usize,
}

/// One rule that agreed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trace<'a> {
    pub rule: &'a Rule,
    pub value: String,
}

/// One identity that an account may belong to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Candidate<'a> {
    pub identity_ix: u32,
    pub score: f64,
    /// The rules that agreed, in the order in which they were tried; never empty.
    pub trace: Vec<Trace<'a>>,
}

impl<'a> Candidate<'a> {
    /// The strongest rule; of equals, the first tried.
    pub fn strongest(&self) -> &'a str {
        let stronger = |best: &'a Rule, next: &'a Rule| if next.weight > best.weight { next } else { best };
        self.trace.iter().map(|t| t.rule).reduce(stronger).map_or("", |rule| &rule.id)
    }
}

/// The candidates of one account, best first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Candidates<'a> {
    pub all: Vec<Candidate<'a>>,
    /// There is one, and it is certain.
    pub linked: bool,
}

/// The two ways by which an account finds its identity.
pub(super) struct Matchers {
    /// People, by the configured rules.
    pub people: Matcher,
    /// Registered non-humans, by the keys that their owner declared.
    pub registry: Matcher,
}

impl Matchers {
    pub fn new(compiled: &Compiled, identities: &[Identity<'_>]) -> Self {
        let of = |kinds: [IdentityKind; 2]| identities.iter().filter(move |i| i.spoken && kinds.contains(&i.kind));
        let people = Matcher::new(compiled.certain, compiled.possible, &compiled.rules, of([IdentityKind::Person, IdentityKind::External]));
        let registry = Matcher::new(1.0, 1.0, &registry_rules(), of([IdentityKind::Workload, IdentityKind::Agent]));
        Self { people, registry }
    }
}

/// The keys of a registry: each is declared, so each is certain.
fn registry_rules() -> Vec<CompiledRule> {
    let keys = [
        ("native_id", AccountColumn::NativeId, "native_id", IdentityColumn::NativeId),
        ("native_id", AccountColumn::NativeId, "alias", IdentityColumn::Alias),
        ("employee_ref", AccountColumn::EmployeeRef, "native_id", IdentityColumn::NativeId),
        ("login", AccountColumn::Login, "native_id", IdentityColumn::NativeId),
        ("login", AccountColumn::Login, "login", IdentityColumn::Login),
        ("login", AccountColumn::Login, "alias", IdentityColumn::Alias),
    ];
    let rule = |(account, account_column, identity, identity_column): (&str, _, &str, _)| {
        let id = format!("registry-{account}-{identity}").replace('_', "-");
        let (account, identity) = (account.to_owned(), identity.to_owned());
        CompiledRule::everywhere(Rule { id, tier: 1, weight: 1.0, account, identity, systems: Vec::new() }, account_column, identity_column)
    };
    keys.into_iter().map(rule).collect()
}

/// Identities under one column's values, in one form.
type Index = HashMap<String, Vec<u32>>;

/// Rules and the identities that they look through.
pub(super) struct Matcher {
    certain: f64,
    possible: f64,
    rules: Vec<CompiledRule>,
    indexes: BTreeMap<(IdentityColumn, Form), Index>,
}

impl Matcher {
    fn new<'a>(certain: f64, possible: f64, rules: &[CompiledRule], identities: impl Iterator<Item = &'a Identity<'a>>) -> Self {
        let pairs: BTreeSet<_> = rules.iter().map(|r| (r.identity, Form::of(&r.account, r.identity))).collect();
        let mut indexes: BTreeMap<_, Index> = pairs.into_iter().map(|pair| (pair, Index::new())).collect();
        for identity in identities {
            for ((column, form), index) in &mut indexes {
                let values = identity.records.iter().flat_map(|r| column.values(r));
                for key in values.flat_map(|v| form.identity_keys(&v)).collect::<BTreeSet<_>>() {
                    index.entry(key).or_default().push(identity.identity_ix);
                }
            }
        }
        Self { certain, possible, rules: rules.to_vec(), indexes }
    }

    /// The rules that are asked of one system.
    pub fn for_system(&self, system_ix: u32, system: &str) -> SystemMatcher<'_> {
        let mut rules = Vec::new();
        for rule in self.rules.iter().filter(|r| r.applies_to(system)) {
            let form = Form::of(&rule.account, rule.identity);
            // A column that no identity fills agrees with nothing.
            let index = self.indexes.get(&(rule.identity, form)).filter(|index| !index.is_empty());
            rules.extend(index.map(|index| Bound { rule, form, index }));
        }
        SystemMatcher { system_ix, certain: self.certain, possible: self.possible, rules }
    }
}

struct Bound<'a> {
    rule: &'a CompiledRule,
    form: Form,
    index: &'a Index,
}

/// The rules that are asked of one system, in the order of their tiers.
pub(super) struct SystemMatcher<'a> {
    system_ix: u32,
    certain: f64,
    possible: f64,
    rules: Vec<Bound<'a>>,
}

/// What speaks for one identity so far.
struct Found<'a> {
    identity_ix: u32,
    trace: Vec<Trace<'a>>,
    /// Agreement on names only, which is never certain: namesakes exist.
    name_only: bool,
    /// The account's own employee reference speaks for it.
    referred: bool,
}

impl Found<'_> {
    /// `1 - ∏(1 - w)` over the distinct values that agree, each with the highest weight of the rules that saw it: two rules that read one
    /// value are one piece of evidence. Rounded to six decimals, so that a weight of 0.9 reaches a threshold of 0.9.
    fn score(&self) -> f64 {
        let mut by_value: BTreeMap<&str, f64> = BTreeMap::new();
        for trace in &self.trace {
            let weight = by_value.entry(&trace.value).or_insert(0.0);
            *weight = weight.max(trace.rule.weight);
        }
        let doubt: f64 = by_value.values().map(|w| 1.0 - w).product();
        ((1.0 - doubt).clamp(0.0, 1.0) * 1e6).round() / 1e6
    }
}

impl<'a> SystemMatcher<'a> {
    /// The candidates of an account. Tiers are asked in order, evidence of earlier ones is kept; the first tier after which one identity is
    /// certain ends the search. Values that too many share go to `crowded`.
    pub fn candidates(&self, account: &AccountRow, crowded: &mut BTreeSet<Crowded>) -> Candidates<'a> {
        let mut found: Vec<Found<'a>> = Vec::new();
        let mut values = BTreeMap::new();
        for tier in self.rules.chunk_by(|a, b| a.rule.rule.tier == b.rule.rule.tier) {
            for bound in tier {
                let values = values.entry(&bound.rule.account).or_insert_with(|| bound.rule.account.values(account));
                self.ask(bound, values, &mut found, crowded);
            }
            let mut certain = found.iter().filter(|f| self.is_certain(f));
            match (certain.next(), certain.next()) {
                (Some(only), None) => return Candidates { all: vec![candidate(only)], linked: true },
                // Two that are certain stay so, whatever later tiers add.
                (Some(_), Some(_)) => break,
                (None, _) => {}
            }
        }
        // An employee reference that leads to somebody outweighs names that lead to others.
        let referred = found.iter().any(|f| f.referred);
        let mut all: Vec<Candidate<'a>> =
            found.iter().filter(|f| !(referred && f.name_only)).map(candidate).filter(|c| c.score >= self.possible).collect();
        all.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.identity_ix.cmp(&b.identity_ix)));
        Candidates { all, linked: false }
    }

    fn is_certain(&self, found: &Found<'_>) -> bool {
        !found.name_only && found.score() >= self.certain
    }

    fn ask(&self, bound: &Bound<'a>, values: &[String], found: &mut Vec<Found<'a>>, crowded: &mut BTreeSet<Crowded>) {
        let rule = &bound.rule.rule;
        for value in values {
            for key in bound.form.account_keys(value) {
                let Some(held) = bound.index.get(key.as_ref()) else { continue };
                let evidence = bound.form.evidence(value, &key);
                if held.len() > MAX_SHARED {
                    crowded.insert(Crowded { system_ix: self.system_ix, rule: rule.id.clone(), value: evidence, identities: held.len() });
                    continue;
                }
                for identity_ix in held {
                    add(found, *identity_ix, bound.rule, &evidence);
                }
            }
        }
    }
}

/// One rule speaks once for an identity: by the first value on which they agree.
fn add<'a>(found: &mut Vec<Found<'a>>, identity_ix: u32, compiled: &'a CompiledRule, value: &str) {
    let rule = &compiled.rule;
    let trace = || Trace { rule, value: value.to_owned() };
    let (is_name, refers) = (compiled.identity.is_name(), rule.account == "employee_ref");
    match found.iter_mut().find(|f| f.identity_ix == identity_ix) {
        Some(f) => {
            if f.trace.iter().all(|t| t.rule.id != rule.id) {
                f.trace.push(trace());
                f.name_only &= is_name;
                f.referred |= refers;
            }
        }
        None => found.push(Found { identity_ix, trace: vec![trace()], name_only: is_name, referred: refers }),
    }
}

fn candidate<'a>(found: &Found<'a>) -> Candidate<'a> {
    Candidate { identity_ix: found.identity_ix, score: found.score(), trace: found.trace.clone() }
}
