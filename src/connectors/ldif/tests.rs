//! Whole files through the connector. Origin of the fixtures: `fixtures/connectors/ldif/PROVENANCE.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::connectors::{Limits, Principal};
use crate::model::{
    AccountKind, AccountRow, AccountStatus, CredentialRow, CredentialStatus, GroupRow, Level, MembershipKind, MfaState, UseState,
};

fn folder(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/connectors/ldif")).join(name)
}

fn import(files: &[&str], key: Option<&[u8]>) -> Result<Draft, ConnectorError> {
    let inputs: Vec<Input> = files.iter().map(|f| Input::measure((*f).to_owned(), folder(f), Limits::default()).unwrap()).collect();
    LDIF.read(&inputs, &Context { fingerprint_key: key.map(<[u8]>::to_vec), ..Context::default() })
}

fn read(files: &[&str]) -> Draft {
    import(files, None).unwrap()
}

fn account<'a>(draft: &'a Draft, login: &str) -> &'a AccountRow {
    &draft.accounts.iter().find(|a| a.row.login.as_deref() == Some(login)).unwrap().row
}

fn group<'a>(draft: &'a Draft, name: &str) -> &'a GroupRow {
    &draft.groups.iter().find(|g| g.row.name.as_deref() == Some(name)).unwrap().row
}

fn password<'a>(draft: &'a Draft, login: &str) -> &'a CredentialRow {
    let id = format!("{}#password", account(draft, login).native_id);
    &draft.credentials.iter().find(|c| c.row.native_id == id).unwrap().row
}

fn attribute(json: Option<&String>, name: &str) -> serde_json::Value {
    serde_json::from_str::<serde_json::Value>(json.unwrap()).unwrap()[name].clone()
}

/// Names of accounts and groups by native id.
fn names(draft: &Draft) -> BTreeMap<&str, &str> {
    let accounts = draft.accounts.iter().map(|a| (a.row.native_id.as_str(), a.row.login.as_deref()));
    let groups = draft.groups.iter().map(|g| (g.row.native_id.as_str(), g.row.name.as_deref()));
    accounts.chain(groups).map(|(id, name)| (id, name.unwrap_or(id))).collect()
}

/// Memberships as `member > group`, in order, with unresolved members verbatim.
fn edges(draft: &Draft, kind: MembershipKind) -> Vec<String> {
    let names = names(draft);
    let mut out: Vec<String> = draft
        .memberships
        .iter()
        .filter(|m| m.row.kind == kind)
        .map(|m| {
            let member = match &m.member {
                Principal::Account(id) | Principal::Group(id) => names[id.as_str()].to_owned(),
                other => format!("{other:?}"),
            };
            format!("{member} > {}", names[m.group.as_str()])
        })
        .collect();
    out.sort();
    out
}

/// Everything under a group, by name, through memberships that can be removed.
fn reached<'a>(draft: &'a Draft, start: &str) -> BTreeSet<&'a str> {
    let names = names(draft);
    let mut found = BTreeSet::new();
    let mut todo = vec![group(draft, start).native_id.clone()];
    while let Some(at) = todo.pop() {
        for m in draft.memberships.iter().filter(|m| m.group == at && m.row.kind != MembershipKind::Primary) {
            if let Principal::Account(id) | Principal::Group(id) = &m.member
                && found.insert(names[id.as_str()])
            {
                todo.push(id.clone());
            }
        }
    }
    found
}

const WHOLE: &[&str] = &[
    "ok/ad-users.ldapsearch.ldif",
    "ok/ad-groups.nowrap.ldif",
    "ok/ad-computers.ldif",
    "ok/ad-foreign.ldif",
    "ok/ad-deleted.ldif",
    "ok/ad-ous.ldif",
];

#[test]
fn every_good_file_lands_whole() {
    for file in std::fs::read_dir(folder("ok")).unwrap() {
        let name = format!("ok/{}", file.unwrap().file_name().into_string().unwrap());
        let draft = read(&[&name]);
        let ledger = &draft.files[0];
        assert_eq!((ledger.read, ledger.rejected, &ledger.short), (ledger.accepted, 0, &Vec::new()), "{name}: {:?}", draft.rejects);
        assert_eq!(ledger.stated_at, None, "{name}");
    }
}

/// File, records accepted, and the code and line of each reject.
type Fault = (&'static str, u64, &'static [(&'static str, u64)]);

/// Each fault has a file of its own; what follows or precedes it in the file still counts.
#[test]
fn every_bad_file_says_what_is_wrong() {
    let table: &[Fault] = &[
        ("ad-bad-control", 0, &[("ldif/bad-value", 1)]),
        ("ad-bad-filetime", 0, &[("ldif/bad-value", 1)]),
        ("ad-bad-guid", 0, &[("ldif/bad-value", 1)]),
        ("ad-bad-sid", 0, &[("ldif/bad-value", 1)]),
        ("ad-bad-time", 0, &[("ldif/bad-value", 1)]),
        ("ad-no-id", 0, &[("ldif/no-login", 1), ("ldif/no-login", 6)]),
        ("ad-no-login", 0, &[("ldif/no-login", 1)]),
        ("ad-no-type", 0, &[("ldif/no-type", 1)]),
        ("ad-range-contradicts", 1, &[("ldif/duplicate-dn", 9)]),
        ("bad-dn", 1, &[("ldif/bad-dn", 5)]),
        ("broken-base64", 1, &[("ldif/bad-base64", 5)]),
        ("broken-base64-folded", 1, &[("ldif/bad-base64", 5)]),
        (
            "change-records",
            1,
            &[("ldif/change-record", 5), ("ldif/change-record", 11), ("ldif/change-record", 14), ("ldif/change-record", 19)],
        ),
        ("duplicate-dn", 1, &[("ldif/duplicate-dn", 5)]),
        ("duplicate-id", 1, &[("ldif/duplicate-id", 6)]),
        ("empty-dn", 0, &[("ldif/no-dn", 1)]),
        ("missing-dn", 1, &[("ldif/no-dn", 5)]),
        ("no-colon", 1, &[("ldif/no-colon", 5)]),
        ("not-utf8", 1, &[("ldif/not-utf8", 5)]),
        ("not-utf8-base64", 1, &[("ldif/bad-value", 5)]),
        ("nul", 1, &[("ldif/nul", 5)]),
        ("openldap-bad-time", 0, &[("ldif/bad-value", 1)]),
        ("openldap-no-login", 0, &[("ldif/no-login", 1)]),
        ("openldap-no-type", 0, &[("ldif/no-type", 1)]),
        ("stray-continuation", 1, &[("ldif/stray-continuation", 1)]),
        ("url", 1, &[("ldif/url", 5)]),
        ("utf16-without-mark", 0, &[("ldif/nul", 1)]),
    ];
    for (name, accepted, want) in table {
        let draft = read(&[&format!("bad/{name}.ldif")]);
        let found: Vec<(&str, u64)> = draft.rejects.iter().map(|r| (r.reason, r.origin.number)).collect();
        assert_eq!(found, *want, "{name}");
        let ledger = &draft.files[0];
        assert_eq!((ledger.read, ledger.accepted), (accepted + want.len() as u64, *accepted), "{name}");
        for reject in &draft.rejects {
            let first = reject.message.chars().next().unwrap();
            assert!(!first.is_uppercase() && !reject.message.ends_with('.') && !reject.help.is_empty(), "{name}: {}", reject.message);
            assert!(!format!("{reject:?}").contains("CANARY"), "11.13: {name}");
        }
    }
    let wholes = [("empty", "ldif/empty"), ("only-blank", "ldif/empty"), ("version-2", "ldif/version")];
    for (name, code) in wholes {
        match import(&[&format!("bad/{name}.ldif")], None) {
            Err(ConnectorError::File { error, .. }) => assert_eq!(error.code, code, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    let tried = table.iter().map(|(name, ..)| *name).chain(wholes.iter().map(|(name, _)| *name)).chain(SHORT.iter().map(|(name, _)| *name));
    let tried: BTreeSet<String> = tried.map(|name| format!("{name}.ldif")).collect();
    let there: BTreeSet<String> =
        std::fs::read_dir(folder("bad")).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(tried, there);
}

/// Files that are sound line by line and known to be incomplete (`total-not-reached`: by its control total).
const SHORT: &[(&str, &str)] = &[
    ("ad-range-missing", "`member` of `CN=Everybody,DC=brook,DC=example` has no values from 2 on"),
    ("last-page-missing", "the last page of a paged search is missing"),
    ("ldbsearch-cut-off", "the total that the tool writes at its end is missing"),
    ("size-limit", "the search ended with `4 Size limit exceeded`"),
    ("total-missing", "the total that the tool writes at its end is missing"),
    ("total-not-reached", ""),
];

/// 11.4: a truncation marker, or fewer records than the control total.
#[test]
fn a_short_file_says_so() {
    for (name, why) in SHORT {
        let draft = read(&[&format!("bad/{name}.ldif")]);
        let ledger = &draft.files[0];
        assert_eq!(ledger.rejected, 0, "{name}");
        assert!(why.is_empty() || ledger.short.iter().any(|s| s == why), "{name}: {:?}", ledger.short);
    }
    let ledger = &read(&["bad/total-not-reached.ldif"]).files[0];
    assert_eq!((ledger.accepted, ledger.control_total), (2, Some(12)));
}

#[test]
fn an_unknown_option_is_refused() {
    let context = Context { options: toml::toml! { base = "DC=x" }, ..Context::default() };
    assert!(matches!(LDIF.read(&[], &context), Err(ConnectorError::Options { message, .. }) if message.contains("`base`")));
}

#[test]
fn every_account_and_group_of_a_domain_lands() {
    let draft = read(WHOLE);
    assert_eq!((draft.accounts.len(), draft.groups.len(), draft.credentials.len()), (16, 41, 16));
    assert_eq!(draft.covers, BTreeSet::from(["accounts", "credentials", "groups", "memberships"]));
    let ada = account(&draft, "ada.quill");
    assert_eq!(ada.native_id, "fe16102e-3050-4d17-91ac-76ca25ee4865");
    assert_eq!(ada.generation.as_deref(), Some("S-1-5-21-198756575-1341317584-2592692377-1102"));
    assert_eq!((ada.kind, ada.status, ada.use_state), (AccountKind::Unknown, AccountStatus::Active, UseState::Used));
    assert_eq!(ada.employee_ref.as_deref(), Some("000417"));
    assert_eq!(ada.owner_ref.as_deref(), Some(r"CN=Quill\, Marta,OU=Field,DC=fern,DC=example"));
    assert_eq!(account(&draft, "bo.marsh").status, AccountStatus::Disabled);
    assert_eq!(password(&draft, "bo.marsh").status, CredentialStatus::Inactive);
    assert_eq!(account(&draft, "dan.contract").expires_at.unwrap().to_string(), "2026-12-23T23:45:30Z");
    assert_eq!(attribute(account(&draft, "cleo.vane").attributes.as_ref(), "password_must_change"), true);
    assert_eq!(account(&draft, "jo.groesse").display_name.as_deref(), Some("Jörn Größe"));
    let ghost = account(&draft, "ghost.person");
    assert_eq!((ghost.status, ghost.display_name.as_deref()), (AccountStatus::Deleted, Some("ghost.person")));
}

#[test]
fn members_at_any_depth_are_those_that_the_controller_finds() {
    let draft = read(WHOLE);
    let expected = read(&["ok/ad-expected-administrators.ldif"]);
    assert_eq!(reached(&draft, "Administrators"), names(&expected).into_values().collect());
    // Two groups that hold each other.
    assert_eq!(reached(&draft, "Grove-A"), BTreeSet::from(["Grove-A", "Grove-B", "ada.quill", "bo.marsh"]));
    // 11.7: primary groups are memberships of their own kind.
    let primary = edges(&draft, MembershipKind::Primary);
    assert_eq!(primary.len(), 15);
    assert!(primary.contains(&"ada.quill > Domain Users".to_owned()) && primary.contains(&"Guest > Domain Guests".to_owned()));
}

#[test]
fn each_tool_spells_the_same_accounts() {
    let plain = read(&["ok/ad-users.ldapsearch.ldif"]);
    let rows = |draft: &Draft| draft.accounts.iter().map(|a| a.row.clone()).collect::<Vec<_>>();
    assert_eq!(rows(&read(&["ok/ad-users.ldbsearch.ldif"])), rows(&plain));
    let paged = read(&["ok/ad-users.paged-comments.ldif"]);
    assert_eq!((paged.files[0].control_total, paged.files[0].shape), (Some(12), Some("ldapsearch output")));
    for (a, b) in paged.accounts.iter().zip(&plain.accounts) {
        let same = |r: &AccountRow| (r.native_id.clone(), r.login.clone(), r.kind, r.status, r.last_used_at, r.use_state, r.expires_at);
        assert_eq!(same(&a.row), same(&b.row));
    }
    assert_eq!(edges(&paged, MembershipKind::Direct), edges(&plain, MembershipKind::Direct));
}

#[test]
fn extended_names_find_their_entries() {
    let draft = read(&["ok/ad-extended-dn.ldbsearch.ldif", "ok/ad-users.ldapsearch.ldif"]);
    let admins = group(&draft, "Domain Admins");
    assert_eq!((admins.native_id.as_str(), admins.level), ("c21a3234-b285-48ea-8096-dd0ab91e42b7", Level::Admin));
    assert!(edges(&draft, MembershipKind::Direct).contains(&"Administrator > Domain Admins".to_owned()));
    assert!(
        edges(&draft, MembershipKind::Direct)
            .iter()
            .any(|e| e.contains("CN=Outer,CN=Users,DC=fern,DC=example") && e.ends_with("> Domain Admins"))
    );
}

#[test]
fn built_in_principals_are_the_systems() {
    let draft = read(WHOLE);
    for login in ["Administrator", "Guest", "krbtgt"] {
        assert_eq!(account(&draft, login).kind, AccountKind::System, "{login}");
    }
    assert_eq!(account(&draft, "DC1$").kind, AccountKind::Device);
    assert_eq!(account(&draft, "gm-batch$").kind, AccountKind::Service);
    let direct = edges(&draft, MembershipKind::Direct);
    assert!(direct.contains(&r#"Wildcard("S-1-5-11") > Users"#.to_owned()));
    assert!(direct.contains(&r#"Service("S-1-5-9") > Windows Authorization Access Group"#.to_owned()));
    assert_eq!((group(&draft, "Backup Operators").level, group(&draft, "Backup Operators").vendor_managed), (Level::Admin, true));
    assert_eq!((group(&draft, "Inner").level, group(&draft, "Inner").vendor_managed), (Level::Unknown, false));
    assert_eq!(group(&draft, "Post").level, Level::None);
}

/// 11.13: what looks like a secret in free text, and every password attribute.
#[test]
fn no_secret_is_stored() {
    let all: Vec<String> = std::fs::read_dir(folder("ok")).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    for name in &all {
        let draft = import(&[&format!("ok/{name}")], Some(b"key")).unwrap();
        assert!(!format!("{draft:?}").contains("CANARY"), "{name}");
    }
    let draft = read(WHOLE);
    assert_eq!(attribute(account(&draft, "svc-report").attributes.as_ref(), "description"), "nightly report, password: [masked]");
    assert_eq!(read(&["ok/ad-edge.ldif"]).files[0].notes["secret value of `unicodePwd` met and not stored"], 1);
}

#[test]
fn states_of_an_active_directory_account() {
    let draft = read(&["ok/ad-edge.ldif"]);
    let locked = account(&draft, "locked");
    assert_eq!((locked.status, locked.locked_at.unwrap().to_string().as_str()), (AccountStatus::Locked, "2026-11-01T10:00:00Z"));
    assert_eq!(
        (locked.expires_at, account(&draft, "lock-lapsed").expires_at, account(&draft, "must-change").expires_at),
        (None, None, None)
    );
    let lapsed = account(&draft, "lock-lapsed");
    assert_eq!((lapsed.status, lapsed.locked_at), (AccountStatus::Active, None));
    // A password that ran out still lets in who knows it: to choose another.
    assert_eq!(password(&draft, "expired-password").status, CredentialStatus::Active);
    assert_eq!(attribute(account(&draft, "expired-password").attributes.as_ref(), "password_expired"), true);
    assert_eq!(password(&draft, "expired-password").rotated_at.unwrap().to_string(), "2025-01-01T00:00:00Z");
    assert_eq!(password(&draft, "must-change").rotated_at, None);
    let kinds = [
        ("PARTNER$", AccountKind::System),
        ("krbtgt_4711", AccountKind::System),
        ("msa-print$", AccountKind::Service),
        ("PC07$", AccountKind::Device),
        ("inet", AccountKind::Unknown),
    ];
    for (login, kind) in kinds {
        assert_eq!(account(&draft, login).kind, kind, "{login}");
    }
    assert_eq!(account(&draft, "PC07$").owner_ref.as_deref(), Some("CN=flags,CN=Users,DC=brook,DC=example"));
    let flags = account(&draft, "flags");
    assert_eq!((flags.mfa_state, flags.employee_ref.as_deref()), (MfaState::Yes, Some("0042")));
    let listed = attribute(flags.attributes.as_ref(), "flags");
    for flag in ["password_not_required", "password_never_expires", "trusted_for_delegation", "no_preauthentication"] {
        assert!(listed.as_array().unwrap().iter().any(|f| f == flag), "{flag}");
    }
    assert_eq!(attribute(flags.attributes.as_ref(), "sIDHistory"), serde_json::json!(["S-1-5-21-9-9-9-1500"]));
    assert_eq!(attribute(flags.attributes.as_ref(), "servicePrincipalName"), 2);
    assert_eq!(attribute(flags.attributes.as_ref(), "adminCount"), true);
}

/// 11.12: never, unknown and used are three states, and the two records of use differ by up to two weeks.
#[test]
fn use_of_an_active_directory_account() {
    let draft = read(&["ok/ad-edge.ldif"]);
    let seen = |login: &str| {
        let row = account(&draft, login);
        (row.use_state, row.last_used_at.map(|t| t.to_string()), row.last_used_until.map(|t| t.to_string()))
    };
    let text = |t: &str| Some(t.to_owned());
    assert_eq!(seen("locked"), (UseState::Used, text("2026-10-31T09:00:00Z"), text("2026-11-08T09:00:00Z")));
    assert_eq!(seen("lock-lapsed"), (UseState::Used, text("2026-09-01T00:00:00Z"), text("2026-09-15T00:00:00Z")));
    assert_eq!(seen("one-controller"), (UseState::Used, text("2026-11-02T00:00:00Z"), None));
    assert_eq!(seen("must-change"), (UseState::Never, None, None));
    let other = read(&["ok/ad-ldifde-crlf.ldif", "ok/ad-edge.ldif"]);
    assert_eq!(account(&other, "lena.brook").use_state, UseState::Unknown);
}

#[test]
fn members_of_all_sorts_keep_their_place() {
    let draft = read(&["ok/ad-edge.ldif"]);
    let mut want = vec![
        "Temps > Server Operators".to_owned(),
        r#"Either("CN=Somebody\\, Else,OU=Gone,DC=other,DC=example") > Temps"#.to_owned(),
        r#"Either("cn=A  Contact, cn=users,dc=brook,dc=example") > Temps"#.to_owned(),
        r#"External("S-1-5-21-9-9-9-1500") > Temps"#.to_owned(),
        "flags > Temps".to_owned(),
    ];
    want.sort();
    assert_eq!(edges(&draft, MembershipKind::Direct), want);
    let temporary = draft.memberships.iter().find(|m| m.row.condition.is_some()).unwrap();
    assert_eq!(temporary.row.condition.as_deref(), Some("temporary: 3600 s left at extraction"));
    let stub = group(&draft, "Server Operators");
    assert_eq!(
        (stub.native_id.as_str(), attribute(stub.attributes.as_ref(), "not_in_export")),
        ("cn=server operators,cn=builtin,dc=brook,dc=example", true.into())
    );
    assert!(!draft.groups.iter().any(|g| g.row.name.as_deref() == Some("Old Group")));
}

#[test]
fn ranges_of_a_group_are_put_together() {
    let draft = read(&["ok/ad-ranges.ldif"]);
    assert_eq!(draft.memberships.len(), 3);
    assert_eq!((draft.files[0].accepted, draft.groups.len(), draft.files[0].short.len()), (2, 1, 0));
    assert!(draft.facts.iter().any(|(table, _, fact, origin)| table.name == "groups" && *fact == "members" && origin.number == 9));
}

#[test]
fn ldifde_in_both_encodings() {
    for file in ["ok/ad-ldifde-crlf.ldif", "ok/ad-ldifde-utf16.ldif"] {
        let draft = read(&[file]);
        let lena = account(&draft, "lena.brook");
        assert_eq!(attribute(lena.attributes.as_ref(), "description"), "Büro, für Größe zuständig", "{file}");
        let department = "a value that ldifde folds after a while because it is longer than one line allows";
        assert_eq!(attribute(lena.attributes.as_ref(), "department"), department, "{file}");
    }
}

#[test]
fn an_entry_met_twice_is_one() {
    let draft = read(&["ok/repeated.ldif"]);
    assert_eq!((draft.accounts.len(), draft.files[0].accepted, draft.facts.len()), (1, 2, 1));
}

#[test]
fn accounts_of_openldap() {
    let draft = read(&["ok/openldap-edge.ldif"]);
    assert_eq!(draft.accounts.len(), 7);
    let ida = account(&draft, "ida");
    assert_eq!((ida.native_id.as_str(), ida.generation.as_deref()), ("00000000-0000-1000-8000-000000000002", Some("2025-04-01T10:00:00Z")));
    assert_eq!((ida.use_state, ida.last_used_at.unwrap().to_string().as_str()), (UseState::Used, "2026-11-20T08:30:00.25Z"));
    assert_eq!((ida.employee_ref.as_deref(), ida.owner_ref.as_deref()), (Some("0007"), Some("uid=otto,ou=people,dc=brook,dc=example")));
    assert_eq!(password(&draft, "ida").rotated_at.unwrap().to_string(), "2026-01-01T00:00:00Z");
    let otto = account(&draft, "otto");
    assert_eq!((otto.status, otto.locked_at.unwrap().to_string().as_str()), (AccountStatus::Locked, "2026-11-19T12:00:00Z"));
    assert_eq!((otto.use_state, otto.expires_at.unwrap().date().as_str()), (UseState::Never, "2024-10-04"));
    assert_eq!(attribute(otto.attributes.as_ref(), "no_login_shell"), true);
    assert_eq!(
        (password(&draft, "otto").status, password(&draft, "otto").expires_at),
        (CredentialStatus::Inactive, None),
        "after `shadowMax` another password is asked for"
    );
    let uwe = account(&draft, "uwe");
    assert_eq!((uwe.status, uwe.locked_at, uwe.expires_at), (AccountStatus::Disabled, None, None));
    assert_eq!(attribute(uwe.attributes.as_ref(), "password_must_change"), true);
    let root = account(&draft, "root");
    assert_eq!((attribute(root.attributes.as_ref(), "root_id"), root.expires_at.unwrap().date().as_str()), (true.into(), "2027-01-01"));
    assert_eq!(attribute(root.attributes.as_ref(), "description"), "superuser, password: [masked]");
    assert_eq!(account(&draft, "host$").kind, AccountKind::Device);
    assert_eq!(account(&draft, "admin").display_name.as_deref(), Some("admin"));
    assert!(
        draft
            .accounts
            .iter()
            .any(|a| a.row.login.is_none() && a.row.native_id == "cn=plain person+sn=person,ou=people,dc=brook,dc=example")
    );
}

#[test]
fn fingerprints_need_a_key() {
    let with = import(&["ok/openldap-edge.ldif"], Some(b"key")).unwrap();
    let without = read(&["ok/openldap-edge.ldif"]);
    assert_eq!(password(&without, "ida").fingerprint, None);
    assert_eq!(password(&with, "ida").fingerprint.as_deref().map(str::len), Some(64));
    let keys: Vec<&CredentialRow> = without.credentials.iter().map(|c| &c.row).filter(|c| c.native_id.contains("#ssh/")).collect();
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].name.as_deref().map(|n| n.starts_with("ssh-ed25519 SHA256:")), Some(true));
    assert_eq!(without.files[0].notes["value of `sshPublicKey` that is no public key let go"], 1);
}

#[test]
fn groups_of_openldap() {
    let draft = read(&["ok/openldap-edge.ldif"]);
    let mut want = vec![
        r#"Either("stranger") > staff"#,
        r#"Either("uid=nobody,dc=brook,dc=example") > crew"#,
        "cn=plain person+sn=person,ou=people,dc=brook,dc=example > crew",
        "crew > ring",
        "ida > crew",
        "ida > elsewhere",
        "ida > staff",
        "otto > ring",
        "ring > crew",
        "uwe > on-call",
    ];
    want.sort_unstable();
    assert_eq!(edges(&draft, MembershipKind::Direct), want);
    let primary = edges(&draft, MembershipKind::Primary);
    assert_eq!(primary, ["host$ > staff", "ida > staff", "otto > staff", "root > staff", "uwe > staff"]);
    assert_eq!(group(&draft, "on-call").kind, "role");
    assert_eq!(group(&draft, "ring").owner_ref.as_deref(), Some("uid=otto,ou=people,dc=brook,dc=example"));
    assert_eq!(attribute(group(&draft, "wheel").attributes.as_ref(), "root_id"), true);
    assert_eq!(draft.files[0].notes["dynamic group, whose members by `memberURL` are not in the export"], 1);
    // `cn=config`, schema, organisation, unit and root DSE: accepted, no row.
    assert_eq!((draft.files[0].accepted, draft.groups.len()), (18, 7));
}

#[test]
fn without_unique_ids_the_normalised_name_is_the_id() {
    let draft = read(&["ok/openldap-no-uuid.ldif"]);
    assert_eq!(account(&draft, "eva").native_id, "uid=eva,ou=people,dc=brook,dc=example");
    assert_eq!(draft.groups[0].row.native_id, r"cn=größe\, team,ou=groups,dc=brook,dc=example");
    assert_eq!(edges(&draft, MembershipKind::Direct), ["eva > Größe, Team"]);
    // No password was shown to the exporter, so the file says nothing of credentials.
    assert_eq!(draft.covers, BTreeSet::from(["accounts", "groups", "memberships"]));
}

/// 11.9: a password that the exporter may not see is unknown, and not absent.
#[test]
fn a_hidden_password_is_unknown() {
    let person = |uid: &str, more: &str| format!("dn: uid={uid},dc=x\nobjectClass: account\nuid: {uid}\nentryUUID: {uid}\n{more}\n");
    let own = person("me", "userPassword: a\n") + &person("you", "") + &person("they", "pwdChangedTime: 20260101000000Z\n");
    let draft = bytes(own.as_bytes(), Limits::default()).unwrap();
    let status = |login: &str| password(&draft, login).status;
    assert_eq!(
        [status("me"), status("you"), status("they")],
        [CredentialStatus::Active, CredentialStatus::Unknown, CredentialStatus::Active]
    );
    let all = person("me", "userPassword: a\n") + &person("you", "") + &person("they", "userPassword: b\n");
    assert_eq!(bytes(all.as_bytes(), Limits::default()).unwrap().credentials.len(), 2);
}

/// 11.12: without operational attributes nothing is known of a lock.
#[test]
fn a_lock_that_could_not_show_is_unknown() {
    assert_eq!(account(&read(&["ok/openldap-no-uuid.ldif"]), "eva").status, AccountStatus::Unknown);
    let edge = read(&["ok/openldap-edge.ldif"]);
    assert_eq!(account(&edge, "ida").status, AccountStatus::Active);
    assert_eq!(account(&edge, "root").status, AccountStatus::Unknown, "its `shadowExpire` is 0");
}

/// 11.12: an end that never comes is no end, in every spelling.
#[test]
fn never_has_many_spellings() {
    let person =
        |more: &str| format!("dn: uid=a,dc=x\nobjectClass: account\nuid: a\nentryUUID: a\ncreateTimestamp: 20250101000000Z\n{more}\n");
    for more in ["", "pwdEndTime: 99991231235959Z\n", "shadowExpire: -1\n"] {
        let draft = bytes(person(more).as_bytes(), Limits::default()).unwrap();
        let row = account(&draft, "a");
        assert_eq!((draft.rejects.len(), row.expires_at, row.status), (0, None, AccountStatus::Active), "{more}");
    }
    let draft = bytes(person("shadowExpire: 99999\npwdEndTime: 20270101000000Z\n").as_bytes(), Limits::default()).unwrap();
    assert_eq!(account(&draft, "a").expires_at.unwrap().to_string(), "2027-01-01T00:00:00Z", "the earlier of both");
    let user = |more: &str| {
        format!(
            "dn: CN=a,DC=x\nobjectClass: user\nsAMAccountName: a\nobjectGUID: 00000000-0000-4000-8000-000000000001\nuserAccountControl: 512\n{more}\n"
        )
    };
    for never in ["0", "9223372036854775807"] {
        let more = format!(
            "accountExpires: {never}\nlastLogon: {never}\nlastLogonTimestamp: {never}\nlockoutTime: {never}\npwdLastSet: {never}\n"
        );
        let draft = bytes(user(&more).as_bytes(), Limits::default()).unwrap();
        let row = account(&draft, "a");
        assert_eq!((row.expires_at, row.last_used_at, row.locked_at, row.use_state), (None, None, None, UseState::Never), "{never}");
        assert_eq!((row.status, password(&draft, "a").rotated_at), (AccountStatus::Active, None), "{never}");
    }
    // A real end in the far past is an end.
    let draft = bytes(user("accountExpires: 116444736000000000\n").as_bytes(), Limits::default()).unwrap();
    assert_eq!(account(&draft, "a").expires_at.unwrap().to_string(), "1970-01-01T00:00:00Z");
}

/// 11.9, 11.12: an end that hosts read in two ways, or that no column holds, is neither "expired" nor "not expired".
#[test]
fn an_end_that_cannot_be_told_makes_the_status_unknown_and_is_noted() {
    let person = |more: &str| {
        format!(
            "dn: uid=a,dc=x\nobjectClass: shadowAccount\nuid: a\nentryUUID: a\ncreateTimestamp: 20250101000000Z\nuserPassword: x\n{more}\n"
        )
    };
    let user = |more: &str| {
        format!(
            "dn: CN=a,DC=x\nobjectClass: user\nsAMAccountName: a\nobjectGUID: 00000000-0000-4000-8000-000000000001\nuserAccountControl: 512\n{more}\n"
        )
    };
    let told = |text: String| {
        let draft = bytes(text.as_bytes(), Limits::default()).unwrap();
        let row = account(&draft, "a").clone();
        let notes: Vec<String> = draft.files[0].notes.keys().map(ToString::to_string).filter(|n| n.contains("is unknown")).collect();
        assert!(draft.rejects.is_empty(), "{text}");
        (row.status, row.expires_at.map(|t| t.date()), notes, password(&draft, "a").status)
    };
    let shadow = "`shadowExpire` of 0, below -1 or after the year 9999: whether the account has expired is unknown".to_owned();
    for day in ["0", "-2", "-99999", "2932897", "99999999", "9223372036854775807"] {
        let (status, end, notes, _) = told(person(&format!("shadowExpire: {day}\n")));
        assert_eq!((status, end, &notes[..]), (AccountStatus::Unknown, None, &[shadow.clone()][..]), "{day}");
    }
    let (status, end, notes, _) = told(person("shadowExpire: 2932895\n"));
    assert_eq!((status, end.as_deref(), notes.len()), (AccountStatus::Active, Some("9999-12-30"), 0), "far away, and told");
    let (status, end, notes, _) = told(person("shadowExpire: 0\npwdEndTime: 20250601000000Z\n"));
    assert_eq!((status, end.as_deref(), notes.len()), (AccountStatus::Unknown, Some("2025-06-01"), 1), "what else ends it is kept");
    let (status, _, notes, _) = told(person("shadowExpire: 0\npwdAccountLockedTime: 20250601000000Z\n"));
    assert_eq!((status, notes.len()), (AccountStatus::Unknown, 1), "a lock lapses");
    let (status, _, notes, _) = told(person("shadowExpire: 0\npwdAccountLockedTime: 000001010000Z\n"));
    assert_eq!((status, notes.len()), (AccountStatus::Disabled, 1), "what is disabled is disabled whenever it ends");

    let note = "`accountExpires` after the year 9999, and not the value for never: whether the account has expired is unknown".to_owned();
    for ticks in ["9223372036854775806", "2650467744000000000"] {
        let (status, end, notes, key) = told(user(&format!("accountExpires: {ticks}\n")));
        let want = (AccountStatus::Unknown, None, &[note.clone()][..], CredentialStatus::Unknown);
        assert_eq!((status, end, &notes[..], key), want, "{ticks}");
    }
    let (status, end, notes, _) = told(user("accountExpires: 2650466016000000000\n"));
    assert_eq!((status, end.as_deref(), notes.len()), (AccountStatus::Active, Some("9999-12-30"), 0));

    let (_, _, notes, key) = told(person("shadowLastChange: 99999999\nshadowMax: 90\nshadowInactive: 7\n"));
    assert_eq!((key, notes.len()), (CredentialStatus::Unknown, 1), "{notes:?}");
    let (_, _, notes, key) = told(person("shadowLastChange: 99999999\n"));
    assert_eq!((key, notes.len()), (CredentialStatus::Active, 0), "it never ends");

    for text in [
        person("shadowExpire: soon\n"),
        person("shadowExpire: 99999999999999999999\n"),
        person("pwdEndTime: 20251301000000Z\n"),
        user("accountExpires: never\n"),
        user("accountExpires: -1\n"),
        user("accountExpires: 9223372036854775808\n"),
        user("lockoutTime: 9223372036854775806\n"),
        user("lastLogon: 9223372036854775806\n"),
    ] {
        let draft = bytes(text.as_bytes(), Limits::default()).unwrap();
        let reasons: Vec<&str> = draft.rejects.iter().map(|r| r.reason).collect();
        assert_eq!((reasons, draft.accounts.len()), (vec!["ldif/bad-value"], 0), "{text}");
    }
}

/// A password that ran out lets its user in to choose another, until `shadowInactive` days later.
#[test]
fn a_password_ends_when_the_host_refuses_it() {
    let end = |more: &str| {
        let person = format!("dn: uid=a,dc=x\nobjectClass: shadowAccount\nuid: a\nuserPassword: x\nshadowLastChange: 19000\n{more}\n");
        let draft = bytes(person.as_bytes(), Limits::default()).unwrap();
        password(&draft, "a").expires_at.map(|t| t.date())
    };
    assert_eq!(end("shadowMax: 90\nshadowInactive: 7\n").as_deref(), Some("2022-04-15"));
    for open in
        ["", "shadowMax: 90\n", "shadowMax: 90\nshadowInactive: -1\n", "shadowMax: 99999\nshadowInactive: 7\n", "shadowInactive: 7\n"]
    {
        assert_eq!(end(open), None, "{open}");
    }
}

/// The lockout bit of `userAccountControl` is computed by nobody and says nothing; names of attributes have no case.
#[test]
fn bits_and_names_are_read_as_the_directory_means_them() {
    let user = |control: i64| {
        format!(
            "DN: CN=a,DC=x\nOBJECTCLASS: USER\nSAMACCOUNTNAME: a\nobjectguid: 00000000-0000-4000-8000-000000000001\nUSERACCOUNTCONTROL: {control}\n\n"
        )
    };
    for (control, status, credential) in [
        (0x200, AccountStatus::Active, CredentialStatus::Active),
        (0x210, AccountStatus::Active, CredentialStatus::Active),
        (0x202, AccountStatus::Disabled, CredentialStatus::Inactive),
        (0x212, AccountStatus::Disabled, CredentialStatus::Inactive),
        (0x80_0200, AccountStatus::Active, CredentialStatus::Active),
        (0x1_0200, AccountStatus::Active, CredentialStatus::Active),
    ] {
        let draft = bytes(user(control).as_bytes(), Limits::default()).unwrap();
        assert_eq!((account(&draft, "a").status, password(&draft, "a").status), (status, credential), "{control:#x}");
    }
}

fn bytes(content: &[u8], limits: Limits) -> Result<Draft, ConnectorError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    let input = Input::measure("a.ldif".to_owned(), file.path().to_owned(), limits).unwrap();
    LDIF.read(&[input], &Context::default())
}

#[test]
fn one_endless_line_is_refused_by_name() {
    let mut content = b"dn: uid=a,dc=x\nobjectClass: account\nuid: ".to_vec();
    content.resize(3_000_000, b'a');
    match bytes(&content, Limits { line: 1 << 20, ..Limits::default() }) {
        Err(ConnectorError::File { error, .. }) => assert_eq!((error.code, error.at), ("input/line-too-long", Some(3))),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Nothing lost: every record read is accepted or rejected.
    #[test]
    fn read_is_accepted_and_rejected(content in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(draft) = bytes(&content, Limits::default()) {
            prop_assert_eq!(draft.files[0].read, draft.files[0].accepted + draft.files[0].rejected);
        }
    }

    #[test]
    fn read_is_accepted_and_rejected_in_what_looks_like_ldif(
        lines in proptest::collection::vec(
            ("(dn|cn|uid|member|memberOf|objectClass|objectSid|objectGUID|sAMAccountName|userAccountControl|lastLogon|pwdChangedTime|memberUid|gidNumber|sshPublicKey|ref|# numEntries)",
             "(: |:: |:< |;range=0-1: )", "(uid=a|cn=b,dc=x|account|group|posixGroup|user|AAAA|0|[ -~]{0,10})(\n|\r\n|\n\n)"), 0..25)
    ) {
        let content: String = lines.into_iter().map(|(a, b, c)| a + &b + &c).collect();
        if let Ok(draft) = bytes(content.as_bytes(), Limits::default()) {
            prop_assert_eq!(draft.files[0].read, draft.files[0].accepted + draft.files[0].rejected);
            prop_assert_eq!(draft.rejects.len() as u64, draft.files[0].rejected);
        }
    }
}

#[test]
fn rule_11_4_passwords_of_a_directory_that_hides_its_sids_are_covered() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users.ldif");
    let entry =
        "dn: CN=Ada,DC=brook,DC=example\nobjectClass: user\nsAMAccountName: ada\nuserAccountControl: 512\npwdLastSet: 133000000000000000\n";
    std::fs::write(&path, entry).unwrap();
    let input = Input::measure("users.ldif".to_owned(), path, Limits::default()).unwrap();
    let draft = LDIF.read(&[input], &Context::default()).unwrap();
    assert_eq!(draft.credentials.iter().map(|c| c.row.status).collect::<Vec<_>>(), [CredentialStatus::Active]);
    assert!(draft.covers.contains("credentials"), "{:?}", draft.covers);
}
