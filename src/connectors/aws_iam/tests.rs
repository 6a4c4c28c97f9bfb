//! Whole imports, from the fixtures and from files made here.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::connectors::Principal;
use crate::model::{AccountKind, CredentialKind, Effect, Level, MembershipKind, MfaState, Row as _, UseState, to_batch};

mod organizations;
mod services_and_secrets;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/connectors/aws-iam");
const A: &str = "arn:aws:iam::111122223333:";

fn input(path: PathBuf) -> Input {
    let name = path.strip_prefix(FIXTURES).unwrap_or(&path).to_string_lossy().into_owned();
    Input::measure(name, path, Limits::default()).unwrap()
}

fn fixtures(names: &[&str]) -> Vec<Input> {
    names.iter().map(|name| input(Path::new(FIXTURES).join(name))).collect()
}

const ALL: &[&str] = &[
    "ok/credential-report.csv",
    "ok/gaad.page1of3.json",
    "ok/gaad.page2of3.json",
    "ok/gaad.page3of3.json",
    "ok/get-account-summary.json",
    "ok/last-used.AKIAEXAMPLEIDA000002.json",
    "ok/list-access-keys.ida.moreno.json",
    "ok/list-access-keys.svc-backup.json",
    "ok/list-virtual-mfa-devices.json",
];
const PAGES: &[&str] = &["ok/gaad.page1of3.json", "ok/gaad.page2of3.json", "ok/gaad.page3of3.json"];

fn read(names: &[&str]) -> Draft {
    AWS_IAM.read(&fixtures(names), &Context::default()).unwrap()
}

fn error(names: &[&str]) -> (&'static str, Option<u64>) {
    match AWS_IAM.read(&fixtures(names), &Context::default()) {
        Err(ConnectorError::File { error, .. }) => (error.code, error.at),
        other => panic!("{other:?}"),
    }
}

/// Reads files made on the spot: (name, bytes).
fn made(files: &[(&str, &[u8])]) -> Result<Draft, ConnectorError> {
    let dir = tempfile::tempdir().unwrap();
    let inputs = files.iter().map(|(name, bytes)| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        Input::measure((*name).to_owned(), path, Limits::default()).unwrap()
    });
    AWS_IAM.read(&inputs.collect::<Vec<_>>(), &Context::default())
}

fn balanced(draft: &Draft) {
    for ledger in &draft.files {
        assert_eq!(ledger.read, ledger.accepted + ledger.rejected, "{ledger:?}");
    }
    assert_eq!(draft.files.iter().map(|f| f.rejected).sum::<u64>(), draft.rejects.len() as u64);
    assert_eq!(draft.uncovered(), Vec::<&str>::new());
}

fn account<'d>(draft: &'d Draft, name: &str) -> &'d crate::model::AccountRow {
    &draft.accounts.iter().find(|a| a.row.native_id == format!("{A}{name}")).unwrap().row
}

fn group<'d>(draft: &'d Draft, name: &str) -> &'d crate::model::GroupRow {
    &draft.groups.iter().find(|g| g.row.native_id == format!("{A}{name}")).unwrap().row
}

fn entitlement<'d>(draft: &'d Draft, id: &str) -> &'d crate::model::EntitlementRow {
    &draft.entitlements.iter().find(|e| e.row.native_id == id).unwrap().row
}

fn credential<'d>(draft: &'d Draft, id: &str) -> &'d crate::model::CredentialRow {
    &draft.credentials.iter().find(|c| c.row.native_id == id).unwrap().row
}

fn text(time: Option<crate::model::Time>) -> Option<String> {
    time.map(|t| t.to_string())
}

#[test]
fn everything_of_one_account_lands() {
    let draft = read(ALL);
    balanced(&draft);
    assert!(draft.rejects.is_empty() && draft.files.iter().all(|f| f.short.is_empty()), "{:?} {:?}", draft.rejects, draft.files);
    assert_eq!(draft.files.iter().map(|f| f.read).collect::<Vec<_>>(), [5, 2, 6, 7, 1, 1, 2, 2, 2]);
    assert_eq!((draft.accounts.len(), draft.groups.len(), draft.entitlements.len()), (10, 7, 8));
    let covers = ["accounts", "credentials", "entitlements", "grants", "groups", "memberships", "statements"];
    assert_eq!(draft.covers.iter().copied().collect::<Vec<_>>(), covers);
    // Rows come in the order of their native ids, whatever the order of the files.
    let mut turned = ALL.to_vec();
    turned.reverse();
    let rows = |d: &Draft| to_batch(&d.accounts.iter().map(|a| a.row.clone()).collect::<Vec<_>>()).unwrap();
    assert_eq!(rows(&draft), rows(&read(&turned)));
}

#[test]
fn users_carry_what_their_tags_and_the_report_say() {
    let draft = read(ALL);
    let ida = account(&draft, "user/ida.moreno");
    assert_eq!(
        (ida.generation.as_deref(), ida.login.as_deref(), ida.kind),
        (Some("AIDAEXAMPLEIDAMORENO1"), Some("ida.moreno"), AccountKind::Unknown)
    );
    assert_eq!(
        (ida.employee_ref.as_deref(), ida.owner_ref.as_deref(), ida.email.as_deref()),
        (Some("00417"), Some("Ida Moreno"), Some("ida.moreno@example.com"))
    );
    // The newest of password and keys.
    assert_eq!(
        (ida.use_state, text(ida.last_used_at).as_deref(), ida.mfa_state),
        (UseState::Used, Some("2026-11-21T21:00:00Z"), MfaState::Yes)
    );
    let backup = account(&draft, "user/svc/svc-backup");
    assert_eq!((text(backup.created_at).as_deref(), backup.environment.as_deref()), (Some("2020-01-01T00:00:00.5Z"), Some("production")));
    assert_eq!(backup.attributes.as_deref(), Some(r#"{"path":"/svc/","team":"storage"}"#));
    // No credential at all: nothing to use. A virtual device counts against a report without one.
    let lena = account(&draft, "user/lena.fischer");
    assert_eq!(
        (text(lena.created_at).as_deref(), lena.use_state, lena.mfa_state),
        (Some("2024-07-01T00:00:00Z"), UseState::NotApplicable, MfaState::Yes)
    );
    assert!(draft.files[1].notes.contains_key("tag that is not on the allow-list, dropped"));
}

/// 11.9: the root user is the vendor's. 11.12: a role that was not used lately was not never used.
#[test]
fn the_root_user_and_roles() {
    let draft = read(ALL);
    let root = account(&draft, "root");
    assert_eq!((root.kind, root.use_state, root.mfa_state), (AccountKind::System, UseState::Used, MfaState::Yes));
    let runner = account(&draft, "role/app/runner");
    assert_eq!(
        (runner.kind, runner.use_state, runner.use_window_from, runner.mfa_state),
        (AccountKind::Role, UseState::NotInWindow, None, MfaState::NotApplicable)
    );
    assert_eq!(
        runner.attributes.as_deref(),
        Some(r#"{"instance_profiles":["runner"],"max_session_duration":7200,"path":"/app/","use_window_days":400}"#)
    );
    assert_eq!(text(account(&draft, "role/deployer").last_used_at).as_deref(), Some("2026-11-01T10:00:00Z"));
    assert_eq!(account(&draft, "role/vendor").use_state, UseState::Unknown);
    let support = "role/aws-service-role/support.amazonaws.com/AWSServiceRoleForSupport";
    assert_eq!((account(&draft, support).kind, group(&draft, support).vendor_managed), (AccountKind::System, true));
}

/// 11.7: an assumable role is an account and a group; who may assume it is recorded unexpanded, the dead by their id.
#[test]
fn trust_becomes_membership() {
    let draft = read(ALL);
    assert_eq!(group(&draft, "role/deployer").kind, "role");
    let members = |role: &str| -> Vec<(Principal, Option<String>)> {
        let of_role = draft.memberships.iter().filter(|m| m.group == format!("{A}{role}"));
        of_role.inspect(|m| assert_eq!(m.row.kind, MembershipKind::Assume)).map(|m| (m.member.clone(), m.row.condition.clone())).collect()
    };
    assert_eq!(
        members("role/deployer"),
        [
            (Principal::Either(format!("{A}role/app/runner")), None),
            (Principal::Either(format!("{A}user/ida.moreno")), None),
            (Principal::Deleted("AIDAEXAMPLEDELETED0001".into()), None),
            (Principal::Root(format!("{A}root")), Some(r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#.into())),
        ]
    );
    assert_eq!(
        members("role/vendor"),
        [
            (Principal::External("arn:aws:iam::444455556666:role/scanner".into()), None),
            (Principal::Root("arn:aws:iam::444455556666:root".into()), Some(r#"{"StringEquals":{"sts:ExternalId":"x-1"}}"#.into())),
        ]
    );
    assert_eq!(
        members("role/open"),
        [(Principal::Wildcard("*".into()), None), (Principal::Federated(format!("{A}saml-provider/idp")), None)]
    );
    // A Deny is recorded and decides nothing.
    assert!(group(&draft, "role/vendor").attributes.as_deref().unwrap().contains(r#"trust_deny"#));
    assert_eq!(draft.files[3].notes.get("Deny in a trust policy: recorded with the role, not decided"), Some(&1));
}

/// 11.7: an entitlement is what an administrator attaches; its statements are a detail.
#[test]
fn policies_become_entitlements_and_grants() {
    let draft = read(ALL);
    let deploy = entitlement(&draft, &format!("{A}policy/team/deploy"));
    assert_eq!(
        (deploy.level, deploy.risks.as_deref(), deploy.conditional),
        (Level::Write, Some("infrastructure-modification,privilege-escalation,resource-exposure"), false)
    );
    assert_eq!(draft.statements.iter().filter(|s| s.parent == deploy.native_id).count(), 2, "the default version's, not the first's");
    let glass = entitlement(&draft, &format!("{A}policy/break-glass"));
    assert_eq!((glass.level, glass.conditional), (Level::Admin, true));
    let look = entitlement(&draft, &format!("{A}group/readers#inline/look"));
    assert_eq!((look.level, look.kind.as_str()), (Level::Read, "inline-policy"));
    let odd = entitlement(&draft, &format!("{A}user/svc/svc-backup#inline/odd"));
    assert_eq!((odd.level, odd.attributes.as_deref()), (Level::Unknown, Some(r#"{"document":"unreadable"}"#)));
    assert_eq!(entitlement(&draft, &format!("{A}role/app/runner#inline/all-but-iam")).level, Level::Write);
    let mut grants: Vec<(&Principal, &str, Effect)> =
        draft.grants.iter().map(|g| (&g.holder, g.entitlement.rsplit('/').next().unwrap(), g.row.effect)).collect();
    grants.sort();
    let (user, group) = (|n: &str| Principal::Account(format!("{A}user/{n}")), |n: &str| Principal::Group(format!("{A}{n}")));
    let want = [
        (user("omar.haddad"), "boundary", Effect::Boundary),
        (user("omar.haddad"), "deploy", Effect::Allow),
        (user("svc/svc-backup"), "backup", Effect::Allow),
        (user("svc/svc-backup"), "odd", Effect::Allow),
        (group("group/platform-admins"), "break-glass", Effect::Allow),
        (group("group/readers"), "look", Effect::Allow),
        (group("role/app/runner"), "all-but-iam", Effect::Allow),
        (group("role/deployer"), "deploy", Effect::Allow),
    ];
    let mut want: Vec<(&Principal, &str, Effect)> = want.iter().map(|(p, e, f)| (p, *e, *f)).collect();
    want.sort();
    assert_eq!(grants, want);
    let direct = draft.memberships.iter().filter(|m| m.row.kind == MembershipKind::Direct);
    assert_eq!(direct.map(|m| m.group.rsplit('/').next().unwrap()).collect::<Vec<_>>(), ["platform-admins", "readers", "readers"]);
}

#[test]
fn credentials_of_report_and_listing_are_one() {
    let draft = read(ALL);
    let mut ids: Vec<String> = draft.credentials.iter().map(|c| c.row.native_id.replace(A, "")).collect();
    ids.sort();
    assert_eq!(
        ids,
        [
            "AKIAEXAMPLEBACKUP001",
            "AKIAEXAMPLEBACKUP002",
            "AKIAEXAMPLEIDA000001",
            "AKIAEXAMPLEIDA000002",
            "root#access_key_2",
            "root#cert_1",
            "root#password",
            "user/ida.moreno#password",
            "user/omar.haddad#access_key_1",
            "user/omar.haddad#access_key_2",
            "user/omar.haddad#password",
        ]
    );
    use crate::model::CredentialStatus::{Active, Inactive, Unknown};
    // Never used since it was made; used, by the answer whose file name holds the key; unused as far as AWS remembers.
    let one = credential(&draft, "AKIAEXAMPLEIDA000001");
    assert_eq!(
        (one.status, one.use_state, one.name.as_deref(), text(one.rotated_at).as_deref()),
        (Active, UseState::Never, Some("access_key_1"), Some("2025-05-05T05:05:05Z"))
    );
    let two = credential(&draft, "AKIAEXAMPLEIDA000002");
    assert_eq!(
        (two.use_state, two.name.as_deref(), text(two.last_used_at).as_deref()),
        (UseState::Used, None, Some("2026-11-21T21:00:00Z"))
    );
    let old = credential(&draft, &format!("{A}user/omar.haddad#access_key_1"));
    assert_eq!((old.use_state, text(old.use_window_from).as_deref()), (UseState::NotInWindow, Some("2015-04-22T00:00:00Z")));
    // `active=false` with a date is an inactive key.
    let inactive = credential(&draft, &format!("{A}user/omar.haddad#access_key_2"));
    assert_eq!((inactive.status, inactive.use_state), (Inactive, UseState::Used));
    let password = credential(&draft, &format!("{A}user/omar.haddad#password"));
    assert_eq!(
        (password.kind, password.use_state, text(password.use_window_from).as_deref()),
        (CredentialKind::Password, UseState::NotInWindow, Some("2018-05-23T21:08:00Z"))
    );
    // `not_supported` on the root user: it may have a password or none.
    assert_eq!(credential(&draft, &format!("{A}root#password")).status, Unknown);
    assert_eq!(
        (credential(&draft, &format!("{A}root#cert_1")).status, credential(&draft, &format!("{A}root#access_key_2")).status),
        (Active, Inactive)
    );
    // Made in the same second: matched by status; the report's first key was never used, its second was.
    let (first, second) = (credential(&draft, "AKIAEXAMPLEBACKUP001"), credential(&draft, "AKIAEXAMPLEBACKUP002"));
    assert_eq!(
        (first.name.as_deref(), first.use_state, second.name.as_deref(), second.status),
        (Some("access_key_1"), UseState::Never, Some("access_key_2"), Inactive)
    );
    assert!(draft.files[7].notes.keys().any(|n| n.starts_with("status of a key differs")));
}

/// 11.15: every file that gave a row a fact is an origin of it.
#[test]
fn facts_have_their_origins() {
    let draft = read(ALL);
    let of = |id: &str| {
        draft.facts.iter().filter(|(_, row, ..)| row == id).map(|(t, _, fact, o)| (t.name, *fact, o.file, o.number)).collect::<Vec<_>>()
    };
    assert_eq!(of(&format!("{A}user/lena.fischer")), [("accounts", "credential report", 0, 6), ("accounts", "mfa_state", 8, 1)]);
    assert_eq!(of("AKIAEXAMPLEIDA000001"), [("credentials", "credential report", 0, 3)]);
    assert_eq!(of("AKIAEXAMPLEIDA000002"), [("credentials", "last used", 5, 1)]);
}

/// 11.13: canaries planted in seeds, descriptions and tags are found nowhere.
#[test]
fn secrets_stay_out() {
    let bad = ["bad/records.json", "bad/not-utf8.json", "bad/ragged.csv"];
    let whole = format!("{:?}{:?}", read(ALL), read(&bad));
    for canary in ["Canary", "Q0FOQVJZ", "green"] {
        assert!(!whole.contains(canary), "{canary}");
    }
    assert!(whole.contains("old queue reader, password: [masked]"));
    assert_eq!(read(ALL).files[8].notes.get("secret of an MFA device met and dropped"), Some(&1));
}

/// 11.4: a truncation marker or a missing page makes the import short.
#[test]
fn missing_pages_are_short() {
    let shorts = |names: &[&str]| read(names).files.iter().map(|f| f.short.len()).collect::<Vec<_>>();
    assert_eq!(shorts(PAGES), [0, 0, 0]);
    assert_eq!(shorts(&[PAGES[2], PAGES[0], PAGES[1]]), [0, 0, 0], "in any order");
    assert_eq!(shorts(&[PAGES[0], PAGES[2]]), [2, 0], "in the middle: by number and by the group that nobody holds");
    assert_eq!(shorts(&PAGES[..2]), [1, 2], "the last one: by number, by marker and by what is attached");
    assert!(!shorts(&[PAGES[1], PAGES[2]]).iter().all(|s| *s == 0), "the first one");
    let token = read(&["bad/next-token.json"]);
    assert!(token.files[0].short[0].contains("NextToken"));
    // Without numbers, what the pages refer to still tells.
    let page = |at: usize| std::fs::read(Path::new(FIXTURES).join(PAGES[at])).unwrap();
    let draft = made(&[("a.json", &page(0)), ("c.json", &page(2))]).unwrap();
    assert_eq!(draft.files[0].short, ["`platform-admins` is attached or used and on no page: a page is missing"]);
    // The same pages in one file, one after another or as a list.
    let joined = [page(0), page(1), page(2)].concat();
    let list = [b"[".to_vec(), page(0), b",".to_vec(), page(1), b",".to_vec(), page(2), b"]".to_vec()].concat();
    for bytes in [joined, list] {
        let draft = made(&[("all.json", &bytes)]).unwrap();
        assert_eq!((draft.files[0].read, draft.files[0].accepted, draft.files[0].short.len()), (15, 15, 0));
    }
}

#[test]
fn the_account_summary_is_a_control_total() {
    let summary = br#"{"SummaryMap": {"Users": 5, "Groups": 1, "Roles": 5, "Policies": 4}}"#;
    let gaad: Vec<Vec<u8>> = PAGES.iter().map(|p| std::fs::read(Path::new(FIXTURES).join(p)).unwrap()).collect();
    let draft = made(&[("gaad.json", &gaad.concat()), ("summary.json", summary)]).unwrap();
    assert_eq!(draft.files[0].short, ["`get-account-summary` counts 5 users, 4 arrived"]);
    assert!(draft.files[1].notes.contains_key("`get-account-summary` counts fewer groups than arrived"));
    let report = std::fs::read(Path::new(FIXTURES).join("ok/credential-report.csv")).unwrap();
    let draft = made(&[("report.csv", &report), ("summary.json", summary)]).unwrap();
    assert_eq!(draft.files[0].short, ["`get-account-summary` counts 5 users, 4 arrived"]);
}

#[test]
fn encodings_and_packings_of_one_export() {
    let pages: Vec<u8> = PAGES.iter().flat_map(|p| std::fs::read(Path::new(FIXTURES).join(p)).unwrap()).collect();
    let plain = String::from_utf8(pages.clone()).unwrap();
    let utf16: Vec<u8> = [0xFEFFu16].into_iter().chain(plain.replace('\n', "\r\n").encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packer, &pages).unwrap();
    let packed = packer.finish().unwrap();
    let want = made(&[("a", &pages)]).unwrap();
    for bytes in [utf16, [b"\xEF\xBB\xBF".to_vec(), pages].concat(), packed.clone()] {
        let draft = made(&[("a", &bytes)]).unwrap();
        assert_eq!(draft.accounts.iter().map(|a| &a.row).collect::<Vec<_>>(), want.accounts.iter().map(|a| &a.row).collect::<Vec<_>>());
    }
    assert!(
        matches!(made(&[("a.gz", &packed[..packed.len() / 2])]), Err(ConnectorError::File { error, .. }) if error.code == "input/unreadable")
    );
}

#[test]
fn the_report_in_its_wrappings() {
    let csv = std::fs::read(Path::new(FIXTURES).join("ok/credential-report.csv")).unwrap();
    let base64 = data_encoding::BASE64.encode(&csv);
    let json = |content: &str| {
        format!(
            r#"{{"Content": {}, "ReportFormat": "text/csv", "GeneratedTime": "2026-11-22T00:00:00+00:00"}}"#,
            serde_json::Value::from(content)
        )
    };
    let want = made(&[("a.csv", &csv)]).unwrap();
    assert_eq!(want.covers.iter().copied().collect::<Vec<_>>(), ["accounts", "credentials"]);
    for (text, stated) in [
        (base64.clone(), None),
        (json(&base64), Some("2026-11-22T00:00:00Z")),
        (json(&String::from_utf8(csv).unwrap()), Some("2026-11-22T00:00:00Z")),
    ] {
        let draft = made(&[("a", text.as_bytes())]).unwrap();
        assert_eq!(
            draft.credentials.iter().map(|c| &c.row).collect::<Vec<_>>(),
            want.credentials.iter().map(|c| &c.row).collect::<Vec<_>>()
        );
        assert_eq!((text_of(&draft), draft.files[0].read), (stated.map(str::to_owned), 5));
    }
    // 11.2: the time that the report states of itself.
    fn text_of(draft: &Draft) -> Option<String> {
        text(draft.files[0].stated_at)
    }
}

#[test]
fn a_report_in_progress_is_short_and_no_fault() {
    for name in ["bad/report-in-progress.json", "bad/report-in-progress-error.json"] {
        let alone = read(&[name]);
        assert_eq!((alone.files[0].shape, alone.files[0].short.len(), alone.covers.len()), (Some("credential report in progress"), 1, 0));
        let with = read(&[name, "ok/credential-report.csv"]);
        assert!(with.files[0].short.is_empty() && with.covers.contains("credentials"));
    }
}

#[test]
fn faults_of_whole_files_are_named() {
    assert_eq!(error(&["bad/truncated.json"]), ("aws-iam/truncated-json", Some(36)));
    assert_eq!(error(&["bad/nul.json"]), ("aws-iam/broken-json", Some(2)));
    assert_eq!(error(&["bad/empty.json"]), ("aws-iam/empty", None));
    assert_eq!(error(&["bad/broken-base64.json"]), ("aws-iam/broken-base64", None));
    assert_eq!(error(&["bad/missing-columns.csv"]).0, "aws-iam/unknown-shape");
    assert_eq!(error(&["bad/unknown-shape.json"]), ("aws-iam/unknown-shape", None));
    let deep = [br#"{"UserDetailList": ["#.to_vec(), vec![b'['; 100_000], vec![b']'; 100_000], b"]}".to_vec()].concat();
    assert!(matches!(made(&[("deep.json", &deep)]), Err(ConnectorError::File { error, .. }) if error.code == "aws-iam/too-deep"));
    let long = [b"user,arn,user_creation_time,x\n".to_vec(), vec![b'a'; 17 << 20]].concat();
    assert!(matches!(made(&[("long.csv", &long)]), Err(ConnectorError::File { error, .. }) if error.code == "input/line-too-long"));
    let option = Context { options: toml::toml! { region = "eu" }, ..Context::default() };
    assert!(matches!(AWS_IAM.read(&[], &option), Err(ConnectorError::Options { .. })));
}

#[test]
fn a_file_of_another_kind_is_rejected_beside_good_ones() {
    let draft = read(&["ok/credential-report.csv", "bad/unknown-shape.json"]);
    balanced(&draft);
    let reject = &draft.rejects[0];
    assert_eq!((reject.reason, reject.origin.file), ("aws-iam/unknown-shape", 1));
    assert!(reject.help.contains("get-account-authorization-details"));
}

#[test]
fn bad_records_are_rejected_one_by_one() {
    let reasons = |names: &[&str]| {
        let draft = read(names);
        balanced(&draft);
        draft.rejects.iter().map(|r| (r.origin.number, r.reason)).collect::<Vec<_>>()
    };
    assert_eq!(
        reasons(&["bad/records.json"]),
        [
            (2, "aws-iam/duplicate"),
            (3, "aws-iam/missing-field"),
            (4, "aws-iam/bad-record"),
            (5, "aws-iam/bad-time"),
            (6, "aws-iam/bad-arn"),
            (7, "aws-iam/bad-record"),
        ]
    );
    assert_eq!(reasons(&["bad/not-utf8.json"]), [(2, "aws-iam/not-text")]);
    assert_eq!(
        reasons(&["bad/ragged.csv"]),
        [(4, "aws-iam/duplicate"), (5, "aws-iam/bad-time"), (6, "aws-iam/bad-flag"), (7, "aws-iam/ragged-row")]
    );
    assert_eq!(read(&["bad/ragged.csv"]).files[0].short, ["the last row of the credential report is cut off"]);
    assert_eq!(reasons(&["bad/last-used-unnamed.json"]), [(1, "aws-iam/unnamed-key")]);
    let twice = reasons(&["ok/list-access-keys.ida.moreno.json", "ok/list-access-keys.ida.moreno.json"]);
    assert_eq!(twice, [(1, "aws-iam/duplicate"), (2, "aws-iam/duplicate")]);
}

#[test]
fn a_key_without_a_name_is_placed_where_it_can_only_be_one() {
    let answer = |user: &str, date: &str| {
        format!(r#"{{"UserName": "{user}", "AccessKeyLastUsed": {{{date}"ServiceName": "N/A", "Region": "N/A"}}}}"#)
    };
    let key = |user: &str, id: &str| {
        format!(
            r#"{{"AccessKeyMetadata": [{{"UserName": "{user}", "AccessKeyId": "{id}", "Status": "Active", "CreateDate": "2020-01-01T00:00:00Z"}}]}}"#
        )
    };
    let one =
        made(&[("k", key("a", "AKIA1").as_bytes()), ("u", answer("a", r#""LastUsedDate": "2021-01-01T00:00:00Z", "#).as_bytes())]).unwrap();
    assert_eq!(text(credential(&one, "AKIA1").last_used_at).as_deref(), Some("2021-01-01T00:00:00Z"));
    assert_eq!(one.credentials[0].holder, "a", "no other file names the user's ARN");
    let (k1, k2) = (key("a", "AKIA1"), key("a", "AKIA2"));
    // Two keys and two answers: both never, or it is not known which.
    let never =
        made(&[("1", k1.as_bytes()), ("2", k2.as_bytes()), ("u", answer("a", "").as_bytes()), ("v", answer("a", "").as_bytes())]).unwrap();
    assert!(never.rejects.is_empty() && never.credentials.iter().all(|c| c.row.use_state == UseState::Never));
    let mixed = made(&[
        ("1", k1.as_bytes()),
        ("2", k2.as_bytes()),
        ("u", answer("a", "").as_bytes()),
        ("v", answer("a", r#""LastUsedDate": 1600000000.5, "#).as_bytes()),
    ])
    .unwrap();
    assert_eq!(mixed.rejects.len(), 2);
    assert!(mixed.credentials.iter().all(|c| c.row.use_state == UseState::Unknown));
    balanced(&mixed);
    // A place in the report, where nothing lists keys.
    let report = format!(
        "user,arn,user_creation_time,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date\na,{A}user/a,2020-01-01T00:00:00Z,true,2020-01-01T00:00:00Z,N/A"
    );
    let placed =
        made(&[("r.csv", report.as_bytes()), ("u", answer("a", r#""LastUsedDate": "2021-01-01T00:00:00Z", "#).as_bytes())]).unwrap();
    assert_eq!(credential(&placed, &format!("{A}user/a#access_key_1")).use_state, UseState::Used);
    assert_eq!(account(&placed, "user/a").use_state, UseState::Used);
}

/// 11.4, 11.9: what is covered has its rows, and what no file tells is unknown, never absent.
#[test]
fn credentials_are_covered_where_a_file_lists_them() {
    let gaad = format!(r#"{{"UserDetailList": [{{"UserName": "a", "Arn": "{A}user/a"}}, {{"UserName": "b", "Arn": "{A}user/b"}}]}}"#);
    let used = br#"{"UserName": "a", "AccessKeyId": "AKIA1", "AccessKeyLastUsed": {"LastUsedDate": "2021-01-01T00:00:00Z"}}"#;
    let draft = made(&[("g", gaad.as_bytes()), ("u", used)]).unwrap();
    balanced(&draft);
    assert_eq!((draft.covers.contains("credentials"), draft.credentials.len(), draft.files[1].accepted), (false, 0, 1));
    assert!(draft.files[1].notes.keys().any(|n| n.contains("not kept")), "{:?}", draft.files[1].notes);
    // One user's keys say nothing of passwords, nor of the other user.
    let keys = br#"{"AccessKeyMetadata": [{"UserName": "a", "AccessKeyId": "AKIA1", "Status": "Inactive"}]}"#;
    let draft = made(&[("g", gaad.as_bytes()), ("k", keys), ("u", used)]).unwrap();
    let rows: Vec<String> = draft.credentials.iter().map(|c| format!("{} {}", c.row.native_id.replace(A, ""), c.row.status)).collect();
    assert_eq!(
        (draft.covers.contains("credentials"), rows.join(", ")),
        (true, "AKIA1 inactive, user/a#password unknown, user/b#password unknown".into())
    );
}

#[test]
fn what_the_export_only_names_is_kept_as_unknown() {
    let gaad = format!(
        r#"{{"UserDetailList": [{{"UserName": "a", "Arn": "{A}user/a", "GroupList": ["gone", "gone"], "AttachedManagedPolicies": [
            {{"PolicyName": "AdministratorAccess", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}},
            {{"PolicyName": "AdministratorAccess", "PolicyArn": "{A}policy/AdministratorAccess"}}]}}]}}"#
    );
    let draft = made(&[("g", gaad.as_bytes())]).unwrap();
    assert_eq!(entitlement(&draft, "arn:aws:iam::aws:policy/AdministratorAccess").level, Level::Admin);
    assert_eq!(
        entitlement(&draft, &format!("{A}policy/AdministratorAccess")).level,
        Level::Unknown,
        "a name alone says nothing of one's own policy"
    );
    let gone = group(&draft, "group/gone");
    assert_eq!((gone.level, gone.attributes.as_deref()), (Level::Unknown, Some(r#"{"not_in_export":true}"#)));
    assert_eq!((draft.memberships.len(), draft.files[0].short.len()), (1, 0));
}

/// Lists of one that PowerShell wrote without their brackets, at every level, are the same export.
#[test]
fn lists_of_one_may_stand_without_brackets() {
    let document = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}}"#;
    let gaad = |open: &str, close: &str| {
        let o = |inner: &str| format!("{open}{inner}{close}");
        let policy = o(&format!(r#"{{"PolicyName": "p", "PolicyDocument": {document}}}"#));
        let attached = o(&format!(r#"{{"PolicyName": "own", "PolicyArn": "{A}policy/own"}}"#));
        let version = o(&format!(r#"{{"VersionId": "v1", "IsDefaultVersion": true, "Document": {document}}}"#));
        let tags = o(r#"{"Key": "owner", "Value": "Ida"}"#);
        let user = o(&format!(
            r#"{{"UserName": "a", "Arn": "{A}user/a", "UserPolicyList": {policy}, "GroupList": {}, "AttachedManagedPolicies": {attached}, "Tags": {tags}}}"#,
            o("\"readers\"")
        ));
        let group = o(&format!(r#"{{"GroupName": "readers", "Arn": "{A}group/readers"}}"#));
        let own =
            o(&format!(r#"{{"PolicyName": "own", "Arn": "{A}policy/own", "DefaultVersionId": "v1", "PolicyVersionList": {version}}}"#));
        made(&[("g", format!(r#"{{"UserDetailList": {user}, "GroupDetailList": {group}, "Policies": {own}}}"#).as_bytes())]).unwrap()
    };
    let (listed, bare) = (gaad("[", "]"), gaad("", ""));
    let edges = |d: &Draft| {
        let members: Vec<_> = d.memberships.iter().map(|m| (m.member.clone(), m.group.clone())).collect();
        let grants: Vec<_> = d.grants.iter().map(|g| (g.holder.clone(), g.entitlement.clone())).collect();
        (members, grants, d.accounts.iter().map(|a| a.row.clone()).collect::<Vec<_>>(), d.statements.len(), d.rejects.len())
    };
    assert_eq!(edges(&bare), edges(&listed));
    let (members, grants, accounts, statements, rejects) = edges(&bare);
    assert_eq!(members, [(Principal::Account(format!("{A}user/a")), format!("{A}group/readers"))]);
    assert_eq!((grants.len(), accounts.len(), statements, rejects), (2, 1, 2, 0));
    assert_eq!(account(&bare, "user/a").owner_ref.as_deref(), Some("Ida"));
}

/// Both versions of the command line, a laptop's own offset, and the wire's numbers name one instant.
#[test]
fn instants_of_every_command_line_are_one() {
    for spelt in
        [r#""2019-10-17T00:00:00Z""#, r#""2019-10-17T00:00:00+00:00""#, r#""2019-10-16T18:00:00-06:00""#, "1571270400", "1571270400.0"]
    {
        let gaad = format!(
            r#"{{"UserDetailList": [], "RoleDetailList": [{{"RoleName": "r", "Arn": "{A}role/r", "CreateDate": {spelt}, "RoleLastUsed": {{"LastUsedDate": {spelt}, "Region": "eu-west-1"}}}},
                {{"RoleName": "s", "Arn": "{A}role/s", "CreateDate": {spelt}, "RoleLastUsed": {{}}}}]}}"#
        );
        let draft = made(&[("g", gaad.as_bytes())]).unwrap();
        let role = account(&draft, "role/r");
        let want = Some("2019-10-17T00:00:00Z".to_owned());
        assert_eq!((text(role.created_at), text(role.last_used_at), role.use_state), (want.clone(), want, UseState::Used));
        assert_eq!((account(&draft, "role/s").use_state, account(&draft, "role/s").last_used_at), (UseState::NotInWindow, None), "11.12");
    }
}

#[test]
fn huge_numbers_and_odd_policies_do_no_harm() {
    let document = |text: &str| {
        let gaad = format!(
            r#"{{"UserDetailList": [{{"UserName": "a", "Arn": "{A}user/a", "UserPolicyList": [{{"PolicyName": "p", "PolicyDocument": {text}}}], "Other": 1e99999}}]}}"#
        );
        let draft = made(&[("g", gaad.as_bytes())]).unwrap();
        balanced(&draft);
        (draft.files[0].accepted, entitlement(&draft, &format!("{A}user/a#inline/p")).level)
    };
    for odd in [
        "1e99999",
        "null",
        "[]",
        "\"\"",
        "\"%\"",
        "\"%7B%22Statement%22:[[[\"",
        "{\"Statement\": [{}]}",
        "{\"Version\": 99999999999999999999999999}",
    ] {
        assert_eq!(document(odd), (1, Level::Unknown), "{odd}");
    }
    // Documents made to be slow are not judged.
    let many = |count: usize| (0..count).map(|i| format!("\"*x{i}*\"")).collect::<Vec<_>>().join(",");
    let wide = format!(r#"{{"Statement": {{"Effect": "Allow", "Action": [{}], "Resource": "*"}}}}"#, many(10_001));
    assert_eq!(document(&wide), (1, Level::Unknown));
    let (allow, deny) = (many(400), many(300));
    let both = format!(
        r#"{{"Statement": [{{"Effect": "Allow", "Action": [{allow}], "Resource": "*"}}, {{"Effect": "Deny", "NotAction": [{deny}], "Resource": "*"}}]}}"#
    );
    assert_eq!(document(&both), (1, Level::Unknown));
}

/// Reads what may be anything; a result balances.
fn survives(files: &[(&str, &[u8])]) -> Result<(), TestCaseError> {
    if let Ok(draft) = made(files) {
        for ledger in &draft.files {
            prop_assert_eq!(ledger.read, ledger.accepted + ledger.rejected);
        }
        let rows: Vec<_> = draft.entitlements.iter().map(|e| e.row.clone()).collect();
        prop_assert!(to_batch(&rows).is_ok() && crate::model::EntitlementRow::TABLE.columns.len() > 5);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), head in prop::sample::select(vec!["", "{", "[", "user,arn,user_creation_time,\n", "dXNlcixhcm4s", "{\"Content\":\"", "\u{feff}{"])) {
        survives(&[("a", &[head.as_bytes(), &bytes].concat())])?;
    }

    #[test]
    fn mutated_exports_never_panic(which in 0..ALL.len(), edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..12)) {
        let mut bytes = std::fs::read(Path::new(FIXTURES).join(ALL[which])).unwrap();
        for (at, byte, kind) in edits {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, b"{}[]\",:0"[usize::from(byte % 8)]),
                2 => { bytes.remove(at); }
                _ => { let end = (at + usize::from(byte)).min(bytes.len()); let part = bytes[at..end].to_vec(); bytes.splice(at..at, part); }
            }
            prop_assume!(!bytes.is_empty());
        }
        survives(&[("a", &bytes), ("b", &std::fs::read(Path::new(FIXTURES).join(ALL[0])).unwrap())])?;
    }

    #[test]
    fn policies_of_any_text_never_panic(actions in proptest::collection::vec("[a-zA-Z:*?]{0,12}", 0..4), resource in "[a-z:*/]{0,16}", deny in "[a-z:*?]{0,8}", not in any::<bool>()) {
        let list = serde_json::Value::from(actions);
        let (action, other) = if not { ("NotAction", "NotResource") } else { ("Action", "Resource") };
        let text = format!(r#"{{"Statement": [{{"Effect": "Allow", "{action}": {list}, "{other}": "{resource}"}}, {{"Effect": "Deny", "{action}": "{deny}", "Resource": "*"}}]}}"#);
        let document = policy::Document::read(&text, policy::Kind::Identity).unwrap();
        let judged = policy::judge(&document);
        // A policy that can read nothing has no risk but a road that a wildcard opens.
        prop_assert!(judged.level != Level::None || judged.risks.is_empty(), "{text} {judged:?}");
    }
}

#[test]
fn files_of_two_accounts_are_no_one_import() {
    let details = |account: &str| {
        let user = format!(
            r#"{{"UserName":"a","UserId":"AIDAAAAAAAAAAAAAAAAAA","Path":"/","Arn":"arn:aws:iam::{account}:user/a","CreateDate":"2026-01-01T00:00:00Z","GroupList":[],"AttachedManagedPolicies":[]}}"#
        );
        format!(r#"{{"UserDetailList":[{user}],"GroupDetailList":[],"RoleDetailList":[],"Policies":[],"IsTruncated":false}}"#)
    };
    let report = |account: &str| {
        format!(
            "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active\n\
            a,arn:aws:iam::{account}:user/a,2026-01-01T00:00:00+00:00,false,N/A,N/A,N/A,false\n"
        )
    };
    let (ones, twos) = ("111122223333", "444455556666");
    assert!(made(&[("gaad.json", details(ones).as_bytes()), ("report.csv", report(ones).as_bytes())]).is_ok());
    for (name, other) in [("report.csv", report(twos)), ("second.json", details(twos))] {
        match made(&[("gaad.json", details(ones).as_bytes()), (name, other.as_bytes())]) {
            Err(ConnectorError::File { file, error }) => {
                assert_eq!((file.as_str(), error.code), (name, "aws-iam/two-accounts"));
                assert_eq!(error.message, format!("is of AWS account `{twos}`, and files before it are of `{ones}`"));
                assert!(error.help.contains("aws-{account}"), "{}", error.help);
            }
            other => panic!("{other:?}"),
        }
    }
}
