//! What a connector makes of an export: rows that name each other by native id, each with its origin.
//!
//! The store turns native ids into ordinals when it seals; a connector never numbers anything.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    AccountRow, CredentialRow, EmploymentRow, EntitlementRow, EventRow, ExceptionRow, GrantRow, GroupRow, IdentityRow, LifecycleRow,
    MembershipRow, RecordUnit, RequestRow, ResourceRow, ReviewRow, RoleModelRow, SeparationRuleRow, StatementRow, SystemRow, Table, Time,
    WorkflowRow,
};

/// Where a fact came from: a file of this import (its position) and a line or record, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    pub file: u32,
    pub unit: RecordUnit,
    pub number: u64,
}

impl Origin {
    pub const fn line(file: u32, number: u64) -> Self {
        Self { file, unit: RecordUnit::Line, number }
    }
    pub const fn record(file: u32, number: u64) -> Self {
        Self { file, unit: RecordUnit::Record, number }
    }
}

/// A row and where it came from. Ordinals inside `row` are set when the snapshot is sealed.
#[derive(Clone, Debug)]
pub struct Drafted<T> {
    pub row: T,
    pub origin: Origin,
}

/// The principal of an edge, by native id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    /// An account; unresolved when no row of that id arrives.
    Account(String),
    /// A group or role; unresolved when no row of that id arrives.
    Group(String),
    /// Account or group, whichever of that id the export holds (accounts first); unresolved when neither.
    Either(String),
    /// Shown by a dead unique id.
    Deleted(String),
    /// Belongs to another system or tenant (a foreign AWS account's ARN): it could not be in this export.
    External(String),
    Wildcard(String),
    Root(String),
    Federated(String),
    Service(String),
}

/// A membership before ordinals.
#[derive(Clone, Debug)]
pub struct DraftMembership {
    pub row: MembershipRow,
    pub member: Principal,
    pub group: String,
    pub origin: Origin,
}

/// A grant before ordinals.
#[derive(Clone, Debug)]
pub struct DraftGrant {
    pub row: GrantRow,
    pub holder: Principal,
    pub entitlement: String,
    pub resource: Option<String>,
    pub origin: Origin,
}

/// A credential before ordinals. `holder` is the native id of an account.
#[derive(Clone, Debug)]
pub struct DraftCredential {
    pub row: CredentialRow,
    pub holder: String,
    pub origin: Origin,
}

/// A row that hangs on another by native id (statement → entitlement, employment → identity, event → account).
#[derive(Clone, Debug)]
pub struct DraftChild<T> {
    pub row: T,
    pub parent: String,
    pub origin: Origin,
}

/// A record that was read and not accepted.
#[derive(Clone, Debug)]
pub struct Reject {
    pub origin: Origin,
    /// Byte offset in the decompressed file.
    pub byte_offset: Option<u64>,
    /// Stable code, `<connector>/<fault>`.
    pub reason: &'static str,
    /// What is wrong: lower case, input in backticks only where it is no value of a secret attribute.
    pub message: String,
    /// How to mend it.
    pub help: String,
    /// Pass it through [`crate::model::mask::excerpt`] first.
    pub excerpt: Option<String>,
}

/// What is wrong with one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Stable code, `<connector>/<fault>`.
    pub code: &'static str,
    /// Lower case; names the field and shows no value.
    pub message: String,
    /// How to mend it.
    pub help: String,
}

impl Fault {
    pub fn new(code: &'static str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: help.into() }
    }

    /// The reject of the record at `origin`. `excerpt`: see [`Reject::excerpt`].
    pub fn reject(self, origin: Origin, byte_offset: Option<u64>, excerpt: Option<String>) -> Reject {
        Reject { origin, byte_offset, reason: self.code, message: self.message, help: self.help, excerpt }
    }
}

/// The ledger of one file: read = accepted + rejected, or the import fails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileLedger {
    /// Records met, counted where they are split, before anything is known of them.
    pub read: u64,
    pub accepted: u64,
    pub rejected: u64,
    /// Records that the file itself says it holds.
    pub control_total: Option<u64>,
    /// An instant that the file states of itself as its own time of extraction.
    pub stated_at: Option<Time>,
    /// First and last instant that a log-like file covers, where it says so.
    pub covers: Option<(Time, Time)>,
    /// Why the file is known to be incomplete (a truncation marker, a missing page).
    pub short: Vec<String>,
    /// What the file turned out to be, e.g. `credential report`.
    pub shape: Option<&'static str>,
    /// Things an operator should know that lose no row (for example secret values met and dropped, with counts).
    pub notes: BTreeMap<String, u64>,
}

/// Everything that one import of one system yields, before it is sealed.
#[derive(Debug, Default)]
pub struct Draft {
    pub accounts: Vec<Drafted<AccountRow>>,
    pub groups: Vec<Drafted<GroupRow>>,
    pub memberships: Vec<DraftMembership>,
    pub entitlements: Vec<Drafted<EntitlementRow>>,
    pub statements: Vec<DraftChild<StatementRow>>,
    pub resources: Vec<Drafted<ResourceRow>>,
    pub grants: Vec<DraftGrant>,
    pub credentials: Vec<DraftCredential>,
    pub events: Vec<DraftChild<EventRow>>,
    pub identities: Vec<Drafted<IdentityRow>>,
    pub employments: Vec<DraftChild<EmploymentRow>>,
    pub lifecycle: Vec<DraftChild<LifecycleRow>>,
    pub requests: Vec<Drafted<RequestRow>>,
    pub role_model: Vec<Drafted<RoleModelRow>>,
    pub reviews: Vec<Drafted<ReviewRow>>,
    pub separation_rules: Vec<Drafted<SeparationRuleRow>>,
    pub workflow_log: Vec<Drafted<WorkflowRow>>,
    pub exceptions: Vec<Drafted<ExceptionRow>>,
    pub systems: Vec<Drafted<SystemRow>>,
    pub rejects: Vec<Reject>,
    /// Further origins of a row's facts: (table, native id of the row, fact, origin).
    pub facts: Vec<(&'static Table, String, &'static str, Origin)>,
    /// Tables that this export speaks about, whether or not it has rows for them.
    pub covers: BTreeSet<&'static str>,
    /// One ledger for each input file, by position.
    pub files: Vec<FileLedger>,
}

impl Draft {
    /// A draft for `files` input files.
    pub fn new(files: usize) -> Self {
        Self { files: vec![FileLedger::default(); files], ..Self::default() }
    }

    /// The ledger of a file. A position that is not an input is the caller's fault and counts nowhere.
    pub fn ledger(&mut self, file: u32) -> &mut FileLedger {
        let at = file as usize;
        if at >= self.files.len() {
            self.files.resize(at + 1, FileLedger::default());
        }
        #[expect(clippy::indexing_slicing, reason = "resized just above")]
        &mut self.files[at]
    }

    /// One more record met in `file`.
    pub fn read(&mut self, file: u32) {
        self.ledger(file).read += 1;
    }

    /// The record last met in `file` is accepted.
    pub fn accept(&mut self, file: u32) {
        self.ledger(file).accepted += 1;
    }

    /// The record last met is rejected.
    pub fn reject(&mut self, reject: Reject) {
        self.ledger(reject.origin.file).rejected += 1;
        self.rejects.push(reject);
    }

    /// Says why `file` is incomplete.
    pub fn short(&mut self, file: u32, why: impl Into<String>) {
        self.ledger(file).short.push(why.into());
    }

    /// Notes something that loses no row.
    pub fn note(&mut self, file: u32, what: impl Into<String>) {
        *self.ledger(file).notes.entry(what.into()).or_insert(0) += 1;
    }

    /// Tables with rows that the draft does not cover: a connector leaves none.
    #[cfg(test)]
    pub fn uncovered(&self) -> Vec<&'static str> {
        let rows = [
            ("accounts", self.accounts.len()),
            ("groups", self.groups.len()),
            ("memberships", self.memberships.len()),
            ("entitlements", self.entitlements.len()),
            ("statements", self.statements.len()),
            ("resources", self.resources.len()),
            ("grants", self.grants.len()),
            ("credentials", self.credentials.len()),
            ("events", self.events.len()),
            ("identities", self.identities.len()),
            ("employments", self.employments.len()),
            ("lifecycle_events", self.lifecycle.len()),
            ("requests", self.requests.len()),
            ("role_model", self.role_model.len()),
            ("reviews", self.reviews.len()),
            ("separation_rules", self.separation_rules.len()),
            ("workflow_log", self.workflow_log.len()),
            ("exceptions", self.exceptions.len()),
            ("systems", self.systems.len()),
        ];
        rows.into_iter().filter(|(name, n)| *n > 0 && !self.covers.contains(name)).map(|(name, _)| name).collect()
    }

    /// This export speaks about `table`.
    pub fn cover(&mut self, table: &'static Table) {
        self.covers.insert(table.name);
    }
}
