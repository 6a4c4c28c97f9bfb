//! What requests say of access (rule 11.10): requests are few and edges are many, so that an edge is judged when somebody asks for it.
//!
//! Which requests there are, about which accounts they may be and what their words name is found in `resolve`; here is what follows from it.

use std::collections::BTreeMap;

use super::text::norm;
use super::{ApprovalState, Decision, LogCoverageRow, RequestAction, RequestRow, RevocationRow, TicketState, Time};

/// When an edge began, as far as anybody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Began {
    pub after: Option<Time>,
    pub by: Option<Time>,
    /// `by` is the system's own word.
    pub exact: bool,
}

impl Began {
    /// `granted_at`: the export's own word; `seen`: the last look without the edge and the first with it, in the stored snapshots.
    pub fn new(granted_at: Option<Time>, seen: Option<(Option<Time>, Time)>) -> Self {
        if let Some(at) = granted_at {
            return Self { after: None, by: Some(at), exact: true };
        }
        match seen {
            // What was there in the first snapshot may be as old as the system.
            None | Some((None, _)) => Self::default(),
            Some((after, by)) => Self { after, by: Some(by), exact: false },
        }
    }

    /// The earliest instant at which it may have begun.
    fn earliest(self) -> Option<Time> {
        if self.exact { self.by } else { self.after }
    }
}

/// One edge of an account, as the view `access` shows it.
#[derive(Clone, Copy, Debug)]
pub struct Edge<'a> {
    /// Else a membership.
    pub grant: bool,
    pub ix: u32,
    /// The entitlement of a grant, the group of a membership.
    pub target: u32,
    pub began: Began,
    /// The request that the system itself names.
    pub request_ref: Option<&'a str>,
}

/// By what a request fits an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Reference,
    Entitlement,
    Alias,
    Account,
}

impl How {
    /// Every way, in the order of their codes.
    pub const WORDS: [&'static str; 4] = ["reference", "entitlement", "alias", "account"];

    /// Its place among [`How::WORDS`].
    pub fn code(self) -> u8 {
        self as u8
    }

    fn word(self) -> String {
        Self::WORDS.get(self as usize).copied().unwrap_or_default().to_owned()
    }
}

/// What the requests say of one edge: the state, and the request that says it by its place in [`Approvals::asked`].
pub type Verdict = (ApprovalState, Option<(u32, How)>);

/// A request, its words normalised and its beneficiary found.
#[derive(Debug)]
pub struct Asked {
    /// The ordinal of its source.
    pub source_ix: u32,
    pub row: RequestRow,
    system_ix: Option<u32>,
    /// The right that it names, by its place among all that are named.
    word: Option<u32>,
    named: bool,
    /// Every identity that the beneficiary may be.
    pub identities: Vec<u32>,
}

impl Asked {
    /// Asks for access, or at least not for its end.
    fn for_access(&self) -> bool {
        self.row.action != RequestAction::Revoke && self.row.state != TicketState::Cancelled
    }

    /// Asks for the end of access.
    fn for_end(&self) -> bool {
        let asks = self.row.action == RequestAction::Revoke && self.row.state != TicketState::Cancelled;
        asks && self.system_ix.is_some() && self.row.decision != Decision::Rejected
    }
}

/// A request that may be for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct About {
    /// Its place in [`Approvals::asked`].
    pub at: u32,
    /// By the account's own texts or by a candidate; else by the name of a registered workload alone.
    pub own: bool,
}

/// A system of which requests speak.
#[derive(Debug, Default)]
struct Spoken {
    covered: Option<LogCoverageRow>,
    fits: Named,
    /// Accounts about which there may be requests, ascending, with these.
    about: Vec<(u32, Vec<About>)>,
}

/// What requests say of the access that a run shows.
#[derive(Debug, Default)]
pub struct Approvals {
    asked: Vec<Asked>,
    words: BTreeMap<String, u32>,
    by_id: BTreeMap<String, Vec<u32>>,
    systems: BTreeMap<u32, Spoken>,
}

/// Which words of requests name what: (word, grant, group or entitlement).
pub type Named = BTreeMap<(u32, bool, u32), How>;

impl Approvals {
    /// Adds a request of a source. `system_ix`: of which system it speaks, `None` where it names none and [`u32::MAX`] where it names one that
    /// nobody here knows: that is another one, never any. `identities`: all that the beneficiary may be.
    pub fn push(&mut self, source_ix: u32, row: RequestRow, system_ix: Option<u32>, identities: Vec<u32>) {
        let at = ordinal(self.asked.len());
        if let Some(id) = norm(&row.request) {
            self.by_id.entry(id).or_default().push(at);
        }
        let entitlement = row.entitlement_ref.as_deref().and_then(norm).filter(|_| system_ix != Some(u32::MAX));
        let next = ordinal(self.words.len());
        let word = entitlement.map(|e| *self.words.entry(e).or_insert(next));
        let named = row.beneficiary_ref.as_deref().and_then(norm).is_some();
        self.asked.push(Asked { source_ix, row, system_ix, word, named, identities });
    }

    /// The requests, in the order in which they were given.
    pub fn asked(&self) -> &[Asked] {
        &self.asked
    }

    /// Rights that requests name, normalised, with their numbers.
    pub fn words(&self) -> &BTreeMap<String, u32> {
        &self.words
    }

    /// Requests speak of a system, or may. `about`: accounts about which there may be requests, ascending, with these.
    pub fn speak_of(&mut self, system_ix: u32, covered: Option<LogCoverageRow>, fits: Named, about: Vec<(u32, Vec<About>)>) {
        self.systems.insert(system_ix, Spoken { covered, fits, about });
    }

    /// Whether requests speak of a system, or may.
    pub fn speaks_of(&self, system_ix: u32) -> bool {
        self.systems.contains_key(&system_ix)
    }

    /// Some request is for the end of access.
    pub fn ends(&self) -> bool {
        self.asked.iter().any(Asked::for_end)
    }

    /// Accounts of a system of which some request says that access is to go, ascending; and whether one names a right.
    pub fn ending(&self, system_ix: u32) -> impl Iterator<Item = (u32, bool)> {
        let of = move |about: &[About]| {
            let mut ends = self.of_system(system_ix, about).filter(|(_, a)| a.for_end()).peekable();
            ends.peek().is_some().then(|| ends.any(|(_, a)| a.word.is_some()))
        };
        let all = self.systems.get(&system_ix).map(|s| s.about.as_slice()).unwrap_or_default();
        all.iter().filter_map(move |(account, about)| Some((*account, of(about)?)))
    }

    /// What requests say about the edges of an account; `None`: they do not speak of its system. `matched`: somebody may be behind it.
    pub fn account(&self, system_ix: u32, account_ix: u32, matched: bool) -> Option<OfAccount<'_>> {
        let spoken = self.systems.get(&system_ix)?;
        let at = spoken.about.binary_search_by_key(&account_ix, |(a, _)| *a).ok();
        let about = at.and_then(|at| spoken.about.get(at)).map(|(_, about)| about.as_slice()).unwrap_or_default();
        Some(OfAccount { all: self, spoken, about, asked: self.of_system(system_ix, about).collect(), matched })
    }

    /// Those of some requests that may be about a system.
    fn of_system(&self, system_ix: u32, about: &[About]) -> impl Iterator<Item = (u32, &Asked)> {
        let all = about.iter().filter_map(|a| Some((a.at, self.asked.get(a.at as usize)?)));
        all.filter(move |(_, a)| a.system_ix.is_none_or(|s| s == system_ix))
    }
}

fn ordinal(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// What requests say about one account.
pub struct OfAccount<'a> {
    all: &'a Approvals,
    spoken: &'a Spoken,
    about: &'a [About],
    /// Those that may be about its system.
    asked: Vec<(u32, &'a Asked)>,
    matched: bool,
}

/// A request that fits an edge.
type Found<'a> = (u32, &'a Asked, How);

impl<'a> OfAccount<'a> {
    /// What they say of an edge of it.
    pub fn judge(&self, edge: &Edge<'_>) -> Verdict {
        let said = |found: Option<Found<'a>>| found.map(|(at, _, how)| (at, how));
        let best = best(self.fitting(edge), edge.began);
        if let Some((ApprovalState::Approved, found)) = best {
            return (ApprovalState::Approved, said(Some(found)));
        }
        let nameless = self.asked.iter().filter(|(_, a)| a.word.is_none() && a.system_ix.is_some() && a.for_access());
        if let Some((ApprovalState::Approved, found)) = self::best(nameless.map(|(at, a)| (*at, *a, How::Account)), edge.began)
            && best.is_none_or(|(state, _)| state != ApprovalState::Rejected)
        {
            return (ApprovalState::AccountLevel, said(Some(found)));
        }
        let found = said(best.map(|b| b.1));
        // Access from before the log may rest on an approval from before the log, whatever a later request says.
        let Some(covered) = &self.spoken.covered else { return (ApprovalState::NotCovered, found) };
        if !inside(edge.began, covered) {
            return (ApprovalState::BeforeCoverage, found);
        }
        (best.map_or(ApprovalState::Nothing, |b| b.0), found)
    }

    /// Requests for access that name the edge: those to which the system refers first.
    fn fitting(&self, edge: &Edge<'_>) -> impl Iterator<Item = Found<'a>> {
        let referred = edge.request_ref.and_then(norm).and_then(|id| self.all.by_id.get(&id)).into_iter().flatten();
        let referred = referred.filter_map(|at| Some((*at, self.all.asked.get(*at as usize)?, How::Reference)));
        let referred = referred.filter(|(at, a, _)| self.is_for(*at, a));
        let named = self.asked.iter().filter_map(|(at, a)| Some((*at, *a, self.named_by(a.word?, edge.grant, edge.target)?)));
        referred.chain(named).filter(|(_, a, _)| a.for_access())
    }

    /// How a request's words name what is held.
    fn named_by(&self, word: u32, grant: bool, target: u32) -> Option<How> {
        self.spoken.fits.get(&(word, grant, target)).copied()
    }

    /// A request that the system names counts only if it is for this account, where the ticket says for whom it is.
    fn is_for(&self, at: u32, asked: &Asked) -> bool {
        // Whom nobody knows cannot be another.
        let unknown = asked.identities.is_empty() && !self.matched;
        !asked.named || unknown || self.about.iter().any(|a| a.at == at && a.own)
    }

    /// What requests for the end of access left standing: `edges` of the account, which was created then.
    pub fn ended(&self, (system_ix, account_ix): (u32, u32), created_at: Option<Time>, edges: &[Edge<'_>]) -> Vec<RevocationRow> {
        let mut rows = Vec::new();
        for (_, a) in self.asked.iter().filter(|(_, a)| a.for_end()) {
            let row = |edge: Option<&Edge<'_>>, how: How| RevocationRow {
                request_system_ix: a.source_ix,
                request: a.row.request.clone(),
                system_ix,
                account_ix,
                edge: edge.map(|e| if e.grant { "grant" } else { "membership" }.to_owned()),
                edge_ix: edge.map(|e| e.ix),
                how: how.word(),
                state: a.row.state,
                decision: a.row.decision,
                closed_at: a.row.closed_at,
                regranted: a.row.closed_at.is_some_and(|closed| given_since(created_at, edge, closed)),
            };
            match a.word {
                None => rows.push(row(None, How::Account)),
                Some(word) => rows.extend(edges.iter().filter_map(|e| self.named_by(word, e.grant, e.target).map(|how| row(Some(e), how)))),
            }
        }
        rows
    }
}

/// What one request says of an edge that began then.
fn verdict(row: &RequestRow, began: Began) -> ApprovalState {
    match row.decision {
        Decision::Rejected => return ApprovalState::Rejected,
        Decision::Pending | Decision::Unknown => return ApprovalState::Pending,
        Decision::Approved => {}
    }
    // An interval may have begun at its end (the approval came in time) or just after its start (it still ran): both count for the account.
    if row.decided_at.zip(began.by).is_some_and(|(decided, by)| decided > by) {
        return ApprovalState::Late;
    }
    if row.valid_to.zip(began.earliest()).is_some_and(|(to, start)| to <= start) {
        return ApprovalState::Expired;
    }
    // Approved after the approval itself had run out: it never ran.
    if row.valid_to.zip(row.decided_at).is_some_and(|(to, decided)| to <= decided) {
        return ApprovalState::Expired;
    }
    ApprovalState::Approved
}

/// Whether the access began, for all that is known, while the requests are kept.
fn inside(began: Began, covered: &LogCoverageRow) -> bool {
    began.earliest().is_some_and(|e| e >= covered.covers_from) && began.by.is_some_and(|by| by <= covered.covers_to)
}

/// The request that says most for an edge: an approval before all, then the newest decision, then the id.
fn best<'a>(fitting: impl Iterator<Item = Found<'a>>, began: Began) -> Option<(ApprovalState, Found<'a>)> {
    let rank = |state| match state {
        ApprovalState::Approved => 0,
        ApprovalState::Rejected => 1,
        ApprovalState::Expired => 2,
        ApprovalState::Late => 3,
        _ => 4,
    };
    let judged = fitting.map(|f| (verdict(&f.1.row, began), f));
    judged.min_by(|(a, (_, x, _)), (b, (_, y, _))| {
        let newest = y.row.decided_at.cmp(&x.row.decided_at);
        let id = (x.source_ix, &x.row.request).cmp(&(y.source_ix, &y.row.request));
        rank(*a).cmp(&rank(*b)).then(newest).then(id)
    })
}

/// Whether the export shows that the edge, or the account itself, came to be after the ticket was closed.
fn given_since(created_at: Option<Time>, edge: Option<&Edge<'_>>, closed: Time) -> bool {
    match edge {
        None => created_at.is_some_and(|c| c > closed),
        Some(Edge { began, .. }) if began.exact => began.by.is_some_and(|b| b > closed),
        Some(Edge { began, .. }) => began.after.is_some_and(|a| a >= closed),
    }
}
