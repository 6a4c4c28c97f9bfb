//! `store list | verify | prune`.

use clap::Subcommand;

use super::{Failure, Place, out, setup};
use crate::store::Store;

#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Snapshots and runs
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Compare every byte with its manifest
    Verify {
        #[command(flatten)]
        place: Place,
    },
    /// Drop old runs and snapshots, never a snapshot that a kept run cites
    Prune {
        #[command(flatten)]
        place: Place,
        /// Runs to keep, newest first
        #[arg(long, value_name = "N", default_value_t = 52)]
        keep_runs: usize,
        /// Snapshots of each system to keep, newest first
        #[arg(long, value_name = "N", default_value_t = 52)]
        keep_snapshots: usize,
        /// Say what would go, and drop nothing
        #[arg(long)]
        dry_run: bool,
    },
}

pub fn run(command: &StoreCommand) -> Result<u8, Failure> {
    match command {
        StoreCommand::List { place } => list(&opened(place)?),
        StoreCommand::Verify { place } => verify(&opened(place)?),
        StoreCommand::Prune { place, keep_runs, keep_snapshots, dry_run } => {
            let store = opened(place)?;
            let writer = store.writer()?;
            let pruned = store.prune(&writer, *keep_runs, *keep_snapshots, *dry_run)?;
            let verb = if *dry_run { "would drop" } else { "dropped" };
            let dropped = pruned.dropped.iter().map(|p| format!("{verb} {p}\n"));
            let cited = pruned.cited.iter().map(|p| format!("kept {p}: a kept run cites it\n"));
            out(&dropped.chain(cited).collect::<String>())?;
            Ok(0)
        }
    }
}

fn opened(place: &Place) -> Result<Store, Failure> {
    let configured = setup::configured(place, None)?;
    let path = match (&configured, &place.store) {
        (None, None) => "store".into(),
        _ => setup::store_path(place, configured.as_ref())?,
    };
    Ok(Store::open(&path)?)
}

fn list(store: &Store) -> Result<u8, Failure> {
    let mut text = String::new();
    for system in store.systems()? {
        for s in store.snapshots(&system)? {
            let m = &s.manifest;
            let read: u64 = m.files.iter().map(|f| f.read).sum();
            let short = if m.short().is_empty() { "" } else { ", short" };
            text.push_str(&format!(
                "snapshot  {system}/{}  {}  {} files, {read} records read, {} rejected{short}\n",
                s.name,
                m.connector,
                m.files.len(),
                m.rejected()
            ));
        }
    }
    for run in store.runs()? {
        let m = crate::audit::output::manifest(store, &run)?;
        text.push_str(&format!("run       {run}  as of {}  {} snapshots, exit code {}\n", m.as_of, m.snapshots.len(), m.exit_code));
    }
    out(&text)?;
    Ok(0)
}

fn verify(store: &Store) -> Result<u8, Failure> {
    let found = store.verify()?;
    let mut text: String = found.faults.iter().map(|f| format!("{}: {}\n", f.place, f.what)).collect();
    text.push_str(&format!("{} snapshots, {} runs, {} files, {} faults\n", found.snapshots, found.runs, found.files, found.faults.len()));
    out(&text)?;
    Ok(if found.faults.is_empty() { 0 } else { super::fail::INTERNAL })
}
