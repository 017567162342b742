//! Members that pause again and again, and what they are given because they say so (S6).

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use swim_sim::{Cluster, Condition, Data, HostIx, Options, Place, Seen};
use swimmer::{Config, Profile, State};

const PAUSED: HostIx = HostIx(3);
const SEEDS: std::ops::Range<u64> = 0..2;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn warm(seed: u64, config: Config) -> Cluster {
    let mut cluster = Cluster::new(Options::new(seed, config));
    cluster.warm(16);
    cluster.run_for(seconds(10)).unwrap();
    cluster
}

fn lan(patience: bool) -> Config {
    Config::builder(Profile::Lan).patience(patience).build().unwrap()
}

/// One stands still, or is cut off, for so long, and a quarter of a minute passes. Returns how many others
/// have held it dead.
fn deaths_by_a_pause(cluster: &mut Cluster, how: Condition, length: Duration) -> usize {
    cluster.take_observations();
    match how {
        Condition::Blocked => cluster.block(PAUSED),
        _ => cluster.pause(PAUSED),
    }
    cluster.run_for(length).unwrap();
    cluster.resume(PAUSED);
    cluster.run_for(seconds(15)).unwrap();
    assert!(cluster.all_agree(), "{:?}", cluster.disagreement());
    let seen = cluster.take_observations();
    seen.iter().filter(|seen| matches!(seen.change, Seen::Down { .. })).count()
}

#[test]
fn s6_a_member_that_pauses_for_5_s_is_held_dead_by_nobody_the_second_time() {
    for how in [Condition::Paused, Condition::Blocked] {
        let (mut first, mut second, mut without) = (0, 0, 0);
        for seed in SEEDS {
            let mut cluster = warm(seed, lan(true));
            first += deaths_by_a_pause(&mut cluster, how, seconds(5));
            second += deaths_by_a_pause(&mut cluster, how, seconds(5));
            let mut cluster = warm(seed, lan(false));
            // The third: a member that came back from the dead is given more time anyway (S6).
            without +=
                (0..3).map(|_| deaths_by_a_pause(&mut cluster, how, seconds(5))).sum::<usize>();
        }
        assert!(first > 0 && without > 0, "{how:?}: without it {without}, the first time {first}");
        assert_eq!(second, 0, "{how:?}");
    }
}

#[test]
fn s6_what_was_measured_is_remembered_over_a_restart() {
    for seed in SEEDS {
        let mut cluster = warm(seed, lan(true));
        deaths_by_a_pause(&mut cluster, Condition::Paused, seconds(5));
        cluster.restart(PAUSED, Data::Kept, Place::Same, &[]);
        cluster.run_for(seconds(20)).unwrap();
        assert_eq!(deaths_by_a_pause(&mut cluster, Condition::Paused, seconds(5)), 0, "{seed}");
    }
}

#[test]
fn s6_what_the_application_expects_is_given_the_first_time() {
    for seed in SEEDS {
        let mut cluster = warm(seed, lan(true).with_expected_pause(seconds(5)));
        assert_eq!(deaths_by_a_pause(&mut cluster, Condition::Paused, seconds(5)), 0, "{seed}");
    }
}

/// How long after a crash the first and the last of the others hold it dead.
fn found_after(cluster: &mut Cluster, crashed: HostIx) -> (Duration, Duration) {
    cluster.take_observations();
    let began = cluster.now();
    cluster.crash(crashed);
    cluster.run_for(seconds(30)).unwrap();
    let running = cluster.hosts().filter(|&ix| cluster.is_member(ix));
    let mut held = running.map(|ix| cluster.sees(ix, crashed));
    assert!(held.all(|state| state == Some(State::Dead)));
    let seen = cluster.take_observations();
    let down = seen.iter().filter(|seen| matches!(seen.change, Seen::Down { .. }));
    let after: Vec<_> = down.map(|seen| seen.at - began).collect();
    (*after.iter().min().unwrap(), *after.iter().max().unwrap())
}

#[test]
fn s6_a_member_that_has_paused_is_found_later_by_what_it_announces_and_the_others_are_not() {
    for seed in SEEDS {
        let mut cluster = warm(seed, lan(true));
        deaths_by_a_pause(&mut cluster, Condition::Paused, seconds(5));
        let (first, last) = found_after(&mut cluster, HostIx(7));
        assert!(first < seconds(6) && last < seconds(7), "{seed}: {first:?}, {last:?}");
        let (first, last) = found_after(&mut cluster, PAUSED);
        assert!(first >= seconds(7) && last < seconds(12), "{seed}: {first:?}, {last:?}");
    }
}
