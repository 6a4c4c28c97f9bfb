//! What the saved answers themselves show to be missing. The `Link` header that names the next page is not in a saved body.

use std::collections::{BTreeMap, BTreeSet};

use super::Export;
use super::parse::Kind;
use crate::connectors::{Draft, Origin};

/// One list as it was saved.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) file: u32,
    pub(super) kind: Kind,
    /// The group or app whose list it is.
    pub(super) parent: Option<String>,
    /// Every user on it is deprovisioned: a list of its own.
    pub(super) deprovisioned: bool,
    pub(super) records: u64,
}

/// Whether a page of so many records is as long as Okta makes one: the limits that it documents, and those that it takes
/// where none is asked for.
fn is_full(page: &Page) -> bool {
    let own: &[u64] = match page.kind {
        Kind::Users | Kind::Members => &[],
        Kind::Groups => &[10_000],
        Kind::Apps | Kind::AppGroups => &[20],
        Kind::AppUsers => &[50, 500],
        Kind::Rules => &[50],
        // Answered whole.
        Kind::Tokens | Kind::Roles => return false,
    };
    matches!(page.records, 200 | 1000) || own.contains(&page.records)
}

/// Says of each file what is missing after it.
pub(super) fn check(export: &Export, draft: &mut Draft) {
    pages(export, draft);
    unlisted(export, draft, Kind::Members, "members", "`GET /api/v1/groups/{id}/users`", groups(export));
    for (kind, what, path) in
        [(Kind::AppUsers, "users", "`GET /api/v1/apps/{id}/users`"), (Kind::AppGroups, "groups", "`GET /api/v1/apps/{id}/groups`")]
    {
        let apps = export.apps.iter().map(|(id, app)| (id.as_str(), app.origin)).collect();
        unlisted(export, draft, kind, what, path, apps);
    }
    deprovisioned(export, draft);
}

/// A list that ends with a full page goes on, as far as anybody can tell.
fn pages(export: &Export, draft: &mut Draft) {
    let mut lists: BTreeMap<(Kind, Option<&str>, bool), Vec<&Page>> = BTreeMap::new();
    for page in &export.pages {
        lists.entry((page.kind, page.parent.as_deref(), page.deprovisioned)).or_default().push(page);
    }
    for ((kind, ..), pages) in lists {
        let Some(last) = pages.last().filter(|_| pages.iter().all(|p| is_full(p))) else { continue };
        let why = format!(
            "holds exactly {} {}, a full page, and no page that is less than full: save the pages that its `Link: …; rel=\"next\"` header names",
            last.records,
            kind.name()
        );
        draft.short(last.file, why);
    }
}

fn groups(export: &Export) -> Vec<(&str, Origin)> {
    export.groups.iter().map(|(id, group)| (id.as_str(), group.origin)).collect()
}

/// Parents whose list is missing although those of others are there.
fn unlisted(export: &Export, draft: &mut Draft, kind: Kind, what: &str, path: &str, parents: Vec<(&str, Origin)>) {
    if !export.kinds.contains(&kind) {
        return;
    }
    let missing: Vec<(&str, Origin)> = parents.into_iter().filter(|(id, _)| !export.listed.contains(&(kind, (*id).to_owned()))).collect();
    let files: BTreeSet<u32> = missing.iter().map(|(_, origin)| origin.file).collect();
    for file in files {
        let here: Vec<&str> = missing.iter().filter(|(_, origin)| origin.file == file).map(|(id, _)| *id).collect();
        let first = here.first().copied().unwrap_or_default();
        let why = format!("the {what} of {} of its records are in no file, `{}` first: save {path}", here.len(), first.escape_debug());
        draft.short(file, why);
    }
}

/// The list of users leaves out the deprovisioned ones unless it is asked for them.
fn deprovisioned(export: &Export, draft: &mut Draft) {
    let any = export.users.values().any(|u| u.value.deprovisioned);
    if let Some(first) = export.users.values().map(|u| u.origin.file).min().filter(|_| !any) {
        draft.note(
            first,
            "no user is DEPROVISIONED: Okta leaves them out of the list of users; save `users?filter=status eq \"DEPROVISIONED\"`, too, or \
             they are unknown here",
        );
    }
}
