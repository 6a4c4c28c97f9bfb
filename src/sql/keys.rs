//! Which columns name a row: what makes ROW_NUMBER give one answer only.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::ColId;

/// Kept per relation: more alternatives than these are not worth their time.
const MAX_KEYS: usize = 8;

/// Sets of columns, each of which differs between any two rows. An empty set: there is at most one row.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys(Vec<BTreeSet<ColId>>);

impl Keys {
    pub fn none() -> Self {
        Self::default()
    }

    pub fn of(key: Option<BTreeSet<ColId>>) -> Self {
        Self(key.into_iter().collect())
    }

    pub fn add(&mut self, key: BTreeSet<ColId>) {
        if self.0.len() < MAX_KEYS && !self.0.contains(&key) {
            self.0.push(key);
        }
    }

    /// Whether these columns name a row.
    pub fn named_by(&self, columns: &BTreeSet<ColId>) -> bool {
        self.0.iter().any(|key| key.is_subset(columns))
    }

    /// The keys whose columns all go on, under new numbers.
    pub fn renamed(&self, names: &BTreeMap<ColId, ColId>) -> Self {
        let keys = self.0.iter().filter_map(|key| key.iter().map(|id| names.get(id).copied()).collect());
        Self(keys.collect())
    }
}

/// Keys of a join: those of one side where the other side has at most one partner, and every pair.
/// A LEFT JOIN fills the right side with NULL at most once per left row, so the same holds.
pub(super) fn joined_keys(left: &Keys, right: &Keys, pairs: &[(ColId, ColId)]) -> Keys {
    let mut keys = Keys::none();
    if right.named_by(&pairs.iter().map(|(_, r)| *r).collect()) {
        left.0.iter().for_each(|key| keys.add(key.clone()));
    }
    for l in &left.0 {
        for r in &right.0 {
            keys.add(l.union(r).copied().collect());
        }
    }
    keys
}
