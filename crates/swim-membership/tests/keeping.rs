//! What is kept over a restart: numbers ahead of use, and where the others are (R5, R6, J2).

#![allow(clippy::unwrap_used)]

mod support;

use core::time::Duration;
use std::collections::BTreeSet;
use std::net::SocketAddr;

use support::{Bench, LOCAL, Say, address, exchanges, id, record, seconds, tag, told};
use swim_membership::{Action, Ask, Config, Membership, Profile, SavedState, Via, Who};
use swim_proto::{Incarnation, RefusalReason};

fn bench(saved: SavedState) -> Bench {
    let mut bench = Bench::new();
    let config = Config::preset(Profile::Lan);
    let record = record(LOCAL, &[]);
    bench.machine =
        Membership::with_saved(config, id(LOCAL), record, tag(), 7, bench.now, Some(saved));
    bench
}

fn after(incarnation: u64, addresses: &[u8]) -> Bench {
    let addresses = addresses.iter().map(|&n| address(n)).collect();
    let incarnation = Incarnation(incarnation);
    bench(SavedState { incarnation, addresses, ..SavedState::default() })
}

fn writes(actions: &[Action]) -> Vec<SavedState> {
    let write = |action: &Action| match action {
        Action::Persist(state) => Some(state.clone()),
        _ => None,
    };
    actions.iter().filter_map(write).collect()
}

/// Drains the one write that must have been asked for, which then succeeds.
fn keep(bench: &mut Bench) -> SavedState {
    let mut asked = writes(&bench.drain());
    assert_eq!(asked.len(), 1, "one write at a time");
    assert!(!bench.machine.handle_persisted(bench.now, true));
    asked.remove(0)
}

#[test]
fn r5_a_first_life_begins_at_1_and_reserves_64_numbers_before_it_says_anything() {
    let mut bench = bench(SavedState::default());
    assert_eq!(bench.own_incarnation(), 1);
    assert_eq!(keep(&mut bench).incarnation, Incarnation(65));
}

#[test]
fn r5_a_restart_begins_above_every_number_of_the_life_before() {
    let mut kept = SavedState::default();
    let mut highest = 0;
    for life in 0..20 {
        let mut bench = bench(kept.clone());
        assert!(bench.own_incarnation() > highest, "life {life}");
        kept = keep(&mut bench);
        for round in 0..life * 7 {
            let own = bench.own_incarnation();
            bench.hear(Say::Suspect(LOCAL, own + round % 3, 1));
            for write in writes(&bench.pass_with_acks(seconds(1), &[])) {
                kept = write;
                assert!(!bench.machine.handle_persisted(bench.now, true));
            }
        }
        highest = bench.own_incarnation();
        assert!(kept.incarnation.0 > highest);
    }
}

#[test]
fn r5_further_numbers_are_asked_for_before_the_news_that_uses_them() {
    let mut bench = after(1, &[]);
    keep(&mut bench);
    bench.hear(Say::Suspect(LOCAL, 40, 1));
    let actions = bench.drain();
    assert_eq!(bench.own_incarnation(), 41, "inside the block nothing is waited for");
    let news = Action::News { who: Who::Local, urgent: true };
    assert_eq!(writes(&actions)[0].incarnation, Incarnation(105));
    assert_eq!(told(&actions), [Who::Local]);
    assert!(matches!(actions[0], Action::Persist(_)), "{actions:?} before {news:?}");
}

#[test]
fn r5_a_refutation_beyond_the_block_waits_until_its_number_is_kept() {
    let mut bench = after(1, &[]);
    keep(&mut bench);
    bench.hear(Say::Suspect(LOCAL, 60_000, 1));
    assert_eq!(bench.own_incarnation(), 1);
    assert_eq!(keep(&mut bench).incarnation, Incarnation(60_065));
    assert_eq!(bench.own_incarnation(), 60_001);
    assert_eq!(told(&bench.drain()), [Who::Local]);
}

#[test]
fn r5_a_disk_that_stands_still_delays_a_refutation_by_a_second_and_no_more() {
    let mut bench = after(1, &[]);
    bench.drain();
    bench.hear(Say::Suspect(LOCAL, 60_000, 1));
    bench.pass(Duration::from_millis(999));
    assert_eq!(bench.own_incarnation(), 1);
    bench.pass(Duration::from_millis(2));
    assert_eq!(bench.own_incarnation(), 60_001);
}

#[test]
fn r5_a_failed_write_is_counted_said_once_and_tried_again_and_the_node_goes_on() {
    let mut bench = after(1, &[]);
    assert_eq!(writes(&bench.drain()).len(), 1);
    assert!(bench.machine.handle_persisted(bench.now, false), "it is said");
    bench.hear(Say::Suspect(LOCAL, 60_000, 1));
    assert_eq!(bench.own_incarnation(), 60_001, "nothing is waited for");
    assert!(writes(&bench.drain()).is_empty());
    for _ in 0..3 {
        let asked = writes(&bench.pass(seconds(11)));
        assert_eq!(asked.len(), 1, "not more often than a snapshot");
        assert!(!bench.machine.handle_persisted(bench.now, false), "it was said");
    }
    let asked = writes(&bench.pass(seconds(11)));
    assert_eq!(asked[0].incarnation, Incarnation(60_065));
    assert!(!bench.machine.handle_persisted(bench.now, true));
    let counters = bench.machine.counters();
    assert_eq!((counters.persists, counters.persists_failed), (1, 4));
    let actions = bench.pass(seconds(100));
    let again = actions.iter().filter(|action| matches!(action, Action::PersistedAgain));
    assert_eq!(again.count(), 1, "that it is well is said, too");
    assert!(writes(&actions).is_empty());
}

#[test]
fn r5_a_node_that_keeps_nothing_asks_for_nothing() {
    let mut bench = Bench::of(5);
    bench.hear(Say::Suspect(LOCAL, 60_000, 1));
    assert_eq!(bench.own_incarnation(), 60_001);
    assert!(writes(&bench.pass_with_acks(seconds(60), &[])).is_empty());
    assert_eq!(bench.machine.state_to_save(), None);
    assert!(!bench.machine.handle_persisted(bench.now, false), "nobody asked");
    assert_eq!(bench.machine.counters().persists_failed, 0);
}

#[test]
fn r6_where_the_others_are_is_written_soon_after_the_start_and_then_once_in_ten_seconds() {
    let mut bench = after(1, &[]);
    keep(&mut bench);
    (1..=5).for_each(|n| bench.hear(Say::Alive(n, 1)));
    assert!(writes(&bench.pass_with_acks(Duration::from_millis(900), &[])).is_empty());
    let first = writes(&bench.pass_with_acks(Duration::from_millis(200), &[]));
    assert_eq!(first[0].addresses, (1..=5).map(address).collect::<Vec<_>>());
    assert!(!bench.machine.handle_persisted(bench.now, true));
    let mut written = 0;
    for n in 6..=65 {
        bench.hear(Say::Alive(n, 1));
        written += writes(&bench.pass_with_acks(seconds(1), &[])).len();
        let _ = bench.machine.handle_persisted(bench.now, true);
    }
    assert!((5..=6).contains(&written), "in a minute: {written}");
    let rest = writes(&bench.pass_with_acks(seconds(11), &[]));
    assert!(rest.len() <= 1);
    let _ = bench.machine.handle_persisted(bench.now, true);
    let none = writes(&bench.pass_with_acks(seconds(100), &[]));
    assert!(none.is_empty(), "while nothing changes nothing is written");
}

#[test]
fn r6_the_present_come_first_then_the_dead_then_whoever_was_not_met_and_the_left_are_left_out() {
    let mut bench = after(1, &[3, 90, 91]);
    keep(&mut bench);
    (1..=4).for_each(|n| bench.hear(Say::Alive(n, 1)));
    bench.bury(1, 1);
    bench.hear(Say::Left(2, 1));
    let addresses = bench.machine.state_to_save().unwrap().addresses;
    assert_eq!(addresses[..3], [address(3), address(4), address(1)]);
    let rest: BTreeSet<SocketAddr> = addresses[3..].iter().copied().collect();
    assert_eq!(rest, [address(90), address(91)].into());
}

#[test]
fn r6_no_more_than_1_024_addresses_are_kept() {
    let many = (0..2_000).map(|n| SocketAddr::from(([10, 1, (n / 200) as u8, n as u8], 7)));
    let mut bench = bench(SavedState { addresses: many.collect(), ..SavedState::default() });
    bench.hear(Say::Alive(1, 1));
    let state = bench.machine.state_to_save().unwrap();
    assert_eq!((state.addresses.len(), state.addresses[0]), (1_024, address(1)));
}

#[test]
fn j2_without_a_seed_those_known_from_before_are_asked_until_one_answers() {
    let known: Vec<u8> = (1..=20).collect();
    let mut bench = after(65, &known);
    assert!(exchanges(&bench.pass(seconds(5))).is_empty(), "nobody has asked to join");
    bench.machine.join(bench.now, &[]);
    assert!(!bench.machine.is_joined());
    let asks = exchanges(&bench.pass(seconds(2)));
    let asked: BTreeSet<SocketAddr> = asks.iter().map(|(to, _)| *to).collect();
    assert_eq!(asked, known.iter().map(|&n| address(n)).collect());
    assert!(asks.iter().all(|(_, ask)| *ask == Ask::Join));
    for address in asked {
        assert!(!bench.machine.is_joined());
        assert!(!bench.machine.handle_unanswered(bench.now, address), "nobody has named it");
    }
    assert!(bench.machine.is_joined(), "nobody is there: this node is the first again");
    assert!(!exchanges(&bench.pass(seconds(30))).is_empty(), "and they are asked on");
    assert!(bench.machine.handle_joined(address(7), false));
    assert!(!bench.machine.handle_joined(address(8), false));
    let joins = exchanges(&bench.pass(seconds(60)));
    assert!(joins.iter().all(|(_, ask)| *ask != Ask::Join), "the goal is reached");
}

#[test]
fn j2_seeds_and_those_known_from_before_are_asked_side_by_side() {
    let mut bench = after(65, &[1, 2]);
    bench.machine.join(bench.now, &[address(50)]);
    let asks = exchanges(&bench.pass(Duration::from_millis(1)));
    let asked: BTreeSet<SocketAddr> = asks.iter().map(|(to, _)| *to).collect();
    assert_eq!(asked, [address(1), address(2), address(50)].into());
    bench.pass(seconds(60));
    assert!(!bench.machine.is_joined(), "the seed is waited for");
    bench.machine.handle_joined(address(2), false);
    assert!(bench.machine.is_joined() && !bench.machine.wants_seeds());
}

#[test]
fn j2_an_address_of_another_cluster_is_asked_no_more_but_a_seed_is() {
    let mut bench = after(65, &[1]);
    bench.machine.join(bench.now, &[address(50)]);
    let other = RefusalReason::OtherCluster;
    assert!(!bench.machine.handle_refused(address(1), other), "nobody has named it");
    assert!(bench.machine.handle_refused(address(50), other));
    bench.drain();
    let asks = exchanges(&bench.pass(seconds(10)));
    assert!(!asks.is_empty() && asks.iter().all(|(to, _)| *to == address(50)));
}

#[test]
fn j2_a_seed_is_called_silent_only_after_a_while_and_only_while_it_is_needed() {
    let mut bench = after(65, &[1]);
    bench.machine.join(bench.now, &[address(50)]);
    assert!(!bench.machine.handle_unanswered(bench.now, address(50)), "it may start now, too");
    bench.pass(seconds(2));
    assert!(bench.machine.handle_unanswered(bench.now, address(50)));
    assert!(!bench.machine.handle_unanswered(bench.now, address(1)), "nobody has named it");
    bench.machine.handle_joined(address(1), false);
    assert!(!bench.machine.handle_unanswered(bench.now, address(50)));
}

#[test]
fn e5_whoever_was_known_before_and_not_met_is_tried_by_healing_for_a_day() {
    let mut bench = after(65, &[1, 60]);
    bench.machine.join(bench.now, &[]);
    bench.machine.handle_joined(address(1), false);
    bench.hear_from(1, Via::Reply(id(1)), Say::Alive(1, 1));
    bench.drain();
    let asks = exchanges(&bench.pass_with_acks(seconds(301), &[]));
    let tried = asks.iter().filter(|&&(to, ask)| (to, ask) == (address(60), Ask::Sync)).count();
    assert!((8..=11).contains(&tried), "every 30 s: {tried}");
    bench.pass_with_acks(seconds(24 * 3_600), &[]);
    let asks = exchanges(&bench.pass_with_acks(seconds(600), &[]));
    assert!(asks.iter().all(|(to, _)| *to != address(60)));
}

#[test]
fn s6_the_longest_pause_is_kept_and_announced_from_the_first_word_of_the_next_life() {
    let mut first = bench(SavedState::default());
    keep(&mut first);
    (1..=5).for_each(|n| first.hear(Say::Alive(n, 1)));
    let _ = writes(&first.pass_with_acks(seconds(3), &[]));
    assert!(!first.machine.handle_persisted(first.now, true));
    first.now = first.machine.deadline() + seconds(5);
    let _ = first.machine.handle_lateness(first.now, seconds(5));
    let announced = first.machine.local_record().patience();
    assert!(announced > seconds(5));
    let writes_after = writes(&first.pass_with_acks(seconds(20), &[]));
    assert_eq!(writes_after.len(), 1, "at the next snapshot");
    let kept = writes_after[0].clone();
    assert!(kept.pause >= seconds(5) && kept.addresses.len() == 5, "{kept:?}");
    assert!(!first.machine.handle_persisted(first.now, true));
    assert!(
        writes(&first.pass_with_acks(seconds(60), &[])).is_empty(),
        "nothing has changed since"
    );

    let mut second = bench(kept.clone());
    assert_eq!(second.machine.local_record().patience(), announced);
    assert_eq!(second.own_incarnation(), kept.incarnation.0, "it is no change of the record");
    assert_eq!(keep(&mut second).pause, kept.pause);
}
