//! What a connector makes of an export: rows that name each other by native id, each with its origin.
//!
//! The store turns native ids into ordinals when it seals; a connector never numbers anything.

use std::collections::{BTreeMap, BTreeSet};

use super::pile::{Pile, Scratch};
use crate::model::pack::{self, Pack};
use crate::model::{
    AccountRow, CredentialRow, EmploymentRow, EntitlementRow, EventRow, ExceptionRow, GrantRow, GroupRow, IdentityRow, Label, LifecycleRow,
    MembershipRow, RecordUnit, RequestRow, ResourceRow, ReviewRow, RoleModelRow, Row, SNAPSHOT_TABLES, SeparationRuleRow, StatementRow,
    SystemRow, Table, Time, Word, WorkflowRow,
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
    pub accounts: Pile<Drafted<AccountRow>>,
    pub groups: Pile<Drafted<GroupRow>>,
    pub memberships: Pile<DraftMembership>,
    pub entitlements: Pile<Drafted<EntitlementRow>>,
    pub statements: Pile<DraftChild<StatementRow>>,
    pub resources: Pile<Drafted<ResourceRow>>,
    pub grants: Pile<DraftGrant>,
    pub credentials: Pile<DraftCredential>,
    pub events: Pile<DraftChild<EventRow>>,
    pub identities: Pile<Drafted<IdentityRow>>,
    pub employments: Pile<DraftChild<EmploymentRow>>,
    pub lifecycle: Pile<DraftChild<LifecycleRow>>,
    pub requests: Pile<Drafted<RequestRow>>,
    pub role_model: Pile<Drafted<RoleModelRow>>,
    pub reviews: Pile<Drafted<ReviewRow>>,
    pub separation_rules: Pile<Drafted<SeparationRuleRow>>,
    pub workflow_log: Pile<Drafted<WorkflowRow>>,
    pub exceptions: Pile<Drafted<ExceptionRow>>,
    pub systems: Pile<Drafted<SystemRow>>,
    pub rejects: Pile<Reject>,
    /// Further origins of a row's facts: (table, native id of the row, fact, origin).
    pub facts: Pile<(&'static Table, String, &'static str, Origin)>,
    /// Tables that this export speaks about, whether or not it has rows for them.
    pub covers: BTreeSet<&'static str>,
    /// One ledger for each input file, by position.
    pub files: Vec<FileLedger>,
    /// Every group and entitlement that an edge names has a row.
    pub closed: bool,
    /// Of edges between the same two, the first counts; the notes that further ones get: memberships, grants.
    pub first_counts: Option<(&'static str, &'static str)>,
    /// Where rows go once they are many.
    pub scratch: Scratch,
    /// What the disk said when it refused rows: nothing is sealed.
    pub failed: Option<std::io::Error>,
}

impl Draft {
    /// A draft for `files` input files.
    pub fn new(files: usize) -> Self {
        Self::on(files, &Scratch::default())
    }

    /// The same, with rows that go to `scratch` once they are many.
    pub fn on(files: usize, scratch: &Scratch) -> Self {
        Self {
            accounts: Pile::new(scratch),
            groups: Pile::new(scratch),
            memberships: Pile::new(scratch),
            entitlements: Pile::new(scratch),
            statements: Pile::new(scratch),
            resources: Pile::new(scratch),
            grants: Pile::new(scratch),
            credentials: Pile::new(scratch),
            events: Pile::new(scratch),
            identities: Pile::new(scratch),
            employments: Pile::new(scratch),
            lifecycle: Pile::new(scratch),
            requests: Pile::new(scratch),
            role_model: Pile::new(scratch),
            reviews: Pile::new(scratch),
            separation_rules: Pile::new(scratch),
            workflow_log: Pile::new(scratch),
            exceptions: Pile::new(scratch),
            systems: Pile::new(scratch),
            rejects: Pile::new(scratch),
            facts: Pile::new(scratch),
            files: vec![FileLedger::default(); files],
            scratch: scratch.clone(),
            ..Self::default()
        }
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

impl Pack for Origin {
    fn pack(&self, to: &mut Vec<u8>) {
        pack::number(u64::from(self.file), to);
        to.push(self.unit.code());
        pack::number(self.number, to);
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        let file = u32::try_from(pack::take_number(from)?).ok()?;
        let unit = *RecordUnit::ALL.get(usize::from(pack::take_byte(from)?))?;
        Some(Self { file, unit, number: pack::take_number(from)? })
    }
}

impl Principal {
    pub const ACCOUNT: u8 = 0;
    pub const GROUP: u8 = 1;
    pub const EITHER: u8 = 2;
    pub const DELETED: u8 = 3;
    pub const EXTERNAL: u8 = 4;
    pub const WILDCARD: u8 = 5;
    pub const ROOT: u8 = 6;
    pub const FEDERATED: u8 = 7;
    pub const SERVICE: u8 = 8;

    /// A number for what it is, and its text.
    pub fn parts(&self) -> (u8, &str) {
        match self {
            Self::Account(id) => (Self::ACCOUNT, id),
            Self::Group(id) => (Self::GROUP, id),
            Self::Either(id) => (Self::EITHER, id),
            Self::Deleted(id) => (Self::DELETED, id),
            Self::External(id) => (Self::EXTERNAL, id),
            Self::Wildcard(id) => (Self::WILDCARD, id),
            Self::Root(id) => (Self::ROOT, id),
            Self::Federated(id) => (Self::FEDERATED, id),
            Self::Service(id) => (Self::SERVICE, id),
        }
    }

    fn of(kind: u8, id: String) -> Option<Self> {
        let all = [
            Self::Account,
            Self::Group,
            Self::Either,
            Self::Deleted,
            Self::External,
            Self::Wildcard,
            Self::Root,
            Self::Federated,
            Self::Service,
        ];
        all.get(usize::from(kind)).map(|make| make(id))
    }
}

impl Pack for Principal {
    fn pack(&self, to: &mut Vec<u8>) {
        let (kind, id) = self.parts();
        to.push(kind);
        pack::bytes(id.as_bytes(), to);
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        let kind = pack::take_byte(from)?;
        Self::of(kind, pack::take_text(from)?.to_owned())
    }
}

impl<R: Row> Pack for Drafted<R> {
    fn pack(&self, to: &mut Vec<u8>) {
        self.origin.pack(to);
        self.row.pack(to);
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some(Self { origin: Origin::unpack(from)?, row: R::unpack(from)? })
    }
}

/// Packs the ends of an edge to `target` as [`DraftMembership`] and [`DraftGrant`] do; the packed row follows. `resource`: of a grant only.
pub fn pack_ends((kind, id): (u8, &str), target: &str, resource: Option<Option<&str>>, origin: Origin, to: &mut Vec<u8>) {
    to.push(kind);
    pack::bytes(id.as_bytes(), to);
    pack::bytes(target.as_bytes(), to);
    if let Some(resource) = resource {
        to.push(u8::from(resource.is_some()));
        if let Some(text) = resource {
            pack::bytes(text.as_bytes(), to);
        }
    }
    origin.pack(to);
}

impl Pack for DraftMembership {
    fn pack(&self, to: &mut Vec<u8>) {
        pack_ends(self.member.parts(), &self.group, None, self.origin, to);
        self.row.pack(to);
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        let (member, group) = (Principal::unpack(from)?, String::unpack(from)?);
        Some(Self { member, group, origin: Origin::unpack(from)?, row: MembershipRow::unpack(from)? })
    }
}

impl Pack for DraftGrant {
    fn pack(&self, to: &mut Vec<u8>) {
        pack_ends(self.holder.parts(), &self.entitlement, Some(self.resource.as_deref()), self.origin, to);
        self.row.pack(to);
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        let (holder, entitlement, resource) = (Principal::unpack(from)?, String::unpack(from)?, Option::unpack(from)?);
        Some(Self { holder, entitlement, resource, origin: Origin::unpack(from)?, row: GrantRow::unpack(from)? })
    }
}

impl Pack for DraftCredential {
    fn pack(&self, to: &mut Vec<u8>) {
        pack::bytes(self.holder.as_bytes(), to);
        self.origin.pack(to);
        self.row.pack(to);
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some(Self { holder: String::unpack(from)?, origin: Origin::unpack(from)?, row: CredentialRow::unpack(from)? })
    }
}

impl<R: Row> Pack for DraftChild<R> {
    fn pack(&self, to: &mut Vec<u8>) {
        pack::bytes(self.parent.as_bytes(), to);
        self.origin.pack(to);
        self.row.pack(to);
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some(Self { parent: String::unpack(from)?, origin: Origin::unpack(from)?, row: R::unpack(from)? })
    }
}

impl Pack for Reject {
    fn pack(&self, to: &mut Vec<u8>) {
        self.origin.pack(to);
        self.byte_offset.pack(to);
        pack::bytes(self.reason.as_bytes(), to);
        pack::bytes(self.message.as_bytes(), to);
        pack::bytes(self.help.as_bytes(), to);
        self.excerpt.pack(to);
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        let (origin, byte_offset) = (Origin::unpack(from)?, Option::unpack(from)?);
        let reason = Label::from(pack::take_text(from)?).text();
        let (message, help) = (String::unpack(from)?, String::unpack(from)?);
        Some(Self { origin, byte_offset, reason, message, help, excerpt: Option::unpack(from)? })
    }
}

/// A further origin: table, native id, fact.
impl Pack for (&'static Table, String, &'static str, Origin) {
    fn pack(&self, to: &mut Vec<u8>) {
        let table = SNAPSHOT_TABLES.iter().position(|t| t.name == self.0.name).unwrap_or(usize::MAX);
        pack::number(table as u64, to);
        self.3.pack(to);
        pack::bytes(self.2.as_bytes(), to);
        pack::bytes(self.1.as_bytes(), to);
    }
    fn unpack(from: &mut &[u8]) -> Option<Self> {
        let table = SNAPSHOT_TABLES.get(usize::try_from(pack::take_number(from)?).ok()?)?;
        let origin = Origin::unpack(from)?;
        let fact = Label::from(pack::take_text(from)?).text();
        Some((table, String::unpack(from)?, fact, origin))
    }
}
