//! How an environment judges packets: whether each is lost, and by how much it is delayed.

use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use swim_membership::Instant;

/// The content of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    /// A datagram of this kind.
    Datagram(Kind),
    /// A part of an exchange.
    Stream,
}

/// The kind of a datagram, by its number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind(u8);

impl Kind {
    pub(crate) const PING: Self = Self(1);
    pub(crate) const ACK: Self = Self(2);
    /// The number of kinds that the wire has room for.
    pub(crate) const COUNT: usize = 16;

    /// Its place behind version and check, and its bits there (W5).
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

/// A packet that is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) at: Instant,
    pub(crate) carried: Carried,
}

/// What the network does to a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) lost: bool,
    /// In addition to the delay of the link.
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

/// A model of a bad network.
pub(crate) trait Judge: Send {
    fn judge(&mut self, packet: Packet, rng: &mut Xoshiro256PlusPlus) -> Verdict;
}

/// The judges of an environment.
pub(crate) struct Judges {
    judges: Vec<Box<dyn Judge>>,
    /// Not that of the cluster, which draws the same numbers as without an environment.
    rng: Xoshiro256PlusPlus,
}

impl Judges {
    pub(super) fn new(judges: Vec<Box<dyn Judge>>, rng: Xoshiro256PlusPlus) -> Self {
        Self { judges, rng }
    }

    /// The verdict of all judges: a packet is lost if one of them loses it; delays add up.
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
