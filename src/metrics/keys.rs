//! How old the keys are that still work.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

use super::days;
use super::metric::{Line, Metric, Quantity, Tally, band, band_order};
use crate::engine::{Run, System};
use crate::model::{CREDENTIALS, CredentialKind, CredentialStatus, Word};

/// One key that may be accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyFact {
    pub system: Arc<str>,
    pub kind: CredentialKind,
    /// Since its value was last changed; `None`: the export does not say.
    pub age_days: Option<f64>,
}

/// Keys of all systems that cover credentials; `None`: there is no such system.
pub fn facts(run: &Run) -> Option<Vec<KeyFact>> {
    let covering: Vec<_> = run.systems.iter().filter(|s| s.covers.contains(CREDENTIALS.name)).collect();
    if covering.is_empty() {
        return None;
    }
    Some(covering.into_par_iter().map(of_system).collect::<Vec<_>>().concat())
}

fn of_system(system: &System) -> Vec<KeyFact> {
    let at = system.observed_at();
    let name: Arc<str> = system.name.as_str().into();
    let usable = |s| matches!(s, CredentialStatus::Active | CredentialStatus::Unknown);
    let read = ["kind", "status", "created_at", "rotated_at", "expires_at"];
    let parts =
        system.credentials.parts(&system.credentials.groups(), &read, |part| {
            let (created, rotated, expires) = (part.times("created_at")?, part.times("rotated_at")?, part.times("expires_at")?);
            let words = part.words::<CredentialKind>("kind")?.into_iter().zip(part.words::<CredentialStatus>("status")?);
            let rows = words.zip(created.into_iter().zip(rotated).zip(expires));
            let live = rows.filter(|((_, status), (_, expires))| usable(*status) && expires.is_none_or(|end| end > at));
            let keys = live.filter(|((kind, _), _)| *kind != CredentialKind::Password).map(|((kind, _), ((created, rotated), _))| {
                KeyFact { system: Arc::clone(&name), kind, age_days: rotated.or(created).map(|from| days(from, at).max(0.0)) }
            });
            Ok(keys.collect::<Vec<_>>())
        });
    parts.concat()
}

/// Quantiles that are printed.
const QUANTILES: [(&str, f64); 3] = [("median age", 0.5), ("90 % are younger than", 0.9), ("oldest", 1.0)];

/// Key ages.
pub fn measure(keys: Option<&[KeyFact]>) -> Metric {
    let mut m = Metric::new(
        "key-age",
        "Age of keys",
        "days",
        "How long ago the values of keys that still work were last changed: quantiles, bands and the oldest.",
        "Credentials of status active or unknown, unexpired, of every kind but passwords, in every system whose export covers credentials.",
        "Age: from the last rotation, else the creation, to the system's observation. A quantile is the smallest age that at least that \
         share of keys does not exceed (nearest rank). Keys of unknown age are counted, and make a quantile a range: from what it would be \
         if they were the youngest, to what it would be if they were the oldest.",
    );
    let Some(keys) = keys else { return m.without("no source covers credentials") };
    if keys.is_empty() {
        return m.without("the sources that cover credentials hold no key that still works");
    }
    let ages = Ages::of(keys.iter());
    m.put("keys", Quantity::count(keys.len() as u64));
    m.put("of unknown age", Quantity::count(ages.unknown() as u64));
    for (name, share) in QUANTILES {
        m.put(name, ages.quantile(share));
    }
    let mut bands = Tally::default();
    for key in keys {
        bands.add(band(key.age_days), 0, 1, true);
    }
    let mut bands = bands.lines();
    bands.sort_by_key(|line| band_order(&line.key));
    m.by("age", &["keys"], bands);
    m.by("system", &["keys", "of unknown age", "median age", "oldest"], grouped(keys, |k| &k.system));
    m.by("kind", &["keys", "of unknown age", "median age", "oldest"], grouped(keys, |k| k.kind.as_str()));
    m
}

fn grouped<'a>(keys: &'a [KeyFact], of: impl Fn(&'a KeyFact) -> &'a str) -> Vec<Line> {
    let mut groups: BTreeMap<&str, Vec<&KeyFact>> = BTreeMap::new();
    for key in keys {
        groups.entry(of(key)).or_default().push(key);
    }
    let line = |(key, keys): (&str, Vec<&KeyFact>)| {
        let ages = Ages::of(keys.into_iter());
        let cells = [Quantity::count(ages.keys as u64), Quantity::count(ages.unknown() as u64), ages.quantile(0.5), ages.quantile(1.0)];
        Line { key: key.to_owned(), cells: cells.map(Some).to_vec() }
    };
    groups.into_iter().map(line).collect()
}

/// How old some keys are.
struct Ages {
    keys: usize,
    /// Of those whose age is known, ascending.
    known: Vec<f64>,
}

impl Ages {
    fn of<'a>(keys: impl ExactSizeIterator<Item = &'a KeyFact>) -> Self {
        let count = keys.len();
        let mut known: Vec<f64> = keys.filter_map(|k| k.age_days).collect();
        known.sort_unstable_by(f64::total_cmp);
        Self { keys: count, known }
    }

    fn unknown(&self) -> usize {
        self.keys - self.known.len()
    }

    /// The nearest rank, once with the unknown ages below all others and once above.
    fn quantile(&self, share: f64) -> Quantity {
        let n = self.keys;
        let rank = ((share * n as f64 - 1e-9).ceil().max(1.0) as usize).min(n) - 1;
        let low = rank.checked_sub(self.unknown()).and_then(|i| self.known.get(i)).copied().unwrap_or(0.0);
        Quantity::Days { low, high: self.known.get(rank).copied() }
    }
}
