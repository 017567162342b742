//! The reliable plane: requests and their answers. Exchanges that compare tables go on in `sync`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use swim_membership::{Ask, Instant, Now, Who};
use swim_proto::limits::FRAME_BYTES_MAX;
use swim_proto::{
    BucketSet, DecodeError, Frame, Incarnation, NodeId, Packet, Part, Parts, Record, RecordFields,
    RefusalReason, Reply, Request, Seq, ShortId, Versions,
};

use super::offers::Sender;
use super::output::{Completion, ExchangeId, RequestId, SendId, SendOutcome};
use super::place::seen;
use super::round::{Comparison, Round};
use super::{Node, Pending, Ready};
use crate::event::Notice;

/// More exchanges than this are never open; one more is not begun, and counted.
pub(super) const OPEN_MAX: usize = 64;
/// What an exchange is for.
#[derive(Debug)]
pub(super) enum Purpose {
    Join { seed: SocketAddr },
    Sync(Comparison),
    Records(Box<Round>),
    Ping { seq: Seq },
    Leave { seq: Seq },
    User(SendId),
}

impl Purpose {
    /// With whom tables are compared, in frames that may be long.
    fn compares_with(&self) -> Option<SocketAddr> {
        match self {
            Self::Join { seed } => Some(*seed),
            Self::Sync(comparison) => Some(comparison.to),
            Self::Records(round) => Some(round.comparison.to),
            Self::Ping { .. } | Self::Leave { .. } | Self::User(_) => None,
        }
    }
}

/// What has come of an exchange.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// The frame of the reply. Its bytes may be changed in place.
    Frame(&'a mut [u8]),
    /// None: it failed, ran out of time, or was not answered.
    Nothing,
    /// The host of the other side has answered that nobody listens there, as TCP does with a RST.
    /// The node takes it as proof that its own network works (P6), so it must mean nothing else. A
    /// driver that cannot tell says [`Nothing`](Self::Nothing).
    Refused,
}

impl<'a> From<Option<&'a mut [u8]>> for Answer<'a> {
    fn from(frame: Option<&'a mut [u8]>) -> Self {
        frame.map_or(Self::Nothing, Self::Frame)
    }
}

/// The exchanges without an answer yet.
#[derive(Default)]
pub(super) struct Exchanges {
    open: BTreeMap<ExchangeId, Purpose>,
    last: u64,
}

impl Exchanges {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    fn is_joining(&self, by: SocketAddr) -> bool {
        let asked = |purpose: &Purpose| matches!(*purpose, Purpose::Join { seed } if seed == by);
        self.open.values().any(asked)
    }

    fn begin(&mut self, purpose: Purpose) -> ExchangeId {
        self.last += 1;
        let id = ExchangeId(self.last);
        self.open.insert(id, purpose);
        id
    }
}

impl Node {
    pub(super) fn pack_ask(&mut self, to: SocketAddr, ask: Ask) -> Option<Ready> {
        match ask {
            Ask::Join => self.pack_join(to),
            Ask::Sync | Ask::Repair => {
                let own = self.membership.digest();
                self.pack_sync(Comparison::first(to, ask, own))
            }
            Ask::Ping { seq, target, held, until } => {
                let from = self.membership.tiny();
                let request = Request::Ping { seq, target, from, held };
                self.begin(&Frame::Request(request))?;
                self.finish_exchange(to, Purpose::Ping { seq }, until)
            }
            Ask::Leave { seq, incarnation, until } => {
                let request = Request::Leave { seq, id: self.membership.id(), incarnation };
                self.begin(&Frame::Request(request))?;
                self.finish_exchange(to, Purpose::Leave { seq }, until)
            }
        }
    }

    fn pack_join(&mut self, seed: SocketAddr) -> Option<Ready> {
        if self.exchanges.is_joining(seed) {
            // It has not answered the last time yet.
            return None;
        }
        let cluster = self.cluster.clone();
        let request = Request::Join { cluster: cluster.as_str() };
        self.begin(&Frame::Request(request))?;
        let _ = self.push_part(Who::Local, FRAME_BYTES_MAX);
        self.ask_for_room(seed);
        self.finish_exchange(seed, Purpose::Join { seed }, self.exchange_deadline())
    }

    pub(super) fn pack_user_request(
        &mut self,
        id: SendId,
        to: SocketAddr,
        payload: &[u8],
    ) -> Option<Ready> {
        let request = Request::User { from: self.membership.short(), payload };
        if self.begin(&Frame::Request(request)).is_none() {
            self.on_exchange_not_begun(Purpose::User(id));
            return None;
        }
        self.finish_exchange(to, Purpose::User(id), self.exchange_deadline())
    }

    /// Begins a frame, if the codec has a form for it.
    pub(super) fn begin(&mut self, frame: &Frame<'_>) -> Option<()> {
        let begun = self.codec.begin_frame(frame, FRAME_BYTES_MAX, &mut self.out);
        self.wire.messages_unsayable += u64::from(begun.is_err());
        begun.ok()
    }

    pub(super) fn exchange_deadline(&self) -> Instant {
        self.now + self.membership.config().exchange_timeout()
    }

    pub(super) fn finish_exchange(
        &mut self,
        to: SocketAddr,
        purpose: Purpose,
        deadline: Instant,
    ) -> Option<Ready> {
        if self.exchanges.len() >= OPEN_MAX {
            self.wire.exchanges_full += 1;
            self.on_exchange_not_begun(purpose);
            return None;
        }
        self.codec.finish(&mut self.out);
        self.wire.exchanges += 1;
        let id = self.exchanges.begin(purpose);
        Some(Ready::Exchange { id, to, deadline })
    }

    /// Too many are open, or the codec has no form for the request: what it was for has failed.
    fn on_exchange_not_begun(&mut self, purpose: Purpose) {
        match purpose {
            Purpose::User(id) => self.complete_send(id, SendOutcome::Unanswered),
            Purpose::Sync(comparison) => self.on_sync_ended(&comparison, None),
            Purpose::Records(round) => self.on_round_failed(&round),
            // The seed is asked again, the probe and the leave go on by datagrams.
            Purpose::Join { .. } | Purpose::Ping { .. } | Purpose::Leave { .. } => {}
        }
    }

    /// A peer asks over the reliable plane. The answer, if there is one, comes by
    /// [`poll_output`](Self::poll_output) before the next wait, under the driver's number.
    pub fn handle_request(
        &mut self,
        now: impl Into<Now>,
        from: SocketAddr,
        id: RequestId,
        frame: &mut [u8],
    ) {
        self.enter(now);
        let mut scratch = std::mem::take(&mut self.scratch);
        match self.codec.decode_request(frame, &mut scratch) {
            Ok(Packet { message, parts }) => self.on_request(from, id, message, parts),
            Err(error) => self.on_bad_frame(error),
        }
        self.scratch = scratch;
        self.collect(usize::MAX);
    }

    fn on_request(
        &mut self,
        from: SocketAddr,
        id: RequestId,
        message: Request<'_>,
        parts: Parts<'_>,
    ) {
        match message {
            Request::Join { cluster } => self.on_join(from, id, cluster, parts),
            Request::Sync { from: peer, digests } => self.on_sync(from, id, peer, &digests, parts),
            Request::Records { from: peer, buckets, pull } => {
                self.on_records(from, id, peer, (buckets, pull), parts);
            }
            Request::Ping { seq, target, held, .. } => {
                if self.membership.handle_ping_request(self.now, target, held) {
                    self.reply(id, &Frame::Reply(Reply::Ack { seq }));
                }
            }
            // The reply is put off until the application has taken it.
            Request::User { from: sender, payload } => {
                self.on_message(sender, Sender::Peer(id), payload);
            }
            Request::Leave { seq, id: leaver, incarnation } => {
                self.on_leave_request(from, id, seq, (leaver, incarnation));
            }
        }
    }

    /// A peer that gets no datagrams through leaves (L2).
    fn on_leave_request(
        &mut self,
        from: SocketAddr,
        id: RequestId,
        seq: Seq,
        (leaver, incarnation): (NodeId, Incarnation),
    ) {
        if self.membership.has_left() {
            self.refuse(id, RefusalReason::NotRunning);
        } else if self.membership.handle_leave_request(self.now, from, leaver, incarnation) {
            self.reply(id, &Frame::Reply(Reply::Ack { seq }));
        }
    }

    fn on_join(&mut self, from: SocketAddr, id: RequestId, cluster: &str, parts: Parts<'_>) {
        let joiner = first_alive(parts.clone());
        let present = self.membership.table().present();
        let full = present >= self.membership.config().members_max() as usize;
        if cluster != self.cluster.as_str() {
            self.wire.frames_foreign += 1;
            // Its own address is the better one to tell: the port of the request is a passing one.
            let from = joiner.map_or(from, |(_, fields)| fields.address);
            self.notice_once(from, Notice::ForeignJoin { from, cluster: cluster.into() });
            self.refuse(id, RefusalReason::OtherCluster);
        } else if self.membership.has_left() {
            self.refuse(id, RefusalReason::NotRunning);
        } else if let Some((joiner, fields)) = joiner {
            if fields.versions.min > Versions::default().max {
                self.refuse(id, RefusalReason::Versions);
            } else if full && self.membership.table().find(joiner).is_none() {
                self.refuse(id, RefusalReason::Full);
            } else if Self::is_unreachable(from, fields.address) {
                self.refuse_address(id, joiner, from, fields.address);
            } else {
                self.on_joiner(from, id, joiner, parts);
            }
        } else {
            self.wire.frames_malformed += 1;
        }
    }

    pub(super) fn refuse(&mut self, id: RequestId, reason: RefusalReason) {
        let cluster = self.cluster.clone();
        self.reply(id, &Frame::Reply(Reply::Refusal { cluster: cluster.as_str(), reason }));
    }

    pub(super) fn reply(&mut self, id: RequestId, frame: &Frame<'_>) {
        if self.begin(frame).is_some() {
            self.finish_reply(id);
        }
    }

    pub(super) fn finish_reply(&mut self, id: RequestId) {
        self.codec.finish(&mut self.out);
        self.wire.requests += 1;
        // A reply is made at once, not when it is polled: it answers this request as things
        // stand now. Its buffer changes hands.
        let frame = std::mem::take(&mut self.out);
        self.pending.push_back(Pending::Reply { id, frame });
    }

    /// An exchange has ended.
    pub fn handle_reply(&mut self, now: impl Into<Now>, id: ExchangeId, answer: Answer<'_>) {
        self.enter(now);
        let Some(purpose) = self.exchanges.open.remove(&id) else { return };
        let compares_with = purpose.compares_with();
        match answer {
            Answer::Frame(frame) => {
                if let Some(with) = compares_with {
                    self.rooms.on_answered(with);
                }
                self.on_reply_frame(purpose, frame);
            }
            Answer::Nothing => {
                if let Some(to) = compares_with {
                    self.on_round_unanswered(to, &purpose);
                }
                self.on_exchange_unanswered(purpose);
            }
            Answer::Refused => self.on_exchange_refused(purpose),
        }
        self.collect(usize::MAX);
    }

    fn on_reply_frame(&mut self, purpose: Purpose, frame: &mut [u8]) {
        let mut scratch = std::mem::take(&mut self.scratch);
        match self.codec.decode_reply(frame, &mut scratch) {
            Ok(Packet { message, parts }) => self.on_reply(purpose, message, parts),
            Err(error) => {
                self.on_bad_frame(error);
                self.on_exchange_failed(purpose);
            }
        }
        self.scratch = scratch;
    }

    fn on_exchange_refused(&mut self, purpose: Purpose) {
        match purpose {
            Purpose::Ping { seq } => self.membership.handle_reliable_refusal(self.now, seq),
            Purpose::Leave { seq } => self.membership.handle_leave_refused(self.now, seq),
            _ => {}
        }
        self.on_exchange_unanswered(purpose);
    }

    /// The reliable plane has not carried it (E8).
    fn on_exchange_unanswered(&mut self, purpose: Purpose) {
        let to = match &purpose {
            Purpose::Sync(comparison) => Some(comparison.to),
            Purpose::Records(round) => Some(round.comparison.to),
            _ => None,
        };
        if let Some(to) = to {
            self.membership.handle_exchange_failed(self.now, to);
        }
        self.on_exchange_failed(purpose);
    }

    fn on_exchange_failed(&mut self, purpose: Purpose) {
        self.wire.exchanges_failed += 1;
        match purpose {
            Purpose::User(id) => self.complete_send(id, SendOutcome::Unanswered),
            Purpose::Sync(comparison) => self.on_sync_ended(&comparison, None),
            Purpose::Records(round) => self.on_round_failed(&round),
            Purpose::Join { seed } => self.on_join_unanswered(seed),
            Purpose::Ping { .. } | Purpose::Leave { .. } => {}
        }
    }

    /// A round of a join or a comparison was not answered. Where short frames were, or a seed that does
    /// not answer has sent datagrams meanwhile, it is long packets that are lost.
    fn on_round_unanswered(&mut self, to: SocketAddr, purpose: &Purpose) {
        let short_ones_pass = self.rooms.on_failed(self.now, to);
        let joins = matches!(purpose, Purpose::Join { .. });
        if short_ones_pass || joins && self.rooms.take_heard(to) {
            self.notice_once(to, Notice::SmallPath { to });
        }
    }

    fn on_join_unanswered(&mut self, seed: SocketAddr) {
        if self.membership.handle_unanswered(self.now, seed) {
            self.notice_once(seed, Notice::SeedUnanswered { seed });
        }
    }

    pub(super) fn complete_send(&mut self, id: SendId, outcome: SendOutcome) {
        let completion = Completion::Sent { id, outcome };
        self.pending.push_back(Pending::Completed(completion));
    }

    fn on_reply(&mut self, purpose: Purpose, message: Reply<'_>, parts: Parts<'_>) {
        match (purpose, message) {
            (Purpose::Join { seed }, Reply::Entries { from, digest, buckets, next }) => {
                self.on_join_answered(seed, from, digest, (buckets, next), parts);
            }
            (Purpose::Sync(comparison), Reply::Entries { from, digest, buckets, next }) => {
                self.on_compared(comparison, from, digest, (buckets, next), parts);
            }
            (Purpose::Records(round), Reply::Entries { from, digest, next, .. }) => {
                self.on_round_answered(round, from, digest, next, parts);
            }
            (Purpose::Join { seed: by }, Reply::Refusal { cluster, reason }) => {
                self.on_join_refused(by, cluster, reason, seen(parts));
            }
            (Purpose::Ping { seq }, Reply::Ack { seq: acked }) if seq == acked => {
                self.membership.handle_reliable_ack(self.now, seq);
            }
            (Purpose::Leave { seq }, Reply::Ack { seq: acked }) if seq == acked => {
                self.membership.handle_leave_ack(self.now, seq);
            }
            (Purpose::Leave { seq }, Reply::Refusal { reason: RefusalReason::NotRunning, .. }) => {
                self.membership.handle_leave_refused(self.now, seq)
            }
            (Purpose::User(id), Reply::Ack { .. }) => self.complete_send(id, SendOutcome::Taken),
            (Purpose::User(id), Reply::Refusal { reason: RefusalReason::NoReader, .. }) => {
                self.complete_send(id, SendOutcome::NoReader);
            }
            (Purpose::User(id), Reply::Refusal { reason: RefusalReason::NoRoom, .. }) => {
                self.complete_send(id, SendOutcome::NoRoom);
            }
            (purpose, Reply::Refusal { .. }) => self.on_exchange_failed(purpose),
            (purpose, Reply::Entries { .. } | Reply::Ack { .. }) => {
                self.wire.frames_malformed += 1;
                self.on_exchange_failed(purpose);
            }
        }
    }

    fn on_join_refused(
        &mut self,
        by: SocketAddr,
        cluster: &str,
        reason: RefusalReason,
        seen: Option<SocketAddr>,
    ) {
        if let Some(seen) = seen {
            self.on_seen(seen, false);
        }
        if self.membership.handle_refused(by, reason) {
            self.notice_once(by, Notice::JoinRefused { by, cluster: cluster.into(), reason });
        }
    }

    fn on_join_answered(
        &mut self,
        seed: SocketAddr,
        from: NodeId,
        digest: u64,
        told: (BucketSet, Option<ShortId>),
        parts: Parts<'_>,
    ) {
        let reflected = from == self.membership.id() && self.is_own_word(parts.clone());
        if self.membership.handle_joined(seed, reflected) {
            self.synced = false;
        }
        if !reflected {
            if let Some(seen) = seen(parts.clone()) {
                self.on_seen(seen, false);
            }
            let comparison = Comparison::first(seed, Ask::Join, self.membership.digest());
            self.on_compared(comparison, from, digest, told, parts);
        }
    }

    /// Whether what an answer says of this node is what it says itself: then it has asked itself.
    /// Another process with its id has another address, name or metadata; the later fields may have
    /// changed since this was said.
    fn is_own_word(&self, mut parts: Parts<'_>) -> bool {
        let local = self.membership.local();
        parts.any(|part| match part {
            Ok(Part::Alive { id, record, .. }) if id == local.id => {
                Record::parse(record).is_ok_and(|record| record.visible() == local.record.visible())
            }
            _ => false,
        })
    }

    fn on_bad_frame(&mut self, error: DecodeError) {
        match error {
            DecodeError::Check | DecodeError::OtherCluster => self.wire.frames_foreign += 1,
            DecodeError::UnknownKind => self.wire.kinds_unknown += 1,
            _ => self.wire.frames_malformed += 1,
        }
    }
}

/// Who asks to be taken in: the first part of a join is the joiner itself.
fn first_alive(mut parts: Parts<'_>) -> Option<(NodeId, RecordFields<'_>)> {
    match parts.next()? {
        Ok(Part::Alive { id, record, .. }) => Some((id, RecordFields::parse(record).ok()?)),
        _ => None,
    }
}
