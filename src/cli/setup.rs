//! From flags and configuration to what the stages take.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Failure, Place};
use crate::audit::{Authority, CheckOverride, Gate, Settings, SourcePolicy};
use crate::checks::Check;
use crate::config::{Config, Expanded, Import, Known, LifecycleEvent};
use crate::connectors::{self, Context};
use crate::ingest::Job;
use crate::model::{Threshold, Time, Word};
use crate::resolve;
use crate::store::Provenance;

/// A configuration, where it lies, and the files that its sources name.
pub struct Configured {
    pub config: Config,
    /// Folder of the file: every relative path starts here.
    pub root: PathBuf,
}

impl Configured {
    /// Loads a configuration.
    ///
    /// # Errors
    /// All its mistakes at once.
    ///
    /// `checks`: those of this audit; `None`: the command asks no check, and what is said of them is not judged.
    pub fn load(path: &Path, checks: Option<&[Check]>) -> Result<Self, Failure> {
        let ids: Vec<&str> = connectors::ALL.iter().map(|c| c.id()).collect();
        let check_ids: Option<Vec<&str>> = checks.map(|all| all.iter().map(|c| c.id.as_str()).collect());
        let parameter = |id: &str, name: &str, value: &toml::Value| {
            let check = checks.unwrap_or_default().iter().find(|c| c.id == id);
            check.map_or(Ok(()), |c| c.values(&BTreeMap::from([(name.to_owned(), value.clone())])).map(drop))
        };
        let config = Config::load(path, &Known { connectors: &ids, checks: check_ids.as_deref(), parameter: &parameter })?;
        let root = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_path_buf();
        Ok(Self { config, root })
    }

    pub fn store(&self) -> PathBuf {
        self.root.join(&self.config.store)
    }

    /// The imports that the files on disk come to.
    ///
    /// # Errors
    /// Links, unreadable folders, captures that are no system or time, two sources for one system.
    pub fn expand(&self) -> Result<Expanded<'_>, Failure> {
        Ok(crate::config::expand(&self.config, &self.root)?)
    }

    /// The job of one import.
    ///
    /// # Errors
    /// The fingerprint key cannot be read.
    pub fn job(&self, import: &Import<'_>, supersede: bool) -> Result<Job, Failure> {
        let source = import.source;
        let provenance = import.files.iter().map(|f| {
            let p = &f.provenance;
            Provenance {
                extracted_by: p.extracted_by.clone(),
                extracted_role: p.extracted_role.clone(),
                command: p.command.clone(),
                filters: p.filters.clone(),
                extracted_at: p.extracted_at.map(|t| t.to_string()),
                control_total: p.control_total,
                covers_from: p.covers_from,
                covers_to: p.covers_to,
            }
        });
        Ok(Job {
            connector: source.connector.clone(),
            files: import.files.iter().map(|f| (f.name.clone(), f.path.clone())).collect(),
            taken_at: import.taken_at.as_ref().map(|t| (t.time, "config")),
            provenance: provenance.collect(),
            control_total: import.control_total(),
            context: Context {
                system: import.system.clone(),
                options: source.options.clone(),
                timezone: source.timezone.clone(),
                population: source.population,
                end_is_last_day: source.end_is_last_day,
                fingerprint_key: self.config.fingerprint_key(&self.root)?,
                scratch: connectors::Scratch::default(),
            },
            supersede,
        })
    }

    /// The audit's settings.
    pub fn settings(&self, checks: Vec<Check>, expanded: &Expanded<'_>) -> Settings {
        let c = &self.config;
        let mut settings = Settings::by_hand(checks);
        settings.expect_all = false;
        settings.as_of = c.as_of;
        settings.max_skew = c.max_skew;
        settings.max_drop = c.max_drop;
        settings.revoke_sla = c.revoke_sla;
        for import in &expanded.imports {
            settings.sources.insert(import.system.clone(), policy(import.source));
        }
        for missing in &expanded.missing {
            let source = c.sources.get(missing.source_ix);
            settings.missing.insert(missing.system.clone(), missing.expected);
            settings.sources.extend(source.filter(|s| s.system.is_literal()).map(|s| (missing.system.clone(), policy(s))));
        }
        if !c.authorities.is_empty() {
            settings.authorities = Some(c.authorities.iter().map(|a| (a.system.clone(), authority(a))).collect());
        }
        settings.overrides = c.overrides.iter().map(|(id, o)| (id.clone(), override_of(o))).collect();
        settings.resolve = resolve_settings(c);
        settings.gate = Gate {
            fail_on: c.gate.fail_on.map_or(settings.gate.fail_on, Threshold::severity),
            fail_on_new: c.gate.fail_on_new.and_then(Threshold::severity),
            possible: c.gate.fail_on_possible.unwrap_or(false),
        };
        settings
    }
}

fn policy(source: &crate::config::Source) -> SourcePolicy {
    SourcePolicy {
        expected: source.expected,
        max_age: source.max_age,
        max_rejects: source.max_rejects,
        team: source.team.map(|t| t.as_str().to_owned()),
        owner: source.owner.clone(),
        environment: source.environment.clone(),
        aliases: source.aliases.clone(),
    }
}

fn authority(a: &crate::config::Authority) -> Authority {
    let speaks = |event| a.events.as_ref().is_none_or(|e| e.contains(&event));
    Authority {
        kinds: a.kinds.iter().flatten().copied().collect(),
        joiners: speaks(LifecycleEvent::Joiner),
        leavers: speaks(LifecycleEvent::Leaver),
    }
}

fn override_of(o: &crate::config::Override) -> CheckOverride {
    CheckOverride {
        enabled: (!o.enabled).then_some(false),
        severity: o.severity,
        parameters: o.parameters.iter().map(|(k, (v, _))| (k.clone(), v.clone())).collect(),
        reason: Some(o.reason.clone()),
    }
}

fn resolve_settings(c: &Config) -> resolve::Settings {
    let systems = |s: &crate::config::Systems| s.0.iter().map(|p| p.as_str().to_owned()).collect::<Vec<_>>();
    resolve::Settings {
        rules: c.rules.clone(),
        authority_lag_us: c.authority_lag,
        account_kinds: c
            .account_kinds
            .iter()
            .map(|k| resolve::KindPattern {
                systems: systems(&k.systems),
                login: k.login.as_ref().map(|r| r.as_str().to_owned()),
                native_id: k.native_id.as_ref().map(|r| r.as_str().to_owned()),
                kind: k.kind,
            })
            .collect(),
        privileged_groups: c
            .privileged_groups
            .iter()
            .map(|g| resolve::PrivilegedGroup { systems: systems(&g.systems), name: g.pattern().to_owned(), level: g.level })
            .collect(),
        entitlement_aliases: c
            .entitlement_aliases
            .iter()
            .map(|a| resolve::EntitlementAlias { systems: systems(&a.systems), name: a.name.clone(), aliases: a.aliases.clone() })
            .collect(),
        identity_links: c
            .identity_links
            .iter()
            .map(|l| resolve::IdentityLink {
                from: l.from.system.clone(),
                from_column: l.from.column.as_str().to_owned(),
                to: l.to.system.clone(),
                to_column: l.to.column.as_str().to_owned(),
            })
            .collect(),
    }
}

/// The configuration that flags and folder point to; `None`: there is none, or a store was named.
pub fn config_path(place: &Place) -> Option<&Path> {
    match (&place.store, &place.config) {
        (_, Some(path)) => Some(path),
        (None, None) => Some(Path::new("holdover.toml")).filter(|p| p.is_file()),
        _ => None,
    }
}

/// The configuration at [`config_path`].
///
/// # Errors
/// All its mistakes.
pub fn configured(place: &Place, checks: Option<&[Check]>) -> Result<Option<Configured>, Failure> {
    config_path(place).map(|path| Configured::load(path, checks)).transpose()
}

/// The store that flags and folder point to.
///
/// # Errors
/// Neither a store nor a configuration is named or lies here.
pub fn store_path(place: &Place, configured: Option<&Configured>) -> Result<PathBuf, Failure> {
    if let Some(c) = configured {
        return Ok(c.store());
    }
    place.store.clone().ok_or_else(|| {
        Failure::usage(
            "neither a store nor a configuration is named",
            "give `--store DIR`, or `--config FILE`, or run `holdover init` here",
        )
    })
}

/// Flags over configuration.
pub fn with_flags(settings: &mut Settings, as_of: Option<Time>, flags: &super::audit::GateFlags) {
    if let Some(at) = as_of {
        settings.as_of = Some(at);
    }
    if let Some(from) = flags.fail_on {
        settings.gate.fail_on = from.severity();
    }
    if let Some(from) = flags.fail_on_new {
        settings.gate.fail_on_new = from.severity();
    }
    settings.gate.possible |= flags.fail_on_possible;
}

/// `name=value` pairs of the command line as connector options; a dotted name makes tables.
///
/// # Errors
/// A pair without `=`, or a name that is both a value and a table.
pub fn options(pairs: &[String]) -> Result<toml::Table, Failure> {
    let mut out = toml::Table::new();
    for pair in pairs {
        let (name, value) =
            pair.split_once('=').ok_or_else(|| Failure::usage(format!("`{pair}` is not `name=value`"), "write `--option mapping=hr`"))?;
        let parts: Vec<&str> = name.split('.').collect();
        let Some((last, path)) = parts.split_last() else { continue };
        let mut at = &mut out;
        for part in path {
            let next = at.entry((*part).to_owned()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            at = next
                .as_table_mut()
                .ok_or_else(|| Failure::usage(format!("`{part}` in `{name}` is a value already"), "give each option once"))?;
        }
        at.insert((*last).to_owned(), typed(value));
    }
    Ok(out)
}

/// TOML where the text is TOML, else the text itself.
fn typed(value: &str) -> toml::Value {
    let parsed: Option<BTreeMap<String, toml::Value>> = toml::from_str(&format!("v = {value}")).ok();
    parsed.and_then(|mut t| t.remove("v")).unwrap_or_else(|| toml::Value::String(value.to_owned()))
}
