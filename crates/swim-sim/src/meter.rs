//! Counts of the datagrams that each host sends and receives, with peaks per second.

use std::collections::VecDeque;
use std::time::Duration;

use swim_membership::Instant;

use crate::environment::Kind;

/// Peaks are the most within any time of this length.
const WINDOW: Duration = Duration::from_secs(1);

/// Counts of datagrams by host and by kind.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    hosts: Vec<Counts>,
    kinds: [u64; Kind::COUNT],
    kind_bytes: [u64; Kind::COUNT],
}

#[derive(Clone, Debug, Default)]
struct Counts {
    sent: u64,
    received: Peak,
    pings: Peak,
}

/// The most that came within one window, which ends with each arrival.
#[derive(Clone, Debug, Default)]
struct Peak {
    recent: VecDeque<Instant>,
    most: usize,
}

impl Peak {
    fn push(&mut self, now: Instant) {
        while self.recent.front().is_some_and(|&at| now - at >= WINDOW) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        self.most = self.most.max(self.recent.len());
    }
}

impl Meter {
    /// The number of datagrams that the host sent that sent most.
    pub fn sent_most(&self) -> u64 {
        self.hosts.iter().map(|host| host.sent).max().unwrap_or(0)
    }

    /// The most datagrams that reached one host within a second, whether it ran or not.
    pub fn peak(&self) -> u64 {
        self.hosts.iter().map(|host| host.received.most).max().unwrap_or(0) as u64
    }

    /// The most pings that reached one host within a second, whether it ran or not.
    pub fn peak_of_pings(&self) -> u64 {
        self.hosts.iter().map(|host| host.pings.most).max().unwrap_or(0) as u64
    }

    /// Each kind of datagram that was sent: its name, their number and their IP bytes.
    pub fn kinds(&self) -> impl Iterator<Item = (&'static str, u64, u64)> + '_ {
        let all = (0..Kind::COUNT).map(|at| (Kind::name(at), self.kinds[at], self.kind_bytes[at]));
        all.filter(|&(_, count, _)| count > 0)
    }

    pub(crate) fn on_sent(&mut self, host: u32, kind: Kind, bytes: u64) {
        self.host(host).sent += 1;
        self.kinds[kind.index()] += 1;
        self.kind_bytes[kind.index()] += bytes;
    }

    pub(crate) fn on_received(&mut self, host: u32, kind: Kind, now: Instant) {
        let counts = self.host(host);
        counts.received.push(now);
        if kind == Kind::PING {
            counts.pings.push(now);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_the_most_within_any_second() {
        let mut meter = Meter::default();
        let at = |millis: u64| Instant::from_micros(millis * 1_000);
        // Three pings from 900 ms on, in two seconds of the clock; the one at 1,900 ms is too late.
        for millis in [0, 900, 1_000, 1_899, 1_900] {
            meter.on_received(3, Kind::PING, at(millis));
        }
        meter.on_received(3, Kind::ACK, at(1_950));
        meter.on_received(2, Kind::PING, at(1_950));
        meter.on_received(3, Kind::PING, at(5_000));
        assert_eq!((meter.peak_of_pings(), meter.peak()), (3, 4));
    }

    #[test]
    fn what_is_sent_is_counted_by_host_and_by_kind() {
        let mut meter = Meter::default();
        for (host, kind) in [(0, Kind::PING), (1, Kind::ACK), (1, Kind::PING)] {
            meter.on_sent(host, kind, 50);
        }
        assert_eq!(meter.sent_most(), 2);
        assert_eq!(meter.kinds().collect::<Vec<_>>(), [("ping", 2, 100), ("ack", 1, 50)]);
    }
}
