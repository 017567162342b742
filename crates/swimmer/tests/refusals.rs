//! Processes that are killed on hosts that stay up: their hosts refuse connections, and so say that
//! the network works (P6, S3, S5).

#![allow(clippy::unwrap_used)]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use support::{all_see_all, start_many, state, until};
use swim_membership::Table;
use swim_proto::{RecordFields, State, Versions};
use swimmer::node::{Answer, Node, Output, Settings};
use swimmer::{ClusterName, Instant, NodeId};
use tokio::time::Instant as Clock;

/// So often it is tried anew where the machine itself stood still: time that a node has lost is
/// not held against a suspect (S8), so the promise does not cover it.
const TRIES: u32 = 3;
/// Twice the minimum and two periods at `local`, and a margin for a busy machine.
const BOUND: Duration = Duration::from_millis(3_000 + 500);

/// Kills all of `count` nodes but one. Returns after how long that one holds them dead.
async fn kill_all_but_one_of(count: usize) -> (Duration, u64) {
    let mut nodes = start_many(count).await;
    until("all see all", || all_see_all(&nodes)).await;
    let survivor = nodes.pop().unwrap();
    let victims: Vec<NodeId> = nodes.iter().map(swimmer::Cluster::id).collect();
    let killed = Clock::now();
    for node in nodes {
        node.shutdown().await;
    }
    let are_dead = || victims.iter().all(|&id| state(&survivor, id) == Some(State::Dead));
    until("they are held dead", are_dead).await;
    let took = killed.elapsed();
    let stats = survivor.stats().membership;
    assert!(stats.connections_refused > 0);
    (took, stats.stalls)
}

async fn are_held_dead_in_time(count: usize) {
    for _ in 0..TRIES {
        let (took, stalls) = kill_all_but_one_of(count).await;
        if took <= BOUND {
            return;
        }
        assert!(stalls > 0, "all but one of {count} were held dead after {took:?} only");
    }
    panic!("this machine stands still too often to tell");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s5_two_of_three_that_are_killed_are_held_dead_in_twice_the_minimum_and_two_periods() {
    are_held_dead_in_time(3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s5_three_of_four_that_are_killed_are_held_dead_in_twice_the_minimum_and_two_periods() {
    are_held_dead_in_time(4).await;
}

fn id(n: u8) -> NodeId {
    NodeId::from_bytes([n; 16])
}

fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, n], 7_000))
}

/// A node at `lan` that has met two others, and hears nothing of them any more: exchanges end so.
fn states_after(duration: Duration, end: impl Fn() -> Answer<'static>) -> (Vec<State>, u64) {
    let cluster = ClusterName::new("test").unwrap();
    let mut now = Instant::ZERO;
    let mut node = Node::new(Settings::new(id(0), cluster.clone(), address(0)), now).unwrap();
    let record = |n| {
        let (address, versions) = (address(n), Versions::default());
        RecordFields { address, versions, name: "", metadata: &[], later: &[] }.build().unwrap()
    };
    let members = [1, 2].map(|n| (id(n), record(n)));
    node.adopt(now, &Table::of_alive(cluster.tag(), 1, members));
    let ends = now + duration;
    while now <= ends {
        let mut asked = Vec::new();
        let wake_at = loop {
            match node.poll_output() {
                Output::Exchange { id, .. } => asked.push(id),
                Output::Wait(at) => break at,
                _ => {}
            }
        };
        if asked.is_empty() {
            now = wake_at;
            node.handle_timeout(now);
        }
        for exchange in asked {
            node.handle_reply(now, exchange, end());
        }
    }
    let states = [1, 2].map(|n| node.claim(id(n)).unwrap().state);
    (states.to_vec(), node.stats().membership.connections_refused)
}

#[test]
fn s5_a_refused_exchange_is_handed_to_the_membership_and_a_failed_one_is_not() {
    let ten = Duration::from_secs(10);
    let (states, refused) = states_after(ten, || Answer::Refused);
    assert_eq!(states, [State::Dead; 2]);
    assert!(refused >= 2);
    let (states, refused) = states_after(ten, || Answer::Nothing);
    assert_ne!(states, [State::Dead; 2]);
    assert_eq!(refused, 0);
}
