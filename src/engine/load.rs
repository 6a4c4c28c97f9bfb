//! The snapshots of a run, in memory.

use std::collections::BTreeSet;

use crate::model::*;
use crate::store::table_file::read;
use crate::store::{Manifest, Snapshot, StoreError};

/// One current snapshot with the tables that a run reads.
#[derive(Debug)]
pub struct System {
    pub ix: u32,
    pub name: String,
    pub snapshot: String,
    pub manifest: Manifest,
    pub covers: BTreeSet<String>,
    pub accounts: Vec<AccountRow>,
    pub groups: Vec<GroupRow>,
    pub memberships: Vec<MembershipRow>,
    pub entitlements: Vec<EntitlementRow>,
    pub statements: Vec<StatementRow>,
    pub resources: Vec<ResourceRow>,
    pub grants: Vec<GrantRow>,
    pub credentials: Vec<CredentialRow>,
    pub identities: Vec<IdentityRow>,
    pub employments: Vec<EmploymentRow>,
    pub exceptions: Vec<ExceptionRow>,
    pub register: Vec<SystemRow>,
    pub rejects: Vec<RejectRow>,
    origins: Vec<OriginRow>,
}

impl System {
    /// Reads a sealed snapshot.
    ///
    /// # Errors
    /// A table is missing or damaged.
    pub fn load(ix: u32, snapshot: &Snapshot) -> Result<Self, StoreError> {
        let dir = &snapshot.dir;
        Ok(Self {
            ix,
            name: snapshot.manifest.system.clone(),
            snapshot: snapshot.name.clone(),
            covers: snapshot.manifest.covers.iter().cloned().collect(),
            manifest: snapshot.manifest.clone(),
            accounts: read(dir)?,
            groups: read(dir)?,
            memberships: read(dir)?,
            entitlements: read(dir)?,
            statements: read(dir)?,
            resources: read(dir)?,
            grants: read(dir)?,
            credentials: read(dir)?,
            identities: read(dir)?,
            employments: read(dir)?,
            exceptions: read(dir)?,
            register: read(dir)?,
            rejects: read(dir)?,
            origins: read(dir)?,
        })
    }

    /// The instant at which everything in it is judged.
    pub fn observed_at(&self) -> Time {
        self.manifest.taken_at
    }

    /// The origins of a row, in the order of (fact, file, number).
    pub fn origins(&self, table: &str, row: u32) -> impl Iterator<Item = &OriginRow> {
        let from = self.origins.partition_point(|o| (o.table.as_str(), o.row) < (table, row));
        self.origins.iter().skip(from).take_while(move |o| o.table == table && o.row == row)
    }

    /// How reports name a file of this snapshot.
    pub fn file_label(&self, file_ix: u32) -> String {
        self.manifest.files.get(file_ix as usize).map_or_else(|| "?".to_owned(), crate::store::FileEntry::label)
    }
}
