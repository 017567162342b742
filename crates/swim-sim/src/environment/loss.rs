//! Environments that lose packets: uniformly, in bursts, by link, by node or in one direction.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use super::burst::{Burst, Means};
use super::packet::{Carried, Judge, Packet, Verdict};
use super::{Entry, Parameter, Setup};
use crate::link::hits;

/// The loss of a bursty link or node in its bad times, per mille.
const LOST_IN_BURST: u32 = 750;

const LOST: Parameter = Parameter::percent("the percentage of packets that are lost", 20);
/// The same, of environments in which few links are bad.
const BAD_LOST: Parameter = Parameter::percent("the percentage of packets that are lost", 50);
const BURST: Parameter = Parameter::seconds("the mean length of a bad time in seconds", 1_000);

pub(super) const ENTRIES: &[Entry] = &[
    Entry { name: "clean", parameters: &[], about: "nothing is wrong", begin: |_| {} },
    Entry {
        name: "loss",
        parameters: &[LOST],
        about: "all packets are lost with the same probability",
        begin: |setup| setup.judge(Everywhere { per_mille: setup.environment.per_mille(0) }),
    },
    Entry {
        name: "loss-notcp",
        parameters: &[LOST],
        about: "the same for datagrams; no exchange passes",
        begin: |setup| {
            setup.judge(Everywhere { per_mille: setup.environment.per_mille(0) });
            setup.judge(NoStreams);
        },
    },
    Entry {
        name: "ge-link",
        parameters: &[LOST, BURST],
        about: "each direction of each link has bad times, with a loss of 75 %",
        begin: |setup| {
            setup.link_all_badly();
            let means = means(setup, setup.environment.per_mille(0));
            setup.judge(BurstyLinks { means, links: BTreeMap::new() });
        },
    },
    Entry {
        name: "ge-node",
        parameters: &[LOST, BURST],
        about: "each member has bad times, with a loss of 75 % of what it sends and receives",
        begin: |setup| {
            setup.link_all_badly();
            let means = means(setup, half(setup.environment.per_mille(0)));
            setup.judge(BurstyNodes { means, nodes: BTreeMap::new() });
        },
    },
    Entry {
        name: "bad-switch",
        parameters: &[
            BAD_LOST,
            Parameter::percent("the percentage of members behind the switch", 10),
        ],
        about: "a switch loses packets between the members behind it and all others",
        begin: bad_switch,
    },
    Entry {
        name: "bad-links-oneway",
        parameters: &[
            Parameter::percent("the percentage of links", 10),
            Parameter::percent("the percentage of packets lost on them", 100),
        ],
        about: "some links lose packets in one direction",
        begin: |setup| {
            setup.link_all_badly();
            let share = setup.environment.per_mille(0);
            let per_mille = setup.environment.per_mille(1);
            let links = SomeLinks { share, salt: setup.rng.random() };
            setup.judge(BadLinks { links, per_mille });
        },
    },
    Entry {
        name: "asym-out",
        parameters: &[BAD_LOST, MEMBERS],
        about: "some members lose packets that they send",
        begin: |setup| {
            let hosts = setup.link_badly(setup.environment.per_mille(1));
            setup.judge(OutOf { hosts, per_mille: setup.environment.per_mille(0) });
        },
    },
    Entry {
        name: "asym-in",
        parameters: &[BAD_LOST, MEMBERS],
        about: "some members lose packets that are sent to them",
        begin: |setup| {
            let hosts = setup.link_badly(setup.environment.per_mille(1));
            setup.judge(Into { hosts, per_mille: setup.environment.per_mille(0) });
        },
    },
];

const MEMBERS: Parameter = Parameter::percent("the percentage of members", 30);

/// The times of a bursty link or node that has this loss on average.
fn means(setup: &Setup<'_>, per_mille: u32) -> Means {
    Means::new(setup.environment.span(1), per_mille * 1_000 / LOST_IN_BURST)
}

/// The loss of each of two nodes that together have this one.
fn half(per_mille: u32) -> u32 {
    per_mille / 2 + per_mille * per_mille / 8_000
}

fn bad_switch(setup: &mut Setup<'_>) {
    let (per_mille, share) = (setup.environment.per_mille(0), setup.environment.per_mille(1));
    let behind = setup.link_badly(share);
    if share >= 500 {
        // Of two halves, neither is healthy.
        setup.link_all_badly();
    }
    setup.judge(Switch { behind, per_mille });
}

/// Uniform loss.
struct Everywhere {
    per_mille: u32,
}

impl Judge for Everywhere {
    fn judge(&mut self, _: Packet, rng: &mut Xoshiro256PlusPlus) -> Verdict {
        Verdict::lost(hits(self.per_mille, rng))
    }
}

/// No exchange passes.
struct NoStreams;

impl Judge for NoStreams {
    fn judge(&mut self, packet: Packet, _: &mut Xoshiro256PlusPlus) -> Verdict {
        Verdict::lost(packet.carried == Carried::Stream)
    }
}

/// Each direction of each link alternates between good and bad.
struct BurstyLinks {
    means: Means,
    links: BTreeMap<(u32, u32), Burst>,
}

impl Judge for BurstyLinks {
    fn judge(&mut self, packet: Packet, rng: &mut Xoshiro256PlusPlus) -> Verdict {
        let Packet { from, to, at, .. } = packet;
        let link = self.links.entry((from, to));
        let burst = link.or_insert_with(|| Burst::draw(self.means, at, rng));
        Verdict::lost(burst.is_bad(at, rng) && hits(LOST_IN_BURST, rng))
    }
}

/// Each node alternates between good and bad.
struct BurstyNodes {
    means: Means,
    nodes: BTreeMap<u32, Burst>,
}

impl Judge for BurstyNodes {
    fn judge(&mut self, packet: Packet, rng: &mut Xoshiro256PlusPlus) -> Verdict {
        let mut lost = false;
        for node in [packet.from, packet.to] {
            let node = self.nodes.entry(node);
            let burst = node.or_insert_with(|| Burst::draw(self.means, packet.at, rng));
            lost |= burst.is_bad(packet.at, rng) && hits(LOST_IN_BURST, rng);
        }
        Verdict::lost(lost)
    }
}

/// Loss between the hosts behind a switch and all others.
struct Switch {
    behind: BTreeSet<u32>,
    per_mille: u32,
}

impl Judge for Switch {
    fn judge(&mut self, packet: Packet, rng: &mut Xoshiro256PlusPlus) -> Verdict {
        let passes = self.behind.contains(&packet.from) != self.behind.contains(&packet.to);
        Verdict::lost(passes && hits(self.per_mille, rng))
    }
}

/// A share of all directions of links. A hash of the two ends decides which.
pub(super) struct SomeLinks {
    pub(super) share: u32,
    pub(super) salt: u64,
}

impl SomeLinks {
    pub(super) fn contains(&self, from: u32, to: u32) -> bool {
        // The finaliser of SplitMix64.
        let mut bits = self.salt ^ u64::from(from) << 32 ^ u64::from(to);
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ bits >> 31) % 1_000 < u64::from(self.share)
    }
}

/// Loss on some directions of links.
struct BadLinks {
    links: SomeLinks,
    per_mille: u32,
}

impl Judge for BadLinks {
    fn judge(&mut self, packet: Packet, rng: &mut Xoshiro256PlusPlus) -> Verdict {
        let is_bad = self.links.contains(packet.from, packet.to);
        Verdict::lost(is_bad && hits(self.per_mille, rng))
    }
}

/// Loss of what some hosts send.
struct OutOf {
    hosts: BTreeSet<u32>,
    per_mille: u32,
}

impl Judge for OutOf {
    fn judge(&mut self, packet: Packet, rng: &mut Xoshiro256PlusPlus) -> Verdict {
        Verdict::lost(self.hosts.contains(&packet.from) && hits(self.per_mille, rng))
    }
}

/// Loss of what is sent to some hosts.
struct Into {
    hosts: BTreeSet<u32>,
    per_mille: u32,
}

impl Judge for Into {
    fn judge(&mut self, packet: Packet, rng: &mut Xoshiro256PlusPlus) -> Verdict {
        Verdict::lost(self.hosts.contains(&packet.to) && hits(self.per_mille, rng))
    }
}
