//! The metrics on a terminal: a short table, and all of it.

use super::escape::visible;
use super::terminal::{Screen, TerminalOptions};
use crate::metrics::{Breakdown, Metric, Quantity};

/// Values that the short table shows of each metric: the first of these names that it has, as many as fit on a line each.
const SHORT: [(&str, &[&str]); 11] = [
    ("exception-volume", &["open", "expired", "void"]),
    ("orphan-rate", &["share"]),
    ("disputed-rate", &["share"]),
    ("ghost-accounts", &["ghosts"]),
    ("revocation-completeness", &["out of every system"]),
    ("time-to-revoke", &["open", "oldest open case", "seen to close within", "estimated median"]),
    ("time-to-revoke-known", &["seen to close within", "estimated median"]),
    ("time-to-provision", &["estimated median", "still waiting"]),
    ("time-to-provision-request", &["estimated median", "still waiting"]),
    ("key-age", &["median age", "oldest"]),
    ("non-human-owners", &["with a living owner"]),
];

/// One line for each metric and value that matter most; of one that could not be measured only its id.
pub fn short_rows(list: &[Metric]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for metric in list {
        if metric.not_measurable.is_some() {
            rows.push(vec![metric.id.clone(), String::new(), String::new()]);
            continue;
        }
        let names = SHORT.iter().find(|(id, _)| *id == metric.id).map_or(&["failed"][..], |(_, names)| names);
        let shown = metric.values.iter().filter(|v| names.iter().any(|n| v.name.starts_with(n)));
        let id = |i: usize| if i == 0 { metric.id.clone() } else { String::new() };
        rows.extend(shown.enumerate().map(|(i, v)| vec![id(i), v.name.clone(), short(&v.quantity)]));
    }
    rows
}

/// Every metric with its definition, population and counting rule.
pub fn metrics_terminal(run: &str, list: &[Metric], options: &TerminalOptions) -> String {
    let mut screen = Screen::new(options);
    screen.line(&format!("metrics of run {}", visible(run)));
    for metric in list {
        one(&mut screen, metric);
    }
    screen.finish()
}

fn one(screen: &mut Screen<'_>, metric: &Metric) {
    screen.heading(&format!("{} ({}, in {})", metric.title, metric.id, metric.unit));
    for (name, text) in [("says", &metric.definition), ("over", &metric.population), ("counted", &metric.counting)] {
        screen.prose(text, &format!("  {name:<8}"), "          ");
    }
    if let Some(reason) = &metric.not_measurable {
        screen.prose(&format!("not measurable: {reason}"), "  ! ", "    ");
    }
    let rows: Vec<Vec<String>> = metric.values.iter().map(|v| vec![v.name.clone(), v.quantity.text()]).collect();
    if !rows.is_empty() {
        screen.line("");
        screen.table(&["value", ""], rows, &[], 0);
    }
    for note in &metric.notes {
        screen.prose(note, "  - ", "    ");
    }
    for breakdown in &metric.breakdowns {
        by(screen, breakdown);
    }
}

fn by(screen: &mut Screen<'_>, breakdown: &Breakdown) {
    let header: Vec<&str> = std::iter::once(breakdown.by.as_str()).chain(breakdown.columns.iter().map(String::as_str)).collect();
    let right: Vec<usize> = (1..header.len()).collect();
    let cell = |c: &Option<Quantity>| c.as_ref().map_or_else(|| "-".to_owned(), short);
    let rows = breakdown.lines.iter().map(|l| std::iter::once(l.key.clone()).chain(l.cells.iter().map(cell)).collect());
    screen.line("");
    screen.table(&header, rows.collect(), &right, 0);
}

/// A number in a column: a share without its parts, since its population has a column of its own.
pub fn short(quantity: &Quantity) -> String {
    let percent = |x: f64| format!("{:.1} %", x * 100.0);
    match (quantity, quantity.bounds()) {
        (Quantity::Share { possible: 0, .. }, (low, _)) => percent(low),
        (Quantity::Share { .. }, (low, Some(high))) => format!("{} (up to {})", percent(low), percent(high)),
        (Quantity::Days { .. }, _) => quantity.text().replace(" days", " d"),
        _ => quantity.text(),
    }
}
