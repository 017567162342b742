//! Joining as a standing goal: the seeds are retried until one has answered (J1).

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use crate::time::Instant;

const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(10);
/// That a seed does not answer is told only of goals older than this: nodes that start together
/// find each other a little later.
const SILENCE_MIN: Duration = Duration::from_secs(1);
/// More addresses than this are not kept.
const SEEDS_MAX: usize = 64;

/// The addresses to join by, and when to try them next.
#[derive(Clone, Debug)]
pub(crate) struct Seeds {
    addresses: Vec<SocketAddr>,
    /// Those of them that have refused the last time that they have answered.
    refused: Vec<SocketAddr>,
    joined: bool,
    since: Instant,
    retry_at: Instant,
    back_off: Duration,
}

impl Default for Seeds {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            refused: Vec::new(),
            joined: true,
            since: Instant::ZERO,
            retry_at: Instant::NEVER,
            back_off: RETRY_FIRST,
        }
    }
}

impl Seeds {
    /// Replaces the addresses. Back-off goes on where the goal is the same as before.
    pub(crate) fn set(&mut self, now: Instant, own: SocketAddr, addresses: &[SocketAddr]) {
        let mut kept: Vec<SocketAddr> = Vec::new();
        for &address in addresses {
            if address != own && !kept.contains(&address) && kept.len() < SEEDS_MAX {
                kept.push(address);
            }
        }
        // Names resolve to the same addresses in another order each time.
        kept.sort_unstable();
        let again = !self.joined && !self.addresses.is_empty();
        if again && kept == self.addresses {
            return;
        }
        if !again {
            self.since = now;
        }
        self.refused.retain(|seed| kept.contains(seed));
        self.addresses = kept;
        self.joined = self.addresses.is_empty();
        self.back_off = RETRY_FIRST;
        self.retry_at = if self.joined { Instant::NEVER } else { now };
    }

    /// The same seeds have other addresses now. Once joined, nobody is asked for that.
    pub(crate) fn update(&mut self, now: Instant, own: SocketAddr, addresses: &[SocketAddr]) {
        let joined = self.joined;
        self.set(now, own, addresses);
        if joined {
            self.on_answer();
        }
    }

    /// Whether no seed has answered yet.
    pub(crate) fn wanted(&self) -> bool {
        !self.joined
    }

    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A seed has refused to take this node in.
    pub(crate) fn on_refused(&mut self, address: SocketAddr) {
        if self.addresses.contains(&address) && !self.refused.contains(&address) {
            self.refused.push(address);
        }
    }

    /// Seeds that may have taken this node in without that it knows: a leave is told to them, too (L2).
    pub(crate) fn unclear(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        let addresses = self.addresses.iter().filter(|_| self.wanted());
        addresses.filter(|seed| !self.refused.contains(seed)).copied()
    }

    /// Whether this is one that is being tried, and has been for long enough to say so.
    pub(crate) fn is_silent(&self, now: Instant, address: SocketAddr) -> bool {
        !self.joined && now >= self.since + SILENCE_MIN && self.addresses.contains(&address)
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.retry_at
    }

    /// The time to try has come: all are tried, then again after a longer while, with jitter so
    /// that nodes that start together do not knock together.
    pub(crate) fn on_deadline(&mut self, now: Instant, rng: &mut Xoshiro256PlusPlus) {
        let half = self.back_off.as_micros() as u64 / 2;
        self.retry_at = now + Duration::from_micros(half + rng.random_range(0..=half));
        self.back_off = (self.back_off * 2).min(RETRY_MAX);
    }

    /// A seed has answered. Returns whether it is the first.
    pub(crate) fn on_answer(&mut self) -> bool {
        self.retry_at = Instant::NEVER;
        !core::mem::replace(&mut self.joined, true)
    }

    /// This seed is ourselves under another address, or of another cluster.
    pub(crate) fn forget(&mut self, address: SocketAddr) {
        self.addresses.retain(|&seed| seed != address);
        self.refused.retain(|&seed| seed != address);
        if self.addresses.is_empty() {
            self.joined = true;
            self.retry_at = Instant::NEVER;
        }
    }

    pub(crate) fn stop(&mut self) {
        *self = Self::default();
    }
}
