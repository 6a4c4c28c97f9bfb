//! Faults about keys, policies, trusts and sources.

use std::io;

use serde_json::Value;

use super::{CRM, DEV, LDAP, MENDED, MENDED_ONCE, PROD, Planting, between, day, missing};
use crate::demo::answers::{State, Subject};
use crate::demo::aws::{Key, Policy, Trustee, allow, everything, everything_with_mfa, machine};
use crate::demo::life::{Edge, Habit, Spans};
use crate::demo::{clock, openldap};
use crate::model::Time;

impl Planting<'_> {
    pub(super) fn key(&self, system: &str, login: &str, slot: usize) -> io::Result<Subject> {
        let account = self.account(system);
        // Keys are known by their ids where they were listed, else by their place in the report.
        let id = if system == PROD {
            account.last_key_id(login, slot).ok_or_else(|| missing(login))?
        } else {
            format!("#access_key_{}", slot + 1)
        };
        Ok(self.credential(system, login, &id))
    }

    pub(super) fn machine(&mut self, name: &str, key: Key) {
        let mut user = machine(name);
        user.life.created = user.life.created.min(key.created);
        user.keys = vec![key];
        self.estate.prod.users.push(user);
    }

    pub(super) fn stale_keys(&mut self) -> io::Result<()> {
        self.machine("svc-ci-packages", Key::left(day(200)));
        self.machine("svc-metrics", Key::left(day(93)));
        self.machine("svc-artifacts", Key { renewed: Some(clock::days_before(MENDED)), ..Key::left(day(150)) });
        self.machine("svc-legacy-batch", Key::left(day(220)));
        self.machine("svc-cost-export", Key::left(day(180)));
        self.machine("svc-dr-test", Key { habit: Habit::Until(day(210)), ..Key::left(day(240)) });
        self.prod("lorenzo.fabbrini")?.keys = vec![Key::left(day(130))];
        self.prod("svc-backup-prod")?.keys = vec![Key::left(day(88))];
        self.prod("svc-inventory")?.keys.push(Key { inactive: Spans::from(day(250)), ..Key::left(day(300)) });
        self.estate.dev.user_mut("svc-dev-sandbox").ok_or_else(|| missing("svc-dev-sandbox"))?.keys = vec![Key::left(day(170))];
        let check = "stale-key";
        for (system, login, state, why) in [
            (PROD, "svc-ci-packages", State::Open, "made 200 days before and used every day"),
            (PROD, "lorenzo.fabbrini", State::Open, "a person's key, made 130 days before"),
            (PROD, "svc-metrics", State::New, "made 93 days before: the limit was passed since the export before"),
            (PROD, "svc-legacy-batch", State::Excepted, "made 220 days before; EX-001 accepts it"),
            (PROD, "svc-cost-export", State::Open, "made 180 days before; EX-005 is void: its approver gains by it"),
            (PROD, "svc-dr-test", State::Open, "made 240 days before"),
            (
                DEV,
                "svc-dev-sandbox",
                State::Unverified,
                "made 170 days before; the last credential report was not ready, so nothing says that it is gone",
            ),
        ] {
            let subject = self.key(system, login, 0)?;
            self.find(check, subject, state, why);
        }
        self.renewed_key(check)?;
        let near = &mut self.answers;
        near.near(check, PROD, "svc-backup-prod", "made 88 days before");
        near.near(check, PROD, "svc-inventory second key", "made 300 days before, and inactive");
        Ok(())
    }

    /// The old key is the one that was found; the new one has another id.
    pub(super) fn renewed_key(&mut self, check: &'static str) -> io::Result<()> {
        let login = "svc-artifacts";
        let old = self.estate.prod.key_id(login, 0, clock::days_before(7)).ok_or_else(|| missing(login))?;
        let subject = self.credential(PROD, login, &old);
        self.find(check, subject, State::Resolved, "made 150 days before, replaced three days before the last export");
        Ok(())
    }

    pub(super) fn unused_keys(&mut self) -> io::Result<()> {
        self.machine("svc-probe", Key { habit: Habit::Until(day(62)), ..Key::left(day(85)) });
        self.prod("giulia.ferrante")?.keys = vec![Key { habit: Habit::Never, ..Key::left(day(80)) }];
        let fresh = self.prod("svc-newrelay")?;
        fresh.life.created = day(20);
        fresh.groups = vec![Edge::from("pipelines", day(20))];
        fresh.keys = vec![Key { habit: Habit::Never, ..Key::left(day(20)) }];
        self.prod("svc-quarterly")?.keys = vec![Key { habit: Habit::Until(day(40)), ..Key::left(day(80)) }];
        let check = "unused-key";
        for (login, state, why) in [
            ("giulia.ferrante", State::Open, "made 80 days before and never used"),
            ("svc-probe", State::Excepted, "last used 62 days before; EX-004, dated back and entered now, accepts it from now on"),
            ("svc-dr-test", State::Open, "last used 210 days before"),
        ] {
            let subject = self.key(PROD, login, 0)?;
            self.find(check, subject, state, why);
        }
        let idle = self.on(PROD, "svc-dr-test");
        self.find("dormant-account", idle, State::Open, "its only key was last used 210 days before");
        let near = &mut self.answers;
        near.near(check, PROD, "svc-newrelay", "never used, and only 20 days old");
        near.near(check, PROD, "svc-quarterly", "last used 40 days before");
        Ok(())
    }

    /// A lock of the password policy keeps passwords out, and lets keys in.
    pub(super) fn locked_keys(&mut self) -> io::Result<()> {
        self.ldap("agnes.tothfalu")?.ssh_key = true;
        let goran = self.ldap("goran.petkovar")?;
        let left = goran.life.removed.unwrap_or(day(30));
        goran.life.removed = None;
        goran.life.disabled = Spans::from(left);
        goran.ssh_key = true;
        let mirror = self.ldap("svc-gitmirror")?;
        mirror.life.disabled = Spans::from(day(50));
        mirror.ssh_key = true;
        let check = "disabled-account-live-credential";
        for (login, why) in [
            ("agnes.tothfalu", "locked for a leave; the key in the entry still opens every server"),
            ("goran.petkovar", "locked when he left; the key in the entry still opens every server"),
            ("svc-gitmirror", "locked 50 days before; the key in the entry still opens every server"),
        ] {
            let subject = self.ssh_key(login);
            self.find(check, subject, State::Open, why);
        }
        let key = self.ssh_key("goran.petkovar");
        self.find("leaver-live-credential", key, State::Open, "left 30 days before; the key in the locked entry was not removed");
        self.answers.near(check, PROD, "svc-ci-web", "has no console password, which does not make a disabled user of it");
        Ok(())
    }

    pub(super) fn ssh_key(&self, login: &str) -> Subject {
        self.credential(LDAP, login, &format!("#ssh/{}", self.estate.ldap.ssh_fingerprint(login)))
    }

    pub(super) fn wildcards(&mut self) -> io::Result<()> {
        let always = Spans::from(day(200));
        let (until_mended, twice) = (
            Spans::never().and(day(120), clock::days_before(MENDED)),
            Spans::never().and(day(200), clock::days_before(MENDED_ONCE)).and(clock::days_before(MENDED), clock::days_before(-365)),
        );
        for (name, vendor, document) in own_policies() {
            self.estate.prod.policies.push(Policy { name, vendor, document });
        }
        self.machine("svc-terraform", Key::rotated(day(210), 60));
        self.machine("svc-deploy-hotfix", Key::rotated(day(205), 55));
        self.prod("svc-terraform")?.inline.push(("terraform-all", everything()));
        self.prod("svc-deploy-hotfix")?.policies.push(Edge::during("break-glass-all", twice));
        self.prod("svc-ci-web")?.boundary = Some("org-boundary");
        self.prod("svc-backup-prod")?.policies.push(Edge::during("storage-everything", always.clone()));
        let prod = &mut self.estate.prod;
        let mut attach = |role: &str, policy: &str, spans: Spans| {
            prod.role_mut(role).map(|role| role.policies.push(Edge::during(policy, spans))).ok_or_else(|| missing(role))
        };
        attach("incident-response", "break-glass-all", always.clone())?;
        attach("migration-runner", "break-glass-all", until_mended)?;
        attach("peer-audit", "AdministratorAccess", always.clone())?;
        let group = prod.group_mut("incident-commanders").ok_or_else(|| missing("incident-commanders"))?;
        group.policies.push(Edge::during("admin-with-mfa", always));
        let sandbox = self.estate.dev.role_mut("sandbox-runner").ok_or_else(|| missing("sandbox-runner"))?;
        sandbox.inline.push(("temporary-admin", everything()));
        self.wildcard_answers();
        Ok(())
    }

    pub(super) fn wildcard_answers(&mut self) {
        let (prod, dev) = (&self.estate.prod, &self.estate.dev);
        let (breaker, mfa) = (prod.policy_arn("break-glass-all"), prod.policy_arn("admin-with-mfa"));
        let (terraform, hotfix) = (prod.user_arn("svc-terraform"), prod.user_arn("svc-deploy-hotfix"));
        let (response, runner) = (prod.role_arn("incident-response"), prod.role_arn("migration-runner"));
        let (commanders, sandbox) = (prod.group_arn("incident-commanders"), dev.role_arn("sandbox-runner"));
        let check = "admin-wildcard";
        let rows = [
            (
                PROD,
                ("incident-response", &response),
                ("break-glass-all", &breaker),
                State::Open,
                "a role that everybody in operations starts",
            ),
            (
                PROD,
                ("migration-runner", &runner),
                ("break-glass-all", &breaker),
                State::Resolved,
                "detached three days before the last export",
            ),
            (
                PROD,
                ("svc-deploy-hotfix", &hotfix),
                ("break-glass-all", &breaker),
                State::Reopened,
                "detached for one export, then attached again",
            ),
        ];
        for (system, from, to, state, why) in rows {
            self.find(check, between(system, (from.0, from.1), (to.0, to.1)), state, why);
        }
        for (system, from, arn, name, why) in [
            (PROD, "svc-terraform", &terraform, "terraform-all", "written into the user itself"),
            (DEV, "sandbox-runner", &sandbox, "temporary-admin", "written into the role itself"),
        ] {
            let policy = format!("{arn}#inline/{name}");
            self.find(check, between(system, (from, arn), (name, &policy)), State::Open, why);
        }
        let conditional = between(PROD, ("incident-commanders", &commanders), ("admin-with-mfa", &mfa));
        self.find_possible(check, conditional, State::Open, "everything, for whoever signed in with a second factor");
        let near = &mut self.answers;
        near.near(check, PROD, "svc-ci-web -> org-boundary", "allows everything as a boundary, which gives nothing");
        near.near(check, PROD, "unused-full-admin", "allows everything and is attached to nobody");
        near.near(check, PROD, "svc-backup-prod -> storage-everything", "everything of one service");
        near.near(check, PROD, "peer-audit -> AdministratorAccess", "the vendor's own policy, which the check leaves out unless asked");
        near.near(check, PROD, "platform-operators -> deny-outside-europe", "names nearly everything in order to forbid it");
    }

    pub(super) fn dangling(&mut self) -> io::Result<()> {
        let ever = Spans::from(day(250));
        let export = self.estate.prod.role_mut("data-export").ok_or_else(|| missing("data-export"))?;
        export.trust.push((Trustee::User("nils.aabye".to_owned()), ever.clone()));
        let sync = self.estate.dev.role_mut("partner-sync").ok_or_else(|| missing("partner-sync"))?;
        sync.trust.push((Trustee::DeadRole("partner-sync-v1"), ever.clone()));
        let until_mended = Spans::never().and(day(250), clock::days_before(MENDED));
        for (group, uid, spans) in [
            ("release-managers", "ondrej.vlcek", ever.clone()),
            ("docker", "tmpbuild", ever),
            ("git-users", "lea.praktikantin", until_mended),
        ] {
            let group = self.estate.ldap.group_mut(group).ok_or_else(|| missing(group))?;
            group.stale.push(Edge::during(uid, spans));
        }
        self.dangling_answers();
        Ok(())
    }

    pub(super) fn dangling_answers(&mut self) {
        let check = "dangling-grant";
        let (prod, dev) = (&self.estate.prod, &self.estate.dev);
        let (user, role) = (prod.unique_id("AIDA", "nils.aabye"), dev.unique_id("AROA", "partner-sync-v1"));
        let (export, sync) = (prod.role_arn("data-export"), dev.role_arn("partner-sync"));
        self.find(check, between(PROD, (&user, &user), ("data-export", &export)), State::Open, "the trusted user was deleted when he left");
        self.find(check, between(DEV, (&role, &role), ("partner-sync", &sync)), State::Open, "the trusted role was deleted");
        for (group, shown, member, state, why) in [
            (
                "release-managers",
                "ondrej.vlcek",
                openldap::person_dn("ondrej.vlcek"),
                State::Open,
                "the entry was deleted 110 days before, its membership was not",
            ),
            ("docker", "tmpbuild", "tmpbuild".to_owned(), State::Open, "no account has this name"),
            (
                "git-users",
                "lea.praktikantin",
                openldap::person_dn("lea.praktikantin"),
                State::Resolved,
                "taken out three days before the last export",
            ),
        ] {
            let id = self.estate.ldap.group_id(group);
            self.find_possible(check, between(LDAP, (shown, &member), (group, &id)), state, why);
        }
        let near = &mut self.answers;
        near.near(check, PROD, "partner-metrics", "trusts a role of somebody else's account, of which this export cannot know");
        near.near(check, PROD, "peer-audit", "trusts another account as a whole");
    }

    /// The last credential report of one account was not waited for; the application lost old lines for a good reason.
    pub(super) fn sources(&mut self) {
        self.estate.dev.report_unready = Spans::from(clock::end());
        let subject = Subject { system: DEV.to_owned(), shown: DEV.to_owned(), native_id: DEV.to_owned(), account: None };
        self.find("source-incomplete", subject, State::New, "the last credential report was still in progress");
        let purge = clock::days_before(2);
        let mut gone: Vec<(Time, String)> = self
            .estate
            .people
            .iter()
            .filter(|person| person.background && person.access.crm && person.rehired.is_none())
            .filter_map(|person| person.left().filter(|left| *left < purge).map(|left| (left, person.email.clone())))
            .collect();
        gone.sort();
        // The oldest lines first, and well below the tenth from which on the file would count as short.
        gone.truncate(self.estate.crm.users.len() * 6 / 100);
        for (_, login) in gone {
            if let Some(user) = self.estate.crm.user_mut(&login) {
                user.life.removed = Some(purge);
            }
        }
        self.answers.near("source-incomplete", CRM, CRM, "inactive lines were purged two days before: fewer rows, less than a tenth");
    }
}

/// Policies that faults and near misses need: name, written by AWS, document.
fn own_policies() -> Vec<(&'static str, bool, Value)> {
    vec![
        ("break-glass-all", false, everything()),
        ("org-boundary", false, everything()),
        ("unused-full-admin", false, everything()),
        ("admin-with-mfa", false, everything_with_mfa()),
        ("storage-everything", false, allow(&["s3:*"], "*")),
        ("AdministratorAccess", true, everything()),
    ]
}
