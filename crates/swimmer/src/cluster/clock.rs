//! The two clocks of a node that runs in the world.

use std::time::{Duration, Instant as RealInstant, SystemTime, UNIX_EPOCH};

use swim_membership::{Instant, Now};
use tokio::time::Instant as Clock;

/// How often the wall clock is read. In between it is counted on from the monotonic one, which may
/// be paused in tests.
const READ_EVERY: Duration = Duration::from_secs(10);

/// Monotonic time since the start, and what the wall clock shows.
#[derive(Debug)]
pub(super) struct Clocks {
    started: Clock,
    /// The wall clock's time when it was read last, and when that was.
    unix: Duration,
    read_at: Clock,
    really_read_at: RealInstant,
}

impl Clocks {
    pub(super) fn start() -> Self {
        let started = Clock::now();
        Self { started, unix: unix_now(), read_at: started, really_read_at: RealInstant::now() }
    }

    pub(super) fn now(&mut self) -> Now {
        if self.really_read_at.elapsed() >= READ_EVERY {
            self.really_read_at = RealInstant::now();
            self.read_at = Clock::now();
            self.unix = unix_now();
        }
        let micros = self.started.elapsed().as_micros();
        Now {
            monotonic: Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)),
            unix: self.unix + self.read_at.elapsed(),
        }
    }

    /// The moment of tokio's clock that stands for one of the node's.
    pub(super) fn at(&self, at: Instant) -> Clock {
        // A year is as good as never, and does not overflow the clock.
        let micros = at.as_micros().min(365 * 24 * 3_600 * 1_000_000);
        self.started + Duration::from_micros(micros)
    }
}

/// A wall clock before 1970 is as good as one that shows 1970: it is wrong anyway.
pub(super) fn unix_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
