//! The people list and the list of systems.

use super::clock;
use super::csv_out::table;
use super::people::{NOTICE, Person};
use crate::model::Time;
use crate::model::time::DAY;

/// The people list at one instant: everybody it ever held, with the dates that were entered by then.
pub fn people(staff: &[Person], at: Time) -> String {
    let rows = staff.iter().flat_map(|person| rows(person, at));
    table(
        "employee_number,given_name,family_name,display_name,email,login,status,employment_type,start_date,end_date,\
         start_entered_at,end_entered_at,org_unit,title,manager",
        rows,
    )
}

/// One row for each employment of which the list knows.
fn rows(person: &Person, at: Time) -> Vec<Vec<String>> {
    let mut spans = vec![(person.start, person.end)];
    spans.extend(person.rehired.map(|again| (again, None)));
    spans.into_iter().filter(|(start, _)| entered(*start) <= at).map(|(start, end)| row(person, start, end, at)).collect()
}

fn row(person: &Person, start: i64, end: Option<i64>, at: Time) -> Vec<String> {
    let end = end.filter(|day| entered(*day) <= at);
    let status = if clock::days_before(start) > at {
        "Prehire"
    } else if end.is_some_and(|day| clock::days_before(day - 1) <= at) {
        "Terminated"
    } else if person.on_leave(at) {
        "On leave"
    } else {
        "Active"
    };
    vec![
        person.number.clone(),
        person.given.to_owned(),
        person.family.to_owned(),
        person.name(),
        person.email.clone(),
        person.login.clone(),
        status.to_owned(),
        if person.contractor { "Contractor" } else { "Employee" }.to_owned(),
        clock::days_before(start).date(),
        end.map(|day| clock::days_before(day).date()).unwrap_or_default(),
        entered(start).to_string(),
        end.map(|day| entered(day).to_string()).unwrap_or_default(),
        person.unit_at(at).to_owned(),
        person.title.to_owned(),
        person.manager.clone().unwrap_or_default(),
    ]
}

/// When a date was entered: two weeks ahead, at nine in the morning.
fn entered(day: i64) -> Time {
    clock::days_before(day + NOTICE).plus(9 * DAY / 24)
}

/// The list of systems that the audit should see.
pub fn systems() -> String {
    let row = |system: &str, owner: &str, capabilities: &str| {
        vec![system.to_owned(), owner.to_owned(), "yes".to_owned(), capabilities.to_owned(), "production".to_owned()]
    };
    let mut rows = vec![
        row("hr", "people@corp.example", "identities;employments"),
        row("corp-ad", "platform@corp.example", "accounts;groups;memberships;credentials"),
        row("unix-ldap", "platform@corp.example", "accounts;groups;memberships;credentials"),
        row("aws-prod", "platform@corp.example", "accounts;groups;memberships;grants;credentials"),
        row("aws-dev", "engineering@corp.example", "accounts;groups;memberships;grants;credentials"),
        row("crm", "sales@corp.example", "accounts;grants"),
        row("okta", "platform@corp.example", "accounts;groups;memberships;grants;credentials"),
        row("vault", "platform@corp.example", "accounts;groups;memberships;grants;credentials"),
        row("pki", "platform@corp.example", "credentials"),
        row("payroll", "people@corp.example", "accounts"),
        vec!["erp-archive".to_owned(), "people@corp.example".to_owned(), "no".to_owned(), String::new(), "production".to_owned()],
    ];
    if let Some(cell) = rows.iter_mut().find(|row| row.first().is_some_and(|system| system == "aws-dev")).and_then(|row| row.last_mut()) {
        "development".clone_into(cell);
    }
    table("system,owner,in_scope,capabilities,environment", rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::people::staff;

    fn line(login: &str, at: Time) -> Vec<String> {
        let staff = staff(1);
        people(&staff, at).lines().filter(|line| line.contains(&format!(",{login},"))).map(str::to_owned).collect()
    }

    #[test]
    fn an_end_shows_once_it_is_entered() {
        let week = |back: i64| clock::days_before(back * 7);
        assert!(line("iwona.piatkow", week(3)).concat().contains(",Active,"));
        assert!(!line("iwona.piatkow", week(3)).concat().contains("2026-11-18"));
        assert!(line("iwona.piatkow", week(1)).concat().contains(",Active,Employee,2025-11-24,2026-11-18,"));
        assert!(line("iwona.piatkow", clock::end()).concat().contains(",Terminated,"));
    }

    #[test]
    fn a_rehire_has_two_employments_and_a_leave_is_no_end() {
        assert_eq!(line("rosa.delgadillo", clock::end()).len(), 2);
        assert!(line("noor.haddadin", clock::end()).concat().contains(",On leave,"));
        assert!(line("ilse.vandermolen", clock::end()).concat().contains(",Prehire,"));
    }
}
