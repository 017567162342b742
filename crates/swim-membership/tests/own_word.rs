//! What this node says of itself: refuting, changing, leaving, coming back (R1 to R4, L1, L2), and
//! how it joins, compares and heals (J1, E3 to E5).

#![allow(clippy::unwrap_used)]

mod support;

use core::time::Duration;
use std::collections::BTreeSet;

use support::{
    Bench, LOCAL, Say, address, datagrams, events, exchanges, id, record, seconds, told,
};
use swim_membership::{Action, Ask, EventKind, Source, SyncEnd, Tell, Via, Who};
use swim_proto::{Datagram, Incarnation, Part, State};

fn foreign(bench: &mut Bench, incarnation: u64) {
    let other = record(66, &[]);
    let incarnation = Incarnation(incarnation);
    let part = Part::Alive { id: id(LOCAL), incarnation, record: other.as_bytes() };
    let source = Source { address: address(1), via: Via::Gossip };
    bench.machine.handle_part(bench.now, source, &part);
}

#[test]
fn r1_every_claim_about_oneself_that_is_not_ones_own_word_is_refuted() {
    for say in [
        Say::Suspect(LOCAL, 1, 1),
        Say::Dead(LOCAL, 1),
        Say::Left(LOCAL, 1),
        Say::Alive(LOCAL, 5),
        Say::Dead(LOCAL, 5),
    ] {
        let mut bench = Bench::of(2);
        let heard = match say {
            Say::Alive(_, heard) | Say::Dead(_, heard) | Say::Left(_, heard) => heard,
            Say::Suspect(_, heard, _) => heard,
        };
        bench.hear(say);
        assert_eq!(bench.own_incarnation(), heard + 1, "after {say:?}");
        assert_eq!(told(&bench.drain()), [Who::Local]);
        assert_eq!(bench.machine.counters().refutations, 1);
    }
}

#[test]
fn r1_whoever_accuses_in_a_datagram_hears_of_the_refutation_at_once() {
    let mut bench = Bench::of(2);
    bench.hear(Say::Suspect(LOCAL, 1, 2));
    let answer = (address(1), Datagram::Gossip, Tell::Only(Who::Local));
    assert_eq!(datagrams(&bench.drain()), [answer]);
    bench.hear(Say::Suspect(LOCAL, 1, 2));
    assert!(datagrams(&bench.drain()).is_empty(), "once a period");
}

#[test]
fn r1_an_older_claim_and_ones_own_word_are_not_refuted() {
    let mut bench = Bench::of(2);
    bench.hear(Say::Suspect(LOCAL, 3, 1));
    bench.drain();
    bench.hear(Say::Dead(LOCAL, 3));
    bench.hear(Say::Suspect(LOCAL, 1, 1));
    bench.hear(Say::Alive(LOCAL, 4));
    assert_eq!(bench.own_incarnation(), 4);
}

#[test]
fn r2_accusations_raise_the_incarnation_at_most_once_a_second() {
    let mut bench = Bench::of(2);
    let mut raised = 0;
    for _ in 0..100 {
        let own = bench.own_incarnation();
        bench.hear(Say::Suspect(LOCAL, own, 1));
        bench.pass_with_acks(Duration::from_millis(100), &[]);
        raised += bench.own_incarnation() - own;
    }
    assert!((9..=11).contains(&raised), "in ten seconds: {raised}");
}

#[test]
fn r1_a_number_raised_step_by_step_is_refuted_where_it_is_held() {
    let (jump, reach) = (1 << 16, 1 << 32);
    let mut bench = Bench::of(2);
    bench.hear(Say::Suspect(LOCAL, 3 * jump, 2));
    assert_eq!(bench.own_incarnation(), 1, "a rumour");
    bench.receive_ping(77, 3 * jump, State::Alive);
    assert_eq!(bench.own_incarnation(), 1, "a stranger");
    bench.drain();
    bench.receive_ping(1, 3 * jump, State::Alive);
    assert_eq!(bench.own_incarnation(), 1, "anybody can say so in a member's name");
    assert_eq!(exchanges(&bench.drain()), [(address(1), Ask::Sync)], "it is asked");
    bench.hear_from(1, Via::Request(id(1)), Say::Alive(LOCAL, 3 * jump));
    assert_eq!(bench.own_incarnation(), 1, "and ask");
    bench.hear_from(1, Via::Reply(id(1)), Say::Alive(LOCAL, 3 * jump));
    assert_eq!(bench.own_incarnation(), 3 * jump + 1);
    bench.pass_with_acks(Duration::from_secs(2), &[]);
    bench.hear_from(1, Via::Reply(id(1)), Say::Suspect(LOCAL, 4 * jump + reach, 2));
    assert_eq!(bench.own_incarnation(), 3 * jump + 1, "beyond what a life can see");
}

#[test]
fn r2_a_huge_number_does_not_burn_this_nodes_identity() {
    let jump = 1 << 16;
    let mut bench = Bench::of(2);
    for heard in [u64::MAX, u64::MAX - 1, 2 + jump] {
        bench.hear(Say::Suspect(LOCAL, heard, 1));
        bench.hear(Say::Alive(LOCAL, heard));
    }
    assert_eq!(bench.own_incarnation(), 1);
    bench.hear(Say::Suspect(LOCAL, 1 + jump, 1));
    assert_eq!(bench.own_incarnation(), 2 + jump, "others may have taken a forged word for ours");
}

#[test]
fn r3_a_change_of_the_record_raises_the_incarnation_and_is_told_first() {
    let mut bench = Bench::of(2);
    bench.machine.set_record(record(LOCAL, b"new"));
    assert_eq!(bench.own_incarnation(), 2);
    assert!(matches!(bench.drain()[..], [Action::News { who: Who::Local, urgent: true }]));
    bench.machine.set_record(record(LOCAL, b"new"));
    assert_eq!(bench.own_incarnation(), 2, "the same again is no change");
}

#[test]
fn r4_another_process_with_this_id_is_reported_once_and_does_not_make_a_storm() {
    let mut bench = Bench::of(2);
    let mut conflicts = 0;
    for _ in 0..120 {
        let heard = bench.own_incarnation() + 1;
        foreign(&mut bench, heard);
        let actions = bench.pass_with_acks(seconds(1), &[]);
        conflicts += events(&actions)
            .iter()
            .filter(
                |(_, kind)| matches!(kind, EventKind::Conflict { other } if *other == address(66)),
            )
            .count();
    }
    assert_eq!(conflicts, 1);
    let refutations = bench.machine.counters().refutations;
    assert!((2..=4).contains(&refutations), "in two minutes: {refutations}");
}

#[test]
fn r4_an_earlier_life_at_another_address_is_refuted_and_is_no_conflict() {
    let mut bench = Bench::of(2);
    foreign(&mut bench, 5);
    foreign(&mut bench, 6);
    assert_eq!(bench.own_incarnation(), 6);
    bench.pass_with_acks(seconds(2), &[]);
    assert_eq!(bench.own_incarnation(), 7);
    assert_eq!(bench.machine.counters().conflicts, 0);
}

/// Else two tables could differ for ever: some hold this node's word, others that of its earlier life.
#[test]
fn r1_an_alive_of_oneself_with_other_later_fields_is_refuted_and_r4_is_no_conflict() {
    let mut bench = Bench::of(2);
    let earlier = record(LOCAL, &[]).with_patience(seconds(5)).unwrap();
    for _ in 0..60 {
        let own = bench.own_incarnation();
        let (id, incarnation) = (id(LOCAL), Incarnation(own));
        let part = Part::Alive { id, incarnation, record: earlier.as_bytes() };
        let source = Source { address: address(1), via: Via::Gossip };
        bench.machine.handle_part(bench.now, source, &part);
        assert_eq!(bench.own_incarnation(), own + 1);
        let part =
            Part::Alive { id, incarnation: Incarnation(own + 2), record: earlier.as_bytes() };
        bench.machine.handle_part(bench.now, source, &part);
        bench.pass_with_acks(seconds(2), &[]);
        assert_eq!(bench.own_incarnation(), own + 3);
    }
    assert_eq!(bench.machine.counters().conflicts, 0);
}

#[test]
fn j1_seeds_are_retried_after_longer_and_longer_whiles_until_one_answers() {
    let mut bench = Bench::new();
    bench.machine.join(bench.now, &[address(1), address(LOCAL), address(2), address(1)]);
    let mut tries = Vec::new();
    for second in 0..60 {
        let asks = exchanges(&bench.pass(seconds(1)));
        let to: BTreeSet<_> = asks.iter().map(|(to, _)| *to).collect();
        if !asks.is_empty() {
            assert_eq!(to, [address(1), address(2)].into(), "the own address is ignored");
            assert!(asks.iter().all(|(_, ask)| *ask == Ask::Join));
            tries.push(second);
        }
    }
    assert!((7..=14).contains(&tries.len()), "back-off up to ten seconds: {tries:?}");
    assert!(bench.machine.wants_seeds());
    bench.machine.handle_joined(address(2), false);
    assert!(!bench.machine.wants_seeds());
    let actions = bench.drain();
    assert!(actions.iter().any(|a| matches!(a, Action::Joined { seed } if *seed == address(2))));
    assert_eq!(told(&actions), [Who::Local], "who has joined tells of itself, too");
    let later = exchanges(&bench.pass(seconds(60)));
    assert!(later.iter().all(|(_, ask)| *ask != Ask::Join), "the goal is reached");
}

#[test]
fn j1_a_seed_that_is_this_node_under_another_address_is_forgotten() {
    let mut bench = Bench::new();
    bench.machine.join(bench.now, &[address(7)]);
    bench.pass(Duration::from_millis(1));
    bench.machine.handle_joined(address(7), true);
    assert!(!bench.machine.wants_seeds());
    assert!(exchanges(&bench.pass(seconds(100))).is_empty());
}

#[test]
fn e3_what_an_exchange_says_and_a_tombstone_contradicts_is_told_back() {
    let mut bench = Bench::of(3);
    bench.bury(2, 1);
    bench.drain();
    bench.hear_from(1, Via::Request(id(1)), Say::Alive(2, 1));
    bench.hear_from(1, Via::Request(id(1)), Say::Alive(2, 1));
    let dead = bench.machine.part(Who::Member(bench.ix(2).unwrap()));
    let back: Vec<_> = bench.machine.contradictions().collect();
    assert_eq!(back, [dead.unwrap()]);
    bench.machine.end_contradictions(1);
    assert_eq!(bench.machine.counters().contradictions_full, 0);
    assert!(!bench.machine.has_contradictions());
}

#[test]
fn e3_an_accusation_makes_another_round_only_once_it_is_refuted() {
    let mut bench = Bench::of(2);
    let mut another_round = |say| {
        bench.hear_from(1, Via::Reply(id(1)), say);
        let another = bench.machine.has_contradictions();
        bench.machine.end_contradictions(0);
        another
    };
    assert!(another_round(Say::Dead(LOCAL, 1)), "refuted at once");
    assert!(another_round(Say::Dead(LOCAL, 1)), "an older word");
    assert!(!another_round(Say::Dead(LOCAL, 5)), "refuted a second later");
    assert!(!another_round(Say::Alive(LOCAL, 1 << 40)), "never refuted");
}

/// Of two records of one incarnation the one with the larger hash is kept, so both orders count.
#[test]
fn e3_a_dead_member_that_restarts_elsewhere_learns_at_its_join_that_it_is_held_dead() {
    for (before, after) in [(2, 50), (50, 2)] {
        let mut bench = Bench::of(1);
        let alive = |record: &[u8], bench: &mut Bench, via| {
            let part = Part::Alive { id: id(2), incarnation: Incarnation(1), record };
            let source = Source { address: address(after), via };
            bench.machine.handle_part(bench.now, source, &part);
        };
        alive(record(before, &[]).as_bytes(), &mut bench, Via::Gossip);
        bench.bury(2, 1);
        alive(record(after, &[]).as_bytes(), &mut bench, Via::Reply(id(2)));
        assert!(bench.machine.has_contradictions(), "restarted at {after}");
        assert_eq!(bench.claim(2), Some((1, State::Dead)));
    }
}

#[test]
fn e4_tables_are_compared_with_a_random_member_each_interval() {
    let mut bench = Bench::of(5);
    let asks = exchanges(&bench.pass_with_acks(seconds(301), &[]));
    let syncs: Vec<_> = asks.iter().filter(|(_, ask)| *ask == Ask::Sync).collect();
    assert!((9..=11).contains(&syncs.len()), "every 30 s: {}", syncs.len());
    let with: BTreeSet<_> = syncs.iter().map(|(to, _)| *to).collect();
    assert!(with.len() > 2);
}

#[test]
fn e5_the_dead_and_absent_seeds_are_tried_again_by_turns_and_the_left_are_not() {
    let mut bench = Bench::of(3);
    bench.machine.join(bench.now, &[address(1), address(50)]);
    bench.machine.handle_joined(address(1), false);
    bench.bury(2, 1);
    bench.hear(Say::Left(3, 1));
    bench.drain();
    let asks = exchanges(&bench.pass_with_acks(seconds(601), &[]));
    let tried =
        |n: u8| asks.iter().filter(|&&(to, ask)| to == address(n) && ask == Ask::Sync).count();
    assert!((8..=12).contains(&tried(2)), "a dead member: {}", tried(2));
    assert!((8..=12).contains(&tried(50)), "an absent seed: {}", tried(50));
    assert_eq!(tried(3), 0);
}

#[test]
fn j1_one_who_has_joined_and_was_not_told_all_compares_tables_within_a_period() {
    let mut bench = Bench::of(3);
    bench.pass_with_acks(seconds(1), &[]);
    bench.machine.handle_synced(bench.now, Ask::Join, SyncEnd::InVain);
    let asked = exchanges(&bench.pass_with_acks(seconds(1), &[]));
    assert!(asked.iter().any(|(_, ask)| *ask == Ask::Sync), "{asked:?}");
}
