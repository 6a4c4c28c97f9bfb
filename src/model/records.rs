//! The records that say why access should be there: requests, the role catalogue, reviews, separation rules, the workflow log.
//!
//! References to people, systems and entitlements stay as the record has them; a run says whom and what they mean.

use arrow::array::ArrayRef;

use super::cell::{Builder, Cell, CellError};
use super::facts::*;
use super::schema::{Column, Row, Table, table};
use super::text::norm_opt;
use super::time::Time;

table!(REQUESTS, RequestRow, "requests", key ["request"], "Somebody asked for access or for its end: what was decided, and what became of the ticket.", {
    request: String, "its own id; unique";
    action: RequestAction, "what was asked for; `unknown` counts as a request for access, never as one for its end";
    beneficiary_ref: Option<String>, "whose access it is about: number, login, address or name; null: not stated";
    requester_ref: Option<String>, "who asked; null: not stated";
    system: Option<String>, "system in the configuration's or the ticket's own words; null: not stated";
    entitlement_ref: Option<String>, "native id, name or alias of the entitlement or group; null: the ticket names none";
    resource_ref: Option<String>, "null: none";
    state: TicketState, "state of the ticket";
    state_text: Option<String>, "the record's own word for it; null: none";
    decision: Decision, "what was decided";
    approver_ref: Option<String>, "who decided; null: not stated";
    requested_at: Option<Time>, "null: not stated";
    decided_at: Option<Time>, "null: not decided, or not stated";
    closed_at: Option<Time>, "null: not closed, or not stated";
    valid_from: Option<Time>, "first instant for which access was approved; null: from the decision on";
    valid_to: Option<Time>, "first instant after (exclusive); null: without end";
});

table!(ROLE_MODEL, RoleModelRow, "role_model", key ["role", "system", "entitlement_ref", "title_norm", "org_unit_norm", "holder_ref"],
    "The role catalogue: which role gives what, and to whom it is due. One row per role, right and condition.", {
    role: String, "its own id";
    role_name: Option<String>, "null: none";
    title_norm: Option<String>, "job title or code whose holders are due the role, normalised; `*`: any; null: not a condition";
    org_unit_norm: Option<String>, "organisational unit whose members are due the role, normalised; `*`: any; null: not a condition";
    holder_ref: Option<String>, "the person who is due the role, by number, login, address or native id; null: not a condition";
    system: Option<String>, "system in which the right lies; null: the row gives no right";
    entitlement_ref: Option<String>, "native id or name of the entitlement or group, a trailing `*` stands for any rest; null: the row gives no right";
    resource_ref: Option<String>, "null: on whatever";
    owner_ref: Option<String>, "who answers for the role; null: not stated";
});

impl RoleModelRow {
    /// Whether it gives a right in a system, so that access to that system can be judged by its catalogue.
    pub fn gives_in(&self, system: &str) -> bool {
        self.entitlement_ref.is_some() && self.system.is_some() && norm_opt(self.system.as_deref()) == norm_opt(Some(system))
    }
}

table!(REVIEWS, ReviewRow, "reviews", key ["review"], "Somebody looked at access and decided whether it stays.", {
    review: String, "its own id; unique";
    campaign: Option<String>, "null: none";
    system: Option<String>, "system; null: not stated";
    subject_ref: Option<String>, "account or person reviewed: native id, login, number or address; null: not stated";
    entitlement_ref: Option<String>, "native id or name of the entitlement or group; null: the whole account";
    exception_ref: Option<String>, "exception reviewed; null: not about an exception";
    reviewer_ref: Option<String>, "who decided; null: not stated";
    decision: ReviewDecision, "what was decided";
    decided_at: Option<Time>, "null: not decided, or not stated";
    due_at: Option<Time>, "first instant after the day on which it was due; null: not stated";
});

table!(SEPARATION_RULES, SeparationRuleRow, "separation_rules", key ["rule"], "Two rights that nobody should hold together.", {
    rule: String, "its own id; unique";
    name: Option<String>, "null: none";
    left_system: String, "system of the first right, or `*`";
    left_entitlement: String, "native id or name; a trailing `*` stands for any rest";
    right_system: String, "system of the second right, or `*`";
    right_entitlement: String, "native id or name; a trailing `*` stands for any rest";
    owner_ref: Option<String>, "who answers for the rule; null: not stated";
    reason: Option<String>, "null: none";
});

table!(WORKFLOW_LOG, WorkflowRow, "workflow_log", key ["entry"], "What a workflow decided on an event, by which rule, and what became of it.", {
    entry: String, "its own id; unique";
    identity_ref: Option<String>, "whom it is about: native id, number, login or address; null: not stated";
    event_ref: Option<String>, "event that caused it (joiner, mover, leaver, request id); null: not stated";
    event_at: Option<Time>, "when the event took effect; null: not stated";
    system: Option<String>, "system that was to change; null: not stated";
    entitlement_ref: Option<String>, "native id or name of the entitlement or group; null: the whole account";
    action: WorkflowAction, "what was to be done";
    deciding_system: Option<String>, "system that decided; null: not stated";
    rule: Option<String>, "rule by which it decided; null: not stated";
    mode: WorkflowMode, "whether a rule, a person, or a person against the rule decided";
    outcome: WorkflowOutcome, "what became of it";
    retries: Option<u32>, "attempts after the first; null: not stated";
    decided_at: Option<Time>, "null: not stated";
    enforced_at: Option<Time>, "when the system had changed; null: it has not, or not stated";
    request_ref: Option<String>, "request or ticket; null: none";
    message: Option<String>, "what the workflow said of it, masked; null: nothing";
});

/// Tables that are logs: what they do not show counts only inside the time that they cover.
pub static LOGS: &[&Table] = &[&super::schema::EVENTS, &REQUESTS, &REVIEWS, &WORKFLOW_LOG];
