//! Environments in which packets come late.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;

use super::course::Range;
use super::packet::{Judge, Packet, Verdict};
use super::{Entry, Parameter};

const TRIP: Parameter = Parameter::seconds("the round trip in seconds", 600);

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "rtt",
        parameters: &[TRIP],
        about: "the round trip between any two members is this long",
        begin: |draft| draft.judge(Way::of_trip(draft.environment.span(0))),
    },
    Entry {
        name: "far",
        parameters: &[TRIP, Parameter::percent("the percentage of members", 10)],
        about: "some members are far from all others",
        begin: |draft| {
            let hosts = draft.link_badly(draft.environment.per_mille(1));
            draft.judge(Far { hosts, way: Way::of_trip(draft.environment.span(0)) });
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

/// Some are far from all others, and from each other.
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
