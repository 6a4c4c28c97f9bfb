//! What accounts can hold in a system, and the people of the run, as columns that rows refer to by their place.

use arrow::array::StringArray;

use super::super::load::System;
use crate::model::*;

/// Groups, then entitlements. A group stands with what it leads to.
pub(super) struct Targets {
    /// The place of the first entitlement.
    pub groups: u32,
    pub ids: StringArray,
    pub names: StringArray,
    pub levels: Vec<u8>,
    pub risks: StringArray,
    pub conditional: Vec<bool>,
    /// Of groups only.
    pub paths: StringArray,
    pub resources: StringArray,
}

impl Targets {
    pub fn new(system: &System, reach: &[GroupReachRow]) -> Self {
        let none = GroupReachRow::default();
        let led = || (0..system.groups.len()).map(|g| reach.get(g).unwrap_or(&none));
        let (groups, entitlements) = (&system.groups, &system.entitlements);
        let levels = led().map(|r| r.level).chain(entitlements.iter().map(|e| e.level));
        Self {
            groups: u32::try_from(groups.len()).unwrap_or(u32::MAX),
            ids: StringArray::from_iter_values(groups.iter().map(|g| &g.native_id).chain(entitlements.iter().map(|e| &e.native_id))),
            names: groups.iter().map(|g| g.name.as_deref()).chain(entitlements.iter().map(|e| e.name.as_deref())).collect(),
            levels: levels.map(Word::code).collect(),
            risks: led().map(|r| r.risks.as_deref()).chain(entitlements.iter().map(|e| e.risks.as_deref())).collect(),
            conditional: led().map(|r| r.conditional).chain(entitlements.iter().map(|e| e.conditional)).collect(),
            paths: led().map(|r| Some(r.path.as_str())).chain(entitlements.iter().map(|_| None)).collect(),
            resources: StringArray::from_iter_values(system.resources.iter().map(|r| &r.native_id)),
        }
    }
}

/// The identities of the run.
pub(super) struct People {
    pub ids: StringArray,
    pub names: StringArray,
    pub titles: StringArray,
    pub units: StringArray,
    pub kinds: Vec<u8>,
    pub left: Vec<bool>,
}

impl People {
    pub fn new(rows: &[RunIdentityRow]) -> Self {
        Self {
            ids: StringArray::from_iter_values(rows.iter().map(|i| &i.identity)),
            names: rows.iter().map(|i| i.display_name.as_deref()).collect(),
            titles: rows.iter().map(|i| i.title.as_deref()).collect(),
            units: rows.iter().map(|i| i.org_unit.as_deref()).collect(),
            kinds: rows.iter().map(|i| i.kind.code()).collect(),
            left: rows.iter().map(|i| i.left_by.is_some()).collect(),
        }
    }
}
