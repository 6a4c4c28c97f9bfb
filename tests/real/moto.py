#!/usr/bin/env python3
"""A cloud of this hour: fills a simulated AWS by the real command line, exports it by the commands of the connector's page, audits it.

    python3 tests/real/moto.py --holdover BIN --work DIR

Needs the Python packages `moto[server]`, `awscli` and `duckdb`. The server listens on loopback only; keys are dummies. What the server
does not offer, service last accessed details, is answered by a stand-in before it, in the XML of AWS's own model, so that these commands,
too, run as the page has them. It lists all policies of AWS where AWS lists the attached ones, and has no root user.
"""

import contextlib
import datetime
import http.server
import io
import json
import os
import re
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from pathlib import Path

import common
from common import check, equal

A = "arn:aws:iam::123456789012:"
AWS = "arn:aws:iam::aws:policy/"
REGIONS = {"eu-central-1", "us-east-1"}
CANARY = "Example-canary-7"
BIN = Path(sys.executable).parent


def policy(*actions, effect="Allow", resource="*", **more):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": list(actions), "Resource": resource} | more]})


def trust(*principals, **condition):
    one = lambda p: {"Effect": "Allow", "Principal": p, "Action": "sts:AssumeRole"} | ({"Condition": condition} if condition else {})
    return json.dumps({"Version": "2012-10-17", "Statement": [one(p) for p in principals]})


class Services:
    """What the stand-in says of services: namespace, last attempt, by whom."""

    def __init__(self, now):
        self.now = now
        self.jobs, self.asked = {}, 0
        ago = lambda days: (now - datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.ago = ago
        self.known = {
            f"{A}user/svc-ci": [("s3", ago(3), "user/svc-ci", {"CreateBucket": ago(200)}), ("sqs", None, None, {})],
            f"{A}role/runner": [("lambda", None, None, {}), ("iam", None, None, {"PassRole": None})],
            f"{A}group/readers": [("ec2", ago(9), "user/otto.brandt", {}), ("s3", None, None, {})],
        }

    def answer(self, asked):
        if asked["Action"] == "GenerateServiceLastAccessedDetails":
            job = f"00000000-0000-4000-8000-{len(self.jobs):012}"
            self.jobs[job] = asked["Arn"]
            return f"<JobId>{job}</JobId>"
        self.asked += 1
        head = f"<JobType>ACTION_LEVEL</JobType><JobCreationDate>{self.ago(0)}</JobCreationDate><IsTruncated>false</IsTruncated>"
        if self.asked == 1:
            return f"<JobStatus>IN_PROGRESS</JobStatus>{head}"
        tag = lambda name, value: f"<{name}>{value}</{name}>" if value else ""
        shown = ""
        for name, at, by, actions in self.known.get(self.jobs[asked["JobId"]], []):
            tracked = "".join(f"<member>{tag('ActionName', n)}{tag('LastAccessedTime', t)}</member>" for n, t in actions.items())
            by = by and A + by
            shown += f"<member><ServiceName>{name}</ServiceName>{tag('LastAuthenticated', at)}<ServiceNamespace>{name}</ServiceNamespace>"
            shown += f"{tag('LastAuthenticatedEntity', by)}<TotalAuthenticatedEntities>{int(bool(at))}</TotalAuthenticatedEntities>"
            shown += f"{tag('TrackedActionsLastAccessed', tracked)}</member>"
        done = f"<JobStatus>COMPLETED</JobStatus>{head}<JobCompletionDate>{self.ago(0)}</JobCompletionDate>"
        return f"{done}<ServicesLastAccessed>{shown}</ServicesLastAccessed>"


def front(services, back):
    """A server that answers what `services` knows and passes everything else on to `back`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = dict(urllib.parse.parse_qsl(body.decode("utf-8", "replace")))
            action = asked.get("Action", "")
            if action.endswith("ServiceLastAccessedDetails"):
                inner = f"<{action}Result>{services.answer(asked)}</{action}Result><ResponseMetadata><RequestId>0</RequestId></ResponseMetadata>"
                self.reply(200, "text/xml", f'<{action}Response xmlns="https://iam.amazonaws.com/doc/2010-05-08/">{inner}</{action}Response>'.encode())
                return
            headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length", "connection", "expect")}
            request = urllib.request.Request(back + self.path, data=body, headers=headers, method="POST")
            try:
                with urllib.request.urlopen(request) as answer:
                    code, kind, data = answer.status, answer.headers.get("Content-Type", ""), answer.read()
            except urllib.error.HTTPError as error:
                code, kind, data = error.code, error.headers.get("Content-Type", ""), error.read()
            if action == "DescribeRegions":  # an account that has two regions
                keep = lambda item: item[0] if re.search("<regionName>([^<]*)", item[0])[1] in REGIONS else ""
                data = re.sub(r"<item>.*?</item>", keep, data.decode(), flags=re.S).encode()
            self.reply(code, kind, data)

        def reply(self, code, kind, data):
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    return http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def aws(*arguments, **environment):
    """One command of the real command line, run inside this process, for starting it anew for each takes longer than the command."""
    from awscli.clidriver import create_clidriver

    out, err = io.StringIO(), io.StringIO()
    old = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = create_clidriver().main([str(a) for a in arguments])
    finally:
        for name, value in old.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    if code != 0:
        check("aws " + " ".join(map(str, arguments))[:200], False, err.getvalue())
    return json.loads(out.getvalue()) if out.getvalue().strip() else None


def key(user):
    made = aws("iam", "create-access-key", "--user-name", user)["AccessKey"]
    return made["AccessKeyId"], made["SecretAccessKey"]


def fill():
    """The account, and the secrets that its answers gave out."""
    iam = lambda *arguments: aws("iam", *arguments)
    people = {"ida.lorenz": ["Key=Owner,Value=Ida Lorenz", "Key=employee-id,Value=0041", f"Key=note,Value={CANARY}"], "otto.brandt": [], "mara.unknown": [], "svc-ci": ["Key=Environment,Value=production"]}
    for user, tags in people.items():
        iam("create-user", "--user-name", user, *(["--tags", *tags] if tags else []))
    iam("create-user", "--user-name", "no.keys", "--path", "/dormant/")
    for group in ("admins", "readers"):
        iam("create-group", "--group-name", group)
    iam("attach-group-policy", "--group-name", "admins", "--policy-arn", AWS + "AdministratorAccess")
    iam("put-group-policy", "--group-name", "readers", "--policy-name", "look", "--policy-document", policy("ec2:Describe*"))
    for user, group in (("ida.lorenz", "admins"), ("ida.lorenz", "readers"), ("otto.brandt", "readers")):
        iam("add-user-to-group", "--user-name", user, "--group-name", group)

    # Two versions each: only the default one counts.
    for name, first, second in (("tamed", policy("*"), policy("s3:Get*", "sqs:ReceiveMessage")), ("star", policy("s3:Get*"), policy("*"))):
        iam("create-policy", "--policy-name", name, "--policy-document", first, "--description", f"of the shop, password: {CANARY}")
        iam("create-policy-version", "--policy-arn", f"{A}policy/{name}", "--policy-document", second, "--set-as-default")
    iam("create-policy", "--policy-name", "fence", "--policy-document", policy("s3:*"))
    iam("attach-user-policy", "--user-name", "otto.brandt", "--policy-arn", f"{A}policy/star")
    iam("attach-user-policy", "--user-name", "svc-ci", "--policy-arn", f"{A}policy/tamed")
    iam("put-user-policy", "--user-name", "svc-ci", "--policy-name", "own", "--policy-document", policy("sqs:SendMessage"))

    dead, other = {"AWS": "AIDAEXAMPLEDELETED0001"}, {"AWS": "arn:aws:iam::444455556666:root"}
    iam("create-role", "--role-name", "deployer", "--assume-role-policy-document", trust({"AWS": f"{A}user/ida.lorenz"}, dead))
    iam("create-role", "--role-name", "vendor", "--assume-role-policy-document", trust(other, StringEquals={"sts:ExternalId": "x-1"}))
    iam("create-role", "--role-name", "open", "--assume-role-policy-document", trust({"AWS": "*"}))
    iam("create-role", "--role-name", "runner", "--assume-role-policy-document", trust({"Service": "ec2.amazonaws.com"}))
    iam("put-role-policy", "--role-name", "runner", "--policy-name", "run", "--policy-document", policy("iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"))
    iam("put-role-permissions-boundary", "--role-name", "runner", "--permissions-boundary", f"{A}policy/fence")
    iam("create-instance-profile", "--instance-profile-name", "runners")
    iam("add-role-to-instance-profile", "--instance-profile-name", "runners", "--role-name", "runner")
    iam("attach-role-policy", "--role-name", "deployer", "--policy-arn", AWS + "ReadOnlyAccess")

    for user in ("ida.lorenz", "otto.brandt"):
        iam("create-login-profile", "--user-name", user, "--password", CANARY)
    device = iam("create-virtual-mfa-device", "--virtual-mfa-device-name", "ida", "--outfile", os.environ["OUTFILE"], "--bootstrap-method", "Base32StringSeed")
    iam("enable-mfa-device", "--user-name", "ida.lorenz", "--serial-number", device["VirtualMFADevice"]["SerialNumber"], "--authentication-code1", "123456", "--authentication-code2", "654321")
    keys = {user: key(user) for user in ("otto.brandt", "svc-ci")}
    spare = key("svc-ci")
    iam("update-access-key", "--user-name", "svc-ci", "--access-key-id", spare[0], "--status", "Inactive")
    # Somebody uses a key, and a role.
    used = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), keys["svc-ci"]))
    aws("sts", "get-caller-identity", **used)
    session = aws("sts", "assume-role", "--role-arn", f"{A}role/deployer", "--role-session-name", "session", **used)["Credentials"]
    aws("sts", "get-caller-identity", AWS_ACCESS_KEY_ID=session["AccessKeyId"], AWS_SECRET_ACCESS_KEY=session["SecretAccessKey"], AWS_SESSION_TOKEN=session["SessionToken"])

    organization()
    secret = lambda *arguments: aws("secretsmanager", *arguments)
    tags = ["--tags", "Key=owner,Value=payments", "Key=Env,Value=prod", f"Key=hint,Value={CANARY}"]
    secret("create-secret", "--name", "prod/ledger", "--description", f"of the ledger, pw: {CANARY}", "--secret-string", CANARY, *tags)
    secret("put-secret-value", "--secret-id", "prod/ledger", "--secret-string", CANARY + "-two")
    secret("create-secret", "--name", "old/ftp", "--secret-string", CANARY)
    secret("delete-secret", "--secret-id", "old/ftp", "--recovery-window-in-days", "7")
    secret("create-secret", "--name", "far", "--secret-string", CANARY, "--region", "us-east-1")
    return keys["svc-ci"][0], spare[0], keys["otto.brandt"][0]


def organization():
    """An organisation with the account in a unit. The server knows one account, which is the management account."""
    org = lambda *arguments: aws("organizations", *arguments)
    org("create-organization", "--feature-set", "ALL")
    root = org("list-roots")["Roots"][0]["Id"]
    unit = org("create-organizational-unit", "--parent-id", root, "--name", "shops")["OrganizationalUnit"]["Id"]
    org("move-account", "--account-id", A.split(":")[4], "--source-parent-id", root, "--destination-parent-id", unit)
    for name, target, text in (("stay", root, policy("organizations:LeaveOrganization", effect="Deny")), ("guard", unit, policy("iam:*", effect="Deny"))):
        made = org("create-policy", "--name", name, "--description", f"of the shop, pw: {CANARY}", "--type", "SERVICE_CONTROL_POLICY", "--content", text)
        org("attach-policy", "--policy-id", made["Policy"]["PolicySummary"]["Id"], "--target-id", target)


def import_(args, system, taken, files, want=0):
    command = [args.holdover, "import", "--store", args.work / "store", "--connector", "aws-iam", "--system", system, "--taken-at", taken]
    ran = common.run([*command, *files], args.work)
    equal(f"{system}: {len(files)} files are imported", (ran.code, ran.text if ran.code != want else ""), (want, ""))
    return common.Snapshot(next((args.work / "store/snapshots" / system).iterdir()))


def landed(snapshot, keys):
    """Every row of the account that was made by hand."""
    used, spare, unused = keys
    short = lambda arn: arn.replace(A, "").replace(AWS, "aws:")
    equal("no record is rejected and no file is short", [(n, f["rejected"], f["short"]) for n, f in snapshot.files.items() if f["rejected"] or f["short"]], [])
    accounts = {short(a["native_id"]): (a["kind"], a["login"], a["mfa_state"], a["use_state"]) for a in snapshot.accounts}
    want = {
        "user/ida.lorenz": ("unknown", "ida.lorenz", "yes", "never"), "user/otto.brandt": ("unknown", "otto.brandt", "no", "used"),
        "user/mara.unknown": ("unknown", "mara.unknown", "no", "not_applicable"), "user/svc-ci": ("unknown", "svc-ci", "no", "used"),
        "user/dormant/no.keys": ("unknown", "no.keys", "no", "not_applicable"), "role/deployer": ("role", "deployer", "not_applicable", "used"),
        "role/vendor": ("role", "vendor", "not_applicable", "not_in_window"), "role/open": ("role", "open", "not_applicable", "not_in_window"),
        "role/runner": ("role", "runner", "not_applicable", "not_in_window"),
    }  # fmt: skip
    equal("accounts: kind, login, second factor, use", accounts, want)
    ida = snapshot.account[f"{A}user/ida.lorenz"]
    equal("tags of an account", (ida["owner_ref"], ida["employee_ref"], json.loads(ida["attributes"])), ("Ida Lorenz", "0041", {"path": "/", "services_not_used": 0, "services_tracked_from": json.loads(ida["attributes"])["services_tracked_from"]}))
    equal("environment by tag", snapshot.account[f"{A}user/svc-ci"]["environment"], "production")
    runner = json.loads(snapshot.account[f"{A}role/runner"]["attributes"])
    equal("attributes of a role", (runner["instance_profiles"], runner["permissions_boundary"], runner["services_not_used"]), (["runners"], f"{A}policy/fence", 2))

    members = sorted((short(m), short(g), row["kind"], row["principal_kind"]) for m, g, row in snapshot.memberships())
    want = [
        ("*", "role/open", "assume", "wildcard"), ("AIDAEXAMPLEDELETED0001", "role/deployer", "assume", "deleted"),
        ("arn:aws:iam::444455556666:root", "role/vendor", "assume", "root"), ("ec2.amazonaws.com", "role/runner", "assume", "service"),
        ("user/ida.lorenz", "group/admins", "direct", "account"), ("user/ida.lorenz", "group/readers", "direct", "account"),
        ("user/ida.lorenz", "role/deployer", "assume", "account"), ("user/otto.brandt", "group/readers", "direct", "account"),
    ]  # fmt: skip
    equal("memberships and trust", members, want)
    vendor = [row["condition"] for _, g, row in snapshot.memberships() if g.endswith("role/vendor")]
    equal("the condition of a trust", [json.loads(c) for c in vendor], [{"StringEquals": {"sts:ExternalId": "x-1"}}])

    grants = sorted((short(h), short(e), row["effect"], row["use_state"]) for h, e, row in snapshot.grants())
    want = [
        ("group/admins", "aws:AdministratorAccess", "allow", "unknown"), ("group/readers", "group/readers#inline/look", "allow", "unknown"),
        ("role/deployer", "aws:ReadOnlyAccess", "allow", "unknown"), ("role/runner", "role/runner#inline/run", "allow", "not_in_window"),
        ("role/runner", "policy/fence", "boundary", "unknown"), ("user/otto.brandt", "policy/star", "allow", "unknown"),
        ("user/svc-ci", "policy/tamed", "allow", "used"), ("user/svc-ci", "user/svc-ci#inline/own", "allow", "not_in_window"),
    ]  # fmt: skip
    equal("grants and their use: `star` and `AdministratorAccess` let otto and ida reach ec2, too", grants, sorted(want))
    levels = {short(e["native_id"]): (e["level"], e["risks"] or "", e["vendor_managed"]) for e in snapshot.entitlements}
    own = {name: levels[name][:2] for name in levels if not name.startswith(("aws:", "arn:aws:organizations:"))}
    every = "credential-access,data-exfiltration,infrastructure-modification,privilege-escalation,resource-exposure,service-wildcard"
    want = {
        "policy/star": ("admin", every), "policy/tamed": ("read", "data-exfiltration"), "policy/fence": ("write", "data-exfiltration,infrastructure-modification,resource-exposure,service-wildcard"),
        "group/readers#inline/look": ("read", ""), "role/runner#inline/run": ("write", "infrastructure-modification,privilege-escalation,resource-exposure"), "user/svc-ci#inline/own": ("write", "infrastructure-modification"),
    }  # fmt: skip
    equal("levels and risks of the account's own policies", own, want)
    vendors = {n: levels[f"aws:{n}"][0] for n in ("AdministratorAccess", "ReadOnlyAccess", "IAMFullAccess", "SecurityAudit")}
    equal("levels of AWS's own", vendors, {"AdministratorAccess": "admin", "ReadOnlyAccess": "read", "IAMFullAccess": "admin", "SecurityAudit": "read"})
    many = [e for e in snapshot.entitlements if e["vendor_managed"]]
    unread = [e["native_id"] for e in many if e["level"] == "unknown"]
    check(f"{len(many)} policies that AWS wrote are read", len(many) > 1000 and not unread, str(unread[:5]))
    attributes = {short(e["native_id"]): json.loads(e["attributes"]) for e in snapshot.entitlements if e["attributes"]}
    star = attributes["policy/star"]
    equal("the default version", (star["default_version"], star["versions"], star["description"]), ("v2", 2, "of the shop, password: [masked]"))

    controls = {e["name"]: (e["level"], attributes[short(e["native_id"])]) for e in snapshot.entitlements if e["kind"] == "service-control-policy"}
    placed = {name: (level, [re.sub("-.*", "", p) for p in a["attached_to"]], a["not_binding"]) for name, (level, a) in controls.items()}
    number = A.split(":")[4]
    want = {"FullAWSAccess": ("none", [number, "ou", "r"], "management account"), "guard": ("none", ["ou"], "management account"), "stay": ("none", ["r"], "management account")}
    equal("service control policies, on which levels, and whom they do not bind", placed, want)

    credentials = {short(c["native_id"]): (c["kind"], c["status"], c["use_state"]) for c in snapshot.credentials if c["kind"] != "vault_secret"}
    want = {
        "user/ida.lorenz#password": ("password", "active", "never"), "user/otto.brandt#password": ("password", "active", "never"),
        used: ("access_key", "active", "used"), spare: ("access_key", "inactive", "never"), unused: ("access_key", "active", "never"),
    }  # fmt: skip
    equal("credentials", credentials, want)
    secrets = {r["name"]: (r["kind"], r["owner_ref"], r["environment"], r["native_id"].split(":")[3]) for r in snapshot.resources}
    want = {"prod/ledger": ("secret", "payments", "prod", "eu-central-1"), "old/ftp": ("secret", None, None, "eu-central-1"), "far": ("secret", None, None, "us-east-1")}
    equal("secrets", secrets, want)
    lives = {c["name"]: (c["status"], c["use_state"], c["created_at"] is not None, c["holder_ref"] == c["native_id"]) for c in snapshot.credentials if c["kind"] == "vault_secret"}
    equal("life of secrets", lives, {"prod/ledger": ("active", "never", True, True), "old/ftp": ("deleted", "never", True, True), "far": ("active", "never", True, True)})


def paged(args, taken, export):
    """The pages of `--max-items` make the same account; without the last, the import is short."""
    pages, token = [], None
    while token or not pages:
        page = aws("iam", "get-account-authorization-details", "--max-items", "2", "--page-size", "100", *(["--starting-token", token] if token else []))
        token = page.get("NextToken")
        path = common.fresh(args.work / "page") / "x" if not pages else args.work / "page" / "x"
        path = path.with_name(f"gaad.page{len(pages) + 1}.json")
        path.write_text(json.dumps(page), encoding="utf-8")
        pages.append(path)
        if len(pages) > 9:
            break
    check(f"the command line pages: {len(pages)} files", len(pages) == 3, str(len(pages)))
    whole = import_(args, "aws-whole", taken, [export / "gaad.json"])
    parts = import_(args, "aws-paged", taken, pages)
    same = lambda s: (sorted(s.account), sorted(s.group), sorted(e["native_id"] for e in s.entitlements), sorted((h, e) for h, e, _ in s.grants()))
    equal("pages give the rows of the whole", same(parts), same(whole))
    cut = import_(args, "aws-cut", taken, pages[:-1], want=3)
    check("without the last page it is short", any("last page is missing" in s for f in cut.files.values() for s in f["short"]), str(cut.files))


CONFIG = """[holdover]
store = "audit"
[[source]]
system = "hr"
connector = "tabular"
files = "hr.csv"
taken_at = "{taken}"
population = "all"
timezone = "UTC"
[source.options]
mapping = "hr"
[[source]]
system = "aws"
connector = "aws-iam"
files = "export/*"
taken_at = "{taken}"
[[account_kind]]
systems = ["aws"]
login = "^svc-"
kind = "service"
"""


# What each audit finds, by check: after a hundred days, and after two, when nothing is old and nobody has left.
ALWAYS = {
    "admin-wildcard": ["user/otto.brandt -> policy/star"],
    "dangling-grant": ["AIDAEXAMPLEDELETED0001 -> role/deployer"],
    "orphan-account": ["user/dormant/no.keys", "user/mara.unknown"],
}
LATER = ALWAYS | {
    "dormant-account": ["user/ida.lorenz", "user/otto.brandt", "user/svc-ci"],
    "ghost-account": ["user/otto.brandt"],
    "leaver-access-unremoved": ["user/otto.brandt -> group/readers", "user/otto.brandt -> policy/star"],
    "leaver-known-secret-unrotated": ["secret far", "secret prod/ledger"],
    "leaver-live-credential": ["otto's key", "user/otto.brandt#password"],
    "stale-key": ["otto's key", "svc-ci's key"],
    "unused-key": ["otto's key", "svc-ci's key"],
}


def audited(args, now, days, keys, want):
    """What an audit finds, and with that on whom it stays quiet: `tamed` is no admin by its first version, an inactive key is not
    stale, a deleted secret is no live key, and ida may do everything and is there."""
    names = {keys[0]: "svc-ci's key", keys[2]: "otto's key"}
    # The ARN of a secret ends in six letters that the service makes up.
    secret = lambda subject: f"secret {subject.split(':secret:')[1][:-7]}" if ":secret:" in subject else subject
    short = lambda subject: names.get(subject, secret(subject).replace(A, ""))
    stamp = lambda hours: (now + datetime.timedelta(days=days, hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    left = (now + datetime.timedelta(days=30)).date()
    people = ["Employee Number,Name,Email,Login,Status,Start Date,Last Day", "0041,Ida Lorenz,ida.lorenz@corp.example,ida.lorenz,active,2020-01-01,"]
    people.append(f"0042,Otto Brandt,otto.brandt@corp.example,otto.brandt,active,2020-01-01,{left}")
    common.fresh(args.work / "audit").rmdir()
    (args.work / "hr.csv").write_text("\n".join(people) + "\n", encoding="utf-8")
    (args.work / "holdover.toml").write_text(CONFIG.format(taken=stamp(0)), encoding="utf-8")
    ran = common.run([args.holdover, "audit", "--as-of", stamp(6), "--format", "json"], args.work)
    equal(f"after {days} days: the audit finds something", (ran.code, ran.err), (1, ""))
    found = {}
    for finding in json.loads(ran.out)["findings"]:
        if finding["system"] == "aws":
            equal(f"{finding['check']} is new", finding["state"], "new") if finding["state"] != "new" else None
            found.setdefault(finding["check"], []).append(short(finding["subject"]["native_id"]))
    equal(f"after {days} days: what is found", {name: sorted(subjects) for name, subjects in sorted(found.items())}, want)


def main():
    args = common.parsed(common.arguments(__doc__))
    for old in ("store", "audit", "export", "page"):
        common.fresh(args.work / old).rmdir()
    back = common.free_port()
    keep = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(args.work), "LANG": "C.UTF-8"}
    with (args.work / "server.log").open("wb") as log:
        server = subprocess.Popen([BIN / "moto_server", "-H", "127.0.0.1", "-p", str(back)], env=keep | {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}, stdout=log, stderr=log)
    now = datetime.datetime.now(datetime.timezone.utc)
    services = Services(now)
    proxy = front(services, f"http://127.0.0.1:{back}")
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        common.until("the server answers", lambda: answers(back))
        dummy = {"AWS_ACCESS_KEY_ID": "example", "AWS_SECRET_ACCESS_KEY": "example", "AWS_DEFAULT_REGION": "eu-central-1", "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.server_port}"}  # fmt: skip
        os.environ.clear()
        os.environ.update(keep | dummy | {"OUTFILE": str(args.work / "seed")})
        keys = fill()
        page = (common.PROJECT / "src/connectors/aws_iam/page.md").read_text(encoding="utf-8")
        blocks = re.findall(r"^```sh\n(.*?)^```", page, flags=re.M | re.S)
        export = common.fresh(args.work / "export")
        ran = common.run(["bash", "-euo", "pipefail", "-c", "\n".join(blocks)], export, env=dict(os.environ))
        equal("the page's commands", (ran.code, ran.err), (0, ""))
        print(f"      {len(list(export.iterdir()))} files in {ran.seconds:.0f} s")
        taken = (now + datetime.timedelta(days=100)).strftime("%Y-%m-%dT%H:%M:%SZ")
        paged(args, taken, export)
    finally:
        proxy.shutdown()
        server.terminate()
        server.wait()
    landed(import_(args, "aws", taken, sorted(export.iterdir())), keys)
    audited(args, now, 100, keys, LATER)
    audited(args, now, 2, keys, ALWAYS)
    devices = json.loads((export / "mfa.json").read_text(encoding="utf-8"))["VirtualMFADevices"]
    hidden(args.work, [CANARY, *(d["Base32StringSeed"] for d in devices)])


def hidden(work, secrets):
    """None of the secrets is in a store: in the bytes of a file, or in the values of a packed one."""
    import duckdb

    contents = []
    for path in sorted(p for root in ("store", "audit") for p in (work / root).rglob("*") if p.is_file()):
        rows = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchall() if path.suffix == ".parquet" else ""
        contents.append((path.name, path.read_bytes().decode("utf-8", "replace") + str(rows)))
    check("what was masked is there", any("of the ledger, pw: [masked]" in text for _, text in contents))
    equal(f"none of {len(secrets)} secrets in {len(contents)} files", [(n, s) for n, text in contents for s in secrets if s in text], [])


def answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/") as answer:
            return answer.status == 200
    except OSError:
        return False


if __name__ == "__main__":
    main()
