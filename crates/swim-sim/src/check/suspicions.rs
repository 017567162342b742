//! How long suspicions run (I11).

use std::collections::BTreeMap;

use swim_membership::{Instant, Suspicion};
use swim_proto::{Incarnation, NodeId, State};
use swimmer::node::Node;

/// The suspicions of a node after its last step.
#[derive(Debug, Default)]
pub(super) struct Suspicions(BTreeMap<NodeId, (Incarnation, Suspicion)>);

impl Suspicions {
    pub(super) fn of(&self, id: NodeId) -> Option<&Suspicion> {
        self.0.get(&id).map(|(_, suspicion)| suspicion)
    }

    /// Compares them with those that run now.
    pub(super) fn compare(&mut self, local: Instant, node: &Node) -> Result<(), (NodeId, String)> {
        let mut now = BTreeMap::new();
        for (id, suspicion) in node.suspicions() {
            let claim = node.claim(id).filter(|claim| claim.state == State::Suspect);
            let Some(claim) = claim else {
                return Err((id, "it is not held suspect (I10)".into()));
            };
            check_bounds(&suspicion).map_err(|what| (id, what))?;
            if let Some((incarnation, before)) = self.0.get(&id)
                && *incarnation == claim.incarnation
            {
                check_course(local, before, &suspicion).map_err(|what| (id, what))?;
            }
            now.insert(id, (claim.incarnation, suspicion));
        }
        self.0 = now;
        Ok(())
    }
}

fn check_bounds(suspicion: &Suspicion) -> Result<(), String> {
    let (times, lasts) = (suspicion.times(), suspicion.deadline() - suspicion.started());
    match (times.min..=times.max).contains(&lasts) {
        true => Ok(()),
        false => {
            Err(format!("for {lasts:?}, which is not between {:?} and {:?}", times.min, times.max))
        }
    }
}

/// The deadline only moves nearer, but for a start that was put off: by a leave (L1), for want of
/// touch (S5), or by the time that the node itself has lost (S8); and for confirmations that count no
/// more, because the node hears from nobody (S5).
pub(super) fn check_course(
    local: Instant,
    before: &Suspicion,
    now: &Suspicion,
) -> Result<(), String> {
    let accusers = |of: &Suspicion| of.accusers().as_slice().len();
    let later = now.started() > before.started();
    let put_off = now.started() <= local && (later || accusers(now) == 1 && accusers(before) > 1);
    let (was, is) = (before.deadline(), now.deadline());
    match now.started() == before.started() && is <= was || put_off {
        true => Ok(()),
        false => Err(format!(
            "from {} until {is}, and not from {} until {was} any more",
            now.started(),
            before.started()
        )),
    }
}
