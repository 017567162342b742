//! That a partition is over is told once, to whoever was parted (E6), and kills nobody (M5).

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;

use support::{Bench, LOCAL, Say, events, id, seconds};
use swim_membership::{Action, EventKind, MemberIx, Via, Who};
use swim_proto::NodeId;

/// Nine others, of whom these are held dead.
fn bench(dead: &[u8]) -> Bench {
    let mut bench = Bench::of(9);
    dead.iter().for_each(|&n| bench.hear(Say::Suspect(n, 1, 1)));
    bench.now = bench.now + seconds(2);
    dead.iter().for_each(|&n| bench.hear(Say::Dead(n, 1)));
    bench.drain();
    bench
}

/// How often it was told that this node is healed.
fn healed(actions: &[Action]) -> usize {
    events(actions).iter().filter(|event| **event == (id(LOCAL), EventKind::Healed)).count()
}

fn kinds(bench: &mut Bench) -> Vec<(NodeId, EventKind)> {
    events(&bench.drain())
}

#[test]
fn e6_tables_that_were_compared_with_the_dead_are_a_healing_whoever_has_begun() {
    for via in [Via::Request(id(7)), Via::Reply(id(7))] {
        let mut bench = bench(&[7, 8, 9]);
        bench.machine.handle_compared_with(bench.now, id(7));
        assert_eq!(kinds(&mut bench), [], "nobody is back yet");
        bench.hear_from(7, via, Say::Alive(7, 2));
        let told = kinds(&mut bench);
        assert_eq!(told, [(id(LOCAL), EventKind::Healed), (id(7), EventKind::Up)]);
        bench.hear(Say::Alive(8, 2));
        bench.hear(Say::Alive(9, 2));
        bench.hear(Say::Suspect(LOCAL, 1, 7));
        assert_eq!(healed(&bench.drain()), 0, "once a healing");
    }
}

#[test]
fn e6_who_hears_of_it_by_gossip_is_healed_too_for_it_has_to_refute() {
    let mut bench = bench(&[9]);
    bench.hear(Say::Alive(9, 2));
    assert_eq!(kinds(&mut bench), [(id(9), EventKind::Up)]);
    bench.hear(Say::Suspect(LOCAL, 1, 9));
    assert_eq!(kinds(&mut bench), [(id(LOCAL), EventKind::Healed)]);
}

#[test]
fn e6_who_has_a_higher_number_by_now_sees_that_many_come_back() {
    let mut bench = bench(&[5, 6, 7, 8, 9]);
    let back: Vec<Action> = (5..=9)
        .flat_map(|n| {
            bench.hear(Say::Alive(n, 2));
            bench.drain()
        })
        .collect();
    assert_eq!(healed(&back), 1);
}

#[test]
fn e6_one_who_was_down_and_joins_again_is_no_healing() {
    let mut bench = bench(&[9]);
    bench.hear_from(9, Via::Request(id(9)), Say::Alive(9, 65));
    assert_eq!(kinds(&mut bench), [(id(9), EventKind::Up)]);
    let later = bench.pass_with_acks(seconds(60), &[]);
    assert_eq!(healed(&later), 0);
}

#[test]
fn e6_the_living_and_those_who_left_heal_nothing_and_nor_does_anybody_after_a_leave() {
    let mut bench = bench(&[9]);
    bench.hear(Say::Left(8, 1));
    bench.machine.handle_compared_with(bench.now, id(7));
    bench.machine.handle_compared_with(bench.now, id(8));
    bench.hear(Say::Alive(9, 2));
    bench.hear(Say::Dead(9, 2));
    bench.machine.leave(bench.now);
    bench.machine.handle_compared_with(bench.now, id(9));
    assert_eq!(healed(&bench.drain()), 0);
}

#[test]
fn e6_one_who_was_isolated_and_buried_the_others_is_healed_once() {
    let mut bench = bench(&[]);
    bench.pass_with_acks(seconds(5), &[]);
    let alone = events(&bench.pass(seconds(200)));
    let isolated = alone.iter().filter(|(_, kind)| *kind == EventKind::Isolated).count();
    assert_eq!(isolated, 1);
    let mut back = Vec::new();
    for n in 1..=9 {
        bench.hear_from(n, Via::Reply(id(n)), Say::Alive(n, 2));
        back.extend(bench.pass_with_acks(seconds(1), &[]));
    }
    back.extend(bench.pass_with_acks(seconds(60), &[]));
    assert_eq!(healed(&back), 1);
}

/// The deaths that it could tell nobody would be final to all who heard of them by gossip.
#[test]
fn m5_who_was_alone_tells_no_deaths_by_gossip_when_somebody_is_there_again() {
    let mut bench = Bench::credulous(5);
    (1..=5).for_each(|n| bench.hear(Say::Dead(n, 1)));
    let mut news: BTreeSet<MemberIx> = BTreeSet::new();
    let mut follow = |bench: &mut Bench| {
        for action in bench.drain() {
            match action {
                Action::News { who: Who::Member(ix), .. } => drop(news.insert(ix)),
                Action::Forget(ix) => drop(news.remove(&ix)),
                _ => {}
            }
        }
        news.clone()
    };
    assert_eq!(follow(&mut bench).len(), 5);
    bench.hear_from(2, Via::Reply(id(2)), Say::Alive(2, 2));
    assert_eq!(follow(&mut bench), BTreeSet::from([bench.ix(2).unwrap()]), "only who is back");
    bench.hear(Say::Dead(2, 2));
    bench.hear(Say::Alive(3, 2));
    bench.hear(Say::Alive(4, 2));
    bench.hear(Say::Dead(4, 2));
    let after = BTreeSet::from([3, 4].map(|n| bench.ix(n).unwrap()));
    assert_eq!(follow(&mut bench), after, "in company a death is news");
}
