//! Which requests may have approved which access, and which said that access is to go (rule 11.10).
//!
//! A request fits an edge by the reference that the system itself keeps; else by (beneficiary, system, entitlement or a configured
//! alias of it, action). A ticket that names no right fits at the level of the account only. What follows for an edge is told by
//! [`Approvals`].

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::settings::{EntitlementAlias, matches_system};
use super::{People, SystemNames};
use crate::model::approvals::{About, Approvals, How, Named};
use crate::model::text::{folded, norm};
use crate::model::{AccountIdentityRow, EntitlementRow, GroupRow, RequestRow};

/// All requests of a run; `requests` with the ordinals of their sources.
pub fn requests<'r>(requests: impl Iterator<Item = (u32, &'r RequestRow)>, names: &SystemNames, people: &People) -> Approvals {
    let mut all = Approvals::default();
    for (source_ix, row) in requests {
        let system_ix = row.system.as_deref().map(|s| names.find(s).unwrap_or(u32::MAX));
        let identities = row.beneficiary_ref.as_deref().map(|b| people.find(b).all().to_vec()).unwrap_or_default();
        all.push(source_ix, row.clone(), system_ix, identities);
    }
    all
}

/// The texts by which a request may call an account.
#[derive(Clone, Copy, Debug)]
pub struct Called<'a> {
    pub native_id: &'a str,
    /// Login, mail address and user principal name, normalised.
    pub names: [Option<&'a str>; 3],
}

/// Finds the requests that may be for an account.
pub struct Finder {
    by_text: HashMap<String, Vec<u32>>,
    by_identity: HashMap<u32, Vec<u32>>,
    /// By the identity of a registered workload whose name they state: the directory of people does not hold those.
    by_workload: HashMap<u32, Vec<u32>>,
}

impl Finder {
    pub fn new(approvals: &Approvals, people: &People) -> Self {
        let mut finder = Finder { by_text: HashMap::new(), by_identity: HashMap::new(), by_workload: HashMap::new() };
        for (at, asked) in (0..).zip(approvals.asked()) {
            for identity in &asked.identities {
                finder.by_identity.entry(*identity).or_default().push(at);
            }
            if let Some(text) = asked.row.beneficiary_ref.as_deref().and_then(norm) {
                finder.by_text.entry(text).or_default().push(at);
            }
        }
        let workloads = people.rows().iter().filter(|i| !super::accounts::is_person(i.kind));
        for i in workloads {
            if let Some(found) = norm(&i.identity).and_then(|name| finder.by_text.get(&name)) {
                finder.by_workload.insert(i.identity_ix, found.clone());
            }
        }
        finder
    }

    /// Requests for the account or for any of its candidates, in their own order.
    pub fn about(&self, account: Called<'_>, candidates: &[AccountIdentityRow]) -> Vec<About> {
        let mut found: BTreeMap<u32, bool> = BTreeMap::new();
        let id = folded(account.native_id);
        let texts = account.names.into_iter().flatten().chain(id.as_deref());
        let own = texts.filter_map(|t| self.by_text.get(t)).chain(candidates.iter().filter_map(|c| self.by_identity.get(&c.identity_ix)));
        found.extend(own.flatten().map(|at| (*at, true)));
        let workloads = candidates.iter().filter_map(|c| self.by_workload.get(&c.identity_ix)).flatten();
        for at in workloads {
            found.entry(*at).or_insert(false);
        }
        found.into_iter().map(|(at, own)| About { at, own }).collect()
    }

    /// No request can be found by any account.
    pub fn is_empty(&self) -> bool {
        self.by_text.is_empty() && self.by_identity.is_empty()
    }
}

/// What the words of requests name in a system.
pub fn named(
    approvals: &Approvals,
    system: &str,
    groups: &[GroupRow],
    entitlements: &[EntitlementRow],
    aliases: &[EntitlementAlias],
) -> Named {
    let (mut fits, words) = (BTreeMap::new(), approvals.words());
    if words.is_empty() {
        return fits;
    }
    let aliases: Vec<&EntitlementAlias> = aliases.iter().filter(|a| matches_system(&a.systems, system)).collect();
    let further = |name: &str| {
        let fits = aliases.iter().filter(|a| norm(&a.name).as_deref() == Some(name));
        fits.flat_map(|a| a.aliases.iter().filter_map(|x| norm(x))).collect::<BTreeSet<String>>()
    };
    let mut name = |grant: bool, at: usize, id: &str, name: Option<&str>| {
        let (id, at) = (folded(id), u32::try_from(at).unwrap_or(u32::MAX));
        for text in id.as_deref().into_iter().chain(name) {
            for word in further(text).iter().filter_map(|alias| words.get(alias)) {
                fits.entry((*word, grant, at)).or_insert(How::Alias);
            }
            if let Some(word) = words.get(text) {
                fits.insert((*word, grant, at), How::Entitlement);
            }
        }
    };
    groups.iter().enumerate().for_each(|(i, g)| name(false, i, &g.native_id, g.name_norm.as_deref()));
    entitlements.iter().enumerate().for_each(|(i, e)| name(true, i, &e.native_id, e.name_norm.as_deref()));
    fits
}

#[cfg(test)]
mod tests;
