//! Whether others hold what we hold, by the digests on their pings and acks (D2 to D4).

use core::net::SocketAddr;
use core::time::Duration;

use crate::time::Instant;

/// So many differences in a row, whoever they were with, are no news that is on its way.
const DIFFERENCES: u8 = 2;

/// What digests have said so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agreement {
    /// In a row.
    differences: u8,
    /// Since this was last asked for.
    seen_equal: bool,
    /// Who has last answered a probe as one does to strangers.
    aloof: Option<SocketAddr>,
    /// How long the next repair waits after the last: zero unless that was in vain.
    wait: Duration,
    /// No repair begins before.
    repair_at: Instant,
}

impl Agreement {
    /// Somebody holds just what we hold.
    pub(crate) fn on_equal(&mut self) {
        self.differences = 0;
        self.seen_equal = true;
    }

    /// Somebody holds something else, and neither has news to tell. Returns whether to repair.
    pub(crate) fn on_difference(&mut self, now: Instant) -> bool {
        self.differences = self.differences.saturating_add(1).min(DIFFERENCES);
        if self.differences < DIFFERENCES || now < self.repair_at {
            return false;
        }
        self.differences = 0;
        true
    }

    /// A repair has begun; until its end, or until it must have ended, there is no other.
    pub(crate) fn on_repair_begun(&mut self, ends_at: Instant) {
        self.repair_at = ends_at;
    }

    /// A repair has changed something, or has found the tables equal in the end.
    pub(crate) fn on_repaired(&mut self, now: Instant) {
        self.wait = Duration::ZERO;
        self.repair_at = now;
    }

    /// A repair was of no use: the next one waits twice as long, from a period up to `wait_max`.
    pub(crate) fn on_repaired_in_vain(
        &mut self,
        now: Instant,
        period: Duration,
        wait_max: Duration,
    ) {
        self.wait = (self.wait * 2).max(period).min(wait_max);
        self.repair_at = now + self.wait;
    }

    /// A member has answered a probe, with or without a digest.
    pub(crate) fn on_ack(&mut self, from: SocketAddr, noted: bool) {
        if !noted {
            self.aloof = Some(from);
        } else if self.aloof == Some(from) {
            self.aloof = None;
        }
    }

    /// Who has answered as one does to strangers, and has not done better since.
    pub(crate) fn take_aloof(&mut self) -> Option<SocketAddr> {
        self.aloof.take()
    }

    /// Whether an equal digest was seen since that was last taken.
    pub(crate) fn is_equal(&self) -> bool {
        self.seen_equal
    }

    /// Whether an equal digest was seen since the last call.
    pub(crate) fn take_equal(&mut self) -> bool {
        core::mem::take(&mut self.seen_equal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn d3_two_differences_in_a_row_ask_for_a_repair_and_an_equal_one_between_them_does_not() {
        let mut agreement = Agreement::default();
        assert!(!agreement.on_difference(at(1)));
        agreement.on_equal();
        assert!(!agreement.on_difference(at(2)));
        assert!(agreement.on_difference(at(3)));
        assert!(!agreement.on_difference(at(4)), "they are counted anew");
    }

    #[test]
    fn d4_the_wait_for_the_next_repair_doubles_while_they_are_in_vain_and_ends_with_one_that_is_not()
     {
        let (period, most) = (Duration::from_secs(1), Duration::from_secs(30));
        let mut agreement = Agreement::default();
        for wait in [1, 2, 4, 8, 16, 30, 30] {
            agreement.on_repaired_in_vain(at(100), period, most);
            assert!((0..9).all(|_| !agreement.on_difference(at(99 + wait))));
            assert!(agreement.on_difference(at(100 + wait)), "after {wait} s");
        }
        agreement.on_repaired(at(200));
        assert!(!agreement.on_difference(at(200)));
        assert!(agreement.on_difference(at(200)));
    }

    #[test]
    fn d3_while_a_repair_runs_no_other_begins() {
        let mut agreement = Agreement::default();
        agreement.on_repair_begun(at(20));
        for second in 10..20 {
            assert!(!agreement.on_difference(at(second)));
        }
        assert!(agreement.on_difference(at(20)));
    }

    #[test]
    fn d5_an_equal_digest_is_remembered_once() {
        let mut agreement = Agreement::default();
        assert!(!agreement.take_equal());
        agreement.on_equal();
        assert!(agreement.take_equal());
        assert!(!agreement.take_equal());
    }
}
