//! Same inputs, same bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::{copy_of, files, names, report, run, write};

const WORLDS: [&str; 4] =
    ["checks/ghost-account/fires", "checks/leaver-access-unremoved/fires", "checks/dangling-grant/fires", "checks/source-incomplete/fires"];

/// Audits a folder.
fn audit(dir: &TempDir, args: &[&str]) {
    let mut all = vec!["audit", "--format", "csv"];
    all.extend(args);
    let code = run(dir.path(), &all).status.code();
    assert!(matches!(code, Some(0 | 1 | 3)), "{code:?}");
}

/// The one run of a store.
fn only_run(dir: &Path) -> PathBuf {
    let runs = dir.join("store/runs");
    let names = names(&runs);
    assert_eq!(names.len(), 1, "{names:?}");
    runs.join(&names[0])
}

/// Every file below a folder, by its place in it.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files(dir).into_iter().map(|f| (f.strip_prefix(dir).unwrap().to_path_buf(), fs::read(f).unwrap())).collect()
}

/// Names the files that differ, which says more than their bytes.
fn assert_same(a: &BTreeMap<PathBuf, Vec<u8>>, b: &BTreeMap<PathBuf, Vec<u8>>, what: &str) {
    let differing: Vec<&PathBuf> = a.keys().chain(b.keys()).filter(|k| a.get(*k) != b.get(*k)).collect();
    assert!(differing.is_empty(), "{what}: {differing:?}");
}

#[test]
fn rule_11_1_two_stores_and_any_number_of_threads_give_the_same_bytes() {
    for world in WORLDS {
        let (one, two) = (copy_of(world), copy_of(world));
        audit(&one, &["--threads", "1"]);
        audit(&two, &["--threads", "2"]);
        let (a, b) = (only_run(one.path()), only_run(two.path()));
        assert_eq!(a.file_name(), b.file_name(), "{world}");
        for name in ["findings.parquet", "report.json", "findings.csv", "report.html", "summary.json", "run.json"] {
            assert!(a.join(name).is_file(), "{world}: {name}");
        }
        assert_same(&contents(&a), &contents(&b), world);
        assert_same(&contents(&one.path().join("store/snapshots")), &contents(&two.path().join("store/snapshots")), world);
    }
}

#[test]
fn rule_11_1_timings_go_to_standard_error_and_change_no_byte() {
    let (timed, plain) = (copy_of(WORLDS[0]), copy_of(WORLDS[0]));
    let told = run(timed.path(), &["audit", "--format", "csv", "--timings=json"]);
    let text = String::from_utf8(told.stderr).unwrap();
    let line = text.lines().find(|l| l.starts_with("{\"timings\"")).unwrap_or_else(|| panic!("no times in {text}"));
    let told_of: Value = serde_json::from_str(line).unwrap();
    let stages: Vec<&str> = told_of["timings"].as_array().unwrap().iter().map(|s| s["stage"].as_str().unwrap()).collect();
    for stage in ["load", "resolve", "checks", "checks/source-incomplete", "write", "write/findings", "total"] {
        assert!(stages.contains(&stage), "{stage} of {stages:?}");
    }
    audit(&plain, &[]);
    assert_same(&contents(&timed.path().join("store")), &contents(&plain.path().join("store")), "with and without times");
    let printed = String::from_utf8(run(timed.path(), &["audit", "--format", "csv", "--timings"]).stderr).unwrap();
    assert!(printed.lines().any(|l| l.trim_start().starts_with("source-incomplete")), "{printed}");
}

#[test]
fn rule_11_1_a_run_that_exists_is_not_written_again() {
    let dir = copy_of(WORLDS[0]);
    audit(&dir, &[]);
    let first = contents(&dir.path().join("store"));
    audit(&dir, &[]);
    assert_same(&first, &contents(&dir.path().join("store")), "the second audit");
}

#[test]
fn rule_11_1_nothing_of_the_machine_is_in_a_run() {
    let dir = copy_of(WORLDS[0]);
    audit(&dir, &[]);
    let place = dir.path().display().to_string();
    for file in files(&dir.path().join("store")) {
        let bytes = fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(&place), "{} names the folder", file.display());
    }
}

/// Turns the rows of every CSV file around; the header stays.
fn reverse_rows(dir: &Path) {
    for file in files(dir).into_iter().filter(|f| f.extension().is_some_and(|e| e == "csv")) {
        let text = fs::read_to_string(&file).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        lines[1..].reverse();
        write(&file, &(lines.join("\n") + "\n"));
    }
}

/// Findings without the lines that they were read from.
fn findings(dir: &Path) -> Vec<Value> {
    let mut found = report(dir, &[])["findings"].as_array().unwrap().clone();
    for finding in &mut found {
        finding.as_object_mut().unwrap().remove("origins").expect("a finding says where it was read");
    }
    found.sort_by_key(|f| f["fingerprint"].to_string());
    found
}

#[test]
fn the_order_of_rows_changes_no_finding() {
    for world in &WORLDS[..3] {
        let (straight, turned) = (copy_of(world), copy_of(world));
        reverse_rows(turned.path());
        let (a, b) = (findings(straight.path()), findings(turned.path()));
        assert!(!a.is_empty());
        assert_eq!(a, b, "{world}");
    }
}

#[test]
fn rule_11_1_a_run_stands_on_the_newest_run_before_it() {
    let dir = copy_of("checks/ghost-account/fires");
    let states = |as_of: &str| {
        let report = report(dir.path(), &["--as-of", as_of]);
        let mut states: BTreeMap<String, usize> = BTreeMap::new();
        for finding in report["findings"].as_array().unwrap().iter().filter(|f| f["check"] == "ghost-account") {
            *states.entry(finding["state"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        states
    };
    let of = |state: &str, n: usize| BTreeMap::from([(state.to_owned(), n)]);
    assert_eq!(states("2026-11-22T06:00:00Z"), of("new", 10));
    assert_eq!(states("2026-11-22T07:00:00Z"), of("open", 10));
    // One run stands on the newest run before it, never on a later one or one of the same instant.
    assert_eq!(states("2026-11-22T06:30:00Z"), of("open", 10));
    assert_eq!(states("2026-11-22T06:00:00Z"), of("new", 10));
}
