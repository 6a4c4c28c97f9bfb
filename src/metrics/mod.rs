//! Numbers with their definitions: what was counted, over whom, and how sure it is.
//!
//! Pure functions over one run and what is known of earlier snapshots. Each file holds one family: facts taken from the run, and a
//! `measure` over these facts that `docs/metrics.md` shows on a worked example (a test holds the page and the code together).
//! What cannot be measured says so with the reason; it is never zero.

mod accounts;
mod completeness;
mod exceptions;
mod history;
mod keys;
mod leavers;
mod metric;
mod owners;
mod provision;
mod revocation;
mod rows;
mod survival;
#[cfg(test)]
mod tests;
mod trend;
mod workflow;

pub use history::{AccountLook, History, Link, Look, SystemHistory, joiners, leavers};
pub use metric::{Breakdown, Line, Metric, Metrics, Quantity, Value};
pub use revocation::{Curve, CurvePoint};
pub use trend::TrendPoint;

use crate::engine::Run;
use crate::model::{ExceptionMatchRow, FindingRow, Time};
use crate::resolve::People;

/// Everything that the metrics of one run are taken from.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    pub run: &'a Run,
    pub people: &'a People,
    pub findings: &'a [FindingRow],
    pub exceptions: &'a [ExceptionMatchRow],
    /// What earlier snapshots show of people who left or joined.
    pub history: &'a History,
    /// Microseconds within which access should end.
    pub revoke_sla: i64,
}

/// Every metric of a run, in the order of the documentation. The trend is the caller's to add: it lies in other runs.
pub fn measure(input: &Input<'_>) -> Metrics {
    // Families that read tables and families that iterate go on side by side; what they say is put in the order of the documentation.
    let about_accounts = || {
        let people = input.run.seen.iter().any(|s| s.authority);
        let accounts = accounts::measure(&accounts::facts(input.run), people);
        (accounts, keys::measure(keys::facts(input.run).as_deref()), owners::measure(&owners::facts(input)))
    };
    let about_leavers = || {
        let cases = leavers::cases(input);
        (completeness::measure(&cases), revocation::measure(&cases, input.revoke_sla))
    };
    let about_waits = || {
        let (joiners, requests) = rayon::join(|| provision::joiner_facts(input), || provision::request_facts(input));
        provision::measure(&joiners, &requests)
    };
    let ((complete, (revocation, curves)), ((accounts, keys, owners), waits)) =
        rayon::join(about_leavers, || rayon::join(about_accounts, about_waits));
    let mut list = exceptions::measure(&exceptions::facts(input));
    list.extend(accounts);
    list.push(complete);
    list.extend(revocation);
    list.extend(waits);
    list.push(keys);
    list.push(owners);
    list.push(workflow::measure(&workflow::facts(input.run)));
    Metrics { list, curves, trend: Vec::new() }
}

/// Days between two instants.
fn days(from: Time, to: Time) -> f64 {
    (to.micros() - from.micros()) as f64 / crate::model::time::DAY as f64
}
