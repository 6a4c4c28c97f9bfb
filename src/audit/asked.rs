//! What the records of others say of this run: from when to when the logs speak, approvals, revocations.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use arrow::array::{Array, AsArray, StringArray};
use rayon::prelude::*;

use super::{AuditError, Settings, SourcePolicy, drift};
use crate::engine::parts::{Cut, Parts};
use crate::engine::{Run, System};
use crate::model::approvals::{About, Approvals};
use crate::model::*;
use crate::resolve::approvals::{Called, Finder, named, requests as read_requests};
use crate::resolve::{LogInput, People, SystemNames};
use crate::store::StoreError;
use crate::store::facts::Words;

/// Accounts that one thread takes at a time.
const CHUNK: usize = 16_384;

/// Fills `log_coverage`, `approvals` and `revocations` of a run. Needs its `edge_history` and its candidates.
///
/// # Errors
/// A table cannot be read.
pub(super) fn judge(run: &mut Run, people: &People, settings: &Settings) -> Result<(), AuditError> {
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
    let asked: Vec<(u32, RequestRow)> =
        run.systems.iter().flat_map(|s| s.reviews.iter().filter_map(drift::as_request).map(|r| (s.ix, r))).collect();
    let requests = run.systems.iter().flat_map(|s| s.requests.iter().map(|r| (s.ix, r)));
    let input = Input { run, people, names: &names, settings };
    let approvals = input.approvals(requests, &log_coverage)?;
    let revocations = input.revocations(&approvals)?;
    let reviewed = input.approvals(asked.iter().map(|(ix, r)| (*ix, r)), &[])?;
    let ended = input.revocations(&reviewed)?;
    (run.log_coverage, run.approvals, run.revocations) = (log_coverage, approvals, revocations);
    drift::note_reviews(&mut run.edge_history, &ended);
    Ok(())
}

/// What requests are held against.
#[derive(Clone, Copy)]
struct Input<'a> {
    run: &'a Run,
    people: &'a People,
    names: &'a SystemNames,
    settings: &'a Settings,
}

impl Input<'_> {
    /// What some requests say of the systems of which they speak.
    fn approvals<'r>(
        self,
        requests: impl Iterator<Item = (u32, &'r RequestRow)> + Clone,
        coverage: &[LogCoverageRow],
    ) -> Result<Approvals, StoreError> {
        let spoken = self.spoken_of(requests.clone(), coverage);
        let mut approvals = read_requests(requests, self.names, self.people);
        let found: Vec<Vec<(u32, Vec<About>)>> = {
            let finder = Finder::new(&approvals, self.people);
            spoken.iter().map(|s| self.about(s, &finder)).collect::<Result<_, _>>()?
        };
        let covered: BTreeMap<u32, &LogCoverageRow> =
            coverage.iter().filter(|c| c.log == REQUESTS.name).map(|c| (c.system_ix, c)).collect();
        for (s, about) in spoken.into_iter().zip(found) {
            let aliases = &self.settings.resolve.entitlement_aliases;
            let named = named(&approvals, &s.name, &s.groups, &s.entitlements, aliases);
            approvals.speak_of(s.ix, covered.get(&s.ix).copied().cloned(), named, about);
        }
        Ok(approvals)
    }

    /// The systems of which some requests speak, or may: those that they name, those whose requests are kept, all if one names no system, and
    /// those whose own records refer to requests. Of no other can anything be said.
    fn spoken_of<'r>(&self, requests: impl Iterator<Item = (u32, &'r RequestRow)> + Clone, coverage: &[LogCoverageRow]) -> Vec<&System> {
        let kept = coverage.iter().filter(|c| c.log == REQUESTS.name).map(|c| c.system_ix);
        let mut all = requests.clone().map(|(_, r)| r);
        let nameless = all.clone().any(|r| r.system.is_none());
        let named: BTreeSet<u32> = all.clone().filter_map(|r| self.names.find(r.system.as_deref()?)).chain(kept).collect();
        let some = all.next().is_some();
        let refers = |s: &System| {
            s.memberships.any("request_ref", |m| m.request_ref.is_some()) || s.grants.any("request_ref", |g| g.request_ref.is_some())
        };
        let spoken = |s: &&System| nameless || named.contains(&s.ix) || some && refers(s);
        self.run.systems.iter().filter(spoken).collect()
    }

    /// The accounts of a system about which there may be requests, ascending.
    fn about(&self, s: &System, finder: &Finder) -> Result<Vec<(u32, Vec<About>)>, StoreError> {
        if finder.is_empty() {
            return Ok(Vec::new());
        }
        let ranges: Vec<Range<usize>> =
            (0..s.accounts.len()).step_by(CHUNK).map(|from| from..(from + CHUNK).min(s.accounts.len())).collect();
        let parts = ranges.into_par_iter().map(|range| self.about_some(s, range, finder)).collect::<Result<Vec<_>, _>>()?;
        Ok(parts.into_iter().flatten().collect())
    }

    fn about_some(&self, s: &System, range: Range<usize>, finder: &Finder) -> Result<Vec<(u32, Vec<About>)>, StoreError> {
        let mut out = Vec::new();
        let mut account_ix = u32::try_from(range.start).unwrap_or(u32::MAX);
        let mut candidates = self.run.candidates_from(s.ix, account_ix);
        for batch in s.accounts.columns(range, &["native_id", "login_norm", "email_norm", "upn_norm"], Words::Plain)? {
            let texts: Vec<&StringArray> = batch.columns().iter().filter_map(|c| c.as_string_opt()).collect();
            let [ids, logins, mails, principals] = texts.as_slice() else {
                return Err(s.accounts.damaged("a name of an account is no text".to_owned()));
            };
            for at in 0..batch.num_rows() {
                let native_id = if ids.is_valid(at) { ids.value(at) } else { "" };
                let (own, rest) =
                    candidates.split_at(candidates.iter().take_while(|c| c.system_ix == s.ix && c.account_ix == account_ix).count());
                candidates = rest;
                let names = [logins, mails, principals].map(|of| of.is_valid(at).then(|| of.value(at)));
                let about = finder.about(Called { native_id, names }, own);
                if !about.is_empty() {
                    out.push((account_ix, about));
                }
                account_ix = account_ix.saturating_add(1);
            }
        }
        Ok(out)
    }

    /// What requests for the end of access left standing, in the order of the table's key.
    fn revocations(&self, approvals: &Approvals) -> Result<Vec<RevocationRow>, AuditError> {
        let parts = Parts::new(self.run, u32::try_from(CHUNK).unwrap_or(u32::MAX));
        let mut work: Vec<(Cut, Vec<(u32, bool)>)> = Vec::new();
        for s in &self.run.systems {
            let mut cuts = parts.cuts.iter().filter(|c| c.system_ix == s.ix).peekable();
            for (account_ix, named) in approvals.ending(s.ix) {
                while cuts.next_if(|c| c.to <= account_ix).is_some() {}
                let Some(cut) = cuts.peek() else { break };
                match work.last_mut() {
                    Some((last, some)) if last == *cut => some.push((account_ix, named)),
                    _ => work.push((**cut, vec![(account_ix, named)])),
                }
            }
        }
        let of_cut = |(cut, ending): &(Cut, Vec<(u32, bool)>)| match parts.part(*cut) {
            Some(columns) => columns.ended(approvals, ending).map_err(AuditError::internal),
            None => Ok(Vec::new()),
        };
        let mut rows: Vec<RevocationRow> = work.par_iter().map(of_cut).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        rows.sort_by_cached_key(|r| (r.request_system_ix, r.request.clone(), r.system_ix, r.account_ix, r.edge.clone(), r.edge_ix));
        Ok(rows)
    }
}
