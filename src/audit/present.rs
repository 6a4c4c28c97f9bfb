//! From an audit to the report: the verdict, the counts, and every row behind them.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::{Audit, AuditError, Gate, Prepared, Settings};
use crate::engine::System;
use crate::model::time::DAY;
use crate::model::*;
use crate::report::{
    AsOfFrom, Asked, CheckEntry, CheckOutcome, ExceptionEntry, ExceptionStatus, FindingEntry, IdentityCounts, MissingSource, OverrideEntry,
    RejectEntry, Report, Source, SourceFile, Totals, Verdict, VerdictWord, trend_point,
};
use crate::triage::is_live;

/// Rejects that a report lists one by one; all of them are in the store.
const REJECTS_LISTED: usize = 200;

/// Of one system and kind: hundreds of one kind must not push another off the page.
const REJECTS_OF_A_KIND: usize = 20;

/// How much later than its snapshot's instant a fact may be before the instant is doubted: an export takes time, and a date alone names
/// its first instant.
const LATE: i64 = DAY;

/// The report of an audit.
///
/// # Errors
/// A finding that lacks what every finding must have.
pub fn report(audit: &Audit, settings: &Settings) -> Result<Report, AuditError> {
    let controls: BTreeMap<&str, &[String]> = audit.prepared.iter().map(|p| (p.check.id.as_str(), p.check.controls.as_slice())).collect();
    let shown =
        |f: &&FindingRow| f.state != FindingState::Resolved || audit.resolved_now.contains(&(f.check_id.clone(), f.fingerprint.clone()));
    let entry = |row: &FindingRow| FindingEntry::from_row(row, controls.get(row.check_id.as_str()).copied().unwrap_or_default());
    // The first that is not whole is told, whichever is met first.
    let entries: Vec<_> = audit.findings.par_iter().filter(shown).map(entry).collect();
    let findings = entries.into_iter().collect::<Result<Vec<_>, _>>().map_err(AuditError::internal)?;
    let (rejects, rejects_total) = rejects(&audit.run.systems);
    let report = Report {
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        run: audit.id.clone(),
        as_of: audit.as_of,
        as_of_from: audit.as_of_from,
        previous_run: audit.previous.clone(),
        headline: headline(audit),
        verdict: verdict(audit, &settings.gate),
        totals: Totals::default(),
        sources: audit.run.systems.iter().map(|s| source(audit, s)).collect(),
        missing: missing(audit),
        rejects,
        rejects_total,
        identity: audit.run.systems.iter().filter(|s| !s.accounts.is_empty()).map(|s| identity_counts(audit, s)).collect(),
        checks: audit.prepared.iter().map(|p| check(audit, p)).collect(),
        findings,
        exceptions: audit.exceptions.iter().map(exception).collect(),
        overrides: audit.prepared.iter().filter_map(overridden).collect(),
        metrics: audit.metrics.clone(),
    };
    let mut report = report.seal();
    report.metrics.trend.push(trend_point(&report.run, report.as_of, &report.totals));
    Ok(report)
}

fn headline(audit: &Audit) -> Vec<String> {
    let mut out = Vec::new();
    if audit.as_of_from == AsOfFrom::Derived {
        out.push(format!(
            "freshness was not evaluated: as_of {} was derived from the newest snapshot; give --as-of to judge it",
            audit.as_of
        ));
    }
    for (system, n) in &audit.later {
        out.push(format!("{n} snapshots of `{system}` are later than as_of and were ignored"));
    }
    if audit.crowded > 0 {
        out.push(format!("{} values are shared by too many identities to tie an account to any of them", audit.crowded));
    }
    out.extend(catalogue(&audit.run.roles_seen));
    out.extend(unlisted(&audit.run.leaver_reach));
    let unstated = |s: &&System| !s.identities.is_empty() && s.manifest.population.is_none();
    for s in audit.run.systems.iter().filter(unstated) {
        out.push(format!("`{}` does not state its population; it was read as complete (`all`)", s.name));
    }
    for s in &audit.run.systems {
        if let Some(newest) = newest_fact(s).filter(|t| t.micros() - s.observed_at().micros() > LATE) {
            out.push(format!(
                "`{}` is dated {} and holds something of {newest}: if it was exported later, import it with the right `taken_at`",
                s.name,
                s.observed_at()
            ));
        }
    }
    out
}

/// Accounts of leavers whose secrets are not listed one by one, by reason.
fn unlisted(reach: &[LeaverReachRow]) -> Vec<String> {
    let mut accounts: BTreeMap<&str, BTreeSet<(u32, &str)>> = BTreeMap::new();
    for (why, row) in reach.iter().filter_map(|r| Some((r.excluded.as_deref()?, r))) {
        accounts.entry(why).or_default().insert((row.system_ix, &row.account));
    }
    let said = |(why, of): (&str, BTreeSet<(u32, &str)>)| {
        let accounts = crate::report::plural(of.len() as u64, "account", "accounts");
        format!("secrets that {accounts} of leavers could read are not listed one by one: {why}")
    };
    accounts.into_iter().map(said).collect()
}

/// What of the role catalogue hides access, and what of it means nothing here.
fn catalogue(roles: &[RoleSeenRow]) -> Vec<String> {
    let mut out: Vec<String> = roles
        .iter()
        .filter_map(|r| {
            let systems = r.catch_all.as_deref()?;
            let due = crate::report::plural(u64::from(r.due_to), "holder", "holders");
            Some(format!("role `{}` gives every right of {systems}: nothing of its {due} there can lie outside the role catalogue", r.role))
        })
        .collect();
    let sum = |f: fn(&RoleSeenRow) -> u32| roles.iter().map(|r| u64::from(f(r))).sum::<u64>();
    let parts = [
        (sum(|r| u32::from(r.unconditional)), "role without a condition, due to nobody", "roles without a condition, due to nobody"),
        (sum(|r| r.titles_unheld), "title that nobody holds", "titles that nobody holds"),
        (sum(|r| r.org_units_unheld), "unit that nobody belongs to", "units that nobody belongs to"),
        (sum(|r| r.holders_unknown), "holder that names nobody or several people", "holders that name nobody or several people"),
        (sum(|r| r.rights_unknown), "right that names nothing in its system", "rights that name nothing in their system"),
        (
            sum(|r| r.rights_elsewhere),
            "right in a system that is not among the sources",
            "rights in systems that are not among the sources",
        ),
    ];
    let said: Vec<String> = parts.iter().filter(|(n, ..)| *n > 0).map(|(n, one, many)| crate::report::plural(*n, one, many)).collect();
    if !said.is_empty() {
        out.push(format!("the role catalogue has {}", said.join(", ")));
    }
    out
}

/// The newest creation or use inside a snapshot, which its export cannot precede.
fn newest_fact(s: &System) -> Option<Time> {
    let accounts = s.accounts.newest("created_at", |a| a.created_at).max(s.accounts.newest("last_used_at", |a| a.last_used_at));
    let credentials = s.credentials.newest("created_at", |c| c.created_at).max(s.credentials.newest("last_used_at", |c| c.last_used_at));
    accounts.max(credentials)
}

/// The exit code and its reasons, by precedence: could not finish, a check of the user's own failed, incomplete input, findings.
pub fn verdict(audit: &Audit, gate: &Gate) -> Verdict {
    let failed: Vec<&str> = audit.outcomes.iter().filter(|o| o.outcome == OutcomeKind::Failed).map(|o| o.check_id.as_str()).collect();
    let incomplete: Vec<&SourceRow> = audit.run.sources.iter().filter(|s| s.expected && is_incomplete(s)).collect();
    let counted = |f: &&FindingRow| is_live(f.state) && !f.also && (f.certainty == Certainty::Certain || gate.possible);
    let over = |severity: Option<Severity>, f: &FindingRow| severity.is_some_and(|s| f.severity >= s);
    let open = audit.findings.iter().filter(counted).filter(|f| over(gate.fail_on, f)).count();
    let fresh = |f: &&FindingRow| matches!(f.state, FindingState::New | FindingState::Reopened);
    let new = audit.findings.iter().filter(counted).filter(fresh).filter(|f| over(gate.fail_on_new, f)).count();

    let mut sentences = Vec::new();
    if !failed.is_empty() {
        sentences.push(format!("{} could not be run: {}", plural(failed.len(), "check"), failed.join(", ")));
    }
    for s in &incomplete {
        sentences.push(format!("source `{}` is incomplete: {}", s.system, s.problems.as_deref().unwrap_or("not known why")));
    }
    if let Some(severity) = gate.fail_on.filter(|_| open > 0) {
        sentences.push(format!("{} of severity {severity} or higher", plural(open, "finding")));
    }
    if let Some(severity) = gate.fail_on_new.filter(|_| new > 0) {
        sentences.push(format!("{} new or reopened, of severity {severity} or higher", plural(new, "finding")));
    }
    let not_evaluated = audit.outcomes.iter().filter(|o| o.outcome == OutcomeKind::NotEvaluated).count();
    if not_evaluated > 0 {
        sentences
            .push(format!("{} not evaluated for want of input; they say nothing, not that all is well", plural(not_evaluated, "question")));
    }
    let (exit_code, word) = match (failed.is_empty(), incomplete.is_empty(), open + new) {
        (false, _, _) if failed.iter().any(|id| !audit.broken.contains_key(*id)) => (4, VerdictWord::Failed),
        (false, _, _) => (2, VerdictWord::Failed),
        (_, false, _) => (3, VerdictWord::Incomplete),
        (_, _, 0) => (0, VerdictWord::Clean),
        _ => (1, VerdictWord::Findings),
    };
    if exit_code == 0 {
        sentences.insert(0, "no finding at or over the threshold".to_owned());
    }
    Verdict { exit_code, word, sentences }
}

fn is_incomplete(s: &SourceRow) -> bool {
    !s.present || [s.complete, s.fresh, s.in_step, s.within_rejects].contains(&Answer::No)
}

fn plural(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn source(audit: &Audit, s: &System) -> Source {
    let seen = audit.run.seen.get(s.ix as usize);
    let row = audit.run.sources.iter().find(|r| r.system == s.name);
    let problems = row.and_then(|r| r.problems.as_deref()).map(|p| p.split("; ").map(str::to_owned).collect()).unwrap_or_default();
    Source {
        system: s.name.clone(),
        connector: s.manifest.connector.clone(),
        observed_at: s.observed_at(),
        taken_at_from: s.manifest.taken_at_from.clone(),
        age_days: row.and_then(|r| r.age_days),
        team: seen.and_then(|r| r.team.clone()),
        owner: seen.and_then(|r| r.owner_ref.clone()),
        environment: seen.and_then(|r| r.environment.clone()),
        authority: seen.is_some_and(|r| r.authority),
        expected: row.is_some_and(|r| r.expected),
        complete: seen.is_some_and(|r| r.complete),
        fresh: seen.map_or(Answer::Unknown, |r| r.fresh),
        problems,
        covers: s.covers.iter().cloned().collect(),
        tables: s.manifest.tables.iter().filter(|t| s.covers.contains(&t.name) || t.rows > 0).map(|t| (t.name.clone(), t.rows)).collect(),
        files: s.manifest.files.iter().map(source_file).collect(),
        ignored_later: audit.later.get(&s.name).copied().unwrap_or(0),
    }
}

fn source_file(f: &crate::store::FileEntry) -> SourceFile {
    SourceFile {
        name: f.name.clone(),
        size: f.size,
        sha256: f.sha256.clone(),
        shape: f.shape.clone().unwrap_or_default(),
        read: f.read,
        accepted: f.accepted,
        rejected: f.rejected,
        control_total: f.control_total,
        covers_from: f.covers_from,
        covers_to: f.covers_to,
        short: f.short.clone(),
        notes: f.notes.clone(),
        extracted_by: f.provenance.extracted_by.clone(),
        extracted_role: f.provenance.extracted_role.clone(),
        command: f.provenance.command.clone(),
        filters: f.provenance.filters.clone(),
        extracted_at: f.provenance.extracted_at.as_deref().and_then(|t| Time::parse_iso(t).ok()),
    }
}

fn missing(audit: &Audit) -> Vec<MissingSource> {
    let absent = audit.run.sources.iter().filter(|s| !s.present);
    absent.map(|s| MissingSource { system: s.system.clone(), expected: s.expected }).collect()
}

fn rejects(systems: &[System]) -> (Vec<RejectEntry>, u64) {
    let all = systems.iter().flat_map(|s| s.rejects.iter().map(move |r| (s, r)));
    let total = systems.iter().map(|s| s.rejects.len() as u64).sum();
    let mut kinds: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let few = all.filter(|(s, r)| {
        let of_kind = kinds.entry((&s.name, &r.reason)).or_default();
        *of_kind += 1;
        *of_kind <= REJECTS_OF_A_KIND
    });
    let listed = few.take(REJECTS_LISTED).map(|(s, r)| RejectEntry {
        system: s.name.clone(),
        file: s.file_label(r.file_ix),
        unit: r.unit,
        number: r.number,
        reason: r.reason.clone(),
        message: r.message.clone(),
        help: r.help.clone(),
        excerpt: r.excerpt.clone(),
    });
    (listed.collect(), total)
}

fn identity_counts(audit: &Audit, s: &System) -> IdentityCounts {
    let mut c = IdentityCounts { system: s.name.clone(), ..IdentityCounts::default() };
    let states = &audit.run.account_state;
    let own = states.partition_point(|r| r.system_ix < s.ix)..states.partition_point(|r| r.system_ix <= s.ix);
    for state in states.get(own).unwrap_or_default() {
        c.accounts += 1;
        *match state.match_state {
            MatchState::Linked => &mut c.linked,
            MatchState::Disputed => &mut c.disputed,
            MatchState::Orphan => &mut c.orphan,
            MatchState::Ghost => &mut c.ghost,
            MatchState::Unregistered => &mut c.unregistered,
            MatchState::Unowned => &mut c.unowned,
            MatchState::TooNew => &mut c.too_new,
            MatchState::NotApplicable => &mut c.not_applicable,
            MatchState::NotEvaluated => &mut c.not_evaluated,
        } += 1;
    }
    c
}

fn check(audit: &Audit, p: &Prepared) -> CheckEntry {
    let outcomes = audit.outcomes.iter().filter(|o| o.check_id == p.check.id).map(|o| CheckOutcome {
        system: o.system.clone(),
        outcome: o.outcome,
        reason: o.reason.clone(),
        asked: Asked {
            population: o.population,
            evaluated: o.evaluated,
            unknown: o.unknown,
            too_new: o.too_new,
            not_yet_observable: o.not_yet_observable,
            before_coverage: o.before_coverage,
        },
        certain: o.certain,
        possible: o.possible,
    });
    CheckEntry {
        id: p.check.id.clone(),
        title: p.check.title.clone(),
        severity: p.severity,
        severity_was: p.severity_was,
        confidence: p.check.confidence.as_str().to_owned(),
        grain: p.check.grain.as_str().to_owned(),
        description: p.check.description.clone(),
        remedy: p.check.remedy.clone(),
        false_positives: vec![p.check.false_positives.clone()],
        controls: p.check.controls.clone(),
        parameters: p.parameters.clone(),
        outcomes: outcomes.collect(),
        asked: Asked::default(),
        counts: Totals::default(),
        rule_text: p.query.text().to_owned(),
        overridden: p.reason.clone(),
    }
}

fn overridden(p: &Prepared) -> Option<OverrideEntry> {
    let reason = p.reason.clone()?;
    let mut what = Vec::new();
    if !p.enabled {
        what.push("switched off".to_owned());
    }
    if let Some(was) = p.severity_was {
        what.push(format!("severity {was} → {}", p.severity));
    }
    let changed = p.parameters.iter().filter(|(k, v)| p.check.parameters.get(k).is_some_and(|d| super::settings::shown(&d.default) != *v));
    what.extend(changed.map(|(k, v)| format!("{k} = {v}")));
    Some(OverrideEntry { check: p.check.id.clone(), what: what.join(", "), reason })
}

pub(super) fn exception(e: &ExceptionMatchRow) -> ExceptionEntry {
    let status = match e.status.as_str() {
        "applies" => ExceptionStatus::Applies,
        "expired" => ExceptionStatus::Expired,
        "not_yet" => ExceptionStatus::NotYet,
        "void" => ExceptionStatus::Void,
        _ => ExceptionStatus::Unmatched,
    };
    ExceptionEntry {
        id: e.exception.clone(),
        status,
        why: e.why.clone().unwrap_or_default(),
        findings: u64::from(e.findings),
        expires_at: e.expires_at,
        owner: e.owner.clone(),
        approver: e.approver.clone(),
    }
}
