//! Who is who, and what groups lead to: accounts joined to identities, owners found, groups closed.
//!
//! Pure functions over typed rows: no file, flag or clock. [`resolve`] is the whole stage; [`People`] and [`Groups`] answer
//! the questions that later stages ask of single people and groups.

mod account;
mod accounts;
pub mod approvals;
mod attributes;
mod authenticate;
mod aws_reads;
mod candidates;
mod changes;
mod closure;
mod correlate;
mod coverage;
mod edges;
mod escalation;
mod forms;
mod graph;
mod groups;
mod history;
mod index;
mod join;
mod leaver_reach;
mod merge;
mod movers;
mod names;
#[cfg(test)]
mod oracle;
mod owners;
mod people;
mod role_fit;
#[cfg(test)]
mod role_oracle;
mod roles;
mod rules;
mod settings;
mod skeleton;
#[cfg(test)]
mod tests;
mod timeline;
mod vault_paths;

use std::collections::BTreeSet;

use rayon::prelude::*;

use crate::model::{
    AccountIdentityRow, AccountRow, AccountStateRow, CredentialRow, EmploymentRow, EntitlementRow, GrantRow, GroupReachRow, GroupRow,
    IdentityKind, IdentityRow, MatchTraceRow, MembershipKind, MembershipRow, Population, PrincipalRiskRow, ResourceRow, StatementRow, Time,
};

pub use account::{Account, AccountColumns};
pub use accounts::{AccountChunk, AccountResolver, SystemAccounts};
pub use authenticate::{Credentials, can_authenticate};
pub use changes::{Compared, changes, incomparable, number};
pub use closure::{ANCESTORS_LISTED, Closure, Members};
pub use correlate::{Crowded, MAX_SHARED};
pub use coverage::{LogInput, log_coverage};
pub use escalation::{POLICIES_OF, principal_risk};
pub use groups::{GroupGrant, Groups, Link, PATH_NAMES, Primary, TwinSeeker, Twins};
pub use history::Histories;
pub use leaver_reach::{Language, Left, Scene, Secret, leaver_reach};
pub use merge::{Columns, Shot, Source};
pub use movers::{HeldEdge, Moved, PastAccess, StatedMove, before_move, mover_access, movers, past_access};
pub use names::SystemNames;
pub use owners::{OwnFound, OwnNames, Reference};
pub use people::{GONE_SOURCE_IX, People, Unjoined};
pub use role_fit::{Fits, fits};
pub use roles::CatalogueInput;
pub use rules::{Rule, Rules};
pub use settings::{EntitlementAlias, IdentityLink, KindPattern, PrivilegedGroup, Settings, SettingsError};
pub use timeline::{Leave, Seen, Span, Timeline, View};

/// The current snapshot of one system. Rows stand in the order of their keys, ordinals are dense (the store's invariants); an edge to an
/// ordinal that does not exist is passed over.
#[derive(Clone, Debug, Default)]
pub struct SystemInput {
    pub system_ix: u32,
    /// Name in the configuration, which the patterns of [`Settings`] match.
    pub system: String,
    /// Connector that read it; only AWS policies are put together.
    pub connector: String,
    /// The snapshot's `taken_at`.
    pub observed_at: Time,
    /// Tables that the snapshot covers.
    pub covers: BTreeSet<String>,
    pub accounts: Vec<AccountRow>,
    pub groups: Vec<GroupRow>,
    pub memberships: Vec<MembershipRow>,
    pub entitlements: Vec<EntitlementRow>,
    pub statements: Vec<StatementRow>,
    pub grants: Vec<GrantRow>,
    pub credentials: Vec<CredentialRow>,
    pub resources: Vec<ResourceRow>,
}

/// The snapshots of one authority.
#[derive(Clone, Debug, Default)]
pub struct AuthorityInput {
    pub system_ix: u32,
    /// Name in the configuration, which [`IdentityLink`] names.
    pub system: String,
    /// The current snapshot's `taken_at`.
    pub observed_at: Time,
    pub population: Population,
    /// Kinds it speaks for; empty: the kinds that it lists. Identities of other kinds are listed and are nobody's candidate.
    pub kinds: Vec<IdentityKind>,
    pub identities: Vec<IdentityRow>,
    pub employments: Vec<EmploymentRow>,
    /// Its earlier complete snapshots, ascending. One that is not earlier than `observed_at` is passed over.
    pub history: Vec<PastPeople>,
    /// Moves that its log states, of this and earlier snapshots.
    pub moves: Vec<StatedMove>,
}

/// An earlier complete snapshot of an authority.
#[derive(Clone, Debug, Default)]
pub struct PastPeople {
    pub observed_at: Time,
    pub identities: Vec<IdentityRow>,
    pub employments: Vec<EmploymentRow>,
}

/// What the stage found: the run tables, each sorted by its key, and what to say beside them.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    /// Table `account_state`: one row per account.
    pub account_state: Vec<AccountStateRow>,
    /// Table `account_identity`: every candidate of every account.
    pub account_identity: Vec<AccountIdentityRow>,
    /// Table `match_trace`: what tied the candidates to their accounts.
    pub match_trace: Vec<MatchTraceRow>,
    /// Table `group_reach`: one row per group.
    pub group_reach: Vec<GroupReachRow>,
    /// Table `principal_risk`: what the policies of a principal let it become.
    pub principal_risk: Vec<PrincipalRiskRow>,
    /// Table `identities_seen` ([`People::rows`]), and standings and references at any instant.
    pub people: People,
    /// Values that so many identities share that they tie an account to none of them.
    pub crowded: Vec<Crowded>,
}

/// One identity with the records by which accounts find it.
struct Identity<'a> {
    identity_ix: u32,
    kind: IdentityKind,
    /// One of its authorities speaks for its kind.
    spoken: bool,
    /// Its own record first, then those joined into it.
    records: Vec<&'a IdentityRow>,
}

/// A system as correlation and closure need to know it.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    pub system_ix: u32,
    /// Name in the configuration.
    pub system: &'a str,
    /// The snapshot's `taken_at`.
    pub observed_at: Time,
}

/// The authorities and the settings, made ready once; then system after system, chunk after chunk, in any order and on any thread.
pub struct Resolver {
    people: People,
    compiled: settings::Compiled,
    matchers: correlate::Matchers,
    coverage: accounts::Coverage,
}

impl Resolver {
    /// # Errors
    /// Every setting that cannot be used, all at once.
    pub fn new(authorities: &[AuthorityInput], settings: &Settings) -> Result<Self, Vec<SettingsError>> {
        let compiled = settings::compile(settings)?;
        let (mut people, identities) = people::gather(authorities, &settings.identity_links);
        let matchers = correlate::Matchers::new(&compiled, &owners::named(), &identities);
        people.name_by(owners::Directory::new(matchers.index()));
        let coverage = accounts::Coverage::new(authorities, &people, settings.authority_lag_us);
        Ok(Self { people, compiled, matchers, coverage })
    }

    /// Everybody whom the authorities know.
    pub fn people(&self) -> &People {
        &self.people
    }

    /// The accounts of one system.
    pub fn accounts(&self, about: &About<'_>) -> AccountResolver<'_> {
        AccountResolver::new(about, &self.people, &self.matchers, &self.coverage, &self.compiled)
    }

    /// Table `group_reach` of one system. `members`: of every group, as [`Closure::members`] counted them. Grants to others than groups
    /// are passed over.
    pub fn groups(
        &self,
        about: &About<'_>,
        closure: &Closure<'_>,
        entitlements: &[EntitlementRow],
        grants: impl IntoIterator<Item = GroupGrant>,
        members: Vec<u32>,
    ) -> Vec<GroupReachRow> {
        closure.reach(about.system_ix, &self.compiled.group_levels(about.system), entitlements, grants, members)
    }

    /// The people, with the number of their accounts filled in from the candidates of every account.
    pub fn into_people(mut self, candidates: &[AccountIdentityRow]) -> People {
        self.people.count_accounts(candidates);
        self.people
    }
}

/// The candidates of further accounts among people who were gathered before, from the same authorities and by the same settings.
///
/// # Errors
/// Every setting that cannot be used, all at once.
pub fn candidates(
    systems: &[SystemInput],
    people: &People,
    authorities: &[AuthorityInput],
    settings: &Settings,
) -> Result<Vec<AccountIdentityRow>, Vec<SettingsError>> {
    let compiled = settings::compile(settings)?;
    let matchers = correlate::Matchers::over(people.directory().index(), &compiled);
    let coverage = accounts::Coverage::new(authorities, people, settings.authority_lag_us);
    let mut out = Vec::new();
    for system in systems {
        let about = About { system_ix: system.system_ix, system: &system.system, observed_at: system.observed_at };
        let accounts = AccountResolver::new(&about, people, &matchers, &coverage, &compiled);
        out.append(&mut accounts_of(system, &accounts, CHUNK).candidates);
    }
    Ok(out)
}

/// Accounts that one thread resolves at a time.
const CHUNK: usize = 8_192;
/// Memberships, of whole accounts, that one thread counts at a time.
const LINKS: usize = 65_536;

/// Resolves every account and group against the authorities.
///
/// # Errors
/// Every setting that cannot be used, all at once.
pub fn resolve(systems: &[SystemInput], authorities: &[AuthorityInput], settings: &Settings) -> Result<Resolved, Vec<SettingsError>> {
    let resolver = Resolver::new(authorities, settings)?;
    let mut resolved = Resolved::default();
    let mut crowded = BTreeSet::new();
    let mut ordered: Vec<&SystemInput> = systems.iter().collect();
    ordered.sort_by_key(|s| s.system_ix);
    for system in ordered {
        let about = About { system_ix: system.system_ix, system: &system.system, observed_at: system.observed_at };
        let mut found = accounts_of(system, &resolver.accounts(&about), CHUNK);
        resolved.account_state.append(&mut found.states);
        resolved.account_identity.append(&mut found.candidates);
        resolved.match_trace.append(&mut found.trace);
        crowded.append(&mut found.crowded);
        resolved.group_reach.append(&mut groups_of(system, &about, &resolver, LINKS));
        resolved.principal_risk.extend(principal_risk(system));
    }
    resolved.people = resolver.into_people(&resolved.account_identity);
    resolved.crowded = crowded.into_iter().collect();
    Ok(resolved)
}

/// Resolves the accounts of a system that is held in memory.
fn accounts_of(system: &SystemInput, accounts: &AccountResolver<'_>, chunk: usize) -> SystemAccounts {
    let credentials = system.covers.contains("credentials").then(|| {
        let mut held = Credentials::new(system.accounts.len(), system.observed_at);
        system.credentials.iter().for_each(|c| held.add(c.account_ix, c.kind, c.status, c.expires_at));
        held
    });
    let chunks: Vec<AccountChunk> =
        system.accounts.par_chunks(chunk).map(|some| accounts.chunk(some.iter().map(Account::from), credentials.as_ref())).collect();
    let mut found = SystemAccounts::default();
    chunks.into_iter().for_each(|chunk| found.add(chunk));
    let mut owners = OwnFound::default();
    if !found.names().is_empty() {
        let seek = |some: &[AccountRow]| found.names().seek(some.iter().map(Account::from), &found.candidates);
        let parts: Vec<OwnFound> = system.accounts.par_chunks(chunk).map(seek).collect();
        parts.into_iter().for_each(|part| owners.add(part));
    }
    accounts.close(&mut found, &owners);
    found
}

/// Closes the groups of a system that is held in memory.
fn groups_of(system: &SystemInput, about: &About<'_>, resolver: &Resolver, links: usize) -> Vec<GroupReachRow> {
    if system.groups.is_empty() {
        return Vec::new();
    }
    let twins = Twins::of(system);
    let closure = Closure::new(&system.groups, &twins, system.memberships.iter().map(Link::from));
    let members = closure.members();
    let counted = |m: &MembershipRow| {
        let account = m.account_ix.filter(|a| m.kind != MembershipKind::Primary && (*a as usize) < system.accounts.len())?;
        Some((account, m.group_ix))
    };
    let holder = |m: &MembershipRow| (m.account_ix.is_none(), m.account_ix);
    if system.memberships.is_sorted_by_key(holder) {
        let mut parts = Vec::new();
        let mut rest = system.memberships.as_slice();
        while let Some(last) = rest.get(links.min(rest.len()).saturating_sub(1)) {
            // All memberships of an account stay together.
            let (part, further) = rest.split_at(rest.partition_point(|m| holder(m) <= holder(last)));
            parts.push(part);
            rest = further;
        }
        parts.into_par_iter().for_each(|part| members.add(part.iter().filter_map(counted)));
    } else {
        let mut all: Vec<(u32, u32)> = system.memberships.iter().filter_map(counted).collect();
        all.sort_unstable();
        members.add(all);
    }
    let grants = system.grants.iter().map(GroupGrant::from);
    resolver.groups(about, &closure, &system.entitlements, grants, members.finish())
}
