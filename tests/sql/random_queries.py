#!/usr/bin/env python3
"""Runs the queries that `holdover internal-random-queries DIR` wrote on DuckDB and compares the rows as multisets.

    pip install duckdb
    holdover internal-random-queries DIR --seed 1 --queries 1000
    python3 tests/sql/random_queries.py DIR [--show 5]

Exit 0: every query gave equal rows, or an error on both sides. Exit 1 otherwise.
"""

import argparse
import collections
import datetime
import json
import pathlib
import sys

import duckdb

BIGINT = range(-(2**63), 2**63)
# DuckDB 2.0 fails to plan a CASE of literals compared with a literal where its statistics show that no branch is taken:
# `CASE WHEN n = 0 THEN 'a' END = 'b'` over n > 0. The same text is asked again without that optimizer, and counted.
DEFECT = "BindBuiltinScalarFunction did not return a BoundFunctionExpression"

defects = 0


def canonical(value):
    """A cell as text: the same text for the same value of either engine."""
    if value is None:
        return "∅"
    if isinstance(value, bool):
        return f"b:{value}"
    if isinstance(value, int):
        return f"i:{value}"
    if isinstance(value, float):
        return f"f:{value + 0.0:.9g}" if value else "f:0"
    if isinstance(value, datetime.datetime):
        text = value.strftime("%Y-%m-%d %H:%M:%S").rjust(19, "0")
        return f"s:{text}" + (f".{value.microsecond:06}" if value.microsecond else "")
    if isinstance(value, str):
        return f"s:{value}"
    return f"{type(value).__name__}:{value}"


def rows_of(rows):
    return collections.Counter(tuple(canonical(v) for v in row) for row in rows)


def fetch(connection, sql):
    global defects
    try:
        return connection.execute(sql).fetchall()
    except duckdb.InvalidInputException as error:
        if DEFECT not in str(error):
            raise
    defects += 1
    connection.execute("SET disabled_optimizers = 'statistics_propagation'")
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.execute("SET disabled_optimizers = ''")


def ask(connection, sql):
    """(rows, None), or (None, error). An integer beyond BIGINT counts as an error: only DuckDB's SUM goes on in 128 bits."""
    try:
        rows = fetch(connection, sql)
    except (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException) as error:
        return None, str(error)
    except duckdb.Error as error:
        # The text was refused: never right, whatever the other side said.
        return rows_of([["refused by DuckDB", str(error)]]), None
    for row in rows:
        for value in row:
            if isinstance(value, int) and not isinstance(value, bool) and value not in BIGINT:
                return None, "beyond BIGINT"
    return rows_of(rows), None


def worlds(folder):
    for world in sorted(folder.glob("world-*")):
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        for table in sorted(world.glob("*.parquet")):
            path = str(table).replace("'", "''")
            connection.execute(f"CREATE TABLE {table.stem} AS SELECT * FROM read_parquet('{path}')")
        for line in (world / "queries.jsonl").read_text(encoding="utf-8").split("\n"):
            if line:
                yield world.name, connection, json.loads(line)
        connection.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--show", type=int, default=5, help="differences to print")
    options = parser.parse_args()
    total = equal = errors = nonempty = 0
    differences = []
    for world, connection, query in worlds(options.folder):
        total += 1
        rows, error = ask(connection, query["sql"])
        ours = rows_of(query["rows"]) if "rows" in query else None
        if ours is None and rows is None:
            equal += 1
            errors += 1
        elif ours == rows:
            equal += 1
            nonempty += bool(rows)
        else:
            differences.append((world, query, rows, error))
    for world, query, rows, error in differences[: options.show]:
        ours = rows_of(query["rows"]) if "rows" in query else collections.Counter()
        print(f"-- {world}, query {query['id']}\n{query['sql']}")
        if rows is None or "error" in query:
            print(f"  holdover: {query.get('error', 'rows')}\n  DuckDB:   {error or 'rows'}")
        for name, more in (("holdover", ours - (rows or collections.Counter())), ("DuckDB", (rows or collections.Counter()) - ours)):
            print(f"  only {name}: {list(more.items())[:5]}")
    summary = json.loads((options.folder / "summary.json").read_text(encoding="utf-8"))
    print(f"{total} queries, {equal} equal, {len(differences)} differ ({nonempty} with rows, {errors} errors on both sides)")
    print(f"{defects} asked again without DuckDB's statistics_propagation, which fails on them")
    differ = summary["account_grain_differs"]
    print(f"{summary['account_grain']} of account grain, {len(differ)} differ when run account by account")
    for text in differ[: options.show]:
        print(f"  {text}")
    sys.exit(1 if differences or differ or total == 0 else 0)


if __name__ == "__main__":
    main()
