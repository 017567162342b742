//! The messages of datagrams, laid out by hand (W6).

use bincode::error::EncodeError;

use super::read;
use crate::bounded::Bounded;
use crate::claim::{Claim, State};
use crate::codec::DecodeError;
use crate::identity::Subject;
use crate::limits::DATAGRAM_BYTES_MAX;
use crate::message::{Datagram, Held, StateNote};

const KIND_PING: u8 = 1;
const KIND_ACK: u8 = 2;
const KIND_PING_REQ: u8 = 3;
const KIND_NACK: u8 = 4;
const KIND_GOSSIP: u8 = 5;
const KIND_CORRECTION: u8 = 6;
const KIND_RECORD_REQUEST: u8 = 7;
const KIND_LEAVE: u8 = 8;
const KIND_LEAVE_ACK: u8 = 9;
const KIND_USER: u8 = 10;
const KIND_BITS: u8 = 0b1111;
/// A state digest of 8 bytes follows the kind: of pings and acks, elsewhere skipped.
const FLAG_DIGEST: u8 = 1 << 4;
/// The sender of the digest has no news to tell.
const FLAG_QUIET: u8 = 1 << 5;
/// The subject is named by its whole id.
const FLAG_FULL: u8 = 1 << 7;
// Bit 6 is for later versions, and ignored: a node that dropped what carries it would be taken for
// dead by the first that is upgraded. So neither it nor bit 5 may ever add or move a byte (W11).

pub(super) fn encode(message: &Datagram<'_>, out: &mut Bounded<'_>) -> Result<(), EncodeError> {
    match *message {
        Datagram::Ping { seq, target, from, held, note } => {
            encode_head(KIND_PING, note, out)?;
            out.put(&seq.0.to_le_bytes())?;
            out.put(&target.0.to_le_bytes())?;
            out.put(&from.0.to_le_bytes())?;
            encode_held(held, out)
        }
        Datagram::Ack { seq, note } => {
            encode_head(KIND_ACK, note, out)?;
            out.put(&seq.0.to_le_bytes())
        }
        Datagram::PingReq { seq, from, target } => {
            out.put(&[KIND_PING_REQ | full_flag(target)])?;
            out.put(&seq.0.to_le_bytes())?;
            out.put(&from.0.to_le_bytes())?;
            encode_subject(target, out)
        }
        Datagram::Nack { seq } => encode_seq(KIND_NACK, seq.0, out),
        Datagram::Gossip => out.put(&[KIND_GOSSIP]),
        Datagram::Correction => out.put(&[KIND_CORRECTION]),
        Datagram::RecordRequest { from, subject } => {
            out.put(&[KIND_RECORD_REQUEST | full_flag(subject)])?;
            out.put(&from.0.to_le_bytes())?;
            encode_subject(subject, out)
        }
        Datagram::Leave { seq, id, incarnation } => {
            encode_seq(KIND_LEAVE, seq.0, out)?;
            out.put(id.as_bytes())?;
            out.encode(&incarnation.0)
        }
        Datagram::LeaveAck { seq } => encode_seq(KIND_LEAVE_ACK, seq.0, out),
        Datagram::User { from, payload } => {
            out.put(&[KIND_USER])?;
            out.put(&from.0.to_le_bytes())?;
            out.encode(&payload)
        }
    }
}

fn encode_head(
    kind: u8,
    note: Option<StateNote>,
    out: &mut Bounded<'_>,
) -> Result<(), EncodeError> {
    let Some(StateNote { digest, quiet }) = note else { return out.put(&[kind]) };
    out.put(&[kind | FLAG_DIGEST | if quiet { FLAG_QUIET } else { 0 }])?;
    out.put(&digest.to_le_bytes())
}

fn encode_seq(kind: u8, seq: u32, out: &mut Bounded<'_>) -> Result<(), EncodeError> {
    out.put(&[kind])?;
    out.put(&seq.to_le_bytes())
}

pub(super) fn encode_held(held: Held, out: &mut Bounded<'_>) -> Result<(), EncodeError> {
    out.encode(&held.claim.incarnation.0)?;
    out.put(&[held.claim.state as u8])?;
    out.put(&held.record.to_le_bytes())
}

fn full_flag(subject: Subject) -> u8 {
    match subject {
        Subject::Short(_) => 0,
        Subject::Full(_) => FLAG_FULL,
    }
}

fn encode_subject(subject: Subject, out: &mut Bounded<'_>) -> Result<(), EncodeError> {
    match subject {
        Subject::Short(short) => out.put(&short.0.to_le_bytes()),
        Subject::Full(id) => out.put(id.as_bytes()),
    }
}

pub(super) fn decode<'a>(rest: &mut &'a [u8]) -> Result<Datagram<'a>, DecodeError> {
    let head = read::byte(rest, "kind")?;
    let note = decode_note(head, rest)?;
    let full = head & FLAG_FULL != 0;
    let message = match head & KIND_BITS {
        KIND_PING => Datagram::Ping {
            seq: read::seq(rest)?,
            target: read::tiny(rest, "target")?,
            from: read::tiny(rest, "from")?,
            held: decode_held(rest)?,
            note,
        },
        KIND_ACK => Datagram::Ack { seq: read::seq(rest)?, note },
        KIND_PING_REQ => Datagram::PingReq {
            seq: read::seq(rest)?,
            from: read::tiny(rest, "from")?,
            target: read::subject(rest, full)?,
        },
        KIND_NACK => Datagram::Nack { seq: read::seq(rest)? },
        KIND_GOSSIP => Datagram::Gossip,
        KIND_CORRECTION => Datagram::Correction,
        KIND_RECORD_REQUEST => Datagram::RecordRequest {
            from: read::tiny(rest, "from")?,
            subject: read::subject(rest, full)?,
        },
        KIND_LEAVE => Datagram::Leave {
            seq: read::seq(rest)?,
            id: read::id(rest)?,
            incarnation: read::incarnation(rest)?,
        },
        KIND_LEAVE_ACK => Datagram::LeaveAck { seq: read::seq(rest)? },
        KIND_USER => Datagram::User {
            from: read::short(rest, "from")?,
            payload: read::bytes(rest, DATAGRAM_BYTES_MAX, "payload")?,
        },
        _ => return Err(DecodeError::UnknownKind),
    };
    if full && !matches!(message, Datagram::PingReq { .. } | Datagram::RecordRequest { .. }) {
        return Err(DecodeError::Malformed("kind"));
    }
    Ok(message)
}

fn decode_note(head: u8, rest: &mut &[u8]) -> Result<Option<StateNote>, DecodeError> {
    if head & FLAG_DIGEST == 0 {
        return Ok(None);
    }
    let digest = u64::from_le_bytes(read::array(rest, "digest")?);
    Ok(Some(StateNote { digest, quiet: head & FLAG_QUIET != 0 }))
}

pub(super) fn decode_held(rest: &mut &[u8]) -> Result<Held, DecodeError> {
    let incarnation = read::incarnation(rest)?;
    // The upper bits of the state are of later versions.
    let state = State::from_bits(read::byte(rest, "state")?);
    let record = u16::from_le_bytes(read::array(rest, "record hash")?);
    Ok(Held { claim: Claim::new(incarnation, state), record })
}
