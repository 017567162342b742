//! Many members leave within a second, and end: those that stay hold all of them left, suspect none and
//! feel alone never (L1, L2). `SEEDS=1000` for more.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use swim_sim::{Cluster, HostIx, Options, Seen};
use swimmer::{Config, Profile, State};

/// How many seeds a test plays.
fn seeds() -> u64 {
    std::env::var("SEEDS").map_or(20, |seeds| seeds.parse().unwrap())
}

/// What those that stayed have seen, in words; nothing if all was as it should be.
fn leave_at_once(seed: u64, members: u32, stay: u32, loss: u32) -> Result<Vec<u32>, String> {
    let mut options = Options::new(seed, Config::preset(Profile::Lan));
    options.network.loss = loss * 10;
    let mut cluster = Cluster::new(options);
    cluster.warm(members);
    cluster.run_for(Duration::from_secs(5)).unwrap();
    cluster.take_observations();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut moments: Vec<(u64, u32)> =
        (stay..members).map(|host| (rng.random_range(0..1_000), host)).collect();
    moments.sort_unstable();
    let mut acknowledged = Vec::new();
    let mut isolated = false;
    for ms in 0..45_000 {
        while moments.first().is_some_and(|&(at, _)| at <= ms) {
            cluster.leave(HostIx(moments.remove(0).1));
        }
        cluster.run_for(Duration::from_millis(1)).map_err(|wrong| wrong.to_string())?;
        for gone in cluster.take_gone() {
            // The process of an agent ends with its leave; its host stays up.
            acknowledged.push(gone.acknowledged);
            cluster.kill(gone.host);
        }
        isolated |= (0..stay).any(|host| cluster.node(HostIx(host)).unwrap().is_isolated());
    }
    if isolated {
        return Err("one that stayed was isolated".into());
    }
    for seen in cluster.take_observations() {
        if seen.observer.0 < stay && matches!(seen.change, Seen::Suspected | Seen::Down { .. }) {
            let (at, observer) = (seen.at, seen.observer);
            return Err(format!("at {at:?} {observer} sees {} {}", seen.subject, seen.change));
        }
    }
    for subject in (stay..members).map(HostIx) {
        for observer in (0..stay).map(HostIx) {
            let held = cluster.sees(observer, subject);
            if held != Some(State::Left) {
                return Err(format!("{observer} holds {subject} {held:?}"));
            }
        }
    }
    Ok(acknowledged)
}

fn all_are_held_left(members: u32, stay: u32) {
    for loss in [0, 10, 20] {
        let (mut wrong, mut unknown) = (Vec::new(), 0);
        for seed in 0..seeds() {
            match leave_at_once(seed, members, stay, loss) {
                Ok(acknowledged) => {
                    unknown += acknowledged.iter().filter(|&&lasting| lasting == 0).count();
                }
                Err(what) => wrong.push((seed, what)),
            }
        }
        eprintln!(
            "{stay} of {members} stay, {loss} % loss: {} of {} wrong, {unknown} leaves without an \
             acknowledgement; {:?}",
            wrong.len(),
            seeds(),
            wrong.iter().take(5).collect::<Vec<_>>()
        );
        assert!(wrong.is_empty());
    }
}

#[test]
fn l2_twenty_of_twenty_one_leave_at_once() {
    all_are_held_left(21, 1);
}

#[test]
fn l2_ninety_nine_of_a_hundred_leave_at_once() {
    all_are_held_left(100, 1);
}

#[test]
fn l2_most_of_a_few_leave_at_once() {
    all_are_held_left(5, 2);
    all_are_held_left(3, 1);
}
