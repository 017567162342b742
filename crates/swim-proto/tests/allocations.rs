//! What is allocated, counted. Bytes from outside never choose how much that is: reading allocates
//! nothing, keeping a record no more than the record, and writing nothing once its buffer has grown.
#![allow(clippy::unwrap_used)]

mod support;

use std::hint::black_box;

use allocation_counter::measure;
use quickcheck::quickcheck;
use support::any::{AnyDatagram, AnyPart, AnyReply, AnyRequest};
use support::vectors::{DATAGRAMS, LATER, PARTS, RECORDS, REPLIES, REQUESTS, vectors};
use support::wire::{codec, seal_datagram, seal_frame, sealed_datagram, sealed_frame};
use swim_proto::{Codec, Datagram, Frame, Part, Parts, Record, RecordFields, Reply, Request};

/// Walks the parts to their end and looks into the records.
fn walk(parts: Parts<'_>) {
    for part in parts {
        if let Ok(Part::Alive { record, .. }) = black_box(part) {
            let _ = black_box(RecordFields::parse(record));
        }
    }
}

/// How many allocations it takes to read these bytes as anything at all.
fn allocations_of_reading(mut bytes: Vec<u8>) -> u64 {
    let (mut codec, mut scratch) = (codec(), Vec::new());
    measure(|| {
        let _ = codec.decode_datagram(&mut bytes, &mut scratch).map(|packet| walk(packet.parts));
        let _ = codec.decode_request(&mut bytes, &mut scratch).map(|packet| walk(packet.parts));
        let _ = codec.decode_reply(&mut bytes, &mut scratch).map(|packet| walk(packet.parts));
    })
    .count_total
}

#[test]
fn an_allocation_is_counted() {
    assert_eq!(measure(|| drop(black_box(vec![0_u8; 100]))).bytes_total, 100);
}

#[test]
fn reading_what_is_right_allocates_nothing() {
    for file in [DATAGRAMS, LATER, REQUESTS, REPLIES] {
        for (name, bytes) in vectors(file) {
            assert_eq!(allocations_of_reading(bytes), 0, "{name}");
        }
    }
    for (name, part) in vectors(PARTS) {
        let bytes = sealed_datagram(&[&[5], &part[..]].concat());
        assert_eq!(allocations_of_reading(bytes), 0, "{name}");
    }
}

#[test]
fn reading_what_is_cut_or_changed_allocates_nothing() {
    let damaged = |whole: &[u8], seal: fn(&mut [u8]), header: usize| {
        for at in header..whole.len() {
            let mut cut = whole[..=at].to_vec();
            seal(&mut cut);
            assert_eq!(allocations_of_reading(cut), 0, "{whole:x?} cut behind {at}");
            for byte in [0, 0x7f, 250, 251, 252, 253, 254, 255] {
                let mut changed = whole.to_vec();
                changed[at] = byte;
                seal(&mut changed);
                assert_eq!(allocations_of_reading(changed), 0, "{whole:x?}: {byte} at {at}");
            }
        }
    };
    for file in [DATAGRAMS, LATER] {
        vectors(file).iter().for_each(|(_, whole)| damaged(whole, seal_datagram, 5));
    }
    for file in [REQUESTS, REPLIES] {
        vectors(file).iter().for_each(|(_, whole)| damaged(whole, seal_frame, 17));
    }
}

#[test]
fn keeping_a_record_allocates_no_more_than_the_record() {
    for (name, bytes) in vectors(RECORDS) {
        let count = measure(|| {
            let _ = black_box(Record::parse(&bytes));
        });
        let most = if bytes.len() <= 22 { 0 } else { bytes.len() as u64 };
        assert_eq!(count.bytes_total, most, "{name}");
    }
}

#[test]
fn a_record_of_22_bytes_is_kept_without_an_allocation() {
    for (length, most) in [(21, 0), (22, 0), (23, 23)] {
        let mut bytes = vec![0, 127, 0, 0, 1, 0xf8, 0x09];
        bytes.resize(length, 0);
        let count = measure(|| {
            let _ = black_box(Record::parse(&bytes));
        });
        assert_eq!(count.bytes_total, most, "of {length} bytes");
    }
}

quickcheck! {
    fn reading_nonsense_with_a_right_check_allocates_nothing(body: Vec<u8>) -> bool {
        body.is_empty()
            || allocations_of_reading(sealed_datagram(&body)) == 0
                && allocations_of_reading(sealed_frame(&body)) == 0
    }

    fn trying_to_keep_nonsense_allocates_no_more_than_the_nonsense(bytes: Vec<u8>) -> bool {
        let count = measure(|| {
            let _ = black_box(Record::parse(&bytes));
        });
        count.bytes_total <= bytes.len() as u64
    }

    fn writing_into_a_buffer_that_has_grown_allocates_nothing(
        message: AnyDatagram,
        request: AnyRequest,
        reply: AnyReply,
        parts: Vec<AnyPart>
    ) -> bool {
        let parts: Vec<_> = parts.iter().map(AnyPart::value).collect();
        let mut out = Vec::with_capacity(1_400);
        write_all(&message.value(), &request.value(), &reply.0, &parts, &mut out) == 0
    }
}

/// Writes all kinds of packets of 1,400 bytes at most. Returns how many allocations it took.
fn write_all(
    message: &Datagram<'_>,
    request: &Request<'_>,
    reply: &Reply<'_>,
    parts: &[Part<'_>],
    out: &mut Vec<u8>,
) -> u64 {
    let mut codec = codec();
    let (request, reply) = (Frame::Request(*request), Frame::Reply(*reply));
    measure(|| {
        codec.begin_datagram(message, 1_400, out).unwrap();
        push_all(&mut codec, parts, out);
        for frame in [request, reply] {
            codec.begin_frame(&frame, 1_400, out).unwrap();
            push_all(&mut codec, parts, out);
        }
    })
    .count_total
}

fn push_all(codec: &mut dyn Codec, parts: &[Part<'_>], out: &mut Vec<u8>) {
    for part in parts {
        let _ = codec.push(part, 1_400, out);
    }
    codec.finish(out);
}
