//! Any value that can be said, for quickcheck. Numbers and lengths lie often at an edge.
//!
//! The values of the crate borrow; so each of these keeps the bytes beside a value without them.

use std::cell::OnceCell;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use quickcheck::{Arbitrary, Gen};
use swim_proto::limits::{
    ACCUSERS_MAX, BROADCAST_BYTES_MAX, LATER_BYTES_MIN, METADATA_BYTES_MAX, NAME_BYTES_MAX,
};
use swim_proto::{
    Accusers, BucketDigests, BucketSet, Claim, Datagram, Held, Incarnation, NodeId, Part,
    RecordFields, RefusalReason, Reply, Request, Seq, ShortId, State, StateNote, Subject, TinyId,
    Versions,
};

use super::wire::CLUSTER;

/// The most bytes of a generated application message: more would only make the tests slow.
const PAYLOAD_MAX: usize = 600;

#[derive(Clone, Debug)]
pub(crate) struct AnyDatagram {
    fixed: Datagram<'static>,
    payload: Vec<u8>,
}

impl AnyDatagram {
    pub(crate) fn value(&self) -> Datagram<'_> {
        match self.fixed {
            Datagram::User { from, .. } => Datagram::User { from, payload: &self.payload },
            fixed => fixed,
        }
    }
}

impl Arbitrary for AnyDatagram {
    fn arbitrary(g: &mut Gen) -> Self {
        let seq = Seq(u32::arbitrary(g));
        let fixed = match u8::arbitrary(g) % 10 {
            0 => {
                let (target, from, held) = (tiny(g), tiny(g), held(g));
                Datagram::Ping { seq, target, from, held, note: note(g) }
            }
            1 => Datagram::Ack { seq, note: note(g) },
            2 => Datagram::PingReq { seq, from: tiny(g), target: subject(g) },
            3 => Datagram::Nack { seq },
            4 => Datagram::Gossip,
            5 => Datagram::Correction,
            6 => Datagram::RecordRequest { from: tiny(g), subject: subject(g) },
            7 => Datagram::Leave { seq, id: id(g), incarnation: incarnation(g) },
            8 => Datagram::LeaveAck { seq },
            _ => Datagram::User { from: short(g), payload: &[] },
        };
        let payload = match fixed {
            Datagram::User { .. } => bytes(g, PAYLOAD_MAX),
            _ => Vec::new(),
        };
        Self { fixed, payload }
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let fixed = self.fixed;
        Box::new(self.payload.shrink().map(move |payload| Self { fixed, payload }))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct AnyPart {
    fixed: Part<'static>,
    bytes: Vec<u8>,
}

impl AnyPart {
    pub(crate) fn value(&self) -> Part<'_> {
        match self.fixed {
            Part::Alive { id, incarnation, .. } => {
                Part::Alive { id, incarnation, record: &self.bytes }
            }
            Part::Broadcast { origin, key, .. } => {
                Part::Broadcast { origin, key, payload: &self.bytes }
            }
            fixed => fixed,
        }
    }
}

impl Arbitrary for AnyPart {
    fn arbitrary(g: &mut Gen) -> Self {
        let incarnation = incarnation(g);
        let (fixed, bytes) = match u8::arbitrary(g) % 7 {
            0 => {
                let record = AnyRecord::arbitrary(g).value().build().unwrap();
                let fixed = Part::Alive { id: id(g), incarnation, record: &[] };
                (fixed, record.as_bytes().to_vec())
            }
            1 => {
                let accusers = accusers(g, 1);
                (Part::Suspect { subject: subject(g), incarnation, accusers }, Vec::new())
            }
            2 => {
                let accusers = accusers(g, 0);
                (Part::Dead { subject: subject(g), incarnation, accusers }, Vec::new())
            }
            3 => (Part::Left { subject: subject(g), incarnation }, Vec::new()),
            4 => {
                let record = AnyRecord::arbitrary(g).value().build().unwrap();
                (Part::Seen { address: record.address() }, Vec::new())
            }
            5 => (Part::Room { bytes: u32::arbitrary(g) }, Vec::new()),
            _ => {
                let (origin, key) = (short(g), u64::arbitrary(g));
                let fixed = Part::Broadcast { origin, key, payload: &[] };
                (fixed, bytes(g, BROADCAST_BYTES_MAX))
            }
        };
        Self { fixed, bytes }
    }

    /// Shorter bytes. A record that is cut is none, but a part does not look into it.
    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let fixed = self.fixed;
        Box::new(self.bytes.shrink().map(move |bytes| Self { fixed, bytes }))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct AnyRequest {
    fixed: Request<'static>,
    payload: Vec<u8>,
    /// What a sync makes of the payload.
    digests: OnceCell<Vec<u8>>,
}

impl AnyRequest {
    fn new(fixed: Request<'static>, payload: Vec<u8>) -> Self {
        Self { fixed, payload, digests: OnceCell::new() }
    }

    pub(crate) fn value(&self) -> Request<'_> {
        match self.fixed {
            Request::User { from, .. } => Request::User { from, payload: &self.payload },
            Request::Sync { from, .. } => {
                let (chunks, rest) = self.payload.split_at(self.payload.len() / 9 * 9);
                let buckets: BucketSet = chunks.chunks(9).map(|chunk| chunk[0]).collect();
                let length = 8 * buckets.len();
                // No digest is 0, whatever was left of the bytes.
                let digests = self.digests.get_or_init(|| {
                    chunks.iter().chain(rest).map(|&byte| byte | 1).take(length).collect()
                });
                let digests = BucketDigests::read(buckets, digests).unwrap();
                Request::Sync { from, digests }
            }
            fixed => fixed,
        }
    }
}

impl Arbitrary for AnyRequest {
    fn arbitrary(g: &mut Gen) -> Self {
        let digests = BucketDigests::read(BucketSet::NONE, &[]).unwrap();
        let fixed = match u8::arbitrary(g) % 6 {
            0 => Request::Join { cluster: CLUSTER },
            1 => Request::Sync { from: id(g), digests },
            2 => Request::Records { from: id(g), buckets: buckets(g), pull: cursor(g) },
            3 => {
                let seq = Seq(u32::arbitrary(g));
                Request::Ping { seq, target: tiny(g), from: tiny(g), held: held(g) }
            }
            4 => Request::Leave {
                seq: Seq(u32::arbitrary(g)),
                id: id(g),
                incarnation: incarnation(g),
            },
            _ => Request::User { from: short(g), payload: &[] },
        };
        let payload = match fixed {
            Request::User { .. } | Request::Sync { .. } => bytes(g, PAYLOAD_MAX),
            _ => Vec::new(),
        };
        Self::new(fixed, payload)
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let fixed = self.fixed;
        Box::new(self.payload.shrink().map(move |payload| Self::new(fixed, payload)))
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct AnyReply(pub(crate) Reply<'static>);

impl Arbitrary for AnyReply {
    fn arbitrary(g: &mut Gen) -> Self {
        Self(match u8::arbitrary(g) % 3 {
            0 => {
                let (from, digest) = (id(g), u64::arbitrary(g));
                Reply::Entries { from, digest, buckets: buckets(g), next: cursor(g) }
            }
            1 => Reply::Refusal { cluster: CLUSTER, reason: reason(g) },
            _ => Reply::Ack { seq: Seq(u32::arbitrary(g)) },
        })
    }
}

#[derive(Clone, Debug)]
pub(crate) struct AnyRecord {
    address: SocketAddr,
    versions: Versions,
    name: String,
    metadata: Vec<u8>,
    later: Vec<u8>,
}

impl AnyRecord {
    pub(crate) fn value(&self) -> RecordFields<'_> {
        let Self { address, versions, ref name, ref metadata, ref later } = *self;
        RecordFields { address, versions, name, metadata, later }
    }
}

impl Arbitrary for AnyRecord {
    fn arbitrary(g: &mut Gen) -> Self {
        let (a, b) = (u8::arbitrary(g), u8::arbitrary(g));
        let versions = Versions { min: a.min(b), max: a.max(b) };
        let versions = if bool::arbitrary(g) { versions } else { Versions::default() };
        let (metadata, later) = (bytes(g, METADATA_BYTES_MAX), later(g));
        Self { address: address(g), versions, name: name(g), metadata, later }
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let record = self.clone();
        let shorter = (self.name.clone(), self.metadata.clone(), self.later.clone()).shrink();
        Box::new(shorter.map(move |(name, metadata, later)| {
            let name = plain(&name);
            Self { name, metadata, later, ..record }
        }))
    }
}

/// Any claim.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnyClaim(pub(crate) Claim);

impl Arbitrary for AnyClaim {
    fn arbitrary(g: &mut Gen) -> Self {
        // Few incarnations, so that equal ones meet.
        let incarnation = Incarnation(u64::arbitrary(g) % 4);
        Self(Claim::new(incarnation, State::from_bits(u8::arbitrary(g))))
    }
}

pub(crate) fn number(g: &mut Gen) -> u64 {
    let edges = [0, 1, 250, 251, 0xffff, 0x1_0000, u32::MAX.into(), 1 << 32, u64::MAX];
    match bool::arbitrary(g) {
        true => *g.choose(&edges).unwrap(),
        false => u64::arbitrary(g) >> (u8::arbitrary(g) % 64),
    }
}

fn bytes(g: &mut Gen, max: usize) -> Vec<u8> {
    let any = usize::arbitrary(g) % (max + 1);
    let length = *g.choose(&[0, 1, 250, 251, max, any, any, any]).unwrap();
    (0..length.min(max)).map(|_| u8::arbitrary(g)).collect()
}

/// Any bytes, or entries as W7 has them.
fn later(g: &mut Gen) -> Vec<u8> {
    if bool::arbitrary(g) {
        return bytes(g, LATER_BYTES_MIN);
    }
    let (mut entries, mut tag) = (Vec::new(), u8::arbitrary(g) % 3);
    loop {
        let value = bytes(g, 8);
        if entries.len() + 2 + value.len() > LATER_BYTES_MIN {
            return entries;
        }
        entries.extend([tag, value.len() as u8]);
        entries.extend(value);
        tag += 1 + u8::arbitrary(g) % 4;
    }
}

fn address(g: &mut Gen) -> SocketAddr {
    let (v4, v6) = (Ipv4Addr::from(u32::arbitrary(g)), Ipv6Addr::from(u128::arbitrary(g)));
    let port = u16::arbitrary(g).max(1);
    if bool::arbitrary(g) {
        let one = !v4.is_unspecified() && !v4.is_multicast() && !v4.is_broadcast();
        (if one { v4 } else { Ipv4Addr::LOCALHOST }, port).into()
    } else {
        let one = !v6.is_unspecified() && !v6.is_multicast() && v6.to_ipv4_mapped().is_none();
        (if one { v6 } else { Ipv6Addr::LOCALHOST }, port).into()
    }
}

fn name(g: &mut Gen) -> String {
    match u8::arbitrary(g) % 4 {
        0 => String::new(),
        1 => "n".repeat(NAME_BYTES_MAX),
        _ => plain(&String::arbitrary(g)),
    }
}

/// What of a text may be in a name.
fn plain(text: &str) -> String {
    let mut name: String = text.chars().filter(|c| !c.is_control()).collect();
    while name.len() > NAME_BYTES_MAX {
        name.pop();
    }
    name
}

fn held(g: &mut Gen) -> Held {
    let state = State::from_bits(u8::arbitrary(g));
    Held { claim: Claim::new(incarnation(g), state), record: u16::arbitrary(g) }
}

fn accusers(g: &mut Gen, least: usize) -> Accusers {
    let count = least + usize::arbitrary(g) % (ACCUSERS_MAX + 1 - least);
    let mut accusers = Accusers::new();
    while accusers.as_slice().len() < count {
        accusers.insert(tiny(g));
    }
    accusers
}

fn reason(g: &mut Gen) -> RefusalReason {
    match u8::arbitrary(g) {
        0 => RefusalReason::OtherCluster,
        1 => RefusalReason::Full,
        2 => RefusalReason::Versions,
        3 => RefusalReason::NotRunning,
        4 => RefusalReason::Address,
        5 => RefusalReason::NoReader,
        6 => RefusalReason::NoRoom,
        byte => RefusalReason::Unknown(byte),
    }
}

fn subject(g: &mut Gen) -> Subject {
    if bool::arbitrary(g) { Subject::Short(short(g)) } else { Subject::Full(id(g)) }
}

fn note(g: &mut Gen) -> Option<StateNote> {
    let (digest, quiet) = (u64::arbitrary(g), bool::arbitrary(g));
    bool::arbitrary(g).then_some(StateNote { digest, quiet })
}

fn cursor(g: &mut Gen) -> Option<ShortId> {
    bool::arbitrary(g).then(|| ShortId(number(g).max(1)))
}

fn buckets(g: &mut Gen) -> BucketSet {
    match u8::arbitrary(g) % 4 {
        0 => BucketSet::NONE,
        1 => BucketSet::ALL,
        _ => Vec::<u8>::arbitrary(g).into_iter().collect(),
    }
}

fn id(g: &mut Gen) -> NodeId {
    NodeId::from_bytes(u128::arbitrary(g).to_le_bytes())
}

fn short(g: &mut Gen) -> ShortId {
    ShortId(u64::arbitrary(g))
}

fn tiny(g: &mut Gen) -> TinyId {
    TinyId(u32::arbitrary(g))
}

fn incarnation(g: &mut Gen) -> Incarnation {
    Incarnation(number(g))
}
