//! Which services a policy lets its holder try, as far as its statements name them.

use std::collections::{BTreeMap, BTreeSet};

use super::accessed::Service;
use crate::connectors::DraftChild;
use crate::model::{Effect, EntitlementRow, Level, StatementRow, Time};

/// What the Allow statements of one policy name. Deny, conditions and resources are not looked at: AWS records what was tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reach {
    /// Each `Action`, in lower case.
    actions: BTreeSet<String>,
    /// The `NotAction` of each statement that has one.
    but: Vec<BTreeSet<String>>,
    /// Whether the whole document is known; what is not may name any service.
    read: bool,
}

impl Reach {
    /// The reach of every policy, by native id.
    pub(super) fn of<'e>(
        entitlements: impl Iterator<Item = &'e EntitlementRow>,
        statements: &[DraftChild<StatementRow>],
    ) -> BTreeMap<String, Self> {
        let mut all: BTreeMap<String, Self> = BTreeMap::new();
        for child in statements {
            let reach = all.entry(child.parent.clone()).or_default();
            reach.read = true;
            if child.row.effect != Effect::Allow {
                continue;
            }
            reach.actions.extend(list(child.row.actions.as_deref()));
            if child.row.not_actions.is_some() {
                reach.but.push(list(child.row.not_actions.as_deref()).collect());
            }
        }
        for row in entitlements {
            let reach = all.entry(row.native_id.clone()).or_default();
            reach.read &= row.level != Level::Unknown;
        }
        all
    }

    /// Whether the document was read as a whole.
    pub(super) fn is_read(&self) -> bool {
        self.read
    }

    /// Whether some action of the service may be tried.
    pub(super) fn may(&self, service: &str) -> bool {
        let whole = |pattern: &String| *pattern == format!("{service}:*") || pattern == "*";
        !self.read
            || self.actions.iter().any(|pattern| covers(service_of(pattern), service))
            || self.but.iter().any(|but| !but.iter().any(whole))
    }

    /// Newest attempt that the policy may have let through: of its actions where AWS tracks each of them, else of the service.
    pub(super) fn newest(&self, name: &str, service: &Service) -> Option<Time> {
        let own: Vec<&String> = self.actions.iter().filter(|a| covers(service_of(a), name)).collect();
        let tracked: Option<Vec<Option<Time>>> =
            own.iter().map(|pattern| service.actions.get(pattern.split_once(':')?.1).copied()).collect();
        match tracked {
            Some(times) if self.read && self.but.is_empty() && !times.is_empty() => times.into_iter().flatten().max(),
            _ => service.at,
        }
    }

    /// Whether it lets anything through at all.
    pub(super) fn is_empty(&self) -> bool {
        self.read && self.actions.is_empty() && self.but.is_empty()
    }

    /// The services that it names without a wildcard.
    pub(super) fn named(&self) -> impl Iterator<Item = &str> {
        self.actions.iter().map(|a| service_of(a)).filter(|s| !s.contains(['*', '?']))
    }
}

/// `s3` of `s3:get*`; the whole of a bare `*`.
fn service_of(pattern: &str) -> &str {
    pattern.split_once(':').map_or(pattern, |(service, _)| service)
}

/// Whether a pattern with `*` and `?` matches the whole of a service's name.
fn covers(pattern: &str, name: &str) -> bool {
    let (mut pattern, rest) = (pattern.chars(), name.chars());
    match pattern.next() {
        None => name.is_empty(),
        Some('*') => (0..=name.len()).filter_map(|at| name.get(at..)).any(|rest| covers(pattern.as_str(), rest)),
        Some(wanted) => {
            let mut rest = rest;
            rest.next().is_some_and(|c| wanted == '?' || wanted == c) && covers(pattern.as_str(), rest.as_str())
        }
    }
}

fn list(json: Option<&str>) -> impl Iterator<Item = String> {
    json.and_then(|text| serde_json::from_str::<Vec<String>>(text).ok()).unwrap_or_default().into_iter().map(|a| a.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        Time::parse_iso(text).unwrap()
    }

    fn reach(actions: &[&str], but: &[&[&str]]) -> Reach {
        let set = |list: &[&str]| list.iter().map(|a| (*a).to_owned()).collect::<BTreeSet<_>>();
        Reach { actions: set(actions), but: but.iter().map(|b| set(b)).collect(), read: true }
    }

    #[test]
    fn a_policy_reaches_the_services_that_it_names() {
        let one = reach(&["s3:get*", "dynamodb*:query"], &[]);
        assert!(one.may("s3") && one.may("dynamodb") && one.may("dynamodbstreams") && !one.may("ec2"));
        assert_eq!(one.named().collect::<Vec<_>>(), ["s3"]);
        assert!(reach(&["*"], &[]).may("ec2"));
        let but = reach(&[], &[&["iam:*", "s3:delete*"]]);
        assert!(!but.may("iam") && but.may("s3"), "a service is left out only as a whole");
        assert!(!reach(&[], &[]).may("s3") && Reach::default().may("s3"), "what is not read may be anything");
    }

    /// An action that AWS does not track hides behind its service; tracked ones speak for themselves.
    #[test]
    fn actions_speak_where_all_are_tracked() {
        let (service, action) = (time("2026-11-20T00:00:00Z"), time("2026-03-01T00:00:00Z"));
        let tracked = BTreeMap::from([("createbucket".to_owned(), Some(action)), ("deletebucket".to_owned(), None)]);
        let s3 = Service { at: Some(service), actions: tracked, ..Service::default() };
        let newest = |actions: &[&str]| reach(actions, &[]).newest("s3", &s3);
        assert_eq!(newest(&["s3:createbucket", "s3:deletebucket"]), Some(action));
        assert_eq!(newest(&["s3:deletebucket"]), None);
        assert_eq!(newest(&["s3:deletebucket", "s3:getobject"]), Some(service));
        assert_eq!(newest(&["s3:delete*"]), Some(service));
        assert_eq!(newest(&["s3:deletebucket", "*"]), Some(service));
    }
}
