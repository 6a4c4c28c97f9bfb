//! `--engine spark` as far as it can be told without a Spark: flags, how a Spark is called, and what follows when it fails.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use super::{copy_of, exits, names, report, stderr, write};

const AUDIT: [&str; 3] = ["audit", "--engine", "spark"];

fn told(dir: &Path, args: &[&str], code: i32) -> String {
    stderr(&exits(dir, &[&AUDIT[..], args].concat(), code))
}

/// A company with a finding, and a program that stands for `spark-sql`.
fn with(stand_in: &str) -> TempDir {
    let dir = copy_of("checks/stale-key/fires");
    let program = dir.path().join("home/bin/spark-sql");
    write(&program, &format!("#!/bin/sh\n{stand_in}\n"));
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

fn runs(dir: &Path) -> Vec<String> {
    let runs = dir.join("store/runs");
    if runs.is_dir() { names(&runs) } else { Vec::new() }
}

#[test]
fn flags_of_spark_are_for_spark() {
    let dir = copy_of("checks/stale-key/fires");
    for flag in ["--spark-home", "--spark-command", "--spark-args", "--spark-work"] {
        let text = stderr(&exits(dir.path(), &["audit", flag, "x"], 2));
        assert_eq!(text, format!("error[usage]: `{flag}` is given without `--engine spark`\n  help: add `--engine spark`\n"));
    }
    let text = told(dir.path(), &["--spark-args", "--conf 'a=b"], 2);
    assert_eq!(text, "error[usage]: `--spark-args` opens a ' that nothing closes\n  help: close it\n");
    assert!(told(dir.path(), &["--spark-home", "a", "--spark-command", "b"], 2).starts_with("error: the argument"));
    exits(dir.path(), &["audit", "--engine", "dask"], 2);
    assert!(!dir.path().join("store").exists(), "nothing was imported");
}

#[test]
fn a_spark_that_is_not_there_is_said_before_anything_is_done() {
    let dir = copy_of("checks/stale-key/fires");
    let help = "\n  help: install Apache Spark 4, or name it: `--spark-home DIR` or `--spark-command FILE`\n";
    let text = told(dir.path(), &["--spark-home", "no where"], 4);
    assert_eq!(text, format!("error[engine/spark]: there is no `no where/bin/spark-sql`{help}"));
    for command in ["no-such-spark", "./no-such-spark"] {
        assert_eq!(told(dir.path(), &["--spark-command", command], 4), format!("error[engine/spark]: there is no `{command}`{help}"));
    }
    let none = super::command(dir.path(), &AUDIT).env("PATH", "/nowhere").output().unwrap();
    assert_eq!((none.status.code(), stderr(&none)), (Some(4), format!("error[engine/spark]: there is no `spark-sql`{help}")));
    assert!(!dir.path().join("store").exists(), "nothing was imported");
}

#[test]
fn a_spark_that_cannot_be_started_ends_the_audit() {
    let dir = with("");
    fs::set_permissions(dir.path().join("home/bin/spark-sql"), fs::Permissions::from_mode(0o644)).unwrap();
    let text = told(dir.path(), &["--spark-home", "home"], 4);
    assert!(text.contains("error[engine/spark]: `home/bin/spark-sql` cannot be started: Permission denied"), "{text}");
}

#[test]
fn a_failing_spark_is_heard_and_leaves_no_run() {
    let dir = with("echo to the log; i=0; while [ $i -lt 40 ]; do echo line $i >&2; i=$((i+1)); done; echo '\tat x.y' >&2; exit 7");
    let text = told(dir.path(), &["--spark-home", "home"], 4);
    let (_, text) = text.split_once("error[engine/spark]: ").unwrap();
    assert!(text.starts_with("`home/bin/spark-sql` ended with exit code 7\n  | line 28\n  | line 29\n"), "{text}");
    assert!(text.contains("\n  | line 39\n  help: all of what it said is in `"), "{text}");
    assert_eq!(runs(dir.path()), Vec::<String>::new());
    let log = dir.path().join("store/tmp/spark/checks/stdout.txt");
    assert_eq!(fs::read_to_string(log).unwrap(), "to the log\n");
    // The next audit is as if nothing had been.
    let findings = |dir: &Path| report(dir, &[])["findings"].clone();
    assert_eq!(findings(dir.path()), findings(copy_of("checks/stale-key/fires").path()));
    assert_eq!(runs(dir.path()).len(), 1);
    assert!(names(&dir.path().join("store/tmp")).is_empty());
}

#[test]
fn a_spark_that_is_killed_is_told_by_its_signal() {
    let dir = with("kill -9 $$");
    let text = told(dir.path(), &["--spark-command", "home/bin/spark-sql"], 4);
    assert!(text.contains("error[engine/spark]: `home/bin/spark-sql` was ended by signal 9\n  help: "), "{text}");
}

#[test]
fn results_that_are_not_whole_are_not_read() {
    // It ends well and has written nothing.
    let dir = with("exit 0");
    let text = told(dir.path(), &["--spark-home", "home"], 4);
    assert!(text.contains("cannot be used: it was not written to its end: there is no `_SUCCESS`\n  help: the store and "), "{text}");
    assert_eq!(runs(dir.path()), Vec::<String>::new());
}

#[test]
fn spark_gets_the_script_the_users_words_and_the_environment() {
    let dir = with(
        "printf '%s\\n' \"$@\" > got.txt; cat >> got.txt; echo $SPARK_HOME $OWN >> got.txt; for last; do :; done; cp \"$last\" script.sql; exit 1",
    );
    let args = ["--spark-home", "home", "--spark-args", "--master yarn --conf 'a=b c'", "--spark-args", "--verbose", "--spark-work", "w o"];
    let output = super::command(dir.path(), &[&AUDIT[..], &args].concat()).env("OWN", "kept").output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let root = dir.path().canonicalize().unwrap();
    let place = root.join("w o/holdover-spark/checks");
    let got = fs::read_to_string(dir.path().join("got.txt")).unwrap();
    let expected = [
        "--name".to_owned(),
        "holdover".to_owned(),
        "--conf".to_owned(),
        "spark.sql.catalogImplementation=in-memory".to_owned(),
        "--conf".to_owned(),
        format!("spark.sql.warehouse.dir=file://{}/warehouse", place.display()),
        "--master".to_owned(),
        "yarn".to_owned(),
        "--conf".to_owned(),
        "a=b c".to_owned(),
        "--verbose".to_owned(),
        "-f".to_owned(),
        format!("{}/checks.sql", place.display()),
        format!("{}/home kept", root.display()),
    ];
    assert_eq!(
        got.lines().map(|l| l.replace(&format!("{}", dir.path().display()), &format!("{}", root.display()))).collect::<Vec<_>>(),
        expected
    );
    let script = fs::read_to_string(dir.path().join("script.sql")).unwrap();
    assert!(script.contains("/w o/holdover-spark/checks/run/systems_seen.parquet`;\n"), "{script}");
    assert!(script.contains("/w o/holdover-spark/checks/snapshots/credentials`;\n"), "{script}");
    let linked = place.join("snapshots/credentials");
    let linked = linked.join(names(&linked).remove(0)).join("credentials.parquet");
    assert!(linked.read_link().unwrap().starts_with(dir.path().join("store/snapshots")), "{linked:?}");
    assert!(script.contains("\n-- check stale-key\nCREATE TEMPORARY VIEW check_"), "{script}");
    // What was left there is gone with the next audit that works there.
    write(&place.join("results/check-000/_SUCCESS"), "");
    told(dir.path(), &args, 4);
    assert!(!place.join("results").exists());
}

#[test]
fn a_path_that_spark_would_misread_is_refused() {
    let dir = with("exit 0");
    let text = told(dir.path(), &["--spark-home", "home", "--spark-work", "a[b]"], 2);
    assert!(
        text.contains("error[usage]: Spark would not take the path `") && text.contains("help: use folders whose paths are without"),
        "{text}"
    );
    assert_eq!(runs(dir.path()), Vec::<String>::new());
}
