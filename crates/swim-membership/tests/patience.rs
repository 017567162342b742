//! How long a node says that it may be silent, and how long others let it be (S6).

#![allow(clippy::unwrap_used)]

mod support;

use core::time::Duration;

use support::{Bench, LOCAL, Say, address, events, id, ms, record, seconds, tiny, told};
use swim_membership::{Config, Profile, Source, Via, Who};
use swim_proto::{Accusers, Datagram, Incarnation, Part, State};

/// It is woken so much later than it had asked.
fn stall(bench: &mut Bench, late: Duration) {
    bench.now = bench.machine.deadline() + late;
    let _ = bench.machine.handle_lateness(bench.now, late);
}

fn announced(bench: &Bench) -> Duration {
    bench.machine.local_record().patience()
}

/// A bench that has met members 1 to `count`, of which 1 says that it may be silent for so long.
fn bench_with_patience(count: u8, patience: Duration) -> Bench {
    let mut bench = Bench::of(count);
    let record = record(1, &[]).with_patience(patience).unwrap();
    let part = Part::Alive { id: id(1), incarnation: Incarnation(2), record: record.as_bytes() };
    let source = Source { address: address(1), via: Via::Gossip };
    bench.machine.handle_part(bench.now, source, &part);
    assert_eq!(events(&bench.drain()), []);
    bench
}

/// Enough accusers for the minimum.
fn accuse(bench: &mut Bench, n: u8, incarnation: u64) {
    for by in 2..=6 {
        bench.hear(Say::Suspect(n, incarnation, by));
    }
}

#[test]
fn s6_a_node_that_stood_still_announces_it_at_once_and_once() {
    let mut bench = Bench::of(8);
    bench.pass_with_acks(seconds(5), &[]);
    bench.machine.handle_datagram(bench.machine.deadline(), address(1), &Datagram::Gossip);
    stall(&mut bench, seconds(5));
    assert_eq!(announced(&bench), ms(8_500));
    assert_eq!(bench.own_incarnation(), 2, "which refutes all that is said of it by now");
    assert_eq!(told(&bench.drain()), [Who::Local]);
    bench.pass_with_acks(seconds(10), &[]);
    stall(&mut bench, seconds(4));
    assert_eq!((announced(&bench), bench.own_incarnation()), (ms(8_500), 2));
    assert_eq!(bench.machine.counters().patience_changes, 1);
    assert!(events(&bench.drain()).is_empty());
}

#[test]
fn s6_a_node_that_is_late_by_less_than_every_member_may_be_announces_nothing() {
    let mut bench = Bench::of(8);
    for late in [20, 300, 600, 1_000] {
        bench.pass_with_acks(seconds(5), &[]);
        stall(&mut bench, ms(late));
    }
    assert_eq!((announced(&bench), bench.own_incarnation()), (Duration::ZERO, 1));
    assert!(bench.machine.local_record().fields().later.is_empty());
}

#[test]
fn s6_a_pause_is_forgotten_after_an_hour() {
    let mut bench = Bench::of(3);
    bench.pass_with_acks(seconds(5), &[]);
    stall(&mut bench, seconds(5));
    bench.pass_with_acks(seconds(3_590), &[]);
    assert!(announced(&bench) > seconds(5));
    bench.pass_with_acks(seconds(620), &[]);
    assert_eq!((announced(&bench), bench.own_incarnation()), (Duration::ZERO, 3));
    assert!(bench.machine.local_record().fields().later.is_empty());
}

#[test]
fn s6_a_new_record_of_the_application_keeps_the_patience() {
    let mut bench = Bench::of(3);
    stall(&mut bench, seconds(5));
    let before = announced(&bench);
    let fields = bench.machine.local_record().fields();
    let changed = swim_proto::RecordFields { metadata: b"new", ..fields }.build().unwrap();
    bench.machine.set_record(changed);
    assert_eq!(announced(&bench), before);
}

#[test]
fn s6_one_whose_timers_ran_but_that_was_silent_and_is_suspected_announces_that_too() {
    let mut bench = Bench::of(8);
    bench.receive(1, Datagram::Gossip);
    bench.now = bench.now + seconds(4);
    bench.receive(1, Datagram::Gossip);
    assert_eq!(announced(&bench), Duration::ZERO, "perhaps there was nothing to say");
    bench.now = bench.now + seconds(5);
    // The parts of a datagram come before its message.
    bench.hear(Say::Suspect(LOCAL, 1, 2));
    assert_eq!(announced(&bench), ms(8_500));
    assert_eq!(bench.machine.counters().refutations, 1);
}

#[test]
fn s6_a_silence_that_no_patience_bridges_is_not_announced() {
    for (silent, patience) in [(8, 13), (12, 0), (3_600, 0)] {
        let mut bench = Bench::of(8);
        bench.receive(1, Datagram::Gossip);
        bench.now = bench.now + seconds(silent);
        bench.receive(1, Datagram::Gossip);
        bench.hear(Say::Suspect(LOCAL, 1, 2));
        assert_eq!(announced(&bench), seconds(patience));
    }
}

#[test]
fn s6_a_member_is_given_its_patience_to_refute_and_others_the_minimum() {
    for (patience, dead_after) in [(0, 4), (3, 4), (7, 7), (6_553, 12)] {
        let mut bench = bench_with_patience(8, seconds(patience));
        accuse(&mut bench, 1, 2);
        accuse(&mut bench, 7, 1);
        bench.pass_with_acks(ms(4_500), &[1, 7]);
        assert_eq!(bench.claim(7), Some((1, State::Dead)));
        bench.pass_with_acks(ms(dead_after * 1_000).saturating_sub(ms(4_600)), &[1, 7]);
        let suspect = dead_after > 4;
        assert_eq!(bench.claim(1).unwrap().1 == State::Suspect, suspect, "{patience} s");
        bench.pass_with_acks(ms(1_100), &[1, 7]);
        assert_eq!(bench.claim(1), Some((2, State::Dead)), "{patience} s");
    }
}

#[test]
fn m5_a_death_by_gossip_is_believed_after_half_of_the_patience() {
    let mut bench = bench_with_patience(8, seconds(10));
    let dead = |bench: &mut Bench| {
        let subject = support::short(1);
        let accusers: Accusers = [tiny(2), tiny(3)].into_iter().collect();
        let part = Part::Dead { subject, incarnation: Incarnation(2), accusers };
        let source = Source { address: address(2), via: Via::Gossip };
        bench.machine.handle_part(bench.now, source, &part);
        bench.claim(1).unwrap().1 == State::Dead
    };
    bench.hear(Say::Suspect(1, 2, 2));
    bench.pass_with_acks(ms(4_900), &[1]);
    assert!(!dead(&mut bench), "within the minimum of others it would be");
    bench.pass_with_acks(ms(200), &[1]);
    assert!(dead(&mut bench));
}

#[test]
fn s6_what_the_application_expects_stands_in_the_record_from_the_first_word_on() {
    let config = Config::preset(Profile::Lan).with_expected_pause(seconds(5));
    let mut bench = Bench::with(config);
    assert_eq!((announced(&bench), bench.own_incarnation()), (ms(8_500), 1));
    (1..=3).for_each(|n| bench.hear(Say::Alive(n, 1)));
    stall(&mut bench, seconds(2));
    assert_eq!((announced(&bench), bench.own_incarnation()), (ms(8_500), 1));
}

#[test]
fn s6_without_it_nothing_is_announced_and_nothing_is_given() {
    let config = Config::builder(Profile::Lan).patience(false).build().unwrap();
    let mut bench = Bench::with(config);
    (2..=8).for_each(|n| bench.hear(Say::Alive(n, 1)));
    let patient = record(1, &[]).with_patience(seconds(10)).unwrap();
    let part = Part::Alive { id: id(1), incarnation: Incarnation(2), record: patient.as_bytes() };
    let source = Source { address: address(1), via: Via::Gossip };
    bench.machine.handle_part(bench.now, source, &part);
    stall(&mut bench, seconds(5));
    assert_eq!((announced(&bench), bench.own_incarnation()), (Duration::ZERO, 1));
    bench.pass_with_acks(seconds(5), &[]);
    accuse(&mut bench, 1, 2);
    bench.pass_with_acks(ms(4_600), &[1]);
    assert_eq!(bench.claim(1), Some((2, State::Dead)));
}
