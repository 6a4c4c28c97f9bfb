//! The records that say why access is there: few, so that each check has something to read.

use super::clock;
use super::columns::{Batches, of_rows};
use super::faults::{Fault, KINDS, Slot};
use super::people::{self, ARCHIVIST};
use super::shape::{Estate, System};
use crate::model::time::{DAY, HOUR};
use crate::model::*;
use crate::store::table_file::GROUP_ROWS;

/// What the requests cover: access from before may rest on what is not in them.
pub fn requests_cover() -> (Time, Time) {
    (clock::days_before(3), clock::end())
}

/// What the reviews cover.
pub fn reviews_cover() -> (Time, Time) {
    (clock::days_before(365), clock::end())
}

impl System {
    fn request(&self, cycle: u64, of_two: u64) -> String {
        format!("REQ-{:08}", (self.slots_before / KINDS + cycle) * 2 + of_two)
    }

    /// The ticket by which access was to end, and did not.
    pub fn revoke_request(&self, cycle: u64) -> String {
        self.request(cycle, 1)
    }
}

fn number(person: u64) -> Option<String> {
    Some(people::text(|to| people::employee_number(person, to)))
}

/// Every system with each of its cycles.
fn cycles(estate: &Estate) -> impl Iterator<Item = (&System, u64)> + Send {
    estate.systems.iter().flat_map(|s| (0..s.cycles).map(move |cycle| (s, cycle)))
}

/// Table `requests`: one that approves access, and one that was to end it, for each cycle.
pub fn requests(estate: &Estate) -> Batches<'_> {
    let rows = cycles(estate).flat_map(move |(system, cycle)| {
        let before = |hours: i64| Some(clock::end().plus(-hours * HOUR));
        let of = |slot: Slot, right: u32, request, action| RequestRow {
            request,
            action,
            beneficiary_ref: number(slot.person),
            requester_ref: number(0),
            system: Some(system.name.clone()),
            entitlement_ref: Some(system.entitlement_id(right)),
            state: TicketState::Closed,
            state_text: Some("closed".to_owned()),
            decision: Decision::Approved,
            approver_ref: number(1),
            requested_at: before(70),
            decided_at: before(60),
            closed_at: before(50),
            ..RequestRow::default()
        };
        let (approved, ended) = (system.slot(estate, cycle, Fault::Approved), system.slot(estate, cycle, Fault::RevokeTicket));
        [
            of(approved, system.admin_right(), system.request(cycle, 0), RequestAction::Grant),
            of(ended, system.plain_right(), system.request(cycle, 1), RequestAction::Revoke),
        ]
    });
    of_rows(rows, GROUP_ROWS)
}

/// Table `role_model`: one role, of the first system.
pub fn role_model(estate: &Estate) -> Batches<'_> {
    let rows = estate.systems.iter().take(1).map(|system| RoleModelRow {
        role: "ROLE-ARCHIVE".to_owned(),
        role_name: Some("Archive".to_owned()),
        title_norm: text::norm(ARCHIVIST),
        system: Some(system.name.clone()),
        entitlement_ref: Some(system.entitlement_id(system.plain_right())),
        owner_ref: number(0),
        ..RoleModelRow::default()
    });
    of_rows(rows, GROUP_ROWS)
}

/// What becomes of an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excepted {
    Expired,
    Unreviewed,
    Reviewed,
}

/// The exceptions of an estate, each for a dormant account.
pub fn excepted(estate: &Estate) -> impl Iterator<Item = (String, Excepted, &System, Slot)> + Send {
    let which = [Excepted::Expired, Excepted::Unreviewed, Excepted::Reviewed];
    let dormant = cycles(estate).map(move |(system, cycle)| (system, system.slot(estate, cycle, Fault::Dormant)));
    (1..).zip(which).zip(dormant).map(|((n, which), (system, slot))| (format!("EX-{n:04}"), which, system, slot))
}

/// Table `exceptions`.
pub fn exceptions(estate: &Estate) -> Batches<'_> {
    let rows = excepted(estate).map(|(exception, which, system, slot)| ExceptionRow {
        exception,
        check_id: "dormant-account".to_owned(),
        system: system.name.clone(),
        subject: system.account_id(slot.number),
        owner: number(0),
        approver: number(1),
        reason: Some("kept for emergencies".to_owned()),
        valid_from: Some(clock::days_before(300)),
        expires_at: Some(if which == Excepted::Expired { clock::days_before(30) } else { clock::end().plus(60 * DAY) }),
        ..ExceptionRow::default()
    });
    of_rows(rows, GROUP_ROWS)
}

/// Table `reviews`: of the exceptions that somebody looked at.
pub fn reviews(estate: &Estate) -> Batches<'_> {
    let looked = excepted(estate).filter(|(_, which, ..)| *which == Excepted::Reviewed);
    let rows = looked.map(|(exception, ..)| ReviewRow {
        review: "REV-0001".to_owned(),
        exception_ref: Some(exception),
        reviewer_ref: number(1),
        decision: ReviewDecision::Keep,
        decided_at: Some(clock::days_before(30)),
        ..ReviewRow::default()
    });
    of_rows(rows, GROUP_ROWS)
}

/// Table `systems`: all that were exported.
pub fn register(estate: &Estate) -> Batches<'_> {
    let rows = estate.systems.iter().map(|system| SystemRow {
        system: system.name.clone(),
        owner_ref: number(0),
        in_scope: true,
        environment: Some("production".to_owned()),
        ..SystemRow::default()
    });
    of_rows(rows, GROUP_ROWS)
}
