//! Trust policies: who may assume a role.

use std::collections::{BTreeMap, BTreeSet};

use super::arn::Arn;
use super::policy::{Document, Kind, Statement, compact};
use crate::connectors::Principal;
use crate::model::Effect;

/// The actions by which a role is assumed. A statement that allows none of them (only `sts:TagSession`, say) opens nothing.
const ASSUMING: &[&str] = &["sts:assumerole", "sts:assumerolewithsaml", "sts:assumerolewithwebidentity"];

/// A trust policy as read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Trust {
    /// Each principal once, with the condition under which it may assume the role.
    pub(super) edges: BTreeMap<Principal, Option<String>>,
    /// Deny statements verbatim: recorded, not decided.
    pub(super) denies: Vec<String>,
    /// Statements or principals that cannot be read.
    pub(super) unreadable: u32,
}

/// Reads the trust policy of `role`. `ids` tells the principals of this export by their unique ids.
pub(super) fn read(raw: &str, role: &Arn<'_>, ids: &BTreeMap<String, String>) -> Trust {
    let Ok(document) = Document::read(raw, Kind::Trust) else {
        return Trust { unreadable: 1, ..Trust::default() };
    };
    let mut trust = Trust { unreadable: document.unreadable, ..Trust::default() };
    let mut conditions: BTreeMap<Principal, Vec<Option<String>>> = BTreeMap::new();
    for statement in &document.statements {
        if statement.effect == Effect::Deny {
            trust.denies.push(statement.text.clone());
            continue;
        }
        if !ASSUMING.iter().any(|a| statement.has(a)) {
            continue;
        }
        match principals(statement, role, ids) {
            Some(found) => found.into_iter().for_each(|p| conditions.entry(p).or_default().push(statement.condition.clone())),
            None => trust.unreadable += 1,
        }
    }
    let mut names = BTreeSet::new();
    for (principal, conditions) in conditions {
        // One text is one edge: a policy that gives it as two kinds of principal is no policy of AWS.
        if names.insert(name(&principal).to_owned()) {
            trust.edges.insert(principal, either(conditions));
        } else {
            trust.unreadable += 1;
        }
    }
    trust
}

fn name(principal: &Principal) -> &str {
    match principal {
        Principal::Account(text)
        | Principal::Group(text)
        | Principal::Either(text)
        | Principal::Deleted(text)
        | Principal::External(text)
        | Principal::Wildcard(text)
        | Principal::Root(text)
        | Principal::Federated(text)
        | Principal::Service(text) => text,
    }
}

/// One condition for an edge that several statements open: none if one of them asks nothing, else all as a JSON list.
fn either(conditions: Vec<Option<String>>) -> Option<String> {
    let mut all = conditions.into_iter().collect::<Option<Vec<_>>>()?;
    all.sort();
    all.dedup();
    match all.as_slice() {
        [one] => Some(one.clone()),
        many => Some(format!("[{}]", many.join(","))),
    }
}

/// The principals that a statement allows; `None` where they cannot be read.
fn principals(statement: &Statement, role: &Arn<'_>, ids: &BTreeMap<String, String>) -> Option<Vec<Principal>> {
    if let Some(except) = &statement.not_principal {
        // Everybody but these: as open as a wildcard, and kept with what it leaves out.
        return Some(vec![Principal::Wildcard(format!("NotPrincipal {}", compact(except)))]);
    }
    let raw = statement.principal.as_ref()?;
    if raw.starts_with('"') {
        let text: String = serde_json::from_str(raw).ok()?;
        return (text == "*").then(|| vec![Principal::Wildcard(text)]);
    }
    let by_type: BTreeMap<String, serde_json::Value> = serde_json::from_str(raw).ok()?;
    let mut found = Vec::new();
    for (kind, value) in by_type {
        let texts = match value {
            serde_json::Value::String(one) => vec![one],
            serde_json::Value::Array(many) => many.into_iter().map(|v| v.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()?,
            _ => return None,
        };
        for text in texts {
            found.push(principal(&kind, text, role, ids)?);
        }
    }
    Some(found)
}

fn principal(kind: &str, text: String, role: &Arn<'_>, ids: &BTreeMap<String, String>) -> Option<Principal> {
    if text == "*" {
        return Some(Principal::Wildcard(text));
    }
    match kind.to_ascii_lowercase().as_str() {
        "aws" => Some(aws_principal(text, role, ids)),
        "service" => Some(Principal::Service(text)),
        "federated" => Some(Principal::Federated(text)),
        "canonicaluser" => Some(Principal::External(text)),
        _ => None,
    }
}

fn aws_principal(text: String, role: &Arn<'_>, ids: &BTreeMap<String, String>) -> Principal {
    if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        // An account's number alone is the short form of its root.
        return Principal::Root(format!("arn:{}:iam::{text}:root", role.partition));
    }
    if is_unique_id(&text) {
        // AWS shows an id for a name once the principal is gone, unless the export itself still holds it.
        let id = text.split(':').next().unwrap_or_default();
        return ids.get(id).map_or(Principal::Deleted(text.clone()), |arn| Principal::Either(arn.clone()));
    }
    match Arn::of(&text) {
        Some(arn) if arn.service == "iam" && arn.rest == "root" => Principal::Root(text),
        Some(arn) if arn.account == role.account && (arn.rest.starts_with("user/") || arn.rest.starts_with("role/")) => {
            Principal::Either(text)
        }
        Some(arn) if arn.account != role.account => Principal::External(text),
        Some(arn) if arn.service == "sts" => session(&text, arn.rest, ids),
        // No ARN: named, and no row of this export.
        _ => Principal::Account(text),
    }
}

/// A session in the role's own account. A role stands for its sessions; its path is not in their ARN, and names are unique
/// without it. Whom a federation token was made for, no export says.
fn session(text: &str, rest: &str, ids: &BTreeMap<String, String>) -> Principal {
    if rest.starts_with("federated-user/") {
        return Principal::Federated(text.to_owned());
    }
    let of = rest.strip_prefix("assumed-role/").and_then(|r| r.split('/').next());
    let named = |arn: &&String| Arn::of(arn).is_some_and(|a| a.rest.starts_with("role/") && a.rest.rsplit('/').next() == of);
    match ids.values().find(named) {
        Some(role) => Principal::Either(role.clone()),
        None => Principal::Account(text.to_owned()),
    }
}

/// `AIDA…` of a user, `AROA…` of a role, perhaps with a session's name.
fn is_unique_id(text: &str) -> bool {
    let id = text.split(':').next().unwrap_or_default();
    (id.starts_with("AIDA") || id.starts_with("AROA")) && id.len() >= 16 && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(statements: &str) -> Trust {
        let raw = format!(r#"{{"Statement": [{statements}]}}"#);
        let ids = BTreeMap::from([
            ("AIDAEXAMPLELIVING0001".to_owned(), "arn:aws:iam::111122223333:user/ida".to_owned()),
            ("AROAEXAMPLELIVING0001".to_owned(), "arn:aws:iam::111122223333:role/aws-reserved/ops".to_owned()),
        ]);
        read(&raw, &Arn::of("arn:aws:iam::111122223333:role/r").unwrap(), &ids)
    }

    fn one(principal: &str) -> Vec<Principal> {
        edges(&format!(r#"{{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {principal}}}"#)).edges.into_keys().collect()
    }

    #[test]
    fn principals_of_every_kind() {
        use Principal::*;
        let s = str::to_owned;
        for (principal, want) in [
            (r#""*""#, vec![Wildcard(s("*"))]),
            (r#"{"AWS": "*"}"#, vec![Wildcard(s("*"))]),
            (r#"{"AWS": "arn:aws:iam::111122223333:user/ida"}"#, vec![Either(s("arn:aws:iam::111122223333:user/ida"))]),
            (r#"{"AWS": ["arn:aws:iam::111122223333:role/a/b"]}"#, vec![Either(s("arn:aws:iam::111122223333:role/a/b"))]),
            (r#"{"AWS": "arn:aws:iam::999988887777:role/x"}"#, vec![External(s("arn:aws:iam::999988887777:role/x"))]),
            (r#"{"AWS": "arn:aws:iam::999988887777:root"}"#, vec![Root(s("arn:aws:iam::999988887777:root"))]),
            (r#"{"AWS": ["999988887777", "arn:aws:iam::999988887777:root"]}"#, vec![Root(s("arn:aws:iam::999988887777:root"))]),
            (r#"{"AWS": "arn:aws:sts::111122223333:assumed-role/a/s"}"#, vec![Account(s("arn:aws:sts::111122223333:assumed-role/a/s"))]),
            (
                r#"{"AWS": "arn:aws:sts::111122223333:assumed-role/ops/ida"}"#,
                vec![Either(s("arn:aws:iam::111122223333:role/aws-reserved/ops"))],
            ),
            (
                r#"{"AWS": "arn:aws:sts::999988887777:assumed-role/ops/s"}"#,
                vec![External(s("arn:aws:sts::999988887777:assumed-role/ops/s"))],
            ),
            (
                r#"{"AWS": "arn:aws:sts::111122223333:federated-user/ida"}"#,
                vec![Federated(s("arn:aws:sts::111122223333:federated-user/ida"))],
            ),
            // 11.7: a dead unique id is a deleted principal.
            (r#"{"AWS": "AIDAEXAMPLEDELETED0001"}"#, vec![Deleted(s("AIDAEXAMPLEDELETED0001"))]),
            (r#"{"AWS": "AROAEXAMPLEDELETED0001:session"}"#, vec![Deleted(s("AROAEXAMPLEDELETED0001:session"))]),
            (r#"{"AWS": "AIDAEXAMPLELIVING0001"}"#, vec![Either(s("arn:aws:iam::111122223333:user/ida"))]),
            (
                r#"{"Service": ["ec2.amazonaws.com"], "Federated": "cognito-identity.amazonaws.com"}"#,
                vec![Federated(s("cognito-identity.amazonaws.com")), Service(s("ec2.amazonaws.com"))],
            ),
        ] {
            assert_eq!(one(principal), want, "{principal}");
        }
    }

    #[test]
    fn conditions_of_one_principal_are_joined() {
        let twice = |a: &str, b: &str| {
            let statement = |c: &str| format!(r#"{{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"{c}}}"#);
            edges(&format!("{}, {}", statement(a), statement(b))).edges.into_values().collect::<Vec<_>>()
        };
        assert_eq!(twice(r#", "Condition": {"a": 1}"#, r#", "Condition": {"b": 2}"#), [Some(r#"[{"a":1},{"b":2}]"#.to_owned())]);
        assert_eq!(twice(r#", "Condition": {"a": 1}"#, r#", "Condition": { "a": 1 }"#), [Some(r#"{"a":1}"#.to_owned())]);
        assert_eq!(twice(r#", "Condition": {"a": 1}"#, ""), [None]);
    }

    #[test]
    fn denies_are_kept_apart_and_unreadable_parts_counted() {
        let trust = edges(
            r#"{"Effect": "Deny", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}},
               {"Effect": "Allow", "Action": "sts:TagSession", "Principal": "*"},
               {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": 5}},
               {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "ida"},
               {"Effect": "Allow", "NotAction": "s3:*", "NotPrincipal": {"AWS": "111122223333"}}, 7"#,
        );
        assert_eq!(trust.denies, [r#"{"Effect":"Deny","Action":"sts:AssumeRole","Principal":{"AWS":"*"}}"#]);
        assert_eq!(trust.unreadable, 3);
        assert_eq!(trust.edges.into_keys().collect::<Vec<_>>(), [Principal::Wildcard(r#"NotPrincipal {"AWS":"111122223333"}"#.to_owned())]);
        let twice = edges(r#"{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "x", "Federated": "x"}}"#);
        assert_eq!((twice.edges.len(), twice.unreadable), (1, 1));
        assert_eq!(read("nonsense", &Arn::of("arn:aws:iam::1:role/r").unwrap(), &BTreeMap::new()).unreadable, 1);
    }
}
