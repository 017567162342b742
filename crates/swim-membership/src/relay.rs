//! Pings that this node sends for others (P5).

use alloc::vec::Vec;
use core::net::SocketAddr;

use swim_proto::Seq;

use crate::table::MemberIx;
use crate::time::Instant;

/// One ping sent for another node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Relay {
    /// The number of our own ping.
    pub(crate) seq: Seq,
    pub(crate) target: MemberIx,
    /// Who asked, and with which number.
    pub(crate) asker: SocketAddr,
    pub(crate) asked: Seq,
    /// When to say nack; `NEVER` once it was said.
    pub(crate) nack_at: Instant,
    /// When a late ack is of no use any more.
    pub(crate) ends_at: Instant,
}

/// More pings than this are never relayed at once.
const RELAYS_MAX: usize = 128;

/// The pings that are being relayed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Relays {
    running: Vec<Relay>,
}

impl Relays {
    pub(crate) fn is_full(&self) -> bool {
        self.running.len() >= RELAYS_MAX
    }

    pub(crate) fn push(&mut self, relay: Relay) {
        debug_assert!(!self.is_full(), "the caller has asked");
        self.running.push(relay);
    }

    pub(crate) fn has(&self, seq: Seq) -> bool {
        self.running.iter().any(|relay| relay.seq == seq)
    }

    pub(crate) fn take(&mut self, seq: Seq) -> Option<Relay> {
        let at = self.running.iter().position(|relay| relay.seq == seq)?;
        Some(self.running.swap_remove(at))
    }

    /// The next one to say nack for.
    pub(crate) fn pop_nack(&mut self, now: Instant) -> Option<Relay> {
        let relay = self.running.iter_mut().find(|relay| relay.nack_at <= now)?;
        relay.nack_at = Instant::NEVER;
        Some(*relay)
    }

    pub(crate) fn expire(&mut self, now: Instant) {
        self.running.retain(|relay| relay.ends_at > now);
    }

    pub(crate) fn forget(&mut self, target: MemberIx) {
        self.running.retain(|relay| relay.target != target);
    }

    pub(crate) fn deadline(&self) -> Instant {
        let deadlines = self.running.iter().map(|relay| relay.nack_at.min(relay.ends_at));
        deadlines.min().unwrap_or(Instant::NEVER)
    }
}
