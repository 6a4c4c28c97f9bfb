//! Whether a run holds what a check needs.

use crate::checks::Check;
use crate::engine::{Run, System};
use crate::model::*;

/// Why a check cannot be evaluated over a system; `None`: it can.
pub(super) fn unable(run: &Run, check: &Check, s: &System) -> Option<String> {
    for need in &check.needs {
        if records_of(need).is_some() {
            if let Some(why) = lacks_records(run, need, Some(s)) {
                return Some(why);
            }
        } else if need == LEAVER_REACH.name {
            if !run.readable_secrets.contains(&s.ix) {
                return Some("no source says who may read its secrets".to_owned());
            }
        } else if need == MOVERS.name {
            if !run.sees_moves {
                return Some("moves cannot be seen: there is neither an earlier people list nor a log of movers".to_owned());
            }
        } else if !need.split('|').any(|table| s.covers.contains(table)) {
            return Some(format!("its export does not cover {}", need.replace('|', " or ")));
        }
    }
    None
}

/// Why a check over the whole world cannot be evaluated: a table that no snapshot covers, or an empty authority.
pub(super) fn unable_anywhere(run: &Run, check: &Check) -> Option<String> {
    check.needs.iter().find_map(|need| {
        if records_of(need).is_some() {
            return lacks_records(run, need, None);
        }
        let covered = run.systems.iter().any(|s| need.split('|').any(|table| s.covers.contains(table)));
        (!covered).then(|| format!("no source covers {need}"))
    })
}

/// What people call a table of records: checks need it of any source, not of the system that they judge.
fn records_of(need: &str) -> Option<&'static str> {
    Some(match need {
        "identities" => "people list",
        "requests" => "list of requests",
        "role_model" => "role catalogue",
        "reviews" => "list of reviews",
        "workflow_log" => "workflow log",
        "lifecycle_events" => "list of joiners, movers and leavers",
        "systems" => "register of systems",
        _ => return None,
    })
}

/// Why the records that a check needs cannot answer: none are there, they are empty, or they do not speak of the system.
fn lacks_records(run: &Run, need: &str, s: Option<&System>) -> Option<String> {
    let what = records_of(need)?;
    let holders: Vec<&System> = run.systems.iter().filter(|y| y.covers.contains(need)).collect();
    if holders.is_empty() {
        return Some(format!("no {what} is among the sources"));
    }
    let rows = |y: &&System| match need {
        "identities" => y.identities.len(),
        "requests" => y.requests.len(),
        "role_model" => y.role_model.len(),
        "reviews" => y.reviews.len(),
        "workflow_log" => y.workflow_log.len(),
        "lifecycle_events" => y.lifecycle.len(),
        _ => y.register.len(),
    };
    if holders.iter().map(rows).sum::<usize>() == 0 {
        return Some(format!("the {what} is empty"));
    }
    let s = s?;
    if need == "role_model" && !run.catalogue_names(s) {
        return Some("the role catalogue gives no right in it".to_owned());
    }
    let log = matches!(need, "requests" | "workflow_log");
    (log && !run.log_coverage.iter().any(|c| c.system_ix == s.ix && c.log == need)).then(|| format!("no {what} speaks of this system"))
}
