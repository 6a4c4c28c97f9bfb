#!/usr/bin/env python3
"""`holdover audit --engine spark` on a real Spark: the run is the embedded engine's, byte for byte.

    python3 tests/real/spark.py --holdover BIN --work DIR [--master MASTER]

Compared are the demo's newest audit and one of a made-up world of `worlds.py`, under two layouts of Spark's partitions; then what happens
when Spark is not there, fails, or is killed in the middle of its writing, and when holdover is. Needs the Python packages `pyspark`,
`duckdb` and `pyarrow`, and Java 17 or newer.
"""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import common
import worlds

# Few tasks, joins by broadcast, plans as they stand, nothing compiled; and many small tasks, joins by sorting, plans changed while they run, compiled.
WIDE = {
    "spark.sql.shuffle.partitions": 1,
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
SPLIT = {
    "spark.sql.shuffle.partitions": 3,
    "spark.sql.adaptive.coalescePartitions.enabled": "false",
    "spark.sql.autoBroadcastJoinThreshold": -1,
    "spark.sql.files.maxPartitionBytes": 16384,
    "spark.sql.files.openCostInBytes": 1024,
}
# Two cores and a minute: virtual machines that start fast.
SHORT = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
COMMON = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.executor.memory": "1g",
    "spark.driver.extraJavaOptions": SHORT,
    "spark.executor.extraJavaOptions": SHORT,
}


def home(work):
    """A Spark of one's own, so that what it leaves beside itself lies in the work folder: links to the installed package."""
    import pyspark

    installed = Path(pyspark.__file__).parent
    folder = common.fresh(work / "spark-home")
    for part in ("bin", "jars", "sbin", "data"):
        if (installed / part).exists():
            (folder / part).symlink_to(installed / part)
    common.check(f"pyspark {pyspark.__version__} has bin/spark-sql, and java is here", (folder / "bin/spark-sql").is_file() and shutil.which("java"))
    return folder


class Bench:
    def __init__(self, args):
        self.holdover, self.work, self.master = args.holdover, args.work, args.master
        self.home = home(args.work)
        self.seconds = []

    def command(self, at, layout=WIDE, more="", work=None):
        confs = " ".join(f"--conf '{k}={v}'" for k, v in {**COMMON, **layout}.items())
        out = [self.holdover, "audit", "--no-import", "--as-of", at, "--engine", "spark", "--spark-home", self.home]
        out += ["--spark-args", f"--master {self.master} {confs} {more}"]
        return out + (["--spark-work", work] if work else [])

    def same(self, what, folder, wanted, at, layout, work=None):
        """Makes the run again on Spark, and compares every file of it."""
        shutil.rmtree(folder / "store" / "runs" / wanted.name, ignore_errors=True)
        ran = common.run(self.command(at, layout, work=work), folder)
        self.seconds.append(ran.seconds)
        common.check(f"{what}: exit {ran.code} ({ran.seconds:.0f} s)", ran.code in (0, 1, 3), ran.err[-4000:])
        runs = folder / "store" / "runs"
        common.check(f"{what}: the same run id {wanted.name}", (runs / wanted.name).is_dir(), str(sorted(p.name for p in runs.iterdir())))
        rows(what, wanted, runs / wanted.name)
        want, got = digests(wanted), digests(runs / wanted.name)
        differ = sorted(n for n in want.keys() | got.keys() if want.get(n) != got.get(n))
        common.equal(f"{what}: {len(want)} files of the run, which differ", differ, [])


def digests(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def table(path, columns="*", where="true"):
    import duckdb

    rows = duckdb.connect().execute(f"SELECT {columns} FROM read_parquet(?) WHERE {where}", [str(path)]).fetchall()
    return [tuple(map(str, r)) for r in rows]


def rows(what, wanted, got):
    """Outcomes and findings row by row: says which row it is, before whole files are compared."""
    for name in ("outcomes", "findings"):
        want, have = (table(folder / f"{name}.parquet") for folder in (wanted, got))
        differ = [f"embedded {w}\n      Spark    {h}" for w, h in zip(want, have) if w != h][:3]
        common.check(f"{what}: {len(want)} rows of {name}, row for row", want == have, "\n      ".join(differ) or f"{len(have)} rows")


def found(run):
    """The checks of which this run itself found something."""
    live = "state IN ('new', 'open', 'reopened', 'excepted')"
    return {check for (check,) in table(run / "findings.parquet", "DISTINCT check_id", live)}


def moment(run):
    """The instant of a run, from its name."""
    day = run.name
    return f"{day[0:4]}-{day[4:6]}-{day[6:8]}T{day[9:11]}:{day[11:13]}:{day[13:15]}Z"


def without_newest(folder, to):
    """A copy of a folder with a store; the store's newest run, as it was made by the embedded engine."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(folder, to, symlinks=True)
    return common.newest_run(folder / "store")


def child(pid, seconds=60):
    """The process that holdover started."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        listed = Path(f"/proc/{pid}/task").glob("*/children")
        children = [c for path in listed for c in path.read_text().split()]
        if children:
            return int(children[0])
        time.sleep(0.05)
    common.check("holdover started a program", False)


def writing(results, seconds=180):
    """Waits until some results are whole and Spark is at others."""
    common.until("Spark writes", lambda: len(list(results.glob("*/_SUCCESS"))) >= 2, seconds)


def killed(bench, folder, wanted, at):
    """`kill -9` of Spark, then of holdover, in the middle of Spark's writing."""
    store = folder / "store"
    results = store / "tmp" / "spark" / "checks" / "results"
    shutil.rmtree(store / "runs" / wanted.name, ignore_errors=True)
    before = sorted(p.name for p in (store / "runs").iterdir())

    def kill_spark(process):
        spark = child(process.pid)
        writing(results)
        os.kill(spark, signal.SIGKILL)

    ran = common.run(bench.command(at), folder, kill_spark)
    common.check(f"kill -9 of Spark: exit {ran.code}", ran.code == 4 and "was ended by signal 9" in ran.err, ran.err[-2000:])
    common.check("what it had written is there and was not read", list(results.glob("*/_SUCCESS")))
    common.equal("no run is there", sorted(p.name for p in (store / "runs").iterdir()), before)

    spark = []

    def kill_holdover(process):
        spark.append(child(process.pid))
        common.until("the new Spark works", lambda: not list(results.glob("*/_SUCCESS")))
        writing(results)
        os.kill(process.pid, signal.SIGKILL)

    ran = common.run(bench.command(at), folder, kill_holdover)
    common.equal("kill -9 of holdover", ran.code, -signal.SIGKILL)
    ran = common.run([bench.holdover, "store", "verify", "--store", "store"], folder)
    common.check("the store is whole", ran.code == 0, ran.text)
    ran = common.run(bench.command(at), folder)
    common.check("while its Spark still writes, nobody else does", ran.code == 4 and "locked by another writer" in ran.err, ran.text)
    os.kill(spark[0], signal.SIGKILL)
    # Its first thread may be gone while others still hold the files open.
    common.until("that Spark let go of the store", lambda: free(store / "lock"))
    common.equal("no run is there", sorted(p.name for p in (store / "runs").iterdir()), before)


def free(lock):
    """Whether nobody holds a lock."""
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def failures(bench, folder, wanted, at):
    store = folder / "store"
    shutil.rmtree(store / "runs" / wanted.name, ignore_errors=True)
    before = sorted(p.name for p in (store / "runs").iterdir())
    path = {**os.environ, "PATH": "/nowhere"}
    path.pop("SPARK_HOME", None)
    ran = common.run([bench.holdover, "audit", "--no-import", "--as-of", at, "--engine", "spark"], folder, env=path)
    common.check("without a Spark: exit 4 and what to do", ran.code == 4 and "there is no `spark-sql`" in ran.err and "--spark-home" in ran.err, ran.text)
    ran = common.run([*bench.command(at)[:-1], "--master nonsense://here"], folder)
    common.check("a master that there is not: exit 4 and Spark's own words", ran.code == 4 and "  | Exception" in ran.err and "Master must" in ran.err, ran.text)
    own = common.fresh(folder / "own")
    text = (common.PROJECT / "src/checks/dormant_account.sql").read_text(encoding="utf-8").replace('id = "dormant-account"', 'id = "own"')
    (own / "own.sql").write_text(text.replace("SELECT a.system_ix", "SELECT 9223372036854775807 + CAST(a.account_ix AS BIGINT) AS over, a.system_ix", 1))
    ran = common.run([*bench.command(at), "--checks", "own"], folder)
    common.check("a check that overflows ends the script: exit 4", ran.code == 4 and "overflow" in ran.err.lower(), ran.text[-2000:])
    common.equal("no run is there", sorted(p.name for p in (store / "runs").iterdir()), before)
    ran = common.run([bench.holdover, "store", "verify", "--store", "store"], folder)
    common.check("the store is whole", ran.code == 0, ran.text)


def main():
    parser = common.arguments(__doc__)
    parser.add_argument("--master", default="local-cluster[2,1,2048]")
    parser.add_argument("--seed", type=int, default=3, help="of the made-up world")
    args = common.parsed(parser)
    began = time.monotonic()
    bench = Bench(args)
    demo = common.fresh(args.work / "demo")
    ran = common.run([args.holdover, "demo", demo], args.work)
    common.check(f"demo exits {ran.code}", ran.code == 0, ran.err)
    # Blanks and quotes in paths: the store lies in one of them, and so does what is handed over.
    folder = args.work / "a demo's copy 100%20"
    wanted = without_newest(demo, folder)
    at = moment(wanted)
    failures(bench, folder, wanted, at)
    killed(bench, folder, wanted, at)
    bench.same("the demo, after all that", folder, wanted, at, WIDE)
    left = sorted(str(p.relative_to(folder)) for p in (folder / "store" / "tmp").rglob("*") if p.is_file())
    common.equal("left in the store's tmp", left, [])

    world = common.fresh(args.work / "world")
    worlds.make(world, args.seed)
    ran = common.run([args.holdover, "import"], world)
    common.check(f"a world: import exits {ran.code}", ran.code == 3, ran.err)
    worlds.riddle(world / "store", args.seed)
    for week in worlds.WEEKS[1:]:
        instant = (week + worlds.datetime.timedelta(hours=6)).isoformat() + "Z"
        ran = common.run([args.holdover, "audit", "--as-of", instant], world)
        common.check(f"a world: audit of {week.date()} exits {ran.code}", ran.code in (1, 3), ran.err)
    copy = args.work / "world-copy"
    of_world = without_newest(world, copy)
    bench.same("a world, many small tasks", copy, of_world, moment(of_world), SPLIT, work=args.work / "handed over")
    left = sorted(p.name for p in (args.work / "handed over" / "holdover-spark").iterdir())
    common.equal("left in --spark-work", left, ["lock"])

    known = json.loads(subprocess.run([args.holdover, "checks", "list", "--format", "json"], check=True, capture_output=True).stdout)
    known = {c["id"] for c in known["checks"]}
    silent = sorted(known - found(wanted) - found(of_world))
    common.equal(f"checks without a finding in either ({len(known)} checks)", silent, [])
    print(f"audits on Spark took {', '.join(f'{s:.0f}' for s in bench.seconds)} s; all of it {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
