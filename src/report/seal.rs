//! The last step before anything is shown: one order, and counts taken from the findings themselves.

use std::cmp::Reverse;

use rayon::prelude::*;

use super::model::{Asked, CheckOutcome, FindingEntry, Report, SeverityCounts, StateCounts, Totals};
use crate::model::{Certainty, FindingState, Severity};

impl Totals {
    /// Counts over `findings`.
    pub fn of<'a>(findings: impl IntoIterator<Item = &'a FindingEntry>) -> Self {
        let mut totals = Self::default();
        for finding in findings {
            totals.add(finding);
        }
        totals
    }

    fn add(&mut self, finding: &FindingEntry) {
        let live = finding.is_live();
        if finding.also {
            self.also += u64::from(live);
            return;
        }
        self.states.add(finding.state);
        if live {
            self.severities.add(finding.severity);
            match finding.certainty {
                Certainty::Certain => self.certain += 1,
                Certainty::Possible => self.possible += 1,
            }
        }
    }
}

impl StateCounts {
    /// One more of `state`.
    pub fn add(&mut self, state: FindingState) {
        *match state {
            FindingState::New => &mut self.new,
            FindingState::Open => &mut self.open,
            FindingState::Reopened => &mut self.reopened,
            FindingState::Unverified => &mut self.unverified,
            FindingState::Excepted => &mut self.excepted,
            FindingState::Resolved => &mut self.resolved,
        } += 1;
    }
}

impl SeverityCounts {
    /// One more of `severity`.
    pub fn add(&mut self, severity: Severity) {
        *match severity {
            Severity::Critical => &mut self.critical,
            Severity::High => &mut self.high,
            Severity::Medium => &mut self.medium,
            Severity::Low => &mut self.low,
            Severity::Info => &mut self.info,
        } += 1;
    }
}

impl Asked {
    /// Sums over `outcomes`. Subjects of systems for which the check was not evaluated are in no outcome's count.
    pub fn of(outcomes: &[CheckOutcome]) -> Self {
        outcomes.iter().fold(Self::default(), |sum, o| Self {
            population: sum.population + o.asked.population,
            evaluated: sum.evaluated + o.asked.evaluated,
            unknown: sum.unknown + o.asked.unknown,
            too_new: sum.too_new + o.asked.too_new,
            not_yet_observable: sum.not_yet_observable + o.asked.not_yet_observable,
            before_coverage: sum.before_coverage + o.asked.before_coverage,
        })
    }
}

impl Report {
    /// Puts everything in its fixed order and counts: the same findings in any order give the same report.
    #[must_use]
    pub fn seal(mut self) -> Self {
        self.sources.sort_by(|a, b| a.system.cmp(&b.system));
        self.missing.sort_by(|a, b| a.system.cmp(&b.system));
        self.identity.sort_by(|a, b| a.system.cmp(&b.system));
        self.exceptions.sort_by(|a, b| a.id.cmp(&b.id));
        self.overrides.sort_by(|a, b| (&a.check, &a.what).cmp(&(&b.check, &b.what)));
        self.rejects.sort_by(|a, b| (&a.system, &a.file, a.number, &a.reason).cmp(&(&b.system, &b.file, b.number, &b.reason)));
        self.checks.sort_by(|a, b| (Reverse(a.severity), &a.id).cmp(&(Reverse(b.severity), &b.id)));
        self.findings = in_order(self.findings);
        self.totals = Totals::of(&self.findings);
        for check in &mut self.checks {
            check.outcomes.sort_by(|a, b| a.system.cmp(&b.system));
            check.asked = Asked::of(&check.outcomes);
            check.counts = Totals::of(self.findings.iter().filter(|f| f.check == check.id));
        }
        self
    }
}

/// The findings in their order. Their places are sorted, not the findings themselves: these are long.
fn in_order(findings: Vec<FindingEntry>) -> Vec<FindingEntry> {
    let mut order: Vec<(usize, &FindingEntry)> = findings.iter().enumerate().collect();
    order.par_sort_by(|(_, a), (_, b)| finding_order(a).cmp(&finding_order(b)));
    let order: Vec<usize> = order.into_iter().map(|(at, _)| at).collect();
    let mut findings: Vec<Option<FindingEntry>> = findings.into_iter().map(Some).collect();
    order.into_iter().filter_map(|at| findings.get_mut(at)?.take()).collect()
}

/// Worst first, then by check; live before settled, certain before possible; then by what it is about.
fn finding_order(f: &FindingEntry) -> impl Ord + '_ {
    (Reverse(f.severity), &f.check, !f.is_live(), f.also, f.certainty, &f.system, &f.subject.native_id, &f.fingerprint)
}

#[cfg(test)]
mod tests {
    use crate::report::sample;

    /// 11.6 and 11.9: possible ones are counted apart, covered ones nowhere but under `also`.
    #[test]
    fn totals_count_each_finding_in_one_place() {
        let report = sample::report();
        let t = report.totals;
        assert_eq!(t.certain + t.possible, t.states.new + t.states.open + t.states.reopened + t.states.unverified);
        let by = report.by_severity();
        assert_eq!((by.iter().map(|s| s.1).sum::<u64>(), by.iter().map(|s| s.2).sum::<u64>()), (t.certain, t.possible));
        let s = t.severities;
        assert_eq!(by.iter().map(|s| s.1 + s.2).collect::<Vec<_>>(), [s.critical, s.high, s.medium]);
        assert_eq!((s.low, s.info), (0, 0));
        let all = t.certain + t.possible + t.states.excepted + t.states.resolved + t.also;
        assert_eq!(all, u64::try_from(report.findings.len()).unwrap());
        assert_eq!((t.certain, t.possible, t.also), (33, 4, 1));
        assert_eq!(report.checks.iter().map(|c| c.counts.certain).sum::<u64>(), t.certain);
    }
}
