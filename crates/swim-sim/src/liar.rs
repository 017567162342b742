//! A member that lies: it was let in, and forges what it says of others.

use std::net::SocketAddr;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use swim_proto::{
    Accusers, BincodeCodec, Codec, Datagram, Fit, Incarnation, NodeId, Part, RecordFields, Subject,
    TinyId, Versions,
};

use crate::cluster::{Cluster, HostIx};
use crate::lie::Lie;

/// Who lies, and what it does all the time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Liar {
    pub(crate) host: HostIx,
    acks: bool,
    refuses: bool,
}

impl Cluster {
    /// From now on `liar` forges, so that only what holds in spite of a liar is checked.
    pub fn trust_nobody(&mut self, liar: HostIx) {
        self.liar = Some(Liar { host: liar, acks: false, refuses: false });
        if let Some(checker) = &mut self.checker {
            checker.liar = true;
        }
    }

    /// The liar forges, if there is one.
    pub fn lie(&mut self, lie: &Lie) {
        let Some(liar) = &mut self.liar else { return };
        match lie {
            Lie::AckForOthers => liar.acks = true,
            Lie::Refuse => liar.refuses = true,
            _ => {}
        }
        let from = liar.host;
        let packets = self.forge_packets(lie);
        let hosts: Vec<SocketAddr> =
            self.hosts().filter(|&ix| ix != from).map(|ix| self.address(ix)).collect();
        for to in hosts {
            for bytes in &packets {
                self.forge(from, to, bytes.clone());
            }
        }
    }

    /// What the liar does with a packet that came for it, if that is not what all do. Returns
    /// whether the packet is done with.
    pub(crate) fn is_lied_to(&mut self, ix: u32, from: SocketAddr, bytes: &[u8]) -> bool {
        let Some(liar) = self.liar.filter(|liar| liar.host.0 == ix) else { return false };
        if !liar.acks && !liar.refuses {
            return false;
        }
        let (mut read, mut scratch) = (bytes.to_vec(), Vec::new());
        let mut codec = BincodeCodec::new(self.name.clone());
        let Ok(packet) = codec.decode_datagram(&mut read, &mut scratch) else { return false };
        match packet.message {
            Datagram::PingReq { seq, .. } => {
                if liar.acks {
                    let ack = self.encode_forged(&Datagram::Ack { seq, note: None }, &[]);
                    self.forge(liar.host, from, ack);
                }
                true
            }
            Datagram::RecordRequest { .. } => liar.refuses,
            _ => false,
        }
    }

    fn forge_packets(&mut self, lie: &Lie) -> Vec<Vec<u8>> {
        if let Lie::Garbage(count) = *lie {
            return (0..count).map(|_| self.forge_garbage()).collect();
        }
        let messages = self.forge_messages(lie);
        let parts = self.forge_parts(lie);
        let alone = messages.iter().map(|message| self.encode_forged(message, &[]));
        let gossip = parts.chunks(16).map(|chunk| self.encode_forged(&Datagram::Gossip, chunk));
        alone.chain(gossip).collect()
    }

    /// A datagram that passes its check, and says what nobody can read: random bytes as its parts,
    /// or as a member's record.
    fn forge_garbage(&mut self) -> Vec<u8> {
        let length = self.rng.random_range(0..700);
        let garbage: Vec<u8> = (0..length).map(|_| self.rng.random()).collect();
        let mut codec = BincodeCodec::new(self.name.clone());
        let (mut out, limit) = (Vec::new(), 1_400);
        if codec.begin_datagram(&Datagram::Gossip, limit, &mut out).is_ok() {
            if self.rng.random_range(0..2) == 0 {
                out.extend_from_slice(&garbage);
            } else {
                let id = NodeId::from_bytes(self.rng.random());
                let part = Part::Alive { id, incarnation: Incarnation(1), record: &garbage };
                let _: Fit = codec.push(&part, limit, &mut out);
            }
            codec.finish(&mut out);
        }
        out
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
            Lie::Noise(_) | Lie::Garbage(_) | Lie::AckForOthers | Lie::Refuse => Vec::new(),
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
