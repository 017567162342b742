//! Filling datagrams: the message, what must go with it, then the freshest news that fits.

use std::net::SocketAddr;

use swim_dissemination::{Packed, Packer};
use swim_membership::{MemberIx, Membership, Tell, Who};
use swim_proto::{Codec, Datagram, Fit, Part, ShortId, State};

use super::{Node, Ready};

/// A user broadcast that waits to be told.
pub(super) struct Broadcast {
    pub(super) origin: ShortId,
    pub(super) key: u64,
    pub(super) payload: Box<[u8]>,
}

/// The number by which the update queue knows someone.
pub(super) fn key_of(who: Who) -> u32 {
    match who {
        Who::Local => 0,
        Who::Member(ix) => ix.as_u32() + 1,
    }
}

fn who_of(key: u32, membership: &Membership) -> Option<Who> {
    match key.checked_sub(1) {
        None => Some(Who::Local),
        Some(ix) => membership.table().at(ix).map(Who::Member),
    }
}

/// Writes parts into the node's buffer with its codec.
struct Writer<'a> {
    codec: &'a mut dyn Codec,
    membership: &'a Membership,
    out: &'a mut Vec<u8>,
    /// What was written before the queue was asked, and is not to be written again.
    first: Option<Who>,
}

impl Writer<'_> {
    fn push(&mut self, part: &Part<'_>, until: usize) -> Packed {
        match self.codec.push(part, until, self.out) {
            Fit::Written => Packed::Done,
            Fit::NoRoom => Packed::NoRoom,
        }
    }
}

impl Packer<Broadcast> for Writer<'_> {
    fn used(&self) -> usize {
        self.out.len()
    }

    fn pack_update(&mut self, key: u32, until: usize) -> Packed {
        let Some(who) = who_of(key, self.membership) else { return Packed::Gone };
        if self.first == Some(who) {
            return Packed::Done;
        }
        let Some(part) = self.membership.part(who) else { return Packed::Gone };
        if self.membership.has_left() && !matches!(part, Part::Left { .. }) {
            // Who leaves passes on that others leave, and nothing else (L2).
            return Packed::Gone;
        }
        self.push(&part, until)
    }

    fn pack_broadcast(&mut self, broadcast: &Broadcast, until: usize) -> Packed {
        if self.membership.has_left() {
            return Packed::Gone;
        }
        let Broadcast { origin, key, payload } = broadcast;
        self.push(&Part::Broadcast { origin: *origin, key: *key, payload }, until)
    }
}

impl Node {
    pub(super) fn pack_datagram(
        &mut self,
        to: SocketAddr,
        message: &Datagram<'_>,
        tell: Tell,
        bytes_max: usize,
    ) -> Option<Ready> {
        let limit = self.membership.config().datagram_bytes_max();
        let message = self.with_note(*message, tell);
        self.codec.begin_datagram(&message, limit, &mut self.out).ok()?;
        match tell {
            Tell::Nothing => {}
            Tell::NoLonger if self.out.len() > bytes_max => return None,
            Tell::NoLonger => {}
            Tell::News => self.push_news(None, limit),
            Tell::First(who) => {
                let _ = self.push_part(who, limit);
                self.push_news(Some(who), limit);
            }
            Tell::Verdict(ix) => {
                if let Some(part) = self.membership.verdict(ix) {
                    let _ = self.codec.push(&part, limit.min(bytes_max), &mut self.out);
                }
            }
            Tell::Only(who) => {
                let _ = self.push_part(who, limit);
            }
            Tell::Record(ix) => self.push_record(ix, limit),
            Tell::Seen => {
                let seen = Part::Seen { address: to };
                let _ = self.codec.push(&seen, limit.min(bytes_max), &mut self.out);
            }
        }
        self.finish_datagram(to)
    }

    /// Pings and acks to members say how this node stands (D2).
    fn with_note<'a>(&mut self, message: Datagram<'a>, tell: Tell) -> Datagram<'a> {
        if !matches!(tell, Tell::News | Tell::First(_)) {
            return message;
        }
        let quiet = self.is_quiet();
        match message {
            Datagram::Ping { seq, target, from, held, .. } => {
                Datagram::Ping { seq, target, from, held, note: self.membership.note(quiet) }
            }
            Datagram::Ack { seq, .. } => Datagram::Ack { seq, note: self.membership.note(quiet) },
            other => other,
        }
    }

    /// A gossip datagram, unless others have taken all the news in the meantime.
    pub(super) fn pack_gossip(&mut self, to: SocketAddr) -> Option<Ready> {
        if self.outbox.is_empty() {
            return None;
        }
        self.pack_datagram(to, &Datagram::Gossip, Tell::News, usize::MAX)
    }

    pub(super) fn pack_user(&mut self, to: SocketAddr, payload: &[u8]) -> Option<Ready> {
        let message = Datagram::User { from: self.membership.short(), payload };
        self.pack_datagram(to, &message, Tell::News, usize::MAX)
    }

    fn finish_datagram(&mut self, to: SocketAddr) -> Option<Ready> {
        self.codec.finish(&mut self.out);
        self.wire.datagrams_out += 1;
        self.wire.bytes_out += self.out.len() as u64;
        Some(Ready::Datagram { to })
    }

    fn push_news(&mut self, first: Option<Who>, limit: usize) {
        if self.outbox.is_empty() {
            return;
        }
        let transmits = self.send_limit();
        let mut writer = Writer {
            codec: &mut *self.codec,
            membership: &self.membership,
            out: &mut self.out,
            first,
        };
        self.outbox.fill(&mut writer, limit, transmits);
    }

    pub(super) fn push_part(&mut self, who: Who, limit: usize) -> Fit {
        match self.membership.part(who) {
            Some(part) => self.codec.push(&part, limit, &mut self.out),
            None => Fit::NoRoom,
        }
    }

    /// A member's record and, if it is suspect, that.
    pub(super) fn push_record(&mut self, ix: MemberIx, limit: usize) {
        let membership = &self.membership;
        if membership.table().at(ix.as_u32()).is_none() {
            return;
        }
        let written = self.codec.push(&membership.record_part(ix), limit, &mut self.out);
        if written == Fit::Written
            && membership.claim(ix).state == State::Suspect
            && let Some(part) = membership.part(Who::Member(ix))
        {
            let _ = self.codec.push(&part, limit, &mut self.out);
        }
    }
}
