//! The records that say why access is there: requests, workloads, roles, reviews, the log of the provisioning workflow, certificates.
//!
//! All of them are made from the estate itself, so that in good order nothing is out of place; faults take entries away or add some.

use std::collections::{BTreeMap, BTreeSet};

use super::Estate;
use super::clock;
use super::csv_out::table;
use super::dice::share;
use super::life::Edge;
use super::people::{FOUNDED, Person};
use crate::model::Time;
use crate::model::time::{DAY, HOUR, SECOND};

/// Days before the last export from which on the requests and the workflow log speak.
pub const COVERED: i64 = 90;

/// One request as it stands at last; an export shows what of it had happened.
#[derive(Clone, Debug)]
pub struct Request {
    pub id: String,
    pub action: &'static str,
    pub beneficiary: String,
    pub system: String,
    /// Blank: the ticket names no right.
    pub entitlement: String,
    pub decision: &'static str,
    pub requested: Time,
    pub decided: Option<Time>,
    pub closed: Option<Time>,
    pub valid_to: Option<Time>,
}

/// One registered workload or agent.
#[derive(Clone, Debug)]
pub struct Workload {
    pub id: String,
    pub name: String,
    pub agent: bool,
    pub owner: String,
    pub login: String,
    pub aliases: Vec<String>,
    pub start: Time,
    /// Last day in service.
    pub retired: Option<i64>,
}

/// One right of one role, and to whom it is due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    pub role: String,
    pub unit: String,
    pub holder: String,
    pub system: &'static str,
    pub entitlement: String,
}

/// One step of the provisioning workflow.
#[derive(Clone, Debug)]
pub struct Step {
    pub person: String,
    pub event: &'static str,
    pub at: Time,
    pub system: &'static str,
    pub action: &'static str,
    pub mode: &'static str,
    pub failed: bool,
    pub retries: u32,
}

/// One certificate that the company's own authority issued.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub serial: String,
    pub subject: String,
    pub issued: Time,
    pub ends: Time,
    pub revoked: bool,
}

/// Everything of them.
#[derive(Debug, Default)]
pub struct Records {
    pub requests: Vec<Request>,
    pub workloads: Vec<Workload>,
    pub rights: Vec<Right>,
    pub steps: Vec<Step>,
    pub certificates: Vec<Certificate>,
    /// Edges (system, login, target) that no request and no role knows.
    pub unknown: BTreeSet<(String, String, String)>,
}

/// An edge of the estate with whoever holds it.
struct Held<'a> {
    system: &'static str,
    login: &'a str,
    edge: &'a Edge,
}

impl Estate {
    fn held(&self) -> Vec<Held<'_>> {
        fn of<'a>(system: &'static str, login: &'a str, edges: &'a [Edge]) -> impl Iterator<Item = Held<'a>> {
            edges.iter().map(move |edge| Held { system, login, edge })
        }
        let ad = self.ad.users.iter().flat_map(|u| of("corp-ad", &u.sam, &u.groups));
        let ldap = self.ldap.users.iter().flat_map(|u| of("unix-ldap", &u.uid, &u.groups));
        let cloud = [("aws-prod", &self.prod), ("aws-dev", &self.dev)];
        let cloud = cloud.into_iter().flat_map(|(system, account)| {
            account.users.iter().flat_map(move |u| of(system, &u.name, &u.groups).chain(of(system, &u.name, &u.policies)))
        });
        let crm = self.crm.users.iter().flat_map(|u| of("crm", &u.login, &u.roles));
        let okta = self.okta.users.iter().flat_map(|u| of("okta", &u.login, &u.groups).chain(of("okta", &u.login, &u.apps)));
        let vault = self.vault.entities.iter().flat_map(|e| of("vault", &e.login, &e.groups));
        ad.chain(ldap).chain(cloud).chain(crm).chain(okta).chain(vault).collect()
    }

    /// The person behind a login, by the systems' own spellings of it.
    fn person(&self, login: &str) -> Option<&Person> {
        self.people.iter().find(|p| p.login == login || p.email == login)
    }
}

/// The register of workloads: every service of every system, with an owner who stays.
pub fn workloads(estate: &Estate) -> Vec<Workload> {
    let owners: Vec<&Person> = estate
        .people
        .iter()
        .filter(|p| p.background && p.unit == "Platform" && p.start == FOUNDED && p.end.is_none() && p.leave.is_none())
        .collect();
    let owner = |name: &str| {
        let n = i64::try_from(owners.len()).unwrap_or(1).max(1);
        owners.get(usize::try_from(share("workload-owner", name, n)).unwrap_or(0)).map(|p| p.number.clone()).unwrap_or_default()
    };
    let mut by_name: BTreeMap<String, Workload> = BTreeMap::new();
    let mut add = |name: &str, login: &str, alias: Option<String>, created: Time| {
        let entry = by_name.entry(name.to_owned()).or_insert_with(|| Workload {
            id: String::new(),
            name: name.trim_start_matches("svc-").replace('-', " "),
            agent: name.contains("bot"),
            owner: owner(name),
            login: login.to_owned(),
            aliases: Vec::new(),
            start: created,
            retired: None,
        });
        entry.start = entry.start.min(created);
        entry.aliases.extend(alias);
    };
    for user in estate.ad.users.iter().filter(|u| matches!(u.class, super::ad::Class::Service | super::ad::Class::Managed)) {
        add(user.sam.trim_end_matches('$'), &user.sam, None, user.life.created);
    }
    for user in estate.ldap.users.iter().filter(|u| u.service) {
        add(&user.uid, &user.uid, None, user.life.created);
    }
    for account in [&estate.prod, &estate.dev] {
        for user in account.users.iter().filter(|u| u.path == "/svc/") {
            add(&user.name, &user.name, Some(account.user_arn(&user.name)), user.life.created);
        }
        for role in account.roles.iter().filter(|r| !r.path.starts_with("/aws-service-role/")) {
            add(&role.name, "", Some(account.role_arn(&role.name)), role.created);
        }
    }
    for user in estate.crm.users.iter().filter(|u| u.login.starts_with("svc-")) {
        add(&user.login, &user.login, None, user.life.created);
    }
    add("billing-app", "", Some("auth/approle/role/billing-app".to_owned()), clock::days_before(FOUNDED));
    let mut all: Vec<Workload> = by_name.into_values().collect();
    for (i, workload) in all.iter_mut().enumerate() {
        workload.id = format!("WL-{:04}", i + 1);
    }
    all
}

/// Requests, roles and workflow steps for everything that the estate holds and that `unknown` does not name.
pub fn complete(estate: &mut Estate) {
    let (requests, rights, steps) = (requests(estate), rights(estate), steps(estate));
    let records = &mut estate.records;
    let planted = std::mem::take(&mut records.requests);
    records.requests = requests;
    records.requests.extend(planted);
    records.requests.sort_by(|a, b| {
        (a.requested, &a.beneficiary, &a.system, &a.entitlement).cmp(&(b.requested, &b.beneficiary, &b.system, &b.entitlement))
    });
    for (n, request) in records.requests.iter_mut().enumerate().filter(|(_, r)| r.id.is_empty()) {
        request.id = format!("REQ-{}", 70_001 + n);
    }
    records.rights.extend(rights);
    records.rights.sort();
    records.rights.dedup();
    records.steps.extend(steps);
    records.steps.sort_by(|a, b| (a.at, &a.person, a.system).cmp(&(b.at, &b.person, b.system)));
}

/// For each edge that began while the requests are kept, the request that it rests on: asked two days before, approved the day before.
fn requests(estate: &Estate) -> Vec<Request> {
    let covered = clock::days_before(COVERED);
    let mut out = Vec::new();
    for held in estate.held() {
        if estate.records.is_unknown(&held) {
            continue;
        }
        let beneficiary = estate.person(held.login).map_or_else(|| held.login.to_owned(), |p| p.number.clone());
        let planted = |r: &Request| r.beneficiary == beneficiary && r.system == held.system && r.entitlement == held.edge.target;
        if estate.records.requests.iter().any(|r| r.action == "Add" && planted(r)) {
            continue;
        }
        for start in held.edge.spans.starts().filter(|s| *s >= covered && *s <= clock::end()) {
            out.push(Request {
                id: String::new(),
                action: "Add",
                beneficiary: beneficiary.clone(),
                system: held.system.to_owned(),
                entitlement: held.edge.target.clone(),
                decision: "Approved",
                requested: start.plus(-2 * DAY),
                decided: Some(start.plus(-DAY)),
                closed: Some(start.plus(HOUR)),
                valid_to: None,
            });
        }
    }
    out
}

/// The catalogue: what everybody of a unit holds is due to the unit, the rest to whom it was given.
fn rights(estate: &Estate) -> Vec<Right> {
    let mut holders: BTreeMap<(&'static str, String), BTreeSet<(&str, String)>> = BTreeMap::new();
    let mut moved = Vec::new();
    for held in estate.held().into_iter().filter(|h| !estate.records.is_unknown(h)) {
        if let Some(person) = estate.person(held.login) {
            let key = (held.system, held.edge.target.clone());
            holders.entry(key).or_default().insert((person.unit, person.number.clone()));
            // What somebody held before a move to the unit that is due it was given by name.
            if person.moved.is_some() {
                moved.push((held.system, held.edge.target.clone(), person.number.clone()));
            }
        }
    }
    let by_name = |(system, entitlement, holder): (&'static str, String, String)| Right {
        role: format!("{entitlement} by assignment"),
        unit: String::new(),
        holder,
        system,
        entitlement,
    };
    let administrators = estate.okta.users.iter().flat_map(|u| u.roles.iter().map(|r| ("okta", format!("role:{r}"), u.number.clone())));
    let mut out: Vec<Right> = moved.into_iter().chain(administrators).map(by_name).collect();
    for ((system, entitlement), all) in holders {
        let mut by_unit: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (unit, number) in all {
            by_unit.entry(unit).or_default().push(number);
        }
        for (unit, numbers) in by_unit {
            let right = |unit: &str, holder: &str, role: String| Right {
                role,
                unit: unit.to_owned(),
                holder: holder.to_owned(),
                system,
                entitlement: entitlement.clone(),
            };
            if numbers.len() >= 8 {
                out.push(right(unit, "", format!("{} basics", unit.to_lowercase())));
            } else {
                out.extend(numbers.iter().map(|n| right("", n, format!("{entitlement} by assignment"))));
            }
        }
    }
    out
}

/// Accounts made for who came and closed for who went: one step for each system.
fn steps(estate: &Estate) -> Vec<Step> {
    let covered = clock::days_before(COVERED);
    let mut out = Vec::new();
    for person in &estate.people {
        let access = person.access;
        let systems = [
            ("corp-ad", access.ad, &person.login),
            ("unix-ldap", access.ldap, &person.login),
            ("aws-prod", access.prod, &person.login),
            ("aws-dev", access.dev, &person.login),
            ("crm", access.crm, &person.email),
        ];
        for (system, _, login) in systems.into_iter().filter(|(_, has, _)| *has) {
            let chance = share("workflow", &format!("{system} {login}"), 100);
            let mode = match chance {
                0..=5 => "manual",
                6..=7 => "override",
                _ => "automatic",
            };
            let retries = if (8..=15).contains(&chance) { 1 + u32::try_from(chance % 3).unwrap_or(0) } else { 0 };
            let step = |event, action, at, failed| Step {
                person: person.number.clone(),
                event,
                at,
                system,
                action,
                mode,
                failed,
                retries: if failed { 3 } else { retries },
            };
            let came = clock::days_before(person.start).plus(6 * HOUR);
            if came >= covered && came < clock::end() {
                out.push(step("joiner", "Create", came, false));
            }
            if let Some(left) = person.left().filter(|left| *left >= covered && *left < clock::end()) {
                out.push(step("leaver", "Disable", left.plus(-HOUR), estate.works(system, login, clock::end())));
            }
        }
    }
    out
}

impl Estate {
    /// Whether the account is there and not disabled.
    fn works(&self, system: &str, login: &str, at: Time) -> bool {
        let life = match system {
            "corp-ad" => self.ad.user(login).map(|u| &u.life),
            "unix-ldap" => self.ldap.user(login).map(|u| &u.life),
            "aws-prod" => self.prod.user(login).map(|u| &u.life),
            "aws-dev" => self.dev.user(login).map(|u| &u.life),
            _ => self.crm.user(login).map(|u| &u.life),
        };
        life.is_some_and(|life| life.exists(at) && !life.is_disabled(at))
    }
}

impl Records {
    fn is_unknown(&self, held: &Held<'_>) -> bool {
        self.unknown.contains(&(held.system.to_owned(), held.login.to_owned(), held.edge.target.clone()))
    }

    /// A registered workload by the login that it was entered under.
    pub fn workload_mut(&mut self, login: &str) -> Option<&mut Workload> {
        self.workloads.iter_mut().find(|w| w.login == login || w.aliases.iter().any(|a| a.ends_with(&format!("/{login}"))))
    }

    /// `requests.csv` at one instant.
    pub fn requests_csv(&self, at: Time) -> String {
        let rows = self.requests.iter().filter(|r| r.requested <= at).map(|r| {
            let decided = r.decided.filter(|d| *d <= at);
            let closed = r.closed.filter(|c| *c <= at);
            vec![
                r.id.clone(),
                r.action.to_owned(),
                r.beneficiary.clone(),
                r.system.clone(),
                r.entitlement.clone(),
                if closed.is_some() { "Closed" } else { "Open" }.to_owned(),
                if decided.is_some() { r.decision } else { "Pending" }.to_owned(),
                if decided.is_some() { "mechthild.auer@corp.example" } else { "" }.to_owned(),
                seconds(r.requested),
                decided.map(seconds).unwrap_or_default(),
                closed.map(seconds).unwrap_or_default(),
                r.valid_to.map(seconds).unwrap_or_default(),
            ]
        });
        let header = "request,type,requested_for,system,entitlement,status,approval,approver,requested_at,approved_at,closed_at,valid_to";
        table(header, rows)
    }

    /// `workloads.csv` at one instant.
    pub fn workloads_csv(&self, at: Time) -> String {
        let rows = self.workloads.iter().filter(|w| w.start <= at).map(|w| {
            let retired = w.retired.filter(|day| clock::days_before(*day - 1) <= at);
            vec![
                w.id.clone(),
                w.name.clone(),
                if w.agent { "Agent" } else { "Service" }.to_owned(),
                w.owner.clone(),
                if retired.is_some() { "Retired" } else { "Live" }.to_owned(),
                w.login.clone(),
                w.aliases.join("; "),
                w.start.date(),
                w.retired.map(|day| clock::days_before(day).date()).unwrap_or_default(),
            ]
        });
        table("workload_id,workload_name,kind,owner,status,service_account,aliases,start,retired_on", rows)
    }

    /// `roles.csv`; the catalogue does not change.
    pub fn roles_csv(&self) -> String {
        let rows =
            self.rights.iter().map(|r| vec![r.role.clone(), r.unit.clone(), r.holder.clone(), r.system.to_owned(), r.entitlement.clone()]);
        table("role,org_unit,holder,system,entitlement", rows)
    }

    /// `workflow.csv` at one instant.
    pub fn workflow_csv(&self, at: Time) -> String {
        let rows = self.steps.iter().filter(|s| s.at <= at).enumerate().map(|(n, s)| {
            vec![
                format!("WF-{:05}", n + 1),
                s.person.clone(),
                s.event.to_owned(),
                seconds(s.at),
                s.system.to_owned(),
                s.action.to_owned(),
                "idm".to_owned(),
                if s.mode == "automatic" { format!("{}-v3", s.event) } else { String::new() },
                s.mode.to_owned(),
                if s.failed { "failed" } else { "ok" }.to_owned(),
                s.retries.to_string(),
                seconds(s.at.plus(60 * SECOND)),
                if s.failed { String::new() } else { seconds(s.at.plus(SECOND * (90 + 240 * i64::from(s.retries)))) },
            ]
        });
        let header = "entry,employee_number,event,event_at,system,action,deciding_system,rule,mode,outcome,retries,decided_at,enforced_at";
        table(header, rows)
    }

    /// `certificates.csv` at one instant.
    pub fn certificates_csv(&self, at: Time) -> String {
        let rows = self.certificates.iter().filter(|c| c.issued <= at).map(|c| {
            vec![
                c.serial.clone(),
                c.subject.clone(),
                if c.revoked { "revoked" } else { "valid" }.to_owned(),
                seconds(c.issued),
                seconds(c.ends),
            ]
        });
        table("serial,subject,status,issued,ends", rows)
    }
}

/// Reviews of the exceptions at one instant.
pub fn reviews_csv(at: Time) -> String {
    let rows = [("EX-002", 30i64, "Keep"), ("EX-004", 10, "Keep"), ("EX-009", 3, "Keep")];
    let rows = rows.into_iter().filter(|(_, day, _)| clock::noon(*day) <= at).map(|(exception, day, decision)| {
        vec![exception.to_owned(), "mechthild.auer@corp.example".to_owned(), decision.to_owned(), seconds(clock::noon(day))]
    });
    table("exception,reviewer,decision,reviewed_at", rows)
}

fn seconds(at: Time) -> String {
    at.plus(-(at.micros().rem_euclid(SECOND))).to_string()
}
