//! A member that lies: it was let in, and forges what it says of others.

use std::net::SocketAddr;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use swim_proto::{
    Accusers, BincodeCodec, Codec, Datagram, Fit, Incarnation, NodeId, Part, RecordFields, Subject,
    TinyId, Versions,
};

use crate::cluster::{Cluster, HostIx};

/// What a liar forges. Each goes to every other host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// That a host is suspect, so far above its incarnation, accused by all.
    Suspect(HostIx, u64),
    /// That a host is dead.
    Dead(HostIx, u64),
    /// That a host has left.
    Left(HostIx, u64),
    /// That a host is alive with a record that is not its own.
    Alive(HostIx, u64),
    /// That there are so many more members.
    Phantoms(u32),
    /// Acks, nacks and pings with random numbers.
    Noise(u32),
}

impl Lie {
    pub(crate) fn random(rng: &mut Xoshiro256PlusPlus, hosts: u32) -> Self {
        let victim = HostIx(rng.random_range(0..hosts - 1));
        let above = match rng.random_range(0..5) {
            0 => 0,
            1 => 1,
            2 => 1 << 16,
            3 => (1 << 16) + 1,
            _ => u64::MAX,
        };
        // What all take for a member's own word moves the bound of the next. Whoever forges that
        // again and again can burn an identity; one datagram cannot.
        let above_alive = if above == 1 << 16 { 1 << 12 } else { above };
        match rng.random_range(0..6) {
            0 => Self::Suspect(victim, above),
            1 => Self::Dead(victim, above),
            2 => Self::Left(victim, above),
            3 => Self::Alive(victim, above_alive),
            4 => Self::Phantoms(rng.random_range(1..200)),
            _ => Self::Noise(rng.random_range(1..100)),
        }
    }
}

impl Cluster {
    /// From now on `liar` forges, so that only what holds in spite of a liar is checked.
    pub fn trust_nobody(&mut self, liar: HostIx) {
        self.liar = Some(liar);
        if let Some(checker) = &mut self.checker {
            checker.liar = true;
        }
    }

    /// The liar forges.
    pub fn lie(&mut self, liar: HostIx, lie: &Lie) {
        let parts = self.forge_parts(lie);
        let hosts: Vec<SocketAddr> =
            self.hosts().filter(|&ix| ix != liar).map(|ix| self.address(ix)).collect();
        for &to in &hosts {
            for message in self.forge_messages(lie) {
                let bytes = self.encode_forged(&message, &[]);
                self.forge(liar, to, bytes);
            }
            for chunk in parts.chunks(16) {
                let bytes = self.encode_forged(&Datagram::Gossip, chunk);
                self.forge(liar, to, bytes);
            }
        }
    }

    fn forge_messages(&mut self, lie: &Lie) -> Vec<Datagram<'static>> {
        let Lie::Noise(count) = *lie else { return Vec::new() };
        let number = |rng: &mut Xoshiro256PlusPlus| swim_proto::Seq(rng.random());
        (0..count)
            .map(|n| match n % 3 {
                0 => Datagram::Ack { seq: number(&mut self.rng), note: None },
                1 => Datagram::Nack { seq: number(&mut self.rng) },
                _ => Datagram::Leave {
                    seq: number(&mut self.rng),
                    id: NodeId::from_bytes(self.rng.random()),
                    incarnation: Incarnation(self.rng.random()),
                },
            })
            .collect()
    }

    fn forge_parts(&mut self, lie: &Lie) -> Vec<Forged> {
        let of = |cluster: &Self, ix: HostIx, above: u64| {
            let own =
                cluster.node(ix).map_or(Incarnation(1), |node| node.local_claim().incarnation);
            (cluster.id(ix), Incarnation(own.0.saturating_add(above)))
        };
        match *lie {
            Lie::Suspect(ix, above) => vec![Forged::Suspect(of(self, ix, above))],
            Lie::Dead(ix, above) => vec![Forged::Dead(of(self, ix, above))],
            Lie::Left(ix, above) => vec![Forged::Left(of(self, ix, above))],
            Lie::Alive(ix, above) => vec![Forged::Alive(of(self, ix, above), 250)],
            Lie::Phantoms(count) => (0..count)
                .map(|n| {
                    let id = NodeId::from_bytes(self.rng.random());
                    Forged::Alive((id, Incarnation(1)), n as u8)
                })
                .collect(),
            Lie::Noise(_) => Vec::new(),
        }
    }

    fn encode_forged(&self, message: &Datagram<'_>, parts: &[Forged]) -> Vec<u8> {
        let mut codec = BincodeCodec::new(self.name.clone());
        let (mut out, limit) = (Vec::new(), 1_400);
        if codec.begin_datagram(message, limit, &mut out).is_err() {
            return out;
        }
        for forged in parts {
            forged.with(|part| {
                let _: Fit = codec.push(&part, limit, &mut out);
            });
        }
        codec.finish(&mut out);
        out
    }
}

/// A part that nobody has the right to send.
#[derive(Clone, Copy, Debug)]
enum Forged {
    Suspect((NodeId, Incarnation)),
    Dead((NodeId, Incarnation)),
    Left((NodeId, Incarnation)),
    Alive((NodeId, Incarnation), u8),
}

impl Forged {
    fn with(&self, push: impl FnOnce(Part<'_>)) {
        let everybody: Accusers = (1..=4).map(TinyId).collect();
        match *self {
            Self::Suspect((id, incarnation)) => {
                push(Part::Suspect {
                    subject: Subject::Full(id),
                    incarnation,
                    accusers: everybody,
                });
            }
            Self::Dead((id, incarnation)) => {
                push(Part::Dead { subject: Subject::Full(id), incarnation, accusers: everybody });
            }
            Self::Left((id, incarnation)) => {
                push(Part::Left { subject: Subject::Full(id), incarnation });
            }
            Self::Alive((id, incarnation), host) => {
                let address = SocketAddr::from(([10, 200, 0, host], 9));
                let record = RecordFields {
                    address,
                    versions: Versions::default(),
                    name: "phantom",
                    metadata: b"forged",
                    later: &[],
                };
                if let Ok(record) = record.build() {
                    push(Part::Alive { id, incarnation, record: record.as_bytes() });
                }
            }
        }
    }
}
