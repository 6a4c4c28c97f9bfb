//! Hidden commands by which other engines check this one.

use std::path::PathBuf;

use clap::Args;
use polars::prelude::IntoLazy;

use super::setup;
use super::{Failure, Place, out};
use crate::audit::Sizes;
use crate::audit::explain::open;
use crate::engine::{Tables, batch_of, catalog};
use crate::sql::compile;
use crate::store::Store;
use crate::store::table_file::write_batch;

#[derive(Debug, Args)]
pub struct RandomArgs {
    dir: PathBuf,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, default_value_t = 1000)]
    queries: u64,
}

#[derive(Debug, Args)]
pub struct RecalculateArgs {
    /// Run whose views and check rows are written
    run: String,
    /// Folder to write them to
    dir: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// Random worlds, random queries, and this engine's answers, for comparison with another engine.
pub fn random_queries(args: &RandomArgs) -> Result<u8, Failure> {
    let summary = crate::sql::random::export(&args.dir, args.seed, args.queries).map_err(|e| Failure::internal(e.to_string()))?;
    out(&format!("{summary:?}\n"))?;
    Ok(0)
}

/// Every view of a run, and every row of every check, as Parquet.
pub fn recalculate(args: &RecalculateArgs) -> Result<u8, Failure> {
    let store = Store::open(&setup::store_path(&args.place, None)?)?;
    std::fs::create_dir_all(&args.dir).map_err(|e| Failure::internal(e.to_string()))?;
    let fail = |e: &dyn std::fmt::Display| Failure::internal(e.to_string());
    let stored = open(&store, &args.run)?;
    let tables = Tables::new(&stored.run, Sizes::default().partition);
    tables.put(&stored.exceptions).map_err(|e| fail(&e))?;
    tables.put(&stored.approvals()?).map_err(|e| fail(&e))?;
    let catalog = catalog();
    for name in catalog.views.keys() {
        if let Some(batch) = tables.batch(name).map_err(|e| fail(&e))? {
            write_batch(&args.dir, &format!("view-{name}"), &batch)?;
        }
    }
    for rule in &stored.rules {
        let query = compile(&rule.rule_text, &std::collections::BTreeMap::new(), &catalog).map_err(|d| Failure::internal(d.message))?;
        let rows = query.run(&|name| tables.frame(name).ok().flatten().map(IntoLazy::lazy)).map_err(|e| fail(&e))?;
        write_batch(&args.dir, &format!("check-{}", rule.id), &batch_of(&rows).map_err(|e| fail(&e))?)?;
    }
    Ok(0)
}

#[derive(Debug, Args)]
pub struct DocsArgs {
    /// Folder of the project's documents
    dir: PathBuf,
}

/// The documents that are made from the registries: the keys of the configuration, and every table.
pub fn docs(args: &DocsArgs) -> Result<u8, Failure> {
    let write = |name: &str, text: String| {
        std::fs::write(args.dir.join(name), text)
            .map_err(|e| Failure::usage(format!("`{name}` cannot be written: {e}"), "name the folder `docs`"))
    };
    write("configuration.md", crate::config::reference_page())?;
    write("schema.md", super::catalogue::schema_page())?;
    Ok(0)
}
