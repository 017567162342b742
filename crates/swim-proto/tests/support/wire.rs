//! Writing and reading whole packets, and making their checks right again after a change.

use swim_proto::{
    BincodeCodec, ClusterName, Codec, Datagram, DecodeError, Fit, Frame, Packet, Part, Parts,
    Reply, Request,
};

pub(crate) const CLUSTER: &str = "cluster1";
/// Version and check.
pub(crate) const HEADER_BYTES: usize = 5;
/// Length, version, tag and check.
pub(crate) const FRAME_HEADER_BYTES: usize = 17;

pub(crate) fn codec() -> BincodeCodec {
    codec_of(CLUSTER)
}

pub(crate) fn codec_of(cluster: &str) -> BincodeCodec {
    BincodeCodec::new(ClusterName::new(cluster).unwrap())
}

pub(crate) fn datagram(message: &Datagram<'_>, parts: &[Part<'_>]) -> Vec<u8> {
    let (mut codec, mut out) = (codec(), Vec::new());
    codec.begin_datagram(message, usize::MAX, &mut out).unwrap();
    finish(codec, parts, out)
}

pub(crate) fn frame(message: &Frame<'_>, parts: &[Part<'_>]) -> Vec<u8> {
    let (mut codec, mut out) = (codec(), Vec::new());
    codec.begin_frame(message, usize::MAX, &mut out).unwrap();
    finish(codec, parts, out)
}

fn finish(mut codec: BincodeCodec, parts: &[Part<'_>], mut out: Vec<u8>) -> Vec<u8> {
    for part in parts {
        assert_eq!(codec.push(part, usize::MAX, &mut out), Fit::Written, "{part:?}");
    }
    codec.finish(&mut out);
    out
}

/// The bytes of a part alone.
pub(crate) fn part(part: &Part<'_>) -> Vec<u8> {
    datagram(&Datagram::Gossip, &[*part]).split_off(HEADER_BYTES + 1)
}

/// A message, its parts up to the first error, that error, and how many were passed over.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Read<'a, M> {
    pub(crate) message: M,
    pub(crate) parts: Vec<Part<'a>>,
    pub(crate) error: Option<DecodeError>,
    pub(crate) unknown: u32,
}

impl<'a, M> Read<'a, M> {
    /// What is read where nothing is odd.
    pub(crate) fn all(message: M, parts: &[Part<'a>]) -> Self {
        Self { message, parts: parts.to_vec(), error: None, unknown: 0 }
    }

    /// Whether nothing was odd.
    pub(crate) fn is_all(&self) -> bool {
        self.error.is_none() && self.unknown == 0
    }

    fn drain(packet: Packet<'a, M>) -> Self {
        let Packet { message, parts } = packet;
        let mut read = Self::all(message, &[]);
        read.unknown = drain(parts, |part| match part {
            Ok(part) => read.parts.push(part),
            Err(error) => read.error = Some(error),
        });
        read
    }
}

/// Walks the parts to their end, which comes. Returns how many were passed over.
pub(crate) fn drain<'a>(
    mut parts: Parts<'a>,
    mut each: impl FnMut(Result<Part<'a>, DecodeError>),
) -> u32 {
    let mut left = parts.rest().len();
    while let Some(part) = parts.next() {
        assert!(parts.rest().len() < left, "each step takes a byte at least");
        left = parts.rest().len();
        if part.is_err() {
            assert!(parts.next().is_none(), "after an error there is nothing more");
        }
        each(part);
    }
    assert_eq!(parts.rest(), [], "at the end nothing is left");
    assert!(parts.next().is_none(), "the end is the end");
    parts.unknown()
}

/// Bytes that have come, and what a codec needs to read them.
pub(crate) struct Received {
    codec: BincodeCodec,
    bytes: Vec<u8>,
    scratch: Vec<u8>,
}

impl Received {
    pub(crate) fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self { codec: codec(), bytes: bytes.into(), scratch: Vec::new() }
    }

    pub(crate) fn datagram(&mut self) -> Result<Read<'_, Datagram<'_>>, DecodeError> {
        self.codec.decode_datagram(&mut self.bytes, &mut self.scratch).map(Read::drain)
    }

    pub(crate) fn request(&mut self) -> Result<Read<'_, Request<'_>>, DecodeError> {
        self.codec.decode_request(&mut self.bytes, &mut self.scratch).map(Read::drain)
    }

    pub(crate) fn reply(&mut self) -> Result<Read<'_, Reply<'_>>, DecodeError> {
        self.codec.decode_reply(&mut self.bytes, &mut self.scratch).map(Read::drain)
    }
}

/// A datagram with this behind its header, and its check right.
pub(crate) fn sealed_datagram(body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    bytes.extend(body);
    seal_datagram(&mut bytes);
    bytes
}

/// A frame with this behind its header, and its length, tag and check right.
pub(crate) fn sealed_frame(body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; FRAME_HEADER_BYTES];
    bytes[5..13].copy_from_slice(&tag_of(CLUSTER));
    bytes.extend(body);
    seal_frame(&mut bytes);
    bytes
}

pub(crate) fn tag_of(cluster: &str) -> [u8; 8] {
    ClusterName::new(cluster).unwrap().tag().0.to_le_bytes()
}

/// Makes the check of a datagram right, whatever its bytes.
pub(crate) fn seal_datagram(bytes: &mut [u8]) {
    let check = crc(&[CLUSTER.as_bytes(), &bytes[..1], &bytes[HEADER_BYTES..]]);
    bytes[1..HEADER_BYTES].copy_from_slice(&check);
}

/// Makes the length and check of a frame right, whatever its bytes.
pub(crate) fn seal_frame(bytes: &mut [u8]) {
    let length = u32::try_from(bytes.len() - 4).unwrap();
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    let check = crc(&[&bytes[4..13], &bytes[FRAME_HEADER_BYTES..]]);
    bytes[13..FRAME_HEADER_BYTES].copy_from_slice(&check);
}

fn crc(pieces: &[&[u8]]) -> [u8; 4] {
    crc32fast::hash(&pieces.concat()).to_le_bytes()
}
