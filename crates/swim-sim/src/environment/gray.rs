//! Environments in which some members are reached in one way and not in another.

use std::collections::BTreeSet;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use super::loss::SomeLinks;
use super::packet::{Carried, Judge, Kind, Packet, Verdict};
use super::{Draft, Entry, Parameter};

const MEMBERS: Parameter = Parameter::percent("the percentage of members", 10);

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "gray-acks-only",
        parameters: &[MEMBERS],
        about: "nothing that some members send arrives, except acks",
        begin: |draft| gray(draft, |packet| from(packet) && !is_ack(packet)),
    },
    Entry {
        name: "udp-dead",
        parameters: &[MEMBERS],
        about: "some members neither send nor receive datagrams; exchanges pass",
        begin: |draft| gray(draft, |packet| !is_stream(packet)),
    },
    Entry {
        name: "udp-in-dead",
        parameters: &[MEMBERS],
        about: "some members receive no datagrams; exchanges pass",
        begin: |draft| gray(draft, |packet| !from(packet) && !is_stream(packet)),
    },
    Entry {
        name: "udp-out-dead",
        parameters: &[MEMBERS],
        about: "some members send no datagrams that arrive; exchanges pass",
        begin: |draft| gray(draft, |packet| from(packet) && !is_stream(packet)),
    },
    Entry {
        name: "tcp-dead",
        parameters: &[MEMBERS],
        about: "some members have no exchanges; datagrams pass",
        begin: |draft| gray(draft, is_stream),
    },
    Entry {
        name: "half-reach",
        parameters: &[MEMBERS],
        about: "some members and half of all others do not reach each other",
        begin: |draft| half(draft, Direction::Both),
    },
    Entry {
        name: "half-mute",
        parameters: &[MEMBERS],
        about: "some members do not reach half of all others, which reach them",
        begin: |draft| half(draft, Direction::Out),
    },
];

/// A packet of a gray member.
#[derive(Clone, Copy)]
struct Own {
    carried: Carried,
    /// It sends it, else it is sent to it.
    sends: bool,
}

fn from(packet: Own) -> bool {
    packet.sends
}

fn is_ack(packet: Own) -> bool {
    packet.carried == Carried::Datagram(Kind::ACK)
}

fn is_stream(packet: Own) -> bool {
    packet.carried == Carried::Stream
}

/// Members of whose packets some kinds are lost.
struct Gray {
    hosts: BTreeSet<u32>,
    loses: fn(Own) -> bool,
}

fn gray(draft: &mut Draft<'_>, loses: fn(Own) -> bool) {
    let hosts = draft.link_badly(draft.environment.per_mille(0));
    draft.judge(Gray { hosts, loses });
}

impl Judge for Gray {
    fn judge(&mut self, packet: Packet, _: &mut Xoshiro256PlusPlus) -> Verdict {
        let Packet { from, to, carried, .. } = packet;
        let loses = |host, sends| self.hosts.contains(host) && (self.loses)(Own { carried, sends });
        Verdict::lost(loses(&from, true) || loses(&to, false))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Both,
    Out,
}

/// Members that half of the others do not reach, or do not hear.
struct Half {
    hosts: BTreeSet<u32>,
    links: SomeLinks,
    direction: Direction,
}

fn half(draft: &mut Draft<'_>, direction: Direction) {
    let hosts = draft.link_badly(draft.environment.per_mille(0));
    let links = SomeLinks { share: 500, salt: draft.rng.random() };
    draft.judge(Half { hosts, links, direction });
}

impl Judge for Half {
    fn judge(&mut self, packet: Packet, _: &mut Xoshiro256PlusPlus) -> Verdict {
        let Packet { from, to, .. } = packet;
        let lost_out = self.hosts.contains(&from) && self.links.contains(from, to);
        let both = self.direction == Direction::Both;
        let lost_in = both && self.hosts.contains(&to) && self.links.contains(to, from);
        Verdict::lost(lost_out || lost_in)
    }
}
