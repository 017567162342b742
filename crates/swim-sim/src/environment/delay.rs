//! Environments in which packets come late.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use swim_membership::Instant;

use super::active::Range;
use super::packet::{Carried, Judge, Kind, Packet, Verdict};
use super::{Entry, Parameter, Setup};

const TRIP: Parameter = Parameter::seconds("the round trip in seconds", 600);
const ZONES: Parameter = Parameter::count("the number of zones", 4, 64);

/// Round trips between two zones.
const BETWEEN_ZONES: Range = Range::millis(80, 250);
/// The longest delay in a heavy tail.
const TAIL_MAX: Duration = Duration::from_secs(10);
/// The time in which a queue fills and drains.
const QUEUE_PERIOD: Duration = Duration::from_secs(10);

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "rtt",
        parameters: &[TRIP],
        about: "all round trips take this time",
        begin: |setup| setup.judge(Way::of_trip(setup.environment.span(0))),
    },
    Entry {
        name: "far",
        parameters: &[TRIP, Parameter::percent("the percentage of members", 10)],
        about: "all round trips of some members take this time",
        begin: |setup| {
            let hosts = setup.link_badly(setup.environment.per_mille(1));
            setup.judge(Far { hosts, way: Way::of_trip(setup.environment.span(0)) });
        },
    },
    Entry {
        name: "zones",
        parameters: &[ZONES],
        about: "members are in zones, with round trips of 80 to 250 ms between zones",
        begin: |setup| zones(setup, Tail::None),
    },
    Entry {
        name: "zones-pareto",
        parameters: &[ZONES],
        about: "the same, and one packet in n takes √n times as long, up to 10 s",
        begin: |setup| zones(setup, Tail::Square),
    },
    Entry {
        name: "pareto",
        parameters: &[Parameter::millis("the shortest time in milliseconds", 10)],
        about: "one packet in n takes n times the shortest time, up to 10 s",
        begin: |setup| setup.judge(Tailed { min: setup.environment.millis(0) }),
    },
    Entry {
        name: "bufferbloat",
        parameters: &[
            Parameter::seconds("the longest wait in seconds", 1_500),
            Parameter::percent("the percentage of members", 30),
        ],
        about: "some members send into a queue that fills and drains every 10 s",
        begin: bufferbloat,
    },
    Entry {
        name: "late-inbound",
        parameters: &[
            Parameter::percent("the percentage of members", 30),
            Parameter::seconds("the mean delay in seconds", 1_000),
        ],
        about: "what is sent to some members is delayed, by half to one and a half of the mean",
        begin: |setup| {
            let hosts = setup.link_badly(setup.environment.per_mille(0));
            let mean = setup.environment.span(1);
            setup.judge(LateInto { hosts, time: Range { min: mean / 2, max: mean * 3 / 2 } });
        },
    },
    Entry {
        name: "ack-edge",
        parameters: &[Parameter::percent("the percentage of members", 30)],
        about: "some members answer pings after 0.4 to 0.6 s",
        begin: |setup| {
            let hosts = setup.link_badly(setup.environment.per_mille(0));
            setup.judge(LateAcks { hosts, time: Range::millis(400, 600) });
        },
    },
];

/// Half of a round trip, with a tenth of jitter.
struct Way(Range);

impl Way {
    fn of_trip(trip: Duration) -> Self {
        Self(Range { min: trip * 9 / 20, max: trip * 11 / 20 })
    }
}

impl Judge for Way {
    fn judge(&mut self, _: Packet, rng: &mut Xoshiro256PlusPlus) -> Verdict {
        Verdict::late(self.0.draw(rng))
    }
}

/// Some hosts are far from all others, and from each other.
struct Far {
    hosts: BTreeSet<u32>,
    way: Way,
}

impl Judge for Far {
    fn judge(&mut self, packet: Packet, rng: &mut Xoshiro256PlusPlus) -> Verdict {
        match self.hosts.contains(&packet.from) || self.hosts.contains(&packet.to) {
            true => self.way.judge(packet, rng),
            false => Verdict::default(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    None,
    /// A Pareto distribution with exponent 2: one packet in n takes √n times as long.
    Square,
}

/// Hosts in zones, by the remainder of their numbers. Each two zones have a fixed round trip.
struct Zones {
    zones: u32,
    /// Half of the round trip between two zones, at the index `lower * zones + higher`.
    ways: Vec<Duration>,
    tail: Tail,
}

fn zones(setup: &mut Setup<'_>, tail: Tail) {
    let zones = setup.environment.count(0).max(1);
    let rng = &mut setup.rng;
    let ways = (0..zones * zones).map(|_| BETWEEN_ZONES.draw(rng) / 2).collect();
    setup.judge(Zones { zones, ways, tail });
}

impl Judge for Zones {
    fn judge(&mut self, packet: Packet, rng: &mut Xoshiro256PlusPlus) -> Verdict {
        let (a, b) = (packet.from % self.zones, packet.to % self.zones);
        if a == b {
            return Verdict::default();
        }
        let way = self.ways[(a.min(b) * self.zones + a.max(b)) as usize];
        Verdict::late(match self.tail {
            Tail::None => way,
            Tail::Square => {
                // 2¹⁶ divided by the root of a number below 2³².
                let drawn = u64::from(rng.random::<u32>()).max(1);
                scaled(way, 1 << 16, drawn.isqrt())
            }
        })
    }
}

/// A Pareto distribution with exponent 1: one packet in n takes n times the shortest time.
struct Tailed {
    min: Duration,
}

impl Judge for Tailed {
    fn judge(&mut self, _: Packet, rng: &mut Xoshiro256PlusPlus) -> Verdict {
        let drawn = u64::from(rng.random::<u32>()).max(1);
        Verdict::late(scaled(self.min, 1 << 32, drawn))
    }
}

/// `time * over / under`, at most the longest delay.
fn scaled(time: Duration, over: u64, under: u64) -> Duration {
    let micros = time.as_micros() * u128::from(over) / u128::from(under.max(1));
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)).min(TAIL_MAX.max(time))
}

/// The queues of what some hosts send, each with its phase.
struct Queues {
    longest: Duration,
    phases: Vec<(u32, Duration)>,
}

fn bufferbloat(setup: &mut Setup<'_>) {
    let hosts = setup.link_badly(setup.environment.per_mille(1));
    let phase = Range { min: Duration::ZERO, max: QUEUE_PERIOD };
    let rng = &mut setup.rng;
    let phases = hosts.iter().map(|&host| (host, phase.draw(rng))).collect();
    setup.judge(Queues { longest: setup.environment.span(0), phases });
}

impl Queues {
    /// How long a packet of this host waits: the time rises to the longest and falls to zero.
    fn wait(&self, host: u32, at: Instant) -> Duration {
        let Ok(found) = self.phases.binary_search_by_key(&host, |&(host, _)| host) else {
            return Duration::ZERO;
        };
        let since = Duration::from_micros(at.as_micros()) + self.phases[found].1;
        let (period, half) = (QUEUE_PERIOD.as_micros(), QUEUE_PERIOD.as_micros() / 2);
        let within = since.as_micros() % period;
        let height = within.min(period - within);
        self.longest * height as u32 / half as u32
    }
}

impl Judge for Queues {
    fn judge(&mut self, packet: Packet, _: &mut Xoshiro256PlusPlus) -> Verdict {
        Verdict::late(self.wait(packet.from, packet.at))
    }
}

/// Delay of what is sent to some hosts.
struct LateInto {
    hosts: BTreeSet<u32>,
    time: Range,
}

impl Judge for LateInto {
    fn judge(&mut self, packet: Packet, rng: &mut Xoshiro256PlusPlus) -> Verdict {
        match self.hosts.contains(&packet.to) {
            true => Verdict::late(self.time.draw(rng)),
            false => Verdict::default(),
        }
    }
}

/// Delay of the acks of some hosts.
struct LateAcks {
    hosts: BTreeSet<u32>,
    time: Range,
}

impl Judge for LateAcks {
    fn judge(&mut self, packet: Packet, rng: &mut Xoshiro256PlusPlus) -> Verdict {
        let acks = packet.carried == Carried::Datagram(Kind::ACK);
        match acks && self.hosts.contains(&packet.from) {
            true => Verdict::late(self.time.draw(rng)),
            false => Verdict::default(),
        }
    }
}
