//! How long this node may be silent, as its record says (S6).
//!
//! A process pauses: its garbage is collected, its machine is moved, it gets no CPU. One that has
//! paused will pause again, as long or a little longer. So the longest pause of the last hour, with
//! a margin, is announced in the record, and others give the node that time to refute.

use core::time::Duration;

use crate::config::Config;
use crate::time::Instant;

/// For how long a pause is remembered at least; a stretch longer at most.
const STRETCHES: usize = 7;
const STRETCH: Duration = Duration::from_secs(600);
/// For how long a silence is: it may have been the network's, which need not fail again.
const SILENCE_STRETCHES: usize = 2;
/// What is announced is a multiple of this, so that pauses that grow by little change no record.
const STEP: Duration = Duration::from_millis(500);

/// The last time that nothing came from anybody for long.
#[derive(Clone, Copy, Debug)]
struct Silence {
    length: Duration,
    ended_at: Instant,
}

/// The pauses of this node, and what it announces because of them.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    period: Duration,
    /// What every member is given anyway: the suspicion minimum.
    min: Duration,
    /// The longest pauses by the stretches of time in which they will be forgotten, the next last.
    longest: [Duration; STRETCHES],
    /// When the next stretch begins. Never while no pause is remembered.
    turn_at: Instant,
    /// How long the application says that it pauses.
    expected: Duration,
    /// What the record says. Zero: nothing.
    announced: Duration,
    /// When anything came from anybody.
    heard_at: Option<Instant>,
    silence: Option<Silence>,
}

impl Patience {
    /// With the longest pause of the life before, which counts as one of now.
    pub(crate) fn new(now: Instant, config: &Config, saved: Duration) -> Self {
        let mut patience = Self {
            period: config.period(),
            min: config.suspicion_min(),
            longest: [Duration::ZERO; STRETCHES],
            turn_at: Instant::NEVER,
            expected: config.expected_pause(),
            announced: Duration::ZERO,
            heard_at: None,
            silence: None,
        };
        patience.on_pause(now, saved, Duration::MAX, STRETCHES);
        patience.announced = patience.wanted();
        patience
    }

    /// What the record is to say.
    pub(crate) fn announced(&self) -> Duration {
        self.announced
    }

    /// The longest pause that is remembered: to be kept over a restart.
    pub(crate) fn longest(&self) -> Duration {
        self.longest.into_iter().max().unwrap_or_default()
    }

    /// This node was woken so much later than it had asked. It may have stood still for up to a period
    /// longer, in which it had nothing to do. No member is given more than `max`.
    pub(crate) fn on_late(&mut self, now: Instant, late: Duration, max: Duration) {
        self.on_pause(now, late, max, STRETCHES);
        // Nothing could come meanwhile.
        self.heard_at = Some(now);
    }

    /// Anything has come.
    pub(crate) fn on_heard(&mut self, now: Instant) {
        let length = self.heard_at.map_or(Duration::ZERO, |at| now - at);
        if length >= self.silence_min() {
            self.silence = Some(Silence { length, ended_at: now });
        }
        self.heard_at = Some(now);
    }

    /// This node finds itself suspected. If nothing has come from anybody just before, nothing went
    /// out either: its timers ran, but it was silent, for a reason of its own or of the network.
    pub(crate) fn on_suspected(&mut self, now: Instant, max: Duration) {
        if let Some(silence) = self.silence.take()
            && now - silence.ended_at <= self.silence_min()
        {
            self.on_pause(now, silence.length, max, SILENCE_STRETCHES);
        }
    }

    /// A member hears from others about twice a period, so nothing in more than two periods means that
    /// nothing could come.
    fn silence_min(&self) -> Duration {
        self.period * 5 / 2
    }

    /// A pause that is short costs nothing, and no patience bridges one that is too long: they are not
    /// spoken of. Any other is remembered for so many stretches, this one included.
    fn on_pause(&mut self, now: Instant, length: Duration, max: Duration, stretches: usize) {
        if self.patience_for(length) <= self.min || length + self.period > max {
            return;
        }
        self.on_deadline(now);
        // In whole milliseconds, as it is kept over a restart.
        let length = Duration::from_millis(length.as_micros().div_ceil(1_000) as u64);
        let longest = &mut self.longest[STRETCHES - stretches];
        *longest = length.max(*longest);
        if self.turn_at == Instant::NEVER {
            self.turn_at = now + STRETCH;
        }
    }

    /// When the oldest pauses are forgotten.
    pub(crate) fn deadline(&self) -> Instant {
        self.turn_at
    }

    /// Forgets pauses that are over an hour old.
    pub(crate) fn on_deadline(&mut self, now: Instant) {
        while now >= self.turn_at {
            self.longest.rotate_right(1);
            self.longest[0] = Duration::ZERO;
            let none = self.longest() == Duration::ZERO;
            self.turn_at = if none { Instant::NEVER } else { self.turn_at + STRETCH };
        }
    }

    /// What the record is to say from now on, if it is to say something else. It rises with a pause,
    /// at once, and falls with a stretch of ten minutes that is forgotten.
    pub(crate) fn change(&mut self) -> Option<Duration> {
        let wanted = self.wanted();
        let before = core::mem::replace(&mut self.announced, wanted);
        (wanted != before).then_some(wanted)
    }

    /// Nothing for a node that does not pause for longer than any may.
    fn wanted(&self) -> Duration {
        let patience = self.patience_for(self.longest().max(self.expected));
        if patience > self.min { patience } else { Duration::ZERO }
    }

    /// The time that a node should be given that pauses for so long; none for one that does not. A
    /// pause may be longer than measured, and the next one longer than this; members that wait pause
    /// themselves, and a refutation needs up to a period to reach them.
    fn patience_for(&self, pause: Duration) -> Duration {
        if pause.is_zero() {
            return Duration::ZERO;
        }
        let whole = pause.saturating_add(pause / 2).saturating_add(self.period);
        let steps = whole.as_micros().div_ceil(STEP.as_micros());
        STEP.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// That of `lan` among few.
    const MAX: Duration = Duration::from_secs(12);

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn patience() -> Patience {
        Patience::new(at(0), &Config::default(), Duration::ZERO)
    }

    /// What is announced after a pause of so many milliseconds.
    fn after(pause: u64) -> u128 {
        let mut patience = patience();
        patience.on_late(at(0), ms(pause), MAX);
        patience.change().map_or(0, |announced| announced.as_millis())
    }

    #[test]
    fn s6_a_pause_is_announced_with_half_of_it_and_a_period_more_in_half_seconds() {
        assert_eq!(after(2_000), 0, "4 s is what every member is given");
        assert_eq!(after(2_001), 4_500);
        assert_eq!(after(5_000), 8_500);
        assert_eq!(after(8_000), 13_000);
        assert_eq!(after(11_000), 17_500);
        assert_eq!(after(11_001), 0, "no patience bridges it");
    }

    #[test]
    fn s6_a_silence_counts_where_the_node_finds_itself_suspected_soon_after() {
        for (suspected_at, announced) in
            [(105, Some(ms(8_500))), (107, Some(ms(8_500))), (108, None)]
        {
            let mut patience = patience();
            patience.on_heard(at(100));
            patience.on_heard(at(105));
            assert_eq!(patience.change(), None, "the others may have been silent");
            patience.on_suspected(at(suspected_at), MAX);
            assert_eq!(patience.change(), announced);
        }
        let mut patience = patience();
        patience.on_heard(at(100));
        patience.on_late(at(102), ms(1_500), MAX);
        patience.on_heard(at(102));
        patience.on_suspected(at(102), MAX);
        assert_eq!(patience.change(), None, "it is the stall that explains the silence");
    }

    #[test]
    fn s6_a_silence_is_forgotten_after_ten_to_twenty_minutes() {
        let mut patience = patience();
        patience.on_late(at(0), ms(4_000), MAX);
        patience.on_heard(at(0));
        patience.on_heard(at(5));
        patience.on_suspected(at(5), MAX);
        assert_eq!(patience.change(), Some(ms(8_500)));
        patience.on_deadline(at(600));
        assert_eq!(patience.change(), None);
        patience.on_deadline(at(1_200));
        assert_eq!(patience.change(), Some(ms(7_000)), "the stall is remembered for an hour");
    }

    #[test]
    fn s6_it_is_raised_at_once_and_lowered_when_the_hour_is_over() {
        let mut patience = patience();
        patience.on_late(at(10), ms(5_000), MAX);
        assert_eq!(patience.change(), Some(ms(8_500)));
        patience.on_late(at(11), ms(8_000), MAX);
        assert_eq!(patience.change(), Some(ms(13_000)));
        patience.on_late(at(12), ms(7_000), MAX);
        assert_eq!(patience.change(), None);
        patience.on_late(at(1_900), ms(5_000), MAX);
        let mut told = Vec::new();
        while patience.deadline() != Instant::NEVER {
            let now = patience.deadline();
            patience.on_deadline(now);
            told.extend(patience.change().map(|to| (now, to.as_millis())));
        }
        assert_eq!(told, [(at(4_210), 8_500), (at(6_010), 0)], "an hour, and ten minutes at most");
    }

    #[test]
    fn s6_what_was_saved_is_announced_from_the_start_and_forgotten_after_an_hour() {
        let begun = |saved| Patience::new(at(0), &Config::default(), ms(saved));
        assert_eq!(begun(1_000).announced(), Duration::ZERO);
        let mut patience = begun(5_000);
        assert_eq!(patience.announced(), ms(8_500));
        patience.on_deadline(at(4_200));
        assert_eq!(patience.change(), Some(Duration::ZERO));
        assert_eq!(patience.deadline(), Instant::NEVER);
    }

    #[test]
    fn s6_what_the_application_expects_is_announced_for_ever_and_longer_pauses_beside_it() {
        let begun = |expected| {
            let config = Config::default().with_expected_pause(ms(expected));
            Patience::new(at(0), &config, Duration::ZERO)
        };
        assert_eq!(begun(2_000).announced(), Duration::ZERO);
        let mut patience = begun(5_000);
        assert_eq!((patience.announced(), patience.deadline()), (ms(8_500), Instant::NEVER));
        patience.on_late(at(10), ms(4_000), MAX);
        assert_eq!(patience.change(), None);
        patience.on_late(at(10), ms(8_000), MAX);
        assert_eq!(patience.change(), Some(ms(13_000)));
        patience.on_deadline(at(4_210));
        assert_eq!(patience.change(), Some(ms(8_500)));
        assert_eq!(
            begun(86_400_000).announced(),
            Duration::from_secs(129_601),
            "which no one gives"
        );
    }
}
