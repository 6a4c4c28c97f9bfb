//! Whole imports, from the fixtures and from files made here.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::connectors::{Limits, Principal};
use crate::model::{
    AccountRow, AccountStatus, CredentialRow, CredentialStatus, Level, MembershipKind, MfaState, Row as _, UseState, to_batch,
};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/connectors/okta");

fn input(path: PathBuf) -> Input {
    let name = path.strip_prefix(FIXTURES).unwrap_or(&path).to_string_lossy().into_owned();
    Input::measure(name, path, Limits::default()).unwrap()
}

fn names(folder: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(Path::new(FIXTURES).join(folder))
        .unwrap()
        .map(|e| format!("{folder}/{}", e.unwrap().file_name().to_string_lossy()))
        .collect();
    names.sort();
    names
}

fn try_read(names: &[&str]) -> Result<Draft, ConnectorError> {
    let inputs: Vec<Input> = names.iter().map(|name| input(Path::new(FIXTURES).join(name))).collect();
    OKTA.read(&inputs, &Context::default())
}

fn read(names: &[&str]) -> Draft {
    let draft = try_read(names).unwrap();
    balanced(&draft);
    draft
}

fn all() -> Draft {
    read(&names("ok").iter().map(String::as_str).collect::<Vec<_>>())
}

fn error(names: &[&str]) -> (&'static str, Option<u64>) {
    match try_read(names) {
        Err(ConnectorError::File { error, .. }) => (error.code, error.at),
        other => panic!("{other:?}"),
    }
}

/// Reads files made on the spot: (name, text).
fn made(files: &[(&str, &[u8])]) -> Result<Draft, ConnectorError> {
    let dir = tempfile::tempdir().unwrap();
    let inputs = files.iter().map(|(name, bytes)| {
        let path = dir.path().join(name.replace('/', "_"));
        std::fs::write(&path, bytes).unwrap();
        Input::measure((*name).to_owned(), path, Limits::default()).unwrap()
    });
    OKTA.read(&inputs.collect::<Vec<_>>(), &Context::default())
}

fn balanced(draft: &Draft) {
    for ledger in &draft.files {
        assert_eq!(ledger.read, ledger.accepted + ledger.rejected, "{ledger:?}");
    }
    assert_eq!(draft.files.iter().map(|f| f.rejected).sum::<u64>(), draft.rejects.len() as u64);
}

fn u(n: u32) -> String {
    format!("00ubrook{n:012}")
}
fn g(n: u32) -> String {
    format!("00gbrook{n:012}")
}
fn a(n: u32) -> String {
    format!("0oabrook{n:012}")
}

fn account(draft: &Draft, n: u32) -> &AccountRow {
    &draft.accounts.iter().find(|r| r.row.native_id == u(n)).unwrap().row
}

fn credential<'d>(draft: &'d Draft, id: &str) -> &'d CredentialRow {
    &draft.credentials.iter().find(|c| c.row.native_id == id).unwrap().row
}

fn text(time: Option<crate::model::Time>) -> Option<String> {
    time.map(|t| t.to_string())
}

fn attribute(attributes: Option<&String>, name: &str) -> Value {
    serde_json::from_str::<Value>(attributes.unwrap()).unwrap()[name].clone()
}

fn rejects(draft: &Draft) -> Vec<(u64, &'static str)> {
    draft.rejects.iter().map(|r| (r.origin.number, r.reason)).collect()
}

fn shorts(draft: &Draft) -> Vec<(usize, String)> {
    draft.files.iter().enumerate().flat_map(|(i, f)| f.short.iter().map(move |s| (i, s.clone()))).collect()
}

#[test]
fn everything_of_one_organisation_lands() {
    let draft = all();
    assert!(draft.rejects.is_empty() && shorts(&draft).is_empty(), "{:?} {:?}", draft.rejects, shorts(&draft));
    assert_eq!(draft.accounts.len(), 9);
    assert_eq!(draft.groups.len(), 4);
    assert_eq!(draft.memberships.len(), 8 + 2 + 2);
    assert_eq!((draft.resources.len(), draft.entitlements.len()), (3, 3 + 4));
    let covered: Vec<&str> = draft.covers.iter().copied().collect();
    assert_eq!(covered, ["accounts", "credentials", "entitlements", "grants", "groups", "memberships", "resources"]);
    assert!(draft.files.iter().all(|f| f.shape.is_some()));
}

#[test]
fn users_are_accounts_with_their_state() {
    let draft = all();
    let runa = account(&draft, 1);
    assert_eq!((runa.login.as_deref(), runa.email_norm.as_deref()), (Some("runa.falk@brook.example"), Some("runa.falk@brook.example")));
    assert_eq!((runa.display_name.as_deref(), runa.employee_ref.as_deref()), (Some("Runa Falk"), Some("00417")));
    assert_eq!(
        (text(runa.created_at).unwrap(), text(runa.changed_at).unwrap()),
        ("2023-05-02T08:00:00Z".into(), "2025-11-03T10:15:00Z".into())
    );
    assert_eq!((runa.use_state, text(runa.last_used_at).unwrap()), (UseState::Used, "2026-11-20T07:12:44Z".into()));
    assert_eq!((runa.kind, runa.mfa_state, runa.owner_ref.clone()), (crate::model::AccountKind::Unknown, MfaState::Unknown, None));
    assert_eq!(attribute(runa.attributes.as_ref(), "department"), "Engineering");
    let states: Vec<_> = [1, 2, 3, 4, 5, 8, 9].iter().map(|n| account(&draft, *n).status).collect();
    use AccountStatus::{Active, Disabled, Locked, Pending};
    assert_eq!(states, [Active, Active, Pending, Locked, Disabled, Disabled, Active]);
    assert_eq!(account(&draft, 3).use_state, UseState::Never, "`lastLogin` is null");
    assert_eq!(account(&draft, 7).use_state, UseState::Unknown, "`lastLogin` is not there");
    assert_eq!(text(account(&draft, 4).locked_at).as_deref(), Some("2024-02-01T09:30:00Z"));
    assert_eq!(
        (account(&draft, 9).employee_ref.as_deref(), account(&draft, 6).display_name.as_deref()),
        (Some("93"), Some("Jaro Pelz (Finance)"))
    );
}

#[test]
fn passwords_of_okta_and_of_others() {
    let draft = all();
    let states: Vec<_> = [1, 2, 5, 6, 7, 8, 9].iter().map(|n| credential(&draft, &format!("{}#password", u(*n))).status).collect();
    use CredentialStatus::{Active, Inactive, Unknown};
    assert_eq!(states, [Active, Active, Inactive, Unknown, Active, Inactive, Unknown], "an expired one lets its user in to change it");
    assert_eq!(text(credential(&draft, &format!("{}#password", u(1))).rotated_at).as_deref(), Some("2024-02-01T09:30:00Z"));
    assert!(draft.credentials.iter().all(|c| c.holder != u(3)), "staged without a password");
    let elsewhere = credential(&draft, &format!("{}#password", u(6)));
    assert_eq!((elsewhere.name.as_deref(), elsewhere.rotated_at), (Some("password of FEDERATION"), None));
    assert_eq!(attribute(account(&draft, 6).attributes.as_ref(), "provider"), "FEDERATION");
}

#[test]
fn groups_members_and_the_rules_that_feed_them() {
    let draft = all();
    let group = |n| &draft.groups.iter().find(|r| r.row.native_id == g(n)).unwrap().row;
    assert_eq!([1, 2, 3, 4].map(|n| group(n).vendor_managed), [true, false, false, false]);
    assert_eq!(group(2).name.as_deref(), Some("Engineering"));
    assert_eq!(attribute(group(4).attributes.as_ref(), "source_app"), Value::from(a(3)));
    assert_eq!(attribute(group(2).attributes.as_ref(), "rules")[0]["expression"], "user.department==\"Engineering\"");
    assert_eq!(attribute(group(3).attributes.as_ref(), "rules"), Value::Null, "the rule is inactive");
    let members: Vec<_> =
        draft.memberships.iter().filter(|m| m.group != g(1)).map(|m| (m.member.clone(), m.group.clone(), m.row.kind)).collect();
    let of = |n| Principal::Account(u(n));
    use MembershipKind::{Direct, Dynamic};
    assert!(draft.memberships.iter().filter(|m| m.group == g(1)).all(|m| m.row.kind == Dynamic), "nobody is taken out of `Everyone`");
    let want = [(of(1), g(2), Dynamic), (of(2), g(2), Direct), (of(6), g(3), Direct), (of(99), g(3), Direct)];
    assert_eq!(members, want, "the rule leaves out user 2; user 99 is in no list of users");
}

#[test]
fn assignments_are_grants_once() {
    let draft = all();
    let grants: Vec<_> = draft
        .grants
        .iter()
        .filter(|held| held.resource.is_some())
        .map(|held| (held.entitlement.clone(), held.holder.clone(), held.row.condition.as_deref()))
        .collect();
    let of = |n| Principal::Account(u(n));
    let want = [
        (a(1), of(1), None),
        (a(1), of(2), Some("{\"scope\":\"GROUP\"}")),
        (a(1), of(5), Some("{\"status\":\"SUSPENDED\"}")),
        (a(2), of(4), None),
        (a(1), Principal::Group(g(3)), None),
    ];
    assert_eq!(grants, want, "user 6 has the app through the group, and user 8 no longer has it");
    assert!(draft.grants.iter().all(|held| held.resource.is_none() || held.resource.as_ref() == Some(&held.entitlement)));
    let wiki = &draft.resources.iter().find(|r| r.row.native_id == a(2)).unwrap().row;
    assert_eq!((wiki.kind.as_str(), wiki.name.as_deref()), ("application", Some("Old Wiki")));
    assert_eq!(attribute(wiki.attributes.as_ref(), "status"), "INACTIVE");
}

#[test]
fn tokens_and_their_use() {
    let draft = all();
    let token = |n: u32| credential(&draft, &format!("00Tbrook{n:012}"));
    assert_eq!((token(1).status, token(1).use_state), (CredentialStatus::Active, UseState::Used));
    assert_eq!(text(token(1).last_used_at).as_deref(), Some("2026-11-20T03:00:00Z"), "a window before its end");
    assert_eq!(text(token(1).expires_at).as_deref(), Some("2026-12-20T03:00:00Z"));
    assert_eq!((token(2).status, token(2).use_state), (CredentialStatus::Inactive, UseState::Unknown), "its user is deactivated");
    assert_eq!((token(3).status, token(3).use_state), (CredentialStatus::Active, UseState::Unknown), "no window");
}

#[test]
fn admin_roles_have_a_level() {
    let draft = all();
    let role = |id: &str| draft.entitlements.iter().find(|e| e.row.native_id == id).unwrap().row.clone();
    let levels = ["role:SUPER_ADMIN", "role:HELP_DESK_ADMIN", "role:READ_ONLY_ADMIN", "role:cr0brook000000000001"].map(|id| role(id).level);
    assert_eq!(levels, [Level::Admin, Level::Admin, Level::Read, Level::Unknown]);
    assert_eq!((role("role:cr0brook000000000001").name.as_deref(), role("role:SUPER_ADMIN").vendor_managed), (Some("Key keeper"), true));
    let held: BTreeMap<_, _> = draft.grants.iter().filter(|h| h.resource.is_none()).map(|h| (h.entitlement.as_str(), h)).collect();
    assert_eq!(held["role:HELP_DESK_ADMIN"].holder, Principal::Group(g(3)), "the user has it through the group");
    assert_eq!(held["role:READ_ONLY_ADMIN"].holder, Principal::Account(u(4)), "named by the file alone");
    assert_eq!(held["role:READ_ONLY_ADMIN"].row.condition.as_deref(), Some("{\"status\":\"INACTIVE\"}"));
}

#[test]
fn files_that_cannot_be_trusted_stop_the_import() {
    assert_eq!(error(&["bad/truncated.json"]).0, "okta/truncated-json");
    assert_eq!(error(&["bad/truncated.ndjson"]), ("okta/truncated-json", Some(2)));
    assert_eq!(error(&["bad/empty.json"]), ("okta/empty", None));
    assert_eq!(error(&["bad/broken.json"]), ("okta/broken-json", Some(3)));
    assert_eq!(error(&["bad/deep.json"]), ("okta/too-deep", Some(1)));
    assert_eq!(error(&["bad/unknown-shape.json"]), ("okta/unknown-shape", None), "nothing else is there");
    assert_eq!(error(&["ok/users.1.json", "bad/api-error.json"]), ("okta/api-error", Some(1)));
    let Err(ConnectorError::File { error, file }) = try_read(&["bad/api-error.json"]) else { panic!("an error of Okta was taken") };
    assert_eq!((file.as_str(), error.message.as_str()), ("bad/api-error.json", "is an error of Okta, `E0000011`: Invalid token provided"));
}

#[test]
fn bad_records_are_rejected_and_the_file_goes_on() {
    let draft = read(&["bad/users.records.json"]);
    let bad = "okta/bad-record";
    let want = [
        (2, bad),
        (3, bad),
        (4, bad),
        (5, "okta/missing-field"),
        (6, bad),
        (7, "okta/missing-field"),
        (8, "okta/bad-time"),
        (9, "okta/bad-time"),
        (11, bad),
    ];
    assert_eq!(rejects(&draft), want);
    assert_eq!(draft.accounts.iter().map(|r| r.row.native_id.clone()).collect::<Vec<_>>(), [u(1), u(5)]);
    assert_eq!(account(&draft, 5).status, AccountStatus::Unknown, "a status that nobody knows");
    assert!(draft.rejects.iter().all(|r| !r.help.is_empty() && !r.message.is_empty()));

    assert_eq!(rejects(&read(&["bad/users.not-utf8.json"])), [(2, "okta/not-text")]);
    assert_eq!(rejects(&read(&["bad/users.nul.json"])), [(2, "okta/broken-json")]);
    assert_eq!(rejects(&read(&["bad/users.duplicate.json"])), [(3, "okta/duplicate")], "the second repeats the first word for word");
    assert_eq!(rejects(&read(&["ok/users.1.json", "bad/assignments.json"])), [(1, "okta/no-parent"), (2, "okta/bad-record")]);
    assert_eq!(rejects(&read(&["ok/users.1.json", "bad/roles.json"])), [(1, "okta/no-parent")]);
    assert_eq!(rejects(&read(&["ok/users.1.json", "bad/unknown-shape.json"])), [(1, "okta/unknown-shape")]);
}

#[test]
fn lists_whose_owner_nothing_names_are_rejected() {
    for (name, code) in [
        ("bad/group-engineering.users.json", "okta/no-parent"),
        ("bad/nothing.json", "okta/no-parent"),
        ("bad/groups-of-user.json", "okta/part-of-list"),
        ("bad/00ubrook000000000001.apps.json", "okta/part-of-list"),
    ] {
        let draft = read(&["ok/users.1.json", name]);
        assert!(
            !draft.rejects.is_empty() && draft.rejects.iter().all(|r| r.reason == code && r.origin.file == 1),
            "{name}: {:?}",
            draft.rejects
        );
        assert_eq!((draft.accounts.len(), draft.groups.len(), draft.resources.len()), (4, 0, 0), "{name}");
        assert_eq!(draft.covers.iter().copied().collect::<Vec<_>>(), ["accounts", "credentials"], "{name}");
    }
}

#[test]
fn an_empty_list_speaks_of_what_its_name_says() {
    let users = std::fs::read(Path::new(FIXTURES).join("ok/users.1.json")).unwrap();
    for (name, table) in [
        (format!("groups/{}/users.json", g(1)), "memberships"),
        (format!("apps/{}/users.json", a(1)), "grants"),
        (format!("apps/{}/groups.json", a(1)), "grants"),
        (format!("users/{}/roles.json", u(1)), "grants"),
        ("groups.json".to_owned(), "groups"),
        ("apps.json".to_owned(), "resources"),
    ] {
        let draft = made(&[("users.json", &users), (&name, b"[]")]).unwrap();
        balanced(&draft);
        assert!(draft.rejects.is_empty() && draft.covers.contains(table), "{name}: {:?}", draft.covers);
    }
    assert!(!made(&[("users.json", &users)]).unwrap().covers.contains("memberships"));
}

#[test]
fn missing_lists_make_a_file_short() {
    let whole = ["ok/groups.json", "ok/group-00gbrook000000000001.users.json", "ok/group-00gbrook000000000002.users.json"];
    let short = shorts(&read(&whole));
    let why = "the members of 2 of its records are in no file, `00gbrook000000000003` first: save `GET /api/v1/groups/{id}/users`";
    assert_eq!(short, [(0, why.to_owned())]);
    assert_eq!(shorts(&read(&whole[..1])), [], "no members at all: the export does not speak of them");
    let short = shorts(&read(&["ok/apps.json", "ok/payroll-pro.json"]));
    assert_eq!(short.len(), 1);
    assert!(short[0].1.starts_with("the users of 2 of its records are in no file, `0oabrook000000000002` first"), "{short:?}");
}

#[test]
fn deprovisioned_users_are_asked_for() {
    let said = |draft: &Draft| draft.files.iter().flat_map(|f| f.notes.keys()).any(|n| n.starts_with("no user is DEPROVISIONED"));
    let draft = read(&["ok/users.1.json"]);
    assert!(said(&draft) && shorts(&draft).is_empty());
    assert!(!said(&all()));
}

/// A list of so many users, from `first`.
fn page(first: u32, count: u32, status: &str) -> Vec<u8> {
    let one = |n| format!(r#"{{"id":"{}","status":"{status}","profile":{{"login":"user{n}@brook.example"}},"credentials":{{}}}}"#, u(n));
    format!("[{}]", (first..first + count).map(one).collect::<Vec<_>>().join(",")).into_bytes()
}

#[test]
fn a_full_last_page_is_suspicious() {
    let (full, rest, gone) = (page(1, 200, "ACTIVE"), page(201, 3, "ACTIVE"), page(501, 3, "DEPROVISIONED"));
    let files = |files: &[(&str, &[u8])]| shorts(&made(files).unwrap()).into_iter().map(|(file, _)| file).collect::<Vec<_>>();
    assert_eq!(files(&[("users.1.json", &full)]), [0]);
    assert_eq!(files(&[("users.1.json", &full), ("users.2.json", &page(201, 200, "ACTIVE"))]), [1]);
    assert_eq!(files(&[("users.1.json", &full), ("users.2.json", &rest)]), [0; 0]);
    assert_eq!(files(&[("users.10.json", &rest), ("users.2.json", &full)]), [0; 0], "in whatever order");
    assert_eq!(files(&[("users.1.json", &full), ("users.gone.json", &gone)]), [0], "another list, not the next page");
    assert_eq!(files(&[("users.json", &page(1, 199, "ACTIVE"))]), [0; 0]);
    let (one, two) = (format!("groups/{}.users.json", g(1)), format!("groups/{}.users.json", g(2)));
    assert_eq!(files(&[(&one, &page(1, 1000, "ACTIVE")), (&two, &rest)]), [0], "the members of another group are no next page");
    let glued = [full, rest].concat();
    assert_eq!(files(&[("users.json", &glued)]), [0; 0], "two lists in one file");
}

#[test]
fn nothing_secret_is_kept() {
    let mut shown = String::new();
    for folder in ["ok", "bad"] {
        for name in names(folder) {
            match try_read(&[&name]) {
                Ok(draft) => shown.push_str(&format!("{draft:?}")),
                Err(error) => shown.push_str(&format!("{error:?}")),
            }
        }
    }
    let files: String = names("ok")
        .iter()
        .chain(&names("bad"))
        .map(|n| String::from_utf8_lossy(&std::fs::read(Path::new(FIXTURES).join(n)).unwrap()).into_owned())
        .collect();
    assert!(files.matches("CANARY").count() >= 6, "the fixtures hold secrets");
    assert!(!shown.contains("CANARY"), "{shown}");
    let draft = read(&["ok/users.2.ndjson"]);
    assert_eq!(draft.files[0].notes.get("secret of a user (password, hash or recovery answer) met and dropped"), Some(&1));
}

#[test]
fn rule_11_13_words_that_okta_does_not_know_are_masked() {
    let users = r#"[{"id":"00ubrook000000000001","status":"password=Hunter21","profile":{"login":"a"},"credentials":{"provider":{"type":"token=Hunter22"}}}]"#;
    let apps =
        r#"[{"id":"0oabrook000000000001","name":"pw=Hunter23","label":"App","status":"secret: Hunter24","signOnMode":"pin=Hunter25"}]"#;
    let assigned = r#"[{"id":"00ubrook000000000001","scope":"USER","syncState":"X","status":"password=Hunter26"}]"#;
    let roles = r#"[{"id":"r","type":"password=Hunter27","label":"R","status":"token=Hunter28","assignmentType":"USER"}]"#;
    let files: [(&str, &[u8]); 4] = [
        ("users.json", users.as_bytes()),
        ("apps.json", apps.as_bytes()),
        ("app-0oabrook000000000001.users.json", assigned.as_bytes()),
        ("user-00ubrook000000000001.roles.json", roles.as_bytes()),
    ];
    let draft = made(&files).unwrap();
    balanced(&draft);
    assert_eq!(rejects(&draft), []);
    assert!(!format!("{draft:?}").contains("Hunter2"));
    let attributes = draft.accounts[0].row.attributes.as_ref();
    assert_eq!(attribute(attributes, "status"), Value::from("password=[masked]"));
    assert_eq!(attribute(attributes, "provider"), Value::from("token=[masked]"));
    assert_eq!(attribute(draft.resources[0].row.attributes.as_ref(), "sign_on_mode"), Value::from("pin=[masked]"));
    let conditions: Vec<_> = draft.grants.iter().filter_map(|g| g.row.condition.as_deref()).collect();
    assert_eq!(conditions, [r#"{"status":"password=[masked]"}"#, r#"{"status":"token=[masked]"}"#]);
}

#[test]
fn hostile_names_stay_what_they_are() {
    let draft = read(&["bad/users.hostile.json"]);
    assert_eq!(account(&draft, 10).login.as_deref(), Some("<script>alert(1)</script>\u{202e}\0=cmd()"));
    to_batch(&draft.accounts.iter().map(|r| r.row.clone()).collect::<Vec<_>>()).unwrap();
    assert_eq!(AccountRow::TABLE.name, "accounts");
}

#[test]
fn options_are_refused() {
    let context = Context { options: "mapping = 1".parse().unwrap(), ..Context::default() };
    assert!(matches!(OKTA.read(&[], &context), Err(ConnectorError::Options { .. })));
}

proptest! {
    /// Whatever a file holds, it is read, rejected or refused by name; nothing panics and every record is counted.
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(prop::sample::select(b"[]{},:\"\\ \n1atrue\xff\xc3".to_vec()), 0..60)) {
        if let Ok(draft) = made(&[("users.json", &bytes)]) {
            balanced(&draft);
        }
    }

    /// A record of the fixtures with any piece cut out or replaced is read or rejected.
    #[test]
    fn no_edit_panics(at in 0usize..4000, length in 0usize..40, with in "[\\[\\]{},:\"0-9a-z]{0,6}") {
        let mut bytes = std::fs::read(Path::new(FIXTURES).join("ok/users.2.ndjson")).unwrap();
        let start = at.min(bytes.len());
        let end = (start + length).min(bytes.len());
        bytes.splice(start..end, with.bytes());
        if let Ok(draft) = made(&[("users.json", &bytes)]) {
            balanced(&draft);
        }
    }
}
