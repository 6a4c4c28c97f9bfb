//! One `[[source]]`: read, and judged by itself.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use toml::Spanned;

use super::Known;
use super::mistake::{Mistakes, Position, help_words, show};
use super::pattern::Pattern;
use super::raw::{self, Section};
use super::sidecar::{self, Provenance};
use super::values::{self, Template, ValueError};
use crate::model::Time;
use crate::model::facts::{Population, Word};

/// The team that owns a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Team {
    Security,
    Platform,
    Application,
}

impl Word for Team {
    const ALL: &'static [Self] = &[Self::Security, Self::Platform, Self::Application];
    fn as_str(self) -> &'static str {
        match self {
            Self::Security => "security",
            Self::Platform => "platform",
            Self::Application => "application",
        }
    }
}

/// What an end date names (11.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EndMeans {
    LastDay,
    FirstDayOut,
}

impl Word for EndMeans {
    const ALL: &'static [Self] = &[Self::LastDay, Self::FirstDayOut];
    fn as_str(self) -> &'static str {
        match self {
            Self::LastDay => "last-day",
            Self::FirstDayOut => "first-day-out",
        }
    }
}

/// When a source's snapshots were taken, as far as the configuration says it.
#[derive(Clone, Debug, PartialEq)]
pub enum TakenAtRule {
    /// One instant, as written and as read.
    Literal { stated: String, time: Time },
    /// Read from captures, file by file.
    Captured(Template),
}

/// One `[[source]]`: a system, or with captures many of one shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Where its header stands.
    pub at: Position,
    /// Where the value of `files` stands: the place of what is found wrong with the files.
    pub files_at: Position,
    /// Where its options stand; its header without any. For what a connector finds wrong with them.
    pub options_at: Position,
    pub system: Template,
    pub connector: String,
    pub files: Vec<Pattern>,
    /// `None`: the export says it, or it is inferred (11.2).
    pub taken_at: Option<TakenAtRule>,
    pub team: Option<Team>,
    pub environment: Option<String>,
    pub owner: Option<String>,
    /// Further names by which tickets, roles and reviews call the system.
    pub aliases: Vec<String>,
    /// Microseconds; `None`: freshness is not judged.
    pub max_age: Option<i64>,
    /// A run without it is incomplete.
    pub expected: bool,
    /// Rejected records beyond which an import is incomplete.
    pub max_rejects: u64,
    /// `None`: no people list.
    pub population: Option<Population>,
    pub timezone: Option<TimeZone>,
    /// An end date names the last day in; else the first day out.
    pub end_is_last_day: bool,
    /// What the configuration states of every file. Its control total counts all files of one import together.
    pub provenance: Provenance,
    /// The connector's options, still unchecked.
    pub options: toml::Table,
}

/// Reads a source. Its name comes back even where the rest is wrong, so that what refers to it is not wrong as well.
pub(super) fn read(section: &Section<'_, '_>, known: &Known<'_>, out: &mut Mistakes<'_>) -> (Option<Template>, Option<Source>) {
    for key in ["system", "connector", "files"] {
        section.require(key, out);
    }
    let system = system(section, out);
    let connector = connector(section, known, out);
    let files = files(section, out);
    let timezone = section.zone("timezone", out);
    let taken_at = taken_at(section, timezone.as_ref(), out);
    let population = section.word::<Population>("population", out);
    let options = options(section, out);
    if holds_people(&options) && !section.has("population") {
        let help = "add `population = \"all\"` if the list keeps people who left, else `population = \"active-only\"`";
        out.add("missing-key", section.at, "`[[source]]` with people has no `population`", help);
    }
    let provenance = sidecar::read_keys(section, timezone.as_ref(), out);
    let settings = Settings {
        team: section.word("team", out),
        environment: section.string("environment", out),
        owner: section.string("owner", out),
        aliases: section.texts("aliases", false, out).unwrap_or_default().iter().map(|t| (*t.get_ref()).to_owned()).collect(),
        max_age: section.duration("max_age", out),
        expected: section.boolean("expected", out),
        max_rejects: section.count("max_rejects", out),
        end_means: section.word("end_means", out),
    };
    if let (Some(system), Some(files)) = (&system, &files) {
        captures(section, system, taken_at.as_ref(), files, out);
        one_total(section, system, taken_at.as_ref(), out);
    }
    let source = system.clone().zip(connector).zip(files).map(|((system, connector), files)| Source {
        at: out.position(section.at),
        files_at: out.position(section.place("files")),
        options_at: out.position(section.place("options")),
        system,
        connector,
        files,
        taken_at,
        team: settings.team,
        environment: settings.environment,
        owner: settings.owner,
        aliases: settings.aliases,
        max_age: settings.max_age,
        expected: settings.expected.unwrap_or(true),
        max_rejects: settings.max_rejects.unwrap_or(0),
        population,
        timezone,
        end_is_last_day: settings.end_means != Some(EndMeans::FirstDayOut),
        provenance,
        options,
    });
    (system, source)
}

/// The keys that need no judgement beyond their type.
struct Settings {
    team: Option<Team>,
    environment: Option<String>,
    owner: Option<String>,
    aliases: Vec<String>,
    max_age: Option<i64>,
    expected: Option<bool>,
    max_rejects: Option<u64>,
    end_means: Option<EndMeans>,
}

fn system(section: &Section<'_, '_>, out: &mut Mistakes<'_>) -> Option<Template> {
    let text = section.text("system", out)?;
    let template = Template::parse(text.get_ref()).and_then(|template| {
        // A capture could be anything: `x` stands for it, so that only the text around it is judged.
        let values = template.captures().map(|c| (c.to_owned(), "x".to_owned())).collect();
        values::system_name(&template.fill(&values)).map_err(|e| {
            let message = format!("`{}` is not a system name", show(template.as_str()));
            if template.is_literal() { e } else { ValueError::new(message, "beside captures use `a-z`, `0-9`, `.` and `-` only") }
        })?;
        Ok(template)
    });
    template.map_err(|e| section.fault("system", "bad-system-name", e, out)).ok()
}

fn connector(section: &Section<'_, '_>, known: &Known<'_>, out: &mut Mistakes<'_>) -> Option<String> {
    let text = section.text("connector", out)?;
    let id = *text.get_ref();
    if known.connectors.contains(&id) {
        return Some(id.to_owned());
    }
    let help = help_words(id, known.connectors.iter().copied());
    out.add("unknown-connector", text.span().start, format!("`{}` is not a connector", show(id)), help);
    None
}

fn files(section: &Section<'_, '_>, out: &mut Mistakes<'_>) -> Option<Vec<Pattern>> {
    let texts = section.texts("files", true, out)?;
    let mut patterns: Vec<Pattern> = Vec::new();
    for text in &texts {
        match Pattern::parse(text.get_ref()) {
            Ok(pattern) if patterns.contains(&pattern) => {
                out.add("repeated", text.span().start, format!("`{}` stands twice in `files`", show(pattern.as_str())), "keep one of them");
            }
            Ok(pattern) => patterns.push(pattern),
            Err(e) => out.add("bad-pattern", text.span().start, e.message, e.help),
        }
    }
    (patterns.len() == texts.len()).then_some(patterns)
}

fn taken_at(section: &Section<'_, '_>, zone: Option<&TimeZone>, out: &mut Mistakes<'_>) -> Option<TakenAtRule> {
    let stated = section.moment("taken_at", out)?;
    let rule = Template::parse(&stated).and_then(|template| {
        if !template.is_literal() {
            return Ok(TakenAtRule::Captured(template));
        }
        let time = values::taken_at(&stated, zone)?;
        Ok(TakenAtRule::Literal { stated: stated.clone(), time })
    });
    rule.map_err(|e| section.fault("taken_at", "bad-instant", e, out)).ok()
}

/// The options as an ordinary table.
fn options(section: &Section<'_, '_>, out: &mut Mistakes<'_>) -> toml::Table {
    let Some((table, _)) = section.table("options", out) else { return toml::Table::new() };
    let mut options = toml::Table::new();
    for (key, value) in table.iter() {
        let name: &str = key.get_ref();
        match raw::plain(value) {
            Some(value) => {
                options.insert(name.to_owned(), value);
            }
            None => out.add(
                "bad-number",
                value.span().start,
                format!("`{}` holds a number out of range", show(name)),
                "write a number of 64 bits or fewer",
            ),
        }
    }
    options
}

/// Whether the options make a people list of the source (11.5).
fn holds_people(options: &toml::Table) -> bool {
    let is = |key: &str, word: &str| options.get(key).and_then(toml::Value::as_str) == Some(word);
    is("mapping", "hr") || is("table", "identities")
}

/// Every capture that is used must be captured by every pattern, and every captured one be used.
fn captures(section: &Section<'_, '_>, system: &Template, taken_at: Option<&TakenAtRule>, files: &[Pattern], out: &mut Mistakes<'_>) {
    // Nobody knows what a `taken_at` that could not be read was meant to use.
    let unread = section.has("taken_at") && taken_at.is_none();
    let taken_at = match taken_at {
        Some(TakenAtRule::Captured(template)) => Some(template),
        _ => None,
    };
    let uses = [("system", Some(system)), ("taken_at", taken_at)];
    for (key, template) in uses.iter().filter_map(|(key, template)| template.map(|t| (*key, t))) {
        for name in template.captures().collect::<BTreeSet<_>>() {
            if let Some(without) = files.iter().find(|p| !p.has_capture(name)) {
                let message = format!("`{key}` uses `{{{name}}}`, which `{}` does not capture", show(without.as_str()));
                section.fault(
                    key,
                    "unknown-capture",
                    ValueError::new(message, format!("write `{{{name}}}` into every pattern of `files`")),
                    out,
                );
            }
        }
    }
    let used: BTreeSet<&str> = uses.iter().filter_map(|(_, t)| *t).flat_map(Template::captures).collect();
    let captured: BTreeSet<&str> = files.iter().flat_map(Pattern::captures).collect();
    for name in captured.difference(&used).filter(|_| !unread) {
        let message = format!("`{{{name}}}` is captured and not used");
        section.fault("files", "unused-capture", ValueError::new(message, "use it in `system` or `taken_at`, or write `*` for it"), out);
    }
}

/// One control total cannot count many imports.
fn one_total(section: &Section<'_, '_>, system: &Template, taken_at: Option<&TakenAtRule>, out: &mut Mistakes<'_>) {
    let many = !system.is_literal() || matches!(taken_at, Some(TakenAtRule::Captured(_)));
    if many && section.has("control_total") {
        let error = ValueError::new(
            "`control_total` stands on a source with captures, which is many imports",
            format!("state it beside each file, in `<file>{}`", sidecar::SUFFIX),
        );
        section.fault("control_total", "ambiguous", error, out);
    }
}

/// The place of a spanned text.
pub(super) fn start(text: &Spanned<&str>) -> usize {
    text.span().start
}
