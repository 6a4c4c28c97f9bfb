//! Whether the policies of an AWS principal let it read a secret of Secrets Manager (11.8).
//!
//! Identity policies and permission boundaries are read; policies of the secret itself, of its key and of the organisation are not in the
//! export.

use std::collections::BTreeSet;

use super::leaver_reach::list;
use crate::model::{Effect, StatementRow};

/// The action that reads a secret.
pub(super) const ACTION: &str = "secretsmanager:GetSecretValue";

/// Opens a variable in a resource.
const VARIABLE: &str = "${";

/// One policy that a principal holds.
pub(super) struct Policy<'a> {
    pub id: &'a str,
    pub statements: &'a [&'a StatementRow],
    /// It is held under a condition.
    pub conditional: bool,
}

/// What all policies together come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Judged {
    /// Policies that allow it; none: it cannot be read.
    pub by: BTreeSet<String>,
    /// The narrowest resource pattern that allows it.
    pub pattern: Option<String>,
    /// Every statement that allows it has a condition.
    pub conditional: bool,
    pub unknown: Option<&'static str>,
}

pub(super) fn judge(allow: &[Policy<'_>], boundary: &[Policy<'_>], arn: &str) -> Judged {
    let mut out = Judged::default();
    if !is_secret(arn) {
        return out;
    }
    let (mut sure, mut fixed, mut denied) = (false, false, None);
    for policy in allow {
        for s in policy.statements {
            let Some(pattern) = covers(s, arn) else { continue };
            let variable = pattern.contains(VARIABLE);
            match (s.effect, s.condition.is_some() || variable) {
                (Effect::Deny, false) => return Judged::default(),
                (Effect::Deny, true) => denied = Some("a denial under a condition or with a variable, which is not decided"),
                (_, conditional) => {
                    sure |= !(conditional || policy.conditional);
                    fixed |= !variable;
                    out.by.insert(policy.id.to_owned());
                    if out.pattern.as_ref().is_none_or(|p| p.len() < pattern.len()) {
                        out.pattern = Some(pattern);
                    }
                }
            }
        }
    }
    out.conditional = !out.by.is_empty() && !sure;
    out.unknown = denied.or((!fixed).then_some("the resource has a variable, which is not decided")).filter(|_| !out.by.is_empty());
    if out.by.is_empty() || boundary.is_empty() {
        return out;
    }
    let within = |effect: Effect| {
        let statements = boundary.iter().flat_map(|p| p.statements.iter());
        statements.filter(|s| s.effect == effect && covers(s, arn).is_some()).collect::<Vec<_>>()
    };
    if within(Effect::Deny).iter().any(|s| s.condition.is_none()) || within(Effect::Allow).is_empty() {
        return Judged::default();
    }
    out.conditional |= within(Effect::Allow).iter().all(|s| s.condition.is_some());
    out
}

/// Whether an id is that of a secret of Secrets Manager.
pub(super) fn is_secret(arn: &str) -> bool {
    let mut parts = arn.splitn(4, ':');
    parts.next() == Some("arn") && parts.next().is_some_and(|p| p.starts_with("aws")) && parts.next() == Some("secretsmanager")
}

/// The pattern by which a statement speaks of reading the secret; `None`: it does not.
fn covers(s: &StatementRow, arn: &str) -> Option<String> {
    let action = ACTION.to_ascii_lowercase();
    let acts = |json: Option<&str>| list(json).iter().any(|p| glob(&p.to_ascii_lowercase(), &action));
    let action_fits = if s.actions.is_some() { acts(s.actions.as_deref()) } else { !acts(s.not_actions.as_deref()) };
    if !action_fits {
        return None;
    }
    if s.resources.is_some() {
        let mut fitting: Vec<String> = list(s.resources.as_deref()).into_iter().filter(|p| glob(&unfilled(p), arn)).collect();
        fitting.sort_by_key(|p| (p.len(), p.clone()));
        return fitting.pop();
    }
    let kept_out = list(s.not_resources.as_deref()).iter().any(|p| glob(&unfilled(p), arn));
    (!kept_out).then(|| "*".to_owned())
}

/// A variable of a policy stands for any text.
fn unfilled(pattern: &str) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once(VARIABLE) {
        out.push_str(before);
        out.push('*');
        rest = after.split_once('}').map_or("", |(_, tail)| tail);
    }
    out + rest
}

/// `*` is any text, `?` one character.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || text.get(t) == Some(c) => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, t) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:app/db-AbCdEf";

    fn statement(effect: Effect, actions: &str, resources: &str, condition: bool) -> StatementRow {
        let json = |t: &str| Some(serde_json::to_string(&t.split(' ').collect::<Vec<_>>()).unwrap());
        StatementRow {
            effect,
            actions: json(actions),
            resources: json(resources),
            condition: condition.then(|| "{}".to_owned()),
            ..StatementRow::default()
        }
    }

    fn judged(allow: &[StatementRow], boundary: &[StatementRow]) -> (bool, bool, bool) {
        let (allow, limit): (Vec<&StatementRow>, Vec<&StatementRow>) = (allow.iter().collect(), boundary.iter().collect());
        let limits = [Policy { id: "limit", statements: &limit, conditional: false }];
        let found =
            judge(&[Policy { id: "p", statements: &allow, conditional: false }], if boundary.is_empty() { &[] } else { &limits }, ARN);
        (!found.by.is_empty(), found.conditional, found.unknown.is_some())
    }

    #[test]
    fn statements_denials_and_boundaries() {
        let read = |r: &str| statement(Effect::Allow, "secretsmanager:GetSecretValue", r, false);
        let all = "arn:aws:secretsmanager:*:*:secret:*";
        assert_eq!(judged(&[read(all)], &[]), (true, false, false));
        assert_eq!(judged(&[read("arn:aws:secretsmanager:*:*:secret:app/*")], &[]), (true, false, false));
        assert_eq!(judged(&[read("arn:aws:secretsmanager:*:*:secret:app/db-??????")], &[]), (true, false, false));
        assert_eq!(judged(&[read("arn:aws:secretsmanager:*:*:secret:hr/*")], &[]), (false, false, false));
        assert_eq!(judged(&[statement(Effect::Allow, "secretsmanager:Get*", "*", false)], &[]), (true, false, false));
        assert_eq!(judged(&[statement(Effect::Allow, "secretsmanager:Describe*", "*", false)], &[]), (false, false, false));
        assert_eq!(judged(&[statement(Effect::Allow, "*", all, true)], &[]), (true, true, false));
        assert_eq!(judged(&[read(all), statement(Effect::Deny, "*", "*app/*", false)], &[]), (false, false, false));
        assert_eq!(judged(&[read(all), statement(Effect::Deny, "*", "*app/*", true)], &[]), (true, false, true));
        assert_eq!(judged(&[read(all)], &[statement(Effect::Allow, "s3:*", "*", false)]), (false, false, false));
        assert_eq!(judged(&[read(all)], &[statement(Effect::Allow, "*", "*", false)]), (true, false, false));
        assert_eq!(judged(&[read("arn:aws:secretsmanager:*:*:secret:${aws:username}/*")], &[]), (true, true, true));
    }

    #[test]
    fn not_actions_and_not_resources_leave_out() {
        let mut s = statement(Effect::Allow, "x", "x", false);
        (s.actions, s.not_actions) = (None, Some("[\"iam:*\"]".into()));
        (s.resources, s.not_resources) = (None, Some("[\"arn:aws:s3:::*\"]".into()));
        assert_eq!(judged(std::slice::from_ref(&s), &[]), (true, false, false));
        s.not_actions = Some("[\"secretsmanager:*\"]".into());
        assert_eq!(judged(&[s], &[]), (false, false, false));
    }
}
