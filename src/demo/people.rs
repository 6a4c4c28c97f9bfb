//! The people of the demo: who they are, where they work, when they came and went.

use std::collections::BTreeSet;

use super::cast::{CAST, Part};
use super::clock;
use super::dice::Dice;
use super::life::{Life, Spans};
use super::names::{FAMILY, GIVEN, Name};
use crate::model::Time;
use crate::model::time::{DAY, HOUR};

/// How many people the list ever held.
pub const HEADCOUNT: usize = 400;
/// Days before the last export on which the company opened.
pub const FOUNDED: i64 = 363;
/// Days by which a start or an end is entered ahead of time.
pub const NOTICE: i64 = 14;

/// The systems in which somebody works.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Access {
    pub ad: bool,
    pub ldap: bool,
    pub prod: bool,
    pub dev: bool,
    pub crm: bool,
}

impl Access {
    /// From their names, separated by blanks.
    pub fn of(text: &str) -> Self {
        let has = |name| text.split(' ').any(|word| word == name);
        Self { ad: has("ad"), ldap: has("ldap"), prod: has("prod"), dev: has("dev"), crm: has("crm") }
    }
}

/// One person. Days count back from the last export; negative ones lie ahead.
#[derive(Clone, Debug)]
pub struct Person {
    pub number: String,
    pub given: &'static str,
    pub family: &'static str,
    pub login: String,
    pub email: String,
    pub unit: &'static str,
    /// Day of a move and the unit before it.
    pub moved: Option<(i64, &'static str)>,
    pub title: &'static str,
    pub contractor: bool,
    pub start: i64,
    /// Last day in.
    pub end: Option<i64>,
    /// First day of a second employment.
    pub rehired: Option<i64>,
    /// First and last day of a leave.
    pub leave: Option<(i64, i64)>,
    pub manager: Option<String>,
    pub access: Access,
    /// Whether chance made this person; faults are planted on others.
    pub background: bool,
}

impl Person {
    pub fn name(&self) -> String {
        format!("{} {}", self.given, self.family)
    }

    /// The unit on the day of `at`.
    pub fn unit_at(&self, at: Time) -> &'static str {
        match self.moved {
            Some((day, earlier)) if at < clock::days_before(day) => earlier,
            _ => self.unit,
        }
    }

    /// Whether the list says at `at` that they are on leave.
    pub fn on_leave(&self, at: Time) -> bool {
        self.leave.is_some_and(|(from, to)| clock::days_before(from) <= at && at < clock::days_before(to - 1))
    }

    /// When access of the first employment has to be gone: some hours into the day after the last.
    pub fn left(&self) -> Option<Time> {
        self.end.map(|day| clock::days_before(day - 1).plus(2 * HOUR))
    }

    /// The life of an account that is kept as it should be: made on the first day, disabled after the last and during a
    /// leave, deleted after a month.
    pub fn tidy_life(&self) -> Life {
        let mut life = Life::new(clock::days_before(self.start).plus(7 * HOUR));
        if let Some((from, to)) = self.leave {
            life.disabled = life.disabled.and(clock::days_before(from), clock::days_before(to - 1));
        }
        match (self.left(), self.rehired) {
            (Some(left), Some(again)) => life.disabled = life.disabled.and(left, clock::days_before(again).plus(7 * HOUR)),
            (Some(left), None) => {
                life.disabled = life.disabled.and(left, left.plus(3_650 * DAY));
                life.removed = Some(left.plus(30 * DAY));
            }
            (None, _) => {}
        }
        life
    }

    /// When tidy access is held: from the first day to the last, and again.
    pub fn tidy_spans(&self) -> Spans {
        let first = clock::days_before(self.start).plus(7 * HOUR);
        match (self.left(), self.rehired) {
            (None, _) => Spans::from(first),
            (Some(left), None) => Spans::never().and(first, left),
            (Some(left), Some(again)) => {
                let back = clock::days_before(again).plus(7 * HOUR);
                Spans::never().and(first, left).and(back, back.plus(3_650 * DAY))
            }
        }
    }
}

/// A unit: its share of the head count, the systems its people use, their titles.
struct Unit {
    name: &'static str,
    share: usize,
    titles: &'static [&'static str],
}

const UNITS: &[Unit; 8] = &[
    Unit { name: "Engineering", share: 30, titles: &["Software Engineer", "Senior Software Engineer", "Test Engineer"] },
    Unit { name: "Platform", share: 9, titles: &["Site Reliability Engineer", "Systems Engineer"] },
    Unit { name: "Data", share: 9, titles: &["Data Engineer", "Data Analyst"] },
    Unit { name: "Sales", share: 19, titles: &["Account Manager", "Sales Engineer", "Sales Assistant"] },
    Unit { name: "Support", share: 13, titles: &["Support Specialist", "Support Lead"] },
    Unit { name: "Finance", share: 8, titles: &["Controller", "Accountant"] },
    Unit { name: "People", share: 5, titles: &["Recruiter", "People Partner"] },
    Unit { name: "Operations", share: 7, titles: &["Facilities Coordinator", "Procurement Officer", "Logistics Planner"] },
];

/// The names of all units.
pub fn units() -> impl Iterator<Item = &'static str> {
    UNITS.iter().map(|unit| unit.name)
}

/// Everybody, in the order of their numbers: the cast of the planted faults first, then whom chance made.
pub fn staff(seed: u64) -> Vec<Person> {
    let mut people: Vec<Person> = CAST.iter().map(from_part).collect();
    let mut dice = Dice::new(seed, "people");
    let mut taken: BTreeSet<String> = people.iter().map(|person| person.login.clone()).collect();
    while people.len() < HEADCOUNT {
        let (given, family) = (dice.pick(GIVEN), dice.pick(FAMILY));
        let login = login(given, family);
        if taken.insert(login.clone()) {
            people.push(background(&mut dice, given, family, login));
        }
    }
    number(&mut people, seed);
    people
}

fn login(given: Name, family: Name) -> String {
    format!("{}.{}", given.1, family.1)
}

fn from_part(part: &Part) -> Person {
    Person {
        number: String::new(),
        given: part.given,
        family: part.family,
        login: part.login.to_owned(),
        email: format!("{}@corp.example", part.mail.unwrap_or(part.login)),
        unit: part.unit,
        moved: part.moved,
        title: UNITS.iter().find(|unit| unit.name == part.unit).and_then(|unit| unit.titles.first()).copied().unwrap_or_default(),
        contractor: part.contractor,
        start: part.start,
        end: part.end,
        rehired: part.rehired,
        leave: part.leave,
        manager: None,
        access: Access::of(part.access),
        background: false,
    }
}

fn background(dice: &mut Dice, given: Name, family: Name, login: String) -> Person {
    let unit = unit_of(dice);
    let start = if dice.chance(62) { FOUNDED } else { weekday(dice.between(10, FOUNDED - 10)) };
    let end = (start > 60 && dice.chance(14)).then(|| weekday(dice.between(3, start - 40)));
    let leave = (start > 120 && end.is_none() && dice.chance(5)).then(|| {
        let from = weekday(dice.between(12, 100));
        (from, weekday(from - dice.between(10, 80)))
    });
    let moved = (start > 120 && end.is_none() && dice.chance(8)).then(|| (weekday(dice.between(5, 110)), earlier_unit(unit.name)));
    Person {
        number: String::new(),
        given: given.0,
        family: family.0,
        email: format!("{login}@corp.example"),
        access: access(dice, unit.name, leave.is_some()),
        login,
        unit: unit.name,
        moved,
        title: dice.pick(unit.titles),
        contractor: dice.chance(12),
        start,
        end,
        rehired: None,
        leave,
        manager: None,
        background: true,
    }
}

fn unit_of(dice: &mut Dice) -> &'static Unit {
    let [first, rest @ ..] = UNITS;
    let mut drawn = dice.below(UNITS.iter().map(|unit| unit.share).sum());
    for unit in rest {
        match drawn.checked_sub(unit.share) {
            None => return unit,
            Some(left) => drawn = left,
        }
    }
    first
}

/// Where somebody of this unit came from. Both units use the same systems.
fn earlier_unit(unit: &str) -> &'static str {
    match unit {
        "Engineering" => "Data",
        "Platform" | "Data" => "Engineering",
        "Sales" => "Support",
        "Support" => "Sales",
        "Finance" => "Operations",
        "People" => "Operations",
        _ => "People",
    }
}

/// AWS cannot suspend a user; whoever goes on leave has none.
fn access(dice: &mut Dice, unit: &str, leave: bool) -> Access {
    let technical = matches!(unit, "Engineering" | "Platform" | "Data");
    let (prod, dev) = match unit {
        "Platform" => (80, 60),
        "Data" => (25, 40),
        "Engineering" => (8, 45),
        _ => (0, 0),
    };
    let crm = match unit {
        "Sales" | "Support" => 100,
        "Finance" => 40,
        "Operations" => 15,
        _ => 0,
    };
    Access { ad: true, ldap: technical, prod: dice.chance(prod) && !leave, dev: dice.chance(dev) && !leave, crm: dice.chance(crm) }
}

/// The same day, or the Friday before it.
fn weekday(day: i64) -> i64 {
    (day..).find(|day| !clock::is_weekend(*day)).unwrap_or(day)
}

/// Numbers in an order that tells nothing, with leading zeros; managers from the same unit.
fn number(people: &mut [Person], seed: u64) {
    let mut dice = Dice::new(seed, "numbers");
    let mut free: Vec<usize> = (0..people.len()).collect();
    for person in people.iter_mut() {
        let at = dice.below(free.len());
        let n = free.swap_remove(at.min(free.len().saturating_sub(1)));
        person.number = format!("{:06}", 1_001 + n);
    }
    for unit in units() {
        let stays = |p: &&Person| p.background && p.unit == unit && p.start == FOUNDED && p.end.is_none() && p.leave.is_none();
        let head = people.iter().find(stays).map(|p| (p.number.clone(), p.login.clone()));
        let Some((number, login)) = head else { continue };
        for person in people.iter_mut().filter(|p| p.unit == unit && p.login != login) {
            person.manager = Some(number.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_and_numbers_are_unique() {
        let people = staff(1);
        assert_eq!(people.len(), HEADCOUNT);
        assert_eq!(people.iter().map(|p| &p.login).collect::<BTreeSet<_>>().len(), HEADCOUNT);
        assert_eq!(people.iter().map(|p| &p.number).collect::<BTreeSet<_>>().len(), HEADCOUNT);
        assert!(people.iter().all(|p| p.number.starts_with("00") && p.number.len() == 6));
    }

    #[test]
    fn chance_gives_joiners_movers_leavers_and_leaves() {
        let people: Vec<Person> = staff(1).into_iter().filter(|p| p.background).collect();
        assert!(people.iter().filter(|p| p.start < FOUNDED).count() > 80);
        assert!(people.iter().filter(|p| p.end.is_some()).count() > 20);
        assert!(people.iter().filter(|p| p.moved.is_some()).count() > 10);
        assert!(people.iter().filter(|p| p.leave.is_some()).count() > 5);
        assert!(people.iter().all(|p| p.end.is_none_or(|end| end < p.start && !clock::is_weekend(end))));
    }

    #[test]
    fn nobody_of_the_background_shares_a_name_with_the_cast() {
        let people = staff(1);
        let cast: BTreeSet<&str> = people.iter().filter(|p| !p.background).map(|p| p.family).collect();
        assert!(people.iter().filter(|p| p.background).all(|p| !cast.contains(p.family)));
    }
}
