#!/usr/bin/env python3
"""Imports real lists of people, tickets and roles through the mappings in `docs/examples` and checks the stored rows against the files.

    python3 tests/real/tabular.py --holdover BIN --data DIR --work DIR

The lists are midPoint's demos (`DATA/hr/midpoint-*`), a Workday report (`DATA/hr/workday`), tickets of ServiceNow and Jira
(`DATA/tickets`) and midPoint's role catalogue. Each example is run as it
stands, beside a copy of its file under the name that it gives. One line per assertion; exit code 1 if one fails.

Needs the Python package `duckdb`.
"""

import argparse
import csv
import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"

failures = 0


def check(what, got, want):
    """Prints one assertion, and what differs where it fails."""
    global failures
    if got == want:
        print(f"ok    {what}")
        return
    failures += 1
    print(f"FAIL  {what}")
    print(f"      got {str(got)[:400]}  want {str(want)[:400]}")


class Snapshot:
    """The only sealed snapshot of a system: its tables as lists of dicts."""

    def __init__(self, store, system):
        found = sorted(p for p in (store / "snapshots" / system).iterdir() if (p / "manifest.json").exists())
        check(f"{system}: one sealed snapshot", len(found), 1)
        self.directory = found[0]
        self.manifest = json.loads((self.directory / "manifest.json").read_text())

    def table(self, name):
        cursor = duckdb.execute("SELECT * FROM read_parquet(?)", [str(self.directory / f"{name}.parquet")])
        columns = [c[0] for c in cursor.description]
        return [dict(zip(columns, row)) for row in cursor.fetchall()]

    def people(self):
        """Identities by native id, each with the list of its employments."""
        identities = self.table("identities")
        spans = self.table("employments")
        return {i["native_id"]: (i, [s for s in spans if s["identity_ix"] == i["identity_ix"]]) for i in identities}


def imported(args, example, source, name, system):
    """Runs one example over a copy of `source` called `name`; its snapshot and the records python reads."""
    work = Path(args.work) / example
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    shutil.copy(Path(args.data) / source, work / name)
    shutil.copy(EXAMPLES / f"{example}.toml", work / "holdover.toml")
    run = subprocess.run([args.holdover, "import", "--config", str(work / "holdover.toml")], capture_output=True, text=True)
    check(f"{example}: exit code", run.returncode, 0)
    if run.returncode != 0:
        print(run.stdout, run.stderr, sep="\n")
        return None, None
    return Snapshot(work / "store", system), records(work / name)


def records(path):
    if path.suffix == ".json":
        return json.loads(path.read_text(encoding="utf-8-sig"))["Report_Entry"]
    with path.open(encoding="utf-8-sig", newline="") as f:
        return list(csv.DictReader(f))


def blank(text):
    return text.strip() or None


def fold(text):
    return " ".join(text.lower().split()) or None


def ledger(example, snapshot, rows):
    files = [(f["read"], f["accepted"], f["rejected"]) for f in snapshot.manifest["files"]]
    check(f"{example}: every record read and accepted", files, [(len(rows), len(rows), 0)])


def alice(args):
    name = "midpoint-alice-hr"
    snapshot, rows = imported(args, name, "hr/midpoint-alice/hr.csv", "hr.csv", "hr")
    if snapshot is None:
        return
    ledger(name, snapshot, rows)
    people = snapshot.people()
    check(f"{name}: keys are text", sorted(people), sorted(r["empno"] for r in rows))
    for row in rows:
        identity, spans = people[row["empno"]]
        check(
            f"{name}: {row['empno']}",
            (identity["display_name"], identity["given_name_norm"], identity["family_name_norm"], identity["org_unit"], identity["status"],
             json.loads(identity["attributes"] or "{}").get("jobcode"), [(s["starts_at"], s["ends_at"], s["ended_undated"]) for s in spans]),
            (f"{row['firstname']} {row['lastname']}", fold(row["firstname"]), fold(row["lastname"]), row["orgnum"], "active",
             blank(row["jobcode"]), [(None, None, False)]),
        )


def evolveum(args):
    name = "midpoint-evolveum-hr"
    snapshot, rows = imported(args, name, "hr/midpoint-evolveum/hr.csv", "hr.csv", "hr")
    if snapshot is None:
        return
    ledger(name, snapshot, rows)
    people = snapshot.people()
    check(f"{name}: keys are text", sorted(people), sorted(r["empno"] for r in rows))
    for row in rows:
        identity, spans = people[row["empno"]]
        left = row["active"] != "true"
        check(
            f"{name}: {row['empno']}",
            (identity["display_name"], identity["family_name_norm"], identity["org_unit"], identity["title"], identity["status"],
             identity["status_text"], [(s["ends_at"], s["ended_undated"]) for s in spans]),
            (row["fullname"], fold(row["lastname"]), row["orgId"], row["job"], "left" if left else "active", row["active"], [(None, left)]),
        )


def undated(args):
    """The same list with two people who have left: their status has no date, so neither has the end."""
    name = "midpoint-evolveum-hr"
    original = (Path(args.data) / "hr/midpoint-evolveum/hr.csv").read_text(encoding="utf-8")
    lines = original.splitlines(keepends=True)
    lines[2] = lines[2].replace('"true"', '"false"')
    lines[5] = lines[5].replace('"true"', '"Former employee"')
    lines[6] = lines[6].replace('"true"', '"Long-term leave"')
    source = Path(args.work) / "undated.csv"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text("".join(lines), encoding="utf-8")
    snapshot, rows = imported(args, name, source.resolve(), "hr.csv", "hr")
    if snapshot is None:
        return
    people = snapshot.people()
    got = {key: (identity["status"], spans[0]["ends_at"], spans[0]["ended_undated"]) for key, (identity, spans) in people.items()}
    want = {r["empno"]: ("active", None, False) for r in rows}
    want |= {"002": ("left", None, True), "005": ("left", None, True), "006": ("suspended", None, False)}
    check(f"{name}: statuses without dates", got, want)


def hogwarts(args):
    name = "midpoint-hogwarts-accounts"
    snapshot, rows = imported(args, name, "hr/midpoint-hogwarts/accounts.csv", "accounts.csv", "portal")
    if snapshot is None:
        return
    ledger(name, snapshot, rows)
    accounts = {a["account_ix"]: a for a in snapshot.table("accounts")}
    groups = {g["group_ix"]: g for g in snapshot.table("groups")}
    got = {a["native_id"]: (a["display_name"], a["login_norm"], a["status"]) for a in accounts.values()}
    state = {"false": "active", "true": "disabled"}
    want = {r["login"]: (f"{r['firstname']} {r['lastname']}".strip(), fold(r["login"]), state[r["disabled"]]) for r in rows}
    check(f"{name}: accounts", got, want)
    got = {(accounts[m["account_ix"]]["native_id"], groups[m["group_ix"]]["native_id"]) for m in snapshot.table("memberships")}
    want = {(r["login"], g.strip()) for r in rows for g in r["memberOf"].split(";") if g.strip()}
    check(f"{name}: memberships", got, want)
    stored = b"".join(p.read_bytes() for p in sorted(snapshot.directory.rglob("*")) if p.is_file())
    texts = "\n".join(str(row) for t in ("accounts", "groups", "memberships") for row in snapshot.table(t))
    passwords = {r["password"] for r in rows if len(r["password"]) >= 5}
    check(f"{name}: no password in the store", sorted(p for p in passwords if p.encode() in stored or re.search(rf"\b{re.escape(p)}\b", texts)), [])


def workday(args):
    name = "workday-raas"
    snapshot, rows = imported(args, name, "hr/workday/raas-report-entry.scrubbed.json", "workday.json", "workday")
    if snapshot is None:
        return
    ledger(name, snapshot, rows)
    people = snapshot.people()
    zone = ZoneInfo("America/Los_Angeles")

    def instant(text, days):
        local = (datetime.strptime(text, "%m/%d/%Y") + timedelta(days=days)).replace(tzinfo=zone)
        return local.astimezone(timezone.utc).replace(tzinfo=None)

    check(f"{name}: keys", sorted(people), sorted({r["Emp_ID"] for r in rows}))
    for row in rows:
        identity, spans = people[row["Emp_ID"]]
        check(
            f"{name}: {row['Emp_ID']}",
            (identity["employee_number"], identity["display_name"], identity["email_norm"], identity["manager_ref"], identity["org_unit"],
             identity["title"], identity["kind"], identity["status"], json.loads(identity["attributes"]),
             [(s["starts_at"], s["ends_at"], s["ended_undated"]) for s in spans]),
            (row["Emp_ID"], row["Preferred_Name"], fold(row["Email_Address"]), row["Mgr_ID"], row["Department"], row["Title"], "person",
             {"True": "prehire", "False": "active"}[row["Prehire_Flag"]],
             {"Cost_Center_Code": row["Cost_Center_Code"], "Location": row["Location"]},
             [(instant(row["Hire_Date"], 0), instant(row["Last_Day_Of_Work"], 1), False)]),
        )


def several(args, example, system, files, code=0):
    """Runs one example over copies of several files, by the name that each gets; its snapshot."""
    work = Path(args.work) / f"{example}-{len(files)}"
    shutil.rmtree(work, ignore_errors=True)
    for name, source in files.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(args.data) / source, work / name)
    shutil.copy(EXAMPLES / f"{example}.toml", work / "holdover.toml")
    run = subprocess.run([args.holdover, "import", "--config", str(work / "holdover.toml")], capture_output=True, text=True)
    check(f"{example}: exit code", run.returncode, code)
    if run.returncode != code:
        print(run.stdout, run.stderr, sep="\n")
        return None
    return Snapshot(work / "store", system)


def servicenow(args):
    """Requests, items and approvals that name each other by `sys_id`; and tickets, one of them exported over and over."""
    folder = "tickets/servicenow-vmware"
    names = [f"request-{n}.json" for n in (1, 2, 3)] + [f"requested-items-{n}.json" for n in (1, 2, 3)] + ["approval-requests.json"]
    snapshot = several(args, "servicenow-requests", "tickets", {n: f"{folder}/{n}" for n in names})
    if snapshot is not None:
        ledgers = {f["name"]: (f["read"], f["accepted"], f["rejected"]) for f in snapshot.manifest["files"]}
        check("servicenow: every record read and accepted", ledgers, {n: (3, 3, 0) if n.startswith("approval") else (1, 1, 0) for n in names})
        got = {r["request"]: (r["decision"], r["state"], r["entitlement_ref"]) for r in snapshot.table("requests")}
        want = {f"REQ001000{n}": ("unknown", "unknown", None) for n in (1, 2, 3)} | {f"test-sc-req-item-id-{n}": ("unknown", "unknown", None) for n in (1, 2, 3)}
        check("servicenow: approvals join the requests that they name", got, want)
        origins = [(o["fact"], o["number"]) for o in snapshot.table("row_origins") if o["table"] == "requests" and o["fact"] == "decision"]
        check("servicenow: each approval is an origin of its request", sorted(origins), [("decision", 1), ("decision", 2), ("decision", 3)])
    tickets = json.loads((Path(args.data) / folder / "task_ticket_more_than_5.json").read_text())["result"]
    snapshot = several(args, "servicenow-requests", "tickets", {"tickets.json": f"{folder}/task_ticket_more_than_5.json"})
    if snapshot is not None:
        first = {}
        for ticket in tickets:
            first.setdefault(ticket["number"], ticket)
        file = snapshot.manifest["files"][0]
        check("servicenow: tickets of one number after the first are rejected", (file["read"], file["accepted"], file["rejected"]), (len(tickets), len(first), len(tickets) - len(first)))
        got = {r["request"]: (r["state"], r["state_text"], r["decision"], r["requested_at"], r["closed_at"], r["requester_ref"]) for r in snapshot.table("requests")}
        opened = {n: datetime.strptime(t["opened_at"], "%Y-%m-%d %H:%M:%S") for n, t in first.items()}
        check("servicenow: tickets", got, {n: ("open", "Open", "unknown", opened[n], None, t["opened_by"]["value"]) for n, t in first.items()})
    # The list of nobody still speaks about requests.
    snapshot = several(args, "servicenow-requests", "tickets", {"tickets.json": f"{folder}/task_ticket_if_empty.json", "approval-x.json": f"{folder}/approval-requests.json"})
    if snapshot is not None:
        got = sorted((r["request"], r["decision"], r["beneficiary_ref"]) for r in snapshot.table("requests"))
        check("servicenow: approvals without their requests", got, [(f"test-sc-request-id-{n}", "unknown", None) for n in (1, 2, 3)])


def jira(args):
    source = "tickets/jira/issues_in_sprint.json"
    document = json.loads((Path(args.data) / source).read_text())
    snapshot = several(args, "jira-requests", "tickets", {"issues.json": source}, code=3)
    if snapshot is None:
        return
    check("jira: the page says itself that others are missing", [bool(f["short"]) for f in snapshot.manifest["files"]], [True])
    utc = lambda text: datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z").astimezone(timezone.utc).replace(tzinfo=None)
    want = {i["key"]: ({"new": "open", "indeterminate": "open", "done": "closed"}[i["fields"]["status"]["statusCategory"]["key"]], "unknown", utc(i["fields"]["created"]), utc(i["fields"]["resolutiondate"])) for i in document["issues"]}
    got = {r["request"]: (r["state"], r["decision"], r["requested_at"], r["closed_at"]) for r in snapshot.table("requests")}
    check("jira: states, instants, and no approval for being done", got, want)


def roles(args):
    folder = Path(args.data) / "hr/midpoint-role-catalogue"
    files = sorted(folder.glob("*.xml"))
    snapshot = several(args, "midpoint-roles", "roles", {f"roles/{f.name}": f"hr/midpoint-role-catalogue/{f.name}" for f in files})
    if snapshot is None:
        return
    check("midpoint-roles: every role read and accepted", sum(f["accepted"] for f in snapshot.manifest["files"]), len(files))
    space = "{http://midpoint.evolveum.com/xml/ns/public/common/common-3}"
    want = set()
    for file in files:
        role = ElementTree.parse(file).getroot()
        code = next((e.text.strip().lower() for e in role.iter() if e.tag.endswith("}autoassignJobCode")), None)
        given = {t.get("oid") for i in role.findall(f"{space}inducement") for t in i.findall(f"{space}targetRef")} or {None}
        want |= {(role.get("oid"), role.findtext(f"{space}name"), code, oid) for oid in given}
    got = {(r["role"], r["role_name"], r["title_norm"], r["entitlement_ref"]) for r in snapshot.table("role_model")}
    check("midpoint-roles: names, job codes and what each role induces", got, want)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--holdover", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    args = parser.parse_args()
    for case in (alice, evolveum, undated, hogwarts, workday, servicenow, jira, roles):
        case(args)
    print(f"{failures} failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
