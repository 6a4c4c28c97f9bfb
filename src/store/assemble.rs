//! What `assembly` must come to, said plainly: from a draft's native ids to dense ordinals in byte order, sorted tables and one origin per
//! row, all of it in memory. Tests compare the two, and make small snapshots with this one.

use std::collections::{BTreeMap, HashMap};

use crate::connectors::{Draft, DraftChild, Drafted, Origin, Principal, Reject};
use crate::model::*;

/// The tables of one snapshot, sorted and numbered.
#[derive(Debug, Default)]
pub struct Tables {
    pub accounts: Vec<AccountRow>,
    pub groups: Vec<GroupRow>,
    pub memberships: Vec<MembershipRow>,
    pub entitlements: Vec<EntitlementRow>,
    pub statements: Vec<StatementRow>,
    pub resources: Vec<ResourceRow>,
    pub grants: Vec<GrantRow>,
    pub credentials: Vec<CredentialRow>,
    pub events: Vec<EventRow>,
    pub identities: Vec<IdentityRow>,
    pub employments: Vec<EmploymentRow>,
    pub lifecycle: Vec<LifecycleRow>,
    pub requests: Vec<RequestRow>,
    pub role_model: Vec<RoleModelRow>,
    pub reviews: Vec<ReviewRow>,
    pub separation_rules: Vec<SeparationRuleRow>,
    pub workflow_log: Vec<WorkflowRow>,
    pub exceptions: Vec<ExceptionRow>,
    pub systems: Vec<SystemRow>,
    pub rejects: Vec<RejectRow>,
    pub origins: Vec<OriginRow>,
}

/// A dimension with more rows than an ordinal can count.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` has more than 4,294,967,295 rows")]
pub struct TooMany(pub &'static str);

/// Numbers everything. Records that repeat a native id are rejected, the first stays.
///
/// # Errors
/// A dimension outgrows its ordinals.
pub fn assemble(draft: &mut Draft) -> Result<Tables, TooMany> {
    let mut out = Tables::default();
    let mut origins = Origins::default();
    placeholders(draft);

    let accounts = std::mem::take(&mut *draft.accounts);
    let account_ix = dimension(draft, accounts, &ACCOUNTS, &mut origins, &mut out.accounts, |r| &r.native_id, |r, i| r.account_ix = i)?;
    let groups = std::mem::take(&mut *draft.groups);
    let group_ix = dimension(draft, groups, &GROUPS, &mut origins, &mut out.groups, |r| &r.native_id, |r, i| r.group_ix = i)?;
    let entitlements = std::mem::take(&mut *draft.entitlements);
    let entitlement_ix =
        dimension(draft, entitlements, &ENTITLEMENTS, &mut origins, &mut out.entitlements, |r| &r.native_id, |r, i| r.entitlement_ix = i)?;
    let resources = std::mem::take(&mut *draft.resources);
    let resource_ix =
        dimension(draft, resources, &RESOURCES, &mut origins, &mut out.resources, |r| &r.native_id, |r, i| r.resource_ix = i)?;
    let identities = std::mem::take(&mut *draft.identities);
    let identity_ix =
        dimension(draft, identities, &IDENTITIES, &mut origins, &mut out.identities, |r| &r.native_id, |r, i| r.identity_ix = i)?;
    let systems = std::mem::take(&mut *draft.systems);
    dimension(draft, systems, &SYSTEMS, &mut origins, &mut out.systems, |r| &r.system, |_, _| ())?;
    let exceptions = std::mem::take(&mut *draft.exceptions);
    dimension(draft, exceptions, &EXCEPTIONS, &mut origins, &mut out.exceptions, |r| &r.exception, |_, _| ())?;

    records(draft, &mut origins, &mut out)?;

    let names = Names { accounts: &account_ix, groups: &group_ix };
    out.memberships = facts(
        &MEMBERSHIPS,
        &mut origins,
        draft.memberships.drain(..).map(|m| {
            let mut row = m.row;
            (row.account_ix, row.member_group_ix, row.principal_kind, row.principal_ref) = names.resolve(m.member);
            row.group_ix = group_ix.get(&m.group).copied().unwrap_or(0);
            (row, m.origin)
        }),
        |r| {
            let principal = (nulls_last(r.account_ix), nulls_last(r.member_group_ix), r.principal_ref.clone());
            (principal, r.group_ix, r.kind, r.condition.clone(), r.principal_kind)
        },
    );
    number(&mut out.memberships, |r, i| r.membership_ix = i)?;
    out.grants = facts(
        &GRANTS,
        &mut origins,
        draft.grants.drain(..).map(|g| {
            let mut row = g.row;
            (row.account_ix, row.group_ix, row.principal_kind, row.principal_ref) = names.resolve(g.holder);
            row.entitlement_ix = entitlement_ix.get(&g.entitlement).copied().unwrap_or(0);
            row.resource_ix = g.resource.as_ref().and_then(|r| resource_ix.get(r)).copied();
            (row, g.origin)
        }),
        |r| {
            (
                nulls_last(r.account_ix),
                nulls_last(r.group_ix),
                r.principal_ref.clone(),
                r.entitlement_ix,
                nulls_last(r.resource_ix),
                r.effect,
                r.condition.clone(),
                r.principal_kind,
            )
        },
    );
    number(&mut out.grants, |r, i| r.grant_ix = i)?;
    let credentials = draft
        .credentials
        .drain(..)
        .map(|c| {
            let mut row = c.row;
            row.account_ix = account_ix.get(&c.holder).copied();
            row.holder_ref = row.account_ix.is_none().then_some(c.holder);
            Drafted { row, origin: c.origin }
        })
        .collect();
    dimension(draft, credentials, &CREDENTIALS, &mut origins, &mut out.credentials, |r| &r.native_id, |r, i| r.credential_ix = i)?;
    out.statements = children(
        &STATEMENTS,
        &mut origins,
        &mut draft.statements,
        &entitlement_ix,
        |r, i| r.entitlement_ix = i,
        |r| (r.entitlement_ix, r.statement),
    );
    out.employments = children(
        &EMPLOYMENTS,
        &mut origins,
        &mut draft.employments,
        &identity_ix,
        |r, i| r.identity_ix = i,
        |r| (r.identity_ix, r.starts_at, r.employment.clone()),
    );
    out.lifecycle = children(
        &LIFECYCLE,
        &mut origins,
        &mut draft.lifecycle,
        &identity_ix,
        |r, i| r.identity_ix = i,
        |r| (r.identity_ix, r.effective_at, r.kind.clone()),
    );
    out.events = facts(
        &EVENTS,
        &mut origins,
        draft.events.drain(..).map(|e| {
            let mut row = e.row;
            row.account_ix = account_ix.get(&e.parent).copied();
            row.principal_ref = row.account_ix.is_none().then_some(e.parent);
            (row, e.origin)
        }),
        |r| (r.at, r.event.clone()),
    );

    let index = Index { accounts: &account_ix, groups: &group_ix, entitlements: &entitlement_ix, identities: &identity_ix, out: &out };
    for (table, native_id, fact, origin) in draft.facts.drain(..) {
        if let Some(row) = index.row(table, &native_id) {
            origins.add(table, row, fact, origin);
        }
    }
    out.rejects = rejects(&mut draft.rejects);
    out.origins = origins.finish();
    Ok(out)
}

/// The records of who asked, decided and answers. Their references stay texts, so they hang on nothing.
fn records(draft: &mut Draft, origins: &mut Origins, out: &mut Tables) -> Result<(), TooMany> {
    let requests = std::mem::take(&mut *draft.requests);
    dimension(draft, requests, &REQUESTS, origins, &mut out.requests, |r| &r.request, |_, _| ())?;
    let reviews = std::mem::take(&mut *draft.reviews);
    dimension(draft, reviews, &REVIEWS, origins, &mut out.reviews, |r| &r.review, |_, _| ())?;
    let rules = std::mem::take(&mut *draft.separation_rules);
    dimension(draft, rules, &SEPARATION_RULES, origins, &mut out.separation_rules, |r| &r.rule, |_, _| ())?;
    let log = std::mem::take(&mut *draft.workflow_log);
    dimension(draft, log, &WORKFLOW_LOG, origins, &mut out.workflow_log, |r| &r.entry, |_, _| ())?;
    out.role_model = facts(&ROLE_MODEL, origins, draft.role_model.drain(..).map(|r| (r.row, r.origin)), |r| {
        let right = (r.system.clone(), r.entitlement_ref.clone(), r.resource_ref.clone());
        (r.role.clone(), right, r.title_norm.clone(), r.org_unit_norm.clone(), r.holder_ref.clone())
    });
    Ok(())
}

/// Groups and entitlements that an edge names and the export does not hold get a row of their own, so that the edge
/// keeps its place and the missing thing can be seen.
fn placeholders(draft: &mut Draft) {
    let marker = || Some(r#"{"not_in_export":true}"#.to_owned());
    let known: std::collections::HashSet<&str> = draft.groups.iter().map(|g| g.row.native_id.as_str()).collect();
    let mut missing: BTreeMap<String, Origin> = BTreeMap::new();
    for m in draft.memberships.iter().filter(|m| !known.contains(m.group.as_str())) {
        missing.entry(m.group.clone()).or_insert(m.origin);
    }
    for (native_id, origin) in missing {
        let name_norm = text::norm(&native_id);
        let row = GroupRow {
            name: Some(native_id.clone()),
            native_id,
            name_norm,
            kind: "group".to_owned(),
            attributes: marker(),
            ..GroupRow::default()
        };
        draft.groups.push(Drafted { row, origin });
    }
    let known: std::collections::HashSet<&str> = draft.entitlements.iter().map(|e| e.row.native_id.as_str()).collect();
    let mut missing: BTreeMap<String, Origin> = BTreeMap::new();
    for g in draft.grants.iter().filter(|g| !known.contains(g.entitlement.as_str())) {
        missing.entry(g.entitlement.clone()).or_insert(g.origin);
    }
    for (native_id, origin) in missing {
        let name_norm = text::norm(&native_id);
        let kind = "not-in-export".to_owned();
        let row =
            EntitlementRow { name: Some(native_id.clone()), native_id, name_norm, kind, attributes: marker(), ..EntitlementRow::default() };
        draft.entitlements.push(Drafted { row, origin });
    }
}

type Ordinals = HashMap<String, u32>;

/// Sorts a dimension by native id, numbers it, rejects repeats.
fn dimension<T>(
    draft: &mut Draft,
    mut rows: Vec<Drafted<T>>,
    table: &'static Table,
    origins: &mut Origins,
    out: &mut Vec<T>,
    key: fn(&T) -> &String,
    number: fn(&mut T, u32),
) -> Result<Ordinals, TooMany> {
    rows.sort_by(|a, b| key(&a.row).cmp(key(&b.row)).then(a.origin.cmp(&b.origin)));
    let mut ordinals = Ordinals::with_capacity(rows.len());
    for Drafted { mut row, origin } in rows {
        let native_id = key(&row).clone();
        if ordinals.contains_key(&native_id) {
            repeat(draft, table, origin);
            continue;
        }
        let ix = u32::try_from(out.len()).map_err(|_| TooMany(table.name))?;
        number(&mut row, ix);
        origins.add(table, ix, "row", origin);
        ordinals.insert(native_id, ix);
        out.push(row);
    }
    Ok(ordinals)
}

/// A record that repeats a native id: counted as rejected after all.
fn repeat(draft: &mut Draft, table: &'static Table, origin: Origin) {
    let ledger = draft.ledger(origin.file);
    ledger.accepted = ledger.accepted.saturating_sub(1);
    draft.reject(Reject {
        origin,
        byte_offset: None,
        reason: "store/duplicate-key",
        message: format!("repeats the native id of an earlier record of `{}`", table.name),
        help: "export each object once, or remove the file that was given twice".to_owned(),
        excerpt: None,
    });
}

/// Sorts fact rows by their key; of equal rows one stays, with the origins of all.
fn facts<T, K: Ord>(
    table: &'static Table,
    origins: &mut Origins,
    rows: impl Iterator<Item = (T, Origin)>,
    key: impl Fn(&T) -> K,
) -> Vec<T> {
    let mut keyed: Vec<(K, Origin, T)> = rows.map(|(row, origin)| (key(&row), origin, row)).collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut out: Vec<T> = Vec::with_capacity(keyed.len());
    let mut last: Option<K> = None;
    for (k, origin, row) in keyed {
        if last.as_ref() != Some(&k) {
            out.push(row);
        }
        // More rows than an ordinal counts are refused where the dimensions are numbered; a fact row's place only names its origin.
        origins.add(table, u32::try_from(out.len().saturating_sub(1)).unwrap_or(u32::MAX), "row", origin);
        last = Some(k);
    }
    out
}

/// Gives fact rows their own ordinals, by which findings name them.
fn number<T>(rows: &mut [T], set: fn(&mut T, u32)) -> Result<(), TooMany> {
    for (i, row) in rows.iter_mut().enumerate() {
        set(row, u32::try_from(i).map_err(|_| TooMany("an edge table"))?);
    }
    Ok(())
}

fn children<T, K: Ord>(
    table: &'static Table,
    origins: &mut Origins,
    rows: &mut Vec<DraftChild<T>>,
    parents: &Ordinals,
    number: fn(&mut T, u32),
    key: impl Fn(&T) -> K,
) -> Vec<T> {
    let numbered = rows.drain(..).filter_map(|c| {
        let mut row = c.row;
        number(&mut row, *parents.get(&c.parent)?);
        Some((row, c.origin))
    });
    facts(table, origins, numbered, key)
}

/// `None` sorts after every ordinal, so that whole accounts stand together at the front.
fn nulls_last(ix: Option<u32>) -> u64 {
    ix.map_or(u64::MAX, u64::from)
}

struct Names<'a> {
    accounts: &'a Ordinals,
    groups: &'a Ordinals,
}

impl Names<'_> {
    fn resolve(&self, principal: Principal) -> (Option<u32>, Option<u32>, PrincipalKind, Option<String>) {
        let account = |id: &String| self.accounts.get(id).copied();
        let group = |id: &String| self.groups.get(id).copied();
        let (a, g, id) = match principal {
            Principal::Account(id) => (account(&id), None, id),
            Principal::Group(id) => (None, group(&id), id),
            Principal::Either(id) => {
                let a = account(&id);
                (a, if a.is_none() { group(&id) } else { None }, id)
            }
            Principal::Deleted(id) => return (None, None, PrincipalKind::Deleted, Some(id)),
            Principal::External(id) => return (None, None, PrincipalKind::External, Some(id)),
            Principal::Wildcard(id) => return (None, None, PrincipalKind::Wildcard, Some(id)),
            Principal::Root(id) => return (None, None, PrincipalKind::Root, Some(id)),
            Principal::Federated(id) => return (None, None, PrincipalKind::Federated, Some(id)),
            Principal::Service(id) => return (None, None, PrincipalKind::Service, Some(id)),
        };
        match (a, g) {
            (Some(_), _) => (a, None, PrincipalKind::Account, None),
            (None, Some(_)) => (None, g, PrincipalKind::Group, None),
            (None, None) => (None, None, PrincipalKind::Unresolved, Some(id)),
        }
    }
}

struct Index<'a> {
    accounts: &'a Ordinals,
    groups: &'a Ordinals,
    entitlements: &'a Ordinals,
    identities: &'a Ordinals,
    out: &'a Tables,
}

impl Index<'_> {
    fn row(&self, table: &'static Table, native_id: &str) -> Option<u32> {
        match table.name {
            "accounts" => self.accounts.get(native_id).copied(),
            "groups" => self.groups.get(native_id).copied(),
            "entitlements" => self.entitlements.get(native_id).copied(),
            "identities" => self.identities.get(native_id).copied(),
            "credentials" => {
                let at = self.out.credentials.binary_search_by(|c| c.native_id.as_str().cmp(native_id)).ok()?;
                u32::try_from(at).ok()
            }
            "requests" => {
                let at = self.out.requests.binary_search_by(|r| r.request.as_str().cmp(native_id)).ok()?;
                u32::try_from(at).ok()
            }
            _ => None,
        }
    }
}

#[derive(Default)]
struct Origins {
    rows: Vec<OriginRow>,
}

impl Origins {
    fn add(&mut self, table: &'static Table, row: u32, fact: &str, at: Origin) {
        self.rows.push(OriginRow {
            table: table.name.to_owned(),
            row,
            fact: fact.to_owned(),
            file_ix: at.file,
            unit: at.unit,
            number: at.number,
        });
    }

    fn finish(mut self) -> Vec<OriginRow> {
        let key = |o: &OriginRow| (o.table.clone(), o.row, o.fact.clone(), o.file_ix, o.number);
        self.rows.sort_by_cached_key(key);
        self.rows.dedup();
        self.rows
    }
}

fn rejects(drafted: &mut Vec<Reject>) -> Vec<RejectRow> {
    let mut rows: Vec<RejectRow> = drafted
        .drain(..)
        .map(|r| RejectRow {
            file_ix: r.origin.file,
            unit: r.origin.unit,
            number: r.origin.number,
            byte_offset: r.byte_offset,
            reason: r.reason.to_owned(),
            message: r.message,
            help: r.help,
            excerpt: r.excerpt,
        })
        .collect();
    rows.sort_by(|a, b| (a.file_ix, a.number, &a.reason, &a.message).cmp(&(b.file_ix, b.number, &b.reason, &b.message)));
    rows
}

impl Tables {
    /// The newest created, changed or used instant inside (never an expiry): what `taken_at` is inferred from.
    pub fn newest_instant(&self) -> Option<Time> {
        let accounts = self.accounts.iter().flat_map(|a| [a.created_at, a.changed_at, a.last_used_at]);
        let credentials = self.credentials.iter().flat_map(|c| [c.created_at, c.rotated_at, c.last_used_at]);
        let grants = self.grants.iter().flat_map(|g| [g.granted_at, g.last_used_at]);
        let memberships = self.memberships.iter().map(|m| m.granted_at);
        let events = self.events.iter().map(|e| Some(e.at));
        let known = self.employments.iter().flat_map(|e| [e.start_known_at, e.end_known_at]);
        let asked = self.requests.iter().flat_map(|r| [r.requested_at, r.decided_at, r.closed_at]);
        let reviewed = self.reviews.iter().map(|r| r.decided_at);
        let enforced = self.workflow_log.iter().flat_map(|w| [w.decided_at, w.enforced_at]);
        let records = known.chain(asked).chain(reviewed).chain(enforced);
        accounts.chain(credentials).chain(grants).chain(memberships).chain(events).chain(records).flatten().max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::DraftMembership;

    #[test]
    fn principals_of_two_kinds_with_one_text_are_two_edges() {
        let mut draft = Draft::default();
        for (number, member) in [(1, Principal::Federated("*".to_owned())), (2, Principal::Wildcard("*".to_owned()))] {
            let row = MembershipRow { kind: MembershipKind::Assume, ..MembershipRow::default() };
            draft.memberships.push(DraftMembership { row, member, group: "role".to_owned(), origin: Origin::record(0, number) });
        }
        let tables = assemble(&mut draft).unwrap();
        let kinds: Vec<(u32, PrincipalKind)> = tables.memberships.iter().map(|m| (m.membership_ix, m.principal_kind)).collect();
        assert_eq!(kinds, [(0, PrincipalKind::Wildcard), (1, PrincipalKind::Federated)]);
        let origins: Vec<(u32, u64)> = tables.origins.iter().filter(|o| o.table == MEMBERSHIPS.name).map(|o| (o.row, o.number)).collect();
        assert_eq!(origins, [(0, 2), (1, 1)]);
    }
}
