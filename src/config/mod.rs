//! The configuration, `holdover.toml`: read as written, judged as a whole, every mistake reported at once.
//!
//! ```text
//! text ─▶ raw (keys, types, places) ─▶ source, valid (meaning) ─▶ Config ─▶ files (patterns → imports, sidecars)
//! ```
//!
//! Nothing here reads a flag, a clock or an export; [`KEYS`] is the one list of what may be written.

mod files;
mod init;
mod keys;
mod mistake;
mod pattern;
mod raw;
mod sidecar;
mod source;
#[cfg(test)]
mod tests;
mod valid;
mod values;

use std::path::Path;

use sha2::{Digest, Sha256};

pub use files::{Expanded, Import, ImportFile, MissingSource, TakenAt, expand};
pub use init::TEMPLATE;
pub use keys::{KEYS, Key, SECTIONS, Section, reference_page};
pub use mistake::{ConfigError, Mistake, Position};
pub use pattern::Pattern;
pub use sidecar::{NOT_STATED, Provenance, SUFFIX as SIDECAR_SUFFIX, path_of as sidecar_path};
pub use source::{Source, TakenAtRule, Team};
pub use valid::{
    Authority, Config, EntitlementAlias, Gate, IdentityLink, KindPattern, LifecycleEvent, LinkColumn, LinkEnd, Override, PrivilegedGroup,
};
pub use values::{NamePattern, Systems, Template, ValueError, duration, system_name, taken_at};

/// What the rest of the program knows, against which names in the configuration are checked.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Ids of the connectors.
    pub connectors: &'a [&'a str],
    /// Ids of the checks, the user's own among them; `None`: not known here, so no name is judged.
    pub checks: Option<&'a [&'a str]>,
    /// Whether a check takes a value for a parameter: check, name, value.
    pub parameter: &'a dyn Fn(&str, &str, &toml::Value) -> Result<(), String>,
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// The file cannot be read, or has mistakes: all of them. The file is shown as `path` names it.
    pub fn load(path: &Path, known: &Known<'_>) -> Result<Self, ConfigError> {
        let name = mistake::show_path(path);
        let text = sidecar::read_text(path).map_err(|message| {
            let help = "name a readable file of UTF-8 text; `holdover init` writes one";
            ConfigError::new(&name, vec![Mistake::new("unreadable", Position::default(), message, help)])
        })?;
        Self::parse(&text, &name, known)
    }

    /// Reads the text of a configuration that is called `name`.
    ///
    /// # Errors
    /// All its mistakes.
    pub fn parse(text: &str, name: &str, known: &Known<'_>) -> Result<Self, ConfigError> {
        let mut mistakes = mistake::Mistakes::new(text, None);
        let config = valid::read(text, name, Sha256::digest(text.as_bytes()).into(), known, &mut mistakes);
        if mistakes.list.is_empty() { Ok(config) } else { Err(ConfigError::new(name, mistakes.list)) }
    }
}
