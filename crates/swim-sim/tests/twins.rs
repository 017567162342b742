//! Two processes with one id (R4): both are told soon, the others once, and nobody is buried by it.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use swim_sim::{Cluster, Conditions, Data, Fault, HostIx, Observation, Options, Place, Seen};
use swimmer::{Config, Profile};

const FIRST: HostIx = HostIx(1);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A cluster in which the last host starts with a copy of another's data folder.
struct Twins {
    cluster: Cluster,
    later: HostIx,
    /// What was seen, and how long after the join.
    seen: Vec<(Duration, Observation)>,
    /// How long it has run since the join.
    ran: Duration,
}

impl Twins {
    fn start(profile: Profile, nodes: u32, seed: u64) -> Self {
        let mut cluster = Cluster::new(Options::new(seed, Config::preset(profile)));
        cluster.warm(nodes);
        let later = cluster.add();
        // Long enough for the first to have saved its number, or not.
        cluster.run_for(Duration::from_millis(3_000 + seed * 6_971 % 70_000)).unwrap();
        cluster.take_observations();
        cluster.copy_identity(FIRST, later);
        let seeds: [&[HostIx]; 4] = [&[HostIx(0)], &[HostIx(0), HostIx(2)], &[FIRST], &[]];
        // Without a seed it looks at the addresses in the folder (J2), once the first has saved some.
        let by = if seed % 4 == 3 && cluster.now().as_micros() < 15_000_000 { 0 } else { seed % 4 };
        cluster.restart(later, Data::Kept, Place::Same, seeds[by as usize]);
        let joined = |cluster: &Cluster| {
            cluster.node(later).is_some_and(|node| node.is_joined() && node.is_synced())
        };
        let taken = cluster.run_until_seen(Duration::from_millis(1), seconds(30), joined).unwrap();
        assert!(taken.is_some(), "it has not joined");
        Self { cluster, later, seen: Vec::new(), ran: Duration::ZERO }
    }

    fn run(&mut self, time: Duration) {
        let (before, now) = (self.ran, self.cluster.now());
        self.cluster.run_for(time).unwrap();
        self.ran += time;
        let seen = self.cluster.take_observations().into_iter();
        self.seen.extend(seen.map(|seen| (before + (seen.at - now), seen)));
    }

    /// When this host was told of the conflict, each time.
    fn told(&self, host: HostIx) -> Vec<Duration> {
        let id = self.cluster.id(FIRST);
        let told = self.seen.iter().filter(|(_, seen)| {
            seen.observer == host && seen.subject == id && seen.change == Seen::Conflict
        });
        told.map(|&(after, _)| after).collect()
    }
}

fn is_death((_, seen): &(Duration, Observation)) -> bool {
    matches!(seen.change, Seen::Down { .. })
}

/// Returns the latest moment at which one of both was told.
fn check(profile: Profile, nodes: u32, seed: u64) -> Duration {
    let sync = Config::preset(profile).sync_interval();
    let window = 2 * sync.max(seconds(30));
    let mut twins = Twins::start(profile, nodes, seed);
    twins.run(window + seconds(60));
    let mut latest = Duration::ZERO;
    let what = format!("{profile}, {nodes} nodes, seed {seed}");
    for host in [FIRST, twins.later] {
        let told = twins.told(host);
        assert_eq!(told.len(), 1, "{what}: {host} was told {told:?}");
        latest = latest.max(told[0]);
    }
    assert!(latest <= sync, "{what}: after {latest:?}");
    for host in twins.cluster.hosts().filter(|&host| host != FIRST && host != twins.later) {
        let told = twins.told(host);
        assert_eq!(told.len(), 1, "{what}: {host} was told {told:?}");
        assert!(told[0] <= window, "{what}: {host} after {told:?}");
    }
    assert_eq!(twins.seen.iter().find(|seen| is_death(seen)), None, "{what}");
    latest
}

fn check_all(seeds: std::ops::Range<u64>) {
    for profile in Profile::ALL {
        for nodes in [3, 5, 8] {
            let told = seeds.clone().map(|seed| check(profile, nodes, seed));
            let latest = told.max().unwrap();
            // As R2 lets the two words of a second follow each other, and some milliseconds.
            assert!(latest < Duration::from_millis(1_200), "{profile}, {nodes} nodes: {latest:?}");
        }
    }
}

#[test]
fn r4_both_processes_are_told_within_a_sync_interval_and_each_other_member_once() {
    check_all(0..4);
}

#[test]
fn r4_the_process_that_started_later_learns_that_the_other_lives_and_may_end_without_a_death() {
    for (profile, seed) in Profile::ALL.into_iter().flat_map(|p| (0..5).map(move |s| (p, s))) {
        let what = format!("{profile}, seed {seed}");
        let mut twins = Twins::start(profile, 5, seed);
        let until = seconds(10);
        while twins.seen.iter().all(|(_, seen)| seen.change != Seen::StartedLater) {
            twins.run(Duration::from_millis(10));
            assert!(twins.ran < until, "{what}: nobody was told that it has started later");
        }
        let told = twins.seen.iter().filter(|(_, seen)| seen.change == Seen::StartedLater);
        assert!(told.into_iter().all(|(_, seen)| seen.observer == twins.later), "{what}");
        // The other one's answer is on its way to all.
        twins.run(seconds(1));
        twins.cluster.kill(twins.later);
        twins.run(seconds(100));
        assert_eq!(twins.seen.iter().find(|seen| is_death(seen)), None, "{what}");
        let (id, address) = (twins.cluster.id(FIRST), twins.cluster.address(FIRST));
        for host in twins.cluster.hosts().filter(|&host| host != FIRST && host != twins.later) {
            let held = twins.cluster.node(host).unwrap().member(id).unwrap();
            assert_eq!((held.address, held.state.is_present()), (address, true), "{what}: {host}");
        }
    }
}

#[test]
fn r4_both_are_told_and_accusations_refuted_although_datagrams_are_lost() {
    for (profile, seed) in Profile::ALL.into_iter().flat_map(|p| (0..3).map(move |s| (p, s))) {
        let what = format!("{profile}, seed {seed}");
        let mut twins = Twins::start(profile, 5, seed);
        Fault::Network(Conditions::LAN.with_loss(200)).apply(&mut twins.cluster);
        twins.run(seconds(600));
        for host in [FIRST, twins.later] {
            assert!(!twins.told(host).is_empty(), "{what}: {host} was not told");
        }
        assert_eq!(twins.seen.iter().find(|seen| is_death(seen)), None, "{what}");
    }
}

/// The proof at length: `cargo test --release -p swim-sim --test twins -- --ignored`.
#[test]
#[ignore = "ten seconds in a release build, minutes in another"]
fn r4_both_processes_are_told_within_a_sync_interval_by_a_hundred_seeds() {
    check_all(0..100);
}
