//! Columns, computed when something asks for them, each once per part; those of whole views once for all parts.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::buffer::BooleanBuffer;

use super::Part;
use super::bits::{self, NONE, Tri};
use super::choose::below;
use super::column::{Kind, Lit, Value, failed};
use super::group::{SortColumn, measure, row_numbers};
use super::keys::{Groups, Index};
use super::node::{Graph, IndexId, Node, NodeId, Path, Scalar, Space, SpaceId};
use super::ops::{Operand, apply};
use super::rows::{Joined, Rows, Side};
use crate::sql::SqlError;

pub(super) type Computed<T> = Result<T, SqlError>;
type Slots<T> = Vec<OnceLock<Computed<T>>>;

/// What was computed.
#[derive(Debug)]
pub(super) struct Memo {
    spaces: Slots<Arc<Rows>>,
    nodes: Slots<Value>,
    indexes: Slots<Arc<Index>>,
    /// First rows found in indexes of columns.
    found: Mutex<BTreeMap<(IndexId, Vec<NodeId>), Side>>,
}

impl Memo {
    pub fn new(graph: &Graph) -> Self {
        let [spaces, nodes, indexes] = graph.sizes();
        Self { spaces: slots(spaces), nodes: slots(nodes), indexes: slots(indexes), found: Mutex::default() }
    }
}

fn slots<T>(count: usize) -> Slots<T> {
    std::iter::repeat_with(OnceLock::new).take(count).collect()
}

/// Some rows of a space; `matched` is not set where a row is [`NONE`].
#[derive(Clone)]
pub(super) struct Selection<'s> {
    pub rows: Cow<'s, [u32]>,
    pub matched: Option<BooleanBuffer>,
}

impl Selection<'_> {
    fn of(rows: Vec<u32>) -> Self {
        let matched = rows.contains(&NONE).then(|| bits::pack(&rows, |row| row != NONE));
        Self { rows: Cow::Owned(rows), matched }
    }
}

/// One part, with what was computed over it.
pub(super) struct Eval<'a> {
    pub graph: &'a Graph,
    pub part: &'a dyn Part,
    pub of_part: &'a Memo,
    pub whole: &'a dyn Part,
    pub of_whole: &'a Memo,
}

fn missing() -> SqlError {
    failed("a node that is not there")
}

impl Eval<'_> {
    fn memo(&self, whole: bool) -> &Memo {
        if whole { self.of_whole } else { self.of_part }
    }

    pub fn rows(&self, space: SpaceId) -> Computed<Arc<Rows>> {
        let place = self.graph.place_of_space(space).ok_or_else(missing)?;
        let slot = self.memo(self.graph.space_is_whole(space)).spaces.get(place).ok_or_else(missing)?;
        slot.get_or_init(|| self.compute_rows(space).map(Arc::new)).clone()
    }

    pub fn len(&self, space: SpaceId) -> Computed<usize> {
        Ok(self.rows(space)?.len())
    }

    fn index_slot(&self, index: IndexId) -> Computed<&OnceLock<Computed<Arc<Index>>>> {
        let place = self.graph.place_of_index(index).ok_or_else(missing)?;
        self.memo(self.graph.index_is_whole(index)).indexes.get(place).ok_or_else(missing)
    }

    fn index(&self, index: IndexId) -> Computed<Arc<Index>> {
        let compute = || {
            let of = self.graph.index(index).ok_or_else(missing)?;
            let counts = of.condition.map(|c| self.holds(c, of.space)).transpose()?;
            Index::new(&self.columns(&of.keys, of.space)?, self.len(of.space)?, counts.as_ref()).map(Arc::new)
        };
        self.index_slot(index)?.get_or_init(compute).clone()
    }

    /// The column that a column is row for row, before joins that keep the rows of that side.
    fn stem(&self, mut node: NodeId) -> Computed<NodeId> {
        while let Some(Node::Carried { path: path @ (Path::Left(_) | Path::Right(_)), of, absent: None }) =
            self.graph.node(node).map(|n| &n.node)
        {
            if Self::steps(*path, &*self.rows(path.space())?)?.is_some() {
                break;
            }
            node = *of;
        }
        Ok(node)
    }

    /// For each row of a space the first row of an index that has its keys.
    fn found(&self, index: IndexId, keys: &[NodeId], space: SpaceId) -> Computed<Side> {
        let stems = keys.iter().map(|key| self.stem(*key)).collect::<Computed<Vec<_>>>()?;
        let known = &self.memo(self.graph.index_is_whole(index) && stems.iter().all(|s| self.graph.is_whole(*s))).found;
        let key = (index, stems);
        if let Some(side) = known.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(side.clone());
        }
        let (of, rows) = (self.index(index)?, self.len(space)?);
        let values = key.1.iter().map(|stem| self.value(*stem)).collect::<Computed<Vec<_>>>()?;
        let same = |value: &Value, node: NodeId| match value {
            Value::Const(lit) => Some(Value::full(lit, self.graph.kind(node), 1)),
            _ => None,
        };
        let one: Option<Vec<Value>> = values.iter().zip(&key.1).map(|(value, node)| same(value, *node)).collect();
        let first = match one {
            Some(one) => vec![of.first(&one, 1)?.first().copied().unwrap_or(NONE); rows],
            None => of.first(&self.columns(&key.1, space)?, rows)?,
        };
        let side = Side::of(first);
        known.lock().unwrap_or_else(PoisonError::into_inner).insert(key, side.clone());
        Ok(side)
    }

    /// The pairs of a join of few rows that have keys with many rows, of which only those with some such key go into an index; `None`: the rows on the
    /// left are not few, or there is an index already.
    fn few(&self, left: (&[NodeId], SpaceId), index: IndexId, outer: bool) -> Computed<Option<Joined>> {
        let of = self.graph.index(index).ok_or_else(missing)?;
        let rows = self.len(of.space)?;
        if self.graph.index_is_whole(index) || self.index_slot(index)?.get().is_some() {
            return Ok(None);
        }
        let own = self.columns(left.0, left.1)?;
        let all = BooleanBuffer::new_set(self.len(left.1)?);
        let have_keys = own.iter().filter_map(Value::not_null).fold(all, |all, valid| &all & &valid);
        if have_keys.count_set_bits() >= rows / 8 {
            return Ok(None);
        }
        let columns = self.columns(&of.keys, of.space)?;
        let condition = of.condition.map(|c| self.holds(c, of.space)).transpose()?;
        let Some(wanted) = with_key_among(&own, &have_keys, &columns) else { return Ok(None) };
        let wanted: Vec<u32> = bits::and(Some(&wanted), condition.as_ref()).unwrap_or(wanted).set_indices_u32().collect();
        let columns: Vec<Value> = columns.iter().map(|column| column.gather(&wanted, None)).collect();
        let index = Index::new(&columns, wanted.len(), None)?;
        let first = Side::of(index.first(&own, self.len(left.1)?)?);
        let mut joined = Joined::from_left(first, &index, outer, rows)?;
        joined.right = joined.right.among(&wanted);
        Ok(Some(joined))
    }

    fn slot(&self, node: NodeId) -> Computed<&OnceLock<Computed<Value>>> {
        let place = self.graph.place_of_node(node).ok_or_else(missing)?;
        self.memo(self.graph.is_whole(node)).nodes.get(place).ok_or_else(missing)
    }

    /// The whole of a column; a literal stays one.
    pub fn value(&self, node: NodeId) -> Computed<Value> {
        let placed = self.graph.node(node).ok_or_else(missing)?;
        if let Node::Const(lit) = &placed.node {
            return Ok(Value::Const(lit.clone()));
        }
        self.slot(node)?.get_or_init(|| self.compute(&placed.node, placed.space.ok_or_else(missing)?, placed.kind)).clone()
    }

    /// The whole of a column, also where it is a literal.
    pub fn column(&self, node: NodeId, space: SpaceId) -> Computed<Value> {
        match self.value(node)? {
            Value::Const(lit) => Ok(Value::full(&lit, self.graph.kind(node), self.len(space)?)),
            value => Ok(value),
        }
    }

    fn columns(&self, nodes: &[NodeId], space: SpaceId) -> Computed<Vec<Value>> {
        nodes.iter().map(|node| self.column(*node, space)).collect()
    }

    /// The rows that meet a condition.
    pub fn holds(&self, condition: NodeId, space: SpaceId) -> Computed<BooleanBuffer> {
        Ok(self.column(condition, space)?.truth()?.yes.clone())
    }

    fn compute(&self, node: &Node, space: SpaceId, kind: Kind) -> Computed<Value> {
        match node {
            Node::Const(lit) => Ok(Value::Const(lit.clone())),
            Node::Column { name, .. } => self.stored(name, space),
            Node::Carried { path, of, absent } => self.carried(*path, *of, *absent),
            Node::Below(of) => {
                let Some(Space::Union { inputs }) = self.graph.space(space) else { return Err(missing()) };
                let parts = of.iter().zip(inputs).map(|(node, input)| Ok((self.value(*node)?, self.len(*input)?)));
                below(&parts.collect::<Computed<Vec<_>>>()?, kind)
            }
            Node::Matched => {
                let rows = self.rows(space)?;
                let joined = rows.joined().ok_or_else(missing)?;
                let all = || BooleanBuffer::new_set(joined.rows);
                Ok(Value::Truth(Tri::sure(joined.kept.clone().unwrap_or_else(all))))
            }
            Node::Found { index, keys } => {
                let found = self.found(*index, keys, space)?;
                let all = || BooleanBuffer::new_set(found.found().len());
                Ok(Value::Truth(Tri::sure(found.matched().cloned().unwrap_or_else(all))))
            }
            Node::Place { view, keys } => self.place(view, keys, self.len(space)?, |node| self.value(node)),
            Node::Sought { view, column, keys, place } => {
                self.sought(view, column.as_deref(), keys, *place, self.len(space)?, |node| self.value(node))
            }
            Node::Scalar { op, args } => self.scalar(op, args, kind, self.len(space)?, |arg| self.value(arg)),
            Node::Measure { what, of, filter } => {
                let Some(Space::Groups { input, .. }) = self.graph.space(space) else { return Err(missing()) };
                let rows = self.rows(space)?;
                let of = of.map(|node| self.column(node, *input)).transpose()?;
                let filter = filter.map(|node| self.column(node, *input)).transpose()?;
                let filter = filter.as_ref().map(Value::truth).transpose()?;
                measure(*what, of.as_ref(), kind, filter, rows.groups().ok_or_else(missing)?)
            }
            Node::RowNumber { groups, order } => {
                let rows = self.rows(*groups)?;
                let column = |o: &super::node::Order| {
                    Ok(SortColumn { value: self.column(o.node, space)?, descending: o.descending, nulls_first: o.nulls_first })
                };
                let order = order.iter().map(column).collect::<Computed<Vec<_>>>()?;
                Ok(row_numbers(rows.groups().ok_or_else(missing)?, &order))
            }
        }
    }

    fn stored(&self, name: &str, space: SpaceId) -> Computed<Value> {
        let Some(Space::View { name: view, part, .. }) = self.graph.space(space) else { return Err(missing()) };
        if *part && let Some(one) = self.part.constant(view, name)? {
            return Value::read(&one)?.literal().map(Value::Const);
        }
        let array = if *part { self.part.column(view, name)? } else { self.whole.column(view, name)? };
        let rows = self.len(space)?;
        if array.len() != rows {
            return Err(failed(format!("`{view}` has {rows} rows, and {} in its column `{name}`", array.len())));
        }
        Value::read(&array)
    }

    /// Keys of rows that are looked up, as arrays.
    fn keys(&self, keys: &[NodeId], rows: usize, of: impl Fn(NodeId) -> Computed<Value>) -> Computed<Vec<ArrayRef>> {
        let array = |key: &NodeId| match of(*key)? {
            Value::Const(Lit::Int(n)) if u32::try_from(n).is_ok() => {
                Ok(Arc::new(UInt32Array::from_value(u32::try_from(n).unwrap_or_default(), rows)) as ArrayRef)
            }
            Value::Const(lit) => Value::full(&lit, self.graph.kind(*key), rows).coded(),
            value => value.coded(),
        };
        keys.iter().map(array).collect()
    }

    fn place(&self, view: &str, keys: &[NodeId], rows: usize, of: impl Fn(NodeId) -> Computed<Value>) -> Computed<Value> {
        let places: ArrayRef = Arc::new(self.whole.places(view, &self.keys(keys, rows, of)?)?);
        Value::read(&places)
    }

    fn sought(
        &self,
        view: &str,
        column: Option<&str>,
        keys: &[NodeId],
        place: NodeId,
        rows: usize,
        of: impl Fn(NodeId) -> Computed<Value>,
    ) -> Computed<Value> {
        let Value::U32(places) = of(place)? else { return Err(missing()) };
        let Some(column) = column else {
            return Ok(Value::Truth(Tri::sure(places.valid.unwrap_or_else(|| BooleanBuffer::new_set(rows)))));
        };
        let places = UInt32Array::new(places.values, places.valid.map(arrow::buffer::NullBuffer::new));
        Value::read(&self.whole.seek(view, column, &|| self.keys(keys, rows, &of), &places)?)
    }

    fn scalar(&self, op: &Scalar, args: &[NodeId], kind: Kind, rows: usize, of: impl Fn(NodeId) -> Computed<Value>) -> Computed<Value> {
        let operand = |arg: &NodeId| Ok(Operand { value: of(*arg)?, kind: self.graph.kind(*arg) });
        let operands = args.iter().map(operand).collect::<Computed<Vec<_>>>()?;
        apply(op, &operands, kind, rows)
    }

    /// Where each row on this end of a path comes from; `None`: each from itself.
    fn steps(path: Path, rows: &Rows) -> Computed<Option<(&[u32], Option<&BooleanBuffer>)>> {
        Ok(match path {
            Path::Left(_) => rows.joined().ok_or_else(missing)?.left.steps(),
            Path::Right(_) => rows.joined().ok_or_else(missing)?.right.steps(),
            Path::First(_) => Some((&rows.groups().ok_or_else(missing)?.first, None)),
            Path::Group(_) => Some((&rows.groups().ok_or_else(missing)?.of, None)),
        })
    }

    fn carried(&self, path: Path, of: NodeId, absent: Option<bool>) -> Computed<Value> {
        let rows = self.rows(path.space())?;
        let Some((steps, matched)) = Self::steps(path, &rows)? else { return self.value(of) };
        let counted;
        let matched = match (path, matched) {
            (Path::First(_) | Path::Group(_), _) if steps.contains(&NONE) => {
                counted = bits::pack(steps, |row| row != NONE);
                Some(&counted)
            }
            (_, matched) => matched,
        };
        let value = match self.value(of)? {
            Value::Const(lit) if matched.is_none() => return Ok(Value::Const(lit)),
            Value::Const(lit) => {
                let full = Value::full(&lit, self.graph.kind(of), steps.len());
                matched.map_or_else(|| full.clone(), |m| full.clone().masked(m))
            }
            value => value.gather(steps, matched),
        };
        patched(value, absent, matched)
    }

    /// Some rows of a column; a literal stays one.
    pub fn some(&self, node: NodeId, selection: &Selection<'_>) -> Computed<Value> {
        let placed = self.graph.node(node).ok_or_else(missing)?;
        let whole = |value: &Value| match (value, &selection.matched) {
            (Value::Const(lit), Some(matched)) => Value::full(lit, placed.kind, selection.rows.len()).masked(matched),
            _ => value.gather(&selection.rows, selection.matched.as_ref()),
        };
        if let Some(Ok(value)) = self.slot(node)?.get() {
            return Ok(whole(value));
        }
        match &placed.node {
            Node::Carried { path, of, absent } => {
                let rows = self.rows(path.space())?;
                let Some((steps, _)) = Self::steps(*path, &rows)? else { return self.some(*of, selection) };
                let step = |row: &u32| steps.get(*row as usize).copied().unwrap_or(NONE);
                let below = Selection::of(selection.rows.iter().map(step).collect());
                let value = match self.some(*of, &below)? {
                    Value::Const(lit) => Value::full(&lit, placed.kind, below.rows.len()),
                    value => value,
                };
                let value = below.matched.as_ref().map_or_else(|| value.clone(), |m| value.clone().masked(m));
                let value = patched(value, *absent, below.matched.as_ref())?;
                // A row that was none before stays NULL.
                Ok(match &selection.matched {
                    Some(matched) => value.masked(matched),
                    None => value,
                })
            }
            Node::Below(of) => self.some_below(of, placed.space.ok_or_else(missing)?, placed.kind, selection),
            Node::Place { view, keys } => self.place(view, keys, selection.rows.len(), |node| self.some(node, selection)),
            Node::Sought { view, column, keys, place } => {
                self.sought(view, column.as_deref(), keys, *place, selection.rows.len(), |node| self.some(node, selection))
            }
            Node::Scalar { op, args } => self.scalar(op, args, placed.kind, selection.rows.len(), |arg| self.some(arg, selection)),
            _ => Ok(whole(&self.value(node)?)),
        }
    }

    /// Some rows of a union: those of each input, then put into their order.
    fn some_below(&self, of: &[NodeId], space: SpaceId, kind: Kind, selection: &Selection<'_>) -> Computed<Value> {
        let rows = self.rows(space)?;
        let starts = rows.starts().ok_or_else(missing)?;
        let mut order = vec![NONE; selection.rows.len()];
        let (mut parts, mut done) = (Vec::new(), 0_u32);
        for (node, bounds) in of.iter().zip(starts.windows(2)) {
            let &[from, to] = bounds else { continue };
            let mut own = Vec::new();
            for (row, place) in selection.rows.iter().zip(&mut order) {
                if (from..to).contains(row) {
                    *place = done;
                    done += 1;
                    own.push(row - from);
                }
            }
            let count = own.len();
            parts.push((self.some(*node, &Selection::of(own))?, count));
        }
        Ok(match (below(&parts, kind)?, &selection.matched) {
            (Value::Const(lit), Some(matched)) => Value::full(&lit, kind, order.len()).masked(matched),
            (value, matched) => value.gather(&order, matched.as_ref()),
        })
    }

    fn compute_rows(&self, space: SpaceId) -> Computed<Rows> {
        match self.graph.space(space).ok_or_else(missing)? {
            Space::View { name, part, .. } => Ok(Rows::Plain(if *part { self.part.rows(name)? } else { self.whole.rows(name)? })),
            Space::Join { left, right, index, keys, outer, back } => {
                let (l, r) = (self.len(*left)?, self.len(*right)?);
                if let Some(back) = back.as_ref().filter(|_| l < r) {
                    // The larger side keeps its rows if it can.
                    let found = self.found(back.index, &back.keys, *right)?;
                    if Joined::is_single(found.found(), &*self.index(back.index)?) {
                        let condition = back.condition.map(|c| self.holds(c, *right)).transpose()?;
                        return Ok(Rows::Joined(Joined::from_right(found, condition.as_ref())));
                    }
                }
                if let Some(joined) = self.few((keys, *left), *index, *outer)? {
                    return Ok(Rows::Joined(joined));
                }
                let found = self.found(*index, keys, *left)?;
                Joined::from_left(found, &*self.index(*index)?, *outer, r).map(Rows::Joined)
            }
            Space::Kept { join, condition } => {
                let rows = self.rows(*join)?;
                let joined = rows.joined().ok_or_else(missing)?;
                let Some(Space::Join { left, .. }) = self.graph.space(*join) else { return Err(missing()) };
                Ok(Rows::Joined(joined.kept(&self.holds(*condition, *join)?, self.len(*left)?)))
            }
            Space::Groups { input, keys, condition, one } => {
                let counts = condition.map(|c| self.holds(c, *input)).transpose()?;
                let rows = self.len(*input)?;
                if keys.is_empty() {
                    return Ok(Rows::Groups(Groups::one(rows, counts.as_ref(), *one)));
                }
                Groups::new(&self.columns(keys, *input)?, rows, counts.as_ref()).map(Rows::Groups)
            }
            Space::Union { inputs } => {
                let mut starts = vec![0_u32];
                for input in inputs {
                    let end = starts.last().copied().unwrap_or_default() as usize + self.len(*input)?;
                    starts.push(u32::try_from(end).map_err(|_| SqlError::Value("too many rows".to_owned()))?);
                }
                Ok(Rows::Union(starts))
            }
        }
    }
}

/// The rows of some columns whose first number is that of some row that has all keys; `None`: their first keys are no ordinals, or spread too far.
fn with_key_among(own: &[Value], have_keys: &BooleanBuffer, columns: &[Value]) -> Option<BooleanBuffer> {
    let ordinals = |(own, other): (&Value, &Value)| match (own, other) {
        (Value::U32(own), Value::U32(other)) => Some((own.clone(), other.clone())),
        _ => None,
    };
    let (own, other) = own.iter().zip(columns).find_map(ordinals)?;
    let wanted = || have_keys.set_indices().filter_map(|row| own.values.get(row).copied());
    let (least, greatest) = (wanted().min().unwrap_or_default(), wanted().max().unwrap_or_default());
    let span = (greatest - least) as usize;
    if span > other.values.len() {
        return None;
    }
    let mut among = vec![false; span + 1];
    for v in wanted() {
        if let Some(flag) = among.get_mut((v - least) as usize) {
            *flag = true;
        }
    }
    let is_among = |v: u32| among.get(v.wrapping_sub(least) as usize).copied().unwrap_or(false);
    let found = bits::pack(&other.values, is_among);
    bits::and(Some(&found), other.valid.as_ref())
}

/// A truth value that stands where an outer join found no row.
fn patched(value: Value, absent: Option<bool>, matched: Option<&BooleanBuffer>) -> Computed<Value> {
    let (Some(stands), Some(matched)) = (absent, matched) else { return Ok(value) };
    let (tri, lacks) = (value.truth()?, !matched);
    let (yes, no) = (&tri.yes & matched, &tri.no() & matched);
    Ok(Value::Truth(if stands { Tri { yes: &yes | &lacks, no: Some(no) } } else { Tri { yes, no: Some(&no | &lacks) } }))
}
