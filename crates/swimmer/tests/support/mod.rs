//! What the tests of clusters share: nodes on loopback, and waiting that ends.

// Not every test file uses all of it, and lints know tests by their attribute only.
#![allow(dead_code, clippy::unwrap_used)]

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use swim_transport::Transport;
use swimmer::{Builder, Change, Cluster, Event, NodeId, Profile, State, Subscription};
use tokio::time::Instant;

/// Longer than anything takes that works, on a busy machine too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) fn builder() -> Builder {
    Cluster::builder("test").listen("127.0.0.1:0".parse().unwrap()).profile(Profile::Local)
}

pub(crate) async fn start(seeds: &[SocketAddr]) -> Cluster {
    start_by(builder(), seeds.iter().copied()).await
}

/// Starts this node, joining by these seeds.
pub(crate) async fn start_by<T: Transport>(
    builder: Builder<T>,
    seeds: impl IntoIterator<Item = SocketAddr>,
) -> Cluster {
    builder.seeds(seeds.into_iter().map(|seed| seed.to_string())).start().await.unwrap()
}

/// Starts so many nodes, all joining by the first, and waits until all see all.
pub(crate) async fn start_many(count: usize) -> Vec<Cluster> {
    let mut nodes = vec![start(&[]).await];
    for _ in 1..count {
        nodes.push(start(&[nodes[0].local_addr()]).await);
    }
    until("all see all", || all_see_all(&nodes)).await;
    nodes
}

pub(crate) fn all_see_all(nodes: &[Cluster]) -> bool {
    nodes.iter().all(|node| {
        nodes.iter().all(|other| other.id() == node.id() || state(node, other.id()) == ALIVE)
    })
}

pub(crate) const ALIVE: Option<State> = Some(State::Alive);

pub(crate) fn state(observer: &Cluster, id: NodeId) -> Option<State> {
    observer.members().get(id).map(|member| member.state)
}

/// Whether all of `nodes` hold the member of this id in this state.
pub(crate) fn all_hold(nodes: &[Cluster], id: NodeId, held: State) -> bool {
    nodes.iter().filter(|node| node.id() != id).all(|node| state(node, id) == Some(held))
}

/// Looks again and again until `done`, and fails after a while.
pub(crate) async fn until(what: &str, done: impl FnMut() -> bool) {
    within(PATIENCE, Instant::now(), what, done).await;
}

/// Looks again and again until `done`, and fails once this bound of the protocol is over.
pub(crate) async fn within(
    bound: Duration,
    started: Instant,
    what: &str,
    mut done: impl FnMut() -> bool,
) {
    while !done() {
        assert!(started.elapsed() < bound, "not within {bound:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits for a future, and fails after a while.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("not in time: {what}"),
    }
}

/// Waits for an event that `wanted` takes.
pub(crate) async fn event<T>(
    what: &str,
    events: &mut Subscription,
    mut wanted: impl FnMut(&Event) -> Option<T>,
) -> T {
    soon(what, async {
        loop {
            match events.recv().await.expect("the node runs").change {
                Change::Event(event) => {
                    if let Some(value) = wanted(&event) {
                        return value;
                    }
                }
                Change::Resync(_) => panic!("this reader is not slow"),
            }
        }
    })
    .await
}
