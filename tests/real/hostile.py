#!/usr/bin/env python3
"""Bad input: each item gives a named error or a reject with place and remedy, an exit code, bounded memory, and a store that
can still be read.

    python3 tests/real/hostile.py --holdover BIN --work DIR

Runs as root: the full disk is a small tmpfs. Needs 1 GB of disk and the Python package `pyarrow`.
"""

import contextlib
import fcntl
import gzip
import html.parser
import io
import json
import os
import signal
import subprocess
import threading
import time

import common

RSS_MAX = 600  # MiB
MIB, GIB = 1 << 20, 1 << 30
TAKEN = ["--taken-at", "2026-11-22T00:00:00Z"]
AS_OF = ["--as-of", "2026-11-22T06:00:00Z"]
ACCOUNTS = ["--connector", "tabular", "--option", "mapping=accounts"]
AWS, LDIF, OKTA, VAULT = (["--connector", name] for name in ("aws-iam", "ldif", "okta", "vault"))
GOOD_ENTRY = b"\ndn: cn=b,dc=x\nobjectClass: inetOrgPerson\nuid: b\ncn: b\n"
USER = '{"UserName":"a","UserId":"AIDAAAAAAAAAAAAAAAAAA","Path":"/","Arn":"arn:aws:iam::111122223333:user/a","CreateDate":"%s","GroupList":[],"AttachedManagedPolicies":[]}'  # fmt: skip
DETAILS = '{"UserDetailList":[%s],"GroupDetailList":[],"RoleDetailList":[],"Policies":[],"IsTruncated":false}'
DEEP = 100_000


class Bench:
    """One store; every import goes to a system of its own."""

    def __init__(self, args):
        self.holdover, self.work, self.count = args.holdover, args.work, 0
        self.store = args.work / "store"

    def run(self, what, *command, codes, store=None, before_wait=None, cwd=None):
        """Runs one command: no panic, the exit code, memory; afterwards the store is whole."""
        ran = common.run([self.holdover, *command], cwd or self.work, before_wait)
        fault = None
        if "panicked" in ran.text or ran.code not in codes or ran.rss > RSS_MAX:
            fault = f"exit {ran.code} of {codes}, {ran.rss} MiB of {RSS_MAX}, {ran.seconds:.1f} s\n{ran.text[-2000:]}"
        common.check(f"{what}: exit {ran.code}, {ran.rss} MiB", fault is None, fault)
        self.verify(what, store or self.store)
        return ran

    def verify(self, what, store):
        for verb in ("verify", "list"):
            ran = common.run([self.holdover, "store", verb, "--store", store], self.work)
            if ran.code != 0:
                common.check(f"{what}: store {verb} afterwards", False, ran.text)

    def imported(self, what, connector, name, content, codes, store=None, before_wait=None):
        """Imports one file, whose content is bytes or a function that writes it, into a new system; removes the file."""
        self.count += 1
        system = f"case-{self.count}"
        path = os.path.join(os.fsencode(self.work), os.fsencode(name))
        with open(path, "wb") as file:
            content(file) if callable(content) else file.write(content)
        store = store or self.store
        try:
            ran = self.run(what, "import", "--store", store, "--system", system, *connector, *TAKEN, path, codes=codes, store=store, before_wait=before_wait)  # fmt: skip
        finally:
            os.unlink(path)
        return ran, next(iter((store / "snapshots" / system).glob("*/manifest.json")), None)

    def refused(self, what, connector, name, content, code, place=None):
        """The whole file is refused: a code, the file (and line or record), and a remedy; nothing is sealed."""
        ran, manifest = self.imported(what, connector, name, content, [3])
        wanted = [f"error[{code}]", f"/{name}{place or ''}", "  --> ", "help: "]
        common.check(f"{what}: named `{code}`, with place and remedy", all(w in ran.err for w in wanted), f"wanted {wanted} in\n{ran.err}")
        common.check(f"{what}: nothing sealed", manifest is None)

    def rejected(self, what, connector, name, content, reason, numbers, accepted):
        """Some records are rejected, each with file, number, reason and remedy; the others are kept."""
        ran, manifest = self.imported(what, connector, name, content, [3])
        import pyarrow.parquet as pq

        file = json.loads(manifest.read_text(encoding="utf-8"))["files"][0]
        rows = pq.read_table(manifest.parent / "rejects.parquet").to_pylist()
        common.equal(f"{what}: rejects of {file['name']}", [(r["reason"], r["number"]) for r in rows], [(reason, n) for n in numbers])
        common.check(f"{what}: each with message and remedy", all(r["message"] and r["help"] for r in rows), str(rows))
        common.equal(f"{what}: read = accepted + rejected", (file["read"], file["accepted"]), (accepted + len(numbers), accepted))


def parquet(columns):
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, compression="zstd")
    return out.getvalue()


def cut_and_crooked(bench):
    bench.refused("truncated JSON (aws-iam)", AWS, "t.json", (DETAILS % (USER % "2026-01-01T00:00:00Z")).encode()[:-80], "aws-iam/truncated-json", ":1")  # fmt: skip
    bench.refused("truncated JSON (okta)", OKTA, "users.json", b'[{"id":"00u","status":"ACTIVE","profile":{"login":"a"}},{"id":"00', "okta/truncated-json", ":1")  # fmt: skip
    bench.refused("truncated JSON (tabular)", ACCOUNTS, "t.json", b'[{"id":"1","login":"a"},{"id":"2","lo', "tabular/truncated-json", ":2")
    bench.rejected("truncated JSON lines", ACCOUNTS, "t.ndjson", b'{"id":"1","login":"a"}\n{"id":"2","lo', "tabular/json", [2], 1)
    bench.rejected("ragged CSV", ACCOUNTS, "r.csv", b"id,login,email\n1,a,a@x\n2,b\n3,c,c@x,more\n4,d,d@x\n", "tabular/ragged", [3, 4], 2)
    bench.rejected("a quote that is never closed", ACCOUNTS, "q.csv", b'id,login\n1,a\n2,"b\n3,c\n', "tabular/unclosed-quote", [3], 1)
    bench.refused("a quote in the header that is never closed", ACCOUNTS, "q.csv", b'id,"login\n1,a\n2,b\n', "tabular/unclosed-quote", ":1")
    bench.rejected("broken base64", LDIF, "b.ldif", b"dn: cn=a,dc=x\nobjectClass: inetOrgPerson\ncn:: @@@@\n" + GOOD_ENTRY, "ldif/bad-base64", [1], 1)  # fmt: skip
    bench.rejected("invalid UTF-8 (CSV)", ACCOUNTS, "u.csv", b"id,login\n1,a\n2,\xff\xfe\n3,c\n", "tabular/not-text", [3], 2)
    bench.refused("invalid UTF-8 (JSON)", ACCOUNTS, "u.json", b'[{"id":"1","login":"a\xff"}]', "tabular/json", ":1")
    bench.rejected("invalid UTF-8 (LDIF)", LDIF, "u.ldif", b"dn: cn=a,dc=x\nobjectClass: inetOrgPerson\nuid: a\xff\n" + GOOD_ENTRY, "ldif/not-utf8", [1], 1)  # fmt: skip
    bench.rejected("NUL bytes (CSV)", ACCOUNTS, "n.csv", b"id,login\n1,a\n2,b\0b\n3,c\n", "tabular/nul-byte", [3], 2)
    bench.refused("NUL bytes (JSON)", ACCOUNTS, "n.json", b'[{"id":"1","login":"a\0"}]', "tabular/json", ":1")
    bench.rejected("NUL bytes (LDIF)", LDIF, "n.ldif", b"dn: cn=a,dc=x\nobjectClass: inetOrgPerson\nuid: a\0\n" + GOOD_ENTRY, "ldif/nul", [1], 1)  # fmt: skip
    bench.refused("gzip cut off (CSV)", ACCOUNTS, "g.csv.gz", gzip.compress(b"id,login\n" + b"1,a\n" * 9999)[:-20], "input/unreadable")
    bench.refused("gzip cut off (aws-iam)", AWS, "g.json.gz", gzip.compress((DETAILS % (USER % "2026-01-01T00:00:00Z")).encode())[:-20], "input/unreadable")
    bench.refused("gzip cut off (LDIF)", LDIF, "g.ldif.gz", gzip.compress(GOOD_ENTRY)[:-10], "input/unreadable")
    bench.refused("Parquet cut off", ACCOUNTS, "p.parquet", parquet({"id": ["1"] * 999, "login": ["a"] * 999})[:-60], "tabular/parquet")
    for connector, name in ((ACCOUNTS, "tabular"), (AWS, "aws-iam"), (LDIF, "ldif"), (OKTA, "okta")):
        bench.refused(f"empty file ({name})", connector, "e.txt", b"", f"{name}/empty")
        bench.refused(f"empty file, packed ({name})", connector, "e.gz", gzip.compress(b""), f"{name}/empty")
    bench.rejected("the year 20260 (CSV)", ACCOUNTS, "y.csv", b"id,login,created at\n1,a,20260-01-01T00:00:00Z\n2,b,2026-01-01T00:00:00Z\n", "tabular/date", [2], 1)  # fmt: skip
    bench.rejected("the year 20260 (AWS)", AWS, "y.json", (DETAILS % (USER % "20260-01-01T00:00:00Z")).encode(), "aws-iam/bad-time", [1], 0)
    bench.rejected("the year 20260 (okta)", OKTA, "users.json", b'[{"id":"00u1","status":"ACTIVE","created":"20260-01-01T00:00:00Z","profile":{"login":"a"}},{"id":"00u2","status":"ACTIVE","profile":{"login":"b"}}]', "okta/bad-time", [1], 1)  # fmt: skip
    bench.rejected("the year 20260 (LDIF)", LDIF, "y.ldif", b"dn: cn=a,dc=x\nobjectClass: inetOrgPerson\nuid: a\ncreateTimestamp: 202600101000000Z\n" + GOOD_ENTRY, "ldif/bad-value", [1], 1)  # fmt: skip


def endless(head, fill, size):
    """Writes `head`, then `fill` again and again."""

    def write(file):
        file.write(head)
        chunk = fill * (16 * MIB // len(fill))
        for _ in range(size // len(chunk)):
            file.write(chunk)

    return write


def bomb(head, fill, size=2 * GIB):
    """gzip of `head` and then `fill` again and again, as one stream of many members."""
    chunk = gzip.compress(fill * (64 * MIB // len(fill)), 9)
    return gzip.compress(head) + chunk * (size // (64 * MIB))


def large_and_deep(bench):
    bench.refused("1 GB line (CSV)", ACCOUNTS, "a.csv", endless(b"id,login\n1,", b"a", GIB), "input/line-too-long", ":2")
    bench.refused("1 GB in one quote (CSV)", ACCOUNTS, "q.csv", endless(b'id,login\n1,"', b"a\n", GIB), "input/line-too-long", ":2")
    bench.refused("1 GB line (JSON)", ACCOUNTS, "a.json", endless(b'[{"id":"', b"a", GIB), "input/line-too-long", ":1")
    bench.refused("1 GB line (aws-iam)", AWS, "a.json", endless(b'{"UserDetailList":[{"UserName":"', b"a", GIB), "aws-iam/record-too-large", ":1")  # fmt: skip
    bench.refused("1 GB line (okta)", OKTA, "users.json", endless(b'[{"id":"', b"a", GIB), "okta/record-too-large", ":1")
    bench.refused("1 GB line (LDIF)", LDIF, "a.ldif", endless(b"dn: cn=", b"a", GIB), "input/line-too-long", ":1")
    bench.refused("1 GB of NUL, sparse (CSV)", ACCOUNTS, "z.csv", lambda f: f.truncate(GIB), "input/line-too-long", ":1")
    folded = endless(b"dn: cn=a\ndescription: a\n", b" " + b"a" * 70 + b"\n", GIB)
    bench.rejected("1 GB in folded lines (LDIF)", LDIF, "f.ldif", folded, "ldif/value-too-long", [1], 0)
    deep = ("[" * DEEP, '[{"id":"1","a":' + '{"a":' * DEEP + "1" + "}" * DEEP + "}]")
    for i, text in enumerate(deep):
        bench.refused(f"nested {DEEP} deep ({i})", ACCOUNTS, "d.json", text.encode(), "tabular/too-deep", ":1")
    policy = '{"UserName":"a","UserPolicyList":[{"PolicyName":"p","PolicyDocument":' + '{"a":' * DEEP + "1" + "}" * DEEP + "}]}"
    bench.refused(f"nested {DEEP} deep (aws-iam)", AWS, "d.json", (DETAILS % policy).encode(), "aws-iam/too-deep", ":1")
    bench.refused(f"nested {DEEP} deep (okta)", OKTA, "users.json", deep[1].encode(), "okta/too-deep", ":1")
    bench.refused("gzip bomb of blanks (okta)", OKTA, "users.json.gz", bomb(b"[", b" "), "input/gzip-bomb")
    bench.refused("gzip bomb of NUL", ACCOUNTS, "b.gz", bomb(b"", b"\0"), "input/line-too-long", ":1")
    bench.refused("gzip bomb of blank lines (CSV)", ACCOUNTS, "b.csv.gz", bomb(b"id,login\n", b"\n"), "input/gzip-bomb")
    bench.refused("gzip bomb of blanks (JSON)", ACCOUNTS, "b.json.gz", bomb(b"[", b" "), "input/gzip-bomb")
    bench.refused("gzip bomb of blanks (aws-iam)", AWS, "b.json.gz", bomb(b'{"UserDetailList":[', b"\n"), "input/gzip-bomb")
    entry = b"dn: cn=a\nobjectClass: user\ndescription: " + b"a" * 1000 + b"\n\n"
    bench.refused("gzip bomb of entries (LDIF)", LDIF, "b.ldif.gz", bomb(b"", entry), "input/gzip-bomb")
    folder = common.fresh(bench.work / "chain")
    names = [f"g{i}" for i in range(DEEP)]
    (folder / "groups.csv").write_text("id\n" + "".join(f"{g}\n" for g in names))
    (folder / "edges.csv").write_text("member,group\n" + "".join(f"{a},{b}\n" for a, b in zip(names, names[1:] + names[:1])))
    (folder / "holdover.toml").write_text(
        '[holdover]\nstore = "store"\n[[source]]\nsystem = "app"\nconnector = "tabular"\nfiles = "*.csv"\ntaken_at = "2026-11-22"\n'
        'timezone = "UTC"\n[[source.options.part]]\nfiles = "groups.csv"\ntable = "groups"\ncolumns = { native_id = "id" }\n'
        '[[source.options.part]]\nfiles = "edges.csv"\ntable = "memberships"\ncolumns = { member_group = "member", group = "group" }\n'
    )
    bench.run(f"a cycle of {DEEP} groups", "audit", *AS_OF, codes=[0], cwd=folder, store=folder / "store")


def listing(mapping):
    return ["--connector", "tabular", "--option", f"mapping={mapping}", "--timezone", "UTC"]


def rows_of(manifest, table):
    import pyarrow.parquet as pq

    return pq.read_table(manifest.parent / f"{table}.parquet").to_pylist()


ENTRY = {"time": "2026-11-01T00:00:00Z", "type": "response", "auth": {"client_token": "hmac-sha256:0", "accessor": "hmac-sha256:1", "entity_id": "e1"}, "request": {"id": "r", "path": "secret/data/a"}}  # fmt: skip
LINE = json.dumps(ENTRY, separators=(",", ":")).encode() + b"\n"
RULE = 'path "%s" { capabilities = [%s] }\n'
# Policies that nobody can read for sure: their level is never `none`, nor anything lower than what they may give.
UNREADABLE = {
    "nested": f'path "a" {{ capabilities = ["read"] x = {"{a=" * DEEP}',
    "nested lists": f'path "a" {{ capabilities = {"[" * DEEP}',
    "nested JSON": '{"path":{"a":{"capabilities":["read"],"x":' + "[" * DEEP + "]" * DEEP + "}}}",
    "cut": 'path "sys/*" { capabilities = ["sudo", "upd',
    "no HCL": 'path "sys/*" { capabilities = ["sudo"] } ;;; %$',
    "half a comment": "/* " + RULE % ("sys/*", '"sudo"'),
    "a path in a variable": 'path var.all { capabilities = ["sudo"] }',
    "another keyword": 'Path "sys/*" { capabilities = ["sudo"] }',
    "a block that is not known": 'rule "sys/*" { capabilities = ["sudo"] }',
    "a rule without capabilities": 'path "sys/*" { }',
    "capability that is not known": RULE % ("sys/*", '"sudoedit"'),
    "a heredoc without an end": 'path "a" { capabilities = ["read"] note = <<END\n}',
    "JSON without a path": '{"rules": {"sys/*": {"capabilities": ["sudo"]}}, "x": "path"}',
    "JSON, one rule twice": '{"path":{"*":{"capabilities":["sudo"]}},"path":{"a":{"capabilities":["read"]}}}',
    "JSON, one path twice": '{"path":{"*":{"capabilities":["sudo"]},"*":{"capabilities":["read"]}}}',
    "script": "<script>alert(1)</script>",
}


def vault(bench):
    """Policies, answers and logs of Vault that are hostile."""
    answer = lambda name, text: json.dumps({"request_id": "r", "data": {"name": name, "policy": text}}).encode()
    for what, text in UNREADABLE.items():
        _, manifest = bench.imported(f"policy: {what}", VAULT, "p.json", answer("p", text), [0])
        policies = [(e["native_id"], e["level"]) for e in rows_of(manifest, "entitlements") if e["native_id"] == "p"]
        common.equal(f"policy: {what}: is unknown", policies, [("p", "unknown")])
    for what, text in {k: v for k, v in UNREADABLE.items() if v.startswith("{") and DEEP > len(v)}.items():
        _, manifest = bench.imported(f"policy as a file: {what}", VAULT, "p.json", text.encode(), [0, 3])
        levels = [e["level"] for e in rows_of(manifest, "entitlements")] if manifest else []
        common.check(f"policy as a file: {what}: unknown or refused", levels in ([], ["unknown"]), str(levels))
    glob = "secret/" + "+/" * (MIB // 2) + "*"
    for what, text, level in (
        ("a glob of a megabyte", RULE % (glob, '"read"'), "read"),
        ("a glob of a megabyte that may write anything", RULE % ("+*" * (MIB // 2), '"update"'), None),
        ("100 000 rules, the last of them sudo", "".join(RULE % (f"a/{i}", '"read"') for i in range(DEEP)) + RULE % ("z", '"sudo"'), "admin"),
        ("100 000 capabilities", RULE % ("a", '"read",' * DEEP + '"sudo"'), "admin"),
    ):
        ran, manifest = bench.imported(f"policy: {what}", VAULT, "p.json", answer("p", text), [0])
        common.check(f"policy: {what}: {ran.seconds:.1f} s", ran.seconds < 60)
        levels = [e["level"] for e in rows_of(manifest, "entitlements") if e["native_id"] == "p"]
        common.check(f"policy: {what}: {levels}", levels == [level] if level else levels[0] not in ("none", "read"), str(levels))
    bench.refused("nested 100000 deep (vault)", VAULT, "d.json", b'{"request_id":"r","data":' + b"[" * DEEP, "vault/too-deep")
    bench.refused("truncated JSON (vault)", VAULT, "t.json", b'{"request_id":"r","data":{"accessor":"a"', "vault/truncated-json")
    bench.refused("1 GB answer (vault)", VAULT, "a.json", endless(b'{"request_id":"', b"a", GIB), "vault/record-too-large")
    bench.refused("1 GB line of a log (vault)", VAULT, "audit.log", endless(LINE, b"a", GIB), "input/line-too-long", ":2")
    bench.refused("gzip bomb of entries (vault)", VAULT, "audit.log.gz", bomb(b"", LINE + b"\n" * 8000), "input/gzip-bomb")
    bench.refused("gzip bomb of blanks (vault)", VAULT, "a.json.gz", bomb(b'{"request_id":', b" "), "vault/record-too-large")
    bench.refused("gzip cut off (vault)", VAULT, "audit.log.gz", gzip.compress(LINE * 9999)[:-20], "input/unreadable")
    bench.refused("invalid UTF-8 (vault)", VAULT, "u.json", b'{"request_id":"\xff"}', "vault/not-text")
    bench.rejected("a log that is cut mid-line", VAULT, "audit.log", LINE * 3 + LINE[:80], "vault/audit-line", [4], 3)
    bench.rejected("a rotated log that begins mid-line", VAULT, "audit.log", LINE[80:] + LINE * 2, "vault/audit-line", [1], 2)
    bench.rejected("a log with other bytes", VAULT, "audit.log", LINE + b"\xff\0\n" + LINE, "vault/audit-line", [2], 2)
    bench.rejected("a log with a line nested deep", VAULT, "audit.log", LINE + b"[" * DEEP + b"\n" + LINE, "vault/audit-line", [2], 2)
    bench.rejected("the year 20260 (vault)", VAULT, "audit.log", LINE + LINE.replace(b"2026-", b"20260-"), "vault/bad-time", [2], 1)

    # Parts of one log, gzip or not, of which one is cut: who is not in it may have been in what is lost.
    folder = common.fresh(bench.work / "rotated")
    entity = {"request_id": "r", "data": {"id": "e2", "name": "e2", "aliases": [], "policies": []}}
    (folder / "e2.json").write_text(json.dumps(entity))
    (folder / "audit.log").write_bytes(LINE * 2)
    for what, part, state in (("whole", LINE.replace(b"11-01", b"10-01"), "not_in_window"), ("cut", LINE.replace(b"11-01", b"10-01") + LINE[:50], "unknown")):
        (folder / "audit.log.1.gz").write_bytes(gzip.compress(part))
        command = ["import", "--store", bench.store, "--system", f"rotated-{what}", *VAULT, *TAKEN, *sorted(folder.iterdir())]
        bench.run(f"a rotated log, {what}", *command, codes=[0 if what == "whole" else 3])
        manifest = next((bench.store / "snapshots" / f"rotated-{what}").glob("*/manifest.json"))
        common.equal(f"a rotated log, {what}: use", [a["use_state"] for a in rows_of(manifest, "accounts") if a["native_id"] == "e2"], [state])


def okta(bench):
    """Lists of Okta that do not end, or that are inside each other."""
    user = b'{"id":"00u%017d","status":"ACTIVE","profile":{"login":"a"}}'
    bench.refused("lists in lists 100000 deep (okta)", OKTA, "users.json", b"[" * DEEP + user % 1 + b"]" * DEEP, "okta/too-deep", ":1")
    bench.refused("a list without an end (okta)", OKTA, "users.json", b"[" + (user % 1 + b",") * 3, "okta/truncated-json", ":1")
    bench.refused("gzip bomb of users (okta)", OKTA, "users.json.gz", bomb(b"[", user % 1 + b"," + b" " * 8000), "input/gzip-bomb")
    bench.refused("a profile of 1 GB (okta)", OKTA, "users.json", endless((b"[" + user % 1)[:-2] + b',"x":{', b'"a":"b",', GIB), "okta/record-too-large", ":1")
    bench.rejected("one user 100 times, differently (okta)", OKTA, "users.json", b"[" + b",".join((user % 1).replace(b'"a"', b'"a%d"' % i) for i in range(100)) + b"]", "okta/duplicate", list(range(2, 101)), 1)  # fmt: skip
    ran, manifest = bench.imported("one user 100 000 times (okta)", OKTA, "users.json", b"[" + b",".join([user % 1] * DEEP) + b"]", [0, 3])
    common.equal("one user 100 000 times (okta): accounts", len(rows_of(manifest, "accounts")), 1)
    rules = b'[{"type":"group_rule","id":"0pr1","status":"ACTIVE","conditions":{"expression":{"value":"%s"}},"actions":{"assignUserToGroups":{"groupIds":["00g1"]}}}]'
    bench.imported("an expression of a megabyte (okta)", OKTA, "rules.json", rules % (b"(" * MIB), [0, 3])


def lists(bench):
    """XML that is a weapon, and lists of why access is there that are too many or match everything."""
    role = '<role oid="%s"><name>%s</name></role>'
    objects = lambda inside, head="": (head + f"<objects>{inside}</objects>").encode()
    xml = listing("midpoint-roles")
    laughs = "<!DOCTYPE x [<!ENTITY a 'ha'>" + "".join(f"<!ENTITY {b} '{('&' + a + ';') * 10}'>" for a, b in zip("abcdefgh", "bcdefghi")) + "]>"
    for what, head, entity in (
        ("entities that multiply", laughs, "&i;"),
        ("an entity that is a file", '<!DOCTYPE x [<!ENTITY i SYSTEM "file:///etc/passwd">]>', "&i;"),
        ("an entity from elsewhere", '<!DOCTYPE x [<!ENTITY i SYSTEM "http://127.0.0.1:9/x">]>', "&i;"),
        ("an entity of itself", '<!DOCTYPE x [<!ENTITY i "&i;">]>', "&i;"),
    ):
        ran, manifest = bench.imported(f"XML: {what}", xml, "r.xml", objects(role % ("r1", entity), head), [3])
        common.check(f"XML: {what}: refused", manifest is None and "error[tabular/xml]" in ran.err and "root:" not in ran.text, ran.text)
        inside = f'<role oid="{entity}"><name>a</name></role>'
        ran, manifest = bench.imported(f"XML: {what}, in an attribute", xml, "r.xml", objects(inside, head), [3])
        common.check(f"XML: {what}, in an attribute: refused", manifest is None and "error[tabular/xml]" in ran.err and "root:" not in ran.text, ran.text)
    outside = '<!DOCTYPE x SYSTEM "file:///etc/passwd" [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>'
    ran, manifest = bench.imported("XML: declarations from elsewhere", xml, "r.xml", objects(role % ("r1", "a"), outside), [0, 3])
    common.check("XML: declarations from elsewhere: not read", "root:" not in ran.text, ran.text)
    bench.refused("XML: 100000 levels", xml, "r.xml", objects(role % ("r1", "<a>" * DEEP + "</a>" * DEEP)), "tabular/xml", None)
    bench.refused("XML: 100000 levels around it", xml, "r.xml", ("<a>" * DEEP + "</a>" * DEEP).encode(), "tabular/xml", None)
    flood = "".join(f' a{i}="x"' for i in range(DEEP))
    ran, manifest = bench.imported("XML: 100 000 attributes", xml, "r.xml", objects(f'<role oid="r1"{flood}><name>a</name></role>'), [0, 3])
    common.check(f"XML: 100 000 attributes: {ran.seconds:.1f} s", ran.seconds < 60)
    bench.refused("XML: one attribute twice", xml, "r.xml", objects('<role oid="r1" oid="r2"><name>a</name></role>'), "tabular/xml", None)
    bench.refused("XML: text without an end", xml, "r.xml", endless(b'<objects><role oid="r1"><name>', b"a", GIB), "tabular/xml", None)
    bench.refused("XML: comment without an end", xml, "r.xml", endless(b"<objects><!-- ", b"a", GIB), "tabular/xml", None)
    bench.refused("XML: attribute without an end", xml, "r.xml", endless(b'<objects><role oid="', b"a", GIB), "tabular/xml", None)
    bench.refused("XML: gzip bomb of other elements", xml, "r.xml.gz", bomb(b"<objects>", b"<a/>" + b" " * 4092), "input/gzip-bomb")
    for what, data in (
        ("says UTF-16 and is not", objects(role % ("r1", "a"), '<?xml version="1.0" encoding="UTF-16"?>')),
        ("says UTF-8 and is Latin-1", objects(role % ("r1", "\u00e9"), '<?xml version="1.0" encoding="UTF-8"?>').decode().encode("latin-1")),
        ("says an encoding that nobody has", objects(role % ("r1", "a"), '<?xml version="1.0" encoding="x-password"?>')),
        ("is UTF-32", objects(role % ("r1", "a")).decode().encode("utf-32")),
        ("has a NUL", objects(role % ("r1", "a\0b"))),
        ("is cut", objects(role % ("r1", "a"))[:-15]),
        ("ends inside a tag", objects(role % ("r1", "a"))[:-20]),
        ("has two roots", objects(role % ("r1", "a")) * 2),
    ):
        ran, manifest = bench.imported(f"XML that {what}", xml, "r.xml", data, [0, 3])
        common.check(f"XML that {what}: told, or one role", ("error[" in ran.err and "help: " in ran.err) if manifest is None else len(rows_of(manifest, "role_model")) in (0, 1, 2), ran.text)

    head = "request,for,application,role,state,decision,requested,decided,comment\n"
    one = "%s,u1,app,admin,closed,approved,2026-01-01T00:00:00Z,2026-01-02T00:00:00Z,x\n"
    data = (head + one % "Q1" * DEEP).encode()
    ran, manifest = bench.imported("100 000 requests of one id", listing("requests"), "q.csv", data, [3])
    file = json.loads(manifest.read_text(encoding="utf-8"))["files"][0]
    common.equal("100 000 requests of one id: one is kept", (file["read"], file["accepted"], file["rejected"]), (DEEP, 1, DEEP - 1))
    reasons = {r["reason"] for r in rows_of(manifest, "rejects")}
    common.equal("100 000 requests of one id: why", reasons, {"tabular/duplicate"})
    folder = common.fresh(bench.work / "everything")
    (folder / "app.csv").write_text("id,login,status,created,entitlement\n" + "".join(f"u{i},u{i},active,2026-01-01T00:00:00Z,admin\n" for i in range(3000)))
    (folder / "requests.csv").write_text(head + "".join(one % f"Q{i}" for i in range(DEEP)))
    (folder / "roles.csv").write_text("role,title,system,right\nR0,*,*,*\n" + "".join(f"R{i},t{i},app,*\n" for i in range(3000)))
    source = lambda system, mapping, file: f'[[source]]\nsystem = "{system}"\nconnector = "tabular"\nfiles = "{file}"\ntaken_at = "2026-11-22T00:00:00Z"\ntimezone = "UTC"\n[source.options]\nmapping = "{mapping}"\n'
    text = source("app", "accounts", "app.csv") + source("desk", "requests", "requests.csv") + source("roles", "roles", "roles.csv")
    (folder / "holdover.toml").write_text('[holdover]\nstore = "store"\n' + text)
    ran = bench.run("100 000 requests for one account, a role that gives everything to everybody", "audit", *AS_OF, codes=[0, 1, 3], cwd=folder, store=folder / "store")
    common.check(f"they are judged in {ran.seconds:.1f} s", ran.seconds < 120)
    noted = json.loads(next(folder.glob("store/snapshots/roles/*/manifest.json")).read_text(encoding="utf-8"))["files"][0]["notes"]
    common.check("a role that gives everything is told", any("every right" in n for n, _ in noted) and any("everybody" in n for n, _ in noted), str(noted))


def hostile_records(bench):
    """Names with control characters, formulas and HTML in answers and lists: kept as ids, and never drawn."""
    import csv

    def put(path, content):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")

    folder = common.fresh(bench.work / "records")
    users, groups = [], []
    for i, name in enumerate(NAMES):
        entity = {"id": f"{i}{name}", "name": name, "aliases": [], "policies": [name], "metadata": {"owner": name, "team": name}}
        put(folder / f"vault/entity-{i}.json", {"request_id": "r", "data": entity})
        put(folder / f"vault/token-{i}.json", {"request_id": "r", "data": {"accessor": f"t{i}{name}", "policies": [name], "creation_ttl": 0, "display_name": name}})
        put(folder / f"vault/policy-{i}.json", {"request_id": "r", "data": {"name": name, "policy": RULE % ("a", '"sudo"')}})
        users.append({"id": f"00u{i:017}", "status": "ACTIVE", "profile": {"login": name, "displayName": name, "title": name, "department": name}})
        groups.append({"id": f"00g{i:017}", "type": "OKTA_GROUP", "profile": {"name": name, "description": name}})
    put(folder / "okta/users.json", users)
    put(folder / "okta/groups.json", groups)
    table = lambda head, of: "".join([head + "\n", *(",".join('"' + c.replace('"', '""') + '"' for c in of(i, n)) + "\n" for i, n in enumerate(NAMES))])
    put(folder / "app.csv", table("id,login,status,entitlement,request", lambda i, n: (n + str(i), n, "active", n, f"Q{n}{i}")))
    put(folder / "requests.csv", table("request,for,application,role,state,decision,requested", lambda i, n: (f"Q{n}{i}", n, "app", n, "closed", "rejected", "2026-01-01T00:00:00Z")))
    put(folder / "roles.csv", table("role,role name,title,system,right,owner", lambda i, n: (n + str(i), n, n, "app", n, n)))
    put(folder / "reviews.csv", table("review,application,account,role,decision,campaign,reviewer", lambda i, n: (n + str(i), "app", n, n, "keep", n, n)))
    put(folder / "separation.csv", table("rule,name,left,right,owner,reason", lambda i, n: (n + str(i), n, n, n, n, n)))
    put(folder / "workflow.csv", table("entry,identity,event,application,action,outcome,message,rule", lambda i, n: (n + str(i), n, n, "app", "revoke", "failed", n, n)))
    put(folder / "events.csv", table("event,at,action,account,group,actor", lambda i, n: (n + str(i), "2026-06-01T00:00:00Z", "grant", n, n, n)))
    escaped = [html_text(n) for n in NAMES]
    put(folder / "midpoint.xml", "<objects>" + "".join(f'<role oid="r{i}"><name>{n}</name></role>' for i, n in enumerate(escaped)) + "</objects>")
    text = '[holdover]\nstore = "store"\n'
    plan = [("vault", "vault", "vault/*", None), ("okta", "okta", "okta/*", None), ("app", "tabular", "app.csv", "accounts"), ("midpoint", "tabular", "midpoint.xml", "midpoint-roles")]
    put(folder / "hr.csv", "id,name,email,status\n1,Ada,a@x.example,active\n")
    plan += [(m, "tabular", f"{m}.csv", m) for m in ("hr", "requests", "roles", "reviews", "separation", "workflow", "events")]
    for system, connector, files, mapping in plan:
        population = 'population = "all"\n'
        options = f'[source.options]\nmapping = "{mapping}"\n' if mapping else ""
        text += f'[[source]]\nsystem = "{system}"\nconnector = "{connector}"\nfiles = "{files}"\ntaken_at = "2026-11-22T00:00:00Z"\ntimezone = "UTC"\n{population if mapping == "hr" else ""}{options}'
    put(folder / "holdover.toml", text)
    store = folder / "store"
    ran = bench.run("hostile records", "audit", *AS_OF, codes=[0, 1, 3], cwd=folder, store=store)
    common.check("records, terminal: no control or bidi character", not [c for c in UNSEEN if c in ran.text], repr(ran.text[:1000]))
    common.check("records, terminal: no line of a name's own", not any(line.startswith("Fake") for line in ran.out.splitlines()))
    run = common.newest_run(store)
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    of = {s: len([f for f in report["findings"] if f["system"] == s]) for s in ("vault", "okta", "app")}
    common.check(f"findings name hostile records: {of}", all(n > 0 for n in of.values()), str(of))
    for finding in report["findings"][:: max(1, len(report["findings"]) // 20)]:
        ran = bench.run(f"explain {finding['fingerprint']}", "explain", finding["fingerprint"], codes=[0], cwd=folder, store=store)
        common.check("explain: no control or bidi character", not [c for c in UNSEEN if c in ran.text], repr(ran.text[:1000]))
    page = (run / "report.html").read_text(encoding="utf-8")
    common.equal("records, HTML: no control or bidi character", [hex(ord(c)) for c in UNSEEN if c in page], [])
    tags = Tags()
    tags.feed(page)
    common.equal("records, HTML: no tag or attribute of a name's own", [t for t in tags.tags if t in ("img", "script")] + [a for a in tags.attributes if a.startswith("on")], [])  # fmt: skip
    cells = [c for row in csv.reader(io.StringIO((run / "findings.spreadsheet.csv").read_bytes().decode("utf-8-sig"), newline="")) for c in row]
    common.equal("records, spreadsheet CSV: no cell is a formula", [c for c in cells if c[:1] in ("=", "+", "@", "\t", "\r") or c[:1] == "-" and not c[1:].replace(".", "").isdigit()], [])  # fmt: skip


def html_text(name):
    """A name as the text of an XML document; what XML cannot hold is left out."""
    shown = "".join(c for c in name if c in "\t\n\r" or ord(c) >= 32)
    return shown.replace("&", "&amp;").replace("<", "&lt;")


def names_and_settings(bench):
    good = b"id,login\n1,a\n"
    name = b"a \xff \xc3\xa9 b\n.csv"
    _, manifest = bench.imported("a file name with blanks, a line break and other bytes", ACCOUNTS, name, good, [0])
    shown = json.loads(manifest.read_text(encoding="utf-8"))["files"][0]["name"]
    common.equal("it is shown escaped", shown, "a \\xff é b\\x0a.csv")
    folder = common.fresh(bench.work / "settings")
    with open(os.fsencode(folder) + b"/in \xff 1.csv", "wb") as file:
        file.write(good)
    source = '[[source]]\nsystem = "app"\nconnector = "tabular"\nfiles = "in*.csv"\ntaken_at = "2026-11-22"\ntimezone = "UTC"\n[source.options]\nmapping = "accounts"\n'
    config = folder / "holdover.toml"

    def told(what, text, codes, *wanted):
        config.write_bytes(text.encode() if isinstance(text, str) else text)
        ran = bench.run(what, "audit", *AS_OF, codes=codes, cwd=folder, store=folder / "store" if (folder / "store").exists() else None)
        common.check(f"{what}: told", all(w in ran.err for w in wanted), f"wanted {wanted} in\n{ran.err}")

    told("a glob that meets such a name", source, [0, 1])
    told("two sources for one system", source + source, [2], "holdover.toml:10:10", "`app`", "help: ")
    told("a mapping to a missing column", source.replace("[source.options]\n", '[source.options]\ncolumns = { login = "Nope" }\n'), [2], "`Nope`", "in \\xff 1.csv", "help: ")  # fmt: skip
    told("a configuration cut in the middle", source[:-3], [2], "holdover.toml:8", "help: ")
    told("a configuration that is no text", b"\xff\xfe\0", [2], "holdover.toml", "help: ")


@contextlib.contextmanager
def small_disk(folder, size):
    common.fresh(folder)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def disk_full(bench):
    with small_disk(bench.work / "disk", "2m") as disk:
        store = disk / "store"
        bench.imported("disk with room", ACCOUNTS, "s.csv", b"id,login\n1,a\n", [0], store)
        many = b"id,login\n" + b"".join(b"%s,%s\n" % (os.urandom(20).hex().encode(), os.urandom(20).hex().encode()) for _ in range(40000))
        ran, manifest = bench.imported("disk full during import", ACCOUNTS, "l.csv", many, [4], store)
        common.check("disk full during import: told", manifest is None and "No space left" in ran.err and "help: " in ran.err, ran.err)
        # Whoever writes next clears what the failed import left; after that the disk can be filled for good.
        bench.run("the next writer", "store", "prune", "--store", store, codes=[0], store=store)
        free = os.statvfs(disk)
        (disk / "ballast").write_bytes(b"a" * (free.f_bfree * free.f_bsize - 24 * 1024))
        ran = bench.run("disk full during audit", "audit", "--store", store, *AS_OF, codes=[4], store=store)
        common.check("disk full during audit: told", "No space left" in ran.err and "help: " in ran.err, ran.err)
        common.equal("disk full during audit: no run", list((store / "runs").iterdir()), [])
        (disk / "ballast").unlink()
        bench.run("audit with room again", "audit", "--store", store, *AS_OF, codes=[0, 1], store=store)
        common.check("what the failed writers left is gone", not list((store / "tmp").iterdir()))


def after(delay):
    """Kills a process once it has run for so many seconds."""

    def disturb(process):
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)

    return disturb


def killed(bench):
    """`kill -9` at several moments of an import and of an audit, the last near the end."""
    store = common.fresh(bench.work / "killed") / "store"
    first = bench.work / "killed" / "first.csv"
    first.write_text("id,login\n1,a\n")
    # Killed while the store itself is made: the next import makes it.
    for delay in (0, 0.002, 0.005, 0.01, 0.02, 0.03):
        early = bench.work / "killed" / f"early-{delay}"
        made = ["import", "--store", early, "--system", "app", *ACCOUNTS, *TAKEN, first]
        common.run([bench.holdover, *made], bench.work, after(delay))
        bench.run(f"import after kill -9 in the first {1000 * delay:.0f} ms", *made, codes=[0], store=early)
    path = bench.work / "killed" / "k.csv"
    path.write_text("id,login,email,groups\n" + "".join(f"{i},u{i},u{i}@x.example,g{i % 300};h{i % 7}\n" for i in range(60000)))
    command = ["import", "--store", store, "--system", "app", *ACCOUNTS, *TAKEN, path]
    other = bench.work / "killed" / "other"
    bench.run("first import", "import", "--store", store, "--system", "first", *ACCOUNTS, *TAKEN, first, codes=[0], store=store)
    bench.run("first import", "import", "--store", other, "--system", "first", *ACCOUNTS, *TAKEN, first, codes=[0], store=other)
    whole = bench.run("import, left alone", *command[:2], other, *command[3:], codes=[0], store=other).seconds
    at_audit = ["audit", "--store", store, *AS_OF]
    whole_audit = bench.run("audit, left alone", "audit", "--store", other, *AS_OF, codes=[0, 1], store=other).seconds
    kills = 0
    for what, line, seconds, codes in (("import", command, whole, [0]), ("audit", at_audit, whole_audit, [0, 1])):
        for part in (0.02, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 0.95):
            ran = bench.run(f"kill -9 after {part:.0%} of the {what}", *line, codes=[-9, *codes], store=store, before_wait=after(part * seconds))
            kills += ran.code == -9
        bench.run(f"{what} after the kills", *line, codes=codes, store=store)
        common.check(f"{what}: nothing half-made stays", not list((store / "tmp").iterdir()))
    common.check(f"{kills} of 16 were killed at work", kills >= 10)
    left, whole = (json.loads(next(s.glob("snapshots/app/*/manifest.json")).read_text())["tables"] for s in (store, other))
    common.check("the snapshot is the same as without kills", left == whole)
    common.equal("the runs are the same as without kills", os.listdir(store / "runs"), os.listdir(other / "runs"))


def second_writer(bench):
    store = bench.work / "store"
    with (store / "lock").open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ran, manifest = bench.imported("a second writer (import)", ACCOUNTS, "s.csv", b"id,login\n1,a\n", [4])
        common.check("a second writer: told", manifest is None and "locked" in ran.err and "help: " in ran.err, ran.err)
        ran = bench.run("a second writer (audit)", "audit", "--store", store, *AS_OF, codes=[4])
        common.check("a second writer: told", "locked" in ran.err and "help: " in ran.err, ran.err)
    bench.imported("the lock is free again", ACCOUNTS, "s.csv", b"id,login\n1,a\n", [0])


NAMES = ["<script>alert(1)</script>", "\u202egnp.exe", "=cmd|'/C calc'!A0", "+1", "-1+1", "@SUM(1)", "\tTab", "</style><img src=x onerror=alert(1)>", "\x1b[31mred\x1b]0;t\x07", "\u200b\u2066hid\ufeff", "a\r\nFake: line", "`${x}`", '" onmouseover="x', "&lt;b&gt;", "\U000e0041tag"]  # fmt: skip
UNSEEN = [chr(c) for c in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200B, 0x200E, 0x200F, 0xFEFF, 0x1B, 0x07, 0x9B, 0xE0041)]


class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]


def hostile_names(bench):
    import csv

    folder = common.fresh(bench.work / "names")
    with (folder / "a.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "login", "full name", "status", "groups"])
        for i, name in enumerate(NAMES):
            writer.writerow([f"{name}{i}", name, name, "active", f"{name}g"])
    (folder / "hr.csv").write_text('id,name,email,status\n1,"<b>Ada</b>",a@x.example,active\n')
    (folder / "holdover.toml").write_text(
        '[holdover]\nstore = "store"\n[[source]]\nsystem = "app"\nconnector = "tabular"\nfiles = "a.csv"\ntaken_at = "2026-11-22T00:00:00Z"\n'
        '[source.options]\nmapping = "accounts"\n[[source]]\nsystem = "hr"\nconnector = "tabular"\nfiles = "hr.csv"\n'
        'taken_at = "2026-11-22T00:00:00Z"\ntimezone = "UTC"\npopulation = "all"\n[source.options]\nmapping = "hr"\n'
    )
    ran = bench.run("hostile names", "audit", *AS_OF, codes=[1], cwd=folder, store=folder / "store")
    run = common.newest_run(folder / "store")
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    named = {f["subject"]["name"] for f in report["findings"] if f["check"] == "orphan-account"}
    common.check(f"{len(named)} hostile accounts are findings", len(named) == len(NAMES), str(named))
    common.check("stdout: no control or bidi character", not [c for c in UNSEEN if c in ran.text], repr(ran.text[:1000]))
    common.check("stdout: no line of a name's own", not any(line.startswith("Fake") for line in ran.out.splitlines()))
    finding = next(f for f in report["findings"] if f["check"] == "orphan-account" and "\u202e" in f["subject"]["name"])
    for what, *command in (("explain", "explain", finding["fingerprint"]), ("query", "query", "SELECT a.login AS login, a.display_name AS name FROM accounts a")):  # fmt: skip
        ran = bench.run(what, *command, codes=[0], cwd=folder, store=folder / "store")
        common.check(f"{what}: no control or bidi character", not [c for c in UNSEEN if c in ran.text], repr(ran.text[:1000]))
    page = (run / "report.html").read_text(encoding="utf-8")
    common.check("HTML: no control or bidi character", not [hex(ord(c)) for c in UNSEEN if c in page], str([hex(ord(c)) for c in UNSEEN if c in page]))  # fmt: skip
    tags = Tags()
    tags.feed(page)
    common.equal("HTML: no tag or attribute of a name's own", [t for t in tags.tags if t in ("img", "script")] + [a for a in tags.attributes if a.startswith("on")], [])  # fmt: skip
    common.check("HTML: names are there, escaped", "&lt;script&gt;alert(1)" in page and "<script>alert" not in page and "<b>Ada" not in page)
    common.check("HTML: a policy that allows no script", "default-src 'none'" in page, page[:600])
    cells = [c for row in csv.reader(io.StringIO((run / "findings.spreadsheet.csv").read_bytes().decode("utf-8-sig"), newline="")) for c in row]
    common.equal("spreadsheet CSV: no cell is a formula", [c for c in cells if c[:1] in ("=", "+", "@", "\t", "\r") or c[:1] == "-" and not c[1:].replace(".", "").isdigit()], [])  # fmt: skip
    rows = list(csv.DictReader(io.StringIO((run / "findings.csv").read_bytes().decode(), newline="")))
    common.check("canonical CSV: names as given", {r["subject_name"] for r in rows if r["check"] == "orphan-account"} == named, str(rows[:1]))  # fmt: skip


def changing_file(bench):
    """A file that is still being written is no export."""
    path = bench.work / "growing.csv"
    stop = threading.Event()
    path.write_bytes(b"id,login\n" + b"".join(b"%d,u%d\n" % (i, i) for i in range(200000)))

    def grow():
        with path.open("ab") as file:
            while not stop.is_set():
                file.write(b"x,y\n")
                file.flush()
                time.sleep(0.001)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        ran = bench.run("a file that grows", "import", "--store", bench.store, "--system", "grows", *ACCOUNTS, *TAKEN, path, codes=[3])
    finally:
        stop.set()
        writer.join()
    common.check("a file that grows: told", "error[input/changed]" in ran.err and "growing.csv" in ran.err and "help: " in ran.err, ran.err)
    os.mkfifo(bench.work / "fifo")
    ran = bench.run("a pipe", "import", "--store", bench.store, "--system", "pipe", *ACCOUNTS, *TAKEN, bench.work / "fifo", codes=[3])
    common.check("a pipe: told", "error[input/not-a-file]" in ran.err and "help: " in ran.err, ran.err)


def main():
    args = common.parsed(common.arguments(__doc__))
    common.fresh(args.work)
    bench = Bench(args)
    for part in (cut_and_crooked, names_and_settings, disk_full, killed, second_writer, hostile_names, hostile_records, changing_file, large_and_deep, vault, okta, lists):
        part(bench)
    bench.verify("the end", bench.store)


if __name__ == "__main__":
    main()
