//! The membership: news that is known, new or a change, probes, and look-ups, at several sizes.

mod support;

use std::hint::black_box;
use std::time::Duration;

use benches::{LOCAL, SIZES, Voice, address, id, record, tag};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use swim_membership::{Action, Config, Instant, Membership, Profile, Source, Via};
use swim_proto::{Claim, Datagram, Held, Incarnation, NodeId, Part, Seq, State, Subject, TinyId};

const FIRST: Incarnation = Incarnation::FIRST;
const NOW: Instant = Instant::from_micros(1);
/// How many members are learnt, or change, before the table is mended.
const CHUNK: u32 = 1_000;

fn gossip() -> Source {
    Source { address: address(1), via: Via::Gossip }
}

/// A table of so many members. It keeps one tombstone, so that who dies is forgotten.
fn membership(members: u32) -> Membership {
    let config = Config::builder(Profile::Lan).tombstones_max(1).build();
    let config = config.expect("a preset with another bound is possible");
    let mut membership = Membership::new(config, id(LOCAL), record(LOCAL), tag(), 7, Instant::ZERO);
    for number in 1..=members {
        learn(&mut membership, &Voice::word(number), FIRST);
    }
    settle(&mut membership);
    membership
}

fn learn(membership: &mut Membership, word: &(NodeId, Vec<u8>), incarnation: Incarnation) {
    tell(membership, &Voice::alive(word, incarnation));
}

fn tell(membership: &mut Membership, part: &Part<'_>) {
    membership.handle_part(NOW, gossip(), part);
    drain(membership);
}

/// Takes what is to be done, as a node does. Returns how much it was.
fn drain(membership: &mut Membership) -> usize {
    let mut count = 0;
    while let Some(action) = membership.poll_action() {
        black_box(action);
        count += 1;
    }
    count
}

/// Drops the list of changes, as whoever mirrors the table does.
fn settle(membership: &mut Membership) {
    let _ = membership.drain_changes(|_| {});
}

/// Members all over a table, in an order that no cache foresees.
fn spread(members: u32) -> impl Iterator<Item = u32> {
    (0..members.min(16_384)).map(move |k| {
        let step = u64::from(k) * 61_843 % u64::from(members);
        step as u32 + 1
    })
}

fn news(c: &mut Criterion) {
    let mut group = c.benchmark_group("news/known-alive");
    for members in SIZES {
        let mut membership = membership(members);
        let mut words = support::Round::new(spread(members).map(Voice::word).collect());
        group.bench_function(BenchmarkId::from_parameter(members), |b| {
            b.iter(|| learn(&mut membership, words.advance(), FIRST));
        });
    }
    drop(group);
    let mut group = c.benchmark_group("news/known-suspect");
    for members in SIZES {
        let mut membership = membership(members);
        let parts: Vec<_> =
            spread(members).skip(1).map(|number| Voice::suspect(number, 1, FIRST)).collect();
        parts.iter().for_each(|part| tell(&mut membership, part));
        settle(&mut membership);
        let mut parts = support::Round::new(parts);
        group.bench_function(BenchmarkId::from_parameter(members), |b| {
            b.iter(|| tell(&mut membership, parts.advance()));
        });
    }
    drop(group);
    let mut group = c.benchmark_group("news/suspected-and-refuted");
    for members in SIZES {
        let mut membership = membership(members);
        let mut words = support::Round::new(
            spread(members).skip(1).map(|number| (number, Voice::word(number), FIRST)).collect(),
        );
        group.bench_function(BenchmarkId::from_parameter(members), |b| {
            b.iter(|| {
                let (number, word, incarnation) = words.advance();
                tell(&mut membership, &Voice::suspect(*number, 1, *incarnation));
                *incarnation = incarnation.next();
                learn(&mut membership, word, *incarnation);
                settle(&mut membership);
            });
        });
    }
}

/// New members into a table of a size, and from nothing to that size.
fn learning(c: &mut Criterion) {
    let mut group = c.benchmark_group("learn/one");
    for members in SIZES {
        let mut membership = membership(members);
        let new = members + 1..=members + CHUNK;
        let mut words = support::Round::new(new.clone().map(Voice::word).collect());
        // One more dies last, so that the one tombstone that is kept is of none of these.
        let last = Voice::word(members + CHUNK + 1);
        let last_death = Voice::dead(members + CHUNK + 1, 1, FIRST);
        let deaths: Vec<_> = new.map(|number| Voice::dead(number, 1, FIRST)).collect();
        group.bench_function(BenchmarkId::from_parameter(members), |b| {
            b.iter_custom(|iterations| {
                words.restart();
                let forget = |membership: &mut Membership| {
                    deaths.iter().for_each(|part| tell(membership, part));
                    learn(membership, &last, FIRST);
                    tell(membership, &last_death);
                    settle(membership);
                };
                let lasts = u64::from(CHUNK);
                support::time_between(iterations, lasts, &mut membership, forget, |membership| {
                    learn(membership, words.advance(), FIRST);
                })
            });
        });
        assert_eq!(membership.counters().claims_stale, 0, "every one was new");
    }
    drop(group);
    let mut group = c.benchmark_group("learn/all");
    group.sample_size(10);
    for members in SIZES {
        let words: Vec<_> = (1..=members).map(Voice::word).collect();
        group.throughput(Throughput::Elements(members.into()));
        group.bench_function(BenchmarkId::from_parameter(members), |b| {
            b.iter_batched(
                || membership(0),
                |mut membership| {
                    words.iter().for_each(|word| learn(&mut membership, word, FIRST));
                    membership
                },
                BatchSize::PerIteration,
            );
        });
    }
}

fn probes(c: &mut Criterion) {
    let mut group = c.benchmark_group("probe/answer-a-ping");
    for members in SIZES {
        let mut membership = membership(members);
        let held =
            Held { claim: Claim::new(FIRST, State::Alive), record: record(LOCAL).hash() as u16 };
        let mut pings = support::Round::new(
            spread(members)
                .map(|number| {
                    let (target, from) = (Voice::tiny(LOCAL), Voice::tiny(number));
                    (
                        address(number),
                        Datagram::Ping { seq: Seq(number), target, from, held, note: None },
                    )
                })
                .collect::<Vec<_>>(),
        );
        group.bench_function(BenchmarkId::from_parameter(members), |b| {
            b.iter(|| {
                let (from, ping) = pings.advance();
                membership.handle_datagram(NOW, *from, ping);
                drain(&mut membership)
            });
        });
    }
    drop(group);
    let mut group = c.benchmark_group("probe/a-period-with-its-ack");
    for members in SIZES {
        let mut membership = membership(members);
        let mut now = NOW;
        group.bench_function(BenchmarkId::from_parameter(members), |b| {
            b.iter(|| {
                now = now + Duration::from_secs(1);
                membership.handle_timeout(now);
                while let Some(action) = membership.poll_action() {
                    if let Action::Send { to, message: Datagram::Ping { seq, .. }, .. } = action {
                        membership.handle_datagram(now, to, &Datagram::Ack { seq, note: None });
                    }
                }
            });
        });
        assert_eq!(membership.counters().probes_failed, 0, "all are acked");
    }
}

fn lookups(c: &mut Criterion) {
    let mut group = c.benchmark_group("table/find-by-id");
    for members in SIZES {
        let membership = membership(members);
        let mut ids = support::Round::new(spread(members).map(id).collect());
        group.bench_function(BenchmarkId::from_parameter(members), |b| {
            b.iter(|| membership.table().find(*ids.advance()));
        });
    }
    drop(group);
    let mut group = c.benchmark_group("table/find-by-short-id");
    for members in SIZES {
        let membership = membership(members);
        let subjects = spread(members).map(|number| Subject::Short(Voice::short(number)));
        let mut subjects = support::Round::new(subjects.collect());
        group.bench_function(BenchmarkId::from_parameter(members), |b| {
            b.iter(|| membership.table().find_subject(*subjects.advance()));
        });
    }
    drop(group);
    let mut group = c.benchmark_group("table/find-by-tiny-id");
    for members in SIZES {
        let membership = membership(members);
        let tinies: Vec<TinyId> = spread(members).map(Voice::tiny).collect();
        let mut tinies = support::Round::new(tinies);
        group.bench_function(BenchmarkId::from_parameter(members), |b| {
            b.iter(|| membership.table().find_tiny(*tinies.advance()));
        });
    }
    drop(group);
    let mut group = c.benchmark_group("table/part-of");
    for members in SIZES {
        let membership = membership(members);
        let table = membership.table();
        let mut members_of = support::Round::new(
            spread(members).filter_map(|number| table.find(id(number))).collect::<Vec<_>>(),
        );
        group.bench_function(BenchmarkId::from_parameter(members), |b| {
            b.iter(|| {
                let who = swim_membership::Who::Member(*members_of.advance());
                matches!(black_box(membership.part(who)), Some(Part::Alive { .. }))
            });
        });
    }
}

criterion_group! {
    name = layer;
    config = support::criterion();
    targets = news, learning, probes, lookups
}
criterion_main!(layer);
