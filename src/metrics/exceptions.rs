//! How many exceptions there are, how old, and whose.

use super::metric::{Line, Metric, Quantity, Tally, band, band_order};
use super::{Input, days};
use crate::model::{Certainty, EXCEPTIONS, FindingState, Time};

/// One exception of the register.
#[derive(Clone, Debug, PartialEq)]
pub struct ExceptionFact {
    pub system: String,
    pub owner: Option<String>,
    /// `applies`, `expired`, `not_yet`, `void`, `unmatched`.
    pub status: String,
    /// First met in this run.
    pub new: bool,
    /// Since it is valid; `None`: not stated.
    pub age_days: Option<f64>,
}

/// The register, and what it takes out of the counts.
#[derive(Clone, Debug, Default)]
pub struct Register {
    /// Some source covers exceptions.
    pub covered: bool,
    pub exceptions: Vec<ExceptionFact>,
    /// Findings excepted: certain, possible; covered ones left out.
    pub findings: (u64, u64),
}

/// The exceptions of a run.
pub fn facts(input: &Input<'_>) -> Register {
    let since = |from: Option<Time>| from.map(|t| days(t, input.run.as_of).max(0.0));
    let exceptions = input.exceptions.iter().map(|e| ExceptionFact {
        system: e.system.clone(),
        owner: e.owner.clone(),
        status: e.status.clone(),
        new: e.first_seen == input.run.as_of,
        age_days: since(e.valid_from),
    });
    let excepted = || input.findings.iter().filter(|f| f.state == FindingState::Excepted && !f.also);
    let certain = excepted().filter(|f| f.certainty == Certainty::Certain).count() as u64;
    Register {
        covered: input.run.systems.iter().any(|s| s.covers.contains(EXCEPTIONS.name)),
        exceptions: exceptions.collect(),
        findings: (certain, excepted().count() as u64 - certain),
    }
}

const STATES: [(&str, &str); 5] =
    [("applies", "open"), ("expired", "expired"), ("void", "void"), ("not_yet", "not yet valid"), ("unmatched", "matching nothing")];

/// Exception volume.
pub fn measure(register: &Register) -> Vec<Metric> {
    let mut m = Metric::new(
        "exception-volume",
        "Exceptions on record",
        "exceptions",
        "How many exceptions the register holds, in which state, how old they are, and how many findings the open ones take out of the \
         counts.",
        "Every record of every source that covers exceptions.",
        "Open: it applies in this run. New: this run is the first that met it, whatever date it carries. Expired, void, not yet valid, \
         matching nothing: each is counted once, in the state that this run gave it. Age: from its first valid instant to the run's; \
         without one it is unknown. An expired exception is overdue, not closed.",
    );
    if !register.covered {
        return vec![m.without("no source covers exceptions")];
    }
    let all = &register.exceptions;
    m.put("on record", Quantity::count(all.len() as u64));
    for (status, name) in STATES {
        m.put(name, Quantity::count(all.iter().filter(|e| e.status == status).count() as u64));
    }
    m.put("new", Quantity::count(all.iter().filter(|e| e.new).count() as u64));
    m.put("findings excepted", Quantity::Count { certain: register.findings.0, possible: register.findings.1 });
    let columns = STATES.map(|s| s.1);
    m.by("system", &columns, tally(all, |e| e.system.clone()));
    m.by("owner", &columns, tally(all, |e| e.owner.clone().unwrap_or_else(|| "not stated".to_owned())));
    let mut ages = tally(all, |e| band(e.age_days).to_owned());
    ages.sort_by_key(|line| band_order(&line.key));
    m.by("age", &columns, ages);
    vec![m]
}

fn tally(all: &[ExceptionFact], key: impl Fn(&ExceptionFact) -> String) -> Vec<Line> {
    let mut tally = Tally::default();
    for e in all {
        if let Some(column) = STATES.iter().position(|s| s.0 == e.status) {
            tally.add(&key(e), column, STATES.len(), true);
        }
    }
    tally.lines()
}
