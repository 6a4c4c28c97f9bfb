//! Everything behind one finding, from a committed run and the snapshots that it cites.

use std::path::{Path, PathBuf};

use super::AuditError;
use super::output::{self, StoredRule};
use crate::engine::{Run, System};
use crate::model::time::DAY;
use crate::model::*;
use crate::report::{
    Arithmetic, Asked, Candidate, CheckEntry, CheckOutcome, ExceptionEntry, Explanation, FindingEntry, Limit, PathStep, Totals, TraceLine,
};
use crate::store::facts::HELD_ROWS;
use crate::store::table_file::read;
use crate::store::{Snapshot, Store, StoreError, read_manifest};

/// A committed run, read back.
#[derive(Debug)]
pub struct Stored {
    pub manifest: output::RunManifest,
    pub run: Run,
    pub findings: Vec<FindingRow>,
    pub outcomes: Vec<OutcomeRow>,
    pub exceptions: Vec<ExceptionMatchRow>,
    pub rules: Vec<StoredRule>,
    /// Tables that this version reads and the run has not: an earlier version wrote it, and did not know them.
    pub missing: Vec<&'static str>,
    /// Where the run's `approvals` lie; `None`: it has none.
    approvals: Option<PathBuf>,
}

/// The tables of a run, as far as it has them.
struct Tables<'r> {
    dir: &'r Path,
    manifest: &'r output::RunManifest,
    missing: Vec<&'static str>,
}

impl Tables<'_> {
    /// Whether the run has a table. One that its manifest lists and that is gone is damage, which reading tells.
    fn has(&mut self, table: &'static Table) -> bool {
        let listed = self.manifest.files.iter().any(|f| f.name == table.name);
        let there = listed || self.dir.join(format!("{}.parquet", table.name)).is_file();
        if !there {
            self.missing.push(table.name);
        }
        there
    }

    fn read<R: Row>(&mut self) -> Result<Vec<R>, StoreError> {
        if self.has(R::TABLE) { read(self.dir) } else { Ok(Vec::new()) }
    }
}

/// Reads a committed run and the snapshots that it cites.
///
/// # Errors
/// The run or a snapshot is missing or damaged.
pub fn open(store: &Store, run: &str) -> Result<Stored, AuditError> {
    let manifest = output::manifest(store, run)?;
    let dir = store.run_dir(run);
    let mut systems = Vec::new();
    for (i, cited) in manifest.snapshots.iter().enumerate() {
        let at = store.root().join("snapshots").join(&cited.system).join(&cited.snapshot);
        let snapshot = Snapshot { manifest: read_manifest(&at)?, dir: at, name: cited.snapshot.clone() };
        systems.push(System::load(u32::try_from(i).unwrap_or(u32::MAX), &snapshot, HELD_ROWS)?);
    }
    let path = dir.join("rules.json");
    let rules = std::fs::read(&path).map_err(|e| StoreError::io(&path, e))?;
    let mut of = Tables { dir: &dir, manifest: &manifest, missing: Vec::new() };
    let run = Run {
        as_of: manifest.as_of,
        systems,
        seen: of.read()?,
        sources: of.read()?,
        identities: of.read()?,
        account_state: of.read()?,
        account_identity: of.read()?,
        match_trace: of.read()?,
        group_reach: of.read()?,
        changes: of.read()?,
        edge_history: if of.has(&EDGE_HISTORY) { edge_history(&dir)? } else { EdgeHistory::default() },
        log_coverage: of.read()?,
        revocations: of.read()?,
        roles_seen: of.read()?,
        role_fit: of.read()?,
        movers: of.read()?,
        mover_access: of.read()?,
        leaver_reach: of.read()?,
        principal_risk: of.read()?,
        ..Run::default()
    };
    let approvals = of.has(&APPROVALS).then(|| dir.clone());
    let (outcomes, exceptions) = (of.read()?, of.read()?);
    Ok(Stored {
        run,
        // Without findings there is nothing to explain.
        findings: read(&dir)?,
        outcomes,
        exceptions,
        rules: serde_json::from_slice(&rules).map_err(|e| StoreError::damaged(&path, e.to_string()))?,
        missing: of.missing,
        approvals,
        manifest,
    })
}

/// The histories of a committed run.
fn edge_history(dir: &Path) -> Result<EdgeHistory, StoreError> {
    let damaged = |what: String| StoreError::damaged(&dir.join(format!("{}.parquet", EDGE_HISTORY.name)), what);
    let columns: Vec<&str> = EDGE_HISTORY.columns.iter().map(|c| c.name).collect();
    let mut out = EdgeHistory::default();
    for batch in crate::store::columns::Stored::open(dir, &EDGE_HISTORY, &columns)?.batches() {
        for row in from_batch::<EdgeHistoryRow>(&batch?).map_err(|e| damaged(e.to_string()))? {
            out.push(&row).map_err(damaged)?;
        }
    }
    Ok(out)
}

impl Stored {
    /// What kept a snapshot's table from being read after it was opened, if anything did: what was made of it is not whole.
    ///
    /// # Errors
    /// The table, by name.
    pub fn sound(&self) -> Result<(), StoreError> {
        super::sound(&self.run)
    }

    /// The rows of `approvals`, which a run itself makes part by part and never holds.
    ///
    /// # Errors
    /// The table is missing or damaged.
    pub fn approvals(&self) -> Result<Vec<ApprovalRow>, StoreError> {
        self.approvals.as_deref().map_or(Ok(Vec::new()), read)
    }

    /// Findings whose fingerprint starts with `prefix`.
    pub fn find(&self, prefix: &str) -> Vec<&FindingRow> {
        self.findings.iter().filter(|f| f.fingerprint.starts_with(prefix)).collect()
    }

    /// Everything behind one finding.
    ///
    /// # Errors
    /// The stored finding is not whole.
    pub fn explain(&self, finding: &FindingRow) -> Result<Explanation, AuditError> {
        let rule = self.rules.iter().find(|r| r.id == finding.check_id);
        let controls = rule.map(|r| r.controls.clone()).unwrap_or_default();
        let system = self.run.systems.iter().find(|s| s.name == finding.system);
        let account = system.zip(finding.account.as_deref()).and_then(|(s, id)| account_ix(s, id).map(|a| (s, a)));
        Ok(Explanation {
            run: self.manifest.run.clone(),
            as_of: self.manifest.as_of,
            finding: FindingEntry::from_row(finding, &controls).map_err(AuditError::internal)?,
            check: rule.map(|r| self.check(r)),
            candidates: account.map(|(s, a)| self.candidates(s.ix, a)).unwrap_or_default(),
            path: system.map(|s| self.path(s, finding)).unwrap_or_default(),
            arithmetic: self.arithmetic(finding, rule, account),
            exception: finding.exception.as_deref().and_then(|id| self.exception(id)),
        })
    }

    fn check(&self, r: &StoredRule) -> CheckEntry {
        let outcomes: Vec<CheckOutcome> = self
            .outcomes
            .iter()
            .filter(|o| o.check_id == r.id)
            .map(|o| CheckOutcome {
                system: o.system.clone(),
                outcome: o.outcome,
                reason: o.reason.clone(),
                asked: Asked {
                    population: o.population,
                    evaluated: o.evaluated,
                    unknown: o.unknown,
                    too_new: o.too_new,
                    not_yet_observable: o.not_yet_observable,
                    before_coverage: o.before_coverage,
                },
                certain: o.certain,
                possible: o.possible,
            })
            .collect();
        CheckEntry {
            id: r.id.clone(),
            title: r.title.clone(),
            severity: r.severity,
            severity_was: None,
            confidence: r.confidence.clone(),
            grain: r.grain.clone(),
            description: r.description.clone(),
            remedy: r.remedy.clone(),
            false_positives: vec![r.false_positives.clone()],
            controls: r.controls.clone(),
            parameters: r.parameters.clone(),
            asked: Asked::of(&outcomes),
            outcomes,
            counts: Totals::of(
                &self
                    .findings
                    .iter()
                    .filter(|f| f.check_id == r.id)
                    .filter_map(|f| FindingEntry::from_row(f, &[]).ok())
                    .collect::<Vec<_>>(),
            ),
            rule_text: r.rule_text.clone(),
            overridden: None,
        }
    }

    fn candidates(&self, system_ix: u32, account_ix: u32) -> Vec<Candidate> {
        let trace = |identity_ix: u32| {
            let mine = self
                .run
                .match_trace
                .iter()
                .filter(move |t| (t.system_ix, t.account_ix, t.identity_ix) == (system_ix, account_ix, identity_ix));
            mine.map(|t| TraceLine {
                tier: t.tier,
                rule: t.rule.to_string(),
                weight: t.weight,
                account_column: t.account_column.to_string(),
                identity_column: t.identity_column.to_string(),
                value: t.value.to_string(),
            })
            .collect()
        };
        let row = |c: &AccountIdentityRow| {
            let identity = self.run.identities.get(c.identity_ix as usize)?;
            Some(Candidate {
                identity: identity.identity.clone(),
                name: identity.display_name.clone(),
                state: c.state,
                standing: c.standing,
                score: c.score,
                trace: trace(c.identity_ix),
            })
        };
        self.run.candidates(system_ix, account_ix).iter().filter_map(row).collect()
    }

    /// How the access is held: holder, its own edge, the groups beyond it, what confers the level.
    fn path(&self, s: &System, f: &FindingRow) -> Vec<PathStep> {
        let (Some(principal), Some(target)) = (&f.principal, &f.target) else { return Vec::new() };
        let step = |kind: &str, name: &str, native_id: Option<&String>, by: Option<&str>| PathStep {
            kind: kind.to_owned(),
            name: name.to_owned(),
            native_id: native_id.cloned(),
            by: by.map(str::to_owned),
        };
        let holder = if f.account.is_some() { "account" } else { "principal" };
        let mut out = vec![step(holder, f.subject_name.as_deref().unwrap_or(principal), Some(principal), None)];
        let name = f.target_name.as_deref().unwrap_or(target);
        let Ok(at) = s.groups.binary_search_by(|g| g.native_id.as_str().cmp(target)) else {
            out.push(step("entitlement", name, Some(target), Some("holds")));
            out.extend(f.resource.as_deref().map(|r| step("resource", r, None, Some("on"))));
            return out;
        };
        let role = s.groups.get(at).is_some_and(|g| g.kind == "role");
        out.push(step(if role { "role" } else { "group" }, name, Some(target), Some(if role { "may assume" } else { "member of" })));
        let Some(reach) = u32::try_from(at).ok().and_then(|ix| self.run.reach(s.ix, ix)) else { return out };
        out.extend(reach.path.split(" > ").skip(1).map(|g| step("group", g, None, Some("member of"))));
        if let Some(e) = reach.level_entitlement_ix.and_then(|e| s.entitlements.get(e as usize)) {
            out.push(step("entitlement", e.name.as_deref().unwrap_or(&e.native_id), Some(&e.native_id), Some("holds")));
        }
        out
    }

    fn arithmetic(&self, f: &FindingRow, rule: Option<&StoredRule>, account: Option<(&System, u32)>) -> Vec<Arithmetic> {
        let (Some(since), Some(observed)) = (f.since, f.observed_at) else { return Vec::new() };
        let days = |text: &str| text.strip_suffix('d').and_then(|n| n.parse::<i64>().ok());
        let limit =
            rule.and_then(|r| r.parameters.iter().find_map(|(name, v)| days(v).map(|n| Limit { name: name.clone(), micros: n * DAY })));
        let candidates = account.map(|(s, a)| self.run.candidates(s.ix, a)).unwrap_or_default();
        let from_after = candidates.iter().find(|c| c.left_by == Some(since)).filter(|c| !c.left_exact).and_then(|c| c.left_after);
        vec![Arithmetic { what: "from the fault's first instant to the snapshot".to_owned(), to: observed, from: since, from_after, limit }]
    }

    fn exception(&self, id: &str) -> Option<ExceptionEntry> {
        self.exceptions.iter().find(|e| e.exception == id).map(super::present::exception)
    }
}

fn account_ix(s: &System, native_id: &str) -> Option<u32> {
    s.account(native_id)
}
