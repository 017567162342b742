//! Partitions on a network in memory, at the times of `lan`: minutes that pass in no time.

#![allow(clippy::unwrap_used)]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use support::{all_hold, all_see_all, start_by, until, within};
use swim_transport::MemoryNetwork;
use swimmer::{Change, Cluster, Event, State, Subscription};
use tokio::time::{Instant, sleep};

/// So soon after the network's return all see all again.
const HEALED_MAX: Duration = Duration::from_secs(60);

async fn start(network: &MemoryNetwork, count: usize) -> Vec<Cluster> {
    let mut nodes = Vec::<Cluster>::new();
    for _ in 0..count {
        let seed = nodes.first().map(Cluster::local_addr);
        let transport = network.bind_any().unwrap();
        nodes.push(start_by(Cluster::builder("test").transport(transport), seed).await);
    }
    until("all see all", || all_see_all(&nodes)).await;
    nodes
}

fn addresses(nodes: &[Cluster]) -> Vec<SocketAddr> {
    nodes.iter().map(Cluster::local_addr).collect()
}

/// What a node has told its user: how often that it is healed, and that somebody is dead.
fn told(events: &mut Subscription) -> (usize, usize) {
    let (mut healed, mut deaths) = (0, 0);
    while let Ok(update) = events.try_recv() {
        match update.change {
            Change::Event(Event::Healed(_)) => healed += 1,
            Change::Event(Event::Down(..)) => deaths += 1,
            Change::Event(_) => {}
            Change::Resync(_) => panic!("this reader is not slow"),
        }
    }
    (healed, deaths)
}

/// Parts so many from the others until each side holds the other dead, and heals that. `meanwhile`
/// is done in between.
async fn part_and_heal(count: usize, left: usize, meanwhile: impl AsyncFn(&[Cluster])) {
    let network = MemoryNetwork::new(7);
    network.delay(Duration::from_micros(200)..Duration::from_millis(2));
    let nodes = start(&network, count).await;
    let (one, other) = nodes.split_at(left);
    network.partition(&[&addresses(one), &addresses(other)]);
    // Far longer than any suspicion, and than the hold of those who have lost nearly all.
    sleep(Duration::from_secs(300)).await;
    for (side, lost) in [(one, other), (other, one)] {
        assert!(lost.iter().all(|node| all_hold(side, node.id(), State::Dead)));
    }
    meanwhile(&nodes).await;
    let mut events: Vec<Subscription> = nodes.iter().map(Cluster::subscribe).collect();
    network.heal();
    within(HEALED_MAX, Instant::now(), "all see all", || all_see_all(&nodes)).await;
    sleep(Duration::from_secs(120)).await;
    assert!(all_see_all(&nodes));
    let told: Vec<_> = events.iter_mut().map(told).collect();
    assert!(told.iter().all(|told| *told == (1, 0)), "healed and deaths: {told:?}");
}

#[tokio::test(start_paused = true)]
async fn e6_every_node_of_either_side_says_once_that_it_is_healed_and_nobody_is_buried() {
    for (count, left) in [(2, 1), (3, 1), (6, 3), (9, 1), (24, 12), (24, 5)] {
        eprintln!("{left} of {count}");
        part_and_heal(count, left, async |_| {}).await;
    }
}

/// So they have nothing to refute.
#[tokio::test(start_paused = true)]
async fn e6_those_who_have_changed_their_records_meanwhile_are_healed_too() {
    for (count, left) in [(6, 3), (24, 12)] {
        part_and_heal(count, left, async |nodes| {
            for node in nodes {
                node.set_metadata("changed").await.unwrap();
            }
            sleep(Duration::from_secs(30)).await;
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn e6_one_who_was_down_and_comes_back_heals_nobody() {
    let network = MemoryNetwork::new(7);
    let mut nodes = start(&network, 6).await;
    let gone = nodes.pop().unwrap();
    let (id, address) = (gone.id(), gone.local_addr());
    gone.shutdown().await;
    sleep(Duration::from_secs(120)).await;
    assert!(all_hold(&nodes, id, State::Dead));
    let mut events: Vec<Subscription> = nodes.iter().map(Cluster::subscribe).collect();
    let again = Cluster::builder("test").id(id).transport(network.bind(address).unwrap());
    let again = start_by(again, [nodes[0].local_addr()]).await;
    let of_again = again.subscribe();
    nodes.push(again);
    within(HEALED_MAX, Instant::now(), "all see all", || all_see_all(&nodes)).await;
    sleep(Duration::from_secs(120)).await;
    events.push(of_again);
    let told: Vec<_> = events.iter_mut().map(told).collect();
    assert!(told.iter().all(|told| *told == (0, 0)), "healed and deaths: {told:?}");
}
