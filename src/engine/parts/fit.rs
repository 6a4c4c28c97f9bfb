//! The view `access_fit` of a cut.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, TimestampMicrosecondArray, UInt32Array};
use arrow::datatypes::TimestampMicrosecondType;

use super::columns::{codes, flags, instant, labels, number, over, runs, spellings, unknown, words};
use super::{Columns, V_ACCESS_FIT};
use crate::model::{Level, RoleFitRow, Time};
use crate::sql::SqlError;

/// Rows of `role_fit` whose candidate and edge are known.
pub(super) struct Fits<'r> {
    rows: Vec<&'r RoleFitRow>,
    /// What each edge leads to, by its place among the targets.
    target: UInt32Array,
}

impl Fits<'_> {
    pub fn len(&self) -> usize {
        self.rows.len()
    }
}

fn is_membership(row: &RoleFitRow) -> bool {
    row.edge == "membership"
}

impl<'p> Columns<'p> {
    pub(super) fn fits(&self) -> Result<&Fits<'p>, SqlError> {
        self.fits.get_or_init(|| self.found_fits()).as_ref().map_err(|e| SqlError::Engine(e.to_string()))
    }

    fn found_fits(&self) -> Result<Fits<'p>, SqlError> {
        let all = self.context.fit;
        let before = |limit: u32| all.partition_point(|r| r.account_ix < limit);
        let own = all.get(before(self.cut.from)..before(self.cut.to)).unwrap_or_default();
        if own.is_empty() {
            return Ok(Fits { rows: Vec::new(), target: UInt32Array::from(Vec::<u32>::new()) });
        }
        let system = self.context.system;
        let (group, entitlement) = (self.memberships.ordinals("group_ix")?, self.grants.ordinals("entitlement_ix")?);
        let groups = self.targets().groups;
        let known = system.groups.len().min(self.context.reach.len());
        let target = |row: &RoleFitRow| {
            let ix = row.edge_ix as usize;
            if is_membership(row) {
                let of_table = || system.memberships.get(ix).map(|m| m.group_ix);
                let g = self.memberships.place(ix).map_or_else(of_table, |at| group.values().get(at).copied())?;
                return ((g as usize) < known).then_some(g);
            }
            let of_table = || system.grants.get(ix).map(|g| g.entitlement_ix);
            let e = self.grants.place(ix).map_or_else(of_table, |at| entitlement.values().get(at).copied())?;
            if (e as usize) < system.entitlements.len() { e.checked_add(groups) } else { None }
        };
        let people = self.context.identities.len();
        let found = own.iter().filter(|r| (r.identity_ix as usize) < people).filter_map(|r| Some((r, target(r)?)));
        let (rows, target): (Vec<&RoleFitRow>, Vec<u32>) = found.unzip();
        Ok(Fits { rows, target: target.into() })
    }

    /// When each edge was granted.
    fn granted_at(&self, fits: &Fits<'_>) -> Result<ArrayRef, SqlError> {
        let system = self.context.system;
        let (members, grants) = (self.memberships.column("granted_at")?, self.grants.column("granted_at")?);
        let at = |column: &ArrayRef, at: usize| {
            let times = column.as_primitive_opt::<TimestampMicrosecondType>()?;
            (at < times.len() && times.is_valid(at)).then(|| times.value(at))
        };
        let of = |row: &&RoleFitRow| {
            let ix = row.edge_ix as usize;
            let (place, column) =
                if is_membership(row) { (self.memberships.place(ix), &members) } else { (self.grants.place(ix), &grants) };
            match place {
                Some(place) => at(column, place),
                None if is_membership(row) => system.memberships.get(ix).and_then(|m| m.granted_at).map(Time::micros),
                None => system.grants.get(ix).and_then(|g| g.granted_at).map(Time::micros),
            }
        };
        Ok(Arc::new(fits.rows.iter().map(of).collect::<TimestampMicrosecondArray>()))
    }

    /// On what each edge gives a right.
    fn resource_ix(&self, fits: &Fits<'_>) -> Result<UInt32Array, SqlError> {
        let stored = self.grants.ordinals("resource_ix")?;
        let of = |row: &&RoleFitRow| {
            let ix = row.edge_ix as usize;
            match self.grants.place(ix) {
                _ if is_membership(row) => None,
                Some(at) => (at < stored.len() && stored.is_valid(at)).then(|| stored.value(at)),
                None => self.context.system.grants.get(ix).and_then(|g| g.resource_ix),
            }
        };
        Ok(fits.rows.iter().map(of).collect())
    }

    pub(super) fn fit(&self, column: &str) -> Result<ArrayRef, SqlError> {
        let (fits, people, targets) = (self.fits()?, self.parts.people(), self.targets());
        let rows = || fits.rows.iter();
        let ordinals = |of: fn(&RoleFitRow) -> u32| -> ArrayRef { Arc::new(UInt32Array::from_iter_values(rows().map(|r| of(r)))) };
        let target = || fits.target.clone();
        let who = || UInt32Array::from_iter_values(rows().map(|r| r.identity_ix));
        Ok(match column {
            "system_ix" => number(self.cut.system_ix, fits.len()),
            "account_ix" => ordinals(|r| r.account_ix),
            "edge" => labels(rows().map(|r| r.edge.as_str())),
            "edge_ix" => ordinals(|r| r.edge_ix),
            "rank" => ordinals(|r| r.rank),
            "identity_ix" => ordinals(|r| r.identity_ix),
            "identity_name" => over(who(), &people.names),
            "title" => over(who(), &people.titles),
            "org_unit" => over(who(), &people.units),
            "target" => over(target(), &targets.ids),
            "target_name" => over(target(), &targets.names),
            "level" => codes(&fits.target, &targets.levels, &spellings::<Level>()),
            "resource" => over(self.resource_ix(fits)?, &targets.resources),
            "granted_at" => self.granted_at(fits)?,
            "fit" => words(rows().map(|r| r.fit)),
            "roles_due" => ordinals(|r| r.roles_due),
            "roles" => runs(rows().map(|r| r.roles.as_deref())),
            "excess" => runs(rows().map(|r| r.excess.as_deref())),
            "excess_count" => ordinals(|r| r.excess_count),
            "catch_all" => flags(rows().map(|r| r.catch_all)),
            "observed_at" => instant(self.context.seen.observed_at, fits.len()),
            other => return Err(unknown(V_ACCESS_FIT.name, other)),
        })
    }
}
