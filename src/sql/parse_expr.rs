//! Expressions: the parser's tree to the language's own.

use sqlparser::ast as sql;
use sqlparser::ast::{BinaryOperator, UnaryOperator};

use super::ast::{AggregateFunc, ArithOp, ColumnName, CompareOp, Expr, ExprKind, OrderItem, WindowFunc};
use super::diagnostic::Pos;
use super::literal;
use super::parse::{Parsed, Reader, refuse, start};
use super::types::{Literal, Type};

/// Nesting of one expression; chains of AND, OR and `||` count once.
pub(super) const MAX_DEPTH: usize = 64;

/// One expression.
pub(super) fn convert(reader: &Reader, expr: &sql::Expr, depth: usize) -> Parsed<Expr> {
    let at = start(expr);
    if depth > MAX_DEPTH {
        return refuse(at, format!("an expression nested more than {MAX_DEPTH} deep"), "compute parts of it in a derived table");
    }
    let kind = Converter { reader, depth: depth + 1, at }.kind(expr)?;
    Ok(Expr { pos: at, kind })
}

struct Converter<'a> {
    reader: &'a Reader<'a>,
    /// Of the parts.
    depth: usize,
    at: Pos,
}

impl Converter<'_> {
    fn part(&self, expr: &sql::Expr) -> Parsed<Expr> {
        convert(self.reader, expr, self.depth)
    }

    fn boxed(&self, expr: &sql::Expr) -> Parsed<Box<Expr>> {
        self.part(expr).map(Box::new)
    }

    fn refuse<T>(&self, message: impl Into<String>, help: impl Into<String>) -> Parsed<T> {
        refuse(self.at, message, help)
    }

    fn kind(&self, expr: &sql::Expr) -> Parsed<ExprKind> {
        match expr {
            sql::Expr::Identifier(_) | sql::Expr::CompoundIdentifier(_) => self.reader.column(expr, "", "").map(ExprKind::Column),
            sql::Expr::Value(value) => self.value(&value.value),
            sql::Expr::TypedString(typed) => self.typed_string(typed),
            sql::Expr::Interval(interval) => self.interval(interval),
            sql::Expr::Nested(inner) => self.part(inner).map(|e| e.kind),
            sql::Expr::BinaryOp { left, op, right } => self.binary(expr, left, op, right),
            sql::Expr::UnaryOp { op, expr } => self.unary(*op, expr),
            sql::Expr::IsNull(e) => Ok(ExprKind::IsNull(self.boxed(e)?, false)),
            sql::Expr::IsNotNull(e) => Ok(ExprKind::IsNull(self.boxed(e)?, true)),
            sql::Expr::IsTrue(e) => Ok(ExprKind::IsBoolean { expr: self.boxed(e)?, value: true, negated: false }),
            sql::Expr::IsNotTrue(e) => Ok(ExprKind::IsBoolean { expr: self.boxed(e)?, value: true, negated: true }),
            sql::Expr::IsFalse(e) => Ok(ExprKind::IsBoolean { expr: self.boxed(e)?, value: false, negated: false }),
            sql::Expr::IsNotFalse(e) => Ok(ExprKind::IsBoolean { expr: self.boxed(e)?, value: false, negated: true }),
            sql::Expr::In { expr, target, negated, global: false } => self.in_list(expr, target, *negated),
            sql::Expr::Between { expr, negated, low, high } => {
                Ok(ExprKind::Between { expr: self.boxed(expr)?, low: self.boxed(low)?, high: self.boxed(high)?, negated: *negated })
            }
            sql::Expr::Like { negated, any: false, expr, pattern, escape_char: None } => self.like(*negated, expr, pattern),
            sql::Expr::Case { case_token: _, end_token: _, operand, conditions, else_result } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            sql::Expr::Cast { kind: sql::CastKind::Cast, expr, data_type, format: None } => {
                Ok(ExprKind::Cast(self.boxed(expr)?, self.cast_type(data_type)?))
            }
            sql::Expr::Exists { subquery, negated } => {
                Ok(ExprKind::Exists { select: Box::new(self.reader.exists(subquery, self.at)?), negated: *negated })
            }
            sql::Expr::Function(function) => self.function(function),
            other => self.outside(other),
        }
    }

    /// Forms of SQL that the language leaves out, each with its rewrite.
    fn outside<T>(&self, expr: &sql::Expr) -> Parsed<T> {
        match expr {
            sql::Expr::Subquery(_) => self.refuse("a query as a value", "join it: JOIN (SELECT ...) d ON ..."),
            sql::Expr::In { .. } => self.refuse("GLOBAL IN", "write IN"),
            sql::Expr::ILike { .. } => self.refuse("ILIKE", "compare the stored `*_norm` column with LIKE"),
            sql::Expr::Like { .. } => self.refuse("LIKE with ESCAPE or ANY", "write LIKE with `%` and `_` alone"),
            sql::Expr::SimilarTo { .. } | sql::Expr::RLike { .. } => {
                self.refuse("a regular expression", "write LIKE, or IN with the values")
            }
            sql::Expr::IsDistinctFrom(..) | sql::Expr::IsNotDistinctFrom(..) => {
                self.refuse("IS [NOT] DISTINCT FROM", "write `a = b OR (a IS NULL AND b IS NULL)`")
            }
            sql::Expr::IsUnknown(_) | sql::Expr::IsNotUnknown(_) => self.refuse("IS UNKNOWN", "write IS NULL"),
            sql::Expr::Cast { kind: sql::CastKind::DoubleColon, .. } => self.refuse("`::`", "write CAST(x AS type)"),
            sql::Expr::Cast { .. } => self.refuse("TRY_CAST", "write CAST(x AS type) of a column that always fits"),
            sql::Expr::Extract { .. } => self.refuse("EXTRACT", "compare instants and differences with INTERVAL"),
            sql::Expr::Substring { .. } | sql::Expr::Trim { .. } | sql::Expr::Position { .. } | sql::Expr::Overlay { .. } => {
                self.refuse("a text function", "match with LIKE, or store the part as a column at import")
            }
            sql::Expr::Ceil { .. } | sql::Expr::Floor { .. } => self.refuse("rounding", "compare without rounding"),
            sql::Expr::AtTimeZone { .. } => self.refuse("AT TIME ZONE", "compare stored instants: all are UTC"),
            sql::Expr::Collate { .. } => self.refuse("COLLATE", "compare the stored `*_norm` column"),
            sql::Expr::Tuple(_) => self.refuse("a tuple", "compare the columns one by one with AND"),
            sql::Expr::AnyOp { .. } | sql::Expr::AllOp { .. } => self.refuse("ANY or ALL", "write [NOT] EXISTS or IN (list)"),
            _ => self.refuse("a form that the check language does not have", "see the list of forms in docs/checks.md"),
        }
    }

    fn value(&self, value: &sql::Value) -> Parsed<ExprKind> {
        match value {
            sql::Value::Number(digits, false) => self.number(digits),
            sql::Value::SingleQuotedString(text) => Ok(ExprKind::Literal(Literal::Text(text.clone()))),
            sql::Value::Boolean(value) => Ok(ExprKind::Literal(Literal::Boolean(*value))),
            sql::Value::Null => Ok(ExprKind::Null),
            sql::Value::Placeholder(name) => self.parameter(name),
            other => self
                .refuse(format!("the literal `{other}`"), "write 'text', a number, TRUE, FALSE, NULL, TIMESTAMP '...' or INTERVAL '...'"),
        }
    }

    fn parameter(&self, placeholder: &str) -> Parsed<ExprKind> {
        let name = placeholder.trim_start_matches(':');
        match self.reader.params.get(name) {
            Some(Literal::Text(text)) if text.contains(['\\', '\0']) => self
                .refuse(format!("the value of `:{name}` contains `\\` or NUL"), "other engines read it differently: choose another value"),
            Some(Literal::Double(value)) if !value.is_finite() => {
                self.refuse(format!("the value of `:{name}` is not finite"), "give a number")
            }
            Some(value) => Ok(ExprKind::Literal(value.clone())),
            None if placeholder.starts_with(':') => {
                let known: Vec<&str> = self.reader.params.keys().map(String::as_str).collect();
                let known = if known.is_empty() { "this query has none".to_owned() } else { format!("known: {}", known.join(", ")) };
                self.refuse(format!("unknown parameter `:{name}`"), known)
            }
            None => self.refuse(format!("the placeholder `{placeholder}`"), "write `:name`"),
        }
    }

    fn number(&self, digits: &str) -> Parsed<ExprKind> {
        let exponent = digits.contains(['e', 'E']);
        if !exponent && !digits.contains('.') {
            return match digits.parse() {
                Ok(n) => Ok(ExprKind::Literal(Literal::Integer(n))),
                Err(_) => self.refuse(format!("`{digits}` is beyond BIGINT"), "write a number up to 9223372036854775807"),
            };
        }
        let significant = digits.split(['e', 'E']).next().unwrap_or_default().trim_start_matches(['0', '.']).replace('.', "").len();
        match digits.parse::<f64>() {
            Ok(n) if n.is_finite() && significant <= 15 => {
                Ok(if exponent { ExprKind::Literal(Literal::Double(n)) } else { ExprKind::Decimal(n) })
            }
            _ => self.refuse(format!("`{digits}` has more digits than a DOUBLE holds"), "write at most 15 digits"),
        }
    }

    fn typed_string(&self, typed: &sql::TypedString) -> Parsed<ExprKind> {
        let sql::TypedString { data_type, value, uses_odbc_syntax } = typed;
        let help = "write TIMESTAMP 'YYYY-MM-DD HH:MM:SS[.ffffff]', without a zone: all instants are UTC";
        let (sql::DataType::Timestamp(None, sql::TimezoneInfo::None), sql::Value::SingleQuotedString(text), false) =
            (data_type, &value.value, uses_odbc_syntax)
        else {
            return self.refuse(format!("a literal of type `{data_type}`"), help);
        };
        match literal::parse_timestamp(text) {
            Some(us) => Ok(ExprKind::Literal(Literal::Timestamp(us))),
            None => self.refuse(format!("`{text}` is not an instant"), help),
        }
    }

    fn interval(&self, interval: &sql::Interval) -> Parsed<ExprKind> {
        let sql::Interval { value, leading_field, leading_precision, last_field, fractional_seconds_precision } = interval;
        let help = "write INTERVAL 'n days' or INTERVAL 'n hours'";
        let plain =
            leading_field.is_none() && leading_precision.is_none() && last_field.is_none() && fractional_seconds_precision.is_none();
        if let sql::Expr::Value(value) = value.as_ref()
            && let sql::Value::SingleQuotedString(text) = &value.value
            && plain
            && let Some(literal) = literal::parse_interval(text)
        {
            return Ok(ExprKind::Literal(literal));
        }
        self.refuse(format!("`INTERVAL {value}` in this form"), help)
    }

    /// Chains of one operator lean left and may be long: collected in a loop.
    fn binary(&self, whole: &sql::Expr, left: &sql::Expr, op: &BinaryOperator, right: &sql::Expr) -> Parsed<ExprKind> {
        if let Some(compare) = compare_op(op) {
            return Ok(ExprKind::Compare(compare, self.boxed(left)?, self.boxed(right)?));
        }
        match op {
            BinaryOperator::And => self.chain(whole, op).map(ExprKind::And),
            BinaryOperator::Or => self.chain(whole, op).map(ExprKind::Or),
            BinaryOperator::StringConcat => self.chain(whole, op).map(ExprKind::Concat),
            BinaryOperator::Plus => self.arith(ArithOp::Add, left, right),
            BinaryOperator::Minus => self.arith(ArithOp::Sub, left, right),
            BinaryOperator::Multiply => self.arith(ArithOp::Mul, left, right),
            BinaryOperator::Divide => self.arith(ArithOp::Div, left, right),
            BinaryOperator::Modulo => self.refuse("`%`", "engines differ on negative numbers: compute it at import"),
            other => self.refuse(format!("the operator `{other}`"), "write = <> < <= > >= AND OR + - * / or `||`"),
        }
    }

    fn arith(&self, op: ArithOp, left: &sql::Expr, right: &sql::Expr) -> Parsed<ExprKind> {
        Ok(ExprKind::Arith(op, self.boxed(left)?, self.boxed(right)?))
    }

    fn chain(&self, whole: &sql::Expr, wanted: &BinaryOperator) -> Parsed<Vec<Expr>> {
        let mut parts = Vec::new();
        let mut rest = whole;
        while let sql::Expr::BinaryOp { left, op, right } = rest
            && op == wanted
        {
            parts.push(self.part(right)?);
            rest = left;
        }
        parts.push(self.part(rest)?);
        parts.reverse();
        Ok(parts)
    }

    fn unary(&self, op: UnaryOperator, expr: &sql::Expr) -> Parsed<ExprKind> {
        match op {
            UnaryOperator::Not => match self.part(expr)?.kind {
                ExprKind::Exists { select, negated } => Ok(ExprKind::Exists { select, negated: !negated }),
                kind => Ok(ExprKind::Not(Box::new(Expr { pos: start(expr), kind }))),
            },
            UnaryOperator::Minus => Ok(match self.part(expr)?.kind {
                ExprKind::Literal(Literal::Integer(n)) if is_number(expr) => ExprKind::Literal(Literal::Integer(-n)),
                ExprKind::Literal(Literal::Double(n)) if is_number(expr) => ExprKind::Literal(Literal::Double(-n)),
                ExprKind::Decimal(n) if is_number(expr) => ExprKind::Decimal(-n),
                kind => ExprKind::Negate(Box::new(Expr { pos: start(expr), kind })),
            }),
            other => self.refuse(format!("the operator `{other}`"), "write NOT or `-`"),
        }
    }

    fn in_list(&self, expr: &sql::Expr, target: &sql::InTarget, negated: bool) -> Parsed<ExprKind> {
        let sql::InTarget::List(list) = target else {
            return self.refuse("IN with a query", "write [NOT] EXISTS (SELECT 1 FROM ... WHERE inner.column = outer.column)");
        };
        let list = list.iter().map(|e| self.part(e)).collect::<Parsed<Vec<_>>>()?;
        if let Some(other) = list.iter().find(|e| !matches!(e.kind, ExprKind::Literal(_) | ExprKind::Decimal(_) | ExprKind::Null)) {
            return refuse(other.pos, "IN with something other than literals", "write a = b OR a = c");
        }
        Ok(ExprKind::In { expr: self.boxed(expr)?, list, negated })
    }

    fn like(&self, negated: bool, expr: &sql::Expr, pattern: &sql::Expr) -> Parsed<ExprKind> {
        let pattern = self.part(pattern)?;
        let ExprKind::Literal(Literal::Text(text)) = pattern.kind else {
            return refuse(pattern.pos, "LIKE with something other than a literal", "write the pattern as 'text%', or compare with =");
        };
        Ok(ExprKind::Like { expr: self.boxed(expr)?, pattern: text, negated })
    }

    fn case(&self, operand: Option<&sql::Expr>, conditions: &[sql::CaseWhen], otherwise: Option<&sql::Expr>) -> Parsed<ExprKind> {
        let arms = conditions.iter().map(|arm| Ok((self.part(&arm.condition)?, self.part(&arm.result)?))).collect::<Parsed<_>>()?;
        let operand = operand.map(|e| self.boxed(e)).transpose()?;
        Ok(ExprKind::Case { operand, arms, otherwise: otherwise.map(|e| self.boxed(e)).transpose()? })
    }

    fn cast_type(&self, data_type: &sql::DataType) -> Parsed<Type> {
        match data_type {
            sql::DataType::BigInt(None) => Ok(Type::Bigint),
            sql::DataType::Double(sql::ExactNumberInfo::None) => Ok(Type::Double),
            sql::DataType::String(None) => Ok(Type::Text),
            sql::DataType::Boolean => Ok(Type::Boolean),
            sql::DataType::Timestamp(None, sql::TimezoneInfo::None) => Ok(Type::Timestamp),
            other => self.refuse(format!("CAST to `{other}`"), "cast to BIGINT, DOUBLE or STRING"),
        }
    }

    fn function(&self, function: &sql::Function) -> Parsed<ExprKind> {
        let sql::Function { name, uses_odbc_syntax, parameters, args, within_group, filter, null_treatment, over } = function;
        let name = name.to_string().to_ascii_lowercase();
        let plain = !uses_odbc_syntax && within_group.is_empty() && null_treatment.is_none();
        if !plain || !matches!(parameters, sql::FunctionArguments::None) {
            return self.refuse(format!("`{name}` with options"), "write the function with plain arguments");
        }
        let (distinct, args, star) = self.arguments(&name, args)?;
        let filter = filter.as_deref().map(|e| self.boxed(e)).transpose()?;
        if let Some(over) = over {
            if distinct || filter.is_some() {
                return self.refuse("DISTINCT or FILTER in a window", "filter or reduce the rows in a derived table first");
            }
            return self.window(&name, args, star, over);
        }
        if let Some(func) = aggregate(&name) {
            let arg = self.one_argument(&name, args, star, func == AggregateFunc::Count)?;
            if distinct && (func != AggregateFunc::Count || arg.is_none()) {
                return self.refuse("DISTINCT outside COUNT(DISTINCT x)", "take the distinct rows in a derived table first");
            }
            return Ok(ExprKind::Aggregate { func, arg, distinct, filter });
        }
        if star || distinct || filter.is_some() {
            return self.refuse(format!("`{name}` with `*`, DISTINCT or FILTER"), "only aggregates take them");
        }
        self.scalar(&name, args)
    }

    fn scalar(&self, name: &str, mut args: Vec<Expr>) -> Parsed<ExprKind> {
        match (name, args.len()) {
            ("coalesce", 2..) => Ok(ExprKind::Coalesce(args)),
            ("nullif", 2) => match (args.pop(), args.pop()) {
                (Some(second), Some(first)) => Ok(ExprKind::Nullif(Box::new(first), Box::new(second))),
                _ => self.refuse("NULLIF without two arguments", "write NULLIF(a, b)"),
            },
            ("coalesce" | "nullif", _) => self.refuse(format!("`{name}` with {} arguments", args.len()), "write two"),
            ("lower" | "upper" | "initcap", _) => self
                .refuse(format!("`{name}`: engines fold letters differently"), "compare the stored `*_norm` column, folded once at import"),
            ("now" | "current_date" | "current_timestamp" | "today", _) => {
                self.refuse(format!("`{name}`: a check does not see the clock"), "write `:as_of`, or the row's `observed_at`")
            }
            ("row_number" | "rank" | "dense_rank" | "lag" | "lead", _) => self.refuse(
                format!("`{name}` without OVER, or not in the language"),
                "write ROW_NUMBER() OVER (PARTITION BY ... ORDER BY ...)",
            ),
            ("avg", _) => self.refuse("`avg`", "write SUM(CAST(x AS DOUBLE)) / NULLIF(CAST(COUNT(x) AS DOUBLE), 0)"),
            ("greatest" | "least" | "if" | "ifnull" | "nvl" | "isnull", _) => self.refuse(format!("`{name}`"), "write CASE or COALESCE"),
            ("concat" | "concat_ws", _) => {
                self.refuse(format!("`{name}`: engines differ on NULL"), "write `a || b`, with COALESCE(x, '') where x may be NULL")
            }
            _ => self.refuse(
                format!("the function `{name}`"),
                "the language has COALESCE, NULLIF, CAST, COUNT, SUM, MIN, MAX and windows; anything else is computed at import",
            ),
        }
    }

    /// DISTINCT, the arguments, and whether the only one is `*`.
    fn arguments(&self, name: &str, args: &sql::FunctionArguments) -> Parsed<(bool, Vec<Expr>, bool)> {
        let sql::FunctionArguments::List(sql::FunctionArgumentList { duplicate_treatment, args, clauses }) = args else {
            return self.refuse(format!("`{name}` without an argument list"), "write the function with its arguments");
        };
        if !clauses.is_empty() {
            return self.refuse(format!("`{name}` with clauses inside its brackets"), "write plain arguments");
        }
        let distinct = matches!(duplicate_treatment, Some(sql::DuplicateTreatment::Distinct));
        if let [sql::FunctionArg::Unnamed(sql::FunctionArgExpr::Wildcard)] = args.as_slice() {
            return Ok((distinct, Vec::new(), true));
        }
        let args = args.iter().map(|arg| match arg {
            sql::FunctionArg::Unnamed(sql::FunctionArgExpr::Expr(e)) => self.part(e),
            _ => self.refuse(format!("an argument of `{name}` that is no expression"), "write plain arguments"),
        });
        Ok((distinct, args.collect::<Parsed<_>>()?, false))
    }

    fn one_argument(&self, name: &str, mut args: Vec<Expr>, star: bool, star_allowed: bool) -> Parsed<Option<Box<Expr>>> {
        match (args.pop(), args.is_empty()) {
            (None, _) if star && star_allowed => Ok(None),
            (Some(arg), true) => Ok(Some(Box::new(arg))),
            _ => self.refuse(format!("`{name}` without exactly one argument"), format!("write {}(x)", name.to_ascii_uppercase())),
        }
    }

    fn window(&self, name: &str, args: Vec<Expr>, star: bool, over: &sql::WindowType) -> Parsed<ExprKind> {
        let sql::WindowType::WindowSpec(sql::WindowSpec { window_name: None, partition_by, order_by, window_frame }) = over else {
            return self.refuse("a named window", "write the window inside OVER (...)");
        };
        if window_frame.is_some() {
            return self.refuse("a window frame", "windows span whole partitions: leave the frame out");
        }
        let func = match name {
            "row_number" => WindowFunc::RowNumber,
            "count" => WindowFunc::Count,
            "min" => WindowFunc::Min,
            "max" => WindowFunc::Max,
            _ => return self.refuse(format!("`{name}` as a window"), "write ROW_NUMBER, COUNT, MIN or MAX; or aggregate and join"),
        };
        let arg = match func {
            WindowFunc::RowNumber if args.is_empty() && !star => None,
            WindowFunc::RowNumber => return self.refuse("ROW_NUMBER with an argument", "write ROW_NUMBER()"),
            _ => self.one_argument(name, args, star, func == WindowFunc::Count)?,
        };
        let order: Vec<OrderItem> = order_by.iter().map(|item| self.reader.order_item(item)).collect::<Parsed<_>>()?;
        match (func == WindowFunc::RowNumber, order.is_empty()) {
            (true, true) => return self.refuse("ROW_NUMBER without ORDER BY", "order it by columns that end in the key of the rows"),
            (false, false) => {
                return self.refuse("ORDER BY in a window of COUNT, MIN or MAX", "leave ORDER BY out: the window is the whole partition");
            }
            _ => {}
        }
        let help = "compute it in a derived table, and name its column here";
        let partition = partition_by.iter().map(|e| self.reader.column(e, "PARTITION BY on something other than a column", help));
        Ok(ExprKind::Window { func, arg, partition: partition.collect::<Parsed<Vec<ColumnName>>>()?, order })
    }
}

fn compare_op(op: &BinaryOperator) -> Option<CompareOp> {
    Some(match op {
        BinaryOperator::Eq => CompareOp::Eq,
        BinaryOperator::NotEq => CompareOp::Ne,
        BinaryOperator::Lt => CompareOp::Lt,
        BinaryOperator::LtEq => CompareOp::Le,
        BinaryOperator::Gt => CompareOp::Gt,
        BinaryOperator::GtEq => CompareOp::Ge,
        _ => return None,
    })
}

fn aggregate(name: &str) -> Option<AggregateFunc> {
    Some(match name {
        "count" => AggregateFunc::Count,
        "sum" => AggregateFunc::Sum,
        "min" => AggregateFunc::Min,
        "max" => AggregateFunc::Max,
        _ => return None,
    })
}

/// A number written out, not a parameter: `-5` is one literal.
fn is_number(expr: &sql::Expr) -> bool {
    matches!(expr, sql::Expr::Value(value) if matches!(value.value, sql::Value::Number(..)))
}
