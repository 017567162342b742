//! Nobody passes sentence who is out of touch (S5).
//!
//! The guard is open while this node hears from others in time: an ack within the base time-out is
//! younger than three periods, or nobody held alive was asked in vain since; and three of its last four
//! turns at members held alive were in time, or, with fewer than eight others, one of as many turns as
//! there are others. While it is shut this node raises no suspicion and declares no death.

use alloc::vec::Vec;
use core::time::Duration;

use crate::table::MemberIx;
use crate::time::Instant;

/// An ack in time is good for so many periods.
const ACK_PERIODS: u32 = 3;
/// So many of the last four probes must have been in time.
const LAST: u8 = 0b1111;
const IN_TIME_MIN: u32 = 3;
/// Among fewer others half of the cluster may well be dead, so one in time is enough.
const OTHERS_FEW: usize = 8;
/// So often the hold begins anew: nobody keeps a node from judging by a word now and then.
const RENEWED_MAX: u32 = 3;
/// So many who did not answer are remembered; a further one has to wait for its next turn.
const UNHEARD_MAX: usize = 256;

/// Whether this node may pass sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    /// It hears from others.
    Open,
    /// It does not, or not in time.
    Shut,
    /// It has not for so long, since then, that it judges all the same.
    Overruled { shut_since: Instant },
}

/// Since when the guard is shut, and how often the hold has begun anew meanwhile.
#[derive(Clone, Copy, Debug)]
struct Shut {
    since: Instant,
    renewed: u32,
}

/// What this node has heard in time.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    heard_at: Instant,
    /// Whether a member held alive was asked in vain since.
    missed: bool,
    /// When anything came from anybody.
    spoken_at: Instant,
    /// The newest in the lowest bit; set: in time.
    results: u8,
    shut: Option<Shut>,
    /// Whom this node has asked in vain while it was shut, and since when.
    unheard: Vec<(MemberIx, Instant)>,
    /// Whether the user was told that this node is isolated.
    pub(crate) isolated: bool,
}

impl Guard {
    /// Open, as if somebody had been heard just now.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            heard_at: now,
            missed: false,
            spoken_at: now,
            results: u8::MAX,
            shut: None,
            unheard: Vec::new(),
            isolated: false,
        }
    }

    /// An ack came within the base time-out.
    pub(crate) fn on_heard(&mut self, now: Instant) {
        self.heard_at = now;
        self.missed = false;
    }

    /// A member held alive was asked in vain.
    pub(crate) fn on_missed(&mut self) {
        self.missed = true;
    }

    /// Anything has come. The end of a silence is no time to judge: the hold begins anew, in which
    /// those who were silent may be heard.
    pub(crate) fn on_spoken(&mut self, now: Instant, period: Duration) {
        if self.is_silent(now, period)
            && let Some(shut) = &mut self.shut
            && shut.renewed < RENEWED_MAX
        {
            *shut = Shut { since: now, renewed: shut.renewed + 1 };
            self.unheard.clear();
        }
        self.spoken_at = now;
    }

    /// Whether nothing has come from anybody for three periods.
    pub(crate) fn is_silent(&self, now: Instant, period: Duration) -> bool {
        now - self.spoken_at >= period * ACK_PERIODS
    }

    /// A probe of a member that is held alive was answered in time, or was not.
    pub(crate) fn on_result(&mut self, in_time: bool) {
        self.results = self.results << 1 | u8::from(in_time);
        self.missed |= !in_time;
    }

    /// Whether anybody was heard in time within the last three periods, or nobody was asked in vain
    /// since: a node that trusts itself little asks seldom.
    pub(crate) fn is_heard(&self, now: Instant, period: Duration) -> bool {
        now - self.heard_at < period * ACK_PERIODS || !self.missed
    }

    /// Whether it was shut when it was last looked at.
    pub(crate) fn is_shut(&self) -> bool {
        self.shut.is_some()
    }

    /// One who was asked then does not answer, but may not be accused yet. Returns whether there
    /// is room to remember it.
    #[must_use]
    pub(crate) fn on_unheard(&mut self, ix: MemberIx, since: Instant) -> bool {
        if self.is_unheard(ix) {
            return true;
        }
        let room = self.unheard.len() < UNHEARD_MAX;
        if room {
            self.unheard.push((ix, since));
        }
        room
    }

    /// Whether this one was asked in vain since.
    pub(crate) fn is_unheard(&self, ix: MemberIx) -> bool {
        self.unheard.iter().any(|&(other, _)| other == ix)
    }

    /// A member has answered, or is no more.
    pub(crate) fn forget(&mut self, ix: MemberIx) {
        self.unheard.retain(|&(other, _)| other != ix);
    }

    /// Whom this node has asked in vain while it was shut.
    pub(crate) fn take_unheard(&mut self) -> Vec<(MemberIx, Instant)> {
        core::mem::take(&mut self.unheard)
    }

    /// There is no third member to ask: nothing is held.
    pub(crate) fn open(&mut self) {
        self.shut = None;
        self.unheard.clear();
    }

    /// Whether sentence may be passed now.
    pub(crate) fn look(
        &mut self,
        now: Instant,
        period: Duration,
        hold: Duration,
        others: usize,
    ) -> Touch {
        if self.is_heard(now, period) && self.is_in_time(others) {
            self.shut = None;
            return Touch::Open;
        }
        let shut_since = self.shut.get_or_insert(Shut { since: now, renewed: 0 }).since;
        if now - shut_since < hold { Touch::Shut } else { Touch::Overruled { shut_since } }
    }

    fn is_in_time(&self, others: usize) -> bool {
        match others {
            OTHERS_FEW.. => (self.results & LAST).count_ones() >= IN_TIME_MIN,
            _ => self.results & !(u8::MAX << others) != 0,
        }
    }

    /// Time that passed while this node stood still is no silence of others.
    pub(crate) fn on_stall(&mut self, lost: Duration) {
        self.heard_at = self.heard_at + lost;
        self.spoken_at = self.spoken_at + lost;
        if let Some(shut) = &mut self.shut {
            shut.since = shut.since + lost;
        }
        for (_, since) in &mut self.unheard {
            *since = *since + lost;
        }
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

    #[test]
    fn s5_the_guard_shuts_when_two_of_four_probes_were_not_in_time() {
        let mut guard = Guard::new(at(0));
        guard.on_result(false);
        assert_eq!(guard.look(at(1), PERIOD, HOLD, 9), Touch::Open);
        guard.on_result(false);
        assert_eq!(guard.look(at(1), PERIOD, HOLD, 9), Touch::Shut);
        (0..3).for_each(|_| guard.on_result(true));
        assert_eq!(guard.look(at(2), PERIOD, HOLD, 9), Touch::Open);
    }

    #[test]
    fn s5_among_few_one_probe_in_time_of_a_round_is_enough() {
        let mut guard = Guard::new(at(0));
        (0..6).for_each(|_| guard.on_result(false));
        assert_eq!(guard.look(at(1), PERIOD, HOLD, 8), Touch::Shut);
        assert_eq!(guard.look(at(1), PERIOD, HOLD, 7), Touch::Open);
        assert_eq!(guard.look(at(1), PERIOD, HOLD, 6), Touch::Shut);
    }

    #[test]
    fn s5_the_guard_shuts_when_nobody_was_heard_for_three_periods() {
        let mut guard = Guard::new(at(0));
        assert_eq!(guard.look(at(9), PERIOD, HOLD, 9), Touch::Open, "nobody was asked");
        guard.on_missed();
        assert_eq!(guard.look(at(2), PERIOD, HOLD, 9), Touch::Open);
        assert_eq!(guard.look(at(3), PERIOD, HOLD, 9), Touch::Shut);
        guard.on_heard(at(4));
        guard.on_missed();
        assert_eq!(guard.look(at(5), PERIOD, HOLD, 9), Touch::Open);
    }

    #[test]
    fn s5_after_the_hold_sentence_is_passed_all_the_same() {
        let mut guard = Guard::new(at(0));
        guard.on_missed();
        assert_eq!(guard.look(at(5), PERIOD, HOLD, 9), Touch::Shut);
        assert_eq!(guard.look(at(24), PERIOD, HOLD, 9), Touch::Shut);
        assert_eq!(guard.look(at(25), PERIOD, HOLD, 9), Touch::Overruled { shut_since: at(5) });
    }

    #[test]
    fn s5_the_hold_begins_anew_three_times_when_a_silence_ends() {
        let mut guard = Guard::new(at(0));
        guard.on_missed();
        assert_eq!(guard.look(at(5), PERIOD, HOLD, 9), Touch::Shut);
        for second in [20, 40, 60] {
            guard.on_spoken(at(second), PERIOD);
            assert_eq!(guard.look(at(second + 19), PERIOD, HOLD, 9), Touch::Shut);
        }
        guard.on_spoken(at(80), PERIOD);
        let overruled = Touch::Overruled { shut_since: at(60) };
        assert_eq!(guard.look(at(80), PERIOD, HOLD, 9), overruled);
    }

    #[test]
    fn s5_a_stall_of_ones_own_is_no_silence_of_others() {
        let mut guard = Guard::new(at(0));
        guard.on_missed();
        guard.on_stall(Duration::from_secs(10));
        assert_eq!(guard.look(at(12), PERIOD, HOLD, 9), Touch::Open);
    }
}
