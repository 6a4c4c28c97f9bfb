//! The command line: arguments in, text and an exit code out.

mod audit;
mod catalogue;
mod decode;
mod demo;
mod diff;
mod engine;
mod fail;
mod generate;
mod import;
mod init;
mod internal;
mod metrics;
mod progress;
mod query;
mod setup;
mod store;
mod timings;
mod watch;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use fail::Failure;

use crate::model::Time;
use crate::model::stage::{self, Listener};

/// Finds access that outlived its reason: reconciles the exports of directories, cloud IAM and applications with the
/// records that say who should have what. Opens no socket.
#[derive(Debug, Parser)]
#[command(name = "holdover", version, max_term_width = 100)]
pub struct Cli {
    /// Worker threads (default: one per core); the result is the same for any number.
    #[arg(long, global = true, value_name = "N")]
    threads: Option<usize>,
    /// Print the time, the rows and the memory of each stage to standard error
    #[arg(long, global = true, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "table")]
    timings: Option<timings::Format>,
    /// Show no progress, on a terminal either
    #[arg(long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a made-up company's exports, audit them, and compare the findings with the answers
    Demo(demo::DemoArgs),
    /// Make an estate of any size for measuring, straight into a store
    Generate(generate::GenerateArgs),
    /// Seal exports as snapshots
    Import(import::ImportArgs),
    /// Reconcile the sealed snapshots and report (with a configuration: import what is new first)
    Audit(audit::AuditArgs),
    /// Show what changed in a system between two of its snapshots
    Diff(diff::DiffArgs),
    /// Show everything behind one finding
    Explain(audit::ExplainArgs),
    /// Print the metrics of a run with their definitions
    Metrics(metrics::MetricsArgs),
    /// Ask a question in SQL over a run or a snapshot
    Query(query::QueryArgs),
    /// List the checks, or show one
    #[command(subcommand)]
    Checks(catalogue::ChecksCommand),
    /// List the connectors, or show one with its export commands
    #[command(subcommand)]
    Connectors(catalogue::ConnectorsCommand),
    /// Print the tables of the store, column by column
    Schema(catalogue::SchemaArgs),
    /// List, verify or prune the store
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Write a commented configuration
    Init(init::InitArgs),
    #[command(hide = true)]
    InternalRandomQueries(internal::RandomArgs),
    #[command(hide = true)]
    InternalRecalculate(internal::RecalculateArgs),
    #[command(hide = true)]
    InternalDecode(decode::DecodeArgs),
    #[command(hide = true)]
    InternalDocs(internal::DocsArgs),
}

/// Where the store is.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// The store's folder
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    store: Option<PathBuf>,
    /// The configuration [default: holdover.toml, where it exists and no store is named]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
    /// The flag that was given, with a blank before it, as the other commands take it; empty without one.
    fn flag(&self) -> String {
        let given = [("store", &self.store), ("config", &self.config)];
        given.iter().find_map(|(name, path)| path.as_ref().map(|p| format!(" --{name} {}", p.display()))).unwrap_or_default()
    }
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Json,
    Csv,
}

/// Parses an instant of the command line.
fn instant(text: &str) -> Result<Time, String> {
    Time::parse_iso(text).map_err(|e| format!("{e}; write it as 2026-11-22T00:00:00Z"))
}

/// Bytes of stack of a thread of the pool.
const POOL_STACK: usize = 32 << 20;

/// Runs one command line. The exit code is that of `docs/exit-codes.md`.
///
/// # Errors
/// What is wrong, where, and how to mend it, with its exit code.
pub fn run(cli: Cli) -> Result<u8, Failure> {
    // 0: as many as the machine has cores. The stack leaves room for work that is taken up while other work waits.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(cli.threads.unwrap_or(0)).stack_size(POOL_STACK);
    pool.build_global().map_err(|e| Failure::internal(e.to_string()))?;
    let timings = cli.timings.map(|format| (timings::Timings::start(), format));
    watch::start(cli.quiet);
    if cli.quiet {
        progress::be_quiet();
    }
    listen(timings.as_ref().map(|(timings, _)| timings.recorder()));
    let code = perform(cli.command);
    if let Some((timings, format)) = timings {
        timings.print(format);
    }
    code
}

/// Has the stages told to whoever asked for them: the times, the progress.
fn listen(recorder: Option<timings::Recorder>) {
    if recorder.is_some() || watch::watch().is_some() {
        stage::listen(Box::new(Ears { recorder }));
    }
}

struct Ears {
    recorder: Option<timings::Recorder>,
}

impl Listener for Ears {
    fn begun(&self, stage: &str) -> u64 {
        if let Some(watch) = watch::watch() {
            watch.begun(stage);
        }
        self.recorder.as_ref().map_or(0, |r| r.begun(stage))
    }

    fn ended(&self, stage: &str, begun: u64, rows: u64) {
        if let Some(recorder) = &self.recorder {
            recorder.ended(stage, begun, rows);
        }
        if let Some(watch) = watch::watch() {
            watch.ended(stage, begun, rows);
        }
    }

    fn expected(&self, stage: &str, steps: u64) {
        if let Some(watch) = watch::watch() {
            watch.expected(stage, steps);
        }
    }

    fn advanced(&self, stage: &str, steps: u64) {
        if let Some(watch) = watch::watch() {
            watch.advanced(stage, steps);
        }
    }
}

fn perform(command: Command) -> Result<u8, Failure> {
    match command {
        Command::Demo(args) => demo::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Explain(args) => audit::explain(&args),
        Command::Metrics(args) => metrics::run(&args),
        Command::Query(args) => query::run(&args),
        Command::Checks(command) => catalogue::checks(&command),
        Command::Connectors(command) => catalogue::connectors(&command),
        Command::Schema(args) => catalogue::schema(&args),
        Command::Store(command) => store::run(&command),
        Command::Init(args) => init::run(&args),
        Command::InternalRandomQueries(args) => internal::random_queries(&args),
        Command::InternalRecalculate(args) => internal::recalculate(&args),
        Command::InternalDecode(args) => decode::run(&args),
        Command::InternalDocs(args) => internal::docs(&args),
    }
}

/// Prints to standard output. A reader that went away ends the program quietly.
pub(crate) fn out(text: &str) -> Result<(), Failure> {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::internal(format!("standard output: {e}"))),
        _ => Ok(()),
    }
}
