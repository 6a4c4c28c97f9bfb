//! Triage: what became of each finding since the previous run. It judges; it never changes what was found.

pub mod exceptions;

use std::collections::{BTreeMap, BTreeSet};

use crate::checks::Check;
use crate::model::*;

/// Which (check, system) pairs may close a finding: evaluated over a complete, fresh snapshot that covers the subject.
#[derive(Clone, Debug, Default)]
pub struct Closing {
    /// System `*` stands for checks that read several.
    pub pairs: BTreeSet<(String, String)>,
}

/// Joins this run's findings with everything that earlier runs knew. Sorted by (check, fingerprint), one row for each
/// fingerprint ever seen.
pub fn states(found: Vec<FindingRow>, previous: Vec<FindingRow>, closing: &Closing) -> Vec<FindingRow> {
    let mut rows: BTreeMap<(String, String), FindingRow> = BTreeMap::new();
    for finding in found {
        let key = (finding.check_id.clone(), finding.fingerprint.clone());
        rows.entry(key).or_insert(finding);
    }
    for old in previous {
        let key = (old.check_id.clone(), old.fingerprint.clone());
        match rows.get_mut(&key) {
            Some(now) => {
                now.state = if old.state == FindingState::Resolved { FindingState::Reopened } else { FindingState::Open };
                now.first_seen = old.first_seen;
            }
            None => {
                let state = gone(&old, closing);
                rows.insert(key, FindingRow { state, also: false, exception: None, ..old });
            }
        }
    }
    rows.into_values().collect()
}

/// A finding that this run did not find: resolved only where the run could have found it.
fn gone(old: &FindingRow, closing: &Closing) -> FindingState {
    if old.state == FindingState::Resolved {
        return FindingState::Resolved;
    }
    let closes = |system: &str| closing.pairs.contains(&(old.check_id.clone(), system.to_owned()));
    if closes(&old.system) || closes("*") { FindingState::Resolved } else { FindingState::Unverified }
}

/// Found in this run, or not verified since: what still counts.
pub fn is_live(state: FindingState) -> bool {
    matches!(state, FindingState::New | FindingState::Open | FindingState::Reopened | FindingState::Unverified)
}

/// Marks findings whose subject, or its account, is open under a covering check.
pub fn cover(findings: &mut [FindingRow], checks: &[Check]) {
    let covers: BTreeMap<&str, &[String]> = checks.iter().map(|c| (c.id.as_str(), c.covered_by.as_slice())).collect();
    let mut open: BTreeMap<&str, BTreeSet<(&str, &str)>> = checks
        .iter()
        .flat_map(|c| &c.covered_by)
        .filter(|id| covers.contains_key(id.as_str()))
        .map(|id| (id.as_str(), BTreeSet::new()))
        .collect();
    for f in findings.iter().filter(|f| is_live(f.state)) {
        if let Some(subjects) = open.get_mut(f.check_id.as_str()) {
            subjects.insert((&f.system, &f.subject));
        }
    }
    let also = |f: &FindingRow| {
        let by = covers.get(f.check_id.as_str()).copied().unwrap_or_default();
        let names = |id: &String| {
            let holds =
                |subject: &String| open.get(id.as_str()).is_some_and(|subjects| subjects.contains(&(f.system.as_str(), subject.as_str())));
            holds(&f.subject) || f.account.as_ref().is_some_and(holds)
        };
        is_live(f.state) && by.iter().any(names)
    };
    let also: Vec<bool> = findings.iter().map(also).collect();
    findings.iter_mut().zip(also).for_each(|(f, also)| f.also = also);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(id: &str, state: FindingState) -> FindingRow {
        FindingRow { check_id: "c".into(), fingerprint: id.into(), system: "s".into(), subject: id.into(), state, ..FindingRow::default() }
    }

    #[test]
    fn rule_11_4_a_finding_resolves_only_where_the_run_could_have_found_it() {
        let closing = Closing { pairs: BTreeSet::from([("c".to_owned(), "s".to_owned())]) };
        let previous = || vec![finding("a", FindingState::Open), finding("b", FindingState::New), finding("r", FindingState::Resolved)];
        let states_of = |rows: Vec<FindingRow>| rows.into_iter().map(|f| (f.fingerprint, f.state)).collect::<Vec<_>>();
        let found = || vec![finding("a", FindingState::New), finding("n", FindingState::New)];
        assert_eq!(
            states_of(states(found(), previous(), &closing)),
            [
                ("a".into(), FindingState::Open),
                ("b".into(), FindingState::Resolved),
                ("n".into(), FindingState::New),
                ("r".into(), FindingState::Resolved),
            ]
        );
        assert_eq!(
            states_of(states(found(), previous(), &Closing::default())),
            [
                ("a".into(), FindingState::Open),
                ("b".into(), FindingState::Unverified),
                ("n".into(), FindingState::New),
                ("r".into(), FindingState::Resolved),
            ]
        );
    }

    #[test]
    fn rule_11_1_a_resolved_finding_that_comes_back_is_reopened() {
        let now = states(vec![finding("r", FindingState::New)], vec![finding("r", FindingState::Resolved)], &Closing::default());
        assert_eq!(now.iter().map(|f| f.state).collect::<Vec<_>>(), [FindingState::Reopened]);
    }

    #[test]
    fn rule_11_9_a_finding_is_also_where_its_subject_or_account_is_open_under_a_covering_check() {
        let mut check = Check::parse("stale_key.sql", include_str!("../checks/stale_key.sql")).unwrap();
        check.id = "covered".into();
        check.covered_by = vec!["covering".into()];
        let mut covering = check.clone();
        covering.id = "covering".into();
        covering.covered_by.clear();
        let row = |check: &str, subject: &str, account: &str, state| FindingRow {
            check_id: check.into(),
            subject: subject.into(),
            account: Some(account.into()),
            system: "s".into(),
            state,
            ..FindingRow::default()
        };
        let mut rows = [
            row("covered", "key-1", "alice", FindingState::New),
            row("covered", "key-2", "bob", FindingState::New),
            row("covered", "key-3", "carol", FindingState::New),
            row("covering", "alice", "alice", FindingState::Open),
            row("covering", "carol", "carol", FindingState::Excepted),
        ];
        cover(&mut rows, &[check, covering]);
        assert_eq!(
            rows.iter().map(|f| f.also).collect::<Vec<_>>(),
            [true, false, false, false, false],
            "an excepted finding covers nothing"
        );
    }
}
