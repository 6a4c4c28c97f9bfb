//! Two snapshots of generated worlds: what is said to have changed is all of it and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;

use super::super::*;
use super::by_rows::{HistoriesByRows, changes_by_rows};
use super::day;
use super::memory::Memory;
use crate::connectors::{Draft, DraftChild, DraftCredential, DraftGrant, DraftMembership, Drafted, Origin, Principal};
use crate::model::*;
use crate::resolve::edges::Picture;
use crate::store::assemble::{Tables, assemble};

/// One record of an export, in no order.
#[derive(Clone, Debug)]
enum Record {
    Account {
        id: String,
        generation: Option<String>,
        login: Option<String>,
        status: AccountStatus,
    },
    Group {
        id: String,
        generation: Option<String>,
    },
    Policy {
        id: String,
        level: Level,
        actions: String,
    },
    Member {
        principal: Principal,
        group: String,
        kind: MembershipKind,
        granted_at: Option<Time>,
        condition: Option<String>,
    },
    Grant {
        principal: Principal,
        policy: String,
        resource: Option<String>,
        effect: Effect,
        expires_at: Option<Time>,
        condition: Option<String>,
    },
    Credential {
        id: String,
        holder: String,
        status: CredentialStatus,
        created_at: Option<Time>,
        fingerprint: Option<String>,
    },
}

/// What one import seals.
#[derive(Debug)]
struct World {
    tables: Tables,
    covers: BTreeSet<String>,
    taken_at: Time,
}

fn world(n: i64, records: &[Record], uncovered: &[&str]) -> World {
    let mut draft = Draft::default();
    for (record, i) in records.iter().zip(1..) {
        let origin = Origin::line(0, i);
        match record.clone() {
            Record::Account { id, generation, login, status } => {
                let row = AccountRow { native_id: id, generation, login, status, last_used_at: Some(day(n)), ..AccountRow::default() };
                draft.accounts.push(Drafted { row, origin });
            }
            Record::Group { id, generation } => {
                draft.groups.push(Drafted { row: GroupRow { native_id: id, generation, ..GroupRow::default() }, origin });
            }
            Record::Policy { id, level, actions } => {
                let row = StatementRow { actions: Some(actions), ..StatementRow::default() };
                draft.statements.push(DraftChild { row, parent: id.clone(), origin });
                draft.entitlements.push(Drafted { row: EntitlementRow { native_id: id, level, ..EntitlementRow::default() }, origin });
            }
            Record::Member { principal, group, kind, granted_at, condition } => {
                let row = MembershipRow { kind, granted_at, condition, ..MembershipRow::default() };
                draft.memberships.push(DraftMembership { row, member: principal, group, origin });
            }
            Record::Grant { principal, policy, resource, effect, expires_at, condition } => {
                if let Some(id) = &resource {
                    let row = ResourceRow { native_id: id.clone(), ..ResourceRow::default() };
                    draft.resources.push(Drafted { row, origin });
                }
                let row = GrantRow { effect, expires_at, condition, ..GrantRow::default() };
                draft.grants.push(DraftGrant { row, holder: principal, entitlement: policy, resource, origin });
            }
            Record::Credential { id, holder, status, created_at, fingerprint } => {
                let row = CredentialRow { native_id: id, status, created_at, fingerprint, ..CredentialRow::default() };
                draft.credentials.push(DraftCredential { row, holder, origin });
            }
        }
    }
    let all = ["accounts", "groups", "memberships", "entitlements", "statements", "resources", "grants", "credentials"];
    World {
        tables: assemble(&mut draft).unwrap(),
        covers: all.iter().filter(|t| !uncovered.contains(t)).map(|t| (*t).to_owned()).collect(),
        taken_at: day(n),
    }
}

impl World {
    fn picture(&self) -> Picture<'_> {
        let t = &self.tables;
        Picture {
            covers: &self.covers,
            accounts: &t.accounts,
            groups: &t.groups,
            memberships: &t.memberships,
            entitlements: &t.entitlements,
            statements: &t.statements,
            resources: &t.resources,
            grants: &t.grants,
            credentials: &t.credentials,
        }
    }

    fn shot<'a>(&'a self, source: &'a Memory, short: bool) -> Shot<'a, Memory> {
        Shot { source, taken_at: self.taken_at, covers: &self.covers, short }
    }
}

/// Histories and changes of the last of some snapshots; each with whether it is short. Changes are against the last complete one before.
fn told(worlds: &[(World, bool)]) -> (Vec<ChangeRow>, Vec<EdgeHistoryRow>) {
    told_in_batches(worlds, 2).unwrap()
}

/// The same, tables read in batches of so many rows.
fn told_in_batches(worlds: &[(World, bool)], rows: usize) -> Result<(Vec<ChangeRow>, Vec<EdgeHistoryRow>), String> {
    let sources: Vec<Memory> = worlds.iter().map(|(w, _)| Memory::of(&w.tables, rows)).collect();
    let shots: Vec<Shot<'_, Memory>> = worlds.iter().zip(&sources).map(|((w, short), s)| w.shot(s, *short)).collect();
    let (now, earlier) = shots.split_last().unwrap();
    let mut histories = Histories::new(*now)?;
    let last = earlier.iter().rposition(|s| !s.short);
    let mut compared = None;
    for (i, shot) in earlier.iter().enumerate() {
        if last == Some(i) {
            compared = Some(histories.compare(shot)?);
        } else {
            histories.show(shot)?;
        }
    }
    let history = histories.finish(0);
    let rows = match last {
        Some(last) => {
            let alone = changes(&earlier[last], now)?.rows(0, &history);
            let rows = compared.unwrap().rows(0, &history);
            assert_eq!(rows, alone, "compared beside the history, or without");
            rows
        }
        None => incomparable(0, now, None, "nothing before"),
    };
    Ok((rows, history.rows().collect()))
}

/// The same, by looking at every row of every snapshot.
fn told_by_rows(worlds: &[(World, bool)]) -> (Vec<ChangeRow>, Vec<EdgeHistoryRow>) {
    let ((now, short), earlier) = worlds.split_last().unwrap();
    let mut histories = HistoriesByRows::new(now.picture(), now.taken_at);
    for (world, short) in earlier {
        histories.show(&world.picture(), world.taken_at, *short);
    }
    let history = histories.finish(0);
    let rows = match earlier.iter().rev().find(|(_, short)| !short) {
        Some((last, _)) => changes_by_rows(0, (&last.picture(), last.taken_at, false), (&now.picture(), now.taken_at, *short), &history),
        None => incomparable(0, &now.shot(&Memory::default(), *short), None, "nothing before"),
    };
    (rows, history)
}

#[test]
fn rule_11_7_what_changed_is_named_with_old_and_new_value() {
    let account = |generation: &str, status| Record::Account {
        id: "a".into(),
        generation: Some(generation.into()),
        login: Some("ann".into()),
        status,
    };
    let member = |condition: Option<&str>| Record::Member {
        principal: Principal::Account("a".into()),
        group: "g".into(),
        kind: MembershipKind::Direct,
        granted_at: None,
        condition: condition.map(str::to_owned),
    };
    let grant = Record::Grant {
        principal: Principal::Group("g".into()),
        policy: "p".into(),
        resource: None,
        effect: Effect::Allow,
        expires_at: None,
        condition: None,
    };
    let group = Record::Group { id: "g".into(), generation: None };
    let policy = |level, actions: &str| Record::Policy { id: "p".into(), level, actions: actions.into() };
    let key = |fingerprint: &str| Record::Credential {
        id: "k".into(),
        holder: "a".into(),
        status: CredentialStatus::Active,
        created_at: None,
        fingerprint: Some(fingerprint.into()),
    };
    let (active, disabled) = (AccountStatus::Active, AccountStatus::Disabled);
    let before = [account("1", active), member(None), group.clone(), grant.clone(), policy(Level::Read, "get"), key("f0")];
    let now = [account("1", disabled), member(Some("{}")), group.clone(), grant.clone(), policy(Level::Admin, "put"), key("f1")];
    let told = |rows: Vec<ChangeRow>| -> Vec<String> {
        let text = |r: &ChangeRow| {
            let ids = [&r.principal, &r.target].map(|t| t.clone().unwrap_or_default()).join(" ");
            format!("{} {} {ids} {}", r.object, r.change, r.details.clone().unwrap_or_default())
        };
        rows.iter().map(text).collect()
    };
    assert_eq!(
        told(between(&before, &now)),
        [
            r#"account changed a  {"status":["active","disabled"]}"#,
            r#"credential changed a k {"fingerprint":[null,null]}"#,
            r#"membership changed a g {"condition":[null,"{}"]}"#,
            r#"grant changed g p {"level":["read","admin"],"policy_text":["DIGEST0","DIGEST1"]}"#,
        ]
        .map(|t| t.replace("DIGEST0", "3ae5a872").replace("DIGEST1", "31194c94"))
    );
    // Another account under the same id: all that hangs on it is another's.
    let again = [account("2", active), member(None), group, grant, policy(Level::Read, "get"), key("f0")];
    assert_eq!(
        told(between(&before, &again)),
        [r#"account recreated a  {"generation":["1","2"]}"#, "credential recreated a k ", "membership recreated a g ",]
    );
}

#[test]
fn use_and_what_an_export_does_not_tell_are_no_change() {
    let export = |n, attributes: &str, row: AccountRow| {
        let row = AccountRow { native_id: "a".into(), attributes: Some(attributes.into()), ..row };
        let mut draft = Draft::default();
        draft.accounts.push(Drafted { row, origin: Origin::line(0, 1) });
        World { tables: assemble(&mut draft).unwrap(), covers: ["accounts".to_owned()].into(), taken_at: day(n) }
    };
    let known = AccountRow { status: AccountStatus::Active, mfa_state: MfaState::Yes, kind: AccountKind::Human, ..AccountRow::default() };
    let used = AccountRow { use_state: UseState::Used, last_used_at: Some(day(1)), changed_at: Some(day(1)), ..AccountRow::default() };
    let rows = |now| told(&[(export(1, r#"{"lastLogon":"1","ou":"x"}"#, known.clone()), false), (now, false)]).0;
    assert_eq!(rows(export(2, r#"{"lastLogon":"2","ou":"x"}"#, used)), Vec::new());
    let moved = rows(export(2, r#"{"ou":"y","n":3}"#, AccountRow { mfa_state: MfaState::No, ..AccountRow::default() }));
    assert_eq!(moved[0].attributes.as_deref(), Some("attributes.n,attributes.ou,mfa_state"));
    assert_eq!(moved[0].details.as_deref(), Some(r#"{"attributes.n":[null,"3"],"attributes.ou":["x","y"],"mfa_state":["yes","no"]}"#));
}

#[test]
fn rule_11_4_only_what_both_snapshots_cover_is_compared() {
    let member = |group: &str| Record::Member {
        principal: Principal::Wildcard("*".into()),
        group: group.into(),
        kind: MembershipKind::Direct,
        granted_at: None,
        condition: None,
    };
    let snapshots = [(world(1, &[member("g")], &["memberships", "grants"]), false), (world(2, &[member("h")], &["grants"]), false)];
    let (rows, history) = told(&snapshots);
    let said: Vec<(ChangeObject, Change, Option<&str>)> = rows.iter().map(|r| (r.object, r.change, r.note.as_deref())).collect();
    let why = format!("the snapshot of {} does not cover memberships", day(1));
    assert_eq!(said, [(ChangeObject::Membership, Change::NotComparable, Some(why.as_str()))]);
    assert_eq!((history[0].first_seen_after, history[0].first_seen_by), (None, day(2)));
    // The first snapshot of all: nothing is said of any table that it covers.
    let (rows, _) = told(&[(world(2, &[member("h")], &["credentials"]), false)]);
    assert_eq!(rows.iter().map(|r| r.object.as_str()).collect::<Vec<_>>(), ["account", "membership", "grant"]);
    assert!(rows.iter().all(|r| r.change == Change::NotComparable && r.after_at.is_none()));
}

fn between(before: &[Record], now: &[Record]) -> Vec<ChangeRow> {
    told(&[(world(1, before, &[]), false), (world(2, now, &[]), false)]).0
}

// What both sides of a comparison are about, told without any of its parts.

/// Object, principal with its kind, target, resource, way.
type Ids = (ChangeObject, Option<PrincipalKind>, Option<String>, Option<String>, Option<String>, Option<String>);
/// Attributes by name.
type Facts = BTreeMap<String, Option<String>>;

/// One thing of a snapshot: what identifies it, its attributes, its ordinal, the generations that it hangs on.
#[derive(Clone, Debug, PartialEq)]
struct Thing {
    ids: Ids,
    facts: Facts,
    ix: u32,
    generations: Vec<Option<String>>,
}

fn shown(pairs: &[(&str, Option<String>)]) -> Facts {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect()
}

fn things(t: &Tables) -> Vec<Thing> {
    let id = |ix: u32| t.accounts[ix as usize].native_id.clone();
    let group = |ix: u32| &t.groups[ix as usize];
    let born = |at: Option<Time>| at.map(|t| t.to_string());
    let mut out = Vec::new();
    for a in &t.accounts {
        let facts = [("login", a.login.clone()), ("status", Some(a.status.to_string())), ("generation", a.generation.clone())];
        let ids = (ChangeObject::Account, None, Some(a.native_id.clone()), None, None, None);
        out.push(Thing { ids, facts: shown(&facts), ix: a.account_ix, generations: vec![a.generation.clone()] });
    }
    for c in &t.credentials {
        let holder = c.account_ix.map(id).or_else(|| c.holder_ref.clone());
        let facts = [
            ("holder", holder),
            ("status", Some(c.status.to_string())),
            ("created_at", born(c.created_at)),
            ("fingerprint", c.fingerprint.clone()),
        ];
        let ids = (ChangeObject::Credential, None, None, Some(c.native_id.clone()), None, None);
        let holder_generation = c.account_ix.and_then(|a| t.accounts[a as usize].generation.clone());
        out.push(Thing { ids, facts: shown(&facts), ix: c.credential_ix, generations: vec![born(c.created_at), holder_generation] });
    }
    let principal = |account: Option<u32>, g: Option<u32>, text: &Option<String>| match (account, g) {
        (Some(a), _) => (Some(id(a)), t.accounts[a as usize].generation.clone()),
        (None, Some(g)) => (Some(group(g).native_id.clone()), group(g).generation.clone()),
        (None, None) => (text.clone(), None),
    };
    for m in &t.memberships {
        let (who, generation) = principal(m.account_ix, m.member_group_ix, &m.principal_ref);
        let to = group(m.group_ix);
        let ids = (ChangeObject::Membership, Some(m.principal_kind), who, Some(to.native_id.clone()), None, Some(m.kind.to_string()));
        let facts = [("granted_at", born(m.granted_at)), ("condition", m.condition.clone())];
        out.push(Thing { ids, facts: shown(&facts), ix: m.membership_ix, generations: vec![generation, to.generation.clone()] });
    }
    for g in &t.grants {
        let (who, generation) = principal(g.account_ix, g.group_ix, &g.principal_ref);
        let e = &t.entitlements[g.entitlement_ix as usize];
        let resource = g.resource_ix.map(|r| t.resources[r as usize].native_id.clone());
        let ids = (ChangeObject::Grant, Some(g.principal_kind), who, Some(e.native_id.clone()), resource, Some(g.effect.to_string()));
        let text: Vec<_> = t.statements.iter().filter(|s| s.entitlement_ix == e.entitlement_ix).map(|s| s.actions.clone()).collect();
        let facts = [
            ("expires_at", born(g.expires_at)),
            ("condition", g.condition.clone()),
            ("level", Some(e.level.to_string())),
            ("policy_text", Some(format!("{text:?}"))),
        ];
        out.push(Thing { ids, facts: shown(&facts), ix: g.grant_ix, generations: vec![generation] });
    }
    out
}

fn by_ids(t: &Tables) -> BTreeMap<Ids, Vec<Thing>> {
    let mut out: BTreeMap<Ids, Vec<Thing>> = BTreeMap::new();
    for thing in things(t) {
        out.entry(thing.ids.clone()).or_default().push(thing);
    }
    out
}

/// The same thing in two snapshots: no generation is known on both sides and different.
fn same(a: &Thing, b: &Thing) -> bool {
    let moved = a.facts.get("holder") != b.facts.get("holder");
    let counted = if moved { 1 } else { a.generations.len() };
    a.generations.iter().zip(&b.generations).take(counted).all(|(a, b)| a.is_none() || b.is_none() || a == b)
}

fn ids_of(r: &ChangeRow) -> Ids {
    // The holder of a credential is one of its attributes.
    let principal = if r.object == ChangeObject::Credential { None } else { r.principal.clone() };
    (r.object, r.principal_kind, principal, r.target.clone(), r.resource.clone(), r.way.clone())
}

fn current_ix(r: &ChangeRow) -> Option<u32> {
    match r.object {
        ChangeObject::Account => r.account_ix,
        ChangeObject::Credential => r.credential_ix,
        ChangeObject::Membership | ChangeObject::Grant => r.edge_ix,
    }
}

/// Equal but for a level that one of the two does not know.
fn like(a: &Facts, b: &Facts) -> bool {
    let unknown = |f: &Facts| f.get("level") == Some(&Some("unknown".to_owned()));
    a.iter().zip(b).all(|((name, a_value), (_, b_value))| a_value == b_value || name == "level" && (unknown(a) || unknown(b)))
}

/// Applies the changes of one identity to what the older snapshot had of it: must give what the newer one has.
fn apply(mut old: Vec<Thing>, new: &[Thing], rows: &[&ChangeRow]) -> Result<(), String> {
    let mut left: Vec<Thing> = new.to_vec();
    let mut removed = 0;
    for row in rows {
        let at = match current_ix(row) {
            Some(ix) => left.iter().position(|t| t.ix == ix).ok_or_else(|| format!("no such row: {row:?}"))?,
            None if row.change == Change::Removed => {
                removed += 1;
                continue;
            }
            None => return Err(format!("names nothing: {row:?}")),
        };
        let thing = left.remove(at);
        if !matches!(row.change, Change::Changed | Change::Recreated) {
            continue;
        }
        let details: BTreeMap<String, (Option<String>, Option<String>)> =
            serde_json::from_str(row.details.as_deref().unwrap_or("{}")).map_err(|e| e.to_string())?;
        let names: Vec<&str> = details.keys().map(String::as_str).collect();
        if names.join(",") != row.attributes.clone().unwrap_or_default() {
            return Err(format!("names and details differ: {row:?}"));
        }
        // Texts and secrets are named, not shown.
        let told = |a: &Thing| {
            a.facts.iter().all(|(name, value)| match (name.as_str(), details.get(name)) {
                // What one of two exports does not tell differs from nothing.
                ("level", None) if [value, &thing.facts[name]].contains(&&Some("unknown".to_owned())) => true,
                ("policy_text" | "fingerprint", said) => said.is_some() == (*value != thing.facts[name]),
                (_, Some((before, now))) => before == value && *now == thing.facts[name] && before != now,
                (_, None) => *value == thing.facts[name],
            })
        };
        let from = old.iter().position(told).ok_or_else(|| format!("fits no older row: {row:?} of {old:?}"))?;
        if row.change == Change::Changed && !same(&old[from], &thing) {
            return Err(format!("another generation: {row:?}"));
        }
        old.remove(from);
    }
    for thing in left {
        let at = old.iter().position(|o| like(&o.facts, &thing.facts) && same(o, &thing));
        old.remove(at.ok_or_else(|| format!("not told: {thing:?}"))?);
    }
    if old.len() == removed { Ok(()) } else { Err(format!("{removed} removed, {} gone: {old:?}", old.len())) }
}

fn name(pool: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(pool).prop_map(str::to_owned)
}

fn maybe(pool: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    prop::option::of(name(pool))
}

const IDS: &[&str] = &["a", "b", "ç", "z'", "r"];
const GROUPS_: &[&str] = &["g", "h", "r"];
const RIGHTS: &[&str] = &["p", "q"];
const BIRTHS: &[&str] = &["1", "2"];

fn principal() -> impl Strategy<Value = Principal> {
    prop_oneof![
        4 => name(IDS).prop_map(Principal::Account),
        2 => name(GROUPS_).prop_map(Principal::Group),
        1 => name(IDS).prop_map(Principal::Either),
        1 => Just(Principal::Wildcard("*".to_owned())),
        1 => Just(Principal::Federated("*".to_owned())),
    ]
}

fn when() -> impl Strategy<Value = Option<Time>> {
    prop::option::of((0..2_i64).prop_map(day))
}

fn record() -> impl Strategy<Value = Record> {
    let status = select(&[AccountStatus::Active, AccountStatus::Disabled][..]);
    let kinds = select(&[MembershipKind::Direct, MembershipKind::Primary, MembershipKind::Assume][..]);
    let condition = || prop::option::weighted(0.4, name(&["{}", "[]"]));
    prop_oneof![
        3 => (name(IDS), maybe(BIRTHS), maybe(&["l", "m"]), status)
            .prop_map(|(id, generation, login, status)| Record::Account { id, generation, login, status }),
        1 => (name(GROUPS_), maybe(BIRTHS)).prop_map(|(id, generation)| Record::Group { id, generation }),
        1 => (name(RIGHTS), select(&[Level::Read, Level::Admin][..]), name(&["get", "put"]))
            .prop_map(|(id, level, actions)| Record::Policy { id, level, actions }),
        4 => (principal(), name(GROUPS_), kinds, when(), condition())
            .prop_map(|(principal, group, kind, granted_at, condition)| Record::Member { principal, group, kind, granted_at, condition }),
        4 => (principal(), name(RIGHTS), maybe(&["x", "y"]), select(&[Effect::Allow, Effect::Deny][..]), when(), condition()).prop_map(
            |(principal, policy, resource, effect, expires_at, condition)| Record::Grant {
                principal, policy, resource, effect, expires_at, condition
            }
        ),
        2 => (name(&["k", "l"]), name(IDS), select(&[CredentialStatus::Active, CredentialStatus::Inactive][..]), when(), maybe(&["f0", "f1"]))
            .prop_map(|(id, holder, status, created_at, fingerprint)| Record::Credential { id, holder, status, created_at, fingerprint }),
    ]
}

fn records() -> impl Strategy<Value = Vec<Record>> {
    prop::collection::vec(record(), 0..24)
}

/// What the next export keeps of the last, and what it adds.
fn successors(n: usize) -> impl Strategy<Value = Vec<Vec<Record>>> {
    let step = (prop::collection::vec(prop::bool::weighted(0.8), 24), prop::collection::vec(record(), 0..6));
    (records(), prop::collection::vec(step, n)).prop_map(|(first, steps)| {
        let mut out = vec![first];
        for (keep, more) in steps {
            let last = out.last().unwrap();
            let kept = last.iter().zip(keep).filter(|(_, k)| *k).map(|(r, _)| r.clone());
            // New records first: the first of a repeated id counts.
            out.push(more.into_iter().chain(kept).take(24).collect());
        }
        out
    })
}

/// Snapshots of which each follows the last, or has nothing to do with it; some are short, some do not cover memberships.
fn snapshots() -> impl Strategy<Value = Vec<(World, bool)>> {
    let worlds = prop_oneof![3 => successors(3), 1 => prop::collection::vec(records(), 4)];
    let odd = || prop::collection::vec(prop::bool::weighted(0.2), 4);
    (worlds, odd(), odd()).prop_map(|(worlds, short, uncovered)| {
        let one = |((i, records), (short, uncovered)): ((i64, &Vec<Record>), (bool, bool))| {
            (world(i, records, if uncovered { &["memberships"] } else { &[] }), short)
        };
        (0..).zip(&worlds).zip(short.into_iter().zip(uncovered)).map(one).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn merged_columns_tell_what_looking_at_every_row_tells(worlds in snapshots(), rows in 1..9_usize, threads in 1..10_usize) {
        // The more threads, the more parts are at hand, and the more ranges are told side by side.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (merged, reference) = (pool.install(|| told_in_batches(&worlds, rows)).unwrap(), told_by_rows(&worlds));
        prop_assert_eq!(merged.0, reference.0);
        prop_assert_eq!(merged.1, reference.1);
    }
}

proptest! {
    #[test]
    fn the_changes_applied_to_the_older_snapshot_give_the_newer(worlds in prop_oneof![
        successors(1), (records(), records()).prop_map(|(a, b)| vec![a, b])
    ]) {
        let rows = between(&worlds[0], &worlds[1]);
        let (old, new) = (by_ids(&world(1, &worlds[0], &[]).tables), by_ids(&world(2, &worlds[1], &[]).tables));
        let mut told: BTreeMap<Ids, Vec<&ChangeRow>> = BTreeMap::new();
        for row in &rows {
            prop_assert!(row.change != Change::NotComparable && row.change != Change::Regranted, "{:?}", row);
            told.entry(ids_of(row)).or_default().push(row);
        }
        let empty = Vec::new();
        let all: BTreeSet<&Ids> = old.keys().chain(new.keys()).collect();
        prop_assert!(told.keys().all(|ids| all.contains(ids)));
        for ids in all {
            let (a, b) = (old.get(ids).unwrap_or(&empty), new.get(ids).unwrap_or(&empty));
            let of: &[&ChangeRow] = told.get(ids).map_or(&[], Vec::as_slice);
            if let Err(why) = apply(a.clone(), b, of) {
                prop_assert!(false, "{}: {}", format!("{ids:?}"), why);
            }
            // No row more than it takes.
            prop_assert!(of.len() <= a.len().max(b.len()), "{:?}", of);
        }
    }

    #[test]
    fn a_snapshot_does_not_differ_from_itself(records in records()) {
        prop_assert_eq!(between(&records, &records), Vec::new());
    }

    #[test]
    fn the_order_of_records_and_of_rows_changes_nothing(worlds in successors(2), shuffled in any::<prop::sample::Index>()) {
        let snapshots = |turn: &dyn Fn(&mut Vec<Record>)| -> Vec<(World, bool)> {
            let turned = worlds.iter().enumerate().map(|(i, records)| {
                let mut seen = BTreeSet::new();
                // Repeated ids are a matter of who is first: none here.
                let mut records: Vec<Record> = records.iter().filter(|r| seen.insert(unique(r))).cloned().collect();
                turn(&mut records);
                (world(i as i64, &records, &[]), false)
            });
            turned.collect()
        };
        let straight = told(&snapshots(&|_| ()));
        prop_assert_eq!(&told(&snapshots(&|r| r.reverse())), &straight);
        prop_assert_eq!(&told_by_rows(&snapshots(&|_| ())), &straight);
        let mut rows = snapshots(&|_| ());
        for (w, _) in &mut rows {
            let at = |n: usize| shuffled.index(n.max(1)).min(n);
            let t = &mut w.tables;
            let (m, g) = (at(t.memberships.len()), at(t.grants.len()));
            t.memberships.rotate_left(m);
            t.grants.rotate_left(g);
            t.credentials.reverse();
        }
        // Of rows in no order only the reference can tell.
        prop_assert_eq!(told_by_rows(&rows), straight);
    }

    #[test]
    fn histories_equal_looking_at_every_snapshot(worlds in successors(4), short in prop::collection::vec(prop::bool::weighted(0.3), 5),
        uncovered in prop::collection::vec(prop::bool::weighted(0.15), 5)) {
        let snapshots: Vec<(World, bool)> = (0..).zip(&worlds).map(|(i, records)| {
            let not: &[&str] = if uncovered[i as usize] && i < 4 { &["memberships"] } else { &[] };
            (world(i, records, not), short[i as usize])
        }).collect();
        let (rows, history) = told(&snapshots);
        let (now, _) = snapshots.last().unwrap();
        let edges: Vec<Thing> = things(&now.tables).into_iter().filter(|t| t.ids.1.is_some()).collect();
        prop_assert_eq!(history.len(), edges.len());
        for edge in &edges {
            let kind = edge.ids.0.as_str();
            let got = history.iter().find(|h| h.edge == kind && h.edge_ix == edge.ix).unwrap();
            let covered = |w: &World| w.covers.contains(if kind == "grant" { "grants" } else { "memberships" });
            let held = |w: &World| things(&w.tables).iter().any(|t| t.ids == edge.ids && same(t, edge));
            let asked: Vec<&(World, bool)> = snapshots.iter().filter(|(w, _)| covered(w)).collect();
            let present: Vec<Time> = asked.iter().filter(|(w, _)| held(w)).map(|(w, _)| w.taken_at).collect();
            let absent: Vec<Time> = asked.iter().filter(|(w, short)| !held(w) && !short).map(|(w, _)| w.taken_at).collect();
            let first = present[0];
            let last_absent = absent.iter().copied().max();
            let since = present.iter().copied().find(|t| Some(*t) > last_absent).unwrap();
            let want = EdgeHistoryRow {
                edge: kind.to_owned(),
                edge_ix: edge.ix,
                first_seen_after: absent.iter().copied().filter(|t| *t < first).max(),
                first_seen_by: first,
                last_absent,
                since_by: since,
                held_until: present.iter().copied().filter(|t| since != first && Some(*t) < last_absent).max(),
                regranted: since != first,
                ..EdgeHistoryRow::default()
            };
            prop_assert_eq!(got, &want);
            // Back since the last complete snapshot, exactly if it was there before and is told as new.
            let row = rows.iter().find(|r| r.object.as_str() == kind && r.edge_ix == Some(edge.ix));
            if let Some(row) = row.filter(|r| matches!(r.change, Change::Added | Change::Regranted)) {
                let reference = row.after_at.unwrap();
                let before = present.iter().any(|t| *t < reference) && absent.contains(&reference);
                prop_assert_eq!(row.change == Change::Regranted, before, "{:?}", row);
            }
        }
    }

    #[test]
    fn rule_11_4_a_short_snapshot_takes_nothing_away(worlds in successors(1)) {
        let of = |short| {
            let snapshots = [(world(1, &worlds[0], &[]), false), (world(2, &worlds[1], &[]), short)];
            told(&snapshots).0
        };
        let (whole, short) = (of(false), of(true));
        let key = |r: &ChangeRow| ChangeRow { change_ix: 0, ..r.clone() };
        let kept: Vec<ChangeRow> = whole.iter().filter(|r| r.change != Change::Removed).map(key).collect();
        let said: Vec<ChangeRow> = short.iter().filter(|r| r.change != Change::NotComparable).map(key).collect();
        prop_assert_eq!(said, kept);
        for object in ChangeObject::ALL {
            let gone = whole.iter().filter(|r| r.object == *object && r.change == Change::Removed).count();
            let notes: Vec<&str> = short.iter().filter(|r| r.object == *object).filter_map(|r| r.note.as_deref()).collect();
            let want = format!("the snapshot of {} is short: {gone} of the older one are not in it, and may be there all the same", day(2));
            prop_assert_eq!(notes, if gone > 0 { vec![want.as_str()] } else { Vec::new() });
        }
    }
}

/// What makes a record the only one of its kind.
fn unique(r: &Record) -> String {
    // Whatever does not resolve is one unresolved principal, however it is named.
    let who = |p: &Principal| match p {
        Principal::Account(id) | Principal::Group(id) | Principal::Either(id) => id.clone(),
        other => format!("{other:?}"),
    };
    match r {
        Record::Account { id, .. } => format!("a {id}"),
        Record::Group { id, .. } => format!("g {id}"),
        Record::Policy { id, .. } => format!("p {id}"),
        Record::Member { principal, group, kind, condition, .. } => format!("m {} {group} {kind} {condition:?}", who(principal)),
        Record::Grant { principal, policy, resource, effect, condition, .. } => {
            format!("r {} {policy} {resource:?} {effect} {condition:?}", who(principal))
        }
        Record::Credential { id, .. } => format!("c {id}"),
    }
}

/// Snapshots of one account with `n` memberships and a table that somebody turned about.
fn turned(turn: impl Fn(&mut Tables)) -> Result<(Vec<ChangeRow>, Vec<EdgeHistoryRow>), String> {
    let member = |i: usize| Record::Member {
        principal: Principal::Account("a".into()),
        group: format!("g{i}"),
        kind: MembershipKind::Direct,
        granted_at: None,
        condition: None,
    };
    let account = Record::Account { id: "a".into(), generation: None, login: None, status: AccountStatus::Active };
    let records: Vec<Record> = std::iter::once(account).chain((0..6).map(member)).collect();
    let mut worlds = [(world(1, &records, &[]), false), (world(2, &records, &[]), false)];
    turn(&mut worlds[0].0.tables);
    told_in_batches(&worlds, 2)
}

#[test]
fn a_table_that_is_not_in_order_is_named_and_never_compared() {
    assert_eq!(turned(|_| ()).unwrap().0, Vec::new());
    type Turn = fn(&mut Tables);
    let table: &[(Turn, &str)] = &[
        // Inside a batch, and over the border of two.
        (|t| t.memberships.swap(2, 3), "memberships: row 3 does not stand in the order of its key"),
        (|t| t.memberships.swap(3, 4), "memberships: row 4 does not stand in the order of its key"),
        (|t| t.groups.swap(0, 1), "groups: `native_id` does not rise from row to row"),
        (|t| t.groups.swap(1, 2), "groups: `native_id` does not rise from row to row"),
        (|t| t.groups[5].native_id = "g4".to_owned(), "groups: `native_id` does not rise from row to row"),
        (|t| t.memberships[5].group_ix = 6, "memberships: column `group_ix`: there is no row 6"),
        (|t| t.memberships[0].account_ix = Some(1), "memberships: column `account_ix`: there is no row 1"),
    ];
    for (turn, why) in table {
        assert_eq!(turned(turn).unwrap_err(), *why);
    }
}
