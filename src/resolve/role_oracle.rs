//! Slow and obviously right: how access lies to roles (11.8), by sets of words, on generated worlds. None of the stage's parts is used.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::model::{AccountRow, Effect, Fit, Level, MembershipKind, MembershipRow, RoleModelRow};

const GROUPS: u32 = 5;
const ENTITLEMENTS: u32 = 4;
const PEOPLE: u32 = 3;

#[derive(Clone, Debug)]
struct Estate {
    system: SystemInput,
    people: Vec<IdentityRow>,
    roles: Vec<RoleModelRow>,
}

/// What a role of the catalogue says, by its id.
fn records<'a>(estate: &'a Estate, id: &str) -> Vec<&'a RoleModelRow> {
    estate.roles.iter().filter(|r| r.role == id).collect()
}

fn is_due(estate: &Estate, role: &str, person: &IdentityRow) -> bool {
    records(estate, role).iter().any(|r| {
        let stated = [
            r.title_norm.as_ref().map(|t| t == "*" || Some(t) == person.title.as_ref()),
            r.org_unit_norm.as_ref().map(|u| u == "*" || Some(u) == person.org_unit.as_ref()),
            r.holder_ref.as_ref().map(|h| h == "*" || *h == person.native_id),
        ];
        stated.iter().any(Option::is_some) && stated.iter().all(|s| *s != Some(false))
    })
}

fn fits_name(pattern: &str, names: &[&str]) -> bool {
    names.iter().any(|name| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => *name == pattern,
    })
}

/// Whether a role names a group, or an entitlement on a resource.
fn names(estate: &Estate, role: &str, what: &[&str], on: Option<Option<u32>>) -> bool {
    records(estate, role).iter().filter(|r| r.system.as_deref() == Some("app")).any(|r| {
        let resource = match (&r.resource_ref, on) {
            (None, _) => true,
            (Some(_), None | Some(None)) => false,
            (Some(pattern), Some(Some(ix))) => fits_name(pattern, &[estate.system.resources[ix as usize].native_id.as_str()]),
        };
        resource && r.entitlement_ref.as_deref().is_some_and(|pattern| fits_name(pattern, what))
    })
}

/// Every group at or above one, by adding parents until nothing is added.
fn at_or_above(estate: &Estate, group: u32) -> BTreeSet<u32> {
    let mut found = BTreeSet::from([group]);
    loop {
        let more: BTreeSet<u32> = estate
            .system
            .memberships
            .iter()
            .filter(|m| m.member_group_ix.is_some_and(|g| found.contains(&g)))
            .map(|m| m.group_ix)
            .chain(found.iter().copied())
            .collect();
        if more == found {
            return found;
        }
        found = more;
    }
}

/// What a group and those above it give: `member of G`, or an entitlement with its resource.
fn leads_to(estate: &Estate, group: u32) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for g in at_or_above(estate, group) {
        let own = |x: &&GrantRow| x.group_ix == Some(g) && x.effect == Effect::Allow;
        let row = &estate.system.groups[g as usize];
        let granted: Vec<&GrantRow> = estate.system.grants.iter().filter(own).collect();
        found.extend(granted.iter().map(|x| right(x.entitlement_ix, x.resource_ix)));
        let by_itself = match row.level {
            Level::None => false,
            Level::Unknown => granted.is_empty(),
            _ => true,
        };
        if by_itself {
            found.insert(format!("member of {}", row.native_id));
        }
    }
    found
}

fn right(entitlement: u32, resource: Option<u32>) -> String {
    resource.map_or(format!("e{entitlement}"), |r| format!("e{entitlement} on x{r}"))
}

/// What a role gives of what a group leads to; `None`: it names nothing of it.
fn given(estate: &Estate, role: &str, group: u32) -> Option<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut spoke = false;
    for g in at_or_above(estate, group) {
        if names(estate, role, &[&estate.system.groups[g as usize].native_id], None) {
            spoke = true;
            found.extend(leads_to(estate, g));
        }
        for x in estate.system.grants.iter().filter(|x| x.group_ix == Some(g) && x.effect == Effect::Allow) {
            let e = &estate.system.entitlements[x.entitlement_ix as usize].native_id;
            if names(estate, role, &[e], Some(x.resource_ix)) {
                spoke = true;
                found.insert(right(x.entitlement_ix, x.resource_ix));
            }
        }
    }
    spoke.then_some(found)
}

/// (fit, roles that speak, excess) of one edge and person.
fn slowly(estate: &Estate, person: &IdentityRow, edge: &str, ix: u32) -> (Fit, BTreeSet<String>, BTreeSet<String>) {
    let all: BTreeSet<&str> = estate.roles.iter().map(|r| r.role.as_str()).collect();
    let due: Vec<&str> = all.into_iter().filter(|r| is_due(estate, r, person)).collect();
    let mut speak = BTreeSet::new();
    let (wanted, whole, got): (BTreeSet<String>, bool, BTreeSet<String>) = if edge == "grant" {
        let x = &estate.system.grants[ix as usize];
        let own = right(x.entitlement_ix, x.resource_ix);
        let e = &estate.system.entitlements[x.entitlement_ix as usize].native_id;
        speak.extend(due.iter().filter(|r| names(estate, r, &[e], Some(x.resource_ix))).map(|r| (*r).to_owned()));
        let got = if speak.is_empty() { BTreeSet::new() } else { BTreeSet::from([own.clone()]) };
        (BTreeSet::from([own]), false, got)
    } else {
        let group = estate.system.memberships[ix as usize].group_ix;
        let id = &estate.system.groups[group as usize].native_id;
        let mut got = BTreeSet::new();
        for role in &due {
            if let Some(gives) = given(estate, role, group) {
                speak.insert((*role).to_owned());
                got.extend(gives);
            }
        }
        let whole = due.iter().any(|r| names(estate, r, &[id], None));
        (leads_to(estate, group), whole, got)
    };
    let lacking: BTreeSet<String> = wanted.difference(&got).cloned().collect();
    let fit = match () {
        () if due.is_empty() => Fit::NoRole,
        () if whole || lacking.is_empty() => Fit::Inside,
        () if lacking.len() < wanted.len() => Fit::Partly,
        () => Fit::Outside,
    };
    let excess = match fit {
        Fit::Inside => BTreeSet::new(),
        _ if lacking.is_empty() => BTreeSet::from([format!("member of g{}", estate.system.memberships[ix as usize].group_ix)]),
        _ => lacking,
    };
    (fit, speak, excess)
}

fn any_level() -> impl Strategy<Value = Level> {
    prop::sample::select(&[Level::Unknown, Level::None, Level::None, Level::Admin][..])
}

fn any_membership() -> impl Strategy<Value = MembershipRow> {
    (any::<bool>(), 0..GROUPS, 0..PEOPLE, 0..GROUPS, prop::bool::weighted(0.2)).prop_map(|(nested, member, account, group_ix, primary)| {
        MembershipRow {
            member_group_ix: nested.then_some(member),
            account_ix: (!nested).then_some(account),
            group_ix,
            kind: if primary { MembershipKind::Primary } else { MembershipKind::Direct },
            ..MembershipRow::default()
        }
    })
}

fn any_grant() -> impl Strategy<Value = GrantRow> {
    let effect = prop::sample::select(&[Effect::Allow, Effect::Allow, Effect::Allow, Effect::Deny][..]);
    (any::<bool>(), 0..PEOPLE, 0..GROUPS, 0..ENTITLEMENTS, prop::option::weighted(0.3, 0_u32..2), effect).prop_map(
        |(own, account, group, entitlement_ix, resource_ix, effect)| GrantRow {
            account_ix: own.then_some(account),
            group_ix: (!own).then_some(group),
            entitlement_ix,
            resource_ix,
            effect,
            ..GrantRow::default()
        },
    )
}

fn any_record() -> impl Strategy<Value = RoleModelRow> {
    let word = |words: &'static [&'static str]| prop::option::weighted(0.4, prop::sample::select(words)).prop_map(|w| w.map(str::to_owned));
    let rights = prop::sample::select(&["g0", "g1", "g2", "g*", "e0", "e1", "e2", "e*", "*", "e1*", "q"][..]);
    let right = prop::option::weighted(0.8, (rights, prop::sample::select(&["app", "app", "app", "else"][..])));
    let resource = prop::option::weighted(0.2, prop::sample::select(&["x0", "x*"][..]));
    let ids = prop::sample::select(&["r0", "r1", "r2"][..]);
    (ids, word(&["t0", "t1", "*"]), word(&["u0", "u1", "*"]), word(&["p0", "p1", "*", "nobody"]), right, resource).prop_map(
        |(role, title_norm, org_unit_norm, holder_ref, right, resource)| RoleModelRow {
            role: role.to_owned(),
            title_norm,
            org_unit_norm,
            holder_ref,
            system: right.map(|(_, s)| s.to_owned()),
            entitlement_ref: right.map(|(e, _)| e.to_owned()),
            resource_ref: resource.map(str::to_owned),
            ..RoleModelRow::default()
        },
    )
}

fn any_estate() -> impl Strategy<Value = Estate> {
    let post = (prop::option::of(0_u32..2), prop::option::of(0_u32..2));
    (
        prop::collection::vec(any_level(), GROUPS as usize),
        prop::collection::vec(any_membership(), 0..14),
        prop::collection::vec(any_grant(), 0..10),
        prop::collection::vec(post, PEOPLE as usize),
        prop::collection::vec(any_record(), 0..8),
    )
        .prop_map(|(levels, mut memberships, mut grants, posts, roles)| {
            (0..).zip(&mut memberships).for_each(|(i, m)| m.membership_ix = i);
            (0..).zip(&mut grants).for_each(|(i, g)| g.grant_ix = i);
            let people = (0..)
                .zip(posts)
                .map(|(i, (title, unit))| IdentityRow {
                    identity_ix: i,
                    native_id: format!("p{i}"),
                    employee_number: Some(format!("{i}")),
                    title: title.map(|t| format!("t{t}")),
                    org_unit: unit.map(|u| format!("u{u}")),
                    ..IdentityRow::default()
                })
                .collect();
            let account =
                |i| AccountRow { account_ix: i, native_id: format!("a{i}"), employee_ref: Some(format!("{i}")), ..AccountRow::default() };
            let system = SystemInput {
                system_ix: 1,
                system: "app".to_owned(),
                accounts: (0..PEOPLE).map(account).collect(),
                groups: (0..)
                    .zip(levels)
                    .map(|(i, level)| GroupRow { group_ix: i, native_id: format!("g{i}"), level, ..GroupRow::default() })
                    .collect(),
                entitlements: (0..ENTITLEMENTS)
                    .map(|i| EntitlementRow { entitlement_ix: i, native_id: format!("e{i}"), ..EntitlementRow::default() })
                    .collect(),
                resources: (0..2).map(|i| ResourceRow { resource_ix: i, native_id: format!("x{i}"), ..ResourceRow::default() }).collect(),
                memberships,
                grants,
                ..SystemInput::default()
            };
            Estate { system, people, roles }
        })
}

fn split(text: Option<&str>) -> BTreeSet<String> {
    text.iter().flat_map(|t| t.split("; ")).map(str::to_owned).collect()
}

proptest! {
    #[test]
    fn role_fit_equals_sets_of_words(estate in any_estate()) {
        let authority = AuthorityInput { identities: estate.people.clone(), ..AuthorityInput::default() };
        let systems = std::slice::from_ref(&estate.system);
        let resolved = resolve(systems, &[authority], &Settings::default()).unwrap();
        let catalogue = CatalogueInput { system_ix: 2, rows: estate.roles.clone() };
        let found = fits(systems, &resolved.people, &resolved.account_identity, &[catalogue], &[], &Settings::default()).unwrap();
        let mut want = BTreeMap::new();
        if estate.roles.iter().any(|r| r.system.as_deref() == Some("app")) {
            for (account, person) in (0_u32..).zip(&estate.people) {
                for g in estate.system.grants.iter().filter(|g| g.account_ix == Some(account) && g.effect == Effect::Allow) {
                    want.insert((account, "grant", g.grant_ix), slowly(&estate, person, "grant", g.grant_ix));
                }
                for m in estate.system.memberships.iter().filter(|m| m.account_ix == Some(account) && m.kind == MembershipKind::Direct) {
                    want.insert((account, "membership", m.membership_ix), slowly(&estate, person, "membership", m.membership_ix));
                }
            }
        }
        let have: BTreeMap<_, _> = found.rows.iter().map(|r| {
            ((r.account_ix, r.edge.as_str(), r.edge_ix), (r.fit, split(r.roles.as_deref()), split(r.excess.as_deref())))
        }).collect();
        prop_assert_eq!(have.len(), found.rows.len());
        prop_assert_eq!(have, want);
    }
}
