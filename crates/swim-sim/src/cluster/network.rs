//! The way of bytes between hosts: what a node wants sent, and when and whether it arrives.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use rand::RngExt;
use swim_membership::Instant;
use swimmer::node::{Completion, ExchangeId, Output, SavedState, Taken};

use super::{Cluster, Gone, Happening, HostIx};
use crate::host::{Asker, Condition, Held, Input, Reply, host_of};
use crate::names::Names;
use crate::transcript::Detail;

/// Headers of IPv4 and UDP.
const UDP_OVERHEAD: u64 = 28;
/// Headers of IPv4 and TCP with time stamps.
const TCP_OVERHEAD: u64 = 52;
/// Packets of an exchange that carry no payload: three to open, two acknowledgements, four to close.
const TCP_BARE_PACKETS: u64 = 9;
/// Packets of a connection that is refused: SYN and RST.
const TCP_REFUSED_PACKETS: u64 = 2;
const TCP_SEGMENT: u64 = 1_448;
/// The first wait of TCP for a lost packet of the handshake, and of what follows.
const SYN_RETRY: Duration = Duration::from_secs(1);
const SEGMENT_RETRY: Duration = Duration::from_millis(200);
/// After so many lost tries in a row a packet is taken as never arriving: the deadline ends it.
const TRIES_MAX: u32 = 8;
/// How long a write to a disk takes at most.
const WRITE_MAX_MICROS: u64 = 50_000;
/// Buffers that are kept for reuse.
const POOL_MAX: usize = 65_536;

/// What becomes of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// There is no such host.
    Nobody,
    Cut,
    Lost,
    Once,
    Twice,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nobody => "   (no such host)",
            Self::Cut => "   (cut)",
            Self::Lost => "   (lost)",
            Self::Once => "",
            Self::Twice => "   (comes twice)",
        })
    }
}

impl Cluster {
    /// Does what a node wants, to its last word.
    pub(super) fn drain(&mut self, ix: u32) {
        loop {
            let host = &mut self.hosts[ix as usize];
            let blocked = matches!(host.condition, Condition::Blocked | Condition::Stuck);
            let stuck = host.condition == Condition::Stuck;
            let (from, skew) = (host.address, host.skew);
            let Some(node) = &mut host.node else { return };
            let running = node.is_running();
            match node.poll_output() {
                Output::Datagram { to, payload } => {
                    let mut bytes = self.pool.pop().unwrap_or_default();
                    bytes.clear();
                    bytes.extend_from_slice(payload);
                    if let Some(checker) = &mut self.checker {
                        checker.on_datagram_sent(running, to, &bytes);
                    }
                    if blocked {
                        host.outbox.push(Held::Datagram { to, bytes });
                    } else {
                        self.send_datagram(ix, from, to, bytes);
                    }
                }
                Output::Exchange { id, to, request, deadline } => {
                    let frame = request.to_vec();
                    if let Some(checker) = &mut self.checker {
                        checker.on_request_sent(running, &frame);
                    }
                    host.exchanges.insert(id, deadline);
                    let asker = Asker { host: ix, life: host.life, exchange: id };
                    let at = skew.global(deadline).max(self.now);
                    self.queue.push(at, Happening::GiveUp { asker });
                    if blocked {
                        host.outbox.push(Held::Request { to, exchange: id, frame });
                    } else {
                        self.send_request(ix, from, to, id, frame);
                    }
                }
                Output::Reply { id, frame } => {
                    if let Some(checker) = &mut self.checker {
                        checker.on_frame_sent(frame);
                    }
                    let reply = Reply::Frame(frame.to_vec());
                    if let Some(asker) = host.askers.remove(&id) {
                        if blocked {
                            host.outbox.push(Held::Reply { asker, reply });
                        } else {
                            self.send_reply(from, asker, reply);
                        }
                    }
                }
                Output::Event(event) => self.on_event(ix, &event),
                Output::Message { id, message } => {
                    node.handle_offered(id, Taken::Taken);
                    self.on_message(ix, &message);
                }
                Output::Persist(state) => self.start_write(ix, state),
                Output::Notice(notice) => self.on_notice(ix, &notice),
                Output::Completed(Completion::Left { acknowledged, .. }) if self.observing => {
                    self.gone.push(Gone { at: self.now, host: HostIx(ix), acknowledged });
                }
                Output::Completed(_) => {}
                Output::Wait(at) => {
                    host.wake_at = if stuck { node.deadline_stuck() } else { at };
                    break;
                }
            }
        }
        // Requests without an answer by now get none.
        let host = &mut self.hosts[ix as usize];
        let from = host.address;
        for asker in std::mem::take(&mut host.askers).into_values() {
            self.send_reply(from, asker, Reply::Nothing);
        }
    }

    /// A write takes its time; a crash before its end may lose it.
    fn start_write(&mut self, ix: u32, state: SavedState) {
        let takes = Duration::from_micros(self.rng.random_range(100..WRITE_MAX_MICROS));
        let fails = self.rng.random_range(0..1_000) < self.options.failing_writes;
        let result = if fails { Err("the disk is full".to_owned()) } else { Ok(()) };
        let host = &mut self.hosts[ix as usize];
        host.saving = Some(state);
        let life = host.life;
        self.queue.push(self.now + takes, Happening::Saved { host: ix, life, result });
    }

    /// A blocked host goes on: what it would have sent goes out now.
    pub(super) fn send_held(&mut self, ix: u32, held: Held) {
        let from = self.hosts[ix as usize].address;
        match held {
            Held::Datagram { to, bytes } => self.send_datagram(ix, from, to, bytes),
            Held::Request { to, exchange, frame } => {
                self.send_request(ix, from, to, exchange, frame);
            }
            Held::Reply { asker, reply } => self.send_reply(from, asker, reply),
        }
    }

    pub(super) fn send_datagram(
        &mut self,
        ix: u32,
        from: SocketAddr,
        to: SocketAddr,
        bytes: Vec<u8>,
    ) {
        let length = bytes.len() as u64 + UDP_OVERHEAD;
        self.traffic.datagrams += 1;
        self.traffic.datagram_bytes += length;
        self.meter_sent(ix, &bytes, length);
        let verdict = self.judge_datagram(ix, to, &bytes);
        let fate = self.draw_fate(ix, to, verdict.lost);
        if self.transcript.wants(Detail::Messages) {
            let what = self.speech.datagram(&self.names, &bytes);
            let to = Names::address(to);
            self.transcript.message(self.now, format_args!("h{ix} -> {to}: {what}{fate}"));
        }
        let leaves_at = match fate {
            Fate::Nobody | Fate::Cut | Fate::Lost => return self.recycle(bytes),
            Fate::Once | Fate::Twice => self.leave_uplink(ix, length) + verdict.delay,
        };
        let bytes = self.tamper(ix, from, to, bytes);
        if fate == Fate::Twice {
            self.arrive(ix, leaves_at, from, to, bytes.clone());
        }
        self.arrive(ix, leaves_at, from, to, bytes);
    }

    fn draw_fate(&mut self, ix: u32, to: SocketAddr, lost: bool) -> Fate {
        let Some(target) = host_of(to) else {
            self.traffic.to_nobody += 1;
            return Fate::Nobody;
        };
        if !self.links.passes_datagrams(ix, target, self.now) {
            self.traffic.cut += 1;
            return Fate::Cut;
        }
        let conditions = self.links.conditions(ix, target);
        if conditions.loses(&mut self.rng) || lost {
            self.traffic.lost += 1;
            Fate::Lost
        } else if conditions.doubles(&mut self.rng) {
            self.traffic.doubled += 1;
            Fate::Twice
        } else {
            Fate::Once
        }
    }

    /// A datagram that has left its host is on its way.
    pub(super) fn arrive(
        &mut self,
        ix: u32,
        leaves_at: Instant,
        from: SocketAddr,
        to: SocketAddr,
        bytes: Vec<u8>,
    ) {
        let Some(target) = host_of(to) else { return self.recycle(bytes) };
        let begins = self.wait_for_clog(ix, target, leaves_at);
        let at = begins + self.links.conditions(ix, target).draw_delay(&mut self.rng);
        self.queue.push(at, Happening::Arrives { to, input: Input::Datagram { from, bytes } });
    }

    /// When what leaves now goes on, on a link that may be clogged.
    fn wait_for_clog(&mut self, from: u32, to: u32, leaves_at: Instant) -> Instant {
        match self.links.held_until(from, to, leaves_at) {
            Some(until) => {
                self.traffic.clogged += 1;
                until
            }
            None => leaves_at,
        }
    }

    /// When bytes that are sent now have left a host with a limited rate.
    fn leave_uplink(&mut self, ix: u32, bytes: u64) -> Instant {
        let Some(rate) = self.links.rate(ix) else { return self.now };
        let host = &mut self.hosts[ix as usize];
        let begins = host.uplink_free_at.max(self.now);
        host.uplink_free_at = begins + Duration::from_micros(bytes * 1_000_000 / rate);
        host.uplink_free_at
    }

    fn send_request(
        &mut self,
        ix: u32,
        from: SocketAddr,
        to: SocketAddr,
        exchange: ExchangeId,
        mut frame: Vec<u8>,
    ) {
        self.traffic.exchanges += 1;
        let refuses = self.refuses_at(to);
        let segments = 1 + frame.len() as u64 / TCP_SEGMENT;
        let bytes = match refuses {
            true => TCP_REFUSED_PACKETS * TCP_OVERHEAD,
            false => frame.len() as u64 + (TCP_BARE_PACKETS + segments) * TCP_OVERHEAD,
        };
        self.traffic.exchange_bytes += bytes;
        if self.transcript.wants(Detail::Messages) {
            let what = self.speech.request(&self.names, &frame);
            let to = Names::address(to);
            self.transcript.message(self.now, format_args!("h{ix} => {to}: {what}"));
        }
        self.tamper_frame(&mut frame);
        let asker = Asker { host: ix, life: self.hosts[ix as usize].life, exchange };
        let Some(target) = host_of(to) else { return };
        let input = Input::Request { from, asker, frame };
        let left_at = self.leave_uplink(ix, bytes);
        if refuses {
            if let Some(at) = self.travel(left_at, &[(ix, target, SYN_RETRY)]) {
                self.queue.push(at, Happening::Knocks { to, asker, request: input });
            }
            return;
        }
        // There and back for the handshake, then there with the request.
        let way = [(ix, target, SYN_RETRY), (target, ix, SYN_RETRY), (ix, target, SEGMENT_RETRY)];
        if let Some(at) = self.travel(left_at, &way) {
            self.queue.push(at, Happening::Arrives { to, input });
        }
    }

    /// Whether a host refuses a connection to this address now.
    fn refuses_at(&self, to: SocketAddr) -> bool {
        let host = host_of(to).and_then(|ix| self.hosts.get(ix as usize));
        host.is_some_and(|host| host.refuses_at(to))
    }

    /// A SYN has come to a host that would have refused it when it was sent.
    pub(super) fn on_knock(&mut self, to: SocketAddr, asker: Asker, request: Input) {
        let Some(target) = host_of(to) else { return };
        if self.refuses_at(to) {
            self.traffic.refused += 1;
            self.send_reply(to, asker, Reply::Refused);
            return;
        }
        // Somebody listens there again: the handshake goes on.
        let way = [(target, asker.host, SYN_RETRY), (asker.host, target, SEGMENT_RETRY)];
        if let Some(at) = self.travel(self.now, &way) {
            self.queue.push(at, Happening::Arrives { to, input: request });
        }
    }

    /// Sends an answer, or that there is none, back to who has asked.
    pub(super) fn send_reply(&mut self, from: SocketAddr, asker: Asker, mut reply: Reply) {
        let Some(ix) = host_of(from) else { return };
        let host = asker.host;
        let bytes = reply.frame().map_or(0, |frame| frame.len() as u64);
        let segments = if bytes == 0 { 0 } else { 1 + bytes / TCP_SEGMENT };
        self.traffic.exchange_bytes += bytes + segments * TCP_OVERHEAD;
        if self.transcript.wants(Detail::Messages) {
            let what = self.speech.reply(&self.names, &reply);
            self.transcript.message(self.now, format_args!("h{ix} => h{host}: {what}"));
        }
        if let Reply::Frame(frame) = &mut reply {
            self.tamper_frame(frame);
        }
        let left_at = match ix < self.len() {
            true => self.leave_uplink(ix, bytes),
            false => self.now,
        };
        if let Some(at) = self.travel(left_at, &[(ix, host, SEGMENT_RETRY)]) {
            self.queue.push(at, Happening::Replied { asker, reply });
        }
    }

    /// When packets that wait for each other have gone this way, lost ones again and again;
    /// `None`: never.
    fn travel(&mut self, left_at: Instant, way: &[(u32, u32, Duration)]) -> Option<Instant> {
        if !self.links.exchanges {
            self.traffic.cut += 1;
            return None;
        }
        let mut at = left_at;
        for &(from, to, retry) in way {
            if !self.links.passes(from, to, at) {
                self.traffic.cut += 1;
                return None;
            }
            at = self.wait_for_clog(from, to, at);
            let conditions = self.links.conditions(from, to);
            let mut wait = retry;
            let mut tries = 0;
            loop {
                let verdict = self.judge_stream(from, to, at);
                if !conditions.loses(&mut self.rng) && !verdict.lost {
                    at = at + verdict.delay;
                    break;
                }
                tries += 1;
                if tries == TRIES_MAX {
                    return None;
                }
                at = at + wait;
                wait *= 2;
            }
            at = at + conditions.draw_delay(&mut self.rng);
        }
        Some(at)
    }

    pub(super) fn recycle(&mut self, bytes: Vec<u8>) {
        if self.pool.len() < POOL_MAX {
            self.pool.push(bytes);
        }
    }
}
