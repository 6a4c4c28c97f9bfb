//! `docs/metrics.md` and the code say the same: every definition stands there word for word, and every worked example is worked.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::metrics::accounts::{AccountFact, Told};
use crate::metrics::exceptions::{ExceptionFact, Register};
use crate::metrics::keys::KeyFact;
use crate::metrics::leavers::{Access, Case, Fate, Sighting, Start, fate};
use crate::metrics::owners::{NonHuman, Owner, Workforce};
use crate::metrics::provision::{Wait, Waits, wait};
use crate::metrics::workflow::{Log, WorkflowFact};
use crate::metrics::{Metric, accounts, completeness, exceptions, keys, owners, provision, revocation, workflow};
use crate::model::time::DAY;
use crate::model::{AccountKind, Answer, CredentialKind, MatchState, Time, Word, WorkflowMode, WorkflowOutcome};

const PAGE: &str = include_str!("../../../docs/metrics.md");

/// A row of a table of the page: cells by the names of their columns.
type Row = BTreeMap<String, String>;

/// The parts of the page that document one metric, by its id.
fn sections() -> BTreeMap<String, String> {
    let parts = PAGE.split("\n## `").skip(1);
    parts.map(|p| p.split_once('`').unwrap()).map(|(id, rest)| (id.to_owned(), rest.split("\n## ").next().unwrap().to_owned())).collect()
}

/// The tables of a text, in order.
fn tables(text: &str) -> Vec<Vec<Row>> {
    let cells = |line: &str| -> Vec<String> { line.trim_matches('|').split('|').map(|c| c.trim().to_owned()).collect() };
    let lines: Vec<&str> = text.lines().collect();
    let blocks = lines.split(|l| !l.starts_with('|')).filter(|b| b.len() > 2);
    blocks
        .map(|block| {
            let header = cells(block[0]);
            block[2..].iter().map(|line| header.iter().cloned().zip(cells(line)).collect()).collect()
        })
        .collect()
}

fn time(text: &str) -> Time {
    Time::parse_iso_in(text, &TimeZone::UTC).unwrap_or_else(|e| panic!("{e}"))
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn word<W: Word>(text: &str) -> W {
    W::parse(text).unwrap_or_else(|| panic!("`{text}`"))
}

fn exception(row: &Row) -> ExceptionFact {
    ExceptionFact {
        system: row["system"].clone(),
        owner: some(&row["owner"]),
        status: row["status"].clone(),
        new: row["first met in this run"] == "yes",
        age_days: row["age in days"].parse().ok(),
    }
}

fn account(row: &Row) -> (AccountFact, u64) {
    let number = |name: &str| row.get(name).map_or(0, |n| n.parse().unwrap());
    let told = Told {
        personal: true,
        standing: true,
        pending: row.get("status").is_some_and(|s| s == "pending"),
        live: word::<Answer>(&row["can authenticate"]),
        state: row.get("state").map_or(MatchState::Linked, |s| word(s)),
        candidates: number("candidates"),
        left: number("of whom left"),
    };
    (AccountFact { system: row["system"].clone(), told }, 1)
}

fn plain_case(row: &Row) -> Case {
    let now = match row["last look after the end"].as_str() {
        "none" => None,
        "no access" => Some(Access::None),
        "access" => Some(Access::Certain),
        "possible access" => Some(Access::Possible),
        other => panic!("{other}"),
    };
    let end = Start { after: None, by: Time::default(), exact: true };
    Case {
        leaver: row["leaver"].clone(),
        name: None,
        system: row["system"].clone(),
        linked: true,
        certain: true,
        end,
        known: end,
        fate: Fate::NoCase,
        now,
        followed: true,
    }
}

/// `2026-03-01 live` looks and `2026-03-02T09:00Z` entries of the log, joined by commas.
fn case(row: &Row) -> Case {
    let exact = |text: &str| Start { after: None, by: time(text), exact: true };
    let end = exact(&row["ended"]);
    let looks = row["looks"].split(", ").map(|look| {
        let (at, what) = look.split_once(' ').unwrap();
        let access = match what {
            "live" => Access::Certain,
            "gone" => Access::None,
            other => panic!("{other}"),
        };
        let live = if access > Access::None { vec!["a".to_owned()] } else { Vec::new() };
        Sighting { at: time(at), access, sure: true, live }
    });
    let looks: Vec<Sighting> = looks.collect();
    let log: Vec<(Time, &str)> = row["log: disabled"].split(", ").filter(|t| !t.is_empty()).map(|t| (time(t), "a")).collect();
    let (fate, now) = fate(&looks, |t| t > end.by, &log);
    Case {
        leaver: row["leaver"].clone(),
        name: None,
        system: row["system"].clone(),
        linked: true,
        certain: true,
        end,
        known: end.later(exact(&row["entered"])),
        fate,
        now,
        followed: looks[0].at <= end.by,
    }
}

fn waited(row: &Row) -> Wait {
    let start = time(row.get("first day").unwrap_or_else(|| &row["decided"]));
    let what: Vec<&str> = row["access"].split(' ').collect();
    match what.as_slice() {
        ["created", at] | ["granted", at] => wait(start, Some(time(at).plus(-1)), Some(time(at))),
        ["between", after, "and", by] => wait(start, Some(time(after)), Some(time(by))),
        ["held", at] => wait(start, None, Some(time(at))),
        ["none", "by", at] => wait(start, Some(time(at)), None),
        ["not", "matched"] => Wait::NotMatched,
        ["disputed"] => Wait::Disputed,
        other => panic!("{other:?}"),
    }
}

fn key(row: &Row) -> KeyFact {
    KeyFact { system: row["system"].as_str().into(), kind: word::<CredentialKind>(&row["kind"]), age_days: row["age in days"].parse().ok() }
}

fn non_human(row: &Row) -> (NonHuman, u64) {
    let owner = match row["owner"].as_str() {
        "employed" => Owner::Living,
        "on leave" => Owner::Living,
        "one of two is employed" => Owner::Possible,
        "has left" => Owner::Gone,
        "names nobody" => Owner::Nobody,
        "" => Owner::NotStated,
        other => panic!("{other}"),
    };
    (NonHuman { system: row["system"].clone(), kind: word::<AccountKind>(&row["kind"]), owner }, 1)
}

fn step(row: &Row) -> WorkflowFact {
    WorkflowFact {
        system: row["system"].clone(),
        rule: row["rule"].clone(),
        mode: word::<WorkflowMode>(&row["mode"]),
        outcome: word::<WorkflowOutcome>(&row["outcome"]),
        retries: row["retries"].parse().ok(),
    }
}

/// Every metric, measured over the rows of an example.
fn measured(id: &str, rows: &[Row]) -> Metric {
    fn all<T>(rows: &[Row], of: fn(&Row) -> T) -> Vec<T> {
        rows.iter().map(of).collect()
    }
    let waits = |of: &str| Waits { without: None, waits: if of == id { all(rows, waited) } else { Vec::new() } };
    let list = match id {
        "exception-volume" => exceptions::measure(&Register { covered: true, exceptions: all(rows, exception), findings: (0, 0) }),
        "orphan-rate" | "disputed-rate" | "ghost-accounts" => accounts::measure(&all(rows, account), true),
        "revocation-completeness" => vec![completeness::measure(&all(rows, plain_case))],
        "time-to-revoke" | "time-to-revoke-known" => revocation::measure(&all(rows, case), DAY).0,
        "time-to-provision" | "time-to-provision-request" => {
            provision::measure(&waits("time-to-provision"), &waits("time-to-provision-request"))
        }
        "key-age" => vec![keys::measure(Some(&all(rows, key)))],
        "non-human-owners" => vec![owners::measure(&Workforce { people: true, accounts: all(rows, non_human) })],
        "failed-workflows" => {
            vec![workflow::measure(&Log { covers: vec![("log".to_owned(), None, None)], entries: all(rows, step) })]
        }
        other => panic!("the page documents `{other}`, which is no metric"),
    };
    list.into_iter().find(|m| m.id == id).unwrap_or_else(|| panic!("no metric `{id}`"))
}

#[test]
fn every_worked_example_of_the_page_comes_out_as_it_says() {
    let sections = sections();
    assert_eq!(sections.len(), 12, "{:?}", sections.keys());
    for (id, text) in &sections {
        let example = text.split("### Worked example").nth(1).unwrap_or_else(|| panic!("{id} has no example"));
        let tables = tables(example);
        let [given, gives] = tables.as_slice() else { panic!("{id}: {} tables", tables.len()) };
        let metric = measured(id, given);
        assert_eq!(metric.not_measurable, None, "{id}");
        let got: Vec<(&str, String)> = metric.values.iter().map(|v| (v.name.as_str(), v.quantity.text())).collect();
        let want: Vec<(&str, String)> = gives.iter().map(|r| (r["value"].as_str(), r["number"].clone())).collect();
        assert_eq!(got, want, "{id}");
    }
}

#[test]
fn the_page_defines_every_metric_in_the_words_of_the_program() {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (id, text) in sections() {
        let metric = measured(&id, &[]);
        let section = words(&text);
        for (part, said) in [("definition", &metric.definition), ("population", &metric.population), ("counting", &metric.counting)] {
            assert!(section.contains(&words(said)), "{id}: its {part} is not on the page:\n{said}");
        }
        assert!(section.starts_with(&format!(": {}", metric.title)), "{id}: {}", metric.title);
    }
}

#[test]
fn what_has_no_input_says_why_and_has_no_number() {
    for metric in exceptions::measure(&Register::default())
        .into_iter()
        .chain(accounts::measure(&[account(&tables(&sections()["orphan-rate"])[0][0])], false))
        .chain([
            completeness::measure(&[]),
            keys::measure(None),
            owners::measure(&Workforce::default()),
            workflow::measure(&Log::default()),
        ])
        .chain(revocation::measure(&[], DAY).0)
        .chain(provision::measure(
            &Waits { without: Some("no people list".into()), waits: vec![Wait::Ready] },
            &Waits { without: None, waits: Vec::new() },
        ))
    {
        assert!(metric.not_measurable.is_some() && metric.values.is_empty() && metric.breakdowns.is_empty(), "{}", metric.id);
    }
}
