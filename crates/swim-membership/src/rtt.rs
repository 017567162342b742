//! How long answers take, and how long to wait for one before others are asked (P4).
//!
//! The estimate is that of TCP (RFC 6298): a smoothed mean and a smoothed deviation, and a time-out
//! of the mean and four deviations.

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::table::MemberIx;

/// Members of whom an estimate of their own is kept; of the others that of all is used.
const MEMBERS_MAX: usize = 1_024;

/// One estimate, in microseconds.
#[derive(Clone, Copy, Debug)]
struct Estimate {
    mean: u64,
    deviation: u64,
}

impl Estimate {
    fn first(sample: u64) -> Self {
        Self { mean: sample, deviation: sample / 2 }
    }

    fn update(&mut self, sample: u64) {
        self.deviation = (3 * self.deviation + sample.abs_diff(self.mean)) / 4;
        self.mean = (7 * self.mean + sample) / 8;
    }

    fn timeout(self) -> Duration {
        Duration::from_micros(self.mean + 4 * self.deviation)
    }
}

/// The measured round trips, of each of some members and of all together.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoundTrips {
    all: Option<Estimate>,
    members: BTreeMap<MemberIx, Estimate>,
}

impl RoundTrips {
    /// An answer of this member took so long.
    pub(crate) fn sample(&mut self, ix: MemberIx, took: Duration) {
        // A minute is no round trip, and the sums must not overflow.
        let micros = took.as_micros().min(60_000_000) as u64;
        match &mut self.all {
            Some(all) => all.update(micros),
            None => self.all = Some(Estimate::first(micros)),
        }
        if let Some(member) = self.members.get_mut(&ix) {
            member.update(micros);
        } else if self.members.len() < MEMBERS_MAX {
            self.members.insert(ix, Estimate::first(micros));
        }
    }

    /// How long an answer of this member may be waited for; `None`: nothing was measured yet.
    pub(crate) fn timeout(&self, ix: MemberIx) -> Option<Duration> {
        self.members.get(&ix).or(self.all.as_ref()).map(|estimate| estimate.timeout())
    }

    pub(crate) fn forget(&mut self, ix: MemberIx) {
        self.members.remove(&ix);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: MemberIx = MemberIx::new(1);
    const B: MemberIx = MemberIx::new(2);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn p4_steady_round_trips_bring_the_time_out_down_to_their_mean() {
        let mut trips = RoundTrips::default();
        assert_eq!(trips.timeout(A), None);
        (0..100).for_each(|_| trips.sample(A, ms(20)));
        let timeout = trips.timeout(A).unwrap();
        assert!(timeout >= ms(20) && timeout < ms(22), "{timeout:?}");
    }

    #[test]
    fn p4_a_slow_answer_raises_the_time_out_at_once() {
        let mut trips = RoundTrips::default();
        (0..100).for_each(|_| trips.sample(A, ms(1)));
        trips.sample(A, ms(400));
        assert!(trips.timeout(A).unwrap() > ms(400));
    }

    #[test]
    fn p4_of_one_not_measured_yet_the_estimate_of_all_is_used() {
        let mut trips = RoundTrips::default();
        trips.sample(A, ms(10));
        assert_eq!(trips.timeout(B), trips.timeout(A));
        trips.sample(B, ms(100));
        assert!(trips.timeout(B) > trips.timeout(A));
        trips.forget(B);
        assert!(trips.timeout(B).is_some());
    }

    #[test]
    fn p4_so_many_members_have_an_estimate_and_no_sample_overflows() {
        let mut trips = RoundTrips::default();
        (0..5_000).for_each(|ix| trips.sample(MemberIx::new(ix), Duration::MAX));
        assert_eq!(trips.members.len(), MEMBERS_MAX);
    }
}
