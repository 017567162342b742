//! One step at a time: what is due comes to its host, which does what follows, and is looked at.

use std::net::SocketAddr;

use swim_membership::Instant;
use swimmer::node::RequestId;

use super::{Cluster, Happening};
use crate::check::Violation;
use crate::host::{Asker, Condition, Input, Later, Reply, host_of};
use crate::names::Names;
use crate::transcript::Detail;

/// More steps than this at one moment are no work any more, but somebody who goes round in circles.
const STEPS_AT_ONCE_MAX: u64 = 1_000_000;

impl Cluster {
    pub(super) fn step(&mut self) -> Result<(), Violation> {
        let Some((at, happening)) = self.queue.pop() else { return Ok(()) };
        if at > self.now {
            self.steps_before = self.steps;
        } else if self.steps - self.steps_before > STEPS_AT_ONCE_MAX {
            let what = format!("time stands still in {happening:?}");
            return Err(Violation { seed: self.options.seed, at, what });
        }
        self.now = at;
        match happening {
            Happening::Wake { host, life } => self.on_wake(host, life),
            Happening::Arrives { to, input } => self.on_arrival(to, input),
            Happening::Knocks { to, asker, request } => self.on_knock(to, asker, request),
            Happening::Replied { asker, reply } => self.on_replied(asker, reply),
            Happening::GiveUp { asker } => self.on_replied(asker, Reply::Nothing),
            Happening::Saved { host, life, result } => self.on_saved(host, life, result),
            Happening::Routine { environment, routine } => self.on_routine(environment, routine),
        }
        self.violation.take().map_or(Ok(()), Err)
    }

    fn on_wake(&mut self, ix: u32, life: u32) {
        let now = self.now;
        let host = &mut self.hosts[ix as usize];
        if host.life != life || now < host.armed_at {
            return;
        }
        host.armed_at = Instant::NEVER;
        if host.condition == Condition::Paused {
            // It is looked after when it goes on.
            return;
        }
        let (local, clocks) = (host.skew.local(now), host.clocks(now));
        if local < host.wake_at {
            self.arm(ix);
            return;
        }
        let stuck = host.condition == Condition::Stuck;
        if let Some(node) = &mut host.node {
            match stuck {
                true => node.handle_timeout_stuck(local),
                false => node.handle_timeout(clocks),
            }
            self.after(ix);
        }
    }

    fn on_arrival(&mut self, to: SocketAddr, input: Input) {
        if let Input::Datagram { bytes, .. } = &input {
            self.meter_received(to, bytes);
        }
        let found = host_of(to).filter(|&ix| (ix as usize) < self.hosts.len());
        let listening = found.filter(|&ix| self.hosts[ix as usize].listens_at(to));
        match (listening, input) {
            (Some(ix), input) => self.take(ix, input),
            (None, Input::Request { asker, .. }) => self.send_reply(to, asker, Reply::Nothing),
            (None, Input::Datagram { from, bytes }) => {
                self.traffic.to_nobody += 1;
                if self.transcript.wants(Detail::Messages) {
                    let (from, to) = (Names::address(from), Names::address(to));
                    self.transcript
                        .message(self.now, format_args!("nobody is at {to} to hear {from}"));
                }
                self.recycle(bytes);
            }
            (None, Input::Reply { .. }) => {}
        }
    }

    fn on_replied(&mut self, asker: Asker, reply: Reply) {
        let Asker { host: ix, life, exchange } = asker;
        let host = &mut self.hosts[ix as usize];
        if host.life == life && host.exchanges.contains_key(&exchange) {
            self.take(ix, Input::Reply { exchange, reply });
        }
    }

    /// A write has ended; a failed one has left the disk as it was.
    fn on_saved(&mut self, ix: u32, life: u32, result: Result<(), String>) {
        let host = &mut self.hosts[ix as usize];
        if host.life != life {
            return;
        }
        if let (Some(state), Ok(())) = (host.saving.take(), &result) {
            host.saved = state;
        }
        match host.condition {
            Condition::Paused => host.inbox.push_back(Later::Saved(result)),
            // Its disk is no network.
            Condition::Running | Condition::Blocked | Condition::Stuck => {
                self.feed_saved(ix, result)
            }
            Condition::Down => {}
        }
    }

    pub(super) fn feed_saved(&mut self, ix: u32, result: Result<(), String>) {
        let host = &mut self.hosts[ix as usize];
        let clocks = host.clocks(self.now);
        if let Some(node) = &mut host.node {
            node.handle_persisted(clocks, result);
            self.after(ix);
        }
    }

    /// Something has come for a host: it takes it, or it waits.
    fn take(&mut self, ix: u32, input: Input) {
        if let Input::Datagram { from, bytes } = &input
            && self.is_lied_to(ix, *from, bytes)
        {
            return;
        }
        let host = &mut self.hosts[ix as usize];
        match host.condition {
            Condition::Running => self.feed(ix, input),
            Condition::Paused | Condition::Blocked | Condition::Stuck => {
                self.traffic.overflowed += u64::from(!host.keep_for_later(input));
            }
            Condition::Down => {}
        }
    }

    pub(super) fn feed(&mut self, ix: u32, input: Input) {
        let host = &mut self.hosts[ix as usize];
        let (local, clocks) = (host.skew.local(self.now), host.clocks(self.now));
        let Some(node) = &mut host.node else { return };
        self.transcript.absorb_word(self.now.as_micros() ^ u64::from(ix) << 40);
        match input {
            Input::Datagram { from, mut bytes } => {
                self.transcript.absorb(&bytes);
                if let Some(checker) = &mut self.checker {
                    checker.before_datagram(node, from, &bytes);
                }
                node.handle_datagram(clocks, from, &mut bytes);
                if let Some(checker) = &mut self.checker {
                    checker.after_input(node);
                }
                self.recycle(bytes);
            }
            Input::Request { from, asker, mut frame } => {
                self.transcript.absorb(&frame);
                host.next_request += 1;
                let id = RequestId(host.next_request);
                host.askers.insert(id, asker);
                if let Some(checker) = &mut self.checker {
                    checker.before_request(node, &frame);
                }
                node.handle_request(clocks, from, id, &mut frame);
                if let Some(checker) = &mut self.checker {
                    checker.after_input(node);
                }
            }
            Input::Reply { exchange, mut reply } => {
                if host.exchanges.remove(&exchange).is_none() {
                    return;
                }
                self.transcript.absorb(reply.frame().unwrap_or_default());
                if let (Some(checker), Some(frame)) = (&mut self.checker, reply.frame()) {
                    checker.before_reply(node, frame);
                }
                node.handle_reply(clocks, exchange, reply.as_answer());
            }
        }
        // As the driver does: what is due is done after the input that has woken the node.
        let host = &mut self.hosts[ix as usize];
        if local >= host.wake_at
            && let Some(node) = &mut host.node
        {
            node.handle_timeout(clocks);
        }
        self.after(ix);
    }

    /// After an input: do what the node wants, then look whether all is well.
    pub(super) fn after(&mut self, ix: u32) {
        self.steps += 1;
        self.drain(ix);
        self.arm(ix);
        let host = &mut self.hosts[ix as usize];
        let local = host.skew.local(self.now);
        if let (Some(checker), Some(node)) = (&mut self.checker, &mut host.node)
            && let Err(what) = checker.after_step(self.now, local, ix, node, &self.names)
            && self.violation.is_none()
        {
            self.violation = Some(Violation { seed: self.options.seed, at: self.now, what });
        }
    }

    /// Sees to it that the node is woken when it wants to be.
    pub(super) fn arm(&mut self, ix: u32) {
        let host = &mut self.hosts[ix as usize];
        if host.wake_at == Instant::NEVER {
            return;
        }
        let at = host.skew.global(host.wake_at).max(self.now);
        if at < host.armed_at {
            host.armed_at = at;
            self.queue.push(at, Happening::Wake { host: ix, life: host.life });
        }
    }
}
