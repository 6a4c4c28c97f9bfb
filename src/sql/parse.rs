//! Text to syntax tree: tokens by `sqlparser`, and a closed list of what the language has.
//!
//! Every field of the parser's tree is named here, so that a form that a later parser version learns is refused until someone allows it.

use std::collections::BTreeMap;

use sqlparser::ast as sql;
use sqlparser::ast::Spanned;
use sqlparser::dialect::Dialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Whitespace};

use super::ast::{Body, ColumnName, Cte, Item, Join, Name, OrderItem, Select, Source, SourceKind, Statement};
use super::diagnostic::{Diagnostic, Pos};
use super::parse_expr;
use super::types::Literal;

/// Tokens of one query, white space and comments left out. Bounds the depth of every tree made from it.
const MAX_TOKENS: usize = 4_000;
/// Nesting that the parser follows; expressions stop earlier (`parse_expr::MAX_DEPTH`).
const MAX_RECURSION: usize = 96;

/// Names that other engines read as function calls where a column should stand.
const RESERVED: &[&str] =
    &["user", "current_user", "session_user", "current_date", "current_time", "current_timestamp", "current_catalog", "current_schema"];

/// Words that DuckDB or Spark reserve: no column may stand under them without its table, and no table at all.
#[rustfmt::skip]
const GRAMMAR: &[&str] = &[
    "all", "analyse", "analyze", "and", "anti", "any", "array", "as", "asc", "asof", "asymmetric", "at", "authorization", "binary",
    "both", "by", "case", "cast", "check", "collate", "collation", "column", "concurrently", "constraint", "create", "cross", "default",
    "deferrable", "desc", "describe", "distinct", "do", "else", "end", "except", "false", "fetch", "for", "foreign", "freeze", "from",
    "full", "glob", "group", "having", "ilike", "in", "initially", "inner", "intersect", "into", "is", "isnull", "join", "lambda",
    "lateral", "leading", "left", "like", "limit", "minus", "natural", "not", "notnull", "null", "offset", "on", "only", "or", "order",
    "outer", "overlaps", "pivot", "pivot_longer", "pivot_wider", "placing", "positional", "primary", "qualify", "recursive",
    "references", "returning", "right", "select", "semi", "show", "similar", "some", "summarize", "symmetric", "table", "tablesample",
    "then", "to", "trailing", "true", "union", "unique", "unpack", "unpivot", "using", "variadic", "verbose", "when", "where", "window",
    "with",
];

/// Identifiers of ASCII letters, digits and `_`; everything else as in the parser's defaults.
#[derive(Debug)]
pub(super) struct Portable;

impl Dialect for Portable {
    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_ascii_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_ascii_alphanumeric() || ch == '_'
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }
}

/// What a query is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A check: a set of rows; no `*`, `ORDER BY` or `LIMIT`.
    Check,
    /// Asked by a person: also `*`, and a final `ORDER BY` and `LIMIT`.
    Ask,
}

pub(super) type Parsed<T> = Result<T, Diagnostic>;

pub(super) fn refuse<T>(pos: Pos, message: impl Into<String>, help: impl Into<String>) -> Parsed<T> {
    Err(Diagnostic::new(pos, message, help))
}

/// What the parsing functions share.
pub(super) struct Reader<'a> {
    pub params: &'a BTreeMap<String, Literal>,
    pub mode: Mode,
}

/// The tokens of `text` with their places, after the lexical rules of the language.
///
/// # Errors
/// A form that other engines read differently: `\` in a literal, quoted names, block comments, adjacent literals.
pub(super) fn tokens(text: &str) -> Parsed<Vec<TokenWithSpan>> {
    let tokens = Tokenizer::new(&Portable, text)
        .tokenize_with_location()
        .map_err(|e| Diagnostic::new(pos(e.location), lower_first(&e.message), "close the literal or comment, or remove the character"))?;
    let mut after_literal = false;
    let mut count = 0_usize;
    for token in &tokens {
        if check_token(token, after_literal)? {
            count += 1;
            after_literal = matches!(token.token, Token::SingleQuotedString(_));
        }
        if count > MAX_TOKENS {
            return refuse(start_of(token), format!("the query is longer than {MAX_TOKENS} words"), "split the check into several");
        }
    }
    Ok(tokens)
}

/// Whether the token means something; refuses those outside the language.
fn check_token(token: &TokenWithSpan, after_literal: bool) -> Parsed<bool> {
    let at = start_of(token);
    match &token.token {
        Token::Whitespace(Whitespace::MultiLineComment(_)) => {
            refuse(at, "`/* */` comments nest differently elsewhere", "write `-- ` comments")
        }
        Token::Whitespace(_) | Token::EOF => Ok(false),
        Token::SingleQuotedString(text) if text.contains('\\') => refuse(
            at,
            "`\\` in a literal means different texts in different engines",
            "compare with a stored column, or match around it with LIKE and `_`",
        ),
        Token::SingleQuotedString(text) if text.contains('\0') => refuse(at, "NUL in a literal", "remove the character"),
        Token::SingleQuotedString(_) if after_literal => {
            refuse(at, "two literals side by side", "write one literal, or join them with `||`")
        }
        Token::Word(word) if word.quote_style.is_some() => {
            refuse(at, format!("`{}` is quoted: some engines read it as text", word.value), "write a plain lower-case name")
        }
        _ => Ok(true),
    }
}

/// Parses one query.
///
/// # Errors
/// Everything that the language does not have, with its place and a rewrite.
pub(super) fn parse(text: &str, params: &BTreeMap<String, Literal>, mode: Mode) -> Parsed<Statement> {
    let tokens = tokens(text)?;
    let statements = Parser::new(&Portable)
        .with_recursion_limit(MAX_RECURSION)
        .with_tokens_with_locations(tokens)
        .parse_statements()
        .map_err(|e| syntax_error(&e, end_of(text)))?;
    let mut statements = statements.iter();
    let reader = Reader { params, mode };
    let start = Pos { line: 1, column: 1 };
    match (statements.next(), statements.next()) {
        (Some(sql::Statement::Query(query)), None) => reader.statement(query),
        (Some(sql::Statement::Query(_)), Some(second)) => refuse(pos(second.span().start), "a second statement", "keep one query per text"),
        (Some(_), _) => refuse(start, "not a query", "write SELECT or WITH ... SELECT"),
        (None, _) => refuse(start, "no query", "write SELECT or WITH ... SELECT"),
    }
}

impl Reader<'_> {
    fn statement(&self, query: &sql::Query) -> Parsed<Statement> {
        let (order, limit) = self.tail(query)?;
        let mut ctes = Vec::new();
        if let Some(with) = &query.with {
            let sql::With { with_token, recursive, cte_tables } = with;
            if *recursive {
                return refuse(
                    pos(with_token.0.span.start),
                    "recursive WITH",
                    "read a table that `resolve` has closed, such as `group_reach`",
                );
            }
            for cte in cte_tables {
                ctes.push(self.cte(cte)?);
            }
        }
        Ok(Statement { ctes, body: self.body(&query.body)?, order, limit })
    }

    fn cte(&self, cte: &sql::Cte) -> Parsed<Cte> {
        let sql::Cte { alias, query, from, materialized, closing_paren_token: _ } = cte;
        let name = self.table_alias(alias)?;
        if from.is_some() || materialized.is_some() {
            return refuse(name.pos, "options on WITH", "write `name AS (SELECT ...)`");
        }
        Ok(Cte { body: self.subquery(query, name.pos)?, name })
    }

    /// A query in brackets: no WITH, ORDER BY or LIMIT of its own.
    fn subquery(&self, query: &sql::Query, at: Pos) -> Parsed<Body> {
        if let Some(with) = &query.with {
            return refuse(pos(with.with_token.0.span.start), "WITH inside a query", "move the WITH to the top of the text");
        }
        if query.order_by.is_some() || query.limit_clause.is_some() {
            return refuse(at, "ORDER BY or LIMIT inside a query", "take the first row with ROW_NUMBER() OVER (...) = 1");
        }
        self.tail(query)?;
        self.body(&query.body)
    }

    /// ORDER BY and LIMIT; refuses everything else that can follow a query.
    fn tail(&self, query: &sql::Query) -> Parsed<(Vec<OrderItem>, Option<u32>)> {
        let sql::Query { with: _, body, order_by, limit_clause, fetch, locks, for_clause, settings, format_clause, pipe_operators } = query;
        let at = pos(body.span().start);
        let extra = fetch.is_some() || !locks.is_empty() || for_clause.is_some() || settings.is_some() || format_clause.is_some();
        if extra || !pipe_operators.is_empty() {
            return refuse(at, "a clause that the check language does not have after the query", "end the query after HAVING");
        }
        if self.mode == Mode::Check && (order_by.is_some() || limit_clause.is_some()) {
            return refuse(at, "ORDER BY or LIMIT in a check", "leave it out: the rows of a check are a set");
        }
        let order = match order_by {
            None => Vec::new(),
            Some(sql::OrderBy { kind: sql::OrderByKind::Expressions(items), interpolate: None }) => {
                items.iter().map(|item| self.order_item(item)).collect::<Parsed<_>>()?
            }
            Some(_) => return refuse(at, "ORDER BY ALL", "name the columns"),
        };
        Ok((order, limit_clause.as_ref().map(|clause| limit(clause, at)).transpose()?))
    }

    /// UNION ALL chains lean left and may be long: walked, not recursed.
    fn body(&self, set: &sql::SetExpr) -> Parsed<Body> {
        let mut arms = Vec::new();
        let mut rest = set;
        loop {
            match rest {
                sql::SetExpr::SetOperation { left, op: sql::SetOperator::Union, set_quantifier: sql::SetQuantifier::All, right } => {
                    arms.push(self.arm(right)?);
                    rest = left;
                }
                last => {
                    arms.push(self.arm(last)?);
                    break;
                }
            }
        }
        arms.reverse();
        Ok(Body { arms })
    }

    fn arm(&self, set: &sql::SetExpr) -> Parsed<Select> {
        let at = pos(set.span().start);
        match set {
            sql::SetExpr::Select(select) => self.select(select),
            sql::SetExpr::SetOperation { op: sql::SetOperator::Union, .. } => {
                refuse(at, "UNION that removes duplicates", "write UNION ALL, and SELECT DISTINCT over it")
            }
            sql::SetExpr::SetOperation { op, .. } => refuse(at, format!("{op}"), "write [NOT] EXISTS"),
            sql::SetExpr::Query(_) => refuse(at, "a query in brackets beside UNION ALL", "remove the brackets, or name it in WITH"),
            sql::SetExpr::Values(_) => refuse(at, "VALUES", "put the values into parameters, or into a view"),
            _ => refuse(at, "not a SELECT", "write SELECT ... FROM ..."),
        }
    }

    pub(super) fn select(&self, select: &sql::Select) -> Parsed<Select> {
        let sql::Select {
            select_token,
            optimizer_hints: _,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection,
            exclude,
            into,
            from,
            lateral_views,
            prewhere,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        let at = pos(select_token.0.span.start);
        let distinct = match distinct {
            None | Some(sql::Distinct::All) => false,
            Some(sql::Distinct::Distinct) => true,
            Some(sql::Distinct::On(_)) => return refuse(at, "DISTINCT ON", "write ROW_NUMBER() OVER (...) = 1"),
        };
        if let Some(qualify) = qualify {
            return refuse(start(qualify), "QUALIFY", "compute the window in a derived table and filter it in WHERE");
        }
        if let Some(window) = named_window.first() {
            return refuse(pos(window.0.span.start), "WINDOW", "write the window inside OVER (...)");
        }
        let clean = select_modifiers.is_none() && top.is_none() && exclude.is_none() && into.is_none() && prewhere.is_none();
        let plain =
            lateral_views.is_empty() && connect_by.is_empty() && cluster_by.is_empty() && distribute_by.is_empty() && sort_by.is_empty();
        if !clean || !plain || value_table_mode.is_some() || *flavor != sql::SelectFlavor::Standard {
            return refuse(
                at,
                "a clause of SELECT that the check language does not have",
                "keep to SELECT, FROM, JOIN, WHERE, GROUP BY, HAVING",
            );
        }
        let (from, joins) = self.from(from, at)?;
        Ok(Select {
            pos: at,
            distinct,
            items: projection.iter().map(|item| self.item(item)).collect::<Parsed<_>>()?,
            from,
            joins,
            filter: selection.as_ref().map(|e| self.expr(e)).transpose()?,
            group: self.group(group_by, at)?,
            having: having.as_ref().map(|e| self.expr(e)).transpose()?,
        })
    }

    fn item(&self, item: &sql::SelectItem) -> Parsed<Item> {
        let at = pos(item.span().start);
        match item {
            sql::SelectItem::UnnamedExpr(expr) => Ok(Item::Expr { expr: self.expr(expr)?, alias: None }),
            sql::SelectItem::ExprWithAlias { expr, alias } => Ok(Item::Expr { expr: self.expr(expr)?, alias: Some(self.new_name(alias)?) }),
            sql::SelectItem::Wildcard(options) if self.mode == Mode::Ask && plain_wildcard(options) => Ok(Item::All { pos: at, of: None }),
            sql::SelectItem::QualifiedWildcard(sql::SelectItemQualifiedWildcardKind::ObjectName(name), options)
                if self.mode == Mode::Ask && plain_wildcard(options) =>
            {
                Ok(Item::All { pos: at, of: Some(self.object_name(name, at)?.text) })
            }
            sql::SelectItem::Wildcard(_) | sql::SelectItem::QualifiedWildcard(..) => refuse(at, "`*`", "name the columns"),
            sql::SelectItem::ExprWithAliases { .. } => refuse(at, "several aliases for one column", "give one alias"),
        }
    }

    fn from(&self, from: &[sql::TableWithJoins], at: Pos) -> Parsed<(Source, Vec<Join>)> {
        match from {
            [] => refuse(at, "SELECT without FROM", "name the view that gives the rows"),
            [one] => {
                let source = self.source(&one.relation, at)?;
                let joins = one.joins.iter().map(|join| self.join(join, at)).collect::<Parsed<_>>()?;
                Ok((source, joins))
            }
            [_, second, ..] => refuse(pos(second.span().start), "a comma between tables", "write JOIN ... ON ..."),
        }
    }

    fn source(&self, factor: &sql::TableFactor, at: Pos) -> Parsed<Source> {
        let here = pos_or(factor.span().start, at);
        match factor {
            sql::TableFactor::Table {
                name,
                alias,
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_directives,
                inheritance,
            } => {
                let plain = args.is_none() && with_hints.is_empty() && version.is_none() && !with_ordinality && partitions.is_empty();
                if !plain || json_path.is_some() || sample.is_some() || !index_directives.is_empty() || inheritance.is_some() {
                    return refuse(here, "a table function or table option", "name a view, with an alias at most");
                }
                let name = self.object_name(name, here)?;
                let alias = alias.as_ref().map(|a| self.table_alias(a)).transpose()?.unwrap_or_else(|| name.clone());
                Ok(Source { alias, kind: SourceKind::Named(name) })
            }
            sql::TableFactor::Derived { lateral: false, subquery, alias: Some(alias), sample: None } => {
                let alias = self.table_alias(alias)?;
                Ok(Source { kind: SourceKind::Derived(Box::new(self.subquery(subquery, here)?)), alias })
            }
            sql::TableFactor::Derived { lateral: false, alias: None, .. } => {
                refuse(here, "a derived table without a name", "write `(SELECT ...) name`")
            }
            sql::TableFactor::NestedJoin { .. } => refuse(here, "joins in brackets", "write the joins in a row, or in a WITH"),
            _ => refuse(here, "a source that the check language does not have", "name a view, a WITH or a derived table"),
        }
    }

    fn join(&self, join: &sql::Join, at: Pos) -> Parsed<Join> {
        let sql::Join { relation, global, join_operator } = join;
        let here = pos_or(relation.span().start, at);
        let (left, constraint) = match join_operator {
            sql::JoinOperator::Join(c) | sql::JoinOperator::Inner(c) if !global => (false, c),
            sql::JoinOperator::Left(c) | sql::JoinOperator::LeftOuter(c) if !global => (true, c),
            sql::JoinOperator::Right(_) | sql::JoinOperator::RightOuter(_) => {
                return refuse(here, "RIGHT JOIN", "swap the sides and write LEFT JOIN");
            }
            sql::JoinOperator::FullOuter(_) => {
                return refuse(here, "FULL JOIN", "write LEFT JOIN, and UNION ALL the rows that are only on the right (NOT EXISTS)");
            }
            sql::JoinOperator::CrossJoin(_) => return refuse(here, "CROSS JOIN", "join on the equality of a column"),
            sql::JoinOperator::Semi(_) | sql::JoinOperator::LeftSemi(_) => {
                return refuse(here, "SEMI JOIN", "write WHERE EXISTS (SELECT 1 ...)");
            }
            sql::JoinOperator::Anti(_) | sql::JoinOperator::LeftAnti(_) => {
                return refuse(here, "ANTI JOIN", "write WHERE NOT EXISTS (SELECT 1 ...)");
            }
            _ => return refuse(here, "a join that the check language does not have", "write JOIN or LEFT JOIN ... ON ..."),
        };
        match constraint {
            sql::JoinConstraint::On(on) => Ok(Join { pos: here, left, source: self.source(relation, here)?, on: self.expr(on)? }),
            sql::JoinConstraint::Using(_) | sql::JoinConstraint::UsingAlias(..) => refuse(here, "USING", "write ON a.column = b.column"),
            sql::JoinConstraint::Natural => refuse(here, "NATURAL JOIN", "write ON a.column = b.column"),
            sql::JoinConstraint::None => refuse(here, "a join without ON", "write ON a.column = b.column"),
        }
    }

    fn group(&self, group: &sql::GroupByExpr, at: Pos) -> Parsed<Vec<ColumnName>> {
        match group {
            sql::GroupByExpr::Expressions(exprs, modifiers) if modifiers.is_empty() => {
                let help = "compute it in a derived table, and group by its column";
                exprs.iter().map(|e| self.column(e, "GROUP BY on something other than a column", help)).collect()
            }
            _ => refuse(at, "GROUP BY ALL, ROLLUP or CUBE", "name the columns"),
        }
    }

    /// A plain column, or a refusal in these words.
    pub(super) fn column(&self, expr: &sql::Expr, message: &str, help: &str) -> Parsed<ColumnName> {
        match expr {
            sql::Expr::Identifier(ident) => {
                let Name { pos, text } = self.name(ident)?;
                if GRAMMAR.contains(&text.as_str()) || RESERVED.contains(&text.as_str()) {
                    return refuse(
                        pos,
                        format!("`{text}` alone is a word of the grammar in other engines"),
                        format!("write it with its table: `t.{text}`"),
                    );
                }
                Ok(ColumnName { pos, table: None, name: text })
            }
            sql::Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, column] => {
                    Ok(ColumnName { pos: pos(table.span.start), table: Some(self.name(table)?.text), name: self.name(column)?.text })
                }
                _ => refuse(start(expr), "a name of more than two parts", "write `table.column`"),
            },
            _ => refuse(start(expr), message, help),
        }
    }

    /// One term of an ORDER BY.
    pub(super) fn order_item(&self, item: &sql::OrderByExpr) -> Parsed<OrderItem> {
        let sql::OrderByExpr { expr, options, with_fill } = item;
        let sql::OrderByOptions { sort, nulls_first } = options;
        let column =
            self.column(expr, "ORDER BY on something other than a column", "compute it in a derived table, and order by its column")?;
        let descending = match sort {
            None | Some(sql::OrderBySort::Asc) => false,
            Some(sql::OrderBySort::Desc) => true,
            Some(sql::OrderBySort::Using(_)) => return refuse(column.pos, "ORDER BY USING", "write ASC or DESC"),
        };
        if with_fill.is_some() {
            return refuse(column.pos, "WITH FILL", "leave it out");
        }
        Ok(OrderItem { column, descending, nulls_first: *nulls_first })
    }

    fn table_alias(&self, alias: &sql::TableAlias) -> Parsed<Name> {
        let sql::TableAlias { explicit: _, name, columns, at } = alias;
        let name = self.table_name(name)?;
        if !columns.is_empty() || at.is_some() {
            return refuse(name.pos, "column names after a table alias", "name the columns inside the query");
        }
        Ok(name)
    }

    fn object_name(&self, name: &sql::ObjectName, at: Pos) -> Parsed<Name> {
        match name.0.as_slice() {
            [sql::ObjectNamePart::Identifier(ident)] => self.table_name(ident),
            _ => refuse(pos_or(name.span().start, at), format!("`{name}` has more than one part"), "write the view's plain name"),
        }
    }

    /// The name of a view, a WITH or an alias.
    fn table_name(&self, ident: &sql::Ident) -> Parsed<Name> {
        let name = self.new_name(ident)?;
        if GRAMMAR.contains(&name.text.as_str()) {
            return refuse(name.pos, format!("`{}` is a word of the grammar in other engines", name.text), "choose another name");
        }
        Ok(name)
    }

    /// A name that the text introduces.
    fn new_name(&self, ident: &sql::Ident) -> Parsed<Name> {
        let name = self.name(ident)?;
        if RESERVED.contains(&name.text.as_str()) {
            return refuse(name.pos, format!("`{}` is a function in other engines", name.text), "choose another name");
        }
        Ok(name)
    }

    pub(super) fn name(&self, ident: &sql::Ident) -> Parsed<Name> {
        let at = pos(ident.span.start);
        if ident.quote_style.is_some() {
            return refuse(at, format!("`{}` is quoted: some engines read it as text", ident.value), "write a plain lower-case name");
        }
        if ident.value.chars().any(|c| c.is_ascii_uppercase()) {
            return refuse(
                at,
                format!("`{}` has upper-case letters", ident.value),
                format!("write `{}`", ident.value.to_ascii_lowercase()),
            );
        }
        Ok(Name { pos: at, text: ident.value.clone() })
    }

    fn expr(&self, expr: &sql::Expr) -> Parsed<super::ast::Expr> {
        parse_expr::convert(self, expr, 0)
    }

    /// The SELECT inside EXISTS.
    pub(super) fn exists(&self, query: &sql::Query, at: Pos) -> Parsed<Select> {
        let mut arms = self.subquery(query, at)?.arms;
        match (arms.pop(), arms.is_empty()) {
            (Some(select), true) => Ok(select),
            _ => refuse(at, "UNION ALL inside EXISTS", "name the union in WITH, and select from it"),
        }
    }
}

fn plain_wildcard(options: &sql::WildcardAdditionalOptions) -> bool {
    let sql::WildcardAdditionalOptions { wildcard_token: _, opt_ilike, opt_exclude, opt_except, opt_replace, opt_rename, opt_alias } =
        options;
    let none = opt_ilike.is_none() && opt_exclude.is_none() && opt_except.is_none();
    none && opt_replace.is_none() && opt_rename.is_none() && opt_alias.is_none()
}

fn limit(clause: &sql::LimitClause, at: Pos) -> Parsed<u32> {
    if let sql::LimitClause::LimitOffset { limit: Some(sql::Expr::Value(value)), offset: None, limit_by } = clause
        && let sql::Value::Number(digits, false) = &value.value
        && limit_by.is_empty()
        && let Ok(n) = digits.parse()
    {
        return Ok(n);
    }
    refuse(at, "LIMIT with something other than a whole number", "write LIMIT 100")
}

/// The first character of an expression. Walks down left sides instead of recursing: chains may be long.
pub(super) fn start(expr: &sql::Expr) -> Pos {
    let mut here = expr;
    loop {
        here = match here {
            sql::Expr::BinaryOp { left, .. } => left,
            sql::Expr::IsNull(e) | sql::Expr::IsNotNull(e) | sql::Expr::IsTrue(e) | sql::Expr::IsFalse(e) => e,
            sql::Expr::IsNotTrue(e) | sql::Expr::IsNotFalse(e) | sql::Expr::Nested(e) => e,
            sql::Expr::Between { expr, .. } | sql::Expr::In { expr, .. } | sql::Expr::Like { expr, .. } => expr,
            sql::Expr::Case { case_token, .. } => return pos(case_token.0.span.start),
            other => return pos(other.span().start),
        };
    }
}

pub(super) fn pos(at: Location) -> Pos {
    let clamp = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Pos { line: clamp(at.line), column: clamp(at.column) }
}

/// The place, or another where the parser kept none.
pub(super) fn pos_or(at: Location, other: Pos) -> Pos {
    if at.line == 0 { other } else { pos(at) }
}

fn start_of(token: &TokenWithSpan) -> Pos {
    pos(token.span.start)
}

/// The place after the last character.
fn end_of(text: &str) -> Pos {
    let text = text.trim_end();
    let count = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
    Pos { line: count(text.matches('\n').count()), column: count(text.rsplit('\n').next().unwrap_or_default().chars().count()) }
}

/// The parser writes its place into the message, `... at Line: 3, Column: 7`, but for the end of the text.
fn syntax_error(error: &ParserError, end: Pos) -> Diagnostic {
    let help = "write one query of the check language: SELECT ... FROM ... [JOIN ... ON ...] [WHERE ...] [GROUP BY ... [HAVING ...]]";
    let (ParserError::ParserError(message) | ParserError::TokenizerError(message)) = error else {
        return Diagnostic::new(Pos::default(), "the query is nested too deeply", "name inner queries in WITH");
    };
    let (what, place) = message.split_once(" at Line: ").unwrap_or((message, ""));
    let at = place
        .split_once(", Column: ")
        .and_then(|(line, column)| Some(Pos { line: line.trim().parse().ok()?, column: column.trim().parse().ok()? }));
    let at = at.unwrap_or(end);
    let what = what.trim_start_matches("Expected: ");
    let message = match what.split_once(", found: ") {
        Some((wanted, found)) => format!("expected {wanted}, found `{found}`"),
        None => lower_first(what),
    };
    Diagnostic::new(at, message, help)
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
