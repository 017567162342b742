//! The codec of swimmer's own wire (W1 to W12): a small fixed header, hand-laid messages, and
//! bodies of parts in bincode's own derive with variable integers.

mod datagram;
mod frame;
mod part;
mod read;

use alloc::vec::Vec;

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use crc32fast::Hasher;

use crate::bounded::Bounded;
use crate::cluster::{ClusterName, ClusterTag};
use crate::codec::{Codec, DecodeError, EncodeError, Fit, Frame, Packet, Parts};
use crate::limits::{DATAGRAM_BYTES_MAX, FRAME_BYTES_MAX};
use crate::message::{Datagram, Part, Reply, Request};

/// The layout of what bincode writes. We read it by hand, because bincode also takes numbers that
/// are longer than need be; the limit is for whoever reads with this layout all the same.
pub(crate) const CONFIG: Configuration<LittleEndian, Varint, Limit<LIMIT>> =
    bincode::config::standard()
        .with_little_endian()
        .with_variable_int_encoding()
        .with_limit::<LIMIT>();
const LIMIT: usize = 2 * FRAME_BYTES_MAX;

/// The version of this wire, the low 4 bits of the first byte (W1). The bits above are flags of
/// which none is spoken yet.
const VERSION: u8 = 0;
/// Version and check.
const HEADER_BYTES: usize = 5;
/// Length, version, tag and check.
const FRAME_HEADER_BYTES: usize = 4 + 1 + 8 + 4;
const LENGTH_BYTES: usize = 4;
const FRAME_CHECK_AT: usize = LENGTH_BYTES + 1 + 8;

/// What was begun, so that it can be finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    Datagram,
    Frame,
}

impl Begun {
    /// The most bytes that a receiver takes.
    const fn bytes_max(self) -> usize {
        match self {
            Self::Datagram => DATAGRAM_BYTES_MAX,
            Self::Frame => LENGTH_BYTES + FRAME_BYTES_MAX,
        }
    }
}

/// The default [`Codec`], for the members of one cluster.
///
/// ```
/// use swim_proto::{BincodeCodec, ClusterName, Codec, Datagram, Seq};
///
/// let mut codec = BincodeCodec::new(ClusterName::new("cluster1")?);
/// let mut bytes = Vec::new();
/// codec.begin_datagram(&Datagram::Ack { seq: Seq(7), note: None }, 1_400, &mut bytes)?;
/// codec.finish(&mut bytes);
/// assert_eq!(bytes.len(), 10);
///
/// let mut scratch = Vec::new();
/// let packet = codec.decode_datagram(&mut bytes, &mut scratch)?;
/// assert_eq!(packet.message, Datagram::Ack { seq: Seq(7), note: None });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct BincodeCodec {
    tag: ClusterTag,
    /// The check of a datagram begins with the cluster's name (W5).
    named: Hasher,
    begun: Begun,
}

impl BincodeCodec {
    /// The codec of a cluster.
    pub fn new(cluster: ClusterName) -> Self {
        let mut named = Hasher::new();
        named.update(cluster.as_str().as_bytes());
        Self { tag: cluster.tag(), named, begun: Begun::Datagram }
    }

    /// The check of a datagram: over the name, the first byte and the body.
    fn datagram_check(&self, bytes: &[u8]) -> [u8; 4] {
        let mut hasher = self.named.clone();
        hasher.update(&bytes[..1]);
        hasher.update(&bytes[HEADER_BYTES..]);
        hasher.finalize().to_le_bytes()
    }

    /// Writes behind `out`, within the limit and what a receiver takes.
    fn append(
        &self,
        limit: usize,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Bounded<'_>) -> Result<(), bincode::error::EncodeError>,
    ) -> Fit {
        Bounded::append(out, limit.min(self.begun.bytes_max()), write)
    }

    /// A frame that names a cluster bears the tag of that name, whosever it is: so it can be
    /// refused by name. Any other bears our tag.
    fn check_tag(&self, tag: ClusterTag, named: Option<&str>) -> Result<(), DecodeError> {
        match named {
            Some(name) if tag == ClusterTag::of(name) => Ok(()),
            Some(_) => Err(DecodeError::Malformed("cluster name")),
            None if tag == self.tag => Ok(()),
            None => Err(DecodeError::OtherCluster),
        }
    }
}

/// Checks a frame's header. Returns its tag, its kind and what follows.
fn open_frame(bytes: &[u8]) -> Result<(ClusterTag, u8, &[u8]), DecodeError> {
    if bytes.len() <= FRAME_HEADER_BYTES {
        return Err(DecodeError::TooShort);
    }
    if bytes.len() > LENGTH_BYTES + FRAME_BYTES_MAX {
        return Err(DecodeError::TooLarge);
    }
    let length = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
    if length != bytes.len() - LENGTH_BYTES {
        return Err(DecodeError::Malformed("length"));
    }
    if bytes[LENGTH_BYTES] != VERSION {
        return Err(DecodeError::Version);
    }
    if bytes[FRAME_CHECK_AT..FRAME_HEADER_BYTES] != frame_check(bytes) {
        return Err(DecodeError::Check);
    }
    let mut tag = [0; 8];
    tag.copy_from_slice(&bytes[LENGTH_BYTES + 1..FRAME_CHECK_AT]);
    let tag = ClusterTag(u64::from_le_bytes(tag));
    Ok((tag, bytes[FRAME_HEADER_BYTES], &bytes[FRAME_HEADER_BYTES + 1..]))
}

/// The check of a frame: over the version, the tag and the body, without the cluster's name, so
/// that a join of another cluster can be read and refused by name.
fn frame_check(bytes: &[u8]) -> [u8; 4] {
    let mut hasher = Hasher::new();
    hasher.update(&bytes[LENGTH_BYTES..FRAME_CHECK_AT]);
    hasher.update(&bytes[FRAME_HEADER_BYTES..]);
    hasher.finalize().to_le_bytes()
}

fn begun(fit: Fit) -> Result<(), EncodeError> {
    match fit {
        Fit::Written => Ok(()),
        Fit::NoRoom => Err(EncodeError),
    }
}

impl Codec for BincodeCodec {
    fn begin_datagram(
        &mut self,
        message: &Datagram<'_>,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        self.begun = Begun::Datagram;
        out.clear();
        begun(self.append(limit, out, |bounded| {
            bounded.put(&[VERSION, 0, 0, 0, 0])?;
            datagram::encode(message, bounded)
        }))
    }

    fn begin_frame(
        &mut self,
        message: &Frame<'_>,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        self.begun = Begun::Frame;
        out.clear();
        let named = match message {
            Frame::Request(request) => frame::named_by_request(request),
            Frame::Reply(reply) => frame::named_by_reply(reply),
        };
        self.check_tag(self.tag, named).map_err(|_| EncodeError)?;
        begun(self.append(limit, out, |bounded| {
            bounded.put(&[0; LENGTH_BYTES])?;
            bounded.put(&[VERSION])?;
            bounded.put(&self.tag.0.to_le_bytes())?;
            bounded.put(&[0; 4])?;
            frame::encode(message, bounded)
        }))
    }

    fn push(&mut self, part: &Part<'_>, limit: usize, out: &mut Vec<u8>) -> Fit {
        self.append(limit, out, |bounded| part::encode(part, bounded))
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        match self.begun {
            Begun::Datagram => {
                let check = self.datagram_check(out);
                out[1..HEADER_BYTES].copy_from_slice(&check);
            }
            Begun::Frame => {
                let length = (out.len() - LENGTH_BYTES) as u32;
                out[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
                let check = frame_check(out);
                out[FRAME_CHECK_AT..FRAME_HEADER_BYTES].copy_from_slice(&check);
            }
        }
    }

    fn decode_datagram<'a>(
        &mut self,
        bytes: &'a mut [u8],
        _scratch: &'a mut Vec<u8>,
    ) -> Result<Packet<'a, Datagram<'a>>, DecodeError> {
        let bytes = &*bytes;
        if bytes.len() <= HEADER_BYTES {
            return Err(DecodeError::TooShort);
        }
        if bytes.len() > DATAGRAM_BYTES_MAX {
            return Err(DecodeError::TooLarge);
        }
        // The check comes before the version: a stranger's bytes have no version to speak of.
        if bytes[1..HEADER_BYTES] != self.datagram_check(bytes) {
            return Err(DecodeError::Check);
        }
        if bytes[0] != VERSION {
            return Err(DecodeError::Version);
        }
        let mut rest = &bytes[HEADER_BYTES..];
        let message = datagram::decode(&mut rest)?;
        Ok(Packet { message, parts: Parts::new(rest, part::decode) })
    }

    fn decode_request<'a>(
        &mut self,
        bytes: &'a mut [u8],
        _scratch: &'a mut Vec<u8>,
    ) -> Result<Packet<'a, Request<'a>>, DecodeError> {
        let (tag, kind, mut rest) = open_frame(bytes)?;
        let message = frame::decode_request(kind, &mut rest)?;
        self.check_tag(tag, frame::named_by_request(&message))?;
        Ok(Packet { message, parts: Parts::new(rest, part::decode) })
    }

    fn decode_reply<'a>(
        &mut self,
        bytes: &'a mut [u8],
        _scratch: &'a mut Vec<u8>,
    ) -> Result<Packet<'a, Reply<'a>>, DecodeError> {
        let (tag, kind, mut rest) = open_frame(bytes)?;
        let message = frame::decode_reply(kind, &mut rest)?;
        self.check_tag(tag, frame::named_by_reply(&message))?;
        Ok(Packet { message, parts: Parts::new(rest, part::decode) })
    }
}
