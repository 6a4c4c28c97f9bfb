//! Sets of the actions that anything here asks about, as bits.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::glob;
use super::methods::METHODS;
use super::resources::covers_all_of;
use super::risks::{CREDENTIALS, EXFILTRATION, EXPOSURE, IAM_WRITING};

/// Every action that a risk, a level or a method asks about, in lower case and sorted.
pub static KNOWN: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let lists = [IAM_WRITING, EXPOSURE, EXFILTRATION, CREDENTIALS].into_iter().flatten().copied();
    let steps = METHODS.iter().flat_map(|m| m.steps.iter().map(|s| s.action.as_str()));
    lists.chain(steps).collect::<BTreeSet<_>>().into_iter().collect()
});

/// A set of actions of [`KNOWN`], a bit for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionSet(Vec<u64>);

/// Bits of a word.
const WORD: usize = u64::BITS as usize;

impl Default for ActionSet {
    fn default() -> Self {
        Self(vec![0; KNOWN.len().div_ceil(WORD)])
    }
}

impl ActionSet {
    /// The actions that some pattern matches. Patterns are in lower case.
    pub fn of<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        let mut set = Self::default();
        for pattern in patterns {
            // Actions are sorted: those with the pattern's literal beginning stand together.
            let prefix = glob::literal_prefix(pattern);
            let from = KNOWN.partition_point(|p| *p < prefix);
            let actions = KNOWN.iter().enumerate().skip(from).take_while(|(_, action)| action.starts_with(prefix));
            actions.filter(|(_, action)| glob::covers(pattern, action)).for_each(|(at, _)| set.insert(at));
        }
        set
    }

    /// Actions by their names, in lower case.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut set = Self::default();
        names.into_iter().filter_map(|name| KNOWN.binary_search(&name).ok()).for_each(|at| set.insert(at));
        set
    }

    fn insert(&mut self, at: usize) {
        if let Some(word) = self.0.get_mut(at / WORD) {
            *word |= 1 << (at % WORD);
        }
    }

    /// Those of its actions on all of whose resources some pattern is: what a statement gives without naming a resource.
    pub fn on_all<'a>(&self, resources: impl Iterator<Item = &'a str> + Clone) -> Self {
        let mut set = Self::default();
        for (at, action) in KNOWN.iter().enumerate().filter(|(at, _)| self.has_at(*at)) {
            if resources.clone().any(|r| covers_all_of(r, action)) {
                set.insert(at);
            }
        }
        set
    }

    /// All other actions.
    pub fn others(&self) -> Self {
        let mut set = Self::default();
        (0..KNOWN.len()).filter(|at| !self.has_at(*at)).for_each(|at| set.insert(at));
        set
    }

    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(held, more)| *held |= more);
    }

    pub fn remove(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(held, less)| *held &= !less);
    }

    /// Whether it holds some action of another set.
    pub fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(held, asked)| held & asked != 0)
    }

    /// Whether it holds all actions of another set.
    pub fn holds(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(held, asked)| asked & !held == 0)
    }

    /// Whether it holds an action, given in lower case. One that nothing asks about is in no set.
    pub fn has(&self, action: &str) -> bool {
        KNOWN.binary_search(&action).is_ok_and(|at| self.has_at(at))
    }

    /// Whether it holds the action of this place in [`KNOWN`].
    pub fn has_at(&self, at: usize) -> bool {
        self.0.get(at / WORD).is_some_and(|word| word >> (at % WORD) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_make_sets() {
        let set = ActionSet::of(["iam:*role", "s3:get*"]);
        assert!(set.has("iam:passrole") && set.has("s3:getobject") && !set.has("iam:putrolepolicy") && !set.has("s3:listbucket"));
        assert_eq!(set.others().others(), set);
        assert!(ActionSet::of(["*"]).others() == ActionSet::default());
        let mut less = ActionSet::of(["iam:*"]);
        less.remove(&set);
        assert!(less.has("iam:putrolepolicy") && !less.has("iam:passrole"));
        less.add(&set);
        assert!(less.has("iam:passrole"));
        let named = ActionSet::named(["iam:passrole", "s3:getobject", "no:such"]);
        assert!(set.holds(&named) && set.meets(&named) && !named.holds(&set));
        assert!(!set.others().meets(&named) && ActionSet::default().holds(&ActionSet::default()));
    }
}
