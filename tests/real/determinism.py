#!/usr/bin/env python3
"""11.1: same inputs, same bytes: into two fresh stores, with one thread and with two, and once more into the first store.

    python3 tests/real/determinism.py --holdover BIN --work DIR
"""

import hashlib
import shutil

import common

OUTPUT = ("findings.parquet", "report.json", "findings.csv", "findings.spreadsheet.csv", "report.html", "summary.json")
# The newest week of the demo, an hour after the demo's own last audit.
AS_OF = "2026-11-22T07:00:00Z"


def files(store):
    """Digest of every file of a store but its lock, by path."""
    found = (p for p in sorted(store.rglob("*")) if p.is_file() and p.name != "lock")
    return {str(p.relative_to(store)): hashlib.sha256(p.read_bytes()).hexdigest() for p in found}


def same(what, one, other):
    differ = sorted(p for p in one.keys() | other.keys() if one.get(p) != other.get(p))
    common.equal(f"{what}: {len(one)} files, which differ", differ[:10], [])


def main():
    args = common.parsed(common.arguments(__doc__))
    one, two, moved = args.work / "one", args.work / "two", args.work / "elsewhere" / "x y"

    def run(what, *command, codes):
        ran = common.run([args.holdover, *command], args.work)
        common.check(f"{what}: exit {ran.code}", ran.code in codes, ran.err)
        return ran

    for folder, threads in ((one, 1), (two, 2)):
        shutil.rmtree(folder, ignore_errors=True)
        run(f"demo with {threads} threads", "demo", folder, "--threads", threads, codes=(0,))
    exports = {n: d for n, d in files(one).items() if not n.startswith("store/")}
    same("exports of the generator", exports, {n: d for n, d in files(two).items() if not n.startswith("store/")})
    stores = files(one / "store")
    same("stores", stores, files(two / "store"))
    for name in OUTPUT:
        runs = [n for n in stores if n.startswith("runs/") and n.endswith(f"/{name}")]
        common.check(f"{name}: in each of {len(runs)} runs", len(runs) == len(list((one / "store" / "runs").iterdir())))

    audit = ("audit", "--as-of", AS_OF, "--format", "json")
    outs = [run(f"a further audit of store {f.name}", *audit, "--config", f / "holdover.toml", "--threads", t, codes=(0, 1, 3)).out for f, t in ((one, 2), (two, 1))]  # fmt: skip
    common.check("the same JSON on standard output", outs[0] == outs[1])
    stores = files(one / "store")
    same("stores after it", stores, files(two / "store"))
    again = run("the same audit into the same store", *audit, "--config", one / "holdover.toml", codes=(0, 1, 3)).out
    common.check("the same JSON again", again == outs[0])
    same("the store is untouched", stores, files(one / "store"))

    # A fresh store in another folder, filled from the same exports in one go: no place and no history of commands shows.
    shutil.rmtree(moved, ignore_errors=True)
    shutil.copytree(one, moved, ignore=lambda folder, names: ["store"] if folder == str(one) else [])
    weeks = sorted({n.split("/")[1] for n in stores if n.startswith("runs/")})
    common.check(f"{len(weeks)} runs to make again", len(weeks) > 1)
    for week in weeks:
        at = f"{week[0:4]}-{week[4:6]}-{week[6:8]}T{week[9:11]}:{week[11:13]}:{week[13:15]}Z"
        ran = common.run([args.holdover, "audit", "--as-of", at], moved)
        common.check(f"audit as of {at} elsewhere: exit {ran.code}", ran.code in (0, 1, 3), ran.err)
    same("the store made elsewhere", stores, files(moved / "store"))


if __name__ == "__main__":
    main()
