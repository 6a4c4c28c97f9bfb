//! The graph of all queries: what is equal is there once.

use std::collections::HashMap;
use std::hash::Hash;

use super::column::{Kind, Lit};
use crate::sql::ast::{ArithOp, CompareOp};
use crate::sql::like::Pattern;

pub(super) type SpaceId = usize;
pub(super) type NodeId = usize;
pub(super) type IndexId = usize;

/// Rows: those of a view, or of an operator that makes other rows. A filter makes none: it is a condition over the rows of its input.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Space {
    View {
        name: String,
        /// All its rows are of one system.
        account: bool,
        part: bool,
    },
    Join {
        left: SpaceId,
        right: SpaceId,
        /// The right side by its keys, only rows that meet its conditions.
        index: IndexId,
        keys: Vec<NodeId>,
        outer: bool,
        /// For inner joins, the other way round.
        back: Option<Back>,
    },
    /// A LEFT JOIN with conditions on pairs: the pairs of an inner join that meet them, and left rows without one.
    Kept {
        join: SpaceId,
        condition: NodeId,
    },
    /// One row for each group of the rows that meet the condition.
    Groups {
        input: SpaceId,
        keys: Vec<NodeId>,
        condition: Option<NodeId>,
        /// Without keys there is one group, also of no rows.
        one: bool,
    },
    Union {
        inputs: Vec<SpaceId>,
    },
}

/// The left side by its keys, for the rows of the right side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Back {
    pub index: IndexId,
    pub keys: Vec<NodeId>,
    pub condition: Option<NodeId>,
}

/// Rows of a space to be found by keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct IndexOf {
    pub space: SpaceId,
    pub keys: Vec<NodeId>,
    pub condition: Option<NodeId>,
}

/// From which rows to which others a column is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Path {
    Left(SpaceId),
    Right(SpaceId),
    /// The first row of a group.
    First(SpaceId),
    /// The group of a row.
    Group(SpaceId),
}

impl Path {
    /// The space that has the rows on both ends.
    pub fn space(self) -> SpaceId {
        let (Self::Left(space) | Self::Right(space) | Self::First(space) | Self::Group(space)) = self;
        space
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Scalar {
    And,
    Or,
    Not,
    Compare(CompareOp),
    Integer(ArithOp),
    Double(ArithOp),
    /// An instant by so many microseconds.
    Shift(i64),
    NegateInteger,
    NegateDouble,
    Concat,
    IsNull,
    IsTrue,
    IsFalse,
    In(Vec<Lit>, bool),
    Like(Pattern),
    /// Arguments: condition, result, condition, result, …, otherwise.
    Case,
    Coalesce,
    Nullif,
    ToText,
    ToDouble,
    ToInteger,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Measured {
    Rows,
    Count,
    CountDistinct,
    Sum,
    Min,
    Max,
}

/// A sort key of ROW_NUMBER.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Order {
    pub node: NodeId,
    pub descending: bool,
    pub nulls_first: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Node {
    Const(Lit),
    Column {
        name: String,
        /// Numbers that may be too large to be read.
        may_fail: bool,
    },
    /// `absent`: what stands where an outer join found no row; NULL, or a truth value.
    Carried {
        path: Path,
        of: NodeId,
        absent: Option<bool>,
    },
    Below(Vec<NodeId>),
    /// Rows of an inner join that have a partner.
    Matched,
    /// Rows that have a partner in an index: EXISTS.
    Found {
        index: IndexId,
        keys: Vec<NodeId>,
    },
    /// A number for the row of a whole view that has a key, looked up; NULL where there is none.
    Place {
        view: String,
        keys: Vec<NodeId>,
    },
    /// A column of that row; without a column, whether there is one.
    Sought {
        view: String,
        column: Option<String>,
        keys: Vec<NodeId>,
        place: NodeId,
    },
    Scalar {
        op: Scalar,
        args: Vec<NodeId>,
    },
    /// Over groups.
    Measure {
        what: Measured,
        of: Option<NodeId>,
        filter: Option<NodeId>,
    },
    RowNumber {
        groups: SpaceId,
        order: Vec<Order>,
    },
}

/// A node with what is known of it. `space` is `None` for constants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Placed {
    pub node: Node,
    pub space: Option<SpaceId>,
    pub kind: Kind,
}

/// Things with numbers, each once.
#[derive(Debug)]
struct Table<T> {
    items: Vec<T>,
    ids: HashMap<T, usize>,
    whole: Vec<bool>,
    /// The place of each among those that some query needs; [`UNUSED`]: none does.
    places: Vec<usize>,
    used: usize,
}

const UNUSED: usize = usize::MAX;

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { items: Vec::new(), ids: HashMap::new(), whole: Vec::new(), places: Vec::new(), used: 0 }
    }
}

impl<T: Clone + Eq + Hash> Table<T> {
    fn put(&mut self, item: T, whole: bool) -> usize {
        if let Some(id) = self.ids.get(&item) {
            return *id;
        }
        let id = self.items.len();
        self.whole.push(whole);
        self.ids.insert(item.clone(), id);
        self.items.push(item);
        self.places.push(UNUSED);
        id
    }

    /// Gives it a place; whether it had none.
    fn need(&mut self, id: usize) -> bool {
        match self.places.get_mut(id) {
            Some(place) if *place == UNUSED => {
                *place = self.used;
                self.used += 1;
                true
            }
            _ => false,
        }
    }

    fn place(&self, id: usize) -> Option<usize> {
        self.places.get(id).copied().filter(|p| *p != UNUSED)
    }
}

/// Every space, column and index of the queries. What is whole depends on whole views alone.
#[derive(Debug, Default)]
pub(super) struct Graph {
    spaces: Table<Space>,
    nodes: Table<Placed>,
    indexes: Table<IndexOf>,
}

impl Graph {
    /// How many spaces, columns and indexes some query needs.
    pub fn sizes(&self) -> [usize; 3] {
        [self.spaces.used, self.nodes.used, self.indexes.used]
    }

    /// The places among those that some query needs.
    pub fn place_of_space(&self, id: SpaceId) -> Option<usize> {
        self.spaces.place(id)
    }

    pub fn place_of_node(&self, id: NodeId) -> Option<usize> {
        self.nodes.place(id)
    }

    pub fn place_of_index(&self, id: IndexId) -> Option<usize> {
        self.indexes.place(id)
    }

    /// Marks a column, and what it is computed from, as needed.
    pub fn need(&mut self, id: NodeId) {
        if !self.nodes.need(id) {
            return;
        }
        let Some(placed) = self.node(id).cloned() else { return };
        if let Some(space) = placed.space {
            self.need_space(space);
        }
        match placed.node {
            Node::Const(_) | Node::Column { .. } | Node::Matched => {}
            Node::Carried { path, of, .. } => {
                self.need_space(path.space());
                self.need(of);
            }
            Node::Below(of) => of.into_iter().for_each(|n| self.need(n)),
            Node::Found { index, keys } => {
                self.need_index(index);
                keys.into_iter().for_each(|n| self.need(n));
            }
            Node::Scalar { args, .. } | Node::Place { keys: args, .. } => args.into_iter().for_each(|n| self.need(n)),
            Node::Sought { keys, place, .. } => keys.into_iter().chain([place]).for_each(|n| self.need(n)),
            Node::Measure { of, filter, .. } => of.into_iter().chain(filter).for_each(|n| self.need(n)),
            Node::RowNumber { groups, order } => {
                self.need_space(groups);
                order.into_iter().for_each(|o| self.need(o.node));
            }
        }
    }

    pub fn need_space(&mut self, id: SpaceId) {
        if !self.spaces.need(id) {
            return;
        }
        let Some(space) = self.space(id).cloned() else { return };
        match space {
            Space::View { .. } => {}
            Space::Join { left, right, index, keys, back, .. } => {
                [left, right].into_iter().for_each(|s| self.need_space(s));
                self.need_index(index);
                keys.into_iter().for_each(|n| self.need(n));
                if let Some(back) = back {
                    self.need_index(back.index);
                    back.keys.into_iter().chain(back.condition).for_each(|n| self.need(n));
                }
            }
            Space::Kept { join, condition } => {
                self.need_space(join);
                self.need(condition);
            }
            Space::Groups { input, keys, condition, .. } => {
                self.need_space(input);
                keys.into_iter().chain(condition).for_each(|n| self.need(n));
            }
            Space::Union { inputs } => inputs.into_iter().for_each(|s| self.need_space(s)),
        }
    }

    fn need_index(&mut self, id: IndexId) {
        if !self.indexes.need(id) {
            return;
        }
        let Some(index) = self.index(id).cloned() else { return };
        self.need_space(index.space);
        index.keys.into_iter().chain(index.condition).for_each(|n| self.need(n));
    }

    pub fn space(&self, id: SpaceId) -> Option<&Space> {
        self.spaces.items.get(id)
    }

    pub fn node(&self, id: NodeId) -> Option<&Placed> {
        self.nodes.items.get(id)
    }

    pub fn index(&self, id: IndexId) -> Option<&IndexOf> {
        self.indexes.items.get(id)
    }

    pub fn space_is_whole(&self, id: SpaceId) -> bool {
        self.spaces.whole.get(id).copied().unwrap_or(false)
    }

    pub fn is_whole(&self, id: NodeId) -> bool {
        self.nodes.whole.get(id).copied().unwrap_or(false)
    }

    pub fn index_is_whole(&self, id: IndexId) -> bool {
        self.indexes.whole.get(id).copied().unwrap_or(false)
    }

    pub fn kind(&self, id: NodeId) -> Kind {
        self.node(id).map_or(Kind::Int, |n| n.kind)
    }

    pub fn put_space(&mut self, space: Space) -> SpaceId {
        let whole = self.depends_on_whole_views(&space);
        self.spaces.put(space, whole)
    }

    pub fn put_index(&mut self, index: IndexOf) -> IndexId {
        let whole = self.space_is_whole(index.space) && index.keys.iter().chain(&index.condition).all(|n| self.is_whole(*n));
        self.indexes.put(index, whole)
    }

    pub fn put(&mut self, node: Node, space: Option<SpaceId>, kind: Kind) -> NodeId {
        let whole = space.is_none_or(|s| self.space_is_whole(s)) && self.is_made_of_whole(&node);
        self.nodes.put(Placed { node, space, kind }, whole)
    }

    fn depends_on_whole_views(&self, space: &Space) -> bool {
        let (s, n) = (|id: &usize| self.space_is_whole(*id), |id: &usize| self.is_whole(*id));
        match space {
            Space::View { part, .. } => !part,
            Space::Join { left, right, index, keys, .. } => s(left) && s(right) && self.index_is_whole(*index) && keys.iter().all(n),
            Space::Kept { join, condition } => s(join) && n(condition),
            Space::Groups { input, keys, condition, .. } => s(input) && keys.iter().chain(condition).all(n),
            Space::Union { inputs } => inputs.iter().all(s),
        }
    }

    fn is_made_of_whole(&self, node: &Node) -> bool {
        let n = |id: &usize| self.is_whole(*id);
        match node {
            Node::Const(_) | Node::Column { .. } | Node::Matched => true,
            Node::Carried { path, of, .. } => self.space_is_whole(path.space()) && n(of),
            Node::Below(of) => of.iter().all(n),
            Node::Found { index, keys } => self.index_is_whole(*index) && keys.iter().all(n),
            Node::Scalar { args, .. } | Node::Place { keys: args, .. } => args.iter().all(n),
            Node::Sought { keys, place, .. } => keys.iter().chain([place]).all(n),
            Node::Measure { of, filter, .. } => of.iter().chain(filter).all(n),
            Node::RowNumber { groups, order } => self.space_is_whole(*groups) && order.iter().all(|o| n(&o.node)),
        }
    }

    /// Whether some row can make it fail.
    pub fn may_fail(&self, id: NodeId) -> bool {
        let some = |ids: &[NodeId]| ids.iter().any(|id| self.may_fail(*id));
        match self.node(id).map(|n| &n.node) {
            None | Some(Node::Const(_) | Node::Matched | Node::Found { .. } | Node::RowNumber { .. }) => false,
            Some(Node::Place { .. } | Node::Sought { .. }) => false,
            Some(Node::Column { may_fail, .. }) => *may_fail,
            Some(Node::Carried { of, .. }) => self.may_fail(*of),
            Some(Node::Below(of)) => some(of),
            Some(Node::Measure { what, of, .. }) => *what == Measured::Sum || of.is_some_and(|of| self.may_fail(of)),
            Some(Node::Scalar { op, args }) => {
                let fails =
                    matches!(op, Scalar::Integer(_) | Scalar::Double(_) | Scalar::Shift(_) | Scalar::NegateInteger | Scalar::NegateDouble);
                fails || some(args)
            }
        }
    }
}
