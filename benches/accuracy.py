#!/usr/bin/env python3
"""Measures how well escalation in AWS policies is seen (11.8), and writes `docs/accuracy.md`.

    python3 benches/accuracy.py --holdover BIN --data DIR --work DIR [--check]

Reads `DATA/ground-truth/aws-privesc-pathfinding-cloud/INDEX.csv` (65 paths with the permissions that each needs) and
`DATA/aws/cloudsplaining` (an example export and what Cloudsplaining found in it). Drives the binary: imports made-up exports,
audits them, and reads the Parquet of the run. With `--check` it writes nothing and fails if the page would change. It also fails
where a difference has no explanation here.

Needs the Python package `duckdb`.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb

PAGE = Path(__file__).resolve().parents[1] / "docs" / "accuracy.md"
TAKEN_AT = "2026-11-22T00:00:00Z"
NUMBER = "111122223333"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
# The service that assumes a role, by the first word of the actions that make it do so.
ASSUMED_BY = {
    "apprunner": "tasks.apprunner.amazonaws.com", "bedrock-agentcore": "bedrock-agentcore.amazonaws.com",
    "cloudformation": "cloudformation.amazonaws.com", "codebuild": "codebuild.amazonaws.com", "datapipeline": "datapipeline.amazonaws.com",
    "ec2": "ec2.amazonaws.com", "ecs": "ecs-tasks.amazonaws.com", "glue": "glue.amazonaws.com", "lambda": "lambda.amazonaws.com",
    "sagemaker": "sagemaker.amazonaws.com",
}  # fmt: skip
# Paths by which a principal writes rights into itself that only a role can have.
AS_A_ROLE = {"iam-005", "iam-009"}
# What decides in practice and no IAM export shows, by category of the path.
NOT_SHOWN = {
    "self-escalation": "nothing that matters",
    "principal-access": "whether the user has two keys already, or a password",
    "new-passrole": "what else the service asks for (a network, a cluster, an instance profile, an event source)",
    "existing-passrole": "which function, machine, stack or job runs as the role",
}
# A permission that a path lists and holdover does not ask for.
NOT_NEEDED = {
    ("ec2instanceconnect-003", "ec2:DescribeInstances"): "only finds the instance's name, which somebody may know without it",
}
# Held to one harmless role, these still lead further: the role is written to and taken over.
HARMLESS_IS_NOT = {"iam-019": "rights are written into the role, and its trust policy is opened", "iam-021": "the same, with an inline policy"}


def arn(last):
    return f"arn:aws:iam::{NUMBER}:{last}"


def document(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(actions, resource="*"):
    return {"Effect": "Allow", "Action": sorted(actions), "Resource": resource}


def attached(names):
    return [{"PolicyName": n, "PolicyArn": ADMIN if n == "AdministratorAccess" else arn(f"policy/{n}")} for n in names]


def control(name, number, **more):
    """The summary of a service control policy."""
    native = f"arn:aws:organizations::{number}:policy/o-example1234/service_control_policy/p-{name}"
    return {"Id": f"p-{name}", "Arn": native, "Name": name, "Type": "SERVICE_CONTROL_POLICY", "AwsManaged": False} | more


def dumped(path, value):
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


class Export:
    """One `get-account-authorization-details`."""

    def __init__(self):
        self.users, self.roles, self.groups, self.policies = [], [], [], []
        self.policy("AdministratorAccess", document(allow(["*"])), ADMIN)

    def policy(self, name, text, native=None):
        version = {"VersionId": "v1", "IsDefaultVersion": True, "Document": text}
        self.policies.append({"PolicyName": name, "Arn": native or arn(f"policy/{name}"), "DefaultVersionId": "v1", "PolicyVersionList": [version]})

    def user(self, name, managed=(), groups=(), inline=(), boundary=None):
        row = {"UserName": name, "Arn": arn(f"user/{name}"), "GroupList": list(groups), "AttachedManagedPolicies": attached(managed)}
        row["UserPolicyList"] = [{"PolicyName": n, "PolicyDocument": d} for n, d in inline]
        if boundary:
            row["PermissionsBoundary"] = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn(f"policy/{boundary}")}
        self.users.append(row)

    def role(self, name, managed=(), trusts=(), inline=(), boundary=None):
        trust = [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": p} for p in trusts]
        row = {"RoleName": name, "Arn": arn(f"role/{name}"), "AssumeRolePolicyDocument": document(*trust), "AttachedManagedPolicies": attached(managed)}
        row["RolePolicyList"] = [{"PolicyName": n, "PolicyDocument": d} for n, d in inline]
        if boundary:
            row["PermissionsBoundary"] = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn(f"policy/{boundary}")}
        self.roles.append(row)

    def group(self, name, managed=()):
        self.groups.append({"GroupName": name, "Arn": arn(f"group/{name}"), "GroupPolicyList": [], "AttachedManagedPolicies": attached(managed)})

    def principal(self, name, as_role, actions, resource="*", deny=None, boundary=None):
        """Somebody with exactly these permissions, in a managed policy of its own."""
        self.policy(name, document(allow(actions, resource)))
        inline = [("no", document({"Effect": "Deny", "Action": deny, "Resource": "*"}))] if deny else []
        if as_role:
            self.role(name, [name], [{"Service": "lambda.amazonaws.com"}], inline, boundary)
        else:
            self.user(name, [name], ["own"], inline, boundary)

    def organization(self, folder, unit):
        """The answers of AWS Organizations: the account in a unit with these policies, and `FullAWSAccess` everywhere else."""
        level = {NUMBER: "ou-ab12-11111111", "ou-ab12-11111111": "r-ab12"}
        for n, (child, parent) in enumerate(level.items()):
            yield dumped(folder / f"parents-{n}.json", {"Parents": [{"Id": parent}], "ChildId": child})
        full = control("FullAWSAccess", "aws", AwsManaged=True)
        own = [control(f"unit{n}", "999900001111") for n in range(len(unit))]
        for n, (target, policies) in enumerate({NUMBER: [full], "ou-ab12-11111111": own, "r-ab12": [full]}.items()):
            yield dumped(folder / f"scp-{n}.json", {"Policies": policies, "TargetId": target})
        for summary, text in zip(own, unit):
            yield dumped(folder / f"{summary['Id']}.json", {"Policy": {"PolicySummary": summary, "Content": json.dumps(text)}})

    def write(self, path):
        text = {"UserDetailList": self.users, "GroupDetailList": self.groups, "RoleDetailList": self.roles, "Policies": self.policies}
        path.write_text(json.dumps(text), encoding="utf-8")
        return path


def run(command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def audited(options, name, exports):
    """`{system: {login: rows of principal_risk}}` of exports, each of one file or several, audited together."""
    store = options.work / name
    for system, file in exports.items():
        run([options.holdover, "import", "--store", store, "--connector", "aws-iam", "--system", system, "--taken-at", TAKEN_AT, *(file if isinstance(file, list) else [file])])
    run([options.holdover, "audit", "--store", store, "--as-of", TAKEN_AT])
    (folder,) = (store / "runs").iterdir()
    snapshots = json.loads((folder / "run.json").read_text(encoding="utf-8"))["snapshots"]
    query = "SELECT a.login, r.* EXCLUDE (system_ix) FROM read_parquet(?) r JOIN read_parquet(?) a USING (account_ix) WHERE r.system_ix = ? ORDER BY a.login, r.rank"
    found = {}
    for ix, snapshot in enumerate(snapshots):
        accounts = store / "snapshots" / snapshot["system"] / snapshot["snapshot"] / "accounts.parquet"
        cursor = duckdb.connect().execute(query, [str(folder / "principal_risk.parquet"), str(accounts), ix])
        columns = [c[0] for c in cursor.description]
        by_login = found.setdefault(snapshot["system"], {})
        for values in cursor.fetchall():
            row = dict(zip(columns, values))
            by_login.setdefault(row["login"], []).append(row)
    return found


def best(rows):
    """The verdict on a principal's escalation, and the method behind it."""
    ways = [r for r in rows if r["risk"] == "privilege-escalation"]
    return (ways[0]["verdict"], ways[0]["method"]) if ways else ("none", None)


def reached(verdict):
    return verdict in ("certain", "possible")


def holds(paths, actions):
    """Whether some path's permissions are all among these."""
    return any(set(p["needs"]) <= set(actions) for p in paths)


# ---- the paths ---------------------------------------------------------------------------------------------------------


def read_paths(options):
    with open(options.data / "ground-truth/aws-privesc-pathfinding-cloud/INDEX.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [{"id": r["id"], "category": r["category"], "needs": r["required_permissions"].split(" + ")} for r in rows]


def surroundings(export):
    """Whom the paths lead over: administrators of every kind, and roles and groups to write to."""
    export.user("boss", ["AdministratorAccess"])
    export.group("admins", ["AdministratorAccess"])
    export.group("own")
    export.role("admin", ["AdministratorAccess"], [{"Service": sorted(ASSUMED_BY.values())}, {"AWS": arn("root")}])
    export.role("plain", [], [{"AWS": arn("root")}])
    export.role("harmless", [], [{"Service": sorted(ASSUMED_BY.values())}])
    export.policy("fence", document(allow(["s3:*"])))
    return export


def measure(options, paths):
    export, cases = surroundings(Export()), []
    for path in paths:
        as_role, needs = path["id"] in AS_A_ROLE, path["needs"]
        add = lambda kind, name, actions, truth, **more: (
            export.principal(name, as_role, actions, **more),
            cases.append({"kind": kind, "path": path["id"], "login": name, "truth": truth, "less": more.get("deny")}),
        )
        add("exact", f"p-{path['id']}", needs, True)
        add("boundary", f"b-{path['id']}", needs, False, boundary="fence")
        add("harmless", f"h-{path['id']}", needs, path["id"] in HARMLESS_IS_NOT, resource=arn("role/harmless"))
        for n, less in enumerate(needs):
            left = [a for a in needs if a != less]
            truth = holds(paths, left)
            add("denied", f"d-{path['id']}-{n}", needs, truth, deny=less)
            if left:
                add("without", f"n-{path['id']}-{n}", left, truth)
                cases[-1]["less"] = less
    rows = audited(options, "paths", {"paths": export.write(options.work / "paths.json")})["paths"]
    for case in cases:
        case["verdict"], case["method"] = best(rows.get(case["login"], []))
    return cases


def alone(options, paths):
    """The same principals, each in an account without anybody to lead over."""
    files = {}
    for path in paths:
        export = Export()
        export.group("own")
        export.principal("start", path["id"] in AS_A_ROLE, path["needs"])
        system = path["id"]
        files[system] = export.write(options.work / f"alone-{system}.json")
    return {system: best(rows.get("start", []))[0] for system, rows in audited(options, "alone", files).items()}


def controlled(options, paths):
    """The same principals with somebody to lead over, in accounts of an organisation whose unit holds them to something."""
    everything = document(allow(["*"]))
    units = [("open", None, [everything]), ("fence", None, [document(allow(["s3:*"]))])]
    for action in sorted({a for p in paths for a in p["needs"]}):
        units.append(("blocked", action, [everything, document({"Effect": "Deny", "Action": action, "Resource": "*"})]))
    cases, files = [], {}
    for n, (kind, less, unit) in enumerate(units):
        export, system = surroundings(Export()), f"unit-{n}"
        for path in (p for p in paths if less is None or less in p["needs"]):
            export.principal(path["id"], path["id"] in AS_A_ROLE, path["needs"])
            truth = kind != "fence" and holds(paths, [a for a in path["needs"] if a != less])
            cases.append({"kind": kind, "path": path["id"], "login": path["id"], "truth": truth, "less": less, "system": system})
        folder = options.work / system
        folder.mkdir()
        files[system] = [export.write(folder / "gaad.json"), *export.organization(folder, unit)]
    rows = audited(options, "controlled", files)
    for case in cases:
        case["verdict"], case["method"] = best(rows[case["system"]].get(case["login"], []))
    return cases


# ---- Cloudsplaining ----------------------------------------------------------------------------------------------------

KINDS = {
    "PrivilegeEscalation": "privilege-escalation", "DataExfiltration": "data-exfiltration", "ResourceExposure": "resource-exposure",
    "CredentialsExposure": "credential-access", "ServiceWildcard": "service-wildcard", "InfrastructureModification": "infrastructure-modification",
}  # fmt: skip


# Why a risk of a policy is named by one of the two only.
MORE = {
    ("AWSCodeCommitFullAccess", "data-exfiltration"): "`codecommit:GitPull` and `codecommit:GetFile` copy source code out",
    ("AWSCodeCommitPowerUser", "data-exfiltration"): "`codecommit:GitPull` and `codecommit:GetFile` copy source code out",
    ("AmazonEC2FullAccess", "credential-access"): "`ec2:GetPasswordData` gives a machine's administrator password",
    ("AmazonEC2FullAccess", "data-exfiltration"): "`ec2:ModifySnapshotAttribute` shares a disk with another account",
    ("AmazonEC2FullAccess", "privilege-escalation"): "launch templates and user data change what a machine runs as its role: paths ec2-002 and ec2-004",
    ("AmazonRDSFullAccess", "data-exfiltration"): "`rds:CopyDBSnapshot` and `rds:ModifyDBSnapshotAttribute` copy and share a database",
    ("AmazonSESFullAccess", "resource-exposure"): "`ses:PutIdentityPolicy` lets other accounts send mail",
    ("PowerUserAccess", "service-wildcard"): "`NotAction` gives whole services",
}
FEWER = {
    ("AmazonS3ReadOnlyAccess", "infrastructure-modification"): "the one action behind it is `s3:GetObject`, which reads",
}


def cloudsplaining(options):
    folder = options.data / "aws/cloudsplaining"
    store = options.work / "cs"
    run([options.holdover, "import", "--store", store, "--connector", "aws-iam", "--system", "cs", "--taken-at", TAKEN_AT, folder / "example-authz-details.json"])
    (table,) = store.glob("snapshots/cs/*/entitlements.parquet")
    ours = {}
    for name, risks in duckdb.connect().execute("SELECT name, risks FROM read_parquet(?)", [str(table)]).fetchall():
        ours.setdefault(name, set()).update((risks or "").split(",") if risks else [])
    results = json.loads((folder / "iam-results-example.json").read_text(encoding="utf-8"))
    theirs = {}
    for part in ("aws_managed_policies", "customer_managed_policies", "inline_policies"):
        for policy in results[part].values():
            found = theirs.setdefault(policy["PolicyName"], set())
            for key, risk in KINDS.items():
                value = policy[key]["findings"] if isinstance(policy[key], dict) else policy[key]
                if value:
                    found.add(risk)
    return ours, theirs


# ---- the page ----------------------------------------------------------------------------------------------------------


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def code(text):
    return f"`{text}`"


def judged(cases):
    """Counts of right and wrong answers, and every wrong one that nothing here explains."""
    counts = {"tp": 0, "fp": 0, "fn": 0, "tn": 0}
    unexplained = []
    for case in cases:
        found = reached(case["verdict"])
        counts[{(True, True): "tp", (False, True): "fp", (True, False): "fn", (False, False): "tn"}[(case["truth"], found)]] += 1
        if found != case["truth"] and (case["path"], case["less"]) not in NOT_NEEDED:
            unexplained.append(f"{case['login']}: {case['verdict']}")
    return counts, unexplained


def ratio(part, rest):
    return f"{part / (part + rest):.3f} ({part} of {part + rest})"


def paths_section(paths, cases, lonely):
    exact = {c["path"]: c for c in cases if c["kind"] == "exact"}
    rows = []
    for path in paths:
        case = exact[path["id"]]
        rows.append([path["id"], ", ".join(map(code, path["needs"])), case["verdict"], code(case["method"]), lonely[path["id"]], NOT_SHOWN[path["category"]]])
    head = ["path", "permissions", "with somebody to lead over", "method", "alone", "decides, and no IAM export shows it"]
    return table(head, rows)


def scores_section(cases):
    about = {
        "exact": "exactly the permissions of a path",
        "without": "one of them missing",
        "denied": "all of them, one denied by another policy",
        "boundary": "all of them, within a boundary that allows `s3:*` only",
        "harmless": "all of them, on one role without rights",
        "open": "all of them, in a unit whose service control policy allows everything",
        "blocked": "all of them, one denied by a service control policy of the unit",
        "fence": "all of them, in a unit whose service control policy allows `s3:*` only",
    }
    rows = []
    for kind, text in about.items():
        some = [c for c in cases if c["kind"] == kind]
        counts, _ = judged(some)
        rows.append([text, str(len(some)), str(counts["tp"] + counts["fn"]), str(counts["tp"]), str(counts["fp"]), str(counts["fn"])])
    return table(["principals with", "number", "lead further", "found", "found wrongly", "missed"], rows)


def cloudsplaining_section(ours, theirs):
    shared, unexplained, differences = sorted(set(ours) & set(theirs)), [], []
    rows = []
    for risk in KINDS.values():
        both = sum(risk in ours[n] and risk in theirs[n] for n in shared)
        rows.append([risk, str(sum(risk in theirs[n] for n in shared)), str(sum(risk in ours[n] for n in shared)), str(both)])
    for name in shared:
        for side, reasons, found in (("holdover", MORE, ours[name] - theirs[name]), ("Cloudsplaining", FEWER, theirs[name] - ours[name])):
            for risk in sorted(found):
                why = reasons.get((name, risk))
                if not why:
                    unexplained.append(f"{name}: {risk} by {side} only")
                differences.append([name, risk, side, why or "?"])
    compared = table(["risk", "Cloudsplaining", "holdover", "both"], rows)
    differ = table(["policy", "risk", "named by", "because"], differences)
    absent = ", ".join(map(code, sorted(set(theirs) - set(ours))))
    return len(shared), compared, differ, absent, unexplained


def page(paths, cases, lonely, ours, theirs):
    counts, wrong = judged(cases)
    wrong += [f"{c['login']}: {c['verdict']}, not certain" for c in cases if c["kind"] == "exact" and c["verdict"] != "certain"]
    wrong += [f"{path} alone: none" for path, verdict in lonely.items() if verdict == "none"]
    shared, compared, differ, absent, unexplained = cloudsplaining_section(ours, theirs)
    exceptions = "\n".join(f"- {path}, `{less}` taken away: {why}." for (path, less), why in NOT_NEEDED.items())
    harmless = "\n".join(f"- {path}: {why}." for path, why in HARMLESS_IS_NOT.items())
    text = f"""# Accuracy

How well the escalation of AWS principals is seen. `benches/accuracy.py` measures it with the binary and writes this page;
every change is held to it.

## {len(paths)} known paths

[pathfinding.cloud](https://pathfinding.cloud) lists the permissions that each path of escalation needs. For every path an
account is made up with somebody who has exactly these, and with whom the path leads over: administrators that every
service may assume, that trust the account, whose keys can be made, and a group of them. *Alone* is the same somebody in an account
where nobody holds more: what is open there and leads to nobody is *latent*, and no finding.

{paths_section(paths, cases, lonely)}

A path that another one contains is found by the shorter method (`iam-003` by `iam:CreateAccessKey`, `lambda-004` by
`lambda:UpdateFunctionCode`). Two further methods have no path in this list: `ecs:ExecuteCommand` with `ecs:DescribeTasks`, and
`iam:SetDefaultPolicyVersion`, which is only ever possible, because older versions of a policy are not stored.

## Scores

Found is *certain* or *possible*. Somebody leads further if all permissions of some path are left.

{scores_section(cases)}

Precision {ratio(counts["tp"], counts["fp"])}, recall {ratio(counts["tp"], counts["fn"])}, over {len(cases)} principals.

What counts as found wrongly:

{exceptions}

What leads further although it is held to a role without rights:

{harmless}

Service control policies count where they are given, with the levels from the root to the account. Without them nothing is taken away: a
method is then *certain* by the account's own policies. Not measured, because no IAM export holds it: resource policies, session
policies, and what the last column of the first table names.

## Cloudsplaining

[Cloudsplaining](https://github.com/salesforce/cloudsplaining) judges single policies. Its example export and its published
results for it share {shared} policies; the results speak of {absent}, too, which the export does not hold under these names. Policies by risk:

{compared}

Every difference:

{differ}

What single policies cannot show is left out here: methods spread over several policies, Deny in another policy, boundaries, and
roles that lead over roles.
"""
    return text, wrong + unexplained


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--holdover", required=True, type=Path)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    options.holdover, options.work = options.holdover.resolve(), options.work.resolve() / "accuracy"
    shutil.rmtree(options.work, ignore_errors=True)
    options.work.mkdir(parents=True)
    paths = read_paths(options)
    cases, lonely = measure(options, paths) + controlled(options, paths), alone(options, paths)
    ours, theirs = cloudsplaining(options)
    text, wrong = page(paths, cases, lonely, ours, theirs)
    for line in wrong:
        print(f"FAIL  {line}")
    if options.check and PAGE.read_text(encoding="utf-8") != text:
        wrong.append(PAGE.name)
        print(f"FAIL  {PAGE.name} is not what was measured: run this script without --check")
    if not options.check:
        PAGE.write_text(text, encoding="utf-8")
    print(f"{len(wrong)} failures" if wrong else f"ok    {len(cases)} principals and {len(paths)} paths as the page says")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
