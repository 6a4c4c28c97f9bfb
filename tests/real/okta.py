#!/usr/bin/env python3
"""Imports recorded bodies of Okta's API and counts what landed against what Python itself reads from the same files.

    python3 tests/real/okta.py --holdover BIN --data DIR --work DIR

Reads `DATA/saas/okta/*`: files named by their endpoint (`groups_ID_users.0.json`), which is how this script knows what they are;
the binary has to tell it by the records. Each folder is imported as it is, and again with the ids put into the names. One line
per assertion; exit code 1 if one fails.

Needs the Python package `duckdb`.
"""

import collections
import datetime
import json
import re
import shutil

import common
import duckdb

TAKEN_AT = "2026-11-22T00:00:00Z"
SNAPSHOT = "20261122T000000Z"
# Endpoints whose records are read. Their order of precedence is that of the files' names, as the shell gives them.
READ = {
    "users": "users", "groups": "groups", "groups_ID_users": "members", "groups_rules": "rules", "apps": "apps",
    "apps_ID_users": "assigned", "apps_ID_groups": "assigned", "api-tokens": "tokens", "api-tokens_ID": "tokens",
    "users_ID_roles": "roles", "groups_ID_roles": "roles", "groups_ID_roles_ID": "roles",
}
# Endpoints that look like a whole list and are a part of one.
PARTS = {"users_ID_groups", "groups_ID_apps"}
GROUP = "00gholdover{:09}"
APP = "0oaholdover{:09}"
STATUS = {
    "STAGED": "pending", "PROVISIONED": "pending", "ACTIVE": "active", "RECOVERY": "active", "PASSWORD_EXPIRED": "active",
    "LOCKED_OUT": "locked", "SUSPENDED": "disabled", "DEPROVISIONED": "disabled",
}


def endpoint(path):
    return re.sub("00gholdover[0-9]{9}|0oaholdover[0-9]{9}", "ID", path.name.split(".")[0])


def bodies(files):
    """(endpoint, file name, records) of each file; a single object is one record."""
    for path in files:
        body = json.loads(path.read_text(encoding="utf-8"))
        yield endpoint(path), path, body if isinstance(body, list) else [body]


def last(link):
    return link["href"].rstrip("/").rsplit("/", 1)[-1]


def last_use(token):
    """A window before the end, where that is later than the creation; `P30D` is the only window that occurs."""
    if not token["tokenWindow"]:
        return None
    assert token["tokenWindow"] == "P30D", token["tokenWindow"]
    end, created = (datetime.datetime.fromisoformat(token[name].replace("Z", "+00:00")) for name in ("expiresAt", "created"))
    used = end - datetime.timedelta(days=30)
    return used.replace(tzinfo=None) if used > created else None


class Expected:
    """What must come of a folder: the first record of each id, and a reason for each record that is not taken."""

    def __init__(self, files, group_of):
        self.first = collections.defaultdict(dict)
        self.rejects = collections.Counter()
        self.repeated = self.records = 0
        for name, path, records in bodies(files):
            kind = READ.get(name)
            if not records:
                named = kind and ("ID" not in name or path in group_of)
                self.records += not named
                self.rejects[(path.name, "okta/no-parent")] += not named
            for record in records:
                self.records += 1
                if kind is None:
                    self.rejects[(path.name, "okta/part-of-list" if name in PARTS else "okta/unknown-shape")] += 1
                elif kind == "members" and path not in group_of:
                    self.rejects[(path.name, "okta/no-parent")] += 1
                else:
                    self.take(kind, path, record, group_of.get(path))
        self.rejects = +self.rejects

    def take(self, kind, path, record, group):
        key, value = record["id"], record
        if kind == "members":
            key, value = (record["id"], group), None
        elif kind == "assigned":
            key, value = (last(record["_links"]["app"]), record["id"]), record
        elif kind == "roles":
            key = (record["type"], last(record["_links"]["assignee"]))
        if key not in self.first[kind]:
            self.first[kind][key] = value
        elif kind == "roles":
            pass
        elif kind == "members" or self.same(kind, self.first[kind][key], value):
            self.repeated += 1
        else:
            self.rejects[(path.name, "okta/duplicate")] += 1

    @staticmethod
    def same(kind, one, other):
        """Whether two records say the same of what is kept: links and other fields are not."""
        kept = {
            "users": lambda r: (r["status"], r["lastLogin"], r["lastUpdated"], r["statusChanged"], r["passwordChanged"], r["created"],
                                r["activated"], r["profile"], r["credentials"].get("provider"), "password" in r["credentials"]),
            "groups": lambda r: (r["type"], r["profile"], r.get("source")),
            "rules": lambda r: (r["name"], r["status"], r["conditions"], r["actions"]),
            "apps": lambda r: (r["name"], r["label"], r["status"], r["signOnMode"], r["created"]),
            "assigned": lambda r: (r.get("scope"), r.get("status"), r.get("created")),
            "tokens": lambda r: (r["name"], r["userId"], r["created"], r["expiresAt"], last_use(r)),
        }[kind]
        return kept(one) == kept(other)


def table(directory, name):
    cursor = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(directory / f"{name}.parquet")])
    columns = [c[0] for c in cursor.description]
    return [dict(zip(columns, row)) for row in cursor.fetchall()]


def stamp(moment):
    """An instant of Okta as a stored one reads."""
    return moment and moment.replace("T", " ").removesuffix(".000Z")


def seal(args, store, system, files):
    """Imports files as one snapshot. All of these folders hold records that are not read: the import is sealed as incomplete."""
    command = [args.holdover, "import", "--store", store, "--connector", "okta", "--system", system, "--taken-at", TAKEN_AT, *files]
    ran = common.run(command, args.work)
    common.equal(f"{system}: exit code", ran.code, 3)
    return store / "snapshots" / system / SNAPSHOT


def principal(edge, accounts, groups):
    if edge["account_ix"] is not None:
        return accounts[edge["account_ix"]]["native_id"]
    if edge.get("group_ix") is not None and "entitlement_ix" in edge:
        return groups[edge["group_ix"]]["native_id"]
    return edge["principal_ref"]


def compare(what, directory, want):
    """Every record landed as its rows, or was rejected with the reason that is due."""
    manifest = json.loads((directory / "manifest.json").read_text())
    rejects = table(directory, "rejects")
    files = [f["name"].rsplit("/", 1)[-1] for f in manifest["files"]]
    common.equal(f"{what}: records read", sum(f["read"] for f in manifest["files"]), want.records)
    by_reason = collections.Counter((files[r["file_ix"]], r["reason"]) for r in rejects)
    common.equal(f"{what}: {len(rejects)} rejects by file and reason", by_reason, want.rejects)
    common.equal(f"{what}: accepted", sum(f["accepted"] for f in manifest["files"]), want.records - len(rejects))

    accounts, groups = table(directory, "accounts"), table(directory, "groups")
    users = want.first["users"]
    common.equal(f"{what}: {len(users)} accounts", {a["native_id"] for a in accounts}, set(users))
    for account in accounts:
        user = users[account["native_id"]]
        got = (account["login"], account["email"], account["status"], stamp_of(account["last_used_at"]), account["use_state"], account["employee_ref"])
        due = (user["profile"]["login"], user["profile"]["email"], STATUS[user["status"]], stamp(user["lastLogin"]),
               "used" if user["lastLogin"] else "never", user["profile"].get("employeeNumber"))
        if got != due:
            common.equal(f"{what}: {account['native_id']}", got, due)
    print(f"ok    {what}: login, mail, status, last use and number of {len(accounts)} accounts")

    members = set(want.first["members"])
    listed = set(want.first["groups"]) | {group for _, group in members}
    common.equal(f"{what}: {len(listed)} groups", {g["native_id"] for g in groups}, listed)
    stored = {(principal(m, accounts, groups), groups[m["group_ix"]]["native_id"]) for m in table(directory, "memberships")}
    common.equal(f"{what}: {len(members)} memberships", stored, members)

    assigned, roles = want.first["assigned"], want.first["roles"]
    apps = set(want.first["apps"]) | {app for app, _ in assigned}
    common.equal(f"{what}: {len(apps)} applications", {r["native_id"] for r in table(directory, "resources")}, apps)
    entitlements = table(directory, "entitlements")
    names = {e["native_id"] for e in entitlements}
    common.equal(f"{what}: {len(names)} entitlements", names, apps | {f"role:{role}" for role, _ in roles})
    grants = {(entitlements[g["entitlement_ix"]]["native_id"], principal(g, accounts, groups)) for g in table(directory, "grants")}
    due = {key for key, record in assigned.items() if record.get("scope") != "GROUP" or through_no_group(key, assigned, members)}
    common.equal(f"{what}: {len(due) + len(roles)} grants", grants, due | {(f"role:{role}", holder) for role, holder in roles})

    credentials = table(directory, "credentials")
    tokens = {c["native_id"]: c for c in credentials if c["kind"] == "api_token"}
    common.equal(f"{what}: {len(tokens)} API tokens", set(tokens), set(want.first["tokens"]))
    for name, token in want.first["tokens"].items():
        got = (stamp_of(tokens[name]["created_at"]), stamp_of(tokens[name]["expires_at"]), tokens[name]["name"], tokens[name]["last_used_at"])
        due = (stamp(token["created"]), stamp(token["expiresAt"]), token["name"], last_use(token))
        if got != due:
            common.equal(f"{what}: token {name}", got, due)
    passwords = {c["native_id"].removesuffix("#password") for c in credentials if c["kind"] == "password"}
    own = {name for name, user in users.items() if user["credentials"]["provider"]["type"] in ("OKTA", "IMPORT") and ("password" in user["credentials"] or user["passwordChanged"])}
    # Who signs in elsewhere has a password there.
    own |= {name for name, user in users.items() if STATUS[user["status"]] in ("active", "locked")}
    common.equal(f"{what}: {len(own)} passwords", passwords, own)
    noted = sum(n for f in manifest["files"] for note, n in f["notes"] if note.startswith("record repeats"))
    common.equal(f"{what}: {want.repeated} records repeat one of another page", noted, want.repeated)


def through_no_group(key, assigned, members):
    """Whether no group of the export that holds the app has the user."""
    app, user = key
    return not any((app, group) in assigned for member, group in members if member == user)


def stamp_of(moment):
    return moment and str(moment)


def named(files, folder):
    """Copies in which every file says whose it is; gives them with the id that each says."""
    copies, whose = [], {}
    for n, path in enumerate(files):
        name = endpoint(path)
        made = (GROUP if name.startswith("groups_ID_") else APP).format(n)
        copy = folder / path.name
        if name in ("groups_ID_users", "apps_ID_users", "apps_ID_groups"):
            copy = folder / path.name.replace("ID", made)
            whose[copy] = made
        shutil.copyfile(path, copy)
        copies.append(copy)
    return sorted(copies), whose


def secrets(store, files):
    """Values of the fields that hold secrets are nowhere in the store."""
    held = set()

    def walk(value, name=""):
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, key)
        elif isinstance(value, list):
            for inner in value:
                walk(inner, name)
        elif isinstance(value, str) and name in ("client_secret", "secret_hash", "hash", "answer", "x5c") and len(value) > 8:
            held.add(value.encode())

    for _, _, records in bodies(files):
        walk(records)
    stored = b"".join(p.read_bytes() for p in sorted(store.rglob("*")) if p.is_file())
    common.check(f"none of {len(held)} secret values is in the store", held and not any(value in stored for value in held))


def main():
    parser = common.arguments(__doc__)
    args = common.parsed(parser)
    store = common.fresh(args.work / "store")
    folders = sorted(p for p in (args.data / "saas/okta").iterdir() if p.is_dir())
    common.check(f"{len(folders)} folders of recorded bodies", folders)
    every = []
    for i, folder in enumerate(folders, 1):
        files = sorted(folder.glob("*.json"))
        every += files
        compare(f"recorded-{i}", seal(args, store, f"recorded-{i}", files), Expected(files, {}))
        copies, whose = named(files, common.fresh(args.work / f"named-{i}"))
        compare(f"named-{i}", seal(args, store, f"named-{i}", copies), Expected(copies, whose))
    met = {endpoint(p) for p in every}
    common.equal("every endpoint that is read was met", set(READ) - met, set())
    secrets(store, every)


main()
