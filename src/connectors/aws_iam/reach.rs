//! Which services a policy lets its holder try, as far as its statements name them.

use std::collections::{BTreeMap, BTreeSet};

use super::accessed::Service;
use crate::connectors::DraftChild;
use crate::model::{Effect, EntitlementRow, Level, StatementRow, Time};

/// What the Allow statements of one policy name. Deny, conditions and resources are not looked at: AWS records what was tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reach {
    /// Each `Action` of a service that is written out, by service, in lower case.
    named: BTreeMap<String, BTreeSet<String>>,
    /// The services of the other ones, with wildcards; `*` for all.
    wild: BTreeSet<String>,
    /// The services that the `NotAction` of each statement leaves out as a whole.
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
            if child.row.effect == Effect::Allow {
                reach.allow(&list(child.row.actions.as_deref()));
                if child.row.not_actions.is_some() {
                    reach.allow_but(&list(child.row.not_actions.as_deref()));
                }
            }
        }
        for row in entitlements {
            let reach = all.entry(row.native_id.clone()).or_default();
            reach.read &= row.level != Level::Unknown;
        }
        all
    }

    fn allow(&mut self, actions: &[String]) {
        for pattern in actions {
            match pattern.split_once(':') {
                Some((service, action)) if !service.contains(['*', '?']) => {
                    self.named.entry(service.to_owned()).or_default().insert(action.to_owned());
                }
                Some((service, _)) => {
                    self.wild.insert(service.to_owned());
                }
                None => {
                    self.wild.insert(pattern.clone());
                }
            }
        }
    }

    fn allow_but(&mut self, actions: &[String]) {
        let whole = |pattern: &String| match pattern.split_once(':') {
            Some((service, "*")) => Some(service.to_owned()),
            _ => (pattern == "*").then(|| pattern.clone()),
        };
        self.but.push(actions.iter().filter_map(whole).collect());
    }

    /// Whether the document was read as a whole.
    pub(super) fn is_read(&self) -> bool {
        self.read
    }

    /// Whether it lets nothing through at all.
    pub(super) fn is_empty(&self) -> bool {
        self.read && self.named.is_empty() && self.wild.is_empty() && self.but.is_empty()
    }

    /// Whether it writes out every service that it reaches.
    pub(super) fn is_named(&self) -> bool {
        self.read && self.wild.is_empty() && self.but.is_empty()
    }

    /// Whether some action of the service may be tried.
    pub(super) fn may(&self, service: &str) -> bool {
        let among = |patterns: &BTreeSet<String>| patterns.iter().any(|p| covers(p, service));
        !self.read || self.named.contains_key(service) || among(&self.wild) || self.but.iter().any(|but| !among(but))
    }

    /// Newest attempt that the policy may have let through: of its actions where AWS tracks each of them, else of the service.
    pub(super) fn newest(&self, name: &str, service: &Service) -> Option<Time> {
        let actions = self.named.get(name).filter(|_| self.is_named());
        let tracked = actions.and_then(|a| a.iter().map(|a| service.actions.get(a).copied()).collect::<Option<Vec<_>>>());
        tracked.map_or(service.at, |times| times.into_iter().flatten().max())
    }

    /// The services that it writes out.
    pub(super) fn named(&self) -> impl Iterator<Item = &str> {
        self.named.keys().map(String::as_str)
    }
}

/// Whether a pattern with `*` and `?` matches the whole of a service's name.
fn covers(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // Where to go on if what follows the last `*` does not match: after it, with one character more taken by it.
    let mut resume: Option<(usize, usize)> = None;
    while let Some(c) = name.get(n) {
        match (pattern.get(p), resume) {
            (Some(b'*'), _) => {
                p += 1;
                resume = Some((p, n));
            }
            (Some(wanted), _) if wanted == c || *wanted == b'?' => (p, n) = (p + 1, n + 1),
            (_, Some((star, from))) => {
                (p, n) = (star, from + 1);
                resume = Some((star, from + 1));
            }
            (_, None) => return false,
        }
    }
    pattern.iter().skip(p).all(|b| *b == b'*')
}

fn list(json: Option<&str>) -> Vec<String> {
    let read = json.and_then(|text| serde_json::from_str::<Vec<String>>(text).ok()).unwrap_or_default();
    read.into_iter().map(|a| a.to_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        Time::parse_iso(text).unwrap()
    }

    fn reach(actions: &[&str], but: &[&[&str]]) -> Reach {
        let owned = |list: &[&str]| list.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>();
        let mut reach = Reach { read: true, ..Reach::default() };
        reach.allow(&owned(actions));
        but.iter().for_each(|b| reach.allow_but(&owned(b)));
        reach
    }

    #[test]
    fn a_policy_reaches_the_services_that_it_names() {
        let one = reach(&["s3:get*", "dynamodb*:query"], &[]);
        assert!(one.may("s3") && one.may("dynamodb") && one.may("dynamodbstreams") && !one.may("ec2"));
        assert_eq!((one.named().collect::<Vec<_>>(), one.is_named()), (vec!["s3"], false));
        assert!(reach(&["*"], &[]).may("ec2"));
        let but = reach(&[], &[&["iam:*", "s3:delete*"]]);
        assert!(!but.may("iam") && but.may("s3"), "a service is left out only as a whole");
        assert!(!reach(&[], &[&["sq?:*"]]).may("sqs") && reach(&[], &[&["sq?:*"]]).may("sns"));
        assert!(reach(&[], &[&["*"]]).is_named().eq(&false) && !reach(&[], &[&["*"]]).may("s3"));
        assert!(one.is_empty().eq(&false) && reach(&[], &[]).is_empty() && !Reach::default().is_empty());
        assert!(!reach(&[], &[]).may("s3") && Reach::default().may("s3"), "what is not read may be anything");
    }

    /// No pattern is slow, whatever it looks like.
    #[test]
    fn wildcards_stand_anywhere() {
        for (pattern, name, want) in [
            ("*", "", true),
            ("s*", "s3", true),
            ("*3", "s3", true),
            ("s?", "s3", true),
            ("s?", "s", false),
            ("a*b*c", "aXbYbc", true),
            ("a*b*c", "aXbYb", false),
        ] {
            assert_eq!(covers(pattern, name), want, "{pattern} {name}");
        }
        assert!(!covers(&"*a".repeat(5_000), &"a".repeat(4_000)));
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
