//! What the benches run over: a seeded people list and one application, imported from CSV in two weeks, and the run over them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use holdover::audit::{Audit, Settings, audit};
use holdover::connectors::Context;
use holdover::ingest::Job;
use holdover::model::{Population, Row, Time};
use holdover::resolve::{AuthorityInput, SystemInput};
use holdover::store::{Provenance, Snapshot, Store, table_file};
use jiff::tz::TimeZone;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

pub const PEOPLE: usize = 2_000;
pub const ACCOUNTS: usize = 20_000;
pub const GROUPS: usize = 400;
pub const MEMBERSHIPS: usize = 100_000;
const ENTITLEMENTS: usize = 200;
pub const GRANTS: usize = 100_000;

pub type Failure = Box<dyn std::error::Error>;

/// A store with two snapshots of each system, and the audit of the newer ones.
pub struct World {
    pub dir: tempfile::TempDir,
    pub store: Store,
    pub audit: Audit,
}

const WEEKS: [&str; 2] = ["2026-11-15T00:00:00Z", "2026-11-22T00:00:00Z"];

impl World {
    pub fn make() -> Result<Self, Failure> {
        let dir = tempfile::tempdir()?;
        let store = Store::open_or_create(&dir.path().join("store"))?;
        let writer = store.writer()?;
        for (number, week) in WEEKS.iter().enumerate() {
            for job in jobs(&dir.path().join(format!("week-{number}")), number, week)? {
                let read = job.read(&store)?;
                job.seal(&store, &writer, read)?;
            }
        }
        drop(writer);
        let checks = holdover::checks::load(None).map_err(|e| format!("{e:?}"))?;
        let settings = Settings { as_of: Some(Time::parse_iso("2026-11-22T06:00:00Z")?), ..Settings::by_hand(checks) };
        let audit = audit(&store, &settings)?;
        Ok(Self { dir, store, audit })
    }

    /// The files of the application as one import reads them.
    pub fn application(&self) -> Result<Job, Failure> {
        let [_, app] = jobs(&self.dir.path().join("again"), 1, WEEKS[1])?;
        Ok(app)
    }

    pub fn snapshots(&self, system: &str) -> Result<Vec<Snapshot>, Failure> {
        Ok(self.store.snapshots(system)?)
    }

    /// The newest snapshot of the application in memory.
    pub fn system(&self) -> Result<SystemInput, Failure> {
        let snapshot = self.newest("app")?;
        let dir = &snapshot.dir;
        Ok(SystemInput {
            system_ix: 0,
            system: "app".to_owned(),
            connector: snapshot.manifest.connector.clone(),
            observed_at: snapshot.manifest.taken_at,
            covers: snapshot.manifest.covers.iter().cloned().collect(),
            accounts: rows(dir)?,
            groups: rows(dir)?,
            memberships: rows(dir)?,
            entitlements: rows(dir)?,
            statements: rows(dir)?,
            grants: rows(dir)?,
            credentials: rows(dir)?,
            resources: rows(dir)?,
        })
    }

    /// The people list in memory.
    pub fn authority(&self) -> Result<AuthorityInput, Failure> {
        let snapshot = self.newest("hr")?;
        Ok(AuthorityInput {
            system_ix: 1,
            system: "hr".to_owned(),
            observed_at: snapshot.manifest.taken_at,
            population: Population::All,
            identities: rows(&snapshot.dir)?,
            employments: rows(&snapshot.dir)?,
            ..AuthorityInput::default()
        })
    }

    fn newest(&self, system: &str) -> Result<Snapshot, Failure> {
        self.snapshots(system)?.pop().ok_or_else(|| format!("`{system}` has no snapshot").into())
    }
}

fn rows<R: Row>(dir: &Path) -> Result<Vec<R>, Failure> {
    Ok(table_file::read(dir)?)
}

/// The people list and the application of one week as imports.
fn jobs(dir: &Path, week: usize, taken_at: &str) -> Result<[Job; 2], Failure> {
    std::fs::create_dir_all(dir)?;
    let taken_at = Time::parse_iso(taken_at)?;
    let mut files = Files { dir, parts: Vec::new(), dice: ChaCha8Rng::seed_from_u64(20_261_122), week };
    files.people()?;
    let hr = files.job("hr", taken_at)?;
    files.application()?;
    let app = files.job("app", taken_at)?;
    Ok([hr, app])
}

/// Writes the tables of one source, each a CSV file whose columns are called as the fields that they fill.
struct Files<'d> {
    dir: &'d Path,
    /// Tables with their fields, and their files.
    parts: Vec<(&'static str, &'static str, PathBuf)>,
    dice: ChaCha8Rng,
    week: usize,
}

impl Files<'_> {
    fn below(&mut self, n: usize) -> usize {
        self.dice.next_u32() as usize % n
    }

    /// Whether something is so in `of` cases out of a thousand. In the second week other rows are drawn than in the first.
    fn seldom(&mut self, of: usize) -> bool {
        self.below(1000) < of
    }

    fn put(&mut self, table: &'static str, fields: &'static str, lines: String) -> Result<(), Failure> {
        let path = self.dir.join(format!("{table}.csv"));
        std::fs::write(&path, format!("{fields}\n{lines}"))?;
        self.parts.push((table, fields, path));
        Ok(())
    }

    fn people(&mut self) -> Result<(), Failure> {
        let mut lines = String::new();
        for i in 0..PEOPLE {
            let (status, end) = if i % 20 == 0 { ("left", "2026-10-31") } else { ("active", "") };
            writeln!(lines, "p{i},person,{i:06},Given{i} Family{},u{i},u{i}@corp.example,{status},2020-01-01,{end}", i / 2)?;
        }
        self.put("identities", "native_id,kind,employee_number,display_name,login,email,status,start_at,end_at", lines)
    }

    fn application(&mut self) -> Result<(), Failure> {
        let mut lines = String::new();
        for i in 0..ACCOUNTS {
            let person = i % (PEOPLE + PEOPLE / 50);
            let status = if self.seldom(50) { "disabled" } else { "active" };
            let used = 1 + self.below(21);
            let changed = if self.week > 0 && self.seldom(10) { "Other" } else { "Given" };
            writeln!(
                lines,
                "a{i:06},human,u{person}-{i},{changed}{person} Family,u{person}@corp.example,{status},2021-03-04,2026-10-{used:02}"
            )?;
        }
        self.put("accounts", "native_id,kind,login,display_name,email,status,created_at,last_used_at", lines)?;
        let lines = (0..GROUPS).map(|i| format!("g{i:04},group {i}\n")).collect();
        self.put("groups", "native_id,name", lines)?;
        let mut lines = String::new();
        for i in 1..GROUPS {
            // A tree with some second parents.
            writeln!(lines, ",g{i:04},g{:04}", i / 3)?;
            if i % 7 == 0 {
                writeln!(lines, ",g{i:04},g{:04}", i / 2)?;
            }
        }
        for i in 0..MEMBERSHIPS {
            let group = self.below(GROUPS);
            if self.week > 0 && self.seldom(10) {
                continue;
            }
            writeln!(lines, "a{:06},,g{group:04}", i % ACCOUNTS)?;
        }
        self.put("memberships", "account,member_group,group", lines)?;
        let level = |i: usize| ["read", "write", "read", "admin"][i % 4];
        let lines = (0..ENTITLEMENTS).map(|i| format!("e{i:04},right {i},{}\n", level(i))).collect();
        self.put("entitlements", "native_id,name,level", lines)?;
        let mut lines = String::new();
        for i in 0..GROUPS {
            writeln!(lines, ",g{i:04},e{:04},2022-01-01,", i % ENTITLEMENTS)?;
        }
        for i in 0..GRANTS {
            let entitlement = self.below(ENTITLEMENTS);
            let expires = if self.seldom(20) { "2026-09-30" } else { "" };
            writeln!(lines, "a{:06},,e{entitlement:04},2024-05-06,{expires}", i % ACCOUNTS)?;
        }
        self.put("grants", "account,group,entitlement,granted_at,expires_at", lines)?;
        let mut lines = String::new();
        for i in 0..ACCOUNTS {
            writeln!(lines, "k{i:06},a{i:06},access_key,active,2024-0{}-01", 1 + i % 9)?;
        }
        self.put("credentials", "native_id,account,kind,status,created_at", lines)
    }

    /// The import of what was put since the last one.
    fn job(&mut self, system: &str, taken_at: Time) -> Result<Job, Failure> {
        let parts = std::mem::take(&mut self.parts);
        let part = |(table, fields, _): &(&str, &str, PathBuf)| {
            let columns: BTreeMap<&str, &str> = fields.split(',').map(|f| (f, f)).collect();
            let mut part = toml::Table::new();
            part.insert("files".to_owned(), format!("{table}.csv").into());
            part.insert("table".to_owned(), (*table).into());
            part.insert("columns".to_owned(), toml::Value::try_from(columns).unwrap_or_else(|_| toml::Table::new().into()));
            toml::Value::from(part)
        };
        let options = toml::Table::from_iter([("part".to_owned(), parts.iter().map(part).collect::<Vec<_>>().into())]);
        let mut files: Vec<(String, PathBuf)> = parts.into_iter().map(|(table, _, path)| (format!("{table}.csv"), path)).collect();
        files.sort();
        let context = Context {
            system: system.to_owned(),
            options,
            timezone: Some(TimeZone::UTC),
            population: (system == "hr").then_some(Population::All),
            ..Context::default()
        };
        Ok(Job {
            connector: "tabular".to_owned(),
            taken_at: Some((taken_at, "flag")),
            context,
            provenance: vec![Provenance::default(); files.len()],
            control_total: None,
            supersede: false,
            files,
        })
    }
}
