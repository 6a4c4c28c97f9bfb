#!/usr/bin/env python3
"""Made-up worlds with NULL in every nullable column and hostile text in every text column: views and checks equal DuckDB's.

    python3 tests/real/worlds.py --holdover BIN --work DIR [--worlds 6] [--seed 1]

Each world is a people list, two applications, a role catalogue, a register of exceptions and three weeks of exports, half of it CSV and half JSON
lines, read by the connector `tabular`; one application is short, one source never arrives, and people leave between the weeks.
Which columns really held NULL, values and hostile text is counted at the end, over the tables of the snapshots and of the runs.
Needs the Python packages `duckdb` and `pyarrow`.
"""

import collections
import csv
import datetime
import hashlib
import json
import random
from pathlib import Path

import common

TOKENS = ["\\", "'", '"', "\n", "%", "_", "İ", "Σ"]
WORDS = TOKENS + [
    "ς", "ß", "ﬁ", "ı", "K", "\u202e", "\u0301", "😀", ";", "|", ",", "=1+1", "<b>", "%s", "\\n", "\\'", "''", '""', "null", "NULL", "NaN", "0", "--", "/*", "$1", "a", "Zoe", "ada", "x y", "é",
]  # fmt: skip
REQUESTS = [f"REQ-{i}" for i in range(120)]
AS_OF = datetime.datetime(2026, 11, 22)
# The first week is not audited: what it holds and the next does not is history when it is back.
WEEKS = [AS_OF - datetime.timedelta(days=n) for n in (14, 7, 0)]

FIELDS = {
    "identities": "native_id kind employee_number display_name given_name family_name login email aliases status manager owner org_unit "
    "title link employment start_at end_at start_known_at end_known_at note",
    "accounts": "native_id generation kind login display_name email upn employee_ref owner status created_at changed_at last_used_at mfa "
    "expires_at locked_at environment note",
    "groups": "native_id name level vendor_managed owner",
    "memberships": "account member_group group kind granted_at expires_at granted_by request",
    "entitlements": "native_id name kind level risks vendor_managed",
    "resources": "native_id kind name environment sensitivity owner",
    "grants": "account group entitlement entitlement_level resource effect granted_at expires_at granted_by request last_used_at",
    "credentials": "native_id account kind name status created_at rotated_at last_used_at expires_at secret",
    "role_model": "role name title org_unit holder system entitlement resource owner",
    "exceptions": "exception check_id system subject entitlement candidate owner approver beneficiary reason ticket valid_from expires_at",
    "requests": "request other_id action beneficiary requester system entitlement resource state decision approver requested_at decided_at "
    "closed_at valid_from valid_to",
    "reviews": "review campaign system subject entitlement exception reviewer decision decided_at due_at",
    "systems": "system owner in_scope capabilities environment",
}
# What stands in sources of its own, beside the applications.
RECORDS = ("identities", "exceptions", "requests", "reviews", "systems", "role_model")
SPLIT = {"aliases", "risks"}
CHOICES = {
    ("identities", "kind"): ["person", "person", "person", "workload", "agent", "external"],
    ("identities", "status"): ["active", "active", "suspended", "left", "prehire", "unknown"],
    ("accounts", "kind"): ["human", "human", "unknown", "service", "workload", "agent", "role", "shared", "external", "system", "device"],
    ("accounts", "status"): ["active", "active", "active", "disabled", "locked", "expired", "pending", "deleted", "unknown"],
    ("accounts", "mfa"): ["yes", "no", "unknown", "not_applicable"],
    ("memberships", "kind"): ["direct", "direct", "primary", "dynamic", "assume"],
    ("grants", "effect"): ["allow", "allow", "allow", "deny", "boundary"],
    ("entitlements", "kind"): ["managed-policy", "inline-policy", "managed-policy", "role", None],
    ("requests", "action"): ["grant", "grant", "change", "revoke", "unknown"],
    ("requests", "state"): ["open", "closed", "closed", "cancelled", "unknown"],
    ("requests", "decision"): ["approved", "approved", "pending", "rejected", "unknown"],
    ("reviews", "decision"): ["keep", "keep", "change", "revoke", "pending", "unknown"],
    ("credentials", "kind"): ["password", "access_key", "access_key", "access_key", "api_token", "ssh_key", "vault_secret"],
    ("credentials", "status"): ["active", "active", "active", "inactive", "expired", "deleted", "unknown"],
}
# What this connector never leaves NULL, or never fills, other connectors do: written into the sealed tables.
RIDDLED = {
    "accounts": {"last_used_until": "instant", "use_window_from": "instant"},
    "groups": {"name": "null", "name_norm": "null", "generation": "text", "attributes": "json"},
    "memberships": {"condition": "text"},
    "entitlements": {"name": "null", "name_norm": "null", "attributes": "json"},
    "resources": {"name": "null", "attributes": "json"},
    "grants": {"condition": "text"},
    "credentials": {"use_window_from": "instant"},
}
# Text columns whose words holdover gives itself, by column and by table and column; all others take what an export says.
CLOSED = {
    "status", "use_state", "mfa_state", "level", "effect", "principal_kind", "employment", "fingerprint", "attributes", "standing", "state",
    "rule", "accounts.kind", "groups.kind", "memberships.kind", "credentials.kind", "identities.kind", "identities_seen.kind",
    "account_state.kind", "kind_from", "match_state", "can_authenticate", "can_authenticate_why", "ancestors", "connector", "snapshot", "team",
    "log", "edge", "object", "change", "revoked_by", "way", "note", "changes.attributes", "how", "approval", "decision", "requests.action", "requests.state_text", "revocations.request", "approvals.request",
    "requests.request", "reviews.review", "taken_at_from", "covers", "fresh", "complete", "in_step", "within_rejects", "systems_seen.system", "sources.system", "problems", "why",
}  # fmt: skip
# Text columns that hold normalised text or JSON, in which not every token survives.
FOLDED = {"aliases", "risks", "details", "capabilities"}
STABLE = ["\\", "'", '"', "%", "_"]
# The tables of a run that checks and views read.
READ = {
    "systems_seen", "identities_seen", "account_state", "account_identity", "group_reach", "sources", "exception_matches", "approvals",
    "revocations", "log_coverage", "changes", "edge_history",
}  # fmt: skip

# Checks about formats that no world has: AWS's policies are in the demo, which recalculate.py compares.
ELSEWHERE = {"privilege-escalation"}


class World:
    """Draws one world. `ids` are few, so that they meet."""

    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.people = self.pool("p", 40)
        self.numbers = self.pool("", 30)
        self.logins = self.pool("u", 50)
        self.mails = [f"{t}@İ.example" for t in self.pool("m", 40)]
        self.names = self.pool("", 40)
        self.firm = self.people[:6]
        self.titles, self.units = self.pool("t", 5), self.pool("d", 4)
        self.apps = {app: {k: self.pool(k[0], n) for k, n in (("accounts", 60), ("groups", 14), ("entitlements", 12), ("resources", 16))} for app in ("app-a", "app-b")}  # fmt: skip

    def text(self):
        parts = self.dice.choices(WORDS, k=self.dice.randint(1, 4)) + self.dice.choices(TOKENS, k=self.dice.randint(0, 3))
        # A letter at the end keeps blanks before it from being trimmed.
        return "".join(parts) + self.dice.choice(["", "z"])

    def pool(self, start, n):
        # The number keeps two of one pool apart whatever normalisation does to the rest.
        return [f"{start}{i}{self.text()}{self.dice.choice('.-x')}" for i in range(n)]

    def maybe(self, value, p=0.75):
        return value if self.dice.random() < p else None

    def instant(self, before=500, after=120):
        moment = AS_OF + datetime.timedelta(seconds=self.dice.randint(-before * 86400, after * 86400))
        return self.dice.choice([moment.isoformat() + "Z", moment.isoformat() + "+05:30", str(moment.date())])

    def ref(self, pool, p=0.9):
        """One of the pool, or something that names nothing."""
        return self.dice.choice(pool) if self.dice.random() < p else self.text()

    def value(self, table, field, app):
        own = self.apps.get(app, {})
        if (table, field) == ("identities", "status") and self.dice.random() < 0.2:
            return self.text()
        if (table, field) in CHOICES:
            chosen = self.dice.choice(CHOICES[table, field])
            return self.text() if chosen is None else chosen
        if field.endswith("level"):
            return self.dice.choice(["admin", "write", "read", "none", "unknown"])
        if field.endswith("_at") or field in ("valid_from", "valid_to"):
            return self.instant(after=120 if field in ("expires_at", "end_at", "valid_to") else 5)
        if field == "request":
            return self.ref(REQUESTS)
        if field == "vendor_managed":
            return self.dice.choice(["true", "false"])
        pools = {
            "login": self.logins, "email": self.mails, "upn": self.mails, "display_name": self.names, "employee_number": self.numbers,
            "employee_ref": self.numbers, "owner": self.people + self.mails, "manager": self.people, "account": own.get("accounts"),
            "group": own.get("groups"), "member_group": own.get("groups"), "entitlement": own.get("entitlements"),
            "resource": own.get("resources"), "candidate": self.people, "approver": self.people, "beneficiary": self.people,
            "subject": self.apps["app-a"]["accounts"] + self.logins, "requester": self.people, "reviewer": self.people,
            "holder": self.people,
        }  # fmt: skip
        if field in ("title", "org_unit"):
            return self.ref(self.titles if field == "title" else self.units, 0.75)
        if field == "aliases":
            return ";".join(self.dice.sample(self.logins + self.mails, 2))
        if field == "risks":
            return self.dice.choice(["privilege-escalation", "resource-exposure;credential-access", self.text()])
        if field == "secret":
            return f"s3cret-{self.dice.random()}"
        return self.ref(pools[field]) if pools.get(field) else self.text()

    def row(self, table, app=None, **fixed):
        row = {f: self.maybe(self.value(table, f, app)) for f in FIELDS[table].split()}
        return {**row, **fixed}

    def tables(self, app):
        own = self.apps[app]
        out = {t: [self.row(t, app, native_id=i) for i in own[t]] for t in ("accounts", "groups", "entitlements", "resources")}
        out["memberships"] = self.edges("memberships", app, 90, ("account", "member_group"), group=own["groups"])
        out["grants"] = self.edges("grants", app, 90, ("account", "group"), entitlement=own["entitlements"])
        out["credentials"] = [self.row("credentials", app, native_id=i, account=self.ref(own["accounts"])) for i in self.pool("k", 60)]
        out["credentials"] += [self.row("credentials", app, native_id=i, account=self.ref(own["accounts"]), kind="vault_secret") for i in own["resources"]]
        return out

    def roles(self):
        """A catalogue whose titles, units, rights and resources often mean something."""
        rows = []
        for role in self.dice.choices(self.pool("r", 9), k=60):
            app = self.dice.choice(["app-a", "app-b"])
            own = self.apps[app]
            right = self.dice.choice(own["groups"] + own["entitlements"])
            rows.append(self.row("role_model", app, role=role, system=self.maybe(self.ref([app], 0.9), 0.95)))
            rows[-1]["entitlement"] = self.maybe(self.dice.choice([right, right, right[:2] + "*", self.text()]), 0.9)
            rows[-1]["holder"] = self.maybe(self.value("role_model", "holder", app), 0.2)
            rows[-1]["title"] = self.maybe(self.dice.choice(["*", self.value("role_model", "title", app)]))
            rows[-1]["resource"] = self.maybe(self.value("role_model", "resource", app), 0.3)
        return rows

    def edges(self, table, app, n, sides, **to):
        """Edges of distinct ends; the member is an account or a group, never both."""
        rows = {}
        for _ in range(n):
            side = self.dice.choice(sides)
            fixed = {s: None for s in sides} | {side: self.value(table, side, app)} | {f: self.dice.choice(pool) for f, pool in to.items()}
            rows[tuple(map(str, fixed.values()))] = self.row(table, app, **fixed)
        return list(rows.values())

    def persons(self):
        rows = []
        for native_id in self.people:
            row = self.row("identities", native_id=native_id)
            start = self.instant(900, -30)
            row["start_at"] = self.maybe(start, 0.8)
            if self.dice.random() < 0.1:
                row |= {"display_name": None, "given_name": None, "family_name": None}
            if native_id in self.firm:
                # They approve what stands.
                row |= {"kind": "person", "status": "active", "end_at": None}
            if row["end_at"] and row["start_at"] and row["end_at"][:10] <= row["start_at"][:10]:
                row["end_at"] = None
            rows.append(row)
        return rows

    def exceptions(self):
        rows = []
        self.excepted = self.pool("EX", 60)
        for i in self.excepted:
            row = self.row("exceptions", exception=i, subject=self.value("exceptions", "subject", None))
            row["check_id"] = self.dice.choice(["orphan-account", "ghost-account", "stale-key", "*", "*", self.text()])
            row["system"] = self.dice.choice(["app-a", "app-b", "*", self.text()])
            if self.dice.random() < 0.5:
                # One that nothing voids, for an account of the first application.
                owner, approver = self.dice.sample(self.firm, 2)
                row |= {"check_id": "*", "system": "*", "subject": self.dice.choice(self.apps["app-a"]["accounts"]), "beneficiary": None}
                row |= {"owner": owner, "approver": approver, "reason": self.text(), "entitlement": None, "candidate": None}
                row |= {"valid_from": self.maybe("2026-01-01"), "expires_at": self.dice.choice(["2026-11-20", "2027-06-30"])}
            rows.append(row)
        return rows

    def requests(self):
        """About the applications' own accounts and rights, mostly; the memberships and grants name some of them."""
        rows = []
        for request in REQUESTS:
            app = self.dice.choice(list(self.apps))
            own = self.apps[app]
            row = self.row("requests", request=request, system=self.maybe(self.dice.choice([app, app, app, self.text()]), 0.95))
            row["beneficiary"] = self.maybe(self.dice.choice(own["accounts"] + self.logins + self.people), 0.95)
            row["entitlement"] = self.maybe(self.dice.choice(own["groups"] + own["entitlements"]), 0.85)
            if row["valid_to"] and row["valid_from"] and row["valid_to"][:10] <= row["valid_from"][:10]:
                row["valid_from"] = None
            rows.append(row)
        return rows

    def reviews(self):
        known = [f"R{i}" for i in range(40)]
        rows = [self.row("reviews", review=r, subject=self.value("reviews", "subject", None), exception=None) for r in known[:25]]
        return rows + [self.row("reviews", review=r, exception=self.dice.choice(self.excepted)) for r in known[25:]]

    def systems(self):
        return [self.row("systems", system=s, in_scope=self.dice.choice(["yes", "no"])) for s in ["app-a", "elsewhere", *self.pool("y", 9)]] + [
            self.row("systems", system="payroll", in_scope="yes")
        ]

    def later(self, rows):
        """The same rows a week on: some gone, some with other values in what names nothing."""
        out = []
        for row in rows:
            if self.dice.random() < 0.08:
                continue
            if "end_at" in row and row["status"] == "active" and not row["end_at"] and self.dice.random() < 0.2:
                row = {**row, "status": "left"}
            if "employment" in row and self.dice.random() < 0.3:
                row = {**row, "title": self.dice.choice(self.titles)}
            change = self.dice.choice([f for f in row if f in ("status", "email", "login", "display_name", "level", "reason")] or [None])
            if change and change != "reason" and self.dice.random() < 0.15:
                row = {**row, change: None}
            out.append(row)
        return out


def write(path, table, rows, as_csv):
    path = path.with_suffix(".csv" if as_csv else ".ndjson")
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = FIELDS[table].split()
    with path.open("w", encoding="utf-8", newline="") as file:
        if as_csv:
            writer = csv.writer(file)
            writer.writerow(fields)
            writer.writerows([["" if row[f] is None else row[f] for f in fields] for row in rows])
        else:
            file.writelines(json.dumps({f: row[f] for f in fields}, ensure_ascii=False) + "\n" for row in rows)
    return path


def mapping(table, section):
    columns = "".join(
        f'{f} = {{ column = "{f}", split = ";" }}\n' if f in SPLIT else f'{f} = "{f}"\n' for f in FIELDS[table].split() if f != "note"
    )
    head = f"[{section}]\n" if section == "source.options" else f'[[{section}]]\nfiles = "*{table}.*"\n'
    attributes = 'attributes = ["note"]\n' if "note" in FIELDS[table] else ""
    words = dict.fromkeys(CHOICES.get((table, "status"), [])) if table == "identities" else {}
    values = f"[{section}.values.status]\n" + "".join(f'"{w}" = "{w}"\n' for w in words) + '"*" = "unknown"\n' if words else ""
    return f'{head}table = "{table}"\n{attributes}[{section}.columns]\n{columns}{values}'


def config(folder, seed):
    (folder / "key").write_text("a key of thirty-two characters!!")
    world = World(seed)
    text = '[holdover]\nstore = "store"\nfingerprint_key_file = "key"\nmax_drop = 0.5\n'
    head = '\n[[source]]\nsystem = "{0}"\nconnector = "tabular"\nfiles = "{{week}}/{0}/*"\ntaken_at = "{{week}}"\ntimezone = "Europe/Berlin"\nmax_rejects = 1000\n'
    text += head.format("hr") + 'population = "all"\n' + mapping("identities", "source.options")
    for source in ("exceptions", "requests", "reviews"):
        text += head.format(source) + mapping(source, "source.options")
    text += head.format("register") + mapping("systems", "source.options")
    text += head.format("roles") + mapping("role_model", "source.options")
    said = json.dumps("".join(TOKENS) + world.text(), ensure_ascii=False)
    about = {"app-a": f'team = "platform"\nowner = {said}\nenvironment = {said}\n', "app-b": ""}
    for app in ("app-a", "app-b"):
        parts = [t for t in FIELDS if t not in RECORDS]
        text += head.format(app) + about[app] + "".join(mapping(t, "source.options.part") for t in parts)
    text += '\n[[source]]\nsystem = "absent"\nconnector = "tabular"\nfiles = "absent/*"\nexpected = false\n'
    text += '[source.options]\nmapping = "accounts"\n'
    (folder / "holdover.toml").write_text(text, encoding="utf-8")


def make(folder, seed):
    world = World(seed)
    config(folder, seed)
    sources = {"hr": {"identities": world.persons()}, "exceptions": {"exceptions": world.exceptions()}, "roles": {"role_model": world.roles()}}
    sources |= {"requests": {"requests": world.requests()}, "reviews": {"reviews": world.reviews()}, "register": {"systems": world.systems()}}
    sources |= {app: world.tables(app) for app in world.apps}
    # Reviews that took away what some accounts hold, before and after it was given.
    held = [m for m in sources["app-a"]["memberships"] if m["account"] and m["granted_at"]][:12]
    sources["reviews"]["reviews"] += [
        world.row("reviews", review=f"T{i}", system="app-a", subject=m["account"], entitlement=m["group"], exception=None, decision="revoke", decided_at=world.instant())
        for i, m in enumerate(held)
    ]
    for number, week in enumerate(WEEKS):
        for source, tables in sources.items():
            for i, (table, rows) in enumerate(tables.items()):
                rows = rows if number == 0 else world.later(rows)
                path = write(folder / str(week.date()) / source / table, table, rows, (seed + i + len(source)) % 2 == 0)
                if source == "app-b" and table == "accounts":
                    path.with_name(f"{path.name}.source.toml").write_text("control_total = 1000000\n")


def riddle(store, seed):
    """Fills and empties the columns of `RIDDLED` in a third of the rows; the manifest stays true."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    world = World(seed)
    for manifest in sorted(store.glob("snapshots/app-*/*/manifest.json")):
        stated = json.loads(manifest.read_text(encoding="utf-8"))
        for entry in stated["tables"]:
            path = manifest.parent / f"{entry['name']}.parquet"
            table = pq.read_table(path)
            for column, how in RIDDLED.get(entry["name"], {}).items():
                at = table.schema.get_field_index(column)
                values = [world.maybe(v, 0.67) if how == "null" else world.maybe(riddled(world, how), 0.33) for v in table.column(at).to_pylist()]
                table = table.set_column(at, table.schema.field(at), pa.array(values, table.schema.field(at).type))
            if entry["name"] in RIDDLED:
                pq.write_table(table, path, compression="zstd")
                entry |= {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        manifest.write_text(json.dumps(stated, indent=2) + "\n", encoding="utf-8")


def riddled(world, how):
    if how == "instant":
        return AS_OF - datetime.timedelta(days=world.dice.randint(0, 400))
    return json.dumps({"note": world.text()}, ensure_ascii=False) if how == "json" else world.text()


class Met:
    """Which nullable columns held NULL and a value, and which text columns held which token, over all worlds."""

    def __init__(self):
        self.columns, self.texts = {}, {}

    def look(self, store):
        import pyarrow.parquet as pq

        snapshots = [p for p in Path(store).glob("snapshots/*/*/*.parquet") if p.stem in FIELDS or p.stem == "employments"]
        for path in snapshots + [p for p in Path(store).glob("runs/*/*.parquet") if p.stem in READ]:
            table = pq.read_table(path)
            for field in table.schema:
                values = table.column(field.name).to_pylist()
                name = f"{path.stem}.{field.name}"
                if field.nullable:
                    seen = self.columns.setdefault(name, set())
                    seen |= {"null" if v is None else "value" for v in values}
                if "string" in str(field.type) and not {field.name, name} & CLOSED:
                    whole = "".join(v for v in values if v)
                    self.texts.setdefault(name, set()).update(t for t in TOKENS if t in whole)

    def check(self):
        lacking = {n: sorted({"null", "value"} - got) for n, got in self.columns.items() if len(got) < 2}
        common.check(f"{len(self.columns)} nullable columns held NULL and values", not lacking, str(lacking))
        lacking = {n: [t for t in wanted(n) if t not in got] for n, got in self.texts.items()}
        lacking = {n: tokens for n, tokens in lacking.items() if tokens}
        common.check(f"{len(self.texts)} text columns held each of {' '.join(map(repr, TOKENS))}", not lacking, str(lacking))


def wanted(name):
    """The tokens that a column should have held."""
    column = name.split(".")[1]
    return STABLE if column in FOLDED or column.endswith("_norm") else TOKENS


def main():
    parser = common.arguments(__doc__)
    parser.add_argument("--worlds", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    args = common.parsed(parser)
    met, findings, by_check = Met(), 0, collections.Counter()
    for seed in range(args.seed, args.seed + args.worlds):
        folder = common.fresh(args.work / f"world-{seed}")
        make(folder, seed)
        ran = common.run([args.holdover, "import"], folder)
        common.check(f"world {seed}: import exits {ran.code}", ran.code == 3, ran.err)  # `app-b` is short
        riddle(folder / "store", seed)
        ran = common.run([args.holdover, "store", "verify"], folder)
        common.equal(f"world {seed}: store verify", ran.code, 0)
        for week in WEEKS[1:]:
            at = (week + datetime.timedelta(hours=6)).isoformat() + "Z"
            ran = common.run([args.holdover, "audit", "--as-of", at, "--format", "json"], folder)
            common.check(f"world {seed}: audit of {week.date()} exits {ran.code}", ran.code in (1, 3), ran.err)
            findings += len(json.loads(ran.out)["findings"])
        store = folder / "store"
        common.check_parquet(store)
        taken = [json.loads(p.read_text())["files"] for p in store.glob("snapshots/*/*/manifest.json")]
        read, accepted = (sum(f[k] for files in taken for f in files) for k in ("read", "accepted"))
        common.check(f"world {seed}: {accepted} of {read} records accepted", accepted > 0.9 * read)
        for run in sorted((store / "runs").iterdir()):
            by_check.update(common.recalculate(args.holdover, store, args.work, run))
        met.look(store)
    met.check()
    common.equal("checks without a row in any world", sorted(c for c, n in by_check.items() if n == 0), sorted(ELSEWHERE))
    common.check(f"{args.worlds} worlds: {by_check.total()} rows of {len(by_check)} checks compared, {findings} findings", findings > 100)


if __name__ == "__main__":
    main()
