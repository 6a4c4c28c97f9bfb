//! The wide views that checks read, as row types. `views.sql` defines the same views in portable SQL; the two are compared.

use arrow::array::ArrayRef;

use crate::model::cell::{Builder, Cell, CellError};
use crate::model::{
    AccountKind, AccountStatus, Answer, Began, CredentialKind, CredentialStatus, Effect, Fit, IdentityKind, Level, MatchState, MfaState,
    PrincipalKind, PrincipalRisk, ReviewDecision, Row, Standing, Table, Time, UseState, Verdict,
};
use crate::model::{Column, table};

table!(V_ACCOUNTS, AccountView, "accounts", key ["system_ix", "account_ix"], "One row for each account of each current snapshot.", {
    system_ix: u32, "system";
    account_ix: u32, "account";
    system: String, "name of the system";
    account: String, "native id";
    login: Option<String>, "as in the snapshot";
    login_norm: Option<String>, "as in the snapshot";
    display_name: Option<String>, "as in the snapshot";
    email: Option<String>, "as in the snapshot";
    email_norm: Option<String>, "as in the snapshot";
    employee_ref: Option<String>, "as in the snapshot";
    owner_ref: Option<String>, "as in the snapshot";
    owner_identity_ix: Option<u32>, "owner, resolved; null: none stated or not resolved";
    kind: AccountKind, "as resolved";
    kind_from: String, "`registry`, `connector`, `pattern` or `none`";
    status: AccountStatus, "the account's own state";
    match_state: MatchState, "how it relates to the authorities";
    candidates: u32, "rows in `candidates`";
    can_authenticate: Answer, "whether its system would let it in";
    can_authenticate_why: String, "the reason in a few words";
    created_at: Option<Time>, "as in the snapshot";
    last_used_at: Option<Time>, "as in the snapshot";
    last_used_until: Option<Time>, "as in the snapshot";
    use_state: UseState, "as in the snapshot";
    use_window_from: Option<Time>, "as in the snapshot";
    mfa_state: MfaState, "as in the snapshot";
    expires_at: Option<Time>, "as in the snapshot";
    environment: Option<String>, "as in the snapshot";
    team: Option<String>, "owning team of the system";
    observed_at: Time, "the snapshot's `taken_at`";
});

table!(V_CANDIDATES, CandidateView, "candidates", key ["system_ix", "account_ix", "rank"], "One row for each account and each identity that it may belong to.", {
    system_ix: u32, "system";
    account_ix: u32, "account";
    rank: u32, "0 is the best";
    identity_ix: u32, "candidate";
    identity: String, "native id of the candidate";
    identity_name: Option<String>, "its name";
    identity_kind: IdentityKind, "person or registered non-human";
    score: f64, "confidence, 0 to 1";
    rule: String, "strongest rule that fits";
    candidate_state: MatchState, "`linked`: this identity and no other; `disputed`: one of several, or not certain";
    standing: Standing, "at the account's `observed_at`";
    left_after: Option<Time>, "the end lies after this instant; null: exact or no known lower bound";
    left_by: Option<Time>, "the end lies at or before this instant; null: not left";
    left_exact: bool, "`left_by` is the authority's own date";
    known_after: Option<Time>, "the end was entered after this instant";
    known_by: Option<Time>, "the end was entered at or before this instant";
    leaves_later: bool, "the authority knew the identity as left, and the end lies at or after the account's `observed_at`";
});

table!(V_ACCESS, AccessView, "access", key ["system_ix", "account_ix", "edge", "edge_ix"],
    "What an account itself holds and an administrator can take away: memberships (primary and dynamic ones left out) and allowing grants.", {
    system_ix: u32, "system";
    account_ix: u32, "account";
    edge: String, "`membership` or `grant`";
    edge_ix: u32, "`membership_ix` or `grant_ix` of the snapshot";
    target: String, "native id of the group or entitlement";
    target_name: Option<String>, "its name";
    level: Level, "highest level that the edge leads to, nested groups included";
    risks: Option<String>, "risks that it leads to";
    conditional: bool, "the level or a risk holds only under a condition";
    path: Option<String>, "groups from the target to the one that confers the level; null: the edge itself confers it";
    resource: Option<String>, "native id of the resource";
    granted_at: Option<Time>, "as in the snapshot";
    expires_at: Option<Time>, "as in the snapshot";
    request_ref: Option<String>, "as in the snapshot";
    observed_at: Time, "the snapshot's `taken_at`";
});

table!(V_ACCESS_FIT, AccessFitView, "access_fit", key ["system_ix", "account_ix", "edge", "edge_ix", "rank"],
    "How what an account holds lies to the roles of each person who may be behind it, in the systems that a role catalogue names.", {
    system_ix: u32, "system";
    account_ix: u32, "account";
    edge: String, "`membership` or `grant`, as in `access`";
    edge_ix: u32, "as in `access`";
    rank: u32, "the candidate's, as in `candidates`; people only";
    identity_ix: u32, "candidate";
    identity_name: Option<String>, "its name";
    title: Option<String>, "its job title";
    org_unit: Option<String>, "its organisational unit";
    target: String, "native id of the group or entitlement";
    target_name: Option<String>, "its name";
    level: Level, "highest level that the edge leads to";
    resource: Option<String>, "native id of the resource";
    granted_at: Option<Time>, "as in the snapshot";
    fit: Fit, "`inside`: a role names the target or all that it leads to; `partly`: some of it; `no_role`: no role is due";
    roles_due: u32, "roles that are due to the candidate";
    roles: Option<String>, "those of them that speak for the edge";
    excess: Option<String>, "what no role gives";
    excess_count: u32, "how much that is";
    catch_all: bool, "`inside` only because a role gives every right of the system";
    observed_at: Time, "the snapshot's `taken_at`";
});

table!(V_MOVED_ACCESS, MovedAccessView, "moved_access", key ["system_ix", "account_ix", "edge", "edge_ix", "rank"],
    "What the accounts of people who moved hold, beside the roles that they had before, in the systems that a role catalogue names.", {
    system_ix: u32, "system";
    account_ix: u32, "account";
    edge: String, "`membership` or `grant`, as in `access`";
    edge_ix: u32, "as in `access`";
    rank: u32, "the candidate's, as in `candidates`";
    login: Option<String>, "the account's";
    status: AccountStatus, "the account's";
    candidates: u32, "candidates of the account, whether they moved or not";
    identity_ix: u32, "the candidate, who moved";
    identity_name: Option<String>, "its name";
    target: String, "native id of the group or entitlement";
    target_name: Option<String>, "its name";
    level: Level, "highest level that the edge leads to";
    resource: Option<String>, "native id of the resource";
    granted_at: Option<Time>, "as in the snapshot";
    moved_after: Option<Time>, "the move lies after this instant; null: exact";
    moved_by: Time, "the move lies at or before this instant";
    took_effect: bool, "the move took effect before `observed_at`";
    from_title: Option<String>, "title before; null: not known";
    to_title: Option<String>, "title after; null: not known";
    from_unit: Option<String>, "organisational unit before; null: not known";
    to_unit: Option<String>, "organisational unit after; null: not known";
    fit_before: Option<Fit>, "how the access lay to the roles due before the move; null: not known";
    roles_before: Option<String>, "roles due before the move that speak for it";
    fit_now: Fit, "how it lies to the roles that are due now";
    began: Began, "whether it began before the move";
    began_by: Option<Time>, "when it was granted, else the earlier snapshot that shows it";
    observed_at: Time, "the snapshot's `taken_at`";
});

table!(V_ESCALATIONS, EscalationView, "escalations", key ["system_ix", "account_ix", "method"],
    "What the policies of an AWS user or role, taken together, let it become: `principal_risk` with the time at which it was seen.", {
    system_ix: u32, "system";
    account_ix: u32, "account";
    method: String, "as in `principal_risk`";
    risk: PrincipalRisk, "what it puts at risk";
    verdict: Verdict, "`certain`, `possible`, `latent` or `unknown`";
    rank: u32, "0 is the one that matters most of its account";
    actions: String, "actions that it takes";
    target: Option<String>, "native id of what it leads through";
    target_name: Option<String>, "its name";
    path: Option<String>, "names from the account to the last of those that it leads over";
    limits: Option<String>, "why it is not certain, in words";
    condition: Option<String>, "conditions that decide, JSON";
    attachments: Option<String>, "what to take away";
    observed_at: Time, "the snapshot's `taken_at`";
});

table!(V_GRANTS, GrantView, "grants", key ["system_ix", "grant_ix"], "Every grant, whoever holds it.", {
    system_ix: u32, "system";
    grant_ix: u32, "grant";
    system: String, "name of the system";
    account_ix: Option<u32>, "holder, if an account";
    group_ix: Option<u32>, "holder, if a group or role";
    principal_kind: PrincipalKind, "what the holder is";
    principal: String, "native id of the holder, or its own text";
    principal_name: Option<String>, "its name";
    principal_vendor: bool, "the holder is made by the vendor (kind `system`, or a vendor-managed group)";
    entitlement: String, "native id";
    entitlement_name: Option<String>, "its name";
    entitlement_kind: String, "as in the snapshot";
    level: Level, "the entitlement's";
    risks: Option<String>, "the entitlement's";
    conditional: bool, "the entitlement's, or the grant has a condition";
    vendor_managed: bool, "the entitlement is written by the vendor";
    effect: Effect, "allow, deny or boundary";
    resource: Option<String>, "native id of the resource";
    members: u32, "accounts behind the holder: 1 for an account, those of the group otherwise";
    granted_at: Option<Time>, "as in the snapshot";
    expires_at: Option<Time>, "as in the snapshot";
    observed_at: Time, "the snapshot's `taken_at`";
});

table!(V_MEMBERSHIPS, MembershipView, "memberships", key ["system_ix", "membership_ix"], "Every membership, whoever the member is.", {
    system_ix: u32, "system";
    membership_ix: u32, "membership";
    system: String, "name of the system";
    account_ix: Option<u32>, "member, if an account";
    member_group_ix: Option<u32>, "member, if a group";
    principal_kind: PrincipalKind, "what the member is";
    principal: String, "native id of the member, or its own text";
    group_ix: u32, "group";
    group_id: String, "native id of the group";
    group_name: Option<String>, "its name";
    group_in_export: bool, "the export holds the group itself";
    kind: String, "`direct`, `primary`, `dynamic` or `assume`";
    level: Level, "highest level that the group reaches";
    conditional: bool, "the membership has a condition";
    granted_at: Option<Time>, "as in the snapshot";
    expires_at: Option<Time>, "as in the snapshot";
    observed_at: Time, "the snapshot's `taken_at`";
});

table!(V_CREDENTIALS, CredentialView, "credentials", key ["system_ix", "credential_ix"], "Every credential, with the account it belongs to.", {
    system_ix: u32, "system";
    credential_ix: u32, "credential";
    system: String, "name of the system";
    credential: String, "native id";
    account_ix: Option<u32>, "whose it is; null: not an account of the export";
    holder: String, "native id of the account, or the holder's own text";
    login: Option<String>, "the account's";
    account_kind: AccountKind, "the account's, resolved";
    account_status: AccountStatus, "the account's";
    can_authenticate: Answer, "the account's; `unknown` without an account";
    match_state: MatchState, "the account's; `not_evaluated` without an account";
    kind: CredentialKind, "what it is";
    status: CredentialStatus, "whether it would be accepted";
    created_at: Option<Time>, "as in the snapshot";
    rotated_at: Option<Time>, "as in the snapshot";
    last_used_at: Option<Time>, "as in the snapshot";
    use_state: UseState, "as in the snapshot";
    use_window_from: Option<Time>, "as in the snapshot";
    expires_at: Option<Time>, "as in the snapshot";
    observed_at: Time, "the snapshot's `taken_at`";
});

table!(V_REGISTER, RegisterView, "register", key ["register_ix", "system"], "The systems that should be looked at, and whether they are.", {
    register_ix: u32, "source of the register";
    system: String, "name of the system";
    owner_ref: Option<String>, "as in the register";
    in_scope: bool, "whether the audit must see it";
    environment: Option<String>, "as in the register";
    present: bool, "a snapshot of it is current in this run";
    observed_at: Time, "the register's `taken_at`";
});

table!(V_REVIEWS, ReviewView, "reviews", key ["source_ix", "review"], "Every decision of a review.", {
    source_ix: u32, "source of the reviews";
    review: String, "its own id";
    system: Option<String>, "as in the list";
    subject_ref: Option<String>, "as in the list";
    entitlement_ref: Option<String>, "as in the list";
    exception_ref: Option<String>, "as in the list";
    reviewer_ref: Option<String>, "as in the list";
    decision: ReviewDecision, "what was decided";
    decided_at: Option<Time>, "as in the list";
    due_at: Option<Time>, "as in the list";
    observed_at: Time, "the list's `taken_at`";
});

/// Views that are cut into partitions of whole accounts; what no account holds forms one of its own in each system.
pub static PARTITIONED: &[&Table] =
    &[&V_ACCOUNTS, &V_CANDIDATES, &V_ACCESS, &V_ACCESS_FIT, &V_ESCALATIONS, &V_GRANTS, &V_MEMBERSHIPS, &V_CREDENTIALS];

/// Views that are not cut.
pub static WHOLE: &[&Table] = &[&V_MOVED_ACCESS, &V_REGISTER, &V_REVIEWS];
