//! Plans into the graph.

use std::collections::{BTreeMap, BTreeSet};

use super::Refusal;
use super::column::{Kind, Lit};
use super::node::{Back, Graph, IndexOf, Measured, Node, NodeId, Order, Path, Scalar, Space, SpaceId};
use super::scalar::kind;
use crate::sql::ast::WindowFunc;
use crate::sql::plan::{Aggregate, ColId, Measure, Plan, Rel, Scalar as Expr, ScanColumn, Window};
use crate::sql::types::{ACCOUNT_KEY, Type};

pub(super) type Columns = BTreeMap<ColId, NodeId>;
pub(super) type Built<T> = Result<T, Refusal>;

/// A relation: rows of a space that meet a condition.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    pub space: SpaceId,
    pub condition: Option<NodeId>,
    pub columns: Columns,
}

pub(super) struct Builder<'a> {
    pub graph: &'a mut Graph,
    plan: &'a Plan,
    chunked: &'a BTreeSet<&'a str>,
    /// Whole views in which rows are looked up, with their keys.
    sought: &'a BTreeMap<&'a str, &'a [&'a str]>,
    /// Columns that something is computed from.
    used: BTreeSet<ColId>,
    ctes: Vec<Option<Relation>>,
    /// It reads a view of accounts that is not among the chunked ones.
    pub reads_accounts: bool,
    /// It reads a chunked view without accounts.
    pub reads_chunks: bool,
}

impl<'a> Builder<'a> {
    pub fn new(graph: &'a mut Graph, plan: &'a Plan, chunked: &'a BTreeSet<&'a str>, sought: &'a BTreeMap<&'a str, &'a [&'a str]>) -> Self {
        let mut used: BTreeSet<ColId> = plan.outputs.iter().map(|c| c.id).collect();
        for cte in &plan.ctes {
            used.extend(&cte.columns);
            mark(&cte.rel, &mut used);
        }
        mark(&plan.rel, &mut used);
        Self {
            graph,
            plan,
            chunked,
            sought,
            used,
            ctes: plan.ctes.iter().map(|_| None).collect(),
            reads_accounts: false,
            reads_chunks: false,
        }
    }

    pub fn query(&mut self) -> Built<Relation> {
        let plan = self.plan;
        self.relation(&plan.rel)
    }

    fn relation(&mut self, rel: &Rel) -> Built<Relation> {
        match rel {
            Rel::Scan { view, columns, account } => Ok(self.view(view, columns, account.is_some())),
            Rel::Shared { cte, columns } => self.shared(*cte, columns),
            Rel::Join { left, right, outer, keys, residual, pos: _ } => {
                let (left, right) = (self.relation(left)?, self.relation(right)?);
                let whole_left = self.graph.space_is_whole(left.space) && !self.graph.space_is_whole(right.space);
                if whole_left && !outer {
                    let keys: Vec<(ColId, ColId)> = keys.iter().map(|(l, r)| (*r, *l)).collect();
                    return self.join(right, left, false, &keys, residual);
                }
                self.join(left, right, *outer, keys, residual)
            }
            Rel::Filter { input, terms } => {
                let mut input = self.relation(input)?;
                let terms = self.terms(terms, &input.columns, input.space)?;
                self.restrict(&mut input, terms);
                Ok(input)
            }
            Rel::Exists { input, inner, negated, keys, pos: _ } => self.exists(input, inner, *negated, keys),
            Rel::Aggregate { input, groups, aggregates, pos: _ } => self.aggregate(input, groups, aggregates),
            Rel::Window { input, windows } => {
                let mut input = self.relation(input)?;
                for window in windows {
                    let node = self.window(&input, window)?;
                    input.columns.insert(window.id, node);
                }
                Ok(input)
            }
            Rel::Project { input, items } => {
                let input = self.relation(input)?;
                let mut columns = Columns::new();
                for (id, scalar) in items {
                    columns.insert(*id, self.scalar(scalar, &input.columns, input.space)?);
                }
                Ok(Relation { columns, ..input })
            }
            Rel::Distinct { input, columns, pos: _ } => {
                let input = self.relation(input)?;
                let keys = nodes(columns, &input.columns)?;
                let space = self.groups(&input, keys, false);
                let first =
                    |b: &mut Self, id: &ColId| Ok((*id, b.graph.carry(Path::First(space), node(*id, &input.columns)?, space, None)));
                let columns = columns.iter().map(|id| first(self, id)).collect::<Built<_>>()?;
                Ok(Relation { space, condition: None, columns })
            }
            Rel::Union { inputs, ids, pos: _ } => self.union(inputs, ids),
            Rel::Sort { .. } => Err(Refusal("ORDER BY or LIMIT")),
        }
    }

    fn view(&mut self, view: &str, columns: &[ScanColumn], account: bool) -> Relation {
        let chunked = self.chunked.contains(view);
        self.reads_accounts |= account && !chunked;
        self.reads_chunks |= chunked && !account;
        let part = account || chunked;
        let space = self.graph.put_space(Space::View { name: view.to_owned(), account, part });
        let used = columns.iter().filter(|c| self.used.contains(&c.id));
        let put = |graph: &mut Graph, c: &ScanColumn| {
            let column = Node::Column { name: c.name.clone(), may_fail: c.ty == Type::U64 };
            graph.put(column, Some(space), kind(c.ty.into()))
        };
        let columns = used.map(|c| (c.id, put(self.graph, c))).collect();
        Relation { space, condition: None, columns }
    }

    fn shared(&mut self, number: usize, columns: &[(ColId, ColId)]) -> Built<Relation> {
        let plan = self.plan;
        let cte = plan.ctes.get(number).ok_or(Refusal("a WITH that is not there"))?;
        let relation = match self.ctes.get(number).cloned().flatten() {
            Some(built) => built,
            None => self.relation(&cte.rel)?,
        };
        if let Some(slot) = self.ctes.get_mut(number) {
            *slot = Some(relation.clone());
        }
        let there = |there: &ColId| relation.columns.get(there).copied();
        let columns = columns.iter().filter_map(|(here, old)| there(old).map(|node| (*here, node))).collect();
        Ok(Relation { columns, ..relation })
    }

    fn terms(&mut self, terms: &[Expr], columns: &Columns, space: SpaceId) -> Built<Vec<NodeId>> {
        terms.iter().map(|term| self.scalar(term, columns, space)).collect()
    }

    /// Leaves rows out that do not meet every term.
    fn restrict(&mut self, relation: &mut Relation, terms: Vec<NodeId>) {
        let terms = relation.condition.into_iter().chain(terms).collect();
        relation.condition = self.graph.all(terms, relation.space);
    }

    fn join(&mut self, left: Relation, mut right: Relation, outer: bool, keys: &[(ColId, ColId)], residual: &[Expr]) -> Built<Relation> {
        let of_right = |term: &Expr| {
            let mut read = BTreeSet::new();
            term.columns(&mut read);
            read.iter().all(|id| right.columns.contains_key(id))
        };
        let (own, pairs): (Vec<&Expr>, Vec<&Expr>) = residual.iter().partition(|term| of_right(term));
        let own = own.into_iter().map(|term| self.scalar(term, &right.columns, right.space)).collect::<Built<Vec<_>>>()?;
        self.restrict(&mut right, own);
        if let Some((mut found, is_there)) = self.looked_up(&left, &right, keys)?
            && (pairs.is_empty() || !outer)
        {
            let mut terms: Vec<NodeId> = Vec::new();
            if !outer {
                terms.push(is_there);
            }
            for term in pairs {
                terms.push(self.scalar(term, &found.columns, found.space)?);
            }
            self.restrict(&mut found, terms);
            return Ok(found);
        }
        let (left_keys, right_keys) = self.keys(&left.columns, &right.columns, keys)?;
        let index = self.graph.put_index(IndexOf { space: right.space, keys: right_keys.clone(), condition: right.condition });
        let join = |b: &mut Self, outer: bool| {
            let back = (!outer).then(|| {
                let index = b.graph.put_index(IndexOf { space: left.space, keys: left_keys.clone(), condition: None });
                Back { index, keys: right_keys.clone(), condition: right.condition }
            });
            let keys = left_keys.clone();
            b.graph.put_space(Space::Join { left: left.space, right: right.space, index, keys, outer, back })
        };
        if outer && !pairs.is_empty() {
            let inner = join(self, false);
            let columns = self.joined(&left, &right, inner);
            let terms = pairs.into_iter().map(|term| self.scalar(term, &columns, inner)).collect::<Built<Vec<_>>>()?;
            let condition = self.graph.all(terms, inner).ok_or(Refusal("a LEFT JOIN on nothing"))?;
            let kept = self.graph.put_space(Space::Kept { join: inner, condition });
            let condition = left.condition.map(|c| self.graph.carry(Path::Left(kept), c, kept, None));
            return Ok(Relation { space: kept, condition, columns: self.joined(&left, &right, kept) });
        }
        let space = join(self, outer);
        let columns = self.joined(&left, &right, space);
        let mut out = Relation { space, condition: None, columns };
        let mut terms: Vec<NodeId> = left.condition.map(|c| self.graph.carry(Path::Left(space), c, space, None)).into_iter().collect();
        if !outer {
            terms.push(self.graph.put(Node::Matched, Some(space), Kind::Bool));
        }
        for term in pairs {
            terms.push(self.scalar(term, &out.columns, space)?);
        }
        self.restrict(&mut out, terms);
        Ok(out)
    }

    /// The left side with the columns of the right one, if that is a view in which rows are looked up and the join is on all of its key and
    /// nothing else; and whether there is a row. A key is unique, so that the rows are those of the left side.
    fn looked_up(&mut self, left: &Relation, right: &Relation, keys: &[(ColId, ColId)]) -> Built<Option<(Relation, NodeId)>> {
        let Some(Space::View { name: view, part: false, .. }) = self.graph.space(right.space).cloned() else { return Ok(None) };
        let Some(key) = self.sought.get(view.as_str()).filter(|_| right.condition.is_none()) else { return Ok(None) };
        let stored = |graph: &Graph, id: NodeId| match graph.node(id).map(|n| &n.node) {
            Some(Node::Column { name, .. }) => Some(name.clone()),
            _ => None,
        };
        let mut by_name: BTreeMap<String, NodeId> = BTreeMap::new();
        for (l, r) in keys {
            match stored(self.graph, node(*r, &right.columns)?) {
                Some(name) if key.contains(&name.as_str()) => drop(by_name.insert(name, node(*l, &left.columns)?)),
                _ => return Ok(None),
            }
        }
        let given: Option<Vec<NodeId>> = key.iter().map(|name| by_name.get(*name).copied()).collect();
        let Some(given) = given.filter(|given| given.len() == keys.len()) else { return Ok(None) };
        let place = self.graph.put(Node::Place { view: view.clone(), keys: given.clone() }, Some(left.space), Kind::Int);
        let sought = |column: Option<String>| Node::Sought { view: view.clone(), column, keys: given.clone(), place };
        let mut out = left.clone();
        for (id, of) in &right.columns {
            let Some(name) = stored(self.graph, *of) else { return Ok(None) };
            let kind = self.graph.kind(*of);
            out.columns.insert(*id, self.graph.put(sought(Some(name)), Some(left.space), kind));
        }
        let is_there = self.graph.put(sought(None), Some(left.space), Kind::Bool);
        Ok(Some((out, is_there)))
    }

    /// The columns of both sides of a join, for its rows.
    fn joined(&mut self, left: &Relation, right: &Relation, space: SpaceId) -> Columns {
        let sides = [(left, Path::Left(space)), (right, Path::Right(space))];
        let all = sides.into_iter().flat_map(|(side, path)| side.columns.iter().map(move |(id, node)| (*id, *node, path)));
        all.map(|(id, node, path)| (id, self.graph.carry(path, node, space, None))).collect()
    }

    /// Keys of both sides. The system is left out where both are of the part: it is the same in all rows.
    fn keys(&self, left: &Columns, right: &Columns, keys: &[(ColId, ColId)]) -> Built<(Vec<NodeId>, Vec<NodeId>)> {
        let mut pairs = Vec::new();
        for (l, r) in keys {
            pairs.push((node(*l, left)?, node(*r, right)?));
        }
        let same = |(l, r): &(NodeId, NodeId)| is_system(self.graph, *l) && is_system(self.graph, *r);
        if !pairs.iter().all(same) {
            pairs.retain(|pair| !same(pair));
        }
        let mut once = Vec::with_capacity(pairs.len());
        pairs.into_iter().for_each(|pair| push_new(&mut once, pair));
        Ok(once.into_iter().unzip())
    }

    fn exists(&mut self, input: &Rel, inner: &Rel, negated: bool, keys: &[(ColId, ColId)]) -> Built<Relation> {
        let (mut input, inner) = (self.relation(input)?, self.relation(inner)?);
        let (outer_keys, inner_keys) = self.keys(&input.columns, &inner.columns, keys)?;
        let index = self.graph.put_index(IndexOf { space: inner.space, keys: inner_keys, condition: inner.condition });
        let mut found = self.graph.put(Node::Found { index, keys: outer_keys }, Some(input.space), Kind::Bool);
        if negated {
            found = self.graph.scalar(Scalar::Not, vec![found], input.space, Kind::Bool);
        }
        self.restrict(&mut input, vec![found]);
        Ok(input)
    }

    /// Groups of the rows of a relation.
    fn groups(&mut self, input: &Relation, all: Vec<NodeId>, one: bool) -> SpaceId {
        let mut keys = Vec::with_capacity(all.len());
        all.into_iter().for_each(|key| push_new(&mut keys, key));
        keys.retain(|k| self.graph.lit(*k).is_none());
        if keys.iter().any(|k| !is_system(self.graph, *k)) {
            keys.retain(|k| !is_system(self.graph, *k));
        }
        self.graph.put_space(Space::Groups { input: input.space, keys, condition: input.condition, one })
    }

    fn aggregate(&mut self, input: &Rel, groups: &[(ColId, ColId)], aggregates: &[Aggregate]) -> Built<Relation> {
        let input = self.relation(input)?;
        let keys = groups.iter().map(|(_, old)| node(*old, &input.columns)).collect::<Built<Vec<_>>>()?;
        let space = self.groups(&input, keys, groups.is_empty());
        let mut columns = Columns::new();
        for (new, old) in groups {
            columns.insert(*new, self.graph.carry(Path::First(space), node(*old, &input.columns)?, space, None));
        }
        for aggregate in aggregates {
            let filter = aggregate.filter.as_ref().map(|f| self.scalar(f, &input.columns, input.space)).transpose()?;
            let (what, scalar) = match &aggregate.measure {
                Measure::CountRows => (Measured::Rows, None),
                Measure::Count(scalar) => (Measured::Count, Some(scalar)),
                Measure::CountDistinct(scalar) => (Measured::CountDistinct, Some(scalar)),
                Measure::Sum(scalar) if kind(scalar.ty) == Kind::Double => {
                    return Err(Refusal("a sum of doubles, which depends on the order of the rows"));
                }
                Measure::Sum(scalar) => (Measured::Sum, Some(scalar)),
                Measure::Min(scalar) => (Measured::Min, Some(scalar)),
                Measure::Max(scalar) => (Measured::Max, Some(scalar)),
            };
            let of = scalar.map(|s| self.scalar(s, &input.columns, input.space)).transpose()?;
            columns.insert(aggregate.id, self.measure(space, what, of, filter));
        }
        Ok(Relation { space, condition: None, columns })
    }

    fn measure(&mut self, space: SpaceId, what: Measured, of: Option<NodeId>, filter: Option<NodeId>) -> NodeId {
        let kind = match (what, of) {
            (Measured::Min | Measured::Max, Some(of)) => self.graph.kind(of),
            _ => Kind::Int,
        };
        self.graph.put(Node::Measure { what, of, filter }, Some(space), kind)
    }

    fn window(&mut self, input: &Relation, window: &Window) -> Built<NodeId> {
        let keys = nodes(&window.partition, &input.columns)?;
        let space = self.groups(input, keys, window.partition.is_empty());
        if window.func == WindowFunc::RowNumber {
            let mut order = Vec::new();
            for key in &window.order {
                let node = node(key.id, &input.columns)?;
                order.push(Order { node, descending: key.descending, nulls_first: key.nulls_first });
            }
            return Ok(self.graph.put(Node::RowNumber { groups: space, order }, Some(input.space), Kind::Int));
        }
        if !window.order.is_empty() {
            return Err(Refusal("a window with an order other than ROW_NUMBER"));
        }
        let of = window.arg.as_ref().map(|a| self.scalar(a, &input.columns, input.space)).transpose()?;
        let what = match (window.func, of) {
            (WindowFunc::Min, Some(_)) => Measured::Min,
            (WindowFunc::Max, Some(_)) => Measured::Max,
            (_, Some(_)) => Measured::Count,
            (_, None) => Measured::Rows,
        };
        let measure = self.measure(space, what, of, None);
        Ok(self.graph.carry(Path::Group(space), measure, input.space, None))
    }

    fn union(&mut self, inputs: &[(Rel, Vec<ColId>)], ids: &[ColId]) -> Built<Relation> {
        let mut arms = Vec::new();
        for (rel, columns) in inputs {
            arms.push((self.relation(rel)?, columns));
        }
        let space = self.graph.put_space(Space::Union { inputs: arms.iter().map(|(arm, _)| arm.space).collect() });
        let mut columns = Columns::new();
        for (place, id) in ids.iter().enumerate() {
            let of = arms
                .iter()
                .map(|(arm, ids)| ids.get(place).ok_or(Refusal("a UNION ALL of other columns")).and_then(|c| node(*c, &arm.columns)));
            let of = of.collect::<Built<Vec<_>>>()?;
            let kinds: BTreeSet<_> = of.iter().map(|o| self.graph.kind(*o) as u8).collect();
            if kinds.len() > 1 {
                return Err(Refusal("a UNION ALL of several types"));
            }
            columns.insert(*id, self.graph.below(of, space));
        }
        let mut condition = None;
        if arms.iter().any(|(arm, _)| arm.condition.is_some()) {
            let every = self.graph.constant(Lit::Bool(true), Kind::Bool);
            condition = Some(self.graph.below(arms.iter().map(|(arm, _)| arm.condition.unwrap_or(every)).collect(), space));
        }
        Ok(Relation { space, condition, columns })
    }
}

fn push_new<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}

/// Whether the column holds the one system of the part.
pub(super) fn is_system(graph: &Graph, id: NodeId) -> bool {
    let Some(placed) = graph.node(id) else { return false };
    match &placed.node {
        Node::Column { name, .. } => {
            name == ACCOUNT_KEY[0] && matches!(placed.space.and_then(|s| graph.space(s)), Some(Space::View { account: true, .. }))
        }
        Node::Carried { path, of, .. } => !graph.may_lack(*path) && is_system(graph, *of),
        Node::Below(of) => of.iter().all(|o| is_system(graph, *o)),
        _ => false,
    }
}

pub(super) fn node(id: ColId, columns: &Columns) -> Built<NodeId> {
    columns.get(&id).copied().ok_or(Refusal("a column that is not there"))
}

fn nodes(ids: &[ColId], columns: &Columns) -> Built<Vec<NodeId>> {
    ids.iter().map(|id| node(*id, columns)).collect()
}

/// Adds the columns that something in a relation is computed from.
fn mark(rel: &Rel, used: &mut BTreeSet<ColId>) {
    let mut scalars: Vec<&Expr> = Vec::new();
    match rel {
        Rel::Scan { .. } => {}
        Rel::Shared { columns, .. } => used.extend(columns.iter().map(|(_, there)| *there)),
        Rel::Join { left, right, keys, residual, .. } => {
            used.extend(keys.iter().flat_map(|(l, r)| [*l, *r]));
            scalars.extend(residual);
            mark(left, used);
            mark(right, used);
        }
        Rel::Filter { input, terms } => {
            scalars.extend(terms);
            mark(input, used);
        }
        Rel::Exists { input, inner, keys, .. } => {
            used.extend(keys.iter().flat_map(|(o, i)| [*o, *i]));
            mark(input, used);
            mark(inner, used);
        }
        Rel::Aggregate { input, groups, aggregates, .. } => {
            used.extend(groups.iter().map(|(_, old)| *old));
            for aggregate in aggregates {
                scalars.extend(&aggregate.filter);
                match &aggregate.measure {
                    Measure::CountRows => {}
                    Measure::Count(s) | Measure::CountDistinct(s) | Measure::Sum(s) | Measure::Min(s) | Measure::Max(s) => scalars.push(s),
                }
            }
            mark(input, used);
        }
        Rel::Window { input, windows } => {
            for window in windows {
                scalars.extend(&window.arg);
                used.extend(window.partition.iter().copied().chain(window.order.iter().map(|k| k.id)));
            }
            mark(input, used);
        }
        Rel::Project { input, items } => {
            scalars.extend(items.iter().map(|(_, s)| s));
            mark(input, used);
        }
        Rel::Distinct { input, columns, .. } => {
            used.extend(columns);
            mark(input, used);
        }
        Rel::Union { inputs, .. } => {
            for (input, columns) in inputs {
                used.extend(columns);
                mark(input, used);
            }
        }
        Rel::Sort { input, order, .. } => {
            used.extend(order.iter().map(|k| k.id));
            mark(input, used);
        }
    }
    scalars.into_iter().for_each(|s| s.columns(used));
}
