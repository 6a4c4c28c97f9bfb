//! Names as numbers: what is held of millions of them.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};

/// A name as 128 bits of two keyed hashes. That two names meet by chance, even among as many as can be numbered, is less likely than that memory
/// fails.
pub type Key = [u64; 2];

/// How names become keys in one import; the same on every thread that has a copy.
#[derive(Clone, Debug, Default)]
pub struct Hashes([RandomState; 2]);

impl Hashes {
    pub fn key<T: Hash + ?Sized>(&self, name: &T) -> Key {
        self.0.each_ref().map(|h| h.hash_one(name))
    }

    /// A number that tells bytes from others as surely as half a key.
    pub fn tag(&self, bytes: &[u8]) -> u64 {
        let [hash, _] = &self.0;
        hash.hash_one(bytes)
    }
}

/// Values by key. Keys are hashed already, so their bits say where to look.
pub type KeyMap<V> = HashMap<Key, V, BuildHasherDefault<FirstHalf>>;

/// Keys, each once.
pub type KeySet = HashSet<Key, BuildHasherDefault<FirstHalf>>;

/// The hash of a key: its first half.
#[derive(Default)]
pub struct FirstHalf(u64);

impl Hasher for FirstHalf {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(half) = bytes.first_chunk::<8>() {
            self.0 = u64::from_ne_bytes(*half);
        }
    }
    /// The length of a key, which is that of all.
    fn write_usize(&mut self, _: usize) {}
    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_by_its_first_half() {
        let hashes = Hashes::default();
        let key = hashes.key("somebody");
        let hash = BuildHasherDefault::<FirstHalf>::default().hash_one(key);
        assert_eq!(hash, key[0]);
        let mut map = KeyMap::default();
        (0..10_000u32).for_each(|n| {
            map.insert(hashes.key(&n.to_string()), n);
        });
        assert!((0..10_000u32).all(|n| map.get(&hashes.clone().key(&n.to_string())) == Some(&n)));
        assert_eq!(map.get(&key), None);
    }
}
