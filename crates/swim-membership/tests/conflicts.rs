//! Two processes with one id, as the processes and as the other members see it (R4, J1, W7).

#![allow(clippy::unwrap_used)]

mod support;

use std::net::SocketAddr;

use support::{Bench, LOCAL, address, datagrams, events, exchanges, id, pings, record, seconds};
use swim_membership::{Action, Ask, Config, EventKind, Profile, Source, Tell, Via};
use swim_proto::{Datagram, Incarnation, Part, Record, Timing};

/// Member 1 says, or is said, to be where member `at` usually is, since `start`.
fn hear(bench: &mut Bench, of: u8, incarnation: u64, at: u8, start: Option<u32>, via: Via) {
    let record = record(at, &[]).with_start(start).unwrap();
    let part = Part::Alive {
        id: id(of),
        incarnation: Incarnation(incarnation),
        record: record.as_bytes(),
    };
    bench.machine.handle_part(bench.now, Source { address: address(2), via }, &part);
}

fn conflicts(actions: &[Action]) -> Vec<SocketAddr> {
    let others = events(actions).into_iter().filter_map(|(_, kind)| match kind {
        EventKind::Conflict { other } => Some(other),
        _ => None,
    });
    others.collect()
}

#[test]
fn r4_a_member_that_returns_to_an_address_that_it_has_left_is_in_conflict_which_is_told_once() {
    let mut bench = Bench::of(3);
    for (incarnation, at, told) in
        [(2, 11, &[][..]), (3, 1, &[address(11)][..]), (4, 11, &[]), (5, 1, &[])]
    {
        hear(&mut bench, 1, incarnation, at, None, Via::Gossip);
        let actions = bench.drain();
        assert_eq!(conflicts(&actions), told, "in {incarnation}");
        let updated = |(_, kind): &(_, EventKind)| *kind == EventKind::Updated;
        assert!(events(&actions).iter().any(updated), "each move is told");
        bench.now = bench.now + seconds(20);
    }
    assert_eq!(bench.machine.counters().conflicts_of_members, 1);
}

#[test]
fn r4_moves_that_are_no_conflict() {
    let told = |moves: &[(u64, u8, Option<u32>)], pause: u64| {
        let mut bench = Bench::of(3);
        let mut told = Vec::new();
        for &(incarnation, at, start) in moves {
            hear(&mut bench, 1, incarnation, at, start, Via::Gossip);
            bench.now = bench.now + seconds(pause);
            told.extend(conflicts(&bench.drain()));
        }
        told.len()
    };
    assert_eq!(told(&[(2, 11, None), (3, 1, None)], 60), 1);
    assert_eq!(told(&[(2, 11, None), (3, 1, None)], 61), 0, "later than twice 30 s");
    assert_eq!(told(&[(2, 11, None), (3, 12, None), (4, 13, None)], 1), 0, "ever further");
    let restarts = [(2, 11, Some(5)), (3, 12, Some(6)), (4, 11, Some(7))];
    assert_eq!(told(&restarts, 1), 0, "a process that was restarted at its former address");
    let (a, b) = ((2, 11, Some(5)), (3, 12, Some(6)));
    assert_eq!(told(&[a, b, (4, 11, Some(5))], 1), 1, "the same process as before");
    assert_eq!(told(&[(1, 11, None), (1, 1, None)], 1), 0, "in one incarnation");
}

#[test]
fn r4_so_many_members_may_move_that_the_first_moves_are_forgotten() {
    let mut bench = Bench::of(80);
    (1..=80).for_each(|n| hear(&mut bench, n, 2, n + 100, None, Via::Gossip));
    assert_eq!(bench.machine.counters().moves_full, 80 - 64);
    bench.drain();
    hear(&mut bench, 1, 3, 1, None, Via::Gossip);
    assert_eq!(conflicts(&bench.drain()), [], "its move was forgotten");
    hear(&mut bench, 80, 3, 80, None, Via::Gossip);
    assert_eq!(conflicts(&bench.drain()), [address(180)]);
}

#[test]
fn j1_a_process_that_was_displaced_is_told_by_the_one_that_was_asked() {
    for (via, told) in
        [(Via::Request(id(1)), true), (Via::Request(id(2)), false), (Via::Gossip, false)]
    {
        let mut bench = Bench::of(3);
        hear(&mut bench, 1, 2, 11, None, via);
        let sent = datagrams(&bench.drain());
        let ix = bench.machine.table().find(id(1)).unwrap();
        let expected = (address(1), Datagram::Gossip, Tell::Record(ix));
        assert_eq!(sent.contains(&expected), told, "{via:?}");
    }
}

#[test]
fn r4_the_answer_to_a_foreign_word_is_told_where_it_came_from() {
    let mut bench = Bench::of(3);
    hear(&mut bench, LOCAL, 1, 66, None, Via::Gossip);
    let actions = bench.drain();
    assert_eq!(exchanges(&actions), [(address(66), Ask::Sync)]);
    assert!(
        datagrams(&actions).is_empty(),
        "nothing that a forged datagram could direct: {actions:?}"
    );
}

#[test]
fn r4_who_is_acked_barely_while_there_is_another_process_compares_tables_at_once() {
    for foreign in [false, true] {
        let mut bench = Bench::of(1);
        if foreign {
            hear(&mut bench, LOCAL, 1, 66, None, Via::Gossip);
            bench.drain();
        }
        let mut compared = 0;
        for _ in 0..5 {
            for (to, seq) in pings(&bench.pass(bench.machine.config().period())) {
                // Without a digest, as strangers are acked.
                let message = Datagram::Ack { seq, note: None };
                let source = Source { address: to, via: bench.machine.via(to, &message) };
                bench.machine.handle_datagram(bench.now, to, &message);
                bench.machine.handle_note(bench.now, source, &message, true);
            }
            let asked = exchanges(&bench.drain());
            compared += asked.into_iter().filter(|ask| *ask == (address(1), Ask::Sync)).count();
        }
        assert_eq!((3..=5).contains(&compared), foreign, "{compared}");
    }
}

#[test]
fn w7_a_member_of_another_timing_is_told_when_it_is_met_and_when_it_changes() {
    let times = Config::builder(Profile::Fast).build().unwrap().timing();
    let other = |n: u8| record(n, &[]).with_timing(times).unwrap();
    let mut bench = Bench::of(2);
    let say = |bench: &mut Bench, n: u8, incarnation: u64, record: &Record| {
        let incarnation = Incarnation(incarnation);
        let part = Part::Alive { id: id(n), incarnation, record: record.as_bytes() };
        let source = Source { address: address(1), via: Via::Gossip };
        bench.machine.handle_part(bench.now, source, &part);
        let told = |action: &Action| matches!(action, Action::OtherTiming { .. });
        bench.drain().iter().filter(|action| told(action)).count()
    };
    assert_eq!(say(&mut bench, 7, 1, &other(7)), 1);
    assert_eq!(say(&mut bench, 7, 2, &other(7)), 0, "as before");
    assert_eq!(say(&mut bench, 1, 2, &other(1)), 1);
    assert_eq!(say(&mut bench, 1, 3, &record(1, &[])), 0, "as this node again");
    assert_eq!(Config::preset(Profile::Lan).timing(), Timing::default());
}
