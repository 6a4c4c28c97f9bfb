//! KV version 2: where secrets are and when they were last changed.

use std::collections::BTreeSet;

use serde_json::Value;

use super::lists::folders;
use super::records::{Export, Secret, Version};
use super::rows::{Rows, attributes, others, some};
use crate::connectors::{DraftCredential, Drafted};
use crate::model::{CredentialKind, CredentialRow, CredentialStatus, ResourceRow};

/// Path of a secret inside its mount. A flat file name has `_` for `/`: the folders that the lists name tell which.
pub(super) fn secret_path(secret: &Secret, folders: &BTreeSet<String>) -> String {
    if !secret.flat {
        return secret.path.clone();
    }
    let mut path = String::new();
    let mut rest = secret.path.as_str();
    while let Some((head, tail)) = folder_of(rest, &path, folders) {
        path = format!("{path}{head}/");
        rest = tail;
    }
    path + rest
}

/// The mount that the folders in front of a secret stand for: they may begin above the export.
fn mount<'a>(folders: &'a str, flat: bool, engines: &[&'a str]) -> &'a str {
    let ends_with = |engine: &&&str| folders.strip_suffix(**engine).is_some_and(|above| above.is_empty() || above.ends_with('/'));
    match (engines.iter().filter(ends_with).max_by_key(|e| e.len()), engines) {
        (Some(engine), _) => engine,
        // A flat folder need not be named after the mount; with one KV mount there is no doubt.
        (None, [only]) if flat => only,
        (None, _) => folders,
    }
}

fn folder_of<'a>(rest: &'a str, path: &str, folders: &BTreeSet<String>) -> Option<(&'a str, &'a str)> {
    let mut splits = rest.match_indices('_').filter_map(|(at, _)| Some((rest.get(..at)?, rest.get(at + 1..)?)));
    splits.rfind(|(head, tail)| !tail.is_empty() && folders.contains(&format!("{path}{head}/")))
}

impl Rows<'_> {
    /// Secrets of KV version 2: where they are and when they were last changed. Their values are never read.
    pub(super) fn secrets(&mut self, export: &Export) {
        let folders = folders(export);
        let engines: Vec<&str> = export.engines.values().filter(|m| m.version.as_deref() == Some("2")).map(|m| m.path.as_str()).collect();
        let mut met = BTreeSet::new();
        for secret in &export.secrets {
            self.dropped(&secret.metadata, secret.origin);
            let path = secret_path(secret, &folders);
            let mount = mount(&secret.mount, secret.flat, &engines);
            let native_id = format!("{mount}/{path}");
            if met.insert(native_id.clone()) {
                self.secret(secret, native_id, mount, &path);
            } else {
                self.draft.note(secret.origin.file, "secret whose metadata another file holds: the first counts");
            }
        }
    }

    fn secret(&mut self, secret: &Secret, native_id: String, mount: &str, path: &str) {
        let numbers = |keep: fn(&Version) -> bool| {
            let numbers: Vec<u64> = secret.versions.iter().filter(|(_, v)| keep(v)).map(|(n, _)| *n).collect();
            Some(numbers).filter(|n| !n.is_empty())
        };
        let mut pairs = others(&secret.metadata);
        pairs.push(("mount", Some(Value::from(mount))));
        pairs.push(("current_version", some(secret.current)));
        pairs.push(("versions", Some(Value::from(secret.versions.len()))));
        pairs.push(("created_time", some(secret.created.map(|t| t.to_string()))));
        pairs.push(("updated_time", some(secret.updated.map(|t| t.to_string()))));
        pairs.push(("deleted_versions", some(numbers(|v| v.deleted.is_some() && !v.destroyed))));
        pairs.push(("destroyed_versions", some(numbers(|v| v.destroyed))));
        pairs.push(("delete_version_after", some(secret.expires_after.clone())));
        let row = ResourceRow {
            native_id: native_id.clone(),
            kind: "secret".to_owned(),
            name: Some(path.to_owned()),
            environment: secret.metadata.environment.clone(),
            sensitivity: None,
            owner_ref: secret.metadata.owner.clone(),
            attributes: attributes(pairs),
            ..ResourceRow::default()
        };
        self.draft.resources.push(Drafted { row, origin: secret.origin });
        let newest = secret.current.and_then(|n| secret.versions.get(&n)).or_else(|| secret.versions.values().next_back());
        // With a lifetime, the time of deletion lies ahead when the version is written.
        let status = match newest {
            Some(v) if v.destroyed => CredentialStatus::Deleted,
            Some(v) if v.deleted.is_some() && secret.expires_after.is_some() => CredentialStatus::Unknown,
            Some(v) if v.deleted.is_some() => CredentialStatus::Deleted,
            Some(_) => CredentialStatus::Active,
            None => CredentialStatus::Unknown,
        };
        let row = CredentialRow {
            native_id: native_id.clone(),
            kind: CredentialKind::VaultSecret,
            name: Some(path.to_owned()),
            status,
            created_at: secret.created,
            rotated_at: newest.and_then(|v| v.created).filter(|at| Some(*at) != secret.created),
            expires_at: newest.and_then(|v| v.deleted),
            ..CredentialRow::default()
        };
        // Nobody holds a secret: who may read it is what policies say. Its holder is its own path.
        self.draft.credentials.push(DraftCredential { row, holder: native_id, origin: secret.origin });
    }
}

#[cfg(test)]
mod tests {
    use super::mount;

    #[test]
    fn folders_above_the_export_are_no_part_of_the_mount() {
        for (folders, flat, engines, want) in [
            ("secret", false, &["secret"][..], "secret"),
            ("exports/2026-11-22/secret", false, &["secret"], "secret"),
            ("exports/team/kv", false, &["kv", "team/kv"], "team/kv"),
            ("exports/my-secret", false, &["secret"], "exports/my-secret"),
            ("team/kv", false, &[], "team/kv"),
            ("kv", true, &["secret"], "secret"),
            ("kv", true, &["a", "b"], "kv"),
        ] {
            assert_eq!(mount(folders, flat, engines), want, "{folders}");
        }
    }
}
