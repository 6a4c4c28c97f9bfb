//! The tables of a run that speak of time: what changed since the snapshot before, and since when each edge is there.

use arrow::array::ArrayRef;

use super::cell::{Builder, Cell, CellError};
use super::facts::*;
use super::schema::{Column, Row, Table, table};
use super::time::Time;

table!(CHANGES, ChangeRow, "changes", key ["change_ix"],
    "What differs between the current snapshot of a system and the last complete one before it. Use, when a record was last written, and words that are `unknown` in one of them are not compared.", {
    change_ix: u32, "ordinal in the order of (`system_ix`, `object`, `principal`, `target`, `resource`, `way`)";
    system_ix: u32, "system";
    object: ChangeObject, "what it is about; of edges also their `edge` in other tables";
    change: Change, "what became of it; `not_comparable`: `note` says why, and the row stands for all objects of its kind";
    account_ix: Option<u32>, "the account, or the principal of the edge, or the holder, in the current snapshot; null: removed, or none";
    credential_ix: Option<u32>, "the credential in the current snapshot; null: removed, or another kind of object";
    edge_ix: Option<u32>, "`membership_ix` or `grant_ix` in the current snapshot; null: removed, or another kind of object";
    principal_kind: Option<PrincipalKind>, "edges: what the principal is; null: another kind of object";
    principal: Option<String>, "native id of the account, the edge's principal or the credential's holder, or the principal's own text; null: not comparable";
    principal_name: Option<String>, "its login or name; null: none";
    target: Option<String>, "native id of the group, entitlement or credential; null: an account";
    target_name: Option<String>, "its name; null: none";
    resource: Option<String>, "native id of the resource; null: none";
    way: Option<String>, "memberships: how it came about (`direct` …); grants: their effect; null: another kind of object";
    attributes: Option<String>, "names of what changed, sorted, joined by `,`; null unless `changed` or `recreated`, or where nothing else differs";
    details: Option<String>, "JSON object: each of `attributes` with its old and new value, null where absent; a secret's fingerprint is named and not shown";
    granted_at: Option<Time>, "edges: as in the newer snapshot, of removed ones as in the older; null: not in the export";
    after_at: Option<Time>, "it happened after this instant, when the older snapshot was taken; null: there is none";
    by_at: Time, "it happened at or before this instant, when the newer snapshot was taken";
    note: Option<String>, "why nothing can be said; null: something is";
});

table!(EDGE_HISTORY, EdgeHistoryRow, "edge_history", key ["system_ix", "edge", "edge_ix"],
    "Since when each membership and grant of the current snapshots is there, as far as the stored snapshots show.", {
    system_ix: u32, "system";
    edge: String, "`membership` or `grant`";
    edge_ix: u32, "`membership_ix` or `grant_ix` of the current snapshot";
    first_seen_after: Option<Time>, "the newest complete snapshot before `first_seen_by`, which does not hold it; null: none is stored";
    first_seen_by: Time, "the first stored snapshot that holds it";
    last_absent: Option<Time>, "the newest complete snapshot that does not hold it: what is there now began after it; null: none is stored";
    since_by: Time, "the first snapshot after `last_absent` that holds it: what is there now began at or before it";
    held_until: Option<Time>, "the last snapshot before `last_absent` that holds it; null unless `regranted`";
    regranted: bool, "held, then absent from a complete snapshot, now held again";
    revoked_at: Option<Time>, "the newest decision of a review to take it away, where what is there now began after it; null: none";
    revoked_by: Option<String>, "that review's id; null: none";
});
