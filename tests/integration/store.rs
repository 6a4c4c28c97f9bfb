//! The store: sealed means immutable, and what is damaged is named.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;

use super::{command, exits, names, root, run, stderr, stdout, write};

const USERS: &str =
    "ID,Login,Account Type,Status,Created\nu1,ann,user,active,2021-01-01T00:00:00Z\nu2,ben,user,disabled,2021-01-01T00:00:00Z\n";
const OTHERS: &str = "ID,Login,Account Type,Status,Created\nu1,ann,user,active,2021-01-01T00:00:00Z\n";

/// The arguments that seal `users.csv` as system `app`.
fn import<'a>(taken_at: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["import", "--store", "store", "--connector", "tabular", "--system", "app", "--option", "mapping=accounts"];
    args.extend(["--taken-at", taken_at]);
    args.extend(more);
    args.push("users.csv");
    args
}

const T1: &str = "2026-11-15T00:00:00Z";
const T2: &str = "2026-11-22T00:00:00Z";
const VERIFY: [&str; 4] = ["store", "verify", "--store", "store"];

/// A folder with one sealed snapshot.
fn sealed() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("users.csv"), USERS);
    let output = exits(dir.path(), &import(T1, &[]), 0);
    assert!(stdout(&output).starts_with("sealed app/20261115T000000Z"), "{}", stdout(&output));
    dir
}

fn table(dir: &TempDir, name: &str) -> PathBuf {
    dir.path().join("store/snapshots/app/20261115T000000Z").join(name)
}

/// Verifies a store that is damaged at one file.
fn names_the_fault(dir: &TempDir, place: &str, what: &str) {
    let text = stdout(&exits(dir.path(), &VERIFY, 4));
    let line = text.lines().find(|l| l.starts_with(place)).unwrap_or_else(|| panic!("`{place}` is not named:\n{text}"));
    assert!(line.contains(what), "{line}");
    assert!(text.contains(", 1 faults"), "{text}");
}

const ACCOUNTS: &str = "snapshots/app/20261115T000000Z/accounts.parquet";

#[test]
fn a_sound_store_is_verified() {
    let dir = sealed();
    assert!(stdout(&exits(dir.path(), &VERIFY, 0)).ends_with(", 0 faults\n"));
}

#[test]
fn every_flipped_byte_is_found() {
    let dir = sealed();
    let path = table(&dir, "accounts.parquet");
    let sound = fs::read(&path).unwrap();
    for at in [0, 4, sound.len() / 3, sound.len() / 2, sound.len() - 9, sound.len() - 1] {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        names_the_fault(&dir, ACCOUNTS, "");
    }
    fs::write(&path, &sound).unwrap();
    exits(dir.path(), &VERIFY, 0);
}

#[test]
fn a_file_that_is_missing_short_or_foreign_is_named() {
    let dir = sealed();
    let path = table(&dir, "accounts.parquet");
    let sound = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    names_the_fault(&dir, ACCOUNTS, "is missing");
    fs::write(&path, &sound[..sound.len() / 2]).unwrap();
    names_the_fault(&dir, ACCOUNTS, "");
    fs::write(&path, b"").unwrap();
    names_the_fault(&dir, ACCOUNTS, "");
    fs::write(&path, &sound).unwrap();
    write(&table(&dir, "stray.parquet"), "x");
    names_the_fault(&dir, "snapshots/app/20261115T000000Z/stray.parquet", "is not in the manifest");
    fs::remove_file(table(&dir, "stray.parquet")).unwrap();
    let manifest = fs::read(table(&dir, "manifest.json")).unwrap();
    fs::write(table(&dir, "manifest.json"), &manifest[..manifest.len() / 2]).unwrap();
    names_the_fault(&dir, "snapshots/app/20261115T000000Z/manifest.json", "is damaged");
}

#[test]
fn a_damaged_run_is_found_too() {
    let dir = sealed();
    exits(dir.path(), &["audit", "--store", "store", "--as-of", T2, "--fail-on", "critical"], 0);
    exits(dir.path(), &VERIFY, 0);
    let run = names(&dir.path().join("store/runs")).remove(0);
    let report = dir.path().join("store/runs").join(&run).join("report.html");
    let mut bytes = fs::read(&report).unwrap();
    bytes[100] ^= 1;
    fs::write(&report, bytes).unwrap();
    names_the_fault(&dir, &format!("runs/{run}/report.html"), "digest");
}

#[test]
fn rule_11_4_the_same_bytes_are_sealed_once() {
    let dir = sealed();
    let before = fs::read(table(&dir, "manifest.json")).unwrap();
    let output = exits(dir.path(), &import(T1, &[]), 0);
    assert!(stdout(&output).starts_with("already sealed app/20261115T000000Z"), "{}", stdout(&output));
    assert_eq!(names(&dir.path().join("store/snapshots/app")), ["20261115T000000Z"]);
    assert_eq!(fs::read(table(&dir, "manifest.json")).unwrap(), before);
}

#[test]
fn rule_11_4_what_is_stated_of_an_export_is_part_of_it() {
    let dir = sealed();
    let refused = stderr(&exits(dir.path(), &import(T1, &["--control-total", "500"]), 2));
    assert!(refused.contains("the same files under other settings") && refused.contains("--supersede"), "{refused}");
    let text = stdout(&exits(dir.path(), &import(T1, &["--control-total", "500", "--supersede"]), 3));
    assert!(text.contains("control total is 500"), "{text}");
    assert_eq!(names(&dir.path().join("store/snapshots/app")), ["20261115T000000Z", "20261115T000000Z.2"]);
    let again = stdout(&exits(dir.path(), &import(T1, &["--control-total", "500"]), 3));
    assert!(again.starts_with("already sealed app/20261115T000000Z.2"), "{again}");
}

#[test]
fn an_import_tells_which_records_it_rejected_and_why() {
    let dir = tempfile::tempdir().unwrap();
    let bad: String = (3..10).map(|i| format!("u{i},x{i},user,maybe,2021-01-01T00:00:00Z\n")).collect();
    write(&dir.path().join("users.csv"), &format!("{USERS}{bad}"));
    let text = stdout(&exits(dir.path(), &import(T1, &[]), 3));
    assert!(text.contains("9 records read = 2 accepted + 7 rejected"), "{text}");
    let told: Vec<&str> = text.lines().filter(|l| l.starts_with("  rejected ")).collect();
    assert_eq!(told.len(), 6, "{text}");
    assert!(told[0].starts_with("  rejected users.csv line 4: tabular/"), "{text}");
    assert_eq!(told[5], "  rejected users.csv: 2 more records");
    assert_eq!(text.lines().filter(|l| l.starts_with("    help: ")).count(), 5, "{text}");
}

#[test]
fn a_pattern_that_fits_no_file_of_the_newest_import_is_told() {
    let dir = tempfile::tempdir().unwrap();
    for day in ["2026-11-15", "2026-11-22"] {
        write(&dir.path().join(day).join("users.csv"), USERS);
    }
    write(&dir.path().join("2026-11-15/keys.csv"), "id,account,kind,status\nk1,u1,access_key,active\n");
    let config = r#"
[holdover]
store = "store"
[[source]]
system = "app"
connector = "tabular"
files = ["{day}/users.csv", "{day}/keys.csv"]
taken_at = "{day}T00:00:00Z"
[[source.options.part]]
files = "users.csv"
mapping = "accounts"
[[source.options.part]]
files = "keys.csv"
table = "credentials"
columns = { native_id = "id", account = "account", kind = "kind", status = "status" }
"#;
    write(&dir.path().join("holdover.toml"), config.trim_start());
    let output = exits(dir.path(), &["import"], 3);
    let told: Vec<String> = stderr(&output).lines().filter(|l| l.starts_with("warning:")).map(str::to_owned).collect();
    assert_eq!(told, ["warning: source `app` (line 3): no file fits `{day}/keys.csv`"], "{}", stderr(&output));
    let text = stdout(&exits(dir.path(), &["audit", "--as-of", "2026-11-22T06:00:00Z"], 3));
    assert!(text.contains("! app: no file fits `{day}/keys.csv`"), "{text}");
    // Where nobody expects the source, it is told and nothing else.
    let config = fs::read_to_string(dir.path().join("holdover.toml")).unwrap();
    write(&dir.path().join("holdover.toml"), &config.replace("taken_at =", "expected = false\ntaken_at ="));
    exits(dir.path(), &["import"], 0);
}

/// The 64 hex digits in a text.
fn digests(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_ascii_hexdigit()).filter(|w| w.len() == 64).map(str::to_owned).collect()
}

#[test]
fn rule_11_4_other_bytes_of_one_time_are_refused_and_supersede_keeps_the_first() {
    let dir = sealed();
    let first = fs::read(table(&dir, "manifest.json")).unwrap();
    write(&dir.path().join("users.csv"), OTHERS);
    let refused = stderr(&exits(dir.path(), &import(T1, &[]), 2));
    let named = digests(&refused);
    assert!(named.len() == 2 && named[0] != named[1], "{refused}");
    assert!(String::from_utf8_lossy(&first).contains(&named[0]), "the first digest is that of the sealed snapshot");
    assert!(refused.contains("--supersede"), "{refused}");
    exits(dir.path(), &import(T1, &["--supersede"]), 0);
    assert_eq!(names(&dir.path().join("store/snapshots/app")), ["20261115T000000Z", "20261115T000000Z.2"]);
    assert_eq!(fs::read(table(&dir, "manifest.json")).unwrap(), first);
    exits(dir.path(), &VERIFY, 0);
    // The later generation counts.
    let counted = exits(
        dir.path(),
        &["query", "--store", "store", "--snapshot", "app", "--format", "csv", "SELECT COUNT(*) AS n FROM accounts a"],
        0,
    );
    assert_eq!(stdout(&counted), "n\n1\n");
}

#[test]
fn prune_keeps_what_a_kept_run_cites() {
    let dir = sealed();
    exits(dir.path(), &["audit", "--store", "store", "--as-of", "2026-11-16T00:00:00Z", "--fail-on", "critical"], 0);
    write(&dir.path().join("users.csv"), OTHERS);
    for taken_at in ["2026-11-17T00:00:00Z", T2] {
        exits(dir.path(), &import(taken_at, &[]), 0);
    }
    let prune = |more: &[&str]| {
        let mut args = vec!["store", "prune", "--store", "store", "--keep-snapshots", "1"];
        args.extend(more);
        stdout(&exits(dir.path(), &args, 0))
    };
    let all = ["20261115T000000Z", "20261117T000000Z", "20261122T000000Z"];
    let snapshots = || names(&dir.path().join("store/snapshots/app"));
    assert!(prune(&["--dry-run"]).contains("would drop snapshots/app/20261117T000000Z\n"));
    assert_eq!(snapshots(), all);
    let text = prune(&[]);
    assert_eq!(text, "dropped snapshots/app/20261117T000000Z\nkept snapshots/app/20261115T000000Z: a kept run cites it\n");
    assert_eq!(snapshots(), [all[0], all[2]]);
    prune(&["--keep-runs", "0"]);
    assert_eq!(snapshots(), [all[2]]);
    assert!(names(&dir.path().join("store/runs")).is_empty());
    exits(dir.path(), &VERIFY, 0);
}

#[test]
fn a_second_writer_is_refused() {
    let dir = sealed();
    let lock = File::options().create(true).truncate(false).write(true).open(dir.path().join("store/lock")).unwrap();
    lock.try_lock().unwrap();
    for args in [import(T2, &[]), vec!["audit", "--store", "store", "--as-of", T2], vec!["store", "prune", "--store", "store"]] {
        let text = stderr(&exits(dir.path(), &args, 4));
        assert!(text.contains("error[store/locked]") && text.contains("help:"), "{text}");
    }
    // Readers need no lock.
    exits(dir.path(), &VERIFY, 0);
    drop(lock);
    // A process that another test starts right now holds a copy of the lock until it is its own program.
    let free = || run(dir.path(), &import(T2, &[])).status.code() == Some(0);
    assert!(
        (0..100).any(|_| free() || {
            std::thread::sleep(Duration::from_millis(50));
            false
        }),
        "the lock is free again"
    );
}

#[test]
fn a_killed_import_leaves_a_store_that_works() {
    let dir = tempfile::tempdir().unwrap();
    let mut users = USERS.to_owned();
    for i in 3..40_000 {
        users.push_str(&format!("u{i},user{i},user,active,2021-01-01T00:00:00Z\n"));
    }
    write(&dir.path().join("users.csv"), &users);
    for wait in [0, 20, 60, 120, 250] {
        let mut child = command(dir.path(), &import(T1, &[])).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        // It may have ended by itself: then there is nothing to kill.
        let _ = child.kill();
        child.wait().unwrap();
        if dir.path().join("store/snapshots").is_dir() {
            exits(dir.path(), &VERIFY, 0);
        }
    }
    exits(dir.path(), &import(T1, &[]), 0);
    exits(dir.path(), &VERIFY, 0);
    assert_eq!(names(&dir.path().join("store/snapshots/app")), ["20261115T000000Z"]);
    assert!(names(&dir.path().join("store/tmp")).is_empty());
}

#[test]
fn rule_11_2_an_export_without_any_instant_asks_for_one() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("users.csv"), "ID,Login,Status\nu1,ann,active\n");
    let args = ["import", "--store", "store", "--connector", "tabular", "--system", "app", "--option", "mapping=accounts", "users.csv"];
    let text = stderr(&exits(dir.path(), &args, 2));
    assert!(text.contains("--taken-at"), "{text}");
    write(
        &dir.path().join("users.csv"),
        "ID,Login,Status,Created,Account Expires\nu1,ann,active,2026-11-01T00:00:00Z,2030-01-01T00:00:00Z\n",
    );
    let text = stdout(&exits(dir.path(), &args, 0));
    assert!(text.contains("taken at 2026-11-01T00:00:00Z (inferred)"), "never an expiry: {text}");
}

#[cfg(unix)]
#[test]
fn rule_11_13_only_the_owner_may_read_the_store() {
    use std::os::unix::fs::PermissionsExt;
    fn walk(path: &Path) {
        let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let want = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, want, "{}: {mode:o}", path.display());
        if path.is_dir() {
            names(path).iter().for_each(|n| walk(&path.join(n)));
        }
    }
    let dir = sealed();
    exits(dir.path(), &["audit", "--store", "store", "--as-of", T2, "--fail-on", "critical"], 0);
    walk(&dir.path().join("store"));
}

#[test]
fn a_folder_that_is_no_store_is_refused() {
    let text = stderr(&exits(root(), &["store", "verify", "--store", "src"], 2));
    assert!(text.contains("not a holdover store"), "{text}");
}
