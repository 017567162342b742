//! How many bytes everything takes, as a table (the document has the same one).

use swim_proto::{
    Datagram, Held, Part, RecordFields, Reply, Request, StateNote, Subject, Versions,
};

use super::wire::{FRAME_HEADER_BYTES, HEADER_BYTES};

const KIND: usize = 1;
const SEQ: usize = 4;
const TINY: usize = 4;
const SHORT: usize = 8;
const ID: usize = 16;
const KEY: usize = 8;
const DIGEST: usize = 8;
const CURSOR: usize = 8;
const BUCKETS: usize = 32;

pub(crate) fn of_datagram(message: &Datagram<'_>) -> usize {
    HEADER_BYTES
        + KIND
        + match *message {
            Datagram::Ping { held, note, .. } => of_note(note) + SEQ + TINY + TINY + of_held(held),
            Datagram::Ack { note, .. } => of_note(note) + SEQ,
            Datagram::Nack { .. } | Datagram::LeaveAck { .. } => SEQ,
            Datagram::PingReq { target, .. } => SEQ + TINY + of_subject(target),
            Datagram::Gossip | Datagram::Correction => 0,
            Datagram::RecordRequest { subject, .. } => TINY + of_subject(subject),
            Datagram::Leave { incarnation, .. } => SEQ + ID + of_number(incarnation.0),
            Datagram::User { payload, .. } => SHORT + of_bytes(payload),
        }
}

pub(crate) fn of_part(part: &Part<'_>) -> usize {
    KIND + match *part {
        Part::Alive { incarnation, record, .. } => ID + of_number(incarnation.0) + of_bytes(record),
        Part::Suspect { subject, incarnation, accusers }
        | Part::Dead { subject, incarnation, accusers } => {
            of_subject(subject) + of_number(incarnation.0) + TINY * accusers.as_slice().len()
        }
        Part::Left { subject, incarnation } => of_subject(subject) + of_number(incarnation.0),
        Part::Broadcast { payload, .. } => SHORT + KEY + of_bytes(payload),
        Part::Seen { address } => 1 + if address.is_ipv4() { 6 } else { 18 },
        Part::Room { .. } => 1 + 4,
    }
}

pub(crate) fn of_request(request: &Request<'_>) -> usize {
    FRAME_HEADER_BYTES
        + KIND
        + match *request {
            Request::Join { cluster } => 1 + cluster.len(),
            Request::Sync { digests, .. } => ID + BUCKETS + DIGEST * digests.buckets().len(),
            Request::Records { .. } => ID + BUCKETS + CURSOR,
            Request::Ping { held, .. } => SEQ + TINY + TINY + of_held(held),
            Request::User { payload, .. } => SHORT + of_bytes(payload),
            Request::Leave { incarnation, .. } => SEQ + ID + of_number(incarnation.0),
        }
}

pub(crate) fn of_reply(reply: &Reply<'_>) -> usize {
    FRAME_HEADER_BYTES
        + KIND
        + match *reply {
            Reply::Entries { .. } => ID + DIGEST + BUCKETS + CURSOR,
            Reply::Refusal { cluster, .. } => 1 + 1 + cluster.len(),
            Reply::Ack { .. } => SEQ,
        }
}

pub(crate) fn of_record(fields: &RecordFields<'_>) -> usize {
    let address = if fields.address.is_ipv4() { 4 + 2 } else { 16 + 2 };
    let versions = if fields.versions == Versions::default() { 0 } else { 2 };
    let name = if fields.name.is_empty() { 0 } else { 1 + fields.name.len() };
    let metadata = if fields.metadata.is_empty() { 0 } else { 2 + fields.metadata.len() };
    1 + versions + address + name + metadata + fields.later.len()
}

/// Incarnation, state and 2 bytes of the record's hash.
fn of_held(held: Held) -> usize {
    of_number(held.claim.incarnation.0) + 1 + 2
}

fn of_subject(subject: Subject) -> usize {
    match subject {
        Subject::Short(_) => SHORT,
        Subject::Full(_) => ID,
    }
}

fn of_note(note: Option<StateNote>) -> usize {
    if note.is_some() { DIGEST } else { 0 }
}

fn of_bytes(bytes: &[u8]) -> usize {
    of_number(bytes.len() as u64) + bytes.len()
}

fn of_number(number: u64) -> usize {
    match number {
        0..=250 => 1,
        251..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}
