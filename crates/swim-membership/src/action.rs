//! What the membership wants done, in the order in which it was decided.

use alloc::boxed::Box;
use core::net::SocketAddr;
use core::time::Duration;

use swim_proto::{Accusers, Claim, Datagram, Held, Incarnation, NodeId, Record, Seq, TinyId};

use crate::keeping::SavedState;
use crate::planes::Plane;
use crate::table::MemberIx;
use crate::time::Instant;

/// About whom something is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// This node.
    Local,
    /// A member of the table.
    Member(MemberIx),
}

/// What a datagram carries besides its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tell {
    /// Nothing: it goes to an address that is no present member's.
    Nothing,
    /// Nothing, and it is sent only if it is no longer than what it answers: it goes to one who is no
    /// present member.
    NoLonger,
    /// The freshest news.
    News,
    /// What is held of this one first, then news.
    First(Who),
    /// Only what is held of this one.
    Only(Who),
    /// Only what is held of this absent one, without its accusers, and only if the whole is no
    /// longer than what it answers (G6).
    Verdict(MemberIx),
    /// Only this member's record, and that it is suspect if it is.
    Record(MemberIx),
    /// Only from where the receiver was seen to speak, and only if the whole is no longer than what it
    /// answers (J3).
    Seen,
}

/// How something about a member came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// In a datagram, spread by many.
    Gossip,
    /// In an ack of this member to a probe of ours: gossip but for the member's own word.
    Ack(NodeId),
    /// In an answer to a stale claim.
    Correction,
    /// In a request of one who says that it is this member.
    Request(NodeId),
    /// In the reply to a request of ours, by one who says that it is this member.
    Reply(NodeId),
}

impl Via {
    /// The member on the other side of an exchange.
    pub fn peer(self) -> Option<NodeId> {
        match self {
            Self::Request(peer) | Self::Reply(peer) => Some(peer),
            Self::Gossip | Self::Ack(_) | Self::Correction => None,
        }
    }

    /// Whether it is news that spreads, and no answer to something that was said.
    pub fn is_gossip(self) -> bool {
        matches!(self, Self::Gossip | Self::Ack(_))
    }
}

/// A question for the reliable plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Take me in.
    Join,
    /// Compare tables, because it is time or because the peer is thought dead.
    Sync,
    /// Compare tables, because digests have differed.
    Repair,
    /// A ping of the probe with this number.
    Ping {
        /// The probe's number.
        seq: Seq,
        /// Who is meant.
        target: TinyId,
        /// What is held of it.
        held: Held,
        /// When the probe ends; an answer is of no use after it.
        until: Instant,
    },
    /// This node leaves.
    Leave {
        /// The number of the leave to this peer.
        seq: Seq,
        /// The incarnation that ends.
        incarnation: Incarnation,
        /// When the leave ends; an answer is of no use after it.
        until: Instant,
    },
}

/// How a comparison of tables has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncEnd {
    /// Both tables are equal.
    Equal,
    /// They are not, but this node has learnt something.
    Changed,
    /// Neither; or it has failed.
    InVain,
}

/// Something to do.
#[derive(Clone, Debug)]
pub enum Action {
    /// Send a datagram.
    Send {
        /// To whom.
        to: SocketAddr,
        /// Its message.
        message: Datagram<'static>,
        /// What it carries besides.
        tell: Tell,
    },
    /// Ask over the reliable plane, and report what comes of it.
    Exchange {
        /// Whom.
        to: SocketAddr,
        /// What.
        ask: Ask,
    },
    /// What is held of this one is news. Urgent news goes first.
    News {
        /// About whom.
        who: Who,
        /// Whether it goes before other news: one's own word.
        urgent: bool,
    },
    /// What was news of this member is none any more: it was forgotten, or is not to be told (M5).
    Forget(MemberIx),
    /// Tell the user.
    Event(Event),
    /// Write this, and report what comes of it. What follows may use what it reserves (R5).
    Persist(SavedState),
    /// What is to be kept was written, after it could not be.
    PersistedAgain,
    /// A seed, or one known from an earlier life, has answered for the first time.
    Joined {
        /// Its address.
        seed: SocketAddr,
    },
    /// A member answers by one plane only (E8).
    OnePlane {
        /// Who.
        id: NodeId,
        /// Where.
        address: SocketAddr,
        /// The plane that works.
        plane: Plane,
        /// Since when, in Unix time by this node's wall clock.
        since: Duration,
    },
    /// The median member answers later than this configuration is made for, for several periods by
    /// now; again only after a minute in which it did not (P4).
    SlowNetwork {
        /// How long its answer takes.
        round_trip: Duration,
    },
    /// A member speaks from elsewhere than its record says; once a member and record (J3).
    Elsewhere {
        /// Who.
        id: NodeId,
        /// From where.
        from: SocketAddr,
        /// Whether the port is its own, and not a passing one.
        port: bool,
        /// What its record says.
        record: SocketAddr,
    },
    /// A present member uses another timing than this node, as its new record says (W7).
    OtherTiming {
        /// Which.
        member: MemberIx,
    },
    /// There is another process with this node's id, which has started earlier, and it has answered
    /// just now (R4).
    StartedLater {
        /// Its address.
        other: SocketAddr,
    },
    /// The leave is over.
    Left {
        /// How many peers acknowledged it.
        acknowledged: u32,
        /// How many were told.
        told: u32,
    },
}

/// A member as it was at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    /// Who.
    pub id: NodeId,
    /// What was held of it.
    pub claim: Claim,
    /// Its record.
    pub record: Record,
}

/// A change in the membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What changed.
    pub kind: EventKind,
    /// The member after the change.
    pub member: Box<MemberView>,
}

/// How a member came to be held dead: remembered as long as its tombstone (T1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Death {
    /// Who had accused it.
    pub accusers: Accusers,
    /// Whether this node's own suspicion ran out; else the news came by gossip.
    pub own: bool,
    /// For how long this node had suspected it, without what this node has lost itself; `None`: it
    /// had not.
    pub suspected_for: Option<Duration>,
    /// What the wall clock showed then, as the time since 1970.
    pub at: Duration,
    /// This node's local health score at that moment.
    pub health: u32,
}

/// What changed about a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Newly present, or in a new life after it had left.
    Joined,
    /// Suspect or dead before, alive now.
    Up,
    /// Accused.
    Suspected,
    /// Dead.
    Down(Death),
    /// It said goodbye.
    Left,
    /// Its record changed in what users see: address, versions, name or metadata.
    Updated,
    /// This node hears from nobody. The member is this node.
    Isolated,
    /// It hears from others again, or a partition is over (E6). The member is this node.
    Healed,
    /// Two processes use the member's id: this node's, or that of another whose record has returned to
    /// an address that it had left (R4).
    Conflict {
        /// The address of the process that is not at the member's.
        other: SocketAddr,
    },
}
