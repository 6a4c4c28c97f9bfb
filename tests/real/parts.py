#!/usr/bin/env python3
"""11.1: same inputs, same bytes, for any number of threads, any size of the parts that the checks go over, and whether large tables are held in
memory or read as they are asked for: the demo's store, and made-up worlds.

    python3 tests/real/parts.py --holdover BIN --work DIR [--worlds 3] [--seed 1]
"""

import datetime
import itertools
import shutil

import common
import determinism
import worlds

THREADS, PARTITIONS, HELD = (1, 2), (1, 7, 1000, 65536), (0, None)
# A week's run after the newest one, which every setting makes anew.
AS_OF = "2026-11-22T07:00:00Z"


def settings():
    """Flags by a name for each; the first is what everybody else must equal."""
    for threads, partition, held in itertools.product(THREADS, PARTITIONS, HELD):
        flags = ["--threads", threads, "--partition", partition] + (["--held-rows", held] if held is not None else [])
        yield f"threads {threads}, {partition} accounts a part, {'default' if held is None else held} rows held", flags


def audited(args, folder, flags):
    """Digests of the run that an audit adds, what it prints, and its exit code. The run is taken away again."""
    before = set((folder / "store" / "runs").iterdir())
    ran = common.run([args.holdover, "audit", "--no-import", "--as-of", AS_OF, "--format", "json", *flags], folder)
    if ran.code not in (0, 1, 3):
        common.check(f"an audit with {flags}", False, f"exit {ran.code}\n{ran.text}")
    (new,) = set((folder / "store" / "runs").iterdir()) - before
    found = determinism.files(new)
    shutil.rmtree(new)
    return {**found, "run": new.name, "standard output": ran.out, "exit code": ran.code}


def same_in_all(what, args, folder):
    first = None
    for name, flags in settings():
        found = audited(args, folder, flags)
        first = first or found
        differ = sorted(k for k in first.keys() | found.keys() if first.get(k) != found.get(k))
        common.equal(f"{what}, {name}: {len(found)} files and texts, which differ", differ, [])
    common.check(f"{what}: the run has findings", "findings.parquet" in first and '"findings"' in first["standard output"])


def main():
    parser = common.arguments(__doc__)
    parser.add_argument("--worlds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    args = common.parsed(parser)
    demo = args.work / "demo"
    shutil.rmtree(demo, ignore_errors=True)
    ran = common.run([args.holdover, "demo", demo], args.work)
    common.check(f"demo: exit {ran.code}", ran.code == 0, ran.err)
    same_in_all("demo", args, demo)
    for seed in range(args.seed, args.seed + args.worlds):
        folder = common.fresh(args.work / f"world-{seed}")
        worlds.make(folder, seed)
        ran = common.run([args.holdover, "import"], folder)
        common.check(f"world {seed}: import exits {ran.code}", ran.code == 3, ran.err)  # `app-b` is short
        worlds.riddle(folder / "store", seed)
        for week in worlds.WEEKS[1:]:
            at = (week + datetime.timedelta(hours=6)).isoformat() + "Z"
            ran = common.run([args.holdover, "audit", "--no-import", "--as-of", at, "--format", "csv"], folder)
            common.check(f"world {seed}, audit as of {at}: exit {ran.code}", ran.code in (0, 1, 3), ran.err)
        same_in_all(f"world {seed}", args, folder)


if __name__ == "__main__":
    main()
