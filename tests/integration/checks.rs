//! Every folder of `fixtures/checks` is audited and compared with what it expects.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::{copy_of, names, records, report, root};

/// `check,certainty,state,system,subject` of each finding of one check, sorted.
fn found(report: &Value, check: &str) -> Vec<Vec<String>> {
    let of_check = report["findings"].as_array().unwrap().iter().filter(|f| f["check"] == check);
    let mut rows: Vec<Vec<String>> = of_check
        .map(|f| {
            let fields = [&f["check"], &f["certainty"], &f["state"], &f["system"], &f["subject"]["native_id"]];
            fields.map(|v| v.as_str().unwrap().to_owned()).to_vec()
        })
        .collect();
    rows.sort();
    rows
}

/// What is wrong with one fixture; nothing, if all is well.
fn faults(check: &str, case: &str) -> Vec<String> {
    let dir = copy_of(&format!("checks/{check}/{case}"));
    let mut faults = Vec::new();
    let mut fault = |text: String| faults.push(format!("{check}/{case}: {text}"));
    let mut want = records(&dir.path().join("expect.csv"));
    want.sort();
    let report = report(dir.path(), &["--threads", "1"]);
    let have = found(&report, check);
    for row in want.iter().filter(|row| !have.contains(row)) {
        fault(format!("not found: {}", row.join(",")));
    }
    for row in have.iter().filter(|row| !want.contains(row)) {
        fault(format!("not expected: {}", row.join(",")));
    }
    if have.len() != want.len() {
        fault(format!("{} findings, {} expected", have.len(), want.len()));
    }
    if (case == "quiet") != want.is_empty() {
        fault("`fires` expects findings, `quiet` expects none".to_owned());
    }
    let Some(outcome) = report["checks"].as_array().unwrap().iter().find(|c| c["id"] == check) else {
        fault("the check did not run".to_owned());
        return faults;
    };
    let asked = |name: &str| outcome["asked"][name].as_u64().unwrap();
    if asked("population") == 0 {
        fault("the check had nothing to judge".to_owned());
    }
    let have = ["population", "unknown", "too_new", "not_yet_observable"].map(|name| asked(name).to_string()).to_vec();
    let want = records(&dir.path().join("asked.csv"));
    if want != [have.clone()] {
        fault(format!("population, unknown, too new, not yet observable: {have:?}, expected {want:?}"));
    }
    // A fixture whose records are rejected tests nothing; only the check about rejects has some on purpose.
    if check != "source-incomplete" && report["rejects"]["total"] != 0 {
        fault(format!("{} records were rejected", report["rejects"]["total"]));
    }
    let why = std::fs::read_to_string(dir.path().join("why.md")).unwrap_or_default();
    if !why.contains("11.") {
        fault("`why.md` names no rule".to_owned());
    }
    faults
}

#[test]
fn every_check_fires_where_it_should_and_only_there() {
    let folder = root().join("fixtures/checks");
    let checks = names(&folder).into_iter().filter(|n| folder.join(n).is_dir());
    let cases: Vec<(String, String)> =
        checks.flat_map(|c| names(&folder.join(&c)).into_iter().map(move |case| (c.clone(), case))).collect();
    assert!(cases.len() >= 30, "{} folders", cases.len());
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((check, case)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let faults = faults(check, case);
                    wrong.lock().unwrap().extend(faults);
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap();
    wrong.sort();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rule_11_6_a_leaver_or_an_active_person_is_possible_and_two_leavers_are_certain() {
    let dir = copy_of("checks/ghost-account/fires");
    let report = report(dir.path(), &[]);
    let certainty = |account: &str| {
        let found = report["findings"].as_array().unwrap().iter().find(|f| f["check"] == "ghost-account" && f["account"] == account);
        found.map(|f| (f["certainty"].as_str().unwrap(), f["identity"].as_str().unwrap()))
    };
    assert_eq!(certainty("a-leaver-or-active"), Some(("possible", "1004 | 1005")));
    assert_eq!(certainty("a-two-leavers"), Some(("certain", "1006 | 1007")));
}

#[test]
fn rule_11_11_an_exception_ends_with_the_instant_that_it_names() {
    for (case, states) in [("fires", ["new", "new"]), ("quiet", ["excepted", "new"])] {
        let dir = copy_of(&format!("checks/exception-expired/{case}"));
        let report = report(dir.path(), &[]);
        let ghosts: Vec<&Value> = report["findings"].as_array().unwrap().iter().filter(|f| f["check"] == "ghost-account").collect();
        let state = |account: &str| ghosts.iter().find(|f| f["account"] == account).map(|f| f["state"].as_str().unwrap());
        assert_eq!(["a-gone", "a-gone-2"].map(state), states.map(Some), "{case}");
    }
}

/// Table and file of every line behind a finding, by its subject.
fn lines_behind(report: &Value, check: &str, subject: &str) -> Vec<String> {
    let found =
        report["findings"].as_array().unwrap().iter().find(|f| f["check"] == check && f["subject"]["native_id"] == subject).unwrap();
    let line = |o: &Value| {
        let file = o["file"].as_str().unwrap();
        let (name, rest) = file.split_once('#').unwrap();
        let earlier = rest.split_once(' ').map_or(String::new(), |(_, of)| format!(" {of}"));
        format!("{} {name}{earlier} {}", o["table"].as_str().unwrap(), o["number"])
    };
    found["origins"].as_array().unwrap().iter().map(line).collect()
}

#[test]
fn rule_11_15_a_known_secret_names_the_leaver_the_policy_and_the_way_to_it_as_they_were() {
    let dir = copy_of("checks/leaver-known-secret-unrotated/fires");
    let report = report(dir.path(), &[]);
    let then = "(snapshot 20260901T000000Z) 1";
    assert_eq!(
        lines_behind(&report, "leaver-known-secret-unrotated", "secret/ops/root"),
        [
            "credentials vault/2026-11-22/secret/metadata/ops/root.json 1".to_owned(),
            "resources vault/2026-11-22/secret/metadata/ops/root.json 1".to_owned(),
            format!("accounts vault/2026-09-01/identity/entity/id/e-ossian.json {then}"),
            format!("memberships vault/2026-09-01/identity/entity/id/e-ossian.json {then}"),
            format!("memberships vault/2026-09-01/identity/group/id/g-all.json {then}"),
            format!("groups vault/2026-09-01/identity/group/id/g-all.json {then}"),
            format!("groups vault/2026-09-01/identity/group/id/g-ops.json {then}"),
            format!("entitlements vault/2026-09-01/policies/ops.hcl {then}"),
            "identities hr.csv 3".to_owned(),
            "employments hr.csv 3".to_owned(),
        ]
    );
}

#[test]
fn rule_11_15_access_that_was_kept_names_the_role_and_the_post_before_the_move() {
    let dir = copy_of("checks/mover-residual-access/fires");
    let report = report(dir.path(), &[]);
    let list = lines_behind(&report, "mover-residual-access", "a-list -> ledger-read");
    for line in ["role_model roles.csv 2", "identities hr/2026-09-01/people.csv (snapshot 20260901T000000Z) 2"] {
        assert!(list.iter().any(|l| l == line), "{list:?}");
    }
    let log = lines_behind(&report, "mover-residual-access", "a-minute -> ledger-read");
    assert!(log.contains(&"lifecycle_events hr/2026-11-22/moves.csv 2".to_owned()), "{log:?}");
}

#[test]
fn rule_11_8_a_role_that_gives_every_right_is_named_first() {
    let dir = copy_of("checks/outside-role-model/quiet");
    let report = report(dir.path(), &[]);
    let first = report["headline"].as_array().unwrap();
    let said = "role `r-admin` gives every right of app: nothing of its 1 holder there can lie outside the role catalogue";
    assert!(first.iter().any(|l| l == said), "{first:?}");
}
