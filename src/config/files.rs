//! From patterns to imports: which files there are, which system and time each belongs to (11.2, 11.4).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::mistake::{ConfigError, Mistake, Position, show};
use super::pattern::{Pattern, visible};
use super::sidecar::{self, Provenance};
use super::source::{Source, TakenAtRule};
use super::valid::Config;
use super::values;
use crate::model::Time;

/// The time of a snapshot, as the configuration gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenAt {
    pub time: Time,
    /// The text that says so: the key's, or what its captures gave.
    pub stated: String,
    /// Whether it was read from the path of a file.
    pub captured: bool,
}

/// One input file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportFile {
    /// Path from the folder of the configuration, `/`-separated; of a file outside it, from the fixed folder of its pattern.
    /// Bytes that are no UTF-8, and controls, as `\xNN`.
    pub name: String,
    pub path: PathBuf,
    /// The sidecar over the source's own keys. The control total is the sidecar's; the source's own counts for one file
    /// only where it is the only one.
    pub provenance: Provenance,
}

/// All files of one system at one time: what becomes one snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct Import<'c> {
    /// Position of the source in [`Config::sources`].
    pub source_ix: usize,
    pub source: &'c Source,
    pub system: String,
    /// `None`: the export says it, or it is inferred.
    pub taken_at: Option<TakenAt>,
    /// Sorted by name; never empty.
    pub files: Vec<ImportFile>,
    /// Patterns of the source that no file of this import fits, as written.
    pub unmatched: Vec<String>,
}

impl Import<'_> {
    /// The records that all files together must have, where the source states it and no file states its own.
    pub fn control_total(&self) -> Option<u64> {
        let own = self.files.iter().any(|f| f.provenance.control_total.is_some());
        self.source.provenance.control_total.filter(|_| !own)
    }
}

/// A source whose patterns fit no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingSource {
    /// Position of the source in [`Config::sources`].
    pub source_ix: usize,
    /// The system, as written: with its captures where it has some.
    pub system: String,
    /// The patterns, as written; those outside the folder of the configuration by their last segment.
    pub patterns: Vec<String>,
    pub expected: bool,
}

/// What the sources of a configuration come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expanded<'c> {
    /// By system and time, those without a time first.
    pub imports: Vec<Import<'c>>,
    /// In the order of the configuration.
    pub missing: Vec<MissingSource>,
}

/// A file that fits a pattern.
struct Found {
    name: String,
    path: PathBuf,
    values: BTreeMap<String, String>,
}

/// One import in the making: its files (name and path, by the path without detours: a file counts once, however many
/// patterns reach it) and the patterns that they fit.
#[derive(Default)]
struct Gathered {
    taken_at: Option<TakenAt>,
    files: BTreeMap<PathBuf, (String, PathBuf)>,
    matched: BTreeSet<usize>,
}

/// Groups of one source, by system and time.
type Groups = BTreeMap<(String, Option<Time>), Gathered>;

/// Finds the files of every source below `root`, the folder of the configuration.
///
/// The order of folders on disk never shows. Symbolic links are not followed.
///
/// # Errors
/// Every mistake: a link or another thing that is no regular file where a pattern looks, a folder that cannot be read, a
/// captured name that is no system or no time, one system given by two sources, and the mistakes of sidecars.
pub fn expand<'c>(config: &'c Config, root: &Path) -> Result<Expanded<'c>, ConfigError> {
    let mut mistakes = Vec::new();
    let mut expanded = Expanded::default();
    for (source_ix, source) in config.sources.iter().enumerate() {
        let faultless = mistakes.len();
        let groups = gather(source, root, &mut mistakes);
        if groups.is_empty() && mistakes.len() == faultless {
            let patterns = source.files.iter().map(Pattern::without_folder).collect();
            let system = source.system.as_str().to_owned();
            expanded.missing.push(MissingSource { source_ix, system, patterns, expected: source.expected });
        }
        for ((system, _), group) in groups {
            expanded.imports.push(import(source_ix, source, system, group, &mut mistakes));
        }
    }
    one_source_each(&expanded.imports, &mut mistakes);
    if !mistakes.is_empty() {
        return Err(ConfigError::new(&config.name, mistakes));
    }
    expanded.imports.sort_by(|a, b| (&a.system, time_of(a), a.source_ix).cmp(&(&b.system, time_of(b), b.source_ix)));
    Ok(expanded)
}

fn time_of(import: &Import<'_>) -> Option<Time> {
    import.taken_at.as_ref().map(|t| t.time)
}

/// 11.4: a system is given by one source.
fn one_source_each(imports: &[Import<'_>], mistakes: &mut Vec<Mistake>) {
    let mut first: BTreeMap<&str, &Import<'_>> = BTreeMap::new();
    let mut told = BTreeSet::new();
    for import in imports {
        let other = *first.entry(&import.system).or_insert(import);
        if other.source_ix != import.source_ix && told.insert((&import.system, import.source_ix)) {
            let (a, b) = (other.source.at.line, import.source.at.line);
            let message = format!("`{}` is given by two sources, on lines {a} and {b}", import.system);
            mistakes.push(Mistake::new(
                "two-sources",
                import.source.at,
                message,
                "make their names or patterns differ, or list all files in one source",
            ));
        }
    }
}

/// All files of one source, grouped.
fn gather(source: &Source, root: &Path, mistakes: &mut Vec<Mistake>) -> Groups {
    let mut groups = Groups::new();
    for (pattern_ix, pattern) in source.files.iter().enumerate() {
        for found in walk(pattern, source.files_at, root, mistakes) {
            match place(source, &found) {
                Ok((system, taken_at)) => {
                    let group = groups.entry((system, taken_at.as_ref().map(|t| t.time))).or_default();
                    group.taken_at = group.taken_at.take().or(taken_at);
                    let direct = found.path.canonicalize().unwrap_or_else(|_| found.path.clone());
                    group.files.entry(direct).or_insert((found.name, found.path));
                    group.matched.insert(pattern_ix);
                }
                Err(mistake) => mistakes.push(mistake),
            }
        }
    }
    groups
}

/// The system and time to which a file belongs.
fn place(source: &Source, found: &Found) -> Result<(String, Option<TakenAt>), Mistake> {
    let fault = |code, error: values::ValueError, help: String| {
        Mistake::new(code, source.files_at, format!("{}, from the path of `{}`", error.message, show(&found.name)), help)
    };
    let system = source.system.fill(&found.values);
    values::system_name(&system).map_err(|e| {
        let help = format!("{}: rename the folder or file, or name the system without captures", e.help);
        fault("bad-system-name", e, help)
    })?;
    let taken_at = match &source.taken_at {
        None => None,
        Some(TakenAtRule::Literal { stated, time }) => Some(TakenAt { time: *time, stated: stated.clone(), captured: false }),
        Some(TakenAtRule::Captured(template)) => {
            let stated = template.fill(&found.values);
            let time = values::taken_at(&stated, source.timezone.as_ref()).map_err(|e| {
                let help = format!("{}, in the path; or narrow the pattern", e.help);
                fault("bad-instant", e, help)
            })?;
            Some(TakenAt { time, stated, captured: true })
        }
    };
    Ok((system, taken_at))
}

fn import<'c>(source_ix: usize, source: &'c Source, system: String, group: Gathered, mistakes: &mut Vec<Mistake>) -> Import<'c> {
    let only = group.files.len() == 1;
    let mut files = Vec::new();
    for (name, path) in group.files.into_values() {
        match sidecar::read(&path, &name, source.timezone.as_ref()) {
            Ok(own) => {
                let mut provenance = own.clone().unwrap_or_default().over(&source.provenance);
                if !only {
                    provenance.control_total = own.and_then(|o| o.control_total);
                }
                files.push(ImportFile { name, path, provenance });
            }
            Err(more) => mistakes.extend(more),
        }
    }
    files.sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
    let unmatched = source.files.iter().enumerate().filter(|(i, _)| !group.matched.contains(i)).map(|(_, p)| p.without_folder()).collect();
    Import { source_ix, source, system, taken_at: group.taken_at, files, unmatched }
}

/// Walks the folder of one pattern.
fn walk(pattern: &Pattern, at: Position, root: &Path, mistakes: &mut Vec<Mistake>) -> Vec<Found> {
    let base = pattern.base(root);
    match base.try_exists() {
        Ok(true) => {}
        Ok(false) => return Vec::new(),
        Err(error) => {
            mistakes.push(unreadable(pattern, "", &error.to_string(), at));
            return Vec::new();
        }
    }
    let hidden = pattern.sees_hidden();
    let mut walk = WalkDir::new(&base).min_depth(1).follow_links(false).sort_by_file_name();
    if let Some(depth) = pattern.depth() {
        walk = walk.max_depth(depth);
    }
    let wanted = |entry: &DirEntry| {
        let dotted = entry.file_name().as_encoded_bytes().starts_with(b".");
        let leads = !entry.file_type().is_dir() || pattern.leads_to(&below(&base, entry.path()));
        entry.depth() == 0 || (leads && (hidden || !dotted))
    };
    let mut found = Vec::new();
    for entry in walk.into_iter().filter_entry(wanted) {
        match entry {
            Ok(entry) => match judge(pattern, &base, &entry, at) {
                Ok(file) => found.extend(file),
                Err(mistake) => mistakes.push(mistake),
            },
            Err(error) => {
                let shown = error.path().map_or_else(String::new, |p| pattern.shown(&below(&base, p)));
                let reason = error.io_error().map_or_else(|| "it leads back to itself".to_owned(), ToString::to_string);
                mistakes.push(unreadable(pattern, &shown, &reason, at));
            }
        }
    }
    found
}

/// Bytes of the path below the base, `/`-separated.
fn below(base: &Path, path: &Path) -> Vec<u8> {
    let rest = path.strip_prefix(base).unwrap_or(path);
    rest.iter().map(|part| part.as_encoded_bytes()).collect::<Vec<_>>().join(&b'/')
}

/// A file that fits, or nothing, or why it may not be read.
fn judge(pattern: &Pattern, base: &Path, entry: &DirEntry, at: Position) -> Result<Option<Found>, Mistake> {
    let below = below(base, entry.path());
    let kind = entry.file_type();
    if kind.is_symlink() {
        let leads = pattern.leads_to(&below) && hides_files(base, entry.path());
        return if is_input(pattern, &below) || leads { Err(linked(pattern, &below, at)) } else { Ok(None) };
    }
    if kind.is_dir() || !is_input(pattern, &below) {
        return Ok(None);
    }
    let name = pattern.shown(&below);
    if !kind.is_file() {
        let message = format!("`{}` is not a regular file", show(&name));
        return Err(Mistake::new("not-a-file", at, message, "name the export file itself"));
    }
    let values = captured(pattern, &below, &name, at)?;
    Ok(Some(Found { name, path: entry.path().to_owned(), values }))
}

/// Whether a path fits the pattern and is no sidecar.
fn is_input(pattern: &Pattern, below: &[u8]) -> bool {
    !below.ends_with(sidecar::SUFFIX.as_bytes()) && pattern.matches(below).is_some()
}

/// Whether a link where a folder could be may hide files: it leads nowhere, or to a folder outside the base. Files of a
/// folder below the same base are met at their own place (`latest`).
fn hides_files(base: &Path, link: &Path) -> bool {
    match (base.canonicalize(), link.canonicalize()) {
        (Ok(base), Ok(target)) => target.is_dir() && !target.starts_with(base),
        _ => true,
    }
}

fn linked(pattern: &Pattern, below: &[u8], at: Position) -> Mistake {
    let message = format!("`{}` is a symbolic link", show(&pattern.shown(below)));
    Mistake::new("symbolic-link", at, message, "put the file itself there, or name the place to which the link leads")
}

fn captured(pattern: &Pattern, below: &[u8], name: &str, at: Position) -> Result<BTreeMap<String, String>, Mistake> {
    let values = match pattern.matches(below) {
        None => return Ok(BTreeMap::new()),
        Some(Ok(values)) => values,
        Some(Err(two)) => {
            let message =
                format!("`{}` gives `{{{}}}` two values, `{}` and `{}`", show(name), two.name, show(&two.first), show(&two.second));
            return Err(Mistake::new("two-values", at, message, "rename one of them, or give the two places two names"));
        }
    };
    let mut texts = BTreeMap::new();
    for (capture, bytes) in values {
        let shown = visible(&bytes);
        let Ok(text) = String::from_utf8(bytes) else {
            let message = format!("`{{{capture}}}` is `{}` in `{}`, which is no UTF-8", show(&shown), show(name));
            return Err(Mistake::new("bad-capture", at, message, "rename the folder or file"));
        };
        texts.insert(capture, text);
    }
    Ok(texts)
}

/// `shown`: the folder; empty where it is the pattern's own.
fn unreadable(pattern: &Pattern, shown: &str, reason: &str, at: Position) -> Mistake {
    let shown = if shown.is_empty() { show(&pattern.without_folder()) } else { show(shown) };
    Mistake::new("unreadable", at, format!("`{shown}` cannot be read: {reason}"), "make the folder readable, or narrow the pattern")
}

impl Config {
    /// The key for fingerprints of secret values, if one is configured. Line ends at its end do not count.
    ///
    /// # Errors
    /// The file cannot be read, or holds fewer than 16 bytes.
    pub fn fingerprint_key(&self, root: &Path) -> Result<Option<Vec<u8>>, ConfigError> {
        let Some((file, at)) = &self.fingerprint_key_file else { return Ok(None) };
        let name = visible(file.file_name().unwrap_or_default().as_encoded_bytes());
        let fault = |message: String, help: &str| ConfigError::new(&self.name, vec![Mistake::new("bad-key-file", *at, message, help)]);
        let bytes = std::fs::read(root.join(file))
            .map_err(|e| fault(format!("`{}` cannot be read: {e}", show(&name)), "make the key file readable"))?;
        let key = bytes.trim_ascii_end();
        if key.len() < 16 {
            let help = "write 16 random bytes or more into it: `openssl rand -hex 32`";
            return Err(fault(format!("`{}` holds {} bytes, too few for a key", show(&name), key.len()), help));
        }
        Ok(Some(key.to_vec()))
    }
}
