//! What the policies of one AWS principal, taken together, let it become (11.8).

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::{PrincipalRisk, Verdict};
use crate::policy::methods::METHODS;

const ACCOUNT: &str = "111122223333";

fn arn(last: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:{last}")
}

/// A made-up AWS account. Names are `user/x`, `role/x`, `group/x`.
#[derive(Clone, Debug, Default)]
struct World {
    principals: BTreeMap<String, AccountKind>,
    groups: BTreeSet<String>,
    /// (holder, policy, statements): inline where the policy's name has a `#`.
    policies: Vec<(String, String, Value)>,
    boundaries: Vec<(String, String, Value)>,
    members: Vec<(String, String)>,
    /// (role, kind, principal, condition).
    trusts: Vec<(String, PrincipalKind, String, Option<String>)>,
    /// Policies whose text is not in the export.
    unread: BTreeSet<String>,
    /// Service control policies: (level, policy, statements).
    scps: Vec<(String, String, Value)>,
    /// Why they bind nobody.
    not_binding: Option<String>,
}

impl World {
    fn with(mut self, name: &str) -> Self {
        self.principals.insert(name.into(), if name.starts_with("role/") { AccountKind::Role } else { AccountKind::Unknown });
        self
    }

    fn group(mut self, name: &str, members: &[&str]) -> Self {
        self.groups.insert(name.into());
        self.members.extend(members.iter().map(|m| ((*m).to_owned(), name.to_owned())));
        self
    }

    fn policy(mut self, holder: &str, name: &str, statements: Value) -> Self {
        self.policies.push((holder.into(), name.into(), statements));
        self
    }

    fn boundary(mut self, holder: &str, name: &str, statements: Value) -> Self {
        self.boundaries.push((holder.into(), name.into(), statements));
        self
    }

    /// A service control policy on a level of the organisation.
    fn scp(mut self, level: &str, name: &str, statements: Value) -> Self {
        self.scps.push((level.into(), name.into(), statements));
        self
    }

    fn trust(mut self, role: &str, kind: PrincipalKind, who: &str, condition: Option<&str>) -> Self {
        self.trusts.push((role.into(), kind, who.into(), condition.map(str::to_owned)));
        self
    }

    fn service(self, role: &str, service: &str) -> Self {
        self.trust(role, PrincipalKind::Service, service, None)
    }

    fn system(&self) -> SystemInput {
        let mut s = SystemInput { system_ix: 3, system: "aws".into(), connector: "aws-iam".into(), ..SystemInput::default() };
        for (name, kind) in &self.principals {
            let login = text(name.rsplit('/').next().unwrap());
            s.accounts.push(AccountRow { native_id: arn(name), kind: *kind, login, ..AccountRow::default() });
        }
        s.accounts.sort_by(|a, b| a.native_id.cmp(&b.native_id));
        (0..).zip(&mut s.accounts).for_each(|(ix, a)| a.account_ix = ix);
        let roles = self.principals.keys().filter(|n| n.starts_with("role/")).map(|n| (n.clone(), "role"));
        let groups: BTreeMap<String, &str> = self.groups.iter().map(|g| (g.clone(), "group")).chain(roles).collect();
        for (ix, (name, kind)) in (0..).zip(&groups) {
            let short = text(name.rsplit('/').next().unwrap());
            let row = GroupRow {
                group_ix: ix,
                native_id: arn(name),
                name: short,
                kind: (*kind).into(),
                level: Level::None,
                ..GroupRow::default()
            };
            s.groups.push(row);
        }
        let account = |s: &SystemInput, name: &str| s.accounts.iter().find(|a| a.native_id == arn(name)).map(|a| a.account_ix);
        let group = |s: &SystemInput, name: &str| s.groups.iter().find(|g| g.native_id == arn(name)).map(|g| g.group_ix);
        let named: BTreeMap<&str, &Value> = self
            .policies
            .iter()
            .chain(&self.boundaries)
            .chain(&self.scps)
            .map(|(_, name, statements)| (name.as_str(), statements))
            .collect();
        for (ix, (name, statements)) in (0..).zip(&named) {
            let unread = self.unread.contains(*name);
            let levels: Vec<&str> = self.scps.iter().filter(|(_, scp, _)| scp == name).map(|(level, ..)| level.as_str()).collect();
            let rows: Vec<StatementRow> = if unread { Vec::new() } else { statement_rows(ix, statements) };
            let admin = rows.iter().any(|r| r.effect == Effect::Allow && r.level == Level::Admin);
            let level = if unread {
                Level::Unknown
            } else if !levels.is_empty() {
                Level::None
            } else if admin {
                Level::Admin
            } else {
                Level::Write
            };
            let kind = match (levels.is_empty(), name.contains('#')) {
                (false, _) => "service-control-policy",
                (true, true) => "inline-policy",
                (true, false) => "managed-policy",
            };
            let native_id = arn(&format!("policy/{name}"));
            let attributes = (!levels.is_empty()).then(|| json!({ "attached_to": levels, "not_binding": self.not_binding }).to_string());
            let row =
                EntitlementRow { entitlement_ix: ix, native_id, name: text(name), kind: kind.into(), level, ..EntitlementRow::default() };
            let row = EntitlementRow { attributes, ..row };
            s.entitlements.push(row);
            s.statements.extend(rows);
        }
        for (list, effect) in [(&self.policies, Effect::Allow), (&self.boundaries, Effect::Boundary)] {
            for (holder, name, _) in list {
                let entitlement_ix = u32::try_from(named.keys().position(|n| n == name).unwrap()).unwrap();
                let user = holder.starts_with("user/");
                let account_ix = account(&s, holder).filter(|_| user);
                let group_ix = group(&s, holder).filter(|_| !user);
                s.grants.push(GrantRow { account_ix, group_ix, entitlement_ix, effect, ..GrantRow::default() });
            }
        }
        (0..).zip(&mut s.grants).for_each(|(ix, g)| g.grant_ix = ix);
        for (member, name) in &self.members {
            let row = MembershipRow { account_ix: account(&s, member), group_ix: group(&s, name).unwrap(), ..MembershipRow::default() };
            s.memberships.push(MembershipRow { kind: MembershipKind::Direct, principal_kind: PrincipalKind::Account, ..row });
        }
        for (role, kind, who, condition) in &self.trusts {
            let account_ix = account(&s, who);
            let principal_ref = account_ix.is_none().then(|| who.clone());
            let group_ix = group(&s, role).unwrap();
            let row = MembershipRow { account_ix, principal_ref, group_ix, kind: MembershipKind::Assume, ..MembershipRow::default() };
            s.memberships.push(MembershipRow { principal_kind: *kind, condition: condition.clone(), ..row });
        }
        (0..).zip(&mut s.memberships).for_each(|(ix, m)| m.membership_ix = ix);
        s
    }

    fn rows(&self) -> Vec<PrincipalRiskRow> {
        run(&[self.system()], &[]).principal_risk
    }

    /// `(method, verdict)` of a principal's escalation and administration.
    fn of(&self, name: &str) -> Vec<(String, Verdict)> {
        let system = self.system();
        let ix = system.accounts.iter().find(|a| a.native_id == arn(name)).unwrap().account_ix;
        let kinds = [PrincipalRisk::Admin, PrincipalRisk::PrivilegeEscalation, PrincipalRisk::Unknown];
        let mine = self.rows().into_iter().filter(|r| r.account_ix == ix && kinds.contains(&r.risk));
        mine.map(|r| (r.method, r.verdict)).collect()
    }

    fn row(&self, name: &str, method: &str) -> PrincipalRiskRow {
        let system = self.system();
        let ix = system.accounts.iter().find(|a| a.native_id == arn(name)).unwrap().account_ix;
        let rows = self.rows();
        rows.iter().find(|r| r.account_ix == ix && r.method == method).unwrap_or_else(|| panic!("{name} {method}: {rows:#?}")).clone()
    }
}

fn statement_rows(entitlement_ix: u32, statements: &Value) -> Vec<StatementRow> {
    let column = |s: &Value, key: &str| match &s[key] {
        Value::Null => None,
        Value::String(one) => Some(json!([one]).to_string()),
        list => Some(list.to_string()),
    };
    let one = |(at, s): (u32, &Value)| {
        let actions = column(s, "Action");
        let everything = matches!(actions.as_deref(), Some(r#"["*"]"# | r#"["iam:*"]"#)) && s["Resource"] == "*";
        StatementRow {
            entitlement_ix,
            statement: at,
            effect: if s["Effect"] == "Deny" { Effect::Deny } else { Effect::Allow },
            actions,
            not_actions: column(s, "NotAction"),
            resources: column(s, "Resource"),
            not_resources: column(s, "NotResource"),
            condition: (!s["Condition"].is_null()).then(|| s["Condition"].to_string()),
            level: if everything { Level::Admin } else { Level::Write },
            ..StatementRow::default()
        }
    };
    (0..).zip(statements.as_array().unwrap()).map(one).collect()
}

fn allow(actions: &[&str], resource: &str) -> Value {
    json!([{ "Effect": "Allow", "Action": actions, "Resource": resource }])
}

fn deny(actions: &[&str], resource: &str) -> Value {
    json!([{ "Effect": "Deny", "Action": actions, "Resource": resource }])
}

fn everything() -> Value {
    json!([{ "Effect": "Allow", "Action": "*", "Resource": "*" }])
}

/// A user `ida`, and administrators whom the services assume.
fn base() -> World {
    World::default()
        .with("user/ida")
        .with("role/lambda-admin")
        .policy("role/lambda-admin", "admin", everything())
        .service("role/lambda-admin", "lambda.amazonaws.com")
}

const LAMBDA: &str = "iam:PassRole+lambda:CreateFunction+lambda:InvokeFunction";

fn certain(method: &str) -> Vec<(String, Verdict)> {
    vec![(method.to_owned(), Verdict::Certain)]
}

fn latent(method: &str) -> Vec<(String, Verdict)> {
    vec![(method.to_owned(), Verdict::Latent)]
}

fn possible(method: &str) -> Vec<(String, Verdict)> {
    vec![(method.to_owned(), Verdict::Possible)]
}

#[test]
fn rule_11_8_a_method_spread_over_several_policies_is_found() {
    let world = base()
        .group("group/devs", &["user/ida"])
        .policy("user/ida", "pass", allow(&["iam:PassRole"], "*"))
        .policy("user/ida", "ida#inline", allow(&["lambda:CreateF*"], "*"))
        .policy("group/devs", "invoke", allow(&["lambda:InvokeFunction"], "*"));
    assert_eq!(world.of("user/ida"), certain(LAMBDA));
    let row = world.row("user/ida", LAMBDA);
    assert_eq!((row.target_name.as_deref(), row.path.as_deref()), (Some("lambda-admin"), Some("ida > lambda-admin > admin")));
    assert_eq!((row.rank, row.limits, row.condition), (0, None, None));
    // Any of the three ends it; the first step is named.
    assert_eq!(row.attachments.as_deref(), Some("`pass` on `ida`"));
    assert_eq!(row.actions, "iam:PassRole,lambda:CreateFunction,lambda:InvokeFunction");
}

#[test]
fn a_deny_that_covers_a_step_ends_it_and_one_that_does_not_leaves_it() {
    let held = base().policy("user/ida", "own", allow(&["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"], "*"));
    let with = |statement: Value| held.clone().group("group/held", &["user/ida"]).policy("group/held", "no", statement).of("user/ida");
    assert_eq!(held.of("user/ida"), certain(LAMBDA));
    for ends in [
        deny(&["iam:pass*"], "*"),
        deny(&["lambda:CreateFunction"], "*"),
        deny(&["lambda:*"], "arn:aws:lambda:*:*:*"),
        json!([{ "Effect": "Deny", "NotAction": ["s3:*"], "Resource": "*" }]),
        json!([{ "Effect": "Deny", "Action": "iam:PassRole", "NotResource": arn("role/app") }]),
        json!([{ "Effect": "Deny", "Action": "iam:PassRole", "Resource": "*",
                 "Condition": { "StringEquals": { "iam:PassedToService": "lambda.amazonaws.com" } } }]),
    ] {
        assert_eq!(with(ends.clone()), [], "{ends}");
    }
    for leaves in [
        deny(&["iam:CreateUser"], "*"),
        deny(&["iam:PassRole"], &arn("role/other")),
        json!([{ "Effect": "Deny", "Action": "iam:PassRole", "Resource": "*",
                 "Condition": { "StringNotEquals": { "iam:PassedToService": "lambda.amazonaws.com" } } }]),
    ] {
        assert_eq!(with(leaves.clone()), certain(LAMBDA), "{leaves}");
    }
    for perhaps in [
        deny(&["lambda:InvokeFunction"], "arn:aws:lambda:*:*:function:prod-*"),
        deny(&["lambda:InvokeFunction"], "arn:aws:lambda:*:*:layer:*"),
        json!([{ "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": { "Bool": { "aws:MultiFactorAuthPresent": "false" } } }]),
    ] {
        assert_eq!(with(perhaps.clone()), possible(LAMBDA), "{perhaps}");
    }
    let mfa = held.policy(
        "user/ida",
        "mfa",
        json!([{ "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": { "Bool": { "aws:MultiFactorAuthPresent": "false" } } }]),
    );
    assert_eq!(mfa.row("user/ida", LAMBDA).condition.as_deref(), Some(r#"{"unless":{"Bool":{"aws:MultiFactorAuthPresent":"false"}}}"#));
}

#[test]
fn a_boundary_that_does_not_allow_it_ends_it() {
    let held = base().policy("user/ida", "own", allow(&["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"], "*"));
    let within = |statements: Value| held.clone().boundary("user/ida", "fence", statements).of("user/ida");
    assert_eq!(within(allow(&["s3:*", "lambda:*"], "*")), []);
    assert_eq!(within(deny(&["s3:*"], "*")), []);
    assert_eq!(within(everything()), certain(LAMBDA));
    assert_eq!(within(allow(&["lambda:*", "iam:PassRole"], "*")), certain(LAMBDA));
    let mut denied = everything();
    denied.as_array_mut().unwrap().extend(deny(&["iam:*"], "*").as_array().unwrap().clone());
    assert_eq!(within(denied), []);
    let unseen = World { unread: BTreeSet::from(["fence".to_owned()]), ..held.boundary("user/ida", "fence", json!([])) };
    assert_eq!(unseen.of("user/ida"), possible(LAMBDA));
    assert_eq!(unseen.row("user/ida", LAMBDA).limits.as_deref(), Some("its permissions boundary `fence` is not in the export"));
    // Rights written into oneself reach no further than one's boundary.
    let self_writer = World::default().with("user/ida").policy("user/ida", "write", allow(&["iam:PutUserPolicy"], "*")).boundary(
        "user/ida",
        "fence",
        allow(&["iam:PutUserPolicy", "s3:*"], "*"),
    );
    assert_eq!(self_writer.of("user/ida"), possible("iam:PutUserPolicy"));
    let limits = self_writer.row("user/ida", "iam:PutUserPolicy").limits;
    assert_eq!(limits.as_deref(), Some("no further than the permissions boundary `fence` of `ida`"));
}

const LEVELS: [&str; 3] = ["r-ab12", "ou-ab12-11111111", ACCOUNT];

/// `FullAWSAccess` on every level, as AWS leaves it.
fn full(world: World) -> World {
    LEVELS.iter().fold(world, |w, level| w.scp(level, "FullAWSAccess", everything()))
}

/// Who may make a function run as an administrator.
fn deployer() -> World {
    base().policy("user/ida", "own", allow(&["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"], "*"))
}

#[test]
fn rule_11_8_each_level_of_the_organisation_must_allow_and_none_may_deny() {
    assert_eq!(full(deployer()).of("user/ida"), certain(LAMBDA));
    assert_eq!(
        full(deployer()).rows(),
        deployer().rows().into_iter().map(|r| moved(r, &deployer(), &full(deployer()))).collect::<Vec<_>>()
    );
    for level in LEVELS {
        let only = |statements: Value| {
            let mut world = full(deployer());
            world.scps.retain(|(l, ..)| l != level);
            world.scp(level, "some", statements)
        };
        // One level that does not allow a step is enough, whatever the others do.
        assert_eq!(only(allow(&["s3:*", "lambda:*"], "*")).of("user/ida"), [], "{level}");
        // Policies of one level add up.
        let both = only(allow(&["lambda:*"], "*")).scp(level, "more", allow(&["iam:*"], "*"));
        assert_eq!(both.of("user/ida"), certain(LAMBDA), "{level}");
        // Those of different levels do not.
        let other = LEVELS.iter().find(|l| **l != level).unwrap();
        assert_eq!(only(allow(&["lambda:*"], "*")).scp(other, "more", allow(&["iam:*"], "*")).of("user/ida"), [], "{level}");
        // A Deny beats every Allow.
        assert_eq!(full(deployer()).scp(level, "no", deny(&["iam:Pass*"], "*")).of("user/ida"), [], "{level}");
        assert_eq!(full(deployer()).scp(level, "no", deny(&["iam:CreateUser"], "*")).of("user/ida"), certain(LAMBDA), "{level}");
    }
}

/// A row with its ordinals as those of another world: policies of one name are the same.
fn moved(row: PrincipalRiskRow, from: &World, to: &World) -> PrincipalRiskRow {
    let (from, to) = (from.system(), to.system());
    let grants = row.grants.as_deref().map(|list| {
        let one = |ix: &str| {
            let grant = &from.grants[ix.parse::<usize>().unwrap()];
            let id = |s: &SystemInput, g: &GrantRow| s.entitlements[g.entitlement_ix as usize].native_id.clone();
            let same =
                to.grants.iter().find(|g| (g.account_ix, g.group_ix, id(&to, g)) == (grant.account_ix, grant.group_ix, id(&from, grant)));
            same.unwrap().grant_ix.to_string()
        };
        list.split(',').map(one).collect::<Vec<_>>().join(",")
    });
    PrincipalRiskRow { grants, ..row }
}

#[test]
fn conditions_and_resources_of_the_organisation_leave_it_possible() {
    let unless = json!([{ "Effect": "Deny", "Action": "iam:*", "Resource": "*",
                          "Condition": { "ArnNotLike": { "aws:PrincipalArn": "arn:aws:iam::*:role/org-admin" } } }]);
    let world = full(deployer()).scp(ACCOUNT, "no", unless);
    assert_eq!(world.of("user/ida"), possible(LAMBDA));
    let condition = world.row("user/ida", LAMBDA).condition;
    assert_eq!(condition.as_deref(), Some(r#"{"unless":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/org-admin"}}}"#));
    let region = json!([{ "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": { "StringEquals": { "aws:RequestedRegion": "eu-west-1" } } }]);
    let world = deployer().scp(ACCOUNT, "region", region);
    assert_eq!(world.of("user/ida"), possible(LAMBDA));
    let condition = world.row("user/ida", LAMBDA).condition;
    assert_eq!(condition.as_deref(), Some(r#"{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}"#));
    let some = full(deployer()).scp(ACCOUNT, "no", deny(&["lambda:CreateFunction"], "arn:aws:lambda:*:*:function:prod-*"));
    assert_eq!(some.of("user/ida"), possible(LAMBDA));
    let limits = some.row("user/ida", LAMBDA).limits;
    assert_eq!(limits.as_deref(), Some("`lambda:CreateFunction` denied on `arn:aws:lambda:*:*:function:prod-*`"));
    // The administrator that it would pass is out of reach.
    let role = full(deployer()).scp(ACCOUNT, "no", deny(&["iam:PassRole"], &arn("role/lambda-admin")));
    assert_eq!(role.of("user/ida"), latent(LAMBDA));
}

#[test]
fn what_is_not_known_of_a_level_leaves_it_possible_and_never_ends_it() {
    let unread = |mut world: World| {
        world.unread = BTreeSet::from(["gone".to_owned()]);
        world
    };
    let world = unread(deployer().scp("r-ab12", "FullAWSAccess", everything()).scp(ACCOUNT, "gone", json!([])));
    assert_eq!(world.of("user/ida"), possible(LAMBDA));
    let limits = world.row("user/ida", LAMBDA).limits;
    let why = "the service control policies of `111122223333` are not all in the export, or cannot be read";
    assert_eq!(limits.unwrap(), format!("`lambda-admin` itself leads further only perhaps; {why}"));
    // Beside one that does not allow it, the unknown one may.
    assert_eq!(
        unread(deployer().scp(ACCOUNT, "some", allow(&["s3:*"], "*")).scp(ACCOUNT, "gone", json!([]))).of("user/ida"),
        possible(LAMBDA)
    );
    // A Deny that is known holds all the same.
    assert_eq!(unread(deployer().scp(ACCOUNT, "no", deny(&["iam:*"], "*")).scp(ACCOUNT, "gone", json!([]))).of("user/ida"), []);
    let admin = unread(base().policy("user/ida", "all", everything()).scp(ACCOUNT, "gone", json!([])));
    assert_eq!(admin.of("user/ida")[0], ("admin".to_owned(), Verdict::Possible));
}

#[test]
fn service_control_policies_give_nothing_and_do_not_bind_everybody() {
    // They make no administrator of anybody, nor a policy of the account's own that could be rewritten.
    let world =
        full(World::default().with("user/ida").policy("user/ida", "v", allow(&["iam:CreatePolicyVersion"], &arn("policy/FullAWSAccess"))));
    assert_eq!(world.of("user/ida"), []);
    let mut exempt = deployer().scp(ACCOUNT, "no", deny(&["*"], "*"));
    assert_eq!(exempt.rows(), []);
    exempt.not_binding = Some("management account".into());
    assert_eq!(exempt.of("user/ida"), certain(LAMBDA));
    // A role that AWS links to a service is not bound, one of Identity Center is.
    let linked = |name: &str| {
        let name = format!("role/{name}");
        World::default().with(&name).policy(&name, "own", everything()).scp(ACCOUNT, "no", deny(&["iam:*"], "*")).of(&name)
    };
    assert_eq!(linked("aws-service-role/x.amazonaws.com/AWSServiceRoleForX"), certain("admin"));
    assert_eq!(linked("aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin"), []);
    // A trust that names the principal needs no policy of its own; the organisation's binds all the same.
    let trusted = World::default().with("user/ida").with("role/root").policy("role/root", "admin", everything());
    let trusted = trusted.trust("role/root", PrincipalKind::Account, "user/ida", None);
    assert_eq!(full(trusted.clone()).of("user/ida"), certain("sts:AssumeRole"));
    assert_eq!(trusted.scp(ACCOUNT, "some", allow(&["iam:*"], "*")).of("user/ida"), []);
}

#[test]
fn what_one_writes_into_oneself_reaches_no_further_than_the_organisation() {
    let writer = World::default().with("user/ida").policy("user/ida", "write", allow(&["iam:PutUserPolicy"], "*"));
    let world = writer.clone().scp("ou-ab12-11111111", "some", allow(&["iam:PutUserPolicy", "s3:*"], "*"));
    assert_eq!(world.of("user/ida"), possible("iam:PutUserPolicy"));
    let limits = world.row("user/ida", "iam:PutUserPolicy").limits;
    assert_eq!(limits.as_deref(), Some("no further than the service control policies of `ou-ab12-11111111`"));
    assert_eq!(full(writer).of("user/ida"), certain("iam:PutUserPolicy"));
}

#[test]
fn passing_a_role_is_judged_by_the_role() {
    let steps = allow(&["lambda:CreateFunction", "lambda:InvokeFunction"], "*");
    let passing = |resource: &str| {
        base()
            .with("role/app")
            .service("role/app", "lambda.amazonaws.com")
            .policy("role/app", "reads", allow(&["s3:GetObject"], "arn:aws:s3:::app/*"))
            .policy("user/ida", "steps", steps.clone())
            .policy("user/ida", "pass", allow(&["iam:PassRole"], resource))
    };
    assert_eq!(passing(&arn("role/lambda-admin")).of("user/ida"), certain(LAMBDA));
    assert_eq!(passing(&arn("role/lambda-*")).of("user/ida"), certain(LAMBDA));
    // What it may pass is harmless.
    assert_eq!(passing(&arn("role/app")).of("user/ida"), []);
    assert_eq!(passing(&arn("user/*")).of("user/ida"), []);
    assert_eq!(passing("arn:aws:s3:::*").of("user/ida"), []);
    // One role, and nothing is known of it.
    let gone = passing(&arn("role/gone"));
    assert_eq!(gone.of("user/ida"), possible(LAMBDA));
    let limits = gone.row("user/ida", LAMBDA).limits.unwrap();
    assert_eq!(limits, format!("`iam:PassRole` only on `{}`, which the export does not hold", arn("role/gone")));
    let mut unseen = passing(&arn("role/app"));
    unseen.unread.insert("reads".into());
    assert_eq!(unseen.of("user/ida"), possible(LAMBDA));
    assert_eq!(unseen.of("role/app"), vec![("unread-policy".to_owned(), Verdict::Unknown)]);
    // No service may assume the administrator.
    let mut other = passing("*");
    other.trusts.retain(|t| t.0 != "role/lambda-admin");
    assert_eq!(other.of("user/ida"), latent(LAMBDA));
    let limits = other.row("user/ida", LAMBDA).limits;
    assert_eq!(limits.as_deref(), Some("no role that it may pass to `lambda.amazonaws.com` is known to lead further"));
    // The condition names another service.
    let to = |service: &str| {
        let statement = json!([{ "Effect": "Allow", "Action": "iam:PassRole", "Resource": "*",
                                 "Condition": { "StringEquals": { "iam:PassedToService": service } } }]);
        base().policy("user/ida", "steps", steps.clone()).policy("user/ida", "pass", statement).of("user/ida")
    };
    assert_eq!(to("ec2.amazonaws.com"), []);
    assert_eq!(to("lambda.amazonaws.com"), certain(LAMBDA));
}

#[test]
fn what_runs_already_is_judged_by_the_roles_that_it_may_run_as() {
    let update = "lambda:UpdateFunctionCode";
    let world = |base: World, resource: &str| base.policy("user/ida", "own", allow(&[update], resource));
    assert_eq!(world(base(), "*").of("user/ida"), certain(update));
    let held = world(base(), "arn:aws:lambda:eu-west-1:111122223333:function:app");
    assert_eq!(held.of("user/ida"), possible(update));
    let limits = held.row("user/ida", update).limits.unwrap();
    assert_eq!(limits, "`lambda:UpdateFunctionCode` only on `arn:aws:lambda:eu-west-1:111122223333:function:app`");
    let harmless = || World::default().with("user/ida").with("role/app").service("role/app", "lambda.amazonaws.com");
    assert_eq!(world(harmless(), "*").of("user/ida"), latent(update));
    assert_eq!(world(harmless(), "arn:aws:lambda:eu-west-1:111122223333:function:app").of("user/ida"), []);
}

#[test]
fn rights_are_written_into_oneself_or_into_whom_one_can_be() {
    let with = |action: &str, resource: &str| {
        World::default().with("user/ida").with("user/bo").with("role/r").policy("user/ida", "w", allow(&[action], resource))
    };
    assert_eq!(with("iam:PutUserPolicy", "*").of("user/ida"), certain("iam:PutUserPolicy"));
    assert_eq!(with("iam:PutUserPolicy", &arn("user/${aws:username}")).of("user/ida"), certain("iam:PutUserPolicy"));
    assert_eq!(with("iam:PutUserPolicy", &arn("user/bo")).of("user/ida"), []);
    assert_eq!(with("iam:AttachRolePolicy", "*").of("user/ida"), possible("iam:AttachRolePolicy"));
    assert_eq!(with("iam:AttachRolePolicy", &arn("role/r")).of("user/ida"), []);
    // Its own keys are no way up, with or without the variable.
    let own = |resource: &str| {
        base().policy("user/ida", "keys", allow(&["iam:CreateAccessKey", "iam:UpdateLoginProfile"], resource)).of("user/ida")
    };
    assert_eq!(own(&arn("user/${aws:username}")), []);
    assert_eq!(own(&arn("user/ida")), []);
    assert_eq!(own("arn:aws:iam::*:user/${AWS:UserName}"), []);
    // Two together: the role is written to and assumed.
    let both = with("iam:AttachRolePolicy", &arn("role/r")).trust("role/r", PrincipalKind::Root, &arn("root"), None);
    let both = both.policy("user/ida", "a", allow(&["sts:AssumeRole"], &arn("role/r")));
    assert_eq!(both.of("user/ida"), certain("iam:AttachRolePolicy"));
    let mine = World::default().with("role/r").policy("role/r", "w", allow(&["iam:AttachRolePolicy"], &arn("role/r")));
    assert_eq!(mine.of("role/r"), certain("iam:AttachRolePolicy"));
    let bo = with("iam:AttachUserPolicy", &arn("user/bo")).policy("user/ida", "k", allow(&["iam:CreateAccessKey"], &arn("user/bo")));
    // `bo` holds nothing, and its keys lead to nothing but that.
    assert_eq!(bo.of("user/ida"), certain("iam:AttachUserPolicy"));
}

#[test]
fn policies_groups_and_users_that_lead_further() {
    let version =
        |resource: &str| World::default().with("user/ida").policy("user/ida", "mine", allow(&["iam:CreatePolicyVersion"], resource));
    assert_eq!(version("*").of("user/ida"), certain("iam:CreatePolicyVersion"));
    assert_eq!(version(&arn("policy/mine")).of("user/ida"), certain("iam:CreatePolicyVersion"));
    assert_eq!(version(&arn("policy/others")).of("user/ida"), []);
    let old = World::default().with("user/ida").policy("user/ida", "mine", allow(&["iam:SetDefaultPolicyVersion"], "*"));
    assert_eq!(old.of("user/ida"), possible("iam:SetDefaultPolicyVersion"));
    let joins = |leads: Value| {
        World::default().with("user/ida").group("group/ops", &[]).policy("group/ops", "ops", leads).policy(
            "user/ida",
            "join",
            allow(&["iam:AddUserToGroup"], "*"),
        )
    };
    assert_eq!(joins(everything()).of("user/ida"), certain("iam:AddUserToGroup"));
    assert_eq!(joins(everything()).row("user/ida", "iam:AddUserToGroup").path.as_deref(), Some("ida > ops"));
    assert_eq!(joins(allow(&["s3:GetObject"], "*")).of("user/ida"), latent("iam:AddUserToGroup"));
    let keys = |resource: &str| {
        let boss = World::default().with("user/ida").with("user/boss").policy("user/boss", "admin", everything());
        boss.policy("user/ida", "keys", allow(&["iam:CreateAccessKey"], resource))
    };
    assert_eq!(keys("*").of("user/ida"), certain("iam:CreateAccessKey"));
    assert_eq!(keys(&arn("user/boss")).of("user/ida"), certain("iam:CreateAccessKey"));
    assert_eq!(keys(&arn("user/other")).of("user/ida"), []);
    assert_eq!(keys("*").of("user/boss"), certain("admin"));
}

#[test]
fn roles_are_followed_and_circles_lead_nowhere() {
    let chain = |permission: &str, condition: Option<&str>| {
        World::default()
            .with("user/ida")
            .with("role/a")
            .with("role/b")
            .with("role/root")
            .policy("role/root", "admin", everything())
            .trust("role/a", PrincipalKind::Root, &arn("root"), None)
            .trust("role/b", PrincipalKind::Account, "role/a", condition)
            .trust("role/root", PrincipalKind::Account, "role/b", None)
            .trust("role/a", PrincipalKind::Account, "role/root", None)
            .policy("user/ida", "assume", allow(&["sts:AssumeRole"], permission))
    };
    let world = chain(&arn("role/a"), None);
    assert_eq!(world.of("user/ida"), certain("sts:AssumeRole"));
    let row = world.row("user/ida", "sts:AssumeRole");
    assert_eq!(row.path.as_deref(), Some("ida > a > b > root > admin"));
    assert_eq!((row.grants.as_deref(), row.memberships, row.attachments.as_deref()), (Some("1"), None, Some("`assume` on `ida`")));
    // A trust that names the role itself needs no policy, and is what to take away.
    let b = world.row("role/b", "sts:AssumeRole");
    assert_eq!((b.grants, b.memberships.as_deref(), b.attachments.as_deref()), (None, Some("2"), Some("trust policy of `root`")));
    assert_eq!(chain(&arn("role/b"), None).of("user/ida"), []);
    let mfa = chain(&arn("role/a"), Some(r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#));
    assert_eq!(mfa.of("role/a"), possible("sts:AssumeRole"));
    assert_eq!(mfa.row("role/a", "sts:AssumeRole").condition.as_deref(), Some(r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#));
    assert_eq!(mfa.of("user/ida"), possible("sts:AssumeRole"));
    assert_eq!(mfa.row("user/ida", "sts:AssumeRole").limits.as_deref(), Some("`a` itself leads further only perhaps"));
    // Two roles that trust each other, and nobody else.
    let circle = World::default().with("role/x").with("role/y").trust("role/x", PrincipalKind::Account, "role/y", None).trust(
        "role/y",
        PrincipalKind::Account,
        "role/x",
        None,
    );
    assert_eq!(circle.rows(), []);
    // An explicit Deny beats the trust.
    let denied = chain(&arn("role/a"), None).policy("role/b", "no", deny(&["sts:AssumeRole"], "*"));
    assert_eq!((denied.of("role/b"), denied.of("user/ida")), (vec![], vec![]));
    // A foreign account's root is not this account.
    let foreign = World::default()
        .with("user/ida")
        .with("role/root")
        .policy("role/root", "admin", everything())
        .trust("role/root", PrincipalKind::Root, "arn:aws:iam::999988887777:root", None)
        .policy("user/ida", "assume", allow(&["sts:AssumeRole"], &arn("role/root")));
    assert_eq!(foreign.of("user/ida"), []);
}

#[test]
fn a_chain_may_lead_over_other_methods() {
    let world = base().with("role/deploy").trust("role/deploy", PrincipalKind::Account, "user/ida", None).policy(
        "role/deploy",
        "pass",
        allow(&["iam:PassRole", "lambda:*"], "*"),
    );
    let row = world.row("user/ida", "sts:AssumeRole");
    assert_eq!((row.verdict, row.path.as_deref()), (Verdict::Certain, Some("ida > deploy > lambda-admin > admin")));
    assert_eq!(row.attachments.as_deref(), Some("trust policy of `deploy`"));
}

#[test]
fn administrators_have_one_row() {
    let world = base().policy("user/ida", "all", everything()).policy("user/ida", "more", allow(&["iam:PutUserPolicy"], "*"));
    assert_eq!(world.of("user/ida"), certain("admin"));
    assert_eq!(world.row("user/ida", "admin").attachments.as_deref(), Some("`all` on `ida`"));
    let mfa =
        json!([{ "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": { "Bool": { "aws:MultiFactorAuthPresent": "true" } } }]);
    let world = base().policy("user/ida", "all", mfa).policy("user/ida", "more", allow(&["iam:PutUserPolicy"], "*"));
    assert_eq!(world.of("user/ida"), vec![("admin".to_owned(), Verdict::Possible), ("iam:PutUserPolicy".to_owned(), Verdict::Certain)]);
    assert_eq!((world.row("user/ida", "admin").rank, world.row("user/ida", "iam:PutUserPolicy").rank), (1, 0));
    let fenced = base().policy("user/ida", "all", everything()).boundary("user/ida", "fence", allow(&["s3:*"], "*"));
    assert_eq!(fenced.of("user/ida"), []);
    let denied = base().policy("user/ida", "all", everything()).policy("user/ida", "no", deny(&["*"], "*"));
    assert_eq!(denied.of("user/ida"), []);
}

#[test]
fn an_administrator_is_as_sure_as_the_statement_that_makes_one() {
    let secure = json!({ "Bool": { "aws:SecureTransport": "true" } });
    let conditional = json!({ "Effect": "Allow", "Action": "iam:*", "Resource": "*", "Condition": secure });
    let other = json!({ "Effect": "Allow", "Action": "iam:UpdateAssumeRolePolicy", "Resource": "*" });
    let together = base().policy("user/ida", "own", json!([conditional, other]));
    let apart = base().policy("user/ida", "own", json!([conditional])).policy("user/ida", "more", json!([other]));
    let due = vec![("admin".to_owned(), Verdict::Possible), ("iam:UpdateAssumeRolePolicy".to_owned(), Verdict::Certain)];
    assert_eq!((together.of("user/ida"), apart.of("user/ida")), (due.clone(), due));
    assert_eq!(together.row("user/ida", "admin").condition, Some(secure.to_string()));
    // Who leads over such an administrator goes by what is certain.
    let passes = together.with("role/app").policy("role/app", "own", json!([conditional, other])).with("user/bo").policy(
        "user/bo",
        "assume",
        allow(&["sts:AssumeRole"], &arn("role/app")),
    );
    let passes = passes.trust("role/app", PrincipalKind::Root, &arn("root"), None);
    assert_eq!(passes.row("user/bo", "sts:AssumeRole").path.as_deref(), Some("bo > app > lambda-admin > admin"));
}

#[test]
fn a_policy_that_goes_takes_its_deny_along() {
    let mut both = allow(&["iam:CreatePolicyVersion"], "*");
    both.as_array_mut().unwrap().extend(deny(&["iam:PassRole"], "*").as_array().unwrap().clone());
    let world = base().policy("user/ida", "both", both).policy("user/ida", "pass", allow(&["iam:PassRole"], "*"));
    let row = world.row("user/ida", "resource-exposure");
    assert_eq!((row.actions.as_str(), row.attachments.as_deref()), ("iam:createpolicyversion", Some("`both` on `ida`; `pass` on `ida`")));
    // What is held to named resources is none, and need not go.
    let world = base().policy("user/ida", "all", allow(&["s3:GetObject"], "*")).policy(
        "user/ida",
        "one",
        allow(&["s3:GetObject"], "arn:aws:s3:::plans/*"),
    );
    assert_eq!(world.row("user/ida", "data-exfiltration").attachments.as_deref(), Some("`all` on `ida`"));
}

#[test]
fn other_risks_are_judged_over_all_policies_too() {
    let world = base().policy("user/ida", "data", allow(&["s3:GetObject", "secretsmanager:GetSecretValue"], "*")).policy(
        "user/ida",
        "no",
        deny(&["secretsmanager:*"], "*"),
    );
    let rows: Vec<_> = world.rows().into_iter().filter(|r| r.account_ix == 1).map(|r| (r.method, r.verdict, r.actions)).collect();
    assert_eq!(rows, [("data-exfiltration".to_owned(), Verdict::Certain, "s3:getobject".to_owned())]);
}

#[test]
fn every_method_is_found_and_not_without_one_of_its_actions() {
    for method in METHODS.iter() {
        let everybody = |actions: &[&str]| {
            let services = METHODS.iter().filter_map(|m| match m.way {
                crate::policy::methods::Way::Passed(s) => Some(s),
                _ => None,
            });
            let mut world = World::default()
                .with("user/ida")
                .with("user/boss")
                .with("role/admin")
                .policy("user/boss", "admin", everything())
                .policy("role/admin", "admin", everything())
                .group("group/ops", &[])
                .policy("group/ops", "admin", everything())
                .group("group/mine", &["user/ida"])
                .policy("user/ida", "own", allow(actions, "*"))
                .trust("role/admin", PrincipalKind::Root, &arn("root"), None);
            for service in services.flatten().collect::<BTreeSet<_>>() {
                world = world.service("role/admin", service);
            }
            world
        };
        let names: Vec<&str> = method.steps.iter().map(|s| s.name).collect();
        let found = everybody(&names).of("user/ida");
        let mine = found.iter().find(|(m, _)| m == method.id).unwrap_or_else(|| panic!("{}: {found:?}", method.id));
        let never = ["iam:SetDefaultPolicyVersion", "iam:AttachRolePolicy", "iam:PutRolePolicy"];
        assert_eq!(mine.1, if never.contains(&method.id) { Verdict::Possible } else { Verdict::Certain }, "{}", method.id);
        for skip in 0..names.len() {
            let fewer: Vec<&str> = names.iter().enumerate().filter(|(i, _)| *i != skip).map(|(_, n)| *n).collect();
            let left = everybody(&fewer).of("user/ida");
            let others = left.iter().filter(|(m, _)| !METHODS.iter().any(|o| o.id == m && o.steps.iter().all(|s| fewer.contains(&s.name))));
            assert_eq!(others.count(), 0, "{} without {}: {left:?}", method.id, names[skip]);
        }
    }
}

#[test]
fn hostile_policies_end_in_time() {
    let stars = "*".repeat(2_000);
    let wild: Vec<String> = (0..2_000).map(|i| format!("arn:aws:iam::*:role/{}a{i}", "*?".repeat(200))).collect();
    let actions: Vec<String> = (0..2_000).map(|i| format!("iam:{}b{i}*", "*".repeat(100))).collect();
    let mut world = World::default().with("user/ida").policy("user/ida", "stars", allow(&[&stars], &stars));
    for i in 0..300 {
        let (this, next) = (format!("role/{i:04}"), format!("role/{:04}", (i + 1) % 300));
        world = world.with(&this).with(&next).trust(&next, PrincipalKind::Account, &this, None);
        world = world.trust(&this, PrincipalKind::Root, &arn("root"), None);
    }
    let world = world
        .policy("role/0000", "admin", everything())
        .policy("role/0001", "wild", json!([{ "Effect": "Allow", "Action": actions, "NotResource": wild }, { "Effect": "Allow", "Action": "iam:PassRole", "Resource": wild }]));
    let started = std::time::Instant::now();
    assert_eq!(world.of("user/ida").first().map(|(m, _)| m.as_str()), Some("apprunner:UpdateService"));
    let row = world.row("role/0002", "sts:AssumeRole");
    assert_eq!(row.verdict, Verdict::Certain);
    assert!(row.path.unwrap().contains("more) > admin"));
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

const ACTIONS: [&str; 12] = [
    "iam:PassRole",
    "lambda:CreateFunction",
    "lambda:InvokeFunction",
    "lambda:UpdateFunctionCode",
    "iam:PutUserPolicy",
    "iam:PutRolePolicy",
    "iam:CreateAccessKey",
    "iam:CreatePolicyVersion",
    "iam:AddUserToGroup",
    "iam:UpdateAssumeRolePolicy",
    "sts:AssumeRole",
    "iam:*",
];
const HOLDERS: [&str; 7] = ["user/a", "user/b", "role/p", "role/q", "role/s", "group/g", "group/h"];

fn statements() -> impl Strategy<Value = Value> {
    let resource = prop_oneof![
        3 => Just("*".to_owned()),
        3 => prop::sample::select(vec!["user/a", "user/b", "role/p", "role/q", "role/*", "user/${aws:username}", "policy/p1"]).prop_map(arn),
    ];
    let one = (prop::bool::weighted(0.85), prop::sample::subsequence(ACTIONS.to_vec(), 1..4), resource, prop::bool::weighted(0.2))
        .prop_map(|(allows, actions, resource, conditional)| {
            let mut statement = json!({ "Effect": if allows { "Allow" } else { "Deny" }, "Action": actions, "Resource": resource });
            if conditional {
                statement["Condition"] = json!({ "Bool": { "aws:SecureTransport": "true" } });
            }
            statement
        });
    prop::collection::vec(one, 1..3).prop_map(Value::from)
}

fn worlds() -> impl Strategy<Value = World> {
    let policies = prop::collection::vec((prop::sample::select(HOLDERS.to_vec()), statements()), 0..7);
    let trusts = prop::collection::vec((0..3_usize, 0..6_usize, prop::bool::ANY), 0..6);
    let admin = prop::sample::select(vec!["role/s", "user/b", "group/h"]);
    let members = prop::sample::select(vec![vec!["user/a"], vec!["user/a", "user/b"]]);
    (policies, trusts, admin, members, prop::option::of(statements())).prop_map(|(policies, trusts, admin, members, fence)| {
        let mut world = World::default().group("group/g", &members).group("group/h", &["user/b"]);
        for name in &HOLDERS[..5] {
            world = world.with(name);
        }
        world = world.policy(admin, "admin", everything());
        for (n, (holder, statements)) in policies.into_iter().enumerate() {
            world = world.policy(holder, &format!("p{n}"), statements);
        }
        let kinds = ["user/a", "user/b", "role/p", "role/q"];
        let trusts: BTreeMap<(usize, usize), bool> =
            trusts.into_iter().map(|(role, who, conditional)| ((role, who), conditional)).collect();
        for ((role, who), conditional) in trusts {
            let role = ["role/p", "role/q", "role/s"][role];
            let condition = conditional.then_some(r#"{"Bool":{"x":"y"}}"#);
            world = match kinds.get(who) {
                Some(name) => world.trust(role, PrincipalKind::Account, name, condition),
                None if who == 4 => world.trust(role, PrincipalKind::Root, &arn("root"), condition),
                None => world.service(role, "lambda.amazonaws.com"),
            };
        }
        match fence {
            Some(statements) => world.boundary("user/a", "fence", statements),
            None => world,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn taking_away_what_a_row_names_ends_it(world in worlds()) {
        let system = world.system();
        for row in run(std::slice::from_ref(&system), &[]).principal_risk {
            let named = |list: &Option<String>| -> BTreeSet<u32> { list.iter().flat_map(|l| l.split(',')).map(|n| n.parse().unwrap()).collect() };
            let (grants, memberships) = (named(&row.grants), named(&row.memberships));
            prop_assert!(!grants.is_empty() || !memberships.is_empty(), "{row:?}");
            let mut less = system.clone();
            // Emptied, so that ordinals stay.
            less.grants.retain(|g| !grants.contains(&g.grant_ix));
            less.memberships.retain(|m| !memberships.contains(&m.membership_ix));
            let after = run(&[less], &[]).principal_risk;
            prop_assert!(!after.iter().any(|r| (r.account_ix, &r.method) == (row.account_ix, &row.method)), "{row:?}\n{after:?}");
        }
    }

    #[test]
    fn how_statements_are_spread_over_policies_changes_nothing(world in worlds()) {
        let verdicts = |w: &World| w.rows().into_iter().map(|r| (r.account_ix, r.method, r.verdict)).collect::<Vec<_>>();
        let mut split = world.clone();
        split.policies = world.policies.iter().flat_map(|(holder, name, statements)| {
            let each = statements.as_array().unwrap().iter().enumerate();
            each.map(move |(n, s)| (holder.clone(), if n == 0 { name.clone() } else { format!("{name}#{n}") }, json!([s])))
        }).collect();
        prop_assert_eq!(verdicts(&split), verdicts(&world));
    }

    #[test]
    fn a_deny_of_everything_ends_everything(world in worlds()) {
        let denied = world.policy("user/a", "stop", deny(&["*"], "*"));
        prop_assert_eq!(denied.of("user/a"), vec![]);
    }

    #[test]
    fn an_empty_boundary_leaves_only_what_trusts_give(world in worlds()) {
        let mut fenced = world;
        fenced.boundaries.clear();
        let fenced = fenced.boundary("user/a", "none", deny(&["s3:*"], "*"));
        prop_assert!(fenced.of("user/a").iter().all(|(m, _)| m == "sts:AssumeRole"));
    }

    #[test]
    fn more_rights_never_lead_less_far(world in worlds()) {
        let leads = |w: &World, name: &str| w.of(name).into_iter().map(|(_, v)| v).max_by_key(|v| *v == Verdict::Certain);
        let more = world.clone().policy("user/a", "more", allow(&["iam:PassRole", "lambda:*"], "*"));
        for name in &HOLDERS[..5] {
            let (before, after) = (leads(&world, name), leads(&more, name));
            prop_assert!(before.is_none() || after.is_some(), "{name}");
            prop_assert!(before != Some(Verdict::Certain) || after == Some(Verdict::Certain), "{name}");
        }
    }

    #[test]
    fn full_access_on_every_level_changes_nothing(world in worlds()) {
        let before: Vec<_> = world.rows().into_iter().map(|r| moved(r, &world, &full(world.clone()))).collect();
        prop_assert_eq!(full(world).rows(), before);
    }

    #[test]
    fn the_organisation_never_opens_a_way(
        world in worlds(),
        scps in prop::collection::vec((prop::sample::select(LEVELS.to_vec()), statements(), prop::bool::weighted(0.1)), 0..4),
        on_top in statements(),
    ) {
        let leads = |w: &World, name: &str| w.of(name).into_iter().map(|(_, v)| v).max_by_key(|v| *v == Verdict::Certain);
        let closes = |before: &World, after: &World| {
            HOLDERS[..5].iter().all(|name| {
                let (before, after) = (leads(before, name), leads(after, name));
                (after.is_none() || before.is_some()) && (after != Some(Verdict::Certain) || before == Some(Verdict::Certain))
            })
        };
        let mut bound = world.clone();
        for (n, (level, statements, unread)) in scps.into_iter().enumerate() {
            let name = format!("scp{n}");
            if unread {
                bound.unread.insert(name.clone());
            }
            bound = bound.scp(level, &name, statements);
        }
        prop_assert!(closes(&world, &bound));
        // One more level, whatever it says; and one more Deny on a level that is there.
        prop_assert!(closes(&bound, &bound.clone().scp("ou-ab12-22222222", "one-more", on_top.clone())));
        let mut denies = on_top;
        denies.as_array_mut().unwrap().iter_mut().for_each(|s| s["Effect"] = json!("Deny"));
        let level = bound.scps.first().map_or("r-ab12", |(level, ..)| level).to_owned();
        prop_assert!(closes(&bound, &bound.clone().scp(&level, "one-more", denies)));
    }

    #[test]
    fn a_level_of_which_nothing_is_known_ends_nothing(world in worlds()) {
        let mut unknown = world.clone().scp("r-ab12", "gone", json!([]));
        unknown.unread.insert("gone".into());
        for name in &HOLDERS[..5] {
            let (before, after) = (world.of(name), unknown.of(name));
            prop_assert!(before.is_empty() == after.is_empty(), "{name}");
            prop_assert!(after.iter().all(|(_, v)| *v != Verdict::Certain), "{name}: {after:?}");
        }
    }
}
