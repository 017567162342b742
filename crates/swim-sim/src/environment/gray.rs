//! Environments in which some members can be reached in one way and not in another.

use std::collections::BTreeSet;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use super::loss::SomeLinks;
use super::packet::{Carried, Judge, Kind, Packet, Verdict};
use super::{Entry, Parameter, Setup};

const MEMBERS: Parameter = Parameter::percent("the percentage of members", 10);

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "gray-acks-only",
        parameters: &[MEMBERS],
        about: "of what some members send, only acks arrive",
        begin: |setup| gray(setup, |packet| from(packet) && !is_ack(packet)),
    },
    Entry {
        name: "udp-dead",
        parameters: &[MEMBERS],
        about: "some members neither send nor receive datagrams; exchanges pass",
        begin: |setup| gray(setup, |packet| !is_stream(packet)),
    },
    Entry {
        name: "udp-in-dead",
        parameters: &[MEMBERS],
        about: "some members receive no datagrams; exchanges pass",
        begin: |setup| gray(setup, |packet| !from(packet) && !is_stream(packet)),
    },
    Entry {
        name: "udp-out-dead",
        parameters: &[MEMBERS],
        about: "no datagrams arrive that some members send; exchanges pass",
        begin: |setup| gray(setup, |packet| from(packet) && !is_stream(packet)),
    },
    Entry {
        name: "tcp-dead",
        parameters: &[MEMBERS],
        about: "some members have no exchanges; datagrams pass",
        begin: |setup| gray(setup, is_stream),
    },
    Entry {
        name: "half-reach",
        parameters: &[MEMBERS],
        about: "some members and half of all others do not reach each other",
        begin: |setup| half(setup, Direction::Both),
    },
    Entry {
        name: "half-mute",
        parameters: &[MEMBERS],
        about: "some members do not reach half of all others, which reach them",
        begin: |setup| half(setup, Direction::Out),
    },
];

/// A packet of a gray member.
#[derive(Clone, Copy)]
struct Own {
    carried: Carried,
    /// The member sends it; otherwise it is sent to the member.
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

/// Hosts that lose some kinds of their packets.
struct Gray {
    hosts: BTreeSet<u32>,
    loses: fn(Own) -> bool,
}

fn gray(setup: &mut Setup<'_>, loses: fn(Own) -> bool) {
    let hosts = setup.link_badly(setup.environment.per_mille(0));
    setup.judge(Gray { hosts, loses });
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

/// Hosts whose packets to half of the others are lost, and perhaps those from that half.
struct Half {
    hosts: BTreeSet<u32>,
    links: SomeLinks,
    direction: Direction,
}

fn half(setup: &mut Setup<'_>, direction: Direction) {
    let hosts = setup.link_badly(setup.environment.per_mille(0));
    let links = SomeLinks { share: 500, salt: setup.rng.random() };
    setup.judge(Half { hosts, links, direction });
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
