//! Declared joins: one person in two authorities is one identity only by a key that the configuration names (11.5).

use std::collections::{BTreeMap, BTreeSet};

use super::AuthorityInput;
use super::settings::IdentityLink;
use super::timeline::Span;
use crate::model::IdentityRow;
use crate::model::text::norm;

/// One identity of one authority, before joins. Entries stand in the order of (`system_ix`, native id).
pub(super) struct Entry<'a> {
    /// Position of the authority.
    pub authority: usize,
    pub system_ix: u32,
    /// Ordinal in the authority's current snapshot; `None`: it is not there any more.
    pub source_ix: Option<u32>,
    /// The authority speaks for its kind.
    pub spoken: bool,
    /// The newest record.
    pub row: &'a IdentityRow,
    pub spans: Vec<Span>,
}

/// A record that a declared link would have joined and that was left apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unjoined {
    /// Position of the link in the configuration, from 1.
    pub link: usize,
    /// Authority of the record.
    pub system: String,
    /// Native id of the record.
    pub identity: String,
    /// Normalised value of the key.
    pub value: String,
    pub reason: String,
}

/// For every entry the entry that stands for it: itself, or the one it is folded into; and what was left apart.
pub(super) fn roots(authorities: &[&AuthorityInput], entries: &[Entry<'_>], links: &[IdentityLink]) -> (Vec<usize>, Vec<Unjoined>) {
    let mut classes = Classes::new(entries);
    let mut unjoined = Vec::new();
    let position = |name: &str| authorities.iter().position(|a| a.system == name);
    for (number, link) in (1..).zip(links) {
        let (Some(from), Some(to)) = (position(&link.from), position(&link.to)) else { continue };
        let mut apart = |entry: usize, value: &str, reason: &str| {
            let system = authorities.get(from).map(|a| a.system.clone()).unwrap_or_default();
            unjoined.extend(entries.get(entry).map(|e| Unjoined {
                link: number,
                system,
                identity: e.row.native_id.clone(),
                value: value.to_owned(),
                reason: reason.to_owned(),
            }));
        };
        let held = by_value(entries, to, &link.to_column);
        for (value, claimants) in by_value(entries, from, &link.from_column) {
            let Some(holders) = held.get(&value) else { continue };
            match (the_one(entries, &claimants), the_one(entries, holders)) {
                (Some(claimant), Some(holder)) => {
                    if !classes.join(claimant, holder) {
                        apart(claimant, &value, "the join would make two records of one authority one identity");
                    }
                    for other in claimants.iter().filter(|c| **c != claimant) {
                        apart(*other, &value, "a live record holds the same key");
                    }
                }
                (None, _) => claimants.iter().for_each(|c| apart(*c, &value, "several records hold the key")),
                (_, None) => claimants.iter().for_each(|c| apart(*c, &value, "several records of the other authority hold the key")),
            }
        }
    }
    unjoined.sort();
    ((0..entries.len()).map(|i| classes.root(i)).collect(), unjoined)
}

/// The only entry, or the only one that is still in its authority's list.
fn the_one(entries: &[Entry<'_>], of: &[usize]) -> Option<usize> {
    if let [only] = of {
        return Some(*only);
    }
    let mut live = of.iter().filter(|i| entries.get(**i).is_some_and(|e| e.source_ix.is_some()));
    live.next().filter(|_| live.next().is_none()).copied()
}

fn by_value(entries: &[Entry<'_>], authority: usize, column: &str) -> BTreeMap<String, Vec<usize>> {
    let mut held: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, entry) in entries.iter().enumerate().filter(|(_, e)| e.authority == authority) {
        if let Some(value) = value(entry.row, column) {
            held.entry(value).or_default().push(i);
        }
    }
    held
}

fn value(row: &IdentityRow, column: &str) -> Option<String> {
    let text = match column {
        "link_ref" => row.link_ref.as_deref(),
        "native_id" => Some(row.native_id.as_str()),
        "employee_number" => row.employee_number.as_deref(),
        "email" => row.email.as_deref(),
        "login" => row.login.as_deref(),
        _ => None,
    };
    text.and_then(norm)
}

/// Entries that are one identity. No two of them may belong to one authority.
struct Classes {
    parent: Vec<usize>,
    authorities: Vec<BTreeSet<usize>>,
}

impl Classes {
    fn new(entries: &[Entry<'_>]) -> Self {
        Self { parent: (0..entries.len()).collect(), authorities: entries.iter().map(|e| BTreeSet::from([e.authority])).collect() }
    }

    /// Classes hold at most one entry per authority, so the walk is short.
    fn root(&self, mut i: usize) -> usize {
        while let Some(&up) = self.parent.get(i) {
            if up == i {
                break;
            }
            i = up;
        }
        i
    }

    /// Folds the class of `from` into that of `to`; `false`: that would unite two entries of one authority.
    fn join(&mut self, from: usize, to: usize) -> bool {
        let (from, to) = (self.root(from), self.root(to));
        if from == to {
            return true;
        }
        let moved = self.authorities.get(from).cloned().unwrap_or_default();
        let Some(held) = self.authorities.get_mut(to).filter(|held| held.is_disjoint(&moved)) else { return false };
        held.extend(moved);
        if let Some(up) = self.parent.get_mut(from) {
            *up = to;
        }
        true
    }
}
