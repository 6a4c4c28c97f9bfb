//! Wall time of each stage over the demo's newest exports: `cargo bench`. The least of several rounds is printed, because
//! everything else on a machine only adds to it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use holdover::audit::{Settings, audit, present};
use holdover::connectors::Context;
use holdover::ingest::Job;
use holdover::report;
use holdover::store::{Provenance, Store};

const ROUNDS: usize = 5;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let dir = std::env::temp_dir().join(format!("holdover-bench-{}", std::process::id()));
    let written = holdover::demo::write(&dir, holdover::demo::SEED)?;
    let week = dir.join("exports").join(written.as_of.date());
    let jobs = [job("corp-ad", "ldif", vec![week.join("ad.ldif")]), job("unix-ldap", "ldif", vec![week.join("openldap.ldif")])];
    let aws = job("aws-prod", "aws-iam", files(&week.join("aws/prod"))?);
    let store = Store::open_or_create(&dir.join("bench-store"))?;
    let writer = store.writer()?;
    for job in jobs.iter().chain([&aws]) {
        let bytes: u64 = job.files.iter().filter_map(|f| std::fs::metadata(&f.1).ok()).map(|m| m.len()).sum();
        let least = least(|| job.read(&store).map(drop).map_err(Into::into))?;
        line(&format!("read {}", job.context.system), least, Some(bytes));
        let started = Instant::now();
        let read = job.read(&store)?;
        job.seal(&store, &writer, read)?;
        line(&format!("read and seal {}", job.context.system), started.elapsed(), Some(bytes));
    }
    let settings = Settings::by_hand(holdover::checks::load(None).map_err(|e| format!("{e:?}"))?);
    line("audit", least(|| audit(&store, &settings).map(drop).map_err(Into::into))?, None);
    let done = audit(&store, &settings)?;
    let model = present::report(&done, &settings)?;
    line("render the page", least(|| report::html(&model).map(drop).map_err(Into::into))?, None);
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

fn job(system: &str, connector: &str, paths: Vec<PathBuf>) -> Job {
    let files: Vec<(String, PathBuf)> =
        paths.into_iter().map(|p| (p.file_name().unwrap_or_default().to_string_lossy().into_owned(), p)).collect();
    Job {
        connector: connector.to_owned(),
        taken_at: None,
        context: Context { system: system.to_owned(), ..Context::default() },
        provenance: vec![Provenance::default(); files.len()],
        control_total: None,
        supersede: false,
        files,
    }
}

fn files(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut out: Vec<PathBuf> = std::fs::read_dir(dir)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    out.sort();
    Ok(out)
}

fn least(mut run: impl FnMut() -> Result<(), Failure>) -> Result<Duration, Failure> {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        run()?;
        best = best.min(started.elapsed());
    }
    Ok(best)
}

fn line(what: &str, took: Duration, bytes: Option<u64>) {
    let rate = bytes.map(|b| format!("{:8.1} MB/s", b as f64 / 1e6 / took.as_secs_f64())).unwrap_or_default();
    println!("{what:28} {:9.2} ms {rate}", took.as_secs_f64() * 1e3);
}
