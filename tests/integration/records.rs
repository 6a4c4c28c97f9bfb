//! What audits make of the records beside the systems: requests, roles, workloads, reviews.

use serde_json::Value;

use super::{copy_of, exits, report, stdout};

/// `outcome reason` of one check for one system.
fn outcome<'r>(report: &'r Value, check: &str, system: &str) -> (&'r str, &'r str) {
    let check = report["checks"].as_array().unwrap().iter().find(|c| c["id"] == check).unwrap();
    let found = check["outcomes"].as_array().unwrap().iter().find(|o| o["system"] == system).unwrap();
    (found["outcome"].as_str().unwrap(), found["reason"].as_str().unwrap_or_default())
}

/// Leaves only the header of a file.
fn emptied(path: &std::path::Path) {
    let text = std::fs::read_to_string(path).unwrap();
    std::fs::write(path, format!("{}\n", text.lines().next().unwrap())).unwrap();
}

#[test]
fn rule_11_4_an_empty_authority_answers_nothing() {
    let dir = copy_of("checks/privileged-unapproved/fires");
    emptied(&dir.path().join("tickets.csv"));
    let all = report(dir.path(), &[]);
    assert_eq!(outcome(&all, "privileged-unapproved", "app"), ("not_evaluated", "the list of requests is empty"));
    assert!(all["findings"].as_array().unwrap().iter().all(|f| f["check"] != "privileged-unapproved"));

    let dir = copy_of("checks/ghost-account/fires");
    for list in ["hr.csv", "contractors/2026-11-15.csv", "contractors/2026-11-22.csv"] {
        emptied(&dir.path().join(list));
    }
    let all = report(dir.path(), &[]);
    for check in ["ghost-account", "orphan-account", "leaver-access-unremoved"] {
        assert_eq!(outcome(&all, check, "app"), ("not_evaluated", "the people list is empty"), "{check}");
    }
    assert!(all["findings"].as_array().unwrap().iter().all(|f| f["check"] != "orphan-account"), "nobody is an orphan of nobody's list");
}

#[test]
fn rule_11_10_a_system_that_no_request_names_is_not_judged_by_them() {
    let dir = copy_of("checks/privileged-unapproved/fires");
    let path = dir.path().join("tickets.csv");
    let text = std::fs::read_to_string(&path).unwrap().replace(",app,", ",wiki,");
    std::fs::write(&path, text).unwrap();
    let all = report(dir.path(), &[]);
    assert_eq!(outcome(&all, "privileged-unapproved", "app"), ("not_evaluated", "no list of requests speaks of this system"));
}

#[test]
fn people_who_manage_each_other_end_no_audit() {
    let dir = copy_of("checks/unowned-nonhuman/fires");
    let path = dir.path().join("hr.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    let managed = ["Manager", "1002", "1001", "1003"].into_iter().chain(std::iter::repeat("9001"));
    let rows: Vec<String> = text.lines().zip(managed).map(|(line, manager)| format!("{line},{manager}")).collect();
    std::fs::write(&path, rows.join("\n") + "\n").unwrap();
    let found = report(dir.path(), &[]);
    let mut subjects: Vec<&str> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["check"] == "unowned-nonhuman")
        .map(|f| f["account"].as_str().unwrap())
        .collect();
    subjects.sort_unstable();
    assert_eq!(subjects, ["a-blank", "a-left", "a-nobody", "a-self"]);
}

/// The demo, and its report of the last week.
fn demo() -> (tempfile::TempDir, Value) {
    let dir = tempfile::tempdir().unwrap();
    exits(dir.path(), &["demo", "company"], 0);
    let all = report(&dir.path().join("company"), &[]);
    (dir, all)
}

/// The texts that the sources of a finding point at: `file text`, where `explain` prints a line or the only record of a file.
fn sources(company: &std::path::Path, fingerprint: &str) -> Vec<String> {
    let text = stdout(&exits(company, &["explain", fingerprint], 0));
    let listed = text.split("\nSource\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let read = |line: &str| {
        let (file, place) = line.trim().split_once('#').unwrap();
        let whole = std::fs::read_to_string(company.join(file)).unwrap();
        let number = place.split_once(" (").unwrap().0.split_once(':').map(|(_, n)| n.parse::<usize>().unwrap());
        let text = number.map_or_else(|| whole.clone(), |n| whole.lines().nth(n - 1).unwrap().to_owned());
        format!("{file} {text}")
    };
    listed.lines().map(read).collect()
}

/// What requests say is told beside `access`, in an order of its own: each row must be that of its edge.
#[test]
fn rule_11_10_each_row_of_approvals_tells_of_its_own_edge() {
    let (dir, _) = demo();
    let company = dir.path().join("company");
    let ask = |sql: &str| stdout(&exits(&company, &["query", "--format", "csv", sql], 0));
    let all = ask("SELECT p.edge AS edge, COUNT(*) AS n FROM approvals p GROUP BY p.edge ORDER BY edge");
    let kinds: Vec<&str> = all.lines().skip(1).collect();
    assert!(kinds.len() == 2 && kinds[0].starts_with("grant,") && kinds[1].starts_with("membership,"), "{all}");
    let beside = "FROM approvals p JOIN access a ON a.system_ix = p.system_ix AND a.account_ix = p.account_ix AND a.edge = p.edge AND a.edge_ix = p.edge_ix";
    assert_eq!(ask(&format!("SELECT p.edge AS edge, COUNT(*) AS n {beside} GROUP BY p.edge ORDER BY edge")), all, "one row for each edge");
    let dated = ask(&format!("SELECT COUNT(*) AS n {beside} WHERE a.granted_at IS NOT NULL"));
    assert_ne!(dated, "n\n0\n", "some edges have a date of their own");
    let right =
        ask(&format!("SELECT COUNT(*) AS n {beside} WHERE a.granted_at IS NOT NULL AND p.began_exact AND p.began_by = a.granted_at"));
    assert_eq!(right, dated);
    assert_eq!(ask(&format!("SELECT COUNT(*) AS n {beside} WHERE a.granted_at IS NULL AND p.began_exact")), "n\n0\n");
}

#[test]
fn rule_11_15_each_line_behind_a_secret_a_ticket_and_a_grant_is_shown() {
    let (dir, all) = demo();
    let company = dir.path().join("company");
    let found = |check: &str, subject: &str| {
        let findings = all["findings"].as_array().unwrap();
        let one = findings.iter().find(|f| f["check"] == check && f["subject"]["native_id"].as_str().unwrap().contains(subject)).unwrap();
        sources(&company, one["fingerprint"].as_str().unwrap())
    };
    // Each text stands in one of the lines or records that are named, in a file of that name.
    let holds = |lines: &[String], file: &str, text: &str| {
        assert!(lines.iter().any(|l| l.split(' ').next().unwrap().contains(file) && l.contains(text)), "{file} {text}: {lines:#?}");
    };
    let secret = found("leaver-known-secret-unrotated", "platform/database-root");
    holds(&secret, "2026-11-22/vault/secret/metadata/platform/database-root", "\"current_version\": 2");
    holds(&secret, "2026-10-18/vault/identity/entity/id/", "henrike.osterlohn");
    holds(&secret, "2026-10-18/vault/identity/group/id/", "platform-secrets");
    holds(&secret, "2026-10-18/vault/sys/policies/acl/platform-secrets", "secret/data/platform/*");
    holds(&secret, "2026-11-22/hr.csv", "henrike.osterlohn");

    let ticket = found("revoke-ticket-closed-access-live", "REQ-69001");
    holds(&ticket, "2026-11-22/requests.csv", "REQ-69001,Remove,");
    holds(&ticket, "2026-11-22/ad.ldif", "dn: CN=Severin Kluth");
    holds(&ticket, "2026-11-22/hr.csv", "severin.kluth");

    let rejected = all["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["check"] == "out-of-band-grant" && f["evidence"]["approval"] == "rejected")
        .unwrap();
    let rejected = sources(&company, rejected["fingerprint"].as_str().unwrap());
    holds(&rejected, "2026-11-22/requests.csv", "GG Tier0 Admins,Closed,Rejected");
    holds(&rejected, "2026-11-22/ad.ldif", "dn: ");
    holds(&rejected, "2026-11-22/hr.csv", "hanne.dahlberget");
}
