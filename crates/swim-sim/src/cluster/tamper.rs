//! What happens to bytes on their way: none of it may do more than be counted, or be heard twice.

use std::net::SocketAddr;
use std::time::Duration;

use rand::RngExt;
use swim_proto::{
    BincodeCodec, ClusterName, Codec, Datagram, Fit, Incarnation, NodeId, Part, RecordFields,
    Versions,
};

use super::Cluster;
use crate::host::address_of;
use crate::link::{Tampering, hits};

/// Packets that are remembered, to be played again or spliced.
const RECORDED_MAX: usize = 64;
/// A packet that is played again comes within this time.
const REPLAY_WITHIN: Duration = Duration::from_secs(20);

/// Where the kind of a datagram stands, behind version and check (W5).
const KIND_AT: usize = 5;
/// Of the tag of a part: a length follows, by which it can be skipped (W11).
const PART_WITH_LENGTH: u8 = 1 << 6;

/// A packet as it was on the wire.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

impl Cluster {
    /// Does to a datagram what the network does to bytes now, and returns what arrives of it.
    pub(super) fn tamper(
        &mut self,
        ix: u32,
        from: SocketAddr,
        to: SocketAddr,
        mut bytes: Vec<u8>,
    ) -> Vec<u8> {
        let Tampering { flips, cuts, splices, replays, foreign, later } = self.links.tampering;
        if self.links.tampering == Tampering::default() {
            return bytes;
        }
        if hits(replays, &mut self.rng) {
            self.replay();
        }
        if hits(foreign, &mut self.rng) {
            self.traffic.foreign += 1;
            let stray = self.forge_foreign();
            self.arrive(ix, self.now, from, to, stray);
        }
        self.record(from, to, &bytes);
        if hits(later, &mut self.rng) {
            self.make_later(&mut bytes);
        }
        if hits(flips, &mut self.rng) {
            self.flip(&mut bytes);
        }
        if hits(cuts, &mut self.rng) {
            self.traffic.damaged += 1;
            bytes.truncate(self.rng.random_range(0..bytes.len().max(1)));
        }
        if hits(splices, &mut self.rng) {
            self.splice(&mut bytes);
        }
        bytes
    }

    /// The same for frames, though a stream has checks of its own: they cannot be played again.
    pub(super) fn tamper_frame(&mut self, frame: &mut Vec<u8>) {
        let Tampering { flips, cuts, .. } = self.links.tampering;
        if hits(flips, &mut self.rng) {
            self.flip(frame);
        }
        if hits(cuts, &mut self.rng) {
            self.traffic.damaged += 1;
            frame.truncate(self.rng.random_range(0..frame.len().max(1)));
        }
    }

    /// The datagram as a later version of the protocol may write it (W11): with a part that nobody
    /// knows, or of another kind. Its check is good.
    fn make_later(&mut self, bytes: &mut Vec<u8>) {
        self.traffic.later += 1;
        let length = self.rng.random_range(0..100);
        let unknown: Vec<u8> = (0..length).map(|_| self.rng.random()).collect();
        if self.rng.random_range(0..4) > 0 {
            bytes.extend([PART_WITH_LENGTH | 6, length]);
            bytes.extend(unknown);
        } else if let Some(kind) = bytes.get_mut(KIND_AT) {
            *kind = *kind & 0xf0 | 0x0f;
        }
        let mut codec = BincodeCodec::new(self.name.clone());
        let mut begun = Vec::new();
        // The check is written over what a datagram that was begun has become.
        if codec.begin_datagram(&Datagram::Gossip, usize::MAX, &mut begun).is_ok() {
            codec.finish(bytes);
        }
    }

    fn flip(&mut self, bytes: &mut [u8]) {
        if bytes.is_empty() {
            return;
        }
        self.traffic.damaged += 1;
        for _ in 0..self.rng.random_range(1..=8) {
            let at = self.rng.random_range(0..bytes.len());
            bytes[at] ^= 1 << self.rng.random_range(0..8);
        }
    }

    fn splice(&mut self, bytes: &mut Vec<u8>) {
        if self.recorded.is_empty() {
            return;
        }
        self.traffic.damaged += 1;
        let other = &self.recorded[self.rng.random_range(0..self.recorded.len())].bytes;
        bytes.truncate(self.rng.random_range(0..=bytes.len()));
        bytes.extend_from_slice(&other[self.rng.random_range(0..=other.len())..]);
    }

    fn record(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let packet = Recorded { from, to, bytes: bytes.to_vec() };
        if self.recorded.len() < RECORDED_MAX {
            self.recorded.push(packet);
        } else {
            // Some stay for long, so that old words are heard again too.
            let at = self.rng.random_range(0..RECORDED_MAX);
            self.recorded[at] = packet;
        }
    }

    fn replay(&mut self) {
        if self.recorded.is_empty() {
            return;
        }
        self.traffic.replayed += 1;
        let packet = self.recorded[self.rng.random_range(0..self.recorded.len())].clone();
        let Recorded { from, mut to, bytes } = packet;
        if self.rng.random_range(0..4) == 0 {
            to = address_of(self.rng.random_range(0..self.len()), 0);
        }
        let micros = self.rng.random_range(0..REPLAY_WITHIN.as_micros() as u64);
        let Some(sender) = crate::host::host_of(from) else { return };
        let leaves_at = self.now + Duration::from_micros(micros);
        self.arrive(sender, leaves_at, from, to, bytes);
    }

    /// News of another cluster about one of its members.
    fn forge_foreign(&mut self) -> Vec<u8> {
        let name = ClusterName::new("another").expect("a constant that is a name");
        let mut codec = BincodeCodec::new(name);
        let (mut out, limit) = (Vec::new(), 1_400);
        let id = NodeId::from_bytes(self.rng.random());
        let fields = RecordFields {
            address: address_of(self.rng.random_range(0..self.len()), 0),
            versions: Versions::default(),
            name: "foreign",
            metadata: &[],
            later: &[],
        };
        let record = fields.build().expect("a proper record");
        codec.begin_datagram(&Datagram::Gossip, limit, &mut out).expect("an empty one fits");
        let part = Part::Alive { id, incarnation: Incarnation(1), record: record.as_bytes() };
        let _: Fit = codec.push(&part, limit, &mut out);
        codec.finish(&mut out);
        out
    }
}
