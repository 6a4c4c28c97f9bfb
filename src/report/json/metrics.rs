//! The metrics of `holdover.report/v1`, which are `holdover.metrics/v1` as well. Frozen like the rest; it is read back, too.

use serde::{Deserialize, Serialize};

use crate::metrics::{Breakdown, Curve, CurvePoint, Line, Metric, Metrics, Quantity, TrendPoint, Value};
use crate::model::Time;

/// Metrics, curves and trend.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct MetricsV1 {
    list: Vec<MetricV1>,
    revocation_curves: Vec<CurveV1>,
    trend: Vec<TrendV1>,
}

/// `metrics.json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct MetricsFileV1 {
    pub schema: String,
    pub tool_version: String,
    pub run: String,
    pub as_of: Time,
    pub metrics: MetricsV1,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct MetricV1 {
    id: String,
    title: String,
    definition: String,
    population: String,
    counting: String,
    unit: String,
    not_measurable: Option<String>,
    values: Vec<ValueV1>,
    breakdowns: Vec<BreakdownV1>,
    notes: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct ValueV1 {
    name: String,
    value: QuantityV1,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct BreakdownV1 {
    by: String,
    columns: Vec<String>,
    lines: Vec<LineV1>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct LineV1 {
    key: String,
    cells: Vec<Option<QuantityV1>>,
}

/// `low` and `high` bound the number in its unit; counts and shares are counted in `certain`, `possible` and `of`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct QuantityV1 {
    kind: String,
    text: String,
    certain: Option<u64>,
    possible: Option<u64>,
    of: Option<u64>,
    low: f64,
    high: Option<f64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct CurveV1 {
    clock: String,
    cases: u64,
    closed: u64,
    open: u64,
    sla_days: f64,
    until_days: f64,
    points: Vec<PointV1>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct PointV1 {
    days: f64,
    low: f64,
    high: f64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct TrendV1 {
    run: String,
    as_of: Time,
    certain: u64,
    possible: u64,
    new: u64,
    open: u64,
    reopened: u64,
    unverified: u64,
    excepted: u64,
    resolved: u64,
}

/// Six digits after the point: what lies beyond differs between machines, if anywhere.
fn round(x: f64) -> f64 {
    // Adding nothing turns -0 into 0.
    (x * 1e6).round() / 1e6 + 0.0
}

impl From<&Quantity> for QuantityV1 {
    fn from(q: &Quantity) -> Self {
        let (certain, possible, of) = match *q {
            Quantity::Count { certain, possible } => (Some(certain), Some(possible), None),
            Quantity::Share { certain, possible, of } => (Some(certain), Some(possible), Some(of)),
            _ => (None, None, None),
        };
        let (low, high) = q.bounds();
        Self { kind: q.kind().to_owned(), text: q.text(), certain, possible, of, low: round(low), high: high.map(round) }
    }
}

impl QuantityV1 {
    /// `None`: a kind that this version does not know.
    fn quantity(&self) -> Option<Quantity> {
        Some(match (self.kind.as_str(), self.certain, self.possible, self.of, self.high) {
            ("count", Some(certain), Some(possible), ..) => Quantity::Count { certain, possible },
            ("share", Some(certain), Some(possible), Some(of), _) => Quantity::Share { certain, possible, of },
            ("days", .., high) => Quantity::Days { low: self.low, high },
            ("estimate", .., Some(high)) => Quantity::Estimate { low: self.low, high },
            _ => return None,
        })
    }
}

impl From<&Metrics> for MetricsV1 {
    fn from(m: &Metrics) -> Self {
        Self {
            list: m.list.iter().map(Into::into).collect(),
            revocation_curves: m.curves.iter().map(Into::into).collect(),
            trend: m.trend.iter().map(Into::into).collect(),
        }
    }
}

impl From<&Metric> for MetricV1 {
    fn from(m: &Metric) -> Self {
        Self {
            id: m.id.clone(),
            title: m.title.clone(),
            definition: m.definition.clone(),
            population: m.population.clone(),
            counting: m.counting.clone(),
            unit: m.unit.clone(),
            not_measurable: m.not_measurable.clone(),
            values: m.values.iter().map(|v| ValueV1 { name: v.name.clone(), value: (&v.quantity).into() }).collect(),
            breakdowns: m.breakdowns.iter().map(Into::into).collect(),
            notes: m.notes.clone(),
        }
    }
}

impl From<&Breakdown> for BreakdownV1 {
    fn from(b: &Breakdown) -> Self {
        let line = |l: &Line| LineV1 { key: l.key.clone(), cells: l.cells.iter().map(|c| c.as_ref().map(Into::into)).collect() };
        Self { by: b.by.clone(), columns: b.columns.clone(), lines: b.lines.iter().map(line).collect() }
    }
}

impl From<&Curve> for CurveV1 {
    fn from(c: &Curve) -> Self {
        let point = |p: &CurvePoint| PointV1 { days: round(p.days), low: round(p.low), high: round(p.high) };
        Self {
            clock: c.clock.clone(),
            cases: c.cases,
            closed: c.closed,
            open: c.open,
            sla_days: round(c.sla_days),
            until_days: round(c.until_days),
            points: c.points.iter().map(point).collect(),
        }
    }
}

impl From<&TrendPoint> for TrendV1 {
    fn from(t: &TrendPoint) -> Self {
        Self {
            run: t.run.clone(),
            as_of: t.as_of,
            certain: t.certain,
            possible: t.possible,
            new: t.new,
            open: t.open,
            reopened: t.reopened,
            unverified: t.unverified,
            excepted: t.excepted,
            resolved: t.resolved,
        }
    }
}

impl MetricsV1 {
    /// The metrics as they were measured; curves and trend stay in the file.
    pub fn list(&self) -> Vec<Metric> {
        self.list.iter().map(MetricV1::metric).collect()
    }
}

impl MetricV1 {
    fn metric(&self) -> Metric {
        let value = |v: &ValueV1| v.value.quantity().map(|quantity| Value { name: v.name.clone(), quantity });
        let line =
            |l: &LineV1| Line { key: l.key.clone(), cells: l.cells.iter().map(|c| c.as_ref().and_then(QuantityV1::quantity)).collect() };
        Metric {
            id: self.id.clone(),
            title: self.title.clone(),
            definition: self.definition.clone(),
            population: self.population.clone(),
            counting: self.counting.clone(),
            unit: self.unit.clone(),
            not_measurable: self.not_measurable.clone(),
            values: self.values.iter().filter_map(value).collect(),
            breakdowns: self
                .breakdowns
                .iter()
                .map(|b| Breakdown { by: b.by.clone(), columns: b.columns.clone(), lines: b.lines.iter().map(line).collect() })
                .collect(),
            notes: self.notes.clone(),
        }
    }
}
