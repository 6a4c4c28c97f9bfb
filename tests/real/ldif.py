#!/usr/bin/env python3
"""Imports real directory exports and checks the stored rows against the servers' own answers.

    python3 tests/real/ldif.py --holdover BIN --data DIR --work DIR [--only ad|openldap]

Active Directory: `DATA/ad/samba`, written by a Samba domain controller, with the members that the controller itself
found (`EXPECTED.transitive.*`). OpenLDAP: a slapd started here on a local socket, loaded with a generated tree, exported
with `ldapsearch -LLL` and with `slapcat`. One line per assertion; exit code 1 if one fails.

Needs Debian's `slapd` and `ldap-utils`, and the Python package `duckdb`.
"""

import argparse
import base64
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

import duckdb

TAKEN_AT = "2026-11-22T00:00:00Z"
SNAPSHOT = "20261122T000000Z"
SUFFIX = "dc=fern,dc=example"
ROOT_DN = f"cn=manager,{SUFFIX}"
ROOT_PW = "only-for-this-process"
PERSON_PW = "lantern-walk-04"

failures = 0


def check(what, got, want):
    """Prints one assertion, and what differs where it fails."""
    global failures
    if got == want:
        print(f"ok    {what}")
        return
    failures += 1
    print(f"FAIL  {what}")
    if isinstance(got, set) and isinstance(want, set):
        print(f"      too many: {sorted(map(str, got - want))[:5]}  missing: {sorted(map(str, want - got))[:5]}")
    else:
        print(f"      got {str(got)[:300]}  want {str(want)[:300]}")


class Snapshot:
    """One sealed snapshot: its tables as lists of dicts, and walks over its memberships."""

    def __init__(self, directory):
        self.directory = directory
        self.accounts = self.table("accounts")
        self.groups = self.table("groups")
        self.memberships = self.table("memberships")
        self.account_of = {a["account_ix"]: a for a in self.accounts}
        self.group_of = {g["group_ix"]: g for g in self.groups}

    def table(self, name):
        cursor = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(self.directory / f"{name}.parquet")])
        columns = [c[0] for c in cursor.description]
        return [dict(zip(columns, row)) for row in cursor.fetchall()]

    def members(self, group_ix):
        """Accounts and groups reached from a group through memberships of any depth, primary ones left out."""
        edges = {}
        for m in self.memberships:
            if m["kind"] != "primary":
                edges.setdefault(m["group_ix"], []).append(m)
        accounts, groups, todo = set(), set(), [group_ix]
        while todo:
            for m in edges.get(todo.pop(), []):
                if m["account_ix"] is not None:
                    accounts.add(m["account_ix"])
                elif m["member_group_ix"] is not None and m["member_group_ix"] not in groups:
                    groups.add(m["member_group_ix"])
                    todo.append(m["member_group_ix"])
        return [self.account_of[a] for a in accounts], [self.group_of[g] for g in groups]


def import_files(options, system, files):
    """Imports files as one snapshot of `system`."""
    command = [options.holdover, "import", "--store", options.store, "--connector", "ldif", "--system", system]
    command += ["--taken-at", TAKEN_AT, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"FAIL  import of {system}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return Snapshot(Path(options.store) / "snapshots" / system / SNAPSHOT)


def records(path):
    """How many records a file has."""
    with open(path, encoding="utf-8") as lines:
        return sum(line.startswith(("dn:", "dn::")) for line in lines)


def values(path, attribute):
    """The values of an attribute that is never folded and never base64 in the files it is asked of."""
    with open(path, encoding="utf-8") as lines:
        return {line.split(": ", 1)[1].strip() for line in lines if line.startswith(f"{attribute}: ")}


# Columns that every variant of the export states.
STATED = [
    "native_id", "generation", "kind", "login", "upn", "email", "employee_ref", "owner_ref", "status", "created_at", "changed_at",
    "last_used_at", "last_used_until", "use_state", "expires_at",
]


def project(snapshot, columns):
    return {tuple(str(a[c]) for c in columns) for a in snapshot.accounts}


def active_directory(options):
    data = Path(options.data) / "ad" / "samba"
    plain, groups, computers = (data / f for f in ("users.ldapsearch-LLL.ldif", "groups.ldapsearch-nowrap.ldif", "computers.ldapsearch-LLL.ldif"))
    whole = import_files(options, "ad-samba", [plain, groups, computers])
    check("ad: every user and computer is an account", len(whole.accounts), records(plain) + records(computers))
    check("ad: every group is a group", len(whole.groups), records(groups))
    check("ad: logins are those of the files", {a["login"] for a in whole.accounts}, values(plain, "sAMAccountName") | values(computers, "sAMAccountName"))
    check("ad: logins are those that the server lists", {a["login"] for a in whole.accounts if a["kind"] != "device"}, set((data / "samba-tool-user-list.txt").read_text().split()))
    for expected in sorted(data.glob("EXPECTED.transitive.*.ldif")):
        name = expected.name.split(".")[2]
        start = [g["group_ix"] for g in whole.groups if g["name"] == name]
        accounts, nested = whole.members(start[0])
        reached = {a["login"] for a in accounts} | {g["name"] for g in nested}
        check(f"ad: members of {name} at any depth are the server's own", reached, values(expected, "sAMAccountName"))
    primary = sum(m["kind"] == "primary" for m in whole.memberships)
    check("ad: every account has its primary group", primary, len(whole.accounts))

    one = import_files(options, "ad-ldapsearch", [plain])
    for system, file, columns in (
        ("ad-ldbsearch", "users.ldbsearch.ldif", [*STATED, "display_name", "attributes"]),
        ("ad-comments-paged", "users.ldapsearch-extended-comments-paged.ldif", STATED),
    ):
        other = import_files(options, system, [data / file])
        check(f"ad: {file} gives the same accounts", project(other, columns), project(one, columns))
    for system, file in (("ad-deleted", "deleted-tombstones.ldif"), ("ad-deleted-ldb", "deleted-tombstones.ldbsearch.ldif")):
        gone = import_files(options, system, [data / file])
        check(f"ad: {file} gives one deleted account", [(a["login"], a["status"]) for a in gone.accounts], [("del.user1", "deleted")])
    extended = import_files(options, "ad-extended", [plain, data / "extended-dn.domain-admins.ldbsearch.ldif"])
    admins = {a["login"] for a in extended.members(extended.groups[[g["name"] for g in extended.groups].index("Domain Admins")]["group_ix"])[0]}
    direct = {whole.account_of[m["account_ix"]]["login"] for m in whole.memberships
              if m["account_ix"] is not None and m["kind"] != "primary" and whole.group_of[m["group_ix"]]["name"] == "Domain Admins"}
    check("ad: members in extended form are found by GUID", direct <= admins and len(direct) > 0, True)


# ---- OpenLDAP ----------------------------------------------------------------------------------------------------------


def ldif(dn, pairs):
    """One record; whatever is not plain ASCII goes as base64, and long lines are folded."""
    out = []
    for name, value in [("dn", dn), *pairs]:
        safe = value.isascii() and value.isprintable() and not value.startswith((" ", ":", "<")) and not value.endswith(" ")
        line = f"{name}: {value}" if safe else f"{name}:: {base64.b64encode(value.encode()).decode()}"
        out.append("\n ".join([line[:76], *(line[i:i + 75] for i in range(76, len(line), 75))]))
    return "\n".join(out) + "\n\n"


def person(i):
    """DN, uid and record of one person. Every tenth has a name that needs escapes or base64."""
    uid = f"p{i:03}"
    name = {0: f"Größe, Ada {i}", 5: f"Quill+Son #{i}"}.get(i % 10, f"Person {i}")
    dn = f"uid={uid},ou=people,{SUFFIX}"
    if i % 10 == 0:
        dn = f"cn=Größe\\, Ada {i},ou=people,{SUFFIX}"
    pairs = [("objectClass", c) for c in ("inetOrgPerson", "posixAccount", "shadowAccount")]
    pairs += [("cn", name), ("sn", name.split()[-1]), ("uid", uid), ("mail", f"{uid}@fern.example"), ("employeeNumber", f"{i:05}")]
    pairs += [("uidNumber", str(10_000 + i)), ("gidNumber", str(5_000 + i % 4)), ("homeDirectory", f"/home/{uid}")]
    # Long past: a host would ask for another password, and the server takes this one.
    pairs += [("shadowLastChange", "19000"), ("shadowMax", "90")] if i == 6 else []
    pairs += [("loginShell", "/usr/sbin/nologin" if i % 50 == 1 else "/bin/sh"), ("userPassword", PERSON_PW)]
    return dn, uid, ldif(dn, pairs)


def tree():
    """The tree as LDIF to add, LDIF to modify with, and its direct edges: `cn` of a group → `uid`s and `cn`s of members."""
    dice = random.Random(20261122)
    add = [ldif(SUFFIX, [("objectClass", "dcObject"), ("objectClass", "organization"), ("dc", "fern"), ("o", "Fern")])]
    add += [ldif(f"ou={ou},{SUFFIX}", [("objectClass", "organizationalUnit"), ("ou", ou)]) for ou in ("people", "groups", "posix", "roles", "policies")]
    add.append(ldif(f"cn=default,ou=policies,{SUFFIX}", [
        ("objectClass", "namedPolicy"), ("objectClass", "pwdPolicy"), ("cn", "default"), ("pwdAttribute", "userPassword"),
        ("pwdLockout", "TRUE"), ("pwdMaxFailure", "2")]))
    add.append(ldif(f"ou=far,{SUFFIX}", [("objectClass", "referral"), ("objectClass", "extensibleObject"), ("ou", "far"), ("ref", f"ldap://far.example/ou=far,{SUFFIX}")]))
    people = [person(i) for i in range(300)]
    add += [record for _, _, record in people]
    edges, modify = {}, []
    names = [f"cn=team-{g:02},ou=groups,{SUFFIX}" for g in range(40)]
    for g, dn in enumerate(names):
        some = dice.sample(range(300), dice.randint(1, 12))
        direct, chosen = [people[i][0] for i in some], {people[i][1] for i in some}
        add.append(ldif(dn, [("objectClass", "groupOfNames"), ("cn", f"team-{g:02}"), *(("member", m) for m in direct)]))
        nested = [n for n in dice.sample(names, 2) if n != dn]
        # A ring of three, whatever the dice say.
        nested = nested + [names[(g + 1) % 3]] if g < 3 else nested
        nested = sorted(set(nested))
        modify.append(ldif(dn, [("changetype", "modify"), ("add", "member"), *(("member", n) for n in nested)]))
        edges[short(dn)] = {*chosen, *map(short, nested)}
    for g in range(4):
        dn = f"cn=posix-{g},ou=posix,{SUFFIX}"
        chosen = dice.sample(range(300), 20)
        add.append(ldif(dn, [("objectClass", "posixGroup"), ("cn", f"posix-{g}"), ("gidNumber", str(5_000 + g)), *(("memberUid", people[i][1]) for i in chosen)]))
        edges[short(dn)] = {people[i][1] for i in chosen}
    dn = f"cn=unique,ou=groups,{SUFFIX}"
    add.append(ldif(dn, [("objectClass", "groupOfUniqueNames"), ("cn", "unique"), ("uniqueMember", people[11][0].upper()), ("uniqueMember", names[0])]))
    edges["unique"] = {people[11][1], short(names[0])}
    dn = f"cn=on-call,ou=roles,{SUFFIX}"
    add.append(ldif(dn, [("objectClass", "organizationalRole"), ("cn", "on-call"), ("roleOccupant", people[7][0])]))
    edges["on-call"] = {people[7][1]}
    return people, "".join(add), "".join(modify), edges


def short(dn):
    """The `cn` that a group's DN begins with."""
    return dn.split(",")[0].removeprefix("cn=")


def walk(edges, start):
    """A plain breadth-first walk: every name reached from a group."""
    reached, todo = set(), [start]
    while todo:
        fresh = edges.get(todo.pop(0), set()) - reached
        reached |= fresh
        todo += sorted(fresh)
    return reached


CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/namedobject.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload ppolicy
pidfile {home}/pid
database mdb
directory {home}/db
maxsize 268435456
suffix "{suffix}"
rootdn "{root}"
rootpw {password}
lastbind on
overlay memberof
memberof-refint on
overlay ppolicy
ppolicy_default "cn=default,ou=policies,{suffix}"
"""


class Slapd:
    """A slapd on a local socket, in a folder that goes away with it."""

    def __enter__(self):
        self.home = Path(tempfile.mkdtemp(prefix="ldif-"))
        (self.home / "db").mkdir()
        self.conf = self.home / "slapd.conf"
        schema = CONFIGURATION if Path("/etc/ldap/schema/namedobject.schema").exists() else CONFIGURATION.replace("include /etc/ldap/schema/namedobject.schema\n", "")
        self.conf.write_text(schema.format(home=self.home, suffix=SUFFIX, root=ROOT_DN, password=ROOT_PW))
        self.url = "ldapi://" + urllib.parse.quote(str(self.home / "socket"), safe="")
        program = shutil.which("slapd") or "/usr/sbin/slapd"
        self.process = subprocess.Popen([program, "-d", "0", "-f", str(self.conf), "-h", self.url])
        for _ in range(100):
            if (self.home / "socket").exists() and self.run("ldapwhoami", *self.root(), check=False).returncode == 0:
                return self
            time.sleep(0.1)
        self.__exit__()
        sys.exit("FAIL  slapd did not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=30)
        shutil.rmtree(self.home, ignore_errors=True)

    def root(self):
        return ["-x", "-H", self.url, "-D", ROOT_DN, "-w", ROOT_PW]

    def run(self, *command, text=None, check=True):
        return subprocess.run(command, input=text, capture_output=True, text=True, check=check)

    def bind(self, dn, password):
        return self.run("ldapwhoami", "-x", "-H", self.url, "-D", dn, "-w", password, check=False).returncode

    def load(self, add, modify):
        self.run("ldapadd", *self.root(), text=add)
        self.run("ldapmodify", *self.root(), text=modify)

    def export(self, folder):
        """One file by `ldapsearch -LLL`, one by `slapcat`, one with comments and pages."""
        files = {}
        search = ["ldapsearch", *self.root(), "-b", SUFFIX]
        for name, options in (("ldapsearch", ["-LLL"]), ("paged", ["-E", "pr=100/noprompt"])):
            files[name] = folder / f"openldap.{name}.ldif"
            files[name].write_text(self.run(*search, *options, "(objectClass=*)", "*", "+").stdout)
        self.limited = folder / "openldap.limited.ldif"
        self.limited.write_text(self.run(*search, "-z", "20", "(objectClass=*)", "*", "+", check=False).stdout)
        files["slapcat"] = folder / "openldap.slapcat.ldif"
        program = shutil.which("slapcat") or "/usr/sbin/slapcat"
        files["slapcat"].write_text(self.run(program, "-f", str(self.conf), "-b", SUFFIX).stdout)
        return files


def openldap(options):
    people, add, modify, edges = tree()
    with Slapd() as server:
        server.load(add, modify)
        used = [people[i][0] for i in (1, 2, 6, 10)]
        check("openldap: the server takes the password", [server.bind(dn, PERSON_PW) for dn in used], [0, 0, 0, 0])
        for _ in range(2):
            server.bind(people[3][0], "wrong")
        server.run("ldapmodify", *server.root(), text=ldif(people[4][0], [("changetype", "modify"), ("add", "pwdAccountLockedTime"), ("pwdAccountLockedTime", "000001010000Z")]))
        files = server.export(Path(options.work))
    snapshots = {}
    for name, file in files.items():
        found = snapshots[name] = import_files(options, f"openldap-{name}", [file])
        check(f"openldap {name}: every person is an account", {a["login"] for a in found.accounts}, {uid for _, uid, _ in people})
        check(f"openldap {name}: every group is a group", {g["name"] for g in found.groups}, set(edges))
        wrong = []
        for group in found.groups:
            accounts, nested = found.members(group["group_ix"])
            if {a["login"] for a in accounts} | {g["name"] for g in nested} != walk(edges, group["name"]):
                wrong.append(group["name"])
        check(f"openldap {name}: members of {len(found.groups)} groups equal a plain walk", wrong, [])
        status = {a["login"]: a["status"] for a in found.accounts}
        check(f"openldap {name}: a lock that lapses is `locked`", [u for u, s in status.items() if s == "locked"], ["p003"])
        check(f"openldap {name}: a lock for good is `disabled`", [u for u, s in status.items() if s == "disabled"], ["p004"])
        uses = {a["login"]: a["use_state"] for a in found.accounts}
        check(f"openldap {name}: who bound is `used`, the rest `never`", sorted(u for u, s in uses.items() if s == "used"), ["p001", "p002", "p006", "p010"])
        check(f"openldap {name}: nobody's use is unknown", set(uses.values()), {"used", "never"})
        primary = [m for m in found.memberships if m["kind"] == "primary"]
        check(f"openldap {name}: every account has the group of its gidNumber", len(primary), len(people))
        ends = [c["native_id"] for c in found.table("credentials") if c["expires_at"] is not None]
        check(f"openldap {name}: what the server still takes has not ended", ends, [])
        notes = json.loads((found.directory / "manifest.json").read_text())["files"][0]["notes"]
        if name != "slapcat":
            check(f"openldap {name}: the referral is noted", [n for what, n in notes if "referral" in what], [1])
        stored = json.dumps([found.accounts, found.groups, found.memberships, found.table("credentials")], default=str)
        check(f"openldap {name}: no password is stored", [w for w in ("{SSHA}", PERSON_PW) if w in stored], [])
    limited = subprocess.run([options.holdover, "import", "--store", options.store, "--connector", "ldif", "--system", "openldap-limited", "--taken-at", TAKEN_AT, server.limited], capture_output=True, text=True, check=False)
    check("openldap: an answer that hit a limit is short", (limited.returncode, "Size limit exceeded" in limited.stdout + limited.stderr), (3, True))
    ids = {name: project(s, STATED) for name, s in snapshots.items()}
    check("openldap: slapcat gives the same accounts as ldapsearch", ids["slapcat"], ids["ldapsearch"])
    check("openldap: pages and comments give the same accounts", ids["paged"], ids["ldapsearch"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--holdover", required=True, help="the binary")
    parser.add_argument("--data", required=True, help="folder with ad/samba")
    parser.add_argument("--work", required=True, help="folder for the store and the exports")
    parser.add_argument("--only", choices=("ad", "openldap"), help="run one part")
    options = parser.parse_args()
    os.makedirs(options.work, exist_ok=True)
    options.store = str(Path(tempfile.mkdtemp(prefix="store-", dir=options.work)))
    if options.only != "openldap":
        active_directory(options)
    if options.only != "ad":
        openldap(options)
    print(f"{failures} failed" if failures else "all passed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
