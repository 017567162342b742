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
    /// A node's id within the cluster of this tag, for its short id.
    Member(u64),
}

impl HashDomain {
    const fn seed(self) -> u64 {
        match self {
            Self::Cluster => 0x7377_696d_0000_0001,
            Self::Record => 0x7377_696d_0000_0002,
            Self::Member(tag) => tag,
        }
    }
}

/// Hashes `bytes` for one use: XXH64 with the seed of `domain` (W2, with vectors).
pub fn hash64(domain: HashDomain, bytes: &[u8]) -> u64 {
    XxHash64::oneshot(domain.seed(), bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w2_the_hash_has_the_vectors_of_the_document() {
        assert_eq!(hash64(HashDomain::Member(0), b""), 0xef46_db37_51d8_e999);
        assert_eq!(hash64(HashDomain::Member(0), b"a"), 0xd24e_c4f1_a98c_6e5b);
    }
}
