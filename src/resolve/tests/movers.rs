//! Moves from lists and logs, and what is judged by them.

use super::*;
use crate::model::{Began, Fit, MoverAccessRow, MoverRow, RoleModelRow};

fn posted(id: &str, title: Option<&str>, unit: Option<&str>) -> IdentityRow {
    IdentityRow { title: title.and_then(text), org_unit: unit.and_then(text), ..person(id) }
}

fn stated(id: &str, effective: i64, known: i64) -> StatedMove {
    StatedMove { identity: id.into(), effective_at: day(effective), known_by: day(known) }
}

/// Lists of days 10, 50 and 100 with one person, by title; `None`: not listed.
fn moved(titles: [Option<&str>; 3], moves: Vec<StatedMove>) -> Vec<MoverRow> {
    let listed = |t: Option<&str>| t.map(|t| posted("p", Some(t), Some("u"))).into_iter().collect::<Vec<_>>();
    let authority = AuthorityInput {
        population: Population::ActiveOnly,
        history: vec![past(10, listed(titles[0]), vec![]), past(50, listed(titles[1]), vec![])],
        moves,
        ..hr(listed(titles[2]), vec![])
    };
    let resolved = run(&[], std::slice::from_ref(&authority));
    movers(&[authority], &resolved.people)
}

/// (after, by, exact, from, to), days.
type Seen<'a> = (Option<i64>, i64, bool, Option<&'a str>, Option<&'a str>);

fn seen(rows: &[MoverRow]) -> Vec<Seen<'_>> {
    let n = |t: Time| (t.micros() - DAY / 2) / DAY;
    rows.iter().map(|m| (m.moved_after.map(n), n(m.moved_by), m.exact, m.from_title.as_deref(), m.to_title.as_deref())).collect()
}

#[test]
fn rule_11_5_a_change_between_two_lists_is_an_interval() {
    assert_eq!(seen(&moved([Some("a"), Some("b"), Some("b")], vec![])), [(Some(10), 50, false, Some("a"), Some("b"))]);
    assert_eq!(seen(&moved([Some("a"), Some(" A "), Some("a")], vec![])), []);
    // Whoever was away in between moved between the lists that have them.
    assert_eq!(seen(&moved([Some("a"), None, Some("b")], vec![])), [(Some(10), 100, false, Some("a"), Some("b"))]);
    let twice = moved([Some("a"), Some("b"), Some("a")], vec![]);
    assert_eq!(seen(&twice), [(Some(10), 50, false, Some("a"), Some("b")), (Some(50), 100, false, Some("b"), Some("a"))]);
    assert_eq!(twice.iter().map(|m| m.move_ix).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn rule_11_5_the_log_dates_a_move_and_tells_of_more() {
    let two = [Some("a"), Some("a"), Some("b")];
    assert_eq!(seen(&moved(two, vec![stated("p", 70, 60)])), [(None, 70, true, Some("a"), Some("b"))]);
    // Entered late: it took effect before the list showed it. Entered ahead: the list shows it before its day.
    assert_eq!(seen(&moved(two, vec![stated("p", 40, 60)])), [(None, 40, true, Some("a"), Some("b"))]);
    assert_eq!(seen(&moved(two, vec![stated("p", 120, 90)])), [(None, 120, true, Some("a"), Some("b"))]);
    // Of two between two lists, the first one's goal and the second one's origin are not seen.
    let both = moved(two, vec![stated("p", 60, 60), stated("p", 80, 80)]);
    assert_eq!(seen(&both), [(None, 60, true, Some("a"), None), (None, 80, true, None, Some("b"))]);
    // One of before every list, and one that changed nothing that is listed.
    assert_eq!(seen(&moved([Some("a"); 3], vec![stated("p", 5, 5)])), [(None, 5, true, None, Some("a"))]);
    assert_eq!(seen(&moved([Some("a"); 3], vec![stated("p", 60, 60)])), [(None, 60, true, Some("a"), Some("a"))]);
    assert_eq!(seen(&moved([Some("a"); 3], vec![stated("q", 60, 60)])), []);
}

#[test]
fn a_title_that_one_list_does_not_state_is_no_move() {
    let authority = AuthorityInput {
        history: vec![past(10, vec![posted("p", None, Some("u"))], vec![])],
        ..hr(vec![posted("p", Some("a"), None)], vec![])
    };
    let resolved = run(&[], std::slice::from_ref(&authority));
    assert!(movers(&[authority], &resolved.people).is_empty());
}

/// One grant of one account of somebody who moved from `a` to `b` in (10, 100], or on `exact`; the role of `a` gives it.
fn residual(granted: Option<Time>, exact: Option<i64>, observed: Time, past: &[PastAccess]) -> (MoverAccessRow, Fit) {
    let moves = exact.map(|at| StatedMove { identity: "p".into(), effective_at: day(at), known_by: day(20) });
    let authority = AuthorityInput {
        history: vec![super::past(10, vec![posted("p", Some("a"), Some("u"))], vec![])],
        moves: moves.into_iter().collect(),
        ..hr(vec![IdentityRow { email: text("p@example.com"), ..posted("p", Some("b"), Some("u")) }], vec![])
    };
    let system = SystemInput {
        observed_at: observed,
        entitlements: vec![EntitlementRow { native_id: "e".into(), ..EntitlementRow::default() }],
        grants: vec![GrantRow { account_ix: Some(0), granted_at: granted, ..GrantRow::default() }],
        ..directory(vec![AccountRow { email: text("p@example.com"), ..account("acc", "x") }])
    };
    let role = |id: &str, title: &str, right: &str| RoleModelRow {
        role: id.into(),
        title_norm: text(title),
        system: text("ad"),
        entitlement_ref: text(right),
        ..RoleModelRow::default()
    };
    let catalogues = [CatalogueInput { system_ix: 9, rows: vec![role("ra", "a", "e"), role("rb", "b", "f")] }];
    let systems = [system];
    let resolved = run(&systems, std::slice::from_ref(&authority));
    let movers = movers(&[authority], &resolved.people);
    let moved = Moved {
        systems: &systems,
        people: &resolved.people,
        candidates: &resolved.account_identity,
        catalogues: &catalogues,
        movers: &movers,
        past,
    };
    let rows = mover_access(&moved, &Settings::default()).unwrap();
    assert_eq!(rows.len(), 1);
    let fit = fits(&systems, &resolved.people, &resolved.account_identity, &catalogues, &movers, &Settings::default()).unwrap();
    (rows[0].clone(), fit.rows[0].fit)
}

#[test]
fn access_began_before_a_move_by_its_date_one_minute_either_side() {
    let began = |granted: Time, exact| residual(Some(granted), exact, day(200), &[]).0.began;
    assert_eq!(began(day(50).plus(-MINUTE), Some(50)), Began::Before);
    assert_eq!(began(day(50), Some(50)), Began::After);
    assert_eq!(began(day(50).plus(MINUTE), Some(50)), Began::After);
    assert_eq!(
        [day(10), day(10).plus(MINUTE), day(100).plus(-MINUTE), day(100)].map(|t| began(t, None)),
        [Began::Before, Began::Unknown, Began::Unknown, Began::After]
    );
}

#[test]
fn access_without_a_date_began_before_a_move_if_the_last_snapshot_before_it_shows_it() {
    let edge = HeldEdge { account: "acc".into(), edge: "grant".into(), target: "e".into(), resource: None };
    let past = |n: i64, held: bool| PastAccess { system_ix: 5, taken_at: day(n), held: held.then(|| edge.clone()).into_iter().collect() };
    let began = |past: &[PastAccess]| residual(None, Some(50), day(200), past).0.began;
    assert_eq!(began(&[]), Began::Unknown);
    assert_eq!(began(&[past(40, true)]), Began::Before);
    assert_eq!(began(&[past(30, true), past(40, false)]), Began::Unknown);
    assert_eq!(began(&[past(50, true)]), Began::Unknown);
}

#[test]
fn rule_11_3_a_move_that_had_yet_to_take_effect_is_judged_by_the_post_before_it() {
    for (observed, before, now) in
        [(day(50).plus(-MINUTE), None, Fit::Inside), (day(50), None, Fit::Inside), (day(50).plus(MINUTE), Some(Fit::Inside), Fit::Outside)]
    {
        let (row, fit) = residual(Some(day(1)), Some(50), observed, &[]);
        assert_eq!((row.fit_before, row.fit_now, fit), (before, now, now), "{observed}");
    }
    assert_eq!(residual(Some(day(1)), Some(50), day(60), &[]).0.roles_before.as_deref(), Some("ra"));
}
