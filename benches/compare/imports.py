"""What it costs to import large files, and what DuckDB's COPY makes of the same CSV."""

import json
import shutil
import sys
from pathlib import Path

import measure
from sizes import cost_of, fresh

HERE = Path(__file__).resolve().parent
MAPPING = ["--timezone", "UTC", "--option", "table=accounts"] + [
    part
    for field in ("native_id", "login", "display_name", "email", "status", "created_at", "last_used_at")
    for part in ("--option", f"columns.{field}={field}")
] + ["--option", 'columns.entitlement={ column = "rights", split = ";" }']  # fmt: skip
# What is imported: connector, file, further arguments.
FILES = {"GAAD": ("aws-iam", "gaad.json", []), "LDIF": ("ldif", "ad.ldif", []), "CSV": ("tabular", "accounts.csv", MAPPING)}


def imports(args):
    """By format: the cost of one import, its bytes, and of CSV what COPY to Parquet takes."""
    found = {}
    for name, (connector, file, more) in FILES.items():
        folder = fresh(args.work / "native")
        path = folder / file
        # By a process of its own: what it holds would be the floor of what the kernel reports for the import.
        measure.run([sys.executable, HERE / "native.py", path, args.native_bytes], folder)
        rounds, copies = [], []
        for _ in range(args.repeat):
            store = folder / "store"
            shutil.rmtree(store, ignore_errors=True)
            command = [args.holdover, "import", "--store", store, "--connector", connector, "--system", "measured", "--taken-at", "2026-11-22T00:00:00Z"]
            cost = measure.run([*command, *more, "--threads", args.threads, path], folder)
            rounds.append({**cost_of(cost), "said": cost.out.strip().splitlines()[0]})
            if name == "CSV":
                copies.append(copied(args, folder, path))
        found[name] = {**min(rounds, key=lambda one: one["wall"]), "bytes": path.stat().st_size}
        if copies:
            found[name]["copy"] = min(copies, key=lambda one: one["wall"])
        shutil.rmtree(folder)
    return found


def copied(args, folder, path):
    asked, answer, out = folder / "asked.json", folder / "answer.json", fresh(folder / "copied")
    told = {"file": str(path), "out": str(out), "threads": args.threads, "spill": str(folder / "spill")}
    asked.write_text(json.dumps(told), encoding="utf-8")
    measure.run([sys.executable, HERE / "duck.py", "copy", asked, answer], folder)
    return json.loads(answer.read_text(encoding="utf-8"))
