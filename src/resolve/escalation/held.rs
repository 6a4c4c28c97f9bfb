//! Whether a principal may do one thing: all its Allows, less every Deny, within its permissions boundary and the organisation's policies.

use std::collections::BTreeSet;

use super::condition::Truth;
use super::estate::{Estate, Fence, Patterns, Policy, Principal, Rule};
use crate::policy::actions::KNOWN;
use crate::policy::glob;
use crate::policy::resources::{can_be_of, covers_all_of};

/// The most conditions, and the most reasons, that one answer lists.
const LISTED: usize = 8;
/// The most resources that one reason names, and how much of each.
const NAMED: usize = 3;
const NAME_CHARACTERS: usize = 160;

/// What one asks about.
#[derive(Clone, Copy, Debug)]
pub(super) enum On<'a> {
    /// One resource, by its place in [`Estate::arns`].
    Known(usize),
    /// One resource.
    Arn(&'a str),
    /// Whatever the action works on, of which no export tells.
    Something,
}

/// One question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask<'a> {
    /// Place of the action in [`crate::policy::actions::KNOWN`].
    pub action: usize,
    pub on: On<'a>,
    /// The service that a role is passed to.
    pub service: Option<&'a str>,
}

/// What has been taken away, to see whether an answer still stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Without {
    pub grants: BTreeSet<u32>,
    pub memberships: BTreeSet<u32>,
}

/// A yes, and what it hangs on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Conditions, JSON; those of a Deny as `{"unless":…}`.
    pub conditions: BTreeSet<String>,
    /// Other reasons why it holds only perhaps, in words.
    pub limits: BTreeSet<String>,
    /// It is held to named resources.
    pub narrow: bool,
}

impl Held {
    /// It hangs on nothing.
    pub fn is_sure(&self) -> bool {
        self.conditions.is_empty() && self.limits.is_empty()
    }

    pub fn only(mut self, limit: impl Into<String>) -> Self {
        note(&mut self.limits, limit.into());
        self
    }

    /// With the action named to which what is said of resources belongs.
    pub fn said_of(mut self, action: &str) -> Self {
        let of = |l: String| if l.starts_with("only ") || l.starts_with("denied ") { format!("`{action}` {l}") } else { l };
        self.limits = self.limits.into_iter().map(of).collect();
        self
    }

    /// On a condition, if there is one.
    pub fn under(mut self, condition: Option<&str>) -> Self {
        if let Some(condition) = condition {
            note(&mut self.conditions, condition.to_owned());
        }
        self
    }

    /// Both.
    pub fn and(mut self, other: Self) -> Self {
        other.conditions.into_iter().for_each(|c| note(&mut self.conditions, c));
        other.limits.into_iter().for_each(|l| note(&mut self.limits, l));
        self.narrow |= other.narrow;
        self
    }

    /// The surer of two ways; both hang together where neither is sure.
    pub fn or(self, other: Option<Self>) -> Self {
        match other {
            None => self,
            Some(_) if self.is_sure() => self,
            Some(other) if other.is_sure() => other,
            Some(other) => {
                let narrow = self.narrow && other.narrow;
                Self { narrow, ..self.and(other) }
            }
        }
    }
}

fn note(set: &mut BTreeSet<String>, text: String) {
    if set.len() < LISTED {
        set.insert(text);
    }
}

/// How a list of patterns meets what is asked.
enum Fit {
    No,
    /// It hangs on something, in words; narrow if on the resource.
    Perhaps {
        why: String,
        narrow: bool,
    },
    Yes,
}

impl Estate<'_> {
    /// Whether the principal may do what is asked.
    pub fn held(&self, who: &Principal, ask: &Ask<'_>, without: &Without) -> Option<Held> {
        self.held_by(who, ask, without, &|_| true)
    }

    /// The same, allowed by the statements that `by` takes; every Deny counts.
    pub fn held_by(&self, who: &Principal, ask: &Ask<'_>, without: &Without, by: &dyn Fn(&Rule) -> bool) -> Option<Held> {
        let grants = who.grants.iter().filter(|g| !without.grants.contains(&g.grant_ix));
        let policies = grants.filter_map(|g| self.policy(g.entitlement_ix)).filter(|p| p.allowed.has_at(ask.action));
        let allowed = policies.filter_map(|p| self.allowed_by(p, ask, who, by)).reduce(|a, b| a.or(Some(b)))?;
        self.limited(who, ask, without, allowed, true)
    }

    /// Whether it may do what something else than its own policies allows it: a Deny counts, and for roles their boundary.
    pub fn held_from_outside(&self, who: &Principal, ask: &Ask<'_>, without: &Without) -> Option<Held> {
        self.limited(who, ask, without, Held::default(), !who.is_user)
    }

    fn limited(&self, who: &Principal, ask: &Ask<'_>, without: &Without, mut held: Held, bounded: bool) -> Option<Held> {
        let grants = who.grants.iter().filter(|g| !without.grants.contains(&g.grant_ix));
        for policy in grants.filter_map(|g| self.policy(g.entitlement_ix)) {
            held = self.denied(policy, ask, who, held)?;
        }
        for boundary in who.boundaries.iter().filter(|_| bounded) {
            held = match self.policy(*boundary).filter(|p| !p.unread) {
                Some(policy) => self.denied(policy, ask, who, held.and(self.allowed(policy, ask, who)?))?,
                None => held.only(format!("its permissions boundary `{}` is not in the export", self.entitlement_name(*boundary))),
            };
        }
        for fence in self.fences.iter().filter(|_| !who.service_linked) {
            held = self.fenced(fence, ask, who, held)?;
        }
        Some(held)
    }

    /// What the service control policies of one level leave: some of them must allow it, none may deny it. `None`: nothing.
    fn fenced(&self, fence: &Fence, ask: &Ask<'_>, who: &Principal, mut held: Held) -> Option<Held> {
        let (mut allowed, mut unread): (Option<Held>, bool) = (None, false);
        for policy in fence.policies.iter().filter_map(|p| self.policy(*p)) {
            held = self.denied(policy, ask, who, held)?;
            unread |= policy.unread;
            if let Some(more) = self.allowed(policy, ask, who) {
                allowed = Some(more.or(allowed));
            }
        }
        match unread {
            true => {
                Some(held.only(format!("the service control policies of `{}` are not all in the export, or cannot be read", fence.level)))
            }
            false => Some(held.and(allowed?)),
        }
    }

    fn allowed(&self, policy: &Policy, ask: &Ask<'_>, who: &Principal) -> Option<Held> {
        self.allowed_by(policy, ask, who, &|_| true)
    }

    fn allowed_by(&self, policy: &Policy, ask: &Ask<'_>, who: &Principal, by: &dyn Fn(&Rule) -> bool) -> Option<Held> {
        let mut best: Option<Held> = None;
        for rule in policy.rules.iter().filter(|r| r.allow && r.actions.has_at(ask.action) && by(r)) {
            let held = match (self.fit(rule, ask, who), rule.holds(ask.service)) {
                (Fit::No, _) | (_, Truth::No) => continue,
                (Fit::Yes, _) => Held::default(),
                (Fit::Perhaps { why, narrow }, _) => Held { narrow, ..Held::default().only(format!("only {why}")) },
            };
            let held = held.under(rule.condition_text(ask.service));
            if held.is_sure() {
                return Some(held);
            }
            best = Some(held.or(best));
        }
        best
    }

    /// What a policy's Deny statements leave; `None`: nothing.
    fn denied(&self, policy: &Policy, ask: &Ask<'_>, who: &Principal, mut held: Held) -> Option<Held> {
        for rule in policy.rules.iter().filter(|r| !r.allow && r.actions.has_at(ask.action)) {
            match (self.fit(rule, ask, who), rule.holds(ask.service)) {
                (Fit::No, _) | (_, Truth::No) => {}
                (Fit::Yes, Truth::Yes) => return None,
                (Fit::Yes, Truth::Unknown) => {
                    let text = rule.condition_text(ask.service).unwrap_or_default();
                    held = held.under(Some(&format!("{{\"unless\":{text}}}")));
                }
                (Fit::Perhaps { why, .. }, _) => held = held.only(format!("denied {why}")),
            }
        }
        Some(held)
    }

    fn fit(&self, rule: &Rule, ask: &Ask<'_>, who: &Principal) -> Fit {
        match (ask.on, &rule.resources) {
            (On::Something, Patterns::Only(list)) if rule.allow => match rule.wide.has_at(ask.action) {
                true => Fit::Yes,
                false => named(list, ask.action),
            },
            (On::Something, Patterns::Only(list)) => match list.iter().any(|p| is_all(p, ask.action)) {
                true => Fit::Yes,
                false => named(list, ask.action),
            },
            // An Allow but for some leaves nearly everything; a Deny but for some leaves these.
            (On::Something, Patterns::Except(list)) => match (rule.allow, list.is_empty(), list.iter().any(|p| glob::is_everything(p))) {
                (_, _, true) => Fit::No,
                (true, ..) | (false, true, _) => Fit::Yes,
                (false, false, false) => Fit::Perhaps { why: format!("except on {}", shown(list)), narrow: false },
            },
            (on, Patterns::Only(list)) => self.any(rule, list, on, who),
            (on, Patterns::Except(list)) => match self.any(rule, list, on, who) {
                Fit::Yes => Fit::No,
                Fit::No => Fit::Yes,
                perhaps => perhaps,
            },
        }
    }

    /// Whether some pattern of a list covers an ARN, once what it says of the principal is filled in.
    fn any(&self, rule: &Rule, list: &[String], on: On<'_>, who: &Principal) -> Fit {
        let (arn, remembered) = match on {
            On::Known(at) => (self.arns.get(at).map_or("", String::as_str), rule.covers(&self.arns, at)),
            On::Arn(arn) => (arn, None),
            On::Something => return Fit::No,
        };
        if remembered.unwrap_or_else(|| list.iter().any(|p| !p.contains("${") && glob::covers(p, arn))) {
            return Fit::Yes;
        }
        let mut perhaps = None;
        for pattern in list.iter().filter(|p| p.contains("${")) {
            match filled(pattern, who) {
                Some((text, true)) if glob::covers(&text, arn) => return Fit::Yes,
                Some((text, false)) if glob::covers(&text, arn) => perhaps = Some(pattern),
                _ => {}
            }
        }
        perhaps.map_or(Fit::No, |p| Fit::Perhaps { why: format!("as `{}` turns out", clipped(p)), narrow: false })
    }
}

/// Everything, or every resource of every kind of the action's own service in every region.
fn is_all(pattern: &str, action: usize) -> bool {
    let Some(action) = KNOWN.get(action) else { return false };
    let mut parts = pattern.splitn(6, ':').skip(3);
    let (region, account, last) = (parts.next(), parts.next(), parts.next());
    let any = |part: Option<&str>| part.is_some_and(glob::is_everything);
    let global = action.starts_with("iam:") || action.starts_with("s3:");
    let everywhere = (any(region) || global && region == Some("")) && (any(account) || global && account == Some("")) && any(last);
    glob::is_everything(pattern) || (everywhere || matches!(pattern, "arn:*" | "arn:aws:*")) && covers_all_of(pattern, action)
}

/// Held to the resources of a list that the action can work on.
fn named(list: &[String], action: usize) -> Fit {
    let action = KNOWN.get(action).copied().unwrap_or_default();
    let own: Vec<String> = list.iter().filter(|p| can_be_of(p, action)).cloned().collect();
    match own.is_empty() {
        true => Fit::No,
        false => Fit::Perhaps { why: format!("on {}", shown(&own)), narrow: true },
    }
}

/// A pattern with its variables filled in, and whether all are known; unknown ones become `*`. `None`: it can match nothing, because the
/// principal has no such variable.
fn filled(pattern: &str, who: &Principal) -> Option<(String, bool)> {
    let mut out = String::new();
    let (mut rest, mut known) = (pattern, true);
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, tail)) = after.split_once('}') else { break };
        out.push_str(before);
        match name.to_ascii_lowercase().as_str() {
            "aws:username" if who.is_user => out.push_str(&who.name),
            "aws:username" => return None,
            "aws:principalaccount" => out.push_str(&who.number),
            _ => {
                out.push('*');
                known = false;
            }
        }
        rest = tail;
    }
    out.push_str(rest);
    Some((out, known))
}

/// The first patterns of a list.
pub(super) fn shown(list: &[String]) -> String {
    let mut text = list.iter().take(NAMED).map(|p| format!("`{}`", clipped(p))).collect::<Vec<_>>().join(", ");
    if list.len() > NAMED {
        text.push_str(&format!(" ({} more)", list.len() - NAMED));
    }
    text
}

fn clipped(text: &str) -> String {
    match text.char_indices().nth(NAME_CHARACTERS) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
