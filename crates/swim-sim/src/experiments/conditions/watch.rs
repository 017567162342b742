//! What is seen in one run.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use swim_sim::{Health, HostIx, Meter, Observation, Seen};
use swimmer::{Instant, NodeId};

use super::EVERY;
use crate::experiments::lab::Lab;

/// A member whose process has ended, and who knows.
#[derive(Clone, Debug)]
struct Crash {
    subject: NodeId,
    at: Instant,
    first: Option<Instant>,
    last: Option<Instant>,
    /// Members that held it present then, have run since, and have not held it dead yet.
    waiting: BTreeSet<HostIx>,
}

/// When a crash was known, counted from it; `None`: not in the time for which it was watched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) first: Option<Duration>,
    pub(super) full: Option<Duration>,
}

/// Changes to dead of members that ran, one for each observer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FalseDeaths {
    pub(super) all: u64,
    pub(super) own: u64,
    pub(super) healthy: u64,
    pub(super) stalled: u64,
    /// How many members anybody held dead.
    pub(super) members: u64,
    /// How many healthy ones.
    pub(super) healthy_members: u64,
}

/// What one run has shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) samples: Vec<Sample>,
    /// Crashes of which at the end some member did not hold the victim dead.
    pub(super) unknown: u64,
    pub(super) deaths: FalseDeaths,
    pub(super) suspicions: u64,
    pub(super) refuted: u64,
    /// Seconds that members ran, all together.
    pub(super) member_seconds: f64,
    pub(super) seconds: f64,
    pub(super) datagrams: u64,
    pub(super) bytes: u64,
    pub(super) exchange_bytes: u64,
    pub(super) meter: Meter,
    /// What nodes that ran all the time have counted meanwhile, by member and second.
    pub(super) counters: BTreeMap<&'static str, f64>,
    pub(super) agreed: Option<Duration>,
}

/// The counts of the node on a host, and which one it is.
type Counted = HashMap<HostIx, (NodeId, BTreeMap<&'static str, u64>)>;

/// Looks on.
pub(super) struct Watch {
    began: Instant,
    /// What is seen still counts, other than of crashes.
    counts: bool,
    crashes: Vec<Crash>,
    dead: BTreeMap<NodeId, Health>,
    hosts: HashMap<NodeId, HostIx>,
    before: Counted,
    found: Found,
}

impl Watch {
    pub(super) fn begin(lab: &mut Lab<'_>) -> Self {
        lab.cluster.take_observations();
        lab.cluster.reset_traffic();
        lab.cluster.start_meter();
        let cluster = &lab.cluster;
        Self {
            began: cluster.now(),
            counts: true,
            crashes: Vec::new(),
            dead: BTreeMap::new(),
            hosts: cluster.hosts().map(|ix| (cluster.id(ix), ix)).collect(),
            before: counted(lab),
            found: Found::default(),
        }
    }

    pub(super) fn pass_until(&mut self, lab: &mut Lab<'_>, end: Instant) {
        while lab.cluster.now() < end {
            let slice = EVERY.min(end - lab.cluster.now());
            let members = lab.cluster.hosts().filter(|&ix| lab.cluster.is_member(ix)).count();
            lab.pass(slice);
            if self.counts {
                self.found.member_seconds += members as f64 * slice.as_secs_f64();
            }
            for seen in lab.cluster.take_observations() {
                self.on_observation(lab, &seen);
            }
        }
    }

    pub(super) fn crash(&mut self, lab: &mut Lab<'_>, victim: HostIx) {
        for crash in &mut self.crashes {
            crash.waiting.remove(&victim);
        }
        let cluster = &mut lab.cluster;
        let others = cluster.hosts().filter(|&ix| ix != victim && cluster.is_member(ix));
        let present =
            |&ix: &HostIx| cluster.sees(ix, victim).is_some_and(swimmer::State::is_present);
        let waiting = others.filter(present).collect();
        let (subject, at) = (cluster.id(victim), cluster.now());
        self.crashes.push(Crash { subject, at, first: None, last: None, waiting });
        cluster.crash(victim);
    }

    fn on_observation(&mut self, lab: &Lab<'_>, seen: &Observation) {
        match seen.change {
            Seen::Suspected => self.found.suspicions += u64::from(self.counts),
            Seen::Down { own } => self.on_down(lab, seen, own),
            _ => {}
        }
    }

    fn on_down(&mut self, lab: &Lab<'_>, seen: &Observation, own: bool) {
        let of = |crash: &&mut Crash| crash.subject == seen.subject;
        if let Some(crash) = self.crashes.iter_mut().find(of) {
            if crash.waiting.remove(&seen.observer) {
                crash.first.get_or_insert(seen.at);
                crash.last = Some(seen.at);
            }
            return;
        }
        let Some(&host) = self.hosts.get(&seen.subject) else { return };
        if !self.counts || !lab.cluster.is_member(host) {
            return;
        }
        let health = lab.cluster.health(host);
        let deaths = &mut self.found.deaths;
        deaths.all += 1;
        deaths.own += u64::from(own);
        deaths.healthy += u64::from(health == Health::Healthy);
        deaths.stalled += u64::from(health == Health::Stalled);
        self.dead.insert(seen.subject, health);
    }

    /// Whether all crashes are known to all.
    pub(super) fn all_know(&self) -> bool {
        self.crashes.iter().all(|crash| crash.waiting.is_empty())
    }

    /// From now on only crashes are watched.
    pub(super) fn stop_counting(&mut self, lab: &mut Lab<'_>) {
        self.counts = false;
        let time = lab.cluster.now() - self.began;
        let found = &mut self.found;
        found.seconds = time.as_secs_f64();
        let traffic = lab.cluster.traffic();
        (found.datagrams, found.bytes) = (traffic.datagrams, traffic.datagram_bytes);
        found.exchange_bytes = traffic.exchange_bytes;
        found.meter = lab.cluster.take_meter();
        found.deaths.members = self.dead.len() as u64;
        let healthy = self.dead.values().filter(|&&health| health == Health::Healthy);
        found.deaths.healthy_members = healthy.count() as u64;
        self.count_nodes(lab);
    }

    fn count_nodes(&mut self, lab: &Lab<'_>) {
        let after = counted(lab);
        let mut sums: BTreeMap<&'static str, u64> = BTreeMap::new();
        let mut nodes = 0;
        for (host, (id, counts)) in &after {
            let Some((_, before)) = self.before.get(host).filter(|(before, _)| before == id) else {
                continue;
            };
            nodes += 1;
            for (&name, &count) in counts {
                let before = before.get(name).copied().unwrap_or(0);
                *sums.entry(name).or_default() += count.saturating_sub(before);
            }
        }
        self.found.refuted = sums.get("refutations").copied().unwrap_or(0);
        let per = f64::from(nodes) * self.found.seconds;
        let rates = sums.into_iter().filter(|&(_, count)| count > 0);
        self.found.counters = rates.map(|(name, count)| (name, count as f64 / per)).collect();
    }

    /// Notes which crashes some member does not know of now.
    pub(super) fn note_unknown(&mut self, lab: &Lab<'_>) {
        let cluster = &lab.cluster;
        let members: Vec<HostIx> = cluster.hosts().filter(|&ix| cluster.is_member(ix)).collect();
        let is_held = |subject: NodeId| {
            let claim = |&ix: &HostIx| cluster.node(ix).and_then(|node| node.claim(subject));
            members.iter().filter_map(claim).any(|claim| claim.state.is_present())
        };
        let unknown = self.crashes.iter().filter(|crash| is_held(crash.subject));
        self.found.unknown = unknown.count() as u64;
    }

    pub(super) fn end(mut self, agreed: Option<Duration>) -> Found {
        let sample = |crash: &Crash| Sample {
            first: crash.first.map(|at| at - crash.at),
            full: crash.last.filter(|_| crash.waiting.is_empty()).map(|at| at - crash.at),
        };
        self.found.samples = self.crashes.iter().map(sample).collect();
        self.found.agreed = agreed;
        self.found
    }
}

fn counted(lab: &Lab<'_>) -> Counted {
    let cluster = &lab.cluster;
    let nodes = cluster.hosts().filter_map(|ix| Some((ix, cluster.node(ix)?)));
    let counts =
        |stats: swimmer::node::Stats| stats.membership.named().chain(stats.wire.named()).collect();
    nodes.map(|(ix, node)| (ix, (cluster.id(ix), counts(node.stats())))).collect()
}
