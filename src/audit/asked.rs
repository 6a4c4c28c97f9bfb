//! What the records of others say of this run: from when to when the logs speak, approvals, revocations.

use std::collections::BTreeSet;

use super::{Settings, SourcePolicy, drift, system_input};
use crate::engine::{Run, System};
use crate::model::{LogCoverageRow, REQUESTS, RequestRow};
use crate::resolve::{ApprovalInput, LogInput, Resolved, SystemInput, SystemNames};

/// Fills `log_coverage`, `approvals` and `revocations` of a run. Needs its `edge_history`.
pub(super) fn judge(run: &mut Run, resolved: &Resolved, settings: &Settings) {
    let policies: Vec<SourcePolicy> = run.systems.iter().map(|s| settings.policy(&s.name)).collect();
    let named = run.systems.iter().zip(&policies).map(|(s, p)| (s.ix, s.name.as_str(), p.aliases.as_slice()));
    let names = SystemNames::new(named);
    let logs: Vec<LogInput<'_>> = run
        .systems
        .iter()
        .map(|s| {
            let (covers_from, covers_to) = s.manifest.covered_time();
            LogInput {
                system_ix: s.ix,
                observed_at: s.observed_at(),
                covers_from,
                covers_to,
                covers: s.covers.clone(),
                requests: &s.requests,
                reviews: &s.reviews,
                workflow_log: &s.workflow_log,
                events: &s.events,
            }
        })
        .collect();
    let log_coverage = crate::resolve::log_coverage(&logs, &names);
    let requests: Vec<(u32, &RequestRow)> = run.systems.iter().flat_map(|s| s.requests.iter().map(|r| (s.ix, r))).collect();
    let asked: Vec<(u32, RequestRow)> =
        run.systems.iter().flat_map(|s| s.reviews.iter().filter_map(drift::as_request).map(|r| (s.ix, r))).collect();
    let reviewed: Vec<(u32, &RequestRow)> = asked.iter().map(|(ix, r)| (*ix, r)).collect();
    let input = ApprovalInput {
        systems: &spoken_of(&run.systems, &requests, &names, &log_coverage),
        requests: &requests,
        names: &names,
        people: &resolved.people,
        candidates: &resolved.account_identity,
        coverage: &log_coverage,
        aliases: &settings.resolve.entitlement_aliases,
        first_seen: &|system_ix, grant, edge_ix| run.edge_history.presence(system_ix, grant, edge_ix).map(|h| (h.last_absent, h.since_by)),
    };
    let (approvals, revocations) = crate::resolve::approvals(&input);
    let ended = if reviewed.is_empty() {
        Vec::new()
    } else {
        let systems = spoken_of(&run.systems, &reviewed, &names, &[]);
        crate::resolve::approvals(&ApprovalInput { systems: &systems, requests: &reviewed, ..input }).1
    };
    (run.log_coverage, run.approvals, run.revocations) = (log_coverage, approvals, revocations);
    drift::note_reviews(&mut run.edge_history, &ended);
}

/// The systems of which some requests speak, or may: those that they name, those whose requests are kept, all if one names no system, and
/// those whose own records refer to requests. Of no other can anything be said, so that its rows need not be held.
fn spoken_of(systems: &[System], requests: &[(u32, &RequestRow)], names: &SystemNames, coverage: &[LogCoverageRow]) -> Vec<SystemInput> {
    let kept = coverage.iter().filter(|c| c.log == REQUESTS.name).map(|c| c.system_ix);
    let named: BTreeSet<u32> = requests.iter().filter_map(|(_, r)| names.find(r.system.as_deref()?)).chain(kept).collect();
    let nameless = requests.iter().any(|(_, r)| r.system.is_none());
    let refers = |s: &System| {
        s.memberships.any("request_ref", |m| m.request_ref.is_some()) || s.grants.any("request_ref", |g| g.request_ref.is_some())
    };
    let spoken = |s: &&System| nameless || named.contains(&s.ix) || !requests.is_empty() && refers(s);
    systems.iter().filter(spoken).map(system_input).collect()
}
