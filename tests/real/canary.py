#!/usr/bin/env python3
"""No secret of an export comes out: canaries in every format that is read, in values, rejected records, free text, file names and
what error messages are made of, are searched for in the store, the reports and everything that is printed.

    python3 tests/real/canary.py --holdover BIN --work DIR

Needs the Python package `pyarrow`.
"""

import base64
import itertools
import json

import common

AS_OF = "2026-11-22T06:00:00Z"
COUNT = itertools.count(1)
PLANTED = {}


def canary(where):
    """A new secret value, remembered with where it is planted."""
    value = f"Kanari{next(COUNT):03}qZx7Wv"
    PLANTED[value] = where
    return value


def b64(text):
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def forms(value):
    """The byte sequences that would give a value away: plain, in any case, UTF-16, hex, and base64 at each of three offsets."""
    plain = value.encode()
    yield from (plain, plain.lower(), plain.upper(), value.encode("utf-16-le"), plain.hex().encode())
    for shift in range(3):
        # The first and last groups also encode neighbours: what is left is the value's own.
        yield base64.b64encode(b"\0" * shift + plain)[4 if shift else 0 :].rstrip(b"=")[:-2]


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def active_directory(folder):
    c = canary
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\n" + c("private key in AD info") + "\n-----END OPENSSH PRIVATE KEY-----"
    write(
        folder / "ad.ldif",
        f"""dn: CN=Ada,DC=brook,DC=example
objectClass: user
sAMAccountName: ada
userAccountControl: 512
objectSid:: AQUAAAAAAAUVAAAAAQAAAAIAAAADAAAAUAQAAA==
description: service account, password: {c("AD description")}
info:: {b64(key)}
comment: pwd={c("AD comment")}
unicodePwd:: {b64(chr(34) + c("AD unicodePwd") + chr(34))}
ms-Mcs-AdmPwd: {c("AD LAPS password")}
extensionAttribute9: {c("AD attribute that is not on the list")}
msDS-ManagedPassword:: {b64(c("AD managed password"))}

dn: CN=Bo,DC=brook,DC=example
objectClass: user
sAMAccountName: bo
userAccountControl: {c("AD reject, wrong number")}
unicodePwd: {c("AD reject, password")}

dn: CN=Cy\\, token={c("AD name")},DC=brook,DC=example
objectClass: user
sAMAccountName:: @@@{c("AD reject, broken base64")}
""",
    )


def openldap(folder):
    c = canary
    write(
        folder / "ldap.ldif",
        f"""dn: uid=ada,dc=brook,dc=example
objectClass: inetOrgPerson
objectClass: posixAccount
uid: ada
cn: Ada
uidNumber: 5
gidNumber: 5
userPassword: {c("LDAP plain userPassword")}
userPassword:: {b64("{SSHA}" + c("LDAP SSHA userPassword"))}
sambaNTPassword: {c("LDAP sambaNTPassword")}
description: Passwort: {c("LDAP description")}
pwdHistory: 20260101000000Z#1.3.6#38#{{SSHA}}{c("LDAP pwdHistory")}

dn: uid=bo,dc=brook,dc=example
objectClass: inetOrgPerson
uid: bo
createTimestamp: {c("LDAP reject, no time")}
userPassword: {c("LDAP reject, password")}

dn: uid=cy,dc=brook,dc=example
changetype: modify
replace: userPassword
userPassword: {c("LDAP change record")}
""",
    )


def aws(folder):
    c = canary
    arn = "arn:aws:iam::111122223333:"
    user = {
        "UserName": "ada", "UserId": "AIDAAAAAAAAAAAAAAAAAA", "Path": "/", "Arn": f"{arn}user/ada", "CreateDate": "2026-01-01T00:00:00Z", "GroupList": [],
        "AttachedManagedPolicies": [], "LoginProfile": {"Password": c("AWS unknown field")},
        "Tags": [{"Key": "db-password", "Value": c("AWS tag")}, {"Key": "Owner", "Value": f"password={c('AWS owner tag')}"}],
    }  # fmt: skip
    bad = dict(user, UserName="bo", Arn=f"{arn}user/bo", CreateDate=c("AWS reject, no time"), Tags=[{"Key": "secret", "Value": c("AWS reject, tag")}])
    policy = {
        "PolicyName": "p", "PolicyId": "ANPAAAAAAAAAAAAAAAAAA", "Arn": f"{arn}policy/p", "Path": "/", "DefaultVersionId": "v1", "Description": f"token: {c('AWS policy description')}",
        "AttachmentCount": 0, "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": True, "CreateDate": "2026-01-01T00:00:00Z", "Document": {"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}}],
    }  # fmt: skip
    write(folder / "gaad.json", json.dumps({"UserDetailList": [user, bad], "GroupDetailList": [], "RoleDetailList": [], "Policies": [policy], "IsTruncated": False}))
    keys = [{"UserName": "ada", "AccessKeyId": "AKIAEXAMPLE000000001", "Status": "Active", "CreateDate": "2026-01-01T00:00:00Z", "SecretAccessKey": c("AWS secret access key")}]
    keys.append(dict(keys[0], AccessKeyId="AKIAEXAMPLE000000002", CreateDate="never", SecretAccessKey=c("AWS reject, secret access key")))
    write(folder / "keys.json", json.dumps({"AccessKeyMetadata": keys}))
    device = {"SerialNumber": f"{arn[:-1]}:mfa/ada", "Base32StringSeed": c("AWS MFA seed"), "QRCodePNG": b64(c("AWS MFA picture")), "User": {"Arn": f"{arn}user/ada"}}
    write(folder / "mfa.json", json.dumps({"VirtualMFADevices": [device]}))
    report = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active,note\n"
    report += f"ada,{arn}user/ada,2026-01-01T00:00:00+00:00,false,N/A,N/A,N/A,false,{c('AWS report, further column')}\n"
    report += f"bo,{arn}user/bo,{c('AWS report, reject')},false,N/A,N/A,N/A,false,x\n"
    write(folder / "report.csv", report)


def okta(folder):
    c = canary
    user = {
        "id": "00ubrook000000000001", "status": "ACTIVE", "lastLogin": None, "passwordChanged": "2026-01-01T00:00:00.000Z",
        "profile": {"login": "ada@brook.example", "displayName": f"Ada, password: {c('Okta display name')}", "title": f"pwd={c('Okta title')}", "mySecret": c("Okta profile attribute")},
        "credentials": {"password": {"value": c("Okta password"), "hash": {"value": c("Okta hash"), "salt": c("Okta salt")}}, "recovery_question": {"question": "pet", "answer": c("Okta recovery answer")}, "provider": {"type": "OKTA", "name": "OKTA"}},
    }  # fmt: skip
    bad = dict(user, id="00ubrook000000000002", created=c("Okta reject, no time"), credentials={"password": {"value": c("Okta reject, password")}})
    write(folder / "okta" / "users.json", json.dumps([user, bad, {"id": "ocs1", "client_secret": c("Okta client secret")}]))
    group = {"id": "00gbrook000000000001", "type": "OKTA_GROUP", "profile": {"name": f"g secret={c('Okta group name')}", "description": f"token: {c('Okta group description')}"}}
    write(folder / "okta" / "groups.json", json.dumps([group]))
    app = {"id": "0oabrook000000000001", "name": "a", "label": "A", "status": "ACTIVE", "signOnMode": "BASIC_AUTH", "credentials": {"password": {"value": c("Okta app password")}, "oauthClient": {"client_secret": c("Okta app client secret")}}}
    write(folder / "okta" / "apps.json", json.dumps([app]))
    token = {"id": "00Tbrook000000000001", "name": f"token: {c('Okta token name')}", "userId": user["id"], "tokenWindow": "P30D", "token": c("Okta token value")}
    write(folder / "okta" / "api-tokens.json", json.dumps([token]))


def table_rows(kind):
    """Good and bad records of an application's accounts, secrets in mapped, unmapped and free columns."""
    c = canary
    good = {"id": "1", "login": "ada", "full name": f"Ada, password: {c(f'{kind} display name')}", "status": "active", "password": c(f"{kind} column password"), "api_token": c(f"{kind} column api_token"), "note": c(f"{kind} column that is not mapped")}  # fmt: skip
    bad = dict(good, id="2", login="bo", status=f"password: {c(f'{kind} reject, unknown word')}", password=c(f"{kind} reject, column password"))
    worse = dict(good, id="3", login="cy", created=c(f"{kind} reject, no time"))
    return [dict(r, created=r.get("created", "2026-01-01T00:00:00Z")) for r in (good, bad, worse)]


def tables(folder):
    import pyarrow
    import pyarrow.parquet

    for kind, delimiter in (("csv", ","), ("tsv", "\t")):
        rows = table_rows(kind)
        lines = [delimiter.join(rows[0])] + [delimiter.join(f'"{v}"' for v in r.values()) for r in rows]
        write(folder / kind / f"accounts.{kind}", "\n".join(lines) + f"\n4{delimiter}{canary(kind + ' ragged record')}\n")
    write(folder / "json" / "accounts.json", json.dumps(table_rows("json")))
    cut = json.dumps({"id": "9", "password": canary("cut JSON line")})[:-3]
    write(folder / "ndjson" / "accounts.ndjson", "".join(json.dumps(r) + "\n" for r in table_rows("ndjson")) + cut)
    (folder / "parquet").mkdir(parents=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(table_rows("parquet")), folder / "parquet" / "accounts.parquet")
    write(folder / "utf16" / "accounts.csv", b"\xff\xfe" + f"id,login,password\r\n1,ada,{canary('UTF-16 column password')}\r\n".encode("utf-16-le"))


def registers(folder):
    c = canary
    write(folder / "hr.csv", f"id,name,email,status,start,password\n1,Ada,ada@x.example,active,2020-01-01,{c('HR column password')}\n2,\"Bo, pw: {c('HR name')}\",bo@x.example,active,{c('HR reject, no date')},x\n")  # fmt: skip
    write(folder / "exceptions.csv", f"exception,check_id,system,subject,entitlement,owner,approver,reason,ticket,valid_from,expires_at\nE1,orphan-account,csv,1,,1,1,the password is {c('exception reason')},T1,2026-01-01,2027-01-01\n")  # fmt: skip
    write(folder / "secrets.csv", f"id,account,kind,status,value\nk1,1,api_token,active,{c('mapped secret, fingerprinted')}\n")
    write(folder / "people.key", 3 * c("fingerprint key"))
    name = f"named password={c('file name')}.csv"
    write(folder / "named" / name, "id,login\n1,ada\n2\n")
    write(folder / "hr.csv.source.toml", f"extracted_by = \"M. Admin\"\ncommand = \"hr-export --password {c('sidecar command, flag')} --token={c('sidecar command, pair')}\"\nfilters = \"secret: {c('sidecar filters')}\"\n")  # fmt: skip


CONFIG = """[holdover]
store = "store"
fingerprint_key_file = "people.key"
[[source]]
system = "ad"
connector = "ldif"
files = "ad.ldif"
taken_at = "2026-11-22"
[[source]]
system = "ldap"
connector = "ldif"
files = "ldap.ldif"
taken_at = "2026-11-22"
[[source]]
system = "aws"
connector = "aws-iam"
files = ["gaad.json", "keys.json", "mfa.json", "report.csv"]
taken_at = "2026-11-22"
[[source]]
system = "okta"
connector = "okta"
files = "okta/*.json"
taken_at = "2026-11-22"
[[source]]
system = "{kind}"
connector = "tabular"
files = "{kind}/accounts.*"
taken_at = "2026-11-22"
timezone = "UTC"
[source.options]
mapping = "accounts"
[[source]]
system = "named"
connector = "tabular"
files = "named/*.csv"
taken_at = "2026-11-22"
[source.options]
mapping = "accounts"
[[source]]
system = "vault"
connector = "tabular"
files = "secrets.csv"
taken_at = "2026-11-22"
[source.options]
table = "credentials"
columns = { native_id = "id", account = "account", kind = "kind", status = "status", secret = "value" }
[[source]]
system = "hr"
connector = "tabular"
files = "hr.csv"
taken_at = "2026-11-22"
timezone = "UTC"
population = "all"
[source.options]
mapping = "hr"
[[source]]
system = "register"
connector = "tabular"
files = "exceptions.csv"
taken_at = "2026-11-22"
timezone = "UTC"
[source.options]
mapping = "exceptions"
"""


class Search:
    """Everything that came out, and what is found in it."""

    def __init__(self):
        self.needles = [(form, value) for value in PLANTED for form in set(forms(value))]
        self.bytes = self.places = 0
        self.found = {}

    def look(self, where, data):
        self.bytes += len(data)
        self.places += 1
        for form, value in self.needles:
            if form in data:
                self.found.setdefault(value, set()).add(where)

    def folder(self, root):
        """Names, raw bytes, and the values of every Parquet column."""
        import pyarrow.parquet as pq

        for path in sorted(p for p in root.rglob("*") if p.is_file()):
            where = str(path.relative_to(root))
            self.look(f"name {where}", where.encode("utf-8", "surrogateescape"))
            self.look(where, path.read_bytes())
            if path.suffix == ".parquet":
                for row in pq.read_table(path).to_pylist():
                    self.look(where, json.dumps(row, default=str, ensure_ascii=False).encode())


def main():
    args = common.parsed(common.arguments(__doc__))
    folder = common.fresh(args.work / "exports")
    for plant in (active_directory, openldap, aws, okta, tables, registers):
        plant(folder)
    (folder / "holdover.toml").write_text(CONFIG)
    search = Search()

    def run(what, *command, codes):
        ran = common.run([args.holdover, *command], folder)
        common.check(f"{what}: exit {ran.code}", ran.code in codes and "panicked" not in ran.text, ran.text[-1500:])
        search.look(f"printed by {what}", ran.text.encode())
        return ran

    audit = ["audit", "--as-of", AS_OF]
    run("import", "import", codes=[3])
    for form in ("table", "json", "csv"):
        ran = run(f"audit as {form}", *audit, "--format", form, codes=[3])
    store = folder / "store"
    report = json.loads((common.newest_run(store) / "report.json").read_text(encoding="utf-8"))
    manifests = [json.loads(p.read_text(encoding="utf-8")) for p in store.glob("snapshots/*/*/manifest.json")]
    rejected = sum(f["rejected"] for m in manifests for f in m["files"])
    common.check(f"{rejected} records are rejected, {len(report['findings'])} findings", rejected > 15 and len(report["findings"]) > 5)
    for finding in report["findings"]:
        ran = common.run([args.holdover, "explain", finding["fingerprint"]], folder)
        common.check(f"explain {finding['fingerprint'][:12]}", ran.code == 0, ran.text) if ran.code else None
        search.look(f"printed by explain {finding['check']}", ran.text.encode())
    for table in ("accounts", "credentials", "exceptions", "identities", "rejects"):
        for system in ("ad", "ldap", "aws", "okta", "csv", "json", "hr", "register", "vault"):
            run(f"query {table} of {system}", "query", "--snapshot", system, f"SELECT * FROM {table} x", "--format", "csv", codes=[0])
    # Whole files that cannot be trusted, by hand: what is told of them.
    for name, text in (
        ("cut.json", '[{"id":"1","password":"' + canary("truncated JSON")),
        ("bad.csv", f"no,useful,column\n1,2,{canary('CSV without its columns')}\n"),
        (f"token={canary('name of a refused file')}.csv", ""),
    ):
        write(folder / "refused" / name, text)
        search.needles = [(form, value) for value in PLANTED for form in set(forms(value))]
        run(f"a refused {name[:5]}", "import", "--store", "other", "--connector", "tabular", "--system", "x", "--taken-at", "2026-11-22", "--option", "mapping=accounts", f"refused/{name}", codes=[2, 3])  # fmt: skip
    search.folder(store)
    if (folder / "other").exists():
        search.folder(folder / "other")
    common.check(f"{search.places} places, {search.bytes} bytes searched for {len(PLANTED)} canaries", search.bytes > 100_000)
    vault = store / "snapshots" / "vault"
    import pyarrow.parquet as pq

    prints = [r["fingerprint"] for p in vault.glob("*/credentials.parquet") for r in pq.read_table(p).to_pylist()]
    common.check("of a mapped secret an HMAC is kept", len(prints) == 1 and prints[0] and len(prints[0]) == 64, str(prints))
    leaks = [f"{PLANTED[value]}: {sorted(places)[:4]}" for value, places in sorted(search.found.items())]
    common.check("no canary came out", not leaks, "\n      ".join(leaks))

    # The search finds what there is: each form of a canary, in a file, a name and a Parquet column.
    import pyarrow

    value = next(iter(PLANTED))
    for i, form in enumerate(set(forms(value))):
        probe = common.fresh(args.work / "probe")
        (probe / "x").write_bytes(b"padding " + form + b" padding")
        seen = Search()
        seen.folder(probe)
        common.check(f"the search finds form {i}", value in seen.found)
    probe = common.fresh(args.work / "probe")
    pq.write_table(pyarrow.table({"a": [None, f"x {value}"]}), probe / "t.parquet", compression="zstd")
    (probe / value).write_text("")
    seen = Search()
    seen.folder(probe)
    common.equal("the search finds names and Parquet columns", seen.found.get(value, set()), {f"name {value}", "t.parquet"})


if __name__ == "__main__":
    main()
