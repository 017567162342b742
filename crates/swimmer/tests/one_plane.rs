//! Networks that let datagrams through and no streams, or the other way round (E8, L2).

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use support::{all_see_all, builder, soon, start_by, state, until};
use swim_transport::{FaultControl, Faulty, UdpTcp};
use swimmer::{Change, Cluster, Config, Event, Notice, Plane, Profile, State, Subscription};

/// A node and what its network does.
struct Place {
    node: Cluster,
    network: FaultControl,
}

/// A node that hardly ever compares tables of its own accord.
async fn start(seed: u64, by: Option<&Place>, faults: impl FnOnce(&FaultControl)) -> Place {
    let transport = Faulty::new(UdpTcp::bind("127.0.0.1:0".parse().unwrap()).await.unwrap(), seed);
    let network = transport.control();
    faults(&network);
    let minute = Duration::from_secs(60);
    let config = Config::builder(Profile::Local).sync_interval(minute).build().unwrap();
    let builder = builder().config(config).transport(transport);
    let node = start_by(builder, by.map(|by| by.node.local_addr())).await;
    Place { node, network }
}

fn lose_all(network: &FaultControl) {
    network.lose(1_000);
}

async fn one_plane(node: &Cluster) -> Notice {
    let mut notices = node.notices();
    soon("the notice", async {
        loop {
            let notice = notices.recv().await.unwrap();
            if let Notice::OnePlane { .. } = notice {
                return notice;
            }
        }
    })
    .await
}

/// What happened so far, but for joins and updates.
fn troubles(events: &mut Subscription) -> Vec<Event> {
    let mut seen = Vec::new();
    while let Ok(update) = events.try_recv() {
        if let Change::Event(event) = update.change
            && !matches!(event, Event::Joined(_) | Event::Updated(_))
        {
            seen.push(event);
        }
    }
    seen
}

#[tokio::test]
async fn e8_where_datagrams_are_lost_members_stay_are_told_of_and_leave() {
    let first = start(1, None, lose_all).await;
    let second = start(2, Some(&first), lose_all).await;
    let third = start(3, Some(&first), lose_all).await;
    let mut events = first.node.subscribe();
    let mut nodes = vec![first.node, second.node];
    let third = third.node;
    let all = [nodes[0].clone(), nodes[1].clone(), third.clone()];
    until("all see all, though no gossip gets through", || all_see_all(&all)).await;
    let (id, address) = (third.id(), third.local_addr());
    let notice = one_plane(&nodes[0]).await;
    let Notice::OnePlane { plane, .. } = notice else { unreachable!() };
    assert_eq!(plane, Plane::Reliable);
    let report = soon("the leave", third.leave()).await.unwrap();
    assert_eq!((report.acknowledged, report.told), (2, 2), "{address}");
    third.shutdown().await;
    until("it is held left", || nodes.iter().all(|node| state(node, id) == Some(State::Left)))
        .await;
    let seen = troubles(&mut events);
    assert!(matches!(&seen[..], [Event::Left(member)] if member.id == id), "{seen:?}");
    assert!(!nodes.pop().unwrap().members().is_isolated());
}

#[tokio::test]
async fn e8_who_gets_no_datagrams_meets_a_new_member_soon_and_is_not_isolated() {
    let first = start(1, None, |_| {}).await;
    let deaf = start(2, Some(&first), |network| network.lose_on_receipt(1_000)).await;
    until("both see both", || all_see_all(&[first.node.clone(), deaf.node.clone()])).await;
    let mut events = deaf.node.subscribe();
    // Long enough to find out that datagrams do not get through.
    one_plane(&deaf.node).await;
    let third = start(3, Some(&first), |_| {}).await;
    let all = [first.node, deaf.node, third.node];
    let from = tokio::time::Instant::now();
    until("all see all", || all_see_all(&all)).await;
    assert!(from.elapsed() < Duration::from_secs(30), "the sync interval is a minute");
    assert!(troubles(&mut events).is_empty());
    let notice = one_plane(&all[0]).await;
    let Notice::OnePlane { address, plane, .. } = notice else { unreachable!() };
    assert_eq!((address, plane), (all[1].local_addr(), Plane::Reliable));
    deaf.network.lose_on_receipt(0);
}

#[tokio::test]
async fn e8_where_streams_are_cut_members_stay_and_leave_by_datagrams() {
    let first = start(1, None, |_| {}).await;
    let second = start(2, Some(&first), |_| {}).await;
    until("both see both", || all_see_all(&[first.node.clone(), second.node.clone()])).await;
    first.network.hang_exchanges(true);
    second.network.hang_exchanges(true);
    let gone = second.node;
    let report = soon("the leave", gone.leave()).await.unwrap();
    assert_eq!((report.acknowledged, report.told), (1, 1));
    until("it is held left", || state(&first.node, gone.id()) == Some(State::Left)).await;
}
