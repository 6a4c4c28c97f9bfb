//! Whether a method is open to a principal, and who it leads to.

use super::estate::{Estate, Principal, Trust, place};
use super::held::{Ask, Held, On, Without, shown};
use crate::model::Level;
use crate::policy::methods::{ASSUME, Method, PASS, Way};

/// How far a principal is known to lead: to administration, at once or over others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub sure: bool,
    /// Steps over others, in the order in which they were found.
    pub round: u32,
    /// The method, or `admin`.
    pub how: &'static str,
    /// The principal that it leads over.
    pub next: Option<usize>,
}

/// Through whom or what a method leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Principal(usize),
    Group(u32),
    Policy(u32),
}

/// An open method.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub held: Held,
    /// `None`: nothing in the export is known to gain by it.
    pub target: Option<Target>,
    /// Everything is in the export, and nothing in it gains by the method.
    pub latent: bool,
}

impl Found {
    fn over(held: Held, target: Target) -> Self {
        Self { held, target: Some(target), latent: false }
    }

    pub fn is_sure(&self) -> bool {
        self.target.is_some() && self.held.is_sure()
    }

    /// The principal that a method of this way leads over; `None` where it gives rights at once.
    pub fn next(&self, way: Way) -> Option<usize> {
        match self.target {
            Some(Target::Principal(at)) if leads_over(way) => Some(at),
            _ => None,
        }
    }
}

/// Why a way over somebody stays open whom nobody knows to lead further.
fn unseen(them: &Principal) -> String {
    format!("what `{}` may do is not in the export", them.name)
}

/// Keeps the better of two.
fn better(best: &mut Option<Found>, found: Found) {
    let rank = |f: &Found| (f.is_sure(), f.target.is_some());
    if best.as_ref().is_none_or(|b| rank(b) < rank(&found)) {
        *best = Some(found);
    }
}

/// The actions by which one signs in as a user.
const SIGN_IN: [&str; 3] = ["iam:createaccesskey", "iam:createloginprofile", "iam:updateloginprofile"];
const WRITE_TRUST: &str = "iam:updateassumerolepolicy";

/// Whether a way leads over principals who lead further themselves. The others give rights at once.
pub(super) fn leads_over(way: Way) -> bool {
    matches!(way, Way::Trust | Way::SignIn | Way::Passed(_) | Way::Running(_) | Way::Assume)
}

/// One look at the account.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    pub estate: &'a Estate<'a>,
    pub nodes: &'a [Option<Node>],
    /// Principals that lead further, the surest and nearest first.
    pub targets: &'a [usize],
    /// What is taken away.
    pub without: &'a Without,
    /// Whether a method counts that nothing in the export is known to gain by.
    pub guess: bool,
}

impl<'a> Look<'a> {
    /// Whether a method is open to a principal at all, before resources, Deny and conditions.
    pub fn may(&self, holder: &Principal, method: &Method) -> bool {
        let trusted = method.way == Way::Assume && (holder.trusted || self.estate.open_to_anybody);
        trusted || method.steps.iter().all(|s| holder.allowed.has(&s.action))
    }

    /// The best that a method gives a principal.
    pub fn way(&self, at: usize, method: &Method) -> Option<Found> {
        let holder = self.estate.principals.get(at)?;
        let first = place(method.steps.first()?.action.as_str());
        match method.way {
            Way::Role | Way::User => self.write_principal(at, holder, first, method.way == Way::User),
            Way::Group => self.write_group(holder, first),
            Way::Policy => self.write_policy(at, holder, first),
            Way::OldPolicy => {
                let found = self.write_policy(at, holder, first)?;
                Some(Found { held: found.held.only("whether an older version gives more is not stored"), ..found })
            }
            Way::Join => self.join(holder, first),
            Way::Trust | Way::SignIn => self.take_over(at, holder, first, method.way == Way::SignIn),
            Way::Passed(services) => self.pass(at, holder, method, services),
            Way::Running(services) => self.run(at, holder, method, services),
            Way::Assume => self.assume_any(at, holder),
        }
    }

    fn on(&self, holder: &Principal, action: usize, arn: usize) -> Option<Held> {
        self.estate.held(holder, &Ask { action, on: On::Known(arn), service: None }, self.without)
    }

    /// Whether `holder` can act as another principal, and on what that hangs.
    fn control(&self, at: usize, holder: &Principal, other: usize) -> Option<Held> {
        if at == other {
            return Some(Held::default());
        }
        let them = self.estate.principals.get(other).filter(|o| !o.vendor)?;
        if them.is_user {
            return self.sign_in(holder, other);
        }
        let let_in = self.on(holder, place(WRITE_TRUST), other);
        match (self.assume(holder, other), let_in) {
            (Some(a), b) => Some(a.or(b)),
            (None, b) => b,
        }
    }

    fn sign_in(&self, holder: &Principal, arn: usize) -> Option<Held> {
        SIGN_IN.iter().filter_map(|a| self.on(holder, place(a), arn)).reduce(|a, b| a.or(Some(b)))
    }

    /// What a principal gains is held to its permissions boundary and to each level's service control policies, unless those allow
    /// administration.
    fn bounded(&self, them: &Principal, held: Held) -> Held {
        let held = match self.estate.low_fence.as_ref().filter(|_| !them.service_linked) {
            Some(level) => held.only(format!("no further than the service control policies of `{level}`")),
            None => held,
        };
        match them.boundaries.iter().find(|b| self.estate.level(**b) != Level::Admin) {
            Some(b) => {
                held.only(format!("no further than the permissions boundary `{}` of `{}`", self.estate.entitlement_name(*b), them.name))
            }
            None => held,
        }
    }

    fn write_principal(&self, at: usize, holder: &Principal, action: usize, user: bool) -> Option<Found> {
        let mut best = None;
        let others = (0..self.estate.principals.len()).filter(|other| *other != at);
        for other in std::iter::once(at).chain(others) {
            let Some(them) = self.estate.principals.get(other).filter(|p| p.is_user == user && !p.vendor) else { continue };
            let Some(held) = self.on(holder, action, other) else { continue };
            let Some(control) = self.control(at, holder, other) else { continue };
            better(&mut best, Found::over(self.bounded(them, held.and(control)), Target::Principal(other)));
            if best.as_ref().is_some_and(Found::is_sure) {
                return best;
            }
        }
        let (nobody, what) = match user {
            true => (self.estate.nobody.user, "it can act as none of the users into which it may write"),
            false => (self.estate.nobody.role, "it can act as none of the roles into which it may write"),
        };
        best.or_else(|| self.nobody(holder, action, nobody, what))
    }

    /// Without anybody in sight: open on whatever there will be.
    fn nobody(&self, holder: &Principal, action: usize, arn: usize, why: &str) -> Option<Found> {
        let held = self.on(holder, action, arn).filter(|_| self.guess)?;
        Some(Found { held: held.only(why), target: None, latent: false })
    }

    /// The same for a way over somebody who leads further, of whom the export has none.
    fn none_leads(&self, holder: &Principal, action: usize, arn: usize, why: &str, over: impl Fn(&Principal) -> bool) -> Option<Found> {
        let unread = self.estate.principals.iter().find(|p| p.account_ix != holder.account_ix && over(p) && self.estate.is_unread(p));
        match unread {
            Some(them) => self.nobody(holder, action, arn, &unseen(them)),
            None => self.nobody(holder, action, arn, why).map(|f| Found { latent: true, ..f }),
        }
    }

    fn write_group(&self, holder: &Principal, action: usize) -> Option<Found> {
        let mut best = None;
        for group_ix in &holder.groups {
            let Some(group) = self.estate.groups.get(group_ix) else { continue };
            let Some(held) = self.on(holder, action, group.place) else { continue };
            better(&mut best, Found::over(self.bounded(holder, held), Target::Group(*group_ix)));
        }
        best.or_else(|| {
            self.nobody(holder, action, self.estate.nobody.group, "it is a member of none of the groups into which it may write")
        })
    }

    fn write_policy(&self, at: usize, holder: &Principal, action: usize) -> Option<Found> {
        let mut best = None;
        for (entitlement_ix, own) in &self.estate.own_policies {
            let Some(held) = self.on(holder, action, own.place) else { continue };
            let mine = own.holders.iter().filter(|h| **h == at);
            for other in mine.chain(own.holders.iter().filter(|h| **h != at)) {
                let (Some(them), Some(control)) = (self.estate.principals.get(*other), self.control(at, holder, *other)) else { continue };
                better(&mut best, Found::over(self.bounded(them, held.clone().and(control)), Target::Policy(*entitlement_ix)));
                if best.as_ref().is_some_and(Found::is_sure) {
                    return best;
                }
            }
        }
        let why = "none of the policies that it may rewrite is on it or on anybody as whom it can act";
        best.or_else(|| self.nobody(holder, action, self.estate.nobody.policy, why))
    }

    fn join(&self, holder: &Principal, action: usize) -> Option<Found> {
        // A role is in no group: it needs a user.
        let user = if holder.is_user { Held::default() } else { self.sign_in(holder, self.estate.nobody.user)? };
        let mut best = None;
        for (group_ix, group) in self.estate.groups.iter().filter(|(ix, _)| !holder.groups.contains(ix)) {
            let Some(leads) = group.leads else { continue };
            let Some(held) = self.on(holder, action, group.place) else { continue };
            let held = self.bounded(holder, held.and(user.clone()));
            let held = if leads { held } else { held.only(format!("`{}` itself leads further only perhaps", group.name)) };
            better(&mut best, Found::over(held, Target::Group(*group_ix)));
        }
        let why = "no group that it may join is known to lead further";
        best.or_else(|| self.none_leads(holder, action, self.estate.nobody.group, why, |_| false))
    }

    /// Principals that lead further, with what that hangs on.
    fn leading(&self, holder: usize) -> impl Iterator<Item = (usize, &'a Principal, Held)> {
        let estate = self.estate;
        let nodes = self.nodes;
        self.targets.iter().filter(move |t| **t != holder).filter_map(move |t| {
            let (them, node) = (estate.principals.get(*t)?, nodes.get(*t)?.as_ref()?);
            let perhaps = Held::default().only(format!("`{}` itself leads further only perhaps", them.name));
            Some((*t, them, if node.sure { Held::default() } else { perhaps }))
        })
    }

    fn take_over(&self, at: usize, holder: &Principal, action: usize, user: bool) -> Option<Found> {
        let mut best = None;
        for (other, _, leads) in self.leading(at).filter(|(_, them, _)| them.is_user == user && !them.vendor) {
            let Some(held) = self.on(holder, action, other) else { continue };
            better(&mut best, Found::over(held.and(leads), Target::Principal(other)));
            if best.as_ref().is_some_and(Found::is_sure) {
                return best;
            }
        }
        let (nobody, why) = match user {
            true => (self.estate.nobody.user, "no user as whom it may sign in is known to lead further"),
            false => (self.estate.nobody.role, "no role into which it may let itself is known to lead further"),
        };
        best.or_else(|| self.none_leads(holder, action, nobody, why, |p| p.is_user == user && !p.vendor))
    }

    /// All steps but the passing of a role, on whatever they work on.
    fn steps(&self, holder: &Principal, method: &Method) -> Option<Held> {
        let mut all = Held::default();
        for step in method.steps.iter().filter(|s| s.action != PASS) {
            let ask = Ask { action: place(&step.action), on: On::Something, service: None };
            let held = self.estate.held(holder, &ask, self.without)?;
            all = all.and(held.said_of(step.name));
        }
        Some(all)
    }

    fn pass(&self, at: usize, holder: &Principal, method: &Method, services: &[&str]) -> Option<Found> {
        let steps = self.steps(holder, method)?;
        let pass = |on: On<'_>, service: &str| {
            let held = self.estate.held(holder, &Ask { action: place(PASS), on, service: Some(service) }, self.without)?;
            Some(held.said_of("iam:PassRole"))
        };
        let mut best = None;
        for (other, them, leads) in self.leading(at).filter(|(_, them, _)| !them.is_user && !them.vendor) {
            for (service, condition) in services.iter().filter_map(|s| them.services.get_key_value(*s)) {
                let Some(held) = pass(On::Known(other), service) else { continue };
                let held = held.and(steps.clone()).and(leads.clone()).under(condition.as_deref());
                better(&mut best, Found::over(held, Target::Principal(other)));
            }
            if best.as_ref().is_some_and(Found::is_sure) {
                return best;
            }
        }
        if best.is_some() || !self.guess {
            return best;
        }
        let guess = |held: Held, why: String, latent: bool| Found { held: held.and(steps.clone()).only(why), target: None, latent };
        for role in self.unread_roles(at, services) {
            if let Some(held) = services.iter().filter_map(|s| pass(On::Arn(&role.arn), s)).next() {
                return Some(guess(held, unseen(role), false));
            }
        }
        let anyone = On::Known(self.estate.nobody.role);
        if let Some(held) = services.iter().filter_map(|s| pass(anyone, s)).reduce(|a, b| a.or(Some(b))) {
            let why = format!("no role that it may pass to `{}` is known to lead further", services.join("` or `"));
            return Some(guess(held, why, true));
        }
        let dangling: Vec<String> = self.dangling(holder, services);
        // Asked of the pattern itself, so that a Deny and the boundary count.
        let held = services.iter().filter_map(|s| pass(On::Arn(dangling.first()?), s)).next()?;
        Some(guess(held, format!("`iam:PassRole` only on {}, which the export does not hold", shown(&dangling)), false))
    }

    /// Roles, other than the holder, whose policies are not all in the export and that one of the services assumes.
    fn unread_roles(&self, at: usize, services: &'a [&str]) -> impl Iterator<Item = &'a Principal> {
        let estate = self.estate;
        estate
            .principals
            .iter()
            .enumerate()
            .filter(move |(other, p)| {
                let assumed = services.iter().any(|s| p.services.contains_key(*s));
                *other != at && assumed && !p.vendor && estate.is_unread(p)
            })
            .map(|(_, p)| p)
    }

    fn dangling(&self, holder: &Principal, services: &[&str]) -> Vec<String> {
        let grants = holder.grants.iter().filter(|g| !self.without.grants.contains(&g.grant_ix));
        let rules = grants.filter_map(|g| self.estate.policy(g.entitlement_ix)).flat_map(|p| &p.rules);
        let open = rules.filter(|r| services.iter().any(|s| r.holds(Some(s)) != super::condition::Truth::No));
        let mut found: Vec<String> = open.flat_map(|r| r.dangling.iter().cloned()).collect();
        found.sort();
        found.dedup();
        found
    }

    fn run(&self, at: usize, holder: &Principal, method: &Method, services: &[&str]) -> Option<Found> {
        let steps = self.steps(holder, method)?;
        let mut best = None;
        for (other, _, leads) in
            self.leading(at).filter(|(_, them, _)| !them.is_user && !them.vendor && services.iter().any(|s| them.services.contains_key(*s)))
        {
            better(&mut best, Found::over(steps.clone().and(leads), Target::Principal(other)));
            if best.as_ref().is_some_and(Found::is_sure) {
                return best;
            }
        }
        if best.is_some() || !self.guess {
            return best;
        }
        if let Some(role) = self.unread_roles(at, services).next() {
            return Some(Found { held: steps.only(unseen(role)), target: None, latent: false });
        }
        // Held to particular things, none of which can run as a role that leads further: there is no such role.
        let why = format!("no role that `{}` assumes is known to lead further", services.join("` or `"));
        (!steps.narrow).then(|| Found { held: steps.only(why), target: None, latent: true })
    }

    fn assume_any(&self, at: usize, holder: &Principal) -> Option<Found> {
        let mut best = None;
        for (other, _, leads) in self.leading(at).filter(|(_, them, _)| !them.is_user) {
            let Some(held) = self.assume(holder, other) else { continue };
            better(&mut best, Found::over(held.and(leads), Target::Principal(other)));
            if best.as_ref().is_some_and(Found::is_sure) {
                return best;
            }
        }
        let why = "no role of the account that it may assume is known to lead further; roles of other accounts are not in the export";
        let found = best.or_else(|| self.nobody(holder, place(&ASSUME.to_ascii_lowercase()), self.estate.nobody.foreign_role, why));
        found.map(|f| Found { latent: f.target.is_none(), ..f })
    }

    /// Whether a role can be assumed: its trust policy and the principal's own policies must both agree, unless the trust policy names the
    /// principal itself.
    fn assume(&self, holder: &Principal, at: usize) -> Option<Held> {
        let role = self.estate.principals.get(at)?;
        let ask = Ask { action: place("sts:assumerole"), on: On::Known(at), service: None };
        let there = |t: &&Trust| !self.without.memberships.contains(&t.membership_ix);
        let direct = role.trusts.get(&holder.account_ix).filter(there);
        let direct = direct.and_then(|t| Some(self.estate.held_from_outside(holder, &ask, self.without)?.under(t.condition.as_deref())));
        let broad = role.trusts_account.iter().chain(&role.trusts_anybody).filter(there);
        let allowed = self.estate.held(holder, &ask, self.without);
        let broad = broad.filter_map(|t| Some(allowed.clone()?.under(t.condition.as_deref()))).reduce(|a, b| a.or(Some(b)));
        let anybody = role.trusts_anybody.iter().filter(there).filter_map(|t| {
            let held = self.estate.held_from_outside(holder, &ask, self.without)?.under(t.condition.as_deref());
            Some(held.only(format!("the trust policy of `{}` names anybody, and no policy of its own allows it", role.name)))
        });
        let anybody = anybody.reduce(|a, b| a.or(Some(b)));
        let held = [direct, broad, anybody].into_iter().flatten().reduce(|a, b| a.or(Some(b)))?;
        let denies = format!("the trust policy of `{}` has a Deny that is not decided", role.name);
        Some(if role.trust_denies { held.only(denies) } else { held })
    }
}
