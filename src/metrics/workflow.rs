//! How often the workflow that should change access did not.

use std::collections::BTreeMap;

use super::metric::{Line, Metric, Quantity};
use crate::engine::Run;
use crate::model::{Time, WORKFLOW_LOG, WorkflowMode, WorkflowOutcome};

/// One entry of a workflow log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowFact {
    /// The system that was to change.
    pub system: String,
    pub rule: String,
    pub mode: WorkflowMode,
    pub outcome: WorkflowOutcome,
    /// Attempts after the first; `None`: not stated.
    pub retries: Option<u32>,
}

/// The logs of a run.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Names and spans of the sources that have a workflow log; empty: there is none.
    pub covers: Vec<(String, Option<Time>, Option<Time>)>,
    pub entries: Vec<WorkflowFact>,
}

/// Every entry of every workflow log.
pub fn facts(run: &Run) -> Log {
    let mut log = Log::default();
    let stated = |text: &Option<String>| text.clone().unwrap_or_else(|| "not stated".to_owned());
    for source in run.systems.iter().filter(|s| s.covers.contains(WORKFLOW_LOG.name)) {
        let (from, to) = source.manifest.covered_time();
        log.covers.push((source.name.clone(), from, to));
        log.entries.extend(source.workflow_log.iter().map(|e| WorkflowFact {
            system: stated(&e.system),
            rule: stated(&e.rule),
            mode: e.mode,
            outcome: e.outcome,
            retries: e.retries,
        }));
    }
    log
}

/// Failed-workflow rate.
pub fn measure(log: &Log) -> Metric {
    let mut m = Metric::new(
        "failed-workflows",
        "Workflow steps that failed",
        "steps",
        "The share of ended workflow steps that did not change the system as decided, who decided, and how many succeeded only after a retry.",
        "Entries of the workflow logs, within the time that each log covers. Pending steps have not ended and are counted apart.",
        "A step is one entry, however many attempts it took. Certain: its last outcome is a failure. Possible: the log does not tell its \
         outcome. Decisions by a person, or by a person against the rule, are counted over all entries; where the log does not tell who \
         decided, they are possible.",
    );
    if log.covers.is_empty() {
        return m.without("no source covers a workflow log");
    }
    for (source, from, to) in &log.covers {
        let at = |t: &Option<Time>| t.map_or_else(|| "not stated".to_owned(), |t| t.to_string());
        m.notes.push(format!("`{source}` covers {} to {}", at(from), at(to)));
    }
    let all: Vec<&WorkflowFact> = log.entries.iter().collect();
    if all.is_empty() {
        return m.without("the workflow logs hold no entry");
    }
    let of = all.len() as u64;
    m.put("steps", Quantity::count(of));
    m.put_some("failed", failed(&all));
    m.put("pending, apart", Quantity::count(ended(&all, WorkflowOutcome::Pending)));
    let unknown = by(&all, WorkflowMode::Unknown);
    m.put_some("decided by a person", Quantity::share(by(&all, WorkflowMode::Manual), unknown, of));
    m.put_some("decided against the rule", Quantity::share(by(&all, WorkflowMode::Override), unknown, of));
    m.put_some("succeeded after a retry", retried(&all));
    m.by("system", &["failed", "pending", "steps"], grouped(&all, |e| e.system.clone()));
    m.by("rule", &["failed", "pending", "steps"], grouped(&all, |e| e.rule.clone()));
    m.by("mode", &["failed", "pending", "steps"], grouped(&all, |e| e.mode.to_string()));
    m
}

fn ended(all: &[&WorkflowFact], outcome: WorkflowOutcome) -> u64 {
    all.iter().filter(|e| e.outcome == outcome).count() as u64
}

fn by(all: &[&WorkflowFact], mode: WorkflowMode) -> u64 {
    all.iter().filter(|e| e.mode == mode).count() as u64
}

fn failed(all: &[&WorkflowFact]) -> Option<Quantity> {
    let of = all.len() as u64 - ended(all, WorkflowOutcome::Pending);
    Quantity::share(ended(all, WorkflowOutcome::Failure), ended(all, WorkflowOutcome::Unknown), of)
}

/// Of the successes, those that took more than one attempt; possible where the log does not count attempts.
fn retried(all: &[&WorkflowFact]) -> Option<Quantity> {
    let won: Vec<_> = all.iter().filter(|e| e.outcome == WorkflowOutcome::Success).collect();
    let again = won.iter().filter(|e| e.retries.is_some_and(|n| n > 0)).count() as u64;
    let unknown = won.iter().filter(|e| e.retries.is_none()).count() as u64;
    Quantity::share(again, unknown, won.len() as u64)
}

fn grouped(all: &[&WorkflowFact], of: impl Fn(&WorkflowFact) -> String) -> Vec<Line> {
    let mut groups: BTreeMap<String, Vec<&WorkflowFact>> = BTreeMap::new();
    for entry in all {
        groups.entry(of(entry)).or_default().push(entry);
    }
    let line = |(key, entries): (String, Vec<&WorkflowFact>)| {
        let pending = ended(&entries, WorkflowOutcome::Pending);
        let cells = vec![failed(&entries), Some(Quantity::count(pending)), Some(Quantity::count(entries.len() as u64))];
        Line { key, cells }
    };
    groups.into_iter().map(line).collect()
}
