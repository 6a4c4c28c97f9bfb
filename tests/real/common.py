"""What the scripts of this folder share: assertions, running the binary with its cost, reading a store, and comparing a run
with DuckDB.

Each script: `python3 tests/real/NAME.py --holdover BIN --data DIR --work DIR`. One line per assertion; the first that fails
ends the script with exit code 1.
"""

import argparse
import collections
import dataclasses
import datetime
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def arguments(doc):
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--holdover", type=Path, required=True, help="the binary")
    parser.add_argument("--data", type=Path, help="folder of real exports")
    parser.add_argument("--work", type=Path, required=True, help="folder that may be emptied")
    return parser


def parsed(parser):
    """The arguments with absolute paths; the work folder exists."""
    args = parser.parse_args()
    args.holdover = args.holdover.resolve()
    args.work = args.work.resolve()
    args.work.mkdir(parents=True, exist_ok=True)
    return args


def fresh(folder):
    """The folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def check(what, true, detail=""):
    """Prints one assertion. The first that fails ends the script."""
    if true:
        print(f"ok    {what}", flush=True)
        return
    print(f"FAIL  {what}\n      {detail}".rstrip(), flush=True)
    sys.exit(1)


def equal(what, got, want):
    check(what, got == want, f"got {str(got)[:2000]}\n      want {str(want)[:2000]}")


@dataclasses.dataclass
class Ran:
    """How a command ended. `rss` is its largest resident set in MiB, the interpreter's own as a floor."""

    code: int
    out: str
    err: str
    rss: int
    seconds: float

    @property
    def text(self):
        return self.out + self.err


def run(command, cwd, before_wait=None, env=None):
    """Runs a command to its end. `before_wait(process)` may disturb it."""
    command = [c if isinstance(c, bytes) else str(c) for c in command]
    out, err = Path(cwd) / ".stdout", Path(cwd) / ".stderr"
    start = time.monotonic()
    with out.open("wb") as o, err.open("wb") as e:
        process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=o, stderr=e, env=env)
        if before_wait:
            before_wait(process)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    text = [p.read_bytes().decode("utf-8", "backslashreplace") for p in (out, err)]
    for path in (out, err):
        path.unlink()
    return Ran(process.returncode, *text, usage.ru_maxrss // 1024, time.monotonic() - start)


def free_port():
    """A port of loopback on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def until(what, ready, seconds=30):
    """Waits until `ready()` is true; the script ends if that takes too long."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            check(what, False, f"not within {seconds} s")
        time.sleep(0.1)


class Snapshot:
    """The tables of one sealed snapshot as lists of dicts, and edges with native ids instead of ordinals."""

    def __init__(self, folder):
        self.folder = folder
        self.manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        self.files = {f["name"].rsplit("/", 1)[-1]: f for f in self.manifest["files"]}
        for name in ("accounts", "groups", "entitlements", "credentials", "resources", "rejects"):
            setattr(self, name, self.rows(name))
        ids = lambda rows, ix: {row[ix]: row["native_id"] for row in rows}
        self.account_of, self.group_of = ids(self.accounts, "account_ix"), ids(self.groups, "group_ix")
        self.entitlement_of = ids(self.entitlements, "entitlement_ix")
        self.account = {a["native_id"]: a for a in self.accounts}
        self.group = {g["native_id"]: g for g in self.groups}

    def rows(self, table):
        import duckdb

        cursor = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(self.folder / f"{table}.parquet")])
        columns = [c[0] for c in cursor.description]
        return [dict(zip(columns, row)) for row in cursor.fetchall()]

    def grants(self):
        for g in self.rows("grants"):
            holder = self.account_of.get(g["account_ix"]) or self.group_of.get(g["group_ix"]) or g["principal_ref"]
            yield holder, self.entitlement_of[g["entitlement_ix"]], g

    def memberships(self):
        for m in self.rows("memberships"):
            member = self.account_of.get(m["account_ix"]) or self.group_of.get(m["member_group_ix"]) or m["principal_ref"]
            yield member, self.group_of[m["group_ix"]], m

    def reached(self, group):
        """Native ids of accounts and groups that are members at any depth, primary memberships left out."""
        edges = {}
        for member, of, row in self.memberships():
            if row["kind"] != "primary":
                edges.setdefault(of, set()).add(member)
        found, todo = set(), [group]
        while todo:
            fresh = edges.get(todo.pop(), set()) - found
            found |= fresh
            todo += sorted(fresh)
        return found


def newest_run(store):
    """Folder of the newest run. Names begin with `as_of`, so they sort by it."""
    return sorted((Path(store) / "runs").iterdir())[-1]


def statements(path, word):
    """The statements of a file whose headers read `-- WORD NAME`, by name, without their last semicolon."""
    parts = re.split(rf"^-- {word} (\S+)$", path.read_text(encoding="utf-8"), flags=re.M)
    return {name: text.strip().rstrip(";") for name, text in zip(parts[1::2], parts[2::2])}


def check_parquet(store):
    """Every Parquet file of a store opens in pyarrow and has the rows of its manifest."""
    import pyarrow.parquet as pq

    files = rows = 0
    for manifest in sorted(Path(store).glob("snapshots/*/*/manifest.json")) + sorted(Path(store).glob("runs/*/run.json")):
        stated = json.loads(manifest.read_text(encoding="utf-8"))
        stated = {t["name"]: t["rows"] for t in stated.get("tables", stated.get("files"))}
        found = {p.stem: pq.read_table(p).num_rows for p in manifest.parent.glob("*.parquet")}
        stated = {name: n for name, n in stated.items() if "." not in name}
        if stated != found:
            equal(f"pyarrow reads {manifest.parent.relative_to(store)}", found, stated)
        files += len(found)
        rows += sum(found.values())
    check(f"pyarrow reads {files} Parquet files with the {rows} rows of their manifests", files > 0, "no file found")


def connect(store, folder):
    """DuckDB over one run: `snapshot_*`, the run's own tables, and the views of its `views.sql`."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    snapshots = json.loads((folder / "run.json").read_text(encoding="utf-8"))["snapshots"]
    places = [Path(store) / "snapshots" / s["system"] / s["snapshot"] for s in snapshots]
    for table in sorted(p.stem for p in places[0].glob("*.parquet")):
        parts = [
            f"SELECT CAST({ix} AS UINTEGER) AS system_ix, * FROM read_parquet({quoted(place / table)})" for ix, place in enumerate(places)
        ]
        connection.execute(f"CREATE VIEW snapshot_{table} AS " + " UNION ALL ".join(parts))
    for path in sorted(folder.glob("*.parquet")):
        connection.execute(f"CREATE VIEW {path.stem} AS SELECT * FROM read_parquet({quoted(path.with_suffix(''))})")
    for name, text in statements(folder / "views.sql", "view").items():
        connection.execute(f"CREATE VIEW {name} AS {text}")
    return connection


def quoted(path):
    return "'" + str(path).replace("'", "''") + ".parquet'"


def multiset(connection, sql):
    """(columns, rows as a multiset). Integers compare by value, instants by microseconds."""
    described = connection.execute(f"DESCRIBE {sql}").fetchall()
    columns = [(name, kind) for name, kind, *_ in described]
    select = ", ".join(f'epoch_us("{n}") AS "{n}"' if k.startswith("TIMESTAMP") else f'"{n}"' for n, k in columns)
    rows = connection.execute(f"SELECT {select} FROM ({sql})").fetchall()
    return [family(*c) for c in columns], collections.Counter(tuple(cell(v) for v in row) for row in rows)


def family(name, kind):
    for word, of in (("INT", "integer"), ("DECIMAL", "integer"), ("TIMESTAMP", "instant"), ("DOUBLE", "double"), ("FLOAT", "double")):
        if word in kind:
            return f"{name}: {of}"
    return f"{name}: {kind.lower()}"


def cell(value):
    # 1 = TRUE = 1.0 in Python; the sort of the value keeps them apart.
    return (type(value).__name__, f"{value:.12g}" if isinstance(value, float) else value)


def compare(what, connection, ours, theirs):
    """Asserts that two queries give the same columns and the same multiset of rows; returns how many rows."""
    our_columns, our_rows = multiset(connection, ours)
    their_columns, their_rows = multiset(connection, theirs)
    equal(f"{what}: columns", our_columns, their_columns) if our_columns != their_columns else None
    more, fewer = our_rows - their_rows, their_rows - our_rows
    n = sum(our_rows.values())
    names = [c.split(":")[0] for c in our_columns]
    show = [f"{side} only ({sum(rows.values())}): {dict(zip(names, (v for _, v in next(iter(rows)))))}" for side, rows in (("holdover", more), ("DuckDB", fewer)) if rows]
    check(f"{what}: {n} rows, equal in DuckDB", not show, "\n      ".join(show))
    return n


# Columns of a check's row that are not evidence: the engine's own keys, and what findings hold in columns of their own.
KEYS = {"system_ix", "account_ix", "credential_ix", "identity_ix", "edge_ix", "request_system_ix", "revoke_request_system_ix", "outcome", "certainty", "since"}
OUTCOMES = ("unknown", "too_new", "not_yet_observable", "before_coverage")


def check_judged(connection, folder, checks):
    """What the run itself stored, computed part by part, equals what DuckDB's rows say over the whole: counts of every evaluated
    check and system, and the rows behind the findings of this run."""
    judged = "SELECT check_id, s.system_ix, o.* EXCLUDE check_id FROM outcomes o LEFT JOIN systems_seen s USING (system) WHERE outcome = 'evaluated'"
    stored = {(c, ix): counts for c, ix, *counts in connection.execute(f"SELECT check_id, system_ix, {', '.join(OUTCOMES)}, population FROM ({judged})").fetchall()}
    counted = {key: [0] * 5 for key in stored}
    found = set()
    for check_id, text in checks.items():
        columns, rows = multiset(connection, text)
        columns = [c.split(": ") for c in columns]
        at = [name for name, _ in columns].index("outcome")
        with_system = [i for i, (name, _) in enumerate(columns) if name == "system_ix"]
        for row, times in rows.items():
            values = [v for _, v in row]
            key = (check_id, values[with_system[0]] if with_system else None)
            if key not in counted:
                continue
            outcome = "unknown" if values[at] is None else values[at]
            counted[key][4] += times
            if outcome in OUTCOMES:
                counted[key][OUTCOMES.index(outcome)] += times
            elif outcome == "finding":
                named = {n: v for (n, _), v in zip(columns, values)}
                certainty = named.get("certainty") or "certain"
                found.add((check_id, certainty, evidence(named, {n for n, k in columns if k == "instant"})))
    differ = {key: {"holdover": stored[key], "DuckDB": counted[key]} for key in stored if list(stored[key]) != counted[key]}
    check(f"outcomes.parquet counts as DuckDB does: {len(stored)} checks by system", not differ, str(differ)[:2000])
    live = "state IN ('new', 'open', 'reopened', 'excepted')"
    kept = connection.execute(f"SELECT check_id, certainty, evidence FROM findings WHERE {live}").fetchall()
    kept = {(c, certainty, evidence(json.loads(text), set())) for c, certainty, text in kept}
    equal(f"the rows behind the run's {len(kept)} findings are DuckDB's", sorted(kept - found), [])
    equal("no finding of DuckDB's is missing", sorted(found - kept), [])


def evidence(columns, instants):
    """A check's row as text, whoever wrote it."""
    start = datetime.datetime(1970, 1, 1)
    shown = {}
    for name, value in columns.items():
        if name in KEYS:
            continue
        if name in instants and value is not None:
            text = (start + datetime.timedelta(microseconds=value)).isoformat()
            value = (text.rstrip("0") if "." in text else text) + "Z"
        shown[name] = cell(value)[1]
    return json.dumps(shown, sort_keys=True, ensure_ascii=False)


def recalculate(holdover, store, work, folder=None):
    """Every view and every check of one run (the newest), computed by DuckDB, equals what the binary computes. Rows
    by check."""
    folder = folder or newest_run(store)
    out = fresh(work / "recalculated")
    ran = run([holdover, "internal-recalculate", folder.name, out, "--store", store], work)
    equal(f"internal-recalculate {folder.name}", (ran.code, ran.err), (0, ""))
    connection = connect(store, folder)
    views, checks = statements(folder / "views.sql", "view"), statements(folder / "checks.sql", "check")
    for name in views:
        compare(f"view {name}", connection, f"SELECT * FROM read_parquet({quoted(out / f'view-{name}')})", f"SELECT * FROM {name}")
    rows = {
        name: compare(f"check {name}", connection, f"SELECT * FROM read_parquet({quoted(out / f'check-{name}')})", text)
        for name, text in checks.items()
    }
    check_judged(connection, folder, checks)
    connection.close()
    known = run([holdover, "checks", "list", "--format", "json"], work)
    known = sorted(c["id"] for c in json.loads(known.out)["checks"])
    equal(f"every check was compared: {len(checks)} checks, {sum(rows.values())} rows; {len(views)} views", sorted(checks), known)
    equal("the binary wrote no other check", sorted(p.stem.removeprefix("check-") for p in out.glob("check-*")), known)
    return rows
