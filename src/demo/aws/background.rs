//! The accounts in good order: keys rotated and used, leavers deleted, no policy that allows everything.

use super::documents::policies;
use super::{Account, Console, Group, Key, Role, Trustee, User};
use crate::demo::clock;
use crate::demo::dice::{Dice, share};
use crate::demo::life::{Edge, Habit, Spans};
use crate::demo::people::{FOUNDED, Person};
use crate::model::time::HOUR;

const GROUPS: &[(&str, &[&str])] = &[
    ("platform-operators", &["platform-operate", "ReadOnlyAccess", "self-manage-keys", "deny-outside-europe"]),
    ("data-analysts", &["data-read", "self-manage-keys", "deny-outside-europe"]),
    ("developers", &["build-sandbox", "self-manage-keys", "deny-outside-europe"]),
    ("readers", &["ReadOnlyAccess", "self-manage-keys"]),
    ("incident-commanders", &["ReadOnlyAccess"]),
    ("pipelines", &["deploy-services", "write-artifacts"]),
];

/// Users of machines by account.
const MACHINES: &[(&str, &[&str])] = &[
    ("prod", &["svc-ci-web", "svc-ci-api", "svc-ci-mobile", "svc-backup-prod", "svc-inventory", "svc-quarterly", "svc-newrelay"]),
    ("dev", &["svc-ci-dev", "svc-seed-data", "svc-loadtest", "svc-preview", "svc-dev-sandbox"]),
];

/// Roles of both accounts: name, service that assumes it, policy.
const ROLES: &[(&str, &str, &str)] = &[
    ("app-storefront", "ecs-tasks.amazonaws.com", "write-artifacts"),
    ("app-billing", "ecs-tasks.amazonaws.com", "data-read"),
    ("app-search", "ec2.amazonaws.com", "AmazonSSMManagedInstanceCore"),
    ("fn-thumbnails", "lambda.amazonaws.com", "AWSLambdaBasicExecutionRole"),
    ("fn-webhooks", "lambda.amazonaws.com", "AWSLambdaBasicExecutionRole"),
];

impl Account {
    /// An account with the people who work in it.
    pub fn new(seed: u64, name: &'static str, number: &'static str, peer: &'static str, staff: &[Person]) -> Self {
        let mut dice = Dice::new(seed, name);
        let has = |person: &&Person| if name == "prod" { person.access.prod } else { person.access.dev };
        let mut users: Vec<User> = staff.iter().filter(has).map(|person| of_person(person, name, &mut dice)).collect();
        let machines = MACHINES.iter().filter(|(account, _)| *account == name).flat_map(|(_, names)| names.iter());
        users.extend(machines.map(|user| machine(user)));
        Self {
            seed,
            name,
            number,
            users,
            groups: GROUPS.iter().map(|(name, policies)| group(name, policies)).collect(),
            roles: roles(name, peer),
            policies: policies(),
            report_unready: Spans::never(),
        }
    }
}

fn group(name: &'static str, policies: &[&str]) -> Group {
    let made = clock::days_before(FOUNDED);
    Group { name, policies: policies.iter().map(|policy| Edge::from(policy, made)).collect() }
}

/// A user is deleted, not disabled, when its owner leaves.
fn of_person(person: &Person, account: &str, dice: &mut Dice) -> User {
    let life = person.tidy_life();
    let mut user = User::blank(&person.login, "/", life.created);
    let held = person.tidy_spans();
    user.employee = Some(person.number.clone());
    user.life.removed = person.left();
    user.console = Some(Console { habit: Habit::Regular, mfa: dice.chance(92), off: Spans::never() });
    if dice.chance(40) && person.background {
        user.keys.push(Key::rotated(life.created.plus(3 * HOUR), dice.between(45, 80)));
    }
    let group = match (account, person.unit) {
        ("dev", _) => "developers",
        (_, "Platform") => "platform-operators",
        (_, "Data") => "data-analysts",
        _ => "readers",
    };
    user.groups.push(Edge::during(group, held.clone()));
    if person.background && person.unit == "Platform" && account == "prod" && dice.chance(15) {
        user.groups.push(Edge::during("incident-commanders", held));
    }
    user
}

/// A user of a machine: one key, rotated and used.
pub fn machine(name: &str) -> User {
    let created = clock::days_before(FOUNDED - share("aws-machine", name, 60)).plus(10 * HOUR);
    let mut user = User::blank(name, "/svc/", created);
    user.keys.push(Key::rotated(created.plus(HOUR), 40 + share("aws-rotation", name, 40)));
    user.groups.push(Edge::from("pipelines", created));
    user
}

fn roles(account: &str, peer: &'static str) -> Vec<Role> {
    let made = clock::days_before(FOUNDED - 3).plus(8 * HOUR);
    let role = |name: &str, path: &str, trust: Vec<Trustee>, policy: &str| Role {
        name: name.to_owned(),
        path: path.to_owned(),
        created: made,
        trust: trust.into_iter().map(|trustee| (trustee, Spans::from(made))).collect(),
        policies: vec![Edge::from(policy, made)],
        inline: vec![],
        machines: false,
    };
    let mut all: Vec<Role> = ROLES
        .iter()
        .map(|(name, service, policy)| Role {
            machines: *service == "ec2.amazonaws.com",
            ..role(name, "/", vec![Trustee::Service(service)], policy)
        })
        .collect();
    all.push(role("deploy-pipeline", "/", vec![Trustee::Provider("oidc-provider/ci.corp.example")], "deploy-services"));
    all.push(role("peer-audit", "/", vec![Trustee::Root(peer)], "ReadOnlyAccess"));
    let support = "support.amazonaws.com";
    all.push(role("AWSServiceRoleForSupport", &format!("/aws-service-role/{support}/"), vec![Trustee::Service(support)], "ReadOnlyAccess"));
    if account == "prod" {
        // A principal of somebody else's account: no export of this one can say whether it still exists.
        let partner = Trustee::Foreign("arn:aws:iam::777788889999:role/partner-metrics-reader".to_owned());
        all.push(role("partner-metrics", "/", vec![partner], "data-read"));
        all.push(role("data-export", "/", vec![Trustee::Service("glue.amazonaws.com")], "data-read"));
        all.push(role("migration-runner", "/", vec![Trustee::Service("ecs-tasks.amazonaws.com")], "deploy-services"));
        all.push(role("incident-response", "/", vec![Trustee::Service("ssm.amazonaws.com")], "ReadOnlyAccess"));
    } else {
        all.push(role("sandbox-runner", "/", vec![Trustee::Service("codebuild.amazonaws.com")], "build-sandbox"));
        all.push(role("partner-sync", "/", vec![Trustee::Service("transfer.amazonaws.com")], "write-artifacts"));
    }
    all
}
