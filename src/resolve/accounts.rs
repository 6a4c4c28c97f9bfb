//! What the run knows of each account: its kind, its candidates, its owner, whether it is live (11.3, 11.6, 11.9).

use std::collections::BTreeSet;

use super::account::Account;
use super::authenticate::{Credentials, answer};
use super::correlate::{Crowded, Crowds, Desk, Matcher, Matchers, SystemMatchers};
use super::index::TextMap;
use super::owners::{OwnFound, OwnNames, is_gone};
use super::settings::{Compiled, KindPatterns};
use super::{About, AuthorityInput, People, Reference, Seen};
use crate::model::text::folded;
use crate::model::{AccountIdentityRow, AccountKind, AccountStateRow, IdentityKind, KindFrom, MatchState, MatchTraceRow, Standing, Time};

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

/// Resolves the accounts of one system, some at a time.
pub struct AccountResolver<'a> {
    system_ix: u32,
    observed_at: Time,
    people: &'a People,
    coverage: &'a Coverage,
    matchers: SystemMatchers<'a>,
    kinds: KindPatterns<'a>,
}

/// What was found of some consecutive accounts.
#[derive(Debug, Default)]
pub struct AccountChunk {
    /// One row per account, in their order.
    pub states: Vec<AccountStateRow>,
    pub candidates: Vec<AccountIdentityRow>,
    pub trace: Vec<MatchTraceRow>,
    pub crowded: BTreeSet<Crowded>,
    /// Accounts whose owner may be one of the system's own accounts, and the normalised names by which they call it.
    open: Vec<Open<u32>>,
    open_names: Vec<String>,
}

/// An account whose owner is not known yet.
#[derive(Clone, Debug)]
struct Open<Row> {
    /// Its row among the states.
    row: Row,
    /// Its state depends on whether the owner is gone.
    judged: bool,
    /// The registry's word, then the account's own.
    said: [Said; 2],
}

/// What is known of one reference to an owner.
#[derive(Clone, Debug)]
enum Said {
    /// There is none.
    Nothing,
    /// Whom it names.
    Known(Reference),
    /// It names nobody among the people; the name by which one of the system's own accounts may go, by its number.
    Open(u32),
}

/// References to owners that were looked up, by their text: those of the registry and those of the accounts.
struct References<'p, 'r> {
    people: &'p People,
    of_registry: TextMap<&'p str, Said>,
    of_accounts: TextMap<&'r str, Said>,
    open: OpenNames,
}

/// Names of owners whom the people list does not know.
#[derive(Default)]
struct OpenNames {
    names: OwnNames,
    texts: Vec<String>,
}

impl<'p, 'r> References<'p, 'r> {
    fn new(people: &'p People) -> Self {
        Self { people, of_registry: TextMap::default(), of_accounts: TextMap::default(), open: OpenNames::default() }
    }

    fn registry(&mut self, text: Option<&'p str>) -> Said {
        self.open.find(self.people, &mut self.of_registry, text)
    }

    fn account(&mut self, text: Option<&'r str>) -> Said {
        self.open.find(self.people, &mut self.of_accounts, text)
    }
}

impl OpenNames {
    fn find<'t>(&mut self, people: &People, known: &mut TextMap<&'t str, Said>, text: Option<&'t str>) -> Said {
        let Some(text) = text else { return Said::Nothing };
        if let Some(known) = known.get(text) {
            return known.clone();
        }
        let said = match (people.find(text), folded(text)) {
            (Reference::Nobody, Some(name)) => {
                let number = self.names.add(&name);
                if number as usize == self.texts.len() {
                    self.texts.push(name.into_owned());
                }
                Said::Open(number)
            }
            (named, _) => Said::Known(named),
        };
        known.insert(text, said.clone());
        said
    }
}

/// Who answers for an account: the registry's word first, then the account's own; the first that names anybody counts.
struct Owner {
    said: [Said; 2],
}

impl Owner {
    fn stated(&self) -> bool {
        self.said.iter().any(|s| !matches!(s, Said::Nothing))
    }

    /// Whom it names; `None`: that is open.
    fn named(&self) -> Option<&Reference> {
        for said in &self.said {
            match said {
                Said::Nothing | Said::Known(Reference::Nobody) => {}
                Said::Known(named) => return Some(named),
                Said::Open(_) => return None,
            }
        }
        Some(&Reference::Nobody)
    }
}

impl<'a> AccountResolver<'a> {
    pub(super) fn new(
        about: &About<'_>,
        people: &'a People,
        matchers: &'a Matchers,
        coverage: &'a Coverage,
        compiled: &'a Compiled,
    ) -> Self {
        Self {
            system_ix: about.system_ix,
            observed_at: about.observed_at,
            people,
            coverage,
            matchers: matchers.for_system(about.system_ix, about.system),
            kinds: compiled.kinds(about.system),
        }
    }

    /// Resolves some accounts, ascending by `account_ix`. What comes of each is the same however they are cut into chunks.
    ///
    /// `credentials`: those of the whole system; `None`: its snapshot does not cover them.
    pub fn chunk<'r>(&self, accounts: impl IntoIterator<Item = Account<'r>>, credentials: Option<&Credentials>) -> AccountChunk {
        let accounts = accounts.into_iter();
        let size = accounts.size_hint().0;
        let mut chunk = AccountChunk { states: Vec::with_capacity(size), candidates: Vec::with_capacity(size), ..AccountChunk::default() };
        let mut desk = self.matchers.desk();
        let mut crowds = Crowds::default();
        let mut references = References::new(self.people);
        for account in accounts {
            desk.clear();
            let from = chunk.candidates.len();
            let (kind, kind_from) = self.candidates(&account, &mut desk, &mut crowds, &mut chunk);
            let candidates = chunk.candidates.get(from..).unwrap_or_default();
            let owner = self.owner(&account, candidates, &mut references);
            let (can, why) = answer(&account, credentials.map(|c| c.of(account.account_ix)), self.observed_at);
            let (match_state, judged) = self.state(&account, Class::of(kind), candidates, &owner);
            let count = |standing| candidates.iter().filter(|c| c.standing == standing).count() as u32;
            let named = owner.named();
            let row = AccountStateRow {
                system_ix: self.system_ix,
                account_ix: account.account_ix,
                kind,
                kind_from,
                match_state,
                candidates: candidates.len() as u32,
                candidates_left: count(Standing::Left),
                candidates_suspended: count(Standing::Suspended),
                owner_identity_ix: named.and_then(Reference::one),
                can_authenticate: can,
                can_authenticate_why: why,
            };
            if named.is_none() {
                chunk.open.push(Open { row: chunk.states.len() as u32, judged, said: owner.said });
            }
            chunk.states.push(row);
        }
        chunk.crowded = self.matchers.crowded(crowds);
        chunk.open_names = references.open.texts;
        chunk
    }

    /// Finds the kind and the candidates: a registry link tells the kind, then the connector, then the configured patterns (11.9).
    fn candidates<'r>(
        &self,
        account: &Account<'r>,
        desk: &mut Desk<'r>,
        crowds: &mut Crowds,
        chunk: &mut AccountChunk,
    ) -> (AccountKind, KindFrom) {
        let linked = self.matchers.registry.candidates(account, desk, crowds);
        if let Some(first) = desk.kept.first() {
            let agent = self.people.row(first.identity_ix).is_some_and(|i| i.kind == IdentityKind::Agent);
            self.rows(account, &self.matchers.registry, desk, linked, chunk);
            return (if agent { AccountKind::Agent } else { AccountKind::Workload }, KindFrom::Registry);
        }
        let (kind, kind_from) = match account.kind {
            AccountKind::Unknown => self.kinds.of(account).map_or((AccountKind::Unknown, KindFrom::None), |kind| (kind, KindFrom::Pattern)),
            certain => (certain, KindFrom::Connector),
        };
        if Class::of(kind) == Class::Human {
            let linked = self.matchers.people.candidates(account, desk, crowds);
            self.rows(account, &self.matchers.people, desk, linked, chunk);
        }
        (kind, kind_from)
    }

    fn rows(&self, account: &Account<'_>, matcher: &Matcher<'_>, desk: &Desk<'_>, linked: bool, chunk: &mut AccountChunk) {
        let state = if linked { MatchState::Linked } else { MatchState::Disputed };
        let first = chunk.trace.len();
        for (rank, kept) in (0_u32..).zip(&desk.kept) {
            let view = self.people.standing(kept.identity_ix, self.observed_at, Seen::BySystem);
            let leave = view.and_then(|v| v.leave);
            let row = AccountIdentityRow {
                system_ix: self.system_ix,
                account_ix: account.account_ix,
                rank,
                identity_ix: kept.identity_ix,
                score: kept.score,
                rule: matcher.strongest(kept, desk),
                state,
                standing: view.map_or(Standing::Unknown, |v| v.standing),
                left_after: leave.and_then(|l| l.after),
                left_by: leave.map(|l| l.by),
                left_exact: leave.is_some_and(|l| l.exact),
                known_after: leave.and_then(|l| l.known_after),
                known_by: leave.map(|l| l.known_by),
                leaves_later: view.is_some_and(|v| v.leaves_later),
            };
            matcher.traces(&row, kept, desk, &mut chunk.trace);
            chunk.candidates.push(row);
        }
        if let Some(traces) = chunk.trace.get_mut(first..) {
            traces.sort_by_key(|t| (t.identity_ix, t.rule));
        }
    }

    fn owner<'r>(&self, account: &Account<'r>, candidates: &[AccountIdentityRow], references: &mut References<'_, 'r>) -> Owner {
        let entry = match candidates {
            [only] => references.people.row(only.identity_ix).filter(|i| !is_person(i.kind)).and_then(|i| i.owner_ref.as_deref()),
            _ => None,
        };
        Owner { said: [references.registry(entry), references.account(account.owner_ref)] }
    }

    /// The state of an account (docs/architecture.md, correlation), and whether an open owner may yet change it. `ghost` only where every
    /// candidate has left.
    fn state(&self, account: &Account<'_>, class: Class, candidates: &[AccountIdentityRow], owner: &Owner) -> (MatchState, bool) {
        let Some(first) = candidates.first() else { return (self.coverage.unmatched(class, account.created_at), false) };
        if candidates.iter().all(|c| c.standing == Standing::Left) {
            return (MatchState::Ghost, false);
        }
        if first.state == MatchState::Disputed || class != Class::NonHuman {
            return (first.state, false);
        }
        // Owners are people: without an authority for people nobody can tell. An authority that never states an owner is not asked for one.
        let states_owners = || self.people.row(first.identity_ix).is_some_and(|i| self.coverage.states_owners.contains(&i.system_ix));
        let asked = self.coverage.people.is_some() && (owner.stated() || states_owners());
        match owner.named() {
            Some(named) if asked => (self.owned(named), false),
            None if asked => (MatchState::Linked, true),
            _ => (MatchState::Linked, false),
        }
    }

    fn owned(&self, named: &Reference) -> MatchState {
        if is_gone(named, self.people, self.observed_at) { MatchState::Unowned } else { MatchState::Linked }
    }

    /// Ends a system: `found` says whom the names of [`SystemAccounts::names`] call.
    pub fn close(&self, accounts: &mut SystemAccounts, found: &OwnFound) {
        let resolve = |said: &Said| match said {
            Said::Nothing => Reference::Nobody,
            Said::Known(named) => named.clone(),
            Said::Open(number) => found.get(*number),
        };
        for open in std::mem::take(&mut accounts.open) {
            let named = open.said.iter().map(resolve).find(|r| *r != Reference::Nobody).unwrap_or(Reference::Nobody);
            let Some(row) = accounts.states.get_mut(open.row) else { continue };
            row.owner_identity_ix = named.one();
            if open.judged {
                row.match_state = self.owned(&named);
            }
        }
    }
}

/// The rows of one system, put together chunk by chunk.
#[derive(Debug, Default)]
pub struct SystemAccounts {
    pub states: Vec<AccountStateRow>,
    pub candidates: Vec<AccountIdentityRow>,
    pub trace: Vec<MatchTraceRow>,
    pub crowded: BTreeSet<Crowded>,
    open: Vec<Open<usize>>,
    names: OwnNames,
}

impl SystemAccounts {
    /// Adds the next chunk; chunks come in the order of their accounts.
    pub fn add(&mut self, mut chunk: AccountChunk) {
        let first = self.states.len();
        let numbers: Vec<u32> = chunk.open_names.iter().map(|name| self.names.add(name)).collect();
        let renumbered = |said: Said| match said {
            Said::Open(number) => numbers.get(number as usize).map_or(Said::Nothing, |n| Said::Open(*n)),
            other => other,
        };
        for open in chunk.open {
            self.open.push(Open { row: first + open.row as usize, judged: open.judged, said: open.said.map(renumbered) });
        }
        self.states.append(&mut chunk.states);
        self.candidates.append(&mut chunk.candidates);
        self.trace.append(&mut chunk.trace);
        self.crowded.append(&mut chunk.crowded);
    }

    /// Names by which accounts call owners whom no authority lists. Where there are any, the system's accounts are looked through once more
    /// for them ([`OwnNames::seek`]) before [`AccountResolver::close`].
    pub fn names(&self) -> &OwnNames {
        &self.names
    }
}
