//! Invariants, computed from the Parquet that was written, before anything is sealed.

use std::collections::BTreeSet;
use std::path::Path;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::datatypes::{Int32Type, TimestampMicrosecondType, UInt32Type};

use super::StoreError;
use super::columns::Stored;
use super::manifest::Invariant;
use super::table_file::promised;
use crate::connectors::FileLedger;
use crate::model::*;

/// Computes every invariant of a staged snapshot.
///
/// # Errors
/// A table cannot be read back.
pub fn check(dir: &Path, ledgers: &[FileLedger], covers: &BTreeSet<&'static str>) -> Result<Vec<Invariant>, StoreError> {
    let rows = |table: &Table| promised(&dir.join(format!("{}.parquet", table.name))).map(|(_, rows)| rows);
    // A row of a table that the snapshot says nothing about would be read by some checks and not by others.
    let covered = |table: &Table| {
        Ok::<_, StoreError>(named("rows-only-where-covered", table, if covers.contains(table.name) { 0 } else { rows(table)? }))
    };
    let (na, ng, ne, nr, ni) = (rows(&ACCOUNTS)?, rows(&GROUPS)?, rows(&ENTITLEMENTS)?, rows(&RESOURCES)?, rows(&IDENTITIES)?);
    let (accounts, (memberships, (grants, (credentials, origins)))) = rayon::join(
        || Ok::<_, StoreError>((dense(dir, &ACCOUNTS, "account_ix")?, used(dir, &ACCOUNTS)?)),
        || {
            rayon::join(
                || edges(dir, &MEMBERSHIPS, ["account_ix", "member_group_ix", "group_ix", "membership_ix"], [na, ng, ng, u64::MAX]),
                || {
                    rayon::join(
                        || edges(dir, &GRANTS, ["account_ix", "group_ix", "entitlement_ix", "resource_ix"], [na, ng, ne, nr]),
                        || {
                            rayon::join(
                                || Ok::<_, StoreError>((dense(dir, &CREDENTIALS, "credential_ix")?, used(dir, &CREDENTIALS)?)),
                                || outside(dir, &ORIGINS, "file_ix", ledgers.len() as u64),
                            )
                        },
                    )
                },
            )
        },
    );
    let ((accounts, accounts_used), (credentials, credentials_used)) = (accounts?, credentials?);
    let ((member_ordinals, member_ends), (grant_ordinals, grant_ends)) = (memberships?, grants?);
    let unbalanced = ledgers.iter().filter(|l| l.read != l.accepted + l.rejected).count() as u64;
    let dangling = |table: &Table, broken: u64| named("no-dangling-ordinal", table, broken);
    Ok(vec![
        covered(&ACCOUNTS)?,
        covered(&MEMBERSHIPS)?,
        covered(&GRANTS)?,
        covered(&CREDENTIALS)?,
        covered(&EVENTS)?,
        covered(&IDENTITIES)?,
        covered(&REQUESTS)?,
        covered(&ROLE_MODEL)?,
        covered(&REVIEWS)?,
        covered(&SEPARATION_RULES)?,
        covered(&WORKFLOW_LOG)?,
        covered(&EXCEPTIONS)?,
        covered(&SYSTEMS)?,
        accounts,
        dense(dir, &GROUPS, "group_ix")?,
        dense(dir, &ENTITLEMENTS, "entitlement_ix")?,
        dense(dir, &RESOURCES, "resource_ix")?,
        credentials,
        dense(dir, &IDENTITIES, "identity_ix")?,
        unique(dir, &REQUESTS, "request")?,
        unique(dir, &REVIEWS, "review")?,
        unique(dir, &SEPARATION_RULES, "rule")?,
        unique(dir, &WORKFLOW_LOG, "entry")?,
        unique(dir, &EXCEPTIONS, "exception")?,
        unique(dir, &SYSTEMS, "system")?,
        dangling(&MEMBERSHIPS, member_ordinals),
        dangling(&GRANTS, grant_ordinals),
        dangling(&STATEMENTS, outside(dir, &STATEMENTS, "entitlement_ix", ne)?),
        dangling(&CREDENTIALS, holders(dir, na)?),
        dangling(&EVENTS, outside(dir, &EVENTS, "account_ix", na)?),
        dangling(&EMPLOYMENTS, outside(dir, &EMPLOYMENTS, "identity_ix", ni)?),
        dangling(&LIFECYCLE, outside(dir, &LIFECYCLE, "identity_ix", ni)?),
        named("edge-has-one-principal", &MEMBERSHIPS, member_ends),
        named("edge-has-one-principal", &GRANTS, grant_ends),
        accounts_used,
        credentials_used,
        named(
            "read-is-accepted-and-rejected",
            &REJECTS,
            unbalanced + ledgers.iter().map(|l| l.rejected).sum::<u64>().abs_diff(rows(&REJECTS)?),
        ),
        named("origin-names-a-file", &ORIGINS, origins?),
    ])
}

fn named(name: &str, table: &Table, broken: u64) -> Invariant {
    Invariant { name: name.to_owned(), table: table.name.to_owned(), broken }
}

/// Sums what `count` says of every batch of some columns.
fn sum(dir: &Path, table: &'static Table, columns: &[&str], mut count: impl FnMut(&RecordBatch) -> Option<u64>) -> Result<u64, StoreError> {
    let mut broken = 0;
    for batch in Stored::open(dir, table, columns)?.batches() {
        let what = || StoreError::internal(table.name, "its columns are not those that were written");
        broken += count(&batch?).ok_or_else(what)?;
    }
    Ok(broken)
}

/// Ordinals of a batch, by the column's place.
fn ordinals(batch: &RecordBatch, column: usize) -> Option<impl Fn(usize) -> Option<u32>> {
    let array = batch.columns().get(column)?.as_primitive_opt::<UInt32Type>()?;
    Some(move |row| array.is_valid(row).then(|| array.value(row)))
}

fn beyond(ix: Option<u32>, len: u64) -> bool {
    ix.is_some_and(|ix| u64::from(ix) >= len)
}

/// Rows whose ordinal names nothing.
fn outside(dir: &Path, table: &'static Table, column: &str, len: u64) -> Result<u64, StoreError> {
    sum(dir, table, &[column], |batch| {
        let ix = ordinals(batch, 0)?;
        Some((0..batch.num_rows()).filter(|row| beyond(ix(*row), len)).count() as u64)
    })
}

/// Edges with an ordinal that names nothing, and edges that have not exactly the principal that their kind says.
fn edges(dir: &Path, table: &'static Table, columns: [&str; 4], lens: [u64; 4]) -> Result<(u64, u64), StoreError> {
    let [account, group, to, on] = columns;
    let mut ends = 0;
    let dangling = sum(dir, table, &[account, group, to, on, "principal_kind", "principal_ref"], |batch| {
        let ix = [ordinals(batch, 0)?, ordinals(batch, 1)?, ordinals(batch, 2)?, ordinals(batch, 3)?];
        let kinds = batch.columns().get(4)?.as_dictionary_opt::<Int32Type>()?;
        let words: &StringArray = kinds.values().as_string_opt()?;
        let words: Vec<Option<PrincipalKind>> = words.iter().map(|w| w.and_then(PrincipalKind::parse)).collect();
        let texts = batch.columns().get(5)?;
        let mut broken = 0;
        for row in 0..batch.num_rows() {
            let [account, group, to, on] = ix.each_ref().map(|of| of(row));
            let named = [account, group, to, on];
            broken += u64::from(named.iter().zip(lens).any(|(ix, len)| beyond(*ix, len)));
            let kind = kinds.key(row).and_then(|k| words.get(k).copied().flatten())?;
            let count = usize::from(account.is_some()) + usize::from(group.is_some()) + usize::from(texts.is_valid(row));
            let fits = match kind {
                PrincipalKind::Account => account.is_some(),
                PrincipalKind::Group => group.is_some(),
                _ => texts.is_valid(row),
            };
            ends += u64::from(!(count == 1 && fits));
        }
        Some(broken)
    })?;
    Ok((dangling, ends))
}

/// Credentials whose account is not there, or that have not exactly one holder.
fn holders(dir: &Path, accounts: u64) -> Result<u64, StoreError> {
    sum(dir, &CREDENTIALS, &["account_ix", "holder_ref"], |batch| {
        let (ix, texts) = (ordinals(batch, 0)?, batch.columns().get(1)?);
        let wrong = |row: usize| beyond(ix(row), accounts) || ix(row).is_some() == texts.is_valid(row);
        Some((0..batch.num_rows()).filter(|row| wrong(*row)).count() as u64)
    })
}

/// Rows that are used without an instant, or have one without being used.
fn used(dir: &Path, table: &'static Table) -> Result<Invariant, StoreError> {
    let broken = sum(dir, table, &["use_state", "last_used_at"], |batch| {
        let states = batch.columns().first()?.as_dictionary_opt::<Int32Type>()?;
        let words: &StringArray = states.values().as_string_opt()?;
        let used: BooleanArray = words.iter().map(|w| Some(w == Some(UseState::Used.as_str()))).collect();
        let times = batch.columns().get(1)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        let is_used = |row: usize| states.key(row).is_some_and(|k| used.value(k));
        Some((0..batch.num_rows()).filter(|row| is_used(*row) != times.is_valid(*row)).count() as u64)
    })?;
    Ok(named("use-has-its-instant", table, broken))
}

/// Ordinals count up from 0 in strict byte order of the native id.
fn dense(dir: &Path, table: &'static Table, ordinal: &str) -> Result<Invariant, StoreError> {
    let (mut next, mut last): (u64, Option<String>) = (0, None);
    let broken = sum(dir, table, &[ordinal, "native_id"], |batch| {
        let (ix, ids) = (ordinals(batch, 0)?, batch.columns().get(1)?.as_string_opt::<i32>()?);
        let mut broken = 0;
        let mut before = last.as_deref();
        for (row, id) in ids.iter().enumerate() {
            broken += u64::from(ix(row).map(u64::from) != Some(next) || before.is_some_and(|l| Some(l) >= id));
            before = id;
            next += 1;
        }
        last = before.map(str::to_owned);
        Some(broken)
    })?;
    Ok(named("dense-ordinals-in-byte-order", table, broken))
}

/// No key stands twice. Rows lie in the order of their keys.
fn unique(dir: &Path, table: &'static Table, column: &str) -> Result<Invariant, StoreError> {
    let mut last: Option<String> = None;
    let broken = sum(dir, table, &[column], |batch| {
        let keys = batch.columns().first()?.as_string_opt::<i32>()?;
        let mut before = last.as_deref();
        let mut broken = 0;
        for key in keys.iter() {
            broken += u64::from(before.is_some() && before >= key);
            before = key;
        }
        last = before.map(str::to_owned);
        Some(broken)
    })?;
    Ok(named("unique-key", table, broken))
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
