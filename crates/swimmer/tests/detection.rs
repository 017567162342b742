//! How soon a killed member is held dead by all: a promise of the protocol, so it is asserted.

#![allow(clippy::unwrap_used)]

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use support::{all_see_all, builder, event, start_by, until};
use swim_transport::{Faulty, UdpTcp};
use swimmer::{Cluster, Event, Profile};
use tokio::task::JoinSet;

/// So often it is tried anew where the machine itself stood still: time that a node has lost is
/// not held against a suspect (S8), so the promise does not cover it.
const TRIES: u32 = 3;

/// Starts a node that loses this many per mille of the datagrams that arrive.
async fn start_one(profile: Profile, loss: u32, seed: u64, first: Option<SocketAddr>) -> Cluster {
    let builder = builder().profile(profile);
    if loss == 0 {
        return start_by(builder, first).await;
    }
    let sockets = UdpTcp::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let transport = Faulty::new(sockets, seed);
    transport.control().lose_on_receipt(loss);
    start_by(builder.transport(transport), first).await
}

async fn start_all(count: u64, profile: Profile, loss: u32) -> Vec<Cluster> {
    let mut nodes = Vec::<Cluster>::new();
    for seed in 0..count {
        let first = nodes.first().map(Cluster::local_addr);
        nodes.push(start_one(profile, loss, seed, first).await);
    }
    until("all see all", || all_see_all(&nodes)).await;
    nodes
}

/// Kills one of the nodes. Returns after how long the last of the others told its user of it.
async fn kill_one(nodes: &mut Vec<Cluster>) -> Duration {
    let victim = nodes.pop().unwrap();
    let id = victim.id();
    let mut observers = JoinSet::new();
    for node in nodes.iter() {
        let mut events = node.subscribe();
        observers.spawn(async move {
            let down = event("down", &mut events, |event| match event {
                Event::Down(member, _) => Some(member.id),
                _ => None,
            });
            assert_eq!(down.await, id, "nobody else dies");
            Instant::now()
        });
    }
    let killed = Instant::now();
    victim.shutdown().await;
    let last = observers.join_all().await.into_iter().max().unwrap();
    last - killed
}

fn stalls(nodes: &[Cluster]) -> u64 {
    nodes.iter().map(|node| node.stats().membership.stalls).sum()
}

async fn is_held_dead_by_all_within(profile: Profile, bound: Duration) {
    for _ in 0..TRIES {
        let mut nodes = start_all(12, profile, 0).await;
        let took = kill_one(&mut nodes).await;
        if took <= bound {
            return;
        }
        assert!(stalls(&nodes) > 0, "a killed member was held dead by all after {took:?} only");
    }
    panic!("this machine stands still too often to tell");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_member_of_twelve_is_held_dead_by_all_within_7_s_at_lan() {
    is_held_dead_by_all_within(Profile::Lan, Duration::from_secs(7)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_member_of_twelve_is_held_dead_by_all_within_4_5_s_at_fast() {
    is_held_dead_by_all_within(Profile::Fast, Duration::from_millis(4_500)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_20_percent_loss_each_killed_member_of_24_is_held_dead_by_all_within_10_s_at_lan() {
    let mut nodes = start_all(24, Profile::Lan, 200).await;
    let (mut in_time, mut tries) = (0, 0);
    while in_time < 3 {
        assert!(tries < 3 + TRIES, "this machine stands still too often to tell");
        tries += 1;
        let before = stalls(&nodes);
        let took = kill_one(&mut nodes).await;
        if took <= Duration::from_secs(10) {
            in_time += 1;
        } else {
            assert!(stalls(&nodes) > before, "held dead by all after {took:?} only");
        }
    }
}
