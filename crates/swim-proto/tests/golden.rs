//! The bytes of everything that can be said, against the vectors in `golden/`: each value is
//! written as its vector, and each vector is read as its value. They are added to, never edited.
#![allow(clippy::unwrap_used)]

mod support;

use support::vectors::{DATAGRAMS, LATER, PARTS, RECORDS, REPLIES, REQUESTS, vectors};
use support::wire::{Read, Received, datagram, frame, part, sealed_datagram};
use swim_proto::{
    Accusers, BucketDigests, BucketSet, Claim, ClusterName, Datagram, Frame, HashDomain, Held,
    Incarnation, NodeId, Part, Record, RecordFields, RefusalReason, Reply, Request, Seq, ShortId,
    State, StateNote, Subject, TinyId, Versions, hash64, member_hash,
};

const SEQ: Seq = Seq(0x0a0b_0c0d);
const TARGET: TinyId = TinyId(0x1112_1314);
const FROM: TinyId = TinyId(0x2122_2324);
const ID: NodeId = NodeId::from_bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
const OTHER_ID: NodeId = NodeId::from_bytes([0x11; 16]);
const SHORT: ShortId = ShortId(0x0102_0304_0506_0708);
const BY_SHORT: Subject = Subject::Short(SHORT);
const BY_ID: Subject = Subject::Full(ID);
const ONE: Incarnation = Incarnation(1);
/// 127.0.0.1:2552 and nothing else.
const RECORD: &[u8] = &[0, 127, 0, 0, 1, 0xf8, 0x09];
const ALIVE: Part<'_> = Part::Alive { id: ID, incarnation: ONE, record: RECORD };

const fn held(incarnation: u64, state: State, record: u16) -> Held {
    Held { claim: Claim::new(Incarnation(incarnation), state), record }
}

/// The first of the five accusers that occur.
fn accusers(count: usize) -> Accusers {
    let all = [FROM, TinyId(0), TinyId(u32::MAX), TinyId(0x3132_3334), TinyId(1)];
    all.into_iter().take(count).collect()
}

fn suspect(subject: Subject, incarnation: u64, count: usize) -> Part<'static> {
    let accusers = accusers(count);
    Part::Suspect { subject, incarnation: Incarnation(incarnation), accusers }
}

fn dead(subject: Subject, incarnation: u64, count: usize) -> Part<'static> {
    let accusers = accusers(count);
    Part::Dead { subject, incarnation: Incarnation(incarnation), accusers }
}

fn left(subject: Subject, incarnation: u64) -> Part<'static> {
    Part::Left { subject, incarnation: Incarnation(incarnation) }
}

/// Checks that there is one value for each vector of a file, under the same name and in the same
/// order, and calls `check` for each.
fn compare<V>(text: &'static str, values: Vec<(&str, V)>, check: impl Fn(&str, V, Vec<u8>)) {
    let vectors = vectors(text);
    let names: Vec<_> = vectors.iter().map(|vector| vector.0).collect();
    assert_eq!(names, values.iter().map(|value| value.0).collect::<Vec<_>>());
    for ((name, bytes), (_, value)) in vectors.into_iter().zip(values) {
        check(name, value, bytes);
    }
}

#[test]
fn w6_datagrams_have_their_bytes() {
    let ping = |seq, target, from, held| Datagram::Ping { seq, target, from, held, note: None };
    let noted = |digest, quiet| {
        let (held, note) = (held(1, State::Alive, 0x3132), Some(StateNote { digest, quiet }));
        Datagram::Ping { seq: SEQ, target: TARGET, from: FROM, held, note }
    };
    let acked = |digest, quiet| Datagram::Ack { seq: SEQ, note: Some(StateNote { digest, quiet }) };
    let (whole, most) = (TinyId(u32::MAX), Seq(u32::MAX));
    let values: Vec<(_, (Datagram<'_>, Vec<Part<'_>>))> = vec![
        (
            "ping about an alive member",
            (ping(SEQ, TARGET, FROM, held(250, State::Alive, 0x3132)), vec![]),
        ),
        (
            "ping about a suspect member",
            (ping(most, TinyId(0), whole, held(251, State::Suspect, 0)), vec![]),
        ),
        (
            "ping about a dead member",
            (ping(Seq(0), TARGET, FROM, held(65_536, State::Dead, u16::MAX)), vec![]),
        ),
        (
            "ping about a member that left",
            (ping(SEQ, TARGET, FROM, held(u64::MAX, State::Left, 0x3132)), vec![]),
        ),
        ("ack", (Datagram::Ack { seq: SEQ, note: None }, vec![])),
        (
            "ping-req for a short id",
            (Datagram::PingReq { seq: SEQ, from: FROM, target: BY_SHORT }, vec![]),
        ),
        (
            "ping-req for a full id",
            (Datagram::PingReq { seq: SEQ, from: FROM, target: BY_ID }, vec![]),
        ),
        ("nack", (Datagram::Nack { seq: SEQ }, vec![])),
        ("gossip of nothing", (Datagram::Gossip, vec![])),
        (
            "gossip of two",
            (
                Datagram::Gossip,
                vec![left(BY_SHORT, 7), {
                    let subject = Subject::Short(ShortId(0x1112_1314_1516_1718));
                    let accusers = [FROM, TinyId(0x3132_3334)].into_iter().collect();
                    Part::Dead { subject, incarnation: Incarnation(300), accusers }
                }],
            ),
        ),
        (
            "correction",
            (
                Datagram::Correction,
                vec![Part::Alive { id: ID, incarnation: Incarnation(2), record: RECORD }],
            ),
        ),
        (
            "record request for a short id",
            (Datagram::RecordRequest { from: FROM, subject: BY_SHORT }, vec![]),
        ),
        (
            "record request for a full id",
            (Datagram::RecordRequest { from: FROM, subject: BY_ID }, vec![]),
        ),
        (
            "leave",
            (Datagram::Leave { seq: SEQ, id: ID, incarnation: Incarnation(1 << 32) }, vec![]),
        ),
        ("leave-ack", (Datagram::LeaveAck { seq: SEQ }, vec![])),
        ("user message of nothing", (Datagram::User { from: SHORT, payload: b"" }, vec![])),
        (
            "user message of 251 bytes",
            (Datagram::User { from: SHORT, payload: &[b'a'; 251] }, vec![]),
        ),
        (
            "ack with a broadcast",
            (
                Datagram::Ack { seq: SEQ, note: None },
                vec![Part::Broadcast {
                    origin: SHORT,
                    key: 0x2122_2324_2526_2728,
                    payload: b"hello",
                }],
            ),
        ),
        ("ping with a digest", (noted(SHORT.0, false), vec![])),
        ("ping with a digest, with no news to tell", (noted(SHORT.0, true), vec![])),
        ("ack with a digest", (acked(0x0807_0605_0403_0201, false), vec![])),
        ("ack with a digest, with no news to tell", (acked(SHORT.0, true), vec![])),
    ];
    compare(DATAGRAMS, values, |name, (message, parts), bytes| {
        assert_eq!(datagram(&message, &parts), bytes, "{name}");
        assert_eq!(Received::new(bytes).datagram(), Ok(Read::all(message, &parts)), "{name}");
    });
}

#[test]
fn w8_parts_have_their_bytes() {
    let longest = [b'a'; 700];
    let values = vec![
        ("alive", ALIVE),
        (
            "alive with the longest record",
            Part::Alive { id: OTHER_ID, incarnation: Incarnation(u64::MAX), record: &longest },
        ),
        ("suspect with 1 accuser", suspect(BY_SHORT, 250, 1)),
        ("suspect with 2 accusers", suspect(BY_SHORT, 251, 2)),
        ("suspect with 3 accusers", suspect(BY_SHORT, 65_535, 3)),
        ("suspect with 4 accusers", suspect(BY_SHORT, 65_536, 4)),
        ("suspect in full with 1 accuser", suspect(BY_ID, u32::MAX.into(), 1)),
        ("suspect in full with 4 accusers", suspect(BY_ID, 1 << 32, 4)),
        ("dead without accusers", dead(BY_SHORT, 0, 0)),
        ("dead with 1 accuser", dead(BY_SHORT, 1, 1)),
        ("dead with 2 accusers", dead(BY_SHORT, 1, 2)),
        ("dead with 3 accusers", dead(BY_SHORT, 1, 3)),
        ("dead with 4 accusers", dead(BY_SHORT, 1, 4)),
        ("dead in full without accusers", dead(BY_ID, 1, 0)),
        ("dead in full with 4 accusers", dead(BY_ID, 1, 4)),
        ("left", left(BY_SHORT, 1)),
        ("left in full", left(BY_ID, u64::MAX)),
        (
            "broadcast of nothing",
            Part::Broadcast { origin: SHORT, key: 0x2122_2324_2526_2728, payload: b"" },
        ),
        ("broadcast of the most", Part::Broadcast { origin: SHORT, key: 0, payload: &[b'z'; 512] }),
        ("suspect with 5 accusers", suspect(BY_SHORT, 1, 5)),
        ("dead in full with 5 accusers", dead(BY_ID, 1, 5)),
        ("seen at an IPv4 address", Part::Seen { address: "10.81.0.4:7946".parse().unwrap() }),
        ("room for 1150 bytes", Part::Room { bytes: 1_150 }),
        ("seen at an IPv6 address", Part::Seen { address: "[2001:db8::7]:7946".parse().unwrap() }),
    ];
    compare(PARTS, values, |name, value, bytes| {
        assert_eq!(part(&value), bytes, "{name}");
        let carried = sealed_datagram(&[&[5], &bytes[..]].concat());
        let read = Read::all(Datagram::Gossip, &[value]);
        assert_eq!(Received::new(carried).datagram(), Ok(read), "{name}");
    });
}

#[test]
fn w7_records_have_their_bytes() {
    let base = RecordFields {
        address: "192.0.2.7:1".parse().unwrap(),
        versions: Versions::default(),
        name: "",
        metadata: &[],
        later: &[],
    };
    let ipv6 = RecordFields { address: "[2001:db8::1]:2552".parse().unwrap(), ..base };
    let (name, metadata) = ("n".repeat(128), [b'm'; 512]);
    let later = [
        &[1, 2, 0xff, 0xff, 2, 4, 10, 0, 40, 0, 3, 4, 0x00, 0xf1, 0x53, 0x65, 4, 8][..],
        &[0x24, 0x23, 0x22, 0x21, 0x34, 0x33, 0x32, 0x31, 5, 0, 251, 3, 0xaa, 0xbb, 0xcc],
    ]
    .concat();
    let values = vec![
        ("ipv4", RecordFields { address: "127.0.0.1:2552".parse().unwrap(), ..base }),
        ("ipv6", RecordFields { address: "[2001:db8::1]:65535".parse().unwrap(), ..base }),
        ("ipv4 with versions", RecordFields { versions: Versions { min: 0, max: 3 }, ..base }),
        ("ipv4 with a name", RecordFields { name: "zoë", ..base }),
        ("ipv6 with a name", RecordFields { name: "zoë", ..ipv6 }),
        ("ipv4 with metadata", RecordFields { metadata: &[0, 0xff, b'\n', b'A'], ..base }),
        ("ipv6 with metadata", RecordFields { metadata: &metadata, ..ipv6 }),
        ("ipv4 with later fields", RecordFields { later: &[0x99, 0, 1], ..base }),
        (
            "ipv6 with versions, name, metadata and later fields",
            RecordFields {
                versions: Versions { min: 1, max: 2 },
                name: &name,
                metadata: b"m",
                later: &[0x99],
                ..ipv6
            },
        ),
        ("ipv4 with a patience", RecordFields { later: &[1, 2, 50, 0], ..base }),
        ("ipv4 with a start", RecordFields { later: &[3, 4, 0, 0xf1, 0x53, 0x65], ..base }),
        (
            "ipv4 with a patience, the timing of `local`, and a start",
            RecordFields {
                later: &[1, 2, 50, 0, 2, 4, 5, 0, 10, 0, 3, 4, 0, 0xf1, 0x53, 0x65],
                ..base
            },
        ),
        (
            "ipv6 with a name, all later fields that have a layout, and unknown ones",
            RecordFields { name: "zoë", later: &later, ..ipv6 },
        ),
    ];
    compare(RECORDS, values, |name, fields, bytes| {
        assert_eq!(fields.build().unwrap().as_bytes(), bytes, "{name}");
        assert_eq!(RecordFields::parse(&bytes), Ok(fields), "{name}");
        let record = Record::parse(&bytes).unwrap();
        assert_eq!((record.as_bytes(), record.address()), (&bytes[..], fields.address), "{name}");
    });
}

#[test]
fn w7_later_fields_are_read_from_their_bytes() {
    let read = |name: &str| {
        let (_, bytes) = vectors(RECORDS).into_iter().find(|vector| vector.0 == name).unwrap();
        let record = Record::parse(&bytes).unwrap();
        let fields = record.fields().later_fields();
        let tags: Vec<_> = fields.iter().map(|(tag, value)| (tag.0, value.len())).collect();
        (record.patience().as_millis(), tags)
    };
    assert_eq!(read("ipv4"), (0, vec![]));
    assert_eq!(read("ipv4 with a patience"), (5_000, vec![(1, 2)]));
    let all = read("ipv6 with a name, all later fields that have a layout, and unknown ones");
    assert_eq!(all, (6_553_500, vec![(1, 2), (2, 4), (3, 4), (4, 8), (5, 0), (251, 3)]));
    for broken in ["ipv4 with later fields", "ipv6 with versions, name, metadata and later fields"]
    {
        assert_eq!(read(broken), (0, vec![]), "{broken}");
    }
}

#[test]
fn w7_timing_and_start_are_read_from_their_bytes() {
    let read = |name: &str| {
        let (_, bytes) = vectors(RECORDS).into_iter().find(|vector| vector.0 == name).unwrap();
        let record = Record::parse(&bytes).unwrap();
        let timing = record.timing();
        (timing.period().as_millis(), timing.suspicion_min().as_millis(), record.start())
    };
    assert_eq!(read("ipv4"), (1_000, 4_000, None));
    assert_eq!(read("ipv4 with a start"), (1_000, 4_000, Some(1_700_000_000)));
    let all = read("ipv4 with a patience, the timing of `local`, and a start");
    assert_eq!(all, (500, 1_000, Some(1_700_000_000)));
}

#[test]
fn w10_requests_have_their_bytes() {
    let two: BucketSet = [3, 200].into_iter().collect();
    let digests = [8, 7, 6, 5, 4, 3, 2, 1, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11];
    let sync = |buckets, digests| {
        let digests = BucketDigests::read(buckets, digests).unwrap();
        Request::Sync { from: ID, digests }
    };
    let records = |buckets, pull| Request::Records { from: ID, buckets, pull };
    let values: Vec<(_, (Request<'_>, Vec<Part<'_>>))> = vec![
        ("join", (Request::Join { cluster: "cluster1" }, vec![ALIVE])),
        ("sync of an empty table", (sync(BucketSet::NONE, &[]), vec![])),
        ("sync of two buckets", (sync(two, &digests), vec![ALIVE])),
        ("sync of all buckets", (sync(BucketSet::ALL, &[b'a'; 2_048]), vec![])),
        ("records, to be told nothing", (records(two, None), vec![suspect(BY_SHORT, 1, 1)])),
        ("records, to go on from a short id", (records(BucketSet::ALL, Some(SHORT)), vec![])),
        ("ping", {
            let held = held(1, State::Alive, 0x3132);
            (Request::Ping { seq: SEQ, target: TARGET, from: FROM, held }, vec![])
        }),
        ("user message", (Request::User { from: SHORT, payload: b"hello" }, vec![])),
        ("leave", (Request::Leave { seq: SEQ, id: ID, incarnation: Incarnation(300) }, vec![])),
    ];
    compare(REQUESTS, values, |name, (request, parts), bytes| {
        assert_eq!(frame(&Frame::Request(request), &parts), bytes, "{name}");
        assert_eq!(Received::new(bytes).request(), Ok(Read::all(request, &parts)), "{name}");
    });
}

#[test]
fn w10_replies_have_their_bytes() {
    let two: BucketSet = [3, 200].into_iter().collect();
    let entries = |buckets, next| Reply::Entries { from: ID, digest: SHORT.0, buckets, next };
    let refusal = |reason| (Reply::Refusal { cluster: "cluster1", reason }, vec![]);
    let values: Vec<(_, (Reply<'_>, Vec<Part<'_>>))> = vec![
        ("entries of equal tables", (entries(BucketSet::NONE, None), vec![])),
        (
            "entries of two buckets, and more from the last short id",
            (
                entries(two, Some(ShortId(u64::MAX))),
                vec![
                    Part::Alive { id: OTHER_ID, incarnation: ONE, record: RECORD },
                    dead(BY_SHORT, 2, 0),
                ],
            ),
        ),
        ("refusal: another cluster", refusal(RefusalReason::OtherCluster)),
        ("refusal: full", refusal(RefusalReason::Full)),
        ("refusal: versions", refusal(RefusalReason::Versions)),
        ("refusal: not running", refusal(RefusalReason::NotRunning)),
        ("refusal: a reason of a later version", refusal(RefusalReason::Unknown(255))),
        ("ack", (Reply::Ack { seq: SEQ }, vec![])),
        ("ack of a user message", (Reply::Ack { seq: Seq(0) }, vec![])),
        ("refusal: no reader", refusal(RefusalReason::NoReader)),
        ("refusal: no room", refusal(RefusalReason::NoRoom)),
        ("refusal: an address that leads nowhere, and where the joiner was seen", {
            let cluster = "cluster1";
            let seen = Part::Seen { address: "10.81.0.4:50001".parse().unwrap() };
            (Reply::Refusal { cluster, reason: RefusalReason::Address }, vec![seen])
        }),
    ];
    compare(REPLIES, values, |name, (reply, parts), bytes| {
        assert_eq!(frame(&Frame::Reply(reply), &parts), bytes, "{name}");
        assert_eq!(Received::new(bytes).reply(), Ok(Read::all(reply, &parts)), "{name}");
    });
}

#[test]
fn w11_what_a_later_version_adds_is_passed_over() {
    let values: Vec<(_, (Datagram<'_>, Vec<Part<'_>>, u32))> = vec![
        (
            "ping-req with a digest and all flags",
            (Datagram::PingReq { seq: SEQ, from: FROM, target: BY_ID }, vec![], 0),
        ),
        ("ack with the flag of bit 5", (Datagram::Ack { seq: SEQ, note: None }, vec![], 0)),
        ("ack with the flag of bit 6", (Datagram::Ack { seq: SEQ, note: None }, vec![], 0)),
        ("ping with more bits in its state", {
            let held = held(1, State::Suspect, 0x3132);
            (Datagram::Ping { seq: SEQ, target: TARGET, from: FROM, held, note: None }, vec![], 0)
        }),
        (
            "gossip with unknown parts",
            (Datagram::Gossip, vec![left(BY_SHORT, 7), dead(BY_SHORT, 8, 0)], 3),
        ),
    ];
    compare(LATER, values, |name, (message, parts, unknown), bytes| {
        let read = Read { unknown, ..Read::all(message, &parts) };
        assert_eq!(Received::new(bytes).datagram(), Ok(read), "{name}");
    });
}

#[test]
fn w3_cluster_tags_have_their_values() {
    let longest = "n".repeat(64);
    for (name, tag) in [
        ("cluster1", 0xd18a_92f2_e1a5_2d5c),
        ("other", 0x02df_66d0_9501_0d56),
        ("zoë", 0xf29c_f185_867b_f08e),
        (&longest, 0xf5d9_807a_ccfb_12af),
    ] {
        assert_eq!(ClusterName::new(name).unwrap().tag().0, tag, "{name}");
    }
}

#[test]
fn w4_short_ids_have_their_values_and_tiny_ids_are_their_low_half() {
    let tag = ClusterName::new("cluster1").unwrap().tag();
    for (id, short, tiny) in
        [(OTHER_ID, 0xb52f_6e36_fb77_26c5, 0xfb77_26c5), (ID, 0xcbe0_76ff_45eb_418d, 0x45eb_418d)]
    {
        assert_eq!(id.short(tag), ShortId(short));
        assert_eq!(id.short(tag).tiny(), TinyId(tiny));
    }
}

#[test]
fn w7_record_hashes_have_their_values() {
    let ipv6 = [&[1][..], &[0; 15], &[1, 0xf8, 0x09]].concat();
    let named = [&[12, 127, 0, 0, 1, 2, 10, 1][..], b"b", &[8, 0], b"role=web"].concat();
    let localhost = [&[0; 15][..], &[1, 0xf8, 0x09]].concat();
    let name = [&[4], "zoë".as_bytes()].concat();
    let all = [&[15, 0, 3], &localhost[..], &name, &[8, 0], b"role=web", &[1, 2]].concat();
    for (bytes, hash) in [
        (RECORD, 0xba5c_639d_0cd3_ac2d),
        (&ipv6, 0x84bd_6486_2461_ad0d),
        (&named, 0x4569_ba80_44e1_704d),
        (&all, 0x7a9d_a371_ec49_89f4),
    ] {
        assert_eq!(Record::parse(bytes).unwrap().hash(), hash);
        assert_eq!(hash64(HashDomain::Record, bytes), hash);
    }
}

#[test]
fn d1_hashes_of_members_have_their_values() {
    let named = [&[12, 127, 0, 0, 1, 2, 10, 1][..], b"b", &[8, 0], b"role=web"].concat();
    let last = u64::MAX;
    for (id, claim, made_in, record, hash) in [
        (OTHER_ID, (1, State::Alive), 1, RECORD, 0x8466_0ce9_49db_82da),
        (NodeId::from_bytes([0x22; 16]), (7, State::Suspect), 6, &named, 0x4950_dffc_32a5_b493),
        (ID, (last, State::Alive), last, RECORD, 0x9c5a_63d9_1b61_9b8f),
    ] {
        let claim = Claim::new(Incarnation(claim.0), claim.1);
        let record = Record::parse(record).unwrap().hash();
        assert_eq!(member_hash(id, claim, Incarnation(made_in), record), hash);
    }
}
