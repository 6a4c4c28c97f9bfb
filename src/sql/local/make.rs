//! Columns put where they cost least: over the rows of the view that they depend on, before a join or a union repeats those.

use super::column::{Kind, Lit};
use super::node::{Graph, Node, NodeId, Path, Scalar, Space, SpaceId};

impl Graph {
    pub fn constant(&mut self, lit: Lit, kind: Kind) -> NodeId {
        self.put(Node::Const(lit), None, kind)
    }

    pub fn lit(&self, id: NodeId) -> Option<&Lit> {
        match self.node(id).map(|n| &n.node) {
            Some(Node::Const(lit)) => Some(lit),
            _ => None,
        }
    }

    fn carried_by(&self, id: NodeId) -> Option<(Path, NodeId, Option<bool>)> {
        match self.node(id).map(|n| &n.node) {
            Some(Node::Carried { path, of, absent }) => Some((*path, *of, *absent)),
            _ => None,
        }
    }

    /// Whether rows may come to a join's side without a partner there.
    pub fn may_lack(&self, path: Path) -> bool {
        match path {
            Path::Right(space) => matches!(self.space(space), Some(Space::Join { outer: true, .. } | Space::Kept { .. })),
            _ => false,
        }
    }

    /// A column of the rows on one end of a path for those on the other, which are of `space`.
    pub fn carry(&mut self, path: Path, of: NodeId, space: SpaceId, absent: Option<bool>) -> NodeId {
        if self.lit(of).is_some() && !self.may_lack(path) {
            return of;
        }
        let kind = self.kind(of);
        self.put(Node::Carried { path, of, absent }, Some(space), kind)
    }

    /// Columns of the inputs of a union, one below the other.
    pub fn below(&mut self, of: Vec<NodeId>, space: SpaceId) -> NodeId {
        match of.first() {
            Some(first) if self.lit(*first).is_some() && of.iter().all(|o| o == first) => *first,
            first => {
                let kind = first.map_or(Kind::Int, |f| self.kind(*f));
                self.put(Node::Below(of), Some(space), kind)
            }
        }
    }

    /// Every one of some conditions.
    pub fn all(&mut self, terms: Vec<NodeId>, space: SpaceId) -> Option<NodeId> {
        (!terms.is_empty()).then(|| self.scalar(Scalar::And, terms, space, Kind::Bool))
    }

    /// An operation over columns of `space`.
    pub fn scalar(&mut self, op: Scalar, args: Vec<NodeId>, space: SpaceId, kind: Kind) -> NodeId {
        match op {
            Scalar::And | Scalar::Or => self.connected(op, args, space),
            _ => self.lowered(op, args, space, kind),
        }
    }

    /// AND and OR: flat, each term once, terms of one side of a join together.
    fn connected(&mut self, op: Scalar, args: Vec<NodeId>, space: SpaceId) -> NodeId {
        let neutral = op == Scalar::And;
        let mut flat: Vec<NodeId> = Vec::new();
        for arg in args {
            match self.node(arg).map(|n| &n.node) {
                Some(Node::Scalar { op: inner, args }) if *inner == op => flat.extend(args),
                Some(Node::Const(Lit::Bool(value))) if *value == neutral => {}
                Some(Node::Const(Lit::Bool(_))) => return arg,
                _ => flat.push(arg),
            }
        }
        flat.sort_unstable();
        flat.dedup();
        // Terms of one side meet there first.
        let mut sides: Vec<(Option<Path>, Vec<NodeId>)> = Vec::new();
        for term in flat {
            let side = self.carried_by(term).map(|(path, ..)| path).filter(|p| matches!(p, Path::Left(_) | Path::Right(_)));
            match sides.iter_mut().find(|(s, _)| *s == side && side.is_some()) {
                Some((_, terms)) => terms.push(term),
                None => sides.push((side, vec![term])),
            }
        }
        let mut terms: Vec<NodeId> = Vec::new();
        for (side, of_side) in sides {
            if side.is_some() && of_side.len() > 1 {
                terms.push(self.lowered(op.clone(), of_side, space, Kind::Bool));
            } else {
                terms.extend(of_side);
            }
        }
        terms.sort_unstable();
        terms.dedup();
        match terms.as_slice() {
            [] => self.constant(Lit::Bool(neutral), Kind::Bool),
            [only] => *only,
            _ => self.lowered(op, terms, space, Kind::Bool),
        }
    }

    /// The operation over what its arguments are carried from, carried itself; or as it is.
    fn lowered(&mut self, op: Scalar, args: Vec<NodeId>, space: SpaceId, kind: Kind) -> NodeId {
        if let Some(id) = self.before_a_join(&op, &args, space, kind).or_else(|| self.before_a_union(&op, &args, space, kind)) {
            return id;
        }
        self.put(Node::Scalar { op, args }, Some(space), kind)
    }

    fn before_a_join(&mut self, op: &Scalar, args: &[NodeId], space: SpaceId, kind: Kind) -> Option<NodeId> {
        let mut common: Option<Path> = None;
        let mut inner = Vec::with_capacity(args.len());
        for arg in args {
            if self.lit(*arg).is_some() {
                inner.push(*arg);
                continue;
            }
            let (path, of, _) = self.carried_by(*arg)?;
            if !matches!(path, Path::Left(_) | Path::Right(_)) || common.is_some_and(|c| c != path) {
                return None;
            }
            common = Some(path);
            inner.push(of);
        }
        let path = common?;
        let absent = if self.may_lack(path) { self.absent(op, args)? } else { None };
        let side = self.end(path)?;
        let inner = self.scalar(op.clone(), inner, side, kind);
        if self.lit(inner).is_some() && self.may_lack(path) {
            return None;
        }
        Some(self.carry(path, inner, space, absent))
    }

    /// The space that a path of a join comes from.
    fn end(&self, path: Path) -> Option<SpaceId> {
        let (Path::Left(join) | Path::Right(join)) = path else { return None };
        match self.space(join)? {
            Space::Join { left, right, .. } => Some(if matches!(path, Path::Left(_)) { *left } else { *right }),
            Space::Kept { join, .. } => {
                let below = if matches!(path, Path::Left(_)) { Path::Left(*join) } else { Path::Right(*join) };
                self.end(below)
            }
            _ => None,
        }
    }

    fn before_a_union(&mut self, op: &Scalar, args: &[NodeId], space: SpaceId, kind: Kind) -> Option<NodeId> {
        let Some(Space::Union { inputs }) = self.space(space).cloned() else { return None };
        let mut arms: Vec<Vec<NodeId>> = vec![Vec::new(); inputs.len()];
        for arg in args {
            let of = match self.node(*arg).map(|n| &n.node) {
                Some(Node::Const(_)) => vec![*arg; inputs.len()],
                Some(Node::Below(of)) => of.clone(),
                _ => return None,
            };
            arms.iter_mut().zip(of).for_each(|(arm, of)| arm.push(of));
        }
        let of = arms.into_iter().zip(inputs).map(|(args, input)| self.scalar(op.clone(), args, input, kind)).collect();
        Some(self.below(of, space))
    }

    /// What an argument is where an outer join found no row; `None`: a value that is not known here.
    fn absence(&self, id: NodeId) -> Option<Option<bool>> {
        match &self.node(id)?.node {
            Node::Const(Lit::Null) => Some(None),
            Node::Const(Lit::Bool(value)) => Some(Some(*value)),
            Node::Carried { absent, .. } => Some(*absent),
            _ => None,
        }
    }

    /// What the operation gives where an outer join found no row, all carried arguments being of its right side; `None`: neither NULL
    /// nor a truth value.
    fn absent(&self, op: &Scalar, args: &[NodeId]) -> Option<Option<bool>> {
        let of = |id: &NodeId| self.absence(*id);
        let mut known = Vec::with_capacity(args.len());
        match op {
            Scalar::And | Scalar::Or => {
                for arg in args {
                    known.push(of(arg)?);
                }
                let decisive = *op == Scalar::Or;
                Some(if known.contains(&Some(decisive)) {
                    Some(decisive)
                } else if known.contains(&None) {
                    None
                } else {
                    Some(!decisive)
                })
            }
            Scalar::Not => of(args.first()?).map(|v| v.map(|v| !v)),
            Scalar::IsNull => Some(Some(of(args.first()?)?.is_none())),
            Scalar::IsTrue => Some(Some(of(args.first()?)? == Some(true))),
            Scalar::IsFalse => Some(Some(of(args.first()?)? == Some(false))),
            Scalar::Case => {
                let (otherwise, arms) = args.split_last()?;
                for arm in arms.chunks(2) {
                    let [condition, result] = arm else { return None };
                    if of(condition)? == Some(true) {
                        return of(result);
                    }
                }
                of(otherwise)
            }
            Scalar::Coalesce => {
                for arg in args {
                    if let Some(value) = of(arg)? {
                        return Some(Some(value));
                    }
                }
                Some(None)
            }
            // NULL in, NULL out.
            Scalar::Compare(_)
            | Scalar::Integer(_)
            | Scalar::Double(_)
            | Scalar::Shift(_)
            | Scalar::NegateInteger
            | Scalar::NegateDouble
            | Scalar::Concat
            | Scalar::In(..)
            | Scalar::Like(_)
            | Scalar::ToText
            | Scalar::ToDouble
            | Scalar::ToInteger => {
                let null = args.iter().any(|a| of(a) == Some(None));
                null.then_some(None)
            }
            // NULL where the first is; the second does not matter then.
            Scalar::Nullif => of(args.first()?)?.is_none().then_some(None),
        }
    }
}
