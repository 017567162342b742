//! From where peers speak: what is told of it, and whom no address leads to (J3, J4).

use core::net::SocketAddr;

use swim_proto::{NodeId, Scope, TinyId};

use super::Membership;
use crate::action::{Action, Tell};
use crate::table::{Lookup, MemberIx};
use crate::time::Instant;

/// Whether an address is good for another host or link than that of one who speaks from `from`.
pub fn is_out_of_reach(record: SocketAddr, from: SocketAddr) -> bool {
    Scope::of(record.ip()) < Scope::of(from.ip())
}

impl Membership {
    /// Whether the address in a member's record leads to it from here (J4).
    pub fn is_reachable(&self, ix: MemberIx) -> bool {
        self.leads(self.address(ix))
    }

    pub(super) fn leads(&self, to: SocketAddr) -> bool {
        self.places.leads(self.local.address(), to)
    }

    /// A ping has come from where no member of this tiny id is. Returns what the ack says: to one that
    /// is held elsewhere, where it was seen.
    pub(super) fn on_ping_from_elsewhere(
        &mut self,
        now: Instant,
        from: SocketAddr,
        asker: TinyId,
    ) -> Tell {
        let Lookup::Found(ix) = self.table.find_tiny(asker) else { return Tell::Nothing };
        let (id, record) = (self.table.held(ix).id, self.address(ix));
        if record == from {
            return Tell::Nothing;
        }
        let present = self.table.held(ix).claim().state.is_present();
        if present && self.places.on_elsewhere(now, self.config.period(), id, record) {
            self.actions.push_back(Action::Elsewhere { id, from, port: true, record });
        }
        Tell::Seen
    }

    /// A member has made a request, after its own word. The port of a request may be a passing one.
    pub fn handle_requested_by(&mut self, peer: NodeId, from: SocketAddr) {
        let Some(ix) = self.table.find(peer) else { return };
        let record = self.address(ix);
        if record.ip() != from.ip().to_canonical() && self.places.is_first(peer, record) {
            self.actions.push_back(Action::Elsewhere { id: peer, from, port: false, record });
        }
    }

    /// Others see this node elsewhere than its record says. Returns whether that is to be told.
    #[must_use]
    pub fn handle_seen_elsewhere(&mut self) -> bool {
        self.places.is_first(self.local.id, self.local.address())
    }
}
