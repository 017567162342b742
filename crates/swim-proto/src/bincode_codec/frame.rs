//! The messages of frames, laid out by hand (W10).

use bincode::error::EncodeError;

use super::datagram::{decode_held, encode_held};
use super::read;
use crate::bounded::Bounded;
use crate::cluster::ClusterName;
use crate::codec::{DecodeError, Frame};
use crate::digest::{BucketDigests, BucketSet};
use crate::identity::ShortId;
use crate::limits::FRAME_BYTES_MAX;
use crate::message::{RefusalReason, Reply, Request};

const KIND_JOIN: u8 = 1;
const KIND_SYNC: u8 = 2;
const KIND_PING: u8 = 3;
const KIND_USER: u8 = 4;
const KIND_RECORDS: u8 = 5;
const KIND_LEAVE: u8 = 6;
const KIND_ENTRIES: u8 = 0x81;
const KIND_REFUSAL: u8 = 0x82;
const KIND_ACK: u8 = 0x83;

pub(super) fn encode(frame: &Frame<'_>, out: &mut Bounded<'_>) -> Result<(), EncodeError> {
    match frame {
        Frame::Request(request) => encode_request(request, out),
        Frame::Reply(reply) => encode_reply(reply, out),
    }
}

/// The cluster that a request names, if it names one.
pub(super) fn named_by_request<'a>(request: &Request<'a>) -> Option<&'a str> {
    match *request {
        Request::Join { cluster } => Some(cluster),
        Request::Sync { .. }
        | Request::Records { .. }
        | Request::Ping { .. }
        | Request::User { .. }
        | Request::Leave { .. } => None,
    }
}

/// The cluster that a reply names, if it names one.
pub(super) fn named_by_reply<'a>(reply: &Reply<'a>) -> Option<&'a str> {
    match *reply {
        Reply::Refusal { cluster, .. } => Some(cluster),
        Reply::Entries { .. } | Reply::Ack { .. } => None,
    }
}

fn encode_request(request: &Request<'_>, out: &mut Bounded<'_>) -> Result<(), EncodeError> {
    match *request {
        Request::Join { cluster } => {
            out.put(&[KIND_JOIN])?;
            encode_name(cluster, out)
        }
        Request::Sync { from, digests } => {
            out.put(&[KIND_SYNC])?;
            out.put(from.as_bytes())?;
            out.put(digests.buckets().as_bytes())?;
            out.put(digests.as_bytes())
        }
        Request::Records { from, buckets, pull } => {
            out.put(&[KIND_RECORDS])?;
            out.put(from.as_bytes())?;
            out.put(buckets.as_bytes())?;
            encode_cursor(pull, out)
        }
        Request::Ping { seq, target, from, held } => {
            out.put(&[KIND_PING])?;
            out.put(&seq.0.to_le_bytes())?;
            out.put(&target.0.to_le_bytes())?;
            out.put(&from.0.to_le_bytes())?;
            encode_held(held, out)
        }
        Request::User { from, payload } => {
            out.put(&[KIND_USER])?;
            out.put(&from.0.to_le_bytes())?;
            out.encode(&payload)
        }
        Request::Leave { seq, id, incarnation } => {
            out.put(&[KIND_LEAVE])?;
            out.put(&seq.0.to_le_bytes())?;
            out.put(id.as_bytes())?;
            out.encode(&incarnation.0)
        }
    }
}

fn encode_reply(reply: &Reply<'_>, out: &mut Bounded<'_>) -> Result<(), EncodeError> {
    match *reply {
        Reply::Entries { from, digest, buckets, next } => {
            out.put(&[KIND_ENTRIES])?;
            out.put(from.as_bytes())?;
            out.put(&digest.to_le_bytes())?;
            out.put(buckets.as_bytes())?;
            encode_cursor(next, out)
        }
        Reply::Refusal { cluster, reason } => {
            out.put(&[KIND_REFUSAL, reason_byte(reason)])?;
            encode_name(cluster, out)
        }
        Reply::Ack { seq } => {
            out.put(&[KIND_ACK])?;
            out.put(&seq.0.to_le_bytes())
        }
    }
}

fn encode_name(name: &str, out: &mut Bounded<'_>) -> Result<(), EncodeError> {
    out.put(&[u8::try_from(name.len()).map_err(|_| EncodeError::Other("a name is checked"))?])?;
    out.put(name.as_bytes())
}

/// 0 for none. Nobody goes on from there: that is where all begin.
fn encode_cursor(cursor: Option<ShortId>, out: &mut Bounded<'_>) -> Result<(), EncodeError> {
    match cursor {
        Some(ShortId(0)) => Err(EncodeError::Other("a cursor has told something")),
        cursor => out.put(&cursor.map_or(0, |from| from.0).to_le_bytes()),
    }
}

fn reason_byte(reason: RefusalReason) -> u8 {
    match reason {
        RefusalReason::OtherCluster => 0,
        RefusalReason::Full => 1,
        RefusalReason::Versions => 2,
        RefusalReason::NotRunning => 3,
        RefusalReason::Address => 4,
        RefusalReason::NoReader => 5,
        RefusalReason::NoRoom => 6,
        RefusalReason::Unknown(byte) => byte,
    }
}

fn reason_of(byte: u8) -> RefusalReason {
    match byte {
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

pub(super) fn decode_request<'a>(
    kind: u8,
    rest: &mut &'a [u8],
) -> Result<Request<'a>, DecodeError> {
    Ok(match kind {
        KIND_JOIN => Request::Join { cluster: decode_name(rest)? },
        KIND_SYNC => Request::Sync { from: read::id(rest)?, digests: decode_digests(rest)? },
        KIND_RECORDS => Request::Records {
            from: read::id(rest)?,
            buckets: decode_buckets(rest)?,
            pull: decode_cursor(rest)?,
        },
        KIND_PING => Request::Ping {
            seq: read::seq(rest)?,
            target: read::tiny(rest, "target")?,
            from: read::tiny(rest, "from")?,
            held: decode_held(rest)?,
        },
        KIND_USER => Request::User {
            from: read::short(rest, "from")?,
            payload: read::bytes(rest, FRAME_BYTES_MAX, "payload")?,
        },
        KIND_LEAVE => Request::Leave {
            seq: read::seq(rest)?,
            id: read::id(rest)?,
            incarnation: read::incarnation(rest)?,
        },
        _ => return Err(DecodeError::UnknownKind),
    })
}

pub(super) fn decode_reply<'a>(kind: u8, rest: &mut &'a [u8]) -> Result<Reply<'a>, DecodeError> {
    Ok(match kind {
        KIND_ENTRIES => Reply::Entries {
            from: read::id(rest)?,
            digest: u64::from_le_bytes(read::array(rest, "digest")?),
            buckets: decode_buckets(rest)?,
            next: decode_cursor(rest)?,
        },
        KIND_REFUSAL => {
            let reason = reason_of(read::byte(rest, "reason")?);
            Reply::Refusal { cluster: decode_name(rest)?, reason }
        }
        KIND_ACK => Reply::Ack { seq: read::seq(rest)? },
        _ => return Err(DecodeError::UnknownKind),
    })
}

fn decode_name<'a>(rest: &mut &'a [u8]) -> Result<&'a str, DecodeError> {
    const FIELD: DecodeError = DecodeError::Malformed("cluster name");
    let length = read::byte(rest, "cluster name")?;
    let name = read::take(rest, usize::from(length), "cluster name")?;
    let name = core::str::from_utf8(name).map_err(|_| FIELD)?;
    ClusterName::check(name).map_err(|_| FIELD)?;
    Ok(name)
}

fn decode_buckets(rest: &mut &[u8]) -> Result<BucketSet, DecodeError> {
    read::array(rest, "buckets").map(BucketSet::from_bytes)
}

fn decode_digests<'a>(rest: &mut &'a [u8]) -> Result<BucketDigests<'a>, DecodeError> {
    let buckets = decode_buckets(rest)?;
    let digests = read::take(rest, 8 * buckets.len(), "digests")?;
    BucketDigests::read(buckets, digests).ok_or(DecodeError::Malformed("digests"))
}

fn decode_cursor(rest: &mut &[u8]) -> Result<Option<ShortId>, DecodeError> {
    let from = u64::from_le_bytes(read::array(rest, "cursor")?);
    Ok((from != 0).then_some(ShortId(from)))
}
