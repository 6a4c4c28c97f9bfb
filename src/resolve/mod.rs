//! Who is who, and what groups lead to: accounts joined to identities, owners found, groups closed.
//!
//! Pure functions over typed rows: no file, flag or clock. [`resolve`] is the whole stage; [`People`] and [`Groups`] answer
//! the questions that later stages ask of single people and groups.

mod accounts;
mod approvals;
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
mod history;
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
mod tally;
#[cfg(test)]
mod tests;
mod timeline;
mod vault_paths;

use std::collections::BTreeSet;

use crate::model::{
    AccountIdentityRow, AccountRow, AccountStateRow, CredentialRow, EmploymentRow, EntitlementRow, GrantRow, GroupReachRow, GroupRow,
    IdentityKind, IdentityRow, MatchTraceRow, MembershipRow, Population, PrincipalRiskRow, ResourceRow, StatementRow, Time,
};

pub use approvals::{ApprovalInput, approvals};
pub use authenticate::can_authenticate;
pub use changes::{changes, incomparable, number};
pub use closure::{ANCESTORS_LISTED, Groups, PATH_NAMES, Primary};
pub use correlate::{Crowded, MAX_SHARED};
pub use coverage::{LogInput, log_coverage};

pub use history::Histories;
pub use leaver_reach::{Language, Left, Scene, Secret, leaver_reach};
pub use merge::{Batches, Shot, Source};
pub use movers::{HeldEdge, Moved, PastAccess, StatedMove, before_move, mover_access, movers, past_access};
pub use names::SystemNames;
pub use owners::Reference;
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

/// Resolves every account and group against the authorities.
///
/// # Errors
/// Every setting that cannot be used, all at once.
pub fn resolve(systems: &[SystemInput], authorities: &[AuthorityInput], settings: &Settings) -> Result<Resolved, Vec<SettingsError>> {
    let compiled = settings::compile(settings)?;
    let (people, identities) = people::gather(authorities, &settings.identity_links);
    let matchers = correlate::Matchers::new(&compiled, &identities);
    let coverage = accounts::Coverage::new(authorities, &people, settings.authority_lag_us);
    let mut resolved = Resolved { people, ..Resolved::default() };
    let mut crowded = BTreeSet::new();
    let mut ordered: Vec<&SystemInput> = systems.iter().collect();
    ordered.sort_by_key(|s| s.system_ix);
    for system in ordered {
        let found = accounts::resolve_system(system, &resolved.people, &matchers, &coverage, &compiled);
        resolved.account_state.extend(found.states);
        resolved.account_identity.extend(found.candidates);
        resolved.match_trace.extend(found.trace);
        crowded.extend(found.crowded);
        resolved.group_reach.extend(Groups::new(system).reach(system, &compiled.group_levels(&system.system)));
        resolved.principal_risk.extend(escalation::principal_risk(system));
    }
    resolved.people.count_accounts(&resolved.account_identity);
    resolved.crowded = crowded.into_iter().collect();
    Ok(resolved)
}
