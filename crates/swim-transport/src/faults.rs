//! What goes wrong on the way, drawn from a seed: [`Faulty`](crate::Faulty) and
//! [`MemoryNetwork`](crate::MemoryNetwork) draw alike.

use std::ops::Range;
use std::time::Duration;

use rand::RngExt;
pub(crate) use rand::rngs::Xoshiro256PlusPlus as Draws;

/// What `loss` and `duplication` are parts of.
const WHOLE: u32 = 1_000;

/// How much goes wrong; nothing by default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    /// So many of 1,000 datagrams are lost.
    pub(crate) loss: u32,
    /// So many of 1,000 of the others arrive twice.
    pub(crate) duplication: u32,
    /// How late a copy is. An empty range is its start.
    pub(crate) delay: Range<Duration>,
}

/// How late each copy of a datagram is. A lost one has none.
pub(crate) type Copies = [Option<Duration>; 2];

impl Faults {
    pub(crate) fn draw_copies(&self, draws: &mut Draws) -> Copies {
        if hits(self.loss, draws) {
            return [None, None];
        }
        let twice = hits(self.duplication, draws);
        let first = self.draw_delay(draws);
        [Some(first), twice.then(|| self.draw_delay(draws))]
    }

    pub(crate) fn draw_delay(&self, draws: &mut Draws) -> Duration {
        if self.delay.is_empty() {
            return self.delay.start;
        }
        draws.random_range(self.delay.clone())
    }
}

fn hits(per_mille: u32, draws: &mut Draws) -> bool {
    per_mille > 0 && draws.random_range(0..WHOLE) < per_mille
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn draw(faults: &Faults, seed: u64) -> Vec<Copies> {
        let mut draws = Draws::seed_from_u64(seed);
        (0..1_000).map(|_| faults.draw_copies(&mut draws)).collect()
    }

    #[test]
    fn the_same_seed_draws_the_same_and_another_one_does_not() {
        let faults = Faults { loss: 300, duplication: 300, delay: MS..9 * MS };
        assert_eq!(draw(&faults, 1), draw(&faults, 1));
        assert_ne!(draw(&faults, 1), draw(&faults, 2));
    }

    #[test]
    fn so_many_of_a_thousand_are_lost_or_doubled_and_delays_keep_to_their_range() {
        let faults = Faults { loss: 300, duplication: 500, delay: MS..9 * MS };
        let copies = draw(&faults, 1);
        let lost = copies.iter().filter(|copies| copies[0].is_none()).count();
        let doubled = copies.iter().filter(|copies| copies[1].is_some()).count();
        assert!((250..350).contains(&lost), "{lost} lost");
        assert!((300..400).contains(&doubled), "{doubled} doubled");
        assert!(copies.iter().flatten().flatten().all(|delay| (MS..9 * MS).contains(delay)));
    }

    #[test]
    fn nothing_goes_wrong_by_default_and_everything_at_a_thousand() {
        let once = [Some(Duration::ZERO), None];
        assert!(draw(&Faults::default(), 1).iter().all(|copies| *copies == once));
        let all_lost = Faults { loss: WHOLE, ..Faults::default() };
        assert!(draw(&all_lost, 1).iter().all(|copies| *copies == [None, None]));
        let all_doubled = Faults { duplication: WHOLE, delay: MS..MS, ..Faults::default() };
        assert!(draw(&all_doubled, 1).iter().all(|copies| *copies == [Some(MS), Some(MS)]));
    }
}
