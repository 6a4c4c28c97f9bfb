//! Errors by whose fault they are, each with its exit code.

use std::fmt;

use crate::audit::AuditError;
use crate::checks::CheckError;
use crate::config::ConfigError;
use crate::connectors::ConnectorError;
use crate::engine::SparkError;
use crate::ingest::ImportError;
use crate::store::StoreError;

/// Exit codes: 2 usage or configuration, 3 incomplete input, 4 could not finish.
pub const USAGE: u8 = 2;
pub const INPUT: u8 = 3;
pub const INTERNAL: u8 = 4;

/// What a person reads when a command fails.
#[derive(Debug)]
pub struct Failure {
    pub exit: u8,
    text: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::report::visible_lines(&self.text).join("\n"))
    }
}

impl Failure {
    fn new(exit: u8, code: &str, message: &str, place: Option<&str>, help: &str) -> Self {
        let place = place.map(|p| format!("\n  --> {p}")).unwrap_or_default();
        let help = if help.is_empty() { String::new() } else { format!("\n  help: {help}") };
        Self { exit, text: format!("error[{code}]: {message}{place}{help}") }
    }

    /// The person's mistake on the command line.
    pub fn usage(message: impl AsRef<str>, help: &str) -> Self {
        Self::new(USAGE, "usage", message.as_ref(), None, help)
    }

    /// A fault of holdover or of the machine.
    pub fn internal(message: impl AsRef<str>) -> Self {
        Self::new(INTERNAL, "internal", message.as_ref(), None, "")
    }

    /// The user's Spark is not there or did not do its work.
    pub fn spark(message: impl AsRef<str>, help: &str) -> Self {
        Self::new(INTERNAL, "engine/spark", message.as_ref(), None, help)
    }

    /// Several mistakes at once.
    pub fn all(exit: u8, parts: &[String]) -> Self {
        Self { exit, text: parts.join("\n") }
    }
}

impl From<StoreError> for Failure {
    fn from(e: StoreError) -> Self {
        let (exit, code) = match &e {
            StoreError::Refused { .. } => (USAGE, "store/refused"),
            StoreError::Locked | StoreError::Busy { .. } => (INTERNAL, "store/locked"),
            StoreError::Damaged { .. } => (INTERNAL, "store/damaged"),
            StoreError::Newer { .. } => (INTERNAL, "store/newer-format"),
            StoreError::Io { .. } => (INTERNAL, "store/io"),
            StoreError::Internal { .. } => (INTERNAL, "internal"),
        };
        Self::new(exit, code, &e.to_string(), None, e.help())
    }
}

impl From<ConnectorError> for Failure {
    fn from(e: ConnectorError) -> Self {
        match e {
            ConnectorError::Options { message, help } => Self::new(USAGE, "config/options", &message, None, &help),
            ConnectorError::File { file, error } => {
                let place = error.at.map_or_else(|| file.clone(), |n| format!("{file}:{n}"));
                Self::new(INPUT, error.code, &error.message, Some(&place), &error.help)
            }
        }
    }
}

impl From<ImportError> for Failure {
    fn from(e: ImportError) -> Self {
        match e {
            ImportError::NoConnector(id) => {
                let known: Vec<&str> = crate::connectors::ALL.iter().map(|c| c.id()).collect();
                Self::usage(format!("`{id}` is not a connector"), &format!("one of {}", known.join(", ")))
            }
            ImportError::Connector(e) => e.into(),
            ImportError::Store(e) => e.into(),
        }
    }
}

impl From<AuditError> for Failure {
    fn from(e: AuditError) -> Self {
        match e {
            AuditError::Store(e) => e.into(),
            AuditError::Config { message, help } => Self::new(USAGE, "config", &message, None, &help),
            AuditError::Spark(e) => e.into(),
            AuditError::Internal(message) => Self::internal(message),
        }
    }
}

impl From<SparkError> for Failure {
    fn from(e: SparkError) -> Self {
        match e {
            SparkError::Store(e) => e.into(),
            SparkError::Path(_) => Self::usage(e.to_string(), &e.help()),
            _ => Self::spark(e.to_string(), &e.help()),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(e: ConfigError) -> Self {
        Self { exit: USAGE, text: e.to_string() }
    }
}

impl From<Vec<CheckError>> for Failure {
    fn from(errors: Vec<CheckError>) -> Self {
        let parts: Vec<String> = errors.iter().map(|e| Self::new(USAGE, "check", &e.message, Some(&place(e)), &e.help).text).collect();
        Self::all(USAGE, &parts)
    }
}

/// Where a check is at fault: its file, and the line where one is known.
fn place(e: &CheckError) -> String {
    if e.line == 0 { e.file.clone() } else { format!("{}:{}", e.file, e.line) }
}
