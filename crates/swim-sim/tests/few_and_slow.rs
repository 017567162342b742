//! Few members, and a slow one among those that are left: the dead one is found all the same (S5).

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use swim_sim::{Cluster, Environment, HostIx, Options};
use swimmer::{Config, Profile, State};

/// How long after its crash one of three is held dead by the others, in this environment.
fn found_after(environment: &str, seed: u64) -> Option<Duration> {
    let mut cluster = Cluster::new(Options::new(seed, Config::preset(Profile::Lan)));
    cluster.warm(3);
    cluster.enter(environment.parse::<Environment>().unwrap());
    cluster.run_for(Duration::from_millis(10_000 + seed * 37 % 1_000)).unwrap();
    let victim = HostIx((seed % 3) as u32);
    cluster.crash(victim);
    let (every, limit) = (Duration::from_millis(10), Duration::from_secs(60));
    let is_found = |cluster: &Cluster| {
        let mut others = (0..3).map(HostIx).filter(|&host| host != victim);
        others.all(|host| cluster.sees(host, victim) == Some(State::Dead))
    };
    cluster.run_until_seen(every, limit, is_found).unwrap()
}

#[test]
fn s5_two_that_stand_still_in_step_find_the_third_dead() {
    for environment in ["slow-sync:50", "slow-random:50", "starved:50"] {
        let mut took: Vec<_> = (0..60).map(|seed| found_after(environment, seed)).collect();
        took.sort_by_key(|took| took.unwrap_or(Duration::MAX));
        let (median, worst) = (took[took.len() / 2], took[took.len() - 1]);
        eprintln!("{environment}: {median:?}, at most {worst:?}");
        assert!(median.is_some_and(|took| took < Duration::from_secs(12)), "{environment}");
        assert!(worst.is_some_and(|took| took < Duration::from_secs(35)), "{environment}");
    }
}
