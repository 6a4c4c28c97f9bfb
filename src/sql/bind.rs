//! Names to columns: the syntax tree becomes a typed plan, or a refusal.

use std::collections::{BTreeMap, BTreeSet};

use super::ast::{Body, ColumnName, Cte, Expr, ExprKind, Item, Join, Name, OrderItem, Select, Source, SourceKind, Statement};
use super::bind_expr::{Calls, ExprBinder, Groups};
use super::diagnostic::{Diagnostic, Pos, did_you_mean};
use super::keys::{Keys, joined_keys};
use super::parse::{Parsed, refuse};
use super::plan::{Col, ColId, Op, Plan, Rel, Scalar, ScanColumn, SharedRel, SortKey, Ty, Window};
use super::types::{ACCOUNT_KEY, Catalog, View};

/// A relation with its named columns.
pub(super) struct Bound {
    pub rel: Rel,
    pub columns: Vec<Col>,
    /// Sets of columns of which each names a row.
    pub keys: Keys,
}

/// The tables that a SELECT names, and those of the query around an EXISTS.
pub(super) struct Scope<'a> {
    pub tables: Vec<(String, Vec<Col>)>,
    pub outer: Option<&'a Scope<'a>>,
}

/// Where a name was found.
pub(super) enum Found<'a> {
    Here(&'a Col),
    Outer(&'a Col),
}

struct BoundCte {
    name: String,
    shared: SharedRel,
    columns: Vec<Col>,
    keys: Keys,
}

pub(super) struct Binder<'a> {
    catalog: &'a Catalog,
    next: ColId,
    ctes: Vec<BoundCte>,
    /// Views and their columns that the query names.
    pub reads: BTreeMap<String, BTreeSet<String>>,
    /// Columns of scans, to record their use.
    scanned: BTreeMap<ColId, (String, String)>,
}

/// Binds a whole query.
///
/// # Errors
/// Unknown or ambiguous names, types that do not fit, forms whose meaning differs between engines.
pub(super) fn bind(statement: &Statement, catalog: &Catalog) -> Parsed<(Plan, BTreeMap<String, BTreeSet<String>>)> {
    let mut binder = Binder { catalog, next: 0, ctes: Vec::new(), reads: BTreeMap::new(), scanned: BTreeMap::new() };
    for cte in &statement.ctes {
        binder.cte(cte)?;
    }
    let mut bound = binder.body(&statement.body, None)?;
    let pos = statement.body.arms.first().map_or_else(Pos::default, |s| s.pos);
    if !statement.order.is_empty() || statement.limit.is_some() {
        let order = output_order(&statement.order, &bound.columns)?;
        bound.rel = Rel::Sort { input: Box::new(bound.rel), order, limit: statement.limit, pos };
    }
    for col in &bound.columns {
        if col.ty.column().is_none() {
            return refuse(pos, format!("the output `{}` is {}", col.name, col.ty.name()), typed_output_help(col.ty));
        }
    }
    let ctes = binder.ctes.into_iter().map(|cte| cte.shared).collect();
    Ok((Plan { ctes, rel: bound.rel, outputs: bound.columns }, binder.reads))
}

fn typed_output_help(ty: Ty) -> &'static str {
    match ty {
        Ty::Null => "write CAST(NULL AS STRING), or another type",
        Ty::Decimal => "write CAST(0.5 AS DOUBLE), or 5e-1",
        _ => "compare it with an interval instead",
    }
}

/// ORDER BY of a person's question: names of outputs.
fn output_order(items: &[OrderItem], columns: &[Col]) -> Parsed<Vec<SortKey>> {
    let mut order = Vec::new();
    for item in items {
        let name = &item.column.name;
        let Some(col) = columns.iter().find(|c| c.name == *name && item.column.table.is_none()) else {
            let help = did_you_mean(name, columns.iter().map(|c| c.name.as_str()))
                .map_or("name an output column".to_owned(), |n| format!("write `{n}`"));
            return refuse(item.column.pos, format!("`{name}` is no output of this query"), help);
        };
        order.push(sort_key(item, col, false)?);
    }
    Ok(order)
}

/// A sort key; where NULL can occur and `strict`, the text must say where it goes.
fn sort_key(item: &OrderItem, col: &Col, strict: bool) -> Parsed<SortKey> {
    if strict && col.nullable && item.nulls_first.is_none() {
        let help = format!("write `{}{} NULLS LAST`", item.column.name, if item.descending { " DESC" } else { "" });
        return refuse(
            item.column.pos,
            format!("ORDER BY `{}`, which may be NULL: engines put NULL at different ends", item.column.name),
            help,
        );
    }
    Ok(SortKey { id: col.id, descending: item.descending, nulls_first: item.nulls_first.unwrap_or(false) })
}

impl<'a> Scope<'a> {
    fn new(outer: Option<&'a Scope<'a>>) -> Self {
        Self { tables: Vec::new(), outer }
    }

    fn aliases(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().map(|(alias, _)| alias.as_str())
    }

    /// Whether the alias names a table here or further out.
    fn has_alias(&self, alias: &str) -> bool {
        self.aliases().any(|a| a == alias) || self.outer.is_some_and(|o| o.has_alias(alias))
    }

    /// The column of that name, if exactly one table here has it.
    fn here(&self, name: &ColumnName) -> Parsed<Option<&Col>> {
        let mut found: Option<(&str, &Col)> = None;
        for (alias, columns) in &self.tables {
            if name.table.as_ref().is_some_and(|t| t != alias) {
                continue;
            }
            let Some(col) = columns.iter().find(|c| c.name == name.name) else { continue };
            if let Some((first, _)) = found {
                return refuse(
                    name.pos,
                    format!("`{}` is ambiguous: `{first}` and `{alias}` both have it", name.name),
                    format!("write `{first}.{0}` or `{alias}.{0}`", name.name),
                );
            }
            found = Some((alias, col));
        }
        Ok(found.map(|(_, col)| col))
    }

    /// The column of that name, here or one query further out.
    ///
    /// # Errors
    /// Ambiguous or unknown.
    pub fn find(&self, name: &ColumnName) -> Parsed<Found<'_>> {
        let here = self.here(name)?;
        let outer = self.outer.map(|o| o.here(name)).transpose()?.flatten();
        match (here, outer) {
            (Some(_), Some(_)) if name.table.is_none() => refuse(
                name.pos,
                format!("`{}` is both a column in EXISTS and one outside it", name.name),
                format!("write it with its table: `{}.{}`", self.aliases().next().unwrap_or("t"), name.name),
            ),
            (Some(col), _) => Ok(Found::Here(col)),
            (None, Some(col)) => Ok(Found::Outer(col)),
            (None, None) => Err(self.unknown(name)),
        }
    }

    fn unknown(&self, name: &ColumnName) -> Diagnostic {
        if let Some(table) = &name.table
            && !self.has_alias(table)
        {
            let help = match did_you_mean(table, self.aliases()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("tables here: {}", self.aliases().collect::<Vec<_>>().join(", ")),
            };
            return Diagnostic::new(name.pos, format!("unknown table `{table}`"), help);
        }
        let mine = self.tables.iter().filter(|(alias, _)| name.table.as_ref().is_none_or(|t| t == alias));
        let names: Vec<&str> = mine.flat_map(|(_, columns)| columns.iter().map(|c| c.name.as_str())).collect();
        let help = match did_you_mean(&name.name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("columns: {}", names.join(", ")),
        };
        Diagnostic::new(name.pos, format!("unknown column `{}`", name.name), help)
    }
}

impl Binder<'_> {
    pub fn fresh(&mut self) -> ColId {
        self.next += 1;
        self.next
    }

    /// Records that a query reads a column.
    pub fn used(&mut self, id: ColId) {
        if let Some((view, column)) = self.scanned.get(&id) {
            self.reads.entry(view.clone()).or_default().insert(column.clone());
        }
    }

    fn cte(&mut self, cte: &Cte) -> Parsed<()> {
        let Name { pos, text } = &cte.name;
        if self.catalog.views.contains_key(text) {
            return refuse(*pos, format!("`{text}` is the name of a view"), "choose another name: engines differ on which one is read");
        }
        if self.ctes.iter().any(|c| c.name == *text) {
            return refuse(*pos, format!("`{text}` is defined twice"), "choose another name");
        }
        let Bound { rel, columns, keys } = self.body(&cte.body, None)?;
        let shared = SharedRel { rel, columns: columns.iter().map(|c| c.id).collect(), uses: 0 };
        self.ctes.push(BoundCte { name: text.clone(), shared, columns, keys });
        Ok(())
    }

    fn body(&mut self, body: &Body, outer: Option<&Scope>) -> Parsed<Bound> {
        let mut arms = Vec::new();
        for select in &body.arms {
            arms.push((select.pos, self.select(select, outer)?));
        }
        if arms.len() == 1
            && let Some((_, only)) = arms.pop()
        {
            return Ok(only);
        }
        self.union(arms)
    }

    /// UNION ALL: same number of columns, same types; the first SELECT names them.
    fn union(&mut self, arms: Vec<(Pos, Bound)>) -> Parsed<Bound> {
        let pos = arms.first().map_or_else(Pos::default, |(pos, _)| *pos);
        let mut columns: Vec<Col> = arms.first().map(|(_, b)| b.columns.clone()).unwrap_or_default();
        for (pos, arm) in &arms {
            if arm.columns.len() != columns.len() {
                return refuse(
                    *pos,
                    format!("UNION ALL of {} and {} columns", columns.len(), arm.columns.len()),
                    "select the same columns in every part",
                );
            }
            for (col, other) in columns.iter_mut().zip(&arm.columns) {
                col.ty = union_type(*pos, col, other)?;
                col.nullable |= other.nullable;
            }
        }
        for col in &mut columns {
            col.id = self.fresh();
        }
        let ids = columns.iter().map(|c| c.id).collect();
        let inputs = arms.into_iter().map(|(_, arm)| (arm.rel, arm.columns.iter().map(|c| c.id).collect())).collect();
        Ok(Bound { rel: Rel::Union { inputs, ids, pos }, columns, keys: Keys::none() })
    }

    fn source(&mut self, source: &Source, scope: &mut Scope) -> Parsed<Bound> {
        let bound = match &source.kind {
            SourceKind::Named(name) => self.named(name)?,
            SourceKind::Derived(body) => self.body(body, None)?,
        };
        let own = matches!(&source.kind, SourceKind::Named(name) if name.text == source.alias.text);
        self.check_alias(&source.alias, own, scope)?;
        scope.tables.push((source.alias.text.clone(), bound.columns.clone()));
        Ok(bound)
    }

    /// An alias that names something else would be read differently elsewhere.
    fn check_alias(&self, alias: &Name, own: bool, scope: &Scope) -> Parsed<()> {
        let Name { pos, text } = alias;
        if scope.has_alias(text) {
            return refuse(*pos, format!("the alias `{text}` is used twice"), "give every table of the query its own alias");
        }
        if !own && (self.catalog.views.contains_key(text) || self.ctes.iter().any(|c| c.name == *text)) {
            return refuse(*pos, format!("the alias `{text}` is the name of another table"), "choose another alias");
        }
        Ok(())
    }

    fn named(&mut self, name: &Name) -> Parsed<Bound> {
        if let Some(number) = self.ctes.iter().position(|c| c.name == name.text) {
            return Ok(self.read_cte(number));
        }
        let Some(view) = self.catalog.views.get(&name.text) else {
            let known = self.catalog.views.keys().map(String::as_str).chain(self.ctes.iter().map(|c| c.name.as_str()));
            let help = match did_you_mean(&name.text, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("views: {}", self.catalog.views.keys().cloned().collect::<Vec<_>>().join(", ")),
            };
            return refuse(name.pos, format!("unknown view `{}`", name.text), help);
        };
        Ok(self.scan(&name.text, view))
    }

    fn scan(&mut self, name: &str, view: &View) -> Bound {
        self.reads.entry(name.to_owned()).or_default();
        let mut columns = Vec::new();
        for column in &view.columns {
            let id = self.fresh();
            self.scanned.insert(id, (name.to_owned(), column.name.clone()));
            columns.push(Col { id, name: column.name.clone(), ty: Ty::from(column.ty), nullable: column.nullable });
        }
        let id_of = |wanted: &str| columns.iter().find(|c| c.name == wanted).map(|c| c.id);
        let account = if view.partitioned { id_of(ACCOUNT_KEY[0]).zip(id_of(ACCOUNT_KEY[1])) } else { None };
        let key: Option<BTreeSet<ColId>> = view.key.iter().map(|k| id_of(k)).collect();
        let keys = Keys::of(key.filter(|k| !k.is_empty()));
        let scan = columns.iter().zip(&view.columns).map(|(c, v)| ScanColumn { id: c.id, name: c.name.clone(), ty: v.ty }).collect();
        Bound { rel: Rel::Scan { view: name.to_owned(), columns: scan, account }, columns, keys }
    }

    /// Another reader of a CTE, under column numbers of its own.
    fn read_cte(&mut self, number: usize) -> Bound {
        let none = Bound { rel: Rel::Shared { cte: number, columns: Vec::new() }, columns: Vec::new(), keys: Keys::none() };
        let Some(cte) = self.ctes.get_mut(number) else { return none };
        cte.shared.uses += 1;
        let (old, keys) = (cte.columns.clone(), cte.keys.clone());
        let mut columns = Vec::new();
        let mut pairs = Vec::new();
        for col in old {
            let id = self.fresh();
            pairs.push((id, col.id));
            columns.push(Col { id, ..col });
        }
        let renamed: BTreeMap<ColId, ColId> = pairs.iter().map(|(new, old)| (*old, *new)).collect();
        Bound { rel: Rel::Shared { cte: number, columns: pairs }, columns, keys: keys.renamed(&renamed) }
    }

    /// FROM and JOINs.
    fn tables<'s>(&mut self, select: &Select, outer: Option<&'s Scope<'s>>) -> Parsed<(Bound, Scope<'s>)> {
        let mut scope = Scope::new(outer);
        let mut bound = self.source(&select.from, &mut scope)?;
        for join in &select.joins {
            bound = self.join(bound, join, &mut scope)?;
        }
        Ok((bound, scope))
    }

    fn join(&mut self, left: Bound, join: &Join, scope: &mut Scope) -> Parsed<Bound> {
        let right = self.source(&join.source, scope)?;
        let mut pairs = Vec::new();
        let mut residual = Vec::new();
        for term in conjuncts(&join.on) {
            match join_key(term, scope, &right.columns)? {
                Some(pair) => pairs.push(pair),
                None => residual.push(ExprBinder::row(self, scope).condition(term)?),
            }
        }
        for (l, r) in &pairs {
            self.used(*l);
            self.used(*r);
        }
        if pairs.is_empty() {
            return refuse(
                join.on.pos,
                "ON without the equality of two columns",
                "join on a column that both sides have: ON a.x = b.x AND ...",
            );
        }
        let keys = joined_keys(&left.keys, &right.keys, &pairs);
        if join.left
            && let Some((_, columns)) = scope.tables.last_mut()
        {
            columns.iter_mut().for_each(|c| c.nullable = true);
        }
        let mut columns = left.columns;
        columns.extend(right.columns);
        let (left, right) = (Box::new(left.rel), Box::new(right.rel));
        Ok(Bound { rel: Rel::Join { left, right, outer: join.left, keys: pairs, residual, pos: join.pos }, columns, keys })
    }

    /// WHERE: conditions on the row, then EXISTS.
    fn filter(&mut self, mut bound: Bound, filter: &Expr, scope: &Scope) -> Parsed<Bound> {
        let (exists, plain): (Vec<&Expr>, Vec<&Expr>) =
            conjuncts(filter).into_iter().partition(|e| matches!(e.kind, ExprKind::Exists { .. }));
        let mut terms = Vec::new();
        for term in plain {
            terms.push(ExprBinder::row(self, scope).condition(term)?);
        }
        bound.rel = filtered(bound.rel, terms);
        for term in exists {
            if let ExprKind::Exists { select, negated } = &term.kind {
                let (inner, keys) = self.exists(select, scope, term.pos)?;
                bound.rel = Rel::Exists { input: Box::new(bound.rel), inner: Box::new(inner), negated: *negated, keys, pos: term.pos };
            }
        }
        Ok(bound)
    }

    /// The rows inside EXISTS and the equalities that tie them to the rows outside.
    fn exists(&mut self, select: &Select, outer: &Scope, pos: Pos) -> Parsed<(Rel, Vec<(ColId, ColId)>)> {
        let one = matches!(select.items.as_slice(), [Item::Expr { expr: Expr { kind: ExprKind::Literal(_), .. }, alias: None }]);
        if !one || select.distinct || !select.group.is_empty() || select.having.is_some() {
            return refuse(
                pos,
                "EXISTS over something other than SELECT 1 FROM ... WHERE ...",
                "write EXISTS (SELECT 1 FROM ... WHERE ...)",
            );
        }
        let (bound, scope) = self.tables(select, Some(outer))?;
        let mut pairs = Vec::new();
        let mut local = Vec::new();
        let mut nested = Vec::new();
        for term in select.filter.iter().flat_map(conjuncts) {
            if matches!(term.kind, ExprKind::Exists { .. }) {
                nested.push(term);
            } else if let Some(pair) = correlation(term, &scope)? {
                pairs.push(pair);
            } else {
                local.push(ExprBinder::row(self, &scope).condition(term)?);
            }
        }
        for (o, i) in &pairs {
            self.used(*o);
            self.used(*i);
        }
        if pairs.is_empty() {
            return refuse(pos, "EXISTS without an equality to the query around it", "tie it: WHERE inner.column = outer.column");
        }
        let mut rel = filtered(bound.rel, local);
        for term in nested {
            if let ExprKind::Exists { select, negated } = &term.kind {
                let (inner, keys) = self.exists(select, &scope, term.pos)?;
                rel = Rel::Exists { input: Box::new(rel), inner: Box::new(inner), negated: *negated, keys, pos: term.pos };
            }
        }
        Ok((rel, pairs))
    }

    fn select(&mut self, select: &Select, outer: Option<&Scope>) -> Parsed<Bound> {
        let (mut bound, scope) = self.tables(select, outer)?;
        if let Some(filter) = &select.filter {
            bound = self.filter(bound, filter, &scope)?;
        }
        let grouped = !select.group.is_empty()
            || select.having.is_some()
            || select.items.iter().any(|i| matches!(i, Item::Expr { expr, .. } if has_aggregate(expr)));
        let (bound, items) = if grouped { self.grouped(bound, select, &scope)? } else { self.plain(bound, select, &scope)? };
        let bound = self.project(bound, items);
        if !select.distinct {
            return Ok(bound);
        }
        let columns: Vec<ColId> = bound.columns.iter().map(|c| c.id).collect();
        let mut keys = bound.keys;
        keys.add(columns.iter().copied().collect());
        Ok(Bound { rel: Rel::Distinct { input: Box::new(bound.rel), columns, pos: select.pos }, columns: bound.columns, keys })
    }

    /// Outputs of a SELECT without aggregates; windows are computed below them.
    fn plain(&mut self, bound: Bound, select: &Select, scope: &Scope) -> Parsed<(Bound, Vec<(String, Scalar)>)> {
        let mut items = Items::default();
        let mut windows: Vec<Window> = Vec::new();
        for item in &select.items {
            match item {
                Item::All { pos, of } => {
                    for col in all_columns(scope, of.as_deref(), *pos)? {
                        self.used(col.id);
                        items.add(*pos, col.name.clone(), Scalar::column(&col))?;
                    }
                }
                Item::Expr { expr, alias } => {
                    let name = output_name(expr, alias.as_ref())?;
                    let scalar = ExprBinder::new(self, scope, Calls::Windows(&mut windows, &bound.keys)).scalar(expr)?;
                    items.add(expr.pos, name, scalar)?;
                }
            }
        }
        let rel = if windows.is_empty() { bound.rel } else { Rel::Window { input: Box::new(bound.rel), windows } };
        Ok((Bound { rel, ..bound }, items.list))
    }

    /// Outputs of a SELECT with GROUP BY or aggregates.
    fn grouped(&mut self, bound: Bound, select: &Select, scope: &Scope) -> Parsed<(Bound, Vec<(String, Scalar)>)> {
        let mut groups = Groups::default();
        for name in &select.group {
            let Found::Here(col) = scope.find(name)? else {
                return refuse(name.pos, format!("`{}` belongs to the query around", name.name), "group by a column of this query");
            };
            let col = col.clone();
            self.used(col.id);
            let id = self.fresh();
            groups.add_key(id, &col);
        }
        let mut items = Items::default();
        for item in &select.items {
            let Item::Expr { expr, alias } = item else {
                return refuse(select.pos, "`*` beside aggregates", "name the grouped columns");
            };
            let name = output_name(expr, alias.as_ref())?;
            let scalar = ExprBinder::new(self, scope, Calls::Groups(&mut groups)).scalar(expr)?;
            items.add(expr.pos, name, scalar)?;
        }
        let mut having = Vec::new();
        for term in select.having.iter().flat_map(conjuncts) {
            check_having(term, select)?;
            having.push(ExprBinder::new(self, scope, Calls::Groups(&mut groups)).condition(term)?);
        }
        let (keys, columns) = (groups.row_key(), groups.columns());
        let rel = Rel::Aggregate { input: Box::new(bound.rel), groups: groups.keys, aggregates: groups.aggregates, pos: select.pos };
        Ok((Bound { rel: filtered(rel, having), columns, keys }, items.list))
    }

    fn project(&mut self, bound: Bound, items: Vec<(String, Scalar)>) -> Bound {
        let mut columns = Vec::new();
        let mut list = Vec::new();
        let mut renamed = BTreeMap::new();
        for (name, scalar) in items {
            let id = self.fresh();
            if let Op::Column(old) = scalar.op {
                renamed.insert(old, id);
            }
            columns.push(Col { id, name, ty: scalar.ty, nullable: scalar.nullable });
            list.push((id, scalar));
        }
        Bound { rel: Rel::Project { input: Box::new(bound.rel), items: list }, columns, keys: bound.keys.renamed(&renamed) }
    }
}

/// The outputs of a SELECT, no name twice.
#[derive(Default)]
struct Items {
    list: Vec<(String, Scalar)>,
}

impl Items {
    fn add(&mut self, pos: Pos, name: String, scalar: Scalar) -> Parsed<()> {
        if self.list.iter().any(|(n, _)| *n == name) {
            return refuse(pos, format!("two outputs named `{name}`"), "give one another alias");
        }
        self.list.push((name, scalar));
        Ok(())
    }
}

fn output_name(expr: &Expr, alias: Option<&Name>) -> Parsed<String> {
    match (alias, &expr.kind) {
        (Some(name), _) => Ok(name.text.clone()),
        (None, ExprKind::Column(column)) => Ok(column.name.clone()),
        (None, _) => refuse(expr.pos, "an output without a name", "add `AS name`"),
    }
}

fn all_columns(scope: &Scope, of: Option<&str>, pos: Pos) -> Parsed<Vec<Col>> {
    let tables: Vec<&(String, Vec<Col>)> = scope.tables.iter().filter(|(alias, _)| of.is_none_or(|o| o == alias)).collect();
    if tables.is_empty() {
        return refuse(pos, format!("unknown table `{}`", of.unwrap_or_default()), "name a table of FROM");
    }
    Ok(tables.into_iter().flat_map(|(_, columns)| columns.iter().cloned()).collect())
}

/// `a AND b AND c` as its terms.
fn conjuncts(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::And(parts) => parts.iter().flat_map(conjuncts).collect(),
        _ => vec![expr],
    }
}

fn filtered(input: Rel, terms: Vec<Scalar>) -> Rel {
    if terms.is_empty() { input } else { Rel::Filter { input: Box::new(input), terms } }
}

/// `a = b` of two columns, as names.
fn column_equality(term: &Expr) -> Option<(&ColumnName, &ColumnName)> {
    if let ExprKind::Compare(super::ast::CompareOp::Eq, a, b) = &term.kind
        && let (ExprKind::Column(a), ExprKind::Column(b)) = (&a.kind, &b.kind)
    {
        return Some((a, b));
    }
    None
}

/// Types whose equality every engine's hash join decides alike.
fn joinable(a: Ty, b: Ty) -> bool {
    (a.is_integer() && b.is_integer()) || (a == b && matches!(a, Ty::Text | Ty::Timestamp))
}

/// The pair (left, right) if the term equates a column of the new table with one of the tables before it.
fn join_key(term: &Expr, scope: &Scope, right: &[Col]) -> Parsed<Option<(ColId, ColId)>> {
    let Some((a, b)) = column_equality(term) else { return Ok(None) };
    let (Found::Here(a), Found::Here(b)) = (scope.find(a)?, scope.find(b)?) else { return Ok(None) };
    if !joinable(a.ty, b.ty) {
        return Ok(None);
    }
    let new = |id: ColId| right.iter().any(|c| c.id == id);
    Ok(match (new(a.id), new(b.id)) {
        (false, true) => Some((a.id, b.id)),
        (true, false) => Some((b.id, a.id)),
        _ => None,
    })
}

/// The pair (outer, inner) if the term ties the inside of EXISTS to the outside.
fn correlation(term: &Expr, scope: &Scope) -> Parsed<Option<(ColId, ColId)>> {
    let Some((a, b)) = column_equality(term) else { return Ok(None) };
    let (outer, inner) = match (scope.find(a)?, scope.find(b)?) {
        (Found::Outer(o), Found::Here(i)) | (Found::Here(i), Found::Outer(o)) => (o, i),
        _ => return Ok(None),
    };
    if !joinable(outer.ty, inner.ty) {
        return refuse(
            term.pos,
            format!("{} compared with {} between EXISTS and the query around it", outer.ty.name(), inner.ty.name()),
            "tie them by integer, text or timestamp columns of one type",
        );
    }
    Ok(Some((outer.id, inner.id)))
}

/// In HAVING a bare name that is also the alias of another expression is read differently elsewhere.
fn check_having(term: &Expr, select: &Select) -> Parsed<()> {
    for name in column_names(term) {
        let hides = |item: &Item| match item {
            Item::Expr { expr, alias: Some(alias) } => {
                alias.text == name.name && !matches!(&expr.kind, ExprKind::Column(c) if c.name == name.name)
            }
            _ => false,
        };
        if name.table.is_none() && select.items.iter().any(hides) {
            return refuse(
                name.pos,
                format!("`{}` in HAVING is a column and an alias", name.name),
                "write the column with its table, or choose another alias",
            );
        }
    }
    Ok(())
}

fn column_names(expr: &Expr) -> Vec<&ColumnName> {
    if let ExprKind::Column(name) = &expr.kind {
        return vec![name];
    }
    children(expr).into_iter().flat_map(column_names).collect()
}

fn has_aggregate(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Aggregate { .. }) || children(expr).into_iter().any(has_aggregate)
}

/// The expressions directly inside one; not those of windows and EXISTS.
fn children(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::Column(_)
        | ExprKind::Literal(_)
        | ExprKind::Decimal(_)
        | ExprKind::Null
        | ExprKind::Window { .. }
        | ExprKind::Exists { .. } => Vec::new(),
        ExprKind::And(parts) | ExprKind::Or(parts) | ExprKind::Concat(parts) | ExprKind::Coalesce(parts) => parts.iter().collect(),
        ExprKind::Not(a) | ExprKind::Negate(a) | ExprKind::IsNull(a, _) | ExprKind::Cast(a, _) => vec![a],
        ExprKind::IsBoolean { expr, .. } | ExprKind::In { expr, .. } | ExprKind::Like { expr, .. } => vec![expr],
        ExprKind::Compare(_, a, b) | ExprKind::Arith(_, a, b) | ExprKind::Nullif(a, b) => vec![a, b],
        ExprKind::Between { expr, low, high, .. } => vec![expr, low, high],
        ExprKind::Case { operand, arms, otherwise } => {
            let arms = arms.iter().flat_map(|(condition, result)| [condition, result]);
            operand.iter().map(AsRef::as_ref).chain(arms).chain(otherwise.iter().map(AsRef::as_ref)).collect()
        }
        ExprKind::Aggregate { arg, filter, .. } => arg.iter().chain(filter).map(AsRef::as_ref).collect(),
    }
}

fn union_type(pos: Pos, col: &Col, other: &Col) -> Parsed<Ty> {
    match (col.ty, other.ty) {
        (a, b) if a == b => Ok(a),
        (Ty::Bigint | Ty::Small, Ty::Bigint | Ty::Small) => Ok(Ty::Bigint),
        (a, b) => {
            let target = if a.is_integer() && b.is_integer() { "BIGINT" } else { "one type" };
            let help =
                format!("cast both to {target}; a missing value is CAST(NULL AS {})", if a == Ty::Null { b.name() } else { a.name() });
            refuse(pos, format!("UNION ALL puts {} and {} into the column `{}`", a.name(), b.name(), col.name), help)
        }
    }
}

/// A window's sort keys; NULL must be placed, and ROW_NUMBER must number one way only.
pub(super) fn window_order(items: &[OrderItem], scope: &Scope) -> Parsed<Vec<SortKey>> {
    let mut order = Vec::new();
    for item in items {
        let Found::Here(col) = scope.find(&item.column)? else {
            return refuse(
                item.column.pos,
                format!("`{}` belongs to the query around", item.column.name),
                "order by a column of this query",
            );
        };
        order.push(sort_key(item, col, true)?);
    }
    Ok(order)
}
