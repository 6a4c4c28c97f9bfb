//! The command line: exit codes, what is printed, and how mistakes are told.

use std::fs::{self, File};

use serde_json::Value;
use tempfile::TempDir;

use super::{copy_of, exits, names, report, root, stderr, stdout, write};

/// A company of one leaver whose only account may still work: one finding, and that one possible.
fn only_possible() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let config = r#"
[holdover]
store = "store"
as_of = "2026-11-22T06:00:00Z"
[[source]]
system = "hr"
connector = "tabular"
files = "hr.csv"
taken_at = "2026-11-22T00:00:00Z"
population = "all"
timezone = "UTC"
[source.options]
mapping = "hr"
[[source]]
system = "app"
connector = "tabular"
files = "app.csv"
taken_at = "2026-11-22T00:00:00Z"
[source.options]
mapping = "accounts"
"#;
    write(&dir.path().join("holdover.toml"), config);
    write(&dir.path().join("hr.csv"), "Employee Number,Name,Status,Start Date,Last Day\n1,Ann Onym,left,2020-01-01,2026-10-01\n");
    write(
        &dir.path().join("app.csv"),
        "ID,Login,Employee Number,Status,Created,Last Login\nu1,ann,1,active,2020-01-01T00:00:00Z,2026-09-20T00:00:00Z\n",
    );
    dir
}

#[test]
fn rule_11_14_exit_codes() {
    let clean = copy_of("checks/identity-without-account/quiet");
    exits(clean.path(), &["audit"], 0);
    let findings = copy_of("checks/stale-key/fires");
    exits(findings.path(), &["audit"], 1);
    exits(findings.path(), &["audit", "--fail-on", "medium"], 1);
    exits(findings.path(), &["audit", "--fail-on", "critical"], 0);
    exits(findings.path(), &["audit", "--fail-on", "critical", "--fail-on-new", "medium"], 1);
    // What was found before is not new.
    exits(findings.path(), &["audit", "--as-of", "2026-11-22T07:00:00Z", "--fail-on", "critical", "--fail-on-new", "medium"], 0);
    exits(clean.path(), &["audit", "--fail-on", "sometimes"], 2);
}

#[test]
fn rule_11_6_possible_findings_fail_only_on_request() {
    let dir = only_possible();
    let found = report(dir.path(), &[]);
    let rows: Vec<_> =
        found["findings"].as_array().unwrap().iter().map(|f| (f["check"].as_str().unwrap(), f["certainty"].as_str().unwrap())).collect();
    assert_eq!(rows, [("ghost-account", "possible")]);
    exits(dir.path(), &["audit"], 0);
    exits(dir.path(), &["audit", "--fail-on-possible"], 1);
}

#[test]
fn rule_11_14_the_more_serious_code_wins() {
    // 3 over 1: an expected source is missing, and there are findings.
    let incomplete = copy_of("checks/source-incomplete/fires");
    let text = stdout(&exits(incomplete.path(), &["audit", "--format", "json"], 3));
    let report: Value = serde_json::from_str(&text).unwrap();
    assert!(report["findings"].as_array().unwrap().len() > 1);
    assert_eq!(report["verdict"]["exit_code"], 3);
    // 4 over 3: the store is taken.
    let lock = File::options().write(true).open(incomplete.path().join("store/lock")).unwrap();
    lock.try_lock().unwrap();
    exits(incomplete.path(), &["audit"], 4);
    drop(lock);
    // 2 over 3: the configuration is wrong as well.
    let config = incomplete.path().join("holdover.toml");
    let wrong = fs::read_to_string(&config).unwrap().replace("[holdover]", "[holdover]\nsurprise = 1");
    write(&config, &wrong);
    exits(incomplete.path(), &["audit"], 2);
}

#[test]
fn a_run_leaves_its_exit_code_in_its_summary() {
    let dir = copy_of("checks/stale-key/fires");
    exits(dir.path(), &["audit"], 1);
    let runs = dir.path().join("store/runs");
    let run = names(&runs).remove(0);
    let summary: Value = serde_json::from_slice(&fs::read(runs.join(&run).join("summary.json")).unwrap()).unwrap();
    assert_eq!((summary["run"].as_str(), summary["exit_code"].as_u64()), (Some(run.as_str()), Some(1)));
}

#[test]
fn an_unknown_command_or_flag_is_a_usage_mistake() {
    let dir = tempfile::tempdir().unwrap();
    for args in [
        &["frobnicate"][..],
        &["audit", "--frobnicate"],
        &["checks", "show", "no-such-check"],
        &["connectors", "show", "no-such"],
        &["schema", "no-such"],
    ] {
        let text = stderr(&exits(dir.path(), args, 2));
        assert!(text.starts_with("error"), "{args:?}: {text}");
    }
    let text = stderr(&exits(dir.path(), &["audit"], 2));
    assert!(text.contains("error[usage]") && text.contains("holdover init"), "{text}");
}

#[test]
fn help_is_there_for_every_command() {
    for command in ["demo", "import", "audit", "diff", "explain", "query", "checks", "connectors", "schema", "store", "init"] {
        assert!(stdout(&exits(root(), &[command, "--help"], 0)).contains("Usage: holdover"), "{command}");
    }
    assert!(stdout(&exits(root(), &["--version"], 0)).starts_with("holdover "));
}

#[test]
fn the_catalogue_is_printed() {
    let list: Value = serde_json::from_slice(&exits(root(), &["checks", "list", "--format", "json"], 0).stdout).unwrap();
    assert_eq!(list["checks"].as_array().unwrap().len(), 31);
    let whole = |c: &&Value| c["partition_local"] == false;
    let whole: Vec<&str> = list["checks"].as_array().unwrap().iter().filter(whole).map(|c| c["id"].as_str().unwrap()).collect();
    let over_people = ["identity-without-account", "mover-residual-access"];
    assert!(over_people.iter().all(|id| whole.contains(id)) && whole.len() == 7, "{whole:?}");
    assert_eq!(stdout(&exits(root(), &["checks", "list"], 0)).lines().count(), 31);
    let accounts = stdout(&exits(root(), &["schema", "accounts"], 0));
    assert!(accounts.contains("native_id") && accounts.contains("key: account_ix"), "{accounts}");
    assert!(stdout(&exits(root(), &["schema"], 0)).contains("memberships"));
}

#[test]
fn every_mistake_of_a_configuration_is_told_at_once_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = root().join("fixtures/config");
    fs::copy(fixture.join("mistakes.toml"), dir.path().join("mistakes.toml")).unwrap();
    let text = stderr(&exits(dir.path(), &["audit", "--config", "mistakes.toml"], 2));
    let places =
        |text: &str| text.lines().filter(|l| l.trim_start().starts_with("--> mistakes.toml:")).map(str::to_owned).collect::<Vec<_>>();
    let want = places(&fs::read_to_string(fixture.join("mistakes.txt")).unwrap());
    assert!(want.len() > 20);
    assert_eq!(places(&text), want);
    assert_eq!(text.matches("error[").count(), text.matches("  help: ").count(), "every mistake has its fix");
    assert!(!dir.path().join("store").exists(), "nothing is done before the configuration is right");
}

#[test]
fn a_written_configuration_is_one_that_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    exits(dir.path(), &["init"], 0);
    assert!(dir.path().join("holdover.toml").is_file());
    // It is never overwritten.
    exits(dir.path(), &["init"], 2);
}

#[test]
fn explain_takes_the_first_digits_of_a_fingerprint() {
    let dir = copy_of("checks/leaver-access-unremoved/fires");
    let report = report(dir.path(), &[]);
    let finding = &report["findings"].as_array().unwrap().iter().find(|f| f["subject"]["native_id"] == "a-gone -> g-team").unwrap().clone();
    let fingerprint = finding["fingerprint"].as_str().unwrap();
    let text = stdout(&exits(dir.path(), &["explain", &fingerprint[..12]], 0));
    for part in ["leaver-access-unremoved", "app/memberships.csv", "hr.csv", "1001"] {
        assert!(text.contains(part), "`{part}`:\n{text}");
    }
    let unknown = stderr(&exits(dir.path(), &["explain", "ffffffffffffffffffffffffffffffff"], 2));
    assert!(unknown.contains("has no finding"), "{unknown}");
    // What begins several fingerprints is refused, and the several are listed.
    let several = stderr(&exits(dir.path(), &["explain", ""], 2));
    assert!(several.contains(fingerprint), "{several}");
}

#[test]
fn a_snapshot_that_holds_what_came_after_it_is_doubted() {
    let dir = copy_of("checks/orphan-account/quiet");
    let doubts = |report: &Value| -> Vec<String> {
        let lines = report["headline"].as_array().unwrap().iter().map(|l| l.as_str().unwrap().to_owned());
        lines.filter(|l| l.contains("taken_at")).collect()
    };
    // An account made a minute after the snapshot's instant: the export took that long.
    assert_eq!(doubts(&report(dir.path(), &[])), [""; 0]);
    let config = dir.path().join("holdover.toml");
    let dated = fs::read_to_string(&config).unwrap().replace("2026-11-22T00:00:00Z", "2026-11-20T00:00:00Z");
    fs::write(&config, dated).unwrap();
    fs::remove_dir_all(dir.path().join("store")).unwrap();
    let want = "`app` is dated 2026-11-20T00:00:00Z and holds something of 2026-11-22T00:01:00Z: if it was exported later, import it with \
                the right `taken_at`";
    assert_eq!(doubts(&report(dir.path(), &[])), [want]);
}

#[test]
fn without_a_configuration_the_hints_name_the_store() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.csv"), "Login,Status\nida,active\n").unwrap();
    let to = ["--connector", "tabular", "--system", "app", "--taken-at", "2026-11-22T00:00:00Z", "--option", "mapping=accounts", "a.csv"];
    exits(dir.path(), &[&["import", "--store", "s"][..], &to].concat(), 0);
    let text = stdout(&exits(dir.path(), &["audit", "--store", "s"], 0));
    assert!(text.contains("`holdover explain --store s FINGERPRINT` tells why"), "{text}");
}

#[test]
fn query_answers_over_a_run_and_over_a_snapshot() {
    let dir = copy_of("checks/ghost-account/fires");
    exits(dir.path(), &["audit"], 1);
    let ask = |args: &[&str], code: i32| {
        let mut all = vec!["query", "--format", "csv"];
        all.extend(args);
        exits(dir.path(), &all, code)
    };
    let run = ask(
        &[
            "SELECT f.certainty AS certainty, COUNT(*) AS n FROM findings f WHERE f.check_id = 'ghost-account' GROUP BY f.certainty ORDER BY certainty",
        ],
        0,
    );
    assert_eq!(stdout(&run), "certainty,n\ncertain,7\npossible,3\n");
    let snapshot = ask(&["--snapshot", "app", "SELECT a.login AS login FROM accounts a WHERE a.status = 'locked' ORDER BY login"], 0);
    assert_eq!(stdout(&snapshot), "login\nnbrightwell\n");
    let wrong = stderr(&ask(&["SELECT a.no_such AS x FROM accounts a"], 2));
    assert!(wrong.contains("line 1, column") && wrong.contains("no_such"), "{wrong}");
    let wrong = stderr(&ask(&["DELETE FROM accounts"], 2));
    assert!(wrong.contains("error[") && wrong.contains("help:"), "{wrong}");
}

#[test]
fn query_sees_what_a_run_says_of_requests_though_no_run_holds_it() {
    let dir = copy_of("checks/privileged-unapproved/fires");
    exits(dir.path(), &["audit"], 1);
    let run = fs::read_dir(dir.path().join("store/runs")).unwrap().next().unwrap().unwrap().path();
    let manifest: Value = serde_json::from_slice(&fs::read(run.join("run.json")).unwrap()).unwrap();
    let written = manifest["files"].as_array().unwrap().iter().find(|f| f["name"] == "approvals").unwrap()["rows"].as_u64().unwrap();
    assert!(written > 0);
    let asked = exits(dir.path(), &["query", "--format", "csv", "SELECT COUNT(*) AS n FROM approvals p WHERE p.approval IS NOT NULL"], 0);
    assert_eq!(stdout(&asked), format!("n\n{written}\n"));
}

#[test]
fn a_file_that_cannot_be_trusted_is_named_with_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("empty.csv", ""),
        ("cut.json", "{\"users\":[{\"id\":\"u1\",\"login\":\"a"),
        ("cut-list.json", "[{\"id\":\"u1\",\"login\":\"ann\",\"status\":\"active\"},"),
    ] {
        write(&dir.path().join(name), text);
        let args = [
            "import",
            "--store",
            "store",
            "--connector",
            "tabular",
            "--system",
            "app",
            "--option",
            "mapping=accounts",
            "--taken-at",
            "2026-11-22T00:00:00Z",
            name,
        ];
        let told = stderr(&exits(dir.path(), &args, 3));
        assert!(told.starts_with("error[tabular/") && told.contains(&format!("--> {name}")) && told.contains("help: "), "{told}");
    }
    assert!(names(&dir.path().join("store/snapshots")).is_empty(), "nothing of it is sealed");
}

#[test]
fn a_damaged_file_of_one_source_does_not_stop_the_others() {
    let dir = only_possible();
    write(&dir.path().join("app.csv"), "");
    let output = exits(dir.path(), &["import"], 3);
    assert!(stdout(&output).contains("sealed hr/"), "{}", stdout(&output));
    assert!(stderr(&output).contains("app.csv"), "{}", stderr(&output));
}

#[test]
fn no_terminal_code_of_an_export_reaches_the_terminal() {
    let dir = only_possible();
    let hostile = "ID,Login,Employee Number,Status,Created,Last Login\nu1,\u{1b}[31mann\u{1b}]0;x\u{7},1,active,2020-01-01T00:00:00Z,2026-09-20T00:00:00Z\n";
    write(&dir.path().join("app.csv"), hostile);
    let text = stdout(&exits(dir.path(), &["audit"], 0));
    assert!(text.contains("ann") && !text.contains(['\u{1b}', '\u{7}']), "{text}");
}

/// A check of somebody's own that finds every account.
const OWN: &str = r#"-- ---
-- id = "own"
-- title = "Every account"
-- severity = "low"
-- confidence = "high"
-- grain = "account"
-- subject = "account"
-- needs = ["accounts"]
-- message = "`{login}`"
-- description = """
-- All of them."""
-- remedy = """
-- None."""
-- false_positives = """
-- All."""
-- controls = []
-- [parameters.after]
-- type = "days"
-- default = "9d"
-- doc = "unused"
-- ---
SELECT a.system_ix AS system_ix, a.account_ix AS account_ix, 'finding' AS outcome, a.login AS login
FROM accounts a
WHERE a.observed_at - a.created_at > :after
"#;

#[test]
fn a_mistake_in_a_check_is_told_before_anything_is_imported_with_its_line_in_the_file() {
    let dir = only_possible();
    write(&dir.path().join("checks/own.sql"), &OWN.replace("a.login AS login", "a.logon AS login"));
    write(&dir.path().join("checks/second.sql"), &OWN.replace("\"own\"", "\"second\"").replace("FROM accounts", "FROM acounts"));
    let text = stderr(&exits(dir.path(), &["audit", "--checks", "checks"], 2));
    assert!(text.contains("--> own.sql:22") && text.contains("column 84") && text.contains("`logon`"), "{text}");
    assert!(text.contains("--> second.sql:23"), "all mistakes at once: {text}");
    assert!(!dir.path().join("store").exists(), "nothing is done before the checks are right");
}

#[test]
fn a_parameter_of_a_check_is_judged_where_the_configuration_stands() {
    let dir = only_possible();
    let path = dir.path().join("holdover.toml");
    let config = fs::read_to_string(&path).unwrap();
    let wrong = "[checks.stale-key]\nreason = \"x\"\nparameters = { stale_after = \"ninety\", no_such = 3 }\n";
    write(&path, &format!("{config}{wrong}"));
    let text = stderr(&exits(dir.path(), &["audit"], 2));
    let line = config.matches('\n').count() + 3;
    assert_eq!(text.matches(&format!("--> holdover.toml:{line}:")).count(), 2, "{text}");
    assert!(text.contains("`ninety`") && text.contains("no parameter `no_such`"), "{text}");
    assert!(!dir.path().join("store").exists());
}

#[test]
fn a_configuration_may_speak_of_checks_of_its_own() {
    let dir = only_possible();
    write(&dir.path().join("checks/own.sql"), OWN);
    let path = dir.path().join("holdover.toml");
    let config = fs::read_to_string(&path).unwrap();
    write(&path, &format!("{config}[checks.own]\nreason = \"x\"\nparameters = {{ after = \"3d\" }}\n"));
    let text = stdout(&exits(dir.path(), &["audit", "--checks", "checks", "--format", "json"], 1));
    let report: Value = serde_json::from_str(&text).unwrap();
    let finding = report["findings"].as_array().unwrap().iter().find(|f| f["check"] == "own").unwrap()["fingerprint"].clone();
    for args in [&["import"][..], &["explain", finding.as_str().unwrap()], &["query", "SELECT a.login AS l FROM accounts a"]] {
        exits(dir.path(), args, 0);
    }
    // Without its checks an audit would leave out what the configuration speaks of.
    let text = stderr(&exits(dir.path(), &["audit"], 2));
    assert!(text.contains("`own` is not a check"), "{text}");
}

#[test]
fn rule_11_14_a_check_of_ones_own_that_fails_over_the_data_is_told_with_its_line_and_exits_2() {
    let cases = [
        (OWN.replace("'finding'", "'maybe'"), "outcome `maybe` is not one of"),
        (OWN.replace("a.login AS login", "'perhaps' AS certainty, a.login AS login"), "`certainty` is neither"),
        // One day apart: a product beyond BIGINT.
        (OWN.replace("a.login AS login", "CAST(a.account_ix AS BIGINT) - 9223372036854775807 - 2 AS n, a.login AS login"), "BIGINT"),
        // The account's key is there and names nobody.
        (OWN.replace("a.account_ix AS account_ix", "CAST(a.account_ix AS BIGINT) + 99 AS account_ix"), "does not name its subject"),
    ];
    for (text, want) in cases {
        let dir = only_possible();
        write(&dir.path().join("checks/own.sql"), &text);
        let output = exits(dir.path(), &["audit", "--checks", "checks", "--format", "json"], 2);
        let told = stderr(&output);
        assert!(told.contains(want) && told.contains("\n  --> own.sql:22\n  help: "), "{told}");
        // The other checks have their say, and the run keeps what became of this one.
        let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
        let named: Vec<&str> = report["findings"].as_array().unwrap().iter().map(|f| f["check"].as_str().unwrap()).collect();
        assert_eq!(named, ["ghost-account"], "{want}");
        assert_eq!((&report["verdict"]["exit_code"], &report["verdict"]["word"]), (&Value::from(2), &Value::from("failed")));
        let own = report["checks"].as_array().unwrap().iter().find(|c| c["id"] == "own").unwrap();
        let reason = own["outcomes"][0]["reason"].as_str().unwrap();
        assert!(reason.starts_with("own.sql:22: ") && reason.contains(want), "{reason}");
    }
}

#[test]
fn rule_11_14_a_failed_check_of_ones_own_goes_before_an_incomplete_source() {
    let dir = only_possible();
    write(&dir.path().join("checks/own.sql"), &OWN.replace("'finding'", "'maybe'"));
    fs::remove_file(dir.path().join("app.csv")).unwrap();
    exits(dir.path(), &["audit"], 3);
    write(&dir.path().join("app.csv"), "ID,Login,Created\nu1,ann,2020-01-01T00:00:00Z\nu2\n");
    exits(dir.path(), &["audit"], 3);
    exits(dir.path(), &["audit", "--checks", "checks"], 2);
}

#[test]
fn the_columns_of_a_check_are_judged_before_anything_is_imported() {
    let dir = only_possible();
    write(&dir.path().join("checks/own.sql"), &OWN.replace("a.account_ix AS account_ix, ", "").replace("{login}", "{logon}"));
    write(&dir.path().join("checks/second.sql"), &OWN.replace("\"own\"", "\"second\"").replace("AS outcome", "AS answer"));
    let text = stderr(&exits(dir.path(), &["audit", "--checks", "checks"], 2));
    for want in [
        "there is no column `account_ix`, a key of subject `account`\n  --> own.sql:22\n  help: ",
        "`message` names `{logon}`, which its query does not give\n  --> own.sql:9\n  help: name one of system_ix, outcome, login",
        "there is no column `outcome`, its answer for each subject\n  --> second.sql:22\n  help: ",
    ] {
        assert!(text.contains(want), "{want}\n{text}");
    }
    assert!(!dir.path().join("store").exists(), "nothing is done before the checks are right");
}

#[test]
fn rule_11_1_a_finding_of_any_run_of_the_newest_instant_is_explained() {
    let dir = only_possible();
    write(&dir.path().join("one/own.sql"), OWN);
    write(&dir.path().join("two/own.sql"), &OWN.replace("\"own\"", "\"other\""));
    let mut fingerprints = Vec::new();
    for (folder, check) in [("one", "own"), ("two", "other")] {
        let report = report(dir.path(), &["--checks", folder]);
        let finding = report["findings"].as_array().unwrap().iter().find(|f| f["check"] == check).unwrap().clone();
        fingerprints.push(finding["fingerprint"].as_str().unwrap().to_owned());
    }
    assert_eq!(names(&dir.path().join("store/runs")).len(), 2);
    for fingerprint in &fingerprints {
        exits(dir.path(), &["explain", fingerprint], 0);
    }
}

#[test]
fn rule_11_14_none_is_a_threshold() {
    let dir = copy_of("checks/stale-key/fires");
    exits(dir.path(), &["audit", "--fail-on", "none"], 0);
    exits(dir.path(), &["audit"], 1);
    let path = dir.path().join("holdover.toml");
    let config = fs::read_to_string(&path).unwrap();
    write(&path, &format!("{config}\n[gate]\nfail_on = \"none\"\n"));
    exits(dir.path(), &["audit"], 0);
    exits(dir.path(), &["audit", "--fail-on", "medium"], 1);
}

#[test]
fn rule_11_1_where_the_instant_is_given_makes_no_other_run() {
    let dir = only_possible();
    exits(dir.path(), &["audit"], 0);
    exits(dir.path(), &["audit", "--as-of", "2026-11-22T06:00:00Z"], 0);
    let runs = dir.path().join("store/runs");
    assert_eq!(names(&runs).len(), 1);
    // An instant that nobody gave leaves freshness open, so it makes another one.
    let path = dir.path().join("holdover.toml");
    let config = fs::read_to_string(&path).unwrap();
    write(&path, &config.replace("as_of = \"2026-11-22T06:00:00Z\"\n", ""));
    exits(dir.path(), &["audit", "--as-of", "2026-11-22T00:00:00Z"], 0);
    exits(dir.path(), &["audit"], 0);
    assert_eq!(names(&runs).len(), 3);
}

#[test]
fn rule_11_5_the_day_of_an_export_is_local_to_its_zone() {
    let dir = only_possible();
    let import = |taken_at: &str, zone: &[&str], code: i32| {
        let mut args = vec!["import", "--store", "s", "--connector", "tabular", "--system", "app", "--option", "mapping=accounts"];
        args.extend(["--taken-at", taken_at]);
        args.extend(zone);
        args.push("app.csv");
        exits(dir.path(), &args, code)
    };
    assert!(stdout(&import("2026-11-22", &["--timezone", "Europe/Berlin"], 0)).starts_with("sealed app/20261121T230000Z"));
    assert!(stdout(&import("2026-11-23", &[], 0)).starts_with("sealed app/20261123T000000Z"));
    let text = stderr(&import("22.11.2026", &[], 2));
    assert!(text.contains("`--taken-at`: `22.11.2026` is not a date or an instant"), "{text}");
}

#[test]
fn the_store_is_found_by_the_configuration() {
    let dir = only_possible();
    let path = dir.path().join("holdover.toml");
    write(&path, &fs::read_to_string(&path).unwrap().replace("store = \"store\"", "store = \"kept/here\""));
    exits(dir.path(), &["import"], 0);
    let list = stdout(&exits(dir.path(), &["store", "list"], 0));
    assert!(list.contains("snapshot  app/20261122T000000Z"), "{list}");
    for args in [
        &["store", "verify", "--config", "holdover.toml"][..],
        &["store", "prune", "--dry-run"],
        &["store", "list", "--store", "kept/here"],
    ] {
        exits(dir.path(), args, 0);
    }
    let text = stderr(&exits(dir.path(), &["store", "list", "--store", "elsewhere"], 2));
    assert!(text.contains("not a holdover store"), "{text}");
}

#[test]
fn a_question_about_what_is_not_there_is_a_usage_mistake_with_the_way_out() {
    let dir = only_possible();
    exits(dir.path(), &["import"], 0);
    for args in [
        &["explain", "ab"][..],
        &["query", "SELECT a.login AS l FROM accounts a"],
        &["query", "--run", "no-such-run", "SELECT a.login AS l FROM accounts a"],
        &["query", "--snapshot", "no-such", "SELECT a.login AS l FROM accounts a"],
        &["explain", "--run", "no-such-run", "ab"],
    ] {
        let text = stderr(&exits(dir.path(), args, 2));
        assert!(text.starts_with("error[") && text.contains("help: "), "{args:?}: {text}");
    }
}

#[test]
fn an_import_is_by_hand_or_as_configured_and_never_both() {
    let dir = only_possible();
    let by_hand = ["--connector", "tabular", "--system", "x", "--option", "mapping=accounts", "app.csv"];
    let alone = [
        &["--taken-at", "2026-11-21"][..],
        &["--timezone", "UTC"],
        &["--population", "all"],
        &["--end-is-first-day-out"],
        &["--option", "mapping=accounts"],
        &["--fingerprint-key-file", "key"],
        &["--control-total", "3"],
        &["app.csv"],
        &by_hand,
        &["--config", "holdover.toml", "--control-total", "3"],
        &["--config", "holdover.toml", "--connector", "tabular", "--system", "x"],
    ];
    for args in alone {
        let text = stderr(&exits(dir.path(), &[&["import"], args].concat(), 2));
        let flag = args.iter().find(|a| a.starts_with("--") && **a != "--config").unwrap_or(&"FILE");
        assert!(text.contains(&format!("`{flag}`")) && text.contains("the configuration `holdover.toml` says what to import"), "{text}");
        assert!(text.contains("help: name a store to import by hand: `holdover import --store DIR"), "{text}");
        assert!(!dir.path().join("store").exists(), "{args:?}");
    }
    // A store that is named means by hand, whatever lies in the folder; only `--supersede` fits both.
    exits(dir.path(), &[&["import", "--store", "other", "--taken-at", "2026-11-21"], &by_hand[..]].concat(), 0);
    assert_eq!(names(&dir.path().join("other/snapshots")), ["x"]);
    exits(dir.path(), &["import", "--supersede"], 0);
    assert_eq!(names(&dir.path().join("store/snapshots")), ["app", "hr"]);
    // Without a connector nothing says what the files are.
    for (args, flag) in [(&["app.csv"][..], "FILE"), (&["--taken-at", "2026-11-21"], "--taken-at")] {
        let text = stderr(&exits(dir.path(), &[&["import", "--store", "other"], args].concat(), 2));
        assert!(text.contains(&format!("`{flag}` is given without a connector\n  help: say what reads them")), "{text}");
    }
}

#[test]
fn a_path_in_an_error_is_the_one_that_was_given() {
    let dir = only_possible();
    exits(dir.path(), &["import"], 0);
    let (ask, by_hand) =
        ("SELECT a.login AS l FROM accounts a", ["--connector", "tabular", "--option", "mapping=accounts", "--system", "x"]);
    let hand = |store: &'static str, file: &'static str| {
        let mut args = vec!["import", "--store", store, "--taken-at", "2026-11-21"];
        args.extend(by_hand);
        args.push(file);
        args
    };
    let place = |args: &[&'static str]| args.to_vec();
    for (args, code, shown) in [
        (place(&["audit", "--store", "//nonexist"]), 2, "`/nonexist` is not a holdover store"),
        (place(&["audit", "--store", "no/such//../place/of/a/store/"]), 2, "`no/such/../place/of/a/store` is not a holdover store"),
        (place(&["diff", "app", "--store", "//nonexist"]), 2, "`/nonexist` is not a holdover store"),
        (place(&["explain", "ab", "--store", "//nonexist"]), 2, "`/nonexist` is not a holdover store"),
        (place(&["metrics", "--store", "//nonexist"]), 2, "`/nonexist` is not a holdover store"),
        (place(&["query", ask, "--store", "//nonexist"]), 2, "`/nonexist` is not a holdover store"),
        (place(&["store", "list", "--store", "//nonexist"]), 2, "`/nonexist` is not a holdover store"),
        (place(&["store", "verify", "--store", "./nonexist"]), 2, "`nonexist` is not a holdover store"),
        (place(&["store", "prune", "--store", "/a/b/c/d/e/f"]), 2, "`/a/b/c/d/e/f` is not a holdover store"),
        (place(&["audit", "--config", "//nonexist/h.toml"]), 2, "--> /nonexist/h.toml\n"),
        (place(&["import", "--config", "no/such//h.toml"]), 2, "--> no/such/h.toml\n"),
        (place(&["audit", "--checks", "//nonexist"]), 2, "--> /nonexist\n"),
        (place(&["checks", "list", "--checks", "no//such"]), 2, "--> no/such\n"),
        (place(&["init", "//nonexist/h.toml"]), 2, "`/nonexist/h.toml` cannot be written"),
        (place(&["demo", "app.csv//x"]), 2, "`app.csv/x` cannot be written"),
        (hand("store", "//nonexist/a.csv"), 3, "--> /nonexist/a.csv\n"),
        (hand("store", "no//such.csv"), 3, "--> no/such.csv\n"),
        (hand("app.csv//x", "app.csv"), 4, "`app.csv/x`: Not a directory"),
    ] {
        let text = stderr(&exits(dir.path(), &args, code));
        assert!(text.contains(shown) && !text.contains("//"), "{args:?}: {text}");
        assert!(text.starts_with("error[") && text.contains("\n  help: "), "{args:?}: {text}");
        assert!(!text.contains(&dir.path().display().to_string()), "{args:?}: {text}");
    }
    let key = stderr(&exits(
        dir.path(),
        &[&hand("store", "app.csv")[..11], &["--fingerprint-key-file", "//nonexist.key", "app.csv"]].concat(),
        2,
    ));
    assert!(key.contains("the key file `/nonexist.key` cannot be read"), "{key}");
}

/// Makes the one run of a store look as an earlier version left it: without some tables, which it did not know.
fn without_tables(dir: &TempDir, tables: &[&str]) -> std::path::PathBuf {
    let runs = dir.path().join("store/runs");
    let run = runs.join(&names(&runs)[0]);
    let mut manifest: Value = serde_json::from_slice(&fs::read(run.join("run.json")).unwrap()).unwrap();
    for table in tables {
        fs::remove_file(run.join(format!("{table}.parquet"))).unwrap();
        let files = manifest["files"].as_array_mut().unwrap();
        files.retain(|f| f["name"] != *table);
    }
    fs::write(run.join("run.json"), manifest.to_string()).unwrap();
    run
}

#[test]
fn a_run_of_an_earlier_version_is_explained_with_what_it_has() {
    let dir = copy_of("checks/leaver-access-unremoved/fires");
    let report = report(dir.path(), &[]);
    let finding = report["findings"].as_array().unwrap().iter().find(|f| f["subject"]["native_id"] == "a-gone -> g-team").unwrap();
    let fingerprint = finding["fingerprint"].as_str().unwrap();
    let whole = stdout(&exits(dir.path(), &["explain", fingerprint], 0));
    let run = without_tables(&dir, &["roles_seen", "leaver_reach", "edge_history", "match_trace"]);
    let told = exits(dir.path(), &["explain", fingerprint], 0);
    let (text, err) = (stdout(&told), stderr(&told));
    for table in ["match_trace", "edge_history", "roles_seen", "leaver_reach"] {
        assert!(err.contains(&format!("`{table}`")), "{table}: {err}");
    }
    assert!(err.starts_with("warning: run `") && err.contains("an earlier version of holdover made it\n  help: "), "{err}");
    for part in ["leaver-access-unremoved", "app/memberships.csv", "hr.csv", "1001"] {
        assert!(text.contains(part), "`{part}`:\n{text}");
    }
    assert!(text.len() < whole.len(), "what stands on the trace is left out");
    // A question about a table that is not there is refused: it would be answered with nothing.
    let refused = stderr(&exits(dir.path(), &["query", "SELECT r.role AS role FROM roles_seen r"], 2));
    assert!(refused.contains("has no table `roles_seen`"), "{refused}");
    let asked = exits(dir.path(), &["query", "--format", "csv", "SELECT COUNT(*) AS n FROM findings f"], 0);
    assert!(stdout(&asked).starts_with("n\n") && stderr(&asked).contains("has no table"), "{}", stderr(&asked));
    // One that the run lists and that is gone is damage.
    fs::remove_file(run.join("group_reach.parquet")).unwrap();
    let damaged = stderr(&exits(dir.path(), &["explain", fingerprint], 4));
    assert!(damaged.starts_with("error[store/io]: `store/runs/") && damaged.contains("/group_reach.parquet`: "), "{damaged}");
}

#[test]
fn a_run_or_snapshot_of_a_newer_format_is_refused_by_name() {
    let dir = only_possible();
    exits(dir.path(), &["audit"], 0);
    let run = without_tables(&dir, &[]);
    for (file, all) in [
        (run.join("run.json"), &[&["explain", "ab"][..], &["store", "list"], &["query", "SELECT COUNT(*) AS n FROM findings f"]][..]),
        (
            dir.path().join("store/snapshots/app/20261122T000000Z/manifest.json"),
            &[&["audit", "--no-import"][..], &["audit"], &["import"], &["diff", "app"], &["store", "list"], &["store", "prune"]],
        ),
    ] {
        let old = fs::read(&file).unwrap();
        let mut newer: Value = serde_json::from_slice(&old).unwrap();
        newer["format"] = 99.into();
        newer["a_key_of_later"] = "x".into();
        fs::write(&file, newer.to_string()).unwrap();
        let before = super::files(&dir.path().join("store"));
        for args in all {
            let text = stderr(&exits(dir.path(), args, 4));
            let shown = file.strip_prefix(dir.path()).unwrap().display();
            let want = format!("error[store/newer-format]: `{shown}` has format 99; this version reads up to 1\n  help: ");
            assert!(text.starts_with(&want), "{args:?}: {text}");
        }
        let verified = stdout(&exits(dir.path(), &["store", "verify"], 4));
        assert!(verified.contains(" faults\n") && !verified.contains(", 0 faults"), "{verified}");
        assert_eq!(super::files(&dir.path().join("store")), before, "nothing is written");
        fs::write(&file, old).unwrap();
    }
    exits(dir.path(), &["audit"], 0);
}
