//! The bounds of what is said. Nothing larger is sent, and nothing larger is taken.

use core::time::Duration;

/// The most bytes of a datagram that we send unless configured otherwise.
pub const DATAGRAM_BYTES_DEFAULT: usize = 1_400;
/// The fewest bytes that a datagram may be limited to: any single message and record fits.
pub const DATAGRAM_BYTES_MIN: usize = 800;
/// The most bytes of a datagram that we take.
pub const DATAGRAM_BYTES_MAX: usize = 65_507;
/// The most bytes of a frame, its length field not counted.
pub const FRAME_BYTES_MAX: usize = 65_536;
/// The most bytes of a frame after a longer one has failed (E7): one segment of TCP.
pub const FRAME_BYTES_SMALL: usize = 1_150;
/// The least that frames are made to shrink to (E7).
pub const FRAME_BYTES_TINY: usize = 512;
/// The most bytes of metadata in a record.
pub const METADATA_BYTES_MAX: usize = 512;
/// The most bytes of a member's name.
pub const NAME_BYTES_MAX: usize = 128;
/// The most bytes of a whole record, later fields included.
pub const RECORD_BYTES_MAX: usize = 700;
/// The bytes that a record leaves for later fields when all its other fields are at their bounds:
/// flags, versions, an IPv6 address with its port, name and metadata with their lengths.
pub const LATER_BYTES_MIN: usize =
    RECORD_BYTES_MAX - (1 + 2 + 18 + (1 + NAME_BYTES_MAX) + (2 + METADATA_BYTES_MAX));
/// The unit in which a record says durations.
pub const PATIENCE_UNIT: Duration = Duration::from_millis(100);
/// The most bytes of a cluster's name.
pub const CLUSTER_NAME_BYTES_MAX: usize = 64;
/// The most accusers that one suspicion or death names.
pub const ACCUSERS_MAX: usize = 5;
/// The most bytes of a user broadcast, so that it fits a datagram beside a ping.
pub const BROADCAST_BYTES_MAX: usize = 512;
/// Into how many buckets tables are parted to be compared.
pub const BUCKETS: usize = 256;
/// The furthest that an incarnation may jump in a claim by anyone but its owner.
pub const INCARNATION_JUMP_MAX: u64 = 1 << 16;
/// The furthest that an owner rises to be above what a member holds of it.
pub const INCARNATION_REACH_MAX: u64 = 1 << 32;
