//! The queues: news goes in, is packed and leaves, at several lengths.

mod support;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use swim_dissemination::{BroadcastQueue, Outbox, Packed, Packer, SeenSet, UpdateQueue, Urgency};

const LENGTHS: [u32; 5] = [10, 100, 1_000, 10_000, 100_000];
/// How many members' news fit a datagram of 1,400 bytes.
const FIT: u32 = 52;
/// How often news is sent.
const TRANSMITS: u32 = 24;

fn queue(length: u32) -> UpdateQueue {
    let mut queue = UpdateQueue::new();
    refill(&mut queue, length);
    queue
}

fn refill(queue: &mut UpdateQueue, length: u32) {
    (0..length).for_each(|key| queue.push(key, Urgency::Normal));
}

/// How many fills of a queue of this length leave it at that length.
fn lasts(length: u32) -> u64 {
    u64::from(((TRANSMITS - 1) * length / FIT).clamp(1, 10_000))
}

fn updates(c: &mut Criterion) {
    let mut group = c.benchmark_group("updates/fill");
    for length in LENGTHS {
        group.bench_with_input(BenchmarkId::from_parameter(length), &length, |b, &length| {
            let mut queue = queue(length);
            b.iter_custom(|iterations| {
                let restore = |queue: &mut UpdateQueue| refill(queue, length);
                support::time_between(iterations, lasts(length), &mut queue, restore, |queue| {
                    let mut room = FIT;
                    queue.fill(TRANSMITS, |key| {
                        black_box(key);
                        if room == 0 {
                            return Packed::NoRoom;
                        }
                        room -= 1;
                        Packed::Done
                    });
                })
            });
        });
    }
    drop(group);
    let mut group = c.benchmark_group("updates/push");
    for length in LENGTHS {
        group.bench_with_input(BenchmarkId::from_parameter(length), &length, |b, &length| {
            let mut queue = queue(length);
            let mut key = 0;
            b.iter(|| {
                // A step that meets every key, in an order that no cache foresees.
                key = (key + 61_843) % length;
                queue.push(key, Urgency::Normal);
            });
        });
    }
    drop(group);
    let mut group = c.benchmark_group("updates/remove-and-push");
    for length in LENGTHS {
        group.bench_with_input(BenchmarkId::from_parameter(length), &length, |b, &length| {
            let mut queue = queue(length);
            let mut key = 0;
            b.iter(|| {
                key = (key + 61_843) % length;
                let removed = queue.remove(key);
                queue.push(key, Urgency::Urgent);
                removed
            });
        });
    }
}

/// Packs by size alone.
struct Sizes {
    used: usize,
}

impl Sizes {
    fn add(&mut self, bytes: usize, until: usize) -> Packed {
        if self.used + bytes > until {
            return Packed::NoRoom;
        }
        self.used += bytes;
        Packed::Done
    }
}

impl Packer<u64> for Sizes {
    fn used(&self) -> usize {
        self.used
    }

    fn pack_update(&mut self, _: u32, until: usize) -> Packed {
        self.add(26, until)
    }

    fn pack_broadcast(&mut self, _: &u64, until: usize) -> Packed {
        self.add(100, until)
    }
}

fn broadcasts(c: &mut Criterion) {
    let mut group = c.benchmark_group("outbox/fill-both");
    for length in [10, 100, 1_000] {
        group.bench_with_input(BenchmarkId::from_parameter(length), &length, |b, &length| {
            let fresh = || {
                let mut outbox = Outbox::new();
                (0..length).for_each(|key| outbox.push_update(key, Urgency::Normal));
                (0..length).for_each(|item| outbox.push_broadcast(u64::from(item), 80));
                outbox
            };
            let mut outbox = fresh();
            b.iter_custom(|iterations| {
                let restore = |outbox: &mut Outbox<u64>| *outbox = fresh();
                support::time_between(iterations, lasts(length), &mut outbox, restore, |outbox| {
                    outbox.fill(&mut Sizes { used: 10 }, 1_400, TRANSMITS);
                })
            });
        });
    }
    drop(group);
    let mut group = c.benchmark_group("broadcasts/push-to-a-full-queue");
    group.bench_function("1024", |b| {
        let mut queue = BroadcastQueue::new();
        let mut item = 0_u64;
        (0..1_024).for_each(|item| queue.push(item, 80));
        b.iter(|| {
            item += 1;
            queue.push(item, 80);
        });
    });
    drop(group);
    let mut group = c.benchmark_group("seen");
    let mut seen = SeenSet::new(7);
    let mut key = 0_u64;
    group.bench_function("insert-new", |b| {
        b.iter(|| {
            key += 1;
            seen.insert(black_box(key))
        });
    });
    group.bench_function("insert-known", |b| b.iter(|| seen.insert(black_box(key))));
}

criterion_group! {
    name = dissemination;
    config = support::criterion();
    targets = updates, broadcasts
}
criterion_main!(dissemination);
