//! `demo`: a made-up company, audited like anybody's files, compared with the answers that it was made from.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use super::audit::{perform, table};
use super::engine::Chosen;
use super::setup::Configured;
use super::{Failure, import, out};
use crate::demo;
use crate::model::FindingRow;
use crate::store::Store;

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Folder to write to; must be new or empty
    #[arg(value_name = "DIR", default_value = "holdover-demo")]
    dir: PathBuf,
    /// Another number makes another company
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub fn run(args: &DemoArgs) -> Result<u8, Failure> {
    let started = Instant::now();
    let written = match demo::write(&args.dir, args.seed) {
        Ok(written) => written,
        Err(e) => {
            return Err(Failure::usage(
                format!("`{}` cannot be written: {e}", crate::model::text::path(&args.dir)),
                "name a new or empty folder",
            ));
        }
    };
    let checks = crate::checks::load(None)?;
    let configured = Configured::load(&written.config, Some(&checks))?;
    let store = Store::open_or_create(&configured.store())?.not_waiting();
    import::all(&store, &configured, false, true)?;
    let expanded = configured.expand()?;
    let mut settings = configured.settings(checks, &expanded);
    let mut weeks: Vec<_> = expanded.imports.iter().filter_map(|i| i.taken_at.as_ref().map(|t| t.time)).collect();
    weeks.sort();
    weeks.dedup();
    // The history first, one run for each week, so that the last run knows what is new and what came back.
    let lag = weeks.last().map_or(0, |last| written.as_of.micros() - last.micros());
    let mut last = None;
    for week in weeks {
        settings.as_of = Some(week.plus(lag));
        last = Some(perform(&store, &settings, &Chosen::Embedded)?);
    }
    let done = last.ok_or_else(|| Failure::internal("the demo wrote no export"))?;
    let html = store.run_dir(&done.audit.id).join("report.html");
    out(&table(&done.report, &html, &format!(" --config {}", written.config.display())))?;
    let wrong = compare(&written.answers, &done.audit.findings)?;
    let mut text = String::new();
    for line in &wrong {
        text.push_str(&format!("{line}\n"));
    }
    let verdict = if wrong.is_empty() {
        "every finding is one that was planted, and every planted fault was found"
    } else {
        "the findings are not the answers"
    };
    text.push_str(&format!("\ndemo: {verdict} ({})\n", written.answers.display()));
    out(&text)?;
    eprintln!("{:.1} s", started.elapsed().as_secs_f64());
    Ok(if wrong.is_empty() { 0 } else { super::fail::INTERNAL })
}

/// Differences between answers and findings, in words.
fn compare(answers: &std::path::Path, findings: &[FindingRow]) -> Result<Vec<String>, Failure> {
    let fail = |e: csv::Error| Failure::internal(e.to_string());
    let mut want: BTreeMap<[String; 5], u32> = BTreeMap::new();
    let mut reader = csv::Reader::from_path(answers).map_err(fail)?;
    let headers = reader.headers().map_err(fail)?.clone();
    let at = |row: &csv::StringRecord, name: &str| {
        headers.iter().position(|h| h == name).and_then(|i| row.get(i)).unwrap_or_default().to_owned()
    };
    for row in reader.records() {
        let row = row.map_err(fail)?;
        *want.entry(["check", "certainty", "state", "system", "native_id"].map(|n| at(&row, n))).or_default() += 1;
    }
    let mut have: BTreeMap<[String; 5], u32> = BTreeMap::new();
    for f in findings {
        let key = [f.check_id.clone(), f.certainty.to_string(), f.state.to_string(), f.system.clone(), f.subject.clone()];
        *have.entry(key).or_default() += 1;
    }
    let missing = want.iter().filter(|(k, n)| have.get(*k) != Some(n)).map(|(k, _)| format!("not found: {}", k.join(", ")));
    let extra = have.iter().filter(|(k, n)| want.get(*k) != Some(n)).map(|(k, _)| format!("not planted: {}", k.join(", ")));
    Ok(missing.chain(extra).collect())
}
