//! The stages one by one, over inputs of fixed size that a seed makes: `cargo bench`, or `cargo bench -- checks` for some of them.
//! `benches/compare/run` measures them together, at scale.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench that cannot run stops")]

mod world;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use holdover::audit::drift::Access;
use holdover::connectors::Context;
use holdover::engine::parts::Columns;
use holdover::engine::tables::part_frame;
use holdover::engine::views::PARTITIONED;
use holdover::engine::{Tables, cut_into_parts};
use holdover::ingest::Job;
use holdover::model::Population;
use holdover::resolve::{About, Account, Closure, Histories, Link, Resolver, Settings, Twins};
use holdover::sql::Query;
use holdover::sql::local::{Fused, Part};
use holdover::store::{Provenance, Store};
use polars::prelude::IntoLazy;
use world::{ACCOUNTS, GRANTS, MEMBERSHIPS, PEOPLE, World};

fn main() {
    divan::main();
}

/// Made by the first bench that asks.
fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::make().unwrap())
}

/// The demo's exports of its newest week, and a store beside them.
struct Demo {
    week: PathBuf,
    store: Store,
    _dir: tempfile::TempDir,
}

fn demo() -> &'static Demo {
    static DEMO: OnceLock<Demo> = OnceLock::new();
    DEMO.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let written = holdover::demo::write(&dir.path().join("demo"), holdover::demo::SEED).unwrap();
        let week = dir.path().join("demo/exports").join(written.as_of.date());
        Demo { week, store: Store::open_or_create(&dir.path().join("store")).unwrap(), _dir: dir }
    })
}

/// One export of the demo: how it is called here, its connector, its files, its mapping.
const EXPORTS: [(&str, &str, &str, Option<&str>); 6] = [
    ("active directory", "ldif", "ad.ldif", None),
    ("openldap", "ldif", "openldap.ldif", None),
    ("aws", "aws-iam", "aws/prod", None),
    ("okta", "okta", "okta", None),
    ("vault", "vault", "vault", None),
    ("people", "tabular", "hr.csv", Some("hr")),
];

fn exports() -> impl Iterator<Item = &'static str> {
    EXPORTS.into_iter().map(|(name, ..)| name)
}

fn export(name: &str) -> Job {
    let (_, connector, place, mapping) = EXPORTS.into_iter().find(|e| e.0 == name).unwrap();
    let files = files(&demo().week, &demo().week.join(place));
    let options = mapping.map(|m| ("mapping".to_owned(), m.into())).into_iter().collect();
    Job {
        connector: connector.to_owned(),
        taken_at: None,
        context: Context {
            system: "system".to_owned(),
            options,
            timezone: Some(jiff::tz::TimeZone::UTC),
            population: mapping.map(|_| Population::All),
            ..Context::default()
        },
        provenance: vec![Provenance::default(); files.len()],
        control_total: None,
        supersede: false,
        files,
    }
}

/// A file, or all files below a folder, with their names below `root`.
fn files(root: &Path, place: &Path) -> Vec<(String, PathBuf)> {
    let found = walkdir::WalkDir::new(place).sort_by_file_name().into_iter().map(Result::unwrap).filter(|e| e.file_type().is_file());
    found.map(|e| (e.path().strip_prefix(root).unwrap().to_string_lossy().into_owned(), e.into_path())).collect()
}

fn bytes(job: &Job) -> BytesCount {
    BytesCount::new(job.files.iter().map(|(_, path)| std::fs::metadata(path).unwrap().len()).sum::<u64>())
}

/// Measuring and reading the files of one export.
#[divan::bench(args = exports())]
fn parse(bencher: Bencher<'_, '_>, name: &str) {
    let job = export(name);
    bencher.counter(bytes(&job)).bench(|| job.read(&demo().store).unwrap());
}

/// CSV of an application: accounts, groups, rights, and the edges between them.
#[divan::bench(sample_count = 10)]
fn parse_csv(bencher: Bencher<'_, '_>) {
    let job = world().application().unwrap();
    bencher.counter(bytes(&job)).bench(|| job.read(&demo().store).unwrap());
}

/// Accounts to people, by one thread.
#[divan::bench(sample_count = 10)]
fn correlate(bencher: Bencher<'_, '_>) {
    let (system, authority) = (world().system().unwrap(), world().authority().unwrap());
    let resolver = Resolver::new(&[authority], &Settings::default()).unwrap();
    let accounts = resolver.accounts(&About { system_ix: 0, system: "app", observed_at: system.observed_at });
    bencher.counter(ItemsCount::new(ACCOUNTS)).bench(|| accounts.chunk(system.accounts.iter().map(Account::from), None));
}

/// The people list indexed for correlation.
#[divan::bench(sample_count = 10)]
fn index_people(bencher: Bencher<'_, '_>) {
    let authority = [world().authority().unwrap()];
    bencher.counter(ItemsCount::new(PEOPLE)).bench(|| Resolver::new(&authority, &Settings::default()).unwrap());
}

/// Groups closed, and their members counted.
#[divan::bench(sample_count = 10)]
fn close_groups(bencher: Bencher<'_, '_>) {
    let system = world().system().unwrap();
    let twins = Twins::of(&system);
    bencher.counter(ItemsCount::new(MEMBERSHIPS)).bench(|| {
        let closure = Closure::new(&system.groups, &twins, system.memberships.iter().map(Link::from));
        let members = closure.members();
        members.add(system.memberships.iter().filter_map(|m| Some((m.account_ix?, m.group_ix))));
        members.finish()
    });
}

/// The views that are cut, as the checks see them.
fn cut_views() -> impl Iterator<Item = &'static str> {
    ["accounts", "candidates", "access", "grants", "memberships", "credentials"].into_iter()
}

fn tables() -> &'static Tables<'static> {
    static TABLES: OnceLock<Tables<'static>> = OnceLock::new();
    TABLES.get_or_init(|| {
        let tables = Tables::new(&world().audit.run, u32::MAX);
        tables.put(&world().audit.exceptions).unwrap();
        tables
    })
}

/// The application's accounts and all that they hold: one partition.
fn partition() -> Columns<'static> {
    let parts = tables().parts();
    let largest = parts.cuts.iter().max_by_key(|cut| cut.to - cut.from).unwrap();
    parts.part(*largest).unwrap()
}

/// Every column of one view over one partition, from stored tables to arrays.
#[divan::bench(args = cut_views(), sample_count = 10)]
fn partition_columns(bencher: Bencher<'_, '_>, view: &str) {
    let table = PARTITIONED.iter().find(|t| t.name == view).unwrap();
    bencher.counter(ItemsCount::new(partition().rows(view).unwrap())).bench(|| {
        let part = partition();
        table.columns.iter().map(|c| part.column(view, c.name).unwrap()).collect::<Vec<_>>()
    });
}

fn query(check: &str) -> &'static Query {
    &world().audit.prepared.iter().find(|p| p.check.id == check).unwrap().query
}

/// Checks that go over partitions.
fn local() -> Vec<&'static str> {
    let in_parts = |q: &Query| q.prove_account_grain().is_ok() || q.prove_row_local(&cut_into_parts()).is_ok();
    world().audit.prepared.iter().filter(|p| in_parts(&p.query)).map(|p| p.check.id.as_str()).collect()
}

/// Those that the fused executor takes; the others run on polars only.
fn fused() -> Vec<&'static str> {
    let taken = |check: &&str| Fused::new(&[query(check)], &cut_into_parts()).refused(0).is_none();
    local().into_iter().filter(taken).collect()
}

/// One check over one partition by the fused executor, its columns built anew.
#[divan::bench(args = fused(), sample_count = 10)]
fn check_fused(bencher: Bencher<'_, '_>, check: &str) {
    let fused = Fused::new(&[query(check)], &cut_into_parts());
    let over = fused.over(tables());
    bencher.bench(|| over.run(&partition(), &|_| true));
}

/// Nothing while the fused executor takes no check.
fn taken() -> Vec<&'static str> {
    if fused().is_empty() { Vec::new() } else { vec!["all that are taken"] }
}

/// All that the fused executor takes, together: what they share is computed once.
#[divan::bench(args = taken(), sample_count = 10)]
fn checks_fused_together(bencher: Bencher<'_, '_>, _taken: &str) {
    let queries: Vec<&Query> = fused().into_iter().map(query).collect();
    let together = Fused::new(&queries, &cut_into_parts());
    let over = together.over(tables());
    bencher.counter(ItemsCount::new(MEMBERSHIPS + GRANTS)).bench(|| over.run(&partition(), &|_| true));
}

/// One check over one partition by polars, its views built anew.
#[divan::bench(args = local(), sample_count = 10)]
fn check_polars(bencher: Bencher<'_, '_>, check: &str) {
    let query = query(check);
    bencher.bench(|| {
        let part = partition();
        let frame = |view: &str| part_frame(&part, view).unwrap().or_else(|| tables().frame(view).unwrap());
        query.run(&|view| frame(view).map(IntoLazy::lazy)).unwrap()
    });
}

/// Two snapshots of the application merged.
#[divan::bench(sample_count = 10)]
fn diff(bencher: Bencher<'_, '_>) {
    let snapshots = world().snapshots("app").unwrap();
    let (old, new) = (Access::of(&snapshots[0]), Access::of(&snapshots[1]));
    bencher.counter(ItemsCount::new(2 * (MEMBERSHIPS + GRANTS))).bench(|| {
        let (before, now) = (old.shot(false), new.shot(false));
        let mut histories = Histories::new(now).unwrap();
        let compared = histories.compare(&before).unwrap();
        compared.rows(0, &histories.finish(0))
    });
}
