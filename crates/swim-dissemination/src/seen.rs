//! Which broadcasts were seen (G5).

use alloc::collections::VecDeque;

use hashbrown::HashTable;

/// How many are remembered.
const SEEN_MAX: usize = 4_096;

/// The keys of the last 4,096 broadcasts. The oldest is forgotten for a new one.
#[derive(Clone, Debug)]
pub struct SeenSet {
    keys: HashTable<u64>,
    order: VecDeque<u64>,
    /// Keys come from strangers, who must not choose where they land.
    seed: u64,
}

impl SeenSet {
    /// An empty set. `seed` should be random.
    pub const fn new(seed: u64) -> Self {
        Self { keys: HashTable::new(), order: VecDeque::new(), seed }
    }

    /// Adds a key. Returns whether it is new.
    pub fn insert(&mut self, key: u64) -> bool {
        let seed = self.seed;
        if self.keys.find(hash_of(seed, key), |&seen| seen == key).is_some() {
            return false;
        }
        if self.order.len() == SEEN_MAX {
            if let Some(oldest) = self.order.pop_front() {
                if let Ok(found) =
                    self.keys.find_entry(hash_of(seed, oldest), |&seen| seen == oldest)
                {
                    found.remove();
                }
            }
        }
        self.keys.insert_unique(hash_of(seed, key), key, |&key| hash_of(seed, key));
        self.order.push_back(key);
        true
    }
}

/// Two rounds of multiply and fold, so that every bit of key and seed moves every bit.
fn hash_of(seed: u64, key: u64) -> u64 {
    let fold = |value: u64| {
        let wide = u128::from(value).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        (wide >> 64) as u64 ^ wide as u64
    };
    fold(fold(key ^ seed) ^ seed.rotate_left(32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g5_a_key_is_new_once_and_the_oldest_is_forgotten() {
        let mut seen = SeenSet::new(1);
        assert!((0..SEEN_MAX as u64).all(|key| seen.insert(key)));
        assert!((0..SEEN_MAX as u64).all(|key| !seen.insert(key)));
        assert!(seen.insert(u64::MAX));
        assert!(seen.insert(0), "the oldest has made room");
        assert!(!seen.insert(2));
        assert_eq!(seen.order.len(), seen.keys.len());
    }
}
