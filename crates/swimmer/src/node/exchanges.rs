//! The reliable plane: requests and their answers, and exchanges of several rounds.
//!
//! ```text
//! asker                                      responder
//!   join (own record)            ──────────►
//!              ◄────────── entries: contradictions, own record, table from 0
//!   sync (contradictions, own record, table) ►      until both tables are through
//!              ◄────────── entries …
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;

use swim_membership::{Ask, Instant, Source, Via, Who};
use swim_proto::limits::FRAME_BYTES_MAX;
use swim_proto::{
    DecodeError, Fit, Frame, NodeId, Packet, Part, Parts, RecordFields, RefusalReason, Reply,
    Request, Seq, ShortId, State, Versions,
};

use super::output::{Completion, ExchangeId, RequestId, SendId};
use super::{Node, Pending, Ready};
use crate::event::{Delivery, Notice};

/// More exchanges than this are never open; one more is not begun, and counted.
pub(super) const OPEN_MAX: usize = 64;
/// An exchange of more rounds than this is broken off; a whole table of the largest size fits.
const ROUNDS_MAX: u32 = 2_048;

/// Where an exchange of several rounds stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    to: SocketAddr,
    /// The place in our table from which to tell, `None`: it is told.
    push: Option<u32>,
    /// The place in theirs from which to ask, `None`: it is known.
    pull: Option<u32>,
    number: u32,
}

/// What an exchange is for.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    Join { seed: SocketAddr },
    Sync(Round),
    Ping { seq: Seq },
    User(SendId),
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
            Ask::Sync => self.pack_round(Round { to, push: Some(0), pull: Some(0), number: 0 }),
            Ask::Ping { seq, target, held, until } => {
                let from = self.membership.tiny();
                let request = Request::Ping { seq, target, from, held };
                self.begin(&Frame::Request(request))?;
                self.finish_exchange(to, Purpose::Ping { seq }, until)
            }
        }
    }

    fn pack_join(&mut self, seed: SocketAddr) -> Option<Ready> {
        if self.exchanges.is_joining(seed) {
            // It has not answered the last time yet.
            return None;
        }
        let request = Request::Join { cluster: self.cluster.as_str() };
        self.codec.begin_frame(&Frame::Request(request), FRAME_BYTES_MAX, &mut self.out).ok()?;
        let _ = self.push_part(Who::Local, FRAME_BYTES_MAX);
        self.finish_exchange(seed, Purpose::Join { seed }, self.exchange_deadline())
    }

    /// The next round: what the last one left contradicted, our own word, and our table as far
    /// as it fits.
    pub(super) fn pack_round(&mut self, round: Round) -> Option<Ready> {
        let request = Request::Sync { from: self.membership.id(), pull: round.pull };
        self.begin(&Frame::Request(request))?;
        self.push_contradictions();
        let _ = self.push_part(Who::Local, FRAME_BYTES_MAX);
        let push = round.push.and_then(|cursor| self.push_table(cursor));
        let deadline = self.exchange_deadline();
        self.finish_exchange(round.to, Purpose::Sync(Round { push, ..round }), deadline)
    }

    pub(super) fn pack_user_request(
        &mut self,
        id: SendId,
        to: SocketAddr,
        payload: &[u8],
    ) -> Option<Ready> {
        let request = Request::User { from: self.membership.short(), payload };
        let ready = match self.begin(&Frame::Request(request)) {
            Some(()) => self.finish_exchange(to, Purpose::User(id), self.exchange_deadline()),
            None => None,
        };
        if ready.is_none() {
            self.complete_send(id, false);
        }
        ready
    }

    fn begin(&mut self, frame: &Frame<'_>) -> Option<()> {
        self.codec.begin_frame(frame, FRAME_BYTES_MAX, &mut self.out).ok()
    }

    fn exchange_deadline(&self) -> Instant {
        self.now + self.membership.config().exchange_timeout()
    }

    fn finish_exchange(
        &mut self,
        to: SocketAddr,
        purpose: Purpose,
        deadline: Instant,
    ) -> Option<Ready> {
        if self.exchanges.len() >= OPEN_MAX {
            self.wire.exchanges_full += 1;
            return None;
        }
        self.codec.finish(&mut self.out);
        self.wire.exchanges += 1;
        let id = self.exchanges.begin(purpose);
        Some(Ready::Exchange { id, to, deadline })
    }

    /// Tells the other side where its word is older than ours (E3).
    fn push_contradictions(&mut self) {
        let (codec, out) = (&mut *self.codec, &mut self.out);
        self.membership.take_contradictions(|membership, who| match membership.part(who) {
            // The own word stands in every frame.
            _ if who == Who::Local => true,
            Some(part) => codec.push(&part, FRAME_BYTES_MAX, out) == Fit::Written,
            None => true,
        });
        self.membership.drop_contradictions();
    }

    /// Tells the present members from `cursor` on. Returns where to go on, `None` at the end.
    fn push_table(&mut self, cursor: u32) -> Option<u32> {
        let membership = &self.membership;
        for at in cursor..membership.table().end() {
            let Some(ix) = membership.table().at(at) else { continue };
            if !membership.claim(ix).state.is_present() {
                continue;
            }
            let mut fits =
                self.codec.push(&membership.record_part(ix), FRAME_BYTES_MAX, &mut self.out);
            if fits == Fit::Written
                && membership.claim(ix).state == State::Suspect
                && let Some(part) = membership.part(Who::Member(ix))
            {
                fits = self.codec.push(&part, FRAME_BYTES_MAX, &mut self.out);
            }
            if fits == Fit::NoRoom {
                // A record without its suspicion is told again, with it: what was pushed stays.
                return Some(at);
            }
        }
        None
    }

    /// A peer asks over the reliable plane. The answer, if there is one, comes by
    /// [`poll_output`](Self::poll_output) before the next wait, under the driver's number.
    pub fn handle_request(
        &mut self,
        now: Instant,
        from: SocketAddr,
        id: RequestId,
        frame: &mut [u8],
    ) {
        self.now = now;
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
            Request::Sync { from: peer, pull } => self.on_sync(from, id, peer, pull, parts),
            Request::Ping { seq, target, held, .. } => {
                if self.membership.handle_ping_request(self.now, target, held) {
                    self.reply(id, &Frame::Reply(Reply::Ack { seq }));
                }
            }
            Request::User { from: sender, payload } => self.on_user(id, sender, payload),
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
            } else {
                self.on_sync(from, id, joiner, Some(0), parts);
            }
        } else {
            self.wire.frames_malformed += 1;
        }
    }

    fn refuse(&mut self, id: RequestId, reason: RefusalReason) {
        let cluster = self.cluster.clone();
        self.reply(id, &Frame::Reply(Reply::Refusal { cluster: cluster.as_str(), reason }));
    }

    fn on_sync(
        &mut self,
        from: SocketAddr,
        id: RequestId,
        peer: NodeId,
        pull: Option<u32>,
        parts: Parts<'_>,
    ) {
        if self.membership.has_left() {
            self.refuse(id, RefusalReason::NotRunning);
            return;
        }
        self.membership.drop_contradictions();
        self.handle_parts(Source { address: from, via: Via::Request(peer) }, parts);
        let next = self.next_of(pull);
        self.reply_entries(id, pull, next);
    }

    /// Entries are packed twice where the table does not fit one frame: the place to go on stands
    /// before them, and is known only after.
    fn reply_entries(&mut self, id: RequestId, pull: Option<u32>, next: Option<u32>) {
        let own = self.membership.id();
        if self.begin(&Frame::Reply(Reply::Entries { from: own, next })).is_none() {
            return;
        }
        self.push_contradictions();
        let _ = self.push_part(Who::Local, FRAME_BYTES_MAX);
        if let Some(cursor) = pull {
            let _ = self.push_table(cursor);
        }
        self.finish_reply(id);
    }

    /// Where the table goes on after what fits one reply that starts at `pull`.
    fn next_of(&mut self, pull: Option<u32>) -> Option<u32> {
        let own = self.membership.id();
        // Measured with the longest head, so that what follows it fits behind any.
        self.begin(&Frame::Reply(Reply::Entries { from: own, next: Some(u32::MAX - 1) }))?;
        let (codec, out) = (&mut *self.codec, &mut self.out);
        self.membership.peek_contradictions(|part| {
            let _ = codec.push(part, FRAME_BYTES_MAX, out);
        });
        let _ = self.push_part(Who::Local, FRAME_BYTES_MAX);
        self.push_table(pull?)
    }

    fn on_user(&mut self, id: RequestId, sender: ShortId, payload: &[u8]) {
        if self.on_message(sender, Delivery::Reliable, payload) {
            self.reply(id, &Frame::Reply(Reply::Ack { seq: Seq(0) }));
        }
    }

    fn reply(&mut self, id: RequestId, frame: &Frame<'_>) {
        if self.begin(frame).is_some() {
            self.finish_reply(id);
        }
    }

    fn finish_reply(&mut self, id: RequestId) {
        self.codec.finish(&mut self.out);
        self.wire.requests += 1;
        // A reply is made at once, not when it is polled: it answers this request as things
        // stand now. Its buffer changes hands.
        let frame = std::mem::take(&mut self.out);
        self.pending.push_back(Pending::Reply { id, frame });
    }

    /// An exchange has ended, `None`: it failed, ran out of time, or was not answered.
    pub fn handle_reply(&mut self, now: Instant, id: ExchangeId, reply: Option<&mut [u8]>) {
        self.now = now;
        let Some(purpose) = self.exchanges.open.remove(&id) else { return };
        let Some(frame) = reply else {
            self.on_exchange_failed(purpose);
            return;
        };
        let mut scratch = std::mem::take(&mut self.scratch);
        match self.codec.decode_reply(frame, &mut scratch) {
            Ok(Packet { message, parts }) => self.on_reply(purpose, message, parts),
            Err(error) => {
                self.on_bad_frame(error);
                self.on_exchange_failed(purpose);
            }
        }
        self.scratch = scratch;
        self.collect(usize::MAX);
    }

    fn on_exchange_failed(&mut self, purpose: Purpose) {
        self.wire.exchanges_failed += 1;
        match purpose {
            Purpose::User(id) => self.complete_send(id, false),
            Purpose::Join { seed } => self.on_join_unanswered(seed),
            Purpose::Sync(_) | Purpose::Ping { .. } => {}
        }
    }

    fn on_join_unanswered(&mut self, seed: SocketAddr) {
        if self.membership.handle_unanswered(self.now, seed) {
            self.notice_once(seed, Notice::SeedUnanswered { seed });
        }
    }

    fn complete_send(&mut self, id: SendId, delivered: bool) {
        let completion = Completion::Sent { id, delivered };
        self.pending.push_back(Pending::Completed(completion));
    }

    fn on_reply(&mut self, purpose: Purpose, message: Reply<'_>, parts: Parts<'_>) {
        match (purpose, message) {
            (Purpose::Join { seed }, Reply::Entries { from, next }) => {
                self.on_join_answered(seed, from, next, parts);
            }
            (Purpose::Sync(round), Reply::Entries { from, next }) => {
                self.on_round_answered(round, from, next, parts);
            }
            (Purpose::Join { seed: by }, Reply::Refusal { cluster, reason }) => {
                self.on_join_refused(by, cluster, reason);
            }
            (Purpose::Ping { seq }, Reply::Ack { seq: acked }) if seq == acked => {
                self.membership.handle_reliable_ack(seq);
            }
            (Purpose::User(id), Reply::Ack { .. }) => self.complete_send(id, true),
            (purpose, Reply::Refusal { .. }) => self.on_exchange_failed(purpose),
            (purpose, Reply::Entries { .. } | Reply::Ack { .. }) => {
                self.wire.frames_malformed += 1;
                self.on_exchange_failed(purpose);
            }
        }
    }

    fn on_join_refused(&mut self, by: SocketAddr, cluster: &str, reason: RefusalReason) {
        if self.membership.handle_refused(by, reason) {
            self.notice_once(by, Notice::JoinRefused { by, cluster: cluster.into(), reason });
        }
    }

    fn on_join_answered(
        &mut self,
        seed: SocketAddr,
        from: NodeId,
        next: Option<u32>,
        parts: Parts<'_>,
    ) {
        let reflected = from == self.membership.id() && self.is_own_word(parts.clone());
        if self.membership.handle_joined(seed, reflected) {
            self.synced = false;
        }
        if !reflected {
            let round = Round { to: seed, push: None, pull: None, number: 0 };
            self.on_round_answered(round, from, next, parts);
        }
    }

    /// Whether what an answer says of this node is what it says itself: then it has asked itself.
    /// Another process with its id has a record of its own.
    fn is_own_word(&self, mut parts: Parts<'_>) -> bool {
        let local = self.membership.local();
        parts.any(|part| match part {
            Ok(Part::Alive { id, record, .. }) => {
                id == local.id && record == local.record.as_bytes()
            }
            _ => false,
        })
    }

    fn on_round_answered(
        &mut self,
        round: Round,
        from: NodeId,
        next: Option<u32>,
        parts: Parts<'_>,
    ) {
        self.membership.drop_contradictions();
        self.handle_parts(Source { address: round.to, via: Via::Reply(from) }, parts);
        let open = round.push.is_some() || next.is_some() || self.membership.has_contradictions();
        if open && round.number == ROUNDS_MAX {
            self.wire.rounds_full += 1;
        } else if open && self.is_running() {
            let round = Round { pull: next, number: round.number + 1, ..round };
            self.pending.push_back(Pending::Continue { round });
        } else {
            self.synced = true;
        }
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
