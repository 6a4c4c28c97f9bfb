//! Checks and connectors: each has its documentation and its fixtures.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::{exits, files, names, root, stdout};

fn listed() -> Vec<Value> {
    let output = exits(root(), &["checks", "list", "--format", "json"], 0);
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(list["schema"], "holdover.checks/v1");
    list["checks"].as_array().unwrap().clone()
}

#[test]
fn every_check_file_is_a_check_with_both_fixtures() {
    let folder = root().join("src/checks");
    let from_files: Vec<String> = names(&folder).iter().filter_map(|n| n.strip_suffix(".sql")).map(|stem| stem.replace('_', "-")).collect();
    let listed: Vec<String> = listed().iter().map(|c| c["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(listed.iter().collect::<BTreeSet<_>>().len(), listed.len(), "ids are unique");
    assert_eq!(from_files.iter().collect::<BTreeSet<_>>(), listed.iter().collect::<BTreeSet<_>>(), "an id is its file's name, with dashes");
    for id in &from_files {
        let case = |case: &str| root().join("fixtures/checks").join(id).join(case);
        for folder in ["fires", "quiet"] {
            for file in ["holdover.toml", "expect.csv", "asked.csv", "why.md"] {
                assert!(case(folder).join(file).is_file(), "`fixtures/checks/{id}/{folder}/{file}` is missing");
            }
            assert!(files(&case(folder)).len() > 4, "`fixtures/checks/{id}/{folder}` holds no input");
        }
    }
    let fixtures: BTreeSet<String> = names(&root().join("fixtures/checks")).into_iter().filter(|n| !n.contains('.')).collect();
    assert_eq!(fixtures, from_files.into_iter().collect(), "a fixture belongs to a check");
}

#[test]
fn every_check_says_what_it_is_about() {
    for check in listed() {
        for key in ["id", "title", "description", "remedy", "false_positives", "severity", "confidence", "grain", "subject"] {
            assert!(check[key].as_str().is_some_and(|t| !t.trim().is_empty()), "{}: `{key}`", check["id"]);
        }
        let controls = check["controls"].as_array().unwrap();
        assert!(!controls.is_empty(), "{}: `controls`", check["id"]);
        for control in controls {
            let (standard, clause) = control.as_str().unwrap().split_once(':').unwrap();
            assert!(!standard.is_empty() && !clause.is_empty(), "{}: {control}", check["id"]);
        }
        for parameter in check["parameters"].as_array().unwrap() {
            assert!(parameter["doc"].as_str().is_some_and(|t| !t.is_empty()), "{}: {parameter}", check["id"]);
        }
    }
}

#[test]
fn rule_11_9_a_check_is_covered_only_by_checks_that_exist() {
    let all = listed();
    let ids: BTreeSet<&str> = all.iter().map(|c| c["id"].as_str().unwrap()).collect();
    for check in &all {
        for by in check["covered_by"].as_array().unwrap() {
            assert!(ids.contains(by.as_str().unwrap()) && *by != check["id"], "{}: {by}", check["id"]);
        }
    }
}

#[test]
fn checks_show_prints_the_file_itself() {
    for check in listed() {
        let id = check["id"].as_str().unwrap();
        let file = root().join("src/checks").join(format!("{}.sql", id.replace('-', "_")));
        assert_eq!(stdout(&exits(root(), &["checks", "show", id], 0)), fs::read_to_string(file).unwrap());
    }
}

#[test]
fn every_connector_has_its_page_and_its_fixtures() {
    let list = stdout(&exits(root(), &["connectors", "list"], 0));
    let ids: Vec<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(ids.len() >= 3, "{list}");
    for id in &ids {
        let page = stdout(&exits(root(), &["connectors", "show", id], 0));
        let file = root().join("src/connectors").join(id.replace('-', "_")).join("page.md");
        assert_eq!(page, fs::read_to_string(&file).unwrap(), "{id}");
        assert!(page.starts_with("# ") && page.contains("## Export"), "{id}: how the export is made");
        for case in ["ok", "bad"] {
            assert!(!files(&root().join("fixtures/connectors").join(id).join(case)).is_empty(), "{id}/{case}");
        }
    }
    let fixtures = names(&root().join("fixtures/connectors"));
    assert_eq!(fixtures.iter().map(String::as_str).collect::<BTreeSet<_>>(), ids.into_iter().collect(), "a fixture belongs to a connector");
}
