//! The wall clock of a machine, which may be wrong, fast or slow, or stand still.

use std::time::Duration;

use swim_membership::Instant;

/// What right wall clocks show at the simulation's start, as Unix time.
const UNIX_START: Duration = Duration::from_secs(1_600_000_000);

/// A wall clock, by default right.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WallClock {
    /// Microseconds by which it was ahead when it was touched last.
    ahead: i64,
    /// Millionths by which it has been fast since.
    rate_ppm: i64,
    /// When it was touched last.
    touched: Instant,
}

impl WallClock {
    /// What it shows, as Unix time.
    pub(crate) fn shown(&self, now: Instant) -> Duration {
        let right = UNIX_START.as_micros() as u64 + now.as_micros();
        Duration::from_micros(right.saturating_add_signed(self.ahead_at(now)))
    }

    /// Sets it forward by this many microseconds, or back if they are negative.
    pub(crate) fn step(&mut self, micros: i64) {
        self.ahead += micros;
    }

    /// From now on it is fast by this many millionths; at -1,000,000 it stands still.
    pub(crate) fn set_rate(&mut self, now: Instant, ppm: i64) {
        (self.ahead, self.rate_ppm, self.touched) = (self.ahead_at(now), ppm, now);
    }

    fn ahead_at(&self, now: Instant) -> i64 {
        let since = i128::from((now - self.touched).as_micros() as u64);
        self.ahead + (since * i128::from(self.rate_ppm) / 1_000_000) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(clock: &WallClock, at: u64) -> i64 {
        let shown = clock.shown(Instant::from_micros(at * 1_000_000));
        shown.as_secs() as i64 - UNIX_START.as_secs() as i64
    }

    #[test]
    fn a_clock_is_right_until_it_is_set_or_runs_wrong() {
        let mut clock = WallClock::default();
        assert_eq!(seconds(&clock, 10), 10);
        clock.step(-30_000_000);
        assert_eq!(seconds(&clock, 40), 10);
        clock.set_rate(Instant::from_micros(40_000_000), -1_000_000);
        assert_eq!(seconds(&clock, 90), 10, "it stands still");
        clock.set_rate(Instant::from_micros(90_000_000), -500_000);
        assert_eq!(seconds(&clock, 110), 20, "at half speed");
        clock.set_rate(Instant::from_micros(110_000_000), 0);
        assert_eq!(seconds(&clock, 120), 30, "right again, but behind");
    }
}
