//! Alternating good and bad times, as in the model of Gilbert and Elliott: the length of each has an
//! exponential distribution.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use swim_membership::Instant;

/// The mean lengths of good and bad times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Means {
    good: Duration,
    bad: Duration,
}

impl Means {
    /// For bad times of this mean length, and this share of all time.
    pub(super) fn new(bad: Duration, per_mille: u32) -> Self {
        let good = bad * (1_000 - per_mille.min(1_000)) / per_mille.clamp(1, 1_000);
        Self { good, bad }
    }
}

/// The state of a link or node that alternates between good and bad.
#[derive(Clone, Copy, Debug)]
pub(super) struct Burst {
    means: Means,
    is_bad: bool,
    until: Instant,
}

impl Burst {
    /// Draws the state of one that has been alternating for a long time.
    pub(super) fn draw(means: Means, now: Instant, rng: &mut Xoshiro256PlusPlus) -> Self {
        let (good, bad) = (means.good.as_micros() as u64, means.bad.as_micros() as u64);
        let is_bad = rng.random_range(0..(good + bad).max(1)) < bad;
        let mut burst = Self { means, is_bad, until: now };
        // An exponential distribution has no memory: the rest of a time is distributed like the whole.
        burst.until = now + burst.draw_time(rng);
        burst
    }

    /// Whether it is bad at this moment. A moment before the last one that was asked for counts as
    /// that one.
    pub(super) fn is_bad(&mut self, now: Instant, rng: &mut Xoshiro256PlusPlus) -> bool {
        while self.until <= now {
            self.is_bad = !self.is_bad;
            self.until = self.until + self.draw_time(rng);
        }
        self.is_bad
    }

    fn draw_time(&self, rng: &mut Xoshiro256PlusPlus) -> Duration {
        let mean = if self.is_bad { self.means.bad } else { self.means.good };
        // Not zero, so that the loop above ends.
        exponential(mean, rng).max(Duration::from_micros(1))
    }
}

/// Draws a time with an exponential distribution and this mean by von Neumann's method, which only
/// compares uniform numbers and so gives the same result on all machines.
pub(super) fn exponential(mean: Duration, rng: &mut Xoshiro256PlusPlus) -> Duration {
    let mut whole = 0;
    loop {
        let first: u32 = rng.random();
        let (mut last, mut falling) = (first, 1);
        loop {
            let next: u32 = rng.random();
            if next >= last {
                break;
            }
            (last, falling) = (next, falling + 1);
        }
        if falling % 2 == 1 {
            let part = (mean.as_micros() as u64 * u64::from(first)) >> 32;
            return mean * whole + Duration::from_micros(part);
        }
        whole += 1;
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn an_exponential_time_has_its_mean_and_its_tail() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mean = Duration::from_millis(500);
        let times: Vec<Duration> = (0..20_000).map(|_| exponential(mean, &mut rng)).collect();
        let sum: Duration = times.iter().sum();
        let average = (sum / 20_000).as_millis();
        assert!((485..515).contains(&average), "{average} ms");
        // e⁻² of them are longer than two means.
        let long = times.iter().filter(|&&time| time > mean * 2).count();
        assert!((2_500..2_900).contains(&long), "{long} of 20,000");
    }

    #[test]
    fn a_burst_is_bad_for_its_share_of_time_and_as_long_as_it_should_be() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
        let means = Means::new(Duration::from_millis(800), 250);
        let mut burst = Burst::draw(means, Instant::ZERO, &mut rng);
        let (mut bad, mut began, mut was) = (0_u64, 0_u64, false);
        for step in 0..4_000_000_u64 {
            let is = burst.is_bad(Instant::from_micros(step * 5_000), &mut rng);
            bad += u64::from(is);
            began += u64::from(is && !was);
            was = is;
        }
        assert!((960_000..1_040_000).contains(&bad), "{bad} of 4,000,000 steps of 5 ms");
        let average = bad * 5 / began;
        assert!((770..830).contains(&average), "{average} ms each");
    }
}
