//! Whether round trips are too long for this configuration, and whether the user knows (P4).
//!
//! One late answer, or one slow moment, is no reason for a notice: round trips must be too long for
//! several periods. The notice comes once, and again only after round trips have fitted for a minute.

use core::time::Duration;

use crate::time::Instant;

/// For how many periods round trips must be too long before the user is told. A node that starts
/// while many others do may see a few late answers at first.
const SLOW_PERIODS: u32 = 5;
/// How long round trips must fit before the user may be told again.
const FINE: Duration = Duration::from_secs(60);

/// How this configuration fits the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SlowNetwork {
    /// It does.
    #[default]
    Fits,
    /// It does not since then, and the user does not know yet.
    Slow { since: Instant },
    /// The user knows that it does not. When that was seen last.
    Told { seen_at: Instant },
}

impl SlowNetwork {
    /// Round trips are too long now, or they are not. Returns whether the user is to be told.
    #[must_use]
    pub(crate) fn look(&mut self, now: Instant, slow: bool, period: Duration) -> bool {
        let before = *self;
        *self = match (before, slow) {
            (Self::Fits, true) => Self::Slow { since: now },
            (Self::Slow { since }, true) if now - since < period * SLOW_PERIODS => before,
            (Self::Slow { .. } | Self::Told { .. }, true) => Self::Told { seen_at: now },
            (Self::Told { seen_at }, false) if now - seen_at < FINE => before,
            (Self::Fits | Self::Slow { .. } | Self::Told { .. }, false) => Self::Fits,
        };
        matches!((before, *self), (Self::Slow { .. }, Self::Told { .. }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(1);

    /// Looks once a second, from `start` on. Returns the seconds at which the user is told.
    fn told(network: &mut SlowNetwork, start: u64, slow: &[bool]) -> std::vec::Vec<u64> {
        let looks = (start..).zip(slow);
        let at = |second| Instant::ZERO + PERIOD * second as u32;
        looks
            .filter(|&(second, &slow)| network.look(at(second), slow, PERIOD))
            .map(|l| l.0)
            .collect()
    }

    #[test]
    fn p4_the_user_is_told_once_and_after_five_periods() {
        let mut network = SlowNetwork::default();
        assert_eq!(told(&mut network, 0, &[true; 300]), [5]);
    }

    #[test]
    fn p4_a_slow_moment_is_not_told() {
        let mut network = SlowNetwork::default();
        assert_eq!(told(&mut network, 0, &[[true; 5].as_slice(), &[false]].concat().repeat(9)), []);
    }

    #[test]
    fn p4_the_user_is_told_again_only_after_a_fine_minute() {
        let mut network = SlowNetwork::default();
        assert_eq!(told(&mut network, 0, &[true; 10]), [5]);
        assert_eq!(told(&mut network, 10, &[false; 50]), []);
        assert_eq!(told(&mut network, 60, &[true; 20]), [], "that is the same slow network");
        assert_eq!(told(&mut network, 80, &[false; 60]), []);
        assert_eq!(told(&mut network, 140, &[true; 20]), [145]);
    }
}
