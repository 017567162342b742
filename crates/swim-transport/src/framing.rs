//! Where a frame ends in what was read of a stream.

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
    /// Where the first frame in `read` ends. It bounds the length of a frame.
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
}
