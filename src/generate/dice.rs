//! Chance that is the same on every machine and for any number of threads: what a row draws depends on the seed, its part and its number
//! alone, never on the rows before it. Whole numbers only: how a machine rounds must not show.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The chance of one part of the estate, such as the accounts of one system.
#[derive(Clone, Copy, Debug)]
pub struct Key(u64);

impl Key {
    /// `number`: which of the parts of that name.
    pub fn new(seed: u64, part: &str, number: u64) -> Self {
        let mut hash = Sha256::new();
        for bytes in [&seed.to_le_bytes()[..], part.as_bytes(), &number.to_le_bytes()] {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
        Self(ChaCha8Rng::from_seed(hash.finalize().into()).next_u64())
    }

    /// The dice of one row.
    pub fn dice(self, row: u64) -> Dice {
        Dice(mix(self.0 ^ mix(row.wrapping_add(GOLDEN))))
    }
}

/// SplitMix64's finaliser.
fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// A stream of chance: SplitMix64, which costs a nanosecond where a hundred million rows draw.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number below `n`; 0 where `n` is 0. The bias is below 2^-30 at any size used here.
    pub fn below(&mut self, n: u64) -> u64 {
        let wide = u128::from(self.draw()) * u128::from(n);
        (wide >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high - low + 1).unwrap_or(0);
        low + i64::try_from(self.below(width)).unwrap_or(0)
    }

    /// `true` in so many of a million cases.
    pub fn in_million(&mut self, cases: u64) -> bool {
        self.below(1_000_000) < cases
    }

    /// `true` in `percent` of the cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Ranks below `n`, each as likely as its place is early: the k-th with a weight of 1/k (Zipf). Drawn by Vose's method in constant time.
#[derive(Debug)]
pub struct Zipf {
    /// Of 2^32, how often a place stands for itself.
    own: Vec<u32>,
    /// For what it stands otherwise.
    other: Vec<u32>,
}

impl Zipf {
    pub fn new(n: u32) -> Self {
        let count = n.max(1) as usize;
        let weights: Vec<u128> = (1..=count as u128).map(|k| (1 << 40) / k).collect();
        let total: u128 = weights.iter().sum();
        // Scaled so that the average is `total`.
        let mut left: Vec<u128> = weights.iter().map(|w| w * count as u128).collect();
        let (mut own, mut other) = (vec![u32::MAX; count], (0..n.max(1)).collect::<Vec<u32>>());
        let (mut poor, mut rich): (Vec<usize>, Vec<usize>) = (0..count).partition(|i| left.get(*i).is_some_and(|w| *w < total));
        while let (Some(p), Some(r)) = (poor.pop(), rich.last().copied()) {
            let has = left.get(p).copied().unwrap_or(0);
            if let (Some(o), Some(t)) = (own.get_mut(p), other.get_mut(p)) {
                *o = u32::try_from((has << 32) / total).unwrap_or(u32::MAX);
                *t = u32::try_from(r).unwrap_or(0);
            }
            if let Some(w) = left.get_mut(r) {
                *w -= total - has;
                if *w < total {
                    poor.extend(rich.pop());
                }
            }
        }
        Self { own, other }
    }

    pub fn rank(&self, dice: &mut Dice) -> u32 {
        let drawn = dice.draw();
        let place = (((drawn >> 32) * self.own.len() as u64) >> 32) as usize;
        let keeps = self.own.get(place).is_some_and(|own| (drawn as u32) <= *own);
        if keeps { place as u32 } else { self.other.get(place).copied().unwrap_or(0) }
    }
}

/// Numbers below `n` in another order: each once.
#[derive(Clone, Copy, Debug)]
pub struct Shuffle {
    n: u64,
    step: u64,
    start: u64,
}

impl Shuffle {
    pub fn new(n: u64, dice: &mut Dice) -> Self {
        let n = n.max(1);
        let mut step = dice.below(n) | 1;
        while common(step, n) > 1 {
            step += 2;
        }
        Self { n, step, start: dice.below(n) }
    }

    /// Where `i` (taken modulo `n`) goes.
    pub fn of(self, i: u64) -> u64 {
        let moved = u128::from(i % self.n) * u128::from(self.step) + u128::from(self.start);
        (moved % u128::from(self.n)) as u64
    }
}

fn common(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_draws_the_same_whatever_others_draw() {
        let draw = |seed, part, number, row| Key::new(seed, part, number).dice(row).draw();
        assert_eq!(draw(1, "accounts", 0, 7), draw(1, "accounts", 0, 7));
        let others = [draw(2, "accounts", 0, 7), draw(1, "grants", 0, 7), draw(1, "accounts", 1, 7), draw(1, "accounts", 0, 8)];
        assert!(others.iter().all(|d| *d != draw(1, "accounts", 0, 7)));
    }

    #[test]
    fn the_k_th_rank_is_drawn_as_often_as_one_in_k() {
        let (zipf, mut dice) = (Zipf::new(1_000), Key::new(1, "test", 0).dice(0));
        let mut seen = vec![0u32; 1_000];
        for _ in 0..1_000_000 {
            seen[zipf.rank(&mut dice) as usize] += 1;
        }
        // 1 / H(1000) = 0.1336 of a million.
        for (rank, want) in [(0, 133_600), (1, 66_800), (9, 13_360), (99, 1_336)] {
            assert!(seen[rank].abs_diff(want) < want / 10, "{rank}: {}", seen[rank]);
        }
        assert_eq!(Zipf::new(0).rank(&mut dice), 0);
        assert_eq!(Zipf::new(1).rank(&mut dice), 0);
    }

    #[test]
    fn a_shuffle_meets_every_number_once() {
        for n in [1, 2, 9, 10, 1_000, 4_096] {
            let shuffle = Shuffle::new(n, &mut Key::new(3, "test", n).dice(0));
            let mut all: Vec<u64> = (0..n).map(|i| shuffle.of(i)).collect();
            all.sort_unstable();
            assert_eq!(all, (0..n).collect::<Vec<_>>(), "{n}");
        }
    }
}
