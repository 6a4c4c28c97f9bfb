//! The rows behind the hits of one part, read together: of a table that is not held, only these rows and only what findings say of them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::UInt32Type;

use super::load::System;
use crate::model::*;
use crate::store::StoreError;
use crate::store::facts::Facts;

/// Rows of one system by their ordinals. What is not among them is read when asked for.
#[derive(Debug, Default)]
pub struct Near {
    system_ix: Option<u32>,
    accounts: BTreeMap<u32, AccountRow>,
    memberships: BTreeMap<u32, MembershipRow>,
    grants: BTreeMap<u32, GrantRow>,
    credentials: BTreeMap<u32, CredentialRow>,
    origins: BTreeMap<(&'static str, u32), Vec<OriginRow>>,
}

/// Ordinals that hits name, by table.
#[derive(Default)]
struct Named {
    accounts: BTreeSet<u32>,
    memberships: BTreeSet<u32>,
    grants: BTreeSet<u32>,
    credentials: BTreeSet<u32>,
}

impl Named {
    fn add(&mut self, hits: &RecordBatch) {
        let ordinals = |name: &str| hits.column_by_name(name).and_then(|c| c.as_primitive_opt::<UInt32Type>());
        self.accounts.extend(ordinals("account_ix").into_iter().flatten().flatten());
        self.credentials.extend(ordinals("credential_ix").into_iter().flatten().flatten());
        let edges = hits.column_by_name("edge").and_then(|c| c.as_string_opt::<i32>());
        for (edge, ix) in edges.into_iter().flatten().zip(ordinals("edge_ix").into_iter().flatten()) {
            match (edge, ix) {
                (Some("membership"), Some(ix)) => drop(self.memberships.insert(ix)),
                (Some("grant"), Some(ix)) => drop(self.grants.insert(ix)),
                _ => {}
            }
        }
    }
}

impl Near {
    /// Reads what findings say of the hits of a part of `system`. Tables that are held are asked when they are needed.
    ///
    /// # Errors
    /// A table is damaged.
    pub fn new<'h>(system: &System, hits: impl Iterator<Item = &'h RecordBatch>) -> Result<Self, StoreError> {
        let mut named = Named::default();
        hits.for_each(|batch| named.add(batch));
        let mut near = Self { system_ix: Some(system.ix), ..Self::default() };
        near.memberships = rows(&system.memberships, &named.memberships, &MEMBERSHIP)?;
        near.grants = rows(&system.grants, &named.grants, &GRANT)?;
        near.credentials = rows(&system.credentials, &named.credentials, &CREDENTIAL)?;
        // Of tables that are held as well: their accounts may not be.
        named.accounts.extend(named.memberships.iter().filter_map(|ix| near.membership(system, *ix)?.account_ix));
        named.accounts.extend(named.grants.iter().filter_map(|ix| near.grant(system, *ix)?.account_ix));
        named.accounts.extend(named.credentials.iter().filter_map(|ix| near.credential(system, *ix)?.account_ix));
        near.accounts = rows(&system.accounts, &named.accounts, &ACCOUNT)?;
        let of = |table: &Table| table.name;
        for (table, rows) in [
            (of(&ACCOUNTS), &named.accounts),
            (of(&MEMBERSHIPS), &named.memberships),
            (of(&GRANTS), &named.grants),
            (of(&CREDENTIALS), &named.credentials),
        ] {
            near.add_origins(system, table, rows)?;
        }
        Ok(near)
    }

    fn add_origins(&mut self, system: &System, table: &'static str, rows: &BTreeSet<u32>) -> Result<(), StoreError> {
        let wanted: Vec<u32> = rows.iter().copied().collect();
        for origin in system.origins_of(table, &wanted)?.unwrap_or_default() {
            self.origins.entry((table, origin.row)).or_default().push(origin);
        }
        Ok(())
    }

    pub fn account<'a>(&'a self, system: &'a System, ix: u32) -> Option<Cow<'a, AccountRow>> {
        self.found(system, &self.accounts, ix).or_else(|| system.accounts.get(ix as usize))
    }

    pub fn membership<'a>(&'a self, system: &'a System, ix: u32) -> Option<Cow<'a, MembershipRow>> {
        self.found(system, &self.memberships, ix).or_else(|| system.memberships.get(ix as usize))
    }

    pub fn grant<'a>(&'a self, system: &'a System, ix: u32) -> Option<Cow<'a, GrantRow>> {
        self.found(system, &self.grants, ix).or_else(|| system.grants.get(ix as usize))
    }

    pub fn credential<'a>(&'a self, system: &'a System, ix: u32) -> Option<Cow<'a, CredentialRow>> {
        self.found(system, &self.credentials, ix).or_else(|| system.credentials.get(ix as usize))
    }

    fn found<'a, R: Clone>(&self, system: &System, rows: &'a BTreeMap<u32, R>, ix: u32) -> Option<Cow<'a, R>> {
        rows.get(&ix).filter(|_| self.system_ix == Some(system.ix)).map(Cow::Borrowed)
    }

    /// The origins of a row of a current snapshot, in the order of (fact, file, number).
    pub fn origins<'a>(&'a self, system: &'a System, table: &'static str, row: u32) -> Box<dyn Iterator<Item = Cow<'a, OriginRow>> + 'a> {
        match self.origins.get(&(table, row)).filter(|_| self.system_ix == Some(system.ix)) {
            Some(read) => Box::new(read.iter().map(Cow::Borrowed)),
            None => Box::new(system.origins(table, row)),
        }
    }
}

const ACCOUNT: [&str; 4] = ["account_ix", "native_id", "login", "display_name"];
const MEMBERSHIP: [&str; 5] = ["membership_ix", "account_ix", "member_group_ix", "principal_ref", "group_ix"];
const GRANT: [&str; 6] = ["grant_ix", "account_ix", "group_ix", "principal_ref", "entitlement_ix", "resource_ix"];
const CREDENTIAL: [&str; 6] = ["credential_ix", "account_ix", "native_id", "kind", "created_at", "rotated_at"];

fn rows<R: Row + Default>(facts: &Facts<R>, wanted: &BTreeSet<u32>, columns: &[&str]) -> Result<BTreeMap<u32, R>, StoreError> {
    if facts.is_held() {
        return Ok(BTreeMap::new());
    }
    // An ordinal is the position of its row.
    let positions: Vec<usize> = wanted.iter().map(|ix| *ix as usize).filter(|at| *at < facts.len()).collect();
    let read = facts.pick(&positions, columns)?;
    Ok(wanted.iter().copied().zip(read).collect())
}
