//! Completeness: what the export's own lists name must be there.

use std::collections::BTreeSet;

use super::place::{Listed, role_id, user_id};
use super::records::{Export, List};
use super::secrets::secret_path;
use crate::connectors::Draft;

/// Says of each list how much of it has no answer, and of the server's count how many tokens are missing.
pub(super) fn check(export: &Export, draft: &mut Draft) {
    let folders = folders(export);
    let secrets: BTreeSet<String> = export.secrets.iter().map(|s| secret_path(s, &folders)).collect();
    for list in &export.lists {
        let Some((what, found)) = found(export, list, &secrets) else { continue };
        let missing = list.items.iter().filter(|item| !found(item.as_str())).count();
        if missing > 0 {
            draft.short(list.file, format!("lists {} {what}, {missing} of which no file describes", list.items.len()));
        }
    }
    let read = export.tokens.len() as u64;
    if let Some((file, total)) = export.counted.filter(|(_, total)| *total > read) {
        draft.short(file, format!("the server counts {total} service tokens, the files describe {read}"));
    }
}

type Found<'a> = Box<dyn Fn(&str) -> bool + 'a>;

/// What a list names, and how to tell whether one of them is there. `None`: nothing to hold it against.
fn found<'a>(export: &'a Export, list: &'a List, secrets: &'a BTreeSet<String>) -> Option<(&'static str, Found<'a>)> {
    Some(match &list.of {
        Listed::Tokens => ("token accessors", Box::new(|i| export.tokens.contains_key(i))),
        Listed::Entities => ("entities", Box::new(|i| export.entities.contains_key(i))),
        Listed::Groups => ("groups", Box::new(|i| export.groups.contains_key(i))),
        // `root` has no text.
        Listed::Policies => ("policies", Box::new(|i| i == "root" || export.policies.contains_key(&i.to_lowercase()))),
        Listed::Users(mount) => ("users", Box::new(move |i| export.users.contains_key(&user_id(mount, i)))),
        Listed::Roles(mount) => ("AppRoles", Box::new(move |i| export.roles.contains_key(&role_id(mount, i)))),
        Listed::SecretIds(_) => ("secret ids", Box::new(|i| export.secret_ids.contains_key(i))),
        Listed::Secrets(folder) => {
            let nested = folder.replace('_', "/");
            let found = move |i: &str| secrets.contains(&format!("{folder}{i}")) || secrets.contains(&format!("{nested}{i}"));
            ("secrets and folders", Box::new(move |i| i.ends_with('/') || found(i)))
        }
        Listed::Other => return None,
    })
}

/// Folders of secrets that the lists name, each with its last `/`.
pub(super) fn folders(export: &Export) -> BTreeSet<String> {
    let mut folders = BTreeSet::new();
    for list in &export.lists {
        let Listed::Secrets(folder) = &list.of else { continue };
        // A flat name writes `_` for `/`, and a folder may have `_` in its own name: both are tried.
        for folder in [folder.clone(), folder.replace('_', "/")] {
            folders.extend(list.items.iter().filter(|i| i.ends_with('/')).map(|i| format!("{folder}{i}")));
        }
    }
    folders
}
