//! Processes that are killed on hosts that stay up: their hosts refuse connections, and so say that
//! the network works (P6, S3, S5).

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use swim_sim::{Cluster, HostIx, Options, Seen};
use swimmer::{Config, Profile, State};

/// How processes end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Their hosts stay up.
    Killed,
    /// Nothing answers any more.
    Crashed,
}

/// How long after the end of all members but the first `survivors` those hold them dead.
fn dead_after(config: &Config, seed: u64, (members, survivors): (u32, u32), end: End) -> Duration {
    let mut cluster = Cluster::new(Options::new(seed, config.clone()));
    cluster.warm(members);
    // At another moment of the period with each seed.
    let part = config.period() * (seed * 37 % 100) as u32 / 100;
    cluster.run_for(config.period() * 5 + part).unwrap();
    for victim in (survivors..members).map(HostIx) {
        match end {
            End::Killed => cluster.kill(victim),
            End::Crashed => cluster.crash(victim),
        }
    }
    let is_dead = |cluster: &Cluster, by, victim| {
        cluster.sees(HostIx(by), HostIx(victim)) == Some(State::Dead)
    };
    let all_dead = |cluster: &Cluster| {
        (survivors..members).all(|victim| (0..survivors).all(|by| is_dead(cluster, by, victim)))
    };
    let (every, limit) = (config.period() / 200, config.period() * 200);
    let took = cluster.run_until_seen(every, limit, all_dead).unwrap();
    let survive: Vec<_> = (0..survivors).map(|host| cluster.id(HostIx(host))).collect();
    for seen in cluster.take_observations() {
        let down = matches!(seen.change, Seen::Down { .. });
        assert!(!down || !survive.contains(&seen.subject), "seed {seed}: {seen:?}, which lives");
    }
    took.unwrap_or_else(|| panic!("seed {seed}: not all were found"))
}

/// The median and the worst over so many seeds.
fn figures(config: &Config, seeds: u64, sizes: (u32, u32), end: End) -> (Duration, Duration) {
    let mut took: Vec<_> = (0..seeds).map(|seed| dead_after(config, seed, sizes, end)).collect();
    took.sort();
    (took[took.len() / 2], took[took.len() - 1])
}

#[test]
fn s5_the_last_of_up_to_five_holds_the_killed_dead_within_twice_the_minimum_and_two_periods() {
    for profile in Profile::ALL {
        let config = Config::preset(profile);
        let bound = config.suspicion_min() * 2 + config.period() * 2;
        for members in 2..=5 {
            let (median, worst) = figures(&config, 60, (members, 1), End::Killed);
            eprintln!("{profile}, all but one of {members}: {median:?}, at most {worst:?}");
            assert!(worst <= bound, "{profile}, {members} members: {worst:?}, {bound:?} allowed");
            assert!(median >= config.suspicion_min() * 2, "{profile}: {median:?} is too soon");
        }
    }
}

#[test]
fn s5_where_hosts_answer_nothing_or_the_rule_is_off_the_last_one_may_be_isolated() {
    let config = Config::preset(Profile::Lan);
    let without = Config::builder(Profile::Lan).refusals(false).build().unwrap();
    for members in [3, 4] {
        for (config, end) in [(&config, End::Crashed), (&without, End::Killed)] {
            let (median, worst) = figures(config, 20, (members, 1), end);
            eprintln!("{end:?}, all but one of {members}: {median:?}, at most {worst:?}");
            assert!(median > config.isolation_hold(), "{end:?}: {median:?}");
        }
    }
}

#[test]
fn s3_where_many_are_killed_the_rest_finds_them_no_later_than_where_their_hosts_are_gone() {
    let config = Config::preset(Profile::Lan);
    for sizes in [(5, 2), (8, 2), (8, 4), (16, 4), (64, 32)] {
        let seeds = if sizes.0 > 16 { 3 } else { 20 };
        let [killed, crashed] =
            [End::Killed, End::Crashed].map(|end| figures(&config, seeds, sizes, end));
        eprintln!("{} of {} live on: {killed:?}, hosts gone: {crashed:?}", sizes.1, sizes.0);
        assert!(killed.0 <= crashed.0, "{killed:?}, {crashed:?}");
    }
}
