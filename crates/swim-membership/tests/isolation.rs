//! When a node may declare dead: while it hears from others, after asking others, and never before it
//! has taken in what has waited (S5, S8, S9).

#![allow(clippy::unwrap_used)]

mod support;

use support::{Bench, LOCAL, Say, address, datagrams, events, first_ping, id, ms};
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
fn s5_a_node_that_hears_from_nobody_declares_nobody_dead_and_reports_that_it_is_isolated() {
    let mut bench = steady(8);
    bench.pass_with_acks(seconds(5), &[]);
    let actions = bench.pass(seconds(15));
    let seen = events(&actions);
    assert!(seen.iter().all(|(_, kind)| !matches!(kind, EventKind::Down(_))), "{seen:?}");
    assert_eq!(seen.iter().filter(|(_, kind)| *kind == EventKind::Isolated).count(), 1);
    assert!(bench.machine.counters().sentences_held > 0);

    let healed = events(&bench.pass_with_acks(seconds(10), &[]));
    assert_eq!(healed.iter().filter(|(_, kind)| *kind == EventKind::Healed).count(), 1);
}

#[test]
fn s5_after_the_hold_an_isolated_node_declares_dead_all_the_same() {
    let mut bench = Bench::of(8);
    bench.pass_with_acks(seconds(5), &[]);
    bench.pass(seconds(200));
    let dead = (1..=8).filter(|&n| bench.claim(n).is_some_and(|(_, s)| s == State::Dead)).count();
    assert_eq!(dead, 8);
}

#[test]
fn s5_a_deferred_death_is_declared_when_the_isolation_ends() {
    let mut bench = steady(8);
    bench.pass_with_acks(seconds(5), &[]);
    for by in 2..=6 {
        bench.hear(Say::Suspect(1, 1, by));
    }
    let actions = bench.pass(seconds(12));
    assert!(events(&actions).iter().all(|(_, kind)| !matches!(kind, EventKind::Down(_))));
    assert_eq!(bench.claim(1), Some((1, State::Suspect)));
    bench.pass_with_acks(seconds(10), &[1]);
    assert_eq!(bench.claim(1), Some((1, State::Dead)));
}

#[test]
fn s5_where_there_is_no_third_member_a_node_is_never_isolated() {
    let mut bench = Bench::of(1);
    bench.pass_with_acks(seconds(5), &[]);
    bench.pass(seconds(12));
    assert_eq!(bench.claim(1), Some((1, State::Dead)));
}

#[test]
fn s5_among_few_members_a_slow_one_does_not_make_a_node_isolated() {
    let mut bench = steady(3);
    bench.pass_with_acks(seconds(5), &[]);
    // One of three is down, and one of the two that are left answers too late.
    bench.pass_with_acks(seconds(4), &[1, 2]);
    assert_eq!(bench.claim(1), Some((1, State::Suspect)));
    bench.hear(Say::Suspect(1, 1, 3));
    bench.pass_with_acks(seconds(4), &[1, 2]);
    assert_eq!(bench.claim(1), Some((1, State::Dead)));
    assert_eq!(bench.machine.counters().sentences_held, 0);
}

#[test]
fn s8_a_node_that_was_stopped_takes_in_what_has_waited_before_it_accuses() {
    let mut bench = Bench::of(8);
    bench.pass_with_acks(seconds(5), &[]);
    let (target, seq) = first_ping(&mut bench);
    let late = seconds(30);
    bench.now = bench.machine.deadline() + late;
    assert!(bench.machine.handle_lateness(bench.now, late));
    assert!(bench.machine.deadline() <= bench.now + ms(50), "what has waited is taken in first");
    assert_eq!(bench.machine.counters().stalls, 1);
    bench.receive(target, Datagram::Ack { seq, note: None });
    let seen = events(&bench.pass_with_acks(seconds(2), &[]));
    assert!(seen.is_empty(), "{seen:?}");
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
fn s5_when_the_isolation_ends_nobody_is_accused_for_it() {
    let mut bench = steady(8);
    bench.pass_with_acks(seconds(5), &[]);
    bench.pass(seconds(8));
    bench.pass_with_acks(seconds(12), &[]);
    // The two that were accused before two of four turns had failed.
    assert!(bench.machine.counters().suspicions_raised <= 2);
    assert!(bench.machine.counters().deaths_declared == 0);
}

#[test]
fn s5_at_the_end_of_a_silence_the_hold_begins_anew() {
    let mut bench = steady(15);
    bench.pass_with_acks(seconds(5), &[]);
    bench.hear(Say::Suspect(1, 1, 2));
    bench.pass(seconds(30));
    // What others have sent meanwhile comes all at once.
    for by in 3..=6 {
        bench.hear(Say::Suspect(1, 1, by));
    }
    bench.receive(9, Datagram::Gossip);
    bench.pass(seconds(15));
    assert_eq!(bench.claim(1), Some((1, State::Suspect)), "the hold has begun anew");
}

#[test]
fn s5_a_node_that_hears_nothing_counts_no_confirmations() {
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
fn s5_a_node_that_nobody_answers_leaves_no_turns_out() {
    let mut bench = Bench::of(8);
    bench.pass_with_acks(seconds(5), &[]);
    bench.pass(seconds(10));
    assert!(bench.machine.health() >= 4);
    let before = bench.machine.counters().probes;
    bench.pass(seconds(8));
    assert!(bench.machine.counters().probes - before >= 8, "a turn a period");
}

/// A suspect that four confirm.
fn confirmed(bench: &mut Bench) {
    for by in 2..=6 {
        bench.hear(Say::Suspect(1, 1, by));
    }
    bench.drain();
}

#[test]
fn s9_before_a_death_others_are_asked_what_they_hold() {
    let mut bench = Bench::of(15);
    confirmed(&mut bench);
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
fn s9_a_refutation_in_the_answer_ends_the_suspicion() {
    let mut bench = Bench::of(15);
    confirmed(&mut bench);
    bench.pass_with_acks(ms(3_600), &[1]);
    assert_eq!(bench.machine.counters().inquiries, 1);
    bench.hear_from(9, Via::Gossip, Say::Alive(1, 2));
    bench.pass_with_acks(seconds(3), &[1]);
    assert_eq!(bench.machine.counters().deaths_declared, 0);
}

#[test]
fn s9_others_are_asked_about_a_suspect_that_is_confirmed_late_too() {
    let mut bench = Bench::of(15);
    bench.hear(Say::Suspect(1, 1, 2));
    bench.drain();
    bench.pass_with_acks(seconds(6), &[1]);
    confirmed(&mut bench);
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

/// The members that are marked as not heard.
fn unheard(bench: &Bench) -> Vec<u8> {
    let is_unheard = |n: &u8| bench.ix(*n).is_some_and(|ix| bench.machine.is_unheard(ix));
    (1..=20).filter(is_unheard).collect()
}

/// A node with eight others that has just reported that it is isolated.
fn isolated() -> Bench {
    let mut bench = steady(8);
    bench.pass_with_acks(seconds(5), &[]);
    assert!(!bench.machine.is_isolated());
    for _ in 0..100 {
        let seen = events(&bench.pass(ms(100)));
        if seen.iter().any(|(_, kind)| *kind == EventKind::Isolated) {
            return bench;
        }
        assert!(!bench.machine.is_isolated() && unheard(&bench).is_empty(), "not told yet");
    }
    panic!("it was not told");
}

#[test]
fn s5_while_a_node_is_isolated_it_knows_which_members_it_has_not_heard() {
    let mut bench = isolated();
    assert!(bench.machine.is_isolated());
    assert_eq!(unheard(&bench), [1, 2, 3, 4, 5, 6, 7, 8]);
    bench.receive_ping(3, 1, State::Alive);
    assert_eq!(unheard(&bench), [1, 2, 4, 5, 6, 7, 8], "it has pinged");
    let (target, seq) = first_ping(&mut bench);
    bench.receive(target, Datagram::Ack { seq, note: None });
    assert!(!unheard(&bench).contains(&target), "it has answered");
    let healed = events(&bench.pass_with_acks(seconds(10), &[]));
    assert!(healed.iter().any(|(_, kind)| *kind == EventKind::Healed));
    assert!(!bench.machine.is_isolated() && unheard(&bench).is_empty());
}

#[test]
fn s5_a_member_that_is_asked_in_vain_is_marked_again() {
    let mut bench = isolated();
    (1..=8).for_each(|n| bench.receive_ping(n, 1, State::Alive));
    assert_eq!(unheard(&bench), []);
    bench.pass(seconds(9));
    assert!(bench.machine.is_isolated());
    assert_eq!(unheard(&bench), [1, 2, 3, 4, 5, 6, 7, 8], "each had its turn");
}

#[test]
fn s5_a_late_answer_counts_as_heard_and_a_comparison_of_tables_does() {
    let mut bench = isolated();
    let (target, seq) = first_ping(&mut bench);
    bench.pass(ms(1_500));
    assert!(!bench.machine.awaits_ack(seq), "the probe has failed");
    bench.receive(target, Datagram::Ack { seq, note: None });
    assert!(!unheard(&bench).contains(&target));
    let other = (1..=8).find(|&n| unheard(&bench).contains(&n)).unwrap();
    bench.machine.handle_compared_with(bench.now, id(other));
    assert!(!unheard(&bench).contains(&other));
}

#[test]
fn s5_a_relay_that_says_nack_is_heard_and_its_target_is_not() {
    let mut bench = isolated();
    let ping_req = |(to, message, _)| match message {
        Datagram::PingReq { seq, target, .. } => Some((to, seq, target)),
        _ => None,
    };
    let asked = (0..40).find_map(|_| datagrams(&bench.pass(ms(50))).into_iter().find_map(ping_req));
    let (to, seq, target) = asked.unwrap();
    let relay = (1..=8).find(|&n| address(n) == to).unwrap();
    let target = (1..=8).find(|&n| short(n) == target).unwrap();
    bench.receive(relay, Datagram::Nack { seq });
    let unheard = unheard(&bench);
    assert!(!unheard.contains(&relay) && unheard.contains(&target), "{unheard:?}");
}

#[test]
fn s5_members_that_are_not_present_any_more_are_not_marked() {
    let mut bench = isolated();
    bench.receive_ping(2, 1, State::Alive);
    bench.hear(Say::Left(1, 1));
    bench.hear(Say::Left(2, 1));
    assert_eq!(unheard(&bench), [3, 4, 5, 6, 7, 8]);
    bench.hear(Say::Alive(2, 2));
    assert!(unheard(&bench).contains(&2), "somebody has said that it is back; it has not spoken");
    bench.machine.leave(bench.now);
    assert!(!bench.machine.is_isolated(), "a node that has left hears nobody on purpose");
}

#[test]
fn s5_what_a_node_sends_to_itself_does_not_begin_the_hold_anew() {
    let mut bench = steady(3);
    bench.pass_with_acks(seconds(5), &[]);
    // Once in five seconds: each would end a silence.
    for _ in 0..12 {
        bench.pass(seconds(5));
        bench.receive(LOCAL, Datagram::Gossip);
    }
    assert!((1..=3).all(|n| bench.claim(n).unwrap().1 == State::Dead));
}
