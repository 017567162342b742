//! What a node that is cut off shows of the others, on a network in memory.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use support::{PATIENCE, all_see_all, event, start_by, until, within};
use swim_transport::MemoryNetwork;
use swimmer::{Cluster, Event, NodeId};
use tokio::time::Instant;

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

fn unheard(node: &Cluster) -> Vec<NodeId> {
    node.members().unheard().map(|member| member.id).collect()
}

#[tokio::test(start_paused = true)]
async fn s5_a_node_that_is_cut_off_marks_all_others_until_it_hears_them() {
    let network = MemoryNetwork::new(7);
    network.delay(Duration::from_micros(200)..Duration::from_millis(2));
    let nodes = start(&network, 6).await;
    let (alone, others) = nodes.split_last().unwrap();
    let mut events = alone.subscribe();
    assert!(!alone.members().is_isolated());

    network.isolate(alone.local_addr());
    let isolated = |event: &Event| matches!(event, Event::Isolated(_)).then_some(());
    event("isolated", &mut events, isolated).await;
    let seen = alone.members();
    assert!(seen.is_isolated());
    assert_eq!((seen.unheard().count(), seen.present_count()), (5, 6));
    assert!(seen.others().all(|member| seen.is_unheard(member.id)));
    assert!(!seen.is_unheard(alone.id()) && !seen.is_unheard(NodeId::from_bytes([9; 16])));
    assert!(others.iter().all(|other| !other.members().is_isolated()), "they hear each other");
    assert!(events.latest().is_isolated());

    network.heal();
    let healed = |event: &Event| matches!(event, Event::Healed(_)).then_some(());
    event("healed", &mut events, healed).await;
    assert!(!alone.members().is_isolated() && unheard(alone).is_empty());
    assert!(seen.is_isolated(), "a snapshot does not change under its reader");
}

#[tokio::test(start_paused = true)]
async fn s5_a_member_that_is_heard_loses_its_mark_before_the_isolation_ends() {
    let network = MemoryNetwork::new(7);
    let nodes = start(&network, 12).await;
    let (alone, others) = nodes.split_last().unwrap();
    let mut events = alone.subscribe();
    network.isolate(alone.local_addr());
    let isolated = |event: &Event| matches!(event, Event::Isolated(_)).then_some(());
    event("isolated", &mut events, isolated).await;
    assert_eq!(unheard(alone).len(), 11);

    // One of them comes through again: too few to end the isolation at once.
    network.heal();
    for other in &others[1..] {
        network.cut(alone.local_addr(), other.local_addr());
        network.cut(other.local_addr(), alone.local_addr());
    }
    within(PATIENCE, Instant::now(), "one is heard", || unheard(alone).len() == 10).await;
    let seen = alone.members();
    assert!(seen.is_isolated() && !seen.is_unheard(others[0].id()));
}
