//! Each operator with its NULLs, its values asserted; columns are asked for only when something needs them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array};

use super::{Held, by_polars, coded, compiled, fused, lines};
use crate::sql::local::Fused;
use crate::sql::local::eval::Memo;
use crate::sql::types::ACCOUNT_KEY;
use crate::sql::{Catalog, Query, SqlError, Type, View};

fn catalog() -> Catalog {
    use Type::{Bigint, Boolean, Double, Text, Timestamp, U32};
    let account = [("system_ix", U32, false), ("account_ix", U32, true)];
    let with = |more: &[(&str, Type, bool)]| View::new(&[&account, more].concat());
    let views = [
        (
            "accounts",
            with(&[
                ("login", Text, true),
                ("kind", Text, true),
                ("at", Timestamp, true),
                ("flag", Boolean, true),
                ("n", Bigint, true),
                ("w", Double, true),
            ])
            .keyed(&ACCOUNT_KEY)
            .partitioned(),
        ),
        (
            "access",
            with(&[("edge", Text, false), ("ix", U32, false), ("level", Text, true), ("uses", Bigint, true)])
                .keyed(&["system_ix", "account_ix", "edge", "ix"])
                .partitioned(),
        ),
        ("people", View::new(&[("person", U32, false), ("name", Text, true), ("tag", Text, true)]).keyed(&["person"])),
        ("log", View::new(&[("edge", Text, true), ("ix", U32, true), ("note", Text, true)])),
    ];
    Catalog { views: views.into_iter().map(|(name, view)| (name.to_owned(), view)).collect() }
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn numbers(values: &[u32]) -> ArrayRef {
    Arc::new(UInt32Array::from(values.to_vec()))
}

/// Three accounts, of which the last has nothing, and a row of nobody.
fn part() -> BTreeMap<String, RecordBatch> {
    let accounts = batch(vec![
        ("system_ix", numbers(&[7, 7, 7])),
        ("account_ix", numbers(&[10, 11, 12])),
        ("login", coded(&texts(&[Some("ann"), Some("bob"), None]), 32)),
        ("kind", coded(&texts(&[Some("human"), None, Some("role")]), 8)),
        ("at", Arc::new(TimestampMicrosecondArray::from(vec![Some(0), None, Some(3_600_000_000)]))),
        ("flag", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        ("n", Arc::new(Int64Array::from(vec![Some(5), None, Some(-5)]))),
        ("w", Arc::new(Float64Array::from(vec![Some(0.5), Some(2.0), None]))),
    ]);
    let access = batch(vec![
        ("system_ix", numbers(&[7, 7, 7, 7])),
        ("account_ix", Arc::new(UInt32Array::from(vec![Some(10), Some(10), Some(11), None]))),
        ("edge", coded(&texts(&[Some("grant"), Some("member"), Some("grant"), Some("grant")]), 8)),
        ("ix", numbers(&[0, 0, 1, 2])),
        ("level", coded(&texts(&[Some("admin"), None, Some("read"), Some("admin")]), 16)),
        ("uses", Arc::new(Int64Array::from(vec![Some(1), Some(2), None, Some(4)]))),
    ]);
    [("accounts", accounts), ("access", access)].map(|(name, batch)| (name.to_owned(), batch)).into()
}

fn whole() -> BTreeMap<String, RecordBatch> {
    let people = batch(vec![
        ("person", numbers(&[0, 1, 2])),
        ("name", texts(&[Some("ann"), Some("bob"), Some("ann")])),
        ("tag", texts(&[Some("x"), None, Some("y")])),
    ]);
    let log = batch(vec![
        ("edge", texts(&[Some("grant"), Some("grant"), None, Some("member")])),
        ("ix", Arc::new(UInt32Array::from(vec![Some(0), Some(1), Some(0), None]))),
        ("note", texts(&[Some("first"), Some("second"), Some("third"), Some("fourth")])),
    ]);
    [("people", people), ("log", log)].map(|(name, batch)| (name.to_owned(), batch)).into()
}

fn run(query: Query) -> Result<Vec<String>, SqlError> {
    let (part, whole) = (part(), whole());
    let polars = by_polars(&query, &part, &whole);
    let whole = Held::new(whole);
    let fused = fused(&[query], &BTreeSet::from(["accounts", "access"]));
    let rows = rows(&fused, &Held::new(part.clone()), &whole)?;
    assert_eq!(rows, lines(&polars?));
    assert_eq!(self::rows(&fused, &Held::new(part).with_constants(true), &whole)?, rows);
    Ok(rows)
}

/// The rows of the first query, and once more those same rows by themselves.
fn rows(fused: &Fused, part: &Held, whole: &Held) -> Result<Vec<String>, SqlError> {
    assert_eq!(fused.refused(0), None);
    let over = fused.over(whole);
    let rows = over.rows(part, 0)?;
    // The same rows by themselves, computed from nothing but them.
    let ready = fused.queries[0].as_ref().unwrap();
    let (memo, again) = (Memo::new(&fused.graph), Memo::new(&fused.graph));
    let eval = over.eval(part, &memo);
    let count = eval.len(ready.space)?;
    let kept = |row: &u32| ready.condition.is_none_or(|c| eval.holds(c, ready.space).unwrap().value(*row as usize));
    let late = over.eval(part, &again).late(ready, (0..u32::try_from(count).unwrap()).filter(kept).collect())?;
    assert_eq!(lines(&rows), lines(&late));
    Ok(lines(&rows))
}

macro_rules! answers {
    ($($name:ident: $sql:expr => $rows:expr;)*) => {$(
        #[test]
        fn $name() {
            let expected: &[&str] = &$rows;
            assert_eq!(run(compiled($sql, &catalog())).unwrap(), expected);
        }
    )*};
}

answers! {
    filters_keep_what_is_true: "SELECT a.login FROM accounts a WHERE a.flag" => ["ann"];
    not_of_null_is_null: "SELECT a.login FROM accounts a WHERE NOT a.flag" => ["bob"];
    is_true_is_false_and_is_null:
        "SELECT a.account_ix, a.flag IS TRUE AS t, a.flag IS NOT TRUE AS nt, a.flag IS FALSE AS f, a.flag IS NULL AS n FROM accounts a"
        => ["10|true|false|false|false", "11|false|true|true|false", "12|false|true|false|true"];
    comparisons_of_text: "SELECT a.account_ix, a.login = 'ann' AS e, a.login <> 'ann' AS n, a.login < 'b' AS l, 'b' <= a.login AS g FROM accounts a"
        => ["10|true|false|true|false", "11|false|true|false|true", "12|∅|∅|∅|∅"];
    comparisons_of_two_columns: "SELECT a.account_ix, a.login = a.kind AS e, a.n < CAST(a.account_ix AS BIGINT) AS l FROM accounts a"
        => ["10|false|true", "11|∅|∅", "12|∅|true"];
    ordinals_beyond_their_type: "SELECT a.account_ix AS x FROM accounts a WHERE a.account_ix > -1 AND a.account_ix < 5000000000 AND a.account_ix <> 11" => ["10", "12"];
    in_lists_and_null: "SELECT a.account_ix, a.kind IN ('human', 'x') AS i, a.kind NOT IN ('human', NULL) AS n, a.n IN (5, 6) AS k FROM accounts a"
        => ["10|true|false|true", "11|∅|∅|∅", "12|false|∅|false"];
    like_over_entries: "SELECT a.account_ix, a.login LIKE '%n%' AS l, a.login NOT LIKE 'b_b' AS n FROM accounts a"
        => ["10|true|true", "11|false|false", "12|∅|∅"];
    case_takes_the_first_true_arm:
        "SELECT a.account_ix, CASE WHEN a.flag THEN 'yes' WHEN a.n < 0 THEN 'below' WHEN a.w > 1.0 THEN a.login END AS c FROM accounts a"
        => ["10|yes", "11|bob", "12|below"];
    case_of_numbers_and_truth:
        "SELECT a.account_ix, CASE WHEN a.flag THEN a.n ELSE 0 END AS n, CASE WHEN a.n > 0 THEN a.flag WHEN a.n < 0 THEN a.flag END AS b, CASE WHEN a.flag THEN a.at END AS t FROM accounts a"
        => ["10|5|true|1970-01-01T00:00:00", "11|0|∅|∅", "12|0|∅|∅"];
    coalesce_takes_the_first_value:
        "SELECT a.account_ix, COALESCE(a.login, a.kind, 'none') AS l, COALESCE(a.n, 0) AS n, COALESCE(a.flag, a.n < 0) AS b, COALESCE(a.w, a.w) AS w FROM accounts a"
        => ["10|ann|5|true|0.5", "11|bob|0|false|2.0", "12|role|-5|true|∅"];
    nullif_takes_equal_values_away: "SELECT a.account_ix, NULLIF(a.login, 'ann') AS l, NULLIF(a.n, -5) AS n FROM accounts a" => ["10|∅|5", "11|bob|∅", "12|∅|∅"];
    arithmetic_passes_null_on:
        "SELECT a.account_ix, a.n + 1 AS p, - a.n AS m, a.n * a.n AS q, a.w / NULLIF(a.w - 2.0, 0.0) AS d FROM accounts a"
        => ["10|6|-5|25|-0.3333333333333333", "11|∅|∅|∅|∅", "12|-4|5|25|∅"];
    instants_and_intervals:
        "SELECT a.account_ix, a.at + INTERVAL '1 day' AS d, TIMESTAMP '1970-01-02 00:00:00' - a.at > INTERVAL '23 hours' AS i FROM accounts a"
        => ["10|1970-01-02T00:00:00|true", "11|∅|∅", "12|1970-01-02T01:00:00|false"];
    texts_of_values: "SELECT CAST(a.account_ix AS STRING) || '-' || CAST(a.flag AS STRING) AS t, CAST(a.flag AS BIGINT) AS b, CAST(a.n AS DOUBLE) AS d FROM accounts a"
        => ["10-true|1|5.0", "11-false|0|∅", "∅|∅|-5.0"];
    literals_stand_in_every_row: "SELECT 1 AS one, 'x' AS s, CAST(NULL AS DOUBLE) AS d, 1 = 2 AS f FROM accounts a WHERE TRUE" => ["1|x|∅|false", "1|x|∅|false", "1|x|∅|false"];
    nothing_where_nothing_is_true: "SELECT a.login FROM accounts a WHERE a.flag AND FALSE" => [];

    joins_by_account: "SELECT a.login, x.level FROM accounts a JOIN access x ON x.system_ix = a.system_ix AND x.account_ix = a.account_ix"
        => ["ann|admin", "ann|∅", "bob|read"];
    a_condition_on_one_side: "SELECT a.login, x.ix FROM access x JOIN accounts a ON x.system_ix = a.system_ix AND x.account_ix = a.account_ix WHERE a.flag AND x.level IS NULL"
        => ["ann|0"];
    left_joins_keep_rows: "SELECT a.account_ix, x.level, x.level IS NULL AS n, x.level = 'admin' AS e, COALESCE(x.uses, 0) AS u FROM accounts a LEFT JOIN access x ON x.system_ix = a.system_ix AND x.account_ix = a.account_ix"
        => ["10|admin|false|true|1", "10|∅|true|∅|2", "11|read|false|false|0", "12|∅|true|∅|0"];
    left_joins_with_a_condition_on_the_right: "SELECT a.account_ix, x.ix, x.ix IS NULL OR x.level = 'admin' AS k, CASE WHEN x.uses IS NULL THEN TRUE ELSE x.uses > 1 END AS c FROM accounts a LEFT JOIN access x ON x.system_ix = a.system_ix AND x.account_ix = a.account_ix AND x.edge = 'grant'"
        => ["10|0|true|false", "11|1|false|true", "12|∅|true|true"];
    left_joins_with_a_condition_on_pairs: "SELECT a.account_ix, x.ix, x.uses FROM accounts a LEFT JOIN access x ON x.system_ix = a.system_ix AND x.account_ix = a.account_ix AND x.uses < a.n"
        => ["10|0|1", "10|0|2", "11|∅|∅", "12|∅|∅"];
    left_joins_with_a_condition_on_the_left: "SELECT a.account_ix, x.ix FROM accounts a LEFT JOIN access x ON x.system_ix = a.system_ix AND x.account_ix = a.account_ix AND a.flag"
        => ["10|0", "10|0", "11|∅", "12|∅"];
    left_joins_of_single_rows_with_a_condition_on_pairs: "SELECT x.edge, x.ix, l.note FROM access x LEFT JOIN log l ON l.edge = x.edge AND l.ix = x.ix AND l.note <> x.level AND x.uses > 0"
        => ["grant|0|first", "grant|1|∅", "grant|2|∅", "member|0|∅"];
    what_a_left_join_lacks_is_no_constant: "SELECT a.account_ix, d.one, d.one = 1 AS e FROM accounts a LEFT JOIN (SELECT x.system_ix, x.account_ix, 1 AS one FROM access x WHERE x.level = 'read') d ON d.system_ix = a.system_ix AND d.account_ix = a.account_ix"
        => ["10|∅|∅", "11|1|true", "12|∅|∅"];
    joins_to_whole_views_by_text: "SELECT a.login, p.person, p.tag FROM accounts a JOIN people p ON p.name = a.login" => ["ann|0|x", "ann|2|y", "bob|1|∅"];
    whole_views_may_stand_on_the_left: "SELECT p.person, a.account_ix FROM people p JOIN accounts a ON p.name = a.login WHERE p.tag IS NULL OR a.flag" => ["0|10", "1|11", "2|10"];
    joins_by_two_keys_never_by_null: "SELECT x.edge, x.ix, l.note FROM access x LEFT JOIN log l ON l.edge = x.edge AND l.ix = x.ix"
        => ["grant|0|first", "grant|1|second", "grant|2|∅", "member|0|∅"];
    exists_and_not_exists: "SELECT a.account_ix FROM accounts a WHERE EXISTS (SELECT 1 FROM access x WHERE x.system_ix = a.system_ix AND x.account_ix = a.account_ix AND x.level IS NOT NULL) AND NOT EXISTS (SELECT 1 FROM people p WHERE p.name = a.login AND p.tag = 'y')"
        => ["11"];
    not_exists_keeps_null: "SELECT a.account_ix FROM accounts a WHERE NOT EXISTS (SELECT 1 FROM people p WHERE p.name = a.login)" => ["12"];

    groups_by_account: "SELECT x.account_ix, COUNT(*) AS n, COUNT(x.uses) AS c, COUNT(*) FILTER (WHERE x.level = 'admin') AS f, SUM(x.uses) AS s, MIN(x.level) AS lo, MAX(x.uses) AS hi, COUNT(DISTINCT x.edge) AS d FROM access x GROUP BY x.system_ix, x.account_ix"
        => ["10|2|2|1|3|admin|2|2", "11|1|0|0|∅|read|∅|1", "∅|1|1|1|4|admin|4|1"];
    measures_of_literals_and_of_nothing: "SELECT x.account_ix, SUM(1) AS s, MAX(5) AS m, COUNT(1) AS c, MIN(x.uses) FILTER (WHERE x.level = 'none') AS n FROM access x GROUP BY x.account_ix, x.system_ix"
        => ["10|2|5|2|∅", "11|1|5|1|∅", "∅|1|5|1|∅"];
    groups_of_filtered_rows_join_back: "SELECT a.login, h.n FROM accounts a JOIN (SELECT x.system_ix, x.account_ix, COUNT(*) AS n FROM access x WHERE x.level IS NOT NULL GROUP BY x.system_ix, x.account_ix) h ON h.system_ix = a.system_ix AND h.account_ix = a.account_ix"
        => ["ann|1", "bob|1"];
    having_over_groups: "SELECT x.account_ix FROM access x GROUP BY x.system_ix, x.account_ix HAVING COUNT(*) > 1 AND MIN(x.uses) = 1" => ["10"];
    aggregates_of_whole_views: "SELECT a.login, d.n FROM accounts a JOIN (SELECT p.name, COUNT(*) AS n FROM people p GROUP BY p.name) d ON d.name = a.login" => ["ann|2", "bob|1"];
    an_aggregate_of_nothing_is_a_row: "SELECT a.account_ix, d.n, d.m FROM accounts a JOIN (SELECT 'human' AS k, COUNT(*) AS n, MAX(p.person) AS m FROM people p WHERE p.tag = 'none') d ON d.k = a.kind" => ["10|0|∅"];
    distinct_rows: "SELECT DISTINCT x.system_ix, x.account_ix, x.edge = 'none' AS e FROM access x" => ["7|10|false", "7|11|false", "7|∅|false"];
    windows_count_and_number: "SELECT x.account_ix, x.edge, COUNT(x.level) OVER (PARTITION BY x.system_ix, x.account_ix) AS c, MAX(x.uses) OVER (PARTITION BY x.account_ix, x.system_ix) AS m, ROW_NUMBER() OVER (PARTITION BY x.system_ix, x.account_ix ORDER BY x.uses DESC NULLS FIRST, x.edge, x.ix) AS n FROM access x"
        => ["10|grant|1|2|2", "10|member|1|2|1", "11|grant|1|∅|1", "∅|grant|1|4|1"];
    windows_see_the_rows_that_are_left: "SELECT d.edge FROM (SELECT x.edge, ROW_NUMBER() OVER (PARTITION BY x.system_ix, x.account_ix ORDER BY x.edge DESC, x.ix) AS n FROM access x WHERE x.edge <> 'member') d WHERE d.n = 1" => ["grant", "grant", "grant"];
    unions_put_rows_below: "SELECT 'a' AS v, a.login AS t, a.n AS n FROM accounts a WHERE a.flag UNION ALL SELECT 'x' AS v, x.level AS t, x.uses AS n FROM access x WHERE x.edge = 'grant'"
        => ["a|ann|5", "x|admin|1", "x|admin|4", "x|read|∅"];
    conditions_over_unions: "SELECT d.t, d.b FROM (SELECT a.login AS t, a.flag AS b, a.account_ix AS i FROM accounts a UNION ALL SELECT x.level AS t, x.uses > 1 AS b, x.account_ix AS i FROM access x) d WHERE d.t IS NULL OR d.b"
        => ["admin|true", "ann|true", "∅|true", "∅|∅"];
    a_with_read_twice: "WITH w AS (SELECT x.system_ix, x.account_ix, x.edge FROM access x WHERE x.uses > 0) SELECT p.account_ix, p.edge, q.edge AS other FROM w p JOIN w q ON p.system_ix = q.system_ix AND p.account_ix = q.account_ix"
        => ["10|grant|grant", "10|grant|member", "10|member|grant", "10|member|member"];
}

#[test]
fn few_rows_find_theirs_among_many_without_an_index_of_all() {
    let sql = "SELECT a.account_ix, x.ix, x.level, x.uses FROM accounts a JOIN log l ON l.note = a.login \
        LEFT JOIN access x ON x.system_ix = a.system_ix AND x.account_ix = a.account_ix AND x.edge = l.edge AND x.ix = l.ix AND x.uses > 0";
    let number = |of: fn(u32) -> Option<u32>| -> ArrayRef { Arc::new((0..400).map(of).collect::<UInt32Array>()) };
    let edges: Vec<Option<&str>> = (0..400).map(|i| Some(if i % 4 < 2 { "grant" } else { "member" })).collect();
    let access = batch(vec![
        ("system_ix", number(|_| Some(7))),
        ("account_ix", number(|i| (i < 390).then_some(i / 10))),
        ("edge", coded(&texts(&edges), 8)),
        ("ix", number(|i| Some(i % 2))),
        ("level", coded(&texts(&edges), 32)),
        ("uses", Arc::new((0..400).map(|i| (i % 5 > 0).then_some(i)).collect::<Int64Array>())),
    ]);
    let accounts = batch(vec![
        ("system_ix", number(|_| Some(7)).slice(0, 40)),
        ("account_ix", number(Some).slice(0, 40)),
        (
            "login",
            texts(&(0..40).map(|i| [Some("first"), Some("fourth"), Some("second")].get(i % 13).copied().flatten()).collect::<Vec<_>>()),
        ),
    ]);
    let part: BTreeMap<String, RecordBatch> = [("accounts", accounts), ("access", access)].map(|(n, b)| (n.to_owned(), b)).into();
    let (query, whole) = (compiled(sql, &catalog()), whole());
    let polars = by_polars(&query, &part, &whole).unwrap();
    let fused = fused(&[query], &BTreeSet::from(["accounts", "access"]));
    let found = rows(&fused, &Held::new(part), &Held::new(whole)).unwrap();
    assert_eq!(found, lines(&polars));
    // Of the third account the grant with number 1 stands in two rows that are used.
    assert_eq!(found.iter().filter(|line| line.starts_with("2|")).collect::<Vec<_>>(), ["2|1|grant|21", "2|1|grant|29"]);
    assert_eq!(found.iter().filter(|line| line.ends_with("∅|∅|∅")).count(), 4);
}

#[test]
fn what_fails_is_for_polars() {
    for sql in [
        "SELECT a.n * 9223372036854775807 AS v FROM accounts a",
        "SELECT a.at + INTERVAL '999999 days' + INTERVAL '999999 days' + INTERVAL '999999 days' AS v FROM accounts a",
        "SELECT x.account_ix, SUM(x.uses * 4611686018427387904 - 1) AS s FROM access x GROUP BY x.system_ix, x.account_ix",
    ] {
        let result = run(compiled(sql, &catalog()));
        assert!(matches!(result, Err(SqlError::Value(_))), "{sql}: {result:?}");
    }
}

#[test]
fn what_is_refused_has_a_reason() {
    let queries = [
        "SELECT x.account_ix, SUM(CAST(x.uses AS DOUBLE)) AS s FROM access x GROUP BY x.system_ix, x.account_ix",
        "SELECT COUNT(*) AS n FROM access x",
        "SELECT a.flag AS outcome FROM accounts a",
        "SELECT a.login FROM accounts a",
    ]
    .map(|sql| compiled(sql, &catalog()));
    let fused = fused(&queries, &BTreeSet::from(["accounts", "access"]));
    let reasons: Vec<Option<&str>> = (0..5).map(|i| fused.refused(i).map(|r| r.0)).collect();
    let sum = "a sum of doubles, which depends on the order of the rows";
    assert_eq!(reasons, [Some(sum), Some("rows of several parts together"), Some("an outcome that is no text"), None, None]);
    let (part, whole) = (Held::new(part()), Held::new(whole()));
    let over = fused.over(&whole);
    assert!(matches!(over.rows(&part, 0), Err(SqlError::Engine(_))) && matches!(over.rows(&part, 9), Err(SqlError::Engine(_))));
    let said = over.run(&part, &|_| true);
    assert_eq!(said.iter().map(Option::is_some).collect::<Vec<_>>(), [false, false, false, true]);
}

fn outcome(condition: &str) -> String {
    format!(
        "SELECT a.system_ix, CASE WHEN {condition} THEN 'finding' WHEN a.n < 0 THEN 'ok' END AS outcome, a.login, a.w, p.tag FROM accounts a LEFT JOIN people p ON p.name = a.login AND p.tag <> 'y' WHERE a.kind IS NULL OR a.kind <> 'none'"
    )
}

#[test]
fn columns_are_asked_for_when_something_needs_them() {
    let queries = [compiled(&outcome("a.flag AND a.n > 100"), &catalog()), compiled(&outcome("a.flag"), &catalog())];
    let fused = fused(&queries, &BTreeSet::from(["accounts", "access"]));
    let (part, whole) = (Held::new(part()), Held::new(whole()));
    let over = fused.over(&whole);
    let key = |system: u32, outcome: &str| (Some(system), outcome.to_owned());
    // Nothing is found: what would be shown is not read.
    let said = over.run(&part, &|i| i == 0);
    assert!(said[1].is_none());
    let tally = said[0].clone().unwrap().unwrap();
    assert_eq!((tally.counts, tally.hits.num_rows()), ([(key(7, "ok"), 1), (key(7, "unknown"), 2)].into(), 0));
    assert_eq!(part.asked(), ["accounts.flag", "accounts.kind", "accounts.login", "accounts.n", "accounts.system_ix"]);
    assert_eq!(whole.asked(), ["people.name", "people.tag"]);
    let said = over.run(&part, &|_| true);
    let tally = said[1].clone().unwrap().unwrap();
    assert_eq!(tally.counts, [(key(7, "finding"), 1), (key(7, "ok"), 1), (key(7, "unknown"), 1)].into());
    assert_eq!(lines(&tally.hits), ["7|finding|ann|0.5|x"]);
    assert_eq!(part.asked(), ["accounts.flag", "accounts.kind", "accounts.login", "accounts.n", "accounts.system_ix", "accounts.w"]);
    assert_eq!(whole.asked(), Vec::<String>::new());
}

#[test]
fn one_query_that_fails_says_nothing_about_others() {
    let queries = [compiled(&outcome("a.n * 9223372036854775807 > 0"), &catalog()), compiled(&outcome("a.flag"), &catalog())];
    let fused = fused(&queries, &BTreeSet::from(["accounts", "access"]));
    let (part, whole) = (Held::new(part()), Held::new(whole()));
    let said = fused.over(&whole).run(&part, &|_| true);
    assert!(matches!(said[0], Some(Err(SqlError::Value(_)))) && matches!(said[1], Some(Ok(_))), "{said:?}");
    let empty = Held::new(self::part().into_iter().map(|(name, batch)| (name, batch.slice(0, 0))).collect());
    let said = fused.over(&whole).run(&empty, &|_| true);
    assert!(said.into_iter().all(|s| s.unwrap().unwrap().counts.is_empty()));
    let missing = Held::new(BTreeMap::new());
    let said = fused.over(&whole).run(&missing, &|_| true);
    assert!(said.into_iter().all(|s| matches!(s, Some(Err(SqlError::MissingTable(view))) if view == "accounts")));
}
