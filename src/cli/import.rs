//! `import`: seals exports, by hand or as the configuration says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use rayon::prelude::*;

use super::progress::Progress;
use super::setup::{self, Configured};
use super::{Failure, Place, fail, out};
use crate::connectors::{ConnectorError, Context};
use crate::ingest::{ImportError, Imported, Job};
use crate::model::{Population, RejectRow, Word};
use crate::model::{mask, text};
use crate::store::{Manifest, Provenance, Store, table_file};

#[derive(Debug, Args)]
pub struct ImportArgs {
    #[command(flatten)]
    place: Place,
    /// Connector that reads the files
    #[arg(long, value_name = "ID", requires = "system")]
    connector: Option<String>,
    /// Name of the system: letters a-z, digits, `.` and `-`
    #[arg(long, value_name = "NAME", requires = "connector")]
    system: Option<String>,
    /// When the export was taken: an instant, or a date in the zone of `--timezone` [default zone: UTC]; without it the
    /// export's own word, or the newest instant inside
    #[arg(long, value_name = "T")]
    taken_at: Option<String>,
    /// Zone of dates and times that carry none, such as Europe/Berlin
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// What a people list holds: `all` or `active-only`
    #[arg(long, value_name = "WORD")]
    population: Option<String>,
    /// An end date names the first day out, not the last day in
    #[arg(long)]
    end_is_first_day_out: bool,
    /// Option of the connector, such as `mapping=hr` or `columns.login="User"`; may be repeated
    #[arg(long = "option", value_name = "NAME=VALUE")]
    options: Vec<String>,
    /// File with a key for fingerprints of secret values; without it none is kept
    #[arg(long, value_name = "FILE")]
    fingerprint_key_file: Option<PathBuf>,
    /// Records that the source's own screen shows
    #[arg(long, value_name = "N")]
    control_total: Option<u64>,
    /// Seal a second generation where other bytes are sealed under the same system and time
    #[arg(long)]
    supersede: bool,
    /// All files of this one snapshot
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl ImportArgs {
    /// What was given that only an import by hand takes, as it is written.
    fn by_hand(&self) -> Vec<&'static str> {
        let given = [
            (self.connector.is_some(), "--connector"),
            (self.system.is_some(), "--system"),
            (self.taken_at.is_some(), "--taken-at"),
            (self.timezone.is_some(), "--timezone"),
            (self.population.is_some(), "--population"),
            (self.end_is_first_day_out, "--end-is-first-day-out"),
            (!self.options.is_empty(), "--option"),
            (self.fingerprint_key_file.is_some(), "--fingerprint-key-file"),
            (self.control_total.is_some(), "--control-total"),
            (!self.files.is_empty(), "FILE"),
        ];
        given.into_iter().filter(|(is_given, _)| *is_given).map(|(_, name)| name).collect()
    }
}

pub fn run(args: &ImportArgs) -> Result<u8, Failure> {
    refuse_both(args)?;
    if args.connector.is_some() {
        return by_hand(args);
    }
    let configured = setup::configured(&args.place, None)?
        .ok_or_else(|| Failure::usage("nothing says what to import", "give `--connector ID --system NAME FILES…`, or `--config FILE`"))?;
    let store = Store::open_or_create(&configured.store())?;
    let done = all(&store, &configured, args.supersede, false)?;
    out(&done.text)?;
    Ok(done.code)
}

/// Help for an import by hand.
const BY_HAND: &str = "`holdover import --store DIR --connector ID --system NAME FILES…`";

/// An import is by hand or as a configuration says: what belongs to the one would be passed over by the other.
fn refuse_both(args: &ImportArgs) -> Result<(), Failure> {
    let given = args.by_hand();
    let Some(first) = given.first() else { return Ok(()) };
    let shown = given.iter().map(|g| format!("`{g}`")).collect::<Vec<_>>().join(", ");
    if let Some(config) = setup::config_path(&args.place) {
        let config = config.display();
        return Err(Failure::usage(
            format!("{shown} {} to an import by hand, and the configuration `{config}` says what to import", belong(given.len())),
            &format!("name a store to import by hand: {BY_HAND}; or leave {} out and state it in `{config}`", it(given.len())),
        ));
    }
    if args.connector.is_none() {
        let help = format!("say what reads them: {BY_HAND}");
        return Err(Failure::usage(format!("`{first}` is given without a connector"), &help));
    }
    Ok(())
}

fn belong(n: usize) -> &'static str {
    if n == 1 { "belongs" } else { "belong" }
}

fn it(n: usize) -> &'static str {
    if n == 1 { "it" } else { "them" }
}

fn by_hand(args: &ImportArgs) -> Result<u8, Failure> {
    let (Some(connector), Some(system)) = (&args.connector, &args.system) else {
        return Err(Failure::usage("a connector and a system belong together", "give `--connector ID --system NAME`"));
    };
    crate::config::system_name(system).map_err(|e| Failure::usage(&e.message, &e.help))?;
    if args.files.is_empty() {
        return Err(Failure::usage("no file is given", "name the export's files after the options"));
    }
    let store = args.place.store.clone().ok_or_else(|| Failure::usage("no store is named", "give `--store DIR`"))?;
    let context = context(args, system)?;
    let taken_at = args.taken_at.as_deref().map(|text| {
        crate::config::taken_at(text, context.timezone.as_ref())
            .map_err(|e| Failure::usage(format!("`--taken-at`: {}", e.message), &e.help))
    });
    let taken_at = taken_at.transpose()?.map(|t| (t, "flag"));
    let job = Job {
        connector: connector.clone(),
        files: named(&args.files),
        taken_at,
        context,
        provenance: vec![Provenance::default(); args.files.len()],
        control_total: args.control_total,
        supersede: args.supersede,
    };
    let store = Store::open_or_create(&store)?;
    let writer = store.writer()?;
    let read = job.read(&store).map_err(|e| as_typed(e, &job.files))?;
    let imported = job.seal(&store, &writer, read)?;
    out(&summary(&imported))?;
    Ok(code(&imported.snapshot.manifest, 0))
}

fn context(args: &ImportArgs, system: &str) -> Result<Context, Failure> {
    let timezone = args.timezone.as_deref().map(|name| {
        jiff::tz::TimeZone::get(name)
            .map_err(|_| Failure::usage(format!("`{name}` is not a time zone"), "write an IANA name such as `Europe/Berlin` or `UTC`"))
    });
    let population = args.population.as_deref().map(|word| {
        Population::parse(word).ok_or_else(|| Failure::usage(format!("`{word}` is not a population"), "write `all` or `active-only`"))
    });
    let key = args.fingerprint_key_file.as_deref().map(|path| {
        let shown = text::path(path);
        let unreadable = |e| Failure::usage(format!("the key file `{shown}` cannot be read: {e}"), "name a key file that you may read");
        let bytes = std::fs::read(path).map_err(unreadable)?;
        let key = bytes.trim_ascii_end().to_vec();
        let help = "write 16 random bytes or more into it: `openssl rand -hex 32`";
        if key.len() < 16 {
            Err(Failure::usage(format!("the key file holds {} bytes, too few for a key", key.len()), help))
        } else {
            Ok(key)
        }
    });
    Ok(Context {
        system: system.to_owned(),
        options: setup::options(&args.options)?,
        timezone: timezone.transpose()?,
        population: population.transpose()?,
        end_is_last_day: !args.end_is_first_day_out,
        fingerprint_key: key.transpose()?,
        scratch: crate::connectors::Scratch::default(),
    })
}

/// A fault of a file under the path by which it was given, not under its shown name: that is for what is stored.
fn as_typed(e: ImportError, files: &[(String, PathBuf)]) -> ImportError {
    match e {
        ImportError::Connector(ConnectorError::File { file, error }) => {
            let given = files.iter().find(|(name, _)| *name == file).map(|(_, path)| mask::path(&text::path(path)));
            ImportError::Connector(ConnectorError::File { file: given.unwrap_or(file), error })
        }
        other => other,
    }
}

/// Shown names: the path below the folder that all files share, sorted.
fn named(files: &[PathBuf]) -> Vec<(String, PathBuf)> {
    let mut common: Option<PathBuf> = None;
    for file in files {
        let parent = file.parent().map(Path::to_path_buf).unwrap_or_default();
        common = Some(match common {
            None => parent,
            Some(c) => c.components().zip(parent.components()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect(),
        });
    }
    let root = common.unwrap_or_default();
    let mut out: Vec<(String, PathBuf)> = files
        .iter()
        .map(|f| {
            let below = f.strip_prefix(&root).unwrap_or(f);
            let parts: Vec<String> = below.components().map(|c| c.as_os_str().as_encoded_bytes().escape_ascii_lossless()).collect();
            (mask::path(&parts.join("/")), f.clone())
        })
        .collect();
    out.sort();
    out
}

/// Text of a path part: UTF-8 as it is, other bytes and controls as `\xNN`.
trait EscapeAscii {
    fn escape_ascii_lossless(&self) -> String;
}

impl EscapeAscii for [u8] {
    fn escape_ascii_lossless(&self) -> String {
        let mut out = String::new();
        for chunk in self.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() { out.push_str(&format!("\\x{:02x}", c as u32)) } else { out.push(c) }
            }
            out.extend(chunk.invalid().iter().map(|b| format!("\\x{b:02x}")));
        }
        out
    }
}

/// What importing a whole configuration came to.
#[derive(Default)]
pub struct ImportedAll {
    /// What to tell a person.
    pub text: String,
    pub code: u8,
    /// Systems of which a file could not be read, and why.
    pub failed: BTreeMap<String, String>,
}

/// Imports everything that the configuration's patterns find and that is not sealed yet.
///
/// # Errors
/// A mistake of the configuration or the store. A file that cannot be trusted is told, and the other sources go on.
pub fn all(store: &Store, configured: &Configured, supersede: bool, quiet: bool) -> Result<ImportedAll, Failure> {
    let expanded = configured.expand()?;
    let jobs: Vec<Job> = expanded.imports.iter().map(|i| configured.job(i, supersede)).collect::<Result<_, _>>()?;
    let limits: Vec<u64> = expanded.imports.iter().map(|i| i.source.max_rejects).collect();
    let writer = store.writer()?;
    let progress = Progress::new("importing", jobs.len());
    let mut done = ImportedAll::default();
    // Reading is parallel and bounded; sealing is one after the other, in the order of the configuration.
    for (jobs, limits) in jobs.chunks(8).zip(limits.chunks(8)) {
        let read: Vec<_> = jobs.par_iter().map(|j| j.read(store)).collect();
        for ((job, read), limit) in jobs.iter().zip(read).zip(limits) {
            match read.and_then(|r| job.seal(store, &writer, r)) {
                Ok(imported) => {
                    if !quiet || imported.new && !imported.snapshot.manifest.short().is_empty() {
                        done.text.push_str(&summary(&imported));
                    }
                    done.code = done.code.max(code(&imported.snapshot.manifest, *limit));
                }
                Err(e @ ImportError::Connector(ConnectorError::File { .. })) => {
                    done.failed.insert(job.context.system.clone(), e.to_string());
                    eprintln!("{}", Failure::from(e));
                    done.code = done.code.max(fail::INPUT);
                }
                Err(e) => return Err(e.into()),
            }
            progress.step();
        }
    }
    for import in lacking(&expanded.imports) {
        let (system, line) = (&import.system, import.source.at.line);
        eprintln!("warning: source `{system}` (line {line}): no file fits {}", patterns(import));
        eprintln!("  help: export it too; if it need not be there, let one wider pattern fit all files, or set `expected = false`");
    }
    if !incomplete(&expanded.imports).is_empty() {
        done.code = done.code.max(fail::INPUT);
    }
    for missing in expanded.missing.iter().filter(|m| m.expected) {
        eprintln!("warning: no file of source `{}` was found", missing.system);
        done.code = done.code.max(fail::INPUT);
    }
    progress.done();
    Ok(done)
}

/// Each system's newest import that some pattern of its source found no file for, in the order of the configuration.
fn lacking<'a, 'c>(imports: &'a [crate::config::Import<'c>]) -> Vec<&'a crate::config::Import<'c>> {
    let newest: BTreeMap<&str, &crate::config::Import<'c>> = imports.iter().map(|i| (i.system.as_str(), i)).collect();
    let mut found: Vec<_> = newest.into_values().filter(|i| !i.unmatched.is_empty()).collect();
    found.sort_by_key(|i| i.source_ix);
    found
}

/// Expected systems whose newest import lacks a file, with the reason: what it would have shown is missing.
pub fn incomplete(imports: &[crate::config::Import<'_>]) -> BTreeMap<String, String> {
    let why = |i: &crate::config::Import<'_>| format!("no file fits {}", patterns(i));
    lacking(imports).into_iter().filter(|i| i.source.expected).map(|i| (i.system.clone(), why(i))).collect()
}

fn patterns(import: &crate::config::Import<'_>) -> String {
    let shown = import.unmatched.iter().map(|p| format!("`{}`", crate::report::visible_lines(p).join(" ")));
    shown.collect::<Vec<_>>().join(", ")
}

/// 3 where the snapshot is short or too much of it was rejected.
fn code(manifest: &Manifest, max_rejects: u64) -> u8 {
    if manifest.short().is_empty() && manifest.rejected() <= max_rejects { 0 } else { fail::INPUT }
}

/// What was sealed: rows by table, records by file, and what is wrong with them.
fn summary(imported: &Imported) -> String {
    let m = &imported.snapshot.manifest;
    let verb = if imported.new { "sealed" } else { "already sealed" };
    let mut text = format!("{verb} {}/{}  taken at {} ({})\n", m.system, imported.snapshot.name, m.taken_at, m.taken_at_from);
    if !imported.new {
        return text;
    }
    let (mut read, mut accepted) = (0, 0);
    for f in &m.files {
        read += f.read;
        accepted += f.accepted;
    }
    text.push_str(&format!("  {} files: {read} records read = {accepted} accepted + {} rejected\n", m.files.len(), m.rejected()));
    let rows: BTreeMap<&str, u64> = m.tables.iter().filter(|t| t.rows > 0).map(|t| (t.name.as_str(), t.rows)).collect();
    let rows: Vec<String> = rows.iter().map(|(t, n)| format!("{n} {t}")).collect();
    text.push_str(&format!("  {}\n", rows.join(", ")));
    for f in &m.files {
        for (note, n) in &f.notes {
            text.push_str(&format!("  note: {}: {note} ({n})\n", f.name));
        }
    }
    for why in m.short() {
        text.push_str(&format!("  short: {why}\n"));
    }
    text.push_str(&rejected(imported));
    crate::report::visible_lines(&text).join("\n") + "\n"
}

/// Rejected records that are told one by one, for each file.
const TOLD: usize = 5;

/// Why records were rejected: the first of each file, then how many more.
fn rejected(imported: &Imported) -> String {
    let m = &imported.snapshot.manifest;
    if m.rejected() == 0 {
        return String::new();
    }
    let rows: Vec<RejectRow> = match table_file::read(&imported.snapshot.dir) {
        Ok(rows) => rows,
        Err(e) => return format!("  the rejected records cannot be read back: {e}\n"),
    };
    let mut text = String::new();
    for (file, file_ix) in m.files.iter().zip(0u32..) {
        let own: Vec<&RejectRow> = rows.iter().filter(|r| r.file_ix == file_ix).collect();
        for r in own.iter().take(TOLD) {
            let message = r.message.replace(['\n', '\r'], " ");
            text.push_str(&format!("  rejected {} {} {}: {}: {message}\n    help: {}\n", file.name, r.unit, r.number, r.reason, r.help));
        }
        if own.len() > TOLD {
            text.push_str(&format!("  rejected {}: {} more records\n", file.name, own.len() - TOLD));
        }
    }
    text
}
