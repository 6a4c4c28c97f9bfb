//! Checks: one `.sql` file is the rule, its documentation and its evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use crate::model::{Severity, SubjectKind};
use crate::sql::{Literal, parse_check};

/// The checks that holdover brings along, by file name.
pub static BUILTIN: &[(&str, &str)] = &[
    ("admin_wildcard.sql", include_str!("admin_wildcard.sql")),
    ("dangling_grant.sql", include_str!("dangling_grant.sql")),
    ("disabled_account_live_credential.sql", include_str!("disabled_account_live_credential.sql")),
    ("disputed_correlation.sql", include_str!("disputed_correlation.sql")),
    ("dormant_account.sql", include_str!("dormant_account.sql")),
    ("exception_expired.sql", include_str!("exception_expired.sql")),
    ("exception_unreviewed.sql", include_str!("exception_unreviewed.sql")),
    ("expired_credential_enabled.sql", include_str!("expired_credential_enabled.sql")),
    ("expired_temporary_access.sql", include_str!("expired_temporary_access.sql")),
    ("ghost_account.sql", include_str!("ghost_account.sql")),
    ("identity_without_account.sql", include_str!("identity_without_account.sql")),
    ("leave_live_access.sql", include_str!("leave_live_access.sql")),
    ("leaver_access_unremoved.sql", include_str!("leaver_access_unremoved.sql")),
    ("leaver_known_secret_unrotated.sql", include_str!("leaver_known_secret_unrotated.sql")),
    ("leaver_live_credential.sql", include_str!("leaver_live_credential.sql")),
    ("mover_residual_access.sql", include_str!("mover_residual_access.sql")),
    ("orphan_account.sql", include_str!("orphan_account.sql")),
    ("out_of_band_grant.sql", include_str!("out_of_band_grant.sql")),
    ("privileged_unapproved.sql", include_str!("privileged_unapproved.sql")),
    ("regrant.sql", include_str!("regrant.sql")),
    ("retired_workload_live.sql", include_str!("retired_workload_live.sql")),
    ("revoke_ticket_closed_access_live.sql", include_str!("revoke_ticket_closed_access_live.sql")),
    ("outside_role_model.sql", include_str!("outside_role_model.sql")),
    ("privilege_escalation.sql", include_str!("privilege_escalation.sql")),
    ("source_incomplete.sql", include_str!("source_incomplete.sql")),
    ("stale_key.sql", include_str!("stale_key.sql")),
    ("system_without_source.sql", include_str!("system_without_source.sql")),
    ("unowned_nonhuman.sql", include_str!("unowned_nonhuman.sql")),
    ("unregistered_nonhuman.sql", include_str!("unregistered_nonhuman.sql")),
    ("unused_key.sql", include_str!("unused_key.sql")),
    ("use_after_termination.sql", include_str!("use_after_termination.sql")),
];

/// How much of the world one execution of a check must see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grain {
    /// All rows of a set of whole accounts: runs once for each partition.
    Account,
    /// Everything: runs once.
    Run,
}

impl Grain {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Run => "run",
        }
    }
}

/// How sure a hit of the check is to be a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    Low,
    Medium,
    High,
}

impl Confidence {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A value that the configuration may set, with its unit.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// `days`, `hours`, `integer`, `double`, `text` or `boolean`.
    pub ty: String,
    pub default: Literal,
    pub doc: String,
}

/// One check.
#[derive(Clone, Debug)]
pub struct Check {
    pub id: String,
    pub title: String,
    pub severity: Severity,
    pub confidence: Confidence,
    pub grain: Grain,
    pub subject: SubjectKind,
    /// Tables that a snapshot must cover, `a|b` for either; `identities`: some authority must.
    pub needs: Vec<String>,
    /// One line with `{column}` places, and its line in the file.
    pub message: String,
    pub message_line: u32,
    pub description: String,
    pub remedy: String,
    pub false_positives: String,
    pub controls: Vec<String>,
    /// Checks whose open finding about the same subject, or its account, already counts.
    pub covered_by: Vec<String>,
    pub parameters: BTreeMap<String, Parameter>,
    /// Whether it came in with `--checks`; else holdover brought it along.
    pub own: bool,
    /// Name of its file, and how many lines of it stand before the query.
    pub file: String,
    pub query_offset: u32,
    /// The query as written.
    pub query: String,
    /// The whole file.
    pub source: String,
}

/// A check file that cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct CheckError {
    pub file: String,
    pub line: u64,
    pub message: String,
    pub help: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FrontMatter {
    id: String,
    title: String,
    severity: Severity,
    confidence: Confidence,
    grain: Grain,
    subject: SubjectKind,
    needs: Vec<String>,
    message: Spanned<String>,
    description: String,
    remedy: Spanned<String>,
    false_positives: String,
    controls: Vec<String>,
    #[serde(default)]
    covered_by: Vec<String>,
    #[serde(default)]
    parameters: BTreeMap<String, RawParameter>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawParameter {
    #[serde(rename = "type")]
    ty: String,
    default: toml::Value,
    doc: String,
}

impl Check {
    /// Reads one check file.
    ///
    /// # Errors
    /// Front matter or query that is not of the form described in `docs/checks.md`.
    pub fn parse(file: &str, source: &str) -> Result<Self, CheckError> {
        let fault = |line: u64, message: String, help: &str| CheckError { file: file.to_owned(), line, message, help: help.to_owned() };
        let parts = parse_check(source).map_err(|d| fault(u64::from(d.line), d.message.clone(), &d.help))?;
        let line_at = |byte: usize| {
            let before = parts.front_matter.get(..byte).unwrap_or_default().matches('\n').count();
            parts.front_matter_line.saturating_add(u32::try_from(before).unwrap_or(u32::MAX))
        };
        let front: FrontMatter = toml::from_str(&parts.front_matter).map_err(|e| {
            let line = e.span().map_or(1, |s| u64::from(line_at(s.start)));
            fault(line, e.message().to_owned(), "see `holdover checks show orphan-account` for the form")
        })?;
        if front.remedy.get_ref().trim().is_empty() {
            let line = u64::from(line_at(front.remedy.span().start));
            return Err(fault(line, format!("check `{}`: `remedy` is empty", front.id), "say what to do about a finding"));
        }
        let message_line = line_at(front.message.span().start);
        let mut parameters = BTreeMap::new();
        for (name, raw) in front.parameters {
            let default = literal(&raw.ty, &raw.default)
                .map_err(|m| fault(1, format!("parameter `{name}`: {m}"), "give a default of the parameter's type"))?;
            parameters.insert(name, Parameter { ty: raw.ty, default, doc: raw.doc });
        }
        Ok(Self {
            id: front.id,
            title: front.title,
            severity: front.severity,
            confidence: front.confidence,
            grain: front.grain,
            subject: front.subject,
            needs: front.needs,
            message: front.message.into_inner(),
            message_line,
            description: one_line(&front.description),
            remedy: one_line(front.remedy.get_ref()),
            false_positives: one_line(&front.false_positives),
            controls: front.controls,
            covered_by: front.covered_by,
            parameters,
            own: false,
            file: file.to_owned(),
            query_offset: parts.query_offset,
            query: parts.query,
            source: source.to_owned(),
        })
    }

    /// The values of all parameters, the configured ones over the defaults.
    ///
    /// # Errors
    /// A name that the check does not have, or a value that is not of the parameter's type.
    pub fn values(&self, configured: &BTreeMap<String, toml::Value>) -> Result<BTreeMap<String, Literal>, String> {
        let mut out: BTreeMap<String, Literal> = self.parameters.iter().map(|(k, p)| (k.clone(), p.default.clone())).collect();
        for (name, value) in configured {
            let parameter = self.parameters.get(name).ok_or_else(|| {
                let known = self.parameters.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                format!("`{}` has no parameter `{name}`; it has: {}", self.id, if known.is_empty() { "none" } else { &known })
            })?;
            out.insert(name.clone(), literal(&parameter.ty, value).map_err(|m| format!("`{}`, parameter `{name}`: {m}", self.id))?);
        }
        Ok(out)
    }
}

/// A TOML value as a typed literal.
fn literal(ty: &str, value: &toml::Value) -> Result<Literal, String> {
    let count = |text: &str, unit: char| -> Result<u32, String> {
        text.strip_suffix(unit)
            .and_then(|n| n.parse::<u32>().ok())
            .ok_or_else(|| format!("`{text}` is not a number of {ty}, such as `90{unit}`"))
    };
    match (ty, value) {
        ("days", toml::Value::String(s)) => count(s, 'd').map(Literal::Days),
        ("hours", toml::Value::String(s)) => count(s, 'h').map(Literal::Hours),
        ("integer", toml::Value::Integer(i)) => Ok(Literal::Integer(*i)),
        ("double", toml::Value::Float(f)) => Ok(Literal::Double(*f)),
        ("text", toml::Value::String(s)) => Ok(Literal::Text(s.clone())),
        ("boolean", toml::Value::Boolean(b)) => Ok(Literal::Boolean(*b)),
        ("days" | "hours" | "integer" | "double" | "text" | "boolean", other) => Err(format!("`{other}` is not of type {ty}")),
        _ => Err(format!("`{ty}` is not a parameter type (days, hours, integer, double, text, boolean)")),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// All checks: the built-in ones and those of `dir`, by id.
///
/// # Errors
/// Every file that cannot be read, and every id that two files claim.
pub fn load(dir: Option<&Path>) -> Result<Vec<Check>, Vec<CheckError>> {
    let mut errors = Vec::new();
    let mut checks: Vec<Check> = Vec::new();
    let mut ids = BTreeSet::new();
    let mut add = |file: &str, source: &str, own: bool, errors: &mut Vec<CheckError>| match Check::parse(file, source) {
        Ok(check) if !ids.insert(check.id.clone()) => errors.push(CheckError {
            file: file.to_owned(),
            line: 1,
            message: format!("check `{}` is defined twice", check.id),
            help: "give it an id of its own; to change a built-in check, use `[checks.<id>]` in the configuration".to_owned(),
        }),
        Ok(check) => checks.push(Check { own, ..check }),
        Err(e) => errors.push(e),
    };
    for (file, source) in BUILTIN {
        add(file, source, false, &mut errors);
    }
    for (file, source) in dir
        .map(user_files)
        .transpose()
        .unwrap_or_else(|e| {
            errors.push(e);
            None
        })
        .unwrap_or_default()
    {
        add(&file, &source, true, &mut errors);
    }
    checks.sort_by(|a, b| a.id.cmp(&b.id));
    if errors.is_empty() { Ok(checks) } else { Err(errors) }
}

fn user_files(dir: &Path) -> Result<Vec<(String, String)>, CheckError> {
    let fault = |file: String, e: std::io::Error| CheckError {
        file,
        line: 0,
        message: format!("cannot be read: {e}"),
        help: "`--checks` names a folder of `.sql` files in UTF-8".to_owned(),
    };
    let mut names: Vec<std::path::PathBuf> = std::fs::read_dir(dir)
        .and_then(|entries| entries.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>())
        .map_err(|e| fault(crate::model::text::path(dir), e))?;
    names.retain(|p| p.extension().is_some_and(|e| e == "sql"));
    names.sort();
    names
        .into_iter()
        .map(|path| {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            std::fs::read_to_string(&path).map(|text| (name.clone(), text)).map_err(|e| fault(name, e))
        })
        .collect()
}
