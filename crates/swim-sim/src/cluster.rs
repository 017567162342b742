//! The simulated cluster: hosts, links, one clock, and one step at a time.

mod environment;
mod faults;
mod network;
mod observe;
mod start;
mod step;
mod tamper;

use std::net::SocketAddr;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use swim_membership::{Config, Instant, KnownBug};
use swim_proto::{ClusterName, NodeId, State};
use swimmer::node::Node;

pub use faults::{Data, Place};
pub use observe::{Ended, Gone, Observation, Seen};

use crate::check::{Checker, Violation};
use crate::environment::{Active, Judges};
use crate::host::{Asker, Condition, Host, Input, Reply};
use crate::liar::Liar;
use crate::link::{Conditions, Links};
use crate::meter::Meter;
use crate::names::Names;
use crate::queue::Queue;
use crate::speech::Speech;
use crate::transcript::{Detail, LINES_KEPT, Transcript};

/// Which checkers run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checks {
    /// All, after every step.
    #[default]
    All,
    /// None: for measurements of many nodes.
    None,
}

/// What a simulation is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// What decides everything that is left to chance.
    pub seed: u64,
    /// The configuration of all nodes.
    pub config: Config,
    /// What the network is like where nothing else is said.
    pub network: Conditions,
    /// Which checkers run.
    pub checks: Checks,
    /// What the transcript keeps.
    pub detail: Detail,
    /// How many of its lines, the last ones.
    pub lines: usize,
    /// A fault that all nodes have, to see that it is found.
    pub bug: Option<KnownBug>,
    /// How many of 1,000 writes fail.
    pub failing_writes: u32,
}

impl Options {
    /// Checked, on a good network, with no transcript but its hash.
    pub fn new(seed: u64, config: Config) -> Self {
        let (checks, detail) = (Checks::All, Detail::Hash);
        let network = Conditions::LAN;
        Self {
            seed,
            config,
            network,
            checks,
            detail,
            lines: LINES_KEPT,
            bug: None,
            failing_writes: 0,
        }
    }
}

/// Names a host of the simulation; they are numbered from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostIx(pub u32);

/// What the network has carried and lost, since the start or the last reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Datagrams sent.
    pub datagrams: u64,
    /// Their IP bytes: payload and 28 for the headers of IPv4 and UDP.
    pub datagram_bytes: u64,
    /// Exchanges begun.
    pub exchanges: u64,
    /// Their IP bytes, with TCP's overhead as estimated.
    pub exchange_bytes: u64,
    /// Datagrams lost by chance.
    pub lost: u64,
    /// Datagrams and exchanges that a cut has swallowed.
    pub cut: u64,
    /// Datagrams that came twice.
    pub doubled: u64,
    /// Datagrams to a place where nobody listened.
    pub to_nobody: u64,
    /// Exchanges that a host has refused because nobody listened there.
    pub refused: u64,
    /// Packets that waited on a clogged link.
    pub clogged: u64,
    /// Packets whose bytes were changed.
    pub damaged: u64,
    /// Datagrams that were recorded, and came once more later.
    pub replayed: u64,
    /// Datagrams of another cluster.
    pub foreign: u64,
    /// Datagrams as a later version writes them.
    pub later: u64,
    /// Packets for which a host that stood still had no room.
    pub overflowed: u64,
}

/// What will happen.
#[derive(Debug)]
enum Happening {
    Wake {
        host: u32,
        life: u32,
    },
    Arrives {
        to: SocketAddr,
        input: Input,
    },
    /// A SYN comes to a host that would have refused it when it was sent.
    Knocks {
        to: SocketAddr,
        asker: Asker,
        request: Input,
    },
    Replied {
        asker: Asker,
        reply: Reply,
    },
    GiveUp {
        asker: Asker,
    },
    Saved {
        host: u32,
        life: u32,
        result: Result<(), String>,
    },
    Routine {
        environment: u32,
        routine: u32,
    },
}

/// Nodes of the real composition under one virtual clock.
pub struct Cluster {
    options: Options,
    pub(crate) name: ClusterName,
    now: Instant,
    pub(crate) rng: Xoshiro256PlusPlus,
    hosts: Vec<Host>,
    /// What the network does; to be changed at will.
    pub links: Links,
    queue: Queue<Happening>,
    pool: Vec<Vec<u8>>,
    traffic: Traffic,
    observations: Vec<Observation>,
    ended: Vec<Ended>,
    gone: Vec<Gone>,
    observing: bool,
    transcript: Transcript,
    pub(crate) names: Names,
    speech: Speech,
    pub(crate) checker: Option<Checker>,
    /// Whose views count for nothing.
    pub(crate) liar: Option<Liar>,
    recorded: Vec<tamper::Recorded>,
    broadcasts: u64,
    violation: Option<Violation>,
    steps: u64,
    /// How many they were when time went on last.
    steps_before: u64,
    /// The environment in progress: what it does to packets, and the rest of it.
    judges: Option<Judges>,
    environment: Option<Active>,
    /// The number of environments so far.
    environments: u32,
    meter: Option<Box<Meter>>,
}

impl Cluster {
    /// No host yet.
    pub fn new(options: Options) -> Self {
        let rng = Xoshiro256PlusPlus::seed_from_u64(options.seed);
        let name = ClusterName::new("simulation").expect("a constant that is a name");
        let bytes_max = options.config.datagram_bytes_max();
        let checker = match options.checks {
            Checks::All => Some(Checker::new(name.clone(), bytes_max)),
            Checks::None => None,
        };
        Self {
            names: Names::new(name.tag()),
            speech: Speech::new(name.clone()),
            name,
            now: Instant::ZERO,
            rng,
            hosts: Vec::new(),
            links: Links::new(options.network),
            queue: Queue::default(),
            pool: Vec::new(),
            traffic: Traffic::default(),
            observations: Vec::new(),
            ended: Vec::new(),
            gone: Vec::new(),
            observing: true,
            transcript: Transcript::new(options.detail, options.lines),
            checker,
            liar: None,
            recorded: Vec::new(),
            broadcasts: 0,
            violation: None,
            steps: 0,
            steps_before: 0,
            judges: None,
            environment: None,
            environments: 0,
            meter: None,
            options,
        }
    }

    /// The seed that it was made with.
    pub fn seed(&self) -> u64 {
        self.options.seed
    }

    /// The configuration of its nodes.
    pub fn config(&self) -> &Config {
        &self.options.config
    }

    /// The time of the simulation.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// How many inputs nodes were given so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// How many things are waiting to happen.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// How many hosts there are, down ones too.
    pub fn len(&self) -> u32 {
        self.hosts.len() as u32
    }

    /// Whether there is no host.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// All hosts.
    pub fn hosts(&self) -> impl Iterator<Item = HostIx> + use<> {
        (0..self.len()).map(HostIx)
    }

    /// The node that runs on a host.
    pub fn node(&self, host: HostIx) -> Option<&Node> {
        self.hosts[host.0 as usize].node.as_ref()
    }

    /// The identity that a host has now.
    pub fn id(&self, host: HostIx) -> NodeId {
        self.hosts[host.0 as usize].id
    }

    /// Where a host listens now.
    pub fn address(&self, host: HostIx) -> SocketAddr {
        self.hosts[host.0 as usize].address
    }

    /// What its process does.
    pub fn condition(&self, host: HostIx) -> Condition {
        self.hosts[host.0 as usize].condition
    }

    /// Whether it runs and has not left.
    pub fn is_member(&self, host: HostIx) -> bool {
        let up = self.condition(host) != Condition::Down;
        up && self.node(host).is_some_and(Node::is_running)
    }

    /// What `observer` holds of `subject`.
    pub fn sees(&self, observer: HostIx, subject: HostIx) -> Option<State> {
        let id = self.id(subject);
        self.node(observer)?.claim(id).map(|claim| claim.state)
    }

    /// What was carried and lost.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Counts traffic anew from now on.
    pub fn reset_traffic(&mut self) {
        self.traffic = Traffic::default();
    }

    /// Takes out what hosts have seen of each other since the last call.
    pub fn take_observations(&mut self) -> Vec<Observation> {
        std::mem::take(&mut self.observations)
    }

    /// Takes out the processes that have crashed since the last call.
    pub fn take_ended(&mut self) -> Vec<Ended> {
        std::mem::take(&mut self.ended)
    }

    /// Takes out the leaves that are over since the last call.
    pub fn take_gone(&mut self) -> Vec<Gone> {
        std::mem::take(&mut self.gone)
    }

    /// Whether to keep what hosts see of each other, which processes crash and which leaves end. At first it is kept.
    pub fn observe(&mut self, observing: bool) {
        self.observing = observing;
    }

    /// The record of the run.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Takes out the kept lines of the record.
    pub fn take_lines(&mut self) -> Vec<String> {
        self.transcript.take_lines()
    }

    /// Whether every member sees exactly the members, each alive and as it speaks of itself.
    pub fn all_agree(&self) -> bool {
        self.disagreement().is_none()
    }

    /// Runs for so long.
    ///
    /// # Errors
    /// When a checker finds an invariant broken.
    pub fn run_for(&mut self, duration: Duration) -> Result<(), Violation> {
        self.run_until(self.now + duration)
    }

    /// Runs until this moment.
    ///
    /// # Errors
    /// When a checker finds an invariant broken.
    pub fn run_until(&mut self, end: Instant) -> Result<(), Violation> {
        while self.queue.next_at().is_some_and(|at| at <= end) {
            self.step()?;
        }
        self.now = self.now.max(end);
        Ok(())
    }

    /// Runs until `done`, looked at every `every`, or until `limit` has passed. Returns how long it
    /// took, `None`: it did not happen.
    ///
    /// # Errors
    /// When a checker finds an invariant broken.
    pub fn run_until_seen(
        &mut self,
        every: Duration,
        limit: Duration,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Result<Option<Duration>, Violation> {
        let started = self.now;
        while !done(self) {
            if self.now - started >= limit {
                return Ok(None);
            }
            self.run_for(every)?;
        }
        Ok(Some(self.now - started))
    }

    /// Puts a line into the record.
    pub(crate) fn note(&mut self, line: std::fmt::Arguments<'_>) {
        self.transcript.event(self.now, line);
    }
}
