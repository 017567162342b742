//! When sentence may be passed: by who is in touch, after asking others, and never for time that a
//! node has lost itself (S5, S8, S9).

#![allow(clippy::unwrap_used)]

mod support;

use support::{Bench, LOCAL, Say, address, datagrams, events, first_ping, ms, pings};
use support::{seconds, short, tiny};
use swim_membership::{Config, EventKind, Profile, Tell, Via};
use swim_proto::{Datagram, State};

/// A bench whose local health never slows it down.
fn steady(members: u8) -> Bench {
    let config = Config::builder(Profile::Lan).health_max(0).build().unwrap();
    let mut bench = Bench::with(config);
    (1..=members).for_each(|n| bench.hear(Say::Alive(n, 1)));
    bench
}

#[test]
fn s5_one_who_hears_from_nobody_holds_nobody_dead_and_says_that_it_is_isolated() {
    let mut bench = steady(8);
    bench.pass_with_acks(seconds(5), &[]);
    let actions = bench.pass(seconds(15));
    let seen = events(&actions);
    assert!(seen.iter().all(|(_, kind)| !matches!(kind, EventKind::Down { .. })), "{seen:?}");
    assert_eq!(seen.iter().filter(|(_, kind)| *kind == EventKind::Isolated).count(), 1);
    assert!(bench.machine.counters().sentences_held > 0);

    let healed = events(&bench.pass_with_acks(seconds(10), &[]));
    assert_eq!(healed.iter().filter(|(_, kind)| *kind == EventKind::Healed).count(), 1);
}

#[test]
fn s5_after_the_hold_it_passes_sentence_all_the_same() {
    let mut bench = Bench::of(8);
    bench.pass_with_acks(seconds(5), &[]);
    bench.pass(seconds(200));
    let dead = (1..=8).filter(|&n| bench.claim(n).is_some_and(|(_, s)| s == State::Dead)).count();
    assert_eq!(dead, 8);
}

#[test]
fn s5_a_held_sentence_is_not_executed_when_touch_returns_but_looked_into() {
    let mut bench = steady(8);
    bench.pass_with_acks(seconds(5), &[]);
    for by in 2..=6 {
        bench.hear(Say::Suspect(1, 1, by));
    }
    let actions = bench.pass(seconds(12));
    assert!(events(&actions).iter().all(|(_, kind)| !matches!(kind, EventKind::Down { .. })));
    bench.pass_with_acks(seconds(3), &[1]);
    assert_eq!(bench.claim(1), Some((1, State::Suspect)), "its time begins anew");
    bench.pass_with_acks(seconds(10), &[1]);
    assert_eq!(bench.claim(1), Some((1, State::Dead)));
}

#[test]
fn s5_where_there_is_no_third_member_the_guard_does_not_apply() {
    let mut bench = Bench::of(1);
    bench.pass_with_acks(seconds(5), &[]);
    bench.pass(seconds(12));
    assert_eq!(bench.claim(1), Some((1, State::Dead)));
}

#[test]
fn s8_one_who_stood_still_accuses_nobody_for_it() {
    let mut bench = Bench::of(8);
    bench.pass_with_acks(seconds(5), &[]);
    bench.hear(Say::Suspect(3, 1, 2));
    bench.pass_with_acks(seconds(1), &[]);
    let (_, seq) = first_ping(&mut bench);
    let late = seconds(30);
    bench.now = bench.machine.deadline() + late;
    assert!(bench.machine.handle_lateness(bench.now, late));
    assert!(!bench.machine.awaits_ack(seq), "probes in flight are void");
    assert!(bench.machine.deadline() <= bench.now + ms(50), "what has waited is taken in first");
    let seen = events(&bench.pass_with_acks(seconds(2), &[]));
    assert!(seen.is_empty(), "{seen:?}");
    assert_eq!(bench.machine.counters().stalls, 1);
}

#[test]
fn s8_a_little_late_is_no_stall_but_what_has_waited_comes_first_once() {
    let mut bench = Bench::of(8);
    assert!(!bench.machine.handle_lateness(bench.now, ms(20)));
    let (_, seq) = first_ping(&mut bench);
    bench.now = bench.now + ms(900);
    assert!(bench.machine.handle_lateness(bench.now, ms(400)));
    assert!(bench.machine.awaits_ack(seq), "its ack may have waited");
    assert_eq!(bench.machine.deadline(), bench.now + ms(20));
    assert!(
        !bench.machine.handle_lateness(bench.now + ms(60), ms(40)),
        "or nothing would ever be due"
    );
    assert_eq!(bench.machine.counters().stalls, 0);

    let config = Config::builder(Profile::Lan).stall_guard(false).build().unwrap();
    let mut without = Bench::with(config);
    assert!(!without.machine.handle_lateness(without.now, seconds(30)));
}

#[test]
fn s5_a_lonely_survivor_of_many_learns_of_their_deaths_when_the_hold_is_over() {
    let mut bench = Bench::of(3);
    bench.pass_with_acks(seconds(5), &[]);
    bench.pass(seconds(22));
    assert!((1..=3).all(|n| bench.claim(n).unwrap().1 != State::Dead), "held for 20 s");
    // Each is given the time of one whom nobody confirms, from when it was asked first.
    bench.pass(seconds(12));
    assert!((1..=3).all(|n| bench.claim(n).unwrap().1 == State::Dead));
}

#[test]
fn s5_who_was_asked_in_vain_is_asked_again_when_the_guard_opens() {
    let mut bench = steady(8);
    bench.pass_with_acks(seconds(5), &[]);
    bench.pass(seconds(8));
    let opens = |bench: &mut Bench| pings(&bench.pass_with_acks(ms(50), &[])).len() > 2;
    assert!((0..200).any(|_| opens(&mut bench)), "several at once");
    bench.pass_with_acks(seconds(1), &[]);
    // Those that were accused before it shut.
    assert!(bench.machine.counters().suspicions_raised <= 2);
    assert!(bench.machine.counters().deaths_declared == 0);
}

#[test]
fn s5_the_end_of_a_silence_is_no_time_to_judge() {
    let mut bench = steady(15);
    bench.pass_with_acks(seconds(5), &[]);
    bench.hear(Say::Suspect(1, 1, 2));
    bench.pass(seconds(30));
    // What others have said meanwhile comes all at once.
    for by in 3..=6 {
        bench.hear(Say::Suspect(1, 1, by));
    }
    bench.receive(9, Datagram::Gossip);
    bench.pass(seconds(15));
    assert_eq!(bench.claim(1), Some((1, State::Suspect)), "the hold has begun anew");
}

#[test]
fn s5_who_hears_from_nobody_takes_nobodys_word_for_a_confirmation() {
    let mut bench = steady(15);
    bench.pass_with_acks(seconds(5), &[]);
    for by in 2..=5 {
        bench.hear(Say::Suspect(1, 1, by));
    }
    bench.receive(9, Datagram::Gossip);
    bench.pass(seconds(26));
    assert_eq!(bench.claim(1), Some((1, State::Suspect)), "after the hold");
    bench.pass(seconds(10));
    assert_eq!(bench.claim(1), Some((1, State::Dead)), "after the maximum");
}

#[test]
fn s5_one_out_of_touch_looks_around_though_it_trusts_itself_little() {
    let mut bench = Bench::of(8);
    bench.pass_with_acks(seconds(5), &[]);
    bench.pass(seconds(10));
    assert!(bench.machine.health() >= 4);
    let before = bench.machine.counters().probes;
    bench.pass(seconds(8));
    assert!(bench.machine.counters().probes - before >= 8, "a turn a period");
}

/// A suspect that four confirm.
fn condemned(bench: &mut Bench) {
    for by in 2..=6 {
        bench.hear(Say::Suspect(1, 1, by));
    }
    bench.drain();
}

#[test]
fn s9_before_a_sentence_others_are_asked_what_they_hold() {
    let mut bench = Bench::of(15);
    condemned(&mut bench);
    bench.pass_with_acks(ms(3_450), &[1]);
    let actions = bench.pass_with_acks(ms(100), &[1]);
    let asked: Vec<_> = datagrams(&actions)
        .into_iter()
        .filter(|(_, message, _)| {
            *message == Datagram::RecordRequest { from: tiny(LOCAL), subject: short(1) }
        })
        .collect();
    assert_eq!(asked.len(), 5);
    assert!(asked.iter().all(|&(to, _, tell)| to != address(1) && tell == Tell::Nothing));
    assert_eq!(bench.machine.counters().inquiries, 1);
    bench.pass_with_acks(ms(500), &[1]);
    assert_eq!(bench.claim(1), Some((1, State::Dead)), "no later than without");
}

#[test]
fn s9_whoever_hears_better_passes_no_sentence() {
    let mut bench = Bench::of(15);
    condemned(&mut bench);
    bench.pass_with_acks(ms(3_600), &[1]);
    assert_eq!(bench.machine.counters().inquiries, 1);
    bench.hear_from(9, Via::Gossip, Say::Alive(1, 2));
    bench.pass_with_acks(seconds(3), &[1]);
    assert_eq!(bench.machine.counters().deaths_declared, 0);
}

#[test]
fn s9_who_is_condemned_late_is_asked_about_all_the_same() {
    let mut bench = Bench::of(15);
    bench.hear(Say::Suspect(1, 1, 2));
    bench.drain();
    bench.pass_with_acks(seconds(6), &[1]);
    condemned(&mut bench);
    bench.pass_with_acks(ms(400), &[1]);
    assert_eq!(bench.claim(1), Some((1, State::Suspect)));
    bench.pass_with_acks(ms(200), &[1]);
    assert_eq!(bench.claim(1), Some((1, State::Dead)));
}

#[test]
fn s9_when_many_die_at_once_most_are_not_asked_about() {
    let config = Config::builder(Profile::Lan).isolation_guard(false).build().unwrap();
    let mut bench = Bench::with(config);
    (1..=99).for_each(|n| bench.hear(Say::Alive(n, 1)));
    for n in 1..=60 {
        (61..=65).for_each(|by| bench.hear(Say::Suspect(n, 1, by)));
    }
    bench.drain();
    let silent: Vec<u8> = (1..=60).collect();
    bench.pass_with_acks(ms(3_600), &silent);
    let counters = bench.machine.counters();
    assert_eq!((counters.inquiries, counters.inquiries_full), (32, 28));
}
