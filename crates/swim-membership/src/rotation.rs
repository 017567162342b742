//! Whom to probe and when, agreed without talking (P1).
//!
//! ```text
//! all present members by short id:   0   1   2  …  r  …  n−1
//! epoch e = ⌊unix time / period⌋:    rank r probes rank (r + 1 + e mod (n − 1)) mod n,
//!                                    at (e + short id of the target / 2^64) periods
//! ```
//!
//! So where tables and clocks agree each member is probed once a period, by another one each time,
//! and the probes of all are spread evenly. Where they do not it is as good as choosing at random.

use core::time::Duration;

use swim_proto::{NodeId, ShortId};

use alloc::vec::Vec;

use crate::table::{MemberIx, Table};
use crate::time::{Clock, Instant};

/// The next turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) target: MemberIx,
    pub(crate) at: Instant,
}

/// A turn, and what it was found by.
#[derive(Clone, Copy, Debug)]
struct Found {
    changes: u64,
    epoch: u64,
    offset: u64,
    target: MemberIx,
    unix_micros: u64,
}

impl Found {
    fn is(&self, changes: u64, epoch: u64, offset: u64) -> bool {
        (self.changes, self.epoch, self.offset) == (changes, epoch, offset)
    }
}

/// Where this node stands in the rotation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rotation {
    /// The epoch of the turn that was given last, and by how much its target's rank lay above
    /// ours, less one.
    last: Option<(u64, u64)>,
    /// Our rank, and the turn that was found last, while nobody comes or goes: to find them is
    /// the most that a period at rest costs.
    own_rank: Option<(u64, usize)>,
    found: Option<Found>,
    scratch: Vec<((ShortId, NodeId), MemberIx)>,
}

impl Rotation {
    /// The clock was set: the agreed order is taken up anew.
    pub(crate) fn restart(&mut self) {
        self.last = None;
    }

    /// The turn after the last one that was taken, `skip` epochs left out; `None`: nobody is there.
    ///
    /// A node that leaves epochs out, or was late, walks on by one rank a probe, so that it still
    /// meets all.
    pub(crate) fn next(
        &mut self,
        now: Instant,
        clock: Clock,
        period: Duration,
        skip: u64,
        own: NodeId,
        table: &Table,
    ) -> Option<Turn> {
        let others = table.present() as u64;
        if others == 0 {
            self.last = None;
            return None;
        }
        let micros = (period.as_micros() as u64).max(1);
        let current = clock.unix_micros(now) / micros;
        let wanted = self.last.map_or(current, |(epoch, _)| epoch + 1 + skip);
        // The turn of this epoch may be over by the time that we come to it.
        let first = wanted.max(current);
        (first..first + 2).find_map(|epoch| {
            let on_beat = self.last.is_none_or(|(last, _)| epoch == last + 1);
            let offset = match (on_beat, self.last) {
                (false, Some((_, offset))) => (offset + 1) % others,
                _ => epoch % others,
            };
            let turn = self.turn(clock, micros, epoch, offset, own, table)?;
            let in_time = turn.at >= now || epoch > first;
            in_time.then(|| {
                self.last = Some((epoch, offset));
                turn
            })
        })
    }

    /// The turn that was given last, by the table as it is now.
    pub(crate) fn again(
        &mut self,
        clock: Clock,
        period: Duration,
        own: NodeId,
        table: &Table,
    ) -> Option<Turn> {
        let (epoch, offset) = self.last?;
        let others = table.present() as u64;
        if others == 0 {
            return None;
        }
        let micros = (period.as_micros() as u64).max(1);
        self.turn(clock, micros, epoch, offset % others, own, table)
    }

    fn turn(
        &mut self,
        clock: Clock,
        period: u64,
        epoch: u64,
        offset: u64,
        own: NodeId,
        table: &Table,
    ) -> Option<Turn> {
        let Found { target, unix_micros, .. } = match self.found {
            Some(found) if found.is(table.changes(), epoch, offset) => found,
            _ => self.find(period, epoch, offset, own, table)?,
        };
        // The clocks may have drifted apart since.
        let at = clock.monotonic(unix_micros);
        Some(Turn { target, at })
    }

    fn find(
        &mut self,
        period: u64,
        epoch: u64,
        offset: u64,
        own: NodeId,
        table: &Table,
    ) -> Option<Found> {
        let (others, changes) = (table.present(), table.changes());
        let own_rank = match self.own_rank {
            Some((then, rank)) if then == changes => rank,
            _ => table.rank(own),
        };
        self.own_rank = Some((changes, own_rank));
        let rank = (own_rank + 1 + offset as usize) % (others + 1);
        // We are not in our own table.
        let number = if rank < own_rank { rank } else { rank.checked_sub(1)? };
        let target = table.of_rank(number, &mut self.scratch)?;
        let phase = (u128::from(table.short(target).0) * u128::from(period)) >> 64;
        let unix_micros = epoch.saturating_mul(period).saturating_add(phase as u64);
        let found = Found { changes, epoch, offset, target, unix_micros };
        self.found = Some(found);
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;
    use std::collections::BTreeSet;
    use std::vec::Vec;
    use swim_proto::{
        Claim, ClusterName, ClusterTag, Incarnation, Record, RecordFields, State, Versions,
    };

    const PERIOD: Duration = Duration::from_secs(1);

    fn tag() -> ClusterTag {
        ClusterName::new("test").unwrap().tag()
    }

    fn id(n: u8) -> NodeId {
        NodeId::from_bytes([n; 16])
    }

    fn record() -> Record {
        let address = "10.0.0.1:1".parse().unwrap();
        let versions = Versions::default();
        RecordFields { address, versions, name: "", metadata: &[], later: &[] }.build().unwrap()
    }

    /// The table of `own` among `n`.
    fn table_of(own: u8, n: u8) -> Table {
        let others = (0..n).filter(|&other| other != own);
        Table::of_alive(tag(), 1, others.map(|other| (id(other), record())))
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn turns(own: u8, n: u8, from: u64, count: usize) -> Vec<(NodeId, Instant)> {
        let table = table_of(own, n);
        let (mut rotation, mut now) = (Rotation::default(), at(from));
        let clock = Clock::default();
        (0..count)
            .map(|_| {
                let turn = rotation.next(now, clock, PERIOD, 0, id(own), &table).unwrap();
                now = turn.at;
                (table.held(turn.target).id, turn.at)
            })
            .collect()
    }

    quickcheck! {
        fn p1_each_member_is_probed_exactly_once_an_epoch_where_tables_agree(n: u8, from: u32) -> bool {
            let n = n % 40 + 2;
            let from = u64::from(from) % 1_000_000;
            let epochs = 3;
            let mut probed: Vec<BTreeSet<NodeId>> = std::vec![BTreeSet::new(); epochs];
            for own in 0..n {
                // The first turn may fall into a later epoch than that of others: it is left out.
                for (target, when) in turns(own, n, from, epochs + 1) {
                    let epoch = (when.as_micros() / 1_000_000 - from) as usize;
                    if (1..=epochs).contains(&epoch) && !probed[epoch - 1].insert(target) {
                        return false;
                    }
                }
            }
            probed[..epochs - 1].iter().all(|probed| probed.len() == usize::from(n))
        }

        fn p1_all_others_are_met_within_as_many_epochs_as_there_are_others(own: u8, n: u8, from: u32) -> bool {
            let n = n % 40 + 2;
            let own = own % n;
            let met: BTreeSet<_> = turns(own, n, u64::from(from), usize::from(n) - 1)
                .into_iter()
                .map(|(target, _)| target)
                .collect();
            met.len() == usize::from(n) - 1
        }

        fn p1_one_who_leaves_epochs_out_meets_all_in_as_many_probes(own: u8, n: u8, skip: u8) -> bool {
            let n = n % 40 + 2;
            let (own, skip) = (own % n, u64::from(skip % 9) + 1);
            let table = table_of(own, n);
            let (mut rotation, mut now) = (Rotation::default(), at(77));
            let met: BTreeSet<_> = (1..n)
                .map(|_| {
                    let turn =
                        rotation.next(now, Clock::default(), PERIOD, skip, id(own), &table).unwrap();
                    now = turn.at;
                    turn.target
                })
                .collect();
            met.len() == usize::from(n) - 1
        }
    }

    #[test]
    fn p1_a_turn_that_is_kept_is_the_one_that_is_found_anew() {
        let mut table = table_of(0, 5);
        let (mut rotation, mut now, clock) = (Rotation::default(), at(77), Clock::default());
        for n in 5..60 {
            now = rotation.next(now, clock, PERIOD, 0, id(0), &table).unwrap().at;
            for state in [State::Alive, State::Left, State::Alive] {
                let claim = Claim::new(Incarnation::FIRST, state);
                match table.find(id(n)) {
                    Some(ix) => table.set_claim(ix, claim),
                    None => {
                        table.insert(id(n), claim, record());
                    }
                }
                let mut afresh = Rotation { last: rotation.last, ..Rotation::default() };
                let expected = afresh.again(clock, PERIOD, id(0), &table);
                assert_eq!(rotation.again(clock, PERIOD, id(0), &table), expected);
                assert_eq!(rotation.again(clock, PERIOD, id(0), &table), expected);
            }
        }
    }

    #[test]
    fn p1_nobody_has_a_turn_where_nobody_is() {
        let table = table_of(0, 1);
        let mut rotation = Rotation::default();
        assert_eq!(rotation.next(at(5), Clock::default(), PERIOD, 0, id(0), &table), None);
        assert_eq!(rotation.again(Clock::default(), PERIOD, id(0), &table), None);
    }

    #[test]
    fn p1_one_who_was_late_goes_on_with_the_epoch_that_is() {
        let table = table_of(0, 5);
        let mut rotation = Rotation::default();
        let clock = Clock::default();
        let first = rotation.next(at(10), clock, PERIOD, 0, id(0), &table).unwrap();
        let late = first.at + Duration::from_secs(30);
        let second = rotation.next(late, clock, PERIOD, 0, id(0), &table).unwrap();
        assert!(second.at >= late && second.at < late + Duration::from_secs(2));
        assert_ne!(second.target, first.target);
    }
}
