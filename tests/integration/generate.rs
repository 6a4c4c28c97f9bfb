//! Generated estates: the same bytes for the same seed, sound stores, findings that equal the answers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{exits, files, report, stderr};

/// Generates an estate in a folder of its own.
fn generated(args: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut all = vec!["generate", "store"];
    all.extend(args);
    exits(dir.path(), &all, 0);
    dir
}

/// Every file below a folder, by its place in it.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files(dir).into_iter().map(|f| (f.strip_prefix(dir).unwrap().to_path_buf(), fs::read(f).unwrap())).collect()
}

#[test]
fn one_seed_gives_the_same_bytes_at_any_number_of_threads_and_another_gives_others() {
    let size = ["--accounts", "3000", "--access", "30000", "--identities", "900", "--systems", "2", "--snapshots", "2"];
    let with = |more: &[&str]| contents(generated(&[&size[..], more].concat()).path());
    let (one, two) = (with(&["--threads", "1"]), with(&["--threads", "2"]));
    let differing: Vec<&PathBuf> = one.keys().chain(two.keys()).filter(|k| one.get(*k) != two.get(*k)).collect();
    assert!(differing.is_empty(), "{differing:?}");
    let other = with(&["--seed", "2"]);
    let place = Path::new("store/snapshots/system-0001/20261122T000000Z/memberships.parquet");
    assert_ne!(one[place], other[place]);
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
}

#[test]
fn an_estate_has_the_size_that_was_asked_for() {
    let dir = generated(&["--accounts", "5000", "--access", "40001", "--identities", "700", "--systems", "3"]);
    exits(dir.path(), &["store", "verify", "--store", "store"], 0);
    let (mut accounts, mut edges) = (0, 0);
    for system in ["system-0001", "system-0002", "system-0003"] {
        let text = fs::read(dir.path().join("store/snapshots").join(system).join("20261122T000000Z/manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let rows = |name: &str| {
            let tables = manifest["tables"].as_array().unwrap();
            tables.iter().find(|t| t["name"] == name).unwrap()["rows"].as_u64().unwrap()
        };
        accounts += rows("accounts");
        edges += rows("memberships") + rows("grants");
        let broken = manifest["invariants"].as_array().unwrap().iter().map(|i| i["broken"].as_u64().unwrap());
        assert!(broken.clone().count() > 20 && broken.sum::<u64>() == 0);
    }
    assert_eq!((accounts, edges), (5_000, 40_001));
}

#[test]
fn impossible_numbers_and_stores_that_exist_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (args, said) in [
        (&["--accounts", "0", "--access", "10"][..], "error[usage]: 10 grants and memberships, and no account to hold them"),
        (&["--accounts", "10", "--access", "100000"], "error[usage]: 100000 grants and memberships are too many for 10 accounts"),
        (&["--accounts", "10", "--access", "0", "--systems", "0"], "error[usage]: 10 accounts, and no system to hold them"),
        (&["--accounts", "5000000000", "--access", "0", "--systems", "1"], "error[usage]: 5000000000 accounts of a system are more"),
        (&["--snapshots", "0"], "error[usage]: `--snapshots` is 0"),
        (&["--identities", "1"], "error[usage]: 1 identities are too few"),
    ] {
        let refused = exits(dir.path(), &[&["generate", "store"], args].concat(), 2);
        assert!(stderr(&refused).starts_with(said), "{}", stderr(&refused));
        assert!(stderr(&refused).contains("\n  help: "));
        assert!(!dir.path().join("store").exists());
    }
    fs::create_dir(dir.path().join("store")).unwrap();
    let refused = exits(dir.path(), &["generate", "store"], 2);
    assert!(stderr(&refused).contains("`store` exists already"), "{}", stderr(&refused));
}

/// `check certainty system subject` of findings, sorted.
fn found(report: &serde_json::Value) -> Vec<String> {
    let one = |f: &serde_json::Value| {
        let fields = [&f["check"], &f["certainty"], &f["system"], &f["subject"]["native_id"]];
        fields.map(|v| v.as_str().unwrap().to_owned()).join(" ")
    };
    let mut all: Vec<String> = report["findings"].as_array().unwrap().iter().map(one).collect();
    all.sort();
    all
}

/// The same of the answers.
fn due(dir: &Path) -> Vec<String> {
    let answers: serde_json::Value = serde_json::from_slice(&fs::read(dir.join("answers.json")).unwrap()).unwrap();
    let one = |f: &serde_json::Value| ["check", "certainty", "system", "subject"].map(|k| f[k].as_str().unwrap().to_owned()).join(" ");
    let mut all: Vec<String> = answers["findings"].as_array().unwrap().iter().map(one).collect();
    all.sort();
    let counted: u64 = answers["counts"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(all.len() as u64, counted);
    assert!(!answers["near_misses"].as_array().unwrap().is_empty());
    all
}

#[test]
fn an_audit_finds_what_was_planted_and_nothing_else() {
    let size = ["--accounts", "20000", "--access", "100000", "--identities", "5000", "--systems", "3", "--snapshots", "3"];
    let dir = generated(&size);
    let printed = exits(dir.path(), &["audit", "--as-of", "2026-11-22T06:00:00Z", "--format", "json"], 1);
    let report: serde_json::Value = serde_json::from_slice(&printed.stdout).unwrap();
    let (have, want) = (found(&report), due(dir.path()));
    let missing: Vec<&String> = want.iter().filter(|w| !have.contains(w)).collect();
    let extra: Vec<&String> = have.iter().filter(|h| !want.contains(h)).collect();
    assert!(missing.is_empty() && extra.is_empty(), "not found: {missing:#?}\nnot planted: {extra:#?}");
    assert_eq!(have.len(), want.len(), "each once");
    let checks: std::collections::BTreeSet<&str> = want.iter().filter_map(|w| w.split(' ').next()).collect();
    assert!(checks.len() >= 26, "{checks:?}");
}

#[test]
fn consecutive_snapshots_differ_by_about_one_edge_of_a_hundred() {
    let dir = generated(&["--accounts", "4000", "--access", "100000", "--identities", "900", "--systems", "1", "--snapshots", "2"]);
    let args = ["diff", "system-0001", "--store", "store", "--format", "json"];
    let text = exits(dir.path(), &args, 0).stdout;
    let changes: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let of_edges = |object: &str| matches!(object, "membership" | "grant");
    let rows = changes["changes"].as_array().unwrap().iter();
    let edges = rows.filter(|c| of_edges(c["object"].as_str().unwrap())).count();
    assert!((700..1_300).contains(&edges), "{edges}");
}

#[test]
fn a_native_export_is_imported_without_a_reject_and_with_every_row() {
    for (format, tables) in [
        ("csv", &["accounts", "groups", "memberships", "grants"][..]),
        ("ldif", &["accounts", "groups", "memberships"]),
        ("aws-iam", &["accounts", "groups", "memberships", "grants"]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        exits(dir.path(), &["generate", "native", "--native", format, "--bytes", "3m"], 0);
        let native = dir.path().join("native");
        let exports = files(&native.join("exports"));
        let export = exports.iter().find(|f| !f.ends_with("people.csv")).unwrap();
        let size = fs::metadata(export).unwrap().len();
        assert!((2 << 20..4 << 20).contains(&size), "{format}: {size}");
        exits(dir.path(), &["import", "--config", "native/holdover.toml"], 0);
        let text = fs::read(native.join("store/snapshots/generated/20261122T000000Z/manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert!(manifest["files"].as_array().unwrap().iter().all(|f| f["rejected"] == 0 && f["short"].as_array().unwrap().is_empty()));
        let rows: serde_json::Value = serde_json::from_slice(&fs::read(native.join("rows.json")).unwrap()).unwrap();
        for table in tables {
            let have = manifest["tables"].as_array().unwrap().iter().find(|t| t["name"] == *table).unwrap();
            assert_eq!(have["rows"], rows[table], "{format}: {table}");
            assert!(rows[table].as_u64().unwrap() > 0, "{format}: {table}");
        }
    }
}

#[test]
fn an_estate_of_one_snapshot_without_records_has_its_answers_too() {
    let dir = generated(&["--accounts", "2000", "--access", "20000", "--identities", "600", "--systems", "2", "--without-records"]);
    let (have, want) = (found(&report(dir.path(), &[])), due(dir.path()));
    assert_eq!(have, want);
    assert!(want.iter().all(|w| !w.starts_with("out-of-band-grant") && !w.starts_with("regrant") && !w.starts_with("exception")));
}

#[test]
fn a_small_estate_has_no_fault() {
    let dir = generated(&["--accounts", "300", "--access", "2000", "--identities", "200", "--systems", "2"]);
    assert_eq!(found(&report(dir.path(), &[])), Vec::<String>::new());
}
