//! Chance that is the same on every machine: ChaCha8 streams and digests, both named by what they decide.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// A stream of chance for one part of the estate. Parts have streams of their own, so that a change in one moves no other.
pub struct Dice(ChaCha8Rng);

impl Dice {
    pub fn new(seed: u64, part: &str) -> Self {
        Self(ChaCha8Rng::from_seed(digest(seed, "dice", part)))
    }

    /// A number below `n`; 0 where `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        let drawn = self.0.next_u64();
        // Lemire's reduction; the bias at these sizes is below 2^-50.
        usize::try_from((u128::from(drawn) * u128::from(n)) >> 64).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = usize::try_from(high - low + 1).unwrap_or(0);
        low + i64::try_from(self.below(width)).unwrap_or(0)
    }

    /// `true` in `percent` of the cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One element; the default where there is none.
    pub fn pick<T: Copy + Default>(&mut self, from: &[T]) -> T {
        from.get(self.below(from.len())).copied().unwrap_or_default()
    }
}

/// 32 bytes that belong to `name` in the name space `space`.
pub fn digest(seed: u64, space: &str, name: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [&seed.to_le_bytes()[..], space.as_bytes(), name.as_bytes()] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// A number below `n` that belongs to `name`; 0 where `n` is 0.
pub fn share(space: &str, name: &str, n: i64) -> i64 {
    let head = digest(0, space, name).iter().take(6).fold(0i64, |sum, byte| sum << 8 | i64::from(*byte));
    head.checked_rem(n).unwrap_or(0)
}

/// A random UUID (version 4) that belongs to `name`.
pub fn uuid(seed: u64, space: &str, name: &str) -> [u8; 16] {
    let mut id = [0u8; 16];
    for (i, (to, from)) in id.iter_mut().zip(digest(seed, space, name)).enumerate() {
        *to = match i {
            6 => (from & 0x0f) | 0x40,
            8 => (from & 0x3f) | 0x80,
            _ => from,
        };
    }
    id
}

/// A UUID in its text form.
pub fn uuid_text(id: [u8; 16]) -> String {
    let hex: Vec<String> = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut text = String::with_capacity(36);
    for (i, pair) in hex.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(pair);
    }
    text
}

/// `length` characters of `alphabet` that belong to `name`.
pub fn letters(seed: u64, space: &str, name: &str, alphabet: &str, length: usize) -> String {
    let all: Vec<char> = alphabet.chars().collect();
    digest(seed, space, name).iter().cycle().take(length).filter_map(|byte| all.get(usize::from(*byte) % all.len().max(1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_one_seed_and_part_agree_and_others_differ() {
        let draw = |seed, part| {
            let mut dice = Dice::new(seed, part);
            (0..8).map(|_| dice.below(1_000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, "people"), draw(7, "people"));
        assert_ne!(draw(7, "people"), draw(8, "people"));
        assert_ne!(draw(7, "people"), draw(7, "ad"));
    }

    #[test]
    fn numbers_stay_in_their_range() {
        let mut dice = Dice::new(1, "range");
        assert!((0..1_000).all(|_| (3..=9).contains(&dice.between(3, 9))));
        assert_eq!(dice.below(0), 0);
        assert_eq!(dice.pick::<u8>(&[]), 0);
    }

    #[test]
    fn a_uuid_has_its_version_and_variant() {
        let text = uuid_text(uuid(1, "test", "a"));
        assert_eq!((text.len(), text.as_bytes()[14]), (36, b'4'));
    }
}
