//! The values that correlation compares, and when two of them agree.

use std::borrow::Cow;

use serde_json::Value;

use crate::model::text::norm;
use crate::model::{AccountRow, IdentityRow};

/// A column of an account that a rule may compare.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum AccountColumn {
    EmployeeRef,
    Email,
    Upn,
    Login,
    DisplayName,
    NativeId,
    /// A key of the account's `attributes`.
    Attribute(String),
}

impl AccountColumn {
    pub const HELP: &'static str = "use employee_ref, email, upn, login, display_name, native_id or attribute:<name>";

    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "employee_ref" => Self::EmployeeRef,
            "email" => Self::Email,
            "upn" => Self::Upn,
            "login" => Self::Login,
            "display_name" => Self::DisplayName,
            "native_id" => Self::NativeId,
            _ => Self::Attribute(text.strip_prefix("attribute:").filter(|name| !name.is_empty())?.to_owned()),
        })
    }

    /// Its normalised values; only an attribute can have several.
    pub fn values(&self, account: &AccountRow) -> Vec<String> {
        let one = |stored: &Option<String>, raw: &Option<String>| {
            stored.clone().or_else(|| raw.as_deref().and_then(norm)).into_iter().collect::<Vec<_>>()
        };
        match self {
            Self::EmployeeRef => account.employee_ref.as_deref().and_then(norm).into_iter().collect(),
            Self::Email => one(&account.email_norm, &account.email),
            Self::Upn => one(&account.upn_norm, &account.upn),
            Self::Login => one(&account.login_norm, &account.login),
            Self::DisplayName => one(&account.display_name_norm, &account.display_name),
            Self::NativeId => norm(&account.native_id).into_iter().collect(),
            Self::Attribute(name) => attribute(account.attributes.as_deref(), name),
        }
    }
}

/// The normalised texts and numbers under one key of an attributes object.
pub(super) fn attribute(attributes: Option<&str>, name: &str) -> Vec<String> {
    let text = |v: &Value| match v {
        Value::String(s) => norm(s),
        Value::Number(n) => Some(n.to_string()),
        _ => None,
    };
    let Some(Value::Object(object)) = attributes.and_then(|json| serde_json::from_str(json).ok()) else { return Vec::new() };
    match object.get(name) {
        Some(Value::Array(several)) => several.iter().filter_map(text).collect(),
        Some(single) => text(single).into_iter().collect(),
        None => Vec::new(),
    }
}

/// A column of an identity that a rule may compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum IdentityColumn {
    NativeId,
    EmployeeNumber,
    Email,
    Login,
    Alias,
    DisplayName,
    EmailLocal,
    InitialFamily,
    GivenFamily,
}

impl IdentityColumn {
    pub const HELP: &'static str =
        "use native_id, employee_number, email, login, alias, display_name, email_local, initial_family or given_family";

    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "native_id" => Self::NativeId,
            "employee_number" => Self::EmployeeNumber,
            "email" => Self::Email,
            "login" => Self::Login,
            "alias" => Self::Alias,
            "display_name" => Self::DisplayName,
            "email_local" => Self::EmailLocal,
            "initial_family" => Self::InitialFamily,
            "given_family" => Self::GivenFamily,
            _ => return None,
        })
    }

    /// Whether it is a name, alone or in the shape of a login: what several people share.
    pub fn is_name(self) -> bool {
        matches!(self, Self::DisplayName | Self::InitialFamily | Self::GivenFamily)
    }

    /// Its normalised values.
    pub fn values(self, identity: &IdentityRow) -> Vec<String> {
        let one = |stored: &Option<String>, raw: &Option<String>| stored.clone().or_else(|| raw.as_deref().and_then(norm));
        let single = match self {
            Self::NativeId => norm(&identity.native_id),
            Self::EmployeeNumber => identity.employee_number.as_deref().and_then(norm),
            Self::Email => one(&identity.email_norm, &identity.email),
            Self::EmailLocal => one(&identity.email_norm, &identity.email).map(|e| Login::new(&e).local.to_owned()),
            Self::Login => one(&identity.login_norm, &identity.login),
            Self::Alias => return aliases(identity),
            Self::DisplayName => return names(identity),
            Self::InitialFamily => given_and_family(identity).and_then(|(g, f)| Some(format!("{}{f}", g.chars().next()?))),
            Self::GivenFamily => given_and_family(identity).map(|(g, f)| format!("{g}{f}")),
        };
        single.into_iter().collect()
    }
}

fn aliases(identity: &IdentityRow) -> Vec<String> {
    let listed: Vec<String> = identity.aliases.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    listed.iter().filter_map(|a| norm(a)).collect()
}

/// The name as shown, and as its parts make it.
fn names(identity: &IdentityRow) -> Vec<String> {
    let shown = shown_name(identity);
    let parts = identity.given_name_norm.as_ref().zip(identity.family_name_norm.as_ref()).map(|(g, f)| format!("{g} {f}"));
    let mut all: Vec<String> = shown.into_iter().chain(parts).collect();
    all.dedup();
    all
}

fn shown_name(identity: &IdentityRow) -> Option<String> {
    let shown = identity.display_name_norm.clone().or_else(|| identity.display_name.as_deref().and_then(norm));
    shown.map(|name| in_speaking_order(&name))
}

/// Given and family name, letters and digits only. A list without the two columns has them in the first and last word of the shown name.
fn given_and_family(identity: &IdentityRow) -> Option<(String, String)> {
    let (given, family) = match (&identity.given_name_norm, &identity.family_name_norm) {
        (Some(g), Some(f)) => (g.clone(), f.clone()),
        _ => {
            let shown = shown_name(identity)?;
            let (first, rest) = shown.split_once(' ')?;
            (first.to_owned(), rest.rsplit(' ').next()?.to_owned())
        }
    };
    let (given, family) = (squeeze(&given), squeeze(&family));
    (!given.is_empty() && !family.is_empty()).then_some((given, family))
}

/// `doe, john` as `john doe`; any other name as it is.
fn in_speaking_order(name: &str) -> String {
    match name.split_once(',') {
        Some((family, given)) if !given.contains(',') && !given.trim().is_empty() && !family.trim().is_empty() => {
            format!("{} {}", given.trim(), family.trim())
        }
        _ => name.to_owned(),
    }
}

/// Letters and digits only: `o'neil-smith` and `oneilsmith` are one spelling in a login.
fn squeeze(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// A login taken apart: `corp\alice`, `alice@example.com` or `alice`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Login<'a> {
    pub local: &'a str,
    domain: Option<Domain<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Domain<'a> {
    Prefix(&'a str),
    Suffix(&'a str),
}

impl<'a> Login<'a> {
    pub fn new(text: &'a str) -> Self {
        let parts = match text.split_once('\\') {
            Some((domain, local)) => Some((local, Domain::Prefix(domain))),
            None => text.rsplit_once('@').map(|(local, domain)| (local, Domain::Suffix(domain))),
        };
        match parts {
            Some((local, domain)) if !local.is_empty() => Self { local, domain: Some(domain) },
            _ => Self { local: text, domain: None },
        }
    }

    /// The keys under which an identity's login is found: its own spelling, and its local part with the style of its domain.
    fn identity_keys(self, text: &str) -> Vec<String> {
        let styled = self.domain.map(|d| d.style().key(self.local));
        [Some(text.to_owned()), styled].into_iter().flatten().collect()
    }

    /// The keys under which an account's login looks. It meets its own spelling and the bare local part. Domains of one style must be
    /// equal; a prefix says nothing about a suffix (`corp\alice` may well be `alice@example.com`), and a bare login fits any domain.
    fn account_keys(self, text: &'a str) -> Vec<Cow<'a, str>> {
        let own = self.domain.map(Domain::style);
        let other_styles = [Style::Prefix, Style::Suffix].into_iter().filter(|s| Some(*s) != own).map(|s| Cow::Owned(s.key(self.local)));
        let bare = own.map(|_| Cow::Borrowed(self.local));
        [Some(Cow::Borrowed(text)), bare].into_iter().flatten().chain(other_styles).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Prefix,
    Suffix,
}

impl Style {
    /// No normalised text holds the line feed.
    fn key(self, local: &str) -> String {
        match self {
            Self::Prefix => format!("\n\\{local}"),
            Self::Suffix => format!("\n@{local}"),
        }
    }
}

impl Domain<'_> {
    fn style(self) -> Style {
        match self {
            Self::Prefix(_) => Style::Prefix,
            Self::Suffix(_) => Style::Suffix,
        }
    }
}

/// How the values of two columns are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// Equal as they stand.
    Exact,
    /// Equal as [`Login`]s.
    Login,
    /// The account's local part equals the identity's value.
    Local,
    /// As `Local`, letters and digits only.
    Squeezed,
    /// Equal after `family, given` has been turned round.
    Name,
}

impl Form {
    /// The form in which two columns meet. Logins meet logins and aliases with or without their domain; whatever meets a value that is
    /// itself only a local part loses its domain first.
    pub fn of(account: &AccountColumn, identity: IdentityColumn) -> Self {
        match (account, identity) {
            (_, IdentityColumn::EmailLocal) => Self::Local,
            (_, IdentityColumn::InitialFamily | IdentityColumn::GivenFamily) => Self::Squeezed,
            (AccountColumn::Login | AccountColumn::Upn, IdentityColumn::Login | IdentityColumn::Alias) => Self::Login,
            (_, IdentityColumn::DisplayName) => Self::Name,
            _ => Self::Exact,
        }
    }

    /// The keys under which an account's value looks.
    pub fn account_keys(self, value: &str) -> Vec<Cow<'_, str>> {
        match self {
            Self::Exact => vec![Cow::Borrowed(value)],
            Self::Login => Login::new(value).account_keys(value),
            Self::Local => vec![Cow::Borrowed(Login::new(value).local)],
            Self::Squeezed => vec![Cow::Owned(squeeze(Login::new(value).local))],
            Self::Name => vec![Cow::Owned(in_speaking_order(value))],
        }
    }

    /// The keys under which an identity's value is found. Names in the shape of logins come squeezed, local parts without a domain.
    pub fn identity_keys(self, value: &str) -> Vec<String> {
        if self == Self::Login { Login::new(value).identity_keys(value) } else { vec![value.to_owned()] }
    }

    /// The value on which an account and an identity agree that met under `key`. It is what the account shows, so that `john.doe` counts
    /// once, whether it is read as the local part of an address or as a name.
    pub fn evidence(self, account: &str, key: &str) -> String {
        match self {
            Self::Login if key == account => account.to_owned(),
            Self::Login | Self::Local | Self::Squeezed => Login::new(account).local.to_owned(),
            Self::Exact => account.to_owned(),
            Self::Name => in_speaking_order(account),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agrees(a: &str, b: &str) -> bool {
        let found = |x: &str, y: &str| Form::Login.account_keys(x).iter().any(|k| Form::Login.identity_keys(y).iter().any(|i| i == k));
        assert_eq!(found(a, b), found(b, a), "{a} {b}");
        found(a, b)
    }

    #[test]
    fn a_login_meets_itself_with_and_without_its_domain() {
        assert!(agrees("corp\\alice", "alice") && agrees("alice@example.com", "alice") && agrees("corp\\alice", "alice@example.com"));
        assert!(!agrees("corp\\alice", "lab\\alice") && !agrees("alice@example.com", "alice@example.org") && !agrees("alice", "alicia"));
        assert_eq!(Login::new("@x").local, "@x");
        assert_eq!(Login::new("corp\\").local, "corp\\");
    }

    #[test]
    fn names_take_the_shape_of_logins() {
        let of = |shown: &str| IdentityRow { display_name: Some(shown.into()), ..IdentityRow::default() };
        let values = |c: IdentityColumn, shown: &str| c.values(&of(shown));
        assert_eq!(values(IdentityColumn::GivenFamily, "O'Neil-Smith, John"), ["johnoneilsmith"]);
        assert_eq!(values(IdentityColumn::InitialFamily, "John Q. Doe"), ["jdoe"]);
        assert_eq!(values(IdentityColumn::InitialFamily, "Cher"), Vec::<String>::new());
        assert_eq!(values(IdentityColumn::DisplayName, "Doe, John"), ["john doe"]);
        assert_eq!(Form::Squeezed.account_keys("corp\\john.o'neil-smith"), ["johnoneilsmith"]);
    }

    #[test]
    fn employee_numbers_are_text() {
        let row = IdentityRow { employee_number: Some("001".into()), ..IdentityRow::default() };
        assert_eq!(IdentityColumn::EmployeeNumber.values(&row), ["001"]);
    }

    #[test]
    fn an_attribute_may_hold_one_value_or_several() {
        let row = AccountRow { attributes: Some(r#"{"n":[" A ","b"],"x":7,"o":{}}"#.into()), ..AccountRow::default() };
        let values = |name: &str| AccountColumn::parse(name).unwrap().values(&row);
        assert_eq!(values("attribute:n"), ["a", "b"]);
        assert_eq!(values("attribute:x"), ["7"]);
        assert_eq!(values("attribute:o"), Vec::<String>::new());
        assert_eq!(AccountColumn::parse("attribute:"), None);
        assert_eq!(attribute(Some("not json"), "n"), Vec::<String>::new());
    }
}
