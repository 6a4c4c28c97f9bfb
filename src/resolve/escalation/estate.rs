//! One AWS account put ready for questions: policies as rules over known actions, principals with what they hold, who trusts whom.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use super::super::SystemInput;
use super::condition::{Condition, Truth};
use crate::model::{Effect, EntitlementRow, Level, MembershipKind, PrincipalKind, StatementRow};
use crate::policy::actions::{ActionSet, KNOWN};
use crate::policy::methods::PASS;
use crate::policy::risks::IAM_WRITING;
use crate::policy::{glob, resources};

/// From this many resources on, a statement remembers what it covers.
const REMEMBERED: usize = 8;
/// The most resources of one statement that are looked up among the roles.
const LOOKED_UP: usize = 64;

/// A list and its complement.
#[derive(Clone, Debug)]
pub(super) enum Patterns {
    Only(Vec<String>),
    Except(Vec<String>),
}

/// A statement.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub allow: bool,
    /// It makes its holder an administrator by itself.
    pub admin: bool,
    pub actions: ActionSet,
    pub resources: Patterns,
    /// Actions for which it is held to no particular resource.
    pub wide: ActionSet,
    /// Resources of a statement that allows passing roles, of which this export holds none.
    pub dangling: Vec<String>,
    condition: Option<Condition>,
    /// For a long list of resources: which of [`Estate::arns`] it covers.
    covered: OnceLock<Vec<bool>>,
}

/// A policy.
#[derive(Clone, Debug, Default)]
pub(super) struct Policy {
    pub rules: Vec<Rule>,
    /// Every known action that some rule allows.
    pub allowed: ActionSet,
    /// Its text, or part of it, is not in the export.
    pub unread: bool,
}

/// A policy on a principal or on one of its groups.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attached {
    pub grant_ix: u32,
    pub entitlement_ix: u32,
}

/// Where a service control policy is attached, in the attributes of its entitlement.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Placed {
    attached_to: Vec<String>,
    not_binding: Option<String>,
}

/// A trust in whoever it may be.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    pub membership_ix: u32,
    pub condition: Option<String>,
}

/// A user or a role.
#[derive(Clone, Debug, Default)]
pub(super) struct Principal {
    pub account_ix: u32,
    pub arn: String,
    pub name: String,
    /// Number of its AWS account.
    pub number: String,
    pub is_user: bool,
    /// A role that AWS itself makes and mends: nobody can change or pass it.
    pub vendor: bool,
    /// Service control policies do not bind it.
    pub service_linked: bool,
    pub grants: Vec<Attached>,
    pub boundaries: Vec<u32>,
    /// Its groups.
    pub groups: Vec<u32>,
    /// Memberships of groups that the export does not hold.
    pub unread_groups: Vec<u32>,
    /// Every known action that some policy of its own allows.
    pub allowed: ActionSet,
    /// Some role of the account names it in its trust policy.
    pub trusted: bool,
    /// Roles: principals that the trust policy names, by `account_ix`.
    pub trusts: BTreeMap<u32, Trust>,
    /// Roles: the trust is in the account as a whole, so that a principal's own policies decide.
    pub trusts_account: Vec<Trust>,
    /// Roles: the trust is in anybody.
    pub trusts_anybody: Vec<Trust>,
    /// Roles: services, each with its condition.
    pub services: BTreeMap<String, Option<String>>,
    /// Roles: the trust policy has a Deny, which is recorded and not decided.
    pub trust_denies: bool,
}

/// A group of users.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub arn: String,
    /// Its place in [`Estate::arns`].
    pub place: usize,
    pub name: String,
    /// Whether joining it leads further: for certain, or perhaps.
    pub leads: Option<bool>,
}

/// A policy of the account's own.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnPolicy {
    /// Its place in [`Estate::arns`].
    pub place: usize,
    /// Principals that hold it.
    pub holders: Vec<usize>,
}

/// The service control policies of one level of the organisation: root, unit or account.
#[derive(Clone, Debug, Default)]
pub(super) struct Fence {
    pub level: String,
    /// By `entitlement_ix`. Each action must be allowed by one of them and denied by none.
    pub policies: Vec<u32>,
}

/// One AWS account.
#[derive(Debug)]
pub(super) struct Estate<'a> {
    pub system: &'a SystemInput,
    policies: Vec<Policy>,
    /// In the order of `account_ix`.
    pub principals: Vec<Principal>,
    /// By `group_ix`; roles are no groups of users.
    pub groups: BTreeMap<u32, Group>,
    /// Policies of the account's own, by `entitlement_ix`.
    pub own_policies: BTreeMap<u32, OwnPolicy>,
    /// Every ARN that is asked about: principals by their place in `principals`, then the rest.
    pub arns: Vec<String>,
    /// Some role trusts anybody.
    pub open_to_anybody: bool,
    pub nobody: Nobody,
    /// What the organisation holds the account to, by level.
    pub fences: Vec<Fence>,
    /// A level whose policies, all of them known, do not allow administration.
    pub low_fence: Option<String>,
}

/// Places in [`Estate::arns`] of a user, a role, a group and a policy that nobody is: what only a wildcard covers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nobody {
    pub user: usize,
    pub role: usize,
    pub group: usize,
    pub policy: usize,
    pub foreign_role: usize,
}

impl Rule {
    pub fn holds(&self, service: Option<&str>) -> Truth {
        self.condition.as_ref().map_or(Truth::Yes, |c| c.holds(service))
    }

    /// The condition's text, unless it is decided.
    pub fn condition_text(&self, service: Option<&str>) -> Option<&str> {
        self.condition.as_ref().filter(|c| c.holds(service) == Truth::Unknown).map(|c| c.text.as_str())
    }

    /// Whether its list, if it is long, covers one of the ARNs that are asked about; variables left out. `None`: it is short.
    pub fn covers(&self, arns: &[String], at: usize) -> Option<bool> {
        let (Patterns::Only(list) | Patterns::Except(list)) = &self.resources;
        if list.len() < REMEMBERED {
            return None;
        }
        let covers = |arn: &String| list.iter().any(|p| !p.contains("${") && glob::covers(p, arn));
        self.covered.get_or_init(|| arns.iter().map(covers).collect()).get(at).copied()
    }

    fn of(row: &StatementRow, roles: &[&str]) -> Option<Self> {
        let actions = match (list(row.actions.as_deref()), list(row.not_actions.as_deref())) {
            (Some(only), _) => ActionSet::of(only.iter().map(|a| a.to_lowercase()).collect::<Vec<_>>().iter().map(String::as_str)),
            (None, Some(except)) => {
                ActionSet::of(except.iter().map(|a| a.to_lowercase()).collect::<Vec<_>>().iter().map(String::as_str)).others()
            }
            (None, None) => return None,
        };
        let resources = match (list(row.resources.as_deref()), list(row.not_resources.as_deref())) {
            (Some(only), _) => Patterns::Only(only),
            (None, Some(except)) => Patterns::Except(except),
            (None, None) => return None,
        };
        let allow = row.effect == Effect::Allow;
        let wide = match &resources {
            Patterns::Only(only) if only.iter().any(|r| glob::is_everything(r)) => actions.clone(),
            Patterns::Only(only) => {
                let covering: Vec<&str> = only.iter().map(String::as_str).filter(|r| resources::covers_all(r).is_some()).collect();
                actions.on_all(covering.into_iter())
            }
            Patterns::Except(except) if except.iter().any(|r| glob::is_everything(r)) => ActionSet::default(),
            Patterns::Except(_) => actions.clone(),
        };
        let dangling = match &resources {
            Patterns::Only(only) if allow && actions.has(PASS) => only.iter().filter(|p| !p.contains("${")).take(LOOKED_UP).collect(),
            _ => Vec::new(),
        };
        let dangling = dangling.into_iter().filter(|p| is_role(p) && !roles.iter().any(|r| glob::covers(p, r))).cloned().collect();
        Some(Self {
            allow,
            admin: row.level == Level::Admin,
            actions,
            resources,
            wide,
            dangling,
            condition: row.condition.as_deref().map(Condition::read),
            covered: OnceLock::new(),
        })
    }
}

/// Whether a pattern can name a role: IAM's, and saying `role/` or wild before that.
fn is_role(pattern: &str) -> bool {
    let mut parts = pattern.splitn(6, ':').skip(2);
    let wild = |part: Option<&str>, own: &str| part.is_none_or(|p| p.starts_with(own) || p.starts_with(['*', '?']));
    wild(parts.next(), "iam") && wild(parts.nth(2), "role/")
}

fn list(json: Option<&str>) -> Option<Vec<String>> {
    serde_json::from_str(json?).ok()
}

impl Policy {
    fn of(entitlement: &EntitlementRow, rows: &[StatementRow], roles: &[&str]) -> Self {
        let unread = entitlement.level == Level::Unknown;
        let mut rules: Vec<Rule> = rows.iter().filter_map(|r| Rule::of(r, roles)).collect();
        if rows.is_empty() && entitlement.vendor_managed {
            rules = declared(entitlement.name.as_deref().unwrap_or_default()).into_iter().collect();
        }
        let mut allowed = ActionSet::default();
        rules.iter().filter(|r| r.allow).for_each(|r| allowed.add(&r.actions));
        Self { rules, allowed, unread }
    }
}

/// What AWS declares one of its own policies to be, for exports without their text. The others whose purpose is declared only read.
fn declared(name: &str) -> Option<Rule> {
    let actions = match name {
        "AdministratorAccess" => ActionSet::of(["*"]),
        "IAMFullAccess" => ActionSet::of(["iam:*", "organizations:*"]),
        // A service control policy.
        "FullAWSAccess" => ActionSet::of(["*"]),
        "PowerUserAccess" => ActionSet::of(["iam:*", "organizations:*", "account:*"]).others(),
        _ => return None,
    };
    let wide = actions.clone();
    Some(Rule {
        allow: true,
        admin: IAM_WRITING.iter().all(|a| actions.has(a)),
        actions,
        resources: Patterns::Only(vec!["*".into()]),
        wide,
        dangling: Vec::new(),
        condition: None,
        covered: OnceLock::new(),
    })
}

/// `(partition, account, last part)` of an ARN of IAM.
fn parts(arn: &str) -> Option<(&str, &str, &str)> {
    let mut parts = arn.splitn(6, ':');
    let (first, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (_region, account, last) = (parts.next()?, parts.next()?, parts.next()?);
    (first == "arn" && service == "iam").then_some((partition, account, last))
}

impl<'a> Estate<'a> {
    /// Reads the rows of one account.
    pub fn new(system: &'a SystemInput) -> Self {
        let mut principals: Vec<Principal> = system.accounts.iter().filter_map(|a| principal(a.account_ix, system)).collect();
        let roles: Vec<&str> =
            system.accounts.iter().map(|a| a.native_id.as_str()).filter(|a| parts(a).is_some_and(|p| p.2.starts_with("role/"))).collect();
        let policies = policies(system, &roles);
        let mut groups = groups(system);
        let ix_of: BTreeMap<u32, usize> = principals.iter().enumerate().map(|(at, p)| (p.account_ix, at)).collect();
        let role_of: BTreeMap<u32, usize> = role_of(system, &principals);
        hold(system, &mut principals, &ix_of, &role_of, &groups);
        trust(system, &mut principals, &ix_of, &role_of);
        for p in &mut principals {
            for g in &p.grants {
                if let Some(policy) = policies.get(g.entitlement_ix as usize) {
                    p.allowed.add(&policy.allowed);
                }
            }
        }
        let mut own_policies = own_policies(system, &principals);
        let (partition, number) =
            system.accounts.iter().find_map(|a| parts(&a.native_id)).map_or(("aws", ""), |(partition, number, _)| (partition, number));
        let mut arns: Vec<String> = principals.iter().map(|p| p.arn.clone()).collect();
        let mut add = |arn: String| {
            arns.push(arn);
            arns.len() - 1
        };
        groups.values_mut().for_each(|g| g.place = add(g.arn.clone()));
        for (entitlement_ix, own) in &mut own_policies {
            own.place = add(system.entitlements.get(*entitlement_ix as usize).map_or_else(String::new, |e| e.native_id.clone()));
        }
        // A control character stands in no name that IAM accepts, so no pattern names it.
        let mut nobody = |number: &str, kind: &str| add(format!("arn:{partition}:iam::{number}:{kind}/\u{1}"));
        let nobody = Nobody {
            user: nobody(number, "user"),
            role: nobody(number, "role"),
            group: nobody(number, "group"),
            policy: nobody(number, "policy"),
            foreign_role: nobody("\u{1}", "role"),
        };
        let open_to_anybody = principals.iter().any(|p| !p.trusts_anybody.is_empty());
        let fences = fences(system);
        let low_fence = fences.iter().find(|f| is_low(f, &policies)).map(|f| f.level.clone());
        Self { system, policies, principals, groups, own_policies, arns, open_to_anybody, nobody, fences, low_fence }
    }

    pub fn policy(&self, entitlement_ix: u32) -> Option<&Policy> {
        self.policies.get(entitlement_ix as usize)
    }

    /// Whether some policy of a principal is not in the export.
    pub fn is_unread(&self, who: &Principal) -> bool {
        !who.unread_groups.is_empty() || who.grants.iter().any(|g| self.policy(g.entitlement_ix).is_some_and(|p| p.unread))
    }

    pub fn entitlement_name(&self, entitlement_ix: u32) -> &str {
        let row = self.system.entitlements.get(entitlement_ix as usize);
        row.map_or("", |e| e.name.as_deref().unwrap_or(&e.native_id))
    }

    pub fn level(&self, entitlement_ix: u32) -> Level {
        self.system.entitlements.get(entitlement_ix as usize).map_or(Level::Unknown, |e| e.level)
    }
}

fn principal(account_ix: u32, system: &SystemInput) -> Option<Principal> {
    let row = system.accounts.get(account_ix as usize)?;
    let (_, number, last) = parts(&row.native_id)?;
    let is_user = last.starts_with("user/");
    (is_user || last.starts_with("role/")).then(|| Principal {
        account_ix,
        arn: row.native_id.clone(),
        name: row.login.clone().unwrap_or_else(|| last.rsplit('/').next().unwrap_or_default().to_owned()),
        number: number.to_owned(),
        is_user,
        vendor: row.kind == crate::model::AccountKind::System,
        service_linked: last.starts_with("role/aws-service-role/"),
        ..Principal::default()
    })
}

fn policies(system: &SystemInput, roles: &[&str]) -> Vec<Policy> {
    let mut rest = system.statements.as_slice();
    let mut out = Vec::with_capacity(system.entitlements.len());
    for entitlement in &system.entitlements {
        let (mine, others) = rest.split_at(rest.partition_point(|s| s.entitlement_ix <= entitlement.entitlement_ix));
        out.push(Policy::of(entitlement, mine, roles));
        rest = others;
    }
    out
}

/// The levels to which service control policies are attached, each with its policies, as the connector keeps them in the attributes.
fn fences(system: &SystemInput) -> Vec<Fence> {
    let mut fences: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for row in system.entitlements.iter().filter(|e| e.kind == "service-control-policy") {
        let attributes: Placed = row.attributes.as_deref().and_then(|a| serde_json::from_str(a).ok()).unwrap_or_default();
        for level in attributes.attached_to.into_iter().filter(|_| attributes.not_binding.is_none()) {
            fences.entry(level).or_default().push(row.entitlement_ix);
        }
    }
    fences.into_iter().map(|(level, policies)| Fence { level, policies }).collect()
}

/// Whether a level's policies are all known and do not allow, on whatever resource and without a condition, what administration is.
fn is_low(fence: &Fence, policies: &[Policy]) -> bool {
    let mut open = ActionSet::default();
    for policy in fence.policies.iter().filter_map(|p| policies.get(*p as usize)) {
        if policy.unread {
            return false;
        }
        policy.rules.iter().filter(|r| r.allow && r.condition.is_none()).for_each(|r| open.add(&r.wide));
    }
    !IAM_WRITING.iter().all(|a| open.has(a))
}

fn groups(system: &SystemInput) -> BTreeMap<u32, Group> {
    let users = system.groups.iter().filter(|g| g.kind == "group");
    let name = |g: &crate::model::GroupRow| g.name.clone().unwrap_or_else(|| g.native_id.clone());
    let mut groups: BTreeMap<u32, Group> =
        users.map(|g| (g.group_ix, Group { arn: g.native_id.clone(), name: name(g), ..Group::default() })).collect();
    for grant in system.grants.iter().filter(|g| g.effect == Effect::Allow) {
        let group = grant.group_ix.and_then(|g| groups.get_mut(&g));
        let (Some(group), Some(held)) = (group, system.entitlements.get(grant.entitlement_ix as usize)) else { continue };
        let escalates = held.risks.as_deref().is_some_and(|r| r.split(',').any(|one| one == "privilege-escalation"));
        match held.level {
            Level::Admin if !held.conditional => group.leads = Some(true),
            Level::Admin => group.leads = group.leads.or(Some(false)),
            _ if escalates => group.leads = group.leads.or(Some(false)),
            _ => {}
        }
    }
    groups
}

/// Principals by the group side of their role.
fn role_of(system: &SystemInput, principals: &[Principal]) -> BTreeMap<u32, usize> {
    let by_arn: BTreeMap<&str, usize> = principals.iter().enumerate().map(|(at, p)| (p.arn.as_str(), at)).collect();
    system.groups.iter().filter_map(|g| Some((g.group_ix, *by_arn.get(g.native_id.as_str())?))).collect()
}

/// Gives every principal its groups, grants and boundary.
fn hold(
    system: &SystemInput,
    principals: &mut [Principal],
    ix_of: &BTreeMap<u32, usize>,
    role_of: &BTreeMap<u32, usize>,
    groups: &BTreeMap<u32, Group>,
) {
    let mut of_group: BTreeMap<u32, Vec<Attached>> = BTreeMap::new();
    for grant in &system.grants {
        let attached = Attached { grant_ix: grant.grant_ix, entitlement_ix: grant.entitlement_ix };
        let direct = grant.account_ix.and_then(|a| ix_of.get(&a)).or_else(|| grant.group_ix.and_then(|g| role_of.get(&g)));
        match (direct.and_then(|at| principals.get_mut(*at)), grant.effect, grant.group_ix) {
            (Some(p), Effect::Boundary, _) => p.boundaries.push(grant.entitlement_ix),
            (Some(p), ..) => p.grants.push(attached),
            (None, Effect::Boundary, _) => {}
            (None, _, Some(group)) => of_group.entry(group).or_default().push(attached),
            (None, ..) => {}
        }
    }
    for m in system.memberships.iter().filter(|m| m.kind == MembershipKind::Direct && groups.contains_key(&m.group_ix)) {
        let Some(p) = m.account_ix.and_then(|a| ix_of.get(&a)).and_then(|at| principals.get_mut(*at)) else { continue };
        p.groups.push(m.group_ix);
        p.grants.extend(of_group.get(&m.group_ix).into_iter().flatten());
        if system.groups.get(m.group_ix as usize).is_some_and(|g| g.level == Level::Unknown) {
            p.unread_groups.push(m.membership_ix);
        }
    }
}

/// Gives every role those who may assume it.
fn trust(system: &SystemInput, principals: &mut [Principal], ix_of: &BTreeMap<u32, usize>, role_of: &BTreeMap<u32, usize>) {
    let mut trusted: BTreeSet<usize> = BTreeSet::new();
    for m in system.memberships.iter().filter(|m| m.kind == MembershipKind::Assume) {
        let Some(role) = role_of.get(&m.group_ix).and_then(|at| principals.get_mut(*at)) else { continue };
        let trust = Trust { membership_ix: m.membership_ix, condition: m.condition.clone() };
        match (m.principal_kind, m.account_ix, m.principal_ref.as_deref()) {
            (_, Some(account_ix), _) => {
                trusted.extend(ix_of.get(&account_ix));
                role.trusts.insert(account_ix, trust);
            }
            (PrincipalKind::Root, _, Some(root)) if parts(root).is_some_and(|(_, number, _)| number == role.number) => {
                role.trusts_account.push(trust);
            }
            (PrincipalKind::Wildcard, ..) => role.trusts_anybody.push(trust),
            (PrincipalKind::Service, _, Some(service)) => {
                role.services.insert(service.to_ascii_lowercase(), m.condition.clone());
            }
            _ => {}
        }
    }
    for (group_ix, at) in role_of {
        let denies =
            system.groups.get(*group_ix as usize).and_then(|g| g.attributes.as_deref()).is_some_and(|a| a.contains("\"trust_deny\""));
        if let Some(role) = principals.get_mut(*at) {
            role.trust_denies = denies;
        }
    }
    for at in trusted {
        if let Some(p) = principals.get_mut(at) {
            p.trusted = true;
        }
    }
}

/// The account's own managed policies with their holders, members of groups included.
fn own_policies(system: &SystemInput, principals: &[Principal]) -> BTreeMap<u32, OwnPolicy> {
    let own = system.entitlements.iter().filter(|e| e.kind == "managed-policy" && !e.vendor_managed);
    let mut found: BTreeMap<u32, OwnPolicy> = own.map(|e| (e.entitlement_ix, OwnPolicy::default())).collect();
    for (at, p) in principals.iter().enumerate() {
        for g in &p.grants {
            if let Some(own) = found.get_mut(&g.entitlement_ix) {
                own.holders.push(at);
            }
        }
    }
    found
}

/// Place of an action in [`KNOWN`]; the end of it for one that nothing asks about, which no rule allows.
pub(super) fn place(action: &str) -> usize {
    KNOWN.binary_search(&action).unwrap_or(KNOWN.len())
}
