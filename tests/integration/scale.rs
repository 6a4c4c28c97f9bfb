//! Large, odd and broken stores: row groups of any size, one account with very many edges, groups in a huge ring or a deep chain, tables that
//! turn out damaged halfway, a process that is killed, a disk that is full.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use arrow::compute::concat_batches;
use holdover::store::table_file::{digest, promised};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde_json::Value;
use tempfile::TempDir;

use super::{command, exits, files, names, stderr, stdout, write};

const AUDIT: [&str; 5] = ["audit", "--as-of", "2026-11-22T06:00:00Z", "--format", "csv"];
/// The tables of a snapshot that are read as they are asked for.
const LARGE: [&str; 5] = ["accounts", "memberships", "grants", "credentials", "row_origins"];

/// The configuration of an application with a people list, week by week.
const CONFIG: &str = r#"
[holdover]
store = "store"
[[source]]
system = "hr"
connector = "tabular"
files = "hr/{week}.csv"
taken_at = "{week}T00:00:00Z"
population = "all"
timezone = "UTC"
[source.options]
mapping = "hr"
[[source]]
system = "app"
connector = "tabular"
files = "app/{week}/*.csv"
taken_at = "{week}T00:00:00Z"
timezone = "UTC"
[[source.options.part]]
files = "*accounts.csv"
mapping = "accounts"
[[source.options.part]]
files = "*members.csv"
table = "memberships"
columns = { account = "account", member_group = "inner", group = "group" }
[[source.options.part]]
files = "*grants.csv"
table = "grants"
columns = { account = "account", group = "holder", entitlement = "right", entitlement_level = "level", resource = "on" }
[[source.options.part]]
files = "*keys.csv"
table = "credentials"
columns = { native_id = "id", account = "account", kind = "kind", status = "status", created_at = "created", last_used_at = "used" }
"#;

/// Two weeks of a company with faults of several kinds.
fn company(people: usize) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("holdover.toml"), CONFIG);
    for (week, day) in ["2026-11-15", "2026-11-22"].into_iter().enumerate() {
        let mut text = "Employee Number,Name,Status,Start Date,Last Day\n".to_owned();
        for i in 0..people {
            let (status, end) = if i % 7 == week { ("left", "2026-10-01") } else { ("active", "") };
            writeln!(text, "{i},Person {i},{status},2019-01-01,{end}").unwrap();
        }
        write(&dir.path().join(format!("hr/{day}.csv")), &text);
        let app = dir.path().join("app").join(day);
        let (mut accounts, mut members, mut grants, mut keys) = (
            "ID,Login,Employee Number,Status,Created,Last Login\n".to_owned(),
            "account,inner,group\n,g1,g0\n,g2,g1\n".to_owned(),
            "account,holder,right,level,on\n,g0,everything,admin,\n".to_owned(),
            "id,account,kind,status,created,used\n".to_owned(),
        );
        for i in 0..people {
            let owner = if i % 11 == 3 { String::new() } else { i.to_string() };
            writeln!(accounts, "u{i:05},login{i},{owner},active,2020-01-01T00:00:00Z,2026-0{}-01T00:00:00Z", i % 9 + 1).unwrap();
            for group in (0..3).filter(|g| (i + g + week) % 3 > 0) {
                writeln!(members, "u{i:05},,g{group}").unwrap();
            }
            writeln!(grants, "u{i:05},,right{},{},", i % 5, ["read", "write", "admin"][i % 3]).unwrap();
            writeln!(keys, "k{i:05},u{i:05},access_key,active,202{}-01-01T00:00:00Z,2026-01-01T00:00:00Z", i % 6).unwrap();
        }
        for (name, text) in [("accounts", accounts), ("members", members), ("grants", grants), ("keys", keys)] {
            write(&app.join(format!("{name}.csv")), &text);
        }
    }
    dir
}

/// The newest week alone, so that nothing has shrunk since the one before.
fn one_week() -> TempDir {
    let dir = company(20);
    fs::remove_file(dir.path().join("hr/2026-11-15.csv")).unwrap();
    fs::remove_dir_all(dir.path().join("app/2026-11-15")).unwrap();
    dir
}

/// A company whose exports are sealed, and whose first week is audited.
fn sealed(people: usize) -> TempDir {
    let dir = company(people);
    exits(dir.path(), &["import"], 0);
    exits(dir.path(), &["audit", "--as-of", "2026-11-15T06:00:00Z", "--format", "csv"], 1);
    dir
}

fn snapshot(dir: &Path, table: &str) -> PathBuf {
    dir.join("store/snapshots/app/20261122T000000Z").join(format!("{table}.parquet"))
}

fn runs(dir: &Path) -> Vec<String> {
    names(&dir.join("store/runs"))
}

/// Every file of the newest run by name, without what says how a snapshot lies on disk.
fn outcome(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let newest = dir.join("store/runs").join(runs(dir).pop().unwrap());
    let all = files(&newest).into_iter().map(|f| (f.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&f).unwrap()));
    all.filter(|(name, _)| name != "run.json").collect()
}

fn assert_same(one: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>, what: &str) {
    let differ: Vec<&String> = one.keys().chain(other.keys()).filter(|k| one.get(*k) != other.get(*k)).collect();
    assert!(one.len() > 20 && differ.is_empty(), "{what}: {differ:?} of {}", one.len());
}

/// Writes a Parquet file anew with row groups of so many rows.
fn rechunk(path: &Path, rows: usize) -> usize {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let schema = Arc::clone(reader.schema());
    let batches: Vec<_> = reader.build().unwrap().collect::<Result<_, _>>().unwrap();
    let all = concat_batches(&schema, &batches).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap()))
        .set_max_row_group_row_count(Some(usize::MAX))
        .build();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), schema, Some(properties)).unwrap();
    let mut groups = 0;
    for from in (0..all.num_rows()).step_by(rows) {
        writer.write(&all.slice(from, rows.min(all.num_rows() - from))).unwrap();
        writer.flush().unwrap();
        groups += 1;
    }
    writer.close().unwrap();
    groups
}

#[test]
fn the_size_of_row_groups_changes_no_byte_of_a_run() {
    let whole = sealed(400);
    exits(whole.path(), &AUDIT, 1);
    let want = outcome(whole.path());
    for (rows, held) in [(2, "0"), (3, "100000"), (7, "1"), (1_000_000, "0")] {
        let dir = sealed(400);
        let mut groups = BTreeMap::new();
        for file in files(&dir.path().join("store/snapshots")).iter().filter(|f| f.extension().is_some_and(|e| e == "parquet")) {
            groups.insert(file.clone(), rechunk(file, rows));
            restate(file);
        }
        let most = groups.values().max().unwrap();
        assert!(if rows == 2 { *most > 1_000 } else { *most >= 1 }, "{most} row groups");
        exits(dir.path(), &[&AUDIT[..], &["--no-import", "--held-rows", held, "--partition", "13"]].concat(), 1);
        assert_same(&outcome(dir.path()), &want, &format!("row groups of {rows} rows"));
    }
}

#[test]
fn one_account_with_half_a_million_edges_is_one_row_group_and_is_judged_whole() {
    const EDGES: usize = 500_000;
    let dir = one_week();
    let mut grants = "account,holder,right,level,on\n".to_owned();
    for i in 0..EDGES {
        writeln!(grants, "u00004,,everything,write,r{i}").unwrap();
    }
    for i in 0..20 {
        writeln!(grants, "u{i:05},,plain,read,").unwrap();
    }
    write(&dir.path().join("app/2026-11-22/grants.csv"), &grants);
    exits(dir.path(), &["import"], 0);
    let manifest: Value = serde_json::from_slice(&fs::read(snapshot(dir.path(), "x").with_file_name("manifest.json")).unwrap()).unwrap();
    let table = manifest["tables"].as_array().unwrap().iter().find(|t| t["name"] == "grants").unwrap();
    assert_eq!((&table["rows"], &table["row_groups"]), (&(EDGES + 20).into(), &2.into()));
    exits(dir.path(), &AUDIT, 1);
    let ask = "SELECT COUNT(*) AS n, COUNT(DISTINCT g.resource_ix) AS resources FROM grants g WHERE g.account_ix = 4";
    let counted = stdout(&exits(dir.path(), &["query", "--snapshot", "app", "--format", "csv", ask], 0));
    assert_eq!(counted, format!("n,resources\n{},{EDGES}\n", EDGES + 1));
    let default = outcome(dir.path());
    fs::remove_dir_all(dir.path().join("store/runs")).unwrap();
    exits(dir.path(), &[&AUDIT[..], &["--partition", "1", "--held-rows", "0"]].concat(), 1);
    assert_same(&outcome(dir.path()), &default, "one account a part");
}

/// A company whose application is a ring of groups and a chain of groups.
#[test]
fn a_ring_and_a_chain_of_a_hundred_thousand_groups_are_closed() {
    const GROUPS: usize = 100_000;
    let dir = one_week();
    let mut members = "account,inner,group\nu00004,,ring0\nu00005,,chain0\n".to_owned();
    for i in 0..GROUPS {
        writeln!(members, ",ring{i},ring{}", (i + 1) % GROUPS).unwrap();
        if i + 1 < GROUPS {
            writeln!(members, ",chain{i},chain{}", i + 1).unwrap();
        }
    }
    let top = GROUPS - 1;
    let grants = format!("account,holder,right,level,on\n,ring{},all,admin,\n,chain{top},all,admin,\n", GROUPS / 2);
    write(&dir.path().join("app/2026-11-22/members.csv"), &members);
    write(&dir.path().join("app/2026-11-22/grants.csv"), &grants);
    exits(dir.path(), &["import"], 0);
    exits(dir.path(), &AUDIT, 1);
    let ask = |sql: &str| stdout(&exits(dir.path(), &["query", "--format", "csv", sql], 0));
    let reach = "FROM group_reach g WHERE g.level = 'admin' AND g.entitlements = 1 AND g.members = 1";
    assert_eq!(ask(&format!("SELECT COUNT(*) AS n {reach} AND g.cycle IS TRUE AND g.ancestors = '>1000'")), format!("n\n{GROUPS}\n"));
    assert_eq!(ask(&format!("SELECT COUNT(*) AS n {reach} AND g.cycle IS NOT TRUE")), format!("n\n{GROUPS}\n"));
    let of = |columns: &str, account: u32| {
        ask(&format!("SELECT {columns} FROM access a WHERE a.edge = 'membership' AND a.system_ix = 0 AND a.account_ix = {account}"))
    };
    assert_eq!(of("a.target AS held, a.level AS level", 4), "held,level\nring0,admin\n");
    assert_eq!(of("a.target AS held, a.level AS level", 5), "held,level\nchain0,admin\n");
    let path = of("a.path AS path", 5);
    assert!(path.starts_with("path\nchain0 > chain1 > chain2 > ") && path.ends_with(&format!("> chain{top}\n")), "{path}");
    assert!(path.len() < 500, "a long path is shown by its ends: {path}");
}

/// Overwrites bytes in the middle of a file.
fn spoil(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    // The footer says where the row groups lie; what is spoiled is what they hold.
    let footer = bytes.len() - 8 - u32::from_le_bytes(bytes[bytes.len() - 8..][..4].try_into().unwrap()) as usize;
    let (from, to) = (footer / 4, footer - footer / 4);
    bytes[from..to].fill(0xAB);
    fs::write(path, bytes).unwrap();
}

/// Changes one bit, a tenth and so many bytes into a file.
fn flip(path: &Path, more: usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() / 10 + more;
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Has the manifest of a snapshot state what lies there.
fn restate(path: &Path) {
    let place = path.with_file_name("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&place).unwrap()).unwrap();
    let name = path.file_stem().unwrap().to_str().unwrap();
    let entry = manifest["tables"].as_array_mut().unwrap().iter_mut().find(|t| t["name"] == name).unwrap();
    let (bytes, sha256) = digest(path).unwrap();
    (entry["bytes"], entry["sha256"]) = (bytes.into(), sha256.into());
    if let Ok((groups, rows)) = promised(path) {
        (entry["row_groups"], entry["rows"]) = (groups.into(), rows.into());
    }
    fs::write(&place, serde_json::to_string_pretty(&manifest).unwrap()).unwrap();
}

/// A damaged or missing table ends the run by name, whenever it is met, and leaves what was there.
#[test]
fn a_table_that_is_damaged_halfway_ends_the_run_by_name_and_leaves_nothing() {
    let sound = sealed(300);
    exits(sound.path(), &AUDIT, 1);
    let want = outcome(sound.path());
    let dir = sealed(300);
    let first = runs(dir.path());
    for table in LARGE {
        let path = snapshot(dir.path(), table);
        rechunk(&path, 40);
        restate(&path);
    }
    let read = ["--no-import", "--held-rows", "0"];
    for table in LARGE {
        let path = snapshot(dir.path(), table);
        let manifest = path.with_file_name("manifest.json");
        let (before, stated) = (fs::read(&path).unwrap(), fs::read(&manifest).unwrap());
        type Harm = (&'static str, &'static str, fn(&Path));
        let harms: [Harm; 4] = [
            ("io", "No such file", |p| fs::remove_file(p).unwrap()),
            ("damaged", "its digest is ", spoil),
            ("damaged", "its digest is ", |p| flip(p, 0)),
            // Whoever damages a table and its manifest alike is found out where the table is read.
            ("damaged", "", |p| {
                spoil(p);
                restate(p);
            }),
        ];
        for (code, what, harm) in harms {
            harm(&path);
            for more in [&read[..], &[&read[..], &["--partition", "7", "--threads", "1"]].concat(), &["--no-import"]] {
                let text = stderr(&exits(dir.path(), &[&AUDIT[..], more].concat(), 4));
                let shown = format!("`store/snapshots/app/20261122T000000Z/{table}.parquet`");
                assert!(text.starts_with(&format!("error[store/{code}]: {shown}")), "{table} {what} {more:?}: {text}");
                assert!(text.contains(what) && text.contains("\n  help: ") && text.matches("error[").count() == 1, "{text}");
                assert_eq!(runs(dir.path()), first, "{table} {what}");
                assert!(names(&dir.path().join("store/tmp")).is_empty(), "{table} {what}");
            }
            fs::write(&path, &before).unwrap();
            fs::write(&manifest, &stated).unwrap();
        }
        flip(&path, 0);
        let ask = "SELECT COUNT(*) AS n FROM identities i";
        let counted = stdout(&exits(dir.path(), &["query", "--format", "csv", "--snapshot", "hr", ask], 0));
        assert_eq!(counted, "n\n300\n");
        let counted = stdout(&exits(dir.path(), &["metrics", &first[0], "--format", "json"], 0));
        assert!(counted.contains("holdover.metrics/v1"), "{counted}");
        flip(&path, 0);
    }
    exits(dir.path(), &[&AUDIT[..], &["--no-import"]].concat(), 1);
    assert_same(&outcome(dir.path()), &want, "the mended store");
}

#[test]
fn an_audit_that_is_killed_at_any_moment_leaves_a_store_that_works_and_the_next_one_gives_the_same_bytes() {
    let sound = sealed(300);
    let began = Instant::now();
    exits(sound.path(), &AUDIT, 1);
    let whole = began.elapsed();
    let want = outcome(sound.path());
    let dir = sealed(300);
    let first = runs(dir.path());
    let mut killed = 0;
    // Nothing here depends on where exactly each of these moments falls.
    for moment in (0..=12u32).map(|i| whole * i / 12) {
        let mut child = command(dir.path(), &AUDIT).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(moment);
        // It may have ended by itself: then there is nothing to kill.
        let _ = child.kill();
        killed += usize::from(child.wait().unwrap().code().is_none());
        exits(dir.path(), &["store", "verify"], 0);
        let now = runs(dir.path());
        assert!(now == first || now.len() == first.len() + 1, "{now:?}");
        if now != first {
            assert_same(&outcome(dir.path()), &want, "a run that was there when its process was killed");
            fs::remove_dir_all(dir.path().join("store/runs").join(now.last().unwrap())).unwrap();
        }
    }
    assert!(killed > 3, "{killed} were killed before their end");
    exits(dir.path(), &AUDIT, 1);
    assert_same(&outcome(dir.path()), &want, "the audit after those that were killed");
    assert!(names(&dir.path().join("store/tmp")).is_empty());
}

#[cfg(unix)]
#[test]
fn a_disk_that_holds_no_more_ends_the_run_by_name_and_leaves_nothing() {
    let sound = sealed(300);
    exits(sound.path(), &AUDIT, 1);
    let want = outcome(sound.path());
    let dir = sealed(300);
    let first = runs(dir.path());
    let largest = want.values().map(Vec::len).max().unwrap();
    for blocks in [0, 1, 8, 32, largest / 1024] {
        // Files may grow to so many blocks of 512 bytes, and what is beyond is refused instead of ending the process.
        let script = format!("ulimit -f {blocks}; trap '' XFSZ; exec \"$0\" \"$@\"");
        let limited = Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_holdover")])
            .args(AUDIT)
            .arg("--no-import")
            .current_dir(dir.path())
            .output()
            .unwrap();
        let text = stderr(&limited);
        assert_eq!(limited.status.code(), Some(4), "{blocks}: {text}");
        assert!(
            text.starts_with("error[store/io]: `store/tmp/run-20261122t060000z-") && text.contains("File too large"),
            "{blocks}: {text}"
        );
        assert!(text.contains("help: check the disk, its free space"), "{text}");
        assert!(limited.stdout.is_empty(), "nothing is reported of a run that is not there");
        assert_eq!(runs(dir.path()), first);
        assert!(names(&dir.path().join("store/tmp")).is_empty(), "the room is free again");
        exits(dir.path(), &["store", "verify"], 0);
        exits(dir.path(), &["store", "list"], 0);
    }
    exits(dir.path(), &AUDIT, 1);
    assert_same(&outcome(dir.path()), &want, "the audit once there is room");
}
