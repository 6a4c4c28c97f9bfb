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
AWS, LDIF, OKTA = (["--connector", name] for name in ("aws-iam", "ldif", "okta"))
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
        wanted = [f"error[{code}]", f"--> {name}{place or ''}", "help: "]
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
    for part in (cut_and_crooked, names_and_settings, disk_full, killed, second_writer, hostile_names, changing_file, large_and_deep):
        part(bench)
    bench.verify("the end", bench.store)


if __name__ == "__main__":
    main()
