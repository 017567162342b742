//! The digest of the table: what enters it, what it is compared with, and what follows (D1 to D5).

#![allow(clippy::unwrap_used)]

mod support;

use quickcheck::{Arbitrary, Gen, quickcheck};
use support::{Bench, LOCAL, Say, address, exchanges, id, ms, pings, record, seconds, tiny};
use swim_membership::{Ask, Config, Membership, Profile, Source, SyncEnd, Via};
use swim_proto::{
    Claim, Datagram, Held, Incarnation, NodeId, Part, Seq, State, StateNote, member_hash,
};

/// What enters the digest for a member that is held so.
fn hash(n: u8, incarnation: u64, state: State, made_in: u64, metadata: &[u8]) -> u64 {
    let claim = Claim::new(Incarnation(incarnation), state);
    member_hash(id(n), claim, Incarnation(made_in), record(n, metadata).hash())
}

fn own_hash() -> u64 {
    hash(LOCAL, 1, State::Alive, 1, &[])
}

#[test]
fn d1_the_digest_is_of_the_present_and_of_oneself() {
    let mut bench = Bench::new();
    assert_eq!(bench.machine.digest(), own_hash());
    bench.hear(Say::Alive(1, 1));
    bench.hear(Say::Alive(2, 7));
    let both = hash(1, 1, State::Alive, 1, &[]) ^ hash(2, 7, State::Alive, 7, &[]);
    assert_eq!(bench.machine.digest(), own_hash() ^ both);
}

#[test]
fn d1_a_suspicion_and_the_incarnation_of_the_record_enter_the_digest() {
    let mut bench = Bench::of(1);
    bench.hear(Say::Suspect(1, 1, 2));
    assert_eq!(bench.machine.digest(), own_hash() ^ hash(1, 1, State::Suspect, 1, &[]));
    bench.hear(Say::Suspect(1, 4, 2));
    assert_eq!(bench.machine.digest(), own_hash() ^ hash(1, 4, State::Suspect, 1, &[]));
    bench.hear(Say::Alive(1, 4));
    assert_eq!(bench.machine.digest(), own_hash() ^ hash(1, 4, State::Suspect, 4, &[]));
}

#[test]
fn d1_the_dead_the_left_and_the_forgotten_do_not_enter_the_digest() {
    for absent in [Say::Suspect(1, 1, 2), Say::Left(1, 1), Say::Left(1, 5)] {
        let config = Config::builder(Profile::Lan).tombstone_age(seconds(100)).build().unwrap();
        let mut bench = Bench::with(config);
        bench.hear(Say::Alive(1, 1));
        bench.hear(absent);
        bench.now = bench.now + seconds(2);
        if let Say::Suspect(n, incarnation, _) = absent {
            bench.hear(Say::Dead(n, incarnation));
        }
        assert_eq!(bench.machine.digest(), own_hash(), "after {absent:?}");
        bench.pass(seconds(101));
        assert!(bench.machine.table().is_empty());
        assert_eq!(bench.machine.digest(), own_hash(), "and forgotten");
        bench.hear(Say::Alive(1, 9));
        assert_eq!(bench.machine.digest(), own_hash() ^ hash(1, 9, State::Alive, 9, &[]));
    }
}

#[test]
fn d1_ones_own_word_enters_as_others_hold_it() {
    let mut bench = Bench::of(1);
    let others = hash(1, 1, State::Alive, 1, &[]);
    bench.machine.set_record(record(LOCAL, b"new"));
    assert_eq!(bench.machine.digest(), others ^ hash(LOCAL, 2, State::Alive, 2, b"new"));
    bench.machine.leave(bench.now);
    assert_eq!(bench.machine.digest(), others, "one who has left is not present");
    bench.machine.join(bench.now, &[address(1)]);
    assert_eq!(bench.machine.digest(), others ^ hash(LOCAL, 3, State::Alive, 3, b"new"));
}

/// The digest computed afresh from what is held, as the document has it.
fn afresh(machine: &Membership) -> u64 {
    let mut members = vec![machine.local()];
    members.extend(machine.table().iter().map(|ix| machine.view(ix)));
    let present = members.iter().filter(|member| member.claim.state.is_present());
    present.fold(0, |digest, member| {
        let made_in = match machine.table().find(member.id) {
            Some(ix) => match machine.record_part(ix) {
                Part::Alive { incarnation, .. } => incarnation,
                other => unreachable!("a record is told as alive: {other:?}"),
            },
            None => member.claim.incarnation,
        };
        digest ^ member_hash(member.id, member.claim, made_in, member.record.hash())
    })
}

/// News of few members in few incarnations, with one of two records.
#[derive(Clone, Copy, Debug)]
struct News(Say, bool);

impl Arbitrary for News {
    fn arbitrary(g: &mut Gen) -> Self {
        let (member, incarnation) = (u8::arbitrary(g) % 4 + 1, u64::arbitrary(g) % 4 + 1);
        let say = match u8::arbitrary(g) % 6 {
            0..=2 => Say::Alive(member, incarnation),
            3 => Say::Suspect(member, incarnation, u8::arbitrary(g) % 4 + 4),
            4 => Say::Dead(member, incarnation),
            _ => Say::Left(member, incarnation),
        };
        Self(say, bool::arbitrary(g))
    }
}

fn hear(bench: &mut Bench, News(say, other): News) {
    match say {
        Say::Alive(n, incarnation) if other => {
            let (record, incarnation) = (record(n, b"other"), Incarnation(incarnation));
            let part = Part::Alive { id: id(n), incarnation, record: record.as_bytes() };
            let source = Source { address: address(1), via: Via::Gossip };
            bench.machine.handle_part(bench.now, source, &part);
            bench.machine.check();
        }
        say => bench.hear(say),
    }
}

fn held(bench: &Bench) -> Vec<(NodeId, Claim, Vec<u8>)> {
    let views = bench.machine.table().iter().map(|ix| bench.machine.view(ix));
    let present = views.filter(|view| view.claim.state.is_present());
    let mut held: Vec<_> =
        present.map(|view| (view.id, view.claim, view.record.as_bytes().to_vec())).collect();
    held.sort();
    held
}

quickcheck! {
    fn d1_the_digest_equals_one_computed_afresh_after_any_news(news: Vec<News>) -> bool {
        let mut bench = Bench::new();
        news.into_iter().all(|news| {
            hear(&mut bench, news);
            bench.machine.digest() == afresh(&bench.machine)
        })
    }

    /// All are met first: of one who is not, a death says nothing, and so the order counts (M4).
    fn d1_any_order_of_news_that_leads_to_equal_tables_leads_to_equal_digests(
        news: Vec<News>,
        by: usize
    ) -> bool {
        let mut shuffled = news.clone();
        shuffled.rotate_left(by % news.len().max(1));
        shuffled.reverse();
        shuffled.extend(&news);
        let [a, b] = [news, shuffled].map(|news| {
            let mut bench = Bench::credulous(4);
            news.into_iter().for_each(|news| hear(&mut bench, news));
            bench
        });
        held(&a) == held(&b) && a.machine.digest() == b.machine.digest()
    }

    fn d1_tables_that_differ_have_digests_that_differ(a: Vec<News>, b: Vec<News>) -> bool {
        let [a, b] = [a, b].map(|news| {
            let mut bench = Bench::new();
            news.into_iter().for_each(|news| hear(&mut bench, news));
            bench
        });
        held(&a) == held(&b) || a.machine.digest() != b.machine.digest()
    }
}

/// Lets a probe go out, and answers it with this note.
fn ack(bench: &mut Bench, note: StateNote, quiet: bool) -> Vec<Ask> {
    let period = bench.machine.config().period();
    let (to, seq) = *pings(&bench.pass(period)).last().expect("one probe a period");
    let message = Datagram::Ack { seq, note: Some(note) };
    let source = Source { address: to, via: bench.machine.via(to, &message) };
    bench.machine.handle_datagram(bench.now, to, &message);
    bench.machine.handle_note(bench.now, source, &message, quiet);
    let asks = exchanges(&bench.drain());
    assert!(asks.iter().all(|&(asked, _)| asked == to), "whoever has just differed is asked");
    asks.into_iter().map(|(_, ask)| ask).collect()
}

/// A bench on which nothing but digests asks for anything.
fn bench() -> Bench {
    let config = Config::builder(Profile::Lan).plain().sync_interval(seconds(3_600));
    let mut bench = Bench::with(config.build().unwrap());
    (1..=5).for_each(|n| bench.hear(Say::Alive(n, 1)));
    bench.drain();
    bench
}

fn other(bench: &Bench) -> StateNote {
    StateNote { digest: !bench.machine.digest(), quiet: true }
}

fn same(bench: &Bench) -> StateNote {
    StateNote { digest: bench.machine.digest(), quiet: true }
}

#[test]
fn d3_two_differences_in_a_row_between_quiet_sides_begin_a_repair_with_the_last() {
    let mut bench = bench();
    let (other, same) = (other(&bench), same(&bench));
    assert_eq!(ack(&mut bench, other, true), []);
    assert_eq!(ack(&mut bench, same, true), []);
    assert_eq!(ack(&mut bench, other, true), []);
    assert_eq!(ack(&mut bench, other, true), [Ask::Repair]);
    let counters = bench.machine.counters();
    assert_eq!((counters.digests_different, counters.digests_equal), (3, 1));
    assert_eq!(counters.repairs, 1);
}

#[test]
fn d3_a_difference_counts_only_where_neither_side_has_news_to_tell() {
    let mut bench = bench();
    let other = other(&bench);
    let busy = StateNote { quiet: false, ..other };
    assert_eq!(ack(&mut bench, other, true), []);
    for _ in 0..9 {
        assert_eq!(ack(&mut bench, busy, true), []);
        assert_eq!(ack(&mut bench, other, false), []);
    }
    assert_eq!(ack(&mut bench, other, true), [Ask::Repair]);
}

#[test]
fn d3_only_answers_to_own_probes_begin_a_repair() {
    let mut bench = bench();
    let note = Some(other(&bench));
    let (target, held) = (tiny(LOCAL), Claim::new(Incarnation(1), State::Alive));
    let held = Held { claim: held, record: record(LOCAL, &[]).hash() as u16 };
    for _ in 0..9 {
        let ping = Datagram::Ping { seq: Seq(1), target, from: tiny(2), held, note };
        for message in [ping, Datagram::Ack { seq: Seq(1), note }] {
            let source =
                Source { address: address(2), via: bench.machine.via(address(2), &message) };
            bench.machine.handle_note(bench.now, source, &message, true);
        }
    }
    assert_eq!(exchanges(&bench.drain()), []);
    assert_eq!(bench.machine.counters().digests_different, 0);
}

#[test]
fn d4_repairs_in_vain_wait_longer_and_longer_up_to_the_sync_interval() {
    let config = Config::builder(Profile::Lan).plain().sync_interval(seconds(30));
    let mut bench = Bench::with(config.build().unwrap());
    (1..=5).for_each(|n| bench.hear(Say::Alive(n, 1)));
    let (mut other, mut repairs, mut seconds_waited) = (other(&bench), vec![], 0);
    while repairs.len() < 9 {
        seconds_waited += 1;
        other.digest = !bench.machine.digest();
        // The members stay alive: only their digests differ.
        if ack(&mut bench, other, true).contains(&Ask::Repair) {
            bench.machine.handle_synced(bench.now, Ask::Repair, SyncEnd::InVain);
            repairs.push(seconds_waited);
        }
    }
    let waits: Vec<_> = repairs.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits, [2, 2, 4, 8, 16, 30, 30, 30]);
    assert_eq!(bench.machine.counters().repairs_in_vain, 9);
}

#[test]
fn d5_the_periodic_sync_is_left_out_where_an_equal_digest_was_seen_since_the_last() {
    for (digest, syncs) in [(true, 0), (false, 10)] {
        let config = Config::builder(Profile::Lan).digest(digest).build().unwrap();
        let mut bench = Bench::with(config);
        (1..=5).for_each(|n| bench.hear(Say::Alive(n, 1)));
        let mut asked = 0;
        for _ in 0..3_000 {
            let note = same(&bench);
            let actions = bench.pass(ms(100));
            asked += exchanges(&actions).iter().filter(|(_, ask)| *ask == Ask::Sync).count();
            for (to, seq) in pings(&actions) {
                let message = Datagram::Ack { seq, note: Some(note) };
                let source = Source { address: to, via: bench.machine.via(to, &message) };
                bench.machine.handle_datagram(bench.now, to, &message);
                bench.machine.handle_note(bench.now, source, &message, true);
            }
        }
        assert!(asked.abs_diff(syncs) <= 1, "with digest {digest}: {asked}");
    }
}

/// It has forgotten us, or holds us somewhere else. Others who agree with us would never tell.
#[test]
fn d5_one_who_answers_without_a_digest_is_compared_with_though_others_are_equal() {
    let mut bench = Bench::with(Config::preset(Profile::Lan));
    (1..=5).for_each(|n| bench.hear(Say::Alive(n, 1)));
    let mut run = |aloof: u8, time| -> Vec<_> {
        let mut asked = Vec::new();
        for _ in 0..time * 10 {
            let note = same(&bench);
            let actions = bench.pass(ms(100));
            let asks = exchanges(&actions).into_iter().filter(|(_, ask)| *ask == Ask::Sync);
            asked.extend(asks.map(|(to, _)| to));
            for (to, seq) in pings(&actions) {
                let note = (to != address(aloof)).then_some(note);
                let message = Datagram::Ack { seq, note };
                let source = Source { address: to, via: bench.machine.via(to, &message) };
                bench.machine.handle_datagram(bench.now, to, &message);
                bench.machine.handle_note(bench.now, source, &message, true);
            }
        }
        asked
    };
    let asked = run(3, 300);
    assert!((9..=11).contains(&asked.len()), "once an interval: {}", asked.len());
    assert!(asked.iter().all(|&to| to == address(3)));
    assert!(run(0, 300).len() <= 1, "it has said its digest since");
}

#[test]
fn e4_a_member_that_acks_as_strangers_are_acked_is_told_of_this_node_whatever_others_hold() {
    let mut bench = Bench::of(5);
    let mut asked = Vec::new();
    for _ in 0..3_000 {
        let note = same(&bench);
        let actions = bench.pass(ms(100));
        asked.extend(exchanges(&actions).into_iter().filter(|(_, ask)| *ask == Ask::Sync));
        for (to, seq) in pings(&actions) {
            let note = Some(note).filter(|_| to != address(3));
            let message = Datagram::Ack { seq, note };
            let source = Source { address: to, via: bench.machine.via(to, &message) };
            bench.machine.handle_datagram(bench.now, to, &message);
            bench.machine.handle_note(bench.now, source, &message, true);
        }
    }
    assert!((9..=11).contains(&asked.len()), "once every sync interval: {}", asked.len());
    assert!(asked.iter().all(|&(to, _)| to == address(3)));
}

#[test]
fn d2_without_the_digest_nothing_is_said_and_nothing_is_heard_of_it() {
    let config = Config::builder(Profile::Lan).digest(false).build().unwrap();
    let mut bench = Bench::with(config);
    (1..=5).for_each(|n| bench.hear(Say::Alive(n, 1)));
    assert_eq!(bench.machine.note(true), None);
    let other = other(&bench);
    for _ in 0..5 {
        assert!(!ack(&mut bench, other, true).contains(&Ask::Repair));
    }
    assert_eq!(bench.machine.counters().digests_different, 0);
}

#[test]
fn e5_the_most_recently_dead_is_tried_first_and_then_any() {
    let mut bench = Bench::of(6);
    for n in 1..=4 {
        bench.bury(n, 1);
        bench.pass_with_acks(seconds(1), &[]);
    }
    bench.hear(Say::Left(5, 1));
    let tried = |bench: &mut Bench, time| -> Vec<_> {
        let asks = exchanges(&bench.pass_with_acks(seconds(time), &[]));
        asks.into_iter().map(|(to, _)| to).filter(|&to| to != address(6)).collect()
    };
    let first = tried(&mut bench, 600);
    assert_eq!(first[0], address(4), "who died last");
    for n in 1..=4 {
        assert!(first.contains(&address(n)), "{n} is tried, too");
    }
    bench.bury(6, 1);
    let asks = exchanges(&bench.pass(seconds(34)));
    assert_eq!(asks.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [address(6)]);
}
