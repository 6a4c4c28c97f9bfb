//! `query`: the check language over a run or a snapshot.

use std::collections::BTreeMap;

use clap::Args;
use polars::prelude::{DataFrame, IntoLazy};

use super::audit::{named_or_newest, tell_missing};
use super::setup;
use super::{Failure, Format, Place, out};
use crate::audit::Sizes;
use crate::audit::explain::open;
use crate::engine::{Tables, batch_of, catalog, evaluate, view};
use crate::model::*;
use crate::sql::{Catalog, Mode, Query, compile_as, frame};
use crate::store::Store;
use crate::store::table_file::read_batches;

#[derive(Debug, Args)]
pub struct QueryArgs {
    /// One SELECT in the check language (docs/checks.md); a result in an order of its own ends in ORDER BY
    sql: String,
    #[command(flatten)]
    place: Place,
    /// Run to ask [default: the newest]
    #[arg(long, value_name = "RUN", conflicts_with = "snapshot")]
    run: Option<String>,
    /// Ask the tables of one snapshot: `system`, or `system/20261122T000000Z`
    #[arg(long, value_name = "SNAPSHOT")]
    snapshot: Option<String>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

pub fn run(args: &QueryArgs) -> Result<u8, Failure> {
    let configured = setup::configured(&args.place, None)?;
    let store = Store::open(&setup::store_path(&args.place, configured.as_ref())?)?;
    let result = match &args.snapshot {
        Some(snapshot) => of_snapshot(&store, snapshot, &args.sql)?,
        None => of_run(&store, &named_or_newest(&store, args.run.as_deref())?, &args.sql)?,
    };
    out(&shown(&result, args.format)?)?;
    Ok(0)
}

/// Compiles what a person asks.
fn compiled(sql: &str, catalog: &Catalog) -> Result<Query, Failure> {
    compile_as(Mode::Ask, sql, &BTreeMap::new(), catalog)
        .map_err(|d| Failure::usage(format!("line {}, column {}: {}", d.line, d.column, d.message), &d.help))
}

/// Asks tables of which only those that the query reads are there.
fn asked(query: &Query, frames: &BTreeMap<String, DataFrame>) -> Result<DataFrame, Failure> {
    query
        .run(&|name| frames.get(name).map(|f| f.clone().lazy()))
        .map_err(|e| Failure::usage(e.to_string(), "see `holdover schema` for the tables"))
}

fn of_run(store: &Store, run: &str, sql: &str) -> Result<DataFrame, Failure> {
    let fail = |e: crate::engine::FrameError| Failure::internal(e.to_string());
    let stored = open(store, run)?;
    let mut catalog = catalog();
    for table in [&FINDINGS, &OUTCOMES] {
        catalog.views.insert(table.name.to_owned(), view(table));
    }
    let query = compiled(sql, &catalog)?;
    if let Some(table) = stored.missing.iter().find(|t| query.reads().contains_key(**t)) {
        return Err(Failure::usage(
            format!("run `{run}` has no table `{table}`: an earlier version of holdover made it"),
            "audit again, or name a later run with `--run`: `holdover store list` names them all",
        ));
    }
    tell_missing(run, &stored.missing);
    let tables = Tables::new(&stored.run, Sizes::default().partition);
    tables.put(&stored.exceptions).map_err(fail)?;
    tables.put(&stored.findings).map_err(fail)?;
    tables.put(&stored.outcomes).map_err(fail)?;
    if query.reads().contains_key(APPROVALS.name) {
        tables.put(&stored.approvals()?).map_err(fail)?;
    }
    let mut frames = BTreeMap::new();
    for name in query.reads().keys() {
        frames.extend(tables.frame(name).map_err(fail)?.map(|f| (name.clone(), f)));
    }
    let rows = asked(&query, &frames);
    stored.sound()?;
    rows
}

fn of_snapshot(store: &Store, name: &str, sql: &str) -> Result<DataFrame, Failure> {
    let (system, time) = name.split_once('/').map_or((name, None), |(s, t)| (s, Some(t)));
    // By its name in the list: a path such as `..` leads to a folder, too.
    let all = if store.systems()?.iter().any(|s| s == system) { store.snapshots(system)? } else { Vec::new() };
    let found = match time {
        Some(time) => all.iter().find(|s| s.name == time),
        None => all.last(),
    };
    let found = found.ok_or_else(|| Failure::usage(format!("there is no snapshot `{name}`"), "`holdover store list` names them all"))?;
    let mut catalog = Catalog::default();
    for table in SNAPSHOT_TABLES {
        catalog.views.insert(table.name.to_owned(), view(table));
    }
    let query = compiled(sql, &catalog)?;
    let mut frames = BTreeMap::new();
    for table in SNAPSHOT_TABLES.iter().filter(|t| query.reads().contains_key(t.name)) {
        let batches = read_batches(&found.dir.join(format!("{}.parquet", table.name)))?;
        let rows = frame::from_batches(&table.arrow(), &batches).map_err(|e| Failure::internal(e.to_string()))?;
        frames.insert(table.name.to_owned(), rows);
    }
    asked(&query, &frames)
}

fn shown(result: &DataFrame, format: Format) -> Result<String, Failure> {
    let batch = batch_of(result).map_err(|e| Failure::internal(e.to_string()))?;
    let rows: Vec<serde_json::Map<String, serde_json::Value>> = (0..batch.num_rows()).map(|i| evaluate::row(&batch, i)).collect();
    let names: Vec<String> = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
    let text = |v: &serde_json::Value| match v {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(s) => s.clone(),
        other => other.to_string(),
    };
    match format {
        Format::Json => serde_json::to_string_pretty(&rows).map(|t| t + "\n").map_err(|e| Failure::internal(e.to_string())),
        Format::Csv => {
            let mut writer = csv::Writer::from_writer(Vec::new());
            let fail = |e: csv::Error| Failure::internal(e.to_string());
            writer.write_record(&names).map_err(fail)?;
            for row in &rows {
                writer.write_record(row.values().map(text)).map_err(fail)?;
            }
            let bytes = writer.into_inner().map_err(|e| Failure::internal(e.to_string()))?;
            String::from_utf8(bytes).map_err(|e| Failure::internal(e.to_string()))
        }
        Format::Table => {
            let mut table = comfy_table::Table::new();
            table.load_style(comfy_table::presets::NOTHING);
            table.set_header(&names);
            for row in &rows {
                table.add_row(row.values().map(|v| crate::report::visible(&text(v)).into_owned()));
            }
            Ok(format!("{}\n{} rows\n", table.trim_fmt(), rows.len()))
        }
    }
}
