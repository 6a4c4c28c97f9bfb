//! Table `principal_risk`: what the policies of one AWS principal, taken together, let it become (11.8).
//!
//! A user has its own managed and inline policies and those of its groups, a role its own. A method is open where every action of it is
//! allowed by some of them, none denied by any, and all within the permissions boundary and, where they are given, the organisation's
//! service control policies. It is *certain* where what it needs is in the
//! export, on nothing but that; *possible* where a condition, a held resource or what no IAM export shows decides; *latent* where all of it
//! is in the export and nothing there gains by it.

mod condition;
mod estate;
mod held;
mod spread;
mod ways;

use std::collections::BTreeSet;

use super::SystemInput;
use crate::model::{PrincipalRisk, PrincipalRiskRow, Verdict};
use crate::policy::methods::{METHODS, Method, Way};
use crate::policy::risks::{CREDENTIALS, EXFILTRATION, EXPOSURE};
use estate::{Estate, Principal, place};
use held::{Ask, Held, On, Without};
use spread::{ADMIN, admin, in_order, spread};
use ways::{Found, Look, Node, Target};

/// Names in one path, attachments in one text and actions in one list, at most.
const LISTED: usize = 16;
/// The most attachments among which one looks for those that suffice.
const WEIGHED: usize = 32;
/// The row of a principal whose policies are not all in the export.
const UNREAD: &str = "unread-policy";

/// The connector whose policies are put together.
pub const POLICIES_OF: &str = "aws-iam";

/// The rows of one system, by (`account_ix`, `method`). Systems of other connectors than [`POLICIES_OF`] have none.
pub fn principal_risk(system: &SystemInput) -> Vec<PrincipalRiskRow> {
    if system.connector != POLICIES_OF || system.statements.is_empty() && system.grants.is_empty() {
        return Vec::new();
    }
    let estate = Estate::new(system);
    let nodes = spread(&estate);
    let leading = (0..nodes.len()).filter(|at| nodes.get(*at).is_some_and(Option::is_some)).collect();
    let targets = in_order(&nodes, leading);
    let rows = Rows { estate: &estate, nodes: &nodes, targets: &targets };
    let mut out = Vec::new();
    for (at, holder) in estate.principals.iter().enumerate() {
        out.extend(rows.of(at, holder));
    }
    out
}

struct Rows<'a> {
    estate: &'a Estate<'a>,
    nodes: &'a [Option<Node>],
    targets: &'a [usize],
}

/// Edges whose removal together ends a row.
#[derive(Clone, Debug, Default)]
struct Cut {
    grants: Vec<u32>,
    memberships: Vec<u32>,
}

impl<'a> Rows<'a> {
    fn look<'b>(&'b self, without: &'b Without) -> Look<'b> {
        Look { estate: self.estate, nodes: self.nodes, targets: self.targets, without, guess: true }
    }

    /// The rows of one principal, ranked and sorted by method.
    fn of(&self, at: usize, holder: &Principal) -> Vec<PrincipalRiskRow> {
        let nothing = Without::default();
        let mut rows = Vec::new();
        let administers = admin(self.estate, holder, &nothing);
        let sure_admin = administers.as_ref().is_some_and(Held::is_sure);
        if let Some(held) = &administers {
            rows.push(self.admin_row(holder, held));
        }
        // Whoever administers can do the rest, and under the same condition.
        if !sure_admin {
            let look = self.look(&nothing);
            for method in METHODS.iter().filter(|m| look.may(holder, m)) {
                let found = look.way(at, method).filter(|f| administers.is_none() || f.is_sure());
                rows.extend(found.map(|f| self.method_row(at, holder, method, &f)));
            }
            rows.extend(self.unread_row(holder));
            if administers.is_none() {
                rows.extend(self.other_risks(holder));
            }
        }
        let weight = |r: &PrincipalRiskRow| match (r.risk, r.verdict) {
            (PrincipalRisk::Admin, Verdict::Certain) => 0,
            (PrincipalRisk::PrivilegeEscalation, Verdict::Certain) => 1,
            (PrincipalRisk::Admin, _) => 2,
            (PrincipalRisk::PrivilegeEscalation, Verdict::Possible) => 3,
            (PrincipalRisk::Unknown, _) => 4,
            (PrincipalRisk::PrivilegeEscalation, _) => 5,
            _ => 6,
        };
        // What is known to lead to somebody before what is only open; then the fewest actions.
        rows.sort_by_key(|r| (weight(r), r.target.is_none(), r.actions.split(',').count(), r.method.clone()));
        (0..).zip(&mut rows).for_each(|(rank, row)| row.rank = rank);
        rows.sort_by(|a, b| a.method.cmp(&b.method));
        rows
    }

    fn row(&self, holder: &Principal, method: &str, risk: PrincipalRisk, held: &Held, cut: &Cut) -> PrincipalRiskRow {
        PrincipalRiskRow {
            system_ix: self.estate.system.system_ix,
            account_ix: holder.account_ix,
            method: method.to_owned(),
            risk,
            verdict: if held.is_sure() { Verdict::Certain } else { Verdict::Possible },
            limits: joined(&held.limits),
            condition: conditions(&held.conditions),
            grants: ordinals(&cut.grants),
            memberships: ordinals(&cut.memberships),
            attachments: self.attachments(holder, cut),
            ..PrincipalRiskRow::default()
        }
    }

    fn admin_row(&self, holder: &Principal, held: &Held) -> PrincipalRiskRow {
        let all = holder.grants.iter().filter(|g| self.estate.level(g.entitlement_ix) == crate::model::Level::Admin);
        let attached: BTreeSet<u32> = all.map(|g| g.grant_ix).collect();
        let ends = |without: &Without| admin(self.estate, holder, without).is_none();
        let cut = self.lessened(Cut { grants: attached.into_iter().collect(), ..Cut::default() }, &ends);
        PrincipalRiskRow {
            actions: "*".to_owned(),
            path: Some(format!("{} > {ADMIN}", holder.name)),
            ..self.row(holder, ADMIN, PrincipalRisk::Admin, held, &cut)
        }
    }

    fn method_row(&self, at: usize, holder: &Principal, method: &Method, found: &Found) -> PrincipalRiskRow {
        let cut = self.cut(at, holder, method);
        let mut row = self.row(holder, method.id, PrincipalRisk::PrivilegeEscalation, &found.held, &cut);
        row.verdict = match (found.is_sure(), found.latent) {
            (true, _) => Verdict::Certain,
            (false, true) => Verdict::Latent,
            (false, false) => Verdict::Possible,
        };
        row.actions = method.steps.iter().map(|s| s.name).collect::<Vec<_>>().join(",");
        let system = self.estate.system;
        let (target, name) = match found.target {
            Some(Target::Principal(other)) => self.estate.principals.get(other).map(|p| (p.arn.clone(), p.name.clone())).unzip(),
            Some(Target::Group(g)) => self.estate.groups.get(&g).map(|g| (g.arn.clone(), g.name.clone())).unzip(),
            Some(Target::Policy(e)) => {
                system.entitlements.get(e as usize).map(|row| (row.native_id.clone(), self.estate.entitlement_name(e).to_owned())).unzip()
            }
            None => (None, None),
        };
        row.path = found
            .next(method.way)
            .map(|next| self.path(holder, next))
            .or_else(|| name.as_ref().filter(|_| target.as_ref() != Some(&holder.arn)).map(|n| format!("{} > {n}", holder.name)));
        (row.target, row.target_name) = (target, name);
        row
    }

    /// The names from a principal over those that it leads over, and by what the last of them administers.
    fn path(&self, holder: &Principal, first: usize) -> String {
        let mut names = vec![holder.name.as_str()];
        let mut more = 0_usize;
        let (mut at, mut how) = (Some(first), ADMIN);
        while let Some(next) = at {
            let (Some(p), Some(Some(node))) = (self.estate.principals.get(next), self.nodes.get(next)) else { break };
            if names.len() < LISTED {
                names.push(&p.name)
            } else {
                more += 1
            }
            // Every step was found in an earlier round, so that this ends.
            (at, how) = (node.next, node.how);
        }
        let more = if more > 0 { format!(" > ({more} more)") } else { String::new() };
        format!("{}{more} > {how}", names.join(" > "))
    }

    /// Grants of which some statement allows the action.
    fn allowing(&self, holder: &Principal, action: &str) -> Vec<u32> {
        let at = place(action);
        let allows = |e: u32| self.estate.policy(e).is_some_and(|p| p.allowed.has_at(at));
        let mut grants: Vec<u32> = holder.grants.iter().filter(|g| allows(g.entitlement_ix)).map(|g| g.grant_ix).collect();
        grants.sort_unstable();
        grants.dedup();
        grants
    }

    /// The fewest attachments whose removal ends a method: all that allow one of its actions, less those that need not go.
    fn cut(&self, at: usize, holder: &Principal, method: &Method) -> Cut {
        let steps = method.steps.iter().map(|s| self.allowing(holder, &s.action));
        let mut cut = Cut { grants: steps.min_by_key(Vec::len).unwrap_or_default(), ..Cut::default() };
        if method.way == Way::Assume {
            let roles = self.targets.iter().filter_map(|t| self.estate.principals.get(*t));
            let trusts = roles.flat_map(|r| r.trusts.get(&holder.account_ix).into_iter().chain(&r.trusts_anybody));
            cut.memberships = trusts.map(|t| t.membership_ix).collect::<BTreeSet<_>>().into_iter().collect();
        }
        let ends = |without: &Without| self.look(without).way(at, method).is_none();
        self.lessened(cut, &ends)
    }

    /// A cut without what it does not need.
    fn lessened(&self, cut: Cut, ends: &dyn Fn(&Without) -> bool) -> Cut {
        if cut.grants.len() + cut.memberships.len() > WEIGHED {
            return cut;
        }
        let mut without = Without { grants: cut.grants.iter().copied().collect(), memberships: cut.memberships.iter().copied().collect() };
        for grant in &cut.grants {
            without.grants.remove(grant);
            if !ends(&without) {
                without.grants.insert(*grant);
            }
        }
        for membership in &cut.memberships {
            without.memberships.remove(membership);
            if !ends(&without) {
                without.memberships.insert(*membership);
            }
        }
        Cut { grants: without.grants.into_iter().collect(), memberships: without.memberships.into_iter().collect() }
    }

    /// What a cut takes away, in words.
    fn attachments(&self, holder: &Principal, cut: &Cut) -> Option<String> {
        let system = self.estate.system;
        let group = |ix: u32| system.groups.get(ix as usize).map_or("", |g| g.name.as_deref().unwrap_or(&g.native_id));
        let grants = cut.grants.iter().filter_map(|g| system.grants.get(*g as usize)).map(|g| {
            let name = self.estate.entitlement_name(g.entitlement_ix);
            match g.group_ix.filter(|ix| self.estate.groups.contains_key(ix)) {
                Some(ix) => format!("`{name}` on group `{}`", group(ix)),
                None => format!("`{name}` on `{}`", holder.name),
            }
        });
        let trusts = cut.memberships.iter().filter_map(|m| system.memberships.get(*m as usize)).map(|m| {
            let kind = if self.estate.groups.contains_key(&m.group_ix) { "membership in" } else { "trust policy of" };
            format!("{kind} `{}`", group(m.group_ix))
        });
        let mut all: Vec<String> = grants.chain(trusts).collect();
        let more = all.len().saturating_sub(LISTED);
        all.truncate(LISTED);
        if more > 0 {
            all.push(format!("{more} more"));
        }
        (!all.is_empty()).then(|| all.join("; "))
    }

    fn unread_row(&self, holder: &Principal) -> Option<PrincipalRiskRow> {
        let unread = |e: u32| self.estate.policy(e).is_some_and(|p| p.unread);
        let mut grants: Vec<u32> = holder.grants.iter().filter(|g| unread(g.entitlement_ix)).map(|g| g.grant_ix).collect();
        grants.sort_unstable();
        let cut = Cut { grants, memberships: holder.unread_groups.clone() };
        let held = Held::default().only("a policy, or part of it, is not in the export or cannot be read");
        (!cut.grants.is_empty() || !cut.memberships.is_empty())
            .then(|| PrincipalRiskRow { verdict: Verdict::Unknown, ..self.row(holder, UNREAD, PrincipalRisk::Unknown, &held, &cut) })
    }

    /// The other kinds of risk: one action of a list, held to no particular resource.
    fn other_risks(&self, holder: &Principal) -> Vec<PrincipalRiskRow> {
        let kinds = [
            (PrincipalRisk::CredentialAccess, CREDENTIALS),
            (PrincipalRisk::DataExfiltration, EXFILTRATION),
            (PrincipalRisk::ResourceExposure, EXPOSURE),
        ];
        let one = |(risk, list): (PrincipalRisk, &'static [&'static str])| {
            let all: Vec<(&str, Held)> = self.held_of(holder, list, &Without::default()).collect();
            let best = all.iter().map(|(_, h)| h.clone()).reduce(|a, b| a.or(Some(b)))?;
            let cut = self.cut_of_list(holder, list);
            let actions: Vec<&str> = all.iter().map(|(a, _)| *a).collect();
            let shown = actions.iter().take(LISTED).copied().collect::<Vec<_>>().join(",");
            let more = actions.len().saturating_sub(LISTED);
            let actions = if more > 0 { format!("{shown},({more} more)") } else { shown };
            Some(PrincipalRiskRow { actions, ..self.row(holder, crate::model::Word::as_str(risk), risk, &best, &cut) })
        };
        kinds.into_iter().filter_map(one).collect()
    }

    /// The actions of a list that a principal may take, held to no particular resource.
    fn held_of(&self, holder: &Principal, list: &'static [&'static str], without: &Without) -> impl Iterator<Item = (&'static str, Held)> {
        let ask = |action: &str| Ask { action: place(action), on: On::Something, service: None };
        let open = list.iter().filter(|a| holder.allowed.has(a));
        let held = open.filter_map(move |a| Some((*a, self.estate.held(holder, &ask(a), without)?)));
        held.filter(|(_, h)| !h.narrow)
    }

    /// The fewest attachments whose removal leaves no action of a list. A policy that goes takes its Deny along, which may open another
    /// action of the list: what allows that one goes, too.
    fn cut_of_list(&self, holder: &Principal, list: &'static [&'static str]) -> Cut {
        let mut without = Without::default();
        loop {
            let allowing: BTreeSet<u32> = self.held_of(holder, list, &without).flat_map(|(a, _)| self.allowing(holder, a)).collect();
            let before = without.grants.len();
            without.grants.extend(allowing);
            if without.grants.len() == before {
                break;
            }
        }
        let cut = Cut { grants: without.grants.into_iter().collect(), ..Cut::default() };
        self.lessened(cut, &|without| self.held_of(holder, list, without).next().is_none())
    }
}

fn joined(set: &BTreeSet<String>) -> Option<String> {
    (!set.is_empty()).then(|| set.iter().cloned().collect::<Vec<_>>().join("; "))
}

/// One condition as it stands, several as a JSON list.
fn conditions(set: &BTreeSet<String>) -> Option<String> {
    match set.iter().collect::<Vec<_>>().as_slice() {
        [] => None,
        [one] => Some((*one).clone()),
        many => Some(format!("[{}]", many.iter().map(|c| c.as_str()).collect::<Vec<_>>().join(","))),
    }
}

fn ordinals(list: &[u32]) -> Option<String> {
    (!list.is_empty()).then(|| list.iter().map(u32::to_string).collect::<Vec<_>>().join(","))
}
