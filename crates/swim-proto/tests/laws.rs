//! Laws that hold for all values: what is written is read, sizes are as the table says, and
//! registers merge the same in any order.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use quickcheck::{TestResult, quickcheck};
use support::any::{AnyClaim, AnyDatagram, AnyPart, AnyRecord, AnyReply, AnyRequest};
use support::sizes;
use support::wire::{
    FRAME_HEADER_BYTES, HEADER_BYTES, Read, Received, codec, datagram, frame, part, seal_datagram,
    seal_frame,
};
use swim_proto::limits::{
    ACCUSERS_MAX, BROADCAST_BYTES_MAX, DATAGRAM_BYTES_MAX, DATAGRAM_BYTES_MIN, FRAME_BYTES_MAX,
    PATIENCE_UNIT, RECORD_BYTES_MAX,
};
use swim_proto::{
    Accusers, BucketDigests, BucketSet, Claim, Codec, Datagram, Fit, Frame, Held, Incarnation,
    LaterFields, LaterTag, NodeId, Part, Record, RecordError, RecordFields, Reply, Request, Seq,
    ShortId, State, StateNote, Subject, TinyId,
};

fn values(parts: &[AnyPart]) -> Vec<Part<'_>> {
    parts.iter().map(AnyPart::value).collect()
}

quickcheck! {
    fn w6_a_datagram_is_read_as_it_was_written(message: AnyDatagram, parts: Vec<AnyPart>) -> bool {
        let (message, parts) = (message.value(), values(&parts));
        let bytes = datagram(&message, &parts);
        Received::new(bytes).datagram() == Ok(Read::all(message, &parts))
    }

    fn w10_a_request_is_read_as_it_was_written(request: AnyRequest, parts: Vec<AnyPart>) -> bool {
        let (request, parts) = (request.value(), values(&parts));
        let bytes = frame(&Frame::Request(request), &parts);
        Received::new(bytes).request() == Ok(Read::all(request, &parts))
    }

    fn w10_a_reply_is_read_as_it_was_written(reply: AnyReply, parts: Vec<AnyPart>) -> bool {
        let parts = values(&parts);
        let bytes = frame(&Frame::Reply(reply.0), &parts);
        Received::new(bytes).reply() == Ok(Read::all(reply.0, &parts))
    }

    fn w7_a_record_is_read_as_it_was_written(record: AnyRecord) -> bool {
        let fields = record.value();
        let record = fields.build().unwrap();
        record.fields() == fields
            && record.address() == fields.address
            && Record::parse(record.as_bytes()) == Ok(record)
    }

    /// A record that leaves no room for it, or whose later fields break the format, stays as it is.
    fn w7_another_patience_changes_nothing_else_of_a_record(record: AnyRecord, units: u16) -> bool {
        let record = record.value().build().unwrap();
        let patience = PATIENCE_UNIT * u32::from(units);
        let before = LaterFields::parse(record.fields().later);
        match (record.with_patience(patience), before) {
            (Ok(patient), Some(before)) => {
                let others = |fields: LaterFields<'_>| {
                    let others = fields.iter().filter(|entry| entry.0 != LaterTag::PATIENCE);
                    others.map(|(tag, value)| (tag, value.to_vec())).collect::<Vec<_>>()
                };
                patient.patience() == patience
                    && patient.visible() == record.visible()
                    && others(patient.fields().later_fields()) == others(before)
                    && Record::parse(patient.as_bytes()) == Ok(patient)
            }
            (Err(RecordError::TooLong(_)), Some(_)) => record.as_bytes().len() > RECORD_BYTES_MAX - 4,
            (Err(RecordError::NotCanonical(_)), None) => record.patience() == Duration::ZERO,
            _ => false,
        }
    }

    fn w7_records_are_the_same_to_users_exactly_where_all_but_their_later_fields_are(
        a: AnyRecord,
        b: AnyRecord,
        later: bool
    ) -> bool {
        let (a, b) = (a.value(), b.value());
        let b = if later { RecordFields { later: b.later, ..a } } else { b };
        let same = RecordFields { later: &[], ..a } == RecordFields { later: &[], ..b };
        (a.build().unwrap().visible() == b.build().unwrap().visible()) == same
    }

    fn everything_has_the_size_that_the_table_says(
        message: AnyDatagram,
        part: AnyPart,
        request: AnyRequest,
        reply: AnyReply,
        record: AnyRecord
    ) -> bool {
        let (message, request) = (message.value(), request.value());
        datagram(&message, &[]).len() == sizes::of_datagram(&message)
            && support::wire::part(&part.value()).len() == sizes::of_part(&part.value())
            && frame(&Frame::Request(request), &[]).len() == sizes::of_request(&request)
            && frame(&Frame::Reply(reply.0), &[]).len() == sizes::of_reply(&reply.0)
            && record.value().build().unwrap().as_bytes().len() == sizes::of_record(&record.value())
    }

    /// The limits tried are those at which something just fits, or just does not.
    fn what_fits_is_written_and_what_does_not_changes_nothing(
        message: AnyDatagram,
        parts: Vec<AnyPart>,
        cut: usize,
        slack: u8
    ) -> bool {
        let (message, parts) = (message.value(), values(&parts));
        let sizes: Vec<_> = parts.iter().map(sizes::of_part).collect();
        let kept = cut % (parts.len() + 1);
        let exact = sizes::of_datagram(&message) + sizes[..kept].iter().sum::<usize>();
        let limit = (exact + usize::from(slack % 3)).saturating_sub(1);

        let (mut codec, mut out) = (codec(), vec![9; 3]);
        let begun = codec.begin_datagram(&message, limit, &mut out);
        if sizes::of_datagram(&message) > limit {
            return begun.is_err() && out.is_empty();
        }
        begun.unwrap();
        for (part, size) in parts.iter().zip(sizes) {
            let before = out.clone();
            let fits = before.len() + size <= limit;
            match codec.push(part, limit, &mut out) {
                Fit::Written if fits && out.len() == before.len() + size => {}
                Fit::NoRoom if !fits && out == before => {}
                _ => return false,
            }
        }
        let length = out.len();
        codec.finish(&mut out);
        out.len() == length && length <= limit
    }

    fn w6_there_is_one_way_to_write_a_datagram(
        message: AnyDatagram,
        parts: Vec<AnyPart>,
        changes: Vec<(usize, u8)>
    ) -> TestResult {
        let mut bytes = datagram(&message.value(), &few(&parts));
        change(&mut bytes[HEADER_BYTES..], &changes);
        // For later versions, and ignored: a digest elsewhere than in pings and acks, two flags, of
        // which one has a meaning beside a digest, and upper bits of a state.
        let digest = bytes[HEADER_BYTES] & (1 << 4) != 0;
        seal_datagram(&mut bytes);
        let mut received = Received::new(&bytes[..]);
        match received.datagram() {
            Ok(read) if read.is_all() && (!digest || may_have_note(&read.message)) => {
                bytes[HEADER_BYTES] &= if digest { !(1 << 6) } else { !(0b11 << 5) };
                if let Datagram::Ping { .. } = read.message {
                    bytes[sizes::of_datagram(&read.message) - 3] &= 0b11;
                }
                seal_datagram(&mut bytes);
                TestResult::from_bool(datagram(&read.message, &read.parts) == bytes)
            }
            _ => TestResult::discard(),
        }
    }

    fn w10_there_is_one_way_to_write_a_request(
        request: AnyRequest,
        parts: Vec<AnyPart>,
        changes: Vec<(usize, u8)>
    ) -> TestResult {
        let mut bytes = frame(&Frame::Request(request.value()), &few(&parts));
        change(&mut bytes[FRAME_HEADER_BYTES..], &changes);
        seal_frame(&mut bytes);
        let mut received = Received::new(&bytes[..]);
        match received.request() {
            Ok(read) if read.is_all() => {
                if let Request::Ping { .. } = read.message {
                    bytes[sizes::of_request(&read.message) - 3] &= 0b11;
                }
                seal_frame(&mut bytes);
                let message = Frame::Request(read.message);
                TestResult::from_bool(frame(&message, &read.parts) == bytes)
            }
            _ => TestResult::discard(),
        }
    }

    fn w10_there_is_one_way_to_write_a_reply(
        reply: AnyReply,
        parts: Vec<AnyPart>,
        changes: Vec<(usize, u8)>
    ) -> TestResult {
        let mut bytes = frame(&Frame::Reply(reply.0), &few(&parts));
        change(&mut bytes[FRAME_HEADER_BYTES..], &changes);
        seal_frame(&mut bytes);
        match Received::new(&bytes[..]).reply() {
            Ok(read) if read.is_all() => {
                TestResult::from_bool(frame(&Frame::Reply(read.message), &read.parts) == bytes)
            }
            _ => TestResult::discard(),
        }
    }

    fn m1_claims_merge_the_same_in_any_order(a: AnyClaim, b: AnyClaim, c: AnyClaim) -> bool {
        is_semilattice(merge_claims, &a.0, &b.0, &c.0)
    }

    fn m1_records_merge_the_same_in_any_order(
        a: (u8, AnyRecord),
        b: (u8, AnyRecord),
        c: (u8, AnyRecord)
    ) -> bool {
        // Few incarnations, so that equal ones meet.
        let register = |(incarnation, record): (u8, AnyRecord)| {
            (Incarnation(u64::from(incarnation % 3)), record.value().build().unwrap())
        };
        is_semilattice(merge_records, &register(a), &register(b), &register(c))
    }
}

fn may_have_note(message: &Datagram<'_>) -> bool {
    matches!(message, Datagram::Ping { .. } | Datagram::Ack { .. })
}

/// Few enough that a change at random often hits what is not payload.
fn few(parts: &[AnyPart]) -> Vec<Part<'_>> {
    values(&parts[..parts.len().min(4)])
}

fn change(bytes: &mut [u8], changes: &[(usize, u8)]) {
    for &(at, byte) in changes.iter().take(3) {
        let at = at % bytes.len();
        bytes[at] = byte;
    }
}

fn merge_claims(a: &Claim, b: &Claim) -> Claim {
    if b.supersedes(*a) { *b } else { *a }
}

fn merge_records(a: &(Incarnation, Record), b: &(Incarnation, Record)) -> (Incarnation, Record) {
    if (b.0, b.1.hash()) > (a.0, a.1.hash()) { b.clone() } else { a.clone() }
}

/// Whether a merge is commutative, associative and idempotent, as far as these three tell.
fn is_semilattice<T: PartialEq>(merge: impl Fn(&T, &T) -> T, a: &T, b: &T, c: &T) -> bool {
    merge(a, b) == merge(b, a)
        && merge(&merge(a, b), c) == merge(a, &merge(b, c))
        && merge(a, a) == *a
        && merge(&merge(a, b), b) == merge(a, b)
}

const ID: NodeId = NodeId::from_bytes([0xff; 16]);
const LAST: Incarnation = Incarnation(u64::MAX);
const TINY: TinyId = TinyId(u32::MAX);

/// Each message at its longest. A user message is as long as its sender lets it be.
fn longest_messages() -> Vec<Datagram<'static>> {
    let seq = Seq(u32::MAX);
    let held = Held { claim: Claim::new(LAST, State::Left), record: u16::MAX };
    let note = Some(StateNote { digest: u64::MAX, quiet: true });
    vec![
        Datagram::Ping { seq, target: TINY, from: TINY, held, note },
        Datagram::Ack { seq, note },
        Datagram::PingReq { seq, from: TINY, target: Subject::Full(ID) },
        Datagram::Nack { seq },
        Datagram::Gossip,
        Datagram::Correction,
        Datagram::RecordRequest { from: TINY, subject: Subject::Full(ID) },
        Datagram::Leave { seq, id: ID, incarnation: LAST },
        Datagram::LeaveAck { seq },
    ]
}

/// Each part at its longest.
fn longest_parts() -> Vec<Part<'static>> {
    let subject = Subject::Full(ID);
    let accusers: Accusers = (0..ACCUSERS_MAX as u32).map(TinyId).collect();
    let (record, payload) = (&[0; RECORD_BYTES_MAX], &[0; BROADCAST_BYTES_MAX]);
    vec![
        Part::Alive { id: ID, incarnation: LAST, record },
        Part::Suspect { subject, incarnation: LAST, accusers },
        Part::Dead { subject, incarnation: LAST, accusers },
        Part::Left { subject, incarnation: LAST },
        Part::Broadcast { origin: ShortId(u64::MAX), key: u64::MAX, payload },
    ]
}

#[test]
fn any_message_and_any_part_fit_the_smallest_datagram_with_a_seal_to_come() {
    // In place of the check a key's number, a nonce of 12 and a tag of 16.
    let to_come = 1 + 12 + 16 - 4;
    for message in longest_messages() {
        for part in longest_parts() {
            let bytes = datagram(&message, &[part]).len() + to_come;
            assert!(bytes <= DATAGRAM_BYTES_MIN, "{bytes} bytes: {message:?}, {part:?}");
        }
    }
}

#[test]
fn the_largest_datagram_that_is_written_is_the_largest_that_is_taken() {
    let payload = vec![7; DATAGRAM_BYTES_MAX - (HEADER_BYTES + 1 + 8 + 3)];
    let largest = Datagram::User { from: ShortId(1), payload: &payload };
    let bytes = datagram(&largest, &[]);
    assert_eq!(bytes.len(), DATAGRAM_BYTES_MAX);
    assert_eq!(Received::new(bytes).datagram(), Ok(Read::all(largest, &[])));

    let (mut codec, mut out) = (codec(), Vec::new());
    codec.begin_datagram(&largest, usize::MAX, &mut out).unwrap();
    for part in longest_parts() {
        assert_eq!(codec.push(&part, usize::MAX, &mut out), Fit::NoRoom);
    }
    let payload = [&payload[..], &[7]].concat();
    let larger = Datagram::User { from: ShortId(1), payload: &payload };
    assert!(codec.begin_datagram(&larger, usize::MAX, &mut out).is_err());
}

#[test]
fn the_largest_frame_that_is_written_is_the_largest_that_is_taken() {
    let overhead = FRAME_HEADER_BYTES - 4 + 1 + 8 + 3;
    let payload = vec![7; FRAME_BYTES_MAX - overhead];
    let largest = Request::User { from: ShortId(1), payload: &payload };
    let bytes = frame(&Frame::Request(largest), &[]);
    assert_eq!(bytes.len(), 4 + FRAME_BYTES_MAX);
    assert_eq!(Received::new(bytes).request(), Ok(Read::all(largest, &[])));

    let (mut codec, mut out) = (codec(), Vec::new());
    codec.begin_frame(&Frame::Request(largest), usize::MAX, &mut out).unwrap();
    assert_eq!(codec.push(&longest_parts()[3], usize::MAX, &mut out), Fit::NoRoom);
    let payload = [&payload[..], &[7]].concat();
    let larger = Frame::Request(Request::User { from: ShortId(1), payload: &payload });
    assert!(codec.begin_frame(&larger, usize::MAX, &mut out).is_err());
}

#[test]
fn a_part_that_no_receiver_would_take_never_fits() {
    let subject = Subject::Short(ShortId(1));
    let (record, payload) = (&[0; RECORD_BYTES_MAX + 1], &[0; BROADCAST_BYTES_MAX + 1]);
    for bad in [
        Part::Alive { id: ID, incarnation: LAST, record },
        Part::Suspect { subject, incarnation: LAST, accusers: Accusers::new() },
        Part::Broadcast { origin: ShortId(1), key: 1, payload },
    ] {
        let (mut codec, mut out) = (codec(), Vec::new());
        codec.begin_datagram(&Datagram::Gossip, usize::MAX, &mut out).unwrap();
        let before = out.clone();
        assert_eq!(codec.push(&bad, usize::MAX, &mut out), Fit::NoRoom);
        assert_eq!(out, before);
    }
    for good in longest_parts() {
        part(&good);
    }
}

#[test]
fn w10_nobody_goes_on_from_the_beginning() {
    let (from, buckets) = (ID, BucketSet::ALL);
    for pull in [None, Some(ShortId(1))] {
        let records = Request::Records { from, buckets, pull };
        let bytes = frame(&Frame::Request(records), &[]);
        assert_eq!(Received::new(bytes).request(), Ok(Read::all(records, &[])));
    }
    let (mut codec, mut out) = (codec(), Vec::new());
    let records = Request::Records { from, buckets, pull: Some(ShortId(0)) };
    assert!(codec.begin_frame(&Frame::Request(records), usize::MAX, &mut out).is_err());
}

#[test]
fn e2_a_sync_of_equal_tables_fits_2_5_kib_at_any_size() {
    let record = &[0, 127, 0, 0, 1, 0xf8, 0x09];
    let own = Part::Alive { id: ID, incarnation: LAST, record };
    let digests = BucketDigests::read(BucketSet::ALL, &[1; 2_048]).unwrap();
    let request = frame(&Frame::Request(Request::Sync { from: ID, digests }), &[own]);
    let entries =
        Reply::Entries { from: ID, digest: u64::MAX, buckets: BucketSet::NONE, next: None };
    let reply = frame(&Frame::Reply(entries), &[own]);
    assert_eq!((request.len(), reply.len()), (2_148, 116));
    assert!(request.len() + reply.len() <= 2_560);
}
