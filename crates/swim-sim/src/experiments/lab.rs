//! One cluster for a run, and what is read off it.

use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use swim_sim::{Checks, Cluster, Environment, HostIx, Options, Traffic};
use swimmer::{Config, Instant};

use super::progress::Progress;

/// The longest stretch that is simulated without a sign of progress.
const SLICE: Duration = Duration::from_secs(1);

/// A warm cluster, and chance of its own for what is done to it.
pub(crate) struct Lab<'a> {
    pub(crate) cluster: Cluster,
    pub(crate) rng: Xoshiro256PlusPlus,
    progress: &'a Progress,
}

impl<'a> Lab<'a> {
    /// `n` members that know each other, in an environment.
    pub(crate) fn warm(
        config: Config,
        n: u32,
        under: Environment,
        seed: u64,
        progress: &'a Progress,
    ) -> Self {
        let mut lab = Self::empty(config, seed, progress);
        lab.cluster.warm(n);
        lab.cluster.enter(under);
        lab
    }

    /// No member yet.
    pub(crate) fn empty(config: Config, seed: u64, progress: &'a Progress) -> Self {
        let mut options = Options::new(seed, config);
        options.checks = Checks::None;
        let rng = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x6c61_6221);
        Self { cluster: Cluster::new(options), rng, progress }
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, duration: Duration) {
        self.pass_until(self.cluster.now() + duration);
    }

    /// Lets time pass until a moment.
    pub(crate) fn pass_until(&mut self, end: Instant) {
        while self.cluster.now() < end {
            let slice = SLICE.min(end - self.cluster.now());
            self.cluster.run_for(slice).expect("nothing is checked here");
            self.progress.advance(slice);
        }
    }

    /// Lets time pass until `done`, looked at every `every`, for at most `limit`. Returns how long
    /// it took.
    pub(crate) fn pass_until_seen(
        &mut self,
        every: Duration,
        limit: Duration,
        mut done: impl FnMut(&mut Cluster) -> bool,
    ) -> Option<Duration> {
        let began = self.cluster.now();
        loop {
            if done(&mut self.cluster) {
                return Some(self.cluster.now() - began);
            }
            if self.cluster.now() - began >= limit {
                return None;
            }
            self.pass(every);
        }
    }

    /// Up to a second, so that what is done does not fall on the same phase of all periods.
    pub(crate) fn pass_a_random_moment(&mut self) {
        let micros = self.rng.random_range(0..1_000_000);
        self.pass(Duration::from_micros(micros));
    }

    /// So many different hosts.
    pub(crate) fn choose(&mut self, count: u32) -> Vec<HostIx> {
        let mut hosts: Vec<HostIx> = self.cluster.hosts().collect();
        let (chosen, _) = hosts.partial_shuffle(&mut self.rng, count as usize);
        chosen.to_vec()
    }

    /// The sum of something that running nodes count.
    pub(crate) fn sum(&self, count: impl Fn(&swimmer::node::Stats) -> u64) -> u64 {
        let nodes = self.cluster.hosts().filter_map(|ix| self.cluster.node(ix));
        nodes.map(|node| count(&node.stats())).sum()
    }
}

/// The seed of one run: different for each, the same for all variants.
pub(crate) fn seed_of(seed: u64, run: u32) -> u64 {
    (seed ^ u64::from(run) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed
}

/// What was sent in some time, by member and second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rate {
    pub(crate) datagrams: f64,
    pub(crate) bytes: f64,
    pub(crate) exchange_bytes: f64,
}

impl Rate {
    pub(crate) fn of(traffic: Traffic, members: u32, time: Duration) -> Self {
        let per = f64::from(members) * time.as_secs_f64();
        Self {
            datagrams: traffic.datagrams as f64 / per,
            bytes: traffic.datagram_bytes as f64 / per,
            exchange_bytes: traffic.exchange_bytes as f64 / per,
        }
    }

    pub(crate) fn mean(rates: &[Self]) -> Self {
        let mean = |value: fn(&Self) -> f64| mean(rates.iter().map(value));
        Self {
            datagrams: mean(|rate| rate.datagrams),
            bytes: mean(|rate| rate.bytes),
            exchange_bytes: mean(|rate| rate.exchange_bytes),
        }
    }
}

pub(crate) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { 0.0 } else { sum / f64::from(count) }
}

/// The value that so many of 1,000 do not exceed, by nearest rank; `None`: there are no values, or
/// it lies among those that never came.
pub(crate) fn quantile(sorted: &[Option<Duration>], per_mille: usize) -> Option<f64> {
    let rank = (sorted.len() * per_mille).div_ceil(1_000).max(1);
    sorted.get(rank - 1).copied().flatten().map(|value| round(value.as_secs_f64()))
}

/// In rising order; what never came last.
pub(crate) fn sort(values: &mut [Option<Duration>]) {
    values.sort_by_key(|value| value.unwrap_or(Duration::MAX));
}

/// To thousandths, which is finer than anything here is known.
pub(crate) fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_value_of_its_rank_and_none_if_that_never_came() {
        let seconds = |n: u64| Some(Duration::from_secs(n));
        let mut values: Vec<_> = (1..=99).rev().map(seconds).chain([None]).collect();
        sort(&mut values);
        assert_eq!(quantile(&values, 500), Some(50.0));
        assert_eq!(quantile(&values, 990), Some(99.0));
        assert_eq!(quantile(&values, 999), None);
        assert_eq!(quantile(&[], 500), None);
        assert_eq!(quantile(&[seconds(7)], 1), Some(7.0));
    }

    #[test]
    fn runs_have_different_seeds() {
        let seeds: std::collections::BTreeSet<u64> =
            (0..3).flat_map(|seed| (0..100).map(move |run| seed_of(seed, run))).collect();
        assert_eq!(seeds.len(), 300);
    }
}
