//! Which rule of all of somebody's Vault policies decides about a path, as the server does it (11.8).
//!
//! Capabilities of one path pattern add up over all policies, and `deny` in any of them beats the rest of that pattern. Of several
//! patterns one decides alone: an exact one, else the one that is most specific by the server's five rules. A narrower pattern that
//! lacks a capability therefore takes it away.

use std::collections::{BTreeMap, BTreeSet};

/// What all policies together say of one path pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub denied: bool,
    /// By capability, the policies that give it.
    pub capabilities: BTreeMap<String, BTreeSet<String>>,
    /// Something that is recorded and not decided narrows it, in every policy that gives it.
    pub narrowed: bool,
    stated: bool,
}

impl Said {
    /// The policies that give a capability; nothing where it is denied.
    pub fn gives(&self, capability: &str) -> Option<&BTreeSet<String>> {
        self.capabilities.get(capability).filter(|by| !self.denied && !by.is_empty())
    }
}

/// The rules of all policies that somebody holds, by pattern.
#[derive(Clone, Debug, Default)]
pub(super) struct Acl {
    rules: BTreeMap<String, Said>,
}

impl Acl {
    pub fn add(&mut self, pattern: &str, policy: &str, capabilities: &[String], narrowed: bool) {
        let said = self.rules.entry(pattern.strip_prefix('/').unwrap_or(pattern).to_owned()).or_default();
        said.denied |= capabilities.iter().any(|c| c == "deny");
        said.narrowed = narrowed && (said.narrowed || !said.stated);
        said.stated = true;
        for capability in capabilities {
            said.capabilities.entry(capability.clone()).or_default().insert(policy.to_owned());
        }
    }

    /// The pattern that decides about a path, and what is said of it; `None`: nothing matches, so nothing is allowed.
    pub fn decide(&self, path: &str) -> Option<(&str, &Said)> {
        if let Some((pattern, said)) = self.rules.get_key_value(path).filter(|(p, _)| Pattern::new(p).kind == Kind::Exact) {
            return Some((pattern, said));
        }
        let open = self.rules.iter().map(|(p, said)| (Pattern::new(p), said)).filter(|(p, _)| p.kind != Kind::Exact && p.matches(path));
        open.max_by(|(a, _), (b, _)| a.rank().cmp(&b.rank())).map(|(p, said)| (p.text, said))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Exact,
    /// Ends in `*` and has no `+` segment.
    Prefix,
    /// Has a segment that begins with `+`.
    Segments,
}

/// One path pattern, read.
#[derive(Clone, Copy, Debug)]
struct Pattern<'a> {
    text: &'a str,
    /// Without the last `*`.
    body: &'a str,
    open: bool,
    kind: Kind,
}

impl<'a> Pattern<'a> {
    fn new(text: &'a str) -> Self {
        let (body, open) = text.strip_suffix('*').map_or((text, false), |body| (body, true));
        let kind = if text.starts_with("+/") || text.contains("/+") {
            Kind::Segments
        } else if open {
            Kind::Prefix
        } else {
            Kind::Exact
        };
        Self { text, body, open, kind }
    }

    fn matches(&self, path: &str) -> bool {
        match self.kind {
            Kind::Exact => self.text == path,
            Kind::Prefix => path.starts_with(self.body),
            Kind::Segments => self.matches_segments(path),
        }
    }

    fn matches_segments(&self, path: &str) -> bool {
        let (mine, theirs): (Vec<&str>, Vec<&str>) = (self.body.split('/').collect(), path.split('/').collect());
        if theirs.len() < mine.len() || !self.open && theirs.len() != mine.len() {
            return false;
        }
        let last = mine.len().saturating_sub(1);
        mine.iter().zip(&theirs).enumerate().all(|(i, (m, t))| *m == "+" || m == t || self.open && i == last && t.starts_with(m))
    }

    /// The server's order of precedence; the highest decides.
    fn rank(&self) -> (usize, bool, std::cmp::Reverse<usize>, usize, &'a str) {
        let (first, wild) = match self.kind {
            Kind::Segments => (self.text.find('+').unwrap_or(self.body.len()), self.body.split('/').filter(|s| *s == "+").count()),
            _ => (self.body.len(), 0),
        };
        (first, !self.open, std::cmp::Reverse(wild), self.body.len(), self.body)
    }
}

/// Whether a pattern whose `{{…}}` stand for unknown text could match a path.
pub(super) fn may_match(template: &str, path: &str) -> bool {
    let pattern = template.strip_prefix('/').unwrap_or(template);
    let (body, open) = pattern.strip_suffix('*').map_or((pattern, false), |b| (b, true));
    let mut pieces: Vec<&str> = Vec::new();
    let mut rest = body;
    while let Some((before, after)) = rest.split_once("{{") {
        pieces.push(before);
        rest = after.split_once("}}").map_or("", |(_, tail)| tail);
    }
    pieces.push(rest);
    // `+` inside a piece is taken for any text, which errs on the side of unknown.
    let parts: Vec<&str> = pieces.iter().flat_map(|p| p.split('+')).collect();
    in_order(&parts, path, open)
}

/// Whether a text holds the parts one after another, the first at its start and, unless `open`, the last at its end.
fn in_order(parts: &[&str], text: &str, open: bool) -> bool {
    let Some((first, others)) = parts.split_first() else { return open || text.is_empty() };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some((last, middle)) = others.split_last() else { return open || rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    if open { rest.contains(last) } else { rest.ends_with(last) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn acl(rules: &[(&str, &str)]) -> Acl {
        let mut acl = Acl::default();
        for (i, (pattern, capabilities)) in rules.iter().enumerate() {
            let capabilities: Vec<String> = capabilities.split(',').filter(|c| !c.is_empty()).map(str::to_owned).collect();
            acl.add(pattern, &format!("p{i}"), &capabilities, false);
        }
        acl
    }

    fn reads(rules: &[(&str, &str)], path: &str) -> bool {
        acl(rules).decide(path).is_some_and(|(_, said)| said.gives("read").is_some())
    }

    #[test]
    fn the_most_specific_pattern_decides_alone_and_deny_wins_on_its_own() {
        for (rules, path, want) in [
            (&[("secret/data/*", "read")][..], "secret/data/hr/api", true),
            (&[("secret/data/*", "read")], "secret/database", false),
            (&[("secret/data/hr/api", "read")], "secret/data/hr/api", true),
            (&[("secret/data/hr/api", "read")], "secret/data/hr/api/x", false),
            (&[("/secret/data/hr", "read")], "secret/data/hr", true),
            // A narrower pattern without the capability takes it away, with or without deny.
            (&[("secret/data/*", "read"), ("secret/data/hr/*", "list")], "secret/data/hr/api", false),
            (&[("secret/data/*", "read"), ("secret/data/hr/*", "deny")], "secret/data/hr/api", false),
            (&[("secret/data/*", "deny"), ("secret/data/hr/*", "read")], "secret/data/hr/api", true),
            // Capabilities of one pattern add up over policies, and deny beats them.
            (&[("secret/data/*", "list"), ("secret/data/*", "read")], "secret/data/hr", true),
            (&[("secret/data/*", "read"), ("secret/data/*", "deny")], "secret/data/hr", false),
            // An exact path beats any pattern; the same text with `*` is another pattern.
            (&[("secret/data/hr", "deny"), ("secret/data/hr*", "read")], "secret/data/hr", false),
            (&[("secret/data/hr", "deny"), ("secret/data/hr*", "read")], "secret/data/hr/x", true),
            // `+` is one segment, whole.
            (&[("secret/data/+/api", "read")], "secret/data/hr/api", true),
            (&[("secret/data/+/api", "read")], "secret/data/hr/x/api", false),
            (&[("secret/data/+", "read")], "secret/data/hr/api", false),
            (&[("secret/+/+/*", "read")], "secret/data/hr/a/b", true),
            (&[("secret/data/+/a*", "read")], "secret/data/hr/api/deep", true),
            (&[("secret/data/h+", "read")], "secret/data/hr", false),
            (&[("+/data/hr", "read")], "secret/data/hr", true),
            // 1: where the first wildcard stands later wins. `*` at 12 beats `+` at 7.
            (&[("secret/+/hr/api", "deny"), ("secret/data/*", "read")], "secret/data/hr/api", true),
            (&[("secret/data/+/api", "deny"), ("secret/dat*", "read")], "secret/data/hr/api", false),
            // 2: the first wildcard at the same place, a pattern that ends in `*` gives way.
            (&[("secret/data/+/api", "deny"), ("secret/data/*", "read")], "secret/data/hr/api", false),
            (&[("secret/data/+/*", "read"), ("secret/data/+/api", "deny")], "secret/data/hr/api", false),
            // 3: more `+` segments give way.
            (&[("secret/data/+/+", "deny"), ("secret/data/+/api", "read")], "secret/data/hr/api", true),
            // 4: the shorter gives way.
            (&[("secret/data/+/a*", "deny"), ("secret/data/+/api*", "read")], "secret/data/hr/api", true),
            (&[], "secret/data/hr", false),
        ] {
            assert_eq!(reads(rules, path), want, "{rules:?} {path}");
        }
    }

    #[test]
    fn what_gives_a_capability_is_named_and_a_narrowing_counts_only_where_all_rules_have_it() {
        let mut acl = Acl::default();
        acl.add("a/*", "one", &["read".to_owned()], true);
        assert!(acl.decide("a/b").unwrap().1.narrowed);
        acl.add("a/*", "two", &["read".to_owned()], false);
        let (pattern, said) = acl.decide("a/b").unwrap();
        assert_eq!((pattern, said.narrowed), ("a/*", false));
        assert_eq!(said.gives("read").unwrap().iter().cloned().collect::<Vec<_>>(), ["one", "two"]);
        acl.add("a/*", "three", &["read".to_owned()], true);
        assert!(!acl.decide("a/b").unwrap().1.narrowed);
    }

    #[test]
    fn an_unknown_template_may_match_what_its_fixed_parts_allow() {
        for (template, path, want) in [
            ("secret/data/{{x}}/*", "secret/data/ida/key", true),
            ("secret/data/{{x}}/*", "secret/data/ida", false),
            ("secret/data/users/{{x}}", "secret/data/hr/api", false),
            ("secret/data/users/{{x}}", "secret/data/users/ida", true),
            ("secret/data/{{x}}/{{y}}/key", "secret/data/a/b/key", true),
            ("secret/data/{{x}}/{{y}}/key", "secret/data/a/b/other", false),
            ("secret/+/{{x}}", "secret/data/a", true),
        ] {
            assert_eq!(may_match(template, path), want, "{template} {path}");
        }
    }

    /// Whether a pattern matches, letter by letter.
    fn matches_slowly(pattern: &str, path: &str) -> bool {
        let segments = pattern.starts_with("+/") || pattern.contains("/+");
        if !segments {
            return pattern.strip_suffix('*').map_or(pattern == path, |start| path.starts_with(start));
        }
        fn from(pattern: &[&str], path: &[&str], open: bool) -> bool {
            match (pattern, path) {
                ([], []) => true,
                ([], _) => open,
                ([last], [segment, ..]) if open => *last == "+" || segment.starts_with(last),
                ([first, rest @ ..], [segment, others @ ..]) => (*first == "+" || first == segment) && from(rest, others, open),
                _ => false,
            }
        }
        let (body, open) = pattern.strip_suffix('*').map_or((pattern, false), |b| (b, true));
        from(&body.split('/').collect::<Vec<_>>(), &path.split('/').collect::<Vec<_>>(), open)
    }

    /// Whether `a` gives way to `b`: the documented list, rule by rule.
    fn gives_way(a: &str, b: &str) -> bool {
        let at = |p: &str| p.find(['+', '*']).unwrap();
        if at(a) != at(b) {
            return at(a) < at(b);
        }
        if a.ends_with('*') != b.ends_with('*') {
            return a.ends_with('*');
        }
        let plus = |p: &str| p.split('/').filter(|s| s.trim_end_matches('*') == "+").count();
        if plus(a) != plus(b) {
            return plus(a) > plus(b);
        }
        if a.len() != b.len() {
            return a.len() < b.len();
        }
        a < b
    }

    fn reads_slowly(rules: &[(String, Vec<String>)], path: &str) -> bool {
        let says = |pattern: &str| {
            let all: Vec<&String> = rules.iter().filter(|(p, _)| p == pattern).flat_map(|(_, c)| c).collect();
            all.iter().any(|c| *c == "read") && !all.iter().any(|c| *c == "deny")
        };
        if rules.iter().any(|(p, _)| p == path && !p.contains(['+', '*'])) {
            return says(path);
        }
        let fitting: Vec<&str> =
            rules.iter().map(|(p, _)| p.as_str()).filter(|p| p.contains(['+', '*']) && matches_slowly(p, path)).collect();
        let best = fitting.iter().find(|b| fitting.iter().all(|a| a == *b || gives_way(a, b)));
        best.is_some_and(|p| says(p))
    }

    fn any_pattern() -> impl Strategy<Value = String> {
        let segment = prop::sample::select(&["a", "b", "ab", "+"][..]);
        let end = prop::sample::select(&["", "", "/*", "*", "/a*"][..]);
        (prop::collection::vec(segment, 1..4), end)
            .prop_map(|(segments, end)| format!("{}{end}", segments.join("/")))
            // The server refuses `+*`.
            .prop_filter("refused", |p| !p.contains("+*"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn deciding_equals_the_documented_rules_one_by_one(
            rules in prop::collection::vec((any_pattern(), prop::sample::subsequence(vec!["read", "list", "deny"], 0..3)), 0..6),
            path in prop::collection::vec(prop::sample::select(&["a", "b", "ab"][..]), 1..5),
        ) {
            let rules: Vec<(String, Vec<String>)> =
                rules.into_iter().map(|(p, c)| (p, c.into_iter().map(str::to_owned).collect())).collect();
            let path = path.join("/");
            let mut acl = Acl::default();
            for (pattern, capabilities) in &rules {
                acl.add(pattern, "p", capabilities, false);
            }
            let have = acl.decide(&path).is_some_and(|(_, said)| said.gives("read").is_some());
            prop_assert_eq!(have, reads_slowly(&rules, &path));
        }
    }
}
