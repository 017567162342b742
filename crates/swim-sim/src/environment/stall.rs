//! Environments in which processes stop for a while, or neither send nor receive.

use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;

use super::active::{Range, Routine};
use super::{Entry, Parameter, Setup};
use crate::cluster::{Cluster, HostIx};
use crate::host::Condition;

const MEMBERS: Parameter = Parameter::percent("the percentage of members", 50);

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "slow-sync",
        parameters: &[MEMBERS],
        about: "some members pause for 2.5 s, then run for 1 s, all at the same moments",
        begin: |setup| {
            in_step(setup, Still::Paused, Range::millis(2_500, 2_500), Range::millis(1_000, 1_000))
        },
    },
    Entry {
        name: "slow-random",
        parameters: &[MEMBERS],
        about: "some members pause for 1 to 3 s, then run for 1 to 2 s, each by itself",
        begin: |setup| {
            each(setup, Still::Paused, Range::millis(1_000, 3_000), Range::millis(1_000, 2_000));
        },
    },
    Entry {
        name: "block-sync",
        parameters: &[MEMBERS],
        about: "some members send and receive nothing for 3 s of 6 s, all at the same moments",
        begin: |setup| {
            in_step(setup, Still::Blocked, Range::millis(3_000, 3_000), Range::millis(3_000, 3_000))
        },
    },
    Entry {
        name: "block-random",
        parameters: &[MEMBERS],
        about: "some members send and receive nothing for 3 s, then work for 1 to 5 s, each by itself",
        begin: |setup| {
            each(setup, Still::Blocked, Range::millis(3_000, 3_000), Range::millis(1_000, 5_000));
        },
    },
    Entry {
        name: "starved",
        parameters: &[MEMBERS],
        about: "some members get no CPU for 0.2 to 3 s, then some for 0.1 to 1 s, each by itself",
        begin: |setup| {
            each(setup, Still::Paused, Range::millis(200, 3_000), Range::millis(100, 1_000));
        },
    },
    Entry {
        name: "gc",
        parameters: &[
            Parameter::percent("the percentage of members", 5),
            Parameter::seconds("the longest pause in seconds", 5_000),
        ],
        about: "some members pause for a tenth of the longest time up to all of it, after 5 to 15 s",
        begin: |setup| {
            let max = setup.environment.span(1);
            let still = Range { min: max / 10, max };
            each(setup, Still::Paused, still, Range::millis(5_000, 15_000));
        },
    },
    Entry {
        name: "rack",
        parameters: &[
            Parameter::seconds("the pause in seconds", 3_000),
            Parameter::percent("the percentage of members", 10),
        ],
        about: "some members pause together, again and again, 10 s apart",
        begin: |setup| {
            let hosts = setup.stall(setup.environment.per_mille(1));
            let pause = setup.environment.span(0);
            let (still, moving) = (Range { min: pause, max: pause }, Range::millis(10_000, 10_000));
            let stalls = Stalls { hosts, how: Still::Paused, still, moving, are_stalled: false };
            setup.routine(Duration::from_secs(2), stalls);
        },
    },
    Entry {
        name: "migration",
        parameters: &[Parameter::seconds("the pause in seconds", 5_000)],
        about: "one member after another pauses, 0.5 s apart, as in live migration",
        begin: |setup| {
            let (hosts, pause) = (setup.stall(1_000), setup.environment.span(0));
            let (at, moves) = (0, None);
            setup.routine(Duration::from_secs(2), Migration { hosts, at, moves, pause });
        },
    },
];

/// What a stall does to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Still {
    /// It stops, with its timers.
    Paused,
    /// It runs, but neither sends nor receives.
    Blocked,
}

/// Some hosts stall at the same moments.
fn in_step(setup: &mut Setup<'_>, how: Still, still: Range, moving: Range) {
    let hosts = setup.stall(setup.environment.per_mille(0));
    let first = moving.draw(&mut setup.rng);
    setup.routine(first, Stalls { hosts, how, still, moving, are_stalled: false });
}

/// Some hosts stall, each by itself.
fn each(setup: &mut Setup<'_>, how: Still, still: Range, moving: Range) {
    for host in setup.stall(setup.environment.per_mille(0)) {
        let whole = Range { min: Duration::ZERO, max: still.max + moving.max };
        let first = whole.draw(&mut setup.rng);
        setup.routine(first, Stalls { hosts: vec![host], how, still, moving, are_stalled: false });
    }
}

/// Hosts that stall and go on together, alternately.
struct Stalls {
    hosts: Vec<HostIx>,
    how: Still,
    still: Range,
    moving: Range,
    are_stalled: bool,
}

impl Routine for Stalls {
    fn act(&mut self, cluster: &mut Cluster, rng: &mut Xoshiro256PlusPlus) -> Option<Duration> {
        self.are_stalled = !self.are_stalled;
        if !self.are_stalled {
            self.end(cluster);
            return Some(self.moving.draw(rng));
        }
        self.hosts.iter().for_each(|&ix| self.how.begin(cluster, ix));
        Some(self.still.draw(rng))
    }

    fn end(&mut self, cluster: &mut Cluster) {
        self.hosts.iter().for_each(|&ix| cluster.resume(ix));
    }
}

impl Still {
    fn begin(self, cluster: &mut Cluster, ix: HostIx) {
        if cluster.condition(ix) != Condition::Running {
            return;
        }
        match self {
            Self::Paused => cluster.pause(ix),
            Self::Blocked => cluster.block(ix),
        }
    }
}

/// One host after another pauses, in a circle.
struct Migration {
    hosts: Vec<HostIx>,
    at: usize,
    /// The host that pauses now.
    moves: Option<HostIx>,
    pause: Duration,
}

impl Routine for Migration {
    fn act(&mut self, cluster: &mut Cluster, _: &mut Xoshiro256PlusPlus) -> Option<Duration> {
        if self.moves.is_some() {
            self.end(cluster);
            return Some(Duration::from_millis(500));
        }
        let host = *self.hosts.get(self.at)?;
        self.at = (self.at + 1) % self.hosts.len();
        Still::Paused.begin(cluster, host);
        self.moves = Some(host);
        Some(self.pause)
    }

    fn end(&mut self, cluster: &mut Cluster) {
        if let Some(host) = self.moves.take() {
            cluster.resume(host);
        }
    }
}
