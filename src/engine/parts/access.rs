//! The view `access` of a cut: memberships and grants of each account, in the order of the accounts.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, UInt8Array, UInt32Array};
use arrow::buffer::BooleanBuffer;

use super::columns::{below, coded, codes, engine, gather, instant, number, over, spellings, unknown};
use super::held::are;
use super::{Columns, V_ACCESS};
use crate::model::Level;
use crate::sql::SqlError;

/// Which rows the view has, and in which order.
pub(super) struct Order {
    /// Places of the memberships that count; `None`: all of them.
    memberships: Option<UInt32Array>,
    grants: Option<UInt32Array>,
    /// Places in the memberships that count with the grants that count below them; `None`: as they stand.
    pick: Option<UInt32Array>,
    account_ix: UInt32Array,
    /// What is held, by its place among the targets.
    target: UInt32Array,
    /// Memberships among the rows as they stand, before they are picked.
    members: usize,
}

impl Order {
    pub fn len(&self) -> usize {
        self.account_ix.len()
    }

    /// The account of each row.
    pub fn accounts(&self) -> &UInt32Array {
        &self.account_ix
    }

    /// Whether each row is a grant, else a membership.
    pub fn grants(&self) -> Vec<bool> {
        match &self.pick {
            Some(pick) => pick.values().iter().map(|at| *at as usize >= self.members).collect(),
            None => (0..self.len()).map(|at| at >= self.members).collect(),
        }
    }

    /// The group or the entitlement of each row; `groups`: how many there are among the targets, which they lead.
    pub fn held(&self, groups: u32) -> UInt32Array {
        let of = |(target, grant): (&u32, bool)| if grant { target.saturating_sub(groups) } else { *target };
        UInt32Array::from_iter_values(self.target.values().iter().zip(self.grants()).map(of))
    }

    /// A column of the rows of both kinds, in order.
    fn arrange(&self, memberships: &ArrayRef, grants: &ArrayRef) -> Result<ArrayRef, SqlError> {
        let kept = |column: &ArrayRef, places: &Option<UInt32Array>| match places {
            Some(places) => gather(column, places),
            None => Ok(Arc::clone(column)),
        };
        let (memberships, grants) = (kept(memberships, &self.memberships)?, kept(grants, &self.grants)?);
        let both = match (memberships.len(), grants.len()) {
            (_, 0) => memberships,
            (0, _) => grants,
            _ => below(&memberships, &grants)?,
        };
        match &self.pick {
            Some(pick) => gather(&both, pick),
            None => Ok(both),
        }
    }
}

/// The places at which `keep` holds; `None`: at all of them.
pub(super) fn places(keep: impl ExactSizeIterator<Item = bool>) -> Option<UInt32Array> {
    let keep: BooleanBuffer = keep.collect();
    (keep.count_set_bits() < keep.len()).then(|| UInt32Array::from_iter_values(keep.set_indices_u32()))
}

/// Merges two ascending columns, the first before the second where they are equal; `None`: they already stand so.
fn merged(first: &UInt32Array, second: &UInt32Array) -> Option<UInt32Array> {
    let (a, b) = (first.values(), second.values());
    if b.first().zip(a.last()).is_none_or(|(b, a)| a <= b) {
        return None;
    }
    let mut out = Vec::with_capacity(a.len() + b.len());
    let (mut i, mut j) = (0, 0);
    let below = u32::try_from(a.len()).unwrap_or(u32::MAX);
    loop {
        match (a.get(i as usize), b.get(j as usize)) {
            (Some(x), Some(y)) if x > y => {
                out.push(below + j);
                j += 1;
            }
            (Some(_), _) => {
                out.push(i);
                i += 1;
            }
            (None, Some(_)) => {
                out.push(below + j);
                j += 1;
            }
            (None, None) => return Some(UInt32Array::from(out)),
        }
    }
}

impl Columns<'_> {
    pub(super) fn order(&self) -> Result<&Order, SqlError> {
        self.order.get_or_init(|| self.ordered()).as_ref().map_err(|e| SqlError::Engine(e.to_string()))
    }

    fn ordered(&self) -> Result<Order, SqlError> {
        if self.cut.from == self.cut.to {
            let none = || UInt32Array::from(Vec::<u32>::new());
            return Ok(Order {
                memberships: Some(none()),
                grants: Some(none()),
                pick: None,
                account_ix: none(),
                target: none(),
                members: 0,
            });
        }
        let targets = self.targets();
        let all = u32::try_from(targets.ids.len()).unwrap_or(u32::MAX);
        let group = self.memberships.ordinals("group_ix")?;
        let counts = are(&self.memberships.column("kind")?, &["direct", "assume"])?;
        let memberships = places(counts.iter().zip(group.values()).map(|(counts, g)| *counts && *g < targets.groups));
        let entitlement: UInt32Array =
            self.grants.ordinals("entitlement_ix")?.iter().map(|e| e.and_then(|e| e.checked_add(targets.groups))).collect();
        let allows = are(&self.grants.column("effect")?, &["allow"])?;
        let grants = places(allows.iter().zip(entitlement.values()).map(|(allows, e)| *allows && *e < all));
        let kept = |column: UInt32Array, places: &Option<UInt32Array>| match places {
            Some(places) => places.values().iter().filter_map(|p| column.values().get(*p as usize).copied()).collect(),
            None => column,
        };
        let owner = [kept(self.memberships.ordinals("account_ix")?, &memberships), kept(self.grants.ordinals("account_ix")?, &grants)];
        let [of_members, of_grants] = &owner;
        let (members, pick) = (of_members.len(), merged(of_members, of_grants));
        let mut order = Order { memberships: None, grants: None, pick, account_ix: owner[0].clone(), target: owner[0].clone(), members };
        let arrange = |a: UInt32Array, b: UInt32Array| -> Result<UInt32Array, SqlError> {
            let column = order.arrange(&(Arc::new(a) as ArrayRef), &(Arc::new(b) as ArrayRef))?;
            Ok(arrow::array::AsArray::as_primitive::<arrow::datatypes::UInt32Type>(&column).clone())
        };
        let account_ix = arrange(of_members.clone(), of_grants.clone())?;
        let target = arrange(kept(group, &memberships), kept(entitlement, &grants))?;
        (order.account_ix, order.target, order.memberships, order.grants) = (account_ix, target, memberships, grants);
        Ok(order)
    }

    pub(super) fn access(&self, column: &str) -> Result<ArrayRef, SqlError> {
        let order = self.order()?;
        let (targets, rows) = (self.targets(), order.len());
        let stored = |of_members: &str, of_grants: &str| {
            if rows == 0 {
                let ty = V_ACCESS.columns.iter().find(|c| c.name == column).map(|c| c.ty.arrow());
                return ty.map(|ty| arrow::array::new_empty_array(&ty)).ok_or_else(|| unknown(V_ACCESS.name, column));
            }
            order.arrange(&self.memberships.column(of_members)?, &self.grants.column(of_grants)?)
        };
        let target = || order.target.clone();
        Ok(match column {
            "system_ix" => number(self.cut.system_ix, rows),
            "account_ix" => Arc::new(order.account_ix.clone()),
            "observed_at" => instant(self.context.seen.observed_at, rows),
            "edge" => coded(UInt8Array::from_iter_values(order.grants().into_iter().map(u8::from)), &["membership", "grant"]),
            "edge_ix" => stored("membership_ix", "grant_ix")?,
            "target" => over(target(), &targets.ids),
            "target_name" => over(target(), &targets.names),
            "level" => codes(&order.target, &targets.levels, &spellings::<Level>()),
            "risks" => over(target(), &targets.risks),
            "path" => over(target(), &targets.paths),
            "conditional" => {
                let condition = stored("condition", "condition")?;
                let of_target = |t: &u32| targets.conditional.get(*t as usize).copied().unwrap_or(false);
                let of_target: BooleanBuffer = order.target.values().iter().map(of_target).collect();
                let own = condition.nulls().map_or_else(|| BooleanBuffer::new_set(rows), |nulls| nulls.inner().clone());
                Arc::new(BooleanArray::new(&of_target | &own, None))
            }
            "resource" => {
                let none: ArrayRef = Arc::new(UInt32Array::new_null(self.memberships.len()));
                let places = order.arrange(&none, &self.grants.column("resource_ix")?)?;
                let places = arrow::array::AsArray::as_primitive_opt::<arrow::datatypes::UInt32Type>(&places).cloned();
                over(places.ok_or_else(|| engine("`resource_ix` holds no ordinals"))?, &targets.resources)
            }
            "granted_at" | "expires_at" | "request_ref" => stored(column, column)?,
            other => return Err(unknown(V_ACCESS.name, other)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sorted_columns_merge_and_the_first_goes_first() {
        let column = |v: &[u32]| UInt32Array::from(v.to_vec());
        let pick = |a: &[u32], b: &[u32]| merged(&column(a), &column(b)).map(|p| p.values().to_vec());
        assert_eq!(pick(&[1, 2, 2, 5], &[2, 3]), Some(vec![0, 1, 2, 4, 5, 3]));
        assert_eq!(pick(&[1, 2], &[2, 3]), None);
        assert_eq!(pick(&[], &[2]), None);
        assert_eq!(pick(&[7], &[]), None);
        assert_eq!(pick(&[7], &[1]), Some(vec![1, 0]));
        assert_eq!(places([true, false, true].into_iter()).map(|p| p.values().to_vec()), Some(vec![0, 2]));
        assert!(places([true, true].into_iter()).is_none());
    }
}
