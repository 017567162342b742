//! Where this node is: what others see of it, and which address it tells them (J3).

use std::net::{IpAddr, SocketAddr};

use swim_membership::{Now, is_out_of_reach};
use swim_proto::{
    Frame, NodeId, Part, Parts, RecordError, RecordFields, RefusalReason, Reply, Scope,
};

use super::output::RequestId;
use super::{Node, Pending};
use crate::event::Notice;

/// More addresses of this machine than this are not kept.
const OWN_MAX: usize = 256;

/// Which address this node may take up.
#[derive(Default)]
pub(super) struct Place {
    /// The addresses of this machine; empty: the record's address stays what it is.
    own: Vec<IpAddr>,
    /// Whether somebody has seen this node at the address of its record. Then another that sees it
    /// elsewhere changes nothing: a machine with two ways to others cannot please both.
    confirmed: bool,
}

impl Node {
    /// Which addresses this machine has, for a node that listens on all of them and was not given one
    /// to advertise. It takes up one of them, with the port of its record, if others see it there, and
    /// nobody has seen it yet where its record says (J3). Without this call, or with none, it keeps its
    /// address. At most 256 are kept.
    pub fn handle_interfaces(&mut self, now: impl Into<Now>, addresses: &[IpAddr]) {
        self.enter(now);
        self.place.own.clear();
        self.place.own.extend(addresses.iter().take(OWN_MAX));
        if !self.place.own.contains(&self.membership.local_record().address().ip()) {
            self.place.confirmed = false;
        }
    }

    /// Replaces the address at which this node says that it is reached.
    ///
    /// # Errors
    /// When it is none: port 0, or an unspecified, multicast or broadcast host. The old one then stays.
    pub fn set_address(
        &mut self,
        now: impl Into<Now>,
        address: SocketAddr,
    ) -> Result<(), RecordError> {
        self.enter(now);
        let fields = self.membership.local_record().fields();
        let record = RecordFields { address, ..fields }.build()?;
        self.membership.set_record(record);
        self.place.confirmed = false;
        self.collect(usize::MAX);
        Ok(())
    }

    /// As [`set_address`](Self::set_address), because this machine has moved; the operator is told.
    ///
    /// # Errors
    /// As [`set_address`](Self::set_address).
    pub fn move_to(&mut self, now: impl Into<Now>, address: SocketAddr) -> Result<(), RecordError> {
        let before = self.membership.local_record().address();
        self.set_address(now, address)?;
        let notice = Notice::Moved { before, now: self.membership.local_record().address() };
        self.pending.push_back(Pending::Notice(notice));
        Ok(())
    }

    /// Another node says from where this one speaks. On the reliable plane the port is a passing one.
    pub(super) fn on_seen(&mut self, seen: SocketAddr, port: bool) {
        let record = self.membership.local_record().address();
        if seen.ip() == record.ip() && (!port || seen.port() == record.port()) {
            self.place.confirmed = true;
            return;
        }
        let other_host = seen.ip() != record.ip() && Scope::of(seen.ip()) != Scope::Host;
        if other_host && !self.place.confirmed && self.place.own.contains(&seen.ip()) {
            // It is an address: this machine has it, and the port is that of the record.
            if self.move_to(self.now, SocketAddr::new(seen.ip(), record.port())).is_ok() {
                self.place.confirmed = true;
                return;
            }
        }
        if self.is_running() && self.membership.handle_seen_elsewhere() {
            let id = self.membership.id();
            self.tell_elsewhere(id, seen, port, record);
        }
    }

    pub(super) fn tell_elsewhere(
        &mut self,
        id: NodeId,
        from: SocketAddr,
        port: bool,
        record: SocketAddr,
    ) {
        let (from, port) = (from.ip(), port.then_some(from.port()));
        let notice = Notice::SpeaksFromElsewhere { id, from, port, record };
        self.pending.push_back(Pending::Notice(notice));
    }

    /// Whether the record of a joiner names an address at which only its own host or link reaches it,
    /// and it speaks from elsewhere.
    pub(super) fn is_unreachable(from: SocketAddr, record: SocketAddr) -> bool {
        is_out_of_reach(record, from)
    }

    /// Refuses a joiner that nobody would reach, and says where it was seen.
    pub(super) fn refuse_address(
        &mut self,
        id: RequestId,
        joiner: NodeId,
        from: SocketAddr,
        address: SocketAddr,
    ) {
        self.notice_once(address, Notice::AddressRefused { id: joiner, from: from.ip(), address });
        let cluster = self.cluster.clone();
        let reason = RefusalReason::Address;
        let refusal = Reply::Refusal { cluster: cluster.as_str(), reason };
        if self.begin(&Frame::Reply(refusal)).is_some() {
            self.push_seen(from);
            self.finish_reply(id);
        }
    }

    /// Where the other side was seen to speak: first, so that there is room.
    pub(super) fn push_seen(&mut self, address: SocketAddr) {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let seen = Part::Seen { address };
        let _ = self.codec.push(&seen, swim_proto::limits::FRAME_BYTES_MAX, &mut self.out);
    }
}

/// Where this node was seen, if the reply says so: its first part does.
pub(super) fn seen(mut parts: Parts<'_>) -> Option<SocketAddr> {
    match parts.next()? {
        Ok(Part::Seen { address }) => Some(address),
        _ => None,
    }
}
