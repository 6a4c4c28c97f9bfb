//! The language by example: rows that DuckDB and Spark give, and what is refused.

mod check_files;
mod grain;
mod refusals;
mod rows;

use std::collections::BTreeMap;

use polars::prelude::{AnyValue, Column, DataFrame, DataType, IntoColumn, IntoLazy, NamedFrom, Series};

use super::types::{ACCOUNT_KEY, Catalog, Literal, Type, View};
use super::{Diagnostic, Mode, Query, SqlError, compile_as, kernels, literal};

/// The views of the tests.
pub(super) fn catalog() -> Catalog {
    use Type::{Bigint, Boolean, Double, Text, Timestamp, U32, U64};
    let account = [("system_ix", U32, false), ("account_ix", U32, false)];
    let with = |more: &[(&str, Type, bool)]| View::new(&[&account, more].concat());
    let accounts = with(&[
        ("login", Text, true),
        ("email", Text, true),
        ("status", Text, true),
        ("last_used_at", Timestamp, true),
        ("created_at", Timestamp, true),
        ("score", Double, true),
        ("line", U64, true),
    ]);
    let access = with(&[
        ("grant_ix", U32, false),
        ("entitlement", Text, true),
        ("privileged", Boolean, true),
        ("granted_at", Timestamp, true),
        ("uses", Bigint, true),
    ]);
    let identities = View::new(&[("identity_ix", U32, false), ("email", Text, true), ("status", Text, true), ("ends_at", Timestamp, true)]);
    let views = [
        ("accounts", accounts.keyed(&ACCOUNT_KEY).partitioned()),
        ("access", access.keyed(&["system_ix", "account_ix", "grant_ix"]).partitioned()),
        ("identities", identities.keyed(&["identity_ix"])),
        ("empty", View::new(&[("x", Bigint, true), ("s", Text, true)])),
    ];
    Catalog { views: views.into_iter().map(|(name, view)| (name.to_owned(), view)).collect() }
}

fn times(values: &[Option<&str>]) -> Series {
    let micros: Vec<Option<i64>> = values.iter().map(|v| v.map(|v| literal::parse_timestamp(v).unwrap())).collect();
    Series::new("".into(), micros).cast(&kernels::instant()).unwrap()
}

fn frame(columns: Vec<(&str, Series)>) -> DataFrame {
    let height = columns[0].1.len();
    DataFrame::new(height, columns.into_iter().map(|(name, s)| -> Column { s.with_name(name.into()).into_column() }).collect()).unwrap()
}

fn series<T>(values: T) -> Series
where
    Series: NamedFrom<T, <T as Kind>::Of>,
    T: Kind,
{
    Series::new("".into(), values)
}

/// Names the type parameter that polars wants.
trait Kind {
    type Of: ?Sized;
}
impl Kind for Vec<u32> {
    type Of = [u32];
}
impl<'a> Kind for Vec<Option<&'a str>> {
    type Of = [Option<&'a str>];
}
impl Kind for Vec<Option<bool>> {
    type Of = [Option<bool>];
}
impl Kind for Vec<Option<i64>> {
    type Of = [Option<i64>];
}
impl Kind for Vec<Option<u64>> {
    type Of = [Option<u64>];
}
impl Kind for Vec<Option<f64>> {
    type Of = [Option<f64>];
}

fn tables() -> BTreeMap<&'static str, DataFrame> {
    let accounts = frame(vec![
        ("system_ix", series(vec![0_u32, 0, 0, 0, 1])),
        ("account_ix", series(vec![0_u32, 1, 2, 3, 0])),
        ("login", series(vec![Some("alice"), Some("bob"), Some("a_b"), None, Some("İΣ\\%")])),
        ("email", series(vec![Some("a@x"), Some("b@x"), None, Some("b@x"), Some("c@x")])),
        ("status", series(vec![Some("active"), Some("disabled"), Some("active"), None, Some("active")])),
        (
            "last_used_at",
            times(&[
                Some("2026-10-01 12:30:00"),
                Some("2026-08-03 00:00:00"),
                None,
                Some("2026-08-02 23:59:59.999999"),
                Some("2020-01-01 00:00:00"),
            ]),
        ),
        ("created_at", times(&[Some("2020-01-01 00:00:00"), None, Some("2026-10-31 00:00:00"), Some("2026-08-01 00:00:00"), None])),
        ("score", series(vec![Some(0.5), Some(-2.0), None, Some(0.0), Some(4.0)])),
        ("line", series(vec![Some(1_u64), Some(10_000_000_000), None, Some(3), Some(4)])),
    ]);
    let access = frame(vec![
        ("system_ix", series(vec![0_u32, 0, 0, 0, 1])),
        ("account_ix", series(vec![0_u32, 0, 1, 3, 0])),
        ("grant_ix", series(vec![0_u32, 1, 0, 0, 0])),
        ("entitlement", series(vec![Some("admin"), Some("read"), Some("admin"), None, Some("read")])),
        ("privileged", series(vec![Some(true), Some(false), None, Some(true), None])),
        (
            "granted_at",
            times(&[
                Some("2026-01-01 00:00:00"),
                Some("2026-09-01 00:00:00"),
                None,
                Some("2026-08-02 00:00:00"),
                Some("2019-01-01 00:00:00"),
            ]),
        ),
        ("uses", series(vec![Some(1_i64), Some(i64::MAX), Some(3), None, Some(-4)])),
    ]);
    let identities = frame(vec![
        ("identity_ix", series(vec![0_u32, 1, 2])),
        ("email", series(vec![Some("a@x"), Some("b@x"), None])),
        ("status", series(vec![Some("active"), Some("terminated"), Some("active")])),
        ("ends_at", times(&[None, Some("2026-06-30 00:00:00"), None])),
    ]);
    let empty = frame(vec![("x", series(Vec::<Option<i64>>::new())), ("s", series(Vec::<Option<&str>>::new()))]);
    [("accounts", accounts), ("access", access), ("identities", identities), ("empty", empty)].into()
}

pub(super) fn query(sql: &str) -> Query {
    compile_as(Mode::Check, sql, &BTreeMap::new(), &catalog()).unwrap_or_else(|d| panic!("{d}; {}\n{sql}", d.help))
}

fn run(query: &Query) -> Result<DataFrame, SqlError> {
    let tables = tables();
    query.run(&|name| tables.get(name).map(|t| t.clone().lazy()))
}

fn text(value: &AnyValue) -> String {
    match value {
        AnyValue::Null => "∅".to_owned(),
        AnyValue::String(s) => (*s).to_owned(),
        AnyValue::StringOwned(s) => s.to_string(),
        AnyValue::Datetime(us, ..) | AnyValue::DatetimeOwned(us, ..) => literal::timestamp_text(*us).unwrap(),
        other => other.to_string(),
    }
}

/// The rows, each joined by `|`, sorted.
pub(super) fn rows(sql: &str) -> Vec<String> {
    let frame = run(&query(sql)).unwrap_or_else(|e| panic!("{e}\n{sql}"));
    let row = |i| frame.columns().iter().map(|c| text(&c.get(i).unwrap())).collect::<Vec<_>>().join("|");
    let mut rows: Vec<String> = (0..frame.height()).map(row).collect();
    rows.sort();
    rows
}

pub(super) fn refused(sql: &str) -> Diagnostic {
    match compile_as(Mode::Check, sql, &BTreeMap::new(), &catalog()) {
        Ok(_) => panic!("accepted: {sql}"),
        Err(diagnostic) => diagnostic,
    }
}

/// The types that a result keeps.
#[test]
fn outputs_have_the_types_that_the_query_says() {
    let query = query(
        "SELECT a.account_ix, a.line, a.score, a.login, a.last_used_at, a.score > 0 AS positive, COUNT(*) OVER (PARTITION BY a.status) AS n FROM accounts a",
    );
    let expected = [
        (Type::U32, DataType::UInt32),
        (Type::U64, DataType::UInt64),
        (Type::Double, DataType::Float64),
        (Type::Text, DataType::String),
        (Type::Timestamp, kernels::instant()),
        (Type::Boolean, DataType::Boolean),
        (Type::Bigint, DataType::Int64),
    ];
    let frame = run(&query).unwrap();
    for ((output, column), (ty, dtype)) in query.outputs().iter().zip(frame.columns()).zip(expected) {
        assert_eq!((output.ty, column.dtype()), (ty, &dtype), "{}", output.name);
        assert_eq!(output.name, column.name().as_str());
    }
    assert!(!query.outputs()[0].nullable);
    let reads: Vec<_> = query.reads()["accounts"].iter().map(String::as_str).collect();
    assert_eq!(reads, ["account_ix", "last_used_at", "line", "login", "score", "status"]);
}

#[test]
fn parameters_are_rendered_as_typed_literals_and_give_the_same_rows() {
    let params: BTreeMap<String, Literal> = [
        ("as_of", Literal::Timestamp(literal::parse_timestamp("2026-11-01 00:00:00").unwrap())),
        ("stale_after", Literal::Days(90)),
        ("least", Literal::Double(-2.5)),
        ("status", Literal::Text("it's".into())),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let sql = "SELECT a.account_ix -- :as_of is not replaced here\nFROM accounts a\nWHERE a.last_used_at < :as_of - :stale_after AND a.score>:least AND a.status <> :status AND a.status <> ':status'";
    let query = compile_as(Mode::Check, sql, &params, &catalog()).unwrap();
    assert_eq!(
        query.text(),
        "SELECT a.account_ix -- :as_of is not replaced here\nFROM accounts a\nWHERE a.last_used_at < TIMESTAMP '2026-11-01 00:00:00' - INTERVAL '90 days' AND a.score>(-2.5e0) AND a.status <> 'it''s' AND a.status <> ':status'"
    );
    assert_eq!(rows(query.text()), ["0"]);
    assert_eq!(run(&query).unwrap().height(), 1);
}

#[test]
fn a_person_may_ask_for_everything_in_order() {
    let ask = |sql: &str| compile_as(Mode::Ask, sql, &BTreeMap::new(), &catalog());
    let frame = run(&ask("SELECT * FROM identities ORDER BY email DESC NULLS LAST LIMIT 2").unwrap()).unwrap();
    let emails: Vec<String> = (0..frame.height()).map(|i| text(&frame.column("email").unwrap().get(i).unwrap())).collect();
    assert_eq!((frame.width(), emails), (4, vec!["b@x".to_owned(), "a@x".to_owned()]));
    assert_eq!(ask("SELECT i.email FROM identities i ORDER BY status").unwrap_err().message, "`status` is no output of this query");
}

#[test]
fn a_view_without_a_table_and_a_number_beyond_bigint_are_errors() {
    let query = query("SELECT a.line FROM accounts a");
    assert_eq!(query.run(&|_| None).unwrap_err().to_string(), "the view `accounts` has no table");
    let big = frame(vec![("line", series(vec![Some(u64::MAX)]))]);
    let error = query.run(&|_| Some(big.clone().lazy())).unwrap_err();
    assert!(matches!(error, SqlError::Value(_)), "{error}");
}
