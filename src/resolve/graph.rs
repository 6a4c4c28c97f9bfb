//! Directed graphs over dense ordinals: neighbours, strongly connected components, distances. Nothing recurses: a chain of a million
//! nodes is a graph like any other.
#![expect(clippy::indexing_slicing, reason = "every vector here has one entry per node, and `Graph::new` keeps only edges between nodes")]

use std::collections::VecDeque;

/// Successors of every node, ascending and distinct.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    /// `targets[offsets[i]..offsets[i + 1]]` are the successors of `i`.
    offsets: Vec<usize>,
    targets: Vec<u32>,
}

/// A distance that no path has.
pub(super) const UNREACHED: u32 = u32::MAX;

impl Graph {
    /// Edges from `0..sources` to `0..targets`; others are passed over.
    pub fn new(sources: usize, targets: usize, edges: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let inside = |(a, b): &(u32, u32)| (*a as usize) < sources && (*b as usize) < targets;
        let kept: Vec<(u32, u32)> = edges.into_iter().filter(inside).collect();
        // Room for the successors of every node, filled in the order of the edges, then sorted and closed up node by node.
        let mut room = vec![0_usize; sources + 1];
        for (a, _) in &kept {
            room[*a as usize + 1] += 1;
        }
        for i in 0..sources {
            room[i + 1] += room[i];
        }
        let mut next = room.clone();
        let mut held = vec![0_u32; kept.len()];
        for (a, b) in kept {
            held[next[a as usize]] = b;
            next[a as usize] += 1;
        }
        let mut graph = Self { offsets: vec![0], targets: Vec::with_capacity(held.len()) };
        for i in 0..sources {
            let successors = &mut held[room[i]..room[i + 1]];
            successors.sort_unstable();
            let start = graph.targets.len();
            for target in successors {
                if graph.targets.len() == start || graph.targets.last() != Some(target) {
                    graph.targets.push(*target);
                }
            }
            graph.offsets.push(graph.targets.len());
        }
        graph
    }

    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Successors of `i`; none for a node that is not there.
    pub fn of(&self, i: u32) -> &[u32] {
        let i = i as usize;
        if i < self.len() { &self.targets[self.offsets[i]..self.offsets[i + 1]] } else { &[] }
    }

    pub fn edges(&self) -> impl Iterator<Item = (u32, u32)> {
        (0..self.len() as u32).flat_map(|a| self.of(a).iter().map(move |b| (a, *b)))
    }

    /// The same edges the other way round; for graphs whose edges join nodes of one set.
    pub fn reversed(&self) -> Self {
        Self::new(self.len(), self.len(), self.edges().map(|(a, b)| (b, a)))
    }

    /// Fewest edges from any of `starts` to every node ([`UNREACHED`]: none), and the nodes reached, nearest first.
    pub fn distances(&self, starts: impl IntoIterator<Item = u32>) -> (Vec<u32>, Vec<u32>) {
        let mut distance = vec![UNREACHED; self.len()];
        let mut order = Vec::new();
        let mut queue = VecDeque::new();
        for start in starts {
            if distance.get(start as usize) == Some(&UNREACHED) {
                distance[start as usize] = 0;
                queue.push_back(start);
            }
        }
        while let Some(node) = queue.pop_front() {
            order.push(node);
            for next in self.of(node) {
                if distance[*next as usize] == UNREACHED {
                    distance[*next as usize] = distance[node as usize] + 1;
                    queue.push_back(*next);
                }
            }
        }
        (distance, order)
    }

    /// Strongly connected components.
    pub fn components(&self) -> Components {
        Tarjan::new(self).run()
    }
}

/// Every node's component. A component has a lower number than any other from which it can be reached.
pub(super) struct Components {
    /// Component of each node.
    pub of: Vec<u32>,
    /// Nodes of each component.
    pub members: Graph,
    /// Edges between different components.
    pub graph: Graph,
}

impl Components {
    pub fn len(&self) -> usize {
        self.members.len()
    }
}

/// Tarjan's algorithm with its own stack.
struct Tarjan<'a> {
    graph: &'a Graph,
    /// Order of discovery from 1; 0: not yet.
    found: Vec<u32>,
    low: Vec<u32>,
    component: Vec<u32>,
    /// Nodes found whose component is open.
    open: Vec<u32>,
    components: u32,
}

impl<'a> Tarjan<'a> {
    fn new(graph: &'a Graph) -> Self {
        let n = graph.len();
        Self { graph, found: vec![0; n], low: vec![0; n], component: vec![UNREACHED; n], open: Vec::new(), components: 0 }
    }

    fn run(mut self) -> Components {
        let mut clock = 0;
        // A node and how many of its successors have been looked at.
        let mut stack: Vec<(u32, usize)> = Vec::new();
        for root in 0..self.graph.len() as u32 {
            if self.found[root as usize] != 0 {
                continue;
            }
            stack.push((root, 0));
            while let Some((node, looked)) = stack.pop() {
                if looked == 0 {
                    clock += 1;
                    self.found[node as usize] = clock;
                    self.low[node as usize] = clock;
                    self.open.push(node);
                }
                match self.graph.of(node).get(looked) {
                    Some(&next) => {
                        stack.push((node, looked + 1));
                        if self.found[next as usize] == 0 {
                            stack.push((next, 0));
                        } else if self.component[next as usize] == UNREACHED {
                            self.low[node as usize] = self.low[node as usize].min(self.found[next as usize]);
                        }
                    }
                    None => {
                        self.close(node);
                        if let Some((parent, _)) = stack.last() {
                            self.low[*parent as usize] = self.low[*parent as usize].min(self.low[node as usize]);
                        }
                    }
                }
            }
        }
        self.finish()
    }

    /// Takes a whole component off the open nodes, if `node` is its root.
    fn close(&mut self, node: u32) {
        if self.low[node as usize] != self.found[node as usize] {
            return;
        }
        while let Some(member) = self.open.pop() {
            self.component[member as usize] = self.components;
            if member == node {
                break;
            }
        }
        self.components += 1;
    }

    fn finish(self) -> Components {
        let (nodes, components) = (self.graph.len(), self.components as usize);
        let of = self.component;
        let members = Graph::new(components, nodes, of.iter().zip(0_u32..).map(|(c, node)| (*c, node)));
        let between = self.graph.edges().map(|(a, b)| (of[a as usize], of[b as usize])).filter(|(a, b)| a != b);
        let graph = Graph::new(components, components, between);
        Components { of, members, graph }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_stand_after_what_they_reach() {
        let graph = Graph::new(6, 6, [(0, 1), (1, 2), (2, 1), (2, 3), (4, 4), (9, 1), (1, 9)]);
        let found = graph.components();
        assert_eq!(found.of[1], found.of[2]);
        assert_eq!(found.len(), 5);
        assert!(found.graph.edges().all(|(a, b)| a > b));
    }

    #[test]
    fn a_chain_of_a_million_does_not_overflow() {
        let n = 1_000_000;
        let graph = Graph::new(n, n, (1..n as u32).map(|i| (i - 1, i)));
        assert_eq!(graph.components().len(), n);
        assert_eq!(graph.distances([0]).0[n - 1], n as u32 - 1);
    }
}
