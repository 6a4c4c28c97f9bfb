"""The files of one run as DuckDB sees them."""

import json
import resource
import sys
import time
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "real"))
import common  # noqa: E402


class Clock:
    """Wall and processor time, all threads, since it was made."""

    def __init__(self):
        self.wall, self.cpu = time.perf_counter(), spent()

    def told(self):
        return {"wall": time.perf_counter() - self.wall, "cpu": spent() - self.cpu}


def spent():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def connect(threads, spill, database=":memory:"):
    connection = duckdb.connect(str(database))
    settings = {"TimeZone": "'UTC'", "threads": threads, "temp_directory": quoted(spill), "enable_progress_bar": "false"}
    # What is written is a set of rows; the footers of the files are read once.
    settings |= {"preserve_insertion_order": "false", "parquet_metadata_cache": "true"}
    for name, value in settings.items():
        connection.execute(f"SET {name} = {value}")
    return connection


def quoted(text):
    return "'" + str(text).replace("'", "''") + "'"


class Estate:
    """The files of one run: the tables of its snapshots, and its own."""

    def __init__(self, store, run):
        self.run = Path(run)
        stated = json.loads((self.run / "run.json").read_text(encoding="utf-8"))
        self.snapshots = [Path(store) / "snapshots" / s["system"] / s["snapshot"] for s in stated["snapshots"]]
        self.views = common.statements(self.run / "views.sql", "view")
        self.checks = common.statements(self.run / "checks.sql", "check")

    def tables(self):
        """Name of each table of `views.sql` and of the checks, with the query that reads it."""
        for table in sorted(p.stem for p in self.snapshots[0].glob("*.parquet")):
            # A constant for each file: DuckDB plans better with it than with the place of a file in a list.
            files = [f"SELECT CAST({ix} AS UINTEGER) AS system_ix, * FROM read_parquet({quoted(place / f'{table}.parquet')})" for ix, place in enumerate(self.snapshots)]
            yield f"snapshot_{table}", " UNION ALL ".join(files)
        for path in sorted(self.run.glob("*.parquet")):
            yield path.stem, f"SELECT * FROM read_parquet({quoted(path)})"

    def open(self, connection):
        for name, query in self.tables():
            connection.execute(f"CREATE VIEW {name} AS {query}")
        for name, text in self.views.items():
            connection.execute(f"CREATE VIEW {name} AS {text}")
