//! The node: bytes in, bytes out, at several sizes.

mod support;

use std::net::SocketAddr;

use benches::{Populated, SIZES, Voice, address, config};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use swim_proto::Incarnation;
use swimmer::{Config, Profile};

/// Datagrams from members all over the table, in an order that no cache foresees.
fn datagrams(
    members: u32,
    mut datagram: impl FnMut(u32) -> Vec<u8>,
) -> support::Round<(SocketAddr, Vec<u8>)> {
    let senders = (0..members.min(4_096)).map(|k| {
        let step = u64::from(k) * 61_843 % u64::from(members);
        step as u32 + 1
    });
    support::Round::new(senders.map(|from| (address(from), datagram(from))).collect())
}

/// A datagram with 8 updates that are all known: decoded and merged.
fn known_updates(c: &mut Criterion) {
    let mut group = c.benchmark_group("known-updates");
    for updates in [1, 8, 50] {
        for members in SIZES {
            let mut node = Populated::new(members);
            let mut datagrams = datagrams(members, |from| {
                let about = (0..updates).map(|k| (from + k * 7_919) % members + 1);
                node.voice().gossip_of(about, Incarnation::FIRST)
            });
            group.throughput(Throughput::Elements(updates.into()));
            group.bench_function(BenchmarkId::new(updates.to_string(), members), |b| {
                b.iter(|| {
                    let (from, bytes) = datagrams.advance();
                    node.take(*from, bytes)
                });
            });
        }
    }
}

/// A bare ping comes in, a bare ack goes out.
fn pings(c: &mut Criterion) {
    let mut group = c.benchmark_group("ping-to-ack");
    for members in SIZES {
        let mut node = Populated::new(members);
        let mut pings = datagrams(members, |from| node.voice().ping(from));
        group.bench_function(BenchmarkId::from_parameter(members), |b| {
            b.iter(|| {
                let (from, bytes) = pings.advance();
                node.take(*from, bytes)
            });
        });
    }
}

/// A ping comes in while much news waits: the ack is filled to 1,400 bytes. With that of a bare
/// ack subtracted it is the time of a fill.
fn fills(c: &mut Criterion) {
    let mut group = c.benchmark_group("fill-an-ack");
    for members in SIZES {
        let mut node = Populated::new(members);
        let mut ping = node.voice().ping(1);
        // News of 100 members is sent 8 times or more, 52 members a datagram.
        let lasts = u64::from(members) * 7 / 52;
        group.bench_function(BenchmarkId::from_parameter(members), |b| {
            b.iter_custom(|iterations| {
                support::time_between(iterations, lasts, &mut node, Populated::renew, |node| {
                    let bytes = node.take(address(1), &mut ping);
                    assert!(bytes > 1_370, "the ack is full");
                })
            });
        });
    }
}

/// A member that is not known yet comes in a datagram.
fn learning(c: &mut Criterion) {
    const CHUNK: u32 = 1_000;
    let mut group = c.benchmark_group("learn-one");
    for members in SIZES {
        let config = Config::builder(Profile::Lan).tombstones_max(1).build();
        let mut node = Populated::with_config(members, config.expect("a bound may be changed"));
        let mut alive: Vec<_> = (members + 1..=members + CHUNK + 1)
            .map(|number| node.voice().gossip_of([number], Incarnation::FIRST))
            .collect();
        // One more dies last, so that the one tombstone that is kept is of none of these.
        let mut last = alive.pop().expect("there is one more");
        let mut dead: Vec<_> = (members + 1..=members + CHUNK + 1)
            .map(|number| node.voice().gossip([Voice::dead(number, 1, Incarnation::FIRST)]))
            .collect();
        let mut last_death = dead.pop().expect("there is one more");
        let mut alive = support::Round::new(alive);
        group.bench_function(BenchmarkId::from_parameter(members), |b| {
            b.iter_custom(|iterations| {
                alive.restart();
                let restore = |node: &mut Populated| {
                    for datagram in &mut dead {
                        node.take(address(1), datagram);
                    }
                    node.take(address(1), &mut last);
                    node.take(address(1), &mut last_death);
                    node.forget_changes();
                };
                support::time_between(iterations, CHUNK.into(), &mut node, restore, |node| {
                    node.take(address(1), alive.advance());
                })
            });
        });
        assert_eq!(node.stats().membership.claims_stale, 0, "every one was new");
    }
}

/// A whole table comes by sync, into a node that knew nobody.
fn joining(c: &mut Criterion) {
    let mut group = c.benchmark_group("learn-all");
    group.sample_size(10);
    for members in SIZES {
        let frames = Voice::new().sync_all(members, Incarnation::FIRST);
        group.throughput(Throughput::Elements(members.into()));
        group.bench_function(BenchmarkId::from_parameter(members), |b| {
            b.iter_batched(
                || (Populated::new(0), frames.clone()),
                |(mut node, mut frames)| {
                    for frame in &mut frames {
                        node.ask(frame);
                    }
                    node
                },
                BatchSize::PerIteration,
            );
        });
    }
}

/// A node with nothing to say: its whole period, which is one probe with its ack.
fn periods(c: &mut Criterion) {
    let mut group = c.benchmark_group("a-period-at-rest");
    for members in SIZES {
        let mut node = Populated::with_config(members, config());
        group.bench_function(BenchmarkId::from_parameter(members), |b| b.iter(|| node.wake()));
        let stats = node.stats();
        assert_eq!(stats.membership.probes_failed, 0, "all are acked");
    }
}

criterion_group! {
    name = node;
    config = support::criterion();
    targets = known_updates, pings, fills, learning, joining, periods
}
criterion_main!(node);
