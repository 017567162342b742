//! When a member is pinged again, when others are asked, and when a probe ends (P4).

use core::time::Duration;

use crate::config::Config;

/// How often a member is pinged in the base time-out.
const PINGS: u32 = 6;
/// How often it is pinged before others are asked where the time-out follows the round trips.
const PINGS_ADAPTIVE: u32 = 3;

/// The times of one probe, counted from its first ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProbeTimes {
    /// Between two pings.
    pub(crate) again: Duration,
    /// When relays and the reliable plane are asked.
    pub(crate) direct: Duration,
    /// When the probe ends.
    pub(crate) whole: Duration,
}

impl ProbeTimes {
    /// One ping, and nobody else is asked.
    pub(crate) fn once(whole: Duration) -> Self {
        Self { again: whole, direct: whole, whole }
    }

    /// For a member whose answer is expected after a measured time, and which is by so much slower
    /// than the base time-out.
    pub(crate) fn new(config: &Config, measured: Option<Duration>, excess: Duration) -> Self {
        let (period, base) = (config.period(), config.base_timeout() + excess);
        let Some(measured) = measured else {
            // Nobody has answered yet, so that nothing says how long that takes. That is no reason to
            // accuse the first member for one lost ping.
            return Self { again: base / PINGS, direct: base, whole: period + excess * 2 };
        };
        let expected = measured.min(base);
        if config.adaptive_timeout() && excess.is_zero() {
            let again = expected.max(config.timeout_floor());
            let direct = (again * PINGS_ADAPTIVE).min(base);
            // Nobody is accused before the base time-out; and relays need twice the way.
            let whole = base.max((direct + again * 2).min(period));
            return Self { again, direct, whole };
        }
        let again = expected.max(base / PINGS);
        Self { again, direct: base, whole: period + excess * 2 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Profile;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn times(profile: Profile, measured: Option<u64>, excess: u64) -> [u128; 3] {
        let config = Config::preset(profile);
        let times = ProbeTimes::new(&config, measured.map(ms), ms(excess));
        [times.again, times.direct, times.whole].map(|time| time.as_millis())
    }

    #[test]
    fn p4_a_ping_is_sent_again_when_an_answer_could_have_come() {
        assert_eq!(times(Profile::Lan, Some(2), 0), [83, 500, 1_000]);
        assert_eq!(times(Profile::Lan, Some(300), 0), [300, 500, 1_000]);
        assert_eq!(times(Profile::Lan, None, 0), [83, 500, 1_000]);
    }

    #[test]
    fn p4_a_slow_member_is_waited_for() {
        assert_eq!(times(Profile::Lan, Some(2_000), 1_000), [1_500, 1_500, 3_000]);
        assert_eq!(times(Profile::Fast, Some(2_000), 1_000), [1_500, 1_500, 3_000]);
    }

    #[test]
    fn p4_the_adaptive_time_out_leaves_room_for_three_pings_and_two_ways() {
        assert_eq!(times(Profile::Fast, Some(2), 0), [50, 150, 500]);
        assert_eq!(times(Profile::Fast, Some(180), 0), [180, 500, 860]);
        assert_eq!(times(Profile::Fast, None, 0), [83, 500, 1_000]);
    }
}
