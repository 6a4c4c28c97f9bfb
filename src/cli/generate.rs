//! `generate`: an estate of any size, straight into a store.

use std::path::PathBuf;

use clap::Args;

use super::progress::Progress;
use super::{Failure, out};
use crate::generate::{self, GenerateError, Size};

#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// Folder of the store to make; `holdover.toml` is written beside it
    #[arg(value_name = "STORE")]
    store: PathBuf,
    /// Accounts of all systems together
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    accounts: u64,
    /// Grants and memberships of all systems together
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    access: u64,
    /// People and registered workloads
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    identities: u64,
    /// Systems with accounts
    #[arg(long, value_name = "N", default_value_t = 3)]
    systems: u32,
    /// Weekly snapshots of each system
    #[arg(long, value_name = "N", default_value_t = 1)]
    snapshots: u32,
    /// Another number makes another estate
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub fn run(args: &GenerateArgs) -> Result<u8, Failure> {
    let size = Size {
        accounts: args.accounts,
        access: args.access,
        identities: args.identities,
        systems: args.systems,
        snapshots: args.snapshots,
        seed: args.seed,
    };
    let progress = Progress::new("rows", usize::try_from(generate::rows(&size)).unwrap_or(usize::MAX));
    let written = generate::write(size, &args.store, &|rows| progress.advance(rows))?;
    progress.done();
    let config = written.config.display();
    out(&format!(
        "{} rows in {} snapshots of seed {} in {}\naudit it: holdover audit --config {config} --as-of {}\n",
        written.rows,
        written.snapshots,
        args.seed,
        args.store.display(),
        generate::as_of(),
    ))?;
    Ok(0)
}

impl From<GenerateError> for Failure {
    fn from(e: GenerateError) -> Self {
        match e {
            GenerateError::Store(e) => e.into(),
            GenerateError::Impossible(e) => Self::usage(&e.message, &e.help),
            GenerateError::Exists { .. } => {
                Self::usage(e.to_string(), "name a store that is yet to be, in a folder without a `holdover.toml`")
            }
        }
    }
}
