//! One audit: from sealed snapshots to a committed run. A pure function of its inputs.

mod asked;
mod authorities;
pub mod completeness;
mod correlate;
pub mod drift;
mod entitled;
pub mod explain;
mod form;
mod history;
mod judge;
mod leavers;
mod needs;
pub mod output;
pub mod present;
pub mod settings;
pub mod steps;

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use judge::ACCESS_TABLES;
pub use settings::{Authority, CheckOverride, Gate, Settings, Sizes, SourcePolicy};

use crate::checks::{Check, CheckError, Grain};
use crate::engine::{Engine, Run, SparkError, System, catalog};
use crate::metrics::{self, TrendPoint};
use crate::model::*;
use crate::report::AsOfFrom;
use crate::resolve::SystemInput;
use crate::sql::{Catalog, Diagnostic, Literal, Query, compile};
use crate::store::{Current, Store, StoreError};
use authorities::authorities;

/// Why a run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{message}")]
    Config { message: String, help: String },
    #[error(transparent)]
    Spark(#[from] SparkError),
    #[error("{0}")]
    Internal(String),
}

impl AuditError {
    pub(crate) fn internal(e: impl std::fmt::Display) -> Self {
        Self::Internal(e.to_string())
    }
}

/// A check of this run, with its query as it runs.
#[derive(Debug)]
pub struct Prepared {
    pub check: Check,
    pub severity: Severity,
    /// The severity that the file states, where the configuration changed it.
    pub severity_was: Option<Severity>,
    pub enabled: bool,
    pub parameters: Vec<(String, String)>,
    pub reason: Option<String>,
    pub query: Query,
}

/// What one audit found, before it is written.
#[derive(Debug)]
pub struct Audit {
    pub id: String,
    pub as_of: Time,
    pub as_of_from: AsOfFrom,
    pub previous: Option<String>,
    /// `as_of` of the previous run.
    pub previous_as_of: Option<Time>,
    pub run: Run,
    pub prepared: Vec<Prepared>,
    pub outcomes: Vec<OutcomeRow>,
    pub findings: Vec<FindingRow>,
    pub exceptions: Vec<ExceptionMatchRow>,
    /// Findings (check, fingerprint) that counted in the previous run and are resolved in this one.
    pub resolved_now: BTreeSet<(String, String)>,
    /// Numbers with their definitions; the trend ends with the run before this one.
    pub metrics: metrics::Metrics,
    /// Snapshots later than `as_of`, by system.
    pub later: BTreeMap<String, u32>,
    /// Checks of the user's own that failed over the data, by id.
    pub broken: BTreeMap<String, CheckError>,
    /// Values that too many identities share to tie an account to any.
    pub crowded: usize,
}

/// Runs an audit over a store, here. Writes nothing.
///
/// # Errors
/// The store, the configuration, or a fault of holdover.
pub fn audit(store: &Store, settings: &Settings) -> Result<Audit, AuditError> {
    audit_on(&Engine::Embedded, store, settings)
}

/// As [`audit`], with the checks answered by that engine. Spark works in a folder of its own, and what it says is taken over whole or not at all.
///
/// # Errors
/// As [`audit`], and a Spark that does not do its work.
pub fn audit_on(engine: &Engine, store: &Store, settings: &Settings) -> Result<Audit, AuditError> {
    let stage = Stage::begin("plan");
    let names = store.systems()?;
    let (as_of, as_of_from) = as_of(store, &names, settings)?;
    let mut current = BTreeMap::new();
    for name in &names {
        current.insert(name.clone(), store.current(name, as_of)?);
    }
    let prepared = prepare(settings)?;
    let mut run = Run { as_of, ..Run::default() };
    let mut states = completeness::judge(&current, settings, as_of, as_of_from);
    let stage = stage.then("load");
    load(&mut run, &current, settings, &mut states)?;
    stage.rows(run.systems.iter().map(|s| s.accounts.len() + s.memberships.len() + s.grants.len()).sum());
    let stage = stage.then("drift");
    let drift = drift::drift(&run, &current, &states)?;
    (run.changes, run.edge_history) = (drift.changes, drift.edge_history);
    let stage = stage.then("resolve");
    let authorities = authorities(&run, &current, settings, &states)?;
    let resolved = correlate::resolve(&run.systems, &authorities, settings)?;
    let crowded = resolved.crowded.len();
    stage.rows(resolved.account_state.len());
    let stage = stage.then("relate");
    entitled::judge(&mut run, &authorities, &resolved, &current, settings)?;
    leavers::judge(&mut run, &authorities, &resolved, &leavers::Stored { current: &current, states: &states }, settings)?;
    run.identities = resolved.people.rows().to_vec();
    run.account_state = resolved.account_state;
    run.account_identity = resolved.account_identity;
    run.match_trace = resolved.match_trace;
    run.group_reach = resolved.group_reach;
    run.principal_risk = resolved.principal_risk;
    let people = resolved.people;
    asked::judge(&mut run, &people, settings)?;

    let stage = stage.then("past");
    let previous = output::previous_run(store, as_of)?;
    let past = previous.as_ref().map(|p| output::past(store, &p.id)).transpose()?.unwrap_or_default();
    let mut trend = output::trend(store, previous.as_ref())?;
    let id = run_id(as_of, &current, settings, &prepared, previous.as_ref(), &trend);
    let later = current.iter().filter(|(_, c)| c.later > 0).map(|(n, c)| (n.clone(), c.later)).collect();
    let unresolved = |f: &&FindingRow| f.state != FindingState::Resolved;
    let counted: BTreeSet<(String, String)> =
        past.findings.iter().filter(unresolved).map(|f| (f.check_id.clone(), f.fingerprint.clone())).collect();
    drop(stage);
    sound(&run)?;
    let judged = judge::judge(&run, &prepared, past, settings.sizes.partition, engine)?;
    let stage = Stage::begin("metrics");
    let mut resolved_now = counted;
    let gone: BTreeSet<(&str, &str)> = judged
        .findings
        .iter()
        .filter(|f| f.state == FindingState::Resolved)
        .map(|f| (f.check_id.as_str(), f.fingerprint.as_str()))
        .collect();
    resolved_now.retain(|(c, f)| gone.contains(&(c.as_str(), f.as_str())));
    let history = history::gather(&run, &current, &states, &people, &authorities, settings)?;
    let mut metrics = metrics::measure(&metrics::Input {
        run: &run,
        people: &people,
        findings: &judged.findings,
        exceptions: &judged.exceptions,
        history: &history,
        revoke_sla: settings.revoke_sla,
    });
    metrics.trend.append(&mut trend);
    drop(stage);
    sound(&run)?;
    Ok(Audit {
        id,
        as_of,
        as_of_from,
        previous_as_of: previous.as_ref().map(|p| p.as_of),
        previous: previous.map(|p| p.id),
        run,
        prepared,
        outcomes: judged.outcomes,
        findings: judged.findings,
        exceptions: judged.exceptions,
        resolved_now,
        metrics,
        later,
        broken: judged.broken,
        crowded,
    })
}

/// Whether everything that was asked of the snapshots could be read: a table may turn out damaged long after it was opened.
///
/// # Errors
/// The first table that could not.
fn sound(run: &Run) -> Result<(), StoreError> {
    let fault = run.systems.iter().chain(&run.past).find_map(System::fault);
    fault.map_or(Ok(()), |f| Err(f.again()))
}

/// The flag's or the configuration's instant, else that of the newest snapshot.
fn as_of(store: &Store, names: &[String], settings: &Settings) -> Result<(Time, AsOfFrom), AuditError> {
    if let Some(at) = settings.as_of {
        return Ok((at, AsOfFrom::Given));
    }
    let mut newest: Option<Time> = None;
    for name in names {
        newest = newest.max(store.snapshots(name)?.last().map(|s| s.manifest.taken_at));
    }
    newest.map(|t| (t, AsOfFrom::Derived)).ok_or_else(|| AuditError::Config {
        message: "the store holds no snapshot".to_owned(),
        help: "import an export first: `holdover import --store DIR --connector ID --system NAME FILES…`".to_owned(),
    })
}

/// What is wrong with the queries of checks and with the columns that they give, for all of them at once. Parameters stand at their defaults: a value of the right
/// type changes nothing about it.
pub fn faults(checks: &[Check]) -> Vec<CheckError> {
    let catalog = catalog();
    let defaults = |c: &Check| c.parameters.iter().map(|(k, p)| (k.clone(), p.default.clone())).collect();
    let of_one = |c: &Check| match compiled(c, &defaults(c), &catalog) {
        Ok(query) => form::faults(c, &query),
        Err(e) => vec![e],
    };
    checks.iter().flat_map(of_one).collect()
}

/// The query of a check, its grain proved.
fn compiled(check: &Check, values: &BTreeMap<String, Literal>, catalog: &Catalog) -> Result<Query, CheckError> {
    let fault = |d: &Diagnostic, message: String| CheckError {
        file: check.file.clone(),
        line: u64::from(d.line) + u64::from(check.query_offset),
        message,
        help: d.help.clone(),
    };
    let query = compile(&check.query, values, catalog)
        .map_err(|d| fault(&d, format!("check `{}`, column {}: {}", check.id, d.column, d.message)))?;
    if check.grain == Grain::Account {
        query.prove_account_grain().map_err(|d| fault(&d, format!("check `{}` is not of grain `account`: {}", check.id, d.message)))?;
    }
    Ok(query)
}

/// Compiles every check against the views, with the configured parameters.
fn prepare(settings: &Settings) -> Result<Vec<Prepared>, AuditError> {
    let catalog = catalog();
    let mut out = Vec::new();
    for check in &settings.checks {
        let over = settings.overrides.get(&check.id).cloned().unwrap_or_default();
        let help = "see `holdover checks show ID` for its parameters".to_owned();
        let values = check.values(&over.parameters).map_err(|message| AuditError::Config { message, help })?;
        let query = compiled(check, &values, &catalog).map_err(|e| AuditError::Config { message: e.to_string(), help: e.help.clone() })?;
        let parameters = values.iter().map(|(k, v)| (k.clone(), settings::shown(v))).collect();
        out.push(Prepared {
            severity: over.severity.unwrap_or(check.severity),
            severity_was: over.severity.filter(|s| *s != check.severity).map(|_| check.severity),
            enabled: over.enabled.unwrap_or(true),
            parameters,
            reason: over.reason,
            query,
            check: check.clone(),
        });
    }
    Ok(out)
}

fn load(
    run: &mut Run,
    current: &BTreeMap<String, Current>,
    settings: &Settings,
    states: &mut BTreeMap<String, completeness::State>,
) -> Result<(), AuditError> {
    let present: Vec<_> = current.values().filter_map(|c| c.now.as_ref()).collect();
    let digests = Stage::part("load", "digests");
    present.par_iter().try_for_each(|snapshot| snapshot.unaltered())?;
    drop(digests);
    run.systems = present
        .par_iter()
        .enumerate()
        .map(|(i, snapshot)| System::load(u32::try_from(i).unwrap_or(u32::MAX), snapshot, settings.sizes.held_rows))
        .collect::<Result<_, StoreError>>()?;
    completeness::register(states, &run.systems);
    let owners: BTreeMap<&str, &SystemRow> = run.systems.iter().flat_map(|s| &s.register).map(|r| (r.system.as_str(), r)).collect();
    run.seen = run.systems.iter().map(|s| seen(s, settings, states, owners.get(s.name.as_str()).copied())).collect();
    run.sources = completeness::rows(states, &run.systems, settings);
    Ok(())
}

fn seen(s: &System, settings: &Settings, states: &BTreeMap<String, completeness::State>, register: Option<&SystemRow>) -> RunSystemRow {
    let policy = settings.policy(&s.name);
    let state = states.get(&s.name);
    let covers: Vec<&str> = s.covers.iter().map(String::as_str).collect();
    RunSystemRow {
        system_ix: s.ix,
        system: s.name.clone(),
        connector: s.manifest.connector.clone(),
        snapshot: s.snapshot.clone(),
        observed_at: s.observed_at(),
        taken_at_from: s.manifest.taken_at_from.clone(),
        authority: !s.identities.is_empty() || s.covers.contains(IDENTITIES.name),
        team: policy.team.clone(),
        owner_ref: policy.owner.clone().or_else(|| register.and_then(|r| r.owner_ref.clone())),
        environment: policy.environment.clone().or_else(|| register.and_then(|r| r.environment.clone())),
        covers: covers.join(","),
        complete: state.is_some_and(|s| s.complete == Answer::Yes && s.within_rejects != Answer::No && s.in_step != Answer::No),
        fresh: state.map_or(Answer::Unknown, |s| s.fresh),
        expected: policy.expected,
        problems: state.and_then(completeness::State::problems),
    }
}

/// The rows of a system as the resolve stage takes them, all in memory: for the questions that need every row at once.
pub(super) fn system_input(s: &System) -> SystemInput {
    SystemInput {
        system_ix: s.ix,
        system: s.name.clone(),
        connector: s.manifest.connector.clone(),
        observed_at: s.observed_at(),
        covers: s.covers.clone(),
        accounts: s.accounts.all().into_owned(),
        groups: s.groups.clone(),
        memberships: s.memberships.all().into_owned(),
        entitlements: s.entitlements.clone(),
        statements: s.statements.clone(),
        grants: s.grants.all().into_owned(),
        credentials: s.credentials.all().into_owned(),
        resources: s.resources.clone(),
    }
}

pub(super) fn unusable(faults: &[crate::resolve::SettingsError]) -> AuditError {
    let help = faults.first().map(|f| f.help.clone()).unwrap_or_default();
    AuditError::Config { message: faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "), help }
}

/// `<as_of>-<8 hex of the digest of everything that the run is a function of>`.
fn run_id(
    as_of: Time,
    current: &BTreeMap<String, Current>,
    settings: &Settings,
    prepared: &[Prepared],
    previous: Option<&output::PreviousRun>,
    trend: &[TrendPoint],
) -> String {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    part(env!("CARGO_PKG_VERSION"));
    part(&as_of.to_string());
    for (name, c) in current {
        part(name);
        for s in c.before.iter().chain(&c.now) {
            part(&s.name);
            part(&s.manifest.input_digest);
            part(&s.manifest.taken_at_from);
        }
        part(&c.later.to_string());
    }
    part(&settings.digest_text());
    for p in prepared {
        part(&p.check.source);
        part(p.query.text());
    }
    if let Some(p) = previous {
        part(&p.id);
        part(&p.digest);
    }
    for point in trend {
        part(&format!("{point:?}"));
    }
    let hex = data_encoding::HEXLOWER.encode(&hash.finalize());
    format!("{}-{}", as_of.compact().to_ascii_lowercase(), hex.get(..8).unwrap_or_default())
}
