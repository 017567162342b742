//! An environment that goes on: what it does to hosts over time, and which of them are not
//! healthy in it.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::Environment;
use super::packet::{Air, Judge};
use crate::cluster::{Cluster, HostIx};

/// How well a running host is in its environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// It is neither of the others.
    Healthy,
    /// The environment pauses, blocks or slows its process, be it now or at another time.
    Stalled,
    /// Its links are worse than uniform loss.
    BadlyLinked,
}

/// Something that is done to hosts again and again.
pub(crate) trait Routine: Send {
    /// Does what is due now. Returns how long until the next time; `None`: never again.
    fn turn(&mut self, cluster: &mut Cluster, rng: &mut Xoshiro256PlusPlus) -> Option<Duration>;

    /// Undoes what would last beyond the environment.
    fn end(&mut self, _cluster: &mut Cluster) {}
}

/// What an environment does to hosts, and which of them are not healthy.
pub(crate) struct Course {
    /// Tells the turns of this course from those of earlier ones.
    number: u32,
    routines: Vec<Box<dyn Routine>>,
    patients: Patients,
    rng: Xoshiro256PlusPlus,
}

/// Hosts that are not healthy.
#[derive(Clone, Debug, Default)]
struct Patients {
    stalled: BTreeSet<u32>,
    badly_linked: BTreeSet<u32>,
}

impl Course {
    /// Which course of its cluster it is.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// How well a host is while it runs.
    pub(crate) fn health(&self, host: u32) -> Health {
        if self.patients.stalled.contains(&host) {
            Health::Stalled
        } else if self.patients.badly_linked.contains(&host) {
            Health::BadlyLinked
        } else {
            Health::Healthy
        }
    }

    pub(crate) fn turn(&mut self, routine: u32, cluster: &mut Cluster) -> Option<Duration> {
        self.routines.get_mut(routine as usize)?.turn(cluster, &mut self.rng)
    }

    pub(crate) fn end(&mut self, cluster: &mut Cluster) {
        self.routines.iter_mut().for_each(|routine| routine.end(cluster));
    }
}

/// An environment that is being set up.
pub(crate) struct Draft<'a> {
    /// Its name and parameters.
    pub(super) environment: Environment,
    /// What it is set up for.
    pub(super) cluster: &'a Cluster,
    pub(super) rng: Xoshiro256PlusPlus,
    judges: Vec<Box<dyn Judge>>,
    routines: Vec<(Duration, Box<dyn Routine>)>,
    patients: Patients,
}

/// An environment as it is set up: its network, its hosts, and when its routines have their first
/// turns.
pub(crate) struct Drafted {
    pub(crate) air: Air,
    pub(crate) course: Course,
    pub(crate) first_turns: Vec<Duration>,
}

impl<'a> Draft<'a> {
    /// Sets an environment up for a cluster as it is now.
    pub(crate) fn draw(environment: Environment, cluster: &'a Cluster, number: u32) -> Drafted {
        let seed = cluster.seed() ^ 0x656e_7669_726f_6e00 ^ u64::from(number);
        let rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut draft = Self {
            environment,
            cluster,
            rng,
            judges: Vec::new(),
            routines: Vec::new(),
            patients: Patients::default(),
        };
        environment.begin(&mut draft);
        let Self { judges, routines, patients, mut rng, .. } = draft;
        let air = Air::new(judges, Xoshiro256PlusPlus::seed_from_u64(rng.random()));
        let (first_turns, routines) = routines.into_iter().unzip();
        let course = Course { number, routines, patients, rng };
        Drafted { air, course, first_turns }
    }

    /// All hosts that run, in a random order.
    pub(super) fn shuffled(&mut self) -> Vec<HostIx> {
        let mut hosts: Vec<HostIx> =
            self.cluster.hosts().filter(|&ix| self.cluster.is_member(ix)).collect();
        hosts.shuffle(&mut self.rng);
        hosts
    }

    /// So many of 1,000 hosts that run, drawn by chance; at least one of them if any are wanted.
    pub(super) fn choose(&mut self, per_mille: u32) -> Vec<HostIx> {
        let mut hosts = self.shuffled();
        let wanted = (hosts.len() * per_mille as usize + 500) / 1_000;
        hosts.truncate(if per_mille > 0 { wanted.max(1) } else { 0 });
        hosts
    }

    /// The same, whose processes will be stopped or slowed.
    pub(super) fn stall(&mut self, per_mille: u32) -> Vec<HostIx> {
        let hosts = self.choose(per_mille);
        self.patients.stalled.extend(hosts.iter().map(|ix| ix.0));
        hosts
    }

    /// The same, whose links will be worse than uniform loss.
    pub(super) fn link_badly(&mut self, per_mille: u32) -> BTreeSet<u32> {
        let hosts: BTreeSet<u32> = self.choose(per_mille).iter().map(|ix| ix.0).collect();
        self.patients.badly_linked.extend(&hosts);
        hosts
    }

    /// All hosts will have links that are worse than uniform loss.
    pub(super) fn link_all_badly(&mut self) {
        self.patients.badly_linked.extend(self.cluster.hosts().map(|ix| ix.0));
    }

    /// Judges all packets.
    pub(super) fn judge(&mut self, judge: impl Judge + 'static) {
        self.judges.push(Box::new(judge));
    }

    /// Does something to hosts, the first time after so long.
    pub(super) fn routine(&mut self, after: Duration, routine: impl Routine + 'static) {
        self.routines.push((after, Box::new(routine)));
    }
}

/// Any time between two.
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
