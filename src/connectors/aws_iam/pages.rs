//! Whether everything arrived: pages of one listing, and the counts of `get-account-summary`.

use std::collections::{BTreeMap, BTreeSet};

use super::fields::Fields;
use super::gaad::{Gaad, Holder, Role, User};
use super::report::Row;
use crate::connectors::pile::torn;
use crate::connectors::{Draft, Input};
use crate::model::pack::Pack;

/// One document of `get-account-authorization-details`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    pub(super) file: u32,
    /// `IsTruncated: true`, or a `NextToken` of the command line: another page follows.
    pub(super) truncated: bool,
}

/// A page number beyond this is a date or a version, not a page.
const MOST_PAGES: u64 = 9_999;

/// Marks the files that show a page to be missing. Pages do not say which they follow, so three things are looked at: that one page is
/// the last, that numbered file names leave no gap, and that what the pages refer to is among them.
pub(super) fn check(pages: &[Page], files: &[Input], gaad: &mut Gaad, draft: &mut Draft) {
    if !pages.iter().any(|p| p.truncated) {
        return;
    }
    if let Some(last) = pages.last().filter(|_| pages.iter().all(|p| p.truncated)) {
        draft.short(last.file, "every page says that another follows (`IsTruncated` or `NextToken`): the last page is missing");
    }
    let numbered: Vec<(u32, &str)> = pages
        .iter()
        .map(|p| p.file)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter_map(|f| Some((f, files.get(f as usize)?.name.as_str())))
        .collect();
    if let Some((file, missing)) = gap(&numbered) {
        draft.short(file, format!("page {missing} is missing by the numbers in the file names"));
    }
    if let (Some(first), Some(policy)) = (pages.first(), dangling(gaad)) {
        draft.short(first.file, format!("`{policy}` is attached or used and on no page: a page is missing"));
    }
}

/// The first page number that the names leave out, and the file after which it should come.
fn gap(files: &[(u32, &str)]) -> Option<(u32, u64)> {
    let split: Vec<(u32, Vec<&str>, Vec<u64>)> = files.iter().map(|(file, name)| (*file, words(name), numbers(name))).collect();
    let (_, template, first) = split.first()?;
    if split.iter().any(|(_, words, numbers)| words != template || numbers.len() != first.len()) {
        return None;
    }
    let values =
        |at: usize| split.iter().filter_map(move |(file, _, numbers)| Some((*numbers.get(at)?, *file))).collect::<BTreeMap<u64, u32>>();
    let mut varying = (0..first.len()).filter(|at| values(*at).len() > 1);
    let at = varying.next()?;
    let present = values(at);
    if varying.next().is_some() || present.len() < split.len() || present.keys().any(|n| *n > MOST_PAGES) {
        return None;
    }
    // `page2of4`: the words before each number tell a total.
    let total = template.iter().zip(first).find(|(word, _)| word.ends_with("of")).map(|(_, total)| *total);
    let (lowest, highest) = (*present.keys().next()?, *present.keys().next_back()?);
    let missing = (lowest.min(1)..=highest.max(total.unwrap_or(0).min(MOST_PAGES))).find(|n| !present.contains_key(n))?;
    let before = present.range(..missing).next_back().or_else(|| present.iter().next())?;
    Some((*before.1, missing))
}

/// What stands between the numbers of a name.
fn words(name: &str) -> Vec<&str> {
    name.split(|c: char| c.is_ascii_digit()).filter(|w| !w.is_empty()).collect()
}

/// The numbers of a name.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit()).filter(|w| !w.is_empty()).map(|w| w.parse().unwrap_or(u64::MAX)).collect()
}

/// An attached policy, or a group of a user, that is on no page.
fn dangling(gaad: &mut Gaad) -> Option<String> {
    let policies: BTreeSet<&str> = gaad.policies.iter().map(|p| p.arn.as_str()).collect();
    let groups: BTreeSet<&str> = gaad.groups.iter().map(|g| g.name.as_str()).collect();
    let unknown = |holder: &Holder| holder.attached.iter().map(|a| &a.arn).find(|arn| !policies.contains(arn.as_str())).cloned();
    let (mut of_user, mut of_role, mut group) = (None, None, None);
    // A disk that fails is told when the records are drafted.
    let _ = gaad.users.walk(|packed| {
        let user = User::unpack(&mut { packed }).ok_or_else(torn)?;
        of_user = of_user.take().or_else(|| unknown(&user.holder));
        group = group.take().or_else(|| user.groups.into_iter().find(|g| !groups.contains(g.as_str())));
        Ok(())
    });
    let of_group = gaad.groups.iter().find_map(unknown);
    let _ = gaad.roles.walk(|packed| {
        let role = Role::unpack(&mut { packed }).ok_or_else(torn)?;
        of_role = of_role.take().or_else(|| unknown(&role.holder));
        Ok(())
    });
    of_user.or(of_group).or(of_role).or(group)
}

/// Compares the counts of `get-account-summary` with what arrived. Fewer is short; more is what came after the count.
pub(super) fn totals(file: u32, summary: &str, gaad: &Gaad, pages: &[Page], rows: &[Row], draft: &mut Draft) {
    let Ok(fields) = Fields::of(summary) else { return };
    // AWS counts the account's own policies only.
    let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let own = gaad.policies.iter().filter(|p| !p.arn.contains(":iam::aws:")).count();
    let counts =
        [("Users", count(gaad.users.total())), ("Groups", gaad.groups.len()), ("Roles", count(gaad.roles.total())), ("Policies", own)];
    let (arrived, target): (Vec<(&str, usize)>, u32) = match (pages.first(), rows.first()) {
        (Some(page), _) => (counts.to_vec(), page.file),
        (None, Some(row)) => (vec![("Users", rows.iter().filter(|r| !r.is_root()).count())], row.origin.file),
        (None, None) => return,
    };
    for (what, count) in arrived {
        let Ok(Some(total)) = fields.count(what) else { continue };
        let count = count as u64;
        if count < total {
            draft.short(target, format!("`get-account-summary` counts {total} {}, {count} arrived", what.to_lowercase()));
        } else if count > total {
            draft.note(file, format!("`get-account-summary` counts fewer {} than arrived", what.to_lowercase()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(names: &[&str]) -> Option<(u32, u64)> {
        gap(&names.iter().zip(0u32..).map(|(name, at)| (at, *name)).collect::<Vec<_>>())
    }

    #[test]
    fn numbered_names_show_a_gap() {
        assert_eq!(missing(&["gaad.page1of4.json", "gaad.page3of4.json", "gaad.page4of4.json"]), Some((0, 2)));
        assert_eq!(missing(&["p2.json", "p3.json"]), Some((0, 1)));
        assert_eq!(missing(&["p0.json", "p1.json", "p2.json"]), None);
        assert_eq!(missing(&["p1of3.json", "p2of3.json"]), Some((1, 3)));
        assert_eq!(missing(&["2026-11-22/p09.json", "2026-11-22/p11.json", "2026-11-22/p10.json"]), Some((0, 1)));
    }

    #[test]
    fn other_numbers_show_nothing() {
        assert_eq!(missing(&["gaad-20261122.json", "gaad-20261129.json"]), None);
        assert_eq!(missing(&["a1.json", "b3.json"]), None);
        assert_eq!(missing(&["one.json"]), None);
        assert_eq!(missing(&[]), None);
    }
}
