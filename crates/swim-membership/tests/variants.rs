//! The switches by which the machine behaves as SWIM, Lifeguard and memberlist do, for comparisons.

#![allow(clippy::unwrap_used)]

mod support;

use core::time::Duration;

use support::{Bench, LOCAL, Say, address, datagrams, id, pings, seconds, short, tiny};
use swim_membership::{
    Buddy, Config, ConfigBuilder, HealthRule, Nacks, Profile, SuspicionRule, Tell, Via, Who,
};
use swim_proto::{Datagram, Seq, State};

fn bench(members: u8, change: impl FnOnce(ConfigBuilder) -> ConfigBuilder) -> Bench {
    let mut bench = Bench::with(change(Config::builder(Profile::Lan).plain()).build().unwrap());
    (1..=members).for_each(|n| bench.hear(Say::Alive(n, 1)));
    bench.drain();
    bench
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Lets the machine's first probe fail, with nacks from so many of its three relays. Returns its
/// health then, and how long after the ping the relays were asked.
fn fail_a_probe(bench: &mut Bench, nacks: usize) -> (u32, Duration) {
    let seq = loop {
        let actions = bench.pass(ms(1));
        if let Some(&(_, seq)) = pings(&actions).first() {
            break seq;
        }
    };
    let began = bench.now;
    let mut asked = None;
    while bench.machine.counters().probes_failed == 0 {
        let actions = bench.pass(ms(1));
        let relays = datagrams(&actions).into_iter().filter_map(|(to, message, _)| {
            let asks = matches!(message, Datagram::PingReq { seq: of, .. } if of == seq);
            asks.then(|| (1..=LOCAL).find(|&n| address(n) == to).unwrap())
        });
        for relay in relays.take(nacks) {
            asked.get_or_insert(bench.now - began);
            bench.receive(relay, Datagram::Nack { seq });
        }
    }
    (bench.machine.health(), asked.unwrap_or_default())
}

#[test]
fn a_failed_probe_costs_health_by_the_rule_that_is_chosen() {
    for (rule, nacks, cost) in [
        (HealthRule::Once, 3, 0),
        (HealthRule::Once, 1, 1),
        (HealthRule::Paper, 3, 1),
        (HealthRule::Paper, 1, 2),
        (HealthRule::Memberlist, 3, 0),
        (HealthRule::Memberlist, 1, 2),
        (HealthRule::Memberlist, 0, 3),
    ] {
        let mut bench = bench(6, |config| config.health_rule(rule));
        assert_eq!(fail_a_probe(&mut bench, nacks).0, cost, "{rule:?} with {nacks} nacks");
    }
}

#[test]
fn a_probe_without_relays_costs_one_by_memberlists_rule() {
    let mut bench = bench(1, |config| config.health_rule(HealthRule::Memberlist));
    assert_eq!(fail_a_probe(&mut bench, 0).0, 1);
}

#[test]
fn bad_health_does_not_delay_the_relays_nor_the_next_probe_by_memberlists_rule() {
    for (rule, relays_after, probes) in
        [(HealthRule::Once, 1_000, 4..=5), (HealthRule::Memberlist, 500, 7..=8)]
    {
        let mut slow = bench(6, |config| config.health_rule(rule).health_max(1));
        slow.hear(Say::Suspect(LOCAL, 1, 2));
        slow.drain();
        let (_, after) = fail_a_probe(&mut slow, 3);
        assert!(after.abs_diff(ms(relays_after)) < ms(3), "{rule:?} asks after {after:?}");

        let mut slow = bench(6, |config| config.health_rule(rule).health_max(1));
        // It is accused again and again, so that its health stays bad.
        let began = slow.machine.counters().probes;
        for _ in 0..8 {
            slow.hear(Say::Suspect(LOCAL, slow.own_incarnation(), 2));
            slow.pass_with_acks(seconds(1), &[]);
        }
        let made = slow.machine.counters().probes - began;
        assert!(probes.contains(&made), "{rule:?} makes {made} probes in 8 s");
    }
}

#[test]
fn a_probe_that_waits_keeps_the_next_one_waiting_by_memberlists_rule() {
    let mut slow = bench(6, |config| config.health_rule(HealthRule::Memberlist).health_max(3));
    fail_a_probe(&mut slow, 0);
    assert_eq!(slow.machine.health(), 3);
    let began = slow.machine.counters().probes;
    slow.pass(seconds(9));
    let made = slow.machine.counters().probes - began;
    assert!((2..=3).contains(&made), "each takes four periods: {made}");
}

#[test]
fn relays_say_nack_when_the_rule_wants_it() {
    for (nacks, early, late) in
        [(Nacks::Early, true, true), (Nacks::Late, false, true), (Nacks::Never, false, false)]
    {
        let mut bench = bench(3, |config| config.nacks(nacks));
        bench.receive(1, Datagram::PingReq { seq: Seq(5), from: tiny(1), target: short(2) });
        let said = |sent: &[_]| {
            sent.contains(&(address(1), Datagram::Nack { seq: Seq(5) }, Tell::Nothing))
        };
        let first = said(&datagrams(&bench.pass(ms(450))));
        let second = said(&datagrams(&bench.pass(ms(550))));
        assert_eq!((first, first || second), (early, late), "{nacks:?}");
        bench.receive(1, Datagram::PingReq { seq: Seq(5), from: tiny(1), target: short(9) });
        assert_eq!(said(&datagrams(&bench.drain())), nacks != Nacks::Never, "{nacks:?}");
    }
}

#[test]
fn a_ping_tells_its_target_what_the_rule_allows() {
    let bare = Tell::News;
    let own = Tell::First(Who::Local);
    for (buddy, suspected, outdated) in [
        (Buddy::All, (2, own), (2, own)),
        (Buddy::Suspicion, (2, own), (1, bare)),
        (Buddy::Nothing, (1, bare), (1, bare)),
    ] {
        for (incarnation, state, (rises_to, tell)) in [
            (1, State::Suspect, suspected),
            (1, State::Alive, (1, bare)),
            (0, State::Alive, (1, outdated.1)),
        ] {
            let mut bench = bench(1, |config| config.buddy(buddy));
            bench.receive_ping(1, incarnation, state);
            let sent = datagrams(&bench.drain());
            assert_eq!(
                sent,
                [(address(1), Datagram::Ack { seq: Seq(77), note: None }, tell)],
                "{buddy:?}"
            );
            assert_eq!(bench.own_incarnation(), rises_to, "{buddy:?}");
        }
    }
}

#[test]
fn stale_claims_are_not_answered_where_corrections_are_off() {
    for corrections in [true, false] {
        let mut bench = bench(3, |config| config.corrections(corrections));
        bench.hear(Say::Dead(2, 1));
        bench.drain();
        bench.hear_from(1, Via::Gossip, Say::Alive(2, 1));
        assert_eq!(!datagrams(&bench.drain()).is_empty(), corrections);
        assert_eq!(bench.claim(2), Some((1, State::Dead)));
        bench.hear(Say::Alive(3, 2));
        bench.pass(seconds(2));
        bench.hear_from(1, Via::Gossip, Say::Dead(3, 1));
        assert_eq!(!datagrams(&bench.drain()).is_empty(), corrections);
    }
}

#[test]
fn a_fixed_suspicion_ends_as_late_whoever_confirms_it() {
    let fixed =
        |config: ConfigBuilder| config.suspicion_rule(SuspicionRule::Fixed).suspicion_alpha(5);
    let mut bench = bench(9, fixed);
    for by in 2..6 {
        bench.hear(Say::Suspect(9, 1, by));
    }
    bench.pass_with_acks(ms(4_990), &[]);
    assert_eq!(bench.claim(9), Some((1, State::Suspect)));
    bench.pass_with_acks(ms(20), &[]);
    assert_eq!(bench.claim(9), Some((1, State::Dead)));
    assert!(bench.machine.table().find(id(9)).is_some());
}
