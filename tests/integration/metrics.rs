//! Metrics over a store with a history: what is read of earlier snapshots, runs and logs.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use super::{exits, report, stdout, write};

const WEEKS: [&str; 4] = ["2026-11-01", "2026-11-08", "2026-11-15", "2026-11-22"];

/// Twenty people with an account and a key each, of whom three leave: the account of the first is deleted, that of the second disabled,
/// that of the third stays.
fn company() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let source = |system: &str, files: &str, keys: &str, options: &str| {
        format!(
            "[[source]]\nsystem = \"{system}\"\nconnector = \"tabular\"\nfiles = \"{{week}}/{files}\"\ntaken_at = \"{{week}}\"\ntimezone = \"UTC\"\n{keys}\n{options}\n"
        )
    };
    let part = |files: &str, mapping: &str| format!("[[source.options.part]]\nfiles = \"{files}\"\n{mapping}\n");
    let keys = "table = \"credentials\"\n[source.options.part.columns]\nnative_id = \"id\"\naccount = \"account\"\nkind = \"kind\"\n\
        status = \"status\"\ncreated_at = \"created\"";
    let parts =
        [part("*accounts.csv", "mapping = \"accounts\""), part("*log.csv", "mapping = \"events\""), part("*keys.csv", keys)].concat();
    let config = [
        "[holdover]\nstore = \"store\"\n[metrics]\nrevoke_sla = \"36h\"\n".to_owned(),
        source("hr", "hr.csv", "population = \"all\"", "[source.options]\nmapping = \"hr\""),
        source("app", "app-*.csv", "", &parts),
        source("desk", "requests.csv", "", "[source.options]\nmapping = \"requests\""),
        source("flow", "flow.csv", "", "[source.options]\nmapping = \"workflow\""),
    ];
    write(&dir.path().join("holdover.toml"), &config.concat());
    for week in WEEKS {
        write(&dir.path().join(week).join("hr.csv"), &people());
        write(&dir.path().join(week).join("app-accounts.csv"), &accounts(week));
        write(&dir.path().join(week).join("app-keys.csv"), &keys_of(week));
        write(&dir.path().join(week).join("app-log.csv"), &log(week));
        write(&dir.path().join(week).join("requests.csv"), REQUESTS);
        let flow =
            "id,system,action,rule,mode,outcome,retries\nw1,app,revoke,leaver,automatic,success,1\nw2,app,revoke,leaver,manual,failure,0\n";
        write(&dir.path().join(week).join("flow.csv"), flow);
    }
    dir
}

/// One is met a day after the decision; one is for a right that no export knows, one for a system that there is not.
const REQUESTS: &str = "request,action,beneficiary,system,entitlement,decision,decided at\n\
    R1,grant,4,App,,approved,2019-12-31T00:00:00Z\n\
    R2,grant,5,app,admins,approved,2026-10-01T00:00:00Z\n\
    R3,grant,5,wiki,,approved,2026-10-01T00:00:00Z\n\
    R4,revoke,5,app,,approved,2026-10-01T00:00:00Z\n\
    R5,grant,5,app,,rejected,2026-10-01T00:00:00Z\n";

fn people() -> String {
    let mut text = "Employee Number,Name,Status,Start Date,Last Day\n".to_owned();
    for i in 1..=20 {
        let rest = match i {
            1 => "left,2020-01-01,2026-11-02",
            2 => "left,2020-01-01,2026-11-09",
            3 => "left,2020-01-01,2026-11-11",
            _ => "active,2020-01-01,",
        };
        text.push_str(&format!("{i},Given{i} Family{i},{rest}\n"));
    }
    text
}

fn here(week: &str) -> impl Iterator<Item = u32> {
    let deleted = week > "2026-11-08";
    (1..=20).filter(move |i| !(deleted && *i == 1))
}

fn accounts(week: &str) -> String {
    let mut text = "ID,Login,Account Type,Employee Number,Status,Created,Last Login\n".to_owned();
    for i in here(week) {
        let status = if i == 2 && week > "2026-11-08" { "disabled" } else { "active" };
        text.push_str(&format!("u{i},user{i},user,{i},{status},2020-01-01T00:00:00Z,2026-09-14T00:00:00Z\n"));
    }
    text
}

fn keys_of(week: &str) -> String {
    let rows: String = here(week).map(|i| format!("k{i},u{i},access_key,active,2026-0{}-01T00:00:00Z\n", 1 + i % 9)).collect();
    format!("id,account,kind,status,created\n{rows}")
}

fn log(week: &str) -> String {
    let cut = if week == "2026-11-15" { "e2,2026-11-10T06:00:00Z,disable,u2,success\n" } else { "" };
    format!("id,time,action,account,outcome\ne0,{week}T00:00:00Z,login,u4,success\ne1,{week}T00:00:00Z,disable,u1,failure\n{cut}")
}

fn metric<'a>(report: &'a Value, id: &str) -> &'a Value {
    report["metrics"]["list"].as_array().unwrap().iter().find(|m| m["id"] == id).unwrap()
}

fn value(report: &Value, id: &str, name: &str) -> String {
    let values = metric(report, id)["values"].as_array().unwrap();
    let one = values.iter().find(|v| v["name"] == name).unwrap_or_else(|| panic!("{id} has no {name}: {values:#?}"));
    one["value"]["text"].as_str().unwrap().to_owned()
}

#[test]
fn time_to_revoke_reads_earlier_snapshots_deleted_accounts_and_the_log() {
    let dir = company();
    let report = report(dir.path(), &["--as-of", "2026-11-22T06:00:00Z"]);
    let of = |name: &str| value(&report, "time-to-revoke", name);
    // u1: the end of 2 November to (8, 15] November; u2: 10 November to 06:00 by the log; u3: open since 12 November.
    assert_eq!([of("cases"), of("closed"), of("open"), of("in the estimate")], ["3", "2", "1", "3"]);
    assert_eq!(of("seen to close within 36 h"), "1 of 3, 33.3 %");
    assert_eq!(of("estimated share closed within 36 h"), "33.3 %");
    assert_eq!((of("estimated median"), of("oldest open case")), ("10.00 to 12.00 days".into(), "10.00 days".into()));
    let points: Vec<(f64, f64, f64)> = report["metrics"]["revocation_curves"][0]["points"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (p["days"].as_f64().unwrap(), p["low"].as_f64().unwrap(), p["high"].as_f64().unwrap()))
        .collect();
    assert_eq!(points, [(0.0, 1.0, 1.0), (0.25, 0.666667, 0.666667), (10.0, 0.0, 0.666667), (12.0, 0.0, 0.0)]);

    assert_eq!(value(&report, "revocation-completeness", "out of every system"), "2 of 3, 66.7 %");
    let listed = &metric(&report, "revocation-completeness")["breakdowns"][0]["lines"];
    assert_eq!((listed.as_array().unwrap().len(), listed[0]["key"].as_str()), (1, Some("Given3 Family3 (3)")));
    assert_eq!(value(&report, "ghost-accounts", "ghosts"), "1");
}

#[test]
fn the_deadline_of_the_configuration_counts_and_makes_another_run() {
    let dir = company();
    let first = report(dir.path(), &["--as-of", "2026-11-22T06:00:00Z"]);
    let config = dir.path().join("holdover.toml");
    let text = fs::read_to_string(&config).unwrap().replace("\"36h\"", "\"4h\"");
    fs::write(&config, text).unwrap();
    let second = report(dir.path(), &["--as-of", "2026-11-22T06:00:00Z"]);
    assert_eq!(value(&second, "time-to-revoke", "seen to close within 4 h"), "0 of 3, 0.0 %");
    assert_ne!(first["run"], second["run"]);
}

#[test]
fn before_anybody_was_looked_at_again_nothing_is_measured_and_the_reason_is_said() {
    let dir = company();
    let report = report(dir.path(), &["--as-of", "2026-11-01T06:00:00Z"]);
    let metric = metric(&report, "time-to-revoke");
    assert_eq!((metric["values"].as_array().unwrap().len(), metric["not_measurable"].is_string()), (0, true));
    assert_eq!(self::metric(&report, "exception-volume")["not_measurable"], "no source covers exceptions");
}

#[test]
fn the_workflow_log_and_key_ages_are_measured() {
    let dir = company();
    let report = report(dir.path(), &["--as-of", "2026-11-22T06:00:00Z"]);
    assert_eq!(value(&report, "failed-workflows", "failed"), "1 of 2, 50.0 %");
    assert_eq!(value(&report, "failed-workflows", "decided by a person"), "1 of 2, 50.0 %");
    assert_eq!(value(&report, "failed-workflows", "succeeded after a retry"), "1 of 1, 100.0 %");
    assert_eq!((value(&report, "key-age", "keys"), value(&report, "key-age", "oldest")), ("19".into(), "325.00 days".into()));
}

#[test]
fn requests_are_met_by_accounts_and_judged_only_where_their_words_are_known() {
    let dir = company();
    let report = report(dir.path(), &["--as-of", "2026-11-22T06:00:00Z"]);
    let of = |name: &str| value(&report, "time-to-provision-request", name);
    assert_eq!([of("cases"), of("not matched, apart"), of("in the estimate")], ["3", "2", "1"]);
    assert_eq!((of("estimated median"), of("still waiting")), ("1.00 days".into(), "0".into()));
    assert_eq!(metric(&report, "time-to-provision")["not_measurable"], "nobody joined in that time");
}

#[test]
fn the_trend_holds_every_stored_run_and_its_counts() {
    let dir = company();
    for week in WEEKS {
        report(dir.path(), &["--as-of", &format!("{week}T06:00:00Z")]);
    }
    let last = report(dir.path(), &["--as-of", "2026-11-22T06:00:00Z"]);
    let trend = last["metrics"]["trend"].as_array().unwrap();
    assert_eq!(trend.iter().map(|t| t["as_of"].as_str().unwrap().get(..10).unwrap()).collect::<Vec<_>>(), WEEKS);
    for point in trend {
        let run = point["run"].as_str().unwrap();
        let summary = fs::read(dir.path().join("store/runs").join(run).join("summary.json")).unwrap();
        let totals = &serde_json::from_slice::<Value>(&summary).unwrap()["totals"];
        assert_eq!((&point["certain"], &point["new"]), (&totals["certain"], &totals["states"]["new"]));
        assert_eq!(point["resolved"], totals["states"]["resolved"]);
    }
    assert!(trend.iter().any(|t| t["resolved"].as_u64().unwrap() > 0), "{trend:#?}");
}

#[test]
fn metrics_prints_every_metric_with_its_definition() {
    let dir = company();
    let made = report(dir.path(), &["--as-of", "2026-11-22T06:00:00Z"]);
    let printed = stdout(&exits(dir.path(), &["metrics"], 0));
    for metric in made["metrics"]["list"].as_array().unwrap() {
        assert!(printed.contains(&format!("({}, in {})", metric["id"].as_str().unwrap(), metric["unit"].as_str().unwrap())));
    }
    assert!(printed.lines().all(|l| l.chars().count() <= 80), "{printed}");
    let json: Value = serde_json::from_slice(&exits(dir.path(), &["metrics", "--format", "json"], 0).stdout).unwrap();
    assert_eq!((&json["metrics"], &json["schema"]), (&made["metrics"], &Value::from("holdover.metrics/v1")));
    let one = stdout(&exits(dir.path(), &["metrics", made["run"].as_str().unwrap(), "--only", "key-age"], 0));
    assert!(one.contains("Age of keys") && !one.contains("Time to revoke"), "{one}");
    exits(dir.path(), &["metrics", "--only", "key-ages"], 2);
    exits(dir.path(), &["metrics", "../x"], 2);
}

#[test]
fn the_same_store_gives_the_same_metrics() {
    let bytes = || {
        let dir = company();
        let made = report(dir.path(), &["--as-of", "2026-11-22T06:00:00Z"]);
        let run = dir.path().join("store/runs").join(made["run"].as_str().unwrap());
        (fs::read(run.join("metrics.json")).unwrap(), fs::read(run.join("report.html")).unwrap())
    };
    assert!(bytes() == bytes());
}

/// Three people who joined and one who was there, an application that shows rights, and what was asked for them.
fn arrivals() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let part = |files: &str, table: &str, columns: &[&str]| {
        let columns: String = columns.iter().map(|c| format!("{c} = {{ column = \"{c}\", optional = true }}\n")).collect();
        format!("[[source.options.part]]\nfiles = \"{files}\"\ntable = \"{table}\"\n[source.options.part.columns]\n{columns}")
    };
    let source = |system: &str, files: &str, rest: &str| {
        format!(
            "[[source]]\nsystem = \"{system}\"\nconnector = \"tabular\"\nfiles = \"{{week}}/{files}\"\ntaken_at = \"{{week}}\"\ntimezone = \"UTC\"\n{rest}\n"
        )
    };
    let parts = [
        "[[source.options.part]]\nfiles = \"*accounts.csv\"\nmapping = \"accounts\"\n".to_owned(),
        part("*groups.csv", "groups", &["native_id", "name"]),
        part("*members.csv", "memberships", &["account", "group", "granted_at"]),
        part("*rights.csv", "entitlements", &["native_id", "name"]),
        part("*grants.csv", "grants", &["account", "entitlement", "resource", "granted_at"]),
    ];
    let config = [
        "[holdover]\nstore = \"store\"\n".to_owned(),
        source("hr", "hr.csv", "population = \"all\"\n[source.options]\nmapping = \"hr\""),
        source("app", "app-*.csv", &parts.concat()),
        source("desk", "requests.csv", "[source.options]\nmapping = \"requests\""),
    ];
    write(&dir.path().join("holdover.toml"), &config.concat());
    for week in ["2026-11-08", "2026-11-22"] {
        let put = |name: &str, text: &str| write(&dir.path().join(week).join(name), text);
        let second = if week == "2026-11-22" { "u2,user2,user,2,active,,\n" } else { "" };
        put(
            "app-accounts.csv",
            &format!(
                "ID,Login,Account Type,Employee Number,Status,Created,Last Login\n\
                 u1,user1,user,1,active,2026-06-03T00:00:00Z,\n{second}u4,user4,user,4,active,2020-01-01T00:00:00Z,\n"
            ),
        );
        put(
            "hr.csv",
            "Employee Number,Name,Status,Start Date,Last Day\n1,A One,active,2026-06-01,\n2,B Two,active,2026-11-10,\n\
             3,C Three,active,2026-11-10,\n4,D Four,active,2020-01-01,\n",
        );
        put("app-groups.csv", "native_id,name\ng-1,Admins\ng-2,Users\n");
        put("app-members.csv", "account,group,granted_at\nu1,g-1,2026-11-12T00:00:00Z\nu1,g-2,\nu4,g-2,2021-01-01T00:00:00Z\n");
        put("app-rights.csv", "native_id,name\nr-1,Reader\nr-2,Writer\n");
        let of_second = "u2,r-2,a,2026-11-18T00:00:00Z\nu2,r-2,b,2026-11-17T00:00:00Z\n";
        let of_second = if second.is_empty() { "" } else { of_second };
        put("app-grants.csv", &format!("account,entitlement,resource,granted_at\n{of_second}u4,r-1,a,2026-11-19T00:00:00Z\n"));
        put("requests.csv", ASKED);
    }
    dir
}

/// Met after two days; met, nobody knows when; not met; met before the decision; over before anybody looked; asked for somebody without an
/// account; met twice, first after a day; in words that the application does not know.
const ASKED: &str = "request,action,beneficiary,system,entitlement,decision,decided at,valid to\n\
    R1,grant,1,App,ADMINS,approved,2026-11-10T00:00:00Z,\n\
    R2,grant,1,app,g-2,approved,2026-11-15T00:00:00Z,\n\
    R3,grant,1,app,reader,approved,2026-11-20T00:00:00Z,\n\
    R4,grant,4,app,reader,approved,2026-11-20T00:00:00Z,\n\
    R5,grant,1,app,reader,approved,2026-11-10T00:00:00Z,2026-11-15\n\
    R6,grant,3,app,r-1,approved,2026-11-21T00:00:00Z,\n\
    R7,grant,2,app,writer,approved,2026-11-16T00:00:00Z,\n\
    R8,grant,2,app,auditor,approved,2026-11-16T00:00:00Z,\n";

#[test]
fn waits_for_accounts_and_rights_are_told_however_the_tables_are_read() {
    for held in ["0", "100000"] {
        let dir = arrivals();
        let report = report(dir.path(), &["--as-of", "2026-11-22T06:00:00Z", "--held-rows", held]);
        let of = |id: &str, names: &[&str]| names.iter().map(|n| value(&report, id, n)).collect::<Vec<_>>();
        // 2 days; 0 to 12 days, between two looks; at least 12 days.
        let joined = of("time-to-provision", &["cases", "still waiting", "in the estimate", "estimated median"]);
        assert_eq!(joined, ["3", "1", "3", "2.00 days"]);
        let counts = [
            "cases",
            "there before the decision, apart",
            "still waiting",
            "not yet observable, apart",
            "not matched, apart",
            "in the estimate",
        ];
        assert_eq!(of("time-to-provision-request", &counts), ["8", "1", "2", "1", "1", "5"]);
        // R7 after 1 day, R1 after 2, R2 within 7; R6 and R3 for longer than 1 and 2.
        assert_eq!(value(&report, "time-to-provision-request", "estimated median"), "2.00 days");
    }
}
