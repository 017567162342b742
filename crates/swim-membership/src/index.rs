//! The index of the table: places by hash, in parts that do not grow together.
//!
//! A hash table doubles when it is full, so that a single one of n entries has room for up to 2n.
//! Here are eight, each with a share of the hashes that is a ninth larger than that of the one
//! before, up to twice the first: whatever n is, one of them has just doubled, one is nearly full,
//! and the others lie in between. So the whole has room for about 1.45 n at any n, and no growth
//! moves more than a sixth of it.

use hashbrown::HashTable;

const PARTS: usize = 8;

/// How many of 256 hashes each part has: rising by the eighth root of two.
const SHARES: [u8; PARTS] = [23, 25, 28, 30, 33, 36, 39, 42];

/// The part of a hash, by one of its bytes.
const PART_OF: [u8; 256] = {
    let mut part_of = [0; 256];
    let (mut part, mut at) = (0, 0);
    while part < PARTS {
        let mut left = SHARES[part];
        while left > 0 {
            part_of[at] = part as u8;
            at += 1;
            left -= 1;
        }
        part += 1;
    }
    assert!(at == 256, "the shares are all there is");
    part_of
};

/// Places by hash.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    parts: [HashTable<u32>; PARTS],
}

impl Index {
    /// How many places it holds.
    pub(crate) fn len(&self) -> usize {
        self.parts.iter().map(HashTable::len).sum()
    }

    /// Where the places of this hash are.
    #[inline]
    pub(crate) fn part(&self, hash: u64) -> &HashTable<u32> {
        &self.parts[part_of(hash)]
    }

    /// Where the places of this hash are, to be changed.
    #[inline]
    pub(crate) fn part_mut(&mut self, hash: u64) -> &mut HashTable<u32> {
        &mut self.parts[part_of(hash)]
    }
}

/// By a byte that the parts themselves do not look at: they take the upper end for a tag, and as
/// many bits of the lower end as they are large.
#[inline]
fn part_of(hash: u64) -> usize {
    usize::from(PART_OF[usize::from((hash >> 48) as u8)]) % PARTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_has_its_share_of_all_hashes() {
        let mut shares = [0_u8; PARTS];
        for byte in 0..=255_u64 {
            shares[part_of(byte << 48 | 0xff << 56 | 0xffff_ffff)] += 1;
        }
        assert_eq!(shares, SHARES);
    }

    #[test]
    fn the_room_stays_close_to_what_is_held_whatever_that_is() {
        let mut index = Index::default();
        for n in 0_u32..60_000 {
            let spread = |n: u32| u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            index.part_mut(spread(n)).insert_unique(spread(n), n, |&n| spread(n));
            if n > 1_000 && n % 100 == 0 {
                let room: usize = index.parts.iter().map(HashTable::capacity).sum();
                assert!(5 * room < 8 * index.len(), "room for {room} of {n}");
            }
        }
        assert_eq!(index.len(), 60_000);
    }
}
