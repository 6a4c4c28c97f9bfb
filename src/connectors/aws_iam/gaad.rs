//! `get-account-authorization-details`: its records, one by one.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{BuildHasher, RandomState};

use jiff::tz::TimeZone;

use super::arn::Arn;
use super::fields::{Fault, Fields};
use super::policy::{self, Document, Judgement, Kind};
use crate::connectors::{DraftChild, Origin, Pile, Scratch};
use crate::model::pack::{self, Pack};
use crate::model::{Label, Level, StatementRow, Time, Word as _, mask};
use crate::policy::risks::Risk;

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
    pub(super) judged: Judged,
}

/// What a policy's document comes to.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) judgement: Judgement,
    /// Why it is not known as a whole.
    pub(super) trouble: Option<&'static str>,
    statements: Vec<StatementRow>,
}

/// Why a document may not be known as a whole.
const TROUBLES: [&str; 3] = ["partly unreadable", "unreadable", "not in the export"];

impl Judged {
    /// Reads and judges a document, which may be missing.
    fn of(document: Option<&str>) -> Self {
        let [partly, unreadable, missing] = TROUBLES;
        let read = document.map(|d| Document::read(d, Kind::Identity));
        let (judgement, trouble) = match &read {
            Some(Ok(document)) if document.unreadable == 0 => (policy::judge(document), None),
            Some(Ok(document)) => (policy::judge(document), Some(partly)),
            Some(Err(_)) => (policy::unseen(), Some(unreadable)),
            None => (policy::unseen(), Some(missing)),
        };
        let statements = read.and_then(Result::ok).map(|d| d.rows()).unwrap_or_default();
        Self { judgement, trouble, statements }
    }
}

/// Without its statements, which go their own way.
impl Pack for Judged {
    fn pack(&self, to: &mut Vec<u8>) {
        to.push(self.judgement.level.code());
        to.push(u8::from(self.judgement.conditional));
        pack::number(self.judgement.risks.len() as u64, to);
        for risk in &self.judgement.risks {
            pack::bytes(risk.as_str().as_bytes(), to);
        }
        let trouble = self.trouble.and_then(|t| TROUBLES.iter().position(|known| *known == t));
        to.push(trouble.and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX));
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        let level = *Level::ALL.get(usize::from(pack::take_byte(from)?))?;
        let conditional = pack::take_byte(from)? != 0;
        let risk = |from: &mut &[u8]| Risk::parse(pack::take_text(from)?);
        let risks = (0..pack::take_number(from)?).map(|_| risk(from)).collect::<Option<_>>()?;
        let trouble = TROUBLES.get(usize::from(pack::take_byte(from)?)).copied();
        Some(Self { judgement: Judgement { level, risks, conditional }, trouble, statements: Vec::new() })
    }
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
    /// What the default version's document comes to.
    pub(super) judged: Judged,
    pub(super) versions: usize,
    pub(super) attachments: Option<u64>,
    pub(super) description: Option<String>,
    pub(super) updated: Option<Time>,
}

/// Every record of every page.
#[derive(Debug, Default)]
pub(super) struct Gaad {
    pub(super) users: Pile<User>,
    pub(super) groups: Vec<Holder>,
    pub(super) roles: Pile<Role>,
    pub(super) policies: Vec<Policy>,
    /// The statements of all policies.
    pub(super) statements: Pile<DraftChild<StatementRow>>,
    /// ARN of each user and role by its immutable id.
    pub(super) ids: BTreeMap<String, String>,
    /// The AWS accounts that the ARNs in each file name.
    pub(super) accounts: BTreeMap<u32, BTreeSet<String>>,
    seen: Seen,
}

/// Names met before, each as 128 bits of keyed hashes: that two of them meet by chance is less likely than that memory fails.
#[derive(Debug, Default)]
struct Seen {
    hashes: [RandomState; 2],
    met: HashSet<[u64; 2]>,
}

impl Seen {
    /// Whether a name is new.
    fn insert(&mut self, name: &str) -> bool {
        self.met.insert(self.hashes.each_ref().map(|h| h.hash_one(name)))
    }
}

impl Gaad {
    /// Records that go to `scratch` once they are many.
    pub(super) fn on(scratch: &Scratch) -> Self {
        Self { users: Pile::new(scratch), roles: Pile::new(scratch), statements: Pile::new(scratch), ..Self::default() }
    }

    /// Takes the name of a new record.
    ///
    /// # Errors
    /// The ARN is none of IAM's, or another record had it before.
    fn take(&mut self, arn: &str) -> Result<(), Fault> {
        if Arn::of(arn).is_none_or(|a| a.service != "iam") {
            return Err(Fault::new("aws-iam/bad-arn", "`Arn` is not the ARN of an IAM resource", "export it again, unedited"));
        }
        if !self.seen.insert(arn) {
            let help = "give each page once; two exports of one account are two imports";
            return Err(Fault::new("aws-iam/duplicate", "an earlier record has the same ARN", help));
        }
        Ok(())
    }

    /// Takes what is the same for every record that is taken.
    fn keep(&mut self, arn: &str, origin: Origin) {
        // AWS's own policies are of the account `aws`, which is nobody's; a redacted number tells nothing.
        if let Some(account) = Arn::of(arn).map(|a| a.account).filter(|a| is_number(a)) {
            let known = self.accounts.entry(origin.file).or_default();
            if !known.contains(account) {
                known.insert(account.to_owned());
            }
        }
    }

    /// Takes the statements of a holder's inline policies. One that a holder names twice counts once.
    fn inline(&mut self, holder: &mut Holder) {
        let mut names = BTreeSet::new();
        for inline in &mut holder.inline {
            let statements = std::mem::take(&mut inline.judged.statements);
            if names.insert(inline.name.clone()) {
                let parent = inline_id(&holder.arn, &inline.name);
                self.statements.extend(statements.into_iter().map(|row| DraftChild { row, parent: parent.clone(), origin: holder.origin }));
            }
        }
    }

    /// Takes a user in.
    ///
    /// # Errors
    /// The ARN is none of IAM's, or the user is there already.
    pub(super) fn take_user(&mut self, mut user: User, origin: Origin) -> Result<(), Fault> {
        self.take(&user.holder.arn)?;
        user.holder.origin = origin;
        self.keep(&user.holder.arn, origin);
        self.inline(&mut user.holder);
        self.ids.extend(user.holder.id.clone().map(|id| (id, user.holder.arn.clone())));
        self.users.push(user);
        Ok(())
    }

    /// Takes a group in.
    ///
    /// # Errors
    /// As [`Gaad::take_user`].
    pub(super) fn take_group(&mut self, mut group: Holder, origin: Origin) -> Result<(), Fault> {
        self.take(&group.arn)?;
        group.origin = origin;
        self.keep(&group.arn, origin);
        self.inline(&mut group);
        self.groups.push(group);
        Ok(())
    }

    /// Takes a role in.
    ///
    /// # Errors
    /// As [`Gaad::take_user`].
    pub(super) fn take_role(&mut self, mut role: Role, origin: Origin) -> Result<(), Fault> {
        self.take(&role.holder.arn)?;
        role.holder.origin = origin;
        self.keep(&role.holder.arn, origin);
        self.inline(&mut role.holder);
        self.ids.extend(role.holder.id.clone().map(|id| (id, role.holder.arn.clone())));
        self.roles.push(role);
        Ok(())
    }

    /// Takes a managed policy in.
    ///
    /// # Errors
    /// As [`Gaad::take_user`].
    pub(super) fn take_policy(&mut self, mut policy: Policy, origin: Origin) -> Result<(), Fault> {
        self.take(&policy.arn)?;
        policy.origin = origin;
        self.keep(&policy.arn, origin);
        let statements = std::mem::take(&mut policy.judged.statements);
        self.statements.extend(statements.into_iter().map(|row| DraftChild { row, parent: policy.arn.clone(), origin }));
        self.policies.push(policy);
        Ok(())
    }

    /// Reads one user.
    ///
    /// # Errors
    /// A field is missing or not what AWS writes, or the user is there already.
    #[cfg(test)]
    pub(super) fn user(&mut self, raw: &str, origin: Origin, zone: Option<&TimeZone>) -> Result<(), Fault> {
        self.take_user(User::read(raw, zone)?, origin)
    }

    #[cfg(test)]
    pub(super) fn role(&mut self, raw: &str, origin: Origin, zone: Option<&TimeZone>) -> Result<(), Fault> {
        self.take_role(Role::read(raw, zone)?, origin)
    }
}

/// Native id of an inline policy.
pub(super) fn inline_id(holder: &str, name: &str) -> String {
    format!("{holder}#inline/{name}")
}

/// Twelve digits, as AWS numbers its accounts.
pub(super) fn is_number(account: &str) -> bool {
    account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())
}

/// The place of a record that is read before its place is known.
const NOWHERE: Origin = Origin::record(0, 0);

impl User {
    /// Reads one user.
    ///
    /// # Errors
    /// A field is missing or not what AWS writes.
    pub(super) fn read(raw: &str, zone: Option<&TimeZone>) -> Result<Self, Fault> {
        let fields = Fields::of(raw)?;
        Ok(Self { holder: holder(&fields, "User", NOWHERE, zone)?, groups: fields.texts("GroupList")? })
    }
}

impl Holder {
    /// Reads one group.
    ///
    /// # Errors
    /// As [`User::read`].
    pub(super) fn group(raw: &str, zone: Option<&TimeZone>) -> Result<Self, Fault> {
        holder(&Fields::of(raw)?, "Group", NOWHERE, zone)
    }
}

impl Role {
    /// Reads one role.
    ///
    /// # Errors
    /// As [`User::read`].
    pub(super) fn read(raw: &str, zone: Option<&TimeZone>) -> Result<Self, Fault> {
        let fields = Fields::of(raw)?;
        let profiles = fields.list("InstanceProfileList")?;
        Ok(Self {
            holder: holder(&fields, "Role", NOWHERE, zone)?,
            trust: fields.raw("AssumeRolePolicyDocument").map(str::to_owned),
            last_used: role_use(&fields, zone)?,
            profiles: profiles.into_iter().map(|p| Fields::of(p)?.required("InstanceProfileName")).collect::<Result<_, _>>()?,
            max_session: fields.count("MaxSessionDuration")?,
        })
    }
}

impl Policy {
    /// Reads one managed policy.
    ///
    /// # Errors
    /// As [`User::read`].
    pub(super) fn read(raw: &str, zone: Option<&TimeZone>) -> Result<Self, Fault> {
        let fields = Fields::of(raw)?;
        let version = fields.text("DefaultVersionId")?;
        let versions = fields.list("PolicyVersionList")?;
        Ok(Self {
            origin: NOWHERE,
            arn: fields.required("Arn")?,
            id: fields.text("PolicyId")?,
            name: fields.text("PolicyName")?,
            path: fields.text("Path")?,
            judged: Judged::of(default_document(&versions, version.as_deref())?.as_deref()),
            version,
            versions: versions.len(),
            attachments: fields.count("AttachmentCount")?,
            description: fields.text("Description")?.map(|d| mask::free_text(&d)),
            updated: fields.time("UpdateDate", zone)?,
        })
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
    let name = fields.required("PolicyName")?;
    Ok(Inline { name, judged: Judged::of(Some(fields.raw("PolicyDocument").unwrap_or("null"))) })
}

fn role_use(fields: &Fields<'_>, zone: Option<&TimeZone>) -> Result<RoleUse, Fault> {
    let Some(raw) = fields.raw("RoleLastUsed") else { return Ok(RoleUse::Unknown) };
    Ok(Fields::of(raw)?.time("LastUsedDate", zone)?.map_or(RoleUse::NotTracked, RoleUse::At))
}

impl Pack for Attached {
    fn pack(&self, to: &mut Vec<u8>) {
        self.arn.pack(to);
        self.name.pack(to);
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some(Self { arn: Pack::unpack(from)?, name: Pack::unpack(from)? })
    }
}

impl Pack for Inline {
    fn pack(&self, to: &mut Vec<u8>) {
        self.name.pack(to);
        self.judged.pack(to);
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some(Self { name: Pack::unpack(from)?, judged: Pack::unpack(from)? })
    }
}

impl Pack for Tags {
    fn pack(&self, to: &mut Vec<u8>) {
        for tag in [&self.owner, &self.email, &self.employee, &self.environment] {
            tag.pack(to);
        }
        pack::number(self.others.len() as u64, to);
        for (name, value) in &self.others {
            pack::bytes(name.as_bytes(), to);
            value.pack(to);
        }
        pack::number(self.dropped, to);
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        let (owner, email, employee, environment) = (Pack::unpack(from)?, Pack::unpack(from)?, Pack::unpack(from)?, Pack::unpack(from)?);
        // The names are those of the allow-list.
        let other = |from: &mut &[u8]| {
            let name = pack::take_text(from)?;
            let known = TAGS.iter().find(|(_, field)| *field == name).map_or_else(|| Label::from(name).text(), |(_, field)| *field);
            Some((known, String::unpack(from)?))
        };
        let others = (0..pack::take_number(from)?).map(|_| other(from)).collect::<Option<_>>()?;
        Some(Self { owner, email, employee, environment, others, dropped: pack::take_number(from)? })
    }
}

impl Pack for Holder {
    fn pack(&self, to: &mut Vec<u8>) {
        self.origin.pack(to);
        self.arn.pack(to);
        self.id.pack(to);
        self.name.pack(to);
        self.path.pack(to);
        self.created.pack(to);
        self.attached.pack(to);
        self.inline.pack(to);
        self.boundary.pack(to);
        self.tags.pack(to);
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some(Self {
            origin: Pack::unpack(from)?,
            arn: Pack::unpack(from)?,
            id: Pack::unpack(from)?,
            name: Pack::unpack(from)?,
            path: Pack::unpack(from)?,
            created: Pack::unpack(from)?,
            attached: Pack::unpack(from)?,
            inline: Pack::unpack(from)?,
            boundary: Pack::unpack(from)?,
            tags: Pack::unpack(from)?,
        })
    }
}

impl Pack for User {
    fn pack(&self, to: &mut Vec<u8>) {
        self.holder.pack(to);
        self.groups.pack(to);
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some(Self { holder: Pack::unpack(from)?, groups: Pack::unpack(from)? })
    }
}

impl Pack for Role {
    fn pack(&self, to: &mut Vec<u8>) {
        self.holder.pack(to);
        self.trust.pack(to);
        match self.last_used {
            RoleUse::Unknown => to.push(0),
            RoleUse::NotTracked => to.push(1),
            RoleUse::At(at) => {
                to.push(2);
                at.pack(to);
            }
        }
        self.profiles.pack(to);
        self.max_session.pack(to);
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        let (holder, trust) = (Pack::unpack(from)?, Pack::unpack(from)?);
        let last_used = match pack::take_byte(from)? {
            0 => RoleUse::Unknown,
            1 => RoleUse::NotTracked,
            _ => RoleUse::At(Time::unpack(from)?),
        };
        Some(Self { holder, trust, last_used, profiles: Pack::unpack(from)?, max_session: Pack::unpack(from)? })
    }
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
