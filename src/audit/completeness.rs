//! How complete, fresh and in step each source is. What is short is never clean.

use std::collections::{BTreeMap, BTreeSet};

use super::Settings;
use crate::engine::System;
use crate::model::time::DAY;
use crate::model::{Answer, SourceRow, Time};
use crate::report::{AsOfFrom, plural};
use crate::store::{Current, Manifest};

/// The judgement on one source.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub present: bool,
    pub observed_at: Option<Time>,
    pub complete: Answer,
    pub fresh: Answer,
    pub in_step: Answer,
    pub within_rejects: Answer,
    pub rejected: u64,
    pub age_days: Option<f64>,
    /// No source is configured for it, and nothing of it is sealed: the register of systems alone names it.
    pub registered: bool,
    /// Earlier snapshots that are complete, by name.
    pub complete_before: BTreeSet<String>,
    why: Vec<String>,
}

impl State {
    /// All problems in words.
    pub fn problems(&self) -> Option<String> {
        (!self.why.is_empty()).then(|| self.why.join("; "))
    }

    /// Whether whoever it leaves out may be missing for want of records: cut off, shrunk, or rejected beyond the limit.
    pub fn lacks_records(&self) -> bool {
        [self.complete, self.within_rejects].contains(&Answer::No)
    }

    /// Whether it makes the run incomplete.
    pub fn is_bad(&self) -> bool {
        !self.present || [self.complete, self.fresh, self.in_step, self.within_rejects].contains(&Answer::No)
    }
}

/// Judges every source that the store holds or the configuration names.
pub fn judge(current: &BTreeMap<String, Current>, settings: &Settings, as_of: Time, from: AsOfFrom) -> BTreeMap<String, State> {
    let newest = current.values().filter_map(|c| c.now.as_ref()).map(|s| s.manifest.taken_at).max();
    let mut out = BTreeMap::new();
    for (name, c) in current {
        out.insert(name.clone(), one(name, c, settings, as_of, from, newest));
    }
    for (name, why) in &settings.unreadable {
        let state = out.entry(name.clone()).or_insert_with(|| absent("nothing of it is sealed"));
        state.complete = Answer::No;
        state.why.push(why.clone());
    }
    for name in settings.sources.keys().chain(settings.missing.keys()) {
        out.entry(name.clone()).or_insert_with(|| absent("nothing of it is sealed"));
    }
    out
}

/// Adds the systems that the audit must see by the register, and that are neither sealed nor a source.
pub fn register(states: &mut BTreeMap<String, State>, systems: &[System]) {
    for (register, row) in systems.iter().flat_map(|s| s.register.iter().map(move |r| (&s.name, r))).filter(|(_, r)| r.in_scope) {
        states.entry(row.system.clone()).or_insert_with(|| {
            let why = format!("`{register}` says that it is in scope, and nothing of it is sealed");
            State { registered: true, ..absent(&why) }
        });
    }
}

fn absent(why: &str) -> State {
    State { why: vec![why.to_owned()], ..State::default() }
}

fn one(name: &str, c: &Current, settings: &Settings, as_of: Time, from: AsOfFrom, newest: Option<Time>) -> State {
    let Some(now) = &c.now else {
        return absent(&format!("all {} snapshots of it are later than as_of", c.later));
    };
    let policy = settings.policy(name);
    let mut state =
        State { present: true, observed_at: Some(now.manifest.taken_at), rejected: now.manifest.rejected(), ..State::default() };
    let mut reference: Option<&Manifest> = None;
    for old in &c.before {
        let within_rejects = old.manifest.rejected() <= policy.max_rejects;
        if within_rejects && why_incomplete(&old.manifest, reference, settings.max_drop).is_empty() {
            reference = Some(&old.manifest);
            state.complete_before.insert(old.name.clone());
        }
    }
    let why = why_incomplete(&now.manifest, reference, settings.max_drop);
    state.complete = yes_no(why.is_empty());
    state.why.extend(why);

    state.within_rejects = yes_no(state.rejected <= policy.max_rejects);
    if state.within_rejects == Answer::No {
        state.why.push(format!("{} rejected, {} allowed", plural(state.rejected, "record", "records"), policy.max_rejects));
    }
    let age = as_of.micros() - now.manifest.taken_at.micros();
    if from != AsOfFrom::Derived {
        state.age_days = Some(age as f64 / DAY as f64);
        if let Some(max) = policy.max_age {
            state.fresh = yes_no(age <= max);
            if age > max {
                state.why.push(format!("{} old, {} allowed", days(age), days(max)));
            }
        }
    }
    let skew = newest.map_or(0, |n| n.micros() - now.manifest.taken_at.micros());
    state.in_step = yes_no(skew <= settings.max_skew);
    if skew > settings.max_skew {
        state.why.push(format!("{} older than the newest snapshot, {} allowed", days(skew), days(settings.max_skew)));
    }
    state
}

/// Truncation, control totals, and what shrank since the last complete snapshot.
fn why_incomplete(now: &Manifest, reference: Option<&Manifest>, max_drop: f64) -> Vec<String> {
    let mut why = now.short();
    let Some(before) = reference else { return why };
    for table in now.covers.iter().filter(|t| !matches!(t.as_str(), "rejects" | "row_origins" | "exceptions")) {
        if let (Some(then), Some(rows)) = (before.rows(table), now.rows(table))
            && (rows as f64) < then as f64 * (1.0 - max_drop)
        {
            why.push(format!("{table} shrank from {then} to {rows} rows since {}", before.taken_at));
        }
    }
    why
}

fn yes_no(yes: bool) -> Answer {
    if yes { Answer::Yes } else { Answer::No }
}

fn days(us: i64) -> String {
    let text = format!("{:.1}", us as f64 / DAY as f64);
    format!("{} days", text.strip_suffix(".0").unwrap_or(&text))
}

/// The rows of table `sources`.
pub fn rows(states: &BTreeMap<String, State>, systems: &[System], settings: &Settings) -> Vec<SourceRow> {
    let ordinals: BTreeMap<&str, u32> = systems.iter().map(|s| (s.name.as_str(), s.ix)).collect();
    states
        .iter()
        .map(|(name, s)| SourceRow {
            system: name.clone(),
            system_ix: ordinals.get(name.as_str()).copied(),
            expected: s.registered || settings.missing.get(name).copied().unwrap_or_else(|| settings.policy(name).expected),
            present: s.present,
            complete: s.complete,
            fresh: s.fresh,
            in_step: s.in_step,
            within_rejects: s.within_rejects,
            rejected: s.rejected,
            observed_at: s.observed_at,
            age_days: s.age_days,
            problems: s.problems(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::SourcePolicy;
    use crate::model::ACCOUNTS;
    use crate::store::table_file::TableEntry;
    use crate::store::{FileEntry, Provenance, Snapshot};

    fn day(n: i64) -> Time {
        Time::from_seconds(1_790_000_000).unwrap().plus(n * DAY)
    }

    fn snapshot(taken_at: Time, accounts: u64, change: impl Fn(&mut FileEntry)) -> Snapshot {
        let ledger = crate::connectors::FileLedger { read: accounts, accepted: accounts, ..Default::default() };
        let mut file = FileEntry::new("accounts.csv", 1, &[0; 32], &ledger, Provenance::default());
        change(&mut file);
        let entry = TableEntry { name: ACCOUNTS.name.into(), rows: accounts, row_groups: 1, bytes: 1, sha256: String::new() };
        let manifest = Manifest {
            format: 1,
            tool: "holdover".into(),
            tool_version: "0".into(),
            system: "crm".into(),
            connector: "tabular".into(),
            taken_at,
            taken_at_from: "flag".into(),
            generation: 1,
            input_digest: String::new(),
            population: None,
            control_total: None,
            covers: vec![ACCOUNTS.name.into()],
            files: vec![file],
            tables: vec![entry],
            invariants: Vec::new(),
        };
        Snapshot { dir: std::path::PathBuf::new(), name: taken_at.compact(), manifest }
    }

    fn judged(before: Vec<Snapshot>, now: Snapshot, from: AsOfFrom) -> State {
        let mut settings = Settings::by_hand(Vec::new());
        let policy = SourcePolicy { expected: true, max_age: Some(8 * DAY), ..SourcePolicy::default() };
        settings.sources.insert("crm".into(), policy);
        let current = BTreeMap::from([("crm".to_owned(), Current { now: Some(now), before, later: 0 })]);
        judge(&current, &settings, day(10), from).remove("crm").unwrap()
    }

    fn same(_: &mut FileEntry) {}

    #[test]
    fn rule_11_4_a_drop_beyond_the_limit_is_short_and_one_at_the_limit_is_not() {
        let before = || vec![snapshot(day(0), 100, same)];
        assert_eq!(judged(before(), snapshot(day(9), 90, same), AsOfFrom::Given).complete, Answer::Yes);
        let short = judged(before(), snapshot(day(9), 89, same), AsOfFrom::Given);
        assert_eq!(short.complete, Answer::No);
        assert_eq!(short.problems().unwrap(), format!("accounts shrank from 100 to 89 rows since {}", day(0)));
    }

    #[test]
    fn rule_11_4_a_drop_is_measured_against_the_last_complete_snapshot() {
        let cut = snapshot(day(5), 10, |f| f.short.push("page 2 is missing".into()));
        let state = judged(vec![snapshot(day(0), 100, same), cut], snapshot(day(9), 50, same), AsOfFrom::Given);
        assert_eq!((state.complete, state.complete_before.len()), (Answer::No, 1));
    }

    #[test]
    fn rule_11_4_fewer_accepted_rows_than_the_control_total_are_short() {
        let state = judged(Vec::new(), snapshot(day(9), 50, |f| f.control_total = Some(51)), AsOfFrom::Given);
        assert_eq!(state.problems().unwrap(), "accounts.csv: 50 records accepted, control total is 51");
    }

    #[test]
    fn rule_11_2_freshness_is_judged_only_against_a_given_instant() {
        let old = || snapshot(day(1), 50, same);
        assert_eq!(judged(Vec::new(), old(), AsOfFrom::Given).fresh, Answer::No);
        assert_eq!(judged(Vec::new(), old(), AsOfFrom::Derived).fresh, Answer::Unknown);
        assert_eq!(judged(Vec::new(), snapshot(day(2), 50, same), AsOfFrom::Given).fresh, Answer::Yes);
    }

    #[test]
    fn rule_11_2_snapshots_further_apart_than_the_skew_are_incomplete() {
        let current = |at| {
            let one = |now| Current { now: Some(now), ..Current::default() };
            BTreeMap::from([("a".to_owned(), one(snapshot(at, 5, same))), ("b".to_owned(), one(snapshot(day(10), 5, same)))])
        };
        let settings = Settings::by_hand(Vec::new());
        assert_eq!(judge(&current(day(3)), &settings, day(10), AsOfFrom::Given)["a"].in_step, Answer::Yes);
        let late = day(3).plus(-60_000_000);
        assert_eq!(judge(&current(late), &settings, day(10), AsOfFrom::Given)["a"].in_step, Answer::No);
    }
}
