//! From when to when the logs speak of each system (rule 11.10).

use std::collections::{BTreeMap, BTreeSet};

use super::SystemNames;
use crate::model::{EventRow, LogCoverageRow, RequestRow, ReviewRow, Time, WorkflowRow};

/// The logs of one snapshot.
#[derive(Clone, Debug, Default)]
pub struct LogInput<'a> {
    pub system_ix: u32,
    /// The snapshot's `taken_at`: no log speaks of what comes after.
    pub observed_at: Time,
    /// Stated by its files or of their extraction.
    pub covers_from: Option<Time>,
    pub covers_to: Option<Time>,
    /// Tables that the snapshot covers.
    pub covers: BTreeSet<String>,
    pub requests: &'a [RequestRow],
    pub reviews: &'a [ReviewRow],
    pub workflow_log: &'a [WorkflowRow],
    pub events: &'a [EventRow],
}

/// Table `log_coverage`. A log speaks of the systems that its records name, reviews of exceptions and events of their own. Where several logs speak of one system,
/// what all of them cover counts: each could hold what another lacks.
pub fn log_coverage(inputs: &[LogInput<'_>], names: &SystemNames) -> Vec<LogCoverageRow> {
    let mut out: BTreeMap<(u32, &'static str), LogCoverageRow> = BTreeMap::new();
    for input in inputs {
        for (log, systems, oldest) in logs(input, names) {
            // A log without a record and without a stated start says nothing.
            let Some(from) = input.covers_from.or(oldest) else { continue };
            let to = input.covers_to.unwrap_or(input.observed_at).min(input.observed_at);
            let stated = input.covers_from.is_some() && input.covers_to.is_some();
            for system_ix in systems {
                let row = LogCoverageRow { system_ix, log: log.to_owned(), covers_from: from, covers_to: to, stated };
                out.entry((system_ix, log))
                    .and_modify(|r| {
                        r.covers_from = r.covers_from.max(from);
                        r.covers_to = r.covers_to.min(to);
                        r.stated &= stated;
                    })
                    .or_insert(row);
            }
        }
    }
    let mut rows: Vec<LogCoverageRow> = out.into_values().collect();
    rows.sort_by(|a, b| (a.system_ix, &a.log).cmp(&(b.system_ix, &b.log)));
    rows
}

type Log = (&'static str, BTreeSet<u32>, Option<Time>);

/// The logs that a snapshot covers: name, systems, oldest instant.
fn logs(input: &LogInput<'_>, names: &SystemNames) -> Vec<Log> {
    let named = |systems: Vec<Option<&String>>| systems.into_iter().flatten().filter_map(|s| names.find(s)).collect::<BTreeSet<u32>>();
    let mut out: Vec<Log> = Vec::new();
    let mut add = |table: &'static str, systems: BTreeSet<u32>, oldest: Option<Time>| {
        if input.covers.contains(table) {
            out.push((table, systems, oldest));
        }
    };
    let oldest = |r: &RequestRow| [r.requested_at, r.decided_at, r.closed_at].into_iter().flatten().min();
    add("requests", named(input.requests.iter().map(|r| r.system.as_ref()).collect()), input.requests.iter().filter_map(oldest).min());
    let mut reviewed = named(input.reviews.iter().map(|r| r.system.as_ref()).collect());
    reviewed.extend(input.reviews.iter().any(|r| r.exception_ref.is_some()).then_some(input.system_ix));
    add("reviews", reviewed, input.reviews.iter().filter_map(|r| r.decided_at).min());
    let oldest = |w: &WorkflowRow| [w.event_at, w.decided_at, w.enforced_at].into_iter().flatten().min();
    let log = input.workflow_log;
    add("workflow_log", named(log.iter().map(|w| w.system.as_ref()).collect()), log.iter().filter_map(oldest).min());
    add("events", BTreeSet::from([input.system_ix]), input.events.iter().map(|e| e.at).min());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Time {
        Time::from_seconds(hours * 3_600).unwrap()
    }

    fn asked(system: &str, hours: i64) -> RequestRow {
        RequestRow { system: Some(system.into()), requested_at: Some(at(hours)), ..RequestRow::default() }
    }

    #[test]
    fn rule_11_10_a_log_speaks_of_the_systems_it_names_within_its_time() {
        let names = SystemNames::new([(0, "ad", [].as_slice()), (1, "app", &[]), (2, "wiki", &[])].into_iter());
        let covers = BTreeSet::from(["requests".to_owned()]);
        let (first, second) = ([asked("ad", 5), asked("app", 9), asked("elsewhere", 1)], [asked("app", 7)]);
        let base = LogInput { observed_at: at(100), covers: covers.clone(), ..LogInput::default() };
        let inputs = [
            LogInput { system_ix: 3, requests: &first, ..base.clone() },
            LogInput { system_ix: 4, requests: &second, covers_from: Some(at(2)), covers_to: Some(at(50)), ..base },
        ];
        let rows = log_coverage(&inputs, &names);
        let got: Vec<_> = rows.iter().map(|r| (r.system_ix, r.log.as_str(), r.covers_from, r.covers_to, r.stated)).collect();
        // `ad` is named by the first alone, whose oldest record is its start; `app` by both, so that both must cover it.
        assert_eq!(got, [(0, "requests", at(1), at(100), false), (1, "requests", at(2), at(50), false)]);
    }

    #[test]
    fn rule_11_10_what_a_table_does_not_cover_is_no_log() {
        let names = SystemNames::default();
        let covers = BTreeSet::from(["accounts".to_owned()]);
        let events = [EventRow { at: at(5), ..EventRow::default() }];
        let input = LogInput { observed_at: at(9), covers: covers.clone(), events: &events, ..LogInput::default() };
        assert!(log_coverage(&[input], &names).is_empty());
        let covers = BTreeSet::from(["events".to_owned()]);
        let input = LogInput {
            system_ix: 7,
            observed_at: at(9),
            covers: covers.clone(),
            events: &events,
            covers_to: Some(at(12)),
            ..LogInput::default()
        };
        let rows = log_coverage(&[input], &names);
        assert_eq!((rows[0].system_ix, rows[0].covers_from, rows[0].covers_to), (7, at(5), at(9)), "no log speaks of what comes after it");
    }
}
