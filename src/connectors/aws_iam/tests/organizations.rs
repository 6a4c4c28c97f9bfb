//! Service control policies, and the levels to which they are attached.

use super::*;

/// Files of the organisation.
const FILES: &[&str] = &[
    "ok/describe-organization.json",
    "ok/describe-policy.p-FullAWSAccess.json",
    "ok/describe-policy.stay-inside.json",
    "ok/describe-policy.unit-guard.json",
    "ok/list-parents.account.json",
    "ok/list-parents.ou-ab12-11111111.json",
    "ok/list-policies-for-target.account.json",
    "ok/list-policies-for-target.unit.json",
    "ok/list-policies-for-target.r-ab12.json",
];
const FULL: &str = "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess";
const UNIT_GUARD: &str = "arn:aws:organizations::999900001111:policy/o-example1234/service_control_policy/p-example0unit";
const STAY: &str = "arn:aws:organizations::999900001111:policy/o-example1234/service_control_policy/p-example0stay";
const OU: &str = "ou-ab12-11111111";

fn attributes(row: &crate::model::EntitlementRow) -> serde_json::Value {
    serde_json::from_str(row.attributes.as_deref().unwrap()).unwrap()
}

/// The account, and the organisation's files but those that `without` names, with others.
fn with(without: &[&str], more: &[&str]) -> Draft {
    let kept = FILES.iter().copied().filter(|f| !without.iter().any(|w| f.contains(w)));
    let draft = read(&PAGES.iter().copied().chain(kept).chain(more.iter().copied()).collect::<Vec<_>>());
    balanced(&draft);
    draft
}

/// Native id, level and attributes of what is kept of service control policies.
fn controls(draft: &Draft) -> Vec<(String, Level, serde_json::Value)> {
    let rows = draft.entitlements.iter().map(|e| &e.row).filter(|e| e.kind == "service-control-policy");
    rows.map(|e| (e.native_id.rsplit('/').next().unwrap().to_owned(), e.level, attributes(e))).collect()
}

fn notes(draft: &Draft) -> Vec<&str> {
    draft.files.iter().flat_map(|f| f.notes.keys()).map(String::as_str).collect()
}

/// 11.7: they are entitlements that nobody holds.
#[test]
fn service_control_policies_are_kept_with_their_levels_and_give_nothing() {
    let draft = with(&[], &[]);
    assert!(draft.rejects.is_empty() && draft.files.iter().all(|f| f.short.is_empty()), "{:?}", draft.rejects);
    assert_eq!(draft.files[PAGES.len()..].iter().map(|f| f.read).collect::<Vec<_>>(), [1, 1, 1, 1, 1, 1, 1, 2, 2]);
    let full = entitlement(&draft, FULL);
    assert_eq!((full.level, full.risks.as_deref(), full.vendor_managed), (Level::None, None, true));
    assert_eq!(attributes(full)["attached_to"], serde_json::json!(["111122223333", OU, "r-ab12"]));
    let stay = entitlement(&draft, STAY);
    assert_eq!((stay.name.as_deref(), attributes(stay)["attached_to"].clone()), (Some("stay-inside"), serde_json::json!(["r-ab12"])));
    assert_eq!(attributes(stay)["description"], "Nobody leaves; password: [masked]");
    let guard = entitlement(&draft, UNIT_GUARD);
    assert_eq!((guard.level, attributes(guard)["attached_to"].clone()), (Level::None, serde_json::json!([OU])));
    let rows: Vec<_> = draft.statements.iter().filter(|s| s.parent == UNIT_GUARD).map(|s| &s.row).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].effect, rows[0].actions.as_deref()), (Effect::Deny, Some(r#"["iam:CreateAccessKey","iam:CreateUser"]"#)));
    assert_eq!(rows[0].condition.as_deref(), Some(r#"{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/org-admin"}}"#));
    assert!(draft.statements.iter().filter(|s| s.parent == FULL).all(|s| s.row.level == Level::None && s.row.risks.is_none()));
    // Nothing else changes.
    let plain = read(PAGES);
    let grants = |d: &Draft| d.grants.iter().map(|g| (g.holder.clone(), g.entitlement.clone())).collect::<Vec<_>>();
    assert_eq!((grants(&draft), draft.accounts.len(), draft.resources.len()), (grants(&plain), plain.accounts.len(), 0));
    assert_eq!(draft.entitlements.len(), plain.entitlements.len() + 3);
    // 11.15: a list is an origin of where a policy is attached.
    let facts = draft.facts.iter().filter(|(_, id, ..)| id == UNIT_GUARD).map(|f| (f.2, f.3.file as usize)).collect::<Vec<_>>();
    assert_eq!(facts, [("attachment", PAGES.len() + 7)]);
    assert!(!format!("{draft:?}").contains("Canary"));
}

#[test]
fn what_the_export_lacks_of_a_level_is_unknown() {
    let unseen = |level: &str| {
        let attributes = serde_json::json!({ "attached_to": [level], "document": "not in the export" });
        (format!("{level}#service-control-policies"), Level::Unknown, attributes)
    };
    // No list of the unit's policies.
    assert!(controls(&with(&["target.unit"], &[])).contains(&unseen(OU)));
    // The unit's parent is not told.
    let cut = with(&["list-parents.ou-"], &[]);
    assert!(controls(&cut).contains(&unseen("above ou-ab12-11111111")));
    assert!(notes(&cut).contains(&"policies attached to a level that is not known to be above this account, not kept"));
    assert_eq!(attributes(entitlement(&cut, FULL))["attached_to"], serde_json::json!(["111122223333", OU]));
    // The list goes on.
    let more = with(&["target.unit"], &["bad/list-policies-for-target-more.json"]);
    assert!(controls(&more).contains(&unseen(OU)));
    assert_eq!(more.files.last().unwrap().short, ["the policies attached to `ou-ab12-11111111` go on: `NextToken`"]);
    // A level without any, where others have some, is not believed.
    assert!(controls(&with(&["target.unit"], &["bad/list-policies-for-target-empty.json"])).contains(&unseen(OU)));
    // Files of another account only.
    let other = with(&["list-"], &["bad/list-policies-for-target-other-account.json"]);
    assert!(controls(&other).contains(&unseen("111122223333")) && controls(&other).contains(&unseen("above 111122223333")));
    assert!(notes(&other).contains(&"policies attached to another account, not kept"));
    assert!(attributes(entitlement(&other, UNIT_GUARD)).get("attached_to").is_none());
    // A policy that is attached and not described. What AWS's own allows is known.
    let unknown = with(&["target.unit", "p-FullAWSAccess"], &["bad/list-policies-for-target-unknown.json"]);
    let gone = entitlement(&unknown, &UNIT_GUARD.replace("unit", "gone"));
    assert_eq!((gone.level, attributes(gone)["document"].as_str()), (Level::Unknown, Some("not in the export")));
    assert_eq!(entitlement(&unknown, FULL).level, Level::None);
    assert!(notes(&unknown).contains(&"attached service control policy whose document is not in the export"));
    // Text that cannot be read.
    for (name, trouble, statements) in [("unreadable", "unreadable", 0), ("partly", "partly unreadable", 1)] {
        let odd = with(&["policy.unit-guard"], &[&format!("bad/describe-policy-{name}.json")]);
        let guard = entitlement(&odd, UNIT_GUARD);
        assert_eq!((guard.level, attributes(guard)["document"].as_str()), (Level::Unknown, Some(trouble)));
        assert_eq!(odd.statements.iter().filter(|s| s.parent == UNIT_GUARD).count(), statements);
    }
}

#[test]
fn no_policy_on_any_level_means_that_they_are_not_enabled() {
    let lists = ["111122223333", OU, "r-ab12"].map(|id| (id, format!(r#"{{"Policies": [], "TargetId": "{id}"}}"#)));
    let gaad = std::fs::read(Path::new(FIXTURES).join(PAGES[0])).unwrap();
    let files: Vec<(&str, &[u8])> =
        std::iter::once(("gaad", gaad.as_slice())).chain(lists.iter().map(|(n, t)| (*n, t.as_bytes()))).collect();
    let draft = made(&files).unwrap();
    balanced(&draft);
    assert_eq!(controls(&draft), []);
    assert!(notes(&draft).contains(&"no service control policy on any level of the account: they are not enabled"));
    assert_eq!(draft.files[1].accepted, 1);
}

#[test]
fn the_management_account_is_not_bound() {
    let mine = |name: &str| std::fs::read_to_string(Path::new(FIXTURES).join(name)).unwrap().replace("999900001111", "111122223333");
    let gaad = mine(PAGES[0]);
    let binding = |names: &[&str]| {
        let texts: Vec<(&str, String)> = names.iter().map(|n| (*n, mine(n))).collect();
        let files: Vec<(&str, &[u8])> = std::iter::once(("gaad", gaad.as_bytes()))
            .chain(texts.iter().map(|(n, t)| (n.rsplit('/').next().unwrap(), t.as_bytes())))
            .collect();
        let draft = made(&files).unwrap();
        balanced(&draft);
        controls(&draft).into_iter().map(|(_, _, a)| a["not_binding"].clone()).collect::<Vec<_>>()
    };
    // By `describe-organization`, else by the number that its own policies carry; no level is missing then.
    assert_eq!(binding(&FILES[..2]), ["management account"]);
    assert_eq!(binding(&FILES[3..4]), ["management account"]);
    assert_eq!(binding(&FILES[1..2]), vec![serde_json::Value::Null; 3]);
    let billing = r#"{"Organization": {"FeatureSet": "CONSOLIDATED_BILLING", "MasterAccountId": "999900001111"}}"#;
    let guard = std::fs::read(Path::new(FIXTURES).join(FILES[3])).unwrap();
    let draft = made(&[("gaad", gaad.as_bytes()), ("o", billing.as_bytes()), ("p", &guard)]).unwrap();
    assert_eq!(controls(&draft)[0].2["not_binding"], "the organisation has consolidated billing only");
}

#[test]
fn answers_that_cannot_be_placed_are_rejected_one_by_one() {
    let rejects = |name: &str| {
        let draft = with(&[], &[name]);
        draft.rejects.iter().map(|r| (r.reason, r.origin.number)).collect::<Vec<_>>()
    };
    assert_eq!(rejects("bad/list-policies-for-target-unnamed.json"), [("aws-iam/unnamed-level", 1), ("aws-iam/unnamed-level", 2)]);
    assert_eq!(rejects("bad/list-parents-unnamed.json"), [("aws-iam/unnamed-level", 1)]);
    assert_eq!(rejects("bad/list-parents-two.json"), [("aws-iam/bad-record", 1)]);
    assert_eq!(rejects("bad/describe-policy-partly.json"), [("aws-iam/duplicate", 1)]);
    assert_eq!(rejects("ok/describe-policy.unit-guard.json"), [], "the same answer twice");
    assert_eq!(rejects("bad/describe-policy-other-type.json"), []);
    assert_eq!(error(&[FILES, &["bad/describe-organization-other.json"]].concat()), ("aws-iam/two-organizations", None));
    // `get-policy` of IAM is none of it.
    let policy = made(&[
        ("p", br#"{"Policy": {"PolicyName": "x", "Arn": "arn:aws:iam::111122223333:policy/x"}}"#),
        ("k", br#"{"AccessKeyMetadata": []}"#),
    ]);
    assert_eq!(policy.unwrap().rejects[0].reason, "aws-iam/unknown-shape");
    // Printed by `--query Policy`.
    let guard = std::fs::read_to_string(Path::new(FIXTURES).join(FILES[3])).unwrap();
    let inner: serde_json::Value = serde_json::from_str(&guard).unwrap();
    let draft = made(&[("p", inner["Policy"].to_string().as_bytes())]).unwrap();
    balanced(&draft);
    assert_eq!(entitlement(&draft, UNIT_GUARD).level, Level::None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_answers_of_organizations_never_panic(which in 0..FILES.len(), edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..12)) {
        let mut bytes = std::fs::read(Path::new(FIXTURES).join(FILES[which])).unwrap();
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
