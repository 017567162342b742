//! What follows when the host of a probed member refuses the connection: this node's own network
//! works, and the member confirms nobody's suspicion (P6, S3, S5, H1).

#![allow(clippy::unwrap_used)]

mod support;

use core::time::Duration;

use support::{Bench, address, events, exchanges, first_ping, id, ms, pings, seconds};
use swim_membership::{Action, Ask, Config, EventKind, Instant, Profile};
use swim_proto::{Datagram, Seq, State};

/// A bench that has heard the members 1 to `count` for some periods.
fn bench(count: u8, config: Config) -> Bench {
    let mut bench = Bench::with(config);
    (1..=count).for_each(|n| bench.hear(support::Say::Alive(n, 1)));
    bench.drain();
    bench.pass_with_acks(seconds(5), &[]);
    bench
}

fn lan() -> Config {
    Config::preset(Profile::Lan)
}

/// Who does what when the node asks.
#[derive(Clone, Copy)]
struct World<'a> {
    /// They do not answer; all others do.
    silent: &'a [u8],
    /// The hosts of these silent ones refuse connections.
    refusing: &'a [u8],
    /// So long after they were asked.
    after: Duration,
}

impl World<'_> {
    /// Lets time pass in this world, and returns all that the node wanted done.
    fn pass(self, bench: &mut Bench, duration: Duration) -> Vec<Action> {
        let is_one_of = |of: &[u8], to| of.iter().any(|&n| address(n) == to);
        let (end, mut all) = (bench.now + duration, Vec::new());
        let mut refusals: Vec<(Instant, Seq)> = Vec::new();
        loop {
            let actions = bench.drain();
            for (to, seq) in pings(&actions) {
                if !is_one_of(self.silent, to) {
                    bench.machine.handle_datagram(
                        bench.now,
                        to,
                        &Datagram::Ack { seq, note: None },
                    );
                }
            }
            for (to, ask) in exchanges(&actions) {
                if let (true, Ask::Ping { seq, .. }) = (is_one_of(self.refusing, to), ask) {
                    refusals.push((bench.now + self.after, seq));
                }
            }
            all.extend(actions);
            let refused = refusals.iter().map(|&(at, _)| at).min().unwrap_or(Instant::NEVER);
            let next = refused.min(bench.machine.deadline());
            if next > end {
                break;
            }
            bench.now = next.max(bench.now);
            let (due, later): (Vec<_>, Vec<_>) =
                refusals.into_iter().partition(|&(at, _)| at <= next);
            refusals = later;
            for (_, seq) in due {
                bench.machine.handle_reliable_refusal(bench.now, seq);
            }
            bench.machine.handle_timeout(bench.now);
            bench.machine.check();
        }
        bench.now = end;
        all
    }
}

/// They are all dead, on hosts that refuse connections at once.
fn killed(members: &[u8]) -> World<'_> {
    World { silent: members, refusing: members, after: ms(1) }
}

fn counts(actions: &[Action], kind: EventKind) -> usize {
    events(actions).iter().filter(|&&(_, seen)| seen == kind).count()
}

#[test]
fn s5_one_whose_probes_are_refused_is_not_isolated_and_accuses() {
    let all: Vec<u8> = (1..=8).collect();
    let mut refused = bench(8, lan());
    let actions = killed(&all).pass(&mut refused, seconds(15));
    assert_eq!(counts(&actions, EventKind::Isolated), 0);
    let counters = refused.machine.counters();
    assert_eq!((counters.sentences_held, counters.suspicions_raised), (0, 8));
    assert!(counters.connections_refused >= 8);

    let mut silent = bench(8, lan());
    let gone = World { silent: &all, refusing: &[], after: ms(1) };
    let actions = gone.pass(&mut silent, seconds(15));
    assert_eq!(counts(&actions, EventKind::Isolated), 1);
    assert!(silent.machine.counters().sentences_held > 0);
}

#[test]
fn s5_a_refusal_that_comes_later_than_an_answer_in_time_would_is_counted_alone() {
    let all: Vec<u8> = (1..=8).collect();
    let late = World { silent: &all, refusing: &all, after: ms(1_001) };
    let mut bench = bench(8, lan());
    let actions = late.pass(&mut bench, seconds(20));
    assert!(bench.machine.counters().connections_refused > 0, "its health has made probes longer");
    assert_eq!(counts(&actions, EventKind::Isolated), 1);
}

#[test]
fn s5_a_refusal_without_a_probe_is_nothing() {
    let mut bench = bench(3, lan());
    let (_, seq) = first_ping(&mut bench);
    bench.machine.handle_reliable_refusal(bench.now, Seq(seq.0.wrapping_add(1)));
    assert_eq!(bench.machine.counters().connections_refused, 0);
    bench.machine.handle_reliable_refusal(bench.now, seq);
    assert_eq!(bench.machine.counters().connections_refused, 1);
    assert!(bench.machine.awaits_ack(seq), "it is no ack");
}

#[test]
fn s3_the_last_of_three_or_four_waits_for_nobody_who_cannot_confirm() {
    for (count, members) in [(2, &[1, 2][..]), (3, &[1, 2, 3])] {
        let mut bench = bench(count, lan());
        let began = bench.now;
        killed(members).pass(&mut bench, ms(7_900));
        let is_dead = |bench: &Bench, n| bench.claim(n).unwrap().1 == State::Dead;
        assert!(!members.iter().any(|&n| is_dead(&bench, n)), "twice the minimum");
        killed(members).pass(&mut bench, ms(2_100));
        assert!(members.iter().all(|&n| is_dead(&bench, n)), "{:?}", bench.now - began);
    }
}

#[test]
fn s3_without_the_rule_it_is_isolated_first() {
    let config = Config::builder(Profile::Lan).refusals(false).build().unwrap();
    let mut bench = bench(2, config);
    killed(&[1, 2]).pass(&mut bench, seconds(19));
    assert!(bench.machine.counters().connections_refused > 0);
    assert!([1, 2].iter().all(|&n| bench.claim(n).unwrap().1 != State::Dead));
}

#[test]
fn s3_a_refusal_shortens_no_suspicion_of_a_member_that_others_could_confirm() {
    for refusing in [&[1][..], &[]] {
        let mut bench = bench(4, lan());
        let world = World { silent: &[1], refusing, after: ms(1) };
        world.pass(&mut bench, seconds(12));
        let (_, suspicion) = bench.machine.running_suspicions().next().unwrap();
        assert_eq!(
            suspicion.times().confirmations,
            2,
            "of five, the suspect and this node included"
        );
        assert_eq!(suspicion.deadline() - suspicion.started(), seconds(24));
    }
}

#[test]
fn s3_one_that_does_not_answer_waits_for_those_only_that_could_confirm() {
    // 1 may be slow; 2 and 3 are no more.
    let world = World { silent: &[1, 2, 3], refusing: &[2, 3], after: ms(1) };
    let mut bench = bench(4, lan());
    world.pass(&mut bench, seconds(7));
    let wanted = |n: u8| {
        let mut running = bench.machine.running_suspicions();
        let found = running.find(|&(ix, _)| bench.machine.view(ix).id == id(n));
        found.unwrap().1.times().confirmations
    };
    assert_eq!([1, 2, 3].map(wanted), [1, 1, 1], "4 could, and of 2 and 3 also 1");
}

#[test]
fn p6_relays_that_say_nothing_of_a_refused_member_are_asked_themselves_at_the_end_of_its_probe() {
    let mut refused = bench(3, lan());
    let (first, _) = first_ping(&mut refused);
    let began = refused.now;
    let world = killed(&[1, 2, 3]);
    let asked = pings(&world.pass(&mut refused, ms(1_000)));
    let mut relays = (1..=3).filter(|&n| n != first);
    assert!(relays.all(|n| asked.iter().any(|&(to, _)| to == address(n))), "{asked:?}");
    world.pass(&mut refused, ms(1_100));
    let started: Vec<Instant> =
        refused.machine.running_suspicions().map(|(_, suspicion)| suspicion.started()).collect();
    assert_eq!(started.len(), 3);
    assert!(started.iter().all(|&at| at <= began), "they count from the first ping: {started:?}");

    // A nack says that the relay lives.
    let mut nacked = bench(3, lan());
    let (_, seq) = first_ping(&mut nacked);
    nacked.pass(ms(500));
    nacked.machine.handle_reliable_refusal(nacked.now, seq);
    for relay in 1..=3 {
        nacked.receive(relay, Datagram::Nack { seq });
    }
    let before = nacked.machine.counters().probes;
    nacked.pass(ms(500));
    assert!(nacked.machine.counters().probes <= before + 1, "no more than a turn");
}

#[test]
fn h1_a_refused_probe_speaks_of_no_fault_of_ones_own() {
    for (refusing, health) in [(&[1, 2, 3][..], 0), (&[], 1)] {
        let mut bench = bench(3, lan());
        first_ping(&mut bench);
        World { silent: &[1, 2, 3], refusing, after: ms(1) }.pass(&mut bench, ms(1_100));
        assert_eq!(bench.machine.health(), health);
    }
}
