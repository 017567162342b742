//! Bytes of strangers and liars: whatever comes, nothing panics, everything ends, and what is no
//! packet is refused under the right name.
#![allow(clippy::unwrap_used)]

mod support;

use quickcheck::{Arbitrary, Gen, quickcheck};
use support::any::{AnyDatagram, AnyPart, AnyReply, AnyRequest};
use support::vectors::{DATAGRAMS, LATER, PARTS, RECORDS, REPLIES, REQUESTS, vectors};
use support::wire::{
    CLUSTER, FRAME_HEADER_BYTES, HEADER_BYTES, Read, Received, codec_of, datagram, frame,
    seal_datagram, seal_frame, sealed_datagram, sealed_frame, tag_of,
};
use swim_proto::limits::{DATAGRAM_BYTES_MAX, FRAME_BYTES_MAX};
use swim_proto::{
    Codec, Datagram, DecodeError, Frame, HashDomain, Part, Record, RecordFields, RefusalReason,
    Reply, Request, Seq, hash64,
};

use DecodeError::{Check, Malformed, OtherCluster, TooLarge, TooShort, UnknownKind, Version};

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
            let _ = Record::parse(record).map(|record| record.fields().address);
        }
    }
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
        for end in 0..whole.len() - fields.later.len() {
            assert!(RecordFields::parse(&whole[..end]).is_err(), "{name} cut at {end}");
        }
    }
}

#[test]
fn w6_of_all_heads_of_a_datagram_those_of_ten_kinds_are_known() {
    for head in 0..=255 {
        let full = head & 0x80 != 0;
        let error = match head & 0xf {
            0 | 11..=15 => Some(UnknownKind),
            3 | 7 => None,
            _ if full => Some(Malformed("kind")),
            _ => None,
        };
        // Zeros are a message of any kind, with or without a digest.
        let body = [&[head][..], &[0; 40]].concat();
        match Received::new(sealed_datagram(&body)).datagram() {
            Ok(_) => assert_eq!(error, None, "{head:#x}"),
            Err(found) => assert_eq!(Some(found), error, "{head:#x}"),
        };
    }
}

#[test]
fn w8_of_all_tags_of_a_part_those_of_five_kinds_are_known_and_those_with_a_length_skipped() {
    for tag in 0..=255_u8 {
        let (kind, accusers, full) = (tag & 7, tag >> 3 & 7, tag & 0x80 != 0);
        let known = match kind {
            1 | 5 => accusers == 0 && !full,
            2 => (1..=4).contains(&accusers),
            3 => accusers <= 4,
            4 => accusers == 0,
            _ => false,
        };
        // Different bytes everywhere, so that no accuser is named twice; a part of length 0x21.
        let body: Vec<u8> = [5, tag].into_iter().chain(0x21..0x71).collect();
        let mut received = Received::new(sealed_datagram(&body));
        let read = received.datagram().unwrap();
        if tag & 0x40 != 0 {
            assert_eq!(read.unknown, 1, "{tag:#x}");
        } else if known {
            assert!(!read.parts.is_empty(), "{tag:#x}");
        } else {
            let error = if tag & 0x7f == 0x02 { "accusers" } else { "tag" };
            assert_eq!(read.error, Some(Malformed(error)), "{tag:#x}");
            assert!(read.parts.is_empty(), "{tag:#x}");
        }
    }
}

#[test]
fn w10_of_all_kinds_of_a_frame_four_are_requests_and_three_replies() {
    for kind in 0..=255 {
        let name = [&[8][..], CLUSTER.as_bytes()].concat();
        let body = match kind {
            1 => [&[kind], &name[..], &[0; 40]].concat(),
            0x82 => [&[kind, 0], &name[..], &[0; 40]].concat(),
            _ => [&[kind][..], &[0; 40]].concat(),
        };
        let mut received = Received::new(sealed_frame(&body));
        let request = received.request().err();
        assert_eq!(request, (!(1..=4).contains(&kind)).then_some(UnknownKind), "{kind:#x}");
        let reply = received.reply().err();
        assert_eq!(reply, (!(0x81..=0x83).contains(&kind)).then_some(UnknownKind), "{kind:#x}");
    }
}

/// Numbers that no field can mean: far too many, written too long, cut, or no number at all.
fn absurd_numbers() -> Vec<Vec<u8>> {
    let long = |first: u8, number: u64, bytes: usize| {
        [&[first][..], &number.to_le_bytes()[..bytes]].concat()
    };
    vec![
        vec![250],
        long(251, 0xffff, 2),
        long(252, 1 << 16, 4),
        long(252, 1 << 30, 4),
        long(252, u32::MAX.into(), 4),
        long(253, 1 << 32, 8),
        long(253, (1 << 32) + 1, 8),
        long(253, 1 << 40, 8),
        long(253, 1 << 63, 8),
        long(253, u64::MAX, 8),
        long(251, 0, 2),
        long(251, 5, 2),
        long(251, 250, 2),
        long(252, 5, 4),
        long(252, 0xffff, 4),
        long(253, 5, 8),
        long(253, u32::MAX.into(), 8),
        long(254, 1, 8),
        long(255, 1, 8),
        vec![251],
        vec![252, 0, 0, 1],
        vec![253, 0, 0, 0, 0, 1],
        vec![254],
        vec![255],
    ]
}

#[test]
fn absurd_lengths_are_refused_by_the_name_of_their_field() {
    for length in absurd_numbers() {
        let message = |body: &[u8]| {
            Received::new(sealed_datagram(&[body, &length, b"few"].concat())).datagram().err()
        };
        let part = |body: &[u8]| {
            let body = [&[5], body, &length, b"few"].concat();
            Received::new(sealed_datagram(&body)).datagram().unwrap().error
        };
        let request = |body: &[u8]| {
            Received::new(sealed_frame(&[body, &length, b"few"].concat())).request().err()
        };
        assert_eq!(message(&[&[10][..], &[1; 8]].concat()), Some(Malformed("payload")));
        assert_eq!(request(&[&[4][..], &[1; 8]].concat()), Some(Malformed("payload")));
        assert_eq!(part(&[&[1][..], &[1; 16], &[1]].concat()), Some(Malformed("record")));
        assert_eq!(part(&[&[5][..], &[1; 16]].concat()), Some(Malformed("broadcast")));
        for tag in [0x40, 0x41, 0x47, 0xff] {
            assert_eq!(part(&[tag]), Some(Malformed("unknown part")), "{tag:#x} {length:x?}");
        }
    }
}

#[test]
fn lengths_over_their_bound_are_refused_even_if_the_bytes_are_there() {
    for (head, most, field) in [
        ([&[1][..], &[1; 16], &[1]].concat(), 700_u16, "record"),
        ([&[5][..], &[1; 16]].concat(), 512, "broadcast"),
    ] {
        for (length, error) in [(most, None), (most + 1, Some(Malformed(field)))] {
            let bytes = vec![0; length.into()];
            let body = [&[5], &head[..], &[251], &length.to_le_bytes(), &bytes].concat();
            let mut received = Received::new(sealed_datagram(&body));
            assert_eq!(received.datagram().unwrap().error, error);
        }
    }
}

#[test]
fn a_place_beyond_the_last_and_an_incarnation_written_too_long_are_refused() {
    for (number, error) in [
        (1 << 32, None),
        ((1 << 32) + 1, Some(Malformed("cursor"))),
        (1 << 40, Some(Malformed("cursor"))),
        (u64::MAX, Some(Malformed("cursor"))),
    ] {
        let place = [&[253][..], &u64::to_le_bytes(number)].concat();
        let request = [&[2][..], &[1; 16], &place].concat();
        assert_eq!(Received::new(sealed_frame(&request)).request().err(), error);
        let reply = [&[0x81][..], &[1; 16], &place].concat();
        assert_eq!(Received::new(sealed_frame(&reply)).reply().err(), error);
    }
    let ping = [&[1][..], &[1; 12], &[251, 5, 0], &[0; 3]].concat();
    let error = Received::new(sealed_datagram(&ping)).datagram().err();
    assert_eq!(error, Some(Malformed("incarnation")));
}

#[test]
fn w8_an_accuser_named_twice_counts_for_nothing() {
    let accuser = [7; 4];
    let body = [&[5, 0x12][..], &[1; 8], &[1], &accuser, &accuser].concat();
    let mut received = Received::new(sealed_datagram(&body));
    let read = received.datagram().unwrap();
    assert_eq!((read.error, read.parts), (Some(Malformed("accusers")), vec![]));
}

#[test]
fn what_is_larger_than_the_limit_is_refused_before_it_is_looked_at() {
    assert_eq!(Received::new(vec![0; DATAGRAM_BYTES_MAX]).datagram(), Err(Check));
    assert_eq!(Received::new(vec![0; DATAGRAM_BYTES_MAX + 1]).datagram(), Err(TooLarge));
    assert_eq!(Received::new(vec![0; FRAME_BYTES_MAX + 4]).request(), Err(Malformed("length")));
    assert_eq!(Received::new(vec![0; FRAME_BYTES_MAX + 5]).request(), Err(TooLarge));
    assert_eq!(Received::new(vec![0; FRAME_BYTES_MAX + 5]).reply(), Err(TooLarge));
}

#[test]
fn w1_other_versions_and_flags_of_the_header_are_refused_as_such() {
    for first in 1..=255 {
        let mut bytes = datagram(&Datagram::Ack { seq: Seq(7) }, &[]);
        bytes[0] = first;
        seal_datagram(&mut bytes);
        assert_eq!(Received::new(bytes).datagram(), Err(Version));
        let mut bytes = frame(&Frame::Reply(Reply::Ack { seq: Seq(7) }), &[]);
        bytes[4] = first;
        seal_frame(&mut bytes);
        assert_eq!(Received::new(bytes).reply(), Err(Version));
    }
}

#[test]
fn w3_names_that_no_cluster_has_are_refused() {
    let (long, tab) = ([b'n'; 65], b"a\tb");
    for name in [&b""[..], &long, tab, b"\xff\xfe", b"a\0", "a\u{85}".as_bytes()] {
        // Under the tag that belongs to the name, so that nothing else is wrong.
        let frame = |kind: &[u8]| {
            let length = u8::try_from(name.len()).unwrap();
            let mut bytes = sealed_frame(&[kind, &[length], name].concat());
            bytes[5..13].copy_from_slice(&hash64(HashDomain::Cluster, name).to_le_bytes());
            seal_frame(&mut bytes);
            bytes
        };
        let error = Err(Malformed("cluster name"));
        assert_eq!(Received::new(frame(&[1])).request().map(drop), error, "{name:x?}");
        assert_eq!(Received::new(frame(&[0x82, 0])).reply().map(drop), error, "{name:x?}");
    }
}

/// A frame of the cluster "other".
fn foreign(message: &Frame<'_>) -> Vec<u8> {
    let (mut codec, mut out) = (codec_of("other"), Vec::new());
    codec.begin_frame(message, usize::MAX, &mut out).unwrap();
    codec.finish(&mut out);
    out
}

#[test]
fn w3_of_another_clusters_frames_only_those_that_name_it_are_read() {
    let join = Request::Join { cluster: "other" };
    let bytes = foreign(&Frame::Request(join));
    assert_eq!(Received::new(bytes).request(), Ok(Read::all(join, &[])));
    let refusal = Reply::Refusal { cluster: "other", reason: RefusalReason::OtherCluster };
    let bytes = foreign(&Frame::Reply(refusal));
    assert_eq!(Received::new(bytes).reply(), Ok(Read::all(refusal, &[])));

    for (_, mut bytes) in vectors(REQUESTS).into_iter().filter(|(name, _)| *name != "join") {
        bytes[5..13].copy_from_slice(&tag_of("other"));
        seal_frame(&mut bytes);
        assert_eq!(Received::new(bytes).request(), Err(OtherCluster));
    }
    let bytes = foreign(&Frame::Reply(Reply::Ack { seq: Seq(7) }));
    assert_eq!(Received::new(bytes).reply(), Err(OtherCluster));
}

#[test]
fn w3_a_frame_whose_name_and_tag_differ_is_neither_written_nor_read() {
    let join = Request::Join { cluster: "other" };
    let refusal = Reply::Refusal { cluster: "other", reason: RefusalReason::Full };
    let (mut codec, mut out) = (support::wire::codec(), Vec::new());
    assert!(codec.begin_frame(&Frame::Request(join), usize::MAX, &mut out).is_err());
    assert!(codec.begin_frame(&Frame::Reply(refusal), usize::MAX, &mut out).is_err());

    for (message, tag) in [("other", CLUSTER), (CLUSTER, "other")] {
        let mut bytes = sealed_frame(&[&[1, message.len() as u8], message.as_bytes()].concat());
        bytes[5..13].copy_from_slice(&tag_of(tag));
        seal_frame(&mut bytes);
        assert_eq!(Received::new(bytes).request(), Err(Malformed("cluster name")));
    }
}

#[test]
fn w5_a_datagram_of_another_cluster_is_refused() {
    let (mut codec, mut out) = (codec_of("other"), Vec::new());
    codec.begin_datagram(&Datagram::Ack { seq: Seq(7) }, usize::MAX, &mut out).unwrap();
    codec.finish(&mut out);
    assert_eq!(Received::new(out).datagram(), Err(Check));
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
                1 => bytes.extend(g.choose(&absurd_numbers()).unwrap()),
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
                body.extend([tag | 0x40, bytes.len() as u8]);
                body.extend(bytes);
            }
        }
        let unknown = later.len() as u32;
        let read = Read { unknown, ..Read::all(Datagram::Gossip, &parts) };
        Received::new(sealed_datagram(&body)).datagram() == Ok(read)
    }
}
