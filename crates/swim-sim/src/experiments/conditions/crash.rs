//! Crashes, and which members know of them.

use std::collections::BTreeSet;
use std::time::Duration;

use swim_sim::{Cluster, Ended, Health, HostIx};
use swimmer::{Instant, NodeId};

/// For this time after the restart of a process, a death of the member is about its crash.
const AFTERMATH: Duration = Duration::from_secs(30);

/// The times from a crash until members knew; `None`: they did not while it was watched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Until the first knew.
    pub(super) first: Option<Duration>,
    /// Until all knew. Outer `None`: no member had to learn it.
    pub(super) all: Option<Option<Duration>>,
    /// Until all healthy members knew; if the condition leaves none, until all knew.
    pub(super) others: Option<Option<Duration>>,
}

/// A member whose process has ended.
#[derive(Clone, Debug)]
pub(super) struct Crash {
    host: HostIx,
    subject: NodeId,
    at: Instant,
    first: Option<Instant>,
    all: Audience,
    others: Audience,
    /// When the same member ran again.
    returned: Option<Instant>,
    /// That was before all knew.
    returned_early: bool,
}

/// Members that held the victim present when it crashed, have run since, and do not hold it dead
/// yet.
#[derive(Clone, Debug)]
struct Audience {
    waiting: BTreeSet<HostIx>,
    /// When the last one learned it.
    last: Option<Instant>,
    /// Whether it was empty from the beginning.
    is_void: bool,
}

impl Audience {
    fn new(waiting: BTreeSet<HostIx>) -> Self {
        Self { is_void: waiting.is_empty(), waiting, last: None }
    }

    fn learn(&mut self, who: HostIx, at: Instant) {
        if self.waiting.remove(&who) {
            self.last = Some(at);
        }
    }

    /// The time from the crash until all knew.
    fn complete(&self, crash: Instant) -> Option<Option<Duration>> {
        let last = self.last.filter(|_| self.waiting.is_empty());
        (!self.is_void).then(|| last.map(|at| at - crash))
    }
}

impl Crash {
    /// A process has ended just now.
    pub(super) fn new(ended: &Ended, cluster: &Cluster) -> Self {
        let Ended { at, host, id: subject } = *ended;
        let is_held = |&ix: &HostIx| {
            let claim = cluster.node(ix).and_then(|node| node.claim(subject));
            cluster.is_member(ix) && claim.is_some_and(|claim| claim.state.is_present())
        };
        let waiting: BTreeSet<HostIx> =
            cluster.hosts().filter(|&ix| ix != host).filter(is_held).collect();
        let healthy = |&ix: &HostIx| cluster.health(ix) == Health::Healthy;
        let others: BTreeSet<HostIx> =
            match cluster.hosts().any(|ix| cluster.is_member(ix) && healthy(&ix)) {
                true => waiting.iter().copied().filter(healthy).collect(),
                false => waiting.clone(),
            };
        let (all, others) = (Audience::new(waiting), Audience::new(others));
        let (first, returned, returned_early) = (None, None, false);
        Self { host, subject, at, first, all, others, returned, returned_early }
    }

    /// An observer holds a member dead. Returns whether that is about this crash.
    pub(super) fn on_down(&mut self, subject: NodeId, observer: HostIx, at: Instant) -> bool {
        if self.subject != subject {
            return false;
        }
        if let Some(returned) = self.returned {
            return at - returned < AFTERMATH;
        }
        self.first.get_or_insert(at);
        self.all.learn(observer, at);
        self.others.learn(observer, at);
        true
    }

    /// Another process has ended, and can learn nothing more.
    pub(super) fn on_end(&mut self, host: HostIx) {
        self.all.waiting.remove(&host);
        self.others.waiting.remove(&host);
    }

    /// Looks whether the member runs again.
    pub(super) fn look(&mut self, cluster: &Cluster) {
        let runs = cluster.is_member(self.host) && cluster.id(self.host) == self.subject;
        if runs && self.returned.is_none() {
            self.returned = Some(cluster.now());
            self.returned_early = !self.is_known();
        }
    }

    /// Whether no member has to learn of it any more.
    pub(super) fn is_known(&self) -> bool {
        self.all.waiting.is_empty()
    }

    /// Whether the member runs again or no member has to learn of the crash.
    pub(super) fn is_over(&self) -> bool {
        self.returned.is_some() || self.is_known()
    }

    /// Whether some member holds the victim present now.
    pub(super) fn is_unknown_to_some(&self, cluster: &Cluster) -> bool {
        let claim = |ix| cluster.node(ix).and_then(|node| node.claim(self.subject));
        let members = cluster.hosts().filter(|&ix| cluster.is_member(ix));
        self.returned.is_none() && members.filter_map(claim).any(|claim| claim.state.is_present())
    }

    /// Its times, unless the member ran again before all knew, or no member had to learn it.
    pub(super) fn sample(&self) -> Option<Sample> {
        let first = self.first.map(|at| at - self.at);
        let (all, others) = (self.all.complete(self.at), self.others.complete(self.at));
        (!self.returned_early && all.is_some()).then_some(Sample { first, all, others })
    }
}
