//! Reading fields off the front of bytes. Each names the field, for the error.

use crate::claim::Incarnation;
use crate::codec::DecodeError;
use crate::identity::{NodeId, Seq, ShortId, Subject, TinyId};

type Result<T> = core::result::Result<T, DecodeError>;

#[inline]
pub(super) fn take<'a>(rest: &mut &'a [u8], n: usize, field: &'static str) -> Result<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(n).ok_or(DecodeError::Malformed(field))?;
    *rest = after;
    Ok(taken)
}

#[inline]
pub(super) fn array<const N: usize>(rest: &mut &[u8], field: &'static str) -> Result<[u8; N]> {
    let (taken, after) = rest.split_first_chunk::<N>().ok_or(DecodeError::Malformed(field))?;
    *rest = after;
    Ok(*taken)
}

#[inline]
pub(super) fn byte(rest: &mut &[u8], field: &'static str) -> Result<u8> {
    array::<1>(rest, field).map(|[byte]| byte)
}

/// A variable integer (W12): bincode's, but only in its shortest form.
#[inline]
pub(super) fn varint(rest: &mut &[u8], field: &'static str) -> Result<u64> {
    match byte(rest, field)? {
        small @ 0..=250 => Ok(u64::from(small)),
        width => long_varint(width, rest, field),
    }
}

fn long_varint(width: u8, rest: &mut &[u8], field: &'static str) -> Result<u64> {
    let (value, least) = match width {
        251 => (u64::from(u16::from_le_bytes(array(rest, field)?)), 251),
        252 => (u64::from(u32::from_le_bytes(array(rest, field)?)), 1 << 16),
        253 => (u64::from_le_bytes(array(rest, field)?), 1 << 32),
        _ => return Err(DecodeError::Malformed(field)),
    };
    if value < least { Err(DecodeError::Malformed(field)) } else { Ok(value) }
}

/// Bytes behind their length, which may be at most `max`.
#[inline]
pub(super) fn bytes<'a>(rest: &mut &'a [u8], max: usize, field: &'static str) -> Result<&'a [u8]> {
    match usize::try_from(varint(rest, field)?) {
        Ok(length) if length <= max => take(rest, length, field),
        _ => Err(DecodeError::Malformed(field)),
    }
}

#[inline]
pub(super) fn seq(rest: &mut &[u8]) -> Result<Seq> {
    array(rest, "number").map(|bytes| Seq(u32::from_le_bytes(bytes)))
}

#[inline]
pub(super) fn tiny(rest: &mut &[u8], field: &'static str) -> Result<TinyId> {
    array(rest, field).map(|bytes| TinyId(u32::from_le_bytes(bytes)))
}

#[inline]
pub(super) fn short(rest: &mut &[u8], field: &'static str) -> Result<ShortId> {
    array(rest, field).map(|bytes| ShortId(u64::from_le_bytes(bytes)))
}

#[inline]
pub(super) fn id(rest: &mut &[u8]) -> Result<NodeId> {
    array(rest, "id").map(NodeId::from_bytes)
}

#[inline]
pub(super) fn incarnation(rest: &mut &[u8]) -> Result<Incarnation> {
    varint(rest, "incarnation").map(Incarnation)
}

#[inline]
pub(super) fn subject(rest: &mut &[u8], full: bool) -> Result<Subject> {
    if full { id(rest).map(Subject::Full) } else { short(rest, "short id").map(Subject::Short) }
}

#[cfg(test)]
mod tests {
    use super::super::CONFIG;
    use super::*;
    use std::vec::Vec;

    fn read(bytes: &[u8]) -> Option<(u64, usize)> {
        let mut rest = bytes;
        varint(&mut rest, "number").ok().map(|number| (number, bytes.len() - rest.len()))
    }

    fn read_by_bincode(bytes: &[u8]) -> Option<(u64, usize)> {
        bincode::decode_from_slice(bytes, CONFIG).ok()
    }

    fn written(number: u64) -> Vec<u8> {
        bincode::encode_to_vec(number, CONFIG).unwrap()
    }

    quickcheck::quickcheck! {
        fn w12_a_number_is_read_as_bincode_writes_it(number: u64, shift: u8) -> bool {
            let number = number >> (shift % 64);
            let bytes = written(number);
            read(&bytes) == Some((number, bytes.len()))
        }

        fn w12_a_number_is_read_as_bincode_reads_it_but_only_at_its_shortest(
            first: u8,
            bytes: [u8; 8],
            zeros: u8
        ) -> bool {
            let mut all = Vec::from([first.max(246)]);
            all.extend(bytes);
            all[9 - usize::from(zeros % 8)..].fill(0);
            read(&all) == read_by_bincode(&all).filter(|&(number, n)| written(number).len() == n)
        }
    }

    #[test]
    fn w12_a_number_has_one_way_to_be_written() {
        for (bytes, number) in [
            (&[0][..], Some(0)),
            (&[250], Some(250)),
            (&[251, 250, 0], None),
            (&[251, 251, 0], Some(251)),
            (&[251, 255, 255], Some(65_535)),
            (&[252, 255, 255, 0, 0], None),
            (&[252, 0, 0, 1, 0], Some(65_536)),
            (&[253, 255, 255, 255, 255, 0, 0, 0, 0], None),
            (&[253, 0, 0, 0, 0, 1, 0, 0, 0], Some(1 << 32)),
            (&[253, 255, 255, 255, 255, 255, 255, 255, 255], Some(u64::MAX)),
            (&[254, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], None),
            (&[255, 1], None),
            (&[], None),
        ] {
            assert_eq!(read(bytes), number.map(|number| (number, bytes.len())), "{bytes:?}");
            for end in 0..bytes.len() {
                assert_eq!(read(&bytes[..end]), None, "{bytes:?} cut at {end}");
            }
        }
    }
}
