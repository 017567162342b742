//! What is done to hosts: crashes, pauses, blocks, leaves, restarts.

use std::net::SocketAddr;
use std::time::Duration;

use rand::RngExt;
use swim_membership::{Instant, Now};
use swimmer::node::SavedState;

use super::{Cluster, HostIx};
use crate::host::{Condition, INBOX_MAX, Later, address_of};

/// What a host that starts again still has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// Its data folder: its identity, its number, and where the others were.
    Kept,
    /// Nothing.
    Lost,
}

/// Where a host that starts again listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where it did before.
    Same,
    /// At another port.
    New,
    /// At its first port.
    Back,
}

impl Cluster {
    /// The process ends without a word, and its host refuses nothing: connections to it just fail.
    pub fn crash(&mut self, ix: HostIx) {
        self.transcript.event(self.now, format_args!("h{} crashes", ix.0));
        self.end(ix);
    }

    /// The process ends without a word. Its host stays up, and refuses connections to ports where
    /// nobody listens.
    pub fn kill(&mut self, ix: HostIx) {
        self.transcript.event(self.now, format_args!("h{} is killed", ix.0));
        self.end(ix);
        self.hosts[ix.0 as usize].refuses = true;
    }

    fn end(&mut self, ix: HostIx) {
        // A write under way may have reached the disk.
        let reached = self.rng.random::<bool>();
        let host = &mut self.hosts[ix.0 as usize];
        if let (Some(state), true) = (host.saving.take(), reached) {
            host.saved = state;
        }
        host.end();
        self.note_end(ix);
    }

    /// A host that is down starts again, and joins by `seeds`.
    pub fn restart(&mut self, ix: HostIx, data: Data, place: Place, seeds: &[HostIx]) {
        if self.condition(ix) != Condition::Down {
            self.crash(ix);
        }
        if data == Data::Lost {
            let id = self.draw_id();
            self.names.learn(id, ix.0);
            let host = &mut self.hosts[ix.0 as usize];
            (host.id, host.twin, host.saved) = (id, false, SavedState::default());
        }
        let host = &mut self.hosts[ix.0 as usize];
        match place {
            Place::Same => {}
            Place::New => host.address.set_port(host.address.port() + 1),
            Place::Back => host.address = address_of(ix.0, 0),
        }
        self.start(ix, seeds);
    }

    /// Gives a second host the identity of another, as a copied data folder does.
    pub fn copy_identity(&mut self, from: HostIx, to: HostIx) {
        let source = &self.hosts[from.0 as usize];
        let (id, saved) = (source.id, source.saved.clone());
        let host = &mut self.hosts[to.0 as usize];
        (host.id, host.saved, host.twin) = (id, saved, from != to);
    }

    /// Whether a host has the identity of another.
    pub fn is_twin(&self, ix: HostIx) -> bool {
        self.hosts[ix.0 as usize].twin
    }

    /// A host's clock leaps forward, as after the sleep of a machine whose clock goes on.
    pub fn jump_clock(&mut self, ix: HostIx, by: Duration) {
        let host = &mut self.hosts[ix.0 as usize];
        host.skew.offset += by;
        host.armed_at = Instant::NEVER;
        if let Some(checker) = &mut self.checker {
            checker.on_jump(ix.0);
        }
        self.arm(ix.0);
    }

    /// A host's wall clock is set forward, or back, by so many microseconds.
    pub fn step_wall_clock(&mut self, ix: HostIx, micros: i64) {
        self.hosts[ix.0 as usize].wall_clock.step(micros);
    }

    /// From now on a host's wall clock is fast by this many millionths; at -1,000,000 it stands still.
    pub fn set_wall_clock_rate(&mut self, ix: HostIx, ppm: i64) {
        self.hosts[ix.0 as usize].wall_clock.set_rate(self.now, ppm);
    }

    /// What a host's wall clock shows, as Unix time.
    pub fn wall_clock(&self, ix: HostIx) -> Duration {
        self.hosts[ix.0 as usize].wall_clock.shown(self.now)
    }

    /// So many packets wait for a host while it stands still; more are lost.
    pub fn limit_inbox(&mut self, ix: HostIx, packets: u32) {
        self.hosts[ix.0 as usize].inbox_max = packets as usize;
    }

    /// All cuts, splits, limits and tampering end. What a clog holds comes when it would have.
    pub fn heal(&mut self) {
        self.links.heal();
        for host in &mut self.hosts {
            host.inbox_max = INBOX_MAX;
        }
    }

    /// The process stands still.
    pub fn pause(&mut self, ix: HostIx) {
        self.transcript.event(self.now, format_args!("h{} pauses", ix.0));
        self.set_condition(ix, Condition::Paused);
    }

    /// Nothing goes in or out; timers run.
    pub fn block(&mut self, ix: HostIx) {
        self.transcript.event(self.now, format_args!("h{} is blocked", ix.0));
        self.set_condition(ix, Condition::Blocked);
    }

    /// The senders and receivers of the process stand still, each with its first message.
    pub fn stick(&mut self, ix: HostIx) {
        self.transcript.event(self.now, format_args!("h{} is stuck", ix.0));
        self.set_condition(ix, Condition::Stuck);
        // It is woken for other things now.
        self.after(ix.0);
    }

    fn set_condition(&mut self, ix: HostIx, condition: Condition) {
        let host = &mut self.hosts[ix.0 as usize];
        if host.condition != Condition::Down {
            host.condition = condition;
        }
    }

    /// A paused, blocked or stuck host goes on, with all that has waited for it.
    pub fn resume(&mut self, ix: HostIx) {
        let host = &mut self.hosts[ix.0 as usize];
        if matches!(host.condition, Condition::Running | Condition::Down) {
            return;
        }
        if host.condition == Condition::Stuck {
            // Much may be due of which the stuck node was not woken.
            host.wake_at = Instant::ZERO;
        }
        self.transcript.event(self.now, format_args!("h{} goes on", ix.0));
        host.condition = Condition::Running;
        let (local, clocks) = (host.skew.local(self.now), host.clocks(self.now));
        for held in std::mem::take(&mut host.outbox) {
            self.send_held(ix.0, held);
        }
        // What is due goes before what has come, as in the driver.
        let host = &mut self.hosts[ix.0 as usize];
        host.armed_at = Instant::NEVER;
        if local >= host.wake_at
            && let Some(node) = &mut host.node
        {
            node.handle_timeout(clocks);
        }
        self.after(ix.0);
        let waiting = std::mem::take(&mut self.hosts[ix.0 as usize].inbox);
        for later in waiting {
            match later {
                Later::Input(input) => self.feed(ix.0, input),
                Later::Saved(result) => self.feed_saved(ix.0, result),
            }
        }
    }

    /// The node leaves gently; its process goes on.
    pub fn leave(&mut self, ix: HostIx) {
        self.transcript.event(self.now, format_args!("h{} leaves", ix.0));
        self.command(ix, |node, now| node.leave(now));
    }

    /// The node joins, again if it had left.
    pub fn join(&mut self, ix: HostIx, seeds: &[HostIx]) {
        self.transcript.event(self.now, format_args!("h{} joins", ix.0));
        let seeds: Vec<SocketAddr> = seeds.iter().map(|&seed| self.address(seed)).collect();
        self.command(ix, |node, now| node.join(now, &seeds));
    }

    /// The node changes its metadata.
    pub fn set_metadata(&mut self, ix: HostIx, metadata: &[u8]) {
        self.hosts[ix.0 as usize].metadata = metadata.to_vec();
        self.command(ix, |node, now| {
            node.set_metadata(now, metadata).expect("simulated metadata is short");
        });
    }

    /// The node broadcasts something that was never said before.
    pub fn broadcast_anew(&mut self, ix: HostIx) {
        self.broadcasts += 1;
        self.broadcast(ix, format!("hello {}", self.broadcasts).as_bytes());
    }

    /// The node broadcasts.
    pub fn broadcast(&mut self, ix: HostIx, payload: &[u8]) {
        if let Some(checker) = &mut self.checker {
            checker.on_broadcast(payload);
        }
        self.command(ix, |node, now| {
            // One who has left cannot, and need not.
            let _ = node.broadcast(now, payload);
        });
    }

    fn command(&mut self, ix: HostIx, run: impl FnOnce(&mut swimmer::node::Node, Now)) {
        let host = &mut self.hosts[ix.0 as usize];
        let clocks = host.clocks(self.now);
        // A process that stands still takes no commands either.
        if host.condition == Condition::Paused {
            return;
        }
        if let Some(node) = &mut host.node {
            if let Some(checker) = &mut self.checker {
                checker.on_command(ix.0);
            }
            run(node, clocks);
            self.after(ix.0);
        }
    }

    /// Sends a datagram as if from a host, whatever its bytes: what a liar does.
    pub fn forge(&mut self, from: HostIx, to: SocketAddr, bytes: Vec<u8>) {
        let address = self.address(from);
        self.send_datagram(from.0, address, to, bytes);
    }

    /// The address at which a host listens first, before it moves.
    pub fn first_address(ix: HostIx) -> SocketAddr {
        address_of(ix.0, 0)
    }
}
