//! Import: the files of one system at one instant become one sealed snapshot.

use std::path::PathBuf;

use crate::connectors::{self, Connector, ConnectorError, Context, Draft, Input, InputError, Limits};
use crate::model::{Population, Time};
use crate::store::{Provenance, Sealed, Sealing, Snapshot, Store, StoreError, Writer};

/// One import, as the command line or the configuration asks for it.
#[derive(Clone, Debug)]
pub struct Job {
    pub connector: String,
    /// Shown names and paths, sorted by name.
    pub files: Vec<(String, PathBuf)>,
    pub taken_at: Option<(Time, &'static str)>,
    pub context: Context,
    /// One for each file.
    pub provenance: Vec<Provenance>,
    /// Records that all files together must have.
    pub control_total: Option<u64>,
    pub supersede: bool,
}

/// Why an import failed.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("`{0}` is not a connector")]
    NoConnector(String),
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A job whose files were read, or found to be sealed already.
#[derive(Debug)]
pub enum Read {
    Draft { inputs: Vec<Input>, draft: Box<Draft> },
    Already(Box<Snapshot>),
}

/// How an import ended.
#[derive(Debug)]
pub struct Imported {
    pub snapshot: Snapshot,
    /// Sealed now; `false`: the same bytes were sealed before.
    pub new: bool,
}

impl Job {
    fn sealing<'a>(&'a self, files: &'a [Input], options: &'a str) -> Sealing<'a> {
        Sealing {
            system: &self.context.system,
            connector: &self.connector,
            taken_at: self.taken_at,
            population: self.context.population,
            control_total: self.control_total,
            files,
            provenance: &self.provenance,
            options,
            supersede: self.supersede,
        }
    }

    /// Everything of the source's settings that decides what its bytes mean.
    fn options_text(&self) -> String {
        let zone = self.context.timezone.as_ref().and_then(|z| z.iana_name().map(str::to_owned)).unwrap_or_default();
        let population = self.context.population.as_ref().map(Population::to_string).unwrap_or_default();
        let keyed = self.context.fingerprint_key.is_some();
        format!("{}|{zone}|{population}|{}|{keyed}", self.context.options, self.context.end_is_last_day)
    }

    /// Measures and reads the files. Touches nothing in the store; may run beside other reads.
    ///
    /// # Errors
    /// An unknown connector, a file that cannot be read or trusted, wrong options.
    pub fn read(&self, store: &Store) -> Result<Read, ImportError> {
        let connector: &dyn Connector =
            connectors::find(&self.connector).ok_or_else(|| ImportError::NoConnector(self.connector.clone()))?;
        let found = self.found()?;
        let options = self.options_text();
        // Only where a snapshot of files of these sizes is there can they be sealed already.
        let measured = if store.has_sizes(&self.context.system, &found)? { Some(measure(&found)?) } else { None };
        if let Some(inputs) = &measured
            && let Some(snapshot) = store.already(&self.sealing(inputs, &options))?
        {
            return Ok(Read::Already(Box::new(snapshot)));
        }
        let context = Context { scratch: store.scratch(), ..self.context.clone() };
        let (inputs, draft) = match measured {
            Some(inputs) => {
                let draft = connector.read(&inputs, &context);
                (Ok(inputs), draft)
            }
            // The digest is taken while the files are read.
            None => std::thread::scope(|scope| {
                let measuring = scope.spawn(|| measure(&found));
                let draft = connector.read(&found, &context);
                (measuring.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), draft)
            }),
        };
        let (inputs, draft) = (inputs?, draft?);
        for (before, after) in inputs.iter().zip(measure(&found)?) {
            if before.sha256 != after.sha256 {
                let error =
                    InputError::new("input/changed", "changed while it was read", "wait until the export is written, then import again");
                return Err(ConnectorError::file(before, error).into());
            }
        }
        Ok(Read::Draft { inputs, draft: Box::new(draft) })
    }

    fn found(&self) -> Result<Vec<Input>, ConnectorError> {
        let one = |(name, path): &(String, PathBuf)| {
            Input::found(name.clone(), path.clone(), Limits::default()).map_err(|error| ConnectorError::File { file: name.clone(), error })
        };
        self.files.iter().map(one).collect()
    }

    /// Seals what was read.
    ///
    /// # Errors
    /// See [`Store::seal`].
    pub fn seal(&self, store: &Store, writer: &Writer, read: Read) -> Result<Imported, ImportError> {
        let (inputs, draft) = match read {
            Read::Already(snapshot) => return Ok(Imported { snapshot: *snapshot, new: false }),
            Read::Draft { inputs, draft } => (inputs, draft),
        };
        let options = self.options_text();
        Ok(match store.seal(writer, &self.sealing(&inputs, &options), *draft)? {
            Sealed::New(snapshot) => Imported { snapshot: *snapshot, new: true },
            Sealed::Already(snapshot) => Imported { snapshot: *snapshot, new: false },
        })
    }
}

fn measure(files: &[Input]) -> Result<Vec<Input>, ConnectorError> {
    files.iter().map(|file| file.measured().map_err(|error| ConnectorError::file(file, error))).collect()
}
