//! The role catalogue: to whom each role is due, and which groups and entitlements it names.
//!
//! A role is one thing, however many records describe it: it gives all of its rights to everybody for whom all conditions of one of its
//! records hold. Records without a condition only add rights.

use std::collections::{BTreeMap, BTreeSet};

use super::{People, SystemInput};
use crate::model::text::norm;
use crate::model::{IdentityKind, ResourceRow, RoleModelRow, RoleSeenRow};

/// The role catalogue of one source.
#[derive(Clone, Debug, Default)]
pub struct CatalogueInput {
    pub system_ix: u32,
    pub rows: Vec<RoleModelRow>,
}

/// Any value of a condition, every system, every right.
const ANY: &str = "*";

/// The conditions of one record, all of which must hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    title: Option<String>,
    unit: Option<String>,
    holder: Option<Holder>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Holder {
    Anybody,
    One(u32),
    /// The reference names nobody, or several people: nobody is due the role by it.
    Unknown(String),
}

impl Due {
    /// `None`: no condition is stated.
    fn of(row: &RoleModelRow, people: &People) -> Option<Self> {
        let holder = row.holder_ref.as_deref().map(|text| match people.find(text).one() {
            _ if text.trim() == ANY => Holder::Anybody,
            Some(ix) => Holder::One(ix),
            None => Holder::Unknown(text.to_owned()),
        });
        let due = Self { title: row.title_norm.clone(), unit: row.org_unit_norm.clone(), holder };
        (due.title.is_some() || due.unit.is_some() || due.holder.is_some()).then_some(due)
    }

    fn holds(&self, identity_ix: u32, title: Option<&str>, unit: Option<&str>) -> bool {
        let agrees = |stated: &Option<String>, has: Option<&str>| stated.as_deref().is_none_or(|s| s == ANY || Some(s) == has);
        let holder = match &self.holder {
            None | Some(Holder::Anybody) => true,
            Some(Holder::One(ix)) => *ix == identity_ix,
            Some(Holder::Unknown(_)) => false,
        };
        holder && agrees(&self.title, title) && agrees(&self.unit, unit)
    }

    fn everybody(&self) -> bool {
        let open = |stated: &Option<String>| stated.as_deref().is_none_or(|s| s == ANY);
        open(&self.title) && open(&self.unit) && matches!(self.holder, None | Some(Holder::Anybody))
    }
}

/// A right as the catalogue writes it, normalised.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RightRef {
    /// `None`: the record names no system, so it names no right.
    system: Option<String>,
    target: String,
    /// `None`: on whatever.
    resource: Option<String>,
}

#[derive(Clone, Debug)]
struct Role {
    system_ix: u32,
    id: String,
    name: Option<String>,
    owner: Option<String>,
    dues: BTreeSet<Due>,
    rights: BTreeSet<RightRef>,
}

/// Every role of a run, by (source, id). A role is called by its position.
#[derive(Clone, Debug, Default)]
pub(super) struct Catalogue {
    roles: Vec<Role>,
    /// Roles due by a condition that names one person, by that person.
    personal: BTreeMap<u32, BTreeSet<usize>>,
    /// Roles due by other conditions.
    general: Vec<usize>,
}

impl Catalogue {
    pub fn new(sources: &[CatalogueInput], people: &People) -> Self {
        let mut roles: BTreeMap<(u32, &str), Role> = BTreeMap::new();
        for (source, row) in sources.iter().flat_map(|s| s.rows.iter().map(move |r| (s.system_ix, r))) {
            let role = roles.entry((source, &row.role)).or_insert_with(|| Role {
                system_ix: source,
                id: row.role.clone(),
                name: None,
                owner: None,
                dues: BTreeSet::new(),
                rights: BTreeSet::new(),
            });
            role.name = role.name.take().or_else(|| row.role_name.clone());
            role.owner = role.owner.take().or_else(|| row.owner_ref.clone());
            role.dues.extend(Due::of(row, people));
            role.rights.extend(row.entitlement_ref.as_deref().and_then(norm).map(|target| RightRef {
                system: row.system.as_deref().and_then(norm),
                target,
                resource: row.resource_ref.as_deref().and_then(norm).filter(|r| r != ANY),
            }));
        }
        let roles: Vec<Role> = roles.into_values().collect();
        let mut out = Self::default();
        for (i, role) in roles.iter().enumerate() {
            for due in &role.dues {
                if let Some(Holder::One(ix)) = due.holder {
                    out.personal.entry(ix).or_default().insert(i);
                }
            }
            if role.dues.iter().any(|d| !matches!(d.holder, Some(Holder::One(_) | Holder::Unknown(_)))) {
                out.general.push(i);
            }
        }
        out.roles = roles;
        out
    }

    /// The roles due to somebody with a normalised title and unit, ascending.
    pub fn due(&self, identity_ix: u32, title: Option<&str>, unit: Option<&str>) -> Vec<usize> {
        let personal = self.personal.get(&identity_ix).into_iter().flatten();
        let candidates: BTreeSet<usize> = personal.chain(&self.general).copied().collect();
        let due = |i: &usize| self.roles.get(*i).is_some_and(|r| r.dues.iter().any(|d| d.holds(identity_ix, title, unit)));
        candidates.into_iter().filter(due).collect()
    }

    /// The id of a role.
    pub fn id(&self, role: usize) -> &str {
        self.roles.get(role).map_or("", |r| &r.id)
    }

    pub fn names(&self, system: &str) -> bool {
        let system = norm(system);
        self.roles.iter().flat_map(|r| &r.rights).any(|r| r.system.is_some() && r.system == system)
    }

    /// Table `roles_seen`. `systems`: those of the run with what the roles name in them.
    pub fn rows(&self, people: &People, systems: &[(&SystemInput, Rights)]) -> Vec<RoleSeenRow> {
        let persons: Vec<(u32, Option<String>, Option<String>)> = people
            .rows()
            .iter()
            .filter(|i| matches!(i.kind, IdentityKind::Person | IdentityKind::External))
            .map(|i| (i.identity_ix, i.title.as_deref().and_then(norm), i.org_unit.as_deref().and_then(norm)))
            .collect();
        let mut due_to = vec![0_u32; self.roles.len()];
        for (ix, title, unit) in &persons {
            for role in self.due(*ix, title.as_deref(), unit.as_deref()) {
                due_to.iter_mut().skip(role).take(1).for_each(|n| *n += 1);
            }
        }
        let titles: BTreeSet<&str> = persons.iter().filter_map(|(_, t, _)| t.as_deref()).collect();
        let units: BTreeSet<&str> = persons.iter().filter_map(|(.., u)| u.as_deref()).collect();
        self.roles.iter().enumerate().zip(due_to).map(|((i, role), due_to)| role.row(i, due_to, &titles, &units, systems)).collect()
    }
}

impl Role {
    fn row(
        &self,
        position: usize,
        due_to: u32,
        titles: &BTreeSet<&str>,
        units: &BTreeSet<&str>,
        systems: &[(&SystemInput, Rights)],
    ) -> RoleSeenRow {
        let stated = |f: fn(&Due) -> Option<&String>| self.dues.iter().filter_map(f).filter(|t| *t != ANY).collect::<BTreeSet<_>>();
        let unheld = |stated: BTreeSet<&String>, held: &BTreeSet<&str>| count(stated.iter().filter(|t| !held.contains(t.as_str())));
        let unknown: BTreeSet<&String> =
            self.dues.iter().filter_map(|d| if let Some(Holder::Unknown(text)) = &d.holder { Some(text) } else { None }).collect();
        let here = |r: &RightRef| systems.iter().filter(|(s, _)| r.lies_in(&norm(&s.system))).map(|(s, _)| *s).collect::<Vec<_>>();
        let meets = |r: &RightRef, s: &SystemInput| systems.iter().any(|(t, rights)| t.system_ix == s.system_ix && rights.knows(r));
        let catch_all: Vec<&str> =
            systems.iter().filter(|(_, rights)| rights.is_catch_all(position)).map(|(s, _)| s.system.as_str()).collect();
        RoleSeenRow {
            system_ix: self.system_ix,
            role: self.id.clone(),
            role_name: self.name.clone(),
            owner_ref: self.owner.clone(),
            due_to,
            everybody: self.dues.iter().any(Due::everybody),
            unconditional: self.dues.is_empty(),
            titles_unheld: unheld(stated(|d| d.title.as_ref()), titles),
            org_units_unheld: unheld(stated(|d| d.unit.as_ref()), units),
            holders_unknown: count(unknown.iter()),
            rights: count(self.rights.iter()),
            rights_unknown: count(self.rights.iter().filter(|r| !here(r).is_empty() && !here(r).iter().any(|s| meets(r, s)))),
            rights_elsewhere: count(self.rights.iter().filter(|r| here(r).is_empty())),
            catch_all: (!catch_all.is_empty()).then(|| catch_all.join(",")),
        }
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

impl RightRef {
    fn lies_in(&self, system: &Option<String>) -> bool {
        self.system.as_deref() == Some(ANY) || self.system.is_some() && self.system == *system
    }
}

/// The groups and entitlements of one system by everything that names them.
struct Names {
    groups: BTreeMap<String, Vec<u32>>,
    entitlements: BTreeMap<String, Vec<u32>>,
}

impl Names {
    fn new(system: &SystemInput) -> Self {
        fn add(map: &mut BTreeMap<String, Vec<u32>>, ix: u32, native_id: &str, name: Option<&str>) {
            for key in BTreeSet::from([norm(native_id), name.and_then(norm)]).into_iter().flatten() {
                map.entry(key).or_default().push(ix);
            }
        }
        let mut out = Self { groups: BTreeMap::new(), entitlements: BTreeMap::new() };
        for g in &system.groups {
            add(&mut out.groups, g.group_ix, &g.native_id, g.name.as_deref());
        }
        for e in &system.entitlements {
            add(&mut out.entitlements, e.entitlement_ix, &e.native_id, e.name.as_deref());
        }
        out
    }
}

/// What a text names in a map; a trailing `*` stands for any rest.
fn named(map: &BTreeMap<String, Vec<u32>>, text: &str) -> BTreeSet<u32> {
    match text.strip_suffix(ANY) {
        None => map.get(text).into_iter().flatten().copied().collect(),
        Some(start) => {
            map.range(start.to_owned()..).take_while(|(key, _)| key.starts_with(start)).flat_map(|(_, ix)| ix.iter().copied()).collect()
        }
    }
}

/// Resources on which a role gives an entitlement.
#[derive(Clone, Debug, Default)]
struct On {
    whatever: bool,
    /// Normalised native ids or names, or the start of them before `*`.
    named: Vec<String>,
}

/// What one role names in one system.
#[derive(Clone, Debug, Default)]
struct Named {
    groups: BTreeSet<u32>,
    entitlements: BTreeMap<u32, On>,
    catch_all: bool,
}

/// What every role names in one system.
pub(super) struct Rights {
    by_role: BTreeMap<usize, Named>,
    known: BTreeSet<RightRef>,
    /// Native id and name of each resource, normalised.
    resources: Vec<Vec<String>>,
}

impl Rights {
    pub fn new(catalogue: &Catalogue, system: &SystemInput) -> Self {
        let (names, here) = (Names::new(system), norm(&system.system));
        let mut out = Self { by_role: BTreeMap::new(), known: BTreeSet::new(), resources: system.resources.iter().map(keys).collect() };
        for (i, role) in catalogue.roles.iter().enumerate() {
            for right in role.rights.iter().filter(|r| r.lies_in(&here)) {
                let (groups, entitlements) = (named(&names.groups, &right.target), named(&names.entitlements, &right.target));
                if !(groups.is_empty() && entitlements.is_empty()) {
                    out.known.insert(right.clone());
                }
                let everything = groups.len() == system.groups.len() && entitlements.len() == system.entitlements.len();
                let some = groups.len() + entitlements.len() > 1;
                let of_role = out.by_role.entry(i).or_default();
                let all = right.target == ANY || right.target.ends_with(ANY) && everything && some;
                of_role.catch_all |= all && right.resource.is_none();
                // What is given on one resource is not the group, which would give it on all.
                if right.resource.is_none() {
                    of_role.groups.extend(groups);
                }
                for ix in entitlements {
                    let on = of_role.entitlements.entry(ix).or_default();
                    match &right.resource {
                        None => on.whatever = true,
                        Some(resource) => on.named.push(resource.clone()),
                    }
                }
            }
        }
        out
    }

    fn knows(&self, right: &RightRef) -> bool {
        self.known.contains(right)
    }

    pub fn is_catch_all(&self, role: usize) -> bool {
        self.by_role.get(&role).is_some_and(|n| n.catch_all)
    }

    pub fn names_group(&self, role: usize, group_ix: u32) -> bool {
        self.by_role.get(&role).is_some_and(|n| n.groups.contains(&group_ix))
    }

    /// Whether a role gives an entitlement on a resource. One that is held on no resource in particular is given only on whatever.
    pub fn gives(&self, role: usize, entitlement_ix: u32, resource_ix: Option<u32>) -> bool {
        let Some(on) = self.by_role.get(&role).and_then(|n| n.entitlements.get(&entitlement_ix)) else { return false };
        let keys = resource_ix.and_then(|r| self.resources.get(r as usize));
        let fits = |pattern: &String| keys.is_some_and(|keys| keys.iter().any(|key| agrees(pattern, key)));
        on.whatever || on.named.iter().any(fits)
    }
}

fn keys(resource: &ResourceRow) -> Vec<String> {
    [Some(resource.native_id.as_str()), resource.name.as_deref()].into_iter().flatten().filter_map(norm).collect()
}

fn agrees(pattern: &str, key: &str) -> bool {
    pattern.strip_suffix(ANY).map_or(pattern == key, |start| key.starts_with(start))
}
