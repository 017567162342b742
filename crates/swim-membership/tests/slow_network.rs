//! What a node tells its user about round trips that are too long for its configuration (P4).

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::VecDeque;
use std::time::Duration;

use support::{Bench, address, ms, pings, seconds};
use swim_membership::Action;
use swim_proto::Datagram;

/// Lets time pass while each member answers a ping after its time. Returns the round trips that the
/// user is told of.
fn told(
    bench: &mut Bench,
    duration: Duration,
    answers_after: impl Fn(u8) -> Duration,
) -> Vec<Duration> {
    let (end, mut open, mut told) = (bench.now + duration, VecDeque::new(), Vec::new());
    while bench.now < end {
        let actions = bench.pass(ms(50));
        for (to, seq) in pings(&actions) {
            let member = (1..=20).find(|&n| address(n) == to).unwrap();
            open.push_back((bench.now + answers_after(member), member, seq));
        }
        for (at, member, seq) in std::mem::take(&mut open) {
            if at <= bench.now {
                bench.receive(member, Datagram::Ack { seq, note: None });
            } else {
                open.push_back((at, member, seq));
            }
        }
        told.extend(actions.iter().filter_map(|action| match *action {
            Action::SlowNetwork { round_trip } => Some(round_trip),
            _ => None,
        }));
    }
    told
}

#[test]
fn p4_round_trips_that_are_too_long_are_told_once() {
    let mut bench = Bench::of(8);
    let told = told(&mut bench, seconds(120), |_| ms(1_200));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!((ms(1_100)..=ms(1_300)).contains(&told[0]), "{told:?}");
}

#[test]
fn p4_slow_members_that_are_fewer_than_half_are_not_told() {
    let mut bench = Bench::of(9);
    let answers_after = |member| if member <= 4 { ms(1_200) } else { ms(20) };
    assert_eq!(told(&mut bench, seconds(120), answers_after), []);
}

#[test]
fn p4_round_trips_that_fit_the_base_time_out_are_not_told() {
    let mut bench = Bench::of(8);
    assert_eq!(told(&mut bench, seconds(60), |_| ms(350)), []);
}

#[test]
fn p4_round_trips_that_are_long_again_after_a_fine_time_are_told_again() {
    let mut bench = Bench::of(8);
    assert_eq!(told(&mut bench, seconds(60), |_| ms(1_200)).len(), 1);
    assert_eq!(told(&mut bench, seconds(90), |_| ms(20)), []);
    assert_eq!(told(&mut bench, seconds(60), |_| ms(1_200)).len(), 1);
}
