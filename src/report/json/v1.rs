//! `holdover.report/v1`. Frozen: fields may be added at the end of an object, nothing may be renamed, removed or
//! change its meaning. A test holds the output against `docs/report-v1.schema.json`.

use serde::Serialize;
use serde_json::{Map, Value};

use super::metrics::MetricsV1;
use crate::model::{Answer, Certainty, FindingState, OutcomeKind, RecordUnit, Severity, SubjectKind, Time};
use crate::report::model::{
    Asked, CheckEntry, CheckOutcome, ExceptionEntry, FindingEntry, IdentityCounts, Origin, RejectEntry, Report, SeverityCounts, Source,
    SourceFile, StateCounts, Totals,
};

#[derive(Serialize)]
pub struct ReportV1<'a> {
    schema: &'static str,
    tool_version: &'a str,
    run: &'a str,
    as_of: Time,
    as_of_from: &'static str,
    previous_run: Option<&'a str>,
    headline: &'a [String],
    verdict: VerdictV1<'a>,
    totals: CountsV1,
    sources: Vec<SourceV1<'a>>,
    missing: Vec<MissingV1<'a>>,
    rejects: RejectsV1<'a>,
    identity: Vec<IdentityV1<'a>>,
    checks: Vec<CheckV1<'a>>,
    findings: Vec<FindingV1<'a>>,
    exceptions: Vec<ExceptionV1<'a>>,
    overrides: Vec<OverrideV1<'a>>,
    metrics: MetricsV1,
}

#[derive(Serialize)]
struct VerdictV1<'a> {
    exit_code: u8,
    word: &'static str,
    sentences: &'a [String],
}

#[derive(Serialize)]
pub struct CountsV1 {
    certain: u64,
    possible: u64,
    also: u64,
    states: StatesV1,
    severities: SeveritiesV1,
}

#[derive(Serialize)]
pub struct StatesV1 {
    new: u64,
    open: u64,
    reopened: u64,
    unverified: u64,
    excepted: u64,
    resolved: u64,
}

#[derive(Serialize)]
struct SeveritiesV1 {
    critical: u64,
    high: u64,
    medium: u64,
    low: u64,
    info: u64,
}

#[derive(Serialize)]
struct SourceV1<'a> {
    system: &'a str,
    connector: &'a str,
    observed_at: Time,
    taken_at_from: &'a str,
    age_days: Option<f64>,
    team: Option<&'a str>,
    owner: Option<&'a str>,
    environment: Option<&'a str>,
    authority: bool,
    expected: bool,
    complete: bool,
    fresh: Answer,
    problems: &'a [String],
    covers: &'a [String],
    tables: Map<String, Value>,
    files: Vec<FileV1<'a>>,
    ignored_later: u32,
}

#[derive(Serialize)]
struct FileV1<'a> {
    name: &'a str,
    size: u64,
    sha256: &'a str,
    shape: &'a str,
    read: u64,
    accepted: u64,
    rejected: u64,
    control_total: Option<u64>,
    covers_from: Option<Time>,
    covers_to: Option<Time>,
    short: &'a [String],
    notes: Vec<NoteV1<'a>>,
    extracted_by: Option<&'a str>,
    extracted_role: Option<&'a str>,
    command: Option<&'a str>,
    filters: Option<&'a str>,
    extracted_at: Option<Time>,
}

#[derive(Serialize)]
struct NoteV1<'a> {
    text: &'a str,
    count: u64,
}

#[derive(Serialize)]
struct MissingV1<'a> {
    system: &'a str,
    expected: bool,
}

#[derive(Serialize)]
struct RejectsV1<'a> {
    total: u64,
    listed: Vec<RejectV1<'a>>,
}

#[derive(Serialize)]
struct RejectV1<'a> {
    system: &'a str,
    file: &'a str,
    unit: RecordUnit,
    number: u64,
    reason: &'a str,
    message: &'a str,
    help: &'a str,
    excerpt: Option<&'a str>,
}

#[derive(Serialize)]
struct IdentityV1<'a> {
    system: &'a str,
    accounts: u64,
    linked: u64,
    disputed: u64,
    orphan: u64,
    ghost: u64,
    unregistered: u64,
    unowned: u64,
    too_new: u64,
    not_applicable: u64,
    not_evaluated: u64,
}

#[derive(Serialize)]
struct AskedV1 {
    population: u64,
    evaluated: u64,
    unknown: u64,
    too_new: u64,
    not_yet_observable: u64,
    before_coverage: u64,
}

#[derive(Serialize)]
struct CheckV1<'a> {
    id: &'a str,
    title: &'a str,
    severity: Severity,
    severity_was: Option<Severity>,
    overridden: Option<&'a str>,
    confidence: &'a str,
    grain: &'a str,
    description: &'a str,
    remedy: &'a str,
    false_positives: &'a [String],
    controls: &'a [String],
    parameters: Map<String, Value>,
    asked: AskedV1,
    counts: CountsV1,
    outcomes: Vec<OutcomeV1<'a>>,
    rule: &'a str,
}

#[derive(Serialize)]
struct OutcomeV1<'a> {
    system: &'a str,
    outcome: OutcomeKind,
    reason: Option<&'a str>,
    asked: AskedV1,
    certain: u64,
    possible: u64,
}

#[derive(Serialize)]
struct FindingV1<'a> {
    fingerprint: &'a str,
    check: &'a str,
    severity: Severity,
    certainty: Certainty,
    state: FindingState,
    also: bool,
    system: &'a str,
    subject: SubjectV1<'a>,
    account: Option<&'a str>,
    identity: Option<&'a str>,
    identity_name: Option<&'a str>,
    principal: Option<&'a str>,
    target: Option<&'a str>,
    target_name: Option<&'a str>,
    resource: Option<&'a str>,
    case: &'a str,
    observed_at: Option<Time>,
    since: Option<Time>,
    age_days: Option<f64>,
    title: &'a str,
    evidence: Map<String, Value>,
    origins: Vec<OriginV1<'a>>,
    remedy: &'a str,
    controls: &'a [String],
    exception: Option<&'a str>,
    first_seen: Time,
    last_seen: Time,
}

#[derive(Serialize)]
struct SubjectV1<'a> {
    kind: SubjectKind,
    native_id: &'a str,
    name: Option<&'a str>,
}

#[derive(Serialize)]
struct OriginV1<'a> {
    table: &'a str,
    fact: &'a str,
    file: &'a str,
    unit: RecordUnit,
    number: u64,
}

#[derive(Serialize)]
struct ExceptionV1<'a> {
    id: &'a str,
    status: &'static str,
    why: &'a str,
    findings: u64,
    expires_at: Option<Time>,
    owner: Option<&'a str>,
    approver: Option<&'a str>,
}

#[derive(Serialize)]
struct OverrideV1<'a> {
    check: &'a str,
    what: &'a str,
    reason: &'a str,
}

impl<'a> From<&'a Report> for ReportV1<'a> {
    fn from(r: &'a Report) -> Self {
        Self {
            schema: "holdover.report/v1",
            tool_version: &r.tool_version,
            run: &r.run,
            as_of: r.as_of,
            as_of_from: r.as_of_from.as_str(),
            previous_run: r.previous_run.as_deref(),
            headline: &r.headline,
            verdict: VerdictV1 { exit_code: r.verdict.exit_code, word: r.verdict.word.as_str(), sentences: &r.verdict.sentences },
            totals: (&r.totals).into(),
            sources: r.sources.iter().map(Into::into).collect(),
            missing: r.missing.iter().map(|m| MissingV1 { system: &m.system, expected: m.expected }).collect(),
            rejects: RejectsV1 { total: r.rejects_total, listed: r.rejects.iter().map(Into::into).collect() },
            identity: r.identity.iter().map(Into::into).collect(),
            checks: r.checks.iter().map(Into::into).collect(),
            findings: r.findings.iter().map(Into::into).collect(),
            exceptions: r.exceptions.iter().map(Into::into).collect(),
            overrides: r.overrides.iter().map(|o| OverrideV1 { check: &o.check, what: &o.what, reason: &o.reason }).collect(),
            metrics: (&r.metrics).into(),
        }
    }
}

impl From<&Totals> for CountsV1 {
    fn from(t: &Totals) -> Self {
        Self { certain: t.certain, possible: t.possible, also: t.also, states: (&t.states).into(), severities: (&t.severities).into() }
    }
}

impl From<&StateCounts> for StatesV1 {
    fn from(s: &StateCounts) -> Self {
        Self { new: s.new, open: s.open, reopened: s.reopened, unverified: s.unverified, excepted: s.excepted, resolved: s.resolved }
    }
}

impl From<&SeverityCounts> for SeveritiesV1 {
    fn from(s: &SeverityCounts) -> Self {
        Self { critical: s.critical, high: s.high, medium: s.medium, low: s.low, info: s.info }
    }
}

impl<'a> From<&'a Source> for SourceV1<'a> {
    fn from(s: &'a Source) -> Self {
        Self {
            system: &s.system,
            connector: &s.connector,
            observed_at: s.observed_at,
            taken_at_from: &s.taken_at_from,
            age_days: s.age_days,
            team: s.team.as_deref(),
            owner: s.owner.as_deref(),
            environment: s.environment.as_deref(),
            authority: s.authority,
            expected: s.expected,
            complete: s.complete,
            fresh: s.fresh,
            problems: &s.problems,
            covers: &s.covers,
            tables: s.tables.iter().map(|(name, rows)| (name.clone(), Value::from(*rows))).collect(),
            files: s.files.iter().map(Into::into).collect(),
            ignored_later: s.ignored_later,
        }
    }
}

impl<'a> From<&'a SourceFile> for FileV1<'a> {
    fn from(f: &'a SourceFile) -> Self {
        Self {
            name: &f.name,
            size: f.size,
            sha256: &f.sha256,
            shape: &f.shape,
            read: f.read,
            accepted: f.accepted,
            rejected: f.rejected,
            control_total: f.control_total,
            covers_from: f.covers_from,
            covers_to: f.covers_to,
            short: &f.short,
            notes: f.notes.iter().map(|(text, count)| NoteV1 { text, count: *count }).collect(),
            extracted_by: f.extracted_by.as_deref(),
            extracted_role: f.extracted_role.as_deref(),
            command: f.command.as_deref(),
            filters: f.filters.as_deref(),
            extracted_at: f.extracted_at,
        }
    }
}

impl<'a> From<&'a RejectEntry> for RejectV1<'a> {
    fn from(r: &'a RejectEntry) -> Self {
        Self {
            system: &r.system,
            file: &r.file,
            unit: r.unit,
            number: r.number,
            reason: &r.reason,
            message: &r.message,
            help: &r.help,
            excerpt: r.excerpt.as_deref(),
        }
    }
}

impl<'a> From<&'a IdentityCounts> for IdentityV1<'a> {
    fn from(i: &'a IdentityCounts) -> Self {
        Self {
            system: &i.system,
            accounts: i.accounts,
            linked: i.linked,
            disputed: i.disputed,
            orphan: i.orphan,
            ghost: i.ghost,
            unregistered: i.unregistered,
            unowned: i.unowned,
            too_new: i.too_new,
            not_applicable: i.not_applicable,
            not_evaluated: i.not_evaluated,
        }
    }
}

impl From<&Asked> for AskedV1 {
    fn from(a: &Asked) -> Self {
        Self {
            population: a.population,
            evaluated: a.evaluated,
            unknown: a.unknown,
            too_new: a.too_new,
            not_yet_observable: a.not_yet_observable,
            before_coverage: a.before_coverage,
        }
    }
}

impl<'a> From<&'a CheckEntry> for CheckV1<'a> {
    fn from(c: &'a CheckEntry) -> Self {
        Self {
            id: &c.id,
            title: &c.title,
            severity: c.severity,
            severity_was: c.severity_was,
            overridden: c.overridden.as_deref(),
            confidence: &c.confidence,
            grain: &c.grain,
            description: &c.description,
            remedy: &c.remedy,
            false_positives: &c.false_positives,
            controls: &c.controls,
            parameters: c.parameters.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect(),
            asked: (&c.asked).into(),
            counts: (&c.counts).into(),
            outcomes: c.outcomes.iter().map(Into::into).collect(),
            rule: &c.rule_text,
        }
    }
}

impl<'a> From<&'a CheckOutcome> for OutcomeV1<'a> {
    fn from(o: &'a CheckOutcome) -> Self {
        Self {
            system: &o.system,
            outcome: o.outcome,
            reason: o.reason.as_deref(),
            asked: (&o.asked).into(),
            certain: o.certain,
            possible: o.possible,
        }
    }
}

impl<'a> From<&'a FindingEntry> for FindingV1<'a> {
    fn from(f: &'a FindingEntry) -> Self {
        Self {
            fingerprint: &f.fingerprint,
            check: &f.check,
            severity: f.severity,
            certainty: f.certainty,
            state: f.state,
            also: f.also,
            system: &f.system,
            subject: SubjectV1 { kind: f.subject.kind, native_id: &f.subject.native_id, name: f.subject.name.as_deref() },
            account: f.account.as_deref(),
            identity: f.identity.as_deref(),
            identity_name: f.identity_name.as_deref(),
            principal: f.principal.as_deref(),
            target: f.target.as_deref(),
            target_name: f.target_name.as_deref(),
            resource: f.resource.as_deref(),
            case: &f.case_key,
            observed_at: f.observed_at,
            since: f.since,
            age_days: f.age_days,
            title: &f.title,
            evidence: f.evidence.iter().cloned().collect(),
            origins: f.origins.iter().map(Into::into).collect(),
            remedy: &f.remedy,
            controls: &f.controls,
            exception: f.exception.as_deref(),
            first_seen: f.first_seen,
            last_seen: f.last_seen,
        }
    }
}

impl<'a> From<&'a Origin> for OriginV1<'a> {
    fn from(o: &'a Origin) -> Self {
        Self { table: &o.table, fact: &o.fact, file: &o.file, unit: o.unit, number: o.number }
    }
}

impl<'a> From<&'a ExceptionEntry> for ExceptionV1<'a> {
    fn from(e: &'a ExceptionEntry) -> Self {
        Self {
            id: &e.id,
            status: e.status.as_str(),
            why: &e.why,
            findings: e.findings,
            expires_at: e.expires_at,
            owner: e.owner.as_deref(),
            approver: e.approver.as_deref(),
        }
    }
}
