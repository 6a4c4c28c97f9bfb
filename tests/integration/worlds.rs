//! Made-up companies over three weeks, some of their exports short or with bad records: what must hold of the runs whatever is in them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;
use tempfile::TempDir;

use super::{exits, files, names, report, stdout, write};

const WEEKS: [&str; 3] = ["2026-11-08", "2026-11-15", "2026-11-22"];
const PEOPLE: usize = 6;
const ACCOUNTS: usize = 8;
const GROUPS: usize = 3;

/// What stands in the exports of one week.
#[derive(Clone, Debug)]
struct Week {
    /// By person: not listed, left, on leave, active.
    people: Vec<u8>,
    /// By account: not there, disabled, locked, active.
    accounts: Vec<u8>,
    /// By account: the bits of its groups, and one for a grant.
    edges: Vec<u8>,
    /// By account: no key, an old one, a new one, one never used.
    keys: Vec<u8>,
    /// What the export of the application claims and does not hold, and a record that is none.
    short: bool,
    bad: bool,
}

fn week() -> impl Strategy<Value = Week> {
    let of = |n: usize, to: u8| prop::collection::vec(0..to, n);
    let rarely = || prop::bool::weighted(0.25);
    (of(PEOPLE, 4), of(ACCOUNTS, 4), of(ACCOUNTS, 1 << (GROUPS + 1)), of(ACCOUNTS, 4), rarely(), rarely())
        .prop_map(|(people, accounts, edges, keys, short, bad)| Week { people, accounts, edges, keys, short, bad })
}

/// A week and the two after it, each of which changes a few things.
fn weeks() -> impl Strategy<Value = Vec<Week>> {
    let kept = || prop::collection::vec(prop::bool::weighted(0.75), ACCOUNTS);
    let mixed = |last: &Week, next: &Week, kept: &[bool]| {
        let mix = |a: &[u8], b: &[u8]| a.iter().zip(b).zip(kept).map(|((a, b), k)| if *k { *a } else { *b }).collect();
        Week {
            people: mix(&last.people, &next.people),
            accounts: mix(&last.accounts, &next.accounts),
            edges: mix(&last.edges, &next.edges),
            keys: mix(&last.keys, &next.keys),
            ..*next
        }
    };
    (week(), week(), week(), kept(), kept()).prop_map(move |(first, second, third, a, b)| {
        let second = mixed(&first, &second, &a);
        let third = mixed(&second, &third, &b);
        vec![first, second, third]
    })
}

const CONFIG: &str = r#"
[holdover]
store = "store"
max_drop = 0.6
[[source]]
system = "hr"
connector = "tabular"
files = "hr/{week}.csv"
taken_at = "{week}T00:00:00Z"
population = "active-only"
timezone = "UTC"
[source.options]
mapping = "hr"
"#;

/// An application whose files lie in a folder of its name.
fn application(name: &str) -> String {
    format!(
        r#"
[[source]]
system = "{name}"
connector = "tabular"
files = "{name}/{{week}}/*.csv"
taken_at = "{{week}}T00:00:00Z"
timezone = "UTC"
max_rejects = 1000
[[source.options.part]]
files = "*accounts.csv"
mapping = "accounts"
never = ["never"]
[[source.options.part]]
files = "*members.csv"
table = "memberships"
columns = {{ account = "account", group = "group" }}
[[source.options.part]]
files = "*grants.csv"
table = "grants"
columns = {{ account = "account", entitlement = "right", entitlement_level = "level" }}
[[source.options.part]]
files = "*keys.csv"
table = "credentials"
never = ["never"]
columns = {{ native_id = "id", account = "account", kind = "kind", status = "status", created_at = "created", last_used_at = "used" }}
"#
    )
}

fn file(path: &Path, header: &str, rows: impl IntoIterator<Item = String>) {
    let rows: String = rows.into_iter().map(|r| r + "\n").collect();
    write(path, &format!("{header}\n{rows}"));
}

fn export(dir: &Path, app: &str, day: &str, w: &Week, number: impl Fn(usize) -> String) {
    let at = |name: &str| dir.join(app).join(day).join(name);
    let there: Vec<usize> = (0..ACCOUNTS).filter(|a| w.accounts[*a] > 0).collect();
    let status = ["", "disabled", "locked", "active"];
    let used = ["never", "2026-11-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-11-05T00:00:00Z"];
    let accounts = there.iter().map(|a| {
        let (status, used) = (status[usize::from(w.accounts[*a])], used[usize::from(w.keys[*a])]);
        format!("{app}-u{a},{app}{a},{},{status},2020-01-01T00:00:00Z,{used}", number(*a))
    });
    let bad = w.bad.then(|| format!("{app}-bad,bad,,no such word,yesterday,"));
    file(&at("accounts.csv"), "ID,Login,Employee Number,Status,Created,Last Login", accounts.chain(bad));
    let held = |bit: usize| there.iter().filter(move |a| w.edges[**a] & (1 << bit) != 0);
    let members = (0..GROUPS).flat_map(|g| held(g).map(move |a| format!("{app}-u{a},g{g}")));
    file(&at("members.csv"), "account,group", members);
    file(&at("grants.csv"), "account,right,level", held(GROUPS).map(|a| format!("{app}-u{a},all,admin")));
    let keys = there.iter().filter(|a| w.keys[**a] > 0).map(|a| {
        let (born, used) =
            [("", ""), ("2023-01-01", "2026-11-01T00:00:00Z"), ("2026-11-01", "2026-11-02T00:00:00Z"), ("2025-01-01", "never")]
                [usize::from(w.keys[*a])];
        format!("{app}-k{a},{app}-u{a},access_key,active,{born}T00:00:00Z,{used}")
    });
    file(&at("keys.csv"), "id,account,kind,status,created,used", keys);
    if w.short {
        write(&at("members.csv.source.toml"), "control_total = 1000\n");
    }
}

fn people(dir: &Path, day: &str, w: &Week) {
    let status = ["", "left", "on leave", "active"];
    let row = |p: usize| {
        let end = if w.people[p] == 1 { "2026-10-31" } else { "" };
        format!("{p},Person {p},{},2019-01-01,{end}", status[usize::from(w.people[p])])
    };
    let listed = (0..PEOPLE).filter(|p| w.people[*p] > 0).map(row);
    // People who stay and have no account, so that who leaves is no shrunk list.
    let rest = (0..8).map(|i| format!("9{i},Other {i},active,2019-01-01,"));
    file(&dir.join("hr").join(format!("{day}.csv")), "Employee Number,Name,Status,Start Date,Last Day", listed.chain(rest));
}

fn company(weeks: &[Week]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("holdover.toml"), &format!("{CONFIG}{}", application("app")));
    for (day, w) in WEEKS.iter().zip(weeks) {
        people(dir.path(), day, w);
        export(dir.path(), "app", day, w, |a| a.to_string());
    }
    dir
}

/// Every finding that the newest run knows: its state and its system, by check and fingerprint.
fn known(dir: &Path) -> BTreeMap<(String, String), (String, String)> {
    let asked = "SELECT f.check_id AS c, f.fingerprint AS f, f.state AS s, f.system AS y FROM findings f";
    let rows: Vec<BTreeMap<String, String>> = serde_json::from_str(&stdout(&exits(dir, &["query", asked, "--format", "json"], 0))).unwrap();
    let count = rows.len();
    let all: BTreeMap<_, _> = rows.into_iter().map(|r| ((r["c"].clone(), r["f"].clone()), (r["s"].clone(), r["y"].clone()))).collect();
    assert_eq!(all.len(), count, "a finding twice");
    all
}

/// Whether a system's snapshot is complete, by system.
fn complete(report: &Value) -> BTreeMap<String, bool> {
    let sources = report["sources"].as_array().unwrap();
    sources.iter().map(|s| (s["system"].as_str().unwrap().to_owned(), s["complete"] == "yes" || s["complete"] == true)).collect()
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 30, ..ProptestConfig::default() }
}

#[test]
fn rule_11_4_no_finding_is_lost_between_two_runs() {
    let met: RefCell<BTreeSet<String>> = RefCell::default();
    let run = |weeks: Vec<Week>| {
        met.borrow_mut().extend(three_runs(&weeks)?);
        Ok(())
    };
    // The same worlds every time, so that each state is met.
    let dice = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(cases(8), dice).run(&weeks(), run).unwrap_or_else(|e| panic!("{e}"));
    // A world in which nothing was ever mended or doubted would show nothing.
    for state in ["new", "open", "resolved", "unverified"] {
        assert!(met.borrow().contains(state), "no finding was ever {state}");
    }
}

/// Audits week after week and compares what each run knows with what the one before knew. The states that it met.
fn three_runs(weeks: &[Week]) -> Result<BTreeSet<String>, TestCaseError> {
    let dir = company(weeks);
    let mut met = BTreeSet::new();
    let mut before: BTreeMap<(String, String), (String, String)> = BTreeMap::new();
    for day in WEEKS {
        let said = report(dir.path(), &["--as-of", &format!("{day}T06:00:00Z")]);
        let whole = complete(&said);
        let now = known(dir.path());
        for (key, (state, system)) in &before {
            let Some((then, _)) = now.get(key) else {
                return Err(TestCaseError::fail(format!("{key:?} of {system}, {state}, is lost")));
            };
            let may: &[&str] =
                if state == "resolved" { &["resolved", "reopened"] } else { &["open", "excepted", "resolved", "unverified"] };
            prop_assert!(may.contains(&then.as_str()), "{key:?}: {state} became {then}");
            // What a short export does not show is not mended.
            let short = whole.get(system) == Some(&false) && key.0 != "source-incomplete";
            prop_assert!(!(short && then == "resolved" && state != "resolved"), "{key:?}: {state} became {then}, and {system} is short");
            prop_assert!(!(whole.values().all(|w| *w) && then == "unverified"), "{key:?} is unverified, and all is complete");
        }
        for (key, (state, _)) in now.iter().filter(|(key, _)| !before.contains_key(*key)) {
            prop_assert!(["new", "excepted"].contains(&state.as_str()), "{key:?} is {state} at its first sight");
        }
        met.extend(now.values().map(|(state, _)| state.clone()));
        before = now;
    }
    Ok(met)
}

proptest! {
    #![proptest_config(cases(5))]

    #[test]
    fn a_system_that_has_nothing_to_do_with_another_changes_none_of_its_findings(weeks in weeks()) {
        let (alone, beside) = (company(&weeks), company(&weeks));
        let path = beside.path().join("holdover.toml");
        write(&path, &(fs::read_to_string(&path).unwrap() + &application("aaa")));
        for (day, w) in WEEKS.iter().zip(&weeks) {
            // First in every order, whole, and nobody's.
            export(beside.path(), "aaa", day, &Week { short: false, bad: false, ..w.clone() }, |_| String::new());
        }
        let found = |dir: &TempDir| {
            let mut out = Vec::new();
            for day in WEEKS {
                let said = report(dir.path(), &["--as-of", &format!("{day}T06:00:00Z")]);
                out.extend(said["findings"].as_array().unwrap().iter().filter(|f| f["system"] != "aaa").cloned());
            }
            out.sort_by_key(ToString::to_string);
            out
        };
        let (a, b) = (found(&alone), found(&beside));
        prop_assert_eq!(a, b);
    }

    #[test]
    fn the_order_of_rows_and_files_changes_no_byte_but_where_rows_stood(weeks in weeks()) {
        let (straight, turned) = (company(&weeks), company(&weeks));
        for file in files(turned.path()).into_iter().filter(|f| f.extension().is_some_and(|e| e == "csv")) {
            let text = fs::read_to_string(&file).unwrap();
            let mut lines: Vec<&str> = text.lines().collect();
            lines[1..].reverse();
            write(&file, &(lines.join("\n") + "\n"));
        }
        let tables = |dir: &TempDir| -> BTreeMap<String, Vec<u8>> {
            exits_any(dir.path(), &["audit", "--as-of", "2026-11-22T06:00:00Z"]);
            // A run is named by the digest of its inputs, lines included.
            let runs = names(&dir.path().join("store/runs"));
            let place = |f: &Path| f.strip_prefix(dir.path()).unwrap().display().to_string().replace(&runs[0], "RUN");
            let held = |name: &str| name.ends_with(".parquet") && !["row_origins.parquet", "rejects.parquet", "findings.parquet"].iter().any(|t| name.ends_with(t));
            files(&dir.path().join("store")).iter().map(|f| (place(f), fs::read(f).unwrap())).filter(|(n, _)| held(n)).collect()
        };
        let (a, b) = (tables(&straight), tables(&turned));
        let differ: BTreeSet<&String> = a.keys().chain(b.keys()).filter(|k| a.get(*k) != b.get(*k)).collect();
        prop_assert!(differ.is_empty() && a.len() > 60, "{} tables, {differ:?}", a.len());
    }

    #[test]
    fn the_order_in_which_files_are_named_changes_no_byte(weeks in weeks()) {
        let dir = company(&weeks);
        let config = fs::read_to_string(dir.path().join("holdover.toml")).unwrap();
        let sealed = |store: &str, turned: bool| {
            // The same files in a list that names them one by one, from either end.
            let mut listed: Vec<String> =
                ["accounts", "grants", "keys", "members"].map(|n| format!("\"app/2026-11-22/{n}.csv\"")).to_vec();
            if turned {
                listed.reverse();
            }
            let text = config.replace("store = \"store\"", &format!("store = \"{store}\""))
                .replace("files = \"app/{week}/*.csv\"\ntaken_at = \"{week}T00:00:00Z\"", &format!("files = [{}]\ntaken_at = \"2026-11-22T00:00:00Z\"", listed.join(", ")));
            write(&dir.path().join(format!("{store}.toml")), &text);
            exits_any(dir.path(), &["import", "--config", &format!("{store}.toml")]);
            let root = dir.path().join(store);
            files(&root.join("snapshots")).iter().map(|f| (f.strip_prefix(&root).unwrap().to_path_buf(), fs::read(f).unwrap())).collect::<BTreeMap<_, _>>()
        };
        let (a, b) = (sealed("one", false), sealed("two", true));
        prop_assert!(a.keys().any(|k| k.ends_with("app/20261122T000000Z/manifest.json")));
        let differ: Vec<_> = a.keys().chain(b.keys()).filter(|k| a.get(*k) != b.get(*k)).collect();
        prop_assert!(differ.is_empty(), "{differ:?}");
    }
}

/// Runs the program to an end that is no mistake: 0, 1 or 3.
fn exits_any(dir: &Path, args: &[&str]) {
    let output = super::run(dir, args);
    assert!(matches!(output.status.code(), Some(0 | 1 | 3)), "{args:?}: {}", super::stderr(&output));
}
