//! What a node tells its user.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use swim_membership::Plane;
use swim_proto::{NodeId, RefusalReason};

use crate::Member;

/// A change in the membership as this node sees it, or a message. Events are never about the
/// node itself, but for [`Isolated`](Self::Isolated),
/// [`Healed`](Self::Healed) and [`Conflict`](Self::Conflict).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Event {
    /// Newly present: first met, or back in a new life after it had left.
    Joined(Member),
    /// Suspect or dead before, alive now.
    Up(Member),
    /// Somebody's probe failed; it has time to refute.
    Suspected(Member),
    /// It did not refute in time.
    Down(Member, Death),
    /// It said goodbye.
    Left(Member),
    /// Its record changed: address, name, metadata or versions.
    Updated(Member),
    /// An application's message to all. Those to this node alone are no events: see [`Message`].
    Message {
        /// Who sent it.
        from: Member,
        /// How it came: by gossip.
        delivery: Delivery,
        /// What it says.
        payload: Arc<[u8]>,
    },
    /// This node, the member, hears from nobody: it may be cut off, and holds nobody dead for a
    /// while (S5).
    Isolated(Member),
    /// This node, the member, hears from others again after it was isolated; or a partition is over:
    /// members that it held dead are coming back, and they held it dead. Told once a healing, on both
    /// sides (E6); that they are up is told of each.
    Healed(Member),
    /// Another process uses this node's id.
    Conflict {
        /// This node, with its own address.
        local: Member,
        /// The address in the other's record.
        other: SocketAddr,
    },
    /// Two processes use the id of another member: its record has returned to an address that it had
    /// left, in a higher incarnation each time (R4). Told once a conflict; each move is an
    /// [`Updated`](Self::Updated) besides.
    MemberConflict {
        /// The member, at the address that it has now.
        member: Member,
        /// The other address.
        other: SocketAddr,
    },
}

/// An application's message to this node alone. With the tokio feature they come by
/// `Cluster::messages`, else by [`Output::Message`](crate::node::Output::Message).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Message {
    /// Who sent it; this node itself, perhaps.
    pub from: Member,
    /// How it came.
    pub delivery: Delivery,
    /// What it says.
    pub payload: Arc<[u8]>,
}

/// How a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Delivery {
    /// Spread to all by gossip.
    Broadcast,
    /// In a datagram to this node alone.
    BestEffort,
    /// Over the reliable plane to this node alone.
    Reliable,
}

/// Why a member is held dead. It can be looked up as long as the member is remembered, a day by
/// default: with the tokio feature by `Snapshot::death`, else by
/// [`Node::death`](crate::node::Node::death).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Death {
    /// Whose probes failed, as far as this node knows them; this node may be among them.
    pub accusers: Vec<NodeId>,
    /// How this node came to hold it dead.
    pub path: DeathPath,
    /// When that was, by this node's wall clock.
    pub at: SystemTime,
    /// For how long this node had suspected it by then, counted from the ping that was not answered,
    /// less any time for which this node itself stood still. `None`: it had not; it has only heard of
    /// it.
    pub suspected_for: Option<Duration>,
    /// This node's local health score at that moment, 0 (well) to 8.
    pub health: u32,
}

/// How a node came to hold a member dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum DeathPath {
    /// Its own suspicion ran out.
    Suspicion,
    /// The news came by gossip.
    Gossip,
}

impl DeathPath {
    /// The word for it: `suspicion` or `gossip`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Suspicion => "suspicion",
            Self::Gossip => "gossip",
        }
    }
}

/// Something that an operator should know, but that is no change in the membership. Each kind that
/// is about an address is told once per address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A seed refused to take this node in.
    JoinRefused {
        /// The seed's address.
        by: SocketAddr,
        /// The cluster that it belongs to.
        cluster: String,
        /// Why it refused.
        reason: RefusalReason,
    },
    /// A node that means another cluster asked this one to join.
    ForeignJoin {
        /// Where the request came from.
        from: SocketAddr,
        /// The cluster that it means.
        cluster: String,
    },
    /// A datagram failed its check: it is of another cluster, or damaged.
    ForeignDatagram {
        /// Where it came from.
        from: SocketAddr,
    },
    /// A seed's name cannot be resolved now. It is tried again.
    SeedUnresolved {
        /// The seed, as given.
        seed: String,
        /// Why.
        error: String,
    },
    /// A seed is of a family of addresses, IPv4 or IPv6, that a node which listens here does not reach.
    /// It is not tried: datagrams would not arrive.
    SeedUnreachable {
        /// The seed, as given.
        seed: String,
        /// Where this node listens.
        listen: SocketAddr,
    },
    /// This node refused one whose record names an address, loopback or link-local, at which only its own
    /// host or link reaches it, and that speaks from elsewhere (J3). Told once an address.
    AddressRefused {
        /// Who asked to be taken in.
        id: NodeId,
        /// From which host it spoke.
        from: IpAddr,
        /// What its record says.
        address: SocketAddr,
    },
    /// A member, or this node itself as others see it, speaks from elsewhere than its record says: others
    /// do not reach it where it says, or take what it sends for a stranger's. `--advertise` with the right
    /// address helps, or [`Cluster::set_advertise`](crate::Cluster::set_advertise). Told once a member and
    /// record (J3).
    SpeaksFromElsewhere {
        /// Who; this node's own id means this node.
        id: NodeId,
        /// From which host.
        from: IpAddr,
        /// From which port, where that is known.
        port: Option<u16>,
        /// What its record says.
        record: SocketAddr,
    },
    /// This node says from now on that it is reached at another address of its machine, because others
    /// have seen it there, or because it has the one before no more (J3).
    Moved {
        /// The address before.
        before: SocketAddr,
        /// The address now.
        now: SocketAddr,
    },
    /// Long frames to or from this address do not get through, and short ones or datagrams do: something on
    /// the way loses packets above some size, and ICMP does not say so; or it blocks TCP. Tables are compared in short frames from
    /// now on (E7); for datagrams [`ConfigBuilder::datagram_bytes_max`](crate::ConfigBuilder) is to be lowered,
    /// to 1,232 for a path of 1,280 bytes.
    SmallPath {
        /// The address.
        to: SocketAddr,
    },
    /// A seed does not answer. It is tried again.
    SeedUnanswered {
        /// The seed's address.
        seed: SocketAddr,
    },
    /// What is to be kept over a restart cannot be written. It is tried again; should this process
    /// end before, the next one has to learn its number from the others. Told again only after it
    /// could be written meanwhile.
    NotPersisted {
        /// What was tried, and why it failed.
        error: String,
    },
    /// What is to be kept over a restart was written again, after [`NotPersisted`](Self::NotPersisted).
    PersistedAgain,
    /// The preset does not fit the network: the median member answers later than the base time-out
    /// allows, with a quarter of its round trip to spare, for five periods by now (P4). Members are
    /// given more time, so that each death is found later; beyond the bound of that time living members
    /// are declared dead. A preset with a longer base time-out is to be used by all members. A machine
    /// on which this process itself waits for the processor looks the same. Told again only after
    /// round trips have fitted for a minute.
    SlowNetwork {
        /// How long the answer of the median member takes.
        round_trip: Duration,
        /// How long an answer is waited for before others are asked, where round trips are short.
        base_timeout: Duration,
    },
    /// A member answers by one plane only: a firewall, most likely, drops what goes by the other (E8).
    /// It is a full member all the same, which learns late of what gossip tells. Told again only after
    /// the other plane has worked meanwhile.
    OnePlane {
        /// Who.
        id: NodeId,
        /// Where.
        address: SocketAddr,
        /// The plane that works. If it is the reliable one, datagrams get lost on the way there, or
        /// back.
        plane: Plane,
        /// Since when.
        since: SystemTime,
    },
    /// A member uses another period or another suspicion minimum than this node: another preset, for
    /// example. All members of a cluster should use the same. The times are as the member's record says
    /// them, rounded up to 100 ms (W7).
    OtherTiming {
        /// The member.
        member: Member,
        /// Its period.
        period: Duration,
        /// Its suspicion minimum.
        suspicion_min: Duration,
    },
    /// Another process uses this node's id, as [`Event::Conflict`] has said. It has started earlier, or
    /// at the same second at the smaller address, and has just answered a ping: if one of both is to
    /// end, it is this one (R4), and without a leave, which would be said of the other one, too.
    StartedLater {
        /// Its address.
        other: SocketAddr,
    },
    /// The first that answered, a seed or a member known from an earlier life: the join is done.
    JoinedBy {
        /// Its address.
        seed: SocketAddr,
    },
}
