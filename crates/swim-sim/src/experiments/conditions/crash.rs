//! Crashes, and who knows of them.

use std::collections::BTreeSet;
use std::time::Duration;

use swim_sim::{Cluster, Ended, Health, HostIx};
use swimmer::{Instant, NodeId};

/// What is said of a member so long after its process has started again still speaks of its crash.
const AFTERMATH: Duration = Duration::from_secs(30);

/// When a crash was known, counted from it; `None`: not in the time for which it was watched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// To the first.
    pub(super) first: Option<Duration>,
    /// To all. Nothing if nobody had to learn it.
    pub(super) all: Option<Option<Duration>>,
    /// To all but those that the condition afflicts; if it afflicts all, to all.
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
    /// When the same member was seen to run again.
    returned: Option<Instant>,
    /// It was so before all knew.
    returned_early: bool,
}

/// Members that held the victim present when it crashed, have run since, and do not hold it dead
/// yet.
#[derive(Clone, Debug)]
struct Audience {
    waiting: BTreeSet<HostIx>,
    /// When the last of them learned it.
    last: Option<Instant>,
    /// Whether there was nobody from the beginning.
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

    /// How long after a crash all knew.
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
        let others: BTreeSet<HostIx> = match cluster.hosts().any(|ix| healthy(&ix)) {
            true => waiting.iter().copied().filter(healthy).collect(),
            false => waiting.clone(),
        };
        let (all, others) = (Audience::new(waiting), Audience::new(others));
        let (first, returned, returned_early) = (None, None, false);
        Self { host, subject, at, first, all, others, returned, returned_early }
    }

    /// Somebody holds a member dead. Returns whether that speaks of this crash.
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

    /// Another process has ended, which can learn nothing more.
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

    /// Whether nobody has to learn of it any more.
    pub(super) fn is_known(&self) -> bool {
        self.all.waiting.is_empty()
    }

    /// Whether it is over, or there is nobody who has to learn of it.
    pub(super) fn is_over(&self) -> bool {
        self.returned.is_some() || self.is_known()
    }

    /// Whether some member holds the victim present now.
    pub(super) fn is_unknown_to_some(&self, cluster: &Cluster) -> bool {
        let claim = |ix| cluster.node(ix).and_then(|node| node.claim(self.subject));
        let members = cluster.hosts().filter(|&ix| cluster.is_member(ix));
        self.returned.is_none() && members.filter_map(claim).any(|claim| claim.state.is_present())
    }

    /// How soon it was known, unless the member ran again before.
    pub(super) fn sample(&self) -> Option<Sample> {
        let first = self.first.map(|at| at - self.at);
        let (all, others) = (self.all.complete(self.at), self.others.complete(self.at));
        (!self.returned_early && all.is_some()).then_some(Sample { first, all, others })
    }
}
