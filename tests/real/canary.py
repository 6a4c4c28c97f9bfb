#!/usr/bin/env python3
"""11.13: no secret reaches the store, a report, the output or an error message.

    python3 tests/real/canary.py --holdover BIN --work DIR

Plants one distinct secret in each place where an export of any format may hold one, runs everything that writes, and searches
for each of them: plain, in base64, in hex, in UTF-16, URL-encoded and hashed without a key; in Parquet both the file's
bytes and its values. Beside each secret that stands in kept text stands a marker, which must be found: what hides a secret by
losing the record does not pass. Needs the Python package `pyarrow`.
"""

import base64
import csv
import gzip
import hashlib
import hmac
import io
import json
import os
import shutil

import common

TAKEN, AS_OF = "2026-11-22T00:00:00Z", "2026-11-22T06:00:00Z"
ACCOUNT = "111122223333"


class Garden:
    """The secrets that were planted, by place, and the markers beside them."""

    def __init__(self):
        self.secrets, self.markers, self.keyed = {}, {}, {}

    def secret(self, place, keyed=False):
        """A new secret; `keyed`: with a key configured its fingerprint is kept."""
        assert place not in self.secrets, place
        self.secrets[place] = "Zq7" + hashlib.sha256(place.encode()).hexdigest()[:17]
        if keyed:
            self.keyed[place] = self.secrets[place]
        return self.secrets[place]

    def text(self, place, form):
        """Text that is kept with its secret masked. `form` says where in it the secret stands."""
        self.markers[place] = "mark" + hashlib.md5(place.encode()).hexdigest()[:12]
        return f"{self.markers[place]} " + form.format(self.secret(place))


def forms(secret):
    """Every spelling by which a secret could hide, as lower-case bytes where case says nothing."""
    plain, wide = secret.encode(), [secret.encode("utf-16-le"), secret.encode("utf-16-be")]
    found = {plain, plain.lower(), plain.upper(), *wide, secret.lower().encode("utf-16-le")}
    for data in (plain, *wide):
        found |= {data.hex().encode(), data.hex().upper().encode(), "".join(f"\\u{b:04x}" for b in data).encode()}
        found |= {"".join(f"%{b:02{c}}" for b in data).encode() for c in "xX"}
        for shift in range(3):  # base64 of the secret inside of something longer
            head, tail = (0, 2, 3)[shift], (len(data) + shift) % 3
            text = base64.b64encode(b"\0" * shift + data)
            text = text.rstrip(b"=")[head : -1 if tail else None]
            found |= {text, text.replace(b"+", b"-").replace(b"/", b"_")}
    for digest in (hashlib.md5, hashlib.sha1, hashlib.sha256, hashlib.sha512):
        for data in (plain, wide[0]):
            found |= {digest(data).hexdigest().encode(), base64.b64encode(digest(data).digest())}
    return found


def spread(path):
    """The bytes of a file; of a Parquet file also its values, decoded and free of compression."""
    data = path.read_bytes()
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pq.read_table(path)
        bare = io.BytesIO()
        pq.write_table(table, bare, compression="NONE", use_dictionary=False, write_statistics=False)
        texts = [v for c in table.columns if pa.types.is_string(c.type) or pa.types.is_large_string(c.type) or pa.types.is_binary(c.type) for v in c.to_pylist() if v]
        data += bare.getvalue() + b"\0".join(t if isinstance(t, bytes) else t.encode() for t in texts)
    elif data.startswith(b"\x1f\x8b"):
        data += gzip.decompress(data)
    return data


def places(folder):
    """Name and content of everything below a folder; names count as content."""
    for path in sorted(folder.rglob("*")):
        yield str(path.relative_to(folder)), os.fsencode(path.relative_to(folder)) + b"\0" + (spread(path) if path.is_file() else b"")


def hits(wanted, contents):
    """(what, where) of each of `wanted`, what: forms, in `contents`: (where, bytes)."""
    found = []
    for where, data in contents:
        found += [(what, where) for what, spellings in wanted.items() if any(s in data for s in spellings)]
    return found


# Ways in which people write a password into a description; the secret stands at `{}`.
WRITTEN = {
    "colon": "svc account, password: {}",
    "blank before colon": "(Password : {})",
    "equals": "pwd={}",
    "is": "the password is {} now",
    "is, colon": "Password is: {}",
    "no sign between": "initial password {} please change",
    "next line": "Password:\n{}",
    "quoted": 'pw: "a {} b"',
    "JSON": '{{"user": "a", "password": "{}"}}',
    "XML": "<password>{}</password>",
    "environment": "DB_PASSWORD={}",
    "AWS": "aws_secret_access_key = {}",
    "camel case": "adminPassword={}",
    "plural": "Passwords: {}",
    "numbered": "password2: {}",
    "Wort": "Kennwort lautet {}",
    "client secret": "client_secret: {}",
    "secret key": "secret key: {}",
    "API key": "API-Key -> {}",
    "token": "token {}",
    "URL": "https://bob:{}@db.example/x",
    "query of a URL": "https://x.example/?a=1&sig={}",
    "bearer": "Authorization: Bearer {}",
    "basic": "Authorization: Basic QUFB{}",
    "login and password": "user/pass: admin/{}",
    "hash": "{{SSHA}}{}",
    "NT hash": "aad3b435b51404eeaad3b435b51404ee:31d6cfe0d16ae931b73c59d7e0c089c0 password:{}",
    "private key": "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----",
    "PGP key": "-----BEGIN PGP PRIVATE KEY BLOCK-----\n{}\n-----END PGP PRIVATE KEY BLOCK-----",
    "GitHub": "ghp_{}",
    "GitHub, fine": "github_pat_{}",
    "Slack": "xoxb-{}",
    "GitLab": "glpat-{}",
    "crypt": "$6$salt${}",
}
COLUMNS = ["id", "login", "full name", "status", "created", "password", "secret", "Api Token", "private_key", "scratch", "Note", "owner", "roles"]  # fmt: skip
MAPPED = """table = "accounts"
attributes = ["Note"]
true = ["yes"]
[{at}.columns]
native_id = "id"
login = "login"
display_name = "full name"
status = "status"
created_at = "created"
owner = "owner"
secret = "secret"
entitlement = {{ column = "roles", split = ";" }}
[{at}.values.status]
active = "active"
"""


def rows_of(garden, kind):
    """Records of an application in one format: good ones, and ones that become rejects."""
    plain = {"status": "active", "created": "2026-01-01T00:00:00Z", "roles": "user"}
    rows = []
    for i, (way, form) in enumerate(WRITTEN.items()):
        note = garden.text(f"{kind}: note, {way}", form)
        rows.append(plain | {"id": f"{kind}-{i}", "login": f"u{i}", "full name": f"User {i}", "Note": note})
    columns = {"password": "password", "api token": "Api Token", "private key": "private_key", "column that nothing maps": "scratch"}
    for place, column in columns.items():
        rows[0][column] = garden.secret(f"{kind}: {place}")
    rows[0]["secret"] = garden.secret(f"{kind}: secret", keyed=True)
    rows[1]["full name"] = garden.text(f"{kind}: display name", "pw={}")
    rows[1]["owner"] = garden.text(f"{kind}: owner", "password: {}")
    bad = {"id": f"{kind}-bad", "login": "bad", "full name": "Bad"} | plain
    crooked = {
        "word": ("status", "password: {}"),
        "date": ("created", "token={}"),
    }
    for place, (column, form) in crooked.items():
        everywhere = {c: garden.secret(f"{kind}: reject by {place}, {c}") for c in ("password", "secret", "scratch")}
        row = bad | everywhere | {"id": f"{kind}-{place}", column: form.format(garden.secret(f"{kind}: reject by {place}"))}
        rows.append(row | {"Note": garden.secret(f"{kind}: reject by {place}, note")})
    rows.append(bad | {"login": "", "id": "", "secret": garden.secret(f"{kind}: reject by blank key")})
    return rows


def table_text(rows, delimiter):
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="", delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def tabular(garden, folder):
    """Files by system, with how many records of each are rejected at least."""
    rejects = {}
    for kind, delimiter in (("csv", ","), ("tsv", "\t")):
        data = table_text(rows_of(garden, kind), delimiter)
        data += delimiter.join(["x", garden.secret(f"{kind}: ragged")]).encode() + b"\n"
        cells = lambda place: [f"{kind}-{place}", "x", garden.secret(f"{kind}: {place}")] + [""] * 10  # noqa: E731
        data += delimiter.join(cells("NUL byte")).encode() + b"\0\n" + delimiter.join(cells("not UTF-8")).encode() + b"\xff\n"
        data += delimiter.join(["x", "x", '"' + garden.secret(f"{kind}: quote that is never closed")]).encode() + b"\n"
        (folder / f"app.{kind}").write_bytes(data)
        rejects[kind] = 7
    lists = [{"id": "json-list", "login": "x", "secret": [garden.secret("json: first of a list"), garden.secret("json: second of a list")]}]
    inner = {"id": "json-inner", "login": {"password": garden.secret("json: object in a text field")}}
    rows = [{k: v for k, v in row.items() if v} for row in rows_of(garden, "json")]
    (folder / "app.json").write_text(json.dumps(rows + lists + [inner]))
    lines = [json.dumps(row) for row in rows_of(garden, "ndjson")] + ['{"id": "cut", "password": "' + garden.secret("ndjson: cut off")]
    (folder / "app.ndjson").write_text("\n".join(lines) + "\n")
    rejects |= {"json": 5, "ndjson": 4, "parquet": 3}

    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{c: row.get(c) for c in COLUMNS} for row in rows_of(garden, "parquet")]
    pq.write_table(pa.Table.from_pylist(rows), folder / "app.parquet", compression="zstd")
    return rejects


def people(garden, folder):
    rows = [["Person ID", "Full Name", "Status", "Email", "Job Title", "Department", "PIN", "Start", "End"]]
    rows.append(["1", "Ada One", "active", "ada@corp.example", garden.text("hr: title", "pwd: {}"), garden.text("hr: department", "password={}"), garden.secret("hr: PIN"), "2020-01-01", ""])  # fmt: skip
    rows.append(["2", garden.text("hr: name", "password={}"), "active", "", "", "", "", "2020-01-01", ""])
    rows.append(["3", "C", "password: " + garden.secret("hr: reject by status"), "", "", "", "", "2020-01-01", ""])
    rows.append(["4", "D", "active", "", "", "", "", "secret=" + garden.secret("hr: reject by date"), ""])
    with (folder / "hr.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    listed = [["exception", "check id", "system", "subject", "owner", "approver", "reason", "ticket", "expires at", "password"]]
    reason = garden.text("exceptions: reason", "login is svc with password: {}")
    listed.append(["E1", "orphan-account", "app-csv", "csv-2", "o@corp.example", "p@corp.example", reason, "T-1", "2027-01-01", garden.secret("exceptions: password")])  # fmt: skip
    listed.append(["E2", "", "*", "*", "o", "p", "password " + garden.secret("exceptions: reason of a reject"), "T", "2027-01-01", ""])
    with (folder / "exceptions.csv").open("w", newline="") as file:
        csv.writer(file).writerows(listed)


def ldif(value, name):
    """One attribute, in base64 as soon as it holds more than letters."""
    data = value if isinstance(value, bytes) else value.encode()
    return f"{name}:: {base64.b64encode(data).decode()}\n"


def active_directory(garden, folder):
    def entry(name, *lines, login=True):
        shown = f"sAMAccountName: {name}\n" if login else ""
        return f"dn: CN={name},DC=corp,DC=example\nobjectClass: top\nobjectClass: user\n{shown}userAccountControl: 512\nwhenCreated: 20200101000000.0Z\n" + "".join(lines) + "\n"  # fmt: skip

    free = [("description", garden.text("AD: description", "service, Password : {}")), ("info", garden.text("AD: info", "old pw={}")), ("comment", garden.text("AD: comment", "secret: {}"))]  # fmt: skip
    shown = [("displayName", garden.text("AD: displayName", "password={}")), ("title", garden.text("AD: title", "password: {}")), ("department", garden.text("AD: department", "pw: {}")), ("company", garden.text("AD: company", "token={}"))]  # fmt: skip
    unlisted = ["homePhone", "extensionAttribute1", "streetAddress", "url", "scriptPath", "adminDescription", "notes", "wWWHomePage", "facsimileTelephoneNumber"]  # fmt: skip
    secrets = ["userPassword", "unixUserPassword", "ms-Mcs-AdmPwd", "msLAPS-Password", "supplementalCredentials", "lmPwdHistory", "ntPwdHistory", "msFVE-RecoveryPassword", "msDS-ManagedPassword"]  # fmt: skip
    text = "# password: " + garden.secret("AD: comment line") + "\n"
    text += entry("canary1", *(ldif(v, n) for n, v in free + shown), *(f"{n}: {garden.secret(f'AD: {n}', keyed=n == 'userPassword')}\n" for n in secrets), *(f"{n}: {garden.secret(f'AD: {n}')}\n" for n in unlisted), ldif(('"' + garden.secret("AD: unicodePwd") + '"').encode("utf-16-le"), "unicodePwd"))  # fmt: skip
    text += entry("canary2", f"description: pass: {garden.secret('AD: plain description')}\n")
    text += f"dn: CN=Group1,DC=corp,DC=example\nobjectClass: group\nsAMAccountName: Group1\ndescription: {garden.text('AD: description of a group', 'vault password: {}')}\nmember: CN=canary1,DC=corp,DC=example\n\n"  # fmt: skip
    bad = [
        entry("b1", f"description: {garden.secret('AD: reject without login')}\n", login=False),
        entry("b2", f"description:: {garden.secret('AD: broken base64')}@@\n"),
        entry("b3", f"userPassword: {garden.secret('AD: reject with a NUL')}\0\n"),
        entry("b4", f"jpegPhoto:< file:///srv/{garden.secret('AD: URL value')}\n"),
        entry("b5", f"{garden.secret('AD: line without colon')}\n"),
        entry("b6", f"pass word {garden.secret('AD: bad attribute name')}: x\n"),
        entry("b7", f"accountExpires: password={garden.secret('AD: reject by value')}\n"),
        f"dn: CN=b8\nchangetype: modify\nreplace: unicodePwd\nunicodePwd: {garden.secret('AD: change record')}\n-\n\n",
        f"userPassword: {garden.secret('AD: record without dn')}\n\n",
        entry("b9", f"member;range={garden.secret('AD: bad range')}: CN=x\n"),
    ]
    text += "".join(bad) + f"search: 2\nresult: 4 Size limit exceeded\ntext: password={garden.secret('AD: text of a result')}\n\n# numResponses: 3\n"
    (folder / "ad.ldif").write_text(text)
    return len(bad)


def openldap(garden, folder):
    def entry(name, *lines):
        return f"dn: uid={name},dc=example\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nuid: {name}\ncn: {name}\nsn: x\nuidNumber: 1000\ngidNumber: 100\nhomeDirectory: /home/x\ncreateTimestamp: 20200101000000Z\n" + "".join(lines) + "\n"  # fmt: skip

    key = "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----"
    public = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + hashlib.sha256(b"k").digest()
    secrets = ["olcRootPW", "sambaNTPassword", "krbPrincipalKey", "authPassword", "oathSecret", "pwdHistory", "goAuthPassword"]
    text = entry("e1", ldif(garden.secret("LDAP: userPassword", keyed=True), "userPassword"), ldif(key.format(garden.secret("LDAP: sshPublicKey that is a private key")), "sshPublicKey"), *(f"{n}: {garden.secret(f'LDAP: {n}')}\n" for n in secrets))  # fmt: skip
    text += entry("e2", f"userPassword: {{SSHA}}{garden.secret('LDAP: hashed userPassword')}\n", f"sshPublicKey: ssh-ed25519 {base64.b64encode(public).decode()} password={garden.secret('LDAP: comment of a public key')}\n", f"sshPublicKey: {garden.secret('LDAP: sshPublicKey that is anything')}\n")  # fmt: skip
    text += entry("e3", ldif(garden.text("LDAP: description", "password is {}"), "description"), ldif(garden.text("LDAP: displayName", "password={}"), "displayName"), ldif(garden.text("LDAP: title", "pwd: {}"), "title"), f"mobile: {garden.secret('LDAP: attribute that nothing reads')}\n", f"labeledURI: https://x:{garden.secret('LDAP: labeledURI')}@y\n")  # fmt: skip
    text += entry("e4", f"shadowExpire: secret={garden.secret('LDAP: reject by value')}\n")
    (folder / "ldap.ldif").write_text(text)


def aws(garden, folder):
    def arn(what):
        return f"arn:aws:iam::{ACCOUNT}:{what}"

    def user(name, **more):
        return {"UserName": name, "UserId": "AIDA" + f"{name:A<17}".upper(), "Path": "/", "Arn": arn(f"user/{name}"), "CreateDate": "2020-01-01T00:00:00Z", "GroupList": [], "AttachedManagedPolicies": []} | more  # fmt: skip

    tags = [
        {"Key": "Owner", "Value": garden.text("AWS: owner tag", "password={}")},
        {"Key": "team", "Value": garden.text("AWS: team tag", "token: {}")},
        {"Key": "db-password", "Value": garden.secret("AWS: tag that is not listed")},
        {"Key": "note " + garden.secret("AWS: key of a tag"), "Value": "x"},
    ]
    document = {"Version": "2012-10-17", "Id": garden.secret("AWS: Id of a policy"), "Statement": [{"Sid": "S1", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": {"StringEquals": {"aws:UserAgent": garden.text("AWS: condition of a policy", 'said "password={}"'), "aws:Referer": "https://u:" + garden.secret("AWS: URL in a condition") + "@x.example/"}}}]}  # fmt: skip
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": arn("user/c1")}, "Action": "sts:AssumeRole", "Condition": {"StringEquals": {"sts:ExternalId": "secret: " + garden.secret("AWS: condition of a trust policy")}}}]}  # fmt: skip
    details = {
        "UserDetailList": [
            user("c1", Tags=tags, UserPolicyList=[{"PolicyName": "inline", "PolicyDocument": document}]),
            user("c2", Password=garden.secret("AWS: field that is not read")),
            user("c3", CreateDate="password=" + garden.secret("AWS: reject by date")),
            user("c4", UserName={"password": garden.secret("AWS: reject by shape")}),
            user("c5", Tags=[{"Key": "Owner", "Value": garden.secret("AWS: duplicate's tag")}], Arn=arn("user/c1")),
        ],
        "GroupDetailList": [],
        "RoleDetailList": [{"RoleName": "r1", "RoleId": "AROAAAAAAAAAAAAAAAAAA", "Path": "/", "Arn": arn("role/r1"), "CreateDate": "2020-01-01T00:00:00Z", "Description": garden.secret("AWS: description of a role"), "AssumeRolePolicyDocument": trust, "InstanceProfileList": [], "AttachedManagedPolicies": [], "RolePolicyList": []}],  # fmt: skip
        "Policies": [{"PolicyName": "p1", "PolicyId": "ANPAAAAAAAAAAAAAAAAAA", "Path": "/", "Arn": arn("policy/p1"), "DefaultVersionId": "v2", "AttachmentCount": 0, "Description": garden.text("AWS: description of a policy", "db password: {}"), "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": False, "Document": {"Statement": [{"Sid": garden.secret("AWS: old version")}]}}, {"VersionId": "v2", "IsDefaultVersion": True, "Document": document}]}],  # fmt: skip
        "IsTruncated": False,
    }
    (folder / "gaad.json").write_text(json.dumps(details))
    head = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,note"
    time = "2020-01-01T00:00:00+00:00"
    lines = [head, f"c1,{arn('user/c1')},{time},true,{time},{time},N/A,false,true,{time},N/A,{garden.secret('AWS: column of the report that is not read')}"]
    lines.append(f"c2,{arn('user/c2')},password={garden.secret('AWS: reject in the report by date')},true,{time},{time},N/A,false,false,N/A,N/A,x")
    lines.append(f"c6,{arn('user/c6')},{time},{garden.secret('AWS: reject in the report by flag')},N/A,N/A,N/A,false,false,N/A,N/A,x")
    lines.append(f"c7,{garden.secret('AWS: ragged row of the report')}")
    lines.append(f"c8,{garden.secret('AWS: reject in the report by ARN')},{time},true,N/A,N/A,N/A,false,false,N/A,N/A,x")
    (folder / "credential-report.csv").write_text("\n".join(lines) + "\n")
    keys = [{"UserName": "c1", "AccessKeyId": "AKIAAAAAAAAAAAAAAAA1", "Status": "Active", "CreateDate": time, "SecretAccessKey": garden.secret("AWS: SecretAccessKey in a listing")}]
    keys.append({"UserName": "c1", "AccessKeyId": "AKIA:" + garden.secret("AWS: bad key id"), "Status": "Active", "CreateDate": time})
    (folder / "keys.json").write_text(json.dumps({"AccessKeyMetadata": keys}))
    made = {"AccessKey": {"UserName": "c1", "AccessKeyId": "AKIAAAAAAAAAAAAAAAA2", "Status": "Active", "SecretAccessKey": garden.secret("AWS: answer of create-access-key")}}  # fmt: skip
    (folder / "made.json").write_text(json.dumps(made))
    (folder / "notes.txt").write_text(f"aws_secret_access_key = {garden.secret('AWS: file that is no export')}\n")
    seed = garden.secret("AWS: seed of a device")
    device = {"SerialNumber": arn("mfa/c1"), "Base32StringSeed": seed, "QRCodePNG": base64.b64encode(garden.secret("AWS: QR code").encode()).decode(), "User": {"Arn": arn("user/c1")}, "EnableDate": time}  # fmt: skip
    (folder / "mfa.json").write_text(json.dumps({"VirtualMFADevices": [device]}))
    used = {"UserName": "c1", "AccessKeyId": "AKIAAAAAAAAAAAAAAAA1", "AccessKeyLastUsed": {"LastUsedDate": "secret=" + garden.secret("AWS: reject of a last use"), "ServiceName": garden.secret("AWS: ServiceName"), "Region": "x"}}  # fmt: skip
    (folder / "last-used.json").write_text(json.dumps(used))

    def secret(name, **more):
        return {"ARN": f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:{name}-AbCdEf", "Name": name, "CreatedDate": time} | more

    secrets = [
        secret("s1", Description=garden.text("AWS: description of a secret", "pw: {}"), Tags=[{"Key": "owner", "Value": garden.text("AWS: owner of a secret", "token={}")}, {"Key": "old", "Value": garden.secret("AWS: tag of a secret")}]),  # fmt: skip
        secret("s2", SecretString=garden.secret("AWS: value in a list of secrets"), ExternalSecretRotationMetadata=[{"Key": "k", "Value": garden.secret("AWS: rotation metadata")}]),  # fmt: skip
        secret("s3", CreatedDate="password=" + garden.secret("AWS: reject of a secret by date")),
        secret("s4", Tags="secret: " + garden.secret("AWS: reject of a secret by shape")),
    ]
    (folder / "secrets.json").write_text(json.dumps({"SecretList": secrets}))
    (folder / "value.json").write_text(json.dumps(secret("s1", SecretString=json.dumps({"password": garden.secret("AWS: get-secret-value")}))))
    binary = base64.b64encode(garden.secret("AWS: get-secret-value, binary").encode()).decode()
    (folder / "binary.json").write_text(json.dumps(secret("s1", SecretBinary=binary)))
    batch = {"SecretValues": [secret("s1", SecretString=garden.secret("AWS: batch-get-secret-value"))], "Errors": []}
    (folder / "batch.json").write_text(json.dumps(batch))
    tried = {"ServiceName": garden.secret("AWS: name of a service"), "ServiceNamespace": "s3", "LastAuthenticated": time, "LastAuthenticatedRegion": garden.secret("AWS: region of a service"), "TotalAuthenticatedEntities": 1}  # fmt: skip
    job = {"JobStatus": "COMPLETED", "JobCreationDate": time, "JobCompletionDate": time, "Arn": arn("user/c1"), "ServicesLastAccessed": [tried]}
    (folder / "services.json").write_text(json.dumps(job))
    job["ServicesLastAccessed"] = [tried | {"LastAuthenticated": "secret=" + garden.secret("AWS: reject of services by date")}]
    (folder / "services-bad.json").write_text(json.dumps(job))
    failed = {"JobStatus": "FAILED", "JobCreationDate": time, "Arn": arn("user/c2"), "Error": {"Code": "x", "Message": garden.secret("AWS: error of a job")}}
    (folder / "services-failed.json").write_text(json.dumps(failed))


def put(path, content):
    """Writes a file and its folders; anything but text is written as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def vault(garden, folder):
    """Answers, policies and an audit log of Vault. How many records are rejected at least."""
    secret, text, time = garden.secret, garden.text, "2026-01-01T00:00:00Z"

    def answer(data, **more):
        return {"request_id": "r", "lease_id": "", "lease_duration": 0, "renewable": False, "data": data, "warnings": None} | more

    def metadata(what):
        free = {"owner": text(f"Vault: owner of {what}", "ann, password: {}"), "team": text(f"Vault: team of {what}", "token={}")}
        return free | {"db-password": secret(f"Vault: metadata of {what}"), "note " + secret(f"Vault: key of metadata of {what}"): "x"}

    mounts = {f"{m}/": {"accessor": f"auth_{m}_1", "type": m, "description": secret(f"Vault: description of {m}")} for m in ("approle", "userpass")}
    named = "mount password=" + secret("Vault: name of a mount")
    mounts[named + "/"] = {"accessor": "auth_userpass_2", "type": "userpass", "options": {"x": secret("Vault: option of a mount")}}
    put(folder / "auth.json", mounts)
    put(folder / "secrets.json", {"secret/": {"accessor": "kv_1", "type": "kv", "options": {"version": "2"}, "description": secret("Vault: description of an engine")}})
    alias = {"canonical_id": "e1", "mount_accessor": "auth_userpass_1", "mount_path": "auth/userpass/", "mount_type": "userpass", "name": "ann"}
    more = {"custom_metadata": {"owner": secret("Vault: custom metadata of an alias")}, "metadata": {"x": secret("Vault: metadata of an alias")}}
    entity = {"id": "e1", "name": text("Vault: name of an entity", "password={}"), "aliases": [alias | more, alias | {"mount_path": f"auth/{named}/", "mount_accessor": "auth_userpass_2"}], "policies": ["p1"], "metadata": metadata("an entity"), "creation_time": time, "disabled": False}  # fmt: skip
    put(folder / "identity/entity/id/e1.json", answer(entity, mfa_secret=secret("Vault: field beside an answer"), warnings=["token " + secret("Vault: warning")]))
    put(folder / "identity/entity/id/e2.json", answer({"id": "e2", "aliases": [], "creation_time": "password=" + secret("Vault: reject of an entity by time"), "metadata": {"owner": secret("Vault: owner of a reject")}}))  # fmt: skip
    put(folder / "identity/entity/id/e3.json", answer({"id": "e3", "aliases": "password " + secret("Vault: reject of an entity by shape"), "name": ["x", secret("Vault: name of a reject")]}))
    group = {"id": "g1", "name": text("Vault: name of a group", "password={}"), "member_entity_ids": ["e1"], "metadata": metadata("a group"), "policies": ["p1"]}
    put(folder / "identity/group/id/g1.json", answer(group))
    put(folder / "identity/entity-alias-id.json", answer({"key_info": {"a9": alias | {"canonical_id": "gone", "name": "x", "metadata": {"x": secret("Vault: metadata of an alias without entity")}}}}))  # fmt: skip

    rule = 'path "secret/data/{}" {{ capabilities = ["read"] {} }}\n'
    hidden = f'allowed_parameters = {{ "password" = ["{secret("Vault: parameter of a policy")}"] }} comment = "{secret("Vault: comment of a rule")}"'
    lines = f"# root token: {secret('Vault: comment of a policy')}\n// pw {secret('Vault: comment with slashes')}\n/* {secret('Vault: block comment')} */\n"
    heredoc = f"note = <<END\npassword: {secret('Vault: heredoc of a policy')}\nEND\n"
    put(folder / "sys/policies/acl/p1.hcl", lines + f'name = "{secret("Vault: setting of a policy")}"\n' + heredoc + rule.format("a", hidden))
    put(folder / "sys/policies/acl/p2.json", answer({"name": "p2", "policy": f"# token: hvs.{secret('Vault: comment of a policy as answer')}\n" + rule.format("b", "")}))
    put(folder / "sys/policies/acl/p3.hcl", lines.splitlines()[0] + f'\npath "a" {{ capabilities = [ password={secret("Vault: policy that cannot be read")}')
    put(folder / "sys/policies/acl/p4.json", {"path": {"a": {"capabilities": ["read"], "comment": secret("Vault: comment in JSON"), "allowed_parameters": {"pw": [secret("Vault: parameter in JSON")]}}}})  # fmt: skip
    put(folder / "sys/policies/acl/p5.hcl", f'path "a" {{ capabilities = ["read", "password={secret("Vault: capability")}"] }}\n')
    put(folder / "sys/policies/acl/p6.hcl", f'path "a" {{ capabilities = ["read"] token={secret("Vault: word that is no setting")} = 1 }}\n')

    def token(accessor, **more):
        return answer({"accessor": accessor, "policies": ["p1"], "creation_ttl": 0, "creation_time": 1767225600, "path": "auth/token/create"} | more)

    put(folder / "auth/token/accessor/t1.json", token("t1", id=secret("Vault: id of a token", keyed=True), display_name=text("Vault: name of a token", "password={}"), meta=metadata("a token")))  # fmt: skip
    put(folder / "auth/token/accessor/t2.json", token("t2", id=secret("Vault: id of a rejected token"), creation_time="token=" + secret("Vault: reject of a token by time")))
    put(folder / "auth/token/accessor/t3.json", token("", id=secret("Vault: id of a batch token")))
    put(folder / "login.json", {"request_id": "r", "auth": {"client_token": "hvs." + secret("Vault: token of a login"), "accessor": "x", "metadata": {"x": secret("Vault: metadata of a login")}}})  # fmt: skip
    put(folder / "wrapped.json", {"request_id": "r", "data": None, "wrap_info": {"token": secret("Vault: wrapping token")}})
    put(folder / "init.json", {"unseal_keys_b64": [secret("Vault: unseal key")], "root_token": secret("Vault: root token")})
    put(folder / "auth/userpass/users/ann.json", answer({"token_policies": ["p1"], "password": secret("Vault: password of a user"), "password_hash": secret("Vault: hash of a user")}))
    put(folder / "auth/approle/role/ci.json", answer({"bind_secret_id": True, "token_policies": ["p1"], "role_id": secret("Vault: role id")}))
    put(folder / "auth/approle/role/ci/secret-id-accessor/lookup/s1.json", answer({"secret_id_accessor": "s1", "creation_time": time, "secret_id": secret("Vault: secret id", keyed=True), "metadata": {"owner": secret("Vault: metadata of a secret id")}}))  # fmt: skip
    put(folder / "auth/approle/role/ci/role-id.json", answer({"role_id": secret("Vault: answer of a role id")}))
    put(folder / "secret/data/app.json", answer({"data": {"password": secret("Vault: kv get")}, "metadata": {"created_time": time, "custom_metadata": {"owner": secret("Vault: custom metadata of kv get")}, "version": 1}}))  # fmt: skip
    put(folder / "kv1.json", answer({"password": secret("Vault: kv get of version 1")}, lease_duration=2764800))
    put(folder / "field.txt", secret("Vault: kv get -field") + "\n")
    put(folder / "secret/metadata/app.json", answer({"current_version": 1, "versions": {"1": {"created_time": time, "deletion_time": "", "destroyed": False}}, "created_time": time, "custom_metadata": metadata("a secret")}))  # fmt: skip
    put(folder / "secret/metadata/bad.json", answer({"current_version": 1, "versions": {"password=" + secret("Vault: number of a version"): {}}, "custom_metadata": {"owner": secret("Vault: custom metadata of a reject")}}))  # fmt: skip
    put(folder / "refused.json", f"Error making API request.\n\nURL: GET https://x:{secret('Vault: URL of an error')}@v/v1/a\nCode: 403. Errors:\n\n* token {secret('Vault: text of an error')}\n")
    put(folder / "errors.json", {"errors": ["password " + secret("Vault: list of errors")]})

    auth = {"client_token": "hvs." + secret("Vault: raw token in the log"), "accessor": "hmac-sha256:00", "display_name": secret("Vault: display name in the log"), "entity_id": "e1", "metadata": {"username": "ann", "x": secret("Vault: metadata in the log")}}  # fmt: skip
    request = {"id": "r1", "operation": "update", "path": "auth/userpass/login/ann", "data": {"password": secret("Vault: raw data in the log")}, "headers": {"x-vault-token": [secret("Vault: header in the log")]}}  # fmt: skip
    said = {"auth": {"client_token": "hvs." + secret("Vault: raw answer in the log")}, "data": {"secret_id": secret("Vault: raw secret id in the log")}}
    entry = {"time": time, "type": "response", "auth": auth, "request": request, "response": said}
    failed = entry | {"error": "password " + secret("Vault: error in the log")}
    odd = entry | {"time": "password=" + secret("Vault: reject in the log by time")}
    path = {"id": "r2", "path": "auth/userpass/login/password=" + secret("Vault: path in the log"), "data": {}}
    lines = [json.dumps(e, separators=(",", ":")) for e in (entry, failed, odd, entry | {"request": path, "type": "request"})]
    lines.append(lines[0].split('"data"')[0] + '"data":{"password":"' + secret("Vault: cut line of the log"))
    put(folder / "audit.log", "\n".join(lines) + "\n")
    return 13


def okta(garden, folder):
    """Answers of Okta's API. How many records are rejected at least."""
    secret, text, time = garden.secret, garden.text, "2026-01-01T00:00:00.000Z"

    def user(number, profile=None, **more):
        return {"id": f"00u{number:017}", "status": "ACTIVE", "created": time, "profile": {"login": f"u{number}@corp.example"} | (profile or {})} | more

    shown = {k: text(f"Okta: {k} of a user", "password={}") for k in ("displayName", "title", "department", "organization", "userType")}
    dropped = {k: secret(f"Okta: {k} of a user") for k in ("secondEmail", "mobilePhone", "nickName", "customSecret", "costCenter")}
    hashed = {"algorithm": "BCRYPT", "salt": secret("Okta: salt"), "value": secret("Okta: hash of a password")}
    credentials = {"password": {"value": secret("Okta: value of a password"), "hash": hashed, "hook": {"type": secret("Okta: hook")}}, "recovery_question": {"question": secret("Okta: recovery question"), "answer": secret("Okta: recovery answer")}, "provider": {"type": text("Okta: type of a provider", "password={}"), "name": text("Okta: name of a provider", "token={}")}, "emails": [secret("Okta: further field of credentials")]}  # fmt: skip
    users = [
        user(1, shown | dropped, credentials=credentials, transitioningToStatus=secret("Okta: field that is not read")),
        user(2, {"firstName": text("Okta: first name", "password={}"), "lastName": "x"}),
        user(3, {"title": secret("Okta: title of a reject")}, created="password=" + secret("Okta: reject by time"), credentials={"password": {"value": secret("Okta: password of a reject")}}),
        user(4, {"displayName": ["password", secret("Okta: reject by shape")]}),
        user(5, {"login": ""} | {"title": secret("Okta: title of one without login")}),
        user(1, {"title": secret("Okta: title of a duplicate")}),
        user(6, status=text("Okta: status that is not known", "password={}")),
        {"password": secret("Okta: record of no shape")},
    ]
    put(folder / "users.1.json", users)
    group = {"id": f"00g{1:017}", "type": "OKTA_GROUP", "objectClass": ["okta:user_group"], "created": time, "profile": {"name": text("Okta: name of a group", "password={}"), "description": text("Okta: description of a group", "door code, PIN: {}"), "customField": secret("Okta: profile of a group")}}  # fmt: skip
    put(folder / "groups.1.json", [group, group | {"id": f"00g{2:017}", "profile": {"description": secret("Okta: description of a reject")}}])
    put(folder / f"group-00g{1:017}.users.1.json", [user(1, {"title": secret("Okta: profile of a member")}, credentials={"password": {"value": secret("Okta: password of a member")}})])
    rule = {"type": "group_rule", "id": "0pr1", "status": "ACTIVE", "name": text("Okta: name of a rule", "password={}"), "conditions": {"expression": {"value": text("Okta: expression of a rule", 'user.note=="password: {}"')}}, "actions": {"assignUserToGroups": {"groupIds": [group["id"]]}}}  # fmt: skip
    put(folder / "rules.1.json", [rule, rule | {"id": "0pr2", "status": ["password", secret("Okta: reject of a rule")]}])
    app = {"id": f"0oa{1:017}", "name": text("Okta: name of an app", "password={}"), "label": text("Okta: label of an app", "password={}"), "status": text("Okta: status of an app", "password={}"), "signOnMode": text("Okta: sign-on mode", "password={}"), "created": time, "credentials": {"scheme": "SHARED_USERNAME_AND_PASSWORD", "userName": secret("Okta: user name of an app"), "password": {"value": secret("Okta: password of an app")}, "oauthClient": {"client_secret": secret("Okta: client secret of an app")}}, "settings": {"app": {"authURL": "https://u:" + secret("Okta: URL of an app") + "@x", "apiKey": secret("Okta: settings of an app")}, "notes": {"admin": secret("Okta: notes of an app")}}, "profile": {"x": secret("Okta: profile of an app")}}  # fmt: skip
    put(folder / "apps.1.json", [app, app | {"id": f"0oa{2:017}", "created": "token=" + secret("Okta: reject of an app")}])
    used = {"id": user(1)["id"], "scope": "USER", "status": text("Okta: status of an assignment", "password={}"), "syncState": "DISABLED", "created": time, "credentials": {"userName": "x", "password": {"value": secret("Okta: password of an assignment")}}, "profile": {"apiKey": secret("Okta: profile of an assignment")}}  # fmt: skip
    put(folder / f"app-0oa{1:017}.users.1.json", [used])
    given = {"id": group["id"], "priority": 0, "profile": {"password": secret("Okta: profile of a group's assignment")}}
    put(folder / f"app-0oa{1:017}.groups.1.json", [given])
    token = {"id": "00T1", "name": text("Okta: name of a token", "password={}"), "userId": user(1)["id"], "tokenWindow": "P30D", "created": time, "expiresAt": time, "clientName": secret("Okta: client of a token"), "token": secret("Okta: value of a token"), "network": {"include": [secret("Okta: network of a token")]}}  # fmt: skip
    put(folder / "api-tokens.1.json", [token, token | {"id": "00T2", "expiresAt": "password=" + secret("Okta: reject of a token")}])
    role = {"id": "ra1", "label": text("Okta: label of a role", "password={}"), "type": text("Okta: type of a role", "password={}"), "role": "cr1", "status": text("Okta: status of a role", "password={}"), "created": time, "assignmentType": "USER", "description": secret("Okta: description of a role")}  # fmt: skip
    put(folder / f"user-{user(1)['id']}.roles.1.json", [role])
    return 9


MIDPOINT = """<?xml version="1.0"?>
<?note password={0}?>
<!-- password: {1} -->
<objects xmlns="urn:x" note="{2}">
<role oid="r1" version="{3}"><name>{4}</name><description>password: {5}</description><!-- {6} -->
<extension key="{7}"><autoassignJobCode><![CDATA[{8}]]></autoassignJobCode><password><![CDATA[{9}]]></password></extension>{10}
<inducement><targetRef oid="t1"/><description>{11}</description></inducement></role>
<role><name>password: {12}</name></role>
<role oid="r2"><name><a>{13}</a></name></role>
<role>{14}</role>
</objects>
"""


def records(garden, folder):
    """The lists of why access is there. By system: mapping, file, and how many records are rejected at least."""
    secret, text = garden.secret, garden.text
    systems = {}

    def listed(mapping, plain, kept=(), bad=(), blank=1, unread=("description", "comments", "password", "api key")):
        """A good row with a secret in each column that is `kept` (masked) or not read, and a row for each way to be bad. `blank`: 1 if a row without anything is bad."""
        row = dict(plain) | {c: text(f"{mapping}: {c}", "password={}") for c in kept} | {c: secret(f"{mapping}: {c}") for c in unread}
        rows = [row]
        key = next(iter(plain))
        for column in bad:
            spoiled = {c: secret(f"{mapping}: reject by {column}, {c}") for c in unread}
            rows.append(dict(plain) | spoiled | {key: f"bad-{column}", column: "password=" + secret(f"{mapping}: reject by {column}")})
        rows.append({c: secret(f"{mapping}: reject by blank key, {c}") for c in unread})
        out = io.StringIO()
        writer = csv.DictWriter(out, list(dict.fromkeys([*plain, *kept, *unread, *bad])), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        put(folder / f"{mapping}.csv", out.getvalue() + "x," + secret(f"{mapping}: ragged") + "\n")
        systems[f"list-{mapping}"] = (mapping, f"{mapping}.csv", len(bad) + blank + 1)

    day = "2026-06-01T00:00:00Z"
    asked = {"request id": "Q1", "requested for": "u1", "application": "app-csv", "role": "user", "state": "closed", "decision": "approved", "requested at": day, "decided at": day}
    listed("requests", asked, bad=("state", "decision", "requested at"))
    due = {"role id": "R1", "application": "app-csv", "right": "user"}
    listed("roles", due, kept=("role name", "title", "department", "owner"))
    reviewed = {"review id": "V1", "application": "app-csv", "account": "u1", "role": "user", "decision": "keep", "decided at": day}
    listed("reviews", reviewed, kept=("campaign",), bad=("decision", "decided at"))
    apart = {"rule id": "S1", "system 1": "app-csv", "entitlement 1": "user", "system 2": "app-csv", "entitlement 2": "admin"}
    listed("separation", apart, kept=("rule name", "reason", "owner"), unread=("comments", "password", "api key"))
    done = {"entry id": "W1", "identity": "1", "application": "app-csv", "action": "revoke", "outcome": "failed", "decided at": day}
    listed("workflow", done, kept=("message", "rule", "engine", "event"), bad=("outcome", "decided at"), blank=0)
    happened = {"event id": "E1", "at": day, "action": "grant", "account": "u1", "group": "user"}
    listed("events", happened, bad=("at", "outcome"))
    listed("systems", {"system": "app-csv", "in scope": "yes"}, kept=("owner", "environment", "capabilities"), bad=("in scope",))

    number = iter(range(99))
    inside = [secret(f"midpoint-roles: {i}") for i in range(4)] + [text("midpoint-roles: name", "&lt;password&gt;{}&lt;/password&gt;")]
    inside += [secret(f"midpoint-roles: {i}") for i in range(5, 8)] + [text("midpoint-roles: job", "password={}")] + [secret(f"midpoint-roles: {i}") for i in range(9, 15)]
    put(folder / "midpoint-roles.xml", MIDPOINT.format(*inside))
    systems["list-midpoint-roles"] = ("midpoint-roles", "midpoint-roles.xml", 2)

    def issue(key, **fields):
        return {"key": key, "id": str(next(number)), "fields": {"created": day, "status": {"name": "Done"}} | fields}

    free = {f: secret(f"jira: {f}") for f in ("summary", "description", "environment")}
    comment = {"comment": {"comments": [{"body": "password: " + secret("jira: comment")}]}, "attachment": [{"content": "https://u:" + secret("jira: attachment") + "@x"}]}
    issues = [issue("A-1", **free, **comment), issue("A-2", created="password=" + secret("jira: reject by time"), summary=secret("jira: summary of a reject"))]
    issues.append(issue("A-3", reporter={"emailAddress": {"password": secret("jira: reject by shape")}}))
    put(folder / "jira.json", {"startAt": 0, "maxResults": 50, "total": 3, "issues": issues})
    systems["list-jira"] = ("jira", "jira.json", 2)
    item = {"number": "RITM1", "state": "3", "approval": "approved", "opened_at": "2026-06-01 00:00:00", **{f: secret(f"servicenow: {f}") for f in ("short_description", "description", "comments", "work_notes", "variables.password")}}  # fmt: skip
    odd = item | {"number": "RITM2", "state": "password=" + secret("servicenow: reject by state"), "description": secret("servicenow: description of a reject")}
    put(folder / "servicenow.json", {"result": [item, odd]})
    systems["list-servicenow"] = ("servicenow", "servicenow.json", 1)
    return systems


def configuration(garden, folder, key, lists):
    text = '[holdover]\nstore = "store"\n' + ('fingerprint_key_file = "fingerprint.key"\n' if key else "")

    def source(system, connector, files, options="", more=""):
        return f'[[source]]\nsystem = "{system}"\nconnector = "{connector}"\nfiles = {json.dumps(files)}\ntaken_at = "{TAKEN}"\ntimezone = "UTC"\n{more}{options}'

    text += source("hr", "tabular", "in/hr.csv", '[source.options]\nmapping = "hr"\n', 'population = "all"\n')
    text += source("register", "tabular", "in/exceptions.csv", '[source.options]\nmapping = "exceptions"\n')
    for kind in ("csv", "tsv", "json", "ndjson", "parquet"):
        text += source(f"app-{kind}", "tabular", f"in/app.{kind}", "[source.options]\n" + MAPPED.format(at="source.options"))
    said = f'command = "ldapsearch -w {garden["source: -w"]} -x"\nfilters = "password={garden["source: filters"]}"\n' if garden else ""
    text += source("ad", "ldif", "in/ad.ldif", more=said) + source("ldap", "ldif", "in/ldap.ldif") + source("aws", "aws-iam", "in/aws/*")
    text += source("vault", "vault", "in/vault/**/*") + source("okta", "okta", "in/okta/*")
    for system, (mapping, file, _) in lists.items():
        text += source(system, "tabular", f"in/lists/{file}", f'[source.options]\nmapping = "{mapping}"\n')
    text += '[[authority]]\nsystem = "hr"\nkinds = ["person"]\nevents = ["joiner", "leaver"]\n'
    (folder / "holdover.toml").write_text(text)


def sidecar(garden, folder):
    """Beside one file: who extracted it, and how."""
    command = " ".join([
        "docker exec ldap ldapsearch -x " + garden.text("sidecar: --password", "--password {}"),
        "--api-token=" + garden.secret("sidecar: --api-token="),
        "-w " + garden.secret("sidecar: -w"),
        "-w" + garden.secret("sidecar: -w without blank"),
        "-H ldaps://admin:" + garden.secret("sidecar: URL") + "@x.example",
        "PGPPASSWORD=" + garden.secret("sidecar: environment"),
        "-H 'Authorization: Bearer " + garden.secret("sidecar: bearer") + "'",
    ])  # fmt: skip
    stated = {"command": command, "filters": garden.text("sidecar: filters", "active only, token={}"), "extracted_by": garden.text("sidecar: extracted_by", "ann password: {}"), "extracted_role": garden.text("sidecar: extracted_role", "reader pw={}")}  # fmt: skip
    (folder / "ldap.ldif.source.toml").write_text("".join(f"{k} = {json.dumps(v)}\n" for k, v in stated.items()))


class Bench:
    """Runs commands and keeps what they say."""

    def __init__(self, args):
        self.holdover, self.work, self.said, self.panicked = args.holdover, args.work, [], 0

    def run(self, what, *command, codes, cwd=None):
        ran = common.run([self.holdover, *command], cwd or self.work)
        fault = "panicked" in ran.text or ran.code not in codes
        common.check(f"{what}: exit {ran.code}", not fault, f"of {codes}\n{ran.text[-3000:]}") if fault else None
        self.said.append((f"output of {what}", ran.text.encode()))
        return ran


def refusals(garden, bench):
    """Whole files and settings that are refused: what the message shows."""
    folder = common.fresh(bench.work / "refused")
    accounts = ["--connector", "tabular", "--option", "mapping=accounts"]
    tabular_cases = {
        "truncated JSON": ("a.json", '[{{"id":"1","login":"a","password":"{0}"}},{{"id":"2","password":"{0}'),
        "JSON with a bad escape": ("a.json", '[{{"id":"1","password":"{0}\\q"}}]'),
        "JSON that is a text": ("a.json", '"password={0}"'),
        "truncated Parquet": ("a.parquet", "PAR1{0}"),
        "no known column": ("a.csv", "password: {0}\nx\n"),
        "unclosed header": ("a.csv", 'id,login,"{0}\n'),
    }
    cases = {f"tabular, {k}": (accounts, *v) for k, v in tabular_cases.items()}
    cases["aws-iam, truncated JSON"] = (["--connector", "aws-iam"], "a.json", '{{"UserDetailList":[{{"UserName":"a","Password":"{0}"')
    cases["aws-iam, no JSON"] = (["--connector", "aws-iam"], "a.json", "{{{0}")
    cases["aws-iam, a key in JSON"] = (["--connector", "aws-iam"], "a.json", '{{"AccessKey":{{"SecretAccessKey":"{0}"}}}}')
    cases["aws-iam, the value of a secret"] = (["--connector", "aws-iam"], "a.json", '{{"ARN":"arn:aws:secretsmanager:eu-central-1:111122223333:secret:a-AbCdEf","Name":"a","SecretString":"{0}"}}')  # fmt: skip
    cases["ldif, version"] = (["--connector", "ldif"], "a.ldif", "version: {0}\n\ndn: cn=a\n")
    for i, (what, (connector, name, form)) in enumerate(cases.items()):
        (folder / name).write_text(form.format(garden.secret(f"refused: {what}")))
        ran = bench.run(what, "import", "--store", folder / "store", "--system", f"s{i}", *connector, "--taken-at", TAKEN, folder / name, codes=[2, 3])
        common.check(f"refused: {what}", "help: " in ran.err, ran.text)
        (folder / name).unlink()
    (folder / "a.csv").write_text("id,login\n1,a\n")
    by_hand = ["import", "--store", folder / "store", "--system", "s", *accounts, "--taken-at", TAKEN]
    (folder / "short.key").write_text(garden.secret("key file that is too short")[:15])
    bench.run("a short key file", *by_hand, "--fingerprint-key-file", folder / "short.key", folder / "a.csv", codes=[2])
    garden.secrets["key file that is too short"] = garden.secrets["key file that is too short"][:15]
    bench.run("an option that is a secret", *by_hand, "--option", "password=" + garden.secret("option"), folder / "a.csv", codes=[2])
    source = f'[[source]]\nsystem = "s"\nconnector = "tabular"\nfiles = "a.csv"\ntaken_at = "{TAKEN}"\n[source.options]\nmapping = "accounts"\n'
    settings = {
        "a key in the configuration": '[holdover]\nfingerprint_key = "{}"\n' + source,
        "a password in the configuration": source + 'password = "{}"\n',
        "a password without quotes": source.replace("[source.options]", "password = {}\n[source.options]"),
        "a command that is no text": source.replace("[source.options]", 'command = ["-w", "{}"]\n[source.options]'),
        "a control total that is none": source.replace("[source.options]", 'control_total = "password={}"\n[source.options]'),
        "a time that is none": source.replace(TAKEN, "password={}"),
        "a value map": source + '[source.options.values.status]\nx = "password={}"\n',
    }
    for what, form in settings.items():
        (folder / "holdover.toml").write_text(form.replace("{}", garden.secret(f"settings: {what}")))
        bench.run(what, "audit", "--as-of", AS_OF, codes=[2], cwd=folder)
    (folder / "holdover.toml").write_text(source)
    beside = {"unknown key": 'password = "{}"\n', "no TOML": 'command = "ldapsearch -w {}\n', "no instant": 'extracted_at = "password={}"\n'}
    for what, form in beside.items():
        (folder / "a.csv.source.toml").write_text(form.replace("{}", garden.secret(f"sidecar: {what}")))
        bench.run(f"a sidecar with {what}", "audit", "--as-of", AS_OF, codes=[2], cwd=folder)


def names(garden, bench):
    """Secrets in the names of files and folders."""
    folder = common.fresh(bench.work / "names")
    (folder / "in").mkdir()
    found = folder / "in" / f"dump password={garden.secret('file name')}.csv"
    found.write_text("id,login,created at\n1,a,2026-01-01\n2,b,20260-01-01\n")
    (folder / "in" / f"ghp_{garden.secret('file name, a token')}").mkdir()
    (folder / "in" / f"ghp_{garden.secrets['file name, a token']}" / "b.csv").write_text("id,login\n3,a\n")
    broken = folder / f"token={garden.secret('name of a broken file')}.json"
    broken.write_text('[{"id":')
    source = f'[[source]]\nsystem = "app"\nconnector = "tabular"\nfiles = "in/**/*.csv"\ntaken_at = "{TAKEN}"\ntimezone = "UTC"\n[source.options]\nmapping = "accounts"\n'  # fmt: skip
    (folder / "holdover.toml").write_text(source)
    bench.run("files whose names hold secrets", "audit", "--as-of", AS_OF, codes=[0, 1, 3], cwd=folder)
    by_hand = ["import", "--store", folder / "store", "--connector", "tabular", "--option", "mapping=accounts", "--timezone", "UTC", "--taken-at", TAKEN]
    bench.run("one named by hand", *by_hand, "--system", "hand", found, codes=[3])
    bench.run("a broken one named by hand", *by_hand, "--system", "broken", broken, codes=[3])
    bench.run("one that is not there", *by_hand, "--system", "none", folder / f"pw={garden.secret('name of a missing file')}.csv", codes=[2, 3, 4])
    everything(bench, "names", folder)


def everything(bench, what, folder):
    """Audits in every format, explains every finding, asks for every table."""
    for form in ("table", "json", "csv"):
        ran = bench.run(f"{what}: audit as {form}", "audit", "--as-of", AS_OF, "--format", form, codes=[0, 1, 3], cwd=folder)
        report = json.loads(ran.out) if form == "json" else None
        findings = report["findings"] if report else None
        if findings is not None:
            for finding in findings:
                bench.run(f"{what}: explain {finding['fingerprint']}", "explain", finding["fingerprint"], codes=[0], cwd=folder)
            common.check(f"{what}: {len(findings)} findings explained", len(findings) > 0, ran.text[:2000])
    asked = 0
    for place in sorted(folder.glob("store/snapshots/*/*")):
        for table in sorted(p.stem for p in place.glob("*.parquet")):
            command = ("query", "--snapshot", f"{place.parent.name}/{place.name}", "--format", "json", f"SELECT * FROM {table} t")
            asked += bench.run(f"{what}: {table} of {place.parent.name}", *command, codes=[0, 2], cwd=folder).code == 0
    for table in ("accounts", "identities", "credentials", "memberships", "findings", "grants"):
        asked += bench.run(f"{what}: {table} of the run", "query", "--format", "csv", f"SELECT * FROM {table} t", codes=[0, 2], cwd=folder).code == 0
    common.check(f"{what}: {asked} tables asked", asked > 10)
    for command in (("store", "list"), ("store", "verify")):
        bench.run(" ".join(command), *command, "--store", folder / "store", codes=[0])


def search(garden, what, contents):
    """No secret is in `contents`."""
    found = hits({place: forms(secret) for place, secret in garden.secrets.items()}, contents)
    shown = "\n      ".join(f"{place}: in {where}" for place, where in found[:40])
    common.check(f"{what}: {len(contents)} places, none with a secret", not found, f"{len(found)} leaks\n      {shown}")


def check_search(garden, store, work):
    """The search itself: a secret that is put into a copy of the store is found, in each form and each kind of file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    place, secret = next(iter(garden.secrets.items()))
    wanted = {place: forms(secret)}
    copy = work / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(store, copy)
    run = common.newest_run(copy)
    report = (run / "report.json").read_bytes()
    hidden = {
        "plain": secret.encode(), "lower case": secret.lower().encode(), "hex": secret.encode().hex().encode(), "UTF-16": secret.encode("utf-16-le"),
        "URL-encoded": "".join(f"%{b:02X}" for b in secret.encode()).encode(), "SHA-256": hashlib.sha256(secret.encode()).hexdigest().encode(),
        **{f"base64 after {n}": base64.b64encode(b"x" * n + secret.encode() + b"y") for n in range(3)},
    }  # fmt: skip
    for form, data in hidden.items():
        (run / "report.json").write_bytes(report[:100] + data + report[100:])
        common.equal(f"the search finds a secret: {form}", hits(wanted, places(copy)), [(place, str((run / "report.json").relative_to(copy)))])
    (run / "report.json").write_bytes(report)
    path = next(p for p in sorted(copy.glob("snapshots/*/*/accounts.parquet")) if pq.read_metadata(p).num_rows > 3)
    whole = pq.read_table(path)
    at = whole.schema.get_field_index("attributes")
    # Text of four letters in no order is packed bit by bit, and the secret in its midst with it.
    values = ["".join("abcd"[b % 4] for b in hashlib.shake_256(bytes([i % 256])).digest(2000)) + secret for i in range(whole.num_rows)]
    pq.write_table(whole.set_column(at, "attributes", pa.array(values)), path, compression="zstd", write_statistics=False)
    common.check("the secret is not plain in the packed Parquet file", secret.encode() not in path.read_bytes())
    common.equal("the search finds a secret: packed in Parquet", hits(wanted, places(copy)), [(place, str(path.relative_to(copy)))])
    pq.write_table(whole, path)
    (copy / secret).mkdir()
    common.equal("the search finds a secret: name of a folder", hits(wanted, places(copy)), [(place, secret)])
    shutil.rmtree(copy)


def planted(bench, garden, key):
    """Everything in one folder, with a key for fingerprints or without; then the search."""
    what = "with a key" if key else "without a key"
    folder = common.fresh(bench.work / ("keyed" if key else "plain"))
    inputs = folder / "in"
    (inputs / "aws").mkdir(parents=True)
    rejects = tabular(garden, inputs)
    people(garden, inputs)
    rejects["ad"] = active_directory(garden, inputs)
    openldap(garden, inputs)
    aws(garden, inputs / "aws")
    rejects["vault"] = vault(garden, inputs / "vault")
    rejects["okta"] = okta(garden, inputs / "okta")
    lists = records(garden, inputs / "lists")
    rejects |= {system: least for system, (*_, least) in lists.items()}
    sidecar(garden, inputs)
    said = {place: garden.secret(place) for place in ("source: -w", "source: filters")}
    configuration(said, folder, key, lists)
    if key:
        (folder / "fingerprint.key").write_text(garden.secret("the key itself") + "\n")
    bench.run(f"import {what}", "import", codes=[3], cwd=folder)
    everything(bench, what, folder)
    store = folder / "store"
    planted_all = hits({p: forms(s) for p, s in garden.secrets.items()}, places(inputs) if not key else list(places(folder)))
    missing = set(garden.secrets) - {p for p, _ in planted_all} - set(said) - {"the key itself"}
    common.equal(f"{what}: {len(garden.secrets)} secrets are in the input", sorted(missing), [])
    contents = list(places(store))
    check_records(what, store, rejects)
    markers = {place: {mark.encode()} for place, mark in garden.markers.items()}
    lost = set(markers) - {place for place, _ in hits(markers, contents)}
    common.equal(f"{what}: the text beside {len(markers)} secrets is kept", sorted(lost), [])
    search(garden, f"store {what}", contents)
    check_fingerprints(what, garden, contents, key)
    open_to_others = [w for w in [store, *store.rglob("*")] if w.stat().st_mode & 0o077]
    common.equal(f"{what}: store is closed to others", open_to_others, [])
    return store


def check_records(what, store, rejects):
    """As many records are rejected as were made to be, so that the search sees them as rejects."""
    for system, least in rejects.items():
        system = f"app-{system}" if system in ("csv", "tsv", "json", "ndjson", "parquet") else system
        manifest = json.loads(next(store.glob(f"snapshots/{system}/*/manifest.json")).read_text())
        got = sum(f["rejected"] for f in manifest["files"])
        common.check(f"{what}: {system} has {got} rejects, {least} at least", got >= least, str(manifest["files"]))


def check_fingerprints(what, garden, contents, key):
    """Fingerprints under the key are there, and without a key there are none."""
    secret = garden.secrets["the key itself"] if key else "no key"
    marks = {p: {hmac.new(secret.encode(), s.encode(), "sha256").hexdigest().encode()} for p, s in garden.keyed.items()}
    found = {place for place, _ in hits(marks, contents)}
    # Active Directory does not give out `userPassword`: it is counted there and leaves nothing.
    common.equal(f"{what}: fingerprints of {len(marks)} secrets", sorted(found), sorted(p for p in marks if not p.startswith("AD")) if key else [])


def main():
    args = common.parsed(common.arguments(__doc__))
    bench, garden = Bench(args), Garden()
    store = planted(bench, garden, key=False)
    check_search(garden, store, args.work)
    all_secrets = dict(garden.secrets)
    keyed = Garden()
    planted(bench, keyed, key=True)
    refused = Garden()
    refusals(refused, bench)
    names(refused, bench)
    for stores in ("refused", "names"):
        search(refused, f"stores of {stores}", list(places(args.work / stores / "store")) if (args.work / stores / "store").exists() else [])
    keyed.secrets |= all_secrets | refused.secrets
    search(keyed, "standard output and error", bench.said)


if __name__ == "__main__":
    main()
