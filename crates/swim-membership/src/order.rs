//! Whom to probe next: a shuffled round, so that each member's turn comes within 2n − 1 probes
//! (P1; SWIM, section 4.3).

use alloc::vec::Vec;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;

use crate::table::{MemberIx, reserve_step};

/// The present members in the order of the current round. Also the place to pick one at random.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoundRobin {
    members: Vec<MemberIx>,
    /// Those before it had their turn in this round.
    cursor: usize,
}

impl RoundRobin {
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn as_slice(&self) -> &[MemberIx] {
        &self.members
    }

    /// The next in turn. A new round is shuffled anew, and `moved` told of everyone's new place.
    pub(crate) fn advance(
        &mut self,
        rng: &mut Xoshiro256PlusPlus,
        mut moved: impl FnMut(MemberIx, u32),
    ) -> Option<MemberIx> {
        if self.cursor >= self.members.len() {
            self.members.shuffle(rng);
            self.cursor = 0;
            (0..).zip(&self.members).for_each(|(place, &ix)| moved(ix, place));
        }
        let next = self.members.get(self.cursor).copied()?;
        self.cursor += 1;
        Some(next)
    }

    /// Ends the round: the next turn begins a new one, in a new order.
    pub(crate) fn begin_anew(&mut self) {
        self.cursor = self.members.len();
    }

    /// Puts a new member at a random place among those who still wait for their turn, or last.
    /// `moved` is told the new place of everyone who moved, the new member included.
    pub(crate) fn insert(
        &mut self,
        ix: MemberIx,
        rng: &mut Xoshiro256PlusPlus,
        mut moved: impl FnMut(MemberIx, u32),
    ) {
        reserve_step(&mut self.members);
        self.members.push(ix);
        let last = self.members.len() - 1;
        let place = rng.random_range(self.cursor.min(last)..=last);
        self.members.swap(place, last);
        moved(self.members[last], last as u32);
        moved(self.members[place], place as u32);
    }

    /// Takes out the member at `place`. Who had his turn stays before the cursor and who waits
    /// stays behind it, so that nobody loses a turn.
    pub(crate) fn remove(&mut self, place: u32, mut moved: impl FnMut(MemberIx, u32)) {
        let mut hole = place as usize;
        if hole < self.cursor {
            self.cursor -= 1;
            self.members.swap(hole, self.cursor);
            moved(self.members[hole], hole as u32);
            hole = self.cursor;
        }
        self.members.swap_remove(hole);
        if let Some(&ix) = self.members.get(hole) {
            moved(ix, hole as u32);
        }
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
        let mut order = RoundRobin::default();
        for n in 0..50 {
            order.insert(MemberIx::new(n), &mut rng, |_, _| {});
        }
        let _ = order.advance(&mut rng, |_, _| {});
        order.cursor = 50;
        let round: BTreeSet<_> =
            (0..50).filter_map(|_| order.advance(&mut rng, |_, _| {})).collect();
        assert_eq!(round.len(), 50);
    }

    quickcheck! {
        /// Removal costs nobody a turn, whoever comes meanwhile takes one at most before another,
        /// and places told are places held.
        fn p1_no_member_waits_longer_than_two_rounds(operations: Vec<(u8, bool)>) -> bool {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
            let mut order = RoundRobin::default();
            let mut places: BTreeMap<MemberIx, u32> = BTreeMap::new();
            // Turns of others, less one for each who came since.
            let mut waited: BTreeMap<MemberIx, isize> = BTreeMap::new();
            let mut most = 1;
            for (n, add) in operations {
                let ix = MemberIx::new(u32::from(n % 16));
                match (add, places.get(&ix).copied()) {
                    (true, None) => {
                        order.insert(ix, &mut rng, |ix, place| { places.insert(ix, place); });
                        waited.values_mut().for_each(|turns| *turns -= 1);
                        waited.insert(ix, 0);
                    }
                    (false, Some(place)) => {
                        order.remove(place, |ix, place| { places.insert(ix, place); });
                        places.remove(&ix);
                        waited.remove(&ix);
                    }
                    _ => {}
                }
                most = most.max(order.len());
                let turn = order.advance(&mut rng, |ix, place| { places.insert(ix, place); });
                if let Some(turn) = turn {
                    waited.values_mut().for_each(|turns| *turns += 1);
                    waited.insert(turn, 0);
                }
                let held = places.iter().all(|(ix, &place)| order.members[place as usize] == *ix);
                if !held || waited.values().any(|&turns| turns >= 2 * most as isize) {
                    return false;
                }
            }
            true
        }
    }
}
