//! Slow and obviously right: correlation by nested loops, closure by a distance matrix, standing by looking at one instant. Generated
//! worlds must come out the same as from the stage itself, none of whose parts is used here.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::model::{AccountKind, Effect, IdentityStatus, Level, MatchState, MembershipKind, Standing};

// Correlation

/// A candidate as the oracle sees it: (identity, score in millionths), best first; and whether it is linked.
type Match = (Vec<(u32, i64)>, bool);

/// A login as (domain with its sign, local part).
fn split(login: &str) -> (Option<String>, String) {
    if let Some((domain, local)) = login.split_once('\\').filter(|(_, l)| !l.is_empty()) {
        return (Some(format!("{domain}\\")), local.to_owned());
    }
    match login.rsplit_once('@').filter(|(l, _)| !l.is_empty() && !login.contains('\\')) {
        Some((local, domain)) => (Some(format!("@{domain}")), local.to_owned()),
        None => (None, login.to_owned()),
    }
}

fn logins_agree(a: &str, b: &str) -> bool {
    let ((a_domain, a_local), (b_domain, b_local)) = (split(a), split(b));
    let domains = match (a_domain, b_domain) {
        (Some(a), Some(b)) if a.starts_with('@') == b.starts_with('@') => a == b,
        _ => true,
    };
    a_local == b_local && domains
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// The value on which one rule finds an account and an identity agreed.
fn agreement(rule: &Rule, account: &AccountRow, identity: &IdentityRow) -> Option<String> {
    let mine = match rule.account.as_str() {
        "employee_ref" => account.employee_ref.clone(),
        "email" => account.email.clone(),
        "upn" => account.upn.clone(),
        "login" => account.login.clone(),
        "display_name" => account.display_name.clone(),
        _ => Some(account.native_id.clone()),
    }?;
    let local = split(&mine).1;
    let name = identity.display_name.clone().unwrap_or_default();
    let (given, family) = name.split_once(' ').map_or((String::new(), String::new()), |(g, f)| (letters(g), letters(f)));
    let named = !given.is_empty() && !family.is_empty();
    let equal = |theirs: &Option<String>| (theirs.as_deref() == Some(&mine)).then(|| mine.clone());
    let as_login = |theirs: &str| match theirs {
        t if t == mine => Some(mine.clone()),
        t => logins_agree(&mine, t).then(|| local.clone()),
    };
    match rule.identity.as_str() {
        "native_id" => equal(&Some(identity.native_id.clone())),
        "employee_number" => equal(&identity.employee_number),
        "email" => equal(&identity.email),
        "display_name" => equal(&identity.display_name),
        "login" => identity.login.as_deref().and_then(as_login),
        "alias" => {
            let all: Vec<String> = serde_json::from_str(identity.aliases.as_deref().unwrap_or("[]")).unwrap();
            if rule.account == "email" {
                return all.contains(&mine).then_some(mine);
            }
            let hits: Vec<String> = all.iter().filter_map(|a| as_login(a)).collect();
            hits.iter().find(|h| **h == mine).or(hits.first()).cloned()
        }
        "email_local" => identity.email.as_deref().is_some_and(|e| split(e).1 == local).then_some(local),
        "given_family" => (named && letters(&local) == format!("{given}{family}")).then_some(local),
        _ => (named && letters(&local) == format!("{}{family}", given.chars().next().unwrap())).then_some(local),
    }
}

/// The candidates of an account, by asking every rule of every identity.
fn correlate_slowly(rules: &Rules, account: &AccountRow, identities: &[IdentityRow]) -> Match {
    let tiers: BTreeSet<u32> = rules.rules.iter().map(|r| r.tier).collect();
    let mut asked: Vec<&Rule> = Vec::new();
    let mut scored = BTreeMap::new();
    for tier in tiers {
        asked.extend(rules.rules.iter().filter(|r| r.tier == tier));
        scored = identities.iter().map(|i| (i.identity_ix, score(&asked, account, i))).collect::<BTreeMap<u32, (f64, bool, bool)>>();
        let certain: Vec<u32> =
            scored.iter().filter(|(_, (score, name_only, _))| *score >= rules.certain && !name_only).map(|(ix, _)| *ix).collect();
        match certain.as_slice() {
            [only] => return (vec![(*only, millionths(scored[only].0))], true),
            [] => {}
            _ => break,
        }
    }
    let referred = scored.values().any(|(.., referred)| *referred);
    let mut kept: Vec<(u32, i64)> = scored
        .iter()
        .filter(|(_, (score, name_only, _))| *score >= rules.possible && !(referred && *name_only))
        .map(|(ix, (score, ..))| (*ix, millionths(*score)))
        .collect();
    kept.sort_by_key(|(ix, score)| (-score, *ix));
    (kept, false)
}

/// Score, whether only names speak for it, whether the employee reference does.
fn score(rules: &[&Rule], account: &AccountRow, identity: &IdentityRow) -> (f64, bool, bool) {
    let agreed: Vec<(&Rule, String)> = rules.iter().filter_map(|r| Some((*r, agreement(r, account, identity)?))).collect();
    let values: BTreeSet<&String> = agreed.iter().map(|(_, value)| value).collect();
    let mut doubt = 1.0;
    for value in values {
        let best = agreed.iter().filter(|(_, v)| v == value).map(|(r, _)| r.weight).fold(0.0, f64::max);
        doubt *= 1.0 - best;
    }
    let names = ["display_name", "given_family", "initial_family"];
    let name_only = agreed.iter().all(|(r, _)| names.contains(&r.identity.as_str()));
    let score = if agreed.is_empty() { 0.0 } else { 1.0 - doubt };
    // Compared as the stage compares: to six decimals.
    (millionths(score) as f64 / 1e6, name_only, agreed.iter().any(|(r, _)| r.account == "employee_ref"))
}

fn millionths(score: f64) -> i64 {
    (score * 1e6).round() as i64
}

/// Few values in many spellings, so that collisions are the rule.
fn some(values: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    prop::option::weighted(0.6, prop::sample::select(values)).prop_map(|v| v.map(str::to_owned))
}

const LOGINS: &[&str] = &[
    "ann",
    "bob",
    "ann.lee",
    "alee",
    "corp\\ann",
    "lab\\ann",
    "ann@x.example",
    "ann@y.example",
    "ann.lee@x.example",
    "corp\\bob",
    "@ann",
    "b\\",
];
const MAILS: &[&str] = &["ann@x.example", "ann@y.example", "ann.lee@x.example", "bob@x.example", "alee@y.example"];
const NAMES: &[&str] = &["ann lee", "bob lee", "ann o'lee", "cher"];
const NUMBERS: &[&str] = &["1", "01", "2", "3"];

fn any_account() -> impl Strategy<Value = AccountRow> {
    (some(LOGINS), some(MAILS), some(LOGINS), some(NAMES), some(NUMBERS)).prop_map(|(login, email, upn, display_name, employee_ref)| {
        AccountRow { kind: AccountKind::Human, login, email, upn, display_name, employee_ref, ..AccountRow::default() }
    })
}

fn any_identity() -> impl Strategy<Value = IdentityRow> {
    let aliases = prop::collection::btree_set(prop::sample::select(LOGINS), 0..3);
    (some(LOGINS), some(MAILS), some(NAMES), some(NUMBERS), aliases).prop_map(|(login, email, display_name, employee_number, aliases)| {
        IdentityRow {
            aliases: Some(serde_json::to_string(&aliases).unwrap()),
            status: IdentityStatus::Active,
            login,
            email,
            display_name,
            employee_number,
            ..IdentityRow::default()
        }
    })
}

/// The default rules with tiers and weights moved about, now and then.
fn any_rules() -> impl Strategy<Value = Rules> {
    let n = Rules::default().rules.len();
    let moved = prop::collection::vec((1_u32..5, prop::sample::select(&[0.3, 0.5, 0.55, 0.7, 0.8, 0.9, 1.0][..])), n);
    prop::option::of(moved).prop_map(|moved| {
        let mut rules = Rules::default();
        for (rule, (tier, weight)) in rules.rules.iter_mut().zip(moved.into_iter().flatten()) {
            (rule.tier, rule.weight) = (tier, weight);
        }
        rules
    })
}

proptest! {
    #[test]
    fn correlation_equals_the_nested_loops(
        rules in any_rules(),
        accounts in prop::collection::vec(any_account(), 1..6),
        identities in prop::collection::vec(any_identity(), 0..6),
    ) {
        let number = |i: usize| format!("{i:03}");
        let accounts: Vec<AccountRow> = accounts.into_iter().enumerate()
            .map(|(i, a)| AccountRow { account_ix: i as u32, native_id: number(i + 500), ..a }).collect();
        let identities: Vec<IdentityRow> = identities.into_iter().enumerate()
            .map(|(i, p)| IdentityRow { identity_ix: i as u32, native_id: number(i), ..p }).collect();
        let system = SystemInput { system_ix: 1, accounts: accounts.clone(), ..SystemInput::default() };
        let authority = AuthorityInput { kinds: vec![IdentityKind::Person], identities: identities.clone(), ..AuthorityInput::default() };
        let resolved = resolve(&[system], &[authority], &Settings { rules: rules.clone(), ..Settings::default() }).unwrap();
        for account in &accounts {
            let rows: Vec<_> = resolved.account_identity.iter().filter(|c| c.account_ix == account.account_ix).collect();
            let got: Match = (
                rows.iter().map(|c| (c.identity_ix, millionths(c.score))).collect(),
                rows.iter().any(|c| c.state == MatchState::Linked),
            );
            prop_assert_eq!(got, correlate_slowly(&rules, account, &identities), "{:?}", account);
        }
    }
}

// Closure

/// From member to group.
type Edges = BTreeSet<(usize, usize)>;

/// Fewest edges between any two groups, by Floyd and Warshall.
fn distances(n: usize, edges: &Edges) -> Vec<Vec<Option<usize>>> {
    let mut d: Vec<Vec<Option<usize>>> =
        (0..n).map(|a| (0..n).map(|b| if a == b { Some(0) } else { edges.contains(&(a, b)).then_some(1) }).collect()).collect();
    for via in 0..n {
        for a in 0..n {
            for b in 0..n {
                let through = d[a][via].zip(d[via][b]).map(|(x, y)| x + y);
                d[a][b] = [d[a][b], through].into_iter().flatten().min();
            }
        }
    }
    d
}

/// The lowest of the shortest ways from a group to any of some groups.
fn way(d: &[Vec<Option<usize>>], edges: &Edges, from: usize, ends: &BTreeSet<usize>) -> Option<Vec<usize>> {
    let length = |g: usize| ends.iter().filter_map(|e| d[g][*e]).min();
    let mut path = vec![from];
    let mut at = from;
    while length(at)? > 0 {
        at = (0..d.len()).find(|next| edges.contains(&(at, *next)) && length(*next) == length(at).map(|l| l - 1))?;
        path.push(at);
    }
    Some(path)
}

fn rank(level: Level) -> u8 {
    match level {
        Level::None => 0,
        Level::Unknown => 1,
        Level::Read => 2,
        Level::Write => 3,
        Level::Admin => 4,
    }
}

/// Rights of one group: (level, conditional, entitlement, risks).
type Own = Vec<(Level, bool, Option<u32>, BTreeSet<String>)>;

fn own_rights(system: &SystemInput, group: &GroupRow) -> Own {
    let mut rights: Own = vec![(group.level, false, None, BTreeSet::new())];
    for grant in system.grants.iter().filter(|g| g.effect == Effect::Allow && g.group_ix == Some(group.group_ix)) {
        let e = &system.entitlements[grant.entitlement_ix as usize];
        let risks = e.risks.iter().flat_map(|r| r.split(',')).map(str::to_owned).collect();
        rights.push((e.level, e.conditional || grant.condition.is_some(), Some(e.entitlement_ix), risks));
    }
    rights
}

/// Edges from member to group, the account side of a role read as its group side; and which of them have no condition.
fn edges(system: &SystemInput) -> (Edges, Edges) {
    let twin = |account: u32| {
        let id = &system.accounts[account as usize].native_id;
        system.groups.iter().find(|g| g.native_id == *id).map(|g| g.group_ix)
    };
    let of = |m: &MembershipRow| Some((m.member_group_ix.or_else(|| twin(m.account_ix?))? as usize, m.group_ix as usize));
    let all = system.memberships.iter().filter_map(of).collect();
    (all, system.memberships.iter().filter(|m| m.condition.is_none()).filter_map(of).collect())
}

fn reach_slowly(system: &SystemInput) -> Vec<GroupReachRow> {
    let n = system.groups.len();
    let (any_edges, sure_edges) = edges(system);
    let (any, sure) = (distances(n, &any_edges), distances(n, &sure_edges));
    let own: Vec<Own> = system.groups.iter().map(|g| own_rights(system, g)).collect();
    let above = |g: usize| (0..n).filter(|h| any[g][*h].is_some()).collect::<BTreeSet<_>>();
    (0..n)
        .map(|g| {
            let rights: Vec<_> = above(g).into_iter().flat_map(|h| own[h].clone()).collect();
            let level = rights.iter().map(|r| r.0).max_by_key(|l| rank(*l)).unwrap();
            let confer = |unconditional: bool| -> BTreeSet<usize> {
                (0..n).filter(|h| own[*h].iter().any(|r| r.0 == level && !(unconditional && r.1))).collect()
            };
            let certain_way = way(&sure, &sure_edges, g, &confer(true));
            let conditional_level = certain_way.is_none();
            let path = certain_way.or_else(|| way(&any, &any_edges, g, &confer(false))).unwrap();
            let end = *path.last().unwrap();
            let by = own[end].iter().filter(|r| r.0 == level && (conditional_level || !r.1)).map(|r| r.2).min().unwrap();
            let risks: BTreeSet<String> = rights.iter().flat_map(|r| r.3.clone()).collect();
            let surely = |risk: &String| (0..n).any(|h| sure[g][h].is_some() && own[h].iter().any(|r| !r.1 && r.3.contains(risk)));
            let entitlements: BTreeSet<u32> = rights.iter().filter_map(|r| r.2).collect();
            let ancestors: Vec<String> = above(g).into_iter().filter(|h| *h != g).map(|h| h.to_string()).collect();
            let members: BTreeSet<u32> = system
                .memberships
                .iter()
                .filter(|m| m.kind != MembershipKind::Primary && any[m.group_ix as usize][g].is_some())
                .filter_map(|m| m.account_ix)
                .collect();
            GroupReachRow {
                system_ix: system.system_ix,
                group_ix: g as u32,
                level,
                conditional: conditional_level || !risks.iter().all(surely),
                risks: (!risks.is_empty()).then(|| risks.into_iter().collect::<Vec<_>>().join(",")),
                entitlements: entitlements.len() as u32,
                ancestors: (!ancestors.is_empty()).then(|| ancestors.join(",")),
                level_group_ix: end as u32,
                level_entitlement_ix: by,
                path: path.iter().map(|h| system.groups[*h].native_id.clone()).collect::<Vec<_>>().join(" > "),
                members: members.len() as u32,
                cycle: any_edges.iter().any(|(a, b)| *a == g && any[*b][g].is_some()),
            }
        })
        .collect()
}

const ACCOUNTS: u32 = 5;
const GROUPS: u32 = 8;
const ENTITLEMENTS: u32 = 4;

fn any_level() -> impl Strategy<Value = Level> {
    prop::sample::select(&[Level::Unknown, Level::None, Level::None, Level::Read, Level::Write, Level::Admin][..])
}

fn condition() -> impl Strategy<Value = Option<String>> {
    prop::option::weighted(0.2, Just("{}".to_owned()))
}

fn any_membership() -> impl Strategy<Value = MembershipRow> {
    let kind = prop::sample::select(&[MembershipKind::Direct, MembershipKind::Primary, MembershipKind::Assume][..]);
    (any::<bool>(), 0..GROUPS, 0..ACCOUNTS, 0..GROUPS, kind, condition()).prop_map(
        |(nested, member, account, group_ix, kind, condition)| MembershipRow {
            member_group_ix: nested.then_some(member),
            account_ix: (!nested).then_some(account),
            group_ix,
            kind: if nested { MembershipKind::Direct } else { kind },
            condition,
            ..MembershipRow::default()
        },
    )
}

fn any_grant() -> impl Strategy<Value = GrantRow> {
    let effect = prop::sample::select(&[Effect::Allow, Effect::Allow, Effect::Deny, Effect::Boundary][..]);
    (0..GROUPS, 0..ENTITLEMENTS, effect, condition()).prop_map(|(g, entitlement_ix, effect, condition)| GrantRow {
        group_ix: Some(g),
        entitlement_ix,
        effect,
        condition,
        ..GrantRow::default()
    })
}

fn any_estate() -> impl Strategy<Value = SystemInput> {
    let risks = prop::option::of(prop::sample::select(&["x", "x,y", "y"][..]));
    let entitlements = prop::collection::vec((any_level(), risks, prop::bool::weighted(0.2)), ENTITLEMENTS as usize);
    let memberships = prop::collection::vec(any_membership(), 0..24);
    let grants = prop::collection::vec(any_grant(), 0..8);
    (prop::collection::vec(any_level(), GROUPS as usize), entitlements, memberships, grants).prop_map(
        |(levels, entitlements, memberships, grants)| {
            // The first accounts are roles: they stand in both tables.
            let id = |i: u32| if i < 3 { format!("role{i}") } else { format!("account{i}") };
            let group_id = |i: u32| if i < 3 { format!("role{i}") } else { format!("group{i}") };
            SystemInput {
                system_ix: 1,
                accounts: (0..ACCOUNTS).map(|i| AccountRow { account_ix: i, native_id: id(i), ..AccountRow::default() }).collect(),
                groups: (0_u32..)
                    .zip(levels)
                    .map(|(i, level)| GroupRow { group_ix: i, native_id: group_id(i), level, ..GroupRow::default() })
                    .collect(),
                entitlements: (0..)
                    .zip(entitlements)
                    .map(|(i, (level, risks, conditional))| EntitlementRow {
                        entitlement_ix: i,
                        level,
                        risks: risks.map(str::to_owned),
                        conditional,
                        ..EntitlementRow::default()
                    })
                    .collect(),
                memberships,
                grants,
                ..SystemInput::default()
            }
        },
    )
}

proptest! {
    #[test]
    fn closure_equals_the_distance_matrix(system in any_estate()) {
        let resolved = resolve(std::slice::from_ref(&system), &[], &Settings::default()).unwrap();
        prop_assert_eq!(resolved.group_reach, reach_slowly(&system));
    }

    #[test]
    fn members_and_paths_equal_the_distance_matrix(system in any_estate()) {
        let n = system.groups.len();
        let groups = Groups::new(&system);
        let (all, _) = edges(&system);
        let d = distances(n, &all);
        let direct = |account: u32, with_primary: bool| -> BTreeSet<usize> {
            let counts = |m: &&MembershipRow| m.account_ix == Some(account) && (with_primary || m.kind != MembershipKind::Primary);
            system.memberships.iter().filter(counts).map(|m| m.group_ix as usize).collect()
        };
        for target in 0..n {
            for (primary, with_primary) in [(Primary::Counted, true), (Primary::LeftOut, false)] {
                let want: Vec<u32> =
                    (0..ACCOUNTS).filter(|a| direct(*a, with_primary).iter().any(|g| d[*g][target].is_some())).collect();
                prop_assert_eq!(groups.transitive_members(target as u32, primary), want);
            }
            for account in 0..ACCOUNTS {
                let mut starts = direct(account, true);
                starts.extend(system.groups.iter().position(|g| g.native_id == system.accounts[account as usize].native_id));
                let ways = starts.iter().filter_map(|s| way(&d, &all, *s, &BTreeSet::from([target])));
                let want = ways.min_by_key(|w| (w.len(), w.clone())).map(|w| w.iter().map(|g| *g as u32).collect::<Vec<_>>());
                prop_assert_eq!(groups.path(account, target as u32), want);
            }
        }
    }

    // 11.5: leaver at t = no employment covers t.
    #[test]
    fn standing_equals_a_look_at_every_employment(
        spans in prop::collection::vec((prop::option::of(0_i64..12), prop::option::of(0_i64..12)), 0..4),
        at in 0_i64..14,
    ) {
        let t = |s: i64| Time::from_seconds(s).unwrap();
        let employments = spans.iter().map(|(start, end)| EmploymentRow {
            starts_at: start.map(t),
            ends_at: end.map(t),
            ..EmploymentRow::default()
        });
        let authority = AuthorityInput {
            observed_at: t(at),
            identities: vec![IdentityRow::default()],
            employments: employments.collect(),
            ..AuthorityInput::default()
        };
        let covers = |(start, end): &(Option<i64>, Option<i64>)| start.is_none_or(|s| s <= at) && end.is_none_or(|e| at < e);
        let want = if spans.iter().any(covers) {
            Standing::Active
        } else if spans.iter().any(|(_, end)| end.is_some_and(|e| e <= at)) {
            Standing::Left
        } else if spans.is_empty() {
            Standing::Unknown
        } else {
            Standing::NotStarted
        };
        let resolved = resolve(&[], &[authority], &Settings::default()).unwrap();
        let row = &resolved.people.rows()[0];
        prop_assert_eq!(row.standing, want);
        let last = spans.iter().filter_map(|(_, end)| *end).filter(|e| *e <= at).max();
        prop_assert_eq!(row.left_by, last.filter(|_| want == Standing::Left).map(t));
    }
}
