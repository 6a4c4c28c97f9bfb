//! The native ids of one dimension in their byte order, and the ordinal of each: a few bytes beside the text itself.

use std::hash::{BuildHasher, RandomState};

/// Texts numbered from 0, found again by what they are.
#[derive(Debug, Default)]
pub(super) struct Ids {
    texts: Vec<u8>,
    /// Where each text ends.
    ends: Vec<u64>,
    /// Ordinal plus one by hash; 0 is free. No order of it shows.
    slots: Vec<u32>,
    hash: RandomState,
}

impl Ids {
    /// Room for so many texts.
    pub(super) fn of(count: u64) -> Self {
        let slots = usize::try_from(count.min(u64::from(u32::MAX)) * 4 / 3 + 1).map_or(0, usize::next_power_of_two);
        Self { slots: vec![0; slots], ..Self::default() }
    }

    /// Numbers the next text, which is none of those before.
    pub(super) fn push(&mut self, text: &str) {
        if (self.ends.len() + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        self.texts.extend_from_slice(text.as_bytes());
        self.ends.push(self.texts.len() as u64);
        let at = self.free(text.as_bytes());
        if let (Some(slot), Ok(number)) = (self.slots.get_mut(at), u32::try_from(self.ends.len())) {
            *slot = number;
        }
    }

    /// The ordinal of a text.
    pub(super) fn get(&self, text: &str) -> Option<u32> {
        let mut at = self.first(text.as_bytes())?;
        loop {
            let number = *self.slots.get(at)?;
            let ix = number.checked_sub(1)?;
            if self.text(ix) == text.as_bytes() {
                return Some(ix);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    fn text(&self, ix: u32) -> &[u8] {
        let end_of = |at: usize| self.ends.get(at).and_then(|e| usize::try_from(*e).ok()).unwrap_or(0);
        let from = if ix == 0 { 0 } else { end_of(ix as usize - 1) };
        self.texts.get(from..end_of(ix as usize)).unwrap_or_default()
    }

    fn first(&self, text: &[u8]) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        // The high bits are dropped on purpose.
        #[expect(clippy::cast_possible_truncation, reason = "only the bits below the mask are wanted")]
        let hash = self.hash.hash_one(text) as usize;
        Some(hash & mask)
    }

    fn free(&self, text: &[u8]) -> usize {
        let mut at = self.first(text).unwrap_or(0);
        while self.slots.get(at).is_some_and(|n| *n != 0) {
            at = (at + 1) & (self.slots.len() - 1);
        }
        at
    }

    fn grow(&mut self) {
        self.slots = vec![0; (self.slots.len() * 2).max(16)];
        for number in 1..=u32::try_from(self.ends.len()).unwrap_or(u32::MAX) {
            let at = self.free(self.text(number - 1));
            if let Some(slot) = self.slots.get_mut(at) {
                *slot = number;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_found_under_its_number_and_no_other_is() {
        for mut ids in [Ids::default(), Ids::of(3), Ids::of(10_000)] {
            assert_eq!(ids.get("a"), None);
            let text = |n: u32| if n == 5 { String::new() } else { format!("u{n:05}") };
            (0..10_000).for_each(|n| ids.push(&text(n)));
            for n in 0..10_000 {
                assert_eq!(ids.get(&text(n)), Some(n));
            }
            assert_eq!((ids.get("u"), ids.get("u10000"), ids.get("u000050")), (None, None, None));
        }
    }
}
