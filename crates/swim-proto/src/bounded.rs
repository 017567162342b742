//! Writing into a buffer that must not grow beyond a limit.

use alloc::vec::Vec;

use bincode::enc::write::Writer;
use bincode::error::EncodeError;

use crate::codec::Fit;

/// The end of a buffer, up to a limit.
pub(crate) struct Bounded<'a> {
    out: &'a mut Vec<u8>,
    limit: usize,
}

impl<'a> Bounded<'a> {
    /// Writes all of what `write` writes behind `out`, or nothing of it.
    pub(crate) fn append(
        out: &'a mut Vec<u8>,
        limit: usize,
        write: impl FnOnce(&mut Bounded<'_>) -> Result<(), EncodeError>,
    ) -> Fit {
        let before = out.len();
        let mut bounded = Bounded { out, limit };
        if write(&mut bounded).is_ok() {
            return Fit::Written;
        }
        bounded.out.truncate(before);
        Fit::NoRoom
    }

    /// Writes bytes as they are.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        if self.out.len().saturating_add(bytes.len()) > self.limit {
            return Err(EncodeError::UnexpectedEnd);
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes a value by its derived layout.
    pub(crate) fn encode(&mut self, value: &impl bincode::Encode) -> Result<(), EncodeError> {
        bincode::encode_into_writer(value, self, super::bincode_codec::CONFIG)
    }
}

impl Writer for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.put(bytes)
    }
}
