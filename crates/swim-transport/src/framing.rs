//! Where a frame ends in what was read of a stream.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// The read buffer of a stream grows by so much.
const READ_STEP: usize = 4 * 1_024;

/// What the bytes read so far are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameEnd {
    /// The beginning of a frame: read on.
    Incomplete,
    /// A frame of so many bytes, and perhaps more behind it.
    Complete(usize),
    /// No frame: give up.
    Invalid,
}

/// Tells frames apart, so that another protocol's self-delimiting messages can be carried.
pub trait Framing: Send + Sync + 'static {
    /// Where the first frame in `read` ends. It is asked again whenever more has arrived, so it
    /// should not be slow, and it alone bounds the length of a frame: what grows too long is
    /// [`Invalid`](FrameEnd::Invalid).
    fn frame_end(&self, read: &[u8]) -> FrameEnd;
}

/// A length of 4 bytes, little-endian, then so many bytes; the length is part of the frame.
#[derive(Clone, Copy, Debug)]
pub struct LengthPrefixed {
    /// The most that the length may say. Default 65,536.
    pub max: u32,
}

impl Default for LengthPrefixed {
    fn default() -> Self {
        Self { max: 65_536 }
    }
}

impl Framing for LengthPrefixed {
    fn frame_end(&self, read: &[u8]) -> FrameEnd {
        let Some((prefix, rest)) = read.split_first_chunk::<4>() else {
            return FrameEnd::Incomplete;
        };
        let length = u32::from_le_bytes(*prefix);
        if length == 0 || length > self.max {
            return FrameEnd::Invalid;
        }
        match rest.len() < length as usize {
            true => FrameEnd::Incomplete,
            false => FrameEnd::Complete(4 + length as usize),
        }
    }
}

/// Reads one frame. The buffer grows with what arrives, never with what a length promises.
/// `None`: the stream ended before its first byte.
pub(crate) async fn read_frame(
    stream: &mut (impl AsyncRead + Unpin),
    framing: &impl Framing,
) -> io::Result<Option<Vec<u8>>> {
    let mut read = Vec::new();
    loop {
        read.reserve(READ_STEP);
        let count = (&mut *stream).take(READ_STEP as u64).read_buf(&mut read).await?;
        match framing.frame_end(&read) {
            FrameEnd::Complete(end) => {
                read.truncate(end);
                return Ok(Some(read));
            }
            FrameEnd::Invalid => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "no frame"));
            }
            FrameEnd::Incomplete if count > 0 => {}
            FrameEnd::Incomplete if read.is_empty() => return Ok(None),
            FrameEnd::Incomplete => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_ends_where_its_length_says_and_too_long_a_one_is_refused_at_once() {
        let framing = LengthPrefixed { max: 3 };
        assert_eq!(framing.frame_end(&[3, 0, 0]), FrameEnd::Incomplete);
        assert_eq!(framing.frame_end(&[3, 0, 0, 0, 1, 2]), FrameEnd::Incomplete);
        assert_eq!(framing.frame_end(&[3, 0, 0, 0, 1, 2, 3, 4]), FrameEnd::Complete(7));
        assert_eq!(framing.frame_end(&[4, 0, 0, 0]), FrameEnd::Invalid);
        assert_eq!(framing.frame_end(&[0, 0, 0, 0]), FrameEnd::Invalid);
    }

    async fn read(stream: &[u8]) -> io::Result<Option<Vec<u8>>> {
        read_frame(&mut &*stream, &LengthPrefixed { max: 3 }).await
    }

    #[tokio::test]
    async fn a_frame_is_read_to_its_end_and_no_further() {
        assert_eq!(read(&[1, 0, 0, 0, 7, 8]).await.unwrap(), Some(vec![1, 0, 0, 0, 7]));
    }

    #[tokio::test]
    async fn a_stream_that_ends_is_no_frame_and_one_that_says_nothing_is_none() {
        assert_eq!(read(&[]).await.unwrap(), None);
        for cut in [&[2][..], &[2, 0, 0, 0], &[2, 0, 0, 0, 1]] {
            assert_eq!(read(cut).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
        let endless = read(&[4, 0, 0, 0]).await.unwrap_err();
        assert_eq!(endless.kind(), io::ErrorKind::InvalidData);
    }
}
