//! The customer application: one CSV with an account on each line.

use super::clock;
use super::csv_out::table;
use super::dice::Dice;
use super::life::{Edge, Life, targets};
use super::people::{FOUNDED, Person};
use crate::model::Time;
use crate::model::time::{HOUR, SECOND};

#[derive(Clone, Debug)]
pub struct User {
    pub login: String,
    pub name: String,
    pub email: String,
    pub life: Life,
    pub roles: Vec<Edge>,
}

/// The application.
#[derive(Debug)]
pub struct App {
    pub users: Vec<User>,
}

const SERVICES: &[(&str, &str)] = &[("svc-dialer", "caller"), ("svc-webforms", "importer"), ("svc-invoicing", "exporter")];

impl App {
    /// The application in good order.
    pub fn new(seed: u64, staff: &[Person]) -> Self {
        let mut dice = Dice::new(seed, "crm");
        let mut users: Vec<User> = staff.iter().filter(|person| person.access.crm).map(|person| of_person(person, &mut dice)).collect();
        for (name, role) in SERVICES {
            let created = clock::noon(FOUNDED - 20);
            let mut user = blank(name, name, "", created);
            user.roles.push(Edge::from(role, created));
            users.push(user);
        }
        Self { users }
    }

    pub fn user(&self, login: &str) -> Option<&User> {
        self.users.iter().find(|user| user.login == login)
    }

    pub fn user_mut(&mut self, login: &str) -> Option<&mut User> {
        self.users.iter_mut().find(|user| user.login == login)
    }

    /// The export at one instant.
    pub fn export(&self, at: Time) -> String {
        let rows = self.users.iter().filter(|user| user.life.exists(at)).map(|user| {
            let used = user.life.last_use(at, &user.login);
            vec![
                user.login.clone(),
                user.name.clone(),
                user.email.clone(),
                targets(&user.roles, at).collect::<Vec<_>>().join(";"),
                if user.life.is_disabled(at) { "inactive" } else { "active" }.to_owned(),
                seconds(user.life.created),
                used.map(seconds).unwrap_or_default(),
            ]
        });
        table("login,name,email,roles,status,created_at,last_login", rows)
    }
}

/// The application knows no fractions of a second.
fn seconds(at: Time) -> String {
    at.plus(-(at.micros().rem_euclid(SECOND))).to_string()
}

/// A user without roles.
pub fn blank(login: &str, name: &str, email: &str, created: Time) -> User {
    User { login: login.to_owned(), name: name.to_owned(), email: email.to_owned(), life: Life::new(created), roles: vec![] }
}

/// A line is kept when its owner leaves, inactive and without roles.
fn of_person(person: &Person, dice: &mut Dice) -> User {
    let mut user = blank(&person.email, &person.name(), &person.email, clock::days_before(person.start).plus(9 * HOUR));
    user.life = Life { removed: None, ..person.tidy_life() };
    let held = person.tidy_spans();
    let role = match person.unit {
        "Sales" => "seller",
        "Support" => "agent",
        _ => "viewer",
    };
    user.roles.push(Edge::during(role, held.clone()));
    if dice.chance(12) {
        user.roles.push(Edge::during("exporter", held.clone()));
    }
    if dice.chance(4) && person.background {
        user.roles.push(Edge::during("administrator", held));
    }
    user
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::people::staff;

    #[test]
    fn who_has_left_is_inactive_and_has_no_role() {
        let people = staff(1);
        let app = App::new(1, &people);
        let gone = people.iter().find(|p| p.background && p.access.crm && p.end.is_some()).unwrap();
        let text = app.export(clock::end());
        let line = text.lines().find(|line| line.starts_with(&gone.email)).unwrap();
        assert!(line.contains(",,inactive,"), "{line}");
    }
}
