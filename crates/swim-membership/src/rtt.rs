//! How long answers take, and how long to wait for one before others are asked (P4).
//!
//! The estimate is that of TCP (RFC 6298): a smoothed mean and a smoothed deviation, and a time-out
//! of the mean and four deviations.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use crate::table::MemberIx;
use crate::time::Instant;

/// Members of whom an estimate of their own is kept; of the others that of all is used.
const MEMBERS_MAX: usize = 1_024;

/// One estimate, in microseconds.
#[derive(Clone, Copy, Debug)]
struct Estimate {
    mean: u64,
    deviation: u64,
    /// The last sample, and the one before it.
    last: u64,
    before: Option<u64>,
}

impl Estimate {
    fn first(sample: u64) -> Self {
        Self { mean: sample, deviation: sample / 2, last: sample, before: None }
    }

    fn update(&mut self, sample: u64) {
        self.deviation = (3 * self.deviation + sample.abs_diff(self.mean)) / 4;
        self.mean = (7 * self.mean + sample) / 8;
        self.before = Some(core::mem::replace(&mut self.last, sample));
    }

    /// What the next answer takes at least, with a quarter of it for luck: the lesser of the last
    /// two, so that a member is not taken for slow because of one late answer.
    fn expected(self) -> Duration {
        let least = self.before.map_or(self.last, |before| before.min(self.last));
        Duration::from_micros(least + least / 4)
    }

    fn timeout(self) -> Duration {
        Duration::from_micros(self.mean + 4 * self.deviation)
    }
}

/// The measured round trips, of each of some members and of all together.
#[derive(Clone, Debug)]
pub(crate) struct RoundTrips {
    /// What a member answers within if it is not slow.
    base: Duration,
    all: Option<Estimate>,
    members: BTreeMap<MemberIx, Estimate>,
    /// How many members are slow.
    slow: usize,
    /// By how much the median member is slower than the base, and how many samples that is good for.
    typical_excess: Duration,
    good_for: usize,
    valid_from: Instant,
}

impl RoundTrips {
    /// Nothing is measured yet. A member whose time-out is above `base` is slow.
    pub(crate) fn new(base: Duration) -> Self {
        Self {
            base,
            all: None,
            members: BTreeMap::new(),
            slow: 0,
            typical_excess: Duration::ZERO,
            good_for: 0,
            valid_from: Instant::ZERO,
        }
    }

    /// Answers to what was asked before this moment are no samples.
    pub(crate) fn ignore_before(&mut self, at: Instant) {
        self.valid_from = at;
    }

    /// An answer of this member to a ping that was sent then has come.
    pub(crate) fn sample(&mut self, ix: MemberIx, sent_at: Instant, now: Instant) {
        if sent_at >= self.valid_from {
            self.on_round_trip(ix, now - sent_at);
        }
    }

    fn on_round_trip(&mut self, ix: MemberIx, took: Duration) {
        // A minute is no round trip, and the sums must not overflow.
        let micros = took.as_micros().min(60_000_000) as u64;
        match &mut self.all {
            Some(all) => all.update(micros),
            None => self.all = Some(Estimate::first(micros)),
        }
        let was_slow = self.is_slow(ix);
        if let Some(member) = self.members.get_mut(&ix) {
            member.update(micros);
        } else if self.members.len() < MEMBERS_MAX {
            self.members.insert(ix, Estimate::first(micros));
        }
        self.slow = self.slow + usize::from(self.is_slow(ix)) - usize::from(was_slow);
        self.look_at_median();
    }

    fn is_slow(&self, ix: MemberIx) -> bool {
        self.members.get(&ix).is_some_and(|estimate| estimate.expected() > self.base)
    }

    /// The median changes little with a sample, so that it is not computed at each.
    fn look_at_median(&mut self) {
        if self.slow * 2 <= self.members.len() {
            (self.typical_excess, self.good_for) = (Duration::ZERO, 0);
            return;
        }
        if self.good_for > 0 {
            self.good_for -= 1;
            return;
        }
        let mut expected: Vec<Duration> =
            self.members.values().map(|estimate| estimate.expected()).collect();
        let middle = (expected.len() - 1) / 2;
        let (_, median, _) = expected.select_nth_unstable(middle);
        self.typical_excess = median.saturating_sub(self.base);
        self.good_for = expected.len() / 8;
    }

    /// How long an answer of this member may be waited for; `None`: nothing was measured yet.
    pub(crate) fn timeout(&self, ix: MemberIx) -> Option<Duration> {
        self.members.get(&ix).or(self.all.as_ref()).map(|estimate| estimate.timeout())
    }

    /// By how much this member is slower than the base; of a member that was not measured, by how
    /// much the median is.
    pub(crate) fn excess(&self, ix: MemberIx) -> Duration {
        match self.members.get(&ix) {
            Some(Estimate { before: None, .. }) | None => self.typical_excess,
            Some(estimate) => estimate.expected().saturating_sub(self.base),
        }
    }

    /// By how much the median member is slower than the base: fewer than half of the members, slow or
    /// lying, do not raise it.
    pub(crate) fn typical_excess(&self) -> Duration {
        self.typical_excess
    }

    /// How long the answer of the median member takes, if that with a quarter to spare is longer than
    /// the base.
    pub(crate) fn typical_if_slow(&self) -> Option<Duration> {
        let slow = !self.typical_excess.is_zero();
        slow.then(|| (self.base + self.typical_excess) * 4 / 5)
    }

    /// A member is not present any more.
    pub(crate) fn forget(&mut self, ix: MemberIx) {
        self.slow -= usize::from(self.is_slow(ix));
        self.members.remove(&ix);
        self.look_at_median();
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
        let mut trips = RoundTrips::new(ms(500));
        assert_eq!(trips.timeout(A), None);
        (0..100).for_each(|_| trips.on_round_trip(A, ms(20)));
        let timeout = trips.timeout(A).unwrap();
        assert!(timeout >= ms(20) && timeout < ms(22), "{timeout:?}");
    }

    #[test]
    fn p4_a_slow_answer_raises_the_time_out_at_once() {
        let mut trips = RoundTrips::new(ms(500));
        (0..100).for_each(|_| trips.on_round_trip(A, ms(1)));
        trips.on_round_trip(A, ms(400));
        assert!(trips.timeout(A).unwrap() > ms(400));
    }

    #[test]
    fn p4_of_one_not_measured_yet_the_estimate_of_all_is_used() {
        let mut trips = RoundTrips::new(ms(500));
        trips.on_round_trip(A, ms(10));
        assert_eq!(trips.timeout(B), trips.timeout(A));
        trips.on_round_trip(B, ms(100));
        assert!(trips.timeout(B) > trips.timeout(A));
        trips.forget(B);
        assert!(trips.timeout(B).is_some());
    }

    #[test]
    fn p4_the_median_member_decides_whether_round_trips_are_too_long() {
        let mut trips = RoundTrips::new(ms(500));
        for _ in 0..3 {
            trips.on_round_trip(A, ms(20));
            trips.on_round_trip(B, ms(1_200));
        }
        assert_eq!(trips.typical_if_slow(), None, "one of two");
        trips.forget(A);
        assert_eq!(trips.typical_if_slow(), Some(ms(1_200)));
        trips.on_round_trip(B, ms(20));
        assert_eq!(trips.typical_if_slow(), None);
    }

    #[test]
    fn p4_so_many_members_have_an_estimate_and_no_sample_overflows() {
        let mut trips = RoundTrips::new(ms(500));
        (0..5_000).for_each(|ix| trips.on_round_trip(MemberIx::new(ix), Duration::MAX));
        assert_eq!(trips.members.len(), MEMBERS_MAX);
    }
}
