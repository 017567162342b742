//! Which members this node has not heard while it is isolated (S5): what it holds of them may be old.

use core::net::SocketAddr;

use swim_proto::NodeId;

use super::Membership;
use crate::table::MemberIx;

impl Membership {
    /// Whether the user was told that this node is isolated, and since then neither that it is healed
    /// nor that it has left (S5).
    pub fn is_isolated(&self) -> bool {
        self.isolation.is_reported()
    }

    /// Whether this node is isolated and has not heard this present member: since the user was told
    /// so, or since this node last asked it in vain, the member has answered no probe by any way,
    /// relayed nothing, sent no ping and compared no tables.
    pub fn is_unheard(&self, ix: MemberIx) -> bool {
        self.isolation.heard().is_some_and(|heard| !heard.contains(&ix))
            && self.table.held(ix).claim().state.is_present()
    }

    /// The present members that this node has heard while it is isolated; `None`: it is not.
    pub fn heard_while_isolated(&self) -> Option<impl Iterator<Item = NodeId> + '_> {
        self.isolation.heard().map(|heard| heard.iter().map(|&ix| self.table.held(ix).id))
    }

    /// An answer to a question of ours came from this address: the sender may be a relay. The look
    /// through the table is long, and only an isolated node takes it.
    pub(super) fn on_sender_heard(&mut self, from: SocketAddr) {
        if !self.is_isolated() {
            return;
        }
        if let Some(ix) = self.present_with(from) {
            self.isolation.on_heard(ix);
        }
    }
}
