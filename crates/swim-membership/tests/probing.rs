//! Probes and suspicions: who is asked, what a silence leads to, and what cures it (P1 to P6, S1 to
//! S4, H1).

#![allow(clippy::unwrap_used)]

mod support;

use core::time::Duration;
use std::collections::BTreeSet;

use support::{Bench, LOCAL, Say, accusers, address, datagrams, events, exchanges, first_ping, id};
use support::{ms, pings, record, seconds, short, tiny};
use swim_membership::{Ask, Config, EventKind, Profile, Source, Tell, Via, Who};
use swim_proto::{Datagram, Incarnation, Part, Seq, State, Subject};

#[test]
fn p1_each_member_is_probed_once_a_round_and_a_node_alone_is_not_woken() {
    let mut alone = Bench::new();
    assert!(alone.pass(seconds(600)).is_empty());

    let mut bench = Bench::of(8);
    let probed = pings(&bench.pass_with_acks(seconds(24), &[]));
    assert_eq!(probed.len(), 24, "one a period");
    for round in probed.chunks(8) {
        let different: BTreeSet<_> = round.iter().map(|ping| ping.0).collect();
        assert_eq!(different.len(), 8, "each in its turn");
    }
}

#[test]
fn p1_the_dead_and_the_left_are_not_probed() {
    let mut bench = Bench::of(4);
    bench.bury(3, 1);
    bench.hear(Say::Left(4, 1));
    bench.drain();
    let probed = pings(&bench.pass_with_acks(seconds(20), &[]));
    assert!(probed.iter().all(|&(to, _)| to == address(1) || to == address(2)));
}

#[test]
fn p2_only_the_ack_with_the_number_of_the_probe_ends_it() {
    let mut bench = Bench::of(1);
    let (member, seq) = first_ping(&mut bench);
    for wrong in [Seq(seq.0.wrapping_add(1)), Seq(seq.0.wrapping_sub(1)), Seq(0)] {
        bench.receive(member, Datagram::Ack { seq: wrong, note: None });
    }
    assert_eq!(bench.machine.counters().acks_unexpected, 3);
    bench.pass(ms(1_000));
    assert_eq!(bench.claim(1), Some((1, State::Suspect)));
}

#[test]
fn p2_a_member_that_moved_meanwhile_is_not_accused_for_its_old_address() {
    let mut bench = Bench::of(1);
    assert_eq!(first_ping(&mut bench).0, 1);
    // It is back elsewhere; the ping has gone to where it was.
    let moved = record(50, &[]);
    let part = Part::Alive { id: id(1), incarnation: Incarnation(65), record: moved.as_bytes() };
    let source = Source { address: address(50), via: Via::Gossip };
    bench.machine.handle_part(bench.now, source, &part);
    bench.drain();
    let pings = pings(&bench.pass_with_acks(seconds(5), &[]));
    assert!(pings.iter().all(|(to, _)| *to == address(50)) && !pings.is_empty());
    assert_eq!(bench.claim(1), Some((65, State::Alive)));
    assert_eq!(bench.machine.counters().suspicions_raised, 0);
}

#[test]
fn p2_a_late_ack_does_not_satisfy_a_newer_probe() {
    let mut bench = Bench::of(1);
    let (_, old) = first_ping(&mut bench);
    let newer = pings(&bench.pass(seconds(2)));
    assert!(!newer.is_empty());
    let before = bench.machine.counters().acks_unexpected;
    bench.receive(1, Datagram::Ack { seq: old, note: None });
    assert_eq!(bench.machine.counters().acks_unexpected, before + 1);
}

#[test]
fn p2_probe_numbers_start_at_random() {
    let starts: BTreeSet<u32> = (0..5)
        .map(|seed| {
            let record = support::record(LOCAL, &[]);
            let config = Config::preset(Profile::Lan);
            let now = swim_membership::Instant::ZERO;
            let machine = swim_membership::Membership::new(
                config,
                id(LOCAL),
                record,
                support::tag(),
                seed,
                now,
            );
            let mut bench = Bench { machine, now };
            bench.hear(Say::Alive(1, 1));
            first_ping(&mut bench).1.0
        })
        .collect();
    assert_eq!(starts.len(), 5);
}

#[test]
fn p3_a_ping_says_what_is_held_of_its_target_and_learns_better_from_it() {
    let mut bench = Bench::of(1);
    bench.hear(Say::Suspect(1, 1, 9));
    let actions = bench.pass(seconds(1));
    let held = datagrams(&actions).into_iter().find_map(|(_, message, _)| match message {
        Datagram::Ping { held, .. } => Some(held),
        _ => None,
    });
    let held = held.unwrap();
    assert_eq!((held.claim.incarnation.0, held.claim.state), (1, State::Suspect));
    let record = bench.machine.view(bench.ix(1).unwrap()).record;
    assert_eq!(held.record, record.hash() as u16);
}

#[test]
fn p3_one_who_is_pinged_as_suspect_refutes_in_the_ack() {
    let mut bench = Bench::of(1);
    bench.receive_ping(1, 1, State::Suspect);
    assert_eq!(bench.own_incarnation(), 2);
    let sent = datagrams(&bench.drain());
    assert_eq!(
        sent,
        [(address(1), Datagram::Ack { seq: Seq(77), note: None }, Tell::First(Who::Local))]
    );
}

#[test]
fn p3_one_who_restarted_with_a_low_number_rises_above_what_is_held_of_it() {
    let mut bench = Bench::of(1);
    bench.receive_ping(1, 41, State::Alive);
    assert_eq!(bench.own_incarnation(), 42);
}

#[test]
fn p3_a_ping_for_another_id_is_not_answered() {
    let mut bench = Bench::of(1);
    let held = swim_proto::Held {
        claim: swim_proto::Claim::new(swim_proto::Incarnation(1), State::Alive),
        record: 0,
    };
    let (target, from) = (tiny(99), tiny(1));
    bench.receive(1, Datagram::Ping { seq: Seq(1), target, from, held, note: None });
    assert!(bench.drain().is_empty());
    assert_eq!(bench.machine.counters().pings_misdirected, 1);
    assert!(!bench.machine.handle_ping_request(bench.now, target, held));
}

#[test]
fn p3_a_stranger_gets_a_bare_ack() {
    let mut bench = Bench::of(1);
    bench.receive_ping(9, 1, State::Alive);
    let sent = datagrams(&bench.drain());
    assert_eq!(sent, [(address(9), Datagram::Ack { seq: Seq(77), note: None }, Tell::Nothing)]);
}

#[test]
fn p4_after_the_time_out_relays_and_the_reliable_plane_are_asked_at_once() {
    let mut bench = Bench::of(6);
    let (silent, seq) = first_ping(&mut bench);
    let actions = bench.pass(ms(500));
    let asked: BTreeSet<_> = datagrams(&actions)
        .into_iter()
        .filter_map(|(to, message, _)| match message {
            Datagram::PingReq { seq: of, target, .. } if of == seq => {
                assert_eq!(target, short(silent));
                Some(to)
            }
            _ => None,
        })
        .collect();
    assert_eq!(asked.len(), 3, "three different relays");
    assert!(!asked.contains(&address(silent)));
    let asks = exchanges(&actions);
    assert!(
        matches!(asks[..], [(to, Ask::Ping { seq: of, .. })] if to == address(silent) && of == seq)
    );
    assert_eq!(bench.claim(silent), Some((1, State::Alive)), "it has the rest of the period");
}

#[test]
fn p4_an_ack_by_a_relay_saves_the_member() {
    let mut bench = Bench::of(6);
    let (silent, seq) = first_ping(&mut bench);
    bench.pass(ms(600));
    let relay = if silent == 1 { 2 } else { 1 };
    bench.receive(relay, Datagram::Ack { seq, note: None });
    bench.pass(ms(450));
    assert_eq!(bench.claim(silent), Some((1, State::Alive)));
    assert_eq!(bench.machine.counters().probes_failed, 0);
}

#[test]
fn p5_a_relay_pings_for_a_member_and_hands_its_ack_back() {
    let mut bench = Bench::of(3);
    bench.receive(1, Datagram::PingReq { seq: Seq(5), from: tiny(1), target: short(2) });
    let (to, seq) = pings(&bench.drain())[0];
    assert_eq!(to, address(2));
    assert_ne!(seq, Seq(5), "the relay has numbers of its own");
    bench.receive(2, Datagram::Ack { seq, note: None });
    let sent = datagrams(&bench.drain());
    assert_eq!(sent, [(address(1), Datagram::Ack { seq: Seq(5), note: None }, Tell::Nothing)]);
    bench.receive(2, Datagram::Ack { seq, note: None });
    assert!(bench.drain().is_empty(), "once");
}

#[test]
fn p5_a_relay_hands_an_ack_back_though_it_holds_the_target_dead() {
    let mut bench = Bench::of(3);
    bench.bury(2, 1);
    bench.drain();
    bench.receive(1, Datagram::PingReq { seq: Seq(5), from: tiny(1), target: short(2) });
    let (_, seq) = pings(&bench.drain())[0];
    bench.receive(2, Datagram::Ack { seq, note: None });
    let sent = datagrams(&bench.drain());
    assert_eq!(sent[0].1, Datagram::Ack { seq: Seq(5), note: None });
}

#[test]
fn p5_a_relay_without_an_answer_says_nack_before_the_asker_gives_up() {
    let mut bench = Bench::of(3);
    bench.receive(1, Datagram::PingReq { seq: Seq(5), from: tiny(1), target: short(2) });
    bench.drain();
    let sent = datagrams(&bench.pass(ms(450)));
    assert!(sent.contains(&(address(1), Datagram::Nack { seq: Seq(5) }, Tell::Nothing)));
}

#[test]
fn p5_only_members_are_helped_and_only_so_many_at_once() {
    let mut bench = Bench::of(3);
    bench.receive(9, Datagram::PingReq { seq: Seq(5), from: tiny(9), target: short(2) });
    assert!(bench.drain().is_empty(), "a stranger");
    for seq in 0..200 {
        bench.receive(1, Datagram::PingReq { seq: Seq(seq), from: tiny(1), target: short(2) });
    }
    assert_eq!(pings(&bench.drain()).len(), 128);
    assert_eq!(bench.machine.counters().relays_full, 72);
}

#[test]
fn p5_a_relay_that_does_not_know_the_target_says_so_at_once() {
    let mut bench = Bench::of(1);
    bench.receive(1, Datagram::PingReq { seq: Seq(5), from: tiny(1), target: short(9) });
    let sent = datagrams(&bench.drain());
    assert_eq!(sent, [(address(1), Datagram::Nack { seq: Seq(5) }, Tell::Nothing)]);
}

#[test]
fn p6_an_ack_over_the_reliable_plane_saves_the_member() {
    let mut bench = Bench::of(1);
    let (member, seq) = first_ping(&mut bench);
    bench.pass(ms(600));
    bench.machine.handle_reliable_ack(bench.now, seq);
    bench.pass(ms(450));
    assert_eq!(bench.claim(member), Some((1, State::Alive)));
}

#[test]
fn p6_a_ping_over_the_reliable_plane_ends_with_its_probe() {
    let mut bench = Bench::of(1);
    first_ping(&mut bench);
    let began = bench.now;
    let asks = exchanges(&bench.pass(ms(600)));
    let Ask::Ping { until, .. } = asks[0].1 else { panic!("a ping was asked for") };
    assert!(until > began && until <= began + seconds(1));
}

#[test]
fn s1_a_probe_without_any_answer_raises_a_suspicion_that_is_told() {
    let mut bench = Bench::of(1);
    let (member, _) = first_ping(&mut bench);
    let actions = bench.pass(seconds(1));
    assert_eq!(bench.claim(member), Some((1, State::Suspect)));
    assert_eq!(events(&actions), [(id(1), EventKind::Suspected)]);
    let part = bench.machine.part(Who::Member(bench.ix(1).unwrap()));
    let Some(swim_proto::Part::Suspect { accusers: by, .. }) = part else { panic!("{part:?}") };
    assert_eq!(by, accusers(&[LOCAL]));
}

#[test]
fn s2_a_refutation_ends_a_suspicion() {
    let mut bench = Bench::of(1);
    bench.hear(Say::Suspect(1, 1, 9));
    bench.pass_with_acks(Duration::ZERO, &[]);
    bench.hear(Say::Alive(1, 2));
    assert_eq!(events(&bench.drain()), [(id(1), EventKind::Up)]);
    assert_eq!(bench.machine.suspicions(), 0);
    assert!(events(&bench.pass_with_acks(seconds(60), &[])).is_empty());
}

/// How long after a suspicion with so many accusers the member is declared dead among 16.
fn death_after(accusers: u8) -> Duration {
    let mut bench = Bench::of(15);
    let started = bench.now;
    for by in 0..accusers {
        bench.hear(Say::Suspect(15, 1, by + 1));
    }
    loop {
        bench.pass_with_acks(ms(100), &[]);
        if bench.claim(15) == Some((1, State::Dead)) {
            return bench.now - started;
        }
        assert!(bench.now - started < seconds(60));
    }
}

#[test]
fn s3_each_independent_accuser_brings_the_death_nearer_down_to_the_minimum() {
    // The maximum is 24 s times log10 of 16, which is 1.204.
    let after: Vec<_> = (1..=6).map(|n| death_after(n).as_millis()).collect();
    assert_eq!(after[0], 28_900);
    assert!(after.windows(2).all(|pair| pair[1] <= pair[0]));
    assert_eq!(after[4..], [4_000, 4_000], "four confirmations are the most that count");
}

#[test]
fn s3_the_same_accuser_again_and_again_confirms_nothing() {
    let mut bench = Bench::of(15);
    let started = bench.now;
    for _ in 0..10 {
        bench.hear(Say::Suspect(15, 1, 1));
    }
    bench.pass_with_acks(seconds(20), &[]);
    assert_eq!(bench.claim(15), Some((1, State::Suspect)), "{:?}", bench.now - started);
}

#[test]
fn s3_a_confirmation_is_told_on_and_a_repetition_is_not() {
    let mut bench = Bench::of(5);
    bench.hear(Say::Suspect(2, 1, 1));
    bench.drain();
    bench.hear(Say::Suspect(2, 1, 3));
    assert_eq!(support::told(&bench.drain()), [Who::Member(bench.ix(2).unwrap())]);
    bench.hear(Say::Suspect(2, 1, 3));
    assert!(bench.drain().is_empty());
}

#[test]
fn s4_a_suspect_that_does_not_refute_is_dead_and_its_death_names_its_accusers() {
    let mut bench = Bench::of(5);
    bench.hear(Say::Suspect(2, 1, 1));
    bench.hear(Say::Suspect(2, 1, 3));
    bench.pass_with_acks(Duration::ZERO, &[]);
    let actions = bench.pass_with_acks(seconds(30), &[]);
    let [(who, EventKind::Down(death))] = events(&actions)[..] else { panic!("one death") };
    assert_eq!((who, death.own), (id(2), true));
    assert_eq!(death.accusers, accusers(&[1, 3]));
    let ix = bench.ix(2).unwrap();
    assert_eq!(bench.machine.death(ix), Some(death), "it is remembered with the tombstone");
    assert_eq!(bench.machine.counters().deaths_declared, 1);
}

#[test]
fn h1_without_nacks_a_failed_probe_speaks_against_oneself() {
    let mut bench = Bench::of(6);
    first_ping(&mut bench);
    bench.pass(seconds(1));
    assert_eq!(bench.machine.health(), 1, "all relays were silent too");
}

#[test]
fn h1_with_all_nacks_a_failed_probe_does_not_speak_against_oneself() {
    let mut bench = Bench::of(6);
    let (_, seq) = first_ping(&mut bench);
    let actions = bench.pass(ms(500));
    for (to, message, _) in datagrams(&actions) {
        if let Datagram::PingReq { .. } = message {
            let relay = (1..=6).find(|&n| address(n) == to).unwrap();
            bench.receive(relay, Datagram::Nack { seq });
        }
    }
    bench.pass(ms(500));
    assert_eq!(bench.machine.counters().probes_failed, 1);
    assert_eq!(bench.machine.health(), 0);
}

#[test]
fn h1_a_failed_probe_worsens_the_health_by_one_at_most_and_success_mends_it() {
    let mut bench = Bench::of(6);
    bench.pass(seconds(2));
    let worst = bench.machine.health();
    assert!(worst <= 2, "one a failed probe: {worst}");
    bench.pass_with_acks(seconds(60), &[]);
    assert_eq!(bench.machine.health(), 0);
}

#[test]
fn s3_one_whom_a_sick_node_alone_accuses_has_its_time_to_refute() {
    let mut bench = Bench::of(1);
    // Its refutations have worn it out: its probes take longer than the suspicion of one whom
    // nobody else can ask.
    for _ in 0..8 {
        bench.hear(Say::Suspect(LOCAL, bench.own_incarnation(), 1));
        bench.pass_with_acks(seconds(1), &[1]);
    }
    assert_eq!(bench.machine.health(), 8);
    bench.hear(Say::Alive(1, 2));
    let (mut suspected, mut dead) = (None, None);
    for _ in 0..400 {
        for (_, kind) in events(&bench.pass(ms(100))) {
            match kind {
                EventKind::Suspected => suspected = Some(bench.now),
                EventKind::Down(_) => dead = Some(bench.now),
                _ => {}
            }
        }
    }
    // Twice the minimum, less the period that a probe takes of whoever is well.
    let waited = dead.unwrap() - suspected.unwrap();
    assert!(waited >= seconds(7), "it was given {waited:?}");
}

#[test]
fn h1_who_must_refute_trusts_itself_less_and_probes_more_slowly() {
    let config = Config::builder(Profile::Lan).isolation_guard(false).build().unwrap();
    let mut bench = Bench::with(config);
    (1..=6).for_each(|n| bench.hear(Say::Alive(n, 1)));
    bench.hear(Say::Suspect(LOCAL, 1, 2));
    assert_eq!(bench.machine.health(), 1);
    bench.pass(seconds(4));
    assert!(bench.machine.health() >= 2);
    // A success mends it by one; until it is well the turns are every third, then every second.
    let before = bench.machine.counters().probes;
    bench.pass_with_acks(seconds(6), &[]);
    let slowed = bench.machine.counters().probes - before;
    assert!(slowed <= 5, "turns are left out: {slowed}");
}

#[test]
fn probes_in_flight_are_bounded_and_those_beyond_are_counted() {
    let mut bench = Bench::of(90);
    for n in 2..=90 {
        bench.hear_from(1, Via::Reply(id(1)), Say::Dead(n, 1));
    }
    assert_eq!(pings(&bench.drain()).len(), 64);
    assert_eq!(bench.machine.counters().probes_full, 25);
}

#[test]
fn a_member_is_found_by_its_full_id_too() {
    let mut bench = Bench::of(2);
    let target = Subject::Full(id(2));
    bench.receive(1, Datagram::PingReq { seq: Seq(5), from: tiny(1), target });
    assert_eq!(pings(&bench.drain()).len(), 1);
}

#[test]
fn p1_a_turn_falls_to_each_member_once_in_as_many_periods_as_there_are_others() {
    let mut bench = Bench::of(12);
    bench.pass_with_acks(seconds(3), &[]);
    for _ in 0..3 {
        let probed = pings(&bench.pass_with_acks(seconds(12), &[]));
        let different: BTreeSet<_> = probed.iter().map(|ping| ping.0).collect();
        assert!(probed.len() >= 11 && different.len() >= 11, "{}", different.len());
    }
}

#[test]
fn p1_the_wall_clock_may_jump_and_all_are_probed_all_the_same() {
    let mut bench = Bench::of(6);
    for years in [10_u64, 0, 3] {
        let unix = seconds(years * 31_536_000);
        let clock = swim_membership::Now { monotonic: bench.now, unix };
        bench.machine.handle_clock(clock);
        let probed = pings(&bench.pass_with_acks(seconds(8), &[]));
        assert!(probed.len() >= 6, "{}", probed.len());
    }
}

#[test]
fn p4_the_time_out_follows_the_round_trips_down_to_its_floor() {
    let config = Config::builder(Profile::Lan).adaptive_timeout(true).build().unwrap();
    let mut bench = Bench::with(config);
    (1..=6).for_each(|n| bench.hear(Say::Alive(n, 1)));
    bench.pass_with_acks(seconds(20), &[]);
    let (silent, seq) = first_ping(&mut bench);
    // Three pings, each after the floor of 50 ms, at which the bench looks, too.
    let asked: Vec<_> = datagrams(&bench.pass(ms(160)))
        .into_iter()
        .filter(
            |(_, message, _)| matches!(message, Datagram::PingReq { seq: of, .. } if *of == seq),
        )
        .collect();
    assert_eq!(asked.len(), 3, "relays are asked then");
    assert_eq!(bench.claim(silent), Some((1, State::Alive)));
    bench.pass(ms(250));
    assert_eq!(bench.claim(silent), Some((1, State::Alive)), "not before the base time-out");
    bench.pass(ms(150));
    assert_eq!(bench.claim(silent), Some((1, State::Suspect)));
}

#[test]
fn p4_without_it_the_base_time_out_and_the_whole_period_are_waited_for() {
    let mut bench = Bench::new();
    (1..=6).for_each(|n| bench.hear(Say::Alive(n, 1)));
    bench.pass_with_acks(seconds(20), &[]);
    let (silent, _) = first_ping(&mut bench);
    bench.pass(ms(900));
    assert_eq!(bench.claim(silent), Some((1, State::Alive)));
    bench.pass(ms(150));
    assert_eq!(bench.claim(silent), Some((1, State::Suspect)));
}

#[test]
fn s7_a_new_suspicion_is_looked_into_and_an_old_one_is_not() {
    let mut bench = Bench::of(5);
    bench.hear(Say::Suspect(2, 1, 3));
    assert_eq!(pings(&bench.drain()).len(), 1, "of five all look");
    bench.hear(Say::Suspect(2, 1, 4));
    assert!(pings(&bench.drain()).is_empty());
    assert_eq!(bench.machine.counters().corroborations, 1);
}

#[test]
fn s7_eight_of_many_look() {
    let mut bench = Bench::of(99);
    let looked = (1..=99).filter(|&n| {
        bench.hear(Say::Suspect(n, 1, 100 - n));
        let looks = !pings(&bench.drain()).is_empty();
        bench.hear(Say::Alive(n, 2));
        bench.drain();
        looks
    });
    // Eight of 100 look at each suspect, so that this node looks at about eight of its 99.
    let looked = looked.count();
    assert!((6..=10).contains(&looked), "{looked}");
}

#[test]
fn s7_who_looks_and_hears_nothing_confirms() {
    let mut bench = Bench::of(5);
    bench.hear(Say::Suspect(2, 1, 3));
    bench.pass_with_acks(ms(1_100), &[2]);
    let part = bench.machine.part(Who::Member(bench.ix(2).unwrap()));
    let Some(swim_proto::Part::Suspect { accusers: by, .. }) = part else { panic!("{part:?}") };
    assert_eq!(by, accusers(&[3, LOCAL]));
}

#[test]
fn s7_a_look_ends_when_the_suspect_refutes() {
    let mut bench = Bench::of(5);
    bench.hear(Say::Suspect(2, 1, 3));
    let [(_, seq)] = pings(&bench.drain())[..] else { panic!("it looks") };
    assert!(bench.machine.awaits_ack(seq));
    bench.hear(Say::Alive(2, 2));
    assert!(!bench.machine.awaits_ack(seq));
    bench.pass_with_acks(ms(1_050), &[2]);
    assert_eq!(bench.claim(2), Some((2, State::Alive)));
}

#[test]
fn s3_accusers_that_are_not_held_alive_do_not_count() {
    let mut bench = Bench::of(15);
    bench.hear(Say::Suspect(15, 1, 1));
    bench.hear(Say::Dead(2, 1));
    for by in [2, 15, LOCAL, 200] {
        bench.hear(Say::Suspect(15, 1, by));
    }
    bench.pass_with_acks(seconds(20), &[]);
    assert_eq!(bench.claim(15), Some((1, State::Suspect)), "one accuser waits long");
}
