//! Leaving: who is told, whose acknowledgement counts, and what one who leaves still hears (L1, L2).

#![allow(clippy::unwrap_used)]

mod support;

use core::time::Duration;
use std::collections::BTreeSet;

use support::{Bench, Say, address, datagrams, events, exchanges, id, ms, seconds, told};
use swim_membership::{Action, Ask, EventKind, Source, Tell, Via};
use swim_proto::{Datagram, Incarnation, Part, RefusalReason, Seq, State};

fn leaves(actions: &[Action]) -> Vec<(std::net::SocketAddr, Datagram<'static>)> {
    let sent = datagrams(actions).into_iter().map(|(to, message, _)| (to, message));
    sent.filter(|(_, message)| matches!(message, Datagram::Leave { .. })).collect()
}

fn left(actions: &[Action]) -> Option<(u32, u32)> {
    actions.iter().find_map(|action| match *action {
        Action::Left { acknowledged, told } => Some((acknowledged, told)),
        _ => None,
    })
}

#[test]
fn l2_a_leave_is_told_to_five_peers_until_they_acknowledge_it() {
    let mut bench = Bench::of(20);
    bench.machine.leave(bench.now);
    let told = leaves(&bench.drain());
    let different: BTreeSet<_> = told.iter().map(|(to, _)| *to).collect();
    assert_eq!((told.len(), different.len()), (5, 5));
    for (to, message) in &told[1..] {
        let Datagram::Leave { seq, .. } = *message else { continue };
        bench.machine.handle_datagram(bench.now, *to, &Datagram::LeaveAck { seq });
    }
    let again = bench.pass(Duration::from_millis(200));
    assert_eq!(leaves(&again), told[..1], "only the silent one is told again");
    let rest = bench.pass(seconds(2));
    assert_eq!(left(&rest), Some((4, 5)));
    assert_eq!(bench.machine.deadline(), swim_membership::Instant::NEVER);
}

#[test]
fn l2_a_leave_with_nobody_to_tell_is_over_at_once() {
    let mut bench = Bench::new();
    bench.machine.leave(bench.now);
    assert_eq!(left(&bench.drain()), Some((0, 0)));
    bench.machine.leave(bench.now);
    assert_eq!(left(&bench.drain()), Some((0, 0)), "a second time too");
}

#[test]
fn l2_a_leave_while_joining_reaches_the_seeds() {
    let mut bench = Bench::new();
    bench.machine.join(bench.now, &[address(1), address(2)]);
    bench.pass(Duration::from_millis(10));
    bench.machine.leave(bench.now);
    let told = leaves(&bench.drain());
    assert_eq!(told.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [address(1), address(2)]);
}

#[test]
fn l2_only_who_holds_the_leaver_acknowledges_its_leave() {
    let mut bench = Bench::of(2);
    let leave =
        |n: u8| Datagram::Leave { seq: swim_proto::Seq(3), id: id(n), incarnation: Incarnation(1) };
    bench.receive(9, leave(9));
    assert!(bench.drain().is_empty(), "its join may still be on its way");
    bench.receive(2, leave(2));
    assert_eq!(bench.claim(2), Some((1, State::Left)));
    let actions = bench.drain();
    assert_eq!(events(&actions), [(id(2), EventKind::Left)]);
    assert_eq!(datagrams(&actions)[0].1, Datagram::LeaveAck { seq: swim_proto::Seq(3) });
    bench.receive(2, leave(2));
    assert_eq!(datagrams(&bench.drain()).len(), 1, "its ack may have been lost");
}

#[test]
fn l1_who_has_left_is_silent_and_comes_back_in_a_new_life() {
    let mut bench = Bench::of(3);
    bench.machine.leave(bench.now);
    bench.pass(seconds(2));
    bench.pass(seconds(2));
    bench.bury(2, 1);
    assert!(bench.pass(seconds(100)).is_empty());
    bench.receive_ping(1, 1, State::Alive);
    let told = leaves(&bench.drain());
    assert_eq!(told.len(), 1, "it tells those that ask, and nothing else: {told:?}");
    assert!(bench.pass(seconds(100)).is_empty());
    assert_eq!(bench.machine.present(), 3, "itself no longer");

    bench.machine.join(bench.now, &[address(1)]);
    assert_eq!(bench.own_incarnation(), 2);
    assert_eq!(bench.machine.local().claim.state, State::Alive);
    let actions = bench.pass_with_acks(seconds(3), &[]);
    assert!(!support::pings(&actions).is_empty(), "it probes again");
}

#[test]
fn l1_leave_and_join_in_any_order_end_with_the_last() {
    let mut bench = Bench::of(3);
    for life in 1..=5 {
        bench.machine.leave(bench.now);
        bench.machine.leave(bench.now);
        assert_eq!(bench.machine.local().claim.state, State::Left);
        bench.machine.join(bench.now, &[]);
        bench.machine.join(bench.now, &[address(1)]);
        assert_eq!(bench.own_incarnation(), life + 1);
    }
}

#[test]
fn l1_a_member_that_left_comes_back_with_a_higher_incarnation_only() {
    let mut bench = Bench::of(3);
    bench.hear(Say::Left(2, 1));
    bench.hear(Say::Alive(2, 1));
    assert_eq!(bench.claim(2), Some((1, State::Left)));
    bench.drain();
    bench.hear(Say::Alive(2, 2));
    assert_eq!(events(&bench.drain()), [(id(2), EventKind::Joined)]);
}

#[test]
fn l2_a_seed_that_has_refused_is_told_of_no_leave() {
    let mut bench = Bench::new();
    bench.machine.join(bench.now, &[address(8), address(9)]);
    bench.pass(seconds(1));
    assert!(bench.machine.handle_refused(address(9), RefusalReason::Full));
    bench.machine.leave(bench.now);
    let told: Vec<_> = leaves(&bench.drain()).into_iter().map(|(to, _)| to).collect();
    assert_eq!(told, [address(8)], "that one may have taken this node in");
}

fn leave_of(n: u8) -> Datagram<'static> {
    Datagram::Leave { seq: Seq(3), id: id(n), incarnation: Incarnation(1) }
}

fn seq_to(n: u8, told: &[(std::net::SocketAddr, Datagram<'static>)]) -> Seq {
    let to = told.iter().find(|(to, _)| *to == address(n)).unwrap();
    let Datagram::Leave { seq, .. } = to.1 else { unreachable!() };
    seq
}

#[test]
fn l2_who_leaves_too_does_not_count_and_another_is_told_in_its_place() {
    let mut bench = Bench::of(6);
    bench.machine.leave(bench.now);
    let first = leaves(&bench.drain());
    let (spared, asked): (Vec<u8>, Vec<u8>) =
        (1..=6).partition(|&n| !first.iter().any(|(to, _)| *to == address(n)));
    for &n in &asked[..4] {
        bench.receive(n, Datagram::LeaveAck { seq: seq_to(n, &first) });
    }
    // One has acknowledged and leaves after all, the fifth leaves and has said nothing else.
    bench.receive(asked[0], leave_of(asked[0]));
    bench.receive(asked[4], leave_of(asked[4]));
    let seen = events(&bench.drain());
    assert_eq!(seen.len(), 2, "the user hears that they left: {seen:?}");
    let next = leaves(&bench.pass(ms(200)));
    assert_eq!(next.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [address(spared[0])]);
    bench.receive(spared[0], Datagram::LeaveAck { seq: seq_to(spared[0], &next) });
    assert_eq!(left(&bench.drain()), Some((4, 6)), "nobody is left to be told");
}

#[test]
fn l2_a_leaver_answers_the_leave_of_one_that_it_has_not_told_with_its_own_once() {
    let mut bench = Bench::of(20);
    bench.machine.leave(bench.now);
    let told = leaves(&bench.drain());
    let other = (1..=20).find(|&n| !told.iter().any(|(to, _)| *to == address(n))).unwrap();
    bench.receive(other, leave_of(other));
    let answer = datagrams(&bench.drain());
    assert!(
        matches!(answer[..], [(to, Datagram::Leave { .. }, Tell::News)] if to == address(other))
    );
    bench.receive(other, leave_of(other));
    assert!(datagrams(&bench.drain()).is_empty(), "and it acknowledges none");
}

#[test]
fn l2_a_forged_leave_makes_a_leaver_send_no_more_than_came_and_once() {
    let mut bench = Bench::of(20);
    bench.machine.leave(bench.now);
    let told = leaves(&bench.drain());
    let other = (1..=20).find(|&n| !told.iter().any(|(to, _)| *to == address(n))).unwrap();
    // An incarnation that nobody believes: the member stays.
    let forged = Datagram::Leave { seq: Seq(3), id: id(other), incarnation: Incarnation(1 << 40) };
    bench.receive(9, forged);
    let answer = datagrams(&bench.drain());
    assert!(matches!(answer[..], [(_, Datagram::Leave { .. }, Tell::NoLonger)]), "{answer:?}");
    bench.receive(9, forged);
    assert!(datagrams(&bench.drain()).is_empty());
}

#[test]
fn l2_two_members_at_one_address_are_one_peer() {
    let mut bench = Bench::of(1);
    let record = support::record(1, &[]);
    let source = Source { address: address(1), via: Via::Gossip };
    let (id, incarnation) = (id(2), Incarnation(1));
    let part = Part::Alive { id, incarnation, record: record.as_bytes() };
    bench.machine.handle_part(bench.now, source, &part);
    bench.drain();
    bench.machine.leave(bench.now);
    assert_eq!(leaves(&bench.drain()).len(), 1);
    bench.hear(Say::Left(2, 1));
    assert_eq!(left(&bench.pass(ms(900))), None, "the other one there is waited for");
}

#[test]
fn j2_an_answer_to_the_join_of_a_life_that_has_ended_is_none() {
    let mut bench = Bench::new();
    bench.machine.join(bench.now, &[address(1)]);
    bench.pass(ms(1));
    bench.machine.leave(bench.now);
    assert!(!bench.machine.handle_joined(address(1), false));
}

#[test]
fn l2_a_leaver_tells_of_those_that_have_left_a_moment_ago() {
    let mut bench = Bench::of(5);
    bench.hear(Say::Left(1, 1));
    bench.pass_with_acks(seconds(30), &[1]);
    bench.hear(Say::Left(2, 1));
    bench.drain();
    bench.machine.leave(bench.now);
    let actions = bench.drain();
    let news = told(&actions);
    let ix = bench.machine.table().find(id(2)).unwrap();
    assert_eq!(news, [swim_membership::Who::Member(ix)], "the other has left long ago");
    assert!(datagrams(&actions).iter().all(|(_, _, tell)| *tell == Tell::News));
}

#[test]
fn l1_of_news_a_leaver_takes_only_that_others_leave_until_its_leave_is_over() {
    let mut bench = Bench::of(4);
    bench.machine.leave(bench.now);
    bench.hear(Say::Suspect(1, 1, 2));
    bench.hear(Say::Left(2, 1));
    bench.hear(Say::Alive(9, 1));
    assert_eq!(bench.claim(1), Some((1, State::Alive)));
    assert_eq!(bench.claim(2), Some((1, State::Left)));
    assert_eq!(bench.claim(9), None);
    bench.pass(seconds(4));
    bench.hear(Say::Left(3, 1));
    assert_eq!(bench.claim(3), Some((1, State::Alive)), "it is over");
}

#[test]
fn l2_who_is_silent_is_told_over_the_reliable_plane_and_its_ack_there_counts() {
    let mut bench = Bench::of(2);
    bench.machine.leave(bench.now);
    let early = exchanges(&bench.pass(ms(399)));
    assert!(early.is_empty(), "datagrams may still be answered: {early:?}");
    let asked = exchanges(&bench.pass(ms(2)));
    assert_eq!(asked.len(), 2);
    for (to, ask) in asked {
        let Ask::Leave { seq, incarnation, .. } = ask else { panic!("{ask:?}") };
        assert_eq!(incarnation, Incarnation(1));
        if to == address(1) {
            bench.machine.handle_leave_ack(bench.now, seq);
        } else {
            // Its process has ended.
            bench.machine.handle_leave_refused(bench.now, seq);
        }
    }
    assert_eq!(left(&bench.drain()), Some((1, 2)));
}

#[test]
fn l2_a_leave_over_the_reliable_plane_is_entered_and_acknowledged_by_who_holds_the_leaver() {
    let mut bench = Bench::of(2);
    let one = Incarnation(1);
    assert!(!bench.machine.handle_leave_request(bench.now, address(9), id(9), one));
    assert!(bench.machine.handle_leave_request(bench.now, address(2), id(2), one));
    assert_eq!(bench.claim(2), Some((1, State::Left)));
    assert!(bench.machine.handle_leave_request(bench.now, address(2), id(2), one), "again");
}

#[test]
fn l2_a_leave_that_nobody_acknowledges_is_over_after_its_time() {
    let config = swim_membership::Config::preset(swim_membership::Profile::Lan);
    let mut bench = Bench::with(config.with_leave_timeout(seconds(2)));
    (1..=3).for_each(|n| bench.hear(Say::Alive(n, 1)));
    bench.drain();
    bench.machine.leave(bench.now);
    assert_eq!(left(&bench.pass(ms(1_999))), None);
    assert_eq!(left(&bench.pass(ms(1))), Some((0, 3)));
}

#[test]
fn l2_one_acknowledgement_is_enough_after_a_second() {
    let mut bench = Bench::of(3);
    bench.machine.leave(bench.now);
    let first = leaves(&bench.drain());
    bench.receive(2, Datagram::LeaveAck { seq: seq_to(2, &first) });
    assert_eq!(left(&bench.pass(ms(999))), None);
    assert_eq!(left(&bench.pass(ms(1))), Some((1, 3)));
}
