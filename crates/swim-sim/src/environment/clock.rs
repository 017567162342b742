//! Environments in which wall clocks are wrong. Members with wrong clocks are healthy.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use super::active::{Range, Routine};
use super::{Entry, Parameter, Setup};
use crate::cluster::{Cluster, HostIx};

const ALL: Parameter = Parameter::percent("the percentage of members", 100);
const STEP: Parameter = Parameter::seconds("the largest step in seconds", 2_000);
const EVERY: Parameter = Parameter::seconds("the time between two steps in seconds", 5_000);

/// The rates of a clock that stands still, and of one at half speed.
const STANDS_PPM: i64 = -1_000_000;
const HALF_PPM: i64 = -500_000;

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "clock-off",
        parameters: &[Parameter::seconds("the largest error in seconds", 30_000), ALL],
        about: "wall clocks are wrong, in either direction",
        begin: |setup| {
            let (hosts, max) = (choose(setup, 1), setup.environment.span(0));
            setup.routine(Duration::ZERO, Steps { hosts, max, sign: Sign::Any, every: None });
        },
    },
    Entry {
        name: "clock-drift",
        parameters: &[Parameter::percent("the largest error of the rate in percent", 5), ALL],
        about: "wall clocks are fast or slow",
        begin: |setup| {
            let (hosts, max) =
                (choose(setup, 1), i64::from(setup.environment.per_mille(0)) * 1_000);
            let rng = &mut setup.rng;
            let rates = hosts.into_iter().map(|ix| (ix, rng.random_range(-max..=max))).collect();
            setup.routine(Duration::ZERO, Rates { rates });
        },
    },
    Entry {
        name: "clock-steps",
        parameters: &[STEP, EVERY],
        about: "each wall clock is set forward or back again and again, each by itself",
        begin: |setup| steps(setup, Sign::Any),
    },
    Entry {
        name: "clock-steps-forward",
        parameters: &[STEP, EVERY],
        about: "each wall clock is set forward again and again, each by itself",
        begin: |setup| steps(setup, Sign::Forward),
    },
    Entry {
        name: "clock-steps-back",
        parameters: &[STEP, EVERY],
        about: "each wall clock is set back again and again, each by itself",
        begin: |setup| steps(setup, Sign::Back),
    },
    Entry {
        name: "clock-step-all",
        parameters: &[STEP, EVERY],
        about: "all wall clocks are set at the same moments, each by another step",
        begin: |setup| {
            let (hosts, every) = (setup.choose(1_000), setup.environment.span(1));
            let max = setup.environment.span(0);
            setup.routine(every, Steps { hosts, max, sign: Sign::Any, every: Some(every) });
        },
    },
    Entry {
        name: "wall-frozen",
        parameters: &[Parameter::percent("the percentage of members", 33)],
        about: "wall clocks stand still",
        begin: |setup| rate(setup, STANDS_PPM),
    },
    Entry {
        name: "wall-half",
        parameters: &[ALL],
        about: "wall clocks go at half speed",
        begin: |setup| rate(setup, HALF_PPM),
    },
];

fn choose(setup: &mut Setup<'_>, parameter: usize) -> Vec<HostIx> {
    setup.choose(setup.environment.per_mille(parameter))
}

fn rate(setup: &mut Setup<'_>, ppm: i64) {
    let rates = choose(setup, 0).into_iter().map(|ix| (ix, ppm)).collect();
    setup.routine(Duration::ZERO, Rates { rates });
}

fn steps(setup: &mut Setup<'_>, sign: Sign) {
    let (max, every) = (setup.environment.span(0), setup.environment.span(1));
    for host in setup.choose(1_000) {
        let first = Range { min: Duration::ZERO, max: every }.draw(&mut setup.rng);
        setup.routine(first, Steps { hosts: vec![host], max, sign, every: Some(every) });
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Any,
    Forward,
    Back,
}

/// Wall clocks that are set, once or repeatedly.
struct Steps {
    hosts: Vec<HostIx>,
    max: Duration,
    sign: Sign,
    every: Option<Duration>,
}

impl Routine for Steps {
    fn act(&mut self, cluster: &mut Cluster, rng: &mut Xoshiro256PlusPlus) -> Option<Duration> {
        let max = self.max.as_micros() as i64;
        let (least, most) = match self.sign {
            Sign::Any => (-max, max),
            Sign::Forward => (0, max),
            Sign::Back => (-max, 0),
        };
        for &ix in &self.hosts {
            cluster.step_wall_clock(ix, rng.random_range(least..=most));
        }
        // Not zero, so that time goes on.
        self.every.map(|every| every.max(Duration::from_millis(1)))
    }
}

/// Wall clocks that go too fast or too slow.
struct Rates {
    rates: Vec<(HostIx, i64)>,
}

impl Routine for Rates {
    fn act(&mut self, cluster: &mut Cluster, _: &mut Xoshiro256PlusPlus) -> Option<Duration> {
        self.rates.iter().for_each(|&(ix, ppm)| cluster.set_wall_clock_rate(ix, ppm));
        None
    }

    fn end(&mut self, cluster: &mut Cluster) {
        self.rates.iter().for_each(|&(ix, _)| cluster.set_wall_clock_rate(ix, 0));
    }
}
