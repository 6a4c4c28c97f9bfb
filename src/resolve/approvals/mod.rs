//! Which request approved which access, and which request said that access is to go (rule 11.10).
//!
//! A request fits an edge by the reference that the system itself keeps; else by (beneficiary, system, entitlement or a configured
//! alias of it, action). A ticket that names no right fits at the level of the account only.

use std::collections::{BTreeMap, BTreeSet};

use super::settings::{EntitlementAlias, matches_system};
use super::{People, SystemInput, SystemNames};
use crate::model::text::norm;
use crate::model::{
    AccountIdentityRow, AccountRow, ApprovalRow, ApprovalState, Decision, Effect, LogCoverageRow, MembershipKind, RequestAction,
    RequestRow, RevocationRow, TicketState, Time,
};

/// When an edge began, as far as anybody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Began {
    pub after: Option<Time>,
    pub by: Option<Time>,
    /// `by` is the system's own word.
    pub exact: bool,
}

/// Everything that the match depends on.
pub struct ApprovalInput<'a> {
    pub systems: &'a [SystemInput],
    /// Requests with the ordinal of their source.
    pub requests: &'a [(u32, &'a RequestRow)],
    pub names: &'a SystemNames,
    pub people: &'a People,
    /// Sorted by (`system_ix`, `account_ix`, `rank`).
    pub candidates: &'a [AccountIdentityRow],
    pub coverage: &'a [LogCoverageRow],
    pub aliases: &'a [EntitlementAlias],
    /// First appearance of an edge (system, is it a grant, ordinal) in the stored snapshots, where its export states no start.
    pub first_seen: &'a dyn Fn(u32, bool, u32) -> Option<(Option<Time>, Time)>,
}

/// One edge of an account.
struct Edge<'a> {
    grant: bool,
    ix: u32,
    account_ix: u32,
    /// Native id and name of what is held, normalised, and the configured aliases of it.
    target: [Option<String>; 2],
    aliases: BTreeSet<String>,
    granted_at: Option<Time>,
    request_ref: Option<&'a str>,
}

impl Edge<'_> {
    fn word(&self) -> String {
        if self.grant { "grant" } else { "membership" }.to_owned()
    }

    /// How a request's words name what is held.
    fn named_by(&self, entitlement: &str) -> Option<&'static str> {
        if self.target.iter().flatten().any(|t| t == entitlement) {
            return Some("entitlement");
        }
        self.aliases.contains(entitlement).then_some("alias")
    }
}

/// A request, its words normalised and its beneficiary found.
struct Asked<'a> {
    source_ix: u32,
    row: &'a RequestRow,
    system_ix: Option<u32>,
    entitlement: Option<String>,
    beneficiary: Option<String>,
    /// Every identity that the beneficiary may be.
    identities: Vec<u32>,
}

/// Requests by whom they are for.
struct Book<'a> {
    asked: Vec<Asked<'a>>,
    by_identity: BTreeMap<u32, Vec<usize>>,
    by_text: BTreeMap<String, Vec<usize>>,
    by_id: BTreeMap<String, Vec<usize>>,
}

impl<'a> Book<'a> {
    fn new(input: &ApprovalInput<'a>) -> Self {
        let mut book = Self { asked: Vec::new(), by_identity: BTreeMap::new(), by_text: BTreeMap::new(), by_id: BTreeMap::new() };
        for (source_ix, row) in input.requests {
            let at = book.asked.len();
            let beneficiary = row.beneficiary_ref.as_deref().and_then(norm);
            let identities = row.beneficiary_ref.as_deref().map(|b| input.people.find(b).all().to_vec()).unwrap_or_default();
            for identity in &identities {
                book.by_identity.entry(*identity).or_default().push(at);
            }
            if let Some(text) = &beneficiary {
                book.by_text.entry(text.clone()).or_default().push(at);
            }
            if let Some(id) = norm(&row.request) {
                book.by_id.entry(id).or_default().push(at);
            }
            let system_ix = row.system.as_deref().and_then(|s| input.names.find(s));
            // A system that nobody here knows is another one, never any.
            if row.system.is_some() && system_ix.is_none() {
                book.asked.push(Asked {
                    source_ix: *source_ix,
                    row,
                    system_ix: Some(u32::MAX),
                    entitlement: None,
                    beneficiary,
                    identities,
                });
                continue;
            }
            let entitlement = row.entitlement_ref.as_deref().and_then(norm);
            book.asked.push(Asked { source_ix: *source_ix, row, system_ix, entitlement, beneficiary, identities });
        }
        book
    }

    /// Requests for the account or for any of its candidates, in their own order.
    fn of_account(&self, account: &AccountRow, candidates: &[AccountIdentityRow], names: &BTreeSet<String>) -> Vec<&Asked<'a>> {
        let own = [&account.login_norm, &account.email_norm, &account.upn_norm].into_iter().flatten().cloned();
        let texts: BTreeSet<String> = own.chain(norm(&account.native_id)).chain(names.iter().cloned()).collect();
        let by_text = texts.iter().filter_map(|t| self.by_text.get(t)).flatten();
        let by_identity = candidates.iter().filter_map(|c| self.by_identity.get(&c.identity_ix)).flatten();
        let all: BTreeSet<usize> = by_text.chain(by_identity).copied().collect();
        all.into_iter().filter_map(|i| self.asked.get(i)).collect()
    }
}

/// Tables `approvals` and `revocations`.
pub fn approvals(input: &ApprovalInput<'_>) -> (Vec<ApprovalRow>, Vec<RevocationRow>) {
    let book = Book::new(input);
    let (mut approved, mut revoked) = (Vec::new(), Vec::new());
    let mut systems: Vec<&SystemInput> = input.systems.iter().collect();
    systems.sort_by_key(|s| s.system_ix);
    for system in systems {
        let covered = input.coverage.iter().find(|c| c.system_ix == system.system_ix && c.log == "requests");
        let mut edges = edges(system, input.aliases);
        // `grant` before `membership`, as the table's key has it.
        edges.sort_by_key(|e| (e.account_ix, !e.grant, e.ix));
        let mut rest = edges.as_slice();
        for account in &system.accounts {
            let own = rest.partition_point(|e| e.account_ix <= account.account_ix);
            let (edges, after) = rest.split_at(own);
            rest = after;
            let from = input.candidates.partition_point(|c| (c.system_ix, c.account_ix) < (system.system_ix, account.account_ix));
            let to = input.candidates.partition_point(|c| (c.system_ix, c.account_ix) <= (system.system_ix, account.account_ix));
            let candidates = input.candidates.get(from..to).unwrap_or_default();
            let asked = book.of_account(account, candidates, &registry_names(candidates, input.people));
            let asked: Vec<&Asked<'_>> = asked.into_iter().filter(|a| a.system_ix.is_none_or(|s| s == system.system_ix)).collect();
            for edge in edges {
                let began = began(system, edge, input);
                approved.push(judge(system, edge, began, &asked, &book, account, candidates, covered));
            }
            revoked.extend(revocations(system, account, edges, &asked, input));
        }
    }
    let key = |r: &RevocationRow| (r.request_system_ix, r.request.clone(), r.system_ix, r.account_ix, r.edge.clone(), r.edge_ix);
    revoked.sort_by_cached_key(key);
    (approved, revoked)
}

/// Names by which a ticket may call the registered workload behind an account: the directory of people does not hold those.
fn registry_names(candidates: &[AccountIdentityRow], people: &People) -> BTreeSet<String> {
    let rows = candidates.iter().filter_map(|c| people.row(c.identity_ix));
    rows.filter(|i| !super::accounts::is_person(i.kind)).filter_map(|i| norm(&i.identity)).collect()
}

/// The edges that the view `access` shows.
fn edges<'a>(system: &'a SystemInput, aliases: &[EntitlementAlias]) -> Vec<Edge<'a>> {
    let aliases: Vec<&EntitlementAlias> = aliases.iter().filter(|a| matches_system(&a.systems, &system.system)).collect();
    let further = |target: &[Option<String>; 2]| -> BTreeSet<String> {
        let fits = |a: &&&EntitlementAlias| norm(&a.name).is_some_and(|n| target.iter().flatten().any(|t| *t == n));
        aliases.iter().filter(fits).flat_map(|a| a.aliases.iter().filter_map(|x| norm(x))).collect()
    };
    let members = system.memberships.iter().filter_map(|m| {
        if !matches!(m.kind, MembershipKind::Direct | MembershipKind::Assume) {
            return None;
        }
        let group = system.groups.get(m.group_ix as usize)?;
        let target = [norm(&group.native_id), group.name_norm.clone()];
        Some(Edge {
            grant: false,
            ix: m.membership_ix,
            account_ix: m.account_ix?,
            aliases: further(&target),
            target,
            granted_at: m.granted_at,
            request_ref: m.request_ref.as_deref(),
        })
    });
    let grants = system.grants.iter().filter_map(|g| {
        if g.effect != Effect::Allow {
            return None;
        }
        let entitlement = system.entitlements.get(g.entitlement_ix as usize)?;
        let target = [norm(&entitlement.native_id), entitlement.name_norm.clone()];
        Some(Edge {
            grant: true,
            ix: g.grant_ix,
            account_ix: g.account_ix?,
            aliases: further(&target),
            target,
            granted_at: g.granted_at,
            request_ref: g.request_ref.as_deref(),
        })
    });
    members.chain(grants).collect()
}

fn began(system: &SystemInput, edge: &Edge<'_>, input: &ApprovalInput<'_>) -> Began {
    if let Some(at) = edge.granted_at {
        return Began { after: None, by: Some(at), exact: true };
    }
    match (input.first_seen)(system.system_ix, edge.grant, edge.ix) {
        // What was there in the first snapshot may be as old as the system.
        None | Some((None, _)) => Began::default(),
        Some((after, by)) => Began { after, by: Some(by), exact: false },
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
    let earliest = if began.exact { began.by } else { began.after };
    if row.valid_to.zip(earliest).is_some_and(|(to, start)| to <= start) {
        return ApprovalState::Expired;
    }
    // Approved after the approval itself had run out: it never ran.
    if row.valid_to.zip(row.decided_at).is_some_and(|(to, decided)| to <= decided) {
        return ApprovalState::Expired;
    }
    ApprovalState::Approved
}

/// Asks for access, or at least not for its end.
fn asks_for_access(row: &RequestRow) -> bool {
    row.action != RequestAction::Revoke && row.state != TicketState::Cancelled
}

#[expect(clippy::too_many_arguments, reason = "one edge, its account and the requests about it: a struct of them would be used once")]
fn judge<'a>(
    system: &SystemInput,
    edge: &Edge<'_>,
    began: Began,
    asked: &[&Asked<'a>],
    book: &Book<'a>,
    account: &AccountRow,
    candidates: &[AccountIdentityRow],
    covered: Option<&LogCoverageRow>,
) -> ApprovalRow {
    let row = |approval, found: Option<(&Asked<'a>, &'static str)>| ApprovalRow {
        system_ix: system.system_ix,
        account_ix: edge.account_ix,
        edge: edge.word(),
        edge_ix: edge.ix,
        began_after: began.after,
        began_by: began.by,
        began_exact: began.exact,
        approval,
        how: found.map(|f| f.1.to_owned()),
        request_system_ix: found.map(|f| f.0.source_ix),
        request: found.map(|f| f.0.row.request.clone()),
        approver_ref: found.and_then(|f| f.0.row.approver_ref.clone()),
        decided_at: found.and_then(|f| f.0.row.decided_at),
        valid_to: found.and_then(|f| f.0.row.valid_to),
    };
    let referred = edge.request_ref.and_then(norm).and_then(|id| book.by_id.get(&id)).into_iter().flatten();
    let referred = referred.filter_map(|i| book.asked.get(*i)).filter(|a| is_for(a, account, candidates)).map(|a| (a, "reference"));
    let named = asked.iter().filter_map(|a| a.entitlement.as_deref().and_then(|e| edge.named_by(e)).map(|how| (*a, how)));
    let fitting: Vec<(&Asked<'a>, &'static str)> = referred.chain(named).filter(|(a, _)| asks_for_access(a.row)).collect();
    let best = best(&fitting, began);
    if let Some((ApprovalState::Approved, found)) = best {
        return row(ApprovalState::Approved, Some(found));
    }
    let nameless = asked.iter().filter(|a| a.entitlement.is_none() && a.system_ix.is_some() && asks_for_access(a.row));
    let nameless: Vec<(&Asked<'a>, &'static str)> = nameless.map(|a| (*a, "account")).collect();
    if let Some((ApprovalState::Approved, found)) = self::best(&nameless, began)
        && best.is_none_or(|(state, _)| state != ApprovalState::Rejected)
    {
        return row(ApprovalState::AccountLevel, Some(found));
    }
    // Access from before the log may rest on an approval from before the log, whatever a later request says.
    let Some(covered) = covered else { return row(ApprovalState::NotCovered, best.map(|b| b.1)) };
    if !inside(began, covered) {
        return row(ApprovalState::BeforeCoverage, best.map(|b| b.1));
    }
    match best {
        Some((state, found)) => row(state, Some(found)),
        None => row(ApprovalState::Nothing, None),
    }
}

/// Whether the access began, for all that is known, while the requests are kept.
fn inside(began: Began, covered: &LogCoverageRow) -> bool {
    let earliest = if began.exact { began.by } else { began.after };
    earliest.is_some_and(|e| e >= covered.covers_from) && began.by.is_some_and(|by| by <= covered.covers_to)
}

/// A request that the system names counts only if it is for this account, where the ticket says for whom it is.
fn is_for(asked: &Asked<'_>, account: &AccountRow, candidates: &[AccountIdentityRow]) -> bool {
    let Some(text) = &asked.beneficiary else { return true };
    let own = [&account.login_norm, &account.email_norm, &account.upn_norm];
    own.into_iter().flatten().any(|t| t == text)
        || norm(&account.native_id).as_ref() == Some(text)
        || candidates.iter().any(|c| asked.identities.contains(&c.identity_ix))
        // Whom nobody knows cannot be another.
        || (asked.identities.is_empty() && candidates.is_empty())
}

type Found<'f, 'a> = (&'f Asked<'a>, &'static str);

/// The request that says most for an edge: an approval before all, then the newest decision, then the id.
fn best<'f, 'a>(fitting: &[Found<'f, 'a>], began: Began) -> Option<(ApprovalState, Found<'f, 'a>)> {
    let rank = |state| match state {
        ApprovalState::Approved => 0,
        ApprovalState::Rejected => 1,
        ApprovalState::Expired => 2,
        ApprovalState::Late => 3,
        _ => 4,
    };
    let judged = fitting.iter().map(|f| (verdict(f.0.row, began), *f));
    judged.min_by(|a, b| {
        let newest = b.1.0.row.decided_at.cmp(&a.1.0.row.decided_at);
        let id = (a.1.0.source_ix, &a.1.0.row.request).cmp(&(b.1.0.source_ix, &b.1.0.row.request));
        rank(a.0).cmp(&rank(b.0)).then(newest).then(id)
    })
}

/// What requests for the end of access left standing.
fn revocations(
    system: &SystemInput,
    account: &AccountRow,
    edges: &[Edge<'_>],
    asked: &[&Asked<'_>],
    input: &ApprovalInput<'_>,
) -> Vec<RevocationRow> {
    let mut rows = Vec::new();
    let ends = asked.iter().filter(|a| a.row.action == RequestAction::Revoke && a.row.state != TicketState::Cancelled);
    for a in ends.filter(|a| a.system_ix.is_some() && a.row.decision != Decision::Rejected) {
        let row = |edge: Option<&Edge<'_>>, how: &str| RevocationRow {
            request_system_ix: a.source_ix,
            request: a.row.request.clone(),
            system_ix: system.system_ix,
            account_ix: account.account_ix,
            edge: edge.map(Edge::word),
            edge_ix: edge.map(|e| e.ix),
            how: how.to_owned(),
            state: a.row.state,
            decision: a.row.decision,
            closed_at: a.row.closed_at,
            regranted: a.row.closed_at.is_some_and(|closed| given_since(account, edge, closed, system, input)),
        };
        match &a.entitlement {
            None => rows.push(row(None, "account")),
            Some(e) => rows.extend(edges.iter().filter_map(|edge| edge.named_by(e).map(|how| row(Some(edge), how)))),
        }
    }
    rows
}

/// Whether the export shows that the edge, or the account itself, came to be after the ticket was closed.
fn given_since(account: &AccountRow, edge: Option<&Edge<'_>>, closed: Time, system: &SystemInput, input: &ApprovalInput<'_>) -> bool {
    match edge {
        None => account.created_at.is_some_and(|c| c > closed),
        Some(edge) => {
            let began = began(system, edge, input);
            if began.exact { began.by.is_some_and(|b| b > closed) } else { began.after.is_some_and(|a| a >= closed) }
        }
    }
}

#[cfg(test)]
mod tests;
