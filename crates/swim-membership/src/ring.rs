//! The present members in the order that all agree on: by their short id (P1).
//!
//! They lie in buckets by the top bits of the short id, unsorted within one. So a member comes and
//! goes in O(1), and a rank is found by summing up the buckets before it and looking through one
//! of some sixty members, without a sorted array of all.

use alloc::vec::Vec;

use swim_proto::ShortId;

use crate::table::MemberIx;

/// Members a bucket has on average before there are twice as many buckets.
const BUCKET_MAX: usize = 64;
/// More than 2^14 buckets there never are: members_max is reached before.
const BITS_MAX: u32 = 14;

/// What the ring has to know of members, and tells them.
pub(crate) trait Members {
    fn short(&self, ix: MemberIx) -> ShortId;

    /// Where this one lies in its bucket from now on.
    fn set_place(&mut self, ix: MemberIx, place: u32);
}

/// The present members.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    buckets: Vec<Vec<u32>>,
    /// There are 2^bits buckets.
    bits: u32,
    len: usize,
    /// How often a member has come or gone.
    changes: u64,
}

impl Default for Ring {
    fn default() -> Self {
        Self { buckets: alloc::vec![Vec::new()], bits: 0, len: 0, changes: 0 }
    }
}

impl Ring {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How often a member has come or gone: ranks stay while this does.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    fn bucket_of(&self, short: ShortId) -> usize {
        // A shift by all 64 bits is none.
        short.0.checked_shr(64 - self.bits).unwrap_or(0) as usize
    }

    /// Adds a member.
    pub(crate) fn insert(&mut self, ix: MemberIx, members: &mut impl Members) {
        if self.len >= BUCKET_MAX << self.bits && self.bits < BITS_MAX {
            self.double(members);
        }
        self.push(ix, members);
        self.len += 1;
        self.changes += 1;
    }

    fn double(&mut self, members: &mut impl Members) {
        let before = core::mem::take(&mut self.buckets);
        self.bits += 1;
        self.buckets = alloc::vec![Vec::new(); 1 << self.bits];
        for ix in before.into_iter().flatten() {
            self.push(MemberIx::new(ix), members);
        }
    }

    /// Puts a member into its bucket, which grows by a sixteenth: doubling would cost up to half of a
    /// large table.
    fn push(&mut self, ix: MemberIx, members: &mut impl Members) {
        let bucket = self.bucket_of(members.short(ix));
        let bucket = &mut self.buckets[bucket];
        if bucket.len() == bucket.capacity() {
            bucket.reserve_exact(bucket.len() / 16 + 2);
        }
        bucket.push(ix.as_u32());
        members.set_place(ix, bucket.len() as u32 - 1);
    }

    /// Takes out the member that lies at this place of its bucket.
    pub(crate) fn remove(&mut self, ix: MemberIx, place: u32, members: &mut impl Members) {
        let bucket = self.bucket_of(members.short(ix));
        let bucket = &mut self.buckets[bucket];
        bucket.swap_remove(place as usize);
        self.len -= 1;
        self.changes += 1;
        if let Some(&moved) = bucket.get(place as usize) {
            members.set_place(MemberIx::new(moved), place);
        }
    }

    /// Who is at a place of a bucket: for checks.
    pub(crate) fn is_at(&self, short: ShortId, place: u32, ix: MemberIx) -> bool {
        self.buckets[self.bucket_of(short)].get(place as usize) == Some(&ix.as_u32())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = MemberIx> + '_ {
        self.buckets.iter().flatten().map(|&ix| MemberIx::new(ix))
    }

    /// The member of this number in no order that means anything: to choose one at random.
    pub(crate) fn nth(&self, number: usize) -> Option<MemberIx> {
        let (bucket, within) = self.find_bucket(number)?;
        Some(MemberIx::new(bucket[within]))
    }

    /// How many members come before `short`; among equals, before `id`.
    pub(crate) fn rank<K: Ord>(
        &self,
        short: ShortId,
        key: &K,
        key_of: impl Fn(MemberIx) -> K,
    ) -> usize {
        let bucket = self.bucket_of(short);
        let before: usize = self.buckets[..bucket].iter().map(Vec::len).sum();
        let within = self.buckets[bucket].iter().filter(|&&ix| key_of(MemberIx::new(ix)) < *key);
        before + within.count()
    }

    /// The member before which so many others come.
    pub(crate) fn select<K: Ord>(
        &self,
        rank: usize,
        key_of: impl Fn(MemberIx) -> K,
        scratch: &mut Vec<(K, MemberIx)>,
    ) -> Option<MemberIx> {
        let (bucket, within) = self.find_bucket(rank)?;
        scratch.clear();
        let members = bucket.iter().map(|&ix| MemberIx::new(ix));
        scratch.extend(members.map(|ix| (key_of(ix), ix)));
        let (_, (_, found), _) = scratch.select_nth_unstable(within);
        Some(*found)
    }

    /// The bucket in which the member of this number is, and its number within.
    fn find_bucket(&self, mut number: usize) -> Option<(&[u32], usize)> {
        for bucket in &self.buckets {
            if number < bucket.len() {
                return Some((bucket, number));
            }
            number -= bucket.len();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;
    use std::collections::BTreeMap;

    #[derive(Default)]
    struct Places(BTreeMap<MemberIx, u32>);

    impl Members for Places {
        fn short(&self, ix: MemberIx) -> ShortId {
            short_of(ix)
        }

        fn set_place(&mut self, ix: MemberIx, place: u32) {
            self.0.insert(ix, place);
        }
    }

    fn short_of(ix: MemberIx) -> ShortId {
        // Spread, and some equal.
        ShortId(u64::from(ix.as_u32() / 2).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    quickcheck! {
        fn p1_ranks_are_those_of_a_sorted_list(operations: Vec<(u16, bool)>) -> bool {
            let mut ring = Ring::default();
            let mut places = Places::default();
            let key = |ix: MemberIx| (short_of(ix), ix);
            for (n, add) in operations {
                // Enough of them that buckets are split.
                for ix in (0..8).map(|k| MemberIx::new(u32::from(n) * 8 % 4_096 + k)) {
                    match (add, places.0.get(&ix).copied()) {
                        (true, None) => ring.insert(ix, &mut places),
                        (false, Some(place)) => {
                            ring.remove(ix, place, &mut places);
                            places.0.remove(&ix);
                        }
                        _ => {}
                    }
                }
            }
            let mut sorted: Vec<_> = places.0.keys().map(|&ix| key(ix)).collect();
            sorted.sort_unstable();
            let mut scratch = Vec::new();
            ring.len() == sorted.len()
                && ring.iter().count() == sorted.len()
                && places.0.iter().all(|(&ix, &place)| ring.is_at(short_of(ix), place, ix))
                && sorted.iter().enumerate().all(|(rank, &(short, ix))| {
                    ring.rank(short, &(short, ix), key) == rank
                        && ring.select(rank, key, &mut scratch) == Some(ix)
                })
        }
    }

    #[test]
    fn p1_an_empty_ring_has_nobody() {
        let ring = Ring::default();
        assert_eq!(ring.nth(0), None);
        assert_eq!(ring.rank(ShortId(u64::MAX), &0, |_| 0), 0);
    }
}
