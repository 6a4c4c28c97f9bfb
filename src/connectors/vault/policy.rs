//! How much a policy lets its holder do. The rules of judgement are described on the connector's page.

use std::collections::BTreeSet;

use serde_json::Value;

use super::hcl::{self, Rule, Unreadable};
use crate::model::{Effect, Level, StatementRow, mask};

/// A policy as judged.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) level: Level,
    pub(super) escalates: bool,
    /// Every rule of its level is narrowed by something that is recorded and not decided.
    pub(super) conditional: bool,
    pub(super) statements: Vec<StatementRow>,
    pub(super) unknown_capability: bool,
}

/// Paths on which writing hands out rights: policies, ways to sign in and what they confer, identities, the server's raw storage.
const RIGHTS: &[&str] = &[
    "sys/policies/+/+",
    "sys/policy/+",
    "sys/auth/+",
    "sys/auth/+/tune",
    "sys/mounts/auth/+/tune",
    "sys/raw/+",
    "sys/generate-root/attempt",
    "sys/generate-root/update",
    "sys/plugins/catalog/+/+",
    "auth/+/users/+",
    "auth/+/users/+/policies",
    "auth/+/groups/+",
    "auth/+/role/+",
    "auth/+/role/+/policies",
    "auth/+/role/+/token-policies",
    "auth/+/roles/+",
    "auth/+/map/+/+",
    "auth/+/certs/+",
    "auth/+/config",
    "identity/entity",
    "identity/entity/+/+",
    "identity/entity/merge",
    "identity/entity-alias",
    "identity/entity-alias/id/+",
    "identity/group",
    "identity/group/+/+",
    "identity/group-alias",
    "identity/group-alias/id/+",
];

/// Judges a policy's text.
///
/// # Errors
/// The text cannot be read.
pub(super) fn judge(text: &str) -> Result<Judged, Unreadable> {
    let rules = hcl::rules(text)?;
    // Within one policy the capabilities of one path add up, and deny beats them.
    let denied: BTreeSet<&str> = rules.iter().filter(|r| denies(r)).map(|r| r.path.as_str()).collect();
    let levels: Vec<(Level, bool)> =
        rules.iter().map(|r| if denied.contains(r.path.as_str()) { (Level::None, false) } else { level(r) }).collect();
    let unknown_capability = levels.iter().any(|(l, _)| *l == Level::Unknown);
    let highest = |level: Level| levels.iter().any(|(l, _)| *l == level);
    let judged = if highest(Level::Admin) {
        Level::Admin
    } else if unknown_capability {
        Level::Unknown
    } else {
        [Level::Write, Level::Read].into_iter().find(|l| highest(*l)).unwrap_or(Level::None)
    };
    let conditional =
        judged != Level::None && rules.iter().zip(&levels).filter(|(_, (l, _))| *l == judged).all(|(r, _)| !r.narrowed.is_empty());
    let statements =
        rules.iter().zip(&levels).zip(0u32..).map(|((rule, (level, escalates)), at)| row(rule, *level, *escalates, at)).collect();
    Ok(Judged { level: judged, escalates: levels.iter().any(|(_, e)| *e), conditional, statements, unknown_capability })
}

fn denies(rule: &Rule) -> bool {
    rule.capabilities.iter().any(|c| c == "deny")
}

/// Level of one rule, and whether it writes rights.
fn level(rule: &Rule) -> (Level, bool) {
    let has = |names: &[&str]| rule.capabilities.iter().any(|c| names.contains(&c.as_str()));
    let writes = has(&["create", "update", "patch"]);
    let escalates = writes && mounts(&rule.path).iter().any(|path| RIGHTS.iter().any(|target| meets(path, target)));
    let known = ["create", "read", "update", "delete", "list", "patch", "sudo", "deny", "subscribe", "scan", "recover"];
    let level = if has(&["sudo"]) || escalates {
        Level::Admin
    } else if rule.capabilities.iter().any(|c| !known.contains(&c.as_str())) {
        Level::Unknown
    } else if writes || has(&["delete", "recover"]) {
        Level::Write
    } else if has(&["read", "list", "subscribe", "scan"]) {
        Level::Read
    } else {
        Level::None
    };
    (level, escalates)
}

/// The path as written, and with a mount of several segments (`auth/team/userpass/users/ida`) as one.
fn mounts(path: &str) -> Vec<String> {
    const BEHIND: &[&str] = &["users", "groups", "role", "roles", "map", "certs", "config"];
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let mut all = vec![path.to_owned()];
    match parts.as_slice() {
        // What follows the mount tells where it ends. `auth/userpass/login/*` has no such word and stays what it is.
        ["auth", _, _, ..] => {
            let ends = parts.iter().enumerate().skip(3).filter(|(_, part)| BEHIND.contains(part));
            all.extend(ends.filter_map(|(end, _)| Some(format!("auth/+/{}", parts.get(end..)?.join("/")))));
        }
        ["sys", "auth", _, _, ..] => all.push("sys/auth/+".to_owned()),
        _ => {}
    }
    all
}

/// Whether a path pattern (`+` is one segment, a last `*` any rest) and a target (`+` is one segment) have a path in common.
fn meets(pattern: &str, target: &str) -> bool {
    let (pattern, open) = pattern.trim_start_matches('/').strip_suffix('*').map_or((pattern, false), |p| (p, true));
    let mut left: Vec<&str> = pattern.trim_start_matches('/').split('/').collect();
    let right: Vec<&str> = target.split('/').collect();
    let last = if open { left.pop() } else { None };
    if left.len() > right.len() || (!open && left.len() != right.len()) {
        return false;
    }
    let one = |a: &str, b: &str| a == b || a == "+" || b == "+" && !a.is_empty();
    if !left.iter().zip(&right).all(|(a, b)| one(a, b)) {
        return false;
    }
    match (last, right.get(left.len())) {
        (None, _) => true,
        (Some(begun), Some(segment)) => *segment == "+" || segment.starts_with(begun),
        (Some(_), None) => false,
    }
}

fn row(rule: &Rule, level: Level, escalates: bool, at: u32) -> StatementRow {
    // Words that nobody knows may be anything.
    let masked = |items: &[String]| Value::from(items.iter().map(|i| mask::name(i)).collect::<Vec<_>>()).to_string();
    let narrowed = (!rule.narrowed.is_empty()).then(|| masked(&rule.narrowed));
    StatementRow {
        statement: at,
        effect: if denies(rule) { Effect::Deny } else { Effect::Allow },
        actions: Some(masked(&rule.capabilities)),
        resources: Some(Value::from(vec![rule.path.clone()]).to_string()),
        condition: narrowed,
        level,
        risks: escalates.then(|| "privilege-escalation".to_owned()),
        ..StatementRow::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (Level, bool) {
        let judged = judge(text).unwrap();
        (judged.level, judged.escalates)
    }

    fn one(path: &str, capabilities: &str) -> (Level, bool) {
        of(&format!("path \"{path}\" {{ capabilities = [{capabilities}] }}"))
    }

    #[test]
    fn levels_by_capability_and_path() {
        for (path, capabilities, want) in [
            ("secret/data/*", "\"read\"", (Level::Read, false)),
            ("secret/data/*", "\"update\"", (Level::Write, false)),
            ("secret/data/*", "\"delete\"", (Level::Write, false)),
            ("secret/data/x", "\"sudo\"", (Level::Admin, false)),
            ("*", "\"update\"", (Level::Admin, true)),
            ("*", "\"read\", \"list\"", (Level::Read, false)),
            ("+/*", "\"create\"", (Level::Admin, true)),
            ("sys/*", "\"patch\"", (Level::Admin, true)),
            ("sys/pol*", "\"update\"", (Level::Admin, true)),
            ("sys/policies/acl/dev-*", "\"update\"", (Level::Admin, true)),
            ("auth/userpass/users/alice", "\"update\"", (Level::Admin, true)),
            ("auth/userpass/login/*", "\"update\"", (Level::Write, false)),
            ("auth/team/up/users/alice", "\"update\"", (Level::Admin, true)),
            ("sys/auth/team/up", "\"create\"", (Level::Admin, true)),
            ("auth/team/up/users/alice/password", "\"update\"", (Level::Write, false)),
            ("auth/userpass/users/{{identity.entity.name}}/password", "\"update\"", (Level::Write, false)),
            ("auth/approle/role/ci/secret-id", "\"update\"", (Level::Write, false)),
            ("auth/token/renew-self", "\"update\"", (Level::Write, false)),
            ("sys/policies/acl/*", "\"read\", \"list\"", (Level::Read, false)),
            ("a", "\"deny\", \"update\"", (Level::None, false)),
            ("a", "", (Level::None, false)),
            ("a", "\"fly\"", (Level::Unknown, false)),
        ] {
            assert_eq!(one(path, capabilities), want, "{path} {capabilities}");
        }
    }

    #[test]
    fn deny_beats_only_its_own_path() {
        let sudo = "path \"auth/*\" { capabilities = [\"sudo\"] }\n";
        assert_eq!(of(&format!("{sudo}path \"auth/*\" {{ policy = \"deny\" }}")).0, Level::None);
        assert_eq!(of(&format!("{sudo}path \"auth/x\" {{ policy = \"deny\" }}")).0, Level::Admin);
        assert_eq!(of(&format!("{sudo}path \"b\" {{ capabilities = [\"fly\"] }}")).0, Level::Admin);
    }

    #[test]
    fn a_rule_with_parameters_is_conditional_and_kept() {
        let text = "path \"a\" { capabilities = [\"update\"] allowed_parameters = { \"x\" = [] } }\npath \"b\" { policy = \"read\" }";
        let judged = judge(text).unwrap();
        assert!(judged.conditional);
        let first = &judged.statements[0];
        assert_eq!((first.actions.as_deref(), first.resources.as_deref()), (Some("[\"update\"]"), Some("[\"a\"]")));
        assert_eq!((first.condition.as_deref(), first.level), (Some("[\"allowed_parameters\"]"), Level::Write));
        assert!(!judge(&format!("{text} path \"c\" {{ capabilities = [\"update\"] }}")).unwrap().conditional);
    }
}
