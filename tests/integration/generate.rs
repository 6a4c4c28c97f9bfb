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

#[test]
fn an_estate_is_audited_as_it_stands() {
    let dir = generated(&["--accounts", "2000", "--access", "20000", "--identities", "600", "--systems", "2"]);
    let report = report(dir.path(), &[]);
    assert_eq!(report["findings"].as_array().unwrap().len(), 0, "{}", report["findings"]);
}
