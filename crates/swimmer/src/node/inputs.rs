//! What comes in from the network. Nothing of it is an error: what cannot be used is counted.

use std::net::SocketAddr;

use swim_membership::{KnownBug, Lookup, Now, Source, Via, Who};
use swim_proto::{Datagram, DecodeError, Part, Parts, ShortId, Subject};

use super::offers::Sender;
use super::pack::{Broadcast, key_of};
use super::{Node, Pending, member_of};
use crate::Member;
use crate::event::{Delivery, Event, Message, Notice};

impl Node {
    /// A datagram has come. Its bytes may be changed in place.
    pub fn handle_datagram(&mut self, now: impl Into<Now>, from: SocketAddr, bytes: &mut [u8]) {
        self.enter(now);
        self.wire.datagrams_in += 1;
        self.wire.bytes_in += bytes.len() as u64;
        let length = bytes.len();
        let mut scratch = std::mem::take(&mut self.scratch);
        match self.codec.decode_datagram(bytes, &mut scratch) {
            Ok(packet) => {
                if self.membership.wants_seed(from) {
                    self.rooms.on_heard(from);
                }
                let via = self.membership.via(from, &packet.message);
                // News first: it may say who the sender is.
                self.handle_parts(Source { address: from, via }, packet.parts);
                self.on_datagram(from, &packet.message);
                self.collect(length);
                // Last, for what has just come is news of ours now, and no difference.
                let quiet = self.is_quiet();
                self.membership.handle_note(
                    self.now,
                    Source { address: from, via },
                    &packet.message,
                    quiet,
                );
                self.collect(length);
                // Who holds just what we hold has nothing to tell.
                self.synced |= self.membership.agrees();
            }
            Err(error) => self.on_bad_datagram(from, error),
        }
        self.scratch = scratch;
    }

    fn on_datagram(&mut self, from: SocketAddr, message: &Datagram<'_>) {
        if let Datagram::User { from: sender, payload } = *message {
            self.on_message(sender, Sender::Nobody, payload);
        } else {
            self.membership.handle_datagram(self.now, from, message);
        }
    }

    fn on_bad_datagram(&mut self, from: SocketAddr, error: DecodeError) {
        match error {
            DecodeError::Check | DecodeError::TooShort | DecodeError::OtherCluster => {
                self.wire.datagrams_foreign += 1;
                self.notice_once(from, Notice::ForeignDatagram { from });
            }
            DecodeError::UnknownKind => self.wire.kinds_unknown += 1,
            _ => self.wire.datagrams_malformed += 1,
        }
    }

    pub(super) fn handle_parts(&mut self, source: Source, mut parts: Parts<'_>) {
        for part in &mut parts {
            if self.membership.has_bug(KnownBug::BatchCutShort) && self.is_queued(&part) {
                break;
            }
            match part {
                Ok(Part::Broadcast { origin, key, payload }) => {
                    self.on_broadcast(origin, key, payload);
                }
                // Whom this node has asked is believed, and nobody else: others could make it move.
                Ok(Part::Seen { address }) if matches!(source.via, Via::Ack(_)) => {
                    self.on_seen(address, true);
                }
                Ok(part) => self.membership.handle_part(self.now, source, &part),
                Err(_) => self.wire.parts_malformed += 1,
            }
        }
        self.wire.parts_unknown += u64::from(parts.unknown());
    }

    /// Whether news of the member that a part is about is queued already.
    fn is_queued(&self, part: &Result<Part<'_>, DecodeError>) -> bool {
        let subject = match *part {
            Ok(Part::Alive { id, .. }) => Subject::Full(id),
            Ok(Part::Suspect { subject, .. } | Part::Dead { subject, .. }) => subject,
            _ => return false,
        };
        match self.membership.table().find_subject(subject) {
            Lookup::Found(ix) => self.outbox.updates().contains(key_of(Who::Member(ix))),
            _ => false,
        }
    }

    fn on_broadcast(&mut self, origin: ShortId, key: u64, payload: &[u8]) {
        if origin == self.membership.short() || !self.is_running() {
            return;
        }
        let Some(from) = self.present_member(origin) else {
            // Not marked as seen: by its next copy the origin may be known.
            self.wire.messages_from_strangers += 1;
            return;
        };
        if !self.seen.insert(key) {
            self.wire.broadcasts_seen += 1;
            return;
        }
        let event = Event::Message { from, delivery: Delivery::Broadcast, payload: payload.into() };
        self.pending.push_back(Pending::Event(event));
        self.queue_broadcast(Broadcast { origin, key, payload: payload.into() });
    }

    /// An application's message to this node alone.
    pub(super) fn on_message(&mut self, from: ShortId, sender: Sender, payload: &[u8]) {
        let member = if self.is_running() { self.present_member(from) } else { None };
        let Some(from) = member else {
            self.wire.messages_from_strangers += 1;
            return;
        };
        let delivery = match sender {
            Sender::Nobody => Delivery::BestEffort,
            Sender::Peer(_) | Sender::Own(_) => Delivery::Reliable,
        };
        self.offer(sender, Message { from, delivery, payload: payload.into() });
    }

    fn present_member(&self, short: ShortId) -> Option<Member> {
        let ix = self.membership.present_short(short)?;
        Some(member_of(&self.membership.view(ix)))
    }
}
