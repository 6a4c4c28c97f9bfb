//! What the language refuses: place, fault and rewrite.

use super::refused;

macro_rules! refusals {
    ($($name:ident: $sql:expr => $line:literal, $column:literal, $message:literal, $help:literal;)*) => {
        $(#[test] fn $name() {
            let d = refused($sql);
            assert_eq!((d.line, d.column, d.message.as_str(), d.help.as_str()), ($line, $column, $message, $help), "{}", $sql);
        })*
    };
}

refusals! {
    // Names.
    unknown_view: "SELECT a.x FROM acounts a" => 1, 17, "unknown view `acounts`", "did you mean `accounts`?";
    unknown_column: "SELECT a.login,\n  a.stauts\nFROM accounts a" => 2, 3, "unknown column `stauts`", "did you mean `status`?";
    unknown_table: "SELECT b.login FROM accounts a" => 1, 8, "unknown table `b`", "did you mean `a`?";
    ambiguous_column: "SELECT email FROM accounts a JOIN identities i ON a.email = i.email"
        => 1, 8, "`email` is ambiguous: `a` and `i` both have it", "write `a.email` or `i.email`";
    ambiguous_in_on: "SELECT a.login FROM accounts a JOIN identities i ON email = i.email"
        => 1, 53, "`email` is ambiguous: `a` and `i` both have it", "write `a.email` or `i.email`";
    unqualified_in_exists: "SELECT a.login FROM accounts a WHERE EXISTS (SELECT 1 FROM identities i WHERE email = a.email)"
        => 1, 79, "`email` is both a column in EXISTS and one outside it", "write it with its table: `i.email`";
    with_named_as_a_view: "WITH access AS (SELECT a.login FROM accounts a) SELECT x.login FROM access x"
        => 1, 6, "`access` is the name of a view", "choose another name: engines differ on which one is read";
    alias_named_as_a_view: "SELECT access.login FROM (SELECT a.login FROM accounts a) access"
        => 1, 59, "the alias `access` is the name of another table", "choose another alias";
    alias_twice: "SELECT a.login FROM accounts a JOIN access a ON a.account_ix = a.account_ix"
        => 1, 44, "the alias `a` is used twice", "give every table of the query its own alias";
    alias_again_in_exists: "SELECT a.login FROM accounts a WHERE EXISTS (SELECT 1 FROM access a WHERE a.account_ix = a.account_ix)"
        => 1, 67, "the alias `a` is used twice", "give every table of the query its own alias";
    output_twice: "SELECT a.login, a.email AS login FROM accounts a" => 1, 17, "two outputs named `login`", "give one another alias";
    output_without_a_name: "SELECT a.login, a.score > 0 FROM accounts a" => 1, 17, "an output without a name", "add `AS name`";
    upper_case: "SELECT a.Login FROM accounts a" => 1, 10, "`Login` has upper-case letters", "write `login`";
    double_quotes: "SELECT \"login\" FROM accounts a" => 1, 8, "`login` is quoted: some engines read it as text", "write a plain lower-case name";
    star: "SELECT * FROM accounts a" => 1, 8, "`*`", "name the columns";
    reserved_alias: "SELECT a.login AS user FROM accounts a" => 1, 19, "`user` is a function in other engines", "choose another name";
    reserved_column: "SELECT d.at, at FROM (SELECT a.created_at AS at FROM accounts a) d"
        => 1, 14, "`at` alone is a word of the grammar in other engines", "write it with its table: `t.at`";

    // Literals.
    backslash: "SELECT a.login FROM accounts a WHERE a.login = 'a\\b'"
        => 1, 48, "`\\` in a literal means different texts in different engines", "compare with a stored column, or match around it with LIKE and `_`";
    text_beside_text: "SELECT a.login FROM accounts a WHERE a.login = 'a' 'b'" => 1, 52, "two literals side by side", "write one literal, or join them with `||`";
    block_comment: "SELECT /* x */ a.login FROM accounts a" => 1, 8, "`/* */` comments nest differently elsewhere", "write `-- ` comments";
    interval_unit_outside: "SELECT a.login FROM accounts a WHERE a.last_used_at < a.created_at - INTERVAL '90' DAY"
        => 1, 79, "`INTERVAL '90'` in this form", "write INTERVAL 'n days' or INTERVAL 'n hours'";
    timestamp_with_zone: "SELECT a.login FROM accounts a WHERE a.created_at < TIMESTAMP '2026-01-01 00:00:00+02:00'"
        => 1, 63, "`2026-01-01 00:00:00+02:00` is not an instant", "write TIMESTAMP 'YYYY-MM-DD HH:MM:SS[.ffffff]', without a zone: all instants are UTC";
    decimal_output: "SELECT 0.5 AS x FROM accounts a" => 1, 1, "the output `x` is a decimal literal", "write CAST(0.5 AS DOUBLE), or 5e-1";
    null_output: "SELECT NULL AS x FROM accounts a" => 1, 1, "the output `x` is NULL", "write CAST(NULL AS STRING), or another type";
    unknown_parameter: "SELECT a.login FROM accounts a WHERE a.created_at < :as_of" => 1, 53, "unknown parameter `:as_of`", "this query has none";

    // Types.
    text_with_timestamp: "SELECT a.login FROM accounts a WHERE a.created_at < '2026-01-01'"
        => 1, 38, "TIMESTAMP compared with STRING", "write TIMESTAMP 'YYYY-MM-DD HH:MM:SS'";
    text_with_number: "SELECT a.login FROM accounts a WHERE a.login = 5"
        => 1, 38, "STRING compared with an integer literal", "write CAST(x AS STRING) around the integer, or read the column as a number at import";
    boolean_with_number: "SELECT x.uses FROM access x WHERE x.privileged = 1"
        => 1, 35, "BOOLEAN compared with an integer literal", "a boolean is a condition of its own: write `x` or `NOT x`";
    comparison_with_null: "SELECT a.login FROM accounts a WHERE a.login = NULL" => 1, 38, "a comparison with NULL, which is never true", "write IS NULL or IS NOT NULL";
    number_as_condition: "SELECT a.login FROM accounts a WHERE a.score" => 1, 38, "a condition is due, and this is DOUBLE", "compare it: `x = 1`, `x IS NOT NULL`";
    unsigned_arithmetic: "SELECT a.account_ix - 1 AS v FROM accounts a"
        => 1, 8, "arithmetic on UINTEGER: engines wrap, fail or widen", "write CAST(x AS BIGINT) around the unsigned operand";
    unsigned_sum: "SELECT SUM(a.account_ix) AS v FROM accounts a" => 1, 12, "SUM of UINTEGER", "write SUM(CAST(x AS BIGINT))";
    unsigned_branch: "SELECT COALESCE(a.account_ix, 0) AS v FROM accounts a"
        => 1, 8, "COALESCE of UINTEGER and an integer literal", "write CAST(x AS BIGINT) around the unsigned branch";
    literal_arithmetic: "SELECT 2000000000 + 2000000000 AS v FROM accounts a"
        => 1, 8, "arithmetic on integer literals alone: 32 bits in some engines", "write the result, or CAST one side AS BIGINT";
    integer_division: "SELECT x.uses / 2 AS v FROM access x"
        => 1, 8, "`/` on integers: engines differ on the result", "write CAST(a AS DOUBLE) / NULLIF(CAST(b AS DOUBLE), 0)";
    division_by_zero: "SELECT 1e0 / a.score AS v FROM accounts a" => 1, 8, "`/` by something that may be 0", "write a / NULLIF(b, 0)";
    modulo: "SELECT x.uses % 2 AS v FROM access x" => 1, 8, "`%`", "engines differ on negative numbers: compute it at import";
    difference_as_output: "SELECT a.created_at - a.last_used_at AS v FROM accounts a"
        => 1, 1, "the output `v` is INTERVAL", "compare it with an interval instead";
    double_to_text: "SELECT CAST(a.score AS STRING) AS v FROM accounts a"
        => 1, 13, "CAST of DOUBLE to STRING", "engines write it differently: output it as it is";
    double_to_integer: "SELECT CAST(a.score AS BIGINT) AS v FROM accounts a"
        => 1, 13, "CAST of DOUBLE to BIGINT", "engines round differently: calculate in DOUBLE";
    text_to_integer: "SELECT CAST(a.login AS BIGINT) AS v FROM accounts a"
        => 1, 13, "CAST of STRING to BIGINT", "engines read texts differently: read the column as a number at import";
    concat_of_a_number: "SELECT a.login || a.account_ix AS v FROM accounts a" => 1, 19, "`||` with UINTEGER", "write CAST(x AS STRING) around integers and booleans";
    union_of_types: "SELECT a.login AS v FROM accounts a UNION ALL\nSELECT a.created_at AS v FROM accounts a"
        => 2, 1, "UNION ALL puts STRING and TIMESTAMP into the column `v`", "cast both to one type; a missing value is CAST(NULL AS STRING)";
    max_of_boolean: "SELECT MAX(x.privileged) AS v FROM access x" => 1, 12, "MIN or MAX of BOOLEAN", "write COUNT(*) FILTER (WHERE x) > 0";

    // Forms.
    lower: "SELECT a.login FROM accounts a WHERE LOWER(a.login) = 'x'"
        => 1, 38, "`lower`: engines fold letters differently", "compare the stored `*_norm` column, folded once at import";
    now: "SELECT a.login FROM accounts a WHERE a.created_at < now()" => 1, 53, "`now`: a check does not see the clock", "write `:as_of`, or the row's `observed_at`";
    in_query: "SELECT a.login FROM accounts a WHERE a.email IN (SELECT i.email FROM identities i)"
        => 1, 38, "IN with a query", "write [NOT] EXISTS (SELECT 1 FROM ... WHERE inner.column = outer.column)";
    scalar_query: "SELECT (SELECT COUNT(*) AS n FROM access x) AS n FROM accounts a" => 1, 9, "a query as a value", "join it: JOIN (SELECT ...) d ON ...";
    cross_join: "SELECT a.login FROM accounts a CROSS JOIN access x" => 1, 43, "CROSS JOIN", "join on the equality of a column";
    comma_join: "SELECT a.login FROM accounts a, access x WHERE a.account_ix = x.account_ix" => 1, 33, "a comma between tables", "write JOIN ... ON ...";
    right_join: "SELECT a.login FROM accounts a RIGHT JOIN access x ON a.account_ix = x.account_ix" => 1, 43, "RIGHT JOIN", "swap the sides and write LEFT JOIN";
    using: "SELECT a.login FROM accounts a JOIN access x USING (account_ix)" => 1, 37, "USING", "write ON a.column = b.column";
    on_without_equality: "SELECT a.login FROM accounts a JOIN access x ON a.created_at < x.granted_at"
        => 1, 49, "ON without the equality of two columns", "join on a column that both sides have: ON a.x = b.x AND ...";
    exists_under_or: "SELECT a.login FROM accounts a WHERE a.score > 0 OR EXISTS (SELECT 1 FROM access x WHERE x.account_ix = a.account_ix)"
        => 1, 61, "EXISTS inside an expression", "put it into WHERE as a term of its own, joined to the others with AND";
    exists_with_inequality: "SELECT a.login FROM accounts a WHERE EXISTS (SELECT 1 FROM access x WHERE x.account_ix = a.account_ix AND x.granted_at > a.created_at)"
        => 1, 122, "`created_at` of the query around EXISTS stands in something other than an equality of two columns", "join the two tables in a WITH, filter there, and write EXISTS over its rows";
    exists_untied: "SELECT a.login FROM accounts a WHERE EXISTS (SELECT 1 FROM access x WHERE x.privileged)"
        => 1, 46, "EXISTS without an equality to the query around it", "tie it: WHERE inner.column = outer.column";
    exists_of_an_aggregate: "SELECT a.login FROM accounts a WHERE EXISTS (SELECT COUNT(*) AS n FROM access x WHERE x.account_ix = a.account_ix)"
        => 1, 46, "EXISTS over something other than SELECT 1 FROM ... WHERE ...", "write EXISTS (SELECT 1 FROM ... WHERE ...)";
    aggregate_in_where: "SELECT a.status FROM accounts a WHERE COUNT(*) > 1 GROUP BY a.status"
        => 1, 39, "an aggregate in WHERE, ON or inside another call", "aggregate in a derived table or WITH, or move the condition to HAVING";
    window_in_where: "SELECT a.status FROM accounts a WHERE COUNT(*) OVER () > 1"
        => 1, 39, "a window in WHERE, ON, or beside aggregates", "compute it in a derived table or WITH, and filter its column outside";
    ungrouped_column: "SELECT a.status, a.login FROM accounts a GROUP BY a.status"
        => 1, 18, "`login` is neither grouped nor aggregated", "add it to GROUP BY, or write MIN(login) or MAX(login)";
    ungrouped_beside_count: "SELECT a.login, COUNT(*) AS n FROM accounts a"
        => 1, 8, "`login` is neither grouped nor aggregated", "add it to GROUP BY, or write MIN(login) or MAX(login)";
    group_by_expression: "SELECT COUNT(*) AS n FROM accounts a GROUP BY a.score > 0"
        => 1, 47, "GROUP BY on something other than a column", "compute it in a derived table, and group by its column";
    having_alias: "SELECT status, COUNT(*) AS n, MAX(a.login) AS email FROM accounts a GROUP BY status, email HAVING email = 'x'"
        => 1, 99, "`email` in HAVING is a column and an alias", "write the column with its table, or choose another alias";
    row_number_with_ties: "SELECT ROW_NUMBER() OVER (ORDER BY a.status NULLS LAST) AS n FROM accounts a"
        => 1, 8, "ROW_NUMBER over an order with ties: engines number them differently", "end ORDER BY with the key of the rows, such as `account_ix, grant_ix`";
    order_of_nulls_unsaid: "SELECT ROW_NUMBER() OVER (ORDER BY a.status DESC, a.system_ix, a.account_ix) AS n FROM accounts a"
        => 1, 36, "ORDER BY `status`, which may be NULL: engines put NULL at different ends", "write `status DESC NULLS LAST`";
    running_window: "SELECT COUNT(*) OVER (ORDER BY a.account_ix) AS n FROM accounts a"
        => 1, 8, "ORDER BY in a window of COUNT, MIN or MAX", "leave ORDER BY out: the window is the whole partition";
    order_by_in_a_check: "SELECT a.login FROM accounts a ORDER BY a.login" => 1, 1, "ORDER BY or LIMIT in a check", "leave it out: the rows of a check are a set";
    union_distinct: "SELECT a.login FROM accounts a UNION SELECT a.login FROM accounts a"
        => 1, 1, "UNION that removes duplicates", "write UNION ALL, and SELECT DISTINCT over it";
    except: "SELECT a.login FROM accounts a EXCEPT SELECT a.login FROM accounts a" => 1, 1, "EXCEPT", "write [NOT] EXISTS";
    double_colon: "SELECT a.account_ix::bigint AS v FROM accounts a" => 1, 8, "`::`", "write CAST(x AS type)";
    ilike: "SELECT a.login FROM accounts a WHERE a.login ILIKE 'a%'" => 1, 38, "ILIKE", "compare the stored `*_norm` column with LIKE";
    like_a_column: "SELECT a.login FROM accounts a WHERE a.login LIKE a.email"
        => 1, 51, "LIKE with something other than a literal", "write the pattern as 'text%', or compare with =";
    avg: "SELECT AVG(a.score) AS v FROM accounts a" => 1, 8, "`avg`", "write SUM(CAST(x AS DOUBLE)) / NULLIF(CAST(COUNT(x) AS DOUBLE), 0)";
    two_statements: "SELECT a.login FROM accounts a; SELECT a.login FROM accounts a" => 1, 33, "a second statement", "keep one query per text";
    not_a_query: "DROP TABLE accounts" => 1, 1, "not a query", "write SELECT or WITH ... SELECT";
    no_from: "SELECT 1 AS x" => 1, 1, "SELECT without FROM", "name the view that gives the rows";
}

#[test]
fn syntax_errors_keep_their_place() {
    let d = refused("SELECT a.login\nFROM accounts a\nWHERE a.login =");
    assert_eq!((d.line, d.column, d.message.as_str()), (3, 16, "expected an expression, found `EOF`"));
    assert!(refused("SELECT a.login FROM accounts a WHERE a.login = 'x").message.contains("nterminated"));
}
