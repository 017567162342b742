//! After calm all agree (I7).

use std::collections::BTreeMap;

use swim_proto::NodeId;
use swimmer::Member;
use swimmer::node::Node;

use crate::cluster::{Cluster, HostIx};
use crate::host::Condition;

impl Cluster {
    /// Who of the members sees what otherwise than it is (I7), or `None`: all agree.
    pub fn disagreement(&self) -> Option<String> {
        let honest = |ix: &HostIx| self.liar.is_none_or(|liar| liar.host != *ix);
        let running: Vec<_> =
            self.hosts().filter(honest).filter(|&ix| self.is_member(ix)).collect();
        let truth: BTreeMap<NodeId, Member> = running
            .iter()
            .filter_map(|&ix| self.node(ix).map(Node::local))
            .map(|local| (local.id, local))
            .collect();
        for &observer in &running {
            if self.condition(observer) != Condition::Running {
                continue;
            }
            let Some(node) = self.node(observer) else { continue };
            let held: BTreeMap<NodeId, Member> = node
                .members()
                .filter(|member| member.state.is_present())
                .map(|member| (member.id, member))
                .collect();
            let own = node.local_claim();
            let expected = truth.iter().filter(|(id, _)| **id != self.id(observer));
            for (id, member) in expected {
                let of = self.names.id(*id);
                match held.get(id) {
                    None => return Some(format!("h{} misses {of}", observer.0)),
                    Some(held) if held != member => {
                        let (is, seen) = (member.incarnation, held.incarnation);
                        let state = held.state;
                        return Some(format!(
                            "h{} holds {of} {state} #{seen}, not alive #{is}",
                            observer.0
                        ));
                    }
                    Some(_) => {}
                }
            }
            let ghost = held.keys().find(|id| !truth.contains_key(id));
            if let (Some(ghost), None) = (ghost, self.liar) {
                let of = self.names.id(*ghost);
                return Some(format!("h{} (at {own:?}) holds the ghost {of}", observer.0));
            }
        }
        self.different_digest(&running)
    }

    /// Who has another digest than the first though it sees the same (I16).
    fn different_digest(&self, agreeing: &[HostIx]) -> Option<String> {
        if self.liar.is_some() {
            return None;
        }
        let mut nodes = agreeing.iter().filter(|&&ix| self.condition(ix) == Condition::Running);
        let digest = |ix: &HostIx| self.node(*ix).map(Node::digest);
        let first = nodes.next().and_then(digest);
        let other = nodes.find(|ix| digest(ix) != first)?;
        Some(format!("h{} sees what all see, and has another digest", other.0))
    }
}
