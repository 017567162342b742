//! Environments that lose packets: all alike, in bursts, by link, by node or in one direction.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use super::burst::{Burst, Means};
use super::packet::{Carried, Judge, Packet, Verdict};
use super::{Draft, Entry, Parameter};
use crate::link::hits;

/// In a bad time of a bursty link or node so many of 1,000 packets are lost.
const LOST_IN_BURST: u32 = 750;

const LOST: Parameter = Parameter::percent("the percentage of packets that are lost", 20);
/// Where some links are bad, they are worse.
const BAD_LOST: Parameter = Parameter::percent("the percentage of packets that are lost", 50);
const BURST: Parameter = Parameter::seconds("the mean length of a bad time in seconds", 1_000);

pub(super) const ENTRIES: &[Entry] = &[
    Entry { name: "clean", parameters: &[], about: "nothing is wrong", begin: |_| {} },
    Entry {
        name: "loss",
        parameters: &[LOST],
        about: "packets are lost, all with the same chance",
        begin: |draft| draft.judge(Everywhere { per_mille: draft.environment.per_mille(0) }),
    },
    Entry {
        name: "loss-notcp",
        parameters: &[LOST],
        about: "datagrams are lost, all with the same chance, and no exchange passes",
        begin: |draft| {
            draft.judge(Everywhere { per_mille: draft.environment.per_mille(0) });
            draft.judge(NoStreams);
        },
    },
    Entry {
        name: "ge-link",
        parameters: &[LOST, BURST],
        about: "each direction of each link has bad times of its own, with 75 % loss",
        begin: |draft| {
            draft.link_all_badly();
            let means = means(draft, draft.environment.per_mille(0));
            draft.judge(BurstyLinks { means, links: BTreeMap::new() });
        },
    },
    Entry {
        name: "ge-node",
        parameters: &[LOST, BURST],
        about: "each member has bad times, with 75 % loss of what it sends and receives",
        begin: |draft| {
            draft.link_all_badly();
            let means = means(draft, half(draft.environment.per_mille(0)));
            draft.judge(BurstyNodes { means, nodes: BTreeMap::new() });
        },
    },
    Entry {
        name: "bad-switch",
        parameters: &[
            BAD_LOST,
            Parameter::percent("the percentage of members behind the switch", 10),
        ],
        about: "packets between the members behind a switch and all others are lost",
        begin: bad_switch,
    },
    Entry {
        name: "bad-links-oneway",
        parameters: &[
            Parameter::percent("the percentage of links", 10),
            Parameter::percent("the percentage of packets lost on them", 100),
        ],
        about: "some links lose packets in one direction",
        begin: |draft| {
            draft.link_all_badly();
            let share = draft.environment.per_mille(0);
            let per_mille = draft.environment.per_mille(1);
            let links = SomeLinks { share, salt: draft.rng.random() };
            draft.judge(BadLinks { links, per_mille });
        },
    },
    Entry {
        name: "asym-out",
        parameters: &[BAD_LOST, MEMBERS],
        about: "some members lose packets that they send",
        begin: |draft| {
            let hosts = draft.link_badly(draft.environment.per_mille(1));
            draft.judge(OutOf { hosts, per_mille: draft.environment.per_mille(0) });
        },
    },
    Entry {
        name: "asym-in",
        parameters: &[BAD_LOST, MEMBERS],
        about: "some members lose packets that are sent to them",
        begin: |draft| {
            let hosts = draft.link_badly(draft.environment.per_mille(1));
            draft.judge(Into { hosts, per_mille: draft.environment.per_mille(0) });
        },
    },
];

const MEMBERS: Parameter = Parameter::percent("the percentage of members", 30);

/// Good and bad times in which so many of 1,000 packets are lost on the whole.
fn means(draft: &Draft<'_>, per_mille: u32) -> Means {
    Means::new(draft.environment.span(1), per_mille * 1_000 / LOST_IN_BURST)
}

/// What each of two must lose, so that together they lose so many of 1,000.
fn half(per_mille: u32) -> u32 {
    per_mille / 2 + per_mille * per_mille / 8_000
}

fn bad_switch(draft: &mut Draft<'_>) {
    let (per_mille, share) = (draft.environment.per_mille(0), draft.environment.per_mille(1));
    let behind = draft.link_badly(share);
    if share >= 500 {
        // Of two halves neither is the better one.
        draft.link_all_badly();
    }
    draft.judge(Switch { behind, per_mille });
}

/// So many of 1,000 packets are lost.
struct Everywhere {
    per_mille: u32,
}

impl Judge for Everywhere {
    fn judge(&mut self, _: Packet, rng: &mut Xoshiro256PlusPlus) -> Verdict {
        Verdict::lost(hits(self.per_mille, rng))
    }
}

/// Only datagrams pass.
struct NoStreams;

impl Judge for NoStreams {
    fn judge(&mut self, packet: Packet, _: &mut Xoshiro256PlusPlus) -> Verdict {
        Verdict::lost(packet.carried == Carried::Stream)
    }
}

/// Each direction of each link has good and bad times.
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

/// Each node has good and bad times.
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

/// What passes a switch is lost by chance.
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

/// So many of 1,000 directions of links: which ones follows from the numbers of their ends.
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

/// Some directions of links lose packets by chance.
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

/// What some send is lost by chance.
struct OutOf {
    hosts: BTreeSet<u32>,
    per_mille: u32,
}

impl Judge for OutOf {
    fn judge(&mut self, packet: Packet, rng: &mut Xoshiro256PlusPlus) -> Verdict {
        Verdict::lost(self.hosts.contains(&packet.from) && hits(self.per_mille, rng))
    }
}

/// What is sent to some is lost by chance.
struct Into {
    hosts: BTreeSet<u32>,
    per_mille: u32,
}

impl Judge for Into {
    fn judge(&mut self, packet: Packet, rng: &mut Xoshiro256PlusPlus) -> Verdict {
        Verdict::lost(self.hosts.contains(&packet.to) && hits(self.per_mille, rng))
    }
}
