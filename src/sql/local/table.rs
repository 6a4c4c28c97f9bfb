//! Tables of keys.

use super::bits::NONE;

/// The key of a row that has none.
pub(super) const NO_KEY: u64 = u64::MAX;

/// Numbers to numbers below [`NONE`].
#[derive(Debug)]
pub(super) enum Table {
    Dense(Vec<u32>),
    Hashed { keys: Vec<u64>, values: Vec<u32>, used: usize },
}

impl Table {
    /// For keys below `total`, of about so many rows.
    pub fn new(total: u64, rows: usize) -> Self {
        let most = (rows as u64).saturating_mul(4).saturating_add(1024);
        match usize::try_from(total) {
            Ok(slots) if total <= most => Self::Dense(vec![NONE; slots]),
            _ => Self::Hashed { keys: vec![NO_KEY; 1024], values: vec![NONE; 1024], used: 0 },
        }
    }

    /// The place of a key, or the empty one for it. There is always an empty one.
    fn place(keys: &[u64], key: u64) -> usize {
        let mask = keys.len() - 1;
        let mut at = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & mask;
        while keys.get(at).is_some_and(|k| *k != key && *k != NO_KEY) {
            at = (at + 1) & mask;
        }
        at
    }

    pub fn get(&self, key: u64) -> u32 {
        match self {
            Self::Dense(slots) => usize::try_from(key).ok().and_then(|k| slots.get(k)).copied().unwrap_or(NONE),
            Self::Hashed { .. } if key == NO_KEY => NONE,
            Self::Hashed { keys, values, .. } => values.get(Self::place(keys, key)).copied().unwrap_or(NONE),
        }
    }

    /// What stands for a key; [`NONE`] where it is new.
    pub fn swap(&mut self, key: u64, value: u32) -> u32 {
        match self {
            Self::Dense(slots) => match usize::try_from(key).ok().and_then(|k| slots.get_mut(k)) {
                Some(slot) => std::mem::replace(slot, value),
                None => NONE,
            },
            Self::Hashed { keys, values, used } => {
                if *used * 2 >= keys.len() {
                    grow(keys, values);
                }
                let at = Self::place(keys, key);
                let old = values.get_mut(at).map_or(NONE, |slot| std::mem::replace(slot, value));
                if let Some(slot) = keys.get_mut(at)
                    && *slot != key
                {
                    *slot = key;
                    *used += 1;
                }
                old
            }
        }
    }

    /// What stands for a key, put there if nothing does.
    pub fn get_or(&mut self, key: u64, value: u32) -> u32 {
        let old = self.get(key);
        if old == NONE {
            self.swap(key, value);
            return value;
        }
        old
    }
}

fn grow(keys: &mut Vec<u64>, values: &mut Vec<u32>) {
    let mut more_keys = vec![NO_KEY; keys.len() * 4];
    let mut more_values = vec![NONE; keys.len() * 4];
    for (key, value) in keys.iter().zip(values.iter()).filter(|(key, _)| **key != NO_KEY) {
        let at = Table::place(&more_keys, *key);
        if let (Some(k), Some(v)) = (more_keys.get_mut(at), more_values.get_mut(at)) {
            (*k, *v) = (*key, *value);
        }
    }
    (*keys, *values) = (more_keys, more_values);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_grows() {
        let mut table = Table::new(u64::MAX, 0);
        for key in 0..10_000_u64 {
            assert_eq!(table.swap(key * 1_000_003, u32::try_from(key).unwrap()), NONE);
        }
        assert!((0..10_000_u64).all(|key| u64::from(table.get(key * 1_000_003)) == key));
        assert_eq!((table.get(1), table.get_or(3, 7), table.get_or(3, 8)), (NONE, 7, 7));
    }
}
