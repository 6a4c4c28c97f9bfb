//! `metrics`: what a run measured, with every definition.

use std::io::IsTerminal;

use clap::{Args, ValueEnum};

use super::audit::{named_or_newest, width};
use super::{Failure, Place, out, setup};
use crate::report::{self, TerminalOptions};
use crate::store::{Store, StoreError};

#[derive(Debug, Args)]
pub struct MetricsArgs {
    /// The run [default: the newest]
    run: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Only the metrics of these ids
    #[arg(long = "only", value_name = "ID")]
    only: Vec<String>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// How they are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

pub fn run(args: &MetricsArgs) -> Result<u8, Failure> {
    let configured = setup::configured(&args.place, None)?;
    let store = Store::open(&setup::store_path(&args.place, configured.as_ref())?)?;
    let run = named_or_newest(&store, args.run.as_deref())?;
    let path = store.run_dir(&run).join("metrics.json");
    if !path.is_file() {
        return Err(Failure::usage(
            format!("run `{run}` has no metrics: an earlier version of holdover made it"),
            "audit again, or name a later run: `holdover store list` names them all",
        ));
    }
    let bytes = std::fs::read(&path).map_err(|e| StoreError::io(&path, e))?;
    if args.format == Format::Json {
        if !args.only.is_empty() {
            return Err(Failure::usage("`--only` is for the table", "pick from the JSON by `id`"));
        }
        out(&String::from_utf8_lossy(&bytes))?;
        return Ok(0);
    }
    let stored = report::json::read_metrics(&bytes).map_err(|e| StoreError::damaged(&path, e.to_string()))?;
    let mut list = stored.metrics.list();
    if let Some(unknown) = args.only.iter().find(|id| !list.iter().any(|m| m.id == **id)) {
        let ids: Vec<&str> = list.iter().map(|m| m.id.as_str()).collect();
        return Err(Failure::usage(format!("there is no metric `{unknown}`"), &format!("there are {}", ids.join(", "))));
    }
    list.retain(|m| args.only.is_empty() || args.only.contains(&m.id));
    let tty = std::io::stdout().is_terminal();
    let options = TerminalOptions {
        width: if tty { width() } else { 80 },
        drawn: tty,
        coloured: tty && std::env::var_os("NO_COLOR").is_none(),
        ..TerminalOptions::default()
    };
    out(&report::metrics_terminal(&run, &list, &options))?;
    Ok(0)
}
