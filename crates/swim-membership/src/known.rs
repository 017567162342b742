//! Addresses out of an earlier life: whom to ask where no seed is needed (J2).

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::{IndexedRandom, SliceRandom};

use crate::time::Instant;

/// How many are asked at once.
const ASKED_AT_ONCE: usize = 8;
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No join has begun.
    Waiting,
    /// They are asked until one answers.
    Asking { at: Instant },
    /// Somebody has answered; those not met yet are tried by healing (E5).
    Answered,
}

/// The addresses at which nobody was met in this life yet.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// In random order.
    addresses: Vec<SocketAddr>,
    /// Who is asked next.
    next: usize,
    /// Those of whom it is not known yet that they do not answer.
    hopes: Vec<SocketAddr>,
    back_off: Duration,
    phase: Phase,
    forget_at: Instant,
}

impl Known {
    pub(crate) fn new(
        mut addresses: Vec<SocketAddr>,
        own: SocketAddr,
        forget_at: Instant,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Self {
        addresses.retain(|&address| address != own);
        addresses.shuffle(rng);
        let (phase, back_off) = (Phase::Waiting, RETRY_FIRST);
        Self { addresses, next: 0, hopes: Vec::new(), back_off, phase, forget_at }
    }

    /// A join begins, or goes on.
    pub(crate) fn start(&mut self, now: Instant) {
        if self.phase == Phase::Waiting && !self.addresses.is_empty() {
            self.phase = Phase::Asking { at: now };
            self.back_off = RETRY_FIRST;
            self.hopes.clone_from(&self.addresses);
        }
    }

    /// This life has ended; the next one asks anew.
    pub(crate) fn stop(&mut self) {
        self.phase = Phase::Waiting;
    }

    /// Whether they are asked, and of some it is not known yet that they do not answer.
    pub(crate) fn is_hopeful(&self) -> bool {
        matches!(self.phase, Phase::Asking { .. }) && !self.hopes.is_empty()
    }

    /// Those that are asked now, and have not failed.
    pub(crate) fn asked(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        let asking = matches!(self.phase, Phase::Asking { .. });
        self.hopes.iter().filter(move |_| asking).copied()
    }

    /// Whoever was asked here does not answer, or not as wanted.
    pub(crate) fn on_failed(&mut self, address: SocketAddr) {
        self.hopes.retain(|&hope| hope != address);
    }

    pub(crate) fn deadline(&self) -> Instant {
        match self.phase {
            Phase::Asking { at } => at,
            Phase::Waiting | Phase::Answered => Instant::NEVER,
        }
    }

    /// The time to ask has come. Returns whom: the next few in turn, so that in the end each is
    /// asked, and nodes that restart together do not all ask the same one. The pause grows when
    /// all were asked.
    pub(crate) fn on_deadline(
        &mut self,
        now: Instant,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Vec<SocketAddr> {
        if now >= self.forget_at {
            self.addresses.clear();
            self.phase = Phase::Answered;
        }
        let length = self.addresses.len();
        let count = ASKED_AT_ONCE.min(length);
        let asked = (0..count).map(|n| self.addresses[(self.next + n) % length]).collect();
        let half = self.back_off.as_micros() as u64 / 2;
        let pause = Duration::from_micros(half + rng.random_range(0..=half));
        if self.next + count >= length {
            self.back_off = (self.back_off * 2).min(RETRY_MAX);
        }
        self.next = if length == 0 { 0 } else { (self.next + count) % length };
        if let Phase::Asking { at } = &mut self.phase {
            *at = now + pause;
        }
        asked
    }

    /// Somebody has answered a join. Returns whether that ends the asking.
    pub(crate) fn on_answer(&mut self) -> bool {
        let asking = matches!(self.phase, Phase::Asking { .. });
        self.phase = Phase::Answered;
        asking
    }

    /// Somebody was met at this address, or nobody to be asked is there: it is out of the list.
    pub(crate) fn remove(&mut self, address: SocketAddr) {
        self.on_failed(address);
        let Some(at) = self.addresses.iter().position(|&known| known == address) else { return };
        self.addresses.remove(at);
        if at < self.next {
            self.next -= 1;
        }
        if self.addresses.is_empty() {
            self.next = 0;
            self.phase = Phase::Answered;
        }
    }

    /// Those at whose address nobody was met.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Whether there is somebody for healing to try.
    pub(crate) fn can_heal(&self) -> bool {
        self.phase == Phase::Answered && !self.addresses.is_empty()
    }

    /// One of them, for healing (E5).
    pub(crate) fn choose(
        &mut self,
        now: Instant,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Option<SocketAddr> {
        if now >= self.forget_at {
            self.addresses.clear();
        }
        if self.can_heal() { self.addresses.choose(rng).copied() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use std::collections::BTreeSet;

    fn address(n: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, n], 7))
    }

    fn known(count: u8) -> (Known, Xoshiro256PlusPlus) {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let addresses = (1..=count).map(address).collect();
        let forget_at = Instant::ZERO + Duration::from_secs(1_000);
        (Known::new(addresses, address(1), forget_at, &mut rng), rng)
    }

    #[test]
    fn j2_all_are_asked_once_before_any_is_asked_again() {
        let (mut known, mut rng) = known(31);
        known.start(Instant::ZERO);
        let mut asked = BTreeSet::new();
        for _ in 0..4 {
            let now = known.deadline();
            asked.extend(known.on_deadline(now, &mut rng));
        }
        assert_eq!(asked.len(), 30, "the own address is left out");
        let soon = Instant::ZERO + Duration::from_secs(3);
        assert!(known.deadline() < soon, "the pause did not grow");
        for (failed, address) in asked.into_iter().enumerate() {
            assert!(known.is_hopeful(), "{failed} have failed");
            known.on_failed(address);
        }
        assert!(!known.is_hopeful());
    }

    #[test]
    fn j2_whoever_was_met_is_asked_no_more_and_with_the_last_the_asking_ends() {
        let (mut known, _) = known(4);
        known.start(Instant::ZERO);
        (2..=3).for_each(|n| known.remove(address(n)));
        assert!(known.is_hopeful());
        known.remove(address(4));
        assert!(!known.is_hopeful() && known.deadline() == Instant::NEVER && !known.can_heal());
    }

    #[test]
    fn j2_addresses_where_nobody_was_met_are_left_to_healing_until_they_are_old() {
        let (mut known, mut rng) = known(4);
        known.start(Instant::ZERO);
        assert_eq!(known.choose(Instant::ZERO, &mut rng), None);
        assert!(known.on_answer() && !known.on_answer());
        assert!(known.choose(Instant::ZERO, &mut rng).is_some());
        let old = Instant::ZERO + Duration::from_secs(1_001);
        assert_eq!(known.choose(old, &mut rng), None);
        assert!(known.addresses().is_empty());
    }
}
