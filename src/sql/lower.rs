//! Relations to polars lazy frames.
//!
//! Inside, every column is named by its number, so no join has two columns of one name. Frames carry the columns that the operator above needs, and at
//! least one. A WITH that several places read, and the left side of a LEFT JOIN with further conditions, is computed once and kept.

use std::collections::BTreeSet;

use polars::prelude::{
    DataFrame, DataType, Expr, IdxSize, IntoLazy, JoinArgs, JoinCoalesce, JoinType, LazyFrame, SortMultipleOptions, UnionArgs,
    UniqueKeepStrategy, concat, lit, when,
};

use super::ast::WindowFunc;
use super::kernels;
use super::lower_expr::{col, dtype, lower, name, null, predicate};
use super::plan::{Aggregate, Col, ColId, Measure, Op, Plan, Rel, Scalar, ScanColumn, SortKey, Ty, Window};
use super::types::Type;
use super::{SqlError, Tables};

type Need = BTreeSet<ColId>;
type Lowered<T> = Result<T, SqlError>;

/// A frame and one of its columns.
struct Frame {
    lazy: LazyFrame,
    anchor: String,
}

impl Frame {
    fn map(self, f: impl FnOnce(LazyFrame) -> LazyFrame) -> Self {
        Self { lazy: f(self.lazy), anchor: self.anchor }
    }

    fn anchor(&self) -> Expr {
        polars::prelude::col(self.anchor.as_str())
    }

    fn collect(self) -> Lowered<DataFrame> {
        Ok(self.lazy.collect()?)
    }
}

/// Runs a plan over the tables.
pub(super) fn run(plan: &Plan, tables: Tables) -> Lowered<DataFrame> {
    let mut lowering = Lowering { plan, tables, kept: plan.ctes.iter().map(|_| None).collect(), hidden: 0 };
    let need = plan.outputs.iter().map(|c| c.id).collect();
    let frame = lowering.rel(&plan.rel, &need)?;
    let outputs: Vec<Expr> = plan.outputs.iter().map(output).collect();
    frame.map(|lazy| lazy.select(outputs)).collect()
}

/// An output under its own name and type.
fn output(column: &Col) -> Expr {
    let dtype = match column.ty.column() {
        Some(Type::U32) => DataType::UInt32,
        Some(Type::U64) => DataType::UInt64,
        _ => dtype(column.ty),
    };
    col(column.id).strict_cast(dtype).alias(column.name.as_str())
}

struct Lowering<'a> {
    plan: &'a Plan,
    tables: Tables<'a>,
    /// CTEs with several readers, once computed.
    kept: Vec<Option<DataFrame>>,
    hidden: usize,
}

impl Lowering<'_> {
    /// A column name that no other column has.
    fn hide(&mut self) -> String {
        self.hidden += 1;
        format!("h{}", self.hidden)
    }

    fn rel(&mut self, rel: &Rel, need: &Need) -> Lowered<Frame> {
        match rel {
            Rel::Scan { view, columns, .. } => self.scan(view, columns, need),
            Rel::Shared { cte, columns } => self.shared(*cte, columns, need),
            Rel::Join { left, right, outer, keys, residual, pos: _ } => self.join(left, right, *outer, keys, residual, need),
            Rel::Filter { input, terms } => {
                let frame = self.rel(input, &with(need, terms))?;
                let condition = predicate(terms, &frame.anchor);
                Ok(frame.map(|lazy| lazy.filter(condition)))
            }
            Rel::Exists { input, inner, negated, keys, pos: _ } => self.exists(input, inner, *negated, keys, need),
            Rel::Aggregate { input, groups, aggregates, pos: _ } => self.aggregate(input, groups, aggregates, need),
            Rel::Window { input, windows } => self.windows(input, windows, need),
            Rel::Project { input, items } => self.project(input, items, need),
            Rel::Distinct { input, columns, pos: _ } => {
                let frame = self.rel(input, &columns.iter().copied().collect())?;
                let columns: Vec<Expr> = columns.iter().map(|id| col(*id)).collect();
                Ok(frame.map(|lazy| lazy.select(columns).unique_generic(None, UniqueKeepStrategy::Any)))
            }
            Rel::Union { inputs, ids, pos: _ } => self.union(inputs, ids, need),
            Rel::Sort { input, order, limit, pos: _ } => {
                let frame = self.rel(input, &need.iter().copied().chain(order.iter().map(|k| k.id)).collect())?;
                let frame = if order.is_empty() { frame } else { frame.map(|lazy| sort(lazy, order)) };
                Ok(match limit {
                    Some(n) => frame.map(|lazy| lazy.limit(*n as IdxSize)),
                    None => frame,
                })
            }
        }
    }

    /// A view, its integers widened to 64 bits.
    fn scan(&mut self, view: &str, columns: &[ScanColumn], need: &Need) -> Lowered<Frame> {
        let Some(table) = (self.tables)(view) else { return Err(SqlError::MissingTable(view.to_owned())) };
        let mut wanted: Vec<&ScanColumn> = columns.iter().filter(|c| need.contains(&c.id)).collect();
        if wanted.is_empty() {
            wanted.extend(columns.first());
        }
        let Some(anchor) = wanted.first().map(|c| name(c.id)) else { return Err(SqlError::MissingTable(view.to_owned())) };
        let exprs: Vec<Expr> = wanted.iter().map(|c| read(c)).collect();
        Ok(Frame { lazy: table.select(exprs), anchor })
    }

    fn shared(&mut self, number: usize, columns: &[(ColId, ColId)], need: &Need) -> Lowered<Frame> {
        let plan = self.plan;
        let Some(cte) = plan.ctes.get(number) else { return Err(SqlError::Engine("a WITH that is not there".to_owned())) };
        let mut wanted: Vec<&(ColId, ColId)> = columns.iter().filter(|(here, _)| need.contains(here)).collect();
        if wanted.is_empty() {
            wanted.extend(columns.first());
        }
        let lazy = if cte.uses <= 1 {
            self.rel(&cte.rel, &wanted.iter().map(|(_, there)| *there).collect())?.lazy
        } else if let Some(Some(kept)) = self.kept.get(number) {
            kept.clone().lazy()
        } else {
            let frame = self.rel(&cte.rel, &cte.columns.iter().copied().collect())?.collect()?;
            if let Some(slot) = self.kept.get_mut(number) {
                *slot = Some(frame.clone());
            }
            frame.lazy()
        };
        let exprs: Vec<Expr> = wanted.iter().map(|(here, there)| col(*there).alias(name(*here))).collect();
        let anchor = wanted.first().map(|(here, _)| name(*here)).unwrap_or_default();
        Ok(Frame { lazy: lazy.select(exprs), anchor })
    }

    fn join(&mut self, left: &Rel, right: &Rel, outer: bool, keys: &[(ColId, ColId)], residual: &[Scalar], need: &Need) -> Lowered<Frame> {
        let mut need = with(need, residual);
        need.extend(keys.iter().flat_map(|(l, r)| [*l, *r]));
        let (left, right) = (self.rel(left, &need)?, self.rel(right, &need)?);
        if outer && !residual.is_empty() {
            return self.left_join_filtered(left, right, keys, residual);
        }
        let how = if outer { JoinType::Left } else { JoinType::Inner };
        let joined = self.equi_join(left, right.lazy, keys, how);
        if residual.is_empty() {
            return Ok(joined);
        }
        let condition = predicate(residual, &joined.anchor);
        Ok(joined.map(|lazy| lazy.filter(condition)))
    }

    /// LEFT JOIN with conditions beyond equalities: pairs that meet them all, then every left row with its pairs or with NULL.
    fn left_join_filtered(&mut self, left: Frame, right: Frame, keys: &[(ColId, ColId)], residual: &[Scalar]) -> Lowered<Frame> {
        let (row, partner) = (self.hide(), self.hide());
        let anchor = left.anchor.clone();
        let left = left.collect()?.with_row_index(row.as_str().into(), None)?;
        let right = right.collect()?;
        let mut right_columns: Vec<Expr> = right.get_column_names().into_iter().map(|c| polars::prelude::col(c.as_str())).collect();
        right_columns.push(polars::prelude::col(row.as_str()).alias(partner.as_str()));
        let numbered = Frame { lazy: left.clone().lazy(), anchor: anchor.clone() };
        let pairs = self.equi_join(numbered, right.lazy(), keys, JoinType::Inner);
        let condition = predicate(residual, &pairs.anchor);
        let pairs = pairs.lazy.filter(condition).select(right_columns);
        let on = ([polars::prelude::col(row.as_str())], [polars::prelude::col(partner.as_str())]);
        Ok(Frame { lazy: left.lazy().join(pairs, on.0, on.1, join_args(JoinType::Left)), anchor })
    }

    /// A hash join. NULL keys never match; a key column used twice is copied, as polars wants each once.
    fn equi_join(&mut self, left: Frame, right: LazyFrame, keys: &[(ColId, ColId)], how: JoinType) -> Frame {
        let Frame { lazy: left, anchor } = left;
        let (left, left_on) = self.key_columns(left, keys.iter().map(|(l, _)| *l));
        let (right, right_on) = self.key_columns(right, keys.iter().map(|(_, r)| *r));
        Frame { lazy: left.join(right, left_on, right_on, join_args(how)), anchor }
    }

    fn key_columns(&mut self, lazy: LazyFrame, ids: impl Iterator<Item = ColId>) -> (LazyFrame, Vec<Expr>) {
        let mut seen = BTreeSet::new();
        let mut copies = Vec::new();
        let mut on = Vec::new();
        for id in ids {
            if seen.insert(id) {
                on.push(col(id));
            } else {
                let copy = self.hide();
                copies.push(col(id).alias(copy.as_str()));
                on.push(polars::prelude::col(copy.as_str()));
            }
        }
        (if copies.is_empty() { lazy } else { lazy.with_columns(copies) }, on)
    }

    fn exists(&mut self, input: &Rel, inner: &Rel, negated: bool, keys: &[(ColId, ColId)], need: &Need) -> Lowered<Frame> {
        let outer_need: Need = need.iter().copied().chain(keys.iter().map(|(o, _)| *o)).collect();
        let inner_need: Need = keys.iter().map(|(_, i)| *i).collect();
        let frame = self.rel(input, &outer_need)?;
        let inner = self.rel(inner, &inner_need)?;
        let columns: Vec<Expr> = inner_need.iter().map(|id| col(*id)).collect();
        let how = if negated { JoinType::Anti } else { JoinType::Semi };
        let anchor = frame.anchor.clone();
        let mut joined = self.equi_join(frame, inner.lazy.select(columns), keys, how);
        joined.anchor = anchor;
        Ok(joined)
    }

    fn project(&mut self, input: &Rel, items: &[(ColId, Scalar)], need: &Need) -> Lowered<Frame> {
        let mut wanted: Vec<&(ColId, Scalar)> = items.iter().filter(|(id, _)| need.contains(id)).collect();
        if wanted.is_empty() {
            wanted.extend(items.first());
        }
        let frame = self.rel(input, &with(&Need::new(), wanted.iter().map(|(_, s)| s)))?;
        let mut computed = Vec::new();
        let mut columns = Vec::new();
        for (id, scalar) in &wanted {
            if let Op::Column(old) = scalar.op {
                columns.push(col(old).alias(name(*id)));
            } else {
                computed.push(lower(scalar, &frame.anchor).alias(name(*id)));
                columns.push(col(*id));
            }
        }
        let anchor = wanted.first().map(|(id, _)| name(*id)).unwrap_or_default();
        let lazy = if computed.is_empty() { frame.lazy } else { frame.lazy.with_columns(computed) };
        Ok(Frame { lazy: lazy.select(columns), anchor })
    }

    fn union(&mut self, inputs: &[(Rel, Vec<ColId>)], ids: &[ColId], need: &Need) -> Lowered<Frame> {
        let mut wanted: Vec<(usize, ColId)> = ids.iter().copied().enumerate().filter(|(_, id)| need.contains(id)).collect();
        if wanted.is_empty() {
            wanted.extend(ids.first().map(|id| (0, *id)));
        }
        let mut frames = Vec::new();
        for (rel, columns) in inputs {
            let pairs: Vec<(ColId, ColId)> = wanted.iter().filter_map(|(i, id)| columns.get(*i).map(|old| (*id, *old))).collect();
            let frame = self.rel(rel, &pairs.iter().map(|(_, old)| *old).collect())?;
            let exprs: Vec<Expr> = pairs.iter().map(|(id, old)| col(*old).alias(name(*id))).collect();
            frames.push(frame.lazy.select(exprs));
        }
        let anchor = wanted.first().map(|(_, id)| name(*id)).unwrap_or_default();
        Ok(Frame { lazy: concat(frames, UnionArgs { rechunk: false, ..UnionArgs::default() })?, anchor })
    }

    fn aggregate(&mut self, input: &Rel, groups: &[(ColId, ColId)], aggregates: &[Aggregate], need: &Need) -> Lowered<Frame> {
        let aggregates: Vec<&Aggregate> = aggregates.iter().filter(|a| need.contains(&a.id)).collect();
        let mut below: Need = groups.iter().map(|(_, old)| *old).collect();
        for aggregate in &aggregates {
            aggregate.filter.iter().chain(measured(&aggregate.measure)).for_each(|s| s.columns(&mut below));
        }
        let frame = self.rel(input, &below)?;
        let mut parts = AggregateParts::default();
        for aggregate in &aggregates {
            parts.add(aggregate, &frame);
        }
        // The number of rows: there is a column even where nothing is asked for.
        parts.after.push(frame.anchor().len().alias("rows"));
        let lazy = if parts.before.is_empty() { frame.lazy } else { frame.lazy.with_columns(parts.before) };
        let keys: Vec<Expr> = groups.iter().map(|(new, old)| col(*old).alias(name(*new))).collect();
        let lazy = if keys.is_empty() { lazy.select(parts.after) } else { lazy.group_by(keys).agg(parts.after) };
        let lazy = if parts.last.is_empty() { lazy } else { lazy.with_columns(parts.last) };
        Ok(Frame { lazy, anchor: "rows".to_owned() }.map(|lazy| {
            let columns = groups.iter().map(|(new, _)| *new).chain(aggregates.iter().map(|a| a.id)).map(col);
            lazy.select(columns.chain([polars::prelude::col("rows").alias("rows")]).collect::<Vec<_>>())
        }))
    }

    fn windows(&mut self, input: &Rel, windows: &[Window], need: &Need) -> Lowered<Frame> {
        let windows: Vec<&Window> = windows.iter().filter(|w| need.contains(&w.id)).collect();
        let mut below = need.clone();
        for window in &windows {
            window.arg.iter().for_each(|s| s.columns(&mut below));
            below.extend(window.partition.iter().copied().chain(window.order.iter().map(|k| k.id)));
        }
        let mut frame = self.rel(input, &below)?;
        for window in windows {
            frame = self.window(frame, window)?;
        }
        Ok(frame)
    }

    fn window(&mut self, frame: Frame, window: &Window) -> Lowered<Frame> {
        let (one, arg) = (self.hide(), self.hide());
        let mut columns = vec![kernels::ones(frame.anchor()).alias(one.as_str())];
        let mut measured = polars::prelude::col(one.as_str());
        if let Some(scalar) = &window.arg {
            columns.push(lower(scalar, &frame.anchor).alias(arg.as_str()));
            measured = polars::prelude::col(arg.as_str());
        }
        let mut partition: Vec<Expr> = window.partition.iter().map(|id| col(*id)).collect();
        if partition.is_empty() {
            partition.push(polars::prelude::col(one.as_str()));
        }
        let frame = frame.map(|lazy| lazy.with_columns(columns));
        let frame = if window.order.is_empty() { frame } else { frame.map(|lazy| sort(lazy, &window.order)) };
        let value = match window.func {
            WindowFunc::RowNumber => measured.cum_sum(false),
            WindowFunc::Count => measured.count().cast(DataType::Int64),
            WindowFunc::Min => measured.min(),
            WindowFunc::Max => measured.max(),
        };
        let value = value.over(partition)?.alias(name(window.id));
        Ok(frame.map(|lazy| lazy.with_columns([value])))
    }
}

fn read(column: &ScanColumn) -> Expr {
    let read = polars::prelude::col(column.name.as_str());
    let read = match column.ty {
        Type::Boolean => read,
        ty => read.strict_cast(dtype(Ty::from(ty))),
    };
    read.alias(name(column.id))
}

fn with<'s>(need: &Need, scalars: impl IntoIterator<Item = &'s Scalar>) -> Need {
    let mut need = need.clone();
    scalars.into_iter().for_each(|s| s.columns(&mut need));
    need
}

fn join_args(how: JoinType) -> JoinArgs {
    let coalesce = if matches!(how, JoinType::Semi | JoinType::Anti) { JoinCoalesce::JoinSpecific } else { JoinCoalesce::KeepColumns };
    JoinArgs::new(how).with_coalesce(coalesce)
}

fn sort(lazy: LazyFrame, order: &[SortKey]) -> LazyFrame {
    let options = SortMultipleOptions::default()
        .with_order_descending_multi(order.iter().map(|k| k.descending))
        .with_nulls_last_multi(order.iter().map(|k| !k.nulls_first));
    lazy.sort_by_exprs(order.iter().map(|k| col(k.id)).collect::<Vec<_>>(), options)
}

fn measured(measure: &Measure) -> Option<&Scalar> {
    match measure {
        Measure::CountRows => None,
        Measure::Count(s) | Measure::CountDistinct(s) | Measure::Sum(s) | Measure::Min(s) | Measure::Max(s) => Some(s),
    }
}

/// An aggregate in three steps: its argument per row, what polars aggregates, and what is made of that.
#[derive(Default)]
struct AggregateParts {
    before: Vec<Expr>,
    after: Vec<Expr>,
    last: Vec<Expr>,
}

impl AggregateParts {
    fn add(&mut self, aggregate: &Aggregate, frame: &Frame) {
        let out = name(aggregate.id);
        let keep = aggregate.filter.as_ref().map(|f| lower(f, &frame.anchor).fill_null(lit(false)));
        let part = |suffix: &str| format!("{out}{suffix}");
        let argument = |scalar: &Scalar| {
            let value = lower(scalar, &frame.anchor);
            match &keep {
                Some(keep) => when(keep.clone()).then(value).otherwise(null(scalar.ty)),
                None => value,
            }
        };
        let arg = polars::prelude::col(part("a"));
        match &aggregate.measure {
            Measure::CountRows => match keep {
                None => self.after.push(frame.anchor().len().cast(DataType::Int64).alias(out.as_str())),
                Some(keep) => {
                    self.before.push(keep.cast(DataType::Int64).alias(part("a")));
                    self.after.push(arg.sum().alias(out.as_str()));
                }
            },
            Measure::Count(scalar) => {
                self.before.push(argument(scalar).alias(part("a")));
                self.after.push(arg.count().cast(DataType::Int64).alias(out.as_str()));
            }
            Measure::CountDistinct(scalar) => {
                self.before.push(argument(scalar).alias(part("a")));
                self.after.push(arg.drop_nulls().n_unique().cast(DataType::Int64).alias(out.as_str()));
            }
            Measure::Sum(scalar) if scalar.ty == Ty::Double => {
                self.before.push(argument(scalar).alias(part("a")));
                self.after.push(arg.clone().sum().alias(part("s")));
                self.after.push(arg.count().cast(DataType::Int64).alias(part("n")));
                let (sum, count) = (polars::prelude::col(part("s")), polars::prelude::col(part("n")));
                self.last.push(kernels::double_sum(polars::prelude::col("rows"), sum, count).alias(out.as_str()));
            }
            Measure::Sum(scalar) => {
                let value = argument(scalar);
                self.before.push(kernels::half(frame.anchor(), value.clone(), true).alias(part("u")));
                self.before.push(kernels::half(frame.anchor(), value, false).alias(part("l")));
                let (upper, lower) = (polars::prelude::col(part("u")), polars::prelude::col(part("l")));
                self.after.push(upper.sum().alias(part("u")));
                self.after.push(lower.clone().sum().alias(part("l")));
                self.after.push(lower.count().cast(DataType::Int64).alias(part("n")));
                let [u, l, n] = ["u", "l", "n"].map(|s| polars::prelude::col(part(s)));
                self.last.push(kernels::whole_sum(polars::prelude::col("rows"), u, l, n).alias(out.as_str()));
            }
            Measure::Min(scalar) => {
                self.before.push(argument(scalar).alias(part("a")));
                self.after.push(arg.min().alias(out.as_str()));
            }
            Measure::Max(scalar) => {
                self.before.push(argument(scalar).alias(part("a")));
                self.after.push(arg.max().alias(out.as_str()));
            }
        }
    }
}
