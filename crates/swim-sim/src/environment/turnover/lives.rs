//! What becomes of processes: they end and start by turns, one after another, or for good. A host
//! that something else has stopped is left alone.

use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::IndexedRandom;

use crate::cluster::{Cluster, Data, HostIx, Place};
use crate::environment::course::Routine;
use crate::host::Condition;

/// Hosts that a starting one knows.
const SEEDS_MAX: usize = 32;
/// How often many join at once.
const JOINS_MAX: u32 = 10;

/// The hosts that are likely to be known to one that starts. In small clusters all of them: two of
/// which nobody knows the other would never meet.
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

/// One process that ends and starts by turns.
pub(super) struct Life {
    host: HostIx,
    data: Data,
    /// How long it is down, up, and so on.
    times: Vec<Duration>,
    /// After the last of them the first again, or never anything.
    again: bool,
    next: usize,
    /// Whether it is this that has stopped it.
    stopped: bool,
}

impl Life {
    /// It crashes for good.
    pub(super) fn crash(host: HostIx) -> Self {
        Self::ending(host, Vec::new())
    }

    /// It crashes, is down, up, and so on for these times, and crashes for good.
    pub(super) fn ending(host: HostIx, times: Vec<Duration>) -> Self {
        Self { host, data: Data::Kept, times, again: false, next: 0, stopped: false }
    }

    /// It crashes, is down, up, and so on for ever.
    pub(super) fn looping(host: HostIx, data: Data, up: Duration, down: Duration) -> Self {
        let moment = Duration::from_millis(1);
        let times = vec![down.max(moment), up.max(moment)];
        Self { host, data, times, again: true, next: 0, stopped: false }
    }
}

impl Routine for Life {
    fn turn(&mut self, cluster: &mut Cluster, _: &mut Xoshiro256PlusPlus) -> Option<Duration> {
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

    /// One that loops is started for the last time.
    fn end(&mut self, cluster: &mut Cluster) {
        if self.stopped && self.again {
            start(cluster, self.host, self.data);
        }
    }
}

/// One member after another ends, and starts.
pub(super) struct Rolling {
    hosts: Vec<HostIx>,
    at: usize,
    data: Data,
    between: Duration,
    down: Duration,
    /// The one that is down.
    stopped: Option<HostIx>,
}

impl Rolling {
    pub(super) fn new(hosts: Vec<HostIx>, data: Data, between: Duration, down: Duration) -> Self {
        // Time must go on.
        let between = between.max(Duration::from_millis(1));
        Self { hosts, at: 0, data, between, down, stopped: None }
    }
}

impl Routine for Rolling {
    fn turn(&mut self, cluster: &mut Cluster, _: &mut Xoshiro256PlusPlus) -> Option<Duration> {
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

/// One process that stands still and goes on for some times, and then ends.
pub(super) struct Flaps {
    host: HostIx,
    left: u32,
    still: Duration,
    moving: Duration,
    stands: bool,
}

impl Flaps {
    pub(super) fn new(host: HostIx, flaps: u32, still: Duration, moving: Duration) -> Self {
        Self { host, left: flaps, still, moving, stands: false }
    }
}

impl Routine for Flaps {
    fn turn(&mut self, cluster: &mut Cluster, _: &mut Xoshiro256PlusPlus) -> Option<Duration> {
        if self.stands {
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
        self.stands = true;
        cluster.pause(self.host);
        Some(self.still)
    }

    fn end(&mut self, cluster: &mut Cluster) {
        self.stands = false;
        cluster.resume(self.host);
    }
}

/// One member after another ends for good, each as a new one joins.
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
    fn turn(&mut self, cluster: &mut Cluster, _: &mut Xoshiro256PlusPlus) -> Option<Duration> {
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

/// Many join at once, a few times.
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
    fn turn(&mut self, cluster: &mut Cluster, rng: &mut Xoshiro256PlusPlus) -> Option<Duration> {
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
