//! UDP and TCP over loopback: the cost of the system's calls, under which no node can be.

mod support;

use std::hint::black_box;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use swim_transport::{Batch, Transport, UdpTcp};
use tokio::runtime::Runtime;

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("the system gives a runtime")
}

async fn pair() -> (UdpTcp, UdpTcp) {
    let loopback = "127.0.0.1:0".parse().expect("it is an address");
    let bind = async || UdpTcp::bind(loopback).await.expect("loopback has free ports");
    (bind().await, bind().await)
}

/// There and back.
fn datagrams(c: &mut Criterion) {
    let runtime = runtime();
    let mut group = c.benchmark_group("datagram/round-trip");
    for bytes in [10, 200, 1_400] {
        group.bench_function(BenchmarkId::from_parameter(bytes), |b| {
            b.iter_custom(|iterations| {
                runtime.block_on(async {
                    let (a, b) = pair().await;
                    let (payload, mut buffer) = (vec![7; bytes], vec![0; 2_048]);
                    let started = Instant::now();
                    for _ in 0..iterations {
                        a.send_to(&payload, b.local_addr()).await.expect("loopback carries it");
                        let (length, from) = b.recv_from(&mut buffer).await.expect("it arrives");
                        b.send_to(&buffer[..length], from).await.expect("loopback carries it");
                        black_box(a.recv_from(&mut buffer).await.expect("it arrives"));
                    }
                    started.elapsed()
                })
            });
        });
    }
}

/// Many that are there already, taken one by one or as a batch.
fn batches(c: &mut Criterion) {
    const COUNT: usize = 32;
    let runtime = runtime();
    let mut group = c.benchmark_group("datagram/send-and-take-32");
    group.throughput(Throughput::Elements(COUNT as u64));
    for room in [1, 8, 32] {
        group.bench_function(BenchmarkId::from_parameter(room), |b| {
            b.iter_custom(|iterations| {
                runtime.block_on(async {
                    let (a, b) = pair().await;
                    let mut batch = Batch::new(room, 2_048);
                    let started = Instant::now();
                    for _ in 0..iterations {
                        for _ in 0..COUNT {
                            a.send_to(&[7; 200], b.local_addr()).await.expect("it is carried");
                        }
                        let mut taken = 0;
                        while taken < COUNT {
                            b.recv_batch(&mut batch).await.expect("it arrives");
                            taken += batch.len();
                        }
                    }
                    started.elapsed()
                })
            });
        });
    }
}

/// A connection, a request, a reply.
fn exchanges(c: &mut Criterion) {
    let runtime = runtime();
    let mut group = c.benchmark_group("exchange/round-trip");
    group.sample_size(10);
    for bytes in [64, 1_024, 64 * 1_024] {
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(BenchmarkId::from_parameter(bytes), |b| {
            b.iter_custom(|iterations| {
                runtime.block_on(async {
                    let (a, b) = pair().await;
                    let to = b.local_addr();
                    let echo = tokio::spawn(async move {
                        while let Ok(incoming) = b.accept().await {
                            incoming.responder.reply(incoming.frame);
                        }
                    });
                    let mut frame = (bytes as u32).to_le_bytes().to_vec();
                    frame.resize(4 + bytes, 7);
                    let started = Instant::now();
                    for _ in 0..iterations {
                        let reply = a.exchange(to, frame.clone()).await;
                        assert!(reply.expect("it is answered").is_some());
                    }
                    let time = started.elapsed();
                    echo.abort();
                    time
                })
            });
        });
    }
}

criterion_group! {
    name = transport;
    config = support::criterion();
    targets = datagrams, batches, exchanges
}
criterion_main!(transport);
