//! DESIGN 11.8: what runs per partition of whole accounts, and what does not.

use super::query;

fn proof(sql: &str) -> Result<(), (u32, u32, String, String)> {
    query(sql).prove_account_grain().map_err(|d| (d.line, d.column, d.message, d.help))
}

#[test]
fn queries_keyed_by_account_are_proven() {
    for sql in [
        "SELECT a.login FROM accounts a WHERE a.status = 'active'",
        "SELECT a.login, x.entitlement FROM accounts a JOIN access x ON a.system_ix = x.system_ix AND x.account_ix = a.account_ix",
        "SELECT a.login FROM accounts a LEFT JOIN access x ON a.system_ix = x.system_ix AND x.account_ix = a.account_ix LEFT JOIN identities i ON i.email = a.email",
        "SELECT i.email FROM identities i JOIN accounts a ON i.email = a.email",
        "SELECT a.login FROM accounts a WHERE NOT EXISTS (SELECT 1 FROM access x WHERE a.system_ix = x.system_ix AND x.account_ix = a.account_ix)",
        "SELECT a.login FROM accounts a WHERE EXISTS (SELECT 1 FROM identities i WHERE i.email = a.email)",
        "SELECT x.system_ix, x.account_ix, COUNT(*) AS n FROM access x GROUP BY x.system_ix, x.account_ix",
        "SELECT DISTINCT x.system_ix, x.account_ix, x.entitlement FROM access x",
        "SELECT COUNT(*) OVER (PARTITION BY x.account_ix, x.system_ix) AS n FROM access x",
        "SELECT a.login AS v FROM accounts a UNION ALL SELECT x.entitlement AS v FROM access x",
        "WITH w AS (SELECT x.account_ix AS a, x.system_ix AS s, COUNT(*) AS n FROM access x GROUP BY x.system_ix, x.account_ix) SELECT a.login, w.n FROM accounts a JOIN w ON w.a = a.account_ix AND w.s = a.system_ix",
    ] {
        assert_eq!(proof(sql), Ok(()), "{sql}");
    }
}

#[test]
fn queries_that_bring_accounts_together_are_refused_with_the_fix() {
    let tie = "tie it by `system_ix` and `account_ix`, or declare `grain = \"run\"`";
    for (sql, column, message, help) in [
        (
            "SELECT a.login FROM accounts a JOIN access x ON a.account_ix = x.account_ix",
            37,
            "a join that brings rows of different accounts together",
            tie,
        ),
        (
            "SELECT a.login FROM accounts a JOIN accounts b ON a.email = b.email",
            37,
            "a join that brings rows of different accounts together",
            tie,
        ),
        (
            "SELECT a.status, COUNT(*) AS n FROM accounts a GROUP BY a.status",
            1,
            "GROUP BY without the account brings rows of different accounts together",
            tie,
        ),
        ("SELECT COUNT(*) AS n FROM accounts a", 1, "an aggregate over all accounts brings rows of different accounts together", tie),
        (
            "SELECT DISTINCT a.status FROM accounts a",
            1,
            "DISTINCT without the account among the outputs brings rows of different accounts together",
            tie,
        ),
        (
            "SELECT COUNT(*) OVER (PARTITION BY a.status) AS n FROM accounts a",
            8,
            "a window without the account in PARTITION BY brings rows of different accounts together",
            tie,
        ),
        (
            "SELECT a.login FROM accounts a WHERE EXISTS (SELECT 1 FROM access x WHERE x.account_ix = a.account_ix)",
            46,
            "EXISTS that looks at rows of other accounts",
            tie,
        ),
        (
            "SELECT i.email FROM identities i WHERE EXISTS (SELECT 1 FROM accounts a WHERE i.email = a.email)",
            48,
            "EXISTS on accounts around rows that every partition repeats",
            "select from the account's view, or declare `grain = \"run\"`",
        ),
        (
            "SELECT i.email FROM identities i LEFT JOIN accounts a ON i.email = a.email",
            44,
            "LEFT JOIN of accounts to rows that every partition repeats",
            "put the account's view on the left, or declare `grain = \"run\"`",
        ),
        (
            "SELECT a.email AS v FROM accounts a UNION ALL SELECT i.email AS v FROM identities i",
            1,
            "UNION ALL of rows of accounts with rows that every partition repeats",
            "read the account's view in every part, or declare `grain = \"run\"`",
        ),
        (
            "SELECT i.email FROM identities i",
            1,
            "the query reads no partitioned view: every partition would give all its rows",
            "declare `grain = \"run\"`",
        ),
        // The right side of a LEFT JOIN may be NULL: its account names nothing.
        (
            "SELECT x.system_ix, x.account_ix, COUNT(*) AS n FROM accounts a LEFT JOIN access x ON a.system_ix = x.system_ix AND a.account_ix = x.account_ix GROUP BY x.system_ix, x.account_ix",
            1,
            "GROUP BY without the account brings rows of different accounts together",
            tie,
        ),
    ] {
        assert_eq!(proof(sql), Err((1, column, message.to_owned(), help.to_owned())), "{sql}");
    }
}
