#!/usr/bin/env python3
"""Imports real AWS IAM exports and counts what landed against what Python itself reads from the same files.

    python3 tests/real/aws.py --holdover BIN --data DIR --work DIR

Reads `DATA/aws/{cloudsplaining,moto,c7n-unwrapped,derived-pages}` and, for the judgement of policies,
`DATA/ground-truth/aws-privesc-pathfinding-cloud`. One line per assertion; exit code 1 if one fails.

Needs the Python package `duckdb`.
"""

import argparse
import base64
import csv
import gzip
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb

TAKEN_AT = "2026-11-22T00:00:00Z"
SNAPSHOT = "20261122T000000Z"
LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")

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
    """One sealed snapshot: its tables as lists of dicts, and its manifest."""

    def __init__(self, directory):
        self.directory = directory
        self.manifest = json.loads((directory / "manifest.json").read_text())
        self.short = {f["name"].rsplit("/", 1)[-1]: f["short"] for f in self.manifest["files"] if f["short"]}
        self.rejected = sum(f["rejected"] for f in self.manifest["files"])
        self.read = sum(f["read"] for f in self.manifest["files"])
        self.accounts, self.groups = self.table("accounts"), self.table("groups")
        self.entitlements, self.credentials = self.table("entitlements"), self.table("credentials")
        self.account = {a["account_ix"]: a["native_id"] for a in self.accounts}
        self.group = {g["group_ix"]: g["native_id"] for g in self.groups}
        self.entitlement = {e["entitlement_ix"]: e["native_id"] for e in self.entitlements}

    def table(self, name):
        path = self.directory / f"{name}.parquet"
        if not path.exists():
            return []
        cursor = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(path)])
        columns = [c[0] for c in cursor.description]
        return [dict(zip(columns, row)) for row in cursor.fetchall()]

    def grants(self):
        holder = lambda g: self.account.get(g["account_ix"]) or self.group.get(g["group_ix"]) or g["principal_ref"]
        return sorted((holder(g), self.entitlement[g["entitlement_ix"]], g["effect"]) for g in self.table("grants"))

    def memberships(self, kind):
        who = lambda m: self.account.get(m["account_ix"]) or self.group.get(m["member_group_ix"]) or m["principal_ref"]
        return sorted((who(m), self.group[m["group_ix"]]) for m in self.table("memberships") if m["kind"] == kind)

    def statements(self):
        counts = {}
        for s in self.table("statements"):
            name = self.entitlement[s["entitlement_ix"]]
            counts[name] = counts.get(name, 0) + 1
        return counts


def run(options, system, files):
    """Imports files as one snapshot of `system`; gives the exit code and what was said."""
    command = [options.holdover, "import", "--store", options.store, "--connector", "aws-iam", "--system", system]
    done = subprocess.run([*command, "--taken-at", TAKEN_AT, *map(str, files)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def load(options, system, files, want=0):
    """Imports files, checks the exit code, and opens the snapshot."""
    code, said = run(options, system, files)
    check(f"{system}: exit code", code, want)
    directory = Path(options.store) / "snapshots" / system / SNAPSHOT
    if not directory.exists():
        sys.exit(f"FAIL  {system}: nothing was sealed\n{said}")
    return Snapshot(directory)


# ---- what Python reads -------------------------------------------------------------------------------------------------


def parse(path):
    opened = gzip.open(path, "rt") if path.suffix == ".gz" else open(path, encoding="utf-8")
    with opened as file:
        return json.load(file)


def merged(paths):
    """The lists of several pages as one."""
    whole = {name: [] for name in LISTS}
    for path in paths:
        for name in LISTS:
            whole[name] += parse(path).get(name, [])
    return whole


def bag(value):
    return value if isinstance(value, list) else [value]


def holders(gaad):
    for name, kind in (("UserDetailList", "User"), ("GroupDetailList", "Group"), ("RoleDetailList", "Role")):
        for one in gaad[name]:
            yield one, one.get(f"{kind}PolicyList", [])


def expected(gaad):
    """Native ids and edges that an export must yield."""
    policies = {p["Arn"] for p in gaad["Policies"]}
    grants, entitlements, statements = set(), set(policies), {}
    for one, inline in holders(gaad):
        for attached in one.get("AttachedManagedPolicies", []):
            entitlements.add(attached["PolicyArn"])
            grants.add((one["Arn"], attached["PolicyArn"], "allow"))
        for policy in inline:
            name = f"{one['Arn']}#inline/{policy['PolicyName']}"
            entitlements.add(name)
            grants.add((one["Arn"], name, "allow"))
            statements[name] = len(bag(policy["PolicyDocument"]["Statement"]))
        boundary = (one.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
        if boundary:
            entitlements.add(boundary)
            grants.add((one["Arn"], boundary, "boundary"))
    for policy in gaad["Policies"]:
        for version in policy["PolicyVersionList"]:
            if version["IsDefaultVersion"]:
                statements[policy["Arn"]] = len(bag(version["Document"]["Statement"]))
    by_name = {g["GroupName"]: g["Arn"] for g in gaad["GroupDetailList"]}
    groups, direct = set(by_name.values()), set()
    for user in gaad["UserDetailList"]:
        for name in user["GroupList"]:
            arn = by_name.get(name) or f"{user['Arn'].rsplit(':', 1)[0]}:group/{name}"
            groups.add(arn)
            direct.add((user["Arn"], arn))
    assume = set()
    role_named = {(r["Arn"].split(":")[4], r["Arn"].rsplit("/", 1)[-1]): r["Arn"] for r in gaad["RoleDetailList"]}

    def principal(text):
        """A session stands for its role, where the export holds it."""
        parts = text.split(":")
        session = len(parts) > 5 and parts[2] == "sts" and parts[5].startswith("assumed-role/")
        return role_named.get((parts[4], parts[5].split("/")[1]), text) if session else text

    for role in gaad["RoleDetailList"]:
        for statement in bag(role["AssumeRolePolicyDocument"]["Statement"]):
            principals = statement["Principal"]
            principals = {"AWS": principals} if isinstance(principals, str) else principals
            for texts in principals.values():
                assume |= {(principal(text), role["Arn"]) for text in bag(texts)}
    users, roles = {u["Arn"] for u in gaad["UserDetailList"]}, {r["Arn"] for r in gaad["RoleDetailList"]}
    return {
        "accounts": users | roles, "groups": groups | roles, "entitlements": entitlements, "grants": sorted(grants),
        "statements": {name: count for name, count in statements.items() if count}, "direct": sorted(direct), "assume": sorted(assume),
        "records": sum(len(gaad[name]) for name in LISTS),
    }


def ids(rows):
    return {row["native_id"] for row in rows}


def same(system, snapshot, gaad):
    """Every user, role, group, policy, statement and edge of an export landed, and nothing else."""
    want = expected(gaad)
    check(f"{system}: {len(want['accounts'])} users and roles", ids(snapshot.accounts), want["accounts"])
    check(f"{system}: {len(want['groups'])} groups and roles", ids(snapshot.groups), want["groups"])
    check(f"{system}: {len(want['entitlements'])} policies", ids(snapshot.entitlements), want["entitlements"])
    check(f"{system}: {len(want['grants'])} grants", snapshot.grants(), want["grants"])
    check(f"{system}: {sum(want['statements'].values())} statements", snapshot.statements(), want["statements"])
    check(f"{system}: {len(want['direct'])} memberships", snapshot.memberships("direct"), want["direct"])
    check(f"{system}: {len(want['assume'])} trusts", snapshot.memberships("assume"), want["assume"])


def report_rows(path):
    """The rows of a credential report in any of its wrappings, the first of each ARN."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        text = json.loads(text)["Content"]
        text = text if text.startswith("user,") else base64.b64decode(text).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    return list({row["arn"]: row for row in reversed(rows)}.values())[::-1], len(rows)


def report_credentials(rows):
    """Native ids of what a report alone shows."""
    found = set()
    for row in rows:
        if row["password_enabled"] == "true" or (row["user"] == "<root_account>" and row["password_enabled"] == "not_supported"):
            found.add(f"{row['arn']}#password")
        for kind, column in (("access_key", "access_key"), ("cert", "cert")):
            for n in "12":
                if row[f"{column}_{n}_active"] == "true" or row[f"{column}_{n}_last_rotated"] not in ("N/A", "not_supported", ""):
                    found.add(f"{row['arn']}#{kind}_{n}")
    return found


# ---- the exports -------------------------------------------------------------------------------------------------------


def cloudsplaining(options):
    for path in sorted((options.data / "aws/cloudsplaining").glob("*.json")):
        system = "cs-" + "".join(c if c.isalnum() else "-" for c in path.stem.lower())
        document = parse(path)
        if not isinstance(document, dict) or not set(LISTS[:3]) & set(document):
            code, said = run(options, system, [path])
            check(f"{system}: refused by name", (code != 0, "get-account-authorization-details" in said or "IAM export" in said), (True, True))
            continue
        gaad = {name: document.get(name, []) for name in LISTS}
        snapshot = load(options, system, [path])
        same(system, snapshot, gaad)
        check(f"{system}: read, rejected", (snapshot.read, snapshot.rejected), (expected(gaad)["records"], 0))


def moto(options):
    folder = options.data / "aws/moto"
    whole = folder / "get-account-authorization-details.full.json.gz"
    keys = sorted(folder.glob("list-access-keys.*.json"))
    used = sorted(folder.glob("get-access-key-last-used.*.json"))
    extra = [folder / name for name in ("credential-report.csv", "list-virtual-mfa-devices.json", "get-account-summary.json")]
    snapshot = load(options, "moto", [whole, *extra, *keys, *used])
    gaad = merged([whole])
    same("moto", snapshot, gaad)
    listed = {k["AccessKeyId"]: k for path in keys for k in parse(path)["AccessKeyMetadata"]}
    rows, _ = report_rows(extra[0])
    passwords = {f"{r['arn']}#password" for r in rows if r["password_enabled"] == "true"}
    check(f"moto: {len(listed)} keys and {len(passwords)} passwords", ids(snapshot.credentials), set(listed) | passwords)
    check("moto: keys in the report are the listed ones", sum("access_key" in c for c in report_credentials(rows)), len(listed))
    status = {c["native_id"]: c["status"] for c in snapshot.credentials if c["kind"] == "access_key"}
    check("moto: status of keys", status, {k: v["Status"].lower() for k, v in listed.items()})
    dates = {parse(p)["AccessKeyLastUsed"].get("LastUsedDate") for p in used} - {None}
    check("moto: keys with a last use", {c["last_used_at"].isoformat() + "Z" for c in snapshot.credentials if c["last_used_at"]}, dates)
    factor = {r["arn"] for r in rows if r["mfa_active"] == "true"}
    check("moto: second factors", {a["native_id"] for a in snapshot.accounts if a["mfa_state"] == "yes"}, factor)
    tags = {u["Arn"]: {t["Key"]: t["Value"] for t in u.get("Tags", [])} for u in gaad["UserDetailList"]}
    owners = {a["native_id"]: (a["owner_ref"], a["employee_ref"]) for a in snapshot.accounts if a["native_id"] in tags}
    check("moto: owners and employee numbers", owners, {arn: (t.get("owner"), t.get("employee_id")) for arn, t in tags.items()})
    check("moto: roles not used in the window", {a["use_state"] for a in snapshot.accounts if a["kind"] == "role"}, {"not_in_window"})
    kinds = {m["principal_kind"] for m in snapshot.table("memberships") if m["kind"] == "assume"}
    check("moto: kinds of trusted principals", kinds, {"deleted", "federated", "root", "service", "wildcard"})
    levels = {e["name"]: e["level"] for e in snapshot.entitlements if e["vendor_managed"] or e["kind"] == "inline-policy"}
    for name, level in (("AdministratorAccess", "admin"), ("PowerUserAccess", "write"), ("SecurityAudit", "read"), ("tmp-admin", "admin"), ("dev-inline", "read")):
        check(f"moto: level of {name}", levels[name], level)
    carol = next(e for e in snapshot.entitlements if e["name"] == "tmp-admin")
    check("moto: a Deny without MFA makes it conditional", carol["conditional"], True)

    some = folder / "get-account-authorization-details.no-aws-managed.json"
    same("moto-own", load(options, "moto-own", [some]), merged([some]))
    cut = folder / "get-account-authorization-details.cli-max-items-NextToken.json"
    token = load(options, "moto-token", [cut], want=3)
    same("moto-token", token, merged([cut]))
    check("moto-token: short", set(token.short), {cut.name})
    from_json = load(options, "moto-report", [folder / "get-credential-report.json"])
    check("moto-report: base64 gives the rows of the CSV", ids(from_json.accounts), {r["arn"] for r in rows})


def custodian(options):
    folder = options.data / "aws/c7n-unwrapped"
    reports = sorted([*folder.glob("*GetCredentialReport_*.csv"), *folder.glob("*GetCredentialReport_*.json")])
    for at, path in enumerate(reports):
        if "Content" not in path.read_text() and path.suffix == ".json":
            pending = load(options, f"c7n-{at}", [path], want=3)
            check(f"c7n-{at}: report in progress is short", (set(pending.short), len(pending.accounts)), ({path.name}, 0))
            continue
        rows, count = report_rows(path)
        code, said = run(options, f"c7n-{at}", [path])
        check(f"c7n-{at}: exit code", code in (0, 3), True)
        snapshot = Snapshot(Path(options.store) / "snapshots" / f"c7n-{at}" / SNAPSHOT)
        check(f"c7n-{at}: {len(rows)} users of {path.name}", ids(snapshot.accounts), {r["arn"] for r in rows})
        check(f"c7n-{at}: credentials", ids(snapshot.credentials), report_credentials(rows))
        check(f"c7n-{at}: rows that repeat a user are rejected", (snapshot.read, snapshot.rejected), (count, count - len(rows)))
        roots = {a["kind"] for a in snapshot.accounts if a["login"] == "<root_account>"}
        check(f"c7n-{at}: the root user is the vendor's", roots, {"system"} if any(r["user"] == "<root_account>" for r in rows) else set())
        used = {c["native_id"] for c in snapshot.credentials if c["use_state"] == "used"}
        dated = {f"{r['arn']}#access_key_{n}" for r in rows for n in "12" if r[f"access_key_{n}_last_used_date"][:2] == "20"}
        dated |= {f"{r['arn']}#password" for r in rows if r["password_last_used"][:2] == "20"}
        check(f"c7n-{at}: credentials with a last use", used, dated)
    for at, path in enumerate(sorted(folder.glob("*ListAccessKeys_*.json"))):
        snapshot = load(options, f"c7n-keys-{at}", [path])
        check(f"c7n-keys-{at}: keys", ids(snapshot.credentials), {k["AccessKeyId"] for k in parse(path)["AccessKeyMetadata"]})
    both = [folder / f"test_iam_user_credential_multi_delete.iam.{name}" for name in ("GetCredentialReport_1.csv", "ListAccessKeys_1.json")]
    joined = load(options, "c7n-joined", both)
    listed = {k["AccessKeyId"] for k in parse(both[1])["AccessKeyMetadata"]}
    check("c7n-joined: report and listing are one", {c["native_id"] for c in joined.credentials if c["kind"] == "access_key"}, listed)


def pages(options):
    folder = options.data / "aws/derived-pages"
    files = sorted(folder.glob("gaad.page*of4.json"))
    whole = load(options, "pages", files)
    same("pages", whole, merged(files))
    same("pages-source", whole, merged([options.data / "aws/cloudsplaining/example-authz-details.json"]))
    for missing in range(4):
        some = [f for at, f in enumerate(files) if at != missing]
        snapshot = load(options, f"pages-without-{missing + 1}", some, want=3)
        check(f"pages without {missing + 1}: short", bool(snapshot.short), True)
    # Without numbers in the names, what the other pages refer to still tells.
    bare = options.work / "pages"
    bare.mkdir(parents=True, exist_ok=True)
    for file, name in zip(files, "abcd"):
        shutil.copyfile(file, bare / f"{name}.json")
    for missing in "bc":
        snapshot = load(options, f"bare-without-{missing}", [bare / f"{n}.json" for n in "abcd" if n != missing], want=3)
        check(f"unnumbered pages without {missing}: short", bool(snapshot.short), True)


# ---- the judgement of policies -----------------------------------------------------------------------------------------


def escalation(options):
    """Every road of pathfinding.cloud is seen on all resources, and none on one resource."""
    with open(options.data / "ground-truth/aws-privesc-pathfinding-cloud/INDEX.csv", encoding="utf-8") as file:
        roads = {row["id"]: row["required_permissions"].split(" + ") for row in csv.DictReader(file)}
    for system, resource, want in (("roads", "*", set(roads)), ("roads-held", "arn:aws:iam::111122223333:role/one", set())):
        policies = []
        for name, actions in roads.items():
            document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": resource}]}
            policies.append({"PolicyName": name, "Arn": f"arn:aws:iam::111122223333:policy/{name}", "DefaultVersionId": "v1",
                             "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": True, "Document": document}]})
        file = options.work / f"{system}.json"
        file.write_text(json.dumps({"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": policies}))
        snapshot = load(options, system, [file])
        seen = {e["name"] for e in snapshot.entitlements if "privilege-escalation" in (e["risks"] or "")}
        check(f"{system}: {len(roads)} roads", seen, want)


def findings(options):
    """What cloudsplaining found in its own example is found here, policy by policy."""
    folder = options.data / "aws/cloudsplaining"
    snapshot = load(options, "cs-findings", [folder / "example-authz-details.json"])
    ours = {}
    for e in snapshot.entitlements:
        ours.setdefault(e["name"], set()).update((e["risks"] or "").split(","))
    results = parse(folder / "iam-results-example.json")
    names = {"PrivilegeEscalation": "privilege-escalation", "DataExfiltration": "data-exfiltration", "ResourceExposure": "resource-exposure",
             "ServiceWildcard": "service-wildcard", "CredentialsExposure": "credential-access"}
    for key, risk in names.items():
        theirs = set()
        for part in ("aws_managed_policies", "customer_managed_policies", "inline_policies"):
            for policy in results[part].values():
                found = policy[key]["findings"] if isinstance(policy[key], dict) else policy[key]
                if found and policy["PolicyName"] in ours:
                    theirs.add(policy["PolicyName"])
        check(f"findings: {risk} in {len(theirs)} policies", {n for n in theirs if risk in ours[n]}, theirs)


def services(options):
    """A recorded answer on the services of one user: kept as AWS gave it, once something says whom it is about."""
    done = options.data / "aws/c7n-unwrapped/test_iam_user_usage.iam.GetServiceLastAccessedDetails_2.json"
    pending = done.with_name(done.name.replace("_2", "_1"))
    answer = parse(done)
    tried = {s["ServiceNamespace"]: s["LastAuthenticated"] for s in answer["ServicesLastAccessed"] if "LastAuthenticated" in s}
    arn = next(s["LastAuthenticatedEntity"] for s in answer["ServicesLastAccessed"] if "LastAuthenticatedEntity" in s)
    everything = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    user = {"UserName": "u", "UserId": "AIDAEXAMPLEUSER000001", "Arn": arn, "UserPolicyList": [{"PolicyName": "all", "PolicyDocument": everything}]}
    gaad = options.work / "services-gaad.json"
    gaad.write_text(json.dumps({"UserDetailList": [user]}))
    load(options, "services-unnamed", [gaad, done], want=3)
    named, untold = options.work / "last-accessed.AIDAEXAMPLEUSER000001.json", options.work / "services-added.json"
    named.write_text(done.read_text())
    untold.write_text(json.dumps(answer | {"Arn": arn}))
    for what, path in (("by the file's name", named), ("by an added ARN", untold)):
        snapshot = load(options, f"services-{path.stem.split('.')[0]}", [gaad, path])
        account = snapshot.accounts[0]
        kept = json.loads(account["attributes"])
        instants = {n: at.replace("+00:00", "Z") for n, at in tried.items()}
        check(f"services {what}: {len(tried)} of {len(answer['ServicesLastAccessed'])} were tried", (kept["services_used"], kept["services_not_used"]), (instants, len(answer["ServicesLastAccessed"]) - len(tried)))
        newest = max(tried.values()).removesuffix("+00:00")
        check(f"services {what}: last use of the account and of its only policy", [str(row["last_used_at"]).replace(" ", "T") for row in (account, snapshot.table("grants")[0])], [newest, newest])
    short = load(options, "services-pending", [gaad, pending], want=3)
    check("services: a job in progress is short", set(short.short), {pending.name})


def secrets(options):
    """Recorded and simulated lists of secrets."""
    files = sorted((options.data / "aws/c7n-unwrapped").glob("*secretsmanager.ListSecrets_1.json"))
    for at, path in enumerate([*files, options.data / "aws/moto/secretsmanager-list-secrets.json"]):
        listed = parse(path)["SecretList"]
        snapshot = load(options, f"secrets-{at}", [path])
        check(f"{path.name}: {len(listed)} secrets", ids(snapshot.table("resources")), {s["ARN"] for s in listed})
        used = {c["native_id"] for c in snapshot.credentials if c["use_state"] == "used"}
        check(f"{path.name}: which were fetched", used, {s["ARN"] for s in listed if s.get("LastAccessedDate")})
        rotated = {c["native_id"] for c in snapshot.credentials if c["rotated_at"]}
        check(f"{path.name}: which were rotated", rotated, {s["ARN"] for s in listed if s.get("LastRotatedDate")})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--holdover", required=True)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--work", required=True, type=Path)
    options = parser.parse_args()
    options.holdover = str(Path(options.holdover).resolve())
    options.work = options.work.resolve() / "aws"
    shutil.rmtree(options.work, ignore_errors=True)
    options.work.mkdir(parents=True)
    options.store = str(options.work / "store")
    for part in (cloudsplaining, moto, custodian, pages, services, secrets, escalation, findings):
        part(options)
    print(f"{failures} failures" if failures else "all as the files say")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
