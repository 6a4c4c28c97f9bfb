//! Invariants, computed from the Parquet that was written, before anything is sealed.

use std::collections::BTreeSet;
use std::path::Path;

use super::StoreError;
use super::manifest::Invariant;
use super::table_file::read;
use crate::connectors::FileLedger;
use crate::model::*;

/// Computes every invariant of a staged snapshot.
///
/// # Errors
/// A table cannot be read back.
pub fn check(dir: &Path, ledgers: &[FileLedger], covers: &BTreeSet<&'static str>) -> Result<Vec<Invariant>, StoreError> {
    let accounts: Vec<AccountRow> = read(dir)?;
    let groups: Vec<GroupRow> = read(dir)?;
    let memberships: Vec<MembershipRow> = read(dir)?;
    let entitlements: Vec<EntitlementRow> = read(dir)?;
    let statements: Vec<StatementRow> = read(dir)?;
    let resources: Vec<ResourceRow> = read(dir)?;
    let grants: Vec<GrantRow> = read(dir)?;
    let credentials: Vec<CredentialRow> = read(dir)?;
    let events: Vec<EventRow> = read(dir)?;
    let identities: Vec<IdentityRow> = read(dir)?;
    let employments: Vec<EmploymentRow> = read(dir)?;
    let lifecycle: Vec<LifecycleRow> = read(dir)?;
    let requests: Vec<RequestRow> = read(dir)?;
    let role_model: Vec<RoleModelRow> = read(dir)?;
    let reviews: Vec<ReviewRow> = read(dir)?;
    let separation_rules: Vec<SeparationRuleRow> = read(dir)?;
    let workflow_log: Vec<WorkflowRow> = read(dir)?;
    let exceptions: Vec<ExceptionRow> = read(dir)?;
    let systems: Vec<SystemRow> = read(dir)?;
    let rejects: Vec<RejectRow> = read(dir)?;
    let origins: Vec<OriginRow> = read(dir)?;
    let (na, ng, ne, nr, ni) = (accounts.len(), groups.len(), entitlements.len(), resources.len(), identities.len());

    let dangling =
        |bad: usize, table: &str| Invariant { name: "no-dangling-ordinal".to_owned(), table: table.to_owned(), broken: bad as u64 };
    let edge_ends = |kind: PrincipalKind, account: Option<u32>, group: Option<u32>, text: &Option<String>| {
        let ends = usize::from(account.is_some()) + usize::from(group.is_some()) + usize::from(text.is_some());
        let fits = match kind {
            PrincipalKind::Account => account.is_some(),
            PrincipalKind::Group => group.is_some(),
            _ => text.is_some(),
        };
        ends == 1 && fits
    };
    // A row of a table that the snapshot says nothing about would be read by some checks and not by others.
    let covered = |table: &Table, rows: usize| Invariant {
        name: "rows-only-where-covered".to_owned(),
        table: table.name.to_owned(),
        broken: if covers.contains(table.name) { 0 } else { rows as u64 },
    };
    Ok(vec![
        covered(&ACCOUNTS, accounts.len()),
        covered(&MEMBERSHIPS, memberships.len()),
        covered(&GRANTS, grants.len()),
        covered(&CREDENTIALS, credentials.len()),
        covered(&EVENTS, events.len()),
        covered(&IDENTITIES, identities.len()),
        covered(&REQUESTS, requests.len()),
        covered(&ROLE_MODEL, role_model.len()),
        covered(&REVIEWS, reviews.len()),
        covered(&SEPARATION_RULES, separation_rules.len()),
        covered(&WORKFLOW_LOG, workflow_log.len()),
        covered(&EXCEPTIONS, exceptions.len()),
        covered(&SYSTEMS, systems.len()),
        dense("accounts", accounts.iter().map(|r| (r.account_ix, r.native_id.as_str()))),
        dense("groups", groups.iter().map(|r| (r.group_ix, r.native_id.as_str()))),
        dense("entitlements", entitlements.iter().map(|r| (r.entitlement_ix, r.native_id.as_str()))),
        dense("resources", resources.iter().map(|r| (r.resource_ix, r.native_id.as_str()))),
        dense("credentials", credentials.iter().map(|r| (r.credential_ix, r.native_id.as_str()))),
        dense("identities", identities.iter().map(|r| (r.identity_ix, r.native_id.as_str()))),
        unique("requests", requests.iter().map(|r| r.request.as_str())),
        unique("reviews", reviews.iter().map(|r| r.review.as_str())),
        unique("separation_rules", separation_rules.iter().map(|r| r.rule.as_str())),
        unique("workflow_log", workflow_log.iter().map(|r| r.entry.as_str())),
        unique("exceptions", exceptions.iter().map(|r| r.exception.as_str())),
        unique("systems", systems.iter().map(|r| r.system.as_str())),
        dangling(
            memberships.iter().filter(|m| out(m.account_ix, na) || out(m.member_group_ix, ng) || out(Some(m.group_ix), ng)).count(),
            "memberships",
        ),
        dangling(
            grants
                .iter()
                .filter(|g| out(g.account_ix, na) || out(g.group_ix, ng) || out(Some(g.entitlement_ix), ne) || out(g.resource_ix, nr))
                .count(),
            "grants",
        ),
        dangling(statements.iter().filter(|s| out(Some(s.entitlement_ix), ne)).count(), "statements"),
        dangling(
            credentials.iter().filter(|c| out(c.account_ix, na) || c.account_ix.is_some() == c.holder_ref.is_some()).count(),
            "credentials",
        ),
        dangling(events.iter().filter(|e| out(e.account_ix, na)).count(), "events"),
        dangling(employments.iter().filter(|e| out(Some(e.identity_ix), ni)).count(), "employments"),
        dangling(lifecycle.iter().filter(|e| out(Some(e.identity_ix), ni)).count(), "lifecycle_events"),
        Invariant {
            name: "edge-has-one-principal".to_owned(),
            table: "memberships".to_owned(),
            broken: memberships.iter().filter(|m| !edge_ends(m.principal_kind, m.account_ix, m.member_group_ix, &m.principal_ref)).count()
                as u64,
        },
        Invariant {
            name: "edge-has-one-principal".to_owned(),
            table: "grants".to_owned(),
            broken: grants.iter().filter(|g| !edge_ends(g.principal_kind, g.account_ix, g.group_ix, &g.principal_ref)).count() as u64,
        },
        Invariant {
            name: "use-has-its-instant".to_owned(),
            table: "accounts".to_owned(),
            broken: accounts.iter().filter(|a| (a.use_state == UseState::Used) != a.last_used_at.is_some()).count() as u64,
        },
        Invariant {
            name: "use-has-its-instant".to_owned(),
            table: "credentials".to_owned(),
            broken: credentials.iter().filter(|c| (c.use_state == UseState::Used) != c.last_used_at.is_some()).count() as u64,
        },
        Invariant {
            name: "read-is-accepted-and-rejected".to_owned(),
            table: "rejects".to_owned(),
            broken: ledgers.iter().filter(|l| l.read != l.accepted + l.rejected).count() as u64
                + (ledgers.iter().map(|l| l.rejected).sum::<u64>()).abs_diff(rejects.len() as u64),
        },
        Invariant {
            name: "origin-names-a-file".to_owned(),
            table: "row_origins".to_owned(),
            broken: origins.iter().filter(|o| o.file_ix as usize >= ledgers.len()).count() as u64,
        },
    ])
}

fn out(ix: Option<u32>, len: usize) -> bool {
    ix.is_some_and(|i| i as usize >= len)
}

/// Ordinals count up from 0 in strict byte order of the native id.
fn dense<'a>(table: &str, rows: impl Iterator<Item = (u32, &'a str)>) -> Invariant {
    let mut broken = 0;
    let mut last: Option<&str> = None;
    for (i, (ix, id)) in rows.enumerate() {
        if ix as usize != i || last.is_some_and(|l| l >= id) {
            broken += 1;
        }
        last = Some(id);
    }
    Invariant { name: "dense-ordinals-in-byte-order".to_owned(), table: table.to_owned(), broken }
}

fn unique<'a>(table: &str, keys: impl Iterator<Item = &'a str>) -> Invariant {
    let mut seen = BTreeSet::new();
    let broken = keys.filter(|k| !seen.insert(*k)).count() as u64;
    Invariant { name: "unique-key".to_owned(), table: table.to_owned(), broken }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::assemble::Tables;
    use crate::store::seal::write_tables;

    fn ledger() -> FileLedger {
        FileLedger { read: 3, accepted: 3, ..FileLedger::default() }
    }

    fn account(ix: u32, id: &str) -> AccountRow {
        AccountRow { account_ix: ix, native_id: id.into(), ..AccountRow::default() }
    }

    /// Two accounts, a group, a person, and what hangs on them.
    fn sound() -> Tables {
        Tables {
            accounts: vec![account(0, "a"), account(1, "b")],
            groups: vec![GroupRow { native_id: "g".into(), ..GroupRow::default() }],
            memberships: vec![MembershipRow { account_ix: Some(1), principal_kind: PrincipalKind::Account, ..MembershipRow::default() }],
            entitlements: vec![EntitlementRow { native_id: "e".into(), ..EntitlementRow::default() }],
            grants: vec![GrantRow { group_ix: Some(0), principal_kind: PrincipalKind::Group, ..GrantRow::default() }],
            credentials: vec![CredentialRow { native_id: "k".into(), account_ix: Some(0), ..CredentialRow::default() }],
            identities: vec![IdentityRow { native_id: "p".into(), ..IdentityRow::default() }],
            employments: vec![EmploymentRow::default()],
            exceptions: vec![ExceptionRow { exception: "EX-1".into(), ..ExceptionRow::default() }],
            origins: vec![OriginRow { table: "accounts".into(), fact: "row".into(), ..OriginRow::default() }],
            ..Tables::default()
        }
    }

    /// `invariant table rows` of what is broken.
    fn broken(tables: &Tables, ledger: FileLedger) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        write_tables(dir.path(), tables).unwrap();
        let covers = BTreeSet::from(["accounts", "memberships", "grants", "credentials", "identities", "exceptions"]);
        let all = check(dir.path(), &[ledger], &covers).unwrap();
        all.into_iter().filter(|i| i.broken > 0).map(|i| format!("{} {} {}", i.name, i.table, i.broken)).collect()
    }

    #[test]
    fn each_invariant_sees_the_row_that_breaks_it() {
        assert!(broken(&sound(), ledger()).is_empty());
        type Change = fn(&mut Tables);
        let table: &[(Change, &str)] = &[
            (|t| t.accounts = vec![account(0, "b"), account(1, "a")], "dense-ordinals-in-byte-order accounts 1"),
            (|t| t.accounts = vec![account(0, "a"), account(1, "a")], "dense-ordinals-in-byte-order accounts 1"),
            (|t| t.accounts = vec![account(0, "a"), account(2, "b")], "dense-ordinals-in-byte-order accounts 1"),
            (|t| t.memberships[0].account_ix = Some(2), "no-dangling-ordinal memberships 1"),
            (|t| t.memberships[0].group_ix = 1, "no-dangling-ordinal memberships 1"),
            (|t| t.memberships[0].member_group_ix = Some(0), "edge-has-one-principal memberships 1"),
            (|t| t.memberships[0].principal_kind = PrincipalKind::Group, "edge-has-one-principal memberships 1"),
            (|t| t.grants[0].entitlement_ix = 1, "no-dangling-ordinal grants 1"),
            (|t| t.grants[0].resource_ix = Some(0), "no-dangling-ordinal grants 1"),
            (|t| t.grants[0].group_ix = None, "edge-has-one-principal grants 1"),
            (|t| t.credentials[0].account_ix = None, "no-dangling-ordinal credentials 1"),
            (|t| t.credentials[0].last_used_at = Some(Time::default()), "use-has-its-instant credentials 1"),
            (|t| t.accounts[1].use_state = UseState::Used, "use-has-its-instant accounts 1"),
            (|t| t.employments[0].identity_ix = 1, "no-dangling-ordinal employments 1"),
            (|t| t.exceptions.push(t.exceptions[0].clone()), "unique-key exceptions 1"),
            (|t| t.systems.push(SystemRow::default()), "rows-only-where-covered systems 1"),
            (|t| t.rejects.push(RejectRow::default()), "read-is-accepted-and-rejected rejects 1"),
        ];
        for (change, want) in table {
            let mut tables = sound();
            change(&mut tables);
            assert_eq!(broken(&tables, ledger()), [*want]);
        }
        assert_eq!(broken(&sound(), FileLedger { read: 4, ..ledger() }), ["read-is-accepted-and-rejected rejects 1"]);
    }

    #[test]
    fn rule_11_15_an_origin_names_a_file_of_the_import() {
        let mut tables = sound();
        tables.origins[0].file_ix = 1;
        assert_eq!(broken(&tables, ledger()), ["origin-names-a-file row_origins 1"]);
    }
}
