//! What a metric is: a number that carries its definition, its population and its doubt.

/// One number, with how far it may reach.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub enum Quantity {
    /// So many for certain, and so many more possibly.
    Count { certain: u64, possible: u64 },
    /// The same as a part of `of`, which is not 0.
    Share { certain: u64, possible: u64, of: u64 },
    /// A length of time between two bounds, in days; `high` `None`: without an upper bound.
    Days { low: f64, high: Option<f64> },
    /// An estimated share between two bounds, 0 to 1.
    Estimate { low: f64, high: f64 },
}

impl Quantity {
    /// So many for certain.
    pub const fn count(certain: u64) -> Self {
        Self::Count { certain, possible: 0 }
    }

    /// A part of `of`; `None` where there is nothing to be a part of.
    pub fn share(certain: u64, possible: u64, of: u64) -> Option<Self> {
        (of > 0).then_some(Self::Share { certain, possible, of })
    }

    /// A length of time that is known.
    pub const fn exact_days(days: f64) -> Self {
        Self::Days { low: days, high: Some(days) }
    }

    /// The word for its kind in JSON.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Count { .. } => "count",
            Self::Share { .. } => "share",
            Self::Days { .. } => "days",
            Self::Estimate { .. } => "estimate",
        }
    }

    /// The least and the most that it may be, in its unit; shares 0 to 1; `None`: without an upper bound.
    pub fn bounds(&self) -> (f64, Option<f64>) {
        match *self {
            Self::Count { certain, possible } => (certain as f64, Some((certain + possible) as f64)),
            Self::Share { certain, possible, of } => (part(certain, of), Some(part(certain + possible, of))),
            Self::Days { low, high } => (low, high),
            Self::Estimate { low, high } => (low, Some(high)),
        }
    }

    /// As people read it. Counts: `12 (up to 14)`; digits are fixed, so that the same number always looks the same.
    pub fn text(&self) -> String {
        match *self {
            Self::Count { certain, possible: 0 } => certain.to_string(),
            Self::Count { certain, possible } => format!("{certain} (up to {})", certain + possible),
            Self::Share { certain, possible: 0, of } => format!("{certain} of {of}, {}", percent(part(certain, of))),
            Self::Share { certain, possible, of } => {
                let most = certain + possible;
                format!("{certain} of {of}, {} (up to {most}, {})", percent(part(certain, of)), percent(part(most, of)))
            }
            Self::Days { low, high: None } if same(low, 0.0) => "unknown".to_owned(),
            Self::Days { low, high: None } => format!("at least {low:.2} days"),
            Self::Days { low, high: Some(high) } if same(low, high) => format!("{low:.2} days"),
            Self::Days { low, high: Some(high) } => format!("{low:.2} to {high:.2} days"),
            Self::Estimate { low, high } if percent(low) == percent(high) => percent(low),
            Self::Estimate { low, high } => format!("{} to {}", percent(low), percent(high)),
        }
    }
}

/// Whether two lengths print alike.
fn same(a: f64, b: f64) -> bool {
    format!("{a:.2}") == format!("{b:.2}")
}

fn part(some: u64, of: u64) -> f64 {
    some as f64 / of as f64
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A named number of a metric.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Value {
    pub name: String,
    pub quantity: Quantity,
}

/// A metric by something: by system, by owner, by age.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Breakdown {
    /// What the lines differ in.
    pub by: String,
    /// Names of the cells.
    pub columns: Vec<String>,
    pub lines: Vec<Line>,
}

/// One line of a breakdown.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Line {
    /// Hostile input.
    pub key: String,
    /// One for each column; `None`: nothing to tell.
    pub cells: Vec<Option<Quantity>>,
}

/// A number, or why there is none, with everything that is needed to read it.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Metric {
    pub id: String,
    pub title: String,
    /// What it says.
    pub definition: String,
    /// Whom or what it speaks of.
    pub population: String,
    /// What counts as one, and what is certain and what possible.
    pub counting: String,
    /// Unit of its values.
    pub unit: String,
    /// Why it could not be measured; `None`: it was.
    pub not_measurable: Option<String>,
    pub values: Vec<Value>,
    pub breakdowns: Vec<Breakdown>,
    /// What must be known to read the values, one sentence each.
    pub notes: Vec<String>,
}

impl Metric {
    /// A metric without values.
    pub fn new(id: &str, title: &str, unit: &str, definition: &str, population: &str, counting: &str) -> Self {
        Self {
            id: id.to_owned(),
            title: title.to_owned(),
            definition: definition.to_owned(),
            population: population.to_owned(),
            counting: counting.to_owned(),
            unit: unit.to_owned(),
            not_measurable: None,
            values: Vec::new(),
            breakdowns: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// It could not be measured.
    #[must_use]
    pub fn without(mut self, reason: &str) -> Self {
        self.not_measurable = Some(reason.to_owned());
        self
    }

    /// Adds a value.
    pub fn put(&mut self, name: &str, quantity: Quantity) {
        self.values.push(Value { name: name.to_owned(), quantity });
    }

    /// Adds a value where there is one.
    pub fn put_some(&mut self, name: &str, quantity: Option<Quantity>) {
        self.values.extend(quantity.map(|quantity| Value { name: name.to_owned(), quantity }));
    }

    /// Adds a breakdown that has lines.
    pub fn by(&mut self, by: &str, columns: &[&str], lines: Vec<Line>) {
        if !lines.is_empty() {
            self.breakdowns.push(Breakdown { by: by.to_owned(), columns: columns.iter().map(|c| (*c).to_owned()).collect(), lines });
        }
    }

    /// The value of a name.
    pub fn value(&self, name: &str) -> Option<&Quantity> {
        self.values.iter().find(|v| v.name == name).map(|v| &v.quantity)
    }
}

/// The metrics of a run with the series that charts are drawn from.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Metrics {
    pub list: Vec<Metric>,
    /// One for each clock that could be measured.
    pub curves: Vec<super::Curve>,
    /// Stored runs, oldest first, this one last.
    pub trend: Vec<super::TrendPoint>,
}

/// Bands of ages in days: name and first day above.
pub const BANDS: [(&str, f64); 6] = [
    ("up to 30 days", 30.0),
    ("31 to 60 days", 60.0),
    ("61 to 90 days", 90.0),
    ("91 to 180 days", 180.0),
    ("181 to 365 days", 365.0),
    ("over 365 days", f64::INFINITY),
];

/// The band of an age; the upper end of a band belongs to it.
pub fn band(age: Option<f64>) -> &'static str {
    age.map_or("unknown", |age| BANDS.iter().find(|(_, end)| age <= *end).map_or("unknown", |(name, _)| name))
}

/// The place of a band among all, `unknown` last.
pub fn band_order(name: &str) -> usize {
    BANDS.iter().position(|(n, _)| *n == name).unwrap_or(BANDS.len())
}

/// Counts by key, certain and possible, as lines in the order of the keys.
#[derive(Debug, Default)]
pub struct Tally(std::collections::BTreeMap<String, Vec<(u64, u64)>>);

impl Tally {
    /// One more under `key`, in cell `column` of `columns`.
    pub fn add(&mut self, key: &str, column: usize, columns: usize, certain: bool) {
        self.add_many(key, column, columns, certain, 1);
    }

    /// So many more.
    pub fn add_many(&mut self, key: &str, column: usize, columns: usize, certain: bool, many: u64) {
        if !self.0.contains_key(key) {
            self.0.insert(key.to_owned(), vec![(0, 0); columns]);
        }
        if let Some(cell) = self.0.get_mut(key).and_then(|cells| cells.get_mut(column)) {
            *(if certain { &mut cell.0 } else { &mut cell.1 }) += many;
        }
    }

    /// The lines, counts in each cell.
    pub fn lines(self) -> Vec<Line> {
        let cell = |(certain, possible)| Some(Quantity::Count { certain, possible });
        self.0.into_iter().map(|(key, cells)| Line { key, cells: cells.into_iter().map(cell).collect() }).collect()
    }

    /// The lines with the last cell as the population: a share of it for every other.
    pub fn shares(self) -> Vec<Line> {
        self.0
            .into_iter()
            .map(|(key, cells)| {
                let of = cells.last().map_or(0, |c| c.0);
                let shares = cells.split_last().map(|(_, rest)| rest).unwrap_or_default();
                let mut out: Vec<_> = shares.iter().map(|(certain, possible)| Quantity::share(*certain, *possible, of)).collect();
                out.push(Some(Quantity::count(of)));
                Line { key, cells: out }
            })
            .collect()
    }
}
