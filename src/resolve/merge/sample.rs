//! Single rows of a snapshot, with the rows that they name.

use std::collections::BTreeSet;

use arrow::array::AsArray;
use arrow::datatypes::UInt32Type;

use super::stretch::What;
use super::{Shot, Source};
use crate::model::{
    AccountRow, CredentialRow, EntitlementRow, GrantRow, GroupRow, MembershipRow, ResourceRow, Row, STATEMENTS, StatementRow,
};
use crate::resolve::edges::Picture;

/// The rows of a [`Picture`].
#[derive(Debug, Default)]
pub(in super::super) struct Sampled {
    accounts: Vec<AccountRow>,
    groups: Vec<GroupRow>,
    memberships: Vec<MembershipRow>,
    entitlements: Vec<EntitlementRow>,
    statements: Vec<StatementRow>,
    resources: Vec<ResourceRow>,
    grants: Vec<GrantRow>,
    credentials: Vec<CredentialRow>,
}

impl Sampled {
    pub fn picture<'a, S>(&'a self, shot: &Shot<'a, S>) -> Picture<'a> {
        Picture {
            taken_at: shot.taken_at,
            covers: shot.covers,
            accounts: &self.accounts,
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

/// Reads the rows of a table at some positions, ascending, and whatever they name.
///
/// # Errors
/// They cannot be read.
pub(in super::super) fn sample<S: Source>(shot: &Shot<'_, S>, what: What, positions: &[u32]) -> Result<Sampled, S::Error> {
    let mut out = Sampled::default();
    let source = shot.source;
    match what {
        What::Accounts => out.accounts = source.rows(positions)?,
        What::Groups => out.groups = source.rows(positions)?,
        What::Statements => out.statements = source.rows(positions)?,
        What::Entitlements => {
            out.entitlements = source.rows(positions)?;
            out.statements = statements(shot, positions)?;
        }
        What::Credentials => {
            out.credentials = source.rows(positions)?;
            out.accounts = named(source, out.credentials.iter().map(|c| c.account_ix))?;
        }
        What::Memberships => {
            out.memberships = source.rows(positions)?;
            out.accounts = named(source, out.memberships.iter().map(|m| m.account_ix))?;
            out.groups = named(source, out.memberships.iter().flat_map(|m| [m.member_group_ix, Some(m.group_ix)]))?;
        }
        What::Grants => {
            out.grants = source.rows(positions)?;
            out.accounts = named(source, out.grants.iter().map(|g| g.account_ix))?;
            out.groups = named(source, out.grants.iter().map(|g| g.group_ix))?;
            out.entitlements = named(source, out.grants.iter().map(|g| Some(g.entitlement_ix)))?;
            out.resources = named(source, out.grants.iter().map(|g| g.resource_ix))?;
            let entitlements: Vec<u32> = out.entitlements.iter().map(|e| e.entitlement_ix).collect();
            out.statements = statements(shot, &entitlements)?;
        }
    }
    Ok(out)
}

/// The rows of some ordinals.
fn named<S: Source, R: Row>(source: &S, ordinals: impl Iterator<Item = Option<u32>>) -> Result<Vec<R>, S::Error> {
    let asked: BTreeSet<u32> = ordinals.flatten().collect();
    source.rows(&asked.into_iter().collect::<Vec<_>>())
}

/// The statements of some entitlements, ascending.
fn statements<S: Source>(shot: &Shot<'_, S>, entitlements: &[u32]) -> Result<Vec<StatementRow>, S::Error> {
    if entitlements.is_empty() || !shot.speaks_of(&STATEMENTS) {
        return Ok(Vec::new());
    }
    let mut positions = Vec::new();
    let mut first: u32 = 0;
    for batch in shot.source.batches(&STATEMENTS, &["entitlement_ix"])? {
        let batch = batch?;
        let of = batch.columns().first().and_then(|c| c.as_primitive_opt::<UInt32Type>());
        let of = of.ok_or_else(|| shot.source.damaged(&STATEMENTS, "`entitlement_ix` holds no ordinals".to_owned()))?;
        positions.extend((first..).zip(of.values()).filter(|(_, ix)| entitlements.binary_search(ix).is_ok()).map(|(at, _)| at));
        first = first.saturating_add(u32::try_from(batch.num_rows()).unwrap_or(u32::MAX));
    }
    shot.source.rows(&positions)
}
