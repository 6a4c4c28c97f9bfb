//! Whole imports, from the fixtures and from files made here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::connectors::{Limits, Principal};
use crate::model::Word as _;
use crate::model::{AccountKind, AccountRow, AccountStatus, CredentialKind, CredentialRow, CredentialStatus, Effect, Level, UseState};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/connectors/vault");
const JANE: &str = "584a101b-ed8b-51e7-ec3b-ad73a1a1035a";
const GONE: &str = "6c1f9db5-2bd7-3d2d-7438-01f94c0638c4";
const ALICE: &str = "0559adb6-b98e-aa00-87c1-ec01269cc9ee";
const PIPELINE: &str = "53ceb0bc-0c95-062e-9967-29614de05208";
const ROOT_TOKEN: &str = "I9ooRFLmwLqZuybZtRCi6jij";

fn tree(folder: &str) -> Vec<Input> {
    let root = Path::new(FIXTURES).join(folder);
    let mut found = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    let name = |p: &PathBuf| p.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
    found.iter().map(|p| Input::measure(name(p), p.clone(), Limits::default()).unwrap()).collect()
}

fn read(folder: &str) -> Draft {
    VAULT.read(&tree(folder), &Context::default()).unwrap()
}

fn code(folder: &str) -> &'static str {
    match VAULT.read(&tree(folder), &Context::default()) {
        Err(ConnectorError::File { error, .. }) => error.code,
        other => panic!("{other:?}"),
    }
}

/// Reads files made on the spot: (name, bytes).
fn made(files: &[(&str, &[u8])]) -> Result<Draft, ConnectorError> {
    let dir = tempfile::tempdir().unwrap();
    let inputs = files.iter().zip(0..).map(|((name, bytes), at)| {
        let path = dir.path().join(format!("{at}"));
        std::fs::write(&path, bytes).unwrap();
        Input::measure((*name).to_owned(), path, Limits::default()).unwrap()
    });
    VAULT.read(&inputs.collect::<Vec<_>>(), &Context::default())
}

fn balanced(draft: &Draft) {
    for ledger in &draft.files {
        assert_eq!(ledger.read, ledger.accepted + ledger.rejected, "{ledger:?}");
    }
}

fn account<'a>(draft: &'a Draft, id: &str) -> &'a AccountRow {
    &draft.accounts.iter().find(|a| a.row.native_id == id).unwrap_or_else(|| panic!("no account {id}")).row
}

fn credential<'a>(draft: &'a Draft, id: &str) -> (&'a CredentialRow, &'a str) {
    let found = draft.credentials.iter().find(|c| c.row.native_id == id).unwrap_or_else(|| panic!("no credential {id}"));
    (&found.row, &found.holder)
}

fn held<'a>(draft: &'a Draft, holder: &Principal) -> Vec<&'a str> {
    draft.grants.iter().filter(|g| g.holder == *holder).map(|g| g.entitlement.as_str()).collect()
}

fn rejects(draft: &Draft) -> Vec<(&'static str, u64)> {
    draft.rejects.iter().map(|r| (r.reason, r.origin.number)).collect()
}

fn shorts(draft: &Draft) -> Vec<&str> {
    draft.files.iter().flat_map(|f| &f.short).map(String::as_str).collect()
}

fn attribute(json: Option<&str>, name: &str) -> serde_json::Value {
    serde_json::from_str::<serde_json::Value>(json.unwrap()).unwrap()[name].clone()
}

fn at(time: Option<crate::model::Time>) -> Option<String> {
    time.map(|t| t.to_string())
}

#[test]
fn everything_of_a_real_server_lands() {
    let draft = read("ok");
    balanced(&draft);
    assert_eq!(rejects(&draft), []);
    assert_eq!(shorts(&draft), Vec::<&str>::new());
    // 6 entities, 1 user who never signed in, 2 AppRoles, 3 tokens without entity.
    assert_eq!(draft.accounts.len(), 12);
    assert_eq!(draft.groups.len(), 3);
    let kinds = draft.credentials.iter().fold(BTreeMap::new(), |mut all, c| {
        *all.entry(c.row.kind.as_str()).or_insert(0) += 1;
        all
    });
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), [("api_token", 7), ("client_secret", 2), ("password", 4), ("vault_secret", 5)]);
    let mut levels: Vec<(&str, Level)> = draft.entitlements.iter().map(|e| (e.row.native_id.as_str(), e.row.level)).collect();
    levels.sort();
    let want = [
        ("default", Level::Write),
        ("ops-admin", Level::Admin),
        ("payments-ro", Level::Read),
        ("root", Level::Admin),
        ("self-service", Level::Write),
    ];
    assert_eq!(levels, want);
}

#[test]
fn entities_carry_names_aliases_and_state() {
    let draft = read("ok");
    let jane = account(&draft, JANE);
    assert_eq!((jane.login.as_deref(), jane.display_name.as_deref()), (Some("jdoe"), Some("jane.doe")));
    assert_eq!((jane.email.as_deref(), jane.employee_ref.as_deref()), (Some("jane.doe@corp.example.com"), Some("1001")));
    assert_eq!(
        attribute(jane.attributes.as_deref(), "aliases"),
        serde_json::json!(["jane.doe@corp.example.com@oidc-okta", "jdoe@userpass"])
    );
    assert_eq!(attribute(jane.attributes.as_deref(), "team"), "payments");
    assert_eq!((jane.status, at(jane.created_at).as_deref()), (AccountStatus::Active, Some("2026-11-22T01:27:29.208785Z")));
    let gone = account(&draft, GONE);
    assert_eq!(
        (gone.status, gone.login.as_deref(), gone.employee_ref.as_deref()),
        (AccountStatus::Disabled, Some("gone.user"), Some("1003"))
    );
    let alice = account(&draft, ALICE);
    assert_eq!((alice.login.as_deref(), alice.display_name.as_deref(), alice.kind), (Some("alice"), None, AccountKind::Unknown));
    let pipeline = account(&draft, PIPELINE);
    assert_eq!((pipeline.login.as_deref(), pipeline.kind), (Some("ci-deployer"), AccountKind::Workload));
}

#[test]
fn policies_come_from_entity_user_token_and_group() {
    let draft = read("ok");
    let entity = |id: &str| Principal::Account(id.to_owned());
    assert_eq!(held(&draft, &entity(JANE)), ["payments-ro"]);
    assert_eq!(held(&draft, &entity(ALICE)), ["default", "self-service"]);
    assert_eq!(held(&draft, &entity("auth/userpass/users/dave")), ["default", "self-service"]);
    assert_eq!(held(&draft, &entity("auth/approle/role/legacy-batch")), ["default", "ops-admin"]);
    assert_eq!(held(&draft, &entity(ROOT_TOKEN)), ["root"]);
    assert_eq!(held(&draft, &Principal::Group("79faa42b-2b08-439d-19d5-049003e61c23".into())), ["ops-admin"]);
    // The user's own policies outlive the token that holds them, too.
    let alice = draft.grants.iter().find(|g| g.holder == entity(ALICE) && g.entitlement == "self-service").unwrap();
    assert_eq!(alice.row.expires_at, None);
    let jenkins = draft.grants.iter().find(|g| g.holder == entity("RS9F9h72BGqucJpPHhfMJgU3") && g.entitlement == "payments-ro").unwrap();
    assert_eq!(at(jenkins.row.expires_at).as_deref(), Some("2026-12-24T01:27:30.953254Z"));
    let mut edges: Vec<_> = draft.memberships.iter().map(|m| (m.member.clone(), m.group.as_str())).collect();
    edges.sort();
    let want = [
        (entity(JANE), "79faa42b-2b08-439d-19d5-049003e61c23"),
        (Principal::Group("79faa42b-2b08-439d-19d5-049003e61c23".into()), "6c24946b-d23e-dee3-5efa-049fe0a5e0c5"),
    ];
    assert_eq!(edges, want);
}

#[test]
fn statements_keep_paths_capabilities_and_deny() {
    let draft = read("ok");
    let rows: Vec<_> = draft.statements.iter().filter(|s| s.parent == "self-service").map(|s| &s.row).collect();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0].resources.as_deref(), Some(r#"["secret/data/{{identity.entity.name}}/*"]"#));
    assert_eq!(rows[0].actions.as_deref(), Some(r#"["create","read","update","delete"]"#));
    assert_eq!((rows[1].condition.as_deref(), rows[1].level), (Some(r#"["allowed_parameters"]"#), Level::Read));
    assert_eq!((rows[2].effect, rows[2].level), (Effect::Deny, Level::None));
}

#[test]
fn credentials_have_holders_and_ends() {
    let draft = read("ok");
    let (root, holder) = credential(&draft, ROOT_TOKEN);
    assert_eq!((root.kind, root.expires_at, holder), (CredentialKind::ApiToken, None, ROOT_TOKEN));
    assert_eq!(at(root.created_at).as_deref(), Some("2026-11-22T01:25:18Z"));
    assert_eq!(attribute(account(&draft, ROOT_TOKEN).attributes.as_deref(), "root"), true);
    let (secret, holder) = credential(&draft, "984b24db-0b27-e9c4-61dd-e785cabc2261");
    assert_eq!((secret.kind, secret.expires_at, holder), (CredentialKind::ClientSecret, None, "auth/approle/role/legacy-batch"));
    assert_eq!(credential(&draft, "auth/userpass/users/alice#password").1, ALICE);
    assert_eq!(credential(&draft, "FdvFYOnxhWP9BropPyo1q9jK").1, PIPELINE);
    assert_eq!(account(&draft, "RS9F9h72BGqucJpPHhfMJgU3").owner_ref.as_deref(), Some("ci"));
}

#[test]
fn secrets_tell_rotation_and_deletion() {
    let draft = read("ok");
    let of = |id: &str| {
        let row = credential(&draft, id).0;
        (row.status, at(row.rotated_at))
    };
    assert_eq!(of("secret/payments/stripe"), (CredentialStatus::Active, Some("2026-11-22T01:27:32.495105Z".into())));
    assert_eq!(of("secret/hr/old"), (CredentialStatus::Deleted, None));
    assert_eq!(of("secret/hr/destroyed"), (CredentialStatus::Deleted, None));
    assert_eq!(of("secret/hr/workday-api"), (CredentialStatus::Active, None));
    let stripe = &draft.resources.iter().find(|r| r.row.native_id == "secret/payments/stripe").unwrap().row;
    assert_eq!((stripe.kind.as_str(), stripe.owner_ref.as_deref()), ("secret", Some("payments-team")));
    assert_eq!(attribute(stripe.attributes.as_deref(), "updated_time"), "2026-11-22T01:27:32.742274Z");
    let old = &draft.resources.iter().find(|r| r.row.native_id == "secret/hr/old").unwrap().row;
    assert_eq!(attribute(old.attributes.as_deref(), "deleted_versions"), serde_json::json!([1]));
}

#[test]
fn the_audit_log_tells_use_and_its_window() {
    let draft = read("ok");
    let alice = account(&draft, ALICE);
    assert_eq!((alice.use_state, at(alice.last_used_at).as_deref()), (UseState::Used, Some("2026-11-22T01:27:27.950461Z")));
    let role = account(&draft, "auth/approle/role/ci-deployer");
    assert_eq!((role.use_state, at(role.last_used_at).as_deref()), (UseState::Used, Some("2026-11-22T01:27:27.723431Z")));
    let unused = account(&draft, "auth/approle/role/legacy-batch");
    assert_eq!((unused.use_state, at(unused.use_window_from).as_deref()), (UseState::NotInWindow, Some("2026-11-22T01:25:18.738161Z")));
    assert_eq!(credential(&draft, "auth/userpass/users/alice#password").0.use_state, UseState::Used);
    // Its accessor is hashed in the log.
    assert_eq!(account(&draft, ROOT_TOKEN).use_state, UseState::Unknown);
    let covers = draft.files.iter().find_map(|f| f.covers).unwrap();
    assert_eq!((covers.0.to_string(), covers.1.to_string()), ("2026-11-22T01:25:18.738161Z".into(), "2026-11-22T01:27:41.591233Z".into()));
    let used: Vec<_> = draft.events.iter().filter(|e| e.parent == ALICE).map(|e| (e.row.action.as_str(), e.row.at.to_string())).collect();
    assert_eq!(used, [("used", "2026-11-22T01:27:27.950461Z".to_owned())]);
}

#[test]
fn rotated_logs_are_one_window_and_a_broken_line_closes_it() {
    let line = |time: &str| {
        format!("{{\"time\":\"{time}\",\"type\":\"response\",\"auth\":{{\"entity_id\":\"e1\"}},\"request\":{{\"id\":\"r-{time}\"}}}}\n")
    };
    let entity = |id: &str| format!("{{\"request_id\":\"r\",\"data\":{{\"id\":\"{id}\",\"aliases\":[],\"disabled\":false}}}}");
    let (old, new) = (line("2026-01-02T00:00:00Z"), line("2026-03-04T00:00:00Z"));
    let (one, two) = (entity("e1"), entity("e2"));
    let files = |last: &str| {
        let log = format!("{new}{last}");
        made(&[("audit.log.1", old.as_bytes()), ("audit.log", log.as_bytes()), ("e1.json", one.as_bytes()), ("e2.json", two.as_bytes())])
            .unwrap()
    };
    let whole = files("");
    assert_eq!(at(account(&whole, "e1").last_used_at).as_deref(), Some("2026-03-04T00:00:00Z"));
    assert_eq!(at(account(&whole, "e2").use_window_from).as_deref(), Some("2026-01-02T00:00:00Z"));
    assert_eq!(whole.events.len(), 2);
    let cut = files("{\"time\":\"2026-03-05T00:00:00Z\",\"type\":\"resp");
    balanced(&cut);
    assert_eq!(rejects(&cut), [("vault/audit-line", 2)]);
    assert_eq!(account(&cut, "e2").use_state, UseState::Unknown);
}

#[test]
fn secret_values_are_never_kept() {
    let draft = read("bad/secret-values");
    balanced(&draft);
    assert!(!format!("{draft:?}").contains("EXAMPLE"));
    let notes: u64 = draft.files.iter().flat_map(|f| f.notes.values()).sum();
    assert_eq!(notes, 4);
    assert_eq!(credential(&draft, "accessorC").1, "auth/approle/role/ci");
    assert_eq!(credential(&draft, "accessorD").0.fingerprint, None);
    let keyed = Context { fingerprint_key: Some(b"key".to_vec()), ..Context::default() };
    let draft = VAULT.read(&tree("bad/secret-values"), &keyed).unwrap();
    assert_eq!(credential(&draft, "accessorD").0.fingerprint.as_deref().map(str::len), Some(64));
    assert!(!format!("{draft:?}").contains("EXAMPLE"));
}

#[test]
fn rule_11_13_names_and_unknown_words_are_masked() {
    let entity = r#"{"id":"e1","name":"ops password=Hunter21","policies":[],"aliases":[{"canonical_id":"e1","name":"ann",
        "mount_accessor":"x","mount_path":"auth/team/token=Hunter22/"}]}"#;
    let group = r#"{"id":"g1","name":"admins pw: Hunter23","member_entity_ids":["e1"],"policies":[]}"#;
    let token = r#"{"accessor":"t1","policies":[],"creation_ttl":0,"display_name":"ci secret=Hunter24"}"#;
    let policy = r#"path "a" { capabilities = ["read", "password=Hunter25"] }"#;
    let json = r#"{"path":{"a":{"capabilities":["read"],"token: Hunter26":1}}}"#;
    let files: [(&str, &[u8]); 5] = [
        ("identity/entity/id/e1.json", entity.as_bytes()),
        ("identity/group/id/g1.json", group.as_bytes()),
        ("auth/token/accessor/t1.json", token.as_bytes()),
        ("policies/p.hcl", policy.as_bytes()),
        ("policies/q.json", json.as_bytes()),
    ];
    let draft = made(&files).unwrap();
    balanced(&draft);
    assert_eq!(rejects(&draft), []);
    assert!(!format!("{draft:?}").contains("Hunter2"));
    assert_eq!(account(&draft, "e1").display_name.as_deref(), Some("ops password=[masked]"));
    assert_eq!(attribute(account(&draft, "e1").attributes.as_deref(), "aliases"), serde_json::json!(["ann@team/token=[masked]"]));
    assert_eq!(draft.groups[0].row.name.as_deref(), Some("admins pw: [masked]"));
    assert_eq!(credential(&draft, "t1").0.name.as_deref(), Some("ci secret=[masked]"));
    assert_eq!(draft.statements[0].row.actions.as_deref(), Some(r#"["read","password=[masked]"]"#));
    assert_eq!(draft.statements[1].row.condition.as_deref(), Some(r#"["token: [masked]"]"#));
}

#[test]
fn bad_records_are_rejected_and_the_rest_goes_on() {
    for (folder, want) in [
        ("bad/alias-nowhere", vec![("vault/alias-nowhere", 1)]),
        ("bad/two-texts", vec![("vault/two-texts", 1)]),
        ("bad/batch-token", vec![("vault/no-accessor", 1)]),
        ("bad/bad-time", vec![("vault/bad-time", 1)]),
        ("bad/duplicate", vec![("vault/duplicate", 1)]),
        ("bad/audit-cut", vec![("vault/audit-line", 3)]),
    ] {
        let draft = read(folder);
        balanced(&draft);
        assert_eq!(rejects(&draft), want, "{folder}");
    }
    assert!(!format!("{:?}", read("bad/hostile-names")).contains("Hunter2"));
    assert_eq!(code("bad/kv1-secret"), "vault/unknown-shape");
}

#[test]
fn files_that_cannot_be_trusted_stop_the_import() {
    assert_eq!(code("bad/truncated"), "vault/truncated-json");
    assert_eq!(code("bad/not-json"), "vault/broken-json");
    assert_eq!(code("bad/two-namespaces"), "vault/two-namespaces");
    let deep = format!("{{\"data\":{}", "[".repeat(10_000));
    let Err(ConnectorError::File { error, .. }) = made(&[("x.json", deep.as_bytes())]) else { panic!("accepted") };
    assert_eq!(error.code, "vault/too-deep");
    let mut options = toml::Table::new();
    options.insert("zone".to_owned(), true.into());
    assert!(matches!(VAULT.read(&[], &Context { options, ..Context::default() }), Err(ConnectorError::Options { .. })));
}

#[test]
fn an_unreadable_policy_is_unknown_never_none() {
    let draft = read("bad/unreadable-policy");
    assert_eq!(draft.entitlements[0].row.level, Level::Unknown);
    assert_eq!(attribute(draft.entitlements[0].row.attributes.as_deref(), "document"), "unreadable");
    assert_eq!(draft.files[0].notes.values().sum::<u64>(), 1);
}

#[test]
fn what_lists_name_must_be_there() {
    assert_eq!(shorts(&read("bad/empty-accessors")), ["lists no token accessors: a server always has one, so the list was refused"]);
    let policy = ("p.hcl", &b"path \"a\" { capabilities = [\"read\"] }"[..]);
    let draft = made(&[
        policy,
        ("auth/token/accessors.json", b"[\"a\",\"b\"]"),
        ("auth/userpass/users.json", b"[\"ida\"]"),
        ("policy-list.json", b"[\"p\",\"root\"]"),
        ("kv/list-x.json", b"{}"),
        ("kv/list-root.json", b"[\"gone\",\"hr/\"]"),
        ("counters.json", b"{\"request_id\":\"r\",\"data\":{\"counters\":{\"service_tokens\":{\"total\":3}}}}"),
    ])
    .unwrap();
    let want = [
        "lists 2 token accessors, 2 of which no file describes",
        "lists 1 users, 1 of which no file describes",
        "lists 2 secrets and folders, 1 of which no file describes",
        "the server counts 3 service tokens, the files describe 0",
    ];
    assert_eq!(shorts(&draft), want);
    let draft = VAULT.read(&[tree("bad/refused"), tree("bad/unreadable-policy")].concat(), &Context::default()).unwrap();
    let want =
        ["is empty: the command that wrote it failed", "holds an error instead of an answer (code 403): the command that wrote it failed"];
    assert_eq!(shorts(&draft), want);
}

#[test]
fn utf16_and_requests_as_paths_are_read() {
    let user = "{\"request_id\":\"r\",\"data\":{\"token_policies\":[\"Ops\"],\"token_type\":\"batch\"}}";
    let wide: Vec<u8> = [0xff, 0xfe].into_iter().chain(user.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let draft = made(&[("auth/team/up/users/ida.json", &wide)]).unwrap();
    assert_eq!(account(&draft, "auth/team/up/users/ida").login.as_deref(), Some("ida"));
    assert_eq!(held(&draft, &Principal::Account("auth/team/up/users/ida".into())), ["ops"]);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), name in "[a-z/_.-]{0,30}") {
        let _ = made(&[(&name, &bytes)]);
    }

    #[test]
    fn no_policy_makes_it_panic(text in "(path|\"[a-z*+/]{0,6}\"|[{}\\[\\]=,#/*<\n ]|capabilities|policy|deny|sudo){0,40}") {
        let _ = policy::judge(&text);
    }
}
