//! Joining, periodic sync and healing: whom to ask over the reliable plane, and when (J1, J2, E4 to E6).

use alloc::vec::Vec;
use core::net::SocketAddr;

use rand::RngExt;
use rand::seq::IndexedRandom;
use swim_proto::{NodeId, State};

use super::Membership;
use crate::action::{Action, Ask, EventKind};
use crate::table::MemberIx;
use crate::time::Instant;

impl Membership {
    pub(super) fn on_seeds_due(&mut self, now: Instant) {
        if now >= self.seeds.deadline() {
            self.seeds.on_deadline(now, &mut self.rng);
            for &to in self.seeds.addresses() {
                self.actions.push_back(Action::Exchange { to, ask: Ask::Join });
            }
        }
        if now >= self.known.deadline() {
            for to in self.known.on_deadline(now, &mut self.rng) {
                self.actions.push_back(Action::Exchange { to, ask: Ask::Join });
            }
        }
    }

    /// A seed, or one known from an earlier life, has answered a join. Where it is a reflection,
    /// this node has asked itself under another address, and forgets that one. Else whoever has
    /// answered tells the others; so do we, for in a small cluster each tells only a few times, and
    /// whom it misses would learn of us late. Returns whether it is the first answer.
    pub fn handle_joined(&mut self, seed: SocketAddr, reflected: bool) -> bool {
        if self.has_left() {
            // The answer is to a join of the life that has ended.
            return false;
        }
        if reflected {
            self.seeds.forget(seed);
            self.known.remove(seed);
            return false;
        }
        let by_seed = self.seeds.on_answer();
        let first = self.known.on_answer() || by_seed;
        if first {
            // What was equal before says nothing of the table of the member that has answered.
            self.agreement.take_equal();
            self.actions.push_back(Action::Joined { seed });
            self.tell_own_news();
        }
        first
    }

    pub(super) fn repair_deadlines(&self) -> (Instant, Instant) {
        let sync_at = if self.table.present() > 0 { self.sync_at } else { Instant::NEVER };
        let to_heal =
            self.tombstones.len() > 0 || !self.seeds_to_heal().is_empty() || self.known.can_heal();
        (sync_at, if to_heal { self.heal_at } else { Instant::NEVER })
    }

    pub(super) fn on_repair_due(&mut self, now: Instant) {
        let (sync_at, heal_at) = self.repair_deadlines();
        if now >= sync_at {
            self.sync_at = now + self.jittered(self.config.sync_interval());
            if let Some(to) = self.choose_to_compare() {
                self.actions.push_back(Action::Exchange { to, ask: Ask::Sync });
            }
        }
        if now >= heal_at {
            self.heal_at = now + self.jittered(self.config.healing_interval());
            if let Some(to) = self.choose_absent(now) {
                self.actions.push_back(Action::Exchange { to, ask: Ask::Sync });
            }
        }
    }

    /// With whom the safety net compares: one who does not know us, though we know it, else anybody,
    /// and nobody where digests have said that all is well (D5).
    fn choose_to_compare(&mut self) -> Option<SocketAddr> {
        let (equal, aloof) = (self.agreement.take_equal(), self.agreement.take_aloof());
        if self.config.digest() && (equal || aloof.is_some()) {
            return aloof;
        }
        let chosen = self.table.random_present(&mut self.rng).map(|ix| self.address(ix));
        chosen.filter(|&address| self.leads(address))
    }

    /// One who ought to be here: a missing member or an absent seed, by turns (E5).
    fn choose_absent(&mut self, now: Instant) -> Option<SocketAddr> {
        self.heal_seed_next = !self.heal_seed_next;
        if self.heal_seed_next {
            self.choose_absent_seed().or_else(|| self.choose_missing(now))
        } else {
            self.choose_missing(now).or_else(|| self.choose_absent_seed())
        }
    }

    /// A dead member or one known from an earlier life, by turns.
    fn choose_missing(&mut self, now: Instant) -> Option<SocketAddr> {
        self.heal_known_next = !self.heal_known_next;
        let known = self.known.choose(now, &mut self.rng);
        if self.heal_known_next {
            known.or_else(|| self.choose_dead())
        } else {
            self.choose_dead().or(known)
        }
    }

    /// Who died last, if it was not tried yet; else any.
    fn choose_dead(&mut self) -> Option<SocketAddr> {
        let table = &self.table;
        let (places, own) = (&self.places, self.local.address());
        let is_dead = |ix| {
            let entry = table.held(ix);
            let dead = entry.claim().state == State::Dead;
            dead && places.leads(own, entry.record().address())
        };
        let dead = || self.tombstones.latest_first().filter(|&(_, ix)| is_dead(ix));
        let (until, last) = dead().next()?;
        if until > self.healed_last {
            self.healed_last = until;
            return Some(self.address(last));
        }
        let chosen = self.rng.random_range(0..dead().count());
        let (_, ix) = dead().nth(chosen)?;
        Some(self.address(ix))
    }

    fn choose_absent_seed(&mut self) -> Option<SocketAddr> {
        let present = |seed| self.present_with(seed).is_some();
        let seeds = self.seeds_to_heal().iter().copied();
        let absent: Vec<SocketAddr> = seeds.filter(|&seed| !present(seed)).collect();
        absent.choose(&mut self.rng).copied()
    }

    /// This node compares tables with this member, which has answered or asked. Whom it holds dead
    /// has lived all the time (E6). A join says nothing: it may be of a new life.
    pub fn handle_compared_with(&mut self, now: Instant, peer: NodeId) {
        let Some(ix) = self.table.find(peer).filter(|_| !self.has_left()) else { return };
        match self.table.held(ix).claim().state {
            State::Alive | State::Suspect => {
                self.isolation.on_heard(ix);
                self.planes.on_exchange(ix);
            }
            State::Dead => self.on_parted(now),
            State::Left => {}
        }
    }

    /// Others have thought this node dead, or the other way round (E6).
    pub(super) fn on_parted(&mut self, now: Instant) {
        if self.healing.on_parted(now, &self.config) {
            self.tell_healed();
        }
    }

    /// One who was held dead is present again (E6).
    pub(super) fn on_back(&mut self, now: Instant, ix: MemberIx) {
        let present = self.present();
        if self.healing.on_return(now, ix, &self.config, present) {
            self.tell_healed();
        }
    }

    /// This node hears from others again after it was isolated (S5), which is reported as a healing.
    pub(super) fn on_reconnected(&mut self, now: Instant) {
        self.healing.on_told(now, &self.config);
        self.tell_healed();
    }

    fn tell_healed(&mut self) {
        self.isolation.end_report();
        self.emit_own(EventKind::Healed);
    }

    /// The seeds, once one has answered: until then all are tried anyway (J1).
    fn seeds_to_heal(&self) -> &[SocketAddr] {
        if self.seeds.wanted() { &[] } else { self.seeds.addresses() }
    }

    /// Between nine and eleven tenths, so that nodes that start together drift apart.
    fn jittered(&mut self, interval: core::time::Duration) -> core::time::Duration {
        interval / 10 * 9 + interval / 5 * self.rng.random_range(0..=1_000) / 1_000
    }
}
