//! `summary.json`: the answer of a run in a page, for schedulers and dashboards.

use serde::{Deserialize, Serialize};

use super::pretty;
use super::v1::{CountsV1, StatesV1};
use crate::model::{Answer, Severity, Time};
use crate::report::model::{CheckEntry, Report, SeverityCounts, Source, StateCounts, Totals};

/// A file that the run wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WrittenFile {
    /// Path below the run's directory.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// 64 hex digits.
    pub sha256: String,
}

#[derive(Serialize)]
struct Summary<'a> {
    schema: &'static str,
    tool_version: &'a str,
    run: &'a str,
    as_of: Time,
    as_of_from: &'static str,
    previous_run: Option<&'a str>,
    exit_code: u8,
    verdict: &'static str,
    sentences: &'a [String],
    totals: CountsV1,
    checks: Vec<Check<'a>>,
    sources_incomplete: Vec<Incomplete<'a>>,
    rejects: u64,
    files: &'a [WrittenFile],
}

#[derive(Serialize)]
struct Check<'a> {
    check: &'a str,
    severity: Severity,
    evaluated: bool,
    certain: u64,
    possible: u64,
    states: StatesV1,
}

#[derive(Serialize)]
struct Incomplete<'a> {
    system: &'a str,
    expected: bool,
    /// Empty: there is no snapshot at all.
    problems: &'a [String],
}

/// The summary as `holdover.summary/v1`: pretty printed, with a final line feed.
///
/// # Errors
/// Only when serde_json refuses a value, which no field of the format can make it do.
pub fn summary(report: &Report, files: &[WrittenFile]) -> Result<String, serde_json::Error> {
    pretty(&Summary {
        schema: "holdover.summary/v1",
        tool_version: &report.tool_version,
        run: &report.run,
        as_of: report.as_of,
        as_of_from: report.as_of_from.as_str(),
        previous_run: report.previous_run.as_deref(),
        exit_code: report.verdict.exit_code,
        verdict: report.verdict.word.as_str(),
        sentences: &report.verdict.sentences,
        totals: CountsV1::from(&report.totals),
        checks: report.checks.iter().map(check).collect(),
        sources_incomplete: incomplete(report),
        rejects: report.rejects_total,
        files,
    })
}

/// The counts that a summary holds.
///
/// # Errors
/// It is no summary.
pub fn summary_totals(bytes: &[u8]) -> Result<Totals, serde_json::Error> {
    #[derive(Deserialize)]
    struct Stored {
        totals: StoredTotals,
    }
    #[derive(Deserialize)]
    struct StoredTotals {
        certain: u64,
        possible: u64,
        also: u64,
        states: StateCounts,
        severities: SeverityCounts,
    }
    let Stored { totals: t } = serde_json::from_slice(bytes)?;
    Ok(Totals { certain: t.certain, possible: t.possible, also: t.also, states: t.states, severities: t.severities })
}

fn check(entry: &CheckEntry) -> Check<'_> {
    Check {
        check: &entry.id,
        severity: entry.severity,
        evaluated: entry.was_evaluated(),
        certain: entry.counts.certain,
        possible: entry.counts.possible,
        states: StatesV1::from(&entry.counts.states),
    }
}

fn incomplete(report: &Report) -> Vec<Incomplete<'_>> {
    let short = |s: &&Source| !s.complete || s.fresh == Answer::No;
    let seen = report.sources.iter().filter(short).map(|s| Incomplete { system: &s.system, expected: s.expected, problems: &s.problems });
    let missing = report.missing.iter().map(|m| Incomplete { system: &m.system, expected: m.expected, problems: &[] });
    seen.chain(missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_summary_counts_what_the_report_counts() {
        let report = sample::report();
        let files = [WrittenFile { name: "findings.csv".into(), size: 3, sha256: "ab".into() }];
        let value: serde_json::Value = serde_json::from_str(&summary(&report, &files).unwrap()).unwrap();
        assert_eq!(value["schema"], "holdover.summary/v1");
        assert_eq!(value["totals"]["certain"], report.totals.certain);
        let certain: u64 = value["checks"].as_array().unwrap().iter().map(|c| c["certain"].as_u64().unwrap()).sum();
        assert_eq!(certain, report.totals.certain);
        let systems: Vec<_> = value["sources_incomplete"].as_array().unwrap().iter().map(|s| s["system"].as_str().unwrap()).collect();
        assert_eq!(systems, ["aws-prod", "ldap-lab", "crm"]);
        assert_eq!(value["files"][0]["name"], "findings.csv");
    }
}
