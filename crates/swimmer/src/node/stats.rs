//! What a node counts.

use swim_membership::Counters;

/// Counts since the start, and how full queues and tables are now. [`named`](Self::named) has all
/// of it in a line each; docs/STATISTICS.md says what each name means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// What the loop around the node counts. Zeros where something else than a `Cluster` drives it.
    pub driver: DriverCounters,
    /// What the transport counts, by its own names. Empty where something else than a `Cluster`
    /// drives the node.
    pub transport: Vec<(&'static str, u64)>,
}

/// Lists the fields of a struct of counts with their names. A field that is not listed does not
/// compile.
macro_rules! named {
    ($of:expr, { $($name:ident),* $(,)? }) => {{
        let Self { $($name),* } = *$of;
        [$((stringify!($name), $name)),*].into_iter()
    }};
}

impl Stats {
    /// All that is counted, each under a name of its own, which does not change between versions:
    /// first how things stand now, then what was counted since the start.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let Self { membership, wire, driver, transport, .. } = self;
        [
            ("members_present", self.members_present),
            ("members_held", self.members_held),
            ("suspicions", self.suspicions),
            ("health", self.health),
            ("updates_queued", self.updates_queued),
            ("broadcasts_queued", self.broadcasts_queued),
            ("exchanges_open", self.exchanges_open),
            ("broadcasts_dropped", self.broadcasts_dropped),
        ]
        .into_iter()
        .chain(membership.named())
        .chain(wire.named())
        .chain(driver.named())
        .chain(transport.iter().copied())
    }
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
    /// Frames not made because the codec has no form for their message.
    pub messages_unsayable: u64,
    /// Exchanges broken off because they took more than 2,048 rounds.
    pub rounds_full: u64,
    /// Messages of peers not offered because 1,024 were not answered for yet.
    pub offers_full: u64,
    /// Application messages and broadcasts from nodes that are not held. Dropped.
    pub messages_from_strangers: u64,
    /// Broadcasts that had been seen before.
    pub broadcasts_seen: u64,
}

impl WireCounters {
    /// All of them with their names, which are those of the fields.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        named!(self, {
            datagrams_out,
            bytes_out,
            datagrams_in,
            bytes_in,
            datagrams_foreign,
            datagrams_malformed,
            kinds_unknown,
            parts_unknown,
            parts_malformed,
            frames_malformed,
            frames_foreign,
            requests,
            exchanges,
            exchanges_failed,
            exchanges_full,
            messages_unsayable,
            rounds_full,
            offers_full,
            messages_from_strangers,
            broadcasts_seen,
        })
    }
}

/// Counts of the loop around a node, and of those who read from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DriverCounters {
    /// Datagrams that the transport did not take.
    pub datagrams_unsent: u64,
    /// Times that a plane could not be received from.
    pub receives_failed: u64,
    /// Subscribers that were too slow and got the members anew.
    pub resyncs: u64,
    /// Events that they have missed.
    pub events_missed: u64,
    /// Messages to this node alone that nobody reads.
    pub messages_no_reader: u64,
    /// Those beyond what waits for readers: 1,024, of 16 MiB in all.
    pub messages_no_room: u64,
    /// Those that were taken, and whose readers went before they had read them.
    pub messages_unread: u64,
}

impl DriverCounters {
    /// All of them with their names, which are those of the fields.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        named!(self, {
            datagrams_unsent,
            receives_failed,
            resyncs,
            events_missed,
            messages_no_reader,
            messages_no_room,
            messages_unread,
        })
    }
}
