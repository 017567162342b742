//! How an environment is set up: it chooses hosts, judges of packets and routines.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::Environment;
use super::active::{Active, Afflicted, Routine};
use super::packet::{Judge, Judges};
use crate::cluster::{Cluster, HostIx};

/// An environment that is being set up for a cluster.
pub(crate) struct Setup<'a> {
    pub(super) environment: Environment,
    pub(super) rng: Xoshiro256PlusPlus,
    cluster: &'a Cluster,
    judges: Vec<Box<dyn Judge>>,
    routines: Vec<(Duration, Box<dyn Routine>)>,
    afflicted: Afflicted,
}

/// An environment that has been set up.
pub(crate) struct Prepared {
    pub(crate) judges: Judges,
    pub(crate) active: Active,
    /// The time until each routine runs for the first time.
    pub(crate) first: Vec<Duration>,
}

impl<'a> Setup<'a> {
    /// Sets up an environment for the hosts that a cluster has now.
    pub(crate) fn prepare(environment: Environment, cluster: &'a Cluster, number: u32) -> Prepared {
        let seed = cluster.seed() ^ 0x656e_7669_726f_6e00 ^ u64::from(number);
        let mut setup = Self {
            environment,
            rng: Xoshiro256PlusPlus::seed_from_u64(seed),
            cluster,
            judges: Vec::new(),
            routines: Vec::new(),
            afflicted: Afflicted::default(),
        };
        environment.begin(&mut setup);
        let Self { judges, routines, afflicted, mut rng, .. } = setup;
        let judges = Judges::new(judges, Xoshiro256PlusPlus::seed_from_u64(rng.random()));
        let (first, routines) = routines.into_iter().unzip();
        Prepared { judges, active: Active::new(number, routines, afflicted, rng), first }
    }

    /// Chooses this share of the running hosts, at least one unless the share is 0.
    pub(super) fn choose(&mut self, per_mille: u32) -> Vec<HostIx> {
        let mut hosts: Vec<HostIx> =
            self.cluster.hosts().filter(|&ix| self.cluster.is_member(ix)).collect();
        hosts.shuffle(&mut self.rng);
        let wanted = (hosts.len() * per_mille as usize + 500) / 1_000;
        hosts.truncate(if per_mille > 0 { wanted.max(1) } else { 0 });
        hosts
    }

    /// Chooses hosts whose processes the environment will pause, block or slow.
    pub(super) fn stall(&mut self, per_mille: u32) -> Vec<HostIx> {
        let hosts = self.choose(per_mille);
        self.afflicted.stalled.extend(hosts.iter().map(|ix| ix.0));
        hosts
    }

    /// Chooses hosts whose links will be worse than uniform loss.
    pub(super) fn link_badly(&mut self, per_mille: u32) -> BTreeSet<u32> {
        let hosts: BTreeSet<u32> = self.choose(per_mille).iter().map(|ix| ix.0).collect();
        self.afflicted.badly_linked.extend(&hosts);
        hosts
    }

    /// All hosts will have links that are worse than uniform loss.
    pub(super) fn link_all_badly(&mut self) {
        self.afflicted.badly_linked.extend(self.cluster.hosts().map(|ix| ix.0));
    }

    /// Adds a judge of all packets.
    pub(super) fn judge(&mut self, judge: impl Judge + 'static) {
        self.judges.push(Box::new(judge));
    }

    /// Adds a routine, which runs for the first time after this time.
    pub(super) fn routine(&mut self, after: Duration, routine: impl Routine + 'static) {
        self.routines.push((after, Box::new(routine)));
    }
}
