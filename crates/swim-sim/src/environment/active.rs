//! An environment in progress: the routines that it runs on hosts, and the hosts that it afflicts.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use crate::cluster::Cluster;

/// The health of a running host in its environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// It is neither of the others.
    Healthy,
    /// The environment pauses, blocks or slows its process, now or at another time.
    Stalled,
    /// Its links are worse than uniform loss.
    BadlyLinked,
}

/// Something that an environment does to hosts, repeatedly.
pub(crate) trait Routine: Send {
    /// Does what is due now. Returns the time until the next call; `None`: there is none.
    fn act(&mut self, cluster: &mut Cluster, rng: &mut Xoshiro256PlusPlus) -> Option<Duration>;

    /// The environment ends: undoes what would outlast it.
    fn end(&mut self, _cluster: &mut Cluster) {}
}

/// An environment in progress.
pub(crate) struct Active {
    /// Distinguishes its events in the queue from those of earlier environments.
    number: u32,
    routines: Vec<Box<dyn Routine>>,
    afflicted: Afflicted,
    rng: Xoshiro256PlusPlus,
}

/// Hosts that are not healthy.
#[derive(Clone, Debug, Default)]
pub(super) struct Afflicted {
    pub(super) stalled: BTreeSet<u32>,
    pub(super) badly_linked: BTreeSet<u32>,
}

impl Active {
    pub(super) fn new(
        number: u32,
        routines: Vec<Box<dyn Routine>>,
        afflicted: Afflicted,
        rng: Xoshiro256PlusPlus,
    ) -> Self {
        Self { number, routines, afflicted, rng }
    }

    /// Its number among the environments of its cluster.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    pub(crate) fn health(&self, host: u32) -> Health {
        if self.afflicted.stalled.contains(&host) {
            Health::Stalled
        } else if self.afflicted.badly_linked.contains(&host) {
            Health::BadlyLinked
        } else {
            Health::Healthy
        }
    }

    /// Runs one of its routines. Returns the time until that one runs again.
    pub(crate) fn act(&mut self, routine: u32, cluster: &mut Cluster) -> Option<Duration> {
        self.routines.get_mut(routine as usize)?.act(cluster, &mut self.rng)
    }

    pub(crate) fn end(&mut self, cluster: &mut Cluster) {
        self.routines.iter_mut().for_each(|routine| routine.end(cluster));
    }
}

/// A time between two, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) min: Duration,
    pub(super) max: Duration,
}

impl Range {
    pub(super) const fn millis(min: u64, max: u64) -> Self {
        Self { min: Duration::from_millis(min), max: Duration::from_millis(max) }
    }

    pub(super) fn draw(self, rng: &mut Xoshiro256PlusPlus) -> Duration {
        let micros = |time: Duration| time.as_micros() as u64;
        Duration::from_micros(rng.random_range(micros(self.min)..=micros(self.max.max(self.min))))
    }
}
