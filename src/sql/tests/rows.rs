//! Queries with the rows that DuckDB and Spark give. Many are forms that polars' own SQL answers wrongly.

use super::{query, refused, rows, run};
use crate::sql::SqlError;

macro_rules! rows_are {
    ($($name:ident: $sql:expr => [$($row:expr),* $(,)?];)*) => {
        $(#[test] fn $name() {
            let expected: Vec<&str> = vec![$($row),*];
            assert_eq!(rows($sql), expected, "{}", $sql);
        })*
    };
}

rows_are! {
    // Joins.
    constants_in_on_belong_to_their_own_table:
        "SELECT a.account_ix, i.identity_ix FROM accounts a JOIN identities i ON a.email = i.email AND i.status = 'terminated'" => ["1|1", "3|1"];
    left_join_with_a_constant_keeps_every_left_row:
        "SELECT a.system_ix, a.account_ix, i.identity_ix FROM accounts a LEFT JOIN identities i ON a.email = i.email AND i.status = 'terminated'"
        => ["0|0|∅", "0|1|1", "0|2|∅", "0|3|1", "1|0|∅"];
    left_join_with_an_inequality_keeps_every_left_row:
        "SELECT a.account_ix, x.grant_ix FROM accounts a LEFT JOIN access x ON a.system_ix = x.system_ix AND a.account_ix = x.account_ix AND a.created_at < x.granted_at WHERE a.system_ix = 0"
        => ["0|0", "0|1", "1|∅", "2|∅", "3|0"];
    left_join_with_a_condition_on_the_left_side_alone:
        "SELECT a.account_ix, x.grant_ix FROM accounts a LEFT JOIN access x ON a.account_ix = x.account_ix AND a.status = 'disabled'"
        => ["0|∅", "0|∅", "1|0", "2|∅", "3|∅"];
    null_keys_never_match:
        "SELECT a.account_ix, i.identity_ix FROM accounts a JOIN identities i ON a.email = i.email" => ["0|0", "1|1", "3|1"];
    inner_join_with_or_in_on:
        "SELECT a.account_ix, i.identity_ix FROM accounts a JOIN identities i ON a.email = i.email AND (i.status = 'active' OR a.login IS NULL)" => ["0|0", "3|1"];
    later_join_on_a_column_of_the_first_table:
        "SELECT a.account_ix, x.grant_ix, y.grant_ix AS other FROM accounts a JOIN access x ON x.account_ix = a.account_ix AND x.system_ix = a.system_ix JOIN access y ON y.account_ix = x.grant_ix AND y.system_ix = a.system_ix WHERE a.status = 'disabled'"
        => ["1|0|0", "1|0|1"];
    one_key_twice:
        "SELECT a.account_ix, x.grant_ix FROM accounts a JOIN access x ON a.account_ix = x.account_ix AND a.account_ix = x.grant_ix" => ["0|0", "0|0", "0|0", "0|0"];
    integers_of_two_widths_meet:
        "SELECT a.account_ix, x.uses FROM accounts a JOIN access x ON x.uses = a.line" => ["0|1", "3|3"];

    // EXISTS.
    exists: "SELECT a.account_ix FROM accounts a WHERE a.system_ix = 0 AND EXISTS (SELECT 1 FROM access x WHERE x.system_ix = a.system_ix AND x.account_ix = a.account_ix AND x.privileged)"
        => ["0", "3"];
    not_exists_keeps_rows_with_a_null_key:
        "SELECT a.account_ix FROM accounts a WHERE NOT EXISTS (SELECT 1 FROM identities i WHERE i.email = a.email)" => ["0", "2"];
    exists_over_a_join_reads_its_own_tables:
        "SELECT a.account_ix, i.identity_ix FROM accounts a JOIN identities i ON a.email = i.email WHERE EXISTS (SELECT 1 FROM identities o WHERE o.status = i.status AND o.ends_at IS NOT NULL)"
        => ["1|1", "3|1"];
    exists_in_exists:
        "SELECT i.identity_ix FROM identities i WHERE EXISTS (SELECT 1 FROM accounts a WHERE a.email = i.email AND NOT EXISTS (SELECT 1 FROM access x WHERE x.account_ix = a.account_ix AND x.privileged IS NULL))"
        => ["1"];

    // Three-valued logic.
    is_not_true_keeps_null: "SELECT x.grant_ix, x.privileged FROM access x WHERE x.privileged IS NOT TRUE" => ["0|∅", "0|∅", "1|false"];
    is_not_false_keeps_null: "SELECT x.grant_ix, x.privileged FROM access x WHERE x.privileged IS NOT FALSE" => ["0|true", "0|true", "0|∅", "0|∅"];
    is_true_of_null_is_false:
        "SELECT x.privileged IS TRUE AS t, x.privileged IS NOT TRUE AS nt, x.privileged IS FALSE AS f, x.privileged IS NOT FALSE AS nf FROM access x WHERE x.privileged IS NULL"
        => ["false|true|false|true", "false|true|false|true"];
    not_of_null_is_null: "SELECT x.account_ix FROM access x WHERE NOT x.privileged" => ["0"];
    or_with_null: "SELECT x.account_ix FROM access x WHERE x.privileged OR x.entitlement = 'read'" => ["0", "0", "0", "3"];
    in_with_null_is_never_surely_absent: "SELECT a.account_ix FROM accounts a WHERE a.status NOT IN ('disabled', NULL)" => [];
    in_with_null_finds: "SELECT a.account_ix FROM accounts a WHERE a.status IN ('disabled', NULL)" => ["1"];
    not_in_drops_null: "SELECT a.account_ix FROM accounts a WHERE a.status NOT IN ('disabled')" => ["0", "0", "2"];
    not_between: "SELECT a.account_ix FROM accounts a WHERE a.score NOT BETWEEN -1 AND 1" => ["0", "1"];
    literal_conditions: "SELECT i.identity_ix FROM identities i WHERE 1 = 1 AND 1e0 = 1 AND TRUE" => ["0", "1", "2"];
    a_false_literal: "SELECT 1 AS a FROM identities i WHERE 1 = 0" => [];
    intervals_are_equal_by_length: "SELECT i.identity_ix FROM identities i WHERE INTERVAL '1 day' = INTERVAL '24 hours' AND i.identity_ix = 0" => ["0"];

    // Text.
    like_underscore_is_one_character: "SELECT a.login FROM accounts a WHERE a.login LIKE '___'" => ["a_b", "bob"];
    like_percent: "SELECT a.login FROM accounts a WHERE a.login LIKE '%b'" => ["a_b", "bob"];
    like_sees_a_backslash_as_a_character: "SELECT a.login FROM accounts a WHERE a.login LIKE 'İΣ__'" => ["İΣ\\%"];
    not_like_drops_null: "SELECT a.account_ix FROM accounts a WHERE a.login NOT LIKE '%b%'" => ["0", "0"];
    concat_propagates_null: "SELECT a.login || '/' || a.status AS s FROM accounts a WHERE a.system_ix = 0" => ["a_b/active", "alice/active", "bob/disabled", "∅"];
    texts_order_by_bytes: "SELECT MIN(a.login) AS lo, MAX(a.login) AS hi FROM accounts a" => ["a_b|İΣ\\%"];
    casts_to_text: "SELECT CAST(x.uses AS STRING) || CAST(x.grant_ix AS STRING) || CAST(COALESCE(x.privileged, FALSE) AS STRING) AS s FROM access x WHERE x.entitlement = 'read'"
        => ["-40false", "92233720368547758071false"];

    // Numbers.
    unsigned_columns_go_below_zero_as_bigint: "SELECT CAST(a.account_ix AS BIGINT) - 2 AS d FROM accounts a" => ["-1", "-2", "-2", "0", "1"];
    counts_go_below_zero: "SELECT COUNT(a.email) - COUNT(*) AS d FROM accounts a" => ["-1"];
    division_by_a_guarded_zero: "SELECT 1e0 / NULLIF(a.score, 0) AS q FROM accounts a" => ["-0.5", "0.25", "2.0", "∅", "∅"];
    case_computes_only_the_branch_it_takes:
        "SELECT CASE WHEN x.uses < 100 THEN x.uses * 1000000000000 ELSE 0 END AS v FROM access x" => ["-4000000000000", "0", "0", "1000000000000", "3000000000000"];
    case_of_literals_alone: "SELECT CASE WHEN TRUE THEN 'a' ELSE 'b' END AS v FROM identities i" => ["a", "a", "a"];
    case_with_an_operand: "SELECT CASE x.entitlement WHEN 'admin' THEN 2 WHEN 'read' THEN 1 END AS v FROM access x" => ["1", "1", "2", "2", "∅"];
    nullif_and_coalesce: "SELECT COALESCE(NULLIF(a.status, 'active'), '-') AS v FROM accounts a" => ["-", "-", "-", "-", "disabled"];

    // Time.
    instants_and_intervals:
        "SELECT a.account_ix, a.last_used_at + INTERVAL '36 hours' AS t FROM accounts a WHERE a.last_used_at < TIMESTAMP '2026-11-01 00:00:00' - INTERVAL '90 days'"
        => ["0|2020-01-02 12:00:00", "3|2026-08-04 11:59:59.999999"];
    differences_compare_with_intervals:
        "SELECT a.account_ix FROM accounts a WHERE TIMESTAMP '2026-11-01 00:00:00' - a.last_used_at > INTERVAL '90 days'" => ["0", "3"];

    // Aggregates.
    sum_of_a_literal_counts_rows: "SELECT a.status, SUM(1) AS n, MAX(5) AS five, COUNT(1) AS c FROM accounts a GROUP BY a.status" => ["active|3|5|3", "disabled|1|5|1", "∅|1|5|1"];
    sum_of_case: "SELECT SUM(CASE WHEN TRUE THEN 1 ELSE 0 END) AS n FROM accounts a" => ["5"];
    having_on_a_literal_sum: "SELECT a.status FROM accounts a GROUP BY a.status HAVING SUM(1) > 1" => ["active"];
    nothing_to_aggregate_gives_one_row: "SELECT COUNT(*) AS n, COUNT(e.x) AS c, SUM(e.x) AS s, MIN(e.s) AS m, MAX(5) AS five FROM empty e" => ["0|0|∅|∅|∅"];
    nothing_to_group_gives_none: "SELECT e.s, COUNT(*) AS n FROM empty e GROUP BY e.s" => [];
    count_distinct_leaves_null_out: "SELECT COUNT(DISTINCT a.status) AS n FROM accounts a" => ["2"];
    filter_counts_true_only: "SELECT COUNT(*) FILTER (WHERE x.privileged) AS n, SUM(x.uses) FILTER (WHERE x.uses < 100) AS s FROM access x" => ["2|0"];
    key_and_aggregate_in_one_expression:
        "SELECT a.status || '-' || CAST(COUNT(*) AS STRING) AS c FROM accounts a GROUP BY a.status" => ["active-3", "disabled-1", "∅"];
    case_over_key_and_aggregate:
        "SELECT CASE WHEN a.status = 'active' AND COUNT(*) > 2 THEN 1 ELSE 0 END AS c FROM accounts a GROUP BY a.status" => ["0", "0", "1"];
    having_without_group_by: "SELECT COUNT(*) AS n FROM accounts a HAVING COUNT(*) > 5" => [];
    distinct_takes_null_as_one_value: "SELECT DISTINCT x.privileged FROM access x" => ["false", "true", "∅"];
    sums_pass_through_large_halves: "SELECT SUM(x.uses) AS s FROM access x WHERE x.uses < 0 OR x.uses > 100" => ["9223372036854775803"];

    // Windows.
    window_over_everything_gives_every_row: "SELECT COUNT(*) OVER () AS n FROM identities i" => ["3", "3", "3"];
    max_over_everything: "SELECT MAX(i.identity_ix) OVER () AS n FROM identities i" => ["2", "2", "2"];
    count_over_null_partitions: "SELECT a.status, COUNT(a.login) OVER (PARTITION BY a.status) AS n FROM accounts a"
        => ["active|3", "active|3", "active|3", "disabled|1", "∅|0"];
    row_number_puts_null_where_it_is_told:
        "SELECT a.account_ix, ROW_NUMBER() OVER (PARTITION BY a.system_ix ORDER BY a.last_used_at DESC NULLS FIRST, a.account_ix) AS rn FROM accounts a WHERE a.system_ix = 0"
        => ["0|2", "1|3", "2|1", "3|4"];
    row_number_nulls_last:
        "SELECT a.account_ix, ROW_NUMBER() OVER (PARTITION BY a.system_ix ORDER BY a.last_used_at NULLS LAST, a.account_ix DESC) AS rn FROM accounts a WHERE a.system_ix = 0"
        => ["0|3", "1|2", "2|4", "3|1"];
    first_row_of_each_group:
        "SELECT d.account_ix, d.grant_ix FROM (SELECT x.account_ix, x.grant_ix, ROW_NUMBER() OVER (PARTITION BY x.system_ix, x.account_ix ORDER BY x.grant_ix DESC) AS rn FROM access x) d WHERE d.rn = 1"
        => ["0|0", "0|1", "1|0", "3|0"];

    // WITH, derived tables, UNION ALL.
    with_read_twice: "WITH w AS (SELECT a.account_ix, a.status FROM accounts a WHERE a.system_ix = 0) SELECT p.account_ix, q.account_ix AS other FROM w p JOIN w q ON p.status = q.status"
        => ["0|0", "0|2", "1|1", "2|0", "2|2"];
    union_all_keeps_duplicates: "SELECT a.status FROM accounts a UNION ALL SELECT i.status FROM identities i UNION ALL SELECT CAST(NULL AS STRING) AS status FROM identities i WHERE i.identity_ix = 0"
        => ["active", "active", "active", "active", "active", "disabled", "terminated", "∅", "∅"];
    literals_over_an_empty_table: "SELECT 1 AS one, 'x' AS s, CAST(NULL AS DOUBLE) AS d FROM empty e" => [];
    a_literal_compared_with_the_nulls_of_a_left_join:
        "SELECT NULLIF(CAST(3 AS STRING), e.s) AS v FROM identities i LEFT JOIN empty e ON i.identity_ix = e.x" => ["3", "3", "3"];
    rows_without_a_named_column: "SELECT COUNT(*) AS n FROM (SELECT 1 AS one FROM accounts a) d" => ["5"];
}

#[test]
fn overflow_is_an_error_not_a_wrap() {
    for sql in [
        "SELECT x.uses + 1 AS v FROM access x",
        "SELECT x.uses * 2 AS v FROM access x",
        "SELECT SUM(x.uses) AS v FROM access x WHERE x.uses > 0",
        "SELECT x.uses - -1 AS v FROM access x",
    ] {
        let result = run(&query(sql));
        assert!(matches!(&result, Err(SqlError::Value(_))), "{sql}: {result:?}");
    }
    let error = run(&query("SELECT x.uses + 1 AS v FROM access x")).unwrap_err();
    assert_eq!(error.to_string(), "9223372036854775807 + 1 is beyond BIGINT");
    let error =
        run(&query("SELECT x.granted_at + INTERVAL '999999 days' + INTERVAL '999999 days' + INTERVAL '999999 days' AS v FROM access x"))
            .unwrap_err();
    assert_eq!(error.to_string(), "an instant outside the years 1 to 9999");
    let error = run(&query("SELECT a.score * 1e308 AS v FROM accounts a")).unwrap_err();
    assert_eq!(error.to_string(), "-2e0 * 1e308 is not a finite number");
}

#[test]
fn long_chains_run() {
    let chain = vec!["x.uses <> 7"; 600].join(" AND ");
    assert_eq!(rows(&format!("SELECT x.grant_ix FROM access x WHERE {chain}")).len(), 4);
    let union = vec!["SELECT i.identity_ix FROM identities i"; 50].join(" UNION ALL ");
    assert_eq!(rows(&union).len(), 150);
}

#[test]
fn deep_nesting_is_refused_not_run_into() {
    let deep = format!("SELECT {}x.uses{} AS v FROM access x", "(".repeat(5_000), ")".repeat(5_000));
    assert!(refused(&deep).message.contains("longer than"), "{:?}", refused(&deep));
    let deep = format!("SELECT {}x.uses{} AS v FROM access x", "(".repeat(1_500), ")".repeat(1_500));
    assert!(refused(&deep).message.contains("nested"), "{:?}", refused(&deep));
    let sum = vec!["x.uses"; 70].join(" + ");
    assert!(refused(&format!("SELECT {sum} AS v FROM access x")).message.contains("nested more than 64"));
}
