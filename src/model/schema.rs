//! Every stored table, column by column: type, unit, what a null means, and where the value comes from.
//!
//! One macro line makes the row type, its Arrow schema and its page in `holdover schema`.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema, SchemaRef};

use super::cell::{Builder, Cell, CellError, ColType};
use super::facts::*;
use super::time::Time;

/// One column: what it holds, and what its null means (empty where it is never null).
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub name: &'static str,
    pub ty: ColType,
    pub nullable: bool,
    pub doc: &'static str,
}

/// One table.
#[derive(Debug)]
pub struct Table {
    pub name: &'static str,
    pub doc: &'static str,
    pub columns: &'static [Column],
    /// The columns that name a row, in sort order.
    pub key: &'static [&'static str],
}

impl Table {
    /// The Arrow schema of its Parquet file.
    pub fn arrow(&self) -> SchemaRef {
        let fields = self.columns.iter().map(|c| Field::new(c.name, c.ty.arrow(), c.nullable)).collect::<Vec<_>>();
        Arc::new(Schema::new(fields))
    }
}

/// A row of one table.
pub trait Row: Sized + Clone {
    const TABLE: &'static Table;
    fn append(&self, to: &mut [Builder]);
    /// The row `i` of a batch in the table's own schema.
    ///
    /// # Errors
    /// The column whose value is not what the schema says.
    fn at(batch: &[ArrayRef], i: usize) -> Result<Self, CellError>;
    /// Appends its packed form (see [`super::pack`]).
    fn pack(&self, to: &mut Vec<u8>);
    /// Takes a packed row; `None` where the bytes hold none.
    fn unpack(from: &mut &[u8]) -> Option<Self>;
    /// Moves the columns of a packed row from `first` on into `to`; those before it are not in the bytes.
    fn carry(from: &mut &[u8], first: usize, to: &mut [Builder]) -> Option<()>;
    /// Passes over the columns from `first` up to `end` of a packed row.
    fn skip(from: &mut &[u8], first: usize, end: usize) -> Option<()>;
}

/// Empty columns for the rows of a table.
pub fn builders<R: Row>() -> Vec<Builder> {
    R::TABLE.columns.iter().map(|c| Builder::new(c.ty)).collect()
}

/// What columns hold, as one batch.
///
/// # Errors
/// Only when Arrow refuses the batch, which would be a fault of this module.
pub fn batch<R: Row>(columns: &mut [Builder]) -> Result<RecordBatch, arrow::error::ArrowError> {
    RecordBatch::try_new(R::TABLE.arrow(), columns.iter_mut().map(Builder::finish).collect())
}

/// Rows as one Arrow batch.
///
/// # Errors
/// Only when Arrow refuses the batch, which would be a fault of this module.
pub fn to_batch<R: Row>(rows: &[R]) -> Result<RecordBatch, arrow::error::ArrowError> {
    let mut columns = builders::<R>();
    for row in rows {
        row.append(&mut columns);
    }
    batch::<R>(&mut columns)
}

/// The rows of a batch whose columns may stand in any order.
///
/// # Errors
/// A column that is missing or does not hold what the schema says.
pub fn from_batch<R: Row>(batch: &RecordBatch) -> Result<Vec<R>, CellError> {
    let columns = R::TABLE
        .columns
        .iter()
        .map(|c| {
            batch.column_by_name(c.name).cloned().ok_or_else(|| CellError {
                column: c.name,
                row: 0,
                what: "missing from the stored table".to_owned(),
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    (0..batch.num_rows()).map(|i| R::at(&columns, i)).collect()
}

macro_rules! table {
    ($(#[$doc:meta])* $konst:ident, $row:ident, $name:literal, key [$($key:literal),*], $about:literal,
     { $($field:ident : $ty:ty, $col_doc:literal;)* }) => {
        #[doc = $about]
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
        pub struct $row { $(#[doc = $col_doc] pub $field: $ty,)* }

        #[doc = $about]
        pub static $konst: Table = Table {
            name: $name,
            doc: $about,
            columns: &[$(Column {
                name: stringify!($field), ty: <$ty as Cell>::TYPE, nullable: <$ty as Cell>::NULLABLE, doc: $col_doc,
            }),*],
            key: &[$($key),*],
        };

        impl Row for $row {
            const TABLE: &'static Table = &$konst;
            fn append(&self, to: &mut [Builder]) {
                let mut columns = to.iter_mut();
                $(if let Some(b) = columns.next() { Cell::push(&self.$field, b); })*
            }
            fn at(batch: &[ArrayRef], i: usize) -> Result<Self, CellError> {
                let mut columns = batch.iter();
                $(let $field = {
                    let err = |what: String| CellError { column: stringify!($field), row: i, what };
                    let array = columns.next().ok_or_else(|| err("missing".to_owned()))?;
                    <$ty as Cell>::read(array.as_ref(), i).map_err(err)?
                };)*
                Ok(Self { $($field),* })
            }
            fn pack(&self, to: &mut Vec<u8>) {
                $(Cell::pack(&self.$field, to);)*
            }
            fn unpack(from: &mut &[u8]) -> Option<Self> {
                $(let $field = <$ty as Cell>::unpack(from)?;)*
                Some(Self { $($field),* })
            }
            fn carry(from: &mut &[u8], first: usize, to: &mut [Builder]) -> Option<()> {
                let (mut columns, mut at) = (to.iter_mut(), 0);
                $(
                    if at >= first {
                        <$ty as Cell>::carry(from, columns.next()?)?;
                    }
                    at += 1;
                )*
                (at > 0).then_some(())
            }
            fn skip(from: &mut &[u8], first: usize, end: usize) -> Option<()> {
                let mut at = 0;
                $(
                    if (first..end).contains(&at) {
                        <$ty as Cell>::skip(from)?;
                    }
                    at += 1;
                )*
                (at > 0).then_some(())
            }
        }
    };
}

pub(crate) use table;

table!(ACCOUNTS, AccountRow, "accounts", key ["account_ix"], "A principal in one system.", {
    account_ix: u32, "ordinal in the byte order of `native_id`; the key of every fact table";
    native_id: String, "the system's own immutable name: AD objectGUID, LDAP entryUUID (else normalised DN), AWS ARN; unique";
    generation: Option<String>, "immutable id or creation time that tells a re-created account from the first; null: the export shows none";
    kind: AccountKind, "what the connector knows for certain; `unknown`: left to the registry and the configured patterns";
    login: Option<String>, "what its user types; null: none in the export";
    login_norm: Option<String>, "`login`, NFKC, lower case";
    display_name: Option<String>, "as shown by the system; hostile input";
    display_name_norm: Option<String>, "`display_name`, NFKC, lower case, single blanks";
    email: Option<String>, "mail address; null: none in the export";
    email_norm: Option<String>, "`email`, NFKC, lower case";
    upn: Option<String>, "user principal name; null: the system has none";
    upn_norm: Option<String>, "`upn`, NFKC, lower case";
    employee_ref: Option<String>, "employee number as the system holds it, text (`001`); null: not held";
    owner_ref: Option<String>, "who answers for it, verbatim (tag, managedBy); null: not stated";
    status: AccountStatus, "the account's own state";
    created_at: Option<Time>, "null: not in the export";
    changed_at: Option<Time>, "last change of the record; null: not in the export";
    last_used_at: Option<Time>, "newest sign of use; null unless `use_state` is `used`";
    last_used_until: Option<Time>, "use up to here is not excluded by the source (AD's lastLogonTimestamp lags two weeks); null: `last_used_at` is exact";
    use_state: UseState, "whether use is known";
    use_window_from: Option<Time>, "start of the window in which no use was seen; null unless `use_state` is `not_in_window`";
    mfa_state: MfaState, "whether a second factor is enrolled";
    expires_at: Option<Time>, "when the system itself will refuse it; null: never";
    locked_at: Option<Time>, "null: not locked";
    environment: Option<String>, "production, test, …; null: not stated";
    attributes: Option<String>, "further vendor attributes, a JSON object from the connector's allow-list; null: none";
});

table!(GROUPS, GroupRow, "groups", key ["group_ix"], "Something that has members. An assumable role is a group, too.", {
    group_ix: u32, "ordinal in the byte order of `native_id`";
    native_id: String, "as in `accounts`";
    generation: Option<String>, "as in `accounts`";
    name: Option<String>, "null: none in the export";
    name_norm: Option<String>, "`name`, NFKC, lower case";
    kind: String, "`group` or `role`";
    level: Level, "what membership confers by itself, from well-known ids and built-in roles; `unknown`: its rights are not in the export";
    vendor_managed: bool, "created by the vendor (well-known RID, path or prefix)";
    owner_ref: Option<String>, "null: not stated";
    attributes: Option<String>, "JSON object from the connector's allow-list; null: none";
});

table!(MEMBERSHIPS, MembershipRow, "memberships", key ["membership_ix"],
    "Account or group is a member of a group; an account may assume a role.", {
    membership_ix: u32, "ordinal in the order of (`account_ix`, `member_group_ix`, `principal_ref`, `group_ix`, `kind`), nulls last";
    account_ix: Option<u32>, "the member, if an account; null otherwise";
    member_group_ix: Option<u32>, "the member, if a group; null otherwise";
    principal_kind: PrincipalKind, "what the member is";
    principal_ref: Option<String>, "the member verbatim where it is neither account nor group of this export; null otherwise";
    group_ix: u32, "the group or role";
    kind: MembershipKind, "how it came about";
    granted_at: Option<Time>, "null: not in the export";
    expires_at: Option<Time>, "null: never or not stated";
    granted_by: Option<String>, "null: not in the export";
    request_ref: Option<String>, "request or ticket that the system itself names; null: none";
    condition: Option<String>, "condition verbatim (JSON for AWS trust policies); null: none";
});

table!(ENTITLEMENTS, EntitlementRow, "entitlements", key ["entitlement_ix"], "What an administrator attaches or removes: role, policy, permission, scope.", {
    entitlement_ix: u32, "ordinal in the byte order of `native_id`";
    native_id: String, "as in `accounts`; an inline policy: `<holder arn>#inline/<name>`";
    name: Option<String>, "null: none in the export";
    name_norm: Option<String>, "`name`, NFKC, lower case";
    kind: String, "`managed-policy`, `inline-policy`, `role`, `permission`, …";
    level: Level, "highest level of its allowing statements";
    risks: Option<String>, "named risks, sorted, joined by `,`; null: none found";
    conditional: bool, "its level or a risk holds only under a condition that is recorded and not decided";
    vendor_managed: bool, "written by the vendor";
    attributes: Option<String>, "JSON object from the connector's allow-list; null: none";
});

table!(STATEMENTS, StatementRow, "statements", key ["entitlement_ix", "statement"], "The statements of a policy, as read.", {
    entitlement_ix: u32, "the policy";
    statement: u32, "position in the document, from 0";
    sid: Option<String>, "null: none";
    effect: Effect, "allow or deny";
    actions: Option<String>, "JSON array; null: the statement has NotAction";
    not_actions: Option<String>, "JSON array; null: the statement has Action";
    resources: Option<String>, "JSON array; null: the statement has NotResource";
    not_resources: Option<String>, "JSON array; null: the statement has Resource";
    condition: Option<String>, "JSON, verbatim; null: none";
    level: Level, "level of this statement alone; `none` for a Deny";
    risks: Option<String>, "risks of this statement alone, sorted, joined by `,`; null: none";
});

table!(RESOURCES, ResourceRow, "resources", key ["resource_ix"], "What access is to.", {
    resource_ix: u32, "ordinal in the byte order of `native_id`";
    native_id: String, "as in `accounts`";
    kind: String, "`account`, `application`, `bucket`, …";
    name: Option<String>, "null: none in the export";
    environment: Option<String>, "null: not stated";
    sensitivity: Option<String>, "null: not stated";
    owner_ref: Option<String>, "null: not stated";
    attributes: Option<String>, "JSON object from the connector's allow-list; null: none";
});

table!(GRANTS, GrantRow, "grants", key ["grant_ix"],
    "Principal holds entitlement, on a resource where the system says which.", {
    grant_ix: u32, "ordinal in the order of (`account_ix`, `group_ix`, `principal_ref`, `entitlement_ix`, `resource_ix`, `effect`), nulls last";
    account_ix: Option<u32>, "the holder, if an account; null otherwise";
    group_ix: Option<u32>, "the holder, if a group or role; null otherwise";
    principal_kind: PrincipalKind, "what the holder is";
    principal_ref: Option<String>, "the holder verbatim where it is neither account nor group of this export; null otherwise";
    entitlement_ix: u32, "what is held";
    resource_ix: Option<u32>, "on what; null: the entitlement itself says";
    effect: Effect, "allow, deny or boundary";
    granted_at: Option<Time>, "null: not in the export";
    expires_at: Option<Time>, "null: never or not stated";
    granted_by: Option<String>, "null: not in the export";
    request_ref: Option<String>, "request or ticket that the system itself names; null: none";
    last_used_at: Option<Time>, "null unless `use_state` is `used`";
    use_state: UseState, "whether use of this grant is known";
    condition: Option<String>, "condition verbatim; null: none";
});

table!(CREDENTIALS, CredentialRow, "credentials", key ["credential_ix"], "One credential with its own life cycle. Its value is never here.", {
    credential_ix: u32, "ordinal in the byte order of `native_id`";
    native_id: String, "as in `accounts`; a password: `<account>#password`";
    account_ix: Option<u32>, "whose it is; null: not an account of this export (see `holder_ref`)";
    holder_ref: Option<String>, "holder verbatim where it is not an account of this export; null otherwise";
    kind: CredentialKind, "what it is";
    name: Option<String>, "label; null: none";
    status: CredentialStatus, "whether it would be accepted";
    created_at: Option<Time>, "null: not in the export";
    rotated_at: Option<Time>, "last change of its value; null: not in the export, or never";
    last_used_at: Option<Time>, "null unless `use_state` is `used`";
    use_state: UseState, "whether use is known";
    use_window_from: Option<Time>, "start of the window in which no use was seen; null unless `use_state` is `not_in_window`";
    expires_at: Option<Time>, "null: never or not stated";
    fingerprint: Option<String>, "HMAC-SHA-256 of the value under the configured key, 64 hex; null: no value met, or no key";
});

table!(EVENTS, EventRow, "events", key ["at", "event"], "What a system's own log says happened.", {
    event: String, "the log's own id, else `<file>:<record>`";
    at: Time, "when";
    action: String, "`granted`, `changed`, `used`, `revoked`, `created`, `disabled`, `enabled`, `deleted`";
    account_ix: Option<u32>, "whom it concerns; null: not an account of this export";
    principal_ref: Option<String>, "whom, verbatim, where it is not an account of this export";
    entitlement_ref: Option<String>, "native id of the entitlement or group; null: none";
    actor_ref: Option<String>, "who did it; null: not stated";
    outcome: Option<String>, "`success`, `failure`; null: not stated";
});

table!(IDENTITIES, IdentityRow, "identities", key ["identity_ix"], "A person or registered non-human of one authority.", {
    identity_ix: u32, "ordinal in the byte order of `native_id`, inside this snapshot";
    native_id: String, "the authority's own key; unique";
    kind: IdentityKind, "person or registered non-human";
    employee_number: Option<String>, "text, leading zeros kept; null: none";
    display_name: Option<String>, "hostile input";
    display_name_norm: Option<String>, "`display_name`, NFKC, lower case, single blanks";
    given_name_norm: Option<String>, "null: not in the list";
    family_name_norm: Option<String>, "null: not in the list";
    login: Option<String>, "login that the authority itself states; null: none";
    login_norm: Option<String>, "`login`, NFKC, lower case";
    email: Option<String>, "null: none";
    email_norm: Option<String>, "`email`, NFKC, lower case";
    aliases: Option<String>, "further normalised logins and addresses, a sorted JSON array; null: none";
    status: IdentityStatus, "standing that the record states";
    status_text: Option<String>, "the record's own word for it; null: none";
    manager_ref: Option<String>, "native id or number of the manager; null: none";
    owner_ref: Option<String>, "who answers for a non-human; null: not stated";
    org_unit: Option<String>, "null: not in the list";
    title: Option<String>, "null: not in the list";
    link_ref: Option<String>, "declared key that joins this record to one of another authority; null: none";
    attributes: Option<String>, "JSON object from the mapping's allow-list; null: none";
});

table!(EMPLOYMENTS, EmploymentRow, "employments", key ["identity_ix", "starts_at", "employment"], "A span in which an identity belonged. A person may have several.", {
    identity_ix: u32, "whose";
    employment: String, "the authority's own key of the span, else its position";
    starts_at: Option<Time>, "first instant of the span; null: before the list began";
    ends_at: Option<Time>, "first instant after the span (exclusive); null: open";
    start_known_at: Option<Time>, "when the authority entered the start; null: not stated";
    end_known_at: Option<Time>, "when the authority entered the end; null: not stated";
    ended_undated: bool, "the record says left and gives no date: the end lies at or before `taken_at`";
});

table!(LIFECYCLE, LifecycleRow, "lifecycle_events", key ["identity_ix", "effective_at", "kind"], "Joiner, mover, leaver: what happened and when it was known.", {
    identity_ix: u32, "whose";
    kind: String, "`joiner`, `mover`, `leaver`, `leave-start`, `leave-end`";
    effective_at: Time, "when it took effect";
    known_at: Option<Time>, "when the authority entered it; null: not stated";
});

table!(EXCEPTIONS, ExceptionRow, "exceptions", key ["exception"], "Somebody accepted a finding, for a time. Kept as given: what voids one is judged in triage.", {
    exception: String, "its own id; unique";
    check_id: String, "check, or `*`";
    system: String, "system, or `*`";
    subject: String, "native id or login of the subject, or `*`";
    entitlement: Option<String>, "native id or name of the entitlement or group, or `*`; null: the subject is not an edge";
    candidate: Option<String>, "identity that a possible finding names; null: certain findings only";
    owner: Option<String>, "who answers for it; null: missing, which voids it";
    approver: Option<String>, "who accepted; null: missing, which voids it";
    beneficiary: Option<String>, "who gains by it; null: not stated";
    reason: Option<String>, "why; null: missing, which voids it";
    ticket: Option<String>, "null: none";
    valid_from: Option<Time>, "first instant; null: since ever";
    expires_at: Option<Time>, "first instant after; null: missing, which voids it";
});

table!(SYSTEMS, SystemRow, "systems", key ["system"], "The list of systems that should be looked at.", {
    system: String, "its name in the configuration";
    owner_ref: Option<String>, "null: not stated";
    in_scope: bool, "whether the audit must see it";
    capabilities: Option<String>, "what its exports can show, sorted, joined by `,`; null: not stated";
    environment: Option<String>, "null: not stated";
});

table!(REJECTS, RejectRow, "rejects", key ["file_ix", "number", "reason"], "A record that was read and not accepted.", {
    file_ix: u32, "file, by position in the manifest";
    unit: RecordUnit, "what `number` counts";
    number: u64, "line or record, from 1";
    byte_offset: Option<u64>, "where it starts in the decompressed file; null: not known";
    reason: String, "stable code, `<connector>/<fault>`";
    message: String, "what is wrong";
    help: String, "how to mend it";
    excerpt: Option<String>, "at most 120 characters, values masked; null: none";
});

table!(ORIGINS, OriginRow, "row_origins", key ["table", "row", "fact", "file_ix", "number"], "Which file and record gave a row a fact.", {
    table: String, "table of this snapshot";
    row: u32, "row of that table, from 0";
    fact: String, "`row`, or the column or group of columns that this record gave";
    file_ix: u32, "file, by position in the manifest";
    unit: RecordUnit, "what `number` counts";
    number: u64, "line or record, from 1";
});

/// Every table that a snapshot may hold, in the order of the documentation.
pub static SNAPSHOT_TABLES: &[&Table] = &[
    &ACCOUNTS,
    &GROUPS,
    &MEMBERSHIPS,
    &ENTITLEMENTS,
    &STATEMENTS,
    &RESOURCES,
    &GRANTS,
    &CREDENTIALS,
    &EVENTS,
    &IDENTITIES,
    &EMPLOYMENTS,
    &LIFECYCLE,
    &super::records::REQUESTS,
    &super::records::ROLE_MODEL,
    &super::records::REVIEWS,
    &super::records::SEPARATION_RULES,
    &super::records::WORKFLOW_LOG,
    &EXCEPTIONS,
    &SYSTEMS,
    &REJECTS,
    &ORIGINS,
];
