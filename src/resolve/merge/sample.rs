//! Single rows of a snapshot, with the rows that they name.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array, new_null_array};
use arrow::compute::{cast, concat, take};
use arrow::datatypes::UInt32Type;
use rayon::prelude::*;

use super::stretch::What;
use super::{Columns, Shot, Source, all};
use crate::model::cell::ColType;
use crate::model::{
    AccountRow, CredentialRow, EntitlementRow, GrantRow, GroupRow, MembershipRow, ResourceRow, Row, STATEMENTS, StatementRow, to_batch,
};
use crate::resolve::edges::Picture;

/// What a thing is called.
const ACCOUNT_NAMES: &[&str] = &["native_id", "generation", "login", "display_name"];
const GROUP_NAMES: &[&str] = &["native_id", "generation", "name", "level"];
const ENTITLEMENT_NAMES: &[&str] = &["native_id", "name", "level", "risks", "conditional"];
/// The text of a policy.
const STATEMENT_TEXT: &[&str] =
    &["entitlement_ix", "statement", "sid", "effect", "actions", "not_actions", "resources", "not_resources", "condition"];

/// Rows that were found to be looked at, and the rows that they name.
#[derive(Debug, Default)]
pub(in super::super) struct Sampled {
    /// Found, as all that follow but those that are named.
    found: Vec<AccountRow>,
    credentials: Vec<CredentialRow>,
    memberships: Vec<MembershipRow>,
    grants: Vec<GrantRow>,
    /// Named, as the next four.
    accounts: Vec<AccountRow>,
    groups: Vec<GroupRow>,
    entitlements: Vec<EntitlementRow>,
    statements: Vec<StatementRow>,
    resources: Vec<ResourceRow>,
}

impl Sampled {
    /// Adds rows that were found in a table, by [`What::columns`] of it at their positions.
    ///
    /// # Errors
    /// What in them is not what a sealed table holds.
    pub fn find(&mut self, what: What, positions: &[u32], columns: &[ArrayRef]) -> Result<(), String> {
        let names = what.columns(true);
        match what {
            What::Accounts => self.found.extend(typed(&names, columns, positions)?),
            What::Credentials => self.credentials.extend(typed(&names, columns, positions)?),
            What::Memberships => self.memberships.extend(typed(&names, columns, positions)?),
            What::Grants => self.grants.extend(typed(&names, columns, positions)?),
            What::Groups | What::Entitlements | What::Statements => {}
        }
        Ok(())
    }

    /// How many were found.
    pub fn len(&self) -> usize {
        self.found.len() + self.credentials.len() + self.memberships.len() + self.grants.len()
    }

    /// Adds what was found elsewhere.
    pub fn append(&mut self, other: Self) {
        self.found.extend(other.found);
        self.credentials.extend(other.credentials);
        self.memberships.extend(other.memberships);
        self.grants.extend(other.grants);
    }

    /// Reads what the rows name, and what they are called.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn name<S: Source>(&mut self, shot: &Shot<'_, S>) -> Result<(), S::Error> {
        let source = shot.source;
        let accounts = self.found.iter().map(|a| Some(a.account_ix));
        let accounts = accounts.chain(self.credentials.iter().map(|c| c.account_ix));
        let accounts = accounts.chain(self.memberships.iter().map(|m| m.account_ix)).chain(self.grants.iter().map(|g| g.account_ix));
        let groups = self.memberships.iter().flat_map(|m| [m.member_group_ix, Some(m.group_ix)]);
        let groups = ordinals(groups.chain(self.grants.iter().map(|g| g.group_ix)));
        let (accounts, credentials) = (ordinals(accounts), ordinals(self.credentials.iter().map(|c| Some(c.credential_ix))));
        let entitlements = ordinals(self.grants.iter().map(|g| Some(g.entitlement_ix)));
        let resources = ordinals(self.grants.iter().map(|g| g.resource_ix));
        let ((accounts, credentials), ((groups, resources), (entitlements, statements))) = rayon::join(
            || {
                let keys = || rows::<S, CredentialRow>(source, &["native_id"], &credentials);
                rayon::join(|| rows::<S, AccountRow>(source, ACCOUNT_NAMES, &accounts), keys)
            },
            || {
                let resources = || rows::<S, ResourceRow>(source, &["native_id"], &resources);
                let texts = || statements(shot, &entitlements);
                rayon::join(
                    || rayon::join(|| rows::<S, GroupRow>(source, GROUP_NAMES, &groups), resources),
                    || rayon::join(|| rows::<S, EntitlementRow>(source, ENTITLEMENT_NAMES, &entitlements), texts),
                )
            },
        );
        (self.accounts, self.groups, self.resources) = (accounts?, groups?, resources?);
        (self.entitlements, self.statements) = (entitlements?, statements?);
        for found in &mut self.found {
            let named = self.accounts.binary_search_by_key(&found.account_ix, |a| a.account_ix);
            found.native_id = named.ok().and_then(|at| self.accounts.get(at)).map(|a| a.native_id.clone()).unwrap_or_default();
        }
        // Found in the order of their ordinals, each once.
        self.credentials.iter_mut().zip(credentials?).for_each(|(found, named)| found.native_id = named.native_id);
        Ok(())
    }

    /// The rows that were found in one table, and all that they name.
    pub fn picture<'a, S>(&'a self, shot: &Shot<'a, S>, of: What) -> Picture<'a> {
        Picture {
            covers: shot.covers,
            accounts: if of == What::Accounts { &self.found } else { &self.accounts },
            groups: &self.groups,
            memberships: &self.memberships,
            entitlements: &self.entitlements,
            statements: &self.statements,
            resources: &self.resources,
            grants: &self.grants,
            credentials: &self.credentials,
        }
    }
}

/// Groups at some ordinals, ascending, with their levels.
///
/// # Errors
/// They cannot be read.
pub(in super::super) fn levels_at<S: Source>(shot: &Shot<'_, S>, groups: &[u32]) -> Result<Vec<GroupRow>, S::Error> {
    rows(shot.source, &["level"], groups)
}

/// Entitlements at some ordinals, ascending, with what they give and their statements.
///
/// # Errors
/// They cannot be read.
pub(in super::super) fn entitlements_at<S: Source>(
    shot: &Shot<'_, S>,
    ordinals: &[u32],
) -> Result<(Vec<EntitlementRow>, Vec<StatementRow>), S::Error> {
    Ok((rows(shot.source, ENTITLEMENT_NAMES, ordinals)?, statements(shot, ordinals)?))
}

fn ordinals(named: impl Iterator<Item = Option<u32>>) -> Vec<u32> {
    named.flatten().collect::<BTreeSet<u32>>().into_iter().collect()
}

/// The statements of some entitlements, ascending.
fn statements<S: Source>(shot: &Shot<'_, S>, entitlements: &[u32]) -> Result<Vec<StatementRow>, S::Error> {
    if entitlements.is_empty() || !shot.speaks_of(&STATEMENTS) {
        return Ok(Vec::new());
    }
    let mut positions = Vec::new();
    let mut first: u32 = 0;
    let of = shot.source.open(&STATEMENTS, &["entitlement_ix"])?;
    for part in 0..of.parts().len() {
        let of = of.read(part, 0)?;
        let of = of.as_primitive_opt::<UInt32Type>();
        let of = of.ok_or_else(|| shot.source.damaged(&STATEMENTS, "`entitlement_ix` holds no ordinals".to_owned()))?;
        positions.extend((first..).zip(of.values()).filter(|(_, ix)| entitlements.binary_search(ix).is_ok()).map(|(at, _)| at));
        first = first.saturating_add(u32::try_from(of.values().len()).unwrap_or(u32::MAX));
    }
    rows(shot.source, STATEMENT_TEXT, &positions)
}

/// Rows at some positions: ascending, each once. What is not asked is as in a row that says nothing, other than the row's ordinal.
fn rows<S: Source, R: Row + Default + Send>(source: &S, names: &[&'static str], positions: &[u32]) -> Result<Vec<R>, S::Error> {
    if positions.is_empty() {
        return Ok(Vec::new());
    }
    let opened = source.open(R::TABLE, names)?;
    let mut parts: Vec<(usize, UInt32Array)> = Vec::new();
    let (mut first, mut rest) = (0_usize, positions);
    for (part, rows) in opened.parts().iter().enumerate() {
        let (here, others) = rest.split_at(rest.partition_point(|p| (*p as usize) < first + rows));
        if !here.is_empty() {
            parts.push((part, here.iter().map(|p| p - u32::try_from(first).unwrap_or(0)).collect()));
        }
        (first, rest) = (first + rows, others);
    }
    let damaged = |what: String| source.damaged(R::TABLE, what);
    let column = |column: usize| {
        let one = |(part, rows): &(usize, UInt32Array)| {
            let read = opened.read(*part, column)?;
            take(&read, rows, None).map_err(|e| damaged(e.to_string()))
        };
        let read = all(parts.par_iter().with_max_len(1).map(one).collect())?;
        concat(&read.iter().map(AsRef::as_ref).collect::<Vec<_>>()).map_err(|e| damaged(e.to_string()))
    };
    let columns = all((0..names.len()).into_par_iter().with_max_len(1).map(column).collect())?;
    let there = positions.len() - rest.len();
    typed(names, &columns, positions.get(..there).unwrap_or_default()).map_err(damaged)
}

/// Rows of which some columns are given.
fn typed<R: Row + Default>(names: &[&'static str], given: &[ArrayRef], positions: &[u32]) -> Result<Vec<R>, String> {
    let silent = to_batch(&[R::default()]).map_err(|e| e.to_string())?;
    let mut columns = silent.columns().to_vec();
    for (i, (to, column)) in columns.iter_mut().zip(R::TABLE.columns).enumerate() {
        if let Some(array) = names.iter().position(|n| *n == column.name).and_then(|at| given.get(at)) {
            *to = if matches!(column.ty, ColType::Word(_)) {
                cast(array, &column.ty.arrow()).map_err(|e| e.to_string())?
            } else {
                Arc::clone(array)
            };
        } else if i == 0 && R::TABLE.key == [column.name] {
            // An ordinal is the position.
            *to = Arc::new(UInt32Array::from(positions.to_vec()));
        } else if to.is_null(0) {
            *to = new_null_array(to.data_type(), positions.len());
        } else {
            *to = take(to, &UInt32Array::from(vec![0; positions.len()]), None).map_err(|e| e.to_string())?;
        }
    }
    (0..positions.len()).map(|i| R::at(&columns, i).map_err(|e| e.to_string())).collect()
}
