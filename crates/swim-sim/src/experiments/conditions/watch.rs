//! What one run shows.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use swim_sim::{Health, HostIx, Meter, Observation, Seen};
use swimmer::{Instant, NodeId};

use super::EVERY;
use super::crash::{Crash, Sample};
use crate::experiments::lab::Lab;

/// Deaths of running members, one for each observer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FalseDeaths {
    pub(super) all: u64,
    pub(super) own: u64,
    pub(super) healthy: u64,
    pub(super) stalled: u64,
    /// Running members that some member held dead.
    pub(super) members: u64,
    /// The healthy ones among them.
    pub(super) healthy_members: u64,
}

/// The results of one run.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) samples: Vec<Sample>,
    /// Crashes whose victim some member did not hold dead at the end.
    pub(super) unknown: u64,
    pub(super) deaths: FalseDeaths,
    pub(super) suspicions: u64,
    pub(super) refuted: u64,
    /// The sum of the seconds that each member ran.
    pub(super) member_seconds: f64,
    pub(super) seconds: f64,
    pub(super) datagrams: u64,
    pub(super) bytes: u64,
    pub(super) exchange_bytes: u64,
    pub(super) meter: Meter,
    /// The counters of nodes that ran throughout, per member and second.
    pub(super) counters: BTreeMap<&'static str, f64>,
    pub(super) agreed: Option<Duration>,
}

/// The identity and the counters of the node on each host.
type Counted = HashMap<HostIx, (NodeId, BTreeMap<&'static str, u64>)>;

/// Watches one run.
pub(super) struct Watch {
    began: Instant,
    /// Whether more than the crashes is counted.
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
        lab.cluster.take_ended();
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
            self.look(lab);
        }
    }

    /// Takes in what has happened since the last call.
    pub(super) fn look(&mut self, lab: &mut Lab<'_>) {
        let (seen, ended) = (lab.cluster.take_observations(), lab.cluster.take_ended());
        let cluster = &lab.cluster;
        self.crashes.iter_mut().for_each(|crash| crash.look(cluster));
        for ended in &ended {
            self.crashes.iter_mut().for_each(|crash| crash.on_end(ended.host));
            if !self.counts {
                continue;
            }
            self.crashes.push(Crash::new(ended, cluster));
            // It may run again already.
            self.crashes.iter_mut().for_each(|crash| crash.look(cluster));
        }
        self.hosts.extend(cluster.hosts().map(|ix| (cluster.id(ix), ix)));
        for seen in &seen {
            self.on_observation(lab, seen);
        }
    }

    fn on_observation(&mut self, lab: &Lab<'_>, seen: &Observation) {
        match seen.change {
            Seen::Suspected => self.found.suspicions += u64::from(self.counts),
            Seen::Down { own } => self.on_down(lab, seen, own),
            _ => {}
        }
    }

    fn on_down(&mut self, lab: &Lab<'_>, seen: &Observation, own: bool) {
        let mut crashes = self.crashes.iter_mut().rev();
        if crashes.any(|crash| crash.on_down(seen.subject, seen.observer, seen.at)) {
            return;
        }
        let Some(&host) = self.hosts.get(&seen.subject) else { return };
        let runs = lab.cluster.is_member(host) && lab.cluster.id(host) == seen.subject;
        if !self.counts || !runs {
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
        self.crashes.iter().all(Crash::is_over)
    }

    /// From now on only the crashes so far are watched.
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

    /// Counts the crashes that some member does not know of now.
    pub(super) fn note_unknown(&mut self, lab: &Lab<'_>) {
        let cluster = &lab.cluster;
        let unknown = self.crashes.iter().filter(|crash| crash.is_unknown_to_some(cluster));
        self.found.unknown = unknown.count() as u64;
    }

    pub(super) fn end(mut self, agreed: Option<Duration>) -> Found {
        self.found.samples = self.crashes.iter().filter_map(Crash::sample).collect();
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
