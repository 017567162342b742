//! One simulated machine: a node, its clock, and what waits while it cannot be reached.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use swim_membership::{Instant, Now};
use swim_proto::NodeId;
use swimmer::node::{Answer, ExchangeId, Node, RequestId, SavedState};

use crate::wall_clock::WallClock;

/// Datagrams that wait for a host that does not take them; more are lost, as in a socket's buffer.
pub(crate) const INBOX_MAX: usize = 4_096;
/// The port of a host's first life; each new address is one further.
const PORT: u16 = 7_000;

/// What can happen to the process of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It runs.
    Running,
    /// It stands still, timers too, as after SIGSTOP; then everything comes at once.
    Paused,
    /// Its timers run, but nothing goes in or out; what would have waits.
    Blocked,
    /// Its senders and receivers stand still, each with its first message, as in Lifeguard's
    /// experiments: suspicions run out, but no second probe begins.
    Stuck,
    /// It does not run.
    Down,
}

/// A clock that starts anywhere and goes too fast or too slow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Skew {
    /// What it shows at the simulation's start.
    pub offset: Duration,
    /// Millionths by which it is fast (or slow).
    pub rate_ppm: i64,
}

impl Skew {
    pub(crate) fn local(self, global: Instant) -> Instant {
        let micros = i128::from(global.as_micros());
        let drift = micros * i128::from(self.rate_ppm) / 1_000_000;
        let local = micros + drift + self.offset.as_micros() as i128;
        Instant::from_micros(u64::try_from(local).unwrap_or(0))
    }

    /// The first moment of the simulation at which this clock shows `local` or more.
    pub(crate) fn global(self, local: Instant) -> Instant {
        if local == Instant::NEVER {
            return local;
        }
        let wanted = i128::from(local.as_micros()) - self.offset.as_micros() as i128;
        let estimate = wanted * 1_000_000 / (1_000_000 + i128::from(self.rate_ppm));
        // Rounding may be off by one either way.
        let mut micros = u64::try_from(estimate).unwrap_or(0).saturating_sub(2);
        while self.local(Instant::from_micros(micros)) < local {
            micros += 1;
        }
        Instant::from_micros(micros)
    }
}

/// What came in over the network.
#[derive(Debug)]
pub(crate) enum Input {
    Datagram { from: SocketAddr, bytes: Vec<u8> },
    Request { from: SocketAddr, asker: Asker, frame: Vec<u8> },
    Reply { exchange: ExchangeId, reply: Reply },
}

/// What comes of an exchange.
#[derive(Debug)]
pub(crate) enum Reply {
    Frame(Vec<u8>),
    /// It failed, or was not answered.
    Nothing,
    /// The host has refused the connection: nobody listens there.
    Refused,
}

impl Reply {
    pub(crate) fn frame(&self) -> Option<&[u8]> {
        match self {
            Self::Frame(frame) => Some(frame),
            Self::Nothing | Self::Refused => None,
        }
    }

    pub(crate) fn as_answer(&mut self) -> Answer<'_> {
        match self {
            Self::Frame(frame) => Answer::Frame(frame),
            Self::Nothing => Answer::Nothing,
            Self::Refused => Answer::Refused,
        }
    }
}

/// What waits for a host that stands still or is blocked.
#[derive(Debug)]
pub(crate) enum Later {
    Input(Input),
    /// Its disk has answered.
    Saved(Result<(), String>),
}

/// Who waits for the reply to a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker {
    pub(crate) host: u32,
    pub(crate) life: u32,
    pub(crate) exchange: ExchangeId,
}

/// What a blocked host would have sent.
#[derive(Debug)]
pub(crate) enum Held {
    Datagram { to: SocketAddr, bytes: Vec<u8> },
    Request { to: SocketAddr, exchange: ExchangeId, frame: Vec<u8> },
    Reply { asker: Asker, reply: Reply },
}

/// A machine and, while it is up, the node on it.
pub(crate) struct Host {
    pub(crate) id: NodeId,
    pub(crate) node: Option<Node>,
    pub(crate) condition: Condition,
    pub(crate) skew: Skew,
    /// Which process this is; what belongs to an earlier one is of no meaning to it.
    pub(crate) life: u32,
    pub(crate) address: SocketAddr,
    /// The moment that the node has asked for.
    pub(crate) wake_at: Instant,
    /// The earliest wake-up that is in the queue.
    pub(crate) armed_at: Instant,
    pub(crate) inbox: VecDeque<Later>,
    pub(crate) outbox: Vec<Held>,
    pub(crate) askers: BTreeMap<RequestId, Asker>,
    pub(crate) next_request: u64,
    /// Exchanges without an answer, by when they are given up.
    pub(crate) exchanges: BTreeMap<ExchangeId, Instant>,
    /// When what was sent before has left, with a limited rate.
    pub(crate) uplink_free_at: Instant,
    /// Packets that wait at most.
    pub(crate) inbox_max: usize,
    /// Whether it refuses connections where nobody listens: only its process was killed. A host that
    /// has crashed answers none.
    pub(crate) refuses: bool,
    /// Whether its identity is another host's.
    pub(crate) twin: bool,
    pub(crate) wall_clock: WallClock,
    /// What was given to it at its start, for the next one.
    pub(crate) metadata: Vec<u8>,
    pub(crate) seeds: Vec<SocketAddr>,
    /// What is on its disk.
    pub(crate) saved: SavedState,
    /// What is being written to it.
    pub(crate) saving: Option<SavedState>,
}

impl Host {
    pub(crate) fn new(number: u32, id: NodeId, skew: Skew) -> Self {
        Self {
            id,
            node: None,
            condition: Condition::Down,
            skew,
            life: 0,
            address: address_of(number, 0),
            wake_at: Instant::NEVER,
            armed_at: Instant::NEVER,
            inbox: VecDeque::new(),
            outbox: Vec::new(),
            askers: BTreeMap::new(),
            next_request: 0,
            exchanges: BTreeMap::new(),
            uplink_free_at: Instant::ZERO,
            inbox_max: INBOX_MAX,
            refuses: false,
            twin: false,
            wall_clock: WallClock::default(),
            metadata: Vec::new(),
            seeds: Vec::new(),
            saved: SavedState::default(),
            saving: None,
        }
    }

    /// What its clocks show. The wall clock is kept right by others, so it does not drift with the
    /// other one.
    pub(crate) fn clocks(&self, now: Instant) -> Now {
        Now { monotonic: self.skew.local(now), unix: self.wall_clock.shown(now) }
    }

    /// Whether somebody listens at this port of the host.
    pub(crate) fn listens_at(&self, address: SocketAddr) -> bool {
        self.node.is_some() && self.address == address
    }

    /// Whether it refuses a connection to this address.
    pub(crate) fn refuses_at(&self, address: SocketAddr) -> bool {
        self.refuses && !self.listens_at(address)
    }

    /// Keeps what has come for a host that stands still. Returns whether there was room.
    #[must_use]
    pub(crate) fn keep_for_later(&mut self, input: Input) -> bool {
        let room = self.inbox.len() < self.inbox_max;
        if room {
            self.inbox.push_back(Later::Input(input));
        }
        room
    }

    /// The process is gone, with all that it knew and all that waited for it.
    pub(crate) fn end(&mut self) {
        self.node = None;
        self.refuses = false;
        self.condition = Condition::Down;
        self.life += 1;
        self.wake_at = Instant::NEVER;
        self.inbox.clear();
        self.outbox.clear();
        self.askers.clear();
        self.exchanges.clear();
        self.saving = None;
    }
}

/// The address of a host in its `move`-th place.
pub(crate) fn address_of(host: u32, place: u16) -> SocketAddr {
    let [_, a, b, c] = host.to_be_bytes();
    SocketAddr::from((Ipv4Addr::new(10, a, b, c), PORT + place))
}

/// Which host an address is of, if of any.
pub(crate) fn host_of(address: SocketAddr) -> Option<u32> {
    match address {
        SocketAddr::V4(v4) => match v4.ip().octets() {
            [10, a, b, c] => Some(u32::from_be_bytes([0, a, b, c])),
            _ => None,
        },
        SocketAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skewed_clock_is_told_back_to_the_moment_at_which_it_shows_that() {
        for rate_ppm in [-50_000, -1, 0, 1, 50_000] {
            let skew = Skew { offset: Duration::from_secs(77), rate_ppm };
            for micros in [0, 1, 999_999, 123_456_789] {
                let at = Instant::from_micros(micros);
                let global = skew.global(skew.local(at));
                assert!(global <= at && skew.local(global) >= skew.local(at));
            }
        }
        assert_eq!(Skew::default().global(Instant::NEVER), Instant::NEVER);
    }

    #[test]
    fn an_address_leads_back_to_its_host() {
        for host in [0, 1, 255, 256, 70_000] {
            assert_eq!(host_of(address_of(host, 3)), Some(host));
        }
        assert_eq!(host_of("192.0.2.1:7000".parse().expect("an address")), None);
    }
}
