//! What the configuration says to this stage, checked and compiled before a row is looked at.

use std::borrow::Cow;
use std::collections::BTreeSet;

use globset::{Glob, GlobMatcher};
use regex::{Regex, RegexBuilder};

use super::account::Account;
use super::forms::{AccountColumn, IdentityColumn};
use super::rules::{Rule, Rules};
use crate::model::text::{folded, norm};
use crate::model::time::DAY;
use crate::model::{AccountKind, GroupRow, Level};

/// What the configuration says to this stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub rules: Rules,
    /// An account created this long before an authority was taken, or later, may be unknown to it; microseconds.
    pub authority_lag_us: i64,
    /// Kinds of accounts whose kind neither a registry nor the connector knows; the first that fits counts.
    pub account_kinds: Vec<KindPattern>,
    /// Levels of groups whose rights are not in their export; the highest that fits counts.
    pub privileged_groups: Vec<PrivilegedGroup>,
    /// Keys by which a record of one authority is the same identity as a record of another.
    pub identity_links: Vec<IdentityLink>,
    /// Further names by which records call an entitlement or group.
    pub entitlement_aliases: Vec<EntitlementAlias>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            authority_lag_us: DAY,
            account_kinds: Vec::new(),
            privileged_groups: Vec::new(),
            identity_links: Vec::new(),
            entitlement_aliases: Vec::new(),
        }
    }
}

/// A kind that the names of accounts tell. Every expression that is given must match; none given: nothing matches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KindPattern {
    /// System names, `*` as wildcard; empty: all.
    pub systems: Vec<String>,
    /// Regular expression over `login_norm`, in any case.
    pub login: Option<String>,
    /// Regular expression over the native id as it stands.
    pub native_id: Option<String>,
    pub kind: AccountKind,
}

/// A level that membership of a group confers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PrivilegedGroup {
    /// System names, `*` as wildcard; empty: all.
    pub systems: Vec<String>,
    /// Group name or native id, `*` as wildcard, in any case.
    pub name: String,
    pub level: Level,
}

/// What tickets, roles and reviews call an entitlement or group beside its own name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntitlementAlias {
    /// System names, `*` as wildcard; empty: all.
    pub systems: Vec<String>,
    /// Its name or native id, in any case.
    pub name: String,
    pub aliases: Vec<String>,
}

/// Whether one of the patterns, or their absence, fits a system.
pub(super) fn matches_system(patterns: &[String], system: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|p| Glob::new(p).is_ok_and(|g| g.compile_matcher().is_match(system)))
}

/// A declared key between two authorities: the record of `from` is folded into the one record of `to` whose column holds the same value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityLink {
    /// Authority, by its name in the configuration.
    pub from: String,
    /// `link_ref`, `native_id`, `employee_number`, `email` or `login`.
    pub from_column: String,
    /// Authority, by its name in the configuration.
    pub to: String,
    /// As `from_column`.
    pub to_column: String,
}

/// Columns that an [`IdentityLink`] may name.
pub(super) const LINK_COLUMNS: [&str; 5] = ["link_ref", "native_id", "employee_number", "email", "login"];

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {what}")]
pub struct SettingsError {
    /// The setting, such as `rule \`email\`` or `account kind 2`.
    pub at: String,
    pub what: String,
    pub help: String,
}

/// A rule whose columns and patterns are known to be good.
#[derive(Clone, Debug)]
pub(super) struct CompiledRule {
    pub rule: Rule,
    pub account: AccountColumn,
    pub identity: IdentityColumn,
    systems: Globs,
}

impl CompiledRule {
    /// A rule of holdover's own, asked of every system.
    pub fn everywhere(rule: Rule, account: AccountColumn, identity: IdentityColumn) -> Self {
        Self { rule, account, identity, systems: Globs::default() }
    }

    /// Whether it is asked of this system.
    pub fn applies_to(&self, system: &str) -> bool {
        self.systems.matches(system)
    }
}

/// Patterns over system names; none: all of them.
#[derive(Clone, Debug, Default)]
struct Globs(Vec<GlobMatcher>);

impl Globs {
    fn matches(&self, text: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|g| g.is_match(text))
    }
}

#[derive(Clone, Debug)]
struct CompiledKind {
    systems: Globs,
    login: Option<Regex>,
    native_id: Option<Regex>,
    kind: AccountKind,
}

#[derive(Clone, Debug)]
struct CompiledLevel {
    systems: Globs,
    name: GlobMatcher,
    level: Level,
}

/// Settings that are known to be good.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    pub certain: f64,
    pub possible: f64,
    /// In the order of their tiers; within a tier as configured.
    pub rules: Vec<CompiledRule>,
    kinds: Vec<CompiledKind>,
    levels: Vec<CompiledLevel>,
}

/// The levels that the configuration gives to groups of one system.
pub(super) struct GroupLevels<'a>(Vec<&'a CompiledLevel>);

impl GroupLevels<'_> {
    /// The highest configured level of a group; `None`: the configuration is silent.
    pub fn of(&self, group: &GroupRow) -> Option<Level> {
        if self.0.is_empty() {
            return None;
        }
        let name = group.name_norm.clone().or_else(|| group.name.as_deref().and_then(norm));
        let id = norm(&group.native_id);
        let fits = |g: &GlobMatcher| [&name, &id].into_iter().flatten().any(|text| g.is_match(text));
        self.0.iter().filter(|l| fits(&l.name)).map(|l| l.level).max()
    }
}

/// The kinds that the configuration gives to accounts of one system.
pub(super) struct KindPatterns<'a>(Vec<&'a CompiledKind>);

impl KindPatterns<'_> {
    /// The kind that the first pattern which fits gives an account.
    pub fn of(&self, account: &Account<'_>) -> Option<AccountKind> {
        if self.0.is_empty() {
            return None;
        }
        let login = account.login_norm.map(Cow::Borrowed).or_else(|| account.login.and_then(folded));
        let fits = |k: &&&CompiledKind| {
            let by_login = k.login.as_ref().map(|r| login.as_ref().is_some_and(|l| r.is_match(l)));
            let by_id = k.native_id.as_ref().map(|r| r.is_match(account.native_id));
            (by_login.is_some() || by_id.is_some()) && by_login.unwrap_or(true) && by_id.unwrap_or(true)
        };
        self.0.iter().find(fits).map(|k| k.kind)
    }
}

impl Compiled {
    /// The patterns of kinds that are asked of one system.
    pub fn kinds(&self, system: &str) -> KindPatterns<'_> {
        KindPatterns(self.kinds.iter().filter(|k| k.systems.matches(system)).collect())
    }

    pub fn group_levels(&self, system: &str) -> GroupLevels<'_> {
        GroupLevels(self.levels.iter().filter(|l| l.systems.matches(system)).collect())
    }
}

/// Checks and compiles.
///
/// # Errors
/// Every setting that cannot be used, all at once.
pub(super) fn compile(settings: &Settings) -> Result<Compiled, Vec<SettingsError>> {
    let mut faults = Vec::new();
    let rules = compile_rules(&settings.rules, &mut faults);
    let numbered = |what: &str, i: usize| format!("{what} {}", i + 1);
    let kinds = settings.account_kinds.iter().enumerate().map(|(i, k)| {
        let at = numbered("account kind", i);
        if k.login.is_none() && k.native_id.is_none() {
            fault(&mut faults, &at, "neither `login` nor `native_id` is given", "give one of them; without an expression nothing matches");
        }
        CompiledKind {
            systems: globs(&k.systems, &at, &mut faults),
            login: k.login.as_deref().and_then(|r| regex(r, true, &at, &mut faults)),
            native_id: k.native_id.as_deref().and_then(|r| regex(r, false, &at, &mut faults)),
            kind: k.kind,
        }
    });
    let kinds = kinds.collect();
    let levels = settings.privileged_groups.iter().enumerate().filter_map(|(i, g)| {
        let at = numbered("privileged group", i);
        let systems = globs(&g.systems, &at, &mut faults);
        let Some(name) = norm(&g.name) else {
            fault(&mut faults, &at, "`name` is empty", "name the group; `*` stands for any text");
            return None;
        };
        Some(CompiledLevel { systems, name: glob(&name, &at, &mut faults)?, level: g.level })
    });
    let levels = levels.collect();
    check_links(&settings.identity_links, &mut faults);
    for (i, a) in settings.entitlement_aliases.iter().enumerate() {
        globs(&a.systems, &numbered("entitlement alias", i), &mut faults);
    }
    if settings.authority_lag_us < 0 {
        fault(&mut faults, "authority lag", "is negative", "give a duration of zero or more");
    }
    if faults.is_empty() {
        Ok(Compiled { certain: settings.rules.certain, possible: settings.rules.possible, rules, kinds, levels })
    } else {
        Err(faults)
    }
}

fn compile_rules(rules: &Rules, faults: &mut Vec<SettingsError>) -> Vec<CompiledRule> {
    if !(0.0 < rules.possible && rules.possible <= rules.certain && rules.certain <= 1.0) {
        let what = format!("`possible` is {} and `certain` is {}", rules.possible, rules.certain);
        fault(faults, "correlation", &what, "they must satisfy 0 < possible <= certain <= 1");
    }
    let mut seen = BTreeSet::new();
    let mut compiled: Vec<CompiledRule> = rules.rules.iter().filter_map(|r| compile_rule(r, &mut seen, faults)).collect();
    compiled.sort_by_key(|r| r.rule.tier);
    compiled
}

fn compile_rule<'a>(rule: &'a Rule, seen: &mut BTreeSet<&'a str>, faults: &mut Vec<SettingsError>) -> Option<CompiledRule> {
    let at = format!("rule `{}`", rule.id);
    if rule.id.is_empty() || !seen.insert(&rule.id) {
        fault(faults, &at, "its id is empty or taken", "give every rule an id of its own");
    }
    if !(rule.weight > 0.0 && rule.weight <= 1.0) {
        fault(faults, &at, &format!("weight `{}` is out of range", rule.weight), "weights lie above 0 and at most at 1");
    }
    if rule.tier == 0 {
        fault(faults, &at, "tier `0` is out of range", "tiers count from 1");
    }
    let systems = globs(&rule.systems, &at, faults);
    let account = AccountColumn::parse(&rule.account);
    let identity = IdentityColumn::parse(&rule.identity);
    if account.is_none() {
        fault(faults, &at, &format!("`{}` is no column of an account", rule.account), AccountColumn::HELP);
    }
    if identity.is_none() {
        fault(faults, &at, &format!("`{}` is no column of an identity", rule.identity), IdentityColumn::HELP);
    }
    Some(CompiledRule { rule: rule.clone(), account: account?, identity: identity?, systems })
}

fn check_links(links: &[IdentityLink], faults: &mut Vec<SettingsError>) {
    for (i, link) in links.iter().enumerate() {
        for column in [&link.from_column, &link.to_column] {
            if !LINK_COLUMNS.contains(&column.as_str()) {
                let help = format!("use one of {}", LINK_COLUMNS.join(", "));
                fault(faults, &format!("identity link {}", i + 1), &format!("`{column}` is no column of a link"), &help);
            }
        }
    }
}

fn globs(patterns: &[String], at: &str, faults: &mut Vec<SettingsError>) -> Globs {
    Globs(patterns.iter().filter_map(|p| glob(p, at, faults)).collect())
}

fn glob(pattern: &str, at: &str, faults: &mut Vec<SettingsError>) -> Option<GlobMatcher> {
    match Glob::new(pattern) {
        Ok(good) => Some(good.compile_matcher()),
        Err(e) => {
            fault(faults, at, &format!("`{pattern}` is no pattern: {}", e.kind()), "`*` stands for any text, `?` for one character");
            None
        }
    }
}

fn regex(pattern: &str, any_case: bool, at: &str, faults: &mut Vec<SettingsError>) -> Option<Regex> {
    match RegexBuilder::new(pattern).case_insensitive(any_case).build() {
        Ok(good) => Some(good),
        Err(_) => {
            fault(faults, at, &format!("`{pattern}` is no regular expression"), "backreferences and look-around are not supported");
            None
        }
    }
}

fn fault(faults: &mut Vec<SettingsError>, at: &str, what: &str, help: &str) {
    faults.push(SettingsError { at: at.to_owned(), what: what.to_owned(), help: help.to_owned() });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AccountRow;

    #[test]
    fn the_defaults_are_good() {
        assert!(compile(&Settings::default()).is_ok());
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let mut settings = Settings { authority_lag_us: -1, ..Settings::default() };
        settings.rules.rules.push(Rule {
            id: "email".into(),
            tier: 0,
            weight: 1.5,
            account: "mail".into(),
            identity: "x".into(),
            systems: vec!["[".into()],
        });
        settings.account_kinds.push(KindPattern { login: Some("(".into()), ..KindPattern::default() });
        settings.account_kinds.push(KindPattern::default());
        settings.privileged_groups.push(PrivilegedGroup::default());
        settings.identity_links.push(IdentityLink { from_column: "name".into(), to_column: "email".into(), ..IdentityLink::default() });
        let faults: Vec<String> = compile(&settings).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(
            faults,
            [
                "rule `email`: its id is empty or taken",
                "rule `email`: weight `1.5` is out of range",
                "rule `email`: tier `0` is out of range",
                "rule `email`: `[` is no pattern: unclosed character class; missing ']'",
                "rule `email`: `mail` is no column of an account",
                "rule `email`: `x` is no column of an identity",
                "account kind 1: `(` is no regular expression",
                "account kind 2: neither `login` nor `native_id` is given",
                "privileged group 1: `name` is empty",
                "identity link 1: `name` is no column of a link",
                "authority lag: is negative",
            ]
        );
    }

    #[test]
    fn rule_11_9_the_first_pattern_that_fits_tells_the_kind() {
        let pattern = |systems: &str, login: &str, kind| KindPattern {
            systems: vec![systems.into()],
            login: Some(login.into()),
            native_id: None,
            kind,
        };
        let settings = Settings {
            account_kinds: vec![pattern("ad-*", "^svc[-_]", AccountKind::Service), pattern("*", "^svc", AccountKind::Shared)],
            ..Settings::default()
        };
        let compiled = compile(&settings).unwrap();
        let account = AccountRow { login: Some("SVC_Backup".into()), ..AccountRow::default() };
        let kind_of = |system: &str, account: &AccountRow| compiled.kinds(system).of(&Account::from(account));
        assert_eq!(kind_of("ad-corp", &account), Some(AccountKind::Service));
        assert_eq!(kind_of("okta", &account), Some(AccountKind::Shared));
        assert_eq!(kind_of("okta", &AccountRow::default()), None);
    }
}
