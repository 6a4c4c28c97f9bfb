//! Sets of ordinals that are only counted: small ones as a list, large ones as bits.

/// A set of ordinals below a fixed bound.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Ascending and distinct; empty once there are many.
    few: Vec<u32>,
    /// One bit per ordinal once there are many; empty before.
    bits: Vec<u64>,
    count: u32,
}

/// How many words the bits of a universe take.
fn words(universe: usize) -> usize {
    universe / 64 + 1
}

/// So few ordinals are put into a list one by one.
const HANDFUL: usize = 8;

impl Tally {
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Adds ordinals that stand in ascending order.
    pub fn extend(&mut self, ascending: &[u32], universe: usize) {
        if !self.bits.is_empty() {
            ascending.iter().for_each(|ordinal| self.set(*ordinal));
            return;
        }
        if ascending.len() <= HANDFUL {
            for ordinal in ascending {
                if let Err(place) = self.few.binary_search(ordinal) {
                    self.few.insert(place, *ordinal);
                }
            }
        } else {
            self.few = merged(&self.few, ascending);
        }
        self.count = self.few.len() as u32;
        // As bits it takes no more room.
        if self.few.len() > (2 * words(universe)).max(32) {
            self.spread(universe);
        }
    }

    /// Adds every member of `other`.
    pub fn unite(&mut self, other: &Self, universe: usize) {
        if other.bits.is_empty() {
            self.extend(&other.few, universe);
            return;
        }
        self.spread(universe);
        for (mine, theirs) in self.bits.iter_mut().zip(&other.bits) {
            self.count += (theirs & !*mine).count_ones();
            *mine |= theirs;
        }
    }

    /// Adds every member of `other`, at the cost of the smaller of the two.
    pub fn absorb(&mut self, mut other: Self, universe: usize) {
        if other.count > self.count {
            std::mem::swap(self, &mut other);
        }
        self.unite(&other, universe);
    }

    fn spread(&mut self, universe: usize) {
        if self.bits.is_empty() {
            self.bits = vec![0; words(universe)];
            self.count = 0;
            for ordinal in std::mem::take(&mut self.few) {
                self.set(ordinal);
            }
        }
    }

    fn set(&mut self, ordinal: u32) {
        if let Some(word) = self.bits.get_mut(ordinal as usize / 64) {
            let bit = 1_u64 << (ordinal % 64);
            self.count += u32::from(*word & bit == 0);
            *word |= bit;
        }
    }
}

/// Two ascending lists as one, each ordinal once.
fn merged(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut all = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.iter().copied().peekable(), b.iter().copied().peekable());
    while let Some(next) = [a.peek(), b.peek()].into_iter().flatten().min().copied() {
        a.next_if_eq(&next);
        b.next_if_eq(&next);
        all.push(next);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_count_alike() {
        let universe = 2_000;
        let set = |step: usize| {
            let mut tally = Tally::default();
            let all: Vec<u32> = (0..universe as u32).step_by(step).collect();
            all.chunks(step).for_each(|some| tally.extend(some, universe));
            tally
        };
        let (twos, hundreds) = (set(2), set(125));
        assert_eq!((twos.count(), hundreds.count()), (1_000, 16));
        let both = |mut a: Tally, b: &Tally| {
            a.unite(b, universe);
            a.count()
        };
        assert_eq!(both(twos.clone(), &hundreds), 1_008);
        assert_eq!(both(hundreds.clone(), &twos), 1_008);
        let mut all = hundreds;
        all.absorb(twos, universe);
        all.extend(&[3], universe);
        assert_eq!(all.count(), 1_009);
    }
}
