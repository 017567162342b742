//! The one hash of the wire (W2): XXH64, with a seed that keeps the uses apart.

use twox_hash::XxHash64;

/// What a hash is for. Each use has a seed of its own, so that equal bytes hashed for two uses
/// have nothing to do with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashDomain {
    /// A cluster's name, for its tag.
    Cluster,
    /// A record's bytes, for the register's order and for the two bytes in a ping.
    Record,
    /// What is held of a member, for the digests of tables.
    Digest,
    /// A node's id within the cluster of this tag, for its short id.
    Member(u64),
}

impl HashDomain {
    const fn seed(self) -> u64 {
        match self {
            Self::Cluster => 0x7377_696d_0000_0001,
            Self::Record => 0x7377_696d_0000_0002,
            Self::Digest => 0x7377_696d_0000_0003,
            Self::Member(tag) => tag,
        }
    }
}

/// Hashes `bytes` for one use: XXH64 with the seed of `domain` (W2, with vectors).
pub fn hash64(domain: HashDomain, bytes: &[u8]) -> u64 {
    XxHash64::oneshot(domain.seed(), bytes)
}

/// As [`hash64`], for the one length that is hashed for every part that comes in: an id. Whoever
/// reads it beside the specification of XXH64 finds the steps for 16 to 31 bytes, unrolled.
#[inline]
pub(crate) fn hash64_of_id(domain: HashDomain, id: &[u8; 16]) -> u64 {
    let whole = u128::from_le_bytes(*id);
    let start = domain.seed().wrapping_add(PRIME_5).wrapping_add(16);
    let mixed = [whole as u64, (whole >> 64) as u64].into_iter().fold(start, |mixed, lane| {
        let lane = lane.wrapping_mul(PRIME_2).rotate_left(31).wrapping_mul(PRIME_1);
        (mixed ^ lane).rotate_left(27).wrapping_mul(PRIME_1).wrapping_add(PRIME_4)
    });
    let mixed = (mixed ^ mixed >> 33).wrapping_mul(PRIME_2);
    let mixed = (mixed ^ mixed >> 29).wrapping_mul(PRIME_3);
    mixed ^ mixed >> 32
}

// The constants of XXH64.
const PRIME_1: u64 = 0x9e37_79b1_85eb_ca87;
const PRIME_2: u64 = 0xc2b2_ae3d_27d4_eb4f;
const PRIME_3: u64 = 0x1656_67b1_9e37_79f9;
const PRIME_4: u64 = 0x85eb_ca77_c2b2_ae63;
const PRIME_5: u64 = 0x27d4_eb2f_1656_67c5;

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    #[test]
    fn w2_the_hash_has_the_vectors_of_the_document() {
        assert_eq!(hash64(HashDomain::Member(0), b""), 0xef46_db37_51d8_e999);
        assert_eq!(hash64(HashDomain::Member(0), b"a"), 0xd24e_c4f1_a98c_6e5b);
    }

    quickcheck! {
        fn w2_the_hash_of_an_id_is_the_hash_of_its_bytes(seed: u64, id: u128) -> bool {
            let (domain, id) = (HashDomain::Member(seed), id.to_le_bytes());
            hash64_of_id(domain, &id) == hash64(domain, &id)
        }
    }
}
