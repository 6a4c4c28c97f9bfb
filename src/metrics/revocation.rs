//! How long access outlives the right to it.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::days;
use super::leavers::{Case, Fate, Start};
use super::metric::{Line, Metric, Quantity};
use super::survival::{Interval, TOLERANCE, Turnbull, kaplan_meier, turnbull, with_interval};
use crate::model::time::DAY;

/// The share of cases not yet closed, over time since the end.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Curve {
    /// `effective` or `known`.
    pub clock: String,
    /// Cases in it.
    pub cases: u64,
    pub closed: u64,
    pub open: u64,
    /// The deadline, in days.
    pub sla_days: f64,
    /// In order of time, from 0 on. Between two points the bounds stand still.
    pub points: Vec<CurvePoint>,
    /// Up to where anything was seen, in days.
    pub until_days: f64,
}

/// The bounds of a curve from an instant on.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct CurvePoint {
    pub days: f64,
    pub low: f64,
    pub high: f64,
}

/// Open cases that are listed one by one.
const LISTED: usize = 10;

/// Systems or leavers whose cases print as certain, or as possible.
fn is_certain(case: &Case) -> bool {
    case.linked && case.certain
}

struct Clock {
    id: &'static str,
    title: &'static str,
    name: &'static str,
    begins: &'static str,
    start: fn(&Case) -> Start,
}

const CLOCKS: [Clock; 2] = [
    Clock {
        id: "time-to-revoke",
        title: "Time to revoke, from the end of employment",
        name: "effective",
        begins: "the instant at which the employment ended",
        start: |c| c.end,
    },
    Clock {
        id: "time-to-revoke-known",
        title: "Time to revoke, from when the end was known",
        name: "known",
        begins: "the later of the end of employment and of its entry into the authority",
        start: |c| c.known,
    },
];

/// Both clocks, and the curve of each that can be drawn.
pub fn measure(cases: &[Case], sla: i64) -> (Vec<Metric>, Vec<Curve>) {
    let measured: Vec<(Metric, Option<Curve>)> = CLOCKS.par_iter().map(|clock| one(cases, sla, clock)).collect();
    let (metrics, curves): (Vec<Metric>, Vec<Option<Curve>>) = measured.into_iter().unzip();
    (metrics, curves.into_iter().flatten().collect())
}

/// Cases of one clock, sorted by what can be said of their duration.
struct Sorted<'a> {
    all: Vec<&'a Case>,
    /// In the estimate.
    timed: Vec<(&'a Case, Interval)>,
    /// Nobody knows how long before the first file the end lies.
    undated: Vec<&'a Case>,
    /// The system was first looked at after the end.
    late: Vec<&'a Case>,
    disputed: Vec<&'a Case>,
}

fn sort<'a>(cases: &'a [Case], start: fn(&Case) -> Start) -> Sorted<'a> {
    let all: Vec<&Case> = cases.iter().filter(|c| c.counts()).collect();
    let mut out = Sorted { all, timed: Vec::new(), undated: Vec::new(), late: Vec::new(), disputed: Vec::new() };
    for case in &out.all {
        match case.duration(start(case)) {
            _ if !case.linked => out.disputed.push(case),
            None => out.undated.push(case),
            Some(_) if !case.followed => out.late.push(case),
            Some(interval) => out.timed.push((case, interval)),
        }
    }
    out
}

fn counted<'a>(cases: impl IntoIterator<Item = &'a &'a Case>, keep: impl Fn(&Case) -> bool) -> Quantity {
    let (mut certain, mut possible) = (0, 0);
    for case in cases.into_iter().filter(|c| keep(c)) {
        *(if is_certain(case) { &mut certain } else { &mut possible }) += 1;
    }
    Quantity::Count { certain, possible }
}

fn is_open(case: &Case) -> bool {
    matches!(case.fate, Fate::Open { .. })
}

fn one(cases: &[Case], sla: i64, clock: &Clock) -> (Metric, Option<Curve>) {
    let deadline = sla_text(sla);
    let mut m = Metric::new(
        clock.id,
        clock.title,
        "days",
        &format!(
            "How long a leaver's access lasted, from {} to when the last account in a system no longer let anybody in; the share closed \
             within {deadline}, and the time by which half were closed. Open cases count as lasting at least until the last look; \
             durations between two snapshots count as intervals. Nothing is averaged over the closed cases.",
            clock.begins
        ),
        "One case for each leaver and system in which the leaver had live access at the last look before the end, or at any look after it. \
         Whoever is employed again is no leaver.",
        "Closed by the first complete snapshot after the last sighting that no longer shows live access; access that came back was never \
         closed. The system's own log narrows the interval where it tells of every account. Certain: an account linked to the leaver alone \
         was seen to let people in; possible: a disputed account, or one whose credentials the export does not cover. The estimate is over \
         cases of linked accounts that were followed from before the end.",
    );
    let sorted = sort(cases, clock.start);
    let unseen = cases.iter().filter(|c| c.fate == Fate::NotYetObservable).count() as u64;
    if sorted.all.is_empty() {
        let why = if unseen > 0 {
            "no system was looked at since anybody left".to_owned()
        } else {
            "no live access of a leaver was seen in any snapshot, at or after the end or just before it".to_owned()
        };
        return (m.without(&why), None);
    }
    m.put("cases", counted(&sorted.all, |_| true));
    m.put("closed", counted(&sorted.all, |c| !is_open(c)));
    m.put("open", counted(&sorted.all, is_open));
    m.put("not yet observable", Quantity::count(unseen));
    m.put("first looked at after the end, apart", counted(&sorted.late, |_| true));
    m.put("end not dated, apart", counted(&sorted.undated, |_| true));
    m.put("disputed, apart", counted(&sorted.disputed, |_| true));
    let in_estimate: Vec<&Case> = sorted.timed.iter().map(|t| t.0).collect();
    m.put("in the estimate", counted(&in_estimate, |_| true));
    oldest(&mut m, &sorted.all, clock.start);
    by_system(&mut m, &sorted, sla, clock.start);
    if sorted.timed.is_empty() {
        m.notes.push(
            "no case could be followed from before its end on: there is no estimate, only how long the open ones have lasted at least"
                .to_owned(),
        );
        return (m, None);
    }
    let intervals: Vec<Interval> = sorted.timed.iter().map(|t| t.1).collect();
    let (within, undecided) = decided(&intervals, sla);
    m.put_some(&format!("seen to close within {deadline}"), Quantity::share(within, undecided, intervals.len() as u64));
    let estimate = turnbull(&intervals);
    estimates(&mut m, &estimate, &intervals, sla, &deadline);
    let curve = curve(clock, &sorted, &estimate, &intervals, sla);
    (m, Some(curve))
}

/// How many durations lie within the deadline whatever they are, and how many may or may not.
fn decided(intervals: &[Interval], sla: i64) -> (u64, u64) {
    let within = intervals.iter().filter(|i| i.by.is_some_and(|by| by <= sla)).count() as u64;
    let maybe = intervals.iter().filter(|i| i.after < sla && i.by.is_none_or(|by| by > sla)).count() as u64;
    (within, maybe)
}

fn estimates(m: &mut Metric, estimate: &Turnbull, intervals: &[Interval], sla: i64, deadline: &str) {
    let (low, high) = estimate.survival(sla);
    m.put(&format!("estimated share closed within {deadline}"), Quantity::Estimate { low: 1.0 - high, high: 1.0 - low });
    if let Some((low, high)) = kaplan_meier(intervals).and_then(|steps| with_interval(&steps, sla).1) {
        m.put("its interval of 95 %", Quantity::Estimate { low: 1.0 - high, high: 1.0 - low });
    }
    match estimate.quantile(0.5) {
        Some((low, high)) => m.put("estimated median", Quantity::Days { low: in_days(low), high: high.map(in_days) }),
        None => m.notes.push("the median is not reached: fewer than half have ended".to_owned()),
    }
    if estimate.gap > TOLERANCE {
        m.notes.push(format!("the estimate was still {:.1e} short of its best when the iteration ended", estimate.gap));
    }
    if intervals.iter().any(|i| i.by.is_some() && !i.is_exact()) {
        m.notes.push("durations are known between two looks only. The estimate supposes that when somebody looked has nothing to do with how long a \
                 case lasted, and that all cases are alike; its bounds are not confidence limits. What was seen supposes nothing".to_owned());
    }
}

fn in_days(us: i64) -> f64 {
    us as f64 / DAY as f64
}

fn sla_text(sla: i64) -> String {
    let (hours, days) = (sla / crate::model::time::HOUR, sla / DAY);
    if sla % DAY == 0 && days > 1 { format!("{days} days") } else { format!("{hours} h") }
}

/// How long a case has been open, at least, in days.
fn age(case: &Case, start: Start) -> Option<f64> {
    match case.fate {
        Fate::Open { last } => Some(days(start.by, last).max(0.0)),
        _ => None,
    }
}

fn oldest(m: &mut Metric, all: &[&Case], start: fn(&Case) -> Start) {
    let mut open: Vec<(f64, &Case)> = all.iter().filter_map(|c| age(c, start(c)).map(|a| (a, *c))).collect();
    open.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| (&a.1.leaver, &a.1.system).cmp(&(&b.1.leaver, &b.1.system))));
    let quantity =
        |age: f64, case: &Case| if start(case).exact { Quantity::exact_days(age) } else { Quantity::Days { low: age, high: None } };
    if let Some((age, case)) = open.first() {
        m.put("oldest open case", quantity(*age, case));
    }
    if open.len() > LISTED {
        m.notes.push(format!("{} open cases, of which the {LISTED} oldest are listed", open.len()));
    }
    let lines = open.iter().take(LISTED).map(|(age, case)| Line { key: who(case), cells: vec![Some(quantity(*age, case))] }).collect();
    m.by("oldest open case", &["open for"], lines);
}

/// `Jane Doe (E00100) in ad-corp`.
fn who(case: &Case) -> String {
    match &case.name {
        Some(name) => format!("{name} ({}) in {}", case.leaver, case.system),
        None => format!("{} in {}", case.leaver, case.system),
    }
}

fn by_system(m: &mut Metric, sorted: &Sorted<'_>, sla: i64, start: fn(&Case) -> Start) {
    let mut systems: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    for case in &sorted.all {
        systems.entry(&case.system).or_default().push(case);
    }
    let line = |(system, cases): (&str, Vec<&Case>)| {
        let timed: Vec<Interval> = sorted.timed.iter().filter(|t| t.0.system == system).map(|t| t.1).collect();
        let (within, maybe) = decided(&timed, sla);
        let oldest = cases.iter().filter_map(|c| age(c, start(c))).max_by(f64::total_cmp);
        let cells = vec![
            Some(counted(&cases, |_| true)),
            Some(counted(&cases, |c| !is_open(c))),
            Some(counted(&cases, is_open)),
            Quantity::share(within, maybe, timed.len() as u64),
            oldest.map(Quantity::exact_days),
        ];
        Line { key: system.to_owned(), cells }
    };
    let within = format!("within {}", sla_text(sla));
    m.by("system", &["cases", "closed", "open", &within, "oldest open"], systems.into_iter().map(line).collect());
}

fn curve(clock: &Clock, sorted: &Sorted<'_>, estimate: &Turnbull, intervals: &[Interval], sla: i64) -> Curve {
    let open = sorted.timed.iter().filter(|t| is_open(t.0)).count() as u64;
    let until = intervals.iter().map(|i| i.by.unwrap_or(i.after)).max().unwrap_or(0).max(0);
    Curve {
        clock: clock.name.to_owned(),
        cases: sorted.timed.len() as u64,
        closed: sorted.timed.len() as u64 - open,
        open,
        sla_days: in_days(sla),
        points: points(estimate, until),
        until_days: in_days(until),
    }
}

/// Points of a curve; of more, some are left out.
const POINTS: usize = 400;

/// The bounds at each bend. Where bends are left out, the bounds reach to the next one that is not, so they hold all the same.
fn points(estimate: &Turnbull, until: i64) -> Vec<CurvePoint> {
    let bends: Vec<i64> = std::iter::once(0).chain(estimate.bends().into_iter().filter(|t| *t > 0)).collect();
    let kept: Vec<i64> = bends.iter().copied().step_by(bends.len().div_ceil(POINTS)).collect();
    let all = kept.len() == bends.len();
    let next = kept.iter().skip(1).copied().chain([until.saturating_add(1)]);
    let point = |(at, next): (&i64, i64)| {
        let (low, high) = estimate.survival(*at);
        let low = if all { low } else { estimate.survival(next.max(at + 1) - 1).0 };
        CurvePoint { days: in_days(*at), low, high }
    };
    kept.iter().zip(next).map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::super::survival::turnbull;
    use super::*;

    #[test]
    fn a_curve_with_bends_left_out_still_holds_the_whole_one() {
        let seen: Vec<Interval> = (0..2_000).map(|i| Interval { after: i * 7 % 5_000, by: Some(i * 7 % 5_000 + 3 + i % 40) }).collect();
        let estimate = turnbull(&seen);
        let points = points(&estimate, 5_100);
        assert!((POINTS / 2..=POINTS).contains(&points.len()) && estimate.bends().len() > POINTS, "{}", points.len());
        for t in 0..5_100 {
            let (low, high) = estimate.survival(t);
            let held = points.iter().take_while(|p| p.days <= in_days(t)).last().unwrap();
            assert!(held.low <= low + 1e-9 && held.high >= high - 1e-9, "{t}: {held:?} {low} {high}");
        }
    }
}
