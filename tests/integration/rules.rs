//! Sentences of the judgement rules (`docs/architecture.md`, 11) that show only over several exports or runs.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::{exits, files, names, report, root, run, stdout, write};

const FIRST: &str = "2026-11-15";
const SECOND: &str = "2026-11-22";
const FIRST_RUN: [&str; 2] = ["--as-of", "2026-11-15T06:00:00Z"];
const SECOND_RUN: [&str; 2] = ["--as-of", "2026-11-22T06:00:00Z"];

/// A folder whose sources are files of a week: people, one application, its keys, a register of exceptions.
fn company(population: &str, about_people: &str, more: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let source = |system: &str, files: &str, keys: &str, options: &str| {
        format!(
            "[[source]]\nsystem = \"{system}\"\nconnector = \"tabular\"\nfiles = \"{{week}}/{files}\"\ntaken_at = \"{{week}}\"\ntimezone = \"UTC\"\n{keys}\n{options}\n"
        )
    };
    let keys = "[[source.options.part]]\nfiles = \"*keys.csv\"\ntable = \"credentials\"\n[source.options.part.columns]\n\
        native_id = \"id\"\naccount = \"account\"\nkind = \"kind\"\nstatus = \"status\"\ncreated_at = \"created\"\n";
    let config = [
        "[holdover]\nstore = \"store\"\n".to_owned(),
        source("hr", "hr.csv", &format!("population = \"{population}\"\n{about_people}"), "[source.options]\nmapping = \"hr\""),
        source("app", "app-*.csv", "", &format!("[[source.options.part]]\nfiles = \"*accounts.csv\"\nmapping = \"accounts\"\n{keys}")),
        source("register", "exceptions.csv", "expected = false", "[source.options]\nmapping = \"exceptions\""),
        more.to_owned(),
    ];
    write(&dir.path().join("holdover.toml"), &config.concat());
    dir
}

/// People 1 to `n`, each with what follows the name: status, start and end.
fn people(dir: &TempDir, week: &str, n: u32, of: impl Fn(u32) -> Option<&'static str>) {
    let mut text = "Employee Number,Name,Status,Start Date,Last Day\n".to_owned();
    for i in 1..=n {
        if let Some(rest) = of(i) {
            text.push_str(&format!("{i},Given{i} Family{i},{rest}\n"));
        }
    }
    write(&dir.path().join(week).join("hr.csv"), &text);
}

const HERE: &str = "active,2020-01-01,";
const GONE: &str = "left,2020-01-01,2026-10-31";

/// An account `u<i>` of each person of `of`.
fn accounts(dir: &TempDir, week: &str, of: impl IntoIterator<Item = u32>) {
    let mut text = "ID,Login,Account Type,Employee Number,Status,Created,Last Login\n".to_owned();
    for i in of {
        text.push_str(&format!("u{i},user{i},user,{i},active,2020-01-01T00:00:00Z,2026-09-14T00:00:00Z\n"));
    }
    write(&dir.path().join(week).join("app-accounts.csv"), &text);
}

fn key(dir: &TempDir, week: &str, status: &str) {
    let text = format!("id,account,kind,status,created\nk1,u1,access_key,{status},2020-01-01T00:00:00Z\n");
    write(&dir.path().join(week).join("app-keys.csv"), &text);
}

/// States of the findings of one check about one account.
fn states(report: &Value, check: &str, account: &str) -> Vec<String> {
    let rows = report["findings"].as_array().unwrap().iter().filter(|f| f["check"] == check && f["account"] == account);
    rows.map(|f| f["state"].as_str().unwrap().to_owned()).collect()
}

fn source<'a>(report: &'a Value, system: &str) -> &'a Value {
    report["sources"].as_array().unwrap().iter().find(|s| s["system"] == system).unwrap()
}

fn runs(dir: &Path) -> Vec<String> {
    names(&dir.join("store/runs"))
}

#[test]
fn rule_11_1_other_inputs_of_one_instant_are_a_second_run_beside_the_first() {
    let dir = company("all", "", "");
    people(&dir, FIRST, 3, |i| Some(if i == 1 { GONE } else { HERE }));
    accounts(&dir, FIRST, 1..=3);
    key(&dir, FIRST, "active");
    let first = report(dir.path(), &FIRST_RUN);
    let again = [run(dir.path(), &["audit", "--as-of", FIRST_RUN[1]]), run(dir.path(), &["audit", "--as-of", FIRST_RUN[1]])];
    assert_eq!(again.map(|o| o.status.code()), [Some(1), Some(1)], "a run that exists ends with the same code");
    assert_eq!(runs(dir.path()).len(), 1);
    let config = dir.path().join("holdover.toml");
    let changed = fs::read_to_string(&config).unwrap() + "[checks.ghost-account]\nreason = \"a trial\"\nseverity = \"low\"\n";
    write(&config, &changed);
    let second = report(dir.path(), &FIRST_RUN);
    assert_eq!(runs(dir.path()).len(), 2);
    assert_ne!(first["run"], second["run"]);
    assert_eq!((&second["previous_run"], states(&second, "ghost-account", "u1")), (&Value::Null, vec!["new".to_owned()]));
    // The instant itself is not before it; one microsecond later is.
    let third = report(dir.path(), &["--as-of", "2026-11-15T06:00:00.000001Z"]);
    assert!(third["previous_run"] == first["run"] || third["previous_run"] == second["run"], "{}", third["previous_run"]);
    assert_eq!(states(&third, "ghost-account", "u1"), ["open"]);
}

/// Flag, else configuration, else what the export states of itself; never the time of the file.
#[test]
fn rule_11_2_the_time_of_a_snapshot_is_the_flags_the_configurations_or_the_exports() {
    let dir = tempfile::tempdir().unwrap();
    let csv = "user,arn,user_creation_time,password_enabled\nida,arn:aws:iam::111122223333:user/ida,2026-11-30T00:00:00Z,false\n";
    let text = serde_json::json!({ "Content": csv, "ReportFormat": "text/csv", "GeneratedTime": "2026-11-20T10:00:00+00:00" });
    write(&dir.path().join("report.json"), &text.to_string());
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(dir.path().join("report.json")).unwrap().set_modified(old).unwrap();
    let by_hand = |more: &[&str], store: &str| {
        let args = [&["import", "--store", store, "--connector", "aws-iam", "--system", "aws"], more, &["report.json"]].concat();
        stdout(&exits(dir.path(), &args, 0)).lines().next().unwrap().to_owned()
    };
    assert_eq!(by_hand(&[], "stated"), "sealed aws/20261120T100000Z  taken at 2026-11-20T10:00:00Z (export)");
    assert_eq!(
        by_hand(&["--taken-at", "2026-11-21T00:00:00Z"], "flag"),
        "sealed aws/20261121T000000Z  taken at 2026-11-21T00:00:00Z (flag)"
    );
    let config = "[[source]]\nsystem = \"aws\"\nconnector = \"aws-iam\"\nfiles = \"report.json\"\ntaken_at = \"2026-11-22\"\n";
    write(&dir.path().join("holdover.toml"), config);
    let configured = stdout(&exits(dir.path(), &["import"], 0));
    assert!(configured.starts_with("sealed aws/20261122T000000Z  taken at 2026-11-22T00:00:00Z (config)"), "{configured}");
    // Where it states nothing, the newest instant inside, and it says so.
    let text = serde_json::json!({ "Content": csv, "ReportFormat": "text/csv" });
    write(&dir.path().join("report.json"), &text.to_string());
    assert_eq!(by_hand(&[], "inferred"), "sealed aws/20261130T000000Z  taken at 2026-11-30T00:00:00Z (inferred)");
}

#[test]
fn rule_11_2_later_snapshots_are_ignored_and_counted() {
    let dir = company("all", "", "");
    for week in [FIRST, SECOND] {
        people(&dir, week, 3, |i| Some(if i == 1 && week == SECOND { GONE } else { HERE }));
        accounts(&dir, week, 1..=3);
    }
    let report = report(dir.path(), &FIRST_RUN);
    for system in ["hr", "app"] {
        let of = source(&report, system);
        assert_eq!((of["ignored_later"].as_u64(), of["observed_at"].as_str()), (Some(1), Some("2026-11-15T00:00:00Z")));
    }
    assert!(states(&report, "ghost-account", "u1").is_empty());
    let head: Vec<&str> = report["headline"].as_array().unwrap().iter().map(|h| h.as_str().unwrap()).collect();
    assert!(head.iter().any(|h| h.contains("1 snapshots of `hr` are later than as_of")), "{head:?}");
}

#[test]
fn rule_11_2_a_derived_instant_judges_no_freshness_and_says_so_first() {
    let dir = company("all", "max_age = \"1h\"", "");
    people(&dir, FIRST, 3, |_| Some(HERE));
    accounts(&dir, FIRST, 1..=3);
    let derived = report(dir.path(), &[]);
    assert_eq!((&derived["as_of"], &derived["as_of_from"]), (&Value::from("2026-11-15T00:00:00Z"), &Value::from("derived")));
    assert!(derived["headline"][0].as_str().unwrap().starts_with("freshness was not evaluated"), "{}", derived["headline"]);
    assert_eq!((&source(&derived, "hr")["fresh"], &derived["verdict"]["exit_code"]), (&Value::from("unknown"), &Value::from(0)));
    let given = report(dir.path(), &FIRST_RUN);
    assert_eq!((&source(&given, "hr")["fresh"], &given["verdict"]["exit_code"]), (&Value::from("no"), &Value::from(3)));
}

#[test]
fn rule_11_4_a_table_that_is_not_covered_is_not_evaluated_and_resolves_nothing() {
    let dir = company("all", "", "");
    for week in [FIRST, SECOND] {
        people(&dir, week, 3, |_| Some(HERE));
        accounts(&dir, week, 1..=3);
    }
    key(&dir, FIRST, "active");
    let outcome = |report: &Value| {
        let check = report["checks"].as_array().unwrap().iter().find(|c| c["id"] == "stale-key").unwrap();
        check["outcomes"].as_array().unwrap().iter().find(|o| o["system"] == "app").unwrap().clone()
    };
    let first = report(dir.path(), &FIRST_RUN);
    assert_eq!((states(&first, "stale-key", "u1"), &outcome(&first)["outcome"]), (vec!["new".to_owned()], &Value::from("evaluated")));
    // The keys of the week before are not mixed in.
    let second = report(dir.path(), &SECOND_RUN);
    assert_eq!(states(&second, "stale-key", "u1"), ["unverified"]);
    assert_eq!(
        (&outcome(&second)["outcome"], &outcome(&second)["reason"]),
        (&Value::from("not_evaluated"), &Value::from("its export does not cover credentials"))
    );
}

/// A record of the people list that could not be read is no leaver.
#[test]
fn rule_11_4_a_people_list_with_rejects_beyond_its_limit_ends_nobody() {
    for population in ["active-only", "all"] {
        let dir = company(population, "", "");
        people(&dir, FIRST, 30, |i| Some(if i == 2 && population == "all" { GONE } else { HERE }));
        people(&dir, SECOND, 30, |i| Some(if i <= 2 { "active,some day," } else { HERE }));
        for week in [FIRST, SECOND] {
            accounts(&dir, week, 1..=30);
        }
        report(dir.path(), &FIRST_RUN);
        let second = report(dir.path(), &SECOND_RUN);
        assert_eq!(second["verdict"]["exit_code"], 3, "{population}");
        for check in ["ghost-account", "orphan-account"] {
            assert!(states(&second, check, "u1").is_empty(), "{population}: {check}");
        }
        // Who had left before still has.
        let want: &[&str] = if population == "all" { &["open"] } else { &[] };
        assert_eq!(states(&second, "ghost-account", "u2"), want, "{population}");
        // Once the list is whole, absence counts.
        people(&dir, "2026-11-23", 30, |i| (i > 2).then_some(HERE));
        accounts(&dir, "2026-11-23", 1..=30);
        let third = report(dir.path(), &["--as-of", "2026-11-23T06:00:00Z"]);
        let check = if population == "all" { "orphan-account" } else { "ghost-account" };
        assert_eq!(states(&third, check, "u1"), ["new"], "{population}");
    }
}

/// One person fewer than the limit allows, and one more.
#[test]
fn rule_11_4_a_drop_of_the_people_list_beyond_the_limit_ends_nobody() {
    for (left, code, want) in [(3, 1, vec!["new".to_owned()]), (4, 3, Vec::new())] {
        let dir = company("active-only", "", "");
        people(&dir, FIRST, 30, |_| Some(HERE));
        people(&dir, SECOND, 30, |i| (i > left).then_some(HERE));
        for week in [FIRST, SECOND] {
            accounts(&dir, week, 1..=30);
            key(&dir, week, "active");
        }
        report(dir.path(), &FIRST_RUN);
        let second = report(dir.path(), &SECOND_RUN);
        assert_eq!((states(&second, "ghost-account", "u1"), &second["verdict"]["exit_code"]), (want, &Value::from(code)), "{left} of 30");
    }
}

#[test]
fn rule_11_4_what_asks_about_people_resolves_only_with_a_fresh_people_list() {
    let dir = company("all", "max_age = \"5d\"", "");
    people(&dir, FIRST, 3, |i| Some(if i == 1 { GONE } else { HERE }));
    accounts(&dir, FIRST, 1..=3);
    key(&dir, FIRST, "active");
    let first = report(dir.path(), &FIRST_RUN);
    assert_eq!(["ghost-account", "stale-key"].map(|c| states(&first, c, "u1")), [["new"], ["new"]]);
    // A week on the account and its key are closed, and the people list is the old one.
    write(
        &dir.path().join(SECOND).join("app-accounts.csv"),
        "ID,Login,Account Type,Employee Number,Status,Created\nu1,user1,user,1,disabled,2020-01-01T00:00:00Z\nu2,user2,user,2,active,2020-01-01T00:00:00Z\nu3,user3,user,3,active,2020-01-01T00:00:00Z\n",
    );
    key(&dir, SECOND, "inactive");
    let second = report(dir.path(), &SECOND_RUN);
    assert_eq!(["ghost-account", "stale-key"].map(|c| states(&second, c, "u1")), [["unverified"], ["resolved"]]);
    people(&dir, SECOND, 3, |i| Some(if i == 1 { GONE } else { HERE }));
    let third = report(dir.path(), &["--as-of", "2026-11-22T07:00:00Z"]);
    assert_eq!(states(&third, "ghost-account", "u1"), ["resolved"]);
}

/// One fault, told by two checks, counts once.
#[test]
fn rule_11_9_a_covered_finding_is_kept_and_left_out_of_totals_and_exit_codes() {
    let low = |check: &str| format!("[checks.{check}]\nreason = \"a trial\"\nseverity = \"low\"\n");
    let more = ["ghost-account", "leaver-live-credential"].map(low).concat();
    let dir = company("all", "", &(more + "[checks.stale-key]\nreason = \"a trial\"\nseverity = \"critical\"\n"));
    people(&dir, FIRST, 3, |i| Some(if i == 1 { GONE } else { HERE }));
    accounts(&dir, FIRST, 1..=3);
    key(&dir, FIRST, "active");
    let output = exits(dir.path(), &["audit", "--format", "json", "--fail-on", "critical", "--as-of", FIRST_RUN[1]], 0);
    let first: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let stale = first["findings"].as_array().unwrap().iter().find(|f| f["check"] == "stale-key").unwrap();
    assert_eq!((&stale["also"], &stale["severity"], &stale["state"]), (&Value::from(true), &Value::from("critical"), &Value::from("new")));
    assert_eq!((&first["totals"]["severities"]["critical"], &first["totals"]["severities"]["low"]), (&Value::from(0), &Value::from(2)));
    // Once the leaver's own findings are gone it counts by itself.
    people(&dir, SECOND, 3, |_| Some(HERE));
    accounts(&dir, SECOND, 1..=3);
    key(&dir, SECOND, "active");
    exits(dir.path(), &["audit", "--fail-on", "critical", "--as-of", SECOND_RUN[1]], 1);
}

#[test]
fn rule_11_11_backdating_an_exception_changes_nothing() {
    let dir = company("all", "", "");
    people(&dir, FIRST, 3, |i| Some(if i == 1 { GONE } else { HERE }));
    accounts(&dir, FIRST, 1..=3);
    key(&dir, FIRST, "active");
    let before = report(dir.path(), &FIRST_RUN);
    people(&dir, SECOND, 3, |i| Some(if i == 1 { GONE } else { HERE }));
    accounts(&dir, SECOND, 1..=3);
    key(&dir, SECOND, "active");
    let register = "Exception,Check,System,Subject,Owner,Approver,Reason,Valid From,Expires At\n\
        EX-1,*,app,u1,2,3,handover,2020-01-01,2027-01-01\n";
    write(&dir.path().join(SECOND).join("exceptions.csv"), register);
    assert_eq!(states(&report(dir.path(), &SECOND_RUN), "ghost-account", "u1"), ["excepted"]);
    // The week before is judged as it was, although the record says that it held since 2020.
    let after = report(dir.path(), &FIRST_RUN);
    assert_eq!((states(&after, "ghost-account", "u1"), &after["exceptions"]), (vec!["new".to_owned()], &Value::from(Vec::<Value>::new())));
    assert_eq!(after["findings"], before["findings"]);
}

#[test]
fn rule_11_14_a_source_that_is_not_expected_leaves_the_exit_code_alone() {
    for (expected, code) in [("false", 0), ("true", 3)] {
        let more = format!(
            "[[source]]\nsystem = \"crm\"\nconnector = \"tabular\"\nfiles = \"crm.csv\"\nexpected = {expected}\n[source.options]\nmapping = \"accounts\"\n"
        );
        let dir = company("all", "", &more);
        people(&dir, FIRST, 3, |_| Some(HERE));
        accounts(&dir, FIRST, 1..=3);
        let output = exits(dir.path(), &["audit", "--format", "json", "--as-of", FIRST_RUN[1]], code);
        let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
        let missing: Vec<&str> = report["missing"].as_array().unwrap().iter().filter_map(|m| m["system"].as_str()).collect();
        assert!(missing.contains(&"crm"), "{expected}: {}", report["missing"]);
    }
}

#[test]
fn rule_11_15_files_are_named_by_their_place_and_digest() {
    let dir = company("all", "", "");
    people(&dir, FIRST, 3, |i| Some(if i == 1 { GONE } else { HERE }));
    accounts(&dir, FIRST, 1..=3);
    let report = report(dir.path(), &FIRST_RUN);
    let file = &source(&report, "app")["files"][0];
    let named = format!("{}#{}", file["name"].as_str().unwrap(), &file["sha256"].as_str().unwrap()[..8]);
    assert!(named.starts_with("2026-11-15/app-accounts.csv#"), "{named}");
    let ghost = report["findings"].as_array().unwrap().iter().find(|f| f["check"] == "ghost-account").unwrap();
    let origins: Vec<(&str, u64)> =
        ghost["origins"].as_array().unwrap().iter().map(|o| (o["file"].as_str().unwrap(), o["number"].as_u64().unwrap())).collect();
    assert!(origins.contains(&(named.as_str(), 2)), "{origins:?}");
}

/// What the text of rule `number` names under *Tests*, with the places where it may lie.
fn named_tests(text: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for section in text.split("\n### 11.").skip(1) {
        let number = section.split_whitespace().next().unwrap();
        let body = section.split("\n## ").next().unwrap();
        let Some((_, tests)) = body.split_once("Tests: ") else { continue };
        let listed = tests.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        found.push((number.to_owned(), listed));
    }
    found
}

#[test]
fn every_file_that_the_rules_name_is_there_and_names_its_rule() {
    let text = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let rules = named_tests(&text);
    assert_eq!(rules.len(), 15, "{rules:?}");
    for (number, listed) in rules {
        assert!(!listed.is_empty(), "11.{number}");
        for name in listed {
            let places = ["src", "", "tests/integration", "fixtures/checks"].map(|folder| root().join(folder).join(&name));
            let place = places.iter().find(|p| p.exists()).unwrap_or_else(|| panic!("11.{number}: `{name}` is not there"));
            let all = if place.is_dir() { files(place) } else { vec![place.clone()] };
            let marks = [format!("11.{number}"), format!("rule_11_{number}_")];
            let says = |text: &str| {
                marks.iter().any(|m| text.match_indices(m).any(|(at, _)| !text[at + m.len()..].starts_with(|c: char| c.is_ascii_digit())))
            };
            assert!(
                all.iter().any(|f| fs::read(f).is_ok_and(|b| says(&String::from_utf8_lossy(&b)))),
                "`{name}` does not name 11.{number}"
            );
        }
    }
}
