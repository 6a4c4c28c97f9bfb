//! Accounts: when a fact counts (11.3), candidates (11.6), kinds, registry and owners (11.9).

use super::*;
use crate::model::Word;

// Time (11.3)

#[test]
fn rule_11_3_a_leaver_counts_one_minute_before_the_observation_and_not_one_minute_after() {
    for (offset, want, later) in [(-MINUTE, MatchState::Ghost, false), (0, MatchState::Linked, true), (MINUTE, MatchState::Linked, true)] {
        let ends = day(100).plus(offset);
        let resolved = run(
            &[directory(vec![account("a", "a@example.com")])],
            &[hr(vec![mail("p", "a@example.com")], vec![employed(0, None, Some(ends))])],
        );
        let candidate = &resolved.account_identity[0];
        assert_eq!((states(&resolved)[0], candidate.leaves_later), (want, later), "{offset}");
        assert_eq!(candidate.left_by, (want == MatchState::Ghost).then_some(ends));
    }
}

#[test]
fn rule_11_3_too_new_one_minute_either_side() {
    let created = |at| AccountRow { created_at: Some(at), ..account("a", "nobody") };
    for (at, want) in [
        (day(99).plus(-MINUTE), MatchState::Orphan),
        (day(99).plus(MINUTE), MatchState::TooNew),
        (day(100).plus(-MINUTE), MatchState::TooNew),
        (day(100).plus(MINUTE), MatchState::TooNew),
    ] {
        assert_eq!(states(&run(&[directory(vec![created(at)])], &[hr(vec![person("p")], vec![])])), [want], "{at}");
    }
    let service = AccountRow { kind: AccountKind::Service, ..created(day(100)) };
    let entry = IdentityRow { kind: IdentityKind::Workload, ..person("w") };
    assert_eq!(states(&run(&[directory(vec![service])], &[registry(vec![entry])])), [MatchState::TooNew]);
}

// Disputed accounts (11.6)

#[test]
fn rule_11_6_disputed_between_a_leaver_and_an_active_person_and_between_two_leavers() {
    let twins = || vec![mail("p", "a@example.com"), mail("q", "a@example.com")];
    let systems = [directory(vec![account("a", "a@example.com")])];
    let one = run(&systems, &[hr(twins(), vec![employed(0, None, Some(day(50))), employed(1, None, None)])]);
    assert_eq!((states(&one), one.account_state[0].candidates_left), (vec![MatchState::Disputed], 1));
    let both = run(&systems, &[hr(twins(), vec![employed(0, None, Some(day(50))), employed(1, None, Some(day(60)))])]);
    assert_eq!((states(&both), both.account_state[0].candidates_left), (vec![MatchState::Ghost], 2));
    let rows: Vec<_> = both.account_identity.iter().map(|c| (c.rank, c.identity_ix, c.state)).collect();
    assert_eq!(rows, [(0, 0, MatchState::Disputed), (1, 1, MatchState::Disputed)]);
    assert_eq!(both.people.rows().iter().map(|p| (p.accounts_linked, p.accounts_disputed)).collect::<Vec<_>>(), [(0, 1), (0, 1)]);
}

#[test]
fn rule_11_6_two_live_records_for_one_employee_number_are_both_candidates() {
    let record = |id: &str| IdentityRow { employee_number: text("001"), ..person(id) };
    let held = AccountRow { employee_ref: text("001"), ..account("a", "x") };
    let resolved = run(&[directory(vec![held])], &[hr(vec![record("p"), record("q")], vec![])]);
    assert_eq!((states(&resolved), resolved.account_identity.len()), (vec![MatchState::Disputed], 2));
}

#[test]
fn an_employee_reference_outweighs_names() {
    let named = |id: &str, number: &str| IdentityRow { employee_number: text(number), display_name: text("Ann Lee"), ..person(id) };
    let held = AccountRow { employee_ref: text("2"), display_name: text("Ann Lee"), ..account("a", "alee") };
    let authorities = [hr(vec![named("p", "1"), named("q", "2")], vec![])];
    let resolved = run(&[directory(vec![held.clone()])], &authorities);
    assert_eq!((resolved.account_identity.len(), resolved.account_identity[0].identity_ix), (1, 1));
    // Even where the configuration trusts the reference too little to link by it, and asks for names first.
    let mut settings = Settings::default();
    for rule in &mut settings.rules.rules {
        (rule.tier, rule.weight) = if rule.account == "employee_ref" { (9, 0.8) } else { (1, rule.weight) };
    }
    let resolved = resolve(&[directory(vec![held])], &authorities, &settings).unwrap();
    // Its own name speaks for q as well: 1 - 0.2 * 0.4 (name) * 0.45 (`alee`).
    assert_eq!(resolved.account_identity.iter().map(|c| (c.identity_ix, c.score)).collect::<Vec<_>>(), [(1, 0.964)]);
}

#[test]
fn a_name_alone_is_never_certain_whatever_its_weight() {
    let mut settings = Settings::default();
    settings.rules.rules.iter_mut().filter(|r| r.id == "name").for_each(|r| r.weight = 1.0);
    let named = IdentityRow { display_name: text("Ann Lee"), ..person("p") };
    let held = AccountRow { display_name: text("Lee, Ann"), ..account("a", "x1") };
    let resolved = resolve(&[directory(vec![held])], &[hr(vec![named], vec![])], &settings).unwrap();
    assert_eq!((states(&resolved), resolved.account_identity[0].score), (vec![MatchState::Disputed], 1.0));
}

#[test]
fn one_value_seen_by_two_rules_is_one_piece_of_evidence() {
    // `john.doe` is the local part of the address and the name: 0.7 once, not 1 - 0.3 * 0.3.
    let row = IdentityRow { display_name: text("John Doe"), ..mail("p", "john.doe@example.com") };
    let resolved = run(&[directory(vec![account("a", "CORP\\john.doe")])], &[hr(vec![row], vec![])]);
    assert_eq!((states(&resolved), resolved.account_identity[0].score), (vec![MatchState::Disputed], 0.7));
    let rules: Vec<_> = resolved.match_trace.iter().map(|t| (t.rule.as_str(), t.value.as_str())).collect();
    assert_eq!(rules, [("login-email-local", "john.doe"), ("login-given-family", "john.doe")]);
}

#[test]
fn evidence_of_earlier_tiers_is_carried_forward() {
    let row = IdentityRow { display_name: text("John Doe"), ..mail("p", "jdoe@example.com") };
    let held = AccountRow { display_name: text("John Doe"), ..account("a", "jdoe") };
    let resolved = run(&[directory(vec![held])], &[hr(vec![row], vec![])]);
    // 1 - (1 - 0.7) * (1 - 0.6): the local part, then the name.
    assert_eq!((states(&resolved), resolved.account_identity[0].score), (vec![MatchState::Disputed], 0.88));
    assert_eq!(resolved.account_identity[0].rule, "login-email-local");
}

#[test]
fn a_certain_match_ends_the_search() {
    let people = vec![mail("p", "a@example.com"), IdentityRow { login: text("ann"), ..person("q") }];
    let held = AccountRow { email: text("A@Example.com"), ..account("a", "ann") };
    let resolved = run(&[directory(vec![held])], &[hr(people, vec![])]);
    assert_eq!(
        resolved.account_identity.iter().map(|c| (c.identity_ix, c.score, c.state)).collect::<Vec<_>>(),
        [(0, 0.95, MatchState::Linked)]
    );
    assert_eq!(resolved.match_trace.len(), 1);
}

#[test]
fn a_value_that_a_crowd_shares_ties_nobody_and_is_told() {
    let crowd = (0..=MAX_SHARED).map(|i| mail(&format!("p{i:03}"), "none@example.com")).collect();
    let resolved = run(&[directory(vec![account("a", "none@example.com")])], &[hr(crowd, vec![])]);
    assert_eq!(states(&resolved), [MatchState::Orphan]);
    assert!(resolved.crowded.iter().any(|c| (c.rule.as_str(), c.value.as_str(), c.identities) == ("login-email", "none@example.com", 65)));
}

// Kinds, registry, owners (11.9)

#[test]
fn rule_11_9_each_kind_has_its_own_word_and_never_two() {
    let of = |kind| AccountRow { kind, ..account(&format!("{kind}"), "nobody-known") };
    let accounts: Vec<AccountRow> = [
        AccountKind::Human,
        AccountKind::Shared,
        AccountKind::External,
        AccountKind::Unknown,
        AccountKind::Service,
        AccountKind::Workload,
        AccountKind::Agent,
        AccountKind::Role,
        AccountKind::System,
        AccountKind::Device,
    ]
    .map(of)
    .to_vec();
    let entry = IdentityRow { kind: IdentityKind::Workload, ..person("w") };
    let both = run(&[directory(accounts.clone())], &[hr(vec![person("p")], vec![]), registry(vec![entry])]);
    use MatchState::{NotApplicable, NotEvaluated, Orphan, Unregistered};
    assert_eq!(states(&both), [[Orphan; 4].as_slice(), &[Unregistered; 4], &[NotApplicable; 2]].concat());
    let people_only = run(&[directory(accounts.clone())], &[hr(vec![person("p")], vec![])]);
    assert_eq!(states(&people_only), [[Orphan; 4].as_slice(), &[NotEvaluated; 4], &[NotApplicable; 2]].concat());
    assert_eq!(states(&run(&[directory(accounts)], &[])), [[NotEvaluated; 8].as_slice(), &[NotApplicable; 2]].concat());
}

#[test]
fn rule_11_9_kind_comes_from_the_registry_then_the_connector_then_patterns() {
    let entry = IdentityRow { kind: IdentityKind::Agent, aliases: text(r#"["svc-a"]"#), ..person("w") };
    let settings = Settings {
        account_kinds: vec![KindPattern { login: text("^svc-"), kind: AccountKind::Service, ..KindPattern::default() }],
        ..Settings::default()
    };
    let connector = AccountRow { kind: AccountKind::Human, ..account("b", "svc-b") };
    let accounts = vec![
        AccountRow { kind: AccountKind::Human, ..account("a", "CORP\\SVC-A") },
        connector,
        account("c", "svc-c"),
        account("d", "dora"),
    ];
    let resolved = resolve(&[directory(accounts)], &[registry(vec![entry])], &settings).unwrap();
    let kinds: Vec<_> = resolved.account_state.iter().map(|s| (s.kind, s.kind_from.as_str())).collect();
    assert_eq!(
        kinds,
        [
            (AccountKind::Agent, "registry"),
            (AccountKind::Human, "connector"),
            (AccountKind::Service, "pattern"),
            (AccountKind::Unknown, "none"),
        ]
    );
}

#[test]
fn a_persons_rules_do_not_reach_non_humans_nor_the_registry_people() {
    let held = AccountRow { kind: AccountKind::Service, ..account("a", "ann@example.com") };
    let entry = IdentityRow { kind: IdentityKind::Workload, ..mail("w", "bob@example.com") };
    let authorities = [hr(vec![mail("p", "ann@example.com")], vec![]), registry(vec![entry])];
    let resolved = run(&[directory(vec![held, account("b", "bob@example.com")])], &authorities);
    assert_eq!(states(&resolved), [MatchState::Unregistered, MatchState::Orphan]);
}

#[test]
fn an_authority_is_no_candidate_for_kinds_that_it_does_not_speak_for() {
    let stray = IdentityRow { kind: IdentityKind::External, ..mail("x", "ext@example.com") };
    let resolved = run(&[directory(vec![account("a", "ext@example.com")])], &[hr(vec![person("p"), stray], vec![])]);
    assert_eq!((states(&resolved), resolved.people.rows().len()), (vec![MatchState::Orphan], 2));
}

#[test]
fn unowned_means_that_the_owner_left_or_is_nobody() {
    let entry =
        |id: &str, owner: Option<&str>| IdentityRow { kind: IdentityKind::Workload, owner_ref: owner.map(str::to_owned), ..person(id) };
    let people = || {
        hr(
            vec![mail("p", "here@example.com"), mail("q", "gone@example.com")],
            vec![employed(0, None, None), employed(1, None, Some(day(50)))],
        )
    };
    let entries = || {
        vec![
            entry("w1", Some("here@example.com")),
            entry("w2", Some("Q")),
            entry("w3", Some("team 7")),
            entry("w4", None),
            entry("w5", None),
        ]
    };
    let mut accounts: Vec<AccountRow> = ["w1", "w2", "w3", "w4", "w5"].map(|w| account(w, w)).to_vec();
    accounts[4].owner_ref = text("here@example.com");
    let resolved = run(&[directory(accounts.clone())], &[people(), registry(entries())]);
    use MatchState::{Linked, NotEvaluated, Unowned};
    assert_eq!(states(&resolved), [Linked, Unowned, Unowned, Unowned, Linked]);
    assert_eq!(resolved.account_state.iter().map(|s| s.owner_identity_ix).collect::<Vec<_>>(), [Some(0), Some(1), None, None, Some(0)]);
    // A registry that never states an owner is not asked for one, and without an authority for people nobody can tell.
    let silent = registry(vec![entry("w3", None), entry("w4", None)]);
    assert_eq!(states(&run(&[directory(accounts[2..4].to_vec())], &[people(), silent])), [Linked, Linked]);
    assert_eq!(states(&run(&[directory(accounts[1..2].to_vec())], &[registry(entries())])), [Linked]);
    assert_eq!(states(&run(&[directory(accounts[1..2].to_vec())], &[people()]))[0], MatchState::Orphan);
    let service = AccountRow { kind: AccountKind::Service, ..accounts[1].clone() };
    assert_eq!(states(&run(&[directory(vec![service])], &[people()])), [NotEvaluated]);
}

#[test]
fn an_entry_that_has_itself_ended_makes_a_ghost() {
    let entry = IdentityRow { kind: IdentityKind::Workload, status: IdentityStatus::Left, ..person("w1") };
    assert_eq!(states(&run(&[directory(vec![account("w1", "w1")])], &[registry(vec![entry])])), [MatchState::Ghost]);
}

#[test]
fn an_owner_may_be_named_by_an_account_of_the_same_directory() {
    let manager = AccountRow {
        email: text("boss@example.com"),
        attributes: text(r#"{"dn":"CN=Boss,OU=Staff,DC=example,DC=com"}"#),
        ..account("guid-1", "boss")
    };
    let owned = |id: &str, owner: &str| AccountRow { owner_ref: text(owner), kind: AccountKind::Service, ..account(id, id) };
    let accounts =
        vec![manager, owned("guid-2", "cn=boss,ou=staff,dc=example,dc=com"), owned("guid-3", "GUID-1"), owned("guid-4", "CN=Else")];
    let resolved = run(&[directory(accounts)], &[hr(vec![mail("p", "boss@example.com")], vec![])]);
    assert_eq!(resolved.account_state.iter().map(|s| s.owner_identity_ix).collect::<Vec<_>>(), [None, Some(0), Some(0), None]);
}

#[test]
fn rule_11_9_credentials_count_where_the_snapshot_covers_them() {
    let credential =
        CredentialRow { account_ix: Some(0), kind: CredentialKind::ApiToken, status: CredentialStatus::Active, ..CredentialRow::default() };
    let mut system = SystemInput { credentials: vec![credential], ..directory(vec![account("a", "a"), account("b", "b")]) };
    let can = |s: &SystemInput| run(std::slice::from_ref(s), &[]).account_state.iter().map(|a| a.can_authenticate).collect::<Vec<_>>();
    assert_eq!(can(&system), [Answer::Unknown, Answer::Unknown]);
    system.covers.insert("credentials".into());
    assert_eq!(can(&system), [Answer::Yes, Answer::No]);
}
