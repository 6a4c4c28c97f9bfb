//! The resolve stage over stored tables: chunk after chunk, only the columns that it needs.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::UInt32Type;
use rayon::prelude::*;

use super::{AuditError, Settings, system_input, unusable};
use crate::engine::System;
use crate::model::*;
use crate::resolve::{
    About, Account, AccountChunk, AccountColumns, AuthorityInput, Closure, Credentials, GroupGrant, Link, OwnFound, POLICIES_OF, Resolved,
    Resolver, SystemAccounts, TwinSeeker, Twins, principal_risk,
};
use crate::store::StoreError;
use crate::store::facts::{Facts, Words};

/// Rows that one thread takes at a time.
const CHUNK: usize = 32_768;

/// Resolves every account and group of the current snapshots.
///
/// # Errors
/// Settings that cannot be used, or a table that cannot be read.
pub(super) fn resolve(systems: &[System], authorities: &[AuthorityInput], settings: &Settings) -> Result<Resolved, AuditError> {
    let resolver = Resolver::new(authorities, &settings.resolve).map_err(|f| unusable(&f))?;
    let mut resolved = Resolved::default();
    let mut crowded = BTreeSet::new();
    for s in systems {
        let about = About { system_ix: s.ix, system: &s.name, observed_at: s.observed_at() };
        let mut found = accounts(s, &about, &resolver)?;
        resolved.account_state.append(&mut found.states);
        resolved.account_identity.append(&mut found.candidates);
        resolved.match_trace.append(&mut found.trace);
        crowded.append(&mut found.crowded);
        resolved.group_reach.extend(groups(s, &about, &resolver)?);
        if s.manifest.connector == POLICIES_OF {
            resolved.principal_risk.extend(principal_risk(&system_input(s)));
        }
    }
    resolved.people = resolver.into_people(&resolved.account_identity);
    resolved.crowded = crowded.into_iter().collect();
    Ok(resolved)
}

fn chunks(rows: usize) -> Vec<Range<usize>> {
    (0..rows).step_by(CHUNK).map(|from| from..(from + CHUNK).min(rows)).collect()
}

/// Gives consecutive accounts to whoever takes them.
fn with_accounts<T>(
    facts: &Facts<AccountRow>,
    range: Range<usize>,
    mut take: impl FnMut(&mut dyn Iterator<Item = Account<'_>>) -> T,
) -> Result<Vec<T>, StoreError> {
    if facts.is_held() {
        return Ok(vec![take(&mut facts.part(range).iter().map(Account::from))]);
    }
    let mut out = Vec::new();
    for batch in facts.columns(range, &AccountColumns::NAMES, Words::Plain)? {
        let columns = AccountColumns::new(&batch).map_err(|e| facts.damaged(e.to_string()))?;
        let fault = RefCell::new(None);
        let mut rows = columns.iter().map_while(|row| row.map_err(|e| fault.replace(Some(e))).ok());
        out.push(take(&mut rows));
        if let Some(fault) = fault.take() {
            return Err(facts.damaged(fault.to_string()));
        }
    }
    Ok(out)
}

fn accounts(s: &System, about: &About<'_>, resolver: &Resolver) -> Result<SystemAccounts, StoreError> {
    let accounts = resolver.accounts(about);
    let credentials = s.covers.contains(CREDENTIALS.name).then(|| credentials(s)).transpose()?;
    let ranges = chunks(s.accounts.len());
    let one = |range: Range<usize>| with_accounts(&s.accounts, range, |some| accounts.chunk(some, credentials.as_ref()));
    let resolved: Vec<Vec<AccountChunk>> = ranges.par_iter().map(|r| one(r.clone())).collect::<Result<_, _>>()?;
    let mut found = SystemAccounts::default();
    resolved.into_iter().flatten().for_each(|chunk| found.add(chunk));
    let mut owners = OwnFound::default();
    if !found.names().is_empty() {
        let seek = |range: Range<usize>| with_accounts(&s.accounts, range, |some| found.names().seek(some, &found.candidates));
        let parts: Vec<Vec<OwnFound>> = ranges.par_iter().map(|r| seek(r.clone())).collect::<Result<_, _>>()?;
        parts.into_iter().flatten().for_each(|part| owners.add(part));
    }
    accounts.close(&mut found, &owners);
    Ok(found)
}

fn credentials(s: &System) -> Result<Credentials, StoreError> {
    let mut held = Credentials::new(s.accounts.len(), s.observed_at());
    for range in chunks(s.credentials.len()) {
        for c in s.credentials.only(range, &["account_ix", "kind", "status", "expires_at"])?.iter() {
            held.add(c.account_ix, c.kind, c.status, c.expires_at);
        }
    }
    Ok(held)
}

/// Closes the groups of a system. Of the rows that accounts hold, only the ordinals and what sets them apart are read.
fn groups(s: &System, about: &About<'_>, resolver: &Resolver) -> Result<Vec<GroupReachRow>, StoreError> {
    if s.groups.is_empty() {
        return Ok(Vec::new());
    }
    let seeker = TwinSeeker::new(&s.groups);
    let seek = |range: Range<usize>| -> Result<Vec<(u32, u32)>, StoreError> {
        let mut found = Vec::new();
        for a in s.accounts.only(range, &["account_ix", "native_id"])?.iter() {
            found.extend(seeker.seek([(a.account_ix, a.native_id.as_str())]));
        }
        Ok(found)
    };
    let ranges = chunks(s.accounts.len());
    // Accounts that are groups, too, are roles: a system without roles has none.
    let twins = Twins::new(ranges.par_iter().map(|r| seek(r.clone())).collect::<Result<Vec<_>, _>>()?);
    let (of_accounts, all) = (s.memberships_of(0, u32::MAX).end, s.memberships.len());
    let mut links: Vec<Link> = s.memberships.range(of_accounts..all).map(|m| Link::from(&*m)).collect();
    let mut grants: Vec<GroupGrant> = s.grants.range(s.grants_of(0, u32::MAX).end..s.grants.len()).map(|g| GroupGrant::from(&*g)).collect();
    for account in twins.accounts() {
        links.extend(s.memberships.range(s.memberships_of(account, account.saturating_add(1))).map(|m| Link::from(&*m)));
        grants.extend(s.grants.range(s.grants_of(account, account.saturating_add(1))).map(|g| GroupGrant::from(&*g)));
    }
    let closure = Closure::new(&s.groups, &twins, links);
    let members = closure.members();
    let parts = whole_accounts(s, of_accounts);
    parts.par_iter().try_for_each(|range| -> Result<(), StoreError> {
        let batches = s.memberships.columns(range.clone(), &["account_ix", "group_ix", "kind"], Words::Coded)?;
        members.add(batches.iter().flat_map(counted));
        Ok(())
    })?;
    Ok(resolver.groups(about, &closure, &s.entitlements, grants, members.finish()))
}

/// Cuts the memberships of accounts into parts of whole accounts.
fn whole_accounts(s: &System, rows: usize) -> Vec<Range<usize>> {
    let accounts = u32::try_from(s.accounts.len()).unwrap_or(u32::MAX);
    // So many accounts that a part has about as many rows as a chunk, were they spread evenly.
    let step = (u64::from(accounts) * CHUNK as u64).checked_div(rows as u64).unwrap_or(1).clamp(1, u64::from(u32::MAX));
    let step = u32::try_from(step).unwrap_or(u32::MAX);
    let cuts = (0..accounts).step_by(step as usize).map(|from| s.memberships_of(from, from.saturating_add(step).min(accounts)));
    cuts.filter(|r| !r.is_empty()).collect()
}

/// (account, group) of the memberships that count.
fn counted(batch: &RecordBatch) -> Vec<(u32, u32)> {
    let ordinals = |name: &str| batch.column_by_name(name).and_then(|c| c.as_primitive_opt::<UInt32Type>());
    let (Some(accounts), Some(groups), Some(kind)) = (ordinals("account_ix"), ordinals("group_ix"), batch.column_by_name("kind")) else {
        return Vec::new();
    };
    let primary = Words::are(kind.as_ref(), MembershipKind::Primary.as_str());
    let rows = accounts.iter().zip(groups.values()).enumerate();
    rows.filter(|(at, _)| !primary.get(*at).copied().unwrap_or(false)).filter_map(|(_, (a, g))| Some((a?, *g))).collect()
}
