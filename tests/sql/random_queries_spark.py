#!/usr/bin/env python3
"""Runs the queries that `holdover internal-random-queries DIR` wrote on Spark, all in one session, and compares the rows as multisets.

    pip install pyspark
    holdover internal-random-queries DIR --seed 2 --queries 300
    python3 tests/sql/random_queries_spark.py DIR [--show 5]

Exit 0: every query gave equal rows, or an error on both sides. Exit 1 otherwise. Needs Java 17 or newer.
"""

import argparse
import collections
import decimal
import json
import logging
import pathlib
import sys

from pyspark.errors import AnalysisException, ParseException, PySparkException
from pyspark.sql import SparkSession

from random_queries import rows_of

# As `src/engine/spark/script.rs` sets them, for the meaning; the rest is for small tables.
SETTINGS = {
    "spark.sql.variable.substitute": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    "spark.sql.ansi.enforceReservedKeywords": "false",
    "spark.sql.parser.escapedStringLiterals": "false",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.adaptive.enabled": "false",
    # Compiling code for every query would take most of the time; every fourth world is asked with it all the same.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.catalogImplementation": "in-memory",
}


def session(folder):
    builder = SparkSession.builder.master("local[2]").appName("random-queries").config("spark.sql.warehouse.dir", str(folder / "warehouse"))
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    # Overflows are expected, and are compared below.
    logging.getLogger("SQLQueryContextLogger").disabled = True
    return spark


def whole(value):
    """Unsigned numbers of 64 bits are decimals without a fraction in Spark."""
    return int(value) if isinstance(value, decimal.Decimal) and value == int(value) else value


def ask(spark, sql):
    """(rows, None), or (None, error) where the data are at fault. A text that is refused is never right."""
    try:
        return rows_of([[whole(v) for v in row] for row in spark.sql(sql).collect()]), None
    except (ParseException, AnalysisException) as error:
        return rows_of([["refused by Spark", str(error)]]), None
    except PySparkException as error:
        return None, str(error).split("\n")[0]


def worlds(spark, folder):
    for number, world in enumerate(sorted(folder.glob("world-*"))):
        spark.conf.set("spark.sql.codegen.wholeStage", str(number % 4 == 0).lower())
        spark.conf.set("spark.sql.codegen.factoryMode", "FALLBACK" if number % 4 == 0 else "NO_CODEGEN")
        for table in sorted(world.glob("*.parquet")):
            spark.read.parquet(str(table)).createOrReplaceTempView(table.stem)
        for line in (world / "queries.jsonl").read_text(encoding="utf-8").split("\n"):
            if line:
                yield world.name, json.loads(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--show", type=int, default=5, help="differences to print")
    options = parser.parse_args()
    spark = session(options.folder.resolve())
    counts = collections.Counter()
    differences = []
    for world, query in worlds(spark, options.folder):
        rows, error = ask(spark, query["sql"])
        ours = rows_of(query["rows"]) if "rows" in query else None
        counts["queries"] += 1
        counts["with rows"] += bool(ours and ours == rows)
        counts["errors on both sides"] += ours is None and rows is None
        if ours != rows:
            differences.append((world, query, ours, rows, error))
    for world, query, ours, rows, error in differences[: options.show]:
        print(f"-- {world}, query {query['id']}\n{query['sql']}")
        print(f"  holdover: {query.get('error', 'rows')}\n  Spark:    {error or 'rows'}")
        ours, rows = ours or collections.Counter(), rows or collections.Counter()
        for name, more in (("holdover", ours - rows), ("Spark", rows - ours)):
            print(f"  only {name}: {list(more.items())[:5]}")
    spark.stop()
    print(f"Spark {spark.version}: {dict(counts)}, {len(differences)} differ")
    sys.exit(1 if differences or counts["with rows"] == 0 else 0)


if __name__ == "__main__":
    main()
