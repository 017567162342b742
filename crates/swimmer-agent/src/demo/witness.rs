//! What nodes have told their users since somebody began to listen.

use swimmer::{Change, Event, NodeId, Subscription};

use super::node::DemoNode;

/// Listens to some nodes.
pub(super) struct Witness {
    told: Vec<(NodeId, Subscription)>,
    healed: Vec<NodeId>,
    deaths: usize,
}

impl Witness {
    /// From now on.
    pub(super) fn of(nodes: &[DemoNode]) -> Self {
        let told = nodes.iter().map(|node| (node.id(), node.cluster.subscribe())).collect();
        Self { told, healed: Vec::new(), deaths: 0 }
    }

    /// Whether each has said that it is healed.
    pub(super) fn all_healed(&mut self) -> bool {
        self.listen();
        self.told.iter().all(|(id, _)| self.healed.contains(id))
    }

    /// How often one was told that another is dead.
    pub(super) fn deaths(&mut self) -> usize {
        self.listen();
        self.deaths
    }

    fn listen(&mut self) {
        for (id, events) in &mut self.told {
            while let Ok(update) = events.try_recv() {
                match update.change {
                    Change::Event(Event::Healed(_)) => self.healed.push(*id),
                    Change::Event(Event::Down(..)) => self.deaths += 1,
                    _ => {}
                }
            }
        }
    }
}
