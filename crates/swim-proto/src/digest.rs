//! What a table holds, in few bytes: one number for the whole (D1), and one for each of 256 buckets,
//! by which two tables find where they differ (E2).
//!
//! A digest is the XOR of one hash for each present member, so that a change of one member changes
//! it in O(1). It is a means to notice differences; it proves nothing against who wants to hide one.

use core::fmt;

use crate::claim::{Claim, Incarnation};
use crate::hash::{HashDomain, hash64};
use crate::identity::{NodeId, ShortId};
use crate::limits::BUCKETS;

/// What is held of one present member, as it enters the digests (D1, with vectors in W2).
pub fn member_hash(
    id: NodeId,
    claim: Claim,
    record_incarnation: Incarnation,
    record_hash: u64,
) -> u64 {
    let mut bytes = [0; 16 + 8 + 1 + 8 + 8];
    bytes[..16].copy_from_slice(id.as_bytes());
    bytes[16..24].copy_from_slice(&claim.incarnation.0.to_le_bytes());
    bytes[24] = claim.state as u8;
    bytes[25..33].copy_from_slice(&record_incarnation.0.to_le_bytes());
    bytes[33..].copy_from_slice(&record_hash.to_le_bytes());
    hash64(HashDomain::Digest, &bytes)
}

impl ShortId {
    /// The bucket of a member: the high byte, of which its tiny id says nothing.
    pub const fn bucket(self) -> u8 {
        (self.0 >> 56) as u8
    }
}

/// Some of the 256 buckets.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct BucketSet([u8; BUCKETS / 8]);

impl BucketSet {
    /// No bucket.
    pub const NONE: Self = Self([0; BUCKETS / 8]);
    /// Every bucket.
    pub const ALL: Self = Self([0xff; BUCKETS / 8]);

    /// A set of these bytes: bucket b is bit b mod 8, from the lowest, of byte b / 8.
    pub const fn from_bytes(bytes: [u8; BUCKETS / 8]) -> Self {
        Self(bytes)
    }

    /// The bytes of the set.
    pub const fn as_bytes(&self) -> &[u8; BUCKETS / 8] {
        &self.0
    }

    /// Adds a bucket.
    pub fn insert(&mut self, bucket: u8) {
        self.0[usize::from(bucket / 8)] |= 1 << (bucket % 8);
    }

    /// Whether it is among them.
    #[inline]
    pub const fn contains(&self, bucket: u8) -> bool {
        self.0[(bucket / 8) as usize] >> (bucket % 8) & 1 != 0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::NONE
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.iter().map(|byte| byte.count_ones() as usize).sum()
    }

    /// The buckets, in rising order.
    pub fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=u8::MAX).filter(|&bucket| self.contains(bucket))
    }
}

impl FromIterator<u8> for BucketSet {
    fn from_iter<I: IntoIterator<Item = u8>>(buckets: I) -> Self {
        let mut set = Self::NONE;
        buckets.into_iter().for_each(|bucket| set.insert(bucket));
        set
    }
}

impl fmt::Debug for BucketSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// The digests of all buckets, as they are sent: those that are 0, of empty buckets, are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketDigests<'a> {
    set: BucketSet,
    /// 8 bytes for each bucket of the set, in rising order, none of them 0.
    digests: &'a [u8],
}

impl<'a> BucketDigests<'a> {
    /// The digests of a table, written into `buffer`.
    pub fn write(digests: &[u64; BUCKETS], buffer: &'a mut [u8; 8 * BUCKETS]) -> Self {
        let (mut set, mut length) = (BucketSet::NONE, 0);
        for (bucket, &digest) in (0..=u8::MAX).zip(digests) {
            if digest != 0 {
                set.insert(bucket);
                buffer[length..length + 8].copy_from_slice(&digest.to_le_bytes());
                length += 8;
            }
        }
        Self { set, digests: &buffer[..length] }
    }

    /// The digests of these buckets, 8 bytes each; `None` if there are more or fewer, or one is 0.
    pub fn read(set: BucketSet, digests: &'a [u8]) -> Option<Self> {
        let read = Self { set, digests };
        let whole = digests.len() == 8 * set.len();
        (whole && read.iter().all(|(_, digest)| digest != 0)).then_some(read)
    }

    /// The buckets that are not empty.
    pub fn buckets(&self) -> BucketSet {
        self.set
    }

    /// The bytes of the digests.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.digests
    }

    /// The buckets that are not empty, in rising order, each with its digest.
    pub fn iter(&self) -> impl Iterator<Item = (u8, u64)> + '_ {
        let digest = |chunk: &[u8]| {
            chunk.iter().rev().fold(0, |digest, &byte| digest << 8 | u64::from(byte))
        };
        self.set.iter().zip(self.digests.chunks_exact(8).map(digest))
    }

    /// The buckets in which a table of these digests is not the one that sends these here.
    pub fn differing(&self, own: &[u64; BUCKETS]) -> BucketSet {
        let mut theirs = [0; BUCKETS];
        self.iter().for_each(|(bucket, digest)| theirs[usize::from(bucket)] = digest);
        (0..=u8::MAX)
            .filter(|&bucket| theirs[usize::from(bucket)] != own[usize::from(bucket)])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    quickcheck::quickcheck! {
        fn a_set_holds_what_was_put_in(buckets: Vec<u8>) -> bool {
            let set: BucketSet = buckets.iter().copied().collect();
            let expected: BTreeSet<u8> = buckets.into_iter().collect();
            set.iter().eq(expected.iter().copied())
                && set.len() == expected.len()
                && set.is_empty() == expected.is_empty()
                && (0..=u8::MAX).all(|bucket| set.contains(bucket) == expected.contains(&bucket))
                && BucketSet::from_bytes(*set.as_bytes()) == set
        }

        fn e2_digests_tell_just_the_buckets_that_differ(ours: Vec<(u8, u64)>, theirs: Vec<(u8, u64)>)
            -> bool {
            let all = |some: &[(u8, u64)]| {
                let mut all = [0; BUCKETS];
                some.iter().for_each(|&(bucket, digest)| all[usize::from(bucket)] = digest);
                all
            };
            let (ours, theirs) = (all(&ours), all(&theirs));
            let mut buffer = [0; 8 * BUCKETS];
            let written = BucketDigests::write(&theirs, &mut buffer);
            let differing = written.differing(&ours);
            BucketDigests::read(written.buckets(), written.as_bytes()) == Some(written)
                && (0..=u8::MAX).all(|b| {
                    differing.contains(b) == (ours[usize::from(b)] != theirs[usize::from(b)])
                })
        }
    }

    #[test]
    fn the_bucket_is_the_high_byte_of_the_short_id() {
        assert_eq!(ShortId(0xab00_0000_0000_0000).bucket(), 0xab);
        assert_eq!(ShortId(0x00ff_ffff_ffff_ffff).bucket(), 0);
    }

    #[test]
    fn digests_that_are_cut_too_long_or_zero_are_not_read() {
        let set: BucketSet = [3, 200].into_iter().collect();
        assert!(BucketDigests::read(set, &[1; 16]).is_some());
        for wrong in [&[1; 15][..], &[1; 17], &[1; 8], &[], &[0; 16]] {
            assert_eq!(BucketDigests::read(set, wrong), None);
        }
    }
}
