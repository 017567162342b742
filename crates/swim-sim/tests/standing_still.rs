//! The ways in which a member can stand still, and the ticks of gossip.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use swim_sim::{Cluster, HostIx, Options, Seen};
use swimmer::{Config, Profile, State};

/// A node with a thread for each task, as memberlist is, has no guard against its own standstill.
fn plain(profile: Profile) -> Config {
    Config::builder(profile).plain().build().unwrap()
}

fn cluster(config: Config) -> Cluster {
    let mut cluster = Cluster::new(Options::new(3, config));
    cluster.warm(8);
    cluster.run_for(Duration::from_secs(5)).unwrap();
    cluster
}

fn probes(cluster: &Cluster, ix: HostIx) -> u64 {
    cluster.node(ix).unwrap().stats().membership.probes
}

#[test]
fn a_stuck_member_begins_one_probe_and_a_blocked_one_goes_on() {
    for (stuck, expected) in [(true, 1..=1), (false, 3..=9)] {
        let mut cluster = cluster(plain(Profile::Lan));
        let (ix, before) = (HostIx(0), probes(&cluster, HostIx(0)));
        match stuck {
            true => cluster.stick(ix),
            false => cluster.block(ix),
        }
        cluster.run_for(Duration::from_secs(9)).unwrap();
        let begun = probes(&cluster, ix) - before;
        assert!(expected.contains(&begun), "stuck: {stuck}, {begun} probes");
    }
}

#[test]
fn a_stuck_member_accuses_whom_it_was_about_to_probe_when_it_goes_on() {
    let mut cluster = cluster(plain(Profile::Lan));
    cluster.stick(HostIx(0));
    cluster.run_for(Duration::from_secs(3)).unwrap();
    cluster.take_observations();
    cluster.resume(HostIx(0));
    let own = |seen: &swim_sim::Observation| seen.observer == HostIx(0);
    let accused: Vec<_> = cluster
        .take_observations()
        .into_iter()
        .filter(|seen| own(seen) && seen.change == Seen::Suspected)
        .collect();
    assert_eq!(accused.len(), 1);
    let all_agree = Cluster::all_agree;
    let second = Duration::from_secs(1);
    assert!(cluster.run_until_seen(second, second * 60, all_agree).unwrap().is_some());
}

#[test]
fn the_suspicions_of_a_stuck_member_run_out() {
    let mut cluster = cluster(plain(Profile::Fast));
    // It takes the dead for suspect, and is stuck before the time is up.
    cluster.crash(HostIx(7));
    let suspects = |c: &Cluster| c.sees(HostIx(0), HostIx(7)) == Some(State::Suspect);
    let limit = Duration::from_secs(20);
    assert!(cluster.run_until_seen(Duration::from_millis(20), limit, suspects).unwrap().is_some());
    cluster.stick(HostIx(0));
    cluster.run_for(Duration::from_secs(30)).unwrap();
    assert_eq!(cluster.sees(HostIx(0), HostIx(7)), Some(State::Dead));
}

#[test]
fn gossip_waits_for_a_tick_where_it_may_not_go_at_once() {
    for at_once in [true, false] {
        let config = Config::builder(Profile::Lan).gossip_at_once(at_once).build().unwrap();
        let mut cluster = cluster(config);
        let mut late = 0;
        for moment in 0..20 {
            cluster.run_for(Duration::from_millis(5_000 + 37 * moment)).unwrap();
            cluster.reset_traffic();
            let before = cluster.traffic().datagrams;
            cluster.set_metadata(HostIx(1), &[moment as u8]);
            cluster.run_for(Duration::from_micros(100)).unwrap();
            late += u32::from(cluster.traffic().datagrams < before + 3);
        }
        assert!(if at_once { late == 0 } else { late > 15 }, "at once: {at_once}, {late} late");
    }
}
