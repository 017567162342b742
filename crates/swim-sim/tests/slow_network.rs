//! Which conditions a node reports as a network that its preset does not fit (P4).

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::time::Duration;

use swim_sim::{Cluster, HostIx, Options, Seen};
use swimmer::{Config, Profile};

const MEMBERS: u32 = 12;

/// How many members say so within a minute, each once.
fn told_under(environment: &str, profile: Profile) -> usize {
    let mut cluster = Cluster::new(Options::new(7, Config::preset(profile)));
    cluster.warm(MEMBERS);
    cluster.enter(environment.parse().unwrap());
    cluster.run_for(Duration::from_secs(60)).unwrap();
    let seen = cluster.take_observations();
    let told = seen.iter().filter(|seen| seen.change == Seen::SlowNetwork);
    let told: Vec<HostIx> = told.map(|seen| seen.observer).collect();
    let different: BTreeSet<&HostIx> = told.iter().collect();
    assert_eq!(told.len(), different.len(), "{environment}: once each");
    different.len()
}

#[test]
fn p4_round_trips_of_1_2_s_are_reported_by_each_member_with_a_preset_that_they_do_not_fit() {
    for profile in [Profile::Lan, Profile::Fast, Profile::Local] {
        assert_eq!(told_under("rtt:1.2", profile), MEMBERS as usize, "{profile}");
    }
    assert_eq!(told_under("rtt:1.2", Profile::Wan), 0);
}

#[test]
fn p4_conditions_that_are_no_long_round_trips_are_not_reported() {
    for environment in ["clean", "loss:30", "gc:5", "starved:30"] {
        assert_eq!(told_under(environment, Profile::Lan), 0, "{environment}");
    }
}

#[test]
fn p4_a_member_that_is_far_from_all_others_reports_it_and_they_do_not() {
    assert_eq!(told_under("far:0.6:10", Profile::Lan), 1);
}
