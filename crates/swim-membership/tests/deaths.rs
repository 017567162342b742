//! How a member came to be held dead: told with its death, and remembered (S4, T1).

#![allow(clippy::unwrap_used)]

mod support;

use core::time::Duration;

use support::{Bench, Say, accusers, events, seconds};
use swim_membership::{Action, Config, Death, EventKind, Now, Profile};

fn death_in(actions: &[Action]) -> Option<Death> {
    events(actions).into_iter().find_map(|(_, kind)| match kind {
        EventKind::Down(death) => Some(death),
        _ => None,
    })
}

fn remembered(bench: &Bench, n: u8) -> Option<Death> {
    bench.machine.death(bench.ix(n)?)
}

#[test]
fn s4_a_death_says_for_how_long_it_was_suspected_and_what_the_clock_showed() {
    let mut bench = Bench::of(5);
    let unix = Duration::from_secs(1_800_000_000);
    bench.machine.handle_clock(Now { monotonic: bench.now, unix });
    let heard_at = bench.now;
    bench.hear(Say::Suspect(2, 1, 1));
    let death = death_in(&bench.pass_with_acks(seconds(60), &[2])).unwrap();
    assert!(death.own);
    let suspected = death.suspected_for.unwrap();
    assert!((seconds(4)..seconds(25)).contains(&suspected), "{suspected:?}");
    assert_eq!(death.at, unix + suspected, "it was suspected from {heard_at} on");
    assert_eq!(remembered(&bench, 2), Some(death));
}

#[test]
fn s4_of_a_death_by_gossip_it_is_known_whether_it_was_suspected_here() {
    let mut bench = Bench::credulous(5);
    bench.hear(Say::Dead(2, 1));
    let death = death_in(&bench.drain()).unwrap();
    assert_eq!((death.own, death.suspected_for, death.health), (false, None, 0));
    assert_eq!(death.accusers, accusers(&[1]));

    bench.hear(Say::Suspect(3, 1, 1));
    bench.pass_with_acks(seconds(2), &[3]);
    bench.hear(Say::Dead(3, 1));
    let death = death_in(&bench.drain()).unwrap();
    assert_eq!((death.own, death.suspected_for), (false, Some(seconds(2))));
}

#[test]
fn t1_a_death_is_remembered_until_the_member_is_back_or_forgotten_and_is_that_by_which_it_died() {
    let config = Config::builder(Profile::Lan).tombstone_age(seconds(600)).build().unwrap();
    let mut bench = Bench::with(config);
    (1..=4).for_each(|n| bench.hear(Say::Alive(n, 1)));
    bench.bury(2, 1);
    bench.bury(3, 1);
    bench.hear(Say::Left(4, 1));
    let death = remembered(&bench, 2).unwrap();
    bench.pass_with_acks(seconds(60), &[]);
    bench.hear(Say::Dead(2, 5));
    assert_eq!(remembered(&bench, 2), Some(death), "that it was dead is no news");

    assert_eq!(remembered(&bench, 4), None, "who has left has not died");
    bench.hear(Say::Dead(4, 7));
    assert_eq!(remembered(&bench, 4), None, "nor when it is said to be dead afterwards");
    bench.hear(Say::Left(3, 1));
    assert_eq!(remembered(&bench, 3), None, "nor who has left after all");
    bench.hear(Say::Alive(2, 6));
    assert_eq!(remembered(&bench, 2), None);
}
