//! Groups: closure (11.7).

use super::*;

fn group(native_id: &str, level: Level) -> GroupRow {
    GroupRow { native_id: native_id.into(), name: text(&native_id.to_uppercase()), level, ..GroupRow::default() }
}

fn entitlement(level: Level, risks: Option<&str>) -> EntitlementRow {
    EntitlementRow { level, risks: risks.map(str::to_owned), ..EntitlementRow::default() }
}

fn nested(member: u32, group_ix: u32) -> MembershipRow {
    MembershipRow { member_group_ix: Some(member), principal_kind: PrincipalKind::Group, group_ix, ..MembershipRow::default() }
}

fn joined(account: u32, group_ix: u32, kind: MembershipKind) -> MembershipRow {
    MembershipRow { account_ix: Some(account), group_ix, kind, ..MembershipRow::default() }
}

fn granted(group_ix: u32, entitlement_ix: u32) -> GrantRow {
    GrantRow { group_ix: Some(group_ix), principal_kind: PrincipalKind::Group, entitlement_ix, ..GrantRow::default() }
}

fn grouped(
    groups: Vec<GroupRow>,
    memberships: Vec<MembershipRow>,
    entitlements: Vec<EntitlementRow>,
    grants: Vec<GrantRow>,
) -> SystemInput {
    let mut system = SystemInput { groups, memberships, entitlements, grants, ..directory(vec![account("a", "a"), account("b", "b")]) };
    (0..).zip(&mut system.groups).for_each(|(i, g)| g.group_ix = i);
    (0..).zip(&mut system.entitlements).for_each(|(i, e)| e.entitlement_ix = i);
    system
}

fn reach(system: &SystemInput) -> Vec<GroupReachRow> {
    run(std::slice::from_ref(system), &[]).group_reach
}

#[test]
fn rule_11_7_a_member_holds_what_the_groups_above_hold() {
    let system = grouped(
        vec![group("a", Level::None), group("b", Level::None), group("c", Level::None)],
        vec![nested(0, 1), nested(1, 2), joined(0, 0, MembershipKind::Direct), joined(1, 1, MembershipKind::Primary)],
        vec![entitlement(Level::Read, None), entitlement(Level::Admin, Some("privilege-escalation"))],
        vec![granted(0, 0), granted(2, 1)],
    );
    let rows = reach(&system);
    assert_eq!((rows[0].level, rows[0].path.as_str(), rows[0].level_group_ix), (Level::Admin, "A > B > C", 2));
    assert_eq!((rows[0].level_entitlement_ix, rows[0].entitlements, rows[0].ancestors.as_deref()), (Some(1), 2, Some("1,2")));
    assert_eq!(rows[0].risks.as_deref(), Some("privilege-escalation"));
    // Kind `primary` leads up and is not counted as a member.
    assert_eq!(rows.iter().map(|r| r.members).collect::<Vec<_>>(), [1, 1, 1]);
    let groups = Groups::new(&system);
    assert_eq!(groups.transitive_members(2, Primary::Counted), [0, 1]);
    assert_eq!(groups.transitive_members(2, Primary::LeftOut), [0]);
    assert_eq!((groups.path(1, 2), groups.path(1, 0)), (Some(vec![1, 2]), None));
    assert_eq!(groups.path_text(&groups.path(0, 2).unwrap()), "A > B > C");
    assert_eq!(groups.ancestors(0), [1, 2]);
}

#[test]
fn rule_11_7_cycles_are_collapsed() {
    let system = grouped(
        vec![group("a", Level::None), group("b", Level::None), group("c", Level::Write), group("d", Level::Unknown)],
        vec![nested(0, 1), nested(1, 0), nested(1, 2), nested(3, 3), joined(0, 0, MembershipKind::Direct)],
        vec![],
        vec![],
    );
    let rows = reach(&system);
    assert_eq!(rows.iter().map(|r| r.cycle).collect::<Vec<_>>(), [true, true, false, true]);
    assert_eq!(
        (rows[0].ancestors.as_deref(), rows[1].ancestors.as_deref(), rows[3].ancestors.as_deref()),
        (Some("1,2"), Some("0,2"), None)
    );
    assert_eq!((rows[0].level, rows[1].members, rows[3].level), (Level::Write, 1, Level::Unknown));
}

#[test]
fn rule_11_7_denials_and_boundaries_raise_nothing() {
    let mut grants = vec![granted(0, 0), granted(0, 1)];
    grants[0].effect = Effect::Deny;
    grants[1].effect = Effect::Boundary;
    let rows = reach(&grouped(vec![group("a", Level::None)], vec![], vec![entitlement(Level::Admin, Some("r")); 2], grants));
    assert_eq!((rows[0].level, rows[0].entitlements, rows[0].risks.as_deref()), (Level::None, 0, None));
}

#[test]
fn rule_11_7_an_assumable_role_is_one_node_in_both_tables() {
    // b may assume role r (an account and a group of one native id); r may assume role s.
    let mut system = grouped(
        vec![GroupRow { kind: "role".into(), ..group("r", Level::None) }, GroupRow { kind: "role".into(), ..group("s", Level::None) }],
        vec![joined(1, 0, MembershipKind::Assume), joined(2, 1, MembershipKind::Assume)],
        vec![entitlement(Level::Admin, None)],
        vec![granted(1, 0)],
    );
    system.accounts.push(AccountRow { account_ix: 2, kind: AccountKind::Role, ..account("r", "r") });
    let rows = reach(&system);
    assert_eq!((rows[0].level, rows[0].path.as_str(), rows[0].ancestors.as_deref()), (Level::Admin, "R > S", Some("1")));
    assert_eq!(rows.iter().map(|r| r.members).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((Groups::new(&system).path(1, 1), Groups::new(&system).path(2, 0)), (Some(vec![0, 1]), Some(vec![0])));
}

#[test]
fn conditional_means_that_no_unconditional_way_gives_it() {
    let condition = text("{}");
    let mut system = grouped(
        vec![group("a", Level::None), group("b", Level::None), group("c", Level::None), group("d", Level::None)],
        vec![MembershipRow { condition, ..nested(0, 1) }, nested(2, 3)],
        vec![entitlement(Level::Admin, Some("x")), EntitlementRow { conditional: true, ..entitlement(Level::Admin, Some("y")) }],
        vec![granted(1, 0), granted(3, 0), granted(3, 1)],
    );
    let told = |s: &SystemInput| reach(s).iter().map(|r| (r.level, r.conditional, r.level_entitlement_ix)).collect::<Vec<_>>();
    assert_eq!(
        told(&system),
        [(Level::Admin, true, Some(0)), (Level::Admin, false, Some(0)), (Level::Admin, true, Some(0)), (Level::Admin, true, Some(0))]
    );
    // Another way that holds without a condition is the one shown, even if it is longer.
    system.memberships.extend([nested(0, 2), nested(2, 1)]);
    system.entitlements[1].risks = None;
    assert_eq!((told(&system)[0], reach(&system)[0].path.as_str()), ((Level::Admin, false, Some(0)), "A > C > B"));
}

#[test]
fn configured_levels_fill_in_the_unknown_and_raise_the_low() {
    let system = grouped(vec![group("Backup Ops", Level::Unknown), group("Backup Readers", Level::Admin)], vec![], vec![], vec![]);
    let set = |level| PrivilegedGroup { systems: vec!["a*".into()], name: "backup *".into(), level };
    let settings = |level| Settings { privileged_groups: vec![set(level)], ..Settings::default() };
    let levels = |level| {
        resolve(std::slice::from_ref(&system), &[], &settings(level)).unwrap().group_reach.iter().map(|r| r.level).collect::<Vec<_>>()
    };
    assert_eq!(levels(Level::Write), [Level::Write, Level::Admin]);
    assert_eq!(levels(Level::None), [Level::None, Level::Admin]);
}

#[test]
fn rule_11_7_a_chain_of_a_hundred_thousand_groups_is_closed() {
    let n = 100_000;
    let groups = (0..n).map(|i| group(&format!("g{i:06}"), if i == n - 1 { Level::Admin } else { Level::None })).collect();
    let mut memberships: Vec<MembershipRow> = (1..n).map(|i| nested(i - 1, i)).collect();
    memberships.push(joined(0, 0, MembershipKind::Direct));
    let rows = reach(&grouped(groups, memberships, vec![], vec![]));
    assert!(rows.iter().all(|r| r.level == Level::Admin && r.members == 1));
    assert_eq!(rows[0].ancestors.as_deref(), Some(">1000"));
    assert!(rows[0].path.ends_with("G000014 > (99984 more) > G099999"), "{}", rows[0].path);
    assert_eq!(rows[n as usize - 3].ancestors.as_deref(), Some("99998,99999"));
}
