//! What audits make of the records beside the systems: requests, roles, workloads, reviews.

use serde_json::Value;

use super::{copy_of, report};

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
