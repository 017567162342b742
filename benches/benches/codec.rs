//! The codec: each message, and parts by number.

mod support;

use std::hint::black_box;

use benches::{CLUSTER, Voice, id, record};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use swim_proto::limits::{DATAGRAM_BYTES_DEFAULT, FRAME_BYTES_MAX};
use swim_proto::{
    BucketDigests, BucketSet, Claim, Codec, Datagram, Frame, Held, Incarnation, NodeId, Reply,
    Request, Seq, State, StateNote, Subject,
};

const FIRST: Incarnation = Incarnation::FIRST;

fn messages() -> [(&'static str, Datagram<'static>); 10] {
    let claim = Claim::new(FIRST, State::Alive);
    let held = Held { claim, record: record(1).hash() as u16 };
    let (seq, from, subject) = (Seq(7), Voice::tiny(2), Subject::Short(Voice::short(1)));
    let payload = &[7; 64];
    let note = Some(StateNote { digest: 7, quiet: true });
    [
        ("ping", Datagram::Ping { seq, target: Voice::tiny(1), from, held, note }),
        ("ack", Datagram::Ack { seq, note }),
        ("ping-req", Datagram::PingReq { seq, from, target: subject }),
        ("nack", Datagram::Nack { seq }),
        ("gossip", Datagram::Gossip),
        ("correction", Datagram::Correction),
        ("record-request", Datagram::RecordRequest { from, subject }),
        ("leave", Datagram::Leave { seq, id: id(1), incarnation: FIRST }),
        ("leave-ack", Datagram::LeaveAck { seq }),
        ("user-64-bytes", Datagram::User { from: Voice::short(1), payload }),
    ]
}

fn frames() -> [(&'static str, Frame<'static>); 8] {
    let held = Held { claim: Claim::new(FIRST, State::Alive), record: record(1).hash() as u16 };
    let (seq, from) = (Seq(7), Voice::tiny(2));
    let payload = &[7; 1_024];
    let buckets = BucketSet::ALL;
    let digests = BucketDigests::read(buckets, &[7; 2_048]).expect("one for each bucket");
    [
        ("join", Frame::Request(Request::Join { cluster: CLUSTER })),
        ("sync", Frame::Request(Request::Sync { from: id(1), digests })),
        ("records", Frame::Request(Request::Records { from: id(1), buckets, pull: None })),
        ("ping", Frame::Request(Request::Ping { seq, target: Voice::tiny(1), from, held })),
        ("user-1-KiB", Frame::Request(Request::User { from: Voice::short(1), payload })),
        ("entries", Frame::Reply(Reply::Entries { from: id(1), digest: 7, buckets, next: None })),
        (
            "refusal",
            Frame::Reply(Reply::Refusal {
                cluster: CLUSTER,
                reason: swim_proto::RefusalReason::Full,
            }),
        ),
        ("ack", Frame::Reply(Reply::Ack { seq })),
    ]
}

fn datagrams(c: &mut Criterion) {
    let mut voice = Voice::new();
    let mut out = Vec::new();
    let mut group = c.benchmark_group("datagram/encode");
    for (name, message) in messages() {
        group.bench_function(name, |b| {
            b.iter(|| {
                let message = black_box(&message);
                let begun = voice.codec().begin_datagram(message, DATAGRAM_BYTES_DEFAULT, &mut out);
                voice.codec().finish(&mut out);
                begun
            });
        });
    }
    drop(group);
    let mut scratch = Vec::new();
    let mut group = c.benchmark_group("datagram/decode");
    for (name, message) in messages() {
        let mut bytes = voice.datagram(&message, []);
        group.bench_function(name, |b| {
            b.iter(|| {
                let packet = voice.codec().decode_datagram(black_box(&mut bytes), &mut scratch);
                black_box(packet).is_ok()
            });
        });
    }
}

fn requests_and_replies(c: &mut Criterion) {
    let mut voice = Voice::new();
    let mut out = Vec::new();
    let mut group = c.benchmark_group("frame/encode");
    for (name, frame) in frames() {
        group.bench_function(name, |b| {
            b.iter(|| {
                let begun = voice.codec().begin_frame(black_box(&frame), FRAME_BYTES_MAX, &mut out);
                voice.codec().finish(&mut out);
                begun
            });
        });
    }
    drop(group);
    let mut scratch = Vec::new();
    let mut group = c.benchmark_group("frame/decode");
    for (name, frame) in frames() {
        voice.codec().begin_frame(&frame, FRAME_BYTES_MAX, &mut out).expect("it fits");
        voice.codec().finish(&mut out);
        let mut bytes = out.clone();
        group.bench_function(name, |b| {
            b.iter(|| match frame {
                Frame::Request(_) => {
                    let bytes = black_box(&mut bytes);
                    black_box(voice.codec().decode_request(bytes, &mut scratch)).is_ok()
                }
                Frame::Reply(_) => {
                    let bytes = black_box(&mut bytes);
                    black_box(voice.codec().decode_reply(bytes, &mut scratch)).is_ok()
                }
            });
        });
    }
}

/// A gossip datagram with so many parts, alive members all of them.
fn parts(c: &mut Criterion) {
    let mut voice = Voice::new();
    let words: Vec<_> = (1..=50).map(Voice::word).collect();
    let mut out = Vec::new();
    let mut group = c.benchmark_group("parts/encode");
    for count in [0, 1, 8, 50] {
        group.throughput(Throughput::Elements(count as u64));
        group.bench_with_input(BenchmarkId::from_parameter(count), &count, |b, &count| {
            let limit = DATAGRAM_BYTES_DEFAULT;
            b.iter(|| {
                let begun = voice.codec().begin_datagram(&Datagram::Gossip, limit, &mut out);
                for word in black_box(&words[..count]) {
                    let _ = voice.codec().push(&Voice::alive(word, FIRST), limit, &mut out);
                }
                voice.codec().finish(&mut out);
                begun
            });
        });
    }
    drop(group);
    let mut group = c.benchmark_group("parts/decode");
    for count in [0, 1, 8, 50] {
        group.throughput(Throughput::Elements(count as u64));
        let parts = words[..count].iter().map(|word| Voice::alive(word, FIRST));
        let bytes = voice.gossip(parts);
        group.bench_with_input(BenchmarkId::from_parameter(count), &bytes, |b, bytes| {
            let (mut bytes, mut scratch) = (bytes.clone(), Vec::new());
            b.iter(|| read(&mut voice, &mut bytes, &mut scratch));
        });
    }
    drop(group);
    let mut group = c.benchmark_group("suspicions/decode");
    for count in [1, 8, 50] {
        group.throughput(Throughput::Elements(count));
        let suspicions: Vec<_> =
            (0..count as u32).map(|number| Voice::suspect(number, 99, FIRST)).collect();
        let bytes = voice.gossip(suspicions);
        group.bench_with_input(BenchmarkId::from_parameter(count), &bytes, |b, bytes| {
            let (mut bytes, mut scratch) = (bytes.clone(), Vec::new());
            b.iter(|| read(&mut voice, &mut bytes, &mut scratch));
        });
    }
}

/// Reads a datagram to its last part.
fn read(voice: &mut Voice, bytes: &mut [u8], scratch: &mut Vec<u8>) -> usize {
    let packet = voice.codec().decode_datagram(bytes, scratch).expect("our own bytes are good");
    packet.parts.map(|part| black_box(part).is_ok()).filter(|&ok| ok).count()
}

/// A whole table in one frame: what a sync of 1,000 members costs to read.
fn tables(c: &mut Criterion) {
    let mut voice = Voice::new();
    let (bytes, next) = voice.sync(1, 1..1_001, FIRST);
    assert_eq!(next, 1_001, "1,000 members fit a frame");
    let mut scratch = Vec::new();
    let mut group = c.benchmark_group("frame/decode");
    group.throughput(Throughput::Elements(1_000));
    group.bench_function("sync-1,000-members", |b| {
        b.iter_batched_ref(
            || bytes.clone(),
            |bytes| {
                let packet = voice.codec().decode_request(bytes, &mut scratch);
                packet.expect("our own bytes are good").parts.filter(Result::is_ok).count()
            },
            BatchSize::LargeInput,
        );
    });
    drop(group);
    let mut group = c.benchmark_group("hash");
    let mut ids = support::Round::new((0..1_024).map(id).collect());
    group.bench_function("short-id", |b| {
        b.iter(|| black_box(short(*ids.advance())));
    });
}

fn short(id: NodeId) -> swim_proto::ShortId {
    id.short(swim_proto::ClusterTag(7))
}

criterion_group! {
    name = codec;
    config = support::criterion();
    targets = datagrams, requests_and_replies, parts, tables
}
criterion_main!(codec);
