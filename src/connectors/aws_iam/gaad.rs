//! `get-account-authorization-details`: its records, one by one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use super::arn::Arn;
use super::fields::{Fault, Fields};
use crate::connectors::Origin;
use crate::model::{Time, mask};

/// What users, roles and groups have in common.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) origin: Origin,
    pub(super) arn: String,
    /// Immutable id (`AIDA…`).
    pub(super) id: Option<String>,
    pub(super) name: String,
    pub(super) path: Option<String>,
    pub(super) created: Option<Time>,
    pub(super) attached: Vec<Attached>,
    pub(super) inline: Vec<Inline>,
    pub(super) boundary: Option<String>,
    pub(super) tags: Tags,
}

/// An attached managed policy.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) arn: String,
    pub(super) name: Option<String>,
}

/// A policy written into its holder.
#[derive(Debug)]
pub(super) struct Inline {
    pub(super) name: String,
    /// The document as it stands in the file.
    pub(super) document: String,
}

#[derive(Debug)]
pub(super) struct User {
    pub(super) holder: Holder,
    /// Names of groups.
    pub(super) groups: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Role {
    pub(super) holder: Holder,
    /// The trust policy as it stands in the file.
    pub(super) trust: Option<String>,
    pub(super) last_used: RoleUse,
    pub(super) profiles: Vec<String>,
    pub(super) max_session: Option<u64>,
}

/// `RoleLastUsed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RoleUse {
    /// The export does not say.
    Unknown,
    /// `{}`: not in the 400 days that AWS tracks.
    NotTracked,
    At(Time),
}

#[derive(Debug)]
pub(super) struct Policy {
    pub(super) origin: Origin,
    pub(super) arn: String,
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) path: Option<String>,
    pub(super) version: Option<String>,
    /// The default version's document as it stands in the file.
    pub(super) document: Option<String>,
    pub(super) versions: usize,
    pub(super) attachments: Option<u64>,
    pub(super) description: Option<String>,
    pub(super) updated: Option<Time>,
}

/// Every record of every page.
#[derive(Debug, Default)]
pub(super) struct Gaad {
    pub(super) users: Vec<User>,
    pub(super) groups: Vec<Holder>,
    pub(super) roles: Vec<Role>,
    pub(super) policies: Vec<Policy>,
    seen: BTreeSet<String>,
}

impl Gaad {
    /// Takes the name of a new record.
    ///
    /// # Errors
    /// The ARN is none of IAM's, or another record had it before.
    fn take(&mut self, arn: &str) -> Result<(), Fault> {
        if Arn::of(arn).is_none_or(|a| a.service != "iam") {
            return Err(Fault::new("aws-iam/bad-arn", "`Arn` is not the ARN of an IAM resource", "export it again, unedited"));
        }
        if !self.seen.insert(arn.to_owned()) {
            let help = "give each page once; two exports of one account are two imports";
            return Err(Fault::new("aws-iam/duplicate", "an earlier record has the same ARN", help));
        }
        Ok(())
    }

    /// Reads one user.
    ///
    /// # Errors
    /// A field is missing or not what AWS writes, or the user is there already.
    pub(super) fn user(&mut self, raw: &str, origin: Origin, zone: Option<&TimeZone>) -> Result<(), Fault> {
        let fields = Fields::of(raw)?;
        let user = User { holder: holder(&fields, "User", origin, zone)?, groups: fields.texts("GroupList")? };
        self.take(&user.holder.arn)?;
        self.users.push(user);
        Ok(())
    }

    /// Reads one group.
    ///
    /// # Errors
    /// As [`Gaad::user`].
    pub(super) fn group(&mut self, raw: &str, origin: Origin, zone: Option<&TimeZone>) -> Result<(), Fault> {
        let group = holder(&Fields::of(raw)?, "Group", origin, zone)?;
        self.take(&group.arn)?;
        self.groups.push(group);
        Ok(())
    }

    /// Reads one role.
    ///
    /// # Errors
    /// As [`Gaad::user`].
    pub(super) fn role(&mut self, raw: &str, origin: Origin, zone: Option<&TimeZone>) -> Result<(), Fault> {
        let fields = Fields::of(raw)?;
        let profiles = fields.list("InstanceProfileList")?;
        let role = Role {
            holder: holder(&fields, "Role", origin, zone)?,
            trust: fields.raw("AssumeRolePolicyDocument").map(str::to_owned),
            last_used: role_use(&fields, zone)?,
            profiles: profiles.into_iter().map(|p| Fields::of(p)?.required("InstanceProfileName")).collect::<Result<_, _>>()?,
            max_session: fields.count("MaxSessionDuration")?,
        };
        self.take(&role.holder.arn)?;
        self.roles.push(role);
        Ok(())
    }

    /// Reads one managed policy.
    ///
    /// # Errors
    /// As [`Gaad::user`].
    pub(super) fn policy(&mut self, raw: &str, origin: Origin, zone: Option<&TimeZone>) -> Result<(), Fault> {
        let fields = Fields::of(raw)?;
        let version = fields.text("DefaultVersionId")?;
        let versions = fields.list("PolicyVersionList")?;
        let policy = Policy {
            origin,
            arn: fields.required("Arn")?,
            id: fields.text("PolicyId")?,
            name: fields.text("PolicyName")?,
            path: fields.text("Path")?,
            document: default_document(&versions, version.as_deref())?,
            version,
            versions: versions.len(),
            attachments: fields.count("AttachmentCount")?,
            description: fields.text("Description")?.map(|d| mask::free_text(&d)),
            updated: fields.time("UpdateDate", zone)?,
        };
        self.take(&policy.arn)?;
        self.policies.push(policy);
        Ok(())
    }
}

/// The document of the version that counts: the one marked default, else the one that the policy names.
fn default_document(versions: &[&str], default: Option<&str>) -> Result<Option<String>, Fault> {
    let mut named = None;
    for raw in versions {
        let fields = Fields::of(raw)?;
        let document = fields.raw("Document").map(str::to_owned);
        if fields.flag("IsDefaultVersion")? == Some(true) {
            return Ok(document);
        }
        if default.is_some() && fields.text("VersionId")?.as_deref() == default {
            named = document;
        }
    }
    Ok(named)
}

fn holder(fields: &Fields<'_>, prefix: &str, origin: Origin, zone: Option<&TimeZone>) -> Result<Holder, Fault> {
    let boundary = fields.raw("PermissionsBoundary").map(Fields::of).transpose()?;
    Ok(Holder {
        origin,
        arn: fields.required("Arn")?,
        id: fields.text(&format!("{prefix}Id"))?,
        name: fields.required(&format!("{prefix}Name"))?,
        path: fields.text("Path")?,
        created: fields.time("CreateDate", zone)?,
        attached: fields.list("AttachedManagedPolicies")?.into_iter().map(attached).collect::<Result<_, _>>()?,
        inline: fields.list(&format!("{prefix}PolicyList"))?.into_iter().map(inline).collect::<Result<_, _>>()?,
        boundary: boundary.map(|b| b.text("PermissionsBoundaryArn")).transpose()?.flatten(),
        tags: Tags::of(fields)?,
    })
}

fn attached(raw: &str) -> Result<Attached, Fault> {
    let fields = Fields::of(raw)?;
    Ok(Attached { arn: fields.required("PolicyArn")?, name: fields.text("PolicyName")? })
}

fn inline(raw: &str) -> Result<Inline, Fault> {
    let fields = Fields::of(raw)?;
    Ok(Inline { name: fields.required("PolicyName")?, document: fields.raw("PolicyDocument").unwrap_or("null").to_owned() })
}

fn role_use(fields: &Fields<'_>, zone: Option<&TimeZone>) -> Result<RoleUse, Fault> {
    let Some(raw) = fields.raw("RoleLastUsed") else { return Ok(RoleUse::Unknown) };
    Ok(Fields::of(raw)?.time("LastUsedDate", zone)?.map_or(RoleUse::NotTracked, RoleUse::At))
}

/// The tags that are kept, by what they mean. The list is on the connector's page; other tags are dropped and counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tags {
    pub(super) owner: Option<String>,
    pub(super) email: Option<String>,
    pub(super) employee: Option<String>,
    pub(super) environment: Option<String>,
    pub(super) others: BTreeMap<&'static str, String>,
    pub(super) dropped: u64,
}

/// Tag names, folded, in order of preference, and the attribute that they fill.
const TAGS: &[(&str, &str)] = &[
    ("owner", "owner"),
    ("ownedby", "owner"),
    ("owneremail", "owner"),
    ("responsible", "owner"),
    ("contact", "owner"),
    ("email", "email"),
    ("emailaddress", "email"),
    ("mail", "email"),
    ("useremail", "email"),
    ("employeeid", "employee"),
    ("employeenumber", "employee"),
    ("employeeno", "employee"),
    ("employee", "employee"),
    ("personnelnumber", "employee"),
    ("workerid", "employee"),
    ("environment", "environment"),
    ("env", "environment"),
    ("stage", "environment"),
    ("team", "team"),
    ("department", "department"),
    ("costcenter", "cost_center"),
    ("costcentre", "cost_center"),
    ("application", "application"),
    ("app", "application"),
    ("service", "service"),
    ("project", "project"),
    ("businessunit", "business_unit"),
    ("managedby", "managed_by"),
    ("createdby", "created_by"),
];

impl Tags {
    /// Reads `Tags`.
    ///
    /// # Errors
    /// It is not a list of keys and values.
    pub(super) fn of(fields: &Fields<'_>) -> Result<Self, Fault> {
        let mut ranked: BTreeMap<&'static str, (usize, String)> = BTreeMap::new();
        let mut tags = Self::default();
        for raw in fields.list("Tags")? {
            let tag = Fields::of(raw)?;
            let (key, Some(value)) = (tag.required("Key")?, tag.text("Value")?) else { continue };
            let Some((rank, (_, field))) = TAGS.iter().enumerate().find(|(_, (name, _))| *name == folded(&key)) else {
                tags.dropped += 1;
                continue;
            };
            let better = ranked.get(field).is_none_or(|(other, _)| rank < *other);
            if better {
                ranked.insert(field, (rank, mask::free_text(&value)));
            }
        }
        for (field, (_, value)) in ranked {
            match field {
                "owner" => tags.owner = Some(value),
                "email" => tags.email = Some(value),
                "employee" => tags.employee = Some(value),
                "environment" => tags.environment = Some(value),
                other => {
                    tags.others.insert(other, value);
                }
            }
        }
        Ok(tags)
    }
}

/// A tag's name without its namespace (`acme:Cost-Center` → `costcenter`).
fn folded(key: &str) -> String {
    let last = key.rsplit([':', '/']).next().unwrap_or_default();
    last.chars().filter(|c| !matches!(c, '-' | '_' | ' ' | '.')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_an_allow_list() {
        let raw = r#"{"Tags": [{"Key": "Contact", "Value": "c"}, {"Key": "acme:Owner", "Value": "o"}, {"Key": "ownedBy", "Value": "b"},
            {"Key": "Cost-Center", "Value": "42"}, {"Key": "employee_id", "Value": "001"}, {"Key": "note", "Value": "password: Hunter2"},
            {"Key": "team", "Value": "x, password: Hunter2"}, {"Key": "env", "Value": ""}]}"#;
        let tags = Tags::of(&Fields::of(raw).unwrap()).unwrap();
        assert_eq!((tags.owner.as_deref(), tags.employee.as_deref(), tags.environment.as_deref()), (Some("o"), Some("001"), None));
        assert_eq!(tags.others, BTreeMap::from([("cost_center", "42".to_owned()), ("team", "x, password: [masked]".to_owned())]));
        assert_eq!(tags.dropped, 1);
    }

    #[test]
    fn the_default_version_counts() {
        let one = r#"{"VersionId": "v1", "IsDefaultVersion": false, "Document": 1}"#;
        let two = r#"{"VersionId": "v2", "IsDefaultVersion": true, "Document": 2}"#;
        let bare = r#"{"VersionId": "v3", "Document": 3}"#;
        assert_eq!(default_document(&[one, two], Some("v1")).unwrap().as_deref(), Some("2"));
        assert_eq!(default_document(&[one, bare], Some("v3")).unwrap().as_deref(), Some("3"));
        assert_eq!(default_document(&[one], None).unwrap(), None);
    }

    #[test]
    fn a_second_record_of_one_arn_is_refused() {
        let mut gaad = Gaad::default();
        let raw = r#"{"Arn": "arn:aws:iam::111122223333:user/ida", "UserName": "ida"}"#;
        let origin = Origin::record(0, 1);
        assert_eq!(gaad.user(raw, origin, None), Ok(()));
        assert_eq!(gaad.user(raw, origin, None).unwrap_err().code, "aws-iam/duplicate");
        let stray = r#"{"Arn": "arn:aws:s3:::bucket", "UserName": "ida"}"#;
        assert_eq!(gaad.user(stray, origin, None).unwrap_err().code, "aws-iam/bad-arn");
        assert_eq!(gaad.role(raw, origin, None).unwrap_err().message, "`RoleName` is missing");
    }
}
