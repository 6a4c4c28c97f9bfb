"""Exports of a made-up estate in the formats of the vendors, of any size: an AWS account, a Windows domain, a list of accounts.

Every record follows from its number, so that a file is the same on every machine. Records are templates filled in, for a gigabyte
has to be there in a minute.

    python3 native.py FOLDER/gaad.json|FOLDER/ad.ldif|FOLDER/accounts.csv BYTES
"""

import base64
import json
import struct
import sys
from pathlib import Path

NUMBER = "111122223333"
BASE = "DC=corp,DC=example"
GROUPS = 2_000
POLICIES = 400


def spread(n, among, salt):
    """A number below `among` that looks drawn."""
    return ((n + salt * 97_003) * 2_654_435_761 % 4_294_967_296 >> 7) % among


def template(record):
    """A record as the AWS command line prints it, one of a list, with `%(name)s` where the text differs."""
    lines = json.dumps(record, indent=4).splitlines()
    return "\n".join(" " * 8 + line for line in lines)


def document(*actions):
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "arn:aws:s3:::data-%(bucket)s/*"}]}


USER = template(
    {
        "Path": "/",
        "UserName": "user-%(n)s",
        "UserId": "AIDA%(id)s",
        "Arn": f"arn:aws:iam::{NUMBER}:user/user-%(n)s",
        "CreateDate": "20%(year)s-03-04T05:06:07+00:00",
        "UserPolicyList": [{"PolicyName": "own", "PolicyDocument": document("s3:GetObject", "s3:ListBucket")}],
        "GroupList": ["group-%(g1)s", "group-%(g2)s"],
        "AttachedManagedPolicies": [{"PolicyName": "policy-%(p)s", "PolicyArn": f"arn:aws:iam::{NUMBER}:policy/policy-%(p)s"}],
        "Tags": [{"Key": "email", "Value": "user%(n)s@corp.example"}],
    }
)
ROLE = template(
    {
        "Path": "/",
        "RoleName": "role-%(n)s",
        "RoleId": "AROA%(id)s",
        "Arn": f"arn:aws:iam::{NUMBER}:role/role-%(n)s",
        "CreateDate": "20%(year)s-03-04T05:06:07+00:00",
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
        },
        "InstanceProfileList": [],
        "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": document("s3:PutObject", "logs:PutLogEvents")}],
        "AttachedManagedPolicies": [{"PolicyName": "policy-%(p)s", "PolicyArn": f"arn:aws:iam::{NUMBER}:policy/policy-%(p)s"}],
        "Tags": [],
        "RoleLastUsed": {"LastUsedDate": "2026-10-%(day)sT00:00:00+00:00", "Region": "eu-central-1"},
    }
)
GROUP = template(
    {
        "Path": "/",
        "GroupName": "group-%(n)s",
        "GroupId": "AGPA%(id)s",
        "Arn": f"arn:aws:iam::{NUMBER}:group/group-%(n)s",
        "CreateDate": "2020-01-01T00:00:00+00:00",
        "GroupPolicyList": [],
        "AttachedManagedPolicies": [{"PolicyName": "policy-%(p)s", "PolicyArn": f"arn:aws:iam::{NUMBER}:policy/policy-%(p)s"}],
    }
)
POLICY = template(
    {
        "PolicyName": "policy-%(n)s",
        "PolicyId": "ANPA%(id)s",
        "Arn": f"arn:aws:iam::{NUMBER}:policy/policy-%(n)s",
        "Path": "/",
        "DefaultVersionId": "v1",
        "AttachmentCount": 1,
        "IsAttachable": True,
        "CreateDate": "2020-01-01T00:00:00+00:00",
        "UpdateDate": "2020-01-01T00:00:00+00:00",
        "PolicyVersionList": [
            {"Document": document("dynamodb:GetItem", "dynamodb:Query"), "VersionId": "v1", "IsDefaultVersion": True, "CreateDate": "2020-01-01T00:00:00+00:00"}
        ],
    }
)


def filled(form, n):
    return form % {
        "n": n, "id": f"{n:017d}", "year": 15 + spread(n, 11, 1), "bucket": spread(n, 5_000, 2), "g1": spread(n, GROUPS, 3),
        "g2": spread(n, GROUPS, 4), "p": spread(n, POLICIES, 5), "day": f"{1 + spread(n, 28, 6):02d}",
    }  # fmt: skip


def gaad(size):
    """The answer of `get-account-authorization-details`."""
    parts = [("UserDetailList", USER, None), ("GroupDetailList", GROUP, GROUPS), ("RoleDetailList", ROLE, None), ("Policies", POLICY, POLICIES)]
    shares = {"UserDetailList": 0.7, "RoleDetailList": 0.3}
    for place, (name, form, count) in enumerate(parts):
        yield ("{\n" if place == 0 else ",\n") + f'    "{name}": [\n'
        count = count or max(int(size * shares[name] / len(filled(form, 10**5))), 1)
        for n in range(count):
            yield filled(form, n) + (",\n" if n + 1 < count else "\n")
        yield "    ]"
    yield "\n}\n"


PERSON = """dn: CN=Person %(n)s,OU=People,{base}
objectClass: top
objectClass: person
objectClass: organizationalPerson
objectClass: user
cn: Person %(n)s
sn: %(n)s
givenName: Person
displayName: Person %(n)s
title: Clerk
department: Department %(g1)s
employeeID: %(id)s
mail: person.%(n)s@corp.example
whenCreated: 20%(year)s0304050607.0Z
whenChanged: 202610%(day)s050607.0Z
objectGUID:: %(guid)s
objectSid:: %(sid)s
sAMAccountName: p%(n)s
userPrincipalName: p%(n)s@corp.example
userAccountControl: 512
primaryGroupID: 513
pwdLastSet: 134099510499585650
accountExpires: 9223372036854775807
lastLogon: 0
lastLogonTimestamp: 134399510499585650
memberOf: CN=Group %(g1)s,OU=Groups,{base}
memberOf: CN=Group %(g2)s,OU=Groups,{base}
distinguishedName: CN=Person %(n)s,OU=People,{base}

""".replace("{base}", BASE)
TEAM = """dn: CN=Group %(n)s,OU=Groups,{base}
objectClass: top
objectClass: group
cn: Group %(n)s
whenCreated: 20200101000000.0Z
objectGUID:: %(guid)s
objectSid:: %(sid)s
sAMAccountName: Group %(n)s
groupType: -2147483646
%(members)sdistinguishedName: CN=Group %(n)s,OU=Groups,{base}

""".replace("{base}", BASE)


def marks(n, kind):
    """GUID and SID of an object, in base64."""
    guid = struct.pack("<IHHQ", n, kind, 0x4000, 0x80 + n)
    sid = bytes([1, 5, 0, 0, 0, 0, 0, 5]) + struct.pack("<5I", 21, 111, 222, 333, 1_000_000 * kind + 2_000 + n)
    return {"guid": base64.b64encode(guid).decode(), "sid": base64.b64encode(sid).decode()}


def ldif(size):
    """A domain as `ldapsearch -LLL` prints it: people first, then groups with their members."""
    one = lambda n, of: {"n": n, "id": f"{n:08d}", "year": 15 + spread(n, 11, 1), "day": f"{1 + spread(n, 28, 6):02d}", **of, **marks(n, 1)}
    member = f"member: CN=Person %d,OU=People,{BASE}\n"
    of = {"g1": 1_000, "g2": 1_000}
    people = max(int(size / (len(PERSON % one(10**5, of)) + 2 * len(member % 10**5))), 1)
    members = [[] for _ in range(GROUPS)]
    for n in range(people):
        first = spread(n, GROUPS, 3)
        second = (first + 1 + spread(n, GROUPS - 1, 4)) % GROUPS
        for group in (first, second):
            members[group].append(n)
        yield PERSON % one(n, {"g1": first, "g2": second})
    for n, own in enumerate(members):
        yield TEAM % {"n": n, "members": "".join(member % m for m in own), **marks(n, 2)}


def accounts(size):
    """An application's accounts with their rights, as CSV."""
    yield "native_id,login,display_name,email,status,created_at,last_used_at,rights\n"
    row = 0
    for n in range(10**9):
        rights = ";".join(f"right-{spread(n, 500, salt)}" for salt in range(3))
        text = f"id-{n:09d},p{n},Person {n},person.{n}@corp.example,{'disabled' if n % 20 == 0 else 'active'},2021-03-04,2026-10-{1 + n % 28:02d},{rights}\n"
        row += len(text)
        yield text
        if row >= size:
            return


RECORDS = {"gaad.json": gaad, "ad.ldif": ldif, "accounts.csv": accounts}

if __name__ == "__main__":
    target, size = Path(sys.argv[1]), int(sys.argv[2])
    with target.open("w", encoding="utf-8", newline="\n") as out:
        out.writelines(RECORDS[target.name](size))
