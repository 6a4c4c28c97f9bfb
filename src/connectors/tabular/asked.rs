//! Why access should be there: requests with their approvals, the role catalogue, reviews, separation rules, the workflow log.

use std::collections::BTreeMap;

use super::lists::Keys;
use super::records::Fault;
use super::row::{Got, Row};
use crate::connectors::{Draft, Drafted, Origin};
use crate::model::text::norm;
use crate::model::{Decision, REQUESTS, RequestRow, ReviewRow, RoleModelRow, SeparationRuleRow, Time, WorkflowRow};

/// What the lists of one import hold together.
#[derive(Debug, Default)]
pub struct Asked {
    requests: BTreeMap<String, Drafted<RequestRow>>,
    /// Further ids of a request (its number beside its key), to the key.
    other_ids: BTreeMap<String, String>,
    approvals: Vec<Approval>,
    reviews: Keys,
    rules: Keys,
    entries: Keys,
}

/// One approver's answer.
#[derive(Debug)]
struct Approval {
    request: String,
    approver: Option<String>,
    decision: Decision,
    decided_at: Option<Time>,
    origin: Origin,
}

impl Asked {
    /// One request or ticket.
    ///
    /// # Errors
    /// A field is at fault, or the request is there already.
    pub fn request(&mut self, row: &Row<'_>, origin: Origin) -> Got<()> {
        let request = row.id()?;
        if let Some(first) = self.requests.get(&request) {
            let message = format!("a second record of one request; the first is {} {}", first.origin.unit, first.origin.number);
            return Err(Fault::new("tabular/duplicate", message, "give each request its own id, or remove one").into());
        }
        let (valid_from, valid_to) = (row.time("valid_from")?, row.end("valid_to")?);
        if let (Some(from), Some(to)) = (valid_from, valid_to)
            && to < from
        {
            let help = "correct the dates at the source; check `dates` if days and months may have changed places";
            return Err(Fault::new("tabular/span", "the approved access ends before it starts", help).into());
        }
        let found = RequestRow {
            action: row.word("action")?.unwrap_or_default(),
            beneficiary_ref: row.text("beneficiary")?,
            requester_ref: row.text("requester")?,
            system: row.text("system")?,
            entitlement_ref: row.text("entitlement")?,
            resource_ref: row.text("resource")?,
            state: row.word("state")?.unwrap_or_default(),
            state_text: row.verbatim("state")?.map(|t| crate::model::mask::free_text(&t)),
            decision: row.word("decision")?.unwrap_or_default(),
            approver_ref: row.text("approver")?,
            requested_at: row.time("requested_at")?,
            decided_at: row.time("decided_at")?,
            closed_at: row.time("closed_at")?,
            valid_from,
            valid_to,
            request: request.clone(),
        };
        if let Some(other) = row.text("other_id")? {
            self.other_ids.insert(other, request.clone());
        }
        self.requests.insert(request, Drafted { row: found, origin });
        Ok(())
    }

    /// One approver's answer to a request.
    ///
    /// # Errors
    /// A field is at fault.
    pub fn approval(&mut self, row: &Row<'_>, origin: Origin) -> Got<()> {
        self.approvals.push(Approval {
            request: row.id()?,
            approver: row.text("approver")?,
            decision: row.word("decision")?.unwrap_or_default(),
            decided_at: row.time("decided_at")?,
            origin,
        });
        Ok(())
    }

    /// One decision of a review.
    ///
    /// # Errors
    /// A field is at fault, or the review is there already.
    pub fn review(&mut self, row: &Row<'_>, origin: Origin, draft: &mut Draft) -> Got<()> {
        let found = ReviewRow {
            review: own_or_place(row, "review", origin)?,
            campaign: row.named("campaign")?,
            system: row.text("system")?,
            subject_ref: row.text("subject")?,
            entitlement_ref: row.text("entitlement")?,
            exception_ref: row.text("exception")?,
            reviewer_ref: row.text("reviewer")?,
            decision: row.word("decision")?.unwrap_or_default(),
            decided_at: row.time("decided_at")?,
            due_at: row.end("due_at")?,
        };
        if found.subject_ref.is_none() && found.exception_ref.is_none() {
            let help = "name the account or person, or the exception, that was reviewed";
            return Err(Fault::new("tabular/missing-value", "the review is of nothing", help).into());
        }
        self.reviews.claim("review", &found.review, origin)?;
        draft.reviews.push(Drafted { row: found, origin });
        Ok(())
    }

    /// One separation rule.
    ///
    /// # Errors
    /// A field is at fault, or the rule is there already.
    pub fn separation(&mut self, row: &Row<'_>, origin: Origin, draft: &mut Draft) -> Got<()> {
        let system = |field: &str| Ok::<_, super::row::Stop>(row.text(field)?.unwrap_or_else(|| "*".to_owned()));
        let found = SeparationRuleRow {
            rule: row.id()?,
            name: row.named("name")?,
            left_system: system("left_system")?,
            left_entitlement: row.need("left_entitlement")?,
            right_system: system("right_system")?,
            right_entitlement: row.need("right_entitlement")?,
            owner_ref: row.free("owner")?,
            reason: row.free("reason")?,
        };
        self.rules.claim("rule", &found.rule, origin)?;
        draft.separation_rules.push(Drafted { row: found, origin });
        Ok(())
    }

    /// One step of a workflow.
    ///
    /// # Errors
    /// A field is at fault, or the entry is there already.
    pub fn workflow(&mut self, row: &Row<'_>, origin: Origin, draft: &mut Draft) -> Got<()> {
        let retries = match row.text("retries")? {
            None => None,
            Some(text) => Some(text.parse::<u32>().map_err(|_| {
                let help = "write a whole number, 0 or more, or leave it blank";
                Fault::new("tabular/number", format!("`retries` is `{}`", super::names::shown(&text)), help)
            })?),
        };
        let found = WorkflowRow {
            entry: own_or_place(row, "entry", origin)?,
            identity_ref: row.text("identity")?,
            event_ref: row.named("event")?,
            event_at: row.time("event_at")?,
            system: row.text("system")?,
            entitlement_ref: row.text("entitlement")?,
            action: row.word("action")?.unwrap_or_default(),
            deciding_system: row.named("deciding_system")?,
            rule: row.named("rule")?,
            mode: row.word("mode")?.unwrap_or_default(),
            outcome: row.word("outcome")?.unwrap_or_default(),
            retries,
            decided_at: row.time("decided_at")?,
            enforced_at: row.time("enforced_at")?,
            request_ref: row.text("request")?,
            message: row.free("message")?,
        };
        self.entries.claim("entry", &found.entry, origin)?;
        draft.workflow_log.push(Drafted { row: found, origin });
        Ok(())
    }

    /// Joins the approvals to their requests and writes both into the draft.
    pub fn finish(mut self, draft: &mut Draft) {
        let mut answers: BTreeMap<String, Vec<Approval>> = BTreeMap::new();
        for approval in self.approvals {
            let key = self.other_ids.get(&approval.request).filter(|_| !self.requests.contains_key(&approval.request));
            answers.entry(key.unwrap_or(&approval.request).clone()).or_default().push(approval);
        }
        for (request, answers) in answers {
            let Some(first) = answers.first() else { continue };
            // A list of approvals alone still says that somebody asked.
            let bare = || Drafted { row: RequestRow { request: request.clone(), ..RequestRow::default() }, origin: first.origin };
            let found = self.requests.entry(request.clone()).or_insert_with(bare);
            for answer in answers.iter().filter(|a| a.origin != found.origin) {
                draft.facts.push((&REQUESTS, request.clone(), "decision", answer.origin));
            }
            decide(&mut found.row, &answers);
        }
        draft.requests.extend(self.requests.into_values());
    }
}

/// What the answers of its approvers make of a request whose own record states no decision: one rejection rejects it, and it is
/// approved once all have approved.
fn decide(request: &mut RequestRow, answers: &[Approval]) {
    let has = |d: Decision| answers.iter().any(|a| a.decision == d);
    let together = if has(Decision::Rejected) {
        Decision::Rejected
    } else if answers.iter().all(|a| a.decision == Decision::Approved) {
        Decision::Approved
    } else if has(Decision::Unknown) {
        Decision::Unknown
    } else {
        Decision::Pending
    };
    if request.decision == Decision::Unknown {
        request.decision = together;
    }
    let deciding = || answers.iter().filter(|a| a.decision == request.decision);
    if request.decided_at.is_none() && matches!(request.decision, Decision::Approved | Decision::Rejected) {
        request.decided_at = deciding().filter_map(|a| a.decided_at).max();
    }
    if request.approver_ref.is_none() {
        request.approver_ref = deciding().filter_map(|a| a.approver.as_ref()).max().cloned();
    }
}

/// The record's own id where the list has one, else its place.
fn own_or_place(row: &Row<'_>, field: &str, origin: Origin) -> Got<String> {
    Ok(row.text(field)?.unwrap_or_else(|| format!("{}:{}", origin.file, origin.number)))
}

/// One role of the catalogue, or one of its rights: a record that names several gives as many rows.
///
/// # Errors
/// A field is at fault.
pub fn role(row: &Row<'_>, origin: Origin, draft: &mut Draft) -> Got<()> {
    let found = RoleModelRow {
        role: row.id()?,
        role_name: row.named("name")?,
        title_norm: row.free("title")?.and_then(|t| norm(&t)),
        org_unit_norm: row.free("org_unit")?.and_then(|t| norm(&t)),
        holder_ref: row.text("holder")?,
        system: row.text("system")?,
        entitlement_ref: None,
        resource_ref: row.text("resource")?,
        owner_ref: row.free("owner")?,
    };
    let rights = row.list("entitlement")?;
    if rights.iter().any(|r| r == "*") {
        draft.note(origin.file, "a role gives every right of a system: nothing of its holders can lie outside it");
    }
    if [&found.title_norm, &found.org_unit_norm].into_iter().flatten().any(|c| c == "*") {
        draft.note(origin.file, "a role is due to everybody");
    }
    if rights.is_empty() {
        draft.role_model.push(Drafted { row: found, origin });
        return Ok(());
    }
    for right in rights {
        draft.role_model.push(Drafted { row: RoleModelRow { entitlement_ref: Some(right), ..found.clone() }, origin });
    }
    Ok(())
}
