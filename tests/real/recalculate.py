#!/usr/bin/env python3
"""A run's views and checks, recalculated by DuckDB from the stored Parquet and the stored SQL text, give the same rows.

    python3 tests/real/recalculate.py --holdover BIN --work DIR [--store STORE]

Without a store: the demo's. Needs the Python packages `duckdb` and `pyarrow`.
"""

from pathlib import Path

import common


def main():
    parser = common.arguments(__doc__)
    parser.add_argument("--store", type=Path, help="a store with a run [default: the demo's]")
    args = common.parsed(parser)
    if args.store is None:
        demo = common.fresh(args.work / "demo")
        ran = common.run([args.holdover, "demo", demo], args.work)
        common.check(f"demo exits {ran.code}", ran.code in (0, 4), ran.err)
        args.store = demo / "store"
    common.check_parquet(args.store)
    common.recalculate(args.holdover, args.store.resolve(), args.work)


if __name__ == "__main__":
    main()
