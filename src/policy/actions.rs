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

/// A set of actions of [`KNOWN`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionSet(Vec<bool>);

impl Default for ActionSet {
    fn default() -> Self {
        Self(vec![false; KNOWN.len()])
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
            let actions = KNOWN.get(from..).unwrap_or_default().iter();
            for (action, held) in actions.zip(set.0.get_mut(from..).unwrap_or_default()).take_while(|(a, _)| a.starts_with(prefix)) {
                *held |= glob::covers(pattern, action);
            }
        }
        set
    }

    /// Those of its actions on all of whose resources some pattern is: what a statement gives without naming a resource.
    pub fn on_all<'a>(&self, resources: impl Iterator<Item = &'a str> + Clone) -> Self {
        let open = |action: &str| resources.clone().any(|r| covers_all_of(r, action));
        Self(self.0.iter().zip(KNOWN.iter()).map(|(held, action)| *held && open(action)).collect())
    }

    /// All other actions.
    pub fn others(&self) -> Self {
        Self(self.0.iter().map(|held| !held).collect())
    }

    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(held, more)| *held |= more);
    }

    pub fn remove(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(held, less)| *held &= !less);
    }

    /// Whether it holds an action, given in lower case. One that nothing asks about is in no set.
    pub fn has(&self, action: &str) -> bool {
        KNOWN.binary_search(&action).is_ok_and(|at| self.0.get(at) == Some(&true))
    }

    /// Whether it holds the action of this place in [`KNOWN`].
    pub fn has_at(&self, at: usize) -> bool {
        self.0.get(at) == Some(&true)
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
    }
}
