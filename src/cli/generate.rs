//! `generate`: an estate of any size, straight into a store.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::progress::Progress;
use super::{Failure, out};
use crate::generate::native::Format;
use crate::generate::{self, GenerateError, Size};

#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// Folder of the store to make; `holdover.toml` and `answers.json` are written beside it. With `--native`: folder for the export
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
    /// Leave out requests, the role catalogue, exceptions and the register of systems
    #[arg(long)]
    without_records: bool,
    /// Write one export in a vendor's format instead of a store
    #[arg(long, value_enum, requires = "bytes", conflicts_with_all = ["accounts", "access", "identities", "systems", "snapshots", "without_records"])]
    native: Option<Native>,
    /// About how large the export is: a number with `k`, `m` or `g`
    #[arg(long, requires = "native", value_parser = bytes)]
    bytes: Option<u64>,
}

/// Formats of `--native`.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Native {
    AwsIam,
    Ldif,
    Csv,
}

fn bytes(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let (number, unit) = match lower.strip_suffix(['k', 'm', 'g']) {
        Some(number) => (number, lower.get(number.len()..).unwrap_or_default()),
        None => (lower.as_str(), ""),
    };
    let factor = match unit {
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => 1,
    };
    let size = number.parse::<u64>().ok().and_then(|n| n.checked_mul(factor)).filter(|n| *n > 0);
    size.ok_or_else(|| "write a number of bytes such as 500m or 1g".to_owned())
}

fn native(args: &GenerateArgs, format: Native) -> Result<u8, Failure> {
    let format = match format {
        Native::AwsIam => Format::AwsIam,
        Native::Ldif => Format::Ldif,
        Native::Csv => Format::Csv,
    };
    // How many accounts that is shows when the first ones are written: the count has no end before.
    let progress = Progress::new("accounts", usize::try_from(args.bytes.unwrap_or(0) / 1_000).unwrap_or(usize::MAX));
    let written = generate::native::write(format, args.bytes.unwrap_or(0), args.seed, &args.store, &|accounts| progress.advance(accounts))?;
    progress.done();
    out(&format!(
        "{} bytes, {} accounts, {} memberships and {} grants in {}\nimport it: holdover import --config {}\n",
        written.bytes,
        written.rows.accounts,
        written.rows.memberships,
        written.rows.grants,
        written.export.display(),
        written.config.display(),
    ))?;
    Ok(0)
}

pub fn run(args: &GenerateArgs) -> Result<u8, Failure> {
    if let Some(format) = args.native {
        return native(args, format);
    }
    let size = Size {
        accounts: args.accounts,
        access: args.access,
        identities: args.identities,
        systems: args.systems,
        snapshots: args.snapshots,
        seed: args.seed,
        records: !args.without_records,
    };
    let progress = Progress::new("rows", usize::try_from(generate::rows(&size)).unwrap_or(usize::MAX));
    let written = generate::write(size, &args.store, &|rows| progress.advance(rows))?;
    progress.done();
    let config = written.config.display();
    out(&format!(
        "{} rows in {} snapshots of seed {} in {}\nwhat should be found: {}\naudit it: holdover audit --config {config} --as-of {}\n",
        written.rows,
        written.snapshots,
        args.seed,
        args.store.display(),
        written.answers.display(),
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
                Self::usage(e.to_string(), "name a store that is yet to be, in a folder without `holdover.toml` and `answers.json`")
            }
        }
    }
}
