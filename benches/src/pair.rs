//! Two nodes that know each other, and the wire between them.

use std::fmt;
use std::time::Duration;

use swimmer::node::{Answer, ExchangeId, Node, Output, RequestId, Settings, Stats};
use swimmer::{Config, Instant};

use crate::population::{address, cluster, id};

/// Two nodes under one clock. What one sends, the other has at once.
pub struct Pair {
    nodes: [Node; 2],
    wake_at: [Instant; 2],
    now: Instant,
    /// What is on the wire, in a buffer that is used again.
    wire: Vec<u8>,
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("now", &self.now).finish_non_exhaustive()
    }
}

/// What a node has said, its bytes put on the wire.
enum Said {
    Datagram,
    Request(ExchangeId),
    Reply(RequestId),
    Other,
    Wait(Instant),
}

impl Pair {
    /// Two nodes that have joined and told each other everything.
    pub fn new(config: &Config) -> Self {
        let node = |number: u32| {
            let settings = Settings {
                config: config.clone(),
                seed: number.into(),
                ..Settings::new(id(number), cluster(), address(number))
            };
            Node::new(settings, Instant::ZERO).expect("an address alone makes a record")
        };
        let wake_at = [Instant::ZERO; 2];
        let mut pair =
            Self { nodes: [node(0), node(1)], wake_at, now: Instant::ZERO, wire: Vec::new() };
        pair.nodes[1].join(Instant::ZERO, &[address(0)]);
        pair.run(Duration::from_secs(10));
        assert!(pair.nodes.iter().all(|node| node.present() == 2), "they have met");
        assert!(pair.stats().iter().all(|stats| stats.updates_queued == 0), "all is told");
        for node in &mut pair.nodes {
            let _ = node.drain_changes(|_, _| {});
        }
        pair
    }

    /// What the two count.
    pub fn stats(&self) -> [Stats; 2] {
        [self.nodes[0].stats(), self.nodes[1].stats()]
    }

    /// Lets so much time pass.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.settle();
            let next = self.wake_at[0].min(self.wake_at[1]);
            if next > end {
                self.now = end;
                return;
            }
            self.now = next;
            for (node, &wake_at) in self.nodes.iter_mut().zip(&self.wake_at) {
                if wake_at <= next {
                    node.handle_timeout(next);
                }
            }
        }
    }

    /// Carries what the two say until both wait.
    fn settle(&mut self) {
        let (mut speaker, mut waiting) = (0, 0);
        while waiting < 2 {
            match self.hear(speaker) {
                Said::Wait(at) => {
                    self.wake_at[speaker] = at;
                    speaker = 1 - speaker;
                    waiting += 1;
                }
                said => {
                    self.carry(speaker, said);
                    waiting = 0;
                }
            }
        }
    }

    fn hear(&mut self, speaker: usize) -> Said {
        let (said, bytes) = match self.nodes[speaker].poll_output() {
            Output::Datagram { payload, .. } => (Said::Datagram, payload),
            Output::Exchange { id, request, .. } => (Said::Request(id), request),
            Output::Reply { id, frame } => (Said::Reply(id), frame),
            Output::Wait(at) => return Said::Wait(at),
            Output::Event(_)
            | Output::Message { .. }
            | Output::Notice(_)
            | Output::Completed(_)
            | Output::Persist(_) => {
                return Said::Other;
            }
        };
        self.wire.clear();
        self.wire.extend_from_slice(bytes);
        said
    }

    fn carry(&mut self, speaker: usize, said: Said) {
        let (now, from, listener) =
            (self.now, address(speaker as u32), &mut self.nodes[1 - speaker]);
        match said {
            Said::Datagram => listener.handle_datagram(now, from, &mut self.wire),
            Said::Request(id) => {
                listener.handle_request(now, from, RequestId(id.0), &mut self.wire)
            }
            Said::Reply(id) => {
                let answer = Answer::Frame(&mut self.wire);
                listener.handle_reply(now, ExchangeId(id.0), answer);
            }
            Said::Other | Said::Wait(_) => {}
        }
    }
}
