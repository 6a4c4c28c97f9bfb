//! Two AWS accounts: users, groups, roles and policies, and how they change.

mod background;
mod documents;
mod export;

use super::clock;
use super::dice::letters;
use super::life::{Edge, Habit, Life, Spans};
use crate::model::Time;
use crate::model::time::DAY;

pub use background::machine;
pub use documents::{Policy, allow, allow_with_mfa, deny, everything, everything_with_mfa};

/// Letters and digits of IAM's unique ids.
const IDS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// One account.
#[derive(Debug)]
pub struct Account {
    seed: u64,
    /// Its name in the demo: `prod`, `dev`.
    pub name: &'static str,
    pub number: &'static str,
    pub users: Vec<User>,
    pub groups: Vec<Group>,
    pub roles: Vec<Role>,
    pub policies: Vec<Policy>,
    /// When the credential report was asked for and not waited for.
    pub report_unready: Spans,
}

#[derive(Clone, Debug)]
pub struct User {
    pub name: String,
    pub path: &'static str,
    pub employee: Option<String>,
    pub life: Life,
    pub console: Option<Console>,
    /// At most two, as AWS allows.
    pub keys: Vec<Key>,
    pub groups: Vec<Edge>,
    pub policies: Vec<Edge>,
    pub inline: Vec<(&'static str, serde_json::Value)>,
    pub boundary: Option<&'static str>,
}

/// Sign-in with a password.
#[derive(Clone, Debug)]
pub struct Console {
    pub habit: Habit,
    pub mfa: bool,
    /// When it is switched off.
    pub off: Spans,
}

/// An access key and the keys that took its place.
#[derive(Clone, Debug)]
pub struct Key {
    pub created: Time,
    /// Days between rotations.
    pub every: Option<i64>,
    /// One rotation out of turn.
    pub renewed: Option<Time>,
    pub habit: Habit,
    pub inactive: Spans,
}

#[derive(Clone, Debug)]
pub struct Group {
    pub name: &'static str,
    pub policies: Vec<Edge>,
}

#[derive(Clone, Debug)]
pub struct Role {
    pub name: String,
    pub path: String,
    pub created: Time,
    pub trust: Vec<(Trustee, Spans)>,
    pub policies: Vec<Edge>,
    pub inline: Vec<(&'static str, serde_json::Value)>,
    /// Runs on machines through an instance profile.
    pub machines: bool,
}

/// Who may assume a role.
#[derive(Clone, Debug, PartialEq)]
pub enum Trustee {
    Service(&'static str),
    /// An identity provider of this account, by the tail of its ARN.
    Provider(&'static str),
    /// Another account as a whole.
    Root(&'static str),
    /// A principal of another account.
    Foreign(String),
    /// A user of this account: shown by ARN, and by unique id once deleted.
    User(String),
    /// A unique id of a role that no longer exists.
    DeadRole(&'static str),
}

impl Key {
    /// A key that is rotated every `every` days and used all the time.
    pub fn rotated(created: Time, every: i64) -> Self {
        Self { every: Some(every), ..Self::left(created) }
    }

    /// A key that nobody rotates, used all the time.
    pub fn left(created: Time) -> Self {
        Self { created, every: None, renewed: None, habit: Habit::Regular, inactive: Spans::never() }
    }

    /// When the key that exists at `at` was made; `None` before the first.
    pub fn made(&self, at: Time) -> Option<Time> {
        if at < self.created {
            return None;
        }
        let turn = self.every.map_or(0, |days| days * DAY);
        let turned = match turn {
            0 => self.created,
            turn => self.created.plus((at.micros() - self.created.micros()) / turn * turn),
        };
        Some(self.renewed.filter(|renewed| *renewed <= at).map_or(turned, |renewed| renewed.max(turned)))
    }

    pub fn is_active(&self, at: Time) -> bool {
        !self.inactive.holds(at)
    }
}

impl User {
    /// A user with nothing but a name.
    pub fn blank(name: &str, path: &'static str, created: Time) -> Self {
        Self {
            name: name.to_owned(),
            path,
            employee: None,
            life: Life::new(created),
            console: None,
            keys: vec![],
            groups: vec![],
            policies: vec![],
            inline: vec![],
            boundary: None,
        }
    }
}

impl Account {
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name)
    }

    pub fn user_mut(&mut self, name: &str) -> Option<&mut User> {
        self.users.iter_mut().find(|user| user.name == name)
    }

    pub fn group_mut(&mut self, name: &str) -> Option<&mut Group> {
        self.groups.iter_mut().find(|group| group.name == name)
    }

    pub fn role_mut(&mut self, name: &str) -> Option<&mut Role> {
        self.roles.iter_mut().find(|role| role.name == name)
    }

    /// ARN of a user; the root of the path for one that is not known.
    pub fn user_arn(&self, name: &str) -> String {
        let path = self.user(name).map_or("/", |user| user.path);
        format!("arn:aws:iam::{}:user{path}{name}", self.number)
    }

    pub fn group_arn(&self, name: &str) -> String {
        format!("arn:aws:iam::{}:group/{name}", self.number)
    }

    pub fn role_arn(&self, name: &str) -> String {
        let path = self.roles.iter().find(|role| role.name == name).map_or("/", |role| role.path.as_str());
        format!("arn:aws:iam::{}:role{path}{name}", self.number)
    }

    pub fn policy_arn(&self, name: &str) -> String {
        let vendor = self.policies.iter().any(|policy| policy.name == name && policy.vendor);
        if vendor { format!("arn:aws:iam::aws:policy/{name}") } else { format!("arn:aws:iam::{}:policy/{name}", self.number) }
    }

    /// IAM's unique id of something: `AIDA…` of users, `AROA…` of roles, and so on.
    pub fn unique_id(&self, kind: &str, name: &str) -> String {
        format!("{kind}{}", letters(self.seed, kind, &format!("{}/{name}", self.number), IDS, 17))
    }

    /// The id of the key that a user's slot holds at `at`.
    pub fn key_id(&self, user: &str, slot: usize, at: Time) -> Option<String> {
        let made = self.user(user)?.keys.get(slot)?.made(at)?;
        Some(format!("AKIA{}", letters(self.seed, "key", &format!("{}/{user}/{slot}/{}", self.number, made.micros()), IDS, 16)))
    }

    /// The same id at the last export.
    pub fn last_key_id(&self, user: &str, slot: usize) -> Option<String> {
        self.key_id(user, slot, clock::end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::clock::days_before;

    #[test]
    fn a_key_is_rotated_in_turn_and_out_of_turn() {
        let mut key = Key::rotated(days_before(200), 70);
        assert_eq!(key.made(days_before(201)), None);
        assert_eq!(key.made(days_before(131)), Some(days_before(200)));
        assert_eq!(key.made(clock::end()), Some(days_before(60)));
        key.renewed = Some(days_before(3));
        assert_eq!(key.made(days_before(7)), Some(days_before(60)));
        assert_eq!(key.made(clock::end()), Some(days_before(3)));
    }
}
