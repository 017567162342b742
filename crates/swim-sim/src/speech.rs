//! Packets in words, as the charts of `docs/PROTOCOL.md` write them: the message, then its parts.

use std::collections::BTreeMap;

use swim_proto::{
    Accusers, BincodeCodec, ClusterName, Codec, Datagram, Held, Packet, Part, Parts, RecordFields,
    RefusalReason, Reply, Request, Seq,
};

use crate::host::Reply as Answered;
use crate::names::Names;

/// Parts that are written out; of more it is said how many there are.
const PARTS_MAX: usize = 8;

/// Reads packets for the transcript.
pub(crate) struct Speech {
    codec: BincodeCodec,
    read: Vec<u8>,
    scratch: Vec<u8>,
    numbers: Numbers,
}

/// Probe numbers are random; people count from 1.
#[derive(Default)]
struct Numbers(BTreeMap<u32, usize>);

impl Numbers {
    fn of(&mut self, seq: Seq) -> usize {
        let next = self.0.len() + 1;
        *self.0.entry(seq.0).or_insert(next)
    }
}

impl Speech {
    pub(crate) fn new(cluster: ClusterName) -> Self {
        let codec = BincodeCodec::new(cluster);
        Self { codec, read: Vec::new(), scratch: Vec::new(), numbers: Numbers::default() }
    }

    pub(crate) fn datagram(&mut self, names: &Names, bytes: &[u8]) -> String {
        self.read.clear();
        self.read.extend_from_slice(bytes);
        match self.codec.decode_datagram(&mut self.read, &mut self.scratch) {
            Ok(Packet { message, parts }) => {
                let mut line = say_datagram(&mut self.numbers, names, &message);
                say_parts(&mut line, names, parts);
                line
            }
            Err(error) => format!("{} bytes, {error}", bytes.len()),
        }
    }

    pub(crate) fn request(&mut self, names: &Names, bytes: &[u8]) -> String {
        self.read.clear();
        self.read.extend_from_slice(bytes);
        match self.codec.decode_request(&mut self.read, &mut self.scratch) {
            Ok(Packet { message, parts }) => {
                let mut line = match message {
                    Request::Join { cluster } => format!("join \"{cluster}\""),
                    Request::Sync { .. } => "sync".into(),
                    Request::Records { pull: Some(_), .. } => "records, and go on".into(),
                    Request::Records { pull: None, .. } => "records".into(),
                    Request::Ping { seq, held, .. } => {
                        format!("ping {}, held {}", self.numbers.of(seq), say_held(held))
                    }
                    Request::User { .. } => "user message".into(),
                    Request::Leave { seq, id, incarnation } => {
                        format!("leave {}, {} in {incarnation}", self.numbers.of(seq), names.id(id))
                    }
                };
                say_parts(&mut line, names, parts);
                line
            }
            Err(error) => format!("a request of {} bytes, {error}", bytes.len()),
        }
    }

    pub(crate) fn reply(&mut self, names: &Names, reply: &Answered) -> String {
        let bytes = match reply {
            Answered::Frame(frame) => frame,
            Answered::Nothing => return "no answer".into(),
            Answered::Refused => return "connection refused".into(),
        };
        self.read.clear();
        self.read.extend_from_slice(bytes);
        match self.codec.decode_reply(&mut self.read, &mut self.scratch) {
            Ok(Packet { message, parts }) => {
                let mut line = match message {
                    Reply::Entries { next: Some(_), .. } => "entries, and there are more".into(),
                    Reply::Entries { next: None, .. } => "entries".into(),
                    Reply::Refusal { reason, .. } => format!("refusal, {}", say_reason(reason)),
                    Reply::Ack { seq: Seq(0) } => "ack".into(),
                    Reply::Ack { seq } => format!("ack {}", self.numbers.of(seq)),
                };
                say_parts(&mut line, names, parts);
                line
            }
            Err(error) => format!("a reply of {} bytes, {error}", bytes.len()),
        }
    }
}

fn say_datagram(numbers: &mut Numbers, names: &Names, message: &Datagram<'_>) -> String {
    match *message {
        Datagram::Ping { seq, held, .. } => {
            format!("ping {}, held {}", numbers.of(seq), say_held(held))
        }
        Datagram::Ack { seq, .. } => format!("ack {}", numbers.of(seq)),
        Datagram::PingReq { seq, target, .. } => {
            format!("ping-req {}, {}", numbers.of(seq), names.subject(target))
        }
        Datagram::Nack { seq } => format!("nack {}", numbers.of(seq)),
        Datagram::Gossip => "gossip".into(),
        Datagram::Correction => "correction".into(),
        Datagram::RecordRequest { subject, .. } => {
            format!("record request, {}", names.subject(subject))
        }
        Datagram::Leave { seq, id, incarnation } => {
            format!("leave {}, {} in {incarnation}", numbers.of(seq), names.id(id))
        }
        Datagram::LeaveAck { seq } => format!("leave-ack {}", numbers.of(seq)),
        Datagram::User { from, .. } => format!("user message of {}", names.short(from)),
    }
}

fn say_held(held: Held) -> String {
    format!("{} {}", held.claim.state, held.claim.incarnation)
}

fn say_reason(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::OtherCluster => "another cluster",
        RefusalReason::Full => "full",
        RefusalReason::Versions => "no common version",
        RefusalReason::NotRunning => "not running",
        RefusalReason::Address => "address",
        _ => "for another reason",
    }
}

fn say_parts(line: &mut String, names: &Names, parts: Parts<'_>) {
    let mut more = 0;
    for (position, part) in parts.enumerate() {
        if position >= PARTS_MAX {
            more += 1;
            continue;
        }
        line.push_str(" · ");
        match part {
            Ok(part) => line.push_str(&say_part(names, &part)),
            Err(error) => line.push_str(&error.to_string()),
        }
    }
    if more > 0 {
        line.push_str(&format!(" · and {more} more"));
    }
}

fn say_part(names: &Names, part: &Part<'_>) -> String {
    match *part {
        Part::Alive { id, incarnation, record } => {
            let address = RecordFields::parse(record).map(|fields| fields.address);
            match address {
                Ok(address) if names.is_home(id, address) => {
                    format!("alive {} in {incarnation}", names.id(id))
                }
                Ok(address) => {
                    let at = Names::address(address);
                    format!("alive {} in {incarnation} at {at}", names.id(id))
                }
                Err(_) => format!("alive {} in {incarnation}, a bad record", names.id(id)),
            }
        }
        Part::Suspect { subject, incarnation, accusers } => {
            let by = say_accusers(names, accusers);
            format!("suspect {} in {incarnation}{by}", names.subject(subject))
        }
        Part::Dead { subject, incarnation, accusers } => {
            let by = say_accusers(names, accusers);
            format!("dead {} in {incarnation}{by}", names.subject(subject))
        }
        Part::Left { subject, incarnation } => {
            format!("left {} in {incarnation}", names.subject(subject))
        }
        Part::Broadcast { origin, payload, .. } => {
            format!("broadcast of {}, {} bytes", names.short(origin), payload.len())
        }
        Part::Room { bytes } => format!("room for {bytes} bytes"),
        Part::Seen { address } => format!("seen at {}", Names::address(address)),
    }
}

fn say_accusers(names: &Names, accusers: Accusers) -> String {
    let accusers: Vec<String> = accusers.as_slice().iter().map(|&tiny| names.tiny(tiny)).collect();
    if accusers.is_empty() { String::new() } else { format!(" by {}", accusers.join(", ")) }
}
