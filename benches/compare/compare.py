"""holdover beside DuckDB on a made-up estate, and holdover beside its own targets.

    benches/compare/run --size 1m|10m|100m[,…] | --estate DIR [--repeat N] [--holdover BIN] [--work DIR] [--json OUT] [--check] [--write-docs]

Builds holdover unless one is given, makes the estate, runs both alternately with the same number of threads on the same files,
compares their findings row for row, and prints each target beside what was measured. Ends with 1 if the findings differ. What
was measured is kept in `WORK/results.json`, so that sizes may be measured one after another.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import measure
import report
from imports import imports
from sizes import Bench

PROJECT = Path(__file__).resolve().parents[2]


def main():
    args = arguments()
    args.work.mkdir(parents=True, exist_ok=True)
    kept = args.work / "results.json"
    results = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {"sizes": {}, "once": {}}
    results["machine"] = measure.machine(args.work)
    if args.holdover is None:
        args.holdover, took = built(args)
        results["once"] |= {"build": {"wall": took}} if took is not None else {}
    differ = []
    for size in args.size:
        print(f"== {size}", flush=True)
        results["sizes"][size] = one = Bench(args, size).measured()
        save(kept, results)
        if one["findings"] is None:
            # DuckDB was left out.
            continue
        differ += [size] if not one["findings"]["equal"] else []
        if not one["findings"]["findings"]:
            sys.exit("the run has no finding, so nothing was compared")
    if not args.check and not args.only_sizes:
        results["once"] |= once(args)
        save(kept, results)
    print(report.terminal(results, args.size))
    if args.json:
        save(args.json, results)
    if args.write_docs:
        report.write_page(PROJECT / "docs" / "performance.md", results)
    if differ:
        sys.exit(f"the findings of holdover and DuckDB differ at {', '.join(differ)}")


def arguments():
    parser = argparse.ArgumentParser(prog="benches/compare/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = lambda text: text.split(",")
    parser.add_argument("--size", type=sizes, help="edges: 1m, 10m, 100m or any such number; several with commas between")
    parser.add_argument("--repeat", type=int, default=3, help="rounds; of each figure the least counts [3]")
    parser.add_argument("--holdover", type=Path, help="the binary; without it, it is built from this folder")
    parser.add_argument("--work", type=Path, help="folder for estates and results [below the cache folder]")
    parser.add_argument("--json", type=Path, help="write the results there, too")
    parser.add_argument("--check", action="store_true", help="one quick round: equal findings are asserted, speed is not looked at")
    parser.add_argument("--leave-out", action="append", default=[], metavar="NAME", help="do not measure this, as `one thread`, `views` or `tables` (the ways of DuckDB): at 100 M edges each takes minutes")
    parser.add_argument("--only-sizes", action="store_true", help="leave out what depends on no size: the demo and the imports")
    parser.add_argument("--write-docs", action="store_true", help="write the tables of docs/performance.md")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=20261122, help="of the made-up estate")
    parser.add_argument("--systems", type=int, default=8)
    parser.add_argument("--estate", type=Path, help="folder with a holdover.toml and its store, instead of a made-up one")
    parser.add_argument("--as-of", help="with --estate: instant of the audit [its newest snapshot]")
    parser.add_argument("--native-bytes", type=int, default=1_000_000_000, help="size of the files for the import figures")
    parser.add_argument("--cache", type=Path, required=True, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if (args.size is None) == (args.estate is None):
        parser.error("name either --size or --estate")
    args.size = args.size or [args.estate.resolve().name]
    args.work = (args.work or args.cache / "work").resolve()
    args.holdover = args.holdover and args.holdover.resolve()
    args.estate = args.estate and args.estate.resolve()
    return args


def built(args):
    """The binary, and how long a build from nothing took; `None`: something was there already."""
    target = args.cache / "target"
    binary, fresh = target / "release" / "holdover", not target.exists()
    print("== build", flush=True)
    began = time.monotonic()
    subprocess.run(["cargo", "build", "--release"], cwd=PROJECT, env={**os.environ, "CARGO_TARGET_DIR": str(target)}, check=True)
    return binary, time.monotonic() - began if fresh else None


def once(args):
    """What does not depend on the size of an estate."""
    demo = args.work / "demo"
    walls = []
    for _ in range(args.repeat):
        shutil.rmtree(demo, ignore_errors=True)
        walls.append(measure.run([args.holdover, "demo", demo, "--threads", args.threads], args.work).wall)
    shutil.rmtree(demo, ignore_errors=True)
    return {"demo": {"wall": min(walls)}, "import": imports(args)}


def save(path, results):
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
