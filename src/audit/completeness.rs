//! How complete, fresh and in step each source is. What is short is never clean.

use std::collections::{BTreeMap, BTreeSet};

use super::Settings;
use crate::engine::System;
use crate::model::time::DAY;
use crate::model::{Answer, SourceRow, Time};
use crate::report::AsOfFrom;
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
    /// Earlier snapshots that are complete, by name.
    pub complete_before: BTreeSet<String>,
    why: Vec<String>,
}

impl State {
    /// All problems in words.
    pub fn problems(&self) -> Option<String> {
        (!self.why.is_empty()).then(|| self.why.join("; "))
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

fn absent(why: &str) -> State {
    State { why: vec![why.to_owned()], ..State::default() }
}

fn one(name: &str, c: &Current, settings: &Settings, as_of: Time, from: AsOfFrom, newest: Option<Time>) -> State {
    let Some(now) = &c.now else {
        return absent(&format!("all {} snapshots of it are later than as_of", c.later));
    };
    let policy = settings.policy(name);
    let mut state = State { present: true, observed_at: Some(now.manifest.taken_at), rejected: now.manifest.rejected(), ..State::default() };
    let mut reference: Option<&Manifest> = None;
    for old in &c.before {
        if why_incomplete(&old.manifest, reference, settings.max_drop).is_empty() {
            reference = Some(&old.manifest);
            state.complete_before.insert(old.name.clone());
        }
    }
    let why = why_incomplete(&now.manifest, reference, settings.max_drop);
    state.complete = yes_no(why.is_empty());
    state.why.extend(why);

    state.within_rejects = yes_no(state.rejected <= policy.max_rejects);
    if state.within_rejects == Answer::No {
        state.why.push(format!("{} records rejected, {} allowed", state.rejected, policy.max_rejects));
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
            expected: settings.missing.get(name).copied().unwrap_or_else(|| settings.policy(name).expected),
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
