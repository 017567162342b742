//! Which members a node has not heard while it is isolated (S5).

use swim_proto::NodeId;

use super::Node;

impl Node {
    /// Whether [`Event::Isolated`](crate::Event::Isolated) was told, and since then neither
    /// [`Event::Healed`](crate::Event::Healed) nor that this node has left (S5).
    pub fn is_isolated(&self) -> bool {
        self.membership.is_isolated()
    }

    /// Whether this node is isolated and has not heard the present member of this id: since the user
    /// was told so, or since this node last asked it in vain, the member has answered no probe by any
    /// way, relayed nothing, sent no ping and compared no tables.
    pub fn is_unheard(&self, id: NodeId) -> bool {
        self.membership.table().find(id).is_some_and(|ix| self.membership.is_unheard(ix))
    }

    /// The present members that this node has heard while it is isolated; `None`: it is not.
    pub fn heard_while_isolated(&self) -> Option<impl Iterator<Item = NodeId> + '_> {
        self.membership.heard_while_isolated()
    }
}
