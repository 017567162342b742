//! What nodes tell each other, in values: what a codec turns into bytes and back.
//!
//! ```text
//! datagrams   A ── ping ──────────────► B      any datagram may carry parts: news about members,
//!             A ◄───────────────── ack ── B     user broadcasts
//!             A ── ping-req ─► R ── ping ─► B
//!             A ◄── ack, nack ─ R ◄── ack ─ B
//! exchanges   A ── join, sync, records ─► B     one request, one reply, over the reliable plane
//!             A ── ping, user ──────────► B
//!             A ◄── entries, refusal, ack ── B
//! ```

use core::net::SocketAddr;

use crate::claim::{Claim, Incarnation};
use crate::digest::{BucketDigests, BucketSet};
use crate::identity::{NodeId, Seq, ShortId, Subject, TinyId};
use crate::limits::ACCUSERS_MAX;

/// What the sender of a ping holds of its target, so that the target learns in one round trip
/// that it must refute, or that its number is low (P3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The claim held.
    pub claim: Claim,
    /// The low 2 bytes of the hash of the record held.
    pub record: u16,
}

/// How the sender of a ping or ack stands, for its peer to compare with (D2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateNote {
    /// The digest of its table.
    pub digest: u64,
    /// Whether it has no news to tell, so that a difference is none that is on its way.
    pub quiet: bool,
}

/// The message that a datagram is about. Parts may follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datagram<'a> {
    /// Are you there? Answered by an ack.
    Ping {
        /// The number that the ack repeats.
        seq: Seq,
        /// Who is meant; another node does not answer.
        target: TinyId,
        /// Who asks.
        from: TinyId,
        /// What the asker holds of the target.
        held: Held,
        /// How the asker stands, for members.
        note: Option<StateNote>,
    },
    /// I am there. It names nobody.
    Ack {
        /// The number of the ping or ping-req.
        seq: Seq,
        /// How the sender stands, for members.
        note: Option<StateNote>,
    },
    /// Ping the target for me.
    PingReq {
        /// The number that ack or nack repeat.
        seq: Seq,
        /// Who asks; only members are helped.
        from: TinyId,
        /// Whom to ping.
        target: Subject,
    },
    /// I am here, but the target of your ping-req has not answered me yet.
    Nack {
        /// The number of the ping-req.
        seq: Seq,
    },
    /// Only parts.
    Gossip,
    /// Only parts, sent to one whose word was stale. Deaths in it are treated as those of an
    /// exchange, and it is never answered by another correction (G6).
    Correction,
    /// Tell me this member's record. Answered by gossip.
    RecordRequest {
        /// Who asks; only members are told.
        from: TinyId,
        /// Whose record.
        subject: Subject,
    },
    /// I go. Answered by a leave-ack.
    Leave {
        /// The number that the leave-ack repeats.
        seq: Seq,
        /// Who goes.
        id: NodeId,
        /// The incarnation that ends.
        incarnation: Incarnation,
    },
    /// I know that you go.
    LeaveAck {
        /// The number of the leave.
        seq: Seq,
    },
    /// An application's message to this node, best effort.
    User {
        /// Who sends it.
        from: ShortId,
        /// What it says.
        payload: &'a [u8],
    },
}

/// Up to four accusers of one suspicion or death.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accusers {
    length: u8,
    ids: [TinyId; ACCUSERS_MAX],
}

impl Accusers {
    /// Nobody.
    pub const fn new() -> Self {
        Self { length: 0, ids: [TinyId(0); ACCUSERS_MAX] }
    }

    /// Adds an accuser. Returns whether it is new and there was room.
    pub fn insert(&mut self, id: TinyId) -> bool {
        if self.contains(id) || self.is_full() {
            return false;
        }
        self.ids[usize::from(self.length)] = id;
        self.length += 1;
        true
    }

    /// Whether `id` is among them.
    pub fn contains(&self, id: TinyId) -> bool {
        self.as_slice().contains(&id)
    }

    /// Whether there is no room for another.
    pub fn is_full(&self) -> bool {
        usize::from(self.length) == ACCUSERS_MAX
    }

    /// The accusers, in the order in which they came.
    pub fn as_slice(&self) -> &[TinyId] {
        &self.ids[..usize::from(self.length)]
    }
}

impl FromIterator<TinyId> for Accusers {
    fn from_iter<I: IntoIterator<Item = TinyId>>(ids: I) -> Self {
        let mut accusers = Self::new();
        for id in ids {
            accusers.insert(id);
        }
        accusers
    }
}

/// A part of a datagram or of a frame: news about one member, or a user broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// The member is alive and this is its record; only its owner makes one.
    Alive {
        /// Who.
        id: NodeId,
        /// In which incarnation.
        incarnation: Incarnation,
        /// The record's bytes, not yet checked.
        record: &'a [u8],
    },
    /// Somebody's probe of the member failed.
    Suspect {
        /// Who.
        subject: Subject,
        /// In which incarnation.
        incarnation: Incarnation,
        /// Who says so, one to four.
        accusers: Accusers,
    },
    /// The member did not refute in time.
    Dead {
        /// Who.
        subject: Subject,
        /// In which incarnation.
        incarnation: Incarnation,
        /// Who had said so, up to four.
        accusers: Accusers,
    },
    /// The member said goodbye.
    Left {
        /// Who.
        subject: Subject,
        /// Which incarnation ended.
        incarnation: Incarnation,
    },
    /// An application's message to all.
    Broadcast {
        /// Who began it.
        origin: ShortId,
        /// A random number that tells it from all others.
        key: u64,
        /// What it says.
        payload: &'a [u8],
    },
    /// From where the receiver of this was seen to speak (J3): what a join or a ping came from.
    Seen {
        /// The address. On the reliable plane its port is a passing one.
        address: SocketAddr,
    },
    /// The reply to this request is to be no longer than that (E7).
    Room {
        /// The most bytes of its frame.
        bytes: u32,
    },
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The node that was asked belongs to another cluster.
    OtherCluster,
    /// It holds as many members as it may.
    Full,
    /// No protocol version is spoken by both.
    Versions,
    /// It has left, or has not started.
    NotRunning,
    /// The address in the joiner's record is loopback or link-local, and the joiner speaks from
    /// elsewhere: nobody reaches it there (J3).
    Address,
    /// Nobody reads the messages that come to it.
    NoReader,
    /// Its readers are behind, and no more messages may wait for them.
    NoRoom,
    /// A reason of a later version, by its byte, which is none of the above.
    Unknown(u8),
}

/// A request of the reliable plane. Parts may follow join, sync and records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Take me in. The first part is the joiner itself. Answered by entries or a refusal.
    Join {
        /// The cluster that the joiner means.
        cluster: &'a str,
    },
    /// Compare tables. Answered by entries of the buckets that differ.
    Sync {
        /// Who asks.
        from: NodeId,
        /// The digests of its buckets.
        digests: BucketDigests<'a>,
    },
    /// Take what I hold of these buckets, and go on to tell what you hold. Parts are what the asker
    /// holds; answered by entries.
    Records {
        /// Who asks.
        from: NodeId,
        /// Of which buckets.
        buckets: BucketSet,
        /// From which short id on to tell, `None`: nothing more, only take my parts.
        pull: Option<ShortId>,
    },
    /// A ping over the reliable plane. Answered by an ack.
    Ping {
        /// The number that the ack repeats.
        seq: Seq,
        /// Who is meant.
        target: TinyId,
        /// Who asks.
        from: TinyId,
        /// What the asker holds of the target.
        held: Held,
    },
    /// An application's message to this node. Answered by an ack once it was taken, or by a refusal.
    User {
        /// Who sends it.
        from: ShortId,
        /// What it says.
        payload: &'a [u8],
    },
    /// I leave. Answered by an ack of who holds me left then, and lasts; by a refusal of who leaves too.
    Leave {
        /// The number that the ack repeats.
        seq: Seq,
        /// Who leaves.
        id: NodeId,
        /// The incarnation that ends.
        incarnation: Incarnation,
    },
}

/// A reply of the reliable plane. Parts may follow entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// Parts: what contradicts the request, then the responder's own word, then what it holds of
    /// the buckets, in the order of short ids, from the one that was asked for.
    Entries {
        /// Who answers.
        from: NodeId,
        /// The digest of its table, with what the request has told.
        digest: u64,
        /// The buckets: those that differ, all for a join, else those that were asked for.
        buckets: BucketSet,
        /// From which short id on there is more, `None`: that was all.
        next: Option<ShortId>,
    },
    /// No. With the name of the responder's own cluster.
    Refusal {
        /// The cluster that was asked.
        cluster: &'a str,
        /// Why.
        reason: RefusalReason,
    },
    /// Received (ping and user).
    Ack {
        /// The number of the request; 0 for user.
        seq: Seq,
    },
}
