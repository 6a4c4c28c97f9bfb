"""Whether DuckDB's findings are those of a run, row for row."""

import hashlib
import json
from pathlib import Path

from estate import Estate, common, connect, quoted

LIVE = "('new', 'open', 'reopened', 'excepted')"

# How the subjects of one kind are named, as holdover names them: by native ids instead of ordinals.
EDGE = "COALESCE(a.native_id, h.native_id, m.principal_ref, x.principal_ref) || ' -> ' || COALESCE(t.native_id, e.native_id)"
OF_EDGE = """
LEFT JOIN snapshot_memberships m ON f.edge = 'membership' AND m.system_ix = f.system_ix AND m.membership_ix = f.edge_ix
LEFT JOIN snapshot_grants x ON f.edge = 'grant' AND x.system_ix = f.system_ix AND x.grant_ix = f.edge_ix
LEFT JOIN snapshot_accounts a ON a.system_ix = f.system_ix AND a.account_ix = COALESCE(m.account_ix, x.account_ix)
LEFT JOIN snapshot_groups h ON h.system_ix = f.system_ix AND h.group_ix = COALESCE(m.member_group_ix, x.group_ix)
LEFT JOIN snapshot_groups t ON t.system_ix = f.system_ix AND t.group_ix = m.group_ix
LEFT JOIN snapshot_entitlements e ON e.system_ix = f.system_ix AND e.entitlement_ix = x.entitlement_ix"""
OF_ACCOUNT = "LEFT JOIN snapshot_accounts b ON b.system_ix = f.system_ix AND b.account_ix = f.account_ix"
OF_CREDENTIAL = "LEFT JOIN snapshot_credentials c ON c.system_ix = f.system_ix AND c.credential_ix = f.credential_ix"
SUBJECTS = {
    "account": ("b.native_id", OF_ACCOUNT),
    "credential": ("c.native_id", OF_CREDENTIAL),
    "edge": (EDGE, OF_EDGE),
    "identity": ("i.identity", "LEFT JOIN identities_seen i ON i.identity_ix = f.identity_ix"),
    "source": ("f.system", ""),
    "exception": ("f.exception", ""),
    "rule": ("f.subject", ""),
    # It names the edge that it left behind, else the account.
    "request": (f"f.request || ': ' || COALESCE({EDGE}, b.native_id)", f"{OF_ACCOUNT} {OF_EDGE}"),
}
# What is found in one system; the others name an authority, a source, or nothing.
OF_SYSTEM = ("account", "credential", "edge", "request")


def same(store, run, out, kinds, threads, spill):
    """Compares (check, system, subject, certainty, evidence) of the findings that `checks` left in `out` with those of the run, and how often
    each check gave each outcome in each system. `kinds`: what each check is about.

    DuckDB's count only where the run asked the check: a system whose export does not speak of it is not evaluated.
    """
    estate = Estate(store, run)
    connection = connect(threads, spill)
    estate.open(connection)
    asked = set(connection.execute("SELECT check_id, system FROM outcomes WHERE outcome = 'evaluated'").fetchall())
    # Those that DuckDB answered.
    checks = sorted(path.stem for path in Path(out).glob("*.parquet"))
    sides = {
        "duckdb": lambda: duckdb_found(connection, out, {check: kinds[check] for check in checks}, asked),
        "holdover": lambda: holdover_found(connection, checks),
    }
    digests = {side: {digest(row) for row in rows()} for side, rows in sides.items()}
    one, other = digests.values()
    counts = {"duckdb": duckdb_counts(connection, estate, checks, asked), "holdover": holdover_counts(connection, checks)}
    # Only if something differs is everything looked at again, for some examples.
    differ = {side: [row for row in rows() if digest(row) in one ^ other] for side, rows in sides.items()} if one != other else {}
    return {
        "findings": len(digests["holdover"]),
        "digests": {side: together(of) for side, of in digests.items()},
        "equal": one == other and counts["duckdb"] == counts["holdover"],
        "counts": sum(counts["holdover"].values()),
        "other_counts": [[*key, {side: of.get(key, 0) for side, of in counts.items()}] for key in differing(*counts.values())][:5],
        "only": {side: {"count": len(rows), "examples": rows[:5]} for side, rows in differ.items()},
    }


def duckdb_found(connection, out, kinds, asked):
    for check, kind in kinds.items():
        for system, *row in found(connection, Path(out) / f"{check}.parquet", kind):
            if (check, "*") in asked or (check, system) in asked:
                yield [check, system if kind in OF_SYSTEM else None, *row]


def holdover_found(connection, checks):
    ids = ", ".join(quoted(check) for check in checks)
    query = f"SELECT check_id, subject_kind, system, subject, certainty, evidence FROM findings WHERE state IN {LIVE} AND check_id IN ({ids})"
    for check, kind, system, subject, certainty, evidence in each(connection.execute(query)):
        yield [check, system if kind in OF_SYSTEM else None, subject, certainty, common.evidence(json.loads(evidence), set())]


OUTCOMES = ("unknown", "too_new", "not_yet_observable", "before_coverage")


def duckdb_counts(connection, estate, checks, asked):
    """How often each check gave each outcome in each system, or in all of them: `*`."""
    counts = {}
    for check in checks:
        names = [name for name, *_ in connection.execute(f"DESCRIBE {estate.checks[check]}").fetchall()]
        system = "s.system" if "system_ix" in names else "NULL"
        join = "LEFT JOIN systems_seen s ON s.system_ix = o.system_ix" if "system_ix" in names else ""
        query = f"SELECT {system}, COALESCE(outcome, 'unknown'), COUNT(*) FROM ({estate.checks[check]}) o {join} GROUP BY ALL"
        for system, outcome, rows in connection.execute(query).fetchall():
            outcome = outcome if outcome in OUTCOMES else "evaluated"
            system = "*" if (check, "*") in asked else system
            if (check, system) in asked:
                counts[check, system, outcome] = counts.get((check, system, outcome), 0) + rows
    return counts


def holdover_counts(connection, checks):
    ids = ", ".join(quoted(check) for check in checks)
    names = ("evaluated", *OUTCOMES)
    query = f"SELECT check_id, system, {', '.join(names)} FROM outcomes WHERE outcome = 'evaluated' AND check_id IN ({ids})"
    rows = connection.execute(query).fetchall()
    return {(check, system, name): n for check, system, *counts in rows for name, n in zip(names, counts) if n}


def differing(one, other):
    return sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))


def found(connection, path, kind):
    """System, subject, certainty and evidence of the findings of one file."""
    source = f"read_parquet({quoted(path)})"
    described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    names = [name for name, *_ in described]
    instants = {name for name, kind_of, *_ in described if kind_of.startswith("TIMESTAMP")}
    shown = [f'epoch_us(f."{n}")' if n in instants else f'f."{n}"' for n in names]
    subject, joins = SUBJECTS[kind]
    if kind == "request" and "edge_ix" not in names:
        subject, joins = "f.request || ': ' || b.native_id", OF_ACCOUNT
    system = "(SELECT s.system FROM systems_seen s WHERE s.system_ix = f.system_ix)" if "system_ix" in names else "NULL"
    query = f"SELECT {system}, {subject}, {', '.join(shown)} FROM {source} f {joins}"
    for system, subject, *values in each(connection.execute(query)):
        row = dict(zip(names, values))
        yield system, subject, row.get("certainty") or "certain", common.evidence(row, instants)


def each(cursor):
    while batch := cursor.fetchmany(10_000):
        yield from batch


def digest(row):
    return hashlib.sha256(json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass")).digest()[:16]


def together(digests):
    hashed = hashlib.sha256()
    for one in sorted(digests):
        hashed.update(one)
    return hashed.hexdigest()
