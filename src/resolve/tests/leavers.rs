//! What those who have left could read.

use std::collections::BTreeMap;

use super::*;
use crate::model::{LeaverReachRow, StatementRow};

/// One policy: its id and statements of (effect, actions, resources).
type Policy<'a> = (&'a str, &'a [(Effect, &'a str, &'a str)]);

/// A system of one account of one leaver, who holds every policy.
fn reach(language: Language, kind: AccountKind, attributes: &str, policies: &[Policy<'_>], secrets: &[&str]) -> Vec<LeaverReachRow> {
    let json = |t: &str| Some(serde_json::to_string(&t.split(' ').collect::<Vec<_>>()).unwrap());
    let mut statements = Vec::new();
    for (entitlement_ix, (_, rules)) in (0_u32..).zip(policies) {
        for (statement, (effect, actions, resources)) in (0_u32..).zip(*rules) {
            let (effect, actions, resources) = (*effect, json(actions), json(resources));
            statements.push(StatementRow { entitlement_ix, statement, effect, actions, resources, ..StatementRow::default() });
        }
    }
    let system = SystemInput {
        entitlements: (0..)
            .zip(policies)
            .map(|(entitlement_ix, (id, rules))| EntitlementRow {
                entitlement_ix,
                native_id: (*id).to_owned(),
                level: if rules.is_empty() { Level::Unknown } else { Level::Read },
                ..EntitlementRow::default()
            })
            .collect(),
        grants: (0..)
            .zip(policies)
            .map(|(ix, _)| GrantRow { grant_ix: ix, account_ix: Some(0), entitlement_ix: ix, ..GrantRow::default() })
            .collect(),
        ..directory(vec![AccountRow { attributes: text(attributes), ..account("acc", "x") }])
    };
    let secret = |id: &&str| Secret { system_ix: 5, native_id: (*id).to_owned(), mount: None };
    let secrets: Vec<Secret> = secrets.iter().map(secret).collect();
    let scene = Scene {
        system: &system,
        statements: &statements,
        language,
        snapshot: "then",
        late: false,
        states: &[AccountStateRow { kind, ..AccountStateRow::default() }],
        candidates: &[AccountIdentityRow { identity_ix: 3, ..AccountIdentityRow::default() }],
    };
    leaver_reach(&scene, &secrets, &BTreeMap::from([(3, Left { after: None, by: day(90), exact: true })]))
}

/// (secret, policy, answer, excluded).
fn short(rows: &[LeaverReachRow]) -> Vec<(&str, &str, Answer, bool)> {
    rows.iter().map(|r| (r.secret.as_str(), r.via.as_str(), r.readable, r.excluded.is_some())).collect()
}

const ENTITY: &str = r#"{"entity_name":"ida","aliases":["ida.k@userpass"],"alias_accessors":["auth_1=ida.k"]}"#;

#[test]
fn rule_11_8_the_most_specific_of_all_policies_decides() {
    let read = [(Effect::Allow, "read", "kv/data/*")];
    let deny = [(Effect::Deny, "deny", "kv/data/hr/*")];
    let rows = reach(Language::Vault, AccountKind::Unknown, ENTITY, &[("a", &read), ("b", &deny)], &["kv/hr/x", "kv/it"]);
    assert_eq!(short(&rows), [("kv/it", "a", Answer::Yes, false)]);
    let row = &rows[0];
    assert_eq!((row.identity_ix, row.path.as_deref(), row.capability.as_deref()), (3, Some("kv/data/*"), Some("read")));
    assert_eq!((row.left_by, row.left_exact, row.candidates, row.snapshot.as_str()), (day(90), true, 1, "then"));
}

#[test]
fn templates_are_filled_in_dropped_or_unknown() {
    for (path, entity, want) in [
        ("kv/data/{{identity.entity.id}}/*", ENTITY, vec![("kv/acc/k", Answer::Yes)]),
        ("kv/data/{{identity.entity.name}}/*", ENTITY, vec![("kv/ida/k", Answer::Yes)]),
        ("kv/data/{{identity.entity.aliases.auth_1.name}}/*", ENTITY, vec![("kv/ida.k/k", Answer::Yes)]),
        ("kv/data/{{identity.entity.aliases.auth_2.name}}/*", ENTITY, vec![]),
        ("kv/data/{{identity.groups.names.g.id}}/*", ENTITY, vec![]),
        (
            "kv/data/{{identity.entity.name}}/*",
            r#"{"entity_name":"a*"}"#,
            vec![("kv/acc/k", Answer::Unknown), ("kv/ida/k", Answer::Unknown), ("kv/ida.k/k", Answer::Unknown)],
        ),
        ("kv/data/i{{identity.entity.metadata.team}}/*", ENTITY, vec![("kv/ida/k", Answer::Unknown), ("kv/ida.k/k", Answer::Unknown)]),
        ("kv/data/{{identity.entity.name}}/*", "{}", vec![]),
    ] {
        let rule = [(Effect::Allow, "read", path)];
        let rows = reach(Language::Vault, AccountKind::Unknown, entity, &[("p", &rule)], &["kv/acc/k", "kv/ida/k", "kv/ida.k/k"]);
        let have: Vec<(&str, Answer)> = rows.iter().map(|r| (r.secret.as_str(), r.readable)).collect();
        assert_eq!(have, want, "{path} {entity}");
    }
}

#[test]
fn an_unresolved_rule_that_could_take_a_right_away_leaves_it_unknown() {
    let rules = [(Effect::Allow, "read", "kv/data/*"), (Effect::Deny, "deny", "kv/data/{{identity.entity.metadata.team}}/k")];
    let rows = reach(Language::Vault, AccountKind::Unknown, ENTITY, &[("p", &rules)], &["kv/a/k", "kv/a/other"]);
    assert_eq!(short(&rows), [("kv/a/k", "p", Answer::Unknown, false), ("kv/a/other", "p", Answer::Yes, false)]);
}

#[test]
fn root_shared_accounts_and_unreadable_policies_are_one_row_with_the_reason() {
    let read = [(Effect::Allow, "read", "kv/data/*")];
    let all = ["kv/x"];
    let root = reach(Language::Vault, AccountKind::Unknown, ENTITY, &[("a", &read), ("root", &[])], &all);
    assert_eq!(short(&root), [("*", "root", Answer::Unknown, true)]);
    let shared = reach(Language::Vault, AccountKind::Shared, ENTITY, &[("a", &read)], &all);
    assert_eq!(short(&shared), [("*", "", Answer::Unknown, true)]);
    let partly = reach(Language::Vault, AccountKind::Unknown, ENTITY, &[("a", &read), ("lost", &[])], &all);
    assert_eq!(short(&partly), [("*", "lost", Answer::Unknown, true), ("kv/x", "a", Answer::Yes, false)]);
}

#[test]
fn aws_statements_read_secrets_of_any_system() {
    let arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:app/db-AbCdEf";
    let read = [(Effect::Allow, "secretsmanager:GetSecretValue", "arn:aws:secretsmanager:*:*:secret:app/*")];
    let rows = reach(Language::Aws, AccountKind::Human, "{}", &[("p", &read)], &[arn, "kv/x"]);
    assert_eq!(short(&rows), [(arn, "p", Answer::Yes, false)]);
    assert_eq!(rows[0].capability.as_deref(), Some("secretsmanager:GetSecretValue"));
}
