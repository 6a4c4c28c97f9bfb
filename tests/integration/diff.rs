//! `holdover diff`: three exports of one application, and what it says of them.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::{copy_of, exits, stderr, stdout, write};

const CONFIG: &str = r#"
[holdover]
store = "store"
[[source]]
system = "app"
connector = "tabular"
files = "{week}/*.csv"
taken_at = "{week}T00:00:00Z"
timezone = "UTC"
[[source.options.part]]
files = "*accounts.csv"
table = "accounts"
attributes = ["note"]
[source.options.part.columns]
native_id = "id"
login = "login"
generation = "generation"
status = "status"
last_used_at = "used"
[[source.options.part]]
files = "*members.csv"
table = "memberships"
[source.options.part.columns]
account = "account"
group = "group"
expires_at = "until"
"#;

const ACCOUNTS: &str = "id,login,generation,status,used,note\n";
const MEMBERS: &str = "account,group,until\n";
/// Enough that stays, so that one row fewer is no shrunk table.
const CREW: usize = 24;

fn export(dir: &Path, day: &str, accounts: &[&str], members: &[&str]) {
    let crew = |row: &dyn Fn(usize) -> String| (0..CREW).map(|i| row(i) + "\n").collect::<String>();
    let lines = |rows: &[&str]| rows.iter().map(|r| format!("{r}\n")).collect::<String>();
    let accounts = format!("{ACCOUNTS}{}{}", lines(accounts), crew(&|i| format!("c{i:02},crew{i},,active,{day}T00:00:00Z,")));
    let members = format!("{MEMBERS}{}{}", lines(members), crew(&|i| format!("c{i:02},staff,")));
    write(&dir.join(day).join("accounts.csv"), &accounts);
    write(&dir.join(day).join("members.csv"), &members);
}

/// Every kind of change, between the second and the third export.
fn imported() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("holdover.toml"), CONFIG);
    let ann = "a,ann,1,active,2026-11-01T00:00:00Z,";
    export(dir.path(), "2026-11-08", &[ann, "b,bob,1,active,,"], &["a,ops,", "b,ops,"]);
    export(dir.path(), "2026-11-15", &[ann, "b,bob,1,active,,quiet", "d,dee,,active,,"], &["b,ops,", "d,ops,"]);
    let third = ["a,ann,1,disabled,2026-11-20T00:00:00Z,", "b,bob,2,active,,\"loud, \"\"now\"\"\"", "e,=e\u{202e}vil,,active,,"];
    export(dir.path(), "2026-11-22", &third, &["a,ops,", "b,ops,", "e,ops,2026-12-01T00:00:00Z"]);
    exits(dir.path(), &["import"], 0);
    dir
}

#[test]
fn rule_11_7_a_line_for_each_change_and_a_summary() {
    let dir = imported();
    let text = stdout(&exits(dir.path(), &["diff", "app"], 0));
    insta::assert_snapshot!(text, @r#"
    app: 2026-11-15T00:00:00Z to 2026-11-22T00:00:00Z
    changed         account     ann (a): status active → disabled
    recreated       account     bob (b): attributes.note quiet → loud, "now"; generation 1 → 2
    removed         account     dee (d)
    added           account     =e\u{202e}vil (e)
    regranted       membership  ann (a) -> ops
    recreated       membership  bob (b) -> ops
    removed         membership  dee (d) -> ops
    added           membership  =e\u{202e}vil (e) -> ops
    8 differences: 2 added, 2 removed, 1 changed, 2 recreated, 1 regranted
    "#);
    // A store is asked as a configuration is.
    assert_eq!(stdout(&exits(dir.path(), &["diff", "app", "--store", "store"], 0)), text);
}

#[test]
fn csv_holds_every_value() {
    let dir = imported();
    let text = stdout(&exits(dir.path(), &["diff", "app", "--format", "csv", "--kind", "account"], 0));
    assert!(text.lines().count() > 3 && text.split('\n').filter(|l| !l.is_empty()).all(|l| l.ends_with('\r')), "{text}");
    insta::assert_snapshot!(text.replace(['\r', '\u{202e}'], ""), @r###"
    object,change,principal_kind,principal,principal_name,target,target_name,resource,way,granted_at,attributes,details,note
    account,changed,,a,ann,,,,,,status,"{""status"":[""active"",""disabled""]}",
    account,recreated,,b,bob,,,,,,"attributes.note,generation","{""attributes.note"":[""quiet"",""loud, \""now\""""],""generation"":[""1"",""2""]}",
    account,removed,,d,dee,,,,,,,,
    account,added,,e,=evil,,,,,,,,
    "###);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let evil = reader.records().map(Result::unwrap).find(|r| &r[1] == "added").unwrap();
    assert_eq!(&evil[4], "=e\u{202e}vil");
}

#[test]
fn json_names_its_version_and_both_snapshots() {
    let dir = imported();
    let asked = ["diff", "app", "--format", "json", "--from", "2026-11-10T00:00:00Z", "--to", "2026-11-21T00:00:00Z"];
    let page: Value = serde_json::from_str(&stdout(&exits(dir.path(), &asked, 0))).unwrap();
    assert_eq!(page["schema"], "holdover.diff/v1");
    assert_eq!((page["from"]["snapshot"].as_str(), page["to"]["snapshot"].as_str()), (Some("20261108T000000Z"), Some("20261115T000000Z")));
    assert_eq!((page["counts"]["added"].as_u64(), page["counts"]["removed"].as_u64()), (Some(2), Some(1)));
    let changes = page["changes"].as_array().unwrap();
    let of = |change: &str| changes.iter().filter(|c| c["change"] == change).map(|c| c["principal"].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!((of("added"), of("removed"), of("changed")), (vec!["d", "d"], vec!["a"], vec!["b"]));
    let changed = changes.iter().find(|c| c["change"] == "changed").unwrap();
    assert_eq!(changed["attributes"], serde_json::json!([{ "name": "attributes.note", "before": null, "now": "quiet" }]));
}

#[test]
fn only_what_is_asked_for_and_exit_1_only_on_request() {
    let dir = imported();
    let of = |args: &[&str], code| stdout(&exits(dir.path(), &[&["diff", "app"], args].concat(), code));
    let lines = |text: &str| text.lines().count() - 2;
    assert_eq!(lines(&of(&["--only", "added,removed", "--exit-code"], 1)), 4);
    assert_eq!(lines(&of(&["--only", "added", "--kind", "membership"], 0)), 1);
    assert_eq!(of(&["--kind", "grant", "--exit-code"], 0), "app: 2026-11-15T00:00:00Z to 2026-11-22T00:00:00Z\nno difference\n");
    let same = "app: 2026-11-15T00:00:00Z to 2026-11-15T00:00:00Z\nno difference\n";
    assert_eq!(of(&["--from", "2026-11-16T00:00:00Z", "--to", "2026-11-16T00:00:00Z", "--exit-code"], 0), same);
    for (args, says) in [
        (&["diff", "nobody"][..], "there is no system `nobody` in the store"),
        (&["diff", "../app"], "there is no system `../app` in the store"),
        (&["diff", "app", "--to", "2026-11-01T00:00:00Z"], "`app` has no snapshot at or before 2026-11-01T00:00:00Z"),
        (&["diff", "app", "--to", "2026-11-08T00:00:00Z"], "`app` has no snapshot before that of 2026-11-08T00:00:00Z"),
        (&["diff", "app", "--only", "moved"], "it is none of added, removed, changed"),
    ] {
        let text = stderr(&exits(dir.path(), args, 2));
        assert!(text.contains(says), "{args:?}: {text}");
    }
}

#[test]
fn rule_11_4_a_short_snapshot_neither_takes_away_nor_gives() {
    let dir = copy_of("checks/regrant/quiet");
    exits(dir.path(), &["import"], 3);
    // The export of the 8th is short, and lacks `a-ann -> g-ops`.
    let short = stdout(&exits(dir.path(), &["diff", "app", "--to", "2026-11-08T00:00:00Z", "--kind", "membership"], 0));
    insta::assert_snapshot!(short, @r"
    app: 2026-11-01T00:00:00Z to 2026-11-08T00:00:00Z
    not_comparable  membership  the snapshot of 2026-11-08T00:00:00Z is short: 2 of the older one are not in it, and may be there all the same
    1 difference: 1 not comparable
    ");
    let after = stdout(&exits(dir.path(), &["diff", "app", "--to", "2026-11-15T00:00:00Z", "--kind", "membership"], 0));
    insta::assert_snapshot!(after, @r"
    app: 2026-11-08T00:00:00Z to 2026-11-15T00:00:00Z
    not_comparable  membership  the snapshot of 2026-11-08T00:00:00Z is short: 2 of the newer one are not in it, and may have been there before
    changed         membership  ann (a-ann) -> Root (g-root): granted_at 2026-02-01T00:00:00Z → 2026-11-10T00:00:00Z
    removed         membership  bob (a-bob) -> Operators (g-ops)
    removed         membership  cid (a-cid) -> Elevated (g-jit) (dynamic)
    removed         membership  cid (a-cid) -> Domain Users (g-own) (primary)
    removed         membership  gil (a-gil) -> Operators (g-ops)
    removed         membership  sys (a-sys) -> Operators (g-ops)
    7 differences: 5 removed, 1 changed, 1 not comparable
    ");
}
