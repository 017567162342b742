//! What a node counts.

use swim_membership::Counters;

/// Counts since the start, and how full queues and tables are now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// What the membership counts: probes, suspicions, stale claims.
    pub membership: Counters,
    /// What came over the wire and was dropped, by reason.
    pub wire: WireCounters,
    /// Members alive or suspect now, this node included.
    pub members_present: u64,
    /// Other members held now, of every state.
    pub members_held: u64,
    /// Suspicions that run now.
    pub suspicions: u64,
    /// The local health score now, 0 (well) to the configured maximum.
    pub health: u64,
    /// News that waits to be told.
    pub updates_queued: u64,
    /// User broadcasts that wait to be told.
    pub broadcasts_queued: u64,
    /// User broadcasts dropped for want of room in the queue.
    pub broadcasts_dropped: u64,
    /// Exchanges without an answer yet.
    pub exchanges_open: u64,
}

/// Counts of datagrams, frames and parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WireCounters {
    /// Datagrams made.
    pub datagrams_out: u64,
    /// Their payload bytes.
    pub bytes_out: u64,
    /// Datagrams handed in.
    pub datagrams_in: u64,
    /// Their payload bytes.
    pub bytes_in: u64,
    /// Datagrams of another cluster, or damaged.
    pub datagrams_foreign: u64,
    /// Datagrams with a good check that could not be read: of another version, or malformed.
    pub datagrams_malformed: u64,
    /// Datagrams and frames of an unknown kind. Skipped.
    pub kinds_unknown: u64,
    /// Parts of an unknown kind. Skipped.
    pub parts_unknown: u64,
    /// Parts that could not be read; what follows them in their packet was dropped.
    pub parts_malformed: u64,
    /// Frames that could not be read.
    pub frames_malformed: u64,
    /// Requests and replies of another cluster.
    pub frames_foreign: u64,
    /// Requests answered.
    pub requests: u64,
    /// Exchanges begun.
    pub exchanges: u64,
    /// Exchanges that failed, ran out of time or were not answered.
    pub exchanges_failed: u64,
    /// Exchanges not begun because too many were open.
    pub exchanges_full: u64,
    /// Exchanges broken off because they took more than 2,048 rounds.
    pub rounds_full: u64,
    /// Application messages and broadcasts from nodes that are not held. Dropped.
    pub messages_from_strangers: u64,
    /// Broadcasts that had been seen before.
    pub broadcasts_seen: u64,
}
