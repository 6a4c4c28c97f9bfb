//! What the file means: defaults filled in, references followed, every value in its own type.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use regex::Regex;

use super::Known;
use super::mistake::{Mistakes, Position, help_words, nearest, show};
use super::raw::{self, Section, Top};
use super::source::{self, Source, start};
use super::values::{NamePattern, Systems, Template, ValueError};
use crate::model::Time;
use crate::model::facts::{AccountKind, IdentityKind, Level, Severity, Threshold, Word};
use crate::model::time::DAY;
use crate::resolve::{Rule, Rules};

/// A configuration without mistakes.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its file, as it was named: for messages, and stored nowhere.
    pub name: String,
    /// SHA-256 of its bytes: part of what a run is a function of (11.1).
    pub sha256: [u8; 32],
    /// As written: relative to the folder of the file.
    pub store: PathBuf,
    pub as_of: Option<Time>,
    /// Microseconds.
    pub max_skew: i64,
    /// Microseconds within which access should end once the right to it has.
    pub revoke_sla: i64,
    /// From 0 to 1.
    pub max_drop: f64,
    /// Microseconds.
    pub authority_lag: i64,
    /// As written, and where; see [`Config::fingerprint_key`](super::Config::fingerprint_key).
    pub fingerprint_key_file: Option<(PathBuf, Position)>,
    pub sources: Vec<Source>,
    /// Empty: every system that holds identities, for the kinds it holds.
    pub authorities: Vec<Authority>,
    pub identity_links: Vec<IdentityLink>,
    /// In the order of the file: the first that fits decides.
    pub account_kinds: Vec<KindPattern>,
    pub privileged_groups: Vec<PrivilegedGroup>,
    pub entitlement_aliases: Vec<EntitlementAlias>,
    pub rules: Rules,
    /// By check id.
    pub overrides: BTreeMap<String, Override>,
    pub gate: Gate,
}

/// What records call an entitlement or group beside its own name.
#[derive(Clone, Debug, PartialEq)]
pub struct EntitlementAlias {
    pub systems: Systems,
    /// Name or native id.
    pub name: String,
    pub aliases: Vec<String>,
}

/// A life-cycle event for which an authority may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LifecycleEvent {
    Joiner,
    Mover,
    Leaver,
}

impl Word for LifecycleEvent {
    const ALL: &'static [Self] = &[Self::Joiner, Self::Mover, Self::Leaver];
    fn as_str(self) -> &'static str {
        match self {
            Self::Joiner => "joiner",
            Self::Mover => "mover",
            Self::Leaver => "leaver",
        }
    }
}

/// Which system speaks for which identities and events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    pub system: String,
    /// `None`: the kinds that it holds.
    pub kinds: Option<BTreeSet<IdentityKind>>,
    /// `None`: all events.
    pub events: Option<BTreeSet<LifecycleEvent>>,
}

/// A column of `identities` that can tie two records of one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkColumn {
    NativeId,
    EmployeeNumber,
    Email,
    LinkRef,
}

impl Word for LinkColumn {
    const ALL: &'static [Self] = &[Self::NativeId, Self::EmployeeNumber, Self::Email, Self::LinkRef];
    fn as_str(self) -> &'static str {
        match self {
            Self::NativeId => "native_id",
            Self::EmployeeNumber => "employee_number",
            Self::Email => "email",
            Self::LinkRef => "link_ref",
        }
    }
}

/// One end of an identity link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkEnd {
    pub system: String,
    pub column: LinkColumn,
}

/// One person in two authorities: equal values in these two columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityLink {
    pub from: LinkEnd,
    pub to: LinkEnd,
}

/// What accounts are, by their names: every condition that is given must hold.
#[derive(Clone, Debug)]
pub struct KindPattern {
    pub systems: Systems,
    /// Over the login, normalised.
    pub login: Option<Regex>,
    /// Over the native id, as it stands.
    pub native_id: Option<Regex>,
    pub kind: AccountKind,
}

/// A group whose rights no export shows (11.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivilegedGroup {
    pub systems: Systems,
    /// Over the group's name or native id.
    pub name: NamePattern,
    pub level: Level,
}

impl PrivilegedGroup {
    /// The pattern over name or native id, as written.
    pub fn pattern(&self) -> &str {
        self.name.as_str()
    }
}

/// An override of one check, with its reason (11.11).
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    pub reason: String,
    pub enabled: bool,
    pub severity: Option<Severity>,
    /// By name: text, whole number, number or boolean, and where it stands. The check itself judges them.
    pub parameters: BTreeMap<String, (toml::Value, Position)>,
    /// Where the section stands.
    pub at: Position,
}

/// Defaults of the options that decide the exit code. `None`: not configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    pub fail_on: Option<Threshold>,
    pub fail_on_new: Option<Threshold>,
    pub fail_on_possible: Option<bool>,
}

/// The systems that the sources name. `None` in the middle of a mistake: then nobody can be said to be unknown.
struct Named(Option<Vec<Template>>);

impl Named {
    /// Adds a mistake for a system that no source can be.
    fn check(&self, name: &str, at: usize, out: &mut Mistakes<'_>) {
        let Some(systems) = self.0.as_ref().filter(|s| !s.is_empty()) else { return };
        if systems.iter().any(|s| s.could_be(name)) {
            return;
        }
        let help = help_words(name, systems.iter().map(Template::as_str).collect::<Vec<_>>());
        out.add("unknown-system", at, format!("`{}` is not a system of any `[[source]]`", show(name)), help);
    }
}

/// Reads and judges a whole text, adding every mistake. The result is whole only if there is none.
pub(super) fn read(text: &str, name: &str, sha256: [u8; 32], known: &Known<'_>, out: &mut Mistakes<'_>) -> Config {
    let table = raw::parse(text, out);
    let broken: BTreeSet<usize> = out.list.iter().map(|m| m.line).collect();
    let top = Top::open(&table, out);
    let (sources, named) = sources(&top, known, out);
    let mut config = Config {
        name: name.to_owned(),
        sha256,
        store: PathBuf::from("store"),
        as_of: None,
        max_skew: 7 * DAY,
        revoke_sla: DAY,
        max_drop: 0.10,
        authority_lag: DAY,
        fingerprint_key_file: None,
        sources,
        authorities: top.many("authority", "[[authority]]", out).iter().filter_map(|s| authority(s, &named, out)).collect(),
        identity_links: top.many("identity_link", "[[identity_link]]", out).iter().filter_map(|s| link(s, &named, out)).collect(),
        account_kinds: top.many("account_kind", "[[account_kind]]", out).iter().filter_map(|s| kind_pattern(s, &named, out)).collect(),
        privileged_groups: top.many("privileged_group", "[[privileged_group]]", out).iter().filter_map(|s| group(s, &named, out)).collect(),
        entitlement_aliases: top
            .many("entitlement_alias", "[[entitlement_alias]]", out)
            .iter()
            .filter_map(|s| alias(s, &named, out))
            .collect(),
        rules: top.one("correlation", "[correlation]", out).map_or_else(Rules::default, |s| rules(&s, &named, out)),
        overrides: overrides(&top, known, out),
        gate: top.one("gate", "[gate]", out).map_or_else(Gate::default, |s| gate(&s, out)),
    };
    if let Some(section) = top.one("holdover", "[holdover]", out) {
        whole_run(&section, &mut config, out);
    }
    if let Some(section) = top.one("metrics", "[metrics]", out) {
        config.revoke_sla = section.duration("revoke_sla", out).unwrap_or(config.revoke_sla);
    }
    if !broken.is_empty() {
        only_certain(&broken, out);
    }
    config
}

/// Beside faults of syntax, keeps what is a mistake however those are mended: a broken line may have held the key that
/// seems to be missing.
fn only_certain(broken: &BTreeSet<usize>, out: &mut Mistakes<'_>) {
    const DEPEND: &[&str] = &["missing-key", "unknown-system", "unknown-capture", "unused-capture", "changes-nothing", "thresholds"];
    out.list.retain(|m| m.code == "syntax" || !(broken.contains(&m.line) || DEPEND.contains(&m.code)));
}

fn whole_run(section: &Section<'_, '_>, config: &mut Config, out: &mut Mistakes<'_>) {
    if let Some(store) = section.string("store", out) {
        config.store = PathBuf::from(store);
    }
    config.as_of = as_of(section, out);
    config.max_skew = section.duration("max_skew", out).unwrap_or(config.max_skew);
    config.max_drop = section.share("max_drop", true, out).unwrap_or(config.max_drop);
    config.authority_lag = section.duration("authority_lag", out).unwrap_or(config.authority_lag);
    let key_at = out.position(section.place("fingerprint_key_file"));
    config.fingerprint_key_file = section.string("fingerprint_key_file", out).map(|f| (PathBuf::from(f), key_at));
}

fn as_of(section: &Section<'_, '_>, out: &mut Mistakes<'_>) -> Option<Time> {
    let text = section.moment("as_of", out)?;
    let parsed = Time::parse_iso(&text).ok();
    if parsed.is_none() {
        let help = "write an instant with its offset, such as `2026-11-22T00:00:00Z`";
        section.fault("as_of", "bad-instant", ValueError::new(format!("`{}` is not an instant", show(&text)), help), out);
    }
    parsed
}

fn sources(top: &Top<'_, '_>, known: &Known<'_>, out: &mut Mistakes<'_>) -> (Vec<Source>, Named) {
    let mut all = Vec::new();
    let mut named: Vec<(Template, usize)> = Vec::new();
    let mut nameless = false;
    for section in top.many("source", "[[source]]", out) {
        let (system, source) = source::read(&section, known, out);
        all.extend(source);
        let Some(system) = system else {
            nameless = true;
            continue;
        };
        if let Some((_, first)) = named.iter().find(|(other, _)| *other == system) {
            let (first, second) = (out.position(*first).line, out.position(section.at).line);
            let message = format!("`{}` is named by two sources, on lines {first} and {second}", show(system.as_str()));
            let error = ValueError::new(message, "name a system once, and list all its files there");
            section.fault("system", "two-sources", error, out);
        }
        named.push((system, section.at));
    }
    let named = (!nameless).then(|| named.into_iter().map(|(system, _)| system).collect());
    (all, Named(named))
}

fn authority(section: &Section<'_, '_>, named: &Named, out: &mut Mistakes<'_>) -> Option<Authority> {
    section.require("system", out);
    let kinds = section.words::<IdentityKind>("kinds", out);
    let events = section.words::<LifecycleEvent>("events", out);
    let system = system_of(section, named, out)?;
    Some(Authority { system, kinds: kinds.map(BTreeSet::from_iter), events: events.map(BTreeSet::from_iter) })
}

fn system_of(section: &Section<'_, '_>, named: &Named, out: &mut Mistakes<'_>) -> Option<String> {
    let text = section.text("system", out)?;
    named.check(text.get_ref(), start(&text), out);
    Some((*text.get_ref()).to_owned())
}

fn link(section: &Section<'_, '_>, named: &Named, out: &mut Mistakes<'_>) -> Option<IdentityLink> {
    let mut end = |key: &'static str| {
        section.require(key, out);
        let (table, at) = section.table(key, out)?;
        let end = Section::open("identity_link.end", key, table, at, out);
        end.require("system", out);
        end.require("column", out);
        let column = end.word::<LinkColumn>("column", out);
        let system = system_of(&end, named, out);
        Some(LinkEnd { system: system?, column: column? })
    };
    let (from, to) = (end("from"), end("to"));
    let (from, to) = (from?, to?);
    if from.system == to.system {
        let message = format!("both ends of the link are `{}`", show(&from.system));
        let error = ValueError::new(message, "name two systems: a link joins the records that two authorities have of one person");
        section.fault("to", "same-system", error, out);
    }
    Some(IdentityLink { from, to })
}

/// The list of systems, whose members without wildcards must be known.
fn systems(section: &Section<'_, '_>, named: &Named, out: &mut Mistakes<'_>) -> Systems {
    let mut patterns = Vec::new();
    for text in section.texts("systems", false, out).unwrap_or_default() {
        match NamePattern::parse(text.get_ref()) {
            Ok(pattern) => {
                if pattern.is_literal() {
                    named.check(pattern.as_str(), start(&text), out);
                }
                patterns.push(pattern);
            }
            Err(e) => out.add("bad-pattern", start(&text), e.message, e.help),
        }
    }
    Systems(patterns)
}

fn kind_pattern(section: &Section<'_, '_>, named: &Named, out: &mut Mistakes<'_>) -> Option<KindPattern> {
    section.require("kind", out);
    if !section.has("login") && !section.has("native_id") {
        let help = "add `login = …` or `native_id = …`: a regular expression over it";
        out.add("missing-key", section.at, "`[[account_kind]]` has neither `login` nor `native_id`", help);
    }
    let systems = systems(section, named, out);
    let login = regex(section, "login", out);
    let native_id = regex(section, "native_id", out);
    let kind = section.word::<AccountKind>("kind", out)?;
    if kind == AccountKind::Unknown {
        let error = ValueError::new("`kind` is `unknown`, which decides nothing", "name the kind, or leave the entry out");
        section.fault("kind", "unknown-word", error, out);
    }
    Some(KindPattern { systems, login, native_id, kind })
}

fn regex(section: &Section<'_, '_>, key: &str, out: &mut Mistakes<'_>) -> Option<Regex> {
    let text = section.text(key, out)?;
    let compiled = Regex::new(text.get_ref());
    compiled.map_err(|e| section.fault(key, "bad-regex", regex_fault(text.get_ref(), &e), out)).ok()
}

/// The last line of the engine's message is its reason; what stands before draws the pattern.
fn regex_fault(text: &str, error: &regex::Error) -> ValueError {
    let full = error.to_string();
    let reason = full.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned();
    let message = format!("`{}` is not a regular expression: {reason}", show(text));
    ValueError::new(message, "put `\\` before a character that means itself; in TOML, single quotes keep `\\` as it is")
}

fn group(section: &Section<'_, '_>, named: &Named, out: &mut Mistakes<'_>) -> Option<PrivilegedGroup> {
    section.require("name", out);
    section.require("level", out);
    let systems = systems(section, named, out);
    let level = section.word::<Level>("level", out);
    if let Some(level @ (Level::Unknown | Level::None)) = level {
        let error = ValueError::new(format!("`level` is `{level}`, which is no privilege"), "use one of `read`, `write`, `admin`");
        section.fault("level", "unknown-word", error, out);
    }
    let text = section.text("name", out)?;
    let name = NamePattern::parse(text.get_ref()).map_err(|e| section.fault("name", "bad-pattern", e, out)).ok()?;
    Some(PrivilegedGroup { systems, name, level: level? })
}

fn alias(section: &Section<'_, '_>, named: &Named, out: &mut Mistakes<'_>) -> Option<EntitlementAlias> {
    section.require("name", out);
    section.require("aliases", out);
    let systems = systems(section, named, out);
    let name = section.string("name", out);
    let aliases = section.texts("aliases", false, out)?;
    Some(EntitlementAlias { systems, name: name?, aliases: aliases.iter().map(|t| (*t.get_ref()).to_owned()).collect() })
}

/// Columns of an account that a rule may compare; see [`Rule::account`].
const ACCOUNT_COLUMNS: &[&str] = &["employee_ref", "email", "upn", "login", "display_name", "native_id"];
/// What stands before the name of a vendor attribute.
const ATTRIBUTE: &str = "attribute:";
/// Columns of an identity that a rule may compare; see [`Rule::identity`].
const IDENTITY_COLUMNS: &[&str] =
    &["native_id", "employee_number", "email", "login", "alias", "display_name", "email_local", "initial_family", "given_family"];

fn rules(section: &Section<'_, '_>, named: &Named, out: &mut Mistakes<'_>) -> Rules {
    let default = Rules::default();
    let certain = section.share("certain", false, out).unwrap_or(default.certain);
    let possible = section.share("possible", false, out).unwrap_or(default.possible);
    if possible > certain {
        let key = if section.has("possible") { "possible" } else { "certain" };
        let message = format!("`possible` is {possible}, above `certain`, which is {certain}");
        section.fault(key, "thresholds", ValueError::new(message, "make `possible` at most `certain`"), out);
    }
    let tables = section.tables("rule", out);
    let mut ids = BTreeSet::new();
    let given = !tables.is_empty();
    let rules: Vec<Rule> = tables
        .into_iter()
        .filter_map(|(table, at)| rule(&Section::open("correlation.rule", "[[correlation.rule]]", table, at, out), named, &mut ids, out))
        .collect();
    Rules { certain, possible, rules: if given { rules } else { default.rules } }
}

fn rule(section: &Section<'_, '_>, named: &Named, ids: &mut BTreeSet<String>, out: &mut Mistakes<'_>) -> Option<Rule> {
    for key in ["id", "tier", "weight", "account", "identity"] {
        section.require(key, out);
    }
    let id = section.string("id", out);
    if let Some(id) = id.as_ref().filter(|id| !ids.insert((*id).clone())) {
        let message = format!("two rules have the id `{}`", show(id));
        section.fault("id", "repeated", ValueError::new(message, "give each rule an id of its own"), out);
    }
    let tier = section.count("tier", out);
    let tier_small = tier.and_then(|t| u32::try_from(t).ok()).filter(|t| *t > 0);
    if let (Some(tier), None) = (tier, tier_small) {
        section.fault("tier", "bad-number", ValueError::new(format!("`tier` is `{tier}`"), "count tiers from 1"), out);
    }
    let weight = section.share("weight", false, out);
    let account = column(section, "account", ACCOUNT_COLUMNS, out);
    let identity = column(section, "identity", IDENTITY_COLUMNS, out);
    let systems = systems(section, named, out).0.iter().map(|p| p.as_str().to_owned()).collect();
    Some(Rule { id: id?, tier: tier_small?, weight: weight?, account: account?, identity: identity?, systems })
}

fn column(section: &Section<'_, '_>, key: &str, known: &[&str], out: &mut Mistakes<'_>) -> Option<String> {
    let text = *section.text(key, out)?.get_ref();
    let attribute = known == ACCOUNT_COLUMNS && text.strip_prefix(ATTRIBUTE).is_some_and(|name| !name.trim().is_empty());
    if attribute || known.contains(&text) {
        return Some(text.to_owned());
    }
    let mut all: Vec<&str> = known.to_vec();
    if known == ACCOUNT_COLUMNS {
        all.push("attribute:<name>");
    }
    let message = format!("`{}` is not a column of an {key}", show(text));
    section.fault(key, "unknown-column", ValueError::new(message, help_words(text, all)), out);
    None
}

fn overrides(top: &Top<'_, '_>, known: &Known<'_>, out: &mut Mistakes<'_>) -> BTreeMap<String, Override> {
    let Some((table, _)) = top.any("checks") else { return BTreeMap::new() };
    let mut overrides = BTreeMap::new();
    for (key, value) in table.iter() {
        let id: &str = key.get_ref();
        let header = format!("[checks.{}]", show(id));
        let Some(table) = value.get_ref().as_table() else {
            out.add(
                "wrong-type",
                value.span().start,
                format!("`checks.{}` is not a table", show(id)),
                format!("write `{header}` above its keys"),
            );
            continue;
        };
        if let Some(checks) = known.checks.filter(|all| !all.contains(&id)) {
            let help = match nearest(id, checks.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`holdover checks list` names them all".to_owned(),
            };
            out.add("unknown-check", key.span().start, format!("`{}` is not a check", show(id)), help);
        }
        let section = Section::open("checks", &header, table, value.span().start, out);
        if let Some(found) = override_of(id, &section, &header, known, out) {
            overrides.insert(id.to_owned(), found);
        }
    }
    overrides
}

fn override_of(id: &str, section: &Section<'_, '_>, header: &str, known: &Known<'_>, out: &mut Mistakes<'_>) -> Option<Override> {
    section.require("reason", out);
    if !["enabled", "severity", "parameters"].iter().any(|key| section.has(key)) {
        let help = "add `enabled`, `severity` or `parameters`, or leave the section out";
        out.add("changes-nothing", section.at, format!("`{header}` changes nothing"), help);
    }
    let reason = section.string("reason", out);
    let enabled = section.boolean("enabled", out).unwrap_or(true);
    let severity = section.word::<Severity>("severity", out);
    let parameters = parameters(id, section, known, out);
    Some(Override { reason: reason?, enabled, severity, parameters, at: out.position(section.at) })
}

fn parameters(id: &str, section: &Section<'_, '_>, known: &Known<'_>, out: &mut Mistakes<'_>) -> BTreeMap<String, (toml::Value, Position)> {
    let Some((table, _)) = section.table("parameters", out) else { return BTreeMap::new() };
    let mut parameters = BTreeMap::new();
    for (key, value) in table.iter() {
        let name: &str = key.get_ref();
        let plain = raw::plain(value).filter(|v| v.is_str() || v.is_integer() || v.is_float() || v.is_bool());
        match plain {
            Some(plain) => {
                if let Err(message) = (known.parameter)(id, name, &plain) {
                    let help = format!("`holdover checks show {}` tells its parameters", show(id));
                    out.add("bad-parameter", value.span().start, message, help);
                }
                parameters.insert(name.to_owned(), (plain, out.position(value.span().start)));
            }
            None => {
                let message = format!("the parameter `{}` is no text, number or boolean", show(name));
                out.add("wrong-type", value.span().start, message, "write one value, such as `\"180d\"` or `3`");
            }
        }
    }
    parameters
}

fn gate(section: &Section<'_, '_>, out: &mut Mistakes<'_>) -> Gate {
    Gate {
        fail_on: section.word("fail_on", out),
        fail_on_new: section.word("fail_on_new", out),
        fail_on_possible: section.boolean("fail_on_possible", out),
    }
}
