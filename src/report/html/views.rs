//! The report by system and by owner, and the metrics as tables.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::metrics::short;
use super::super::model::{FindingEntry, Report, Totals};
use crate::metrics::{Metric, Quantity};

/// Counts of one system or one owner.
#[derive(Serialize)]
pub struct View<'a> {
    /// `None`: not stated.
    name: Option<&'a str>,
    /// Systems of an owner; the owner of a system.
    beside: Vec<&'a str>,
    accounts: u64,
    totals: Totals,
}

#[cfg(test)]
impl View<'_> {
    pub fn totals(&self) -> &Totals {
        &self.totals
    }
}

/// How a system is called; `*` stands for a question about several.
pub fn system_label(system: &str) -> &str {
    if system == "*" { "several" } else { system }
}

/// One line for each system that was looked at or has a finding.
pub fn by_system<'a>(r: &'a Report) -> Vec<View<'a>> {
    let mut findings: BTreeMap<&str, Vec<&FindingEntry>> = r.sources.iter().map(|s| (s.system.as_str(), Vec::new())).collect();
    for f in &r.findings {
        findings.entry(&f.system).or_default().push(f);
    }
    let view = |(system, findings): (&'a str, Vec<&'a FindingEntry>)| View {
        name: Some(system_label(system)),
        beside: r.sources.iter().filter(|s| s.system == system).filter_map(|s| s.owner.as_deref()).collect(),
        accounts: accounts(r, system),
        totals: Totals::of(findings),
    };
    let mut views: Vec<View<'_>> = findings.into_iter().map(view).collect();
    // What belongs to no single system stands last.
    let (single, several): (Vec<_>, Vec<_>) = views.drain(..).partition(|v| v.name != Some(system_label("*")));
    single.into_iter().chain(several).collect()
}

/// One line for each owner of a system, those without an owner last.
pub fn by_owner<'a>(r: &'a Report) -> Vec<View<'a>> {
    let mut systems: BTreeMap<(bool, Option<&str>), Vec<&str>> = BTreeMap::new();
    for s in &r.sources {
        systems.entry((s.owner.is_none(), s.owner.as_deref())).or_default().push(&s.system);
    }
    let known: Vec<&str> = r.sources.iter().map(|s| s.system.as_str()).collect();
    if r.findings.iter().any(|f| !known.contains(&f.system.as_str())) {
        systems.entry((true, None)).or_default();
    }
    let view = |((_, owner), systems): ((bool, Option<&'a str>), Vec<&'a str>)| {
        let of = |f: &&FindingEntry| {
            let system = f.system.as_str();
            systems.contains(&system) || owner.is_none() && !known.contains(&system)
        };
        View {
            name: owner,
            accounts: systems.iter().map(|s| accounts(r, s)).sum(),
            totals: Totals::of(r.findings.iter().filter(of)),
            beside: systems,
        }
    };
    systems.into_iter().map(view).collect()
}

fn accounts(r: &Report, system: &str) -> u64 {
    r.identity.iter().filter(|i| i.system == system).map(|i| i.accounts).sum()
}

/// A metric with its numbers as text.
#[derive(Serialize)]
pub struct MetricView<'a> {
    id: &'a str,
    title: &'a str,
    unit: &'a str,
    definition: &'a str,
    population: &'a str,
    counting: &'a str,
    not_measurable: Option<&'a str>,
    /// The number that its heading shows.
    first: Option<String>,
    values: Vec<(&'a str, String)>,
    breakdowns: Vec<BreakdownView<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct BreakdownView<'a> {
    by: &'a str,
    columns: &'a [String],
    lines: Vec<(&'a str, Vec<Option<String>>)>,
}

/// Every metric of the report.
pub fn metrics(r: &Report) -> Vec<MetricView<'_>> {
    r.metrics.list.iter().map(metric).collect()
}

fn metric(m: &Metric) -> MetricView<'_> {
    let text = |q: &Option<Quantity>| q.as_ref().map(short);
    let share = m.values.iter().find(|v| matches!(v.quantity, Quantity::Share { .. }));
    let first = share.or_else(|| m.values.iter().find(|v| matches!(v.quantity, Quantity::Days { .. }))).or(m.values.first());
    MetricView {
        id: &m.id,
        title: &m.title,
        unit: &m.unit,
        definition: &m.definition,
        population: &m.population,
        counting: &m.counting,
        not_measurable: m.not_measurable.as_deref(),
        first: first.map(|v| format!("{} {}", v.name, short(&v.quantity))),
        values: m.values.iter().map(|v| (v.name.as_str(), v.quantity.text())).collect(),
        breakdowns: m
            .breakdowns
            .iter()
            .map(|b| BreakdownView {
                by: &b.by,
                columns: &b.columns,
                lines: b.lines.iter().map(|l| (l.key.as_str(), l.cells.iter().map(text).collect())).collect(),
            })
            .collect(),
        notes: &m.notes,
    }
}
