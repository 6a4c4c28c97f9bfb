//! Checks put to a run, and triage of what they found.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{AuditError, Prepared, needs, output};
use crate::checks::{Check, CheckError};
use crate::engine::evaluate::{Answers, Asked, EvaluateError, Hit, Make};
use crate::engine::findings::HalfMade;
use crate::engine::{Engine, Near, Run, Tables, evaluate, findings, turns};
use crate::model::*;
use crate::store::StoreError;
use crate::triage::exceptions::Logins;
use crate::triage::{self, Closing};

/// What the checks and the judgement on them gave.
pub(super) struct Judged {
    pub outcomes: Vec<OutcomeRow>,
    pub findings: Vec<FindingRow>,
    pub exceptions: Vec<ExceptionMatchRow>,
    /// Checks of the user's own that failed over the data, by id.
    pub broken: BTreeMap<String, CheckError>,
}

/// What one check said.
struct Answered {
    outcomes: Vec<OutcomeRow>,
    found: Vec<FindingRow>,
    /// It is the user's own and failed over the data.
    broken: Option<CheckError>,
}

/// Checks, then triage: first what reads the world, then what reads the judgement on exceptions.
pub(super) fn judge(run: &Run, prepared: &[Prepared], past: output::Past, partition: u32, engine: &Engine) -> Result<Judged, AuditError> {
    let stage = Stage::begin("checks");
    let tables = Tables::new(run, partition);
    let late = |p: &&Prepared| p.query.reads().contains_key(EXCEPTION_MATCHES.name);
    let (second, first): (Vec<&Prepared>, Vec<&Prepared>) = prepared.iter().partition(late);

    let mut broken = BTreeMap::new();
    let (mut outcomes, found) = run_checks(run, &first, &tables, engine, &mut broken)?;

    let stage = stage.then("triage");
    let mut previous = past.findings;
    let second_ids: BTreeSet<&str> = second.iter().map(|p| p.check.id.as_str()).collect();
    let (previous_second, previous_first): (Vec<_>, Vec<_>) = previous.drain(..).partition(|f| second_ids.contains(f.check_id.as_str()));
    let mut findings = triage::states(found, previous_first, &closing(&run.seen, &outcomes, prepared));
    let exceptions = except(run, &mut findings, &past.first_seen)?;

    tables.put(&exceptions).map_err(AuditError::internal)?;
    let stage = stage.then("checks");
    let (late, found) = run_checks(run, &second, &tables, engine, &mut broken)?;
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

fn except(run: &Run, findings: &mut [FindingRow], first_seen: &BTreeMap<String, Time>) -> Result<Vec<ExceptionMatchRow>, StoreError> {
    let exceptions: Vec<ExceptionRow> = run.systems.iter().flat_map(|s| s.exceptions.iter().cloned()).collect();
    let register = triage::exceptions::Register {
        as_of: run.as_of,
        exceptions: &exceptions,
        identities: &run.identities,
        logins: &logins(run, &exceptions)?,
        first_seen,
    };
    Ok(triage::exceptions::apply(&register, findings))
}

/// The accounts that the exceptions may call by their logins. Other accounts are passed over; without exceptions nothing is looked up.
fn logins(run: &Run, exceptions: &[ExceptionRow]) -> Result<Logins, StoreError> {
    let mut out = Logins::new();
    for s in &run.systems {
        let of_system = exceptions.iter().filter(|e| e.subject != "*" && (e.system == "*" || e.system == s.name));
        let asked: BTreeSet<String> = of_system.filter_map(|e| text::norm(&e.subject)).collect();
        if asked.is_empty() {
            continue;
        }
        let found = s.accounts.parts(&s.accounts.groups(), &["login_norm"], |part| {
            let logins = part.texts("login_norm")?.iter().zip(part.rows.clone());
            let named = logins.filter_map(|(login, at)| Some((asked.get(login?)?, at)));
            Ok(named.collect::<Vec<_>>())
        });
        let (named, positions): (Vec<&String>, Vec<usize>) = found.into_iter().flatten().unzip();
        for (login, account) in named.into_iter().zip(s.accounts.gather(&positions, &["native_id"])?) {
            out.entry((s.name.clone(), login.clone())).or_default().insert(account.native_id);
        }
    }
    Ok(out)
}

/// A check that is about to be put to some systems, with what is already said of the others.
struct Begun<'a> {
    p: &'a Prepared,
    asked: Asked<'a>,
    whole_world: bool,
    outcomes: Vec<OutcomeRow>,
}

/// What each check said: those that can go over the parts together do, the others one by one. Findings are built from hits only.
fn run_checks(
    run: &Run,
    checks: &[&Prepared],
    tables: &Tables<'_>,
    engine: &Engine,
    broken: &mut BTreeMap<String, CheckError>,
) -> Result<(Vec<OutcomeRow>, Vec<FindingRow>), AuditError> {
    let mut outcomes = Vec::new();
    let (mut in_parts, mut whole) = (Vec::new(), Vec::new());
    for p in checks {
        match begin(run, p) {
            Ok(begun) if begun.asked.systems.is_empty() => outcomes.extend(begun.outcomes),
            Ok(begun) if begun.asked.in_parts() => in_parts.push(begun),
            Ok(begun) => whole.push(begun),
            Err(said) => outcomes.push(*said),
        }
    }
    let begun: Vec<Begun<'_>> = in_parts.into_iter().chain(whole).collect();
    let asked: Vec<Asked<'_>> = begun.iter().map(|b| b.asked.clone()).collect();
    let make = |i: usize, near: &Near, hit: &Hit| match begun.get(i) {
        Some(b) => findings::build(run, near, &b.p.check, b.p.severity, hit),
        None => Err(HalfMade { check: String::new(), what: "no such check".to_owned(), of_the_check: false }),
    };
    let answers = match engine {
        Engine::Embedded => embedded(&asked, tables, &make),
        Engine::Spark(spark) => {
            let write = |dir: &Path, wanted: &BTreeSet<&'static str>| output::write_run(dir, run, &|name| wanted.contains(name)).map(drop);
            spark.answers(&asked, run, tables, &write, &make)?
        }
    };
    let mut found = Vec::new();
    for (begun, answers) in begun.into_iter().zip(answers) {
        let id = begun.p.check.id.clone();
        let said = end(run, begun, answers);
        outcomes.extend(said.outcomes);
        found.extend(said.found);
        broken.extend(said.broken.map(|e| (id, e)));
    }
    Ok((outcomes, found))
}

/// What the checks say, those first that go over the parts: these together, the others one by one.
fn embedded(asked: &[Asked<'_>], tables: &Tables<'_>, make: Make<'_>) -> Vec<Result<Answers, EvaluateError>> {
    let (together, alone) = asked.split_at(asked.partition_point(Asked::in_parts));
    Stage::expect("checks", alone.len());
    let mut answers = evaluate::over_parts(together, tables, make);
    let one = |i: usize| {
        let a = alone.get(i)?;
        let _step = Stage::step("checks");
        let _part = Stage::part("checks", &a.check.id);
        Some(evaluate::over_whole(a, tables, &|hit| make(together.len() + i, &Near::default(), hit)))
    };
    answers.extend(turns::in_turn(alone.len(), one).into_iter().flatten());
    answers
}

/// The systems to which a check is put, or the one thing to say of it.
fn begin<'a>(run: &Run, p: &'a Prepared) -> Result<Begun<'a>, Box<OutcomeRow>> {
    let mut outcomes = Vec::new();
    let mut systems = BTreeSet::new();
    let whole_world =
        p.check.needs.is_empty() || matches!(p.check.subject, SubjectKind::Identity | SubjectKind::Source | SubjectKind::Exception);
    // A register (people, exceptions, systems) holds no access: nothing is asked of it, so nothing is left unanswered.
    for s in run.systems.iter().filter(|s| ACCESS_TABLES.iter().any(|t| s.covers.contains(*t))) {
        match needs::unable(run, &p.check, s) {
            None => {
                systems.insert(s.ix);
            }
            Some(reason) if !whole_world => outcomes.push(not_evaluated(&p.check.id, &s.name, reason)),
            Some(_) => {}
        }
    }
    if !p.enabled {
        let reason = format!("switched off by the configuration: {}", p.reason.as_deref().unwrap_or("no reason given"));
        return Err(Box::new(not_evaluated(&p.check.id, "*", reason)));
    }
    if whole_world {
        if let Some(reason) = needs::unable_anywhere(run, &p.check) {
            return Err(Box::new(not_evaluated(&p.check.id, "*", reason)));
        }
        systems = run.systems.iter().map(|s| s.ix).collect();
    }
    Ok(Begun { p, asked: Asked { check: &p.check, query: &p.query, systems }, whole_world, outcomes })
}

/// What a check said of every system.
fn end(run: &Run, begun: Begun<'_>, answers: Result<Answers, EvaluateError>) -> Answered {
    let Begun { p, asked, whole_world, mut outcomes } = begun;
    let answers = match answers {
        Ok(answers) => answers,
        // Half a finding is none, and says nothing about the other checks.
        Err(e) => return failed(p, e.to_string(), e.of_the_check()),
    };
    if whole_world {
        let mut sum = evaluate::Counts::default();
        answers.counts.values().for_each(|c| sum.add_all(*c));
        outcomes.push(evaluated(&p.check.id, "*", sum));
    } else {
        for ix in &asked.systems {
            let counts = answers.counts.get(&Some(*ix)).copied().unwrap_or_default();
            let name = run.system(Some(*ix)).map_or("?", |s| s.name.as_str());
            outcomes.push(evaluated(&p.check.id, name, counts));
        }
    }
    Answered { outcomes, found: answers.found, broken: None }
}

/// Tables that speak of access. A source that covers none of them is a register.
pub(super) const ACCESS_TABLES: [&str; 5] = ["accounts", "groups", "memberships", "grants", "credentials"];

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Settings, prepare};

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
}
