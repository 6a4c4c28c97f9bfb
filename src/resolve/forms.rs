//! The values that correlation compares, and when two of them agree.

use std::borrow::Cow;

use serde_json::Value;

use super::account::Account;
use crate::model::IdentityRow;
use crate::model::text::folded;

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
    pub fn each<'a>(&self, account: &Account<'a>, mut value: impl FnMut(Cow<'a, str>)) {
        let single = match self {
            Self::EmployeeRef => account.employee_ref.and_then(folded),
            Self::Email => stored_or_folded(account.email_norm, account.email),
            Self::Upn => stored_or_folded(account.upn_norm, account.upn),
            Self::Login => stored_or_folded(account.login_norm, account.login),
            Self::DisplayName => stored_or_folded(account.display_name_norm, account.display_name),
            Self::NativeId => folded(account.native_id),
            Self::Attribute(name) => return attribute(account.attributes, name).into_iter().for_each(|v| value(Cow::Owned(v))),
        };
        if let Some(single) = single {
            value(single);
        }
    }
}

/// The normalised column of a table, else what its raw one comes to.
fn stored_or_folded<'a>(stored: Option<&'a str>, raw: Option<&'a str>) -> Option<Cow<'a, str>> {
    stored.map(Cow::Borrowed).or_else(|| raw.and_then(folded))
}

/// The normalised texts and numbers under one key of an attributes object.
pub(super) fn attribute(attributes: Option<&str>, name: &str) -> Vec<String> {
    let text = |v: &Value| match v {
        Value::String(s) => folded(s).map(Cow::into_owned),
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
    pub fn each(self, identity: &IdentityRow, mut value: impl FnMut(&str)) {
        let email = || stored_or_folded(identity.email_norm.as_deref(), identity.email.as_deref());
        let single = match self {
            Self::NativeId => folded(&identity.native_id),
            Self::EmployeeNumber => identity.employee_number.as_deref().and_then(folded),
            Self::Email => email(),
            Self::EmailLocal => return email().iter().for_each(|e| value(Login::new(e).local)),
            Self::Login => stored_or_folded(identity.login_norm.as_deref(), identity.login.as_deref()),
            Self::Alias => return aliases(identity).iter().for_each(|a| value(a)),
            Self::DisplayName => return names(identity).iter().for_each(|n| value(n)),
            Self::InitialFamily => given_and_family(identity).and_then(|(g, f)| Some(Cow::Owned(format!("{}{f}", g.chars().next()?)))),
            Self::GivenFamily => given_and_family(identity).map(|(g, f)| Cow::Owned(g + &f)),
        };
        if let Some(single) = single {
            value(&single);
        }
    }
}

fn aliases(identity: &IdentityRow) -> Vec<String> {
    let listed: Vec<String> = identity.aliases.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    listed.iter().filter_map(|a| folded(a)).map(Cow::into_owned).collect()
}

/// The name as shown, and as its parts make it.
fn names(identity: &IdentityRow) -> Vec<String> {
    let shown = shown_name(identity).map(Cow::into_owned);
    let parts = identity.given_name_norm.as_ref().zip(identity.family_name_norm.as_ref()).map(|(g, f)| format!("{g} {f}"));
    let mut all: Vec<String> = shown.into_iter().chain(parts).collect();
    all.dedup();
    all
}

fn shown_name(identity: &IdentityRow) -> Option<Cow<'_, str>> {
    let shown = stored_or_folded(identity.display_name_norm.as_deref(), identity.display_name.as_deref())?;
    Some(if shown.contains(',') { Cow::Owned(in_speaking_order(&shown)) } else { shown })
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

    /// The texts under which an account's login looks. It meets its own spelling and the bare local part. Domains of one style must be
    /// equal; a prefix says nothing about a suffix (`corp\alice` may well be `alice@example.com`), and a bare login fits any domain.
    fn parts(self) -> &'static [Part] {
        match self.domain.map(Domain::style) {
            None => &[Part::Whole, Part::Styled(Style::Prefix), Part::Styled(Style::Suffix)],
            Some(Style::Prefix) => &[Part::Whole, Part::Local, Part::Styled(Style::Suffix)],
            Some(Style::Suffix) => &[Part::Whole, Part::Local, Part::Styled(Style::Prefix)],
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Prefix,
    Suffix,
}

impl Style {
    /// No normalised text holds the line feed.
    fn sign(self) -> &'static str {
        match self {
            Self::Prefix => "\n\\",
            Self::Suffix => "\n@",
        }
    }

    fn key<'t>(self, local: &str, room: &'t mut String) -> &'t str {
        room.clear();
        room.push_str(self.sign());
        room.push_str(local);
        room
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

    /// The texts under which an account's value looks, in order.
    pub fn parts(self, value: &str) -> &'static [Part] {
        match self {
            Self::Exact => &[Part::Whole],
            Self::Login => Login::new(value).parts(),
            Self::Local => &[Part::Local],
            Self::Squeezed => &[Part::Squeezed],
            Self::Name => &[Part::Speaking],
        }
    }

    /// The keys under which an identity's value is found. A login: its own spelling, and its local part with the style of its domain. Names
    /// in the shape of logins come squeezed, local parts without a domain.
    pub fn each_identity_key(self, value: &str, mut key: impl FnMut(&str)) {
        key(value);
        let login = Login::new(value);
        if let Some(style) = login.domain.map(Domain::style).filter(|_| self == Self::Login) {
            key(style.key(login.local, &mut String::new()));
        }
    }
}

/// A text that is made of an account's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The value as it stands.
    Whole,
    /// A login without its domain.
    Local,
    /// The same under the sign of a style of domains.
    Styled(Style),
    /// `Local`, letters and digits only.
    Squeezed,
    /// A name in the order in which it is spoken.
    Speaking,
}

impl Part {
    /// How many there are.
    pub const COUNT: usize = 6;

    /// Its place among them.
    pub fn place(self) -> usize {
        match self {
            Self::Whole => 0,
            Self::Local => 1,
            Self::Styled(Style::Prefix) => 2,
            Self::Styled(Style::Suffix) => 3,
            Self::Squeezed => 4,
            Self::Speaking => 5,
        }
    }

    /// The simplest part of a value that is the same text.
    pub fn simplest(self, value: &str) -> Self {
        match self {
            Self::Local if Login::new(value).domain.is_none() => Self::Whole,
            Self::Squeezed if Login::new(value).local.chars().all(char::is_alphanumeric) => Self::Local.simplest(value),
            Self::Speaking if !value.contains(',') => Self::Whole,
            other => other,
        }
    }

    /// Its text; `room` is for one that does not stand in the value.
    pub fn text<'t>(self, value: &'t str, room: &'t mut String) -> &'t str {
        let local = Login::new(value).local;
        match self {
            Self::Whole => value,
            Self::Local => local,
            Self::Styled(style) => style.key(local, room),
            Self::Squeezed => {
                room.clear();
                room.extend(local.chars().filter(|c| c.is_alphanumeric()));
                room
            }
            Self::Speaking => {
                *room = in_speaking_order(value);
                room
            }
        }
    }

    /// The part on which an account and an identity agree that met under this one. It is what the account shows, so that `john.doe` counts
    /// once, whether it is read as the local part of an address or as a name.
    pub fn evidence(self, value: &str) -> Self {
        match self {
            Self::Whole => Self::Whole,
            Self::Speaking => Self::Speaking.simplest(value),
            Self::Local | Self::Styled(_) | Self::Squeezed => Self::Local,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AccountRow;

    fn account_keys(form: Form, value: &str) -> Vec<String> {
        let texts = |p: &Part| (p.text(value, &mut String::new()).to_owned(), p.simplest(value).text(value, &mut String::new()).to_owned());
        let keys: Vec<(String, String)> = form.parts(value).iter().map(texts).collect();
        assert!(keys.iter().all(|(whole, simplest)| whole == simplest), "{keys:?}");
        keys.into_iter().map(|(key, _)| key).collect()
    }

    fn identity_keys(form: Form, value: &str) -> Vec<String> {
        let mut keys = Vec::new();
        form.each_identity_key(value, |key| keys.push(key.to_owned()));
        keys
    }

    fn agrees(a: &str, b: &str) -> bool {
        let found = |x: &str, y: &str| account_keys(Form::Login, x).iter().any(|k| identity_keys(Form::Login, y).contains(k));
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
        let values = |c: IdentityColumn, shown: &str| {
            let mut all = Vec::new();
            c.each(&of(shown), |v| all.push(v.to_owned()));
            all
        };
        assert_eq!(values(IdentityColumn::GivenFamily, "O'Neil-Smith, John"), ["johnoneilsmith"]);
        assert_eq!(values(IdentityColumn::InitialFamily, "John Q. Doe"), ["jdoe"]);
        assert_eq!(values(IdentityColumn::InitialFamily, "Cher"), Vec::<String>::new());
        assert_eq!(values(IdentityColumn::DisplayName, "Doe, John"), ["john doe"]);
        assert_eq!(account_keys(Form::Squeezed, "corp\\john.o'neil-smith"), ["johnoneilsmith"]);
    }

    #[test]
    fn employee_numbers_are_text() {
        let row = IdentityRow { employee_number: Some("001".into()), ..IdentityRow::default() };
        IdentityColumn::EmployeeNumber.each(&row, |v| assert_eq!(v, "001"));
    }

    #[test]
    fn an_attribute_may_hold_one_value_or_several() {
        let row = AccountRow { attributes: Some(r#"{"n":[" A ","b"],"x":7,"o":{}}"#.into()), ..AccountRow::default() };
        let values = |name: &str| {
            let mut all = Vec::new();
            AccountColumn::parse(name).unwrap().each(&Account::from(&row), |v| all.push(v.into_owned()));
            all
        };
        assert_eq!(values("attribute:n"), ["a", "b"]);
        assert_eq!(values("attribute:x"), ["7"]);
        assert_eq!(values("attribute:o"), Vec::<String>::new());
        assert_eq!(AccountColumn::parse("attribute:"), None);
        assert_eq!(attribute(Some("not json"), "n"), Vec::<String>::new());
    }
}
