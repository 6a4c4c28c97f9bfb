"""The measurements at one size: the estate, holdover and DuckDB in turn over the same files, and whether they found the same."""

import json
import re
import shutil
import sys
from math import inf
from pathlib import Path

import measure

HERE = Path(__file__).resolve().parent
# Clean, findings, and sources that a made-up estate leaves out.
AUDITED = (0, 1, 3)
# Ways of DuckDB to answer: over views, or with those that several checks read stored as tables.
WAYS = ("views", "tables")
# Tables whose rows are removable edges.
EDGES = ("memberships", "grants")
# Tables that `diff` compares.
COMPARED = ("accounts", "groups", "entitlements", "statements", "credentials", "memberships", "grants")


def number(size):
    """`10m` as a number."""
    parts = re.fullmatch(r"(\d+)([km]?)", size.lower())
    if not parts:
        raise SystemExit(f"`{size}` is no size: write 1m, 10m or 100m")
    return int(parts[1]) * {"": 1, "k": 1_000, "m": 1_000_000}[parts[2]]


class Bench:
    def __init__(self, args, size):
        self.args, self.size = args, size
        self.folder = args.work / f"size-{size}"
        self.scratch = fresh(self.folder / "scratch")
        if args.estate:
            self.config, self.as_of, self.made = args.estate / "holdover.toml", args.as_of, None
        else:
            self.made = self.generated()
            self.config, self.as_of = self.folder / "estate" / "holdover.toml", self.made["as_of"]
        self.store = self.config.parent / "store"
        self.old_runs = set(self.runs())
        listed = json.loads(self.holdover("checks", "list", "--format", "json").out)["checks"]
        self.kinds = {c["id"]: c["subject"] for c in listed}
        self.local = {c["id"] for c in listed if c["partition_local"]}

    def generated(self):
        """Makes the estate, once for each way to make it."""
        edges, note, estate = number(self.size), self.folder / "estate.json", self.folder / "estate"
        options = ["--accounts", edges // 10, "--access", edges, "--identities", max(edges // 100, 1)]
        options += ["--systems", self.args.systems, "--snapshots", 2, "--seed", self.args.seed]
        asked = [str(o) for o in options] + [self.holdover("--version").out.strip()]
        if note.exists() and (made := json.loads(note.read_text()))["asked"] == asked:
            return made
        fresh(estate)
        cost = self.holdover("generate", estate / "store", *options, "--threads", self.args.threads)
        as_of = re.search(r"--as-of[ =](\S+)", cost.out + cost.err)[1].strip("`'\".,)")
        made = {"asked": asked, "as_of": as_of, "wall": cost.wall, "rss": cost.rss}
        note.write_text(json.dumps(made))
        return made

    def measured(self):
        threads = self.args.threads
        result = {"threads": threads, "estate": self.counted(), "holdover": self.holdover("--version").out.strip()}
        result["generate"] = self.made and {k: self.made[k] for k in ("wall", "rss")}
        # A first round fills the page cache, and its findings are compared.
        self.run = self.scratch / "run"
        self.audited(self.config, threads, keep=self.run)
        evaluated = self.duck("evaluated", run=self.run)
        local = [check for check in evaluated if check in self.local]
        result["checks"] = {"evaluated": evaluated, "partition_local": local}
        first = {way: self.checked(way, evaluated) for way in WAYS if way not in self.args.leave_out}
        unanswered = sorted({check for way in first.values() for check in way["unanswered"]})
        result["findings"] = self.compared(first) | {"unanswered": unanswered} if first else None
        unstored = not_worth(first) if "tables" in first else ()
        floor, narrow = self.listed("floor", self.duck("columns", store=self.store, run=self.run, ids=local)), self.narrowed(evaluated, local)
        system, both = self.twice()
        compared = self.listed("compared", both)
        measures = {
            "local": lambda: self.audited(narrow, threads),
            **{way: lambda way=way: self.checked(way, local, unstored) for way in first},
            "floor": lambda: self.decoded(floor),
            "floor, coded": lambda: self.decoded(floor, "--coded"),
            "audit": lambda: self.audited(self.config, threads),
            "one thread": lambda: self.audited(self.config, 1),
            "join": lambda: self.duck("join", store=self.store, run=self.run, threads=threads),
        }
        if system:
            measures["diff"] = lambda: self.differed(system)
            measures["diff floor"] = lambda: self.decoded(compared)
        if self.args.check:
            result["measured"] = {**first, **{name: measures[name]() for name in ("floor", "join", "diff", "diff floor") if name in measures}}
        else:
            measures = {name: measure_it for name, measure_it in measures.items() if name not in self.args.leave_out}
            if self.args.repeat == 1 and "views" in first:
                # The round whose findings were compared read the same files before: at 100 M edges each further one takes minutes.
                measures["views"] = lambda: of_checks(first["views"], local)
            rounds = [{name: measure_it() for name, measure_it in measures.items()} for _ in range(self.args.repeat)]
            result["measured"] = {name: min((r[name] for r in rounds), key=lambda one: one["wall"]) for name in measures}
        shutil.rmtree(self.scratch)
        narrow.unlink()
        return result

    def counted(self):
        """Rows and bytes of the current snapshots: the newest of each system."""
        rows, size = {}, 0
        for folder in self.newest().values():
            for table in manifest(folder)["tables"]:
                rows[table["name"]] = rows.get(table["name"], 0) + table["rows"]
                size += table["bytes"]
        named = {"accounts": rows["accounts"], "identities": rows["identities"], "edges": sum(rows[t] for t in EDGES)}
        return {**named, "systems": len(self.newest()), "bytes": size}

    def newest(self, nth=1):
        """The folder of the nth newest snapshot of each system that has as many."""
        found = {}
        for system in sorted((self.store / "snapshots").iterdir()):
            snapshots = sorted(system.iterdir())
            found |= {system.name: snapshots[-nth]} if len(snapshots) >= nth else {}
        return found

    def twice(self):
        """The system with the most edges that has two snapshots, and the tables of both that `diff` compares."""
        now, before = self.newest(), self.newest(2)
        edges = {system: sum(t["rows"] for t in manifest(now[system])["tables"] if t["name"] in EDGES) for system in before}
        system = max(edges, key=edges.get, default=None)
        if not system:
            return None, []
        return system, [{"path": str(folder / f"{t}.parquet")} for folder in (before[system], now[system]) for t in COMPARED]

    def narrowed(self, evaluated, local):
        """A configuration with nothing but the checks that go over parts."""
        text = self.config.read_text(encoding="utf-8")
        for check in sorted(self.kinds):
            if check not in local and f"[checks.{check}]" not in text:
                text += f'\n[checks.{check}]\nenabled = false\nreason = "not measured"\n'
        path = self.config.with_name("bench-local.toml")
        path.write_text(text, encoding="utf-8")
        return path

    def holdover(self, *arguments, okay=(0,), keep_output=True):
        return measure.run([self.args.holdover, *arguments], self.scratch, okay, keep_output)

    def audited(self, config, threads, keep=None):
        """What an audit cost, and its stages. Its run is moved to `keep` or dropped: one that is stored would not be written again."""
        as_of = ("--as-of", self.as_of) if self.as_of else ()
        command = ("audit", "--config", config, *as_of, "--no-import", "--threads", threads, "--timings=json")
        cost = self.holdover(*command, okay=AUDITED, keep_output=False)
        made = [run for run in self.runs() if run not in self.old_runs]
        if len(made) != 1:
            raise SystemExit(f"the audit left {len(made)} runs in `{self.store}`: name an instant of which there is none with --as-of")
        if keep:
            made[0].rename(keep)
        else:
            shutil.rmtree(made[0])
        return {**cost_of(cost), "stages": measure.timings(cost.err)}

    def differed(self, system):
        command = ("diff", system, "--config", self.config, "--format", "csv", "--threads", self.args.threads, "--timings=json")
        cost = self.holdover(*command, keep_output=False)
        # As of the decoding: without the start of the process.
        return {**cost_of(cost), "wall": measure.timings(cost.err)["total"]["wall_s"]}

    def runs(self):
        folder = self.store / "runs"
        return sorted(folder.iterdir()) if folder.is_dir() else []

    def duck(self, task, **arguments):
        """What DuckDB answers, in a process of its own, with the memory of that process."""
        asked, answer, spill = (self.scratch / name for name in ("asked.json", "answer.json", "spill"))
        if "threads" in arguments:
            arguments["spill"] = fresh(spill)
        asked.write_text(json.dumps(arguments, default=str), encoding="utf-8")
        cost = measure.run([sys.executable, HERE / "duck.py", task, asked, answer], self.scratch)
        said = json.loads(answer.read_text(encoding="utf-8"))
        return {**said, "rss": cost.rss, "anonymous": cost.anonymous} if "wall" in said else said

    def checked(self, way, ids, unstored=()):
        out = fresh(self.scratch / way)
        return self.duck("checks", store=self.store, run=self.run, ids=ids, way=way, threads=self.args.threads, out=out, unstored=unstored)

    def compared(self, ways):
        """The findings of DuckDB's ways beside the run's."""
        of = lambda way: self.duck("same", store=self.store, run=self.run, out=self.scratch / way, kinds=self.kinds, threads=self.args.threads)
        said = [of(way) for way in ways]
        # The way that differs, if one does.
        return min(said, key=lambda one: one["equal"])

    def listed(self, name, wanted):
        path = self.scratch / f"{name}.json"
        path.write_text(json.dumps(wanted), encoding="utf-8")
        return path

    def decoded(self, wanted, *more):
        cost = self.holdover("internal-decode", wanted, *more, "--threads", self.args.threads, "--timings=json")
        stage = measure.timings(cost.err)["decode"]
        return {**cost_of(cost), "wall": stage["wall_s"], "cpu": stage["cpu_s"], "decoded": json.loads(cost.out)}


def of_checks(way, ids):
    """What a way of DuckDB took for some of its checks."""
    checks = {check: way["checks"][check] for check in ids if check not in way["unanswered"]}
    return {**way, "checks": checks, **{of: sum(one[of] for one in (way["setup"], *checks.values())) for of in ("wall", "cpu")}}


def not_worth(first):
    """Views that DuckDB is not asked to store again: storing one took longer than all the checks that read it take without."""
    tables, walls = first["tables"], {check: one["wall"] for check, one in first["views"]["checks"].items()}
    # A check that was not answered over views took for ever.
    return [view for view, cost in tables["stored"].items() if cost["wall"] > sum(walls.get(check, inf) for check in tables["readers"][view])]


def cost_of(cost):
    return {"wall": cost.wall, "cpu": cost.cpu, "rss": cost.rss, "anonymous": cost.anonymous}


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def fresh(folder):
    """The folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
