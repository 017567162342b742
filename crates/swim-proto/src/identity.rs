//! Who is meant: node ids, and the shorter names that save bytes on the wire.

use core::fmt;
use core::str::FromStr;

use crate::cluster::ClusterTag;
use crate::hash::{HashDomain, hash64_of_id};

/// A node's identity: 128 bits that stay the same over restarts (the host key, a UUID).
///
/// It is shown hyphenated, as UUIDs are. With the feature `serde` it is this text in formats for
/// people, such as JSON, and 16 bytes in others.
///
/// ```
/// use swim_proto::NodeId;
///
/// let id = NodeId::from_bytes([0x11; 16]);
/// assert_eq!(id.to_string(), "11111111-1111-1111-1111-111111111111");
/// assert_eq!("11111111-1111-1111-1111-111111111111".parse(), Ok(id));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
// Aligned, so that it is written and read back in the same two halves: a processor that has to
// piece a read together from writes waits until they have reached the cache.
#[repr(align(8))]
pub struct NodeId([u8; 16]);

impl NodeId {
    /// An id of these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The short id of this node within a cluster (W4).
    #[inline]
    pub fn short(&self, tag: ClusterTag) -> ShortId {
        ShortId(hash64_of_id(HashDomain::Member(tag.0), &self.0))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, byte) in self.0.iter().enumerate() {
            if matches!(position, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

/// A text that is not a node id: 32 hexadecimal digits, hyphens anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a node id is 32 hexadecimal digits, with or without hyphens")]
pub struct ParseNodeIdError;

impl FromStr for NodeId {
    type Err = ParseNodeIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 16];
        let mut digits = 0;
        for character in text.chars().filter(|&c| c != '-') {
            let digit = character.to_digit(16).ok_or(ParseNodeIdError)?;
            let byte = bytes.get_mut(digits / 2).ok_or(ParseNodeIdError)?;
            *byte = *byte << 4 | digit as u8;
            digits += 1;
        }
        if digits == 32 { Ok(Self(bytes)) } else { Err(ParseNodeIdError) }
    }
}

/// The first 8 bytes of the hash of an id and the cluster's tag (W4): enough to name a member
/// within one table, where a collision is seen and answered with full ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortId(pub u64);

impl ShortId {
    /// The 4 bytes that name an accuser or a ping's parties.
    pub const fn tiny(self) -> TinyId {
        TinyId(self.0 as u32)
    }
}

/// The low 4 bytes of a [`ShortId`] (W4): names an accuser or the parties of a ping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TinyId(pub u32);

/// A member as a message names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// By 8 bytes; the rule.
    Short(ShortId),
    /// By its whole id; where two members of the sender's table share their short id.
    Full(NodeId),
}

/// A probe's number. It starts at random and wraps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seq(pub u32);

impl Seq {
    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}
