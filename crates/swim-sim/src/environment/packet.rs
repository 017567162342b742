//! What an environment does to packets: each is judged, whether it is lost and how late it comes.

use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use swim_membership::Instant;

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    /// A datagram of this kind.
    Datagram(Kind),
    /// Something of an exchange.
    Stream,
}

/// The kind of a datagram, as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind(u8);

impl Kind {
    pub(crate) const PING: Self = Self(1);
    pub(crate) const ACK: Self = Self(2);
    /// How many kinds there can be.
    pub(crate) const COUNT: usize = 16;

    /// Where it stands, behind version and check, and in which bits (W5).
    const AT: usize = 5;
    const BITS: u8 = 0b1111;

    pub(crate) fn of(datagram: &[u8]) -> Self {
        Self(datagram.get(Self::AT).map_or(0, |byte| byte & Self::BITS))
    }

    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }

    /// The name of the kind with this number.
    pub(crate) const fn name(index: usize) -> &'static str {
        match index {
            1 => "ping",
            2 => "ack",
            3 => "ping-req",
            4 => "nack",
            5 => "gossip",
            6 => "correction",
            7 => "record request",
            8 => "leave",
            9 => "leave ack",
            10 => "user",
            _ => "other",
        }
    }
}

/// Something on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) at: Instant,
    pub(crate) carried: Carried,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) lost: bool,
    /// Beyond what the link takes by itself.
    pub(crate) delay: Duration,
}

impl Verdict {
    pub(crate) const fn lost(lost: bool) -> Self {
        Self { lost, delay: Duration::ZERO }
    }

    pub(crate) const fn late(delay: Duration) -> Self {
        Self { lost: false, delay }
    }
}

/// Says what becomes of packets.
pub(crate) trait Judge: Send {
    fn judge(&mut self, packet: Packet, rng: &mut Xoshiro256PlusPlus) -> Verdict;
}

/// What an environment does to the network.
pub(crate) struct Air {
    judges: Vec<Box<dyn Judge>>,
    /// Apart from the chance of the cluster, which so stays as it would be without.
    rng: Xoshiro256PlusPlus,
}

impl Air {
    pub(super) fn new(judges: Vec<Box<dyn Judge>>, rng: Xoshiro256PlusPlus) -> Self {
        Self { judges, rng }
    }

    /// All judges together: what one loses is lost, and delays add up.
    pub(crate) fn judge(&mut self, packet: Packet) -> Verdict {
        let mut all = Verdict::default();
        for judge in &mut self.judges {
            let one = judge.judge(packet, &mut self.rng);
            all.lost |= one.lost;
            all.delay += one.delay;
        }
        all
    }
}
