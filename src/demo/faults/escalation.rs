//! Faults about rights that lead to administration.

use std::io;

use super::{DEV, MENDED, PROD, Planting, missing};
use crate::demo::answers::State;
use crate::demo::aws::{Trustee, allow, allow_with_mfa, deny};
use crate::demo::clock;
use crate::demo::life::Spans;

/// A machine user, whichever asks.
const ITSELF: &str = "arn:aws:iam::*:user/svc/${aws:username}";

impl Planting<'_> {
    pub(super) fn escalations(&mut self) -> io::Result<()> {
        let (runner, storefront) = (self.estate.prod.role_arn("migration-runner"), self.estate.prod.role_arn("app-storefront"));
        let sandbox = self.estate.dev.role_arn("sandbox-runner");
        let run_task = || allow(&["ecs:RegisterTaskDefinition", "ecs:RunTask"], "*");
        for (user, policies) in [
            ("svc-inventory", vec![("note-own-policy", allow(&["iam:PutUserPolicy"], ITSELF))]),
            ("svc-quarterly", vec![("pass-runner", allow(&["iam:PassRole"], &runner)), ("run-report", run_task())]),
            ("svc-backup-prod", vec![("rotate-own-key", allow(&["iam:CreateAccessKey", "iam:DeleteAccessKey"], ITSELF))]),
            ("svc-ci-mobile", vec![("pass-storefront", allow(&["iam:PassRole"], &storefront)), ("run-preview", run_task())]),
        ] {
            self.prod(user)?.inline.extend(policies);
        }
        for (user, policies) in [
            (
                "svc-preview",
                vec![
                    ("pass-sandbox", allow(&["iam:PassRole"], &sandbox)),
                    ("run-builds", allow(&["codebuild:CreateProject", "codebuild:StartBuild"], "*")),
                ],
            ),
            ("svc-loadtest", vec![("edit-policies", allow_with_mfa(&["iam:CreatePolicyVersion"]))]),
            ("svc-seed-data", vec![("write-own", allow(&["iam:PutUserPolicy"], ITSELF)), ("no-iam", deny(&["iam:*"], "*"))]),
        ] {
            self.estate.dev.user_mut(user).ok_or_else(|| missing(user))?.inline.extend(policies);
        }
        let response = self.estate.prod.role_mut("incident-response").ok_or_else(|| missing("incident-response"))?;
        response.trust.push((Trustee::User("lorenzo.fabbrini".to_owned()), Spans::from(clock::days_before(MENDED))));
        self.escalation_answers();
        Ok(())
    }

    fn escalation_answers(&mut self) {
        let check = "privilege-escalation";
        for (system, login, state, why) in [
            (PROD, "svc-inventory", State::Open, "may write any policy into itself"),
            (
                PROD,
                "lorenzo.fabbrini",
                State::New,
                "since three days the role `incident-response`, which may do everything, trusts this user by name",
            ),
            (
                PROD,
                "svc-quarterly",
                State::Resolved,
                "could pass `migration-runner` to a task; the role lost every right three days before",
            ),
            (DEV, "svc-preview", State::Open, "two of its policies together run a build as `sandbox-runner`, which may do everything"),
        ] {
            let subject = self.on(system, login);
            self.find(check, subject, state, why);
        }
        let rewriter = self.on(DEV, "svc-loadtest");
        self.find_possible(check, rewriter, State::Open, "may rewrite a policy of its own group, but only with a second factor");
        let near = &mut self.answers;
        near.near(check, PROD, "svc-backup-prod", "makes keys for nobody but itself");
        near.near(check, PROD, "svc-ci-mobile", "may pass one role to a task, and that role only writes artifacts");
        near.near(check, DEV, "svc-seed-data", "may write a policy into itself, which another of its policies denies");
        near.near(check, PROD, "platform-operators", "may change what machines run, and no machine has a role that leads further");
        near.near(check, PROD, "svc-terraform", "may do everything already, which `admin-wildcard` says");
    }
}
