//! What a file's name tells: answers of Vault do not repeat the path that was asked.
//!
//! Two ways of naming are read: the path of the request itself (`auth/userpass/users/ida.json`), and flat names inside a folder
//! that is named after the mount (`userpass/user-ida.json`).

/// The name of one file, cut into its parts.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Folders, outermost first.
    folders: Vec<String>,
    /// The file's name without its endings, `%2F` decoded.
    pub(super) stem: String,
}

/// What a list lists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Listed {
    Tokens,
    Entities,
    Groups,
    Policies,
    /// Users of a mount.
    Users(String),
    /// AppRoles of a mount.
    Roles(String),
    /// Secret ids of a role (its native id).
    SecretIds(String),
    /// Secrets and folders under a folder of a mount; `""` is its root.
    Secrets(String),
    Other,
}

impl Place {
    pub(super) fn of(name: &str) -> Self {
        let mut folders: Vec<String> = name.split('/').filter(|p| !p.is_empty() && *p != ".").map(str::to_owned).collect();
        let mut stem = folders.pop().unwrap_or_default();
        for ending in [".gz", ".json", ".hcl", ".read", ".txt"] {
            if let Some(cut) = stem.strip_suffix(ending).filter(|s| !s.is_empty()) {
                stem = cut.to_owned();
            }
        }
        Self { folders, stem: stem.replace("%2F", "/").replace("%2f", "/") }
    }

    fn folder(&self) -> Option<&str> {
        self.folders.last().map(String::as_str)
    }

    /// The mount in front of the folder `word`, and what stands behind that folder, the stem included.
    fn request(&self, word: &str) -> Option<(String, String)> {
        let at = self.folders.iter().rposition(|f| f == word)?;
        let before = self.folders.get(..at)?;
        let from = before.iter().rposition(|f| f == "auth").map_or(0, |i| i + 1);
        let mount = before.get(from..).filter(|m| !m.is_empty())?.join("/");
        let behind = self.folders.get(at + 1..)?.iter().cloned().chain(std::iter::once(self.stem.clone())).collect::<Vec<_>>().join("/");
        Some((mount, behind))
    }

    /// The mount that a flat name stands for: its folder, else the method's usual one.
    fn mount(&self, usual: &str) -> String {
        self.folder().unwrap_or(usual).to_owned()
    }

    /// Mount and name of the user that the file describes.
    pub(super) fn user(&self) -> Option<(String, String)> {
        let flat = || Some((self.mount("userpass"), self.stem.strip_prefix("user-")?.to_owned()));
        self.request("users").or_else(flat).filter(|(_, name)| !name.is_empty() && !name.contains('/'))
    }

    /// Native id of the AppRole that the file describes; `accessor` is that of the secret id inside, if it is one.
    pub(super) fn role(&self, accessor: Option<&str>) -> Option<String> {
        if let Some((mount, behind)) = self.request("role") {
            let role = behind.split('/').next().filter(|r| !r.is_empty())?;
            return Some(role_id(&mount, role));
        }
        let name = self.stem.strip_prefix("role-")?;
        let role = match accessor {
            Some(accessor) => name.strip_suffix(accessor)?.strip_suffix("-accessor-")?,
            None => name,
        };
        Some(role_id(&self.mount("approle"), role)).filter(|_| !role.is_empty())
    }

    /// Mount and path of the secret whose metadata the file holds, and whether `_` in it may stand for `/`.
    pub(super) fn secret(&self) -> Option<(String, String, bool)> {
        if let Some((mount, path)) = self.request("metadata") {
            return Some((mount, path, false));
        }
        let path = self.stem.strip_prefix("metadata-").unwrap_or(&self.stem);
        Some((self.mount("secret"), path.to_owned(), true)).filter(|(_, path, _)| !path.is_empty())
    }

    /// What a bare list in this file lists.
    pub(super) fn listed(&self) -> Listed {
        let stem = self.stem.as_str();
        let within = |word: &str| self.folder() == Some(word);
        if let Some(role) = stem.strip_prefix("role-").and_then(|s| s.strip_suffix("-secret-id-accessors")) {
            return Listed::SecretIds(role_id(&self.mount("approle"), role));
        }
        if let (true, Some((mount, behind))) = (stem == "secret-id", self.request("role")) {
            return Listed::SecretIds(role_id(&mount, behind.split('/').next().unwrap_or_default()));
        }
        if stem.contains("accessors") {
            Listed::Tokens
        } else if stem.contains("alias") {
            Listed::Other
        } else if stem.contains("entity") && stem.contains("id") || stem == "id" && within("entity") {
            Listed::Entities
        } else if stem.contains("group") && stem.contains("id") || stem == "id" && within("group") {
            Listed::Groups
        } else if stem.contains("policy") || stem.contains("policies") || stem == "acl" && within("policies") {
            Listed::Policies
        } else if stem == "users" {
            Listed::Users(self.mount("userpass"))
        } else if stem == "roles" || stem == "role" {
            Listed::Roles(self.mount("approle"))
        } else if let Some(folder) = stem.strip_prefix("list-") {
            Listed::Secrets(if folder == "root" { String::new() } else { format!("{folder}/") })
        } else {
            Listed::Other
        }
    }

    /// Name of the policy that the file holds.
    pub(super) fn policy(&self) -> Option<String> {
        Some(self.stem.strip_prefix("policy-").unwrap_or(&self.stem).to_owned()).filter(|s| !s.is_empty())
    }
}

/// Native id of an AppRole.
pub(super) fn role_id(mount: &str, role: &str) -> String {
    format!("auth/{}/role/{role}", mount.trim_matches('/'))
}

/// Native id of a user of a mount, where no entity stands for it.
pub(super) fn user_id(mount: &str, user: &str) -> String {
    format!("auth/{}/users/{user}", mount.trim_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_naming() {
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(Place::of("x/auth/userpass/users/ida.json").user(), pair("userpass", "ida"));
        assert_eq!(Place::of("auth/team/up/users/ida.json.gz").user(), pair("team/up", "ida"));
        assert_eq!(Place::of("userpass/user-ida.json").user(), pair("userpass", "ida"));
        assert_eq!(Place::of("user-ida.json").user(), pair("userpass", "ida"));
        assert_eq!(Place::of("tokens/ida.json").user(), None);
        assert_eq!(Place::of("auth/approle/role/ci.json").role(None).as_deref(), Some("auth/approle/role/ci"));
        let lookup = Place::of("auth/approle/role/ci/secret-id-accessor/lookup/a-1.json");
        assert_eq!(lookup.role(Some("a-1")).as_deref(), Some("auth/approle/role/ci"));
        assert_eq!(Place::of("approle/role-a-b-accessor-a-1.json").role(Some("a-1")).as_deref(), Some("auth/approle/role/a-b"));
        assert_eq!(Place::of("approle/role-a-b-accessor-a-1.json").role(Some("other")), None);
        assert_eq!(Place::of("secret/metadata/hr/old.json").secret(), Some(("secret".into(), "hr/old".into(), false)));
        assert_eq!(Place::of("kv/metadata-hr%2Fold.json").secret(), Some(("kv".into(), "hr/old".into(), true)));
    }

    #[test]
    fn lists_by_name() {
        for (name, want) in [
            ("tokens/accessors.json", Listed::Tokens),
            ("auth/token/accessors.json", Listed::Tokens),
            ("identity/entity/id.json", Listed::Entities),
            ("identity/entity-id-list.json", Listed::Entities),
            ("identity/entity-alias-id-list-detailed.json", Listed::Other),
            ("identity/group-id-list.json", Listed::Groups),
            ("identity/entity-name-list.json", Listed::Other),
            ("policy-list.json", Listed::Policies),
            ("auth/userpass/users.json", Listed::Users("userpass".into())),
            ("auth/approle/role.json", Listed::Roles("approle".into())),
            ("auth/approle/role/ci/secret-id.json", Listed::SecretIds("auth/approle/role/ci".into())),
            ("approle/role-ci-secret-id-accessors.json", Listed::SecretIds("auth/approle/role/ci".into())),
            ("kv/list-root.json", Listed::Secrets(String::new())),
            ("kv/list-hr.json", Listed::Secrets("hr/".into())),
        ] {
            assert_eq!(Place::of(name).listed(), want, "{name}");
        }
    }
}
