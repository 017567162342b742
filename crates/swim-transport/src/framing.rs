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
///
/// It looks at each byte once if it keeps in [`Progress`](Self::Progress) how far it has come. A
/// protocol of lines:
///
/// ```
/// use swim_transport::{FrameEnd, Framing};
///
/// struct Lines;
///
/// impl Framing for Lines {
///     /// So many bytes hold no end of a line.
///     type Progress = usize;
///
///     fn frame_end(&self, read: &[u8], searched: &mut usize) -> FrameEnd {
///         match read[*searched..].iter().position(|&byte| byte == b'\n') {
///             Some(end) => FrameEnd::Complete(*searched + end + 1),
///             None if read.len() >= 10_000_000 => FrameEnd::Invalid,
///             None => {
///                 *searched = read.len();
///                 FrameEnd::Incomplete
///             }
///         }
///     }
/// }
///
/// let mut searched = 0;
/// assert_eq!(Lines.frame_end(b"half a ", &mut searched), FrameEnd::Incomplete);
/// assert_eq!(Lines.frame_end(b"half a line\n", &mut searched), FrameEnd::Complete(12));
/// ```
pub trait Framing: Send + Sync + 'static {
    /// What is known of a frame of which not all has been read: where the search goes on, how many
    /// entries are still to come. Each frame begins with the default. `()` for a framing that
    /// decides by the first bytes.
    type Progress: Default + Send;

    /// Where the first frame in `read` ends. It is asked again whenever more has arrived: `read`
    /// then begins with the bytes of the call before, and `progress` is as that call left it. It
    /// alone bounds the length of a frame: what grows too long is [`Invalid`](FrameEnd::Invalid).
    fn frame_end(&self, read: &[u8], progress: &mut Self::Progress) -> FrameEnd;
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
    type Progress = ();

    fn frame_end(&self, read: &[u8], (): &mut ()) -> FrameEnd {
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
pub(crate) async fn read_frame<F: Framing>(
    stream: &mut (impl AsyncRead + Unpin),
    framing: &F,
) -> io::Result<Option<Vec<u8>>> {
    let (mut read, mut progress) = (Vec::new(), F::Progress::default());
    loop {
        read.reserve(READ_STEP);
        let count = (&mut *stream).take(READ_STEP as u64).read_buf(&mut read).await?;
        if count == 0 {
            return if read.is_empty() {
                Ok(None)
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            };
        }
        match framing.frame_end(&read, &mut progress) {
            FrameEnd::Complete(end) => {
                read.truncate(end);
                return Ok(Some(read));
            }
            FrameEnd::Invalid => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "no frame"));
            }
            FrameEnd::Incomplete => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_frame_ends_where_its_length_says_and_too_long_a_one_is_refused_at_once() {
        let end = |read: &[u8]| LengthPrefixed { max: 3 }.frame_end(read, &mut ());
        assert_eq!(end(&[3, 0, 0]), FrameEnd::Incomplete);
        assert_eq!(end(&[3, 0, 0, 0, 1, 2]), FrameEnd::Incomplete);
        assert_eq!(end(&[3, 0, 0, 0, 1, 2, 3, 4]), FrameEnd::Complete(7));
        assert_eq!(end(&[4, 0, 0, 0]), FrameEnd::Invalid);
        assert_eq!(end(&[0, 0, 0, 0]), FrameEnd::Invalid);
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

    /// A list of entries, each a length of one byte and so many bytes; an empty one ends it. It
    /// counts the bytes that it looks at and the calls.
    #[derive(Debug, Default)]
    struct Entries {
        looked_at: AtomicUsize,
        calls: AtomicUsize,
    }

    impl Framing for Entries {
        /// Where the next entry begins.
        type Progress = usize;

        fn frame_end(&self, read: &[u8], next: &mut usize) -> FrameEnd {
            self.calls.fetch_add(1, Ordering::Relaxed);
            while let Some(&length) = read.get(*next) {
                self.looked_at.fetch_add(1, Ordering::Relaxed);
                *next += 1 + usize::from(length);
                if length == 0 {
                    return FrameEnd::Complete(*next);
                }
            }
            FrameEnd::Incomplete
        }
    }

    #[tokio::test]
    async fn a_framing_goes_on_from_where_it_was_so_a_long_message_is_looked_at_once() {
        const ENTRIES: usize = 1_200_000;
        let message = [[7; 8].repeat(ENTRIES), vec![0]].concat();
        let framing = Entries::default();
        // Of what follows the message nothing is looked at.
        let stream = [&message[..], &[1; 100]].concat();
        let read = read_frame(&mut &*stream, &framing).await.unwrap();
        assert!(read.is_some_and(|read| read == message), "another frame");
        assert_eq!(framing.looked_at.into_inner(), ENTRIES + 1);
        assert_eq!(framing.calls.into_inner(), message.len().div_ceil(READ_STEP));
    }

    #[tokio::test]
    async fn each_frame_begins_without_what_was_known_of_another() {
        let (framing, stream) = (Entries::default(), [2, 9, 9, 0]);
        for _ in 0..2 {
            let read = read_frame(&mut &stream[..], &framing).await.unwrap();
            assert_eq!(read.as_deref(), Some(&stream[..]));
        }
    }
}
