//! How many distinct accounts lie below every group, and how many distinct entitlements above it, without a set for each.
//!
//! Components of which each is a member of one other at most form trees; in a tree, the components that an account reaches are the ways from
//! its own memberships to the root, and those below a holder of an entitlement are an interval of the preorder. Both are counted by what is
//! added at their ends, so that a chain of a million costs no more than its length. A component that is a member of several others (a
//! *fork*) is the root of its tree, and who reaches it goes on from each of its parents.
#![expect(clippy::indexing_slicing, reason = "every vector here has one entry per component, and positions are made here alone")]

use std::sync::{Mutex, PoisonError};

use super::graph::{Components, Graph, UNREACHED};

/// The trees. A component is known by its position in their preorder: a tree is an interval, a parent comes before its children, and
/// components that are a tree by themselves and no fork come last.
#[derive(Clone, Debug)]
pub(super) struct Skeleton {
    /// Position of every component.
    of: Vec<u32>,
    /// Positions from here on have neither parent nor child in their tree and are no forks.
    plain: u32,
    /// The only parent; [`UNREACHED`]: the root of a tree.
    parent: Vec<u32>,
    root: Vec<u32>,
    /// How many stand in its subtree, itself included.
    size: Vec<u32>,
    /// The first of the heavy path on which it lies: the way to any ancestor crosses few of them.
    head: Vec<u32>,
    /// From a fork to its parents.
    forks: Graph,
    /// A parent of a fork, and the fork, ascending.
    below: Vec<(u32, u32)>,
}

impl Skeleton {
    pub fn new(components: &Components) -> Self {
        let n = components.len();
        // By component: those above have lower numbers.
        let parent_of = |c: u32| match components.graph.of(c) {
            [only] => Some(*only),
            _ => None,
        };
        let mut size = vec![1_u32; n];
        for c in (0..n as u32).rev() {
            if let Some(parent) = parent_of(c) {
                size[parent as usize] += size[c as usize];
            }
        }
        let is_plain = |c: u32| size[c as usize] == 1 && components.graph.of(c).is_empty();
        let mut next = vec![0_u32; n];
        let (mut linked_next, mut plain_next) = (0, n as u32 - (0..n as u32).filter(|c| is_plain(*c)).count() as u32);
        let plain = plain_next;
        let mut of = vec![0_u32; n];
        for c in 0..n as u32 {
            let position = match parent_of(c) {
                Some(parent) => take(&mut next[parent as usize], size[c as usize]),
                None if is_plain(c) => take(&mut plain_next, 1),
                None => take(&mut linked_next, size[c as usize]),
            };
            of[c as usize] = position;
            next[c as usize] = position + 1;
        }
        drop(next);
        // From here on by position.
        let mut parent = vec![UNREACHED; n];
        let mut sizes = vec![1; n];
        for c in 0..n as u32 {
            let position = of[c as usize] as usize;
            sizes[position] = size[c as usize];
            parent[position] = parent_of(c).map_or(UNREACHED, |p| of[p as usize]);
        }
        let up = |c: u32| components.graph.of(c).iter().map(|p| of[*p as usize]);
        let forked = (0..n as u32).filter(|c| components.graph.of(*c).len() > 1);
        let edges: Vec<(u32, u32)> = forked.flat_map(|c| up(c).map(|p| (of[c as usize], p)).collect::<Vec<_>>()).collect();
        let mut below: Vec<(u32, u32)> = edges.iter().map(|(fork, parent)| (*parent, *fork)).collect();
        below.sort_unstable();
        let forks = Graph::new(if edges.is_empty() { 0 } else { n }, n, edges);
        let (root, head) = paths(&parent, &sizes);
        Self { of, plain, parent, root, size: sizes, head, forks, below }
    }

    fn len(&self) -> usize {
        self.parent.len()
    }

    /// The lowest position whose subtree holds both of one tree.
    fn meeting(&self, mut a: u32, mut b: u32) -> u32 {
        // Ancestors have lower positions, so the later of two heads lies off the way to the meeting.
        while self.head[a as usize] != self.head[b as usize] {
            let later = if self.head[a as usize] > self.head[b as usize] { &mut a } else { &mut b };
            *later = self.parent[self.head[*later as usize] as usize];
        }
        a.min(b)
    }

    /// Per component, how many holders lie in it and above it. `held`: a holder's number and a component that it names, in any order.
    pub fn totals_above(&self, mut held: Vec<(u32, u32)>) -> Vec<u32> {
        held.iter_mut().for_each(|(_, component)| *component = self.of[*component as usize]);
        held.sort_unstable();
        held.dedup();
        // What only one component holds is counted with everything else that it alone holds.
        let mut alone = vec![0_i64; self.len()];
        let mut spread = Spread { change: vec![0; self.len() + 1], seen: vec![0; self.len()], round: 0 };
        for one in held.chunk_by(|a, b| a.0 == b.0) {
            match one {
                [(_, only)] => alone[*only as usize] += 1,
                several => spread.add(self, several.iter().map(|(_, position)| *position).collect(), 1),
            }
        }
        for (position, weight) in (0..).zip(alone).filter(|(_, weight)| *weight > 0) {
            spread.add(self, vec![position], weight);
        }
        let mut running = 0;
        let totals: Vec<u32> = spread
            .change
            .iter()
            .map(|change| {
                running += change;
                running as u32
            })
            .collect();
        self.of.iter().map(|position| totals[*position as usize]).collect()
    }
}

fn take(next: &mut u32, size: u32) -> u32 {
    let position = *next;
    *next += size;
    position
}

/// The root and the head of every position.
fn paths(parent: &[u32], size: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let n = parent.len();
    let mut heavy = vec![UNREACHED; n];
    for position in 0..n {
        if let Some(heaviest) = heavy.get_mut(parent[position] as usize)
            && (*heaviest == UNREACHED || size[*heaviest as usize] < size[position])
        {
            *heaviest = position as u32;
        }
    }
    let (mut root, mut head): (Vec<u32>, Vec<u32>) = ((0..n as u32).collect(), (0..n as u32).collect());
    for position in 0..n {
        let up = parent[position];
        if up != UNREACHED {
            root[position] = root[up as usize];
            if heavy[up as usize] == position as u32 {
                head[position] = head[up as usize];
            }
        }
    }
    (root, head)
}

/// Counts what lies below some positions.
struct Spread {
    /// What the count changes by at each position.
    change: Vec<i64>,
    /// The round in which a fork was last reached.
    seen: Vec<u32>,
    round: u32,
}

impl Spread {
    /// Adds `weight` to every position that lies below one of `starts`, ascending.
    fn add(&mut self, trees: &Skeleton, starts: Vec<u32>, weight: i64) {
        self.round += 1;
        let interval = |start: u32| (start, start + trees.size[start as usize]);
        let mut found: Vec<(u32, u32)> = Vec::with_capacity(starts.len());
        for start in starts {
            // What lies in a subtree that is there already adds nothing.
            if found.last().is_none_or(|(_, end)| *end <= start) {
                found.push(interval(start));
            }
        }
        let mut at = 0;
        while let Some((start, end)) = found.get(at).copied() {
            at += 1;
            let first = trees.below.partition_point(|(parent, _)| *parent < start);
            for (_, fork) in trees.below[first..].iter().take_while(|(parent, _)| *parent < end) {
                if std::mem::replace(&mut self.seen[*fork as usize], self.round) != self.round {
                    found.push(interval(*fork));
                }
            }
        }
        found.sort_unstable();
        let mut covered = 0;
        for (start, end) in found {
            if start >= covered {
                self.change[start as usize] += weight;
                self.change[end as usize] -= weight;
                covered = end;
            }
        }
    }
}

/// Counts the distinct accounts in and below every component, from memberships that come by in parts, on any number of threads.
pub(super) struct Tally<'a> {
    trees: &'a Skeleton,
    /// The component of every group.
    components: &'a [u32],
    /// Counters that no thread is using.
    idle: Mutex<Vec<Counter>>,
}

/// What one thread has counted.
#[derive(Default)]
struct Counter {
    /// What is to be added to the count of each position and of all above it in its tree.
    change: Vec<i64>,
    /// The account for which a fork was last reached, counted from 1.
    seen: Vec<u32>,
    account: u32,
    starts: Vec<u32>,
}

impl<'a> Tally<'a> {
    pub fn new(trees: &'a Skeleton, components: &'a [u32]) -> Self {
        Self { trees, components, idle: Mutex::default() }
    }

    /// Adds the memberships (account, group) of some accounts: all of each, one after the other.
    pub fn add(&self, memberships: impl IntoIterator<Item = (u32, u32)>) {
        let mut counter = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_else(|| Counter {
            change: vec![0; self.trees.len()],
            seen: vec![0; if self.trees.below.is_empty() { 0 } else { self.trees.len() }],
            ..Counter::default()
        });
        let mut now = None;
        for (account, group) in memberships {
            let Some(component) = self.components.get(group as usize) else { continue };
            if now != Some(account) {
                counter.count(self.trees);
                now = Some(account);
            }
            counter.starts.push(self.trees.of[*component as usize]);
        }
        counter.count(self.trees);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(counter);
    }

    /// The count of every group.
    pub fn finish(self) -> Vec<u32> {
        let mut all = vec![0_i64; self.trees.len()];
        for counter in self.idle.into_inner().unwrap_or_else(PoisonError::into_inner) {
            all.iter_mut().zip(counter.change).for_each(|(sum, change)| *sum += change);
        }
        // Children come after their parents.
        for position in (0..all.len()).rev() {
            let below = all[position];
            if let Some(above) = all.get_mut(self.trees.parent[position] as usize) {
                *above += below;
            }
        }
        self.components.iter().map(|c| all[self.trees.of[*c as usize] as usize] as u32).collect()
    }
}

impl Counter {
    /// Counts the account whose memberships lie ready.
    fn count(&mut self, trees: &Skeleton) {
        if self.starts.is_empty() {
            return;
        }
        if !self.seen.is_empty() {
            self.follow(trees);
        }
        self.starts.sort_unstable();
        self.starts.dedup();
        let mut before: Option<u32> = None;
        for start in &self.starts {
            self.change[*start as usize] += 1;
            if *start >= trees.plain {
                continue;
            }
            // Where two ways of one tree meet, the account has been added twice.
            if let Some(other) = before.filter(|other| trees.root[*other as usize] == trees.root[*start as usize]) {
                self.change[trees.meeting(other, *start) as usize] -= 1;
            }
            before = Some(*start);
        }
        self.starts.clear();
    }

    /// Adds the parents of every fork that is reached.
    fn follow(&mut self, trees: &Skeleton) {
        self.account += 1;
        let mut at = 0;
        while let Some(start) = self.starts.get(at).copied() {
            at += 1;
            if start >= trees.plain {
                continue;
            }
            let root = trees.root[start as usize];
            let parents = trees.forks.of(root);
            if !parents.is_empty() && std::mem::replace(&mut self.seen[root as usize], self.account) != self.account {
                self.starts.extend(parents);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Everything reached from some nodes, themselves included.
    fn reached(n: usize, edges: &[(u32, u32)], from: impl IntoIterator<Item = u32>) -> BTreeSet<u32> {
        let mut found: BTreeSet<u32> = from.into_iter().collect();
        for _ in 0..n {
            let further: Vec<u32> = edges.iter().filter(|(a, _)| found.contains(a)).map(|(_, b)| *b).collect();
            found.extend(further);
        }
        found
    }

    const N: u32 = 14;

    /// Chains, trees, forks and cycles: edges mostly lead to the next few numbers.
    fn any_edges() -> impl Strategy<Value = Vec<(u32, u32)>> {
        let edge = prop_oneof![8 => (0..N, 1..4_u32).prop_map(|(a, step)| (a, (a + step).min(N - 1))), 1 => (0..N, 0..N)];
        prop::collection::vec(edge, 0..18)
    }

    proptest! {
        #[test]
        fn counts_equal_a_walk_for_each_account_and_each_holder(
            edges in any_edges(),
            accounts in prop::collection::vec(prop::collection::vec(0..N, 0..4), 0..8),
            held in prop::collection::vec((0..5_u32, 0..N), 0..10),
            cut in 1..4_usize,
        ) {
            let n = N as usize;
            let components = Graph::new(n, n, edges.iter().copied()).components();
            let trees = Skeleton::new(&components);
            let tally = Tally::new(&trees, &components.of);
            for (part, some) in accounts.chunks(cut).enumerate() {
                let of = |(i, groups): (usize, &Vec<u32>)| groups.iter().map(|g| ((part * cut + i) as u32, *g)).collect::<Vec<_>>();
                tally.add(some.iter().enumerate().flat_map(of));
            }
            let mut want = vec![0; n];
            for groups in &accounts {
                reached(n, &edges, groups.iter().copied()).into_iter().for_each(|g| want[g as usize] += 1);
            }
            prop_assert_eq!(tally.finish(), want);

            let down: Vec<(u32, u32)> = edges.iter().map(|(a, b)| (*b, *a)).collect();
            let mut want = vec![0; n];
            for holder in 0..5 {
                let of: Vec<u32> = held.iter().filter(|(h, _)| *h == holder).map(|(_, g)| *g).collect();
                reached(n, &down, of).into_iter().for_each(|g| want[g as usize] += 1);
            }
            let by_component = trees.totals_above(held.iter().map(|(h, g)| (*h, components.of[*g as usize])).collect());
            let got: Vec<u32> = components.of.iter().map(|c| by_component[*c as usize]).collect();
            prop_assert_eq!(got, want);
        }
    }

    #[test]
    fn a_chain_and_a_cycle_of_a_million_take_no_longer_than_their_length() {
        let n = 1_000_000;
        let chain = || (1..n as u32).map(|i| (i - 1, i));
        for (edges, lowest) in [(chain().collect::<Vec<_>>(), 2), (chain().chain([(n as u32 - 1, 0)]).collect(), n as u32)] {
            let components = Graph::new(n, n, edges).components();
            let trees = Skeleton::new(&components);
            let tally = Tally::new(&trees, &components.of);
            // Each account is in two groups of the chain: at its own place and in the middle.
            tally.add((0..n as u32).flat_map(|i| [(i, i), (i, n as u32 / 2)]));
            let counts = tally.finish();
            let whole = lowest == n as u32;
            assert_eq!(
                (counts[0], counts[1], counts[n / 2], counts[n - 1]),
                if whole { (lowest, lowest, lowest, lowest) } else { (1, 2, n as u32, n as u32) }
            );
            let totals = trees.totals_above((0..n as u32).map(|i| (i, components.of[i as usize])).collect());
            assert_eq!(totals[components.of[0] as usize], n as u32);
        }
    }
}
