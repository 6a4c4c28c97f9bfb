"""What DuckDB does in the comparison, one task a process, so that its memory and time are its own.

    python3 duck.py TASK ARGUMENTS.json ANSWER.json

TASK is `evaluated`, `checks`, `columns`, `same`, `join` or `copy`; `ARGUMENTS.json` holds the keyword arguments of the function of that name.
The text of the checks and of the views is what the run recorded (`checks.sql`, `views.sql`), and the files are the store's own.
"""

import json
import sys
from pathlib import Path

import duckdb
from estate import Clock, Estate, connect, quoted
from same import same


def evaluated(run):
    """Checks that the run put to some system."""
    query = f"SELECT DISTINCT check_id FROM read_parquet({quoted(Path(run) / 'outcomes.parquet')}) WHERE outcome = 'evaluated' ORDER BY ALL"
    return [check for (check,) in duckdb.execute(query).fetchall()]


def checks(store, run, ids, way, threads, spill, out, unstored=()):
    """Each check by its own query, its findings to a file of their own. `way`: `views`, the checks over the views; `tables`, the
    views that several checks read, but for `unstored`, are stored as tables first, with the columns that some check reads.

    Only findings are asked for: the counts of the other outcomes, which holdover makes as well, are left to it. A check for which all memory does
    not suffice is `unanswered`.
    """
    estate = Estate(store, run)
    # Whoever writes these tables by hand knows the columns; finding them is not measured.
    readers = shared(estate, ids) if way == "tables" else {}
    wanted = {view: set().union(*of.values()) for view, of in readers.items() if view not in unstored}
    try:
        with connect(threads, spill) as connection:
            database, told = "memory", each_check(estate, ids, wanted, out, connection)
    except duckdb.OutOfMemoryException:
        with connect(threads, spill, Path(spill) / "stored.duckdb") as connection:
            database, told = "file", each_check(estate, ids, wanted, out, connection)
    readers = {view: sorted(of) for view, of in readers.items()}
    return {"version": duckdb.__version__, "way": way, "database": database, "readers": readers, **told}


def each_check(estate, ids, wanted, out, connection):
    clock = Clock()
    estate.open(connection)
    stored = {}
    for name, names in wanted.items():
        part = Clock()
        connection.execute(f"DROP VIEW {name}")
        columns = ", ".join(f'"{column}"' for column in sorted(names))
        connection.execute(f"CREATE TABLE {name} AS SELECT {columns} FROM ({estate.views[name]})")
        stored[name] = part.told()
    setup, took, unanswered = clock.told(), {}, []
    shown = {check: selected(connection, estate.checks[check]) for check in ids}
    for check in ids:
        part, path = Clock(), Path(out) / f"{check}.parquet"
        query = f"SELECT {shown[check]} FROM ({estate.checks[check]}) WHERE outcome = 'finding'"
        try:
            rows = connection.execute(f"COPY ({query}) TO {quoted(path)} (FORMAT parquet)").fetchone()[0]
        except duckdb.OutOfMemoryException:
            # The other checks are compared all the same, and the time of this one counts for nobody.
            path.unlink(missing_ok=True)
            unanswered.append(check)
            continue
        took[check] = {**part.told(), "rows": rows}
    whole = {of: sum(one[of] for one in (setup, *took.values())) for of in ("wall", "cpu")}
    return {**whole, "setup": setup, "stored": stored, "checks": took, "unanswered": unanswered}


def selected(connection, query):
    """Every column; sums as 64 bits, for Parquet has no integer of 128 and DuckDB would write a double."""
    wide = [f"CAST({name} AS BIGINT) AS {name}" for name, kind, *_ in connection.execute(f"DESCRIBE {query}").fetchall() if kind == "HUGEINT"]
    return f"* REPLACE ({', '.join(wide)})" if wide else "*"


def shared(estate, ids):
    """The views that two or more checks read, each with these checks and the columns that they read of it."""
    connection = empty(estate, views_as_tables=True)
    of_checks = {check: scanned(connection, estate.checks[check]) for check in ids}
    readers = {view: {check: read[view] for check, read in of_checks.items() if view in read} for view in estate.views}
    return {view: of for view, of in readers.items() if len(of) > 1}


def empty(estate, views_as_tables=False):
    """The estate without rows, in a database whose plans show which columns a query reads: filters stay above the scans, and nothing
    is concluded from there being no row."""
    full, bare = duckdb.connect(), duckdb.connect()
    estate.open(full)
    bare.execute("SET disabled_optimizers = 'statistics_propagation,filter_pushdown,empty_result_pullup'")
    tables = [name for name, _ in estate.tables()] + (list(estate.views) if views_as_tables else [])
    for name in tables:
        columns = ", ".join(f'"{column}" {kind}' for column, kind, *_ in full.execute(f"DESCRIBE {name}").fetchall())
        bare.execute(f"CREATE TABLE {name} ({columns})")
    for name, text in estate.views.items() if not views_as_tables else []:
        bare.execute(f"CREATE VIEW {name} AS {text}")
    full.close()
    return bare


def scanned(connection, query):
    """Columns by table that a query reads."""
    found = {}
    todo = json.loads(connection.execute(f"EXPLAIN (FORMAT json) {query}").fetchall()[0][1])
    while todo:
        node = todo.pop()
        todo += node.get("children", [])
        about = node.get("extra_info", {})
        if "Table" in about:
            names = about.get("Projections", [])
            names = [names] if isinstance(names, str) else names
            # Names that are words of SQL stand in quotation marks.
            found.setdefault(about["Table"].rsplit(".", 1)[-1].strip('"'), set()).update(name.strip('"') for name in names)
    return found


def columns(store, run, ids):
    """Files with the columns that the checks read, as `internal-decode` takes them."""
    estate = Estate(store, run)
    connection = empty(estate)
    read = {}
    for check in ids:
        for table, names in scanned(connection, estate.checks[check]).items():
            read.setdefault(table, set()).update(names - {"system_ix"} if table.startswith("snapshot_") else names)
    wanted = []
    for table, names in sorted(read.items()):
        own = table.removeprefix("snapshot_")
        paths = [place / f"{own}.parquet" for place in estate.snapshots] if own != table else [estate.run / f"{own}.parquet"]
        wanted += [{"path": str(path), "columns": sorted(names)} for path in paths if names]
    return wanted


def join(store, run, threads, spill):
    """Accounts to people by equal normalised mail address and nothing else, stored as a table."""
    estate = Estate(store, run)
    connection = connect(threads, spill)
    estate.open(connection)
    clock = Clock()
    connection.execute(
        """CREATE TABLE joined AS SELECT a.system_ix AS system_ix, a.account_ix AS account_ix, i.system_ix AS source_ix, i.identity_ix AS identity_ix
        FROM snapshot_accounts a JOIN snapshot_identities i ON i.email_norm = a.email_norm"""
    )
    return {**clock.told(), "rows": connection.execute("SELECT COUNT(*) FROM joined").fetchone()[0]}


def copy(file, out, threads, spill):
    """A CSV file to Parquet, as COPY does it."""
    connection = connect(threads, spill)
    clock = Clock()
    target = Path(out) / f"{Path(file).stem}.parquet"
    query = f"COPY (SELECT * FROM read_csv({quoted(file)})) TO {quoted(target)} (FORMAT parquet, COMPRESSION zstd)"
    rows = connection.execute(query).fetchone()[0]
    return {**clock.told(), "rows": rows}


TASKS = {"evaluated": evaluated, "checks": checks, "columns": columns, "same": same, "join": join, "copy": copy}

if __name__ == "__main__":
    task, arguments, answer = sys.argv[1:]
    said = TASKS[task](**json.loads(Path(arguments).read_text(encoding="utf-8")))
    Path(answer).write_text(json.dumps(said), encoding="utf-8")
