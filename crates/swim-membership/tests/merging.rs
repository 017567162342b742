//! What is heard of members, and what is made of it (M1 to M6, T1, T2).

#![allow(clippy::unwrap_used)]

mod support;

use quickcheck::{Arbitrary, Gen, quickcheck};
use support::{
    Bench, LOCAL, Say, accusers, address, datagrams, events, exchanges, id, pings, record, told,
};
use support::{ms, seconds, short};
use swim_membership::{Ask, Config, EventKind, Profile, Source, Tell, Via, Who};
use swim_proto::{Datagram, Incarnation, Part, RecordFields, Seq, State, Subject};

#[test]
fn m1_a_newer_claim_replaces_an_older_one_and_never_the_other_way_round() {
    let mut bench = Bench::of(2);
    for (say, held) in [
        (Say::Suspect(2, 1, 1), (1, State::Suspect)),
        (Say::Alive(2, 1), (1, State::Suspect)),
        (Say::Alive(2, 2), (2, State::Alive)),
        (Say::Dead(2, 1), (2, State::Alive)),
        (Say::Suspect(2, 2, 1), (2, State::Suspect)),
        (Say::Dead(2, 2), (2, State::Dead)),
        (Say::Suspect(2, 2, 1), (2, State::Dead)),
        (Say::Left(2, 2), (2, State::Left)),
        (Say::Alive(2, 3), (3, State::Alive)),
    ] {
        bench.now = bench.now + seconds(2);
        bench.hear(say);
        assert_eq!(bench.claim(2), Some(held), "after {say:?}");
    }
    assert_eq!(bench.machine.counters().claims_stale, 3);
}

#[test]
fn m1_a_death_at_a_higher_incarnation_keeps_an_older_alive_from_coming_back() {
    let mut bench = Bench::of(2);
    bench.bury(2, 5);
    bench.hear(Say::Alive(2, 4));
    assert_eq!(bench.claim(2), Some((5, State::Dead)));
    bench.hear(Say::Alive(2, 6));
    assert_eq!(bench.claim(2), Some((6, State::Alive)));
}

#[test]
fn m1_of_two_records_of_one_incarnation_all_tables_keep_the_same() {
    let (a, b) = (record(2, b"a"), record(2, b"b"));
    let kept = [[&a, &b], [&b, &a]].map(|order| {
        let mut bench = Bench::of(1);
        for record in order {
            let part =
                Part::Alive { id: id(2), incarnation: Incarnation(1), record: record.as_bytes() };
            let source = Source { address: address(1), via: Via::Gossip };
            bench.machine.handle_part(bench.now, source, &part);
        }
        bench.machine.view(bench.ix(2).unwrap()).record
    });
    assert_eq!(kept[0], kept[1]);
}

#[test]
fn m1_a_new_address_alone_is_an_update() {
    let mut bench = Bench::of(2);
    let moved = record(9, &[]);
    let part = Part::Alive { id: id(2), incarnation: Incarnation(2), record: moved.as_bytes() };
    let source = Source { address: address(1), via: Via::Gossip };
    bench.machine.handle_part(bench.now, source, &part);
    assert_eq!(events(&bench.drain()), [(id(2), EventKind::Updated)]);
    assert_eq!(bench.machine.address(bench.ix(2).unwrap()), address(9));
}

#[test]
fn m1_a_change_of_later_fields_alone_is_kept_and_passed_on_but_is_no_update() {
    let mut bench = Bench::of(2);
    assert!(bench.machine.drain_changes(|_| ()));
    let before = record(2, &[]);
    for (incarnation, later) in [(2, &[1, 2, 50, 0][..]), (3, &[1, 2, 50, 0, 9, 1, 7]), (4, b"?")] {
        let record = RecordFields { later, ..before.fields() }.build().unwrap();
        let incarnation = Incarnation(incarnation);
        let part = Part::Alive { id: id(2), incarnation, record: record.as_bytes() };
        let source = Source { address: address(1), via: Via::Gossip };
        bench.machine.handle_part(bench.now, source, &part);
        let actions = bench.drain();
        assert_eq!(events(&actions), []);
        let ix = bench.ix(2).unwrap();
        assert_eq!(told(&actions), [Who::Member(ix)]);
        assert_eq!(bench.machine.part(Who::Member(ix)), Some(part));
        let mut changed = Vec::new();
        assert!(bench.machine.drain_changes(|id| changed.push(id)));
        changed.dedup();
        assert_eq!(changed, [id(2)]);
    }
}

impl Arbitrary for Say {
    fn arbitrary(g: &mut Gen) -> Self {
        let (member, incarnation) = (u8::arbitrary(g) % 3 + 1, u64::arbitrary(g) % 4 + 1);
        match u8::arbitrary(g) % 4 {
            0 => Self::Alive(member, incarnation),
            1 => Self::Suspect(member, incarnation, u8::arbitrary(g) % 4 + 4),
            2 => Self::Dead(member, incarnation),
            _ => Self::Left(member, incarnation),
        }
    }
}

quickcheck! {
    /// Late, twice and in any order: the tables agree.
    fn m1_any_order_of_the_same_news_leads_to_the_same_table(news: Vec<Say>, by: usize) -> bool {
        let mut shuffled = news.clone();
        shuffled.rotate_left(by % news.len().max(1));
        shuffled.reverse();
        shuffled.extend(&news);
        let tables = [news, shuffled].map(|news| {
            let mut bench = Bench::credulous(3);
            news.into_iter().for_each(|say| bench.hear(say));
            [1, 2, 3].map(|n| bench.claim(n))
        });
        tables[0] == tables[1]
    }

    /// Events about a member alternate as its states do, and each change is told once.
    fn events_tell_exactly_how_the_states_change(news: Vec<Say>) -> bool {
        let mut bench = Bench::of(3);
        news.into_iter().all(|say| {
            let before = [1, 2, 3].map(|n| bench.claim(n).unwrap().1);
            bench.hear(say);
            let events = events(&bench.drain());
            let mut after = before;
            // That it is healed is about the node itself.
            for (who, kind) in events.into_iter().filter(|(_, kind)| *kind != EventKind::Healed) {
                let state = &mut after[usize::from(who.as_bytes()[0]) - 1];
                let good = match (kind, *state) {
                    (EventKind::Joined, State::Left) => State::Alive,
                    (EventKind::Up, State::Suspect | State::Dead) => State::Alive,
                    (EventKind::Suspected, State::Alive) => State::Suspect,
                    (EventKind::Down(_), State::Alive | State::Suspect) => State::Dead,
                    (EventKind::Left, State::Alive | State::Suspect) => State::Left,
                    _ => return false,
                };
                *state = good;
            }
            let present = |state: State| state.is_present();
            (0..3).all(|at| {
                let held = bench.claim(at as u8 + 1).unwrap().1;
                // Between the dead and the left there is nothing to tell.
                held == after[at] || !present(held) && !present(after[at])
            })
        })
    }
}

#[test]
fn m3_a_claim_far_above_what_a_member_has_said_is_dropped_and_counted() {
    let jump = 1 << 16;
    let mut bench = Bench::of(2);
    for say in [
        Say::Suspect(2, jump + 1, 1),
        Say::Dead(2, jump + 1),
        Say::Left(2, u64::MAX),
        Say::Alive(2, u64::MAX),
    ] {
        bench.hear(say);
        assert_eq!(bench.claim(2), Some((1, State::Alive)), "after {say:?}");
    }
    assert_eq!(bench.machine.counters().claims_jumped, 4);
    bench.hear(Say::Suspect(2, jump, 1));
    bench.hear(Say::Alive(2, jump + 1));
    assert_eq!(bench.claim(2), Some((jump + 1, State::Alive)), "so far, and its refutation");
}

#[test]
fn m3_claims_that_climb_step_by_step_do_not_pass_the_bound() {
    let mut bench = Bench::of(2);
    bench.hear(Say::Suspect(2, 60_000, 1));
    bench.hear(Say::Suspect(2, 120_000, 1));
    assert_eq!(bench.claim(2), Some((60_000, State::Suspect)), "counted from its own last word");
}

#[test]
fn m3_a_large_jump_counts_from_the_member_itself_when_it_answers() {
    let mut bench = Bench::of(2);
    for (from, via) in [
        (1, Via::Reply(id(1))),
        // Anybody can say in a request who he is, and answer at another address.
        (2, Via::Request(id(2))),
        (1, Via::Reply(id(2))),
    ] {
        bench.hear_from(from, via, Say::Alive(2, 1 << 40));
        assert_eq!(bench.claim(2), Some((1, State::Alive)));
    }
    bench.hear_from(2, Via::Reply(id(2)), Say::Alive(2, 1 << 40));
    assert_eq!(bench.claim(2), Some((1 << 40, State::Alive)));
    bench.hear_from(2, Via::Ack(id(2)), Say::Alive(2, 1 << 50));
    assert_eq!(bench.claim(2), Some((1 << 50, State::Alive)), "or in its ack to a probe of ours");
}

#[test]
fn m3_a_jump_is_looked_into_by_asking_the_member_itself_once_a_period() {
    let mut bench = Bench::of(2);
    for _ in 0..5 {
        bench.hear_from(2, Via::Request(id(2)), Say::Alive(2, 1 << 40));
        bench.hear(Say::Alive(9, 1 << 40));
    }
    assert_eq!(exchanges(&bench.drain()), [(address(2), Ask::Sync)]);
    bench.pass(seconds(1));
    bench.hear(Say::Alive(9, 1 << 40));
    assert!(exchanges(&bench.drain()).contains(&(address(9), Ask::Sync)));
}

#[test]
fn m3_no_rumour_burns_the_identity_of_one_who_was_not_met_yet() {
    let mut bench = Bench::of(1);
    bench.hear(Say::Alive(2, u64::MAX));
    assert_eq!(bench.claim(2), None);
    bench.hear(Say::Alive(2, 1));
    assert_eq!(bench.claim(2), Some((1, State::Alive)));
}

#[test]
fn m4_a_claim_about_a_stranger_asks_its_sender_for_the_record_once_a_period() {
    let mut bench = Bench::of(1);
    for _ in 0..5 {
        bench.hear(Say::Suspect(2, 1, 1));
    }
    let asked: Vec<_> = datagrams(&bench.drain());
    assert!(matches!(asked[..], [(to, Datagram::RecordRequest { subject, .. }, Tell::Nothing)]
            if to == address(1) && subject == short(2)));
    assert_eq!(bench.claim(2), None, "nobody enters the table without a record");
    assert_eq!(bench.machine.counters().claims_unknown, 5);
}

#[test]
fn m4_a_suspicion_newer_than_the_record_asks_for_the_record() {
    let mut bench = Bench::of(2);
    bench.hear(Say::Suspect(2, 4, 1));
    let asked = datagrams(&bench.drain());
    assert!(asked.iter().any(|(_, message, _)| matches!(message, Datagram::RecordRequest { .. })));
}

#[test]
fn m4_a_record_is_told_to_members_only() {
    let mut bench = Bench::of(2);
    let request =
        |from: u8| Datagram::RecordRequest { from: support::tiny(from), subject: short(2) };
    bench.receive(1, request(1));
    let ix = bench.ix(2).unwrap();
    assert_eq!(datagrams(&bench.drain()), [(address(1), Datagram::Gossip, Tell::Record(ix))]);
    bench.receive(3, request(3));
    bench.receive(3, request(1));
    assert!(bench.drain().is_empty(), "neither a stranger nor one at another address");
}

#[test]
fn m5_a_death_by_gossip_is_final_and_one_by_exchange_is_a_suspicion_that_is_looked_into() {
    let mut bench = Bench::of(4);
    bench.bury(2, 1);
    assert_eq!(bench.claim(2), Some((1, State::Dead)));
    bench.drain();

    bench.hear_from(1, Via::Reply(id(1)), Say::Dead(3, 1));
    assert_eq!(bench.claim(3), Some((1, State::Suspect)));
    let actions = bench.drain();
    assert_eq!(pings(&actions).iter().map(|ping| ping.0).collect::<Vec<_>>(), [address(3)]);
    assert_eq!(events(&actions), [(id(3), EventKind::Suspected)]);
    let part = bench.machine.part(Who::Member(bench.ix(3).unwrap()));
    assert!(matches!(part, Some(Part::Suspect { accusers: by, .. }) if by == accusers(&[1])));
}

#[test]
fn m5_a_death_by_gossip_of_which_no_suspicion_was_heard_is_one() {
    let mut bench = Bench::of(4);
    bench.hear(Say::Dead(2, 1));
    assert_eq!(bench.claim(2), Some((1, State::Suspect)), "out of nothing");
    let looks = pings(&bench.drain()).iter().any(|ping| ping.0 == address(2));
    assert!(looks, "of few members all look for themselves");

    bench.hear(Say::Suspect(3, 1, 1));
    bench.now = bench.now + ms(1_900);
    bench.hear(Say::Dead(3, 1));
    assert_eq!(bench.claim(3), Some((1, State::Suspect)), "before half of the minimum");
    bench.now = bench.now + ms(100);
    bench.hear(Say::Dead(3, 1));
    assert_eq!(bench.claim(3), Some((1, State::Dead)));
}

#[test]
fn m5_a_death_by_correction_is_a_suspicion_too() {
    let mut bench = Bench::of(3);
    bench.hear_from(1, Via::Correction, Say::Dead(3, 1));
    assert_eq!(bench.claim(3), Some((1, State::Suspect)));
}

#[test]
fn m5_healed_halves_do_not_bury_each_other() {
    let mut bench = Bench::of(6);
    for n in 4..=6 {
        bench.hear_from(1, Via::Reply(id(1)), Say::Dead(n, 1));
    }
    bench.pass_with_acks(seconds(1), &[]);
    for n in 4..=6 {
        bench.hear(Say::Alive(n, 2));
        assert_eq!(bench.claim(n), Some((2, State::Alive)));
    }
    let ups = events(&bench.drain());
    assert!(ups.len() == 3 && ups.iter().all(|(_, kind)| *kind == EventKind::Up));
    let buried = bench.pass_with_acks(seconds(120), &[]);
    assert!(events(&buried).is_empty());
}

#[test]
fn m6_a_claim_that_contradicts_a_tombstone_is_answered_once_a_period() {
    let mut bench = Bench::of(2);
    bench.bury(2, 1);
    bench.drain();
    for _ in 0..5 {
        bench.hear(Say::Alive(2, 1));
    }
    let ix = bench.ix(2).unwrap();
    assert_eq!(
        datagrams(&bench.drain()),
        [(address(1), Datagram::Correction, Tell::Only(Who::Member(ix)))]
    );
    bench.pass(seconds(1));
    bench.hear(Say::Alive(2, 1));
    assert_eq!(datagrams(&bench.drain()).len(), 1);
}

#[test]
fn g6_a_correction_is_never_answered_so_that_two_tables_do_not_argue_for_ever() {
    let mut bench = Bench::of(2);
    bench.bury(2, 1);
    bench.drain();
    bench.hear_from(1, Via::Correction, Say::Alive(2, 1));
    assert!(bench.drain().is_empty());
}

#[test]
fn g6_one_who_was_held_dead_and_pings_learns_it_at_once() {
    let mut bench = Bench::of(2);
    bench.bury(2, 1);
    bench.drain();
    bench.receive_ping(2, 1, State::Alive);
    let sent = datagrams(&bench.drain());
    let ix = bench.ix(2).unwrap();
    assert_eq!(sent, [(address(2), Datagram::Ack { seq: Seq(77), note: None }, Tell::Verdict(ix))]);
    let verdict = bench.machine.verdict(ix);
    assert!(matches!(verdict, Some(Part::Dead { accusers, .. }) if accusers.as_slice().is_empty()));
}

#[test]
fn t1_tombstones_are_forgotten_by_age_and_their_age_does_not_start_anew() {
    let config = Config::builder(Profile::Lan).tombstone_age(seconds(100)).build().unwrap();
    let mut bench = Bench::with(config);
    bench.hear(Say::Alive(2, 1));
    bench.bury(2, 1);
    bench.pass(seconds(60));
    bench.hear(Say::Dead(2, 2));
    bench.hear(Say::Left(2, 2));
    assert_eq!(bench.claim(2), Some((2, State::Left)));
    bench.pass(seconds(41));
    assert_eq!(bench.claim(2), None);
    assert!(bench.machine.table().is_empty());
}

#[test]
fn t1_no_tombstone_is_made_for_one_who_was_never_held() {
    let mut bench = Bench::of(1);
    bench.hear(Say::Dead(9, 1));
    bench.hear(Say::Left(9, 1));
    assert_eq!(bench.machine.table().len(), 1);
}

#[test]
fn t1_a_full_table_of_tombstones_forgets_the_oldest_also_when_many_die_at_once() {
    let config = Config::builder(Profile::Lan).tombstones_max(2).build().unwrap();
    let mut bench = Bench::with(config);
    (1..=6).for_each(|n| bench.hear(Say::Alive(n, 1)));
    // The later a member came the higher its place; the lower ones die last.
    (1..=6).rev().for_each(|n| bench.hear(Say::Suspect(n, 1, 1)));
    bench.now = bench.now + seconds(2);
    (1..=6).rev().for_each(|n| bench.hear(Say::Dead(n, 1)));
    assert_eq!(bench.machine.table().len(), 2);
    assert_eq!(bench.machine.counters().tombstones_full, 4);
    assert!(bench.claim(1).is_some(), "the newest is kept");
}

#[test]
fn t2_the_table_has_a_bound_and_those_beyond_it_are_counted() {
    let config = Config::builder(Profile::Lan).members_max(3).build().unwrap();
    let mut bench = Bench::with(config);
    (1..=9).for_each(|n| bench.hear(Say::Alive(n, 1)));
    assert_eq!(bench.machine.table().len(), 3);
    assert_eq!(bench.machine.counters().members_full, 6);
}

#[test]
fn a_whole_batch_of_news_is_taken_though_one_of_it_is_known() {
    let mut bench = Bench::of(3);
    bench.hear(Say::Suspect(1, 1, 2));
    bench.drain();
    for say in [Say::Suspect(1, 1, 2), Say::Alive(2, 2), Say::Dead(3, 1)] {
        bench.hear(say);
    }
    let news = told(&bench.drain());
    let ix = |n| Who::Member(bench.ix(n).unwrap());
    assert_eq!(news, [ix(2), ix(3)]);
}

#[test]
fn a_damaged_record_is_counted_and_changes_nothing() {
    let mut bench = Bench::of(2);
    for record in [&[][..], &[0x80, 1, 2, 3], &[0; 7], &[0xff; 700]] {
        for who in [2, 9] {
            let part = Part::Alive { id: id(who), incarnation: Incarnation(5), record };
            let source = Source { address: address(1), via: Via::Gossip };
            bench.machine.handle_part(bench.now, source, &part);
        }
    }
    assert_eq!(bench.claim(2), Some((1, State::Alive)));
    assert_eq!(bench.claim(9), None);
    assert_eq!(bench.machine.counters().records_bad, 8);
}

#[test]
fn news_about_this_node_never_enters_its_own_table() {
    let mut bench = Bench::of(1);
    bench.hear(Say::Alive(LOCAL, 9));
    let subject = Subject::Full(id(LOCAL));
    let part = Part::Dead { subject, incarnation: Incarnation(9), accusers: accusers(&[1]) };
    bench.machine.handle_part(bench.now, Source { address: address(1), via: Via::Gossip }, &part);
    assert_eq!(bench.machine.table().len(), 1);
    assert!(events(&bench.drain()).iter().all(|(who, _)| *who != id(LOCAL)));
}
