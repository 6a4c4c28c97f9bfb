//! One audit: from sealed snapshots to a committed run. A pure function of its inputs.

mod asked;
pub mod completeness;
pub mod drift;
mod entitled;
pub mod explain;
mod form;
mod history;
mod leavers;
mod needs;
pub mod output;
pub mod present;
pub mod settings;
mod turns;

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

pub use settings::{Authority, CheckOverride, Gate, Settings, Sizes, SourcePolicy};

use crate::checks::{Check, CheckError, Grain};
use crate::engine::{Frames, Run, System, Wanted, catalog, evaluate, findings, frame_of};
use crate::metrics::{self, TrendPoint};
use crate::model::*;
use crate::report::AsOfFrom;
use crate::resolve::{AuthorityInput, PastPeople, Resolved, SystemInput};
use crate::sql::{Catalog, Diagnostic, Literal, Query, compile};
use crate::store::{Current, Store, StoreError};
use crate::triage::{self, Closing};

/// Why a run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{message}")]
    Config { message: String, help: String },
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

/// Runs an audit over a store. Writes nothing.
///
/// # Errors
/// The store, the configuration, or a fault of holdover.
pub fn audit(store: &Store, settings: &Settings) -> Result<Audit, AuditError> {
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
    let world = World { systems: systems(&run), authorities: authorities(&run, &current, settings, &states)? };
    let resolved = resolve(&world.systems, &world.authorities, settings)?;
    let crowded = resolved.crowded.len();
    stage.rows(resolved.account_state.len());
    let stage = stage.then("relate");
    asked::judge(&mut run, &world, &resolved, settings);
    entitled::judge(&mut run, &world, &resolved, &current, settings)?;
    leavers::judge(&mut run, &world, &resolved, &leavers::Stored { current: &current, states: &states }, settings)?;
    // The copies of the systems' rows go before the views are built.
    let World { systems, authorities } = world;
    drop(systems);
    run.identities = resolved.people.rows().to_vec();
    run.account_state = resolved.account_state;
    run.account_identity = resolved.account_identity;
    run.match_trace = resolved.match_trace;
    run.group_reach = resolved.group_reach;
    run.principal_risk = resolved.principal_risk;
    let people = resolved.people;

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
    let judged = judge(&run, &prepared, past)?;
    let stage = Stage::begin("metrics");
    let mut resolved_now = counted;
    let gone: BTreeSet<(&str, &str)> = judged
        .findings
        .iter()
        .filter(|f| f.state == FindingState::Resolved)
        .map(|f| (f.check_id.as_str(), f.fingerprint.as_str()))
        .collect();
    resolved_now.retain(|(c, f)| gone.contains(&(c.as_str(), f.as_str())));
    let history = history::gather(&run, &current, &states, &authorities, settings)?;
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

/// The rows of a run as the resolve stage takes them.
pub(super) struct World {
    pub systems: Vec<SystemInput>,
    pub authorities: Vec<AuthorityInput>,
}

fn systems(run: &Run) -> Vec<SystemInput> {
    run.systems.iter().map(system_input).collect()
}

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

/// What every authority says, and said before.
fn authorities(
    run: &Run,
    current: &BTreeMap<String, Current>,
    settings: &Settings,
    states: &BTreeMap<String, completeness::State>,
) -> Result<Vec<AuthorityInput>, AuditError> {
    let mut authorities = Vec::new();
    for s in run.systems.iter().filter(|s| s.covers.contains(IDENTITIES.name)) {
        let all = Authority { kinds: Vec::new(), joiners: true, leavers: true };
        let speaks = match &settings.authorities {
            Some(configured) => match configured.get(&s.name) {
                Some(authority) => authority,
                None => continue,
            },
            None => &all,
        };
        let mut history = Vec::new();
        let mut log = entitled::MoveLog::default();
        for old in current.get(&s.name).map(|c| c.before.as_slice()).unwrap_or_default() {
            if states.get(&s.name).is_some_and(|st| st.complete_before.contains(&old.name)) {
                let (identities, employments) =
                    heard(speaks, crate::store::table_file::read(&old.dir)?, crate::store::table_file::read(&old.dir)?);
                log.add(old.manifest.taken_at, &identities, &crate::store::table_file::read::<LifecycleRow>(&old.dir)?);
                history.push(PastPeople { observed_at: old.manifest.taken_at, identities, employments });
            }
        }
        let (mut identities, mut employments) = heard(speaks, s.identities.clone(), s.employments.clone());
        log.add(s.observed_at(), &identities, &s.lifecycle);
        if states.get(&s.name).is_some_and(completeness::State::lacks_records)
            && let Some(last) = history.last()
        {
            stand_in(&mut identities, &mut employments, last);
        }
        authorities.push(AuthorityInput {
            system_ix: s.ix,
            system: s.name.clone(),
            observed_at: s.observed_at(),
            // Whoever does not speak for leavers says nothing by leaving somebody out.
            population: if speaks.leavers { s.manifest.population.unwrap_or_default() } else { Population::All },
            kinds: speaks.kinds.clone(),
            identities,
            employments,
            history,
            moves: log.moves(),
        });
    }
    Ok(authorities)
}

fn resolve(systems: &[SystemInput], authorities: &[AuthorityInput], settings: &Settings) -> Result<Resolved, AuditError> {
    crate::resolve::resolve(systems, authorities, &settings.resolve).map_err(|f| unusable(&f))
}

/// An authority's records without the events that it does not speak for.
fn heard(
    speaks: &Authority,
    mut identities: Vec<IdentityRow>,
    mut employments: Vec<EmploymentRow>,
) -> (Vec<IdentityRow>, Vec<EmploymentRow>) {
    if !speaks.leavers {
        for i in identities.iter_mut().filter(|i| i.status == IdentityStatus::Left) {
            i.status = IdentityStatus::Unknown;
        }
        for e in &mut employments {
            (e.ends_at, e.end_known_at, e.ended_undated) = (None, None, false);
        }
    }
    if !speaks.joiners {
        for e in &mut employments {
            (e.starts_at, e.start_known_at) = (None, None);
        }
    }
    (identities, employments)
}

/// A people list that lacks records says nothing of whom it leaves out: they stand as the last complete one had them, neither left nor
/// unknown. Ordinals are made anew, in the order of the native ids.
fn stand_in(identities: &mut Vec<IdentityRow>, employments: &mut Vec<EmploymentRow>, last: &PastPeople) {
    let listed: BTreeSet<String> = identities.iter().map(|i| i.native_id.clone()).collect();
    let id_of = |rows: &[IdentityRow]| -> BTreeMap<u32, String> { rows.iter().map(|i| (i.identity_ix, i.native_id.clone())).collect() };
    let (now, then) = (id_of(identities), id_of(&last.identities));
    let mut spans: Vec<(Option<String>, EmploymentRow)> = employments.drain(..).map(|e| (now.get(&e.identity_ix).cloned(), e)).collect();
    let missing = |e: &&EmploymentRow| then.get(&e.identity_ix).is_some_and(|id| !listed.contains(id));
    spans.extend(last.employments.iter().filter(missing).map(|e| (then.get(&e.identity_ix).cloned(), e.clone())));
    identities.extend(last.identities.iter().filter(|i| !listed.contains(&i.native_id)).cloned());
    identities.sort_by(|a, b| a.native_id.cmp(&b.native_id));
    let mut ordinals = BTreeMap::new();
    for (ix, row) in (0u32..).zip(identities.iter_mut()) {
        row.identity_ix = ix;
        ordinals.insert(row.native_id.clone(), ix);
    }
    for (id, mut span) in spans {
        if let Some(ix) = id.and_then(|id| ordinals.get(&id)) {
            span.identity_ix = *ix;
            employments.push(span);
        }
    }
    employments.sort_by(|a, b| (a.identity_ix, a.starts_at, &a.employment).cmp(&(b.identity_ix, b.starts_at, &b.employment)));
}

struct Judged {
    outcomes: Vec<OutcomeRow>,
    findings: Vec<FindingRow>,
    exceptions: Vec<ExceptionMatchRow>,
    broken: BTreeMap<String, CheckError>,
}

/// What one check said.
#[derive(Default)]
struct Answered {
    outcomes: Vec<OutcomeRow>,
    found: Vec<FindingRow>,
    /// It is the user's own and failed over the data.
    broken: Option<CheckError>,
}

/// Checks, then triage: first what reads the world, then what reads the judgement on exceptions.
fn judge(run: &Run, prepared: &[Prepared], past: output::Past) -> Result<Judged, AuditError> {
    let stage = Stage::begin("views");
    let mut frames = Frames::of(run, &wanted(prepared)).map_err(AuditError::internal)?;
    stage.rows(frames.partitions.iter().flat_map(|p| p.frames.values()).map(polars::prelude::DataFrame::height).sum());
    let stage = stage.then("checks");
    let late = |p: &&Prepared| p.query.reads().contains_key(EXCEPTION_MATCHES.name);
    let (second, first): (Vec<&Prepared>, Vec<&Prepared>) = prepared.iter().partition(late);

    let mut broken = BTreeMap::new();
    let (mut outcomes, found) = run_checks(run, &first, &frames, &mut broken);

    let stage = stage.then("triage");
    let mut previous = past.findings;
    let second_ids: BTreeSet<&str> = second.iter().map(|p| p.check.id.as_str()).collect();
    let (previous_second, previous_first): (Vec<_>, Vec<_>) = previous.drain(..).partition(|f| second_ids.contains(f.check_id.as_str()));
    let mut findings = triage::states(found, previous_first, &closing(&run.seen, &outcomes, prepared));
    let exceptions = except(run, &mut findings, &past.first_seen);

    frames.whole.insert(EXCEPTION_MATCHES.name, frame_of(&exceptions).map_err(AuditError::internal)?);
    let stage = stage.then("checks");
    let (late, found) = run_checks(run, &second, &frames, &mut broken);
    outcomes.extend(late);
    let stage = stage.then("triage");
    findings.extend(triage::states(found, previous_second, &closing(&run.seen, &outcomes, prepared)));

    findings.sort_by(|a, b| (&a.check_id, &a.fingerprint).cmp(&(&b.check_id, &b.fingerprint)));
    let checks: Vec<Check> = prepared.iter().map(|p| p.check.clone()).collect();
    triage::cover(&mut findings, &checks);
    count(&mut outcomes, &findings);
    outcomes.sort_by(|a, b| (&a.check_id, &a.system).cmp(&(&b.check_id, &b.system)));
    stage.rows(findings.len());
    Ok(Judged { outcomes, findings, exceptions, broken })
}

/// The views that the checks read: those of grain `account` in parts, and as a whole what is not cut into parts.
fn wanted(prepared: &[Prepared]) -> Wanted {
    let reads = |grain: Grain| -> BTreeSet<String> {
        prepared.iter().filter(|p| p.enabled && p.check.grain == grain).flat_map(|p| p.query.reads().keys().cloned()).collect()
    };
    let parts = reads(Grain::Account);
    let cut = crate::engine::cut_into_parts();
    let whole = parts.iter().filter(|name| !cut.contains(&name.as_str())).cloned().chain(reads(Grain::Run)).collect();
    Wanted { parts: Some(parts), whole: Some(whole) }
}

fn except(run: &Run, findings: &mut [FindingRow], first_seen: &BTreeMap<String, Time>) -> Vec<ExceptionMatchRow> {
    let exceptions: Vec<ExceptionRow> = run.systems.iter().flat_map(|s| s.exceptions.iter().cloned()).collect();
    let mut logins: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for s in &run.systems {
        for a in s.accounts.iter() {
            if let Some(login) = &a.login_norm {
                logins.entry((s.name.clone(), login.clone())).or_default().insert(a.native_id.clone());
            }
        }
    }
    let register = triage::exceptions::Register {
        as_of: run.as_of,
        exceptions: &exceptions,
        identities: &run.identities,
        logins: &logins,
        first_seen,
    };
    triage::exceptions::apply(&register, findings)
}

/// What each check said, check by check in parallel; findings are built from hits only.
fn run_checks(
    run: &Run,
    checks: &[&Prepared],
    frames: &Frames,
    broken: &mut BTreeMap<String, CheckError>,
) -> (Vec<OutcomeRow>, Vec<FindingRow>) {
    let one = |i: usize| checks.get(i).map(|p| run_check(run, p, frames)).unwrap_or_default();
    let answered: Vec<Answered> = turns::in_turn(checks.len(), one);
    let (mut outcomes, mut found) = (Vec::new(), Vec::new());
    for (p, a) in checks.iter().zip(answered) {
        outcomes.extend(a.outcomes);
        found.extend(a.found);
        broken.extend(a.broken.map(|e| (p.check.id.clone(), e)));
    }
    (outcomes, found)
}

fn run_check(run: &Run, p: &Prepared, frames: &Frames) -> Answered {
    let _part = Stage::part("checks", &p.check.id);
    let mut outcomes = Vec::new();
    let mut able = BTreeSet::new();
    let whole_world =
        p.check.needs.is_empty() || matches!(p.check.subject, SubjectKind::Identity | SubjectKind::Source | SubjectKind::Exception);
    // A register (people, exceptions, systems) holds no access: nothing is asked of it, so nothing is left unanswered.
    for s in run.systems.iter().filter(|s| ACCESS_TABLES.iter().any(|t| s.covers.contains(*t))) {
        match needs::unable(run, &p.check, s) {
            None => {
                able.insert(s.ix);
            }
            Some(reason) if !whole_world => outcomes.push(not_evaluated(&p.check.id, &s.name, reason)),
            Some(_) => {}
        }
    }
    if !p.enabled {
        let reason = format!("switched off by the configuration: {}", p.reason.as_deref().unwrap_or("no reason given"));
        return Answered { outcomes: vec![not_evaluated(&p.check.id, "*", reason)], ..Answered::default() };
    }
    if whole_world {
        if let Some(reason) = needs::unable_anywhere(run, &p.check) {
            return Answered { outcomes: vec![not_evaluated(&p.check.id, "*", reason)], ..Answered::default() };
        }
        able = run.systems.iter().map(|s| s.ix).collect();
    }
    let answers = match evaluate::evaluate(&p.check, &p.query, frames, &able) {
        Ok(answers) => answers,
        Err(e) => return failed(p, e.to_string(), e.of_the_check()),
    };
    if whole_world {
        outcomes.push(evaluated(
            &p.check.id,
            "*",
            answers.counts.values().copied().fold(evaluate::Counts::default(), |mut sum, c| {
                sum.add_all(c);
                sum
            }),
        ));
    } else {
        for ix in &able {
            let counts = answers.counts.get(&Some(*ix)).copied().unwrap_or_default();
            let name = run.system(Some(*ix)).map_or("?", |s| s.name.as_str());
            outcomes.push(evaluated(&p.check.id, name, counts));
        }
    }
    let mut found = Vec::with_capacity(answers.hits.len());
    for hit in &answers.hits {
        match findings::build(run, &p.check, p.severity, hit) {
            Ok(finding) => found.push(finding),
            // Half a finding is none, and says nothing about the other checks.
            Err(e) => return failed(p, e.to_string(), e.of_the_check),
        }
    }
    Answered { outcomes, found, broken: None }
}

/// Tables that speak of access. A source that covers none of them is a register.
const ACCESS_TABLES: [&str; 5] = ["accounts", "groups", "memberships", "grants", "credentials"];

fn not_evaluated(check: &str, system: &str, reason: String) -> OutcomeRow {
    OutcomeRow {
        check_id: check.to_owned(),
        system: system.to_owned(),
        outcome: OutcomeKind::NotEvaluated,
        reason: Some(reason),
        ..OutcomeRow::default()
    }
}

/// A check without an answer. `of_the_check`: its query and the data it met are at fault; if it is the user's own, so are they.
fn failed(p: &Prepared, reason: String, of_the_check: bool) -> Answered {
    let line = u64::from(p.check.query_offset) + u64::from(p.query.at().line);
    let broken = (of_the_check && p.check.own).then(|| CheckError {
        file: p.check.file.clone(),
        line,
        message: format!("check `{}` failed over the data: {reason}", p.check.id),
        help: "mend its query for the rows that it met, or leave the file out; `holdover query` tries a query".to_owned(),
    });
    let reason = if broken.is_some() { format!("{}:{line}: {reason}", p.check.file) } else { reason };
    let outcome = OutcomeRow {
        check_id: p.check.id.clone(),
        system: "*".to_owned(),
        outcome: OutcomeKind::Failed,
        reason: Some(reason),
        ..OutcomeRow::default()
    };
    Answered { outcomes: vec![outcome], found: Vec::new(), broken }
}

fn evaluated(check: &str, system: &str, c: evaluate::Counts) -> OutcomeRow {
    OutcomeRow {
        check_id: check.to_owned(),
        system: system.to_owned(),
        outcome: OutcomeKind::Evaluated,
        reason: None,
        population: c.population,
        evaluated: c.evaluated,
        unknown: c.unknown,
        too_new: c.too_new,
        not_yet_observable: c.not_yet_observable,
        before_coverage: c.before_coverage,
        certain: 0,
        possible: 0,
    }
}

/// Findings by outcome row, covered ones left out.
fn count(outcomes: &mut [OutcomeRow], findings: &[FindingRow]) {
    let mut counts: BTreeMap<(&str, &str), (u64, u64)> = BTreeMap::new();
    for f in findings.iter().filter(|f| triage::is_live(f.state) && !f.also) {
        for system in [f.system.as_str(), "*"] {
            let entry = counts.entry((&f.check_id, system)).or_default();
            match f.certainty {
                Certainty::Certain => entry.0 += 1,
                Certainty::Possible => entry.1 += 1,
            }
        }
    }
    for o in outcomes.iter_mut() {
        (o.certain, o.possible) = counts.get(&(o.check_id.as_str(), o.system.as_str())).copied().unwrap_or_default();
    }
}

/// Pairs of check and system whose absent findings are resolved. A check that asks about people needs a sound people list beside a
/// sound system; one that reads several systems closes only where all of them are sound, unless it judges the sources or the
/// exceptions themselves.
fn closing(seen: &[RunSystemRow], outcomes: &[OutcomeRow], prepared: &[Prepared]) -> Closing {
    let sound: BTreeSet<&str> = seen.iter().filter(|s| s.complete && s.fresh != Answer::No).map(|s| s.system.as_str()).collect();
    let all_sound = seen.iter().all(|s| sound.contains(s.system.as_str()));
    let of_itself = |id: &str| {
        let subject = prepared.iter().find(|p| p.check.id == id).map(|p| p.check.subject);
        matches!(subject, Some(SubjectKind::Source | SubjectKind::Exception))
    };
    let people_sound = seen.iter().filter(|s| s.authority).all(|s| sound.contains(s.system.as_str()));
    let about_people: BTreeSet<&str> =
        prepared.iter().filter(|p| p.check.needs.iter().any(|n| n == IDENTITIES.name)).map(|p| p.check.id.as_str()).collect();
    let mut pairs = BTreeSet::new();
    for o in outcomes.iter().filter(|o| o.outcome == OutcomeKind::Evaluated) {
        let system_closes = sound.contains(o.system.as_str()) && (people_sound || !about_people.contains(o.check_id.as_str()));
        let closes = system_closes || o.system == "*" && (all_sound || of_itself(&o.check_id));
        if closes {
            pairs.insert((o.check_id.clone(), o.system.clone()));
        }
    }
    Closing { pairs }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_11_4_what_reads_several_systems_closes_only_where_all_are_sound() {
        let seen = |system: &str, complete| RunSystemRow { system: system.into(), complete, ..RunSystemRow::default() };
        let ran = |check: &str, system: &str| OutcomeRow {
            check_id: check.into(),
            system: system.into(),
            outcome: OutcomeKind::Evaluated,
            ..OutcomeRow::default()
        };
        let mut settings = Settings::by_hand(crate::checks::load(None).unwrap());
        // A check of somebody's own that names no table it needs is asked of the whole world, whatever its subject.
        let mut own = settings.checks.iter().find(|c| c.id == "orphan-account").unwrap().clone();
        (own.id, own.needs) = ("own".into(), Vec::new());
        settings.checks.push(own);
        let prepared = prepare(&settings).unwrap();
        let outcomes = [
            ran("orphan-account", "ad"),
            ran("orphan-account", "app"),
            ran("identity-without-account", "*"),
            ran("own", "*"),
            ran("source-incomplete", "*"),
            ran("exception-expired", "*"),
        ];
        let closed = |complete| {
            let pairs = closing(&[seen("ad", complete), seen("app", true)], &outcomes, &prepared).pairs;
            pairs.into_iter().map(|(c, s)| format!("{c} {s}")).collect::<Vec<_>>()
        };
        assert_eq!(closed(false), ["exception-expired *", "orphan-account app", "source-incomplete *"]);
        assert_eq!(closed(true).len(), outcomes.len());
    }

    #[test]
    fn rule_11_4_whom_a_short_people_list_leaves_out_stands_as_before() {
        let person = |ix, id: &str| IdentityRow { identity_ix: ix, native_id: id.into(), ..IdentityRow::default() };
        let span = |ix, key: &str| EmploymentRow { identity_ix: ix, employment: key.into(), ..EmploymentRow::default() };
        let last = PastPeople {
            identities: vec![person(0, "a"), person(1, "b"), person(2, "c")],
            employments: vec![span(0, "a1"), span(1, "b1"), span(2, "c1"), span(2, "c2")],
            ..PastPeople::default()
        };
        let (mut identities, mut employments) = (vec![person(0, "b"), person(1, "d")], vec![span(0, "b-now"), span(1, "d1")]);
        stand_in(&mut identities, &mut employments, &last);
        let people: Vec<(u32, &str)> = identities.iter().map(|i| (i.identity_ix, i.native_id.as_str())).collect();
        assert_eq!(people, [(0, "a"), (1, "b"), (2, "c"), (3, "d")]);
        let spans: Vec<(u32, &str)> = employments.iter().map(|e| (e.identity_ix, e.employment.as_str())).collect();
        assert_eq!(spans, [(0, "a1"), (1, "b-now"), (2, "c1"), (2, "c2"), (3, "d1")]);
    }
}
