//! The identity provider: what Okta's management API answers about the people of three units and what they sign in to.

use serde_json::{Value, json};

use super::clock;
use super::dice::letters;
use super::life::{Edge, Life, targets};
use super::people::{FOUNDED, Person};
use crate::model::Time;
use crate::model::time::{DAY, HOUR};

const IDS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// Units whose people sign in here.
const UNITS: [&str; 3] = ["Sales", "Support", "Platform"];
/// Name, units whose members are in it.
const GROUPS: &[(&str, &[&str])] = &[("sales", &["Sales"]), ("support", &["Support"]), ("platform", &["Platform"]), ("travel", &[])];
/// Label, groups that it is assigned to.
const APPS: &[(&str, &[&str])] = &[
    ("Expense Reports", &["sales", "support", "platform"]),
    ("Ticket Desk", &["support"]),
    ("Offer Builder", &["sales"]),
    ("Status Page", &[]),
];

#[derive(Clone, Debug)]
pub struct User {
    pub login: String,
    pub given: &'static str,
    pub family: &'static str,
    pub number: String,
    pub unit: &'static str,
    pub life: Life,
    /// By the last day: what is not disabled for a leave is deprovisioned.
    pub left: Option<Time>,
    pub groups: Vec<Edge>,
    /// Apps assigned to the user, not to a group.
    pub apps: Vec<Edge>,
    pub roles: Vec<&'static str>,
}

/// An API token and how many days before the last export it was used last.
#[derive(Clone, Debug)]
pub struct Token {
    pub name: &'static str,
    pub login: String,
    pub created: i64,
    pub used: i64,
}

/// The organisation.
#[derive(Debug)]
pub struct Organisation {
    seed: u64,
    pub users: Vec<User>,
    pub tokens: Vec<Token>,
}

impl Organisation {
    /// The organisation in good order.
    pub fn new(seed: u64, staff: &[Person]) -> Self {
        let of_unit = |p: &&Person| UNITS.contains(&p.unit) && p.rehired.is_none() && (p.background || p.login == "leila.mansourian");
        let mut users: Vec<User> = staff.iter().filter(of_unit).map(of_person).collect();
        // Two administrators, and whoever writes the status page.
        let mut stay =
            users.iter_mut().filter(|u| u.unit == "Platform" && u.left.is_none() && u.life.disabled == super::life::Spans::never());
        for role in ["SUPER_ADMIN", "USER_ADMIN"] {
            if let Some(user) = stay.next() {
                user.roles.push(role);
            }
        }
        if let Some(user) = stay.next() {
            let created = user.life.created;
            user.apps.push(Edge::from("Status Page", created));
        }
        let token = users.iter().find(|u| u.roles.contains(&"SUPER_ADMIN")).map(|u| Token {
            name: "directory export",
            login: u.login.clone(),
            created: 60,
            used: 1,
        });
        Self { seed, users, tokens: token.into_iter().collect() }
    }

    pub fn user(&self, login: &str) -> Option<&User> {
        self.users.iter().find(|u| u.login == login)
    }

    pub fn user_mut(&mut self, login: &str) -> Option<&mut User> {
        self.users.iter_mut().find(|u| u.login == login)
    }

    fn id(&self, kind: &str, name: &str) -> String {
        format!("{kind}{}", letters(self.seed, "okta", &format!("{kind}/{name}"), IDS, 17))
    }

    pub fn user_id(&self, login: &str) -> String {
        self.id("00u", login)
    }

    /// The id of a group, or of an app.
    pub fn target_id(&self, name: &str) -> String {
        if GROUPS.iter().any(|(g, _)| *g == name) { self.id("00g", name) } else { self.id("0oa", name) }
    }

    /// The answers of one export, by file name.
    pub fn export(&self, at: Time) -> Vec<(String, String)> {
        let present: Vec<&User> = self.users.iter().filter(|u| u.life.exists(at)).collect();
        let (gone, here): (Vec<&User>, Vec<&User>) = present.into_iter().partition(|u| u.status(at) == "DEPROVISIONED");
        let list = |users: &[&User]| Value::Array(users.iter().map(|u| self.user_json(u, at)).collect());
        let mut files = vec![
            ("users.1.json".to_owned(), list(&here)),
            ("users.deprovisioned.1.json".to_owned(), list(&gone)),
            ("groups.1.json".to_owned(), GROUPS.iter().map(|(name, _)| self.group_json(name)).collect()),
            ("apps.1.json".to_owned(), APPS.iter().map(|(label, _)| self.app_json(label)).collect()),
            (
                "api-tokens.1.json".to_owned(),
                self.tokens.iter().filter(|t| clock::noon(t.created) <= at).map(|t| self.token_json(t, at)).collect(),
            ),
        ];
        for (name, _) in GROUPS {
            let members: Vec<&User> = here.iter().copied().filter(|u| targets(&u.groups, at).any(|g| g == *name)).collect();
            files.push((format!("group-{}.users.1.json", self.id("00g", name)), list(&members)));
        }
        for (label, groups) in APPS {
            let id = self.id("0oa", label);
            let assigned: Value = here.iter().filter_map(|u| self.assignment(u, label, groups, at)).collect();
            files.push((format!("app-{id}.users.1.json"), assigned));
            let made = millis(clock::days_before(FOUNDED));
            let groups = groups.iter().map(|g| json!({ "id": self.id("00g", g), "lastUpdated": made, "priority": 0, "profile": {} }));
            files.push((format!("app-{id}.groups.1.json"), groups.collect()));
        }
        for user in here.iter().filter(|u| !u.roles.is_empty()) {
            let role = |r: &&str| {
                let (id, made) = (self.id("ra1", r), millis(user.life.created));
                json!({ "id": id, "label": r, "type": r, "status": "ACTIVE", "created": made, "lastUpdated": made, "assignmentType": "USER" })
            };
            files.push((format!("user-{}.roles.1.json", self.user_id(&user.login)), user.roles.iter().map(role).collect()));
        }
        files.into_iter().map(|(name, value)| (name, format!("{value:#}\n"))).collect()
    }

    /// An app user: assigned by hand, else by the first group that has the app.
    fn assignment(&self, user: &User, label: &str, groups: &[&str], at: Time) -> Option<Value> {
        let direct = targets(&user.apps, at).any(|a| a == label);
        let by_group = targets(&user.groups, at).any(|g| groups.contains(&g));
        (direct || by_group).then(|| {
            json!({
                "id": self.user_id(&user.login), "scope": if direct { "USER" } else { "GROUP" }, "status": "ACTIVE", "syncState": "DISABLED",
                "created": millis(user.life.created), "lastUpdated": millis(user.life.created), "statusChanged": millis(user.life.created),
                "credentials": { "userName": user.login }, "profile": {},
            })
        })
    }

    fn user_json(&self, user: &User, at: Time) -> Value {
        let status = user.status(at);
        let changed = user.life.disabled.since(at).unwrap_or(user.life.created);
        json!({
            "id": self.user_id(&user.login), "status": status, "created": millis(user.life.created), "activated": millis(user.life.created),
            "statusChanged": millis(changed), "lastLogin": user.life.last_use(at, &user.login).map(millis), "lastUpdated": millis(changed),
            "passwordChanged": millis(user.life.created), "type": { "id": self.id("oty", "default") },
            "profile": {
                "firstName": user.given, "lastName": user.family, "login": user.login, "email": user.login,
                "employeeNumber": user.number, "department": user.unit,
            },
            "credentials": { "password": {}, "provider": { "type": "OKTA", "name": "OKTA" } },
        })
    }

    fn group_json(&self, name: &str) -> Value {
        let made = millis(clock::days_before(FOUNDED));
        json!({
            "id": self.id("00g", name), "created": made, "lastUpdated": made, "lastMembershipUpdated": made, "objectClass": ["okta:user_group"],
            "type": "OKTA_GROUP", "profile": { "name": name, "description": Value::Null },
        })
    }

    fn app_json(&self, label: &str) -> Value {
        let made = millis(clock::days_before(FOUNDED));
        json!({
            "id": self.id("0oa", label), "name": "saml_app", "label": label, "status": "ACTIVE", "created": made, "lastUpdated": made,
            "signOnMode": "SAML_2_0",
        })
    }

    /// Each use moves the end of a token to a whole window after it.
    fn token_json(&self, token: &Token, at: Time) -> Value {
        let used = clock::noon(token.used).min(at.plus(-HOUR)).max(clock::noon(token.created));
        json!({
            "id": self.id("00T", token.name), "name": token.name, "userId": self.user_id(&token.login), "clientName": "Okta API", "tokenWindow": "P30D",
            "network": { "connection": "ANYWHERE" }, "expiresAt": millis(used.plus(30 * DAY)), "created": millis(clock::noon(token.created)),
            "lastUpdated": millis(clock::noon(token.created)),
        })
    }

    pub fn token_id(&self, name: &str) -> String {
        self.id("00T", name)
    }
}

impl User {
    fn status(&self, at: Time) -> &'static str {
        match (self.life.is_disabled(at), self.left) {
            (true, Some(left)) if left <= at => "DEPROVISIONED",
            (true, _) => "SUSPENDED",
            (false, _) => "ACTIVE",
        }
    }
}

fn of_person(person: &Person) -> User {
    let life = person.tidy_life();
    let held = person.tidy_spans();
    let groups =
        GROUPS.iter().filter(|(_, units)| units.contains(&person.unit)).map(|(name, _)| Edge::during(name, held.clone())).collect();
    User {
        login: person.email.clone(),
        given: person.given,
        family: person.family,
        number: person.number.clone(),
        unit: person.unit,
        left: person.left(),
        life,
        groups,
        apps: vec![],
        roles: vec![],
    }
}

/// Instants as the API writes them: `2026-11-22T00:00:00.000Z`.
fn millis(at: Time) -> String {
    let whole = at.plus(-at.micros().rem_euclid(1_000_000)).to_string();
    format!("{}.000Z", whole.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::people::staff;

    #[test]
    fn no_list_is_as_long_as_a_full_page() {
        let organisation = Organisation::new(1, &staff(1));
        for week in clock::weeks() {
            for (name, text) in organisation.export(week) {
                let rows = serde_json::from_str::<Value>(&text).unwrap().as_array().unwrap().len();
                assert!(rows < 200 && ![20, 50].contains(&rows), "{name}: {rows}");
            }
        }
    }
}
