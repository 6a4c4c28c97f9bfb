//! Which attributes of the same thing differ between two snapshots. Use, and when a record was last written, are not drift; nor is that
//! one of two exports does not tell.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::edges::Picture;
use crate::model::{AccountRow, CredentialRow, GrantRow, MembershipRow, STATEMENTS, StatementRow, Time, Word};

/// Attributes that differ, by name, with their old and new value; a null value is one that is not shown or not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Differences(BTreeMap<String, (Option<String>, Option<String>)>);

/// A value as people read it.
trait Shown {
    fn shown(&self) -> Option<String>;
}

impl Shown for String {
    fn shown(&self) -> Option<String> {
        Some(self.clone())
    }
}

impl Shown for Time {
    fn shown(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Shown for bool {
    fn shown(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl<T: Shown> Shown for Option<T> {
    fn shown(&self) -> Option<String> {
        self.as_ref().and_then(Shown::shown)
    }
}

/// Further vendor attributes that tell of use.
const OF_USE: [&str; 4] = ["lastLogon", "lastLogonTimestamp", "num_uses", "use_window_days"];

macro_rules! compare {
    ($to:expr, $before:expr, $now:expr; $($field:ident),* $(,)? $(; words $($word:ident),*)?) => {
        $(if $before.$field != $now.$field {
            $to.add(stringify!($field), $before.$field.shown(), $now.$field.shown());
        })*
        $($(if $before.$word != $now.$word {
            $to.word(stringify!($word), $before.$word.as_str(), $now.$word.as_str());
        })*)?
    };
}

impl Differences {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes an attribute if its values differ.
    pub fn add(&mut self, name: &str, before: Option<String>, now: Option<String>) {
        if before != now {
            self.0.insert(name.to_owned(), (before, now));
        }
    }

    /// Notes a word of a closed set if it differs. `unknown` is what an export does not tell, and differs from nothing.
    pub fn word(&mut self, name: &str, before: &str, now: &str) {
        if ![before, now].contains(&"unknown") {
            self.add(name, Some(before.to_owned()), Some(now.to_owned()));
        }
    }

    pub fn accounts(&mut self, before: &AccountRow, now: &AccountRow) {
        compare!(self, before, now;
            generation, login, display_name, email, upn, employee_ref, owner_ref, created_at, expires_at, environment;
            words kind, status, mfa_state);
        self.json(before.attributes.as_deref(), now.attributes.as_deref());
    }

    pub fn credentials(&mut self, before: &CredentialRow, now: &CredentialRow) {
        compare!(self, before, now; name, created_at, rotated_at, expires_at; words kind, status);
        if before.fingerprint != now.fingerprint {
            self.0.insert("fingerprint".to_owned(), (None, None));
        }
    }

    pub fn memberships(&mut self, before: &MembershipRow, now: &MembershipRow) {
        compare!(self, before, now; granted_at, expires_at, granted_by, request_ref, condition);
    }

    pub fn grants(&mut self, before: &GrantRow, now: &GrantRow) {
        compare!(self, before, now; granted_at, expires_at, granted_by, request_ref, condition);
    }

    /// What the entitlement of a grant gives: its level, its risks, the text of its policy where both snapshots have texts.
    pub fn entitlements(&mut self, (before, old): (&Picture<'_>, u32), (now, new): (&Picture<'_>, u32)) {
        let (Some(a), Some(b)) = (before.entitlement(old), now.entitlement(new)) else { return };
        compare!(self, a, b; risks, conditional; words level);
        if before.speaks_of(&STATEMENTS) && now.speaks_of(&STATEMENTS) {
            let (a, b) = (statements(before, old), statements(now, new));
            if !same_text(a, b) {
                self.add("policy_text", digest(a), digest(b));
            }
        }
    }

    /// The members of two JSON objects, each by its own name.
    fn json(&mut self, before: Option<&str>, now: Option<&str>) {
        if before == now {
            return;
        }
        let object = |text: Option<&str>| -> Map<String, Value> { text.and_then(|t| serde_json::from_str(t).ok()).unwrap_or_default() };
        let (before, now) = (object(before), object(now));
        let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        for name in before.keys().chain(now.keys()).filter(|n| !OF_USE.contains(&n.as_str())) {
            self.add(&format!("attributes.{name}"), before.get(name).map(text), now.get(name).map(text));
        }
    }

    /// Their names, joined by `,`; `None`: nothing differs.
    pub fn names(&self) -> Option<String> {
        (!self.is_empty()).then(|| self.0.keys().map(String::as_str).collect::<Vec<_>>().join(","))
    }

    /// A JSON object of `[old, new]` by name; `None`: nothing differs.
    pub fn details(&self) -> Option<String> {
        let value = |(before, now): &(Option<String>, Option<String>)| Value::Array(vec![before.clone().into(), now.clone().into()]);
        let object: Map<String, Value> = self.0.iter().map(|(name, values)| (name.clone(), value(values))).collect();
        (!self.is_empty()).then(|| Value::Object(object).to_string())
    }
}

fn statements<'a>(picture: &Picture<'a>, entitlement_ix: u32) -> &'a [StatementRow] {
    let rows = picture.statements;
    let from = rows.partition_point(|s| s.entitlement_ix < entitlement_ix);
    let to = rows.partition_point(|s| s.entitlement_ix <= entitlement_ix);
    rows.get(from..to).unwrap_or_default()
}

fn text(s: &StatementRow) -> [Option<&str>; 7] {
    let texts = [&s.sid, &s.actions, &s.not_actions, &s.resources, &s.not_resources, &s.condition].map(|t| t.as_deref());
    let [sid, actions, not_actions, resources, not_resources, condition] = texts;
    [Some(s.effect.as_str()), sid, actions, not_actions, resources, not_resources, condition]
}

fn same_text(a: &[StatementRow], b: &[StatementRow]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| text(a) == text(b))
}

/// Eight digits that tell one policy text from another; `None`: there is no statement.
fn digest(statements: &[StatementRow]) -> Option<String> {
    let mut hash = Sha256::new();
    for s in statements {
        for part in text(s) {
            hash.update([u8::from(part.is_some())]);
            hash.update((part.map_or(0, str::len) as u64).to_le_bytes());
            hash.update(part.unwrap_or_default());
        }
    }
    let hex = data_encoding::HEXLOWER.encode(&hash.finalize());
    (!statements.is_empty()).then(|| hex.get(..8).unwrap_or_default().to_owned())
}
