//! Whom to probe next: by the rotation that all agree on, or by a shuffled round of one's own, in
//! which each member's turn comes within 2n − 1 probes (P1; SWIM, section 4.3).

use alloc::vec::Vec;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;

use crate::config::ProbeOrder;
use crate::rotation::Rotation;
use crate::table::{MemberIx, Table, reserve_step};

/// The order that the configuration asks for.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    Rotation(Rotation),
    RoundRobin(RoundRobin),
}

impl Order {
    pub(crate) fn new(order: ProbeOrder) -> Self {
        match order {
            ProbeOrder::Rotation => Self::Rotation(Rotation::default()),
            ProbeOrder::RoundRobin => Self::RoundRobin(RoundRobin::default()),
        }
    }

    /// A whole table was taken over.
    pub(crate) fn adopt(&mut self, table: &Table) {
        match self {
            Self::Rotation(rotation) => rotation.restart(),
            Self::RoundRobin(round) => *round = RoundRobin::of(table.present_members()),
        }
    }

    pub(crate) fn insert(&mut self, ix: MemberIx, rng: &mut Xoshiro256PlusPlus) {
        if let Self::RoundRobin(round) = self {
            round.insert(ix, rng);
        }
    }

    pub(crate) fn remove(&mut self, ix: MemberIx) {
        if let Self::RoundRobin(round) = self {
            round.remove(ix);
        }
    }
}

/// The present members in the order of the current round.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoundRobin {
    members: Vec<MemberIx>,
    /// Those before it had their turn in this round.
    cursor: usize,
}

impl RoundRobin {
    /// A round of these that begins with the next turn.
    pub(crate) fn of(members: impl Iterator<Item = MemberIx>) -> Self {
        let members: Vec<_> = members.collect();
        let cursor = members.len();
        Self { members, cursor }
    }

    /// The next in turn. A new round is shuffled anew.
    pub(crate) fn advance(&mut self, rng: &mut Xoshiro256PlusPlus) -> Option<MemberIx> {
        if self.cursor >= self.members.len() {
            self.members.shuffle(rng);
            self.cursor = 0;
        }
        let next = self.members.get(self.cursor).copied()?;
        self.cursor += 1;
        Some(next)
    }

    /// Puts a new member at a random place among those who still wait for their turn, or last.
    pub(crate) fn insert(&mut self, ix: MemberIx, rng: &mut Xoshiro256PlusPlus) {
        reserve_step(&mut self.members);
        self.members.push(ix);
        let last = self.members.len() - 1;
        let place = rng.random_range(self.cursor.min(last)..=last);
        self.members.swap(place, last);
    }

    /// Takes out a member, looking through all. Who had his turn stays before the cursor and who
    /// waits stays behind it, so that nobody loses a turn.
    pub(crate) fn remove(&mut self, ix: MemberIx) {
        let Some(mut hole) = self.members.iter().position(|&member| member == ix) else { return };
        if hole < self.cursor {
            self.cursor -= 1;
            self.members.swap(hole, self.cursor);
            hole = self.cursor;
        }
        self.members.swap_remove(hole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;
    use rand::SeedableRng;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn p1_everyone_has_a_turn_in_each_round() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut order = RoundRobin::of((0..50).map(MemberIx::new));
        for _ in 0..3 {
            let round: BTreeSet<_> = (0..50).filter_map(|_| order.advance(&mut rng)).collect();
            assert_eq!(round.len(), 50);
        }
    }

    quickcheck! {
        /// Removal costs nobody a turn, and whoever comes meanwhile takes one at most before
        /// another.
        fn p1_no_member_waits_longer_than_two_rounds(operations: Vec<(u8, bool)>) -> bool {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
            let mut order = RoundRobin::default();
            // Turns of others, less one for each who came since.
            let mut waited: BTreeMap<MemberIx, isize> = BTreeMap::new();
            let mut most = 1;
            for (n, add) in operations {
                let ix = MemberIx::new(u32::from(n % 16));
                if add && !waited.contains_key(&ix) {
                    order.insert(ix, &mut rng);
                    waited.values_mut().for_each(|turns| *turns -= 1);
                    waited.insert(ix, 0);
                } else if !add && waited.remove(&ix).is_some() {
                    order.remove(ix);
                }
                most = most.max(order.members.len());
                if let Some(turn) = order.advance(&mut rng) {
                    waited.values_mut().for_each(|turns| *turns += 1);
                    waited.insert(turn, 0);
                }
                if waited.values().any(|&turns| turns >= 2 * most as isize) {
                    return false;
                }
            }
            order.members.len() == waited.len()
        }
    }
}
