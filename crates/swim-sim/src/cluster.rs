//! The simulated cluster: hosts, links, one clock, and one step at a time.

mod faults;
mod network;
mod start;
mod tamper;

use std::net::SocketAddr;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use swim_membership::{Config, Instant, KnownBug};
use swim_proto::{ClusterName, NodeId, State};
use swimmer::Event;
use swimmer::node::{ExchangeId, Node, RequestId};

pub use faults::{Data, Place};

use crate::check::{Checker, Violation};
use crate::host::{Condition, Host, Input, Later, host_of};
use crate::liar::Liar;
use crate::link::{Conditions, Links};
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

/// More steps than this at one moment are no work any more, but somebody who goes round in circles.
const STEPS_AT_ONCE_MAX: u64 = 1_000_000;

/// Names a host of the simulation; they are numbered from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostIx(pub u32);

/// A change that one host saw in another: what experiments measure by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// When.
    pub at: Instant,
    /// Who saw it.
    pub observer: HostIx,
    /// About whom.
    pub subject: NodeId,
    /// What.
    pub change: Seen,
}

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seen {
    /// Newly present.
    Joined,
    /// Alive again.
    Up,
    /// Suspected.
    Suspected,
    /// Held dead; whether by the observer's own suspicion that ran out.
    Down {
        /// Else it was told.
        own: bool,
    },
    /// It left.
    Left,
    /// Its record changed.
    Updated,
    /// Another process has its id.
    Conflict,
    /// A message of it came.
    Message,
}

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
    Wake { host: u32, life: u32 },
    Arrives { to: SocketAddr, input: Input },
    Replied { host: u32, life: u32, exchange: ExchangeId, frame: Option<Vec<u8>> },
    GiveUp { host: u32, life: u32, exchange: ExchangeId },
    Saved { host: u32, life: u32, result: Result<(), String> },
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
            observing: true,
            transcript: Transcript::new(options.detail, options.lines),
            checker,
            liar: None,
            recorded: Vec::new(),
            broadcasts: 0,
            violation: None,
            steps: 0,
            steps_before: 0,
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

    /// Whether to keep what hosts see of each other. At first it is kept.
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

    fn step(&mut self) -> Result<(), Violation> {
        let Some((at, happening)) = self.queue.pop() else { return Ok(()) };
        if at > self.now {
            self.steps_before = self.steps;
        } else if self.steps - self.steps_before > STEPS_AT_ONCE_MAX {
            let what = format!("time stands still in {happening:?}");
            return Err(Violation { seed: self.options.seed, at, what });
        }
        self.now = at;
        match happening {
            Happening::Wake { host, life } => self.on_wake(host, life),
            Happening::Arrives { to, input } => self.on_arrival(to, input),
            Happening::Replied { host, life, exchange, frame } => {
                self.on_replied(host, life, exchange, frame);
            }
            Happening::GiveUp { host, life, exchange } => {
                self.on_replied(host, life, exchange, None);
            }
            Happening::Saved { host, life, result } => self.on_saved(host, life, result),
        }
        self.violation.take().map_or(Ok(()), Err)
    }

    fn on_wake(&mut self, ix: u32, life: u32) {
        let now = self.now;
        let host = &mut self.hosts[ix as usize];
        if host.life != life || now < host.armed_at {
            return;
        }
        host.armed_at = Instant::NEVER;
        if host.condition == Condition::Paused {
            // It is looked after when it goes on.
            return;
        }
        let (local, clocks) = (host.skew.local(now), host.clocks(now));
        if local < host.wake_at {
            self.arm(ix);
            return;
        }
        let stuck = host.condition == Condition::Stuck;
        if let Some(node) = &mut host.node {
            match stuck {
                true => node.handle_timeout_stuck(local),
                false => node.handle_timeout(clocks),
            }
            self.after(ix);
        }
    }

    fn on_arrival(&mut self, to: SocketAddr, input: Input) {
        let found = host_of(to).filter(|&ix| (ix as usize) < self.hosts.len());
        let listening = found.filter(|&ix| self.hosts[ix as usize].listens_at(to));
        match (listening, input) {
            (Some(ix), input) => self.take(ix, input),
            (None, Input::Request { asker, .. }) => self.send_reply(to, asker, None),
            (None, Input::Datagram { from, bytes }) => {
                self.traffic.to_nobody += 1;
                if self.transcript.wants(Detail::Messages) {
                    let (from, to) = (Names::address(from), Names::address(to));
                    self.transcript
                        .message(self.now, format_args!("nobody is at {to} to hear {from}"));
                }
                self.recycle(bytes);
            }
            (None, Input::Reply { .. }) => {}
        }
    }

    fn on_replied(&mut self, ix: u32, life: u32, exchange: ExchangeId, frame: Option<Vec<u8>>) {
        let host = &mut self.hosts[ix as usize];
        if host.life == life && host.exchanges.contains_key(&exchange) {
            self.take(ix, Input::Reply { exchange, frame });
        }
    }

    /// A write has ended; a failed one has left the disk as it was.
    fn on_saved(&mut self, ix: u32, life: u32, result: Result<(), String>) {
        let host = &mut self.hosts[ix as usize];
        if host.life != life {
            return;
        }
        if let (Some(state), Ok(())) = (host.saving.take(), &result) {
            host.saved = state;
        }
        match host.condition {
            Condition::Paused => host.inbox.push_back(Later::Saved(result)),
            // Its disk is no network.
            Condition::Running | Condition::Blocked | Condition::Stuck => {
                self.feed_saved(ix, result)
            }
            Condition::Down => {}
        }
    }

    fn feed_saved(&mut self, ix: u32, result: Result<(), String>) {
        let host = &mut self.hosts[ix as usize];
        let clocks = host.clocks(self.now);
        if let Some(node) = &mut host.node {
            node.handle_persisted(clocks, result);
            self.after(ix);
        }
    }

    /// Something has come for a host: it takes it, or it waits.
    fn take(&mut self, ix: u32, input: Input) {
        if let Input::Datagram { from, bytes } = &input
            && self.is_lied_to(ix, *from, bytes)
        {
            return;
        }
        let host = &mut self.hosts[ix as usize];
        match host.condition {
            Condition::Running => self.feed(ix, input),
            Condition::Paused | Condition::Blocked | Condition::Stuck => {
                self.traffic.overflowed += u64::from(!host.keep_for_later(input));
            }
            Condition::Down => {}
        }
    }

    fn feed(&mut self, ix: u32, input: Input) {
        let host = &mut self.hosts[ix as usize];
        let (local, clocks) = (host.skew.local(self.now), host.clocks(self.now));
        let Some(node) = &mut host.node else { return };
        self.transcript.absorb_word(self.now.as_micros() ^ u64::from(ix) << 40);
        match input {
            Input::Datagram { from, mut bytes } => {
                self.transcript.absorb(&bytes);
                if let Some(checker) = &mut self.checker {
                    checker.before_datagram(node, from, &bytes);
                }
                node.handle_datagram(clocks, from, &mut bytes);
                if let Some(checker) = &mut self.checker {
                    checker.after_input(node);
                }
                self.recycle(bytes);
            }
            Input::Request { from, asker, mut frame } => {
                self.transcript.absorb(&frame);
                host.next_request += 1;
                let id = RequestId(host.next_request);
                host.askers.insert(id, asker);
                if let Some(checker) = &mut self.checker {
                    checker.before_request(node, &frame);
                }
                node.handle_request(clocks, from, id, &mut frame);
                if let Some(checker) = &mut self.checker {
                    checker.after_input(node);
                }
            }
            Input::Reply { exchange, frame: mut reply } => {
                if host.exchanges.remove(&exchange).is_none() {
                    return;
                }
                self.transcript.absorb(reply.as_deref().unwrap_or_default());
                if let (Some(checker), Some(frame)) = (&mut self.checker, &reply) {
                    checker.before_reply(node, frame);
                }
                node.handle_reply(clocks, exchange, reply.as_deref_mut());
            }
        }
        // As the driver does: what is due is done after the input that has woken the node.
        let host = &mut self.hosts[ix as usize];
        if local >= host.wake_at
            && let Some(node) = &mut host.node
        {
            node.handle_timeout(clocks);
        }
        self.after(ix);
    }

    /// After an input: do what the node wants, then look whether all is well.
    fn after(&mut self, ix: u32) {
        self.steps += 1;
        self.drain(ix);
        self.arm(ix);
        let host = &mut self.hosts[ix as usize];
        let local = host.skew.local(self.now);
        if let (Some(checker), Some(node)) = (&mut self.checker, &mut host.node)
            && let Err(what) = checker.after_step(self.now, local, ix, node, &self.names)
            && self.violation.is_none()
        {
            self.violation = Some(Violation { seed: self.options.seed, at: self.now, what });
        }
    }

    /// Sees to it that the node is woken when it wants to be.
    fn arm(&mut self, ix: u32) {
        let host = &mut self.hosts[ix as usize];
        if host.wake_at == Instant::NEVER {
            return;
        }
        let at = host.skew.global(host.wake_at).max(self.now);
        if at < host.armed_at {
            host.armed_at = at;
            self.queue.push(at, Happening::Wake { host: ix, life: host.life });
        }
    }

    fn on_event(&mut self, ix: u32, event: &Event) {
        let (subject, change) = match event {
            Event::Joined(member) => (member, Seen::Joined),
            Event::Up(member) => (member, Seen::Up),
            Event::Suspected(member) => (member, Seen::Suspected),
            Event::Down(member, death) => {
                let own = death.path == swimmer::DeathPath::Suspicion;
                (member, Seen::Down { own })
            }
            Event::Left(member) => (member, Seen::Left),
            Event::Updated(member) => (member, Seen::Updated),
            Event::Message { from, .. } => (from, Seen::Message),
            Event::Conflict { local, .. } => (local, Seen::Conflict),
            _ => return,
        };
        if let Some(checker) = &mut self.checker {
            let local = self.hosts[ix as usize].skew.local(self.now);
            checker.on_event(ix, local, event, &self.names);
        }
        let who = self.names.id(subject.id);
        let number = subject.incarnation;
        self.transcript.event(self.now, format_args!("h{ix} sees {who} #{number} {change}"));
        if self.observing {
            let (at, subject) = (self.now, subject.id);
            self.observations.push(Observation { at, observer: HostIx(ix), subject, change });
        }
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Joined => "joined",
            Self::Up => "up",
            Self::Suspected => "suspected",
            Self::Down { own: true } => "down",
            Self::Down { own: false } => "down (told)",
            Self::Left => "left",
            Self::Updated => "updated",
            Self::Conflict => "in conflict",
            Self::Message => "speak",
        })
    }
}
