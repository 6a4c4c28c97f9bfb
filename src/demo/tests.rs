use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// Every file of an estate by its path.
fn files(seed: u64) -> BTreeMap<String, Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    let written = write(dir.path(), seed).unwrap();
    let mut found = BTreeMap::new();
    for entry in walkdir::WalkDir::new(dir.path()).into_iter().map(Result::unwrap).filter(|e| e.file_type().is_file()) {
        let name = entry.path().strip_prefix(dir.path()).unwrap().to_str().unwrap().to_owned();
        found.insert(name, std::fs::read(entry.path()).unwrap());
    }
    assert_eq!(found.len(), written.files);
    found
}

fn text(files: &BTreeMap<String, Vec<u8>>, name: &str) -> String {
    String::from_utf8(files[name].clone()).unwrap()
}

#[test]
fn one_seed_gives_the_same_bytes_and_another_gives_others() {
    let (a, b, c) = (files(SEED), files(SEED), files(7));
    assert!(a == b);
    assert_ne!(a["exports/2026-11-22/ad.ldif"], c["exports/2026-11-22/ad.ldif"]);
    // The identity provider's and the vault's own ids stand in the names of their answers.
    let named = |name: &&String| !name.contains("/okta/") && !name.contains("/vault/");
    assert_eq!(a.keys().filter(named).collect::<Vec<_>>(), c.keys().filter(named).collect::<Vec<_>>());
}

#[test]
fn the_estate_has_its_size() {
    let files = files(SEED);
    let bytes: usize = files.values().map(Vec::len).sum();
    assert!((6_000_000..11_000_000).contains(&bytes), "{bytes} bytes");
    assert_eq!(files.keys().filter(|name| name.ends_with("hr.csv")).count(), 8);
    let estate = Estate::new(SEED).unwrap();
    assert_eq!(estate.people.len(), 400);
    let services = estate.ad.users.iter().filter(|u| matches!(u.class, ad::Class::Service | ad::Class::Managed)).count()
        + estate.ldap.users.iter().filter(|u| u.service).count()
        + [&estate.prod, &estate.dev].iter().map(|a| a.roles.len() + a.users.iter().filter(|u| u.path == "/svc/").count()).sum::<usize>()
        + estate.crm.users.iter().filter(|u| u.login.starts_with("svc-")).count();
    assert!((75..=90).contains(&services), "{services} non-humans");
}

#[test]
fn every_check_has_answers_and_near_misses() {
    let estate = Estate::new(SEED).unwrap();
    let checks = [
        "admin-wildcard",
        "dangling-grant",
        "disabled-account-live-credential",
        "disputed-correlation",
        "dormant-account",
        "exception-expired",
        "exception-unreviewed",
        "expired-credential-enabled",
        "expired-temporary-access",
        "ghost-account",
        "identity-without-account",
        "leave-live-access",
        "leaver-access-unremoved",
        "leaver-known-secret-unrotated",
        "leaver-live-credential",
        "mover-residual-access",
        "orphan-account",
        "out-of-band-grant",
        "outside-role-model",
        "privilege-escalation",
        "privileged-unapproved",
        "regrant",
        "retired-workload-live",
        "revoke-ticket-closed-access-live",
        "source-incomplete",
        "stale-key",
        "system-without-source",
        "unowned-nonhuman",
        "unregistered-nonhuman",
        "unused-key",
        "use-after-termination",
    ];
    assert_eq!(estate.answers.findings.iter().map(|a| a.check).collect::<BTreeSet<_>>(), BTreeSet::from(checks));
    assert_eq!(estate.answers.near_misses.iter().map(|n| n.check).collect::<BTreeSet<_>>(), BTreeSet::from(checks));
    let keys: BTreeSet<_> = estate.answers.findings.iter().map(|a| (a.check, &a.subject.system, &a.subject.native_id)).collect();
    assert_eq!(keys.len(), estate.answers.findings.len());
}

#[test]
fn answers_name_what_the_exports_hold() {
    let estate = Estate::new(SEED).unwrap();
    let weeks = clock::weeks();
    let exports: String = weeks.iter().rev().take(2).flat_map(|week| estate.export(*week)).map(|(_, text)| text).collect();
    for answer in estate.answers.findings.iter().filter(|a| a.subject.system.starts_with("aws-") && a.check != "source-incomplete") {
        for part in answer.subject.native_id.split(" -> ") {
            let part = part.split('#').next().unwrap();
            assert!(exports.contains(part), "{} {part}", answer.check);
        }
    }
}

#[test]
fn the_application_shrinks_by_less_than_a_tenth() {
    let files = files(SEED);
    let lines = |week: &str| text(&files, &format!("exports/{week}/crm.csv")).lines().count() as f64;
    let kept = lines("2026-11-22") / lines("2026-11-15");
    assert!((0.90..1.0).contains(&kept), "{kept}");
}

#[test]
fn the_last_report_of_one_account_is_missing() {
    let files = files(SEED);
    assert!(files.contains_key("exports/2026-11-15/aws/dev/credential-report.csv"));
    assert!(!files.contains_key("exports/2026-11-22/aws/dev/credential-report.csv"));
    assert!(text(&files, "exports/2026-11-22/aws/dev/credential-report.json").contains("ReportInProgress"));
}
