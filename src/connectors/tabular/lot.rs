//! What some records of a list of accounts, memberships or grants come to by themselves: made on any thread, joined in the order of the file.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use super::access::{Edge, Right, granted, listed, membership, packed_account};
use super::fields::Into;
use super::mapping::Plan;
use super::names::is_type_name;
use super::records::{Binding, Cells, Halt, Maker, Place, Raw, Texts};
use super::row::{Met, Row, Stop};
use super::{reject, text_of};
use crate::connectors::keys::{Hashes, Key};
use crate::connectors::{DraftGrant, DraftMembership, Origin, Reject, pile};
use crate::model::Level;
use crate::model::pack::Pack;

/// Packed rows.
#[derive(Debug, Default)]
pub struct Block {
    pub bytes: Vec<u8>,
    pub rows: u64,
}

impl Block {
    fn push(&mut self, row: &impl Pack) {
        self.row(|to| row.pack(to));
    }

    /// Adds the row that `pack` writes.
    pub fn row(&mut self, pack: impl FnOnce(&mut Vec<u8>)) {
        pile::frame(&mut self.bytes, pack);
        self.rows += 1;
    }
}

/// What records say of an entitlement that they give.
#[derive(Debug)]
pub struct Said {
    pub first: Origin,
    pub level: Level,
    pub kind: Option<String>,
}

/// Some records, in the order of the file.
#[derive(Debug, Default)]
pub struct Lot {
    pub read: u64,
    pub accepted: u64,
    pub skipped: u64,
    /// Columns that hold names of types where values should be.
    pub hollow: BTreeSet<usize>,
    pub rejects: Vec<Reject>,
    pub grants: Block,
    pub memberships: Block,
    /// First mention of each. Nothing depends on their order.
    pub groups: HashMap<String, Origin>,
    pub resources: HashMap<String, Origin>,
    pub entitlements: HashMap<String, Said>,
    /// Rows of accounts, which are joined to those before them, and their packed form.
    pub accounts: Vec<Lined>,
    pub packed: Vec<u8>,
    dates: Met,
}

/// One row of a list of accounts. What it gives lies in the blocks of its lot.
#[derive(Debug)]
pub struct Lined {
    pub place: Place,
    pub origin: Origin,
    pub cells: Texts,
    pub key: Key,
    pub tag: u64,
    /// Where in [`Lot::packed`].
    pub row: Range<usize>,
    /// The account whose secret was met, and its fingerprint where there is a key.
    pub secret: Option<(String, Option<String>)>,
}

/// Reads records of one file under its mapping.
pub struct Mapper {
    pub plan: std::sync::Arc<Plan>,
    pub binding: std::sync::Arc<Binding>,
    pub key: Option<Vec<u8>>,
    pub hashes: Hashes,
    pub file: u32,
}

impl Mapper {
    /// Whether records of this table are worth a maker: those of which there are millions.
    pub fn serves(table: Into) -> bool {
        matches!(table, Into::Accounts | Into::Memberships | Into::Grants)
    }

    fn take(&self, row: &Row<'_>, place: Place, cells: &Texts, lot: &mut Lot) -> Result<(), Stop> {
        let origin = Origin { file: self.file, unit: place.unit, number: place.number };
        if row.skipped()? {
            lot.skipped += 1;
            lot.accepted += 1;
            return Ok(());
        }
        row.check_required()?;
        match self.plan.target.table {
            Into::Accounts => {
                let mut found = listed(row, self.key.as_deref())?;
                found.line(origin, lot);
                let from = lot.packed.len();
                let (key, tag) = packed_account(&found.account, origin, &self.hashes, &mut lot.packed);
                let secret = found.secret.take().map(|fingerprint| (found.account.native_id, fingerprint));
                lot.accounts.push(Lined { place, origin, cells: cells.clone(), key, tag, row: from..lot.packed.len(), secret });
                return Ok(());
            }
            Into::Memberships => {
                let Edge { holder, to, row } = membership(row)?;
                mention(&mut lot.groups, &to, origin);
                lot.memberships.push(&DraftMembership { row, member: holder, group: to, origin });
            }
            _ => {
                let (Edge { holder, to: right, row }, resource) = granted(row)?;
                say(&mut lot.entitlements, &right, origin);
                if let Some(resource) = &resource {
                    mention(&mut lot.resources, resource, origin);
                }
                lot.grants.push(&DraftGrant { row, holder, entitlement: right.entitlement, resource, origin });
            }
        }
        lot.accepted += 1;
        Ok(())
    }
}

impl Maker for Mapper {
    fn make(&self, place: Place, cells: &Texts, lot: &mut Lot) -> Result<(), Halt> {
        lot.read += 1;
        hollow(&self.plan, &self.binding, Cells::Text(cells), &mut lot.hollow);
        let dates = std::mem::take(&mut lot.dates);
        let row = Row { plan: &self.plan, binding: &self.binding, cells: Cells::Text(cells), dates: Some(&dates) };
        let taken = self.take(&row, place, cells, lot);
        lot.dates = dates;
        match taken {
            Ok(()) => Ok(()),
            Err(Stop::Reject(fault)) => {
                let origin = Origin { file: self.file, unit: place.unit, number: place.number };
                lot.rejects.push(reject(origin, place, fault, text_of(Cells::Text(cells)).as_deref()));
                Ok(())
            }
            Err(Stop::Options { message, help }) => {
                Err(Halt::Options { message: format!("{} {}: {message}", place.unit, place.number), help })
            }
        }
    }
}

/// Notes the columns of a record that hold the name of a type.
pub fn hollow(plan: &Plan, binding: &Binding, cells: Cells<'_>, found: &mut BTreeSet<usize>) {
    for column in 0..plan.columns.len() {
        if matches!(binding.get(&cells, column), Raw::Text(text) if is_type_name(text.trim())) {
            found.insert(column);
        }
    }
}

/// Notes the first mention of something.
pub fn mention(known: &mut HashMap<String, Origin>, id: &str, origin: Origin) {
    if !known.contains_key(id) {
        known.insert(id.to_owned(), origin);
    }
}

/// Notes what a record says of a right.
pub fn say(known: &mut HashMap<String, Said>, right: &Right, origin: Origin) {
    let said = match known.get_mut(&right.entitlement) {
        Some(said) => said,
        None => known.entry(right.entitlement.clone()).or_insert(Said { first: origin, level: right.level, kind: None }),
    };
    said.level = said.level.max(right.level);
    if right.kind.is_some() {
        said.kind.clone_from(&right.kind);
    }
}
