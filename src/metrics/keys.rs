//! How old the keys are that still work.

use std::collections::BTreeMap;

use super::days;
use super::metric::{Line, Metric, Quantity, Tally, band, band_order};
use crate::engine::Run;
use crate::model::{CREDENTIALS, CredentialKind, CredentialStatus};

/// One key that may be accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyFact {
    pub system: String,
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
    let mut out = Vec::new();
    for system in covering {
        let at = system.observed_at();
        let usable = |s| matches!(s, CredentialStatus::Active | CredentialStatus::Unknown);
        let read = ["kind", "status", "created_at", "rotated_at", "expires_at"];
        let live = system.credentials.brief(&read).filter(|c| usable(c.status) && c.expires_at.is_none_or(|end| end > at));
        out.extend(live.filter(|c| c.kind != CredentialKind::Password).map(|c| KeyFact {
            system: system.name.clone(),
            kind: c.kind,
            age_days: c.rotated_at.or(c.created_at).map(|from| days(from, at).max(0.0)),
        }));
    }
    Some(out)
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
    let unknown = keys.iter().filter(|k| k.age_days.is_none()).count();
    m.put("keys", Quantity::count(keys.len() as u64));
    m.put("of unknown age", Quantity::count(unknown as u64));
    for (name, share) in QUANTILES {
        m.put(name, quantile(keys, share));
    }
    let mut bands = Tally::default();
    for key in keys {
        bands.add(band(key.age_days), 0, 1, true);
    }
    let mut bands = bands.lines();
    bands.sort_by_key(|line| band_order(&line.key));
    m.by("age", &["keys"], bands);
    m.by("system", &["keys", "of unknown age", "median age", "oldest"], grouped(keys, |k| k.system.clone()));
    m.by("kind", &["keys", "of unknown age", "median age", "oldest"], grouped(keys, |k| k.kind.to_string()));
    m
}

fn grouped(keys: &[KeyFact], of: impl Fn(&KeyFact) -> String) -> Vec<Line> {
    let mut groups: BTreeMap<String, Vec<KeyFact>> = BTreeMap::new();
    for key in keys {
        groups.entry(of(key)).or_default().push(key.clone());
    }
    let line = |(key, keys): (String, Vec<KeyFact>)| {
        let unknown = keys.iter().filter(|k| k.age_days.is_none()).count() as u64;
        let (median, oldest) = (quantile(&keys, 0.5), quantile(&keys, 1.0));
        Line { key, cells: [Quantity::count(keys.len() as u64), Quantity::count(unknown), median, oldest].map(Some).to_vec() }
    };
    groups.into_iter().map(line).collect()
}

/// The nearest rank, once with the unknown ages below all others and once above.
fn quantile(keys: &[KeyFact], share: f64) -> Quantity {
    let mut ages: Vec<f64> = keys.iter().filter_map(|k| k.age_days).collect();
    ages.sort_by(f64::total_cmp);
    let (n, unknown) = (keys.len(), keys.len() - ages.len());
    let rank = ((share * n as f64 - 1e-9).ceil().max(1.0) as usize).min(n) - 1;
    let low = rank.checked_sub(unknown).and_then(|i| ages.get(i)).copied().unwrap_or(0.0);
    Quantity::Days { low, high: ages.get(rank).copied() }
}
