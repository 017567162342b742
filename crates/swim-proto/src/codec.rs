//! The seam between values and bytes.
//!
//! A [`Codec`] writes a packet in three steps, so that news is chosen while there is room for it:
//! begin with the message, push parts while they fit, finish. It reads from a buffer that it may
//! change (to decrypt in place), with a scratch buffer beside it (to decompress into); what it
//! returns borrows from them, and parts are read one at a time when they are asked for.

use alloc::vec::Vec;

use crate::message::{Datagram, Part, Reply, Request};

/// Why bytes are no packet of ours. The place is named; nothing of it reaches any state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Fewer bytes than the fixed header.
    #[error("shorter than a header")]
    TooShort,
    /// A protocol version that we do not speak, or a flag that we do not know.
    #[error("of a protocol version or with a flag that is not spoken here")]
    Version,
    /// The check over the cluster's name and the bytes does not match.
    #[error("of another cluster, or damaged")]
    Check,
    /// A frame with another cluster's tag.
    #[error("of another cluster")]
    OtherCluster,
    /// A message kind of a later version.
    #[error("of an unknown kind")]
    UnknownKind,
    /// The bytes end inside the named field, or it holds what it cannot.
    #[error("malformed in its {0}")]
    Malformed(&'static str),
    /// More than the bound of a datagram or frame.
    #[error("larger than the limit")]
    TooLarge,
}

/// A message that cannot be written: it does not fit the limit, or this wire has no bytes for it
/// that a receiver would take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message does not fit the limit, or cannot be said on this wire")]
pub struct EncodeError;

/// Whether a part was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Fit {
    /// It was.
    Written,
    /// There was no room, and nothing was changed.
    NoRoom,
}

/// A message and the parts behind it.
#[derive(Clone, Debug)]
pub struct Packet<'a, M> {
    /// What it is about.
    pub message: M,
    /// What it carries besides.
    pub parts: Parts<'a>,
}

/// The step that reads one part off the front: the codec's own.
pub type NextPart = for<'a> fn(&mut &'a [u8]) -> Result<Option<Part<'a>>, DecodeError>;

/// The parts of a packet, read one at a time. Parts of unknown kinds are skipped and counted.
/// After an error there is nothing more.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    rest: &'a [u8],
    next: NextPart,
    unknown: u32,
}

impl<'a> Parts<'a> {
    /// The parts in `bytes`, read by `next`. It returns `Ok(None)` for a part that it skipped.
    pub fn new(bytes: &'a [u8], next: NextPart) -> Self {
        Self { rest: bytes, next, unknown: 0 }
    }

    /// How many parts of unknown kinds were skipped so far.
    pub fn unknown(&self) -> u32 {
        self.unknown
    }

    /// The bytes not yet read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<Part<'a>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let before = self.rest.len();
            let step = (self.next)(&mut self.rest);
            let error = match step {
                // A step that takes nothing would be made for ever.
                Ok(_) if self.rest.len() >= before => DecodeError::Malformed("part"),
                Ok(Some(part)) => return Some(Ok(part)),
                Ok(None) => {
                    self.unknown += 1;
                    continue;
                }
                Err(error) => error,
            };
            self.rest = &[];
            return Some(Err(error));
        }
        None
    }
}

/// The frame that is begun: a request or a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Asks.
    Request(Request<'a>),
    /// Answers.
    Reply(Reply<'a>),
}

/// Turns values into bytes and back, for one cluster. It may keep what its wire needs between
/// calls (a table of names, a counter of nonces), hence `&mut self`.
///
/// From begin to finish `out` is the codec's: nobody else changes it, but anybody may look how
/// long it is. What is begun anew without a finish is forgotten. What finish adds, a seal say, is
/// within the limit that begin and push were given.
pub trait Codec: Send {
    /// Begins a datagram in `out`, which is cleared. `limit` is the most bytes of the whole.
    ///
    /// # Errors
    /// When the message alone does not fit the limit, or cannot be said on this wire.
    fn begin_datagram(
        &mut self,
        message: &Datagram<'_>,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError>;

    /// Begins a frame in `out`, which is cleared. `limit` is the most bytes of the whole.
    ///
    /// # Errors
    /// When the message alone does not fit the limit, or cannot be said on this wire.
    fn begin_frame(
        &mut self,
        message: &Frame<'_>,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError>;

    /// Adds a part to what was begun, if the whole then still fits `limit`. A part that no
    /// receiver would take never fits.
    fn push(&mut self, part: &Part<'_>, limit: usize, out: &mut Vec<u8>) -> Fit;

    /// Ends what was begun: checks, lengths, encryption. `out` is then ready to be sent.
    fn finish(&mut self, out: &mut Vec<u8>);

    /// Reads a datagram.
    ///
    /// # Errors
    /// When the bytes are no datagram of this cluster.
    fn decode_datagram<'a>(
        &mut self,
        bytes: &'a mut [u8],
        scratch: &'a mut Vec<u8>,
    ) -> Result<Packet<'a, Datagram<'a>>, DecodeError>;

    /// Reads a request. A join of another cluster decodes, so that it can be refused by name.
    ///
    /// # Errors
    /// When the bytes are no request.
    fn decode_request<'a>(
        &mut self,
        bytes: &'a mut [u8],
        scratch: &'a mut Vec<u8>,
    ) -> Result<Packet<'a, Request<'a>>, DecodeError>;

    /// Reads a reply. A refusal by another cluster decodes, so that it can be told by name.
    ///
    /// # Errors
    /// When the bytes are no reply.
    fn decode_reply<'a>(
        &mut self,
        bytes: &'a mut [u8],
        scratch: &'a mut Vec<u8>,
    ) -> Result<Packet<'a, Reply<'a>>, DecodeError>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Incarnation, ShortId, Subject};

    #[test]
    fn a_codec_is_dyn_compatible() {
        fn takes(_: Option<&dyn Codec>) {}
        takes(None);
    }

    fn stand_still<'a>(_: &mut &'a [u8]) -> Result<Option<Part<'a>>, DecodeError> {
        let (subject, incarnation) = (Subject::Short(ShortId(1)), Incarnation(1));
        Ok(Some(Part::Left { subject, incarnation }))
    }

    fn skip_nothing<'a>(_: &mut &'a [u8]) -> Result<Option<Part<'a>>, DecodeError> {
        Ok(None)
    }

    fn skip_one<'a>(rest: &mut &'a [u8]) -> Result<Option<Part<'a>>, DecodeError> {
        *rest = &rest[1..];
        Ok(None)
    }

    #[test]
    fn parts_end_even_if_a_codec_reads_none_of_them() {
        for next in [stand_still as NextPart, skip_nothing] {
            let mut parts = Parts::new(b"abc", next);
            assert_eq!(parts.next(), Some(Err(DecodeError::Malformed("part"))));
            assert_eq!((parts.next(), parts.unknown(), parts.rest()), (None, 0, &[][..]));
        }
    }

    #[test]
    fn w11_parts_that_are_skipped_are_counted() {
        let mut parts = Parts::new(b"abc", skip_one);
        assert_eq!((parts.next(), parts.unknown()), (None, 3));
    }
}
