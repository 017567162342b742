//! Hosts that start again with what they have saved.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use swim_sim::{Cluster, Data, HostIx, Options, Place};
use swimmer::{Config, Incarnation, Profile};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn incarnation(cluster: &Cluster, host: HostIx) -> Incarnation {
    cluster.node(host).unwrap().local_claim().incarnation
}

/// A cluster of so many hosts that has run for long enough to save where everybody is.
fn cluster(seed: u64, hosts: u32) -> Cluster {
    let mut cluster = Cluster::new(Options::new(seed, Config::preset(Profile::Lan)));
    cluster.warm(hosts);
    cluster.run_for(seconds(15)).unwrap();
    cluster
}

#[test]
fn a_hundred_hosts_that_restart_within_a_second_and_without_seeds_agree_within_ten() {
    for seed in 0..3 {
        let mut cluster = cluster(seed, 100);
        let hosts: Vec<HostIx> = cluster.hosts().collect();
        let before: Vec<_> = hosts.iter().map(|&host| incarnation(&cluster, host)).collect();
        hosts.iter().for_each(|&host| cluster.crash(host));
        for &host in &hosts {
            cluster.run_for(Duration::from_millis(10)).unwrap();
            cluster.restart(host, Data::Kept, Place::Same, &[]);
        }
        let every = Duration::from_millis(100);
        let agreed = cluster.run_until_seen(every, seconds(10), Cluster::all_agree).unwrap();
        assert!(agreed.is_some(), "seed {seed}: {:?}", cluster.disagreement());
        for (&host, before) in hosts.iter().zip(before) {
            assert!(incarnation(&cluster, host) > before, "seed {seed}");
        }
    }
}

#[test]
fn one_that_restarts_elsewhere_finds_the_others_by_what_it_has_saved() {
    for seed in 0..20 {
        let mut cluster = cluster(seed, 8);
        let host = HostIx(3);
        let before = incarnation(&cluster, host);
        cluster.crash(host);
        cluster.run_for(seconds(1)).unwrap();
        cluster.restart(host, Data::Kept, Place::New, &[]);
        assert!(incarnation(&cluster, host) > before, "it has heard of nobody yet");
        let every = Duration::from_millis(100);
        let agreed = cluster.run_until_seen(every, seconds(5), Cluster::all_agree).unwrap();
        assert!(agreed.is_some(), "seed {seed}: {:?}", cluster.disagreement());
    }
}

#[test]
fn one_that_has_lost_everything_is_another_member() {
    let mut cluster = cluster(1, 5);
    let host = HostIx(3);
    let (id, seeds) = (cluster.id(host), [HostIx(0)]);
    cluster.restart(host, Data::Lost, Place::Same, &seeds);
    assert_ne!(cluster.id(host), id);
    assert_eq!(incarnation(&cluster, host), Incarnation(1));
    let agreed = cluster.run_until_seen(seconds(1), seconds(60), Cluster::all_agree).unwrap();
    assert!(agreed.is_some(), "the old one is no ghost: {:?}", cluster.disagreement());
}
