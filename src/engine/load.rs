//! The snapshots of a run, in memory.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use crate::model::*;
use crate::store::facts::Facts;
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
    pub accounts: Facts<AccountRow>,
    pub groups: Vec<GroupRow>,
    pub memberships: Facts<MembershipRow>,
    pub entitlements: Vec<EntitlementRow>,
    pub statements: Vec<StatementRow>,
    pub resources: Vec<ResourceRow>,
    pub grants: Facts<GrantRow>,
    pub credentials: Facts<CredentialRow>,
    pub identities: Vec<IdentityRow>,
    pub employments: Vec<EmploymentRow>,
    pub lifecycle: Vec<LifecycleRow>,
    pub events: Vec<EventRow>,
    pub requests: Vec<RequestRow>,
    pub role_model: Vec<RoleModelRow>,
    pub reviews: Vec<ReviewRow>,
    pub workflow_log: Vec<WorkflowRow>,
    pub exceptions: Vec<ExceptionRow>,
    pub register: Vec<SystemRow>,
    pub rejects: Vec<RejectRow>,
    origins: Facts<OriginRow>,
}

impl System {
    /// Opens a sealed snapshot. Of its large tables, those of up to `held` rows are read at once.
    ///
    /// # Errors
    /// A table is missing or damaged.
    pub fn load(ix: u32, snapshot: &Snapshot, held: usize) -> Result<Self, StoreError> {
        let dir = &snapshot.dir;
        Ok(Self {
            ix,
            name: snapshot.manifest.system.clone(),
            snapshot: snapshot.name.clone(),
            covers: snapshot.manifest.covers.iter().cloned().collect(),
            manifest: snapshot.manifest.clone(),
            accounts: Facts::open(dir, held)?,
            groups: read(dir)?,
            memberships: Facts::open(dir, held)?,
            entitlements: read(dir)?,
            statements: read(dir)?,
            resources: read(dir)?,
            grants: Facts::open(dir, held)?,
            credentials: Facts::open(dir, held)?,
            identities: read(dir)?,
            employments: read(dir)?,
            lifecycle: read(dir)?,
            events: read(dir)?,
            requests: read(dir)?,
            role_model: read(dir)?,
            reviews: read(dir)?,
            workflow_log: read(dir)?,
            exceptions: read(dir)?,
            register: read(dir)?,
            rejects: read(dir)?,
            origins: Facts::open(dir, held)?,
        })
    }

    /// The instant at which everything in it is judged.
    pub fn observed_at(&self) -> Time {
        self.manifest.taken_at
    }

    /// The origins of a row, in the order of (fact, file, number).
    pub fn origins(&self, table: &str, row: u32) -> impl Iterator<Item = Cow<'_, OriginRow>> {
        let from = self.origins.first_origin(table, row);
        (from..self.origins.len()).map_while(|at| self.origins.get(at)).take_while(move |o| o.table == table && o.row == row)
    }

    /// The origins of some rows of a table, ascending; `None`: they are held and can be asked for one by one.
    ///
    /// # Errors
    /// The table is damaged.
    pub fn origins_of(&self, table: &str, rows: &[u32]) -> Result<Option<Vec<OriginRow>>, StoreError> {
        if self.origins.is_held() { Ok(None) } else { self.origins.of_rows(table, rows).map(Some) }
    }

    /// The position of an account by its native id.
    pub fn account(&self, native_id: &str) -> Option<u32> {
        self.accounts.find("native_id", |a| &a.native_id, native_id).and_then(|at| u32::try_from(at).ok())
    }

    /// What kept a table from being read after it was opened, if anything did.
    pub fn fault(&self) -> Option<&StoreError> {
        let of_rows = self.accounts.fault().or(self.memberships.fault()).or(self.grants.fault());
        of_rows.or(self.credentials.fault()).or(self.origins.fault())
    }

    /// Positions of the memberships of the accounts `from..to`.
    pub fn memberships_of(&self, from: u32, to: u32) -> Range<usize> {
        self.memberships.span("account_ix", |m| m.account_ix, from, to)
    }

    /// Positions of the grants of the accounts `from..to`.
    pub fn grants_of(&self, from: u32, to: u32) -> Range<usize> {
        self.grants.span("account_ix", |g| g.account_ix, from, to)
    }

    /// How reports name a file of this snapshot.
    pub fn file_label(&self, file_ix: u32) -> String {
        self.manifest.files.get(file_ix as usize).map_or_else(|| "?".to_owned(), crate::store::FileEntry::label)
    }
}
