//! What a run leaves behind, and what it reads of earlier ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{Audit, AuditError};
use crate::engine::Run;
use crate::engine::tables::approvals;
use crate::metrics::TrendPoint;
use crate::model::*;
use crate::report::{self, Report};
use crate::store::table_file::{self, TableEntry, digest, read, write_batches, write_whole_accounts};
use crate::store::{Store, StoreError, Writer, versioned, write_file};

/// `run.json`: what the run stood on and which files it wrote.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct RunManifest {
    pub format: u32,
    pub tool_version: String,
    pub run: String,
    pub as_of: Time,
    pub as_of_from: String,
    pub previous: Option<String>,
    pub exit_code: u8,
    pub snapshots: Vec<Cited>,
    pub files: Vec<TableEntry>,
}

/// A snapshot that a run stood on.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Cited {
    pub system: String,
    pub snapshot: String,
    /// SHA-256 of its manifest, hex.
    pub manifest: String,
}

/// A check as a run used it: `rules.json`.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct StoredRule {
    pub id: String,
    pub title: String,
    pub severity: Severity,
    pub confidence: String,
    pub grain: String,
    pub description: String,
    pub remedy: String,
    pub false_positives: String,
    pub controls: Vec<String>,
    pub parameters: Vec<(String, String)>,
    pub rule_text: String,
}

/// The newest committed run before an instant.
#[derive(Clone, Debug)]
pub struct PreviousRun {
    pub id: String,
    pub as_of: Time,
    /// Digest of its findings.
    pub digest: String,
}

/// What a run takes over from the one before.
#[derive(Debug, Default)]
pub struct Past {
    pub findings: Vec<FindingRow>,
    /// Exceptions met, with the `as_of` of the first run that did.
    pub first_seen: BTreeMap<String, Time>,
}

/// The manifest of a committed run.
///
/// # Errors
/// It is missing, damaged, or of a newer format.
pub fn manifest(store: &Store, run: &str) -> Result<RunManifest, StoreError> {
    versioned(&store.run_dir(run).join("run.json"))
}

/// The newest committed run whose `as_of` is strictly earlier; of several with one `as_of` the last by name.
///
/// # Errors
/// A run cannot be read.
pub fn previous_run(store: &Store, as_of: Time) -> Result<Option<PreviousRun>, StoreError> {
    let mut newest: Option<PreviousRun> = None;
    for id in store.runs()? {
        let manifest = manifest(store, &id)?;
        if manifest.as_of >= as_of || newest.as_ref().is_some_and(|n| n.as_of > manifest.as_of) {
            continue;
        }
        let findings = manifest.files.iter().find(|f| f.name == FINDINGS.name);
        newest = Some(PreviousRun { id, as_of: manifest.as_of, digest: findings.map(|f| f.sha256.clone()).unwrap_or_default() });
    }
    Ok(newest)
}

/// Findings and exceptions of a committed run.
///
/// # Errors
/// A table is missing or damaged.
pub fn past(store: &Store, run: &str) -> Result<Past, StoreError> {
    let dir = store.run_dir(run);
    let matches: Vec<ExceptionMatchRow> = read(&dir)?;
    Ok(Past { findings: read(&dir)?, first_seen: matches.into_iter().map(|m| (m.exception, m.first_seen)).collect() })
}

/// The counts of earlier runs, oldest first: the previous one, the one before that, as far as they are still stored.
///
/// # Errors
/// A stored summary cannot be read.
pub fn trend(store: &Store, previous: Option<&PreviousRun>) -> Result<Vec<TrendPoint>, StoreError> {
    let mut out = Vec::new();
    let mut next = previous.map(|p| p.id.clone());
    while let Some(run) = next.filter(|run| store.run_dir(run).is_dir()) {
        let manifest = manifest(store, &run)?;
        let path = store.run_dir(&run).join("summary.json");
        let bytes = fs::read(&path).map_err(|e| StoreError::io(&path, e))?;
        let totals = report::json::summary_totals(&bytes).map_err(|e| StoreError::damaged(&path, e.to_string()))?;
        out.push(report::trend_point(&run, manifest.as_of, &totals));
        next = manifest.previous;
    }
    out.reverse();
    Ok(out)
}

/// Where a run lies and whether it was written now.
#[derive(Debug)]
pub struct Committed {
    pub dir: PathBuf,
    pub new: bool,
}

/// Writes a run, all at once. One whose id exists is not written again.
///
/// # Errors
/// The disk, or a report that cannot be rendered.
pub fn commit(store: &Store, writer: &Writer, audit: &Audit, report: &Report) -> Result<Committed, AuditError> {
    let dir = store.run_dir(&audit.id);
    if dir.is_dir() {
        return Ok(Committed { dir, new: false });
    }
    let staged = store.stage(writer, &format!("run-{}", audit.id))?;
    let written = fill(store, &staged, audit, report).and_then(|()| Ok(store.commit(writer, &staged, &dir)?));
    if written.is_err() {
        // What is half written only takes room; if it cannot go either, the next writer clears it.
        drop(fs::remove_dir_all(&staged));
    }
    written.map(|()| Committed { dir, new: true })
}

/// Writes every file of a run.
fn fill(store: &Store, staged: &Path, audit: &Audit, report: &Report) -> Result<(), AuditError> {
    let mut files = tables(staged, audit)?;
    files.extend(texts(staged, audit, report)?);
    let mut snapshots = Vec::new();
    for s in &audit.run.systems {
        let path = store.root().join("snapshots").join(&s.name).join(&s.snapshot).join("manifest.json");
        snapshots.push(Cited { system: s.name.clone(), snapshot: s.snapshot.clone(), manifest: digest(&path)?.1 });
    }
    let manifest = RunManifest {
        format: crate::store::manifest::FORMAT,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        run: audit.id.clone(),
        as_of: audit.as_of,
        as_of_from: audit.as_of_from.as_str().to_owned(),
        previous: audit.previous.clone(),
        exit_code: report.verdict.exit_code,
        snapshots,
        files,
    };
    let text = serde_json::to_string_pretty(&manifest).map_err(AuditError::internal)?;
    write_file(&staged.join("run.json"), format!("{text}\n").as_bytes())?;
    Ok(())
}

fn write<R: Row>(dir: &Path, rows: &[R]) -> Result<TableEntry, StoreError> {
    let part = Stage::part("write", R::TABLE.name);
    part.rows(rows.len());
    table_file::write(dir, rows)
}

fn tables(dir: &Path, audit: &Audit) -> Result<Vec<TableEntry>, StoreError> {
    let mut out = write_run(dir, &audit.run, &|_| true)?;
    out.push(write(dir, &audit.exceptions)?);
    out.push(write(dir, &audit.findings)?);
    out.push(write(dir, &audit.outcomes)?);
    Ok(out)
}

/// Writes those of a run's tables that are wanted and made before its checks are asked.
///
/// # Errors
/// The disk, or Arrow refuses the rows.
pub fn write_run(dir: &Path, run: &Run, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<TableEntry>, StoreError> {
    type Written<'r> = Box<dyn Fn() -> Result<TableEntry, StoreError> + Send + Sync + 'r>;
    let mut all: Vec<Written<'_>> = Vec::new();
    macro_rules! tables {
        ($($rows:expr),*) => { $(if wanted(name_of($rows)) { all.push(Box::new(|| write(dir, $rows))); })* };
    }
    tables!(&run.seen, &run.identities, &run.account_state, &run.account_identity, &run.match_trace, &run.group_reach, &run.changes);
    if wanted(EDGE_HISTORY.name) {
        all.push(Box::new(|| write_batches(dir, &EDGE_HISTORY, run.edge_history.batches())));
    }
    tables!(&run.log_coverage);
    if wanted(APPROVALS.name) {
        all.push(Box::new(|| write_approvals(dir, run)));
    }
    tables!(&run.revocations, &run.roles_seen, &run.role_fit, &run.movers, &run.mover_access);
    tables!(&run.leaver_reach, &run.principal_risk, &run.sources);
    all.into_par_iter().map(|table| table()).collect()
}

fn write_approvals(dir: &Path, run: &Run) -> Result<TableEntry, StoreError> {
    let part = Stage::part("write", APPROVALS.name);
    let batches = approvals(run).map(|b| b.map_err(|e| StoreError::internal(APPROVALS.name, e)));
    let written = write_whole_accounts(dir, &APPROVALS, batches)?;
    part.rows(usize::try_from(written.rows).unwrap_or(usize::MAX));
    Ok(written)
}

fn name_of<R: Row>(_: &[R]) -> &'static str {
    R::TABLE.name
}

/// The rules as run, the report in every format, and the small summary.
fn texts(dir: &Path, audit: &Audit, report: &Report) -> Result<Vec<TableEntry>, AuditError> {
    let _part = Stage::part("write", "texts");
    let put = |name: &str, text: &str| -> Result<TableEntry, AuditError> {
        let path = dir.join(name);
        write_file(&path, text.as_bytes())?;
        let (bytes, sha256) = digest(&path)?;
        Ok(TableEntry { name: name.to_owned(), rows: 0, row_groups: 0, bytes, sha256 })
    };
    let mut rules = String::new();
    for p in &audit.prepared {
        rules.push_str(&format!("-- check {}\n{}\n;\n\n", p.check.id, p.query.text().trim_end().trim_end_matches(';')));
    }
    let stored: Vec<StoredRule> = audit.prepared.iter().map(stored_rule).collect();
    type Text<'t> = (&'static str, Box<dyn Fn() -> Result<String, AuditError> + Send + Sync + 't>);
    let texts: [Text<'_>; 8] = [
        ("checks.sql", Box::new(|| Ok(rules.clone()))),
        ("rules.json", Box::new(|| serde_json::to_string_pretty(&stored).map_err(AuditError::internal))),
        ("views.sql", Box::new(|| Ok(crate::engine::VIEWS_SQL.to_owned()))),
        ("report.json", Box::new(|| report::json::report_v1(report).map_err(AuditError::internal))),
        ("metrics.json", Box::new(|| report::json::metrics_v1(report).map_err(AuditError::internal))),
        ("report.html", Box::new(|| report::html(report).map_err(AuditError::internal))),
        ("findings.csv", Box::new(|| Ok(report::canonical_csv(report)))),
        ("findings.spreadsheet.csv", Box::new(|| Ok(report::spreadsheet_csv(report).text))),
    ];
    // One after the other they took as long as the checks.
    let mut out = texts.par_iter().map(|(name, text)| put(name, &text()?)).collect::<Result<Vec<_>, AuditError>>()?;
    let written: Vec<report::json::WrittenFile> =
        out.iter().map(|f| report::json::WrittenFile { name: f.name.clone(), sha256: f.sha256.clone(), size: f.bytes }).collect();
    let summary = report::json::summary(report, &written).map_err(AuditError::internal)?;
    let path = dir.join("summary.json");
    write_file(&path, summary.as_bytes())?;
    let (bytes, sha256) = digest(&path)?;
    out.push(TableEntry { name: "summary.json".to_owned(), rows: 0, row_groups: 0, bytes, sha256 });
    Ok(out)
}

fn stored_rule(p: &super::Prepared) -> StoredRule {
    StoredRule {
        id: p.check.id.clone(),
        title: p.check.title.clone(),
        severity: p.severity,
        confidence: p.check.confidence.as_str().to_owned(),
        grain: p.check.grain.as_str().to_owned(),
        description: p.check.description.clone(),
        remedy: p.check.remedy.clone(),
        false_positives: p.check.false_positives.clone(),
        controls: p.check.controls.clone(),
        parameters: p.parameters.clone(),
        rule_text: p.query.text().to_owned(),
    }
}
