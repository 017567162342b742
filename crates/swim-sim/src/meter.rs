//! What each host sends and gets, and how much of it within a second.

use std::collections::VecDeque;
use std::time::Duration;

use swim_membership::Instant;

use crate::environment::{Carried, Kind, Packet};

/// A window slides over time.
const WINDOW: Duration = Duration::from_secs(1);

/// Counts datagrams by host and by kind.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    hosts: Vec<Counts>,
    kinds: [u64; Kind::COUNT],
    kind_bytes: [u64; Kind::COUNT],
}

#[derive(Clone, Debug, Default)]
struct Counts {
    sent: u64,
    got: Window,
    pings: Window,
}

/// What has come within the last second, and the most that ever came within one.
#[derive(Clone, Debug, Default)]
struct Window {
    recent: VecDeque<Instant>,
    most: usize,
}

impl Window {
    fn push(&mut self, now: Instant) {
        while self.recent.front().is_some_and(|&at| now - at >= WINDOW) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        self.most = self.most.max(self.recent.len());
    }
}

impl Meter {
    /// The most datagrams that one host has sent.
    pub fn sent_most(&self) -> u64 {
        self.hosts.iter().map(|host| host.sent).max().unwrap_or(0)
    }

    /// The most datagrams that reached one host within any second, whether it ran or not.
    pub fn peak(&self) -> u64 {
        self.hosts.iter().map(|host| host.got.most).max().unwrap_or(0) as u64
    }

    /// The most pings that reached one host within any second, whether it ran or not.
    pub fn peak_of_pings(&self) -> u64 {
        self.hosts.iter().map(|host| host.pings.most).max().unwrap_or(0) as u64
    }

    /// Each kind of datagram that was sent: its name, how many, and their IP bytes.
    pub fn kinds(&self) -> impl Iterator<Item = (&'static str, u64, u64)> + '_ {
        let all = (0..Kind::COUNT).map(|at| (Kind::name(at), self.kinds[at], self.kind_bytes[at]));
        all.filter(|&(_, count, _)| count > 0)
    }

    pub(crate) fn on_sent(&mut self, host: u32, kind: Kind, bytes: u64) {
        self.host(host).sent += 1;
        self.kinds[kind.index()] += 1;
        self.kind_bytes[kind.index()] += bytes;
    }

    /// A packet reaches the host that it is for.
    pub(crate) fn on_got(&mut self, packet: Packet) {
        let counts = self.host(packet.to);
        counts.got.push(packet.at);
        if packet.carried == Carried::Datagram(Kind::PING) {
            counts.pings.push(packet.at);
        }
    }

    fn host(&mut self, host: u32) -> &mut Counts {
        let at = host as usize;
        if self.hosts.len() <= at {
            self.hosts.resize_with(at + 1, Counts::default);
        }
        &mut self.hosts[at]
    }
}
