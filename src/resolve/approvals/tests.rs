use proptest::prelude::*;

use super::*;
use crate::model::approvals::{Began, Edge};
use crate::model::{AccountRow, MembershipRow, PrincipalKind};
use crate::model::{ApprovalState, Decision, LogCoverageRow, RequestAction, RevocationRow, TicketState, Time};
use crate::resolve::{Settings, SystemInput, resolve};

fn at(hours: i64) -> Time {
    Time::from_seconds(hours * 3_600).unwrap()
}

/// One account `ann` that is a direct member of `Admins` since then.
fn system(granted_at: Option<Time>, request_ref: Option<&str>) -> SystemInput {
    SystemInput {
        system: "app".into(),
        observed_at: at(1_000),
        accounts: vec![AccountRow { native_id: "a-1".into(), login_norm: Some("ann".into()), ..AccountRow::default() }],
        groups: vec![GroupRow { native_id: "g-1".into(), name_norm: Some("admins".into()), ..GroupRow::default() }],
        memberships: vec![MembershipRow {
            account_ix: Some(0),
            principal_kind: PrincipalKind::Account,
            granted_at,
            request_ref: request_ref.map(str::to_owned),
            ..MembershipRow::default()
        }],
        ..SystemInput::default()
    }
}

fn request(id: &str) -> RequestRow {
    RequestRow {
        request: id.into(),
        action: RequestAction::Grant,
        beneficiary_ref: Some("ann".into()),
        system: Some("app".into()),
        entitlement_ref: Some("Admins".into()),
        state: TicketState::Closed,
        decision: Decision::Approved,
        decided_at: Some(at(100)),
        ..RequestRow::default()
    }
}

struct Asking<'a> {
    requests: &'a [RequestRow],
    first_seen: Option<(Option<Time>, Time)>,
    covered: Option<(Time, Time)>,
}

/// What the requests say of the one edge: the state, the way and the request; and what a request for its end left.
type Said = (ApprovalState, Option<&'static str>, Option<String>);

fn ask(system: SystemInput, asking: &Asking<'_>) -> (Said, Vec<RevocationRow>) {
    let resolved = resolve(std::slice::from_ref(&system), &[], &Settings::default()).unwrap();
    let names = SystemNames::new([(0, "app", [].as_slice())].into_iter());
    let covered = asking.covered.map(|(from, to)| LogCoverageRow { covers_from: from, covers_to: to, ..LogCoverageRow::default() });
    let mut all = requests(asking.requests.iter().map(|r| (7, r)), &names, &resolved.people);
    let account = &system.accounts[0];
    let called = Called {
        native_id: &account.native_id,
        names: [account.login_norm.as_deref(), account.email_norm.as_deref(), account.upn_norm.as_deref()],
    };
    let about = Finder::new(&all, &resolved.people).about(called, &resolved.account_identity);
    let about = if about.is_empty() { Vec::new() } else { vec![(0, about)] };
    let fits = named(&all, "app", &system.groups, &system.entitlements, &[]);
    all.speak_of(0, covered, fits, about);
    let membership = &system.memberships[0];
    let edge = Edge {
        grant: false,
        ix: 0,
        target: membership.group_ix,
        began: Began::new(membership.granted_at, asking.first_seen),
        request_ref: membership.request_ref.as_deref(),
    };
    let of = all.account(0, 0, !resolved.account_identity.is_empty()).unwrap();
    let (state, found) = of.judge(&edge);
    let said = (state, found.map(|f| How::WORDS[f.1 as usize]), found.map(|f| all.asked()[f.0 as usize].row.request.clone()));
    let ending: Vec<(u32, bool)> = all.ending(0).collect();
    let ended = of.ended((0, 0), account.created_at, &[edge]);
    assert!(ended.is_empty() || ending.len() == 1, "an account with something left is among those that are looked at");
    assert!(ended.iter().all(|r| r.edge.is_none()) || ending[0].1, "and its edges, too");
    (said, ended)
}

/// What the requests say of `ann`'s membership that began at `start`, and which one says it.
fn said(start: i64, requests: &[RequestRow]) -> (ApprovalState, Option<String>) {
    let asking = Asking { requests, first_seen: None, covered: Some((at(0), at(900))) };
    let (state, _, request) = ask(system(Some(at(start)), None), &asking).0;
    (state, request)
}

#[test]
fn rule_11_10_an_approval_counts_from_its_decision_to_its_end() {
    let ends = |hours| vec![RequestRow { valid_to: Some(at(hours)), ..request("R-1") }];
    let say = |start, requests: &[RequestRow]| said(start, requests).0;
    assert_eq!(say(100, &ends(200)), ApprovalState::Approved, "at the instant of the decision");
    assert_eq!(say(99, &ends(200)), ApprovalState::Late);
    assert_eq!(say(199, &ends(200)), ApprovalState::Approved);
    assert_eq!(say(200, &ends(200)), ApprovalState::Expired, "an end is the first instant out");
    // Approved after it had expired: it never ran, whatever began when.
    assert_eq!(say(150, &ends(100)), ApprovalState::Expired);
    assert_eq!(say(150, &ends(90)), ApprovalState::Expired);
}

#[test]
fn rule_11_10_what_no_request_names_is_judged_inside_the_coverage_only() {
    let none: &[RequestRow] = &[];
    assert_eq!(said(0, none).0, ApprovalState::Nothing, "the first instant that is covered");
    assert_eq!(said(-1, none).0, ApprovalState::BeforeCoverage);
    assert_eq!(said(901, none).0, ApprovalState::BeforeCoverage, "the log ends before it");
    let rejected = RequestRow { decision: Decision::Rejected, decided_at: Some(at(500)), ..request("R-1") };
    let (state, named) = said(-1, std::slice::from_ref(&rejected));
    assert_eq!((state, named.as_deref()), (ApprovalState::BeforeCoverage, Some("R-1")), "it may rest on an approval from before the log");
    assert_eq!(said(0, &[rejected]).0, ApprovalState::Rejected);
    let rows = |system, first_seen, covered| ask(system, &Asking { requests: none, first_seen, covered }).0.0;
    let covered = Some((at(10), at(900)));
    assert_eq!(rows(system(None, None), None, covered), ApprovalState::BeforeCoverage, "nobody knows when it began");
    let seen = |after: Option<i64>, by| rows(system(None, None), Some((after.map(at), at(by))), covered);
    assert_eq!(seen(None, 50), ApprovalState::BeforeCoverage, "there in the first snapshot");
    assert_eq!(seen(Some(9), 50), ApprovalState::BeforeCoverage, "it may have begun before the log");
    assert_eq!(seen(Some(10), 50), ApprovalState::Nothing);
    assert_eq!(rows(system(Some(at(50)), None), None, None), ApprovalState::NotCovered);
}

#[test]
fn rule_11_10_an_interval_counts_for_the_account() {
    let interval = |requests: &[RequestRow], after, by| {
        let asking = Asking { requests, first_seen: Some((Some(at(after)), at(by))), covered: Some((at(0), at(900))) };
        ask(system(None, None), &asking).0.0
    };
    // Decided inside the interval: it may have begun after that.
    assert_eq!(interval(&[request("R-1")], 90, 110), ApprovalState::Approved);
    assert_eq!(interval(&[request("R-1")], 80, 99), ApprovalState::Late);
    let ended = [RequestRow { valid_to: Some(at(120)), ..request("R-1") }];
    assert_eq!(interval(&ended, 119, 140), ApprovalState::Approved);
    assert_eq!(interval(&ended, 120, 140), ApprovalState::Expired);
}

#[test]
fn rule_11_10_a_reference_counts_for_whom_the_ticket_is() {
    let covered = Some((at(0), at(900)));
    let say = |requests: &[RequestRow]| {
        let said = ask(system(Some(at(150)), Some("r-1")), &Asking { requests, first_seen: None, covered }).0;
        (said.0, said.1)
    };
    // The reference is enough where the ticket names neither right nor system.
    let bare = RequestRow { entitlement_ref: None, system: None, ..request("R-1") };
    assert_eq!(say(std::slice::from_ref(&bare)), (ApprovalState::Approved, Some("reference")));
    let of_bob = RequestRow { beneficiary_ref: Some("bob".into()), ..bare.clone() };
    assert_eq!(say(&[of_bob]), (ApprovalState::Approved, Some("reference")), "an account that nobody knows and a name that nobody knows");
    let nameless = RequestRow { beneficiary_ref: None, ..bare };
    assert_eq!(say(&[nameless]).0, ApprovalState::Approved);
    assert_eq!(say(&[request("R-2")]).1, Some("entitlement"), "a reference to a ticket that is not there leaves the others");
    assert_eq!(say(&[]), (ApprovalState::Nothing, None));
}

#[test]
fn rule_11_10_a_ticket_without_a_right_is_of_the_account() {
    let nameless = RequestRow { entitlement_ref: None, ..request("R-1") };
    assert_eq!(said(150, std::slice::from_ref(&nameless)), (ApprovalState::AccountLevel, Some("R-1".into())));
    let rejected = RequestRow { decision: Decision::Rejected, ..request("R-2") };
    assert_eq!(
        said(150, &[nameless.clone(), rejected]),
        (ApprovalState::Rejected, Some("R-2".into())),
        "what was refused by name is refused"
    );
    let without_system = RequestRow { system: None, ..nameless };
    assert_eq!(said(150, &[without_system]).0, ApprovalState::Nothing, "a ticket that names neither approves nothing");
}

#[test]
fn rule_11_10_an_alias_names_what_it_stands_for_and_a_name_goes_first() {
    let mut all = Approvals::default();
    for (at, right) in ["Domain Admins", "g-1", "Admins"].into_iter().enumerate() {
        let row = RequestRow { entitlement_ref: Some(right.to_owned()), ..request(&format!("R-{at}")) };
        all.push(7, row, Some(0), Vec::new());
    }
    let alias = |systems: &[&str]| EntitlementAlias {
        systems: systems.iter().map(|s| (*s).to_owned()).collect(),
        name: "ADMINS".into(),
        aliases: vec!["domain admins".into(), "g-1".into()],
    };
    let groups = [GroupRow { native_id: "g-0".into(), ..GroupRow::default() }, system(None, None).groups.remove(0)];
    let entitlement = EntitlementRow { native_id: "Admins".into(), ..EntitlementRow::default() };
    let of = |aliases: &[EntitlementAlias]| named(&all, "app", &groups, std::slice::from_ref(&entitlement), aliases);
    // (word, is it a grant, group or entitlement): the first group is named by nobody.
    let own = [((1, false, 1), How::Entitlement), ((2, false, 1), How::Entitlement), ((2, true, 0), How::Entitlement)];
    assert_eq!(of(&[]), BTreeMap::from(own));
    assert_eq!(of(&[alias(&["crm"])]), BTreeMap::from(own), "of another system");
    let further = [((0, false, 1), How::Alias), ((0, true, 0), How::Alias), ((1, true, 0), How::Alias)];
    assert_eq!(of(&[alias(&["a*"])]), own.into_iter().chain(further).collect());
}

#[test]
fn rule_11_10_the_best_request_speaks() {
    let late = RequestRow { decided_at: Some(at(200)), ..request("R-3") };
    let pending = RequestRow { decision: Decision::Pending, decided_at: None, ..request("R-0") };
    assert_eq!(said(150, &[pending.clone(), late.clone()]), (ApprovalState::Late, Some("R-3".into())));
    assert_eq!(said(150, &[pending.clone(), late, request("R-2"), request("R-1")]), (ApprovalState::Approved, Some("R-1".into())));
    assert_eq!(said(150, &[pending]).0, ApprovalState::Pending);
    for (change, why) in [
        (RequestRow { action: RequestAction::Revoke, ..request("R-1") }, "a request for the end"),
        (RequestRow { state: TicketState::Cancelled, ..request("R-1") }, "a withdrawn one"),
        (RequestRow { system: Some("wiki".into()), ..request("R-1") }, "another system"),
        (RequestRow { entitlement_ref: Some("Readers".into()), ..request("R-1") }, "another right"),
        (RequestRow { beneficiary_ref: Some("bob".into()), ..request("R-1") }, "somebody else"),
    ] {
        assert_eq!(said(150, &[change]).0, ApprovalState::Nothing, "{why} approves nothing");
    }
    let unsaid = RequestRow { action: RequestAction::Unknown, ..request("R-1") };
    assert_eq!(said(150, &[unsaid]).0, ApprovalState::Approved, "a request asks for access unless it says otherwise");
}

#[test]
fn rule_11_10_a_request_for_the_end_names_what_is_still_there() {
    let revoke = |entitlement: Option<&str>| RequestRow {
        action: RequestAction::Revoke,
        entitlement_ref: entitlement.map(str::to_owned),
        closed_at: Some(at(200)),
        ..request("R-1")
    };
    let left = |system: SystemInput, requests: &[RequestRow]| {
        let rows = ask(system, &Asking { requests, first_seen: None, covered: None }).1;
        rows.into_iter().map(|r| (r.edge, r.regranted)).collect::<Vec<_>>()
    };
    let edge = Some("membership".to_owned());
    assert_eq!(left(system(Some(at(150)), None), &[revoke(Some("g-1"))]), [(edge.clone(), false)]);
    assert_eq!(left(system(Some(at(200)), None), &[revoke(Some("g-1"))]), [(edge.clone(), false)]);
    assert_eq!(left(system(Some(at(201)), None), &[revoke(Some("g-1"))]), [(edge, true)], "given again since");
    assert_eq!(left(system(None, None), &[revoke(None)]), [(None, false)], "the account as a whole");
    assert!(left(system(None, None), &[revoke(Some("Readers"))]).is_empty());
    let refused = RequestRow { decision: Decision::Rejected, ..revoke(None) };
    let withdrawn = RequestRow { state: TicketState::Cancelled, ..revoke(None) };
    assert!(left(system(None, None), &[refused, withdrawn]).is_empty());
}

/// The state of one request for one exact start, spelled out.
fn plainly(r: &RequestRow, start: i64) -> ApprovalState {
    let start = at(start);
    if r.decision == Decision::Rejected {
        ApprovalState::Rejected
    } else if r.decision != Decision::Approved {
        ApprovalState::Pending
    } else if r.decided_at.is_some_and(|d| d > start) {
        ApprovalState::Late
    } else if r.valid_to.is_some_and(|to| to <= start || r.decided_at.is_some_and(|d| d >= to)) {
        ApprovalState::Expired
    } else {
        ApprovalState::Approved
    }
}

proptest! {
    #[test]
    fn the_order_of_requests_changes_nothing_and_one_approval_is_enough(
        drawn in proptest::collection::vec((0i64..6, proptest::option::of(0i64..6), 0usize..3, 0usize..4), 0..6),
        start in 0i64..6,
        seed in any::<u64>(),
    ) {
        let requests: Vec<RequestRow> = drawn.iter().enumerate().map(|(i, (decided, to, decision, _))| RequestRow {
            decided_at: Some(at(*decided)),
            valid_to: to.map(at),
            decision: [Decision::Approved, Decision::Rejected, Decision::Pending][*decision],
            ..request(&format!("R-{i}"))
        }).collect();
        let mut turned = requests.clone();
        turned.rotate_left(if requests.is_empty() { 0 } else { seed as usize % requests.len() });
        let (state, id) = said(start, &requests);
        prop_assert_eq!((state, id.clone()), said(start, &turned));
        let all: Vec<ApprovalState> = requests.iter().map(|r| plainly(r, start)).collect();
        prop_assert_eq!(state == ApprovalState::Approved, all.contains(&ApprovalState::Approved));
        prop_assert_eq!(state == ApprovalState::Nothing, all.is_empty());
        if let Some(id) = id {
            let spoke = requests.iter().position(|r| r.request == id).unwrap();
            prop_assert_eq!(state, all[spoke]);
        }
    }
}
