//! Parts (W8): a tag, then a body that bincode lays out.

use bincode::Encode;
use bincode::error::EncodeError;

use super::read;
use crate::bounded::Bounded;
use crate::claim::Incarnation;
use crate::codec::DecodeError;
use crate::identity::{ShortId, Subject};
use crate::limits::{ACCUSERS_MAX, BROADCAST_BYTES_MAX, RECORD_BYTES_MAX};
use crate::message::{Accusers, Part};
use crate::record::{ADDRESS_BYTES_MAX, read_address, write_address};

const KIND_ALIVE: u8 = 1;
const KIND_SUSPECT: u8 = 2;
const KIND_DEAD: u8 = 3;
const KIND_LEFT: u8 = 4;
const KIND_BROADCAST: u8 = 5;
const KIND_BITS: u8 = 0b111;
const ACCUSERS_SHIFT: u32 = 3;
/// A length follows the tag: how parts of later versions are skipped (W11).
const TAG_LENGTH: u8 = 1 << 6;
const TAG_FULL: u8 = 1 << 7;
/// Where the receiver was seen: a part that came later, so with a length.
const TAG_SEEN: u8 = 6 | TAG_LENGTH;
/// How long the reply may be.
const TAG_ROOM: u8 = 7 | TAG_LENGTH;

#[derive(Encode)]
struct AliveBody<'a> {
    id: [u8; 16],
    incarnation: u64,
    record: &'a [u8],
}

#[derive(Encode)]
struct ShortBody {
    short: [u8; 8],
    incarnation: u64,
}

#[derive(Encode)]
struct FullBody {
    id: [u8; 16],
    incarnation: u64,
}

#[derive(Encode)]
struct BroadcastBody<'a> {
    origin: [u8; 8],
    key: [u8; 8],
    payload: &'a [u8],
}

/// Fails for a part that no receiver would take: it would lose them those behind it too.
pub(super) fn encode(part: &Part<'_>, out: &mut Bounded<'_>) -> Result<(), EncodeError> {
    match *part {
        Part::Alive { id, incarnation, record } => {
            check_length(record, RECORD_BYTES_MAX)?;
            out.put(&[KIND_ALIVE])?;
            out.encode(&AliveBody { id: *id.as_bytes(), incarnation: incarnation.0, record })
        }
        Part::Suspect { accusers, .. } if accusers.as_slice().is_empty() => {
            Err(EncodeError::Other("a suspicion has an accuser"))
        }
        Part::Suspect { subject, incarnation, accusers } => {
            encode_claim(KIND_SUSPECT, subject, incarnation, accusers, out)
        }
        Part::Dead { subject, incarnation, accusers } => {
            encode_claim(KIND_DEAD, subject, incarnation, accusers, out)
        }
        Part::Left { subject, incarnation } => {
            encode_claim(KIND_LEFT, subject, incarnation, Accusers::new(), out)
        }
        Part::Broadcast { origin, key, payload } => {
            check_length(payload, BROADCAST_BYTES_MAX)?;
            out.put(&[KIND_BROADCAST])?;
            let (origin, key) = (origin.0.to_le_bytes(), key.to_le_bytes());
            out.encode(&BroadcastBody { origin, key, payload })
        }
        Part::Seen { address } => {
            let mut body = [0; ADDRESS_BYTES_MAX];
            let body = write_address(address, &mut body);
            out.put(&[TAG_SEEN])?;
            out.encode(&body)
        }
        Part::Room { bytes } => {
            out.put(&[TAG_ROOM])?;
            out.encode(&&bytes.to_le_bytes()[..])
        }
    }
}

fn check_length(bytes: &[u8], max: usize) -> Result<(), EncodeError> {
    if bytes.len() > max {
        return Err(EncodeError::Other("longer than it may be"));
    }
    Ok(())
}

fn encode_claim(
    kind: u8,
    subject: Subject,
    incarnation: Incarnation,
    accusers: Accusers,
    out: &mut Bounded<'_>,
) -> Result<(), EncodeError> {
    let accusers = accusers.as_slice();
    let tag = kind | (accusers.len() as u8) << ACCUSERS_SHIFT;
    let incarnation = incarnation.0;
    match subject {
        Subject::Short(ShortId(short)) => {
            out.put(&[tag])?;
            out.encode(&ShortBody { short: short.to_le_bytes(), incarnation })?;
        }
        Subject::Full(id) => {
            out.put(&[tag | TAG_FULL])?;
            out.encode(&FullBody { id: *id.as_bytes(), incarnation })?;
        }
    }
    accusers.iter().try_for_each(|accuser| out.put(&accuser.0.to_le_bytes()))
}

/// Reads one part off the front; `None` for one of a later version, which is skipped.
pub(super) fn decode<'a>(rest: &mut &'a [u8]) -> Result<Option<Part<'a>>, DecodeError> {
    // A copy, so that it is kept in registers; after an error nobody reads on.
    let mut at = *rest;
    let part = match read::byte(&mut at, "tag")? {
        // First, because it is nearly all that is said at rest.
        KIND_ALIVE => decode_alive(&mut at),
        tag => decode_tagged(tag, &mut at),
    };
    *rest = at;
    part
}

fn decode_tagged<'a>(tag: u8, rest: &mut &'a [u8]) -> Result<Option<Part<'a>>, DecodeError> {
    if tag & TAG_LENGTH != 0 {
        let body = read::bytes(rest, usize::MAX, "unknown part")?;
        // One of another length is of a later version.
        return Ok(match tag {
            TAG_SEEN => read_address(body).map(|address| Part::Seen { address }),
            TAG_ROOM => {
                let bytes = body.try_into().ok().map(u32::from_le_bytes);
                bytes.map(|bytes| Part::Room { bytes })
            }
            _ => None,
        });
    }
    let (full, accusers) = (tag & TAG_FULL != 0, tag >> ACCUSERS_SHIFT & 0b111);
    let named = matches!(tag & KIND_BITS, KIND_SUSPECT | KIND_DEAD | KIND_LEFT);
    let accused = matches!(tag & KIND_BITS, KIND_SUSPECT | KIND_DEAD);
    if full && !named || accusers != 0 && !accused || usize::from(accusers) > ACCUSERS_MAX {
        return Err(DecodeError::Malformed("tag"));
    }
    match tag & KIND_BITS {
        KIND_SUSPECT if accusers == 0 => Err(DecodeError::Malformed("accusers")),
        KIND_SUSPECT => {
            decode_claim(rest, full, accusers).map(|(subject, incarnation, accusers)| {
                Part::Suspect { subject, incarnation, accusers }
            })
        }
        KIND_DEAD => decode_claim(rest, full, accusers)
            .map(|(subject, incarnation, accusers)| Part::Dead { subject, incarnation, accusers }),
        KIND_LEFT => decode_claim(rest, full, 0)
            .map(|(subject, incarnation, _)| Part::Left { subject, incarnation }),
        KIND_BROADCAST => decode_broadcast(rest),
        _ => Err(DecodeError::Malformed("tag")),
    }
    .map(Some)
}

#[inline]
fn decode_alive<'a>(rest: &mut &'a [u8]) -> Result<Option<Part<'a>>, DecodeError> {
    let (id, incarnation) = (read::id(rest)?, read::incarnation(rest)?);
    let record = read::bytes(rest, RECORD_BYTES_MAX, "record")?;
    Ok(Some(Part::Alive { id, incarnation, record }))
}

fn decode_claim(
    rest: &mut &[u8],
    full: bool,
    accusers: u8,
) -> Result<(Subject, Incarnation, Accusers), DecodeError> {
    let (subject, incarnation) = (read::subject(rest, full)?, read::incarnation(rest)?);
    let mut named = Accusers::new();
    for _ in 0..accusers {
        if !named.insert(read::tiny(rest, "accusers")?) {
            return Err(DecodeError::Malformed("accusers"));
        }
    }
    Ok((subject, incarnation, named))
}

fn decode_broadcast<'a>(rest: &mut &'a [u8]) -> Result<Part<'a>, DecodeError> {
    let origin = read::short(rest, "origin")?;
    let key = u64::from_le_bytes(read::array(rest, "key")?);
    let payload = read::bytes(rest, BROADCAST_BYTES_MAX, "broadcast")?;
    Ok(Part::Broadcast { origin, key, payload })
}
