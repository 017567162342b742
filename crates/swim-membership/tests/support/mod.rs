//! One membership machine on a bench: what goes in, what comes out, and a clock in the hand.

// Not every test file uses all of it, and lints know tests by their attribute only.
#![allow(dead_code, clippy::unwrap_used)]

use core::time::Duration;
use std::net::SocketAddr;

use swim_membership::{
    Action, Ask, Config, Event, EventKind, Instant, Lookup, MemberIx, Membership, Profile, Source,
    Tell, Via, Who,
};
use swim_proto::{
    Accusers, Claim, ClusterName, ClusterTag, Datagram, Held, Incarnation, NodeId, Part, Record,
    RecordFields, Seq, State, Subject, TinyId, Versions,
};

pub(crate) const LOCAL: u8 = 100;

/// The machine under test is member 100; the others are small numbers.
pub(crate) struct Bench {
    pub(crate) machine: Membership,
    pub(crate) now: Instant,
}

pub(crate) fn tag() -> ClusterTag {
    ClusterName::new("test").unwrap().tag()
}

pub(crate) fn id(n: u8) -> NodeId {
    NodeId::from_bytes([n; 16])
}

pub(crate) fn tiny(n: u8) -> TinyId {
    id(n).short(tag()).tiny()
}

pub(crate) fn short(n: u8) -> Subject {
    Subject::Short(id(n).short(tag()))
}

pub(crate) fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 7_000))
}

pub(crate) fn record(n: u8, metadata: &[u8]) -> Record {
    let (address, versions) = (address(n), Versions::default());
    RecordFields { address, versions, name: "", metadata, later: &[] }.build().unwrap()
}

pub(crate) fn accusers(of: &[u8]) -> Accusers {
    of.iter().map(|&n| tiny(n)).collect()
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// News as it is gossiped: a member, an incarnation, what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Say {
    Alive(u8, u64),
    Suspect(u8, u64, u8),
    Dead(u8, u64),
    Left(u8, u64),
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(Config::preset(Profile::Lan))
    }

    pub(crate) fn with(config: Config) -> Self {
        let now = Instant::ZERO + seconds(1_000);
        let machine = Membership::new(config, id(LOCAL), record(LOCAL, &[]), tag(), 7, now);
        Self { machine, now }
    }

    /// A bench that has met members 1 to `count`, with nothing left to do.
    pub(crate) fn of(count: u8) -> Self {
        let mut bench = Self::new();
        (1..=count).for_each(|n| bench.hear(Say::Alive(n, 1)));
        bench.drain();
        bench
    }

    /// The same, but one that believes every death that is told as news at once (M5).
    pub(crate) fn credulous(count: u8) -> Self {
        let config = Config::builder(Profile::Lan).isolation_guard(false).build().unwrap();
        let mut bench = Self::with(config);
        (1..=count).for_each(|n| bench.hear(Say::Alive(n, 1)));
        bench.drain();
        bench
    }

    pub(crate) fn hear(&mut self, say: Say) {
        self.hear_from(1, Via::Gossip, say);
    }

    /// News of a death whose suspicion was heard of in time.
    pub(crate) fn bury(&mut self, n: u8, incarnation: u64) {
        self.hear(Say::Suspect(n, incarnation, 1));
        self.now = self.now + seconds(2);
        self.hear(Say::Dead(n, incarnation));
    }

    pub(crate) fn hear_from(&mut self, from: u8, via: Via, say: Say) {
        let source = Source { address: address(from), via };
        let incarnation = |i| Incarnation(i);
        match say {
            Say::Alive(n, i) => {
                let record = record(n, &[]);
                let (id, incarnation) = (id(n), incarnation(i));
                let part = Part::Alive { id, incarnation, record: record.as_bytes() };
                self.machine.handle_part(self.now, source, &part);
            }
            Say::Suspect(n, i, by) => {
                let (subject, incarnation, accusers) = (short(n), incarnation(i), accusers(&[by]));
                let part = Part::Suspect { subject, incarnation, accusers };
                self.machine.handle_part(self.now, source, &part);
            }
            Say::Dead(n, i) => {
                let (subject, incarnation) = (short(n), incarnation(i));
                let part = Part::Dead { subject, incarnation, accusers: accusers(&[1]) };
                self.machine.handle_part(self.now, source, &part);
            }
            Say::Left(n, i) => {
                let part = Part::Left { subject: short(n), incarnation: incarnation(i) };
                self.machine.handle_part(self.now, source, &part);
            }
        }
        self.machine.check();
    }

    pub(crate) fn receive(&mut self, from: u8, message: Datagram<'static>) {
        self.machine.handle_datagram(self.now, address(from), &message);
        self.machine.check();
    }

    /// A ping of member `from` that holds this of the machine.
    pub(crate) fn receive_ping(&mut self, from: u8, incarnation: u64, state: State) {
        let held = Held {
            claim: Claim::new(Incarnation(incarnation), state),
            record: self.machine.local().record.hash() as u16,
        };
        let (target, from_tiny) = (tiny(LOCAL), tiny(from));
        self.receive(
            from,
            Datagram::Ping { seq: Seq(77), target, from: from_tiny, held, note: None },
        );
    }

    /// What it wants done, to the last word.
    pub(crate) fn drain(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.machine.poll_action()).collect()
    }

    /// Lets time pass, timer by timer, and returns all that it wanted done meanwhile.
    pub(crate) fn pass(&mut self, duration: Duration) -> Vec<Action> {
        let (end, mut actions) = (self.now + duration, self.drain());
        while self.machine.deadline() <= end {
            self.now = self.machine.deadline().max(self.now);
            self.machine.handle_timeout(self.now);
            self.machine.check();
            actions.extend(self.drain());
        }
        self.now = end;
        actions
    }

    /// As [`pass`](Self::pass), with an ack for each ping but those to `silent`.
    pub(crate) fn pass_with_acks(&mut self, duration: Duration, silent: &[u8]) -> Vec<Action> {
        let (end, mut all) = (self.now + duration, Vec::new());
        loop {
            let actions = self.drain();
            for (to, seq) in pings(&actions) {
                if !silent.iter().any(|&n| address(n) == to) {
                    self.machine.handle_datagram(self.now, to, &Datagram::Ack { seq, note: None });
                }
            }
            all.extend(actions);
            if self.machine.deadline() > end {
                break;
            }
            self.now = self.machine.deadline().max(self.now);
            self.machine.handle_timeout(self.now);
            self.machine.check();
        }
        self.now = end;
        all
    }

    pub(crate) fn ix(&self, n: u8) -> Option<MemberIx> {
        match self.machine.table().find_subject(Subject::Full(id(n))) {
            Lookup::Found(ix) => Some(ix),
            _ => None,
        }
    }

    pub(crate) fn claim(&self, n: u8) -> Option<(u64, State)> {
        let claim = self.machine.view(self.ix(n)?).claim;
        Some((claim.incarnation.0, claim.state))
    }

    pub(crate) fn own_incarnation(&self) -> u64 {
        self.machine.local().claim.incarnation.0
    }
}

pub(crate) fn pings(actions: &[Action]) -> Vec<(SocketAddr, Seq)> {
    let ping = |action: &Action| match *action {
        Action::Send { to, message: Datagram::Ping { seq, .. }, .. } => Some((to, seq)),
        _ => None,
    };
    actions.iter().filter_map(ping).collect()
}

pub(crate) fn datagrams(actions: &[Action]) -> Vec<(SocketAddr, Datagram<'static>, Tell)> {
    let send = |action: &Action| match *action {
        Action::Send { to, message, tell } => Some((to, message, tell)),
        _ => None,
    };
    actions.iter().filter_map(send).collect()
}

pub(crate) fn events(actions: &[Action]) -> Vec<(NodeId, EventKind)> {
    let event = |action: &Action| match action {
        Action::Event(Event { kind, member }) => Some((member.id, *kind)),
        _ => None,
    };
    actions.iter().filter_map(event).collect()
}

pub(crate) fn exchanges(actions: &[Action]) -> Vec<(SocketAddr, Ask)> {
    let exchange = |action: &Action| match *action {
        Action::Exchange { to, ask } => Some((to, ask)),
        _ => None,
    };
    actions.iter().filter_map(exchange).collect()
}

pub(crate) fn told(actions: &[Action]) -> Vec<Who> {
    let news = |action: &Action| match *action {
        Action::News { who, .. } => Some(who),
        _ => None,
    };
    actions.iter().filter_map(news).collect()
}

/// Lets time pass until the machine has pinged somebody: whom, and the number.
pub(crate) fn first_ping(bench: &mut Bench) -> (u8, Seq) {
    for _ in 0..40 {
        let actions = bench.pass(ms(50));
        if let Some((to, seq)) = pings(&actions).into_iter().next() {
            let member = (1..=LOCAL).find(|&n| address(n) == to).unwrap();
            return (member, seq);
        }
    }
    panic!("nobody was pinged");
}
