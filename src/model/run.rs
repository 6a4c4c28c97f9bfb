//! The tables that a run adds: who is who, what groups reach, and what the checks found.

use arrow::array::ArrayRef;

use super::cell::{Builder, Cell, CellError};
use super::facts::*;
use super::label::{Label, Short};
use super::schema::{Column, Row, Table, table};
use super::time::Time;
use super::why::Why;

table!(RUN_SYSTEMS, RunSystemRow, "systems_seen", key ["system_ix"], "The current snapshot of every system of this run.", {
    system_ix: u32, "ordinal in the byte order of `system`; with `account_ix` it is the key of an account in this run";
    system: String, "name in the configuration";
    connector: String, "connector that read it";
    snapshot: String, "directory below `snapshots/<system>/`";
    observed_at: Time, "the snapshot's `taken_at`: the instant at which ages, states and deadlines are judged";
    taken_at_from: String, "`flag`, `config`, `export` or `inferred`";
    authority: bool, "holds identities";
    team: Option<String>, "owning team: security, platform, application; null: not configured";
    owner_ref: Option<String>, "null: not stated";
    environment: Option<String>, "null: not configured";
    covers: String, "tables that the snapshot covers, sorted, joined by `,`";
    complete: bool, "neither short nor dropped beyond `max_drop`, rejects within the limit, no further than `max_skew` from the newest";
    fresh: Answer, "within its maximum age; `unknown`: `as_of` was derived, or no maximum age is set";
    expected: bool, "the configuration expects this source";
    problems: Option<String>, "why it is incomplete or stale, joined by `; `; null: nothing";
});

table!(RUN_IDENTITIES, RunIdentityRow, "identities_seen", key ["identity_ix"], "Every identity of every authority, after declared joins.", {
    identity_ix: u32, "run-wide ordinal, in the order of (`system_ix`, `native_id`)";
    system_ix: u32, "the authority";
    source_ix: u32, "`identity_ix` inside the authority's snapshot";
    identity: String, "native id in the authority";
    kind: IdentityKind, "person or registered non-human";
    display_name: Option<String>, "hostile input";
    employee_number: Option<String>, "text; null: none";
    email: Option<String>, "null: none";
    org_unit: Option<String>, "null: none";
    title: Option<String>, "job title or code; null: none";
    manager_ref: Option<String>, "null: none";
    owner_ref: Option<String>, "null: none";
    status_text: Option<String>, "the record's own word; null: none";
    observed_at: Time, "the authority's `taken_at`";
    standing: Standing, "at `observed_at`";
    active_since: Option<Time>, "start of the span that covers `observed_at`; null: open start, or not active";
    left_after: Option<Time>, "the end lies after this instant; null: the end is exact or has no known lower bound";
    left_by: Option<Time>, "the end lies at or before this instant; null: not left at `observed_at`";
    left_exact: bool, "`left_by` is the authority's own date";
    known_after: Option<Time>, "the end was entered after this instant; null: exact or no known lower bound";
    known_by: Option<Time>, "the end was entered at or before this instant; null: not left";
    accounts_linked: u32, "accounts whose only candidate it is, in this run";
    accounts_disputed: u32, "accounts of which it is one of several candidates, or possible";
});

table!(ACCOUNT_STATE, AccountStateRow, "account_state", key ["system_ix", "account_ix"], "What this run knows of each account beyond its export.", {
    system_ix: u32, "system";
    account_ix: u32, "account";
    kind: AccountKind, "registry link, else the connector's certain knowledge, else configured patterns, else `unknown`";
    kind_from: KindFrom, "what told the kind";
    match_state: MatchState, "how it relates to the authorities";
    candidates: u32, "rows that it has in `account_identity`";
    candidates_left: u32, "candidates that had left at its `observed_at`";
    candidates_suspended: u32, "candidates that were on leave at its `observed_at`";
    owner_identity_ix: Option<u32>, "owner, resolved; null: none stated or not resolved";
    can_authenticate: Answer, "active or locked, unexpired, and (where credentials are covered) one credential live";
    can_authenticate_why: Why, "the reason in a few words";
});

table!(ACCOUNT_IDENTITY, AccountIdentityRow, "account_identity", key ["system_ix", "account_ix", "rank"], "Every candidate of every account.", {
    system_ix: u32, "system";
    account_ix: u32, "account";
    rank: u32, "0 is the best; ties in the order of `identity_ix`";
    identity_ix: u32, "candidate";
    score: f64, "confidence, 0 to 1";
    rule: Label, "strongest rule that fits";
    state: MatchState, "`linked` or `disputed`";
    standing: Standing, "the candidate's, at the account's `observed_at`";
    left_after: Option<Time>, "as in `identities_seen`, for the end that counts at the account's `observed_at`";
    left_by: Option<Time>, "as in `identities_seen`; null: not left before the account's `observed_at`";
    left_exact: bool, "`left_by` is the authority's own date";
    known_after: Option<Time>, "as in `identities_seen`";
    known_by: Option<Time>, "as in `identities_seen`";
    leaves_later: bool, "the end lies at or after the account's `observed_at`: not yet observable";
});

table!(MATCH_TRACE, MatchTraceRow, "match_trace", key ["system_ix", "account_ix", "identity_ix", "rule"], "Which rules tied an account to a candidate.", {
    system_ix: u32, "system";
    account_ix: u32, "account";
    identity_ix: u32, "candidate";
    tier: u32, "tier of the rule, from 1";
    rule: Label, "rule id";
    weight: f64, "weight of the rule";
    account_column: Label, "column of the account that was compared";
    identity_column: Label, "column of the identity that was compared";
    value: Short, "normalised value on which they agree";
});

table!(GROUP_REACH, GroupReachRow, "group_reach", key ["system_ix", "group_ix"], "What membership of a group leads to, nested groups included.", {
    system_ix: u32, "system";
    group_ix: u32, "group";
    level: Level, "highest level reached: own level, own grants, and those of every group above";
    risks: Option<String>, "risks reached, sorted, joined by `,`; null: none";
    conditional: bool, "the level or a risk is reached only under a condition";
    entitlements: u32, "distinct entitlements reached";
    ancestors: Option<String>, "ordinals of the groups above, ascending, joined by `,`; null: none";
    level_group_ix: u32, "group that confers the level";
    level_entitlement_ix: Option<u32>, "entitlement that confers the level; null: the group itself does";
    path: String, "names from this group to the one that confers the level, joined by ` > `";
    members: u32, "accounts that are members directly or through groups; kind `primary` not counted";
    cycle: bool, "the group is its own ancestor";
});

table!(LOG_COVERAGE, LogCoverageRow, "log_coverage", key ["system_ix", "log"], "From when to when the logs speak of each system. What began outside is not judged by what they do not show.", {
    system_ix: u32, "system of which the log speaks";
    log: String, "`requests`, `reviews`, `workflow_log` or `events`";
    covers_from: Time, "first instant that every log of this sort covers";
    covers_to: Time, "first instant that one of them no longer covers (exclusive)";
    stated: bool, "both ends are stated by the sources; else one is that of the oldest record or of the snapshot";
});

table!(APPROVALS, ApprovalRow, "approvals", key ["system_ix", "account_ix", "edge", "edge_ix"], "Which request, if any, approved each grant and each own membership of an account, in the systems of which requests speak.", {
    system_ix: u32, "system";
    account_ix: u32, "account";
    edge: String, "`membership` or `grant`";
    edge_ix: u32, "`membership_ix` or `grant_ix` of the snapshot";
    began_after: Option<Time>, "the access began after this instant; null: exact, or nothing earlier is known";
    began_by: Option<Time>, "the access began at or before this instant; null: the export states no start, and it was there in the first snapshot";
    began_exact: bool, "`began_by` is the system's own word";
    approval: ApprovalState, "what the requests say of it";
    how: Option<String>, "`reference` (the system names the request), `entitlement`, `alias` or `account` (the ticket names no right); null: no request";
    request_system_ix: Option<u32>, "source of the request; null: none";
    request: Option<String>, "its id; null: none";
    approver_ref: Option<String>, "who decided; null: not stated, or no request";
    decided_at: Option<Time>, "null: not stated, or no request";
    valid_to: Option<Time>, "first instant for which it is no longer approved; null: without end, or no request";
});

table!(REVOCATIONS, RevocationRow, "revocations", key ["request_system_ix", "request", "system_ix", "account_ix", "edge", "edge_ix"],
    "Access that a request says is to be taken away and that the snapshot still shows: one row for each edge, or for the account where the ticket names no right.", {
    request_system_ix: u32, "source of the request";
    request: String, "its id";
    system_ix: u32, "system";
    account_ix: u32, "account";
    edge: Option<String>, "`membership` or `grant`; null: the ticket names no right, and the whole account is meant";
    edge_ix: Option<u32>, "as in `access`; null: the whole account";
    how: String, "`entitlement`, `alias` or `account`";
    state: TicketState, "of the ticket";
    decision: Decision, "of the request";
    closed_at: Option<Time>, "null: not closed, or not stated";
    regranted: bool, "the export states that the access was given after the ticket was closed";
});

table!(ROLES_SEEN, RoleSeenRow, "roles_seen", key ["system_ix", "role"],
    "Every role of every role catalogue, and what of it means nothing here.", {
    system_ix: u32, "the catalogue's source";
    role: String, "its own id";
    role_name: Option<String>, "null: none";
    owner_ref: Option<String>, "null: not stated";
    due_to: u32, "people to whom it is due by the people lists, leavers included";
    everybody: bool, "it is due to everybody: conditions are stated, and all of them are `*`";
    unconditional: bool, "none of its records states a condition: it is due to nobody";
    titles_unheld: u32, "titles that it states and nobody holds";
    org_units_unheld: u32, "organisational units that it states and nobody belongs to";
    holders_unknown: u32, "holders that it states and that name nobody, or several people";
    rights: u32, "rights that it gives";
    rights_unknown: u32, "rights that name neither a group nor an entitlement of their system";
    rights_elsewhere: u32, "rights in systems that are not among the sources, or in none";
    catch_all: Option<String>, "systems of which it gives every right, so that nothing of its holders can lie outside; joined by `,`; null: none";
});

table!(ROLE_FIT, RoleFitRow, "role_fit", key ["system_ix", "account_ix", "edge", "edge_ix", "rank"],
    "How what an account holds lies to the roles of each person who may be behind it, in the systems that a role catalogue names.", {
    system_ix: u32, "system";
    account_ix: u32, "account";
    edge: String, "`membership` or `grant`, as in the view `access`";
    edge_ix: u32, "`membership_ix` or `grant_ix` of the snapshot";
    rank: u32, "the candidate's, as in `account_identity`";
    identity_ix: u32, "candidate; people only";
    fit: Fit, "`inside`: a role names the edge's target or all that it leads to; `partly`: some of it";
    roles_due: u32, "roles that are due to the candidate";
    roles: Option<String>, "those of them that speak for the edge, joined by `; `; null: none";
    excess: Option<String>, "what no role gives: the first 20 names, else native ids, joined by `; `; null: nothing";
    excess_count: u32, "how much that is altogether";
    catch_all: bool, "`inside` only because a role gives every right of the system";
});

table!(MOVERS, MoverRow, "movers", key ["identity_ix", "move_ix"],
    "When a person's title or organisational unit changed, by the log of the people list or between two of its snapshots.", {
    identity_ix: u32, "who";
    move_ix: u32, "position among the person's moves, from 0";
    moved_after: Option<Time>, "the move lies after this instant; null: exact";
    moved_by: Time, "the move lies at or before this instant";
    exact: bool, "`moved_by` is the authority's own date";
    known_by: Option<Time>, "the move was entered at or before this instant; null: not known";
    from_title: Option<String>, "title before; null: not known";
    to_title: Option<String>, "title after; null: not known";
    from_unit: Option<String>, "organisational unit before; null: not known";
    to_unit: Option<String>, "organisational unit after; null: not known";
});

table!(MOVER_ACCESS, MoverAccessRow, "mover_access", key ["system_ix", "account_ix", "edge", "edge_ix", "rank"],
    "What the accounts of people who moved hold, and whether a role that they had before speaks for it.", {
    system_ix: u32, "system";
    account_ix: u32, "account";
    edge: String, "`membership` or `grant`";
    edge_ix: u32, "`membership_ix` or `grant_ix` of the snapshot";
    rank: u32, "the candidate's, as in `account_identity`";
    identity_ix: u32, "the candidate, who moved";
    move_ix: u32, "move since which the access counts, as in `movers`: the last one away from roles that speak for it, else the person's last";
    moved_after: Option<Time>, "as in `movers`";
    moved_by: Time, "as in `movers`";
    from_title: Option<String>, "as in `movers`";
    to_title: Option<String>, "as in `movers`";
    from_unit: Option<String>, "as in `movers`";
    to_unit: Option<String>, "as in `movers`";
    fit_before: Option<Fit>, "how the access lay to the roles due before that move; null: title or unit before it is not known";
    roles_before: Option<String>, "roles due before the move that speak for it, joined by `; `; null: none";
    fit_now: Fit, "as in `role_fit`";
    began: Began, "whether the access began before the move";
    began_by: Option<Time>, "when it was granted, else the earlier snapshot that shows it; null: neither is known";
});

table!(LEAVER_REACH, LeaverReachRow, "leaver_reach", key ["system_ix", "account", "identity_ix", "secret_system_ix", "secret", "via"],
    "Secrets that somebody who has left could read, as their system stood before they left.", {
    system_ix: u32, "system of the account";
    account: String, "native id of the account, which may be gone by now";
    identity_ix: u32, "who left, or may have: the account's candidate";
    secret_system_ix: u32, "system of the secret";
    secret: String, "native id of the secret; `*`: see `excluded`";
    via: String, "policy or entitlement that lets the account read it";
    path: Option<String>, "pattern in the policy that decides; null: the grant names the secret";
    capability: Option<String>, "capability or action that reads; null: excluded";
    readable: Answer, "`unknown`: it turns on something that the export does not show";
    why: Option<String>, "what that is; null: nothing";
    conditional: bool, "the right holds only under a condition";
    excluded: Option<String>, "why this account's secrets are not listed one by one; null: they are";
    snapshot: String, "snapshot from which it was read";
    read_at: Time, "that snapshot's `taken_at`";
    late: bool, "no snapshot from before the end is stored: this one was taken after it";
    candidates: u32, "candidates that the account has in that snapshot";
    left_after: Option<Time>, "the end lies after this instant; null: exact, or no lower bound";
    left_by: Time, "the end lies at or before this instant";
    left_exact: bool, "`left_by` is the authority's own date";
});

table!(PRINCIPAL_RISK, PrincipalRiskRow, "principal_risk", key ["system_ix", "account_ix", "method"],
    "What all policies of an AWS user or role, its groups' included, let it become, less Deny and permissions boundary.", {
    system_ix: u32, "system";
    account_ix: u32, "user or role";
    method: String, "`admin`; an escalation method: its actions joined by `+`; another risk's name; `unread-policy`: a policy is not in the export";
    risk: PrincipalRisk, "what it puts at risk. An administrator has the row `admin` and no others that it implies";
    verdict: Verdict, "`possible`: `limits` or `condition` says on what it hangs; `latent`: open, and no role, user or group of the export that it reaches leads further; `unknown` for `unread-policy` only";
    rank: u32, "0 is the one that matters most of its principal";
    actions: String, "actions that it takes, joined by `,`; `*` for `admin`; empty for `unread-policy`";
    target: Option<String>, "native id of the user, role, group or policy through which it leads; null: none is known, or none is needed";
    target_name: Option<String>, "its name";
    path: Option<String>, "names from the principal over those that it leads over, ending in `admin` or in the last one's method, joined by ` > `; null: over nobody else";
    limits: Option<String>, "why it is only possible, in words, joined by `; `; null: nothing but `condition`, or certain";
    condition: Option<String>, "conditions that decide, JSON verbatim, a list where there are several, `{\"unless\":…}` for a Deny; null: none";
    grants: Option<String>, "ordinals of the grants whose removal, with `memberships`, ends it, ascending, joined by `,`; null: none";
    memberships: Option<String>, "ordinals of the memberships (trusts, for a role chain) whose removal, with `grants`, ends it; null: none";
    attachments: Option<String>, "the same in words, joined by `; `; null: none";
});

table!(FINDINGS, FindingRow, "findings", key ["check_id", "fingerprint"], "Every finding ever seen by this store's runs, with its state in this run.", {
    fingerprint: String, "32 hex digits over (check, subject kind, native ids); stable across runs";
    check_id: String, "check";
    severity: Severity, "after configured overrides";
    certainty: Certainty, "true for all candidates, or for some";
    state: FindingState, "in this run";
    also: bool, "a covering check reports the same subject: kept, out of totals";
    system: String, "system";
    subject_kind: SubjectKind, "what it is about";
    subject: String, "native id; an edge: `<principal> -> <target>`";
    subject_name: Option<String>, "what people call it; hostile input";
    account: Option<String>, "native id of the account concerned; null: none";
    identity: Option<String>, "native id of the person concerned, candidates joined by ` | `; null: none";
    identity_name: Option<String>, "their names, joined by ` | `; null: none";
    principal: Option<String>, "edges: the account's or group's native id";
    target: Option<String>, "edges: native id of the entitlement or group to take away";
    target_name: Option<String>, "edges: its name";
    resource: Option<String>, "edges: native id of the resource; null: none";
    case_key: String, "findings of one person in one system share it";
    observed_at: Option<Time>, "instant at which it was judged; null: not about a snapshot";
    since: Option<Time>, "instant from which the fault counts; null: not dated";
    age_days: Option<f64>, "from `since` to `observed_at`; null: not dated";
    title: String, "what was found, in one line, its values included";
    remedy: String, "the thing to remove or correct";
    evidence: String, "JSON object: the columns of the check's row";
    origins: Option<String>, "JSON array of {table, file, unit, number, fact}; null: no row of an export";
    exception: Option<String>, "exception that applies; null: none";
    first_seen: Time, "`as_of` of the first run that found it";
    last_seen: Time, "`as_of` of the last run that found it";
});

table!(OUTCOMES, OutcomeRow, "outcomes", key ["check_id", "system"], "What became of each check for each system.", {
    check_id: String, "check";
    system: String, "system; `*` for a check that reads several";
    outcome: OutcomeKind, "how it ended";
    reason: Option<String>, "why it was not evaluated or failed; null: evaluated";
    population: u64, "subjects that the check looked at";
    evaluated: u64, "subjects answered yes or no";
    unknown: u64, "subjects that the export does not let anyone judge";
    too_new: u64, "subjects younger than the question";
    not_yet_observable: u64, "facts that took effect at or after the subject was observed";
    before_coverage: u64, "subjects that began before the log that would answer";
    certain: u64, "findings true for all candidates, covered ones left out";
    possible: u64, "findings true for some candidates, covered ones left out";
});

table!(SOURCES, SourceRow, "sources", key ["system"], "Every source that this run expected or met, and how complete it is.", {
    system: String, "name in the configuration, or the pattern that matched nothing";
    system_ix: Option<u32>, "null: nothing of it is sealed at `as_of`";
    expected: bool, "its absence fails the run";
    present: bool, "a snapshot is sealed at `as_of`";
    complete: Answer, "`no`: short, or dropped beyond `max_drop`; `unknown`: absent";
    fresh: Answer, "`unknown`: `as_of` was derived, no maximum age is set, or absent";
    in_step: Answer, "`no`: its snapshot is further than `max_skew` from the newest one";
    within_rejects: Answer, "rejected records are within the source's limit";
    rejected: u64, "records rejected";
    observed_at: Option<Time>, "null: absent";
    age_days: Option<f64>, "from `observed_at` to `as_of`; null: absent or derived `as_of`";
    problems: Option<String>, "in words, joined by `; `; null: none";
});

table!(EXCEPTION_MATCHES, ExceptionMatchRow, "exception_matches", key ["exception"], "What became of each exception of the current register.", {
    exception: String, "its id";
    status: String, "`applies`, `expired`, `not_yet`, `void`, `unmatched`";
    why: Option<String>, "reason for `void` and others; null: applies";
    findings: u32, "findings of this run that it names, whatever its status";
    check_id: String, "as recorded";
    system: String, "as recorded";
    subject: String, "as recorded";
    owner: Option<String>, "as recorded";
    approver: Option<String>, "as recorded";
    valid_from: Option<Time>, "as recorded";
    expires_at: Option<Time>, "as recorded";
    first_seen: Time, "`as_of` of the first run that met this record";
});

/// Every table that a run adds to the snapshots it read.
pub static RUN_TABLES: &[&Table] = &[
    &RUN_SYSTEMS,
    &RUN_IDENTITIES,
    &ACCOUNT_STATE,
    &ACCOUNT_IDENTITY,
    &MATCH_TRACE,
    &GROUP_REACH,
    &super::drift::CHANGES,
    &super::drift::EDGE_HISTORY,
    &LOG_COVERAGE,
    &APPROVALS,
    &REVOCATIONS,
    &ROLES_SEEN,
    &ROLE_FIT,
    &MOVERS,
    &MOVER_ACCESS,
    &LEAVER_REACH,
    &PRINCIPAL_RISK,
    &SOURCES,
    &EXCEPTION_MATCHES,
    &FINDINGS,
    &OUTCOMES,
];
