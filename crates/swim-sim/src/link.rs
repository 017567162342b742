//! What the network does to what it carries: delay, loss, duplication, cuts, partitions, rate, and
//! what it does to the bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use swim_membership::Instant;

/// What one direction of a link does. Unequal delays reorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// The shortest way.
    pub delay_min: Duration,
    /// The longest way of the ordinary.
    pub delay_max: Duration,
    /// So many of 1,000 take up to ten times the longest.
    pub tail: u32,
    /// So many of 1,000 are lost.
    pub loss: u32,
    /// So many of 1,000 come twice.
    pub duplication: u32,
}

impl Conditions {
    /// One network in one place: 0.2 to 1 ms, nothing lost.
    pub const LAN: Self = Self {
        delay_min: Duration::from_micros(200),
        delay_max: Duration::from_millis(1),
        tail: 0,
        loss: 0,
        duplication: 0,
    };

    /// The same, but so many of 1,000 datagrams are lost.
    #[must_use]
    pub const fn with_loss(mut self, per_mille: u32) -> Self {
        self.loss = per_mille;
        self
    }

    pub(crate) fn draw_delay(&self, rng: &mut Xoshiro256PlusPlus) -> Duration {
        let (min, max) = (self.delay_min.as_micros() as u64, self.delay_max.as_micros() as u64);
        let max = if hits(self.tail, rng) { max.saturating_mul(10) } else { max };
        Duration::from_micros(rng.random_range(min..=max.max(min)))
    }

    pub(crate) fn loses(&self, rng: &mut Xoshiro256PlusPlus) -> bool {
        hits(self.loss, rng)
    }

    pub(crate) fn doubles(&self, rng: &mut Xoshiro256PlusPlus) -> bool {
        hits(self.duplication, rng)
    }
}

/// What happens to bytes on their way, each to so many of 1,000 packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tampering {
    /// A few bits are other ones.
    pub flips: u32,
    /// The end is missing.
    pub cuts: u32,
    /// It goes on as another packet does.
    pub splices: u32,
    /// An earlier packet comes once more, to whom it was for or to another.
    pub replays: u32,
    /// A packet of another cluster comes with it.
    pub foreign: u32,
    /// It is as a later version might write it: of an unknown kind, or with an unknown part.
    pub later: u32,
}

pub(crate) fn hits(per_mille: u32, rng: &mut Xoshiro256PlusPlus) -> bool {
    per_mille > 0 && rng.random_range(0..1_000) < per_mille
}

/// All links between numbered hosts.
#[derive(Clone, Debug)]
pub struct Links {
    /// What holds where nothing else was said.
    pub default: Conditions,
    /// Whether exchanges pass at all; they do not where a firewall lets only UDP through.
    pub exchanges: bool,
    /// What happens to the bytes.
    pub tampering: Tampering,
    between: BTreeMap<(u32, u32), Conditions>,
    into: BTreeMap<u32, Conditions>,
    out_of: BTreeMap<u32, Conditions>,
    cuts: BTreeSet<(u32, u32)>,
    /// Where datagrams do not pass, but exchanges do.
    filters: BTreeSet<(u32, u32)>,
    /// Hosts that hear nobody, and hosts that nobody hears.
    deaf: BTreeSet<u32>,
    mute: BTreeSet<u32>,
    /// Links that are down and up by turns: since when, and how long each.
    flaps: BTreeMap<(u32, u32), (Instant, Duration)>,
    /// Until when what is sent waits, then to come all at once.
    clogs: BTreeMap<(u32, u32), Instant>,
    /// Hosts of different sides do not hear each other; who is in none is on side 0.
    sides: BTreeMap<u32, u32>,
    /// Hosts that hear both sides, and are heard by both.
    bridges: BTreeSet<u32>,
    /// Bytes a second that a host can send; more waits.
    rates: BTreeMap<u32, u64>,
}

impl Links {
    /// The same for all.
    pub fn new(default: Conditions) -> Self {
        Self {
            default,
            exchanges: true,
            tampering: Tampering::default(),
            between: BTreeMap::new(),
            into: BTreeMap::new(),
            out_of: BTreeMap::new(),
            cuts: BTreeSet::new(),
            filters: BTreeSet::new(),
            deaf: BTreeSet::new(),
            mute: BTreeSet::new(),
            flaps: BTreeMap::new(),
            clogs: BTreeMap::new(),
            sides: BTreeMap::new(),
            bridges: BTreeSet::new(),
            rates: BTreeMap::new(),
        }
    }

    /// Conditions of one direction between two hosts.
    pub fn set(&mut self, from: u32, to: u32, conditions: Conditions) {
        self.between.insert((from, to), conditions);
    }

    /// Conditions of all that reaches a host.
    pub fn set_into(&mut self, host: u32, conditions: Conditions) {
        self.into.insert(host, conditions);
    }

    /// Conditions of all that a host sends.
    pub fn set_out_of(&mut self, host: u32, conditions: Conditions) {
        self.out_of.insert(host, conditions);
    }

    /// Nothing goes from `from` to `to` any more.
    pub fn cut(&mut self, from: u32, to: u32) {
        self.cuts.insert((from, to));
    }

    /// No datagram goes from `from` to `to` any more; exchanges do.
    pub fn filter(&mut self, from: u32, to: u32) {
        self.filters.insert((from, to));
    }

    /// Ends a cut, and a filter.
    pub fn mend(&mut self, from: u32, to: u32) {
        self.cuts.remove(&(from, to));
        self.filters.remove(&(from, to));
    }

    /// A host hears nobody any more.
    pub fn deafen(&mut self, host: u32) {
        self.deaf.insert(host);
    }

    /// Nobody hears a host any more.
    pub fn mute(&mut self, host: u32) {
        self.mute.insert(host);
    }

    /// A host hears and is heard again.
    pub fn reconnect(&mut self, host: u32) {
        self.deaf.remove(&host);
        self.mute.remove(&host);
    }

    /// From now on the link between two hosts is down for so long, up for so long, and so on.
    pub fn flap(&mut self, a: u32, b: u32, now: Instant, each: Duration) {
        for link in [(a, b), (b, a)] {
            self.flaps.insert(link, (now, each.max(Duration::from_millis(1))));
        }
    }

    /// What is sent from `from` to `to` waits until this moment.
    pub fn clog(&mut self, from: u32, to: u32, until: Instant) {
        self.clogs.insert((from, to), until);
    }

    /// Puts a host on a side; hosts of different sides do not hear each other.
    pub fn put_on_side(&mut self, host: u32, side: u32) {
        self.sides.insert(host, side);
    }

    /// Makes a host hear all sides, and be heard by them.
    pub fn bridge(&mut self, host: u32) {
        self.bridges.insert(host);
    }

    /// Limits what a host can send, in bytes a second.
    pub fn limit_rate(&mut self, host: u32, bytes_per_second: u64) {
        self.rates.insert(host, bytes_per_second.max(1));
    }

    /// Ends all that differs from the default. What a clog holds comes when it would have come.
    pub fn heal(&mut self) {
        *self = Self::new(self.default);
    }

    pub(crate) fn passes_datagrams(&self, from: u32, to: u32, now: Instant) -> bool {
        self.passes(from, to, now) && !self.filters.contains(&(from, to))
    }

    pub(crate) fn passes(&self, from: u32, to: u32, now: Instant) -> bool {
        let cut = !self.cuts.is_empty() && self.cuts.contains(&(from, to));
        let silent = self.mute.contains(&from) || self.deaf.contains(&to);
        !cut && !silent && !self.is_parted(from, to) && !self.is_flapped(from, to, now)
    }

    fn is_parted(&self, from: u32, to: u32) -> bool {
        let side = |host| self.sides.get(host).copied().unwrap_or(0);
        !self.sides.is_empty()
            && side(&from) != side(&to)
            && !self.bridges.contains(&from)
            && !self.bridges.contains(&to)
    }

    fn is_flapped(&self, from: u32, to: u32, now: Instant) -> bool {
        self.flaps.get(&(from, to)).is_some_and(|&(since, each)| {
            ((now - since).as_micros() / each.as_micros()).is_multiple_of(2)
        })
    }

    /// The moment until which what is sent now waits, if the link is clogged.
    pub(crate) fn held_until(&self, from: u32, to: u32, now: Instant) -> Option<Instant> {
        self.clogs.get(&(from, to)).copied().filter(|&until| until > now)
    }

    pub(crate) fn conditions(&self, from: u32, to: u32) -> Conditions {
        let special = self.between.len() + self.into.len() + self.out_of.len() > 0;
        if !special {
            return self.default;
        }
        let between = self.between.get(&(from, to));
        let found = between.or_else(|| self.into.get(&to)).or_else(|| self.out_of.get(&from));
        found.copied().unwrap_or(self.default)
    }

    pub(crate) fn rate(&self, host: u32) -> Option<u64> {
        self.rates.get(&host).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1_000)
    }

    #[test]
    fn a_bridge_hears_both_sides_which_do_not_hear_each_other() {
        let mut links = Links::new(Conditions::LAN);
        links.put_on_side(0, 1);
        links.bridge(1);
        assert!(!links.passes(0, 2, at(0)) && !links.passes(2, 0, at(0)));
        for (from, to) in [(0, 1), (1, 0), (1, 2), (2, 1)] {
            assert!(links.passes(from, to, at(0)));
        }
        links.heal();
        assert!(links.passes(0, 2, at(0)));
    }

    #[test]
    fn a_deaf_host_is_heard_and_a_mute_one_hears() {
        let mut links = Links::new(Conditions::LAN);
        links.deafen(0);
        links.mute(1);
        assert!(links.passes(0, 2, at(0)) && !links.passes(2, 0, at(0)));
        assert!(links.passes(2, 1, at(0)) && !links.passes(1, 2, at(0)));
        links.reconnect(0);
        assert!(links.passes(2, 0, at(0)) && !links.passes(1, 2, at(0)));
    }

    #[test]
    fn a_flapping_link_is_down_and_up_by_turns() {
        let mut links = Links::new(Conditions::LAN);
        links.flap(0, 1, at(100), Duration::from_millis(50));
        let up = [100, 149, 150, 199, 200].map(|millis| links.passes(1, 0, at(millis)));
        assert_eq!(up, [false, false, true, true, false]);
        assert!(links.passes(0, 2, at(100)));
    }

    #[test]
    fn a_clog_holds_what_is_sent_until_it_ends() {
        let mut links = Links::new(Conditions::LAN);
        links.clog(0, 1, at(50));
        assert_eq!(links.held_until(0, 1, at(10)), Some(at(50)));
        assert_eq!(links.held_until(0, 1, at(50)), None);
        assert_eq!(links.held_until(1, 0, at(10)), None);
    }
}
