//! At rest a node allocates nothing: buffers are used again, and queues hold small values.
//!
//! Each test warms a node up, so that its buffers have their size, then counts.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use allocation_counter::measure;
use benches::{Pair, Populated, Voice, address, config};
use swim_proto::Incarnation;
use swimmer::{Config, Profile};

/// How many allocations `work` makes, once it was done before.
fn allocations(mut work: impl FnMut()) -> u64 {
    work();
    measure(work).count_total
}

#[test]
fn a_ping_is_acked_without_an_allocation() {
    let mut node = Populated::new(1_000);
    let mut pings: Vec<_> =
        (1..=1_000).map(|from| (address(from), node.voice().ping(from))).collect();
    let count = allocations(|| {
        for (from, ping) in &mut pings {
            assert_eq!(node.take(*from, ping), 18, "a bare ack");
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn news_that_is_known_is_merged_without_an_allocation() {
    let mut node = Populated::new(1_000);
    let incarnation = node.incarnation();
    let mut gossip: Vec<_> =
        (0..100).map(|n| node.voice().gossip_of((1..=8).map(|k| n * 8 + k), incarnation)).collect();
    let count = allocations(|| {
        for datagram in &mut gossip {
            assert_eq!(node.take(address(1), datagram), 0);
        }
    });
    assert_eq!(count, 0);
    let stats = node.stats();
    assert_eq!((stats.wire.parts_malformed, stats.members_held), (0, 1_000));
}

#[test]
fn a_suspicion_that_is_known_is_merged_without_an_allocation() {
    let mut node = Populated::new(1_000);
    let suspicions: Vec<_> =
        (10..18).map(|number| Voice::suspect(number, 1, Incarnation::FIRST)).collect();
    let gossip = node.voice().gossip(suspicions);
    // Some of them are looked into, and all are told on.
    let _ = node.take(address(1), &mut gossip.clone());
    node.quieten();
    assert_eq!(node.stats().suspicions, 8);
    let mut again = gossip;
    let count = allocations(|| {
        node.take(address(1), &mut again);
    });
    assert_eq!(count, 0);
}

#[test]
fn a_datagram_is_filled_from_a_long_queue_without_an_allocation() {
    let mut node = Populated::new(2_000);
    let mut ping = node.voice().ping(1);
    node.renew();
    let count = allocations(|| {
        for _ in 0..100 {
            let sent = node.take(address(1), &mut ping);
            assert!(sent > 1_350, "an ack full of news has {sent} bytes");
        }
    });
    assert_eq!(count, 0);
    assert_eq!(node.stats().updates_queued, 2_000, "the queue was long all the time");
}

#[test]
fn a_gossip_tick_allocates_nothing() {
    let mut node = Populated::new(100);
    node.renew();
    let before = node.stats().wire.datagrams_out;
    let count = allocations(|| {
        for _ in 0..5 {
            node.wake();
        }
    });
    assert_eq!(count, 0);
    let gossiped = node.stats().wire.datagrams_out - before;
    assert!(gossiped >= 15, "three datagrams a tick, so at least 15 and not {gossiped}");
}

#[test]
fn a_round_of_probes_among_many_members_allocates_nothing() {
    let mut node = Populated::new(100);
    let mut probe_all = || {
        let mut pings = 0;
        // Twice round, so that the order was shuffled anew in between.
        while pings < 200 {
            pings += node.wake().1;
        }
    };
    assert_eq!(allocations(&mut probe_all), 0);
    let stats = node.stats();
    assert_eq!((stats.membership.probes, stats.membership.probes_failed), (400, 0));
    assert_eq!((stats.suspicions, stats.health), (0, 0));
}

#[test]
fn two_nodes_that_probe_each_other_allocate_nothing() {
    let mut pair = Pair::new(&config());
    let before = pair.stats();
    let count = allocations(|| pair.run(Duration::from_secs(10)));
    assert_eq!(count, 0);
    for (after, before) in pair.stats().iter().zip(before) {
        assert_eq!(after.membership.probes - before.membership.probes, 20);
        assert_eq!(after.wire.datagrams_in - before.wire.datagrams_in, 40);
        assert_eq!(after.membership.probes_failed, 0);
    }
}

#[test]
fn two_nodes_whose_digests_agree_ask_each_other_nothing_more_and_allocate_nothing() {
    let mut pair = Pair::new(&Config::preset(Profile::Lan));
    let before = pair.stats();
    let count = allocations(|| pair.run(Duration::from_secs(120)));
    assert_eq!(count, 0);
    for (after, before) in pair.stats().iter().zip(before) {
        assert_eq!(after.wire.exchanges, before.wire.exchanges);
        assert_eq!(after.membership.probes - before.membership.probes, 240);
    }
}

#[test]
fn a_comparison_of_equal_tables_allocates_no_more_than_the_round_it_is() {
    // With digests nobody would ask.
    let config = Config::builder(Profile::Lan).digest(false).build().unwrap();
    let mut pair = Pair::new(&config);
    pair.run(Duration::from_secs(60));
    let asked = |pair: &Pair| pair.stats().iter().map(|stats| stats.wire.exchanges).sum::<u64>();
    let before = asked(&pair);
    let count = measure(|| pair.run(Duration::from_secs(60))).count_total;
    let comparisons = asked(&pair) - before;
    assert!((3..=5).contains(&comparisons), "two nodes, every 30 s: {comparisons}");
    assert!(count <= comparisons, "{count} allocations in {comparisons} comparisons");
}

#[test]
fn reading_that_nothing_has_changed_allocates_nothing() {
    let mut node = Populated::new(100);
    assert_eq!(allocations(|| node.forget_changes()), 0);
}

#[test]
fn a_node_with_nothing_to_say_is_woken_for_its_probes_alone() {
    let mut node = Populated::new(100);
    node.wake();
    let start = node.wake().0;
    let mut pings = 0;
    for _ in 0..60 {
        let (_, sent) = node.wake();
        assert_eq!(sent, 1, "nothing but a probe is worth a wake-up");
        pings += sent;
    }
    let (end, _) = node.wake();
    assert_eq!(pings, 60);
    // Each turn has its place in the period.
    let periods = (end - start).as_secs();
    assert!((60..=62).contains(&periods), "one wake-up a period: {periods}");
}
