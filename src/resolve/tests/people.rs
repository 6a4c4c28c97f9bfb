//! People: employments, absence, joins (11.5).

use super::*;

#[test]
fn rule_11_5_a_dated_end_is_exact_and_its_known_time_is_the_authoritys_or_an_interval() {
    let left = |stated| {
        let employments = vec![EmploymentRow { end_known_at: stated, ..employed(0, None, Some(day(90))) }];
        AuthorityInput {
            history: vec![past(80, vec![person("p")], vec![employed(0, None, None)]), past(95, vec![person("p")], employments.clone())],
            ..hr(vec![person("p")], employments)
        }
    };
    let row = only_person(left(Some(day(85))));
    assert_eq!((row.standing, row.left_after, row.left_by, row.left_exact), (Standing::Left, None, Some(day(90)), true));
    assert_eq!((row.known_after, row.known_by), (None, Some(day(85))));
    let row = only_person(left(None));
    assert_eq!((row.known_after, row.known_by), (Some(day(80)), Some(day(95))));
}

#[test]
fn rule_11_5_in_the_first_file_an_end_was_known_by_then() {
    let row = only_person(hr(vec![person("p")], vec![employed(0, None, Some(day(90)))]));
    assert_eq!((row.known_after, row.known_by), (None, Some(day(100))));
}

#[test]
fn rule_11_5_a_corrected_end_is_known_since_the_correction() {
    let authority = AuthorityInput {
        history: vec![past(80, vec![person("p")], vec![employed(0, None, Some(day(95)))])],
        ..hr(vec![person("p")], vec![employed(0, None, Some(day(90)))])
    };
    let row = only_person(authority);
    assert_eq!((row.left_by, row.known_after, row.known_by), (Some(day(90)), Some(day(80)), Some(day(100))));
}

#[test]
fn rule_11_5_left_without_a_date_is_an_interval_or_unknown_in_the_first_file() {
    let gone = || IdentityRow { status: IdentityStatus::Left, ..person("p") };
    let row = only_person(hr(vec![gone()], vec![]));
    assert_eq!((row.standing, row.left_after, row.left_by, row.left_exact), (Standing::Left, None, Some(day(100)), false));
    let undated = EmploymentRow { ended_undated: true, ..employed(0, Some(day(1)), None) };
    let authority = AuthorityInput {
        history: vec![
            past(70, vec![person("p")], vec![employed(0, Some(day(1)), None)]),
            past(80, vec![gone()], vec![undated.clone()]),
            past(90, vec![gone()], vec![undated.clone()]),
        ],
        ..hr(vec![gone()], vec![undated])
    };
    let row = only_person(authority);
    assert_eq!((row.left_after, row.left_by, row.left_exact), (Some(day(70)), Some(day(80)), false));
    assert_eq!((row.known_after, row.known_by), (Some(day(70)), Some(day(80))));
}

#[test]
fn rule_11_5_the_first_files_undated_leaver_counts_for_an_account_of_the_same_instant() {
    let gone = IdentityRow { status: IdentityStatus::Left, ..mail("p", "a@example.com") };
    let resolved = run(&[directory(vec![account("a", "a@example.com")])], &[hr(vec![gone], vec![])]);
    assert_eq!(states(&resolved), [MatchState::Ghost]);
}

#[test]
fn rule_11_5_leave_is_suspended_and_not_left() {
    let away = IdentityRow { status: IdentityStatus::Suspended, ..mail("p", "a@example.com") };
    let resolved = run(&[directory(vec![account("a", "a@example.com")])], &[hr(vec![away], vec![employed(0, Some(day(1)), None)])]);
    assert_eq!(resolved.people.rows()[0].standing, Standing::Suspended);
    assert_eq!(states(&resolved), [MatchState::Linked]);
    assert_eq!((resolved.account_state[0].candidates_suspended, resolved.account_state[0].candidates_left), (1, 0));
}

#[test]
fn rule_11_5_a_future_start_and_a_prehire_without_a_date_have_not_started() {
    assert_eq!(only_person(hr(vec![person("p")], vec![employed(0, Some(day(101)), None)])).standing, Standing::NotStarted);
    let prehire = || IdentityRow { status: IdentityStatus::Prehire, ..person("p") };
    assert_eq!(only_person(hr(vec![prehire()], vec![employed(0, None, None)])).standing, Standing::NotStarted);
    assert_eq!(only_person(hr(vec![prehire()], vec![])).standing, Standing::NotStarted);
}

#[test]
fn rule_11_5_absence_from_a_list_of_those_who_are_here_is_leaving() {
    let authority = |population| AuthorityInput {
        population,
        history: vec![past(80, vec![mail("p", "a@example.com")], vec![]), past(90, vec![], vec![])],
        ..hr(vec![], vec![])
    };
    let systems = [directory(vec![account("a", "a@example.com")])];
    let resolved = run(&systems, &[authority(Population::ActiveOnly)]);
    let row = &resolved.people.rows()[0];
    assert_eq!((row.standing, row.left_after, row.left_by, row.left_exact), (Standing::Left, Some(day(80)), Some(day(90)), false));
    assert_eq!((row.known_after, row.known_by, row.source_ix), (Some(day(80)), Some(day(90)), GONE_SOURCE_IX));
    assert_eq!(states(&resolved), [MatchState::Ghost]);
    // A list of everybody that drops somebody says nothing of them.
    let resolved = run(&systems, &[authority(Population::All)]);
    assert_eq!((resolved.people.rows().len(), states(&resolved)), (0, vec![MatchState::Orphan]));
}

#[test]
fn rule_11_5_absence_keeps_a_date_that_came_before_it_and_overrides_a_later_one() {
    let authority = |ends| AuthorityInput {
        population: Population::ActiveOnly,
        history: vec![past(80, vec![person("p")], vec![employed(0, None, Some(day(ends)))])],
        ..hr(vec![], vec![])
    };
    let row = only_person(authority(85));
    assert_eq!((row.left_by, row.left_exact), (Some(day(85)), true));
    let row = only_person(authority(300));
    assert_eq!((row.left_after, row.left_by, row.left_exact), (Some(day(80)), Some(day(100)), false));
}

#[test]
fn rule_11_5_reappearing_is_a_rehire() {
    let authority = AuthorityInput {
        population: Population::ActiveOnly,
        history: vec![past(70, vec![person("p")], vec![]), past(80, vec![], vec![])],
        ..hr(vec![person("p")], vec![])
    };
    let resolved = run(&[], &[authority]);
    let row = &resolved.people.rows()[0];
    assert_eq!((row.standing, row.left_by, row.active_since), (Standing::Active, None, Some(day(100))));
    let at = |n| resolved.people.standing(0, day(n), Seen::BySystem).unwrap().standing;
    assert_eq!(
        [at(69), at(75), at(80), at(90), at(100)],
        [Standing::Active, Standing::Unknown, Standing::Left, Standing::Unknown, Standing::Active]
    );
}

#[test]
fn rule_11_5_a_dated_rehire_covers() {
    let spans = vec![employed(0, Some(day(1)), Some(day(50))), employed(0, Some(day(60)), None)];
    let row = only_person(hr(vec![person("p")], spans));
    assert_eq!((row.standing, row.left_by, row.active_since), (Standing::Active, None, Some(day(60))));
}

#[test]
fn rule_11_5_empty_and_reversed_spans_do_no_harm() {
    for (start, end) in [(90, 90), (95, 90), (200, 90)] {
        let row = only_person(hr(vec![person("p")], vec![employed(0, Some(day(start)), Some(day(end)))]));
        assert_eq!(row.standing, Standing::Left, "{start} {end}");
    }
}

#[test]
fn rule_11_5_one_person_in_two_authorities_joins_only_by_a_declared_key() {
    let agency = |refs: &[&str]| AuthorityInput {
        system_ix: 1,
        system: "agency".into(),
        kinds: vec![IdentityKind::External, IdentityKind::Person],
        ..hr(refs.iter().map(|r| IdentityRow { link_ref: text(r), ..mail(&format!("x{r}"), "a@agency.example") }).collect(), vec![])
    };
    let people =
        || hr(vec![IdentityRow { employee_number: text("001"), ..mail("p", "a@example.com") }], vec![employed(0, None, Some(day(50)))]);
    let systems = [directory(vec![account("a", "a@agency.example"), account("b", "a@example.com")])];
    assert_eq!(run(&systems, &[people(), agency(&["001"])]).people.rows().len(), 2);
    let link = IdentityLink { from: "agency".into(), from_column: "link_ref".into(), to: "hr".into(), to_column: "employee_number".into() };
    let settings = Settings { identity_links: vec![link], ..Settings::default() };
    let joined = resolve(&systems, &[people(), agency(&["001"])], &settings).unwrap();
    assert_eq!(joined.people.rows().len(), 1);
    let row = &joined.people.rows()[0];
    // The agency's open employment is united with the one that HR ended.
    assert_eq!((row.identity.as_str(), row.standing, row.accounts_linked), ("p", Standing::Active, 2));
    assert_eq!((joined.people.identity_of(0, 0), joined.people.identity_of(1, 0)), (Some(0), Some(0)));
    // `1` is another number than `001`.
    assert_eq!(resolve(&systems, &[people(), agency(&["1"])], &settings).unwrap().people.rows().len(), 2);
    // Two live records for one number are reported and left unjoined.
    let twice = resolve(
        &systems,
        &[
            people(),
            AuthorityInput {
                identities: numbered(vec![
                    IdentityRow { link_ref: text("001"), ..person("x1") },
                    IdentityRow { link_ref: text("001"), ..person("x2") },
                ]),
                ..agency(&[])
            },
        ],
        &settings,
    )
    .unwrap();
    assert_eq!(twice.people.rows().len(), 3);
    let told: Vec<(&str, &str)> = twice.people.unjoined().iter().map(|u| (u.identity.as_str(), u.reason.as_str())).collect();
    assert_eq!(told, [("x1", "several records hold the key"), ("x2", "several records hold the key")]);
}
