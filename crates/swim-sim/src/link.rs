//! What the network does to what it carries: delay, loss, duplication, cuts, partitions, rate.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

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

fn hits(per_mille: u32, rng: &mut Xoshiro256PlusPlus) -> bool {
    per_mille > 0 && rng.random_range(0..1_000) < per_mille
}

/// All links between numbered hosts.
#[derive(Clone, Debug)]
pub struct Links {
    /// What holds where nothing else was said.
    pub default: Conditions,
    /// Whether exchanges pass at all; they do not where a firewall lets only UDP through.
    pub exchanges: bool,
    between: BTreeMap<(u32, u32), Conditions>,
    into: BTreeMap<u32, Conditions>,
    out_of: BTreeMap<u32, Conditions>,
    cuts: BTreeSet<(u32, u32)>,
    /// Hosts of different sides do not hear each other; who is in none is on side 0.
    sides: BTreeMap<u32, u32>,
    /// Bytes a second that a host can send; more waits.
    rates: BTreeMap<u32, u64>,
}

impl Links {
    /// The same for all.
    pub fn new(default: Conditions) -> Self {
        Self {
            default,
            exchanges: true,
            between: BTreeMap::new(),
            into: BTreeMap::new(),
            out_of: BTreeMap::new(),
            cuts: BTreeSet::new(),
            sides: BTreeMap::new(),
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

    /// Ends a cut.
    pub fn mend(&mut self, from: u32, to: u32) {
        self.cuts.remove(&(from, to));
    }

    /// Puts a host on a side; hosts of different sides do not hear each other.
    pub fn put_on_side(&mut self, host: u32, side: u32) {
        self.sides.insert(host, side);
    }

    /// Limits what a host can send, in bytes a second.
    pub fn limit_rate(&mut self, host: u32, bytes_per_second: u64) {
        self.rates.insert(host, bytes_per_second.max(1));
    }

    /// Ends all that differs from the default.
    pub fn heal(&mut self) {
        *self = Self::new(self.default);
    }

    pub(crate) fn passes(&self, from: u32, to: u32) -> bool {
        if !self.cuts.is_empty() && self.cuts.contains(&(from, to)) {
            return false;
        }
        let side = |host| self.sides.get(host).copied().unwrap_or(0);
        self.sides.is_empty() || side(&from) == side(&to)
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
