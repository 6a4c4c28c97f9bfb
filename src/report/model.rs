//! What a report says, before anybody decides how it looks.
//!
//! Text is kept raw here; counts are of findings unless a field says otherwise; instants are UTC.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::metrics::{Metrics, TrendPoint};
use crate::model::{Answer, Certainty, FindingState, MatchState, OutcomeKind, RecordUnit, Severity, Standing, SubjectKind, Time};

/// Everything that one run has to tell. Made by the caller, then put in order by [`Report::seal`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Version of holdover that ran.
    pub tool_version: String,
    /// Id of the run.
    pub run: String,
    /// The instant that the run speaks of.
    pub as_of: Time,
    /// Where `as_of` came from.
    pub as_of_from: AsOfFrom,
    /// Id of the run that states are counted against; `None`: the first.
    pub previous_run: Option<String>,
    /// What must be read before anything else, one sentence each.
    pub headline: Vec<String>,
    /// The answer.
    pub verdict: Verdict,
    /// Counts over all findings; set by [`Report::seal`].
    pub totals: Totals,
    /// The current snapshot of every system.
    pub sources: Vec<Source>,
    /// Sources of the configuration that have no snapshot.
    pub missing: Vec<MissingSource>,
    /// Records that were read and not accepted, as many as the caller lists.
    pub rejects: Vec<RejectEntry>,
    /// How many there are in all.
    pub rejects_total: u64,
    /// How the accounts of each system relate to the authorities.
    pub identity: Vec<IdentityCounts>,
    /// Every check, also those that found nothing or were not evaluated.
    pub checks: Vec<CheckEntry>,
    /// Every finding, also excepted, resolved and covered ones.
    pub findings: Vec<FindingEntry>,
    /// Every exception and what became of it.
    pub exceptions: Vec<ExceptionEntry>,
    /// What the configuration changed of the checks.
    pub overrides: Vec<OverrideEntry>,
    /// Numbers with their definitions, and the series that charts are drawn from.
    pub metrics: Metrics,
}

/// Where `as_of` came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AsOfFrom {
    /// The command line or the configuration: which of them changes nothing.
    Given,
    /// The newest snapshot. Freshness is then not evaluated.
    Derived,
}

/// The answer of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Exit code of the process.
    pub exit_code: u8,
    /// The answer in one word.
    pub word: VerdictWord,
    /// Why, in whole sentences.
    pub sentences: Vec<String>,
}

/// The answer in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictWord {
    /// Nothing at or over the threshold.
    Clean,
    /// Findings at or over the threshold.
    Findings,
    /// An expected source is missing, short, stale or rejected beyond its limit.
    Incomplete,
    /// A check could not be run.
    Failed,
}

/// Counts of findings. Covered ones (`also`) are left out of every count but their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Live (new, open, reopened, unverified) and true for all candidates.
    pub certain: u64,
    /// Live and true for some candidates.
    pub possible: u64,
    /// Certain and possible ones, by state.
    pub states: StateCounts,
    /// Live ones, certain and possible, by severity.
    pub severities: SeverityCounts,
    /// Live ones whose subject a covering check reports already.
    pub also: u64,
}

/// Findings by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct StateCounts {
    pub new: u64,
    pub open: u64,
    pub reopened: u64,
    pub unverified: u64,
    pub excepted: u64,
    pub resolved: u64,
}

/// A run's counts as a point of the trend.
pub fn trend_point(run: &str, as_of: Time, totals: &Totals) -> TrendPoint {
    let s = totals.states;
    TrendPoint {
        run: run.to_owned(),
        as_of,
        certain: totals.certain,
        possible: totals.possible,
        new: s.new,
        open: s.open,
        reopened: s.reopened,
        unverified: s.unverified,
        excepted: s.excepted,
        resolved: s.resolved,
    }
}

impl Report {
    /// Counted live findings by severity, worst first: certain ones, possible ones.
    pub fn by_severity(&self) -> Vec<(Severity, u64, u64)> {
        let mut counts: BTreeMap<Reverse<Severity>, (u64, u64)> = BTreeMap::new();
        for f in self.findings.iter().filter(|f| f.is_live() && !f.also) {
            let (certain, possible) = counts.entry(Reverse(f.severity)).or_default();
            *(if f.certainty == Certainty::Possible { possible } else { certain }) += 1;
        }
        counts.into_iter().map(|(Reverse(s), (certain, possible))| (s, certain, possible)).collect()
    }
}

/// Findings by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct SeverityCounts {
    pub critical: u64,
    pub high: u64,
    pub medium: u64,
    pub low: u64,
    pub info: u64,
}

/// The current snapshot of one system and what is known of its making.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Source {
    /// Name in the configuration.
    pub system: String,
    /// Connector that read it.
    pub connector: String,
    /// The instant that it shows.
    pub observed_at: Time,
    /// `flag`, `config`, `export` or `inferred`.
    pub taken_at_from: String,
    /// `as_of` less `observed_at`, in days; `None`: freshness was not evaluated.
    pub age_days: Option<f64>,
    /// `None`: not configured.
    pub team: Option<String>,
    /// `None`: not stated.
    pub owner: Option<String>,
    /// `None`: not configured.
    pub environment: Option<String>,
    /// It holds identities.
    pub authority: bool,
    /// The configuration expects it.
    pub expected: bool,
    /// Neither short nor dropped, rejects within the limit.
    pub complete: bool,
    /// Within its maximum age.
    pub fresh: Answer,
    /// Why it is incomplete or stale.
    pub problems: Vec<String>,
    /// Tables that it covers.
    pub covers: Vec<String>,
    /// Rows of each table that it holds.
    pub tables: Vec<(String, u64)>,
    /// The files that it was read from.
    pub files: Vec<SourceFile>,
    /// Snapshots later than `as_of`, left aside.
    pub ignored_later: u32,
}

/// One file as received. What nobody stated of its extraction is `None` and printed `not stated`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SourceFile {
    /// Path relative to the configuration or the common root.
    pub name: String,
    /// Bytes as received.
    pub size: u64,
    /// Digest of the bytes as received, 64 hex digits.
    pub sha256: String,
    /// What the connector took it for.
    pub shape: String,
    /// Records read: accepted and rejected together.
    pub read: u64,
    pub accepted: u64,
    pub rejected: u64,
    /// Records that the source itself says it gave.
    pub control_total: Option<u64>,
    /// A log's first instant.
    pub covers_from: Option<Time>,
    /// A log's last instant.
    pub covers_to: Option<Time>,
    /// Why the file is short; empty: it is whole.
    pub short: Vec<String>,
    /// What the connector set aside, and how often.
    pub notes: Vec<(String, u64)>,
    pub extracted_by: Option<String>,
    pub extracted_role: Option<String>,
    pub command: Option<String>,
    pub filters: Option<String>,
    pub extracted_at: Option<Time>,
}

/// A configured source without a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingSource {
    pub system: String,
    /// An expected one makes the run incomplete.
    pub expected: bool,
}

/// A record that was read and not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RejectEntry {
    pub system: String,
    pub file: String,
    /// What `number` counts.
    pub unit: RecordUnit,
    /// Line or record, from 1.
    pub number: u64,
    /// Stable code, `<connector>/<fault>`.
    pub reason: String,
    pub message: String,
    /// How to mend it.
    pub help: String,
    /// Masked; `None`: none was kept.
    pub excerpt: Option<String>,
}

/// How the accounts of one system relate to the authorities. The states add up to `accounts`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IdentityCounts {
    pub system: String,
    pub accounts: u64,
    pub linked: u64,
    pub disputed: u64,
    pub orphan: u64,
    pub ghost: u64,
    pub unregistered: u64,
    pub unowned: u64,
    pub too_new: u64,
    pub not_applicable: u64,
    pub not_evaluated: u64,
}

/// What a check asked of how many subjects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// Subjects that it looked at.
    pub population: u64,
    /// Answered yes or no.
    pub evaluated: u64,
    /// The export does not let anyone judge.
    pub unknown: u64,
    /// Younger than the question.
    pub too_new: u64,
    /// The fact took effect at or after the subject was observed.
    pub not_yet_observable: u64,
    /// Began before the log that would answer.
    pub before_coverage: u64,
}

/// What became of one check for one system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckOutcome {
    /// `*` for a check that reads several.
    pub system: String,
    pub outcome: OutcomeKind,
    /// Why it was not evaluated or failed.
    pub reason: Option<String>,
    pub asked: Asked,
    /// Findings true for all candidates, covered ones left out.
    pub certain: u64,
    /// Findings true for some candidates, covered ones left out.
    pub possible: u64,
}

/// One check and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckEntry {
    pub id: String,
    pub title: String,
    /// After the configuration's overrides.
    pub severity: Severity,
    /// Its own severity where the configuration changed it.
    pub severity_was: Option<Severity>,
    /// How sure a finding is, in the rule's own word.
    pub confidence: String,
    /// `account`, `map-reduce` or `run`.
    pub grain: String,
    pub description: String,
    pub remedy: String,
    /// What may look like a finding and is none.
    pub false_positives: Vec<String>,
    /// Controls that it gives evidence for.
    pub controls: Vec<String>,
    /// Parameters as used.
    pub parameters: Vec<(String, String)>,
    /// Per system.
    pub outcomes: Vec<CheckOutcome>,
    /// Over all systems; set by [`Report::seal`].
    pub asked: Asked,
    /// Its findings; set by [`Report::seal`].
    pub counts: Totals,
    /// The SQL as it ran, parameters filled in.
    pub rule_text: String,
    /// The configuration's reason for changing it.
    pub overridden: Option<String>,
}

/// One finding. Only whole ones are made: see [`FindingEntry::complete`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FindingEntry {
    /// 32 hex digits; the same in every run.
    pub fingerprint: String,
    /// Id of the check.
    pub check: String,
    pub severity: Severity,
    pub certainty: Certainty,
    pub state: FindingState,
    /// A covering check reports the same subject.
    pub also: bool,
    pub system: String,
    pub subject: Subject,
    /// Native id of the account concerned.
    pub account: Option<String>,
    /// Native id of the person concerned; candidates joined by ` | `.
    pub identity: Option<String>,
    /// Their names, joined by ` | `.
    pub identity_name: Option<String>,
    /// Edges: native id of the holder.
    pub principal: Option<String>,
    /// Edges: native id of what is to be taken away.
    pub target: Option<String>,
    pub target_name: Option<String>,
    /// Edges: native id of the resource.
    pub resource: Option<String>,
    /// Findings of one person in one system share it.
    pub case_key: String,
    /// Instant at which it was judged.
    pub observed_at: Option<Time>,
    /// Instant from which the fault counts.
    pub since: Option<Time>,
    /// From `since` to `observed_at`, in days.
    pub age_days: Option<f64>,
    /// What was found, in one line.
    pub title: String,
    /// The thing to remove or correct.
    pub remedy: String,
    /// The columns of the check's row, in its order.
    pub evidence: Vec<(String, Value)>,
    /// The records of the exports that it rests on.
    pub origins: Vec<Origin>,
    /// Exception that applies.
    pub exception: Option<String>,
    /// `as_of` of the first run that found it.
    pub first_seen: Time,
    /// `as_of` of the last run that found it.
    pub last_seen: Time,
    /// Controls of its check.
    pub controls: Vec<String>,
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subject {
    pub kind: SubjectKind,
    /// An edge: `<principal> -> <target>`.
    pub native_id: String,
    /// What people call it.
    pub name: Option<String>,
}

/// The record of an export that gave a row a fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Origin {
    pub table: String,
    /// `row`, or the columns that this record gave.
    pub fact: String,
    pub file: String,
    /// What `number` counts.
    pub unit: RecordUnit,
    /// Line or record, from 1.
    pub number: u64,
}

/// What became of an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExceptionStatus {
    Applies,
    Expired,
    /// Its first instant lies ahead.
    NotYet,
    /// It lacks an expiry, an owner, a reason, or an approver who may approve.
    Void,
    /// It matches no finding.
    Unmatched,
    /// Its record was first seen in this run's future.
    PendingFirstSeen,
}

/// One exception.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExceptionEntry {
    pub id: String,
    pub status: ExceptionStatus,
    /// Why it has that status.
    pub why: String,
    /// Findings that it covers in this run.
    pub findings: u64,
    pub expires_at: Option<Time>,
    pub owner: Option<String>,
    pub approver: Option<String>,
}

/// One change that the configuration makes to a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OverrideEntry {
    pub check: String,
    /// What is changed, from what to what.
    pub what: String,
    pub reason: String,
}

/// Everything that `explain` says of one finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    pub run: String,
    pub as_of: Time,
    pub finding: FindingEntry,
    /// Its check, with the rule text as run. `None`: this run no longer has the check.
    pub check: Option<CheckEntry>,
    /// Every candidate for the account, best first.
    pub candidates: Vec<Candidate>,
    /// How the access is held, from the subject to what confers it.
    pub path: Vec<PathStep>,
    /// Ages and deadlines.
    pub arithmetic: Vec<Arithmetic>,
    /// The exception that applies.
    pub exception: Option<ExceptionEntry>,
}

/// One candidate for an account and how it was tied to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// Native id in its authority.
    pub identity: String,
    pub name: Option<String>,
    pub state: MatchState,
    pub standing: Standing,
    /// Confidence, 0 to 1.
    pub score: f64,
    /// Rules that fit, strongest first.
    pub trace: Vec<TraceLine>,
}

/// One rule that tied an account to a candidate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceLine {
    /// Tier of the rule, from 1.
    pub tier: u32,
    pub rule: String,
    pub weight: f64,
    pub account_column: String,
    pub identity_column: String,
    /// Value on which they agree.
    pub value: String,
}

/// One step of an access path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PathStep {
    /// `account`, `group`, `role`, `entitlement`, `resource`, …
    pub kind: String,
    pub name: String,
    /// `None`: the name says it all.
    pub native_id: Option<String>,
    /// How it hangs on the step before (`member of`, `may assume`, `holds`); `None`: the first.
    pub by: Option<String>,
}

/// A difference of two instants and the limit it is held against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Arithmetic {
    /// What it measures.
    pub what: String,
    /// The later instant.
    pub to: Time,
    /// The earlier instant; the latest possible one where `from_after` is given.
    pub from: Time,
    /// The earlier instant lies after this one; `None`: it is known exactly.
    pub from_after: Option<Time>,
    /// What the difference is compared with.
    pub limit: Option<Limit>,
}

/// A duration that a rule sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// The parameter's name.
    pub name: String,
    /// Microseconds.
    pub micros: i64,
}

impl CheckEntry {
    /// Whether it was evaluated for any system.
    pub fn was_evaluated(&self) -> bool {
        self.outcomes.iter().any(|o| o.outcome == OutcomeKind::Evaluated)
    }
}

impl ExceptionStatus {
    /// Its word in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applies => "applies",
            Self::Expired => "expired",
            Self::NotYet => "not-yet",
            Self::Void => "void",
            Self::Unmatched => "unmatched",
            Self::PendingFirstSeen => "pending-first-seen",
        }
    }
}

impl VerdictWord {
    /// Its word in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Findings => "findings",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
        }
    }
}

impl AsOfFrom {
    /// Its word in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Derived => "derived",
        }
    }
}

impl FindingEntry {
    /// New, open, reopened or unverified: what the totals count.
    pub fn is_live(&self) -> bool {
        match self.state {
            FindingState::New | FindingState::Open | FindingState::Reopened | FindingState::Unverified => true,
            FindingState::Excepted | FindingState::Resolved => false,
        }
    }

    /// What people call the subject, else its native id.
    pub fn subject_label(&self) -> &str {
        self.subject.name.as_deref().unwrap_or(&self.subject.native_id)
    }
}

impl Origin {
    /// `file:18` for a line, `file (record 18)` for a record.
    pub fn place(&self) -> String {
        match self.unit {
            RecordUnit::Line => format!("{}:{}", self.file, self.number),
            RecordUnit::Record => format!("{} (record {})", self.file, self.number),
        }
    }
}
