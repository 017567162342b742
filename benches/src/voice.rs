//! The bytes that members would send.

use swim_proto::limits::{DATAGRAM_BYTES_DEFAULT, FRAME_BYTES_MAX};
use swim_proto::{
    Accusers, BincodeCodec, BucketSet, Claim, Codec, Datagram, Fit, Frame, Held, Incarnation,
    NodeId, Part, Request, Seq, ShortId, State, StateNote, Subject, TinyId,
};

use crate::population::{LOCAL, cluster, id, record, tag};

/// Speaks for any member.
#[derive(Debug)]
pub struct Voice {
    codec: BincodeCodec,
    seq: Seq,
}

impl Default for Voice {
    fn default() -> Self {
        Self::new()
    }
}

impl Voice {
    /// A voice of the cluster.
    pub fn new() -> Self {
        Self { codec: BincodeCodec::new(cluster()), seq: Seq(0) }
    }

    /// The codec of the cluster.
    pub fn codec(&mut self) -> &mut BincodeCodec {
        &mut self.codec
    }

    /// The short id of a member.
    pub fn short(number: u32) -> ShortId {
        id(number).short(tag())
    }

    /// The 4 bytes that name a member.
    pub fn tiny(number: u32) -> TinyId {
        Self::short(number).tiny()
    }

    /// A member's id and its word that it is alive, for [`alive`](Self::alive).
    pub fn word(number: u32) -> (NodeId, Vec<u8>) {
        (id(number), record(number).as_bytes().to_vec())
    }

    /// The part that says that a member is alive.
    pub fn alive(word: &(NodeId, Vec<u8>), incarnation: Incarnation) -> Part<'_> {
        Part::Alive { id: word.0, incarnation, record: &word.1 }
    }

    /// The part that says that one member suspects another.
    pub fn suspect(number: u32, by: u32, incarnation: Incarnation) -> Part<'static> {
        let accusers = Accusers::from_iter([Self::tiny(by)]);
        Part::Suspect { subject: Subject::Short(Self::short(number)), incarnation, accusers }
    }

    /// The part that says that a member is dead.
    pub fn dead(number: u32, by: u32, incarnation: Incarnation) -> Part<'static> {
        let accusers = Accusers::from_iter([Self::tiny(by)]);
        Part::Dead { subject: Subject::Short(Self::short(number)), incarnation, accusers }
    }

    /// A ping of the node under test by a member that holds what there is to hold of it.
    pub fn ping(&mut self, from: u32) -> Vec<u8> {
        self.seq = self.seq.next();
        let claim = Claim::new(Incarnation::FIRST, State::Alive);
        let held = Held { claim, record: record(LOCAL).hash() as u16 };
        let (target, from) = (Self::tiny(LOCAL), Self::tiny(from));
        let note = Some(StateNote { digest: 7, quiet: true });
        self.datagram(&Datagram::Ping { seq: self.seq, target, from, held, note }, [])
    }

    /// A gossip datagram with these parts, which must fit it.
    pub fn gossip<'a>(&mut self, parts: impl IntoIterator<Item = Part<'a>>) -> Vec<u8> {
        self.datagram(&Datagram::Gossip, parts)
    }

    /// A gossip datagram in which these members say that they are alive.
    pub fn gossip_of(
        &mut self,
        members: impl IntoIterator<Item = u32>,
        incarnation: Incarnation,
    ) -> Vec<u8> {
        let words: Vec<_> = members.into_iter().map(Self::word).collect();
        self.gossip(words.iter().map(|word| Self::alive(word, incarnation)))
    }

    /// A datagram with these parts, which must fit it.
    pub fn datagram<'a>(
        &mut self,
        message: &Datagram<'_>,
        parts: impl IntoIterator<Item = Part<'a>>,
    ) -> Vec<u8> {
        let (limit, mut out) = (DATAGRAM_BYTES_DEFAULT, Vec::new());
        self.codec.begin_datagram(message, limit, &mut out).expect("a message alone fits");
        for part in parts {
            assert_eq!(self.codec.push(&part, limit, &mut out), Fit::Written);
        }
        self.codec.finish(&mut out);
        out
    }

    /// A request by a member that compares tables and holds these members alive, as many as fit a frame.
    /// Returns the first that did not.
    pub fn sync(
        &mut self,
        from: u32,
        members: std::ops::Range<u32>,
        incarnation: Incarnation,
    ) -> (Vec<u8>, u32) {
        let mut out = Vec::new();
        let (from, buckets) = (id(from), BucketSet::ALL);
        let request = Frame::Request(Request::Records { from, buckets, pull: None });
        self.codec.begin_frame(&request, FRAME_BYTES_MAX, &mut out).expect("a message alone fits");
        let mut next = members.start;
        while next < members.end {
            let word = Self::word(next);
            match self.codec.push(&Self::alive(&word, incarnation), FRAME_BYTES_MAX, &mut out) {
                Fit::Written => next += 1,
                Fit::NoRoom => break,
            }
        }
        self.codec.finish(&mut out);
        (out, next)
    }

    /// The requests for sync by a member that holds all members up to this one alive.
    pub fn sync_all(&mut self, members: u32, incarnation: Incarnation) -> Vec<Vec<u8>> {
        let (mut frames, mut next) = (Vec::new(), 1);
        while next <= members {
            let (frame, after) = self.sync(1, next..members + 1, incarnation);
            frames.push(frame);
            next = after;
        }
        frames
    }
}
