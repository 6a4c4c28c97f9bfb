//! Arguments → run → exit code.

use std::process::ExitCode;

use clap::Parser;
use holdover::cli::{Cli, run};

/// Rows are made on one thread and freed on another, which costs glibc's allocator a quarter of an import's time.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.exit)
        }
    }
}
