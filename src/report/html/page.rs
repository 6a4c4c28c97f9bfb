//! What the page needs beyond the model: findings by check and by case, sums per source, widths of a bar.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::super::explain::plain;
use super::super::format::{plural, up_to};
use super::super::model::{
    CheckEntry, ExceptionEntry, FindingEntry, IdentityCounts, MissingSource, Origin, OverrideEntry, RejectEntry, Report, Source, Totals,
    Verdict,
};
use super::views::{self, MetricView, View};
use super::words::WORDS;
use crate::model::{Answer, Severity, Time};

/// Up to this many findings, the groups stand open.
const OPEN: usize = 60;

/// Findings of a group that paper shows; the style hides the others.
const PRINTED: usize = 30;

/// Findings of a check, and cases, that the page shows: a browser must open it, and the files beside it have all.
pub(super) const LISTED: usize = 200;

/// Everything but the findings themselves.
#[derive(Serialize)]
pub struct Page<'a> {
    tool_version: &'a str,
    run: &'a str,
    as_of: Time,
    as_of_from: &'static str,
    previous_run: Option<&'a str>,
    headline: &'a [String],
    verdict: &'a Verdict,
    totals: &'a Totals,
    bars: Vec<Bar>,
    sources: Vec<SourceView<'a>>,
    problems: Vec<(&'a str, String)>,
    missing: &'a [MissingSource],
    rejects: &'a [RejectEntry],
    rejects_total: u64,
    identity: &'a [IdentityCounts],
    cases: Vec<Case<'a>>,
    /// Cases that the page leaves out.
    unlisted_cases: usize,
    /// Live findings that are in no case.
    alone: usize,
    checks: Vec<CheckView<'a>>,
    exceptions: &'a [ExceptionEntry],
    overrides: &'a [OverrideEntry],
    words: &'static [(&'static str, &'static str)],
    by_system: Vec<View<'a>>,
    by_owner: Vec<View<'a>>,
    metrics: Vec<MetricView<'a>>,
}

/// One severity's part of the bar, in thousandths of its length.
#[derive(Serialize)]
struct Bar {
    severity: Severity,
    certain: u64,
    /// Certain and possible.
    count: u64,
    x: u64,
    width: u64,
}

#[derive(Serialize)]
struct SourceView<'a> {
    source: &'a Source,
    read: u64,
    accepted: u64,
    rejected: u64,
    states: Vec<&'static str>,
}

#[derive(Serialize)]
struct CheckView<'a> {
    check: &'a CheckEntry,
    evaluated: bool,
    /// It has a group of findings to link to.
    listed: bool,
}

/// Live findings that share a case.
#[derive(Serialize)]
struct Case<'a> {
    who: &'a str,
    system: &'a str,
    severity: Severity,
    tally: String,
    findings: Vec<CaseFinding<'a>>,
}

#[derive(Serialize)]
struct CaseFinding<'a> {
    fingerprint: &'a str,
    title: &'a str,
    remedy: &'a str,
    /// It is on the page.
    listed: bool,
}

/// The findings of one check.
pub struct Group<'a> {
    pub head: GroupHead<'a>,
    pub findings: Vec<&'a FindingEntry>,
}

#[derive(Serialize)]
pub struct GroupHead<'a> {
    check: &'a str,
    title: &'a str,
    severity: Severity,
    tally: String,
    open: bool,
    /// Findings of the page that are not printed on paper.
    unprinted: usize,
    /// Findings that the page leaves out.
    unlisted: usize,
}

/// One finding and what is said around it.
#[derive(Serialize)]
pub struct FindingView<'a> {
    finding: &'a FindingEntry,
    live: bool,
    facts: Vec<(&'static str, String)>,
    /// Values as text; null stays null.
    evidence: Vec<(&'a str, Option<String>)>,
    origins: Vec<OriginView<'a>>,
}

#[derive(Serialize)]
struct OriginView<'a> {
    place: String,
    table: &'a str,
    fact: &'a str,
}

impl<'a> Page<'a> {
    pub fn of(r: &'a Report) -> Self {
        let (mut cases, alone) = cases(r);
        let unlisted_cases = cases.len().saturating_sub(LISTED);
        cases.truncate(LISTED);
        let listed: BTreeSet<&str> = r.findings.iter().map(|f| f.check.as_str()).collect();
        Self {
            tool_version: &r.tool_version,
            run: &r.run,
            as_of: r.as_of,
            as_of_from: r.as_of_from.as_str(),
            previous_run: r.previous_run.as_deref(),
            headline: &r.headline,
            verdict: &r.verdict,
            totals: &r.totals,
            bars: bars(r),
            sources: r.sources.iter().map(SourceView::of).collect(),
            problems: problems(r),
            missing: &r.missing,
            rejects: &r.rejects,
            rejects_total: r.rejects_total,
            identity: &r.identity,
            cases,
            alone,
            unlisted_cases,
            checks: r
                .checks
                .iter()
                .map(|check| CheckView { check, evaluated: check.was_evaluated(), listed: listed.contains(check.id.as_str()) })
                .collect(),
            exceptions: &r.exceptions,
            overrides: &r.overrides,
            words: WORDS,
            by_system: views::by_system(r),
            by_owner: views::by_owner(r),
            metrics: views::metrics(r),
        }
    }
}

impl<'a> SourceView<'a> {
    fn of(source: &'a Source) -> Self {
        let sum = |of: fn(&super::super::model::SourceFile) -> u64| source.files.iter().map(of).sum();
        let mut states = vec![if source.complete { "complete" } else { "incomplete" }];
        if source.fresh == Answer::No {
            states.push("stale");
        }
        Self { source, read: sum(|f| f.read), accepted: sum(|f| f.accepted), rejected: sum(|f| f.rejected), states }
    }
}

/// What is wrong with a source, and which later snapshots were left aside.
fn problems(r: &Report) -> Vec<(&str, String)> {
    let of = |s: &Source| {
        let later = (s.ignored_later > 0)
            .then(|| format!("{} later than `as_of`, ignored", plural(u64::from(s.ignored_later), "snapshot", "snapshots")));
        s.problems.iter().cloned().chain(later).collect::<Vec<_>>()
    };
    r.sources.iter().flat_map(|s| of(s).into_iter().map(|p| (s.system.as_str(), p))).collect()
}

fn bars(r: &Report) -> Vec<Bar> {
    let all = r.totals.certain + r.totals.possible;
    let mut before = 0;
    let mut bars = Vec::new();
    for (severity, certain, possible) in r.by_severity() {
        let count = certain + possible;
        // Both ends from running sums, so that rounding leaves no gap.
        let at = |n: u64| n.saturating_mul(1_000) / all.max(1);
        bars.push(Bar { severity, certain, count, x: at(before), width: at(before + count) - at(before) });
        before += count;
    }
    bars
}

/// Findings by check, in the report's order; settled ones stand at the end of their group.
pub fn groups(r: &Report) -> Vec<Group<'_>> {
    let open = r.findings.len() <= OPEN;
    let mut order: Vec<&str> = Vec::new();
    let mut by_check: BTreeMap<&str, Vec<&FindingEntry>> = BTreeMap::new();
    for finding in &r.findings {
        let held = by_check.entry(&finding.check).or_default();
        if held.is_empty() {
            order.push(&finding.check);
        }
        held.push(finding);
    }
    order.into_iter().filter_map(|check| by_check.remove(check).and_then(|findings| group(r, findings, open))).collect()
}

fn group<'a>(r: &'a Report, mut findings: Vec<&'a FindingEntry>, open: bool) -> Option<Group<'a>> {
    let first = *findings.first()?;
    let check = r.checks.iter().find(|c| c.id == first.check);
    let counts = Totals::of(findings.iter().copied());
    let mut parts = vec![format!("{} live", up_to(counts.certain, counts.possible))];
    for (count, word) in [
        (counts.states.new, "new"),
        (counts.states.reopened, "reopened"),
        (counts.states.unverified, "unverified"),
        (counts.states.excepted, "excepted"),
        (counts.states.resolved, "resolved"),
        (counts.also, "also"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    let unlisted = findings.len().saturating_sub(LISTED);
    findings.truncate(LISTED);
    let head = GroupHead {
        check: &first.check,
        title: check.map_or("A check that this run no longer has", |c| c.title.as_str()),
        severity: check.map_or(first.severity, |c| c.severity),
        tally: parts.join(", "),
        open: open && counts.certain + counts.possible > 0,
        unprinted: findings.len().saturating_sub(PRINTED),
        unlisted,
    };
    Some(Group { head, findings })
}

/// Live findings by case, worst and fullest first, and how many are left over. One finding without a person is no case.
fn cases(r: &Report) -> (Vec<Case<'_>>, usize) {
    let listed: BTreeSet<&str> = groups(r).iter().flat_map(|g| g.findings.iter().map(|f| f.fingerprint.as_str())).collect();
    let mut by_key: BTreeMap<(&str, &str), Vec<&FindingEntry>> = BTreeMap::new();
    for finding in r.findings.iter().filter(|f| f.is_live() && !f.also) {
        by_key.entry((&finding.case_key, &finding.system)).or_default().push(finding);
    }
    let (held, alone): (Vec<_>, Vec<_>) = by_key.into_values().partition(|all| all.len() > 1 || all.iter().any(|f| f.identity.is_some()));
    let mut cases: Vec<Case<'_>> = held.into_iter().filter_map(|findings| case(findings, &listed)).collect();
    cases.sort_by(|a, b| (b.severity, b.findings.len(), a.system, a.who).cmp(&(a.severity, a.findings.len(), b.system, b.who)));
    (cases, alone.iter().map(Vec::len).sum())
}

fn case<'a>(findings: Vec<&'a FindingEntry>, listed: &BTreeSet<&str>) -> Option<Case<'a>> {
    let finding = |f: &&'a FindingEntry| CaseFinding {
        fingerprint: &f.fingerprint,
        title: &f.title,
        remedy: &f.remedy,
        listed: listed.contains(f.fingerprint.as_str()),
    };
    let first = *findings.first()?;
    let named = findings.iter().find_map(|f| f.identity_name.as_deref().or(f.identity.as_deref()));
    Some(Case {
        who: named.or(first.account.as_deref()).unwrap_or_else(|| first.subject_label()),
        system: &first.system,
        severity: findings.iter().map(|f| f.severity).max()?,
        tally: plural(u64::try_from(findings.len()).unwrap_or(u64::MAX), "finding", "findings"),
        findings: findings.iter().map(finding).collect(),
    })
}

impl<'a> FindingView<'a> {
    pub fn of(f: &'a FindingEntry) -> Self {
        Self {
            finding: f,
            live: f.is_live(),
            facts: facts(f),
            evidence: f.evidence.iter().map(|(name, value)| (name.as_str(), shown(value))).collect(),
            origins: f.origins.iter().map(OriginView::of).collect(),
        }
    }
}

impl<'a> OriginView<'a> {
    fn of(o: &'a Origin) -> Self {
        Self { place: o.place(), table: &o.table, fact: &o.fact }
    }
}

fn shown(value: &Value) -> Option<String> {
    (!value.is_null()).then(|| plain(value))
}

/// The parts that a finding has, each with its name; what it has not is left out.
fn facts(f: &FindingEntry) -> Vec<(&'static str, String)> {
    let time = |t: Option<Time>| t.map(|t| t.to_string());
    let account = f.account.clone().filter(|a| *a != f.subject.native_id);
    let holder = f.principal.clone().filter(|p| Some(p) != f.account.as_ref());
    let target_name = f.target_name.clone().filter(|n| Some(n) != f.target.as_ref());
    [
        ("name", f.subject.name.clone()),
        ("account", account),
        ("person", f.identity_name.clone()),
        ("person's id", f.identity.clone()),
        ("holder", holder),
        ("to take away", f.target.clone()),
        ("its name", target_name),
        ("resource", f.resource.clone()),
        ("since", time(f.since)),
        ("observed", time(f.observed_at)),
        ("first seen", Some(f.first_seen.to_string())),
        ("last seen", Some(f.last_seen.to_string())),
        ("exception", f.exception.clone()),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|v| (name, v)))
    .collect()
}
