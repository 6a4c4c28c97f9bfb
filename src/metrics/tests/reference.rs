//! Kaplan–Meier and Turnbull against published results, hand calculation and a reference that is slow and obvious.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::metrics::survival::{Interval, TOLERANCE, kaplan_meier, turnbull, with_interval};

const UNIT: i64 = 1_000;

fn exact(t: i64) -> Interval {
    Interval::exact(t * UNIT)
}

fn still(t: i64) -> Interval {
    Interval { after: t * UNIT, by: None }
}

fn close(a: f64, b: f64, by: f64) -> bool {
    (a - b).abs() <= by
}

/// The arm of Freireich's trial of 1963 that had 6-MP: weeks in remission.
fn freireich() -> Vec<Interval> {
    let ended = [6, 6, 6, 7, 10, 13, 16, 22, 23].map(exact);
    ended.into_iter().chain([6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35].map(still)).collect()
}

#[test]
fn kaplan_meier_gives_freireichs_published_curve_and_errors() {
    let steps = kaplan_meier(&freireich()).unwrap();
    let want = [
        (6, 0.8571, 0.0764),
        (7, 0.8067, 0.0869),
        (10, 0.7529, 0.0963),
        (13, 0.6902, 0.1068),
        (16, 0.6275, 0.1141),
        (22, 0.5378, 0.1282),
        (23, 0.4482, 0.1346),
    ];
    assert_eq!(steps.len(), want.len());
    for (step, (at, survival, error)) in steps.iter().zip(want) {
        assert_eq!(step.at, at * UNIT);
        assert!(close(step.survival, survival, 5e-5) && close(step.error.unwrap(), error, 5e-5), "{step:?}");
    }
    assert_eq!(turnbull(&freireich()).quantile(0.5).map(|q| (q.0 / UNIT, q.1.unwrap() / UNIT)), Some((23, 23)));
    // The mean of the closed cases alone would be 12.1: that is why nothing is averaged.
    let closed: Vec<i64> = freireich().iter().filter_map(|i| i.by).collect();
    assert!(close(closed.iter().sum::<i64>() as f64 / closed.len() as f64 / UNIT as f64, 12.1, 0.05));
}

#[test]
fn kaplan_meier_gives_the_published_curve_of_the_maintained_arm_of_aml() {
    let seen: Vec<Interval> = [9, 13, 18, 23, 31, 34, 48].map(exact).into_iter().chain([13, 28, 45, 161].map(still)).collect();
    let steps = kaplan_meier(&seen).unwrap();
    let got: Vec<(i64, f64, f64)> = steps.iter().map(|s| (s.at / UNIT, s.survival, s.error.unwrap())).collect();
    let want = [
        (9, 0.909, 0.0867),
        (13, 0.818, 0.1163),
        (18, 0.716, 0.1397),
        (23, 0.614, 0.1526),
        (31, 0.491, 0.1642),
        (34, 0.368, 0.1627),
        (48, 0.184, 0.1535),
    ];
    for (g, w) in got.iter().zip(want) {
        assert!(g.0 == w.0 && close(g.1, w.1, 5e-4) && close(g.2, w.2, 5e-5), "{g:?} {w:?}");
    }
    // log(−log), by hand: θ = 1.96 · 0.1397 / (0.7159 · ln 0.7159) = −1.1442; 0.7159^exp(∓θ).
    let (survival, ends) = with_interval(&steps, 20 * UNIT);
    let (low, high) = ends.unwrap();
    assert!(close(survival, 0.7159, 5e-5) && close(low, 0.3502, 5e-4) && close(high, 0.8990, 5e-4), "{low} {high}");
}

#[test]
fn turnbull_gives_his_own_example_of_1974() {
    // Deaths, losses after, and late entries by each of four periods.
    let mut seen = Vec::new();
    for (period, (deaths, losses, late)) in (1..).zip([(12, 3, 2), (6, 2, 4), (2, 0, 2), (3, 3, 5)]) {
        seen.extend((0..deaths).map(|_| exact(period)));
        seen.extend((0..losses).map(|_| still(period)));
        seen.extend((0..late).map(|_| Interval { after: -1, by: Some(period * UNIT) }));
    }
    let estimate = turnbull(&seen);
    for (period, want) in (1..).zip([0.538, 0.295, 0.210, 0.095]) {
        let (low, high) = estimate.survival(period * UNIT);
        assert!(close(low, want, 5e-4) && close(high, want, 5e-4), "{period}: {low} {high}");
    }
}

#[test]
fn an_interval_gives_bounds_and_nothing_in_between() {
    // Two cases by hand: one ended in (0, 10], one in (5, 8]; all mass lies in (5, 8].
    let seen = [Interval { after: 0, by: Some(10) }, Interval { after: 5, by: Some(8) }];
    let estimate = turnbull(&seen);
    assert_eq!([5, 6, 7, 8].map(|t| estimate.survival(t)), [(1.0, 1.0), (0.0, 1.0), (0.0, 1.0), (0.0, 0.0)]);
    assert_eq!(estimate.quantile(0.5), Some((6, Some(8))));
    // One case in three never ended: a third of the mass lies after the last look, half has ended by the second.
    let open = [exact(1), exact(2), still(3)];
    assert_eq!(turnbull(&open).quantile(0.5).map(|q| q.0), Some(2 * UNIT));
    assert_eq!(turnbull(&open).quantile(0.9), Some((3 * UNIT + 1, None)));
}

#[test]
fn intervals_that_touch_share_nothing_and_an_end_at_a_censoring_comes_first() {
    let touching = [Interval { after: 0, by: Some(5) }, Interval { after: 5, by: Some(9) }];
    assert_eq!(turnbull(&touching).survival(5), (0.5, 0.5));
    // Last seen at 5 and ended at 5: whoever ended did so while the other was still there.
    let tie = [exact(5), still(5)];
    assert!(close(kaplan_meier(&tie).unwrap()[0].survival, 0.5, 1e-12));
    assert_eq!(kaplan_meier(&touching), None);
    assert!(turnbull(&[]).masses.is_empty());
}

/// The likelihood of masses, straight from its definition.
fn log_likelihood(seen: &[Interval], masses: &[(i64, i64, f64)]) -> f64 {
    let end = |by: Option<i64>| by.unwrap_or(i64::MAX);
    let of = |i: &Interval| masses.iter().filter(|m| m.0 >= i.after && m.1 <= end(i.by)).map(|m| m.2).sum::<f64>();
    seen.iter().map(|i| of(i).ln()).sum()
}

/// Every interval between neighbouring ends, masses found by trying all steps of a fine grid, each shift that helps taken.
fn brute_force(seen: &[Interval]) -> f64 {
    let end = |by: Option<i64>| by.unwrap_or(i64::MAX);
    let mut ends: Vec<i64> = seen.iter().flat_map(|i| [i.after, end(i.by)]).collect();
    ends.sort_unstable();
    ends.dedup();
    let mut cells: Vec<(i64, i64, f64)> = ends.windows(2).map(|w| (w[0], w[1], 0.0)).collect();
    let n = cells.len() as f64;
    cells.iter_mut().for_each(|c| c.2 = 1.0 / n);
    let mut best = log_likelihood(seen, &cells);
    let mut step: f64 = 0.25;
    while step > 1e-7 {
        let mut moved = false;
        for from in 0..cells.len() {
            for to in 0..cells.len() {
                let shift = step.min(cells[from].2);
                if from == to || shift <= 0.0 {
                    continue;
                }
                let held = cells.clone();
                cells[from].2 -= shift;
                cells[to].2 += shift;
                let now = log_likelihood(seen, &cells);
                if now > best + 1e-12 {
                    (best, moved) = (now, true);
                } else {
                    cells = held;
                }
            }
        }
        if !moved {
            step /= 2.0;
        }
    }
    best
}

fn world(random: &mut ChaCha8Rng) -> Vec<Interval> {
    let below = |random: &mut ChaCha8Rng, n: u32| i64::from(random.next_u32() % n);
    let size = 1 + below(random, 7);
    (0..size)
        .map(|_| {
            let after = below(random, 9) - 1;
            match below(random, 4) {
                0 => Interval { after, by: None },
                1 => Interval::exact(after + 1),
                _ => Interval { after, by: Some(after + 1 + below(random, 6)) },
            }
        })
        .collect()
}

#[test]
fn turnbull_is_as_likely_as_anything_that_brute_force_finds() {
    let mut random = ChaCha8Rng::seed_from_u64(20_261_122);
    for _ in 0..300 {
        let seen = world(&mut random);
        let estimate = turnbull(&seen);
        assert!(estimate.gap <= TOLERANCE, "{seen:?}");
        let masses: Vec<(i64, i64, f64)> = estimate.masses.iter().map(|m| (m.after, m.by.unwrap_or(i64::MAX), m.mass)).collect();
        assert!(close(masses.iter().map(|m| m.2).sum(), 1.0, 1e-9), "{seen:?}");
        let (got, best) = (log_likelihood(&seen, &masses), brute_force(&seen));
        assert!(got >= best - 1e-5, "{got} < {best}: {seen:?}");
    }
}

#[test]
fn without_intervals_turnbull_is_kaplan_meier_and_both_are_the_product_by_definition() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for _ in 0..300 {
        let size = 1 + random.next_u32() % 30;
        let mut one = || {
            let t = i64::from(random.next_u32() % 12);
            if random.next_u32().is_multiple_of(3) { still(t) } else { exact(t) }
        };
        let seen: Vec<Interval> = (0..size).map(|_| one()).collect();
        let (steps, estimate) = (kaplan_meier(&seen).unwrap(), turnbull(&seen));
        for t in 0..=12 {
            let at = t * UNIT;
            // One factor for each instant up to t at which somebody ended.
            let product: f64 = (0..=t)
                .map(|u| {
                    let ended = seen.iter().filter(|i| i.by == Some(u * UNIT)).count() as f64;
                    let at_risk = seen.iter().filter(|i| i.by.map_or(i.after >= u * UNIT, |by| by >= u * UNIT)).count() as f64;
                    if ended == 0.0 { 1.0 } else { 1.0 - ended / at_risk }
                })
                .product();
            assert!(close(with_interval(&steps, at).0, product, 1e-12), "{t}: {seen:?}");
            let (low, high) = estimate.survival(at);
            let beyond = seen.iter().filter_map(|i| i.by).max().unwrap_or(-1);
            // After the last end the masses tell nothing: from the last censoring on they may all lie right behind it.
            let known = at <= beyond || high == low;
            assert!(!known || close(low, product, 1e-5), "{t}: {low} {product} {seen:?}");
            assert!(close(high, product, 1e-5), "{t}: {high} {product} {seen:?}");
        }
    }
}
