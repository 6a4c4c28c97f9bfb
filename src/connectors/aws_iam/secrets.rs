//! `aws secretsmanager list-secrets`: each secret as a resource, and its life cycle as a credential. Values are never read.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::arn::Arn;
use super::fields::{Fault, Fields};
use super::gaad::Tags;
use super::rows::Attributes;
use super::uses::Use;
use crate::connectors::{Draft, DraftCredential, Drafted, Origin};
use crate::model::{CREDENTIALS, CredentialKind, CredentialRow, CredentialStatus, RESOURCES, ResourceRow, Time, UseState, mask};

/// One entry of `SecretList`.
#[derive(Debug)]
struct Secret {
    origin: Origin,
    arn: String,
    name: String,
    description: Option<String>,
    key: Option<String>,
    owning_service: Option<String>,
    primary_region: Option<String>,
    rotates: Option<bool>,
    rotation_days: Option<u64>,
    created: Option<Time>,
    rotated: Option<Time>,
    changed: Option<Time>,
    /// A day, as AWS keeps no more: its first instant.
    accessed: Option<Time>,
    deleted: Option<Time>,
    tags: Tags,
    /// A value stood in the entry, which AWS does not write there.
    with_value: bool,
}

/// What the files say of secrets.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    listed: Vec<Secret>,
    seen: BTreeSet<String>,
    /// Whether some file is a list of secrets, were it empty.
    pub(super) listings: bool,
    /// Whether some file held the value of a secret, and was refused.
    pub(super) values: bool,
}

/// The fields in which a secret's value stands.
pub(super) const VALUES: &[&str] = &["SecretString", "SecretBinary", "SecretValues"];

/// The fault of a file that holds values.
pub(super) fn value_met() -> Fault {
    Fault::new(
        "aws-iam/secret-value",
        "holds the value of a secret: it was refused unread",
        "delete the file and rotate the secret; `aws secretsmanager list-secrets` gives what is asked for, without values",
    )
}

impl Secrets {
    /// Reads one entry of `SecretList`.
    ///
    /// # Errors
    /// A field is missing or not what AWS writes, or the secret is there already.
    pub(super) fn entry(&mut self, raw: &str, origin: Origin, zone: Option<&TimeZone>) -> Result<(), Fault> {
        let fields = Fields::of(raw)?;
        let arn = fields.required("ARN")?;
        if Arn::of(&arn).is_none_or(|a| a.service != "secretsmanager") {
            return Err(Fault::new("aws-iam/bad-arn", "`ARN` is not the ARN of a secret", "export it again, unedited"));
        }
        let kept = |name: &str| Ok::<_, Fault>(fields.text(name)?.map(|text| mask::free_text(&text)));
        let rules = fields.raw("RotationRules").map(Fields::of).transpose()?;
        let secret = Secret {
            origin,
            name: fields.required("Name")?,
            description: kept("Description")?,
            key: kept("KmsKeyId")?,
            owning_service: kept("OwningService")?,
            primary_region: kept("PrimaryRegion")?,
            rotates: fields.flag("RotationEnabled")?,
            rotation_days: rules.map(|r| r.count("AutomaticallyAfterDays")).transpose()?.flatten(),
            created: fields.time("CreatedDate", zone)?,
            rotated: fields.time("LastRotatedDate", zone)?,
            changed: fields.time("LastChangedDate", zone)?,
            accessed: fields.time("LastAccessedDate", zone)?,
            deleted: fields.time("DeletedDate", zone)?,
            tags: Tags::of(&fields)?,
            with_value: VALUES.iter().any(|name| fields.raw(name).is_some()),
            arn,
        };
        if !self.seen.insert(secret.arn.clone()) {
            return Err(Fault::new("aws-iam/duplicate", "an earlier entry has the same `ARN`", "give each page of a list once"));
        }
        self.listed.push(secret);
        Ok(())
    }

    /// The ARN of each secret and where it stands.
    pub(super) fn arns(&self) -> impl Iterator<Item = (Origin, &String)> {
        self.listed.iter().map(|s| (s.origin, &s.arn))
    }

    /// Drafts every secret. `credentials`: the import lists the users' credentials, too, or has no users. Otherwise a secret that came
    /// as a credential would have the table covered, and of every user it would say that there are none.
    pub(super) fn draft(&self, credentials: bool, draft: &mut Draft) {
        if !self.listings {
            return;
        }
        draft.cover(&RESOURCES);
        if credentials {
            draft.cover(&CREDENTIALS);
        }
        for secret in &self.listed {
            for _ in 0..secret.tags.dropped {
                draft.note(secret.origin.file, "tag that is not on the allow-list, dropped");
            }
            if secret.with_value {
                draft.note(secret.origin.file, "value of a secret met and dropped");
            }
            draft.resources.push(Drafted { row: secret.resource(), origin: secret.origin });
            if credentials {
                // Nobody holds a secret: who may read it is what policies say. Its holder is its own name.
                let holder = secret.arn.clone();
                draft.credentials.push(DraftCredential { row: secret.credential(), holder, origin: secret.origin });
            } else {
                draft.note(secret.origin.file, "secret kept as a resource only: no file lists the credentials of the users");
            }
        }
    }
}

impl Secret {
    fn resource(&self) -> ResourceRow {
        let instant = |time: Option<Time>| time.map(|t| t.to_string());
        let attributes = Attributes::default()
            .with("description", self.description.clone())
            .with("kms_key_id", self.key.clone())
            .with("owning_service", self.owning_service.clone())
            .with("primary_region", self.primary_region.clone())
            .with("rotation_enabled", self.rotates)
            .with("rotation_days", self.rotation_days)
            .with("last_changed_date", instant(self.changed))
            .with("last_accessed_date", instant(self.accessed).map(|t| t.chars().take(10).collect::<String>()))
            .with("deleted_date", instant(self.deleted))
            .tags(&self.tags);
        ResourceRow {
            native_id: self.arn.clone(),
            kind: "secret".to_owned(),
            name: Some(self.name.clone()),
            environment: self.tags.environment.clone(),
            owner_ref: self.tags.owner.clone(),
            attributes: attributes.json(),
            ..ResourceRow::default()
        }
    }

    fn credential(&self) -> CredentialRow {
        // AWS leaves the date out only of a secret that was never retrieved in its region.
        let used = self.accessed.map_or(Use { state: UseState::Never, ..Use::default() }, Use::used);
        CredentialRow {
            native_id: self.arn.clone(),
            kind: CredentialKind::VaultSecret,
            name: Some(self.name.clone()),
            status: if self.deleted.is_some() { CredentialStatus::Deleted } else { CredentialStatus::Active },
            created_at: self.created,
            rotated_at: self.rotated,
            last_used_at: used.at,
            use_state: used.state,
            ..CredentialRow::default()
        }
    }
}
