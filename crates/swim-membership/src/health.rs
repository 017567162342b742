//! Local health: how far to trust oneself (H1; Lifeguard, section IV-A).

use core::time::Duration;

/// A score from 0 (well) to a maximum. Failed probes, missing nacks and having to refute raise
/// it, probes that succeed lower it. Probe time-outs and the period are stretched by score + 1, so
/// that a node that is slow itself accuses others later.
#[derive(Clone, Copy, Debug)]
pub struct LocalHealth {
    /// 0 to `max`.
    score: u32,
    max: u32,
}

impl LocalHealth {
    /// A well node. A `max` of 0 switches the score off.
    pub const fn new(max: u32) -> Self {
        Self { score: 0, max }
    }

    /// The score, 0 (well) to the maximum.
    pub const fn score(self) -> u32 {
        self.score
    }

    /// One reason to trust oneself less.
    pub fn worsen(&mut self) {
        self.score = (self.score + 1).min(self.max);
    }

    /// One reason to trust oneself more.
    pub fn improve(&mut self) {
        self.score = self.score.saturating_sub(1);
    }

    /// A duration stretched by the score.
    pub fn stretch(self, duration: Duration) -> Duration {
        duration.saturating_mul(self.score + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h1_the_score_stays_between_zero_and_its_maximum_and_stretches_time() {
        let second = Duration::from_secs(1);
        let mut health = LocalHealth::new(2);
        health.improve();
        assert_eq!(health.stretch(second), second);
        (0..5).for_each(|_| health.worsen());
        assert_eq!((health.score(), health.stretch(second)), (2, second * 3));
        health.improve();
        assert_eq!(health.score(), 1);
    }

    #[test]
    fn h1_a_maximum_of_zero_switches_it_off() {
        let mut health = LocalHealth::new(0);
        health.worsen();
        assert_eq!(health.score(), 0);
    }
}
