//! Which identities an account may belong to: tiers of weighted rules with two thresholds, and a trace of what agreed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Identity;
use super::account::Account;
use super::forms::{AccountColumn, Form, IdentityColumn, Part};
use super::index::{Among, Asked, Held, Index, Pairs};
use super::rules::Rule;
use super::settings::{Compiled, CompiledRule};
use crate::model::{AccountIdentityRow, Label, MatchTraceRow, Short};

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

/// The two ways by which an account finds its identity, and the identities through which they look.
pub(super) struct Matchers {
    certain: f64,
    possible: f64,
    /// People, by the configured rules.
    people: Vec<CompiledRule>,
    /// Registered non-humans, by the keys that their owner declared.
    registry: Vec<CompiledRule>,
    index: Arc<Index>,
}

impl Matchers {
    /// `named`: further columns by which references name people.
    pub fn new(compiled: &Compiled, named: &[Asked], identities: &[Identity<'_>]) -> Self {
        let registry = registry_rules();
        let of = |among, rules: &[CompiledRule]| -> Vec<Asked> {
            rules.iter().map(|r| (among, r.identity, Form::of(&r.account, r.identity))).collect()
        };
        let asked = [of(Among::People, &compiled.rules), of(Among::Registry, &registry), named.to_vec()].concat();
        Self::over(Arc::new(Index::new(&asked, identities)), compiled)
    }

    /// Over identities that are indexed already, by the same settings.
    pub fn over(index: Arc<Index>, compiled: &Compiled) -> Self {
        let (certain, possible, people) = (compiled.certain, compiled.possible, compiled.rules.clone());
        Self { certain, possible, people, registry: registry_rules(), index }
    }

    /// The identities by everything that names them.
    pub fn index(&self) -> Arc<Index> {
        Arc::clone(&self.index)
    }

    /// The rules that are asked of one system: those for registered non-humans, then those for people.
    pub fn for_system(&self, system_ix: u32, system: &str) -> SystemMatchers<'_> {
        let mut columns = Vec::new();
        let registry = Matcher::new(&self.index, Among::Registry, &self.registry, system, &mut columns);
        let people = Matcher::new(&self.index, Among::People, &self.people, system, &mut columns);
        SystemMatchers {
            system_ix,
            registry: Matcher { certain: 1.0, possible: 1.0, ..registry },
            people: Matcher { certain: self.certain, possible: self.possible, ..people },
            columns,
        }
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

/// The rules that are asked of one system.
pub(super) struct SystemMatchers<'a> {
    system_ix: u32,
    pub registry: Matcher<'a>,
    pub people: Matcher<'a>,
    /// Columns of accounts that some rule compares.
    columns: Vec<&'a AccountColumn>,
}

impl SystemMatchers<'_> {
    /// Room for the matching of one account after the other.
    pub fn desk<'r>(&self) -> Desk<'r> {
        Desk { columns: self.columns.iter().map(|_| Column::default()).collect(), ..Desk::default() }
    }

    /// The crowds that the accounts met, as they are told.
    pub fn crowded(&self, crowds: Crowds) -> BTreeSet<Crowded> {
        let system_ix = self.system_ix;
        let of_rule = |(rule, values): (Label, BTreeMap<String, usize>)| {
            let told = move |(value, identities)| Crowded { system_ix, rule: rule.to_string(), value, identities };
            values.into_iter().map(told)
        };
        crowds.0.into_iter().flat_map(of_rule).collect()
    }
}

/// Values that too many share, by rule.
#[derive(Default)]
pub(super) struct Crowds(BTreeMap<Label, BTreeMap<String, usize>>);

impl Crowds {
    fn add(&mut self, rule: Label, value: &str, identities: usize) {
        let values = self.0.entry(rule).or_default();
        if !values.contains_key(value) {
            values.insert(value.to_owned(), identities);
        }
    }
}

/// One rule, bound to where it looks.
struct Bound<'a> {
    rule: &'a CompiledRule,
    form: Form,
    pairs: Pairs,
    /// The account's column, among those of the system's rules.
    column: usize,
    id: Label,
    account: Label,
    identity: Label,
    is_name: bool,
    refers: bool,
}

/// Rules in the order of their tiers, and among whom they look.
pub(super) struct Matcher<'a> {
    certain: f64,
    possible: f64,
    among: Among,
    index: &'a Index,
    rules: Vec<Bound<'a>>,
}

/// One account at a time: its values, what they were found to be, and who agrees. Its room is used again and again.
#[derive(Default)]
pub(super) struct Desk<'r> {
    columns: Vec<Column<'r>>,
    found: Vec<Found>,
    spoken: Vec<Spoken>,
    /// The candidates, best first.
    pub kept: Vec<Kept>,
    room: String,
}

#[derive(Default)]
struct Column<'r> {
    read: bool,
    values: Vec<Value<'r>>,
}

/// One normalised value of an account, and the numbers of the texts made of it.
struct Value<'r> {
    text: Cow<'r, str>,
    /// A name in the order in which it is spoken, where that is another text.
    turned: Option<String>,
    numbers: [Number; Part::COUNT],
}

/// The number of a text in the index.
#[derive(Clone, Copy)]
enum Number {
    Unasked,
    Nobodys,
    Known(u32),
}

impl<'r> Value<'r> {
    fn new(text: Cow<'r, str>) -> Self {
        Self { text, turned: None, numbers: [Number::Unasked; Part::COUNT] }
    }

    /// The number of one part of it; each is looked up once.
    fn number(&mut self, part: Part, index: &Index, room: &mut String) -> Option<u32> {
        let part = part.simplest(&self.text);
        let slot = self.numbers.get_mut(part.place())?;
        if matches!(slot, Number::Unasked) {
            let text = part.text(&self.text, room);
            *slot = index.find(text).map_or(Number::Nobodys, Number::Known);
            if part == Part::Speaking {
                self.turned = Some(text.to_owned());
            }
        }
        if let Number::Known(number) = slot { Some(*number) } else { None }
    }

    fn evidence(&self, part: Part) -> &str {
        match part {
            Part::Speaking => self.turned.as_deref().unwrap_or(&self.text),
            Part::Local => super::forms::Login::new(&self.text).local,
            _ => &self.text,
        }
    }
}

/// What speaks for one identity so far.
struct Found {
    identity_ix: u32,
    /// Agreement on names only, which is never certain: namesakes exist.
    name_only: bool,
    /// The account's own employee reference speaks for it.
    referred: bool,
    /// The first and the last rule that spoke for it, by their places on the desk.
    first: usize,
    last: usize,
}

/// One rule that agreed, and on what.
#[derive(Clone, Copy)]
struct Spoken {
    rule: usize,
    column: usize,
    value: usize,
    evidence: Part,
    /// The next one for the same identity.
    next: Option<usize>,
}

/// One identity that an account may belong to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Kept {
    pub identity_ix: u32,
    pub score: f64,
    found: usize,
}

impl<'r> Desk<'r> {
    /// Takes up the next account.
    pub fn clear(&mut self) {
        for column in &mut self.columns {
            column.read = false;
            column.values.clear();
        }
        self.kept.clear();
    }

    fn spoken(&self, found: &Found) -> impl Iterator<Item = &Spoken> {
        let mut at = Some(found.first);
        std::iter::from_fn(move || {
            let spoken = self.spoken.get(at?)?;
            at = spoken.next;
            Some(spoken)
        })
    }

    fn evidence(&self, spoken: &Spoken) -> &str {
        let value = self.columns.get(spoken.column).and_then(|c| c.values.get(spoken.value));
        value.map_or("", |v| v.evidence(spoken.evidence))
    }

    /// One rule speaks once for an identity: by the first value on which they agree.
    fn add(&mut self, identity_ix: u32, rule: &Bound<'_>, spoken: Spoken) {
        let at = self.spoken.len();
        match self.found.iter_mut().find(|f| f.identity_ix == identity_ix) {
            Some(found) => {
                // Rules speak one after the other.
                let Some(last) = self.spoken.get_mut(found.last).filter(|last| last.rule != spoken.rule) else { return };
                last.next = Some(at);
                found.last = at;
                found.name_only &= rule.is_name;
                found.referred |= rule.refers;
            }
            None => self.found.push(Found { identity_ix, name_only: rule.is_name, referred: rule.refers, first: at, last: at }),
        }
        self.spoken.push(spoken);
    }
}

impl<'a> Matcher<'a> {
    fn new(index: &'a Index, among: Among, all: &'a [CompiledRule], system: &str, columns: &mut Vec<&'a AccountColumn>) -> Self {
        let mut rules = Vec::new();
        for rule in all.iter().filter(|r| r.applies_to(system)) {
            let form = Form::of(&rule.account, rule.identity);
            // A column that no identity fills agrees with nothing.
            if !index.fills(among, rule.identity, form) {
                continue;
            }
            let column = columns.iter().position(|c| **c == rule.account).unwrap_or_else(|| {
                columns.push(&rule.account);
                columns.len() - 1
            });
            rules.push(Bound {
                rule,
                form,
                pairs: Pairs::of(rule.identity, form),
                column,
                id: Label::from(rule.rule.id.as_str()),
                account: Label::from(rule.rule.account.as_str()),
                identity: Label::from(rule.rule.identity.as_str()),
                is_name: rule.identity.is_name(),
                refers: rule.rule.account == "employee_ref",
            });
        }
        Self { certain: 0.0, possible: 0.0, among, index, rules }
    }

    /// Finds the candidates of an account, which the desk keeps; whether there is one and it is certain. Tiers are asked in order, evidence
    /// of earlier ones is kept; the first tier after which one identity is certain ends the search.
    pub fn candidates<'r>(&self, account: &Account<'r>, desk: &mut Desk<'r>, crowds: &mut Crowds) -> bool {
        desk.found.clear();
        desk.spoken.clear();
        desk.kept.clear();
        let mut first = 0;
        for tier in self.rules.chunk_by(|a, b| a.rule.rule.tier == b.rule.rule.tier) {
            for (rule, bound) in (first..).zip(tier) {
                self.ask(rule, bound, account, desk, crowds);
            }
            first += tier.len();
            let mut certain = desk.found.iter().enumerate().filter_map(|(at, f)| Some((at, self.certain(f, desk)?)));
            match (certain.next(), certain.next()) {
                (Some((found, score)), None) => {
                    let identity_ix = desk.found.get(found).map_or(0, |f| f.identity_ix);
                    desk.kept.push(Kept { identity_ix, score, found });
                    return true;
                }
                // Two that are certain stay so, whatever later tiers add.
                (Some(_), Some(_)) => break,
                (None, _) => {}
            }
        }
        // An employee reference that leads to somebody outweighs names that lead to others.
        let referred = desk.found.iter().any(|f| f.referred);
        let mut all: Vec<Kept> = std::mem::take(&mut desk.kept);
        all.extend(desk.found.iter().enumerate().filter(|(_, f)| !(referred && f.name_only)).map(|(found, f)| Kept {
            identity_ix: f.identity_ix,
            score: self.score(f, desk),
            found,
        }));
        all.retain(|kept| kept.score >= self.possible);
        all.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.identity_ix.cmp(&b.identity_ix)));
        desk.kept = all;
        false
    }

    /// The score of an identity that is certain.
    fn certain(&self, found: &Found, desk: &Desk<'_>) -> Option<f64> {
        if found.name_only {
            return None;
        }
        Some(self.score(found, desk)).filter(|score| *score >= self.certain)
    }

    /// `1 - ∏(1 - w)` over the distinct values that agree, each with the highest weight of the rules that saw it: two rules that read one
    /// value are one piece of evidence. Rounded to six decimals, so that a weight of 0.9 reaches a threshold of 0.9.
    fn score(&self, found: &Found, desk: &Desk<'_>) -> f64 {
        let mut values = desk.spoken(found).map(|s| (desk.evidence(s), self.rules.get(s.rule).map_or(0.0, |b| b.rule.rule.weight)));
        let Some((text, mut weight)) = values.next() else { return 0.0 };
        let mut others: Vec<(&str, f64)> = Vec::new();
        for (other, next) in values {
            if other == text {
                weight = weight.max(next);
            } else {
                others.push((other, next));
            }
        }
        if others.is_empty() {
            return rounded(1.0 - weight);
        }
        // In the order of the values, so that the product never depends on the order of the rules.
        let mut by_value: BTreeMap<&str, f64> = BTreeMap::from([(text, weight)]);
        for (text, weight) in others {
            let highest = by_value.entry(text).or_insert(0.0);
            *highest = highest.max(weight);
        }
        rounded(by_value.values().map(|w| 1.0 - w).product())
    }

    fn ask<'r>(&self, rule: usize, bound: &Bound<'a>, account: &Account<'r>, desk: &mut Desk<'r>, crowds: &mut Crowds) {
        let Some(mut column) = desk.columns.get_mut(bound.column).map(std::mem::take) else { return };
        if !column.read {
            column.read = true;
            bound.rule.account.each(account, |text| column.values.push(Value::new(text)));
        }
        for (at, value) in column.values.iter_mut().enumerate() {
            for part in bound.form.parts(&value.text) {
                let Some(number) = value.number(*part, self.index, &mut desk.room) else { continue };
                let evidence = part.evidence(&value.text);
                match self.index.held(number, self.among, bound.pairs) {
                    Held::Many(identities) => crowds.add(bound.id, value.evidence(evidence), identities),
                    Held::Few(few) => {
                        for identity_ix in few {
                            desk.add(identity_ix, bound, Spoken { rule, column: bound.column, value: at, evidence, next: None });
                        }
                    }
                }
            }
        }
        if let Some(slot) = desk.columns.get_mut(bound.column) {
            *slot = column;
        }
    }

    /// The strongest rule that speaks for a candidate; of equals, the first tried.
    pub fn strongest(&self, kept: &Kept, desk: &Desk<'_>) -> Label {
        let rules = desk.found.get(kept.found).into_iter().flat_map(|f| desk.spoken(f)).filter_map(|s| self.rules.get(s.rule));
        let strongest = rules.reduce(|best, next| if next.rule.rule.weight > best.rule.rule.weight { next } else { best });
        strongest.map_or_else(Label::default, |bound| bound.id)
    }

    /// The rows of `match_trace` of a candidate.
    pub fn traces(&self, candidate: &AccountIdentityRow, kept: &Kept, desk: &Desk<'_>, rows: &mut Vec<MatchTraceRow>) {
        for spoken in desk.found.get(kept.found).into_iter().flat_map(|f| desk.spoken(f)) {
            let Some(bound) = self.rules.get(spoken.rule) else { continue };
            rows.push(MatchTraceRow {
                system_ix: candidate.system_ix,
                account_ix: candidate.account_ix,
                identity_ix: candidate.identity_ix,
                tier: bound.rule.rule.tier,
                rule: bound.id,
                weight: bound.rule.rule.weight,
                account_column: bound.account,
                identity_column: bound.identity,
                value: Short::from(desk.evidence(spoken)),
            });
        }
    }
}

fn rounded(doubt: f64) -> f64 {
    ((1.0 - doubt).clamp(0.0, 1.0) * 1e6).round() / 1e6
}
