//! Nobody passes sentence who is out of touch (S5).
//!
//! The guard is open while this node hears from others in time: an ack within the base time-out is
//! younger than three periods, and of the members held alive that its last four turns met at most
//! one was not in time. While it is shut this node raises no suspicion and declares no death.

use core::time::Duration;

use crate::table::MemberIx;
use crate::time::Instant;

/// An ack in time is good for so many periods.
const ACK_PERIODS: u32 = 3;
/// Of those whom so many turns have met so many may have been late.
const RESULTS: usize = 4;
const LATE_MAX: usize = 1;

/// Whether this node may pass sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    /// It hears from others.
    Open,
    /// It does not, or not in time.
    Shut,
    /// It has not for so long that it judges all the same.
    Overruled,
}

/// What this node has heard in time.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    heard_at: Instant,
    /// Whom the last turns have met, the newest first, and whether it was in time.
    results: [Option<(MemberIx, bool)>; RESULTS],
    shut_since: Option<Instant>,
    /// Whether the user was told that this node is isolated.
    pub(crate) isolated: bool,
}

impl Guard {
    /// Open, as if somebody had been heard just now.
    pub(crate) fn new(now: Instant) -> Self {
        Self { heard_at: now, results: [None; RESULTS], shut_since: None, isolated: false }
    }

    /// An ack came within the base time-out.
    pub(crate) fn on_heard(&mut self, now: Instant) {
        self.heard_at = now;
    }

    /// A probe of a member that is held alive was answered in time, or was not.
    pub(crate) fn on_result(&mut self, member: MemberIx, in_time: bool) {
        self.results.rotate_right(1);
        self.results[0] = Some((member, in_time));
    }

    /// How many of the members that the last turns have met were late when they were met last. One
    /// who is silent each time says no more than once that this node is out of touch: else it could
    /// never be accused where there are few others.
    fn late(&self) -> usize {
        let results = self.results.iter().flatten().enumerate();
        let late = results.filter(|&(at, &(member, in_time))| {
            let mut newer = self.results[..at].iter().flatten();
            !in_time && newer.all(|&(other, _)| other != member)
        });
        late.count()
    }

    /// Whether anybody was heard in time within the last three periods.
    pub(crate) fn has_heard_within(&self, now: Instant, period: Duration) -> bool {
        now - self.heard_at < period * ACK_PERIODS
    }

    /// Whether sentence may be passed now.
    pub(crate) fn look(&mut self, now: Instant, period: Duration, hold: Duration) -> Touch {
        if self.has_heard_within(now, period) && self.late() <= LATE_MAX {
            self.shut_since = None;
            return Touch::Open;
        }
        let since = *self.shut_since.get_or_insert(now);
        if now - since < hold { Touch::Shut } else { Touch::Overruled }
    }

    /// Time that passed while this node stood still is no silence of others.
    pub(crate) fn on_stall(&mut self, lost: Duration) {
        self.heard_at = self.heard_at + lost;
        self.shut_since = self.shut_since.map(|since| since + lost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(1);
    const HOLD: Duration = Duration::from_secs(20);

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn member(n: u32) -> MemberIx {
        MemberIx::new(n)
    }

    #[test]
    fn s5_the_guard_shuts_when_two_of_four_members_were_not_in_time() {
        let mut guard = Guard::new(at(0));
        guard.on_result(member(1), false);
        assert_eq!(guard.look(at(1), PERIOD, HOLD), Touch::Open);
        guard.on_result(member(2), false);
        assert_eq!(guard.look(at(1), PERIOD, HOLD), Touch::Shut);
        (3..6).for_each(|n| guard.on_result(member(n), true));
        assert_eq!(guard.look(at(2), PERIOD, HOLD), Touch::Open);
        guard.on_result(member(3), false);
        (0..3).for_each(|_| guard.on_result(member(4), true));
        guard.on_result(member(7), false);
        assert_eq!(guard.look(at(2), PERIOD, HOLD), Touch::Open, "only four turns count");
    }

    #[test]
    fn s5_one_who_is_silent_again_and_again_counts_once() {
        for others in [1, 2, 3] {
            let mut guard = Guard::new(at(0));
            for round in 0..9 {
                guard.on_result(member(0), false);
                assert_eq!(guard.look(at(1), PERIOD, HOLD), Touch::Open, "in round {round}");
                (1..=others).for_each(|n| guard.on_result(member(n), true));
            }
            guard.on_result(member(1), false);
            guard.on_result(member(0), false);
            assert_eq!(guard.look(at(1), PERIOD, HOLD), Touch::Shut);
            guard.on_result(member(1), true);
            assert_eq!(guard.look(at(1), PERIOD, HOLD), Touch::Open, "by the last of each");
        }
    }

    #[test]
    fn s5_the_guard_shuts_when_nobody_was_heard_for_three_periods() {
        let mut guard = Guard::new(at(0));
        assert_eq!(guard.look(at(2), PERIOD, HOLD), Touch::Open);
        assert_eq!(guard.look(at(3), PERIOD, HOLD), Touch::Shut);
        guard.on_heard(at(4));
        assert_eq!(guard.look(at(5), PERIOD, HOLD), Touch::Open);
    }

    #[test]
    fn s5_after_the_hold_sentence_is_passed_all_the_same() {
        let mut guard = Guard::new(at(0));
        assert_eq!(guard.look(at(5), PERIOD, HOLD), Touch::Shut);
        assert_eq!(guard.look(at(24), PERIOD, HOLD), Touch::Shut);
        assert_eq!(guard.look(at(25), PERIOD, HOLD), Touch::Overruled);
    }

    #[test]
    fn s5_a_stall_of_ones_own_is_no_silence_of_others() {
        let mut guard = Guard::new(at(0));
        guard.on_stall(Duration::from_secs(10));
        assert_eq!(guard.look(at(12), PERIOD, HOLD), Touch::Open);
    }
}
