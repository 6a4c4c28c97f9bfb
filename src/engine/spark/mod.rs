//! Checks on Apache Spark: the same views and the same texts, put to the user's own `spark-sql` as one script over the store's Parquet.
//!
//! What comes before (who is who, what a group leads to) is computed here and handed over as the tables that a run keeps; what comes after (findings,
//! triage, metrics) goes on from the Parquet that Spark leaves. Nothing here opens a socket; what Spark does is Spark's.

mod process;
mod results;
mod script;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use process::Installation;

use self::script::{Needed, Places, result_name, system_name};
use super::Near;
use super::evaluate::{Answers, Asked, EvaluateError, Hit, Make, counted};
use super::{Run, System, Tables, turns};
use crate::model::{EXCEPTION_MATCHES, Stage};
use crate::store::table_file::write_batch;
use crate::store::work::Work;
use crate::store::{StoreError, write_file};

/// What answers the checks of a run.
#[derive(Debug)]
pub enum Engine {
    Embedded,
    Spark(Spark),
}

/// An installation of Spark, and where it works.
#[derive(Debug)]
pub struct Spark {
    pub installation: Installation,
    pub work: Work,
    /// The store, as an absolute path.
    pub store: PathBuf,
}

/// Why Spark gave no answers.
#[derive(Debug, thiserror::Error)]
pub enum SparkError {
    #[error("`{program}` cannot be started: {error}")]
    Start { program: String, error: std::io::Error },
    #[error("`{program}` {how}{}", quoted(last))]
    Failed { program: String, how: String, last: Vec<String>, log: String },
    #[error("Spark's result of check `{check}` cannot be used: {what}")]
    Result { check: String, what: String },
    #[error("Spark would not take the path `{0}` as it stands")]
    Path(String),
    #[error("{0}")]
    Internal(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn quoted(lines: &[String]) -> String {
    lines.iter().map(|l| format!("\n  | {l}")).collect()
}

impl SparkError {
    /// How to mend it.
    pub fn help(&self) -> String {
        match self {
            Self::Start { .. } => "name a `spark-sql` that runs here: `--spark-command FILE` or `--spark-home DIR`".to_owned(),
            Self::Failed { log, .. } => format!("all of what it said is in `{log}` until the next audit; nothing of it was taken over"),
            Self::Result { .. } => {
                "the store and `--spark-work` must be folders that Spark's driver and executors see under these paths".to_owned()
            }
            Self::Path(_) => "use folders whose paths are without `* ? [ ] { } \\ :` and control characters".to_owned(),
            Self::Internal(_) => "this is a fault of holdover; please report it with the message".to_owned(),
            Self::Store(e) => e.help().to_owned(),
        }
    }
}

/// Writes those of the run's own tables that are named to a folder.
pub type WriteTables<'a> = &'a dyn Fn(&Path, &BTreeSet<&'static str>) -> Result<(), StoreError>;

/// Folder of one script with all that belongs to it.
const PLACE: &str = "checks";

impl Spark {
    /// Puts checks to a run, all in one script. One result per check, in their order.
    ///
    /// # Errors
    /// Spark does not end well, what it leaves is not whole, or the disk refuses.
    pub fn answers(
        &self,
        asked: &[Asked<'_>],
        run: &Run,
        tables: &Tables<'_>,
        write: WriteTables<'_>,
        make: Make<'_>,
    ) -> Result<Vec<Result<Answers, EvaluateError>>, SparkError> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let place = self.work.fresh(PLACE)?;
        let own = self.work.fresh(&format!("{PLACE}/run"))?;
        let (snapshots, results) = (place.join("snapshots"), place.join("results"));
        let part = Stage::part("checks", "spark tables");
        let needed = Needed::of(asked)?;
        let text = script::script(asked, &needed, Places { snapshots: &snapshots, run: &own, results: &results })?;
        for table in &needed.snapshot {
            self.link(table, &run.systems, &snapshots.join(table))?;
        }
        write(&own, &needed.run)?;
        if needed.run.contains(EXCEPTION_MATCHES.name) {
            let matches = tables.batch(EXCEPTION_MATCHES.name).map_err(|e| SparkError::Internal(e.to_string()))?;
            let matches = matches.ok_or_else(|| SparkError::Internal("the exceptions are not judged yet".to_owned()))?;
            write_batch(&own, EXCEPTION_MATCHES.name, &matches)?;
        }
        let file = place.join("checks.sql");
        write_file(&file, text.as_bytes())?;
        drop(part);
        let part = Stage::part("checks", "spark");
        self.installation.run(&self.work, &file, &script::address(&place.join("warehouse"))?)?;
        drop(part);
        let _part = Stage::part("checks", "spark results");
        let read = |i: usize| asked.get(i).map(|a| answer(i, a, &results, make));
        let answers = turns::in_turn(asked.len(), read).into_iter().flatten().collect::<Result<Vec<_>, _>>()?;
        self.work.clear(PLACE)?;
        Ok(answers)
    }
}

impl Spark {
    /// Puts the files of one table together in a folder, so that Spark reads them as one table in few tasks. Those without rows are left out, but for
    /// one that tells the columns.
    fn link(&self, table: &str, systems: &[System], to: &Path) -> Result<(), SparkError> {
        let has_rows = |s: &&System| s.manifest.tables.iter().any(|t| t.name == table && t.rows > 0);
        let mut linked: Vec<&System> = systems.iter().filter(has_rows).collect();
        if linked.is_empty() {
            linked.extend(systems.first());
        }
        let file = format!("{table}.parquet");
        for s in linked {
            let sealed = self.store.join("snapshots").join(&s.name).join(&s.snapshot).join(&file);
            self.work.link(&sealed, &to.join(system_name(s.ix)).join(&file))?;
        }
        Ok(())
    }
}

/// What Spark says to one check.
fn answer(i: usize, asked: &Asked<'_>, results: &Path, make: Make<'_>) -> Result<Result<Answers, EvaluateError>, SparkError> {
    let unusable = |what: String| SparkError::Result { check: asked.check.id.clone(), what };
    let tally = results::read(&results.join(result_name(i)), asked.query.outputs(), &asked.systems).map_err(unusable)?;
    Ok(counted(&tally, &asked.systems, &|hit: &Hit| make(i, &Near::default(), hit)))
}
