//! Environments in which processes stand still, or can neither send nor receive, for a while.

use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;

use super::course::{Range, Routine};
use super::{Draft, Entry, Parameter};
use crate::cluster::{Cluster, HostIx};
use crate::host::Condition;

const MEMBERS: Parameter = Parameter::percent("the percentage of members", 50);

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "slow-sync",
        parameters: &[MEMBERS],
        about: "some members stand still for 2.5 s, then go on for 1 s, all at the same moments",
        begin: |draft| {
            in_step(draft, Still::Paused, Range::millis(2_500, 2_500), Range::millis(1_000, 1_000))
        },
    },
    Entry {
        name: "slow-random",
        parameters: &[MEMBERS],
        about: "some members stand still for 1 to 3 s, then go on for 1 to 2 s, each by itself",
        begin: |draft| {
            each(draft, Still::Paused, Range::millis(1_000, 3_000), Range::millis(1_000, 2_000));
        },
    },
    Entry {
        name: "block-sync",
        parameters: &[MEMBERS],
        about: "some members send and receive nothing for 3 s of 6 s, all at the same moments",
        begin: |draft| {
            in_step(draft, Still::Blocked, Range::millis(3_000, 3_000), Range::millis(3_000, 3_000))
        },
    },
    Entry {
        name: "block-random",
        parameters: &[MEMBERS],
        about: "some members send and receive nothing for 3 s, then work for 1 to 5 s, each by itself",
        begin: |draft| {
            each(draft, Still::Blocked, Range::millis(3_000, 3_000), Range::millis(1_000, 5_000));
        },
    },
    Entry {
        name: "starved",
        parameters: &[MEMBERS],
        about: "some members get no CPU for 0.2 to 3 s, then some for 0.1 to 1 s, each by itself",
        begin: |draft| {
            each(draft, Still::Paused, Range::millis(200, 3_000), Range::millis(100, 1_000));
        },
    },
    Entry {
        name: "gc",
        parameters: &[
            Parameter::percent("the percentage of members", 5),
            Parameter::seconds("the longest pause in seconds", 5_000),
        ],
        about: "some members pause, each for up to so long every 5 to 15 s, as garbage collectors do",
        begin: |draft| {
            let max = draft.environment.span(1);
            let still = Range { min: max / 10, max };
            each(draft, Still::Paused, still, Range::millis(5_000, 15_000));
        },
    },
    Entry {
        name: "rack",
        parameters: &[
            Parameter::seconds("the pause in seconds", 3_000),
            Parameter::percent("the percentage of members", 10),
        ],
        about: "some members pause together, again 10 s after they went on",
        begin: |draft| {
            let hosts = draft.stall(draft.environment.per_mille(1));
            let pause = draft.environment.span(0);
            let (still, moving) = (Range { min: pause, max: pause }, Range::millis(10_000, 10_000));
            let stalls = Stalls { hosts, how: Still::Paused, still, moving, stands: false };
            draft.routine(Duration::from_secs(2), stalls);
        },
    },
    Entry {
        name: "migration",
        parameters: &[Parameter::seconds("the pause in seconds", 5_000)],
        about: "one member after another pauses, 0.5 s between two, as virtual machines that move",
        begin: |draft| {
            let (hosts, pause) = (draft.stall(1_000), draft.environment.span(0));
            let (at, moves) = (0, None);
            draft.routine(Duration::from_secs(2), Migration { hosts, at, moves, pause });
        },
    },
];

/// How a process stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Still {
    /// Its timers too.
    Paused,
    /// Nothing goes in or out.
    Blocked,
}

/// Some stand still at the same moments.
fn in_step(draft: &mut Draft<'_>, how: Still, still: Range, moving: Range) {
    let hosts = draft.stall(draft.environment.per_mille(0));
    let first = moving.draw(&mut draft.rng);
    draft.routine(first, Stalls { hosts, how, still, moving, stands: false });
}

/// Some stand still, each for itself.
fn each(draft: &mut Draft<'_>, how: Still, still: Range, moving: Range) {
    for host in draft.stall(draft.environment.per_mille(0)) {
        let whole = Range { min: Duration::ZERO, max: still.max + moving.max };
        let first = whole.draw(&mut draft.rng);
        draft.routine(first, Stalls { hosts: vec![host], how, still, moving, stands: false });
    }
}

/// Hosts that stand still and go on by turns, together.
struct Stalls {
    hosts: Vec<HostIx>,
    how: Still,
    still: Range,
    moving: Range,
    stands: bool,
}

impl Routine for Stalls {
    fn turn(&mut self, cluster: &mut Cluster, rng: &mut Xoshiro256PlusPlus) -> Option<Duration> {
        self.stands = !self.stands;
        if !self.stands {
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

/// One host after another pauses.
struct Migration {
    hosts: Vec<HostIx>,
    at: usize,
    /// The one that pauses now.
    moves: Option<HostIx>,
    pause: Duration,
}

impl Routine for Migration {
    fn turn(&mut self, cluster: &mut Cluster, _: &mut Xoshiro256PlusPlus) -> Option<Duration> {
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
