//! What the user asks for.

use std::net::SocketAddr;

use swim_membership::{Now, SavedState};
use swim_proto::limits::{BROADCAST_BYTES_MAX, FRAME_BYTES_MAX};
use swim_proto::{NodeId, RecordError, RecordFields};

use super::offers::Sender;
use super::output::SendId;
use super::pack::Broadcast;
use super::{Node, Pending};
use crate::event::{Delivery, Message, Notice};

/// Bytes of a user message's frame or datagram that are not its payload, rounded up.
const USER_OVERHEAD: usize = 64;

/// A payload that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a payload of {bytes} bytes is too long; {max} bytes is the most")]
pub struct TooLong {
    /// Its length.
    pub bytes: usize,
    /// The most.
    pub max: usize,
}

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// No member of this id is held.
    #[error("no such member")]
    UnknownMember,
    /// The member is dead or has left.
    #[error("the member is not present")]
    NotPresent,
    /// This node has left.
    #[error("this node has left the cluster")]
    NotRunning,
    /// The payload does not fit.
    #[error(transparent)]
    TooLong(#[from] TooLong),
}

fn check_length(payload: &[u8], max: usize) -> Result<(), TooLong> {
    let bytes = payload.len();
    if bytes > max { Err(TooLong { bytes, max }) } else { Ok(()) }
}

impl Node {
    /// Makes joining by these addresses the standing goal: they are tried again, after longer and
    /// longer whiles, until one answers. It replaces the addresses of an earlier call; the own
    /// address among them is ignored. After [`leave`](Self::leave) this begins the next life.
    pub fn join(&mut self, now: impl Into<Now>, seeds: &[SocketAddr]) {
        let now = self.enter(now);
        self.membership.join(now, seeds);
        self.collect(usize::MAX);
    }

    /// The addresses of the seeds have changed: names resolve to others than before. While no seed
    /// has answered it is as [`join`](Self::join); after that healing tries them, nothing else.
    pub fn update_seeds(&mut self, now: impl Into<Now>, seeds: &[SocketAddr]) {
        let now = self.enter(now);
        self.membership.update_seeds(now, seeds);
        self.collect(usize::MAX);
    }

    /// Whether no seed has answered yet.
    pub fn wants_seeds(&self) -> bool {
        self.membership.wants_seeds()
    }

    /// Whether this node runs and the goal of joining is reached: somebody has answered; or there
    /// is no seed, and nobody known from an earlier life answers.
    pub fn is_joined(&self) -> bool {
        self.is_running() && self.membership.is_joined()
    }

    /// Whether this node has the whole table of whoever has first answered its join.
    pub fn is_synced(&self) -> bool {
        self.synced
    }

    /// What should be kept as things stand, for a last write when the process ends; `None`: this
    /// node keeps nothing.
    pub fn state_to_save(&self) -> Option<SavedState> {
        self.membership.state_to_save()
    }

    /// What [`Output::Persist`](super::Output::Persist) asked for was written, or why it was not.
    /// A failure is counted and told, and the node goes on.
    pub fn handle_persisted(&mut self, now: impl Into<Now>, result: Result<(), String>) {
        let now = self.enter(now);
        let to_tell = self.membership.handle_persisted(now, result.is_ok());
        if let (true, Err(error)) = (to_tell, result) {
            self.pending.push_back(Pending::Notice(Notice::NotPersisted { error }));
        }
        self.collect(usize::MAX);
    }

    /// Leaves gently: a few peers are told until they acknowledge it, within about a second; while
    /// nobody who lasts has acknowledged it, for [`Config::leave_timeout`](swim_membership::Config::leave_timeout)
    /// at most. [`Completion::Left`](super::Completion::Left) says how many did.
    pub fn leave(&mut self, now: impl Into<Now>) {
        let now = self.enter(now);
        self.membership.leave(now);
        self.collect(usize::MAX);
    }

    /// Replaces this node's metadata, which all members will see.
    ///
    /// # Errors
    /// When it is longer than 512 bytes; the old one then stays.
    pub fn set_metadata(
        &mut self,
        now: impl Into<Now>,
        metadata: &[u8],
    ) -> Result<(), RecordError> {
        self.enter(now);
        let fields = self.membership.local_record().fields();
        let record = RecordFields { metadata, ..fields }.build()?;
        self.membership.set_record(record);
        self.collect(usize::MAX);
        Ok(())
    }

    /// Tells all other members something by gossip: best effort, at most once each, in no order. This
    /// node itself gets no event of it.
    ///
    /// # Errors
    /// When it is longer than 512 bytes, or this node has left.
    pub fn broadcast(&mut self, now: impl Into<Now>, payload: &[u8]) -> Result<(), SendError> {
        check_length(payload, BROADCAST_BYTES_MAX)?;
        if !self.is_running() {
            return Err(SendError::NotRunning);
        }
        self.enter(now);
        let key = rand::RngExt::random(&mut self.rng);
        self.seen.insert(key);
        let origin = self.membership.short();
        self.queue_broadcast(Broadcast { origin, key, payload: payload.into() });
        Ok(())
    }

    pub(super) fn queue_broadcast(&mut self, broadcast: Broadcast) {
        self.arm_gossip();
        let bytes = broadcast.payload.len();
        self.outbox.push_broadcast(broadcast, bytes);
    }

    /// Sends one member a datagram, best effort; to this node itself it is offered at once.
    ///
    /// # Errors
    /// When the member is not there, or the payload does not fit a datagram.
    pub fn send(
        &mut self,
        now: impl Into<Now>,
        to: NodeId,
        payload: &[u8],
    ) -> Result<(), SendError> {
        let max = self.membership.config().datagram_bytes_max() - USER_OVERHEAD;
        check_length(payload, max)?;
        self.enter(now);
        if self.is_own(to)? {
            let message = self.own_message(Delivery::BestEffort, payload);
            self.offer(Sender::Nobody, message);
            return Ok(());
        }
        let to = self.address_of(to)?;
        self.pending.push_back(Pending::User { to, payload: payload.into() });
        Ok(())
    }

    /// Sends one member a message over the reliable plane;
    /// [`Completion::Sent`](super::Completion::Sent) says what came of it. To this node itself it is
    /// offered at once.
    ///
    /// # Errors
    /// When the member is not there, or the payload is longer than 65,472 bytes.
    pub fn send_reliable(
        &mut self,
        now: impl Into<Now>,
        to: NodeId,
        payload: &[u8],
    ) -> Result<SendId, SendError> {
        check_length(payload, FRAME_BYTES_MAX - USER_OVERHEAD)?;
        self.enter(now);
        self.next_send += 1;
        let id = SendId(self.next_send);
        if self.is_own(to)? {
            let message = self.own_message(Delivery::Reliable, payload);
            self.offer(Sender::Own(id), message);
            return Ok(id);
        }
        let to = self.address_of(to)?;
        self.pending.push_back(Pending::UserExchange { id, to, payload: payload.into() });
        Ok(id)
    }

    /// Whether a message is for this node itself.
    fn is_own(&self, id: NodeId) -> Result<bool, SendError> {
        let own = id == self.membership.id();
        if own && !self.is_running() { Err(SendError::NotRunning) } else { Ok(own) }
    }

    fn own_message(&self, delivery: Delivery, payload: &[u8]) -> Message {
        Message { from: self.local(), delivery, payload: payload.into() }
    }

    fn address_of(&self, id: NodeId) -> Result<SocketAddr, SendError> {
        if !self.is_running() {
            return Err(SendError::NotRunning);
        }
        let table = self.membership.table();
        let ix = table.find(id).ok_or(SendError::UnknownMember)?;
        let view = self.membership.view(ix);
        if view.claim.state.is_present() {
            Ok(view.record.address())
        } else {
            Err(SendError::NotPresent)
        }
    }
}
