//! The planted faults and near misses, check by check, each with the answer that is due for it.

mod access;
mod drift;
mod people;
mod records;

use std::io;

use super::answers::{Answer, Answers, State, Subject};
use super::aws::{Account, User};
use super::life::{Life, Spans, targets};
use super::{Estate, ad, app, clock, openldap};
use crate::model::Time;

const AD: &str = "corp-ad";
const LDAP: &str = "unix-ldap";
const PROD: &str = "aws-prod";
const DEV: &str = "aws-dev";
const CRM: &str = "crm";
const OKTA: &str = "okta";

/// Three days before the last export: what is set right then was wrong in the export before.
const MENDED: i64 = 3;
/// Ten days before: what is set right then and undone at [`MENDED`] is right in one export only.
const MENDED_ONCE: i64 = 10;

/// Plants everything and says what should be found.
///
/// # Errors
/// A table below names something that the estate does not hold.
pub fn plant(estate: &mut Estate) -> io::Result<Answers> {
    let mut planting = Planting { estate, answers: Answers::default() };
    planting.ghosts()?;
    planting.quiet_leavers()?;
    planting.leaves()?;
    planting.unremoved()?;
    planting.orphans();
    planting.without_account();
    planting.disputed()?;
    planting.dormant()?;
    planting.stale_keys()?;
    planting.unused_keys()?;
    planting.locked_keys()?;
    planting.wildcards()?;
    planting.dangling()?;
    planting.sources();
    planting.identity_provider()?;
    planting.drift()?;
    planting.registers()?;
    Ok(planting.answers)
}

struct Planting<'a> {
    estate: &'a mut Estate,
    answers: Answers,
}

fn missing(what: &str) -> io::Error {
    io::Error::other(format!("the demo plants a fault on `{what}`, which its estate does not hold"))
}

/// The account stays as it was before its owner left.
fn keep(life: &mut Life) {
    life.disabled = Spans::never();
    life.removed = None;
}

/// Disabled or gone for one export only, from [`MENDED_ONCE`] to [`MENDED`].
fn for_one_week() -> Spans {
    Spans::never().and(clock::days_before(MENDED_ONCE), clock::days_before(MENDED))
}

fn day(days: i64) -> Time {
    clock::noon(days)
}

impl Planting<'_> {
    fn ad(&mut self, sam: &str) -> io::Result<&mut ad::User> {
        self.estate.ad.user_mut(sam).ok_or_else(|| missing(sam))
    }

    fn ldap(&mut self, uid: &str) -> io::Result<&mut openldap::User> {
        self.estate.ldap.user_mut(uid).ok_or_else(|| missing(uid))
    }

    fn prod(&mut self, name: &str) -> io::Result<&mut User> {
        self.estate.prod.user_mut(name).ok_or_else(|| missing(name))
    }

    fn crm(&mut self, login: &str) -> io::Result<&mut app::User> {
        self.estate.crm.user_mut(login).ok_or_else(|| missing(login))
    }

    fn account(&self, system: &str) -> &Account {
        if system == DEV { &self.estate.dev } else { &self.estate.prod }
    }

    /// Native id of an account.
    fn native(&self, system: &str, login: &str) -> String {
        match system {
            AD => self.estate.ad.user_id(login),
            LDAP => self.estate.ldap.user_id(login),
            CRM => login.to_owned(),
            OKTA => self.estate.okta.user_id(login),
            _ => self.account(system).user_arn(login),
        }
    }

    /// Native id of a group, role or entitlement that an account holds.
    fn target(&self, system: &str, name: &str) -> String {
        match system {
            AD => self.estate.ad.group_id(name),
            LDAP => self.estate.ldap.group_id(name),
            CRM => name.to_owned(),
            OKTA => self.estate.okta.target_id(name),
            _ => self.account(system).group_arn(name),
        }
    }

    fn find(&mut self, check: &'static str, subject: Subject, state: State, why: &str) {
        self.answers.findings.push(Answer { check, subject, certain: true, state, why: why.to_owned() });
    }

    /// True for some candidates only, or where the export does not say enough.
    fn find_possible(&mut self, check: &'static str, subject: Subject, state: State, why: &str) {
        self.answers.findings.push(Answer { check, subject, certain: false, state, why: why.to_owned() });
    }

    fn on(&self, system: &str, login: &str) -> Subject {
        let native_id = self.native(system, login);
        Subject { system: system.to_owned(), shown: login.to_owned(), native_id, account: None }
    }

    /// A credential of an account. `tail` follows the account's id, unless it is a whole id of its own.
    fn credential(&self, system: &str, login: &str, tail: &str) -> Subject {
        let account = self.native(system, login);
        let native_id = if tail.starts_with('#') { format!("{account}{tail}") } else { tail.to_owned() };
        Subject { system: system.to_owned(), shown: format!("{login} {}", tail.trim_start_matches('#')), native_id, account: Some(account) }
    }

    fn password(&self, system: &str, login: &str) -> Subject {
        self.credential(system, login, "#password")
    }

    fn edge(&self, system: &str, login: &str, name: &str) -> Subject {
        let (principal, target) = (self.native(system, login), self.target(system, name));
        between(system, (login, &principal), (name, &target))
    }

    /// The own edges that an account holds at `at`, by name.
    fn edges(&self, system: &str, login: &str, at: Time) -> Vec<String> {
        let edges = match system {
            AD => self.estate.ad.user(login).map(|user| &user.groups),
            LDAP => self.estate.ldap.user(login).map(|user| &user.groups),
            CRM => self.estate.crm.user(login).map(|user| &user.roles),
            OKTA => self.estate.okta.user(login).map(|user| &user.groups),
            _ => self.account(system).user(login).map(|user| &user.groups),
        };
        edges.map(|edges| targets(edges, at).map(str::to_owned).collect()).unwrap_or_default()
    }

    /// One answer for each edge that was held a week ago, when every planted edge was.
    fn unremoved_edges(&mut self, system: &str, login: &str, certain: bool, state: State, why: &str) {
        for name in self.edges(system, login, clock::days_before(MENDED + 1).max(day(4))) {
            let subject = self.edge(system, login, &name);
            let check = "leaver-access-unremoved";
            if certain { self.find(check, subject, state, why) } else { self.find_possible(check, subject, state, why) }
        }
    }
}

/// An edge from one thing to another, each as shown and as named.
fn between(system: &str, from: (&str, &str), to: (&str, &str)) -> Subject {
    Subject {
        system: system.to_owned(),
        shown: format!("{} -> {}", from.0, to.0),
        native_id: format!("{} -> {}", from.1, to.1),
        account: Some(from.1.to_owned()),
    }
}
