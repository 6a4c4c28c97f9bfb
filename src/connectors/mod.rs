//! Connectors: each reads one vendor's export and writes nothing (`docs/architecture.md`).

pub mod aws_iam;
pub mod draft;
mod fingerprint;
pub mod input;
mod keys;
pub mod ldif;
pub mod okta;
pub mod parallel;
pub mod pile;
mod shelf;
pub mod tabular;
pub mod vault;

use jiff::tz::TimeZone;

pub use draft::{Draft, DraftChild, DraftCredential, DraftGrant, DraftMembership, Drafted, Fault, FileLedger, Origin, Principal, Reject};
use fingerprint::fingerprint;
pub use input::{Input, InputError, Limits, Lines};
pub use pile::{Pile, Scratch};

use crate::model::Population;

/// What the configuration says of the source being read. A connector sees no flag and no clock.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The system's name.
    pub system: String,
    /// The connector's own options (`[source.options]`), still unchecked: the connector refuses what it does not know.
    pub options: toml::Table,
    /// Zone of dates and times that carry none.
    pub timezone: Option<TimeZone>,
    /// What a people list holds.
    pub population: Option<Population>,
    /// An end date names the last day in (`true`, the default) or the first day out.
    pub end_is_last_day: bool,
    /// Key for fingerprints of secret values; without it none is kept.
    pub fingerprint_key: Option<Vec<u8>>,
    /// Where to put what does not fit into memory.
    pub scratch: Scratch,
}

/// A fault that stops an import: which file, and what.
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    #[error("`{file}`: {error}")]
    File {
        file: String,
        #[source]
        error: InputError,
    },
    /// A mistake in the source's options: exit code 2.
    #[error("{message}")]
    Options { message: String, help: String },
}

impl ConnectorError {
    pub fn file(input: &Input, error: InputError) -> Self {
        Self::File { file: input.name.clone(), error }
    }
}

/// One connector: an id, a page, and a reader.
pub trait Connector: Sync {
    /// Its name in the configuration.
    fn id(&self) -> &'static str;
    /// One line for `connectors list`.
    fn title(&self) -> &'static str;
    /// Its Markdown page: export commands, fields read, fields ignored, known gaps.
    fn page(&self) -> &'static str;
    /// Reads all files of one import together.
    ///
    /// A bad record becomes a [`Reject`] and the file goes on. A file of which nothing can be trusted (truncated JSON,
    /// a broken archive) is an error; so is an option that is wrong.
    ///
    /// # Errors
    /// See [`ConnectorError`].
    fn read(&self, files: &[Input], context: &Context) -> Result<Draft, ConnectorError>;
}

/// Every connector, by id.
pub static ALL: &[&dyn Connector] = &[&aws_iam::AWS_IAM, &ldif::LDIF, &okta::OKTA, &tabular::TABULAR, &vault::VAULT];

/// The connector of an id.
pub fn find(id: &str) -> Option<&'static dyn Connector> {
    ALL.iter().copied().find(|c| c.id() == id)
}
