//! The page's charts, drawn from the report alone.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::escape::shorten;
use super::super::format::{days, plural};
use super::super::model::Report;
use super::svg::{Svg, WIDTH};
use super::views::system_label;
use crate::metrics::{Curve, Quantity, TrendPoint};
use crate::model::{Severity, Word};

/// A chart with its heading; the drawing is markup.
#[derive(Serialize)]
pub struct Chart {
    pub title: String,
    /// What must be known to read it.
    pub note: String,
    pub svg: String,
    /// Names of the colours in use: class and word.
    pub key: Vec<(&'static str, &'static str)>,
}

/// Every chart that the report has something for.
pub fn charts(r: &Report) -> Vec<Chart> {
    let curve = r.metrics.curves.iter().find(|c| c.clock == "effective");
    [by_system(r), trend(&r.metrics.trend), curve.map(survival), exception_ages(r)].into_iter().flatten().collect()
}

/// Where bars begin, how long they may be, and how far apart they lie.
const LEFT: f64 = 132.0;
const ROOM: f64 = WIDTH - LEFT - 44.0;
const ROW: f64 = 28.0;

/// A horizontal bar of parts, its label before and its sum behind it.
struct Row {
    label: String,
    parts: Vec<(&'static str, u64)>,
}

fn rows(svg: &mut Svg, rows: &[Row]) {
    let sum = |r: &Row| r.parts.iter().map(|p| p.1).sum::<u64>();
    let most = rows.iter().map(sum).max().unwrap_or(0).max(1) as f64;
    for (i, row) in rows.iter().enumerate() {
        let y = i as f64 * ROW + 4.0;
        svg.label("end", LEFT - 10.0, y + 15.0, &shorten(&row.label, 18));
        let mut x = LEFT;
        for (class, count) in &row.parts {
            let width = *count as f64 / most * ROOM;
            // The gap keeps neighbours apart where colours do not.
            svg.rect(class, x, y, (width - 1.0).max(if *count > 0 { 1.0 } else { 0.0 }), ROW - 8.0);
            let digits = count.to_string();
            if width > 9.0 * digits.len() as f64 + 6.0 {
                svg.label("in mid", x + (width - 1.0) / 2.0, y + 15.0, &digits);
            }
            x += width;
        }
        svg.label("sum", x + 6.0, y + 15.0, &sum(row).to_string());
    }
}

fn severity_class(s: Severity) -> &'static str {
    match s {
        Severity::Critical => "c-critical",
        Severity::High => "c-high",
        Severity::Medium => "c-medium",
        Severity::Low => "c-low",
        Severity::Info => "c-info",
    }
}

fn by_system(r: &Report) -> Option<Chart> {
    let mut systems: BTreeMap<&str, BTreeMap<Severity, u64>> = BTreeMap::new();
    for f in r.findings.iter().filter(|f| f.is_live() && !f.also) {
        *systems.entry(&f.system).or_default().entry(f.severity).or_default() += 1;
    }
    if systems.is_empty() {
        return None;
    }
    let mut all: Vec<(&str, BTreeMap<Severity, u64>)> = systems.into_iter().collect();
    all.sort_by_key(|(name, counts)| (std::cmp::Reverse(counts.values().sum::<u64>()), *name));
    let hidden = all.len().saturating_sub(LISTED);
    let bars: Vec<Row> =
        all.iter().take(LISTED).map(|(name, counts)| Row { label: system_label(name).to_owned(), parts: parts(counts) }).collect();
    let words = |(name, counts): &(&str, BTreeMap<Severity, u64>)| {
        let list: Vec<String> = counts.iter().rev().map(|(s, n)| format!("{n} {s}")).collect();
        format!("{}: {}", system_label(name), list.join(", "))
    };
    let description = all.iter().take(LISTED).map(words).collect::<Vec<_>>().join("; ");
    let mut svg = Svg::new("chart-systems", "Live findings by system and severity", &description, bars.len() as f64 * ROW + 4.0);
    rows(&mut svg, &bars);
    let more = if hidden > 0 { format!(" {hidden} further systems are in the table below.") } else { String::new() };
    Some(Chart {
        title: "Findings by system and severity".to_owned(),
        note: format!("Live findings, certain and possible; within a bar the worst come first.{more}"),
        svg: svg.finish(),
        key: Severity::ALL.iter().rev().map(|s| (severity_class(*s), s.as_str())).collect(),
    })
}

/// Systems that a chart shows.
const LISTED: usize = 14;

fn parts(counts: &BTreeMap<Severity, u64>) -> Vec<(&'static str, u64)> {
    counts.iter().rev().map(|(s, n)| (severity_class(*s), *n)).collect()
}

fn exception_ages(r: &Report) -> Option<Chart> {
    let metric = r.metrics.list.iter().find(|m| m.id == "exception-volume")?;
    let ages = metric.breakdowns.iter().find(|b| b.by == "age")?;
    let count = |q: &Option<Quantity>| match q {
        Some(Quantity::Count { certain, possible }) => certain + possible,
        _ => 0,
    };
    let open = ages.columns.iter().position(|c| c == "open")?;
    let bars: Vec<Row> = ages
        .lines
        .iter()
        .map(|line| {
            let (of_open, all) = (line.cells.get(open).map_or(0, count), line.cells.iter().map(count).sum::<u64>());
            Row { label: line.key.clone(), parts: vec![("c-low", of_open), ("c-rest", all - of_open)] }
        })
        .collect();
    let words: Vec<String> = bars
        .iter()
        .map(|b| format!("{}: {} open, {} not", b.label, b.parts.first().map_or(0, |p| p.1), b.parts.get(1).map_or(0, |p| p.1)))
        .collect();
    let mut svg = Svg::new("chart-exceptions", "Exceptions by age", &words.join("; "), bars.len() as f64 * ROW + 4.0);
    rows(&mut svg, &bars);
    Some(Chart {
        title: "Exceptions by age".to_owned(),
        note: "From the first valid instant to the run's. Not open: expired, void, not yet valid or matching nothing.".to_owned(),
        svg: svg.finish(),
        key: vec![("c-low", "open"), ("c-rest", "not open")],
    })
}

/// The frame of a chart with axes: left, right, top, bottom.
const FRAME: (f64, f64, f64, f64) = (48.0, WIDTH - 10.0, 12.0, 220.0);

fn survival(curve: &Curve) -> Chart {
    let (left, right, top, bottom) = FRAME;
    let last = curve.until_days.max(curve.sla_days).max(1e-3);
    let x = |d: f64| left + (d.min(last) / last) * (right - left);
    let y = |share: f64| bottom - share * (bottom - top);
    let text = format!(
        "Of {}, {} closed and {} open. {}",
        plural(curve.cases, "case", "cases"),
        curve.closed,
        curve.open,
        curve
            .points
            .iter()
            .map(|p| format!("After {} days {} not yet closed", two(p.days), share(p.low, p.high)))
            .collect::<Vec<_>>()
            .join("; ")
    );
    let mut svg = Svg::new("chart-revoke", "Share of leavers' access not yet revoked, by days since the end", &text, bottom + 40.0);
    for quarter in 0..=4 {
        let level = f64::from(quarter) / 4.0;
        svg.line("grid", (left, y(level)), (right, y(level)));
        svg.label("end", left - 8.0, y(level) + 4.0, &format!("{:.0} %", level * 100.0));
    }
    for tick in ticks(last) {
        svg.line("tick", (x(tick), bottom), (x(tick), bottom + 5.0));
        svg.label("mid", x(tick), bottom + 18.0, &days(tick));
    }
    svg.label("end", right, bottom + 34.0, "days since the end");
    let steps = |bound: fn(&crate::metrics::CurvePoint) -> f64| {
        let mut path = Vec::new();
        let mut level = 1.0;
        for p in &curve.points {
            path.extend([(x(p.days), y(level)), (x(p.days), y(bound(p)))]);
            level = bound(p);
        }
        path.push((x(last), y(level)));
        path
    };
    let (high, low) = (steps(|p| p.high), steps(|p| p.low));
    let band: Vec<(f64, f64)> = high.iter().copied().chain(low.iter().rev().copied()).collect();
    svg.path("band", &band, true);
    svg.path("curve", &high, false);
    svg.path("curve low", &low, false);
    svg.line("sla", (x(curve.sla_days), top), (x(curve.sla_days), bottom));
    svg.label("note", x(curve.sla_days) + 6.0, top + 18.0, &format!("deadline {}", deadline(curve.sla_days)));
    Chart {
        title: "Time to revoke".to_owned(),
        note: format!(
            "Share of {} not yet closed ({} closed, {} open at the last look), by days since the end of employment. \
             Estimated from all of them; inside the shaded band, between two looks, nobody can tell.",
            plural(curve.cases, "case", "cases"),
            curve.closed,
            curve.open
        ),
        svg: svg.finish(),
        key: vec![("c-curve", "most that may be open"), ("c-curve-low", "least that is open")],
    }
}

fn two(x: f64) -> String {
    format!("{x:.2}")
}

fn share(low: f64, high: f64) -> String {
    Quantity::Estimate { low, high }.text()
}

fn deadline(sla_days: f64) -> String {
    if sla_days <= 1.0 { format!("{} h", days(sla_days * 24.0)) } else { format!("{} d", days(sla_days)) }
}

/// About five round numbers from 0 to `last`.
fn ticks(last: f64) -> Vec<f64> {
    let magnitude = 10f64.powf((last / 5.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|s| s * magnitude);
    let step = steps.into_iter().find(|s| last / s <= 6.0).unwrap_or(last);
    (0..).map(|i| f64::from(i) * step).take_while(|t| *t <= last * 1.000_001).collect()
}

/// Runs that the trend shows.
const RUNS: usize = 26;

fn trend(all: &[TrendPoint]) -> Option<Chart> {
    let shown = all.get(all.len().saturating_sub(RUNS)..).unwrap_or_default();
    if shown.len() < 2 {
        return None;
    }
    let (left, right, top, bottom) = FRAME;
    let up = |p: &TrendPoint| p.new + p.reopened + p.open + p.unverified;
    let (most, least) = (shown.iter().map(up).max().unwrap_or(0).max(1), shown.iter().map(|p| p.resolved).max().unwrap_or(0));
    let unit = (bottom - top - 30.0) / (most + least) as f64;
    let zero = top + 14.0 + most as f64 * unit;
    let step = (right - left) / shown.len() as f64;
    let words = |p: &TrendPoint| {
        format!("{}: {} new, {} reopened, {} open, {} resolved", p.as_of.date(), p.new, p.reopened, p.open + p.unverified, p.resolved)
    };
    let description = shown.iter().map(words).collect::<Vec<_>>().join("; ");
    let mut svg = Svg::new("chart-trend", "New, open and resolved findings, run by run", &description, bottom + 26.0);
    for tick in ticks(most as f64).into_iter().filter(|t| t.fract() == 0.0) {
        let y = zero - tick * unit;
        svg.line("grid", (left, y), (right, y));
        svg.label("end", left - 8.0, y + 4.0, &format!("{tick:.0}"));
    }
    let every = shown.len().div_ceil(6);
    for (i, p) in shown.iter().enumerate() {
        let (x, width) = (left + (i as f64 + 0.15) * step, step * 0.7);
        let mut y = zero;
        for (class, count) in [("c-low", p.open + p.unverified), ("c-high", p.new + p.reopened)] {
            let height = count as f64 * unit;
            y -= height;
            svg.rect(class, x, y, width, height - 1.0);
            if height > 15.0 && width > 26.0 {
                svg.label("mid in", x + width / 2.0, y + height / 2.0 + 4.0, &count.to_string());
            }
        }
        svg.rect("c-good", x, zero + 1.0, width, p.resolved as f64 * unit);
        svg.label("mid sum", x + width / 2.0, y - 4.0, &up(p).to_string());
        if p.resolved > 0 {
            svg.label("mid sum", x + width / 2.0, zero + p.resolved as f64 * unit + 13.0, &p.resolved.to_string());
        }
        if (shown.len() - 1 - i).is_multiple_of(every) {
            svg.label("mid", x + width / 2.0, bottom + 18.0, &p.as_of.date());
        }
    }
    svg.line("axis", (left, zero), (right, zero));
    Some(Chart {
        title: "From run to run".to_owned(),
        note: format!("Findings of the last {} stored runs: above the line what counts, below it what was resolved.", shown.len()),
        svg: svg.finish(),
        key: vec![("c-high", "new and reopened"), ("c-low", "open and unverified"), ("c-good", "resolved")],
    })
}
