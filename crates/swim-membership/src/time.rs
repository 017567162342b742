//! Time as an argument: the layers never ask for it.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

/// A moment on the caller's monotonic clock, in microseconds since an origin of the caller's
/// choice. Its arithmetic saturates.
///
/// ```
/// use core::time::Duration;
/// use swim_membership::Instant;
///
/// let later = Instant::ZERO + Duration::from_millis(1_500);
/// assert_eq!(later - Instant::ZERO, Duration::from_millis(1_500));
/// assert_eq!(Instant::ZERO - later, Duration::ZERO);
/// assert_eq!(later.to_string(), "1.500000s");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The origin.
    pub const ZERO: Self = Self(0);
    /// A moment that never comes.
    pub const NEVER: Self = Self(u64::MAX);

    /// The moment so many microseconds after the origin.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the origin.
    pub const fn as_micros(self) -> u64 {
        self.0
    }
}

/// A moment as both of the caller's clocks show it.
///
/// Nothing is decided by the wall clock but the order in which members are probed, and it may be
/// wrong: then that order is as good as a random one. The record of a death says what it showed. Where
/// there is none the monotonic clock stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The monotonic clock.
    pub monotonic: Instant,
    /// The time since the Unix epoch.
    pub unix: Duration,
}

impl From<Instant> for Now {
    fn from(monotonic: Instant) -> Self {
        Self { monotonic, unix: monotonic - Instant::ZERO }
    }
}

/// What the wall clock shows beside the monotonic one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clock {
    /// Microseconds by which the wall clock is ahead.
    ahead: i64,
}

impl Clock {
    pub(crate) fn new(now: Now) -> Self {
        let unix = i64::try_from(now.unix.as_micros()).unwrap_or(i64::MAX);
        let monotonic = i64::try_from(now.monotonic.0).unwrap_or(i64::MAX);
        Self { ahead: unix.saturating_sub(monotonic) }
    }

    pub(crate) fn unix_micros(self, at: Instant) -> u64 {
        at.0.saturating_add_signed(self.ahead)
    }

    /// The moment at which the wall clock shows so many microseconds.
    pub(crate) fn monotonic(self, unix_micros: u64) -> Instant {
        Instant(unix_micros.saturating_add_signed(self.ahead.saturating_neg()))
    }

    /// By how much this one shows another time than `other`.
    pub(crate) fn step_from(self, other: Self) -> Duration {
        Duration::from_micros(self.ahead.abs_diff(other.ahead))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

impl Sub for Instant {
    type Output = Duration;

    /// How long after `earlier` this is; zero if it is before.
    fn sub(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}
