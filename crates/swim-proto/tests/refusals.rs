//! What is no packet of ours, or holds what it cannot, is refused under the right name.
#![allow(clippy::unwrap_used)]

mod support;

use support::absurd;
use support::vectors::{REQUESTS, vectors};
use support::wire::{
    CLUSTER, Read, Received, codec, codec_of, datagram, frame, seal_datagram, seal_frame,
    sealed_datagram, sealed_frame, tag_of,
};
use swim_proto::limits::{DATAGRAM_BYTES_MAX, FRAME_BYTES_MAX};
use swim_proto::{
    Codec, Datagram, DecodeError, Frame, HashDomain, RefusalReason, Reply, Request, Seq, hash64,
};

use DecodeError::{Check, Malformed, OtherCluster, TooLarge, UnknownKind, Version};

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
            2 => (1..=5).contains(&accusers),
            3 => accusers <= 5,
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
fn w10_of_all_kinds_of_a_frame_six_are_requests_and_three_replies() {
    for kind in 0..=255 {
        let name = [&[8][..], CLUSTER.as_bytes()].concat();
        let body = match kind {
            1 => [&[kind], &name[..], &[0; 40]].concat(),
            0x82 => [&[kind, 0], &name[..], &[0; 40]].concat(),
            _ => [&[kind][..], &[0; 80]].concat(),
        };
        let mut received = Received::new(sealed_frame(&body));
        let request = received.request().err();
        assert_eq!(request, (!(1..=6).contains(&kind)).then_some(UnknownKind), "{kind:#x}");
        let reply = received.reply().err();
        assert_eq!(reply, (!(0x81..=0x83).contains(&kind)).then_some(UnknownKind), "{kind:#x}");
    }
}

#[test]
fn absurd_lengths_are_refused_by_the_name_of_their_field() {
    for length in absurd::numbers() {
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
fn w10_digests_that_are_cut_or_zero_are_refused() {
    let two = [&[3][..], &[0; 31]].concat();
    for (digests, error) in [
        (&[1; 16][..], None),
        (&[1; 15], Some(Malformed("digests"))),
        (&[], Some(Malformed("digests"))),
        (&[0; 16], Some(Malformed("digests"))),
        (&[1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0], Some(Malformed("digests"))),
    ] {
        let sync = [&[2][..], &[1; 16], &two, digests].concat();
        assert_eq!(Received::new(sealed_frame(&sync)).request().err(), error, "{digests:?}");
    }
}

#[test]
fn an_incarnation_written_too_long_is_refused() {
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
        let mut bytes = datagram(&Datagram::Ack { seq: Seq(7), note: None }, &[]);
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
    let (mut codec, mut out) = (codec(), Vec::new());
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
    codec.begin_datagram(&Datagram::Ack { seq: Seq(7), note: None }, usize::MAX, &mut out).unwrap();
    codec.finish(&mut out);
    assert_eq!(Received::new(out).datagram(), Err(Check));
}
