//! The later fields of a record: entries behind the fields that every version knows (W7). Unknown
//! ones are kept as they came, so that a later version can add some without a new wire.
//!
//! ```text
//! tag 1 | length 1 | value        in strictly rising order of the tags
//! ```

use alloc::vec::Vec;
use core::time::Duration;

use crate::limits::{LATER_BYTES_MIN, PATIENCE_UNIT};

/// The timing that a member uses, as its record says it: in units of 100 ms, rounded up, up to
/// 6,553.5 s. The default is that of a record that does not say it: 1 s and 4 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timing {
    period: u16,
    suspicion_min: u16,
}

impl Default for Timing {
    fn default() -> Self {
        Self { period: 10, suspicion_min: 40 }
    }
}

impl Timing {
    /// These times, rounded up to the unit of 100 ms.
    pub fn new(period: Duration, suspicion_min: Duration) -> Self {
        Self { period: units(period), suspicion_min: units(suspicion_min) }
    }

    /// The time between two probes of the member.
    pub fn period(self) -> Duration {
        PATIENCE_UNIT * u32::from(self.period)
    }

    /// How long the member gives others to refute at least.
    pub fn suspicion_min(self) -> Duration {
        PATIENCE_UNIT * u32::from(self.suspicion_min)
    }

    fn to_bytes(self) -> [u8; 4] {
        let ([a, b], [c, d]) = (self.period.to_le_bytes(), self.suspicion_min.to_le_bytes());
        [a, b, c, d]
    }

    fn from_bytes([a, b, c, d]: [u8; 4]) -> Self {
        Self { period: u16::from_le_bytes([a, b]), suspicion_min: u16::from_le_bytes([c, d]) }
    }
}

/// In units of 100 ms, rounded up.
fn units(time: Duration) -> u16 {
    let units = time.as_micros().div_ceil(PATIENCE_UNIT.as_micros());
    u16::try_from(units).unwrap_or(u16::MAX)
}

/// Which later field an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaterTag(pub u8);

impl LaterTag {
    /// For how long the member may be silent: 2 bytes, in units of 100 ms.
    pub const PATIENCE: Self = Self(1);
    /// Its period and its suspicion minimum, 2 bytes each, in units of 100 ms.
    pub const TIMING: Self = Self(2);
    /// When its process started, in seconds of Unix time, 4 bytes.
    pub const START: Self = Self(3);
    /// Reserved: the keys that it knows, at most 4 ids of 4 bytes.
    pub const KEY_IDS: Self = Self(4);
    /// Reserved: its public key.
    pub const PUBLIC_KEY: Self = Self(252);
    /// Reserved: the incarnation that the signature covers.
    pub const INCARNATION: Self = Self(253);
    /// Reserved: the signature, which the order of the tags keeps last.
    pub const SIGNATURE: Self = Self(255);
}

/// Tag and length of an entry.
const HEADER: usize = 2;
/// The first four fields, each at its longest, fit any record.
const _: () = {
    let (patience, timing, start, key_ids) = (2, 2 + 2, 4, 4 * 4);
    let all = 4 * HEADER + patience + timing + start + key_ids;
    assert!(all == 34 && all <= LATER_BYTES_MIN);
};

/// The later fields of a record, checked: entries in strictly rising order of their tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaterFields<'a>(&'a [u8]);

impl<'a> LaterFields<'a> {
    /// Reads them. `None`: the bytes break the format, so that none is read from them.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (mut rest, mut last) = (bytes, None);
        while !rest.is_empty() {
            let (tag, _, after) = split_entry(rest)?;
            if last >= Some(tag) {
                return None;
            }
            (rest, last) = (after, Some(tag));
        }
        Some(Self(bytes))
    }

    /// The entries.
    pub fn iter(self) -> impl Iterator<Item = (LaterTag, &'a [u8])> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let (tag, value, after) = split_entry(rest)?;
            rest = after;
            Some((tag, value))
        })
    }

    /// The value of one entry.
    pub fn value(self, tag: LaterTag) -> Option<&'a [u8]> {
        self.iter().find(|entry| entry.0 == tag).map(|entry| entry.1)
    }

    /// For how long the member may be silent. Zero if it does not say so, or in another length than
    /// that of this version.
    pub fn patience(self) -> Duration {
        let value = self.value(LaterTag::PATIENCE).and_then(|value| value.try_into().ok());
        PATIENCE_UNIT * value.map_or(0, |bytes| u32::from(u16::from_le_bytes(bytes)))
    }

    /// The bytes of these entries with another patience, in units of 100 ms, rounded up; up to 6,553.5
    /// s. All other entries stay as they are. Zero takes the entry out.
    pub(crate) fn with_patience(self, patience: Duration) -> Vec<u8> {
        let value = Some(units(patience).to_le_bytes()).filter(|_| !patience.is_zero());
        self.with(LaterTag::PATIENCE, value.as_ref())
    }

    /// The timing that the member uses. The default if it does not say it, or in another length than
    /// that of this version.
    pub fn timing(self) -> Timing {
        let value = self.value(LaterTag::TIMING).and_then(|value| value.try_into().ok());
        value.map_or_else(Timing::default, Timing::from_bytes)
    }

    /// The bytes of these entries with another timing; the default takes the entry out.
    pub(crate) fn with_timing(self, timing: Timing) -> Vec<u8> {
        let value = Some(timing.to_bytes()).filter(|_| timing != Timing::default());
        self.with(LaterTag::TIMING, value.as_ref())
    }

    /// When the member's process started, in seconds of Unix time. `None` if it does not say it, or in
    /// another length than that of this version.
    pub fn start(self) -> Option<u32> {
        let value = self.value(LaterTag::START).and_then(|value| value.try_into().ok());
        value.map(u32::from_le_bytes)
    }

    /// The bytes of these entries with another start; `None` takes the entry out.
    pub(crate) fn with_start(self, start: Option<u32>) -> Vec<u8> {
        self.with(LaterTag::START, start.map(u32::to_le_bytes).as_ref())
    }

    fn with<const N: usize>(self, tag: LaterTag, value: Option<&[u8; N]>) -> Vec<u8> {
        const { assert!(N <= u8::MAX as usize, "a length has one byte") };
        let mut bytes = Vec::with_capacity(self.0.len() + HEADER + N);
        let mut push = |tag: LaterTag, value: &[u8]| {
            // No value is longer: one that was read has its length in a byte.
            bytes.extend([tag.0, value.len() as u8]);
            bytes.extend(value);
        };
        self.iter().filter(|entry| entry.0 < tag).for_each(|(tag, value)| push(tag, value));
        if let Some(value) = value {
            push(tag, value);
        }
        self.iter().filter(|entry| entry.0 > tag).for_each(|(tag, value)| push(tag, value));
        bytes
    }
}

/// The tag and the value of the first entry, and what stands behind it.
fn split_entry(bytes: &[u8]) -> Option<(LaterTag, &[u8], &[u8])> {
    let (&[tag, length], rest) = bytes.split_first_chunk()?;
    let (value, after) = rest.split_at_checked(usize::from(length))?;
    Some((LaterTag(tag), value, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;
    use std::vec;

    /// Entries of these tags and values, in order, each tag once.
    fn bytes_of(entries: &[(u8, Vec<u8>)]) -> Vec<u8> {
        let entries: std::collections::BTreeMap<_, _> = entries.iter().cloned().collect();
        let entries = entries.into_iter().map(|(tag, mut value)| {
            value.truncate(255);
            [vec![tag, value.len() as u8], value].concat()
        });
        entries.collect::<Vec<_>>().concat()
    }

    #[test]
    fn w7_what_breaks_the_format_of_later_fields_is_read_as_none() {
        for (bytes, what) in [
            (&[1][..], "no length"),
            (&[1, 2, 9], "a value that is cut"),
            (&[2, 0, 1, 0], "falling tags"),
            (&[1, 0, 1, 0], "a tag twice"),
            (&[0x99, 0, 1], "something behind an entry"),
        ] {
            assert_eq!(LaterFields::parse(bytes), None, "{what}");
        }
        assert_eq!(LaterFields::parse(&[]), Some(LaterFields::default()));
        assert!(LaterFields::parse(&[0, 0, 254, 1, 7]).is_some(), "unknown tags");
    }

    #[test]
    fn w7_a_patience_is_rounded_up_to_its_unit_and_bounded() {
        for (patience, units) in [
            (Duration::from_micros(1), 1),
            (Duration::from_millis(100), 1),
            (Duration::from_millis(101), 2),
            (Duration::from_secs(5), 50),
            (Duration::MAX, 65_535),
        ] {
            let bytes = LaterFields::default().with_patience(patience);
            let fields = LaterFields::parse(&bytes).unwrap();
            assert_eq!(fields.patience(), Duration::from_millis(100 * units));
        }
        assert_eq!(LaterFields::default().with_patience(Duration::ZERO), []);
    }

    #[test]
    fn w7_a_patience_of_another_length_is_read_as_none_and_the_other_entries_count() {
        for value in [&[][..], &[50], &[50, 0, 0]] {
            let bytes = bytes_of(&[(1, value.to_vec()), (9, vec![7])]);
            let fields = LaterFields::parse(&bytes).unwrap();
            assert_eq!(
                (fields.patience(), fields.value(LaterTag(9))),
                (Duration::ZERO, Some(&[7][..]))
            );
        }
    }

    #[test]
    fn w7_a_timing_stands_in_a_record_only_where_it_is_not_that_of_lan() {
        let ms = Duration::from_millis;
        let none = LaterFields::default();
        assert_eq!(none.timing(), Timing::new(ms(1_000), ms(4_000)));
        assert_eq!(none.with_timing(Timing::new(ms(1_000), ms(4_000))), []);
        let bytes = none.with_timing(Timing::new(ms(500), ms(1_001)));
        assert_eq!(bytes, [2, 4, 5, 0, 11, 0]);
        let timing = LaterFields::parse(&bytes).unwrap().timing();
        assert_eq!((timing.period(), timing.suspicion_min()), (ms(500), ms(1_100)));
        let longer = bytes_of(&[(2, vec![5, 0, 11, 0, 0])]);
        assert_eq!(LaterFields::parse(&longer).unwrap().timing(), Timing::default());
    }

    #[test]
    fn w7_a_start_stands_between_the_timing_and_what_is_unknown() {
        let bytes = bytes_of(&[(2, vec![5, 0, 11, 0]), (9, vec![7])]);
        let bytes = LaterFields::parse(&bytes).unwrap().with_start(Some(0x5f5e_1000));
        assert_eq!(bytes, [2, 4, 5, 0, 11, 0, 3, 4, 0, 0x10, 0x5e, 0x5f, 9, 1, 7]);
        let fields = LaterFields::parse(&bytes).unwrap();
        assert_eq!(fields.start(), Some(0x5f5e_1000));
        assert_eq!(fields.with_start(None), bytes_of(&[(2, vec![5, 0, 11, 0]), (9, vec![7])]));
        assert_eq!(LaterFields::default().start(), None);
        let shorter = bytes_of(&[(3, vec![1, 2, 3])]);
        assert_eq!(LaterFields::parse(&shorter).unwrap().start(), None);
    }

    quickcheck! {
        fn w7_entries_are_read_as_they_were_written(entries: Vec<(u8, Vec<u8>)>) -> bool {
            let bytes = bytes_of(&entries);
            let fields = LaterFields::parse(&bytes).unwrap();
            let read: Vec<_> = fields.iter().map(|(tag, value)| (tag.0, value.to_vec())).collect();
            bytes_of(&read) == bytes
        }

        fn w7_what_is_read_is_written_in_the_same_bytes(bytes: Vec<u8>) -> bool {
            LaterFields::parse(&bytes).is_none_or(|fields| {
                let read: Vec<_> =
                    fields.iter().map(|(tag, value)| (tag.0, value.to_vec())).collect();
                bytes_of(&read) == bytes
            })
        }

        fn w7_another_patience_leaves_all_other_entries_as_they_are(
            entries: Vec<(u8, Vec<u8>)>,
            units: u16
        ) -> bool {
            let bytes = bytes_of(&entries);
            let before = LaterFields::parse(&bytes).unwrap();
            let bytes = before.with_patience(PATIENCE_UNIT * u32::from(units));
            let after = LaterFields::parse(&bytes).unwrap();
            let is_other = |entry: &(LaterTag, &[u8])| entry.0 != LaterTag::PATIENCE;
            after.patience() == PATIENCE_UNIT * u32::from(units)
                && (units > 0) == after.value(LaterTag::PATIENCE).is_some()
                && after.iter().filter(is_other).eq(before.iter().filter(is_other))
        }
    }
}
