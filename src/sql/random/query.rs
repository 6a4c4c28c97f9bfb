//! Random queries, typed so that nearly all compile.

use std::collections::BTreeSet;

use super::dice::Dice;
use super::world::{TEXTS, TIMES};
use crate::sql::types::{Catalog, Type, View};

/// A column that a query can name.
#[derive(Clone)]
struct Col {
    /// `alias.name`.
    text: String,
    name: String,
    ty: Type,
    /// Made of integer literals: 32 bits elsewhere, no arithmetic without CAST.
    small: bool,
}

/// A table that FROM can name, beyond the views.
#[derive(Clone)]
struct Named {
    name: String,
    columns: Vec<Col>,
}

struct Generator<'a> {
    dice: &'a mut Dice,
    catalog: &'a Catalog,
    ctes: Vec<Named>,
    aliases: usize,
    forms: BTreeSet<&'static str>,
}

/// A query and the forms of the language in it.
pub(super) fn generate(dice: &mut Dice, catalog: &Catalog) -> (String, BTreeSet<&'static str>) {
    let mut g = Generator { dice, catalog, ctes: Vec::new(), aliases: 0, forms: BTreeSet::new() };
    let sql = if g.dice.chance(4) { g.overflow() } else { g.statement() };
    (sql, g.forms)
}

/// A FROM under construction.
#[derive(Default)]
struct Scope {
    columns: Vec<Col>,
    /// Columns that name a row, if all are in `columns`.
    key: Option<Vec<String>>,
    text: String,
}

impl Scope {
    /// Drops the table before names that only one table has.
    fn unqualify(&mut self) {
        let names: Vec<String> = self.columns.iter().map(|c| c.name.clone()).collect();
        for col in &mut self.columns {
            // `at` is a column that may not stand alone.
            if col.name == "at" || names.iter().filter(|n| **n == col.name).count() > 1 {
                continue;
            }
            for key in self.key.iter_mut().flatten().filter(|k| **k == col.text) {
                key.clone_from(&col.name);
            }
            col.text.clone_from(&col.name);
        }
    }
}

impl Generator<'_> {
    fn form(&mut self, form: &'static str) {
        self.forms.insert(form);
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("t{}", self.aliases)
    }

    fn statement(&mut self) -> String {
        let mut with = Vec::new();
        if self.dice.chance(25) {
            self.form("WITH");
            for i in 0..=self.dice.below(2) {
                let (text, columns) = self.body(1);
                let name = format!("w{i}");
                with.push(format!("{name} AS ({text})"));
                self.ctes.push(Named { name, columns });
            }
        }
        let (body, _) = self.body(0);
        if with.is_empty() { body } else { format!("WITH {} {body}", with.join(", ")) }
    }

    /// A SELECT or a UNION ALL of two, and its columns.
    fn body(&mut self, depth: usize) -> (String, Vec<Col>) {
        let (first, mut columns) = self.select(depth, None);
        if !self.dice.chance(12) {
            return (first, columns);
        }
        self.form("UNION ALL");
        let wanted: Vec<(Type, bool)> = columns.iter().map(|c| (c.ty, c.small)).collect();
        let (second, other) = self.select(depth + 1, Some(&wanted));
        for (col, other) in columns.iter_mut().zip(other) {
            col.small &= other.small;
        }
        (format!("{first} UNION ALL {second}"), columns)
    }

    fn select(&mut self, depth: usize, wanted: Option<&[(Type, bool)]>) -> (String, Vec<Col>) {
        let scope = self.from(depth);
        let filter = self.filter(&scope);
        let from = format!("FROM {}{filter}", scope.text);
        let shape = self.dice.below(100);
        let (items, rest) = match shape {
            0..=39 => (self.plain_items(&scope, wanted), String::new()),
            40..=54 if scope.key.is_some() => (self.window_items(&scope, wanted), String::new()),
            55..=64 => (self.global_items(&scope, wanted), String::new()),
            65..=99 => self.grouped_items(&scope, wanted),
            _ => (self.plain_items(&scope, wanted), String::new()),
        };
        let distinct = if self.dice.chance(12) {
            self.form("SELECT DISTINCT");
            "DISTINCT "
        } else {
            ""
        };
        let texts: Vec<String> = items.iter().map(|(text, col)| format!("{text} AS {}", col.name)).collect();
        let columns = items.into_iter().map(|(_, col)| col).collect();
        (format!("SELECT {distinct}{} {from}{rest}", texts.join(", ")), columns)
    }

    fn out(i: usize, ty: Type, small: bool) -> Col {
        let name = format!("o{i}");
        Col { text: name.clone(), name, ty, small }
    }

    /// The types of the outputs to make.
    fn types(&mut self, wanted: Option<&[(Type, bool)]>, least: usize) -> Vec<Type> {
        match wanted {
            Some(types) => types.iter().map(|(ty, _)| *ty).collect(),
            None => (0..least + self.dice.below(4)).map(|_| self.any_type()).collect(),
        }
    }

    fn any_type(&mut self) -> Type {
        let types =
            [Type::Bigint, Type::Bigint, Type::U32, Type::U64, Type::Double, Type::Boolean, Type::Text, Type::Text, Type::Timestamp];
        self.dice.pick(&types).copied().unwrap_or(Type::Text)
    }

    fn plain_items(&mut self, scope: &Scope, wanted: Option<&[(Type, bool)]>) -> Vec<(String, Col)> {
        let types = self.types(wanted, 1);
        let item = |g: &mut Self, i: usize, ty: Type| (g.expr(ty, &scope.columns, 2), Self::out(i, ty, false));
        types.into_iter().enumerate().map(|(i, ty)| item(self, i, ty)).collect()
    }

    fn window_items(&mut self, scope: &Scope, wanted: Option<&[(Type, bool)]>) -> Vec<(String, Col)> {
        let mut types = self.types(wanted, 2);
        if wanted.is_none()
            && let Some(first) = types.first_mut()
        {
            *first = Type::Bigint;
        }
        let mut items = Vec::new();
        for (i, ty) in types.into_iter().enumerate() {
            let text = match (i, ty) {
                (0, Type::Bigint) if self.dice.chance(70) => self.row_number(scope),
                (_, ty) if self.dice.chance(50) => self.window(scope, ty),
                (_, ty) => self.expr(ty, &scope.columns, 1),
            };
            items.push((text, Self::out(i, ty, false)));
        }
        items
    }

    /// The columns that hold the account of one of the tables, sometimes.
    fn account(&mut self, scope: &Scope) -> Vec<Col> {
        let systems: Vec<&Col> = scope.columns.iter().filter(|c| c.name == "system_ix").collect();
        let Some(system) = self.dice.pick(&systems).filter(|_| self.dice.chance(40)) else { return Vec::new() };
        let account = system.text.replace("system_ix", "account_ix");
        let accounts = scope.columns.iter().filter(|c| c.text == account && c.ty == system.ty);
        [*system].into_iter().chain(accounts).cloned().collect()
    }

    fn partition(&mut self, scope: &Scope) -> String {
        let mut names: Vec<String> = self.account(scope).into_iter().map(|c| c.text).collect();
        for _ in 0..self.dice.below(3) {
            if let Some(col) = self.dice.pick(&scope.columns) {
                names.push(col.text.clone());
            }
        }
        if names.is_empty() { String::new() } else { format!("PARTITION BY {}", names.join(", ")) }
    }

    fn row_number(&mut self, scope: &Scope) -> String {
        self.form("ROW_NUMBER");
        let partition = self.partition(scope);
        let mut order = Vec::new();
        let mut terms: Vec<String> =
            (0..self.dice.below(3)).filter_map(|_| self.dice.pick(&scope.columns).map(|c| c.text.clone())).collect();
        terms.extend(scope.key.clone().unwrap_or_default());
        for term in terms {
            let direction = self.dice.word(&["", " ASC", " DESC"]);
            let nulls = self.dice.word(&[" NULLS FIRST", " NULLS LAST"]);
            order.push(format!("{term}{direction}{nulls}"));
        }
        format!("ROW_NUMBER() OVER ({partition} ORDER BY {})", order.join(", "))
    }

    fn window(&mut self, scope: &Scope, ty: Type) -> String {
        let partition = self.partition(scope);
        match ty {
            Type::Bigint if self.dice.chance(60) => {
                self.form("COUNT OVER");
                let arg = self.dice.pick(&scope.columns).map(|c| c.text.clone()).filter(|_| self.dice.chance(50)).unwrap_or("*".into());
                format!("COUNT({arg}) OVER ({partition})")
            }
            Type::Boolean => self.expr(ty, &scope.columns, 1),
            _ => {
                self.form("MIN/MAX OVER");
                let func = self.dice.word(&["MIN", "MAX"]);
                format!("{func}({}) OVER ({partition})", self.expr(ty, &scope.columns, 1))
            }
        }
    }

    fn aggregate(&mut self, scope: &Scope, ty: Type) -> String {
        let filter = if self.dice.chance(20) {
            self.form("FILTER");
            format!(" FILTER (WHERE {})", self.boolean(&scope.columns, 1))
        } else {
            String::new()
        };
        match ty {
            Type::Bigint => match self.dice.below(6) {
                0 => {
                    self.form("COUNT(*)");
                    format!("COUNT(*){filter}")
                }
                1 | 2 => {
                    self.form("COUNT(x)");
                    let ty = self.any_type();
                    format!("COUNT({}){filter}", self.expr(ty, &scope.columns, 1))
                }
                3 => {
                    self.form("COUNT(DISTINCT x)");
                    let ty = self.any_type();
                    format!("COUNT(DISTINCT {}){filter}", self.expr(ty, &scope.columns, 1))
                }
                4 => {
                    self.form("SUM of CASE of literals");
                    format!("SUM(CASE WHEN {} THEN 1 ELSE 0 END){filter}", self.boolean(&scope.columns, 1))
                }
                _ => {
                    self.form("SUM of BIGINT");
                    format!("SUM({}){filter}", self.expr(Type::Bigint, &scope.columns, 1))
                }
            },
            Type::Double if self.dice.chance(50) => {
                self.form("SUM of DOUBLE");
                format!("SUM({}){filter}", self.expr(Type::Double, &scope.columns, 1))
            }
            Type::Boolean => format!("COUNT(*){filter} > {}", self.dice.below(4)),
            _ => {
                self.form("MIN/MAX");
                let func = self.dice.word(&["MIN", "MAX"]);
                format!("{func}({}){filter}", self.expr(ty, &scope.columns, 1))
            }
        }
    }

    fn global_items(&mut self, scope: &Scope, wanted: Option<&[(Type, bool)]>) -> Vec<(String, Col)> {
        self.form("aggregates without GROUP BY");
        let types = self.types(wanted, 1);
        types.into_iter().enumerate().map(|(i, ty)| (self.aggregate(scope, ty), Self::out(i, ty, false))).collect()
    }

    fn grouped_items(&mut self, scope: &Scope, wanted: Option<&[(Type, bool)]>) -> (Vec<(String, Col)>, String) {
        self.form("GROUP BY");
        let mut keys: Vec<Col> = self.account(scope);
        for _ in 0..=self.dice.below(3) {
            if let Some(col) = self.dice.pick(&scope.columns).cloned()
                && keys.iter().all(|k| k.text != col.text)
            {
                keys.push(col);
            }
        }
        let types = match wanted {
            Some(_) => self.types(wanted, 0),
            None => keys.iter().map(|k| k.ty).chain(self.types(None, 1)).collect(),
        };
        let mut items = Vec::new();
        for (i, ty) in types.into_iter().enumerate() {
            let key = keys.get(i).filter(|k| k.ty == ty && !k.small);
            let text = match key {
                Some(key) if wanted.is_none() => key.text.clone(),
                _ => self.over_groups(scope, &keys, ty),
            };
            items.push((text, Self::out(i, ty, false)));
        }
        let names: Vec<&str> = keys.iter().map(|k| k.text.as_str()).collect();
        let mut rest = format!(" GROUP BY {}", names.join(", "));
        if self.dice.chance(35) {
            self.form("HAVING");
            let test = match self.dice.below(3) {
                0 => format!("COUNT(*) >= {}", self.dice.below(3)),
                1 => format!("{} IS NOT NULL", self.aggregate(scope, Type::Text)),
                _ => self.boolean(&keys, 1),
            };
            rest.push_str(&format!(" HAVING {test}"));
        }
        (items, rest)
    }

    /// An expression of keys and aggregates.
    fn over_groups(&mut self, scope: &Scope, keys: &[Col], ty: Type) -> String {
        match self.dice.below(4) {
            0 => self.expr(ty, keys, 1),
            1 if !matches!(ty, Type::Boolean | Type::U32 | Type::U64) => {
                self.form("keys and aggregates in one expression");
                format!("COALESCE({}, {})", self.aggregate(scope, ty), self.expr(ty, keys, 1))
            }
            _ => self.aggregate(scope, ty),
        }
    }

    /// One table: a view, a CTE or a derived table.
    fn table(&mut self, depth: usize) -> (String, Scope) {
        let alias = self.alias();
        if self.dice.chance(30)
            && let Some(cte) = self.dice.pick(&self.ctes).cloned()
        {
            self.form("CTE read");
            return (format!("{} {alias}", cte.name), named(&alias, &cte.columns));
        }
        if depth < 2 && self.dice.chance(15) {
            self.form("derived table");
            let (text, columns) = self.body(depth + 1);
            return (format!("({text}) {alias}"), named(&alias, &columns));
        }
        let views: Vec<(&String, &View)> = self.catalog.views.iter().filter(|(name, _)| *name != "big").collect();
        let Some((name, view)) = self.dice.pick(&views) else { return (String::new(), Scope::default()) };
        let columns =
            view.columns.iter().map(|c| Col { text: format!("{alias}.{}", c.name), name: c.name.clone(), ty: c.ty, small: false });
        let key = if view.key.is_empty() { None } else { Some(view.key.iter().map(|k| format!("{alias}.{k}")).collect()) };
        (format!("{name} {alias}"), Scope { columns: columns.collect(), key, text: String::new() })
    }

    fn from(&mut self, depth: usize) -> Scope {
        let (text, mut scope) = self.table(depth);
        scope.text = text;
        let joins = match self.dice.below(100) {
            0..=54 => 0,
            55..=89 => 1,
            _ => 2,
        };
        for _ in 0..joins {
            self.join(&mut scope, depth);
        }
        if self.dice.chance(30) {
            self.form("names without a table");
            scope.unqualify();
        }
        scope
    }

    fn join(&mut self, scope: &mut Scope, depth: usize) {
        let (text, right) = self.table(depth + 1);
        let mut on = self.equalities(&scope.columns, &right.columns);
        if on.is_empty() {
            return;
        }
        let left = self.dice.chance(50);
        self.form(if left { "LEFT JOIN" } else { "JOIN" });
        let mut all = scope.columns.clone();
        all.extend(right.columns.iter().cloned());
        if self.dice.chance(45) {
            self.form(if left { "LEFT JOIN with further conditions" } else { "JOIN with further conditions" });
            for _ in 0..=self.dice.below(2) {
                on.push(self.boolean(&all, 1));
            }
        }
        scope.text.push_str(&format!("{} {text} ON {}", if left { " LEFT JOIN" } else { " JOIN" }, on.join(" AND ")));
        scope.columns = all;
        scope.key = match (scope.key.take(), right.key) {
            (Some(mut l), Some(r)) => {
                l.extend(r);
                Some(l)
            }
            _ => None,
        };
    }

    /// One or two equalities of columns; account keys where both sides have them.
    fn equalities(&mut self, left: &[Col], right: &[Col]) -> Vec<String> {
        let mut on = Vec::new();
        for name in ["account_ix", "system_ix"] {
            let find = |cols: &[Col]| cols.iter().find(|c| c.name == name).map(|c| c.text.clone());
            if let (Some(l), Some(r)) = (find(left), find(right))
                && (name == "account_ix" || !on.is_empty())
                && self.dice.chance(85)
            {
                on.push(format!("{l} = {r}"));
            }
        }
        if on.is_empty() || self.dice.chance(20) {
            let pairs: Vec<(&Col, &Col)> =
                left.iter().flat_map(|l| right.iter().map(move |r| (l, r))).filter(|(l, r)| joinable(l.ty, r.ty)).collect();
            if let Some((l, r)) = self.dice.pick(&pairs) {
                on.push(if self.dice.chance(50) { format!("{} = {}", l.text, r.text) } else { format!("{} = {}", r.text, l.text) });
            }
        }
        on
    }

    fn filter(&mut self, scope: &Scope) -> String {
        let mut terms = Vec::new();
        if self.dice.chance(35) {
            terms.push(self.boolean(&scope.columns, 2));
        }
        if self.dice.chance(22) {
            terms.extend(self.exists(scope, 0));
        }
        if terms.is_empty() {
            return String::new();
        }
        self.form("WHERE");
        format!(" WHERE {}", terms.join(" AND "))
    }

    fn exists(&mut self, scope: &Scope, depth: usize) -> Option<String> {
        let (text, mut inner) = self.table(2);
        let mut terms = self.equalities(&scope.columns, &inner.columns);
        if terms.is_empty() {
            return None;
        }
        inner.text = text;
        let negated = self.dice.chance(45);
        self.form(if negated { "NOT EXISTS" } else { "EXISTS" });
        if self.dice.chance(20) {
            self.form("EXISTS over a join");
            self.join(&mut inner, 2);
        }
        if self.dice.chance(50) {
            terms.push(self.boolean(&inner.columns, 1));
        }
        if depth == 0 && self.dice.chance(15) {
            self.form("EXISTS in EXISTS");
            terms.extend(self.exists(&inner, 1));
        }
        let not = if negated { "NOT " } else { "" };
        Some(format!("{not}EXISTS (SELECT 1 FROM {} WHERE {})", inner.text, terms.join(" AND ")))
    }

    /// An expression of the type, of columns where there are any.
    fn expr(&mut self, ty: Type, columns: &[Col], depth: usize) -> String {
        let deep = depth > 0 && self.dice.chance(45);
        match ty {
            Type::Boolean => self.boolean(columns, depth.min(1)),
            _ if deep && self.dice.chance(45) => self.choice(ty, columns, depth - 1),
            Type::Bigint if deep => self.bigint(columns, depth - 1),
            Type::Double if deep => self.double(columns, depth - 1),
            Type::Text if deep => self.text(columns, depth - 1),
            Type::Timestamp if deep => {
                self.form("timestamp and interval");
                let sign = self.dice.word(&["+", "-"]);
                format!("({} {sign} {})", self.expr(ty, columns, depth - 1), self.interval())
            }
            _ => self.leaf(ty, columns),
        }
    }

    /// A column of the type, else a literal or NULL of it.
    fn leaf(&mut self, ty: Type, columns: &[Col]) -> String {
        let mine: Vec<&Col> = columns.iter().filter(|c| c.ty == ty && !c.small).collect();
        if !mine.is_empty() && self.dice.chance(85) {
            return self.dice.pick(&mine).map(|c| c.text.clone()).unwrap_or_default();
        }
        match ty {
            Type::Bigint => match self.unsigned(columns) {
                Some(col) if self.dice.chance(50) => {
                    self.form("CAST to BIGINT");
                    format!("CAST({col} AS BIGINT)")
                }
                _ => format!("CAST({} AS BIGINT)", self.small()),
            },
            Type::U32 | Type::U64 => mine.first().map_or_else(|| self.any_unsigned(columns, ty), |c| c.text.clone()),
            Type::Double => {
                self.dice.word(&["5e-1", "CAST(1 AS DOUBLE)", "CAST(0.25 AS DOUBLE)", "CAST(NULL AS DOUBLE)", "-2.5e0"]).to_owned()
            }
            Type::Boolean => self.dice.word(&["TRUE", "FALSE"]).to_owned(),
            Type::Text if self.dice.chance(10) => "CAST(NULL AS STRING)".to_owned(),
            Type::Text => self.text_literal(),
            Type::Timestamp => self.time_literal(),
        }
    }

    fn unsigned(&mut self, columns: &[Col]) -> Option<String> {
        let mine: Vec<&Col> = columns.iter().filter(|c| matches!(c.ty, Type::U32 | Type::U64)).collect();
        self.dice.pick(&mine).map(|c| c.text.clone())
    }

    /// Unsigned values come from columns only; without one, something that the compiler refuses to mix.
    fn any_unsigned(&mut self, columns: &[Col], ty: Type) -> String {
        columns.iter().find(|c| c.ty == ty).map_or_else(|| "CAST(NULL AS BIGINT)".to_owned(), |c| c.text.clone())
    }

    fn small(&mut self) -> String {
        self.dice.word(&["0", "1", "2", "3", "-1", "5", "90", "1000"]).to_owned()
    }

    fn text_literal(&mut self) -> String {
        let plain: Vec<&&str> = TEXTS.iter().filter(|t| !t.contains('\\')).collect();
        let text = self.dice.pick(&plain).map_or("", |t| **t);
        format!("'{}'", text.replace('\'', "''"))
    }

    fn time_literal(&mut self) -> String {
        let time = self.dice.word(TIMES);
        format!("TIMESTAMP '{time}'")
    }

    fn interval(&mut self) -> String {
        let interval = self.dice.word(&["1 day", "90 days", "0 days", "36 hours", "1 hours", "400 days"]);
        format!("INTERVAL '{interval}'")
    }

    /// CASE, COALESCE, NULLIF.
    fn choice(&mut self, ty: Type, columns: &[Col], depth: usize) -> String {
        match self.dice.below(4) {
            0 => {
                self.form("COALESCE");
                format!("COALESCE({}, {})", self.expr(ty, columns, depth), self.expr(ty, columns, depth))
            }
            1 => {
                self.form("NULLIF");
                format!("NULLIF({}, {})", self.expr(ty, columns, depth), self.expr(ty, columns, depth))
            }
            2 => {
                self.form("CASE x WHEN");
                let of = if self.dice.chance(50) { Type::Text } else { Type::Bigint };
                let (subject, first, second) = (self.expr(of, columns, depth), self.leaf(of, columns), self.leaf(of, columns));
                let (a, b) = (self.expr(ty, columns, depth), self.expr(ty, columns, depth));
                format!("CASE {subject} WHEN {first} THEN {a} WHEN {second} THEN {b} END")
            }
            _ => {
                self.form("CASE");
                let (when, then) = (self.boolean(columns, depth), self.expr(ty, columns, depth));
                let otherwise = if self.dice.chance(70) { format!(" ELSE {}", self.expr(ty, columns, depth)) } else { String::new() };
                format!("CASE WHEN {when} THEN {then}{otherwise} END")
            }
        }
    }

    fn bigint(&mut self, columns: &[Col], depth: usize) -> String {
        match self.dice.below(6) {
            0 => {
                self.form("BIGINT + -");
                let op = self.dice.word(&["+", "-"]);
                format!("({} {op} {})", self.expr(Type::Bigint, columns, depth), self.expr(Type::Bigint, columns, depth))
            }
            1 => {
                self.form("BIGINT and literal");
                let op = self.dice.word(&["+", "-", "*"]);
                format!("({} {op} {})", self.expr(Type::Bigint, columns, depth), self.small())
            }
            2 => {
                self.form("BIGINT *");
                format!("({} * {})", self.leaf(Type::Bigint, columns), self.leaf(Type::Bigint, &[]))
            }
            3 => {
                self.form("negation");
                format!("(-{})", self.leaf(Type::Bigint, columns).trim_start_matches('-'))
            }
            4 => {
                self.form("CAST boolean to BIGINT");
                format!("CAST(({}) AS BIGINT)", self.boolean(columns, depth))
            }
            _ => self.leaf(Type::Bigint, columns),
        }
    }

    fn double(&mut self, columns: &[Col], depth: usize) -> String {
        match self.dice.below(4) {
            0 => {
                self.form("DOUBLE + - *");
                let op = self.dice.word(&["+", "-", "*"]);
                let right =
                    if self.dice.chance(50) { self.leaf(Type::Double, columns) } else { self.dice.word(&["2", "0.5", "-1"]).to_owned() };
                format!("({} {op} {right})", self.expr(Type::Double, columns, depth))
            }
            1 => {
                self.form("DOUBLE /");
                format!("({} / NULLIF({}, 0))", self.expr(Type::Double, columns, depth), self.expr(Type::Double, columns, depth))
            }
            2 => {
                self.form("CAST to DOUBLE");
                format!("CAST({} AS DOUBLE)", self.expr(Type::Bigint, columns, depth))
            }
            _ => self.leaf(Type::Double, columns),
        }
    }

    fn text(&mut self, columns: &[Col], depth: usize) -> String {
        match self.dice.below(3) {
            0 => {
                self.form("||");
                format!(
                    "({} || {} || {})",
                    self.expr(Type::Text, columns, depth),
                    self.text_literal(),
                    self.expr(Type::Text, columns, depth)
                )
            }
            1 => {
                self.form("CAST to STRING");
                let inner = match self.dice.below(3) {
                    0 => self.unsigned(columns).unwrap_or("1".into()),
                    1 => self.expr(Type::Bigint, columns, depth),
                    _ => format!("({})", self.boolean(columns, depth)),
                };
                format!("CAST({inner} AS STRING)")
            }
            _ => self.leaf(Type::Text, columns),
        }
    }

    fn boolean(&mut self, columns: &[Col], depth: usize) -> String {
        if depth > 0 && self.dice.chance(45) {
            return self.logic(columns, depth - 1);
        }
        match self.dice.below(12) {
            0 => {
                let mine: Vec<&Col> = columns.iter().filter(|c| c.ty == Type::Boolean).collect();
                match self.dice.pick(&mine) {
                    Some(col) => {
                        self.forms.insert("boolean column");
                        col.text.clone()
                    }
                    None => self.leaf(Type::Boolean, columns),
                }
            }
            1 => {
                self.form("IS NULL");
                let ty = self.any_type();
                format!("{} IS {}NULL", self.leaf(ty, columns), self.dice.word(&["", "NOT "]))
            }
            2 => {
                self.form("IN");
                self.in_list(columns)
            }
            3 => {
                self.form("BETWEEN");
                let ty = *self.dice.pick(&[Type::Bigint, Type::Text, Type::Timestamp, Type::Double]).unwrap_or(&Type::Text);
                let not = self.dice.word(&["", "NOT "]);
                format!("{} {not}BETWEEN {} AND {}", self.leaf(ty, columns), self.leaf(ty, columns), self.leaf(ty, columns))
            }
            4 => {
                self.form("LIKE");
                let pattern = self.dice.word(&["%", "a%", "%b", "%a%", "_", "a_b", "%_%", "", "__", "%''%", "_%_", "%İ%", "a%b%"]);
                format!("{} {}LIKE '{pattern}'", self.leaf(Type::Text, columns), self.dice.word(&["", "NOT "]))
            }
            5 => {
                self.form("difference of instants");
                let op = self.comparison();
                format!("{} - {} {op} {}", self.leaf(Type::Timestamp, columns), self.leaf(Type::Timestamp, columns), self.interval())
            }
            6 => {
                self.form("integers of two types");
                let op = self.comparison();
                let left = self.unsigned(columns).unwrap_or("0".into());
                let right = if self.dice.chance(50) { self.leaf(Type::Bigint, columns) } else { self.small() };
                format!("{left} {op} {right}")
            }
            7 => {
                self.form("DOUBLE and literal");
                let op = self.comparison();
                format!("{} {op} {}", self.leaf(Type::Double, columns), self.dice.word(&["0", "1", "0.5", "-0.25", "1e0"]))
            }
            _ => {
                self.form("comparison");
                let ty = *self.dice.pick(&[Type::Bigint, Type::Text, Type::Text, Type::Timestamp, Type::Double]).unwrap_or(&Type::Text);
                let op = self.comparison();
                format!("{} {op} {}", self.expr(ty, columns, depth.min(1)), self.leaf(ty, columns))
            }
        }
    }

    fn comparison(&mut self) -> &'static str {
        self.dice.word(&["=", "<>", "<", "<=", ">", ">="])
    }

    fn in_list(&mut self, columns: &[Col]) -> String {
        let ty = *self.dice.pick(&[Type::Bigint, Type::Text, Type::Timestamp, Type::Double, Type::U32]).unwrap_or(&Type::Text);
        let subject = if ty == Type::U32 { self.unsigned(columns).unwrap_or("1".into()) } else { self.leaf(ty, columns) };
        let mut members = Vec::new();
        for _ in 0..=self.dice.below(3) {
            members.push(match ty {
                Type::Bigint | Type::U32 => self.small(),
                Type::Text => self.text_literal(),
                Type::Timestamp => self.time_literal(),
                _ => self.dice.word(&["0", "0.5", "-2.5", "1e0"]).to_owned(),
            });
        }
        if self.dice.chance(20) {
            self.form("IN with NULL");
            members.push("NULL".into());
        }
        format!("{subject} {}IN ({})", self.dice.word(&["", "NOT "]), members.join(", "))
    }

    fn logic(&mut self, columns: &[Col], depth: usize) -> String {
        let a = self.boolean(columns, depth);
        match self.dice.below(6) {
            0 => {
                self.form("AND");
                format!("({a} AND {})", self.boolean(columns, depth))
            }
            1 => {
                self.form("OR");
                format!("({a} OR {} OR {})", self.boolean(columns, depth), self.boolean(columns, 0))
            }
            2 => {
                self.form("NOT");
                format!("NOT ({a})")
            }
            3 => {
                self.form("IS TRUE");
                format!("({a}) IS {}", self.dice.word(&["TRUE", "NOT TRUE", "FALSE", "NOT FALSE"]))
            }
            4 => {
                self.form("COALESCE of a condition");
                format!("COALESCE({a}, {})", self.dice.word(&["TRUE", "FALSE"]))
            }
            _ => {
                self.form("equality of conditions");
                format!("(({a}) {} ({}))", self.dice.word(&["=", "<>"]), self.boolean(columns, depth))
            }
        }
    }

    /// Queries whose integers may leave 64 bits: an error in every engine, or guarded.
    fn overflow(&mut self) -> String {
        self.form("overflow");
        let op = self.dice.word(&["+", "-", "*"]);
        match self.dice.below(5) {
            0 => format!("SELECT b.k AS k, b.a {op} b.b AS v FROM big b"),
            1 => "SELECT SUM(b.a) AS v FROM big b".to_owned(),
            2 => "SELECT b.b AS g, SUM(b.a) AS v FROM big b GROUP BY b.b".to_owned(),
            3 => format!(
                "SELECT b.k AS k, CASE WHEN b.a BETWEEN -1000 AND 1000 AND b.b BETWEEN -1000 AND 1000 THEN b.a {op} b.b ELSE 0 END AS v FROM big b"
            ),
            _ => format!("SELECT b.k AS k, COALESCE(b.a, b.b {op} 1) AS v FROM big b WHERE b.b < 10 AND b.b > -10"),
        }
    }
}

/// The columns of a CTE or derived table under an alias.
fn named(alias: &str, columns: &[Col]) -> Scope {
    let columns = columns.iter().map(|c| Col { text: format!("{alias}.{}", c.name), ..c.clone() });
    Scope { columns: columns.collect(), key: None, text: String::new() }
}

fn joinable(a: Type, b: Type) -> bool {
    let integer = |ty| matches!(ty, Type::Bigint | Type::U32 | Type::U64);
    (integer(a) && integer(b)) || (a == b && matches!(a, Type::Text | Type::Timestamp))
}
