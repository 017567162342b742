//! What a node owes to a codec that keeps what it has written in mind.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::ops::Range;
use std::time::Duration;

use swim_proto::limits::FRAME_BYTES_MAX;
use swim_proto::{
    Accusers, BincodeCodec, BucketDigests, BucketSet, ClusterName, Codec, Datagram, DecodeError,
    EncodeError, Fit, Frame, Incarnation, NodeId, Packet, Part, RecordFields, Reply, Request,
    Subject, TinyId, Versions,
};
use swimmer::Instant;
use swimmer::node::{Node, Output, RequestId, Settings};

/// The default codec, which notices when somebody else changes what it is writing.
struct Strict {
    inner: BincodeCodec,
    written: Option<Vec<u8>>,
}

impl Strict {
    fn new() -> Self {
        Self { inner: BincodeCodec::new(cluster()), written: None }
    }

    fn check(&self, out: &[u8]) {
        assert!(
            self.written.as_deref() == Some(out),
            "nobody else writes between begin and finish"
        );
    }
}

impl Codec for Strict {
    fn begin_datagram(
        &mut self,
        message: &Datagram<'_>,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        self.inner.begin_datagram(message, limit, out)?;
        self.written = Some(out.clone());
        Ok(())
    }

    fn begin_frame(
        &mut self,
        message: &Frame<'_>,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        self.inner.begin_frame(message, limit, out)?;
        self.written = Some(out.clone());
        Ok(())
    }

    fn push(&mut self, part: &Part<'_>, limit: usize, out: &mut Vec<u8>) -> Fit {
        self.check(out);
        let before = out.len();
        let fit = self.inner.push(part, limit, out);
        self.written.as_mut().unwrap().extend(&out[before..]);
        fit
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.check(out);
        self.inner.finish(out);
        self.written = None;
    }

    fn decode_datagram<'a>(
        &mut self,
        bytes: &'a mut [u8],
        scratch: &'a mut Vec<u8>,
    ) -> Result<Packet<'a, Datagram<'a>>, DecodeError> {
        self.inner.decode_datagram(bytes, scratch)
    }

    fn decode_request<'a>(
        &mut self,
        bytes: &'a mut [u8],
        scratch: &'a mut Vec<u8>,
    ) -> Result<Packet<'a, Request<'a>>, DecodeError> {
        self.inner.decode_request(bytes, scratch)
    }

    fn decode_reply<'a>(
        &mut self,
        bytes: &'a mut [u8],
        scratch: &'a mut Vec<u8>,
    ) -> Result<Packet<'a, Reply<'a>>, DecodeError> {
        self.inner.decode_reply(bytes, scratch)
    }
}

const PEER: NodeId = NodeId::from_bytes([0xff; 16]);
/// More than one frame of 64 KiB holds and less than two, when each is told with its suspicion.
const MEMBERS: u128 = 120;
const METADATA_BYTES: usize = 500;

fn cluster() -> ClusterName {
    ClusterName::new("test").unwrap()
}

/// What the peer tells: these members, each suspect.
fn members(ids: Range<u128>) -> Vec<u8> {
    let record = RecordFields {
        address: "127.0.0.1:9".parse().unwrap(),
        versions: Versions::default(),
        name: &"n".repeat(128),
        metadata: &[7; METADATA_BYTES],
        later: &[],
    };
    let (record, incarnation) = (record.build().unwrap(), Incarnation(1));
    let accusers: Accusers = [TinyId(7)].into_iter().collect();
    let mut peer = BincodeCodec::new(cluster());
    let mut frame = Vec::new();
    let records = Request::Records { from: PEER, buckets: BucketSet::NONE, pull: None };
    peer.begin_frame(&Frame::Request(records), FRAME_BYTES_MAX, &mut frame).unwrap();
    for id in ids.map(|id| NodeId::from_bytes(id.to_le_bytes())) {
        let record = record.as_bytes();
        let subject = Subject::Full(id);
        let alive = Part::Alive { id, incarnation, record };
        let suspect = Part::Suspect { subject, incarnation, accusers };
        for part in [alive, suspect] {
            assert_eq!(peer.push(&part, FRAME_BYTES_MAX, &mut frame), Fit::Written);
        }
    }
    peer.finish(&mut frame);
    frame
}

/// The answer to a request.
fn answer(node: &mut Node, now: Instant, request: &mut [u8]) -> Vec<u8> {
    node.handle_request(now, "127.0.0.1:5".parse().unwrap(), RequestId(1), request);
    let mut reply = None;
    loop {
        match node.poll_output() {
            Output::Reply { frame, .. } => reply = Some(frame.to_vec()),
            Output::Wait(_) => return reply.unwrap(),
            _ => {}
        }
    }
}

/// Of how many members the suspicion is told, following the places to go on to the last.
fn suspicions_told(node: &mut Node, now: Instant) -> usize {
    let mut peer = BincodeCodec::new(cluster());
    let (mut pull, mut told, mut rounds) = (None, HashSet::new(), 0);
    loop {
        rounds += 1;
        let (mut request, buckets) = (Vec::new(), BucketSet::ALL);
        let digests = BucketDigests::read(buckets, &[1; 2_048]).unwrap();
        let message = match pull {
            None => Request::Sync { from: PEER, digests },
            pull => Request::Records { from: PEER, buckets, pull },
        };
        peer.begin_frame(&Frame::Request(message), FRAME_BYTES_MAX, &mut request).unwrap();
        peer.finish(&mut request);
        let (mut reply, mut scratch) = (answer(node, now, &mut request), Vec::new());
        let packet = peer.decode_reply(&mut reply, &mut scratch).unwrap();
        told.extend(packet.parts.filter_map(|part| match part {
            Ok(Part::Suspect { subject: Subject::Short(short), .. }) => Some(short),
            _ => None,
        }));
        let Reply::Entries { next, .. } = packet.message else { panic!("a sync is answered") };
        pull = next;
        if pull.is_none() {
            break;
        }
    }
    assert_eq!(rounds, 2, "the table does not fit one frame");
    told.len()
}

/// The own record is made longer byte by byte, so that what just does not fit any more is now a
/// member's record and now its suspicion.
#[test]
fn e2_what_a_codec_has_written_is_not_taken_back_where_a_frame_is_full() {
    let now = Instant::ZERO + Duration::from_secs(1);
    for length in (0..512).step_by(7) {
        let (id, address) = (NodeId::from_bytes([0xfe; 16]), "127.0.0.1:8".parse().unwrap());
        let settings = Settings::new(id, cluster(), address);
        let codec = Some(Box::new(Strict::new()) as Box<_>);
        let settings = Settings { metadata: vec![7; length], codec, ..settings };
        let mut node = Node::new(settings, now).unwrap();
        for ids in [0..MEMBERS / 2, MEMBERS / 2..MEMBERS] {
            answer(&mut node, now, &mut members(ids));
        }
        assert_eq!(suspicions_told(&mut node, now), MEMBERS as usize, "with {length} bytes");
    }
}
