//! `audit` and `explain`.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;

use super::engine::{Chosen, EngineFlags};
use super::setup;
use super::{Failure, Format, Place, import, instant, out, watch};
use crate::audit::{self, Audit, Settings, Sizes, output, present};
use crate::model::{Stage, Threshold, Time, Word};
use crate::report::{self, Report, TerminalOptions};
use crate::store::Store;

/// Which findings make the exit code 1.
#[derive(Clone, Debug, Args)]
pub struct GateFlags {
    /// Exit 1 on findings of this severity or higher; `none`: on none [default: low]
    #[arg(long, value_name = "SEVERITY", value_parser = threshold)]
    pub fail_on: Option<Threshold>,
    /// Exit 1 on new or reopened findings of this severity or higher; `none`: on none [default: none]
    #[arg(long, value_name = "SEVERITY", value_parser = threshold)]
    pub fail_on_new: Option<Threshold>,
    /// Possible findings count for the exit code, too
    #[arg(long)]
    pub fail_on_possible: bool,
}

#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(flatten)]
    place: Place,
    /// The instant that the audit is for; later snapshots are ignored. Without it freshness is not judged
    #[arg(long, value_name = "T", value_parser = instant)]
    as_of: Option<Time>,
    #[command(flatten)]
    gate: GateFlags,
    #[command(flatten)]
    engine: EngineFlags,
    /// Further checks, one `.sql` file each
    #[arg(long, value_name = "DIR")]
    checks: Option<PathBuf>,
    /// Audit what is sealed, import nothing
    #[arg(long)]
    no_import: bool,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    #[command(flatten)]
    sizes: SizeFlags,
}

/// How much is worked on at once. Hidden: they decide time and memory, never the result, and tests show that.
#[derive(Clone, Copy, Debug, Args)]
struct SizeFlags {
    /// Accounts of one part
    #[arg(long, hide = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    partition: Option<u32>,
    /// Rows up to which a table is held in memory
    #[arg(long, hide = true, value_name = "N")]
    held_rows: Option<usize>,
}

impl SizeFlags {
    fn over(self, sizes: Sizes) -> Sizes {
        Sizes { partition: self.partition.unwrap_or(sizes.partition), held_rows: self.held_rows.unwrap_or(sizes.held_rows) }
    }
}

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The finding's fingerprint, or its first digits
    finding: String,
    #[command(flatten)]
    place: Place,
    /// Run that found it [default: the newest]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
}

fn threshold(text: &str) -> Result<Threshold, String> {
    Threshold::parse(text)
        .ok_or_else(|| format!("write one of {}", Threshold::ALL.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(", ")))
}

pub fn run(args: &AuditArgs) -> Result<u8, Failure> {
    let engine = args.engine.chosen()?;
    let checks = crate::checks::load(args.checks.as_deref())?;
    let faults = audit::faults(&checks);
    if !faults.is_empty() {
        return Err(faults.into());
    }
    let configured = setup::configured(&args.place, Some(&checks))?;
    let path = setup::store_path(&args.place, configured.as_ref())?;
    let mut imported = import::ImportedAll::default();
    let (store, mut settings) = match &configured {
        Some(c) => {
            let store = Store::open_or_create(&path)?;
            if !args.no_import {
                imported = import::all(&store, c, false, true)?;
                eprint!("{}", imported.text);
            }
            let expanded = c.expand()?;
            let mut settings = c.settings(checks, &expanded);
            settings.unreadable = import::incomplete(&expanded.imports);
            settings.unreadable.extend(imported.failed.clone());
            (store, settings)
        }
        None => (Store::open(&path)?, Settings::by_hand(checks)),
    };
    setup::with_flags(&mut settings, args.as_of, &args.gate);
    settings.sizes = args.sizes.over(settings.sizes);
    let done = perform(&store, &settings, &engine)?;
    if !done.audit.broken.is_empty() {
        eprintln!("{}", Failure::from(done.audit.broken.values().cloned().collect::<Vec<_>>()));
    }
    match args.format {
        Format::Json => out(&report::json::report_v1(&done.report).map_err(|e| Failure::internal(e.to_string()))?)?,
        Format::Csv => out(&report::canonical_csv(&done.report))?,
        Format::Table => {
            let html = path.join("runs").join(&done.audit.id).join("report.html");
            out(&table(&done.report, &html, &args.place.flag()))?
        }
    }
    Ok(done.report.verdict.exit_code)
}

/// An audit that is on disk.
pub struct Done {
    pub audit: Audit,
    pub report: Report,
}

/// Audits and commits.
///
/// # Errors
/// See [`audit::audit`] and [`output::commit`].
pub fn perform(store: &Store, settings: &Settings, engine: &Chosen) -> Result<Done, Failure> {
    let writer = store.writer()?;
    let _shown = watch::shown();
    let engine = engine.ready(store, &writer)?;
    let audit = audit::audit_on(&engine, store, settings)?;
    let stage = Stage::begin("report");
    let report = present::report(&audit, settings)?;
    let _stage = stage.then("write");
    output::commit(store, &writer, &audit, &report)?;
    Ok(Done { audit, report })
}

/// The report for standard output: drawn on a terminal, plain in a pipe. `place`: see [`TerminalOptions::place`].
pub fn table(report: &Report, html: &std::path::Path, place: &str) -> String {
    let tty = std::io::stdout().is_terminal();
    let width = if tty { width() } else { 80 };
    let options = TerminalOptions {
        width,
        drawn: tty,
        coloured: tty && std::env::var_os("NO_COLOR").is_none(),
        per_check: 5,
        see_more: format!("`holdover audit{place} --format json`"),
        place: place.to_owned(),
        html: Some(html.strip_prefix(".").unwrap_or(html).display().to_string()),
    };
    report::terminal(report, &options)
}

pub(super) fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    columns.unwrap_or_else(|| usize::from(comfy_table::Table::new().width().unwrap_or(80))).clamp(60, 160)
}

pub fn explain(args: &ExplainArgs) -> Result<u8, Failure> {
    let configured = setup::configured(&args.place, None)?;
    let store = Store::open(&setup::store_path(&args.place, configured.as_ref())?)?;
    let mut run = named_or_newest(&store, args.run.as_deref())?;
    let mut stored = audit::explain::open(&store, &run)?;
    if args.run.is_none() && stored.find(&args.finding).is_empty() {
        // 11.1: several runs may be of the newest instant, and any of them may be the one that was just read.
        for other in of_one_instant(&store, &run)? {
            let beside = audit::explain::open(&store, &other)?;
            if !beside.find(&args.finding).is_empty() {
                (run, stored) = (other, beside);
                break;
            }
        }
    }
    tell_missing(&run, &stored.missing);
    let found = stored.find(&args.finding);
    match found.as_slice() {
        [one] => {
            let explained = stored.explain(one)?;
            stored.sound()?;
            let text = report::explain(&explained, if std::io::stdout().is_terminal() { width() } else { 80 });
            out(&text)?;
            Ok(0)
        }
        [] => Err(Failure::usage(
            format!("run `{run}` has no finding `{}`", args.finding),
            "take the fingerprint from the report, or name another run with `--run`",
        )),
        several => {
            let mut list: Vec<String> =
                several.iter().take(LISTED).map(|f| format!("{} {} {}", f.fingerprint, f.check_id, f.subject)).collect();
            if let Some(more) = several.len().checked_sub(LISTED).filter(|n| *n > 0) {
                list.push(format!("and {more} more"));
            }
            Err(Failure::usage(
                format!("`{}` begins {} fingerprints", args.finding, several.len()),
                &format!("give more digits:\n    {}", list.join("\n    ")),
            ))
        }
    }
}

/// Says which tables a run of an earlier version has not. What stands on them is left out, and the rest goes on.
pub(super) fn tell_missing(run: &str, tables: &[&str]) {
    if tables.is_empty() {
        return;
    }
    let shown = tables.iter().map(|t| format!("`{t}`")).collect::<Vec<_>>().join(", ");
    eprintln!("warning: run `{run}` has no table {shown}: an earlier version of holdover made it");
    eprintln!("  help: what stands on it is left out here; audit again to have it");
}

/// The other runs whose `as_of` is that of `run`, by name.
fn of_one_instant(store: &Store, run: &str) -> Result<Vec<String>, Failure> {
    let at = output::manifest(store, run)?.as_of;
    let mut others = Vec::new();
    for id in store.runs()?.into_iter().filter(|id| id != run) {
        if output::manifest(store, &id)?.as_of == at {
            others.push(id);
        }
    }
    Ok(others)
}

/// Findings that a refusal lists.
const LISTED: usize = 20;

/// The run of that name, or the newest one.
///
/// # Errors
/// There is no run of that name, or none at all.
pub fn named_or_newest(store: &Store, run: Option<&str>) -> Result<String, Failure> {
    let Some(run) = run else { return newest(store) };
    // By its name in the list: a path such as `../x` or an empty text leads to a folder, too.
    if store.runs()?.iter().any(|r| r == run) {
        return Ok(run.to_owned());
    }
    Err(Failure::usage(format!("there is no run `{run}`"), "`holdover store list` names them all"))
}

/// The newest run by `as_of`.
fn newest(store: &Store) -> Result<String, Failure> {
    let mut newest: Option<(Time, String)> = None;
    for id in store.runs()? {
        let at = output::manifest(store, &id)?.as_of;
        newest = newest.max(Some((at, id)));
    }
    newest.map(|n| n.1).ok_or_else(|| Failure::usage("the store holds no run", "run `holdover audit` first"))
}
