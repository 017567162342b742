//! Many seeds, on all cores, and what was seen in them.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use swim_membership::KnownBug;

use crate::check::Violation;
use crate::cluster::Traffic;
use crate::plan::{Outcome, Plan, Sightings, Size};
use crate::transcript::Detail;

/// Seeds, and what is made of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    /// The seeds.
    pub seeds: Range<u64>,
    /// How long the plan of each is.
    pub size: Size,
    /// A fault of the code that is put back.
    pub bug: Option<KnownBug>,
    /// On how many threads; at least one.
    pub threads: usize,
}

/// A run that went wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The plan.
    pub plan: Plan,
    /// What was broken.
    pub violation: Violation,
}

/// What was seen in all runs together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many seeds ran.
    pub seeds: u64,
    /// How many inputs nodes were given.
    pub steps: u64,
    /// In how much time of the simulation.
    pub simulated: Duration,
    /// What nodes saw of each other.
    pub seen: Sightings,
    /// What the network did.
    pub traffic: Traffic,
    /// The longest time from calm to agreement, and its seed.
    pub slowest: Option<(Duration, u64)>,
}

impl Band {
    /// These seeds, of full size and on all cores.
    pub fn new(seeds: Range<u64>) -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        Self { seeds, size: Size::Full, bug: None, threads }
    }

    /// The plan of one of its seeds.
    pub fn plan(&self, seed: u64) -> Plan {
        Plan { bug: self.bug, ..Plan::draw(seed, self.size) }
    }

    /// Runs all seeds, and calls `each` after each.
    ///
    /// # Errors
    /// With the lowest seed that fails. Those above it may not have run.
    pub fn run(&self, each: impl Fn(u64) + Sync) -> Result<Summary, Box<Failure>> {
        let next = AtomicU64::new(self.seeds.start);
        let stop_at = AtomicU64::new(self.seeds.end);
        let found: Mutex<(Summary, Option<Failure>)> = Mutex::default();
        let work = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= stop_at.load(Ordering::Relaxed) {
                    break;
                }
                let plan = self.plan(seed);
                let (result, _) = plan.run(Detail::Hash);
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                match result {
                    Ok(outcome) => found.0.add(seed, &outcome),
                    Err(violation) => {
                        // Seeds are taken in order, so the lower ones are all under way.
                        stop_at.fetch_min(seed, Ordering::Relaxed);
                        let lower = found.1.as_ref().is_none_or(|other| seed < other.plan.seed);
                        if lower {
                            found.1 = Some(Failure { plan, violation });
                        }
                    }
                }
                drop(found);
                each(seed);
            }
        };
        thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                scope.spawn(work);
            }
        });
        let (summary, failure) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        failure.map_or(Ok(summary), |failure| Err(Box::new(failure)))
    }
}

impl Summary {
    fn add(&mut self, seed: u64, outcome: &Outcome) {
        self.seeds += 1;
        self.steps += outcome.steps;
        self.simulated += outcome.simulated;
        self.seen.add(&outcome.seen);
        self.traffic.add(&outcome.traffic);
        // The lowest of equals, whatever the order in which runs end.
        let (this, longest) = ((outcome.agreed_after, seed), self.slowest);
        if longest.is_none_or(|(time, by)| this.0 > time || this.0 == time && seed < by) {
            self.slowest = Some(this);
        }
    }

    /// What should have happened and never did. A sweep that has not met it has not looked.
    pub fn missing(&self) -> Vec<&'static str> {
        let Self { seen, traffic, .. } = self;
        [
            ("dropped", traffic.lost),
            ("cut", traffic.cut),
            ("doubled", traffic.doubled),
            ("clogged", traffic.clogged),
            ("damaged", traffic.damaged),
            ("played again", traffic.replayed),
            ("of another cluster", traffic.foreign),
            ("of a later version", traffic.later),
            ("lost for want of room", traffic.overflowed),
            ("refused by a host", traffic.refused),
            ("crashed", seen.crashes),
            ("in an environment", seen.environments),
            ("joined", seen.joined),
            ("suspected", seen.suspected),
            ("refuted", seen.refuted),
            ("held dead", seen.down),
            ("left", seen.left),
            ("updated", seen.updated),
            ("in conflict", seen.conflicts),
            ("broadcast", seen.messages),
        ]
        .into_iter()
        .filter_map(|(what, count)| (count == 0).then_some(what))
        .collect()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seen, traffic, .. } = self;
        let hours = self.simulated.as_secs() / 3_600;
        let (longest, by) = self.slowest.unwrap_or_default();
        writeln!(f, "{} seeds, {} steps, {hours} simulated hours", self.seeds, self.steps)?;
        writeln!(
            f,
            "seen: {} joined, {} suspected, {} refuted, {} down, {} left, {} updated, \
             {} in conflict, {} messages, {} crashes, {} environments",
            seen.joined,
            seen.suspected,
            seen.refuted,
            seen.down,
            seen.left,
            seen.updated,
            seen.conflicts,
            seen.messages,
            seen.crashes,
            seen.environments,
        )?;
        writeln!(
            f,
            "traffic: {} datagrams, {} exchanges; {} lost, {} cut, {} doubled, {} clogged, \
             {} damaged, {} replayed, {} foreign, {} later, {} overflowed, {} to nobody, \
             {} refused",
            traffic.datagrams,
            traffic.exchanges,
            traffic.lost,
            traffic.cut,
            traffic.doubled,
            traffic.clogged,
            traffic.damaged,
            traffic.replayed,
            traffic.foreign,
            traffic.later,
            traffic.overflowed,
            traffic.to_nobody,
            traffic.refused,
        )?;
        write!(f, "longest from calm to agreement: {:.1} s, seed {by}", longest.as_secs_f64())
    }
}

impl Sightings {
    fn add(&mut self, other: &Self) {
        self.joined += other.joined;
        self.suspected += other.suspected;
        self.refuted += other.refuted;
        self.down += other.down;
        self.left += other.left;
        self.updated += other.updated;
        self.conflicts += other.conflicts;
        self.messages += other.messages;
        self.crashes += other.crashes;
        self.environments += other.environments;
    }
}

impl Traffic {
    fn add(&mut self, other: &Self) {
        self.datagrams += other.datagrams;
        self.datagram_bytes += other.datagram_bytes;
        self.exchanges += other.exchanges;
        self.exchange_bytes += other.exchange_bytes;
        self.lost += other.lost;
        self.cut += other.cut;
        self.doubled += other.doubled;
        self.to_nobody += other.to_nobody;
        self.refused += other.refused;
        self.clogged += other.clogged;
        self.damaged += other.damaged;
        self.replayed += other.replayed;
        self.foreign += other.foreign;
        self.later += other.later;
        self.overflowed += other.overflowed;
    }
}
