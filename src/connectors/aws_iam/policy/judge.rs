//! How much a policy lets its holder do: a level and named risks, with Deny, NotAction, NotResource and conditions heard.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::{Document, Statement, Which};
use crate::model::{Effect, Level};
use crate::policy::actions::ActionSet;
use crate::policy::glob;
use crate::policy::methods::METHODS;
use crate::policy::resources::covers_all;
use crate::policy::risks::{CREDENTIALS, EXFILTRATION, EXPOSURE, IAM_WRITING, READING, READING_TOO, Risk};

/// What is said of one entitlement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Judgement {
    pub(in super::super) level: Level,
    pub(in super::super) risks: BTreeSet<Risk>,
    /// The level or a risk holds only while a recorded condition does.
    pub(in super::super) conditional: bool,
}

impl Judgement {
    /// The same for a policy that is declared to be of a level: one that reads modifies nothing, whatever its actions are called.
    pub(in super::super) fn of_a_reader(mut self, declared: Level) -> Self {
        if declared == Level::Read {
            self.risks.remove(&Risk::InfrastructureModification);
        }
        self
    }

    /// The risks as stored: sorted, joined by `,`; `None` where there are none.
    pub(in super::super) fn risks_text(&self) -> Option<String> {
        let words = self.risks.iter().map(|r| r.as_str()).collect::<Vec<_>>().join(",");
        Some(words).filter(|w| !w.is_empty())
    }
}

/// Every risk.
const FULL: &[Risk] = &[
    Risk::CredentialAccess,
    Risk::DataExfiltration,
    Risk::InfrastructureModification,
    Risk::PrivilegeEscalation,
    Risk::ResourceExposure,
    Risk::ServiceWildcard,
];

/// AWS's own policies whose purpose is declared by AWS. The level holds with and without their document (`ReadOnlyAccess` has a few
/// actions that no name shows to be reading); the risks are those of their documents of 2026, for exports without them.
const KNOWN: &[(&str, Level, &[Risk])] = &[
    ("AdministratorAccess", Level::Admin, FULL),
    (
        "IAMFullAccess",
        Level::Admin,
        &[
            Risk::CredentialAccess,
            Risk::InfrastructureModification,
            Risk::PrivilegeEscalation,
            Risk::ResourceExposure,
            Risk::ServiceWildcard,
        ],
    ),
    ("IAMReadOnlyAccess", Level::Read, &[]),
    ("PowerUserAccess", Level::Write, FULL),
    ("ReadOnlyAccess", Level::Read, &[Risk::CredentialAccess, Risk::DataExfiltration]),
    ("SecurityAudit", Level::Read, &[]),
    ("ViewOnlyAccess", Level::Read, &[]),
];

/// What every policy is asked for, as sets: an account may have a policy of its own for each of a million users.
struct Asked {
    iam_writing: ActionSet,
    credentials: ActionSet,
    exfiltration: ActionSet,
    exposure: ActionSet,
    /// The actions of each method by which one rises.
    roads: Vec<ActionSet>,
}

static ASKED: LazyLock<Asked> = LazyLock::new(|| {
    let set = |list: &[&'static str]| ActionSet::named(list.iter().copied());
    Asked {
        iam_writing: set(IAM_WRITING),
        credentials: set(CREDENTIALS),
        exfiltration: set(EXFILTRATION),
        exposure: set(EXPOSURE),
        roads: METHODS.iter().map(|m| ActionSet::named(m.steps.iter().map(|s| s.action.as_str()))).collect(),
    }
});

/// The judgement of one of AWS's own policies by its name; `None` for a name that is not on the list.
pub(in super::super) fn known(name: &str) -> Option<Judgement> {
    let (_, level, risks) = KNOWN.iter().find(|(known, ..)| *known == name)?;
    Some(Judgement { level: *level, risks: risks.iter().copied().collect(), conditional: false })
}

/// Judges a whole document.
///
/// Conditions on Allow count as met and those on Deny as not met; `conditional` says that the other way round gives less.
pub(in super::super) fn judge(document: &Document) -> Judgement {
    let part = |effect: Effect, bare: bool| {
        let all = document.statements.iter().filter(move |s| s.effect == effect);
        all.filter(|s| !bare || s.condition.is_none()).collect::<Vec<_>>()
    };
    let mut most = weigh(&part(Effect::Allow, false), &part(Effect::Deny, true));
    if document.statements.iter().any(|s| s.condition.is_some()) {
        let least = weigh(&part(Effect::Allow, true), &part(Effect::Deny, false));
        most.conditional = least != most;
    }
    if document.unreadable > 0 && most.level != Level::Admin {
        most.level = Level::Unknown;
    }
    most
}

/// Judges one statement by itself: no other statement's Deny counts, and a Deny allows nothing.
pub(super) fn alone(statement: &Statement) -> Judgement {
    match statement.effect {
        Effect::Allow => weigh(&[statement], &[]),
        Effect::Deny | Effect::Boundary => Judgement { level: Level::None, ..Judgement::default() },
    }
}

fn weigh(allows: &[&Statement], denies: &[&Statement]) -> Judgement {
    // A Deny takes something away for certain only where it covers every resource.
    let denies: Vec<&Statement> = denies.iter().copied().filter(|d| denies_everywhere(d)).collect();
    let wide: Vec<&Statement> = allows.iter().copied().filter(|s| unconstrained(s)).collect();
    let mut can = ActionSet::default();
    let mut admin = false;
    for allow in &wide {
        let own = wide_actions(allow);
        admin |= own.holds(&ASKED.iam_writing);
        can.add(&own);
    }
    denies.iter().for_each(|deny| can.remove(&actions(deny)));
    admin &= can.meets(&ASKED.iam_writing);
    let level = if admin { Level::Admin } else { allows.iter().map(|s| reach(s, &denies)).max().unwrap_or(Level::None) };
    Judgement { level, risks: risks(&can, &wide, &denies), conditional: false }
}

fn risks(can: &ActionSet, wide: &[&Statement], denies: &[&Statement]) -> BTreeSet<Risk> {
    let escalates = ASKED.roads.iter().any(|road| can.holds(road));
    let modifies = wide.iter().any(|s| reach(s, denies) == Level::Write);
    let wildcard = wide.iter().any(|s| whole_service(s, denies));
    [
        (can.meets(&ASKED.credentials), Risk::CredentialAccess),
        (can.meets(&ASKED.exfiltration), Risk::DataExfiltration),
        (modifies, Risk::InfrastructureModification),
        (escalates, Risk::PrivilegeEscalation),
        (can.meets(&ASKED.exposure), Risk::ResourceExposure),
        (wildcard, Risk::ServiceWildcard),
    ]
    .into_iter()
    .filter_map(|(found, risk)| found.then_some(risk))
    .collect()
}

/// The actions that a statement speaks about.
fn actions(statement: &Statement) -> ActionSet {
    let listed = ActionSet::of(statement.folded.patterns().iter().map(String::as_str));
    match &statement.folded {
        Which::Only(_) => listed,
        Which::Except(_) => listed.others(),
    }
}

/// The actions that an Allow gives without naming a resource.
fn wide_actions(statement: &Statement) -> ActionSet {
    let all = actions(statement);
    match &statement.resources {
        Which::Only(list) => {
            let wide: Vec<&str> = list.iter().map(String::as_str).filter(|r| covers_all(r).is_some()).collect();
            if wide.contains(&"*") { all } else { all.on_all(wide.into_iter()) }
        }
        Which::Except(_) => all,
    }
}

/// The highest level that a statement's actions reach, on whatever resource, less what is denied everywhere. Never `admin`.
fn reach(statement: &Statement, denies: &[&Statement]) -> Level {
    let nowhere = match &statement.resources {
        Which::Only(list) => list.is_empty(),
        Which::Except(list) => list.iter().any(|r| glob::is_everything(r)),
    };
    if nowhere {
        return Level::None;
    }
    match &statement.folded {
        Which::Only(patterns) => patterns.iter().filter(|p| !denied(p, denies)).map(|p| pattern_level(p)).max().unwrap_or(Level::None),
        Which::Except(patterns) if patterns.iter().any(|p| all_actions(p)) || denied("*", denies) => Level::None,
        Which::Except(_) => Level::Write,
    }
}

/// `read` where every action that a pattern can match begins with a reading word; anything else may write.
fn pattern_level(pattern: &str) -> Level {
    let name = pattern.split_once(':').map_or("", |(_, name)| name);
    let prefix = glob::literal_prefix(name);
    let reads = READING.iter().any(|verb| prefix.starts_with(verb)) || READING_TOO.iter().any(|too| glob::covers(too, pattern));
    if reads { Level::Read } else { Level::Write }
}

/// Whether one Deny covers everything that a pattern can match.
fn denied(pattern: &str, denies: &[&Statement]) -> bool {
    denies.iter().any(|deny| match &deny.folded {
        Which::Only(list) => list.iter().any(|d| all_actions(d) || glob::covers(d, pattern)),
        Which::Except(list) => !list.iter().any(|d| glob::meet(d, pattern)),
    })
}

/// `*` and `*:*`.
fn all_actions(pattern: &str) -> bool {
    glob::is_everything(pattern) || pattern.split_once(':').is_some_and(|(s, a)| glob::is_everything(s) && glob::is_everything(a))
}

/// Whether a statement gives a whole service, or all of them, after what is denied everywhere.
fn whole_service(statement: &Statement, denies: &[&Statement]) -> bool {
    let whole = |p: &String| all_actions(p) || p.split_once(':').is_some_and(|(_, action)| glob::is_everything(action));
    match &statement.folded {
        Which::Only(patterns) => patterns.iter().any(|p| whole(p) && !denied(p, denies)),
        Which::Except(patterns) => !patterns.iter().any(|p| all_actions(p)) && !denied("*", denies),
    }
}

/// Whether an Allow is held to no particular resource: `*`, an ARN that is wild in its whole last part (`role/*`), or NotResource,
/// which leaves nearly everything.
fn unconstrained(statement: &Statement) -> bool {
    match &statement.resources {
        Which::Only(list) => list.iter().any(|r| covers_all(r).is_some()),
        Which::Except(list) => !list.iter().any(|r| glob::is_everything(r)),
    }
}

/// Whether a Deny certainly holds for every resource.
fn denies_everywhere(statement: &Statement) -> bool {
    match &statement.resources {
        Which::Only(list) => list.iter().any(|r| glob::is_everything(r)),
        Which::Except(list) => list.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;
    use crate::policy::actions::KNOWN;
    use crate::policy::risks::RESOURCE_KINDS;

    /// `(level, risks, conditional)` of statements in JSON.
    fn of(statements: &str) -> (Level, String, bool) {
        let raw = format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#);
        let judged = judge(&Document::read(&raw, Kind::Identity).unwrap());
        let short = judged.risks.iter().map(|r| &r.as_str()[..1]).collect::<Vec<_>>().concat();
        (judged.level, short, judged.conditional)
    }

    fn allow(actions: &str, resources: &str) -> String {
        format!(r#"{{"Effect": "Allow", "Action": {actions}, "Resource": {resources}}}"#)
    }

    /// Letters: c credential-access, d data-exfiltration, i infrastructure-modification, p privilege-escalation, r resource-exposure, s service-wildcard.
    #[test]
    fn documents_and_their_judgement() {
        let table: &[(&str, Level, &str, bool)] = &[
            // Everything, in its spellings.
            (r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}"#, Level::Admin, "cdiprs", false),
            (r#"{"Effect": "Allow", "Action": ["*:*"], "Resource": ["arn:aws:s3:::x", "*"]}"#, Level::Admin, "cdiprs", false),
            (r#"{"effect": "Allow", "action": "IAM:*", "resource": "arn:aws:iam::*:*"}"#, Level::Admin, "ciprs", false),
            (r#"{"Effect": "Allow", "Action": "iam:*", "Resource": "arn:aws:iam::123456789012:user/x"}"#, Level::Write, "", false),
            (r#"{"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::bucket/*"}"#, Level::Write, "", false),
            // Every bucket is no user.
            (r#"{"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::*"}"#, Level::Write, "dirs", false),
            // The complements.
            (r#"{"Effect": "Allow", "NotAction": ["iam:*", "organizations:*"], "Resource": "*"}"#, Level::Write, "cdiprs", false),
            (r#"{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}"#, Level::Admin, "cdiprs", false),
            (r#"{"Effect": "Allow", "NotAction": "iam:Delete*", "Resource": "*"}"#, Level::Admin, "cdiprs", false),
            (r#"{"Effect": "Allow", "NotAction": "*", "Resource": "*"}"#, Level::None, "", false),
            (r#"{"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:iam::*:role/break-glass"}"#, Level::Admin, "cdiprs", false),
            (r#"{"Effect": "Allow", "Action": "*", "NotResource": "*"}"#, Level::None, "", false),
            // Wildcards in the middle and without case.
            (r#"{"Effect": "Allow", "Action": "s3:Get*Acl", "Resource": "*"}"#, Level::Read, "", false),
            (r#"{"Effect": "Allow", "Action": "iam:*Role*", "Resource": "*"}"#, Level::Write, "ipr", false),
            (r#"{"Effect": "Allow", "Action": "S3:PUTBUCKET*", "Resource": "*"}"#, Level::Write, "ir", false),
            (r#"{"Effect": "Allow", "Action": "s3:G?tObject", "Resource": "arn:aws:s3:::*/*"}"#, Level::Write, "di", false),
            // Reading.
            (r#"{"Effect": "Allow", "Action": ["ec2:Describe*", "iam:List*"], "Resource": "*"}"#, Level::Read, "", false),
            (r#"{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::app-*/*"}"#, Level::Read, "", false),
            (
                r#"{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "arn:aws:secretsmanager:*:*:secret:*"}"#,
                Level::Read,
                "cd",
                false,
            ),
            (
                r#"{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "arn:aws:secretsmanager:*:*:secret:app/*"}"#,
                Level::Read,
                "",
                false,
            ),
            (
                r#"{"Effect": "Allow", "Action": ["iam:Generate*", "sqs:ReceiveMessage", "route53:TestDNSAnswer"], "Resource": "*"}"#,
                Level::Read,
                "",
                false,
            ),
            (r#"{"Effect": "Allow", "Action": "kms:Generate*", "Resource": "*"}"#, Level::Write, "i", false),
            // Escalation: one action, several, and one of them missing.
            (
                r#"{"Effect": "Allow", "Action": "iam:PutUserPolicy", "Resource": "arn:aws:iam::123456789012:user/*"}"#,
                Level::Write,
                "ipr",
                false,
            ),
            (r#"{"Effect": "Allow", "Action": ["iam:PassRole", "ec2:RunInstances"], "Resource": "*"}"#, Level::Write, "ipr", false),
            (r#"{"Effect": "Allow", "Action": ["iam:PassRole", "ecs:RunTask"], "Resource": "*"}"#, Level::Write, "ir", false),
            (
                r#"{"Effect": "Allow", "Action": "ec2:RunInstances", "Resource": "*"}, {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::123456789012:role/app"}"#,
                Level::Write,
                "i",
                false,
            ),
            (r#"{"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}"#, Level::Write, "dirs", false),
            // Deny: whole, in part, on one resource.
            (
                r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "*", "Resource": "*"}"#,
                Level::None,
                "",
                false,
            ),
            (
                r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "iam:*", "Resource": "*"}"#,
                Level::Write,
                "cdiprs",
                false,
            ),
            (
                r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "iam:DeleteUser", "Resource": "*"}"#,
                Level::Admin,
                "cdiprs",
                false,
            ),
            (
                r#"{"Effect": "Allow", "Action": "iam:*", "Resource": "*"}, {"Effect": "Deny", "NotAction": "iam:Get*", "Resource": "*"}"#,
                Level::Write,
                "is",
                false,
            ),
            (
                r#"{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}, {"Effect": "Deny", "NotAction": "ec2:*", "Resource": "*"}"#,
                Level::None,
                "",
                false,
            ),
            (
                r#"{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::pay/*"}"#,
                Level::Write,
                "dirs",
                false,
            ),
            (r#"{"Effect": "Deny", "Action": "*", "Resource": "*"}"#, Level::None, "", false),
            // Conditions: on the Allow, on the Deny, and where they change nothing.
            (
                r#"{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}"#,
                Level::Admin,
                "cdiprs",
                true,
            ),
            (
                r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "iam:*", "Resource": "*", "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}}}"#,
                Level::Admin,
                "cdiprs",
                true,
            ),
            (
                r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"Bool": {"a": "b"}}}"#,
                Level::Admin,
                "cdiprs",
                false,
            ),
            (r#"{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*", "Condition": {}}"#, Level::Read, "", false),
            // What cannot be read is never `none`.
            (
                r#"{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}, {"Effect": "Perhaps", "Action": "*", "Resource": "*"}"#,
                Level::Unknown,
                "",
                false,
            ),
            (r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}, 5"#, Level::Admin, "cdiprs", false),
            ("", Level::None, "", false),
        ];
        for (statements, level, risks, conditional) in table {
            assert_eq!(of(statements), (*level, (*risks).to_owned(), *conditional), "{statements}");
        }
    }

    #[test]
    fn every_road_is_seen_and_no_shorter_one() {
        let roads: Vec<Vec<&str>> = METHODS.iter().map(|m| m.steps.iter().map(|s| s.action.as_str()).collect()).collect();
        for road in &roads {
            let list = |skip: usize| {
                let kept: Vec<_> = road.iter().enumerate().filter(|(i, _)| *i != skip).map(|(_, a)| *a).collect();
                serde_json::Value::from(kept).to_string()
            };
            assert!(of(&allow(&list(usize::MAX), "\"*\"")).1.contains('p'), "{road:?}");
            assert!(!of(&allow(&list(usize::MAX), r#""arn:aws:ec2:eu-west-1:123456789012:instance/i-1""#)).1.contains('p'), "{road:?}");
            let shorter = |skip: usize| {
                roads.iter().any(|other| other.len() < road.len() && other.iter().all(|a| a != &road[skip] && road.contains(a)))
            };
            for skip in (0..road.len()).filter(|skip| road.len() > 1 && !shorter(*skip)) {
                assert!(!of(&allow(&list(skip), "\"*\"")).1.contains('p'), "{road:?} without {}", road[skip]);
            }
        }
    }

    #[test]
    fn the_lists_are_sorted_lower_case_actions() {
        for action in KNOWN.iter() {
            assert!(action.contains(':') && *action == action.to_lowercase() && !action.contains('*'), "{action}");
        }
        assert!(READING.is_sorted() && READING_TOO.is_sorted() && RESOURCE_KINDS.is_sorted());
    }

    #[test]
    fn a_statement_is_judged_without_its_neighbours() {
        let raw =
            r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "*", "Resource": "*"}]}"#;
        let rows = Document::read(raw, Kind::Identity).unwrap().rows();
        assert_eq!(rows.iter().map(|r| r.level).collect::<Vec<_>>(), [Level::Admin, Level::None]);
        assert_eq!(
            rows[0].risks.as_deref(),
            Some("credential-access,data-exfiltration,infrastructure-modification,privilege-escalation,resource-exposure,service-wildcard")
        );
    }
}
