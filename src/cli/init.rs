//! `init`: a commented configuration.

use std::path::PathBuf;

use clap::Args;

use super::{Failure, out};

#[derive(Debug, Args)]
pub struct InitArgs {
    /// File to write
    #[arg(value_name = "FILE", default_value = "holdover.toml")]
    file: PathBuf,
}

pub fn run(args: &InitArgs) -> Result<u8, Failure> {
    use std::io::Write;
    let mut file = std::fs::File::options().write(true).create_new(true).open(&args.file).map_err(|e| {
        let help = if e.kind() == std::io::ErrorKind::AlreadyExists {
            "name another file, or remove this one"
        } else {
            "name a file in a folder that may be written"
        };
        Failure::usage(format!("`{}` cannot be written: {e}", crate::model::text::path(&args.file)), help)
    })?;
    file.write_all(crate::config::TEMPLATE.as_bytes()).map_err(|e| Failure::internal(e.to_string()))?;
    out(&format!("wrote {}; name your sources in it, then run `holdover audit --config {}`\n", args.file.display(), args.file.display()))?;
    Ok(0)
}
