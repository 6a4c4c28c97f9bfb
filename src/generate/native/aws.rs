//! `aws iam get-account-authorization-details`: users in groups, managed policies attached to both, roles that a service may assume.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Held, Rows, Walk};
use crate::generate::accounts::Whose;
use crate::generate::clock;
use crate::generate::dice::{Key, Zipf};
use crate::model::Time;

const ACCOUNT: &str = "111122223333";
/// Users for one role.
const USERS_OF_ROLE: u64 = 50;

pub fn write(walk: &Walk<'_>, to: &mut dyn Write) -> io::Result<Rows> {
    let (system, seed) = (walk.system, walk.estate.size.seed);
    let mut rows = Rows::default();
    let mut list = List::open(to, "{\n    \"UserDetailList\": [")?;
    walk.each(|held| {
        let mut policies: Vec<u32> = held.rights.iter().map(|(entitlement, _)| *entitlement).collect();
        policies.dedup();
        rows.accounts += 1;
        rows.memberships += held.groups.len() as u64;
        rows.grants += policies.len() as u64;
        list.put(&user(walk, &held, &policies))
    })?;
    list.next("GroupDetailList")?;
    let ranks = Zipf::new(system.entitlements);
    for group in 0..system.groups {
        let mut policies: Vec<u32> = system.rights_of(seed, group, &ranks).iter().map(|(entitlement, _)| *entitlement).collect();
        policies.dedup();
        rows.groups += 1;
        rows.grants += policies.len() as u64;
        list.put(&self::group(walk, group, &policies))?;
    }
    list.next("RoleDetailList")?;
    for role in 0..system.accounts / USERS_OF_ROLE {
        let policy = Key::new(seed, "policies-of-roles", 0).dice(role).below(u64::from(system.entitlements)) as u32;
        // A role is an account and a group; that a service may assume it is a membership.
        rows.accounts += 1;
        rows.groups += 1;
        rows.memberships += 1;
        rows.grants += 1;
        list.put(&self::role(walk, role, policy))?;
    }
    list.next("Policies")?;
    for entitlement in 0..=system.entitlements {
        list.put(&policy(walk, entitlement))?;
    }
    list.close()?;
    Ok(rows)
}

/// A list in the one object, its elements printed as the CLI prints them.
struct List<'w> {
    to: &'w mut dyn Write,
    empty: bool,
    text: Vec<u8>,
}

impl<'w> List<'w> {
    fn open(to: &'w mut dyn Write, head: &str) -> io::Result<Self> {
        to.write_all(head.as_bytes())?;
        Ok(Self { to, empty: true, text: Vec::new() })
    }

    fn put(&mut self, value: &Value) -> io::Result<()> {
        self.text.clear();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut self.text, formatter))?;
        self.to.write_all(if self.empty { b"\n" } else { b",\n" })?;
        self.empty = false;
        for (i, line) in self.text.split(|b| *b == b'\n').enumerate() {
            self.to.write_all(if i == 0 { b"        " } else { b"\n        " })?;
            self.to.write_all(line)?;
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.to.write_all(if self.empty { b"]" } else { b"\n    ]" })
    }

    fn next(&mut self, name: &str) -> io::Result<()> {
        self.end()?;
        self.empty = true;
        write!(self.to, ",\n    \"{name}\": [")
    }

    fn close(mut self) -> io::Result<()> {
        self.end()?;
        self.to.write_all(b"\n}\n")
    }
}

fn offset_iso(at: Time) -> String {
    at.to_string().replace('Z', "+00:00")
}

/// A unique id with its prefix.
fn unique_id(walk: &Walk<'_>, prefix: &str, number: u64) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut dice = Key::new(walk.estate.size.seed, prefix, 0).dice(number);
    let mut id = prefix.to_owned();
    id.extend((0..17).filter_map(|_| LETTERS.get(dice.below(32) as usize).map(|b| char::from(*b))));
    id
}

fn arn(what: &str, name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:{what}/{name}")
}

fn policy_name(entitlement: u32) -> String {
    format!("policy-{entitlement:05}")
}

fn attached(policies: &[u32]) -> Value {
    let one = |e: &u32| json!({ "PolicyName": policy_name(*e), "PolicyArn": arn("policy", &policy_name(*e)) });
    policies.iter().map(one).collect()
}

fn user(walk: &Walk<'_>, held: &Held<'_>, policies: &[u32]) -> Value {
    let (account, name) = (&held.account, walk.name(held));
    let mut detail = Map::new();
    detail.insert("Path".into(), "/".into());
    detail.insert("UserName".into(), name.as_str().into());
    detail.insert("UserId".into(), unique_id(walk, "AIDA", account.number).into());
    detail.insert("Arn".into(), arn("user", &name).into());
    detail.insert("CreateDate".into(), offset_iso(account.created_at(walk.estate)).into());
    detail.insert("GroupList".into(), held.groups.iter().map(|g| walk.system.group_id(*g as u32)).collect());
    detail.insert("AttachedManagedPolicies".into(), attached(policies));
    if let (Whose::Person(_), false) = (account.whose, held.spelt.employee.is_empty()) {
        detail.insert("Tags".into(), json!([{ "Key": "employee_id", "Value": held.spelt.employee }]));
    }
    Value::Object(detail)
}

fn group(walk: &Walk<'_>, group: u32, policies: &[u32]) -> Value {
    let name = walk.system.group_id(group);
    json!({
        "Path": "/",
        "GroupName": name,
        "GroupId": unique_id(walk, "AGPA", u64::from(group)),
        "Arn": arn("group", &name),
        "CreateDate": offset_iso(clock::days_before(3_000)),
        "GroupPolicyList": [],
        "AttachedManagedPolicies": attached(policies),
    })
}

fn role(walk: &Walk<'_>, role: u64, policy: u32) -> Value {
    let name = format!("task-{role:06}");
    json!({
        "Path": "/",
        "RoleName": name,
        "RoleId": unique_id(walk, "AROA", role),
        "Arn": arn("role", &name),
        "CreateDate": offset_iso(clock::days_before(900)),
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Principal": { "Service": "ecs-tasks.amazonaws.com" }, "Action": "sts:AssumeRole" }],
        },
        "InstanceProfileList": [],
        "RolePolicyList": [],
        "AttachedManagedPolicies": attached(&[policy]),
        "Tags": [],
        "RoleLastUsed": { "LastUsedDate": offset_iso(clock::days_before(1 + (role % 30) as i64)), "Region": "eu-central-1" },
    })
}

fn policy(walk: &Walk<'_>, entitlement: u32) -> Value {
    let (name, made) = (policy_name(entitlement), offset_iso(clock::days_before(2_900)));
    let actions = match entitlement % 4 {
        _ if entitlement == walk.system.policy_right() => json!(["*"]),
        0 => json!(["s3:GetObject", "s3:PutObject", "s3:ListBucket"]),
        1 => json!(["ec2:Describe*", "cloudwatch:Get*", "logs:Describe*"]),
        2 => json!(["sqs:SendMessage", "sqs:ReceiveMessage", "sns:Publish"]),
        _ => json!(["dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem"]),
    };
    let resource = match entitlement % 3 {
        0 => format!("arn:aws:s3:::corp-example-{entitlement}/*"),
        _ => "*".to_owned(),
    };
    let document = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": resource }] });
    json!({
        "PolicyName": name,
        "PolicyId": unique_id(walk, "ANPA", u64::from(entitlement)),
        "Arn": arn("policy", &name),
        "Path": "/",
        "DefaultVersionId": "v1",
        "AttachmentCount": 1,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": true,
        "CreateDate": made,
        "UpdateDate": made,
        "PolicyVersionList": [{ "Document": document, "VersionId": "v1", "IsDefaultVersion": true, "CreateDate": made }],
    })
}
