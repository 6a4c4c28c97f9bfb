//! The answers as read: one type for each kind of record, and all of an export together.

use std::collections::{BTreeMap, BTreeSet};

use super::fields::{Fault, Fields, Metadata, shape};
use super::place::Listed;
use crate::connectors::Origin;
use crate::model::Time;

/// A name of an entity or group on one mount.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Alias {
    /// Mount path without `auth/` and slashes; else the accessor of a mount that is gone.
    pub(super) mount: String,
    pub(super) accessor: Option<String>,
    pub(super) method: Option<String>,
    pub(super) name: String,
    /// The AppRole behind it.
    pub(super) role: Option<String>,
}

impl Alias {
    pub(super) fn read(fields: Fields<'_>) -> Result<Self, Fault> {
        let accessor = fields.text("mount_accessor")?;
        let path = fields.name("mount_path")?.map(|p| p.trim_start_matches("auth/").trim_matches('/').to_owned());
        let metadata = fields.object("metadata")?;
        Ok(Self {
            mount: path.or_else(|| accessor.clone()).ok_or_else(|| shape("`mount_accessor` is missing".to_owned()))?,
            accessor,
            method: fields.text("mount_type")?,
            name: fields.required("name")?,
            role: metadata.map(|m| m.text("role_name")).transpose()?.flatten(),
        })
    }

    pub(super) fn shown(&self) -> String {
        format!("{}@{}", self.name, self.mount)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Entity {
    pub(super) origin: Origin,
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) disabled: Option<bool>,
    pub(super) created: Option<Time>,
    pub(super) changed: Option<Time>,
    pub(super) metadata: Metadata,
    pub(super) aliases: Vec<Alias>,
    pub(super) policies: Vec<String>,
    pub(super) groups: Vec<String>,
    pub(super) namespace: Option<String>,
}

impl Entity {
    pub(super) fn read(fields: Fields<'_>, id: Option<&str>, origin: Origin) -> Result<Self, Fault> {
        let id = id.map_or_else(|| fields.required("id"), |id| Ok(id.to_owned()))?;
        let mut aliases = Vec::new();
        for alias in fields.get("aliases").and_then(|a| a.as_array()).into_iter().flatten() {
            let map = alias.as_object().ok_or_else(|| shape("`aliases` is not a list of objects".to_owned()))?;
            let fields = Fields(map);
            if fields.text("canonical_id")?.is_some_and(|canonical| canonical != id) {
                return Err(Fault::new(
                    "vault/alias-elsewhere",
                    "an alias of the entity belongs to another entity",
                    "export the entity again",
                ));
            }
            aliases.push(Alias::read(fields)?);
        }
        aliases.sort();
        let direct = fields.texts("direct_group_ids")?;
        Ok(Self {
            origin,
            name: fields.name("name")?,
            disabled: fields.flag("disabled")?,
            created: fields.time("creation_time")?,
            changed: fields.time("last_update_time")?,
            metadata: Metadata::read(fields.object("metadata")?),
            aliases,
            policies: fields.texts("policies")?,
            // Servers before `direct_group_ids` list the inherited ones with the rest: those come from the groups then.
            groups: direct,
            namespace: fields.text("namespace_id")?,
            id,
        })
    }
}

#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) origin: Origin,
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) metadata: Metadata,
    pub(super) alias: Option<Alias>,
    pub(super) policies: Vec<String>,
    pub(super) entities: Vec<String>,
    pub(super) groups: Vec<String>,
    pub(super) parents: Vec<String>,
    pub(super) namespace: Option<String>,
}

impl Group {
    pub(super) fn read(fields: Fields<'_>, id: Option<&str>, origin: Origin) -> Result<Self, Fault> {
        Ok(Self {
            origin,
            id: id.map_or_else(|| fields.required("id"), |id| Ok(id.to_owned()))?,
            name: fields.name("name")?,
            kind: fields.text("type")?,
            metadata: Metadata::read(fields.object("metadata")?),
            alias: fields.object("alias")?.map(Alias::read).transpose()?,
            policies: fields.texts("policies")?,
            entities: fields.texts("member_entity_ids")?,
            groups: fields.texts("member_group_ids")?,
            parents: fields.texts("parent_group_ids")?,
            namespace: fields.text("namespace_id")?,
        })
    }
}

/// A login of a method that keeps its own users, or an AppRole: what its tokens will hold.
#[derive(Clone, Debug)]
pub(super) struct Login {
    pub(super) origin: Origin,
    pub(super) mount: String,
    pub(super) name: String,
    pub(super) policies: Vec<String>,
    pub(super) period: Option<u64>,
    pub(super) batch: bool,
}

impl Login {
    pub(super) fn read(fields: Fields<'_>, mount: String, name: String, origin: Origin) -> Result<Self, Fault> {
        let mut policies = fields.texts("token_policies")?;
        policies.extend(fields.texts("policies")?);
        // Every token gets `default` unless the login says otherwise.
        if fields.flag("token_no_default_policy")? == Some(false) {
            policies.push("default".to_owned());
        }
        policies.sort();
        policies.dedup();
        let period = fields.count("token_period")?.filter(|p| *p > 0);
        Ok(Self { origin, mount, name, policies, period, batch: fields.text("token_type")?.as_deref() == Some("batch") })
    }
}

#[derive(Clone, Debug)]
pub(super) struct SecretId {
    pub(super) origin: Origin,
    pub(super) accessor: String,
    pub(super) role: Option<String>,
    pub(super) created: Option<Time>,
    pub(super) expires: Option<Time>,
    pub(super) uses: Option<u64>,
    pub(super) fingerprint: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) origin: Origin,
    pub(super) accessor: String,
    pub(super) entity: Option<String>,
    pub(super) name: Option<String>,
    pub(super) policies: Vec<String>,
    pub(super) created: Option<Time>,
    pub(super) expires: Option<Time>,
    pub(super) metadata: Metadata,
    pub(super) path: Option<String>,
    pub(super) orphan: Option<bool>,
    pub(super) period: Option<u64>,
    pub(super) uses: Option<u64>,
    pub(super) fingerprint: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) origin: Origin,
    pub(super) name: String,
    pub(super) text: String,
    pub(super) changed: Option<String>,
}

/// One version of a secret.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) created: Option<Time>,
    pub(super) deleted: Option<Time>,
    pub(super) destroyed: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Secret {
    pub(super) origin: Origin,
    pub(super) mount: String,
    pub(super) path: String,
    /// `_` in the path may stand for `/`.
    pub(super) flat: bool,
    pub(super) created: Option<Time>,
    pub(super) updated: Option<Time>,
    pub(super) current: Option<u64>,
    pub(super) versions: BTreeMap<u64, Version>,
    pub(super) expires_after: Option<String>,
    pub(super) metadata: Metadata,
}

impl Secret {
    pub(super) fn read(fields: Fields<'_>, place: (String, String, bool), origin: Origin) -> Result<Self, Fault> {
        let mut versions = BTreeMap::new();
        for (number, version) in fields.object("versions")?.iter().flat_map(|v| v.0) {
            let fault = || shape("`versions` is not an object by number".to_owned());
            let version = Fields(version.as_object().ok_or_else(fault)?);
            let read = Version {
                created: version.time("created_time")?,
                deleted: version.time("deletion_time")?,
                destroyed: version.flag("destroyed")?.unwrap_or(false),
            };
            versions.insert(number.parse().map_err(|_| fault())?, read);
        }
        let (mount, path, flat) = place;
        Ok(Self {
            origin,
            mount,
            path,
            flat,
            created: fields.time("created_time")?,
            updated: fields.time("updated_time")?,
            current: fields.count("current_version")?,
            versions,
            expires_after: fields.text("delete_version_after")?.filter(|d| d != "0s"),
            metadata: Metadata::read(fields.object("custom_metadata")?),
        })
    }
}

/// A mount of an auth method or secrets engine.
#[derive(Clone, Debug)]
pub(super) struct Mount {
    pub(super) path: String,
    pub(super) method: String,
    pub(super) version: Option<String>,
}

/// A list, to be held against the answers.
#[derive(Clone, Debug)]
pub(super) struct List {
    pub(super) file: u32,
    pub(super) of: Listed,
    pub(super) items: BTreeSet<String>,
}

/// What the audit logs tell of use.
#[derive(Clone, Debug, Default)]
pub(super) struct Uses {
    /// First and last entry of all logs.
    pub(super) covers: Option<(Time, Time)>,
    /// Newest use of an entity, of a token whose accessor is not hashed, and of an AppRole or user by native id.
    pub(super) newest: BTreeMap<String, Time>,
    /// Whether some line could not be read: then who was not seen may have been there all the same.
    pub(super) gaps: bool,
}

impl Uses {
    pub(super) fn saw(&mut self, id: String, at: Time) {
        let newest = self.newest.entry(id).or_insert(at);
        *newest = at.max(*newest);
    }
}

/// All answers of one import.
#[derive(Debug, Default)]
pub(super) struct Export {
    pub(super) entities: BTreeMap<String, Entity>,
    /// Entities that only a detailed list names.
    pub(super) named: BTreeMap<String, Entity>,
    pub(super) aliases: Vec<(Origin, String, Alias)>,
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) named_groups: BTreeMap<String, Group>,
    /// By native id.
    pub(super) users: BTreeMap<String, Login>,
    pub(super) roles: BTreeMap<String, Login>,
    pub(super) secret_ids: BTreeMap<String, SecretId>,
    pub(super) tokens: BTreeMap<String, Token>,
    pub(super) policies: BTreeMap<String, Policy>,
    pub(super) secrets: Vec<Secret>,
    pub(super) auth: BTreeMap<String, Mount>,
    pub(super) engines: BTreeMap<String, Mount>,
    pub(super) lists: Vec<List>,
    /// Tokens that the server counts, and the file that says so.
    pub(super) counted: Option<(u32, u64)>,
    pub(super) uses: Uses,
    /// Whether some file was understood.
    pub(super) known: bool,
}
