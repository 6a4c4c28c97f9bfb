//! How long until something happened, where it was seen to happen late or is still to come.
//!
//! Kaplan–Meier for what is exact or right-censored, Turnbull's self-consistency for what is known between two looks only.
//! Instants are whole microseconds, so an exact instant is the interval of one microsecond that ends with it.

/// What is known of one duration, in microseconds: it lies after `after` and at or before `by`.
///
/// `by` `None`: it had not ended after `after` (right-censored). `after` -1 lets it be 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval {
    pub after: i64,
    pub by: Option<i64>,
}

impl Interval {
    /// A duration that is known.
    pub const fn exact(at: i64) -> Self {
        Self { after: at - 1, by: Some(at) }
    }

    /// Whether it is known to the microsecond.
    pub fn is_exact(&self) -> bool {
        self.by == Some(self.after + 1)
    }
}

/// A step of a Kaplan–Meier curve: just after `at`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    pub at: i64,
    pub survival: f64,
    /// Greenwood's standard error; `None` where nobody is left.
    pub error: Option<f64>,
}

/// Kaplan–Meier with Greenwood's errors. `None`: some duration is known between two instants only.
pub fn kaplan_meier(seen: &[Interval]) -> Option<Vec<Step>> {
    if !seen.iter().all(|i| i.by.is_none() || i.is_exact()) {
        return None;
    }
    let mut ends: Vec<i64> = seen.iter().filter_map(|i| i.by).collect();
    ends.sort_unstable();
    // Whoever was last seen at the very instant of an end was still there when it came.
    let mut until: Vec<i64> = seen.iter().map(|i| i.by.unwrap_or(i.after)).collect();
    until.sort_unstable();
    let mut steps = Vec::new();
    let (mut survival, mut sum) = (1.0, 0.0);
    for same in ends.chunk_by(|a, b| a == b) {
        let Some(at) = same.first().copied() else { continue };
        let at_risk = (until.len() - until.partition_point(|t| *t < at)) as f64;
        let ended = same.len() as f64;
        survival *= 1.0 - ended / at_risk;
        sum += ended / (at_risk * (at_risk - ended));
        steps.push(Step { at, survival, error: (at_risk > ended).then(|| survival * sum.sqrt()) });
    }
    Some(steps)
}

/// The normal deviate of a two-sided interval of 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// The share not yet ended just after `at`, and its interval of 95 % by log(−log); `None` where the interval is not defined.
pub fn with_interval(steps: &[Step], at: i64) -> (f64, Option<(f64, f64)>) {
    let Some(step) = steps.iter().take_while(|s| s.at <= at).last() else { return (1.0, None) };
    let Some(error) = step.error.filter(|e| *e > 0.0) else { return (step.survival, None) };
    let log = step.survival.ln();
    let spread = (Z * error / (step.survival * log)).exp();
    let ends = (step.survival.powf(spread), step.survival.powf(1.0 / spread));
    (step.survival, Some((ends.0.min(ends.1), ends.0.max(ends.1))))
}

/// A part of the estimate: a mass somewhere after `after` and at or before `by`; where inside, nobody can tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mass {
    pub after: i64,
    /// `None`: later than every look.
    pub by: Option<i64>,
    pub mass: f64,
}

/// The estimate of largest likelihood over intervals.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turnbull {
    /// In order of time; masses add up to 1.
    pub masses: Vec<Mass>,
    /// How far it is from the best one: no shift of mass gains more than this much log-likelihood per observation.
    pub gap: f64,
}

/// Gap at which the iteration ends.
pub const TOLERANCE: f64 = 1e-8;

/// Rounds after which it ends in any case, and steps, of which a round takes one for each cell and each kind of observation.
const ROUNDS: usize = 20_000;
const STEPS: usize = 200_000_000;

/// Turnbull's self-consistent estimate, by iteration from equal masses.
pub fn turnbull(seen: &[Interval]) -> Turnbull {
    let cells = innermost(seen);
    if cells.is_empty() {
        return Turnbull::default();
    }
    let spans = spans(seen, &cells);
    let n = seen.len() as f64;
    let (mut p, mut gap) = settle(&spans, n, vec![1.0 / cells.len() as f64; cells.len()]);
    // Masses that the best estimate does not have die out slowly, and would shift a median by a cell: without them it must be as good.
    for small in [1e-2, 1e-3, 1e-4, 1e-5, 1e-6] {
        let kept: Vec<f64> = p.iter().map(|x| if *x < small { 0.0 } else { *x }).collect();
        let sum: f64 = kept.iter().sum();
        if sum <= 0.0 || kept.iter().zip(&p).all(|(a, b)| a == b) {
            continue;
        }
        let (fewer, as_good) = settle(&spans, n, kept.iter().map(|x| x / sum).collect());
        if as_good <= TOLERANCE {
            (p, gap) = (fewer, as_good);
            break;
        }
    }
    let masses = cells.into_iter().zip(p).map(|((after, by), mass)| Mass { after, by, mass }).collect();
    Turnbull { masses, gap }
}

/// Repeats the step of self-consistency until no cell with mass gains by more, and tells how much any cell would gain.
fn settle(spans: &[(usize, usize, f64)], n: f64, mut p: Vec<f64>) -> (Vec<f64>, f64) {
    let most = |gain: &[f64], p: &[f64], all: bool| {
        gain.iter().zip(p).filter(|(_, x)| all || **x > 0.0).fold(0.0_f64, |most, (g, _)| most.max(g / n - 1.0))
    };
    for _ in 0..ROUNDS.min(STEPS / (spans.len() + p.len()).max(1)) {
        let gain = gains(spans, &p);
        if most(&gain, &p, false) <= TOLERANCE {
            break;
        }
        for (p, g) in p.iter_mut().zip(&gain) {
            *p *= g / n;
        }
    }
    let gap = most(&gains(spans, &p), &p, true);
    (p, gap)
}

/// The intervals that begin with a left end and end with the next right end: only there the estimate has mass.
fn innermost(seen: &[Interval]) -> Vec<(i64, Option<i64>)> {
    // A right end at the instant of a left end goes before it: (a, b] and (b, c] share nothing. Without an end: after all others.
    let key = |by: Option<i64>| by.unwrap_or(i64::MAX);
    let mut ends: Vec<(i64, bool)> = seen.iter().flat_map(|i| [(i.after, true), (key(i.by), false)]).collect();
    ends.sort_unstable();
    ends.dedup();
    let pairs = ends.iter().zip(ends.iter().skip(1));
    let found = pairs.filter(|(left, right)| left.1 && !right.1);
    found.map(|(left, right)| (left.0, (right.0 != i64::MAX).then_some(right.0))).collect()
}

/// Which cells each distinct observation holds (first, one after the last), and how many observed it.
fn spans(seen: &[Interval], cells: &[(i64, Option<i64>)]) -> Vec<(usize, usize, f64)> {
    let mut sorted = seen.to_vec();
    sorted.sort_unstable();
    let end = |by: Option<i64>| by.unwrap_or(i64::MAX);
    sorted
        .chunk_by(|a, b| a == b)
        .filter_map(|same| {
            let i = same.first()?;
            let from = cells.partition_point(|c| c.0 < i.after);
            let to = cells.partition_point(|c| end(c.1) <= end(i.by));
            Some((from, to, same.len() as f64))
        })
        .collect()
}

/// For each cell, the sum over the observations that hold it of 1 / (mass that the observation holds).
fn gains(spans: &[(usize, usize, f64)], p: &[f64]) -> Vec<f64> {
    let mut sums = Vec::with_capacity(p.len() + 1);
    let mut sum = 0.0;
    sums.push(sum);
    for x in p {
        sum += x;
        sums.push(sum);
    }
    let at = |i: usize| sums.get(i).copied().unwrap_or(sum);
    // Each observation adds the same to all cells of its span: the differences at its ends, then summed up.
    let mut steps = vec![0.0; p.len() + 1];
    for (from, to, count) in spans {
        let share = count / (at(*to) - at(*from)).max(f64::MIN_POSITIVE);
        if let Some(step) = steps.get_mut(*from) {
            *step += share;
        }
        if let Some(step) = steps.get_mut(*to) {
            *step -= share;
        }
    }
    let mut running = 0.0;
    steps
        .iter()
        .take(p.len())
        .map(|s| {
            running += s;
            running
        })
        .collect()
}

impl Turnbull {
    /// The share not yet ended just after `at`: the least and the most that the masses allow.
    pub fn survival(&self, at: i64) -> (f64, f64) {
        let sum = |keep: &dyn Fn(&Mass) -> bool| self.masses.iter().filter(|m| keep(m)).map(|m| m.mass).sum::<f64>();
        let (low, high) = (sum(&|m| m.after >= at), sum(&|m| m.by.is_none_or(|by| by > at)));
        (low.clamp(0.0, 1.0), high.clamp(0.0, 1.0))
    }

    /// The duration by which a share has ended: bounds; `None`: no mass that early, or no upper bound.
    pub fn quantile(&self, share: f64) -> Option<(i64, Option<i64>)> {
        let mut sum = 0.0;
        let cell = self.masses.iter().find(|m| {
            sum += m.mass;
            sum >= share - 1e-6
        })?;
        Some((cell.after + 1, cell.by))
    }

    /// The instants at which the curve may bend, in order. After the last look nobody knows, and nothing bends.
    pub fn bends(&self) -> Vec<i64> {
        let known = self.masses.iter().filter(|m| m.mass > 1e-9).filter_map(|m| m.by.map(|by| [m.after + 1, by]));
        let mut out: Vec<i64> = known.flatten().collect();
        out.sort_unstable();
        out.dedup();
        out
    }
}
