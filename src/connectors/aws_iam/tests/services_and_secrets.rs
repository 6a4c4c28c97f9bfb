//! Service last accessed details, and the secrets of Secrets Manager.

use super::*;
use crate::model::CredentialStatus;

/// Files beside those of [`ALL`].
const MORE: &[&str] = &[
    "ok/last-accessed.AGPAEXAMPLEREADERS001.json",
    "ok/last-accessed.AIDAEXAMPLEOMARHADD1.json",
    "ok/last-accessed.ANPAEXAMPLEBREAKGL001.json",
    "ok/last-accessed.AROAEXAMPLEDEPLOYER01.1.json",
    "ok/last-accessed.AROAEXAMPLEDEPLOYER01.2.json",
    "ok/last-accessed.runner.json",
    "ok/list-secrets.eu-central-1.json",
    "ok/list-secrets.us-east-1.json",
];
const SECRETS: &str = "arn:aws:secretsmanager:";

fn all() -> Draft {
    read(&[ALL, MORE].concat())
}

/// Holder, entitlement, state and instant of every grant whose use is known.
fn uses(draft: &Draft) -> Vec<String> {
    let holder = |g: &crate::connectors::DraftGrant| match &g.holder {
        Principal::Account(arn) | Principal::Group(arn) => arn.replace(A, ""),
        other => format!("{other:?}"),
    };
    let known = draft.grants.iter().filter(|g| g.row.use_state != UseState::Unknown);
    let mut shown: Vec<String> = known
        .map(|g| {
            let at = text(g.row.last_used_at).unwrap_or_default();
            format!("{} {} {} {at}", holder(g), g.entitlement.rsplit('/').next().unwrap(), g.row.use_state).trim_end().to_owned()
        })
        .collect();
    shown.sort();
    shown
}

fn attributes(row: &Option<String>) -> serde_json::Value {
    serde_json::from_str(row.as_deref().unwrap()).unwrap()
}

/// 11.12: nothing tried in the window is *not in window*, and never *never*.
#[test]
fn services_tell_of_the_use_of_grants() {
    let draft = all();
    balanced(&draft);
    assert!(draft.rejects.is_empty() && draft.files.iter().all(|f| f.short.is_empty()), "{:?} {:?}", draft.rejects, draft.files);
    assert_eq!(
        uses(&draft),
        [
            "group/platform-admins break-glass not_in_window",
            "group/readers look used 2026-11-10T08:30:00Z",
            "role/app/runner all-but-iam not_in_window",
            "role/deployer deploy used 2026-11-20T09:58:00Z",
            "user/omar.haddad deploy used 2026-11-12T10:00:00Z",
        ]
    );
    let omar = account(&draft, "user/omar.haddad");
    assert_eq!(
        attributes(&omar.attributes),
        serde_json::json!({
            "path": "/", "permissions_boundary": format!("{A}policy/boundary"), "services_not_used": 2,
            "services_used": {"ec2": "2026-11-10T08:30:00Z", "lambda": "2026-11-12T10:00:00Z"},
            "actions_used": {"lambda:CreateFunction": "2026-05-02T07:15:00Z"}, "services_tracked_from": "2025-10-18T00:04:11.192Z",
        })
    );
    assert_eq!(attributes(&group(&draft, "group/readers").attributes)["services_used"]["ec2"], "2026-11-10T08:30:00Z");
    assert_eq!(attributes(&entitlement(&draft, &format!("{A}policy/break-glass")).attributes)["services_not_used"], 2);
    // 11.2: the end of the newest job is the files' own time.
    assert_eq!(text(draft.files[ALL.len()].stated_at).as_deref(), Some("2026-11-22T00:04:11.192Z"));
    // 11.15: each file is an origin of what it told.
    let facts: Vec<_> = draft.facts.iter().filter(|(_, id, ..)| *id == format!("{A}role/deployer")).map(|f| (f.2, f.3.file)).collect();
    assert_eq!(facts, [("service last accessed", 12), ("service last accessed", 13)]);
}

/// An attempt is a sign of use of the account; that there was none is no sign of anything.
#[test]
fn services_tell_of_the_use_of_accounts() {
    let draft = all();
    let last = |name: &str| (account(&draft, name).use_state, text(account(&draft, name).last_used_at));
    let used = |at: &str| (UseState::Used, Some(at.to_owned()));
    assert_eq!(last("user/omar.haddad"), used("2026-11-12T10:00:00Z"));
    assert_eq!(last("role/deployer"), used("2026-11-20T09:58:00Z"));
    assert_eq!(last("role/app/runner"), (UseState::NotInWindow, None));
    assert_eq!(last("user/ida.moreno"), used("2026-11-21T21:00:00Z"), "an older attempt changes nothing");
}

/// Two users in one group, and what each of them could have come under.
fn world(services: &str, policies: [&str; 3], more: &str) -> Draft {
    let statement = |actions: &str| format!(r#"{{"Statement": [{{"Effect": "Allow", "Action": {actions}, "Resource": "*"}}]}}"#);
    let [own, second, shared] = policies.map(statement);
    let gaad = format!(
        r#"{{"UserDetailList": [
            {{"UserName": "a", "UserId": "AIDAAAAAAAAAAAAAAAAA1", "Arn": "{A}user/a", "GroupList": ["g"], "UserPolicyList": [
                {{"PolicyName": "own", "PolicyDocument": {own}}}, {{"PolicyName": "second", "PolicyDocument": {second}}}]}},
            {{"UserName": "b", "UserId": "AIDAAAAAAAAAAAAAAAAA2", "Arn": "{A}user/b", "GroupList": ["g"]}}],
            "GroupDetailList": [{{"GroupName": "g", "GroupId": "AGPAAAAAAAAAAAAAAAAA1", "Arn": "{A}group/g", "GroupPolicyList": [
                {{"PolicyName": "shared", "PolicyDocument": {shared}}}]}}]}}"#
    );
    let job = format!(
        r#"{{"JobStatus": "COMPLETED", "JobCreationDate": "2026-11-22T00:00:00Z", "JobCompletionDate": "2026-11-22T00:00:01Z",
            "ServicesLastAccessed": [{services}], "IsTruncated": false, {more}}}"#
    );
    made(&[("gaad.json", gaad.as_bytes()), ("job.json", job.as_bytes())]).unwrap()
}

const SQS: &str = r#"{"ServiceName": "Amazon SQS", "ServiceNamespace": "sqs", "LastAuthenticated": "2026-11-01T00:00:00Z", "TotalAuthenticatedEntities": 1}"#;
const S3: &str = r#"{"ServiceName": "Amazon S3", "ServiceNamespace": "s3", "TotalAuthenticatedEntities": 0}"#;

#[test]
fn a_grant_is_used_only_where_no_other_could_have_been_meant() {
    let about = |who: &str| format!(r#""Arn": "{A}{who}""#);
    let both = format!("{SQS},{S3}");
    let seen = |policies: [&str; 3], who: &str| uses(&world(&both, policies, &about(who)));
    // One policy for each service.
    assert_eq!(
        seen([r#""sqs:*""#, r#""s3:*""#, r#""ec2:*""#], "user/a"),
        ["user/a own used 2026-11-01T00:00:00Z", "user/a second not_in_window"]
    );
    // Two that permit what was tried: which of them is not known, whoever holds the second.
    assert_eq!(seen([r#""sqs:*""#, r#""*""#, r#""ec2:*""#], "user/a"), Vec::<String>::new());
    assert_eq!(seen([r#""sqs:Send*""#, r#""s3:*""#, r#"["ec2:*", "sqs:*"]"#], "user/a"), ["user/a second not_in_window"]);
    // A group's own: a member's other policies count, too.
    assert_eq!(seen([r#""ec2:*""#, r#""ec2:*""#, r#""sqs:*""#], "group/g"), ["group/g shared used 2026-11-01T00:00:00Z"]);
    assert_eq!(seen([r#""sqs:*""#, r#""ec2:*""#, r#""sqs:*""#], "group/g"), Vec::<String>::new());
    // A service that the answer does not list is not one that nobody tried.
    assert_eq!(seen([r#"["s3:*", "kms:*"]"#, r#""s3:*""#, r#""ec2:*""#], "user/a"), ["user/a second not_in_window"]);
    // A policy that could not be read may be the one.
    let odd = r#"["sqs:*"], "NotAction": "s3:*""#;
    assert_eq!(seen([r#""sqs:*""#, odd, r#""ec2:*""#], "user/a"), Vec::<String>::new());
}

#[test]
fn unfinished_and_unnamed_answers_say_nothing() {
    let policies = [r#""sqs:*""#, r#""s3:*""#, r#""ec2:*""#];
    let cut = world(SQS, policies, &format!(r#""Arn": "{A}user/a", "Marker": "x", "NextToken": "x""#));
    assert_eq!(cut.files[1].short, [format!("the services of `{A}user/a` go on: `IsTruncated`")]);
    assert_eq!(uses(&cut), ["user/a own used 2026-11-01T00:00:00Z"], "what was tried stays true");
    // A page from the midst may be missing, which a policy that names no services cannot tell.
    let everything = [r#""*""#, r#""s3:*""#, r#""ec2:*""#];
    let page =
        format!(r#"{{"JobStatus": "COMPLETED", "Arn": "{A}user/a", "ServicesLastAccessed": [{S3}], "IsTruncated": true, "Marker": "x"}}"#);
    let gaad = world(S3, everything, &format!(r#""Arn": "{A}user/a""#));
    assert_eq!(uses(&gaad), ["user/a own not_in_window", "user/a second not_in_window"]);
    let paged = world(S3, everything, &format!(r#""Arn": "{A}user/a"}} {page} {{"SummaryMap": {{}}"#));
    assert_eq!((uses(&paged), paged.files[1].short.len()), (vec!["user/a second not_in_window".to_owned()], 0));
    let odd = world(&S3.replace("\"s3\"", "\"s 3\""), everything, &format!(r#""Arn": "{A}user/a""#));
    assert_eq!(odd.rejects[0].message, "`ServiceNamespace` is none of AWS's names");
    let reasons = |name: &str| {
        let draft = read(&["ok/gaad.page1of3.json", name]);
        balanced(&draft);
        (draft.rejects.iter().map(|r| r.reason).collect::<Vec<_>>(), draft.files[1].short.clone(), uses(&draft).len())
    };
    assert_eq!(reasons("bad/last-accessed-unnamed.json"), (vec!["aws-iam/unnamed-principal"], vec![], 0));
    assert_eq!(reasons("bad/last-accessed.AIDAEXAMPLEIDAMORENO1.json"), (vec!["aws-iam/other-principal"], vec![], 0));
    assert_eq!(reasons("bad/last-accessed-with-entities.json"), (vec!["aws-iam/unknown-shape"], vec![], 0));
    assert_eq!(reasons("bad/last-accessed-bad-time.json"), (vec!["aws-iam/bad-time"], vec![], 0));
    let making = "service last accessed details were still being made: run `aws iam get-service-last-accessed-details` again";
    assert_eq!(reasons("bad/last-accessed-in-progress.json"), (vec![], vec![making.to_owned()], 0));
    let failed = "the job behind service last accessed details failed: generate it again";
    assert_eq!(reasons("bad/last-accessed-failed.json"), (vec![], vec![failed.to_owned()], 0));
    // A second answer of the same user is the result.
    let job = format!(r#"{{"JobStatus": "COMPLETED", "Arn": "{A}user/ida.moreno", "ServicesLastAccessed": [{S3}]}}"#);
    let gaad = std::fs::read(Path::new(FIXTURES).join("ok/gaad.page1of3.json")).unwrap();
    let pending = std::fs::read(Path::new(FIXTURES).join("bad/last-accessed-in-progress.json")).unwrap();
    let draft = made(&[("a", &gaad), ("b", &pending), ("c", job.as_bytes())]).unwrap();
    assert!(draft.files[1].short.is_empty() && draft.files[1].notes.contains_key("job without a result; another file holds it"));
    // Somebody whom no other file holds.
    let stray = world(SQS, policies, &format!(r#""Arn": "{A}user/gone""#));
    assert_eq!((stray.files[1].accepted, stray.files[1].notes.len(), uses(&stray).len()), (1, 1, 0));
    // 11.4: of another AWS account.
    let other = job.replace("111122223333", "444455556666");
    assert!(
        matches!(made(&[("a", &gaad), ("c", other.as_bytes())]), Err(ConnectorError::File { error, .. }) if error.code == "aws-iam/two-accounts")
    );
}

fn resource<'d>(draft: &'d Draft, id: &str) -> &'d crate::model::ResourceRow {
    &draft.resources.iter().find(|r| r.row.native_id == format!("{SECRETS}{id}")).unwrap().row
}

#[test]
fn secrets_are_resources_with_a_life_cycle() {
    let draft = all();
    assert_eq!((draft.resources.len(), draft.covers.contains("resources")), (3, true));
    let ledger = resource(&draft, "eu-central-1:111122223333:secret:prod/payments/db-a1B2c3");
    assert_eq!(
        (ledger.kind.as_str(), ledger.name.as_deref(), ledger.owner_ref.as_deref(), ledger.environment.as_deref()),
        ("secret", Some("prod/payments/db"), Some("Lena Fischer"), Some("production"))
    );
    assert_eq!(
        attributes(&ledger.attributes),
        serde_json::json!({
            "description": "payments database, password: [masked]", "last_accessed_date": "2026-11-21",
            "kms_key_id": "arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555",
            "last_changed_date": "2026-11-01T03:00:00.566Z", "rotation_days": 30, "rotation_enabled": true, "team": "payments",
        })
    );
    let life = |id: &str| {
        let row = credential(&draft, &format!("{SECRETS}{id}"));
        assert_eq!((row.kind, row.expires_at), (CredentialKind::VaultSecret, None));
        (row.status, text(row.created_at).unwrap(), text(row.rotated_at), row.use_state, text(row.last_used_at))
    };
    assert_eq!(
        life("eu-central-1:111122223333:secret:prod/payments/db-a1B2c3"),
        (
            CredentialStatus::Active,
            "2023-02-02T21:20:45.577Z".into(),
            Some("2026-11-01T03:00:00.557Z".into()),
            UseState::Used,
            Some("2026-11-21T00:00:00Z".into())
        )
    );
    assert_eq!(
        life("eu-central-1:111122223333:secret:rds!db-5f0c-Zz9yX8"),
        (CredentialStatus::Deleted, "2025-09-29T10:05:45Z".into(), None, UseState::Used, Some("2025-09-29T00:00:00Z".into()))
    );
    // Seconds since 1970, as version 1 of the command line writes them; a secret that nobody ever fetched.
    assert_eq!(
        life("us-east-1:111122223333:secret:legacy/ftp-Q1w2E3"),
        (CredentialStatus::Active, "2018-09-30T09:30:00.25Z".into(), None, UseState::Never, None)
    );
    let holders: Vec<&str> =
        draft.credentials.iter().filter(|c| c.row.kind == CredentialKind::VaultSecret).map(|c| c.holder.as_str()).collect();
    assert!(holders.iter().all(|h| h.starts_with(SECRETS)), "{holders:?}");
}

/// 11.9: a list of secrets lists no user's credentials; it must not say that a user has none.
#[test]
fn secrets_do_not_cover_the_credentials_of_users() {
    let list = MORE[6];
    let with_users = read(&[PAGES[0], PAGES[1], PAGES[2], list]);
    balanced(&with_users);
    assert_eq!((with_users.resources.len(), with_users.credentials.len(), with_users.covers.contains("credentials")), (2, 0, false));
    assert!(with_users.files[3].notes.keys().any(|n| n.starts_with("secret kept as a resource only")));
    let alone = read(&[list]);
    assert_eq!((alone.credentials.len(), alone.covers.iter().copied().collect::<Vec<_>>()), (2, vec!["credentials", "resources"]));
    let none = made(&[("none.json", br#"{"SecretList": []}"#)]).unwrap();
    assert_eq!((none.resources.len(), none.covers.contains("resources")), (0, true));
}

/// 11.13: the value of a secret is refused unread.
#[test]
fn values_of_secrets_are_refused() {
    for name in ["bad/get-secret-value.json", "bad/batch-get-secret-value.json"] {
        let draft = read(&[PAGES[2], name]);
        balanced(&draft);
        let reject = &draft.rejects[0];
        assert_eq!((reject.reason, reject.origin.file, reject.excerpt.as_ref()), ("aws-iam/secret-value", 1, None));
        assert!(reject.help.contains("rotate") && draft.resources.is_empty() && draft.credentials.is_empty());
        assert_eq!(error(&[name]).0, "aws-iam/secret-value", "alone");
    }
    let bad = read(&["bad/list-secrets.json"]);
    balanced(&bad);
    let reasons: Vec<_> = bad.rejects.iter().map(|r| (r.origin.number, r.reason)).collect();
    assert_eq!(reasons, [(2, "aws-iam/duplicate"), (3, "aws-iam/missing-field"), (4, "aws-iam/bad-arn"), (5, "aws-iam/bad-time")]);
    assert_eq!(bad.files[0].notes.get("value of a secret met and dropped"), Some(&1));
    assert_eq!(bad.files[0].short, ["the list of secrets goes on: `IsTruncated` or `NextToken`"]);
    let values = read(&[PAGES[2], "bad/get-secret-value.json", "bad/batch-get-secret-value.json"]);
    let whole = format!("{:?}{bad:?}{values:?}", all());
    for canary in ["Canary", "Q0FOQVJZ"] {
        assert!(!whole.contains(canary), "{canary}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_services_and_secrets_never_panic(which in 0..MORE.len(), edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..12)) {
        let mut bytes = std::fs::read(Path::new(FIXTURES).join(MORE[which])).unwrap();
        for (at, byte, kind) in edits {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, b"{}[]\",:0"[usize::from(byte % 8)]),
                _ => { bytes.remove(at); }
            }
        }
        survives(&[("a", &bytes), ("b", &std::fs::read(Path::new(FIXTURES).join(PAGES[2])).unwrap())])?;
    }
}
