//! The register of exceptions: good ones, stale ones and bad ones.

use super::answers::{Answers, Verdict};
use super::clock;
use super::csv_out::table;
use crate::model::Time;

/// One record. Days count back from the last export.
struct Record {
    id: &'static str,
    check: &'static str,
    system: &'static str,
    subject: &'static str,
    entitlement: &'static str,
    owner: &'static str,
    approver: &'static str,
    beneficiary: &'static str,
    reason: &'static str,
    ticket: &'static str,
    valid_from: i64,
    expires: i64,
    /// The first export that has it.
    entered: i64,
    status: &'static str,
    why: &'static str,
}

const MECHTHILD: &str = "mechthild.auer@corp.example";
const SEVERIN: &str = "severin.kluth@corp.example";

/// What most records have in common.
const PLAIN: Record = Record {
    id: "",
    check: "",
    system: "",
    subject: "",
    entitlement: "",
    owner: SEVERIN,
    approver: MECHTHILD,
    beneficiary: "",
    reason: "",
    ticket: "",
    valid_from: 70,
    expires: -90,
    entered: 70,
    status: "applies",
    why: "in force at the time of the audit",
};

const REGISTER: &[Record] = &[
    Record {
        id: "EX-001",
        check: "stale-key",
        system: "aws-prod",
        subject: "svc-legacy-batch",
        reason: "The batch host cannot take a new key before its replacement in January",
        ticket: "CHG-20871",
        valid_from: 200,
        ..PLAIN
    },
    Record {
        id: "EX-002",
        check: "leaver-access-unremoved",
        system: "corp-ad",
        subject: "dieter.hohlbein",
        entitlement: "GG Finance",
        reason: "Year-end closing reads the archive under this account",
        ticket: "CHG-21044",
        valid_from: 45,
        entered: 42,
        ..PLAIN
    },
    Record {
        id: "EX-003",
        check: "stale-key",
        system: "aws-prod",
        subject: "svc-ci-web",
        reason: "Migration of the build farm",
        ticket: "CHG-19950",
        status: "unmatched",
        why: "the key has been rotated since: no finding is named by it",
        ..PLAIN
    },
    Record {
        id: "EX-004",
        check: "unused-key",
        system: "aws-prod",
        subject: "svc-probe",
        reason: "Kept for the quarterly recovery exercise",
        ticket: "CHG-21390",
        valid_from: 266,
        entered: 0,
        why: "applies from the run in which it was first seen, however far back it is dated",
        ..PLAIN
    },
    Record {
        id: "EX-005",
        check: "stale-key",
        system: "aws-prod",
        subject: "svc-cost-export",
        owner: MECHTHILD,
        approver: SEVERIN,
        beneficiary: SEVERIN,
        reason: "Monthly cost export must not stop",
        ticket: "CHG-20990",
        status: "void",
        why: "its approver gains by it",
        ..PLAIN
    },
    Record {
        id: "EX-006",
        check: "dormant-account",
        system: "corp-ad",
        subject: "svc-reportgen",
        reason: "Will be used again for the annual report",
        ticket: "CHG-19311",
        expires: 12,
        status: "expired",
        why: "ended and its finding is still there",
        ..PLAIN
    },
    Record {
        id: "EX-007",
        check: "orphan-account",
        system: "corp-ad",
        subject: "ext.bauleitung",
        approver: "ottilie.brandvold@corp.example",
        reason: "Site office until handover",
        ticket: "CHG-20012",
        status: "void",
        why: "its approver has left",
        ..PLAIN
    },
    Record {
        id: "EX-008",
        check: "orphan-account",
        system: "crm",
        subject: "trial-admin@vendor.example",
        reason: "Vendor's trial",
        ticket: "CHG-21007",
        expires: 1,
        status: "expired",
        why: "ended, and its finding is gone as well",
        ..PLAIN
    },
    Record {
        id: "EX-009",
        check: "*",
        system: "corp-ad",
        subject: "wanjiru.kamandeh",
        reason: "Handover of the supplier ledger, \"four eyes\" with the successor",
        ticket: "CHG-21201",
        valid_from: 20,
        entered: 14,
        expires: -30,
        why: "in force at the time of the audit, for every check",
        ..PLAIN
    },
];

/// `exceptions.csv` at one instant.
pub fn export(at: Time) -> String {
    let rows = REGISTER.iter().filter(|record| clock::days_before(record.entered) <= at).map(|record| {
        [record.id, record.check, record.system, record.subject, record.entitlement, "", record.owner, record.approver, record.beneficiary]
            .into_iter()
            .chain([record.reason, record.ticket])
            .map(str::to_owned)
            .chain([clock::days_before(record.valid_from).date(), clock::days_before(record.expires).date()])
            .collect()
    });
    table("exception,check,system,subject,entitlement,candidate,owner,approver,beneficiary,reason,ticket,valid_from,expires_at", rows)
}

/// What should become of each of them.
pub fn answer(answers: &mut Answers) {
    answers.exceptions.extend(REGISTER.iter().map(|record| Verdict {
        exception: record.id.to_owned(),
        status: record.status,
        why: record.why.to_owned(),
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backdated_record_comes_with_the_last_export_only() {
        assert!(!export(clock::days_before(7)).contains("EX-004"));
        let last = export(clock::end());
        assert!(last.contains("EX-004") && last.contains(",2026-03-01,"));
        assert_eq!(last.lines().count(), 1 + REGISTER.len());
    }
}
