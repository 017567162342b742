//! Routines that end and start processes. None of them starts a process that something else has
//! ended.

use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::IndexedRandom;

use crate::cluster::{Cluster, Data, HostIx, Place};
use crate::environment::active::Routine;
use crate::host::Condition;

/// In clusters up to this size, a starting host knows all others.
const SEEDS_MAX: usize = 32;
/// How many times many join at once.
const JOINS_MAX: u32 = 10;

/// The seeds of a starting host. In small clusters all hosts: if most restart at once, two of them
/// with different seeds that are down could never meet.
fn seeds(cluster: &Cluster, but: HostIx) -> Vec<HostIx> {
    let all = cluster.hosts().filter(|&ix| ix != but);
    if cluster.len() as usize <= SEEDS_MAX {
        return all.collect();
    }
    all.filter(|&ix| cluster.is_member(ix)).take(3).collect()
}

fn is_up(cluster: &Cluster, host: HostIx) -> bool {
    cluster.condition(host) != Condition::Down
}

fn start(cluster: &mut Cluster, host: HostIx, data: Data) {
    if !is_up(cluster, host) {
        let seeds = seeds(cluster, host);
        cluster.restart(host, data, Place::Same, &seeds);
    }
}

/// A process that alternately ends and starts.
pub(super) struct Life {
    host: HostIx,
    data: Data,
    /// The times for which it is down, up, and so on.
    times: Vec<Duration>,
    /// Whether the first time follows the last.
    again: bool,
    next: usize,
    /// Whether this routine has ended it.
    stopped: bool,
}

impl Life {
    /// It crashes for good.
    pub(super) fn crash(host: HostIx) -> Self {
        Self::ending(host, Vec::new())
    }

    /// It crashes, is down, up, and so on for these times. It ends with a crash if they are even in
    /// number.
    pub(super) fn ending(host: HostIx, times: Vec<Duration>) -> Self {
        Self { host, data: Data::Kept, times, again: false, next: 0, stopped: false }
    }

    /// It crashes, is down, up, and so on until the environment ends.
    pub(super) fn looping(host: HostIx, data: Data, up: Duration, down: Duration) -> Self {
        let moment = Duration::from_millis(1);
        let times = vec![down.max(moment), up.max(moment)];
        Self { host, data, times, again: true, next: 0, stopped: false }
    }
}

impl Routine for Life {
    fn act(&mut self, cluster: &mut Cluster, _: &mut Xoshiro256PlusPlus) -> Option<Duration> {
        if self.stopped {
            start(cluster, self.host, self.data);
        } else if is_up(cluster, self.host) {
            cluster.crash(self.host);
        } else {
            return None;
        }
        self.stopped = !self.stopped;
        let time = self.times.get(self.next).copied();
        self.next += 1;
        if self.again {
            self.next %= self.times.len();
        }
        time
    }

    /// A looping process is started for the last time.
    fn end(&mut self, cluster: &mut Cluster) {
        if self.stopped && self.again {
            start(cluster, self.host, self.data);
        }
    }
}

/// One process after another ends and starts, in a circle.
pub(super) struct Rolling {
    hosts: Vec<HostIx>,
    at: usize,
    data: Data,
    between: Duration,
    down: Duration,
    /// The host that is down.
    stopped: Option<HostIx>,
}

impl Rolling {
    pub(super) fn new(hosts: Vec<HostIx>, data: Data, between: Duration, down: Duration) -> Self {
        // Not zero, so that time goes on.
        let between = between.max(Duration::from_millis(1));
        Self { hosts, at: 0, data, between, down, stopped: None }
    }
}

impl Routine for Rolling {
    fn act(&mut self, cluster: &mut Cluster, _: &mut Xoshiro256PlusPlus) -> Option<Duration> {
        if let Some(host) = self.stopped.take() {
            start(cluster, host, self.data);
            return Some(self.between);
        }
        let host = *self.hosts.get(self.at)?;
        self.at = (self.at + 1) % self.hosts.len();
        if !is_up(cluster, host) {
            return Some(self.between);
        }
        cluster.crash(host);
        self.stopped = Some(host);
        Some(self.down)
    }

    fn end(&mut self, cluster: &mut Cluster) {
        if let Some(host) = self.stopped.take() {
            start(cluster, host, self.data);
        }
    }
}

/// A process that pauses and goes on some times, and then ends.
pub(super) struct Flaps {
    host: HostIx,
    left: u32,
    still: Duration,
    moving: Duration,
    is_paused: bool,
}

impl Flaps {
    pub(super) fn new(host: HostIx, flaps: u32, still: Duration, moving: Duration) -> Self {
        Self { host, left: flaps, still, moving, is_paused: false }
    }
}

impl Routine for Flaps {
    fn act(&mut self, cluster: &mut Cluster, _: &mut Xoshiro256PlusPlus) -> Option<Duration> {
        if self.is_paused {
            self.end(cluster);
            return Some(self.moving);
        }
        if self.left == 0 {
            if is_up(cluster, self.host) {
                cluster.crash(self.host);
            }
            return None;
        }
        self.left -= 1;
        self.is_paused = true;
        cluster.pause(self.host);
        Some(self.still)
    }

    fn end(&mut self, cluster: &mut Cluster) {
        self.is_paused = false;
        cluster.resume(self.host);
    }
}

/// One process after another ends for good, and each time a new one joins.
pub(super) struct Replacements {
    hosts: Vec<HostIx>,
    every: Duration,
}

impl Replacements {
    pub(super) fn new(hosts: Vec<HostIx>, every: Duration) -> Self {
        Self { hosts, every }
    }
}

impl Routine for Replacements {
    fn act(&mut self, cluster: &mut Cluster, _: &mut Xoshiro256PlusPlus) -> Option<Duration> {
        while let Some(goes) = self.hosts.pop() {
            if is_up(cluster, goes) {
                cluster.crash(goes);
                break;
            }
        }
        let comes = cluster.add();
        let seeds = seeds(cluster, comes);
        cluster.start(comes, &seeds);
        (!self.hosts.is_empty()).then_some(self.every)
    }
}

/// Many processes join at once, some times.
pub(super) struct Joins {
    count: u32,
    left: u32,
}

impl Joins {
    pub(super) fn new(count: u32) -> Self {
        Self { count, left: JOINS_MAX }
    }
}

impl Routine for Joins {
    fn act(&mut self, cluster: &mut Cluster, rng: &mut Xoshiro256PlusPlus) -> Option<Duration> {
        let members: Vec<HostIx> = cluster.hosts().filter(|&ix| cluster.is_member(ix)).collect();
        let seed = members.choose(rng).copied();
        for _ in 0..self.count {
            let comes = cluster.add();
            cluster.start(comes, seed.as_slice());
        }
        self.left -= 1;
        (self.left > 0).then_some(Duration::from_secs(60))
    }
}
