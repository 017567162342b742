//! What became of the faulty and of the others while packets were lost.

use std::collections::BTreeSet;
use std::time::Duration;

use swim_sim::{HostIx, Observation, Seen};
use swimmer::{Instant, NodeId};

use super::super::lab::{Lab, Rate};

/// The counts of one run.
#[derive(Default)]
pub(super) struct Found {
    pub(super) false_deaths: u64,
    pub(super) false_deaths_at_faulty: u64,
    pub(super) false_dead: BTreeSet<NodeId>,
    pub(super) suspicions: u64,
    pub(super) returns: u64,
    pub(super) refutations: u64,
    pub(super) removed: Vec<Option<Duration>>,
    pub(super) dead_at_end: u64,
    pub(super) faulty_returns: u64,
    pub(super) rate: Rate,
}

/// Counts what is seen as it comes, for there is too much of it to keep.
pub(super) struct Watch {
    faulty: Vec<HostIx>,
    ids: Vec<NodeId>,
    /// Those without fault that hold each faulty one dead now.
    holders: Vec<BTreeSet<HostIx>>,
    without_fault: usize,
    found: Found,
}

impl Watch {
    pub(super) fn new(lab: &Lab<'_>, faulty: &[HostIx]) -> Self {
        let ids = faulty.iter().map(|&ix| lab.cluster.id(ix)).collect();
        let removed = vec![None; faulty.len()];
        Self {
            ids,
            holders: vec![BTreeSet::new(); faulty.len()],
            without_fault: lab.cluster.len() as usize - faulty.len(),
            faulty: faulty.to_vec(),
            found: Found { removed, ..Found::default() },
        }
    }

    pub(super) fn look(&mut self, lab: &mut Lab<'_>, began: Instant) {
        for seen in lab.cluster.take_observations() {
            match self.ids.iter().position(|&id| id == seen.subject) {
                None => self.on_bystander(&seen),
                Some(at) if !self.faulty.contains(&seen.observer) => {
                    self.on_faulty(at, &seen, began);
                }
                Some(_) => {}
            }
        }
    }

    fn on_bystander(&mut self, seen: &Observation) {
        let found = &mut self.found;
        match seen.change {
            Seen::Down { .. } => {
                found.false_deaths += 1;
                found.false_deaths_at_faulty += u64::from(self.faulty.contains(&seen.observer));
                found.false_dead.insert(seen.subject);
            }
            Seen::Suspected => found.suspicions += 1,
            Seen::Up => found.returns += 1,
            _ => {}
        }
    }

    fn on_faulty(&mut self, at: usize, seen: &Observation, began: Instant) {
        let holders = &mut self.holders[at];
        match seen.change {
            Seen::Down { .. } => {
                holders.insert(seen.observer);
                if holders.len() == self.without_fault {
                    self.found.removed[at].get_or_insert(seen.at - began);
                }
            }
            Seen::Up => {
                holders.remove(&seen.observer);
                self.found.faulty_returns += 1;
            }
            _ => {}
        }
    }

    pub(super) fn finish(mut self) -> Found {
        let removed = self.holders.iter().filter(|holders| holders.len() == self.without_fault);
        self.found.dead_at_end = removed.count() as u64;
        self.found
    }
}
