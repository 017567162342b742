//! A node that knows many members, and these members' bytes.

use std::fmt;
use std::net::SocketAddr;

use swim_proto::{Codec, Datagram, Incarnation};
use swimmer::node::{Node, Output, RequestId, Settings, Stats};
use swimmer::{Config, Instant};

use crate::population::{LOCAL, address, cluster, config, id};
use crate::voice::Voice;

/// A node under test and its members, numbered from 1. All that it knows it was told by bytes.
pub struct Populated {
    node: Node,
    members: u32,
    incarnation: Incarnation,
    voice: Voice,
    now: Instant,
    /// A datagram of the node, and the answer to it, in buffers that are used again.
    sent: Vec<u8>,
    answer: Vec<u8>,
    scratch: Vec<u8>,
}

impl fmt::Debug for Populated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Populated").field("members", &self.members).finish_non_exhaustive()
    }
}

impl Populated {
    /// A node at rest among so many members: everything was told, nothing is in flight.
    pub fn new(members: u32) -> Self {
        Self::with_config(members, config())
    }

    /// As [`new`](Self::new), with another configuration.
    pub fn with_config(members: u32, config: Config) -> Self {
        let settings = Settings { config, ..Settings::new(id(LOCAL), cluster(), address(LOCAL)) };
        let now = Instant::from_micros(1);
        let mut populated = Self {
            node: Node::new(settings, now).expect("an address alone makes a record"),
            members,
            incarnation: Incarnation::FIRST,
            voice: Voice::new(),
            now,
            sent: Vec::new(),
            answer: Vec::new(),
            scratch: Vec::new(),
        };
        populated.tell_all();
        assert_eq!(populated.node.present(), members as usize + 1, "every member was taken in");
        populated.quieten();
        populated
    }

    /// What the node counts.
    pub fn stats(&self) -> Stats {
        self.node.stats()
    }

    /// The bytes of members.
    pub fn voice(&mut self) -> &mut Voice {
        &mut self.voice
    }

    /// The incarnation that all members are in.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Every member raises its incarnation, so that all of them are news again.
    pub fn renew(&mut self) {
        self.incarnation = self.incarnation.next();
        self.tell_all();
        assert_eq!(self.stats().updates_queued, u64::from(self.members), "everything is news");
    }

    fn tell_all(&mut self) {
        for mut frame in self.voice.sync_all(self.members, self.incarnation) {
            self.ask(&mut frame);
        }
        self.forget_changes();
    }

    /// Hands the node a request of the first member and drains it. Returns how many bytes of
    /// datagrams it sent.
    pub fn ask(&mut self, frame: &mut [u8]) -> usize {
        self.node.handle_request(self.now, address(1), RequestId(0), frame);
        self.drain()
    }

    /// Reads and drops what has changed, as whoever mirrors the members does.
    pub fn forget_changes(&mut self) {
        let _ = self.node.drain_changes(|_, _| {});
    }

    /// Pings the node until its acks have carried away all news.
    pub fn quieten(&mut self) {
        let ping = self.voice.ping(1);
        while self.stats().updates_queued > 0 {
            self.sent.clone_from(&ping);
            self.node.handle_datagram(self.now, address(1), &mut self.sent);
            self.drain();
        }
    }

    /// Hands the node a datagram of a member and drains it. Returns how many bytes it sent.
    pub fn take(&mut self, from: SocketAddr, datagram: &mut [u8]) -> usize {
        self.node.handle_datagram(self.now, from, datagram);
        self.drain()
    }

    /// Drains the node without answering. Returns how many bytes of datagrams it sent.
    pub fn drain(&mut self) -> usize {
        let mut bytes = 0;
        loop {
            match self.node.poll_output() {
                Output::Datagram { payload, .. } => bytes += payload.len(),
                Output::Wait(_) => return bytes,
                _ => {}
            }
        }
    }

    /// When the node wants to be woken.
    pub fn wake_at(&mut self) -> Instant {
        loop {
            if let Output::Wait(at) = self.node.poll_output() {
                return at;
            }
        }
    }

    /// Wakes the node when it wants it, and acks every ping that it sends. Returns the moment and
    /// how many pings there were.
    pub fn wake(&mut self) -> (Instant, u32) {
        self.now = self.wake_at();
        self.node.handle_timeout(self.now);
        let mut pings = 0;
        loop {
            let to = match self.node.poll_output() {
                Output::Datagram { to, payload } => {
                    self.sent.clear();
                    self.sent.extend_from_slice(payload);
                    to
                }
                Output::Wait(_) => return (self.now, pings),
                _ => continue,
            };
            let codec = self.voice.codec();
            let packet = codec.decode_datagram(&mut self.sent, &mut self.scratch);
            let packet = packet.expect("a node's own bytes are well formed");
            if let Datagram::Ping { seq, .. } = packet.message {
                let ack = Datagram::Ack { seq, note: None };
                codec.begin_datagram(&ack, 64, &mut self.answer).expect("an ack fits 64 bytes");
                codec.finish(&mut self.answer);
                self.node.handle_datagram(self.now, to, &mut self.answer);
                pings += 1;
            }
        }
    }
}
