//! Clusters on real loopback sockets: coming, dying, leaving, coming back.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, SystemTime};

use support::{
    all_hold, all_see_all, builder, event, soon, start, start_many, state, until, within,
};
use swim_transport::{FaultControl, Faulty, UdpTcp};
use swimmer::{Change, Cluster, DeathPath, Event, Notice, RefusalReason, State, Subscription};
use tokio::time::Instant;

/// So soon after the end of a split all see all again: two healing intervals, of 5 s here and 30 s at
/// `lan`, as every second try may be at a seed.
const HEALED_MAX: Duration = Duration::from_secs(12);

#[tokio::test]
async fn three_nodes_that_join_see_each_other() {
    let nodes = start_many(3).await;
    assert!(nodes.iter().all(|node| node.members().present_count() == 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_two_nodes_that_join_see_each_other() {
    let nodes = start_many(32).await;
    assert!(nodes.iter().all(|node| node.members().present_count() == 32));
}

#[tokio::test]
async fn nodes_join_over_ipv6() {
    let listen = "[::1]:0".parse().unwrap();
    let first = builder().listen(listen).start().await.unwrap();
    let seed = first.local_addr().to_string();
    let second = builder().listen(listen).seeds([seed]).start().await.unwrap();
    until("both see both", || all_see_all(&[first.clone(), second.clone()])).await;
}

#[tokio::test]
async fn a_node_that_stops_without_a_word_is_held_dead_by_all() {
    let mut nodes = start_many(5).await;
    let mut events = nodes[0].subscribe();
    let gone = nodes.pop().unwrap();
    let (id, stopped) = (gone.id(), SystemTime::now());
    gone.shutdown().await;
    until("all hold it dead", || all_hold(&nodes, id, State::Dead)).await;
    let death = event("down", &mut events, |event| match event {
        Event::Down(member, death) if member.id == id => Some(death.clone()),
        _ => None,
    })
    .await;
    assert!(!death.accusers.is_empty() && death.accusers.len() <= 4);
    assert!(death.accusers.iter().all(|accuser| nodes.iter().any(|node| node.id() == *accuser)));
    assert!(matches!(death.path, DeathPath::Suspicion | DeathPath::Gossip));
    assert!(death.at >= stopped && death.at <= SystemTime::now());
    if death.path == DeathPath::Suspicion {
        let suspected = death.suspected_for.unwrap();
        assert!(suspected >= Duration::from_secs(1), "the minimum: {suspected:?}");
    }
    let members = nodes[0].members();
    assert_eq!(members.death(id), Some(&death), "it can be looked up afterwards");
    assert_eq!(members.death(nodes[1].id()), None);

    let again = builder().id(id).seeds([nodes[1].local_addr().to_string()]).start().await.unwrap();
    until("it is back", || all_hold(&nodes, id, State::Alive)).await;
    assert_eq!(nodes[0].members().death(id), None);
    assert_eq!(members.death(id), Some(&death), "a snapshot stays as it is");
    again.shutdown().await;
}

#[tokio::test]
async fn a_node_leaves_and_comes_back_on_the_same_handle() {
    let nodes = start_many(4).await;
    let (leaver, others) = nodes.split_last().unwrap();
    let mut events = others[0].subscribe();
    for _ in 0..2 {
        let report = soon("leave", leaver.leave()).await.unwrap();
        assert_eq!((report.acknowledged, report.told), (3, 3));
        until("all hold it left", || all_hold(others, leaver.id(), State::Left)).await;
        event("left", &mut events, |event| match event {
            Event::Left(member) => {
                assert_eq!(member.id, leaver.id());
                Some(())
            }
            Event::Suspected(_) | Event::Down(..) => panic!("a leave is no death"),
            _ => None,
        })
        .await;

        leaver.join([others[0].local_addr().to_string()]).await.unwrap();
        until("all see all", || all_see_all(&nodes)).await;
        event("joined", &mut events, |event| match event {
            Event::Joined(member) => {
                assert_eq!(member.id, leaver.id());
                Some(())
            }
            _ => None,
        })
        .await;
    }
}

#[tokio::test]
async fn a_node_comes_back_by_itself_after_it_was_held_dead() {
    let nodes = start_many(3).await;
    let transport = Faulty::new(UdpTcp::bind("127.0.0.1:0".parse().unwrap()).await.unwrap(), 1);
    let faults = transport.control();
    let seeds = [nodes[0].local_addr().to_string()];
    let cut = builder().transport(transport).seeds(seeds).start().await.unwrap();
    until("all see it", || all_hold(&nodes, cut.id(), State::Alive)).await;
    faults.isolate();
    until("all hold it dead", || all_hold(&nodes, cut.id(), State::Dead)).await;
    until("it holds all dead", || {
        nodes.iter().all(|node| state(&cut, node.id()) == Some(State::Dead))
    })
    .await;
    faults.heal();
    let mut all = nodes;
    all.push(cut);
    until("all see all", || all_see_all(&all)).await;
}

/// Starts nodes whose links can be cut.
async fn start_faulty(count: usize) -> (Vec<Cluster>, Vec<FaultControl>) {
    let (mut nodes, mut faults) = (Vec::<Cluster>::new(), Vec::new());
    for seed in 0..count {
        let udp_tcp = UdpTcp::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let transport = Faulty::new(udp_tcp, seed as u64);
        faults.push(transport.control());
        let seeds = nodes.first().map(|first| first.local_addr().to_string());
        nodes.push(builder().transport(transport).seeds(seeds).start().await.unwrap());
    }
    until("all see all", || all_see_all(&nodes)).await;
    (nodes, faults)
}

#[tokio::test]
async fn two_halves_that_were_split_find_each_other_without_a_call_and_bury_nobody() {
    let (nodes, faults) = start_faulty(6).await;
    let (left, right) = nodes.split_at(3);
    for (node, faults) in nodes.iter().zip(&faults) {
        let others = if left.iter().any(|n| n.id() == node.id()) { right } else { left };
        others.iter().for_each(|other| faults.cut_to(other.local_addr()));
    }
    until("the halves hold each other dead", || {
        left.iter().all(|node| all_hold(right, node.id(), State::Dead))
            && right.iter().all(|node| all_hold(left, node.id(), State::Dead))
    })
    .await;
    let mut events: Vec<Subscription> = nodes.iter().map(Cluster::subscribe).collect();
    faults.iter().for_each(FaultControl::heal);
    within(HEALED_MAX, Instant::now(), "all see all", || all_see_all(&nodes)).await;
    // Longer than a suspicion that healing may have begun.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(all_see_all(&nodes));
    for (node, events) in nodes.iter().zip(&mut events) {
        let mut healed = Vec::new();
        while let Ok(update) = events.try_recv() {
            match update.change {
                Change::Event(Event::Healed(local)) => healed.push(local.id),
                Change::Event(event) => {
                    assert!(!matches!(event, Event::Down(..)), "nobody is buried: {event:?}");
                }
                Change::Resync(_) => panic!("this reader is not slow"),
            }
        }
        assert_eq!(healed, [node.id()], "each says once, on both sides, that it is healed");
    }
}

#[tokio::test]
async fn a_node_that_one_cannot_reach_is_saved_by_relays() {
    let (nodes, faults) = start_faulty(4).await;
    faults[0].cut_to(nodes[1].local_addr());
    faults[1].cut_to(nodes[0].local_addr());
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(all_see_all(&nodes));
    assert!(nodes[0].stats().membership.probes_indirect > 0);
}

#[tokio::test]
async fn metadata_that_changes_is_seen_by_all() {
    let nodes = start_many(4).await;
    let mut events = nodes[0].subscribe();
    nodes[3].set_metadata("role=web").await.unwrap();
    until("all see it", || {
        nodes[..3].iter().all(|node| {
            node.members().get(nodes[3].id()).is_some_and(|m| *m.metadata == *b"role=web")
        })
    })
    .await;
    event("updated", &mut events, |event| match event {
        Event::Updated(member) => {
            assert_eq!(*member.metadata, *b"role=web");
            Some(())
        }
        _ => None,
    })
    .await;
    assert_eq!(*nodes[3].local().metadata, *b"role=web");
    assert!(nodes[3].set_metadata(vec![0; 513]).await.is_err());
    assert_eq!(*nodes[3].local().metadata, *b"role=web", "a refused change changes nothing");
}

#[tokio::test]
async fn nodes_of_another_cluster_are_refused_and_both_sides_say_so() {
    let ours = start(&[]).await;
    let seed = ours.local_addr().to_string();
    let theirs = Cluster::builder("other")
        .listen("127.0.0.1:0".parse().unwrap())
        .seeds([seed])
        .start()
        .await
        .unwrap();
    let refused = soon("the refusal", theirs.notices().recv()).await;
    let (by, cluster, reason) = (ours.local_addr(), "test".to_owned(), RefusalReason::OtherCluster);
    assert_eq!(refused, Some(Notice::JoinRefused { by, cluster, reason }));
    let reported = soon("the report", ours.notices().recv()).await;
    let (from, cluster) = (theirs.local_addr(), "other".to_owned());
    assert_eq!(reported, Some(Notice::ForeignJoin { from, cluster }));
    assert_eq!(ours.members().present_count(), 1);
}

#[tokio::test]
async fn a_seed_that_is_not_there_yet_is_retried_until_it_answers() {
    let late = start(&[]).await;
    let address = late.local_addr();
    late.shutdown().await;
    let early = start(&[address]).await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    let late = builder().listen(address).start().await.unwrap();
    until("both see both", || all_see_all(&[early.clone(), late.clone()])).await;
}

#[tokio::test]
async fn a_seed_may_be_a_name_and_the_own_address_is_ignored() {
    let first = start(&[]).await;
    let port = first.local_addr().port();
    let second = builder().seeds([format!("localhost:{port}")]).start().await.unwrap();
    first.join([first.local_addr().to_string()]).await.unwrap();
    until("both see both", || all_see_all(&[first.clone(), second.clone()])).await;
    assert_eq!(first.members().present_count(), 2);
}
