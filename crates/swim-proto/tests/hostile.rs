//! Bytes of strangers and liars: whatever comes, nothing panics and everything ends.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use quickcheck::{Arbitrary, Gen, quickcheck};
use support::absurd;
use support::any::{AnyDatagram, AnyPart, AnyReply, AnyRequest};
use support::vectors::{DATAGRAMS, LATER, PARTS, RECORDS, REPLIES, REQUESTS, vectors};
use support::wire::{
    FRAME_HEADER_BYTES, HEADER_BYTES, Read, Received, datagram, frame, seal_datagram, seal_frame,
    sealed_datagram, sealed_frame,
};
use swim_proto::limits::PATIENCE_UNIT;
use swim_proto::{Datagram, DecodeError, Frame, Part, Record, RecordFields};

use DecodeError::{Check, Malformed, TooShort, Version};

/// Every datagram of the vectors, those of a later version and those that carry a part included.
fn datagrams() -> Vec<Vec<u8>> {
    let carried = vectors(PARTS).into_iter().map(|(_, part)| [&[5], &part[..]].concat());
    let carried = carried.map(|body| sealed_datagram(&body));
    let whole = vectors(DATAGRAMS).into_iter().chain(vectors(LATER)).map(|(_, bytes)| bytes);
    whole.chain(carried).collect()
}

fn requests() -> Vec<Vec<u8>> {
    vectors(REQUESTS).into_iter().map(|(_, bytes)| bytes).collect()
}

fn replies() -> Vec<Vec<u8>> {
    vectors(REPLIES).into_iter().map(|(_, bytes)| bytes).collect()
}

/// Reads bytes in every way there is, and looks into the records that are found.
fn read_in_every_way(bytes: &[u8]) {
    let mut received = Received::new(bytes);
    let _ = received.datagram().map(|read| look(bytes.len(), &read));
    let _ = received.request().map(|read| look(bytes.len(), &read));
    let _ = received.reply().map(|read| look(bytes.len(), &read));
}

fn look<M>(length: usize, read: &Read<'_, M>) {
    let taken: usize = read.parts.iter().map(support::sizes::of_part).sum();
    assert!(taken + 2 * read.unknown as usize <= length, "what is read was there");
    for part in &read.parts {
        if let Part::Alive { record, .. } = part {
            let _ = Record::parse(record).map(|record| look_into(&record));
        }
    }
}

/// Reads all that a record says, which reaches no further than its bytes.
fn look_into(record: &Record) {
    let fields = record.fields();
    let entries = fields.later_fields().iter();
    let taken: usize = entries.map(|(_, value)| 2 + value.len()).sum();
    assert!(taken == 0 || taken == fields.later.len(), "all entries are read, or none");
    assert!(record.patience() <= PATIENCE_UNIT * u32::from(u16::MAX));
    let _ = record.with_patience(Duration::MAX);
}

/// Flips that each byte is put through: every bit, and all of them.
const FLIPS: [u8; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 255];

fn each_flip(packet: &[u8], mut each: impl FnMut(usize, &mut Vec<u8>)) {
    for at in 0..packet.len() {
        for flip in FLIPS {
            let mut bytes = packet.to_vec();
            bytes[at] ^= flip;
            each(at, &mut bytes);
        }
    }
}

#[test]
fn w5_a_datagram_that_is_cut_or_damaged_in_one_byte_is_refused() {
    for whole in datagrams() {
        for end in 0..whole.len() {
            let error = if end <= HEADER_BYTES { TooShort } else { Check };
            assert_eq!(Received::new(&whole[..end]).datagram(), Err(error), "{whole:x?}");
        }
        each_flip(&whole, |at, bytes| {
            assert_eq!(Received::new(&bytes[..]).datagram(), Err(Check), "{whole:x?} at {at}");
        });
    }
}

#[test]
fn w9_a_frame_that_is_cut_or_damaged_in_one_byte_is_refused() {
    fn check(whole: &[u8], read: impl Fn(&[u8]) -> Option<DecodeError>) {
        for end in 0..whole.len() {
            let error = if end <= FRAME_HEADER_BYTES { TooShort } else { Malformed("length") };
            assert_eq!(read(&whole[..end]), Some(error), "{whole:x?}");
        }
        each_flip(whole, |at, bytes| {
            let error = match at {
                0..4 => Malformed("length"),
                4 => Version,
                _ => Check,
            };
            assert_eq!(read(bytes), Some(error), "{whole:x?} at {at}");
        });
    }
    for whole in requests() {
        check(&whole, |bytes| Received::new(bytes).request().err());
    }
    for whole in replies() {
        check(&whole, |bytes| Received::new(bytes).reply().err());
    }
}

#[test]
fn a_liar_who_changes_a_byte_and_makes_the_check_right_does_no_harm() {
    for whole in datagrams() {
        each_flip(&whole, |_, bytes| {
            seal_datagram(bytes);
            read_in_every_way(bytes);
        });
    }
    for whole in requests().into_iter().chain(replies()) {
        each_flip(&whole, |_, bytes| {
            seal_frame(bytes);
            read_in_every_way(bytes);
        });
    }
    for (_, whole) in vectors(RECORDS) {
        each_flip(&whole, |_, bytes| {
            if let Ok(record) = Record::parse(bytes) {
                look_into(&record);
                assert_eq!(record.fields().build(), Ok(record));
            }
        });
    }
}

#[test]
fn a_liar_who_cuts_and_makes_the_check_right_says_less_but_nothing_else() {
    for whole in datagrams() {
        let mut received = Received::new(&whole[..]);
        let all = received.datagram().unwrap();
        for end in HEADER_BYTES + 1..whole.len() {
            let mut bytes = whole[..end].to_vec();
            seal_datagram(&mut bytes);
            match Received::new(bytes).datagram() {
                Ok(read) => {
                    assert_eq!(read.message, all.message);
                    assert!(all.parts.starts_with(&read.parts));
                }
                Err(error) => assert!(matches!(error, Malformed(_)), "{error:?}"),
            };
        }
    }
    for (name, whole) in vectors(RECORDS) {
        let fields = RecordFields::parse(&whole).unwrap();
        let later_at = whole.len() - fields.later.len();
        for end in 0..later_at {
            assert!(RecordFields::parse(&whole[..end]).is_err(), "{name} cut at {end}");
        }
        for end in later_at..whole.len() {
            look_into(&Record::parse(&whole[..end]).unwrap());
        }
    }
}

/// What may stand behind a header: pieces of sense and nonsense in any order, the first more often
/// than not a kind that is known.
#[derive(Clone, Debug)]
struct Body(Vec<u8>);

impl Arbitrary for Body {
    fn arbitrary(g: &mut Gen) -> Self {
        let mut bytes = match u8::arbitrary(g) % 5 {
            0 => vec![u8::arbitrary(g) % 16],
            1 => vec![u8::arbitrary(g)],
            2 => datagram(&AnyDatagram::arbitrary(g).value(), &[]).split_off(HEADER_BYTES),
            3 => {
                let request = AnyRequest::arbitrary(g);
                frame(&Frame::Request(request.value()), &[]).split_off(FRAME_HEADER_BYTES)
            }
            _ => {
                let reply = AnyReply::arbitrary(g).0;
                frame(&Frame::Reply(reply), &[]).split_off(FRAME_HEADER_BYTES)
            }
        };
        for _ in 0..u8::arbitrary(g) % 6 {
            match u8::arbitrary(g) % 4 {
                0 => bytes.extend(Vec::<u8>::arbitrary(g)),
                1 => bytes.extend(g.choose(&absurd::numbers()).unwrap()),
                2 => bytes.push(u8::arbitrary(g)),
                _ => bytes.extend(support::wire::part(&AnyPart::arbitrary(g).value())),
            }
        }
        if bool::arbitrary(g) {
            bytes.truncate(1 + usize::arbitrary(g) % bytes.len());
        }
        Self(bytes)
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        Box::new(self.0.shrink().filter(|bytes| !bytes.is_empty()).map(Self))
    }
}

quickcheck! {
    fn nonsense_with_a_right_check_does_no_harm(body: Body) -> bool {
        read_in_every_way(&sealed_datagram(&body.0));
        read_in_every_way(&sealed_frame(&body.0));
        true
    }

    fn nonsense_is_refused(bytes: Vec<u8>) -> bool {
        let mut received = Received::new(bytes);
        received.datagram().is_err() && received.request().is_err() && received.reply().is_err()
    }

    fn w11_parts_of_a_later_version_are_passed_over_and_counted(
        parts: Vec<AnyPart>,
        later: Vec<(u8, Vec<u8>)>
    ) -> bool {
        let parts: Vec<_> = parts.iter().take(8).map(AnyPart::value).collect();
        let mut body = vec![5];
        for at in 0..parts.len().max(later.len()) {
            if let Some(part) = parts.get(at) {
                body.extend(support::wire::part(part));
            }
            if let Some((tag, bytes)) = later.get(at) {
                // Two kinds of part have come since: with accusers they are of a later version still.
                let tag = if matches!(tag | 0x40, 0x46 | 0x47) { tag | 1 << 3 } else { *tag };
                body.extend([tag | 0x40, bytes.len() as u8]);
                body.extend(bytes);
            }
        }
        let unknown = later.len() as u32;
        let read = Read { unknown, ..Read::all(Datagram::Gossip, &parts) };
        Received::new(sealed_datagram(&body)).datagram() == Ok(read)
    }
}
